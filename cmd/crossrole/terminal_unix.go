//go:build !windows

package main

import "os"

// openTerminal opens the controlling terminal. It fails where there is none.
func openTerminal() (*terminal, error) {
	f, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	return &terminal{in: f, out: f}, nil
}
