package indexes

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"annbench/indexes/vec"
)

// traits are what the conformance test has to know of a family beyond what Family says.
type traits struct {
	// Settings at which the family should do well, and the recall@10 that it must then reach on
	// clustered vectors.
	generous Params
	floor    float64
	// Two builds from one seed, a saved and a loaded index, and searches side by side give the same
	// answers.
	repeatable bool
	// The rank values of answers are estimates, not distances.
	estimates bool
	// What is wrong with removing in the library, which is as it is: its updates are not tested.
	brokenRemoval string
}

// conformance has a row for each family of which more can be asked than of usual: at its default
// settings a recall@10 of usualFloor, on 3,000 clustered vectors.
var conformance = map[string]traits{
	"flat":            {floor: 1, repeatable: true},
	"flat-faiss":      {floor: 1, repeatable: true},
	"ivfflat-faiss":   {generous: Params{"nlist": 16, "nprobe": 16}, floor: 0.99, repeatable: true},
	"ivfpq-faiss":     {generous: Params{"nlist": 4, "m": 8, "nprobe": 4}, floor: 0.5, repeatable: true, estimates: true},
	"ivfpqfs-faiss":   {generous: Params{"nlist": 4, "m": 8, "nprobe": 4, "k_factor": 30}, floor: 0.95, repeatable: true},
	"ivfsq-faiss":     {generous: Params{"nlist": 4, "nprobe": 4}, floor: 0.95, repeatable: true, estimates: true},
	"ivfrabitq-faiss": {generous: Params{"nlist": 4, "nprobe": 4, "k_factor": 20}, floor: 0.95, repeatable: true},
	"hnswsq-faiss":    {generous: Params{"M": 16, "efConstruction": 100, "efSearch": 200}, floor: 0.9, repeatable: true, estimates: true},
	"faiss":           {generous: Params{"factory": "IVF4,PQ8x4fs,RFlat", "nprobe": 4, "k_factor_rf": 30}, floor: 0.95, repeatable: true},
	"hnsw-faiss":      {generous: Params{"M": 16, "efConstruction": 100, "efSearch": 200}, floor: 0.95, repeatable: true},
	"exact":           {floor: 1, repeatable: true},
	"hnsw":            {generous: Params{"M": 16, "efConstruction": 100, "ef": 200, "codes": true}, floor: 0.95, repeatable: true},
	// A search of hnsw-coder enters its graph at a random node, so nothing of it can be repeated; and
	// its recall is what it is.
	"hnsw-coder": {generous: Params{"fetch": 100}, floor: 0.01, brokenRemoval: "it answers with vectors that were removed, or ends in a nil pointer"},
	// The server draws its own chance, so no two builds are alike.
	"flat-pgvector":    {floor: 1, repeatable: true},
	"ivfflat-pgvector": {generous: Params{"lists": 16, "probes": 16}, floor: 0.99},
	"hnsw-pgvector":    {generous: Params{"m": 16, "ef_construction": 100, "ef_search": 200}, floor: 0.95},
	"forest":           {generous: Params{"trees": 2, "leaf": 32, "search_k": 1000}, floor: 0.95, repeatable: true},
	// Vectors are added side by side, so that no two graphs are the same.
	"weaviate": {generous: Params{"M": 16, "efConstruction": 100, "ef": 200}, floor: 0.95},
}

const usualFloor = 0.9

func TestConformance(t *testing.T) {
	// The family of docs/howto/add-an-index-family.md stands beside those of the table.
	for _, f := range append(Families(), prefixFamily()) {
		t.Run(f.Name, func(t *testing.T) {
			row, ok := conformance[f.Name]
			if !ok {
				row.floor = usualFloor
			}
			testDescription(t, f)
			if f.Missing != "" {
				t.Skip(f.Missing)
			}
			address := engineAddress(t, f)
			for _, metric := range f.Metrics {
				t.Run(string(metric), func(t *testing.T) {
					c := &conforming{Family: f, traits: row, metric: metric, address: address}
					t.Run("answers", c.testAnswers)
					t.Run("refusals", c.testRefusals)
					t.Run("small", c.testSmall)
					t.Run("degenerate", c.testDegenerate)
					t.Run("recall", c.testRecall)
					t.Run("repeated", c.testRepeated)
					t.Run("concurrent", c.testConcurrent)
					t.Run("batch", c.testBatch)
					t.Run("tune", c.testTune)
					t.Run("effective", c.testEffective)
					t.Run("among", c.testAmong)
					t.Run("updates", c.testUpdates)
					t.Run("saved", c.testSaved)
					t.Run("closed", c.testClosed)
					t.Run("stopped", c.testStopped)
				})
			}
		})
	}
}

