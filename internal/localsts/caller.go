package localsts

import (
	"net/http"
	"strings"
)

// caller is who signed a request.
type caller struct {
	account *accountIndex
	user    *User    // of a long-term key or of GetSessionToken's credentials
	role    *Role    // of a role session
	session *session // nil for a long-term key
	keyID   string
}

// arn is the caller as GetCallerIdentity names it.
func (c *caller) arn() string {
	switch {
	case c.session != nil && c.session.Kind == roleSession:
		return c.account.sts("assumed-role/" + c.session.Name + "/" + c.session.SessionName)
	case c.session != nil && c.session.Kind == federatedSession:
		return c.account.sts("federated-user/" + c.session.SessionName)
	case c.user != nil:
		return c.user.ARN
	}
	return c.account.iam("root")
}

func (c *caller) userID() string {
	switch {
	case c.session != nil && c.session.Kind == roleSession:
		return c.session.OwnerID + ":" + c.session.SessionName
	case c.session != nil && c.session.Kind == federatedSession:
		return c.account.ID + ":" + c.session.SessionName
	case c.user != nil:
		return c.user.ID
	}
	return c.account.ID
}

func (c *caller) isRoot() bool {
	return c.user == nil && c.role == nil && (c.session == nil || c.session.Kind == userSession)
}

func (c *caller) isRoleSession() bool { return c.session != nil && c.session.Kind == roleSession }

// authenticate says who signed the request, or refuses it with STS's own codes. The world is read-locked.
func (s *Server) authenticate(r *http.Request, body []byte, cl *call) (*caller, *apiError) {
	sig, apiErr := parseSignature(r)
	if apiErr != nil {
		return nil, apiErr
	}
	c, secret, apiErr := s.keyHolder(sig)
	if apiErr != nil {
		return nil, apiErr
	}
	if apiErr := sig.check(r, cl.service, cl.now); apiErr != nil {
		return nil, apiErr
	}
	if !sig.verify(r, body, secret) {
		return nil, forbidden("SignatureDoesNotMatch", msgBadSignature)
	}
	if c.session != nil && !cl.now.Before(c.session.Expires) {
		return nil, forbidden("ExpiredToken", msgExpiredToken)
	}
	cl.region = sig.region
	return c, nil
}

// keyHolder finds whose key it is. A session token opens only with the key it was issued with, and dies with its
// user or role.
func (s *Server) keyHolder(sig *signature) (*caller, string, *apiError) {
	invalid := forbidden("InvalidClientTokenId", msgInvalidToken)
	if sig.token == "" {
		o, ok := s.world.keys[sig.keyID]
		if !ok || o.key.Inactive {
			return nil, "", invalid
		}
		return &caller{account: o.account, user: o.user, keyID: sig.keyID}, string(o.key.Secret), nil
	}
	ses, ok := s.mint.open(sig.token)
	if !ok || ses.KeyID != sig.keyID || s.world.accounts[ses.Account] == nil {
		return nil, "", invalid
	}
	c := &caller{account: s.world.accounts[ses.Account], session: ses, keyID: sig.keyID}
	if !c.findOwner() {
		return nil, "", invalid
	}
	return c, ses.Secret, nil
}

func (c *caller) findOwner() bool {
	name := strings.ToLower(c.session.Name)
	switch {
	case c.session.Kind == roleSession:
		c.role = c.account.roles[name]
		return c.role != nil && c.role.ID == c.session.OwnerID
	case name == "": // the root user's session
		return true
	}
	c.user = c.account.users[name]
	return c.user != nil && c.user.ID == c.session.OwnerID
}

// mayCallIAM: sessions of GetFederationToken never may, those of GetSessionToken only with MFA (STS API reference).
func (c *caller) mayCallIAM() bool {
	return c.session == nil || c.session.Kind == roleSession || c.session.Kind == userSession && c.session.MFA
}
