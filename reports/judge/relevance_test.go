package judge_test

import (
	"math"
	"testing"

	"annbench/bench/metric"
	"annbench/reports/internal/fixture"
	"annbench/reports/judge"
)

func load(t *testing.T, shop bool) *judge.Report {
	t.Helper()
	f := fixture.Usual()
	f.Shop = shop
	r, err := judge.Load(f.Write(t))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestRelevance: a hit needs more recall than the category does, and the settings that stand for a recall are near it.
func TestRelevance(t *testing.T) {
	r := load(t, true)
	kinds := r.Relevance(r.Focus)
	if len(kinds) != 3 || kinds[0].Kind != judge.ByCategory || kinds[1].Kind != judge.ByItem || kinds[2].Kind != judge.ByGrade {
		t.Fatalf("%d kinds", len(kinds))
	}
	for _, k := range kinds {
		if k.Kind == judge.ByCategory {
			continue
		}
		if len(k.Steps) == 0 || k.Exact.Median <= 0 {
			t.Fatalf("%s: no steps", k.Name)
		}
		for _, s := range k.Steps {
			if math.Abs(judge.Logit(s.Recall.Median, 1e-4)-judge.Logit(s.Target, 1e-4)) > 0.31 {
				t.Errorf("%s: recall %v stands for %v", k.Name, s.Recall.Median, s.Target)
			}
			if s.Telling() != (s.Hi < 0) {
				t.Errorf("%s: %v to %v is telling: %v", k.Name, s.Lo, s.Hi, s.Telling())
			}
			if math.Abs(s.Value.Median-s.Loss-k.Exact.Median) > 0.02 {
				t.Errorf("%s at %v: %v less %v is not that of exact search, %v", k.Name, s.Target, s.Value.Median, s.Loss, k.Exact.Median)
			}
		}
	}
	hit, _ := r.SaturationOf(r.Focus, metric.ItemHit)
	alike, _ := r.SaturationOf(r.Focus, metric.NDCG)
	if !(hit >= alike) {
		t.Errorf("a hit stops to grow at %v, nDCG at %v", hit, alike)
	}
	plain := load(t, false)
	for _, k := range plain.Relevance(plain.Focus) {
		if k.Kind != judge.ByCategory {
			t.Errorf("%s of a folder without attributes", k.Name)
		}
	}
}
