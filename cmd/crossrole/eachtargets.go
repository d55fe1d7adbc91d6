package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"crossrole/internal/assume"
	"crossrole/internal/profile"
)

// target is one account and region to run in.
type target struct {
	profile string // the profile's name, or ROLE@ACCOUNT
	account string // 12 digits; empty when only the source knows
	region  string // empty: the profile's own
	explain string // arguments for crossrole explain
	make    func() (resolved, error)
}

// shardKey is what decides about a target's shard.
func (t target) shardKey() string { return firstOf(t.account, t.profile) }

// label is how a person sees a target.
func (t target) label() string {
	label := clean(t.profile)
	if t.region != "" {
		label += " " + clean(t.region)
	}
	return label
}

// targets lists what was asked for, in the order of asking, each once.
func (o *eachOptions) targets(ctx context.Context, a *app, patterns []string) ([]target, error) {
	set, err := a.profiles()
	if err != nil {
		return nil, err
	}
	var list []target
	switch {
	case o.accounts != "":
		list, err = o.fromAccounts(a, set)
	case o.org:
		list, err = o.fromOrganization(ctx, a, set)
	default:
		list, err = o.fromProfiles(a, set, patterns)
	}
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, o.excluded)
	if len(list) == 0 {
		return nil, &configError{Why: "no account is left to run in", Advice: []string{"look at --match, --exclude and the list of accounts"}}
	}
	return o.timesRegions(o.inShard(a, list)), nil
}

// inShard leaves out what other shards do. It says so: a shard that comes from
// the environment must not look like everything.
func (o *eachOptions) inShard(a *app, list []target) []target {
	if o.part.n == 0 || o.planMatrix {
		return list
	}
	total := len(list)
	list = slices.DeleteFunc(list, func(t target) bool { return !o.part.has(t.shardKey()) })
	a.say(fmt.Sprintf("shard %d/%d: %d of %d accounts", o.part.k, o.part.n, len(list), total))
	return list
}

func (o *eachOptions) timesRegions(list []target) []target {
	if len(o.regions) == 0 {
		return list
	}
	out := make([]target, 0, len(list)*len(o.regions))
	for _, t := range list {
		for _, region := range o.regions {
			t.region = region
			out = append(out, t)
		}
	}
	return out
}

// fromProfiles takes the profiles that a pattern and every --match fit.
func (o *eachOptions) fromProfiles(a *app, set *profile.Set, patterns []string) ([]target, error) {
	if len(patterns) == 0 {
		patterns = []string{"*"}
	}
	set.Preload()
	seen := map[string]bool{}
	var list []target
	for _, pattern := range patterns {
		found := 0
		for _, name := range set.Match(pattern) {
			found++
			if seen[name] {
				continue
			}
			seen[name] = true
			fits, err := o.matches(set, name)
			if err != nil {
				return nil, err
			}
			if fits {
				list = append(list, o.profileTarget(a, set, name))
			}
		}
		if found == 0 {
			return nil, &configError{Why: "no profile matches " + strconv.Quote(pattern), Advice: []string{"crossrole list shows the profiles there are; a command must come after --"}}
		}
	}
	return list, nil
}

// matches tells whether a profile's own properties fit every --match.
func (o *eachOptions) matches(set *profile.Set, name string) (bool, error) {
	if len(o.match) == 0 {
		return true, nil
	}
	p, err := set.Profile(name)
	if err != nil {
		return false, err
	}
	for key, pattern := range o.wanted {
		if v := p.Get(key); !v.IsSet() || !profile.MatchName(pattern, v.Text) {
			return false, nil
		}
	}
	return true, nil
}

func (o *eachOptions) profileTarget(a *app, set *profile.Set, name string) target {
	t := target{profile: name, explain: shellWord(name)}
	if p, err := set.Profile(name); err == nil {
		t.account = accountIn(p.Get("role_arn").Text)
		if t.account == "" {
			t.account = firstOf(p.Get("aws_account_id").Text, p.Get("sso_account_id").Text)
		}
	}
	t.make = func() (resolved, error) { return o.resolve(a, set, name) }
	return t
}

