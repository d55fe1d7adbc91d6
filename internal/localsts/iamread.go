package localsts

import (
	"cmp"
	"encoding/base64"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// page cuts a sorted list after Marker to MaxItems, and says what to add to the answer. Markers name the last item
// shown, so writes between two pages neither repeat nor lose one.
func page[T any](c *call, list []T, key func(T) string) ([]T, []node, *apiError) {
	p := &params{form: c.form}
	most := p.number("MaxItems", 1, 1000, 100)
	if err := p.err(); err != nil {
		return nil, nil, err
	}
	if m := c.form.Get("Marker"); m != "" {
		after, err := base64.StdEncoding.DecodeString(m)
		if err != nil {
			return nil, nil, validationError("Invalid Marker.")
		}
		i, _ := slices.BinarySearchFunc(list, string(after), func(x T, k string) int {
			if key(x) <= k {
				return -1
			}
			return 1
		})
		list = list[i:]
	}
	if len(list) <= most {
		return list, []node{flag("IsTruncated", false)}, nil
	}
	list = list[:most]
	marker := base64.StdEncoding.EncodeToString([]byte(key(list[most-1])))
	return list, []node{flag("IsTruncated", true), tx("Marker", marker)}, nil
}

func sortedBy[T any](list []T, key func(T) string) []T {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b T) int { return cmp.Compare(key(a), key(b)) })
	return list
}

// listing answers a List action: sorted, filtered by PathPrefix, cut into pages.
func listing[T any](c *call, name string, list []T, key func(T) string, show func(T) node) ([]node, *apiError) {
	part, end, apiErr := page(c, sortedBy(list, key), key)
	if apiErr != nil {
		return nil, apiErr
	}
	out := el(name)
	for _, x := range part {
		out.kids = append(out.kids, show(x))
	}
	return append([]node{out}, end...), nil
}

func underPath[T any](c *call, list []*T, path func(*T) string) []*T {
	prefix := c.form.Get("PathPrefix")
	return slices.DeleteFunc(slices.Clone(list), func(x *T) bool { return !strings.HasPrefix(path(x), prefix) })
}

func (s *Server) listUsers(c *call) ([]node, *apiError) {
	if apiErr := s.mayIAM(c, c.caller.account.iam("user/"), "", nil, nil); apiErr != nil {
		return nil, apiErr
	}
	list := underPath(c, c.caller.account.Users, func(u *User) string { return u.Path })
	return listing(c, "Users", list, func(u *User) string { return strings.ToLower(u.Name) }, func(u *User) node { return el("member", u.nodes(false)...) })
}

func (s *Server) listRoles(c *call) ([]node, *apiError) {
	if apiErr := s.mayIAM(c, c.caller.account.iam("role/"), "", nil, nil); apiErr != nil {
		return nil, apiErr
	}
	list := underPath(c, c.caller.account.Roles, func(r *Role) string { return r.Path })
	return listing(c, "Roles", list, func(r *Role) string { return strings.ToLower(r.Name) }, func(r *Role) node { return el("member", r.nodes(false)...) })
}

func (s *Server) listGroups(c *call) ([]node, *apiError) {
	if apiErr := s.mayIAM(c, c.caller.account.iam("group/"), "", nil, nil); apiErr != nil {
		return nil, apiErr
	}
	list := underPath(c, c.caller.account.Groups, func(g *Group) string { return g.Path })
	return listing(c, "Groups", list, func(g *Group) string { return strings.ToLower(g.Name) }, func(g *Group) node { return el("member", g.nodes()...) })
}

func (s *Server) getUser(c *call) ([]node, *apiError) {
	if who := c.caller; !c.form.Has("UserName") && who.isRoot() {
		return []node{el("User", tx("UserId", who.account.ID), tx("Arn", who.arn()), date("CreateDate", c.now))}, nil
	}
	if !c.form.Has("UserName") && c.caller.user == nil {
		return nil, validationError("Must specify userName when calling with non-User credentials")
	}
	e, apiErr := s.find(c, "User")
	if apiErr != nil {
		return nil, apiErr
	}
	return []node{el("User", c.caller.account.users[strings.ToLower(e.name)].nodes(true)...)}, nil
}

func getRole(_ *Server, c *call, e entity) ([]node, *apiError) {
	return []node{el("Role", c.caller.account.roles[strings.ToLower(e.name)].nodes(true)...)}, nil
}

