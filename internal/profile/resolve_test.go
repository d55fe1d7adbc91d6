package profile

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const keysOf = "aws_access_key_id = A\naws_secret_access_key = B\n"

// TestSourceOrder holds which of several kinds of credentials a profile's
// are: the order in which the AWS CLI asks its providers.
func TestSourceOrder(t *testing.T) {
	sso := "sso_account_id = 1\nsso_role_name = R\nsso_start_url = https://x\nsso_region = r\n"
	web := "role_arn = arn:r\nweb_identity_token_file = /t\n"
	for _, c := range []struct {
		name, config, credentials string
		want                      SourceKind
	}{
		{"token file before all", web + sso + keysOf + "credential_process = x\n", "", SourceWebIdentity},
		{"a token file's role has no source profile", web + "source_profile = nope\n", "", SourceWebIdentity},
		{"sso before keys", sso + keysOf, keysOf, SourceSSO},
		{"keys of credentials before a process", "credential_process = x\nlogin_session = l\n", keysOf, SourceStatic},
		{"a login before a process", "credential_process = x\nlogin_session = l\n", "", SourceLogin},
		{"a process before keys of config", "credential_process = x\n" + keysOf, "", SourceProcess},
		{"keys of config", keysOf, "", SourceStatic},
		{"a process of the credentials file", "", "credential_process = x\n", SourceProcess},
		{"github", "role_arn = arn:r\nweb_identity_provider = github\n", "", SourceGitHub},
		{"nothing", "region = x\n", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := load(t, "[profile a]\n"+c.config+"[profile b]\nrole_arn = arn:b\nsource_profile = a\n", "[a]\n"+c.credentials)
			chain, err := s.Resolve("a")
			if err != nil || chain.Source.Kind != c.want || len(chain.Hops) != 0 {
				t.Errorf("a: %v with %d hops, %v; want %v", chain.Source.Kind, len(chain.Hops), err, c.want)
			}
			chain, err = s.Resolve("b")
			if c.want == "" {
				if e, ok := errors.AsType[*ConfigError](err); !ok || e.Reason != ReasonNoCredentials {
					t.Errorf("b: %v", err)
				}
				return
			}
			if err != nil || chain.Source.Kind != c.want || chain.Source.Profile != "a" || len(chain.Hops) != 1 {
				t.Errorf("b: %+v, %v", chain, err)
			}
		})
	}
}

