package policy

import "strings"

// ActionRequest asks whether a caller may do any action on any resource; see [EvaluateAction].
type ActionRequest struct {
	Caller          Caller
	Organization    *Organization
	Action          string // such as s3:GetObject
	Resource        string // an ARN, or "*" (also "") for actions without a resource
	ResourceAccount string // when the ARN does not tell; the caller's by default
	Context         Context
	Identity        []NamedPolicy
	Boundary        *Document
	Session         *Document
	SCPs            []Level
	RCPs            []Level
	ResourcePolicy  *Document // of the resource, when it has one
}

// EvaluateAction decides any action by the caller's identity policies, permissions boundary, session policy and SCPs and, if
// there is one, the resource's policy. Within an account the identity policies or the resource's policy must allow; across
// accounts both. The account root user needs no identity policy. It names no fixes. Trust policies are for [Evaluate].
func EvaluateAction(req *ActionRequest) *Result {
	e, err := newActionEvaluator(req)
	if err != nil {
		return InvalidResult(err)
	}
	if e.refuseDocuments(); len(e.res.Reasons) > 0 {
		e.res.Decision = DecisionInvalid
		return e.res
	}
	e.action(req.Action)
	e.conclude()
	return e.res
}

func newActionEvaluator(req *ActionRequest) (*evaluator, error) {
	w, err := readCaller(req.Caller)
	if err != nil {
		return nil, err
	}
	if !IsAction(req.Action) {
		return nil, invalid("action", "%q is not SERVICE:ACTION", req.Action)
	}
	e := &evaluator{who: w, ctx: newLookup(req.Context), resource: req.Resource, org: req.Organization, res: newResult()}
	if e.resource == "" {
		e.resource = "*"
	}
	if e.account, err = resourceAccount(req, &w); err != nil {
		return nil, err
	}
	e.gate = &policyRef{side: SideResource, name: "resource policy", doc: req.ResourcePolicy}
	e.callerSide(req.Identity, req.Boundary, req.Session, req.SCPs)
	e.rcps, _ = levelRefs(SideRCP, req.RCPs)
	if w.kind == callerRoot {
		e.asRoot()
	}
	return e, nil
}

// asRoot gives the root user what it has: everything, with neither boundary nor session policy.
func (e *evaluator) asRoot() {
	all := &Document{Version: Version2012, Statements: []Statement{{Effect: Allow, Action: texts("*"), Resource: texts("*"), hasEffect: true}}}
	e.identity = []policyRef{{side: SideIdentity, name: "root user", doc: all}}
	e.boundary, e.session = nil, nil
}

func resourceAccount(req *ActionRequest, w *who) (string, error) {
	if req.Resource == "" || req.Resource == "*" {
		return w.account, nil
	}
	a, ok := ParseARN(req.Resource)
	switch {
	case !ok:
		return "", invalid("resource", "%q is not an ARN", req.Resource)
	case a.Account != "" && a.Account != "aws":
		return a.Account, nil
	case req.ResourceAccount != "":
		return req.ResourceAccount, nil
	}
	return w.account, nil
}

// IsAction tells whether s is an action's full name: SERVICE:ACTION, without wildcards.
func IsAction(s string) bool {
	service, name, ok := strings.Cut(s, ":")
	return ok && service != "" && name != "" && strings.Trim(service, alphanumeric+"-") == "" && strings.Trim(name, alphanumeric) == ""
}

// texts builds an element of plain values.
func texts(list ...string) *Values {
	v := &Values{}
	for _, s := range list {
		v.List = append(v.List, Value{Text: s})
	}
	return v
}

// joinAction combines the sides of an action that no trust policy is about.
func (e *evaluator) joinAction(action string, gate, identity, boundary, session *outcome) {
	same := e.who.account == e.account
	if !e.who.iam() {
		e.require(SideResource, action, gate, true)
		return
	}
	m := noMatch
	if gate.allow != nil {
		m = gate.allow.match
	}
	direct := same && m > byAccount && identity.allow == nil
	e.require(SideResource, action, gate, !same)
	e.require(SideIdentity, action, identity, !direct)
	n := e.needs(m)
	wide := identity.allow != nil && m <= byAccount
	e.limit(SideBoundary, action, e.boundary, boundary, wide || n.boundary, m)
	e.limit(SideSession, action, e.session, session, wide || n.session, m)
}
