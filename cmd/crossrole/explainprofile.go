package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"crossrole/internal/assume"
	"crossrole/internal/policy"
	"crossrole/internal/profile"
)

// chainReport is what explain says of a profile, and its documented JSON.
type chainReport struct {
	Version  int             `json:"version"`
	Profile  string          `json:"profile"`
	Decision policy.Decision `json:"decision,omitempty"` // absent when no policies were looked at
	Source   sourceJSON      `json:"source"`
	Hops     []hopReport     `json:"hops"`
	Problems []problem       `json:"problems"`
	Warnings []string        `json:"warnings"`
}

// problem is something in a profile that can't work.
type problem struct {
	Profile string   `json:"profile,omitempty"`
	Where   string   `json:"where,omitempty"` // file:line, $NAME or a flag
	Problem string   `json:"problem"`
	Stops   bool     `json:"stops"` // nothing can be called; otherwise it only goes differently than written
	Hints   []string `json:"hints"`
}

// explained is a chain as far as it could be read.
type explained struct {
	chain    profile.Chain
	plan     assume.Plan
	broken   bool // plan stands for repaired values: nothing may be called
	problems []problem
}

// runProfile explains the chain of a profile or of a role's ARN.
func (f *explainFlags) runProfile(ctx context.Context, a *app, name string) error {
	e, err := f.understand(a, name)
	if err != nil {
		return err
	}
	var l *live
	if f.live && !e.broken && (len(e.plan.Calls) > 0 || e.plan.Exchange != nil) {
		if l, err = f.goLive(ctx, a, e); err != nil {
			return err
		}
		f.caller, f.uniqueID = l.caller.ARN, l.caller.UserID
	}
	report := f.report(a, e)
	if err := f.judge(ctx, a, e, l, &report); err != nil {
		return err
	}
	if f.format == "json" {
		err = writeJSON(a.out, report)
	} else {
		_, err = io.WriteString(a.out, chainText(a.painter(), report, f.trace))
	}
	if err != nil || report.Decision == "" {
		return err
	}
	return decisionExit(report.Decision)
}

// understand resolves the profile and collects all that is wrong with it, where other commands stop at the first.
func (f *explainFlags) understand(a *app, name string) (*explained, error) {
	set, err := a.profiles()
	if err != nil {
		return nil, err
	}
	e := &explained{}
	e.chain, err = f.chain(a, set, name)
	if err != nil {
		if e.chain, err = e.recover(a, set, name, err); err != nil {
			return nil, err
		}
	}
	over := f.over
	over.Who, over.ReadFile, over.SharedMFA = a.who(), newSources(a).readFile, set.SharesMFA
	e.makePlan(over)
	e.checkChain()
	return e, nil
}

