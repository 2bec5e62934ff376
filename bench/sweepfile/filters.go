package sweepfile

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"annbench/bench/filter"
	"annbench/internal/words"
)

// Each lists the filters that f means.
func (f *FilterSweep) Each() []filter.Filter {
	if f.Where != "" {
		return []filter.Filter{{Where: f.Where}}
	}
	if f.CSR != "" {
		return []filter.Filter{{CSR: f.CSR, CSRQueries: f.CSRQueries, Sum: f.sum}}
	}
	var out []filter.Filter
	for _, c := range f.correlations() {
		for _, s := range f.Selectivity {
			out = append(out, filter.Filter{Selectivity: s, Correlation: c})
		}
	}
	return out
}

func (f *FilterSweep) correlations() []string {
	if len(f.Correlation) == 0 {
		return []string{filter.None}
	}
	return f.Correlation
}

// Factors are the factors of the way after.
func (f *FilterSweep) Factors() []float64 {
	if len(f.Factor) == 0 {
		return []float64{1, 3}
	}
	return f.Factor
}

// maxFactor is more than asks for all vectors at the least selectivity that is of use.
const maxFactor = 1e6

func (s *Sweep) checkFilters() error {
	dir := filepath.Dir(s.file.path)
	for i := range s.Filters {
		f := &s.Filters[i]
		at := fmt.Sprintf("$.filters[%d]", i)
		given := 0
		for _, is := range []bool{f.Where != "", len(f.Selectivity) > 0, f.CSR != ""} {
			if is {
				given++
			}
		}
		if given != 1 {
			return s.errorf(at, "a filter has exactly one of where, selectivity and csr; this one has %d", given)
		}
		if len(f.Correlation) > 0 && len(f.Selectivity) == 0 {
			return s.errorf(at+".correlation", "correlation belongs to a selectivity, with which a filter is made")
		}
		for j, c := range f.Correlation {
			if !slices.Contains(filter.Correlations, c) {
				return s.errorf(s.listPath(at+".correlation", j), "no correlation %q%s", c, words.DidYouMean(c, filter.Correlations))
			}
		}
		for j, x := range f.Selectivity {
			if !(x > 0 && x <= 1) {
				return s.errorf(s.listPath(at+".selectivity", j), "a selectivity must be above 0 and at most 1, not %v: it is the share of the vectors that passes", x)
			}
		}
		for j, way := range f.Ways {
			if !slices.Contains(filter.Ways, way) {
				return s.errorf(s.listPath(at+".ways", j), "no way %q%s", way, words.DidYouMean(way, filter.Ways))
			}
		}
		if len(f.Factor) > 0 && len(f.Ways) > 0 && !slices.Contains(f.Ways, filter.After) {
			return s.errorf(at+".factor", "factor belongs to the way after, which is not among the ways here")
		}
		for j, x := range f.Factor {
			if !(x > 0 && x <= maxFactor) {
				return s.errorf(s.listPath(at+".factor", j), "a factor must be above 0 and at most %v, not %v", maxFactor, x)
			}
		}
		if f.Where != "" {
			if _, err := filter.Parse(f.Where); err != nil {
				return s.errorf(at+".where", "%v", err)
			}
			for _, before := range s.Filters[:i] {
				if one, two := before.Each()[0].String(), f.Each()[0].String(); one != two && filter.Same(one, two) {
					return s.errorf(at+".where", "%s means the same as %s, and would be measured as another filter: take one out, or write both alike", two, one)
				}
			}
		}
		if f.CSR == "" {
			continue
		}
		if f.CSRQueries == "" {
			return s.errorf(at, "csr needs csr_queries: the file of the words that each query asks for")
		}
		for _, path := range []struct {
			key  string
			file *string
		}{{"csr", &f.CSR}, {"csr_queries", &f.CSRQueries}} {
			if !filepath.IsAbs(*path.file) {
				*path.file = filepath.Join(dir, *path.file)
			}
			if _, err := os.Stat(*path.file); err != nil {
				return s.errorf(at+"."+path.key, "%s: there is no %s (paths are relative to the sweep file's folder)", path.key, *path.file)
			}
		}
		var err error
		if f.sum, err = filter.SumCSR(f.CSR, f.CSRQueries); err != nil {
			return s.errorf(at+".csr", "%v", err)
		}
	}
	return nil
}