func getGroup(_ *Server, c *call, e entity) ([]node, *apiError) {
	x := c.caller.account
	var in []*User
	for _, u := range x.Users {
		if containsFold(u.Groups, e.name) {
			in = append(in, u)
		}
	}
	out, apiErr := listing(c, "Users", in, func(u *User) string { return strings.ToLower(u.Name) }, func(u *User) node { return el("member", u.nodes(false)...) })
	if apiErr != nil {
		return nil, apiErr
	}
	return append([]node{el("Group", x.groups[strings.ToLower(e.name)].nodes()...)}, out...), nil
}

func listGroupsForUser(_ *Server, c *call, e entity) ([]node, *apiError) {
	x := c.caller.account
	var in []*Group
	for _, name := range x.users[strings.ToLower(e.name)].Groups {
		if g := x.groups[strings.ToLower(name)]; g != nil {
			in = append(in, g)
		}
	}
	return listing(c, "Groups", in, func(g *Group) string { return strings.ToLower(g.Name) }, func(g *Group) node { return el("member", g.nodes()...) })
}

func listMFADevices(_ *Server, c *call, e entity) ([]node, *apiError) {
	return listing(c, "MFADevices", c.caller.account.users[strings.ToLower(e.name)].MFADevices, func(d MFADevice) string { return d.Serial },
		func(d MFADevice) node {
			return el("member", tx("UserName", e.name), tx("SerialNumber", d.Serial), date("EnableDate", d.Enabled))
		})
}

func listAccessKeys(_ *Server, c *call, e entity) ([]node, *apiError) {
	return listing(c, "AccessKeyMetadata", c.caller.account.users[strings.ToLower(e.name)].AccessKeys, func(k AccessKey) string { return k.ID },
		func(k AccessKey) node {
			return el("member", tx("UserName", e.name), tx("AccessKeyId", k.ID), tx("Status", k.status()), date("CreateDate", k.Created))
		})
}

func (k AccessKey) status() string {
	if k.Inactive {
		return "Inactive"
	}
	return "Active"
}

func getInline(_ *Server, c *call, e entity) ([]node, *apiError) {
	p := &params{form: c.form}
	name, apiErr := p.iamName("PolicyName", 128)
	if apiErr != nil {
		return nil, apiErr
	}
	for _, x := range *e.inline {
		if x.Name == name {
			return []node{tx(e.kind+"Name", e.name), tx("PolicyName", x.Name), tx("PolicyDocument", encodeDocument(x.Document))}, nil
		}
	}
	return nil, notFound(strings.ToLower(e.kind)+" policy", name)
}

func listInline(_ *Server, c *call, e entity) ([]node, *apiError) {
	return listing(c, "PolicyNames", *e.inline, func(p InlinePolicy) string { return p.Name }, func(p InlinePolicy) node { return tx("member", p.Name) })
}

func listAttached(_ *Server, c *call, e entity) ([]node, *apiError) {
	return listing(c, "AttachedPolicies", *e.attached, func(a Attached) string { return a.Name }, Attached.node)
}

func listTags(_ *Server, c *call, e entity) ([]node, *apiError) {
	return listing(c, "Tags", *e.tags, func(t Tag) string { return t.Key }, Tag.node)
}

func (s *Server) listAccountAliases(c *call) ([]node, *apiError) {
	if apiErr := s.mayIAM(c, "*", "", nil, nil); apiErr != nil {
		return nil, apiErr
	}
	return []node{el("AccountAliases"), flag("IsTruncated", false)}, nil
}

func (s *Server) listOIDC(c *call) ([]node, *apiError) {
	if apiErr := s.mayIAM(c, c.caller.account.iam("oidc-provider/*"), "", nil, nil); apiErr != nil {
		return nil, apiErr
	}
	list := el("OpenIDConnectProviderList")
	for _, p := range c.caller.account.OIDC {
		list.kids = append(list.kids, el("member", tx("Arn", p.ARN)))
	}
	return []node{list}, nil
}

func (s *Server) getOIDC(c *call) ([]node, *apiError) {
	p := &params{form: c.form}
	arn := p.need("OpenIDConnectProviderArn", ruleARN)
	if err := p.err(); err != nil {
		return nil, err
	}
	if apiErr := s.mayIAM(c, arn, "", nil, nil); apiErr != nil {
		return nil, apiErr
	}
	for _, x := range c.caller.account.OIDC {
		if x.ARN == arn {
			ids := el("ClientIDList")
			for _, id := range x.ClientIDs {
				ids.kids = append(ids.kids, tx("member", id))
			}
			return []node{tx("Url", x.URL), ids, el("ThumbprintList"), date("CreateDate", x.Created)}, nil
		}
	}
	return nil, noSuchEntity("OpenIDConnect Provider not found for arn %s", clip(arn))
}

