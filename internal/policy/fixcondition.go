package policy

import (
	"slices"
	"strings"
)

// A fix stands beside the statement that came near, so it must not ask for less: conditions that hold stay as they are, and
// for each that fails (or has a wildcard) the fix asks for exactly what this request carries under that key, or that it carries nothing. A request
// which only the fix allows then looks like this one wherever the old statement was not content.

// conditions are those of a statement that shall allow an action: carried over from the statement that comes nearest. ok is
// false when none would do.
func (f *fixer) conditions(at spot, action string) ([]Condition, bool) {
	if doc, s := f.nearest(at, action); s != nil {
		return f.carried(doc, s)
	}
	id, sent := f.e.ctx.get(keyExternalID)
	if at.side != SideTrust || !sent {
		return nil, true
	}
	exact, ok := exactly(&Condition{Operator: "StringEquals", Key: keyExternalID}, id)
	return exact, ok
}

// nearest finds the Allow statement that all but its conditions, or nearly all, would make apply; or one that lets the same
// caller do another of the actions of assuming a role.
func (f *fixer) nearest(at spot, action string) (*Document, *Statement) {
	for _, fits := range []func(*Document, *Statement) bool{
		func(d *Document, s *Statement) bool { return s.actionMatches(action) && f.reaches(d, s) },
		func(d *Document, s *Statement) bool { return s.actionMatches(action) && f.nearly(s) },
		func(d *Document, s *Statement) bool {
			return slices.ContainsFunc(RoleActions(), s.actionMatches) && f.reaches(d, s)
		},
	} {
		for _, ref := range f.e.refsOf(lack{at.side, at.level, action}) {
			if ref.doc == nil {
				continue
			}
			for i := range ref.doc.Statements {
				if s := &ref.doc.Statements[i]; s.Effect == Allow && fits(ref.doc, s) {
					return ref.doc, s
				}
			}
		}
	}
	return nil, nil
}

// reaches tells a statement about this caller and this role.
func (f *fixer) reaches(d *Document, s *Statement) bool {
	return (s.Principal == nil || s.principalMatch(&f.e.who) != noMatch) && f.e.resourceFails(d, s) == ""
}

// nearly tells a statement that misses the caller or the role by one thing.
func (f *fixer) nearly(s *Statement) bool {
	return s.Principal != nil && f.e.nearPrincipal(s.Principal) != "" || f.e.nearResource(s.Resource) != ""
}

// carried carries the conditions of a statement over to its replacement.
func (f *fixer) carried(doc *Document, s *Statement) ([]Condition, bool) {
	var out carriedList
	for i := range s.Conditions {
		c := &s.Conditions[i]
		if c.holds(f.e.ctx, doc.variables()) && !c.hasWildcard() {
			if !doc.variables() && strings.Contains(strings.Join(c.texts(), ""), "${") {
				return nil, false // it would mean something else in the new version
			}
			out.add(*c, false)
			continue
		}
		exact, ok := f.instead(doc, c)
		if !ok {
			return nil, false
		}
		for _, c := range exact {
			out.add(c, true)
		}
	}
	return out.conditions, true
}

// hasWildcard tells a condition that fits more than its text says. A fix has none.
func (c *Condition) hasWildcard() bool {
	base := operators[c.Operator].name
	return (strings.HasSuffix(base, "Like") || strings.HasPrefix(base, "Arn")) && strings.ContainsAny(strings.Join(c.texts(), ""), "*?")
}

// carriedList are the conditions of one statement: for each operator and key one, since JSON can hold no second.
type carriedList struct {
	conditions []Condition
	exact      []bool // asks for what this request carries: narrower than whatever else holds
}

func (l *carriedList) add(c Condition, exact bool) {
	for i, have := range l.conditions {
		if have.Operator != c.Operator || !strings.EqualFold(have.Key, c.Key) || !exact && !l.exact[i] {
			continue
		}
		if exact {
			l.conditions[i].Values, l.exact[i] = c.Values, true
		}
		return
	}
	l.conditions, l.exact = append(l.conditions, c), append(l.exact, exact)
}

