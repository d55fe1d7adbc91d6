package localsts

import (
	"fmt"
	"slices"
	"strings"

	"crossrole/internal/policy"
	"go.yaml.in/yaml/v3"
)

// properties are those of every resource type that is served, together.
type properties struct {
	UserName, RoleName, GroupName, ManagedPolicyName, PolicyName, Name, Path, Description, Status, Type string

	VirtualMfaDeviceName     string    `yaml:"VirtualMfaDeviceName"`
	AssumeRolePolicyDocument *Document `yaml:"AssumeRolePolicyDocument"`
	PolicyDocument           *Document `yaml:"PolicyDocument"`
	Content                  *Document `yaml:"Content"`
	ManagedPolicyArns        []string  `yaml:"ManagedPolicyArns"`
	Policies                 []struct {
		PolicyName     string   `yaml:"PolicyName"`
		PolicyDocument Document `yaml:"PolicyDocument"`
	} `yaml:"Policies"`
	PermissionsBoundary  string    `yaml:"PermissionsBoundary"`
	MaxSessionDuration   int       `yaml:"MaxSessionDuration"`
	Tags                 []yamlTag `yaml:"Tags"`
	Users                []string  `yaml:"Users"`
	Roles                []string  `yaml:"Roles"`
	Groups               []string  `yaml:"Groups"`
	TargetIds            []string  `yaml:"TargetIds"`
	Url                  string    `yaml:"Url"`
	ClientIDList         []string  `yaml:"ClientIdList"`
	SAMLMetadataDocument string    `yaml:"SamlMetadataDocument"`
}

type yamlTag struct {
	Key   string `yaml:"Key"`
	Value string `yaml:"Value"`
}

// UnmarshalYAML matches CloudFormation's names for the fields without a tag of their own.
func (p *properties) UnmarshalYAML(n *yaml.Node) error {
	type plain properties
	if err := n.Decode((*plain)(p)); err != nil {
		return err
	}
	for name, dst := range map[string]*string{
		"UserName": &p.UserName, "RoleName": &p.RoleName, "GroupName": &p.GroupName, "ManagedPolicyName": &p.ManagedPolicyName,
		"PolicyName": &p.PolicyName, "Name": &p.Name, "Path": &p.Path, "Description": &p.Description, "Status": &p.Status, "Type": &p.Type,
	} {
		*dst = scalar(member(n, name))
	}
	return nil
}

// builders make what a resource type stands for. Those that attach things to others come second.
var builders = []map[string]func(*template, string, *properties) error{
	{
		"AWS::IAM::User":          (*template).addUser,
		"AWS::IAM::Role":          (*template).addRole,
		"AWS::IAM::Group":         (*template).addGroup,
		"AWS::IAM::OIDCProvider":  (*template).addOIDC,
		"AWS::IAM::SAMLProvider":  (*template).addSAML,
		"AWS::IAM::ManagedPolicy": (*template).addManagedPolicy,
	},
	{
		"AWS::IAM::ManagedPolicy":       (*template).attachManaged,
		"AWS::IAM::Policy":              (*template).addPolicy,
		"AWS::IAM::UserPolicy":          (*template).addOwnPolicy,
		"AWS::IAM::RolePolicy":          (*template).addOwnPolicy,
		"AWS::IAM::GroupPolicy":         (*template).addOwnPolicy,
		"AWS::IAM::AccessKey":           (*template).addAccessKey,
		"AWS::IAM::UserToGroupAddition": (*template).addToGroup,
		"AWS::IAM::VirtualMFADevice":    (*template).addMFADevice,
		"AWS::Organizations::Policy":    (*template).addOrgPolicy,
	},
}

func (t *template) build() {
	skip := map[string]bool{}
	for pass, table := range builders {
		for _, id := range t.order {
			kind := scalar(member(t.resources[id], "Type"))
			f := table[kind]
			switch {
			case skip[id]:
			case f != nil:
				if err := t.buildOne(id, f); err != nil {
					skip[id] = true
					t.note("%s (%s) is skipped: %v", id, kind, err)
				}
			case pass == 0 && builders[1][kind] == nil:
				skip[id] = true
				t.note("%s (%s) is skipped: this type is not rehearsed", id, kind)
			}
		}
	}
}

func (t *template) note(format string, a ...any) {
	t.out.Notes = append(t.out.Notes, fmt.Sprintf(format, a...))
}

var errConditionFalse = fmt.Errorf("its condition is false")

