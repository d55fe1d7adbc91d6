package explain

import (
	"fmt"
	"io"
	"strings"

	"crossrole/internal/policy"
	"crossrole/internal/word"
)

// Text is the report for a person; with trace it has every statement that was held against a request.
func (r *Report) Text(w io.Writer, p Paint, trace bool) error {
	_, err := io.WriteString(w, reportText(p, r, trace))
	return err
}

// JSON is the report for programs.
func (r *Report) JSON(w io.Writer) error { return writeJSON(w, r) }

func reportText(p Paint, r *Report, trace bool) string {
	t := &textWriter{p: p}
	t.chainVerdict(r)
	if len(r.Problems) > 0 {
		t.problems(r.Problems)
	}
	for i := range r.Hops {
		t.hop(&r.Hops[i], trace)
	}
	for _, w := range r.Warnings {
		t.line("%s %s", p.Doubt("note:"), word.Clean(w))
	}
	return t.b.String()
}

func (t *textWriter) chainVerdict(r *Report) {
	name := "profile " + fmt.Sprintf("%q", r.Profile)
	role := ""
	if n := len(r.Hops); n > 0 {
		role = word.Clean(r.Hops[n-1].Call.RoleARN)
	}
	switch {
	case stopping(r.Problems) > 0:
		t.line("%s  %s: %s", t.p.Bad("CAN'T WORK"), name, counted(stopping(r.Problems), "problem"))
	case len(r.Hops) == 0:
		t.line("%s assumes no role: its credentials are those of %s", name, word.Clean(r.Source.Kind))
	case r.Decision == policy.DecisionAllow:
		t.line("%s  %s may assume %s", t.p.Good("ALLOWED"), name, role)
	case r.Decision == policy.DecisionDeny:
		t.line("%s  %s may not assume %s", t.p.Bad("DENIED"), name, role)
	case r.Decision == policy.DecisionInvalid:
		t.line("%s  %s: AWS would refuse what is marked here, so nothing was decided", t.p.Doubt("INVALID"), name)
	case r.Decision == DecisionUnknown:
		t.line("%s  whether %s may assume %s", t.p.Doubt("UNKNOWN"), name, role)
	default:
		t.line("%s assumes %s in %s; whether it may was not looked up (--live does)", name, role, counted(len(r.Hops), "call"))
	}
}

func stopping(list []Problem) int {
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

func (t *textWriter) problems(list []Problem) {
	t.head("what can't work as it is written")
	for _, p := range list {
		t.line("  %s", word.Clean(p.Problem))
		for _, hint := range p.Hints {
			t.line("    hint: %s", word.Clean(hint))
		}
	}
}

func (t *textWriter) hop(h *Hop, trace bool) {
	call := strings.Split(h.Call.Text(), "\n")
	t.head(fmt.Sprintf("%d. %s", h.Hop, word.Clean(call[0])))
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

func callerText(c Caller) string {
	switch {
	case c.ARN != "" && c.PrincipalARN != "" && c.PrincipalARN != c.ARN:
		return word.Clean(c.ARN) + " (of " + word.Clean(c.PrincipalARN) + ")"
	case c.ARN != "":
		return word.Clean(c.ARN)
	case c.Account != "":
		return word.Clean(c.What) + ", in account " + word.Clean(c.Account)
	default:
		return word.Clean(c.What)
	}
}

func relationText(h *Hop) string {
	if h.Call.Action == policy.ActionAssumeRoleWithWebIdentity {
		return "of the role alone, " + h.role.Account + ": its identity provider lets the caller in"
	}
	switch h.Relation {
	case sameAccount:
		return "the same, " + h.role.Account + ": a trust policy that names the caller is enough; one that names the account leaves it to the caller's identity policy"
	case crossAccount:
		return "from " + word.Clean(h.Caller.Account) + " into " + h.role.Account + ": both sides must allow, the role's trust policy and the caller's identity policy"
	default:
		return "not known: the files don't say which account the caller is in"
	}
}

func (t *textWriter) mustSay(h *Hop, m *MustSay) {
	lead := "the trust policy of " + word.Clean(m.AttachTo) + " (account " + m.Account + ") must have"
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
		t.line("   %s", word.Clean(m.Note))
	}
}

func identityOwner(m *MustSay) string {
	switch {
	case m.AttachTo != "":
		return word.Clean(m.AttachTo) + " (account " + word.Clean(m.Account) + ")"
	case m.Account != "":
		return "the caller (account " + word.Clean(m.Account) + ")"
	default:
		return "the caller"
	}
}

// hopResult shows the answer about one hop, indented under it.
func (t *textWriter) hopResult(h *Hop, trace bool) {
	inner := strings.TrimRight(findingText(t.p, h.Result, trace), "\n")
	t.line("")
	for line := range strings.SplitSeq(inner, "\n") {
		t.line("%s", strings.TrimRight("  "+line, " "))
	}
	if h.Tried != nil {
		t.line("\n  %s %s", t.p.Head("tried:"), word.Clean(h.Tried.What))
	}
}
