package localsts

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"crossrole/internal/policy"
	"go.yaml.in/yaml/v3"
)

// Organization is an AWS organization: a tree of units that accounts hang in, with the SCPs and RCPs of every level.
// Where scps is left out, FullAWSAccess is attached, as AWS does; an empty list allows nothing.
type Organization struct {
	ID                string  `json:"id" yaml:"id"`
	ManagementAccount string  `json:"management_account" yaml:"management_account"`
	Root              OrgUnit `json:"root" yaml:"root"`
}

// OrgUnit is the root or an organizational unit.
type OrgUnit struct {
	ID       string       `json:"id" yaml:"id"`
	Name     string       `json:"name" yaml:"name"`
	SCPs     []OrgPolicy  `json:"scps" yaml:"scps"`
	RCPs     []OrgPolicy  `json:"rcps" yaml:"rcps"`
	Units    []OrgUnit    `json:"units" yaml:"units"`
	Accounts []OrgAccount `json:"accounts" yaml:"accounts"`
}

// OrgAccount is an account's place, with what is attached to the account itself. In a file it may be the id alone.
type OrgAccount struct {
	ID   string      `json:"id" yaml:"id"`
	SCPs []OrgPolicy `json:"scps" yaml:"scps"`
	RCPs []OrgPolicy `json:"rcps" yaml:"rcps"`
}

// OrgPolicy is a named SCP or RCP.
type OrgPolicy struct {
	Name     string   `json:"name" yaml:"name"`
	Document Document `json:"document" yaml:"document"`
}

// UnmarshalYAML takes the id alone or the whole account.
func (a *OrgAccount) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		a.ID = n.Value
		return nil
	}
	type plain OrgAccount
	return n.Decode((*plain)(a))
}

// UnmarshalYAML takes a policy as an object or as text.
func (d *Document) UnmarshalYAML(n *yaml.Node) error {
	text, err := documentOf(n)
	*d = text
	return err
}

// maxOrganizationFile bounds what LoadOrganization reads.
const maxOrganizationFile = 16 << 20

// LoadOrganization reads an organization from YAML or JSON.
func LoadOrganization(r io.Reader) (*Organization, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxOrganizationFile+1))
	if err != nil {
		return nil, fmt.Errorf("read organization: %w", err)
	}
	if len(b) > maxOrganizationFile {
		return nil, fmt.Errorf("read organization: more than %d bytes", maxOrganizationFile)
	}
	root, err := parseYAML(b)
	if err != nil {
		return nil, fmt.Errorf("read organization: %w", err)
	}
	o := &Organization{}
	if err := root.Decode(o); err != nil {
		return nil, fmt.Errorf("read organization: %w", err)
	}
	if !isAccountID(o.ManagementAccount) {
		return nil, fmt.Errorf("organization: management_account %q is not 12 digits", o.ManagementAccount)
	}
	if o.ID == "" {
		o.ID = "o-rehearsal0"
	}
	return o, o.check()
}

// check refuses an account in two places, and documents that AWS would refuse.
func (o *Organization) check() error {
	seen := map[string]bool{}
	var walk func(u *OrgUnit) error
	walk = func(u *OrgUnit) error {
		if err := checkOrgPolicies(u.Name, u.SCPs, u.RCPs); err != nil {
			return err
		}
		for _, a := range u.Accounts {
			if !isAccountID(a.ID) || seen[a.ID] {
				return fmt.Errorf("organization: account %q is not 12 digits, or stands twice", a.ID)
			}
			seen[a.ID] = true
			if err := checkOrgPolicies(a.ID, a.SCPs, a.RCPs); err != nil {
				return err
			}
		}
		for i := range u.Units {
			if err := walk(&u.Units[i]); err != nil {
				return err
			}
		}
		return nil
	}
	return walk(&o.Root)
}

func checkOrgPolicies(where string, scps, rcps []OrgPolicy) error {
	for _, set := range []struct {
		kind policy.Kind
		list []OrgPolicy
	}{{policy.SCP, scps}, {policy.RCP, rcps}} {
		for _, p := range set.list {
			if msg := refusal(set.kind, p.Document); msg != nil {
				return fmt.Errorf("organization: %s: %s %q: %s", where, set.kind, p.Name, msg.Message)
			}
		}
	}
	return nil
}

// fullAWSAccess is what AWS attaches to every level at first.
var fullAWSAccess = OrgPolicy{"FullAWSAccess", allow(`"Action":"*","Resource":"*"`)}

// orgPolicies says which of a level's two lists is meant.
type orgPolicies func(scps, rcps []OrgPolicy) []OrgPolicy