// recover goes on after a chain that does not resolve, if the profile itself can be read: its other faults count too.
func (e *explained) recover(a *app, set *profile.Set, name string, err error) (profile.Chain, error) {
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
	if name == "" {
		name = profile.SelectedProfile(a.getenv).Text
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

func (e *explained) addProblem(name string, at profile.Origin, err error) {
	p := problem{Profile: name, Problem: err.Error(), Stops: true, Hints: append([]string{}, hintsOf(err)...)}
	if (at != profile.Origin{}) {
		p.Where = at.String()
	}
	e.problems = append(e.problems, p)
	e.broken = true
}

// makePlan makes the plan; each value that STS would refuse is noted and left out, until the rest makes one.
func (e *explained) makePlan(over assume.Overrides) {
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
		e.addProblem(invalid.Profile, invalid.Origin, withHints(err, roleARNHints(invalid)...))
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
		return []string{"the role itself is probably " + clean("arn:"+a.Partition+":iam::"+a.Account+":role/"+role) + ", with its path if it has one"}
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
func (e *explained) checkChain() {
	for _, w := range e.plan.Warnings {
		e.problems = append(e.problems, problem{Profile: e.chain.Name, Problem: w, Hints: []string{}})
	}
	identity := ""
	for i, c := range e.plan.Calls {
		if identity != "" && c.SourceIdentity != "" && c.SourceIdentity != identity {
			e.addProblem(c.Profile, profile.Origin{}, &configError{
				Why:    fmt.Sprintf("profile %q: source_identity %q: the hop before has set %q, and a source identity can't be changed along a chain", c.Profile, c.SourceIdentity, identity),
				Advice: []string{"set it on the first hop alone; the others inherit it"},
			})
		}
		if identity == "" {
			identity = c.SourceIdentity
		}
		if i > 0 && c.Role.String() != placeholderRole && e.plan.Calls[i-1].Role.Partition != c.Role.Partition {
			e.addProblem(c.Profile, profile.Origin{}, &configError{
				Why: fmt.Sprintf("profile %q: role_arn %q is in partition %s, and the caller %s is in %s: roles can't be assumed across partitions",
					c.Profile, c.Role, c.Role.Partition, e.plan.Calls[i-1].Role, e.plan.Calls[i-1].Role.Partition),
			})
		}
	}
}

// judge decides every hop by the policies that are at hand. Without any, nothing is decided.
func (f *explainFlags) judge(ctx context.Context, a *app, e *explained, l *live, r *chainReport) error {
	if e.broken || len(r.Hops) == 0 || l == nil && len(f.accounts) == 0 {
		return nil
	}
	offset := len(r.Hops) - len(e.plan.Calls) // an exchange comes before the calls
	for i := range r.Hops {
		h := &r.Hops[i]
		switch {
		case l != nil && i < offset:
			h.Result = exchanged(h)
		case l != nil:
			var before *assume.Call
			if i > 0 {
				before = &r.Hops[i-1].context
			}
			found := l.judgeLive(ctx, a, h, before, e.chain.Source.Kind)
			h.Result = &found
		default:
			found, err := f.judgeHop(a, h)
			if err != nil {
				return err
			}
			h.Result = &found
		}
	}
	if f.try && len(e.plan.Calls) > 0 {
		if err := f.tryHops(ctx, a, e, r.Hops[offset:]); err != nil {
			return err
		}
	}
	r.Decision = worst(r.Hops)
	return nil
}

// exchanged is the answer about a token's exchange that has just worked.
func exchanged(h *hopReport) *finding {
	f := noCaller(h)
	f.Decision, f.Unknown = policy.DecisionAllow, nil
	return &f
}

// tryHops calls one hop after the other, up to the first that is refused.
func (f *explainFlags) tryHops(ctx context.Context, a *app, e *explained, hops []hopReport) error {
	t, err := f.newTrial(a, e)
	if err != nil {
		return err
	}
	for i := range hops {
		result, err := t.hop(ctx, i)
		if err != nil {
			return err
		}
		result.apply(&hops[i])
		if !result.Allowed {
			break
		}
	}
	return nil
}

func (f *explainFlags) judgeHop(a *app, h *hopReport) (finding, error) {
	if h.caller.ARN == "" {
		return noCaller(h), nil
	}
	req := &policy.Request{Caller: h.caller, RoleARN: h.Call.RoleARN, Actions: h.actions}
	seen, err := a.snapshots(f.accounts, h.caller.ARN, h.Call.RoleARN)
	if err != nil {
		return finding{}, err
	}
	seen.missing(req)
	gaps := seen.fill(req)
	req.Context = callContext(a.now(), req.Caller, h.context, h.mfa)
	seen.tags(req.Context)
	found := decide(req, gaps)
	seen.checkRole(&found, h.Call.RoleARN)
	return found, nil
}

// noCaller is the answer about a call whose caller nobody could name.
func noCaller(h *hopReport) finding {
	return finding{
		Result: &policy.Result{
			Decision: decisionUnknown, Reasons: []policy.Reason{}, Missing: []policy.Missing{}, Warnings: []string{}, Trace: []policy.Step{},
		},
		Unknown: []string{"who the caller is (" + h.Caller.What + "): give --caller ARN"},
		req:     &policy.Request{Caller: policy.Caller{ARN: h.Caller.What}, RoleARN: h.Call.RoleARN, Actions: h.actions},
	}
}

// worst is the decision of a chain: every hop must be allowed.
func worst(hops []hopReport) policy.Decision {
	for _, d := range []policy.Decision{policy.DecisionInvalid, policy.DecisionDeny, decisionUnknown} {
		if slices.ContainsFunc(hops, func(h hopReport) bool { return h.Result != nil && h.Result.Decision == d }) {
			return d
		}
	}
	return policy.DecisionAllow
}
