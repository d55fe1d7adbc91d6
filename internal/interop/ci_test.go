//go:build interop

package interop

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"go.yaml.in/yaml/v3"
)

// identityProvider plays GitHub's OIDC service: it gives a job's token to who holds the request token, and its keys
// are in the account's provider.
type identityProvider struct {
	key    *rsa.PrivateKey
	server *httptest.Server
}

const githubIssuer = "token.actions.githubusercontent.com"

func newIdentityProvider(t *testing.T) *identityProvider {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p := &identityProvider{key: key}
	p.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "bearer request-token" {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		fmt.Fprintf(w, `{"value": %q}`, p.token(t, r.URL.Query().Get("audience")))
	}))
	t.Cleanup(p.server.Close)
	return p
}

func (p *identityProvider) token(t *testing.T, audience string) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: p.key}, (&jose.SignerOptions{}).WithHeader("kid", "k").WithType("JWT"))
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(jwt.Claims{
		Issuer: "https://" + githubIssuer, Subject: "repo:example/app:ref:refs/heads/main", Audience: jwt.Audience{audience},
		IssuedAt: jwt.NewNumericDate(time.Now()), Expiry: jwt.NewNumericDate(time.Now().Add(5 * time.Minute)),
	}).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// account is one that trusts the provider for its role ci, which may go on to s3put-ok of another account.
func (p *identityProvider) account(t *testing.T) string {
	t.Helper()
	keys, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &p.key.PublicKey, KeyID: "k", Algorithm: "RS256", Use: "sig"}}})
	if err != nil {
		t.Fatal(err)
	}
	return `{"AccountId": "111111111111", "UserDetailList": [], "GroupDetailList": [], "Policies": [],
 "OpenIDConnectProviderList": [{"Arn": "arn:aws:iam::111111111111:oidc-provider/` + githubIssuer + `", "Url": "` + githubIssuer + `",
   "ClientIDList": ["sts.amazonaws.com"], "JWKS": ` + string(keys) + `}],
 "RoleDetailList": [{"Path": "/", "RoleName": "ci", "RoleId": "AROAEXAMPLEEXAMPLECI1", "Arn": "arn:aws:iam::111111111111:role/ci", "AttachedManagedPolicies": [],
   "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
     "Principal": {"Federated": "arn:aws:iam::111111111111:oidc-provider/` + githubIssuer + `"},
     "Condition": {"StringEquals": {"` + githubIssuer + `:aud": "sts.amazonaws.com"}, "StringLike": {"` + githubIssuer + `:sub": "repo:example/app:*"}}}]},
   "RolePolicyList": [{"PolicyName": "onwards", "PolicyDocument": {"Version": "2012-10-17", "Statement": [
     {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "arn:aws:iam::222222222222:role/s3put-ok"}]}}]}]}`
}

const bucketAccount = `{"AccountId": "222222222222", "UserDetailList": [], "GroupDetailList": [], "Policies": [], "RoleDetailList": [{
  "Path": "/", "RoleName": "s3put-ok", "RoleId": "AROAEXAMPLEEXAMPLE222", "Arn": "arn:aws:iam::222222222222:role/s3put-ok", "AttachedManagedPolicies": [], "RolePolicyList": [],
  "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111111111111:role/ci"}, "Action": "sts:AssumeRole"}]}}]}`

// job is the world of one step of a GitHub job.
func job(t *testing.T, inputs ...string) *world {
	t.Helper()
	provider := newIdentityProvider(t)
	endpoint, _ := localSTS(t, provider.account(t), bucketAccount)
	w := newWorld(t, "", "")
	w.set(
		"AWS_ENDPOINT_URL_STS", endpoint, "ACTIONS_ID_TOKEN_REQUEST_URL", provider.server.URL+"/?x=1", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "request-token",
		"RUNNER_TEMP", t.TempDir(), "GITHUB_ENV", filepath.Join(w.dir, "env"), "GITHUB_OUTPUT", filepath.Join(w.dir, "output"),
		"GITHUB_ACTOR", "octo cat[bot]", "GITHUB_RUN_ID", "42", "AWS_ACCESS_KEY_ID", "of an earlier step", "AWS_SECRET_ACCESS_KEY", "stale",
		"INPUT_AUDIENCE", "sts.amazonaws.com",
	)
	return w.set(inputs...)
}

// pairs reads the KEY=VALUE lines of a job's file.
func (w *world) pairs(name string) map[string]string {
	w.t.Helper()
	text, err := os.ReadFile(filepath.Join(w.dir, name))
	if err != nil {
		w.t.Fatal(err)
	}
	found := map[string]string{}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		found[key] = value
	}
	return found
}

func actionScript(t *testing.T) string {
	t.Helper()
	script, err := filepath.Abs("../../.github/action/assume")
	if err != nil {
		t.Fatal(err)
	}
	return script
}

