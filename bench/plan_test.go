package bench

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/prometheus/procfs"

	"annbench/bench/dataset"
	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/bench/sweepfile"
	"annbench/indexes"
	"annbench/indexes/vec"
)

// listIndex answers every query with its first vectors.
type listIndex struct{}

func (listIndex) Search(dst []vec.Neighbor, _ []float32, k int) ([]vec.Neighbor, error) {
	for i := range k {
		dst = append(dst, vec.Neighbor{ID: int32(i)})
	}
	return dst, nil
}
func (listIndex) Close() error { return nil }

func testMatrix(rows, dim int) vec.Matrix { return vec.NewMatrix(rows, dim) }

func TestPlanIsRepetitionMajorAndDeterministic(t *testing.T) {
	s := testSweep(t, flatAndForest)
	shape := Shape{Digest: "d", Base: 500, Dim: 24}
	plan, err := MakePlan(s, shape)
	if err != nil {
		t.Fatal(err)
	}
	const builds = 3 // flat, forest of 5, forest of 20
	if len(plan.Jobs) != builds*s.Repetitions {
		t.Fatalf("%d jobs", len(plan.Jobs))
	}
	for i, job := range plan.Jobs {
		if job.Rep != i/builds {
			t.Errorf("job %d is of repetition %d", i, job.Rep)
		}
		if job.Seed != s.Seed+uint64(job.Rep) {
			t.Errorf("job %d has seed %d", i, job.Seed)
		}
	}
	again, err := MakePlan(s, shape)
	if err != nil {
		t.Fatal(err)
	}
	for i := range plan.Jobs {
		a, b := plan.Jobs[i], again.Jobs[i]
		if a.Family != b.Family || !maps.Equal(a.Build, b.Build) {
			t.Errorf("job %d is %s %v, then %s %v", i, a.Family.Name, a.Build, b.Family.Name, b.Build)
		}
	}
}

func TestPlanMeasuresACellOnce(t *testing.T) {
	plan, err := MakePlan(testSweep(t, `
- family: forest
  search: {search_k: [50, 50]}
- family: forest
  search: {search_k: [50, 60]}
`), Shape{Digest: "d", Base: 500, Dim: 24})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[record.Cell]int{}
	for _, job := range plan.Jobs {
		for _, c := range job.Cells("d") {
			seen[c]++
		}
	}
	if len(seen) != 2*2 {
		t.Errorf("%d cells, want two settings of two k", len(seen))
	}
	for c, n := range seen {
		if n != 2 { // repetitions
			t.Errorf("%v is planned %d times", c, n)
		}
	}
}

func TestPlanSkipsWhatCannotBe(t *testing.T) {
	s := testSweep(t, "- family: hnsw-coder\n- family: flat\n")
	s.Metric = sweepfile.OneOrMany[vec.Metric]{vec.InnerProduct}
	plan, err := MakePlan(s, Shape{Digest: "d", Base: 500, Dim: 24})
	if err != nil {
		t.Fatal(err)
	}
	if len(plan.Skipped) != 2 || !strings.Contains(plan.Skipped[0].Reason, "ip") {
		t.Errorf("skipped: %+v", plan.Skipped)
	}
	if slices.ContainsFunc(plan.Jobs, func(j Job) bool { return j.Family.Name == "hnsw-coder" }) {
		t.Error("a family is planned under a metric that it does not have")
	}
}

func TestPlanMeasuresWhatMeansTheSameOnce(t *testing.T) {
	s := testSweep(t, "- family: forest\n  build: {trees: 4}\n  search: {search_k: [1, 5, 10, 40]}\n")
	plan, err := MakePlan(s, Shape{Digest: "d", Base: 500, Dim: 24})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range plan.Jobs[0].Points {
		got = append(got, fmt.Sprint(p.K, " ", p.Search["search_k"]))
	}
	// For k = 5, 1 means 5; for k = 10, 1 and 5 mean 10.
	want := []string{"5 5", "10 10", "5 10", "5 40", "10 40"}
	if !slices.Equal(got, want) {
		t.Errorf("planned %q, want %q", got, want)
	}
	if len(plan.Same) != 3 {
		t.Errorf("%d settings are told to mean another, want 3: %+v", len(plan.Same), plan.Same)
	}
}

