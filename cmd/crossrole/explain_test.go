package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"crossrole/internal/policy"
)

// ran is what one command line did.
type ran struct {
	code     int
	out, err string
}

// runApp runs a command line with this stdin and these variables: no terminal, no other environment, a home of its own.
func runApp(t *testing.T, stdin string, env map[string]string, args ...string) ran {
	t.Helper()
	home := t.TempDir()
	getenv := func(name string) string {
		if name == "HOME" || name == "USERPROFILE" {
			if env[name] == "" {
				return home
			}
		}
		return env[name]
	}
	var out, errs bytes.Buffer
	a := &app{
		in: strings.NewReader(stdin), out: &out, err: &errs, getenv: getenv, environ: func() []string { return nil },
		now:           time.Now,
		openTerminal:  func() (*terminal, error) { return nil, errors.New("no terminal here") },
		outIsTerminal: func() bool { return false },
	}
	code := execute(context.Background(), a, args)
	return ran{code, out.String(), errs.String()}
}

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

const (
	allowRole  = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"%s"}]}`
	denyRole   = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"sts:AssumeRole","Resource":"%s"}]}`
	readOnly   = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:Get*","ec2:Describe*"],"Resource":"*"}]}`
	powerUser  = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","NotAction":["iam:*","organizations:*","account:*"],"Resource":"*"}]}`
	trustOne   = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"%s"},"Action":"sts:AssumeRole"}]}`
	aSan       = "arn:aws:iam::111111111111:user/A-san"
	homeRoot   = "arn:aws:iam::111111111111:root"
	switchRole = "arn:aws:iam::111111111111:role/SwitchRole"
	farRole    = "arn:aws:iam::222222222222:role/SwitchRole"
)

func requestJSON(role, identity, trust string) string {
	identity = strings.ReplaceAll(identity, "%s", role)
	return fmt.Sprintf(`{"caller":{"arn":%q},"organization":null,"role_arn":%q,"actions":["sts:AssumeRole"],"context":{},
 "trust_policy":%s,"identity_policies":[{"name":"P","policy":%s}],"permissions_boundary":null,"session_policy":null,"scps":[],"rcps":[]}`,
		aSan, role, fmt.Sprintf(trustOne, trust), identity)
}

// TestExplainWhoMustAllow is the experiment of one account, row by row, and its counterpart across accounts.
func TestExplainWhoMustAllow(t *testing.T) {
	tests := []struct {
		name, role, identity, trust string
		code                        int
		decision                    policy.Decision
		explicit                    bool
		missing                     []policy.Side
	}{
		{"1: only ReadOnlyAccess, trust names the account", switchRole, readOnly, homeRoot, 4, policy.DecisionDeny, false, []policy.Side{policy.SideIdentity}},
		{"2: Allow, trust names the account", switchRole, allowRole, homeRoot, 0, policy.DecisionAllow, false, nil},
		{"3: Allow, trust names the user", switchRole, allowRole, aSan, 0, policy.DecisionAllow, false, nil},
		{"4: nothing, trust names the user", switchRole, readOnly, aSan, 0, policy.DecisionAllow, false, nil},
		{"5: PowerUserAccess, trust names the account", switchRole, powerUser, homeRoot, 0, policy.DecisionAllow, false, nil},
		{"+: Deny, trust names the user", switchRole, denyRole, aSan, 4, policy.DecisionDeny, true, nil},
		{"across accounts: nothing, trust names the user", farRole, readOnly, aSan, 4, policy.DecisionDeny, false, []policy.Side{policy.SideIdentity}},
		{"across accounts: both", farRole, allowRole, aSan, 0, policy.DecisionAllow, false, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := requestJSON(tt.role, tt.identity, tt.trust)
			fromStdin := runApp(t, text, nil, "explain", "--request", "-", "--format", "json")
			fromFile := runApp(t, "", nil, "explain", "--request", writeFile(t, "request.json", text), "--format", "json")
			checkDecision(t, fromStdin, tt.code, tt.decision, tt.explicit, tt.missing)
			checkDecision(t, fromFile, tt.code, tt.decision, tt.explicit, tt.missing)

			dir := t.TempDir()
			byFlags := runApp(t, "", nil, "explain", "--caller", aSan, "--role-arn", tt.role, "--format", "json",
				"--trust-policy", writeIn(t, dir, "trust.json", fmt.Sprintf(trustOne, tt.trust)),
				"--identity-policy", writeIn(t, dir, "P.json", strings.ReplaceAll(tt.identity, "%s", tt.role)))
			checkDecision(t, byFlags, tt.code, tt.decision, tt.explicit, tt.missing)
		})
	}
}

func writeIn(t *testing.T, dir, name, text string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func checkDecision(t *testing.T, r ran, code int, decision policy.Decision, explicit bool, missing []policy.Side) {
	t.Helper()
	if r.code != code || r.err != "" {
		t.Errorf("exit %d, stderr %q; want %d and nothing", r.code, r.err, code)
	}
	var got policy.Result
	if err := json.Unmarshal([]byte(r.out), &got); err != nil {
		t.Fatalf("stdout is no JSON: %v: %q", err, r.out)
	}
	if got.Decision != decision || got.Explicit != explicit {
		t.Errorf("decision %s, explicit %v; want %s, %v", got.Decision, got.Explicit, decision, explicit)
	}
	if len(got.Reasons) == 0 || len(got.Trace) == 0 {
		t.Errorf("no reasons or no trace: %s", r.out)
	}
	var sides []policy.Side
	for _, m := range got.Missing {
		sides = append(sides, m.Side)
	}
	if !reflect.DeepEqual(sides, missing) {
		t.Errorf("missing on %v, want %v", sides, missing)
	}
}

// TestExplainJSONShape holds the documented members: no more, no less, and no null lists.
func TestExplainJSONShape(t *testing.T) {
	for _, identity := range []string{allowRole, readOnly, denyRole, `{"Statement":[]}`} {
		r := runApp(t, requestJSON(farRole, identity, aSan), nil, "explain", "--request", "-", "--format", "json")
		var got map[string]json.RawMessage
		if err := json.Unmarshal([]byte(r.out), &got); err != nil {
			t.Fatalf("%v: %q", err, r.out)
		}
		for _, name := range []string{"decision", "explicit", "reasons", "missing", "warnings", "trace"} {
			if text := string(got[name]); text == "" || text == "null" {
				t.Errorf("member %q is %q", name, text)
			}
			delete(got, name)
		}
		if len(got) > 0 {
			t.Errorf("unknown members: %v", got)
		}
	}
}

func TestExplainInvalid(t *testing.T) {
	bare := `{"caller":{"arn":"` + aSan + `"},"role_arn":"` + farRole + `","context":{},"trust_policy":`
	tests := []struct{ name, request, why string }{
		{"a principal that AWS refuses", bare + `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:user/*"},"Action":"sts:AssumeRole"}]}}`, "principal"},
		{"Resource in a trust policy", bare + `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"sts:AssumeRole","Resource":"*"}]}}`, "Resource"},
		{"a policy that is a number", bare + `7}`, "object"},
		{"a caller that is none", strings.Replace(bare, aSan, "arn:aws:iam::1111:user/x", 1) + `{"Statement":[]}}`, "caller.arn"},
		{"a role that is a user", strings.Replace(bare, "role/SwitchRole", "user/x", 1) + `{"Statement":[]}}`, "role_arn"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := runApp(t, tt.request, nil, "explain", "--request", "-", "--format", "json")
			if r.code != 3 || r.err != "" {
				t.Errorf("exit %d, stderr %q; want 3 and nothing", r.code, r.err)
			}
			var got policy.Result
			if err := json.Unmarshal([]byte(r.out), &got); err != nil {
				t.Fatalf("%v: %q", err, r.out)
			}
			if got.Decision != policy.DecisionInvalid || len(got.Reasons) == 0 || !strings.Contains(strings.ToLower(got.Reasons[0].Why), strings.ToLower(tt.why)) {
				t.Errorf("%+v, want invalid because of %q", got, tt.why)
			}
			if text := runApp(t, tt.request, nil, "explain", "--request", "-"); text.code != 3 || !strings.HasPrefix(text.out, "INVALID") {
				t.Errorf("as text: exit %d, %q", text.code, text.out)
			}
		})
	}
}

// TestExplainUnreadable: what can't be read is an error like any other, so stdout stays empty.
func TestExplainUnreadable(t *testing.T) {
	trust := writeFile(t, "t.json", fmt.Sprintf(trustOne, aSan))
	tests := []struct {
		name, stdin string
		code        int
		args        []string
	}{
		{"no JSON", "{", 3, []string{"--request", "-"}},
		{"a list", "[]", 3, []string{"--request", "-"}},
		{"nothing", "", 3, []string{"--request", "-"}},
		{"an unknown member", `{"cllr":{}}`, 3, []string{"--request", "-"}},
		{"no such request file", "", 3, []string{"--request", filepath.Join(t.TempDir(), "none\x1b[31m.json")}},
		{"no such policy file", "", 3, []string{"--caller", aSan, "--role-arn", farRole, "--trust-policy", "none.json"}},
		{"no such snapshot", "", 3, []string{"--caller", aSan, "--role-arn", farRole, "--account", "none.json"}},
		{"a folder as snapshot", "", 3, []string{"--caller", aSan, "--role-arn", farRole, "--account", t.TempDir()}},
		{"a snapshot that is none", "", 3, []string{"--caller", aSan, "--role-arn", farRole, "--account", writeFile(t, "a.json", "[]")}},
		{"a snapshot of somebody else", "", 3, []string{"--caller", aSan, "--role-arn", farRole, "--account", writeFile(t, "a.json", "{}")}},
		{"a folder as request", "", 3, []string{"--request", t.TempDir()}},
		{"nothing to explain from", "", 2, []string{"--caller", aSan}},
		{"request and caller", "{}", 2, []string{"--request", "-", "--caller", aSan}},
		{"a context without value", "", 2, []string{"--caller", aSan, "--role-arn", farRole, "--trust-policy", trust, "--context", "aws:SourceIp"}},
		{"a tag without value", "", 2, []string{"--caller", aSan, "--role-arn", farRole, "--trust-policy", trust, "--tag", "x"}},
		{"a format of another command", "{}", 2, []string{"--request", "-", "--format", "env"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, format := range []string{"text", "json"} {
				args := append([]string{"explain", "--format", format}, tt.args...)
				r := runApp(t, tt.stdin, nil, args...)
				if r.code != tt.code || r.out != "" {
					t.Errorf("%s: exit %d, stdout %q; want %d and nothing", format, r.code, r.out, tt.code)
				}
				line, _, _ := strings.Cut(r.err, "\n")
				if !strings.HasPrefix(line, "crossrole: ") || strings.ContainsRune(r.err, '\x1b') {
					t.Errorf("%s: stderr %q", format, r.err)
				}
			}
		})
	}
}

// TestExplainText is what a tired person sees: places, near misses, and what to paste.
func TestExplainText(t *testing.T) {
	dir := t.TempDir()
	trust := writeIn(t, dir, "trust.json", `{
  "Version": "2012-10-17",
  "Statement": [
    {"Sid": "Partner", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111111111111:user/team/A-san"}, "Action": "sts:AssumeRole"}
  ]
}`)
	passes := writeIn(t, dir, "pass.json", strings.ReplaceAll(strings.ReplaceAll(allowRole, "%s", farRole), "sts:AssumeRole", "iam:PassRole"))
	r := runApp(t, "", nil, "explain", "--caller", aSan, "--role-arn", farRole, "--trust-policy", trust, "--identity-policy", passes)
	if r.code != 4 || !strings.HasPrefix(r.out, "DENIED  "+aSan+" may not call sts:AssumeRole on "+farRole+"\n") {
		t.Fatalf("exit %d: %s", r.code, r.out)
	}
	for _, want := range []string{
		trust + ":4:5: trust policy, statement Partner: the principal", "by its path", "iam:PassRole", "sts:AssumeRole was meant",
		"add this to the trust policy of " + farRole + " (account 222222222222)",
		"attach this to " + aSan + " (account 111111111111), for example as AssumeRoleForSwitchRole",
	} {
		if !strings.Contains(r.out, want) {
			t.Errorf("%q is missing in\n%s", want, r.out)
		}
	}
	for _, banned := range []string{"\x1b", `"*"`} {
		if strings.Contains(r.out, banned) {
			t.Errorf("%q in\n%s", banned, r.out)
		}
	}
}

// TestExplainFixesWork pastes what was shown as missing and asks again.
func TestExplainFixesWork(t *testing.T) {
	dir := t.TempDir()
	args := []string{"explain", "--caller", aSan, "--role-arn", farRole, "--format", "json", "--external-id", "ExternalId123"}
	r := runApp(t, "", nil, append(args, "--trust-policy", writeIn(t, dir, "t.json", `{"Version":"2012-10-17","Statement":[]}`))...)
	if r.code == 0 {
		t.Fatal("nothing allows, and it is allowed")
	}
	r = runApp(t, "", nil, append(args, "--trust-policy", writeIn(t, dir, "t.json", fmt.Sprintf(trustOne, "arn:aws:iam::333333333333:root")))...)
	var got policy.Result
	if err := json.Unmarshal([]byte(r.out), &got); err != nil || len(got.Missing) != 2 {
		t.Fatalf("%v: %s", err, r.out)
	}
	for _, m := range got.Missing {
		flag := map[policy.Side]string{policy.SideTrust: "--trust-policy", policy.SideIdentity: "--identity-policy"}[m.Side]
		args = append(args, flag, writeIn(t, dir, string(m.Side)+".json", string(m.Document)))
	}
	if r := runApp(t, "", nil, args...); r.code != 0 {
		t.Errorf("with what was missing: exit %d: %s", r.code, r.out)
	}
}

func TestExplainSendsWhatIsAskedFor(t *testing.T) {
	trust := writeFile(t, "t.json", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"sts:AssumeRole",
	  "Condition":{"StringEquals":{"sts:ExternalId":"ExternalId123"},"Bool":{"aws:MultiFactorAuthPresent":"true"}}}]}`)
	identity := writeFile(t, "i.json", strings.ReplaceAll(allowRole, "%s", farRole))
	args := []string{"explain", "--caller", aSan, "--role-arn", farRole, "--trust-policy", trust, "--identity-policy", identity}
	r := runApp(t, "", nil, args...)
	if r.code != 4 || !strings.Contains(r.out, "external_id = ExternalId123") || !strings.Contains(r.out, "mfa_serial") || strings.Contains(r.out, `"Statement"`) {
		t.Errorf("exit %d: %s", r.code, r.out)
	}
	if r := runApp(t, "", nil, append(args, "--external-id", "ExternalId123", "--mfa")...); r.code != 0 {
		t.Errorf("sent: exit %d: %s", r.code, r.out)
	}
	byContext := append(args, "--context", "sts:externalid=ExternalId123", "--context", "aws:multifactorauthpresent=true")
	if r := runApp(t, "", nil, byContext...); r.code != 0 {
		t.Errorf("as context: exit %d: %s", r.code, r.out)
	}
}

func TestExplainTagsAndSourceIdentityAreAskedFor(t *testing.T) {
	trust := writeFile(t, "t.json", fmt.Sprintf(trustOne, aSan))
	args := []string{"explain", "--caller", aSan, "--role-arn", switchRole, "--trust-policy", trust, "--format", "json"}
	for flag, action := range map[string]string{"--tag=team=a": "sts:TagSession", "--source-identity=alice": "sts:SetSourceIdentity"} {
		if r := runApp(t, "", nil, append(args, flag)...); r.code != 4 || !strings.Contains(r.out, action) {
			t.Errorf("%s: exit %d: %s", flag, r.code, r.out)
		}
	}
}

func TestExplainLevelsOfSCPs(t *testing.T) {
	full := writeFile(t, "FullAWSAccess.json", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`)
	ec2 := writeFile(t, "ec2.json", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ec2:*","Resource":"*"}]}`)
	args := []string{
		"explain", "--caller", aSan, "--role-arn", farRole, "--trust-policy", writeFile(t, "t.json", fmt.Sprintf(trustOne, aSan)),
		"--identity-policy", writeFile(t, "i.json", strings.ReplaceAll(allowRole, "%s", farRole)),
	}
	for _, tt := range []struct {
		code int
		more []string
	}{
		{0, []string{"--scp", full, "--scp", ec2}},
		{0, []string{"--scp", "root=" + full, "--scp", "root=" + ec2}},
		{4, []string{"--scp", "root=" + full, "--scp", "ou=" + ec2}},
		{4, []string{"--scp", ec2}},
		{0, []string{"--scp", ec2, "--management-account", "111111111111"}},
	} {
		if r := runApp(t, "", nil, append(args, tt.more...)...); r.code != tt.code {
			t.Errorf("%v: exit %d, want %d: %s", tt.more, r.code, tt.code, r.out)
		}
	}
}

func TestExplainNamesKeysThatNobodyGave(t *testing.T) {
	trust := writeFile(t, "t.json", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"`+aSan+`"},"Action":"sts:AssumeRole",
	  "Condition":{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"},"StringEquals":{"aws:PrincipalTag/team":"a"}}}]}`)
	args := []string{"explain", "--caller", aSan, "--role-arn", switchRole, "--trust-policy", trust}
	r := runApp(t, "", nil, args...)
	if r.code != 4 || !strings.Contains(r.out, "--context aws:SourceIp=VALUE") || !strings.Contains(r.out, "--context aws:PrincipalTag/team=VALUE") {
		t.Errorf("exit %d: %s", r.code, r.out)
	}
	r = runApp(t, "", nil, append(args, "--context", "aws:SourceIp=192.0.2.7", "--context", "aws:PrincipalTag/team=a")...)
	if r.code != 0 || strings.Contains(r.out, "note:") {
		t.Errorf("given: exit %d: %s", r.code, r.out)
	}
}

func TestPainter(t *testing.T) {
	env := map[string]string{}
	a := &app{getenv: func(n string) string { return env[n] }, outIsTerminal: func() bool { return true }}
	if got := a.painter().Bad("DENIED"); !strings.Contains(got, "\x1b[") {
		t.Errorf("no colour on a terminal: %q", got)
	}
	for name, value := range map[string]string{"NO_COLOR": "1", "TERM": "dumb"} {
		env = map[string]string{name: value}
		if got := a.painter().Bad("DENIED"); got != "DENIED" {
			t.Errorf("%s=%s: %q", name, value, got)
		}
	}
	env, a.outIsTerminal = nil, func() bool { return false }
	if got := a.painter().Bad("DENIED"); got != "DENIED" {
		t.Errorf("piped: %q", got)
	}
}

// TestExplainRequestBesideEnvironment: variables that are set for other commands don't get in the way of a whole request.
func TestExplainRequestBesideEnvironment(t *testing.T) {
	env := map[string]string{"CROSSROLE_ROLE_ARN": "arn:aws:iam::999999999999:role/X", "CROSSROLE_EXTERNAL_ID": "other", "AWS_PROFILE": "none"}
	r := runApp(t, requestJSON(switchRole, allowRole, homeRoot), env, "explain", "--request", "-", "--format", "json")
	checkDecision(t, r, 0, policy.DecisionAllow, false, nil)
}
