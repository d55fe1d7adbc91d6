package localsts

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

const stackYAML = `
AWSTemplateFormatVersion: 2010-09-09
Parameters:
  TrustedAccount: {Type: String, Default: "111111111111"}
  ExternalId: {Type: String}
  Stage: {Type: String, Default: dev, AllowedValues: [dev, prod]}
  Names: {Type: CommaDelimitedList, Default: "one, two"}
  Hours: {Type: Number, Default: 7200}
Conditions:
  Prod: !Equals [!Ref Stage, prod]
  NotProd: !Not [{Condition: Prod}]
  Both: !And [!Condition NotProd, !Or [!Condition Prod, !Condition NotProd]]
Mappings:
  Paths: {dev: {path: /dev/}, prod: {path: /}}
Resources:
  Bucket: {Type: "AWS::S3::Bucket", Properties: {BucketName: test-bucket}}
  Worker:
    Type: AWS::IAM::Role
    Properties:
      RoleName: !Sub "${Stage}-worker"
      Path: !FindInMap [Paths, !Ref Stage, path]
      MaxSessionDuration: !Ref Hours
      PermissionsBoundary: !If [Prod, !Ref Shared, !Ref "AWS::NoValue"]
      AssumeRolePolicyDocument:
        Version: 2012-10-17
        Statement:
          - Effect: Allow
            Principal: {AWS: !Sub "arn:${AWS::Partition}:iam::${TrustedAccount}:root"}
            Action: sts:AssumeRole
            Condition:
              StringEquals: {"sts:ExternalId": !Ref ExternalId}
              Bool: {"aws:SecureTransport": true}
      Policies:
        - PolicyName: put
          PolicyDocument:
            Version: "2012-10-17"
            Statement: [{Effect: Allow, Action: "s3:PutObject", Resource: !Join ["", [!GetAtt Bucket.Arn, "/*"]]}]
  Shared:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      Roles: [!Ref Worker]
      PolicyDocument: {Version: 2012-10-17, Statement: [{Effect: Allow, Action: "s3:ListBucket", Resource: !Sub ["${b}", {b: !GetAtt Bucket.Arn}], Condition: !If [Prod, {Bool: {"aws:SecureTransport": true}}, !Ref "AWS::NoValue"]}]}
  OnlyProd: {Type: "AWS::IAM::User", Condition: Prod}
  Someone: {Type: "AWS::IAM::User", Condition: Both, Properties: {UserName: !Select [1, !Ref Names], Groups: [!Ref Team, !Ref "AWS::NoValue"]}}
  Team: {Type: "AWS::IAM::Group", Properties: {GroupName: !Select [0, !Split ["-", team-red]]}}
  SomeonesKey: {Type: "AWS::IAM::AccessKey", Properties: {UserName: !Ref Someone}}
  TeamPolicy:
    Type: AWS::IAM::Policy
    Properties: {PolicyName: tp, Groups: [!Ref Team], PolicyDocument: {Version: 2012-10-17, Statement: {Effect: Allow, Action: "sts:AssumeRole", Resource: !GetAtt Worker.Arn}}}
  GitHub: {Type: "AWS::IAM::OIDCProvider", Properties: {Url: "https://token.actions.example.com", ClientIdList: [sts.amazonaws.com]}}
  Imported: {Type: "AWS::IAM::User", Properties: {UserName: !ImportValue other}}
  Broken: {Type: "AWS::IAM::Role", Properties: {AssumeRolePolicyDocument: {Version: 2012-10-17, Statement: [{Effect: Allow, Action: "sts:AssumeRole", Resource: "*"}]}}}
  Scp:
    Type: AWS::Organizations::Policy
    Properties: {Name: no-s3, Type: SERVICE_CONTROL_POLICY, TargetIds: ["222222222222", "r-abcd"], Content: {Version: 2012-10-17, Statement: [{Effect: Deny, Action: "s3:*", Resource: "*"}]}}
`

