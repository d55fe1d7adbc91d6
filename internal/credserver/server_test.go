package credserver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	token  = "0123456789abcdef0123456789abcdef"
	canary = "CANARY/secret+access/key"
)

func session(life time.Duration) Credentials {
	return Credentials{
		AccessKeyID: "ASIAEXAMPLE", SecretAccessKey: canary, Token: canary + "-token",
		Expiration: time.Now().Add(life), AccountID: "222222222222", RoleARN: "arn:aws:iam::222222222222:role/B",
	}
}

// providerFunc is a function that is a Provider.
type providerFunc func(ctx context.Context, atLeast time.Duration) (Credentials, error)

// Credentials calls f.
func (f providerFunc) Credentials(ctx context.Context, atLeast time.Duration) (Credentials, error) {
	return f(ctx, atLeast)
}

func always(life time.Duration) providerFunc {
	return func(context.Context, time.Duration) (Credentials, error) { return session(life), nil }
}

type running struct {
	addr string
	log  *syncBuffer
	stop func() error
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// start runs a server with the profiles until the test ends.
func start(t *testing.T, c Config) running {
	t.Helper()
	log := new(syncBuffer)
	c.Token = token
	c.Log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := Listen(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, ln) }()
	stop := sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return running{addr: ln.Addr().String(), log: log, stop: stop}
}

type answer struct {
	status int
	header http.Header
	body   map[string]string
	raw    string
}

// ask sends a request with the token, changed by the caller.
func (r running) ask(t *testing.T, method, path string, change func(*http.Request)) answer {
	t.Helper()
	req, err := http.NewRequest(method, "http://"+r.addr+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", token)
	if change != nil {
		change(req)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header, raw: string(raw)}
	if method != http.MethodHead {
		if err := json.Unmarshal(raw, &a.body); err != nil {
			t.Fatalf("answer %q is not a JSON object of strings: %v", raw, err)
		}
	}
	return a
}

func TestAnswerHasTheContractsShape(t *testing.T) {
	r := start(t, Config{Profiles: map[string]Provider{"dev": always(time.Hour)}})
	a := r.ask(t, "GET", Path("dev"), nil)
	if a.status != 200 || a.header.Get("Content-Type") != "application/json" || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("status %d, headers %v", a.status, a.header)
	}
	for k, want := range map[string]string{
		"AccessKeyId": "ASIAEXAMPLE", "SecretAccessKey": canary, "Token": canary + "-token",
		"AccountId": "222222222222", "RoleArn": "arn:aws:iam::222222222222:role/B",
	} {
		if a.body[k] != want {
			t.Errorf("%s = %q, want %q", k, a.body[k], want)
		}
	}
	if exp, err := time.Parse("2006-01-02T15:04:05Z", a.body["Expiration"]); err != nil || time.Until(exp) < 59*time.Minute {
		t.Errorf("Expiration %q: %v", a.body["Expiration"], err)
	}
}

// botocore indexes Token and Expiration without asking whether they are there.
func TestKeysThatDoNotExpireStillCarryTokenAndExpiration(t *testing.T) {
	keys := providerFunc(func(context.Context, time.Duration) (Credentials, error) {
		return Credentials{AccessKeyID: "AKIA", SecretAccessKey: canary}, nil
	})
	r := start(t, Config{Profiles: map[string]Provider{"keys": keys}})
	for range 2 {
		a := r.ask(t, "GET", "/keys", nil)
		tok, ok := a.body["Token"]
		exp, err := time.Parse(time.RFC3339, a.body["Expiration"])
		if !ok || tok != "" || err != nil || time.Until(exp) < time.Hour {
			t.Errorf("answer %v: %v", a.body, err)
		}
	}
}

func TestSeveralProfilesByPath(t *testing.T) {
	names := []string{"dev", "a b", "team/prod", "käse", "50%", "a?b#c", "x:y@z+w"}
	profiles := map[string]Provider{}
	for _, n := range names {
		c := session(time.Hour)
		c.AccessKeyID = "ASIA-" + fmt.Sprintf("%x", n)
		profiles[n] = providerFunc(func(context.Context, time.Duration) (Credentials, error) { return c, nil })
	}
	r := start(t, Config{Profiles: profiles})
	for _, n := range names {
		if a := r.ask(t, "GET", Path(n), nil); a.body["AccessKeyId"] != "ASIA-"+fmt.Sprintf("%x", n) {
			t.Errorf("profile %q at %s: %d %v", n, Path(n), a.status, a.body)
		}
	}
	for _, p := range []string{"/", "/nobody", "/dev/", "//dev", "/dev/x"} {
		if a := r.ask(t, "GET", p, nil); a.status != 404 || a.body["code"] != "ProfileNotServed" {
			t.Errorf("%s: %d %v", p, a.status, a.body)
		}
	}
}