// testDescription checks what every build says of a family, whether or not it has it.
func testDescription(t *testing.T, f *Family) {
	if f.Library == "" || f.Doc == "" || len(f.Metrics) == 0 || f.Open == nil || f.Load == nil || f.Bytes == nil {
		t.Error("an incomplete description")
	}
	all := append(slices.Clone(f.Build), f.Search...)
	p, err := f.Settings(all, nil)
	if err != nil {
		t.Fatal(err)
	}
	again, err := f.Settings(all, p)
	if err != nil || again.String() != p.String() {
		t.Errorf("the defaults are not what they should be: %v, then %v, %v", p, again, err)
	}
	for i, param := range all {
		if param.Doc == "" {
			t.Errorf("setting %s has no doc", param.Name)
		}
		if find(all[:i], param.Name) != nil {
			t.Errorf("two settings %s", param.Name)
		}
	}
	few, many, wide := f.Bytes(10_000, 64, p), f.Bytes(20_000, 64, p), f.Bytes(10_000, 128, p)
	if few <= 0 || many <= few || wide < few {
		t.Errorf("%d bytes for 10,000 × 64, %d for twice as many, %d for twice as wide", few, many, wide)
	}
	build, search := f.Work(10_000, 64, p)
	if more, _ := f.Work(20_000, 64, p); !(build > 0 && search > 0 && more > build) {
		t.Errorf("a build of 10,000 takes %v and a search %v, a build of 20,000 %v", build, search, more)
	}
	if r := f.Remote; r != nil && (r.Engine == "" || r.Drop == nil) {
		t.Error("a family in a server needs the engine's name and Drop")
	}
	if f.Missing == "" {
		return
	}
	in := BuildInput{Vectors: vec.NewMatrix(1, 1), Metric: f.Metrics[0]}
	if _, err := f.OpenChecked(context.Background(), in); !errors.Is(err, ErrMissing) {
		t.Errorf("opening a family that is missing: %v", err)
	}
	if _, err := f.Open(context.Background(), in); !errors.Is(err, ErrMissing) {
		t.Errorf("opening a family that is missing, unchecked: %v", err)
	}
	if _, err := f.Load("there", in); !errors.Is(err, ErrMissing) {
		t.Errorf("loading a family that is missing: %v", err)
	}
}

// conforming is a family under test, with one metric.
type conforming struct {
	*Family
	traits
	metric vec.Metric

	address string // of the engine
	built   atomic.Int32
}

// engineAddress is where tests find the engine of f: in ANNBENCH_TEST_WEAVIATE, say. The test is left
// out where there is none, unless ANNBENCH_ENGINES is "required".
func engineAddress(t *testing.T, f *Family) string {
	t.Helper()
	if f.Remote == nil {
		return ""
	}
	name := "ANNBENCH_TEST_" + strings.ToUpper(f.Remote.Engine)
	address := os.Getenv(name)
	switch {
	case address != "":
	case os.Getenv("ANNBENCH_ENGINES") == "required":
		t.Fatalf("%s does not say where a %s answers", name, f.Remote.Engine)
	default:
		t.Skipf("no address of a %s in %s; `make test-engines` starts one", f.Remote.Engine, name)
	}
	return address
}

const testDim = 16

