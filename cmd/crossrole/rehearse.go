package main

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"crossrole/internal/localsts"
	child "crossrole/internal/run"
)

const rehearseHelp = `Starts a local STS (and the part of IAM that goes with it) with whole accounts,
so that any AWS client can try who may assume what, before anybody touches AWS.

An account file is the JSON of "aws iam get-account-authorization-details", or
the CloudFormation template that will be deployed, with its account's id before
it: --account 111111111111=caller.yaml. A second file of the same account is a
template that is deployed into it. --organization adds SCPs and RCPs.

With CMD it runs the command against the rehearsal and ends with its exit code;
without, it prints lines for eval and serves until Ctrl-C. Profiles for every
user and role are ready, each under the name of its user or role (NAME@ACCOUNT
where several have it), and root@ACCOUNT for changing things.

--can answers whether a profile may do an action, and --check FILE compares a
list of expectations with what would happen: policy tests for CI. --why tells
the reason of each decision on stderr; clients are told what AWS tells them.`

type rehearseOptions struct {
	accounts     []string
	organization string
	parameters   []string
	jwks         []string
	fromLive     []string
	listen       string
	allowRemote  bool
	format       string
	why          bool
	can          string
	check        string
	junit        string
}

func newRehearseCmd(a *app) *cobra.Command {
	o := &rehearseOptions{}
	cmd := &cobra.Command{
		Use:   "rehearse --account FILE… [-- CMD [ARG…]]",
		Short: "Serve a local STS with your accounts, for any AWS client",
		Long:  rehearseHelp,
		Example: `  crossrole rehearse --account 111111111111=caller.yaml --account 222222222222=target.yaml -- \
      aws --profile A-san sts assume-role --role-arn arn:aws:iam::222222222222:role/RoleB --role-session-name try
  crossrole rehearse --account snapshot.json --why
  crossrole rehearse --account 222222222222=target.yaml --can s3put-ok s3:PutObject 'arn:aws:s3:::test-bucket/*'
  crossrole rehearse --check rehearsal.yaml --junit report.xml`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.checkFlags(args, cmd.ArgsLenAtDash()); err != nil {
				return err
			}
			return o.run(cmd.Context(), a, args)
		},
	}
	o.register(cmd)
	return cmd
}

func (o *rehearseOptions) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&o.accounts, "account", nil, "an account file, [ID=]FILE; may be repeated")
	f.StringVar(&o.organization, "organization", "", "a file with the organization: management account, units, SCPs, RCPs")
	f.StringArrayVar(&o.parameters, "parameter", nil, "a value for the templates' parameters, K=V; may be repeated")
	f.StringArrayVar(&o.jwks, "jwks", nil, "a file with an OpenID Connect provider's public keys, [ISSUER=]FILE; may be repeated")
	f.StringArrayVar(&o.fromLive, "from-live", nil, "rehearse a snapshot of this profile's real account, which is only read; may be repeated")
	f.StringVar(&o.listen, "listen", "127.0.0.1:0", "where to listen; port 0 is any free one")
	f.BoolVar(&o.allowRemote, "allow-remote", false, "let --listen be an address that other machines reach: they can use the rehearsal's keys")
	f.StringVar(&o.format, "format", defaultLines, "the lines for eval: env, fish or powershell")
	f.BoolVar(&o.why, "why", false, "tell each decision with its trace on stderr")
	f.StringVar(&o.can, "can", "", "PROFILE ACTION RESOURCE: may this profile's session do that? exit 0 yes, 4 no")
	f.StringVar(&o.check, "check", "", "compare the expectations of this file; exit 1 if one differs")
	f.StringVar(&o.junit, "junit", "", "with --check, write the results to this file as JUnit XML")
}

var accountArgument = regexp.MustCompile(`^([0-9]{12})=(.+)$`)

// checkFlags finds every contradiction before a file is opened.
func (o *rehearseOptions) checkFlags(args []string, dash int) error {
	if err := checkFormat(o.format, "env", "fish", "powershell"); err != nil {
		return err
	}
	for _, p := range o.parameters {
		if k, _, ok := strings.Cut(p, "="); !ok || k == "" {
			return usagef("--parameter %s is not K=V", strconv.Quote(p))
		}
	}
	switch {
	case o.check != "" && (o.can != "" || len(args) > 0):
		return usagef("--check goes without --can and without a command")
	case o.check == "" && o.junit != "":
		return usagef("--junit goes with --check")
	case o.check == "" && len(o.accounts)+len(o.fromLive) == 0:
		return &usageError{Why: "no account to rehearse", Advice: []string{"give --account FILE (a snapshot or a template), or --from-live PROFILE"}}
	}
	return o.checkArgs(args, dash)
}

