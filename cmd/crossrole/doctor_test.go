package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// doctorSays runs doctor in a home with the given files, and gives its report
// and its exit code.
func doctorSays(t *testing.T, files map[string]string, environ map[string]string, args ...string) (report, int) {
	t.Helper()
	home := t.TempDir()
	for name, text := range files {
		path := filepath.Join(home, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return doctorAt(t, home, environ, args...)
}

func doctorAt(t *testing.T, home string, environ map[string]string, args ...string) (report, int) {
	t.Helper()
	var out, errs bytes.Buffer
	a := newApp()
	a.out, a.err = &out, &errs
	vars := map[string]string{"HOME": home, "USERPROFILE": home, "CROSSROLE_CACHE": "file", "CROSSROLE_CACHE_DIR": filepath.Join(home, "cache")}
	for name, text := range environ {
		vars[name] = text
	}
	a.getenv = func(name string) string { return vars[name] }
	a.environ = func() []string {
		var list []string
		for name, text := range vars {
			list = append(list, name+"="+text)
		}
		return list
	}
	a.outIsTerminal = func() bool { return false }
	code := execute(t.Context(), a, append([]string{"doctor", "--format", "json"}, args...))
	var r report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("%v: %s%s", err, out.String(), errs.String())
	}
	if strings.Contains(out.String()+errs.String(), "canary") {
		t.Errorf("a secret is shown: %s%s", out.String(), errs.String())
	}
	if (code == exitDone) != r.OK || errs.Len() > 0 {
		t.Errorf("exit %d, ok %v, stderr %q", code, r.OK, errs.String())
	}
	return r, code
}

func (r report) has(kind string, l level) bool {
	for _, f := range r.Findings {
		if f.Kind == kind && f.Level == l {
			return true
		}
	}
	return false
}

func TestDoctorAndTheClock(t *testing.T) {
	for name, tt := range map[string]struct {
		off  time.Duration
		want level
	}{"right": {0, levelOK}, "ahead": {-10 * time.Minute, levelWrong}, "behind": {time.Hour, levelWrong}, "a little": {-10 * time.Second, levelOK}} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", time.Now().UTC().Add(tt.off).Format(http.TimeFormat))
		}))
		r, _ := doctorSays(t, nil, map[string]string{"AWS_ENDPOINT_URL_STS": server.URL})
		if !r.has("clock", tt.want) {
			t.Errorf("%s: %v", name, r.Findings)
		}
		server.Close()
	}
	// Nobody answers: that is no fault of the clock.
	r, _ := doctorSays(t, nil, map[string]string{"AWS_ENDPOINT_URL_STS": "http://127.0.0.1:1"})
	if !r.has("clock", levelNote) {
		t.Errorf("without a network: %v", r.Findings)
	}
}

const keysFile = "[me]\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = canarySecret\n"

// A key in a file that was not changed for a hundred days is a hundred days old.
func TestDoctorAndOldKeys(t *testing.T) {
	home := t.TempDir()
	path := filepath.Join(home, ".aws", "credentials")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(keysFile), 0o600); err != nil {
		t.Fatal(err)
	}
	if r, code := doctorAt(t, home, nil, "--offline"); !r.has("key_age", levelNote) || code != exitDone {
		t.Errorf("a file of today: %v", r.Findings)
	}
	then := time.Now().Add(-100 * 24 * time.Hour)
	if err := os.Chtimes(path, then, then); err != nil {
		t.Fatal(err)
	}
	if r, code := doctorAt(t, home, nil, "--offline"); !r.has("key_age", levelWrong) || code != exitFailed {
		t.Errorf("a file of long ago: %v", r.Findings)
	}
}

func TestDoctorAndModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no modes")
	}
	home := t.TempDir()
	for name, mode := range map[string]os.FileMode{
		".aws/credentials": 0o640, ".aws/config": 0o644, ".aws/sso/cache/x.json": 0o644, ".aws/cli/cache/y.json": 0o600, "cache/sessions/z": 0o600,
	} {
		path := filepath.Join(home, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		text := ""
		if name == ".aws/credentials" {
			text = keysFile
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{".aws", "cache"} {
		if err := os.Chmod(filepath.Join(home, name), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	before, code := doctorAt(t, home, nil, "--offline")
	if code != exitFailed {
		t.Errorf("exit %d", code)
	}
	wrong := map[string]bool{}
	for _, f := range before.Findings {
		if f.Level == levelWrong && f.Fix != "" {
			wrong[strings.TrimPrefix(f.File, home+"/")] = true
		}
	}
	for _, name := range []string{".aws/credentials", ".aws/sso/cache/x.json", ".aws", "cache"} {
		if !wrong[name] {
			t.Errorf("nothing is said of %s: %v", name, wrong)
		}
	}
	if wrong[".aws/cli/cache/y.json"] {
		t.Error("a file of mode 0600 is called wrong")
	}
	if r, code := doctorAt(t, home, nil, "--offline", "--fix"); code != exitDone {
		t.Errorf("after --fix: %v", r.Findings)
	}
	for name, want := range map[string]os.FileMode{".aws/credentials": 0o600, ".aws/sso/cache/x.json": 0o600, ".aws": 0o755, "cache": 0o700} {
		info, err := os.Stat(filepath.Join(home, name))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v (%v), want %v", name, info.Mode(), err, want)
		}
	}
	if r, code := doctorAt(t, home, nil, "--offline"); code != exitDone {
		t.Errorf("later: %v", r.Findings)
	}
}

func TestDoctorGoesOnWithoutFiles(t *testing.T) {
	for name, environ := range map[string]map[string]string{
		"no home":       {"HOME": "", "USERPROFILE": ""},
		"a folder":      {"AWS_CONFIG_FILE": t.TempDir()},
		"empty profile": {"AWS_PROFILE": ""},
		"bad cache":     {"CROSSROLE_CACHE": "nonsense"},
	} {
		r, code := doctorSays(t, nil, environ, "--offline")
		if code != exitFailed || !r.has("clock", levelNote) {
			t.Errorf("%s: exit %d, %v", name, code, r.Findings)
		}
	}
}

// A folder that is a link is not mended by changing what it leads to.
func TestDoctorMendsNoLink(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links need rights on Windows")
	}
	home, elsewhere := t.TempDir(), t.TempDir()
	if err := os.Chmod(elsewhere, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(elsewhere, filepath.Join(home, "cache")); err != nil {
		t.Fatal(err)
	}
	r, code := doctorAt(t, home, nil, "--offline", "--fix")
	if code != exitFailed || !r.has("cache_folder", levelWrong) {
		t.Errorf("exit %d, %v", code, r.Findings)
	}
	if info, err := os.Stat(elsewhere); err != nil || info.Mode().Perm() != 0o777 {
		t.Errorf("the target's mode was changed: %v, %v", info, err)
	}
}

func TestFirstWord(t *testing.T) {
	for command, want := range map[string]string{
		"crossrole assume x": "crossrole", `"/a b/c" d`: "/a b/c", "'/a b/c'": "/a b/c", "  x": "x", "": "", `"open`: "open",
	} {
		if got := firstWord(command); got != want {
			t.Errorf("firstWord(%q) = %q, want %q", command, got, want)
		}
	}
}
