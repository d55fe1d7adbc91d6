package policy

import (
	"encoding/json"
	"strings"
	"testing"
)

func missingOf(t *testing.T, res *Result, side Side) *Document {
	t.Helper()
	for _, m := range res.Missing {
		if m.Side == side {
			d, err := Parse(m.Document, "")
			if err != nil {
				t.Fatal(err)
			}
			return d
		}
	}
	out, _ := json.MarshalIndent(res, "", " ")
	t.Fatalf("no document is said to be missing on side %s:\n%s", side, out)
	return nil
}

func sides(res *Result) string {
	var list []string
	for _, m := range res.Missing {
		list = append(list, string(m.Side)+"@"+m.Account)
	}
	return strings.Join(list, " ")
}

// Each implicit deny comes with documents that, pasted where they belong, let the request pass, and that hold no wildcard.
func TestFixesMakeItPass(t *testing.T) {
	other := permission(t, "Allow", "s3:*", "*")
	full := permission(t, "Allow", "*", "*")
	sess := Caller{ARN: session, PrincipalARN: callerR}
	rootTrust := `{"AWS":"` + rootA + `"}`
	levels := []Level{{Name: "root", Policies: named(full)}, {Name: "account", Policies: named(other)}}
	for _, c := range []struct {
		name string
		req  Request
		want string
	}{
		{"identity", Request{Caller: Caller{ARN: userA}, RoleARN: roleR, Trust: trustFor(t, rootTrust, "")}, "identity@" + accountA},
		{"trust only, same account", Request{Caller: Caller{ARN: userA}, RoleARN: roleR, Trust: trustFor(t, `{"AWS":"`+accountB+`"}`, "")}, "trust@" + accountA},
		{"both across", Request{Caller: sess, RoleARN: roleB, Trust: trustFor(t, `{"AWS":"`+accountB+`"}`, "")}, "trust@" + accountB + " identity@" + accountA},
		{"no trust policy", Request{Caller: Caller{ARN: userA}, RoleARN: roleR}, "trust@" + accountA},
		{
			"boundary and session",
			Request{Caller: sess, RoleARN: roleB, Trust: trustFor(t, rootTrust, ""), Identity: named(full), Boundary: other, Session: other},
			"boundary@" + accountA + " session@" + accountA,
		},
		{"scp", Request{Caller: Caller{ARN: userA}, RoleARN: roleR, Trust: trustFor(t, rootTrust, ""), Identity: named(full), SCPs: levels}, "scp@" + accountA},
		{"scp, in an organization", Request{
			Caller: Caller{ARN: userA}, RoleARN: roleR, Trust: trustFor(t, rootTrust, ""), Identity: named(full), SCPs: levels,
			Organization: &Organization{ManagementAccount: "999999999999"},
		}, "scp@999999999999"},
		{"service", Request{Caller: Caller{ARN: "ssm.amazonaws.com"}, RoleARN: roleR, Trust: trustFor(t, rootTrust, "")}, "trust@" + accountA},
		{"tags too", Request{
			Caller: sess, RoleARN: roleB, Actions: []string{ActionTagSession, ActionAssumeRole}, Trust: trustFor(t, rootTrust, ""),
			Identity: named(permission(t, "Allow", "sts:AssumeRole", roleB)),
		}, "trust@" + accountB + " identity@" + accountA},
		{"external ID sent, other asked", Request{
			Caller: sess, RoleARN: roleB, Identity: named(full), Context: Context{"sts:ExternalId": One("mine")},
			Trust: trustFor(t, rootTrust, `,"Condition":{"StringEquals":{"sts:ExternalId":"theirs"}}`),
		}, "trust@" + accountB},
		{"external ID not sent", Request{
			Caller: sess, RoleARN: roleB, Identity: named(full),
			Trust: trustFor(t, rootTrust, `,"Condition":{"StringEquals":{"sts:ExternalId":"theirs"}}`),
		}, "request@" + accountA},
		{"MFA not sent", Request{
			Caller: Caller{ARN: userA}, RoleARN: roleB, Identity: named(full),
			Trust: trustFor(t, rootTrust, `,"Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}}`),
		}, "request@" + accountA},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.req.Actions == nil {
				c.req.Actions = []string{ActionAssumeRole}
			}
			res := wantDecision(t, &c.req, DecisionDeny, false)
			if got := sides(res); got != c.want {
				t.Fatalf("missing %q, want %q", got, c.want)
			}
			for _, m := range res.Missing {
				if strings.ContainsAny(string(m.Document), "*?") {
					t.Errorf("a wildcard in %s", m.Document)
				}
			}
			pasted := paste(t, c.req, res)
			wantDecision(t, &pasted, DecisionAllow, false)
		})
	}
}

