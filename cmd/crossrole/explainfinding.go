package main

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"crossrole/internal/policy"
)

// decisionUnknown is the answer where something that could not be read may change it.
const decisionUnknown policy.Decision = "unknown"

// finding is an answer with what could not be found out. Its JSON is that of the result; "unknown" is only there when it
// has something to say.
type finding struct {
	*policy.Result
	Unknown []string `json:"unknown,omitempty"`

	req *policy.Request
	// bare are the reasons without near misses, which the text shows in a place of their own; nil when they are the same.
	bare []policy.Reason
}

// gap is something that could not be read: on its side nothing is known for certain.
type gap struct {
	side policy.Side
	what string
}

// decide evaluates what is known. What is not known is never taken for an Allow, nor for a lack of one: with gaps an allow
// becomes unknown, and a denial stands only where a side that is known denies.
func decide(req *policy.Request, gaps []gap) finding {
	f := finding{Result: policy.Evaluate(req), req: req}
	if f.Decision == policy.DecisionDeny && !f.Explicit {
		f.bare = policy.Decide(req).Reasons
	}
	for _, g := range gaps {
		f.Unknown = append(f.Unknown, g.what)
	}
	if slices.ContainsFunc(gaps, func(g gap) bool { return g.side == policy.SideTrust }) {
		f.Warnings = slices.DeleteFunc(f.Warnings, func(w string) bool { return w == policy.NoTrustPolicy })
	}
	if len(gaps) == 0 || f.Decision == policy.DecisionInvalid || f.Explicit && !f.onlyPerhaps() {
		return f
	}
	if f.Explicit {
		f.Decision, f.Explicit = decisionUnknown, false
		return f
	}
	if f.Decision == policy.DecisionAllow {
		f.Decision = decisionUnknown
		return f
	}
	known := func(side policy.Side) bool {
		return !slices.ContainsFunc(gaps, func(g gap) bool { return g.side == side })
	}
	f.Reasons = slices.DeleteFunc(f.Reasons, func(r policy.Reason) bool { return !known(r.Side) })
	f.bare = slices.DeleteFunc(f.bare, func(r policy.Reason) bool { return !known(r.Side) })
	f.Missing = slices.DeleteFunc(f.Missing, func(m policy.Missing) bool { return !known(m.Side) })
	if len(f.Reasons) == 0 {
		f.Decision = decisionUnknown
	}
	return f
}

// onlyPerhaps tells whether every Deny that decided asks for something that only the real request carries.
func (f *finding) onlyPerhaps() bool {
	for _, s := range f.Trace {
		if s.Effect == policy.Deny && s.Applies && !slices.ContainsFunc(s.Checks, func(c policy.Check) bool { return c.Request == nil && unknowable(c.Key) }) {
			return false
		}
	}
	return true
}

// snapshots is what account snapshots hold of a caller and a role.
type snapshots struct {
	given  bool
	caller *policy.FoundCaller
	role   *policy.FoundRole
	gaps   []gap
}

const snapshotHint = "a snapshot is what `aws iam get-account-authorization-details` prints in that account"

// snapshots looks for the caller and the role in every file.
func (a *app) snapshots(files []string, caller, role string) (*snapshots, error) {
	s := &snapshots{given: len(files) > 0}
	for _, file := range files {
		if err := s.read(file, caller, role); err != nil {
			return nil, err
		}
	}
	if s.given && s.caller == nil && s.role == nil {
		return nil, &configError{
			Why:    fmt.Sprintf("no snapshot holds %q or %q", caller, role),
			Advice: []string{snapshotHint},
		}
	}
	return s, nil
}

func (s *snapshots) read(file, caller, role string) error {
	in, err := os.Open(file)
	if err != nil {
		return fileError("reading", file, err)
	}
	defer func() { _ = in.Close() }()
	found, err := policy.Find(in, file, caller, role)
	var (
		invalid *policy.InvalidError
		disk    *os.PathError
	)
	switch {
	case errors.As(err, &invalid):
		return err
	case errors.As(err, &disk):
		return fileError("reading", file, err)
	case err != nil:
		return &configError{Why: err.Error(), Advice: []string{snapshotHint}}
	}
	if found.Caller != nil && s.caller == nil {
		s.caller = found.Caller
		for _, name := range found.Unresolved {
			s.gaps = append(s.gaps, gap{policy.SideIdentity, "what " + clean(name) + " says: the snapshot " + clean(file) + " names it and does not hold it"})
		}
	}
	if found.Role != nil && s.role == nil {
		s.role = found.Role
	}
	return nil
}

// fill completes a request with what the snapshots hold. Documents that it has already stay.
func (s *snapshots) fill(req *policy.Request) []gap {
	if !s.given {
		return nil
	}
	if c := s.caller; c != nil {
		req.Caller = c.Caller
		req.Identity = append(slices.Clone(c.Identity), req.Identity...)
		if req.Boundary == nil {
			req.Boundary = c.Boundary
		}
	}
	if s.role != nil && req.Trust == nil {
		req.Trust = s.role.Trust
	}
	return s.gaps
}

// missing notes what no snapshot holds and no other file gives.
func (s *snapshots) missing(req *policy.Request) {
	if !s.given {
		return
	}
	if s.caller == nil && len(req.Identity) == 0 {
		s.gaps = append(s.gaps, gap{policy.SideIdentity, "the policies of " + clean(req.Caller.ARN) + ": no snapshot holds it"})
	}
	if s.role == nil && req.Trust == nil {
		s.gaps = append(s.gaps, gap{policy.SideTrust, "the trust policy of " + clean(req.RoleARN) + ": no snapshot holds the role"})
	}
}

// tags adds the caller's own tags, which AWS puts into every request.
func (s *snapshots) tags(ctx policy.Context) {
	if s.caller == nil {
		return
	}
	for _, t := range s.caller.Tags {
		if _, given := ctx.Get("aws:PrincipalTag/" + t.Key); !given {
			ctx["aws:PrincipalTag/"+t.Key] = policy.One(t.Value)
		}
	}
}

// checkRole denies an ARN without the role's path: there is no such role, and AWS does not say so.
func (s *snapshots) checkRole(f *finding, asked string) {
	if s.role == nil || s.role.ARN == asked || f.Decision == policy.DecisionInvalid {
		return
	}
	why := fmt.Sprintf("there is no role %s: the role's ARN is %s, path included", clean(asked), clean(s.role.ARN))
	f.Decision, f.Explicit, f.Missing, f.bare = policy.DecisionDeny, false, []policy.Missing{}, nil
	f.NearMisses = nil
	f.Reasons = []policy.Reason{{Side: policy.SideRequest, Effect: policy.EffectNone, Why: why}}
}
