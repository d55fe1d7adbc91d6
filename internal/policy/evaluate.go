package policy

import (
	"fmt"
	"strings"
)

// evaluator decides one request; it is used once.
type evaluator struct {
	who      who
	ctx      lookup
	resource string
	account  string // of the resource
	trust    bool   // the resource is a role and its policy a trust policy

	org       *Organization
	gate      *policyRef // trust or resource policy
	identity  []policyRef
	boundary  *policyRef
	session   *policyRef
	scps      [][]policyRef
	scpLevels []string
	rcps      [][]policyRef

	res   *Result
	lacks []lack
}

// lack is one side where nothing allows an action.
type lack struct {
	side   Side
	level  int // for SCPs
	action string
}

// Evaluate decides a request: it validates every document, evaluates every action over trust policy, identity policies,
// permissions boundary, session policy, SCPs and RCPs, and adds near misses and the smallest documents that would make an
// implicit deny pass. It never fails: what can't be evaluated is [DecisionInvalid].
func Evaluate(req *Request) *Result {
	e, res := decide(req)
	if e != nil && res.Decision == DecisionDeny {
		e.hints()
		if !res.Explicit {
			res.Missing = fixes(req, e)
		}
	}
	return res
}

// Decide is [Evaluate] without near misses and fixes: the decision, reasons, warnings and trace.
func Decide(req *Request) *Result {
	_, res := decide(req)
	return res
}

func decide(req *Request) (*evaluator, *Result) {
	e, err := newEvaluator(req)
	if err != nil {
		return nil, InvalidResult(err)
	}
	if e.refuseDocuments(); len(e.res.Reasons) > 0 {
		e.res.Decision = DecisionInvalid
		return nil, e.res
	}
	e.requestRules(req)
	for _, action := range uniqueActions(req.Actions) {
		e.action(action)
	}
	e.conclude()
	return e, e.res
}

// newEvaluator checks what the request names: the caller, the role and the actions.
func newEvaluator(req *Request) (*evaluator, error) {
	w, err := readCaller(callerOf(req))
	if err != nil {
		return nil, err
	}
	role, ok := ParseRoleARN(req.RoleARN)
	if !ok {
		return nil, invalid("role_arn", "%q is not the ARN of a role (arn:aws:iam::ACCOUNT:role/NAME)", req.RoleARN)
	}
	if len(req.Actions) == 0 {
		return nil, invalid("actions", "no action is asked for")
	}
	for _, a := range req.Actions {
		if canonicalAction(a) == "" {
			return nil, invalid("actions", "%q is none of %s", a, strings.Join(RoleActions(), ", "))
		}
	}
	e := &evaluator{
		who: w, ctx: newLookup(req.Context), resource: req.RoleARN, account: role.Account, trust: true,
		org: req.Organization, res: newResult(),
	}
	e.gate = &policyRef{side: SideTrust, name: "trust policy", doc: req.Trust}
	e.callerSide(req.Identity, req.Boundary, req.Session, req.SCPs)
	e.rcps, _ = levelRefs(SideRCP, req.RCPs)
	return e, nil
}

// callerOf is the request's caller; a web identity or SAML request that names none has its provider in the context.
func callerOf(req *Request) Caller {
	c := req.Caller
	if v, ok := req.Context.Get("aws:FederatedProvider"); ok && c.ARN == "" && len(v.Values) == 1 {
		c.ARN = v.Values[0]
	}
	return c
}

func (e *evaluator) callerSide(identity []NamedPolicy, boundary, session *Document, scps []Level) {
	for i, p := range identity {
		e.identity = append(e.identity, policyRef{side: SideIdentity, name: nameOr(p.Name, "identity policy", i), doc: p.Document})
	}
	if boundary != nil {
		e.boundary = &policyRef{side: SideBoundary, name: "permissions boundary", doc: boundary}
	}
	if session != nil {
		e.session = &policyRef{side: SideSession, name: "session policy", doc: session}
	}
	e.scps, e.scpLevels = levelRefs(SideSCP, scps)
}

func levelRefs(side Side, levels []Level) (refs [][]policyRef, names []string) {
	for i, l := range levels {
		name := nameOr(l.Name, "level", i)
		var list []policyRef
		for j, p := range l.Policies {
			list = append(list, policyRef{side: side, level: name, name: nameOr(p.Name, "policy", j), doc: p.Document})
		}
		refs, names = append(refs, list), append(names, name)
	}
	return refs, names
}

