package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
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

	partition string // of the accounts that come as IDs
	runners   runners
	asking    sync.Mutex
	bar       *progress
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
	flags.BoolVar(&o.failFast, "fail-fast", false, "stop the others after the first failure")
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
	switch {
	case o.planMatrix:
		return writeMatrix(a.out, list, o.perShard, o.format == "gitlab")
	case o.dryRun:
		if o.resume != "" {
			book, _, err := readJournal(o.resume)
			if err != nil {
				return err
			}
			list = o.remaining(a, book, list)
		}
		return o.describe(a, list)
	}
	book := (*journal)(nil)
	if o.resume != "" {
		if book, err = openJournal(o.resume); err != nil {
			return err
		}
		list = o.remaining(a, book, list)
	}
	return o.perform(ctx, a, list, command, book)
}

// remaining leaves out what a journal says is done, and tells so.
func (o *eachOptions) remaining(a *app, book *journal, list []target) []target {
	left := book.remaining(list)
	if skipped := len(list) - len(left); skipped > 0 {
		a.say(fmt.Sprintf("%d of %d are done in %s", skipped, len(list), clean(o.resume)))
	}
	return left
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
	parent := ctx
	ctx, kill, release := heed(ctx)
	defer release()
	if o.output != "stream" { // the children's own text would run into the line
		o.bar = a.newProgress(len(list))
	} else {
		o.bar = &progress{now: a.now}
	}
	sink, err := o.newSink(a, list, len(command) > 0)
	if err != nil {
		o.bar.pause()
		return errors.Join(err, book.close())
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	t := &tally{o: o, a: a, sink: sink, book: book, sum: newSummary(len(list)), stop: func() { stop(errUnheard) }}
	c := &crew{a: a, o: o, command: command, sink: sink, kill: kill}
	c.work(ctx, list, func(r *outcome) { t.add(ctx, r) })
	broken := errors.Join(t.broken, sink.close(), book.close())
	o.bar.pause()
	t.sum.write(a.err, a.now().Sub(start))
	switch interrupted := parent.Err() != nil || errors.Is(context.Cause(ctx), errInterrupted); {
	case interrupted && (t.sum.done < t.sum.total || t.sum.failed > 0):
		return &exitError{Code: exitInterrupted}
	case broken != nil:
		return broken
	case t.sum.failed > 0 || t.sum.done < t.sum.total:
		return &exitError{Code: t.sum.code()}
	}
	return nil
}

// tally takes the outcomes, one after the other, to where they belong.
type tally struct {
	o      *eachOptions
	a      *app
	sink   sink
	book   *journal
	sum    *summary
	stop   func()
	broken error
}

func (t *tally) add(ctx context.Context, r *outcome) {
	if t.o.writeProfiles && r.code == exitDone {
		r.err = t.o.writeProfile(ctx, t.a, r)
		r.code = exitCode(r.err)
	}
	r.session = assume.Session{}
	t.o.bar.add(r)
	t.sum.add(r)
	if _, stopped := errors.AsType[*stopError](r.err); !stopped && !errors.Is(r.err, errInterrupted) {
		t.note(t.book.add(r))
	}
	if t.broken == nil {
		if err := t.sink.done(r); err != nil {
			t.note(fmt.Errorf("writing the output: %w", err))
		}
	}
	if t.o.format != "jsonl" || t.broken != nil {
		r.close()
	}
}

// note keeps the first of what stands in the way of all further outcomes.
func (t *tally) note(err error) {
	if err != nil && t.broken == nil {
		t.broken = err
		t.stop()
	}
}

// code is 1 for some failures. Where nothing succeeded because nobody could be
// asked for the code that all need, it is that.
func (s *summary) code() int {
	if s.failed < s.total {
		return exitFailed
	}
	for _, list := range s.by {
		for _, r := range list {
			if !isPerson(r.err) {
				return exitFailed
			}
		}
	}
	return exitPerson
}

func isPerson(err error) bool {
	var person *assume.PersonError
	return errors.As(err, &person)
}

// manyDeps is what all the plans of a run share. Questions come one at a time,
// and have the screen for themselves.
func (o *eachOptions) manyDeps(a *app) assume.Deps {
	d := o.deps(a)
	d.Parallel, d.Gate, d.Shared = o.parallel, &assume.Gate{}, &assume.Shared{Now: a.now}
	d.Notice = func(text string) { _, _ = io.WriteString(o.bar.above(a.err, true), "crossrole: "+text+"\n") }
	if o.keeper != nil {
		o.keeper.Notice = func(text string) { d.Notice("warning: " + text) }
	}
	ask := d.AskCode
	if ask == nil {
		return d
	}
	d.AskCode = func(ctx context.Context, q assume.CodeQuestion) (string, error) {
		o.asking.Lock()
		defer o.asking.Unlock()
		if err := ctx.Err(); err != nil {
			return "", err
		}
		o.bar.pause()
		defer o.bar.resume()
		return ask(ctx, q)
	}
	return d
}

func (o *eachOptions) newSink(a *app, list []target, hasCommand bool) (sink, error) {
	out, errs := o.bar.above(a.out, a.outIsTerminal()), o.bar.above(a.err, true)
	if o.format == "jsonl" {
		return &inOrder{out: out, waiting: map[int]*outcome{}}, nil
	}
	if !hasCommand {
		return noOutput{}, nil
	}
	switch o.output {
	case "prefix":
		return &prefixed{out: out, err: errs}, nil
	case "stream":
		return streamed{}, nil
	case "grouped":
		return &grouped{out: out, err: errs}, nil
	}
	return newInFolder(strings.TrimPrefix(o.output, "dir="), list)
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
			if r.plan.MFASession == nil { // each such call needs a code of its own
				ask += key
			}
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
