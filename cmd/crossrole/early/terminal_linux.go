package early

import (
	"syscall"
	"unsafe"
)

// onTerminal asks the kernel for the settings of the terminal that stdout is; only a terminal has any.
func onTerminal() bool {
	var settings [128]byte // longer than struct termios on every architecture
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(syscall.Stdout), syscall.TCGETS, uintptr(unsafe.Pointer(&settings[0])))
	return errno == 0
}
