package judge

import (
	"testing"

	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/reports/internal/fixture"
)

// Worked by hand: first:8 loses too much for sure, pca:8 may lose .02, int8 loses .005 at worst.
func TestTransforms(t *testing.T) {
	dir := fixture.Results(t)
	src := fixture.Load(t, func(dirs ...string) (*record.Results, error) { return record.Open(dirs[0]) }, dir)
	src.Dataset.Transforms = []record.Transform{{Name: "none", Dim: 16, Bytes: 64}, {Name: "pca:8", Dim: 8, Bytes: 32}, {Name: "int8", Dim: 16, Bytes: 16}, {Name: "first:2", Dim: 2, Bytes: 8}}
	add := func(transform string, exact bool, recall, worst float64) {
		rec := fixture.Cell("flat", "", 0, recall, 100)
		rec.Cell.Transform, rec.Exact = transform, exact
		rec.Cell.Dataset = src.Dataset.Digest
		rec.Values[metric.MAPDelta], rec.Values[metric.MAPDeltaLo], rec.Values[metric.MAPDeltaHi] = worst+.005, worst, .02
		src.Records = append(src.Records, rec)
	}
	add("", true, 1, 0)
	add("pca:8", false, .97, -.02)
	add("int8", false, .99, -.005)
	add("first:2", false, .5, -.3)
	r, err := Of(src)
	if err != nil {
		t.Fatal(err)
	}
	got := r.Transforms(r.Focus)
	if got == nil || len(got.Lines) != 4 {
		t.Fatalf("%+v", got)
	}
	if got.Nearest != 2 {
		t.Errorf("the smallest that finds the same is at %d; want 2 (int8)", got.Nearest)
	}
	if r.Focus.Transform != "" || got.Family != "flat" || got.Smallest != 2 {
		t.Errorf("focus %+v, family %s, smallest at %d; want the vectors as they are, flat and 2 (int8)", r.Focus, got.Family, got.Smallest)
	}
	for i, reaches := range []bool{true, true, true, false} {
		l := got.Lines[i]
		if l.Row == nil || (l.Fastest != nil) != reaches {
			t.Errorf("%s: row %v, fastest at the target %v", l.Name, l.Row, l.Fastest)
		}
	}
	src.Dataset.Transforms = nil
	if r.Transforms(r.Focus) != nil {
		t.Error("results of no transforms are compared by them")
	}
}
