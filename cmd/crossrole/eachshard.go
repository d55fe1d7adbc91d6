package main

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"slices"
	"strconv"
	"strings"
)

// shard is one part of the accounts, K of N. The zero shard is all of them.
type shard struct{ k, n int }

// has tells whether an account is in the shard. It depends on the account
// alone, so that machines agree without asking one another.
func (s shard) has(account string) bool {
	if s.n == 0 {
		return true
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(account))
	return int(mix(h.Sum64())%uint64(s.n)) == s.k-1
}

// mix spreads the hash: FNV's last bits follow the account's last digits.
func mix(x uint64) uint64 {
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// parseShard reads K/N, or "auto" for what the engine that runs us has set.
func (a *app) parseShard(text string) (shard, error) {
	switch text {
	case "":
		return shard{}, nil
	case "auto":
		return a.shardOfEngine()
	}
	k, n, ok := strings.Cut(text, "/")
	s, err := newShard(k, n, 1)
	if !ok || err != nil {
		return shard{}, &usageError{Why: "--shard " + strconv.Quote(text) + " is not K/N with 1 ≤ K ≤ N", Advice: []string{"the second of four parts is --shard 2/4; --shard auto asks the engine's variables"}}
	}
	return s, nil
}

func newShard(index, total string, first int) (shard, error) {
	k, err1 := strconv.Atoi(index)
	n, err2 := strconv.Atoi(total)
	k += 1 - first
	if err1 != nil || err2 != nil || n < 1 || k < 1 || k > n {
		return shard{}, fmt.Errorf("%q of %q is no part", index, total)
	}
	return shard{k, n}, nil
}

// engine is how one system tells its parallel jobs apart.
type engine struct {
	name         string
	index, total string // variables
	first        int    // the first job's index
	base         string // variable with the first index, instead of first
	step         string // variable with the distance between two indices
	advice       string // when the index is there and the total is not
}

// engines are asked for their index; two at once would be a guess.
// Sources: AWS Batch user guide "Array jobs"; Kubernetes docs "Indexed Job";
// Slurm docs "Job Array Support"; GitLab, CircleCI and Buildkite docs on
// parallel jobs. Kubernetes and GitHub tell a job nothing of the total, so the
// job's own definition must.
var engines = []engine{
	{
		name: "AWS Batch", index: "AWS_BATCH_JOB_ARRAY_INDEX", total: "AWS_BATCH_JOB_ARRAY_SIZE",
		advice: "the job must be an array job; set AWS_BATCH_JOB_ARRAY_SIZE in its definition if the agent does not",
	},
	{
		name: "Kubernetes", index: "JOB_COMPLETION_INDEX", total: "JOB_COMPLETIONS",
		advice: "set JOB_COMPLETIONS in the pod's env to the Job's completions",
	},
	{name: "Slurm", index: "SLURM_ARRAY_TASK_ID", total: "SLURM_ARRAY_TASK_COUNT", base: "SLURM_ARRAY_TASK_MIN", step: "SLURM_ARRAY_TASK_STEP"},
	{name: "GitLab", index: "CI_NODE_INDEX", total: "CI_NODE_TOTAL", first: 1},
	{name: "CircleCI", index: "CIRCLE_NODE_INDEX", total: "CIRCLE_NODE_TOTAL"},
	{name: "Buildkite", index: "BUILDKITE_PARALLEL_JOB", total: "BUILDKITE_PARALLEL_JOB_COUNT"},
	{
		name: "GitHub", index: "STRATEGY_JOB_INDEX", total: "STRATEGY_JOB_TOTAL",
		advice: "set both in the step's env, from ${{ strategy.job-index }} and ${{ strategy.job-total }}",
	},
}

func (a *app) shardOfEngine() (shard, error) {
	set := slices.DeleteFunc(slices.Clone(engines), func(e engine) bool { return a.getenv(e.index) == "" })
	if len(set) > 1 {
		return shard{}, &configError{
			Why:    "--shard auto: $" + set[0].index + " (" + set[0].name + ") and $" + set[1].index + " (" + set[1].name + ") are both set",
			Advice: []string{"unset what does not count, or give --shard K/N yourself"},
		}
	}
	if len(set) == 1 {
		e := set[0]
		index := a.getenv(e.index)
		total := a.getenv(e.total)
		s, err := e.shard(a, index, total)
		if err != nil {
			problem := &configError{Why: e.name + "'s $" + e.index + "=" + strconv.Quote(index) + " and $" + e.total + "=" + strconv.Quote(total) + " don't name a part"}
			if e.advice != "" {
				problem.Advice = []string{e.advice}
			}
			return shard{}, problem
		}
		return s, nil
	}
	var names []string
	for _, e := range engines {
		names = append(names, "$"+e.index+" ("+e.name+")")
	}
	return shard{}, &usageError{Why: "--shard auto: no engine has set an index", Advice: []string{"it looks for " + strings.Join(names, ", "), "give --shard K/N yourself, or leave --shard out for all accounts"}}
}

func (e engine) shard(a *app, index, total string) (shard, error) {
	first := e.first
	if base := a.getenv(e.base); e.base != "" && base != "" {
		n, err := strconv.Atoi(base)
		if err != nil {
			return shard{}, err
		}
		first = n
	}
	step := 1
	if text := a.getenv(e.step); e.step != "" && text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return shard{}, fmt.Errorf("step %q", text)
		}
		step = n
	}
	at, err := strconv.Atoi(index)
	if err != nil || (at-first)%step != 0 {
		return shard{}, fmt.Errorf("index %q", index)
	}
	return newShard(strconv.Itoa((at-first)/step), total, 0)
}

// How many jobs a matrix may have. Sources: GitHub's "Usage limits" of Actions,
// GitLab's CI/CD YAML reference on parallel:matrix.
const (
	githubMatrixMost = 256
	gitlabMatrixMost = 200
)

// writeMatrix prints the parts for a CI system to make jobs of: GitHub's
// matrix as JSON, or GitLab's child pipeline as YAML.
func writeMatrix(w io.Writer, targets []target, perShard int, gitlab bool) error {
	accounts := map[string]bool{}
	for _, t := range targets {
		accounts[t.shardKey()] = true
	}
	most := githubMatrixMost
	if gitlab {
		most = gitlabMatrixMost
	}
	n := min(max((len(accounts)+perShard-1)/perShard, 1), most)
	sizes := make([]int, n)
	for account := range accounts {
		for k := range sizes {
			if (shard{k + 1, n}).has(account) {
				sizes[k]++
			}
		}
	}
	if gitlab {
		return writeGitLabMatrix(w, n)
	}
	type part struct {
		Shard    string `json:"shard"`
		Accounts int    `json:"accounts"`
	}
	matrix := struct {
		Include []part `json:"include"`
	}{Include: []part{}}
	for k, size := range sizes {
		matrix.Include = append(matrix.Include, part{fmt.Sprintf("%d/%d", k+1, n), size})
	}
	return json.NewEncoder(w).Encode(matrix)
}

func writeGitLabMatrix(w io.Writer, n int) error {
	var b strings.Builder
	b.WriteString("parallel:\n  matrix:\n    - CROSSROLE_SHARD:\n")
	for k := range n {
		fmt.Fprintf(&b, "        - \"%d/%d\"\n", k+1, n)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
