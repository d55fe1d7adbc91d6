package each

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"

	child "crossrole/internal/run"
)

// outcome is what became of one target.
type outcome struct {
	index   int
	target  Target
	arn     string
	code    int // the command's, or ours when none ran
	seconds float64
	err     error
	out     *spool // nil when the output went elsewhere
	errs    *spool
	session Session
	region  string // of the command, once the plan is known
	warns   []string
}

// close lets go of the outcome's output.
func (o *outcome) close() {
	o.out.close()
	o.errs.close()
}

// crew works through the targets, so many at once.
type crew struct {
	o    *Options
	sink sink
}

// work runs every target and gives each outcome to the keeper, from one
// goroutine and in the order in which they end. What was never begun has no
// outcome.
func (c *crew) work(ctx context.Context, targets []Target, to *keeper) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	next := make(chan int)
	results := make(chan *outcome)
	var workers sync.WaitGroup
	for range min(max(c.o.Parallel, 1), max(len(targets), 1)) {
		workers.Go(func() {
			for i := range next {
				results <- c.one(ctx, i, targets[i])
			}
		})
	}
	go func() {
		defer close(results)
		defer workers.Wait()
		defer close(next)
		for i := range targets {
			select {
			case next <- i:
			case <-ctx.Done():
				return
			}
		}
	}()
	for {
		select {
		case r, more := <-results:
			if !more {
				return
			}
			if c.mustStop(r) {
				stop(errFailFast)
			}
			to.add(r)
		case <-to.due():
			to.flush()
		}
	}
}

// stopError is why a run ended before all was done.
type stopError struct{ why string }

func (e *stopError) Error() string { return e.why }

var (
	errFailFast = &stopError{"stopped, because another account failed"}
	errUnheard  = &stopError{"stopped, because the output can't be written any more"}
)

// mustStop tells whether an outcome ends the whole run.
func (c *crew) mustStop(r *outcome) bool {
	return r.code != codeDone && c.o.FailFast || errors.Is(r.err, c.o.Interrupted)
}

// one obtains a target's session and runs its command, again if Retries
// allows and the failure may pass.
func (c *crew) one(ctx context.Context, i int, t Target) *outcome {
	start := c.o.Now()
	c.o.Progress.begin()
	var r *outcome
	for try := 0; ; try++ {
		r = &outcome{index: i, target: t}
		r.code, r.err = c.try(ctx, r)
		if r.code == codeDone || try >= c.o.Retries || ctx.Err() != nil || !c.worthAnother(r) {
			break
		}
		r.close()
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(try+1) * 500 * time.Millisecond):
		}
	}
	r.seconds = c.o.Now().Sub(start).Seconds()
	return r
}

// worthAnother tells failures that another try could cure.
func (c *crew) worthAnother(r *outcome) bool {
	if r.err == nil {
		return true // the command's own failure
	}
	_, unstarted := errors.AsType[*child.StartError](r.err)
	return c.codeOf(r.target, r.err) == codeFailed && !unstarted
}

func (c *crew) codeOf(t Target, err error) int { return c.o.Judge(t, err).Code }

func (c *crew) try(ctx context.Context, r *outcome) (int, error) {
	plan, err := r.target.Plan()
	if err != nil {
		return c.codeOf(r.target, err), err
	}
	r.region, r.warns = firstOf(r.target.Region, plan.Region()), plan.Warnings()
	command, err := c.find(r)
	if err != nil {
		return startCode(err), err
	}
	if err := obtain(ctx, r, plan); err != nil {
		err = c.stopped(ctx, err)
		return c.codeOf(r.target, err), err
	}
	if len(c.o.Command) == 0 {
		return codeDone, nil
	}
	return c.runCommand(ctx, r, command)
}

// find looks for the command before anything is asked or called for it. The
// account of a profile may be unknown then: it is filled in later.
func (c *crew) find(r *outcome) (child.Command, error) {
	if len(c.o.Command) == 0 {
		return child.Command{}, nil
	}
	word := expand(c.o.Command[:1], r)[0]
	path, err := child.Find(word, c.o.Path)
	return child.Command{Path: path, Apart: c.o.Output != Stream, Kill: c.o.Kill}, err
}

// obtain gets the target's session.
func obtain(ctx context.Context, r *outcome, plan Plan) (err error) {
	if r.session, err = plan.Obtain(ctx); err != nil {
		return err
	}
	r.arn = r.session.ARN()
	if r.target.Account == "" {
		r.target.Account = r.session.Account()
	}
	return nil
}

// stopped names a cancelled target for what it is.
func (c *crew) stopped(ctx context.Context, err error) error {
	if ctx.Err() == nil || !errors.Is(err, context.Canceled) && !errors.Is(err, context.Cause(ctx)) {
		return err
	}
	if stop, ok := errors.AsType[*stopError](context.Cause(ctx)); ok {
		return stop
	}
	return c.o.Interrupted
}

// StopGrace is how long a command that was asked to stop may take.
const StopGrace = 5 * time.Second

// runCommand runs the command with the session's variables.
func (c *crew) runCommand(ctx context.Context, r *outcome, command child.Command) (int, error) {
	command.Args = expand(c.o.Command, r)
	if command.Args[0] != command.Path && strings.Contains(command.Args[0], "/") {
		command.Path = command.Args[0] // now that the account is known
	}
	command.Env = child.Environ(c.o.Environ, childVariables(r), runtime.GOOS == "windows")
	streams, err := c.sink.open(r)
	if err != nil {
		return codeFailed, err
	}
	code, err := child.Supervise(ctx, command, child.Streams{In: nil, Out: streams.out, Err: streams.errs}, StopGrace)
	unwritten := streams.finish()
	switch {
	case err != nil:
		return startCode(err), err
	case ctx.Err() != nil && code != 0:
		return code, c.stopped(ctx, context.Canceled)
	case unwritten != nil:
		return max(code, codeFailed), fmt.Errorf("writing the command's output: %w", unwritten)
	}
	return code, nil
}

// startCode is 126 or 127, as shells have it.
func startCode(err error) int {
	if start, ok := errors.AsType[*child.StartError](err); ok {
		return start.Status
	}
	return codeFailed
}

// expand fills {account}, {profile} and {region} into a command's arguments.
func expand(command []string, r *outcome) []string {
	fill := strings.NewReplacer("{account}", r.target.Account, "{profile}", r.target.Profile, "{region}", r.region)
	out := make([]string, len(command))
	for i, word := range command {
		out[i] = fill.Replace(word)
	}
	return out
}

// childVariables are the session's, and which target it is.
func childVariables(r *outcome) map[string]string {
	vars := r.session.Variables(r.region)
	vars["CROSSROLE_ACCOUNT"] = r.target.Account
	return vars
}
