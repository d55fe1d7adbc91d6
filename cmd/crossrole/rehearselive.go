package main

import (
	"bytes"
	"context"
	"fmt"

	"crossrole/internal/assume"
	"crossrole/internal/localsts"
)

// liveAccount takes a snapshot of a profile's account with the profile's own session. It only reads.
func (o *rehearseOptions) liveAccount(ctx context.Context, a *app, name string) (*localsts.Account, []string, error) {
	f := &planFlags{}
	f.timeout = defaultTimeout
	r, err := f.plan(a, name)
	if err != nil {
		return nil, nil, err
	}
	warn(a, r)
	session, err := f.obtain(ctx, a, r)
	if err != nil {
		return nil, nil, err
	}
	runner, err := assume.NewRunner(r.plan.Where, f.deps(a))
	if err != nil {
		return nil, nil, err
	}
	who, err := runner.WhoAmI(ctx, session)
	if err != nil {
		return nil, nil, err
	}
	client := a.iamReader(r.plan.Where, session, who)
	if client == nil {
		return nil, nil, &configError{Why: fmt.Sprintf("profile %q: IAM's endpoint in the partition of %s is not known", name, clean(who.ARN))}
	}
	text, missing, err := client.Snapshot(ctx)
	if err != nil {
		return nil, nil, withHints(fmt.Errorf("snapshot of account %s with profile %q: %w", who.Account, name, err),
			"the profile needs iam:GetAccountAuthorizationDetails; ReadOnlyAccess and SecurityAudit have it")
	}
	acct, err := localsts.LoadAccount(bytes.NewReader(text), who.Account)
	if err != nil {
		return nil, nil, err
	}
	for i := range missing {
		missing[i] = "--from-live " + name + ": not read: " + missing[i]
	}
	return acct, missing, nil
}
