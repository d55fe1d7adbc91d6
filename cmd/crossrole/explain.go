package main

import (
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"crossrole/internal/assume"
	"crossrole/internal/disk"
	"crossrole/internal/explain"
	"crossrole/internal/policy"
	"crossrole/internal/profile"
)

// explainFlags are the flags of explain. Those of planFlags say what would be sent; the others say what there is.
type explainFlags struct {
	planFlags
	format  string
	trace   bool
	profile bool // a profile's chain is asked for, not a caller and a role by name

	request string

	caller        string
	principalARN  string
	uniqueID      string
	organization  string
	management    string
	accounts      []string
	trust         string
	identity      []string
	boundary      string
	sessionPolicy string
	scps          []string
	rcps          []string
	actions       []string
	context       []string
	mfa           bool

	live    bool
	try     bool
	targets []string
}

const explainHelp = `Is this role assumption allowed, and if not, which statement is missing, and on
which side? AWS answers a refused AssumeRole with one sentence and no reason.

The first line says allowed or denied. Then come the statements that decided,
with file and line, and after a denial the smallest statement that would make it
pass, on the side that lacks it. A statement that is shown as a fix was put in
and evaluated again; it never has a wildcard, and keeps the conditions of the
one that came near.

For a profile (or a role's ARN with --source-profile) it shows the chain: who
calls what with which parameters, whether caller and role share an account, what
each side must say, and all that can't work as the profile stands. Nothing is
called, and no right to read IAM is needed. --account decides it too, from
snapshots of the accounts. --live reads the policies in force with the source's
own credentials (and, for the role's account, those of --target-profile) and
decides; what could not be read is named unknown, and never taken for allowed.
--try also calls AssumeRole, with the external ID and without, and says whether
it is really enforced.

From files, without any profile:
  --caller and --role-arn say who assumes what, the other flags which policies
  there are. The request is given what AWS itself would put into it (such as
  aws:PrincipalArn); --context adds what only you can know (aws:SourceIp, …).
  --account is a snapshot of a whole account, as
  aws iam get-account-authorization-details prints it; then any caller and role
  in it is known by its ARN. The other files are added to what it holds, or
  (trust policy, boundary) take its place: what if?
  --request FILE holds all of it in one JSON object, for tests in CI; its
  context is exactly what the request carries. See docs/explain.md.

Every --scp and --rcp may be LEVEL=FILE: each level (root, OUs, account) must
allow. Files without a level belong to the same one.

Exit codes: 0 allowed, 4 denied, 3 invalid (a policy or an ARN that AWS would
refuse, or a file that can't be read), 1 unknown (something that could change
the answer could not be looked up).
A PROFILE alone, without --live or --account, decides nothing: it is 0 unless
the profile can't work.`

func newExplainCmd(a *app) *cobra.Command {
	f := &explainFlags{}
	cmd := &cobra.Command{
		Use:   "explain [PROFILE | ROLE_ARN]",
		Short: "Say whether a role may be assumed, and which statement is missing on which side",
		Long:  explainHelp,
		Example: `  crossrole explain prod
  crossrole explain prod --live --target-profile prod-audit
  crossrole explain prod --try
  crossrole explain --caller arn:aws:iam::111111111111:user/A-san --role-arn arn:aws:iam::222222222222:role/RoleB \
    --trust-policy trust.json --identity-policy AssumeRoleForRoleB.json --external-id ExternalId123
  crossrole explain --caller arn:aws:iam::111111111111:user/A-san --role-arn arn:aws:iam::222222222222:role/RoleB \
    --account 111111111111.json --account 222222222222.json
  crossrole explain --request request.json --format json
  jq -c . request.json | crossrole explain --request - >/dev/null || echo "not allowed"`,
		Args: noMoreThan(1, "profile"),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := strings.Join(args, "")
			f.profile = name != "" || f.request == "" && f.caller == ""
			if err := f.check(cmd); err != nil {
				return err
			}
			if f.profile {
				return unreadable(f.runProfile(cmd.Context(), a, name))
			}
			return unreadable(f.run(a))
		},
	}
	f.register(cmd)
	return cmd
}

