package localsts

import (
	"bytes"
	"compress/flate"
	"slices"
	"strings"
	"time"

	"crossrole/internal/policy"
)

// maxChained is the longest session of a role that was assumed by a role's session.
const maxChained = 3600

// grant is what AssumeRole and its sisters hand out, once it is decided.
type grant struct {
	account        *accountIndex
	role           *Role
	sessionName    string
	seconds        int
	tags           []Tag
	transitive     []string
	sourceIdentity string
	policy         Document
	policyARNs     []string
	federated      string
	chained        bool
}

func (s *Server) assumeRole(c *call) ([]node, *apiError) {
	p := &params{form: c.form}
	roleARN := p.need("RoleArn", ruleARN)
	g := &grant{sessionName: p.need("RoleSessionName", ruleSessionName)}
	g.seconds = p.number("DurationSeconds", 900, 43200, 3600)
	externalID := p.get("ExternalId", ruleExternalID)
	serial, code := p.get("SerialNumber", ruleSerial), p.get("TokenCode", ruleCode)
	g.sourceIdentity = p.get("SourceIdentity", ruleSessionName)
	g.readPolicies(p)
	g.tags, g.transitive = p.tags(), p.list("TransitiveTagKeys", "")
	if err := p.err(); err != nil {
		return nil, err
	}
	if err := g.checkTags(c.caller); err != nil {
		return nil, err
	}
	if apiErr := s.maySwitch(c, g, roleARN); apiErr != nil {
		return nil, apiErr
	}
	mfa, apiErr := s.checkMFA(c.caller, serial, code, c.now)
	if apiErr != nil {
		return nil, apiErr
	}
	if apiErr := s.mayAssume(c, g, roleARN, externalID, mfa); apiErr != nil {
		return nil, apiErr
	}
	return s.handOut(c, g)
}

// mayAssume decides an AssumeRole whose parameters and MFA code are in order.
func (s *Server) mayAssume(c *call, g *grant, roleARN, externalID string, mfa bool) *apiError {
	ctx := s.assumeContext(c, g, mfa)
	if externalID != "" {
		ctx["sts:ExternalId"] = policy.One(externalID)
	}
	if apiErr := s.decideAssume(c, g, roleARN, policy.ActionAssumeRole, ctx); apiErr != nil {
		return apiErr
	}
	return g.checkDuration()
}

func (g *grant) readPolicies(p *params) {
	if g.policy = Document(p.form.Get("Policy")); g.policy != "" {
		p.check("policy", string(g.policy), rulePolicy)
	}
	g.policyARNs = p.list("PolicyArns", "arn")
	for _, a := range g.policyARNs {
		p.check("policyArns", a, ruleARN)
	}
}

// maySwitch refuses callers that may never assume a role, and carries over what a chain carries: transitive tags
// and the source identity.
func (s *Server) maySwitch(c *call, g *grant, roleARN string) *apiError {
	who := c.caller
	switch {
	case who.isRoot():
		return accessDenied("Roles may not be assumed by root accounts.")
	case who.session != nil && who.session.Kind == federatedSession:
		return accessDenied("Cannot call AssumeRole with federation token credentials")
	}
	if a, ok := splitARN(roleARN); !ok || a.service != "iam" || !isAccountID(a.account) {
		return validationError("%s is invalid", clip(roleARN))
	}
	g.chained = who.isRoleSession()
	if !g.chained {
		return nil
	}
	if prev := who.session.SourceIdentity; prev != "" {
		if g.sourceIdentity != "" && g.sourceIdentity != prev {
			return notAuthorized(who, "sts:SetSourceIdentity", roleARN)
		}
		g.sourceIdentity = prev
	}
	return nil
}

