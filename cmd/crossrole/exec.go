package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	child "crossrole/internal/run"
)

const execHelp = `Runs a command with a session's credentials in its environment.

The command sees the session's AWS_* variables, CROSSROLE_PROFILE and its own
environment, without anything that would win over the session (AWS_PROFILE, old
keys, a container's variables) and without any other CROSSROLE_ variable. On
Unix it takes crossrole's place: signals, terminal and exit status are its own.
126 and 127 mean what they mean in a shell: it can't be executed, or is not found.

Without a command it is your shell ($SHELL), until you leave it.

With --serve the command gets no keys but the address of an endpoint that
crossrole keeps beside it, so that SDKs renew their sessions while it runs.
--min-ttl stops a run before it starts if the session would end too early.`

// graceAfterTerm is how long a supervised command may take to stop. Tools that
// hold state (terraform) need minutes; what must be gone sooner is killed by
// whoever wants that.
const graceAfterTerm = 10 * time.Minute

type execOptions struct {
	planFlags
	serve bool
}

func newExecCmd(a *app) *cobra.Command {
	o := &execOptions{}
	cmd := &cobra.Command{
		Use:   "exec PROFILE [flags] -- CMD [ARG…]",
		Short: "Run a command with a profile's session",
		Long:  execHelp,
		Example: `  crossrole exec prod -- aws s3 ls
  crossrole exec prod --min-ttl 45m -- terraform apply
  crossrole exec prod --serve -- ./nightly-job
  crossrole exec prod                 # a shell, until you leave it`,
		Args: func(cmd *cobra.Command, args []string) error { return checkExecArgs(a.args, args, cmd.ArgsLenAtDash()) },
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(); err != nil {
				return err
			}
			return o.run(cmd.Context(), a, args[0], args[1:])
		},
	}
	o.register(cmd)
	cmd.Flags().BoolVar(&o.serve, "serve", false, "give the command a refreshing endpoint instead of keys, and stay beside it")
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return &usageError{Why: err.Error(), Advice: []string{
			"flags of the command itself go after --: crossrole exec PROFILE -- CMD --its-flag",
			"see crossrole exec --help for exec's own",
		}}
	})
	return cmd
}

// checkExecArgs wants one profile, and the command after "--". line is the whole
// command line, flags included.
func checkExecArgs(line, args []string, dash int) error {
	switch {
	case len(args) == 0 || dash == 0:
		return &usageError{Why: "no profile is named", Advice: []string{"crossrole exec PROFILE -- CMD; crossrole list shows the profiles"}}
	case dash < 0 && len(args) > 1:
		return &usageError{Why: "the command must come after --", Advice: []string{"crossrole " + shellWords(withDashes(line, args[0], args[1]))}}
	case dash > 1:
		return &usageError{Why: "one profile is named before --, and the command comes after", Advice: []string{"crossrole exec PROFILE -- CMD"}}
	case len(args) > 1 && strings.HasPrefix(args[1], "-"):
		return &usageError{Why: "the command " + strconv.Quote(args[1]) + " looks like a flag", Advice: []string{
			"flags of crossrole go before --, and a command of that name needs its path, such as ./" + args[1],
		}}
	}
	return nil
}

// withDashes puts "--" before the word that is meant as the command: the one
// that follows the profile, which may have the same name.
func withDashes(line []string, profile, command string) []string {
	at := slices.Index(line, profile) + 1
	at += max(slices.Index(line[at:], command), 0)
	return slices.Concat(line[:at], []string{"--"}, line[at:])
}

func (o *execOptions) run(ctx context.Context, a *app, name string, words []string) error {
	command, err := a.command(words)
	if err != nil {
		return childError(err)
	}
	r, err := o.plan(a, name)
	if err != nil {
		return err
	}
	if err := checkLife(r, o.minTTL); err != nil {
		return err
	}
	if o.serve {
		return o.runBesideEndpoint(ctx, a, r, command)
	}
	s, err := o.sessions(a, r)
	if err != nil {
		return err
	}
	warn(a, r)
	session, err := s.lasting(ctx, o.minTTL)
	if err != nil {
		return err
	}
	if len(words) == 0 && a.errIsTerminal() {
		a.say("starting " + clean(command.Path) + " with profile " + strconv.Quote(r.chain.Name) + "; exit leaves it")
	}
	command.Env = childEnvironment(a, sessionVariables(credentials(r, session)))
	status, err := child.Replace(context.WithoutCancel(ctx), command, childStreams())
	return childStatus(status, err)
}

// warn tells what is odd about a plan, before it is carried out.
func warn(a *app, r resolved) { _, _ = io.WriteString(a.err, warningLines(r.plan)) }

// command finds what to run, before any credentials are asked for.
func (a *app) command(words []string) (child.Command, error) {
	if len(words) == 0 {
		words = []string{a.shell()}
	}
	path, err := child.Find(words[0], a.getenv("PATH"))
	return child.Command{Path: path, Args: words}, err
}

// shell is the user's own.
func (a *app) shell() string {
	name, standard := "SHELL", "/bin/sh"
	if runtime.GOOS == "windows" {
		name, standard = "COMSPEC", "cmd.exe"
	}
	if shell := a.getenv(name); filepath.IsAbs(shell) {
		return shell
	}
	return standard
}

func childEnvironment(a *app, session map[string]string) []string {
	return child.Environ(a.environ(), session, runtime.GOOS == "windows")
}

func childStreams() child.Streams { return child.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr} }

// childStatus makes the child's exit status ours.
func childStatus(status int, err error) error {
	switch {
	case err != nil:
		return childError(err)
	case status != 0:
		return &exitError{Code: status}
	}
	return nil
}

// childError gives a command that could not be run the exit status of shells.
func childError(err error) error {
	if start, ok := errors.AsType[*child.StartError](err); ok {
		return &exitError{Code: start.Status, Err: err}
	}
	return err
}
