package disk

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// ErrChanged says that the file was replaced between reading and writing.
var ErrChanged = errors.New("the file was changed by another program")

// ReplaceFile writes a whole file: a process killed at any instant, and every
// failure, leaves the old one or the new one. A new file is for the owner alone;
// an old one keeps its mode. Where path is a symbolic link,
// the file that it leads to is replaced; what is no regular file, such as a
// device or a pipe, is written to as it is. The error does not name the file.
func ReplaceFile(ctx context.Context, path string, data []byte) error {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		return Bare(os.WriteFile(path, data, 0o600))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Bare(err)
	}
	target, err := FollowLinks(path)
	if err != nil {
		return err
	}
	return ReplaceName(ctx, target, bytes.NewReader(data))
}

// ReplaceName is ReplaceFile for a name that must not lead elsewhere: a symbolic
// link itself is replaced. What it is to hold may be longer than memory.
func ReplaceName(ctx context.Context, path string, data io.Reader) error {
	if foldersLock {
		unlock, err := LockFolder(ctx, path)
		switch {
		case err == nil:
			defer unlock()
		case errors.Is(err, ErrBusy), ctx.Err() != nil:
			return err
		default: // a file system without locks: nothing is removed that may be another's
		}
	}
	old, err := Identify(path)
	if err == nil {
		err = Replace(path, old, data)
	}
	return Bare(err)
}

// Replace writes a new file beside the old one and renames it onto it. old is what target was when that was decided: if it
// is another file by now, that one stays, and the error is ErrChanged. The caller has the folder's lock.
func Replace(target string, old ID, data io.Reader) (err error) {
	temp := filepath.Join(filepath.Dir(target), tempPattern(target)+rand.Text())
	file, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temp)
		}
	}()
	if err := writeSynced(file, target, data); err != nil {
		return err
	}
	switch now, err := Identify(target); {
	case err != nil:
		return err
	case now != old:
		return ErrChanged
	}
	if err := Rename(temp, target); err != nil {
		return err
	}
	syncFolder(filepath.Dir(target))
	return nil
}

// Rename replaces path. On Windows that fails for an instant while another process reads the old file.
func Rename(temp, path string) error {
	err := os.Rename(temp, path)
	for try := 0; err != nil && runtime.GOOS == "windows" && try < 50; try++ {
		time.Sleep(2 * time.Millisecond)
		err = os.Rename(temp, path)
	}
	return err
}

func writeSynced(file *os.File, target string, data io.Reader) error {
	_, err := io.Copy(file, data)
	if err == nil {
		err = likeOld(file, target)
	}
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// likeOld gives the new file the mode and the owner of the one it replaces.
func likeOld(file *os.File, target string) error {
	info, err := os.Lstat(target)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSymlink != 0 { // its target's mode says nothing of what stands here
		return nil
	}
	if err := checkOld(info); err != nil {
		return err
	}
	if err := sameOwner(file, info); err != nil {
		return err
	}
	return file.Chmod(info.Mode().Perm())
}

// syncFolder makes the rename last. Some file systems can't, and then the
// rename is as lasting as theirs are.
func syncFolder(dir string) {
	if folder, err := os.Open(dir); err == nil {
		_ = folder.Sync()
		_ = folder.Close()
	}
}
