//go:build unix

package each

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A journal that can't be written is told once, and what has no end is none.
func TestJournalThatCannotBeWritten(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full on this system")
	}
	file, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	j := &Journal{file: file}
	if err := j.add(&outcome{}); err == nil || !strings.Contains(err.Error(), "writing the journal") {
		t.Errorf("%v", err)
	}
	if err := j.add(&outcome{}); err != nil {
		t.Errorf("told again: %v", err)
	}
	var config *ConfigError
	if _, err := ReadJournal("/dev/zero"); !errors.As(err, &config) {
		t.Errorf("/dev/zero: %v", err)
	}
}

// A journal, and its lock, that somebody else could have written or made lead
// elsewhere is refused, at once and untouched.
func TestJournalOfOthersIsRefused(t *testing.T) {
	const record = `{"profile":"p","exit_code":0}` + "\n"
	for _, c := range []struct {
		name string
		put  func(path string) error
		says string
	}{
		{"link", func(path string) error {
			return errors.Join(os.WriteFile(path+".real", []byte(record), 0o600), os.Symlink(path+".real", path))
		}, "is a symbolic link"},
		{"dangling link", func(path string) error { return os.Symlink(path+".nowhere", path) }, "is a symbolic link"},
		{"FIFO", func(path string) error { return syscall.Mkfifo(path, 0o600) }, "is no regular file"},
		{"folder", func(path string) error { return os.Mkdir(path, 0o700) }, "is no regular file"},
		{"link to a device", func(path string) error { return os.Symlink("/dev/zero", path) }, "is a symbolic link"},
		{"group's", func(path string) error {
			return errors.Join(os.WriteFile(path, []byte(record), 0o600), os.Chmod(path, 0o620))
		}, "may be written by others (mode 620)"},
		{"everybody's", func(path string) error {
			return errors.Join(os.WriteFile(path, nil, 0o600), os.Chmod(path, 0o602))
		}, "may be written by others (mode 602)"},
	} {
		for _, suffix := range []string{"", ".lock"} {
			t.Run(c.name+suffix, func(t *testing.T) {
				dir := t.TempDir()
				path := filepath.Join(dir, "j")
				if err := c.put(path + suffix); err != nil {
					t.Fatal(err)
				}
				before, _ := os.ReadDir(dir)
				refused(t, path+suffix, c.says, func() error { return close2(OpenJournal(path)) })
				if suffix == "" {
					refused(t, path, c.says, func() error { _, err := ReadJournal(path); return err })
				}
				if after, _ := os.ReadDir(dir); len(after) != len(before) {
					t.Errorf("left behind: %v", after)
				}
				if raw, err := os.ReadFile(path + ".real"); err == nil && string(raw) != record {
					t.Errorf("written through the link: %q", raw)
				}
			})
		}
	}
}

func close2(j *Journal, err error) error {
	if err == nil {
		err = j.Close()
	}
	return err
}

// refused wants a *ConfigError about a file, soon.
func refused(t *testing.T, path, says string, open func() error) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- open() }()
	select {
	case err := <-done:
		var config *ConfigError
		if !errors.As(err, &config) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), says) || len(config.Hints()) == 0 {
			t.Errorf("%v (hints %v), want %q", err, config, says)
		}
	case <-time.After(5 * time.Second):
		t.Error("it hangs")
	}
}

// Whose a file is: ours and root's are good, anybody else's is not.
func TestJournalOwners(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	owner := os.Geteuid()
	if owner == 0 {
		owner = 65534
		if err := os.Chown(path, owner, -1); err != nil {
			t.Fatal(err)
		}
		refused(t, path, "belongs to another user (65534)", func() error { return close2(OpenJournal(path)) })
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if why := othersIn(info, owner); why != "" {
		t.Errorf("one's own: %s", why)
	}
	if why := othersIn(info, owner+1); !strings.Contains(why, "belongs to another user") {
		t.Errorf("another's: %q", why)
	}
	if info, err = os.Stat("/"); err != nil {
		t.Fatal(err)
	}
	if why := othersIn(info, owner); info.Mode().Perm()&0o022 == 0 && why != "" {
		t.Errorf("root's: %s", why)
	}
}

// A new journal and its lock are for the owner alone.
func TestJournalIsPrivate(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	dir := t.TempDir()
	j, err := OpenJournal(filepath.Join(dir, "j"))
	if err != nil {
		t.Fatal(err)
	}
	entries, _ := os.ReadDir(dir)
	names := []string{}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", e.Name(), info.Mode(), err)
		}
		names = append(names, e.Name())
	}
	if !slices.Equal(names, []string{"j", "j.lock"}) {
		t.Errorf("%v", names)
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
}

// What is put there between the look and the opening is neither followed nor
// waited for.
func TestOpeningFollowsAndWaitsForNothing(t *testing.T) {
	dir := t.TempDir()
	link, fifo := filepath.Join(dir, "link"), filepath.Join(dir, "fifo")
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "file"), nil, 0o600), os.Symlink("file", link), syscall.Mkfifo(fifo, 0o600)); err != nil {
		t.Fatal(err)
	}
	if f, err := os.OpenFile(link, os.O_RDONLY|ours, 0); err == nil {
		t.Errorf("the link was followed to %s", f.Name())
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if f, err := os.OpenFile(fifo, os.O_RDONLY|ours, 0); err == nil {
			_ = f.Close()
		}
	}()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		t.Error("it waits for a writer")
	}
}
