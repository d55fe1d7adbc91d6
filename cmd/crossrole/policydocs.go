package main

import (
	"crypto/rand"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"crossrole/internal/assume"
	"crossrole/internal/explain"
	"crossrole/internal/policy"
)

// sideFlags say what the documents of both sides shall hold, in `policy` and in `setup`.
type sideFlags struct {
	callers        []string
	services       []string
	roleARN        string
	externalID     string
	newExternalID  bool
	requireMFA     bool
	orgID          string
	sessionTags    []string
	sourceIdentity string
	grantFile      string
	grantName      string
	maxDuration    string
}

func (f *sideFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVar(&f.callers, "caller", nil, "who assumes the role: ARN of a user or role, or an account's 12 digits (may be repeated)")
	flags.StringArrayVar(&f.services, "service", nil, "service that keeps using the role beside the callers, such as ssm.amazonaws.com (may be repeated)")
	flags.StringVar(&f.roleARN, "role-arn", "", "ARN of the role")
	flags.StringVar(&f.externalID, "external-id", "", "the trust policy demands this external ID")
	flags.BoolVar(&f.newExternalID, "new-external-id", false, "the trust policy demands a new external ID of 128 random bits")
	flags.BoolVar(&f.requireMFA, "require-mfa", false, "the trust policy demands MFA")
	flags.StringVar(&f.orgID, "org-id", "", "the trust policy demands callers of this organization (o-…)")
	flags.StringArrayVar(&f.sessionTags, "session-tag", nil, "key of a session tag that callers may pass; * is any (may be repeated)")
	flags.StringVar(&f.sourceIdentity, "source-identity", "", "source identity that callers may set; * is any")
	flags.StringVar(&f.grantFile, "grant-file", "", "file with the policy that says what the role may do")
	flags.StringVar(&f.grantName, "grant-name", "", "name of that policy (default: its file's)")
	flags.StringVar(&f.maxDuration, "max-duration", "", "the role's MaxSessionDuration: 3600 to 43200 seconds, or such as 8h")
}

// bothSides are the documents of the role's side and of the callers'.
type bothSides struct {
	spec       policy.TrustSpec
	roleARN    string
	role       policy.ARN
	trust      *policy.Document
	permission *policy.Document
	name       string // of the permission policy
	grant      *policy.Document
	grantName  string
	maxSeconds int
}

// fromProfile fills what the flags leave open from the last hop of a profile's chain.
func (f *sideFlags) fromProfile(role string, spec policy.TrustSpec) {
	if f.roleARN == "" {
		f.roleARN = role
	}
	if len(f.callers) == 0 {
		f.callers = spec.Callers
	}
	if f.externalID == "" && !f.newExternalID {
		f.externalID = spec.ExternalID
	}
	f.requireMFA = f.requireMFA || spec.RequireMFA
	if f.sessionTags == nil {
		f.sessionTags = spec.SessionTags
	}
	if f.sourceIdentity == "" {
		f.sourceIdentity = spec.SourceIdentity
	}
}

// check finds what is wrong with the flags alone.
func (f *sideFlags) check() error {
	if f.newExternalID && f.externalID != "" {
		return usagef("--external-id and --new-external-id exclude each other")
	}
	if f.grantName != "" && f.grantFile == "" {
		return usagef("--grant-name goes with --grant-file")
	}
	return nil
}

// build makes the documents of both sides. random gives the bits of a new external ID.
func (f *sideFlags) build(a *app, random io.Reader) (*bothSides, error) {
	s := &bothSides{roleARN: f.roleARN, spec: policy.TrustSpec{
		Callers: f.callers, Services: f.services, ExternalID: f.externalID, RequireMFA: f.requireMFA, OrgID: f.orgID,
		SessionTags: f.tagKeys(), SourceIdentity: f.sourceIdentity,
	}}
	err := checkRoleARN(f.roleARN)
	if err != nil {
		return nil, err
	}
	s.role, _ = policy.ParseRoleARN(f.roleARN)
	if f.newExternalID {
		if s.spec.ExternalID, err = policy.NewExternalID(random); err != nil {
			return nil, err
		}
	}
	if s.maxSeconds, err = maxSession(f.maxDuration); err != nil {
		return nil, err
	}
	if s.grant, s.grantName, err = f.grant(a); err != nil {
		return nil, err
	}
	if s.trust, err = policy.TrustPolicy(s.spec); err != nil {
		return nil, asConfig(err)
	}
	s.name = policy.PermissionPolicyName(s.roleARN)
	s.permission, err = policy.PermissionPolicy(policy.PermissionSpec{
		RoleARNs: []string{s.roleARN}, SessionTags: s.spec.SessionTags != nil, SourceIdentity: s.spec.SourceIdentity != "",
	})
	return s, asConfig(err)
}

// tagKeys are the keys for the trust policy: nil allows no tags, an empty list any.
func (f *sideFlags) tagKeys() []string {
	if slices.Contains(f.sessionTags, "*") {
		return []string{}
	}
	return f.sessionTags
}

