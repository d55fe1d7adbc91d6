package localsts

import (
	"slices"
	"strings"
)

func (u *User) nodes(whole bool) []node {
	n := []node{tx("Path", u.Path), tx("UserName", u.Name), tx("UserId", u.ID), tx("Arn", u.ARN), date("CreateDate", u.Created)}
	if whole {
		n = append(n, boundaryNode(u.Boundary)...)
		n = append(n, tagNodes(u.Tags)...)
	}
	return n
}

func (g *Group) nodes() []node {
	return []node{tx("Path", g.Path), tx("GroupName", g.Name), tx("GroupId", g.ID), tx("Arn", g.ARN), date("CreateDate", g.Created)}
}

// nodes is a role as GetRole (whole) and ListRoles show it.
func (r *Role) nodes(whole bool) []node {
	n := []node{
		tx("Path", r.Path), tx("RoleName", r.Name), tx("RoleId", r.ID), tx("Arn", r.ARN), date("CreateDate", r.Created),
		tx("AssumeRolePolicyDocument", encodeDocument(r.Trust)),
	}
	n = append(n, opt("Description", r.Description)...)
	n = append(n, num("MaxSessionDuration", r.MaxSession))
	if whole {
		n = append(n, boundaryNode(r.Boundary)...)
		n = append(n, tagNodes(r.Tags)...)
		n = append(n, el("RoleLastUsed"))
	}
	return n
}

func (u *User) detail() []node {
	groups := el("GroupList")
	for _, g := range u.Groups {
		groups.kids = append(groups.kids, tx("member", g))
	}
	n := append(u.nodes(true), inlineNodes("UserPolicyList", u.Inline)...)
	return append(n, groups, attachedNodes(u.Attached))
}

func (g *Group) detail() []node {
	n := append(g.nodes(), inlineNodes("GroupPolicyList", g.Inline)...)
	return append(n, attachedNodes(g.Attached))
}

// detail has no MaxSessionDuration: AWS leaves it out here.
func (r *Role) detail() []node {
	n := slices.DeleteFunc(r.nodes(true), func(x node) bool { return x.name == "MaxSessionDuration" || x.name == "Description" })
	n = append(n, inlineNodes("RolePolicyList", r.Inline)...)
	return append(n, attachedNodes(r.Attached), el("InstanceProfileList"))
}

func (p *ManagedPolicy) detail(x *accountIndex) []node {
	versions := el("PolicyVersionList")
	for _, v := range p.Versions {
		versions.kids = append(versions.kids, el("member", v.nodes(true)...))
	}
	return append(p.nodes(x), versions)
}

func (p *ManagedPolicy) aws() bool { return strings.Contains(p.ARN, ":iam::aws:policy/") }

func (p *ManagedPolicy) nodes(x *accountIndex) []node {
	attached, boundaries := x.uses(p.ARN)
	n := []node{
		tx("PolicyName", p.Name), tx("PolicyId", p.ID), tx("Arn", p.ARN), tx("Path", p.Path), tx("DefaultVersionId", p.DefaultVersion),
		num("AttachmentCount", attached), num("PermissionsBoundaryUsageCount", boundaries), flag("IsAttachable", true),
	}
	n = append(n, opt("Description", p.Description)...)
	return append(n, date("CreateDate", p.Created), date("UpdateDate", p.Updated))
}

func (v PolicyVersion) nodes(document bool) []node {
	var n []node
	if document {
		n = append(n, tx("Document", encodeDocument(v.Document)))
	}
	return append(n, tx("VersionId", v.ID), flag("IsDefaultVersion", v.IsDefault), date("CreateDate", v.Created))
}

func (a Attached) node() node { return el("member", tx("PolicyName", a.Name), tx("PolicyArn", a.ARN)) }

func (t Tag) node() node { return el("member", tx("Key", t.Key), tx("Value", t.Value)) }

func attachedNodes(list []Attached) node {
	n := el("AttachedManagedPolicies")
	for _, a := range list {
		n.kids = append(n.kids, a.node())
	}
	return n
}

func inlineNodes(name string, list []InlinePolicy) []node {
	if len(list) == 0 && name == "UserPolicyList" {
		return nil
	}
	n := el(name)
	for _, p := range list {
		n.kids = append(n.kids, el("member", tx("PolicyName", p.Name), tx("PolicyDocument", encodeDocument(p.Document))))
	}
	return []node{n}
}

func tagNodes(tags []Tag) []node {
	if len(tags) == 0 {
		return nil
	}
	n := el("Tags")
	for _, t := range tags {
		n.kids = append(n.kids, t.node())
	}
	return []node{n}
}

func boundaryNode(b *Boundary) []node {
	if b == nil {
		return nil
	}
	return []node{el("PermissionsBoundary", tx("PermissionsBoundaryType", "Policy"), tx("PermissionsBoundaryArn", b.ARN))}
}

// entities is every user, group and role of the account.
func (x *accountIndex) entities(yield func(entity) bool) {
	for _, u := range x.Users {
		if !yield(u.entity()) {
			return
		}
	}
	for _, g := range x.Groups {
		if !yield(g.entity()) {
			return
		}
	}
	for _, r := range x.Roles {
		if !yield(r.entity()) {
			return
		}
	}
}

// uses counts who a managed policy is attached to, and whose boundary it is.
func (x *accountIndex) uses(arn string) (attached, boundaries int) {
	for e := range x.entities {
		for _, a := range *e.attached {
			if a.ARN == arn {
				attached++
			}
		}
		if e.boundary != nil && *e.boundary != nil && (*e.boundary).ARN == arn {
			boundaries++
		}
	}
	return attached, boundaries
}

// allPolicies is the account's managed policies and those of AWS's that are attached in it.
func (x *accountIndex) allPolicies() []*ManagedPolicy {
	out := slices.Clone(x.Policies)
	seen := map[string]bool{}
	for e := range x.entities {
		for _, a := range *e.attached {
			if x.policies[a.ARN] == nil && !seen[a.ARN] {
				seen[a.ARN] = true
				if p := x.policy(a.ARN); p != nil {
					out = append(out, p)
				}
			}
		}
	}
	return out
}

// policy finds a managed policy by ARN, AWS's well-known ones included.
func (x *accountIndex) policy(arn string) *ManagedPolicy {
	if p := x.policies[arn]; p != nil {
		return p
	}
	d, ok := x.managed(arn)
	if !ok {
		return nil
	}
	_, rest, _ := strings.Cut(arn, ":policy")
	i := strings.LastIndex(rest, "/")
	return &ManagedPolicy{
		Name: rest[i+1:], Path: rest[:i+1], ARN: arn, ID: uniqueID("ANPA", "000000000000", []byte(arn)), DefaultVersion: "v1",
		Versions: []PolicyVersion{{Document: d, ID: "v1", IsDefault: true}},
	}
}
