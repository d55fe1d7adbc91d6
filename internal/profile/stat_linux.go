package profile

import (
	"io/fs"
	"syscall"
)

func identify(path string, info fs.FileInfo) FileID {
	id := FileID{Path: path, Exists: true, Size: info.Size(), ModTime: info.ModTime().UnixNano()}
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		id.Device, id.Inode, id.Changed = uint64(s.Dev), s.Ino, s.Ctim.Nano() //nolint:unconvert // Dev's type differs between architectures
	}
	return id
}
