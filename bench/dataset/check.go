package dataset

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"annbench/indexes/vec"
	"annbench/internal/words"
)

// Gate is something that the checks of a set look for. What is found beyond its limit ends a run,
// unless it is allowed by name; below the limit it is a warning.
type Gate struct {
	Name string // what a sweep or a flag allows
	Doc  string
	// limit is the share that is too much; 0 is any at all.
	limit float64
}

// Gates lists what can be allowed. Values that are not finite cannot: no index takes them.
var Gates = []Gate{
	{"zeros", "zero vectors under cosine, which have no angle: any at all", 0},
	{"duplicates", "base vectors that are exact copies of others, or under cosine point the same way, so that ids of equal distance are arbitrary: more than a tenth of the base", 0.1},
	{"queries", "queries that stand in the base too (under cosine: whose direction does), which are easier than the queries of users: more than a tenth", 0.1},
	{"constant", "dimensions that hardly vary, which say nothing and cost time: more than half", 0.5},
	{"neighbors", "neighbours in the vectors' file that exact search does not confirm: a recall below 0.99", 0.01},
}

// CheckGate reports whether name is that of a gate.
func CheckGate(name string) error {
	var names []string
	for _, g := range Gates {
		if g.Name == name {
			return nil
		}
		names = append(names, g.Name)
	}
	return fmt.Errorf("no check %q that could be allowed; there are %s", name, strings.Join(names, ", "))
}

// findings are what the checks found, in the order of [Gates].
type findings struct {
	allow    []string
	warnings []string
	refused  []string
}

// add notes that share of something is too much, or worth a warning.
func (f *findings) add(gate string, share float64, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	at := slices.IndexFunc(Gates, func(g Gate) bool { return g.Name == gate })
	if share > Gates[at].limit && !slices.Contains(f.allow, gate) {
		f.refused = append(f.refused, fmt.Sprintf("%s (measure all the same: allow: %s under data, or --allow %s)", text, gate, gate))
		return
	}
	f.warnings = append(f.warnings, text)
}

func (f *findings) result() ([]string, error) {
	if len(f.refused) > 0 {
		return f.warnings, errors.New(strings.Join(f.refused, "; "))
	}
	return f.warnings, nil
}

// Check looks for what makes measurements on a set meaningless, or other than they seem, under a
// metric: values that are not finite, and all [Gates] but neighbors, for which there is
// [CheckNeighbors].
//
// The error names a NaN or an infinity with its row and dimension, or what was found beyond the
// limits of the gates and is not in allow. Warnings are the rest, with their counts, in the order of
// the gates, base before queries.
func (s *Set) Check(metric vec.Metric, allow ...string) (warnings []string, err error) {
	halves := []struct {
		name string
		m    vec.Matrix
		rows []int32
	}{{"base vector", s.Base, s.BaseRows}, {"query", s.Queries, s.QueryRows}}
	for _, half := range halves {
		if i := vec.FirstNonFinite(half.m.Data); i >= 0 {
			row := i / half.m.Dim
			return nil, fmt.Errorf("%s %d (row %d of the collection) holds %v in dimension %d: vectors must be finite", half.name, row, half.rows[row], half.m.Data[i], i%half.m.Dim)
		}
	}
	f := &findings{allow: allow}
	if metric == vec.Cosine {
		for _, half := range halves {
			if count, first := zeroRows(half.m); count > 0 {
				f.add("zeros", 1, "%d of %s are zero, %s %d (row %d of the collection) first: under %s they are equally far from everything", count, words.Count(half.m.Rows, half.name), half.name, first, half.rows[first], metric)
			}
		}
	}
	d := newDuplicates(s.Base, metric)
	alike, inBase := "are exact copies of another", "as exact copies"
	if metric == vec.Cosine {
		alike, inBase = "point the same way as another, which is all that cosine sees", "as far as cosine can see"
	}
	if d.copies > 0 {
		groups, largest := d.groups()
		f.add("duplicates", float64(d.copies)/float64(s.Base.Rows), "%d of %s %s: %s, the largest of %d", d.copies, words.Count(s.Base.Rows, "base vector"), alike, words.Count(groups, "group"), largest)
	}
	inside := 0
	for q := range s.Queries.Rows {
		if !s.LeaveOneOut && d.has(s.Queries.Row(q)) {
			inside++
		}
	}
	if inside > 0 {
		f.add("queries", float64(inside)/float64(s.Queries.Rows), "%d of %s also stand in the base, %s", inside, words.Count(s.Queries.Rows, "query"), inBase)
	}
	if n := constant(s.Base); n > 0 {
		f.add("constant", float64(n)/float64(s.Base.Dim), "%d of %d dimensions are nearly constant over the base", n, s.Base.Dim)
	}
	if text := beyondFloat32(s.Base); text != "" {
		f.warnings = append(f.warnings, text)
	}
	return f.result()
}