func (f *explainFlags) register(cmd *cobra.Command) {
	f.planFlags.register(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.format, "format", "text", "text or json")
	flags.BoolVar(&f.trace, "trace", false, "also show every statement that was held against the request")
	flags.StringVar(&f.request, "request", "", "file with the whole request as one JSON object (- is stdin)")
	flags.StringVar(&f.caller, "caller", "", "ARN of who assumes the role: a user, a role, or a role's session")
	flags.StringVar(&f.principalARN, "caller-role-arn", "", "ARN of the caller's role, when --caller is its session and the role has a path")
	flags.StringVar(&f.uniqueID, "caller-id", "", "unique id of the caller (AIDA…, AROA…:session)")
	flags.StringVar(&f.organization, "org-id", "", "id of the caller's organization (o-…): aws:PrincipalOrgID")
	flags.StringVar(&f.management, "management-account", "", "the organization's management account, which SCPs and RCPs don't bind")
	flags.StringArrayVar(&f.accounts, "account", nil, "file with an account snapshot (may be repeated)")
	flags.StringVar(&f.trust, "trust-policy", "", "file with the role's trust policy")
	flags.StringArrayVar(&f.identity, "identity-policy", nil, "file with an identity policy of the caller (may be repeated)")
	flags.StringVar(&f.boundary, "boundary", "", "file with the caller's permissions boundary")
	flags.StringVar(&f.sessionPolicy, "session-policy", "", "file with the session policy in force for the caller's own session")
	flags.StringArrayVar(&f.scps, "scp", nil, "[LEVEL=]FILE with an SCP of the caller's account (may be repeated)")
	flags.StringArrayVar(&f.rcps, "rcp", nil, "[LEVEL=]FILE with an RCP of the role's account (may be repeated)")
	flags.StringArrayVar(&f.actions, "action", nil, "action to ask for, instead of sts:AssumeRole and what the other flags need (may be repeated)")
	flags.StringArrayVar(&f.context, "context", nil, "KEY=VALUE that the request carries (a repeated key is multi-valued)")
	flags.BoolVar(&f.live, "live", false, "read the policies in force with the source's own credentials, and decide")
	flags.BoolVar(&f.try, "try", false, "also call AssumeRole, with the external ID and without (implies --live)")
	flags.StringArrayVar(&f.targets, "target-profile", nil, "with --live: profile whose credentials may read the role's account (may be repeated)")
	flags.BoolVar(&f.mfa, "mfa", false, "the request carries MFA")
}

// The flags that belong to one way of asking alone.
var (
	// describing flags put a request together.
	describing = []string{
		"org-id", "management-account", "trust-policy", "identity-policy", "boundary", "session-policy", "scp", "rcp", "action", "context",
	}
	// besideRequest are those that say nothing next to a whole request.
	besideRequest = append([]string{"role-arn", "external-id", "caller", "caller-role-arn", "caller-id", "account", "mfa", "live", "try", "target-profile"}, describing...)
)

func (f *explainFlags) check(cmd *cobra.Command) error {
	if err := checkFormat(f.format, "text", "json"); err != nil {
		return err
	}
	switch {
	case f.request != "" && f.profile:
		return usagef("--request says everything: no profile goes with it")
	case f.request != "":
		if err := refuseFlags(cmd, besideRequest, "beside --request, which says everything"); err != nil {
			return err
		}
	case f.profile:
		if err := refuseFlags(cmd, describing, "with a profile; describe the caller with --caller and leave the profile out"); err != nil {
			return err
		}
		return f.checkLive(cmd)
	case f.live || f.try || len(f.targets) > 0:
		return usagef("--live, --try and --target-profile go with a profile")
	case f.over.RoleARN == "" || f.trust == "" && len(f.accounts) == 0:
		return asUsage(errors.New("--caller goes with --role-arn and --trust-policy (or --account), or with a profile"), "see crossrole explain --help")
	}
	return f.planFlags.check()
}

func (f *explainFlags) checkLive(cmd *cobra.Command) error {
	f.live = f.live || f.try
	if f.live {
		if err := refuseFlags(cmd, []string{"account", "caller", "caller-role-arn", "caller-id", "mfa"}, "with --live, which asks AWS"); err != nil {
			return err
		}
	} else if len(f.targets) > 0 {
		return usagef("--target-profile goes with --live")
	}
	return f.planFlags.check()
}

func refuseFlags(cmd *cobra.Command, names []string, why string) error {
	for _, name := range names {
		if given(cmd.Flags().Lookup(name)) {
			return usagef("--%s has no meaning %s", name, why)
		}
	}
	return nil
}

// run answers from a request or from files that the flags name.
func (f *explainFlags) run(a *app) error {
	if f.request != "" {
		found, err := f.wholeRequest(a)
		if err != nil {
			return err
		}
		return f.answer(a, &found, found.Decision)
	}
	q, err := f.question(a)
	if err != nil {
		return err
	}
	found, err := q.Answer(namedFiles{a})
	if err != nil {
		return err
	}
	return f.answer(a, &found, found.Decision)
}

// unreadable makes a file that can't be read a setting that can't be used: 1 is the exit code of "unknown", and of a call
// that failed, whose errors of the system are not those of a file.
func unreadable(err error) error {
	if _, ok := errors.AsType[*net.OpError](err); ok {
		return err
	}
	if _, ok := errors.AsType[*namedFileError](err); ok || disk.Trouble(err) {
		return &exitError{Code: exitConfiguration, Err: err}
	}
	return err
}

