package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"crossrole/internal/assume"
	"crossrole/internal/each"
	"crossrole/internal/profile"
)

// targets lists what was asked for, in the order of asking, each once.
func (o *eachOptions) targets(ctx context.Context, a *app, patterns []string) ([]each.Target, error) {
	set, err := a.profiles()
	if err != nil {
		return nil, err
	}
	var list []each.Target
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
	return each.InRegions(o.inShard(a, list), o.regions), nil
}

// inShard leaves out what other shards do. It says so: a shard that comes from
// the environment must not look like everything.
func (o *eachOptions) inShard(a *app, list []each.Target) []each.Target {
	if o.part.All() || o.planMatrix {
		return list
	}
	total := len(list)
	list = o.part.Of(list)
	a.say(fmt.Sprintf("shard %d/%d: %d of %d accounts", o.part.K, o.part.N, len(list), total))
	return list
}

// excluded leaves out accounts by ID or by profile name.
func (o *eachOptions) excluded(t each.Target) bool {
	return slices.ContainsFunc(o.exclude, func(pattern string) bool {
		return pattern == t.Account || profile.MatchName(pattern, t.Profile)
	})
}

// fromProfiles takes the profiles that a pattern and every --match fit.
func (o *eachOptions) fromProfiles(a *app, set *profile.Set, patterns []string) ([]each.Target, error) {
	if len(patterns) == 0 {
		patterns = []string{"*"}
	}
	set.Preload()
	seen := map[string]bool{}
	var list []each.Target
	var plain []string // fit a pattern, and lead to no role
	for at, pattern := range patterns {
		names := set.Match(pattern)
		if len(names) == 0 {
			return nil, o.noProfile(a, patterns, at)
		}
		for _, name := range names {
			if seen[name] {
				continue
			}
			fits, err := o.matches(set, name)
			switch {
			case err != nil:
				return nil, err
			case fits && name != pattern && !o.leadsToRole(set, name):
				plain = append(plain, name)
			case fits:
				seen[name] = true
				list = append(list, o.profileTarget(a, set, name))
			}
		}
	}
	return list, o.tellPlain(a, plain, seen, len(list))
}

// leadsToRole tells the profiles that a pattern stands for: the others hold a
// user's own keys, or whatever the roles start from. One that can't be read is
// not passed over in silence.
func (o *eachOptions) leadsToRole(set *profile.Set, name string) bool {
	p, err := set.Profile(name)
	return err != nil || o.over.RoleARN != "" || p.Get("role_arn").IsSet() || p.Get("sso_role_name").IsSet()
}

// tellPlain says which profiles a pattern passed over.
func (o *eachOptions) tellPlain(a *app, plain []string, named map[string]bool, left int) error {
	plain = slices.Compact(slices.Sorted(slices.Values(slices.DeleteFunc(plain, func(name string) bool { return named[name] }))))
	if len(plain) == 0 {
		return nil
	}
	const most = 5
	text := strings.Join(cleanAll(plain[:min(len(plain), most)]), ", ")
	if more := len(plain) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	if left == 0 {
		return &configError{Why: "the patterns fit only profiles that lead to no role: " + text, Advice: []string{"a profile with keys of its own is a target when it is named without * or ?"}}
	}
	a.say("without a role, and so left out: " + text)
	return nil
}

func cleanAll(names []string) []string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = clean(name)
	}
	return out
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

func (o *eachOptions) profileTarget(a *app, set *profile.Set, name string) each.Target {
	t := each.Target{Profile: name, Reference: shellWord(name)}
	if p, err := set.Profile(name); err == nil {
		t.Account = cmp.Or(accountIn(p.Get("role_arn").Text), p.Get("aws_account_id").Text, p.Get("sso_account_id").Text)
	}
	t.Plan = func() (each.Plan, error) { return o.eachPlan(a, set, name, name) }
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

// fromAccounts reads account IDs and role ARNs, one a line; # begins a comment.
func (o *eachOptions) fromAccounts(a *app, set *profile.Set) ([]each.Target, error) {
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
	var list []each.Target
	err := each.ReadList(in, name, func(line string) error {
		role, err := o.roleOf(line)
		if err == nil && !seen[role.String()] {
			seen[role.String()] = true
			list = append(list, o.roleTarget(a, set, role))
		}
		return err
	})
	return list, err
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

func (o *eachOptions) roleTarget(a *app, set *profile.Set, role assume.ARN) each.Target {
	t := each.Target{Profile: role.Name + "@" + role.Account, Account: role.Account, Reference: shellWord(role.String())}
	if o.sourceProfile != "" {
		t.Reference += " --source-profile " + shellWord(o.sourceProfile)
	}
	t.Plan = func() (each.Plan, error) { return o.eachPlan(a, set, role.String(), t.Profile) }
	return t
}
