package tune

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"annbench/bench"
	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/indexes"
	"annbench/indexes/vec"
	"annbench/reports/judge"
)

// made is a family that exists as a formula: an index of n vectors with the build setting a answers a query in
// base·(1+|log2(a/best)|)·n^growth µs at the effort that its curve needs.
type made struct {
	base, best, growth float64
	typical            float64 // effort
	bytes              float64 // a vector
	fails              string
}

func (m made) family(name string) *indexes.Family {
	return &indexes.Family{
		Name: name, Metrics: []vec.Metric{vec.L2},
		Build:  []indexes.Param{{Name: "a", Kind: indexes.Int, Default: 16, Min: 1, Max: 1024}},
		Search: []indexes.Param{ef},
		Work: func(n, _ int, p indexes.Params) (build, search float64) {
			return float64(n), float64(p.Int("ef")) * math.Pow(float64(n), m.growth)
		},
		Bytes: func(n, _ int, _ indexes.Params) int64 { return int64(m.bytes * float64(n)) },
	}
}

// lab builds made families.
type lab struct {
	t        *testing.T
	rows     int
	families map[string]made
	builds   *[]string
}

func (l *lab) Shape() (rows, dim, queries int) { return l.rows, 8, 1000 }

func (l *lab) Build(ctx context.Context, f *indexes.Family, build, _ indexes.Params, _ time.Duration) (Trial, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	m := l.families[f.Name]
	*l.builds = append(*l.builds, fmt.Sprintf("%d %s %s", l.rows, f.Name, build))
	if m.fails != "" {
		return nil, &bench.BuildError{Status: record.Failed, Reason: m.fails}
	}
	off := 1 + math.Abs(math.Log2(float64(build.Int("a"))/m.best))
	each := m.base * off * math.Pow(float64(l.rows), m.growth) / m.typical * 1e-6
	return &madeTrial{curve: newCurve(1000, m.typical, 7), each: each, lab: l, bytes: m.bytes * float64(l.rows)}, nil
}

func (l *lab) Race(_ context.Context, a, b Trial) error {
	for _, t := range []Trial{a, b} {
		if t, ok := t.(*madeTrial); ok {
			if t.done {
				l.t.Error("an index was raced that had been given up")
			}
			if t.measured == 0 {
				l.t.Error("an index was raced that is not measured")
			}
		}
	}
	return nil
}

type madeTrial struct {
	*curve
	lab      *lab
	each     float64
	bytes    float64
	measured float64
	done     bool
}

func (m *madeTrial) Cost() map[string]float64 {
	return map[string]float64{metric.Build: 1e-6 * float64(m.lab.rows), metric.Resident: m.bytes}
}

func (m *madeTrial) Effective(p indexes.Params) indexes.Params { return p }

func (m *madeTrial) Try(ctx context.Context, p indexes.Params, n int) (bench.Tried, error) {
	t, err := m.try(ctx, p, n)
	t.Seconds = m.each * float64(p.Int("ef"))
	return t, err
}

func (m *madeTrial) Measure(_ context.Context, p indexes.Params) error {
	m.measured = m.each * float64(p.Int("ef"))
	return nil
}

func (m *madeTrial) Timed() metric.Observation {
	return metric.Observation{Value: m.measured, At: []int{0, 1}, Rounds: []float64{m.measured, m.measured}}
}

func (m *madeTrial) Finish(context.Context) error {
	if m.done {
		m.lab.t.Error("an index was given up twice")
	}
	m.done = true
	return nil
}

func race(t *testing.T, families map[string]made, rows int, limits ...judge.Limit) (*Race, *[]string) {
	t.Helper()
	var builds []string
	r := &Race{
		Question: Question{Limits: append([]judge.Limit{{Name: metric.Recall, Bound: 0.95}}, limits...), K: 10, Metric: vec.L2},
		Rows:     rows, Dim: 8, Sizes: Sizes(rows), Until: time.Now().Add(time.Hour), State: &State{Search: record.Search{Version: version}},
	}
	for _, name := range []string{"one", "two", "three", "four"} {
		if m, ok := families[name]; ok {
			r.Families = append(r.Families, m.family(name))
		}
	}
	r.Open = func(_ context.Context, n int) (Rung, error) { return &lab{t, n, families, &builds}, nil }
	return r, &builds
}

// TestRaceFindsTheBestBuild: the fastest family with the best build setting wins although it is not the fastest on
// samples, by fewer builds on the whole than there are settings.
func TestRaceFindsTheBestBuild(t *testing.T) {
	r, builds := race(t, map[string]made{
		"one":   {base: 5, best: 128, growth: 0.2, typical: 50, bytes: 10},
		"two":   {base: 1.5, best: 16, growth: 0.5, typical: 50, bytes: 10}, // the fastest on few vectors
		"three": {base: 300, best: 16, growth: 0.2, typical: 50, bytes: 10},
	}, 1_000_000)
	if err := r.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	all := r.Contenders(r.State.Results, r.Rows)
	if len(all) == 0 || all[0].Family != "one" || all[0].Build != "a=128" {
		t.Fatalf("contenders %v", names(all))
	}
	whole := 0
	for _, b := range *builds {
		if strings.HasPrefix(b, "1000000 ") {
			whole++
			if strings.Contains(b, "three") {
				t.Errorf("%s was built, though its family is far behind", b)
			}
		}
	}
	if whole > 12 {
		t.Errorf("%d builds on the whole: %q", whole, *builds)
	}
	if len(all) < 2 || !slices.ContainsFunc(all, func(x *Result) bool { return x.Family == "two" }) {
		t.Errorf("no runner-up of another family among %v", names(all))
	}
}

