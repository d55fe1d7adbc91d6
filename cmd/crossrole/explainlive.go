package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"crossrole/internal/assume"
	"crossrole/internal/iamread"
	"crossrole/internal/policy"
	"crossrole/internal/profile"
)

// reader reads the IAM of one account with somebody's credentials.
type reader struct {
	client  *iamread.Client
	account string
	name    string // whose credentials, for messages
}

// live is what --live asks with: the source's own credentials, and those of the target profiles.
type live struct {
	runner  *assume.Runner
	caller  assume.Identity
	readers []reader
	// token tells that the source's credentials are temporary: those of a user may then carry MFA, and AWS does not say.
	token bool
	known map[string]*facts // by "CALLER\nROLE": what was read once is not read again
}

// goLive gets the credentials of the source and of every target profile, and asks whose they are.
func (f *explainFlags) goLive(ctx context.Context, a *app, e *explained) (*live, error) {
	runner, err := assume.NewRunner(e.plan.Where, f.liveDeps(a, nil))
	if err != nil {
		return nil, err
	}
	l := &live{runner: runner, known: map[string]*facts{}}
	source := e.plan
	source.Calls, source.MFASession = nil, nil
	session, err := l.credentials(ctx, runner, source)
	if err != nil {
		return nil, err
	}
	if l.caller, err = runner.WhoAmI(ctx, session); err != nil {
		return nil, err
	}
	l.token = session.SessionToken.IsSet()
	l.addReader(a, e.plan.Where, session, l.caller, "the source's credentials")
	for _, name := range f.targets {
		if err := l.addTarget(ctx, f, a, name); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// liveDeps are those of a run whose sessions are not kept: explain asks AWS, not the cache.
func (f *explainFlags) liveDeps(a *app, keep func(assume.Provider, assume.Step) assume.Provider) assume.Deps {
	d := f.deps(a)
	d.Keep = keep
	return d
}

func (l *live) credentials(ctx context.Context, runner *assume.Runner, plan assume.Plan) (assume.Session, error) {
	p, err := runner.Provider(plan)
	if err != nil {
		return assume.Session{}, err
	}
	return p.Credentials(ctx)
}

// addTarget adds the credentials of a profile of the role's account; its sessions are kept as those of assume are.
func (l *live) addTarget(ctx context.Context, f *explainFlags, a *app, name string) error {
	target := planFlags{noInput: f.noInput, timeout: f.timeout, cacheFlags: f.cacheFlags}
	target.over.Region, target.over.Endpoint = f.over.Region, f.over.Endpoint
	r, err := target.plan(a, name)
	if err != nil {
		return err
	}
	session, err := target.obtain(ctx, a, r)
	if err != nil {
		return err
	}
	runner, err := assume.NewRunner(r.plan.Where, target.deps(a))
	if err != nil {
		return err
	}
	who, err := runner.WhoAmI(ctx, session)
	if err != nil {
		return err
	}
	l.addReader(a, r.plan.Where, session, who, "profile "+clean(name))
	return nil
}

func (l *live) addReader(a *app, where assume.Where, s assume.Session, who assume.Identity, name string) {
	arn, _ := policy.ParseARN(who.ARN)
	iam, orgs, known := iamread.Endpoints(arn.Partition)
	iam.URL = a.endpoint("AWS_ENDPOINT_URL_IAM", where, iam.URL)
	orgs.URL = a.endpoint("AWS_ENDPOINT_URL_ORGANIZATIONS", where, orgs.URL)
	if !known && iam.URL == "" {
		return // nobody to ask: what is needed of this account is unknown
	}
	l.readers = append(l.readers, reader{account: who.Account, name: name, client: &iamread.Client{
		HTTP: assume.HTTPClient(where), IAM: iam, Organizations: orgs, Now: a.now, //nolint:bodyclose // a client, not a response
		Credentials: iamread.Credentials{AccessKeyID: s.AccessKeyID, SecretAccessKey: s.SecretAccessKey.Reveal(), SessionToken: s.SessionToken.Reveal()},
	}})
}

// endpoint is where another service is called. Whoever has put an STS of their own in place means the rest of AWS too: keys
// of a rehearsal are never sent to AWS.
func (a *app) endpoint(variable string, where assume.Where, otherwise string) string {
	if !strings.EqualFold(a.getenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"), "true") {
		for _, name := range []string{variable, "AWS_ENDPOINT_URL"} {
			if text := a.getenv(name); text != "" {
				return text
			}
		}
	}
	if where.Endpoint != "" && !isAWS(where.Endpoint) {
		return where.Endpoint
	}
	return otherwise
}

// isAWS tells AWS's own hosts, VPC endpoints included.
func isAWS(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil {
		return false
	}
	host := strings.ToLower(u.Hostname())
	return strings.HasSuffix(host, ".amazonaws.com") || strings.HasSuffix(host, ".amazonaws.com.cn") || strings.HasSuffix(host, ".api.aws")
}

// in lists the readers of an account.
func (l *live) in(account string) []reader {
	var out []reader
	for _, r := range l.readers {
		if r.account == account {
			out = append(out, r)
		}
	}
	return out
}

// facts is what could be read about one call.
type facts struct {
	snapshots
	organization *policy.Organization
	scps, rcps   []policy.Level
	noRole       bool
}

// read collects everything that decides about a hop.
func (l *live) read(ctx context.Context, h *hopReport) *facts {
	key := h.caller.ARN + "\n" + h.Call.RoleARN
	if have := l.known[key]; have != nil {
		return have
	}
	f := &facts{snapshots: snapshots{given: true}}
	l.known[key] = f
	f.readCaller(ctx, l, h)
	f.readRole(ctx, l, h)
	f.readSCPs(ctx, l, h)
	f.readRCPs(ctx, l, h)
	return f
}

func (f *facts) gap(side policy.Side, what string, err error) {
	if err != nil {
		what += ": " + clean(err.Error())
	}
	f.gaps = append(f.gaps, gap{side, what})
}

var errNoCredentials = errors.New("no credentials for that account at hand; --target-profile names a profile that has some")

func (f *facts) readCaller(ctx context.Context, l *live, h *hopReport) {
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
	for _, r := range l.in(arn.Account) {
		found, unread, readErr := r.client.Caller(ctx, h.caller)
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

func (f *facts) readRole(ctx context.Context, l *live, h *hopReport) {
	err := errNoCredentials
	for _, r := range l.in(h.role.Account) {
		f.role, err = r.client.Role(ctx, h.Call.RoleARN)
		if err == nil {
			return
		}
		if f.noRole = iamread.NoSuchRole(err); f.noRole {
			return
		}
	}
	f.role = nil
	f.gap(policy.SideTrust, "the trust policy of "+clean(h.Call.RoleARN), err)
}

// organizationOf asks the readers of an account for its organization.
func (l *live) organizationOf(ctx context.Context, account string) (iamread.Organization, *reader, error) {
	err := errNoCredentials
	for _, r := range l.in(account) {
		org, readErr := r.client.Organization(ctx)
		if err = readErr; err == nil {
			return org, &r, nil
		}
	}
	return iamread.Organization{}, nil, err
}

func (f *facts) readSCPs(ctx context.Context, l *live, h *hopReport) {
	account := h.Caller.Account
	what := "the SCPs of account " + clean(account)
	org, r, err := l.organizationOf(ctx, account)
	if err != nil {
		f.gap(policy.SideSCP, what, err)
		return
	}
	if org.None {
		return
	}
	f.organization = &org.Organization
	if org.ManagementAccount == account {
		return
	}
	if f.scps, err = r.client.Levels(ctx, account, iamread.ServiceControl); err != nil {
		f.gap(policy.SideSCP, what, err)
	}
}

func (f *facts) readRCPs(ctx context.Context, l *live, h *hopReport) {
	account := h.role.Account
	what := "the RCPs of account " + account
	if f.organization != nil {
		if f.organization.ManagementAccount == account {
			return
		}
		// The management account can look into every member.
		for _, r := range l.in(h.Caller.Account) {
			levels, err := r.client.Levels(ctx, account, iamread.ResourceControl)
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
	case org.None || org.ManagementAccount == account:
	default:
		if f.rcps, err = r.client.Levels(ctx, account, iamread.ResourceControl); err != nil {
			f.gap(policy.SideRCP, what, err)
		}
	}
}

// judgeLive decides a hop by what could be read. before is the call that gave the caller's session; nil for the first.
func (l *live) judgeLive(ctx context.Context, a *app, h *hopReport, before *assume.Call, kind profile.SourceKind) finding {
	f := l.read(ctx, h)
	req := &policy.Request{Caller: h.caller, RoleARN: h.Call.RoleARN, Actions: h.actions, Organization: f.organization, SCPs: f.scps, RCPs: f.rcps}
	gaps := f.fill(req)
	gaps = append(gaps, l.sessionPolicy(ctx, req, before, kind)...)
	req.Context = callContext(a.now(), req.Caller, h.context, h.mfa)
	if f.organization != nil {
		req.Context["aws:PrincipalOrgID"] = policy.One(f.organization.ID)
	}
	f.tags(req.Context)
	if f.noRole {
		return noRole(req)
	}
	found := decide(req, gaps)
	maybeMFA := before == nil && l.token && !h.mfa
	if keys := unknownKeys(found.Result, maybeMFA); len(keys) > 0 {
		found = decide(req, append(gaps, keys...))
	}
	f.checkRole(&found, h.Call.RoleARN)
	f.checkDuration(&found, h)
	return found
}

// sessionPolicy puts the session policy in force for the caller's session into the request. It can't be read back: only one
// that this chain itself sends is known.
func (l *live) sessionPolicy(ctx context.Context, req *policy.Request, before *assume.Call, kind profile.SourceKind) []gap {
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
		doc, err := l.managed(ctx, accountOfARN(req.Caller.ARN), arn)
		if err != nil {
			gaps = append(gaps, gap{policy.SideSession, "the session policy " + clean(arn) + ": " + clean(err.Error())})
			continue
		}
		docs = append(docs, doc)
	}
	for _, d := range docs {
		req.Session = joinDocument(req.Session, d)
	}
	return gaps
}

func (l *live) managed(ctx context.Context, account, arn string) (*policy.Document, error) {
	err := errNoCredentials
	for _, r := range l.in(account) {
		var doc *policy.Document
		if doc, err = r.client.Managed(ctx, arn); err == nil {
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
func noRole(req *policy.Request) finding {
	why := "there is no role " + clean(req.RoleARN) + " in account " + accountOfARN(req.RoleARN)
	return finding{req: req, Result: &policy.Result{
		Decision: policy.DecisionDeny, Missing: []policy.Missing{}, Warnings: []string{}, Trace: []policy.Step{},
		Reasons: []policy.Reason{{Side: policy.SideRequest, Effect: policy.EffectNone, Why: why}},
	}}
}

// checkDuration notes a duration over the role's own maximum, which AWS refuses whatever the policies say.
func (f *facts) checkDuration(found *finding, h *hopReport) {
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
			what := "whether " + clean(s.Policy) + ", statement " + clean(s.Statement) + " applies: it asks for " + clean(c.Key) + ", which only the real request carries"
			unknown := unknowable(c.Key) || maybeMFA && strings.EqualFold(c.Key, "aws:MultiFactorAuthPresent")
			if c.Request == nil && unknown && !seen[what] {
				seen[what] = true
				gaps = append(gaps, gap{s.Side, what})
			}
		}
	}
	return gaps
}
