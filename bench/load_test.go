package bench

import (
	"errors"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"annbench/bench/metric"
	"annbench/indexes/vec"
)

// slowIndex takes the same time for every answer, and a long one for some.
type slowIndex struct {
	each, stall time.Duration
	every       int64 // every so many searches stall
	asked       atomic.Int64
}

func (x *slowIndex) Search(dst []vec.Neighbor, _ []float32, _ int) ([]vec.Neighbor, error) {
	wait := x.each
	if n := x.asked.Add(1); x.every > 0 && n%x.every == 0 {
		wait = x.stall
	}
	for start := time.Now(); time.Since(start) < wait; {
	}
	return dst, nil
}
func (*slowIndex) Close() error { return nil }

// brokenIndex answers some queries, then fails.
type brokenIndex struct{ left atomic.Int64 }

var errBroken = errors.New("broken")

func (x *brokenIndex) Search(dst []vec.Neighbor, _ []float32, _ int) ([]vec.Neighbor, error) {
	if x.left.Add(-1) < 0 {
		return dst, errBroken
	}
	return dst, nil
}
func (*brokenIndex) Close() error { return nil }

// A stall of 40 ms holds up what arrives meanwhile. A closed loop would see one slow answer in 50; the
// queries that were due in those 40 ms waited too, and must show.
func TestOpenLoopCountsTheWait(t *testing.T) {
	ix := &slowIndex{each: 10 * time.Microsecond, stall: 40 * time.Millisecond, every: 50}
	values, warnings, err := openLoop(ix, testMatrix(10, 4), 1, 1, 500, time.Second, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("warnings %q", warnings) // a busy machine may fall behind by itself
	// Of 500 queries, 10 stall and each holds up about 20 more, for 20 ms on average.
	if p90 := values[metric.P90]; p90 < 0.005 {
		t.Errorf("p90 is %v s: the queries that waited behind a stall are left out", p90)
	}
	if values[metric.P999] < 0.039 {
		t.Errorf("p99.9 is %v s, below one stall", values[metric.P999])
	}
	if values[metric.P50] > values[metric.P90] || values[metric.P90] > values[metric.P99] {
		t.Errorf("percentiles fall: %v", values)
	}
}

func TestOpenLoopThatCannotKeepUp(t *testing.T) {
	ix := &slowIndex{each: 10 * time.Millisecond} // 100 a second
	values, warnings, err := openLoop(ix, testMatrix(10, 4), 1, 1, 1000, 100*time.Millisecond, 1)
	if err != nil {
		t.Fatal(err)
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], "cannot keep up") {
		t.Errorf("warnings %q", warnings)
	}
	// Some 80 of 100 never get their answer; they count as having waited for up to twice the time.
	if values[metric.P50] < 0.05 {
		t.Errorf("p50 is %v s: what was not answered is left out", values[metric.P50])
	}
}

func TestArrivalsComeAtTheRate(t *testing.T) {
	due := arrivals(1000, 10*time.Second, 7)
	// A Poisson count of 10,000 has a standard deviation of 100.
	if n := float64(len(due)); math.Abs(n-10000) > 500 {
		t.Errorf("%v arrivals in 10 s at 1000/s", n)
	}
	for i := 1; i < len(due); i++ {
		if due[i] < due[i-1] {
			t.Fatal("arrivals are not in order")
		}
	}
	again := arrivals(1000, 10*time.Second, 7)
	if len(again) != len(due) || again[99] != due[99] {
		t.Error("the same seed gives other arrivals")
	}
	if len(arrivals(0.001, time.Millisecond, 1)) != 1 {
		t.Error("there must be one arrival at least")
	}
}

func TestClosedLoopCountsEverySearch(t *testing.T) {
	ix := &slowIndex{}
	const lasting = 50 * time.Millisecond
	began := time.Now()
	qps, err := closedLoop(ix, testMatrix(10, 4), 1, 2, lasting)
	took := time.Since(began)
	if err != nil {
		t.Fatal(err)
	}
	asked := float64(ix.asked.Load())
	if most, least := asked/lasting.Seconds(), asked/took.Seconds(); qps > most || qps < least {
		t.Errorf("%v a second, for %v searches in between %v and %v", qps, asked, lasting, took)
	}
}

func TestLoopsEndWithTheIndexError(t *testing.T) {
	queries := testMatrix(10, 4)
	for name, loop := range map[string]func(*brokenIndex) error{
		"closed": func(x *brokenIndex) error { _, err := closedLoop(x, queries, 1, 2, time.Minute); return err },
		"open":   func(x *brokenIndex) error { _, _, err := openLoop(x, queries, 1, 2, 1e4, time.Minute, 1); return err },
	} {
		x := &brokenIndex{}
		x.left.Store(100)
		if err := loop(x); !errors.Is(err, errBroken) {
			t.Errorf("%s loop: %v", name, err)
		}
	}
}
