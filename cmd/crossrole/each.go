package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"crossrole/internal/assume"
	"crossrole/internal/profile"
)

const eachHelp = `Runs a command once in each of many accounts.

The accounts are the profiles that a PATTERN fits (* and ? as in shells; quote
them), narrowed by --match; or --accounts, a file of account IDs or role ARNs;
or --org, the accounts of the organization. {account}, {profile} and {region} in
the command are filled in; CROSSROLE_PROFILE and CROSSROLE_ACCOUNT are in its
environment beside the credentials. Without a command the credentials are only
obtained, or with --write-profiles written.

One MFA code serves all, and what accounts have in common is called once. An
account that fails does not stop the others. Exit code 0: all succeeded; 1: some
failed, and a table on stderr says which and why.`

// eachOptions is what the command line of each says.
type eachOptions struct {
	planFlags
	match         []string
	accounts      string
	org           bool
	ou            string
	exclude       []string
	role          string
	regionList    string
	parallel      int
	retries       int
	failFast      bool
	output        string
	format        string
	resume        string
	dryRun        bool
	writeProfiles bool
	shardText     string
	planMatrix    bool
	perShard      int

	who     string
	wanted  map[string]string
	regions []string
	part    shard
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
	flags.BoolVar(&o.failFast, "fail-fast", false, "begin no more accounts after the first failure")
	flags.StringVar(&o.output, "output", "grouped", "the commands' output: grouped, prefix, stream, or dir=DIR")
	flags.StringVar(&o.format, "format", "text", "text, or jsonl for a record per account in the order of the accounts")
	flags.StringVar(&o.resume, "resume", "", "journal file: what it says is done is not done again, and what is done is added")
	flags.BoolVar(&o.dryRun, "dry-run", false, "say what would be called and asked, and stop")
	flags.BoolVar(&o.writeProfiles, "write-profiles", false, "without a command: write each session into the credentials file, under the profile's name and -session")
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
	o.part, err = a.parseShard(o.shardText)
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
	if !slices.Contains(formats, o.format) {
		return &usageError{Why: "unknown --format " + strconv.Quote(o.format), Advice: []string{"it is one of " + strings.Join(formats, ", ")}}
	}
	dir, isDir := strings.CutPrefix(o.output, "dir=")
	if !slices.Contains([]string{"grouped", "prefix", "stream"}, o.output) && (!isDir || dir == "") {
		return &usageError{Why: "unknown --output " + strconv.Quote(o.output), Advice: []string{"it is one of grouped, prefix, stream, dir=DIR"}}
	}
	if o.format == "jsonl" && o.output != "grouped" {
		return usagef("--format jsonl has the output in its records; leave --output out")
	}
	if o.writeProfiles && len(command) > 0 {
		return usagef("--write-profiles is for runs without a command")
	}
	return nil
}

func (o *eachOptions) run(ctx context.Context, a *app, patterns, command []string) error {
	list, err := o.targets(ctx, a, patterns)
	if err != nil {
		return err
	}
	list = slices.DeleteFunc(list, o.excluded)
	switch {
	case o.planMatrix:
		return writeMatrix(a.out, list, o.perShard, o.format == "gitlab")
	case o.dryRun:
		return o.describe(a, list)
	}
	book, total := (*journal)(nil), len(list)
	if o.resume != "" {
		if book, err = openJournal(o.resume); err != nil {
			return err
		}
		list = book.remaining(list)
		if skipped := total - len(list); skipped > 0 {
			a.say(fmt.Sprintf("%d of %d are done in %s", skipped, total, clean(o.resume)))
		}
	}
	return errors.Join(o.perform(ctx, a, list, command, book), book.close())
}

// excluded leaves out accounts by ID or by profile name.
func (o *eachOptions) excluded(t target) bool {
	return slices.ContainsFunc(o.exclude, func(pattern string) bool {
		return pattern == t.account || profile.MatchName(pattern, t.profile)
	})
}

