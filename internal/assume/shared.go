package assume

import (
	"context"
	"sync"
	"time"
)

// Shared makes each step once for all plans of one process that have it in
// common: an MFA session, an inner hop, one account's role in many regions.
// Everybody who asks while a step is under way waits for its answer. All
// callers belong to one run and share its context.
type Shared struct {
	Now func() time.Time // nil means time.Now

	mu    sync.Mutex
	steps map[Fingerprint]*flight
}

// renewAhead is how long before its end a shared session is made again.
const renewAhead = 5 * time.Minute

// flight is one step being made, or made.
type flight struct {
	done    chan struct{}
	session Session
	err     error
}

// sharedStep is a step, or a source, that is made once.
type sharedStep struct {
	shared *Shared
	inner  Provider
	step   Step
}

// share puts a step behind the others of its key. inner makes it.
func (s *Shared) share(inner Provider, step Step) Provider { return &sharedStep{s, inner, step} }

// Credentials makes the session, or waits for whoever is making it.
func (p *sharedStep) Credentials(ctx context.Context) (Session, error) {
	f, mine := p.shared.join(p.step.Key)
	if mine {
		f.session, f.err = p.inner.Credentials(ctx)
		p.shared.settle(p.step, f)
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

// stale tells a finished flight whose session is about to end.
func (s *Shared) stale(f *flight) bool {
	select {
	case <-f.done:
		return f.err == nil && f.session.LeftAt(s.now()) < renewAhead
	default:
		return false
	}
}

// settle forgets a failure, so that the next plan tries anew. A person who did
// not give a code is not asked again by every account in turn.
func (s *Shared) settle(step Step, f *flight) {
	if f.err == nil || step.NeedsPerson {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.steps, step.Key)
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