func (s *Server) listSAML(c *call) ([]node, *apiError) {
	if apiErr := s.mayIAM(c, c.caller.account.iam("saml-provider/*"), "", nil, nil); apiErr != nil {
		return nil, apiErr
	}
	list := el("SAMLProviderList")
	for _, p := range c.caller.account.SAML {
		list.kids = append(list.kids, el("member", tx("Arn", p.ARN), date("CreateDate", p.Created)))
	}
	return []node{list}, nil
}

func (s *Server) getSAML(c *call) ([]node, *apiError) {
	p := &params{form: c.form}
	arn := p.need("SAMLProviderArn", ruleARN)
	if err := p.err(); err != nil {
		return nil, err
	}
	if apiErr := s.mayIAM(c, arn, "", nil, nil); apiErr != nil {
		return nil, apiErr
	}
	x := s.world.samlProvider(arn)
	if p, _ := splitARN(arn); x == nil || p.account != c.caller.account.ID {
		return nil, noSuchEntity("Manifest not found for arn %s", clip(arn))
	}
	return []node{tx("SAMLMetadataDocument", x.Metadata), date("CreateDate", x.Created)}, nil
}

// listVirtualMFADevices has only devices in use: there are no others here.
func (s *Server) listVirtualMFADevices(c *call) ([]node, *apiError) {
	if apiErr := s.mayIAM(c, c.caller.account.iam("mfa/*"), "", nil, nil); apiErr != nil {
		return nil, apiErr
	}
	type device struct {
		MFADevice
		user *User
	}
	var list []device
	for _, u := range c.caller.account.Users {
		for _, d := range u.MFADevices {
			if c.form.Get("AssignmentStatus") != "Unassigned" {
				list = append(list, device{d, u})
			}
		}
	}
	return listing(c, "VirtualMFADevices", list, func(d device) string { return d.Serial }, func(d device) node {
		return el("member", tx("SerialNumber", d.Serial), el("User", d.user.nodes(false)...), date("EnableDate", d.Enabled))
	})
}

// encodeDocument is a policy as IAM's API returns it: percent-encoded by RFC 3986.
func encodeDocument(d Document) string {
	return strings.ReplaceAll(url.QueryEscape(string(d)), "+", "%20")
}

// accountDetails is one paginated snapshot of everything.
func (s *Server) accountDetails(c *call) ([]node, *apiError) {
	if apiErr := s.mayIAM(c, "*", "", nil, nil); apiErr != nil {
		return nil, apiErr
	}
	all, apiErr := c.caller.account.details(c)
	if apiErr != nil {
		return nil, apiErr
	}
	part, end, apiErr := page(c, all, func(d detail) string { return d.key })
	if apiErr != nil {
		return nil, apiErr
	}
	lists := []node{el("UserDetailList"), el("GroupDetailList"), el("RoleDetailList"), el("Policies")}
	for _, d := range part {
		lists[d.list].kids = append(lists[d.list].kids, el("member", d.show()...))
	}
	return append(lists, end...), nil
}

// detail is one member of one of the four lists; key sorts them through all four.
type detail struct {
	list int
	key  string
	show func() []node
}

func (x *accountIndex) details(c *call) ([]detail, *apiError) {
	want := map[string]bool{}
	p := &params{form: c.form}
	for _, f := range p.list("Filter", "") {
		if !slices.Contains([]string{"User", "Role", "Group", "LocalManagedPolicy", "AWSManagedPolicy"}, f) {
			return nil, validationError("1 validation error detected: Value '[%s]' at 'filter' failed to satisfy constraint: "+
				"Member must satisfy constraint: [Member must satisfy enum value set: [User, Role, Group, LocalManagedPolicy, AWSManagedPolicy]]", clip(f))
		}
		want[f] = true
	}
	any := len(want) == 0
	var out []detail
	add := func(list int, kind, name string, show func() []node) {
		if any || want[kind] {
			out = append(out, detail{list, strconv.Itoa(list) + strings.ToLower(name), show})
		}
	}
	for _, u := range x.Users {
		add(0, "User", u.Name, u.detail)
	}
	for _, g := range x.Groups {
		add(1, "Group", g.Name, g.detail)
	}
	for _, r := range x.Roles {
		add(2, "Role", r.Name, r.detail)
	}
	for _, p := range x.allPolicies() {
		kind := "LocalManagedPolicy"
		if p.aws() {
			kind = "AWSManagedPolicy"
		}
		add(3, kind, p.ARN, func() []node { return p.detail(x) })
	}
	return sortedBy(out, func(d detail) string { return d.key }), nil
}
