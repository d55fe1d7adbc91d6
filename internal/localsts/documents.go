package localsts

import (
	"strings"
	"sync"

	"crossrole/internal/policy"
)

// documents keeps policies parsed: the same few are asked about again and again. It forgets everything when it is
// full, so that session policies made up by clients can't fill the memory.
type documents struct {
	mu     sync.RWMutex
	parsed map[Document]*policy.Document
}

const maxParsed = 20000

// get parses a document, or remembers it. Text that is not JSON becomes a document that no evaluation accepts.
func (d *documents) get(text Document, name string) *policy.Document {
	d.mu.RLock()
	doc := d.parsed[text]
	d.mu.RUnlock()
	if doc != nil {
		return doc
	}
	doc, err := policy.Parse([]byte(text), name)
	if err != nil {
		doc, _ = policy.Parse([]byte("{}"), name) // has no statement: refused by the validator
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.parsed == nil || len(d.parsed) >= maxParsed {
		d.parsed = map[Document]*policy.Document{}
	}
	d.parsed[text] = doc
	return doc
}

// builtin are the AWS managed policies that are known without a snapshot. ReadOnlyAccess and
// SecurityAudit are AWS's in outline: the actions that read, by their names; sts is not among them.
var builtin = map[string]Document{
	"AdministratorAccess": allow(`"Action":"*","Resource":"*"`),
	"PowerUserAccess": `{"Version":"2012-10-17","Statement":[` +
		`{"Effect":"Allow","NotAction":["iam:*","organizations:*","account:*"],"Resource":"*"},` +
		`{"Effect":"Allow","Action":["account:GetAccountInformation","account:ListRegions","iam:CreateServiceLinkedRole",` +
		`"iam:DeleteServiceLinkedRole","iam:ListRoles","organizations:DescribeOrganization"],"Resource":"*"}]}`,
	"ReadOnlyAccess": allow(`"Action":["a4b:Get*","cloudformation:Describe*","cloudformation:Get*","cloudformation:List*",` +
		`"cloudtrail:Describe*","cloudtrail:Get*","cloudtrail:List*","cloudtrail:LookupEvents","cloudwatch:Describe*","cloudwatch:Get*","cloudwatch:List*",` +
		`"dynamodb:BatchGet*","dynamodb:Describe*","dynamodb:Get*","dynamodb:List*","dynamodb:Query","dynamodb:Scan",` +
		`"ec2:Describe*","ec2:Get*","ec2:List*","ecr:BatchGet*","ecr:Describe*","ecr:Get*","ecr:List*","ecs:Describe*","ecs:List*",` +
		`"iam:Generate*","iam:Get*","iam:List*","iam:Simulate*","kms:Describe*","kms:Get*","kms:List*","lambda:Get*","lambda:List*",` +
		`"logs:Describe*","logs:Filter*","logs:Get*","logs:List*","organizations:Describe*","organizations:List*","rds:Describe*","rds:List*",` +
		`"s3:Describe*","s3:Get*","s3:List*","sns:Get*","sns:List*","sqs:Get*","sqs:List*","ssm:Describe*","ssm:Get*","ssm:List*",` +
		`"tag:Get*"],"Resource":"*"`),
	"SecurityAudit": allow(`"Action":["cloudtrail:Describe*","cloudtrail:Get*","cloudtrail:List*","ec2:Describe*","iam:Generate*","iam:Get*","iam:List*",` +
		`"kms:Describe*","kms:List*","organizations:Describe*","organizations:List*","s3:GetBucket*","s3:List*"],"Resource":"*"`),
	"IAMFullAccess":           allow(`"Action":["iam:*","organizations:DescribeAccount","organizations:DescribeOrganization","organizations:DescribeOrganizationalUnit","organizations:DescribePolicy","organizations:ListChildren","organizations:ListParents","organizations:ListPoliciesForTarget","organizations:ListRoots","organizations:ListPolicies","organizations:ListTargetsForPolicy"],"Resource":"*"`),
	"IAMReadOnlyAccess":       allow(`"Action":["iam:GenerateCredentialReport","iam:GenerateServiceLastAccessedDetails","iam:Get*","iam:List*","iam:SimulateCustomPolicy","iam:SimulatePrincipalPolicy"],"Resource":"*"`),
	"AmazonS3FullAccess":      allow(`"Action":["s3:*","s3-object-lambda:*"],"Resource":"*"`),
	"AmazonS3ReadOnlyAccess":  allow(`"Action":["s3:Get*","s3:List*","s3:Describe*","s3-object-lambda:Get*","s3-object-lambda:List*"],"Resource":"*"`),
	"AmazonEC2FullAccess":     allow(`"Action":["ec2:*","elasticloadbalancing:*","cloudwatch:*","autoscaling:*"],"Resource":"*"`),
	"AmazonEC2ReadOnlyAccess": allow(`"Action":["ec2:Describe*","ec2:GetSecurityGroupsForVpc","elasticloadbalancing:Describe*","cloudwatch:ListMetrics","cloudwatch:GetMetricStatistics","cloudwatch:Describe*","autoscaling:Describe*"],"Resource":"*"`),
	"AWSDenyAll":              `{"Version":"2012-10-17","Statement":[{"Sid":"DenyAll","Effect":"Deny","Action":["*"],"Resource":"*"}]}`,
}

func allow(rest string) Document {
	return Document(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` + rest + `}]}`)
}

// managed is the default version of a managed policy: the account's own, one that came with its snapshot, or a
// well-known one of AWS's.
func (x *accountIndex) managed(arn string) (Document, bool) {
	if p := x.policies[arn]; p != nil {
		return p.current(), true
	}
	a, ok := splitARN(arn)
	if !ok || a.account != "aws" {
		return "", false
	}
	d, ok := builtin[a.resource[strings.LastIndex(a.resource, "/")+1:]]
	return d, ok
}

func (p *ManagedPolicy) current() Document {
	for _, v := range p.Versions {
		if v.IsDefault || v.ID == p.DefaultVersion {
			return v.Document
		}
	}
	return ""
}

// attachedDocument is a managed policy for evaluation. One that is not known allows nothing.
func (w *World) attachedDocument(x *accountIndex, arn string) *policy.Document {
	d, ok := x.managed(arn)
	if !ok {
		return nil
	}
	return w.docs.get(d, arn)
}

// identityPolicies are those of a caller: inline, attached, and of its groups.
func (w *World) identityPolicies(c *caller) []policy.NamedPolicy {
	var out []policy.NamedPolicy
	add := func(owner string, inline []InlinePolicy, attached []Attached) {
		for _, p := range inline {
			out = append(out, policy.NamedPolicy{Name: owner + "/" + p.Name, Document: w.docs.get(p.Document, owner+"/"+p.Name)})
		}
		for _, at := range attached {
			if d := w.attachedDocument(c.account, at.ARN); d != nil {
				out = append(out, policy.NamedPolicy{Name: at.ARN, Document: d})
			}
		}
	}
	switch {
	case c.user != nil:
		add("user "+c.user.Name, c.user.Inline, c.user.Attached)
		for _, name := range c.user.Groups {
			if g := c.account.groups[strings.ToLower(name)]; g != nil {
				add("group "+g.Name, g.Inline, g.Attached)
			}
		}
	case c.role != nil:
		add("role "+c.role.Name, c.role.Inline, c.role.Attached)
	}
	return out
}

// boundary is the permissions boundary of a caller. One that is set and not known is an empty policy: it allows nothing.
func (w *World) boundary(c *caller) *policy.Document {
	var b *Boundary
	switch {
	case c.user != nil:
		b = c.user.Boundary
	case c.role != nil:
		b = c.role.Boundary
	}
	if b == nil {
		return nil
	}
	if d := w.attachedDocument(c.account, b.ARN); d != nil {
		return d
	}
	return &policy.Document{File: b.ARN, Version: policy.Version2012}
}

// sessionPolicy joins the session policies of a caller's session: what any of them allows, they allow.
func (w *World) sessionPolicy(c *caller) *policy.Document {
	if c.session == nil || len(c.session.Policies) == 0 && len(c.session.PolicyARNs) == 0 {
		return nil
	}
	all := &policy.Document{File: "session policy", Version: policy.Version2012}
	var parts []*policy.Document
	for _, text := range c.session.Policies {
		parts = append(parts, w.docs.get(text, "session policy"))
	}
	for _, arn := range c.session.PolicyARNs {
		if d := w.attachedDocument(c.account, arn); d != nil {
			parts = append(parts, d)
		}
	}
	if len(parts) == 1 {
		return parts[0]
	}
	for _, d := range parts {
		all.Statements = append(all.Statements, d.Statements...)
	}
	return all
}
