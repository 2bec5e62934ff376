package indexes

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"annbench/indexes/vec"
)

// The families in Go answer alike at each SIMD level of this machine: portable Go, AVX2, AVX-512. Vectors are whole
// numbers, so that distances have no rounding, which differs between levels in the last bit. A level is chosen as a
// process begins, so this test starts itself.
func TestLevelsAnswerAlike(t *testing.T) {
	const asked = "ANNBENCH_TEST_LEVELS"
	if os.Getenv(asked) != "" {
		fmt.Print("level ", vec.Level(), "\nanswers\n", answersOfGo(t), "end\n")
		return
	}
	all := []string{"go", "avx2", "avx512"}
	want := ""
	for _, level := range all[:slices.Index(all, vec.Level())+1] {
		cmd := exec.Command(os.Args[0], "-test.run=^TestLevelsAnswerAlike$")
		cmd.Env = append(os.Environ(), asked+"=1", "ANNBENCH_SIMD="+level)
		out, err := cmd.CombinedOutput()
		_, got, begun := strings.Cut(string(out), "answers\n")
		got, _, ended := strings.Cut(got, "end\n")
		if err != nil || !begun || !ended || len(got) < 1000 || !strings.Contains(string(out), "level "+level+"\n") {
			t.Fatalf("%s: %v\n%s", level, err, out)
		}
		if want == "" {
			want = got
		}
		if got != want {
			t.Errorf("%s answers otherwise than %s", level, all[0])
		}
	}
}

// answersOfGo are the answers of the families in Go: exact ones, and the graph's, which only distances decide.
func answersOfGo(t *testing.T) string {
	var b strings.Builder
	for _, dim := range []int{24, 200} {
		base, queries := wholeNumbers(4500, dim, 1), wholeNumbers(10, dim, 2) // so many that exact search goes by its bounds
		for _, c := range []struct {
			family string
			p      Params
			metric vec.Metric
		}{
			{"flat", nil, vec.L2},
			{"exact", nil, vec.L2},
			{"exact", nil, vec.InnerProduct},
			{"forest", Params{"search_k": base.Rows}, vec.L2},
			{"forest", Params{"search_k": base.Rows}, vec.InnerProduct},
			{"forest", Params{"bounds": false, "trees": 2, "search_k": 2 * base.Rows}, vec.L2},
			{"hnsw", Params{"M": 8, "efConstruction": 30}, vec.L2},
		} {
			f, err := Lookup(c.family)
			if err != nil {
				t.Fatal(err)
			}
			p, err := f.Settings(append(slices.Clone(f.Build), f.Search...), c.p)
			if err != nil {
				t.Fatal(err)
			}
			vectors := base
			if c.family == "hnsw" {
				vectors = base.Slice(0, 800)
			}
			x, err := f.Open(t.Context(), BuildInput{Vectors: vectors, Metric: c.metric, Params: p, Seed: 1, Threads: 1})
			if err != nil {
				t.Fatal(err)
			}
			for i := range queries.Rows {
				answer, err := x.Search(nil, queries.Row(i), 10)
				if err != nil {
					t.Fatal(err)
				}
				fmt.Fprintln(&b, c.family, c.p, c.metric, dim, answer)
			}
			if err := x.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	return b.String()
}

// wholeNumbers makes vectors around ten centres, of small whole numbers.
func wholeNumbers(rows, dim int, seed uint64) vec.Matrix {
	m := vec.NewMatrix(rows, dim)
	state := seed*0x9e3779b97f4a7c15 + 1
	next := func(n uint64) int {
		state ^= state << 13
		state ^= state >> 7
		state ^= state << 17
		return int((state >> 11) % n)
	}
	for i := range rows {
		centre := next(10)
		for j := range m.Row(i) {
			m.Row(i)[j] = float32((centre*(j+3)*7)%11 + next(5) - 2)
		}
	}
	return m
}
