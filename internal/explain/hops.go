package explain

import (
	"strconv"
	"strings"

	"crossrole/internal/assume"
	"crossrole/internal/output/plantext"
	"crossrole/internal/policy"
	"crossrole/internal/profile"
	"crossrole/internal/word"
)

// Hop is one call of a chain: who calls what, and what each side must say.
type Hop struct {
	Hop      int           `json:"hop"` // from 1
	Caller   Caller        `json:"caller"`
	Relation string        `json:"relation"` // same_account, cross_account or unknown
	Call     plantext.Call `json:"call"`
	MustSay  []MustSay     `json:"must_say"`
	Result   *Finding      `json:"result,omitempty"`
	Tried    *Tried        `json:"tried,omitempty"`

	role    policy.ARN
	valid   bool // the role's ARN is one
	caller  policy.Caller
	mfa     bool
	context assume.Call // what is sent, with what the caller's session hands on
	actions []string
}

// Caller is who calls; what is not known is "".
type Caller struct {
	ARN          string `json:"arn"`
	PrincipalARN string `json:"principal_arn"`
	Account      string `json:"account"`
	What         string `json:"what"`
}

// MustSay is the document that one side needs.
type MustSay struct {
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
func (e *Chain) report(k *Known) *Report {
	r := &Report{
		Version: 1, Profile: e.chain.Name, Source: plantext.NewSource(e.chain.Source),
		Hops: []Hop{}, Problems: append([]Problem{}, e.problems...), Warnings: []string{},
	}
	who, caller := e.sourceCaller(k)
	if x := e.plan.Exchange; x != nil {
		who, caller = Caller{What: sourceWhat(e.chain.Source)}, policy.Caller{}
		h := newHop(1, *x, who, caller)
		h.Call = plantext.NewCall(policy.ActionAssumeRoleWithWebIdentity, *x)
		h.actions[0] = policy.ActionAssumeRoleWithWebIdentity
		h.MustSay = []MustSay{{Side: policy.SideTrust, Account: x.Role.Account, AttachTo: x.Role.String(), Enough: true, Note: federatedNote}}
		r.Hops = append(r.Hops, h)
		who, caller = roleCaller(*x)
	}
	inherited := ""
	for i, c := range e.plan.Calls {
		h := newHop(len(r.Hops)+1, c, who, caller)
		if m := e.plan.MFASession; m != nil && i == 0 {
			h.Call.MFASerial = m.Serial
		}
		h.mfa = h.Call.MFASerial != "" || i == 0 && k.MFA
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

func newHop(n int, c assume.Call, who Caller, caller policy.Caller) Hop {
	role, ok := policy.ParseRoleARN(c.Role.String())
	h := Hop{
		Hop: n, Caller: who, Call: plantext.NewCall(policy.ActionAssumeRole, c), MustSay: []MustSay{},
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
func (h *Hop) inherit(identity string) {
	if identity != "" && h.context.SourceIdentity == "" {
		h.context.SourceIdentity = identity
		h.actions = actionsOf(h.context)
	}
}

// raw shows a role_arn that is none as it was written.
func (h *Hop) raw(chain profile.Chain, i int) {
	if h.Call.RoleARN != placeholderRole {
		return
	}
	h.valid, h.Relation = false, unknownSides
	if i < len(chain.Hops) {
		h.Call.RoleARN = chain.Hops[i].RoleARN.Text
	}
}

// roleCaller is the session that a call gives, as the caller of the next hop.
func roleCaller(c assume.Call) (Caller, policy.Caller) {
	role := c.Role.String()
	if role == placeholderRole {
		return Caller{What: "the session of the hop before"}, policy.Caller{}
	}
	session := "arn:" + c.Role.Partition + ":sts::" + c.Role.Account + ":assumed-role/" + c.Role.Name + "/" + c.SessionName
	return Caller{ARN: session, PrincipalARN: role, Account: c.Role.Account, What: "the session of the hop before"},
		policy.Caller{ARN: session, PrincipalARN: role}
}

// sourceCaller says as much as is known of who makes the first call.
func (e *Chain) sourceCaller(k *Known) (Caller, policy.Caller) {
	who := Caller{What: sourceWhat(e.chain.Source)}
	caller := k.Caller
	if k.Live != nil {
		caller = policy.Caller{ARN: k.Live.Caller.ARN, UniqueID: k.Live.Caller.UserID}
	}
	if caller.ARN != "" {
		who.setARN(caller.ARN, caller.PrincipalARN)
		return who, caller
	}
	who.Account = e.sourceAccount(k)
	return who, policy.Caller{}
}

func (c *Caller) setARN(arn, principal string) {
	c.ARN, c.PrincipalARN = arn, principal
	if principal == "" && !isSession(arn) {
		c.PrincipalARN = arn
	}
	c.Account = accountOf(arn)
}

func isSession(arn string) bool {
	a, ok := policy.ParseARN(arn)
	return ok && a.Service == "sts" && strings.HasPrefix(a.Resource, "assumed-role/")
}

// sourceAccount finds the account of a chain's source in what its owner wrote: the files don't say it of keys.
func (e *Chain) sourceAccount(k *Known) string {
	src := e.chain.Source
	candidates := []string{src.Properties["sso_account_id"].Text, src.Properties["aws_account_id"].Text}
	if src.Kind == profile.SourceEnvironment {
		candidates = append(candidates, k.EnvironmentAccount)
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
		return "whoever owns the access key " + word.Clean(s.Properties["aws_access_key_id"].Text) + in
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
func (h *Hop) sides() {
	if !h.valid {
		return
	}
	role := h.Call.RoleARN
	names := h.caller.PrincipalARN != "" || h.caller.ARN != "" && !isSession(h.caller.ARN)
	trust := MustSay{Side: policy.SideTrust, Account: h.role.Account, AttachTo: role, Enough: names && h.Relation == sameAccount}
	if spec := h.trustSpec(); len(spec.Callers) == 0 {
		trust.Note = "let the caller in: Principal AWS with the caller's ARN. The files don't say who that is; give --caller ARN, or --live asks AWS"
	} else if doc, err := policy.TrustPolicy(spec); err != nil {
		trust.Note = err.Error()
	} else {
		trust.Document = doc
	}
	h.MustSay = append(h.MustSay, trust)
	if trust.Enough {
		return
	}
	identity := MustSay{Side: policy.SideIdentity, Account: h.Caller.Account, AttachTo: h.Caller.PrincipalARN}
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
func (h *Hop) trustedPrincipal() string {
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
func (h *Hop) trustSpec() policy.TrustSpec {
	s := policy.TrustSpec{ExternalID: h.context.ExternalID, RequireMFA: h.mfa, SourceIdentity: h.context.SourceIdentity}
	if principal := h.trustedPrincipal(); principal != "" {
		s.Callers = []string{principal}
	}
	for _, t := range h.context.Tags {
		s.SessionTags = append(s.SessionTags, t.Key)
	}
	return s
}
