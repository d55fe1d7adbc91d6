package localsts

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"crossrole/internal/policy"
)

// request is one question: may the caller do the action to the role.
type request struct {
	caller    *caller // nil for a federated identity
	federated string  // ARN of the identity provider
	action    string
	roleARN   string
	account   *accountIndex // of the role; nil if unknown
	role      *Role         // nil if there is none
	ctx       policy.Context
}

// baseContext are the condition keys of any request: what AWS knows of the caller, the session and the call.
func (s *Server) baseContext(c *call) policy.Context {
	ctx := policy.Context{
		"aws:CurrentTime":     policy.One(c.now.UTC().Format(time.RFC3339)),
		"aws:EpochTime":       policy.One(strconv.FormatInt(c.now.Unix(), 10)),
		"aws:SecureTransport": policy.One("true"), // as at AWS: it is the rehearsal that is plain HTTP
		"aws:ViaAWSService":   policy.One("false"),
	}
	set := func(key, v string) {
		if v != "" {
			ctx[key] = policy.One(v)
		}
	}
	set("aws:SourceIp", c.sourceIP)
	set("aws:UserAgent", c.userAgent)
	set("aws:RequestedRegion", c.region)
	who := c.caller
	if who == nil {
		return ctx
	}
	for k, v := range policy.DeriveContext(who.policyCaller()) {
		ctx[k] = v
	}
	ctx["aws:PrincipalIsAWSService"] = policy.One("false")
	s.world.org.principalKeys(ctx, who.account.ID)
	for _, t := range who.tags() {
		ctx["aws:PrincipalTag/"+t.Key] = policy.One(t.Value)
	}
	who.sessionKeys(ctx, c.now)
	return ctx
}

// sessionKeys are the keys that only temporary credentials have.
func (c *caller) sessionKeys(ctx policy.Context, now time.Time) {
	ses := c.session
	if ses == nil {
		return
	}
	ctx["aws:TokenIssueTime"] = policy.One(ses.Issued.UTC().Format(time.RFC3339))
	ctx["aws:MultiFactorAuthPresent"] = policy.One(strconv.FormatBool(ses.MFA))
	if ses.MFA {
		ctx["aws:MultiFactorAuthAge"] = policy.One(strconv.Itoa(int(now.Sub(ses.Issued).Seconds())))
	}
	if ses.SourceIdentity != "" {
		ctx["aws:SourceIdentity"] = policy.One(ses.SourceIdentity)
	}
	if ses.Federated != "" {
		ctx["aws:FederatedProvider"] = policy.One(ses.Federated)
	}
}

// assumeContext is the context of the calls that assume a role.
func (s *Server) assumeContext(c *call, g *grant, mfa bool) policy.Context {
	ctx := s.baseContext(c)
	ctx["sts:RoleSessionName"] = policy.One(g.sessionName)
	if g.sourceIdentity != "" {
		ctx["sts:SourceIdentity"] = policy.One(g.sourceIdentity)
	}
	tagKeys(ctx, g.tags)
	if len(g.transitive) > 0 {
		ctx["sts:TransitiveTagKeys"] = policy.Many(g.transitive...)
	}
	if mfa {
		ctx["aws:MultiFactorAuthPresent"] = policy.One("true")
		ctx["aws:MultiFactorAuthAge"] = policy.One("0")
	}
	return ctx
}

// tagKeys are the keys of the tags that a request carries.
func tagKeys(ctx policy.Context, tags []Tag) {
	var keys []string
	for _, t := range tags {
		ctx["aws:RequestTag/"+t.Key] = policy.One(t.Value)
		keys = append(keys, t.Key)
	}
	if keys != nil {
		ctx["aws:TagKeys"] = policy.Many(keys...)
	}
}

func (s *Server) resourceKeys(ctx policy.Context, account *accountIndex, tags []Tag) {
	if account == nil {
		return
	}
	ctx["aws:ResourceAccount"] = policy.One(account.ID)
	s.world.org.resourceKeys(ctx, account.ID)
	for _, t := range tags {
		ctx["aws:ResourceTag/"+t.Key] = policy.One(t.Value)
		ctx["iam:ResourceTag/"+t.Key] = policy.One(t.Value)
	}
}

func (c *caller) policyCaller() policy.Caller {
	p := policy.Caller{ARN: c.arn(), UniqueID: c.userID()}
	if c.role != nil {
		p.PrincipalARN = c.role.ARN
	}
	return p
}

// tags are the principal tags: the session's own win over the user's or role's.
func (c *caller) tags() []Tag {
	var out []Tag
	switch {
	case c.user != nil:
		out = append(out, c.user.Tags...)
	case c.role != nil:
		out = append(out, c.role.Tags...)
	}
	if c.session != nil {
		for _, t := range c.session.Tags {
			out = append(withoutTag(out, t.Key), t)
		}
	}
	return out
}

