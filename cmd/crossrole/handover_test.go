package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"crossrole/internal/localsts"
)

// stage is what the commands that hand credentials over are tested on: a local
// STS, a local federation endpoint and a home with profiles. It knows every
// secret that was given out.
type stage struct {
	sts        *httptest.Server
	server     *localsts.Server
	federation *httptest.Server

	mu      sync.Mutex
	secrets []string
	signIns []*http.Request
}

const stageConfig = `[profile me]
region = eu-west-1

[profile open]
role_arn = arn:aws:iam::222222222222:role/Open
source_profile = me
region = eu-central-1

[profile hop]
role_arn = arn:aws:iam::111111111111:role/Hop
source_profile = me

[profile chained]
role_arn = arn:aws:iam::222222222222:role/FromHop
source_profile = hop

[profile mfa]
role_arn = arn:aws:iam::222222222222:role/MFA
source_profile = me
mfa_serial = arn:aws:iam::111111111111:mfa/A-san

[profile denied]
role_arn = arn:aws:iam::222222222222:role/ExternalID
source_profile = me

[profile "A B"]
role_arn = arn:aws:iam::222222222222:role/Open
source_profile = me
`

const stageCredentials = `[me]
aws_access_key_id = ` + localsts.ExampleKeyID + `
aws_secret_access_key = ` + localsts.ExampleSecret + `
`

// newStage starts the servers, until the end of the test or script, with the accounts (the example's if there are none).
func newStage(t interface {
	Fatal(...any)
	Helper()
}, opts localsts.Options, accounts ...*localsts.Account,
) (*stage, func()) {
	t.Helper()
	if len(accounts) == 0 {
		accounts = localsts.Example()
	}
	world, err := localsts.NewWorld(accounts...)
	if err != nil {
		t.Fatal(err)
	}
	server, err := localsts.New(world, opts)
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{server: server, secrets: []string{localsts.ExampleSecret}}
	s.sts = httptest.NewServer(http.HandlerFunc(s.answer))
	s.federation = httptest.NewServer(http.HandlerFunc(s.signIn))
	return s, func() { s.sts.Close(); s.federation.Close() }
}

var issued = regexp.MustCompile(`<(?:SecretAccessKey|SessionToken)>([^<]+)<`)

// answer passes the STS's answer on, and remembers the secrets in it.
func (s *stage) answer(w http.ResponseWriter, r *http.Request) {
	rec := httptest.NewRecorder()
	s.server.ServeHTTP(rec, r)
	s.mu.Lock()
	for _, m := range issued.FindAllStringSubmatch(rec.Body.String(), -1) {
		s.secrets = append(s.secrets, m[1])
	}
	s.mu.Unlock()
	for k, v := range rec.Header() {
		w.Header()[k] = v
	}
	w.WriteHeader(rec.Code)
	_, _ = w.Write(rec.Body.Bytes())
}

// signIn is the federation endpoint.
func (s *stage) signIn(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.signIns = append(s.signIns, r)
	var session map[string]string
	if json.Unmarshal([]byte(r.URL.Query().Get("Session")), &session) != nil || !slices.Contains(s.secrets, session["sessionKey"]) ||
		!slices.Contains(s.secrets, session["sessionToken"]) {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	token := "SIGNIN-" + session["sessionKey"]
	s.secrets = append(s.secrets, token)
	_ = json.NewEncoder(w).Encode(map[string]string{"SigninToken": token})
}

// leak finds a secret in text, as it is or percent-encoded.
func (s *stage) leak(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.secrets, func(secret string) bool {
		return strings.Contains(text, secret) || strings.Contains(text, percent(secret))
	})
}

// environment of a process on this stage, with its home.
func (s *stage) environment(home string) ([]string, error) {
	aws := filepath.Join(home, ".aws")
	if err := os.MkdirAll(aws, 0o700); err != nil {
		return nil, err
	}
	for name, text := range map[string]string{"config": stageConfig, "credentials": stageCredentials} {
		if err := os.WriteFile(filepath.Join(aws, name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	return append(instruments(),
		"HOME="+home, "USERPROFILE="+home, "USER=tester", "PATH="+os.Getenv("PATH"), "TMPDIR="+home, "SYSTEMROOT="+os.Getenv("SYSTEMROOT"),
		"XDG_CACHE_HOME="+filepath.Join(home, "cache"), "CROSSROLE_CACHE=file", "AWS_EC2_METADATA_DISABLED=true",
		"AWS_ENDPOINT_URL_STS="+s.sts.URL, "CROSSROLE_FEDERATION_URL="+s.federation.URL+"/federation",
	), nil
}

// The scripts of testdata/handover have, besides testscript's own verbs and exit
// and calls of the other scripts:
//
//	childexit C   like exit, for a command whose output is its own
//	silent        what was printed last holds no secret
//	federated N   the federation endpoint was called N times
func TestHandover(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the scripts' children are sh, env and trap")
	}
	var stages sync.Map
	of := func(ts *testscript.TestScript) *stage {
		s, _ := stages.Load(ts.Getenv("WORK"))
		return s.(*stage)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/handover",
		Setup: func(e *testscript.Env) error {
			s, stop := newStage(e.T().(interface {
				Fatal(...any)
				Helper()
			}), localsts.Options{})
			e.Defer(stop)
			vars, err := s.environment(filepath.Join(e.WorkDir, "home"))
			e.Vars = append(e.Vars, vars...)
			stages.Store(e.WorkDir, s)
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exit": scriptExit,
			"calls": func(ts *testscript.TestScript, neg bool, args []string) {
				if got := fmt.Sprint(of(ts).server.Count(args[0])); (got == args[1]) == neg {
					ts.Fatalf("%s was called %s times", args[0], got)
				}
			},
			"childexit": func(ts *testscript.TestScript, _ bool, args []string) {
				err := ts.Exec(args[1], args[2:]...)
				if got := strings.TrimPrefix(fmt.Sprint(err), "exit status "); got != args[0] {
					ts.Fatalf("%v: exit %s, want %s", args[1:], got, args[0])
				}
			},
			"silent": func(ts *testscript.TestScript, _ bool, _ []string) {
				if text := ts.ReadFile("stdout") + ts.ReadFile("stderr"); of(ts).leak(text) {
					ts.Fatalf("a secret in %q", text)
				}
			},
			"federated": func(ts *testscript.TestScript, neg bool, args []string) {
				s := of(ts)
				s.mu.Lock()
				defer s.mu.Unlock()
				if got := fmt.Sprint(len(s.signIns)); (got == args[0]) == neg {
					ts.Fatalf("the federation endpoint was called %s times", got)
				}
			},
		},
	})
}

// lockedBuffer is written by a process while a test reads.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func exampleCode(t *testing.T) string {
	t.Helper()
	code, err := localsts.MFADevice{Serial: localsts.ExampleMFASerial, Seed: localsts.ExampleMFASeed}.Code(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return code
}
