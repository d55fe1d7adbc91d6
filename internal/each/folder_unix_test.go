//go:build unix

package each

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What somebody planted in the output folder is replaced: neither is a link followed, nor does a file that others can read
// get the output.
func TestOutputFilesAreMadeNew(t *testing.T) {
	dir := t.TempDir()
	precious := filepath.Join(dir, "precious")
	for _, name := range []string{precious, filepath.Join(dir, "open.out")} {
		if err := os.WriteFile(name, []byte("as it was"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(precious, filepath.Join(dir, "link.out")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"open.out", "link.out", "none.out"} {
		f, err := openOutput(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString("output"); err != nil {
			t.Fatal(err)
		}
		if info, err := f.Stat(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
		_ = f.Close()
	}
	if data, err := os.ReadFile(precious); err != nil || string(data) != "as it was" {
		t.Errorf("the link's target holds %q, %v", data, err)
	}
}

// A full disk is that account's failure, whether its command minds or not, and
// no other's.
func TestFullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full on this system")
	}
	for _, script := range []string{"echo text || exit 3", "echo text; exit 0"} {
		dir, list := t.TempDir(), targets(3, nil)
		s, err := newInFolder(dir, list)
		if err != nil {
			t.Fatal(err)
		}
		s.make = func(name string) (*os.File, error) {
			if filepath.Base(name) == "p001.out" {
				return os.OpenFile("/dev/full", os.O_WRONLY, 0)
			}
			return openOutput(name)
		}
		o := Options{
			Command: []string{"sh", "-c", script}, Path: os.Getenv("PATH"), Environ: []string{"PATH=" + os.Getenv("PATH")},
			Judge: judgeTest, Interrupted: errInterrupted, Now: time.Now,
		}
		ended := 0
		k, release := newKeeper(t.Context(), &o, func(r *outcome) {
			ended++
			want := codeDone
			if r.index == 1 {
				want = codeFailed
			}
			if r.code != want || (r.index == 1) != (r.err != nil && strings.Contains(r.err.Error(), "no space left")) {
				t.Errorf("%q, %s: code %d, %v", script, r.target.Profile, r.code, r.err)
			}
		})
		(&crew{o: &o, sink: s}).work(t.Context(), list, k)
		release()
		raw, err := os.ReadFile(filepath.Join(dir, "p002.out"))
		if ended != 3 || err != nil || string(raw) != "text\n" {
			t.Errorf("%d ended; %q, %v", ended, raw, err)
		}
	}
}
