package profile

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
)

// ReplaceFile writes a whole file as EditSection does: a process killed at any
// instant, and every failure, leaves the old one or the new one. A new file is
// for the owner alone; an old one keeps its mode. Where path is a symbolic link,
// the file that it leads to is replaced; what is no regular file, such as a
// device or a pipe, is written to as it is. The error does not name the file.
func ReplaceFile(ctx context.Context, path string, data []byte) error {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		return bareError(os.WriteFile(path, data, 0o600))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return bareError(err)
	}
	target, err := followLinks(path)
	if err != nil {
		return err
	}
	return ReplaceName(ctx, target, bytes.NewReader(data))
}

// ReplaceName is ReplaceFile for a name that must not lead elsewhere: a symbolic
// link itself is replaced. What it is to hold may be longer than memory.
func ReplaceName(ctx context.Context, path string, data io.Reader) error {
	if foldersLock {
		unlock, err := lockFolder(ctx, path)
		switch {
		case err == nil:
			defer unlock()
		case errors.Is(err, ErrBusy), ctx.Err() != nil:
			return err
		default: // a file system without locks: nothing is removed that may be another's
		}
	}
	old, err := IdentifyFile(path)
	if err == nil {
		err = replaceFile(path, old, data)
	}
	return bareError(err)
}