// maxSession reads a role's MaxSessionDuration; 0 leaves AWS's own. Source: IAM API reference, CreateRole.
func maxSession(text string) (int, error) {
	if text == "" {
		return 0, nil
	}
	d, err := assume.ParseDuration(text)
	if err != nil || d < time.Hour || d > 12*time.Hour {
		return 0, usagef("--max-duration %s must be 3600 to 43200 seconds, or such as 8h", strconv.Quote(text))
	}
	return int(d.Seconds()), nil
}

// grant reads what the role may do.
func (f *sideFlags) grant(a *app) (*policy.Document, string, error) {
	if f.grantFile == "" {
		return nil, "", nil
	}
	name := f.grantName
	if name == "" {
		name = fileStem(f.grantFile)
	}
	data, err := a.readAll(f.grantFile)
	if err != nil {
		return nil, "", err
	}
	doc, err := policy.ParseGrant(data, f.grantFile)
	return doc, name, asConfig(err)
}

// asConfig makes a value that AWS would refuse an error of the configuration.
func asConfig(err error) error {
	var (
		invalid *policy.InvalidError
		syntax  *policy.SyntaxError
	)
	if errors.As(err, &invalid) || errors.As(err, &syntax) {
		e := &configError{Why: err.Error()}
		if invalid != nil && invalid.What == "callers" {
			e.Advice = []string{"crossrole whoami SOURCE_PROFILE tells the caller's ARN"}
		}
		return e
	}
	return err
}

// The two sides of a template.
const (
	sideRole   = "role"
	sideCaller = "caller"
)

// accounts lists the callers' accounts in their order: each needs a template of its own.
func (s *bothSides) accounts() []string {
	var out []string
	for _, c := range s.spec.Callers {
		account := callerAccount(c)
		if !slices.Contains(out, account) {
			out = append(out, account)
		}
	}
	return out
}

// callerAccount is the account of a caller, which may be the account itself.
func callerAccount(caller string) string {
	if policy.IsAccountID(caller) {
		return caller
	}
	return accountOf(caller)
}

// template renders one side for CloudFormation or Terraform: the role's, or that of the callers of one account.
func (s *bothSides) template(kind, side, account string) (string, error) {
	role := policy.RoleTemplate{RoleARN: s.roleARN, Trust: s.trust, GrantName: s.grantName, Grant: s.grant, MaxSessionDuration: s.maxSeconds}
	callers := slices.DeleteFunc(slices.Clone(s.spec.Callers), func(c string) bool { return callerAccount(c) != account })
	caller := policy.CallerTemplate{PolicyName: s.name, Policy: s.permission, Callers: callers}
	var text string
	var err error
	switch {
	case kind == "terraform" && side == sideRole:
		text, err = role.Terraform()
	case kind == "terraform":
		text, err = caller.Terraform()
	case side == sideRole:
		text, err = role.CloudFormation()
	default:
		text, err = caller.CloudFormation()
	}
	return text, asConfig(err)
}

const policyHelp = `The documents that a role and its callers need, for a PROFILE of ~/.aws/config
or from flags: the role's trust policy, and the callers' permission policy named
after the role. Across accounts both are needed; in one account a trust policy
that names the caller is enough.

What is written is never wider than what was asked for: callers by name, one
role, no wildcard.`

const policyExamples = `  crossrole policy trust prod --caller arn:aws:iam::111111111111:user/A-san
  crossrole policy trust --role-arn arn:aws:iam::222222222222:role/RoleB --caller arn:aws:iam::111111111111:role/RoleA --service ssm.amazonaws.com
  crossrole policy permission --role-arn arn:aws:iam::222222222222:role/RoleB
  crossrole policy cloudformation --role-arn arn:aws:iam::222222222222:role/ForExampleCorp --caller 123456780123 --new-external-id --grant-file read-bucket.json
  crossrole policy terraform prod --caller arn:aws:iam::111111111111:user/A-san --side caller`

func newPolicyCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "policy", Short: "Write the documents that both sides need", Long: policyHelp, Example: policyExamples,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("unknown kind of document %s: there are trust, permission, cloudformation and terraform", strconv.Quote(args[0]))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	for _, kind := range []struct{ name, short string }{
		{"trust", "The role's trust policy (JSON)"},
		{"permission", "The callers' permission policy, AssumeRoleFor<ROLE> (JSON)"},
		{"cloudformation", "A CloudFormation template of one side (YAML)"},
		{"terraform", "Terraform resources of one side (HCL)"},
	} {
		cmd.AddCommand(newPolicyKind(a, kind.name, kind.short))
	}
	return cmd
}

// policyOptions are those of one kind of document.
type policyOptions struct {
	sideFlags
	kind string
	side string
}

