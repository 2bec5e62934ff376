package pipeline_test

import (
	"fmt"
	"testing"

	"annbench/bench/metric"
	"annbench/bench/pipeline"
	"annbench/bench/record"
	"annbench/indexes"
)

// The set of the Go benchmarks: small, so that every family is built in seconds.
const (
	benchRows    = 5000
	benchDim     = 64
	benchQueries = 200
	benchK       = 10
)

// benchSettings are settings other than the defaults, which are for larger sets.
var benchSettings = map[string]string{
	"ivfflat-faiss": ", build: {nlist: 64}, search: {nprobe: 8}",
	"ivfpq-faiss":   ", build: {nlist: 64, m: 16, nbits: 6}, search: {nprobe: 8}",
}

// eachFamily measures every family that this build has, as `annbench run` does: b.N repetitions, each a build
// in a process of its own. The time of an operation is that of the value called name, in seconds.
func eachFamily(b *testing.B, name string, more func(b *testing.B, values func(name string) []float64)) {
	cache := b.TempDir()
	for _, f := range indexes.Families() {
		b.Run("family="+f.Name, func(b *testing.B) {
			if f.Missing != "" {
				b.Skip(f.Missing)
			}
			if f.Engine() != "" {
				b.Skip("it is in a server; `annbench run configs/engines.yaml` measures it")
			}
			sweep := testSweep(b, fmt.Sprintf(`name: bench
data: {synthetic: {n: %d, dim: %d}}
queries: %d
metric: l2
k: %d
repetitions: %d
families: [{family: %s%s}]
`, benchRows+benchQueries, benchDim, benchQueries, benchK, b.N, f.Name, benchSettings[f.Name]))
			out := b.TempDir()
			p := pipeline.Pipeline{Cache: cache}
			if _, err := p.Run(b.Context(), pipeline.RunConfig{Sweep: sweep, Out: out, NoMap: true}); err != nil {
				b.Fatal(err)
			}
			results, err := record.Open(out)
			if err != nil {
				b.Fatal(err)
			}
			values := func(name string) (all []float64) {
				for _, r := range results.Records {
					if r.Status != record.OK {
						b.Fatalf("%s: %s", r.Status, r.Error)
					}
					all = append(all, r.Values[name])
				}
				return all
			}
			b.ReportMetric(1e9*metric.Median(values(name)), "ns/op")
			more(b, values)
		})
	}
}

// BenchmarkBuild times a build of each family, and gives what a vector costs in the saved index.
func BenchmarkBuild(b *testing.B) {
	eachFamily(b, metric.Build, func(b *testing.B, values func(string) []float64) {
		b.ReportMetric(metric.Median(values(metric.Serialized))/benchRows, "B/vector")
	})
}

// BenchmarkSearch times a search of each family, and gives its recall.
func BenchmarkSearch(b *testing.B) {
	eachFamily(b, metric.Mean, func(b *testing.B, values func(string) []float64) {
		b.ReportMetric(metric.Median(values(metric.Recall)), "recall@10")
	})
}
