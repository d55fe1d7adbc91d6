package explain

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"crossrole/internal/assume"
	"crossrole/internal/policy"
	"crossrole/internal/profile"
	"crossrole/internal/word"
)

// Reader reads what decides about a role assumption from one account, with somebody's credentials. Any of it may be refused.
type Reader interface {
	// Caller reads the policies of a user or role. What could not be read of them is named in unread.
	Caller(ctx context.Context, who policy.Caller) (found *policy.FoundCaller, unread []string, err error)
	// Role reads a role by its name. An error may have a method NoSuchEntity() bool: true says that there is no such role.
	Role(ctx context.Context, roleARN string) (*policy.FoundRole, error)
	// Managed reads a managed policy.
	Managed(ctx context.Context, arn string) (*policy.Document, error)
	// Organization describes the account's organization; nil when it is in none.
	Organization(ctx context.Context) (*policy.Organization, error)
	// SCPs and RCPs read the organization's policies for an account, from the root down; nil when that kind is not in force.
	SCPs(ctx context.Context, account string) ([]policy.Level, error)
	RCPs(ctx context.Context, account string) ([]policy.Level, error)
}

// Live is what policies in force are read with.
type Live struct {
	Caller assume.Identity // who the source's credentials belong to
	// Temporary tells that they are those of a session: a user's may then carry MFA, and AWS does not say.
	Temporary bool

	readers map[string][]Reader // by account, in the order in which they are asked
	unread  bool                // some account's policies could not be read
	known   map[string]*facts   // by "CALLER\nROLE": what was read once is not read again
}

// AddReader adds somebody's credentials of an account; those added first are asked first.
func (l *Live) AddReader(account string, r Reader) {
	if l.readers == nil {
		l.readers = map[string][]Reader{}
	}
	l.readers[account] = append(l.readers[account], r)
}

// facts is what could be read about one call.
type facts struct {
	snapshots
	organization *policy.Organization
	scps, rcps   []policy.Level
	noRole       bool
}

// read collects everything that decides about a hop.
func (l *Live) read(ctx context.Context, h *Hop) *facts {
	key := h.caller.ARN + "\n" + h.Call.RoleARN
	if have := l.known[key]; have != nil {
		return have
	}
	f := &facts{snapshots: snapshots{given: true}}
	if l.known == nil {
		l.known = map[string]*facts{}
	}
	l.known[key] = f
	f.readCaller(ctx, l, h)
	f.readRole(ctx, l, h)
	l.unread = l.unread || f.caller == nil || f.role == nil && !f.noRole
	f.readSCPs(ctx, l, h)
	f.readRCPs(ctx, l, h)
	return f
}

func (f *facts) gap(side policy.Side, what string, err error) {
	if err != nil {
		what += ": " + word.Clean(err.Error())
	}
	f.gaps = append(f.gaps, gap{side, what})
}

var errNoCredentials = errors.New("no credentials for that account at hand; --target-profile names a profile that has some")

func (f *facts) readCaller(ctx context.Context, l *Live, h *Hop) {
	what := "the policies of " + principalOf(h.caller)
	arn, _ := policy.ParseARN(h.caller.ARN)
	if arn.Resource == "root" {
		f.caller = &policy.FoundCaller{Caller: h.caller}
		return
	}
	if strings.HasPrefix(arn.Resource, "federated-user/") {
		f.gap(policy.SideIdentity, what+": those of a federated user can't be read back", nil)
		return
	}
	err := errNoCredentials
	for _, r := range l.readers[arn.Account] {
		found, unread, readErr := r.Caller(ctx, h.caller)
		if err = readErr; err != nil {
			continue
		}
		f.caller = found
		if id := h.caller.UniqueID; id != "" {
			f.caller.Caller.UniqueID = id // with the session's name, as AWS told it
		}
		for _, u := range unread {
			f.gap(policy.SideIdentity, u, nil)
		}
		return
	}
	f.gap(policy.SideIdentity, what, err)
}

