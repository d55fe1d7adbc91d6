package assume

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"crossrole/internal/localsts"
	"crossrole/internal/profile"
)

// chainTo starts at A-san of localsts.Example and walks the roles.
func chainTo(roles ...string) profile.Chain {
	c := profile.Chain{Name: "prod", Source: profile.Source{Kind: profile.SourceStatic, Profile: "A-san", Properties: map[string]profile.Value{
		"aws_access_key_id":     at(localsts.ExampleKeyID),
		"aws_secret_access_key": at(localsts.ExampleSecret),
	}}}
	for _, role := range roles {
		c.Hops = append(c.Hops, profile.Hop{Profile: "prod", RoleARN: at(role)})
	}
	return c
}

const (
	roleOpen     = "arn:aws:iam::222222222222:role/Open"
	roleExternal = "arn:aws:iam::222222222222:role/ExternalID"
	roleMFA      = "arn:aws:iam::222222222222:role/MFA"
	roleFromHop  = "arn:aws:iam::222222222222:role/FromHop"
	roleHop      = "arn:aws:iam::111111111111:role/Hop"
)

func noEnv(string) string { return "" }

func runAt(t *testing.T, url string, c profile.Chain, o Overrides, d Deps) (Session, error) {
	t.Helper()
	o.Endpoint, o.Who = url, "tester"
	plan, err := NewPlan(c, o)
	if err != nil {
		t.Fatal(err)
	}
	if d.Getenv == nil {
		d.Getenv = noEnv
	}
	if d.Timeout == 0 {
		d.Timeout = 10 * time.Second
	}
	r, err := NewRunner(plan.Where, d)
	if err != nil {
		return Session{}, err
	}
	p, err := r.Provider(plan)
	if err != nil {
		return Session{}, err
	}
	return p.Credentials(t.Context())
}

func TestOneHopOverTheWire(t *testing.T) {
	sts := localsts.StartTest(t, localsts.Options{})
	s, err := runAt(t, sts.URL, chainTo(roleOpen), Overrides{Duration: "900"}, Deps{})
	if err != nil {
		t.Fatal(err)
	}
	if s.ARN != "arn:aws:sts::222222222222:assumed-role/Open/crossrole-tester" || s.AccountID != "222222222222" {
		t.Errorf("session = %v", s)
	}
	if left := s.LeftAt(time.Now()); left < 14*time.Minute || left > 16*time.Minute {
		t.Errorf("left = %v", left)
	}
}

func TestChainWalksInOrder(t *testing.T) {
	sts := localsts.StartTest(t, localsts.Options{})
	s, err := runAt(t, sts.URL, chainTo(roleHop, roleFromHop), Overrides{}, Deps{})
	if err != nil || !strings.Contains(s.ARN, "assumed-role/FromHop/") {
		t.Fatalf("session = %v, err = %v", s, err)
	}
	if n := sts.Count("AssumeRole"); n != 2 {
		t.Errorf("AssumeRole was called %d times", n)
	}
}

func TestExternalIDMissing(t *testing.T) {
	sts := localsts.StartTest(t, localsts.Options{})
	_, err := runAt(t, sts.URL, chainTo(roleExternal), Overrides{}, Deps{})
	var denied *DeniedError
	if !errors.As(err, &denied) {
		t.Fatalf("err = %v", err)
	}
	text := err.Error() + strings.Join(denied.Hints(), "\n")
	for _, want := range []string{"user/A-san", roleExternal, "external ID not sent", "MFA not sent", "different accounts", "111111111111", "222222222222", "--external-id"} {
		if !strings.Contains(text, want) {
			t.Errorf("the denial does not say %q: %s", want, text)
		}
	}
	if _, err := runAt(t, sts.URL, chainTo(roleExternal), Overrides{ExternalID: "ExternalId123"}, Deps{}); err != nil {
		t.Errorf("with the external ID: %v", err)
	}
	if n := sts.Count("AssumeRole"); n != 2 {
		t.Errorf("a denial was tried again: %d calls", n)
	}
}

