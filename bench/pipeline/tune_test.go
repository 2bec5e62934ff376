package pipeline_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"annbench/bench/metric"
	"annbench/bench/pipeline"
	"annbench/bench/record"
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