func TestResolveErrors(t *testing.T) {
	for _, c := range []struct {
		name, config string
		reason       ConfigReason
		line         int
	}{
		{"neither source", "[profile a]\nrole_arn = r\n", ReasonNoSource, 2},
		{"own keys are no source", "[profile a]\nrole_arn = r\n" + keysOf, ReasonNoSource, 2},
		{"both sources", "[profile a]\nrole_arn = r\nsource_profile = b\ncredential_source = Environment\n[profile b]\n" + keysOf, ReasonTwoSources, 4},
		{"both, one of them empty", "[profile a]\nrole_arn = r\nsource_profile =\ncredential_source = Environment\n", ReasonTwoSources, 4},
		{"an empty role", "[profile a]\nrole_arn =\nsource_profile = b\n[profile b]\n" + keysOf, ReasonBadValue, 2},
		{"an empty source", "[profile a]\nrole_arn = r\nsource_profile =\n", ReasonBadValue, 3},
		{"credential_source is case-sensitive", "[profile a]\nrole_arn = r\ncredential_source = environment\n", ReasonUnknownSource, 3},
		{"no credentials", "[profile a]\nrole_arn = r\nsource_profile = b\n[profile b]\nregion = x\n", ReasonNoCredentials, 4},
		{"half", "[profile a]\nrole_arn = r\nsource_profile = b\n[profile b]\naws_access_key_id = A\n", ReasonHalfFilled, 4},
		{"a source's keys beat its role, even half of them", "[profile a]\nrole_arn = r\nsource_profile = b\n[profile b]\nrole_arn = r\nsource_profile = c\naws_access_key_id = A\n[profile c]\n" + keysOf, ReasonHalfFilled, 4},
		{"token without role", "[profile a]\nweb_identity_token_file = /t\n", ReasonNoRole, 2},
		{"an empty token file", "[profile a]\nrole_arn = r\nweb_identity_token_file =\n", ReasonNoSource, 3},
		{"a source without role", "[profile a]\nsource_profile = b\n[profile b]\n" + keysOf, ReasonNoRole, 2},
		{"an instance without role", "[profile a]\ncredential_source = Ec2InstanceMetadata\n", ReasonNoRole, 2},
		{"an sso-session that is not there", "[profile a]\nsso_session = s\nsso_account_id = 1\nsso_role_name = R\n", ReasonMissingSection, 2},
		{"an sso-session without url", "[profile a]\nsso_session = s\nsso_account_id = 1\nsso_role_name = R\n[sso-session s]\nsso_region = r\n", ReasonHalfFilled, 2},
		{"an sso-session that says otherwise", "[profile a]\nsso_session = s\nsso_region = q\nsso_account_id = 1\nsso_role_name = R\n[sso-session s]\nsso_region = r\nsso_start_url = u\n", ReasonContradiction, 3},
		{"sso without a role name", "[profile a]\nsso_account_id = 1\nsso_region = r\nsso_start_url = u\n", ReasonHalfFilled, 1},
		{"an sso-session alone gives no credentials to a hop", "[profile a]\nrole_arn = r\nsource_profile = b\n[profile b]\nsso_session = s\n[sso-session s]\nsso_region = r\nsso_start_url = u\n", ReasonHalfFilled, 4},
		{"services that are not there", "[profile a]\nservices = s\n" + keysOf, ReasonMissingSection, 2},
		{"an empty process", "[profile a]\ncredential_process =\n", ReasonBadValue, 2},
		{"another provider", "[profile a]\nrole_arn = r\nweb_identity_provider = gitlab\n", ReasonBadValue, 3},
		{"a tag without value", "[profile a]\nrole_arn = r\ncredential_source = Environment\nsession_tags = a\n", ReasonBadValue, 4},
		{"a role that goes on", "[profile a]\nrole_arn = r\n  source_profile = b\n", ReasonBadValue, 2},
		{"python's inheritance", "[DEFAULT]\nrole_arn = r\n[profile a]\n" + keysOf, ReasonInherited, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := load(t, c.config, "").Resolve("a")
			e, ok := errors.AsType[*ConfigError](err)
			if !ok || e.Reason != c.reason || e.Origin.Line != c.line {
				t.Fatalf("%v (%+v), want %s at line %d", err, e, c.reason, c.line)
			}
			if text := e.Error(); strings.Contains(text, "\n") || !strings.Contains(text, e.Origin.File) {
				t.Errorf("the error is %q", text)
			}
		})
	}
}

func TestInheritedIsFine(t *testing.T) {
	for _, config := range []string{
		"[DEFAULT]\nregion = r\n[profile a]\n" + keysOf,
		"[DEFAULT]\nsource_profile = x\n[profile a]\nrole_arn = r\nsource_profile = b\n[profile b]\nsource_profile = x\n" + keysOf,
	} {
		if _, err := load(t, config, "").Resolve("a"); err != nil {
			t.Error(err)
		}
	}
}

func TestCycles(t *testing.T) {
	role := func(name, source string) string {
		return "[profile " + name + "]\nrole_arn = r\nsource_profile = " + source + "\n"
	}
	for _, c := range []struct {
		config string
		want   []string
	}{
		{role("a", "b") + role("b", "a"), []string{"a", "b", "a"}},
		{role("a", "b") + role("b", "c") + role("c", "b"), []string{"b", "c", "b"}},
		{role("a", "a"), []string{"a", "a"}},
		{role("a", "b") + role("b", "b"), []string{"b", "b"}},
		{role("a", "b") + keysOf + role("b", "a"), []string{"a", "b", "a"}},
	} {
		_, err := load(t, c.config, "").Resolve("a")
		e, ok := errors.AsType[*CycleError](err)
		if !ok || !slices.Equal(e.Names, c.want) || !strings.Contains(err.Error(), strings.Join(c.want, "→")) {
			t.Errorf("%q: %v, want a cycle %v", c.config, err, c.want)
		}
	}
}

func TestSelfSource(t *testing.T) {
	chain, err := load(t, "[profile a]\nrole_arn = r\nsource_profile = a\n"+keysOf, "").Resolve("a")
	if err != nil || len(chain.Hops) != 1 || chain.Source.Kind != SourceStatic || chain.Source.Profile != "a" {
		t.Errorf("%+v, %v", chain, err)
	}
}

