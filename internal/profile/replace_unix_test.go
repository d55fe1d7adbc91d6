//go:build unix

package profile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestReplaceFile(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "file"), filepath.Join(t.TempDir(), "link")
	replace := func(name, text string) {
		t.Helper()
		if err := ReplaceFile(context.Background(), name, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	replace(path, "new")
	assertFile(t, path, "new", 0o600)
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, ".file.crossrole-OFAKILLEDRUN"), "half")
	replace(link, "newer")
	assertFile(t, path, "newer", 0o640)
	if names := folderNames(t, dir); names != "file" {
		t.Errorf("left behind: %s", names)
	}
	if err := ReplaceName(context.Background(), link, strings.NewReader("own")); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || !info.Mode().IsRegular() {
		t.Errorf("the link is still one: %v, %v", info, err)
	}
	assertFile(t, path, "newer", 0o640)
	if err := ReplaceFile(context.Background(), filepath.Join(dir, "none", "file"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
	replace(os.DevNull, "anything")
	if info, err := os.Stat(os.DevNull); err != nil || info.Mode().IsRegular() {
		t.Errorf("the device is none any more: %v, %v", info, err)
	}
}

// What a person can mend by another path or other rights is configuration; what only another disk mends is not.
func TestIsTrouble(t *testing.T) {
	for errno, trouble := range map[error]bool{
		syscall.EIO: true, syscall.EMFILE: true, syscall.ENOSPC: true, syscall.ESTALE: true,
		syscall.ENOENT: false, syscall.EACCES: false, syscall.EPERM: false, syscall.ENOTDIR: false, syscall.ELOOP: false, ErrTooLarge: false,
	} {
		err := fmt.Errorf("in a chain: %w", &FileError{Path: "/f", Err: errno})
		if IsTrouble(err) != trouble || IsConfiguration(err) == trouble {
			t.Errorf("%v: trouble %v, configuration %v", errno, IsTrouble(err), IsConfiguration(err))
		}
	}
}