func TestPlanOfAllModes(t *testing.T) {
	s := testSweep(t, "- family: flat\n- family: forest\n")
	s.Modes = sweepfile.OneOrMany[string]{record.Latency, record.Throughput, record.Batch, record.OpenLoop}
	s.Rates = sweepfile.OneOrMany[float64]{10, 20}
	plan, err := MakePlan(s, Shape{Digest: "d", Base: 500, Dim: 24, Cores: 6})
	if err != nil {
		t.Fatal(err)
	}
	for _, job := range plan.Jobs {
		got := map[string][]int{}
		last := -1
		for _, p := range job.Points {
			if p.K == 5 {
				got[p.Mode] = append(got[p.Mode], p.Workers)
			}
			if p.Workers < last {
				t.Errorf("%s: points of %d threads come after those of %d, in a process of their own", job.Family.Name, p.Workers, last)
			}
			last = p.Workers
		}
		ladder := []int{1, 2, 4, 6}
		want := map[string][]int{record.Latency: {0}, record.Throughput: ladder, record.OpenLoop: {6, 6}}
		if job.Family.Batch {
			want[record.Batch] = ladder
		}
		if !maps.EqualFunc(got, want, slices.Equal) {
			t.Errorf("%s is asked %v, want %v", job.Family.Name, got, want)
		}
	}
}

func TestDominated(t *testing.T) {
	cell := func(search string) record.Cell {
		return record.Cell{Family: "forest", Search: search, K: 10, Mode: record.Latency}
	}
	values := func(recall, mean, build float64) *record.Record {
		return &record.Record{Values: map[string]float64{metric.Recall: recall, metric.Mean: mean, metric.Build: build, metric.Serialized: 100}}
	}
	first := map[record.Cell]*record.Record{
		cell("good"):   values(0.95, 1e-4, 1),
		cell("slower"): values(0.95, 1.3e-4, 1),
		cell("near"):   values(0.95, 1.2e-4, 1),   // not clearly slower
		cell("better"): values(0.96, 1.5e-4, 1),   // more recall
		cell("built"):  values(0.95, 1.5e-4, 0.5), // cheaper to build
	}
	other := cell("flat")
	other.Family = "flat"
	first[other] = values(0.9, 1e-3, 1) // another family
	wider := cell("wide")
	wider.K = 20
	first[wider] = values(0.9, 1e-3, 1) // another k
	for c := range first {
		if got, want := dominated(c, first), c.Search == "slower"; got != want {
			t.Errorf("%s of k = %d: dominated is %v", c.Search, c.K, got)
		}
	}
	if dominated(cell("unknown"), first) {
		t.Error("what was not measured cannot be dominated")
	}
}