// What belongs to one hop is not inherited by another.
func TestHops(t *testing.T) {
	config := `[profile a]
role_arn = arn:a
source_profile = b
session_tags = Team=x, Cost = 1=2
transitive_session_tags = Team,Cost
session_policy_arns = p1,
  p2
session_policy_file = sub/p.json
mfa_process = code
[profile b]
role_arn = arn:b
source_profile = c
external_id = x
mfa_serial = m
duration_seconds = 900
role_session_name = n
source_identity = s
session_tags =
  Zeta = 1
  alpha = 2
[profile c]
` + keysOf + "region = r\n"
	s := load(t, config, "")
	chain, err := s.Resolve("a")
	if err != nil || len(chain.Hops) != 2 || chain.Settings.Region.Text != "r" {
		t.Fatalf("%+v, %v", chain, err)
	}
	b, a := chain.Hops[0], chain.Hops[1]
	if b.ExternalID.Text+b.MFASerial.Text+b.DurationSeconds.Text+b.SessionName.Text+b.SourceIdentity.Text != "xm900ns" || b.ExternalID.Origin.Line != 13 {
		t.Errorf("b is %+v", b)
	}
	if a.ExternalID.IsSet() || a.MFASerial.IsSet() || a.DurationSeconds.IsSet() || a.SessionName.IsSet() || a.SourceIdentity.IsSet() {
		t.Errorf("a inherits: %+v", a)
	}
	if len(b.SessionTags) != 2 || b.SessionTags[0].Key != "Zeta" || b.SessionTags[1].Value.Origin.Line != 20 {
		t.Errorf("tags of b: %+v", b.SessionTags)
	}
	if len(a.SessionTags) != 2 || a.SessionTags[1].Key != "Cost" || a.SessionTags[1].Value.Text != "1=2" || len(a.TransitiveTags) != 2 {
		t.Errorf("tags of a: %+v %+v", a.SessionTags, a.TransitiveTags)
	}
	if want := filepath.Join(filepath.Dir(s.Files().Config), "sub", "p.json"); a.PolicyFile.Text != want || len(a.PolicyARNs) != 2 || a.PolicyARNs[1].Text != "p2" {
		t.Errorf("policies of a: %+v %+v", a.PolicyFile, a.PolicyARNs)
	}
}

func TestUnknownProfile(t *testing.T) {
	config := "[profile production]\n[profile prod]\n[profile staging]\n[lost]\n[profile a]\nrole_arn = r\nsource_profile = stagin\n[profile x!y]\n"
	s := load(t, config, "")
	for name, near := range map[string][]string{
		"prdo": {"prod"}, "Staging": {"staging"}, "PROD": {"prod", "production"}, "zzz": nil, "": nil,
	} {
		_, err := s.Resolve(name)
		e, ok := errors.AsType[*UnknownProfileError](err)
		if !ok || !slices.Equal(e.Near(), near) {
			t.Errorf("%q: %v, near %v, want %v", name, err, e.Near(), near)
		}
	}
	_, err := s.Resolve("a")
	if e, ok := errors.AsType[*UnknownProfileError](err); !ok || e.From != "a" || e.Where.Line != 7 || !slices.Contains(e.Hints(), `did you mean "staging"?`) {
		t.Errorf("%v", err)
	}
	for name, line := range map[string]int{"lost": 4, "x!y": 8} {
		_, err := s.Resolve(name)
		if e, ok := errors.AsType[*UnknownProfileError](err); !ok || e.Almost.Line != line || e.AlmostReason == "" {
			t.Errorf("%s: its header is not named: %+v", name, e)
		}
	}
}