// paste does by hand what a person does with the missing documents.
func paste(t *testing.T, req Request, res *Result) Request {
	t.Helper()
	for _, m := range res.Missing {
		if m.Side == SideRequest {
			var doc struct{ Context map[string]string }
			if err := json.Unmarshal(m.Document, &doc); err != nil {
				t.Fatal(err)
			}
			req.Context = Context{}
			for k, v := range doc.Context {
				req.Context[k] = One(v)
			}
			continue
		}
		d := missingOf(t, res, m.Side)
		switch m.Side {
		case SideTrust:
			req.Trust = joined(req.Trust, d)
		case SideIdentity:
			req.Identity = append(req.Identity, NamedPolicy{"new", d})
		case SideBoundary:
			req.Boundary = joined(req.Boundary, d)
		case SideSession:
			req.Session = joined(req.Session, d)
		case SideSCP:
			req.SCPs = append([]Level(nil), req.SCPs...)
			last := len(req.SCPs) - 1
			req.SCPs[last].Policies = append(req.SCPs[last].Policies, NamedPolicy{"new", d})
		}
	}
	return req
}

// A fix for an external ID that differs still asks for the one that is sent, and keeps the conditions that held.
func TestFixStaysNarrow(t *testing.T) {
	req := &Request{
		Caller: Caller{ARN: userA}, RoleARN: roleR, Actions: []string{ActionAssumeRole},
		Context: Context{"sts:ExternalId": One("mine"), "aws:PrincipalOrgID": One("o-1")},
		Trust: trustFor(t, `{"AWS":"`+rootA+`"}`,
			`,"Condition":{"StringEquals":{"sts:ExternalId":"theirs","aws:PrincipalOrgID":"o-1"}}`),
	}
	d := missingOf(t, Evaluate(req), SideTrust)
	want := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + userA + `"},"Action":"sts:AssumeRole",` +
		`"Condition":{"StringEquals":{"sts:ExternalId":"mine","aws:PrincipalOrgID":"o-1"}}}]}`
	if got := string(d.JSON()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestNoFix(t *testing.T) {
	allow := permission(t, "Allow", "sts:*", "*")
	for name, req := range map[string]*Request{
		"explicit deny": {
			Caller: Caller{ARN: userA}, RoleARN: roleR, Trust: trustFor(t, `{"AWS":"`+rootA+`"}`, ""),
			Identity: named(permission(t, "Deny", "sts:*", "*")),
		},
		"root user":      {Caller: Caller{ARN: rootA}, RoleARN: roleR, Trust: trustFor(t, `{"AWS":"`+rootA+`"}`, ""), Identity: named(allow)},
		"federated user": {Caller: Caller{ARN: "arn:aws:sts::" + accountA + ":federated-user/bob"}, RoleARN: roleR, Trust: trustFor(t, `{"AWS":"*"}`, ""), Identity: named(allow)},
		"other partition": {
			Caller: Caller{ARN: "arn:aws-cn:iam::" + accountA + ":user/bob"}, RoleARN: roleR, Trust: trustFor(t, `{"AWS":"*"}`, ""),
			Identity: named(allow),
		},
	} {
		t.Run(name, func(t *testing.T) {
			req.Actions = []string{ActionAssumeRole}
			res := Evaluate(req)
			if res.Decision != DecisionDeny || len(res.Missing) > 0 || len(res.Reasons) == 0 {
				t.Errorf("%s, missing %v, reasons %v", res.Decision, res.Missing, res.Reasons)
			}
			if name == "explicit deny" && (!res.Explicit || !strings.Contains(res.Reasons[0].Why, "this statement must change")) {
				t.Errorf("reasons: %+v", res.Reasons)
			}
		})
	}
}

func TestNearMisses(t *testing.T) {
	sess := Caller{ARN: session, PrincipalARN: callerR, UniqueID: "AROANEW1234567890"}
	rootTrust := `{"AWS":"` + rootA + `"}`
	all := permission(t, "Allow", "sts:*", "*")
	resource := func(text string) []NamedPolicy { return named(permission(t, "Allow", "sts:AssumeRole", text)) }
	for _, c := range []struct {
		name, trust, more string
		caller            Caller
		identity          []NamedPolicy
		want              string
	}{
		{"path", `{"AWS":"arn:aws:iam::` + accountA + `:role/CallerRole"}`, "", sess, named(all), "by its path"},
		{"case", `{"AWS":"arn:aws:iam::` + accountA + `:user/a-san"}`, "", Caller{ARN: userA}, named(all), "upper and lower case"},
		{"deleted role", `{"AWS":"AROAOLD1234567890"}`, "", sess, named(all), "was deleted"},
		{"deleted user", `{"AWS":"AIDAOLD1234567890"}`, "", Caller{ARN: userA}, named(all), "was deleted"},
		{"other session", `{"AWS":"arn:aws:sts::` + accountA + `:assumed-role/CallerRole/you"}`, "", sess, named(all), `session "you"`},
		{"external ID", rootTrust, `,"Condition":{"StringEquals":{"sts:ExternalId":"x"}}`, sess, named(all), "the request carries none"},
		{"MFA on the second hop", rootTrust, `,"Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}}`, sess, named(all), "only the first hop"},
		{"misspelt key", rootTrust, `,"Condition":{"StringEquals":{"sts:ExternlId":"x"}}`, sess, named(all), "sts:ExternalId was meant"},
		{"PassRole", rootTrust, "", sess, named(permission(t, "Allow", "iam:PassRole", roleB)), "iam:PassRole"},
		{"assumed-role as Resource", rootTrust, "", sess, resource("arn:aws:sts::" + accountB + ":assumed-role/SwitchRole/me"), "is a session of the role"},
		{"root as Resource", rootTrust, "", sess, resource("arn:aws:iam::" + accountB + ":root"), "is the account"},
		{"path of Resource", rootTrust, "", sess, resource("arn:aws:iam::" + accountB + ":role/team/SwitchRole"), "by its path"},
		{"case of Resource", rootTrust, "", sess, resource("arn:aws:iam::" + accountB + ":role/switchrole"), "upper and lower case"},
		{"account of Resource", rootTrust, "", sess, resource("arn:aws:iam::333333333333:role/SwitchRole"), "by its account"},
		{"tagging is not allowed", rootTrust, "", sess, resource(roleB), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			res := Evaluate(&Request{Caller: c.caller, RoleARN: roleB, Actions: []string{ActionAssumeRole}, Trust: trustFor(t, c.trust, c.more), Identity: c.identity})
			if c.want == "" {
				if res.Decision != DecisionAllow || len(res.NearMisses) > 0 {
					t.Fatalf("%s, near misses %v", res.Decision, res.NearMisses)
				}
				return
			}
			if res.Decision != DecisionDeny {
				t.Fatalf("decision %s", res.Decision)
			}
			for _, r := range res.Reasons {
				if strings.Contains(r.Why, "near miss") && strings.Contains(r.Why, c.want) {
					return
				}
			}
			t.Errorf("no reason names the near miss %q: %+v", c.want, res.Reasons)
		})
	}
}

// Deny with BoolIfExists catches long-term keys; the reason says why the request meets it.
func TestDenyWithoutMFAIsExplained(t *testing.T) {
	deny := mustParse(t, `{"Version":"2012-10-17","Statement":[{"Sid":"NoMFA","Effect":"Deny","Action":"*","Resource":"*",
		"Condition":{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}}}]}`)
	res := wantDecision(t, &Request{
		Caller: Caller{ARN: userA}, RoleARN: roleR, Actions: []string{ActionAssumeRole},
		Trust: trustFor(t, `{"AWS":"`+userA+`"}`, ""), Identity: named(deny),
	}, DecisionDeny, true)
	if len(res.Reasons) != 1 || res.Reasons[0].Statement != "NoMFA" || !strings.Contains(res.Reasons[0].Why, "MFA code") {
		t.Errorf("reasons: %+v", res.Reasons)
	}
}
