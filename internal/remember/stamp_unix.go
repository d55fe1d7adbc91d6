//go:build unix

package remember

import (
	"io/fs"
	"syscall"
)

// Take stamps the file at path, or what a link there leads to. It fails if that can't be told.
func Take(path string) (Stamp, error) {
	var st syscall.Stat_t
	for {
		switch err := syscall.Stat(path, &st); err {
		case syscall.EINTR:
			continue
		case syscall.ENOENT, syscall.ENOTDIR:
			return Stamp{Path: path, Missing: true}, nil
		case nil:
			mtime, ctime := times(&st)
			dev := uint64(st.Dev) //nolint:unconvert // signed on macOS
			return Stamp{Path: path, Dev: dev, Ino: st.Ino, Size: uint64(st.Size), Mtime: mtime, Ctime: ctime}, nil
		default:
			return Stamp{}, &fs.PathError{Op: "stat", Path: path, Err: err}
		}
	}
}
