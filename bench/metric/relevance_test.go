package metric

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"annbench/indexes/vec"
)

func TestItemsFound(t *testing.T) {
	for _, c := range []struct {
		same     []bool
		k, total int
		want     FoundItems
	}{
		{[]bool{false, true, false, true}, 4, 3, FoundItems{Hit: 1, Recall: 2.0 / 3, RR: 0.5}},
		{[]bool{false, true, false, true}, 2, 3, FoundItems{Hit: 1, Recall: 0.5, RR: 0.5}},
		{[]bool{true}, 10, 1, FoundItems{Hit: 1, Recall: 1, RR: 1}},
		{[]bool{false, false}, 2, 5, FoundItems{}},
		{nil, 3, 1, FoundItems{}},
	} {
		if got := ItemsFound(c.same, c.k, c.total); got != c.want {
			t.Errorf("%v of %d, %d: %+v, want %+v", c.same, c.k, c.total, got, c.want)
		}
	}
}

// TestDCG: 3/log2(2) + 2/log2(3) + 0 + 1/log2(5), the example of the paper in its other form.
func TestDCG(t *testing.T) {
	want := 3 + 2/math.Log2(3) + 1/math.Log2(5)
	if got := DCG([]float64{3, 2, 0, 1}, 4); math.Abs(got-want) > 1e-12 {
		t.Errorf("%v, want %v", got, want)
	}
	if got := DCG([]float64{3, 2, 0, 1}, 1); got != 3 {
		t.Errorf("DCG@1 %v", got)
	}
}

var nan = math.NaN()

// shop has a base of five garments: colour (weight 2), pattern (weight 1), and whose photographs they are.
func shop() Relevance {
	return Relevance{
		Item: &Attribute{Name: "item", Base: []float64{0, 0, 1, 2, nan}, Query: []float64{0, 7, nan}},
		Graded: []Attribute{
			{Name: "colour", Weight: 2, Base: []float64{0, 1, 0, 1, nan}, Query: []float64{0, 1, nan}},
			{Name: "pattern", Weight: 1, Base: []float64{0, 0, 1, 1, 0}, Query: []float64{0, nan, nan}},
		},
	}
}

func TestJudge(t *testing.T) {
	j, err := NewJudge(shop(), nil, 3)
	if err != nil {
		t.Fatal(err)
	}
	// Query 0 is colour 0, pattern 0; gains: both 1, pattern alone 1/3, colour alone 2/3, none 0, pattern 1/3.
	for id, want := range []float64{1, 1.0 / 3, 2.0 / 3, 0, 1.0 / 3} {
		if got, ok := j.Gain(0, int32(id)); !ok || math.Abs(got-want) > 1e-12 {
			t.Errorf("gain of %d: %v, want %v", id, got, want)
		}
	}
	if got, ok := j.Gain(1, 1); !ok || got != 1 { // it has no pattern, so colour is all
		t.Errorf("gain without a pattern: %v %v", got, ok)
	}
	if _, ok := j.Gain(2, 0); ok {
		t.Error("a query without attributes has a gain")
	}
	if want := 1 + (2.0/3)/math.Log2(3) + (1.0/3)/2; math.Abs(j.ideal[0][2]-want) > 1e-12 || j.ideal[0][0] != 1 {
		t.Errorf("ideal %v, want %v at 3", j.ideal[0], want)
	}
	if j.ideal[2] != nil {
		t.Error("a query without attributes has an ideal order")
	}
	if j.Items(0) != 2 || j.Items(1) != 0 || j.Items(2) != 0 || !j.SameItem(0, 1) || j.SameItem(2, 4) {
		t.Errorf("items %v", j.items)
	}
	// Colour: of the two queries that have one, 2 of 5 base vectors each agree.
	if math.Abs(j.chance[0]-0.4) > 1e-12 || math.Abs(j.chance[1]-0.6) > 1e-12 {
		t.Errorf("chance %v", j.chance)
	}
	// Where queries stand in the base, a query is neither its own item nor in its ideal order.
	r := shop()
	r.Item.Query, r.Graded[0].Query, r.Graded[1].Query = r.Item.Base, r.Graded[0].Base, r.Graded[1].Base
	j, err = NewJudge(r, []int32{0, 1, 2, 3, 4}, 2)
	if err != nil {
		t.Fatal(err)
	}
	if j.Items(0) != 1 || j.Items(2) != 0 || math.Abs(j.ideal[0][0]-2.0/3) > 1e-12 {
		t.Errorf("itself is counted: %v %v", j.items, j.ideal[0])
	}
	r.Graded[1].Base = r.Graded[1].Base[1:]
	if _, err := NewJudge(r, nil, 2); err == nil {
		t.Error("attributes of different lengths")
	}
}

