//go:build !linux

package early

import "os"

// onTerminal takes every device that stdout may be for a terminal: who writes there is answered by the ordinary path.
func onTerminal() bool {
	info, err := os.Stdout.Stat()
	return err != nil || info.Mode()&os.ModeCharDevice != 0
}