func nameOr(name, kind string, index int) string {
	if name != "" {
		return name
	}
	return fmt.Sprintf("%s %d", kind, index+1)
}

// canonicalAction gives a role action its usual spelling, or "" when it is none.
func canonicalAction(a string) string {
	for _, known := range RoleActions() {
		if strings.EqualFold(a, known) {
			return known
		}
	}
	return ""
}

func uniqueActions(list []string) []string {
	var out []string
	seen := map[string]bool{}
	for _, a := range list {
		if a = canonicalAction(a); !seen[a] {
			seen[a] = true
			out = append(out, a)
		}
	}
	return out
}

// refuseDocuments puts what AWS would refuse in any document into the reasons, and the validator's warnings beside them.
func (e *evaluator) refuseDocuments() {
	kind := Trust
	if !e.trust {
		kind = Resource
	}
	e.refuse(kind, e.gate)
	for i := range e.identity {
		e.refuse(Identity, &e.identity[i])
	}
	e.refuse(Boundary, e.boundary)
	e.refuse(Session, e.session)
	for _, level := range e.scps {
		for i := range level {
			e.refuse(SCP, &level[i])
		}
	}
	for _, level := range e.rcps {
		for i := range level {
			e.refuse(RCP, &level[i])
		}
	}
}

func (e *evaluator) refuse(kind Kind, ref *policyRef) {
	if ref == nil || ref.doc == nil {
		return
	}
	for _, f := range ref.doc.Validate(kind) {
		if f.Severity == SeverityWarning {
			e.res.warn(fmt.Sprintf("%s: %s", Printable(ref.label()), f.Message))
			continue
		}
		reason := Reason{Side: ref.side, Policy: ref.label(), Effect: EffectNone, Why: f.Code + ": " + f.Message, File: f.File, Pos: f.Pos}
		if f.Statement >= 0 {
			reason.Statement = fmt.Sprintf("#%d", f.Statement+1)
		}
		e.res.Reasons = append(e.res.Reasons, reason)
	}
}

// action decides one action; every side is scanned, so that the trace is whole.
func (e *evaluator) action(action string) {
	var gate, identity, boundary, session outcome
	e.rcpLevels(action)
	e.scpLevelsAllow(action)
	e.scan(e.gate, action, &gate)
	if e.who.iam() {
		for i := range e.identity {
			e.scan(&e.identity[i], action, &identity)
		}
		if e.boundary != nil {
			e.scan(e.boundary, action, &boundary)
		}
		if e.session != nil {
			e.scan(e.session, action, &session)
		}
	}
	for _, o := range []*outcome{&gate, &identity, &boundary, &session} {
		e.denies(o, action)
	}
	e.join(action, &gate, &identity, &boundary, &session)
}

// join combines the trust policy with the caller's side by the table of same and cross account.
// Source: the IAM user guide, "Policy evaluation logic", and observations of the live service.
func (e *evaluator) join(action string, gate, identity, boundary, session *outcome) {
	if !e.trust {
		e.joinAction(action, gate, identity, boundary, session)
		return
	}
	m := e.assumedMatch(gate)
	need := e.needs(m)
	e.require(SideTrust, action, gate, true)
	if !e.who.iam() {
		return
	}
	e.require(SideIdentity, action, identity, need.identity)
	if gate.allow == nil {
		m = noMatch // nothing to warn about
	}
	e.limit(SideBoundary, action, e.boundary, boundary, need.boundary, m)
	e.limit(SideSession, action, e.session, session, need.session, m)
}

type needs struct{ same, identity, boundary, session bool }

// assumedMatch is the form by which the gate lets the caller in; when it does not, the form that naming the caller would have.
func (e *evaluator) assumedMatch(gate *outcome) match {
	switch {
	case gate.allow != nil:
		return gate.allow.match
	case e.who.kind == callerUser:
		return byUser
	case e.who.kind == callerSession:
		return byRole
	}
	return bySession
}

func (e *evaluator) needs(m match) needs {
	n := needs{same: e.who.account == e.account}
	n.identity = !n.same || m == byAccount || m == noMatch
	n.boundary = n.identity || m == byRole
	n.session = n.boundary || m == byUser
	return n
}

