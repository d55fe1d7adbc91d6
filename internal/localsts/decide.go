package localsts

import (
	"encoding/json"
	"path"
	"slices"
	"strings"
	"time"
)

// conditions are the condition keys of a request.
type conditions map[string][]string

func one(v string) []string       { return []string{v} }
func values(v ...string) []string { return v }

// request is one question: may the caller do the action to the role.
type request struct {
	caller    *caller // nil for a federated identity
	federated string  // ARN of the identity provider
	action    string
	roleARN   string
	account   *accountIndex // of the role; nil if unknown
	role      *Role         // nil if there is none
	ctx       conditions
}

// decision is the answer, with the trace that the client does not get.
type decision struct {
	allowed bool
	why     []string
}

// assumeContext is the context of the calls that assume a role.
func (s *Server) assumeContext(c *call, g *grant, mfa bool) conditions {
	ctx := conditions{"sts:RoleSessionName": one(g.sessionName), "aws:CurrentTime": one(c.now.UTC().Format(time.RFC3339))}
	if g.sourceIdentity != "" {
		ctx["sts:SourceIdentity"] = one(g.sourceIdentity)
	}
	for _, t := range g.tags {
		ctx["aws:RequestTag/"+t.Key] = one(t.Value)
		ctx["aws:TagKeys"] = append(ctx["aws:TagKeys"], t.Key)
	}
	who := c.caller
	if who == nil {
		return ctx
	}
	ctx["aws:PrincipalArn"], ctx["aws:PrincipalAccount"] = one(who.principalARN()), one(who.account.ID)
	ctx["aws:userid"] = one(who.userID())
	if mfa || who.session != nil {
		has := mfa || who.session.MFA
		ctx["aws:MultiFactorAuthPresent"] = one(map[bool]string{true: "true", false: "false"}[has])
	}
	return ctx
}

// decide answers by trust policy and identity policies.
func (s *Server) decide(q *request) decision {
	if q.role == nil {
		return decision{why: []string{"there is no such role"}}
	}
	trust := judge(q.role.Trust, q, true)
	if q.caller == nil {
		return decision{allowed: trust == allowedByName, why: []string{"the trust policy says " + trust.String()}}
	}
	identity := s.identity(q)
	d := decision{why: []string{"the trust policy says " + trust.String(), "the identity policies say " + identity.String()}}
	switch {
	case trust == denied || identity == denied || trust == silent:
	case trust == allowedByName && q.account == q.caller.account:
		d.allowed = true
	default:
		d.allowed = identity != silent
	}
	return d
}

func (s *Server) identity(q *request) effect {
	var docs []Document
	add := func(inline []InlinePolicy, attached []Attached) {
		for _, p := range inline {
			docs = append(docs, p.Document)
		}
		for _, at := range attached {
			docs = append(docs, q.caller.account.managed(at.ARN))
		}
	}
	if u := q.caller.user; u != nil {
		add(u.Inline, u.Attached)
		for _, name := range u.Groups {
			if g := q.caller.account.groups[strings.ToLower(name)]; g != nil {
				add(g.Inline, g.Attached)
			}
		}
	} else if r := q.caller.role; r != nil {
		add(r.Inline, r.Attached)
	}
	out := silent
	for _, d := range docs {
		out = max(out, judge(d, q, false))
	}
	return out
}

func (x *accountIndex) managed(arn string) Document {
	if p := x.policies[arn]; p != nil {
		for _, v := range p.Versions {
			if v.IsDefault {
				return v.Document
			}
		}
	}
	return ""
}

// effect is what a policy says, the stronger the greater.
type effect int

const (
	silent effect = iota
	allowedByAccount
	allowedByName
	denied
)

func (e effect) String() string {
	return [...]string{"nothing", "yes, to the account", "yes", "no"}[e]
}

type statement struct {
	Effect                string
	Principal             any
	Action, NotAction     any
	Resource, NotResource any
	Condition             map[string]map[string]any
	NotPrincipal          any
}

