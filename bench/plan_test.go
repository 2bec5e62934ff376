package bench

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"annbench/bench/record"
	"annbench/indexes/vec"
)

// listIndex answers every query with its first vectors.
type listIndex struct{}

func (listIndex) Search(dst []vec.Neighbor, _ []float32, k int) ([]vec.Neighbor, error) {
	for i := range k {
		dst = append(dst, vec.Neighbor{ID: int32(i)})
	}
	return dst, nil
}
func (listIndex) Close() error { return nil }

func testMatrix(rows, dim int) vec.Matrix { return vec.NewMatrix(rows, dim) }

func TestPlanIsRepetitionMajorAndDeterministic(t *testing.T) {
	s := testSweep(t, flatAndForest)
	shape := Shape{Digest: "d", Base: 500, Dim: 24}
	plan, err := MakePlan(s, shape)
	if err != nil {
		t.Fatal(err)
	}
	const builds = 3 // flat, forest of 5, forest of 20
	if len(plan.Jobs) != builds*s.Repetitions {
		t.Fatalf("%d jobs", len(plan.Jobs))
	}
	for i, job := range plan.Jobs {
		if job.Rep != i/builds {
			t.Errorf("job %d is of repetition %d", i, job.Rep)
		}
		if job.Seed != s.Seed+uint64(job.Rep) {
			t.Errorf("job %d has seed %d", i, job.Seed)
		}
	}
	again, err := MakePlan(s, shape)
	if err != nil {
		t.Fatal(err)
	}
	for i := range plan.Jobs {
		a, b := plan.Jobs[i], again.Jobs[i]
		if a.Family != b.Family || !maps.Equal(a.Build, b.Build) {
			t.Errorf("job %d is %s %v, then %s %v", i, a.Family.Name, a.Build, b.Family.Name, b.Build)
		}
	}
}

func TestPlanMeasuresACellOnce(t *testing.T) {
	plan, err := MakePlan(testSweep(t, `
- family: forest
  search: {search_k: [50, 50]}
- family: forest
  search: {search_k: [50, 60]}
`), Shape{Digest: "d", Base: 500, Dim: 24})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[record.Cell]int{}
	for _, job := range plan.Jobs {
		for _, c := range job.Cells("d") {
			seen[c]++
		}
	}
	if len(seen) != 2*2 {
		t.Errorf("%d cells, want two settings of two k", len(seen))
	}
	for c, n := range seen {
		if n != 2 { // repetitions
			t.Errorf("%v is planned %d times", c, n)
		}
	}
}

func TestPlanSkipsWhatCannotBe(t *testing.T) {
	s := testSweep(t, "- family: hnsw-coder\n- family: flat\n")
	s.Metric = OneOrMany[vec.Metric]{vec.InnerProduct}
	plan, err := MakePlan(s, Shape{Digest: "d", Base: 500, Dim: 24})
	if err != nil {
		t.Fatal(err)
	}
	if len(plan.Skipped) != 2 || !strings.Contains(plan.Skipped[0].Reason, "ip") {
		t.Errorf("skipped: %+v", plan.Skipped)
	}
	if slices.ContainsFunc(plan.Jobs, func(j Job) bool { return j.Family.Name == "hnsw-coder" }) {
		t.Error("a family is planned under a metric that it does not have")
	}
}
