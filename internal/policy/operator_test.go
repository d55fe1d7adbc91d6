package policy

import (
	"fmt"
	"testing"
)

// held evaluates one condition, written as in a policy, against a context.
func held(t *testing.T, version, condition string, ctx Context) bool {
	t.Helper()
	d := mustParse(t, `{"Version":"`+version+`","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":`+condition+`}}`)
	for i := range d.Statements[0].Conditions {
		if !d.Statements[0].Conditions[i].holds(newLookup(ctx), d.variables()) {
			return false
		}
	}
	return true
}

// Every operator with a value that holds and one that does not, its negation, IfExists and a missing key.
func TestOperators(t *testing.T) {
	for _, c := range []struct{ op, want, yes, no string }{
		{"StringEquals", "Red", "Red", "red"},
		{"StringEquals", "re*", "re*", "red"},
		{"StringEqualsIgnoreCase", "Red", "rED", "blue"},
		{"StringLike", "re?*", "red", "re"},
		{"StringLike", "a*:c", "a:b:c", "a:b:d"},
		{"StringLike", "*", "", ""},
		{"NumericEquals", "3", "3.0", "3.01"},
		{"NumericLessThan", "3", "2.9", "3"},
		{"NumericLessThanEquals", "3", "3", "4"},
		{"NumericGreaterThan", "9007199254740992", "9007199254740993", "9007199254740992"},
		{"NumericGreaterThanEquals", "-3", "-3", "-4"},
		{"DateEquals", "2024-05-01T12:00:00Z", "2024-05-01T14:00:00+02:00", "2024-05-01"},
		{"DateLessThan", "2024-05-01", "2024-04-30T23:59:59.9Z", "2024-05-01T00:00:00Z"},
		{"DateLessThanEquals", "2024-05-01", "2024-05-01T00:00:00Z", "2024-05-01T00:00:01Z"},
		{"DateGreaterThan", "1714564800", "2024-05-01T12:00:01Z", "2024-05-01T12:00:00Z"},
		{"DateLessThan", "1748779200000", "2025-06-01T12:00:00Z", "1748779200000"},
		{"DateEquals", "1748779200.5", "2025-06-01t12:00:00.5z", "1748779200"},
		{"DateEquals", "2025-06-01T12:00+0200", "2025-06-01T10Z", "2025-06-01T12:00"},
		{"DateGreaterThanEquals", "2024", "2024-01-01T00:00:00Z", "2023-12-31T23:59:59Z"},
		{"Bool", "true", "True", "false"},
		{"BinaryEquals", "QmluYXJ5", "QmluYXJ5", "Qmlu"},
		{"IpAddress", "10.0.0.0/8", "10.255.0.1", "11.0.0.1"},
		{"IpAddress", "10.0.0.7", "10.0.0.7", "10.0.0.8"},
		{"IpAddress", "2001:db8::/32", "2001:db8:1::1", "10.0.0.7"},
		{"ArnEquals", "arn:aws:iam::*:role/x*", "arn:aws:iam::1:role/x/y", "arn:aws:iam::1:user/x"},
		{"ArnLike", "arn:aws:iam::1*:role/x", "arn:aws:iam::12:role/x", "arn:aws:iam::12:role/X"},
		{"ArnLike", "arn:aws:*:1:role/x", "arn:aws:iam:1:role/x:y", "arn:aws:iam::1:role/x"},
	} {
		if c.op == "ArnLike" && c.want == "arn:aws:*:1:role/x" {
			c.yes = "" // five segments never match
		}
		key := fmt.Sprintf(`{"%%s":{"k:x":%q}}`, c.want)
		check := func(op string, ctx Context, want bool) {
			t.Helper()
			if got := held(t, Version2012, fmt.Sprintf(key, op), ctx); got != want {
				t.Errorf("%s %q with %v: %v", op, c.want, ctx, got)
			}
		}
		none := Context{"other:key": One("v")}
		if c.yes != "" {
			check(c.op, Context{"K:X": One(c.yes)}, true)
			check(c.op+"IfExists", Context{"k:x": One(c.yes)}, true)
			check("ForAllValues:"+c.op, Context{"k:x": Many(c.yes, c.yes)}, true)
			check("ForAnyValue:"+c.op, Context{"k:x": Many(c.no, c.yes)}, true)
		}
		if c.no != "" {
			check(c.op, Context{"k:x": One(c.no)}, false)
			check(c.op+"IfExists", Context{"k:x": One(c.no)}, false)
			check("ForAllValues:"+c.op, Context{"k:x": Many(c.yes, c.no)}, false)
			check("ForAnyValue:"+c.op, Context{"k:x": Many(c.no)}, false)
		}
		check(c.op, none, false)
		check(c.op+"IfExists", none, true)
		check("ForAllValues:"+c.op, none, true)
		check("ForAllValues:"+c.op, Context{"k:x": Many()}, true)
		check("ForAnyValue:"+c.op, none, false)
		check("ForAnyValue:"+c.op+"IfExists", none, false)
	}
}

