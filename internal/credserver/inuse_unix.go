//go:build !windows

package credserver

import (
	"errors"
	"syscall"
)

// inUse tells a port that somebody has from an address family that is missing.
func inUse(err error) bool {
	return errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, syscall.EACCES)
}
