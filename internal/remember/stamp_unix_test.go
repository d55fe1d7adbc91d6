//go:build unix

package remember

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestEveryChangeOfAFileShows(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "config")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	old := time.Now().Add(-time.Hour)
	for name, change := range map[string]func(){
		"edited in place":        func() { write(path, "after!!") },
		"edited, times put back": func() { write(path, "bEfore"); do(os.Chtimes(path, old, old)) },
		"replaced": func() {
			write(path+".new", "before")
			do(os.Chtimes(path+".new", old, old))
			do(os.Rename(path+".new", path))
		},
		"touched":       func() { do(os.Chtimes(path, old, old.Add(time.Nanosecond))) },
		"removed":       func() { do(os.Remove(path)) },
		"now a link":    func() { do(os.Remove(path)); write(path+".2", "before"); do(os.Symlink(path+".2", path)) },
		"now a folder":  func() { do(os.Remove(path)); do(os.Mkdir(path, 0o700)) },
		"a link's text": func() { do(os.Remove(path)); do(os.Symlink("nowhere", path)) },
	} {
		do(os.RemoveAll(path))
		write(path, "before")
		do(os.Chtimes(path, old, old))
		stamp, err := Take(path)
		do(err)
		if !stamp.Same() {
			t.Errorf("%s: changed before it was", name)
		}
		time.Sleep(12 * time.Millisecond) // a tick of the kernel's clock
		change()
		if stamp.Same() {
			t.Errorf("%s: not seen", name)
		}
	}
}

func TestAFileThatComesShows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "credentials")
	stamp, err := Take(path)
	if err != nil || !stamp.Missing || !stamp.Same() {
		t.Fatalf("got %+v, %v", stamp, err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if stamp.Same() {
		t.Error("not seen")
	}
	if below, err := Take(filepath.Join(path, "x")); err != nil || !below.Missing {
		t.Errorf("below a file: %+v, %v", below, err)
	}
}

func TestSettled(t *testing.T) {
	at := func(d time.Duration) int64 { return noon.Add(d).UnixNano() }
	for _, c := range []struct {
		name  string
		stamp Stamp
		want  bool
	}{
		{"long ago", Stamp{Mtime: at(-time.Hour + 1), Ctime: at(-time.Hour)}, true},
		{"within the clock's grain", Stamp{Mtime: at(-10*time.Millisecond + 1), Ctime: at(-10 * time.Millisecond)}, false},
		{"its times were put back just now", Stamp{Mtime: at(-time.Hour + 1), Ctime: at(-time.Millisecond)}, false},
		{"whole seconds, one ago", Stamp{Mtime: at(-time.Second), Ctime: at(-time.Second)}, false},
		{"whole seconds, three ago", Stamp{Mtime: at(-3 * time.Second), Ctime: at(-3 * time.Second)}, true},
		{"from the future", Stamp{Mtime: at(time.Hour + 1), Ctime: at(time.Hour)}, false},
		{"not there", Stamp{Missing: true}, true},
	} {
		if got := c.stamp.Settled(noon); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
