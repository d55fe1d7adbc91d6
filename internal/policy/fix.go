package policy

import (
	"encoding/json"
	"fmt"
	"sort"
	"strings"
)

// fixer looks for the smallest documents that turn an implicit deny into an allow. Whatever it finds was evaluated again.
type fixer struct {
	e   *evaluator
	req *Request
}

// spot is where a statement is missing: a side, and for SCPs the level.
type spot struct {
	side  Side
	level int
}

// fixes returns the missing documents, one for each side that lacks something, or none: when nothing helps, or when a
// document would need a wildcard.
func fixes(req *Request, e *evaluator) []Missing {
	f := &fixer{e: e, req: req}
	for _, l := range e.lacks {
		if l.side == SideRequest {
			return []Missing{}
		}
	}
	if strings.ContainsAny(e.resource+e.who.principal, "*?$") {
		return []Missing{}
	}
	if m, ok := f.requestFix(); ok {
		return []Missing{m}
	}
	return f.documentFixes()
}

// requestFix handles the requests that only lack what the caller itself can send: an external ID where none was sent, MFA
// from a user, a session name, a source identity, tags. Loosening a policy would be the wrong advice there.
func (f *fixer) requestFix() (Missing, bool) {
	extra := Context{}
	for _, l := range f.e.lacks {
		for _, ref := range f.e.refsOf(l) {
			if f.askFor(ref, l.action, extra) {
				break
			}
		}
	}
	if len(extra) == 0 {
		return Missing{}, false
	}
	fixed := *f.req
	fixed.Context = f.req.Context.Clone()
	for k, v := range extra {
		fixed.Context[k] = v
	}
	if Decide(&fixed).Decision != DecisionAllow {
		return Missing{}, false
	}
	doc, err := json.Marshal(map[string]any{"context": plainContext(extra)})
	return Missing{Side: SideRequest, Account: f.e.who.account, Document: doc}, err == nil
}

func plainContext(c Context) map[string]string {
	out := map[string]string{}
	for k, v := range c {
		out[k] = v.Values[0]
	}
	return out
}

// askFor collects the values that would satisfy one Allow statement which fails by absent keys of the caller's own alone.
func (f *fixer) askFor(ref *policyRef, action string, extra Context) bool {
	if ref.doc == nil {
		return false
	}
	for i := range ref.doc.Statements {
		s := &ref.doc.Statements[i]
		if s.Effect != Allow || !s.actionMatches(action) || f.e.resourceFails(ref.doc, s) != "" {
			continue
		}
		if s.Principal != nil && s.principalMatch(&f.e.who) == noMatch {
			continue
		}
		if f.askConditions(ref.doc, s, extra) {
			return true
		}
	}
	return false
}

func (f *fixer) askConditions(doc *Document, s *Statement, extra Context) bool {
	found := Context{}
	for i := range s.Conditions {
		c := &s.Conditions[i]
		if c.holds(f.e.ctx, doc.variables()) {
			continue
		}
		value, ok := f.sendable(c)
		if !ok {
			return false
		}
		found[c.Key] = One(value)
	}
	for k, v := range found {
		extra[k] = v
	}
	return len(found) > 0
}

// sendable gives the value that the caller would have to send for a condition, if the caller is who decides about it.
func (f *fixer) sendable(c *Condition) (string, bool) {
	_, present := f.e.ctx.get(c.Key)
	key := strings.ToLower(c.Key)
	op := operators[c.Operator]
	if len(c.Values) == 0 || op.negated || op.name == opNull {
		return "", false
	}
	value := c.Values[0].Text
	if key == strings.ToLower(keyMFA) {
		yes, _ := parseBool(value)
		return "true", yes && f.e.who.kind == callerUser
	}
	if present || strings.ContainsAny(value, "*?$") || !strings.HasPrefix(op.name, "String") {
		return "", false
	}
	own := key == strings.ToLower(keyExternalID) || key == "sts:rolesessionname" || key == "sts:sourceidentity" || strings.HasPrefix(key, "aws:requesttag/")
	return value, own
}

// documentFixes writes one document for each side that lacks an Allow, puts all in, and evaluates again.
func (f *fixer) documentFixes() []Missing {
	actions := map[spot][]string{}
	var order []spot
	for _, l := range f.e.lacks {
		at := spot{l.side, l.level}
		if actions[at] == nil {
			order = append(order, at)
		}
		actions[at] = append(actions[at], l.action)
	}
	fixed := *f.req
	out := []Missing{}
	for _, at := range order {
		doc, ok := f.document(at, actions[at])
		if !ok {
			return []Missing{}
		}
		raw, err := doc.MarshalJSON()
		if err != nil {
			return []Missing{}
		}
		pasted, err := Parse(raw, "") // what is evaluated again is what will be pasted
		if err != nil {
			return []Missing{}
		}
		f.apply(&fixed, at, pasted)
		out = append(out, Missing{Side: at.side, Account: f.accountOf(at.side), Document: raw})
	}
	if Decide(&fixed).Decision != DecisionAllow {
		return []Missing{}
	}
	return out
}

