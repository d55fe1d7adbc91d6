//go:build unix

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"crossrole/internal/localsts"
)

// launched is crossrole as others see it.
type launched struct {
	*exec.Cmd
	out    *bufio.Reader
	stderr *lockedBuffer
	home   string
}

// launch starts crossrole on a stage, and kills it at the test's end.
func launch(t *testing.T, s *stage, args ...string) *launched {
	t.Helper()
	return launchWith(t, s, nil, args...)
}

// launchWith adds to the environment.
func launchWith(t *testing.T, s *stage, more []string, args ...string) *launched {
	t.Helper()
	home := t.TempDir()
	env, err := s.environment(home)
	if err != nil {
		t.Fatal(err)
	}
	p := &launched{Cmd: exec.Command("crossrole", args...), stderr: new(lockedBuffer), home: home}
	p.Env, p.Stderr = append(env, more...), p.stderr
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewReader(out)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Process.Kill() })
	return p
}

// exit waits for the end and gives the exit status.
func (p *launched) exit(t *testing.T) int {
	t.Helper()
	_, _ = io.Copy(io.Discard, p.out)
	err := p.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return p.ProcessState.ExitCode()
}

// client is what serve printed for one.
type client struct{ text, uri, token, file string }

// readClient reads the lines of serve up to the last, which unsets.
func readClient(t *testing.T, p *launched) client {
	t.Helper()
	var c client
	for !strings.Contains(c.text, "unset AWS_CONTAINER_AUTHORIZATION_TOKEN\n") {
		line, err := p.out.ReadString('\n')
		if err != nil {
			t.Fatalf("serve: %v\n%s", err, p.stderr)
		}
		c.text += line
		if v, ok := strings.CutPrefix(line, "export AWS_CONTAINER_CREDENTIALS_FULL_URI="); ok {
			c.uri = strings.TrimSpace(v)
		}
		if v, ok := strings.CutPrefix(line, "export AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE="); ok {
			c.file = strings.TrimSpace(v)
		}
	}
	token, err := os.ReadFile(c.file)
	if err != nil {
		t.Fatal(err)
	}
	c.token = string(token)
	return c
}

type served struct {
	status                                                  int
	Code                                                    string
	AccessKeyID, SecretAccessKey, Token, AccountID, RoleARN string
	Expiration                                              time.Time
}

