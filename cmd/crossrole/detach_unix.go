//go:build unix

package main

import "syscall"

// detached lets a program outlive us and our terminal.
func detached() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
