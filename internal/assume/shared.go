package assume

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Shared makes each step once for all plans of one process that have it in
// common: an MFA session, an inner hop, one account's role in many regions.
// Everybody who asks while a step is under way waits for its answer. All
// callers belong to one run and share its context.
type Shared struct {
	Now func() time.Time // nil means time.Now

	mu      sync.Mutex
	steps   map[Fingerprint]*flight
	clients map[string]lateClient
}

const (
	// renewAhead is how long before its end a shared session is made again; one
	// that is shorter from the start, at half of its life.
	renewAhead = 5 * time.Minute
	// failureStands is for how long what many plans have in common is not tried
	// again after a failure: thousands that wait for it must not try in turn.
	failureStands = time.Second
)

// flight is one step being made, or made.
type flight struct {
	done    chan struct{}
	session Session
	err     error
	renew   time.Time // when it is made again; zero is never
}

// sharedStep is a step, or a source, that is made once.
type sharedStep struct {
	shared *Shared
	inner  Provider
	step   Step
	common bool // other plans go on from it
}

// share puts a step behind the others of its key. inner makes it; common tells
// that it is not the last step of its plan.
func (s *Shared) share(inner Provider, step Step, common bool) Provider {
	return &sharedStep{s, inner, step, common}
}

// client is one for all runners that trust the same certificates, so that all
// regions and endpoints together have one set of connections.
func (s *Shared) client(where Where, fresh lateClient) lateClient {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, ok := s.clients[where.CABundle]; ok {
		return c
	}
	if s.clients == nil {
		s.clients = map[string]lateClient{}
	}
	s.clients[where.CABundle] = fresh
	return fresh
}

// Credentials makes the session, or waits for whoever is making it.
func (p *sharedStep) Credentials(ctx context.Context) (Session, error) {
	f, mine := p.shared.join(p.step.Key)
	if mine {
		f.session, f.err = p.inner.Credentials(ctx)
		p.settle(f)
		close(f.done)
	}
	select {
	case <-f.done:
		return f.session, f.err
	case <-ctx.Done():
		return Session{}, context.Cause(ctx)
	}
}

func (p *sharedStep) becomeInner() { becomeInner(p.inner) }

func (p *sharedStep) asksFirst() bool { return asksFirst(p.inner) }

// join finds the flight of a key, or starts one that is the caller's to make.
func (s *Shared) join(key Fingerprint) (f *flight, mine bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.steps[key]; f != nil && !s.stale(f) {
		return f, false
	}
	if s.steps == nil {
		s.steps = map[Fingerprint]*flight{}
	}
	f = &flight{done: make(chan struct{})}
	s.steps[key] = f
	return f, true
}

// stale tells a finished flight that is to be made again.
func (s *Shared) stale(f *flight) bool {
	select {
	case <-f.done:
		return !f.renew.IsZero() && s.now().After(f.renew)
	default:
		return false
	}
}

// settle decides how long a finished flight stands. The failure of a last step
// is its own plan's, and the next try is a new one. What is common was refused
// for all: AWS would say no again, and a person who gave no code is not asked by
// every account in turn.
func (p *sharedStep) settle(f *flight) {
	s := p.shared
	var denied *DeniedError
	var person *PersonError
	now := s.now()
	switch {
	case f.err == nil:
		left := f.session.LeftAt(now)
		f.renew = now.Add(left - min(renewAhead, left/2))
	case p.step.NeedsPerson, p.common && (errors.As(f.err, &denied) || errors.As(f.err, &person)):
	case p.common:
		f.renew = now.Add(failureStands)
	default:
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.steps, p.step.Key)
	}
}

func (s *Shared) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}

// plainStep makes the step's call each time it is asked.
func plainStep(prev Provider, step Step) Provider {
	return ProviderFunc(func(ctx context.Context) (Session, error) {
		caller, err := prev.Credentials(ctx)
		if err != nil {
			return Session{}, err
		}
		return step.Exchange(ctx, caller)
	})
}
