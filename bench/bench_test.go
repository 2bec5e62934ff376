package bench

import (
	"os"
	"path/filepath"
	"testing"

	"annbench/bench/dataset"
	"annbench/bench/metric"
	"annbench/indexes"
	"annbench/indexes/vec"
)

// The set of the Go benchmarks: small, so that every family is built in seconds.
const (
	benchRows    = 5000
	benchDim     = 64
	benchQueries = 200
	benchK       = 10
)

// benchSettings are settings other than the defaults, which are for larger sets.
var benchSettings = map[string]indexes.Params{
	"ivfflat-faiss": {"nlist": 64, "nprobe": 8},
	"ivfpq-faiss":   {"nlist": 64, "nprobe": 8, "m": 16, "nbits": 6},
}

func benchSet(b *testing.B) *dataset.Set {
	b.Helper()
	set, err := dataset.OpenSet(testSet(b, benchRows+benchQueries, benchDim, benchQueries))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { set.Close() })
	return set
}

// eachFamily runs a benchmark for every family that this build has.
func eachFamily(b *testing.B, run func(b *testing.B, f *indexes.Family, in indexes.BuildInput, set *dataset.Set)) {
	set := benchSet(b)
	for _, f := range indexes.Families() {
		b.Run("family="+f.Name, func(b *testing.B) {
			if f.Missing != "" {
				b.Skip(f.Missing)
			}
			if f.Remote != nil {
				b.Skip("it is in a server; `annbench run configs/engines.yaml` measures it")
			}
			in, err := f.Check(indexes.BuildInput{Vectors: set.Base, Metric: vec.L2, Params: benchSettings[f.Name], Threads: 1, Seed: 1})
			if err != nil {
				b.Fatal(err)
			}
			run(b, f, in, set)
		})
	}
}

// BenchmarkBuild times a build of each family, and tells what a vector costs in the saved index.
func BenchmarkBuild(b *testing.B) {
	eachFamily(b, func(b *testing.B, f *indexes.Family, in indexes.BuildInput, _ *dataset.Set) {
		var ix indexes.Index
		for b.Loop() {
			if ix != nil {
				ix.Close()
			}
			var err error
			if ix, err = f.Open(b.Context(), in); err != nil {
				b.Fatal(err)
			}
		}
		defer ix.Close()
		path := filepath.Join(b.TempDir(), "index")
		if err := ix.(indexes.Saver).Save(path); err != nil {
			b.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(info.Size())/float64(in.Vectors.Rows), "B/vector")
	})
}

// BenchmarkSearch times a search of each family, and tells the recall that it is had at.
func BenchmarkSearch(b *testing.B) {
	eachFamily(b, func(b *testing.B, f *indexes.Family, in indexes.BuildInput, set *dataset.Set) {
		ix, err := f.Open(b.Context(), in)
		if err != nil {
			b.Fatal(err)
		}
		defer ix.Close()
		truth, err := dataset.FindTruth(b.Context(), set, in.Metric, benchK, 1, "", nil)
		if err != nil {
			b.Fatal(err)
		}
		defer truth.Close()
		found := make([]vec.Neighbor, 0, benchK)
		q := 0
		for b.Loop() {
			if found, err = ix.Search(found[:0], set.Queries.Row(q), benchK); err != nil {
				b.Fatal(err)
			}
			if q++; q == benchQueries {
				q = 0
			}
		}
		b.ReportMetric(recall(b, ix, set, truth), "recall@10")
	})
}

func recall(b *testing.B, ix indexes.Index, set *dataset.Set, truth *dataset.Truth) float64 {
	b.Helper()
	got, _, err := answerAll(ix, set.Queries, benchK)
	if err != nil {
		b.Fatal(err)
	}
	ids, distances := truth.All()
	scores, err := metric.Score(metric.ScoreInput{
		Metric: truth.Metric, K: benchK, Base: set.Base, Queries: set.Queries,
		Answers: got.all(), TruthIDs: ids, TruthDistances: distances,
	})
	if err != nil {
		b.Fatal(err)
	}
	return scores.Values[metric.Recall]
}
