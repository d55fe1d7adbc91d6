package assume

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"crossrole/internal/profile"
)

const roleARN = "arn:aws:iam::222222222222:role/app/RoleB"

// at gives a value an origin in a config file, so that errors can name it.
func at(text string) profile.Value {
	return profile.Value{Text: text, Origin: profile.Origin{File: "/home/u/.aws/config", Line: 7}}
}

func staticChain(hops ...profile.Hop) profile.Chain {
	return profile.Chain{Name: "prod", Hops: hops, Source: profile.Source{
		Kind: profile.SourceStatic, Profile: "user",
		Properties: map[string]profile.Value{"aws_access_key_id": at("AKIAEXAMPLE"), "aws_secret_access_key": at("s3cr3t")},
	}}
}

func hop(change func(*profile.Hop)) profile.Hop {
	h := profile.Hop{Profile: "prod", RoleARN: at(roleARN)}
	if change != nil {
		change(&h)
	}
	return h
}

func mustPlan(t *testing.T, c profile.Chain, o Overrides) Plan {
	t.Helper()
	if o.Who == "" {
		o.Who = "tester"
	}
	plan, err := NewPlan(c, o)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func TestPlanSendsWhatTheProfileSays(t *testing.T) {
	plan := mustPlan(t, staticChain(hop(func(h *profile.Hop) {
		h.ExternalID, h.DurationSeconds, h.SourceIdentity = at("ExternalId123"), at("7200"), at("alice")
		h.SessionTags = []profile.Pair{{Key: "team", Value: at("blue")}}
		h.TransitiveTags = []profile.Value{at("Team")}
	})), Overrides{Who: "José Ñ"})
	c := plan.Calls[0]
	if c.Role.String() != roleARN || c.ExternalID != "ExternalId123" || c.Duration != 2*time.Hour || c.SourceIdentity != "alice" {
		t.Errorf("call = %+v", c)
	}
	if len(c.Tags) != 1 || c.Tags[0] != (Tag{"team", "blue"}) || len(c.TransitiveTags) != 1 {
		t.Errorf("tags = %+v %v", c.Tags, c.TransitiveTags)
	}
	if checkName(c.SessionName) != nil || !strings.HasPrefix(c.SessionName, "crossrole-Jos") {
		t.Errorf("session name = %q", c.SessionName)
	}
	if plan.Where.Region != "us-east-1" {
		t.Errorf("region = %q", plan.Where.Region)
	}
}

func TestFlagsBeatTheProfile(t *testing.T) {
	plan := mustPlan(t, staticChain(hop(func(h *profile.Hop) {
		h.ExternalID, h.SessionName = at("fromprofile"), at("fromprofile")
		h.SessionTags = []profile.Pair{{Key: "Team", Value: at("blue")}, {Key: "cost", Value: at("1")}}
	})), Overrides{ExternalID: "fromflag", SessionName: "fromflag", Tags: []string{"team=red"}, Duration: "1h30m"})
	c := plan.Calls[0]
	if c.ExternalID != "fromflag" || c.SessionName != "fromflag" || c.Duration != 90*time.Minute {
		t.Errorf("call = %+v", c)
	}
	if got := fmt.Sprint(c.Tags); got != "[{cost 1} {team red}]" {
		t.Errorf("tags = %s", got)
	}
}

func TestRefusals(t *testing.T) {
	long := strings.Repeat("x", 2000)
	fifty1 := make([]profile.Pair, 51)
	for i := range fifty1 {
		fifty1[i] = profile.Pair{Key: fmt.Sprint("k", i), Value: at("v")}
	}
	cases := []struct {
		name string
		hop  func(*profile.Hop)
		over Overrides
		want string
	}{
		{"blank in ARN", func(h *profile.Hop) { h.RoleARN = at("arn:aws:iam::222222222222:role/a b") }, Overrides{}, "blank"},
		{"13 digits", func(h *profile.Hop) { h.RoleARN = at("arn:aws:iam::2222222222222:role/a") }, Overrides{}, "12 digits"},
		{"user", func(h *profile.Hop) { h.RoleARN = at("arn:aws:iam::222222222222:user/a") }, Overrides{}, "not a role"},
		{"session", func(h *profile.Hop) { h.RoleARN = at("arn:aws:sts::222222222222:assumed-role/a/b") }, Overrides{}, "session of a role"},
		{"no ARN", func(h *profile.Hop) { h.RoleARN = at("RoleB") }, Overrides{}, "six parts"},
		{"empty role name", func(h *profile.Hop) { h.RoleARN = at("arn:aws:iam::222222222222:role/") }, Overrides{}, "name"},
		{"external id", func(h *profile.Hop) { h.ExternalID = at("x") }, Overrides{}, "external_id"},
		{"long external id", func(h *profile.Hop) { h.ExternalID = at(long) }, Overrides{}, "1224"},
		{"newline in external id", func(h *profile.Hop) { h.ExternalID = at("ab\ncd") }, Overrides{}, `ab\ncd`},
		{"duration text", func(h *profile.Hop) { h.DurationSeconds = at("abc") }, Overrides{}, "duration_seconds"},
		{"duration low", func(h *profile.Hop) { h.DurationSeconds = at("899") }, Overrides{}, "900"},
		{"duration high", func(h *profile.Hop) { h.DurationSeconds = at("43201") }, Overrides{}, "43200"},
		{"duration unit in profile", func(h *profile.Hop) { h.DurationSeconds = at("1h") }, Overrides{}, "AWS CLI"},
		{"session name", func(h *profile.Hop) { h.SessionName = at("a b") }, Overrides{}, "role_session_name"},
		{"fido", func(h *profile.Hop) { h.MFASerial = at("arn:aws:iam::111111111111:u2f/user/a/b") }, Overrides{}, "FIDO"},
		{"tag key aws:", func(h *profile.Hop) { h.SessionTags = []profile.Pair{{Key: "aws:x", Value: at("v")}} }, Overrides{}, "aws:"},
		{"tag twice", func(h *profile.Hop) {
			h.SessionTags = []profile.Pair{{Key: "x", Value: at("v")}, {Key: "X", Value: at("v")}}
		}, Overrides{}, "twice"},
		{"too many tags", func(h *profile.Hop) { h.SessionTags = fifty1 }, Overrides{}, "50"},
		{"transitive of nothing", func(h *profile.Hop) { h.TransitiveTags = []profile.Value{at("x")} }, Overrides{}, "none of the session tags"},
		{"policy arn", func(h *profile.Hop) { h.PolicyARNs = []profile.Value{at("arn:aws:iam::aws:role/x")} }, Overrides{}, "managed policy"},
		{"tag flag", nil, Overrides{Tags: []string{"novalue"}}, "KEY=VALUE"},
		{"mfa code", nil, Overrides{MFACode: "12345"}, "--mfa-code"},
		{"endpoint", nil, Overrides{Endpoint: "sts.example"}, "--endpoint-url"},
		{"region", nil, Overrides{Region: "eu west"}, "--region"},
		{"partition", nil, Overrides{Region: "cn-north-1"}, "aws-cn"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			c.over.Who = "tester"
			_, err := NewPlan(staticChain(hop(c.hop)), c.over)
			var invalid *InvalidError
			if !errors.As(err, &invalid) || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("err = %v, want InvalidError with %q", err, c.want)
			}
			if strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("error is not one line: %q", err)
			}
			if c.hop != nil && !strings.Contains(err.Error(), "/home/u/.aws/config:7") {
				t.Errorf("error names no origin: %v", err)
			}
		})
	}
}

