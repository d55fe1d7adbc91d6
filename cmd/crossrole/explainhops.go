package main

import (
	"strconv"
	"strings"

	"crossrole/internal/assume"
	"crossrole/internal/policy"
	"crossrole/internal/profile"
)

// hopReport is one call of a chain: who calls what, and what each side must say.
type hopReport struct {
	Hop      int        `json:"hop"` // from 1
	Caller   callerJSON `json:"caller"`
	Relation string     `json:"relation"` // same_account, cross_account or unknown
	Call     callJSON   `json:"call"`
	MustSay  []mustSay  `json:"must_say"`
	Result   *finding   `json:"result,omitempty"`
	Tried    *tried     `json:"tried,omitempty"`

	role    policy.ARN
	valid   bool // the role's ARN is one
	caller  policy.Caller
	mfa     bool
	context assume.Call // what is sent, with what the caller's session hands on
	actions []string
}

// callerJSON is who calls; what is not known is "".
type callerJSON struct {
	ARN          string `json:"arn"`
	PrincipalARN string `json:"principal_arn"`
	Account      string `json:"account"`
	What         string `json:"what"`
}

// mustSay is the document that one side needs.
type mustSay struct {
	Side     policy.Side      `json:"side"`
	Account  string           `json:"account"`
	AttachTo string           `json:"attach_to"`
	Enough   bool             `json:"enough"` // the other side then needs nothing
	Document *policy.Document `json:"document,omitempty"`
	Note     string           `json:"note,omitempty"`
}

// The relations of a caller and a role.
const (
	sameAccount  = "same_account"
	crossAccount = "cross_account"
	unknownSides = "unknown"
)

// report describes every call of the plan.
func (f *explainFlags) report(a *app, e *explained) chainReport {
	r := chainReport{
		Version: 1, Profile: e.chain.Name, Source: sourceJSON{string(e.chain.Source.Kind), e.chain.Source.Profile},
		Hops: []hopReport{}, Problems: append([]problem{}, e.problems...), Warnings: []string{},
	}
	who, caller := f.sourceCaller(a, e)
	if x := e.plan.Exchange; x != nil {
		who, caller = callerJSON{What: sourceWhat(e.chain.Source)}, policy.Caller{}
		h := newHop(1, *x, who, caller)
		h.Call = newCallJSON(policy.ActionAssumeRoleWithWebIdentity, *x)
		h.actions[0] = policy.ActionAssumeRoleWithWebIdentity
		h.MustSay = []mustSay{{Side: policy.SideTrust, Account: x.Role.Account, AttachTo: x.Role.String(), Enough: true, Note: federatedNote}}
		r.Hops = append(r.Hops, h)
		who, caller = roleCaller(*x)
	}
	inherited := ""
	for i, c := range e.plan.Calls {
		h := newHop(len(r.Hops)+1, c, who, caller)
		if m := e.plan.MFASession; m != nil && i == 0 {
			h.Call.MFASerial = m.Serial
		}
		h.mfa = h.Call.MFASerial != "" || i == 0 && f.mfa
		h.inherit(inherited)
		h.raw(e.chain, i)
		h.sides()
		r.Hops = append(r.Hops, h)
		if inherited == "" {
			inherited = c.SourceIdentity
		}
		who, caller = roleCaller(c)
	}
	if e.broken {
		r.Decision = policy.DecisionInvalid
	}
	return r
}

const federatedNote = "let the identity provider in: Principal Federated with its ARN, Action sts:AssumeRoleWithWebIdentity, " +
	"and conditions on the token's aud and sub so that only your own jobs or users match. No identity policy is asked."

func newHop(n int, c assume.Call, who callerJSON, caller policy.Caller) hopReport {
	role, ok := policy.ParseRoleARN(c.Role.String())
	h := hopReport{
		Hop: n, Caller: who, Call: newCallJSON(policy.ActionAssumeRole, c), MustSay: []mustSay{},
		role: role, valid: ok, caller: caller, context: c, actions: actionsOf(c),
	}
	switch {
	case who.Account == "" || !ok:
		h.Relation = unknownSides
	case who.Account == role.Account:
		h.Relation = sameAccount
	default:
		h.Relation = crossAccount
	}
	return h
}

// inherit adds the source identity that an earlier hop has set: it needs its permission again at every hop.
func (h *hopReport) inherit(identity string) {
	if identity != "" && h.context.SourceIdentity == "" {
		h.context.SourceIdentity = identity
		h.actions = actionsOf(h.context)
	}
}

// raw shows a role_arn that is none as it was written.
func (h *hopReport) raw(chain profile.Chain, i int) {
	if h.Call.RoleARN != placeholderRole {
		return
	}
	h.valid, h.Relation = false, unknownSides
	if i < len(chain.Hops) {
		h.Call.RoleARN = chain.Hops[i].RoleARN.Text
	}
}

// roleCaller is the session that a call gives, as the caller of the next hop.
func roleCaller(c assume.Call) (callerJSON, policy.Caller) {
	role := c.Role.String()
	if role == placeholderRole {
		return callerJSON{What: "the session of the hop before"}, policy.Caller{}
	}
	session := "arn:" + c.Role.Partition + ":sts::" + c.Role.Account + ":assumed-role/" + c.Role.Name + "/" + c.SessionName
	return callerJSON{ARN: session, PrincipalARN: role, Account: c.Role.Account, What: "the session of the hop before"},
		policy.Caller{ARN: session, PrincipalARN: role}
}

