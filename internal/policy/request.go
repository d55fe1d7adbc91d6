package policy

import (
	"fmt"
	"io"
	"net/url"
	"strings"
)

// Request is one question: may this caller do these actions on this role, given these policies?
type Request struct {
	Caller       Caller
	Organization *Organization // nil when unknown or none
	RoleARN      string
	Actions      []string // all must be allowed; see [RoleActions]
	Context      Context  // exactly what the request carries
	Trust        *Document
	Identity     []NamedPolicy // of the caller: inline, attached, and of its groups
	Boundary     *Document     // nil when there is none
	Session      *Document     // the session policy in force for the caller's own session
	SCPs         []Level       // of the caller's account, from the root down; nil when none are in force
	RCPs         []Level       // of the role's account
}

// Organization is what decides whom SCPs and RCPs bind.
type Organization struct {
	ID                string
	ManagementAccount string
}

// NamedPolicy is a policy and what to call it.
type NamedPolicy struct {
	Name     string
	Document *Document
}

// Level is one level of an organization (root, OU, account) with the policies attached there. A level without any SCP
// allows nothing.
type Level struct {
	Name     string
	Policies []NamedPolicy
}

// The actions that a trust policy decides about.
const (
	ActionAssumeRole                = "sts:AssumeRole"
	ActionAssumeRoleWithWebIdentity = "sts:AssumeRoleWithWebIdentity"
	ActionAssumeRoleWithSAML        = "sts:AssumeRoleWithSAML"
	ActionTagSession                = "sts:TagSession"
	ActionSetSourceIdentity         = "sts:SetSourceIdentity"
	ActionSetContext                = "sts:SetContext"
)

// RoleActions lists the actions that [Evaluate] decides.
func RoleActions() []string {
	return []string{
		ActionAssumeRole, ActionAssumeRoleWithWebIdentity, ActionAssumeRoleWithSAML,
		ActionTagSession, ActionSetSourceIdentity, ActionSetContext,
	}
}

// ParseRequest reads a request from one JSON object:
//
//	{"caller":{"arn","principal_arn","unique_id"},"organization":{"id","management_account"}|null,"role_arn","actions":[…],
//	 "context":{…},"trust_policy":{…},"identity_policies":[{"name","policy":{…}}],"permissions_boundary":{…}|null,
//	 "session_policy":{…}|null,"scps":[{"level","policies":[{"name","policy":{…}}]}],"rcps":[…]}
//
// Absent and null members are empty; without actions it is sts:AssumeRole. A policy may also be a string that holds the
// JSON, URL-encoded or not. The error is a [*SyntaxError] with the place: broken JSON, a member that this shape does not
// know, or a value of the wrong type. What is wrong inside a policy is for [Evaluate] to report. file is only named.
func ParseRequest(r io.Reader, file string) (*Request, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxJSONBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read request %q: %w", file, err)
	}
	n, err := parseJSON(data, file)
	if err != nil {
		return nil, err
	}
	rr := &requestReader{file: file, data: data}
	req := rr.request(n)
	return req, rr.err
}

// requestReader keeps the first error, so that reading needs no check at every member.
type requestReader struct {
	file string
	data []byte
	err  error
}

func (r *requestReader) fail(pos Pos, format string, args ...any) {
	if r.err == nil {
		r.err = &SyntaxError{File: r.file, Pos: pos, Msg: fmt.Sprintf(format, args...)}
	}
}

// members walks an object's members that are not null; each name must be known and stand once.
func (r *requestReader) members(n *node, what string, known map[string]func(*node)) {
	if n.kind == nodeNull {
		return
	}
	if n.kind != nodeObject {
		r.fail(n.pos, "%s must be an object, not %s", what, n.kind)
		return
	}
	seen := map[string]bool{}
	for i := range n.members {
		m := &n.members[i]
		read, ok := known[m.key]
		switch {
		case !ok:
			r.fail(m.pos, "%s has an unknown member %q (known: %s)", what, m.key, strings.Join(sortedKeys(known), ", "))
		case seen[m.key]:
			r.fail(m.pos, "%s has %q twice", what, m.key)
		case m.val.kind != nodeNull:
			read(&m.val)
		}
		seen[m.key] = true
	}
}

func (r *requestReader) text(dst *string, what string) func(*node) {
	return func(n *node) {
		if n.kind != nodeString {
			r.fail(n.pos, "%s must be a string, not %s", what, n.kind)
		}
		*dst = n.text
	}
}

// label reads what something is called: levels may be numbered.
func (r *requestReader) label(dst *string, what string) func(*node) {
	return func(n *node) {
		if n.kind != nodeString && n.kind != nodeNumber {
			r.fail(n.pos, "%s must be a string or a number, not %s", what, n.kind)
		}
		*dst = n.text
	}
}