func TestChainedHopIsShortened(t *testing.T) {
	second := hop(func(h *profile.Hop) { h.DurationSeconds = at("7200") })
	plan := mustPlan(t, staticChain(hop(nil), second), Overrides{})
	if got := plan.Calls[1].Duration; got != time.Hour || len(plan.Warnings) != 1 {
		t.Errorf("duration = %v, warnings = %v", got, plan.Warnings)
	}
	single := mustPlan(t, staticChain(second), Overrides{SharedMFA: func(string) bool { return true }})
	if single.Calls[0].Duration != 2*time.Hour || len(single.Warnings) != 0 {
		t.Errorf("a user's own hop was shortened: %+v", single)
	}
}

func TestMFAOnASecondHopIsRefused(t *testing.T) {
	second := hop(func(h *profile.Hop) { h.MFASerial = at("arn:aws:iam::111111111111:mfa/u") })
	if _, err := NewPlan(staticChain(hop(nil), second), Overrides{Who: "t"}); err == nil || !strings.Contains(err.Error(), "mfa_serial") {
		t.Errorf("err = %v", err)
	}
}

func TestMFASessionOnlyWhereItGains(t *testing.T) {
	shared := func(string) bool { return true }
	withMFA := func(duration string) profile.Chain {
		return staticChain(hop(func(h *profile.Hop) {
			h.MFASerial = at("arn:aws:iam::111111111111:mfa/u")
			if duration != "" {
				h.DurationSeconds = at(duration)
			}
		}))
	}
	if p := mustPlan(t, withMFA(""), Overrides{SharedMFA: shared}); p.MFASession == nil || p.Calls[0].MFASerial != "" || !p.NeedsPerson() {
		t.Errorf("one code for many roles: %+v", p)
	}
	if p := mustPlan(t, withMFA("28800"), Overrides{SharedMFA: shared}); p.MFASession != nil || p.Calls[0].Duration != 8*time.Hour {
		t.Errorf("a long session must stay one AssumeRole with MFA: %+v", p)
	}
	if p := mustPlan(t, withMFA(""), Overrides{}); p.MFASession != nil {
		t.Errorf("nobody shares the device: %+v", p)
	}
}

