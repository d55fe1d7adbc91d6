// Package disk replaces files whole, tells one state of a file from another, and keeps writers apart: for files that other
// programs write at any time, in folders where other users may have planted theirs.
package disk

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// Bare takes the paths off an os error: who tells of it names the file, quoted.
func Bare(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &link):
		return link.Err
	}
	return err
}

// Trouble tells an error of the system that another path, or other rights,
// would not cure: a broken disk, too many open files.
func Trouble(err error) bool {
	if _, system := errors.AsType[syscall.Errno](err); !system {
		return false
	}
	for _, cause := range append(wrongPath, fs.ErrNotExist, fs.ErrPermission, fs.ErrInvalid) {
		if errors.Is(err, cause) {
			return false
		}
	}
	return true
}

// wrongPath are the errors of a path that leads to no file that can be read.
var wrongPath = []error{syscall.EISDIR, syscall.ENOTDIR, syscall.ELOOP, syscall.ENAMETOOLONG, syscall.EINVAL, syscall.ENXIO, syscall.ENODEV}

// Missing tells that a file is not there. That includes a path through something that is no folder: there is
// nothing at its end either.
func Missing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// OpenNow opens a file to read it. A pipe, should one have been put in its place meanwhile, is not waited for.
func OpenNow(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|noWait, 0)
}
