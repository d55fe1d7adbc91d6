package iamread

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"

	"crossrole/internal/policy"
)

// Caller reads a user's or role's policies. What could not be read is named in unread, and is unknown. The error is an
// [*APIError], or that of the connection, when nothing could be read at all.
func (c *Client) Caller(ctx context.Context, who policy.Caller) (found *policy.FoundCaller, unread []string, err error) {
	arn := who.PrincipalARN
	if arn == "" {
		arn = who.ARN
	}
	a, _ := policy.ParseARN(arn)
	kind, rest, _ := strings.Cut(a.Resource, "/")
	if kind == "assumed-role" { // the session's ARN has the role's name, without its path
		rest, _, _ = strings.Cut(rest, "/")
		kind = "role"
	}
	p := &principal{c: c, kind: "User", name: rest[strings.LastIndexByte(rest, '/')+1:]}
	if kind == "role" {
		p.kind = "Role"
	}
	if err := p.get(ctx); err != nil {
		return c.callerFromDetails(ctx, who, arn, err)
	}
	p.policies(ctx, p.kind, p.name, "")
	if p.kind == "User" {
		p.groups(ctx)
	}
	if p.denied != nil {
		if found, more, err := c.callerFromDetails(ctx, who, p.found.Caller.PrincipalARN, p.denied); err == nil {
			return found, more, nil
		}
	}
	if who.ARN != "" && p.kind == "Role" {
		p.found.Caller.ARN = who.ARN
	}
	return p.found, p.unread, nil
}

// principal is a user or role being read.
type principal struct {
	c      *Client
	kind   string // User or Role
	name   string
	found  *policy.FoundCaller
	unread []string
	denied error // the first thing that may not be read
}

// entityXML is what GetUser and GetRole have in common, and what is a role's alone.
type entityXML struct {
	Arn                      string
	UserId                   string
	RoleId                   string
	AssumeRolePolicyDocument string
	MaxSessionDuration       int
	PermissionsBoundary      struct{ PermissionsBoundaryArn string }
	Tags                     []policy.Tag `xml:"Tags>member"`
}

type entityResult struct{ User, Role entityXML }

func (p *principal) get(ctx context.Context) error {
	var r entityResult
	if err := p.c.iam(ctx, "Get"+p.kind, url.Values{p.kind + "Name": {p.name}}, &r); err != nil {
		return err
	}
	e := r.User
	id := e.UserId
	if p.kind == "Role" {
		e, id = r.Role, r.Role.RoleId
	}
	p.found = &policy.FoundCaller{Caller: policy.Caller{ARN: e.Arn, PrincipalARN: e.Arn, UniqueID: id}, Tags: e.Tags}
	if arn := e.PermissionsBoundary.PermissionsBoundaryArn; arn != "" {
		p.found.Boundary = p.managed(ctx, arn)
	}
	return nil
}

// miss notes what could not be read.
func (p *principal) miss(what string, err error) {
	p.unread = append(p.unread, what+" ("+err.Error()+")")
	var api *APIError
	if p.denied == nil && asAPI(err, &api) && api.Denied() {
		p.denied = err
	}
}

// policies reads the inline and attached policies of a user, role or group.
func (p *principal) policies(ctx context.Context, kind, name, prefix string) {
	by := url.Values{kind + "Name": {name}}
	what := "the policies of " + strings.ToLower(kind) + " " + name
	names, err := listAll(ctx, p.c, "List"+kind+"Policies", by, func(r *listResult) []string { return r.PolicyNames })
	if err != nil {
		p.miss(what, err)
	}
	for _, n := range names {
		var r struct{ PolicyDocument string }
		if err := p.c.iam(ctx, "Get"+kind+"Policy", url.Values{kind + "Name": {name}, "PolicyName": {n}}, &r); err != nil {
			p.miss("policy "+n+" of "+strings.ToLower(kind)+" "+name, err)
			continue
		}
		p.add(prefix+n, document(r.PolicyDocument, "iam:"+strings.ToLower(kind)+"/"+name+"/"+n))
	}
	attached, err := listAll(ctx, p.c, "ListAttached"+kind+"Policies", by, func(r *listResult) []attachedXML { return r.AttachedPolicies })
	if err != nil {
		p.miss("the managed policies of "+strings.ToLower(kind)+" "+name, err)
	}
	for _, at := range attached {
		p.add(prefix+at.PolicyName, p.managed(ctx, at.PolicyArn))
	}
}

