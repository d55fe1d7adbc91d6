package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"

	"crossrole/internal/assume"
	"crossrole/internal/each"
	"crossrole/internal/profile"
)

// eachPlan is how one target of each gets its session.
type eachPlan struct {
	resolved
	o *eachOptions
	a *app
}

// eachPlan plans what is named: a profile, or a role's ARN. label is what its
// command is told that it is.
func (o *eachOptions) eachPlan(a *app, set *profile.Set, name, label string) (each.Plan, error) {
	r, err := o.resolve(a, set, name)
	if err != nil {
		return nil, err
	}
	r.chain.Name = label
	return eachPlan{r, o, a}, nil
}

// Region is the plan's own.
func (p eachPlan) Region() string { return p.region() }

// Warnings are the plan's. Those about its own last hop name it at their
// beginning, which each does for many at once.
func (p eachPlan) Warnings() []string {
	if len(p.plan.Warnings) == 0 {
		return nil
	}
	own := p.plan.Calls[len(p.plan.Calls)-1].Profile
	list := make([]string, len(p.plan.Warnings))
	for i, text := range p.plan.Warnings {
		list[i] = strings.TrimPrefix(text, "profile "+strconv.Quote(own)+": ")
	}
	return list
}

// Obtain gets the session.
func (p eachPlan) Obtain(ctx context.Context) (each.Session, error) {
	runner, err := p.o.runner(p.a, p.plan.Where)
	if err != nil {
		return nil, err
	}
	provider, err := runner.Provider(p.plan)
	if err != nil {
		return nil, err
	}
	session, err := provider.Credentials(ctx)
	if err != nil {
		return nil, err
	}
	return eachSession{session, p.chain.Name}, nil
}

// eachSession is what a target's command gets.
type eachSession struct {
	session assume.Session
	profile string
}

// ARN is whose session it is.
func (s eachSession) ARN() string { return s.session.ARN }

// Account is where.
func (s eachSession) Account() string { return s.session.AccountID }

// Variables are those of exec.
func (s eachSession) Variables(region string) map[string]string {
	return sessionVariables(openSession(s.session, s.profile, region))
}

// eachVerdict says what a run must know of an error.
func eachVerdict(t each.Target, err error) each.Verdict {
	v := each.Verdict{Code: exitCode(err)}
	if err == nil {
		return v
	}
	v.Cause, v.Hints = err.Error(), hintsOf(err)
	if denied, ok := errors.AsType[*assume.DeniedError](err); ok {
		v.Cause = "denied " + denied.Action + " (external ID " + yesNo(denied.ExternalIDSent) + ", MFA " + yesNo(denied.MFASent) + ")"
		if t.Reference != "" {
			v.Hints = append(denied.Hints()[:1:1], "crossrole explain "+t.Reference+" --live")
		}
	} else if call, ok := errors.AsType[*assume.CallError](err); ok {
		v.Cause = call.Why
	} else if source, ok := errors.AsType[*assume.SourceError](err); ok {
		v.Cause = source.Error()
	}
	_, v.Person = errors.AsType[*assume.PersonError](err)
	return v
}

func yesNo(yes bool) string {
	if yes {
		return "sent"
	}
	return "not sent"
}

// runners are one for each place where plans are called.
type runners struct {
	deps assume.Deps

	mu sync.Mutex
	by map[string]*assume.Runner
}

// runner is the one for where the plan is called.
func (o *eachOptions) runner(a *app, where assume.Where) (*assume.Runner, error) {
	c := &o.runners
	key := strings.Join([]string{where.Region, where.Endpoint, where.CABundle, fmt.Sprint(where.Global, where.FIPS, where.Dualstack)}, "\x00")
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.by[key]; r != nil {
		return r, nil
	}
	if c.by == nil {
		c.by, c.deps = map[string]*assume.Runner{}, o.manyDeps(a)
	}
	r, err := assume.NewRunner(where, c.deps)
	if err == nil {
		c.by[key] = r
	}
	return r, err
}

// manyDeps is what all the plans of a run share. Questions come one at a time,
// and have the screen for themselves.
func (o *eachOptions) manyDeps(a *app) assume.Deps {
	d := o.deps(a)
	d.Parallel, d.Gate, d.Shared = o.parallel, &assume.Gate{}, &assume.Shared{Now: a.now}
	d.Notice = func(text string) { _, _ = io.WriteString(o.bar.Above(a.err, true), "crossrole: "+text+"\n") }
	if o.keeper != nil {
		o.keeper.Notice = func(text string) { d.Notice("warning: " + text) }
	}
	ask := d.AskCode
	if ask == nil {
		return d
	}
	d.AskCode = func(ctx context.Context, q assume.CodeQuestion) (string, error) {
		o.asking.Lock()
		defer o.asking.Unlock()
		if err := ctx.Err(); err != nil {
			return "", err
		}
		o.bar.Pause()
		defer o.bar.Resume()
		return ask(ctx, q)
	}
	return d
}

// writeProfiles puts sessions into the credentials file, all in one go.
func (o *eachOptions) writeProfiles(ctx context.Context, a *app, list []each.Obtained) []error {
	errs := make([]error, len(list))
	fail := func(err error) []error {
		for i := range errs {
			errs[i] = cmp.Or(errs[i], err)
		}
		return errs
	}
	files, err := profile.DefaultFiles(a.getenv, a.home())
	if err != nil {
		return fail(err)
	}
	var edits []profile.SectionEdit
	var at []int // in the list
	for i, one := range list {
		s := one.Session.(eachSession)
		if !s.session.SessionToken.IsSet() {
			errs[i] = errors.New("not written: these are long-term keys")
			continue
		}
		w := assumeOptions{writeProfile: o.sectionFor(one.Target)}
		edits, at = append(edits, w.section(files.Credentials, openSession(s.session, s.profile, one.Region))), append(at, i)
	}
	_, refused, err := profile.EditSections(ctx, files.Credentials, edits, profile.EditOptions{})
	if err != nil {
		return fail(err)
	}
	for i, err := range refused {
		if config, ok := errors.AsType[*configError](err); ok {
			err = &configError{Why: config.Why, Advice: []string{"rename that section, or leave the profile out with --exclude"}}
		}
		errs[at[i]] = err
	}
	return errs
}

// sectionFor names what --write-profiles writes.
func (o *eachOptions) sectionFor(t each.Target) string {
	name := t.Profile + "-session"
	if t.Region != "" && len(o.regions) > 1 {
		name += "-" + t.Region
	}
	return name
}
