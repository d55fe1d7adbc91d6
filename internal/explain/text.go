package explain

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"crossrole/internal/policy"
	"crossrole/internal/word"
)

// Paint marks words for a person's eyes; a Paint may leave them as they are.
type Paint interface {
	Good(text string) string
	Bad(text string) string
	Doubt(text string) string
	Head(text string) string
	Quiet(text string) string
}

// Text is the answer for a tired person: the decision, what decided it, and what would make it pass; with trace also every
// statement that was held against the request.
func (found *Finding) Text(w io.Writer, p Paint, trace bool) error {
	_, err := io.WriteString(w, findingText(p, found, trace))
	return err
}

// JSON is the answer for programs.
func (found *Finding) JSON(w io.Writer) error { return writeJSON(w, found) }

// writeJSON writes a document for programs: indented, nothing escaped for HTML.
func writeJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}

func findingText(p Paint, found *Finding, trace bool) string {
	t, req, res := &textWriter{p: p}, found.req, found.Result
	t.verdict(req, res)
	t.reasons(found)
	t.nearMisses(res)
	t.missing(req, res)
	for _, what := range found.Unknown {
		t.line("%s %s", p.Doubt("unknown:"), word.Clean(what))
	}
	for _, w := range res.Warnings {
		t.line("%s %s", p.Doubt("note:"), word.Clean(w))
	}
	if trace {
		t.trace(res)
	}
	return t.b.String()
}

type textWriter struct {
	p Paint
	b strings.Builder
}

func (t *textWriter) line(format string, args ...any) {
	fmt.Fprintf(&t.b, format+"\n", args...)
}

func (t *textWriter) head(text string) { t.line("\n%s", t.p.Head(text)) }

func (t *textWriter) verdict(req *policy.Request, res *policy.Result) {
	what := word.Clean(req.Caller.ARN) + " %s " + strings.Join(req.Actions, " and ") + " on " + word.Clean(req.RoleARN)
	switch res.Decision {
	case policy.DecisionAllow:
		t.line("%s  %s", t.p.Good("ALLOWED"), fmt.Sprintf(what, "may call"))
	case policy.DecisionDeny:
		t.line("%s  %s", t.p.Bad("DENIED"), fmt.Sprintf(what, "may not call"))
	case DecisionUnknown:
		t.line("%s  whether %s", t.p.Doubt("UNKNOWN"), fmt.Sprintf(what, "may call"))
	default:
		t.line("%s  AWS would refuse what is marked here, so nothing was decided", t.p.Doubt("INVALID"))
	}
}

// reasons lists what decided. Near misses have their own place in the text, so an implicit denial's reasons are taken
// from the bare decision.
func (t *textWriter) reasons(found *Finding) {
	list := found.Reasons
	if found.bare != nil {
		list = found.bare
	}
	if len(list) == 0 {
		return
	}
	t.head("why")
	shown := map[policy.Side]bool{}
	for _, r := range list {
		t.line("  %s%s", t.at(r.Place()), reasonText(r))
		if r.Effect == policy.EffectNone && !shown[r.Side] && found.Decision == policy.DecisionDeny {
			shown[r.Side] = true
			t.considered(found.Trace, r.Side)
		}
	}
}

// maxConsidered is how many statements are shown under a side that lacks an Allow, before --trace is better.
const maxConsidered = 5

// considered lists the Allow statements of a side and why each of them does not apply, those that came nearest first.
func (t *textWriter) considered(trace []policy.Step, side policy.Side) {
	var near, far []policy.Step
	for _, s := range trace {
		switch {
		case s.Side != side || s.Applies || s.Effect != policy.Allow:
		case s.Failed == "action":
			far = append(far, s)
		default:
			near = append(near, s)
		}
	}
	for i, s := range append(near, far...) {
		if i == maxConsidered {
			t.line("    and %d more: --trace shows them", len(near)+len(far)-i)
			return
		}
		t.line("    %s%s, statement %s does not apply%s", t.at(stepPlace(s)), word.Clean(s.Policy), word.Clean(s.Statement), stepWhy(s))
	}
}

// at is a place before what stands there, in the form that editors jump to.
func (t *textWriter) at(place string) string {
	if place == "" {
		return ""
	}
	return t.p.Quiet(word.Clean(place)+":") + " "
}

func reasonText(r policy.Reason) string {
	subject := word.Clean(r.Policy)
	switch {
	case r.Statement != "":
		subject += ", statement " + word.Clean(r.Statement)
	case subject == "":
		subject = string(r.Side)
	}
	if r.Effect == policy.Allow || r.Effect == policy.Deny {
		subject += " (" + r.Effect + ")"
	}
	return subject + ": " + word.Clean(r.Why)
}

