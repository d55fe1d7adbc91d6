package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Generators of requests of which a fair share is allowed.

var genAction = rapid.SampledFrom([]string{"sts:AssumeRole", "sts:AssumeRole", "sts:*", "sts:TagSession", "STS:assume*"})

var genPrincipal = rapid.SampledFrom([]string{
	`{"AWS":"*"}`, `{"AWS":"` + accountA + `"}`, `{"AWS":"` + userA + `"}`, `{"AWS":"` + callerR + `"}`, `{"AWS":"` + session + `"}`,
	`{"AWS":"` + accountB + `"}`, `{"Service":"ssm.amazonaws.com"}`,
})

var genResource = rapid.SampledFrom([]string{"*", roleR, roleB, "arn:aws:iam::*:role/*", "arn:aws:iam::" + accountA + ":role/${aws:username}"})

var genCondition = rapid.SampledFrom([]string{
	"", "", `,"Condition":{"StringEquals":{"sts:ExternalId":"x"}}`, `,"Condition":{"BoolIfExists":{"aws:MultiFactorAuthPresent":"true"}}`,
	`,"Condition":{"ForAllValues:StringLike":{"aws:TagKeys":["a*","${aws:username}"]}}`, `,"Condition":{"StringNotLike":{"aws:username":"A*"},"Null":{"sts:ExternalId":"true"}}`,
	`,"Condition":{"ForAnyValue:StringEquals":{"aws:TagKeys":"b"}}`,
})

func genStatement(t *rapid.T, trust bool, effect string) string {
	target := `"Resource":"` + genResource.Draw(t, "resource") + `"`
	if trust {
		target = `"Principal":` + genPrincipal.Draw(t, "principal")
	}
	return fmt.Sprintf(`{"Effect":%q,"Action":%q,%s%s}`, effect, genAction.Draw(t, "action"), target, genCondition.Draw(t, "condition"))
}

func genDocument(t *rapid.T, trust bool) *Document {
	var list []string
	for range rapid.IntRange(1, 3).Draw(t, "statements") {
		effect := rapid.SampledFrom([]string{Allow, Allow, Allow, Allow, Deny}).Draw(t, "effect")
		list = append(list, genStatement(t, trust, effect))
	}
	d, err := Parse([]byte(`{"Version":"2012-10-17","Statement":[`+strings.Join(list, ",")+`]}`), "")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func genRequest(t *rapid.T) *Request {
	req := &Request{
		Caller:  rapid.SampledFrom([]Caller{{ARN: userA}, {ARN: session, PrincipalARN: callerR}, {ARN: "ssm.amazonaws.com"}}).Draw(t, "caller"),
		RoleARN: rapid.SampledFrom([]string{roleR, roleB}).Draw(t, "role"),
		Actions: rapid.SampledFrom([][]string{{ActionAssumeRole}, {ActionAssumeRole, ActionTagSession}}).Draw(t, "actions"),
		Context: Context{}, Trust: genDocument(t, true),
	}
	for range rapid.IntRange(0, 2).Draw(t, "identity policies") {
		req.Identity = append(req.Identity, NamedPolicy{"p", genDocument(t, false)})
	}
	if rapid.Bool().Draw(t, "boundary?") {
		req.Boundary = genDocument(t, false)
	}
	for range rapid.IntRange(0, 2).Draw(t, "levels") {
		req.SCPs = append(req.SCPs, Level{Policies: []NamedPolicy{{"s", genDocument(t, false)}}})
	}
	for key, value := range map[string]ContextValue{"sts:ExternalId": One("x"), "aws:username": One("SwitchRole"), "aws:TagKeys": Many("a", "b"), "aws:MultiFactorAuthPresent": One("false")} {
		if rapid.Bool().Draw(t, key) {
			req.Context[key] = value
		}
	}
	return req
}

// documents lists the places of a request's documents, so that a test can change any one of them.
func documents(req *Request) (trust []**Document, others []**Document) {
	trust = append(trust, &req.Trust)
	for i := range req.Identity {
		others = append(others, &req.Identity[i].Document)
	}
	if req.Boundary != nil {
		others = append(others, &req.Boundary)
	}
	for i := range req.SCPs {
		others = append(others, &req.SCPs[i].Policies[0].Document)
	}
	return trust, others
}

// Adding a Deny never turns deny into allow, and removing an Allow does not either, anywhere.
func TestMonotonic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		req := genRequest(t)
		before := Decide(req)
		if before.Decision == DecisionInvalid {
			t.Fatalf("invalid: %+v", before.Reasons)
		}
		trust, others := documents(req)
		all := append(append([]**Document(nil), trust...), others...)
		i := rapid.IntRange(0, len(all)-1).Draw(t, "document")
		place := all[i]
		if rapid.Bool().Draw(t, "deny?") {
			more, err := Parse([]byte(`{"Version":"2012-10-17","Statement":`+genStatement(t, i == 0, Deny)+`}`), "")
			if err != nil {
				t.Fatal(err)
			}
			*place = joined(*place, more)
		} else {
			*place = withoutAllow(t, *place)
		}
		if after := Decide(req); before.Decision == DecisionDeny && after.Decision == DecisionAllow || before.Explicit && before.Decision == DecisionDeny && !after.Explicit {
			t.Fatalf("%s (explicit %v) became %s (explicit %v)", before.Decision, before.Explicit, after.Decision, after.Explicit)
		}
	})
}

