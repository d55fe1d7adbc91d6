//go:build unix

package sealed

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func refused(t *testing.T, what string, err error, says string) {
	t.Helper()
	var unsafe *UnsafeError
	if !errors.As(err, &unsafe) || !strings.Contains(err.Error(), says) {
		t.Errorf("%s: %v, want a refusal that says %q", what, err, says)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestCheckDir(t *testing.T) {
	base := t.TempDir()
	dir := filepath.Join(base, "cache")
	if err := CheckDir(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	must(t, os.Mkdir(dir, 0o700))
	must(t, CheckDir(dir))
	for _, mode := range []os.FileMode{0o755, 0o710, 0o701, 0o702, 0o770} {
		must(t, os.Chmod(dir, mode))
		refused(t, mode.String(), CheckDir(dir), "open to other users")
	}
	must(t, os.Chmod(dir, 0o700))
	link := filepath.Join(base, "link")
	must(t, os.Symlink(dir, link))
	refused(t, "a link", CheckDir(link), "is not a folder")
	refused(t, "another's", CheckDir(othersDir(t)), "is owned by user")
}

// othersDir is a folder of another user: root can give one away, anybody else finds root's.
func othersDir(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		return "/"
	}
	dir := filepath.Join(t.TempDir(), "others")
	must(t, os.Mkdir(dir, 0o700))
	must(t, os.Chown(dir, 1001, -1))
	return dir
}

func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x")
	must(t, os.WriteFile(path, []byte("value"), 0o600))
	if got, err := ReadFile(path); err != nil || string(got) != "value" {
		t.Fatalf("got %q, %v", got, err)
	}
	if _, err := ReadFile(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	must(t, os.Symlink(path, filepath.Join(dir, "link")))
	_, err := ReadFile(filepath.Join(dir, "link"))
	refused(t, "a link", err, "symbolic link")
	must(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	_, err = ReadFile(filepath.Join(dir, "pipe"))
	refused(t, "a pipe", err, "not a regular file")
	_, err = ReadFile(dir)
	refused(t, "a folder", err, "not a regular file")
	must(t, os.Chmod(path, 0o640))
	_, err = ReadFile(path)
	refused(t, "mode 0640", err, "mode 0640")
	must(t, os.Chmod(path, 0o600))
	must(t, os.Link(path, filepath.Join(dir, "hard")))
	_, err = ReadFile(path)
	refused(t, "a hard link", err, "hard link")
}

func TestReadFileOfAnother(t *testing.T) {
	path := "/etc/passwd"
	if os.Geteuid() == 0 {
		path = filepath.Join(t.TempDir(), "x")
		must(t, os.WriteFile(path, nil, 0o600))
		must(t, os.Chown(path, 1001, -1))
	}
	_, err := ReadFile(path)
	refused(t, path, err, "is owned by user")
}

func TestReadFileHasALimit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	must(t, os.WriteFile(path, nil, 0o600))
	must(t, os.Truncate(path, MaxSize+1))
	if _, err := ReadFile(path); !errors.Is(err, ErrTooBig) {
		t.Errorf("got %v", err)
	}
}