func TestCredited(t *testing.T) {
	in := ScoreInput{
		Metric: vec.L2, Base: vec.NewMatrix(30, 1), Queries: vec.NewMatrix(1, 1),
		TruthIDs: [][]int32{{5, 6, 7, 8}}, TruthDistances: [][]float64{{1, 2, 2, 3}},
	}
	for _, c := range []struct {
		name      string
		ids, want []int32
		distances []float64
	}{
		{"the same", []int32{5, 6, 7, 8}, []int32{5, 6, 7, 8}, []float64{1, 2, 2, 3}},
		{"tied in another order", []int32{5, 7, 6, 8}, []int32{5, 6, 7, 8}, []float64{1, 2, 2, 3}},
		{"a tie that exact search left out", []int32{5, 6, 7, 9}, []int32{5, 6, 7, 8}, []float64{1, 2, 2, 3}},
		{"one of two", []int32{5, 7, 8}, []int32{5, 6, 8}, []float64{1, 2, 3}},
		{"the first is missing", []int32{6, 7, 8}, []int32{7, 6, 8}, []float64{2, 2, 3}},
		{"others", []int32{20, -1, 21}, []int32{20, -1, 21}, []float64{1.5, 0, 9}},
		{"within the tolerance", []int32{20}, []int32{5}, []float64{1 + 1e-6}},
	} {
		var places []int
		var ids []int32
		var distances []float64
		for i, id := range c.ids {
			if id >= 0 {
				places, ids, distances = append(places, i), append(ids, id), append(distances, c.distances[i])
			}
		}
		if got := in.credited(0, len(c.ids), places, ids, distances); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// TestScoreByRelevance scores answers by item and grade against a base on a line: base vector i stands at i, the query at 0.
func TestScoreByRelevance(t *testing.T) {
	base, queries := vec.NewMatrix(5, 1), vec.NewMatrix(3, 1)
	for i := range base.Data {
		base.Data[i] = float32(i + 1)
	}
	j, err := NewJudge(shop(), nil, 3)
	if err != nil {
		t.Fatal(err)
	}
	truth := [][]int32{{0, 1, 2}, {0, 1, 2}, {0, 1, 2}}
	far := [][]float64{{1, 2, 3}, {1, 2, 3}, {1, 2, 3}}
	in := ScoreInput{
		Metric: vec.L2, K: 3, Base: base, Queries: queries, TruthIDs: truth, TruthDistances: far, Judge: j,
		Labels: []string{"dress"}, BaseLabels: make([]int32, 5), QueryLabels: make([]int32, 3),
		Answers: [][]int32{{2, 3, 4}, {0, 1, 2}, {0, 1, 2}},
	}
	got, err := Score(in)
	if err != nil {
		t.Fatal(err)
	}
	ideal := 1 + (2.0/3)/math.Log2(3) + (1.0/3)/2
	exact0 := (1 + (1.0/3)/math.Log2(3) + (2.0/3)/2) / ideal
	own0 := (2.0/3 + (1.0/3)/2) / ideal
	// Query 1 has colour 1 alone: base vectors 1 and 3 have it. Both lists have one of them, in place 2.
	q1 := (1 / math.Log2(3)) / (1 + 1/math.Log2(3))
	for name, want := range map[string]float64{
		ItemHit: 0, ItemHit + ExactSuffix: 1, ItemHit + DeltaSuffix: -1, ItemRecall + ExactSuffix: 1, ItemMRR + ExactSuffix: 1,
		NDCG: (own0 + q1) / 2, NDCG + ExactSuffix: (exact0 + q1) / 2, NDCG + DeltaSuffix: (own0 - exact0) / 2,
		ItemPrefix + WrongIndex: 1, ItemPrefix + WrongEmbed: 0, WrongIndex: 0, WrongEmbed: 0,
	} {
		if math.Abs(got.Values[name]-want) > 1e-12 {
			t.Errorf("%s is %v, want %v", name, got.Values[name], want)
		}
	}
	// Colour: query 0 has one of three that agree (2), query 1 one of three (1); exactly 0 and 2, and 1.
	want := map[string]map[string]float64{
		Agreement: {"colour": 1.0 / 3, "pattern": 1.0 / 3}, AgreementExact: {"colour": 0.5, "pattern": 2.0 / 3}, AgreementChance: {"colour": 0.4, "pattern": 0.6},
	}
	for kind, by := range want {
		for name, v := range by {
			if math.Abs(got.ByAttribute[kind][name]-v) > 1e-12 {
				t.Errorf("%s of %s is %v, want %v", kind, name, got.ByAttribute[kind][name], v)
			}
		}
	}
	if w := strings.Join(got.Warnings, "\n"); !strings.Contains(w, "item_hit leaves out 1 of 3 queries: of which nobody says") ||
		!strings.Contains(w, "the base has nothing of their item") || !strings.Contains(w, "ndcg leaves out 1 of 3 queries") {
		t.Errorf("warnings %q", got.Warnings)
	}
	if got.ByLabel[NDCG]["dress"] != got.Values[NDCG] || got.ByLabel[ItemPrefix+WrongIndex]["dress"] != 1 {
		t.Errorf("by label %v", got.ByLabel)
	}

	// Without a judge nothing of this is there.
	in.Judge = nil
	plain, err := Score(in)
	if err != nil {
		t.Fatal(err)
	}
	for name := range plain.Values {
		if strings.HasPrefix(name, ItemPrefix) || strings.HasPrefix(name, NDCG) {
			t.Errorf("%s without attributes", name)
		}
	}
	if plain.ByAttribute != nil || !reflect.DeepEqual(plain.ByLabel[MAP], got.ByLabel[MAP]) {
		t.Error("a judge changes what is judged by category")
	}
}

// TestTiesCostNothing: an index that answers other vectors at the same distances loses nothing by any kind of relevance.
func TestTiesCostNothing(t *testing.T) {
	base, queries := vec.NewMatrix(6, 1), vec.NewMatrix(1, 1)
	for i := range base.Data {
		base.Data[i] = float32(1 + i/3) // three at 1, three at 2
	}
	j, err := NewJudge(Relevance{
		Item:   &Attribute{Base: []float64{0, 1, 2, 3, 4, 5}, Query: []float64{0}},
		Graded: []Attribute{{Name: "colour", Weight: 1, Base: []float64{0, 1, 2, 0, 1, 2}, Query: []float64{0}}},
	}, nil, 4)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Score(ScoreInput{
		Metric: vec.L2, K: 4, Base: base, Queries: queries, Judge: j,
		TruthIDs: [][]int32{{0, 1, 2, 3}}, TruthDistances: [][]float64{{1, 1, 1, 2}},
		Answers: [][]int32{{2, 1, 0, 5}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{ItemHit, ItemRecall, ItemMRR, NDCG} {
		if d := got.Values[name+DeltaSuffix]; d != 0 {
			t.Errorf("the loss of %s is %v", name, d)
		}
	}
	if got.Values[ItemMRR] != 1 {
		t.Errorf("MRR %v", got.Values[ItemMRR])
	}
}
