package credserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// botocore asks again, at every API call, for credentials with under 15 minutes
// left, and refuses to go on under 10. What we give has more than that: it is
// renewed in the background from 25 minutes on, and from 16 nobody is answered
// before it is. Sessions that are too short for this use fractions of their life.
const (
	// DefaultAtLeast is what an answer's credentials have left, unless no more is to be had.
	DefaultAtLeast = 16 * time.Minute

	ahead  = 9 * time.Minute // renewed in the background so long before that
	margin = time.Minute     // asked for on top, so that the call itself may take time

	retryPause = 30 * time.Second // between background renewals that fail
)

// source keeps the credentials of one profile fresh. However many ask, one call
// is made; it runs on its own time limit, and only success is kept.
type source struct {
	name     string
	provider Provider
	limit    func() (context.Context, context.CancelFunc) // of one call; ends with the server
	pending  *sync.WaitGroup
	now      func() time.Time
	log      *slog.Logger
	atLeast  time.Duration // nobody is answered with less, if more is to be had

	mu    sync.Mutex
	have  Credentials
	renew time.Duration // with less left, ask in the background
	serve time.Duration // with less left, ask before answering
	call  *call         // in flight, or nil
	retry time.Time     // no background call before this
}

type call struct {
	done  chan struct{}
	creds Credentials
	err   error
}

// get answers from memory while there is time enough left, and otherwise waits
// for the one call that all who ask share.
func (s *source) get(ctx context.Context) (Credentials, error) {
	s.mu.Lock()
	left := s.left()
	if left > s.serve {
		if left <= s.renew && s.call == nil && !s.now().Before(s.retry) {
			s.start(s.atLeast + ahead + margin)
		}
		defer s.mu.Unlock()
		return s.have, nil
	}
	if s.call == nil {
		s.start(s.atLeast + margin)
	}
	c := s.call
	s.mu.Unlock()
	select {
	case <-c.done:
		return c.creds, c.err
	case <-ctx.Done():
		return Credentials{}, ctx.Err()
	}
}

// left is how long the kept credentials last; negative when there are none.
// Keys that do not expire are asked for each time: that costs no call to AWS.
func (s *source) left() time.Duration {
	if s.have.Expiration.IsZero() {
		return -1
	}
	return s.have.Expiration.Sub(s.now())
}

// start makes the call. The caller holds s.mu.
func (s *source) start(atLeast time.Duration) {
	c := &call{done: make(chan struct{})}
	s.call = c
	s.pending.Add(1)
	go func() {
		defer s.pending.Done()
		ctx, cancel := s.limit()
		defer cancel()
		c.creds, c.err = s.ask(ctx, atLeast)
		s.finish(c)
		close(c.done)
	}()
}

// ask calls the provider and refuses what must not be served.
func (s *source) ask(ctx context.Context, atLeast time.Duration) (creds Credentials, err error) {
	defer func() {
		// A panic here would end the process and everybody who relies on it.
		if p := recover(); p != nil {
			creds, err = Credentials{}, fmt.Errorf("refresh profile %q: internal error (%T)", s.name, p)
		}
	}()
	creds, err = s.provider.Credentials(ctx, atLeast)
	switch {
	case err != nil:
		if end := ctx.Err(); end != nil && !errors.Is(err, end) {
			err = fmt.Errorf("%w (%w)", err, end)
		}
		return Credentials{}, err
	case creds.AccessKeyID == "" || creds.SecretAccessKey == "":
		return Credentials{}, fmt.Errorf("refresh profile %q: the credentials are empty", s.name)
	case !creds.Expiration.IsZero() && !creds.Expiration.After(s.now()):
		return Credentials{}, fmt.Errorf("refresh profile %q: the credentials expired at %s", s.name, creds.Expiration.UTC().Format(time.RFC3339))
	}
	return creds, nil
}

// finish keeps what a call brought, if it brought anything.
func (s *source) finish(c *call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.call = nil
	if c.err != nil {
		s.retry = s.now().Add(min(retryPause, (s.renew-s.serve)/10))
		s.log.Warn("refresh failed", "profile", s.name, "error", c.err.Error())
		return
	}
	s.have, s.retry = c.creds, time.Time{}
	s.renew, s.serve = windowsFor(s.left(), s.atLeast)
	s.log.Info("refreshed", "profile", s.name, "expires", c.creds.Expiration)
}

// windowsFor gives the two times for credentials that have left to live. A provider
// that was asked for more and gave less has no more to give: its sessions are short.
func windowsFor(left, atLeast time.Duration) (renew, serve time.Duration) {
	renew, serve = atLeast+ahead, atLeast
	if left <= renew {
		renew = left * 2 / 3
	}
	if left <= serve {
		serve = left / 2
	}
	return max(renew, serve), serve
}