func names(all []*Result) (out []string) {
	for _, r := range all {
		out = append(out, r.Name())
	}
	return out
}

// TestRaceKeepsLimitsAndNamesFailures: a family that is too large or fails loses its turn, with the reason.
func TestRaceKeepsLimitsAndNamesFailures(t *testing.T) {
	r, _ := race(t, map[string]made{
		"one":  {base: 1, best: 16, growth: 0.1, typical: 50, bytes: 1000},
		"two":  {base: 5, best: 16, growth: 0.1, typical: 50, bytes: 10},
		"four": {fails: "killed"},
	}, 5000, judge.Limit{Name: metric.Resident, Bound: 100 * 5000})
	if err := r.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if best := r.Best(); best == nil || best.Family != "two" || !best.keeps(r.Limits) {
		t.Fatalf("the best is %+v", best)
	}
	why := map[string]string{}
	for _, f := range r.State.Failures() {
		why[f.Family] = f.Failed
	}
	if !strings.Contains(why["one"], "too large: about 4883 KiB by its formula, the limit is 488 KiB") || !strings.Contains(why["four"], "killed") {
		t.Errorf("failures: %v", why)
	}
}

// TestRaceGoesOn: a search that was stopped half-way and goes on builds nothing again but what it races against, and
// comes to the same end.
func TestRaceGoesOn(t *testing.T) {
	families := map[string]made{
		"one": {base: 5, best: 64, growth: 0.2, typical: 50, bytes: 10},
		"two": {base: 6, best: 16, growth: 0.2, typical: 50, bytes: 10},
	}
	whole, builds := race(t, families, 100_000)
	if err := whole.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	first, before := race(t, families, 100_000)
	ctx, cancel := context.WithCancel(t.Context())
	first.Save = func() error {
		if len(first.State.Results) == 7 {
			cancel()
		}
		return first.State.Save(dir)
	}
	if err := first.Run(ctx); err == nil {
		t.Fatal("it was not stopped")
	}
	second, after := race(t, families, 100_000)
	var err error
	if second.State, err = OpenState(dir, "", second.Families); err != nil {
		t.Fatal(err)
	}
	if err := second.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, r := range whole.State.Results {
		want = append(want, fmt.Sprint(r.Rows, r.Name()))
	}
	for _, r := range second.State.Results {
		got = append(got, fmt.Sprint(r.Rows, r.Name()))
	}
	if !slices.Equal(want, got) {
		t.Errorf("in one go: %q\nin two: %q", want, got)
	}
	if again := len(*before) + len(*after) - len(*builds); again > 2 {
		t.Errorf("%d builds more than in one go", again)
	}
}

// TestRaceOutOfTime: what there was no time for is named.
func TestRaceOutOfTime(t *testing.T) {
	r, builds := race(t, map[string]made{"one": {base: 5, best: 64, growth: 0.2, typical: 50, bytes: 10}}, 5000)
	r.Until = time.Now().Add(-time.Second)
	if err := r.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(*builds) != 1 || r.Best() == nil {
		t.Errorf("builds %q: want one, whatever the time", *builds)
	}
}

// TestOpenStateOfAnotherQuestion is an error that says what the folder holds.
func TestOpenStateOfAnotherQuestion(t *testing.T) {
	dir := t.TempDir()
	s := &State{Search: record.Search{Version: version, Asked: "recall 0.95"}}
	if err := s.Save(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenState(dir, "recall 0.99", nil); err == nil || !strings.Contains(err.Error(), "recall 0.95") {
		t.Errorf("error %v", err)
	}
}

// A short budget is spent on exact families and on cheap builds first.
func TestStartsCheapest(t *testing.T) {
	family := func(name string, exact bool, build float64) *indexes.Family {
		f := made{best: 16, typical: 16}.family(name)
		f.Exact = exact
		f.Work = func(int, int, indexes.Params) (float64, float64) { return build, 1 }
		return f
	}
	outside := family("outside", false, 0)
	outside.Work = nil
	r := Race{
		Question: Question{Metric: vec.L2, Families: []*indexes.Family{outside, family("graph", false, 1e9), family("lists", false, 1e7), family("flat", true, 1e8), family("tree", false, 1e6)}},
		Rows:     1000, Dim: 8, State: &State{},
	}
	var got []string
	for _, a := range r.starts(1000) {
		got = append(got, a.family.Name)
	}
	if want := []string{"flat", "tree", "lists", "graph", "outside"}; !slices.Equal(got, want) {
		t.Errorf("families start as %q, want %q", got, want)
	}
}
