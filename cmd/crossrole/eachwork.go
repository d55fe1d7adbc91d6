package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"

	"crossrole/internal/assume"
	child "crossrole/internal/run"
)

// outcome is what became of one target.
type outcome struct {
	index   int
	target  target
	arn     string
	code    int // the command's, or ours when none ran
	seconds float64
	err     error
	out     *spool // nil when the output went elsewhere
	errs    *spool
	session assume.Session
	region  string // of the command, once the plan is known
}

// close lets go of the outcome's output.
func (o *outcome) close() {
	o.out.close()
	o.errs.close()
}

// crew works through the targets, so many at once.
type crew struct {
	a       *app
	o       *eachOptions
	command []string
	sink    sink
	kill    <-chan struct{}
}

// work runs every target and gives each outcome to done, from one goroutine
// and in the order in which they end. What was never begun has no outcome.
func (c *crew) work(ctx context.Context, targets []target, done func(*outcome)) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	next := make(chan int)
	results := make(chan *outcome)
	var workers sync.WaitGroup
	for range min(c.o.parallel, max(len(targets), 1)) {
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
	for r := range results {
		if c.mustStop(r) {
			stop(errFailFast)
		}
		done(r)
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
	return r.code != exitDone && c.o.failFast || errors.Is(r.err, errInterrupted)
}

// one obtains a target's session and runs its command, again if --retries
// allows and the failure may pass.
func (c *crew) one(ctx context.Context, i int, t target) *outcome {
	start := c.a.now()
	c.o.bar.begin()
	var r *outcome
	for try := 0; ; try++ {
		r = &outcome{index: i, target: t}
		r.code, r.err = c.try(ctx, r)
		if r.code == exitDone || try >= c.o.retries || ctx.Err() != nil || !worthAnother(r) {
			break
		}
		r.close()
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(try+1) * 500 * time.Millisecond):
		}
	}
	r.seconds = c.a.now().Sub(start).Seconds()
	return r
}

// worthAnother tells failures that another try could cure.
func worthAnother(r *outcome) bool {
	if r.err == nil {
		return true // the command's own failure
	}
	var start *child.StartError
	return exitCode(r.err) == exitFailed && !errors.As(r.err, &start)
}

func (c *crew) try(ctx context.Context, r *outcome) (int, error) {
	plan, err := r.target.make()
	if err != nil {
		return exitCode(err), err
	}
	r.region = firstOf(r.target.region, plan.region())
	command, err := c.find(r)
	if err != nil {
		return startCode(err), err
	}
	if err := c.obtain(ctx, r, plan); err != nil {
		return exitCode(err), err
	}
	if len(c.command) == 0 {
		return exitDone, nil
	}
	return c.runCommand(ctx, r, command)
}

// find looks for the command before anything is asked or called for it. The
// account of a profile may be unknown then: it is filled in later.
func (c *crew) find(r *outcome) (child.Command, error) {
	if len(c.command) == 0 {
		return child.Command{}, nil
	}
	word := expand(c.command[:1], r)[0]
	path, err := child.Find(word, c.a.getenv("PATH"))
	_, own := c.sink.(streamed)
	return child.Command{Path: path, Apart: !own, Kill: c.kill}, err
}

// obtain gets the target's session.
func (c *crew) obtain(ctx context.Context, r *outcome, plan resolved) error {
	runner, err := c.o.runner(c.a, plan.plan.Where)
	if err != nil {
		return err
	}
	p, err := runner.Provider(plan.plan)
	if err != nil {
		return err
	}
	if r.session, err = p.Credentials(ctx); err != nil {
		return stopped(ctx, err)
	}
	r.arn = r.session.ARN
	if r.target.account == "" {
		r.target.account = r.session.AccountID
	}
	return nil
}

// stopped names a cancelled target for what it is.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() == nil || !errors.Is(err, context.Canceled) && !errors.Is(err, context.Cause(ctx)) {
		return err
	}
	if stop, ok := errors.AsType[*stopError](context.Cause(ctx)); ok {
		return stop
	}
	return errInterrupted
}

// runners are one for each place where plans are called.
type runners struct {
	deps assume.Deps

	mu sync.Mutex
	by map[string]*assume.Runner
}

// runner is the one for where the plan is called.
func (o *eachOptions) runner(a *app, where assume.Where) (*assume.Runner, error) {
	c := &o.runners
	key := strings.Join([]string{where.Region, where.Endpoint, where.CABundle, fmt.Sprint(where.Global, where.FIPS, where.Dualstack)}, "\x00")
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.by[key]; r != nil {
		return r, nil
	}
	if c.by == nil {
		c.by, c.deps = map[string]*assume.Runner{}, o.manyDeps(a)
	}
	r, err := assume.NewRunner(where, c.deps)
	if err == nil {
		c.by[key] = r
	}
	return r, err
}

// stopGrace is how long a child that was asked to stop may take.
const stopGrace = 5 * time.Second

// runCommand runs the command with the session's variables.
func (c *crew) runCommand(ctx context.Context, r *outcome, command child.Command) (int, error) {
	command.Args = expand(c.command, r)
	if command.Args[0] != command.Path && strings.Contains(command.Args[0], "/") {
		command.Path = command.Args[0] // now that the account is known
	}
	command.Env = child.Environ(c.a.environ(), childVariables(r), runtime.GOOS == "windows")
	streams, err := c.sink.open(r)
	if err != nil {
		return exitFailed, err
	}
	code, err := child.Supervise(ctx, command, child.Streams{In: nil, Out: streams.out, Err: streams.errs}, stopGrace)
	unwritten := streams.finish()
	switch {
	case err != nil:
		return startCode(err), err
	case ctx.Err() != nil && code != 0:
		return code, stopped(ctx, context.Canceled)
	case unwritten != nil:
		return max(code, exitFailed), fmt.Errorf("writing the command's output: %w", unwritten)
	}
	return code, nil
}

// startCode is 126 or 127, as shells have it.
func startCode(err error) int {
	var start *child.StartError
	if errors.As(err, &start) {
		return start.Status
	}
	return exitFailed
}

// expand fills {account}, {profile} and {region} into a command's arguments.
func expand(command []string, r *outcome) []string {
	fill := strings.NewReplacer("{account}", r.target.account, "{profile}", r.target.profile, "{region}", r.region)
	out := make([]string, len(command))
	for i, word := range command {
		out[i] = fill.Replace(word)
	}
	return out
}

// childVariables are the session's, and which target it is.
func childVariables(r *outcome) map[string]string {
	vars := sessionVariables(openSession(r.session, r.target.profile, r.region))
	vars["CROSSROLE_ACCOUNT"] = r.target.account
	return vars
}