func (f *facts) readRole(ctx context.Context, l *Live, h *Hop) {
	err := errNoCredentials
	for _, r := range l.readers[h.role.Account] {
		f.role, err = r.Role(ctx, h.Call.RoleARN)
		if err == nil {
			return
		}
		if f.noRole = noSuchRole(err); f.noRole {
			return
		}
	}
	f.role = nil
	f.gap(policy.SideTrust, "the trust policy of "+word.Clean(h.Call.RoleARN), err)
}

// noSuchRole tells that the account has no role of that name.
func noSuchRole(err error) bool {
	var e interface{ NoSuchEntity() bool }
	return errors.As(err, &e) && e.NoSuchEntity()
}

// organizationOf asks the readers of an account for its organization, and tells who answered.
func (l *Live) organizationOf(ctx context.Context, account string) (*policy.Organization, Reader, error) {
	err := errNoCredentials
	for _, r := range l.readers[account] {
		org, readErr := r.Organization(ctx)
		if err = readErr; err == nil {
			return org, r, nil
		}
	}
	return nil, nil, err
}

func (f *facts) readSCPs(ctx context.Context, l *Live, h *Hop) {
	account := h.Caller.Account
	what := "the SCPs of account " + word.Clean(account)
	org, r, err := l.organizationOf(ctx, account)
	if err != nil {
		f.gap(policy.SideSCP, what, err)
		return
	}
	if org == nil {
		return
	}
	f.organization = org
	if org.ManagementAccount == account {
		return
	}
	if f.scps, err = r.SCPs(ctx, account); err != nil {
		f.gap(policy.SideSCP, what, err)
	}
}

func (f *facts) readRCPs(ctx context.Context, l *Live, h *Hop) {
	account := h.role.Account
	what := "the RCPs of account " + account
	if f.organization != nil {
		if f.organization.ManagementAccount == account {
			return
		}
		// The management account can look into every member.
		for _, r := range l.readers[h.Caller.Account] {
			levels, err := r.RCPs(ctx, account)
			if err == nil {
				f.rcps = levels
				return
			}
		}
	}
	org, r, err := l.organizationOf(ctx, account)
	switch {
	case err != nil:
		f.gap(policy.SideRCP, what, err)
	case org == nil || org.ManagementAccount == account:
	default:
		if f.rcps, err = r.RCPs(ctx, account); err != nil {
			f.gap(policy.SideRCP, what, err)
		}
	}
}

// judge decides a hop by what could be read. before is the call that gave the caller's session; nil for the first.
func (l *Live) judge(ctx context.Context, now time.Time, h *Hop, before *assume.Call, kind profile.SourceKind) Finding {
	f := l.read(ctx, h)
	req := &policy.Request{Caller: h.caller, RoleARN: h.Call.RoleARN, Actions: h.actions, Organization: f.organization, SCPs: f.scps, RCPs: f.rcps}
	gaps := f.fill(req)
	gaps = append(gaps, l.sessionPolicy(ctx, req, before, kind)...)
	req.Context = callContext(now, req.Caller, h.context, h.mfa)
	if f.organization != nil {
		req.Context["aws:PrincipalOrgID"] = policy.One(f.organization.ID)
	}
	f.tags(req.Context)
	if f.noRole {
		return noRole(req)
	}
	found := decide(req, gaps)
	maybeMFA := before == nil && l.Temporary && !h.mfa
	if keys := unknownKeys(found.Result, maybeMFA); len(keys) > 0 {
		found = decide(req, append(gaps, keys...))
	}
	f.checkRole(&found, h.Call.RoleARN)
	f.checkDuration(&found, h)
	return found
}