func newPolicyKind(a *app, kind, short string) *cobra.Command {
	o := &policyOptions{kind: kind}
	var examples []string
	for line := range strings.SplitSeq(policyExamples, "\n") {
		if strings.HasPrefix(line, "  crossrole policy "+kind) {
			examples = append(examples, line)
		}
	}
	cmd := &cobra.Command{
		Use: kind + " [PROFILE | ROLE_ARN]", Short: short, Long: short + ".\n\n" + policyHelp, Example: strings.Join(examples, "\n"),
		Args: noMoreThan(1, "profile or role ARN"),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := o.check(); err != nil {
				return err
			}
			return o.run(a, strings.Join(args, ""))
		},
	}
	o.register(cmd)
	if o.isTemplate() {
		cmd.Flags().StringVar(&o.side, "side", sideRole, "whose side: role, or caller")
	}
	return cmd
}

func (o *policyOptions) isTemplate() bool { return o.kind == "cloudformation" || o.kind == "terraform" }

func (o *policyOptions) check() error {
	if o.isTemplate() && o.side != sideRole && o.side != sideCaller {
		return usagef("--side %s: there are role and caller", strconv.Quote(o.side))
	}
	return o.sideFlags.check()
}

func (o *policyOptions) run(a *app, name string) error {
	if err := o.complete(a, name); err != nil {
		return err
	}
	sides, err := o.build(a, rand.Reader)
	if err != nil {
		return err
	}
	text, err := o.render(sides)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(a.out, text); err != nil {
		return err
	}
	o.tell(a, sides)
	return nil
}

// complete takes what the flags leave open from a profile, if one is named, or from a role's ARN.
func (o *policyOptions) complete(a *app, name string) error {
	switch {
	case assume.LooksLikeARN(name) && o.roleARN != "":
		return usagef("the role is named twice: %s and --role-arn %s", strconv.Quote(name), strconv.Quote(o.roleARN))
	case assume.LooksLikeARN(name):
		o.roleARN = name
	case name != "":
		role, spec, err := lastCall(a, name)
		if err != nil {
			return err
		}
		o.fromProfile(role, spec)
	}
	if o.roleARN == "" {
		return asUsage(errors.New("which role? name a profile, or give --role-arn"), "see crossrole policy "+o.kind+" --help")
	}
	if len(o.callers) == 0 && len(o.services) == 0 {
		if o.kind != "permission" && o.side != sideCaller {
			return asUsage(errors.New("whom shall the role let in? give --caller (or --service)"), "crossrole whoami SOURCE_PROFILE tells the caller's ARN")
		}
		o.callers = []string{accountOf(o.roleARN)} // the callers' own side does not name them
	}
	return nil
}

// lastCall is what the call that ends a profile's chain needs of the role's side.
func lastCall(a *app, name string) (role string, spec policy.TrustSpec, err error) {
	chain, err := (&explainFlags{}).understand(a, name)
	if err != nil {
		return "", spec, err
	}
	if fault := chain.Fault(); fault != nil {
		return "", spec, &configError{Why: fault.Problem, Advice: append(fault.Hints, "crossrole explain "+shellWord(name)+" tells all that can't work")}
	}
	role, spec, ok := chain.LastCall(explain.Known{EnvironmentAccount: a.getenv("AWS_ACCOUNT_ID")})
	if !ok {
		return "", spec, &configError{Why: "profile " + strconv.Quote(name) + " assumes no role by AssumeRole", Advice: []string{"give --role-arn"}}
	}
	return role, spec, nil
}

func (o *policyOptions) render(s *bothSides) (string, error) {
	switch o.kind {
	case "trust":
		return s.trust.Indented(), nil
	case "permission":
		return s.permission.Indented(), nil
	}
	accounts := s.accounts()
	if o.side == sideCaller && len(accounts) > 1 {
		return "", usagef("the callers are in several accounts (%s), and each needs a template of its own: give the callers of one", strings.Join(accounts, ", "))
	}
	return s.template(o.kind, o.side, strings.Join(accounts, ""))
}

// tell says on stderr what the document can't: the other side, and a new external ID.
func (o *policyOptions) tell(a *app, s *bothSides) {
	onRoleSide := o.kind == "trust" || o.isTemplate() && o.side == sideRole
	if o.newExternalID && onRoleSide {
		a.say("the new external ID is " + s.spec.ExternalID + ": whoever calls needs external_id = " + s.spec.ExternalID + " in the profile")
	}
	if onRoleSide && s.needsBoth() {
		a.say("this is the side of account " + s.role.Account + "; the callers' accounts need it too: crossrole policy permission --role-arn " + shellWord(s.roleARN))
	}
}

// needsBoth tells whether some caller also needs its own side's policy: one in another account, or a whole account.
func (s *bothSides) needsBoth() bool {
	return slices.ContainsFunc(s.spec.Callers, func(c string) bool {
		return policy.IsAccountID(c) || strings.HasSuffix(c, ":root") || accountOf(c) != s.role.Account
	})
}

// accountOf is the account that an ARN is of, or "".
func accountOf(arn string) string {
	a, _ := policy.ParseARN(arn)
	return a.Account
}