// sourceCaller says as much as the files tell about who makes the first call.
func (f *explainFlags) sourceCaller(a *app, e *explained) (callerJSON, policy.Caller) {
	who := callerJSON{What: sourceWhat(e.chain.Source)}
	if f.caller != "" {
		who.setARN(f.caller, f.principalARN)
		return who, policy.Caller{ARN: f.caller, PrincipalARN: f.principalARN, UniqueID: f.uniqueID}
	}
	who.Account = e.sourceAccount(a)
	return who, policy.Caller{}
}

func (c *callerJSON) setARN(arn, principal string) {
	c.ARN, c.PrincipalARN = arn, principal
	if principal == "" && !isSession(arn) {
		c.PrincipalARN = arn
	}
	c.Account = accountOfARN(arn)
}

func isSession(arn string) bool {
	a, ok := policy.ParseARN(arn)
	return ok && a.Service == "sts" && strings.HasPrefix(a.Resource, "assumed-role/")
}

// sourceAccount finds the account of a chain's source in what its owner wrote: the files don't say it of keys.
func (e *explained) sourceAccount(a *app) string {
	src := e.chain.Source
	candidates := []string{src.Properties["sso_account_id"].Text, src.Properties["aws_account_id"].Text}
	if src.Kind == profile.SourceEnvironment {
		candidates = append(candidates, a.getenv("AWS_ACCOUNT_ID"))
	}
	if len(e.chain.Hops) > 0 {
		// A device's ARN is in its user's account.
		device, _ := policy.ParseARN(e.chain.Hops[0].MFASerial.Text)
		candidates = append(candidates, device.Account)
	}
	for _, id := range candidates {
		if policy.IsAccountID(id) {
			return id
		}
	}
	return ""
}

// sourceWhat describes a chain's source in words.
func sourceWhat(s profile.Source) string {
	in := " of profile " + strconv.Quote(s.Profile)
	switch s.Kind {
	case profile.SourceStatic:
		return "whoever owns the access key " + clean(s.Properties["aws_access_key_id"].Text) + in
	case profile.SourceEnvironment:
		return "whoever owns the access key in the environment"
	case profile.SourceEC2:
		return "the role of this EC2 instance"
	case profile.SourceContainer:
		return "the role of this container"
	case profile.SourceProcess:
		return "whoever the credential_process" + in + " gives"
	case profile.SourceSSO:
		return "the permission set " + strconv.Quote(s.Properties["sso_role_name"].Text) + " of IAM Identity Center" + in
	case profile.SourceLogin:
		return "whoever is logged in by `aws login`" + in
	case profile.SourceWebIdentity:
		return "the holder of a web identity token" + in
	case profile.SourceGitHub:
		return "this GitHub job, by its OIDC token"
	default:
		return "nobody: the chain has no source"
	}
}

// sides writes down what each side must say about this call.
func (h *hopReport) sides() {
	if !h.valid {
		return
	}
	role := h.Call.RoleARN
	names := h.caller.PrincipalARN != "" || h.caller.ARN != "" && !isSession(h.caller.ARN)
	trust := mustSay{Side: policy.SideTrust, Account: h.role.Account, AttachTo: role, Enough: names && h.Relation == sameAccount}
	principal := h.trustedPrincipal()
	if principal == "" {
		trust.Note = "let the caller in: Principal AWS with the caller's ARN. The files don't say who that is; give --caller ARN, or --live asks AWS"
	} else if doc, err := policy.TrustPolicy(h.trustSpec(principal)); err != nil {
		trust.Note = err.Error()
	} else {
		trust.Document = doc
	}
	h.MustSay = append(h.MustSay, trust)
	if trust.Enough {
		return
	}
	identity := mustSay{Side: policy.SideIdentity, Account: h.Caller.Account, AttachTo: h.Caller.PrincipalARN}
	if h.Relation == unknownSides {
		identity.Note = "needed unless the caller is in account " + h.role.Account + " and the trust policy names it"
	}
	doc, err := policy.PermissionPolicy(policy.PermissionSpec{
		RoleARNs: []string{role}, SessionTags: len(h.context.Tags) > 0, SourceIdentity: h.context.SourceIdentity != "",
	})
	if err != nil {
		identity.Note = err.Error()
	} else {
		identity.Document = doc
	}
	h.MustSay = append(h.MustSay, identity)
}

// trustedPrincipal is what the trust policy names: the caller as narrowly as it is known, or its account.
func (h *hopReport) trustedPrincipal() string {
	switch {
	case h.caller.PrincipalARN != "":
		return h.caller.PrincipalARN
	case h.caller.ARN != "":
		return h.caller.ARN
	default:
		return h.Caller.Account
	}
}

// trustSpec asks for what this call sends, and no more.
func (h *hopReport) trustSpec(principal string) policy.TrustSpec {
	s := policy.TrustSpec{Callers: []string{principal}, ExternalID: h.context.ExternalID, RequireMFA: h.mfa, SourceIdentity: h.context.SourceIdentity}
	for _, t := range h.context.Tags {
		s.SessionTags = append(s.SessionTags, t.Key)
	}
	return s
}
