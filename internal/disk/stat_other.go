//go:build !linux && !darwin

package disk

import "io/fs"

// IDOf is the identity that a file had when info was taken.
func IDOf(path string, info fs.FileInfo) ID {
	return ID{Path: path, Exists: true, Size: info.Size(), ModTime: info.ModTime().UnixNano()}
}
