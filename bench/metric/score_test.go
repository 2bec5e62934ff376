package metric

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"annbench/indexes/vec"
)

// line is a base on a line, at 0, 1, 2, ..., 9, with the even ones of category "even".
func line() ScoreInput {
	in := ScoreInput{Metric: vec.L2, K: 3, Base: vec.NewMatrix(10, 1), Labels: []string{"even", "none", "odd"}}
	for i := range 10 {
		in.Base.Data[i] = float32(i)
		in.BaseLabels = append(in.BaseLabels, int32(i%2*2))
	}
	return in
}

// ask adds a query at x with its exact neighbours, found by sorting.
func (in *ScoreInput) ask(x float32, label int32, answers ...int32) {
	in.Queries.Data = append(in.Queries.Data, x)
	in.Queries.Rows++
	in.Queries.Dim = 1
	in.QueryLabels = append(in.QueryLabels, label)
	in.Answers = append(in.Answers, answers)
	in.truth()
}

// truth finds the exact neighbours of all queries by sorting.
func (in *ScoreInput) truth() {
	in.TruthIDs, in.TruthDistances = nil, nil
	for q := range in.Queries.Rows {
		ids := make([]int32, in.Base.Rows)
		for i := range ids {
			ids[i] = int32(i)
		}
		d := func(id int32) float64 { return in.Metric.Distance(in.Queries.Row(q), in.Base.Row(int(id))) }
		slices.SortStableFunc(ids, func(a, b int32) int {
			if d(a) < d(b) {
				return -1
			} else if d(a) > d(b) {
				return 1
			}
			return 0
		})
		distances := make([]float64, len(ids))
		for i, id := range ids {
			distances[i] = d(id)
		}
		in.TruthIDs, in.TruthDistances = append(in.TruthIDs, ids), append(in.TruthDistances, distances)
	}
}

func score(t *testing.T, in ScoreInput) (map[string]float64, map[string]map[string]float64, []string) {
	t.Helper()
	got, err := Score(in)
	if err != nil {
		t.Fatal(err)
	}
	values := got.Values
	for name, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			t.Errorf("%s is %v", name, v)
		}
		if _, ok := Lookup(name); !ok {
			t.Errorf("%s is not in the table", name)
		}
	}
	if delta, ok := values[MAPDelta]; ok {
		if values[MAPDeltaLo] > delta || values[MAPDeltaHi] < delta {
			t.Errorf("ΔmAP %v lies outside of its interval, %v to %v", delta, values[MAPDeltaLo], values[MAPDeltaHi])
		}
		delete(values, MAPDeltaLo) // drawn, not worked out
		delete(values, MAPDeltaHi)
	}
	for name, spread := range got.Spread {
		if _, ok := values[name]; !ok || !(spread >= 0) {
			t.Errorf("%s has the spread %v", name, spread)
		}
	}
	return values, got.ByLabel, got.Warnings
}

// want compares values with those worked out by hand.
func want(t *testing.T, got, want map[string]float64) {
	t.Helper()
	for name, w := range want {
		if g, ok := got[name]; !ok || !near(g, w) {
			t.Errorf("%s is %v, want %v", name, g, w)
		}
	}
	for name, g := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s is %v, want none", name, g)
		}
	}
}

func TestScoreByHand(t *testing.T) {
	in := line()
	// Neighbours of 4.1 are 4 (0.1), 5 (0.9), 3 (1.1). Two are found, and 7 (2.9) instead of 3.
	// Of its category, even, are 4 only: exact and found AP are both (1/1) over min(3, 5).
	in.ask(4.1, 0, 4, 5, 7)
	// Neighbours of 8.9 are 9 (0.1), 8 (0.9), 7 (1.9). Found in another order; 8 is even, so the
	// odd ones are at places 2 and 3: P@2 = 1/2, P@3 = 2/3; exact at 1 and 3: 1 and 2/3.
	in.ask(8.9, 2, 8, 9, 7)
	values, byLabel, warnings := score(t, in)
	ratio := (1 + 1 + 2.9/1.1 + 3) / 6
	want(t, roundRatio(values, ratio), map[string]float64{
		Recall: 5. / 6, RecallID: 5. / 6, RecallP1: 2. / 3, RecallP5: 2. / 3, RecallP50: 2. / 3, RecallZero: 0,
		Robust50: 1, Robust80: 1. / 2, Robust90: 1. / 2, Robust100: 1. / 2,
		DistRatio: ratio, AnswerCount: 3,
		MAP:      (1./3 + (1./2+2./3)/3) / 2,
		MAPList:  (1 + (1./2+2./3)/2) / 2,
		MAPR:     (1./5 + (1./2+2./3)/5) / 2,
		MAPExact: (1./3 + (1+2./3)/3) / 2,
		MAPDelta: ((1./2 + 2./3) - (1 + 2./3)) / 3 / 2,
		// APs: 1/3 and exactly 1/3; 7/18 and exactly 10/18.
		WrongEmbed: 1. / 2, WrongIndex: 1. / 2,
	})
	if len(warnings) > 0 {
		t.Errorf("warnings %q", warnings)
	}
	want(t, byLabel[Recall], map[string]float64{"even": 2. / 3, "odd": 1})
	want(t, byLabel[MAP], map[string]float64{"even": 1. / 3, "odd": (1./2 + 2./3) / 3})
}