func TestPruneLeavesOutRepetitionsOnly(t *testing.T) {
	// Ten times the candidates at a recall of 1 either way are dominated.
	s := testSweep(t, "- family: forest\n  build: {trees: 30, leaf: 16}\n  search: {search_k: [3000, 100000]}\n")
	s.Repetitions, s.Prune, s.K = 3, true, sweepfile.OneOrMany[int]{5}
	r := testRun(t, testSet(t, 3000, 16, 30), s)
	sum, err := r.Do(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	reps := map[string]int{}
	for _, rec := range readRecords(t, r.Out) {
		reps[rec.Cell.Search]++
	}
	if reps["search_k=3000"] != 3 || reps["search_k=100000"]+sum.Pruned != 3 || reps["search_k=100000"] < 1 {
		t.Errorf("repetitions by setting %v, %d pruned", reps, sum.Pruned)
	}
	if sum.Pruned > 0 && sum.Saved <= 0 {
		t.Errorf("%d pruned, and no time saved", sum.Pruned)
	}
}

func TestEstimate(t *testing.T) {
	set, err := dataset.OpenSet(testSet(t, 3000, 16, 30))
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	estimate := func(families string, change func(*sweepfile.Sweep)) Estimate {
		s := testSweep(t, families)
		if change != nil {
			change(s)
		}
		plan, err := MakePlan(s, Shape{Digest: set.Digest, Base: set.Base.Rows, Dim: set.Base.Dim, Cores: 2})
		if err != nil {
			t.Fatal(err)
		}
		e, err := EstimatePlan(t.Context(), s, set, plan)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	one := estimate("- family: forest\n", nil)
	more := estimate("- family: forest\n", func(s *sweepfile.Sweep) { s.Repetitions *= 10; s.Measure *= 100 })
	if one.Wall <= 0 || more.Wall < 5*one.Wall {
		t.Errorf("%v for 2 repetitions, %v for 20 of longer cells", one.Wall, more.Wall)
	}
	// The forest holds the vectors; twice that while building.
	if low := int64(4 * 2970 * 16); one.Memory < low || one.Memory > 20*low || one.Largest != "forest" {
		t.Errorf("%d bytes for %d bytes of vectors, in %q", one.Memory, low, one.Largest)
	}
}

// TestEstimateAgreesWithRecords wants estimates of sweeps whose records are kept within a factor of two of what building
// and searching took in them, from calibrations that are kept beside: of the same machine. Of compression they are of
// some of its builds, those with the longest training among them.
func TestEstimateAgreesWithRecords(t *testing.T) {
	for name, measure := range map[string]time.Duration{"frontier": 150 * time.Millisecond, "compression/compression": 100 * time.Millisecond} {
		t.Run(filepath.Base(name), func(t *testing.T) {
			folder := filepath.Join("../docs/results/records", filepath.FromSlash(name))
			set := shapeOf(t, folder)
			speeds := keptSpeeds(t, filepath.Base(name), set.Base.Dim)
			plan, took := recordedPlan(t, folder, speeds)
			var e Estimate
			e.Family, e.Unknown = map[string]time.Duration{}, map[string]string{}
			if err := e.plan(t.Context(), &sweepfile.Sweep{Measure: measure}, set, plan, speeds, map[string]string{}); err != nil {
				t.Fatal(err)
			}
			var all time.Duration
			for family, wall := range took {
				all += wall
				t.Logf("%-15s took %8v, estimated %8v", family, wall.Round(time.Millisecond), e.Family[family].Round(time.Millisecond))
			}
			if e.Wall < all/2 || e.Wall > 2*all {
				t.Errorf("estimated at %v, the records took %v", e.Wall, all)
			}
		})
	}
}

// shapeOf is a set of the size of the one that records are of, without vectors.
func shapeOf(t *testing.T, folder string) *dataset.Set {
	t.Helper()
	var meta struct{ Base, Queries, Dim int }
	text, err := os.ReadFile(filepath.Join(folder, "dataset.json"))
	if err == nil {
		err = json.Unmarshal(text, &meta)
	}
	if err != nil {
		t.Fatal(err)
	}
	return &dataset.Set{Base: vec.Matrix{Rows: meta.Base, Dim: meta.Dim}, Queries: vec.Matrix{Rows: meta.Queries, Dim: meta.Dim}}
}

// recordedPlan is the plan that records are of, as far as speeds knows it, and how long building and what was timed
// took in it, by family.
func recordedPlan(t *testing.T, folder string, speeds map[string]speed) (*Plan, map[string]time.Duration) {
	t.Helper()
	type build struct {
		family, params string
		rep            int
	}
	jobs, took := map[build]*Job{}, map[string]time.Duration{}
	seconds := func(family string, s float64) { took[family] += time.Duration(s * float64(time.Second)) }
	for _, r := range unpackRecords(t, folder) {
		family, err := lookup(r.Cell.Family)
		if err != nil {
			t.Fatal(err)
		}
		b := build{r.Cell.Family, r.Cell.Build, r.Rep}
		if jobs[b] == nil {
			j := &Job{Family: family, Metric: vec.Metric(r.Cell.Metric), Build: settingsOf(t, family, family.Build, r.Cell.Build), Rep: r.Rep}
			if _, known := speeds[kindOf(j)]; !known {
				continue
			}
			jobs[b] = j
			seconds(family.Name, r.Values[metric.Build])
		}
		seconds(family.Name, r.Values[metric.Samples]*r.Values[metric.Mean])
		jobs[b].Points = append(jobs[b].Points, Point{K: r.Cell.K, Search: settingsOf(t, family, family.Search, r.Cell.Search), Asking: Asking{Mode: r.Cell.Mode}})
	}
	plan := &Plan{}
	for _, j := range jobs {
		plan.Jobs = append(plan.Jobs, *j)
	}
	return plan, took
}

// unpackRecords reads the records that a folder has compressed.
func unpackRecords(t *testing.T, folder string) []record.Record {
	t.Helper()
	packed, err := os.Open(filepath.Join(folder, record.RecordsFile+".gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	in, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, record.RecordsFile), text, 0o644); err != nil {
		t.Fatal(err)
	}
	return readRecords(t, dir)
}

// settingsOf reads settings as records write them.
func settingsOf(t *testing.T, f *indexes.Family, params []indexes.Param, text string) indexes.Params {
	t.Helper()
	given := indexes.Params{}
	for _, field := range strings.Fields(text) {
		name, word, _ := strings.Cut(field, "=")
		var value any
		if err := yaml.Unmarshal([]byte(word), &value); err != nil || strings.Contains(word, ",") {
			value = word
		}
		if n, ok := value.(uint64); ok {
			value = int(n)
		}
		given[name] = value
	}
	complete, err := f.Settings(params, given)
	if err != nil {
		t.Fatal(err)
	}
	return complete
}

// keptSpeeds are those of a calibration that is kept: what a build on CalibrationRows vectors and one search took.
func keptSpeeds(t *testing.T, sweep string, dim int) map[string]speed {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "calibrations", sweep+".tsv"))
	if err != nil {
		t.Fatal(err)
	}
	speeds := map[string]speed{}
	for line := range strings.Lines(string(text)) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t") // family, build settings, search settings, times
		if len(fields) != 5 {
			t.Fatalf("%q has %d fields", line, len(fields))
		}
		f, err := lookup(fields[0])
		if err != nil {
			t.Fatal(err)
		}
		j := &Job{Family: f, Build: settingsOf(t, f, f.Build, fields[1])}
		params := maps.Clone(j.Build)
		maps.Copy(params, settingsOf(t, f, f.Search, fields[2]))
		build, search := f.Work(CalibrationRows, dim, params)
		speeds[kindOf(j)] = speed{build: nanoseconds(t, fields[3]) / build, search: nanoseconds(t, fields[4]) / search}
	}
	return speeds
}

