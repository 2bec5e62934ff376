package serve

import (
	"context"
	"fmt"
	"image"
	"slices"
	"strings"

	"annbench/bench/dataset"
	"annbench/bench/dataset/collection"
	"annbench/bench/record"
	"annbench/embedder/catalog"
	"annbench/embedder/catalog/boards"
	"annbench/indexes/vec"
)

// Boards is a source of pictures that come on boards: [catalog.Rendered] and [catalog.Boards] are.
type Boards interface {
	catalog.Source
	BoardName(g int) string
	Board(g int) (image.Image, []boards.Box, error)
}

// Library is what can be searched and searched for: the items of a data set by their number, which is
// their row in the collection. It is not changed by its use, so many goroutines may share it.
type Library struct {
	name    string
	dataset record.Dataset
	metric  vec.Metric
	set     *dataset.Set
	ranker  *vec.Ranker
	items   []libraryItem // base and queries, by number; an item that is in neither has no vector
	first   int           // number of the first item that was added: it and those behind it have no picture
	base    []int32       // number of each base vector
	byID    map[string]int
	labels  []labelled
	fold    []string // items' ids and categories in lower case, for searching by name
	gallery
	attributes func() []attributeView // what a filter can ask for

	pictures   *collection.Collection // thumbnails; nil where there are none
	source     catalog.Source         // pictures in full; nil where they are not at hand
	group      map[string]place
	boardNames map[string]int
}

type gallery struct {
	queries []record.Item
	why     []string
}

// place is where the source has an item.
type place struct{ group, at int }

type libraryItem struct {
	id    string
	label int32 // of the set's labels; -1: none
	base  int32 // row of the base; -1: held out, to be searched for
	query int32 // row of the queries; -1: none
}

type labelled struct {
	name  string
	rows  []int32 // of the base
	items int     // base and queries
}

// LibraryConfig says what a library is made of.
type LibraryConfig struct {
	Results *record.Results
	Set     *dataset.Set
	// Metric is the distance that is searched by. Empty: that of the first record.
	Metric vec.Metric
	// Thumbnails is the collection that the set was divided from; nil where it is not at hand.
	Thumbnails *collection.Collection
	// Source has the pictures in full; nil where they are not at hand.
	Source catalog.Source
}

// metricOf is the metric of the first record.
func metricOf(r *record.Results) vec.Metric {
	for _, rec := range r.Records {
		if m, err := vec.ParseMetric(rec.Cell.Metric); err == nil {
			return m
		}
	}
	return vec.Cosine
}

// NewLibrary makes a library. What c names must stay open as long as it is used.
func NewLibrary(c LibraryConfig) (*Library, error) {
	if c.Results.Dataset.Digest != c.Set.Digest {
		return nil, fmt.Errorf("%s are results of another data set than %s", c.Results.Dir, c.Set.Dir)
	}
	if c.Metric == "" {
		c.Metric = metricOf(c.Results)
	}
	l := &Library{
		name: c.Results.Dataset.Name, dataset: c.Results.Dataset, metric: c.Metric, set: c.Set, ranker: vec.NewRanker(c.Set.Base, c.Metric),
		pictures: c.Thumbnails, source: c.Source, byID: map[string]int{}, attributes: attributesOnce(c.Set),
	}
	rows := 0
	for _, numbers := range [][]int32{c.Set.BaseRows, c.Set.QueryRows} {
		for _, n := range numbers {
			rows = max(rows, int(n)+1)
		}
	}
	if c.Thumbnails != nil && len(c.Thumbnails.Items) < rows {
		return nil, fmt.Errorf("the collection has %d items, the data set names %d", len(c.Thumbnails.Items), rows)
	}
	l.items = make([]libraryItem, rows)
	for i := range l.items {
		l.items[i] = libraryItem{label: -1, base: -1, query: -1}
	}
	l.first = rows
	l.labels = make([]labelled, len(c.Set.Labels))
	for i, name := range c.Set.Labels {
		l.labels[i].name = name
	}
	base, err := c.Set.BaseItems()
	if err != nil {
		return nil, err
	}
	queries, err := c.Set.QueryItems()
	if err != nil {
		return nil, err
	}
	for i, n := range c.Set.BaseRows {
		l.items[n] = libraryItem{id: base[i].ID, label: c.Set.BaseLabels[i], base: int32(i), query: -1}
		if label := c.Set.BaseLabels[i]; label >= 0 {
			l.labels[label].rows = append(l.labels[label].rows, int32(i))
		}
	}
	for i, n := range c.Set.QueryRows {
		if l.items[n].base < 0 {
			l.items[n] = libraryItem{id: queries[i].ID, label: c.Set.QueryLabels[i], base: -1}
		}
		l.items[n].query = int32(i)
	}
	l.fold = make([]string, rows)
	for n, item := range l.items {
		if !l.has(n) {
			continue
		}
		l.byID[item.id] = n
		l.fold[n] = strings.ToLower(item.id + " " + l.label(n))
		if item.label >= 0 {
			l.labels[item.label].items++
		}
	}
	l.base = c.Set.BaseRows
	if g := c.Results.Gallery; g != nil {
		l.gallery = gallery{g.Queries, g.Why}
	}
	l.place()
	return l, nil
}

