package localsts

import (
	"fmt"
	"strings"
	"sync"
)

// World is every account that a Server plays. Requests read it side by side; a write has it for itself.
type World struct {
	mu       sync.RWMutex
	accounts map[string]*accountIndex
	keys     map[string]keyOwner // long-term access keys
	org      *Organization       // nil without one
	places   map[string]place    // of the accounts in the organization
	docs     documents

	mfaMu   sync.Mutex
	mfaUsed map[string]uint64 // device serial → the last step whose code was used
}

type accountIndex struct {
	*Account
	users    map[string]*User // names ignore case
	roles    map[string]*Role
	groups   map[string]*Group
	policies map[string]*ManagedPolicy // by ARN
}

type keyOwner struct {
	account *accountIndex
	user    *User // nil: the account's root user
	key     *AccessKey
}

// NewWorld checks the accounts and joins them. The accounts are the world's from then on.
func NewWorld(accounts ...*Account) (*World, error) {
	w := &World{accounts: map[string]*accountIndex{}, keys: map[string]keyOwner{}, mfaUsed: map[string]uint64{}}
	for _, a := range accounts {
		if err := a.complete(); err != nil {
			return nil, err
		}
		if w.accounts[a.ID] != nil {
			return nil, fmt.Errorf("account %s: given twice", a.ID)
		}
		idx, err := indexAccount(a)
		if err != nil {
			return nil, err
		}
		w.accounts[a.ID] = idx
		if err := w.addKeys(idx); err != nil {
			return nil, err
		}
	}
	return w, nil
}

func indexAccount(a *Account) (*accountIndex, error) {
	x := &accountIndex{
		Account: a, users: map[string]*User{}, roles: map[string]*Role{},
		groups: map[string]*Group{}, policies: map[string]*ManagedPolicy{},
	}
	for _, u := range a.Users {
		if err := addNew(x.users, a.ID, "user", u.Name, u); err != nil {
			return nil, err
		}
		if err := checkDevices(a.ID, u); err != nil {
			return nil, err
		}
	}
	for _, r := range a.Roles {
		if err := addNew(x.roles, a.ID, "role", r.Name, r); err != nil {
			return nil, err
		}
	}
	for _, g := range a.Groups {
		if err := addNew(x.groups, a.ID, "group", g.Name, g); err != nil {
			return nil, err
		}
	}
	for _, p := range a.Policies {
		x.policies[p.ARN] = p
	}
	return x, nil
}

// checkDevices refuses what is no device: clients' files will name it, and a line break in it would be one there.
func checkDevices(account string, u *User) error {
	for _, d := range u.MFADevices {
		if !reSerial().MatchString(d.Serial) {
			return fmt.Errorf("account %s: user %q: %q is no serial number of an MFA device", account, u.Name, d.Serial)
		}
		if !isWord(string(d.Seed)) && d.Seed != "" {
			return fmt.Errorf("account %s: user %q: the seed of MFA device %q is not in base32", account, u.Name, d.Serial)
		}
	}
	return nil
}

// isWord tells printable ASCII without blanks.
func isWord(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

func addNew[T any](m map[string]*T, account, kind, name string, v *T) error {
	k := strings.ToLower(name)
	if !reIAMName().MatchString(name) {
		return fmt.Errorf("account %s: %q can't be the name of a %s", account, name, kind)
	}
	if m[k] != nil {
		return fmt.Errorf("account %s: two %ss are named %q", account, kind, name)
	}
	m[k] = v
	return nil
}

func (w *World) addKeys(x *accountIndex) error {
	for i := range x.RootKeys {
		if err := w.addKey(keyOwner{x, nil, &x.RootKeys[i]}); err != nil {
			return err
		}
	}
	for _, u := range x.Users {
		for i := range u.AccessKeys {
			if err := w.addKey(keyOwner{x, u, &u.AccessKeys[i]}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *World) addKey(o keyOwner) error {
	if o.key.ID == "" || o.key.Secret == "" {
		return fmt.Errorf("account %s: an access key needs an AccessKeyId and a SecretAccessKey", o.account.ID)
	}
	if !isWord(o.key.ID) || !isWord(string(o.key.Secret)) {
		return fmt.Errorf("account %s: access key %q: it, or its secret, has a character that no key has", o.account.ID, o.key.ID)
	}
	if _, dup := w.keys[o.key.ID]; dup {
		return fmt.Errorf("account %s: access key %q is given twice", o.account.ID, o.key.ID)
	}
	w.keys[o.key.ID] = o
	return nil
}

// SetOrganization puts the accounts into an organization. Call it before serving.
func (w *World) SetOrganization(o *Organization) error {
	if err := o.check(); err != nil {
		return err
	}
	o.identify()
	w.org, w.places = o, map[string]place{}
	for id := range w.accounts {
		if p, ok := o.find(id); ok {
			w.places[id] = p
		}
	}
	return nil
}

// role finds a role by its ARN, path included: the wrong path is another role.
func (w *World) role(arn string) (*accountIndex, *Role) {
	p, ok := splitARN(arn)
	if !ok {
		return nil, nil
	}
	x := w.accounts[p.account]
	if x == nil {
		return nil, nil
	}
	r := x.roles[strings.ToLower(p.resource[strings.LastIndex(p.resource, "/")+1:])]
	if r == nil || r.ARN != arn {
		return x, nil
	}
	return x, r
}