// roundRatio takes the rounding of 4.1 and 8.9 to float32 out of the ratio.
func roundRatio(values map[string]float64, ratio float64) map[string]float64 {
	if math.Abs(values[DistRatio]-ratio) < 1e-5 {
		values[DistRatio] = ratio
	}
	return values
}

func TestScoreCountsNothingTwiceAndNothingForeign(t *testing.T) {
	in := line()
	in.ask(4.1, 0, 4, 4, 5)        // 4 twice
	in.ask(4.1, 0, -1, 10, 4)      // two that the base does not have; 4 keeps the third place
	in.ask(4.1, 0, 4, 5, 3, 2, 3)  // two beyond k, one of them repeated
	in.ask(4.1, 0)                 // nothing
	in.ask(4.1, -1, 4, 5, 3)       // no label
	in.ask(4.1, 1, 4, 5, 3)        // a label that the base does not have
	in.ask(4.1, 2, 1<<30, 5, 5, 5) // all of it
	values, byLabel, warnings := score(t, in)
	want(t, values, map[string]float64{
		Recall: (2. + 1 + 3 + 0 + 3 + 3 + 1) / 21, RecallID: (2. + 1 + 3 + 0 + 3 + 3 + 1) / 21,
		RecallP1: 0, RecallP5: 0, RecallP50: 2. / 3, RecallZero: 1. / 7,
		Robust50: 4. / 7, Robust80: 3. / 7, Robust90: 3. / 7, Robust100: 3. / 7,
		DistRatio: 1, AnswerCount: 13. / 7, WrongEmbed: 1, WrongIndex: 0,
		// AP: 1/3, (1/3)/3, 1/3, 0 for even, (1/2)/3 for odd; exactly 1/3 four times and (1/2+2/3)/3.
		MAP:      (1./3 + 1./9 + 1./3 + 0 + 1./6) / 5,
		MAPList:  (1. + 1./3 + 1 + 0 + 1./2) / 5,
		MAPR:     (1./5 + 1./15 + 1./5 + 0 + 1./10) / 5,
		MAPExact: (4./3 + 7./18) / 5,
		MAPDelta: (1./3+1./9+1./3+1./6)/5 - (4./3+7./18)/5,
	})
	want(t, byLabel[MAP], map[string]float64{"even": (1./3 + 1./9 + 1./3) / 4, "odd": 1. / 6})
	want(t, byLabel[Recall], map[string]float64{"even": 6. / 12, "none": 1, "odd": 1. / 3})
	wanted := []string{
		"3 answers to 2 queries are ids outside the base, and do not count: query 1, id -1 is the first",
		"2 answers to 2 queries are ids that the query was given already, and do not count: query 0, id 4 is the first",
		"2 of 7 queries were given more than the 3 answers asked for; what is beyond does not count",
		"ratio leaves out 4 of 7 queries: fewer than 3 answers, or an answer where an exact neighbour is at distance 0",
		"map leaves out 1 of 7 queries, which have no label",
		"map leaves out 1 of 7 queries: the base has nothing of their category",
	}
	if !slices.Equal(warnings, wanted) {
		t.Errorf("warnings\n%s\nwant\n%s", strings.Join(warnings, "\n"), strings.Join(wanted, "\n"))
	}
}

