package each

import (
	"fmt"
	"testing"
)

func TestShards(t *testing.T) {
	for _, n := range []int{1, 2, 3, 7, 50} {
		sizes := make([]int, n)
		for i := range 5000 {
			in := 0
			for k := range n {
				if (Shard{k + 1, n}).has(fmt.Sprintf("%012d", int64(100000000000)+int64(i))) {
					in++
					sizes[k]++
				}
			}
			if in != 1 {
				t.Fatalf("account %d is in %d shards of %d", i, in, n)
			}
		}
		for k, size := range sizes {
			if mean := 5000 / n; size < mean/2 || size > 2*mean {
				t.Errorf("shard %d/%d has %d of 5000", k+1, n, size)
			}
		}
	}
}

func TestShardOfEngines(t *testing.T) {
	for name, c := range map[string]struct {
		env  map[string]string
		want Shard
	}{
		"batch":      {map[string]string{"AWS_BATCH_JOB_ARRAY_INDEX": "0", "AWS_BATCH_JOB_ARRAY_SIZE": "4"}, Shard{1, 4}},
		"kubernetes": {map[string]string{"JOB_COMPLETION_INDEX": "3", "JOB_COMPLETIONS": "4"}, Shard{4, 4}},
		"slurm": {map[string]string{
			"SLURM_ARRAY_TASK_ID": "14", "SLURM_ARRAY_TASK_COUNT": "3", "SLURM_ARRAY_TASK_MIN": "10",
			"SLURM_ARRAY_TASK_STEP": "2",
		}, Shard{3, 3}},
		"gitlab":    {map[string]string{"CI_NODE_INDEX": "1", "CI_NODE_TOTAL": "5"}, Shard{1, 5}},
		"circleci":  {map[string]string{"CIRCLE_NODE_INDEX": "0", "CIRCLE_NODE_TOTAL": "5"}, Shard{1, 5}},
		"buildkite": {map[string]string{"BUILDKITE_PARALLEL_JOB": "4", "BUILDKITE_PARALLEL_JOB_COUNT": "5"}, Shard{5, 5}},
		"github":    {map[string]string{"STRATEGY_JOB_INDEX": "1", "STRATEGY_JOB_TOTAL": "2"}, Shard{2, 2}},
		"no total":  {map[string]string{"JOB_COMPLETION_INDEX": "3"}, Shard{}},
		"too far":   {map[string]string{"CIRCLE_NODE_INDEX": "5", "CIRCLE_NODE_TOTAL": "5"}, Shard{}},
		"no number": {map[string]string{"CI_NODE_INDEX": "x", "CI_NODE_TOTAL": "5"}, Shard{}},
		"nothing":   {nil, Shard{}},
	} {
		got, err := ParseShard("auto", func(k string) string { return c.env[k] })
		if got != c.want || (err != nil) != (c.want == Shard{}) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}