// sharedByAll says of every MFA device that other roles use it too: many roles
// are what this command is for.
func sharedByAll(string) bool { return true }

// resolve makes a profile's plan with this run's overrides.
func (o *eachOptions) resolve(a *app, set *profile.Set, name string) (resolved, error) {
	chain, err := o.chain(a, set, name)
	if err != nil {
		return resolved{}, err
	}
	over := o.over
	over.Who, over.ReadFile = o.who, os.ReadFile
	over.SharedMFA = sharedByAll
	if len(o.regions) > 0 {
		over.Region = o.regions[0]
	}
	plan, err := assume.NewPlan(chain, over)
	return resolved{chain: chain, plan: plan}, err
}

var accountForm = regexp.MustCompile(`^[0-9]{12}$`)

func accountIn(arn string) string {
	part := strings.SplitN(arn, ":", 6)
	if len(part) == 6 && accountForm.MatchString(part[4]) {
		return part[4]
	}
	return ""
}

func firstOf(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

// fromAccounts reads account IDs and role ARNs, one a line; # begins a comment.
func (o *eachOptions) fromAccounts(a *app, set *profile.Set) ([]target, error) {
	o.findPartition(set)
	in, name := a.in, "standard input"
	if o.accounts != "-" {
		f, err := os.Open(o.accounts)
		if err != nil {
			return nil, &configError{Why: "--accounts " + strconv.Quote(o.accounts) + ": " + reasonOf(err)}
		}
		defer func() { _ = f.Close() }()
		in, name = f, strconv.Quote(o.accounts)
	}
	seen := map[string]bool{}
	var list []target
	lines := bufio.NewScanner(in)
	for n := 1; lines.Scan(); n++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		text = strings.TrimSpace(strings.TrimPrefix(text, "\ufeff"))
		if text == "" {
			continue
		}
		role, err := o.roleOf(text)
		if err != nil {
			return nil, &configError{Why: fmt.Sprintf("%s:%d: %s: %s", name, n, strconv.Quote(text), err), Advice: []string{"a line is an account ID of 12 digits (with --role) or a role's ARN"}}
		}
		if !seen[role.String()] {
			seen[role.String()] = true
			list = append(list, o.roleTarget(a, set, role))
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	return list, nil
}

// roleOf makes a role's ARN of a line.
func (o *eachOptions) roleOf(text string) (assume.ARN, error) {
	if assume.LooksLikeARN(text) {
		return assume.ParseRoleARN(text)
	}
	if !accountForm.MatchString(text) {
		return assume.ARN{}, errors.New("it is no account ID")
	}
	if o.role == "" {
		return assume.ARN{}, errors.New("--role does not say which role of the account")
	}
	return assume.ParseRoleARN("arn:" + o.partition + ":iam::" + text + ":role/" + strings.TrimPrefix(o.role, "/"))
}

// findPartition follows the region that was given, or else the source's:
// account IDs carry none.
func (o *eachOptions) findPartition(set *profile.Set) {
	region := strings.Join(o.regions, " ")
	if chain, err := o.sourceChain(set); err == nil && region == "" {
		region = chain.Settings.Region.Text
	}
	o.partition = assume.PartitionOf(region)
}

func (o *eachOptions) roleTarget(a *app, set *profile.Set, role assume.ARN) target {
	t := target{profile: role.Name + "@" + role.Account, account: role.Account, explain: shellWord(role.String())}
	if o.sourceProfile != "" {
		t.explain += " --source-profile " + shellWord(o.sourceProfile)
	}
	t.make = func() (resolved, error) {
		r, err := o.resolve(a, set, role.String())
		r.chain.Name = t.profile
		return r, err
	}
	return t
}

func reasonOf(err error) string {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}
