package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"crossrole/internal/disk"
	"crossrole/internal/localsts"
)

// maxNotes bounds how many notes about the accounts are told.
const maxNotes = 30

// worldBuilder collects accounts from files and from AWS.
type worldBuilder struct {
	accounts map[string]*localsts.Account
	order    []string
	policies []localsts.TargetedPolicy
	manager  string          // the account whose template has organization policies
	declared map[string]bool // parameters that some template has
	notes    []string
}

// world reads everything that the flags name.
func (o *rehearseOptions) world(ctx context.Context, a *app) (*localsts.World, error) {
	b := &worldBuilder{accounts: map[string]*localsts.Account{}, declared: map[string]bool{}}
	for _, profile := range o.fromLive {
		acct, notes, err := o.liveAccount(ctx, a, profile)
		if err != nil {
			return nil, err
		}
		b.notes = append(b.notes, notes...)
		if err := b.add(acct, "--from-live "+profile); err != nil {
			return nil, err
		}
	}
	values := map[string]string{}
	for _, p := range o.parameters {
		k, v, _ := strings.Cut(p, "=")
		values[k] = v
	}
	for _, arg := range o.accounts {
		if err := b.addFile(a, arg, values); err != nil {
			return nil, err
		}
	}
	for k := range values {
		if !b.declared[k] {
			return nil, &configError{Why: fmt.Sprintf("--parameter %q: no template has a parameter of that name", k)}
		}
	}
	w, err := b.world(a, o.organization)
	if err != nil {
		return nil, err
	}
	for _, arg := range o.jwks {
		if err := addJWKS(a, w, arg); err != nil {
			return nil, err
		}
	}
	b.notes = append(b.notes, w.Problems()...)
	for i, n := range b.notes {
		if i == maxNotes {
			a.say(fmt.Sprintf("warning: and %d more like these", len(b.notes)-maxNotes))
			break
		}
		a.say("warning: " + clean(n))
	}
	return w, w.EnsureKeys()
}

func (b *worldBuilder) add(acct *localsts.Account, from string) error {
	if b.accounts[acct.ID] != nil {
		return &configError{Why: fmt.Sprintf("%s: account %s is there already", from, acct.ID), Advice: []string{"only a template can be added to an account: give the snapshot first"}}
	}
	b.accounts[acct.ID] = acct
	b.order = append(b.order, acct.ID)
	return nil
}

func (b *worldBuilder) addFile(a *app, arg string, values map[string]string) error {
	o := localsts.FileOptions{Parameters: values}
	file := arg
	if m := accountArgument.FindStringSubmatch(arg); m != nil {
		o.ID, file = m[1], m[2]
	}
	o.Base = b.accounts[o.ID]
	in, name, err := a.open(file)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	f, err := localsts.ReadAccount(in, o)
	if err != nil {
		if disk.Trouble(err) {
			return fileError("reading", name, err)
		}
		return accountHint(name, err)
	}
	for _, p := range f.Parameters {
		b.declared[p] = true
	}
	for _, n := range f.Notes {
		b.notes = append(b.notes, name+": "+n)
	}
	if len(f.OrgPolicies) > 0 {
		b.policies, b.manager = append(b.policies, f.OrgPolicies...), f.Account.ID
	}
	if o.Base != nil && f.Account == o.Base {
		return nil
	}
	return b.add(f.Account, name)
}

func accountHint(name string, err error) error {
	e := &configError{Why: fmt.Sprintf("account file %q: %s", name, oneLine(err.Error()))}
	switch {
	case errors.Is(err, localsts.ErrNoAccountID):
		e.Advice = []string{"say which account it is: --account 111111111111=" + shellWord(name)}
	case errors.Is(err, localsts.ErrMissingParameter):
		e.Advice = []string{"give it a value: --parameter NAME=VALUE"}
	}
	return e
}

func (b *worldBuilder) world(a *app, orgFile string) (*localsts.World, error) {
	accounts := make([]*localsts.Account, 0, len(b.order))
	for _, id := range b.order {
		accounts = append(accounts, b.accounts[id])
	}
	w, err := localsts.NewWorld(accounts...)
	if err != nil {
		return nil, &configError{Why: oneLine(err.Error())}
	}
	org, err := b.organization(a, orgFile)
	if err != nil || org == nil {
		return w, err
	}
	for _, p := range b.policies {
		for _, target := range org.Attach(p) {
			b.notes = append(b.notes, fmt.Sprintf("policy %s: the organization has no target %q", p.Name, target))
		}
	}
	if err := w.SetOrganization(org); err != nil {
		return nil, &configError{Why: oneLine(err.Error())}
	}
	return w, nil
}

// organization is the file's, or one that the templates' policies imply, or nil.
func (b *worldBuilder) organization(a *app, file string) (*localsts.Organization, error) {
	if file == "" {
		if len(b.policies) == 0 {
			return nil, nil
		}
		return localsts.OrganizationOf(b.manager, b.order...), nil
	}
	in, name, err := a.open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = in.Close() }()
	org, err := localsts.LoadOrganization(in)
	if disk.Trouble(err) {
		return nil, fileError("reading", name, err)
	}
	if err != nil {
		return nil, &configError{Why: fmt.Sprintf("organization file %q: %s", name, oneLine(err.Error()))}
	}
	return org, nil
}

// oneLine keeps a library's message on its line.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// beside makes a file named in another one relative to it; ID= stays before it.
func beside(file, named string) string {
	id := ""
	if m := accountArgument.FindStringSubmatch(named); m != nil {
		id, named = m[1]+"=", m[2]
	}
	if named == "-" || filepath.IsAbs(named) {
		return id + named
	}
	return id + filepath.Join(filepath.Dir(file), named)
}

// nameHint adds what is near to a name that nobody has.
func nameHint(err error) error {
	var unknown *localsts.UnknownNameError
	if errors.As(err, &unknown) {
		e := &configError{Why: err.Error()}
		for _, n := range slices.Compact(unknown.Near) {
			e.Advice = append(e.Advice, "did you mean "+shellWord(n)+"?")
		}
		return e
	}
	return &configError{Why: oneLine(err.Error())}
}

func remoteHint(err error) error {
	if errors.Is(err, localsts.ErrNotLoopback) {
		return &usageError{Why: err.Error(), Advice: []string{"whoever reaches it can use the rehearsal's keys: add --allow-remote if that is meant"}}
	}
	return err
}

// maxJWKS bounds a file of public keys.
const maxJWKS = 1 << 20

// addJWKS reads [ISSUER=]FILE.
func addJWKS(a *app, w *localsts.World, arg string) error {
	issuer, file, given := strings.Cut(arg, "=")
	if !given {
		issuer, file = "", arg
	}
	in, name, err := a.open(file)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	set, err := io.ReadAll(io.LimitReader(in, maxJWKS))
	if err != nil {
		return fileError("reading", name, err)
	}
	if err := w.SetJWKS(issuer, set); err != nil {
		return &configError{Why: fmt.Sprintf("--jwks %q: %s", arg, oneLine(err.Error()))}
	}
	return nil
}