func judge(d Document, q *request, trust bool) effect {
	var doc struct{ Statement json.RawMessage }
	var list []statement
	if json.Unmarshal([]byte(d), &doc) != nil {
		return silent
	}
	if json.Unmarshal(doc.Statement, &list) != nil {
		list = make([]statement, 1)
		if json.Unmarshal(doc.Statement, &list[0]) != nil {
			return silent
		}
	}
	out := silent
	for _, st := range list {
		if e := st.judge(q, trust); e > out {
			out = e
		}
	}
	return out
}

func (st *statement) judge(q *request, trust bool) effect {
	if st.NotPrincipal != nil || !covers(st.Action, st.NotAction, strings.ToLower(q.action), strings.ToLower) {
		return silent
	}
	hit := allowedByName
	if trust {
		hit = principalMatch(st.Principal, q)
	} else if !covers(st.Resource, st.NotResource, q.roleARN, func(s string) string { return s }) {
		return silent
	}
	if hit == silent || !holds(st.Condition, q.ctx) {
		return silent
	}
	if st.Effect == "Deny" {
		return denied
	}
	if st.Effect != "Allow" {
		return silent
	}
	return hit
}

func covers(yes, no any, v string, fold func(string) string) bool {
	if no != nil {
		return !slices.ContainsFunc(texts(no), func(p string) bool { return wild(fold(p), v) })
	}
	return slices.ContainsFunc(texts(yes), func(p string) bool { return wild(fold(p), v) })
}

func principalMatch(p any, q *request) effect {
	m, ok := p.(map[string]any)
	if !ok {
		return silent
	}
	if q.caller == nil {
		if slices.Contains(texts(m["Federated"]), q.federated) {
			return allowedByName
		}
		return silent
	}
	best := silent
	for _, v := range texts(m["AWS"]) {
		switch v {
		case "*", q.caller.arn(), q.caller.principalARN(), q.caller.userID():
			return allowedByName
		case q.caller.account.ID, q.caller.account.iam("root"):
			best = allowedByAccount
		}
	}
	return best
}

func holds(c map[string]map[string]any, ctx conditions) bool {
	for op, keys := range c {
		for key, want := range keys {
			if !holdsOne(op, key, texts(want), ctx) {
				return false
			}
		}
	}
	return true
}

func holdsOne(op, key string, want []string, ctx conditions) bool {
	var have []string
	for k, v := range ctx {
		if strings.EqualFold(k, key) {
			have = v
		}
	}
	op, ifExists := strings.CutSuffix(op, "IfExists")
	if op == "Null" {
		return slices.Contains(want, map[bool]string{true: "true", false: "false"}[have == nil])
	}
	base, negated := strings.CutPrefix(op, "StringNot")
	if negated {
		base = "String" + base
	}
	if have == nil {
		return ifExists || negated
	}
	any := slices.ContainsFunc(have, func(h string) bool {
		return slices.ContainsFunc(want, func(w string) bool { return compare(base, w, h) })
	})
	return any != negated
}

func compare(op, want, have string) bool {
	switch op {
	case "StringEquals":
		return want == have
	case "StringEqualsIgnoreCase", "Bool":
		return strings.EqualFold(want, have)
	case "StringLike", "ArnLike", "ArnEquals":
		return wild(want, have)
	}
	return false
}

func wild(pattern, s string) bool {
	ok, err := path.Match(strings.ReplaceAll(pattern, "/", "\x00"), strings.ReplaceAll(s, "/", "\x00"))
	return ok && err == nil
}

func texts(v any) (out []string) {
	switch v := v.(type) {
	case string:
		return []string{v}
	case bool:
		return []string{map[bool]string{true: "true", false: "false"}[v]}
	case []any:
		for _, x := range v {
			out = append(out, texts(x)...)
		}
	}
	return out
}
