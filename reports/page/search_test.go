package page

import (
	"path/filepath"
	"strings"
	"testing"

	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/internal/atomicfile"
	"annbench/reports/internal/fixture"
	"annbench/reports/judge"
)

// TestPageOfASearch: the headline is the answer to what was asked, not another one at the usual recall; what more would
// buy is a table each, with its knee; names are escaped.
func TestPageOfASearch(t *testing.T) {
	dir := fixture.Usual().Write(t)
	usual := Page(t, fixture.Load(t, judge.Load, dir))
	s := &record.Search{
		Limits: []record.Bound{{Name: metric.Recall, Bound: 0.97}}, Objective: judge.Speed, Quality: metric.Recall, Bound: 0.97,
		Rows: 100, Queries: 100, Done: true, Enough: 800,
	}
	for i, x := range []struct{ memory, seconds float64 }{{1e6, 1e-3}, {2e6, 1e-4}, {1e8, 8e-5}} {
		s.Tries = append(s.Tries, &record.Try{
			Rows: 100, Family: "<b>" + string(rune('a'+i)), Reached: true, Score: x.seconds, Cost: map[string]float64{metric.Resident: x.memory},
			Steps: []record.Step{{Search: "ef=1", Quality: 0.9 + float64(i)/100, Seconds: 1e-5 * float64(i+1)}},
		})
	}
	s.Tries = append(s.Tries, &record.Try{Rows: 100, Family: "hangs", Failed: "timeout: not done after 20s\nmore of it"})
	if err := atomicfile.WriteJSON(filepath.Join(dir, record.SearchFile), s); err != nil {
		t.Fatal(err)
	}
	p := Page(t, fixture.Load(t, judge.Load, dir))
	for _, want := range []string{
		"The fastest setting with recall ≥ 0.97", "Lost its turn: hangs: timeout: not done after 20s", "About 800 would do",
		"What more memory would buy", "&lt;b&gt;b (the knee", "What more recall would cost", `<pre class="setting">family: `,
	} {
		if !strings.Contains(p, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, bad := range []string{"<b>a", "more of it"} {
		if strings.Contains(p, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	if const95 := "at recall@10 0.95:"; !strings.Contains(usual, const95) || strings.Contains(p, const95) {
		t.Error("a page of a search must have one headline: its own; a page without one, the usual")
	}
}
