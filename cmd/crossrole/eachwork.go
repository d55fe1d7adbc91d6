package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"crossrole/internal/assume"
	"crossrole/internal/output"
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
	region  string
}

// close lets go of the outcome's files.
func (o *outcome) close() {
	o.out.close()
	o.errs.close()
	o.session = assume.Session{}
}

// crew works through the targets, so many at once.
type crew struct {
	a       *app
	o       *eachOptions
	command []string
	deps    assume.Deps
	sink    sink

	mu      sync.Mutex
	runners map[string]*assume.Runner
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
			stop(errStopped)
		}
		done(r)
	}
}

// errStopped ends a run early, by --fail-fast or because nobody gave a code.
var errStopped = errors.New("not begun: the run was stopped")

// mustStop tells whether an outcome ends the whole run: with --fail-fast any
// failure does, and without a person to give the code all would fail alike.
func (c *crew) mustStop(r *outcome) bool {
	if r.code == exitDone {
		return false
	}
	var person *assume.PersonError
	return c.o.failFast || errors.As(r.err, &person) || errors.Is(r.err, errInterrupted)
}

// one obtains a target's session and runs its command, again if --retries
// allows and the failure may pass.
func (c *crew) one(ctx context.Context, i int, t target) *outcome {
	start := c.a.now()
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
	return exitCode(r.err) == exitFailed
}

func (c *crew) try(ctx context.Context, r *outcome) (int, error) {
	err := c.obtain(ctx, r)
	if err != nil {
		return exitCode(err), err
	}
	if len(c.command) == 0 {
		return exitDone, nil
	}
	return c.runCommand(ctx, r)
}

// obtain gets the target's session.
func (c *crew) obtain(ctx context.Context, r *outcome) error {
	plan, err := r.target.make()
	if err != nil {
		return err
	}
	runner, err := c.runner(plan.plan.Where)
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
	r.region = firstOf(r.target.region, plan.region())
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
	if errors.Is(context.Cause(ctx), errStopped) {
		return errStopped
	}
	return errInterrupted
}

// runner is the one for where the plan is called: its connections are reused.
func (c *crew) runner(where assume.Where) (*assume.Runner, error) {
	key := strings.Join([]string{where.Region, where.Endpoint, where.CABundle, fmt.Sprint(where.Global, where.FIPS, where.Dualstack)}, "\x00")
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.runners[key]; r != nil {
		return r, nil
	}
	r, err := assume.NewRunner(where, c.deps)
	if err == nil {
		c.runners[key] = r
	}
	return r, err
}

// stopGrace is how long a child that was asked to stop may take.
const stopGrace = 5 * time.Second

// runCommand runs the command with the session's variables.
func (c *crew) runCommand(ctx context.Context, r *outcome) (int, error) {
	args := expand(c.command, r)
	path, err := child.Find(args[0], c.a.getenv("PATH"))
	if err != nil {
		return startCode(err), err
	}
	streams, err := c.sink.open(r)
	if err != nil {
		return exitFailed, err
	}
	defer streams.close()
	env := child.Environ(c.a.environ(), childVariables(r), runtime.GOOS == "windows")
	code, err := child.Supervise(ctx, child.Command{Path: path, Args: args, Env: env}, child.Streams{In: streams.in, Out: streams.out, Err: streams.errs}, stopGrace)
	if err != nil {
		return startCode(err), err
	}
	if ctx.Err() != nil && code != 0 {
		return code, stopped(ctx, context.Canceled)
	}
	return code, streams.finish()
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
	vars := map[string]string{"CROSSROLE_ACCOUNT": r.target.account}
	for _, v := range output.Variables(openSession(r.session, r.target.profile, r.region)) {
		if !v.Unset {
			vars[v.Name] = v.Value
		}
	}
	return vars
}

// spool holds a child's output: a little in memory, more in a file that has no
// name any more.
type spool struct {
	file *os.File
	text []byte
}

// spoolInMemory is what a finished output may keep in memory.
const spoolInMemory = 8 << 10

func newSpool(dir string) (*spool, error) {
	f, err := os.CreateTemp(dir, "crossrole-each-")
	if err != nil {
		return nil, fmt.Errorf("keeping a command's output: %w", err)
	}
	_ = os.Remove(f.Name()) // where an open file can't be removed, close does it
	return &spool{file: f}, nil
}

// settle moves a short output to memory, so that thousands need no files.
func (s *spool) settle() error {
	info, err := s.file.Stat()
	if err != nil || info.Size() > spoolInMemory {
		return err
	}
	s.text = make([]byte, info.Size())
	if _, err := s.file.ReadAt(s.text, 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	s.close()
	return nil
}

func (s *spool) reader() io.Reader {
	switch {
	case s == nil:
		return strings.NewReader("")
	case s.file == nil:
		return strings.NewReader(string(s.text))
	default:
		return io.NewSectionReader(s.file, 0, 1<<62)
	}
}

func (s *spool) close() {
	if s == nil || s.file == nil {
		return
	}
	_ = s.file.Close()
	_ = os.Remove(s.file.Name())
	s.file = nil
}