// checkTags applies the rules of session tags. The tags of a chain that are transitive come along.
func (g *grant) checkTags(who *caller) *apiError {
	seen := map[string]bool{}
	for _, t := range g.tags {
		k := strings.ToLower(t.Key)
		if seen[k] {
			return badRequest("InvalidParameterValue", "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
		if strings.HasPrefix(k, "aws:") {
			return badRequest("InvalidParameterValue", "One or more of the specified tag keys has the reserved prefix aws:.")
		}
		seen[k] = true
	}
	for _, k := range g.transitive {
		if !seen[strings.ToLower(k)] {
			return badRequest("InvalidParameterValue", "The specified transitive tag key must be included in the requested tags.")
		}
	}
	if who == nil || who.session == nil {
		return nil
	}
	for _, t := range who.session.Tags {
		if !containsFold(who.session.Transitive, t.Key) {
			continue
		}
		if seen[strings.ToLower(t.Key)] {
			return badRequest("InvalidParameterValue",
				"One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.")
		}
		g.tags = append(g.tags, t)
		g.transitive = append(g.transitive, t.Key)
	}
	return nil
}

func (s *Server) decideAssume(c *call, g *grant, roleARN, act string, ctx policy.Context) *apiError {
	g.account, g.role = s.world.role(roleARN)
	acts := []string{act}
	if c.form.Has("Tags.member.1.Key") || len(g.tags) > 0 {
		acts = append(acts, "sts:TagSession")
	}
	if g.sourceIdentity != "" {
		acts = append(acts, "sts:SetSourceIdentity")
	}
	for _, a := range acts {
		q := &request{caller: c.caller, federated: g.federated, action: a, roleARN: roleARN, account: g.account, role: g.role, ctx: ctx}
		if s.decide(c, q).Decision != policy.DecisionAllow {
			return notAuthorized(c.caller, a, roleARN)
		}
	}
	return nil
}

// checkDuration applies the limits that only show when the role is known, in AWS's order.
func (g *grant) checkDuration() *apiError {
	if g.seconds > g.role.MaxSession {
		return validationError("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	if g.chained && g.seconds > maxChained {
		return validationError("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
	}
	return nil
}

func notAuthorized(who *caller, act, resource string) *apiError {
	if who == nil {
		return accessDenied("Not authorized to perform %s", act)
	}
	return accessDenied("User: %s is not authorized to perform: %s on resource: %s", who.arn(), act, clip(resource))
}

// handOut makes the session and its answer.
func (s *Server) handOut(c *call, g *grant) ([]node, *apiError) {
	packed, apiErr := g.packedSize()
	if apiErr != nil {
		return nil, apiErr
	}
	ses := &session{
		Kind: roleSession, Account: g.account.ID, Name: g.role.Name, OwnerID: g.role.ID, SessionName: g.sessionName,
		Tags: g.tags, Transitive: g.transitive, SourceIdentity: g.sourceIdentity, PolicyARNs: g.policyARNs,
		Federated: g.federated, Chained: g.chained,
	}
	if g.policy != "" {
		ses.Policies = []Document{g.policy}
	}
	creds, apiErr := s.credentials(c, ses, g.seconds)
	if apiErr != nil {
		return nil, apiErr
	}
	out := []node{creds, el("AssumedRoleUser",
		tx("AssumedRoleId", g.role.ID+":"+g.sessionName),
		tx("Arn", g.account.sts("assumed-role/"+g.role.Name+"/"+g.sessionName)))}
	if packed > 0 {
		out = append(out, num("PackedPolicySize", packed))
	}
	return append(out, opt("SourceIdentity", g.sourceIdentity)...), nil
}

// credentials issues the session's keys and writes them as AWS does.
func (s *Server) credentials(c *call, ses *session, seconds int) (node, *apiError) {
	life := time.Duration(seconds) * time.Second
	if s.opts.Lifetime > 0 {
		life = s.opts.Lifetime
	}
	ses.Issued = c.now.UTC().Truncate(time.Second)
	ses.Expires = c.now.Add(life).UTC().Truncate(time.Second)
	token, err := s.mint.issue(ses)
	if err != nil {
		return node{}, internalFailure()
	}
	return el("Credentials", tx("AccessKeyId", ses.KeyID), tx("SecretAccessKey", ses.Secret),
		tx("SessionToken", token), date("Expiration", ses.Expires)), nil
}

// packedRoom is how many packed bytes of session policies and tags fit. AWS does not publish its packing; this is
// ours: the deflated size of all of it, in percent of 2,048 bytes.
const packedRoom = 2048

func (g *grant) packedSize() (int, *apiError) {
	if g.policy == "" && len(g.policyARNs) == 0 && len(g.tags) == 0 {
		return 0, nil
	}
	if len(g.policyARNs) > 10 {
		return 0, validationError("The number of policy ARNs exceeds the limit of 10.")
	}
	if g.policy != "" {
		if apiErr := refusal(policy.Session, g.policy); apiErr != nil {
			return 0, apiErr
		}
	}
	var b bytes.Buffer
	z, err := flate.NewWriter(&b, flate.DefaultCompression)
	if err != nil {
		return 0, internalFailure()
	}
	all := []string{string(g.policy), strings.Join(g.policyARNs, "\n")}
	for _, t := range g.tags {
		all = append(all, t.Key, t.Value)
	}
	_, _ = z.Write([]byte(strings.Join(all, "\n"))) // a bytes.Buffer does not fail
	_ = z.Close()
	percent := max(1, b.Len()*100/packedRoom)
	if percent > 100 {
		return 0, badRequest("PackedPolicyTooLarge", "Packed policy consumes %d%% of allotted space, please use smaller policy.", percent)
	}
	return percent, nil
}

func containsFold(list []string, s string) bool {
	return slices.ContainsFunc(list, func(x string) bool { return strings.EqualFold(x, s) })
}
