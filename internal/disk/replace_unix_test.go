//go:build unix

package disk

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

// What somebody else wrote since the decision is not lost.
func TestReplaceSeesAChange(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, "old")
	old, err := Identify(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, "theirs")
	if err := Replace(path, old, strings.NewReader("ours")); !errors.Is(err, ErrChanged) {
		t.Errorf("got %v", err)
	}
	assertFile(t, path, "theirs", 0o600)
	if names := folderNames(t, filepath.Dir(path)); names != "file" {
		t.Errorf("left behind: %s", names)
	}
}

// What another path or other rights would mend is not the disk's fault.
func TestTrouble(t *testing.T) {
	for errno, want := range map[syscall.Errno]bool{
		syscall.EIO: true, syscall.EMFILE: true, syscall.ENOSPC: true, syscall.ESTALE: true,
		syscall.ENOENT: false, syscall.EACCES: false, syscall.EPERM: false, syscall.ENOTDIR: false, syscall.ELOOP: false,
	} {
		if err := fmt.Errorf("reading: %w", &fs.PathError{Op: "open", Path: "/f", Err: errno}); Trouble(err) != want {
			t.Errorf("%v: trouble %v", errno, !want)
		}
	}
	if Trouble(errors.New("too large")) {
		t.Error("our own refusal is no trouble of the disk")
	}
}

// The path is told once, and quoted, by who names the file.
func TestBare(t *testing.T) {
	for _, err := range []error{
		&fs.PathError{Op: "open", Path: "/a\x1b", Err: syscall.EACCES},
		&os.LinkError{Op: "rename", Old: "/a\x1b", New: "/b", Err: syscall.EACCES},
		fmt.Errorf("more of it: %w", &fs.PathError{Op: "open", Path: "/a\x1b", Err: syscall.EACCES}),
	} {
		if got := Bare(err); !errors.Is(got, syscall.EACCES) || got.Error() != syscall.EACCES.Error() {
			t.Errorf("%q", got)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func assertFile(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil || string(data) != text {
		t.Errorf("%s has %q, %v; want %q", path, data, err, text)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
		t.Errorf("%s: %v, %v; want the mode %v", path, info, err, mode)
	}
}

func folderNames(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return strings.Join(names, " ")
}
