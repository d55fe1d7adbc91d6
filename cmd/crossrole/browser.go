package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	standard "github.com/cli/browser"

	"crossrole/internal/credserver"
)

// browser opens an address that is no secret: it shows in the process list.
type browser func(ctx context.Context, address string) error

// browserWait is how long a browser may take to come up and fetch the address.
const browserWait = time.Minute

// families are the browsers that --browser-profile knows, in the order in which
// they are looked for.
var families = []struct {
	name      string
	container bool // profiles are containers of an extension
	unix      []string
	darwin    string
	windows   string // below Program Files
}{
	{"firefox", true, []string{"firefox", "firefox-esr", "librewolf"}, "/Applications/Firefox.app/Contents/MacOS/firefox", `Mozilla Firefox\firefox.exe`},
	{"chrome", false, []string{"google-chrome", "google-chrome-stable"}, "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome", `Google\Chrome\Application\chrome.exe`},
	{"chromium", false, []string{"chromium", "chromium-browser"}, "/Applications/Chromium.app/Contents/MacOS/Chromium", `Chromium\Application\chrome.exe`},
	{"brave", false, []string{"brave-browser", "brave"}, "/Applications/Brave Browser.app/Contents/MacOS/Brave Browser", `BraveSoftware\Brave-Browser\Application\brave.exe`},
	{"edge", false, []string{"microsoft-edge", "microsoft-edge-stable"}, "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge", `Microsoft\Edge\Application\msedge.exe`},
}

// browser is the standard one, or the one that has the profile.
func (a *app) browser(profile string) (browser, error) {
	if profile == "" {
		return func(_ context.Context, address string) error {
			standard.Stdout, standard.Stderr = a.err, a.err
			return withHints(standard.OpenURL(address), "--print prints the address instead")
		}, nil
	}
	program, arguments, err := findBrowser(profile, a.installed(runtime.GOOS))
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, address string) error {
		// Not CommandContext: the browser stays when we go.
		cmd := exec.Command(program, arguments(address)...) //nolint:noctx // see above
		cmd.SysProcAttr = detached()
		if err := cmd.Start(); err != nil {
			return fmt.Errorf("start the browser: %w", err)
		}
		return cmd.Process.Release()
	}, nil
}

// installed finds a browser's program; "" is none.
func (a *app) installed(goos string) func(family int) string {
	return func(i int) string {
		var candidates []string
		switch goos {
		case "darwin":
			candidates = []string{families[i].darwin}
		case "windows":
			for _, root := range []string{"ProgramFiles", "ProgramFiles(x86)", "LocalAppData"} {
				if dir := a.getenv(root); dir != "" {
					candidates = append(candidates, filepath.Join(dir, families[i].windows))
				}
			}
		}
		for _, name := range append(candidates, families[i].unix...) {
			if path, err := exec.LookPath(name); err == nil {
				return path
			}
		}
		return ""
	}
}

// findBrowser reads FAMILY:NAME, or NAME for whatever browser is there.
func findBrowser(profile string, installed func(family int) string) (program string, arguments func(string) []string, err error) {
	family, name, hasFamily := strings.Cut(profile, ":")
	if !hasFamily {
		family, name = "", profile
	}
	if name == "" {
		return "", nil, usagef("--browser-profile %s names no profile", strconv.Quote(profile))
	}
	known := false
	for i, f := range families {
		if family != "" && family != f.name {
			continue
		}
		known = true
		if program := installed(i); program != "" {
			return program, browserArguments(f.container, name), nil
		}
	}
	if !known {
		return "", nil, usagef("--browser-profile %s: the browser is one of firefox, chrome, chromium, brave, edge", strconv.Quote(profile))
	}
	return "", nil, withHints(fmt.Errorf("no browser for --browser-profile %s is installed", strconv.Quote(profile)), "--print prints the address instead")
}

func browserArguments(container bool, name string) func(string) []string {
	if container {
		return func(address string) []string {
			return []string{"ext+container:name=" + percent(name) + "&url=" + percent(address)}
		}
	}
	return func(address string) []string { return []string{"--profile-directory=" + name, address} }
}

// percent encodes a value for an address that is not read as a form: a blank is
// %20 there, and + is a plus.
func percent(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }

// openSecretly opens an address that must not appear in the process list, where
// every user of the machine sees what a browser was started with. The browser
// gets a loopback address that leads to it once, and only this user.
func (a *app) openSecretly(ctx context.Context, address string, open browser) error {
	ln, err := credserver.Listen(ctx, 0)
	if err != nil {
		return err
	}
	door := &oneDoor{path: "/" + rand.Text(), host: ln.Addr().String(), address: address, passed: make(chan struct{})}
	server := &http.Server{Handler: door, ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second, MaxHeaderBytes: 16 << 10}
	go func() { _ = server.Serve(ln) }() // ends with Shutdown
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = server.Shutdown(end)
	}()
	failed := make(chan error, 1)
	go func() { // some openers return only when the browser is closed
		if err := open(ctx, "http://"+door.host+door.path); err != nil {
			failed <- err
		}
	}()
	a.say("opening the console in the browser")
	select {
	case <-door.passed:
		return nil
	case err := <-failed:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(browserWait):
		return withHints(errors.New("the browser did not come for the address within "+browserWait.String()), "--print prints the address instead")
	}
}

// oneDoor sends the first who comes by its path on to an address.
type oneDoor struct {
	path, host, address string
	passed              chan struct{} // closed when somebody went
	used                atomic.Bool
}

// ServeHTTP sends the browser on, and says nothing to anybody else.
func (d *oneDoor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Connection", "close")
	if r.Host != d.host || r.URL.Path != d.path || r.Method != http.MethodGet || !mayPass(r) || !d.used.CompareAndSwap(false, true) {
		w.WriteHeader(http.StatusGone)
		_, _ = io.WriteString(w, "crossrole: this address works once\n")
		return
	}
	http.Redirect(w, r, d.address, http.StatusSeeOther)
	close(d.passed)
}

// mayPass keeps other users of this machine out, as far as it can tell whose a
// connection is: they may have read the path in the process list.
func mayPass(r *http.Request) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return false
	}
	uid, known := peerUser(r.RemoteAddr, local.String())
	// Root could read our memory anyway, and relays of a virtual machine run as root.
	return !known || uid == 0 || uid == os.Getuid()
}