// beyondFloat32 says so where squares of the values are out of a float32's reach. Most indexes sum up such
// squares; where they are infinite or 0, all vectors look equally far to them.
func beyondFloat32(m vec.Matrix) string {
	const smallest, largest = 0x1p-126, math.MaxFloat32
	large, small := 0, 0
	for i := range m.Rows {
		var sum float64
		for _, x := range m.Row(i) {
			sum += float64(x) * float64(x)
		}
		switch {
		case sum > largest:
			large++
		case sum > 0 && sum < smallest*float64(m.Dim):
			small++
		}
	}
	for _, found := range []struct {
		n    int
		what string
	}{{large, "large"}, {small, "small"}} {
		if found.n > 0 {
			return fmt.Sprintf("the values of %d of %s are so %s that their squares are beyond the reach of float32, in which most indexes compute: scale the vectors, or indexes that should not differ will", found.n, words.Count(m.Rows, "base vector"), found.what)
		}
	}
	return ""
}

// hardly is the share of the mean variance of a dimension below which one is nearly constant: its
// values differ by less than a thousandth of what is usual.
const hardly = 1e-6

// constant counts the dimensions that are nearly constant. Where all are, as for a single vector, none
// is less so than the others.
func constant(m vec.Matrix) int {
	variances := variances(m)
	mean := 0.0
	for _, v := range variances {
		mean += v / float64(len(variances))
	}
	count := 0
	for _, v := range variances {
		if v < hardly*mean {
			count++
		}
	}
	return count
}

// variances gives the variance of every dimension, by Welford's method, on as many as sampleRows rows
// at equal distances.
func variances(m vec.Matrix) []float64 {
	mean, sum := make([]float64, m.Dim), make([]float64, m.Dim)
	step := max(1, m.Rows/sampleRows)
	n := 0.0
	for row := 0; row < m.Rows; row += step {
		n++
		for j, x := range m.Row(row) {
			delta := float64(x) - mean[j]
			mean[j] += delta / n
			sum[j] += delta * (float64(x) - mean[j])
		}
	}
	for j := range sum {
		sum[j] /= max(n, 1)
	}
	return sum
}

// sampleRows is about how many rows statistics of the whole base are taken from.
const sampleRows = 1 << 17

// checkedQueries is how many queries given neighbours are verified on.
const checkedQueries = 200

// CheckNeighbors verifies neighbours that somebody else found for the queries of set, ids of the base in
// the order of the collection's queries, of which the first is row first of the collection: on a sample
// of the queries, their recall by truth. It is an error if one of them is nearer than the exact
// neighbour of its rank by more than rounding explains, and if they are worse than the gate neighbors
// lets pass.
func CheckNeighbors(set *Set, truth *Truth, given [][]int32, first int, allow ...string) (warnings []string, err error) {
	if len(given) == 0 || len(given[0]) == 0 {
		return nil, nil
	}
	k := min(len(given[0]), truth.K)
	step := max(1, set.Queries.Rows/checkedQueries)
	queries, hits := 0, 0
	for q := 0; q < set.Queries.Rows; q += step {
		row := int(set.QueryRows[q]) - first
		if row < 0 || row >= len(given) {
			return nil, fmt.Errorf("query %d is row %d of the collection, of which no neighbours are given", q, set.QueryRows[q])
		}
		queries++
		distances := make([]float64, k)
		for i, id := range given[row][:k] {
			distances[i] = truth.Metric.Distance(set.Queries.Row(q), set.Base.Row(int(id)))
		}
		slices.Sort(distances)
		exact := truth.Distances(q)[:k]
		limit := exact[k-1] + 1e-5*math.Abs(exact[k-1])
		repeated := len(given[row][:k]) - distinct(given[row][:k])
		for i, d := range distances {
			if d < exact[i]-1e-5*math.Abs(exact[i])-1e-7 && repeated == 0 {
				return nil, fmt.Errorf("query %d: a given neighbour at distance %v is nearer than the exact one of its rank, at %v", q, d, exact[i])
			}
			if d <= limit {
				hits++
			}
		}
		hits -= repeated
	}
	recall := float64(hits) / float64(queries*k)
	if recall == 1 {
		return nil, nil
	}
	f := &findings{allow: allow}
	f.add("neighbors", 1-recall, "the neighbours that the vectors' file gives reach a recall@%d of %.4f by exact search under %s, over %s: they are of another metric or of other vectors, or not exact", k, recall, truth.Metric, words.Count(queries, "query"))
	return f.result()
}

func distinct(ids []int32) int {
	s := slices.Clone(ids)
	slices.Sort(s)
	return len(slices.Compact(s))
}

// zeroRows counts the vectors that are zero, and names the first.
func zeroRows(m vec.Matrix) (count, first int) {
	for i := range m.Rows {
		zero := true
		for _, x := range m.Row(i) {
			if x != 0 {
				zero = false
				break
			}
		}
		if zero {
			if count == 0 {
				first = i
			}
			count++
		}
	}
	return count, first
}
