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
