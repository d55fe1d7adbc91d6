package policy

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

const (
	accountA = "000000000000"
	accountB = "222222222222"
	userA    = "arn:aws:iam::" + accountA + ":user/A-san"
	roleR    = "arn:aws:iam::" + accountA + ":role/SwitchRole"
	roleB    = "arn:aws:iam::" + accountB + ":role/SwitchRole"
	rootA    = "arn:aws:iam::" + accountA + ":root"
	callerR  = "arn:aws:iam::" + accountA + ":role/team/CallerRole"
	session  = "arn:aws:sts::" + accountA + ":assumed-role/CallerRole/me"
)

func mustParse(t testing.TB, text string) *Document {
	t.Helper()
	d, err := Parse([]byte(text), "test.json")
	if err != nil {
		t.Fatalf("parse %s: %v", text, err)
	}
	return d
}

func trustFor(t testing.TB, principal, more string) *Document {
	t.Helper()
	return mustParse(t, `{"Version":"2012-10-17","Statement":[{"Sid":"T","Effect":"Allow","Principal":`+principal+`,"Action":"sts:AssumeRole"`+more+`}]}`)
}

func permission(t testing.TB, effect, action, resource string) *Document {
	t.Helper()
	return mustParse(t, fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":%q,"Action":%q,"Resource":%q}]}`, effect, action, resource))
}

func named(docs ...*Document) []NamedPolicy {
	var out []NamedPolicy
	for i, d := range docs {
		if d != nil {
			out = append(out, NamedPolicy{fmt.Sprintf("p%d", i), d})
		}
	}
	return out
}

func wantDecision(t testing.TB, req *Request, want Decision, explicit bool) *Result {
	t.Helper()
	res := Evaluate(req)
	if res.Decision != want || res.Explicit != explicit {
		out, _ := json.MarshalIndent(res, "", " ")
		t.Errorf("decision %s explicit=%v, want %s explicit=%v\n%s", res.Decision, res.Explicit, want, explicit, out)
	}
	return res
}

// The experiments of seeds C: user A-san, role SwitchRole.
func TestSeedsC(t *testing.T) {
	allow := permission(t, "Allow", "sts:AssumeRole", roleR)
	readOnly := permission(t, "Allow", "s3:Get*", "*")
	power := mustParse(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","NotAction":["iam:*","organizations:*","account:*"],"Resource":"*"}]}`)
	deny := permission(t, "Deny", "sts:AssumeRole", roleR)
	root, user := `{"AWS":"`+rootA+`"}`, `{"AWS":"`+userA+`"}`
	for _, c := range []struct {
		name      string
		identity  *Document
		principal string
		role      string
		want      Decision
		explicit  bool
	}{
		{"1 ReadOnly, root", readOnly, root, roleR, DecisionDeny, false},
		{"2 Allow, root", allow, root, roleR, DecisionAllow, false},
		{"3 Allow, user", allow, user, roleR, DecisionAllow, false},
		{"4 none, user", readOnly, user, roleR, DecisionAllow, false},
		{"5 PowerUser, root", power, root, roleR, DecisionAllow, false},
		{"+ Deny, user", deny, user, roleR, DecisionDeny, true},
		{"across, none, user", readOnly, user, roleB, DecisionDeny, false},
		{"across, PowerUser, user", power, user, roleB, DecisionAllow, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			wantDecision(t, &Request{
				Caller: Caller{ARN: userA}, RoleARN: c.role, Actions: []string{ActionAssumeRole},
				Identity: named(c.identity), Trust: trustFor(t, c.principal, ""),
			}, c.want, c.explicit)
		})
	}
}

// Every cell of "Same account" in evaluation-logic.md, and the same rows across accounts.
func TestSameAccountTable(t *testing.T) {
	allowAll := permission(t, "Allow", "sts:*", "*")
	denyAll := permission(t, "Deny", "sts:*", "*")
	other := permission(t, "Allow", "s3:*", "*")
	user, sess := Caller{ARN: userA}, Caller{ARN: session, PrincipalARN: callerR}
	const a, d = DecisionAllow, DecisionDeny
	arnCond := `,"Condition":{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::` + accountA + `:*"}}`
	for _, row := range []struct {
		name, principal, more string
		caller                Caller
		// identity Allow, none, Deny, boundary does not allow, session policy does not allow ("" is not possible)
		want [5]Decision
	}{
		{"root, user", `{"AWS":"` + rootA + `"}`, "", user, [5]Decision{a, d, d, d, ""}},
		{"root, session", `{"AWS":"` + rootA + `"}`, "", sess, [5]Decision{a, d, d, d, d}},
		{"account number", `{"AWS":"` + accountA + `"}`, "", user, [5]Decision{a, d, d, d, ""}},
		{"account number, session", `{"AWS":"` + accountA + `"}`, "", sess, [5]Decision{a, d, d, d, d}},
		{"user", `{"AWS":"` + userA + `"}`, "", user, [5]Decision{a, a, d, a, ""}},
		{"role", `{"AWS":"` + callerR + `"}`, "", sess, [5]Decision{a, a, d, d, d}},
		{"session", `{"AWS":"` + session + `"}`, "", sess, [5]Decision{a, a, d, a, a}},
		{"anyone, condition", `{"AWS":"*"}`, arnCond, sess, [5]Decision{a, a, d, a, a}},
		{"anyone, condition, user", `{"AWS":"*"}`, arnCond, user, [5]Decision{a, a, d, a, ""}},
		{"anyone", `{"AWS":"*"}`, "", sess, [5]Decision{a, a, d, a, a}},
		{"nobody", `{"AWS":"arn:aws:iam::` + accountA + `:user/other"}`, "", user, [5]Decision{d, d, d, d, ""}},
		{"nobody, session", `{"AWS":"` + accountB + `"}`, "", sess, [5]Decision{d, d, d, d, d}},
	} {
		for col, want := range row.want {
			if want == "" {
				continue
			}
			req := func(role string) *Request {
				r := &Request{
					Caller: row.caller, RoleARN: role, Actions: []string{ActionAssumeRole}, Trust: trustFor(t, row.principal, row.more),
					Context: Context{"aws:PrincipalArn": One("arn:aws:iam::" + accountA + ":x")},
				}
				switch col {
				case 0:
					r.Identity = named(allowAll)
				case 2:
					r.Identity = named(allowAll, denyAll)
				case 3:
					r.Identity, r.Boundary = named(allowAll), other
				case 4:
					r.Identity, r.Session = named(allowAll), other
				}
				return r
			}
			t.Run(fmt.Sprintf("%s/%d", row.name, col), func(t *testing.T) {
				wantDecision(t, req(roleR), want, col == 2)
				across := d
				if col == 0 && !strings.HasPrefix(row.name, "nobody") {
					across = a
				}
				wantDecision(t, req(roleB), across, col == 2)
			})
		}
	}
}

// Seeds D: a third party with an external ID.
func TestSeedsD(t *testing.T) {
	const role = "arn:aws:iam::999999999999:role/ExampleRole"
	req := func(id string) *Request {
		r := &Request{
			Caller: Caller{ARN: "arn:aws:iam::123456780123:user/vendor"}, RoleARN: role, Actions: []string{ActionAssumeRole},
			Trust: mustParse(t, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456780123:root"},
				"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"ExternalId123"}}}}`),
			Identity: named(permission(t, "Allow", "sts:AssumeRole", role)), Context: Context{},
		}
		if id != "" {
			r.Context["sts:ExternalId"] = One(id)
		}
		return r
	}
	wantDecision(t, req("ExternalId123"), DecisionAllow, false)
	wantDecision(t, req("externalid123"), DecisionDeny, false)
	wantDecision(t, req(""), DecisionDeny, false)
}

// Seeds A: both roles in one account need only the trust policy, which keeps a service beside the role; across accounts the
// caller needs AssumeRoleForRoleB too. PassRole is another thing.
func TestSeedsA(t *testing.T) {
	trust := func(account string) *Document {
		return mustParse(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ssm.amazonaws.com",
			"AWS":"arn:aws:iam::`+account+`:role/RoleA"},"Action":"sts:AssumeRole"}]}`)
	}
	req := func(from, to string, identity *Document) *Request {
		return &Request{
			Caller:  Caller{ARN: "arn:aws:sts::" + from + ":assumed-role/RoleA/s", PrincipalARN: "arn:aws:iam::" + from + ":role/RoleA"},
			RoleARN: "arn:aws:iam::" + to + ":role/RoleB", Actions: []string{ActionAssumeRole}, Trust: trust(from), Identity: named(identity),
		}
	}
	const one, two = "111111111111", "222222222222"
	roleB := "arn:aws:iam::" + two + ":role/RoleB"
	wantDecision(t, req(accountA, accountA, nil), DecisionAllow, false)
	wantDecision(t, req(one, two, nil), DecisionDeny, false)
	wantDecision(t, req(one, two, permission(t, "Allow", "sts:AssumeRole", roleB)), DecisionAllow, false)
	wantDecision(t, req(one, two, permission(t, "Allow", "iam:PassRole", roleB)), DecisionDeny, false)
	service := req(one, two, nil)
	service.Caller = Caller{ARN: "ssm.amazonaws.com"}
	wantDecision(t, service, DecisionAllow, false)
	service.Caller = Caller{ARN: "ec2.amazonaws.com"}
	wantDecision(t, service, DecisionDeny, false)
}
