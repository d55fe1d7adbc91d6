package policy

import (
	"fmt"
	"slices"
	"strings"
)

// NoTrustPolicy is the warning about a request without a trust policy, for callers who know that they could not read it.
const NoTrustPolicy = "no trust policy was given: a role without one lets nobody in"

// requestRules are what STS decides before any policy: who can't call at all, and what a request brings along.
func (e *evaluator) requestRules(req *Request) {
	actions := uniqueActions(req.Actions)
	if why := e.callerRule(actions); why != "" {
		e.lack(SideRequest, -1, actions[0], why)
	}
	e.inputWarnings(req, actions)
}

// callerRule says why this caller can never make this call, or "".
func (e *evaluator) callerRule(actions []string) string {
	role, _ := ParseARN(e.resource)
	switch {
	case e.who.kind == callerRoot:
		return "the root user of an account can't assume roles"
	case e.who.kind == callerFederatedUser:
		return "credentials of GetFederationToken can't assume roles"
	case e.who.iam() && e.who.partition != role.Partition:
		return fmt.Sprintf("the caller is in partition %s and the role in %s", e.who.partition, role.Partition)
	}
	for _, a := range actions {
		if why := e.actionRule(a); why != "" {
			return why
		}
	}
	return e.sourceIdentityRule()
}

// sourceIdentityRule: once set, a source identity stays for the whole chain. Source: the STS API reference, AssumeRole.
func (e *evaluator) sourceIdentityRule() string {
	inherited, set := e.ctx.get("aws:SourceIdentity")
	sent, sends := e.ctx.get("sts:SourceIdentity")
	if !e.who.iam() || !set || !sends || slices.Equal(inherited.Values, sent.Values) {
		return ""
	}
	return fmt.Sprintf("the caller's session has the source identity %s, and %s is sent: it can't be changed along a chain",
		quoteList(inherited.Values), quoteList(sent.Values))
}

// actionRule holds the action against the kind of caller: each way of assuming a role has its own.
func (e *evaluator) actionRule(action string) string {
	provider := e.who.kind == callerProvider
	switch action {
	case ActionAssumeRole:
		if provider {
			return "an identity provider's tokens are for sts:AssumeRoleWithWebIdentity or sts:AssumeRoleWithSAML, not sts:AssumeRole"
		}
	case ActionAssumeRoleWithWebIdentity:
		if !provider || e.who.saml {
			return "sts:AssumeRoleWithWebIdentity is decided by the token's OIDC provider: the caller must be an oidc-provider ARN or a built-in provider"
		}
	case ActionAssumeRoleWithSAML:
		if !provider || !e.who.saml {
			return "sts:AssumeRoleWithSAML is decided by the assertion's SAML provider: the caller must be a saml-provider ARN"
		}
	}
	return ""
}

// inputWarnings tells what was given and not used, or used and not given.
func (e *evaluator) inputWarnings(req *Request, actions []string) {
	if req.Trust == nil {
		e.res.warn(NoTrustPolicy)
	}
	if !e.who.pathKnown {
		e.res.warn("the role of the caller's session was not given (principal_arn): its path is unknown, principals are compared by the role's name")
	}
	if !e.who.iam() && (len(req.Identity) > 0 || req.Boundary != nil || req.Session != nil || len(req.SCPs) > 0) {
		e.res.warn("services and identity providers have no identity policies, boundary, session policy or SCPs: those given were not used")
	}
	if len(req.SCPs) > 0 && e.who.iam() && (e.who.linked || e.managed(e.who.account)) {
		e.res.warn("SCPs don't bind the management account or service-linked roles: those given were not used")
	}
	if len(req.RCPs) > 0 && e.managed(e.account) {
		e.res.warn("RCPs don't bind the management account's resources: those given were not used")
	}
	e.carriedWarnings(req.Context, actions)
}

// carriedWarnings names actions that the context says the call needs as well.
func (e *evaluator) carriedWarnings(ctx Context, actions []string) {
	needs := map[string]string{}
	for key := range ctx {
		lower := strings.ToLower(key)
		switch {
		case strings.HasPrefix(lower, "aws:requesttag/"), lower == "aws:tagkeys", lower == "sts:transitivetagkeys":
			needs[ActionTagSession] = "session tags"
		case lower == "sts:sourceidentity", lower == "aws:sourceidentity":
			needs[ActionSetSourceIdentity] = "a source identity"
		}
	}
	for _, action := range sortedKeys(needs) {
		if !contains(actions, action) {
			e.res.warn(fmt.Sprintf("the request carries %s, so AWS also asks for %s, which was not among the actions", needs[action], action))
		}
	}
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}
