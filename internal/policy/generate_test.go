package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"go.yaml.in/yaml/v3"
)

// The documents of seeds A, byte for byte.
func TestGenerateSeedsA(t *testing.T) {
	trust, err := TrustPolicy(TrustSpec{Callers: []string{"arn:aws:iam::111111111111:role/RoleA"}, Services: []string{"ssm.amazonaws.com"}})
	if err != nil {
		t.Fatal(err)
	}
	const want = `{
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {
                "Service": "ssm.amazonaws.com",
                "AWS": "arn:aws:iam::111111111111:role/RoleA"
            },
            "Action": "sts:AssumeRole"
        }
    ]
}
`
	if got := trust.Indented(); got != want {
		t.Errorf("trust policy:\n%s", got)
	}
	permission, err := PermissionPolicy(PermissionSpec{RoleARNs: []string{"arn:aws:iam::222222222222:role/team/RoleB"}})
	if err != nil {
		t.Fatal(err)
	}
	const wantPermission = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"arn:aws:iam::222222222222:role/team/RoleB"}]}`
	if got := string(permission.JSON()); got != wantPermission {
		t.Errorf("permission policy: %s", got)
	}
	if name := PermissionPolicyName("arn:aws:iam::222222222222:role/team/RoleB"); name != "AssumeRoleForRoleB" {
		t.Errorf("its name: %s", name)
	}
}

// Seeds D: the vendor's account under an external ID.
func TestGenerateSeedsD(t *testing.T) {
	trust, err := TrustPolicy(TrustSpec{Callers: []string{"123456780123"}, ExternalID: "ExternalId123"})
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"123456780123"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"ExternalId123"}}}]}`
	if got := string(trust.JSON()); got != want {
		t.Errorf("%s", got)
	}
}

// specs are set-ups with everything that a trust policy may ask for, alone and together.
func specs() map[string]TrustSpec {
	user, role := "arn:aws:iam::111111111111:user/alice", "arn:aws:iam::111111111111:role/team/Caller"
	return map[string]TrustSpec{
		"one":             {Callers: []string{user}},
		"many":            {Callers: []string{role, user}},
		"account":         {Callers: []string{"111111111111"}},
		"service beside":  {Callers: []string{user}, Services: []string{"ssm.amazonaws.com"}},
		"external ID":     {Callers: []string{user}, ExternalID: "x/y:1"},
		"mfa":             {Callers: []string{user}, RequireMFA: true},
		"org":             {Callers: []string{user}, OrgID: "o-abc123"},
		"tags":            {Callers: []string{user}, SessionTags: []string{"team", "cost"}},
		"any tags":        {Callers: []string{user}, SessionTags: []string{}},
		"source identity": {Callers: []string{user}, SourceIdentity: "alice"},
		"everything": {
			Callers: []string{user, role}, Services: []string{"ssm.amazonaws.com", "ec2.amazonaws.com"}, ExternalID: "abc", RequireMFA: true, OrgID: "o-abc123",
			SessionTags: []string{"team"}, SourceIdentity: "*",
		},
	}
}