func readStack(t *testing.T, text string, o FileOptions) *AccountFile {
	t.Helper()
	if o.ID == "" {
		o.ID = "222222222222"
	}
	f, err := ReadAccount(strings.NewReader(text), o)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestTemplate(t *testing.T) {
	f := readStack(t, stackYAML, FileOptions{Parameters: map[string]string{"ExternalId": "ExternalId123"}})
	a := f.Account
	if len(a.Roles) != 1 || len(a.Users) != 1 {
		t.Fatalf("%d roles, %d users; %q", len(a.Roles), len(a.Users), f.Notes)
	}
	r, u := a.Roles[0], a.Users[0]
	if r.ARN != "arn:aws:iam::222222222222:role/dev/dev-worker" || r.MaxSession != 7200 || r.Boundary != nil {
		t.Errorf("role %s %d %v", r.ARN, r.MaxSession, r.Boundary)
	}
	for doc, want := range map[Document]string{
		r.Trust: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:root"},"Action":"sts:AssumeRole",` +
			`"Condition":{"StringEquals":{"sts:ExternalId":"ExternalId123"},"Bool":{"aws:SecureTransport":true}}}]}`,
		r.Inline[0].Document:               `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::test-bucket/*"}]}`,
		a.Policies[0].Versions[0].Document: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::test-bucket"}]}`,
		a.Groups[0].Inline[0].Document: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole",` +
			`"Resource":"arn:aws:iam::222222222222:role/dev/dev-worker"}}`,
	} {
		if string(doc) != want {
			t.Errorf("got  %s\nwant %s", doc, want)
		}
	}
	if r.Attached[0].ARN != "arn:aws:iam::222222222222:policy/Shared" || u.Name != "two" || !slices.Equal(u.Groups, []string{"team"}) || len(u.AccessKeys) != 1 {
		t.Errorf("attached %v, user %q %v, %d keys", r.Attached, u.Name, u.Groups, len(u.AccessKeys))
	}
	if len(f.OrgPolicies) != 1 || f.OrgPolicies[0].Name != "no-s3" || len(a.OIDC) != 1 {
		t.Errorf("organization policies %v", f.OrgPolicies)
	}
	notes := strings.Join(f.Notes, "\n")
	for _, want := range []string{
		"Bucket (AWS::S3::Bucket) is skipped: this type is not rehearsed", "OnlyProd (AWS::IAM::User) is skipped: its condition is false",
		"Imported (AWS::IAM::User) is skipped: Fn::ImportValue is not supported", "Broken (AWS::IAM::Role) is skipped: AssumeRolePolicyDocument: MalformedPolicyDocument",
	} {
		if !strings.Contains(notes, want) {
			t.Errorf("the notes have no %q:\n%s", want, notes)
		}
	}
	if len(f.Notes) != 4 {
		t.Errorf("notes:\n%s", notes)
	}
}

func TestTemplateIsDeployable(t *testing.T) {
	caller := Example()[0]
	f := readStack(t, stackYAML, FileOptions{Parameters: map[string]string{"ExternalId": "ExternalId123"}})
	s := StartTest(t, Options{}, caller, f.Account)
	in := sts.AssumeRoleInput{RoleArn: target("dev/dev-worker"), DurationSeconds: aws.Int32(7200)}
	_, err := assume(t, s.URL, aSan, in)
	wantCode(t, err, "AccessDenied")
	in.ExternalId = aws.String("ExternalId123")
	mustAssume(t, s.URL, aSan, in)
}

func TestTemplateRefused(t *testing.T) {
	role := func(name string) string {
		return `{"Resources":{"R":{"Type":"AWS::IAM::User","Properties":{"UserName":` + name + `}}}}`
	}
	for name, c := range map[string]struct {
		text, id, want string
	}{
		"no account":       {role(`"x"`), "", "which account"},
		"no parameter":     {`{"Parameters":{"P":{"Type":"String"}},"Resources":{}}`, "222222222222", "no value for parameter P"},
		"value not listed": {`{"Parameters":{"P":{"Type":"String","Default":"x","AllowedValues":["y"]}},"Resources":{}}`, "222222222222", "AllowedValues"},
		"alias":            {"Resources: {a: &x {Type: y}, b: *x}", "222222222222", "aliases"},
		"deep":             {"Resources: " + strings.Repeat("[", 300) + strings.Repeat("]", 300), "222222222222", "deep"},
		"not yaml":         {"a: [", "222222222222", "read account"},
		"a list":           {"- a", "222222222222", "neither"},
		"empty":            {"", "222222222222", "empty"},
		"another account":  {`{"AccountId":"111111111111"}`, "222222222222", "not"},
		"no id at all":     {`{"UserDetailList":[]}`, "", "AccountId"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ReadAccount(strings.NewReader(c.text), FileOptions{ID: c.id})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want …%s…", err, c.want)
			}
		})
	}
	for name, text := range map[string]string{
		"itself":         `{"Ref":"R"}`,
		"unknown ref":    `{"Ref":"None"}`,
		"unclosed":       `{"Fn::Sub":"${a"}`,
		"select too far": `{"Fn::Select":[3,["a"]]}`,
		"if without":     `{"Fn::If":["C"]}`,
		"odd arguments":  `{"Fn::Join":"x"}`,
	} {
		t.Run(name, func(t *testing.T) {
			f := readStack(t, role(text), FileOptions{})
			if len(f.Notes) != 1 || len(f.Account.Users) != 0 {
				t.Errorf("%d users, notes %q", len(f.Account.Users), f.Notes)
			}
		})
	}
}

