package say

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/reports/internal/fixture"
	"annbench/reports/judge"
)

// A family below the target says so, and one whose settings all find more marks its time as an upper end.
func TestEqualOutOfReach(t *testing.T) {
	r := fixture.Load(t, judge.Load, fixture.Results(t, fixture.Cell("low", "", 0, .6, 9e5), fixture.Cell("high", "", 0, .999, 700)))
	for i, want := range []string{"≤ 1.43 ms", "max 0.600"} {
		if got := Equals(r, r.Focus)[0].Lines[i].Cells[0].Text; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// Sizes above tables are in the unit that keeps them short, as everywhere.
func TestEqualMemoryHeads(t *testing.T) {
	r := fixture.Load(t, judge.Load, fixture.Usual().Write(t))
	base := float64(r.Source(r.Focus.Dataset).Dataset.Base)
	heads := 0
	for _, e := range r.Equals(r.Focus) {
		if e.By != metric.Resident {
			continue
		}
		for i, head := range equalBudget(r, e).Heads {
			if want := Short(Quantity(metric.PerVector, e.Amounts[i]/base)) + " a vector"; head.Small != want || strings.Contains(head.Small, ",") {
				t.Errorf("head %q, want %q", head.Small, want)
			}
			heads++
		}
	}
	if heads == 0 {
		t.Fatal("nothing is compared at equal memory")
	}
}

func TestCompressionWithin(t *testing.T) {
	r := fixture.Load(t, judge.Load, fixture.Usual().Write(t))
	c := r.Compression(r.Focus)
	said := CompressionOf(c).Within
	for _, w := range c.Within() {
		recall, _ := w.Build.High.Value(metric.Recall)
		if want := "within " + Short(Quantity(metric.PerVector, w.Bytes)) + " it is " + Ratio(recall.Median) + ", of " + w.Build.Family; !strings.Contains(said, want) {
			t.Errorf("%q does not say %q", said, want)
		}
	}
	c.Builds = c.Builds[len(c.Builds)-1:]
	if said := CompressionOf(c).Within; said != "" {
		t.Errorf("one build alone: %q", said)
	}
}

func TestEqualMarksTies(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	var records []record.Record
	for rep := range 6 {
		moment := math.Exp(rng.NormFloat64() * 0.2) // disturbs all of a repetition
		own := func() float64 { return math.Exp(rng.NormFloat64() * 0.01) }
		records = append(
			records,
			fixture.Cell("fast", "", rep, .96, 1000*moment*own()), fixture.Cell("same", "", rep, .96, 999*moment*own()), fixture.Cell("slow", "", rep, .96, 800*moment*own()),
		)
	}
	r := fixture.Load(t, judge.Load, fixture.Results(t, records...))
	r.Targets = []float64{.95}
	e := Equals(r, r.Focus)[0]
	marks := map[string]bool{}
	for _, l := range e.Lines {
		marks[l.Family] = l.Cells[0].Best
	}
	if !marks["fast"] || !marks["same"] || marks["slow"] {
		t.Errorf("best are %v: repetitions are disturbed together, so that 20 %% less is told apart and 0.1 %% is not", marks)
	}
}

// Recall and time of a cell are of one setting: the fastest that comes up to the target, else that of highest recall.
func TestEqualBudgets(t *testing.T) {
	with := func(rec record.Record, resident, build float64) record.Record {
		rec.Values[metric.Resident], rec.Values[metric.Build] = resident, build
		return rec
	}
	// 100 vectors of 4 dimensions: 1,600 bytes.
	r := fixture.Load(t, judge.Load, fixture.Results(
		t,
		with(fixture.Cell("flat", "", 0, 1, 10), 1700, .001), with(fixture.Cell("small", "", 0, .5, 500), 100, 5), with(fixture.Cell("large", "", 0, .99, 400), 4000, 50),
		with(fixture.Cell("large", "more", 0, .9999, 40), 4000, 50),
	))
	equals := Equals(r, r.Focus)
	if len(equals) != 3 {
		t.Fatalf("%d comparisons, want recall, memory and build", len(equals))
	}
	text := func(e *Equal, family string) string {
		var out []string
		for _, l := range e.Lines {
			if l.Family == family {
				for i, c := range l.Cells {
					mark := ""
					if c.Best {
						mark = "*"
					}
					out = append(out, strings.TrimSpace(e.Heads[i].Title+": "+mark+c.Text+" "+c.Small))
				}
			}
		}
		return strings.Join(out, ", ")
	}
	for _, c := range []struct {
		of           int
		family, want string
	}{
		{1, "flat", "≤ 100 B: –, ≤ 1.72 KiB: *1.000 100 ms, ≤ 4.69 KiB: 1.000 100 ms"},
		{1, "small", "≤ 100 B: *0.500 2.00 ms, ≤ 1.72 KiB: 0.500 2.00 ms, ≤ 4.69 KiB: 0.500 2.00 ms"},
		{1, "large", "≤ 100 B: –, ≤ 1.72 KiB: –, ≤ 4.69 KiB: *0.990 2.50 ms"},
		{2, "small", "≤ 10 ms: –, ≤ 10 s: 0.500 2.00 ms, ≤ 60 s: 0.500 2.00 ms"},
	} {
		if got := text(equals[c.of], c.family); got != c.want {
			t.Errorf("%s: %s is %q, want %q", equals[c.of].Title, c.family, got, c.want)
		}
	}
}
