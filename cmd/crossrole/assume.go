package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"crossrole/internal/assume"
	"crossrole/internal/output"
	"crossrole/internal/output/plantext"
)

const assumeHelp = `Obtains a session of a role and prints its credentials.

PROFILE is a profile of ~/.aws/config; without one it is AWS_PROFILE, then
"default". A role's ARN works too, with --source-profile for whose credentials
assume it.

On a terminal nothing secret is printed: a summary, and the line to type. With
--show, or into a pipe, a file or $(…), the credentials come in the --format:

  env            export lines for sh, bash, zsh, ksh, dash (default)
  env-no-export  the same without export
  fish, powershell, windows-cmd, nushell
  dotenv         KEY=VALUE lines
  process        JSON for credential_process
  json           JSON with everything known about the session
  github         masks, then variables for the job's next steps ($GITHUB_ENV)
  gitlab         a dotenv report file`

// assumeOptions is what the command line of assume says.
type assumeOptions struct {
	planFlags
	format          string
	show            bool
	dryRun          bool
	writeProfile    string
	credentialsFile string
	force           bool
}

func newAssumeCmd(a *app) *cobra.Command {
	o := &assumeOptions{}
	cmd := &cobra.Command{
		Use:   "assume [PROFILE | ROLE_ARN]",
		Short: "Print or write credentials for a profile's role",
		Long:  assumeHelp,
		Example: `  eval $(crossrole assume prod)
  crossrole assume prod --format process
  crossrole assume arn:aws:iam::222222222222:role/RoleB --source-profile me
  crossrole assume prod --write-profile prod-session
  crossrole assume prod --dry-run`,
		Args: noMoreThan(1, "profile or role ARN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(); err != nil {
				return err
			}
			return o.run(cmd.Context(), a, strings.Join(args, ""))
		},
	}
	o.register(cmd)
	cmd.Flags().StringVar(&o.format, "format", output.Env, "how to print: "+strings.Join(output.Formats(), ", "))
	cmd.Flags().BoolVar(&o.show, "show", false, "print the credentials on a terminal too")
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "print the plan (or with --write-profile the change) and stop: no network, no question")
	cmd.Flags().StringVar(&o.writeProfile, "write-profile", "", "write the session into this profile of the credentials file")
	cmd.Flags().StringVar(&o.credentialsFile, "credentials-file", "", "the file for --write-profile (default AWS_SHARED_CREDENTIALS_FILE or ~/.aws/credentials)")
	cmd.Flags().BoolVar(&o.force, "force", false, "let --write-profile replace long-term keys or a credential_process")
	return cmd
}

func (o *assumeOptions) check() error {
	if err := checkFormat(o.format, output.Formats()...); err != nil {
		return err
	}
	if o.writeProfile == "" && (o.credentialsFile != "" || o.force) {
		return usagef("--credentials-file and --force go with --write-profile")
	}
	return o.planFlags.check()
}

func (o *assumeOptions) run(ctx context.Context, a *app, name string) error {
	r, err := o.plan(a, name)
	if err != nil {
		return err
	}
	if o.dryRun && o.writeProfile == "" {
		return o.printPlan(a, r.plan)
	}
	if o.writeProfile != "" {
		return o.write(ctx, a, r)
	}
	session, err := o.obtain(ctx, a, r)
	if err != nil {
		return err
	}
	if a.outIsTerminal() && !o.show {
		return o.summarise(a, session)
	}
	if session.SessionToken.IsSet() || o.format == output.Process {
		return o.print(a, r, session)
	}
	a.say("profile " + strconv.Quote(r.chain.Name) + " assumes no role: these are its long-term keys, which do not expire")
	return o.print(a, r, session)
}

func (o *assumeOptions) printPlan(a *app, p assume.Plan) error {
	for _, w := range p.Warnings {
		a.say("warning: " + w)
	}
	if o.format == output.JSON {
		enc := json.NewEncoder(a.out)
		enc.SetIndent("", "  ")
		return enc.Encode(plantext.New(p))
	}
	return plantext.Write(a.out, p)
}

