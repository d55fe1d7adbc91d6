package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"crossrole/internal/each"
	"crossrole/internal/output/plantext"
)

const eachHelp = `Runs a command once in each of many accounts.

The accounts are the profiles that a PATTERN fits (* and ? as in shells; quote
them), narrowed by --match; or --accounts, a file of account IDs or role ARNs;
or --org, the accounts of the organization. A pattern with * or ? stands for
profiles with a role (role_arn or sso_role_name); one with keys of its own, as
those that roles start from, is taken only when it is named in full.

{account}, {profile} and {region} in the command are filled in;
CROSSROLE_PROFILE and CROSSROLE_ACCOUNT are in its environment beside the
credentials. Without a command the credentials are only obtained, or with
--write-profiles written.

One MFA code serves all, and what accounts have in common is called once. An
account that fails does not stop the others. Exit code 0: all succeeded; 1: some
failed, and a table on stderr says which and why.`

// eachOptions is what the command line of each says.
type eachOptions struct {
	planFlags
	match      []string
	accounts   string
	org        bool
	ou         string
	exclude    []string
	role       string
	parallel   int
	retries    int
	failFast   bool
	output     string
	format     string
	resume     string
	dryRun     bool
	write      bool
	shardText  string
	planMatrix bool
	perShard   int

	who     string
	wanted  map[string]string
	regions []string
	part    each.Shard
	sink    each.Output

	partition string // of the accounts that come as IDs
	runners   runners
	asking    sync.Mutex
	bar       *each.Progress
}

func newEachCmd(a *app) *cobra.Command {
	o := &eachOptions{}
	cmd := &cobra.Command{
		Use:   "each PATTERN... [flags] -- CMD...",
		Short: "Run a command in many accounts, with one MFA code",
		Long:  eachHelp,
		Example: `  crossrole each 'prod-*' -- aws s3 ls
  crossrole each --accounts ids.txt --role Audit --source-profile me -- ./audit.sh {account}
  crossrole each --org --role Audit --region eu-west-1,us-east-1 --format jsonl -- ./audit.sh
  crossrole each 'prod-*' --dry-run
  crossrole each '*' --shard auto --resume done.jsonl -- ./audit.sh`,
		RunE: func(cmd *cobra.Command, args []string) error {
			patterns, command, err := splitCommand(cmd, args)
			if err == nil {
				err = o.check(a, patterns, command)
			}
			if err != nil {
				return err
			}
			return o.run(cmd.Context(), a, patterns, command)
		},
	}
	o.register(cmd)
	o.registerEach(cmd)
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return o.flagError(a, cmd, err) })
	return cmd
}

func (o *eachOptions) registerEach(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVar(&o.match, "match", nil, "only profiles whose property KEY=VALUE fits (VALUE may have * and ?; may be repeated)")
	flags.StringVar(&o.accounts, "accounts", "", "file of account IDs or role ARNs, one a line; - is standard input")
	flags.BoolVar(&o.org, "org", false, "the accounts of the organization, read with the source's credentials")
	flags.StringVar(&o.ou, "ou", "", "with --org: only what is below this OU or root (ou-…, r-…)")
	flags.StringArrayVar(&o.exclude, "exclude", nil, "leave out this account ID, or name (with * and ?; may be repeated)")
	flags.StringVar(&o.role, "role", "", "name of the role in each account (with its path, if it has one)")
	// Here --region takes a list: each account is done once in each.
	flags.Lookup("region").Usage = "AWS region, or a list such as eu-west-1,us-east-1: every account in each of them"
	flags.IntVar(&o.parallel, "parallel", 0, "how many accounts at once (default 16 a core, 64 at the most)")
	flags.IntVar(&o.retries, "retries", 0, "how often an account that failed is tried again (never after a denial)")
	flags.BoolVar(&o.failFast, "fail-fast", false, "stop the others after the first failure")
	flags.StringVar(&o.output, "output", "grouped", "the commands' output: grouped, prefix, stream, or dir=DIR")
	flags.StringVar(&o.format, "format", "text", "text, or jsonl for a record per account in the order of the accounts")
	flags.StringVar(&o.resume, "resume", "", "journal file: what it says is done is not done again, and what is done is added")
	flags.BoolVar(&o.dryRun, "dry-run", false, "say what would be called and asked, and stop")
	flags.BoolVar(&o.write, "write-profiles", false, "without a command: write each session into the credentials file, under the profile's name and -session")
	flags.StringVar(&o.shardText, "shard", "", "only part K of N, as K/N; auto: what AWS Batch, Kubernetes, Slurm, GitLab, CircleCI, Buildkite or GitHub has set")
	flags.BoolVar(&o.planMatrix, "plan-matrix", false, "print a matrix of shards for GitHub (or with --format gitlab for GitLab) and stop")
	flags.IntVar(&o.perShard, "per-shard", 500, "with --plan-matrix: accounts in a shard")
}

