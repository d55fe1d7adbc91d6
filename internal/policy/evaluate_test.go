package policy

import (
	"encoding/json"
	"strings"
	"testing"
)

// request is a cross-account request that is allowed; tests spoil one thing of it.
func request(t *testing.T) *Request {
	t.Helper()
	return &Request{
		Caller: Caller{ARN: session, PrincipalARN: callerR, UniqueID: "AROACALLER1234567:me"}, RoleARN: roleB, Actions: []string{ActionAssumeRole},
		Trust: trustFor(t, `{"AWS":"`+rootA+`"}`, ""), Identity: named(permission(t, "Allow", "sts:AssumeRole", roleB)), Context: Context{},
	}
}

func TestPrincipalForms(t *testing.T) {
	sess := Caller{ARN: session, PrincipalARN: callerR, UniqueID: "AROACALLER1234567:me"}
	user := Caller{ARN: userA, UniqueID: "AIDAUSER123456789"}
	for _, c := range []struct {
		name      string
		caller    Caller
		principal string
		want      bool
	}{
		{"account", sess, `{"AWS":"` + accountA + `"}`, true},
		{"root", user, `{"AWS":"` + rootA + `"}`, true},
		{"other account", sess, `{"AWS":"` + accountB + `"}`, false},
		{"other partition", sess, `{"AWS":"arn:aws-cn:iam::` + accountA + `:root"}`, false},
		{"one of two", user, `{"AWS":["` + accountB + `","` + userA + `"]}`, true},
		{"user's case", user, `{"AWS":"arn:aws:iam::` + accountA + `:user/a-san"}`, false},
		{"role with path", sess, `{"AWS":"` + callerR + `"}`, true},
		{"role without its path", sess, `{"AWS":"arn:aws:iam::` + accountA + `:role/CallerRole"}`, false},
		{"role, path unknown", Caller{ARN: session}, `{"AWS":"` + callerR + `"}`, true},
		{"role itself asks", Caller{ARN: callerR}, `{"AWS":"` + callerR + `"}`, true},
		{"session", sess, `{"AWS":"` + session + `"}`, true},
		{"other session", sess, `{"AWS":"` + session + `2"}`, false},
		{"user's unique id", user, `{"AWS":"AIDAUSER123456789"}`, true},
		{"role's unique id", sess, `{"AWS":"AROACALLER1234567"}`, true},
		{"deleted user's id", user, `{"AWS":"AIDAUSER123456780"}`, false},
		{"id of an unknown caller", Caller{ARN: userA}, `{"AWS":"AIDAUSER123456789"}`, false},
		{"service for a user", user, `{"Service":"ssm.amazonaws.com"}`, false},
		{"account for a service", Caller{ARN: "ssm.amazonaws.com"}, `{"AWS":"` + accountA + `"}`, false},
		{"service", Caller{ARN: "ssm.amazonaws.com"}, `{"Service":["ec2.amazonaws.com","ssm.amazonaws.com"]}`, true},
		{"federated for a user", user, `{"Federated":"accounts.google.com"}`, false},
		{"account of a provider", Caller{ARN: "arn:aws:iam::" + accountA + ":oidc-provider/x.example"}, `{"AWS":"` + accountA + `"}`, false},
		{"role, path unknown, other account", Caller{ARN: session}, `{"AWS":"arn:aws:iam::` + accountB + `:role/team/CallerRole"}`, false},
		{"canonical user", user, `{"CanonicalUser":"` + strings.Repeat("a", 64) + `"}`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			req := request(t)
			req.Caller, req.Trust = c.caller, trustFor(t, c.principal, "")
			if strings.Contains(c.caller.ARN, "oidc-provider") {
				req.Actions = []string{ActionTagSession}
				req.Trust = mustParse(t, strings.ReplaceAll(string(req.Trust.JSON()), "sts:AssumeRole", "sts:TagSession"))
			}
			want := DecisionDeny
			if c.want {
				want = DecisionAllow
			}
			wantDecision(t, req, want, false)
		})
	}
}

// A role may assume itself only if its trust policy says so.
func TestRoleAssumesItself(t *testing.T) {
	req := request(t)
	req.RoleARN = callerR
	req.Identity = named(permission(t, "Allow", "sts:*", "*"))
	wantDecision(t, req, DecisionAllow, false)
	req.Trust = trustFor(t, `{"AWS":"`+accountB+`"}`, "")
	wantDecision(t, req, DecisionDeny, false)
}

