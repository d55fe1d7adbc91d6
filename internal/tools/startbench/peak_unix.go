//go:build unix

package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// peak runs a command and prints the most memory that it held, in bytes. The system counts from what the parent held
// when it forked: that is why this runs in a small process of its own.
func peak(args []string) {
	cmd := exec.Command(args[0], args[1:]...)
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		os.Exit(1)
	}
	unit := int64(1024)
	if runtime.GOOS == "darwin" {
		unit = 1
	}
	fmt.Println(int64(usage.Maxrss) * unit) //nolint:unconvert // it is an int32 on 32 bits
}
