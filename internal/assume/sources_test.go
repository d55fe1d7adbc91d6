package assume

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"crossrole/internal/localsts"
	"crossrole/internal/profile"
)

// sourceOnly makes a chain of a source and no hop.
func sourceOnly(kind profile.SourceKind, properties map[string]string) profile.Chain {
	s := profile.Source{Kind: kind, Profile: "src", Properties: map[string]profile.Value{}}
	for k, v := range properties {
		s.Properties[k] = at(v)
	}
	return profile.Chain{Name: "src", Source: s}
}

// homeWith is a home folder of its own with one file in it.
func homeWith(t *testing.T, name, text string) {
	t.Helper()
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	path := filepath.Join(home, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func inAnHour() string { return time.Now().Add(time.Hour).UTC().Format(time.RFC3339) }

func TestSSOSource(t *testing.T) {
	var got *http.Request
	portal := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		if r.URL.Query().Get("account_id") == "999999999999" {
			w.Header().Set("X-Amzn-Errortype", "ForbiddenException")
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`{"message":"No access"}`))
			return
		}
		fmt.Fprintf(w, `{"roleCredentials":{"accessKeyId":"ASIASSO","secretAccessKey":"s","sessionToken":"t","expiration":%d}}`, time.Now().Add(time.Hour).UnixMilli())
	}))
	defer portal.Close()
	sum := sha1.Sum([]byte("corp"))
	homeWith(t, ".aws/sso/cache/"+hex.EncodeToString(sum[:])+".json",
		`{"accessToken":"the-token","expiresAt":"`+inAnHour()+`","region":"eu-west-1","startUrl":"https://corp.example/start"}`)
	env := func(name string) string { return map[string]string{"AWS_ENDPOINT_URL_SSO": portal.URL}[name] }
	chain := sourceOnly(profile.SourceSSO, map[string]string{"sso_session": "corp", "sso_account_id": "111111111111", "sso_role_name": "Dev"})
	chain.Source.SSO = map[string]profile.Value{"sso_start_url": at("https://corp.example/start"), "sso_region": at("eu-west-1")}
	s, err := runAt(t, "", chain, Overrides{}, Deps{Getenv: env})
	if err != nil || s.AccessKeyID != "ASIASSO" || s.AccountID != "111111111111" || s.LeftAt(time.Now()) < 50*time.Minute {
		t.Fatalf("%v %v", s, err)
	}
	if got.Header.Get("X-Amz-Sso_bearer_token") != "the-token" || got.URL.Query().Get("role_name") != "Dev" {
		t.Errorf("asked %v with %v", got.URL, got.Header)
	}
	chain.Source.Properties["sso_account_id"] = at("999999999999")
	_, err = runAt(t, "", chain, Overrides{}, Deps{Getenv: env})
	if _, denied := err.(*DeniedError); !denied { //nolint:errorlint // the very error
		t.Errorf("no access: %v", err)
	}
}

func TestLoginSource(t *testing.T) {
	const session = "arn:aws:iam::111111111111:user/me"
	sum := sha256.Sum256([]byte(session))
	name := ".aws/login/cache/" + hex.EncodeToString(sum[:]) + ".json"
	token := func(expires string) string {
		return `{"accessToken":{"accessKeyId":"ASIALOGIN","secretAccessKey":"s","sessionToken":"t","accountId":"111111111111","expiresAt":"` + expires + `"},
			"tokenType":"aws_sigv4","refreshToken":"c4n4ry","identityToken":"i","clientId":"c","dpopKey":"k"}`
	}
	chain := sourceOnly(profile.SourceLogin, map[string]string{"login_session": session})
	homeWith(t, name, token(inAnHour()))
	s, err := runAt(t, "", chain, Overrides{}, Deps{})
	if err != nil || s.AccessKeyID != "ASIALOGIN" || s.AccountID != "111111111111" {
		t.Errorf("%v %v", s, err)
	}
	homeWith(t, name, token("2001-01-01T00:00:00Z"))
	env := func(name string) string {
		return map[string]string{"AWS_ENDPOINT_URL_SIGNIN": "http://127.0.0.1:1"}[name]
	}
	_, err = runAt(t, "", chain, Overrides{}, Deps{Getenv: env, Timeout: 5 * time.Second})
	if err == nil || strings.Contains(err.Error(), "c4n4ry") {
		t.Errorf("an expired login: %v", err)
	}
	homeWith(t, "other", "")
	_, err = runAt(t, "", chain, Overrides{}, Deps{})
	if p, ok := err.(*PersonError); !ok || !strings.Contains(p.Hints()[0], "aws login --profile src") { //nolint:errorlint // the very error
		t.Errorf("nobody has logged in: %v", err)
	}
}