// checkArgs tells a command from the two words of --can.
func (o *rehearseOptions) checkArgs(args []string, dash int) error {
	switch {
	case o.can != "" && (dash >= 0 || len(args) != 2):
		return &usageError{Why: "--can wants a profile, an action and a resource", Advice: []string{"crossrole rehearse --account FILE --can s3put-ok s3:PutObject 'arn:aws:s3:::test-bucket/*'"}}
	case o.can == "" && len(args) > 0 && dash != 0:
		return &usageError{Why: "the command must come after --", Advice: []string{"crossrole rehearse --account FILE -- " + shellWords(args)}}
	case dash == 0 && len(args) == 0:
		return usagef("no command after --")
	}
	return nil
}

func (o *rehearseOptions) run(ctx context.Context, a *app, args []string) error {
	switch {
	case o.check != "":
		return o.runCheck(ctx, a)
	case o.can != "":
		return o.runCan(ctx, a, args[0], args[1])
	}
	var command child.Command
	if len(args) > 0 {
		var err error
		if command, err = a.command(args); err != nil {
			return childError(err)
		}
	}
	r, err := o.open(ctx, a)
	if err != nil {
		return err
	}
	return o.serve(ctx, a, r, command)
}

// open reads the accounts and makes the server.
func (o *rehearseOptions) open(ctx context.Context, a *app) (*localsts.Server, error) {
	w, err := o.world(ctx, a)
	if err != nil {
		return nil, err
	}
	opts := localsts.Options{Now: a.now, Panic: func(v any, stack []byte) {
		a.say(fmt.Sprintf("the local STS failed: %v", v))
		a.log().Debug("stack", "stack", string(stack))
	}}
	if o.why {
		opts.Log = (&decisionLog{out: a.err}).write
	}
	return localsts.New(w, opts)
}

// serve listens, writes the profiles, and runs the command or waits for the end.
func (o *rehearseOptions) serve(ctx context.Context, a *app, s *localsts.Server, command child.Command) error {
	running, err := localsts.Start(ctx, o.listen, s, o.allowRemote)
	if err != nil {
		return remoteHint(err)
	}
	defer func() { _ = running.Close() }()
	stage, err := newScene(s.Roster())
	if err != nil {
		return err
	}
	defer a.removeFolder(stage.dir)
	vars := stage.variables(running.URL, a.getenv)
	if command.Path == "" {
		if err := o.announce(a, running.URL, stage, vars); err != nil {
			return err
		}
		<-ctx.Done()
		return nil
	}
	command.Env = childEnvironment(a, vars)
	status, err := child.Supervise(context.WithoutCancel(ctx), command, childStreams(), 0)
	return childStatus(status, err)
}

// decisionLog tells the decisions to a person, one request at a time.
type decisionLog struct {
	mu  sync.Mutex
	out io.Writer
}

func (l *decisionLog) write(c localsts.Call) {
	who, came := c.Caller, "allowed"
	if who == "" {
		who = "nobody known"
	}
	if c.Code != "" {
		came = c.Code
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s by %s: %s\n", c.Time.UTC().Format(time.TimeOnly), clean(c.Action), clean(who), clean(came))
	if c.Message != "" {
		b.WriteString("  told the client: " + clean(c.Message) + "\n")
	}
	for _, line := range c.Why {
		b.WriteString("  " + clean(line) + "\n")
	}
	if c.Encoded != "" {
		b.WriteString("  encoded message: " + c.Encoded + "\n")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = io.WriteString(l.out, b.String()) // nobody is left to be told
}

func (o *rehearseOptions) runCan(ctx context.Context, a *app, act, resource string) error {
	s, err := o.open(ctx, a)
	if err != nil {
		return err
	}
	out, err := s.Can(o.can, act, resource)
	if err != nil {
		return nameHint(err)
	}
	word := "deny"
	if out.Allowed {
		word = "allow"
	}
	if o.why {
		for _, line := range out.Why {
			_, _ = io.WriteString(a.err, clean(line)+"\n")
		}
	}
	if _, err := fmt.Fprintf(a.out, "%s: %s %s on %s\n", word, clean(out.Caller), clean(act), clean(resource)); err != nil {
		return err
	}
	if !out.Allowed {
		return &exitError{Code: exitDenied}
	}
	return nil
}