func (t *template) buildOne(id string, f func(*template, string, *properties) error) error {
	res := t.resources[id]
	if c := scalar(member(res, "Condition")); c != "" {
		yes, err := t.condition(c)
		if err != nil {
			return err
		}
		if !yes {
			return errConditionFalse
		}
	}
	n := member(res, "Properties")
	if n == nil {
		n = &yaml.Node{Kind: yaml.MappingNode}
	}
	n, err := t.resolve(n)
	if err != nil {
		return err
	}
	if m := member(n, "MaxSessionDuration"); m != nil {
		m.Tag = "" // a number, also where a parameter or JSON made it a string
	}
	p := &properties{}
	if err := n.Decode(p); err != nil {
		return err
	}
	return f(t, id, p)
}

func (t *template) addUser(id string, p *properties) error {
	name, err := t.physical(id)
	if err != nil {
		return err
	}
	if findUser(t, name) != nil {
		return fmt.Errorf("user %q already exists", name)
	}
	inline, err := p.inline(policy.Identity)
	if err != nil {
		return err
	}
	t.out.Account.Users = append(t.out.Account.Users, &User{
		Name: name, Path: p.Path, Groups: p.Groups, Inline: inline, Attached: p.attached(), Boundary: p.boundary(), Tags: p.tags(),
	})
	return nil
}

func (t *template) addRole(id string, p *properties) error {
	name, err := t.physical(id)
	if err != nil {
		return err
	}
	if findRole(t, name) != nil {
		return fmt.Errorf("role %q already exists", name)
	}
	inline, err := p.inline(policy.Identity)
	if err != nil {
		return err
	}
	trust, err := deployable(policy.Trust, p.AssumeRolePolicyDocument)
	if err != nil {
		return fmt.Errorf("AssumeRolePolicyDocument: %w", err)
	}
	if p.MaxSessionDuration != 0 && (p.MaxSessionDuration < minRoleSession || p.MaxSessionDuration > maxRoleSession) {
		return fmt.Errorf("MaxSessionDuration %d is not between %d and %d", p.MaxSessionDuration, minRoleSession, maxRoleSession)
	}
	t.out.Account.Roles = append(t.out.Account.Roles, &Role{
		Name: name, Path: p.Path, Trust: trust, Inline: inline, Attached: p.attached(), Boundary: p.boundary(),
		Tags: p.tags(), Description: p.Description, MaxSession: p.MaxSessionDuration,
	})
	return nil
}

func (t *template) addGroup(id string, p *properties) error {
	name, err := t.physical(id)
	if err != nil {
		return err
	}
	if findGroup(t, name) != nil {
		return fmt.Errorf("group %q already exists", name)
	}
	inline, err := p.inline(policy.Identity)
	if err != nil {
		return err
	}
	t.out.Account.Groups = append(t.out.Account.Groups, &Group{Name: name, Path: p.Path, Inline: inline, Attached: p.attached()})
	return nil
}

func (t *template) addOIDC(_ string, p *properties) error {
	if p.Url == "" {
		return fmt.Errorf("it has no Url")
	}
	t.out.Account.OIDC = append(t.out.Account.OIDC, &OIDCProvider{URL: p.Url, ClientIDs: p.ClientIDList})
	return nil
}

func (t *template) addSAML(id string, p *properties) error {
	arn, err := t.attribute(id, "Arn")
	if err != nil {
		return err
	}
	t.out.Account.SAML = append(t.out.Account.SAML, &SAMLProvider{ARN: arn.Value, Metadata: p.SAMLMetadataDocument})
	return nil
}

func (t *template) addManagedPolicy(id string, p *properties) error {
	arn, err := t.attribute(id, "Arn")
	if err != nil {
		return err
	}
	doc, err := deployable(policy.Identity, p.PolicyDocument)
	if err != nil {
		return err
	}
	name, err := t.physical(id)
	if err != nil {
		return err
	}
	t.out.Account.Policies = append(t.out.Account.Policies, &ManagedPolicy{
		Name: name, ARN: arn.Value, Path: p.Path, DefaultVersion: "v1", Description: p.Description,
		Versions: []PolicyVersion{{Document: doc, ID: "v1", IsDefault: true}},
	})
	return nil
}

func (t *template) attachManaged(id string, p *properties) error {
	arn, err := t.attribute(id, "Arn")
	if err != nil {
		return err
	}
	name, err := t.physical(id)
	if err != nil {
		return err
	}
	return t.each(p, func(e entity) { *e.attached = append(*e.attached, Attached{name, arn.Value}) })
}

func (t *template) addPolicy(_ string, p *properties) error {
	doc, err := deployable(policy.Identity, p.PolicyDocument)
	if err != nil {
		return err
	}
	return t.each(p, func(e entity) { *e.inline = append(*e.inline, InlinePolicy{p.PolicyName, doc}) })
}

