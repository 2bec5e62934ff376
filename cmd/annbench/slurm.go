package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"text/template"
	"time"

	"annbench/bench"
	"annbench/bench/pipeline"
	"annbench/bench/store"
	"annbench/internal/atomicfile"
)

type slurmCmd struct {
	sweepFlags
	Out         string   `help:"Results folder, which all nodes see at the same path. Default: results/NAME, by the sweep's name." placeholder:"DIR" s3:"no: the tasks share one folder of the cluster; annbench merge FOLDER --out s3://... stores what they measured"`
	Shards      int      `help:"Tasks of the job array, each of which measures its share of the builds. Default: 8, or as many as there are builds." placeholder:"N"`
	TruthShards int      `help:"Find the exact neighbours in so many tasks, a part of the base each." placeholder:"N" default:"1"`
	Throttle    int      `help:"Let so many tasks run at once at most." placeholder:"N"`
	Partition   string   `short:"p" help:"Partition of the jobs." placeholder:"NAME"`
	Account     string   `short:"A" help:"Account that the jobs are charged to." placeholder:"NAME"`
	Time        string   `help:"Time limit of a task, as Slurm writes it. Default: three times the estimate of the longest, and ten minutes." placeholder:"LIMIT"`
	Mem         string   `help:"Memory of a task, as Slurm writes it; 0 is all of a node. Default: by the estimate." placeholder:"SIZE"`
	Cpus        int      `help:"Cores that a node must have. Default: as many as the sweep has threads, 2 at least." placeholder:"N"`
	Sbatch      []string `help:"Another option of sbatch, for all tasks: --sbatch=--constraint=milan; again for more." placeholder:"OPTION" sep:"none"`
	MergeAfter  string   `help:"Merge once all tasks have ended (any), whether or not they failed, or only where all ended well (ok)." enum:"any,ok" default:"any"`
	Mixed       bool     `help:"Merge results of different kinds of node too; the report shows them apart."`
	Retry       bool     `help:"Measure cells again that failed, timed out or ran out of memory in an earlier run."`
	KeepIndexes bool     `help:"Keep the saved indexes in the results folder, for annbench serve."`
	Binary      string   `help:"The annbench that the nodes run. Default: this one." placeholder:"FILE" s3:"no: name a file that all nodes see at the same path"`
	Submit      bool     `help:"Submit the jobs, too."`
}

// Help is printed below the flags.
func (slurmCmd) Help() string {
	return `Writes job scripts for Slurm into slurm/ in the results folder: one finds the exact neighbours, an array
measures, each task its shard on a node of its own, and one merges and reports. Tasks that were stopped
go on where they were when they are submitted again. Nothing is submitted without --submit.

Examples:
  annbench slurm my.yaml --partition cpu --account lab
  annbench slurm my.yaml --shards 16 --throttle 4 --sbatch=--constraint=milan --submit
  annbench slurm --data embeddings.parquet --metric cosine`
}

// The jobs' scripts.
//
//go:embed slurm.tmpl
var slurmText string

const (
	timeMargin  = 3                // over the estimate, which is good to a factor of two or three
	timeAtLeast = 10 * time.Minute // added: starting, checks of the data, the map of the vectors
	memoryBase  = 1 << 30          // beside the largest worker and the data: the coordinator, exact neighbours
)

// slurmJobs is what the scripts are written from.
type slurmJobs struct {
	Name, Sweep, SweepSum, Out, Chdir string
	Annbench                          string
	Env                               []string // NAME=value
	What                              []string // arguments that say what is measured, beside the sweep
	Shards, TruthShards, Throttle     int
	Cpus                              int
	Mem, Time                         string
	Partition, Account                string
	Sbatch                            []string
	After                             string
	Run, Merge                        []string // further arguments
}

