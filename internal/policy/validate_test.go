package policy

import (
	"fmt"
	"strings"
	"testing"
)

// What AWS refuses, by kind of policy: the message and the place of each finding.
func TestValidateRefuses(t *testing.T) {
	const head = `{"Version":"2012-10-17","Statement":[`
	trust := func(principal string) string {
		return head + `{"Effect":"Allow","Principal":` + principal + `,"Action":"sts:AssumeRole"}]}`
	}
	st := func(more string) string {
		return head + `{"Effect":"Allow","Action":"s3:*","Resource":"*"` + more + `}]}`
	}
	for _, c := range []struct {
		name string
		kind Kind
		text string
		want string
	}{
		{"wildcard in a principal", Trust, trust(`{"AWS":"arn:aws:iam::111111111111:user/*"}`), "no wildcard inside a principal's ARN"},
		{"wildcard account", Trust, trust(`{"AWS":"arn:aws:iam::*:root"}`), "no wildcard inside"},
		{"group", Trust, trust(`{"AWS":"arn:aws:iam::111111111111:group/g"}`), "a group is no principal"},
		{"bare star", Trust, trust(`"*"`), "Invalid principal in policy"},
		{"bare ARN", Trust, trust(`"arn:aws:iam::111111111111:root"`), "Invalid principal in policy"},
		{"short account", Trust, trust(`{"AWS":"11111111111"}`), "neither an ARN"},
		{"13 digits in an ARN", Trust, trust(`{"AWS":"arn:aws:iam::1111111111111:root"}`), "twelve digits"},
		{"empty principal", Trust, trust(`{}`), "cannot be empty"},
		{"unknown type", Trust, trust(`{"User":"arn:aws:iam::111111111111:root"}`), "types of principals"},
		{"session with a path", Trust, trust(`{"AWS":"arn:aws:sts::111111111111:assumed-role/a/b/c"}`), "without a path"},
		{"a policy as principal", Trust, trust(`{"AWS":"arn:aws:iam::111111111111:policy/p"}`), "only account root"},
		{"service", Trust, trust(`{"Service":"*"}`), "named like"},
		{"provider", Trust, trust(`{"Federated":"arn:aws:iam::111111111111:role/x"}`), "OIDC or SAML"},
		{"NotPrincipal", Trust, head + `{"Effect":"Allow","NotPrincipal":{"AWS":"111111111111"},"Action":"sts:AssumeRole"}]}`, "prohibited field NotPrincipal"},
		{"no principal", Trust, head + `{"Effect":"Allow","Action":"sts:AssumeRole"}]}`, "Missing required field Principal"},
		{"resource", Trust, head + `{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"sts:AssumeRole","Resource":"*"}]}`, "prohibited field Resource"},
		{"PassRole in trust", Trust, head + `{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"iam:PassRole"}]}`, "may only specify STS AssumeRole"},
		{"misspelt action in trust", Trust, head + `{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":["sts:AssumeRole","sts:TagSessions"]}]}`, `STS AssumeRole actions: "sts:TagSessions"`},
		{"wildcard of another action in trust", Trust, head + `{"Effect":"Deny","Principal":{"AWS":"111111111111"},"Action":"sts:Get*"}]}`, "may only specify STS AssumeRole"},
		{"variable in a principal", Trust, trust(`{"AWS":"arn:aws:iam::111111111111:user/${aws:username}"}`), "policy variables are not replaced"},
		{"partition of a principal", Trust, trust(`{"AWS":"arn:awz:iam::111111111111:root"}`), "no such partition"},
		{"principal", Identity, st(`,"Principal":{"AWS":"*"}`), "should not specify a principal"},
		{"principal in a boundary", Boundary, st(`,"NotPrincipal":{"AWS":"*"}`), "should not specify a principal"},
		{"principal in an SCP", SCP, st(`,"Principal":"*"`), "should not specify a principal"},
		{"no resource", Identity, head + `{"Effect":"Allow","Action":"s3:*"}]}`, "must contain resources"},
		{"no resource in a session policy", Session, head + `{"Effect":"Allow","Action":"s3:*","Resource":[]}]}`, "must contain resources"},
		{"no action", Identity, head + `{"Effect":"Allow","Resource":"*"}]}`, "must contain actions"},
		{"empty action", Identity, head + `{"Effect":"Allow","Action":[],"Resource":"*"}]}`, "must contain actions"},
		{"both actions", Identity, st(`,"NotAction":"iam:*"`), "either Action or NotAction"},
		{"both resources", Identity, st(`,"NotResource":"*"`), "either Resource or NotResource"},
		{"effect's case", Identity, head + `{"Effect":"allow","Action":"s3:*","Resource":"*"}]}`, "Invalid effect"},
		{"no effect", Identity, head + `{"Action":"s3:*","Resource":"*"}]}`, "Missing required field Effect"},
		{"version", Identity, `{"Version":"2012-10-18","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`, "valid version"},
		{"empty version", Identity, `{"Version":"","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`, "valid version"},
		{"SCP of 2008", SCP, `{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`, "must have the Version"},
		{"RCP without version", RCP, `{"Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*"}]}`, "must have the Version"},
		{"no statement", Identity, `{"Version":"2012-10-17"}`, "has no statement"},
		{"empty statements", Trust, `{"Version":"2012-10-17","Statement":[]}`, "has no statement"},
		{"statement is a text", Identity, `{"Version":"2012-10-17","Statement":["x"]}`, "must be an object"},
		{"unknown element", Identity, st(`,"Ressource":"*"`), `unknown element "Ressource"`},
		{"unknown element of the document", Identity, `{"version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`, `unknown element "version"`},
		{"twice", Identity, st(`,"Action":"iam:*"`), "stands twice"},
		{"sid", Identity, st(`,"Sid":"a b"`), "alpha-numeric"},
		{"sids", Identity, head + `{"Sid":"a","Effect":"Allow","Action":"s3:*","Resource":"*"},{"Sid":"a","Effect":"Allow","Action":"s3:*","Resource":"*"}]}`, "must be unique"},
		{"action without vendor", Identity, head + `{"Effect":"Allow","Action":"AssumeRole","Resource":"*"}]}`, "prefaced by a vendor"},
		{"action with two colons", Identity, head + `{"Effect":"Allow","Action":"sts:Assume:Role","Resource":"*"}]}`, "is not valid"},
		{"action a number", Identity, head + `{"Effect":"Allow","Action":5,"Resource":"*"}]}`, "must be a string or a list of strings"},
		{"resource no ARN", Identity, head + `{"Effect":"Allow","Action":"s3:*","Resource":"my-bucket"}]}`, "must be in ARN format"},
		{"resource of five parts", Identity, head + `{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:bucket"}]}`, "must be in ARN format"},
		{"partition", Identity, head + `{"Effect":"Allow","Action":"s3:*","Resource":"arn:awz:s3:::b"}]}`, "Partition \"awz\" is not valid"},
		{"partition is a variable", SCP, head + `{"Effect":"Allow","Action":"s3:*","Resource":"arn:${aws:x}:s3:::b"}]}`, "is not valid for resource"},
		{"vendor is a wildcard", Boundary, head + `{"Effect":"Allow","Action":"s3:*","NotResource":"arn:aws:s*:::b"}]}`, "cannot contain regexes"},
		{"no vendor", Session, head + `{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws"}]}`, "cannot contain regexes"},
		{"region of IAM", Identity, head + `{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:iam:us-east-1:111111111111:role/r"}]}`, "cannot contain region"},
		{"half a wildcard vendor", Identity, head + `{"Effect":"Allow","Action":"st*:AssumeRole","Resource":"*"}]}`, "Vendor"},
		{"date", Identity, st(`,"Condition":{"DateLessThan":{"aws:CurrentTime":["2026-01-01","tomorrow"]}}`), "\"tomorrow\" is not a date"},
		{"operator", Identity, st(`,"Condition":{"StringEqual":{"aws:username":"a"}}`), "Invalid Condition type"},
		{"operator's case", Identity, st(`,"Condition":{"stringEquals":{"aws:username":"a"}}`), "case-sensitive: StringEquals"},
		{"NullIfExists", Identity, st(`,"Condition":{"NullIfExists":{"aws:username":"true"}}`), "neither IfExists"},
		{"condition key", Identity, st(`,"Condition":{"StringEquals":{"username":"a"}}`), "prefaced by a vendor"},
		{"condition is a list", Identity, st(`,"Condition":[]`), "Condition must be an object"},
		{"condition value", Identity, st(`,"Condition":{"StringEquals":{"aws:username":{"a":1}}}`), "condition value must be"},
		{"RCP allows", RCP, head + `{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"}]}`, "Effect must be Deny"},
		{"RCP names someone", RCP, head + `{"Effect":"Deny","Principal":{"AWS":"111111111111"},"Action":"s3:*","Resource":"*"}]}`, `must have "Principal": "*"`},
		{"RCP without principal", RCP, head + `{"Effect":"Deny","Action":"s3:*","Resource":"*"}]}`, `must have "Principal": "*"`},
		{"RCP star", RCP, head + `{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}]}`, `can't be "*" alone`},
		{"RCP NotAction", RCP, head + `{"Effect":"Deny","Principal":"*","NotAction":"s3:*","Resource":"*"}]}`, "NotAction is not supported"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, f := range mustParse(t, c.text).Validate(c.kind) {
				if f.Severity == SeverityError && strings.Contains(f.Message, c.want) {
					if f.Pos.Line != 1 || f.Pos.Column < 1 || !strings.Contains(f.String(), "test.json:1:") {
						t.Errorf("place: %s", f)
					}
					return
				}
			}
			t.Errorf("not refused with %q: %v", c.want, mustParse(t, c.text).Validate(c.kind))
		})
	}
}

