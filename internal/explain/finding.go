package explain

import (
	"slices"

	"crossrole/internal/policy"
)

// DecisionUnknown is the answer where something that could not be read may change it.
const DecisionUnknown policy.Decision = "unknown"

// Finding is the answer to one request, with what could not be found out. Its JSON is that of the result; "unknown" is only
// there when it has something to say.
type Finding struct {
	*policy.Result
	Unknown []string `json:"unknown,omitempty"`

	req *policy.Request
	// bare are the reasons without near misses, which the text shows in a place of their own; nil when they are the same.
	bare []policy.Reason
}

// gap is something that could not be read: on its side nothing is known for certain.
type gap struct {
	side policy.Side
	what string
}

// decide evaluates what is known. What is not known is never taken for an Allow, nor for a lack of one: with gaps an allow
// becomes unknown, and a denial stands only where a side that is known denies.
func decide(req *policy.Request, gaps []gap) Finding {
	f := Finding{Result: policy.Evaluate(req), req: req}
	if f.Decision == policy.DecisionDeny && !f.Explicit {
		f.bare = policy.Decide(req).Reasons
	}
	for _, g := range gaps {
		f.Unknown = append(f.Unknown, g.what)
	}
	if slices.ContainsFunc(gaps, func(g gap) bool { return g.side == policy.SideTrust }) {
		f.Warnings = slices.DeleteFunc(f.Warnings, func(w string) bool { return w == policy.NoTrustPolicy })
	}
	if len(gaps) == 0 || f.Decision == policy.DecisionInvalid || f.Explicit && !f.onlyPerhaps() {
		return f
	}
	if f.Explicit {
		f.Decision, f.Explicit = DecisionUnknown, false
		return f
	}
	if f.Decision == policy.DecisionAllow {
		f.Decision = DecisionUnknown
		return f
	}
	known := func(side policy.Side) bool {
		return !slices.ContainsFunc(gaps, func(g gap) bool { return g.side == side })
	}
	f.Reasons = slices.DeleteFunc(f.Reasons, func(r policy.Reason) bool { return !known(r.Side) })
	f.bare = slices.DeleteFunc(f.bare, func(r policy.Reason) bool { return !known(r.Side) })
	f.Missing = slices.DeleteFunc(f.Missing, func(m policy.Missing) bool { return !known(m.Side) })
	if len(f.Reasons) == 0 {
		f.Decision = DecisionUnknown
	}
	return f
}

// onlyPerhaps tells whether every Deny that decided asks for something that only the real request carries.
func (f *Finding) onlyPerhaps() bool {
	for _, s := range f.Trace {
		if s.Effect == policy.Deny && s.Applies && !slices.ContainsFunc(s.Checks, func(c policy.Check) bool { return c.Request == nil && unknowable(c.Key) }) {
			return false
		}
	}
	return true
}
