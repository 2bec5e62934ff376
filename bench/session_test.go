package bench

import (
	"errors"
	"math"
	"strings"
	"testing"

	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/indexes"
)

func family(t *testing.T, name string) *indexes.Family {
	t.Helper()
	f, err := lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func defaults(t *testing.T, f *indexes.Family) (build, search indexes.Params) {
	t.Helper()
	build, err := f.Settings(f.Build, nil)
	if err != nil {
		t.Fatal(err)
	}
	if search, err = f.Settings(f.Search, nil); err != nil {
		t.Fatal(err)
	}
	return build, search
}

// openSession is a session of the run, which ends with the test.
func openSession(t *testing.T, r *Run) *Session {
	t.Helper()
	s, err := r.Session(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// TestSessionTriesAndMeasures: what is tried leaves no record and finds what a measured point finds; what is
// measured is a record as [Run.Do] writes them.
func TestSessionTriesAndMeasures(t *testing.T) {
	r := testRun(t, testSet(t, 600, 24, 50), testSweep(t, "- family: flat\n"))
	r.Sweep.Gallery = -1
	s := openSession(t, r)
	f := family(t, "forest")
	build, search := defaults(t, f)
	x, err := s.Build(t.Context(), f, Server{}, build, search, 10, 0)
	if err != nil {
		t.Fatal(err)
	}
	if cost := x.Cost(); cost[metric.Build] <= 0 || cost[metric.Serialized] <= 0 {
		t.Errorf("the build cost %v", cost)
	}
	last := -1.0
	for _, searchK := range []int{10, 40, 1000} {
		tried, err := x.Try(t.Context(), indexes.Params{"search_k": searchK}, 50)
		if err != nil {
			t.Fatal(err)
		}
		if tried.Queries != 50 || tried.Seconds <= 0 || tried.Values[metric.Recall] < last || tried.Values[metric.MAP] <= 0 {
			t.Errorf("search_k %d: %+v after a recall of %v", searchK, tried, last)
		}
		last = tried.Values[metric.Recall]
	}
	if n := len(readRecords(t, r.Out)); n != 0 {
		t.Fatalf("tries left %d records", n)
	}
	flat := family(t, "flat")
	build, search = defaults(t, flat)
	anchor, err := s.Build(t.Context(), flat, Server{}, build, search, 10, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, point := range []struct {
		x      *Trial
		search indexes.Params
	}{{anchor, search}, {x, indexes.Params{"search_k": 40}}, {x, indexes.Params{"search_k": 40}}, {x, indexes.Params{"search_k": 1000}}} {
		if _, err := point.x.Point(t.Context(), point.search); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Rounds(t.Context(), anchor, x); err != nil {
		t.Fatal(err)
	}
	a, b := anchor.Timed(0), x.Timed(0)
	if c := metric.Compare([]metric.Observation{a}, []metric.Observation{b}, metric.Logarithmic, true); !c.OK || c.Difference <= 0 {
		t.Errorf("the two do not compare: %+v", c)
	}
	for _, x := range []*Trial{anchor, x} {
		if err := x.Finish(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	records := readRecords(t, r.Out)
	if len(records) != 3 {
		t.Fatalf("%d records, want 3: a point that comes twice is one", len(records))
	}
	for _, rec := range records {
		if rec.Status != record.OK || rec.Values[metric.CPU] <= 0 || rec.Rounds == nil || rec.Values[metric.Resident] == 0 {
			t.Errorf("%v: %s %v", rec.Cell, rec.Status, rec.Values)
		}
		if rec.Cell.Search == "search_k=1000" && rec.Values[metric.Recall] != last {
			t.Errorf("a measured recall of %v, a tried one of %v", rec.Values[metric.Recall], last)
		}
	}
}

// TestSessionOutlivesFailures: a build that crashes, hangs or fails is an error with its reason and a record, and
// the session goes on.
func TestSessionOutlivesFailures(t *testing.T) {
	r := testRun(t, testSet(t, 300, 8, 20), testSweep(t, "- family: flat\n"))
	r.Sweep.Gallery = -1
	s := openSession(t, r)
	f := family(t, "forest")
	build, search := defaults(t, f)
	for _, do := range []task{doBuild, doTry} {
		t.Setenv(faultVariable, `kill@{"do":"`+string(do)+`"`)
		_, err := s.Build(t.Context(), f, Server{}, build, search, 10, 0)
		var failed *BuildError
		if !errors.As(err, &failed) || failed.Status != record.Failed || !strings.Contains(failed.Reason, "killed") {
			t.Errorf("%s: error %v", do, err)
		}
		t.Setenv(faultVariable, "")
	}
	if records := readRecords(t, r.Out); len(records) != 2 || records[0].Status != record.Failed {
		t.Errorf("%d records of two failures", len(records))
	}
	x, err := s.Build(t.Context(), f, Server{}, build, search, 10, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Finish(t.Context()); err != nil {
		t.Errorf("ending an index on which nothing was measured: %v", err)
	}
	if records := readRecords(t, r.Out); len(records) != 2 {
		t.Errorf("an index without points left records: %d", len(records))
	}
}

// TestSessionInAnEngine: an index in a server is tried and measured as any other, by the clock on the wall, and nothing of
// it is left there, also where a search fails.
func TestSessionInAnEngine(t *testing.T) {
	e := startFarEngine(t)
	r := testRun(t, testSet(t, 300, 8, 20), testSweep(t, "- family: flat\n"))
	r.Sweep.Gallery = -1
	s, err := r.Session(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	server, err := e.find("farengine", "", 1)
	if err != nil {
		t.Fatal(err)
	}
	f := family(t, "far")
	build, search := defaults(t, f)
	x, err := s.Build(t.Context(), f, server, build, search, 10, 0)
	if err != nil {
		t.Fatal(err)
	}
	if cost := x.Cost(); !(cost[metric.Build] > 0) || cost[metric.Serialized] != 12345 {
		t.Errorf("the build cost %v", cost)
	}
	tried, err := x.Try(t.Context(), search, 20)
	if err != nil || tried.Values[metric.Recall] != 1 || !(tried.Seconds > 0) {
		t.Errorf("tried: %+v, %v", tried, err)
	}
	if _, err := x.Point(t.Context(), search); err != nil {
		t.Fatal(err)
	}
	if err := s.Rounds(t.Context(), x); err != nil {
		t.Fatal(err)
	}
	if o := x.Timed(0); !(o.Value > 0) {
		t.Errorf("timed: %+v", o)
	}
	if err := x.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	records := readRecords(t, r.Out)
	if len(records) != 1 || records[0].Status != record.OK || !strings.HasPrefix(records[0].Server, "farengine 7 at "+e.address()) || !(records[0].Values[metric.Mean] > 0) {
		t.Errorf("records %+v", records)
	}
	x, err = s.Build(t.Context(), f, server, build, search, 10, 0)
	if err != nil {
		t.Fatal(err)
	}
	var failed *BuildError
	if _, err := x.Try(t.Context(), indexes.Params{"how": "badly"}, 20); !errors.As(err, &failed) || !strings.Contains(failed.Reason, "shard 3 is on fire") {
		t.Errorf("a search that fails: %v", err)
	}
	if err := x.Finish(t.Context()); err != nil {
		t.Errorf("ending it: %v", err)
	}
	if len(e.held) != 0 || e.most != 1 {
		t.Errorf("%d indexes are left in the engine, %d at most at once", len(e.held), e.most)
	}
}

// TestSessionJudges: what is tried is judged by item and grade as what is measured is, although its queries come in another
// order.
func TestSessionJudges(t *testing.T) {
	r := testRun(t, shopSet(t, 300, 60), testSweep(t, "- family: flat\n"))
	r.Sweep.Gallery = -1
	s := openSession(t, r)
	f := family(t, "forest")
	build, search := defaults(t, f)
	search["search_k"] = 10
	x, err := s.Build(t.Context(), f, Server{}, build, search, 5, 0)
	if err != nil {
		t.Fatal(err)
	}
	tried, err := x.Try(t.Context(), search, 60)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x.Point(t.Context(), search); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Rounds(t.Context(), x), x.Finish(t.Context())); err != nil {
		t.Fatal(err)
	}
	records := readRecords(t, r.Out)
	if len(records) != 1 {
		t.Fatalf("%d records", len(records))
	}
	for _, name := range []string{metric.ItemHit, metric.ItemMRR, metric.NDCG} {
		want, ok := records[0].Values[name]
		if got := tried.Values[name]; !ok || math.Abs(got-want) > 1e-9 || !(want > 0) || !(want < 1) {
			t.Errorf("%s: tried %v, measured %v", name, got, want)
		}
	}
}