// summarise is what a person sees on a terminal: nothing secret.
func (o *assumeOptions) summarise(a *app, s assume.Session) error {
	who := s.ARN
	if who == "" {
		who = s.AccessKeyID
	}
	until := "does not expire"
	if !s.Expires.IsZero() {
		until = "until " + s.Expires.Format(time.RFC3339) + " (" + assume.Spell(s.LeftAt(a.now())) + ")"
	}
	_, err := fmt.Fprintf(a.out, "%s\n%s\nTo use it in this shell:  %s\n", clean(who), until, a.useHere(again(a.args)))
	return err
}

// again is the command line to type once more: without the code, which is used
// up, and whose session is kept.
func again(line []string) []string {
	var out []string
	for i := 0; i < len(line); i++ {
		switch {
		case line[i] == "--mfa-code":
			i++
		case !strings.HasPrefix(line[i], "--mfa-code="):
			out = append(out, line[i])
		}
	}
	return out
}

// useHere is the line that takes a session into this system's usual shell. On
// Windows SHELL is set in a POSIX shell only (Git Bash, MSYS2).
func (a *app) useHere(line []string) string {
	if runtime.GOOS == "windows" && a.getenv("SHELL") == "" {
		return "crossrole " + shellWords(line) + " --format powershell | Invoke-Expression"
	}
	return "eval $(crossrole " + shellWords(line) + ")"
}

// print writes the payload in one piece, or nothing, and remembers it.
func (o *assumeOptions) print(a *app, r resolved, s assume.Session) error {
	c := credentials(r, s)
	if o.format == output.GitHub {
		return a.printGitHub(c)
	}
	text, err := output.Render(o.format, c, output.Kept(a.environ())...)
	if err != nil {
		return err
	}
	if _, err = io.WriteString(a.out, text); err != nil {
		return err
	}
	o.answered(a, r, s, text)
	return nil
}

// credentials opens the session for a sink.
func credentials(r resolved, s assume.Session) output.Credentials {
	c := openSession(s, r.chain.Name, r.region())
	c.RegionWasThere = strings.HasPrefix(r.plan.Where.RegionFrom.Env, "AWS_")
	return c
}

// openSession is the one place where a session's secrets come out.
func openSession(s assume.Session, profile, region string) output.Credentials {
	return output.Credentials{
		AccessKeyID: s.AccessKeyID, SecretAccessKey: s.SecretAccessKey.Reveal(), SessionToken: s.SessionToken.Reveal(),
		Expires: s.Expires, AccountID: s.AccountID, ARN: s.ARN, Profile: profile, Region: region,
	}
}

// region is what the session's environment gets: the region somebody chose,
// not the one that only the partition decided.
func (r resolved) region() string {
	if r.plan.Where.RegionFrom.String() == "default" {
		return ""
	}
	return r.plan.Where.Region
}

// printGitHub masks the secrets first, and only then hands them to the job's
// next steps: whatever fails in between, the log shows nothing.
func (a *app) printGitHub(c output.Credentials) error {
	path := a.getenv("GITHUB_ENV")
	if path == "" {
		return &configError{Why: "GITHUB_ENV is not set: this is no step of a GitHub job", Advice: []string{"use --format env in a shell"}}
	}
	masks, text, err := output.GitHubFiles(c, rand.Reader)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("appending to GITHUB_ENV: %w", err)
	}
	if _, err := io.WriteString(a.out, masks); err != nil {
		_ = f.Close()
		return err
	}
	err = appendWhole(f, text)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("appending to GITHUB_ENV: %w", err)
	}
	return nil
}

// appendWhole takes a part back that was all that could be written: the job's
// next step would stumble over half a variable.
func appendWhole(f *os.File, text string) error {
	n, err := io.WriteString(f, text)
	if err == nil || n == 0 {
		return err
	}
	if info, statErr := f.Stat(); statErr == nil {
		err = errors.Join(err, f.Truncate(info.Size()-int64(n)))
	}
	return err
}
