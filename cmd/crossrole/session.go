package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"crossrole/internal/assume"
	"crossrole/internal/credserver"
	"crossrole/internal/output"
)

// sessionVariables are what a child's environment gets of a session that does
// not refresh. What contradicts it is taken away with the parent's variables.
func sessionVariables(c output.Credentials) map[string]string {
	vars := map[string]string{}
	for _, v := range output.Variables(c) {
		if !v.Unset {
			vars[v.Name] = v.Value
		}
	}
	return vars
}

// placeVariables tell a child where it is, without credentials.
func placeVariables(r resolved) map[string]string {
	vars := map[string]string{"CROSSROLE_PROFILE": r.chain.Name}
	if region := r.region(); region != "" {
		vars["AWS_REGION"], vars["AWS_DEFAULT_REGION"] = region, region
	}
	return vars
}

// sessions hands out sessions of one plan, again and again, over one set of
// connections.
type sessions struct {
	r      resolved
	now    func() time.Time
	runner *assume.Runner
	keeper func(minTTL time.Duration) *assume.Keeper // gives nil where nothing is kept

	mu     sync.Mutex
	keeps  *assume.Keeper
	strung map[time.Duration]assume.Provider
}

func (f *planFlags) sessions(a *app, r resolved) (*sessions, error) {
	deps := f.deps(a)
	s := &sessions{r: r, now: a.now, strung: map[time.Duration]assume.Provider{}}
	s.keeper = func(minTTL time.Duration) *assume.Keeper { return f.keeperFor(a, minTTL) }
	deps.Keep = s.keep
	runner, err := assume.NewRunner(r.plan.Where, deps)
	s.runner = runner
	return s, err
}

// keep puts a step behind the store that provider has chosen.
func (s *sessions) keep(prev assume.Provider, step assume.Step) assume.Provider {
	if s.keeps != nil {
		return s.keeps.Keep(prev, step)
	}
	return assume.ProviderFunc(func(ctx context.Context) (assume.Session, error) {
		caller, err := prev.Credentials(ctx)
		if err != nil {
			return assume.Session{}, err
		}
		return step.Exchange(ctx, caller)
	})
}

// provider strings the plan together for sessions of at least so much life.
func (s *sessions) provider(minTTL time.Duration) (assume.Provider, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p, ok := s.strung[minTTL]; ok {
		return p, nil
	}
	s.keeps = s.keeper(minTTL)
	p, err := s.runner.Provider(s.r.plan)
	if err == nil {
		s.strung[minTTL] = p
	}
	return p, err
}

// forgetCode takes the code of the command line out of the plan once it was used:
// AWS takes a code once, and whatever comes later must ask for another.
func (s *sessions) forgetCode() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.r.plan.MFACode.IsSet() {
		s.r.plan.MFACode = assume.Secret{}
		clear(s.strung)
	}
}

// lasting gives a session that is good for at least so long. A *ShortError may
// come with the session that is too short.
func (s *sessions) lasting(ctx context.Context, atLeast time.Duration) (assume.Session, error) {
	p, err := s.provider(atLeast)
	if err != nil {
		return assume.Session{}, err
	}
	session, err := p.Credentials(ctx)
	if err != nil {
		return assume.Session{}, err
	}
	if left := session.LeftAt(s.now()); left < atLeast {
		return session, &assume.ShortError{Profile: s.r.chain.Name, Left: left, Want: atLeast}
	}
	return session, nil
}

// longest gives the session with the most life that can be had without more
// than the plan's own questions: one of at least so long, and else what there is.
func (s *sessions) longest(ctx context.Context, atLeast time.Duration) (assume.Session, error) {
	session, err := s.lasting(ctx, atLeast)
	_, short := errors.AsType[*assume.ShortError](err)
	switch {
	case short && session.AccessKeyID != "":
		return session, nil
	case !short && (err == nil || exitCode(err) != exitPerson):
		return session, err
	}
	p, lax := s.provider(0)
	if lax != nil {
		return assume.Session{}, lax
	}
	if session, lax = p.Credentials(ctx); lax != nil && !short {
		return assume.Session{}, err // what the person was asked for, not for what after
	}
	return session, lax
}

