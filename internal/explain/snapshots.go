package explain

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"crossrole/internal/policy"
	"crossrole/internal/word"
)

// snapshots is what account snapshots hold of a caller and a role.
type snapshots struct {
	given  bool
	caller *policy.FoundCaller
	role   *policy.FoundRole
	gaps   []gap
}

const snapshotHint = "a snapshot is what `aws iam get-account-authorization-details` prints in that account"

// bySnapshots decides a request by what it holds and by what account snapshots add. Its context is made once the caller is
// known as the snapshots know it.
func bySnapshots(from Files, files []string, req *policy.Request, carries func(policy.Caller) policy.Context) (Finding, error) {
	role := req.RoleARN
	seen, err := readSnapshots(from, files, req.Caller.ARN, role)
	var invalid *policy.InvalidError
	switch {
	case errors.As(err, &invalid):
		return Finding{Result: policy.InvalidResult(err), req: req}, nil
	case err != nil:
		return Finding{}, err
	}
	seen.missing(req)
	gaps := seen.fill(req)
	req.Context = carries(req.Caller)
	seen.tags(req.Context)
	found := decide(req, gaps)
	seen.checkRole(&found, role)
	return found, nil
}

// readSnapshots looks for the caller and the role in every file. It is an error if there are files and none holds either.
func readSnapshots(from Files, files []string, caller, role string) (*snapshots, error) {
	s := &snapshots{given: len(files) > 0}
	if err := s.readAll(from, files, caller, role); err != nil {
		return nil, err
	}
	if s.given && s.caller == nil && s.role == nil {
		return nil, &ConfigError{
			Why:    fmt.Sprintf("no snapshot holds %q or %q", caller, role),
			Advice: []string{snapshotHint},
		}
	}
	return s, nil
}

func (s *snapshots) readAll(from Files, files []string, caller, role string) error {
	for _, file := range files {
		if err := s.read(from, file, caller, role); err != nil {
			return err
		}
	}
	return nil
}

// checkSnapshots reads files that nothing is looked for in: what is wrong with them is told all the same.
func checkSnapshots(from Files, files []string) error {
	return new(snapshots).readAll(from, files, "", "")
}

func (s *snapshots) read(from Files, file, caller, role string) error {
	in, err := from.Open(file)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	found, err := policy.Find(in, file, caller, role)
	var (
		invalid *policy.InvalidError
		disk    *fs.PathError
	)
	switch {
	case errors.As(err, &invalid):
		return err
	case errors.As(err, &disk):
		return &ConfigError{Why: fmt.Sprintf("reading %q: %s", file, disk.Err)}
	case err != nil:
		return &ConfigError{Why: err.Error(), Advice: []string{snapshotHint}}
	}
	if found.Caller != nil && s.caller == nil {
		s.caller = found.Caller
		for _, name := range found.Unresolved {
			s.gaps = append(s.gaps, gap{policy.SideIdentity, "what " + word.Clean(name) + " says: the snapshot " + word.Clean(file) + " names it and does not hold it"})
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
		s.gaps = append(s.gaps, gap{policy.SideIdentity, "the policies of " + word.Clean(req.Caller.ARN) + ": no snapshot holds it"})
	}
	if s.role == nil && req.Trust == nil {
		s.gaps = append(s.gaps, gap{policy.SideTrust, "the trust policy of " + word.Clean(req.RoleARN) + ": no snapshot holds the role"})
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
func (s *snapshots) checkRole(f *Finding, asked string) {
	if s.role == nil || s.role.ARN == asked || f.Decision == policy.DecisionInvalid {
		return
	}
	why := fmt.Sprintf("there is no role %s: the role's ARN is %s, path included", word.Clean(asked), word.Clean(s.role.ARN))
	f.Decision, f.Explicit, f.Missing, f.bare = policy.DecisionDeny, false, []policy.Missing{}, nil
	f.NearMisses = nil
	f.Reasons = []policy.Reason{{Side: policy.SideRequest, Effect: policy.EffectNone, Why: why}}
}
