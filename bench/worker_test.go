package bench

import (
	"testing"

	"annbench/bench/dataset"
	"annbench/indexes"
	"annbench/indexes/vec"
)

// A family without build settings, such as that of the how-to, is searched with its search settings.
func TestCheckedWithoutBuildSettings(t *testing.T) {
	dir := testSet(t, 40, 4, 5)
	set, err := dataset.OpenSet(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	w := &worker{order: order{Set: dir, Family: "forest", Metric: vec.L2, Threads: 1}, set: set}
	w.Points = []Point{{Search: indexes.Params{"search_k": 20}}}
	_, in, err := w.checked()
	if err != nil || in.Params["search_k"] != 20 {
		t.Errorf("%v, %v", in.Params, err)
	}
}
