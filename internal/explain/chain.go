package explain

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"crossrole/internal/assume"
	"crossrole/internal/policy"
	"crossrole/internal/profile"
	"crossrole/internal/word"
)

// Chain is a profile's chain as far as it could be read, with all that is wrong with it.
type Chain struct {
	chain    profile.Chain
	plan     assume.Plan
	broken   bool // plan stands for repaired values: nothing may be called
	problems []Problem
}

// Understand collects all that is wrong with a profile, where other commands stop at the first fault. chain and failed are
// what resolving it came to; name is its name, or a role's ARN. What can't be explained, such as a profile that does not
// exist, comes back as the error it was.
func Understand(set *profile.Set, name string, chain profile.Chain, failed error, over assume.Overrides) (*Chain, error) {
	e := &Chain{chain: chain}
	if failed != nil {
		var err error
		if e.chain, err = e.recover(set, name, failed); err != nil {
			return nil, err
		}
	}
	e.makePlan(over)
	e.checkChain()
	return e, nil
}

// Callable tells whether the chain calls anything, and can.
func (e *Chain) Callable() bool {
	return !e.broken && (len(e.plan.Calls) > 0 || e.plan.Exchange != nil)
}

// Fault is the first problem that keeps the chain from calling anything; nil when there is none.
func (e *Chain) Fault() *Problem {
	for i := range e.problems {
		if e.problems[i].Stops {
			return &e.problems[i]
		}
	}
	return nil
}

// Plan is what the chain calls. If the chain is not [Chain.Callable], nothing of it may be called.
func (e *Chain) Plan() assume.Plan { return e.plan }

// recover goes on after a chain that does not resolve, if the profile itself can be read: its other faults count too.
func (e *Chain) recover(set *profile.Set, name string, err error) (profile.Chain, error) {
	var (
		cycle   *profile.CycleError
		config  *profile.ConfigError
		missing *profile.UnknownProfileError
	)
	isMissing := errors.As(err, &missing)
	switch {
	case assume.LooksLikeARN(name), isMissing && missing.From == "":
		return profile.Chain{}, err
	case errors.As(err, &cycle):
		e.addProblem(cycle.Names[0], cycle.Origins[len(cycle.Origins)-1], err)
	case errors.As(err, &config):
		e.addProblem(config.Profile, config.Origin, err)
	case isMissing:
		e.addProblem(missing.From, missing.Where, err)
	default:
		return profile.Chain{}, err
	}
	return rawChain(set, name), nil
}

// rawChain follows source_profile as far as it leads, whatever stands in between.
func rawChain(set *profile.Set, name string) profile.Chain {
	chain := profile.Chain{Name: name, Source: profile.Source{Kind: unresolved}}
	seen := map[string]bool{}
	for next := name; next != "" && !seen[next]; {
		seen[next] = true
		p, err := set.Profile(next)
		if err != nil {
			break
		}
		chain.Source.Profile = next
		if p.Get("role_arn").Text != "" {
			chain.Hops = append(chain.Hops, profile.Hop{
				Profile: next, RoleARN: p.Get("role_arn"), ExternalID: p.Get("external_id"), MFASerial: p.Get("mfa_serial"),
				SessionName: p.Get("role_session_name"), DurationSeconds: p.Get("duration_seconds"), SourceIdentity: p.Get("source_identity"),
			})
		}
		next = p.Get("source_profile").Text
	}
	slices.Reverse(chain.Hops)
	return chain
}

// unresolved is the source of a chain that leads nowhere.
const unresolved profile.SourceKind = "unresolved"

func (e *Chain) addProblem(name string, at profile.Origin, err error, more ...string) {
	p := Problem{Profile: name, Problem: err.Error(), Stops: true, Hints: append(append([]string{}, more...), hintsOf(err)...)}
	if (at != profile.Origin{}) {
		p.Where = at.String()
	}
	e.problems = append(e.problems, p)
	e.broken = true
}

// makePlan makes the plan; each value that STS would refuse is noted and left out, until the rest makes one.
func (e *Chain) makePlan(over assume.Overrides) {
	chain := e.chain
	chain.Hops = slices.Clone(chain.Hops)
	for range maxFaults {
		plan, err := assume.NewPlan(chain, over)
		if err == nil {
			e.plan = plan
			return
		}
		var invalid *assume.InvalidError
		if !errors.As(err, &invalid) {
			e.addProblem(chain.Name, profile.Origin{}, err)
			return
		}
		e.addProblem(invalid.Profile, invalid.Origin, err, roleARNHints(invalid)...)
		if !leaveOut(&chain, &over, invalid) {
			return
		}
	}
}

// maxFaults bounds the faults of one chain that are worth telling.
const maxFaults = 100