// splitCommand parts what stands before -- from what stands behind.
func splitCommand(cmd *cobra.Command, args []string) (before, command []string, err error) {
	dash := cmd.ArgsLenAtDash()
	if dash < 0 {
		return args, nil, nil
	}
	before, command = args[:dash], args[dash:]
	if len(command) == 0 {
		return nil, nil, &usageError{Why: "there is no command after --", Advice: []string{"see " + cmd.CommandPath() + " --help"}}
	}
	return before, command, nil
}

// check finds what is wrong with the command line alone.
func (o *eachOptions) check(a *app, patterns, command []string) error {
	if err := o.planFlags.check(); err != nil {
		return err
	}
	if err := o.checkSelection(patterns); err != nil {
		return err
	}
	if err := o.checkOutput(command); err != nil {
		return err
	}
	if o.parallel < 0 || o.parallel > 1024 || o.retries < 0 || o.perShard < 1 {
		return usagef("--parallel goes to 1024, --retries begins at 0, --per-shard at 1")
	}
	if o.parallel == 0 {
		o.parallel = min(16*runtime.NumCPU(), 64)
	}
	var err error
	o.part, err = each.ParseShard(o.shardText, a.getenv)
	o.who = a.who()
	return err
}

func (o *eachOptions) checkSelection(patterns []string) error {
	ways := 0
	for _, used := range []bool{len(patterns) > 0 || len(o.match) > 0, o.accounts != "", o.org} {
		if used {
			ways++
		}
	}
	if ways != 1 {
		return &usageError{Why: "name the accounts in one way: profile patterns (with --match), --accounts, or --org", Advice: []string{"crossrole each 'prod-*' -- aws s3 ls"}}
	}
	if o.org && o.role == "" {
		return usagef("--org needs --role: the name of the role in each account")
	}
	if !o.org && o.ou != "" {
		return usagef("--ou goes with --org")
	}
	o.wanted = map[string]string{}
	for _, text := range o.match {
		key, value, ok := strings.Cut(text, "=")
		if !ok || key == "" {
			return usagef("--match %s must be KEY=VALUE", strconv.Quote(text))
		}
		o.wanted[strings.ToLower(strings.TrimSpace(key))] = strings.TrimSpace(value)
	}
	return o.splitRegions()
}

// splitRegions reads the list of --region. One region is as everywhere else.
func (o *eachOptions) splitRegions() error {
	if o.over.Region == "" {
		return nil
	}
	for _, region := range strings.Split(o.over.Region, ",") {
		region = strings.TrimSpace(region)
		if region == "" || slices.Contains(o.regions, region) {
			return usagef("--region %s has an empty or repeated name", strconv.Quote(o.over.Region))
		}
		o.regions = append(o.regions, region)
	}
	return nil
}

func (o *eachOptions) checkOutput(command []string) error {
	formats := []string{"text", "jsonl"}
	if o.planMatrix {
		formats = []string{"text", "github", "gitlab", "json"}
	}
	if err := checkFormat(o.format, formats...); err != nil {
		return err
	}
	var err error
	if o.sink, err = each.ParseOutput(o.output); err != nil {
		return err
	}
	if o.format == "jsonl" {
		if o.sink != each.Grouped {
			return usagef("--format jsonl has the output in its records; leave --output out")
		}
		o.sink = each.Records
	}
	if o.write && len(command) > 0 {
		return usagef("--write-profiles is for runs without a command")
	}
	return nil
}