func withoutTag(list []Tag, key string) []Tag {
	out := list[:0:0]
	for _, t := range list {
		if !strings.EqualFold(t.Key, key) {
			out = append(out, t)
		}
	}
	return out
}

// decide asks the evaluator. A role that does not exist is a denial like any other.
func (s *Server) decide(c *call, q *request) *policy.Result {
	if q.role == nil {
		res := policy.InvalidResult(fmt.Errorf("there is no role %s in the accounts given", clip(q.roleARN)))
		res.Decision = policy.DecisionDeny
		s.explain(c, q.action, q.roleARN, res)
		return res
	}
	s.resourceKeys(q.ctx, q.account, q.role.Tags)
	req := &policy.Request{
		RoleARN: q.roleARN, Actions: []string{q.action}, Context: q.ctx, Organization: s.world.org.forPolicy(),
		Trust: s.world.docs.get(q.role.Trust, "trust policy of "+q.role.Name), RCPs: s.world.levels(q.account.ID, rcps),
	}
	if q.caller == nil {
		req.Caller = policy.Caller{ARN: q.federated}
	} else {
		req.Caller = q.caller.policyCaller()
		req.Identity, req.Boundary = s.world.identityPolicies(q.caller), s.world.boundary(q.caller)
		req.Session = s.world.sessionPolicy(q.caller)
		req.SCPs = s.world.levels(q.caller.account.ID, scps)
	}
	res := policy.Decide(req)
	s.explain(c, q.action, q.roleARN, res)
	return res
}

// authorize decides any other action of the caller, and refuses it in AWS's words. shown is how the message names
// the resource, where that is not its ARN.
func (s *Server) authorize(c *call, act, resource, shown string, ctx policy.Context) *apiError {
	res := s.evaluate(c, c.caller, act, resource, ctx)
	if res.Decision == policy.DecisionAllow {
		return nil
	}
	if shown == "" {
		shown = resource
	}
	return accessDenied("User: %s is not authorized to perform: %s on resource: %s%s", c.caller.arn(), act, clip(shown), because(res, act))
}

func (s *Server) evaluate(c *call, who *caller, act, resource string, ctx policy.Context) *policy.Result {
	res := policy.EvaluateAction(&policy.ActionRequest{
		Caller: who.policyCaller(), Organization: s.world.org.forPolicy(), Action: act, Resource: resource, Context: ctx,
		Identity: s.world.identityPolicies(who), Boundary: s.world.boundary(who), Session: s.world.sessionPolicy(who),
		SCPs: s.world.levels(who.account.ID, scps), RCPs: s.world.levels(who.account.ID, rcps),
	})
	s.explain(c, act, resource, res)
	return res
}

// because is the end of an IAM denial: the kind of policy that decided.
func because(res *policy.Result, act string) string {
	names := map[policy.Side]string{
		policy.SideIdentity: "identity-based policy", policy.SideBoundary: "permissions boundary", policy.SideSession: "session policy",
		policy.SideSCP: "service control policy", policy.SideRCP: "resource control policy",
	}
	for _, r := range res.Reasons {
		name := names[r.Side]
		switch {
		case name == "":
		case res.Explicit && r.Effect == policy.Deny:
			return " with an explicit deny in " + article(name)
		case !res.Explicit && r.Effect == policy.EffectNone:
			return " because no " + name + " allows the " + act + " action"
		}
	}
	return ""
}

func article(name string) string {
	if strings.HasPrefix(name, "i") {
		return "an " + name
	}
	return "a " + name
}

// explain keeps the decision for the server's own log: the client is told as little as AWS tells.
func (s *Server) explain(c *call, act, resource string, res *policy.Result) {
	c.log.Why = append(c.log.Why, fmt.Sprintf("%s: %s on %s", res.Decision, act, clip(resource)))
	for _, r := range res.Reasons {
		where := string(r.Side)
		if r.Policy != "" {
			where += " " + r.Policy
		}
		if r.Statement != "" {
			where += " " + r.Statement
		}
		c.log.Why = append(c.log.Why, "  "+where+": "+r.Why)
	}
	if s.opts.Log != nil {
		for _, st := range res.Trace {
			c.log.Why = append(c.log.Why, "    "+traceLine(st))
		}
		if res.Decision != policy.DecisionAllow {
			c.log.Encoded = s.encodeDecision(c, act, resource, res)
		}
	}
}

func traceLine(st policy.Step) string {
	verdict := "does not apply"
	if st.Applies {
		verdict = "applies"
	}
	line := fmt.Sprintf("%s %s %s %s: %s", st.Side, st.Policy, st.Statement, st.Effect, verdict)
	if st.Failed != "" {
		line += ", " + st.Failed
	}
	if st.Why != "" {
		line += ": " + st.Why
	}
	return line
}

func peer(r *http.Request) string {
	host := r.RemoteAddr
	if i := strings.LastIndexByte(host, ':'); i >= 0 {
		host = host[:i]
	}
	return strings.Trim(host, "[]")
}