func nanoseconds(t *testing.T, text string) float64 {
	t.Helper()
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return float64(d)
}

// TestEstimateByWord wants a build of another word to be calibrated by itself, and one that cannot be to count as
// the first of its family.
func TestEstimateByWord(t *testing.T) {
	job := func(b indexes.Params) *Job { return &Job{Family: &indexes.Family{Name: "f"}, Build: b} }
	a := kindOf(job(indexes.Params{"factory": "Flat", "M": 4}))
	if b := kindOf(job(indexes.Params{"factory": "Flat", "M": 8})); a != b {
		t.Errorf("numbers alone differ: %q and %q", a, b)
	}
	if b := kindOf(job(indexes.Params{"factory": "HNSW32", "M": 4})); a == b {
		t.Errorf("words differ: both are %q", a)
	}
	opened, wide := map[string]int{}, "wide"
	family := &indexes.Family{
		Name: "f", Metrics: []vec.Metric{vec.L2}, Folder: "x",
		Build: []indexes.Param{{Name: "type", Kind: indexes.Word, Default: "plain", Words: []string{"plain", "slow", wide}}},
		Work:  func(n, dim int, _ indexes.Params) (float64, float64) { return float64(n), 1 },
		Bytes: func(n, dim int, _ indexes.Params) int64 { return 1 },
	}
	flat, err := indexes.Lookup("flat")
	if err != nil {
		t.Fatal(err)
	}
	family.Open = func(ctx context.Context, in indexes.BuildInput) (indexes.Index, error) {
		word := in.Params.Word("type")
		if opened[word]++; word == wide {
			return nil, errors.New("wants more vectors")
		}
		in.Params = nil
		return flat.OpenChecked(ctx, in)
	}
	set, err := dataset.OpenSet(testSet(t, 3000, 16, 30))
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	plan := &Plan{}
	for _, word := range []string{"plain", "slow", "slow", wide} {
		plan.Jobs = append(plan.Jobs, Job{Family: family, Metric: vec.L2, Threads: 1, Build: indexes.Params{"type": word}, Points: []Point{{K: 5}}})
	}
	e, err := EstimatePlan(t.Context(), testSweep(t, "- family: flat\n"), set, plan)
	if err != nil || len(e.Unknown) > 0 || !slices.Equal(e.Rough, []string{"f"}) {
		t.Errorf("%v, unknown %v, rough %v", err, e.Unknown, e.Rough)
	}
	if want := map[string]int{"plain": 1, "slow": 1, wide: 1}; !maps.Equal(opened, want) {
		t.Errorf("calibrated %v, not %v", opened, want)
	}
}