// place finds the items in the source of pictures.
func (l *Library) place() {
	if l.source == nil {
		return
	}
	l.group, l.boardNames = map[string]place{}, map[string]int{}
	b, boarded := l.source.(Boards)
	for g := range l.source.Groups() {
		for at, item := range l.source.Items(g) {
			l.group[item.ID] = place{g, at}
		}
		if boarded {
			l.boardNames[b.BoardName(g)] = g
		}
	}
}

// has reports whether there is an item of the number n, with a vector.
func (l *Library) has(n int) bool {
	return n >= 0 && n < len(l.items) && (l.items[n].base >= 0 || l.items[n].query >= 0)
}

func (l *Library) label(n int) string {
	if label := l.items[n].label; label >= 0 {
		return l.set.Labels[label]
	}
	return ""
}

func (l *Library) vector(n int) []float32 {
	if i := l.items[n].base; i >= 0 {
		return l.set.Base.Row(int(i))
	}
	return l.set.Queries.Row(int(l.items[n].query))
}

// category is the place of a label among the set's.
func (l *Library) category(name string) (int32, bool) {
	i, ok := slices.BinarySearch(l.set.Labels, name)
	return int32(i), ok
}

// board is the board that an item is on; empty where it is on none.
func (l *Library) board(id string) string {
	b, ok := l.source.(Boards)
	if !ok {
		return ""
	}
	p, ok := l.group[id]
	if !ok {
		return ""
	}
	return b.BoardName(p.group)
}

// exact finds the k nearest base vectors of q: among those that may be answered where among is not nil, else of category
// label, or of all where it is negative, and without row self.
func (l *Library) exact(ctx context.Context, q []float32, k int, label, self int32, among *vec.Set) ([]vec.Neighbor, error) {
	if among != nil {
		asked := l.ranker.Query(q, make([]float32, len(q)))
		var top vec.TopK
		var scan vec.Scan
		top.Reset(min(k+1, l.set.Base.Rows))
		scan.Among(&asked, among, &top)
		return without(top.AppendTo(nil), self, k), nil
	}
	if label < 0 {
		got, err := l.ranker.Exact(ctx, vec.Matrix{Data: q, Rows: 1, Dim: len(q)}, min(k+1, l.set.Base.Rows), 1, nil)
		return without(got, self, k), err
	}
	rows := l.labels[label].rows
	asked := l.ranker.Query(q, make([]float32, len(q)))
	out := make([]float32, len(rows))
	asked.Scattered(out, rows)
	var top vec.TopK
	top.Reset(k)
	for i, row := range rows {
		if row != self {
			top.Push(vec.Neighbor{ID: row, Dist: out[i]})
		}
	}
	return top.AppendTo(nil), nil
}

// without takes self out, and keeps k of the rest.
func without(got []vec.Neighbor, self int32, k int) []vec.Neighbor {
	if self >= 0 {
		got = slices.DeleteFunc(got, func(n vec.Neighbor) bool { return n.ID == self })
	}
	return got[:min(k, len(got))]
}
