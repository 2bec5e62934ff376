package cluster

import (
	"strings"
	"testing"

	"annbench/bench"
)

func TestParseShard(t *testing.T) {
	env := func(id, from, count, step string) func(string) string {
		return func(name string) string {
			return map[string]string{
				"SLURM_ARRAY_TASK_ID": id, "SLURM_ARRAY_TASK_MIN": from, "SLURM_ARRAY_TASK_COUNT": count, "SLURM_ARRAY_TASK_STEP": step,
			}[name]
		}
	}
	for _, c := range []struct {
		text   string
		getenv func(string) string
		want   bench.Shard
		err    string
	}{
		{"2/8", nil, bench.Shard{Index: 2, Of: 8}, ""},
		{"slurm", env("3", "1", "8", ""), bench.Shard{Index: 3, Of: 8}, ""},
		{"slurm", env("7", "3", "3", "2"), bench.Shard{Index: 3, Of: 3}, ""}, // --array=3-7:2
		{"slurm", env("", "", "", ""), bench.Shard{}, `SLURM_ARRAY_TASK_ID is "": run this as a task of a job array`},
		{"slurm", env("1", "1", "4", "0"), bench.Shard{}, "SLURM_ARRAY_TASK_STEP"},
		{"slurm", env("9", "1", "4", "1"), bench.Shard{}, `"9/4" is not a shard`},
		{"9/4", nil, bench.Shard{}, `"9/4" is not a shard`},
	} {
		got, err := ParseShard(c.text, c.getenv)
		if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%q: %v, %v; want %v, %q", c.text, got, err, c.want, c.err)
		}
	}
}
