package localsts

import (
	"crypto/rand"
	"encoding/base32"
	"fmt"
	"slices"
	"strings"

	"crossrole/internal/policy"
)

type principalKind string

const (
	kindUser principalKind = "user"
	kindRole principalKind = "role"
	kindRoot principalKind = "root"
)

// Principal is somebody of the accounts whom a client can be, with what a profile needs for it.
type Principal struct {
	Profile string   // the name, or NAME@ACCOUNT where several have it
	Aliases []string // other names of the profile: the value of the tag crossrole:profile
	Kind    principalKind
	Name    string
	Account string
	ARN     string
	Key     AccessKey // of a user or root
	MFA     []MFADevice

	// Of a role: the profile that may assume it (or, if nobody may, one that is refused), and what must be sent.
	Source     string
	ExternalID string
	MFASerial  string
}

// IsRole tells a role from a user and from the root user.
func (p Principal) IsRole() bool { return p.Kind == kindRole }

// IsRoot tells the root user of an account.
func (p Principal) IsRoot() bool { return p.Kind == kindRoot }

// ProfileTag is the tag of a user or role that gives it another profile name beside its own.
const ProfileTag = "crossrole:profile"

// EnsureKeys gives an access key to every user and root user that has none in use, and a seed to every MFA device that
// came without one (AWS tells neither). Call it before serving.
func (w *World) EnsureKeys() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, x := range w.accounts {
		if len(x.RootKeys) == 0 {
			k, err := NewAccessKey(x.ID)
			if err != nil {
				return err
			}
			x.RootKeys = append(x.RootKeys, k)
			if err := w.addKey(keyOwner{x, nil, &x.RootKeys[0]}); err != nil {
				return err
			}
		}
		for _, u := range x.Users {
			if err := ensureSeeds(u); err != nil {
				return err
			}
			if slices.ContainsFunc(u.AccessKeys, func(k AccessKey) bool { return !k.Inactive }) {
				continue
			}
			k, err := NewAccessKey(x.ID)
			if err != nil {
				return err
			}
			u.AccessKeys = append(u.AccessKeys, k)
			w.pointKeys(x, u)
		}
	}
	return nil
}

func ensureSeeds(u *User) error {
	for i := range u.MFADevices {
		if d := &u.MFADevices[i]; d.Seed == "" {
			seed, err := newSeed()
			if err != nil {
				return err
			}
			d.Seed = seed
		}
	}
	return nil
}

// newSeed is a seed as virtual MFA devices have.
func newSeed() (Secret, error) {
	b := make([]byte, 20)
	if _, err := rand.Read(b); err != nil {
		return "", fmt.Errorf("make the seed of an MFA device: %w", err)
	}
	return Secret(base32.StdEncoding.EncodeToString(b)), nil
}

// principals lists everybody: accounts in order of their ids, users before roles, root last.
func (w *World) principals() []Principal {
	var out []Principal
	ids := make([]string, 0, len(w.accounts))
	for id := range w.accounts {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		x := w.accounts[id]
		for _, u := range x.Users {
			p := Principal{Kind: kindUser, Name: u.Name, Account: id, ARN: u.ARN, MFA: u.MFADevices, Aliases: aliases(u.Tags)}
			p.Key = activeKey(u.AccessKeys)
			out = append(out, p)
		}
		for _, r := range x.Roles {
			out = append(out, Principal{Kind: kindRole, Name: r.Name, Account: id, ARN: r.ARN, Aliases: aliases(r.Tags)})
		}
		out = append(out, Principal{Kind: kindRoot, Name: "root", Account: id, ARN: x.iam("root"), Key: activeKey(x.RootKeys), Profile: "root@" + id})
	}
	nameProfiles(out)
	return out
}

func activeKey(list []AccessKey) AccessKey {
	for _, k := range list {
		if !k.Inactive {
			return k
		}
	}
	return AccessKey{}
}

func aliases(tags []Tag) (out []string) {
	for _, t := range tags {
		if t.Key == ProfileTag && reIAMName().MatchString(t.Value) {
			out = append(out, t.Value)
		}
	}
	return out
}