func TestSettings(t *testing.T) {
	config := `[profile a]
role_arn = r
source_profile = b
services = s
endpoint_url = http://profile
sts_regional_endpoints = legacy
ca_bundle = /ca
use_fips_endpoint = true
use_dualstack_endpoint = false
[profile b]
region = source
endpoint_url = http://source
` + keysOf + `[services s]
s3 =
  endpoint_url = http://s3
sts =
  endpoint_url = http://sts
[profile c]
region = own
ignore_configured_endpoint_urls = true
endpoint_url = http://profile
[profile d]
endpoint_url = http://profile
`
	for _, c := range []struct {
		name, profile, region, endpoint string
		env                             map[string]string
	}{
		{"the profile's", "a", "source", "http://sts", nil},
		{"own region", "c", "own", "", nil},
		{"own endpoint", "d", "", "http://profile", nil},
		{"environment", "a", "one", "http://one", map[string]string{"AWS_REGION": "one", "AWS_DEFAULT_REGION": "two", "AWS_ENDPOINT_URL_STS": "http://one", "AWS_ENDPOINT_URL": "http://two"}},
		{"second in the environment", "a", "two", "http://two", map[string]string{"AWS_DEFAULT_REGION": "two", "AWS_ENDPOINT_URL": "http://two"}},
		{"ignored", "a", "source", "", map[string]string{"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "True", "AWS_ENDPOINT_URL": "http://two"}},
		{"not ignored", "c", "own", "http://profile", map[string]string{"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			chain, err := loadEnv(t, config, "", c.env).Resolve(c.profile)
			if err != nil {
				t.Fatal(err)
			}
			if got := chain.Settings; got.Region.Text != c.region || got.Endpoint.Text != c.endpoint {
				t.Errorf("%+v", got)
			}
		})
	}
	chain, err := loadEnv(t, config, "", map[string]string{"AWS_CA_BUNDLE": "/env", "AWS_USE_DUALSTACK_ENDPOINT": "true"}).Resolve("a")
	got := chain.Settings
	if err != nil || got.CABundle.Origin.Env != "AWS_CA_BUNDLE" || got.UseDualstack.Text != "true" || got.UseFIPS.Origin.Line != 8 || got.RegionalEndpoints.Text != "legacy" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestSelectedProfile(t *testing.T) {
	for _, c := range []struct{ one, two, want, from string }{
		{"a", "b", "a", "AWS_PROFILE"},
		{"", "b", "b", "AWS_DEFAULT_PROFILE"},
		{"", "", "default", ""},
	} {
		env := map[string]string{"AWS_PROFILE": c.one, "AWS_DEFAULT_PROFILE": c.two}
		if got := SelectedProfile(func(n string) string { return env[n] }); got.Text != c.want || got.Origin.Env != c.from {
			t.Errorf("%v gives %v", env, got)
		}
	}
}

func TestResolveRole(t *testing.T) {
	const role = "arn:aws:iam::222222222222:role/x"
	config := "[profile base]\nregion = b\n" + keysOf + "[profile mid]\nrole_arn = arn:mid\nsource_profile = base\n[profile bare]\nregion = q\n"
	withDefault := config + "[default]\nregion = d\n" + keysOf
	github := map[string]string{"ACTIONS_ID_TOKEN_REQUEST_URL": "u", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "t"}
	for _, c := range []struct {
		name, config, source string
		env                  map[string]string
		kind                 SourceKind
		profile              string
		hops                 int
		region               string
	}{
		{"named", config, "base", map[string]string{"AWS_ACCESS_KEY_ID": "A"}, SourceStatic, "base", 1, "b"},
		{"a chain", config, "mid", nil, SourceStatic, "base", 2, "b"},
		{"keys in the environment", withDefault, "", map[string]string{"AWS_ACCESS_KEY_ID": "A", "AWS_PROFILE": "base"}, SourceEnvironment, "", 1, ""},
		{"a token for the role itself", withDefault, "", map[string]string{"AWS_WEB_IDENTITY_TOKEN_FILE": "/t"}, SourceWebIdentity, "", 0, ""},
		{"a token for another role", config, "", map[string]string{"AWS_WEB_IDENTITY_TOKEN_FILE": "/t", "AWS_ROLE_ARN": "arn:first"}, SourceWebIdentity, "", 1, ""},
		{"the selected profile", withDefault, "", map[string]string{"AWS_PROFILE": "mid"}, SourceStatic, "base", 2, "b"},
		{"default", withDefault, "", github, SourceStatic, "default", 1, "d"},
		{"github", config, "", github, SourceGitHub, "", 0, ""},
		{"github, with a default that holds no credentials", config + "[default]\nregion = d\n", "", github, SourceGitHub, "", 0, "d"},
		{"a container", config, "", map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": "u"}, SourceContainer, "", 1, ""},
		{"nothing", config, "", nil, "", "", 0, ""},
		{"a source without credentials", config, "bare", nil, "", "", 0, ""},
		{"a selected profile without credentials", config, "", map[string]string{"AWS_PROFILE": "bare"}, "", "", 0, ""},
		{"an unknown one", config, "", map[string]string{"AWS_PROFILE": "nope"}, "", "", 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			chain, err := loadEnv(t, c.config, "", c.env).ResolveRole(role, c.source)
			if c.kind == "" {
				if err == nil || !IsConfiguration(err) {
					t.Errorf("no error: %+v", chain)
				}
				return
			}
			if err != nil || chain.Source.Kind != c.kind || chain.Source.Profile != c.profile || len(chain.Hops) != c.hops || chain.Settings.Region.Text != c.region {
				t.Fatalf("%+v, %v", chain, err)
			}
			last := chain.Source.Role
			if c.hops > 0 {
				last = &chain.Hops[c.hops-1]
			}
			if last.RoleARN.Text != role {
				t.Errorf("ends at %v", last.RoleARN)
			}
		})
	}
}
