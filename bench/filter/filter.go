package filter

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"annbench/internal/words"
)

// Filter says which vectors pass. The zero value lets all pass; else exactly one of Where, Selectivity and CSR is set.
// Filters are comparable, and [Filter.String] names one.
type Filter struct {
	Where string `json:"where,omitempty"` // an expression over the attributes; see [Expr]

	// Selectivity is the share of the base that passes, above 0 and at most 1: a filter that is made, for every query.
	// Correlation says which pass; see [Correlations].
	Selectivity float64 `json:"selectivity,omitempty"`
	Correlation string  `json:"correlation,omitempty"`

	// CSR is a file of the words that each vector has, and CSRQueries one of those that each query asks for, in the form
	// of big-ann-benchmarks' filter track: a vector passes that has all words of the query. Sum is the beginning of the
	// SHA-256 of both.
	CSR        string `json:"csr,omitempty"`
	CSRQueries string `json:"csr_queries,omitempty"`
	Sum        string `json:"sum,omitempty"`
}

// The correlations of a made filter with the query.
//
// Far and near vectors are drawn out of a pool, √s of the base for a selectivity of s: near the query, √s of its
// neighbourhood pass then, in place of s.
const (
	None = "none" // passing vectors are drawn at random, the same for all queries
	Near = "near" // they are drawn from the nearest √s of the base
	Far  = "far"  // they are drawn from the farthest √s of the base
)

// Correlations lists them in the order in which they are shown.
var Correlations = []string{None, Near, Far}

// The ways of a search under a filter.
const (
	Inside = "inside" // the index looks at the filter while it searches
	After  = "after"  // the index is asked for more, and what does not pass is dropped
	Before = "before" // what passes is compared with the query, all of it, without an index
)

// Ways lists them in the order in which they are shown.
var Ways = []string{Inside, After, Before}

// String names the filter, in one form: it is part of what makes a cell.
func (f Filter) String() string {
	switch {
	case f.Where != "":
		return spaced(f.Where)
	case f.CSR != "":
		return fmt.Sprintf("csr %s %s %s", filepath.Base(f.CSR), filepath.Base(f.CSRQueries), f.Sum)
	case f.Selectivity > 0:
		return fmt.Sprintf("selectivity=%s correlation=%s", number(f.Selectivity), f.Correlation)
	}
	return ""
}

// spaced is an expression with one space wherever it has any, except in quotes, where spaces are part of what is compared.
func spaced(text string) string {
	var out strings.Builder
	var quote rune
	space := false
	for _, r := range text {
		switch {
		case quote != 0:
			if r == quote {
				quote = 0
			}
		case unicode.IsSpace(r):
			space = true
			continue
		case strings.ContainsRune("'\"`", r):
			quote = r
		}
		if space && out.Len() > 0 {
			out.WriteByte(' ')
		}
		space = false
		out.WriteRune(r)
	}
	return out.String()
}

// Check reports what is wrong with f without data.
func (f Filter) Check() error {
	given := 0
	for _, is := range []bool{f.Where != "", f.Selectivity != 0, f.CSR != ""} {
		if is {
			given++
		}
	}
	switch {
	case given != 1:
		return fmt.Errorf("a filter has exactly one of where, selectivity and csr; this one has %d", given)
	case f.Where != "":
		_, err := Parse(f.Where)
		return err
	case f.CSR != "":
		if f.CSRQueries == "" {
			return fmt.Errorf("csr needs csr_queries: the file of the words that each query asks for")
		}
		return nil
	case !(f.Selectivity > 0 && f.Selectivity <= 1):
		return fmt.Errorf("a selectivity must be above 0 and at most 1, not %v", f.Selectivity)
	case !slices.Contains(Correlations, f.Correlation):
		return fmt.Errorf("no correlation %q%s", f.Correlation, words.DidYouMean(f.Correlation, Correlations))
	}
	return nil
}
