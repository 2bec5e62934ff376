// Package cluster writes the job scripts that run a sweep on a cluster with Slurm: one finds the exact
// neighbours, an array measures, each task its shard on a node of its own, and one merges and reports. The
// scripts run the command annbench; the package submits nothing.
package cluster

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"time"

	"annbench/bench"
	"annbench/bench/dataset"
	"annbench/bench/sweepfile"
	"annbench/internal/atomicfile"
	"annbench/internal/usage"
	"annbench/internal/words"
)

// The jobs' scripts.
//
//go:embed slurm.tmpl
var slurmText string

// What is asked for beside the estimate.
const (
	TimeMargin  = 3                // over the estimate, which is good to a factor of two or three
	TimeAtLeast = 10 * time.Minute // added: starting, checks of the data, the map of the vectors
	MemoryBase  = 1 << 30          // beside the largest worker and the data: the coordinator, exact neighbours
)

var (
	slurmLimit  = regexp.MustCompile(`^([0-9]+(:[0-9]{1,2}){0,2}|[0-9]+-[0-9]{1,2}(:[0-9]{1,2}){0,2}|UNLIMITED|INFINITE)$`)
	slurmMemory = regexp.MustCompile(`^[0-9]+[KMGT]?$`)
	slurmName   = regexp.MustCompile(`^[A-Za-z0-9_.,+@-]+$`)
)

// DefaultShards is how many tasks there are where nobody says: a handful of nodes, which a queue gives
// sooner than many.
const DefaultShards = 8

// Jobs is what the scripts are written from.
type Jobs struct {
	// Name of the sweep, and of the jobs.
	Name string
	// Sweep is the sweep file. Empty: the one for Data. SweepSum, its SHA-256, is set by Resolve.
	Sweep, SweepSum string
	// Data and Labels are vectors to run on instead of the sweep's: paths, or addresses in object storage.
	Data, Labels string
	// Out is the results folder, Chdir that in which the jobs start. Empty: the current one.
	Out, Chdir string
	// Annbench is the program that the nodes run. Empty: this one.
	Annbench string
	// Cache is the folder that all nodes use as cache; Env, NAME=value, is set by Resolve.
	Cache string
	Env   []string
	// What are further arguments that say what is measured, beside the sweep; Run and Merge those of
	// `annbench run` and `annbench merge`.
	What, Run, Merge []string
	// Shards is how many tasks measure, TruthShards how many find exact neighbours, Throttle how many run
	// at once at most; 0: all.
	Shards, TruthShards, Throttle int
	// Cpus, Mem and Time are what a task asks for, the latter two as Slurm writes them. Zero: set by Fit.
	Cpus      int
	Mem, Time string
	// Partition and Account of the jobs. Empty: Slurm's defaults.
	Partition, Account string
	// Sbatch are more options of sbatch.
	Sbatch []string
	// After is "afterany", to merge once all tasks have ended, or "afterok", where all ended well.
	After string
}

// Check refuses what sbatch would refuse, or worse, take for something else. Its errors name the flags of
// `annbench slurm`.
func (j *Jobs) Check() error {
	for _, at := range []struct {
		flag string
		n    int
	}{{"shards", j.Shards}, {"throttle", j.Throttle}, {"cpus", j.Cpus}, {"truth-shards", j.TruthShards}} {
		if at.n < 0 || at.n == 0 && at.flag == "truth-shards" {
			return fmt.Errorf("--%s must be at least 1, not %d", at.flag, at.n)
		}
	}
	for _, at := range []struct {
		flag, value, like string
		form              *regexp.Regexp
	}{
		{"time", j.Time, "90, 1:30:00 or 2-12", slurmLimit},
		{"mem", j.Mem, "64G or 900M; 0 is all of a node", slurmMemory},
		{"partition", j.Partition, "cpu", slurmName},
		{"account", j.Account, "lab", slurmName},
	} {
		if at.value != "" && !at.form.MatchString(at.value) {
			return fmt.Errorf("--%s %q: write it like %s", at.flag, at.value, at.like)
		}
	}
	for _, o := range j.Sbatch {
		name, _, _ := strings.Cut(o, "=")
		switch {
		case !strings.HasPrefix(o, "-") || strings.ContainsAny(o, "\n\r"):
			return fmt.Errorf("--sbatch %q: write an option of sbatch, like --sbatch=--constraint=milan", o)
		case name == "--array" || name == "-a":
			return errors.New("--sbatch: the array is what --shards and --throttle say")
		case name == "--dependency" || name == "-d" || name == "--chdir" || name == "-D":
			return fmt.Errorf("--sbatch: %s is set by the scripts", name)
		}
	}
	return nil
}