func TestValidateAccepts(t *testing.T) {
	for name, c := range map[string]struct {
		kind Kind
		text string
	}{
		"every principal": {Trust, `{"Version":"2012-10-17","Statement":[{"Sid":"A1","Effect":"Allow","Principal":{"AWS":["*","111111111111","arn:aws:iam::111111111111:root",
			"arn:aws:iam::111111111111:user/p/u","arn:aws:iam::111111111111:role/p/r","arn:aws:sts::111111111111:assumed-role/r/s","arn:aws:sts::111111111111:federated-user/f"],
			"Service":["ssm.amazonaws.com","ec2.amazonaws.com.cn"],"Federated":["accounts.google.com","arn:aws:iam::111111111111:saml-provider/p"]},
			"Action":["sts:AssumeRole","sts:TagSession"]}]}`},
		"no version":        {Trust, `{"Statement":{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"sts:assumerole"}}`},
		"*:*":               {Identity, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*:*","Resource":["arn:aws-cn:iam::*","arn:*:iam:*:*:role/x"]}}`},
		"Id, NotAction":     {Identity, `{"Version":"2008-10-17","Id":"x","Statement":{"Effect":"Deny","NotAction":"iam:*","NotResource":"arn:aws:s3:::b/*"}}`},
		"conditions":        {Boundary, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":true},"ForAnyValue:StringLikeIfExists":{"aws:TagKeys":["a",5]}}}}`},
		"full SCP":          {SCP, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},{"Sid":"a b","Effect":"Deny","NotAction":"a:b","Resource":"arn:aws:iam::*:role/x","Condition":{"Null":{"aws:x":"true"}}}]}`},
		"RCPFullAWSAccess":  {RCP, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}`},
		"RCP":               {RCP, `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":["sts:AssumeRole","s3:*"],"NotResource":"arn:aws:iam::*:role/x"}]}`},
		"web identity keys": {Trust, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::111111111111:oidc-provider/token.actions.githubusercontent.com"},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringLike":{"token.actions.githubusercontent.com:sub":"repo:o/r:*"}}}]}`},
	} {
		if findings := mustParse(t, c.text).Validate(c.kind); hasErrors(findings) {
			t.Errorf("%s: %v", name, findings)
		}
	}
}

// What AWS accepts and what is a trap all the same is a warning.
func TestValidateWarns(t *testing.T) {
	trust := func(effect, principal, cond string) string {
		return fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Effect":%q,"Principal":{"AWS":%q},"Action":"sts:AssumeRole","Condition":%s}}`, effect, principal, cond)
	}
	for _, c := range []struct{ text, want string }{
		{trust("Allow", "111111111111", `{"BoolIfExists":{"aws:MultiFactorAuthPresent":"true"}}`), "lets access keys without MFA in"},
		{trust("Deny", "111111111111", `{"Bool":{"aws:MultiFactorAuthPresent":"false"}}`), "misses access keys"},
		{trust("Allow", "111111111111", `{"StringEqualsIfExists":{"sts:ExternalId":"x"}}`), "makes the external ID optional"},
		{trust("Allow", "111111111111", `{"ForAllValues:StringEquals":{"aws:TagKeys":"x"}}`), "needs a Null check"},
		{trust("Allow", "111111111111", `{"StringEquals":{"aws:TagKeys":"x"}}`), "is a list"},
		{trust("Allow", "111111111111", `{"NumericLessThan":{"aws:MultiFactorAuthAge":"1h"}}`), "is not a number"},
		{trust("Allow", "AIDAOLD1234567890", `{}`), "no longer exists"},
		{`{"Statement":{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"aws:x":"${aws:username}"}}}}`, "plain text without"},
		{trust("Allow", "111111111111", `{"StringEquals":{"aws:username":"`+strings.Repeat("x", 2100)+`"}}`), "Cannot exceed quota"},
	} {
		findings := mustParse(t, c.text).Validate(Trust)
		text := fmt.Sprint(findings)
		if hasErrors(findings) || !strings.Contains(text, c.want) {
			t.Errorf("want only a warning with %q: %s", c.want, text)
		}
	}
}