// PrincipalArn of a session is its role's ARN with the path; conditions see only what the request carries.
func TestContextIsWhatIsCarried(t *testing.T) {
	req := request(t)
	req.Trust = trustFor(t, `{"AWS":"*"}`, `,"Condition":{"ArnEquals":{"aws:PrincipalArn":"`+callerR+`"}}`)
	wantDecision(t, req, DecisionDeny, false)
	req.Context = DeriveContext(req.Caller)
	wantDecision(t, req, DecisionAllow, false)
	if id := req.Context["aws:userid"].Values[0]; id != "AROACALLER1234567:me" {
		t.Errorf("aws:userid %q", id)
	}
	user := DeriveContext(Caller{ARN: "arn:aws:iam::" + accountA + ":user/p/u", UniqueID: "AIDAX"})
	if user["aws:username"].Values[0] != "u" || user["aws:PrincipalArn"].Values[0] != "arn:aws:iam::"+accountA+":user/p/u" || user["aws:userid"].Values[0] != "AIDAX" {
		t.Errorf("user: %v", user)
	}
	if len(DeriveContext(Caller{ARN: "ssm.amazonaws.com"})) > 0 {
		t.Error("a service got keys of a principal")
	}
}

func TestOrganizations(t *testing.T) {
	full := permission(t, "Allow", "*", "*")
	deny := permission(t, "Deny", "sts:AssumeRole", "*")
	rcp := mustParse(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"sts:*","Resource":"*"}]}`)
	rcpFull := mustParse(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}`)
	level := func(docs ...*Document) Level { return Level{Policies: named(docs...)} }
	linked := Caller{
		ARN:          "arn:aws:sts::" + accountA + ":assumed-role/AWSServiceRoleForX/s",
		PrincipalARN: "arn:aws:iam::" + accountA + ":role/aws-service-role/x.amazonaws.com/AWSServiceRoleForX",
	}
	for _, c := range []struct {
		name     string
		change   func(*Request)
		want     Decision
		explicit bool
	}{
		{"no levels", func(r *Request) { r.SCPs = []Level{} }, DecisionAllow, false},
		{"every level allows", func(r *Request) { r.SCPs = []Level{level(full), level(full, full)} }, DecisionAllow, false},
		{"an empty level", func(r *Request) { r.SCPs = []Level{level(full), level()} }, DecisionDeny, false},
		{"a level denies", func(r *Request) { r.SCPs = []Level{level(full, deny), level(full)} }, DecisionDeny, true},
		{"management account calls", func(r *Request) {
			r.SCPs, r.Organization = []Level{level(deny)}, &Organization{ManagementAccount: accountA}
		}, DecisionAllow, false},
		{"management account's role", func(r *Request) {
			r.SCPs, r.Organization = []Level{level(deny)}, &Organization{ManagementAccount: accountB}
		}, DecisionDeny, true},
		{"service-linked role calls", func(r *Request) { r.Caller, r.SCPs, r.RCPs = linked, []Level{level()}, []Level{level(rcp)} }, DecisionAllow, false},
		{"RCP full access", func(r *Request) { r.RCPs = []Level{level(rcpFull)} }, DecisionAllow, false},
		{"RCP level without any policy", func(r *Request) { r.RCPs = []Level{level()} }, DecisionAllow, false},
		{"RCP denies", func(r *Request) { r.RCPs = []Level{level(rcpFull), level(rcpFull, rcp)} }, DecisionDeny, true},
		{"RCP, role of the management account", func(r *Request) {
			r.RCPs, r.Organization = []Level{level(rcp)}, &Organization{ManagementAccount: accountB}
		}, DecisionAllow, false},
		{"RCP, caller of the management account", func(r *Request) {
			r.RCPs, r.Organization = []Level{level(rcp)}, &Organization{ManagementAccount: accountA}
		}, DecisionDeny, true},
		{"RCP binds services", func(r *Request) {
			r.Caller, r.Trust, r.RCPs = Caller{ARN: "ssm.amazonaws.com"}, trustFor(t, `{"Service":"ssm.amazonaws.com"}`, ""), []Level{level(rcp)}
		}, DecisionDeny, true},
		{"SCPs don't bind services", func(r *Request) {
			r.Caller, r.Trust, r.SCPs = Caller{ARN: "ssm.amazonaws.com"}, trustFor(t, `{"Service":"ssm.amazonaws.com"}`, ""), []Level{level(deny)}
		}, DecisionAllow, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			req := request(t)
			c.change(req)
			wantDecision(t, req, c.want, c.explicit)
		})
	}
}