// checkLife refuses a plan whose sessions can't last, before anything is called.
func checkLife(r resolved, atLeast time.Duration) error {
	calls := r.plan.Calls
	if len(calls) == 0 {
		return nil
	}
	life := calls[len(calls)-1].Duration
	if life == 0 {
		life = time.Hour // STS's own default
	}
	if life >= atLeast {
		return nil
	}
	return &configError{
		Why:    fmt.Sprintf("sessions of profile %s last %s, and --min-ttl wants %s", strconv.Quote(r.chain.Name), assume.Spell(life), assume.Spell(atLeast)),
		Advice: []string{"ask for longer ones with --duration, as far as the role's maximum allows", "exec --serve renews them while the command runs"},
	}
}

// endpointProvider answers for a profile's sessions at the endpoint.
//
// A session that only a person can renew is handed out to its end, and the person
// asked then and not before: clients wait two seconds, people take longer, and a
// question in the background is one that nobody sees.
type endpointProvider struct {
	sessions *sessions

	mu     sync.Mutex
	have   assume.Session
	primed bool // have was obtained just now, and answers the first call
}

// Credentials renews as far as that is possible without a person.
func (p *endpointProvider) Credentials(ctx context.Context, atLeast time.Duration) (credserver.Credentials, error) {
	p.mu.Lock() // the endpoint makes one call at a time
	defer p.mu.Unlock()
	if p.primed {
		p.primed = false
		return p.answer(p.have), nil
	}
	session, err := p.obtain(ctx, atLeast)
	if err != nil {
		return credserver.Credentials{}, endpointError(err)
	}
	p.have = session
	p.sessions.forgetCode()
	return p.answer(session), nil
}

func (p *endpointProvider) obtain(ctx context.Context, atLeast time.Duration) (assume.Session, error) {
	s := p.sessions
	if p.have.AccessKeyID == "" || !s.r.plan.NeedsPerson() {
		return s.longest(ctx, atLeast)
	}
	if s.keeper(0) == nil && p.have.LeftAt(s.now()) > 0 {
		return p.have, nil // nothing else remembers it
	}
	return s.lasting(ctx, 0)
}

func (p *endpointProvider) answer(s assume.Session) credserver.Credentials {
	return credserver.Credentials{
		AccessKeyID: s.AccessKeyID, SecretAccessKey: s.SecretAccessKey.Reveal(), Token: s.SessionToken.Reveal(),
		Expiration: s.Expires, AccountID: s.AccountID, RoleARN: roleOf(p.sessions.r),
	}
}

// roleOf is the ARN of the role that a chain ends in, or "".
func roleOf(r resolved) string {
	if calls := r.plan.Calls; len(calls) > 0 {
		return calls[len(calls)-1].Role.String()
	}
	if r.plan.Exchange != nil {
		return r.plan.Exchange.Role.String()
	}
	return ""
}

// endpointError chooses the status that makes an SDK do the right thing: it
// asks again after a 5xx, and gives up at a 4xx.
func endpointError(err error) error {
	e := &credserver.Error{Status: http.StatusBadGateway, Code: "RefreshFailed", Message: err.Error(), Err: err}
	switch exitCode(err) {
	case exitDenied:
		e.Status, e.Code = http.StatusForbidden, "AccessDenied"
	case exitPerson:
		e.Status, e.Code = http.StatusForbidden, "PersonNeeded"
	case exitConfiguration:
		e.Status, e.Code = http.StatusBadRequest, "InvalidConfiguration"
	default:
		return err
	}
	return e
}

// keeperFor is a keeper for another --min-ttl over the same store.
func (f *cacheFlags) keeperFor(a *app, minTTL time.Duration) *assume.Keeper {
	k := f.keeper
	if k == nil {
		return nil
	}
	return &assume.Keeper{Store: k.Store, Refresh: k.Refresh, MinTTL: minTTL, Timeout: k.Timeout, Notice: k.Notice, Now: a.now}
}
