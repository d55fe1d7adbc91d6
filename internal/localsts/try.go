package localsts

import (
	"fmt"
	"slices"
	"strings"

	"crossrole/internal/policy"
)

// Attempt is an AssumeRole that is tried without a client: the same checks and decisions as over the wire, with no
// signature, and with MFA taken for granted or not.
type Attempt struct {
	// Caller is a user, or a role whose session calls: a profile of Roster, NAME, NAME@ACCOUNT or an ARN.
	Caller string
	// Role is what is assumed, named likewise. An ARN of no role is a denial; another name that is unknown is an error.
	Role           string
	ExternalID     string
	MFA            bool
	SessionName    string // empty means "rehearsal"
	SourceIdentity string
	Tags           []Tag
	Transitive     []string // keys of Tags
	Seconds        int      // 0 means 3600
	Policy         Document // session policy
}

// Outcome is what came of an Attempt or of Can.
type Outcome struct {
	Allowed bool
	Caller  string // ARNs
	Role    string
	Code    string // of the refusal, as AWS would give it
	Message string
	Why     []string // the decisions, a line each
}

// UnknownNameError is a name that no user or role of the accounts has.
type UnknownNameError struct {
	Name string
	Near []string // profiles that look like it
}

// Error names it.
func (e *UnknownNameError) Error() string {
	return fmt.Sprintf("no user or role of these accounts is called %q", e.Name)
}

// AmbiguousNameError is a name that several users and roles have.
type AmbiguousNameError struct {
	Name     string
	Profiles []string
}

// Error names them.
func (e *AmbiguousNameError) Error() string {
	return fmt.Sprintf("%q is the name of several: %s", e.Name, strings.Join(e.Profiles, ", "))
}

// Try decides an attempt. The error is an UnknownNameError or an AmbiguousNameError.
func (s *Server) Try(a Attempt) (Outcome, error) {
	s.world.mu.RLock()
	defer s.world.mu.RUnlock()
	who, err := s.callerNamed(a.Caller)
	if err != nil {
		return Outcome{}, err
	}
	roleARN := a.Role
	if !strings.HasPrefix(a.Role, "arn:") {
		p, err := s.named(a.Role, kindRole)
		if err != nil {
			return Outcome{}, err
		}
		roleARN = p.ARN
	}
	return s.tryAs(who, roleARN, a), nil
}

// tryAs is Try for a caller who is known. The world is read-locked.
func (s *Server) tryAs(who *caller, roleARN string, a Attempt) Outcome {
	c := s.synthetic(who, policy.ActionAssumeRole)
	g := &grant{
		sessionName: or(a.SessionName, "rehearsal"), seconds: a.Seconds, tags: a.Tags, transitive: a.Transitive,
		sourceIdentity: a.SourceIdentity, policy: a.Policy,
	}
	if g.seconds == 0 {
		g.seconds = 3600
	}
	return outcome(c, roleARN, s.try(c, g, roleARN, a))
}

func (s *Server) try(c *call, g *grant, roleARN string, a Attempt) *apiError {
	if apiErr := g.checkTags(c.caller); apiErr != nil {
		return apiErr
	}
	if apiErr := s.maySwitch(c, g, roleARN); apiErr != nil {
		return apiErr
	}
	if a.MFA && c.caller.session != nil {
		return accessDenied(msgMFAUnknown) // a role's session has no MFA device
	}
	if apiErr := s.mayAssume(c, g, roleARN, a.ExternalID, a.MFA); apiErr != nil {
		return apiErr
	}
	_, apiErr := g.packedSize()
	return apiErr
}

// Can decides any action of a user, or of a role's session. The error is an UnknownNameError, an AmbiguousNameError, or says what is wrong with
// the action or the resource.
func (s *Server) Can(name, act, resource string) (Outcome, error) {
	s.world.mu.RLock()
	defer s.world.mu.RUnlock()
	who, err := s.callerNamed(name)
	if err != nil {
		return Outcome{}, err
	}
	c := s.synthetic(who, act)
	res := s.evaluate(c, who, act, resource, s.baseContext(c))
	if res.Decision == policy.DecisionInvalid {
		return Outcome{}, fmt.Errorf("decide %q on %q: %s", act, resource, res.Reasons[0].Why)
	}
	var apiErr *apiError
	if res.Decision != policy.DecisionAllow {
		apiErr = accessDenied("User: %s is not authorized to perform: %s on resource: %s%s", who.arn(), act, clip(resource), because(res, act))
	}
	return outcome(c, "", apiErr), nil
}

// synthetic is a call that came from nowhere.
func (s *Server) synthetic(who *caller, act string) *call {
	return &call{
		id: requestID(), service: "sts", action: act, now: s.opts.Now().Add(s.opts.Skew), caller: who,
		sourceIP: "127.0.0.1", region: "us-east-1",
	}
}

func outcome(c *call, roleARN string, apiErr *apiError) Outcome {
	out := Outcome{Allowed: apiErr == nil, Caller: c.caller.arn(), Role: roleARN, Why: c.log.Why}
	if apiErr != nil {
		out.Code, out.Message = apiErr.Code, apiErr.Message
	}
	return out
}

// callerNamed is a user, or a session of a role.
func (s *Server) callerNamed(name string) (*caller, error) {
	as := "rehearsal"
	if a, ok := splitARN(name); ok && a.service == "sts" {
		if rest, isSession := strings.CutPrefix(a.resource, "assumed-role/"); isSession {
			role, who, _ := strings.Cut(rest, "/")
			return s.callerOf(role+"@"+a.account, or(who, as), kindRole)
		}
	}
	return s.callerOf(name, as, "")
}

func (s *Server) callerOf(name, as string, kind principalKind) (*caller, error) {
	p, err := s.named(name, kind)
	if err != nil {
		return nil, err
	}
	return s.callerFrom(&p, as), nil
}

// callerFrom is the principal itself; a role calls by a session named as.
func (s *Server) callerFrom(p *Principal, as string) *caller {
	c := &caller{account: s.world.accounts[p.Account]}
	switch p.Kind {
	case kindUser:
		c.user = c.account.users[strings.ToLower(p.Name)]
	case kindRole:
		c.role = c.account.roles[strings.ToLower(p.Name)]
		c.session = &session{Kind: roleSession, Account: p.Account, Name: c.role.Name, OwnerID: c.role.ID, SessionName: as, Issued: s.opts.Now()}
	case kindRoot:
	}
	return c
}

// named finds one principal by profile, ARN, NAME@ACCOUNT or NAME; kind, if not empty, is what it must be.
func (s *Server) named(name string, kind principalKind) (Principal, error) {
	all := s.world.principals()
	var found []Principal
	for _, p := range all {
		if kind != "" && p.Kind != kind {
			continue
		}
		if p.Profile == name || p.ARN == name {
			return p, nil
		}
		if slices.Contains(p.Aliases, name) || p.Name == name || p.Name+"@"+p.Account == name {
			found = append(found, p)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return Principal{}, &UnknownNameError{Name: name, Near: near(all, name)}
	}
	e := &AmbiguousNameError{Name: name}
	for _, p := range found {
		e.Profiles = append(e.Profiles, p.Profile)
	}
	return Principal{}, e
}

func near(all []Principal, name string) (out []string) {
	for _, p := range all {
		if low, n := strings.ToLower(p.Profile), strings.ToLower(name); len(out) < 3 && n != "" && (strings.Contains(low, n) || strings.Contains(n, strings.ToLower(p.Name))) {
			out = append(out, p.Profile)
		}
	}
	return out
}