func (c *slurmCmd) Run(ctx context.Context, s *surface) error {
	sweep, err := c.sweep()
	if err == nil {
		err = c.check(sweep)
	}
	if err != nil {
		return misuse(err)
	}
	var sbatch string
	if c.Submit {
		if sbatch, err = exec.LookPath("sbatch"); err != nil {
			return errors.New("--submit: there is no sbatch here; without --submit the scripts are written, for a machine of the cluster")
		}
	}
	p := s.pipeline(ctx)
	p.Find = nil // the nodes' servers are not this machine's
	set, err := p.Open(ctx, sweep)
	if err != nil {
		return err
	}
	defer set.Close()
	plan, err := p.Plan(sweep, set, max(runtime.NumCPU(), sweep.Cores()))
	if err != nil {
		return err
	}
	builds := plan.Builds()
	if builds == 0 {
		return fmt.Errorf("%s: nothing can be measured: `annbench plan` says why", sweep.Name)
	}
	switch {
	case c.Shards == 0:
		c.Shards = min(defaultShards, builds)
	case c.Shards > builds:
		s.say("note: there are %d builds, so %d shards", builds, builds)
		c.Shards = builds
	}
	c.TruthShards = min(c.TruthShards, set.Base.Rows)
	parts := []*bench.Plan{plan}
	for i := range c.Shards {
		parts = append(parts, plan.Part(bench.Shard{Index: i + 1, Of: c.Shards}))
	}
	estimates, err := bench.EstimatePlans(ctx, sweep, set.Set, parts...)
	if err != nil {
		return err
	}
	longest := 0
	for i, e := range estimates {
		if i > 0 && (longest == 0 || e.Wall > estimates[longest].Wall) {
			longest = i
		}
	}
	jobs, err := c.jobs(sweep)
	if err != nil {
		return err
	}
	jobs.Cpus = c.Cpus
	if jobs.Cpus == 0 {
		jobs.Cpus = sweep.Cores()
	}
	whole := estimates[0]
	limit := timeMargin*(estimates[longest].Wall+whole.Truth/time.Duration(jobs.Cpus)) + timeAtLeast
	if jobs.Time == "" {
		jobs.Time = slurmTime(limit)
	}
	data := 4 * int64(set.Base.Rows+set.Queries.Rows) * int64(set.Base.Dim)
	held := whole.Memory + data + memoryBase
	if jobs.Mem == "" {
		jobs.Mem = fmt.Sprintf("%dM", (held+(100<<20)-1)/(100<<20)*100)
	}
	files, err := writeSlurm(jobs)
	if err != nil {
		return err
	}

	fmt.Fprintf(s.out, "%s: %d builds × %d repetitions in %d tasks\n", sweep.Name, builds, sweep.Repetitions, c.Shards)
	for name, reason := range whole.Unknown {
		fmt.Fprintf(s.out, "not in the estimate: %s: %s\n", name, reason)
	}
	fmt.Fprintf(s.out, "estimated here: %v in all, %v for the longest task (%d of %d), %v for exact neighbours\n",
		roundTime(whole.Wall), roundTime(estimates[longest].Wall), longest, c.Shards, roundTime(whole.Truth/time.Duration(jobs.Cpus)))
	fmt.Fprintf(s.out, "asked for, for each task: a node of its own with %d cores, %s of memory (largest process %d MiB, %s; data %d MiB; %d MiB beside), %s (%d times the estimate, and %v)\n",
		jobs.Cpus, jobs.Mem, whole.Memory>>20, orNone(whole.Largest), data>>20, memoryBase>>20, jobs.Time, timeMargin, timeAtLeast)
	cache, err := pipeline.CacheDir()
	if err != nil {
		return err
	}
	for _, at := range []struct{ what, path string }{{"results", jobs.Out}, {"the cache (ANNBENCH_CACHE)", cache}, {"annbench", jobs.Annbench}} {
		if fs := localDisk(at.path); fs != "" {
			fmt.Fprintf(s.out, "note: %s: %s is on a disk of this machine (%s); all nodes must see it at this path\n", at.what, at.path, fs)
		}
	}
	for _, f := range files {
		fmt.Fprintln(s.out, f)
	}
	submit := filepath.Join(jobs.Out, "slurm", "submit.sh")
	if !c.Submit {
		fmt.Fprintf(s.out, "to submit: bash %s\n", shellQuote(submit))
		return nil
	}
	s.log.Debug("submitting", "sbatch", sbatch)
	cmd := exec.CommandContext(ctx, "bash", submit)
	cmd.Stdout, cmd.Stderr = s.out, s.err
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("submitting with %s: %w", submit, err)
	}
	return nil
}