func TestRefusals(t *testing.T) {
	r := start(t, Config{Profiles: map[string]Provider{"dev": always(time.Hour)}})
	_, port, _ := net.SplitHostPort(r.addr)
	set := func(name string, values ...string) func(*http.Request) {
		return func(r *http.Request) { r.Header[name] = values }
	}
	host := func(h string) func(*http.Request) { return func(r *http.Request) { r.Host = h } }
	for _, c := range []struct {
		name, method string
		change       func(*http.Request)
		status       int
	}{
		{"no token", "GET", func(r *http.Request) { r.Header.Del("Authorization") }, 403},
		{"empty token", "GET", set("Authorization", ""), 403},
		{"wrong token", "GET", set("Authorization", "x"+token[1:]), 403},
		{"prefix of the token", "GET", set("Authorization", token[:31]), 403},
		{"longer token", "GET", set("Authorization", token+"0"), 403},
		{"bearer token", "GET", set("Authorization", "Bearer "+token), 403},
		{"two tokens", "GET", set("Authorization", token, token), 403},
		{"rebound name", "GET", host("evil.example:" + port), 403},
		{"rebound name, default port", "GET", host("evil.example"), 403},
		{"name that begins like ours", "GET", host("127.0.0.1.evil.example:" + port), 403},
		{"other port", "GET", host("127.0.0.1:1"), 403},
		{"no port", "GET", host("127.0.0.1"), 403},
		{"other loopback address", "GET", host("127.0.0.2:" + port), 403},
		{"metadata address", "GET", host("169.254.170.2:" + port), 403},
		{"docker's name, not asked for", "GET", host("host.docker.internal:" + port), 403},
		{"web page", "GET", set("Origin", "https://evil.example"), 403},
		{"sandboxed page", "GET", set("Origin", "null"), 403},
		{"page of our own", "GET", set("Origin", "http://"+r.addr), 403},
		{"cross-site fetch", "GET", set("Sec-Fetch-Site", "cross-site"), 403},
		{"same-origin fetch", "GET", set("Sec-Fetch-Site", "same-origin"), 403},
		{"preflight", "OPTIONS", func(r *http.Request) {
			r.Header.Set("Origin", "https://evil.example")
			r.Header.Set("Access-Control-Request-Method", "GET")
			r.Header.Set("Access-Control-Request-Headers", "authorization")
		}, 403},
		{"options", "OPTIONS", nil, 405},
		{"head", "HEAD", nil, 405},
		{"post", "POST", nil, 405},
		{"put", "PUT", nil, 405},
		{"body", "GET", func(r *http.Request) { r.Body, r.ContentLength = io.NopCloser(strings.NewReader("x")), 1 }, 413},
		{"body of unknown length", "GET", func(r *http.Request) { r.Body, r.ContentLength = io.NopCloser(strings.NewReader("x")), -1 }, 413},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := r.ask(t, c.method, "/dev", c.change)
			if a.status != c.status {
				t.Errorf("status %d, want %d", a.status, c.status)
			}
			if strings.Contains(a.raw, "CANARY") || strings.Contains(a.raw, token) {
				t.Errorf("refusal holds a secret: %s", a.raw)
			}
			for h := range a.header {
				if strings.HasPrefix(h, "Access-Control-") {
					t.Errorf("a browser is invited by %s", h)
				}
			}
			if c.method != "HEAD" && (a.body["code"] == "" || a.body["message"] == "") {
				t.Errorf("body %q lacks code or message", a.raw)
			}
			if c.status == 405 && a.header.Get("Allow") != "GET" {
				t.Errorf("Allow = %q", a.header.Get("Allow"))
			}
		})
	}
	if got := r.log.String(); strings.Contains(got, token) || strings.Contains(got, "CANARY") {
		t.Error("the log holds a secret")
	} else if !strings.Contains(got, "HostNotAllowed") {
		t.Error("refusals are not logged")
	}
}

// Without the token nobody learns which profiles there are.
func TestPathsAreNotToldWithoutTheToken(t *testing.T) {
	r := start(t, Config{Profiles: map[string]Provider{"dev": always(time.Hour)}})
	wrong := func(r *http.Request) { r.Header.Set("Authorization", "wrong") }
	there, missing := r.ask(t, "GET", "/dev", wrong), r.ask(t, "GET", "/nobody", wrong)
	if there.status != missing.status || there.raw != missing.raw {
		t.Errorf("%d %s against %d %s", there.status, there.raw, missing.status, missing.raw)
	}
}

func TestHostsThatAreOurs(t *testing.T) {
	r := start(t, Config{Profiles: map[string]Provider{"dev": always(time.Hour)}, Hosts: []string{"host.docker.internal"}})
	_, port, _ := net.SplitHostPort(r.addr)
	for _, h := range []string{"127.0.0.1", "localhost", "LOCALHOST", "[::1]", "host.docker.internal"} {
		if a := r.ask(t, "GET", "/dev", func(r *http.Request) { r.Host = h + ":" + port }); a.status != 200 {
			t.Errorf("Host %s: %d %s", h, a.status, a.raw)
		}
	}
}