func TestContainerSource(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("from-file"), 0o600); err != nil {
		t.Fatal(err)
	}
	var authorization string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		authorization = r.Header.Get("Authorization")
		fmt.Fprintf(w, `{"AccessKeyId":"ASIABOX","SecretAccessKey":"s","Token":"t","Expiration":%q,"AccountId":"111111111111"}`, inAnHour())
	}))
	defer server.Close()
	env := map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": server.URL + "/x", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "from-variable"}
	deps := Deps{Getenv: func(name string) string { return env[name] }}
	chain := sourceOnly(profile.SourceContainer, nil)
	if s, err := runAt(t, "", chain, Overrides{}, deps); err != nil || s.AccessKeyID != "ASIABOX" || authorization != "from-variable" {
		t.Errorf("%v %v, authorization %q", s, err, authorization)
	}
	env["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = file
	if _, err := runAt(t, "", chain, Overrides{}, deps); err != nil || authorization != "from-file" {
		t.Errorf("%v, authorization %q", err, authorization)
	}
	env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "http://example.com/x"
	if _, err := runAt(t, "", chain, Overrides{}, deps); err == nil || !strings.Contains(err.Error(), "plain http") {
		t.Errorf("plain http to a stranger: %v", err)
	}
	if _, err := runAt(t, "", chain, Overrides{}, Deps{}); err == nil || !strings.Contains(err.Error(), "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
		t.Errorf("no container: %v", err)
	}
}

func TestEC2Source(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		const base = "/latest/meta-data/iam/security-credentials/"
		switch {
		case r.Method == http.MethodPut && r.URL.Path == "/latest/api/token":
			w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "21600")
			_, _ = w.Write([]byte("token"))
		case r.Header.Get("X-Aws-Ec2-Metadata-Token") != "token":
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path == base:
			_, _ = w.Write([]byte("Instance"))
		case r.URL.Path == base+"Instance":
			fmt.Fprintf(w, `{"Code":"Success","AccessKeyId":"ASIAEC2","SecretAccessKey":"s","Token":"t","Expiration":%q}`, inAnHour())
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer server.Close()
	t.Setenv("AWS_CA_BUNDLE", "")
	t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", server.URL)
	s, err := runAt(t, "", sourceOnly(profile.SourceEC2, nil), Overrides{}, Deps{})
	if err != nil || s.AccessKeyID != "ASIAEC2" {
		t.Errorf("%v %v", s, err)
	}
}