func scps(s, _ []OrgPolicy) []OrgPolicy {
	if s == nil {
		return []OrgPolicy{fullAWSAccess}
	}
	return s
}

func rcps(_, r []OrgPolicy) []OrgPolicy { return r }

// place is the way from the root to an account.
type place struct {
	units   []*OrgUnit
	account *OrgAccount
}

func (o *Organization) find(account string) (p place, ok bool) {
	if o == nil {
		return place{}, false
	}
	var walk func(u *OrgUnit, above []*OrgUnit) bool
	walk = func(u *OrgUnit, above []*OrgUnit) bool {
		here := append(slices.Clip(above), u)
		for i := range u.Accounts {
			if u.Accounts[i].ID == account {
				p = place{here, &u.Accounts[i]}
				return true
			}
		}
		for i := range u.Units {
			if walk(&u.Units[i], here) {
				return true
			}
		}
		return false
	}
	return p, walk(&o.Root, nil)
}

// levels are the SCPs or RCPs that bind an account, from the root down; nil without an organization.
func (w *World) levels(account string, which orgPolicies) []policy.Level {
	p, ok := w.places[account]
	if !ok {
		return nil
	}
	var out []policy.Level
	add := func(name string, list []OrgPolicy) {
		l := policy.Level{Name: name}
		for _, x := range list {
			l.Policies = append(l.Policies, policy.NamedPolicy{Name: x.Name, Document: w.docs.get(x.Document, x.Name)})
		}
		out = append(out, l)
	}
	for _, u := range p.units {
		add(or(u.Name, u.ID), which(u.SCPs, u.RCPs))
	}
	add(account, which(p.account.SCPs, p.account.RCPs))
	return out
}

func (o *Organization) forPolicy() *policy.Organization {
	if o == nil {
		return nil
	}
	return &policy.Organization{ID: o.ID, ManagementAccount: o.ManagementAccount}
}

func (o *Organization) member(account string) bool {
	if o == nil {
		return false
	}
	_, ok := o.find(account)
	return ok || account == o.ManagementAccount
}

// path is aws:PrincipalOrgPaths' form: o-…/r-…/ou-…/
func (o *Organization) path(account string) string {
	s := o.ID + "/"
	p, _ := o.find(account)
	for _, u := range p.units {
		s += u.ID + "/"
	}
	if len(p.units) == 0 {
		s += o.Root.ID + "/"
	}
	return s
}

func (o *Organization) principalKeys(ctx policy.Context, account string) {
	if o.member(account) {
		ctx["aws:PrincipalOrgID"] = policy.One(o.ID)
		ctx["aws:PrincipalOrgPaths"] = policy.Many(o.path(account))
		ctx["aws:PrincipalOrgMasterAccountId"] = policy.One(o.ManagementAccount)
	}
}

func (o *Organization) resourceKeys(ctx policy.Context, account string) {
	if o.member(account) {
		ctx["aws:ResourceOrgID"] = policy.One(o.ID)
		ctx["aws:ResourceOrgPaths"] = policy.Many(o.path(account))
	}
}

// OrganizationOf is an organization of which nothing is known but its accounts: all of them right under the root.
func OrganizationOf(management string, accounts ...string) *Organization {
	o := &Organization{ID: "o-rehearsal0", ManagementAccount: management, Root: OrgUnit{ID: "r-root", Name: "Root"}}
	for _, id := range accounts {
		o.Root.Accounts = append(o.Root.Accounts, OrgAccount{ID: id})
	}
	return o
}

// Attach attaches a policy to its targets beside what is there, and returns the targets that the organization
// does not have. Any root id (r-…) is the root.
func (o *Organization) Attach(p TargetedPolicy) (unknown []string) {
	for _, target := range p.Targets {
		s, r := o.lists(&o.Root, target)
		switch {
		case s == nil:
			unknown = append(unknown, target)
		case p.RCP:
			*r = append(*r, p.OrgPolicy)
		default:
			*s = append(scps(*s, nil), p.OrgPolicy)
		}
	}
	return unknown
}

// lists finds the SCPs and RCPs of a target.
func (o *Organization) lists(u *OrgUnit, target string) (s, r *[]OrgPolicy) {
	if u.ID == target && target != "" || u == &o.Root && strings.HasPrefix(target, "r-") {
		return &u.SCPs, &u.RCPs
	}
	for i := range u.Accounts {
		if a := &u.Accounts[i]; a.ID == target {
			return &a.SCPs, &a.RCPs
		}
	}
	for i := range u.Units {
		if s, r = o.lists(&u.Units[i], target); s != nil {
			return s, r
		}
	}
	return nil, nil
}