// clustered makes vectors around 12 centres, some of them equal, and one zero vector.
func clustered(rows int, seed uint64) vec.Matrix {
	centres := rand.New(rand.NewPCG(0, 0))
	var centre [12][testDim]float32
	for i := range centre {
		for j := range centre[i] {
			centre[i][j] = float32(centres.NormFloat64())
		}
	}
	rng := rand.New(rand.NewPCG(1, seed))
	m := vec.NewMatrix(rows, testDim)
	for i := range rows {
		c := &centre[rng.IntN(len(centre))]
		for j := range c {
			m.Row(i)[j] = c[j] + 0.4*float32(rng.NormFloat64())
		}
	}
	for i := 30; i < min(35, rows); i++ {
		copy(m.Row(i), m.Row(29))
	}
	if rows > 40 {
		clear(m.Row(40))
	}
	return m
}

// params are the defaults, brought down to what n vectors allow.
func (c *conforming) params(n int) Params {
	p := Params{}
	for _, param := range c.Build {
		switch param.Name {
		case "nlist":
			p["nlist"] = min(n, 8)
		case "nbits":
			p["nbits"] = max(1, min(4, bits.Len(uint(n))-1))
		case "lists":
			p["lists"] = min(n, 8)
		case "m":
			p["m"] = 8
		case "factory":
			p["factory"] = fmt.Sprintf("IVF%d,PQ8x4fs,RFlat", min(n, 8))
		}
	}
	return p
}

func (c *conforming) input(vectors vec.Matrix, p Params) BuildInput {
	in := BuildInput{Vectors: vectors, Metric: c.metric, Params: p, Threads: 1, Seed: 7}
	if c.Remote != nil {
		in.Address, in.Name = c.address, fmt.Sprintf("annbench_test_%d_%s_%d", os.Getpid(), c.metric, c.built.Add(1))
	}
	return in
}

