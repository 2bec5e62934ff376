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
