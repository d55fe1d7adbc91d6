package credserver

import (
	"errors"
	"syscall"

	"golang.org/x/sys/windows"
)

// inUse tells a port that somebody has from an address family that is missing.
func inUse(err error) bool {
	return errors.Is(err, windows.WSAEADDRINUSE) || errors.Is(err, windows.WSAEACCES) || errors.Is(err, syscall.EACCES)
}
