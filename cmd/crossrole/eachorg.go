package main

import (
	"context"
	"errors"
	"fmt"

	"crossrole/internal/assume"
	"crossrole/internal/each"
	"crossrole/internal/iamread"
	"crossrole/internal/profile"
)

// fromOrganization reads the organization's accounts with the source's own
// credentials, and makes a target of each that is active.
func (o *eachOptions) fromOrganization(ctx context.Context, a *app, set *profile.Set) ([]each.Target, error) {
	o.findPartition(set)
	where, session, err := o.source(ctx, a, set)
	if err != nil {
		return nil, err
	}
	accounts, err := o.members(ctx, a, where, session)
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

// members lists the accounts.
func (o *eachOptions) members(ctx context.Context, a *app, where assume.Where, session assume.Session) ([]iamread.Account, error) {
	client, _ := a.reader(o.partition, where, session)
	if client.Organizations.URL == "" {
		return nil, &configError{
			Why:    "the endpoint of AWS Organizations in partition " + o.partition + " is not known",
			Advice: []string{"set AWS_ENDPOINT_URL_ORGANIZATIONS"},
		}
	}
	client.Timeout = o.timeout
	accounts, err := client.Accounts(ctx, o.ou)
	a.log().Debug("the organization was read", "accounts", len(accounts), "error", err)
	if api, ok := errors.AsType[*iamread.APIError](err); ok && api.Denied() {
		return nil, &assume.DeniedError{Action: api.Action, Code: "AccessDenied", Message: api.Message, Caller: session.ARN, RoleARN: "the organization", Err: err}
	}
	return accounts, err
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
func (o *eachOptions) source(ctx context.Context, a *app, set *profile.Set) (assume.Where, assume.Session, error) {
	chain, err := o.sourceChain(set)
	if err != nil {
		return assume.Where{}, assume.Session{}, err
	}
	over := assume.Overrides{Who: o.who, Endpoint: o.over.Endpoint, SessionName: o.over.SessionName, SharedMFA: sharedByAll}
	if len(chain.Hops) == 0 { // nothing that these could apply to
		over.SessionName = ""
	} else {
		over.MFACode, over.MFASerial = o.over.MFACode, o.over.MFASerial
	}
	plan, err := assume.NewPlan(chain, over)
	if err != nil {
		return assume.Where{}, assume.Session{}, err
	}
	runner, err := o.runner(a, plan.Where)
	if err != nil {
		return assume.Where{}, assume.Session{}, err
	}
	p, err := runner.Provider(plan)
	if err != nil {
		return assume.Where{}, assume.Session{}, err
	}
	session, err := p.Credentials(ctx)
	return plan.Where, session, err
}
