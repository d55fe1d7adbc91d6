package policy

import (
	"fmt"
	"io"
	"strings"
)

// Found is what a decision needs of an account snapshot.
type Found struct {
	Caller *FoundCaller // nil when the snapshot does not hold the caller
	Role   *FoundRole   // nil when it does not hold the role
	// Unresolved names the groups and managed policies that were not in the snapshot: what they say is unknown.
	Unresolved []string
}

// FoundCaller is the caller's side of a decision.
type FoundCaller struct {
	Caller   Caller
	Identity []NamedPolicy // inline, attached, and of the groups
	Boundary *Document
	Tags     []Tag
}

// FoundRole is the role's side of a decision.
type FoundRole struct {
	ARN                string // as in the snapshot, path included
	UniqueID           string
	Trust              *Document
	MaxSessionDuration int // seconds; 0 when the snapshot does not tell
}

// Find collects what a decision needs of one snapshot: the caller (the ARN of a user, a role or a role's session) with all
// its policies, and the role with its trust policy. Either ARN may be "". A role is also found when its ARN lacks the path.
// The snapshot is read up to three times, since it may list policies before those who have them; what is kept is small.
func Find(r io.ReadSeeker, file, callerARN, roleARN string) (*Found, error) {
	f := &finder{file: file, out: &Found{}, caller: callerARN, role: roleARN, groups: map[string]bool{}, policies: map[string][]*want{}}
	if callerARN != "" {
		w, err := readCaller(Caller{ARN: callerARN})
		if err != nil {
			return nil, err
		}
		f.who = &w
	}
	for pass := 0; pass < 3 && (pass == 0 || f.open()); pass++ {
		if _, err := r.Seek(0, io.SeekStart); err != nil {
			return nil, fmt.Errorf("read account snapshot %q: %w", file, err)
		}
		if err := WalkSnapshot(r, file, f.visitor(pass)); err != nil {
			return nil, err
		}
	}
	f.finish()
	return f.out, nil
}

// finder gathers over several passes. A want is a managed policy with the slot it goes to.
type finder struct {
	file         string
	out          *Found
	who          *who
	caller, role string
	groups       map[string]bool // wanted: name → seen
	policies     map[string][]*want
}

type want struct {
	name     string // as the evaluation will call it
	boundary bool
	doc      *Document
}

// open tells whether something is wanted that was not seen yet.
func (f *finder) open() bool {
	for _, seen := range f.groups {
		if !seen {
			return true
		}
	}
	for _, wants := range f.policies {
		for _, w := range wants {
			if w.doc == nil {
				return true
			}
		}
	}
	return false
}

func (f *finder) visitor(pass int) SnapshotVisitor {
	v := SnapshotVisitor{Group: f.group, Policy: f.policy}
	if pass == 0 {
		v.User, v.Role = f.user, f.roles
	}
	return v
}

func (f *finder) user(u *UserDetail) error {
	if f.who == nil || f.who.kind != callerUser || u.Arn != f.caller {
		return nil
	}
	f.start(Caller{ARN: u.Arn, PrincipalARN: u.Arn, UniqueID: u.UserId}, u.Tags)
	f.inline("", u.UserPolicyList)
	f.attached("", u.AttachedManagedPolicies)
	f.bound(u.PermissionsBoundary)
	for _, g := range u.GroupList {
		f.groups[g] = false
	}
	return nil
}

func (f *finder) start(c Caller, tags []Tag) { f.out.Caller = &FoundCaller{Caller: c, Tags: tags} }

func (f *finder) inline(prefix string, list []InlinePolicy) {
	for _, p := range list {
		if d := p.PolicyDocument.Document(f.file); d != nil {
			f.out.Caller.Identity = append(f.out.Caller.Identity, NamedPolicy{prefix + p.PolicyName, d})
		}
	}
}

func (f *finder) attached(prefix string, list []AttachedPolicy) {
	for _, p := range list {
		f.policies[p.PolicyArn] = append(f.policies[p.PolicyArn], &want{name: prefix + p.PolicyName})
	}
}

func (f *finder) bound(b *BoundaryRef) {
	if b != nil && b.PermissionsBoundaryArn != "" {
		f.policies[b.PermissionsBoundaryArn] = append(f.policies[b.PermissionsBoundaryArn], &want{boundary: true})
	}
}

func (f *finder) group(g *GroupDetail) error {
	if seen, wanted := f.groups[g.GroupName]; !wanted || seen {
		return nil
	}
	f.groups[g.GroupName] = true
	f.inline(g.GroupName+"/", g.GroupPolicyList)
	f.attached(g.GroupName+"/", g.AttachedManagedPolicies)
	return nil
}

func (f *finder) policy(p *ManagedPolicyDetail) error {
	for _, w := range f.policies[p.Arn] {
		if w.doc == nil {
			w.doc = p.Default(f.file)
		}
	}
	return nil
}

func (f *finder) roles(r *RoleDetail) error {
	if f.role != "" && sameRole(f.role, r.Arn) {
		f.out.Role = &FoundRole{ARN: r.Arn, UniqueID: r.RoleId, Trust: r.AssumeRolePolicyDocument.Document(f.file), MaxSessionDuration: r.MaxSessionDuration}
	}
	if f.who == nil || f.who.kind != callerSession || !sameRole(f.who.principal, r.Arn) {
		return nil
	}
	c := Caller{ARN: f.caller, PrincipalARN: r.Arn, UniqueID: r.RoleId}
	if f.who.session == "" {
		c.ARN = r.Arn
	}
	f.start(c, r.Tags)
	f.inline("", r.RolePolicyList)
	f.attached("", r.AttachedManagedPolicies)
	f.bound(r.PermissionsBoundary)
	return nil
}

// sameRole compares an asked-for role with one of a snapshot. Role names are unique in an account, so an ARN without a path
// finds the role with one; a path that is given must be right.
func sameRole(asked, have string) bool {
	if asked == have {
		return true
	}
	a, ok1 := ParseRoleARN(asked)
	h, ok2 := ParseRoleARN(have)
	return ok1 && ok2 && a.Account == h.Account && a.Partition == h.Partition &&
		strings.Count(a.Resource, "/") == 1 && lastSegment(a.Resource) == lastSegment(h.Resource)
}

// finish puts the managed policies where they belong, in the order of their ARNs.
func (f *finder) finish() {
	for _, g := range sortedKeys(f.groups) {
		if !f.groups[g] {
			f.out.Unresolved = append(f.out.Unresolved, "group "+g)
		}
	}
	for _, arn := range sortedKeys(f.policies) {
		for _, w := range f.policies[arn] {
			switch {
			case w.doc == nil:
				f.out.Unresolved = append(f.out.Unresolved, arn)
			case w.boundary:
				f.out.Caller.Boundary = w.doc
			default:
				f.out.Caller.Identity = append(f.out.Caller.Identity, NamedPolicy{w.name, w.doc})
			}
		}
	}
}
