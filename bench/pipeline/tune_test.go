package pipeline_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"annbench/bench/metric"
	"annbench/bench/pipeline"
	"annbench/bench/record"
	"annbench/bench/tune"
	"annbench/embedder"
	"annbench/indexes/external/host"
	"annbench/indexes/vec"
	"annbench/internal/usage"
	"annbench/reports/judge"
)

func tuneConfig(t *testing.T, limits ...judge.Limit) pipeline.TuneConfig {
	sweep := testSweep(t, "name: tuned\ndata: {synthetic: {n: 2400, dim: 16}}\nmetric: l2\nqueries: 100\ngallery: -1\nfamilies: [{family: flat}]\n")
	return pipeline.TuneConfig{
		Sweep: sweep, Limits: append([]judge.Limit{{Name: metric.Recall, Bound: 0.9}}, limits...), Objective: judge.Objective{Name: judge.Speed},
		Families: []string{"flat", "forest"}, Budget: 2 * time.Minute, Out: filepath.Join(t.TempDir(), "results"),
	}
}

// TestTune goes the whole way: a search, the answer measured on other queries, records of both, and a second call that
// finds everything there.
func TestTune(t *testing.T) {
	p := pipeline.Pipeline{Cache: t.TempDir()}
	c := tuneConfig(t)
	got, err := p.Tune(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if got.Pick.Best == nil || got.Failed != 0 {
		t.Fatalf("nothing was picked: %+v", got.Pick.Nearest)
	}
	for _, m := range got.Pick.Best.Margins {
		if !m.Keeps() {
			t.Errorf("the answer breaks a limit: %+v", m)
		}
	}
	answer, err := record.Open(c.Out)
	if err != nil {
		t.Fatal(err)
	}
	search, err := record.Open(filepath.Join(c.Out, record.SearchDir, "n2200"))
	if err != nil {
		t.Fatal(err)
	}
	if answer.Dataset.Digest == search.Dataset.Digest || answer.Dataset.Base != search.Dataset.Base || answer.Dataset.Queries != 100 {
		t.Errorf("the answer was measured on %+v, the search on %+v: want the same base, and other queries", answer.Dataset, search.Dataset)
	}
	families := map[string]bool{}
	for _, r := range answer.Records {
		families[r.Cell.Family] = true
		if r.Seed == search.Records[0].Seed {
			t.Errorf("%v was built with the seed of the search", r.Cell)
		}
	}
	if !families["flat"] || !families["forest"] {
		t.Errorf("measured anew: %v, want the answer beside exact search", families)
	}
	log, err := record.ReadSearch(c.Out)
	if err != nil || log == nil || !log.Done || len(log.Tries) < 4 {
		t.Fatalf("the log of the search: %+v, %v", log, err)
	}
	again, err := p.Tune(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if again.Pick.Best == nil || again.Pick.Best.Row.Cell != got.Pick.Best.Row.Cell {
		t.Errorf("a second call picks another setting: %+v", again.Pick.Best)
	}
	if after, err := record.ReadSearch(c.Out); err != nil || len(after.Tries) < len(log.Tries) {
		t.Errorf("a second call forgot what was tried: %v", err)
	}
	c.Limits[0].Bound = 0.95
	if _, err := p.Tune(t.Context(), c); err == nil || !usage.Is(err) || !strings.Contains(err.Error(), "--out") {
		t.Errorf("another question in the same folder: %v", err)
	}
}

// TestTuneWithoutAnAnswer: limits that nothing keeps end with the nearest setting, a budget too short for anything with
// what it takes.
func TestTuneWithoutAnAnswer(t *testing.T) {
	p := pipeline.Pipeline{Cache: t.TempDir()}
	got, err := p.Tune(t.Context(), tuneConfig(t, judge.Limit{Name: metric.Resident, Bound: 1000}))
	if err != nil {
		t.Fatal(err)
	}
	if got.Pick.Best != nil || got.Pick.Nearest == nil {
		t.Errorf("a limit of 1 kB: %+v", got.Pick)
	}
	short := tuneConfig(t)
	short.Budget = time.Second
	if _, err := p.Tune(t.Context(), short); err == nil || !usage.Is(err) || !strings.Contains(err.Error(), "--budget") {
		t.Errorf("a budget of a second: %v", err)
	}
	unknown := tuneConfig(t)
	unknown.Families = []string{"forrest"}
	if _, err := p.Tune(t.Context(), unknown); err == nil || !usage.Is(err) || !strings.Contains(err.Error(), `"forest"`) {
		t.Errorf("a family that does not exist: %v", err)
	}
}

// TestTuneBudgetBeginsAfterTheData: the time that embedding or drawing takes is not taken from the budget.
func TestTuneBudgetBeginsAfterTheData(t *testing.T) {
	if err := embedder.CanRun(); err != nil {
		t.Skip(err)
	}
	var before, began time.Time
	p := pipeline.Pipeline{Cache: t.TempDir(), Say: func(string) {}}
	p.Progress = func(what string, _, _ int, _ time.Duration) {
		if before.IsZero() && strings.HasPrefix(what, "embedding") {
			before = time.Now()
			time.Sleep(100 * time.Millisecond)
		}
	}
	c := tuneConfig(t)
	c.Families, c.Limits = []string{"flat"}, c.Limits[:1]
	c.Sweep = testSweep(t, "name: tuned\ndata: {images: '"+images(t)+"'}\nmetric: l2\nqueries: 4\ngallery: -1\nfamilies: [{family: flat}]\n")
	c.Watch = func(at tune.Progress) {
		if began.IsZero() {
			began = time.Now().Add(-at.Elapsed)
		}
	}
	if _, err := p.Tune(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if before.IsZero() || began.IsZero() || began.Sub(before) < 100*time.Millisecond {
		t.Errorf("embedding at %v, the budget began at %v", before, began)
	}
}

// A folder of images may be a link, and so may its categories.
func TestTuneSweepFollowsLinks(t *testing.T) {
	dir := t.TempDir()
	class := filepath.Join(dir, "elsewhere", "dress")
	linked := filepath.Join(dir, "linked")
	for _, d := range []string{class, linked} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(class, "1.jpg"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{filepath.Join(dir, "photos"): filepath.Join(dir, "elsewhere"), filepath.Join(linked, "dress"): class} {
		if err := os.Symlink(to, from); err != nil {
			t.Fatal(err)
		}
	}
	for _, folder := range []string{"elsewhere", "photos", "linked"} {
		sweep, err := pipeline.TuneSweep(filepath.Join(dir, folder))
		if err != nil || sweep.Data.Images == "" {
			t.Errorf("%s is taken for vectors: %+v (%v)", folder, sweep.Data, err)
		}
	}
}

// program is an external family that scans the first rows, as many as its search setting says; or one that ends while it
// builds.
func program(name string) {
	host.Main(host.Family{
		Library: "test", Version: "1", Metrics: []string{"l2"},
		Build: func(in host.Input) (host.Index, error) {
			if name == "crashes" {
				os.Exit(3)
			}
			return &firstRows{in: in, rows: in.Settings.Int("rows")}, nil
		},
	})
}

type firstRows struct {
	in   host.Input
	rows int
}

func (x *firstRows) Tune(s host.Settings) error { x.rows = s.Int("rows"); return nil }

func (x *firstRows) Search(q []float32, ids []int64) (int, error) {
	var top vec.TopK
	top.Reset(len(ids))
	for i := range min(x.rows, x.in.Rows) {
		top.Push(vec.Neighbor{ID: int32(i), Dist: vec.L2.Rank(q, x.in.Row(i))})
	}
	got := top.AppendTo(nil)
	for i, n := range got {
		ids[i] = int64(n.ID)
	}
	return len(got), nil
}

// externalFamily writes the folder of an external family whose program is this test binary.
func externalFamily(t *testing.T, name string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	text := "protocol: 1\nname: " + name + "\nlibrary: test\nlicence: MIT\napproach: lists\ndoc: For tests.\nmetrics: [l2]\n" +
		"run: [" + strconv.Quote(self) + ", program, " + name + "]\n" +
		"build:\n  - {name: spare, kind: word, default: a, words: [a, b], doc: without effect}\n" +
		"search:\n  - {name: rows, kind: integer, default: 10, min: 1, max: 1000000, doc: rows that are scanned}\n"
	if err := os.WriteFile(filepath.Join(dir, "family.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestTuneExternalFamilies: a family of another program is tuned by what its family.yaml says; one that crashes loses its
// turn and is named.
func TestTuneExternalFamilies(t *testing.T) {
	p := pipeline.Pipeline{Cache: t.TempDir()}
	c := tuneConfig(t)
	c.Families = []string{externalFamily(t, "first-rows"), externalFamily(t, "crashes")}
	got, err := p.Tune(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if got.Pick.Best == nil || got.Pick.Best.Row.Cell.Family != "first-rows" {
		t.Fatalf("picked %+v, nearest %+v", got.Pick.Best, got.Pick.Nearest)
	}
	// A recall of .9 takes nine tenths of the rows.
	if v, ok := got.Pick.Best.Row.Value(metric.Recall); !ok || v.Median < 0.9 || v.Median > 0.97 {
		t.Errorf("recall %v: the effort was not searched for", v.Median)
	}
	tried := map[string]bool{}
	for _, r := range got.State.Results {
		if r.Family == "first-rows" && r.OK() {
			tried[r.Build] = true
		}
	}
	if !tried["spare=a"] || !tried["spare=b"] {
		t.Errorf("builds %v, want all words of its setting", tried)
	}
	if failures := got.State.Failures(); len(failures) != 1 || failures[0].Family != "crashes" || !strings.Contains(failures[0].Failed, "exit code 3") {
		for _, f := range failures {
			t.Errorf("%d failures: %s: %s", len(failures), f.Family, f.Failed)
		}
		if len(failures) == 0 {
			t.Error("no failure of the family that crashes")
		}
	}
	answer, err := record.Open(c.Out)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(answer.Records, func(r record.Record) bool {
		return r.Cell.Family == "first-rows" && r.Status == record.OK && r.Seed != c.Sweep.Seed
	}) {
		t.Errorf("%d records, none of a fresh build of the external family", len(answer.Records))
	}
}

// TestTuneRefusesWhatTheDataLacks: a limit or an objective that the data has no answer to is named before anything is
// measured.
func TestTuneRefusesWhatTheDataLacks(t *testing.T) {
	p := pipeline.Pipeline{Cache: t.TempDir()}
	for name, word := range map[string]string{metric.ItemHit: "item", metric.NDCG: "attributes"} {
		limited, best := tuneConfig(t), tuneConfig(t)
		limited.Limits = []judge.Limit{{Name: name, Bound: 0.5}}
		best.Objective = judge.Objective{Name: name}
		for _, c := range []pipeline.TuneConfig{limited, best} {
			if _, err := p.Tune(t.Context(), c); err == nil || !usage.Is(err) || !strings.Contains(err.Error(), word) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// TestTuneInterruptedAtTheMap: what was measured is the answer, although the map is missing.
func TestTuneInterruptedAtTheMap(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	p := pipeline.Pipeline{Cache: t.TempDir()}
	p.Progress = func(what string, _, _ int, _ time.Duration) {
		if strings.HasPrefix(what, "drawing the map") {
			cancel()
		}
	}
	c := tuneConfig(t)
	c.Families = []string{"flat"}
	got, err := p.Tune(ctx, c)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	if got == nil || got.Report == nil || got.Pick.Best == nil || !got.State.Done {
		t.Errorf("the answer is lost: %+v", got)
	}
}
