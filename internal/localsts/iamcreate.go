package localsts

import (
	"crypto/rand"
	"slices"
	"strings"

	"crossrole/internal/policy"
)

// newcomer is what a Create action makes: its name, path, ARN and a unique id that was never there before.
type newcomer struct{ name, path, arn, id string }

func (s *Server) newcomer(c *call, kind, prefix string, most int) (newcomer, *apiError) {
	p := &params{form: c.form}
	name, apiErr := p.iamName(kind+"Name", most)
	if apiErr != nil {
		return newcomer{}, apiErr
	}
	path := "/"
	if c.form.Has("Path") {
		path = p.get("Path", ruleIAMPath)
	}
	tags := p.tags()
	if err := p.err(); err != nil {
		return newcomer{}, err
	}
	arn := c.caller.account.iam(strings.ToLower(kind) + path + name)
	extra := policy.Context{}
	tagKeys(extra, tags)
	if apiErr := s.mayIAM(c, arn, "", nil, extra); apiErr != nil {
		return newcomer{}, apiErr
	}
	seed := make([]byte, 16)
	if _, err := rand.Read(seed); err != nil {
		return newcomer{}, internalFailure()
	}
	return newcomer{name, path, arn, uniqueID(prefix, c.caller.account.ID, seed)}, nil
}

func (s *Server) createUser(c *call) ([]node, *apiError) {
	n, apiErr := s.newcomer(c, "User", "AIDA", 64)
	if apiErr != nil {
		return nil, apiErr
	}
	b, apiErr := s.boundaryParam(c, false)
	if apiErr != nil {
		return nil, apiErr
	}
	x, k := c.caller.account, strings.ToLower(n.name)
	if x.users[k] != nil {
		return nil, conflict("EntityAlreadyExists", "User with name %s already exists.", n.name)
	}
	u := &User{Path: n.path, Name: n.name, ID: n.id, ARN: n.arn, Created: c.now, Boundary: b, Tags: (&params{form: c.form}).tags()}
	x.Users, x.users[k] = append(x.Users, u), u
	return []node{el("User", u.nodes(true)...)}, nil
}

func (s *Server) createGroup(c *call) ([]node, *apiError) {
	n, apiErr := s.newcomer(c, "Group", "AGPA", 128)
	if apiErr != nil {
		return nil, apiErr
	}
	x, k := c.caller.account, strings.ToLower(n.name)
	if x.groups[k] != nil {
		return nil, conflict("EntityAlreadyExists", "Group with name %s already exists.", n.name)
	}
	g := &Group{Path: n.path, Name: n.name, ID: n.id, ARN: n.arn, Created: c.now}
	x.Groups, x.groups[k] = append(x.Groups, g), g
	return []node{el("Group", g.nodes()...)}, nil
}

func (s *Server) createRole(c *call) ([]node, *apiError) {
	n, apiErr := s.newcomer(c, "Role", "AROA", 64)
	if apiErr != nil {
		return nil, apiErr
	}
	trust, apiErr := s.trustParam(c, "AssumeRolePolicyDocument", n.arn)
	if apiErr != nil {
		return nil, apiErr
	}
	seconds, desc, apiErr := roleParams(c, minRoleSession, "")
	if apiErr != nil {
		return nil, apiErr
	}
	b, apiErr := s.boundaryParam(c, false)
	if apiErr != nil {
		return nil, apiErr
	}
	x, k := c.caller.account, strings.ToLower(n.name)
	if x.roles[k] != nil {
		return nil, conflict("EntityAlreadyExists", "Role with name %s already exists.", n.name)
	}
	r := &Role{
		Path: n.path, Name: n.name, ID: n.id, ARN: n.arn, Created: c.now, Trust: trust, MaxSession: seconds, Description: desc,
		Boundary: b, Tags: (&params{form: c.form}).tags(),
	}
	x.Roles, x.roles[k] = append(x.Roles, r), r
	return []node{el("Role", r.nodes(true)...)}, nil
}

func roleParams(c *call, seconds int, desc string) (int, string, *apiError) {
	p := &params{form: c.form}
	seconds = p.number("MaxSessionDuration", minRoleSession, maxRoleSession, seconds)
	if c.form.Has("Description") {
		desc = p.get("Description", rule{max: 1000})
	}
	if err := p.err(); err != nil {
		return 0, "", err
	}
	return seconds, desc, nil
}

func updateRole(_ *Server, c *call, e entity) ([]node, *apiError) {
	r := c.caller.account.roles[strings.ToLower(e.name)]
	seconds, desc, apiErr := roleParams(c, r.MaxSession, r.Description)
	if apiErr == nil {
		r.MaxSession, r.Description = seconds, desc
	}
	return []node{}, apiErr
}

func updateTrust(s *Server, c *call, e entity) ([]node, *apiError) {
	doc, apiErr := s.trustParam(c, "PolicyDocument", e.arn)
	if apiErr == nil {
		c.caller.account.roles[strings.ToLower(e.name)].Trust = doc
	}
	return nil, apiErr
}

// trustParam reads a trust policy; everybody whom it names must exist.
func (s *Server) trustParam(c *call, param, self string) (Document, *apiError) {
	d, apiErr := submitted(c, param, policy.Trust)
	if apiErr != nil {
		return "", apiErr
	}
	for _, st := range s.world.docs.get(d, "").Statements {
		if st.Principal == nil {
			continue
		}
		for _, p := range st.Principal.Entries {
			if p.Type == "AWS" && p.Text != self && !s.world.principalExists(p.Text) {
				return "", badRequest("MalformedPolicyDocument", "Invalid principal in policy: \"AWS\":\"%s\"", clip(p.Text))
			}
		}
	}
	return d, nil
}