// Everything that changes the answer changes the fingerprint.
func TestFingerprintCoversTheAnswer(t *testing.T) {
	env := map[string]string{}
	r, err := NewRunner(Where{}, Deps{Getenv: func(k string) string { return env[k] }})
	if err != nil {
		t.Fatal(err)
	}
	base := func() profile.Chain { return staticChain(hop(nil)) }
	last := func(c profile.Chain, o Overrides) Fingerprint {
		keys := r.Keys(mustPlan(t, c, o))
		return keys[len(keys)-1]
	}
	change := func(f func(*profile.Hop)) profile.Chain { return staticChain(hop(f)) }
	otherUser := base()
	otherUser.Source.Properties = map[string]profile.Value{"aws_access_key_id": at("AKIAOTHER"), "aws_secret_access_key": at("s3cr3t")}
	seen := map[Fingerprint]string{last(base(), Overrides{}): "base"}
	for name, got := range map[string]Fingerprint{
		"source user":     last(otherUser, Overrides{}),
		"role":            last(change(func(h *profile.Hop) { h.RoleARN = at("arn:aws:iam::222222222222:role/RoleB") }), Overrides{}),
		"external ID":     last(change(func(h *profile.Hop) { h.ExternalID = at("ab") }), Overrides{}),
		"duration":        last(change(func(h *profile.Hop) { h.DurationSeconds = at("900") }), Overrides{}),
		"session name":    last(base(), Overrides{SessionName: "other"}),
		"policy":          last(base(), Overrides{PolicyARNs: []string{"arn:aws:iam::aws:policy/ReadOnlyAccess"}}),
		"tags":            last(base(), Overrides{Tags: []string{"a=bc"}}),
		"tags shifted":    last(base(), Overrides{Tags: []string{"ab=c"}}),
		"transitive":      last(base(), Overrides{Tags: []string{"a=bc"}, TransitiveTags: []string{"a"}}),
		"source identity": last(base(), Overrides{SourceIdentity: "alice"}),
		"MFA serial":      last(base(), Overrides{MFASerial: "arn:aws:iam::111111111111:mfa/u"}),
		"region":          last(base(), Overrides{Region: "eu-west-1"}),
		"endpoint":        last(base(), Overrides{Endpoint: "http://127.0.0.1:1"}),
		"a hop more":      last(staticChain(hop(nil), hop(nil)), Overrides{}),
	} {
		if other, taken := seen[got]; taken {
			t.Errorf("%s and %s have the same fingerprint", name, other)
		}
		seen[got] = name
	}
	if first, again := last(base(), Overrides{}), last(base(), Overrides{}); first != again {
		t.Error("the same plan has two fingerprints")
	}
}

func TestSecretsNeverPrint(t *testing.T) {
	const canary = "c4n4ry-s3cr3t"
	s := Session{AccessKeyID: "ASIA1", SecretAccessKey: NewSecret(canary), SessionToken: NewSecret(canary)}
	raw, err := json.Marshal(struct {
		Session Session
		Secret  Secret
	}{s, s.SecretAccessKey})
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw) + s.String() + s.GoString() + s.LogValue().String()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		text += fmt.Sprintf(verb, s) + fmt.Sprintf(verb, &s) + fmt.Sprintf(verb, s.SecretAccessKey)
	}
	if strings.Contains(text, canary) || strings.Contains(text, fmt.Sprintf("%x", canary)) {
		t.Errorf("the secret was printed: %s", text)
	}
}
