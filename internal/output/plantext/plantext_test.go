package plantext

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"crossrole/internal/assume"
	"crossrole/internal/profile"
)

func example(t *testing.T) assume.Plan {
	t.Helper()
	role, err := assume.ParseRoleARN("arn:aws:iam::222222222222:role/B")
	if err != nil {
		t.Fatal(err)
	}
	return assume.Plan{
		Profile: "b\x1b", Source: profile.Source{Kind: profile.SourceStatic, Profile: "me"},
		MFASession: &assume.MFASession{Serial: "arn:aws:iam::111111111111:mfa/me", Duration: time.Hour, Profile: "b"},
		Calls: []assume.Call{{
			Role: role, Profile: "b", SessionName: "s", ExternalID: "x1", Duration: 15 * time.Minute, Policy: `{"Version":"2012-10-17"}`,
			Tags: []assume.Tag{{Key: "z", Value: "1"}, {Key: "a\n", Value: "2"}}, TransitiveTags: []string{"z"},
		}},
		Where: assume.Where{Region: "eu-west-1", Endpoint: "http://127.0.0.1:1"},
	}
}

func TestWrite(t *testing.T) {
	var b strings.Builder
	if err := Write(&b, example(t)); err != nil {
		t.Fatal(err)
	}
	want := `profile    "b\x1b"
source     static of profile me
call 1     sts:GetSessionToken
             MFA arn:aws:iam::111111111111:mfa/me
             duration 3600 s
call 2     sts:AssumeRole arn:aws:iam::222222222222:role/B
             session name s
             external ID x1
             transitive tags z
             session policy {"Version":"2012-10-17"}
             tag "a\n"=2
             tag z=1
             duration 900 s
region     eu-west-1 (from the role's partition)
endpoint   http://127.0.0.1:1 (from the role's partition)
asks for   MFA code of arn:aws:iam::111111111111:mfa/me
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestJSON(t *testing.T) {
	raw, err := json.Marshal(New(example(t)))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		`"version":1`, `"source":{"kind":"static","profile":"me"}`, `"calls":[{"action":"sts:GetSessionToken","profile":"b","mfa_serial"`,
		`"session_tags":{"a\n":"2","z":"1"}`, `"session_policy":{"Version":"2012-10-17"}`, `"warnings":[]`,
	} {
		if !strings.Contains(string(raw), part) {
			t.Errorf("%s is missing in %s", part, raw)
		}
	}
}
