package explain

import (
	"context"
	"errors"

	"crossrole/internal/assume"
	"crossrole/internal/policy"
)

// Tried is what calling AssumeRole showed.
type Tried struct {
	Allowed bool `json:"allowed"`
	// ExternalIDEnforced is whether the call is refused without the external ID; null when that could not be found out.
	ExternalIDEnforced *bool  `json:"external_id_enforced"`
	What               string `json:"what"`
}

// Keep remembers what one step of a plan gave; it is that of [assume.Deps].
type Keep = func(prev assume.Provider, step assume.Step) assume.Provider

// Assumer makes the sessions of a plan; [*assume.Runner] is one.
type Assumer interface {
	Provider(plan assume.Plan) (assume.Provider, error)
}

// Trying starts an [Assumer] that keeps every step's session with keep, and nowhere else.
type Trying func(keep Keep) (Assumer, error)

// trial calls AssumeRole for real. A hop that was assumed once is not assumed again for the next.
type trial struct {
	runner Assumer
	plan   assume.Plan
	got    map[assume.Fingerprint]assume.Session
}

// shortest is how long sessions that nobody uses live. Source: STS API reference, AssumeRole.
const shortest = 900e9

func newTrial(plan assume.Plan, start Trying) (*trial, error) {
	t := &trial{plan: plan, got: map[assume.Fingerprint]assume.Session{}}
	t.plan.Calls = append([]assume.Call(nil), plan.Calls...)
	for i := range t.plan.Calls {
		t.plan.Calls[i].Duration = shortest
	}
	// A code works once, and two calls need it: one session carries it to both.
	if first := &t.plan.Calls[0]; first.MFASerial != "" {
		t.plan.MFASession = &assume.MFASession{Serial: first.MFASerial, Process: first.MFAProcess, Duration: shortest, Profile: first.Profile}
		first.MFASerial, first.MFAProcess = "", ""
	}
	var err error
	t.runner, err = start(t.keep)
	return t, err
}

// keep remembers every step's session for as long as the trial takes.
func (t *trial) keep(prev assume.Provider, step assume.Step) assume.Provider {
	return assume.ProviderFunc(func(ctx context.Context) (assume.Session, error) {
		if s, ok := t.got[step.Key]; ok {
			return s, nil
		}
		caller, err := prev.Credentials(ctx)
		if err != nil {
			return assume.Session{}, err
		}
		s, err := step.Exchange(ctx, caller)
		if err == nil {
			t.got[step.Key] = s
		}
		return s, err
	})
}

// call makes the i-th AssumeRole, after those before it.
func (t *trial) call(ctx context.Context, i int, change func(*assume.Call)) error {
	plan := t.plan
	plan.Calls = append([]assume.Call(nil), t.plan.Calls[:i+1]...)
	change(&plan.Calls[i])
	p, err := t.runner.Provider(plan)
	if err != nil {
		return err
	}
	_, err = p.Credentials(ctx)
	return err
}

// hop tries one hop with its external ID and without. An error is one that says nothing about being allowed.
func (t *trial) hop(ctx context.Context, i int) (*Tried, error) {
	id := t.plan.Calls[i].ExternalID
	allowed, said, err := t.asked(t.call(ctx, i, func(*assume.Call) {}))
	if err != nil {
		return nil, err
	}
	if !allowed {
		return &Tried{What: "AWS refused the call: " + said}, nil
	}
	if id == "" {
		return &Tried{Allowed: true, ExternalIDEnforced: new(bool), What: "AWS allowed the call; no external ID was sent, so none is enforced"}, nil
	}
	without, _, err := t.asked(t.call(ctx, i, func(c *assume.Call) { c.ExternalID = "" }))
	if err != nil {
		return &Tried{Allowed: true, What: "AWS allowed the call; whether the external ID is enforced could not be tried: " + err.Error()}, nil //nolint:nilerr // it is part of the answer
	}
	enforced := !without
	out := &Tried{Allowed: true, ExternalIDEnforced: &enforced}
	if enforced {
		out.What = "AWS allowed the call with the external ID and refused it without: the external ID is enforced"
	} else {
		out.What = "AWS allowed the call with the external ID and without it too: THE EXTERNAL ID IS NOT ENFORCED. Add the condition StringEquals sts:ExternalId to the trust policy"
	}
	return out, nil
}

// asked tells allowed from refused from neither.
func (t *trial) asked(err error) (allowed bool, said string, other error) {
	var denied *assume.DeniedError
	switch {
	case err == nil:
		return true, "", nil
	case errors.As(err, &denied):
		return false, err.Error(), nil
	}
	return false, "", err
}

// apply lets AWS's own answer overrule what was read: it knows what can't be read.
func (t *Tried) apply(h *Hop) {
	h.Tried = t
	found := h.Result
	said := policy.DecisionDeny
	if t.Allowed {
		said = policy.DecisionAllow
	}
	if found.Decision == policy.DecisionInvalid || found.Decision == said {
		return
	}
	if found.Decision != DecisionUnknown {
		found.Warnings = append(found.Warnings, "the policies that could be read say "+string(found.Decision)+", and AWS says "+string(said)+
			": a policy was changed moments ago, or something that can't be read decides")
	}
	found.Decision = said
	if said == policy.DecisionAllow {
		found.Reasons, found.Missing, found.bare, found.NearMisses = allowing(found.Reasons), []policy.Missing{}, nil, nil
	}
}

func allowing(list []policy.Reason) []policy.Reason {
	out := []policy.Reason{}
	for _, r := range list {
		if r.Effect == policy.Allow {
			out = append(out, r)
		}
	}
	return out
}