func (o *eachOptions) run(ctx context.Context, a *app, patterns, command []string) error {
	list, err := o.targets(ctx, a, patterns)
	if err != nil {
		return err
	}
	switch {
	case o.planMatrix:
		return each.WriteMatrix(a.out, list, o.perShard, o.format == "gitlab")
	case o.dryRun:
		if o.resume != "" {
			book, err := each.ReadJournal(o.resume)
			if err != nil {
				return err
			}
			list = o.remaining(a, book, list)
		}
		return o.describe(a, list)
	}
	book := (*each.Journal)(nil)
	if o.resume != "" {
		if book, err = each.OpenJournal(o.resume); err != nil {
			return err
		}
		list = o.remaining(a, book, list)
	}
	return o.perform(ctx, a, list, command, book)
}

// remaining leaves out what a journal says is done, and tells so.
func (o *eachOptions) remaining(a *app, book *each.Journal, list []each.Target) []each.Target {
	left := book.Remaining(list)
	if skipped := len(list) - len(left); skipped > 0 {
		a.say(fmt.Sprintf("%d of %d are done in %s", skipped, len(list), clean(o.resume)))
	}
	return left
}

// perform works through the targets, and makes an exit code of how it went.
func (o *eachOptions) perform(ctx context.Context, a *app, list []each.Target, command []string, book *each.Journal) error {
	ctx, kill, release := heed(ctx)
	defer release()
	o.bar = each.NewProgress(o.watched(a), len(list), a.now)
	run := each.Options{
		Command: command, Environ: a.environ(), Path: a.getenv("PATH"),
		Parallel: o.parallel, Retries: o.retries, FailFast: o.failFast,
		Output: o.sink, Out: o.bar.Above(a.out, a.outIsTerminal()), Err: o.bar.Above(a.err, true),
		Progress: o.bar, Journal: book,
		Judge: eachVerdict, Interrupted: errInterrupted, Kill: kill, Now: a.now,
	}
	run.Own.Out, run.Own.Err = os.Stdout, os.Stderr
	if o.write {
		run.Keep = func(ctx context.Context, list []each.Obtained) []error { return o.writeProfiles(ctx, a, list) }
	}
	result, err := each.Run(ctx, list, run)
	switch {
	case ctx.Err() != nil && !result.Complete():
		return &exitError{Code: exitInterrupted}
	case err != nil:
		return err
	case result.Person:
		return &exitError{Code: exitPerson}
	case !result.Complete():
		return &exitError{Code: exitFailed}
	}
	return nil
}

// watched is where the progress line is drawn: on stderr, if that is a terminal
// that can. The commands' own text would run into it.
func (o *eachOptions) watched(a *app) io.Writer {
	if o.sink == each.Stream || !a.errIsTerminal() || a.getenv("TERM") == "dumb" || a.getenv("NO_COLOR") != "" {
		return nil
	}
	return a.err
}

// describe is --dry-run: how many calls, how many questions, how long.
func (o *eachOptions) describe(a *app, list []each.Target) error {
	calls, questions, broken := map[string]bool{}, map[string]bool{}, 0
	var warnings each.Warnings
	for _, t := range list {
		p, err := t.Plan()
		if err != nil {
			broken++
			a.say(t.Label() + ": " + err.Error())
			continue
		}
		warnings.Add(t, p.Warnings())
		r := p.(eachPlan).resolved
		key := string(r.plan.Source.Kind) + "\x00" + r.plan.Source.Profile
		for _, c := range plantext.New(r.plan).Calls {
			raw, err := json.Marshal(c)
			if err != nil {
				return err
			}
			key += "\x00" + string(raw)
			calls[key] = true
		}
		for _, ask := range plantext.Asks(r.plan) {
			if r.plan.MFASession == nil { // each such call needs a code of its own
				ask += key
			}
			questions[ask] = true
		}
	}
	warnings.Write(a.err)
	codes := strconv.Itoa(len(questions)) + " MFA codes"
	if len(questions) == 1 {
		codes = "1 MFA code"
	}
	// 100 ms is what a call to STS takes over a usual line.
	rounds := (len(calls) + o.parallel - 1) / o.parallel
	_, err := fmt.Fprintf(a.out, "targets   %d\ncalls     %d to STS, %d at once\nasks for  %s\ntime      about %s for the calls, at 100ms each\n",
		len(list), len(calls), o.parallel, codes, time.Duration(rounds)*100*time.Millisecond)
	if err == nil && broken > 0 {
		err = &exitError{Code: exitConfiguration, Err: fmt.Errorf("%d of %d can't be planned", broken, len(list))}
	}
	return err
}