func TestScoreWithoutLabelsAndOfASmallBase(t *testing.T) {
	in := line()
	in.Labels, in.BaseLabels = nil, nil
	in.K = 50 // of 10
	in.ask(4.1, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
	in.QueryLabels = nil
	values, byLabel, warnings := score(t, in)
	want(t, values, map[string]float64{
		Recall: 1, RecallID: 1, RecallP1: 1, RecallP5: 1, RecallP50: 1, RecallZero: 0, DistRatio: 1, AnswerCount: 10,
		Robust50: 1, Robust80: 1, Robust90: 1, Robust100: 1,
	})
	if byLabel != nil || warnings != nil {
		t.Errorf("by label %v, warnings %q", byLabel, warnings)
	}
}

func TestScoreRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		spoil  func(in *ScoreInput)
		reason string
	}{
		{"the truth of another metric", func(in *ScoreInput) {
			for i, d := range in.TruthDistances[0] {
				in.TruthDistances[0][i] = 2 * d
			}
		}, "query 0: answer 4 is at distance 0.09999990463256836, the exact neighbour of that rank (1) at"},
		{"no such metric", func(in *ScoreInput) { in.Metric = "hamming" }, `no metric "hamming"`},
		{"k 0", func(in *ScoreInput) { in.K = 0 }, "k is 0"},
		{"no queries", func(in *ScoreInput) { in.Queries.Rows = 0 }, "0 queries"},
		{"another dimension", func(in *ScoreInput) { in.Base = vec.NewMatrix(5, 2) }, "queries of 1 dimensions, a base of 2"},
		{"answers missing", func(in *ScoreInput) { in.Answers = nil }, "1 queries, but 0 answers"},
		{"labels missing", func(in *ScoreInput) { in.BaseLabels = nil }, "labels of 0 base vectors"},
		{"a label without a name", func(in *ScoreInput) { in.QueryLabels[0] = 3 }, "label 3, of 3"},
		{"a short truth", func(in *ScoreInput) { in.TruthIDs[0] = in.TruthIDs[0][:2] }, "query 0 has 2 exact neighbours"},
		{"a foreign truth", func(in *ScoreInput) { in.TruthIDs[0][1] = 10 }, "has 10 as an exact neighbour"},
		{"a truth in disorder", func(in *ScoreInput) { in.TruthDistances[0][1] = 0 }, "not in the order"},
		{"a truth that is no number", func(in *ScoreInput) { in.TruthDistances[0][1] = math.NaN() }, "at distance NaN"},
		{"a base that is no number", func(in *ScoreInput) { in.Base.Data[4] = float32(math.NaN()) }, "must be finite"},
	} {
		in := line()
		in.ask(4.1, 0, 4, 5, 7)
		c.spoil(&in)
		_, err := Score(in)
		if err == nil || !strings.Contains(err.Error(), c.reason) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.reason)
		}
	}
}

// Two neighbours that float32 cannot tell apart may stand in either order.
func TestScoreForgivesRounding(t *testing.T) {
	in := ScoreInput{
		Metric: vec.Cosine, K: 1, Base: vec.Matrix{Data: []float32{1, 0, 1, 1e-5}, Rows: 2, Dim: 2},
		Queries: vec.Matrix{Data: []float32{1, 0}, Rows: 1, Dim: 2}, Answers: [][]int32{{0}},
		TruthIDs: [][]int32{{1}}, TruthDistances: [][]float64{{1e-5}},
	}
	values, _, _ := score(t, in)
	if values[Recall] != 1 {
		t.Errorf("recall %v, want 1", values[Recall])
	}
}