func fetch(address, token, host string) (served, error) {
	req, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		return served{}, err
	}
	req.Header.Set("Authorization", token)
	if host != "" {
		req.Host = host
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return served{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	a := served{status: resp.StatusCode}
	var body struct {
		AccessKeyId, SecretAccessKey, Token, AccountId, RoleArn, Code string
		Expiration                                                    time.Time
	}
	err = json.NewDecoder(resp.Body).Decode(&body)
	a.AccessKeyID, a.SecretAccessKey, a.Token, a.AccountID, a.RoleARN = body.AccessKeyId, body.SecretAccessKey, body.Token, body.AccountId, body.RoleArn
	a.Expiration, a.Code = body.Expiration, body.Code
	return a, err
}

func setStage(t *testing.T, opts localsts.Options) *stage {
	t.Helper()
	s, stop := newStage(t, opts)
	t.Cleanup(stop)
	return s
}

func TestServe(t *testing.T) {
	s := setStage(t, localsts.Options{})
	p := launch(t, s, "serve", "open", "A B", "me", "--debug")
	c := readClient(t, p)

	info, err := os.Stat(c.file)
	if err != nil || info.Mode().Perm() != 0o600 || len(c.token) < 32 || strings.ContainsAny(c.token, "\r\n ") {
		t.Errorf("token of %d characters, %v, %v", len(c.token), info.Mode(), err)
	}
	if info, err := os.Stat(filepath.Dir(c.file)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the token's folder: %v, %v", info.Mode(), err)
	}
	got, err := fetch(c.uri, c.token, "")
	if err != nil || got.status != 200 || got.AccountID != "222222222222" || got.RoleARN != "arn:aws:iam::222222222222:role/Open" ||
		!strings.HasPrefix(got.AccessKeyID, "ASIA") || time.Until(got.Expiration) < 50*time.Minute {
		t.Errorf("status %d, account %s, role %s, expires %s, %v", got.status, got.AccountID, got.RoleARN, got.Expiration, err)
	}
	base := strings.TrimSuffix(c.uri, "/open")
	if a, err := fetch(base+"/A%20B", c.token, ""); err != nil || a.status != 200 || a.AccessKeyID == got.AccessKeyID {
		t.Errorf("second profile: %d, %v", a.status, err)
	}
	if a, err := fetch(base+"/me", c.token, ""); err != nil || a.AccessKeyID != localsts.ExampleKeyID || a.Token != "" {
		t.Errorf("a user's own keys: %d %v", a.status, err)
	}
	if !strings.Contains(c.text, "\n# export AWS_CONTAINER_CREDENTIALS_FULL_URI="+base+"/A%20B\n") {
		t.Errorf("the second profile's address is not shown as a comment:\n%s", c.text)
	}
	for _, bad := range []struct{ token, host string }{{"", ""}, {"wrong", ""}, {c.token, "evil.example"}, {c.token, "host.docker.internal"}} {
		if a, err := fetch(c.uri, bad.token, bad.host); err != nil || a.status != 403 {
			t.Errorf("token %q, host %q: %d, %v", bad.token, bad.host, a.status, err)
		}
	}
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := p.exit(t); code != 0 {
		t.Errorf("exit %d\n%s", code, p.stderr)
	}
	if _, err := os.Stat(filepath.Dir(c.file)); !os.IsNotExist(err) {
		t.Errorf("the token's folder is left behind: %v", err)
	}
	if said := p.stderr.String(); s.leak(c.text+said) || strings.Contains(c.text+said, c.token) {
		t.Errorf("a secret was printed:\n%s%s", c.text, said)
	}
	if n := s.server.Count("AssumeRole"); n != 2 {
		t.Errorf("%d calls of AssumeRole for two roles", n)
	}
}

// The printed lines make a shell a client, whatever it had before.
func TestServeLinesSetUpAShell(t *testing.T) {
	s := setStage(t, localsts.Options{})
	p := launch(t, s, "serve", "open")
	c := readClient(t, p)
	shell := exec.Command("sh", "-c", c.text+"\nenv")
	shell.Env = []string{"PATH=" + os.Getenv("PATH"), "AWS_PROFILE=old", "AWS_ACCESS_KEY_ID=old", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/old"}
	out, err := shell.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, want := range []string{"AWS_CONTAINER_CREDENTIALS_FULL_URI=" + c.uri, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=" + c.file, "AWS_REGION=eu-central-1"} {
		if !strings.Contains(string(out), want+"\n") {
			t.Errorf("no %s in\n%s", want, out)
		}
	}
	if strings.Contains(string(out), "old") {
		t.Errorf("something old is left:\n%s", out)
	}
}

func TestServeDocker(t *testing.T) {
	s := setStage(t, localsts.Options{})
	p := launch(t, s, "serve", "A B", "--docker")
	line, err := p.out.ReadString('\n')
	if err != nil {
		t.Fatalf("%v\n%s", err, p.stderr)
	}
	// The line is for a shell: let one read it.
	words, err := exec.Command("sh", "-c", `for w in `+strings.TrimSpace(line)+`; do printf '%s\n' "$w"; done`).Output()
	if err != nil {
		t.Fatal(err)
	}
	args := strings.Split(strings.TrimSpace(string(words)), "\n")
	if len(args) < 6 || args[0] != "--network" || args[1] != "host" || args[2] != "-e" || args[4] != "--env-file" {
		t.Fatalf("options %q", args)
	}
	address, ok := strings.CutPrefix(args[3], "AWS_CONTAINER_CREDENTIALS_FULL_URI=")
	info, err := os.Stat(args[5])
	if !ok || err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%s, %v, %v", args[3], info, err)
	}
	file, err := os.ReadFile(args[5])
	if err != nil {
		t.Fatal(err)
	}
	token, ok := strings.CutPrefix(strings.TrimSuffix(string(file), "\n"), "AWS_CONTAINER_AUTHORIZATION_TOKEN=")
	if !ok || strings.Contains(line, token) {
		t.Errorf("the token is not in the file, or in the options")
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"", "host.docker.internal:" + u.Port()} {
		if a, err := fetch(address, token, host); err != nil || a.status != 200 {
			t.Errorf("host %q: %d, %v", host, a.status, err)
		}
	}
}

// What can't be served is known at once, and stdout stays empty.
func TestServeFailsAtOnce(t *testing.T) {
	s := setStage(t, localsts.Options{})
	taken := launch(t, s, "serve", "me")
	u, err := url.Parse(readClient(t, taken).uri)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		say  string
	}{
		{[]string{"serve"}, 2, ""},
		{[]string{"serve", "open", "--port", "70000"}, 2, "70000"},
		{[]string{"serve", "open", "me", "--role-arn", "arn:aws:iam::222222222222:role/Open"}, 2, "--role-arn"},
		{[]string{"serve", "open", "nobody"}, 3, "nobody"},
		{[]string{"serve", "open", "denied"}, 4, "sts:AssumeRole"},
		{[]string{"serve", "mfa", "--no-input"}, 5, "MFA"},
		{[]string{"serve", "open", "--port", u.Port()}, 1, u.Port()},
	} {
		p := launch(t, s, c.args...)
		out, _ := io.ReadAll(p.out)
		if code := p.exit(t); code != c.code || len(out) > 0 || !strings.Contains(p.stderr.String(), c.say) || s.leak(p.stderr.String()) {
			t.Errorf("%v: exit %d, want %d, stdout %q\n%s", c.args, code, c.code, out, p.stderr)
		}
		if left, _ := filepath.Glob(filepath.Join(p.home, "crossrole-serve-*")); len(left) > 0 {
			t.Errorf("%v: left %v", c.args, left)
		}
	}
}