// Every generated pair lets the named caller in, and neither another caller, nor one without the external ID or MFA, nor one
// of another organization.
func TestGeneratedPairs(t *testing.T) {
	for name, spec := range specs() {
		for _, role := range []string{"arn:aws:iam::111111111111:role/RoleB", "arn:aws:iam::222222222222:role/RoleB"} {
			t.Run(name+"/"+role[13:25], func(t *testing.T) {
				trust, err := TrustPolicy(spec)
				if err != nil {
					t.Fatal(err)
				}
				again := mustParse(t, trust.Indented())
				if hasErrors(again.Validate(Trust)) || string(again.JSON()) != string(trust.JSON()) {
					t.Fatalf("does not read back: %s", trust.Indented())
				}
				permission, err := PermissionPolicy(PermissionSpec{RoleARNs: []string{role}, SessionTags: spec.SessionTags != nil, SourceIdentity: spec.SourceIdentity != ""})
				if err != nil {
					t.Fatal(err)
				}
				checkPair(t, spec, again, permission, role)
				if err := pairDoes(spec, trust, permission, role); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func checkPair(t *testing.T, spec TrustSpec, trust, permission *Document, role string) {
	t.Helper()
	req := func() *Request {
		r := &Request{Caller: Caller{ARN: "arn:aws:iam::111111111111:user/alice"}, RoleARN: role, Actions: []string{ActionAssumeRole}, Trust: trust, Identity: named(permission), Context: Context{}}
		if spec.ExternalID != "" {
			r.Context["sts:ExternalId"] = One(spec.ExternalID)
		}
		if spec.RequireMFA {
			r.Context["aws:MultiFactorAuthPresent"] = One("true")
		}
		if spec.OrgID != "" {
			r.Context["aws:PrincipalOrgID"] = One(spec.OrgID)
		}
		if spec.SessionTags != nil {
			r.Actions = append(r.Actions, ActionTagSession)
			r.Context["aws:RequestTag/team"], r.Context["aws:TagKeys"] = One("x"), Many("team")
		}
		if spec.SourceIdentity != "" {
			r.Actions = append(r.Actions, ActionSetSourceIdentity)
			r.Context["sts:SourceIdentity"] = One("alice")
		}
		return r
	}
	wantDecision(t, req(), DecisionAllow, false)
	other := req()
	other.Caller.ARN = "arn:aws:iam::333333333333:user/alice"
	wantDecision(t, other, DecisionDeny, false)
	for key, condition := range map[string]bool{"sts:ExternalId": spec.ExternalID != "", "aws:MultiFactorAuthPresent": spec.RequireMFA, "aws:PrincipalOrgID": spec.OrgID != ""} {
		if condition {
			without := req()
			delete(without.Context, key)
			wantDecision(t, without, DecisionDeny, false)
		}
	}
	if len(spec.SessionTags) > 0 {
		tagged := req()
		tagged.Context["aws:TagKeys"] = Many("team", "root")
		wantDecision(t, tagged, DecisionDeny, false)
	}
	for _, service := range spec.Services {
		wantDecision(t, &Request{Caller: Caller{ARN: service}, RoleARN: role, Actions: []string{ActionAssumeRole}, Trust: trust}, DecisionAllow, false)
	}
}

func TestPairDoesOtherPartition(t *testing.T) {
	spec := TrustSpec{Callers: []string{"111111111111", "arn:aws-cn:iam::333333333333:role/p/r", "arn:aws-cn:iam::333333333333:root"}}
	trust, err := TrustPolicy(spec)
	if err != nil {
		t.Fatal(err)
	}
	const role = "arn:aws-cn:iam::222222222222:role/RoleB"
	permission, err := PermissionPolicy(PermissionSpec{RoleARNs: []string{role}})
	if err != nil {
		t.Fatal(err)
	}
	if err := pairDoes(spec, trust, permission, role); err != nil {
		t.Error(err)
	}
}

// pairDoes notices documents that do not do what was asked for.
func TestPairDoesNotices(t *testing.T) {
	const role = "arn:aws:iam::222222222222:role/RoleB"
	spec := TrustSpec{Callers: []string{"111111111111"}, ExternalID: "abc"}
	permission, err := PermissionPolicy(PermissionSpec{RoleARNs: []string{role}})
	if err != nil {
		t.Fatal(err)
	}
	trust := func(principal, more string) *Document { return trustFor(t, `{"AWS":"`+principal+`"}`, more) }
	id := `,"Condition":{"StringEquals":{"sts:ExternalId":"abc"}}`
	for name, c := range map[string]struct {
		trust, permission *Document
		want              string
	}{
		"good":                  {trust("111111111111", id), permission, ""},
		"everybody":             {trust("*", id), nil, "can't assume"},
		"no condition":          {trust("111111111111", ""), permission, "without sts:ExternalId"},
		"optional external ID":  {trust("111111111111", strings.Replace(id, "StringEquals", "StringEqualsIfExists", 1)), permission, "without sts:ExternalId"},
		"wrong account":         {trust("333333333333", id), permission, "can't assume"},
		"no permission":         {trust("111111111111", id), nil, "can't assume"},
		"strangers are let in":  {trust("*", id), permission, "was not named"},
		"permission to nothing": {trust("111111111111", id), mustParse(t, hard), "can't assume"},
	} {
		err := pairDoes(spec, c.trust, c.permission, role)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestGenerateRefuses(t *testing.T) {
	user := []string{"arn:aws:iam::111111111111:user/a"}
	for name, spec := range map[string]TrustSpec{
		"nobody": {}, "everybody": {Callers: []string{"*"}}, "wildcard": {Callers: []string{"arn:aws:iam::111111111111:user/*"}}, "group": {Callers: []string{"arn:aws:iam::111111111111:group/g"}},
		"13 digits": {Callers: []string{"1111111111111"}}, "service": {Services: []string{"SSM"}}, "short external ID": {Callers: user, ExternalID: "x"},
		"external ID with a blank": {Callers: user, ExternalID: "a b"}, "org": {Callers: user, OrgID: "abc"}, "source identity": {Callers: user, SourceIdentity: "a b"},
		"variable as external ID": {Callers: user, ExternalID: "${aws:username}"}, "tags": {Callers: user, SessionTags: make([]string, 51)},
	} {
		var refused *InvalidError
		if d, err := TrustPolicy(spec); !errors.As(err, &refused) {
			t.Errorf("%s: %v, %v", name, d, err)
		}
	}
	for _, role := range []string{"", "*", "arn:aws:iam::111111111111:root", "arn:aws:sts::111111111111:assumed-role/a/b", "arn:aws:iam::111111111111:role/*", "arn:aws:iam::111111111111:role/${aws:username}"} {
		if _, err := PermissionPolicy(PermissionSpec{RoleARNs: []string{role}}); err == nil {
			t.Errorf("permission on %q", role)
		}
	}
	if _, err := ParseGrant([]byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"}}`), "g.json"); err == nil || !strings.Contains(err.Error(), "g.json:1:") {
		t.Errorf("grant with a principal: %v", err)
	}
}

func TestNewExternalID(t *testing.T) {
	id, err := NewExternalID(bytes.NewReader([]byte("0123456789abcdefXXXX")))
	if err != nil || id != "30313233343536373839616263646566" || CheckExternalID(id) != nil {
		t.Errorf("%q, %v", id, err)
	}
	if _, err := NewExternalID(strings.NewReader("short")); err == nil {
		t.Error("15 bytes were enough")
	}
}

// hard is a document with everything that a template could get wrong.
const hard = `{"Version":"2012-10-17","Statement":[{"Sid":"A","Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":["arn:aws:s3:::b/${aws:username}/*","arn:aws:s3:::%{b}"],
	"Condition":{"Null":{"aws:PrincipalTag/\"x\": #":"false"},"StringLike":{"aws:PrincipalTag/日本":"yes","s3:prefix":["a: b","- c","\\\"","no"]}}},{"Effect":"Deny","NotAction":"iam:*","Resource":"*"}]}`

func templates(t *testing.T, spec TrustSpec) (RoleTemplate, CallerTemplate) {
	t.Helper()
	trust, err := TrustPolicy(spec)
	if err != nil {
		t.Fatal(err)
	}
	const role = "arn:aws:iam::222222222222:role/team/a/Role-B.1"
	permission, err := PermissionPolicy(PermissionSpec{RoleARNs: []string{role}})
	if err != nil {
		t.Fatal(err)
	}
	return RoleTemplate{RoleARN: role, Description: `for "alice": ${x} %{y}`, Trust: trust, GrantName: "Grant", Grant: mustParse(t, hard), MaxSessionDuration: 7200},
		CallerTemplate{PolicyName: PermissionPolicyName(role), Policy: permission, Callers: append(spec.Callers, "arn:aws:sts::111111111111:assumed-role/a/b")}
}

// sameJSON compares what a parser read with a document, in meaning.
func sameJSON(t *testing.T, what string, got any, want *Document) {
	t.Helper()
	raw, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	var g, w any
	if err := json.Unmarshal(raw, &g); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(want.JSON(), &w); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(g, w) {
		t.Errorf("%s differs:\n%s\n%s", what, raw, want.JSON())
	}
}

func TestCloudFormation(t *testing.T) {
	for name, spec := range specs() {
		t.Run(name, func(t *testing.T) {
			role, caller := templates(t, spec)
			text, err := role.CloudFormation()
			if err != nil {
				t.Fatal(err)
			}
			props := yamlProperties(t, text, "RoleB1Role", "AWS::IAM::Role")
			sameJSON(t, "trust policy", props["AssumeRolePolicyDocument"], role.Trust)
			policies := props["Policies"].([]any)[0].(map[string]any)
			sameJSON(t, "grant", policies["PolicyDocument"], role.Grant)
			if props["RoleName"] != "Role-B.1" || props["Path"] != "/team/a/" || props["MaxSessionDuration"] != 7200 || props["Description"] != role.Description {
				t.Errorf("properties %v", props)
			}
			if text, err = caller.CloudFormation(); err != nil {
				t.Fatal(err)
			}
			props = yamlProperties(t, text, "AssumeRoleForRoleB1Policy", "AWS::IAM::ManagedPolicy")
			sameJSON(t, "permission policy", props["PolicyDocument"], caller.Policy)
			if name == "many" && (fmt.Sprint(props["Users"]) != "[alice]" || fmt.Sprint(props["Roles"]) != "[Caller]") {
				t.Errorf("attached to %v %v", props["Users"], props["Roles"])
			}
		})
	}
}

func yamlProperties(t *testing.T, text, id, kind string) map[string]any {
	t.Helper()
	var doc struct {
		Resources map[string]struct {
			Type       string         `yaml:"Type"`
			Properties map[string]any `yaml:"Properties"`
		} `yaml:"Resources"`
	}
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	r, ok := doc.Resources[id]
	if !ok || r.Type != kind {
		t.Fatalf("no %s %s in\n%s", kind, id, text)
	}
	return r.Properties
}

func TestTerraform(t *testing.T) {
	for name, spec := range specs() {
		t.Run(name, func(t *testing.T) {
			role, caller := templates(t, spec)
			text, err := role.Terraform()
			if err != nil {
				t.Fatal(err)
			}
			more, err := caller.Terraform()
			if err != nil {
				t.Fatal(err)
			}
			text += "\n" + more
			if formatted := string(hclwrite.Format([]byte(text))); formatted != text {
				t.Errorf("not in the layout of terraform fmt:\n%s\nbut\n%s", text, formatted)
			}
			blocks := hclBlocks(t, text)
			sameJSON(t, "trust policy", hclDocument(t, blocks["aws_iam_role.Role-B_1"], "assume_role_policy"), role.Trust)
			sameJSON(t, "grant", hclDocument(t, blocks["aws_iam_role_policy.Role-B_1"], "policy"), role.Grant)
			sameJSON(t, "permission policy", hclDocument(t, blocks["aws_iam_policy.AssumeRoleForRole-B_1"], "policy"), caller.Policy)
			if name == "many" && (blocks["aws_iam_user_policy_attachment.AssumeRoleForRole-B_1_alice"] == nil || blocks["aws_iam_role_policy_attachment.AssumeRoleForRole-B_1_Caller"] == nil) {
				t.Errorf("not attached:\n%s", text)
			}
			if d, diags := blocks["aws_iam_role.Role-B_1"].Attributes["description"].Expr.Value(nil); diags.HasErrors() || d.AsString() != role.Description {
				t.Errorf("description: %v", diags)
			}
		})
	}
}

func hclBlocks(t *testing.T, text string) map[string]*hclsyntax.Body {
	t.Helper()
	f, diags := hclsyntax.ParseConfig([]byte(text), "main.tf", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatalf("%v in\n%s", diags, text)
	}
	out := map[string]*hclsyntax.Body{}
	for _, b := range f.Body.(*hclsyntax.Body).Blocks {
		out[strings.Join(b.Labels, ".")] = b.Body
	}
	return out
}

// hclDocument evaluates the argument of jsonencode(…).
func hclDocument(t *testing.T, body *hclsyntax.Body, name string) any {
	t.Helper()
	if body == nil || body.Attributes[name] == nil {
		t.Fatalf("no attribute %s", name)
	}
	call, ok := body.Attributes[name].Expr.(*hclsyntax.FunctionCallExpr)
	if !ok || call.Name != "jsonencode" || len(call.Args) != 1 {
		t.Fatalf("%s is no jsonencode", name)
	}
	return hclPlain(t, call.Args[0])
}

func hclPlain(t *testing.T, e hclsyntax.Expression) any {
	t.Helper()
	switch e := e.(type) {
	case *hclsyntax.ObjectConsExpr:
		out := map[string]any{}
		for _, item := range e.Items {
			k, diags := item.KeyExpr.Value(nil)
			if diags.HasErrors() {
				t.Fatal(diags)
			}
			out[k.AsString()] = hclPlain(t, item.ValueExpr)
		}
		return out
	case *hclsyntax.TupleConsExpr:
		var out []any
		for _, item := range e.Exprs {
			out = append(out, hclPlain(t, item))
		}
		return out
	}
	v, diags := e.Value(nil)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return v.AsString()
}
