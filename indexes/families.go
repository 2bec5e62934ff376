package indexes

import (
	"slices"
	"strings"
	"sync"
)

// Families lists every family, those that this build lacks included, in the order in which they are
// printed. The slice is the caller's, the families are shared and must not be changed.
func Families() []*Family { return slices.Clone(families()) }

// families makes the table once, so that a family is one pointer.
var families = sync.OnceValue(func() []*Family {
	table := []*Family{flatFamily(), exactFamily()}
	table = append(table, faissFamilies()...)
	table = append(table, hnswFamily(), coderFamily(), forestFamily(), weaviateFamily())
	table = append(table, pgvectorFamilies()...)
	for _, f := range table {
		kind, _, _ := strings.Cut(f.Name, "-")
		if f.Approach == "" {
			f.Approach = approachOf[kind]
		}
	}
	return table
})

// approachOf is the approach of a kind of index, which is what a family's name has before its first "-".
var approachOf = map[string]string{
	"flat": "exact", "exact": "exact", "ivfflat": "lists", "ivfpq": "quantised", "ivfpqfs": "quantised", "ivfrabitq": "quantised",
	"ivfsq": "quantised", "faiss": "quantised", // what a description makes may be any; most people describe codes
	"hnsw": "graph", "hnswsq": "graph", "nsg": "graph", "weaviate": "graph", "forest": "tree",
}