func TestWebIdentityAndSAML(t *testing.T) {
	const oidc = "arn:aws:iam::" + accountB + ":oidc-provider/token.example.com"
	const saml = "arn:aws:iam::" + accountB + ":saml-provider/idp"
	trust := func(provider, action string) *Document {
		return mustParse(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"`+provider+`"},"Action":["`+action+`","sts:TagSession"],
			"Condition":{"StringEqualsIfExists":{"token.example.com:aud":"sts.amazonaws.com"}}}]}`)
	}
	for _, c := range []struct {
		name, caller, provider, trusted string
		actions                         []string
		aud                             string
		want                            Decision
	}{
		{"oidc", oidc, oidc, ActionAssumeRoleWithWebIdentity, []string{ActionAssumeRoleWithWebIdentity, ActionTagSession}, "sts.amazonaws.com", DecisionAllow},
		{"audience", oidc, oidc, ActionAssumeRoleWithWebIdentity, []string{ActionAssumeRoleWithWebIdentity}, "other", DecisionDeny},
		{"other provider", oidc + "/x", oidc, ActionAssumeRoleWithWebIdentity, []string{ActionAssumeRoleWithWebIdentity}, "", DecisionDeny},
		{"built in", "accounts.google.com", "accounts.google.com", ActionAssumeRoleWithWebIdentity, []string{ActionAssumeRoleWithWebIdentity}, "", DecisionAllow},
		{"by host", "token.example.com", oidc, ActionAssumeRoleWithWebIdentity, []string{ActionAssumeRoleWithWebIdentity}, "", DecisionAllow},
		{"by another host", "ken.example.com", oidc, ActionAssumeRoleWithWebIdentity, []string{ActionAssumeRoleWithWebIdentity}, "", DecisionDeny},
		{"saml", saml, saml, ActionAssumeRoleWithSAML, []string{ActionAssumeRoleWithSAML}, "", DecisionAllow},
		{"saml by web identity", saml, saml, ActionAssumeRoleWithWebIdentity, []string{ActionAssumeRoleWithWebIdentity}, "", DecisionDeny},
		{"oidc by AssumeRole", oidc, oidc, ActionAssumeRole, []string{ActionAssumeRole}, "", DecisionDeny},
		{"a user by web identity", userA, oidc, ActionAssumeRoleWithWebIdentity, []string{ActionAssumeRoleWithWebIdentity}, "", DecisionDeny},
	} {
		t.Run(c.name, func(t *testing.T) {
			req := &Request{Caller: Caller{ARN: c.caller}, RoleARN: roleB, Actions: c.actions, Trust: trust(c.provider, c.trusted), Context: Context{}}
			if c.aud != "" {
				req.Context["token.example.com:aud"] = One(c.aud)
			}
			wantDecision(t, req, c.want, false)
		})
	}
}

// Session tags and a source identity need their own actions on both sides; all that is asked must be allowed.
func TestExtraActions(t *testing.T) {
	req := request(t)
	req.Actions = []string{ActionAssumeRole, ActionTagSession}
	res := wantDecision(t, req, DecisionDeny, false)
	if len(res.Reasons) != 2 || !strings.Contains(res.Reasons[0].Why, ActionTagSession) {
		t.Errorf("reasons %+v", res.Reasons)
	}
	req.Trust = mustParse(t, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"`+rootA+`"},"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]}}`)
	wantDecision(t, req, DecisionDeny, false)
	req.Identity = named(permission(t, "Allow", "sts:*", roleB))
	wantDecision(t, req, DecisionAllow, false)
	req.Actions = append(req.Actions, ActionSetSourceIdentity)
	wantDecision(t, req, DecisionAllow, false)
	req.Identity = append(req.Identity, NamedPolicy{"no", permission(t, "Deny", "sts:SetSourceIdentity", "*")})
	wantDecision(t, req, DecisionDeny, true)
	req.Actions, req.Context = []string{"sts:assumerole"}, Context{"aws:RequestTag/x": One("y"), "sts:SourceIdentity": One("z")}
	if res := wantDecision(t, req, DecisionAllow, false); len(res.Warnings) != 2 {
		t.Errorf("warnings %q", res.Warnings)
	}
}

// A source identity that the caller's session brings along stays as it is, and needs its action again.
func TestSourceIdentityStays(t *testing.T) {
	for sent, want := range map[string]Decision{"": DecisionAllow, "alice": DecisionAllow, "Alice": DecisionDeny, "bob": DecisionDeny} {
		req := request(t)
		req.Context["aws:SourceIdentity"] = One("alice")
		if sent != "" {
			req.Context["sts:SourceIdentity"] = One(sent)
		}
		res := wantDecision(t, req, want, false)
		if want == DecisionDeny && (res.Reasons[0].Side != SideRequest || len(res.Missing) > 0) {
			t.Errorf("%s: %+v", sent, res)
		}
		if !strings.Contains(strings.Join(res.Warnings, "\n"), ActionSetSourceIdentity) {
			t.Errorf("%q: no warning that %s is needed: %v", sent, ActionSetSourceIdentity, res.Warnings)
		}
	}
}

