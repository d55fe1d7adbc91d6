package policy

import "fmt"

// pairDoes evaluates a generated pair of documents: each caller named must be let in with what the specification asks for,
// and neither a stranger nor a request without the external ID, MFA or organization. permission may be nil when callers
// need none (same account, named). The error says which expectation failed.
func pairDoes(spec TrustSpec, trust, permission *Document, roleARN string) error {
	for _, caller := range spec.Callers {
		req := spec.request(caller, trust, permission, roleARN)
		if res := Decide(req); res.Decision != DecisionAllow {
			return pairError(caller, roleARN, res)
		}
		if err := spec.checkConditions(req); err != nil {
			return err
		}
	}
	stranger := spec.request(spec.strangeAccount(), trust, permission, roleARN)
	if Decide(stranger).Decision != DecisionDeny {
		return invalid("trust policy", "it lets in %s, who was not named", stranger.Caller.ARN)
	}
	return nil
}

func pairError(caller, role string, res *Result) error {
	why := "no reason"
	if len(res.Reasons) > 0 {
		why = res.Reasons[0].Why
	}
	return invalid("policies", "%s can't assume %s: %s", caller, role, why)
}

// checkConditions takes one of the conditions' keys out of a request at a time.
func (s *TrustSpec) checkConditions(req *Request) error {
	for _, c := range s.conditions() {
		without := *req
		without.Context = req.Context.Clone()
		delete(without.Context, c.Key)
		if Decide(&without).Decision != DecisionDeny {
			return invalid("trust policy", "it lets %s in without %s", req.Caller.ARN, c.Key)
		}
	}
	return nil
}

// request is the call that a caller of the specification would make.
func (s *TrustSpec) request(caller string, trust, permission *Document, roleARN string) *Request {
	req := &Request{Caller: exampleCaller(caller, roleARN), RoleARN: roleARN, Actions: []string{ActionAssumeRole}, Trust: trust, Context: Context{}}
	if permission != nil {
		req.Identity = []NamedPolicy{{PermissionPolicyName(roleARN), permission}}
	}
	for _, c := range s.conditions() {
		req.Context[c.Key] = One(c.Values[0].Text)
	}
	if s.SessionTags != nil {
		req.Actions = append(req.Actions, ActionTagSession)
		req.Context["aws:TagKeys"] = Many(append([]string{}, s.SessionTags...)...)
	}
	if s.SourceIdentity != "" {
		req.Actions = append(req.Actions, ActionSetSourceIdentity)
		req.Context["sts:SourceIdentity"] = One(s.SourceIdentity)
	}
	return req
}

// exampleCaller makes a caller of what a trust policy may name: for an account a user of it, for a role a session.
func exampleCaller(named, roleARN string) Caller {
	if role, _ := ParseARN(roleARN); IsAccountID(named) {
		return Caller{ARN: ARN{role.Partition, "iam", "", named, "user/example"}.String()}
	}
	a, ok := ParseARN(named)
	if ok && a.Resource == "root" {
		a.Resource = "user/example"
		return Caller{ARN: a.String()}
	}
	if _, isRole := ParseRoleARN(named); isRole {
		session := ARN{a.Partition, "sts", "", a.Account, "assumed-role/" + lastSegment(a.Resource) + "/example"}
		return Caller{ARN: session.String(), PrincipalARN: named}
	}
	return Caller{ARN: named}
}

// strangeAccount is an account number that no caller has.
func (s *TrustSpec) strangeAccount() string {
	used := map[string]bool{}
	for _, c := range s.Callers {
		a, _ := ParseARN(c)
		used[c], used[a.Account] = true, true
	}
	for i := int64(123123123123); ; i++ {
		if account := fmt.Sprintf("%012d", i); !used[account] {
			return account
		}
	}
}
