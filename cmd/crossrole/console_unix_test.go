//go:build unix

package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"crossrole/internal/localsts"
)

// fakeBrowsers puts programs on the PATH that note what they were started with.
func fakeBrowsers(t *testing.T, names ...string) (log string) {
	t.Helper()
	dir := t.TempDir()
	log = filepath.Join(dir, "log")
	for _, name := range names {
		script := "#!/bin/sh\nprintf '%s\\n' \"$@\" > " + log + ".part && mv " + log + ".part " + log + "\n"
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	return log
}

// started waits for a browser and gives its arguments.
func started(t *testing.T, log string, p *launched) string {
	t.Helper()
	for range 500 {
		if text, err := os.ReadFile(log); err == nil {
			return strings.TrimSpace(string(text))
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("no browser was started\n%s", p.stderr)
	return ""
}

// goTo is what a browser does with an address, up to the first redirect.
func goTo(t *testing.T, address string, change func(*http.Request)) (status int, location string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(req)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode, resp.Header.Get("Location")
}

// The browser's command line, which everybody on the machine can read, leads to
// the sign-in once; the sign-in itself is not on it.
func TestConsoleOpens(t *testing.T) {
	s := setStage(t, localsts.Options{})
	log := fakeBrowsers(t, "xdg-open", "open")
	p := launch(t, s, "console", "open", "--open", "--debug")
	address := started(t, log, p)
	if !strings.HasPrefix(address, "http://127.0.0.1:") || s.leak(address) || strings.Contains(address, "\n") {
		t.Errorf("the browser was started with %q", address)
	}
	for name, wrong := range map[string]func(*http.Request){
		"other path": func(r *http.Request) { r.URL.Path = "/" },
		"other host": func(r *http.Request) { r.Host = "evil.example" },
		"post":       func(r *http.Request) { r.Method = http.MethodPost },
	} {
		if status, location := goTo(t, address, wrong); status != http.StatusGone || location != "" {
			t.Errorf("%s: %d, %q", name, status, location)
		}
	}
	status, location := goTo(t, address, nil)
	if status != http.StatusSeeOther || !strings.HasPrefix(location, s.federation.URL+"/federation?Action=login&") || !s.leak(location) {
		t.Errorf("%d to %s", status, location)
	}
	if code := p.exit(t); code != 0 {
		t.Errorf("exit %d\n%s", code, p.stderr)
	}
	if s.leak(p.stderr.String()) {
		t.Errorf("a secret on stderr:\n%s", p.stderr)
	}
}

func TestConsoleAddressWorksOnce(t *testing.T) {
	door := &oneDoor{path: "/x", address: "https://example.com/secret", passed: make(chan struct{})}
	server := httptest.NewServer(door)
	defer server.Close()
	door.host = server.Listener.Addr().String()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	hits := map[int]int{}
	for range 3 {
		res, err := client.Get(server.URL + "/x")
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		hits[res.StatusCode]++
	}
	if hits[http.StatusSeeOther] != 1 || hits[http.StatusGone] != 2 {
		t.Errorf("%v", hits)
	}
}

func TestConsoleBrowserProfile(t *testing.T) {
	s := setStage(t, localsts.Options{})
	log := fakeBrowsers(t, "firefox", "google-chrome")
	for profile, want := range map[string]string{
		"firefox:my prod&x": "ext+container:name=my%20prod%26x&url=http%3A%2F%2F127.0.0.1%3A",
		"work":              "ext+container:name=work&url=http%3A%2F%2F127.0.0.1%3A",
		"chrome:Profile 1":  "--profile-directory=Profile 1\nhttp://127.0.0.1:",
	} {
		p := launch(t, s, "console", "open", "--browser-profile", profile)
		if got := started(t, log, p); !strings.HasPrefix(got, want) || s.leak(got) {
			t.Errorf("%s: started with %q", profile, got)
		}
		_ = p.Process.Kill()
		_ = p.exit(t)
		_ = os.Remove(log)
	}
	for _, args := range [][]string{{"console", "open", "--browser-profile", "edge:x"}, {"console", "open", "--browser-profile", "firefox:"}} {
		p := launch(t, s, args...)
		if code := p.exit(t); code == 0 || strings.Contains(p.stderr.String(), "panic") {
			t.Errorf("%v: exit %d\n%s", args, code, p.stderr)
		}
	}
	if n := s.server.Count("AssumeRole"); n > 3 {
		t.Errorf("a session was made for a browser that is not there: %d calls", n)
	}
}