// TestTemplateBombs: a page of text must not stand for gigabytes, or for a recursion without end.
func TestTemplateBombs(t *testing.T) {
	grow := func(property string) string {
		var b strings.Builder
		for i := range 60 {
			fmt.Fprintf(&b, `"R%d":{"Type":"AWS::IAM::User","Properties":{"UserName":%s}},`, i, fmt.Sprintf(property, i+1, i+1))
		}
		return `{"Resources":{` + b.String() + `"R60":{"Type":"AWS::IAM::User","Properties":{"UserName":"aa"}}}}`
	}
	var cond strings.Builder
	for i := range 60 {
		fmt.Fprintf(&cond, `"C%d":{"Fn::And":[{"Condition":"C%d"},{"Condition":"C%d"}]},`, i, i+1, i+1)
	}
	for name, text := range map[string]string{
		"names":      grow(`{"Fn::Sub":"${R%d}${R%d}"}`),
		"joined":     grow(`{"Fn::Join":["",[{"Ref":"R%d"},{"Ref":"R%d"}]]}`),
		"ARNs":       grow(`{"Fn::Sub":"${R%d.Arn}${R%d.Arn}"}`),
		"own path":   `{"Resources":{"R":{"Type":"AWS::IAM::User","Properties":{"Path":{"Fn::GetAtt":["R","Arn"]}}}}}`,
		"own url":    `{"Resources":{"R":{"Type":"AWS::IAM::OIDCProvider","Properties":{"Url":{"Ref":"R"}}}}}`,
		"conditions": `{"Conditions":{` + cond.String() + `"C60":{"Fn::Equals":["a","a"]}},"Resources":{"R":{"Type":"AWS::IAM::User","Condition":"C0"}}}`,
		"cycle":      `{"Conditions":{"A":{"Condition":"B"},"B":{"Condition":"A"}},"Resources":{"R":{"Type":"AWS::IAM::User","Condition":"A"}}}`,
	} {
		// What doubles at each step would never come to an end.
		t.Run(name, func(t *testing.T) { readStack(t, text, FileOptions{}) })
	}
}

func TestTemplateOnASnapshot(t *testing.T) {
	base := Example()[1]
	f := readStack(t, `{"Resources":{"P":{"Type":"AWS::IAM::RolePolicy","Properties":{"RoleName":"Open","PolicyName":"p","PolicyDocument":`+allowSwitch+`}},
		"Open":{"Type":"AWS::IAM::Role","Properties":{"AssumeRolePolicyDocument":`+string(trustOf("*"))+`}}}}`, FileOptions{Base: base})
	if len(base.Roles[0].Inline) != 1 || len(f.Notes) != 1 || !strings.Contains(f.Notes[0], `role "Open" already exists`) {
		t.Errorf("%v %q", base.Roles[0].Inline, f.Notes)
	}
}

// TestSnapshotRoundTrip reads what the server itself prints as get-account-authorization-details, as the AWS CLI decodes it.
func TestSnapshotForms(t *testing.T) {
	for name, doc := range map[string]string{"object": allowSwitch, "text": quote(allowSwitch), "encoded": quote(encodeDocument(allowSwitch))} {
		t.Run(name, func(t *testing.T) {
			text := `{"UserDetailList":[{"UserName":"A","Arn":"arn:aws-cn:iam::000000000000:user/x/A","Path":"/x/","CreateDate":"2020-01-01T00:00:00+00:00","UserPolicyList":[{"PolicyName":"p","PolicyDocument":` + doc + `}]}]}`
			a, err := LoadAccount(strings.NewReader(text), "")
			if err != nil {
				t.Fatal(err)
			}
			if a.ID != "000000000000" || a.Partition != "aws-cn" || a.Users[0].Inline[0].Document != allowSwitch {
				t.Errorf("%s %s %s", a.ID, a.Partition, a.Users[0].Inline[0].Document)
			}
		})
	}
	yamlText := "UserDetailList:\n- UserName: A\n  Arn: arn:aws:iam::000000000000:user/A\n  CreateDate: '2020-01-01T00:00:00+00:00'\n"
	if f, err := ReadAccount(strings.NewReader(yamlText), FileOptions{}); err != nil || f.Account.Users[0].Name != "A" {
		t.Errorf("as YAML: %v", err)
	}
}

func quote(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

func TestSecretsAreHidden(t *testing.T) {
	b, err := json.Marshal(Example())
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(b), ExampleSecret) || strings.Contains(string(b), ExampleMFASeed) {
		t.Errorf("the JSON has a secret: %s", b)
	}
}

func FuzzReadAccount(f *testing.F) {
	f.Add(stackYAML)
	f.Add(`{"UserDetailList":[{"UserName":"A"}],"AccountId":"000000000000"}`)
	f.Fuzz(func(_ *testing.T, text string) {
		_, _ = ReadAccount(strings.NewReader(text), FileOptions{ID: "222222222222", Parameters: map[string]string{"ExternalId": "x"}})
	})
}