// withoutAllow drops one Allow; what would be an empty document keeps a statement about nothing.
func withoutAllow(t *rapid.T, d *Document) *Document {
	out := *d
	out.Statements = nil
	drop := rapid.IntRange(0, len(d.Statements)-1).Draw(t, "statement")
	for i, s := range d.Statements {
		if i == drop && s.Effect == Allow {
			s.Action = texts(ActionSetContext)
		}
		out.Statements = append(out.Statements, s)
	}
	return &out
}

// An implicit deny's fix, when there is one, makes the request pass; an explicit deny has none; every deny has a reason.
func TestFixProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		req := genRequest(t)
		res := Evaluate(req)
		if res.Decision == DecisionDeny && len(res.Reasons) == 0 || res.Decision == DecisionAllow && len(res.Missing) > 0 || res.Explicit && len(res.Missing) > 0 {
			t.Fatalf("%+v", res)
		}
		if len(res.Missing) == 0 || res.Missing[0].Side == SideRequest {
			return
		}
		fixed := *req
		scp := 0
		for _, m := range res.Missing {
			d, err := Parse(m.Document, "")
			if err != nil || bytes.ContainsAny(m.Document, "*?") && m.Side != SideTrust {
				t.Fatalf("%s: %v", m.Document, err)
			}
			switch m.Side {
			case SideTrust:
				fixed.Trust = joined(fixed.Trust, d)
			case SideIdentity:
				fixed.Identity = append(append([]NamedPolicy(nil), fixed.Identity...), NamedPolicy{"new", d})
			case SideBoundary:
				fixed.Boundary = joined(fixed.Boundary, d)
			case SideSCP:
				scp++
				levels := append([]Level(nil), fixed.SCPs...)
				for i := range levels { // which level is not told; both do no harm
					levels[i].Policies = append(append([]NamedPolicy(nil), levels[i].Policies...), NamedPolicy{"new", d})
				}
				fixed.SCPs = levels
			}
		}
		if got := Decide(&fixed); got.Decision != DecisionAllow {
			t.Fatalf("the fix does not help: %+v\n%+v", res.Missing, got.Reasons)
		}
	})
}

// Writing a document and reading it again changes nothing.
func TestMarshalRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := genDocument(t, rapid.Bool().Draw(t, "trust"))
		again, err := Parse([]byte(d.Indented()), "")
		if err != nil || string(again.JSON()) != string(d.JSON()) {
			t.Fatalf("%s\n%v", d.JSON(), err)
		}
	})
}

