package each

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

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

func shardOfEngine(getenv func(string) string) (Shard, error) {
	set := slices.DeleteFunc(slices.Clone(engines), func(e engine) bool { return getenv(e.index) == "" })
	if len(set) > 1 {
		return Shard{}, &ConfigError{
			Why:    "--shard auto: $" + set[0].index + " (" + set[0].name + ") and $" + set[1].index + " (" + set[1].name + ") are both set",
			Advice: []string{"unset what does not count, or give --shard K/N yourself"},
		}
	}
	if len(set) == 1 {
		e := set[0]
		index := getenv(e.index)
		total := getenv(e.total)
		s, err := e.shard(getenv, index, total)
		if err != nil {
			problem := &ConfigError{Why: e.name + "'s $" + e.index + "=" + strconv.Quote(index) + " and $" + e.total + "=" + strconv.Quote(total) + " don't name a part"}
			if e.advice != "" {
				problem.Advice = []string{e.advice}
			}
			return Shard{}, problem
		}
		return s, nil
	}
	var names []string
	for _, e := range engines {
		names = append(names, "$"+e.index+" ("+e.name+")")
	}
	return Shard{}, &UsageError{Why: "--shard auto: no engine has set an index", Advice: []string{"it looks for " + strings.Join(names, ", "), "give --shard K/N yourself, or leave --shard out for all accounts"}}
}

func (e engine) shard(getenv func(string) string, index, total string) (Shard, error) {
	first := e.first
	if base := getenv(e.base); e.base != "" && base != "" {
		n, err := strconv.Atoi(base)
		if err != nil {
			return Shard{}, err
		}
		first = n
	}
	step := 1
	if text := getenv(e.step); e.step != "" && text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return Shard{}, fmt.Errorf("step %q", text)
		}
		step = n
	}
	at, err := strconv.Atoi(index)
	if err != nil || (at-first)%step != 0 {
		return Shard{}, fmt.Errorf("index %q", index)
	}
	return newShard(strconv.Itoa((at-first)/step), total, 0)
}