func TestProviderErrors(t *testing.T) {
	for _, c := range []struct {
		name   string
		give   providerFunc
		status int
		code   string
	}{
		{"plain", func(context.Context, time.Duration) (Credentials, error) {
			return session(time.Hour), errors.New("call AssumeRole: connection refused")
		}, 502, "RefreshFailed"},
		{"chosen", func(context.Context, time.Duration) (Credentials, error) {
			return Credentials{}, fmt.Errorf("wrapped: %w", &Error{Status: 403, Code: "AccessDenied", Message: "not authorized"})
		}, 403, "AccessDenied"},
		{"slow", func(ctx context.Context, _ time.Duration) (Credentials, error) {
			<-ctx.Done()
			return Credentials{}, errors.New("call AssumeRole: gave up")
		}, 504, "RefreshTimedOut"},
		{"empty", func(context.Context, time.Duration) (Credentials, error) { return Credentials{}, nil }, 502, "RefreshFailed"},
		{"expired", func(context.Context, time.Duration) (Credentials, error) { return session(-time.Second), nil }, 502, "RefreshFailed"},
		{"panic", func(context.Context, time.Duration) (Credentials, error) { panic(canary) }, 502, "RefreshFailed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := start(t, Config{Profiles: map[string]Provider{"dev": c.give}, RefreshTimeout: 100 * time.Millisecond})
			a := r.ask(t, "GET", "/dev", nil)
			if a.status != c.status || a.body["code"] != c.code || a.body["message"] == "" {
				t.Errorf("%d %s", a.status, a.raw)
			}
			if strings.Contains(a.raw+r.log.String(), "CANARY") {
				t.Error("a secret is in the answer or the log")
			}
		})
	}
}

func TestServeRefusesWhatIsNotLoopback(t *testing.T) {
	s, err := New(Config{Profiles: map[string]Provider{"dev": always(time.Hour)}, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(t.Context(), ln); err == nil || !strings.Contains(err.Error(), "not a loopback address") {
		t.Errorf("Serve: %v", err)
	}
}

func TestStopLetsRequestsFinish(t *testing.T) {
	entered, release := make(chan bool), make(chan bool)
	slow := providerFunc(func(context.Context, time.Duration) (Credentials, error) {
		close(entered)
		<-release
		return session(time.Hour), nil
	})
	r := start(t, Config{Profiles: map[string]Provider{"dev": slow}})
	got := make(chan answer, 1)
	go func() { got <- r.ask(t, "GET", "/dev", nil) }()
	<-entered
	stopped := make(chan error, 1)
	go func() { stopped <- r.stop() }()
	time.Sleep(50 * time.Millisecond)
	close(release)
	if a := <-got; a.status != 200 {
		t.Errorf("the request in flight got %d %s", a.status, a.raw)
	}
	if err := <-stopped; err != nil {
		t.Errorf("Serve: %v", err)
	}
	if _, err := net.Dial("tcp", r.addr); err == nil {
		t.Error("the port is still open")
	}
}

func TestNewRefusesABadConfiguration(t *testing.T) {
	for name, c := range map[string]Config{
		"no profile":    {Token: token},
		"short token":   {Token: "short", Profiles: map[string]Provider{"dev": always(time.Hour)}},
		"empty name":    {Token: token, Profiles: map[string]Provider{"": always(time.Hour)}},
		"parent folder": {Token: token, Profiles: map[string]Provider{"..": always(time.Hour)}},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestListenNamesATakenPort(t *testing.T) {
	ln, err := Listen(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	port := ln.Addr().(*net.TCPAddr).Port
	if second, err := Listen(t.Context(), port); err == nil {
		second.Close()
		t.Error("a taken port was opened again, at another address")
	} else if !strings.Contains(err.Error(), fmt.Sprint(port)) {
		t.Errorf("error %v does not name the port", err)
	}
}

func TestCredentialsHideThemselves(t *testing.T) {
	c := session(time.Hour)
	type holder struct{ C Credentials }
	js, err := json.Marshal(holder{c})
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "c", c, "h", holder{c})
	for _, s := range []string{
		fmt.Sprint(c), fmt.Sprintf("%v %+v %#v %s %q %x %d", c, c, c, c, c, c, c), fmt.Sprintf("%+v %#v", holder{c}, &holder{c}),
		string(js), log.String(), c.String(), c.GoString(),
	} {
		if strings.Contains(s, "CANARY") || strings.Contains(s, "43414e415259") {
			t.Errorf("secret in %q", s)
		}
	}
}