// While STS is down a client gets what is still good, then errors, and then
// new credentials; at no time an expired one.
func TestServeThroughAnOutage(t *testing.T) {
	var down atomic.Bool
	life := 3 * time.Second
	s := setStage(t, localsts.Options{Lifetime: life, Hook: func(w http.ResponseWriter, r *http.Request, action string) bool {
		return down.Load() && localsts.Unavailable()(w, r, action)
	}})
	c := readClient(t, launch(t, s, "serve", "open", "--timeout", "2s"))
	seen := map[int]bool{}
	watch := func(until func() bool) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); !until(); time.Sleep(50 * time.Millisecond) {
			begun := time.Now()
			a, err := fetch(c.uri, c.token, "")
			if err != nil || time.Now().After(end) {
				t.Fatal("no end, or no answer: ", err)
			}
			if a.status == 200 && !a.Expiration.Add(time.Second).After(begun) || a.status != 200 && (a.AccessKeyID != "" || a.Code == "") {
				t.Fatalf("status %d, code %s, expires %s", a.status, a.Code, a.Expiration)
			}
			seen[a.status] = true
		}
	}
	watch(func() bool { return seen[200] })
	down.Store(true)
	watch(func() bool { return seen[502] || seen[504] })
	down.Store(false)
	clear(seen)
	watch(func() bool { return seen[200] })
}

// TestServeSoak has many clients at a real process whose sessions expire all the
// time. CROSSROLE_SOAK=60s makes it as long as the promise says.
func TestServeSoak(t *testing.T) {
	length := 4 * time.Second
	if v := os.Getenv("CROSSROLE_SOAK"); v != "" {
		var err error
		if length, err = time.ParseDuration(v); err != nil {
			t.Fatal(err)
		}
	}
	s := setStage(t, localsts.Options{Lifetime: 3 * time.Second})
	p := launch(t, s, "serve", "open")
	c := readClient(t, p)
	fds := filepath.Join("/proc", fmt.Sprint(p.Process.Pid), "fd")
	before, _ := os.ReadDir(fds)
	tr := &http.Transport{MaxIdleConnsPerHost: 64}
	http.DefaultClient.Transport = tr
	t.Cleanup(func() { http.DefaultClient.Transport = nil })
	var requests atomic.Int64
	var wg sync.WaitGroup
	end := time.Now().Add(length)
	for range 64 {
		wg.Go(func() {
			for time.Now().Before(end) && !t.Failed() {
				begun := time.Now() // how long we wait for the processor is not the server's doing
				a, err := fetch(c.uri, c.token, "")
				// Answers hold whole seconds, rounded down.
				if err != nil || a.status != 200 || !a.Expiration.Add(time.Second).After(begun) {
					t.Errorf("status %d, expires %s, %v", a.status, a.Expiration, err)
				}
				requests.Add(1)
				time.Sleep(20 * time.Millisecond)
			}
		})
	}
	wg.Wait()
	tr.CloseIdleConnections()
	t.Logf("%d requests, %d sessions", requests.Load(), s.server.Count("AssumeRole"))
	if n := s.server.Count("AssumeRole"); n > 2+2*int(length/time.Second) {
		t.Errorf("%d sessions in %v", n, length)
	}
	for range 100 {
		after, _ := os.ReadDir(fds)
		if len(after) <= len(before)+2 { // the connection to STS may be open
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	after, _ := os.ReadDir(fds)
	t.Errorf("%d descriptors before, %d after", len(before), len(after))
}
