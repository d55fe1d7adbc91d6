package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"crossrole/internal/localsts"
)

// Every command is run once to see which calls on files it makes, and then once for each of them and each of several
// faults: that one call fails, or is the process's last instant. What must hold then is in faultsjudge.

// task is a command on its way to do something.
type task struct {
	name string
	args []string
	env  []string
	// files are there before, by their path below the root.
	files map[string]string
	// before is run without faults to make what the task starts from.
	before [][]string
	// memory is run besides, for each trial: it is bound to the very files.
	memory [][]string
	// again is the clean run after a fault; nil is the same command.
	again []string
	// loose are files and folders that others may read.
	loose []string
	// until is a command that runs until it is told to stop.
	until bool
	// partial are files that are written as the work goes on: a failure leaves their beginning.
	partial []string
	// speaks is a command whose answer is on stdout whatever its exit code is.
	speaks bool
	// broken is the exit code of what can't be read or written, where it is not 1.
	broken int
	// careful is a command that may warn and answer with more care than it needs to.
	careful bool
	// child is a command whose stdout is another program's.
	child bool
}

const (
	preciousEnv = "FIRST=1\n"
	oldJournal  = `{"profile":"hop","account":"111111111111","region":"","arn":"arn:aws:sts::111111111111:assumed-role/Hop/x","exit_code":0,"seconds":0.1,"stdout":"","stderr":"","error":""}` + "\n"
	oldTrust    = `{"Version": "2012-10-17", "Statement": []}` + "\n"
)