// roleARNHints says what was probably meant by something else than a role's ARN.
func roleARNHints(e *assume.InvalidError) []string {
	if e.Field != "role_arn" && e.Field != "--role-arn" {
		return nil
	}
	a, ok := policy.ParseARN(e.Value)
	kind, rest, _ := strings.Cut(a.Resource, "/")
	switch {
	case !ok:
		return nil
	case a.Service == "sts" && kind == "assumed-role":
		role, _, _ := strings.Cut(rest, "/")
		return []string{"the role itself is probably " + word.Clean("arn:"+a.Partition+":iam::"+a.Account+":role/"+role) + ", with its path if it has one"}
	case a.Service == "iam" && kind == "user":
		return []string{"role_arn is the role that is assumed; the user is who assumes it: its keys belong into the source profile"}
	case a.Service == "iam" && strings.TrimSpace(a.Account) == "":
		return []string{"the account is missing in it"}
	case a.Service == "iam" && !policy.IsAccountID(a.Account):
		return []string{fmt.Sprintf("its account %s has %d characters", strconv.Quote(a.Account), len(a.Account))}
	}
	return nil
}

// placeholderRole stands for a role_arn that is none, so that the rest of the chain can be checked.
const placeholderRole = "arn:aws:iam::000000000000:role/unknown"

// leaveOut takes a value that can't be used out of the chain or the overrides.
func leaveOut(chain *profile.Chain, over *assume.Overrides, bad *assume.InvalidError) bool {
	if strings.HasPrefix(bad.Field, "--") {
		return leaveOutFlag(over, bad.Field)
	}
	if role := chain.Source.Role; role != nil && role.Profile == bad.Profile {
		copied := *role
		if leaveOutKey(&copied, bad) {
			chain.Source.Role = &copied
			return true
		}
	}
	for i := range chain.Hops {
		if chain.Hops[i].Profile == bad.Profile && leaveOutKey(&chain.Hops[i], bad) {
			return true
		}
	}
	return false
}

// leaveOutKey takes the value out of the hop that it was read from.
func leaveOutKey(h *profile.Hop, bad *assume.InvalidError) bool {
	values := map[string]*profile.Value{
		"role_arn": &h.RoleARN, "external_id": &h.ExternalID, "mfa_serial": &h.MFASerial, "role_session_name": &h.SessionName,
		"duration_seconds": &h.DurationSeconds, "source_identity": &h.SourceIdentity, "session_policy_file": &h.PolicyFile,
	}
	if v := values[bad.Field]; v != nil {
		if !v.IsSet() || v.Text != bad.Value || v.Origin != bad.Origin {
			return false
		}
		*v = profile.Value{}
		if bad.Field == "role_arn" {
			v.Text = placeholderRole
		}
		return true
	}
	switch bad.Field {
	case "session_tags":
		h.SessionTags, h.TransitiveTags = nil, nil
	case "transitive_session_tags":
		h.TransitiveTags = nil
	case "session_policy_arns":
		h.PolicyARNs = nil
	default:
		return false
	}
	return true
}

func leaveOutFlag(over *assume.Overrides, flag string) bool {
	texts := map[string]*string{
		"--external-id": &over.ExternalID, "--mfa-serial": &over.MFASerial, "--mfa-code": &over.MFACode, "--duration": &over.Duration,
		"--session-name": &over.SessionName, "--source-identity": &over.SourceIdentity, "--policy-file": &over.PolicyFile,
	}
	if text := texts[flag]; text != nil && *text != "" {
		*text = ""
		return true
	}
	lists := map[string]*[]string{"--tag": &over.Tags, "--transitive-tag": &over.TransitiveTags, "--policy-arn": &over.PolicyARNs}
	if list := lists[flag]; list != nil && len(*list) > 0 {
		*list = nil
		return true
	}
	return false
}

// checkChain finds what only shows between the hops.
func (e *Chain) checkChain() {
	for _, w := range e.plan.Warnings {
		e.problems = append(e.problems, Problem{Profile: e.chain.Name, Problem: w, Hints: []string{}})
	}
	identity := ""
	for i, c := range e.plan.Calls {
		if identity != "" && c.SourceIdentity != "" && c.SourceIdentity != identity {
			e.addProblem(c.Profile, profile.Origin{}, &ConfigError{
				Why:    fmt.Sprintf("profile %q: source_identity %q: the hop before has set %q, and a source identity can't be changed along a chain", c.Profile, c.SourceIdentity, identity),
				Advice: []string{"set it on the first hop alone; the others inherit it"},
			})
		}
		if identity == "" {
			identity = c.SourceIdentity
		}
		if i > 0 && c.Role.String() != placeholderRole && e.plan.Calls[i-1].Role.Partition != c.Role.Partition {
			e.addProblem(c.Profile, profile.Origin{}, &ConfigError{
				Why: fmt.Sprintf("profile %q: role_arn %q is in partition %s, and the caller %s is in %s: roles can't be assumed across partitions",
					c.Profile, c.Role, c.Role.Partition, e.plan.Calls[i-1].Role, e.plan.Calls[i-1].Role.Partition),
			})
		}
	}
}
