package iamread

import (
	"context"
	"errors"
	"strings"

	"crossrole/internal/policy"
	"crossrole/internal/word"
)

// Organization describes the credentials' own organization, which a member may be allowed too; nil when the account is in none.
func (c *Client) Organization(ctx context.Context) (*policy.Organization, error) {
	var r struct {
		Organization struct{ Id, MasterAccountId string }
	}
	err := c.organizations(ctx, "DescribeOrganization", struct{}{}, &r)
	switch {
	case hasCode(err, "AWSOrganizationsNotInUse"):
		return nil, nil //nolint:nilnil // no organization is an answer
	case err != nil:
		return nil, err
	case r.Organization.Id == "":
		return nil, errors.New("organizations:DescribeOrganization: the answer names no organization")
	}
	return &policy.Organization{ID: r.Organization.Id, ManagementAccount: r.Organization.MasterAccountId}, nil
}

// The kinds of policy that an organization hangs on its accounts.
const (
	serviceControl  = "SERVICE_CONTROL_POLICY"
	resourceControl = "RESOURCE_CONTROL_POLICY"
)

// SCPs reads the service control policies of an account, from the root down to the account itself; nil when they are not in
// force. Only the management account and delegated administrators may.
func (c *Client) SCPs(ctx context.Context, account string) ([]policy.Level, error) {
	return c.levels(ctx, account, serviceControl)
}

// RCPs reads the resource control policies of an account, as [Client.SCPs] does.
func (c *Client) RCPs(ctx context.Context, account string) ([]policy.Level, error) {
	return c.levels(ctx, account, resourceControl)
}

func (c *Client) levels(ctx context.Context, account, kind string) ([]policy.Level, error) {
	chain, err := c.parents(ctx, account)
	if err != nil {
		return nil, err
	}
	var levels []policy.Level
	for _, target := range chain {
		level, err := c.level(ctx, target, kind)
		if hasCode(err, "PolicyTypeNotEnabled") {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		levels = append(levels, level)
	}
	if kind == serviceControl && allEmpty(levels) {
		return nil, nil // without any SCP the type is not enabled: FullAWSAccess can't be taken from everywhere
	}
	return levels, nil
}

func allEmpty(levels []policy.Level) bool {
	for _, l := range levels {
		if len(l.Policies) > 0 {
			return false
		}
	}
	return true
}

// maxDepth is more than the depth of any organization. Source: Organizations quotas (5 levels of OUs).
const maxDepth = 10

// parents lists the root, the OUs and the account, in this order.
func (c *Client) parents(ctx context.Context, account string) ([]string, error) {
	chain := []string{account}
	for range maxDepth {
		var r struct {
			Parents []struct{ Id, Type string }
		}
		if err := c.organizations(ctx, "ListParents", map[string]string{"ChildId": chain[0]}, &r); err != nil {
			return nil, err
		}
		if len(r.Parents) == 0 {
			return nil, errors.New("organizations:ListParents: " + word.Spell(chain[0]) + " has no parent")
		}
		chain = append([]string{r.Parents[0].Id}, chain...)
		if r.Parents[0].Type == "ROOT" {
			return chain, nil
		}
	}
	return nil, errors.New("organizations:ListParents: the organization is deeper than any can be")
}

func (c *Client) level(ctx context.Context, target, kind string) (policy.Level, error) {
	level := policy.Level{Name: target}
	found, err := pages[struct{ ID, Name string }](ctx, c, "ListPoliciesForTarget", map[string]string{"TargetId": target, "Filter": kind}, "Policies")
	if err != nil {
		return level, err
	}
	for _, p := range found {
		doc, err := c.controlPolicy(ctx, p.ID)
		if err != nil {
			return level, err
		}
		level.Policies = append(level.Policies, policy.NamedPolicy{Name: p.Name, Document: doc})
	}
	return level, nil
}

func (c *Client) controlPolicy(ctx context.Context, id string) (*policy.Document, error) {
	var r struct{ Policy struct{ Content string } }
	if err := c.organizations(ctx, "DescribePolicy", map[string]string{"PolicyId": id}, &r); err != nil {
		return nil, err
	}
	doc := document(r.Policy.Content, "organizations:"+id)
	if doc == nil {
		return nil, errors.New("organizations:DescribePolicy: " + word.Spell(id) + " has no content")
	}
	return doc, nil
}

func policyName(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }
