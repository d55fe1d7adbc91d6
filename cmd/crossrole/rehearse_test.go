package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// TestExamplesAreRehearsed holds each example to the expectations beside it.
func TestExamplesAreRehearsed(t *testing.T) {
	files, err := filepath.Glob("../../examples/*/rehearsal.yaml")
	if err != nil || len(files) < 3 {
		t.Fatalf("%v %v", files, err)
	}
	for _, f := range files {
		t.Run(filepath.Base(filepath.Dir(f)), func(t *testing.T) {
			var out, errs bytes.Buffer
			a := &app{out: &out, err: &errs, getenv: func(string) string { return "" }, now: time.Now, outIsTerminal: func() bool { return false }}
			if code := execute(t.Context(), a, []string{"rehearse", "--check", f}); code != 0 {
				t.Errorf("exit %d\n%s%s", code, out.String(), errs.String())
			}
			if errs.Len() > 0 {
				t.Errorf("warnings: %s", errs.String())
			}
		})
	}
}

// rehearsed is a rehearsal without a command, under way.
type rehearsed struct {
	vars map[string]string
	stop func() (code int, stderr string)
}

// startRehearsal runs rehearse with an environment of nothing and reads the lines for eval.
func startRehearsal(t *testing.T, args ...string) rehearsed {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	var errs bytes.Buffer
	a := &app{out: w, err: &errs, getenv: func(string) string { return "" }, now: time.Now, outIsTerminal: func() bool { return false }}
	done := make(chan int, 1)
	go func() {
		done <- execute(ctx, a, append([]string{"rehearse", "--format", "env"}, args...))
		_ = w.Close()
	}()
	out := rehearsed{vars: map[string]string{}, stop: sync.OnceValues(func() (int, string) {
		cancel()
		return <-done, errs.String()
	})}
	t.Cleanup(func() { out.stop() })
	line := regexp.MustCompile(`^export (\w+)='(.*)';$`)
	in := bufio.NewScanner(r)
	last := "no_proxy"
	if runtime.GOOS == "windows" {
		last = "NO_PROXY" // the case of a variable's name makes no other variable there
	}
	for out.vars[last] == "" && in.Scan() {
		if m := line.FindStringSubmatch(in.Text()); m != nil {
			out.vars[m[1]] = m[2]
		}
	}
	go func() { _, _ = io.Copy(io.Discard, r) }()
	if out.vars["AWS_ENDPOINT_URL_STS"] == "" {
		code, stderr := out.stop()
		t.Fatalf("no lines for eval: exit %d, %s", code, stderr)
	}
	return out
}

// ask calls the rehearsal without a signature.
func (r rehearsed) ask(t *testing.T, query string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.vars["AWS_ENDPOINT_URL_STS"]+"/?Version=2011-06-15&"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// TestRehearseServesUntilInterrupted reads the lines for eval, calls the endpoint, and looks that nothing is left.
func TestRehearseServesUntilInterrupted(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	t.Setenv("TMP", tmp)
	account := writeFile(t, "a.json", `{"AccountId":"111111111111","UserDetailList":[{"UserName":"A-san"}]}`)
	r := startRehearsal(t, "--account", account)
	keys, err := os.ReadFile(r.vars["AWS_SHARED_CREDENTIALS_FILE"])
	if err != nil || !strings.Contains(string(keys), "[A-san]\naws_access_key_id = AKIA") || !strings.Contains(string(keys), "[root@111111111111]") {
		t.Errorf("credentials file: %v\n%s", err, keys)
	}
	if info, err := os.Stat(filepath.Dir(r.vars["AWS_CONFIG_FILE"])); err != nil || info.Mode().Perm()&0o077 != 0 && os.PathSeparator == '/' {
		t.Errorf("the folder: %v %v", info, err)
	}
	if body := r.ask(t, "Action=GetCallerIdentity"); !strings.Contains(body, "MissingAuthenticationToken") {
		t.Errorf("%s", body)
	}
	if code, stderr := r.stop(); code != 0 {
		t.Errorf("exit %d: %s", code, stderr)
	}
	if left, _ := os.ReadDir(tmp); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

const oidcTemplate = `
Resources:
  Provider: {Type: "AWS::IAM::OIDCProvider", Properties: {Url: "https://token.actions.example.com", ClientIdList: [sts.amazonaws.com]}}
  CI:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement: [{Effect: Allow, Principal: {Federated: !Ref Provider}, Action: "sts:AssumeRoleWithWebIdentity"}]
`

func TestRehearseWebIdentity(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "1", Algorithm: "ES256"}}})
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "1"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(map[string]any{
		"iss": "https://token.actions.example.com", "aud": "sts.amazonaws.com", "sub": "repo:a", "exp": time.Now().Add(time.Hour).Unix(),
	}).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	account, jwks := "222222222222="+writeFile(t, "ci.yaml", oidcTemplate), writeFile(t, "jwks.json", string(set))
	query := "Action=AssumeRoleWithWebIdentity&RoleArn=arn:aws:iam::222222222222:role/CI&RoleSessionName=ci&WebIdentityToken=" + token
	for want, args := range map[string][]string{
		"<SecretAccessKey>":     {"--account", account, "--jwks", "https://token.actions.example.com=" + jwks},
		"IDPCommunicationError": {"--account", account},
	} {
		if body := startRehearsal(t, args...).ask(t, query); !strings.Contains(body, want) {
			t.Errorf("%v: %s", args, body)
		}
	}
	for _, arg := range []string{"https://other.example.com=" + jwks, writeFile(t, "empty.json", "{}"), writeFile(t, "bad.json", "x")} {
		if got := runApp(t, "", nil, "rehearse", "--account", account, "--jwks", arg); got.code != 3 {
			t.Errorf("%s: exit %d %s", arg, got.code, got.err)
		}
	}
}
