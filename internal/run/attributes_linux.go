package run

import "syscall"

// attributes has the kernel tell the child to stop when we are killed: without
// us its credentials can't be renewed.
func attributes(apart bool) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setsid: apart}
}