func TestNegatedOperators(t *testing.T) {
	for _, c := range []struct{ op, want, match, other string }{
		{"StringNotEquals", `"a"`, "a", "A"},
		{"StringNotEqualsIgnoreCase", `"a"`, "A", "b"},
		{"StringNotLike", `["x","a*"]`, "abc", "b"},
		{"NumericNotEquals", `["1","2"]`, "2", "3"},
		{"DateNotEquals", `"2024-01-01"`, "2024-01-01T00:00:00Z", "2024-01-02"},
		{"NotIpAddress", `["10.0.0.0/8","1.1.1.1"]`, "10.1.1.1", "9.9.9.9"},
		{"ArnNotEquals", `"arn:aws:iam::1:user/*"`, "arn:aws:iam::1:user/a", "arn:aws:iam::2:user/a"},
		{"ArnNotLike", `"arn:aws:iam::1:user/*"`, "arn:aws:iam::1:user/a", "arn:aws:iam::1:role/a"},
	} {
		for _, check := range []struct {
			op   string
			ctx  Context
			want bool
		}{
			{c.op, Context{"k:x": One(c.match)}, false},
			{c.op, Context{"k:x": One(c.other)}, true},
			{c.op, Context{}, true},
			{c.op + "IfExists", Context{}, true},
			{c.op + "IfExists", Context{"k:x": One(c.match)}, false},
			{"ForAllValues:" + c.op, Context{"k:x": Many(c.other, c.match)}, false},
			{"ForAllValues:" + c.op, Context{}, true},
			{"ForAnyValue:" + c.op, Context{"k:x": Many(c.match, c.other)}, true},
			{"ForAnyValue:" + c.op, Context{"k:x": Many(c.match)}, false},
			{"ForAnyValue:" + c.op, Context{}, false},
		} {
			if got := held(t, Version2012, fmt.Sprintf(`{%q:{"k:x":%s}}`, check.op, c.want), check.ctx); got != check.want {
				t.Errorf("%s %s with %v: %v", check.op, c.want, check.ctx, got)
			}
		}
	}
}