func (c *conforming) open(t *testing.T, vectors vec.Matrix, p Params) Index {
	t.Helper()
	in := c.input(vectors, p)
	c.dropAfter(t, in)
	x, err := c.OpenChecked(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	return x
}

// dropAfter removes at the end of the test what a build leaves in an engine, and checks that there is
// nothing left to remove.
func (c *conforming) dropAfter(t *testing.T, in BuildInput) {
	if c.Remote == nil {
		return
	}
	t.Cleanup(func() {
		for range 2 {
			if err := c.Remote.Drop(context.Background(), in.Address, in.Name); err != nil {
				t.Errorf("removing %s: %v", in.Name, err)
			}
		}
	})
}

// valid checks an answer: at most k, in order, each ID once and in range, and rank values that are those
// of the vectors.
func (c *conforming) valid(t *testing.T, base vec.Matrix, q []float32, k int, answer []vec.Neighbor) {
	t.Helper()
	if len(answer) > min(k, base.Rows) {
		t.Errorf("%d answers for k = %d among %d", len(answer), k, base.Rows)
	}
	if c.Exact && len(answer) != min(k, base.Rows) {
		t.Errorf("exact search finds %d for k = %d among %d", len(answer), k, base.Rows)
	}
	seen := map[int32]bool{}
	for i, n := range answer {
		if n.ID < 0 || int(n.ID) >= base.Rows {
			t.Fatalf("ID %d of %d vectors", n.ID, base.Rows)
		}
		if seen[n.ID] {
			t.Errorf("ID %d twice", n.ID)
		}
		seen[n.ID] = true
		if i > 0 && !answer[i-1].Less(n) {
			t.Errorf("%v before %v", answer[i-1], n)
		}
		if n.Dist != n.Dist {
			t.Errorf("ID %d at NaN", n.ID)
		}
		want, got := float64(c.metric.Rank(q, base.Row(int(n.ID)))), float64(n.Dist)
		if !c.estimates && got != want && math.Abs(got-want) > c.tolerance(q, base.Row(int(n.ID))) {
			t.Errorf("ID %d: rank value %v, should be %v", n.ID, got, want)
		}
	}
}

// tolerance allows for a library that expands |a-b|² into norms and a dot product, and 1 - cos into 1
// and cos: an error relative to those, not to the difference.
func (c *conforming) tolerance(a, b []float32) float64 {
	const eps = 1e-5
	if c.metric == vec.Cosine {
		return eps
	}
	return eps * (vec.Norm(a)*vec.Norm(a) + vec.Norm(b)*vec.Norm(b))
}

// queries are new vectors, vectors of the base, and a zero vector.
func queries(base vec.Matrix) vec.Matrix {
	qs := clustered(30, 99)
	for i := 10; i < 20; i++ {
		copy(qs.Row(i), base.Row(i*7%base.Rows))
	}
	copy(qs.Row(20), base.Row(min(29, base.Rows-1))) // has duplicates
	clear(qs.Row(21))
	return qs
}

func (c *conforming) search(t *testing.T, x Index, q []float32, k int) []vec.Neighbor {
	t.Helper()
	answer, err := x.Search(nil, q, k)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func (c *conforming) testAnswers(t *testing.T) {
	base := clustered(600, 1)
	x := c.open(t, base, c.params(base.Rows))
	qs := queries(base)
	for i := range qs.Rows {
		q := qs.Row(i)
		for _, k := range []int{1, 10, 599, 600, 601, 5000} {
			c.valid(t, base, q, k, c.search(t, x, q, k))
		}
	}
	// An answer is appended, and the query is left alone.
	q := slices.Clone(qs.Row(0))
	before := []vec.Neighbor{{ID: -5, Dist: 1}, {ID: -6, Dist: 0}}
	answer, err := x.Search(before, q, 3)
	if err != nil {
		t.Fatal(err)
	}
	if len(answer) < 2 || !slices.Equal(answer[:2], before) {
		t.Errorf("appending to %v gave %v", before, answer)
	}
	if !slices.Equal(q, qs.Row(0)) {
		t.Error("the query was changed")
	}
}

func (c *conforming) testRefusals(t *testing.T) {
	base := clustered(600, 1)
	x := c.open(t, base, c.params(base.Rows))
	nan, inf := slices.Clone(base.Row(0)), slices.Clone(base.Row(0))
	nan[testDim-1] = float32(math.NaN())
	inf[3] = float32(math.Inf(-1))
	before := []vec.Neighbor{{ID: -5, Dist: 1}}
	for _, ask := range []struct {
		name string
		q    []float32
		k    int
	}{
		{"k = 0", base.Row(0), 0},
		{"k = -1", base.Row(0), -1},
		{"no dimensions", nil, 1},
		{"too few dimensions", base.Row(0)[:testDim-1], 1},
		{"too many dimensions", make([]float32, testDim+1), 1},
		{"NaN", nan, 1},
		{"infinity", inf, 1},
	} {
		if got, err := x.Search(before, ask.q, ask.k); err == nil || !slices.Equal(got, before) {
			t.Errorf("%s: %v, %v", ask.name, got, err)
		}
		if b, ok := x.(BatchSearcher); ok {
			if _, err := b.SearchBatch(vec.Matrix{Data: ask.q, Rows: 1, Dim: len(ask.q)}, ask.k); err == nil {
				t.Errorf("%s, as a batch: no error", ask.name)
			}
		}
	}

	if _, err := c.OpenChecked(t.Context(), c.input(vec.NewMatrix(0, testDim), nil)); err == nil {
		t.Error("built from no vectors")
	}
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		damaged := clustered(600, 1)
		damaged.Row(599)[testDim-1] = float32(bad)
		_, err := c.OpenChecked(t.Context(), c.input(damaged, c.params(600)))
		if err == nil || !strings.Contains(err.Error(), "vector 599") {
			t.Errorf("built from %v: %v", bad, err)
		}
	}
	var setting *SettingError
	if _, err := c.OpenChecked(t.Context(), c.input(base, Params{"nosuch": 1})); !errors.As(err, &setting) || setting.Setting != "nosuch" {
		t.Errorf("built with a setting that does not exist: %v", err)
	}
	in := c.input(base, nil)
	in.Metric = "nosuch"
	if _, err := c.OpenChecked(t.Context(), in); err == nil {
		t.Error("built for a metric that does not exist")
	}
}

func (c *conforming) testSmall(t *testing.T) {
	for _, n := range []int{1, 2, 3, 10} {
		base := clustered(n, 2)
		in := c.input(base, c.params(n))
		if _, err := c.Check(in); err != nil {
			if c.Fits == nil {
				t.Errorf("%d vectors: %v", n, err)
			}
			continue // the family says that it cannot
		}
		x := c.open(t, base, c.params(n))
		for _, k := range []int{1, n, n + 1, 100} {
			answer := c.search(t, x, base.Row(n-1), k)
			c.valid(t, base, base.Row(n-1), k, answer)
			if len(answer) == 0 {
				t.Errorf("%d vectors, k = %d: no answer", n, k)
			}
		}
	}
}

func (c *conforming) testDegenerate(t *testing.T) {
	constant, zeros, few := vec.NewMatrix(300, testDim), vec.NewMatrix(300, testDim), vec.NewMatrix(300, testDim)
	for i := range 300 {
		for j := range testDim {
			constant.Row(i)[j] = 2
			few.Row(i)[j] = float32(i % 3)
		}
	}
	narrow := vec.NewMatrix(300, 1)
	for i := range narrow.Data {
		narrow.Data[i] = float32(i/2) - 70
	}
	sets := map[string]vec.Matrix{"all equal": constant, "all zero": zeros, "three points": few, "one dimension": narrow}
	if c.Library == "annbench" {
		// Other libraries compute in float32 without a way out; these must have one.
		huge, tiny := clustered(300, 3), clustered(300, 3)
		for i := range huge.Data {
			huge.Data[i] *= 1e37
			tiny.Data[i] *= 1e-43
		}
		sets["huge"], sets["tiny"] = huge, tiny
	}
	for name, base := range sets {
		t.Run(name, func(t *testing.T) {
			p := c.params(base.Rows)
			if m := find(c.Build, "m"); m != nil && base.Dim == 1 {
				p["m"] = int(m.Min)
			}
			if p["factory"] != nil && base.Dim == 1 {
				p["factory"] = "IVF8,PQ1x4fs,RFlat"
			}
			if _, err := c.Check(c.input(base, p)); err != nil && c.Fits != nil && base.Dim == 1 {
				t.Skip(err) // the family says that it cannot
			}
			x := c.open(t, base, p)
			for _, i := range []int{0, 1, 150, 299} {
				for _, k := range []int{1, 10, 400} {
					answer := c.search(t, x, base.Row(i), k)
					if name == "huge" || name == "tiny" {
						// Rank values overflow here, and vanish: what is left is the form.
						if len(answer) != min(k, base.Rows) && c.Exact {
							t.Errorf("%d answers for k = %d", len(answer), k)
						}
						for j := 1; j < len(answer); j++ {
							if !answer[j-1].Less(answer[j]) {
								t.Fatalf("%v before %v", answer[j-1], answer[j])
							}
						}
						continue
					}
					c.valid(t, base, base.Row(i), k, answer)
				}
			}
		})
	}
}

// testRecall compares with exact search, by distance, so that any of several equal vectors counts.
func (c *conforming) testRecall(t *testing.T) {
	const k = 10
	base, qs := clustered(3000, 4), clustered(200, 5)
	x := c.open(t, base, c.generous)
	truth, err := vec.Exact(t.Context(), base, qs, c.metric, k, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	hits := 0
	for i := range qs.Rows {
		q := qs.Row(i)
		farthest := c.metric.Distance(q, base.Row(int(truth[(i+1)*k-1].ID)))
		for _, n := range c.search(t, x, q, k) {
			if d := c.metric.Distance(q, base.Row(int(n.ID))); d <= farthest+1e-5*math.Abs(farthest) {
				hits++
			}
		}
	}
	recall := float64(hits) / float64(k*qs.Rows)
	t.Logf("recall@%d %.3f", k, recall)
	if recall < c.floor {
		t.Errorf("recall@%d is %.3f, less than %.3f", k, recall, c.floor)
	}
	if c.Exact && recall != 1 {
		t.Errorf("exact search has recall %v", recall)
	}
}

// sameAnswers compares two indexes query by query, on bits.
func (c *conforming) sameAnswers(t *testing.T, a, b Index, qs vec.Matrix) {
	t.Helper()
	for i := range qs.Rows {
		for _, k := range []int{1, 10} {
			got, want := c.search(t, a, qs.Row(i), k), c.search(t, b, qs.Row(i), k)
			if !slices.Equal(got, want) {
				t.Fatalf("query %d, k = %d: %v, then %v", i, k, want, got)
			}
		}
	}
}

func (c *conforming) testRepeated(t *testing.T) {
	if !c.repeatable {
		t.Skip("the library gives another answer each time")
	}
	base := clustered(600, 1)
	x, y := c.open(t, base, c.params(600)), c.open(t, base, c.params(600))
	c.sameAnswers(t, x, y, queries(base))
	c.sameAnswers(t, x, x, queries(base))
}

func (c *conforming) testConcurrent(t *testing.T) {
	base := clustered(600, 1)
	x := c.open(t, base, c.params(600))
	qs := queries(base)
	want := make([][]vec.Neighbor, qs.Rows)
	for i := range want {
		want[i] = c.search(t, x, qs.Row(i), 10)
	}
	var wait sync.WaitGroup
	for worker := range 6 {
		wait.Go(func() {
			var answer []vec.Neighbor
			for n := range 2 * qs.Rows {
				i := (n + worker*5) % qs.Rows
				var err error
				answer, err = x.Search(answer[:0], qs.Row(i), 10)
				switch {
				case err != nil:
					t.Error(err)
				case c.repeatable && !slices.Equal(answer, want[i]):
					t.Errorf("query %d: %v alone, %v in company", i, want[i], answer)
				default:
					c.valid(t, base, qs.Row(i), 10, answer)
				}
			}
		})
	}
	wait.Wait()
}

func (c *conforming) testBatch(t *testing.T) {
	base := clustered(600, 1)
	x := c.open(t, base, c.params(600))
	b, ok := x.(BatchSearcher)
	if ok != c.Batch {
		t.Errorf("the table says that batches are %v, the index that they are %v", c.Batch, ok)
	}
	if !ok {
		t.Skip("answers one query at a time")
	}
	qs := queries(base)
	for _, k := range []int{1, 10, 700} {
		all, err := b.SearchBatch(qs, k)
		if err != nil {
			t.Fatal(err)
		}
		if len(all) != qs.Rows {
			t.Fatalf("%d answers to %d queries", len(all), qs.Rows)
		}
		for i, answer := range all {
			q := qs.Row(i)
			c.valid(t, base, q, k, answer)
			one := c.search(t, x, q, k)
			if len(one) != len(answer) {
				t.Fatalf("query %d: %d answers in a batch, %d alone", i, len(answer), len(one))
			}
			for j := range one {
				if d := math.Abs(float64(one[j].Dist) - float64(answer[j].Dist)); d > c.tolerance(q, base.Row(int(one[j].ID))) {
					t.Errorf("query %d, place %d: %v in a batch, %v alone", i, j, answer[j], one[j])
				}
			}
		}
	}
	if all, err := b.SearchBatch(vec.NewMatrix(0, testDim), 3); err != nil || len(all) != 0 {
		t.Errorf("a batch of none: %v, %v", all, err)
	}
}

// testEffective checks that settings which are said to mean the same give the same answers, and that
// asking for what is effective changes nothing more.
func (c *conforming) testEffective(t *testing.T) {
	base := clustered(600, 1)
	build := c.params(600)
	x := c.open(t, base, build)
	tuner, ok := x.(Tuner)
	if !ok {
		t.Skip("it has no search settings")
	}
	complete, err := c.Settings(c.Build, build)
	if err != nil {
		t.Fatal(err)
	}
	qs := queries(base)
	const k = 10
	for _, param := range c.Search {
		for _, v := range []any{param.Min, param.Default, 3, 1000} {
			asked, err := c.Settings(c.Search, Params{param.Name: v})
			if err != nil {
				continue // out of its range
			}
			means := c.Effectively(base.Rows, k, complete, asked)
			if again := c.Effectively(base.Rows, k, complete, means); again.String() != means.String() {
				t.Errorf("%v means %v, which means %v", asked, means, again)
			}
			if _, err := c.Settings(c.Search, means); err != nil {
				t.Errorf("%v means %v, which cannot be asked for: %v", asked, means, err)
			}
			if !c.repeatable {
				continue
			}
			answers := map[string][][]vec.Neighbor{}
			for _, p := range []Params{asked, means} {
				if err := tuner.Tune(p); err != nil {
					t.Fatal(err)
				}
				for i := range qs.Rows {
					answers[p.String()] = append(answers[p.String()], c.search(t, x, qs.Row(i), k))
				}
			}
			for i := range qs.Rows {
				if !slices.Equal(answers[asked.String()][i], answers[means.String()][i]) {
					t.Fatalf("query %d: %v under %v, %v under %v", i, answers[asked.String()][i], asked, answers[means.String()][i], means)
				}
			}
		}
	}
}

func (c *conforming) testTune(t *testing.T) {
	base := clustered(600, 1)
	x := c.open(t, base, c.params(600))
	tuner, ok := x.(Tuner)
	if !ok {
		if len(c.Search) > 0 {
			t.Fatal("it has search settings, and no Tune")
		}
		t.Skip("it has no search settings")
	}
	qs := queries(base)
	fresh := make([][]vec.Neighbor, qs.Rows)
	for i := range fresh {
		fresh[i] = c.search(t, x, qs.Row(i), 10)
	}
	var setting *SettingError
	refused := []Params{{"nosuch": 1}}
	for _, param := range c.Search {
		refused = append(refused, Params{param.Name: "many"}, Params{param.Name: param.Min - 1})
	}
	for _, bad := range refused {
		if err := tuner.Tune(bad); !errors.As(err, &setting) {
			t.Errorf("tuned to %v: %v", bad, err)
		}
	}
	if len(c.Build) > 0 {
		if err := tuner.Tune(Params{c.Build[0].Name: c.Build[0].Default}); !errors.As(err, &setting) {
			t.Errorf("tuned a build setting: %v", err)
		}
	}
	for _, param := range c.Search {
		values := []any{param.Min, param.Default, 2 * param.Min, min(37, param.Max)}
		if param.Kind == Word {
			values = values[:0]
			for _, word := range param.Words {
				values = append(values, word)
			}
		}
		for _, v := range values {
			if err := tuner.Tune(Params{param.Name: v}); err != nil {
				t.Fatalf("%s = %v: %v", param.Name, v, err)
			}
			for i := range qs.Rows {
				c.valid(t, base, qs.Row(i), 10, c.search(t, x, qs.Row(i), 10))
			}
		}
	}
	if err := tuner.Tune(nil); err != nil {
		t.Fatal(err)
	}
	for i := range fresh {
		if got := c.search(t, x, qs.Row(i), 10); c.repeatable && !slices.Equal(got, fresh[i]) {
			t.Fatalf("query %d after a return to the defaults: %v, was %v", i, got, fresh[i])
		}
	}
}

func (c *conforming) testSaved(t *testing.T) {
	base := clustered(600, 1)
	p := c.params(600)
	x := c.open(t, base, p)
	saver, ok := x.(Saver)
	if !ok {
		t.Skip("it cannot be saved")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "an index")
	if err := saver.Save(path); err != nil {
		t.Fatal(err)
	}
	if err := saver.Save(path); err != nil {
		t.Fatalf("saving over a saved one: %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("beside the saved index stand %v, %v", left, err)
	}
	if err := saver.Save(filepath.Join(dir, "nosuch", "index")); err == nil || !strings.Contains(err.Error(), "nosuch") {
		t.Errorf("saved into a folder that is not there: %v", err)
	}

	qs := queries(base)
	for name, vectors := range map[string]vec.Matrix{"alone": {}, "with its vectors": base} {
		y, err := c.Load(path, c.input(vectors, p))
		if err != nil {
			t.Fatalf("loading %s: %v", name, err)
		}
		for i := range qs.Rows {
			c.valid(t, base, qs.Row(i), 10, c.search(t, y, qs.Row(i), 10))
		}
		if c.repeatable {
			c.sameAnswers(t, y, x, qs)
		}
		again := filepath.Join(dir, "again")
		if err := y.(Saver).Save(again); err != nil {
			t.Errorf("saving what was loaded: %v", err)
		}
		if err := y.Close(); err != nil {
			t.Error(err)
		}
	}

	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	refuse := func(name string, data []byte, in BuildInput) {
		t.Helper()
		bad := filepath.Join(dir, "bad")
		if err := os.WriteFile(bad, data, 0o644); err != nil {
			t.Fatal(err)
		}
		y, err := c.Load(bad, in)
		if err == nil {
			y.Close()
			t.Errorf("%s: loaded", name)
		} else if !strings.Contains(err.Error(), bad) {
			t.Errorf("%s: the error does not name the file: %v", name, err)
		}
	}
	in := c.input(vec.Matrix{}, p)
	for _, n := range []int{0, 1, 7, 8, 12, 40, 100, len(data) / 2, len(data) - 5, len(data) - 1} {
		refuse(fmt.Sprintf("the first %d of %d bytes", n, len(data)), data[:n], in)
	}
	refuse("a foreign file", bytes.Repeat([]byte("this is no index\n"), 300), in)
	refuse("one byte more", append(slices.Clone(data), 0), in)
	for _, at := range []int{0, 9, 20, 60, len(data) / 3, len(data) - 100, len(data) - 3} {
		damaged := slices.Clone(data)
		damaged[at] ^= 0x40
		refuse(fmt.Sprintf("byte %d of %d changed", at, len(data)), damaged, in)
	}
	other := in
	for _, m := range c.Metrics {
		if m != c.metric {
			other.Metric = m
			refuse("another metric", data, other)
		}
	}
	refuse("vectors of another shape", data, c.input(clustered(599, 1), p))
	for _, param := range c.Build {
		if param.Kind == Int && param.Default != int(param.Min) {
			p := Params{param.Name: int(param.Min)}
			if given, ok := c.params(600)[param.Name]; ok && given == p[param.Name] {
				continue
			}
			refuse("another "+param.Name, data, c.input(vec.Matrix{}, p))
		}
	}
	missing := filepath.Join(dir, "missing")
	if _, err := c.Load(missing, in); err == nil || !strings.Contains(err.Error(), missing) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	if _, err := c.Load(dir, in); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("a folder: %v", err)
	}
}

func (c *conforming) testClosed(t *testing.T) {
	base := clustered(600, 1)
	x := c.open(t, base, c.params(600))
	for range 2 {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := x.Search(nil, base.Row(0), 1); err == nil {
		t.Error("a closed index answers")
	}
	if s, ok := x.(Saver); ok {
		if err := s.Save(filepath.Join(t.TempDir(), "index")); err == nil {
			t.Error("a closed index is saved")
		}
	}
	if s, ok := x.(Tuner); ok {
		if err := s.Tune(nil); err == nil {
			t.Error("a closed index is tuned")
		}
	}
	if s, ok := x.(BatchSearcher); ok {
		if _, err := s.SearchBatch(base, 1); err == nil {
			t.Error("a closed index answers a batch")
		}
	}
}

// testStopped builds under a context that has ended. A library that cannot be stopped may finish.
func (c *conforming) testStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	in := c.input(clustered(600, 1), c.params(600))
	c.dropAfter(t, in)
	x, err := c.OpenChecked(ctx, in)
	if err == nil {
		x.Close()
	} else if !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
}

// A search of this module's own families allocates nothing once it has warmed up.
func TestSearchAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates, and empties pools")
	}
	base := clustered(2000, 1)
	for _, name := range []string{"flat", "forest"} {
		f, err := Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, metric := range f.Metrics {
			x, err := f.OpenChecked(t.Context(), BuildInput{Vectors: base, Metric: metric})
			if err != nil {
				t.Fatal(err)
			}
			dst := make([]vec.Neighbor, 0, 10)
			i := 0
			search := func() {
				i = (i + 1) % base.Rows
				if _, err := x.Search(dst, base.Row(i), 10); err != nil {
					t.Fatal(err)
				}
			}
			for range base.Rows {
				search()
			}
			if n := testing.AllocsPerRun(100, search); n != 0 {
				t.Errorf("%s %s: %v allocations a search", name, metric, n)
			}
		}
	}
}