// sessionPolicy puts the session policy in force for the caller's session into the request. It can't be read back: only one
// that this chain itself sends is known.
func (l *Live) sessionPolicy(ctx context.Context, req *policy.Request, before *assume.Call, kind profile.SourceKind) []gap {
	if before == nil {
		if isSession(req.Caller.ARN) && kind != profile.SourceSSO && kind != profile.SourceEC2 {
			return []gap{{policy.SideSession, "a session policy that the caller's session may have been made with: AWS does not tell"}}
		}
		return nil
	}
	var docs []*policy.Document
	if before.Policy != "" {
		doc, err := policy.Parse([]byte(before.Policy), "session policy")
		if err != nil {
			return []gap{{policy.SideSession, "the session policy of the hop before: " + err.Error()}}
		}
		docs = append(docs, doc)
	}
	var gaps []gap
	for _, arn := range before.PolicyARNs {
		doc, err := l.managed(ctx, accountOf(req.Caller.ARN), arn)
		if err != nil {
			gaps = append(gaps, gap{policy.SideSession, "the session policy " + word.Clean(arn) + ": " + word.Clean(err.Error())})
			continue
		}
		docs = append(docs, doc)
	}
	for _, d := range docs {
		req.Session = joinDocument(req.Session, d)
	}
	return gaps
}

func (l *Live) managed(ctx context.Context, account, arn string) (*policy.Document, error) {
	err := errNoCredentials
	for _, r := range l.readers[account] {
		var doc *policy.Document
		if doc, err = r.Managed(ctx, arn); err == nil {
			return doc, nil
		}
	}
	return nil, err
}

// joinDocument makes one document of several session policies: what any of them allows is allowed.
func joinDocument(d, more *policy.Document) *policy.Document {
	if d == nil {
		return more
	}
	joined := *d
	joined.Statements = append(append([]policy.Statement(nil), d.Statements...), more.Statements...)
	for i := range joined.Statements {
		joined.Statements[i].Index = i
	}
	return &joined
}

// noRole is the answer about a role that is not there, which AWS itself does not give.
func noRole(req *policy.Request) Finding {
	why := "there is no role " + word.Clean(req.RoleARN) + " in account " + accountOf(req.RoleARN)
	return Finding{req: req, Result: &policy.Result{
		Decision: policy.DecisionDeny, Missing: []policy.Missing{}, Warnings: []string{}, Trace: []policy.Step{},
		Reasons: []policy.Reason{{Side: policy.SideRequest, Effect: policy.EffectNone, Why: why}},
	}}
}

// checkDuration notes a duration over the role's own maximum, which AWS refuses whatever the policies say.
func (f *facts) checkDuration(found *Finding, h *Hop) {
	if f.role == nil || f.role.MaxSessionDuration == 0 || h.Call.Duration <= f.role.MaxSessionDuration || found.Decision == policy.DecisionInvalid {
		return
	}
	found.Decision, found.Explicit, found.bare = policy.DecisionDeny, false, nil
	found.Reasons = []policy.Reason{{Side: policy.SideRequest, Effect: policy.EffectNone, Why: fmt.Sprintf(
		"the duration of %d seconds is over the role's MaxSessionDuration of %d", h.Call.Duration, f.role.MaxSessionDuration)}}
}

// unknownKeys names the statements that a key decides about which a real request carries and nobody knows here.
func unknownKeys(res *policy.Result, maybeMFA bool) []gap {
	var gaps []gap
	seen := map[string]bool{}
	for _, s := range res.Trace {
		if !s.Applies && s.Failed != "condition" {
			continue
		}
		for _, c := range s.Checks {
			what := "whether " + word.Clean(s.Policy) + ", statement " + word.Clean(s.Statement) + " applies: it asks for " + word.Clean(c.Key) + ", which only the real request carries"
			unknown := unknowable(c.Key) || maybeMFA && strings.EqualFold(c.Key, "aws:MultiFactorAuthPresent")
			if c.Request == nil && unknown && !seen[what] {
				seen[what] = true
				gaps = append(gaps, gap{s.Side, what})
			}
		}
	}
	return gaps
}
