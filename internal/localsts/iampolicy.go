package localsts

import (
	"slices"
	"strconv"
	"strings"

	"crossrole/internal/policy"
)

// managedPolicy finds the policy that PolicyArn names, once the caller may do the action to it.
func (s *Server) managedPolicy(c *call) (*ManagedPolicy, *apiError) {
	arn, apiErr := policyARN(c)
	if apiErr != nil {
		return nil, apiErr
	}
	if apiErr := s.mayIAM(c, arn, "policy "+arn, nil, nil); apiErr != nil {
		return nil, apiErr
	}
	p := c.caller.account.policy(arn)
	if p == nil {
		return nil, noSuchEntity("Policy %s was not found.", arn)
	}
	return p, nil
}

func (s *Server) getPolicy(c *call) ([]node, *apiError) {
	p, apiErr := s.managedPolicy(c)
	if apiErr != nil {
		return nil, apiErr
	}
	return []node{el("Policy", p.nodes(c.caller.account)...)}, nil
}

func (s *Server) getPolicyVersion(c *call) ([]node, *apiError) {
	p, apiErr := s.managedPolicy(c)
	if apiErr != nil {
		return nil, apiErr
	}
	id := c.form.Get("VersionId")
	for _, v := range p.Versions {
		if v.ID == id {
			return []node{el("PolicyVersion", v.nodes(true)...)}, nil
		}
	}
	return nil, noSuchEntity("Policy %s version %s does not exist or is not attachable.", p.ARN, clip(id))
}

func (s *Server) listPolicyVersions(c *call) ([]node, *apiError) {
	p, apiErr := s.managedPolicy(c)
	if apiErr != nil {
		return nil, apiErr
	}
	return listing(c, "Versions", p.Versions, func(v PolicyVersion) string { return v.ID }, func(v PolicyVersion) node { return el("member", v.nodes(false)...) })
}

func (s *Server) listPolicies(c *call) ([]node, *apiError) {
	x := c.caller.account
	if apiErr := s.mayIAM(c, x.iam("policy/"), "policy path /", nil, nil); apiErr != nil {
		return nil, apiErr
	}
	list := x.Policies
	if c.form.Get("Scope") != "Local" {
		list = slices.Clone(list)
		for name := range builtin {
			if arn := "arn:" + x.Partition + ":iam::aws:policy/" + name; x.policies[arn] == nil {
				list = append(list, x.policy(arn))
			}
		}
	}
	list = slices.DeleteFunc(slices.Clone(list), func(p *ManagedPolicy) bool {
		if c.form.Get("Scope") == "AWS" && !p.aws() || c.form.Get("Scope") == "Local" && p.aws() {
			return true
		}
		n, _ := x.uses(p.ARN)
		return c.form.Get("OnlyAttached") == "true" && n == 0
	})
	list = underPath(c, list, func(p *ManagedPolicy) string { return p.Path })
	return listing(c, "Policies", list, func(p *ManagedPolicy) string { return p.ARN }, func(p *ManagedPolicy) node { return el("member", p.nodes(x)...) })
}

func (s *Server) createPolicy(c *call) ([]node, *apiError) {
	n, apiErr := s.newcomer(c, "Policy", "ANPA", 128)
	if apiErr != nil {
		return nil, apiErr
	}
	doc, apiErr := s.managedDocument(c)
	if apiErr != nil {
		return nil, apiErr
	}
	x := c.caller.account
	if x.policies[n.arn] != nil {
		return nil, conflict("EntityAlreadyExists", "A policy called %s already exists. Duplicate names are not allowed.", n.name)
	}
	p := &ManagedPolicy{
		Name: n.name, ID: n.id, ARN: n.arn, Path: n.path, DefaultVersion: "v1", Created: c.now, Updated: c.now, Description: c.form.Get("Description"),
		Versions: []PolicyVersion{{doc, "v1", true, c.now}},
	}
	x.Policies, x.policies[n.arn] = append(x.Policies, p), p
	return []node{el("Policy", p.nodes(x)...)}, nil
}

func (s *Server) managedDocument(c *call) (Document, *apiError) {
	doc, apiErr := submitted(c, "PolicyDocument", policy.Identity)
	if apiErr == nil && s.size(doc) > maxManagedDocument {
		apiErr = conflict("LimitExceeded", "Cannot exceed quota for PolicySize: %d", maxManagedDocument)
	}
	return doc, apiErr
}

func (s *Server) createPolicyVersion(c *call) ([]node, *apiError) {
	p, apiErr := s.managedPolicy(c)
	if apiErr != nil {
		return nil, apiErr
	}
	if p.aws() {
		return nil, accessDenied("Cannot change the AWS managed policy %s", p.ARN)
	}
	doc, apiErr := s.managedDocument(c)
	if apiErr != nil {
		return nil, apiErr
	}
	if len(p.Versions) >= maxVersions {
		return nil, conflict("LimitExceeded", "A managed policy can have up to %d versions. Before you create a new version, you must delete an existing version.", maxVersions)
	}
	v := PolicyVersion{Document: doc, ID: p.nextVersion(), IsDefault: c.form.Get("SetAsDefault") == "true", Created: c.now}
	if v.IsDefault {
		for i := range p.Versions {
			p.Versions[i].IsDefault = false
		}
		p.DefaultVersion = v.ID
	}
	p.Versions, p.Updated = append(p.Versions, v), c.now
	return []node{el("PolicyVersion", v.nodes(false)...)}, nil
}

func (p *ManagedPolicy) nextVersion() string {
	high := 0
	for _, v := range p.Versions {
		if n, err := strconv.Atoi(strings.TrimPrefix(v.ID, "v")); err == nil {
			high = max(high, n)
		}
	}
	return "v" + strconv.Itoa(high+1)
}

func (s *Server) deletePolicy(c *call) ([]node, *apiError) {
	p, apiErr := s.managedPolicy(c)
	if apiErr != nil {
		return nil, apiErr
	}
	x := c.caller.account
	attached, boundaries := x.uses(p.ARN)
	switch {
	case x.policies[p.ARN] == nil || p.aws():
		return nil, accessDenied("Cannot delete the AWS managed policy %s", p.ARN)
	case attached+boundaries > 0:
		return nil, conflict("DeleteConflict", "Cannot delete a policy attached to entities.")
	case len(p.Versions) > 1:
		return nil, conflict("DeleteConflict", "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.")
	}
	delete(x.policies, p.ARN)
	x.Policies = slices.DeleteFunc(x.Policies, func(o *ManagedPolicy) bool { return o == p })
	return nil, nil
}