func (p *principal) add(name string, doc *policy.Document) {
	if doc != nil {
		p.found.Identity = append(p.found.Identity, policy.NamedPolicy{Name: name, Document: doc})
	}
}

func (p *principal) groups(ctx context.Context) {
	groups, err := listAll(ctx, p.c, "ListGroupsForUser", url.Values{"UserName": {p.name}}, func(r *listResult) []groupXML { return r.Groups })
	if err != nil {
		p.miss("the groups of user "+p.name, err)
	}
	for _, g := range groups {
		p.policies(ctx, "Group", g.GroupName, g.GroupName+"/")
	}
}

// managed reads the version in force of a managed policy; nil when it may not be read.
func (p *principal) managed(ctx context.Context, arn string) *policy.Document {
	doc, err := p.c.managed(ctx, arn)
	if err != nil {
		p.miss("policy "+arn, err)
	}
	return doc
}

func (c *Client) managed(ctx context.Context, arn string) (*policy.Document, error) {
	var r struct {
		Policy struct{ DefaultVersionId string }
	}
	if err := c.iam(ctx, "GetPolicy", url.Values{"PolicyArn": {arn}}, &r); err != nil {
		return nil, err
	}
	var v struct{ PolicyVersion struct{ Document string } }
	if err := c.iam(ctx, "GetPolicyVersion", url.Values{"PolicyArn": {arn}, "VersionId": {r.Policy.DefaultVersionId}}, &v); err != nil {
		return nil, err
	}
	return document(v.PolicyVersion.Document, "iam:"+arn), nil
}

// Managed reads the version in force of a managed policy.
func (c *Client) Managed(ctx context.Context, arn string) (*policy.Document, error) {
	return c.managed(ctx, arn)
}

// document reads a policy as IAM's API gives it, percent-encoded. file names it in messages.
func document(text, file string) *policy.Document {
	raw, err := json.Marshal(text)
	if text == "" || err != nil {
		return nil
	}
	var p policy.PolicyText
	if p.UnmarshalJSON(raw) != nil {
		return nil
	}
	return p.Document(file)
}

// Role reads a role's trust policy by the role's name; the path in the ARN that is found may be another.
func (c *Client) Role(ctx context.Context, roleARN string) (*policy.FoundRole, error) {
	var r entityResult
	name := roleARN[strings.LastIndexByte(roleARN, '/')+1:]
	if err := c.iam(ctx, "GetRole", url.Values{"RoleName": {name}}, &r); err != nil {
		if hasCode(err, "NoSuchEntity") {
			return nil, err
		}
		return c.roleFromDetails(ctx, roleARN, err)
	}
	return &policy.FoundRole{
		ARN: r.Role.Arn, UniqueID: r.Role.RoleId, MaxSessionDuration: r.Role.MaxSessionDuration,
		Trust: document(r.Role.AssumeRolePolicyDocument, "iam:role/"+name+"/trust policy"),
	}, nil
}

type attachedXML struct{ PolicyName, PolicyArn string }

type groupXML struct{ GroupName string }

// listResult is a page of any of the lists.
type listResult struct {
	PolicyNames      []string      `xml:"PolicyNames>member"`
	AttachedPolicies []attachedXML `xml:"AttachedPolicies>member"`
	Groups           []groupXML    `xml:"Groups>member"`
	IsTruncated      bool
	Marker           string
}

// maxPages bounds a list whose end never comes.
const maxPages = 1000

// listAll reads every page of a list.
func listAll[T any](ctx context.Context, c *Client, action string, by url.Values, part func(*listResult) []T) ([]T, error) {
	var out []T
	params := url.Values{}
	for k, v := range by {
		params[k] = v
	}
	for range maxPages {
		var page listResult
		if err := c.iam(ctx, action, params, &page); err != nil {
			return out, err
		}
		out = append(out, part(&page)...)
		if !page.IsTruncated || page.Marker == "" {
			break
		}
		params.Set("Marker", page.Marker)
	}
	return out, nil
}
