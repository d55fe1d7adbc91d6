package policy

import (
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strings"
)

// fixer looks for the smallest documents that turn an implicit deny into an allow. Whatever it finds was evaluated again.
type fixer struct {
	e    *evaluator
	req  *Request
	sent Context // what the request should carry besides, and does carry here
	more Context // what it should carry yet
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
	if sent := f.askAll(); len(sent) > 0 {
		if out := f.sending(sent); len(out) > 0 {
			return out
		}
	}
	return f.documentFixes()
}

// askAll collects what the caller itself can send and a statement that would allow asks for: an external ID where none was
// sent, MFA from a user, a session name, a source identity, tags. Loosening a policy would be the wrong advice there.
func (f *fixer) askAll() Context {
	extra := Context{}
	for _, l := range f.e.lacks {
		for _, ref := range f.e.refsOf(l) {
			if f.askFor(ref, l.action, extra) {
				break
			}
		}
	}
	return extra
}

// sending looks for what is missing when the request carries more. What is sent may need to be allowed itself.
func (f *fixer) sending(sent Context) []Missing {
	req := *f.req
	req.Context, req.Actions = f.req.Context.Clone(), slices.Clone(f.req.Actions)
	var tags []string
	for _, k := range sortedKeys(sent) {
		setFold(req.Context, k, sent[k])
		name, tag, _ := strings.Cut(k, "/")
		switch {
		case strings.EqualFold(k, "sts:SourceIdentity"):
			req.Actions = append(req.Actions, ActionSetSourceIdentity)
		case strings.EqualFold(name, "aws:RequestTag"):
			req.Actions = append(req.Actions, ActionTagSession)
			tags = append(tags, tag)
		}
	}
	if len(tags) > 0 {
		have, _ := req.Context.Get("aws:TagKeys")
		setFold(req.Context, "aws:TagKeys", Many(slices.Concat(have.Values, tags)...))
	}
	e, _ := decide(&req)
	if e == nil {
		return []Missing{}
	}
	all := sent.Clone()
	for k, v := range f.sent {
		all[k] = v
	}
	return (&fixer{e: e, req: &req, sent: all}).documentFixes()
}

// setFold sets a key whatever its spelling was.
func setFold(c Context, key string, v ContextValue) {
	for have := range c {
		if strings.EqualFold(have, key) {
			delete(c, have)
		}
	}
	c[key] = v
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
		// AWS sends "true": a condition that asks for it in another spelling is not content with that either.
		return "true", f.e.who.kind == callerUser && c.holds(lookup{key: One("true")}, false)
	}
	if present || value == "" || strings.ContainsAny(value, "*?$") || !strings.HasPrefix(op.name, "String") {
		return "", false
	}
	return value, f.own(key)
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
	fixed, out := *f.req, []Missing{}
	f.more = Context{}
	for _, at := range order {
		doc, raw, ok := f.pasted(at, actions[at])
		if !ok {
			return []Missing{}
		}
		f.apply(&fixed, at, doc)
		out = append(out, Missing{Side: at.side, Account: f.accountOf(at.side), Document: raw})
	}
	if len(f.more) > 0 {
		return f.sending(f.more)
	}
	if len(f.sent) > 0 {
		raw, err := json.Marshal(map[string]any{"context": plainContext(f.sent)})
		if err != nil {
			return []Missing{}
		}
		out = slices.Insert(out, 0, Missing{Side: SideRequest, Account: f.e.who.account, Document: raw})
	}
	if Decide(&fixed).Decision != DecisionAllow {
		return []Missing{}
	}
	return out
}

// pasted is the document that a side lacks as it will be pasted: that is what is evaluated again.
func (f *fixer) pasted(at spot, actions []string) (*Document, json.RawMessage, bool) {
	doc, ok := f.document(at, actions)
	if !ok {
		return nil, nil, false
	}
	raw, err := doc.MarshalJSON()
	if err != nil {
		return nil, nil, false
	}
	back, err := Parse(raw, "")
	return back, raw, err == nil
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

// document is what a side lacks: the caller by name in a trust policy, the role by name elsewhere. Actions whose conditions
// are the same share a statement.
func (f *fixer) document(at spot, actions []string) (*Document, bool) {
	doc := &Document{Version: Version2012, HasVersion: true, hasStatement: true}
	for _, action := range inRoleOrder(actions) {
		conditions, ok := f.conditions(at, action)
		if !ok {
			return nil, false
		}
		if n := len(doc.Statements); n > 0 && sameConditions(doc.Statements[n-1].Conditions, conditions) {
			last := doc.Statements[n-1].Action
			last.List = append(last.List, texts(action).List...)
			continue
		}
		s := Statement{Effect: Allow, hasEffect: true, Action: texts(action), Conditions: conditions}
		if at.side == SideTrust {
			kind, value := f.e.who.named()
			s.Principal = &Principals{Entries: []Principal{{Type: kind, Value: Value{Text: value}}}}
		} else {
			s.Resource = texts(f.e.resource)
		}
		doc.Statements = append(doc.Statements, s)
	}
	return doc, true
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
