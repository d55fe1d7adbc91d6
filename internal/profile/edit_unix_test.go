//go:build unix

package profile

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// limitFileSize makes every write beyond 4 KB fail, as a full disk does, until
// the returned function lifts the limit.
func limitFileSize() func() {
	signal.Ignore(syscall.SIGXFSZ)
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		panic(err)
	}
	set := func(limit syscall.Rlimit) {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			panic(err)
		}
	}
	set(syscall.Rlimit{Cur: 4096, Max: before.Max})
	return func() { set(before) }
}

// A disk that takes only a part of the new file keeps the old one, and no
// temp file.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "credentials")
	text := "[other]\nkey = " + strings.Repeat("y", 10_000) + "\n"
	write(t, path, text)
	cmd, stderr := startChild(t, "limited", path, "a")
	if err := cmd.Wait(); err == nil {
		t.Fatal("the write went through")
	}
	if said := stderr.String(); !strings.Contains(said, "writing section \"a\" of "+path+": file too large") || strings.Count(said, "\n") != 1 {
		t.Errorf("it said %q", said)
	}
	assertFile(t, path, text, 0o600)
	if names := folderNames(t, dir); names != "credentials" {
		t.Errorf("left behind: %s", names)
	}
}

// A folder that takes no new file keeps the old one.
func TestReadOnlyFolder(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "credentials")
	write(t, path, "[a]\nx = 1\n")
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.Chmod(dir, 0o700) }()
	if os.Geteuid() == 0 { // modes don't stop root, a folder of the kernel's does
		path = "/proc/self/fdinfo/credentials"
		if _, err := os.Stat("/proc/self/fdinfo"); err != nil {
			path = filepath.Join("/dev/null", "credentials")
		}
	}
	_, err := EditSection(context.Background(), path, "a", edits(Edit{Set: []Setting{{"x", "2"}}}), EditOptions{})
	if e, ok := errors.AsType[*EditError](err); !ok || e.Refused() || IsConfiguration(err) {
		t.Errorf("%v", err)
	}
	assertFile(t, filepath.Join(dir, "credentials"), "[a]\nx = 1\n", 0o600)
}

// The files that people link to from a dotfiles folder keep their owner.
func TestKeepsOwner(t *testing.T) {
	uid, gid := os.Getuid(), os.Getgid()
	if os.Geteuid() == 0 { // only root can make files of others
		uid, gid = 12345, 23456
	}
	path := filepath.Join(t.TempDir(), "credentials")
	write(t, path, "[a]\nx = 1\n")
	if err := os.Chown(path, uid, gid); err != nil {
		t.Fatal(err)
	}
	if _, err := EditSection(context.Background(), path, "a", edits(Edit{Set: []Setting{{"x", "2"}}}), EditOptions{}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if s := info.Sys().(*syscall.Stat_t); int(s.Uid) != uid || int(s.Gid) != gid {
		t.Errorf("the file is %d:%d's now", s.Uid, s.Gid)
	}
}