// FuzzParse: hostile text never panics, and a document that reads is validated and written without one.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		hard, `{"Statement":[]}`, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":["*"]},"Action":"sts:AssumeRole"}}`,
		`{"Statement":{"Condition":{"Null":{"a:b":[true,1,"x"]}}}}`, "\xef\xbb\xbf{}", `{"a":"\ud800\u12"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := Parse(data, "fuzz")
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\r\x1b") {
				t.Errorf("error with control characters: %q", err)
			}
			return
		}
		if !json.Valid(bytes.TrimPrefix(data, []byte(byteOrderMark))) {
			t.Errorf("read what encoding/json refuses: %q", data)
		}
		for kind := Identity; kind <= Resource; kind++ {
			for _, finding := range d.Validate(kind) {
				if strings.ContainsAny(finding.String(), "\n\r\x1b") {
					t.Errorf("finding with control characters: %q", finding)
				}
			}
		}
		if raw := d.JSON(); !hasErrors(d.Validate(Identity)) && !json.Valid(raw) {
			t.Errorf("wrote %q", raw)
		}
	})
}

// FuzzEvaluate: whatever the request says, there is an answer, and it is not "allow" when a document is refused.
func FuzzEvaluate(f *testing.F) {
	f.Add([]byte(fullRequest))
	f.Add([]byte(`{"caller":{"arn":"ssm.amazonaws.com"},"role_arn":"arn:aws:iam::222222222222:role/x","trust_policy":{"Statement":{"Effect":"Allow","Principal":{"Service":"ssm.amazonaws.com"},"Action":"sts:*"}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		req, err := ParseRequest(bytes.NewReader(data), "fuzz")
		if err != nil {
			return
		}
		res := Evaluate(req)
		if _, err := json.Marshal(res); err != nil {
			t.Fatal(err)
		}
		refused := req.Trust != nil && hasErrors(req.Trust.Validate(Trust))
		for _, p := range req.Identity {
			refused = refused || hasErrors(p.Document.Validate(Identity))
		}
		if refused && res.Decision != DecisionInvalid {
			t.Errorf("%s although a document is refused", res.Decision)
		}
		if res.Decision == DecisionAllow && req.Trust == nil {
			t.Error("allowed without a trust policy")
		}
	})
}

func manyStatements(t testing.TB, n int) *Request {
	t.Helper()
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf(`{"Sid":"S%d","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::%012d:root"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"id-%d"}}}`, i, i+1, i))
	}
	list = append(list, `{"Effect":"Allow","Principal":{"AWS":"`+userA+`"},"Action":"sts:AssumeRole"}`)
	return &Request{
		Caller: Caller{ARN: userA}, RoleARN: roleR, Actions: []string{ActionAssumeRole}, Context: Context{"sts:ExternalId": One("x")},
		Trust: mustParse(t, `{"Version":"2012-10-17","Statement":[`+strings.Join(list, ",")+`]}`),
	}
}

// Evaluation is linear in the statements: a hundred times as many allocate about a hundred times as often.
func TestEvaluationIsLinear(t *testing.T) {
	allocs := func(n int) float64 {
		req := manyStatements(t, n)
		return testing.AllocsPerRun(3, func() {
			if Evaluate(req).Decision != DecisionAllow {
				t.Fatal("denied")
			}
		})
	}
	small, large := allocs(100), allocs(10_000)
	if large > 110*small {
		t.Errorf("%.0f allocations for 100 statements, %.0f for 10,000", small, large)
	}
}

func benchmarkEvaluate(b *testing.B, n int) {
	b.Helper()
	req := manyStatements(b, n)
	b.ReportAllocs()
	for b.Loop() {
		if Evaluate(req).Decision != DecisionAllow {
			b.Fatal("denied")
		}
	}
}

func BenchmarkEvaluate100(b *testing.B)   { benchmarkEvaluate(b, 100) }
func BenchmarkEvaluate10000(b *testing.B) { benchmarkEvaluate(b, 10_000) }

func BenchmarkParse10000(b *testing.B) {
	raw := manyStatements(b, 10_000).Trust.JSON()
	b.ReportAllocs()
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		if _, err := Parse(raw, ""); err != nil {
			b.Fatal(err)
		}
	}
}
