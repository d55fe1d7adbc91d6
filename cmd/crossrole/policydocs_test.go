package main

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"go.yaml.in/yaml/v3"
)

// pairCase is one way to ask for both sides' documents, with who must get in and what the caller sends.
type pairCase struct {
	name   string
	flags  []string
	role   string
	caller string   // named by the flags
	sends  []string // what explain is told to send
}

func pairCases() []pairCase {
	const near, far = "arn:aws:iam::111111111111:role/app/RoleB", "arn:aws:iam::222222222222:role/app/RoleB"
	const session = "arn:aws:sts::111111111111:assumed-role/Ops/alice"
	var cases []pairCase
	for _, role := range []string{near, far} {
		for _, extra := range []struct {
			name         string
			flags, sends []string
		}{
			{"plain", nil, nil},
			{"external ID", []string{"--external-id", "ExternalId123"}, []string{"--external-id", "ExternalId123"}},
			{"organization", []string{"--org-id", "o-abc123"}, []string{"--org-id", "o-abc123"}},
			{"tags", []string{"--session-tag", "team"}, []string{"--tag", "team=a"}},
			{"any tags", []string{"--session-tag", "*"}, []string{"--tag", "x=1", "--tag", "y=2"}},
			{"source identity", []string{"--source-identity", "alice"}, []string{"--source-identity", "alice"}},
			{
				"everything",
				[]string{"--external-id", "a/b:c", "--org-id", "o-abc123", "--session-tag", "team", "--source-identity", "*", "--service", "ssm.amazonaws.com"},
				[]string{"--external-id", "a/b:c", "--org-id", "o-abc123", "--tag", "team=a", "--source-identity", "bob"},
			},
		} {
			cases = append(cases,
				pairCase{extra.name + ": a user into " + role, append([]string{"--caller", aSan}, extra.flags...), role, aSan, extra.sends},
				pairCase{extra.name + ": MFA of a user into " + role, append([]string{"--caller", aSan, "--require-mfa"}, extra.flags...), role, aSan, append([]string{"--mfa"}, extra.sends...)},
				pairCase{extra.name + ": a session of a role into " + role, append([]string{"--caller", "arn:aws:iam::111111111111:role/Ops"}, extra.flags...), role, session, extra.sends},
				pairCase{extra.name + ": an account into " + role, append([]string{"--caller", "111111111111"}, extra.flags...), role, aSan, extra.sends},
				pairCase{extra.name + ": one of many into " + role, append([]string{"--caller", "arn:aws:iam::333333333333:role/Other", "--caller", aSan}, extra.flags...), role, aSan, extra.sends},
			)
		}
	}
	return cases
}

// TestGeneratedPairs: what is generated lets the named caller in, and nobody else, and not without the external ID.
func TestGeneratedPairs(t *testing.T) {
	for _, tt := range pairCases() {
		t.Run(tt.name, func(t *testing.T) {
			trust, permission := generate(t, tt, "trust"), generate(t, tt, "permission")
			dir := t.TempDir()
			base := []string{
				"explain", "--format", "json", "--role-arn", tt.role,
				"--trust-policy", writeIn(t, dir, "trust.json", trust), "--identity-policy", writeIn(t, dir, "permission.json", permission),
			}
			want := func(code int, caller string, sends []string) {
				t.Helper()
				r := runApp(t, "", nil, append(append(append([]string{}, base...), "--caller", caller), sends...)...)
				if r.code != code {
					t.Errorf("%s sends %v: exit %d, want %d:\n%s\n%s", caller, sends, r.code, code, trust, r.out)
				}
			}
			want(0, tt.caller, tt.sends)
			want(4, "arn:aws:iam::999999999999:user/A-san", tt.sends)
			want(4, "arn:aws:iam::999999999999:role/Ops", tt.sends)
			want(4, "ec2.amazonaws.com", tt.sends)
			if !strings.Contains(tt.name, "an account") {
				want(4, "arn:aws:iam::111111111111:user/team/A-san", tt.sends)
				want(4, "arn:aws:iam::111111111111:user/B-san", tt.sends)
			}
			for i, flag := range tt.sends {
				switch flag {
				case "--external-id", "--org-id":
					want(4, tt.caller, append(append([]string{}, tt.sends[:i]...), tt.sends[i+2:]...))
					want(4, tt.caller, append(append([]string{}, tt.sends...), flag, tt.sends[i+1]+"x"))
				case "--mfa":
					want(4, tt.caller, tt.sends[1:])
				}
			}
			if strings.Contains(strings.ReplaceAll(trust+permission, `"*"`, ""), "*") || strings.Contains(trust+permission, `"*"`) {
				t.Errorf("a wildcard:\n%s%s", trust, permission)
			}
		})
	}
}

