package disk

import (
	"io/fs"
	"syscall"
)

// IDOf is the identity that a file had when info was taken.
func IDOf(path string, info fs.FileInfo) ID {
	id := ID{Path: path, Exists: true, Size: info.Size(), ModTime: info.ModTime().UnixNano()}
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		id.Device, id.Inode, id.Changed = uint64(s.Dev), s.Ino, s.Ctimespec.Nano() //nolint:gosec // a device number has no sign
	}
	return id
}
