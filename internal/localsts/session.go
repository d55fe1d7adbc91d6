package localsts

func (s *Server) getCallerIdentity(c *call) ([]node, *apiError) {
	return []node{
		tx("Arn", c.caller.arn()), tx("UserId", c.caller.userID()), tx("Account", c.caller.account.ID),
	}, nil
}

// The durations of GetSessionToken, in seconds; the root user's sessions are an hour at most.
const (
	sessionTokenMin     = 900
	sessionTokenDefault = 43200
	sessionTokenMax     = 129600
	rootSessionMax      = 3600
)

func (s *Server) getSessionToken(c *call) ([]node, *apiError) {
	p := &params{form: c.form}
	seconds := p.number("DurationSeconds", sessionTokenMin, sessionTokenMax, sessionTokenDefault)
	serial, code := p.get("SerialNumber", ruleSerial), p.get("TokenCode", ruleCode)
	if err := p.err(); err != nil {
		return nil, err
	}
	who := c.caller
	if who.session != nil {
		return nil, accessDenied("Cannot call GetSessionToken with session credentials")
	}
	if apiErr := s.notDenied(c, "sts:GetSessionToken"); apiErr != nil {
		return nil, apiErr
	}
	mfa, apiErr := s.checkMFA(who, serial, code, c.now)
	if apiErr != nil {
		return nil, apiErr
	}
	ses := &session{Kind: userSession, Account: who.account.ID, MFA: mfa}
	if who.user != nil {
		ses.Name, ses.OwnerID = who.user.Name, who.user.ID
	} else {
		seconds = min(seconds, rootSessionMax)
	}
	creds, apiErr := s.credentials(c, ses, seconds)
	if apiErr != nil {
		return nil, apiErr
	}
	return []node{creds}, nil
}

// notDenied is for an action that needs no Allow, but obeys a Deny.
func (s *Server) notDenied(c *call, act string) *apiError {
	if c.caller.isRoot() {
		return nil
	}
	res := s.evaluate(c, c.caller, act, "*", s.baseContext(c))
	if res.Explicit {
		return accessDenied("User: %s is not authorized to perform: %s%s", c.caller.arn(), act, because(res, act))
	}
	return nil
}

func (s *Server) getFederationToken(c *call) ([]node, *apiError) {
	p := &params{form: c.form}
	g := &grant{sessionName: p.need("Name", ruleFedName)}
	seconds := p.number("DurationSeconds", sessionTokenMin, sessionTokenMax, sessionTokenDefault)
	g.readPolicies(p)
	g.tags = p.tags()
	if err := p.err(); err != nil {
		return nil, err
	}
	who := c.caller
	if who.session != nil {
		return nil, accessDenied("Cannot call GetFederationToken with session credentials")
	}
	if apiErr := g.checkTags(who); apiErr != nil {
		return nil, apiErr
	}
	arn := who.account.sts("federated-user/" + g.sessionName)
	ctx := s.baseContext(c)
	tagKeys(ctx, g.tags)
	if apiErr := s.authorize(c, "sts:GetFederationToken", arn, "", ctx); apiErr != nil {
		return nil, apiErr
	}
	packed, apiErr := g.packedSize()
	if apiErr != nil {
		return nil, apiErr
	}
	ses := &session{
		Kind: federatedSession, Account: who.account.ID, SessionName: g.sessionName, Tags: g.tags, PolicyARNs: g.policyARNs,
		Policies: []Document{denyAll}, // what nothing was passed for is not allowed
	}
	if g.policy != "" {
		ses.Policies = []Document{g.policy}
	}
	if who.user != nil {
		ses.Name, ses.OwnerID = who.user.Name, who.user.ID
	} else {
		seconds = min(seconds, rootSessionMax)
	}
	creds, apiErr := s.credentials(c, ses, seconds)
	if apiErr != nil {
		return nil, apiErr
	}
	out := []node{creds, el("FederatedUser", tx("FederatedUserId", who.account.ID+":"+g.sessionName), tx("Arn", arn))}
	if packed > 0 {
		out = append(out, num("PackedPolicySize", packed))
	}
	return out, nil
}

// denyAll is a session policy that allows nothing.
const denyAll Document = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"none:None","Resource":"*"}]}`

func (s *Server) getAccessKeyInfo(c *call) ([]node, *apiError) {
	p := &params{form: c.form}
	id := p.need("AccessKeyId", rule{min: 16, max: 128, pattern: reKeyID})
	if err := p.err(); err != nil {
		return nil, err
	}
	if apiErr := s.authorize(c, "sts:GetAccessKeyInfo", "*", "", s.baseContext(c)); apiErr != nil {
		return nil, apiErr
	}
	if o, ok := s.world.keys[id]; ok {
		return []node{tx("Account", o.account.ID)}, nil
	}
	account, ok := keyAccount(id)
	if !ok {
		return nil, validationError("Invalid access key id %s", clip(id))
	}
	return []node{tx("Account", account)}, nil
}