// Resolve makes paths absolute, since nodes start elsewhere, and notes the environment that they need.
func (j *Jobs) Resolve() error {
	var err error
	abs := func(path string) string {
		p, e := path, error(nil)
		if !sweepfile.InStorage(path) {
			p, e = filepath.Abs(path)
		}
		if e != nil {
			err = e
		}
		if strings.ContainsAny(p, "\n\r\"") {
			err = fmt.Errorf("%q: a path of a job script has no line breaks and no quotation marks", p)
		}
		return p
	}
	j.Out, j.Chdir = abs(j.Out), abs(cmp.Or(j.Chdir, "."))
	if j.Annbench == "" {
		if j.Annbench, err = os.Executable(); err != nil {
			return err
		}
	}
	j.Annbench = abs(j.Annbench)
	if _, e := os.Stat(j.Annbench); e != nil {
		return usage.Error{Err: fmt.Errorf("--binary: %w", e)}
	}
	if j.Sweep != "" {
		j.Sweep = abs(j.Sweep)
		text, e := os.ReadFile(j.Sweep)
		if e != nil {
			return e
		}
		sum := sha256.Sum256(text)
		j.SweepSum = hex.EncodeToString(sum[:])
	}
	if j.Labels != "" {
		j.What = append([]string{"--labels", abs(j.Labels)}, j.What...)
	}
	if j.Data != "" {
		j.What = append([]string{"--data", abs(j.Data)}, j.What...)
	}
	j.Env = append(j.Env, "ANNBENCH_CACHE="+abs(j.Cache))
	// Credentials for object storage are those of the node: a script is no place for a secret.
	for _, name := range []string{"ONNXRUNTIME_LIB", "LD_LIBRARY_PATH", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_REGION", "AWS_PROFILE", "AWS_CA_BUNDLE"} {
		if v := os.Getenv(name); v != "" {
			j.Env = append(j.Env, name+"="+v)
		}
	}
	return err
}

// A Fit is the estimate that tasks ask for time and memory by.
type Fit struct {
	Builds, Repetitions int // what is measured

	Whole, Longest bench.Estimate
	Task           int           // which shard takes longest, from 1
	Truth          time.Duration // of the exact neighbours, on the cores of a task
	Data           int64         // size of the vectors in bytes
}

// Fit estimates what the tasks take and sets what j does not say: their number, cores, time limit and memory. More
// shards than there are builds are cut to that, which say is called with.
func (j *Jobs) Fit(ctx context.Context, sweep *sweepfile.Sweep, set *dataset.Set, plan *bench.Plan, say func(line string)) (*Fit, error) {
	builds := plan.Builds()
	switch {
	case builds == 0:
		return nil, fmt.Errorf("%s: nothing can be measured: `annbench plan` says why", sweep.Name)
	case j.Shards == 0:
		j.Shards = min(DefaultShards, builds)
	case j.Shards > builds:
		say(fmt.Sprintf("note: there are %d builds, so %d shards", builds, builds))
		j.Shards = builds
	}
	j.TruthShards = min(j.TruthShards, set.Base.Rows)
	parts := []*bench.Plan{plan}
	for i := range j.Shards {
		parts = append(parts, plan.Part(bench.Shard{Index: i + 1, Of: j.Shards}))
	}
	estimates, err := bench.EstimatePlans(ctx, sweep, set, parts...)
	if err != nil {
		return nil, err
	}
	longest := 0
	for i, e := range estimates {
		if i > 0 && (longest == 0 || e.Wall > estimates[longest].Wall) {
			longest = i
		}
	}
	if j.Cpus == 0 {
		j.Cpus = sweep.Cores()
	}
	f := &Fit{Builds: builds, Repetitions: sweep.Repetitions, Whole: estimates[0], Longest: estimates[longest], Task: longest}
	f.Truth = f.Whole.Truth / time.Duration(j.Cpus)
	f.Data = 4 * int64(set.Base.Rows+set.Queries.Rows) * int64(set.Base.Dim)
	if j.Time == "" {
		j.Time = slurmTime(TimeMargin*(f.Longest.Wall+f.Truth) + TimeAtLeast)
	}
	if j.Mem == "" {
		held := f.Whole.Memory + f.Data + MemoryBase
		j.Mem = fmt.Sprintf("%dM", (held+(100<<20)-1)/(100<<20)*100)
	}
	return f, nil
}