func (t *template) addOwnPolicy(id string, p *properties) error {
	for name, list := range map[string]*[]string{p.UserName: &p.Users, p.RoleName: &p.Roles, p.GroupName: &p.Groups} {
		if name != "" {
			*list = []string{name}
		}
	}
	return t.addPolicy(id, p)
}

func (t *template) addAccessKey(id string, p *properties) error {
	k, err := NewAccessKey(t.opts.ID)
	if err != nil {
		return err
	}
	k.ID, k.Inactive = t.accessKeyID(id), p.Status == "Inactive"
	u := findUser(t, p.UserName)
	if u == nil {
		return fmt.Errorf("no user %q in this template", p.UserName)
	}
	u.AccessKeys = append(u.AccessKeys, k)
	return nil
}

func (t *template) addToGroup(_ string, p *properties) error {
	for _, name := range p.Users {
		u := findUser(t, name)
		if u == nil {
			return fmt.Errorf("no user %q in this template", name)
		}
		u.Groups = append(u.Groups, p.GroupName)
	}
	return nil
}

func (t *template) addMFADevice(id string, p *properties) error {
	serial, err := t.attribute(id, "SerialNumber")
	if err != nil {
		return err
	}
	seed, err := newSeed()
	if err != nil {
		return err
	}
	for _, name := range p.Users {
		u := findUser(t, name)
		if u == nil {
			return fmt.Errorf("no user %q in this template", name)
		}
		u.MFADevices = append(u.MFADevices, MFADevice{Serial: serial.Value, Seed: seed})
	}
	return nil
}

func (t *template) addOrgPolicy(_ string, p *properties) error {
	kind := policy.SCP
	switch p.Type {
	case "SERVICE_CONTROL_POLICY":
	case "RESOURCE_CONTROL_POLICY":
		kind = policy.RCP
	default:
		return fmt.Errorf("policies of type %q are not rehearsed", p.Type)
	}
	doc, err := deployable(kind, p.Content)
	if err != nil {
		return err
	}
	t.out.OrgPolicies = append(t.out.OrgPolicies, TargetedPolicy{OrgPolicy{p.Name, doc}, kind == policy.RCP, p.TargetIds})
	return nil
}

// each calls f for the users, roles and groups that a policy names. Each must be in the template.
func (t *template) each(p *properties, f func(entity)) error {
	for _, name := range p.Users {
		u := findUser(t, name)
		if u == nil {
			return fmt.Errorf("no user %q in this template", name)
		}
		f(u.entity())
	}
	for _, name := range p.Roles {
		r := findRole(t, name)
		if r == nil {
			return fmt.Errorf("no role %q in this template", name)
		}
		f(r.entity())
	}
	for _, name := range p.Groups {
		g := findGroup(t, name)
		if g == nil {
			return fmt.Errorf("no group %q in this template", name)
		}
		f(g.entity())
	}
	return nil
}

func findName[T any](list []*T, name string, of func(*T) string) *T {
	if i := slices.IndexFunc(list, func(x *T) bool { return strings.EqualFold(of(x), name) }); i >= 0 {
		return list[i]
	}
	return nil
}

// deployable refuses a document that IAM would refuse when the stack is made.
func deployable(kind policy.Kind, d *Document) (Document, error) {
	if d == nil {
		return "", fmt.Errorf("it has no policy document")
	}
	if apiErr := refusal(kind, *d); apiErr != nil {
		return "", apiErr
	}
	return *d, nil
}

func (p *properties) inline(kind policy.Kind) ([]InlinePolicy, error) {
	var out []InlinePolicy
	for _, x := range p.Policies {
		if _, err := deployable(kind, &x.PolicyDocument); err != nil {
			return nil, fmt.Errorf("policy %q: %w", x.PolicyName, err)
		}
		out = append(out, InlinePolicy{x.PolicyName, x.PolicyDocument})
	}
	return out, nil
}

func (p *properties) attached() []Attached {
	var out []Attached
	for _, arn := range p.ManagedPolicyArns {
		out = append(out, Attached{arn[strings.LastIndex(arn, "/")+1:], arn})
	}
	return out
}

func (p *properties) boundary() *Boundary {
	if p.PermissionsBoundary == "" {
		return nil
	}
	return &Boundary{"PermissionsBoundaryPolicy", p.PermissionsBoundary}
}

func (p *properties) tags() []Tag {
	var out []Tag
	for _, t := range p.Tags {
		out = append(out, Tag(t))
	}
	return out
}

func findUser(t *template, name string) *User {
	return findName(t.out.Account.Users, name, func(x *User) string { return x.Name })
}

func findRole(t *template, name string) *Role {
	return findName(t.out.Account.Roles, name, func(x *Role) string { return x.Name })
}

func findGroup(t *template, name string) *Group {
	return findName(t.out.Account.Groups, name, func(x *Group) string { return x.Name })
}