// nameProfiles gives each its profile's name. In one account a user and a role may share a name: then the role's says so.
func nameProfiles(list []Principal) {
	count := map[string]int{}
	for _, p := range list {
		if p.Kind != kindRoot {
			count[p.Name]++
			count[p.Name+"@"+p.Account]++
		}
	}
	taken := map[string]bool{}
	for i := range list {
		p := &list[i]
		switch {
		case p.Kind == kindRoot:
		case count[p.Name] == 1:
			p.Profile = p.Name
		case count[p.Name+"@"+p.Account] > 1 && p.Kind == kindRole:
			p.Profile = "role-" + p.Name + "@" + p.Account
		default:
			p.Profile = p.Name + "@" + p.Account
		}
		taken[p.Profile] = true
	}
	for i := range list {
		list[i].Aliases = slices.DeleteFunc(list[i].Aliases, func(a string) bool { dup := taken[a]; taken[a] = true; return dup })
	}
}

// Roster lists everybody of the accounts, and for each role from whom and with what it can be assumed. Callers are
// tried by the same decisions that serve clients.
func (s *Server) Roster() []Principal {
	s.world.mu.RLock()
	defer s.world.mu.RUnlock()
	all := s.world.principals()
	r := &reacher{server: s, budget: triesInAll}
	for i := range all {
		switch all[i].Kind {
		case kindUser:
			r.users = append(r.users, &all[i])
		case kindRole:
			r.roles = append(r.roles, &all[i])
		case kindRoot:
		}
	}
	r.candidates = slices.Concat(r.users, r.roles)
	for _, p := range r.roles {
		r.reach(p)
	}
	return all
}

// These bound the search for callers in large accounts, to about a second.
const (
	triesPerRole = 40
	triesInAll   = 20000
)

// reacher finds a caller for each role: users first, then sessions of other roles; without MFA before with it.
type reacher struct {
	server       *Server
	users, roles []*Principal
	candidates   []*Principal // users, then roles
	budget       int
}

func (r *reacher) reach(p *Principal) {
	trust := r.server.trustOf(p)
	if trust == nil {
		return
	}
	external := requiredExternalID(trust)
	tries := 0
	for _, c := range r.candidates {
		if tries >= triesPerRole || r.budget == 0 {
			break
		}
		if c == p || !mayName(trust, c) {
			continue
		}
		tries++
		r.budget--
		if ok, mfa := r.reaches(c, p.ARN, external); ok {
			p.Source, p.ExternalID = c.Profile, external
			if mfa {
				p.MFASerial = c.MFA[0].Serial
			}
			return
		}
		if p.Source == "" && c.Kind == kindUser {
			p.Source, p.ExternalID = c.Profile, external // refused, but with what the role asks for
		}
	}
	if p.Source == "" {
		p.Source = r.anySource(p)
	}
}

// anySource names some user, of the role's own account if there is one: the profile is there and is refused.
func (r *reacher) anySource(p *Principal) string {
	for _, c := range r.users {
		if c.Account == p.Account {
			return c.Profile
		}
	}
	if len(r.users) > 0 {
		return r.users[0].Profile
	}
	return ""
}

func (r *reacher) reaches(c *Principal, role, external string) (ok, mfa bool) {
	for _, mfa := range []bool{false, true} {
		if mfa && (len(c.MFA) == 0 || c.Kind != kindUser) {
			continue
		}
		if r.server.tryAs(r.server.callerFrom(c, "rehearsal"), role, Attempt{ExternalID: external, MFA: mfa}).Allowed {
			return true, mfa
		}
	}
	return false, false
}

func (s *Server) trustOf(p *Principal) *policy.Document {
	if _, r := s.world.role(p.ARN); r != nil {
		return s.world.docs.get(r.Trust, "")
	}
	return nil
}

// mayName tells whether a trust policy could let somebody in at all, cheaply.
func mayName(trust *policy.Document, c *Principal) bool {
	for _, st := range trust.Statements {
		if st.Principal == nil || st.Effect != policy.Allow {
			continue
		}
		for _, p := range st.Principal.Entries {
			if p.Type == "AWS" && (p.Text == "*" || strings.Contains(p.Text, c.Account) || !strings.Contains(p.Text, ":")) {
				return true
			}
		}
	}
	return false
}

// requiredExternalID is the external ID that a trust policy asks for, if it is one plain value.
func requiredExternalID(trust *policy.Document) string {
	for _, st := range trust.Statements {
		for _, c := range st.Conditions {
			if st.Effect == policy.Allow && strings.EqualFold(c.Key, "sts:ExternalId") && strings.HasPrefix(c.Operator, "StringEquals") && len(c.Values) > 0 {
				if v := c.Values[0].Text; len(v) >= 2 && reExternalID().MatchString(v) && !strings.Contains(v, "${") {
					return v
				}
			}
		}
	}
	return ""
}