// The exact neighbours score 1 under every metric, and as much mAP as exact search; a random sample
// of the base never scores more.
func TestScoreOfExactSearch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		in := ScoreInput{
			Metric: rapid.SampledFrom(vec.Metrics).Draw(t, "metric"), K: rapid.IntRange(1, 12).Draw(t, "k"),
			Base: vec.NewMatrix(rapid.IntRange(1, 30).Draw(t, "rows"), 3), Queries: vec.NewMatrix(4, 3),
			Labels: []string{"a", "b", "c"},
		}
		for i := range in.Base.Data {
			in.Base.Data[i] = float32(rng.IntN(5)) - 2 // many ties
		}
		for i := range in.Queries.Data {
			in.Queries.Data[i] = float32(rng.IntN(5)) - 2
		}
		for range in.Base.Rows {
			in.BaseLabels = append(in.BaseLabels, int32(rng.IntN(4)-1))
		}
		for range in.Queries.Rows {
			in.QueryLabels = append(in.QueryLabels, int32(rng.IntN(4)-1))
		}
		in.truth()
		k := min(in.K, in.Base.Rows)
		for q := range in.Queries.Rows {
			in.Answers = append(in.Answers, in.TruthIDs[q][:k])
		}
		scores, err := Score(in)
		if err != nil {
			t.Fatal(err)
		}
		exact := scores.Values
		for _, name := range []string{Recall, RecallID, RecallP1, RecallP5, RecallP50} {
			if exact[name] != 1 {
				t.Fatalf("%s of exact search is %v", name, exact[name])
			}
		}
		if exact[MAP] != exact[MAPExact] || exact[RecallZero] != 0 || exact[AnswerCount] != float64(k) {
			t.Fatalf("exact search has %v", exact)
		}
		if ratio, ok := exact[DistRatio]; ok && ratio != 1 {
			t.Fatalf("ratio of exact search is %v", ratio)
		}
		for q := range in.Answers {
			in.Answers[q] = nil
			for range k {
				in.Answers[q] = append(in.Answers[q], int32(rng.IntN(in.Base.Rows+2)-1))
			}
		}
		if scores, err = Score(in); err != nil {
			t.Fatal(err)
		}
		random := scores.Values
		for q, row := range scores.Confusion {
			given := 0
			for _, n := range row {
				given += n
			}
			if given > k*in.Queries.Rows {
				t.Fatalf("category %d was given %d answers of %d", q, given, k*in.Queries.Rows)
			}
		}
		for name, v := range random {
			info, ok := Lookup(name)
			if !ok || math.IsNaN(v) || math.IsInf(v, 0) {
				t.Fatalf("%s is %v", name, v)
			}
			if name == MAPDelta || name == MAPDeltaLo || name == MAPDeltaHi {
				if math.Abs(v) > 1 { // random answers may have more mAP than near ones
					t.Fatalf("%s is %v", name, v)
				}
				continue
			}
			if info.Unit == Ratio && v < 0 || name != DistRatio && info.Unit == Ratio && v > 1 || name == DistRatio && v < 1 {
				t.Fatalf("%s is %v", name, v)
			}
		}
		if random[RecallID] > random[Recall] {
			t.Fatalf("recall by id %v above recall %v", random[RecallID], random[Recall])
		}
	})
}

func TestTable(t *testing.T) {
	seen := make(map[string]bool)
	for _, info := range Table {
		if seen[info.Name] {
			t.Errorf("%s stands twice", info.Name)
		}
		seen[info.Name] = true
		if info.Unit == "" || info.Title == "" || info.Doc == "" {
			t.Errorf("%s is not described", info.Name)
		}
	}
	if _, ok := Lookup("no such value"); ok {
		t.Error("Lookup finds what is not there")
	}
}

func BenchmarkScore(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	const rows, queries, dim, k = 50000, 1000, 512, 10
	in := ScoreInput{Metric: vec.Cosine, K: k, Base: vec.NewMatrix(rows, dim), Queries: vec.NewMatrix(queries, dim)}
	for i := range in.Base.Data {
		in.Base.Data[i] = rng.Float32()
	}
	for i := range in.Queries.Data {
		in.Queries.Data[i] = rng.Float32()
	}
	for range queries {
		ids, distances := make([]int32, k), make([]float64, k)
		for i := range ids {
			ids[i], distances[i] = int32(rng.IntN(rows)), float64(i)*1e-9
		}
		in.Answers, in.TruthIDs, in.TruthDistances = append(in.Answers, ids), append(in.TruthIDs, ids), append(in.TruthDistances, distances)
	}
	for b.Loop() {
		if _, err := Score(in); err != nil {
			b.Fatal(err)
		}
	}
}

// Answers that are not nearest first are named; those that tie, or nearly, have no order.
func TestScoreOfAnswersOutOfOrder(t *testing.T) {
	in := line()
	in.ask(2.2, 0, 2, 3, 1)
	in.ask(2.5, 0, 3, 2, 1)                      // 3 and 2 are as far
	in.ask(math.Nextafter32(2.5, 2), 0, 3, 2, 4) // 2 is nearer by a rounding
	in.ask(2.2, 0, 2, 1, 3)                      // 3 is nearer than 1
	in.ask(2.2, 0, 4, 3, 2)                      // twice
	in.ask(2.2, 0, 2, -1, 3)                     // what is no answer has no place
	scores, err := Score(in)
	if err != nil {
		t.Fatal(err)
	}
	if want := "the answers to 2 of 6 queries are not nearest first: query 3, id 3 is the first "; !strings.HasPrefix(scores.Disorder, want) {
		t.Errorf("%q, want %q...", scores.Disorder, want)
	}
	in = line()
	in.ask(2.2, 0, 2, 3, 1)
	if scores, err := Score(in); err != nil || scores.Disorder != "" {
		t.Error(err, scores.Disorder)
	}
}