// principalExists judges what it can: users and roles of accounts that are here, and unique ids. Other accounts may have anyone.
func (w *World) principalExists(text string) bool {
	if text == "*" || isAccountID(text) {
		return true
	}
	a, ok := splitARN(text)
	if !ok {
		return w.uniqueIDExists(text)
	}
	x := w.accounts[a.account]
	if x == nil || a.resource == "root" {
		return true
	}
	kind, rest, _ := strings.Cut(a.resource, "/")
	name := strings.ToLower(rest[strings.LastIndex(rest, "/")+1:])
	switch {
	case a.service == "sts" && kind == "assumed-role":
		role, _, _ := strings.Cut(rest, "/")
		return x.roles[strings.ToLower(role)] != nil
	case a.service == "iam" && kind == "user":
		return x.users[name] != nil && x.users[name].ARN == text
	case a.service == "iam" && kind == "role":
		return x.roles[name] != nil && x.roles[name].ARN == text
	}
	return a.service == "sts" && kind == "federated-user"
}

func (w *World) uniqueIDExists(id string) bool {
	for _, x := range w.accounts {
		if slices.ContainsFunc(x.Users, func(u *User) bool { return u.ID == id }) || slices.ContainsFunc(x.Roles, func(r *Role) bool { return r.ID == id }) {
			return true
		}
	}
	return false
}

// forget rewrites every trust policy that names a principal that is gone: its unique id takes the ARN's place, so that
// somebody new of the same name is not let in.
func (w *World) forget(arn, id string) {
	for _, x := range w.accounts {
		for _, r := range x.Roles {
			if !strings.Contains(string(r.Trust), arn) {
				continue
			}
			if d, err := policy.Parse([]byte(r.Trust), ""); err == nil && renamePrincipal(d, arn, id) {
				if b, err := d.MarshalJSON(); err == nil {
					r.Trust = Document(b)
				}
			}
		}
	}
}

func renamePrincipal(d *policy.Document, from, to string) (changed bool) {
	for _, st := range d.Statements {
		if st.Principal == nil {
			continue
		}
		for i := range st.Principal.Entries {
			if p := &st.Principal.Entries[i]; p.Type == "AWS" && p.Text == from {
				p.Text, changed = to, true
			}
		}
	}
	return changed
}

func deleteUser(s *Server, c *call, e entity) ([]node, *apiError) {
	x, k := c.caller.account, strings.ToLower(e.name)
	u := x.users[k]
	for _, b := range []struct {
		blocked bool
		what    string
	}{
		{len(u.AccessKeys) > 0, "delete access keys"},
		{len(u.MFADevices) > 0, "delete MFA device"},
		{len(u.Attached) > 0, "detach all policies"},
		{len(u.Inline) > 0, "delete policies"},
		{len(u.Groups) > 0, "remove user from all groups"},
	} {
		if b.blocked {
			return nil, conflict("DeleteConflict", "Cannot delete entity, must %s first.", b.what)
		}
	}
	delete(x.users, k)
	x.Users = slices.DeleteFunc(x.Users, func(o *User) bool { return o == u })
	s.world.forget(u.ARN, u.ID)
	return nil, nil
}

func deleteRole(s *Server, c *call, e entity) ([]node, *apiError) {
	x, k := c.caller.account, strings.ToLower(e.name)
	r := x.roles[k]
	switch {
	case len(r.Attached) > 0:
		return nil, conflict("DeleteConflict", "Cannot delete entity, must detach all policies first.")
	case len(r.Inline) > 0:
		return nil, conflict("DeleteConflict", "Cannot delete entity, must delete policies first.")
	}
	delete(x.roles, k)
	x.Roles = slices.DeleteFunc(x.Roles, func(o *Role) bool { return o == r })
	s.world.forget(r.ARN, r.ID)
	return nil, nil
}

func deleteGroup(_ *Server, c *call, e entity) ([]node, *apiError) {
	x, k := c.caller.account, strings.ToLower(e.name)
	g := x.groups[k]
	switch {
	case slices.ContainsFunc(x.Users, func(u *User) bool { return containsFold(u.Groups, g.Name) }):
		return nil, conflict("DeleteConflict", "Cannot delete entity, must remove users from group first.")
	case len(g.Attached) > 0:
		return nil, conflict("DeleteConflict", "Cannot delete entity, must detach all policies first.")
	case len(g.Inline) > 0:
		return nil, conflict("DeleteConflict", "Cannot delete entity, must delete policies first.")
	}
	delete(x.groups, k)
	x.Groups = slices.DeleteFunc(x.Groups, func(o *Group) bool { return o == g })
	return nil, nil
}

func memberOf(c *call) (*User, *apiError) {
	p := &params{form: c.form}
	name, apiErr := p.iamName("UserName", 128)
	if apiErr != nil {
		return nil, apiErr
	}
	u := c.caller.account.users[strings.ToLower(name)]
	if u == nil {
		return nil, notFound("user", name)
	}
	return u, nil
}

func addUserToGroup(_ *Server, c *call, e entity) ([]node, *apiError) {
	u, apiErr := memberOf(c)
	if apiErr == nil && !containsFold(u.Groups, e.name) {
		u.Groups = append(u.Groups, e.name)
	}
	return nil, apiErr
}

func removeUserFromGroup(_ *Server, c *call, e entity) ([]node, *apiError) {
	u, apiErr := memberOf(c)
	if apiErr != nil {
		return nil, apiErr
	}
	rest := slices.DeleteFunc(slices.Clone(u.Groups), func(g string) bool { return strings.EqualFold(g, e.name) })
	if len(rest) == len(u.Groups) {
		return nil, noSuchEntity("User %s is not in group %s", u.Name, e.name)
	}
	u.Groups = rest
	return nil, nil
}