func generate(t *testing.T, tt pairCase, kind string, more ...string) string {
	t.Helper()
	args := append([]string{"policy", kind, "--role-arn", tt.role}, tt.flags...)
	r := runApp(t, "", nil, append(args, more...)...)
	if r.code != 0 {
		t.Fatalf("%v: exit %d: %s", args, r.code, r.err)
	}
	return r.out
}

// TestTemplatesHoldTheDocuments reads both sides' templates with other parsers and finds the same documents in them.
func TestTemplatesHoldTheDocuments(t *testing.T) {
	for _, tt := range pairCases() {
		t.Run(tt.name, func(t *testing.T) {
			if strings.Contains(tt.name, "one of many") {
				tt.flags = tt.flags[2:] // the other caller's account needs a template of its own
			}
			trust, permission := generate(t, tt, "trust"), generate(t, tt, "permission")
			same(t, cfnProperty(t, generate(t, tt, "cloudformation"), "AssumeRolePolicyDocument"), trust)
			same(t, cfnProperty(t, generate(t, tt, "cloudformation", "--side", "caller"), "PolicyDocument"), permission)
			same(t, hclPolicy(t, generate(t, tt, "terraform"), "assume_role_policy"), trust)
			same(t, hclPolicy(t, generate(t, tt, "terraform", "--side", "caller"), "policy"), permission)
		})
	}
}

// same compares two documents by meaning: the order of members is none.
func same(t *testing.T, got any, want string) {
	t.Helper()
	raw, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	var g, w any
	if err := json.Unmarshal(raw, &g); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(g, w) {
		t.Errorf("got\n%s\nwant\n%s", raw, want)
	}
}

func cfnProperty(t *testing.T, text, name string) any {
	t.Helper()
	var template struct {
		Resources map[string]struct {
			Properties map[string]any `yaml:"Properties"`
		} `yaml:"Resources"`
	}
	if err := yaml.Unmarshal([]byte(text), &template); err != nil || len(template.Resources) != 1 {
		t.Fatalf("%v, %d resources:\n%s", err, len(template.Resources), text)
	}
	for _, r := range template.Resources {
		if doc, ok := r.Properties[name]; ok {
			return doc
		}
	}
	t.Fatalf("no %s in\n%s", name, text)
	return nil
}

// hclPolicy finds the argument of jsonencode(…) in the first resource that has the attribute.
func hclPolicy(t *testing.T, text, name string) any {
	t.Helper()
	file, diags := hclparse.NewParser().ParseHCL([]byte(text), "x.tf")
	if diags.HasErrors() {
		t.Fatalf("%v:\n%s", diags, text)
	}
	for _, block := range file.Body.(*hclsyntax.Body).Blocks {
		attr := block.Body.Attributes[name]
		if attr == nil {
			continue
		}
		call, ok := attr.Expr.(*hclsyntax.FunctionCallExpr)
		if !ok || call.Name != "jsonencode" || len(call.Args) != 1 {
			t.Fatalf("%s is no jsonencode(…):\n%s", name, text)
		}
		value, diags := call.Args[0].Value(&hcl.EvalContext{})
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		return plainValue(t, value)
	}
	t.Fatalf("no %s in\n%s", name, text)
	return nil
}

func plainValue(t *testing.T, v cty.Value) any {
	t.Helper()
	switch {
	case v.Type() == cty.String:
		return v.AsString()
	case v.Type().IsTupleType():
		list := []any{}
		for it := v.ElementIterator(); it.Next(); {
			_, e := it.Element()
			list = append(list, plainValue(t, e))
		}
		return list
	case v.Type().IsObjectType():
		m := map[string]any{}
		for k, e := range v.AsValueMap() {
			m[k] = plainValue(t, e)
		}
		return m
	}
	t.Fatalf("unexpected %#v", v)
	return nil
}