// defaultShards is how many tasks there are where nobody says: a handful of nodes, which a queue gives
// sooner than many.
const defaultShards = 8

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func roundTime(d time.Duration) time.Duration {
	if d < 10*time.Second {
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(time.Second)
}

var (
	slurmLimit  = regexp.MustCompile(`^([0-9]+(:[0-9]{1,2}){0,2}|[0-9]+-[0-9]{1,2}(:[0-9]{1,2}){0,2}|UNLIMITED|INFINITE)$`)
	slurmMemory = regexp.MustCompile(`^[0-9]+[KMGT]?$`)
	slurmName   = regexp.MustCompile(`^[A-Za-z0-9_.,+@-]+$`)
)

// check refuses flags that sbatch would refuse, or worse, take for something else.
func (c *slurmCmd) check(sweep *bench.Sweep) error {
	if err := oneSize(sweep, "a job array is"); err != nil {
		return err
	}
	for _, at := range []struct {
		flag string
		n    int
	}{{"shards", c.Shards}, {"throttle", c.Throttle}, {"cpus", c.Cpus}, {"truth-shards", c.TruthShards}} {
		if at.n < 0 || at.n == 0 && at.flag == "truth-shards" {
			return fmt.Errorf("--%s must be at least 1, not %d", at.flag, at.n)
		}
	}
	for _, at := range []struct {
		flag, value, like string
		form              *regexp.Regexp
	}{
		{"time", c.Time, "90, 1:30:00 or 2-12", slurmLimit},
		{"mem", c.Mem, "64G or 900M; 0 is all of a node", slurmMemory},
		{"partition", c.Partition, "cpu", slurmName},
		{"account", c.Account, "lab", slurmName},
	} {
		if at.value != "" && !at.form.MatchString(at.value) {
			return fmt.Errorf("--%s %q: write it like %s", at.flag, at.value, at.like)
		}
	}
	for _, o := range c.Sbatch {
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

// jobs gathers what does not depend on the estimate. Paths are absolute: nodes start elsewhere.
func (c *slurmCmd) jobs(sweep *bench.Sweep) (*slurmJobs, error) {
	j := &slurmJobs{
		Name: sweep.Name, Shards: c.Shards, TruthShards: c.TruthShards, Throttle: c.Throttle, Mem: c.Mem, Time: c.Time,
		Partition: c.Partition, Account: c.Account, Sbatch: c.Sbatch, After: "after" + c.MergeAfter,
	}
	if c.Out == "" {
		c.Out = filepath.Join("results", sweep.Name)
	}
	var err error
	abs := func(path string) string {
		p, e := path, error(nil)
		if !store.Is(path) {
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
	j.Out, j.Chdir = abs(c.Out), abs(".")
	if c.Binary == "" {
		if c.Binary, err = os.Executable(); err != nil {
			return nil, err
		}
	}
	j.Annbench = abs(c.Binary)
	if _, e := os.Stat(j.Annbench); e != nil {
		return nil, misuse(fmt.Errorf("--binary: %w", e))
	}
	if c.Sweep != "" {
		j.Sweep = abs(c.Sweep)
		text, e := os.ReadFile(j.Sweep)
		if e != nil {
			return nil, e
		}
		sum := sha256.Sum256(text)
		j.SweepSum = hex.EncodeToString(sum[:])
	}
	if c.Data != "" {
		j.What = append(j.What, "--data", abs(c.Data))
	}
	if c.Labels != "" {
		j.What = append(j.What, "--labels", abs(c.Labels))
	}
	if c.Queries > 0 {
		j.What = append(j.What, "--queries", strconv.Itoa(c.Queries))
	}
	if c.Metric != "" {
		j.What = append(j.What, "--metric", c.Metric)
	}
	for _, a := range c.Allow {
		j.What = append(j.What, "--allow", a)
	}
	if c.Retry {
		j.Run = append(j.Run, "--retry")
	}
	if c.KeepIndexes {
		j.Run = append(j.Run, "--keep-indexes")
	}
	if c.Mixed {
		j.Merge = append(j.Merge, "--mixed")
	}
	cache, e := pipeline.CacheDir()
	if e != nil {
		return nil, e
	}
	j.Env = append(j.Env, "ANNBENCH_CACHE="+abs(cache))
	// Credentials for object storage are those of the node: a script is no place for a secret.
	for _, name := range []string{"ONNXRUNTIME_LIB", "LD_LIBRARY_PATH", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_REGION", "AWS_PROFILE", "AWS_CA_BUNDLE"} {
		if v := os.Getenv(name); v != "" {
			j.Env = append(j.Env, name+"="+v)
		}
	}
	return j, err
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

// writeSlurm writes the scripts, and makes the folders that sbatch wants to be there.
func writeSlurm(j *slurmJobs) ([]string, error) {
	t, err := template.New("").Funcs(template.FuncMap{
		"quote":     shellQuote,
		"quotes":    quoteAll,
		"directive": directive,
		"assign":    func(v string) string { name, value, _ := strings.Cut(v, "="); return name + "=" + shellQuote(value) },
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

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// shellQuote writes s as one word of the shell.
func shellQuote(s string) string {
	if plainWord.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func quoteAll(args []string) string {
	out := make([]string, len(args))
	for i, a := range args {
		out[i] = shellQuote(a)
	}
	return strings.Join(out, " ")
}

// directive writes the value of a #SBATCH line: sbatch takes spaces between quotation marks.
func directive(s string) string {
	if plainWord.MatchString(s) {
		return s
	}
	return `"` + s + `"`
}