// What is not of the operator's type satisfies neither it nor its negation; and what else is special.
func TestConditionCorners(t *testing.T) {
	for _, c := range []struct {
		condition string
		ctx       Context
		want      bool
	}{
		{`{"NumericEquals":{"k:x":"abc"}}`, Context{"k:x": One("abc")}, false},
		{`{"NumericNotEquals":{"k:x":"3"}}`, Context{"k:x": One("abc")}, false},
		{`{"NumericEquals":{"k:x":"1e3"}}`, Context{"k:x": One("1000")}, false},
		{`{"NumericLessThan":{"k:x":3600}}`, Context{"k:x": One("12")}, true},
		{`{"DateNotEquals":{"k:x":"never"}}`, Context{"k:x": One("2024-01-01")}, false},
		{`{"NotIpAddress":{"k:x":"10.0.0.0/8"}}`, Context{"k:x": One("here")}, false},
		{`{"NotIpAddress":{"k:x":["here","10.0.0.0/8"]}}`, Context{"k:x": One("9.9.9.9")}, false},
		{`{"ArnNotLike":{"k:x":"arn:aws:iam::1:user/a"}}`, Context{"k:x": One("no arn")}, false},
		{`{"ArnLike":{"k:x":"*"}}`, Context{"k:x": One("arn:aws:iam::1:user/a")}, false},
		{`{"Bool":{"k:x":"yes"}}`, Context{"k:x": One("yes")}, false},
		{`{"Bool":{"k:x":true}}`, Context{"k:x": One("true")}, true},
		{`{"BinaryEquals":{"k:x":"%%"}}`, Context{"k:x": One("%%")}, false},
		{`{"IpAddress":{"k:x":"10.0.0.9/8"}}`, Context{"k:x": One("10.2.3.4")}, true},
		{`{"IpAddress":{"k:x":"1.2.3.4"}}`, Context{"k:x": One("::ffff:1.2.3.4")}, true},
		{`{"StringEquals":{"k:x":["b","a"]}}`, Context{"k:x": One("a")}, true},
		{`{"StringEquals":{"k:x":[]}}`, Context{"k:x": One("a")}, false},
		{`{"StringNotEquals":{"k:x":[]}}`, Context{"k:x": One("a")}, true},
		{`{"StringEquals":{"k:x":"a"}}`, Context{"k:x": Many("a", "b")}, false},
		{`{"StringNotEquals":{"k:x":"c"}}`, Context{"k:x": Many("a", "b")}, false},
		{`{"StringEquals":{"k:x":"a"}}`, Context{"k:x": Many("a")}, true},
		{`{"StringEquals":{"aws:TagKeys":"a"}}`, Context{"aws:TagKeys": Many("a")}, false},
		{`{"ForAnyValue:StringEquals":{"k:x":"a"}}`, Context{"k:x": One("a")}, true},
		{`{"ForAllValues:StringEquals":{"k:x":"a"}}`, Context{"k:x": One("")}, true},
		{`{"ForAnyValue:StringNotEquals":{"k:x":"a"}}`, Context{"k:x": Many("")}, false},
		{`{"ForAllValues:StringEquals":{"k:x":"a"}}`, Context{"k:x": Many("", "b")}, false},
		{`{"Null":{"k:x":"true"}}`, Context{}, true},
		{`{"Null":{"k:x":"true"}}`, Context{"k:x": One("")}, false},
		{`{"Null":{"k:x":"false"}}`, Context{"k:x": Many("a", "b")}, true},
		{`{"Null":{"k:x":"false"}}`, Context{}, false},
		{`{"Null":{"k:x":true}}`, Context{}, true},
		{`{"StringEquals":{"k:x":"a","k:y":"b"}}`, Context{"k:x": One("a"), "k:y": One("c")}, false},
		{`{"StringEquals":{"k:x":"a"},"StringLike":{"k:y":"b*"}}`, Context{"k:x": One("a"), "k:y": One("bc")}, true},
		{`{}`, Context{}, true},
	} {
		if got := held(t, Version2012, c.condition, c.ctx); got != c.want {
			t.Errorf("%s with %v: %v", c.condition, c.ctx, got)
		}
	}
}