// instead is what takes the place of a condition that fails, or has a wildcard.
func (f *fixer) instead(doc *Document, c *Condition) ([]Condition, bool) {
	holds := c.holds(f.e.ctx, doc.variables())
	if text, ok := f.sendable(c); ok && !holds {
		f.more[c.Key] = One(text)
		return []Condition{*c}, true
	}
	if value, present := f.e.ctx.get(c.Key); present {
		return exactly(c, value)
	}
	if meant := misspelt(c.Key); meant != "" {
		fixed := *c
		fixed.Key = meant
		if fixed.holds(f.e.ctx, doc.variables()) && !fixed.hasWildcard() {
			return []Condition{fixed}, true
		}
		return f.instead(doc, &fixed)
	}
	// What the caller can send, it should send; and what every request carries was only not told.
	if alwaysCarried[strings.ToLower(c.Key)] || f.own(c.Key) && !holds {
		return nil, false
	}
	return []Condition{{Operator: opNull, Key: c.Key, Values: []Value{{Text: "true"}}}}, true
}

// exactly asks for the value that the request carries, or for no others than its values.
func exactly(c *Condition, value ContextValue) ([]Condition, bool) {
	if volatile[strings.ToLower(c.Key)] || strings.Contains(strings.Join(value.Values, ""), "${") {
		return nil, false
	}
	operator := equality(c.Operator, value.Values)
	if operator == "" {
		return nil, false
	}
	out := Condition{Operator: operator, Key: c.Key}
	for _, v := range value.Values {
		out.Values = append(out.Values, Value{Text: v})
	}
	if !value.Multi {
		return []Condition{out}, true
	}
	out.Operator = "ForAllValues:" + operator // which is content with no value at all
	return []Condition{out, {Operator: opNull, Key: c.Key, Values: []Value{{Text: "false"}}}}, true
}

// equality is the operator that asks for the same value, in the type of another operator; "" where there is none.
func equality(name string, values []string) string {
	base := operators[name].name
	switch {
	case strings.HasPrefix(base, "Arn") && !strings.ContainsAny(strings.Join(values, ""), "*?"):
		return "ArnEquals"
	case strings.HasPrefix(base, "String"), strings.HasPrefix(base, "Arn"), base == opNull:
		return "StringEquals"
	case strings.HasPrefix(base, "Numeric"):
		return "NumericEquals"
	case strings.HasSuffix(base, "IpAddress"):
		return "IpAddress"
	case base == "Bool", base == "BinaryEquals":
		return base
	}
	return ""
}

// volatile are the keys that have another value at the next call.
var volatile = map[string]bool{
	"aws:currenttime": true, "aws:epochtime": true, "aws:tokenissuetime": true, "aws:multifactorauthage": true,
}

// alwaysCarried are the keys that AWS puts into every request of an IAM principal.
// Source: the IAM user guide, "AWS global condition context keys", availability.
var alwaysCarried = map[string]bool{
	"aws:currenttime": true, "aws:epochtime": true, "aws:principalaccount": true, "aws:principalarn": true, "aws:principaltype": true,
	"aws:requestedregion": true, "aws:securetransport": true, "aws:sourceip": true, "aws:useragent": true, "aws:userid": true, "aws:viaawsservice": true,
}

// own tells the keys that the caller decides about.
func (f *fixer) own(key string) bool {
	key = strings.ToLower(key)
	switch key {
	case strings.ToLower(keyExternalID), "sts:rolesessionname", "sts:sourceidentity":
		return true
	case strings.ToLower(keyMFA):
		return f.e.who.kind == callerUser
	}
	return strings.HasPrefix(key, "aws:requesttag/")
}

func sameConditions(a, b []Condition) bool {
	return slices.EqualFunc(a, b, func(x, y Condition) bool {
		return x.Operator == y.Operator && strings.EqualFold(x.Key, y.Key) && slices.Equal(x.texts(), y.texts())
	})
}
