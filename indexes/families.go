package indexes

import (
	"slices"
	"sync"
)

// Families lists every family, those that this build lacks included, in the order in which they are
// printed. The slice is the caller's, the families are shared and must not be changed.
func Families() []*Family { return slices.Clone(families()) }

// families makes the table once, so that a family is one pointer.
var families = sync.OnceValue(func() []*Family {
	table := []*Family{flatFamily()}
	table = append(table, faissFamilies()...)
	table = append(table, coderFamily(), forestFamily(), weaviateFamily())
	return append(table, pgvectorFamilies()...)
})
