package vecfile

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"annbench/internal/words"
)

// Columns name the parts of a file that has several: columns of a table, data sets of an HDF5 file,
// arrays of a .npz file. Empty is what docs/reference/formats.md says the format's readers look for.
type Columns struct {
	Vectors string `yaml:"vectors"`
	Labels  string `yaml:"labels"`
	IDs     string `yaml:"ids"`
}

// What the parts of a file are called that are not named by [Columns], best first.
var (
	vectorNames   = []string{"train", "vectors", "embeddings", "embedding", "emb", "x_train", "base", "x", "vector", "features", "data", "arr_0"}
	queryNames    = []string{"test", "queries", "query", "x_test"}
	labelNames    = []string{"labels", "label", "y_train", "y", "category", "categories", "class", "target"}
	neighborNames = []string{"neighbors", "neighbours"}
	idNames       = []string{"ids", "id"}
)

// MissingError says that a file has no part of the name that was asked for.
type MissingError struct {
	Asked string
	Have  []string
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("it has no %q; it has %s", e.Asked, quoteAll(nearestFirst(e.Asked, e.Have)))
}

// nearestFirst are names, those first that were probably meant by asked: the one that is spelt most alike, and then those
// of which one is part of the other.
func nearestFirst(asked string, names []string) []string {
	nearest, low := words.Nearest(asked, names), strings.ToLower(asked)
	rank := func(name string) int {
		switch lower := strings.ToLower(name); {
		case name == nearest:
			return 0
		case min(len(lower), len(low)) >= 3 && (strings.Contains(lower, low) || strings.Contains(low, lower)):
			return 1
		}
		return 2
	}
	out := slices.Clone(names)
	slices.SortStableFunc(out, func(a, b string) int { return rank(a) - rank(b) })
	return out
}

// named finds the part that is asked for, or the first of candidates that is there; -1 is none.
func named(have []string, asked string, candidates []string) (int, error) {
	if asked != "" {
		if i := slices.Index(have, asked); i >= 0 {
			return i, nil
		}
		return -1, &MissingError{asked, have}
	}
	for _, c := range candidates {
		for i, h := range have {
			if strings.EqualFold(h, c) {
				return i, nil
			}
		}
	}
	return -1, nil
}

// nameOne is how a user says which part has the vectors.
const nameOne = "name one under columns: {vectors: ...}, or for `annbench data` with --columns"

// otherVectors is the note about parts that have vectors, too, and were not chosen.
func otherVectors(names []string) string {
	what := "another array of vectors"
	if len(names) > 1 {
		what = "other arrays of vectors"
	}
	return fmt.Sprintf("%s left out: %s; to take another, %s", quoteAll(names), what, nameOne)
}

func quoteAll(names []string) string {
	if len(names) == 0 {
		return "nothing"
	}
	q := make([]string, 0, 8)
	for i, n := range names {
		if i == 8 {
			q = append(q, fmt.Sprintf("and %d more", len(names)-i))
			break
		}
		q = append(q, strconv.Quote(n))
	}
	return strings.Join(q, ", ")
}
