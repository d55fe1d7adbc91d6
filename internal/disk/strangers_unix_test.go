//go:build unix

package disk

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gofrs/flock"
)

// Whoever can open a folder can lock it, and would keep its owner from ever writing there.
func TestAStrangersLockIsNotWaitedForLong(t *testing.T) {
	old := strangersWait
	strangersWait = 50 * time.Millisecond
	t.Cleanup(func() { strangersWait = old })
	for mode, busy := range map[os.FileMode]bool{0o755: false, 0o711: true, 0o700: true} {
		dir := t.TempDir()
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "credentials")
		write(t, filepath.Join(dir, tempPattern(path)+"other"), "of a writer under way")
		stranger := flock.New(dir, flock.SetFlag(os.O_RDONLY))
		if err := stranger.Lock(); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		err := ReplaceFile(ctx, path, []byte("x"))
		cancel()
		_ = stranger.Unlock()
		if (err != nil) != busy {
			t.Errorf("mode %o: %v", mode, err)
		}
		if _, err := os.Stat(filepath.Join(dir, tempPattern(path)+"other")); err != nil {
			t.Errorf("mode %o: removed without the lock: %v", mode, err)
		}
	}
}

// Another user's file, put where secrets will go and open to everybody, and another user's link out of /tmp, are refused:
// nothing is written. It takes root to make them, and a process that is not root to meet them.
func TestWhatStrangersPlantIsRefused(t *testing.T) {
	if target := os.Getenv("CROSSROLE_TEST_REPLACE"); target != "" {
		err := ReplaceFile(t.Context(), target, []byte("c4n4ry"))
		t.Fatalf("replace: %v", err)
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can be two users")
	}
	const victim, stranger = 61001, 61002
	for _, c := range []struct {
		name   string
		folder os.FileMode
		plant  func(path string) error
		want   string
	}{
		{"nothing", 0o777, func(string) error { return nil }, "replace: <nil>"},
		{"a file of the team's", 0o777, func(path string) error { return planted(path, stranger, 0o640) }, "replace: <nil>"},
		{"an open file", 0o777, func(path string) error { return planted(path, stranger, 0o666) }, "is user 61002's and open to everybody"},
		{"a readable file", 0o777, func(path string) error { return planted(path, stranger, 0o644) }, "is user 61002's and open to everybody"},
		{"a link", 0o777 | os.ModeSticky, func(path string) error {
			if err := os.Symlink(path+".elsewhere", path); err != nil {
				return err
			}
			return os.Lchown(path, stranger, stranger)
		}, "symbolic link that user 61002 put"},
		{"an own link", 0o777 | os.ModeSticky, func(path string) error {
			if err := os.Symlink(path+".elsewhere", path); err != nil {
				return err
			}
			return os.Lchown(path, victim, victim)
		}, "replace: <nil>"},
	} {
		dir := openFolder(t, c.folder)
		path := filepath.Join(dir, "credentials")
		if err := c.plant(path); err != nil {
			t.Fatal(err)
		}
		text := replaceAs(t, victim, path)
		if !strings.Contains(text, c.want) {
			t.Errorf("%s: %s", c.name, text)
		}
		data, _ := os.ReadFile(path)
		if c.want != "replace: <nil>" && strings.Contains(string(data), "c4n4ry") {
			t.Errorf("%s: written all the same", c.name)
		}
	}
}

func planted(path string, owner int, mode os.FileMode) error {
	if err := os.WriteFile(path, nil, mode); err != nil {
		return err
	}
	if err := os.Chmod(path, mode); err != nil {
		return err
	}
	return os.Chown(path, owner, 61001)
}

// openFolder is a folder with a mode of its own, which other users can reach.
func openFolder(t *testing.T, mode os.FileMode) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "crossrole-strangers-") //nolint:usetesting // other users must be able to reach it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, mode); err != nil {
		t.Fatal(err)
	}
	return dir
}

// replaceAs replaces a file as another user, by a copy of this test that they can reach.
func replaceAs(t *testing.T, uid int, path string) string {
	t.Helper()
	dir := openFolder(t, 0o755)
	program := filepath.Join(dir, "test")
	data, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, data, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "-test.run=^TestWhatStrangersPlantIsRefused$")
	cmd.Dir, cmd.Env = "/", []string{"CROSSROLE_TEST_REPLACE=" + path, "GORACE=atexit_sleep_ms=0"}
	become(cmd, uid)
	out, _ := cmd.CombinedOutput()
	return string(out)
}

func become(cmd *exec.Cmd, uid int) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
}
