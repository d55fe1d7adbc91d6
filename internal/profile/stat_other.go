//go:build !linux && !darwin

package profile

import "io/fs"

func identify(path string, info fs.FileInfo) FileID {
	return FileID{Path: path, Exists: true, Size: info.Size(), ModTime: info.ModTime().UnixNano()}
}