// WriteText writes what jobs, which f is the fit of, ask for, and warns of paths that other nodes may not see.
func (f *Fit) WriteText(w io.Writer, j *Jobs) {
	fmt.Fprintf(w, "%s: %d builds × %d repetitions in %d tasks\n", j.Name, f.Builds, f.Repetitions, j.Shards)
	for _, name := range slices.Sorted(maps.Keys(f.Whole.Unknown)) {
		fmt.Fprintf(w, "not in the estimate: %s: %s\n", name, f.Whole.Unknown[name])
	}
	fmt.Fprintf(w, "estimated here: %v in all, %v for the longest task (%d of %d), %v for exact neighbours\n",
		rounded(f.Whole.Wall), rounded(f.Longest.Wall), f.Task, j.Shards, rounded(f.Truth))
	fmt.Fprintf(w, "asked for, for each task: a node of its own with %d cores, %s of memory (largest process %d MiB, %s; data %d MiB; %d MiB beside), %s (%d times the estimate, and %v)\n",
		j.Cpus, j.Mem, f.Whole.Memory>>20, cmp.Or(f.Whole.Largest, "none"), f.Data>>20, MemoryBase>>20, j.Time, TimeMargin, TimeAtLeast)
	for _, at := range []struct{ what, path string }{{"results", j.Out}, {"the cache (ANNBENCH_CACHE)", j.Cache}, {"annbench", j.Annbench}} {
		if fs := LocalDisk(at.path); fs != "" {
			fmt.Fprintf(w, "note: %s: %s is on a disk of this machine (%s); all nodes must see it at this path\n", at.what, at.path, fs)
		}
	}
}

func rounded(d time.Duration) time.Duration {
	if d < 10*time.Second {
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(time.Second)
}

// slurmTime writes a time limit as D-HH:MM:SS, up to the next minute.
func slurmTime(d time.Duration) string {
	minutes := int64(math.Ceil(d.Minutes()))
	limit := fmt.Sprintf("%02d:%02d:00", minutes/60%24, minutes%60)
	if days := minutes / (24 * 60); days > 0 {
		limit = fmt.Sprintf("%d-%s", days, limit)
	}
	return limit
}

// slurmFiles are the scripts, by the names of their templates.
var slurmFiles = []string{"truth.sbatch", "sweep.sbatch", "merge.sbatch", "submit.sh"}

// Write writes the scripts, and makes the folders that sbatch wants to be there.
func Write(j *Jobs) ([]string, error) {
	t, err := template.New("").Funcs(template.FuncMap{
		"quote":     Quote,
		"quotes":    quoteAll,
		"directive": directive,
		"assign":    func(v string) string { name, value, _ := strings.Cut(v, "="); return name + "=" + Quote(value) },
	}).Parse(slurmText)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(j.Out, "slurm")
	if err := os.MkdirAll(filepath.Join(dir, "logs"), 0o755); err != nil {
		return nil, err
	}
	var files []string
	for _, name := range slurmFiles {
		var text bytes.Buffer
		if err := t.ExecuteTemplate(&text, name, j); err != nil {
			return nil, err
		}
		path := filepath.Join(dir, name)
		if err := atomicfile.Write(path, text.Bytes()); err != nil {
			return nil, err
		}
		files = append(files, path)
	}
	return files, nil
}

// Quote writes s as one word of the shell.
func Quote(s string) string {
	return words.Shell(s)
}

func quoteAll(args []string) string {
	out := make([]string, len(args))
	for i, a := range args {
		out[i] = Quote(a)
	}
	return strings.Join(out, " ")
}

// directive writes the value of a #SBATCH line: sbatch takes spaces between quotation marks.
func directive(s string) string {
	if words.Shell(s) == s {
		return s
	}
	return `"` + s + `"`
}