// require notes a side's Allow as a reason, or that the side lacks one.
func (e *evaluator) require(side Side, action string, o *outcome, needed bool) {
	if o.allow != nil {
		e.allowed(o.allow, action)
		return
	}
	if needed {
		e.lack(side, -1, action, "")
	}
}

// limit is require for what can only narrow: it exists or it does not matter.
func (e *evaluator) limit(side Side, action string, ref *policyRef, o *outcome, needed bool, m match) {
	switch {
	case ref == nil:
	case o.allow != nil:
		e.allowed(o.allow, action)
	case needed:
		e.lack(side, -1, action, "")
	case m == byUser || m == byAnyone:
		e.res.warn(fmt.Sprintf("the %s does not allow %s, but does not limit what the %s grants because %s (AWS's documentation is not consistent about this)",
			ref.name, action, e.gate.name, m))
	}
}

func (e *evaluator) allowed(h *hit, action string) {
	why := "allows " + action
	if h.match != noMatch {
		why += ": " + h.match.String()
	}
	e.reason(h, Allow, why)
}

func (e *evaluator) denies(o *outcome, action string) {
	for i := range o.deny {
		e.res.Explicit = true
		e.reason(&o.deny[i], Deny, "explicitly denies "+action)
	}
}

func (e *evaluator) reason(h *hit, effect, why string) {
	r := Reason{Side: h.ref.side, Policy: h.ref.label(), Statement: h.st.Name(), Effect: effect, Why: why, File: h.ref.doc.File, Pos: h.st.Pos}
	e.res.Reasons = append(e.res.Reasons, r)
}

// lack notes that a side has no statement that allows; why is only given where it is not the usual sentence.
func (e *evaluator) lack(side Side, level int, action, why string) {
	e.lacks = append(e.lacks, lack{side, level, action})
	r := Reason{Side: side, Effect: EffectNone, Why: why}
	if r.Why == "" {
		r.Why = fmt.Sprintf("%s allows %s on %s for %s", sideNothing(side), action, e.resource, e.who.describe())
	}
	if level >= 0 {
		r.Policy = e.scpLevels[level]
	}
	e.res.Reasons = append(e.res.Reasons, r)
}

func sideNothing(side Side) string {
	return map[Side]string{
		SideTrust: "no statement of the trust policy", SideIdentity: "no identity policy", SideBoundary: "the permissions boundary nowhere",
		SideSession: "the session policy nowhere", SideSCP: "no SCP of this level", SideResource: "no statement of the resource's policy",
	}[side]
}

// scpLevelsAllow asks each level of the caller's organization. SCPs don't bind the management account, service-linked roles
// or services.
func (e *evaluator) scpLevelsAllow(action string) {
	if !e.who.iam() || e.who.linked || e.managed(e.who.account) {
		return
	}
	for i, level := range e.scps {
		var o outcome
		for j := range level {
			e.scan(&level[j], action, &o)
		}
		e.denies(&o, action)
		if o.allow == nil {
			e.lack(SideSCP, i, action, "")
		}
	}
}

// rcpLevels looks for Deny statements only: RCPFullAWSAccess is attached everywhere and can't be detached, and customers'
// RCPs can only deny. RCPs don't bind the management account's resources or service-linked roles.
func (e *evaluator) rcpLevels(action string) {
	if e.managed(e.account) || e.who.linked || strings.Contains(e.resource, ":role/aws-service-role/") {
		return
	}
	for _, level := range e.rcps {
		var o outcome
		for j := range level {
			e.scan(&level[j], action, &o)
		}
		e.denies(&o, action)
	}
}

func (e *evaluator) managed(account string) bool {
	return e.org != nil && account != "" && e.org.ManagementAccount == account
}

// conclude orders the reasons: what denied first; an allowed request keeps only what allowed it.
func (e *evaluator) conclude() {
	switch {
	case e.res.Explicit:
		e.keep(Deny)
	case len(e.lacks) > 0:
		e.keep(EffectNone)
	default:
		e.res.Decision = DecisionAllow
	}
}

func (e *evaluator) keep(effect string) {
	kept := []Reason{}
	for _, r := range e.res.Reasons {
		if r.Effect == effect {
			kept = append(kept, r)
		}
	}
	e.res.Reasons = kept
}
