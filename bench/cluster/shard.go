package cluster

import (
	"fmt"
	"strconv"

	"annbench/bench"
)

// ParseShard reads a shard as [bench.ParseShard] does. "slurm" is that of this task of a Slurm job array, by its
// environment variables. Errors name the flag --shard.
func ParseShard(text string, getenv func(string) string) (bench.Shard, error) {
	if text != "slurm" {
		return bench.ParseShard(text)
	}
	var n [4]int
	for i, name := range []string{"SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_COUNT", "SLURM_ARRAY_TASK_STEP"} {
		value := getenv(name)
		if i == 3 && value == "" {
			value = "1"
		}
		var err error
		if n[i], err = strconv.Atoi(value); err != nil || i == 3 && n[i] < 1 {
			return bench.Shard{}, fmt.Errorf("slurm: %s is %q: run this as a task of a job array (sbatch --array=1-8)", name, value)
		}
	}
	task, first, tasks, step := n[0], n[1], n[2], n[3]
	return bench.ParseShard(fmt.Sprintf("%d/%d", (task-first)/step+1, tasks))
}