func (r *requestReader) request(n *node) *Request {
	req := &Request{Context: Context{}}
	if n.kind != nodeObject {
		r.fail(n.pos, "a request is an object, not %s", n.kind)
	}
	r.members(n, "the request", map[string]func(*node){
		"caller":               func(v *node) { r.caller(v, &req.Caller) },
		"organization":         func(v *node) { req.Organization = r.organization(v) },
		"role_arn":             r.text(&req.RoleARN, "role_arn"),
		"actions":              func(v *node) { req.Actions = r.actions(v) },
		"context":              func(v *node) { r.context(v, req.Context) },
		"trust_policy":         func(v *node) { req.Trust = r.document(v) },
		"identity_policies":    func(v *node) { req.Identity = r.policies(v, "identity_policies") },
		"permissions_boundary": func(v *node) { req.Boundary = r.document(v) },
		"session_policy":       func(v *node) { req.Session = r.document(v) },
		"scps":                 func(v *node) { req.SCPs = r.levels(v, "scps") },
		"rcps":                 func(v *node) { req.RCPs = r.levels(v, "rcps") },
	})
	if req.Actions == nil {
		req.Actions = []string{ActionAssumeRole}
	}
	return req
}

func (r *requestReader) caller(n *node, c *Caller) {
	r.members(n, "caller", map[string]func(*node){
		"arn":           r.text(&c.ARN, "caller.arn"),
		"principal_arn": r.text(&c.PrincipalARN, "caller.principal_arn"),
		"unique_id":     r.text(&c.UniqueID, "caller.unique_id"),
	})
}

func (r *requestReader) organization(n *node) *Organization {
	o := &Organization{}
	r.members(n, "organization", map[string]func(*node){
		"id":                 r.text(&o.ID, "organization.id"),
		"management_account": r.text(&o.ManagementAccount, "organization.management_account"),
	})
	return o
}

func (r *requestReader) actions(n *node) []string {
	list := n.items
	if n.kind != nodeList {
		list = []node{*n}
	}
	out := make([]string, 0, len(list))
	for i := range list {
		var s string
		r.text(&s, "an action")(&list[i])
		out = append(out, s)
	}
	return out
}

func (r *requestReader) context(n *node, ctx Context) {
	if n.kind != nodeObject {
		r.fail(n.pos, "context must be an object, not %s", n.kind)
		return
	}
	seen := make(map[string]bool, len(n.members))
	for i := range n.members {
		m := &n.members[i]
		name := strings.ToLower(m.key)
		if seen[name] {
			r.fail(m.pos, "context has the key %q twice (names ignore case)", m.key)
		}
		seen[name] = true
		switch {
		case m.val.kind == nodeNull:
		case m.val.kind == nodeList:
			ctx[m.key] = Many(r.contextList(m)...)
		case m.val.scalar():
			ctx[m.key] = One(m.val.text)
		default:
			r.fail(m.val.pos, "the context key %q must hold a string, a number, a boolean or a list of those, not %s", m.key, m.val.kind)
		}
	}
}

func (r *requestReader) contextList(m *member) []string {
	out := make([]string, 0, len(m.val.items))
	for i := range m.val.items {
		v := &m.val.items[i]
		if !v.scalar() {
			r.fail(v.pos, "the context key %q has %s in its list", m.key, v.kind)
		}
		out = append(out, v.text)
	}
	return out
}

func (r *requestReader) levels(n *node, what string) []Level {
	if n.kind != nodeList {
		r.fail(n.pos, "%s must be a list, not %s", what, n.kind)
		return nil
	}
	out := make([]Level, len(n.items))
	for i := range n.items {
		r.members(&n.items[i], "an entry of "+what, map[string]func(*node){
			"level":    r.label(&out[i].Name, what+".level"),
			"policies": func(v *node) { out[i].Policies = r.policies(v, what+".policies") },
		})
	}
	return out
}

func (r *requestReader) policies(n *node, what string) []NamedPolicy {
	if n.kind != nodeList {
		r.fail(n.pos, "%s must be a list, not %s", what, n.kind)
		return nil
	}
	out := make([]NamedPolicy, len(n.items))
	for i := range n.items {
		r.members(&n.items[i], "an entry of "+what, map[string]func(*node){
			"name":   r.label(&out[i].Name, what+".name"),
			"policy": func(v *node) { out[i].Document = r.document(v) },
		})
		if out[i].Document == nil {
			r.fail(n.items[i].pos, "an entry of %s has no policy", what)
		}
	}
	return out
}

// document reads a policy where it stands. One of the wrong type becomes a document that the validator refuses, so that the
// answer is "invalid" and names it.
func (r *requestReader) document(n *node) *Document {
	switch n.kind {
	case nodeObject:
		return documentFrom(n, r.data, r.file)
	case nodeString:
		return embedded(n.text, r.file, n.pos)
	default:
		d := &Document{File: r.file, Pos: n.pos}
		d.problem(n.pos, -1, "Syntax errors in policy: a policy must be an object, not %s", n.kind)
		return d
	}
}

// embedded reads a policy out of a JSON string, as IAM's API gives it. Its places are relative to the string.
func embedded(text, file string, pos Pos) *Document {
	d, err := Parse([]byte(unescaped(text)), file)
	if err != nil {
		d = &Document{File: file, Pos: pos}
		d.problem(pos, -1, "Syntax errors in policy: %s", err.Error())
	}
	return d
}

// unescaped undoes the percent encoding in which IAM's API returns documents. A plus sign means itself there.
func unescaped(text string) string {
	if start := strings.TrimSpace(text); strings.HasPrefix(start, "%7B") || strings.HasPrefix(start, "%7b") {
		if plain, err := url.PathUnescape(start); err == nil {
			return plain
		}
	}
	return text
}
