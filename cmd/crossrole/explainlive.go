package main

import (
	"context"
	"net/url"
	"strings"

	"crossrole/internal/assume"
	"crossrole/internal/explain"
	"crossrole/internal/iamread"
	"crossrole/internal/policy"
)

// goLive gets the credentials of the source and of every target profile, and asks whose they are.
func (f *explainFlags) goLive(ctx context.Context, a *app, plan assume.Plan) (*explain.Live, error) {
	runner, err := assume.NewRunner(plan.Where, f.liveDeps(a, nil))
	if err != nil {
		return nil, err
	}
	plan.Calls, plan.MFASession = nil, nil
	source, err := runner.Provider(plan)
	if err != nil {
		return nil, err
	}
	session, err := source.Credentials(ctx)
	if err != nil {
		return nil, err
	}
	l := &explain.Live{Temporary: session.SessionToken.IsSet()}
	if l.Caller, err = runner.WhoAmI(ctx, session); err != nil {
		return nil, err
	}
	if client := a.iamReader(plan.Where, session, l.Caller); client != nil {
		l.AddReader(l.Caller.Account, client)
	}
	for _, name := range f.targets {
		if err := f.addTarget(ctx, a, l, name); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// liveDeps are those of a run whose sessions are not kept: explain asks AWS, not the cache.
func (f *explainFlags) liveDeps(a *app, keep explain.Keep) assume.Deps {
	d := f.deps(a)
	d.Keep = keep
	return d
}

// trying calls AssumeRole for real.
func (f *explainFlags) trying(a *app, where assume.Where) explain.Trying {
	return func(keep explain.Keep) (explain.Assumer, error) { return assume.NewRunner(where, f.liveDeps(a, keep)) }
}

// addTarget adds the credentials of a profile of the role's account; its sessions are kept as those of assume are.
func (f *explainFlags) addTarget(ctx context.Context, a *app, l *explain.Live, name string) error {
	target := planFlags{noInput: f.noInput, timeout: f.timeout, cacheFlags: f.cacheFlags}
	target.over.Region, target.over.Endpoint = f.over.Region, f.over.Endpoint
	r, err := target.plan(a, name)
	if err != nil {
		return err
	}
	session, err := target.obtain(ctx, a, r)
	if err != nil {
		return err
	}
	runner, err := assume.NewRunner(r.plan.Where, target.deps(a))
	if err != nil {
		return err
	}
	who, err := runner.WhoAmI(ctx, session)
	if err != nil {
		return err
	}
	if client := a.iamReader(r.plan.Where, session, who); client != nil {
		l.AddReader(who.Account, client)
	}
	return nil
}

// iamReader reads the IAM of a session's account; nil where there is nobody to ask: of its partition no endpoint is known.
func (a *app) iamReader(where assume.Where, s assume.Session, who assume.Identity) *iamread.Client {
	arn, _ := policy.ParseARN(who.ARN)
	client, known := a.reader(arn.Partition, where, s)
	if !known && client.IAM.URL == "" {
		return nil
	}
	return client
}

// reader reads with a session's keys, and tells whether the endpoints of its partition are known.
func (a *app) reader(partition string, where assume.Where, s assume.Session) (client *iamread.Client, known bool) {
	iam, orgs, known := iamread.Endpoints(partition)
	iam.URL = a.endpoint("AWS_ENDPOINT_URL_IAM", where, iam.URL)
	orgs.URL = a.endpoint("AWS_ENDPOINT_URL_ORGANIZATIONS", where, orgs.URL)
	return &iamread.Client{
		HTTP: assume.HTTPClient(where), IAM: iam, Organizations: orgs, Now: a.now, //nolint:bodyclose // a client, not a response
		Credentials: iamread.Credentials{AccessKeyID: s.AccessKeyID, SecretAccessKey: s.SecretAccessKey.Reveal(), SessionToken: s.SessionToken.Reveal()},
	}, known
}

// endpoint is where another service is called. Whoever has put an STS of their own in place means the rest of AWS too: keys
// of a rehearsal are never sent to AWS.
func (a *app) endpoint(variable string, where assume.Where, otherwise string) string {
	if !strings.EqualFold(a.getenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"), "true") {
		for _, name := range []string{variable, "AWS_ENDPOINT_URL"} {
			if text := a.getenv(name); text != "" {
				return text
			}
		}
	}
	if where.Endpoint != "" && !isAWS(where.Endpoint) {
		return where.Endpoint
	}
	return otherwise
}

// isAWS tells AWS's own hosts, VPC endpoints included.
func isAWS(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil {
		return false
	}
	host := strings.ToLower(u.Hostname())
	return strings.HasSuffix(host, ".amazonaws.com") || strings.HasSuffix(host, ".amazonaws.com.cn") || strings.HasSuffix(host, ".api.aws")
}