// All faults are told, in the order of the text.
func TestValidateTellsAll(t *testing.T) {
	text := "{\n \"Version\": \"1\",\n \"Statement\": [\n  {\"Effect\": \"allow\", \"Action\": \"x\", \"Resource\": \"*\"},\n  {\"Effect\": \"Allow\", \"Action\": \"s3:*\", \"Ünknown\": 1, \"Foo\": 2}\n ]\n}"
	var places []string
	for _, f := range mustParse(t, text).Validate(Identity) {
		places = append(places, fmt.Sprintf("%d:%d", f.Pos.Line, f.Pos.Column))
	}
	if got, want := strings.Join(places, " "), "2:13 4:14 4:33 5:3 5:41 5:55"; got != want {
		t.Errorf("places %s, want %s: %v", got, want, mustParse(t, text).Validate(Identity))
	}
}

func TestParseErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                                  "x.json:1:1: the text ends",
		"[]":                                "x.json:1:1: a policy document is an object, not a list",
		"{\n  \"a\": 1,\n}":                 "x.json:3:1: a comma before",
		"{\"a\" 1}":                         "1:6: expected ':'",
		"{\"a\": tru}":                      "1:7: unexpected 't'",
		"{\"a\": 01}":                       "1:7: ",
		"{\"a\": \"\n\"}":                   "control character",
		"{\"a\": \"\\x\"}":                  "unknown escape",
		"{\"a\": \"\\u12\"}":                "hexadecimal",
		"{\"a\": \"b":                       "without its closing quote",
		"{} {}":                             "1:4: text after the end",
		"{\"a\": \"\xff\"}":                 "not UTF-8",
		strings.Repeat("[", 100_000):        "nested deeper",
		strings.Repeat(`{"a":`, 100_000):    "nested deeper",
		"[" + strings.Repeat("1,", 600_000): "more than",
		strings.Repeat(" ", 17<<20):         "larger than",
	} {
		_, err := Parse([]byte(text), "x.json")
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.30q: %v, want %q", text, err, want)
		}
	}
	d, err := Parse([]byte("\xef\xbb\xbf{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"s3:*\",\"Resource\":\"*\",\"Sid\":\"\\u00e9\\ud83d\\ude00\\ud800\"}}"), "")
	if err != nil || d.Statements[0].Sid != "é😀\ufffd" || d.Statements[0].Pos.Line != 1 {
		t.Errorf("byte order mark and escapes: %v, %+v", err, d)
	}
}

// hasErrors tells whether AWS would refuse a document with these findings.
func hasErrors(findings []Finding) bool {
	for _, f := range findings {
		if f.Severity == SeverityError {
			return true
		}
	}
	return false
}