// TestGitHubAction runs the action's script as a job would: one role, and a chain of two.
func TestGitHubAction(t *testing.T) {
	for name, tt := range map[string]struct {
		chain, who, account string
	}{
		"one role":  {"", "arn:aws:sts::111111111111:assumed-role/ci/", "111111111111"},
		"two roles": {"\n  arn:aws:iam::222222222222:role/s3put-ok\n\n", "arn:aws:sts::222222222222:assumed-role/s3put-ok/", "222222222222"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := job(t, "INPUT_ROLE_ARN", "arn:aws:iam::111111111111:role/ci", "INPUT_ROLE_CHAIN", tt.chain, "INPUT_REGION", "eu-west-1")
			got := w.mustRun(actionScript(t))
			output, env := w.pairs("output"), w.pairs("env")
			if output["aws-account-id"] != tt.account || output["aws-secret-access-key"] != env["AWS_SECRET_ACCESS_KEY"] || env["AWS_REGION"] != "eu-west-1" {
				t.Errorf("output %q, env %q", output, env)
			}
			for _, key := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"} {
				value := env[key]
				if value == "" || strings.Count(got.stdout, value) != 1 || !strings.Contains(got.stdout, "::add-mask::"+value+"\n") {
					t.Errorf("%s %q is not masked, or printed otherwise", key, value)
				}
				w.set(key, value)
			}
			for _, key := range []string{"ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"} {
				delete(w.env, key)
			}
			if arn := w.set("AWS_REGION", "eu-west-1").mustRun(tools.caller).stdout; !strings.HasPrefix(arn, tt.who) {
				t.Errorf("the next step is %q, want %q…", arn, tt.who)
			}
			if left, err := os.ReadDir(w.env["RUNNER_TEMP"]); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

// TestGitHubActionRefuses: inputs that would smuggle a property or a section into the profile, and wrong combinations.
func TestGitHubActionRefuses(t *testing.T) {
	for name, inputs := range map[string][]string{
		"nothing":         {},
		"both":            {"INPUT_ROLE_ARN", "arn:aws:iam::111111111111:role/ci", "INPUT_PROFILE", "x"},
		"a second line":   {"INPUT_ROLE_ARN", "arn:aws:iam::111111111111:role/ci\nsource_profile = other"},
		"a comment":       {"INPUT_ROLE_ARN", "arn:aws:iam::111111111111:role/ci#x"},
		"another section": {"INPUT_ROLE_ARN", "arn:aws:iam::111111111111:role/ci", "INPUT_AUDIENCE", "x\n[profile evil]"},
		"no such role":    {"INPUT_ROLE_ARN", "arn:aws:iam::111111111111:role/other"},
		"not an ARN":      {"INPUT_ROLE_ARN", "ci"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := job(t, inputs...)
			got := w.run(actionScript(t))
			if got.code == 0 {
				t.Errorf("exit 0: %s", got.stdout)
			}
			for _, file := range []string{"env", "output"} {
				if text, err := os.ReadFile(filepath.Join(w.dir, file)); err == nil && len(text) > 0 {
					t.Errorf("%s was written: %s", file, text)
				}
			}
		})
	}
}

// scripts collects every shell script of a CI file, whatever the key is called there.
func scripts(node *yaml.Node, into *[]string) {
	if node.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(node.Content); i += 2 {
			key, value := node.Content[i].Value, node.Content[i+1]
			switch {
			case (key == "command" || key == "run") && value.Kind == yaml.ScalarNode:
				*into = append(*into, value.Value)
			case key == "script" && value.Kind == yaml.SequenceNode:
				var lines []string
				for _, line := range value.Content {
					lines = append(lines, line.Value)
				}
				*into = append(*into, strings.Join(lines, "\n"))
			}
		}
	}
	for _, child := range node.Content {
		scripts(child, into)
	}
}

// TestCIExamples: every example is YAML, and shellcheck has nothing to say about its scripts. (actionlint reads
// GitHub's in make lint.)
func TestCIExamples(t *testing.T) {
	files, err := filepath.Glob("../../examples/ci/*.yml")
	if err != nil || len(files) < 4 {
		t.Fatalf("%d examples, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var document yaml.Node
			if err := yaml.Unmarshal(text, &document); err != nil {
				t.Fatal(err)
			}
			var found []string
			scripts(&document, &found)
			if len(found) == 0 {
				t.Fatal("no script in it")
			}
			w := newWorld(t, "", "")
			for i, script := range found {
				if strings.HasSuffix(file, "buildkite.yml") {
					script = strings.ReplaceAll(script, "$$", "$")
				}
				name := filepath.Join(w.dir, fmt.Sprintf("%d.sh", i))
				if err := os.WriteFile(name, []byte("#!/bin/bash\n"+script+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
				w.mustRun("shellcheck", name)
			}
		})
	}
}
