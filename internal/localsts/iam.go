package localsts

import (
	"net/http"
	"strings"

	"crossrole/internal/policy"
)

// entity is what users, groups and roles have in common.
type entity struct {
	kind     string // User, Group, Role
	name     string
	arn      string
	inline   *[]InlinePolicy
	attached *[]Attached
	boundary **Boundary // nil for groups
	tags     *[]Tag     // nil for groups
	room     int        // characters of all inline policies together
}

func (u *User) entity() entity {
	return entity{"User", u.Name, u.ARN, &u.Inline, &u.Attached, &u.Boundary, &u.Tags, 2048}
}

func (g *Group) entity() entity {
	return entity{"Group", g.Name, g.ARN, &g.Inline, &g.Attached, nil, nil, 5120}
}

func (r *Role) entity() entity {
	return entity{"Role", r.Name, r.ARN, &r.Inline, &r.Attached, &r.Boundary, &r.Tags, 10240}
}

// shown is how IAM's denials name the entity.
func (e entity) shown() string { return strings.ToLower(e.kind) + " " + e.name }

var (
	reIAMName   = lazy(`^[\w+=,.@-]+$`)
	reIAMPath   = lazy(`^(/|/[\x21-\x7E]+/)$`)
	ruleIAMPath = rule{min: 1, max: 512, pattern: reIAMPath}
)

// iamName reads a required name. IAM words a wrong character differently from STS.
func (p *params) iamName(param string, most int) (string, *apiError) {
	v := p.need(param, rule{min: 1, max: most})
	if err := p.err(); err != nil {
		return "", err
	}
	if !reIAMName().MatchString(v) {
		return "", validationError("The specified value for %s is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-", lowerFirst(param))
	}
	return v, nil
}

func noSuchEntity(format string, a ...any) *apiError {
	e := badRequest("NoSuchEntity", format, a...)
	e.Status = http.StatusNotFound
	return e
}

func conflict(code, format string, a ...any) *apiError {
	e := badRequest(code, format, a...)
	e.Status = http.StatusConflict
	return e
}

func notFound(kind, name string) *apiError {
	return noSuchEntity("The %s with name %s cannot be found.", kind, clip(name))
}

// find reads UserName, GroupName or RoleName, asks whether the caller may do the action to it, and only then says
// whether it exists.
func (s *Server) find(c *call, kind string) (entity, *apiError) {
	p := &params{form: c.form}
	param := kind + "Name"
	if kind == "User" && !c.form.Has(param) && c.caller.user != nil && selfActions[c.action] {
		return s.allowedOn(c, c.caller.user.entity())
	}
	name, apiErr := p.iamName(param, 128)
	if apiErr != nil {
		return entity{}, apiErr
	}
	x, key := c.caller.account, strings.ToLower(name)
	switch kind {
	case "User":
		if u := x.users[key]; u != nil {
			return s.allowedOn(c, u.entity())
		}
	case "Group":
		if g := x.groups[key]; g != nil {
			return s.allowedOn(c, g.entity())
		}
	case "Role":
		if r := x.roles[key]; r != nil {
			return s.allowedOn(c, r.entity())
		}
	}
	low := strings.ToLower(kind)
	if apiErr := s.mayIAM(c, x.iam(low+"/"+name), low+" "+name, nil, nil); apiErr != nil {
		return entity{}, apiErr
	}
	return entity{}, notFound(low, name)
}

// selfActions may leave the user's name out: it is the caller.
var selfActions = map[string]bool{"GetUser": true, "ListMFADevices": true, "ListAccessKeys": true, "CreateAccessKey": true, "DeleteAccessKey": true}

func (s *Server) allowedOn(c *call, e entity) (entity, *apiError) {
	var tags []Tag
	if e.tags != nil {
		tags = *e.tags
	}
	return e, s.mayIAM(c, e.arn, e.shown(), tags, nil)
}

// mayIAM asks whether the caller may do the call's action to the resource.
func (s *Server) mayIAM(c *call, resource, shown string, tags []Tag, extra policy.Context) *apiError {
	ctx := s.baseContext(c)
	s.resourceKeys(ctx, c.caller.account, tags)
	if v := c.form.Get("PolicyArn"); v != "" {
		ctx["iam:PolicyARN"] = policy.One(v)
	}
	if v := c.form.Get("PermissionsBoundary"); v != "" {
		ctx["iam:PermissionsBoundary"] = policy.One(v)
	}
	for k, v := range extra {
		ctx[k] = v
	}
	return s.authorize(c, "iam:"+c.action, resource, shown, ctx)
}