func TestMFACodes(t *testing.T) {
	sts := localsts.StartTest(t, localsts.Options{})
	device := localsts.MFADevice{Serial: localsts.ExampleMFASerial, Seed: localsts.ExampleMFASeed}
	code, err := device.Code(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	over := Overrides{MFASerial: localsts.ExampleMFASerial}
	var asked CodeQuestion
	s, err := runAt(t, sts.URL, chainTo(roleMFA), over, Deps{AskCode: func(_ context.Context, q CodeQuestion) (string, error) {
		asked = q
		return code, nil
	}})
	if err != nil || asked.Serial != localsts.ExampleMFASerial || asked.For != roleMFA || s.ARN == "" {
		t.Fatalf("asked %+v, session %v, err %v", asked, s, err)
	}
	over.MFACode = "000000"
	var denied *DeniedError
	if _, err := runAt(t, sts.URL, chainTo(roleMFA), over, Deps{}); !errors.As(err, &denied) || !denied.MFASent {
		t.Errorf("a wrong code: %v", err)
	}
	over.MFACode = ""
	var person *PersonError
	if _, err := runAt(t, sts.URL, chainTo(roleMFA), over, Deps{}); !errors.As(err, &person) {
		t.Errorf("nobody to ask: %v", err)
	}
}

func TestMFAProcess(t *testing.T) {
	r, err := NewRunner(Where{}, Deps{Getenv: noEnv, Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	for command, want := range map[string]string{"echo 123456": "123456", "echo secret-seed": "", "exit 3": "", "echo 123456; echo secret-seed >&2; exit 1": ""} {
		got, err := r.code(t.Context(), Secret{}, command, CodeQuestion{Profile: "p"})
		if got != want || (want == "") != (err != nil) {
			t.Errorf("%q: %q, %v", command, got, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret-seed") {
			t.Errorf("the command's output is in the error: %v", err)
		}
	}
}

// What is worth another try is tried again, and nothing else.
func TestRetries(t *testing.T) {
	for name, c := range map[string]struct {
		hook  localsts.Hook
		calls int32
		ok    bool
	}{
		"throttled once":  {localsts.First(1, localsts.Throttle()), 2, true},
		"503 once":        {localsts.First(1, localsts.Unavailable()), 2, true},
		"dropped once":    {localsts.First(1, localsts.Drop()), 2, true},
		"validation":      {localsts.Fail(400, "ValidationError", "no"), 1, false},
		"access denied":   {localsts.Fail(403, "AccessDenied", "no"), 1, false},
		"invalid client":  {localsts.Fail(403, "InvalidClientTokenId", "no"), 1, false},
		"garbage":         {localsts.Garbage(200, "<html>hello"), 1, false},
		"empty answer":    {localsts.Garbage(200, `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult/></AssumeRoleResponse>`), 1, false},
		"region disabled": {localsts.Fail(403, "RegionDisabledException", "no"), 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int32
			count := func(http.ResponseWriter, *http.Request, string) bool { calls.Add(1); return false }
			sts := localsts.StartTest(t, localsts.Options{Hook: localsts.Hooks(count, c.hook)})
			s, err := runAt(t, sts.URL, chainTo(roleOpen), Overrides{}, Deps{})
			if (err == nil) != c.ok || calls.Load() != c.calls {
				t.Errorf("%d calls, session %v, err %v", calls.Load(), s, err)
			}
			if err != nil && strings.ContainsAny(err.Error(), "\n") {
				t.Errorf("not one line: %q", err)
			}
		})
	}
}

func TestDeadServers(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() // accepts, and never answers
	start := time.Now()
	_, err = runAt(t, "http://"+listener.Addr().String(), chainTo(roleOpen), Overrides{}, Deps{Timeout: 300 * time.Millisecond})
	var call *CallError
	if !errors.As(err, &call) || !strings.Contains(err.Error(), "no answer within") || time.Since(start) > 10*time.Second {
		t.Errorf("a silent server: %v", err)
	}
	var timeout *TimeoutError
	if !errors.As(err, &timeout) {
		t.Errorf("no TimeoutError: %v", err)
	}
	_, err = runAt(t, "http://127.0.0.1:1", chainTo(roleOpen), Overrides{}, Deps{})
	if !errors.As(err, &call) || !strings.Contains(err.Error(), "refused") {
		t.Errorf("nobody listens: %v", err)
	}
	_, err = runAt(t, "http://no-such-host.invalid", chainTo(roleOpen), Overrides{}, Deps{})
	if !errors.As(err, &call) || !strings.Contains(err.Error(), "no-such-host.invalid") {
		t.Errorf("no such name: %v", err)
	}
}

// A clock that is an hour off is corrected by AWS's own, and told.
func TestClockSkewIsCorrectedOnceAndTold(t *testing.T) {
	sts := localsts.StartTest(t, localsts.Options{Skew: time.Hour})
	var told []string
	_, err := runAt(t, sts.URL, chainTo(roleOpen), Overrides{}, Deps{Notice: func(text string) { told = append(told, text) }})
	if err != nil {
		t.Fatal(err)
	}
	if len(told) != 1 || !strings.Contains(told[0], "clock is 1h") || !strings.Contains(told[0], "behind") {
		t.Errorf("told %q", told)
	}
	if n := sts.Count("AssumeRole"); n != 2 {
		t.Errorf("%d calls, want the first and one corrected", n)
	}
}

// shellEcho is a command line of this system's shell that prints a text.
func shellEcho(text string) string {
	if runtime.GOOS == "windows" {
		return "echo " + text // cmd.exe prints quotes, too
	}
	return "echo '" + text + "'"
}

func TestCredentialProcess(t *testing.T) {
	sts := localsts.StartTest(t, localsts.Options{})
	process := func(command string) profile.Chain {
		c := chainTo(roleOpen)
		c.Source = profile.Source{Kind: profile.SourceProcess, Profile: "p", Properties: map[string]profile.Value{"credential_process": at(command)}}
		return c
	}
	good := shellEcho(`{"Version":1,"AccessKeyId":"` + localsts.ExampleKeyID + `","SecretAccessKey":"` + localsts.ExampleSecret + `"}`)
	if _, err := runAt(t, sts.URL, process(good), Overrides{}, Deps{}); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{
		`echo c4n4ry`, `echo c4n4ry&& exit 1`, shellEcho(`{"Version":2,"SecretAccessKey":"c4n4ry"}`), `echo c4n4ry>&2&& exit 9`,
		shellEcho(`{"Version":1,"AccessKeyId":"A","SecretAccessKey":"c4n4ry","SessionToken":"t","Expiration":"2001-01-01T00:00:00Z"}`),
	} {
		_, err := runAt(t, sts.URL, process(bad), Overrides{}, Deps{})
		var source *SourceError
		if !errors.As(err, &source) {
			t.Errorf("%s: %v", bad, err)
		} else if strings.Contains(err.Error(), "c4n4ry") {
			t.Errorf("the process's output is in the error: %v", err)
		}
	}
}

func TestCredentialProcessThatAsksForItselfIsStopped(t *testing.T) {
	source := profile.Source{Kind: profile.SourceProcess, Profile: "p", Properties: map[string]profile.Value{"credential_process": at("true")}}
	r, err := NewRunner(Where{}, Deps{Getenv: func(string) string { return digest("p")[:16] }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Provider(Plan{Source: source}); err == nil || !strings.Contains(err.Error(), "without end") {
		t.Errorf("err = %v", err)
	}
}

func TestGitHubToken(t *testing.T) {
	var got *http.Request
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		_, _ = w.Write([]byte(`{"value":"aaaa.bbbb.cccc"}`))
	}))
	defer server.Close()
	env := map[string]string{"ACTIONS_ID_TOKEN_REQUEST_URL": server.URL + "/t?api-version=2", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "bearer-c4n4ry"}
	r, err := NewRunner(Where{}, Deps{Getenv: func(k string) string { return env[k] }, Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	token, err := r.webToken(t.Context(), profile.Source{Kind: profile.SourceGitHub, Properties: map[string]profile.Value{"web_identity_audience": at("a b&c")}})
	if err != nil || token.Reveal() != "aaaa.bbbb.cccc" {
		t.Fatalf("%v %v", token, err)
	}
	if got.Header.Get("Authorization") != "bearer bearer-c4n4ry" || got.URL.Query().Get("audience") != "a b&c" || got.URL.Query().Get("api-version") != "2" {
		t.Errorf("asked %v with %v", got.URL, got.Header)
	}
}

func TestSSOLoginNeeded(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	c := chainTo(roleOpen)
	c.Source = profile.Source{Kind: profile.SourceSSO, Profile: "sso", Properties: map[string]profile.Value{
		"sso_session": at("corp"), "sso_account_id": at("111111111111"), "sso_role_name": at("Dev"),
	}, SSO: map[string]profile.Value{"sso_start_url": at("https://corp.example/start"), "sso_region": at("eu-west-1")}}
	check := func(name string) {
		t.Helper()
		_, err := runAt(t, "http://127.0.0.1:1", c, Overrides{}, Deps{})
		var person *PersonError
		if !errors.As(err, &person) || !strings.Contains(strings.Join(person.Hints(), " "), "aws sso login --sso-session corp") {
			t.Errorf("%s: %v", name, err)
		}
	}
	check("no token")
	dir := filepath.Join(home, ".aws", "sso", "cache")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	token := `{"accessToken":"c4n4ry","expiresAt":"2001-01-01T00:00:00Z","region":"eu-west-1","startUrl":"https://corp.example/start"}`
	// The AWS CLI names the file after the SHA-1 of the session's name.
	if err := os.WriteFile(filepath.Join(dir, "6d01d3a4a80d61a9b1cf2b8ca8ba19c5b6bdd0cb.json"), []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	check("expired token")
}

func TestContainerURI(t *testing.T) {
	for uri, ok := range map[string]bool{
		"http://127.0.0.1:9/x": true, "http://[::1]/x": true, "http://169.254.170.2/v2": true, "http://169.254.170.23/v1": true,
		"http://[fd00:ec2::23]/v1": true, "https://example.com/x": true, "http://localhost/x": true,
		"http://example.com/x": false, "http://10.0.0.1/x": false, "ftp://127.0.0.1/": false, "//x": false, "http:///x": false,
	} {
		if err := checkContainerURI(uri); (err == nil) != ok {
			t.Errorf("%s: %v", uri, err)
		}
	}
}

// forSh passes a test over whose command lines only a shell of Unix understands.
func forSh(t *testing.T) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("its command lines are for sh")
	}
}
