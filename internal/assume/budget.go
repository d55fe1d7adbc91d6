package assume

import (
	"context"
	"errors"
	"sync"
	"time"
)

// errTimeout is the cause of a context that a limit ended.
var errTimeout = errors.New("no answer within --timeout")

// errThrottled is the cause of a context whose call was throttled too long.
var errThrottled = errors.New("throttled all the time")

// budget is the network time of one step. It stands still while the call waits
// for the others at the gate: that AWS is busy says nothing of this call.
type budget struct {
	end context.CancelCauseFunc

	mu       sync.Mutex
	left     time.Duration
	since    time.Time
	timer    *time.Timer
	pauses   int           // at least one waits at the gate
	patience time.Duration // what the call itself may be throttled in all
}

// patienceFactor is how many times --timeout a call may spend being throttled.
const patienceFactor = 2

type budgetKey struct{}

// budgetOf gives the budget that a call is under, or nil.
func budgetOf(ctx context.Context) *budget {
	b, _ := ctx.Value(budgetKey{}).(*budget)
	return b
}

func (b *budget) run() {
	b.since = time.Now()
	b.timer = time.AfterFunc(b.left, func() { b.end(errTimeout) })
}

// pause stops the time, resume lets it go on. A nil budget has no time.
func (b *budget) pause() {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pauses++; b.pauses == 1 && b.timer.Stop() {
		b.left -= time.Since(b.since)
	}
}

func (b *budget) resume() {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pauses--; b.pauses == 0 {
		b.run()
	}
}

// throttled takes a pause that the call itself caused from its patience.
func (b *budget) throttled(pause time.Duration) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.patience -= pause; b.patience < 0 {
		b.end(errThrottled)
	}
}

// within bounds one step's network time. The time a person needs for a code is
// never inside it.
func within(ctx context.Context, limit time.Duration, fn func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	b := &budget{end: cancel, left: limit, patience: patienceFactor * limit}
	b.mu.Lock()
	b.run()
	b.mu.Unlock()
	defer b.pause()
	err := fn(context.WithValue(ctx, budgetKey{}, b))
	if err == nil {
		return nil
	}
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errTimeout):
		return &TimeoutError{After: limit, Err: context.DeadlineExceeded}
	case errors.Is(cause, errThrottled):
		return &ThrottledError{After: patienceFactor * limit}
	}
	return err
}

// TimeoutError says that something did not answer in time.
type TimeoutError struct {
	After time.Duration
	Err   error
}

func (e *TimeoutError) Error() string {
	return "no answer within " + e.After.Round(time.Millisecond).String()
}

// Unwrap gives what was under way.
func (e *TimeoutError) Unwrap() error { return e.Err }

// Hints says how to wait longer.
func (e *TimeoutError) Hints() []string {
	return []string{"check the network and the endpoint; --timeout gives it longer"}
}

// ThrottledError says that AWS throttled a call at each try.
type ThrottledError struct{ After time.Duration }

func (e *ThrottledError) Error() string {
	return "AWS throttles it, again and again for " + e.After.Round(time.Millisecond).String()
}

// Hints says how to ask for less.
func (e *ThrottledError) Hints() []string {
	return []string{"ask for less at once (--parallel), or later; --timeout waits longer"}
}

// sleep waits, unless ctx ends before.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
