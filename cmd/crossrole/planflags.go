package main

import (
	"context"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"crossrole/internal/assume"
	"crossrole/internal/profile"
)

// planFlags are the flags of every command that obtains a session.
type planFlags struct {
	over          assume.Overrides
	sourceProfile string
	noInput       bool
	timeout       time.Duration
	cacheFlags
}

// defaultTimeout stays under the minute after which the Go SDK gives up on a
// credential_process.
const defaultTimeout = 50 * time.Second

func (f *planFlags) register(cmd *cobra.Command) {
	o := &f.over
	grouped(cmd, flagsOfSession, func(flags *pflag.FlagSet) {
		flags.StringVar(&o.RoleARN, "role-arn", "", "the role to assume, instead of the profile's (or from the profile's credentials)")
		flags.StringVar(&f.sourceProfile, "source-profile", "", "the profile whose credentials assume the role")
		flags.StringVar(&o.ExternalID, "external-id", "", "the external ID that the role's trust policy asks for")
		flags.StringVar(&o.MFASerial, "mfa-serial", "", "serial number or ARN of the MFA device")
		flags.StringVar(&o.MFACode, "mfa-code", "", "the device's 6 digits (better: let it be asked, or set mfa_process)")
		flags.StringVar(&o.Duration, "duration", "", "how long the session lasts: 900 to 43200 seconds, or such as 1h30m")
		flags.StringVar(&o.SessionName, "session-name", "", "role session name (default crossrole-<who>)")
		flags.StringVar(&o.SourceIdentity, "source-identity", "", "source identity to set")
		flags.StringArrayVar(&o.Tags, "tag", nil, "session tag KEY=VALUE (may be repeated)")
		flags.StringArrayVar(&o.TransitiveTags, "transitive-tag", nil, "key of a session tag that later hops inherit (may be repeated)")
		flags.StringVar(&o.PolicyFile, "policy-file", "", "file with a session policy (JSON) that narrows the session")
		flags.StringArrayVar(&o.PolicyARNs, "policy-arn", nil, "managed policy that narrows the session (may be repeated)")
		flags.StringVar(&o.Region, "region", "", "AWS region, for STS and for the session's environment")
		flags.StringVar(&o.Endpoint, "endpoint-url", "", "URL of STS, instead of AWS's own")
		flags.BoolVar(&f.noInput, "no-input", false, "never ask; fail where a person would be needed")
		flags.DurationVar(&f.timeout, "timeout", defaultTimeout, "how long a call, or another process's lock, may take")
	})
	f.cacheFlags.register(cmd)
}

// check finds what is wrong with the flags alone, before any file is read.
func (f *planFlags) check() error {
	if f.timeout <= 0 {
		return usagef("--timeout must be more than nothing, such as 30s")
	}
	return f.cacheFlags.check()
}

// resolved is a plan and what it was made of.
type resolved struct {
	chain profile.Chain
	plan  assume.Plan
	from  *sources
}

// plan resolves a profile's name, or a role's ARN, to a plan.
func (f *planFlags) plan(a *app, name string) (resolved, error) {
	if _, err := a.cacheMode(); err != nil {
		return resolved{}, err
	}
	from := newSources(a)
	from.name = name
	set, err := a.profiles()
	if err != nil {
		return resolved{}, err
	}
	from.addProfiles(set.DependsOn())
	chain, err := f.chain(a, set, name)
	if err != nil {
		return resolved{}, err
	}
	over := f.over
	over.Who, over.ReadFile = a.who(), from.readFile
	if f.keeps(a) {
		over.SharedMFA = set.SharesMFA
	}
	plan, err := assume.NewPlan(chain, over)
	return resolved{chain, plan, from}, err
}

// chain resolves what was named: a profile, a role's ARN, or neither.
func (f *planFlags) chain(a *app, set *profile.Set, name string) (profile.Chain, error) {
	switch {
	case assume.LooksLikeARN(name) && f.over.RoleARN != "":
		return profile.Chain{}, usagef("the role is named twice: %s and --role-arn %s", strconv.Quote(name), strconv.Quote(f.over.RoleARN))
	case assume.LooksLikeARN(name):
		return set.ResolveRole(name, f.sourceProfile)
	case name == "" && f.over.RoleARN != "":
		return set.ResolveRole(f.over.RoleARN, f.sourceProfile)
	}
	if name == "" {
		name = profile.SelectedProfile(a.getenv).Text
	}
	chain, err := set.Resolve(name)
	if err != nil || f.sourceProfile == "" {
		return chain, err
	}
	return withSource(set, chain, f.sourceProfile)
}

// withSource starts the profile's last hop from another profile.
func withSource(set *profile.Set, chain profile.Chain, source string) (profile.Chain, error) {
	if len(chain.Hops) == 0 {
		return chain, usagef("--source-profile is for a role, and profile %s assumes none", strconv.Quote(chain.Name))
	}
	from, err := set.Resolve(source)
	if err != nil {
		return chain, err
	}
	chain.Hops = append(from.Hops, chain.Hops[len(chain.Hops)-1])
	chain.Source = from.Source
	return chain, nil
}

// deps is what a run needs of this process.
func (f *planFlags) deps(a *app) assume.Deps {
	d := assume.Deps{
		Getenv: a.getenv, Environ: a.environ(), Notice: a.say, Timeout: f.timeout, Now: a.now, Log: a.log(),
	}
	if !f.noInput {
		d.AskCode = a.askCode
	}
	f.open(a, f.timeout)
	if f.keeper != nil {
		d.Keep = f.keeper.Keep
	}
	return d
}

// obtain runs the plan.
func (f *planFlags) obtain(ctx context.Context, a *app, r resolved) (assume.Session, error) {
	_, _ = io.WriteString(a.err, warningLines(r.plan))
	runner, err := assume.NewRunner(r.plan.Where, f.deps(a))
	if err != nil {
		return assume.Session{}, err
	}
	p, err := runner.Provider(r.plan)
	if err != nil {
		return assume.Session{}, err
	}
	keys := runner.Keys(r.plan)
	r.from.key = keys[len(keys)-1]
	return p.Credentials(ctx)
}
