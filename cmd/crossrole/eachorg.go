package main

import (
	"context"
	"fmt"

	"crossrole/internal/assume"
	"crossrole/internal/each"
	"crossrole/internal/profile"
)

// fromOrganization reads the organization's accounts with the source's own
// credentials, and makes a target of each that is active.
func (o *eachOptions) fromOrganization(ctx context.Context, a *app, set *profile.Set) ([]each.Target, error) {
	o.findPartition(set)
	runner, session, err := o.source(ctx, a, set)
	if err != nil {
		return nil, err
	}
	accounts, err := runner.Accounts(ctx, session, o.partition, o.ou)
	if err != nil {
		return nil, err
	}
	var list []each.Target
	for _, account := range accounts {
		if account.Status != "" && account.Status != "ACTIVE" {
			a.log().Debug("account left out", "account", account.ID, "status", account.Status)
			continue
		}
		role, err := o.roleOf(account.ID)
		if err != nil {
			return nil, fmt.Errorf("account %q of the organization: %w", account.ID, err)
		}
		if !o.excluded(each.Target{Profile: account.Name, Account: account.ID}) {
			list = append(list, o.roleTarget(a, set, role))
		}
	}
	return list, nil
}

// sourceChain is what leads to the roles of --accounts and --org: their chain
// without the last hop.
func (o *eachOptions) sourceChain(set *profile.Set) (profile.Chain, error) {
	chain, err := set.ResolveRole("arn:aws:iam::000000000000:role/any", o.sourceProfile)
	if err != nil {
		return profile.Chain{}, err
	}
	chain.Name, chain.Hops = "the source", chain.Hops[:len(chain.Hops)-1]
	return chain, nil
}

// source is the session that everything starts from. It is shared with the
// accounts: one MFA code serves the list and the roles.
func (o *eachOptions) source(ctx context.Context, a *app, set *profile.Set) (*assume.Runner, assume.Session, error) {
	chain, err := o.sourceChain(set)
	if err != nil {
		return nil, assume.Session{}, err
	}
	over := assume.Overrides{Who: o.who, Endpoint: o.over.Endpoint, SessionName: o.over.SessionName, SharedMFA: sharedByAll}
	if len(chain.Hops) == 0 { // nothing that these could apply to
		over.SessionName = ""
	} else {
		over.MFACode, over.MFASerial = o.over.MFACode, o.over.MFASerial
	}
	plan, err := assume.NewPlan(chain, over)
	if err != nil {
		return nil, assume.Session{}, err
	}
	runner, err := o.runner(a, plan.Where)
	if err != nil {
		return nil, assume.Session{}, err
	}
	p, err := runner.Provider(plan)
	if err != nil {
		return nil, assume.Session{}, err
	}
	session, err := p.Credentials(ctx)
	return runner, session, err
}
