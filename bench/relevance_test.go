package bench

import (
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"annbench/bench/dataset"
	"annbench/bench/dataset/collection"
	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/indexes/vec"
)

// shopSet has pairs of vectors, each of one garment, and beside them its colour and price. The colour is that of the
// cluster, so that neighbours share it.
func shopSet(t testing.TB, garments, queries int) string {
	t.Helper()
	dir := t.TempDir()
	const dim = 32
	w, err := collection.Create(filepath.Join(dir, "collection"), dim)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	r := rand.New(rand.NewPCG(5, 6))
	m := vec.NewMatrix(2*garments, dim)
	var items []collection.Item
	var things, colours, prices []string
	own := make([]float64, dim)
	for g := range garments {
		for j := range own {
			own[j] = 0.6 * r.NormFloat64()
		}
		for shot := range 2 {
			row := m.Row(2*g + shot)
			for j := range row {
				row[j] = float32(math.Sin(float64(g%5*dim+j)) + own[j] + 0.3*r.NormFloat64())
			}
			items = append(items, collection.Item{ID: fmt.Sprintf("g%d-%d", g, shot), Label: "dress"})
			things = append(things, fmt.Sprintf("g%d", g))
			colours = append(colours, []string{"red", "blue", "green", "black", "white"}[g%5])
			prices = append(prices, fmt.Sprint(10+g%50))
		}
	}
	if err := w.Append(items, m, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(nil); err != nil {
		t.Fatal(err)
	}
	c, err := collection.OpenFolder(filepath.Join(dir, "collection"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, column := range []struct {
		name  string
		texts []string
	}{{"garment", things}, {"colour", colours}, {"price", prices}} {
		if c.Attributes, err = c.Attributes.With(column.name, column.texts); err != nil {
			t.Fatal(err)
		}
	}
	set, err := dataset.Split(t.Context(), c, dataset.SplitConfig{Queries: queries, Seed: 1, Relevance: dataset.Relevance{
		Item: "garment", Gains: []dataset.Gain{{Attribute: "colour", Weight: 2}, {Attribute: "price", Weight: 1}},
	}}, dir)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// TestRunScoresByItemAndGrade measures a set with attributes: exact search loses nothing by any kind of relevance, a coarse
// index does, and the results folder says by what answers were judged.
func TestRunScoresByItemAndGrade(t *testing.T) {
	s := testSweep(t, "  - {family: flat}\n  - {family: forest, build: {trees: 1}, search: {search_k: 10}}\n")
	run := testRun(t, shopSet(t, 600, 100), s)
	if _, err := run.Do(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, r := range readRecords(t, run.Out) {
		if r.Status != record.OK {
			t.Fatalf("%s: %s", r.Cell.Family, r.Error)
		}
		for _, name := range []string{metric.ItemHit, metric.ItemRecall, metric.ItemMRR, metric.NDCG} {
			own, ok1 := r.Values[name]
			exact, ok2 := r.Values[name+metric.ExactSuffix]
			delta, ok3 := r.Values[name+metric.DeltaSuffix]
			if !ok1 || !ok2 || !ok3 || math.Abs(own-exact-delta) > 1e-9 {
				t.Errorf("%s at %d: %s is %v, exactly %v, difference %v", r.Cell.Family, r.Cell.K, name, own, exact, delta)
			}
			if r.Exact && delta != 0 || !r.Exact && name != metric.NDCG && delta >= 0 { // colours are those of clusters, which a coarse index finds as well
				t.Errorf("%s at %d loses %v of %s, with recall %v", r.Cell.Family, r.Cell.K, delta, name, r.Values[metric.Recall])
			}
		}
		if v := r.Values[metric.ItemPrefix+metric.WrongIndex]; r.Exact != (v == 0) {
			t.Errorf("%s is to blame for %v of the queries", r.Cell.Family, v)
		}
		if by := r.ByAttribute[metric.Agreement]; by["colour"] < r.ByAttribute[metric.AgreementChance]["colour"] {
			t.Errorf("%s: neighbours agree less than chance: %v", r.Cell.Family, r.ByAttribute)
		}
	}
	results, err := record.Open(run.Out)
	if err != nil {
		t.Fatal(err)
	}
	by := results.Dataset.Relevance
	if by == nil || by.Item != "garment" || by.ItemQueries == 0 || by.ItemQueries > 100 || by.GradedQueries != 100 || len(by.Gains) != 2 || by.Items > 600 {
		t.Errorf("relevance %+v", by)
	}
	if g := results.Gallery; g == nil || len(g.Same) != len(g.Queries) || g.Queries[0].Thing == "" || g.Queries[0].Attributes["colour"] == "" {
		t.Errorf("gallery %+v", g)
	}
}

// TestBands divides prices into fifths of the base.
func TestBands(t *testing.T) {
	base, query := inBands([]float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, math.NaN()}, []float64{0, 2.5, 10, 99, math.NaN()})
	for i, want := range []float64{0, 0, 1, 1, 2, 2, 3, 3, 4, 4} {
		if base[i] != want {
			t.Errorf("base %v", base)
		}
	}
	if !math.IsNaN(base[10]) || query[0] != 0 || query[1] != 1 || query[2] != 4 || query[3] != 4 || !math.IsNaN(query[4]) {
		t.Errorf("base %v, queries %v", base, query)
	}
}