// A Deny that does not apply is no deny, and one that does names its statement with the values compared.
func TestTrace(t *testing.T) {
	req := request(t)
	req.Context["sts:ExternalId"] = One("mine")
	req.Trust = mustParse(t, `{"Version":"2012-10-17","Statement":[
		{"Sid":"In","Effect":"Allow","Principal":{"AWS":"`+rootA+`"},"Action":"sts:AssumeRole"},
		{"Sid":"Out","Effect":"Deny","Principal":{"AWS":"*"},"Action":"sts:AssumeRole","Condition":{"StringNotEquals":{"sts:ExternalId":"theirs"}}},
		{"Sid":"Other","Effect":"Deny","Principal":{"AWS":"`+accountB+`"},"Action":"sts:AssumeRole"},
		{"Sid":"Tags","Effect":"Deny","Principal":{"AWS":"*"},"Action":"sts:TagSession"}]}`)
	res := wantDecision(t, req, DecisionDeny, true)
	if len(res.Reasons) != 1 || res.Reasons[0].Statement != "Out" || res.Reasons[0].Effect != Deny || res.Reasons[0].Side != SideTrust || res.Reasons[0].Place() != "test.json:3:3" {
		t.Errorf("reasons %+v", res.Reasons)
	}
	want := map[string]string{"In": "", "Out": "", "Other": "principal", "Tags": "action"}
	for _, s := range res.Trace {
		if failed, known := want[s.Statement]; known && (s.Failed != failed || s.Applies != (failed == "")) {
			t.Errorf("step %+v", s)
		}
		if s.Statement == "Out" && (len(s.Checks) != 1 || !s.Checks[0].Held || s.Checks[0].Request[0] != "mine" || s.Checks[0].Policy[0] != "theirs") {
			t.Errorf("checks %+v", s.Checks)
		}
	}
}

// A session policy limits what a trust policy grants the user by name; a boundary does not.
func TestSessionPolicyOfNamedUser(t *testing.T) {
	req := &Request{
		Caller: Caller{ARN: userA}, RoleARN: roleR, Actions: []string{ActionAssumeRole},
		Trust: trustFor(t, `{"AWS":"`+userA+`"}`, ""), Session: permission(t, "Allow", "s3:*", "*"),
	}
	wantDecision(t, req, DecisionDeny, false)
	req.Session = permission(t, "Allow", "sts:*", "*")
	wantDecision(t, req, DecisionAllow, false)
}

// The documents disagree on whether a boundary limits what a trust policy grants a user by name; we allow, and say so.
func TestBoundaryOfNamedUserWarns(t *testing.T) {
	res := wantDecision(t, &Request{
		Caller: Caller{ARN: userA}, RoleARN: roleR, Actions: []string{ActionAssumeRole},
		Trust: trustFor(t, `{"AWS":"`+userA+`"}`, ""), Boundary: permission(t, "Allow", "s3:*", "*"),
	}, DecisionAllow, false)
	if len(res.Warnings) != 1 || !strings.Contains(res.Warnings[0], "boundary") {
		t.Errorf("warnings %q", res.Warnings)
	}
}