func TestDisturbances(t *testing.T) {
	dir := t.TempDir()
	write := func(path, text string) string {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	before, after := procfs.CPUStat{User: 10, Idle: 100, Iowait: 5}, procfs.CPUStat{User: 10.25, Nice: 0.5, System: 0.25, Idle: 102, Iowait: 6}
	if cores := busyCores(before, after, 2); cores != 0.5 { // one of four seconds
		t.Errorf("%v of 2 cores are busy", cores)
	}
	if cores := busyCores(after, after, 2); cores != 0 {
		t.Errorf("%v cores are busy when no time goes by", cores)
	}
	write("cpu0/cpufreq/scaling_governor", "performance\n")
	if g := governor(dir); g != "performance" {
		t.Errorf("governor %q", g)
	}
	write("cpu1/cpufreq/scaling_governor", "powersave\n")
	if g := governor(dir); g != "powersave" {
		t.Errorf("of two governors, the one that disturbs is %q", g)
	}
	if quota, ok := cpuQuota(write("cpu.max", "150000 100000\n")); !ok || quota != 1.5 {
		t.Errorf("quota %v, %v", quota, ok)
	}
	if _, ok := cpuQuota(write("cpu.max", "max 100000\n")); ok {
		t.Error("no limit counts as one")
	}
	if found := disturbances(1 << 20); !slices.ContainsFunc(found, func(s string) bool { return strings.Contains(s, "take turns") }) {
		t.Errorf("a million threads disturb nobody: %q", found)
	}
}

func FuzzSweep(f *testing.F) {
	f.Add("data: {rendered: {boards: 10}}\nfamilies: [{family: flat}]\n")
	f.Add("data:\n  images: x\nk: [1, 2]\nfamilies:\n  - family: forest\n    build: {trees: [1, 2]}\n")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := sweepfile.Parse("fuzz.yaml", []byte(text))
		if err != nil {
			return
		}
		if _, err := MakePlan(s, Shape{Digest: "d", Base: 100, Dim: 8}); err != nil {
			t.Errorf("a sweep that was accepted cannot be planned: %v", err)
		}
	})
}
