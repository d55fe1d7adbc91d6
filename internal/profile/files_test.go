package profile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"crossrole/internal/disk"
)

func TestDefaultFiles(t *testing.T) {
	env := map[string]string{"X": "/x", "HOME": "/ignored"}
	lookup := func(name string) string { return env[name] }
	for _, c := range []struct{ variable, home, want string }{
		{"", "/h", "/h/.aws/config"},
		{"/etc/config", "/h", "/etc/config"},
		{"~/config", "/h", "/h/config"},
		{"~", "/h", "/h"},
		{"$X/config", "/h", "/x/config"},
		{"${X}/config", "/h", "/x/config"},
		{"$NOPE/${NOPE}/$/${", "/h", "$NOPE/${NOPE}/$/${"},
		{"rel/~", "/h", "rel/~"},
		{"/etc/config", "", "/etc/config"},
	} {
		env["AWS_CONFIG_FILE"], env["AWS_SHARED_CREDENTIALS_FILE"] = c.variable, "/c"
		files, err := DefaultFiles(lookup, filepath.FromSlash(c.home))
		if err != nil || filepath.ToSlash(files.Config) != c.want || files.Credentials != "/c" {
			t.Errorf("%q with home %q: %+v, %v; want %q", c.variable, c.home, files, err, c.want)
		}
	}
	for _, variable := range []string{"", "~/config"} {
		env["AWS_CONFIG_FILE"] = variable
		if _, err := DefaultFiles(lookup, ""); !anyAs[*HomeError](err) {
			t.Errorf("%q without a home: %v", variable, err)
		}
	}
	env["AWS_CONFIG_FILE"] = "~other/config"
	if _, err := DefaultFiles(lookup, "/h"); !anyAs[*FileError](err) {
		t.Errorf("another user's home: %v", err)
	}
}

func TestLoadRefuses(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	big := file("big", "")
	if err := os.Truncate(big, MaxFileSize+1); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]error{
		dir:                               ErrIsDirectory,
		big:                               ErrTooLarge,
		file("zero", "[profile a]\n\x00"): ErrNUL,
		file("utf16", "\xff\xfe[\x00"):    ErrUTF16,
	} {
		for _, files := range []Files{{Config: path}, {Credentials: path}} {
			_, err := Load(files, noEnv)
			e, ok := errors.AsType[*FileError](err)
			if !ok || !errors.Is(err, want) || e.Path != path || !IsConfiguration(err) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%+v: %v, want %v", files, err, want)
			}
		}
	}
	for _, path := range []string{"", filepath.Join(dir, "none"), filepath.Join(big, "below"), os.DevNull} {
		if s, err := Load(Files{Config: path, Credentials: path}, noEnv); err != nil || len(s.Names()) != 0 {
			t.Errorf("%q: %v", path, err)
		}
	}
}

func TestLoadUnreadable(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes don't keep readers out on Windows")
	}
	// Nobody, root included, reads a link that leads to itself.
	path := filepath.Join(t.TempDir(), "round")
	if err := os.Symlink(path, path); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(Files{Config: path}, noEnv); !anyAs[*FileError](err) {
		t.Errorf("a link to itself: %v", err)
	}
	locked := filepath.Join(t.TempDir(), "locked")
	if err := os.WriteFile(locked, []byte("[profile a]\n"), 0o000); err != nil {
		t.Fatal(err)
	}
	_, err := Load(Files{Config: locked}, noEnv)
	if os.Geteuid() == 0 {
		if err != nil {
			t.Errorf("root can't read: %v", err)
		}
		return
	}
	if !errors.Is(err, fs.ErrPermission) {
		t.Errorf("mode 0: %v", err)
	}
}

// A file of 50 MB is read, and quickly enough.
func TestLoadLarge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config")
	text := "[profile a]\nregion = r\n" + strings.Repeat("# "+strings.Repeat("x", 1022)+"\n", 50<<10) + "[profile z]\nregion = q\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Load(Files{Config: path}, noEnv)
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Profile("z")
	if err != nil || p.Get("region").Origin.Line != 50<<10+4 {
		t.Errorf("%+v, %v", p, err)
	}
}

// Hostile shapes must not take more than linear time: quadratic ones would not
// come to an end here.
func TestLoadHostileShapes(t *testing.T) {
	const n = 200_000
	for _, text := range map[string]string{
		"indented brackets":  "[profile a]\nx = 1\n" + strings.Repeat("  [b\n", n),
		"brackets in a line": "[profile a]\n" + strings.Repeat("[", n),
		"blanks":             "[profile a]\n" + strings.Repeat(" ", n) + "[",
		"one section, again": strings.Repeat("[profile a]\n", n/10),
		"broken headers":     strings.Repeat("[profile a\n", n/10),
		"DEFAULT":            strings.Repeat("[DEFAULT]\n", n/10) + "[profile a]\n",
	} {
		s := load(t, text, "")
		_, _ = s.Resolve("a")
		s.Problems()
	}
}

func TestDependsOn(t *testing.T) {
	s := load(t, "[profile a]\n", "")
	if err := os.Remove(s.Files().Credentials); err != nil {
		t.Fatal(err)
	}
	check := func(want ...bool) {
		t.Helper()
		for i, id := range s.DependsOn() {
			now, err := disk.Identify(id.Path)
			if err != nil || (now == id) != want[i] {
				t.Errorf("%s: unchanged is %v, want %v (%v)", id.Path, now == id, want[i], err)
			}
		}
	}
	check(true, false)
	again, err := Load(s.Files(), noEnv)
	if err != nil {
		t.Fatal(err)
	}
	s = again
	check(true, true)
	// Same size, and the old time put back: the identity still tells.
	info, err := os.Stat(s.Files().Config)
	if err != nil {
		t.Fatal(err)
	}
	other := s.Files().Config + ".new"
	if err := os.WriteFile(other, []byte("[profile b]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(other, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(other, s.Files().Config); err != nil {
		t.Fatal(err)
	}
	check(runtime.GOOS == "windows", true)
}
