package profile

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const conformance = "../../../shared/conformance"

// suite reads one of the SDKs' common suites. They are not part of this
// checkout, so a clone without them has nothing to run.
func suite(t *testing.T, name string, into any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(conformance, name))
	if os.IsNotExist(err) {
		t.Skip("the conformance suites are not here")
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}

type parserCase struct {
	Name  string `json:"name"`
	Input struct {
		Config      string `json:"configFile"`
		Credentials string `json:"credentialsFile"`
	} `json:"input"`
	Output struct {
		Error  *string `json:"errorContaining"`
		Config struct {
			Profiles map[string]map[string]string `json:"profiles"`
			Sessions map[string]map[string]string `json:"sso_sessions"`
		} `json:"config"`
	} `json:"output"`
}

func TestProfileParserSuite(t *testing.T) {
	var cases struct{ Tests []parserCase }
	suite(t, "profile-parser-tests.json", &cases)
	if len(cases.Tests) < 60 {
		t.Fatalf("only %d cases", len(cases.Tests))
	}
	for _, c := range cases.Tests {
		t.Run(c.Name, func(t *testing.T) {
			s := load(t, c.Input.Config, c.Input.Credentials)
			if c.Output.Error != nil {
				if !hasError(s) {
					t.Errorf("no error, want one like %q", *c.Output.Error)
				}
				return
			}
			if hasError(s) {
				t.Errorf("errors in %v", s.Problems())
			}
			compareProfiles(t, s, c.Output.Config.Profiles)
			for name, want := range c.Output.Config.Sessions {
				block, _, err := s.namedBlock(kindSSOSession, name)
				if got := texts(block.values); err != nil || !maps.Equal(got, want) {
					t.Errorf("sso-session %s: %v, %v; want %v", name, got, err, want)
				}
			}
		})
	}
}