func TestVariables(t *testing.T) {
	ctx := Context{
		"k:x": One("a"), "aws:username": One("a"), "k:star": One("a*"), "k:lit": One("a*?$"), "k:list": Many("a"), "k:arn": One("arn:aws:iam::123456789012:user/a"),
		"aws:PrincipalAccount": One("123456789012"), "k:raw": One("${aws:username}"), "k:t": One("true"), "k:brace": One("x}y"),
	}
	for _, c := range []struct {
		condition string
		version   string
		want      bool
	}{
		{`{"StringEquals":{"k:x":"${aws:username}"}}`, Version2012, true},
		{`{"StringEquals":{"k:x":"${AWS:UserName}"}}`, Version2012, true},
		{`{"StringEquals":{"k:x":"${aws:username}"}}`, Version2008, false},
		{`{"StringEquals":{"k:raw":"${aws:username}"}}`, Version2008, true},
		{`{"StringEquals":{"k:raw":"${$}{aws:username}"}}`, Version2012, true},
		{`{"StringEqualsIgnoreCase":{"k:x":"${aws:username}"}}`, Version2012, true},
		{`{"StringLike":{"k:x":"${k:star}"}}`, Version2012, false},
		{`{"StringLike":{"k:star":"${k:star}"}}`, Version2012, true},
		{`{"StringEquals":{"k:lit":"a${*}${?}${$}"}}`, Version2012, true},
		{`{"StringLike":{"k:lit":"a${*}*"}}`, Version2012, true},
		{`{"StringLike":{"k:x":"${*}"}}`, Version2012, false},
		{`{"StringEquals":{"k:x":"${k:none}"}}`, Version2012, false},
		{`{"StringNotEquals":{"k:x":"${k:none}"}}`, Version2012, true},
		{`{"StringNotEqualsIgnoreCase":{"k:x":"${k:list}"}}`, Version2012, true},
		{`{"StringNotLike":{"k:x":["${k:none}*","b"]}}`, Version2012, true},
		{`{"StringNotLike":{"k:x":["${k:none}*","a"]}}`, Version2012, false},
		{`{"ArnNotLike":{"k:arn":"arn:aws:iam::*:user/${k:none}"}}`, Version2012, true},
		{`{"ArnLike":{"k:arn":"arn:aws:iam::*:user/${k:none}"}}`, Version2012, false},
		{`{"ForAllValues:StringNotEquals":{"k:list":"${k:none}"}}`, Version2012, true},
		{`{"StringEquals":{"k:x":["${k:none}","a"]}}`, Version2012, true},
		{`{"StringEquals":{"k:x":"${k:none, 'a'}"}}`, Version2012, true},
		{`{"StringEquals":{"k:x":"${aws:username, 'b'}"}}`, Version2012, true},
		{`{"StringEquals":{"k:brace":"${k:none, 'x}y'}"}}`, Version2012, true},
		{`{"StringEquals":{"k:x":"${k:list}"}}`, Version2012, false},
		{`{"ArnLike":{"k:arn":"arn:aws:iam::*:user/${aws:username}"}}`, Version2012, true},
		{`{"ArnEquals":{"k:arn":"arn:aws:iam::${aws:PrincipalAccount}:user/a"}}`, Version2012, true},
		{`{"Bool":{"k:t":"${k:t}"}}`, Version2012, false},
		{`{"StringEquals":{"k:x":"${aws:username"}}`, Version2012, false},
	} {
		if got := held(t, c.version, c.condition, ctx); got != c.want {
			t.Errorf("%s (%s): %v", c.condition, c.version, got)
		}
	}
}

// A resource text whose variable has no value matches nothing: NotResource leaves nothing out.
func TestNotResourceWithoutValue(t *testing.T) {
	const doc = `{"Version":"2012-10-17","Statement":[{"Effect":%q,"Action":"sts:*","NotResource":"arn:aws:iam::` + accountB + `:role/${aws:username}"}%s]}`
	req := request(t)
	req.Identity = named(mustParse(t, fmt.Sprintf(doc, Allow, "")))
	wantDecision(t, req, DecisionAllow, false)
	req.Identity = named(mustParse(t, fmt.Sprintf(doc, Deny, `,{"Effect":"Allow","Action":"sts:*","Resource":"*"}`)))
	wantDecision(t, req, DecisionDeny, true)
}

func TestResourceMatching(t *testing.T) {
	const role = "arn:aws:iam::222222222222:role/team/Target"
	ctx := newLookup(Context{"aws:username": One("Target"), "aws:PrincipalAccount": One("222222222222"), "k:star": One("*")})
	for text, want := range map[string]bool{
		"*": true, role: true, "arn:aws:iam::222222222222:role/*": true, "arn:aws:iam::*:role/team/Target": true,
		"arn:aws:iam::222222222222:role/team/T?rget": true, "arn:aws:iam::*": true, "arn:aws:iam::222222222222:*": true, "arn:*": true,
		"arn:aws:iam::222222222222:role/team/target": false, "arn:aws:iam::222222222222:role/Target": false,
		"arn:aws:iam::222222222222:role/team/${aws:username}": true, "arn:aws:iam::${aws:PrincipalAccount}:role/team/Target": false,
		"arn:aws:iam::222222222222:role/${k:star}": false, "arn:aws:iam::222222222222:role/team/${k:none}": false,
		"arn:aws:iam::222222222222:role/team/${k:none, 'Target'}": true, "arn:aws:iam*:role/team/Target": false, "arn:aws:*:222222222222:role/team/Target": false,
		"arn:aws:iam::222222222222:root": false, "": false,
	} {
		if got := ctx.matchResource(text, role, true); got != want {
			t.Errorf("Resource %q: %v", text, got)
		}
	}
	if ctx.matchResource("arn:aws:iam::222222222222:role/team/${aws:username}", role, false) {
		t.Error("a policy variable was replaced in a document of 2008")
	}
}