func (f *fixer) accountOf(side Side) string {
	switch {
	case side == SideTrust:
		return f.e.account
	case side == SideSCP && f.e.org != nil && f.e.org.ManagementAccount != "":
		return f.e.org.ManagementAccount
	}
	return f.e.who.account
}

// document is the statement that a side lacks: the caller by name in a trust policy, the role by name elsewhere.
func (f *fixer) document(at spot, actions []string) (*Document, bool) {
	s := Statement{Effect: Allow, hasEffect: true, Action: texts(inRoleOrder(actions)...)}
	ok := true
	if at.side == SideTrust {
		kind, value := f.e.who.named()
		s.Principal = &Principals{Entries: []Principal{{Type: kind, Value: Value{Text: value}}}}
		s.Conditions, ok = f.keptConditions(actions)
	} else {
		s.Resource = texts(f.e.resource)
	}
	return &Document{Version: Version2012, HasVersion: true, hasStatement: true, Statements: []Statement{s}}, ok
}

func inRoleOrder(actions []string) []string {
	rank := map[string]int{}
	for i, a := range RoleActions() {
		rank[a] = i
	}
	out := append([]string(nil), actions...)
	sort.Slice(out, func(i, j int) bool { return rank[out[i]] < rank[out[j]] })
	return out
}

// keptConditions carries the conditions of a trust statement that nearly applied over to its replacement, so that the fix is
// no wider than it must be: what held stays, what the request carries otherwise is asked for as carried.
func (f *fixer) keptConditions(actions []string) ([]Condition, bool) {
	ref := f.e.gate
	if ref.doc == nil {
		return nil, true
	}
	var near *Statement
	for i := range ref.doc.Statements {
		s := &ref.doc.Statements[i]
		switch {
		case s.Effect != Allow || !s.actionMatches(actions[0]) || s.Principal == nil:
		case s.principalMatch(&f.e.who) != noMatch:
			return f.carried(ref.doc, s)
		case near == nil && f.e.nearPrincipal(s.Principal) != "":
			near = s
		}
	}
	if near == nil {
		return nil, true
	}
	return f.carried(ref.doc, near)
}

func (f *fixer) carried(doc *Document, s *Statement) ([]Condition, bool) {
	var out []Condition
	for i := range s.Conditions {
		c := s.Conditions[i]
		if c.holds(f.e.ctx, doc.variables()) {
			if !doc.variables() && strings.Contains(strings.Join(c.texts(), ""), "${") {
				return nil, false // it would mean something else in the new version
			}
			out = appendCondition(out, c)
			continue
		}
		val, present := f.e.ctx.get(c.Key)
		if operator := equality(c.Operator); present && !val.Multi && operator != "" {
			if strings.Contains(val.Values[0], "${") {
				return nil, false
			}
			out = appendCondition(out, Condition{Operator: operator, Key: c.Key, Values: []Value{{Text: val.Values[0]}}})
		}
	}
	return out, true
}

// appendCondition keeps one condition for each operator and key: JSON can hold no second one.
func appendCondition(list []Condition, c Condition) []Condition {
	for _, have := range list {
		if have.Operator == c.Operator && strings.EqualFold(have.Key, c.Key) {
			return list
		}
	}
	return append(list, c)
}

// equality is the operator that asks for exactly one value, for those operators that have one.
func equality(name string) string {
	op := operators[name]
	switch {
	case op.forAll || op.forAny || op.name == opNull:
		return ""
	case strings.HasPrefix(op.name, "String"):
		return "StringEquals"
	case strings.HasSuffix(op.name, "IpAddress"):
		return "IpAddress"
	}
	return ""
}

// apply puts a document into a copy of the request, without touching the documents of the original.
func (f *fixer) apply(req *Request, at spot, doc *Document) {
	switch at.side {
	case SideTrust:
		req.Trust = joined(req.Trust, doc)
	case SideIdentity:
		req.Identity = append(append([]NamedPolicy(nil), req.Identity...), NamedPolicy{"missing", doc})
	case SideBoundary:
		req.Boundary = joined(req.Boundary, doc)
	case SideSession:
		req.Session = joined(req.Session, doc)
	case SideSCP:
		levels := append([]Level(nil), req.SCPs...)
		l := &levels[at.level]
		l.Policies = append(append([]NamedPolicy(nil), l.Policies...), NamedPolicy{"missing", doc})
		req.SCPs = levels
	case SideRCP, SideRequest, SideResource: // nothing there lacks an Allow
	}
}

// joined is a document with another's statements behind its own.
func joined(d, more *Document) *Document {
	if d == nil {
		return more
	}
	out := *d
	out.Statements = append(append([]Statement(nil), d.Statements...), more.Statements...)
	for i := range out.Statements {
		out.Statements[i].Index = i
	}
	return &out
}

// Text is a missing document for people: indented JSON.
func (m Missing) Text() string {
	d, err := Parse(m.Document, "")
	if m.Side == SideRequest || err != nil {
		var v any
		if json.Unmarshal(m.Document, &v) != nil {
			return ""
		}
		raw, _ := json.MarshalIndent(v, "", "    ")
		return string(raw) + "\n"
	}
	return d.Indented()
}

// String names the side and the account.
func (m Missing) String() string { return fmt.Sprintf("%s in account %s", m.Side, m.Account) }