func TestEnvironmentSource(t *testing.T) {
	env := map[string]string{"AWS_ACCESS_KEY_ID": "ASIAENV", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t", "AWS_CREDENTIAL_EXPIRATION": inAnHour()}
	deps := Deps{Getenv: func(name string) string { return env[name] }}
	chain := sourceOnly(profile.SourceEnvironment, nil)
	if s, err := runAt(t, "", chain, Overrides{}, deps); err != nil || s.AccessKeyID != "ASIAENV" || s.Expires.IsZero() {
		t.Errorf("%v %v", s, err)
	}
	delete(env, "AWS_SECRET_ACCESS_KEY")
	if _, err := runAt(t, "", chain, Overrides{}, deps); err == nil || !strings.Contains(err.Error(), "AWS_SECRET_ACCESS_KEY") {
		t.Errorf("half a pair: %v", err)
	}
}

// A token file and a role: one unsigned call, with a token that is verified.
func TestWebIdentitySource(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "1"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	const subject = "repo:example/app:ref:refs/heads/main"
	token, err := jwt.Signed(signer).Claims(jwt.Claims{
		Issuer: "https://token.actions.example.com", Subject: subject,
		Audience: jwt.Audience{"sts.amazonaws.com"}, Expiry: jwt.NewNumericDate(time.Now().Add(time.Hour)), IssuedAt: jwt.NewNumericDate(time.Now()),
	}).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "1", Algorithm: "ES256", Use: "sig"}}})
	if err != nil {
		t.Fatal(err)
	}
	accounts := localsts.Example()
	accounts[1].OIDC[0].JWKS = keys
	sts := localsts.StartTest(t, localsts.Options{}, accounts...)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	chain := sourceOnly(profile.SourceWebIdentity, map[string]string{"web_identity_token_file": file})
	chain.Source.Role = &profile.Hop{Profile: "src", RoleARN: at("arn:aws:iam::222222222222:role/CI"), SessionName: at("job-1")}
	s, err := runAt(t, sts.URL, chain, Overrides{}, Deps{})
	if err != nil || s.ARN != "arn:aws:sts::222222222222:assumed-role/CI/job-1" {
		t.Fatalf("%v %v", s, err)
	}
	// The token's subject is part of the key: another job's session is another.
	r, err := NewRunner(Where{}, Deps{Getenv: noEnv})
	if err != nil {
		t.Fatal(err)
	}
	plan := mustPlan(t, chain, Overrides{})
	before := r.Keys(plan)[0]
	other, err := jwt.Signed(signer).Claims(jwt.Claims{Issuer: "https://token.actions.example.com", Subject: "repo:other"}).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(other), 0o600); err != nil {
		t.Fatal(err)
	}
	if r.Keys(plan)[0] == before {
		t.Error("two subjects share a key")
	}
	if _, err := runAt(t, sts.URL, chain, Overrides{}, Deps{}); err == nil || strings.Contains(err.Error(), other) {
		t.Errorf("a token without audience: %v", err)
	}
}

// hosts is a client that hears where a call would go.
type hosts struct{ got string }

func (h *hosts) Do(req *http.Request) (*http.Response, error) {
	h.got = req.URL.Host
	return nil, &httpError{}
}

type httpError struct{}

func (*httpError) Error() string { return "not sent" }

// Regional STS by default; the partition's own names; the legacy switch.
func TestWhereSTSIs(t *testing.T) {
	for _, c := range []struct {
		where Where
		want  string
	}{
		{Where{Region: "eu-west-1"}, "sts.eu-west-1.amazonaws.com"},
		{Where{Region: "us-east-1"}, "sts.us-east-1.amazonaws.com"},
		{Where{Region: "eu-west-1", Global: true}, "sts.amazonaws.com"},
		{Where{Region: "ap-east-1", Global: true}, "sts.ap-east-1.amazonaws.com"},
		{Where{Region: "cn-north-1"}, "sts.cn-north-1.amazonaws.com.cn"},
		{Where{Region: "us-gov-west-1"}, "sts.us-gov-west-1.amazonaws.com"},
		{Where{Region: "us-east-1", FIPS: true}, "sts-fips.us-east-1.amazonaws.com"},
		{Where{Region: "eu-west-1", Dualstack: true}, "sts.eu-west-1.api.aws"},
		{Where{Region: "eu-west-1", Endpoint: "http://127.0.0.1:99/x"}, "127.0.0.1:99"},
	} {
		h := &hosts{}
		r := &Runner{deps: Deps{Timeout: time.Second, Notice: func(string) {}, Log: slog.New(slog.DiscardHandler)}, sts: newSTS(c.where, h, noRetry{}), ready: func() error { return nil }}
		_, _ = r.WhoAmI(t.Context(), Session{AccessKeyID: "A", SecretAccessKey: NewSecret("s")})
		if h.got != c.want {
			t.Errorf("%+v: %s, want %s", c.where, h.got, c.want)
		}
	}
}

// noRetry tries once.
type noRetry struct{ aws.NopRetryer }
