package output

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func TestPlainTexts(t *testing.T) {
	const expires = "2026-03-01T12:00:00Z"
	longTerm := Credentials{AccessKeyID: "AKIAEXAMPLE", SecretAccessKey: "secret"}
	tests := []struct {
		format string
		c      Credentials
		want   string
	}{
		{Env, plain(), `export AWS_ACCESS_KEY_ID='ASIAEXAMPLEKEY000001';
export AWS_SECRET_ACCESS_KEY='wJalr/XUtnFEMI+K7MDENG=bPxRfiCYEXAMPLEKEY';
export AWS_SESSION_TOKEN='FwoGZXIvYXdzEBYaDK//token+with/slashes==';
export AWS_CREDENTIAL_EXPIRATION='2026-03-01T12:00:00Z';
export AWS_ACCOUNT_ID='222222222222';
export CROSSROLE_PROFILE='prod';
export AWS_REGION='eu-west-1';
export AWS_DEFAULT_REGION='eu-west-1';
export CROSSROLE_SESSION_REGION='eu-west-1';
unset AWS_PROFILE AWS_DEFAULT_PROFILE AWS_SECURITY_TOKEN AWS_SESSION_EXPIRATION;
`},
		{EnvNoExport, longTerm, `AWS_ACCESS_KEY_ID='AKIAEXAMPLE';
AWS_SECRET_ACCESS_KEY='secret';
unset AWS_SESSION_TOKEN AWS_CREDENTIAL_EXPIRATION AWS_ACCOUNT_ID CROSSROLE_PROFILE AWS_PROFILE AWS_DEFAULT_PROFILE AWS_SECURITY_TOKEN AWS_SESSION_EXPIRATION CROSSROLE_SESSION_REGION;
`},
		{PowerShell, longTerm, `$env:AWS_ACCESS_KEY_ID = 'AKIAEXAMPLE';
$env:AWS_SECRET_ACCESS_KEY = 'secret';
$env:AWS_SESSION_TOKEN = $null;
$env:AWS_CREDENTIAL_EXPIRATION = $null;
$env:AWS_ACCOUNT_ID = $null;
$env:CROSSROLE_PROFILE = $null;
$env:AWS_PROFILE = $null;
$env:AWS_DEFAULT_PROFILE = $null;
$env:AWS_SECURITY_TOKEN = $null;
$env:AWS_SESSION_EXPIRATION = $null;
$env:CROSSROLE_SESSION_REGION = $null;
`},
		{WindowsCmd, longTerm, `set "AWS_ACCESS_KEY_ID=AKIAEXAMPLE"
set "AWS_SECRET_ACCESS_KEY=secret"
set "AWS_SESSION_TOKEN="
set "AWS_CREDENTIAL_EXPIRATION="
set "AWS_ACCOUNT_ID="
set "CROSSROLE_PROFILE="
set "AWS_PROFILE="
set "AWS_DEFAULT_PROFILE="
set "AWS_SECURITY_TOKEN="
set "AWS_SESSION_EXPIRATION="
set "CROSSROLE_SESSION_REGION="
`},
		{Dotenv, longTerm, "AWS_ACCESS_KEY_ID=AKIAEXAMPLE\nAWS_SECRET_ACCESS_KEY=secret\nAWS_SESSION_TOKEN=\n"},
		{GitLab, longTerm, "AWS_ACCESS_KEY_ID=AKIAEXAMPLE\nAWS_SECRET_ACCESS_KEY=secret\n"},
		{Process, plain(), `{"Version":1,"AccessKeyId":"ASIAEXAMPLEKEY000001","SecretAccessKey":"wJalr/XUtnFEMI+K7MDENG=bPxRfiCYEXAMPLEKEY",` +
			`"SessionToken":"FwoGZXIvYXdzEBYaDK//token+with/slashes==","Expiration":"` + expires + `","AccountId":"222222222222"}` + "\n"},
		{Process, longTerm, `{"Version":1,"AccessKeyId":"AKIAEXAMPLE","SecretAccessKey":"secret"}` + "\n"},
	}
	for _, tt := range tests {
		got, err := Render(tt.format, tt.c)
		if err != nil || got != tt.want {
			t.Errorf("%s of %v: %v, got\n%s\nwant\n%s", tt.format, tt.c, err, got, tt.want)
		}
	}
}

