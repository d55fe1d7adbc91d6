package explain

import (
	"context"
	"slices"
	"time"

	"crossrole/internal/assume"
	"crossrole/internal/output/plantext"
	"crossrole/internal/policy"
	"crossrole/internal/word"
)

// Report is what is known of a profile's chain, and its documented JSON.
type Report struct {
	Version  int             `json:"version"`
	Profile  string          `json:"profile"`
	Decision policy.Decision `json:"decision,omitempty"` // absent when no policies were looked at
	Source   plantext.Source `json:"source"`
	Hops     []Hop           `json:"hops"`
	Problems []Problem       `json:"problems"`
	Warnings []string        `json:"warnings"`
}

// Problem is something in a profile that can't work.
type Problem struct {
	Profile string   `json:"profile,omitempty"`
	Where   string   `json:"where,omitempty"` // file:line, $NAME or a flag
	Problem string   `json:"problem"`
	Stops   bool     `json:"stops"` // nothing can be called; otherwise it only goes differently than written
	Hints   []string `json:"hints"`
}

// Known is what is known besides the chain itself.
type Known struct {
	// Caller is who owns the source's credentials; without an ARN it is what the files tell.
	Caller policy.Caller
	// EnvironmentAccount is the account of the credentials in the environment, or "".
	EnvironmentAccount string
	MFA                bool // the first call carries MFA
	Now                time.Time

	// Accounts are files with account snapshots, to decide by.
	Accounts []string
	Files    Files
	// Live reads the policies in force, to decide by; nil for not.
	Live *Live
	// Try also calls AssumeRole; nil for not. It goes with Live.
	Try Trying
}

// Report describes every call of the chain, and decides it if there is something to decide by. The error is one of the files',
// a [*ConfigError] about a snapshot, or that of a call which says nothing about being allowed.
func (e *Chain) Report(ctx context.Context, k Known) (*Report, error) {
	r := e.report(&k)
	if err := e.judge(ctx, &k, r); err != nil {
		return nil, err
	}
	return r, nil
}

// LastCall is the role of the call that ends the chain, and what its trust policy must ask for: whom it lets in is left out
// where nobody knows. ok is false when the chain ends in no AssumeRole.
func (e *Chain) LastCall(k Known) (roleARN string, spec policy.TrustSpec, ok bool) {
	if len(e.plan.Calls) == 0 {
		return "", policy.TrustSpec{}, false
	}
	hops := e.report(&k).Hops
	h := &hops[len(hops)-1]
	return h.Call.RoleARN, h.trustSpec(), true
}

// judge decides every hop by the policies that are at hand. Without any, nothing is decided.
func (e *Chain) judge(ctx context.Context, k *Known, r *Report) error {
	l := k.Live
	if e.broken || len(r.Hops) == 0 || l == nil && len(k.Accounts) == 0 {
		return checkSnapshots(k.Files, k.Accounts)
	}
	offset := len(r.Hops) - len(e.plan.Calls) // an exchange comes before the calls
	for i := range r.Hops {
		h := &r.Hops[i]
		switch {
		case l != nil && i < offset:
			h.Result = exchanged(h)
		case l != nil:
			var before *assume.Call
			if i > 0 {
				before = &r.Hops[i-1].context
			}
			found := l.judge(ctx, k.Now, h, before, e.chain.Source.Kind)
			h.Result = &found
		default:
			found, err := k.judgeHop(h)
			if err != nil {
				return err
			}
			h.Result = &found
		}
	}
	if k.Try != nil && len(e.plan.Calls) > 0 {
		if err := e.tryHops(ctx, k.Try, r.Hops[offset:]); err != nil {
			return err
		}
	}
	r.Decision = worst(r.Hops)
	if r.Decision == DecisionUnknown && l != nil && l.unread {
		r.Warnings = append(r.Warnings, "what an account does not let be read can come from files: leave --live out, and give --caller "+
			word.Shell(l.Caller.ARN)+" and --account FILE for each account (FILE is what `aws iam get-account-authorization-details` prints there)")
	}
	return nil
}

// exchanged is the answer about a token's exchange that has just worked.
func exchanged(h *Hop) *Finding {
	f := noCaller(h)
	f.Decision, f.Unknown = policy.DecisionAllow, nil
	return &f
}

// tryHops calls one hop after the other, up to the first that is refused.
func (e *Chain) tryHops(ctx context.Context, start Trying, hops []Hop) error {
	t, err := newTrial(e.plan, start)
	if err != nil {
		return err
	}
	for i := range hops {
		result, err := t.hop(ctx, i)
		if err != nil {
			return err
		}
		result.apply(&hops[i])
		if !result.Allowed {
			break
		}
	}
	return nil
}

func (k *Known) judgeHop(h *Hop) (Finding, error) {
	if h.caller.ARN == "" {
		return noCaller(h), checkSnapshots(k.Files, k.Accounts)
	}
	req := &policy.Request{Caller: h.caller, RoleARN: h.Call.RoleARN, Actions: h.actions}
	return bySnapshots(k.Files, k.Accounts, req, func(caller policy.Caller) policy.Context {
		return callContext(k.Now, caller, h.context, h.mfa)
	})
}

// noCaller is the answer about a call whose caller nobody could name.
func noCaller(h *Hop) Finding {
	return Finding{
		Result: &policy.Result{
			Decision: DecisionUnknown, Reasons: []policy.Reason{}, Missing: []policy.Missing{}, Warnings: []string{}, Trace: []policy.Step{},
		},
		Unknown: []string{"who the caller is (" + h.Caller.What + "): give --caller ARN"},
		req:     &policy.Request{Caller: policy.Caller{ARN: h.Caller.What}, RoleARN: h.Call.RoleARN, Actions: h.actions},
	}
}

// worst is the decision of a chain: every hop must be allowed.
func worst(hops []Hop) policy.Decision {
	for _, d := range []policy.Decision{policy.DecisionInvalid, policy.DecisionDeny, DecisionUnknown} {
		if slices.ContainsFunc(hops, func(h Hop) bool { return h.Result != nil && h.Result.Decision == d }) {
			return d
		}
	}
	return policy.DecisionAllow
}
