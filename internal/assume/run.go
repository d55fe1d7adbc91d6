package assume

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// Deps is what a run needs from outside: the person, the environment, the
// clock, and (optionally) a store of sessions.
type Deps struct {
	// Getenv reads the environment, for sources that live in it.
	Getenv func(name string) string
	// Environ is the environment of a credential_process or mfa_process; nil
	// leaves it this process's own.
	Environ []string
	// AskCode asks a person for an MFA code on the terminal. It fails with a
	// *PersonError where there is none.
	AskCode func(ctx context.Context, q CodeQuestion) (string, error)
	// Notice tells a person something that is not an error, in one line.
	Notice func(text string)
	// Log hears of every call, for --debug; nil hears nothing.
	Log *slog.Logger
	// Keep puts a step behind a store of sessions; nil keeps nothing.
	Keep func(prev Provider, step Step) Provider
	// Timeout bounds each step's network and lock time, not the time a person takes.
	// Zero means a minute.
	Timeout time.Duration
	// Shared makes what many plans of this process have in common once; nil
	// leaves each plan alone.
	Shared *Shared
	// Gate makes the calls of many plans back off together; nil lets each alone.
	Gate *Gate
	// Parallel is how many calls may be under way at once; zero means one run.
	Parallel int
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Sleep waits, or fails with ctx's error; nil waits for real.
	Sleep func(ctx context.Context, d time.Duration) error
}

// CodeQuestion is what a person is told when a code is asked for.
type CodeQuestion struct {
	Profile string
	Serial  string
	For     string // the role's ARN, or the session it is for
	// Refused tells that AWS took none of the codes so far: each works once.
	Refused bool
}

// Step is one exchange of a caller's session for the next.
type Step struct {
	Key         Fingerprint
	Kind        string // "role", "mfa", "web identity" or "source"
	Profile     string
	RoleARN     string // empty for an MFA session
	NeedsPerson bool
	Asked       time.Duration // for how long; zero is what STS gives by default, an hour
	// Exchange makes the call, with the caller's session in hand.
	Exchange func(ctx context.Context, caller Session) (Session, error)
}

// Runner runs plans that are called at the same place, over one set of
// connections. It is safe for use by many goroutines.
type Runner struct {
	deps Deps
	sts  *sts.Client
	http httpClient
	// ready tells before a call whether the CA bundle can be used at all.
	ready func() error
}

// httpClient is what both the SDK and our own requests need.
type httpClient interface {
	Do(*http.Request) (*http.Response, error)
}

// NewRunner makes a runner. It reads no file and opens no connection.
func NewRunner(where Where, deps Deps) (*Runner, error) {
	base := newLateClient(where, deps.Parallel)
	if deps.Shared != nil {
		base = deps.Shared.client(where, base)
	}
	var client httpClient = base
	retryer := newRetryer()
	if deps.Gate != nil {
		client, retryer = gatedClient{base, deps.Gate}, newSharedRetryer()
	}
	if deps.Timeout <= 0 {
		deps.Timeout = time.Minute
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if deps.Sleep == nil {
		deps.Sleep = sleep
	}
	if deps.Notice == nil {
		deps.Notice = func(string) {}
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	ready := func() error { _, err := base.make(); return err }
	return &Runner{deps: deps, http: client, sts: newSTS(where, client, retryer), ready: ready}, nil
}

// Provider strings the plan's source and steps together. Nothing is called
// until its Credentials is.
func (r *Runner) Provider(plan Plan) (Provider, error) {
	if err := r.checkEnvironment(plan); err != nil {
		return nil, err
	}
	steps := r.steps(plan)
	p := r.source(plan)
	if r.deps.Shared == nil {
		for _, step := range steps {
			p = r.keep(p, step, false)
		}
		return p, nil
	}
	keys := r.sharedKeys(plan)
	p = r.deps.Shared.share(p, Step{Key: keys[0], Kind: "source"}, true)
	for i, step := range steps {
		last := i == len(steps)-1
		p = r.keep(p, step, last && !step.NeedsPerson)
		step.Key = keys[i+1]
		p = r.deps.Shared.share(p, step, !last)
	}
	return p, nil
}

// sharedKeys are the keys under which plans share their source and steps: a
// session is the same in whichever of its partition's regions STS made it, so
// plans for different regions need only one.
func (r *Runner) sharedKeys(plan Plan) []Fingerprint {
	plan.Where.Region = PartitionOf(plan.Where.Region)
	keys := []Fingerprint{r.sourceKey(plan)}
	for _, step := range r.steps(plan) {
		keys = append(keys, step.Key)
	}
	return keys
}

// keep puts a step behind the store, if there is one. What only one of many
// plans needs is cheaper to call for than to lock, seal, write and sync.
func (r *Runner) keep(prev Provider, step Step, onlyOnes bool) Provider {
	exchange := step.Exchange
	step.Exchange = func(ctx context.Context, caller Session) (Session, error) {
		if err := r.ready(); err != nil {
			return Session{}, err
		}
		return exchange(ctx, caller)
	}
	if onlyOnes {
		becomeInner(prev)
	}
	if r.deps.Keep != nil && !onlyOnes {
		return r.deps.Keep(prev, step)
	}
	return plainStep(prev, step)
}

// Keys are the fingerprints of the plan's steps, the last one that of the
// session it ends in; a plan without steps has its source's.
func (r *Runner) Keys(plan Plan) []Fingerprint {
	steps := r.steps(plan)
	keys := make([]Fingerprint, 0, len(steps)+1)
	for _, step := range steps {
		keys = append(keys, step.Key)
	}
	if len(keys) == 0 {
		keys = append(keys, r.sourceKey(plan))
	}
	return keys
}

// steps lists the exchanges of a plan in order, each keyed by all before it.
func (r *Runner) steps(plan Plan) []Step {
	var steps []Step
	key := r.sourceKey(plan)
	if plan.Exchange != nil {
		key = plan.Exchange.fingerprint(key, "web identity", plan.Where)
		steps = append(steps, r.webIdentityStep(plan, key))
	}
	if plan.MFASession != nil {
		key = plan.MFASession.fingerprint(key, plan.Where)
		steps = append(steps, r.mfaStep(plan, key))
	}
	for i := range plan.Calls {
		key = plan.Calls[i].fingerprint(key, "role", plan.Where)
		steps = append(steps, r.roleStep(plan, i, key))
	}
	return steps
}
