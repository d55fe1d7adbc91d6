//go:build unix && !linux

package run

import "syscall"

func attributes(apart bool) *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: apart} }
