package explain

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"crossrole/internal/assume"
	"crossrole/internal/policy"
)

// held are files in memory.
type held map[string]string

var errNoFile = errors.New("no such file")

func (h held) Read(file string) ([]byte, error) {
	if text, ok := h[file]; ok {
		return []byte(text), nil
	}
	return nil, errNoFile
}

type inMemory struct{ *strings.Reader }

func (inMemory) Close() error { return nil }

func (h held) Open(file string) (io.ReadSeekCloser, error) {
	text, ok := h[file]
	if !ok {
		return nil, errNoFile
	}
	return inMemory{strings.NewReader(text)}, nil
}

func TestAnswer(t *testing.T) {
	files := held{
		"trust": letsIn(home), "all": mayAll, "ec2": onlyEC2, "rcp": denyAll, "broken": "{",
		"app.json": `{"RoleDetailList":[{"RoleName":"Far","Path":"/app/","Arn":"` + strings.Replace(farRole, "role/", "role/app/", 1) + `","AssumeRolePolicyDocument":` + letsIn(home) + `}]}`,
		"far.json": `{"RoleDetailList":[{"RoleName":"Far","Path":"/","Arn":"` + farRole + `","AssumeRolePolicyDocument":` + letsIn(home) + `}]}`,
	}
	question := func(change func(*Question)) *Question {
		q := &Question{Caller: policy.Caller{ARN: alice}, RoleARN: farRole, Trust: "trust", Identity: []string{"all"}, Now: time.Unix(0, 0)}
		change(q)
		return q
	}
	for _, tt := range []struct {
		name   string
		change func(*Question)
		want   policy.Decision
	}{
		{"both allow", func(*Question) {}, policy.DecisionAllow},
		{"a snapshot's trust policy", func(q *Question) { q.Trust, q.Accounts = "", []string{"far.json"} }, policy.DecisionAllow},
		{"nobody told of the caller", func(q *Question) { q.Trust, q.Identity, q.Accounts = "", nil, []string{"far.json"} }, DecisionUnknown},
		{"the session policy", func(q *Question) {
			q.Session = "ec2"
			q.Caller = policy.Caller{ARN: "arn:aws:sts::" + home + ":assumed-role/Hop/x", PrincipalARN: hopRole}
		}, policy.DecisionDeny},
		{"an SCP of one level", func(q *Question) { q.SCPs = []string{"root=all", "ou=ec2"} }, policy.DecisionDeny},
		{"SCPs of one level", func(q *Question) { q.SCPs = []string{"all", "ec2"} }, policy.DecisionAllow},
		{"an RCP", func(q *Question) { q.RCPs = []string{"rcp"} }, policy.DecisionDeny},
		{"a tag needs its own action", func(q *Question) { q.Call.Tags = []assume.Tag{{Key: "a", Value: "b"}} }, policy.DecisionDeny},
		{"a policy that is none", func(q *Question) { q.Trust = "broken" }, policy.DecisionInvalid},
		{"a caller that is none", func(q *Question) { q.Caller.ARN, q.Accounts = "alice", []string{"far.json"} }, policy.DecisionInvalid},
		{"another role's path", func(q *Question) {
			q.Accounts, q.Trust = []string{"app.json"}, ""
		}, policy.DecisionDeny},
	} {
		t.Run(tt.name, func(t *testing.T) {
			found, err := question(tt.change).Answer(files)
			if err != nil || found.Decision != tt.want {
				t.Fatalf("%s, %v, want %s", found.Decision, err, tt.want)
			}
			var text, shape bytes.Buffer
			if err := errors.Join(found.Text(&text, bare{}, true), found.JSON(&shape)); err != nil || text.Len() == 0 || !json.Valid(shape.Bytes()) {
				t.Errorf("%v: %q, %q", err, text.String(), shape.String())
			}
		})
	}
	for name, change := range map[string]func(*Question){
		"trust":   func(q *Question) { q.Trust = "none" },
		"level":   func(q *Question) { q.SCPs = []string{"ou=none"} },
		"account": func(q *Question) { q.Accounts = []string{"none"} },
	} {
		if _, err := question(change).Answer(files); !errors.Is(err, errNoFile) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var config *ConfigError
	if _, err := question(func(q *Question) { q.Accounts = []string{"broken"} }).Answer(files); !errors.As(err, &config) || len(config.Hints()) != 1 {
		t.Errorf("a snapshot that is none: %v", err)
	}
}

func TestContextOfAQuestion(t *testing.T) {
	q := &Question{
		Call: assume.Call{ExternalID: "x1", SessionName: "s", Tags: []assume.Tag{{Key: "a", Value: "b"}}, TransitiveTags: []string{"a"}},
		MFA:  true, Organization: &policy.Organization{ID: "o-1"}, Now: time.Unix(1, 0),
		Context: policy.Context{"STS:externalid": policy.One("x2"), "aws:SourceIp": policy.One("192.0.2.1")},
	}
	ctx := q.context(policy.Caller{ARN: alice})
	for key, want := range map[string]string{
		"sts:ExternalId": "x2", "sts:RoleSessionName": "s", "aws:RequestTag/a": "b", "aws:TagKeys": "a", "sts:TransitiveTagKeys": "a", "aws:PrincipalOrgID": "o-1",
		"aws:MultiFactorAuthPresent": "true", "aws:SourceIp": "192.0.2.1", "aws:EpochTime": "1", "aws:PrincipalArn": alice,
	} {
		if v, ok := ctx.Get(key); !ok || v.Values[0] != want {
			t.Errorf("%s: %v, want %s", key, v, want)
		}
	}
}

func TestRequestErrors(t *testing.T) {
	var config *ConfigError
	if _, err := Request(strings.NewReader("{"), "r.json"); !errors.As(err, &config) || !strings.Contains(err.Error(), "r.json") {
		t.Errorf("%v", err)
	}
}