// wholeRequest answers --request.
func (f *explainFlags) wholeRequest(a *app) (explain.Finding, error) {
	in, name, err := a.open(f.request)
	if err != nil {
		return explain.Finding{}, err
	}
	defer func() { _ = in.Close() }()
	return explain.Request(in, name)
}

// question is what the flags describe.
func (f *explainFlags) question(a *app) (*explain.Question, error) {
	q := &explain.Question{
		Caller: f.callerByFlags(), RoleARN: f.over.RoleARN, Actions: f.actions, MFA: f.mfa, Now: a.now(),
		Trust: f.trust, Boundary: f.boundary, Session: f.sessionPolicy, Identity: f.identity, SCPs: f.scps, RCPs: f.rcps, Accounts: f.accounts,
	}
	if f.organization != "" || f.management != "" {
		q.Organization = &policy.Organization{ID: f.organization, ManagementAccount: f.management}
	}
	var err error
	if q.Call, err = f.call(); err != nil {
		return nil, err
	}
	q.Context, err = f.givenContext()
	return q, err
}

func (f *explainFlags) callerByFlags() policy.Caller {
	return policy.Caller{ARN: f.caller, PrincipalARN: f.principalARN, UniqueID: f.uniqueID}
}

// call is what the flags say would be sent. It is not checked against STS's limits: the question is about policies.
func (f *explainFlags) call() (assume.Call, error) {
	o := &f.over
	call := assume.Call{ExternalID: o.ExternalID, SessionName: o.SessionName, SourceIdentity: o.SourceIdentity, TransitiveTags: o.TransitiveTags}
	for _, text := range o.Tags {
		key, value, ok := strings.Cut(text, "=")
		if !ok {
			return call, usagef("--tag %s must be KEY=VALUE", strconv.Quote(text))
		}
		call.Tags = append(call.Tags, assume.Tag{Key: key, Value: value})
	}
	return call, nil
}

// givenContext is what --context says: a repeated key is multi-valued.
func (f *explainFlags) givenContext() (policy.Context, error) {
	ctx := policy.Context{}
	for _, text := range f.context {
		key, value, ok := strings.Cut(text, "=")
		if !ok || key == "" {
			return nil, usagef("--context %s must be KEY=VALUE", strconv.Quote(text))
		}
		v, again := ctx[key]
		if again {
			v = policy.Many(append(v.Values, value)...)
		} else {
			v = policy.One(value)
		}
		ctx[key] = v
	}
	return ctx, nil
}

// runProfile explains the chain of a profile or of a role's ARN.
func (f *explainFlags) runProfile(ctx context.Context, a *app, name string) error {
	chain, err := f.understand(a, name)
	if err != nil {
		return err
	}
	known := explain.Known{
		Caller: f.callerByFlags(), EnvironmentAccount: a.getenv("AWS_ACCOUNT_ID"), MFA: f.mfa, Now: a.now(),
		Accounts: f.accounts, Files: namedFiles{a},
	}
	if f.live && chain.Callable() {
		if known.Live, err = f.goLive(ctx, a, chain.Plan()); err != nil {
			return err
		}
		if f.try {
			known.Try = f.trying(a, chain.Plan().Where)
		}
	}
	report, err := chain.Report(ctx, known)
	if err != nil {
		return err
	}
	return f.answer(a, report, report.Decision)
}

// understand resolves the profile, or finds out why it does not resolve.
func (f *explainFlags) understand(a *app, name string) (*explain.Chain, error) {
	set, err := a.profiles()
	if err != nil {
		return nil, err
	}
	chain, err := f.chain(a, set, name)
	over := f.over
	over.Who, over.ReadFile, over.SharedMFA = a.who(), newSources(a).readFile, set.SharesMFA
	if name == "" {
		name = profile.SelectedProfile(a.getenv).Text
	}
	return explain.Understand(set, name, chain, err, over)
}

// answer prints what was found; the exit code is part of it.
func (f *explainFlags) answer(a *app, found explanation, d policy.Decision) error {
	var err error
	if f.format == "json" {
		err = found.JSON(a.out)
	} else {
		err = found.Text(a.out, a.painter(), f.trace)
	}
	if err != nil {
		return err
	}
	return decisionExit(d)
}

// explanation is what room explain found.
type explanation interface {
	Text(w io.Writer, p explain.Paint, trace bool) error
	JSON(w io.Writer) error
}

// decisionExit is the exit code of a decision; "" is of a profile that was only described.
func decisionExit(d policy.Decision) error {
	switch d {
	case policy.DecisionAllow, "":
		return nil
	case policy.DecisionDeny:
		return &exitError{Code: exitDenied}
	case explain.DecisionUnknown:
		return &exitError{Code: exitFailed}
	default:
		return &exitError{Code: exitConfiguration}
	}
}
