package iamread

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"

	"crossrole/internal/policy"
)

func asAPI(err error, to **APIError) bool { return errors.As(err, to) }

// The account's details are what some may read who may not call the single reads. They are long, so each kind of entity is
// walked by itself, and only what the decision needs is kept.

// detailsPage is one page of GetAccountAuthorizationDetails.
type detailsPage struct {
	UserDetailList  []detailXML  `xml:"UserDetailList>member"`
	RoleDetailList  []detailXML  `xml:"RoleDetailList>member"`
	GroupDetailList []detailXML  `xml:"GroupDetailList>member"`
	Policies        []managedXML `xml:"Policies>member"`
	IsTruncated     bool
	Marker          string
}

// detailXML is a user, role or group with its policies. Its JSON form is a snapshot's.
type detailXML struct {
	Arn                      string
	UserName                 string        `json:",omitempty"`
	GroupName                string        `json:",omitempty"`
	RoleName                 string        `json:",omitempty"`
	UserId                   string        `json:",omitempty"`
	RoleId                   string        `json:",omitempty"`
	GroupId                  string        `json:",omitempty"`
	Path                     string        `json:",omitempty"`
	CreateDate               string        `json:",omitempty"`
	MaxSessionDuration       int           `json:",omitempty"` // of a role; the details leave it out
	MFADevices               []mfaJSON     `xml:"-" json:",omitempty"`
	AssumeRolePolicyDocument string        `json:",omitempty"`
	UserPolicyList           []inlineXML   `xml:"UserPolicyList>member" json:",omitempty"`
	RolePolicyList           []inlineXML   `xml:"RolePolicyList>member" json:",omitempty"`
	GroupPolicyList          []inlineXML   `xml:"GroupPolicyList>member" json:",omitempty"`
	GroupList                []string      `xml:"GroupList>member" json:",omitempty"`
	AttachedManagedPolicies  []attachedXML `xml:"AttachedManagedPolicies>member" json:",omitempty"`
	PermissionsBoundary      *boundaryXML  `json:",omitempty"`
	Tags                     []policy.Tag  `xml:"Tags>member" json:",omitempty"`
}

// mfaJSON is a user's MFA device. It has no seed: AWS keeps that.
type mfaJSON struct{ SerialNumber string }

type inlineXML struct{ PolicyName, PolicyDocument string }

type boundaryXML struct{ PermissionsBoundaryArn string }

type managedXML struct {
	Arn, PolicyName, DefaultVersionId string
	PolicyVersionList                 []versionXML `xml:"PolicyVersionList>member"`
}

type versionXML struct {
	VersionId        string
	IsDefaultVersion bool
	Document         string
}

// walk reads the details of some kinds of entities, page by page, until visit has seen enough.
func (c *Client) walk(ctx context.Context, kinds []string, visit func(*detailsPage) (more bool)) error {
	params := url.Values{}
	for i, k := range kinds {
		params.Set("Filter.member."+string(rune('1'+i)), k)
	}
	for range maxPages {
		var page detailsPage
		if err := c.iam(ctx, "GetAccountAuthorizationDetails", params, &page); err != nil {
			return err
		}
		if !visit(&page) || !page.IsTruncated || page.Marker == "" {
			return nil
		}
		params.Set("Marker", page.Marker)
	}
	return nil
}

// kept is a small snapshot: what a decision needs of the account's details.
type kept struct {
	UserDetailList, RoleDetailList, GroupDetailList []detailXML
	Policies                                        []managedXML
}