func TestQuotedTexts(t *testing.T) {
	tests := []struct{ format, value, want string }{
		{PowerShell, "it's", `'it''s'`},
		{PowerShell, "’", `''+[char]0x2019`},
		{PowerShell, "a\n‘$x`n\"", `'a'+[char]0x000a+[char]0x2018+'$x` + "`" + `n"'`},
		{PowerShell, "\U0001f600", `''+[char]0xd83d+[char]0xde00`},
		{Dotenv, "A B", `'A B'`},
		{Dotenv, "it's", `"it's"`},
		{Dotenv, "$(x) `y`", "'$(x) `y`'"},
		{Nushell, "a\"\\\x1b$(x)", `"a\"\\\u{1b}$(x)"`},
		{Fish, "a'\\\n", `'a\'\\'\X0a`},
		{WindowsCmd, "a&b|c^d<e>(f) g", `a&b|c^d<e>(f) g"`},
	}
	for _, tt := range tests {
		got, err := Render(tt.format, named(tt.value))
		if err != nil || !strings.Contains(got, tt.want) {
			t.Errorf("%s of %q: %v, no %s in\n%s", tt.format, tt.value, err, tt.want, got)
		}
	}
}

// Every format has values that it can't express: a NUL at least.
func TestRefusedValues(t *testing.T) {
	refused := map[string][]string{
		Env:         {"a\x00"},
		EnvNoExport: {"a\x00"},
		Fish:        {"\x00"},
		PowerShell:  {"\x00", "\xff"},
		WindowsCmd:  {"\x00", "%PATH%", "!x!", `a"b`, "a\nb", "a\rb", "\x1a", "é", "\xff"},
		Nushell:     {"\x00", "\xff"},
		Dotenv:      {"\x00", "\xff", "a\nb", "a\rb", "\x1b", `a\b`, "${HOME}", `it's $(x)`, "it's `x`", `it's "x"`},
		Process:     {"\x00", "\xff"},
		JSON:        {"\x00", "\xff"},
		GitLab:      {"\x00", "\xff", "a\nb", "A B", "'a'", `"`, "$x", `\`, "\x1b"},
	}
	for _, format := range Formats() {
		if refused[format] == nil && format != GitHub { // which has two texts: below
			t.Errorf("%s: what can it not express?", format)
		}
	}
	for format, values := range refused {
		for _, value := range values {
			c := plain()
			c.SessionToken = value
			text, err := Render(format, c)
			bad, ok := errors.AsType[*ValueError](err)
			if !ok || text != "" || bad.Format != format || bad.Variable != "AWS_SESSION_TOKEN" {
				t.Errorf("%s of %q: %v, text %q", format, value, err, text)
				continue
			}
			if len(value) > 2 && strings.Contains(err.Error(), value) || len(bad.Hints()) == 0 {
				t.Errorf("%s of %q: %v shows the value or has no hint", format, value, err)
			}
		}
	}
	if _, _, err := GitHubFiles(named("\x00"), rand.Reader); !errors.As(err, new(*ValueError)) {
		t.Errorf("github of a NUL: %v", err)
	}
}

func TestRenderKnowsItsFormats(t *testing.T) {
	for _, name := range Formats() {
		text, err := Render(name, plain())
		switch {
		case name == GitHub && !errors.Is(err, ErrTwoTexts):
			t.Errorf("github: %v", err)
		case name != GitHub && (err != nil || !strings.HasSuffix(text, "\n")):
			t.Errorf("%s: %v, %q", name, err, text)
		}
	}
	_, err := Render("csh\x1b", plain())
	bad, ok := errors.AsType[*FormatError](err)
	if !ok || strings.Contains(err.Error(), "\x1b") || !strings.Contains(bad.Hints()[0], "env-no-export") {
		t.Errorf("an unknown format: %v", err)
	}
}

func TestDocument(t *testing.T) {
	text, err := Render(JSON, plain())
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"version": 1.0, "profile": "prod", "account": "222222222222", "arn": "arn:aws:sts::222222222222:assumed-role/RoleB/me",
		"region": "eu-west-1", "expires_at": "2026-03-01T12:00:00Z",
	}
	for key, value := range want {
		if got[key] != value {
			t.Errorf("%s is %v, want %v", key, got[key], value)
		}
	}
	environment := got["environment"].(map[string]any)
	if value, there := environment["AWS_PROFILE"]; value != nil || !there || environment["AWS_REGION"] != "eu-west-1" {
		t.Errorf("environment is %v", environment)
	}
	text, _ = Render(JSON, Credentials{AccessKeyID: "a", SecretAccessKey: "b"})
	for _, key := range []string{"profile", "account", "arn", "region", "expires_at", "session_token"} {
		if !strings.Contains(text, `"`+key+`": null`) {
			t.Errorf("%s is not null in %s", key, text)
		}
	}
}

// Nothing is kept of a fraction of a second: a session never seems to last
// longer than it does.
func TestExpirationIsNeverLate(t *testing.T) {
	c := plain()
	c.Expires = time.Date(2026, 1, 1, 0, 0, 0, 999_999_999, time.UTC)
	if text, _ := Render(Process, c); !strings.Contains(text, `"Expiration":"2026-01-01T00:00:00Z"`) {
		t.Errorf("got %s", text)
	}
}

func TestGitHubFiles(t *testing.T) {
	c := plain()
	c.SessionToken = ""
	c.SecretAccessKey = "50%\r\n::set-env"
	masks, env, err := GitHubFiles(c, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if want := "::add-mask::ASIAEXAMPLEKEY000001\n::add-mask::50%25%0D%0A::set-env\n"; masks != want {
		t.Errorf("masks are %q, want %q", masks, want)
	}
	got := readGitHub(t, env)
	if token, there := got["AWS_SESSION_TOKEN"]; token != "" || !there {
		t.Errorf("AWS_SESSION_TOKEN is %q (there: %v), want it empty, to clear an old one", token, there)
	}
	for _, name := range rivals {
		if _, there := got[name]; there {
			t.Errorf("%s is in the file: empty, it breaks botocore", name)
		}
	}
	if _, again, _ := GitHubFiles(c, rand.Reader); again == env {
		t.Error("the delimiters are the same at each call")
	}
	broken := errors.New("no entropy")
	if masks, env, err := GitHubFiles(c, iotest.ErrReader(broken)); !errors.Is(err, broken) || masks+env != "" {
		t.Errorf("without entropy: %v, %q, %q", err, masks, env)
	}
}

// A delimiter that a value holds would end it early: another is taken.
func TestGitHubDelimiterInAValue(t *testing.T) {
	first := strings.Repeat("a", delimiterBytes)
	c := named("crossrole_" + strings.Repeat("61", delimiterBytes) + "\nAWS_PROFILE=evil")
	_, env, err := GitHubFiles(c, strings.NewReader(strings.Repeat(first, 6)+strings.Repeat("b", 200)))
	if err != nil {
		t.Fatal(err)
	}
	if got := readGitHub(t, env)["CROSSROLE_PROFILE"]; got != c.Profile {
		t.Errorf("read as %q", got)
	}
}

func TestSecretsAreHidden(t *testing.T) {
	c := plain()
	c.SecretAccessKey, c.SessionToken = "canarysecret", "canarytoken"
	values := []any{c, &c, []Credentials{c}, Variables(c), Variables(c)[1], map[string]Credentials{"x": c}}
	set, _ := Section(c)
	values = append(values, set, set[1])
	var logs bytes.Buffer
	for _, value := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			logs.WriteString(fmt.Sprintf(verb, value) + "\n")
		}
		slog.New(slog.NewJSONHandler(&logs, nil)).Info("x", "value", value)
		slog.New(slog.NewTextHandler(&logs, nil)).Info("x", "value", value)
		marshalled, _ := json.Marshal(value)
		logs.Write(marshalled)
	}
	for _, secret := range []string{"canary", fmt.Sprintf("%x", "canary"), fmt.Sprintf("%X", "canary")} {
		if strings.Contains(logs.String(), secret) {
			t.Errorf("%q is shown in %s", secret, logs.String())
		}
	}
}

func TestSection(t *testing.T) {
	set, remove := Section(plain())
	var got []string
	for _, p := range set {
		got = append(got, p.Key+"="+p.Value)
	}
	want := []string{
		"aws_access_key_id=ASIAEXAMPLEKEY000001", "aws_secret_access_key=wJalr/XUtnFEMI+K7MDENG=bPxRfiCYEXAMPLEKEY",
		"aws_session_token=FwoGZXIvYXdzEBYaDK//token+with/slashes==", "aws_account_id=222222222222",
		"x_security_token_expires=2026-03-01T12:00:00Z", "x_principal_arn=arn:aws:sts::222222222222:assumed-role/RoleB/me", "region=eu-west-1",
	}
	if !slices.Equal(got, want) || !slices.Equal(remove, []string{"aws_security_token"}) {
		t.Errorf("got %q and without %q", got, remove)
	}
	set, remove = Section(Credentials{AccessKeyID: "a", SecretAccessKey: "b"})
	if len(set) != 2 || !slices.Contains(remove, "aws_session_token") || !slices.Contains(remove, "x_security_token_expires") || slices.Contains(remove, "region") {
		t.Errorf("of long-term keys: %v and without %q", set, remove)
	}
}
