package judge

import (
	"slices"
	"testing"

	"annbench/bench/metric"
	"annbench/reports/internal/fixture"
)

// Every cell is the best that a search over all rows by hand finds, within its time and of its build.
func TestCompression(t *testing.T) {
	r := fixture.Load(t, Load, fixture.Usual().Write(t))
	c := r.Compression(r.Focus)
	if c == nil {
		t.Fatal("no comparison of builds whose bytes a vector go from 146 to 2,867")
	}
	if !slices.IsSorted(c.Seconds) || !slices.IsSortedFunc(c.Builds, func(a, b CompressedBuild) int { return int(a.Bytes.Median - b.Bytes.Median) }) {
		t.Error("times or builds are not in order")
	}
	if first := c.Builds[0]; first.Family != "ivfpq-faiss" || int(first.Bytes.Median) != 1310000/9000 {
		t.Errorf("the smallest is %s of %v bytes a vector; want ivfpq-faiss of 1.31 MB over 9,000", first.Family, first.Bytes.Median)
	}
	found := 0
	for _, b := range c.Builds {
		for i, at := range b.At {
			want := 0.0
			for _, row := range r.Rows {
				recall, ok := row.Value(metric.Recall)
				speed, ok2 := row.Value(Speed)
				if ok && ok2 && row.Cell.Family == b.Family && row.Cell.Build == b.Build && 1/speed.Median <= c.Seconds[i]*(1+1e-9) {
					want = max(want, recall.Median)
				}
			}
			switch {
			case at.Row == nil && want != 0, at.Row != nil && at.Recall.Median != want:
				t.Errorf("%s %s within %v s: recall %v, want %v", b.Family, b.Build, c.Seconds[i], at.Recall.Median, want)
			case at.Row != nil:
				found++
			}
		}
	}
	if found < len(c.Builds) {
		t.Errorf("only %d cells of %d builds have a setting", found, len(c.Builds))
	}
}

// The best within so many bytes is what a search over all rows by hand finds; limits that part no builds are left out.
func TestCompressionWithin(t *testing.T) {
	r := fixture.Load(t, Load, fixture.Usual().Write(t))
	c := r.Compression(r.Focus)
	got := c.Within()
	if len(got) == 0 {
		t.Fatal("no best within 256 bytes of builds from 146 to 2,867")
	}
	for _, w := range got {
		high, fast := 0.0, 0.0
		for _, row := range r.Rows {
			bytes, ok := row.Value(metric.PerVector)
			recall, ok2 := row.Value(metric.Recall)
			speed, ok3 := row.Value(Speed)
			if !ok || !ok2 || !ok3 || TermsOf(row.Cell) != c.Terms || bytes.Median > w.Bytes {
				continue
			}
			if recall.Median > high || recall.Median == high && speed.Median > fast {
				high, fast = recall.Median, speed.Median
			}
		}
		recall, _ := w.Build.High.Value(metric.Recall)
		speed, _ := w.Build.High.Value(Speed)
		if recall.Median != high || speed.Median != fast {
			t.Errorf("within %v bytes: recall %v at %v a second, want %v at %v", w.Bytes, recall.Median, speed.Median, high, fast)
		}
	}
	c.Builds = slices.DeleteFunc(c.Builds, func(b CompressedBuild) bool { return b.Bytes.Median <= 512 })
	if got := c.Within(); len(got) != 0 {
		t.Errorf("%d limits, and every build is above all of them", len(got))
	}
}

// A build is compared at a recall as a family of its rows alone is; what pays for its bytes is faster than all that is
// smaller, and nothing that does is left out.
func TestCompressionAtEqualRecall(t *testing.T) {
	r := fixture.Load(t, Load, fixture.Usual().Write(t))
	c := r.Compression(r.Focus)
	if !slices.Equal(c.Targets, r.Targets) {
		t.Fatalf("targets %v, want those of the report, %v", c.Targets, r.Targets)
	}
	for i, target := range c.Targets {
		for _, b := range c.Builds {
			own := FamilyRows{Name: b.Family}
			for _, row := range r.Rows {
				if row.Cell.Family == b.Family && row.Cell.Build == b.Build {
					own.Rows = append(own.Rows, row)
				}
			}
			want := r.MatchRows(own, c.Terms, target, Speed)
			got := b.Equal[i]
			if got.Match.Reach != want.Reach || got.Match.Value.Median != want.Value.Median || got.Match.Setting != want.Setting || got.Out == want.Reached() {
				t.Errorf("%s %s at recall %v: %+v, want %+v", b.Family, b.Build, target, got.Match, want)
			}
			high, _ := b.High.Value(metric.Recall)
			if got.Out == (high.Median >= target) {
				t.Errorf("%s %s: the highest recall is %v; out of reach of %v: %v", b.Family, b.Build, high.Median, target, got.Out)
			}
		}
		front := c.Front(i)
		if len(front) == 0 || !slices.ContainsFunc(front, func(b CompressedBuild) bool { return b.Equal[i].Best }) {
			t.Errorf("recall %v: none of %d builds that pay is the fastest, or as fast", target, len(front))
		}
		for j, b := range front {
			if b.Equal[i].Out || j > 0 && (b.Bytes.Median < front[j-1].Bytes.Median || b.Equal[i].Match.Value.Median <= front[j-1].Equal[i].Match.Value.Median) {
				t.Errorf("recall %v: %s %s is no faster than what is smaller, or out of reach", target, b.Family, b.Build)
			}
		}
	}
}

// Of builds that are as fast but for a few per cent only the smallest pays.
func TestCompressionFront(t *testing.T) {
	at := func(bytes, speed, spread float64) CompressedBuild {
		var all []observation
		for rep := range 6 {
			all = append(all, observation{rep: rep, Observation: metric.Observation{Value: speed * (1 + spread*float64(rep-3))}})
		}
		v := summarize(Speed, all)
		return CompressedBuild{Bytes: Value{Median: bytes}, Equal: []EqualCell{{Match: Match{Reach: At, Value: v}}}}
	}
	out := at(1, 9, 0)
	out.Equal[0].Out = true
	c := Compression{Builds: []CompressedBuild{out, at(10, 100, 0.001), at(20, 101, 0.001), at(30, 200, 0.001), at(40, 150, 0.001)}}
	var got []float64
	for _, b := range c.Front(0) {
		got = append(got, b.Bytes.Median)
	}
	// Measured once, without rounds: nothing says how large the noise is.
	once := func(bytes, speed float64) CompressedBuild {
		v := summarize(Speed, []observation{{Observation: metric.Observation{Value: speed}}})
		return CompressedBuild{Bytes: Value{Median: bytes}, Equal: []EqualCell{{Match: Match{Reach: At, Value: v}}}}
	}
	single := Compression{Builds: []CompressedBuild{once(10, 100), once(20, 101)}}
	if n := len(single.Front(0)); n != 1 {
		t.Errorf("%d builds pay where the larger is faster by a hundredth, measured once; want 1", n)
	}
	if !slices.Equal(got, []float64{10, 30}) {
		t.Errorf("builds of %v bytes pay; want 10 and 30", got)
	}
}
