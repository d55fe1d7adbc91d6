// Package each runs a command once in each of many accounts: so many at once, each with its own session and its own
// output, told in one piece, in records or in files, with a journal to go on from and shards for many machines.
//
// What an account is, how its session is obtained and what an error means come from the one who uses the package.
package each

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// Target is one account, in one region, to run in.
type Target struct {
	Profile string // the profile's name, or ROLE@ACCOUNT
	Account string // 12 digits; empty where only the session will tell
	Region  string // empty: the profile's own
	// Reference names it to crossrole's other commands, quoted for a shell.
	Reference string
	// Plan says how its session is obtained. It neither asks nor calls anybody.
	Plan func() (Plan, error)
}

// Plan is how one target's session is obtained.
type Plan interface {
	// Region is where its commands run, unless the target says otherwise; it may be empty.
	Region() string
	// Warnings are what a person should know before, a line each and without the target's name.
	Warnings() []string
	// Obtain asks and calls whom it takes. Its error is for Options.Judge.
	Obtain(ctx context.Context) (Session, error)
}

// Session is what a target's command runs with.
type Session interface {
	ARN() string
	Account() string // 12 digits, or empty
	// Variables are those of the command's environment in a region, secrets among them.
	Variables(region string) map[string]string
}

// Obtained is a target whose session is there.
type Obtained struct {
	Target  Target
	Region  string // of its commands
	Session Session
}

// Verdict is what a run must know of an error, and only the one who makes the errors can tell.
type Verdict struct {
	Code   int      // its exit code; 1 is a failure that another try may cure
	Cause  string   // what went wrong, without what is the target's own
	Hints  []string // what a person can do
	Person bool     // it takes a person, and there was none
}

// Options say how to run.
type Options struct {
	// Command is run once for each target: {account}, {profile} and {region} in it are filled in. Empty: sessions are only
	// obtained.
	Command []string
	// Environ is what the commands' environment is made of, Path where they are looked for.
	Environ []string
	Path    string

	Parallel int  // how many targets at once, at least 1
	Retries  int  // how often a target that failed is tried again, where that may help
	FailFast bool // stop the others after the first failure

	Output   Output
	Out, Err io.Writer // what the commands print, and what is said to a person
	// Own are the streams that the commands of Stream write to themselves.
	Own struct{ Out, Err *os.File }

	// Progress counts; the one who asks questions meanwhile pauses it.
	Progress *Progress
	// Journal, if any, gets each outcome, and is closed at the end.
	Journal *Journal
	// Keep, if any, puts sessions where they stay, and tells of each whether it could. It is called by one goroutine, with
	// what came together within a second; an interrupted run keeps what it has, unless Kill is closed.
	Keep func(ctx context.Context, list []Obtained) []error

	// Judge tells what an error means for a target.
	Judge func(t Target, err error) Verdict
	// Interrupted is the error of a target that the end of the run's context stopped. A target that fails with it ends the run.
	Interrupted error
	// Kill, once closed, ends the commands without waiting for them.
	Kill <-chan struct{}
	// Now is the clock.
	Now func() time.Time
}

// Result counts what became of the targets.
type Result struct {
	Total, Done, Failed int
	// Person tells that nothing succeeded, because nobody could be asked what all need.
	Person bool
}

// Complete tells whether every target was done, and well.
func (r Result) Complete() bool { return r.Done == r.Total && r.Failed == 0 }

// The exit codes that a run itself gives.
const (
	codeDone   = 0
	codeFailed = 1
)

// Run works through the targets, and tells Err at the end how it went. When ctx ends, commands are asked to stop, and
// killed after StopGrace; what was not begun is left. The error is what kept the run from telling what it did: the output
// or the journal can't be written.
func Run(ctx context.Context, list []Target, o Options) (Result, error) {
	start := o.Now()
	sink, err := o.newSink(list)
	if err != nil {
		o.Progress.Pause()
		return Result{Total: len(list)}, errors.Join(err, o.Journal.Close())
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	t := &tally{o: &o, sink: sink, sum: newSummary(len(list), o.Judge), stop: func() { stop(errUnheard) }}
	k, release := newKeeper(ctx, &o, t.add)
	defer release()
	c := &crew{o: &o, sink: sink}
	c.work(ctx, list, k)
	k.flush()
	broken := errors.Join(t.broken, sink.close(), o.Journal.Close())
	o.Progress.Pause()
	t.sum.write(o.Err, o.Now().Sub(start))
	return t.sum.result(), broken
}

// tally takes the outcomes, one after the other, to where they belong.
type tally struct {
	o      *Options
	sink   sink
	sum    *summary
	stop   func()
	broken error
}

func (t *tally) add(r *outcome) {
	r.session = nil
	t.o.Progress.add(r)
	t.sum.add(r)
	if _, stopped := errors.AsType[*stopError](r.err); !stopped && !errors.Is(r.err, t.o.Interrupted) {
		t.note(t.o.Journal.add(r))
	}
	if t.broken == nil {
		if err := t.sink.done(r); err != nil {
			t.note(fmt.Errorf("writing the output: %w", err))
		}
	}
	if t.o.Output != Records || t.broken != nil {
		r.close()
	}
}

// note keeps the first of what stands in the way of all further outcomes.
func (t *tally) note(err error) {
	if err != nil && t.broken == nil {
		t.broken = err
		t.stop()
	}
}

// A UsageError is a part of the command line that can't be understood.
type UsageError struct {
	Why    string
	Advice []string
}

// Error says what can't be understood.
func (e *UsageError) Error() string { return e.Why }

// Hints is the advice.
func (e *UsageError) Hints() []string { return e.Advice }

// A ConfigError is a file or a setting that can't be used.
type ConfigError struct {
	Why    string
	Advice []string
}

// Error says what can't be used, and why.
func (e *ConfigError) Error() string { return e.Why }

// Hints is the advice.
func (e *ConfigError) Hints() []string { return e.Advice }