func (t *textWriter) nearMisses(res *policy.Result) {
	if len(res.NearMisses) == 0 {
		return
	}
	t.head("near misses")
	for _, n := range res.NearMisses {
		t.line("  %s%s, statement %s: %s", t.at(policy.Reason{File: n.File, Pos: n.Pos}.Place()), word.Clean(n.Policy), word.Clean(n.Statement), word.Clean(n.What))
	}
}

func (t *textWriter) missing(req *policy.Request, res *policy.Result) {
	for i, m := range res.Missing {
		lead := "what would make it pass: "
		switch {
		case i > 0:
			lead = "and: "
		case len(res.Missing) == 1 && m.Side == policy.SideRequest:
			lead = "no policy needs to change: "
		}
		if m.Side == policy.SideRequest {
			t.head(lead + "send what the policy asks for")
			t.send(m)
			continue
		}
		t.head(lead + whereToPut(req, m))
		t.b.WriteString(m.Text())
	}
	switch {
	case res.Decision != policy.DecisionDeny || len(res.Missing) > 0 || res.Explicit:
	case len(res.NearMisses) > 0:
		t.line("\nNo statement is proposed: it would ask for less than the one that comes near.")
	default:
		t.line("\nNo single statement without a wildcard would make it pass.")
	}
	if len(res.Missing) > 0 {
		t.line("")
	}
}

// whereToPut says which document a missing statement belongs to, and in which account.
func whereToPut(req *policy.Request, m policy.Missing) string {
	account := word.Clean(m.Account)
	switch m.Side {
	case policy.SideTrust:
		return "add this to the trust policy of " + word.Clean(req.RoleARN) + " (account " + account + ")"
	case policy.SideIdentity:
		return "attach this to " + principalOf(req.Caller) + " (account " + account + "), for example as " + policyNameFor(req.RoleARN)
	case policy.SideBoundary:
		return "add this to the permissions boundary of " + principalOf(req.Caller) + " (account " + account + ")"
	case policy.SideSession:
		return "add this to the session policy that the caller's session is made with"
	case policy.SideSCP:
		return "attach this as an SCP for account " + accountOf(req.Caller.ARN) + " (organization's management account)"
	default:
		return "add this on the side " + string(m.Side) + " (account " + account + ")"
	}
}

// principalOf names whom identity policies are attached to: a session's role.
func principalOf(c policy.Caller) string {
	if v, ok := policy.DeriveContext(c).Get("aws:PrincipalArn"); ok {
		return word.Clean(v.Values[0])
	}
	return word.Clean(c.ARN)
}

func policyNameFor(roleARN string) string { return word.Clean(policy.PermissionPolicyName(roleARN)) }

// accountOf is the account that an ARN is of, or "".
func accountOf(arn string) string {
	a, _ := policy.ParseARN(arn)
	return word.Clean(a.Account)
}

// sendable says how the caller sends a key of the request.
var sendable = []struct{ key, how string }{
	{"sts:ExternalId", "external_id = %s in the profile, or --external-id %[1]s"},
	{"sts:RoleSessionName", "role_session_name = %s in the profile, or --session-name %[1]s"},
	{"sts:SourceIdentity", "source_identity = %s in the profile, or --source-identity %[1]s"},
	{"aws:MultiFactorAuthPresent", "mfa_serial in the profile, or --mfa-serial, so that a code is asked for"},
}

func (t *textWriter) send(m policy.Missing) {
	var doc struct{ Context map[string]string }
	if json.Unmarshal(m.Document, &doc) != nil {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(doc.Context)) {
		t.line("  %s", howToSend(key, doc.Context[key]))
	}
}

func howToSend(key, value string) string {
	for _, s := range sendable {
		if strings.EqualFold(s.key, key) {
			if strings.Contains(s.how, "%") {
				return fmt.Sprintf(s.how, word.Shell(value))
			}
			return s.how
		}
	}
	if tag, ok := strings.CutPrefix(key, "aws:RequestTag/"); ok {
		return "--tag " + word.Shell(tag+"="+value)
	}
	return word.Clean(key) + " = " + word.Clean(value)
}

func (t *textWriter) trace(res *policy.Result) {
	t.head("every statement")
	for _, s := range res.Trace {
		verdict := "does not apply"
		if s.Applies {
			verdict = "applies"
		}
		name := word.Clean(s.Policy)
		if s.Level != "" {
			name = word.Clean(s.Level) + "/" + name
		}
		t.line("  %s%s %s, statement %s (%s), %s: %s%s", t.at(stepPlace(s)), s.Side, name, word.Clean(s.Statement), s.Effect, word.Clean(s.Action), verdict, stepWhy(s))
	}
}

func stepPlace(s policy.Step) string {
	return policy.Reason{File: s.File, Pos: policy.Pos{Line: s.Line, Column: s.Column}}.Place()
}

func stepWhy(s policy.Step) string {
	if s.Applies || s.Failed == "" {
		return ""
	}
	why := " (" + word.Clean(s.Failed)
	if s.Why != "" {
		why += ": " + word.Clean(s.Why)
	}
	return why + ")"
}
