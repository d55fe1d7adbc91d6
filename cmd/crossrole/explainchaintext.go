package main

import (
	"fmt"
	"strings"

	"crossrole/internal/policy"
)

// chainText is the report of a profile for a person.
func chainText(p painter, r chainReport, trace bool) string {
	t := &textWriter{p: p}
	t.chainVerdict(r)
	if len(r.Problems) > 0 {
		t.problems(r.Problems)
	}
	for i := range r.Hops {
		t.hop(&r.Hops[i], trace)
	}
	for _, w := range r.Warnings {
		t.line("%s %s", p.doubt("note:"), clean(w))
	}
	return t.b.String()
}

func (t *textWriter) chainVerdict(r chainReport) {
	name := "profile " + fmt.Sprintf("%q", r.Profile)
	role := ""
	if n := len(r.Hops); n > 0 {
		role = clean(r.Hops[n-1].Call.RoleARN)
	}
	switch {
	case stopping(r.Problems) > 0:
		t.line("%s  %s: %s", t.p.bad("CAN'T WORK"), name, counted(stopping(r.Problems), "problem"))
	case len(r.Hops) == 0:
		t.line("%s assumes no role: its credentials are those of %s", name, clean(r.Source.Kind))
	case r.Decision == policy.DecisionAllow:
		t.line("%s  %s may assume %s", t.p.good("ALLOWED"), name, role)
	case r.Decision == policy.DecisionDeny:
		t.line("%s  %s may not assume %s", t.p.bad("DENIED"), name, role)
	case r.Decision == policy.DecisionInvalid:
		t.line("%s  %s: AWS would refuse what is marked here, so nothing was decided", t.p.doubt("INVALID"), name)
	case r.Decision == decisionUnknown:
		t.line("%s  whether %s may assume %s", t.p.doubt("UNKNOWN"), name, role)
	default:
		t.line("%s assumes %s in %s; whether it may was not looked up (--live does)", name, role, counted(len(r.Hops), "call"))
	}
}

func stopping(list []problem) int {
	n := 0
	for _, p := range list {
		if p.Stops {
			n++
		}
	}
	return n
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (t *textWriter) problems(list []problem) {
	t.head("what can't work as it is written")
	for _, p := range list {
		t.line("  %s", clean(p.Problem))
		for _, hint := range p.Hints {
			t.line("    hint: %s", clean(hint))
		}
	}
}

func (t *textWriter) hop(h *hopReport, trace bool) {
	call := strings.Split(callText(h.Call), "\n")
	t.head(fmt.Sprintf("%d. %s", h.Hop, clean(call[0])))
	t.line("  caller   %s", callerText(h.Caller))
	label := "sends"
	for _, sent := range call[1:] {
		t.line("  %-8s %s", label, strings.TrimSpace(sent))
		label = ""
	}
	t.line("  accounts %s", relationText(h))
	if h.Result != nil {
		t.hopResult(h, trace)
		return
	}
	for i := range h.MustSay {
		t.mustSay(h, &h.MustSay[i])
	}
}

func callerText(c callerJSON) string {
	switch {
	case c.ARN != "" && c.PrincipalARN != "" && c.PrincipalARN != c.ARN:
		return clean(c.ARN) + " (of " + clean(c.PrincipalARN) + ")"
	case c.ARN != "":
		return clean(c.ARN)
	case c.Account != "":
		return clean(c.What) + ", in account " + clean(c.Account)
	default:
		return clean(c.What)
	}
}

func relationText(h *hopReport) string {
	if h.Call.Action == policy.ActionAssumeRoleWithWebIdentity {
		return "of the role alone, " + h.role.Account + ": its identity provider lets the caller in"
	}
	switch h.Relation {
	case sameAccount:
		return "the same, " + h.role.Account + ": a trust policy that names the caller is enough; one that names the account leaves it to the caller's identity policy"
	case crossAccount:
		return "from " + clean(h.Caller.Account) + " into " + h.role.Account + ": both sides must allow, the role's trust policy and the caller's identity policy"
	default:
		return "not known: the files don't say which account the caller is in"
	}
}

func (t *textWriter) mustSay(h *hopReport, m *mustSay) {
	lead := "the trust policy of " + clean(m.AttachTo) + " (account " + m.Account + ") must have"
	if m.Side == policy.SideIdentity {
		lead = "an identity policy of " + identityOwner(m) + " must have, for example as " + policyNameFor(h.Call.RoleARN)
	}
	if m.Enough {
		lead += ", which is enough"
	}
	t.head("   " + lead)
	if m.Document != nil {
		t.b.WriteString(m.Document.Indented())
	}
	if m.Note != "" {
		t.line("   %s", clean(m.Note))
	}
}

func identityOwner(m *mustSay) string {
	switch {
	case m.AttachTo != "":
		return clean(m.AttachTo) + " (account " + clean(m.Account) + ")"
	case m.Account != "":
		return "the caller (account " + clean(m.Account) + ")"
	default:
		return "the caller"
	}
}

// hopResult shows the answer about one hop, indented under it.
func (t *textWriter) hopResult(h *hopReport, trace bool) {
	inner := strings.TrimRight(explainText(t.p, *h.Result, trace), "\n")
	t.line("")
	for line := range strings.SplitSeq(inner, "\n") {
		t.line("%s", strings.TrimRight("  "+line, " "))
	}
	if h.Tried != nil {
		t.line("\n  %s %s", t.p.head("tried:"), clean(h.Tried.What))
	}
}