// perform works through the targets and tells how it went.
func (o *eachOptions) perform(ctx context.Context, a *app, list []target, command []string, book *journal) error {
	start := a.now()
	bar := a.newProgress(len(list))
	sink, err := o.newSink(a, bar, len(command) > 0)
	if err != nil {
		return err
	}
	c := &crew{a: a, o: o, command: command, deps: o.manyDeps(a), sink: sink, runners: map[string]*assume.Runner{}}
	sum := newSummary(len(list))
	var broken error
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	c.work(ctx, list, func(r *outcome) {
		if o.writeProfiles && r.code == exitDone {
			r.err = o.writeProfile(ctx, a, r)
			r.code = exitCode(r.err)
		}
		bar.add(r)
		sum.add(r)
		if book != nil && !errors.Is(r.err, errStopped) && !errors.Is(r.err, errInterrupted) {
			broken = errors.Join(broken, book.add(r))
		}
		if err := sink.done(r); err != nil {
			broken = errors.Join(broken, fmt.Errorf("writing the output: %w", err))
		}
		if o.format != "jsonl" {
			r.close()
		}
		if broken != nil {
			stop(errStopped)
		}
	})
	broken = errors.Join(broken, sink.close())
	bar.close()
	sum.write(a.err, a.now().Sub(start))
	return o.verdict(ctx, sum, broken)
}

// verdict gives the run's exit code: the summary has said the rest.
func (o *eachOptions) verdict(ctx context.Context, sum *summary, broken error) error {
	switch {
	case broken != nil:
		return broken
	case ctx.Err() != nil && sum.done < sum.total, sum.failed > 0 && errors.Is(context.Cause(ctx), context.Canceled):
		return &exitError{Code: exitInterrupted}
	case sum.failed > 0 || sum.done < sum.total:
		return &exitError{Code: sum.code()}
	}
	return nil
}

// code is 1 for some failures. Where nobody could be asked for the one code
// that all need, it is that.
func (s *summary) code() int {
	for _, list := range s.by {
		if list[0].code == exitPerson && isPerson(list[0].err) {
			return exitPerson
		}
	}
	return exitFailed
}

func isPerson(err error) bool {
	var person *assume.PersonError
	return errors.As(err, &person)
}

// manyDeps is what all the plans of a run share.
func (o *eachOptions) manyDeps(a *app) assume.Deps {
	d := o.deps(a)
	d.Parallel, d.Gate, d.Shared = o.parallel, &assume.Gate{}, &assume.Shared{Now: a.now}
	return d
}

func (o *eachOptions) newSink(a *app, bar *progress, hasCommand bool) (sink, error) {
	if o.format == "jsonl" {
		return &inOrder{out: a.out, waiting: map[int]*outcome{}}, nil
	}
	if !hasCommand {
		return noOutput{}, nil
	}
	out, errs := bar.above(a.out, a.outIsTerminal()), bar.above(a.err, true)
	switch o.output {
	case "prefix":
		return &prefixed{out: out, err: errs}, nil
	case "stream":
		return streamed{}, nil
	case "grouped":
		return &grouped{out: out, err: errs}, nil
	}
	dir := strings.TrimPrefix(o.output, "dir=")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the output folder: %w", err)
	}
	return inFolder{dir: dir}, nil
}

// describe is --dry-run: how many calls, how many questions, how long.
func (o *eachOptions) describe(a *app, list []target) error {
	calls, questions, broken := map[string]bool{}, map[string]bool{}, 0
	for _, t := range list {
		r, err := t.make()
		if err != nil {
			broken++
			a.say(t.label() + ": " + err.Error())
			continue
		}
		key := string(r.plan.Source.Kind) + "\x00" + r.plan.Source.Profile
		for _, c := range newPlanJSON(r.plan).Calls {
			raw, err := json.Marshal(c)
			if err != nil {
				return err
			}
			key += "\x00" + string(raw)
			calls[key] = true
		}
		for _, ask := range asks(r.plan) {
			questions[ask] = true
		}
	}
	// 100 ms is what a call to STS takes over a usual line.
	rounds := (len(calls) + o.parallel - 1) / o.parallel
	_, err := fmt.Fprintf(a.out, "targets   %d\ncalls     %d to STS, %d at once\nasks for  %d MFA codes\ntime      about %s for the calls, at 100ms each\n",
		len(list), len(calls), o.parallel, len(questions), time.Duration(rounds)*100*time.Millisecond)
	if err == nil && broken > 0 {
		err = &exitError{Code: exitConfiguration, Err: fmt.Errorf("%d of %d can't be planned", broken, len(list))}
	}
	return err
}