func compareProfiles(t *testing.T, s *Set, want map[string]map[string]string) {
	t.Helper()
	names := s.Names()
	slices.Sort(names)
	if wanted := slices.Sorted(maps.Keys(want)); !slices.Equal(names, wanted) {
		t.Fatalf("profiles %q, want %q", names, wanted)
	}
	for name, properties := range want {
		p, err := s.Profile(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := texts(p.Properties); !maps.Equal(got, properties) {
			t.Errorf("profile %s: %q, want %q", name, got, properties)
		}
	}
}

func hasError(s *Set) bool {
	return slices.ContainsFunc(s.Problems(), func(p Problem) bool { return p.Err != nil })
}

func texts(values map[string]Value) map[string]string {
	out := map[string]string{}
	for key, v := range values {
		out[key] = v.Text
	}
	return out
}

// load writes both files and loads them, with an empty environment.
func load(t *testing.T, config, credentials string) *Set {
	t.Helper()
	return loadEnv(t, config, credentials, nil)
}

func loadEnv(t *testing.T, config, credentials string, env map[string]string) *Set {
	t.Helper()
	dir := t.TempDir()
	files := Files{filepath.Join(dir, "config"), filepath.Join(dir, "credentials")}
	for path, text := range map[string]string{files.Config: config, files.Credentials: credentials} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Load(files, func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	return s
}

type roleCase struct {
	Docs  string `json:"docs"`
	Input struct {
		Profiles map[string]map[string]string `json:"profiles"`
		Sessions map[string]map[string]string `json:"sso_sessions"`
		Selected string                       `json:"selected_profile"`
	} `json:"input"`
	Output struct {
		Error *string
		Chain []map[string]json.RawMessage `json:"ProfileChain"`
	} `json:"output"`
}

// notAnError are cases where the suite wants an error and Resolve gives a
// chain, each with its reason.
var notAnError = map[string]string{
	"profile only contains configuration": "show prints such a profile; it is assume that needs a role or a source",
}

func TestAssumeRoleSuite(t *testing.T) {
	var cases []roleCase
	suite(t, "assume-role-tests.json", &cases)
	if len(cases) < 28 {
		t.Fatalf("only %d cases", len(cases))
	}
	for _, c := range cases {
		for _, where := range []string{"config", "credentials"} {
			t.Run(c.Docs+"/"+where, func(t *testing.T) {
				config, credentials := c.files(where == "credentials")
				s := load(t, config, credentials)
				chain, err := s.Resolve(c.Input.Selected)
				if c.Output.Error != nil {
					if err == nil && (notAnError[c.Docs] == "" || chain.Source.Kind != "") {
						t.Errorf("no error, want one like %q", *c.Output.Error)
					}
					if err != nil && !IsConfiguration(err) {
						t.Errorf("%v is not of the configuration", err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				compareChain(t, chain, c.Output.Chain)
			})
		}
	}
}

func (c roleCase) files(asCredentials bool) (config, credentials string) {
	var a, b strings.Builder
	target, prefix := &a, "profile "
	if asCredentials {
		target, prefix = &b, ""
	}
	for name, properties := range c.Input.Profiles {
		writeSection(target, prefix+name, properties)
	}
	for name, properties := range c.Input.Sessions {
		writeSection(&a, "sso-session "+name, properties)
	}
	return a.String(), b.String()
}

func writeSection(b *strings.Builder, header string, properties map[string]string) {
	b.WriteString("[" + header + "]\n")
	for key, value := range properties {
		b.WriteString(key + " = " + value + "\n")
	}
}

func compareChain(t *testing.T, chain Chain, want []map[string]json.RawMessage) {
	t.Helper()
	if len(chain.Hops) != len(want)-1 {
		t.Fatalf("%d hops, want %d", len(chain.Hops), len(want)-1)
	}
	for kind, raw := range want[0] {
		compareSource(t, chain.Source, kind, raw)
	}
	for i, hop := range chain.Hops {
		var role map[string]string
		if err := json.Unmarshal(want[i+1]["AssumeRole"], &role); err != nil {
			t.Fatal(err)
		}
		compareHop(t, hop, role)
	}
}

func compareHop(t *testing.T, hop Hop, want map[string]string) {
	t.Helper()
	got := map[string]string{}
	for key, v := range map[string]Value{
		"role_arn": hop.RoleARN, "external_id": hop.ExternalID, "role_session_name": hop.SessionName,
	} {
		if v.IsSet() {
			got[key] = v.Text
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("hop %v, want %v", got, want)
	}
}

func compareSource(t *testing.T, got Source, kind string, raw json.RawMessage) {
	t.Helper()
	if kind == "NamedSource" {
		names := map[SourceKind]string{SourceEC2: "Ec2InstanceMetadata", SourceContainer: "EcsContainer", SourceEnvironment: "Environment"}
		if want := strings.Trim(string(raw), `"`); names[got.Kind] != want {
			t.Errorf("source %s, want %s", got.Kind, want)
		}
		return
	}
	var want map[string]string
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	kinds := map[string]SourceKind{"AccessKey": SourceStatic, "WebIdentityToken": SourceWebIdentity, "Sso": SourceSSO}
	if got.Kind != kinds[kind] {
		t.Fatalf("source %s, want %s", got.Kind, kind)
	}
	if kind == "WebIdentityToken" {
		if file := got.Properties["web_identity_token_file"].Text; file != want["web_identity_token_file"] {
			t.Errorf("token file %s", file)
		}
		delete(want, "web_identity_token_file")
		compareHop(t, *got.Role, want)
		return
	}
	for key, text := range want {
		v := got.SSO[key]
		if !v.IsSet() {
			v = got.Properties[key]
		}
		if kind == "AccessKey" {
			v = got.Properties[map[string]string{
				"access_key_id": keyAccessKeyID, "secret_access_key": keySecretKey, "account_id": "aws_account_id",
			}[key]]
		}
		if v.Text != text {
			t.Errorf("%s is %q, want %q", key, v.Text, text)
		}
	}
}
