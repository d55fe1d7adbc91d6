package policy

import (
	"fmt"
	"strings"
)

// policyRef is a document with its place among the sides.
type policyRef struct {
	side  Side
	level string
	name  string
	doc   *Document
}

// label names the policy in reasons.
func (p *policyRef) label() string {
	if p.level == "" {
		return p.name
	}
	return p.level + "/" + p.name
}

// hit is a statement that applies.
type hit struct {
	ref   *policyRef
	st    *Statement
	match match
}

// outcome is what a side's policies say about one action.
type outcome struct {
	allow *hit // the most generous Allow
	deny  []hit
}

// scan holds every statement of a policy against the action.
func (e *evaluator) scan(ref *policyRef, action string, out *outcome) {
	if ref.doc == nil {
		return
	}
	for i := range ref.doc.Statements {
		s := &ref.doc.Statements[i]
		m, ok := e.applies(ref, s, action)
		switch {
		case !ok:
		case s.Effect == Deny:
			out.deny = append(out.deny, hit{ref, s, m})
		case s.Effect == Allow && (out.allow == nil || m > out.allow.match):
			out.allow = &hit{ref, s, m}
		}
	}
}

// applies evaluates one statement element by element and notes the step.
func (e *evaluator) applies(ref *policyRef, s *Statement, action string) (match, bool) {
	step := Step{
		Action: action, Side: ref.side, Level: ref.level, Policy: ref.name, Statement: s.Name(), Effect: s.Effect,
		File: ref.doc.File, Line: s.Pos.Line, Column: s.Pos.Column,
	}
	m, failed, why := e.elements(ref, s, action, &step)
	step.Failed, step.Why, step.Applies = failed, why, failed == ""
	if step.Applies && m != noMatch {
		step.Why = m.String()
	}
	e.res.Trace = append(e.res.Trace, step)
	return m, step.Applies
}

func (e *evaluator) elements(ref *policyRef, s *Statement, action string, step *Step) (m match, failed, why string) {
	if !s.actionMatches(action) {
		return noMatch, "action", fmt.Sprintf("%s is not among %s", action, s.elementText(s.Action, "Action", s.NotAction, "NotAction"))
	}
	if s.Principal != nil || s.NotPrincipal != nil {
		if m = s.principalMatch(&e.who); m == noMatch {
			return m, "principal", fmt.Sprintf("%s is not let in by %s", e.who.describe(), s.principalText())
		}
	}
	if why := e.resourceFails(ref.doc, s); why != "" {
		return m, "resource", why
	}
	if why := e.conditionsFail(ref.doc, s, step); why != "" {
		return m, "condition", why
	}
	return m, "", ""
}

// actionMatches ignores case, as action names do.
func (s *Statement) actionMatches(action string) bool {
	switch {
	case s.Action != nil:
		return s.Action.hasAction(action)
	case s.NotAction != nil:
		return !s.NotAction.hasAction(action)
	}
	return false
}

func (v *Values) hasAction(action string) bool {
	for i := range v.List {
		if t := v.List[i].Text; t == "*" || t == action || globMatch(strings.ToLower(t), strings.ToLower(action)) {
			return true
		}
	}
	return false
}

// principalMatch also answers for NotPrincipal, which only resource policies may have: everyone but those named.
func (s *Statement) principalMatch(w *who) match {
	if s.Principal != nil {
		return s.Principal.matches(w)
	}
	if s.NotPrincipal.matches(w) == noMatch {
		return byAnyone
	}
	return noMatch
}

func (e *evaluator) resourceFails(doc *Document, s *Statement) string {
	list, inverted := s.Resource, false
	if list == nil {
		list, inverted = s.NotResource, true
	}
	if list == nil {
		return ""
	}
	found := false
	for i := range list.List {
		found = found || e.ctx.matchResource(list.List[i].Text, e.resource, doc.variables())
	}
	if found == inverted {
		return fmt.Sprintf("%s is not covered by %s", e.resource, s.elementText(s.Resource, "Resource", s.NotResource, "NotResource"))
	}
	return ""
}

// matchResource compares a Resource text with an ARN. Variables are replaced after the fifth colon only; a text whose
// variable has no value matches no resource, also in NotResource. Source: the IAM user guide, "Policy variables with no
// value".
func (c lookup) matchResource(text, resource string, variables bool) bool {
	if text == "*" {
		return true
	}
	if !strings.ContainsAny(text, "*?$") {
		return text == resource
	}
	parts := strings.SplitN(text, ":", 6)
	if !variables || len(parts) < 6 || !strings.Contains(parts[5], "${") {
		return matchARN(compileGlob(text), resource, true)
	}
	tail, ok := c.expandGlob(parts[5], true)
	head := compileGlob(strings.Join(parts[:5], ":") + ":")
	return ok && matchARN(append(head, tail...), resource, true)
}

func (e *evaluator) conditionsFail(doc *Document, s *Statement, step *Step) string {
	why := ""
	for i := range s.Conditions {
		c := &s.Conditions[i]
		val, present := e.ctx.get(c.Key)
		check := Check{Operator: c.Operator, Key: c.Key, Policy: c.texts(), Held: c.holds(e.ctx, doc.variables())}
		if present {
			check.Request = val.Values
		}
		step.Checks = append(step.Checks, check)
		if !check.Held && why == "" {
			why = check.why(val, present)
		}
	}
	return why
}

func (c *Condition) texts() []string {
	out := make([]string, len(c.Values))
	for i, v := range c.Values {
		out[i] = v.Text
	}
	return out
}

func (c *Check) why(val ContextValue, present bool) string {
	carried := "the request does not carry it"
	if present {
		carried = "the request carries " + quoteList(val.Values)
	}
	text := fmt.Sprintf("%s %s asks for %s, %s", c.Operator, clip(c.Key), quoteList(c.Policy), carried)
	if present && val.Multi && !strings.HasPrefix(c.Operator, "For") && c.Operator != opNull {
		text += " (a list needs ForAnyValue or ForAllValues)"
	}
	return text
}

// quoteList shows the first few values, each quoted.
func quoteList(list []string) string {
	const most = 4
	var b strings.Builder
	for i, s := range list {
		if i == most {
			fmt.Fprintf(&b, " and %d more", len(list)-most)
			break
		}
		if i > 0 {
			b.WriteString(" or ")
		}
		fmt.Fprintf(&b, "%.200q", s)
	}
	if b.Len() == 0 {
		return "nothing"
	}
	return b.String()
}

// elementText names an element and its values, whichever of the two forms the statement has.
func (s *Statement) elementText(plain *Values, name string, inverted *Values, invertedName string) string {
	if plain == nil {
		plain, name = inverted, invertedName
	}
	if plain == nil {
		return name + " (none)"
	}
	texts := make([]string, 0, len(plain.List))
	for _, v := range plain.List {
		texts = append(texts, v.Text)
	}
	return name + " " + quoteList(texts)
}

func (s *Statement) principalText() string {
	p, name := s.Principal, "Principal"
	if p == nil {
		p, name = s.NotPrincipal, "NotPrincipal"
	}
	texts := make([]string, 0, len(p.Entries)+1)
	if p.Star {
		texts = append(texts, "*")
	}
	for _, entry := range p.Entries {
		texts = append(texts, entry.Text)
	}
	return name + " " + quoteList(texts)
}

// describe names the caller; a session with its role.
func (w *who) describe() string {
	if w.kind == callerSession && w.ARN != w.principal {
		return fmt.Sprintf("%s (role %s)", w.ARN, w.principal)
	}
	return w.ARN
}
