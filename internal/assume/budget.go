package assume

import (
	"context"
	"errors"
	"time"
)

// errTimeout is the cause of a context that a limit ended.
var errTimeout = errors.New("no answer within --timeout")

// within bounds one step's network time. The time a person needs for a code is
// never inside it.
func within(ctx context.Context, limit time.Duration, fn func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errTimeout)
	defer cancel()
	err := fn(ctx)
	if err != nil && errors.Is(context.Cause(ctx), errTimeout) {
		return &TimeoutError{After: limit, Err: err}
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
