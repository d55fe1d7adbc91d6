package policy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// documentsOf are the missing documents as they are shown, by side.
func documentsOf(t *testing.T, res *Result) map[Side]string {
	t.Helper()
	out := map[Side]string{}
	for _, m := range res.Missing {
		out[m.Side] = string(m.Document)
	}
	return out
}

// What the old statement asks for stays asked for: a fix is put beside it, and must not be a way around it.
func TestFixKeepsConditions(t *testing.T) {
	const (
		rootTrust = `{"AWS":"` + rootA + `"}`
		byUser    = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + userA + `"},"Action":"sts:AssumeRole"`
		onRoleB   = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"` + roleB + `"`
	)
	user, all := Caller{ARN: userA}, permission(t, "Allow", "*", "*")
	conditional := func(condition string) *Document {
		return mustParse(t, onRoleB+`,"Condition":`+condition+`}]}`)
	}
	for _, c := range []struct {
		name      string
		condition string // of the trust policy
		identity  *Document
		context   Context
		caller    Caller
		want      map[Side]string
	}{
		{
			"what can be sent is asked of the caller, and the other side's lack is told beside it", `{"StringEquals":{"sts:ExternalId":"x1"}}`,
			permission(t, "Allow", "s3:*", "*"), nil, user,
			map[Side]string{SideRequest: `{"context":{"sts:ExternalId":"x1"}}`, SideIdentity: onRoleB + `}]}`},
		},
		{
			"a key that is not carried may not be carried", `{"StringEquals":{"aws:PrincipalOrgID":"o-1","sts:ExternalId":"x1"}}`, all,
			Context{"sts:ExternalId": One("x1")},
			user,
			map[Side]string{SideTrust: byUser + `,"Condition":{"Null":{"aws:PrincipalOrgID":"true"},"StringEquals":{"sts:ExternalId":"x1"}}}]}`},
		},
		{
			"both at once", `{"StringEquals":{"aws:PrincipalOrgID":"o-1","sts:ExternalId":"x1"}}`, all, nil, user,
			map[Side]string{
				SideRequest: `{"context":{"sts:ExternalId":"x1"}}`,
				SideTrust:   byUser + `,"Condition":{"Null":{"aws:PrincipalOrgID":"true"},"StringEquals":{"sts:ExternalId":"x1"}}}]}`,
			},
		},
		{
			"the misspelt key is spelt right", `{"StringEquals":{"sts:ExternlId":"x1"}}`, all,
			Context{"sts:ExternalId": One("x1")},
			user,
			map[Side]string{SideTrust: byUser + `,"Condition":{"StringEquals":{"sts:ExternalId":"x1"}}}]}`},
		},
		{
			"a misspelt key that the caller has to send besides", `{"StringEquals":{"sts:ExternlId":"x1"}}`, all, nil, user,
			map[Side]string{SideRequest: `{"context":{"sts:ExternalId":"x1"}}`, SideTrust: byUser + `,"Condition":{"StringEquals":{"sts:ExternalId":"x1"}}}]}`},
		},
		{
			"an address", `{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}`, all,
			Context{"aws:SourceIp": One("198.51.100.7")},
			user,
			map[Side]string{SideTrust: byUser + `,"Condition":{"IpAddress":{"aws:SourceIp":"198.51.100.7"}}}]}`},
		},
		{
			"a number", `{"NumericLessThan":{"sts:DurationSeconds":"1000"}}`, all,
			Context{"sts:DurationSeconds": One("3600")},
			user,
			map[Side]string{SideTrust: byUser + `,"Condition":{"NumericEquals":{"sts:DurationSeconds":"3600"}}}]}`},
		},
		{
			"an ARN", `{"ArnLike":{"aws:SourceArn":"arn:aws:s3:::a*"}}`, all,
			Context{"aws:SourceArn": One("arn:aws:s3:::b")},
			user,
			map[Side]string{SideTrust: byUser + `,"Condition":{"ArnEquals":{"aws:SourceArn":"arn:aws:s3:::b"}}}]}`},
		},
		{
			"what must not be carried and is", `{"Null":{"aws:SourceVpc":"true"}}`, all,
			Context{"aws:SourceVpc": One("vpc-1")},
			user,
			map[Side]string{SideTrust: byUser + `,"Condition":{"StringEquals":{"aws:SourceVpc":"vpc-1"}}}]}`},
		},
		{
			"MFA of the session of a role", `{"Bool":{"aws:MultiFactorAuthPresent":"true"}}`, all,
			Context{"aws:MultiFactorAuthPresent": One("false")},
			Caller{ARN: session, PrincipalARN: callerR},
			map[Side]string{SideTrust: strings.Replace(byUser, userA, callerR, 1) + `,"Condition":{"Bool":{"aws:MultiFactorAuthPresent":"false"}}}]}`},
		},
		{
			"lists", `{"ForAllValues:StringEquals":{"aws:CalledVia":"a"}}`, all,
			Context{"aws:CalledVia": Many("a", "b")},
			user,
			map[Side]string{SideTrust: byUser + `,"Condition":{"ForAllValues:StringEquals":{"aws:CalledVia":["a","b"]},"Null":{"aws:CalledVia":"false"}}}]}`},
		},
		{
			"a wildcard that held is narrowed to what is carried", `{"StringLike":{"aws:username":"A*"},"StringEquals":{"aws:SourceVpc":"vpc-1"}}`, all,
			Context{"aws:username": One("A-san")},
			user,
			map[Side]string{SideTrust: byUser + `,"Condition":{"StringEquals":{"aws:username":"A-san"},"Null":{"aws:SourceVpc":"true"}}}]}`},
		},
		{
			"the caller's side keeps its conditions too", ``, conditional(`{"StringEquals":{"aws:SourceVpc":"vpc-1"},"Bool":{"aws:SecureTransport":"true"}}`),
			Context{"aws:SourceVpc": One("vpc-2"), "aws:SecureTransport": One("true")},
			user,
			map[Side]string{SideIdentity: onRoleB + `,"Condition":{"StringEquals":{"aws:SourceVpc":"vpc-2"},"Bool":{"aws:SecureTransport":"true"}}}]}`},
		},
		{"what every request carries and nobody told", `{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}`, all, nil, user, map[Side]string{}},
		{"what is another value at the next call", `{"DateLessThan":{"aws:CurrentTime":"2020-01-01T00:00:00Z"}}`, all, Context{"aws:CurrentTime": One("2026-01-01T00:00:00Z")}, user, map[Side]string{}},
		{"what the caller could send, if it were known what", `{"StringLike":{"sts:ExternalId":"corp-*"}}`, all, nil, user, map[Side]string{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			more := ""
			if c.condition != "" {
				more = `,"Condition":` + c.condition
			}
			res := Evaluate(&Request{
				Caller: c.caller, RoleARN: roleB, Actions: []string{ActionAssumeRole}, Context: c.context,
				Trust: trustFor(t, rootTrust, more), Identity: named(c.identity),
			})
			if res.Decision != DecisionDeny {
				t.Fatal(res.Decision)
			}
			got := documentsOf(t, res)
			for side, want := range c.want {
				if got[side] != want {
					t.Errorf("%s:\ngot  %s\nwant %s", side, got[side], want)
				}
			}
			if len(got) != len(c.want) {
				t.Errorf("missing %v, want %v", got, c.want)
			}
		})
	}
}

// A stranger who sends an external ID gets a statement that asks for it.
func TestFixForAStrangerAsksForTheExternalID(t *testing.T) {
	req := &Request{
		Caller: Caller{ARN: userA}, RoleARN: roleB, Actions: []string{ActionAssumeRole}, Context: Context{"sts:ExternalId": One("x1")},
		Trust: trustFor(t, `{"AWS":"333333333333"}`, ""), Identity: named(permission(t, "Allow", "*", "*")),
	}
	if got := documentsOf(t, Evaluate(req))[SideTrust]; !strings.Contains(got, `"Condition":{"StringEquals":{"sts:ExternalId":"x1"}}`) {
		t.Error(got)
	}
}

// What is sent may need to be allowed itself: a source identity needs its own action, under the conditions of its neighbour.
func TestFixAllowsWhatItAsksFor(t *testing.T) {
	req := &Request{
		Caller: Caller{ARN: userA}, RoleARN: roleB, Actions: []string{ActionAssumeRole}, Context: Context{"aws:SourceVpc": One("vpc-1")},
		Trust:    trustFor(t, `{"AWS":"`+rootA+`"}`, `,"Condition":{"StringEquals":{"sts:SourceIdentity":"alice","aws:SourceVpc":"vpc-1"}}`),
		Identity: named(permission(t, "Allow", "sts:*", "*")),
	}
	got := documentsOf(t, Evaluate(req))
	if got[SideRequest] != `{"context":{"sts:SourceIdentity":"alice"}}` || !strings.Contains(got[SideTrust], `"Action":"sts:SetSourceIdentity","Condition":{"StringEquals":{"sts:SourceIdentity":"alice","aws:SourceVpc":"vpc-1"}}`) || len(got) != 2 {
		t.Errorf("%v", got)
	}
}

// Actions that different statements nearly allow keep the conditions of each.
func TestFixOfTwoStatements(t *testing.T) {
	trust := mustParse(t, `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":{"AWS":"`+rootA+`"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"theirs"}}},
		{"Effect":"Allow","Principal":{"AWS":"`+rootA+`"},"Action":"sts:TagSession","Condition":{"StringEquals":{"aws:RequestTag/team":"red"}}}]}`)
	req := &Request{
		Caller: Caller{ARN: userA}, RoleARN: roleB, Actions: []string{ActionAssumeRole, ActionTagSession}, Trust: trust,
		Context:  Context{"sts:ExternalId": One("mine"), "aws:RequestTag/team": One("blue"), "aws:TagKeys": Many("team")},
		Identity: named(permission(t, "Allow", "sts:*", "*")),
	}
	d := missingOf(t, Evaluate(req), SideTrust)
	if len(d.Statements) != 2 || d.Statements[0].Conditions[0].Key != "sts:ExternalId" || d.Statements[1].Conditions[0].Key != "aws:RequestTag/team" {
		t.Error(string(d.JSON()))
	}
}

func TestMisspelt(t *testing.T) {
	for key, want := range map[string]string{
		"sts:ExternlId": "sts:ExternalId", "STS:externalid": "", "sts:SourceIdentity": "", "aws:SourceIdentity": "", "aws:SourceVpcee": "aws:SourceVpce", "x": "",
	} {
		if got := misspelt(key); got != want {
			t.Errorf("%q: %q, want %q", key, got, want)
		}
	}
}

// The keys of the property, each with values that requests carry and conditions that policies have on it.
var narrowKeys = []struct {
	key        string
	values     []ContextValue
	conditions [][2]string // operator, values
}{
	{"sts:ExternalId", []ContextValue{One("x1"), One("x2"), One("y1")}, [][2]string{{"StringEquals", `"x1"`}, {"StringLike", `"x*"`}, {"StringNotEquals", `"x2"`}, {"StringEqualsIfExists", `["x1","y1"]`}}},
	{"aws:PrincipalTag/team", []ContextValue{One("red"), One("blue")}, [][2]string{{"StringEquals", `["red","green"]`}, {"StringEqualsIgnoreCase", `"RED"`}, {"Null", `"false"`}, {"Null", `"true"`}}},
	{"aws:SourceIp", []ContextValue{One("192.0.2.1"), One("198.51.100.1")}, [][2]string{{"IpAddress", `"192.0.2.0/24"`}, {"NotIpAddress", `"192.0.2.0/24"`}}},
	{"aws:MultiFactorAuthPresent", []ContextValue{One("true"), One("false")}, [][2]string{{"Bool", `"true"`}, {"BoolIfExists", `"true"`}, {"Bool", `"false"`}}},
	{"aws:TagKeys", []ContextValue{Many("a"), Many("a", "b"), Many("b", "c")}, [][2]string{{"ForAllValues:StringEquals", `["a","b"]`}, {"ForAnyValue:StringEquals", `"c"`}, {"ForAllValues:StringLike", `"a*"`}, {"ForAnyValue:StringNotEquals", `"a"`}}},
	{"sts:DurationSeconds", []ContextValue{One("900"), One("3600")}, [][2]string{{"NumericLessThan", `"1000"`}, {"NumericEquals", `"3600"`}, {"NumericNotEquals", `"900"`}}},
	{"aws:SourceArn", []ContextValue{One("arn:aws:s3:::a"), One("arn:aws:s3:::b")}, [][2]string{{"ArnLike", `"arn:aws:s3:::a*"`}, {"ArnNotEquals", `"arn:aws:s3:::a"`}}},
}

func genNarrowContext(t *rapid.T, near Context) Context {
	out := Context{}
	for _, k := range narrowKeys {
		v, have := near.Get(k.key)
		if near == nil || rapid.IntRange(0, 2).Draw(t, "change "+k.key) == 0 {
			i := rapid.IntRange(-1, len(k.values)-1).Draw(t, k.key)
			if have = i >= 0; have {
				v = k.values[i]
			}
		}
		if have {
			out[k.key] = v
		}
	}
	return out
}

func genNarrowConditions(t *rapid.T) string {
	operators := map[string][]string{}
	for _, k := range narrowKeys {
		if rapid.Bool().Draw(t, "condition on "+k.key) {
			how := rapid.SampledFrom(k.conditions).Draw(t, "how")
			operators[how[0]] = append(operators[how[0]], fmt.Sprintf("%q:%s", k.key, how[1]))
		}
	}
	var parts []string
	for _, name := range sortedKeys(operators) {
		parts = append(parts, strconv.Quote(name)+":{"+strings.Join(operators[name], ",")+"}")
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// agree tells that two requests look the same under a key; of a list, that the second carries nothing else.
func agree(a, b Context, key string) bool {
	x, inA := a.Get(key)
	y, inB := b.Get(key)
	if inA != inB || x.Multi != y.Multi {
		return false
	}
	for _, v := range y.Values {
		if !slices.Contains(x.Values, v) {
			return false
		}
	}
	return true
}

// TestFixIsNarrow: the fix lets this request through. Any other that it lets through and the old statement did not looks like
// this one under each key that the old statement was not content with, and meets all of its other conditions. The fix of the
// trust policy is for this caller alone.
func TestFixIsNarrow(t *testing.T) {
	proposed := 0
	rapid.Check(t, func(t *rapid.T) {
		conditions := genNarrowConditions(t)
		onTrust := rapid.Bool().Draw(t, "on the trust policy")
		trust, identity := `"Principal":{"AWS":"`+rootA+`"}`, `"Resource":"`+roleB+`"`
		if onTrust {
			trust += `,"Condition":` + conditions
		} else {
			identity += `,"Condition":` + conditions
		}
		parse := func(more string) *Document {
			d, err := Parse([]byte(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:*",`+more+`}]}`), "")
			if err != nil {
				t.Fatal(err, more)
			}
			return d
		}
		caller := rapid.SampledFrom([]Caller{{ARN: userA}, {ARN: session, PrincipalARN: callerR}}).Draw(t, "caller")
		old := Request{Caller: caller, RoleARN: roleB, Actions: []string{ActionAssumeRole}, Context: genNarrowContext(t, nil), Trust: parse(trust), Identity: named(parse(identity))}
		res := Evaluate(&old)
		if res.Decision == DecisionInvalid {
			t.Fatalf("%+v", res.Reasons)
		}
		if len(res.Missing) == 0 {
			return
		}
		proposed++
		fixed, statement := old, &old.Trust.Statements[0]
		if !onTrust {
			statement = &old.Identity[0].Document.Statements[0]
		}
		fixed.Context = old.Context.Clone()
		for _, m := range res.Missing {
			paste := map[Side]func(*Document){
				SideTrust:    func(d *Document) { fixed.Trust = joined(fixed.Trust, d) },
				SideIdentity: func(d *Document) { fixed.Identity = append(named(d), fixed.Identity...) },
			}[m.Side]
			if paste == nil {
				var sent struct{ Context map[string]string }
				if err := json.Unmarshal(m.Document, &sent); err != nil {
					t.Fatal(err)
				}
				for k, v := range sent.Context {
					setFold(fixed.Context, k, One(v))
				}
				continue
			}
			d, err := Parse(m.Document, "")
			if err != nil || strings.ContainsAny(string(m.Document), "*?") {
				t.Fatal(err, string(m.Document))
			}
			paste(d)
		}
		if got := Decide(&fixed); got.Decision != DecisionAllow {
			t.Fatalf("the fix does not help: %v\n%+v", res.Missing, got.Reasons)
		}
		this, held := fixed.Context, map[string]bool{}
		for i := range statement.Conditions {
			c := &statement.Conditions[i]
			held[c.Key] = c.holds(newLookup(this), true)
		}
		for range 20 {
			before, after := old, fixed
			other := genNarrowContext(t, this)
			before.Context, after.Context = other, other
			if Decide(&after).Decision != DecisionAllow || Decide(&before).Decision == DecisionAllow {
				continue
			}
			for i := range statement.Conditions {
				c := &statement.Conditions[i]
				switch {
				case held[c.Key] && !c.holds(newLookup(other), true):
					t.Fatalf("the fix drops the condition on %s: %v\nfor %v", c.Key, res.Missing, other)
				case !held[c.Key] && !agree(this, other, c.Key):
					t.Fatalf("the fix is content with another %s: %v\nfor %v", c.Key, res.Missing, other)
				}
			}
		}
		if !onTrust {
			return
		}
		stranger, before := fixed, old
		stranger.Caller = Caller{ARN: "arn:aws:iam::" + accountA + ":user/stranger"}
		before.Caller, before.Context = stranger.Caller, this
		if Decide(&stranger).Decision == DecisionAllow && Decide(&before).Decision != DecisionAllow {
			t.Fatalf("the fix lets a stranger in: %v", res.Missing)
		}
	})
	if proposed < 10 {
		t.Errorf("only %d fixes were proposed", proposed)
	}
}