const (
	trustOfASan = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:user/A-san"},"Action":"sts:AssumeRole"}]}`
	mayAssume   = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}]}`
)

func tasks(t *testing.T) []task {
	t.Helper()
	seed := map[string]string{}
	for _, name := range []string{"bucket.yaml", "caller.yaml", "rehearsal.yaml"} {
		text, err := os.ReadFile(filepath.Join("../../examples/seed-b", name))
		noError(t, err)
		seed["w/"+name] = string(text)
	}
	setup := []string{"setup", "prod", "--role-arn", "arn:aws:iam::222222222222:role/RoleB", "--source-profile", "me", "--caller", "123456780123"}
	cold := []string{"assume", "open", "--format", "process"}
	warm := [][]string{cold}
	report := map[string]string{"w/report.xml": "<old/>\n"}
	for name, text := range seed {
		report[name] = text
	}
	return []task{
		{name: "assume", args: cold},
		{name: "assume again", args: cold, memory: warm},
		{name: "assume --refresh", args: append(slices.Clone(cold), "--refresh"), before: warm, again: cold},
		{name: "assume --write-profile", args: []string{"assume", "open", "--write-profile", "session"}, before: warm},
		{
			name: "assume --write-profile into a new folder",
			args: []string{"assume", "open", "--write-profile", "session", "--credentials-file", "new/credentials"}, before: warm,
		},
		{
			name: "assume --format github", args: []string{"assume", "open", "--format", "github"}, before: warm,
			env: []string{"GITHUB_ENV=env"}, files: map[string]string{"w/env": preciousEnv}, again: cold,
			partial: []string{"stdout"}, // the masks come first
		},
		{name: "cache clear", args: []string{"cache", "clear"}, before: warm},
		{name: "cache list", args: []string{"cache", "list"}, before: warm},
		{name: "exec", args: []string{"exec", "open", "--", "sh", "-c", "echo hello"}, before: warm, child: true},
		{name: "exec --serve", args: []string{"exec", "open", "--serve", "--", "sh", "-c", "echo hello"}, before: warm, child: true},
		{name: "serve", args: []string{"serve", "open"}, before: warm, until: true, careful: true},
		{name: "a chain", args: []string{"assume", "chained", "--format", "env"}},
		{name: "console", args: []string{"console", "open", "--print"}, before: warm},
		{name: "whoami", args: []string{"whoami", "open"}, before: warm},
		{
			name: "each --resume", args: []string{"each", "hop", "open", "--parallel", "1", "--resume", "j", "--format", "jsonl", "--", "sh", "-c", "echo hello"},
			files: map[string]string{"w/j": oldJournal}, partial: []string{"w/j", "stdout"},
		},
		{
			name: "each --output dir", args: []string{"each", "hop", "open", "--parallel", "1", "--output", "dir=out", "--", "sh", "-c", "echo hello"},
			partial: []string{"w/out/hop.out", "w/out/open.out", "stdout"},
		},
		{
			name:    "each with much output",
			args:    []string{"each", "hop", "--format", "jsonl", "--", "sh", "-c", "head -c 150000 /dev/zero | tr '\\0' x"},
			partial: []string{"stdout"},
		},
		{name: "each --output prefix", args: []string{"each", "hop", "--output", "prefix", "--", "echo", "hello"}, partial: []string{"stdout"}},
		{name: "each --write-profiles", args: []string{"each", "open", "--write-profiles"}},
		{name: "setup", args: append(slices.Clone(setup), "--yes")},
		{
			name: "setup --out", args: append(slices.Clone(setup), "--yes", "--out", "docs/prod", "--force"),
			files: map[string]string{"w/docs/prod/trust-policy-of-RoleB.json": oldTrust},
		},
		{name: "rehearse", args: []string{"rehearse", "--account", "111111111111=caller.yaml", "--", "sh", "-c", "echo hello"}, files: seed, child: true},
		{name: "rehearse for clients", args: []string{"rehearse", "--account", "111111111111=caller.yaml"}, files: seed, until: true},
		{name: "rehearse --check", args: []string{"rehearse", "--check", "rehearsal.yaml", "--junit", "report.xml"}, files: report},
		{name: "policy", args: []string{"policy", "trust", "--role-arn", "arn:aws:iam::222222222222:role/RoleB", "--caller", "123456780123"}},
		{
			name:   "explain",
			args:   []string{"explain", "--caller", "arn:aws:iam::111111111111:user/A-san", "--role-arn", "arn:aws:iam::222222222222:role/RoleB", "--trust-policy", "trust.json", "--identity-policy", "identity.json"},
			files:  map[string]string{"w/trust.json": trustOfASan, "w/identity.json": mayAssume},
			broken: exitConfiguration, // 1 is an answer: unknown
		},
		{name: "list", args: []string{"list"}},
		{name: "show", args: []string{"show", "open", "--format", "json"}},
		{name: "doctor", args: []string{"doctor", "--offline", "--fix"}, loose: []string{"home/.aws", "home/.aws/credentials"}, speaks: true},
		{name: "unset", args: []string{"unset"}},
		{name: "init", args: []string{"init", "bash"}},
		{name: "completion", args: []string{"completion", "fish"}},
		{name: "a list for completion", args: []string{"__complete", "assume", "o"}, speaks: true},
		{name: "--help", args: []string{"assume", "--help"}},
		{name: "--version", args: []string{"--version"}},
	}
}

// trial is a fault to try on a task.
type trial struct {
	on *faulty
	fault
}

// chosen are all trials, or those whose text has the wanted one in it; without that it is a part, always the same.
func chosen(trials []trial, wanted string) []trial {
	var list []trial
	for i, t := range trials {
		switch {
		case wanted == "" && i%11 == 0, wanted == "all", wanted != "" && strings.Contains(t.on.name+", "+t.String(), wanted):
			list = append(list, t)
		}
	}
	return list
}

// TestFaults tries a part of the faults; with CROSSROLE_FAULTS=all (`make faults`) it tries them all, and with a text,
// such as fsync, those.
func TestFaults(t *testing.T) {
	path, err := program()
	noError(t, err)
	all := tasks(t)
	harness := make([]*faulty, len(all))
	together(len(all), func(i int) { harness[i] = newFaulty(t, path, all[i]) })
	if t.Failed() {
		return
	}
	var trials []trial
	elsewhere := map[site]bool{}
	for _, h := range harness {
		for i, s := range h.good.calls {
			for _, f := range faultsOf(s, i, elsewhere[s.site]) {
				trials = append(trials, trial{h, f})
			}
		}
		for _, s := range h.good.calls {
			elsewhere[s.site] = true
		}
	}
	trials = chosen(trials, os.Getenv("CROSSROLE_FAULTS"))
	var mu sync.Mutex
	missed := map[string]int{}
	together(len(trials), func(i int) {
		if !trials[i].on.try(t, trials[i].fault) {
			mu.Lock()
			missed[trials[i].on.name]++
			mu.Unlock()
		}
	})
	total := 0
	for _, n := range missed {
		total += n
	}
	t.Logf("%d faults in %d tasks, %d calls were not made again: %v", len(trials), len(all), total, missed)
	if total > len(trials)/20 {
		t.Errorf("%d of %d calls to fail were not made: %v", total, len(trials), missed)
	}
}

// together does all of n things, a few at once.
func together(n int, do func(i int)) {
	next := make(chan int)
	var wg sync.WaitGroup
	for range 2 * runtime.NumCPU() {
		wg.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
}

// faultsOf are the faults to try on a call: what a full, broken, read-only or interrupted disk answers. A call on which
// an earlier task had them all gets one, in turn.
func faultsOf(s seen, i int, again bool) []fault {
	var list []fault
	add := func(errnos ...syscall.Errno) {
		for _, errno := range errnos {
			list = append(list, fault{at: s.site, errno: errno, creates: s.writes})
		}
	}
	if s.name == "close" && !s.writes {
		return nil // nothing hangs on it
	}
	add(syscall.EIO)
	switch s.name {
	case "openat", "mkdirat":
		if s.writes {
			add(syscall.ENOSPC, syscall.EROFS, syscall.EDQUOT)
		}
		add(syscall.EMFILE)
	case "write", "pwrite64":
		add(syscall.ENOSPC)
		if s.size > 1 {
			list = append(list, fault{at: s.site, errno: syscall.ENOSPC, short: true})
		}
	case "fsync", "fdatasync", "renameat", "linkat":
		add(syscall.ENOSPC)
	case "unlinkat", "fchmod", "fchown", "fchmodat":
		add(syscall.EROFS)
	case "flock":
		add(syscall.ENOLCK)
	case "close":
		add(syscall.EDQUOT)
	}
	if s.name != "close" { // a close that is interrupted has closed (close(2)), and there is nothing to do again
		add(syscall.EINTR)
	}
	if s.writes && s.name != "close" {
		list = append(list, fault{at: s.site, kill: true})
	}
	if again {
		return list[i%len(list) : i%len(list)+1]
	}
	return list
}

// faulty is a task, and what its good run did.
type faulty struct {
	task
	*stage
	program string
	good    tracedRun
	model   string // the folder that every run starts from
	start   tree   // before the run
	after   tree   // after it
	second  tree   // after a clean run behind it
	next    tracedRun
	quick   bool // runs without a fault need not be traced any more
}

func newFaulty(t *testing.T, path string, s task) *faulty {
	t.Helper()
	h := &faulty{task: s, stage: setStage(t, localsts.Options{}), program: path}
	h.model = t.TempDir()
	h.make(h.model)
	root := filepath.Join(t.TempDir(), "root")
	h.prepare(root)
	h.start = h.take(root)
	h.good = h.run(root, s.args, nil)
	h.good.out, h.good.err = h.steady(root, h.good.out), h.steady(root, h.good.err)
	h.after = h.take(root)
	h.next = h.run(root, h.anew(), nil)
	h.second = h.take(root)
	h.quick = true
	if !s.speaks && h.good.code != 0 || h.good.hung || !s.speaks && h.next.code != 0 {
		t.Errorf("%s: without any fault: exit %d, then %d: %s%s", s.name, h.good.code, h.next.code, h.good.err, h.next.err)
	}
	return h
}

func (h *faulty) anew() []string {
	if h.again != nil {
		return h.again
	}
	return h.args
}

// prepare makes what a run of the task starts from.
func (h *faulty) prepare(root string) {
	orPanic(os.CopyFS(root, os.DirFS(h.model)))
	orPanic(filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		mode := fs.FileMode(0o600)
		if d != nil && d.IsDir() {
			mode = 0o700
		}
		return errors.Join(err, os.Chmod(path, mode))
	}))
	for _, name := range h.loose {
		orPanic(os.Chmod(filepath.Join(root, name), 0o755))
	}
	for _, args := range h.memory {
		h.mustRun(root, args)
	}
}

// make makes it for the first time.
func (h *faulty) make(root string) {
	for _, dir := range []string{"tmp", "w"} {
		orPanic(os.Mkdir(filepath.Join(root, dir), 0o700))
	}
	_, err := h.environment(filepath.Join(root, "home"))
	orPanic(err)
	for name, text := range h.files {
		path := filepath.Join(root, name)
		orPanic(os.MkdirAll(filepath.Dir(path), 0o700))
		orPanic(os.WriteFile(path, []byte(text), 0o600))
	}
	for _, args := range h.before {
		h.mustRun(root, args)
	}
}

func (h *faulty) mustRun(root string, args []string) {
	if r := h.run(root, args, nil); r.code != 0 {
		panic(h.name + ": preparing it: " + r.err)
	}
}

// orPanic is for goroutines that can't end the test.
func orPanic(err error) {
	if err != nil {
		panic(err)
	}
}

func (h *faulty) run(root string, args []string, f *fault) tracedRun {
	env := append(instruments(),
		"HOME="+filepath.Join(root, "home"), "USER=tester", "PATH="+os.Getenv("PATH"), "TMPDIR="+filepath.Join(root, "tmp"),
		"XDG_CACHE_HOME="+filepath.Join(root, "home", "cache"), "CROSSROLE_CACHE=file", "AWS_EC2_METADATA_DISABLED=true",
		"AWS_ENDPOINT_URL_STS="+h.sts.URL, "CROSSROLE_FEDERATION_URL="+h.federation.URL+"/federation",
	)
	r := tracedRun{path: h.program, args: args, env: append(env, h.env...), dir: filepath.Join(root, "w"), root: root, until: h.until, fault: f}
	if f == nil && !h.until && h.quick {
		cmd := exec.Command(r.path, r.args...)
		cmd.Env, cmd.Dir, cmd.SysProcAttr = r.env, r.dir, &syscall.SysProcAttr{Setsid: true}
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		_ = cmd.Run()
		r.out, r.err, r.code = out.String(), errs.String(), cmd.ProcessState.ExitCode()
		return r
	}
	orPanic(r.trace())
	return r
}

// try runs the task with one fault and judges; it is false if the call was not made.
func (h *faulty) try(t *testing.T, f fault) bool {
	t.Helper()
	dir, err := os.MkdirTemp("", "crossrole-fault") //nolint:usetesting // there are thousands, and each goes at once
	orPanic(err)
	defer os.RemoveAll(dir)
	root := filepath.Join(dir, "root")
	h.prepare(root)
	r := h.run(root, h.args, &f)
	if !r.injected {
		return false
	}
	v := &trialResult{faulty: h, fault: f, run: r, root: root}
	left := v.judge(h.take(root))
	next := h.run(root, h.anew(), nil)
	v.judgeNext(next, h.take(root), left)
	if len(v.wrong) > 0 {
		t.Errorf("%s, %s: exit %d %v\n  %s\nstderr: %s\nthen exit %d: %s", h.name, f, r.code, r.signal, strings.Join(v.wrong, "\n  "), r.err, next.code, next.err)
	}
	return true
}