// handler answers an action on one user, group or role.
type handler func(s *Server, c *call, e entity) ([]node, *apiError)

func on(kind string, h handler) func(*Server, *call) ([]node, *apiError) {
	return func(s *Server, c *call) ([]node, *apiError) {
		e, apiErr := s.find(c, kind)
		if apiErr != nil {
			return nil, apiErr
		}
		return h(s, c, e)
	}
}

// iamActions is every IAM action that is served.
func iamActions() map[string]action {
	m := map[string]action{}
	read := func(name string, f func(*Server, *call) ([]node, *apiError)) {
		m[name] = action{service: "iam", run: f}
	}
	write := func(name string, f func(*Server, *call) ([]node, *apiError)) {
		m[name] = action{service: "iam", run: f, write: true}
	}
	for _, k := range []string{"User", "Group", "Role"} {
		read("Get"+k+"Policy", on(k, getInline))
		read("List"+k+"Policies", on(k, listInline))
		read("ListAttached"+k+"Policies", on(k, listAttached))
		write("Put"+k+"Policy", on(k, putInline))
		write("Delete"+k+"Policy", on(k, deleteInline))
		write("Attach"+k+"Policy", on(k, attach))
		write("Detach"+k+"Policy", on(k, detach))
	}
	for _, k := range []string{"User", "Role"} {
		read("List"+k+"Tags", on(k, listTags))
		write("Tag"+k, on(k, tagEntity))
		write("Untag"+k, on(k, untagEntity))
		write("Put"+k+"PermissionsBoundary", on(k, putBoundary))
		write("Delete"+k+"PermissionsBoundary", on(k, deleteBoundary))
	}
	addReads(read)
	addWrites(write)
	return m
}

func addReads(read func(string, func(*Server, *call) ([]node, *apiError))) {
	read("GetUser", (*Server).getUser)
	read("GetRole", on("Role", getRole))
	read("GetGroup", on("Group", getGroup))
	read("ListUsers", (*Server).listUsers)
	read("ListRoles", (*Server).listRoles)
	read("ListGroups", (*Server).listGroups)
	read("ListGroupsForUser", on("User", listGroupsForUser))
	read("ListMFADevices", on("User", listMFADevices))
	read("ListVirtualMFADevices", (*Server).listVirtualMFADevices)
	read("ListAccessKeys", on("User", listAccessKeys))
	read("ListPolicies", (*Server).listPolicies)
	read("GetPolicy", (*Server).getPolicy)
	read("GetPolicyVersion", (*Server).getPolicyVersion)
	read("ListPolicyVersions", (*Server).listPolicyVersions)
	read("ListAccountAliases", (*Server).listAccountAliases)
	read("ListOpenIDConnectProviders", (*Server).listOIDC)
	read("GetOpenIDConnectProvider", (*Server).getOIDC)
	read("ListSAMLProviders", (*Server).listSAML)
	read("GetSAMLProvider", (*Server).getSAML)
	read("GetAccountAuthorizationDetails", (*Server).accountDetails)
}

func addWrites(write func(string, func(*Server, *call) ([]node, *apiError))) {
	write("CreateUser", (*Server).createUser)
	write("DeleteUser", on("User", deleteUser))
	write("CreateGroup", (*Server).createGroup)
	write("DeleteGroup", on("Group", deleteGroup))
	write("AddUserToGroup", on("Group", addUserToGroup))
	write("RemoveUserFromGroup", on("Group", removeUserFromGroup))
	write("CreateRole", (*Server).createRole)
	write("UpdateRole", on("Role", updateRole))
	write("DeleteRole", on("Role", deleteRole))
	write("UpdateAssumeRolePolicy", on("Role", updateTrust))
	write("CreateAccessKey", on("User", createAccessKey))
	write("UpdateAccessKey", on("User", updateAccessKey))
	write("DeleteAccessKey", on("User", deleteAccessKey))
	write("CreatePolicy", (*Server).createPolicy)
	write("CreatePolicyVersion", (*Server).createPolicyVersion)
	write("DeletePolicy", (*Server).deletePolicy)
}