func TestEvaluateAction(t *testing.T) {
	allow := permission(t, "Allow", "s3:PutObject", "arn:aws:s3:::test-bucket/*")
	bucket := func(principal string) *Document {
		return mustParse(t, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":`+principal+`,"Action":"s3:*","Resource":"arn:aws:s3:::test-bucket/*"}}`)
	}
	object := "arn:aws:s3:::test-bucket/a/b"
	sess := Caller{ARN: session, PrincipalARN: callerR}
	for _, c := range []struct {
		name string
		req  ActionRequest
		want Decision
	}{
		{"identity", ActionRequest{Caller: sess, Identity: named(allow)}, DecisionAllow},
		{"nothing", ActionRequest{Caller: sess}, DecisionDeny},
		{"other bucket", ActionRequest{Caller: sess, Identity: named(allow), Resource: "arn:aws:s3:::other/a"}, DecisionDeny},
		{"other action", ActionRequest{Caller: sess, Identity: named(allow), Action: "s3:GetObject"}, DecisionDeny},
		{"boundary", ActionRequest{Caller: sess, Identity: named(allow), Boundary: permission(t, "Allow", "iam:*", "*")}, DecisionDeny},
		{"session policy", ActionRequest{Caller: sess, Identity: named(allow), Session: permission(t, "Allow", "iam:*", "*")}, DecisionDeny},
		{"session policy allows", ActionRequest{Caller: sess, Identity: named(allow), Session: permission(t, "Allow", "s3:*", "*")}, DecisionAllow},
		{"SCP", ActionRequest{Caller: sess, Identity: named(allow), SCPs: []Level{{}}}, DecisionDeny},
		{"bucket policy alone", ActionRequest{Caller: sess, ResourcePolicy: bucket(`{"AWS":"` + callerR + `"}`)}, DecisionAllow},
		{"bucket policy for the account", ActionRequest{Caller: sess, ResourcePolicy: bucket(`{"AWS":"` + accountA + `"}`)}, DecisionDeny},
		{"bucket policy and boundary", ActionRequest{Caller: sess, ResourcePolicy: bucket(`{"AWS":"` + callerR + `"}`), Boundary: permission(t, "Allow", "iam:*", "*")}, DecisionDeny},
		{"across, one side", ActionRequest{Caller: sess, Identity: named(allow), ResourceAccount: accountB}, DecisionDeny},
		{"across, both sides", ActionRequest{Caller: sess, Identity: named(allow), ResourceAccount: accountB, ResourcePolicy: bucket(`{"AWS":"` + accountA + `"}`)}, DecisionAllow},
		{"root user", ActionRequest{Caller: Caller{ARN: rootA}}, DecisionAllow},
		{"root user of another account", ActionRequest{Caller: Caller{ARN: rootA}, ResourceAccount: accountB}, DecisionDeny},
		{"no resource", ActionRequest{Caller: sess, Action: "sts:GetCallerIdentity", Resource: "*", Identity: named(permission(t, "Allow", "sts:*", "*"))}, DecisionAllow},
		{"no resource, but one is asked", ActionRequest{Caller: sess, Action: "s3:ListAllMyBuckets", Resource: "*", Identity: named(permission(t, "Allow", "s3:*", "arn:aws:s3:::b"))}, DecisionDeny},
		{"wildcard action", ActionRequest{Caller: sess, Action: "s3:*", Identity: named(allow)}, DecisionInvalid},
		{"no ARN", ActionRequest{Caller: sess, Resource: "bucket", Identity: named(allow)}, DecisionInvalid},
		{"deny wins", ActionRequest{Caller: sess, Identity: named(allow, permission(t, "Deny", "*", "*"))}, DecisionDeny},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.req.Action == "" {
				c.req.Action = "s3:PutObject"
			}
			if c.req.Resource == "" {
				c.req.Resource = object
			}
			if res := EvaluateAction(&c.req); res.Decision != c.want {
				out, _ := json.MarshalIndent(res, "", " ")
				t.Errorf("%s, want %s: %s", res.Decision, c.want, out)
			}
		})
	}
}

// Names of files and policies are hostile text: no sentence carries a control character on to a terminal.
func TestHostileNames(t *testing.T) {
	const evil = "a\x1b[2J\u009b\u202e\n"
	text := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:PassRole","Resource":"` + roleB + `","Condition":{"StringEqualsIfExists":{"aws:\u202e":"\u001b\n"}}}]}`
	d, err := Parse([]byte(text), evil)
	if err != nil {
		t.Fatal(err)
	}
	req := request(t)
	req.Identity = []NamedPolicy{{evil, d}}
	res := Evaluate(req)
	if res.Decision != DecisionDeny || len(res.NearMisses) == 0 {
		t.Fatalf("%+v", res)
	}
	texts := append([]string{}, res.Warnings...)
	for _, r := range res.Reasons {
		texts = append(texts, r.Why, r.Place())
	}
	for _, s := range res.Trace {
		texts = append(texts, s.Why)
	}
	for _, text := range texts {
		if strings.ContainsAny(text, "\x1b\u009b\u202e\n") {
			t.Errorf("%q", text)
		}
	}
	if _, err := Parse([]byte("{"), evil); strings.ContainsAny(err.Error(), "\x1b\u009b\u202e\n") {
		t.Errorf("%q", err)
	}
	req.Caller.ARN, req.Caller.PrincipalARN = "arn:aws:iam::"+accountA+":user/\u202e", ""
	if res := Evaluate(req); res.Decision != DecisionInvalid {
		t.Errorf("%+v", res)
	}
}