// callerFromDetails reads the caller out of the account's details; first is why the single reads did not do.
func (c *Client) callerFromDetails(ctx context.Context, who policy.Caller, arn string, first error) (*policy.FoundCaller, []string, error) {
	var api *APIError
	if !errors.As(first, &api) || !api.Denied() {
		return nil, nil, first
	}
	var k kept
	if err := c.walk(ctx, []string{"User", "Role"}, func(p *detailsPage) bool {
		k.UserDetailList = append(k.UserDetailList, keep(p.UserDetailList, arn)...)
		k.RoleDetailList = append(k.RoleDetailList, keep(p.RoleDetailList, arn)...)
		return len(k.UserDetailList)+len(k.RoleDetailList) == 0
	}); err != nil {
		return nil, nil, first
	}
	groups, attached := k.wants()
	if len(groups) > 0 {
		if err := c.walk(ctx, []string{"Group"}, func(p *detailsPage) bool {
			for _, g := range p.GroupDetailList {
				if slices.Contains(groups, g.GroupName) {
					k.GroupDetailList = append(k.GroupDetailList, g)
				}
			}
			return len(k.GroupDetailList) < len(groups)
		}); err != nil {
			return nil, nil, err
		}
		_, attached = k.wants()
	}
	if err := c.walk(ctx, []string{"LocalManagedPolicy", "AWSManagedPolicy"}, func(p *detailsPage) bool {
		for _, m := range p.Policies {
			if slices.Contains(attached, m.Arn) {
				k.Policies = append(k.Policies, m)
			}
		}
		return len(k.Policies) < len(attached)
	}); len(attached) > 0 && err != nil {
		return nil, nil, err
	}
	if who.ARN == "" {
		who.ARN = arn
	}
	found, err := k.find(who.ARN, "")
	if err != nil || found.Caller == nil {
		return nil, nil, first
	}
	var unread []string
	for _, name := range found.Unresolved {
		unread = append(unread, "policy "+name+" (the account's details do not hold it)")
	}
	return found.Caller, unread, nil
}

// keep is the entity of an ARN. A session names its role without the path.
func keep(list []detailXML, arn string) []detailXML {
	for _, d := range list {
		if d.Arn == arn || d.RoleName != "" && sessionOf(arn, d) {
			return []detailXML{d}
		}
	}
	return nil
}

func sessionOf(arn string, d detailXML) bool {
	a, ok1 := policy.ParseARN(arn)
	r, ok2 := policy.ParseARN(d.Arn)
	const kind = "assumed-role/"
	return ok1 && ok2 && a.Service == "sts" && a.Account == r.Account && len(a.Resource) > len(kind) && a.Resource[:len(kind)] == kind &&
		a.Resource[len(kind):len(kind)+min(len(d.RoleName)+1, len(a.Resource)-len(kind))] == d.RoleName+"/"
}

// wants lists the groups and managed policies that the entities name.
func (k *kept) wants() (groups, attached []string) {
	for _, list := range [][]detailXML{k.UserDetailList, k.RoleDetailList, k.GroupDetailList} {
		for _, d := range list {
			groups = append(groups, d.GroupList...)
			for _, at := range d.AttachedManagedPolicies {
				attached = append(attached, at.PolicyArn)
			}
			if d.PermissionsBoundary != nil {
				attached = append(attached, d.PermissionsBoundary.PermissionsBoundaryArn)
			}
		}
	}
	slices.Sort(attached)
	return groups, slices.Compact(attached)
}

// find hands what was kept to the reader of snapshots.
func (k *kept) find(callerARN, roleARN string) (*policy.Found, error) {
	text, err := json.Marshal(k)
	if err != nil {
		return nil, err
	}
	return policy.Find(bytes.NewReader(text), "iam:GetAccountAuthorizationDetails", callerARN, roleARN)
}

// roleFromDetails reads a role out of the account's details; first is why GetRole did not do.
func (c *Client) roleFromDetails(ctx context.Context, roleARN string, first error) (*policy.FoundRole, error) {
	var api *APIError
	if !errors.As(first, &api) || !api.Denied() {
		return nil, first
	}
	var k kept
	name := policyName(roleARN)
	err := c.walk(ctx, []string{"Role"}, func(p *detailsPage) bool {
		for _, r := range p.RoleDetailList {
			if r.RoleName == name {
				k.RoleDetailList = append(k.RoleDetailList, r)
			}
		}
		return len(k.RoleDetailList) == 0
	})
	if err != nil {
		return nil, first
	}
	if len(k.RoleDetailList) == 0 {
		return nil, &APIError{Action: "iam:GetAccountAuthorizationDetails", Status: 404, Code: "NoSuchEntity", Message: "no role " + name + " in the account's details"}
	}
	r := k.RoleDetailList[0]
	return &policy.FoundRole{ARN: r.Arn, UniqueID: r.RoleId, Trust: document(r.AssumeRolePolicyDocument, "iam:role/"+name+"/trust policy")}, nil
}
