package main

import "golang.org/x/sys/unix"

// The calls that read and set a terminal's modes. Setting drops what was typed
// before the question: it was not an answer.
const (
	getTermios = unix.TCGETS
	setTermios = unix.TCSETSF
)
