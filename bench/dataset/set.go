package dataset

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"annbench/bench/dataset/attributes"
	"annbench/bench/dataset/collection"
	"annbench/bench/dataset/vecfile"
	"annbench/indexes/vec"
	"annbench/internal/atomicfile"
	"annbench/internal/seal"
	"annbench/internal/words"
)

// The files of a set's folder.
const (
	baseFile        = "base.npy" // float32, one vector a row
	queriesFile     = "queries.npy"
	baseItemsFile   = "base-items.jsonl" // one Item a line
	queryItemsFile  = "query-items.jsonl"
	baseLabelsFile  = "base-labels.npy" // int32, indexes of the labels in set.json, -1 for none
	queryLabelsFile = "query-labels.npy"
	baseRowsFile    = "base-rows.npy" // int32, row numbers of the collection
	queryRowsFile   = "query-rows.npy"
	setFile         = "set.json" // setMeta; written last

	// Of sets with attributes alone; see package attributes.
	attributesFile      = "attributes.json"
	baseAttributesFile  = "base-attributes.npy"
	queryAttributesFile = "query-attributes.npy"
)

// setVersion is the version of the folder's form and of the way queries are drawn. It is part of the
// digest.
const setVersion = 1

// defaultQueries is how many queries are held out of a large collection where nothing else is asked
// for: the mean recall of 1,000 queries is good to about ±0.01.
const defaultQueries = 1000

// SplitConfig says how a collection is divided.
type SplitConfig struct {
	// Queries is how many vectors are held out. 0 is a fifth of the rows, but no more than 1,000
	// and no fewer than 1.
	Queries int
	// Seed decides which.
	Seed uint64
	// LeaveOneOut draws the queries and leaves them in the base: all rows are searched, and a query
	// is never its own neighbour. It is an error where the collection came with queries of its own.
	LeaveOneOut bool
	// Half, 1 or 2, draws twice the queries and takes one half of them: two sets with the same base and different
	// queries, one to search for settings with and one to measure what was found. 0 is no halves.
	Half int
	// Sample leaves so many vectors in the base, drawn by the seed: of two samples the smaller is part of the
	// larger. 0 is all of them. It does not go with LeaveOneOut.
	Sample int
	// Relevance says what makes an answer right beside its category: columns of the collection's attributes. It is
	// part of the set, so that what was scored by other gains is not taken for the same.
	Relevance Relevance
}

// DefaultQueries is how many of so many vectors are held out where nobody says.
func DefaultQueries(rows int) int { return max(1, min(defaultQueries, rows/5)) }

// CheckQueries says why so many queries cannot be held out of the vectors called name.
func CheckQueries(name string, rows, queries int) error {
	if queries < 1 || queries >= rows {
		return fmt.Errorf("%s: %d queries cannot be held out of %d vectors: 1 to %d can", name, queries, rows, rows-1)
	}
	return nil
}

// setMeta is what set.json holds.
type setMeta struct {
	Version    int    `json:"version"`
	Digest     string `json:"digest"`
	Collection string `json:"collection"` // the digest of what was divided
	Base       int    `json:"base"`
	Queries    int    `json:"queries"`
	Dim        int    `json:"dim"`
	Seed       uint64 `json:"seed"`
	// Mode is how base and queries came about: empty where queries were held out, or one of the
	// modes below.
	Mode   string   `json:"mode,omitempty"`
	Rows   int      `json:"rows,omitempty"` // of the collection, where Mode, Half or Sample is not empty
	Half   int      `json:"half,omitempty"`
	Sample int      `json:"sample,omitempty"`
	Labels []string `json:"labels"`
	// Attributes is the digest of the attributes of all rows; empty where there are none.
	Attributes string    `json:"attributes,omitempty"`
	Relevance  Relevance `json:"relevance,omitzero"`
	// Files are the SHA-256 of the other files of the folder, by name; the file itself has one of its own,
	// see package seal.
	Files map[string]string `json:"files"`
}

// setFiles are the files of every set, besides [setFile].
var setFiles = []string{
	baseFile, queriesFile, baseItemsFile, queryItemsFile, baseLabelsFile, queryLabelsFile, baseRowsFile, queryRowsFile,
}

// files are those of the set, besides [setFile].
func (m *setMeta) files() []string {
	if m.Attributes == "" {
		return setFiles
	}
	return append(slices.Clone(setFiles), attributesFile, baseAttributesFile, queryAttributesFile)
}

// The modes of a set, besides queries that are held out.
const (
	modeGiven       = "given"         // the collection came with queries
	modeLeaveOneOut = "leave-one-out" // queries stay in the base
)

// rows is how many rows the collection has.
func (m *setMeta) rows() int {
	if m.Rows == 0 {
		return m.Base + m.Queries
	}
	return m.Rows
}

// drawn is how many queries are drawn, of which Queries are those of the set.
func (m *setMeta) drawn() int {
	if m.Half > 0 {
		return 2 * m.Queries
	}
	return m.Queries
}

// Split divides a collection into base and queries, and returns the folder of the set, below
// cacheDir. A set that is there already is used again.
//
// Where the collection came with queries (Meta.Queries), they are the queries, all of them or as many
// as are asked for, drawn by the seed; the other rows are the base. Else they are held out, or left in
// the base, as cfg says.
//
// Queries are drawn uniformly at random without replacement: every row gets a random number, out of
// PCG with the seed, in row order, and the rows with the smallest numbers are the queries. Base and
// queries both keep the order of the collection. The same collection, count and seed give the same
// set on every machine, and the same digest.
//
// The folder has its name from its digest; several processes may split at once. It is an error if
// there are not at least one query and one base vector, or if one has a NaN or an infinity, which is named with its file.
func Split(ctx context.Context, c *collection.Collection, cfg SplitConfig, cacheDir string) (dir string, err error) {
	rows := c.Vectors.Rows
	if rows < 2 {
		return "", fmt.Errorf("%s: %d vectors cannot be divided into base and queries", c.Name, rows)
	}
	mode, base := "", 0
	switch given := c.Meta.Queries; {
	case given > 0 && cfg.LeaveOneOut:
		return "", fmt.Errorf("%s: the vectors came with %d queries, so none can be left out one by one", c.Name, given)
	case given > 0:
		if cfg.Queries < 0 || cfg.Queries > given {
			return "", fmt.Errorf("%s: %d queries are not there: the vectors came with %d", c.Name, cfg.Queries, given)
		}
		if cfg.Queries == 0 {
			cfg.Queries = given
		}
		mode, base = modeGiven, rows-given
		if cfg.Half > 0 && 2*cfg.Queries > given {
			return "", fmt.Errorf("%s: two halves of %d queries are not there: the vectors came with %d", c.Name, cfg.Queries, given)
		}
	case cfg.Half > 0 && (cfg.Queries < 1 || 2*cfg.Queries >= rows):
		return "", fmt.Errorf("%s: two halves of %d queries cannot be held out of %d vectors: ask for at most %d", c.Name, cfg.Queries, rows, max(0, (rows-1)/2))
	case cfg.Queries < 0 || cfg.Queries >= rows:
		return "", CheckQueries(c.Name, rows, cfg.Queries)
	default:
		if cfg.Queries == 0 {
			cfg.Queries = DefaultQueries(rows)
		}
		base = rows - cfg.Queries
		if cfg.Half > 0 {
			base -= cfg.Queries
		}
		if cfg.LeaveOneOut {
			mode, base = modeLeaveOneOut, rows
		}
	}
	switch {
	case cfg.Sample == 0 || cfg.Sample == base:
		cfg.Sample = 0
	case cfg.LeaveOneOut || cfg.Sample < 0 || cfg.Sample > base:
		return "", fmt.Errorf("%s: no sample of %d vectors can be drawn from a base of %d", c.Name, cfg.Sample, base)
	default:
		base = cfg.Sample
	}
	if err := os.MkdirAll(cacheDir, 0o755); err != nil {
		return "", err
	}
	digest, err := c.CachedDigest(ctx, cacheDir)
	if err != nil {
		return "", err
	}
	if err := c.Verify(ctx); err != nil {
		return "", err
	}
	meta := setMeta{
		Version: setVersion, Collection: digest, Base: base, Queries: cfg.Queries,
		Dim: c.Vectors.Dim, Seed: cfg.Seed, Mode: mode, Half: cfg.Half, Sample: cfg.Sample,
	}
	if mode != "" || cfg.Half > 0 || cfg.Sample > 0 {
		meta.Rows = rows
	}
	if err := cfg.Relevance.check(c.Attributes); err != nil {
		return "", fmt.Errorf("%s: %w", c.Name, err)
	}
	if c.Attributes != nil {
		if c.Attributes.Rows != rows {
			return "", fmt.Errorf("%s: attributes of %d rows, there are %d", c.Name, c.Attributes.Rows, rows)
		}
		meta.Attributes, meta.Relevance = c.Attributes.Digest(), cfg.Relevance
	}
	meta.Digest = meta.digest()
	dir = filepath.Join(cacheDir, "set-"+meta.Digest[:16])
	switch have, err := readSetMeta(dir); {
	case err == nil && have.Digest == meta.Digest:
		return dir, nil
	case errors.Is(err, errNoSums):
		// Of an older annbench: nobody can say whether it is whole, and it costs little to make again.
		if err := os.RemoveAll(dir); err != nil {
			return "", err
		}
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return "", err
	}
	tmp, err := atomicfile.TempDir(dir)
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	var bad notFinite
	if err := writeSet(ctx, tmp, c, meta); errors.As(err, &bad) {
		return "", bad // which names the file
	} else if err != nil {
		return "", fmt.Errorf("splitting %s: %w", c.Name, err)
	}
	if err := atomicfile.Publish(tmp, dir); err != nil {
		// Another process may have been faster; what it wrote is the same.
		if have, wrong := readSetMeta(dir); wrong != nil || have.Digest != meta.Digest {
			if wrong != nil && !errors.Is(wrong, fs.ErrNotExist) {
				return "", fmt.Errorf("splitting %s: %w", c.Name, wrong)
			}
			return "", fmt.Errorf("splitting %s: %s is there, but is not a complete set; %s", c.Name, dir, again(dir))
		}
	}
	return dir, nil
}

// digest identifies the set: the collection's content, and all that decides how it was divided.
func (m *setMeta) digest() string {
	sum := sha256.New()
	fmt.Fprintf(sum, "annbench set %d\ncollection %s\nqueries %d\nseed %d\n", m.Version, m.Collection, m.Queries, m.Seed)
	if m.Mode != "" { // absent from the digests of sets that were made before there were modes
		fmt.Fprintf(sum, "mode %s\nbase %d\nrows %d\n", m.Mode, m.Base, m.Rows)
	}
	if m.Half > 0 || m.Sample > 0 {
		fmt.Fprintf(sum, "rows %d\nhalf %d\nsample %d\n", m.Rows, m.Half, m.Sample)
	}
	if m.Attributes != "" {
		fmt.Fprintf(sum, "attributes %s\nitem %q\n", m.Attributes, m.Relevance.Item)
		for _, g := range m.Relevance.Gains {
			fmt.Fprintf(sum, "gain %q %v\n", g.Attribute, g.Weight)
		}
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func readSetMeta(dir string) (*setMeta, error) {
	var m setMeta
	path := filepath.Join(dir, setFile)
	sealed, err := seal.ReadJSON(path, &m)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) && seal.Damage(err) {
			err = fmt.Errorf("%w; %s", err, again(dir))
		}
		return nil, err
	}
	if m.Version != setVersion {
		return nil, fmt.Errorf("%s: version %d of a set, this annbench reads %d; %s", path, m.Version, setVersion, again(dir))
	}
	if m.Digest != m.digest() {
		return nil, fmt.Errorf("%s: damaged: its digest is not that of what it says; %s", path, again(dir))
	}
	if !sealed || len(m.Files) != len(m.files()) {
		return nil, fmt.Errorf("%s: %w; %s", path, errNoSums, again(dir))
	}
	return &m, nil
}

var errNoSums = errors.New("it has no checksums, as sets of older versions of annbench have none")

// again says how to make a set anew.
func again(dir string) string {
	return fmt.Sprintf("delete the folder (rm -r %s), and `annbench run` makes it again", words.Shell(dir))
}

// Verify compares every file of the set with the SHA-256 that was taken when it was made: a second for half
// a gigabyte. The error names the file that has changed, and the way to make it again; or it is that of ctx.
func (s *Set) Verify(ctx context.Context) error {
	err := seal.Verify(ctx, s.Dir, s.files)
	if err != nil && ctx.Err() == nil && seal.Damage(err) {
		err = fmt.Errorf("%w; %s", err, again(s.Dir))
	}
	return err
}

// held reports which rows are queries.
func held(rows, queries int, seed uint64) []bool {
	out := make([]bool, rows)
	for _, row := range shuffled(rows, seed, 0)[:queries] {
		out[row] = true
	}
	return out
}

// shuffled are rows in an order that the seed draws.
func shuffled(rows int, seed, stream uint64) []int32 {
	pcg := rand.NewPCG(seed, stream)
	draws := make([]uint64, rows)
	order := make([]int32, rows)
	for i := range draws {
		draws[i], order[i] = pcg.Uint64(), int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int {
		switch {
		case draws[a] < draws[b]:
			return -1
		case draws[a] > draws[b]:
			return 1
		}
		return int(a) - int(b)
	})
	return order
}

// setHalf is the base or the queries of a set that is being written.
type setHalf struct {
	vectors      *vecfile.ArrayWriter[float32]
	items        *collection.ItemWriter
	rows, labels []int32
}

func newSetHalf(dir, vectors, items string, dim int) (*setHalf, error) {
	w, err := vecfile.CreateArray[float32](filepath.Join(dir, vectors), dim, nil)
	if err != nil {
		return nil, err
	}
	lines, err := collection.CreateItems(filepath.Join(dir, items))
	if err != nil {
		w.Close()
		return nil, err
	}
	return &setHalf{vectors: w, items: lines}, nil
}

// copy appends the rows of c that are wanted, in order.
func (h *setHalf) copy(ctx context.Context, c *collection.Collection, number map[string]int32, wanted func(row int) bool) error {
	const most = 4096 // rows between two looks at ctx
	for from := 0; from < c.Vectors.Rows; {
		if !wanted(from) {
			from++
			continue
		}
		to := from + 1
		for to < c.Vectors.Rows && to-from < most && wanted(to) {
			to++
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if place := c.NotFinite(from, to); place != "" {
			return notFinite(place)
		}
		if err := h.vectors.Write(c.Vectors.Slice(from, to).Data); err != nil {
			return err
		}
		for row := from; row < to; row++ {
			h.rows = append(h.rows, int32(row))
			h.labels = append(h.labels, number[c.Items[row].Label])
			if _, err := h.items.Append(c.Items[row]); err != nil {
				return err
			}
		}
		from = to
	}
	return nil
}

// notFinite is the place of a NaN or an infinity.
type notFinite string

func (place notFinite) Error() string {
	return string(place) + ": vectors must be finite; give it a number, or remove the row"
}

func (h *setHalf) finish(dir, labels, rows string) error {
	return errors.Join(
		h.vectors.Finish(),
		h.items.Finish(),
		vecfile.WriteArray(filepath.Join(dir, labels), h.labels, 0),
		vecfile.WriteArray(filepath.Join(dir, rows), h.rows, 0),
	)
}

func writeSet(ctx context.Context, dir string, c *collection.Collection, meta setMeta) error {
	meta.Labels = labelsOf(c.Items)
	number := make(map[string]int32, len(meta.Labels)+1)
	for i, label := range meta.Labels {
		number[label] = int32(i)
	}
	number[""] = -1
	base, err := newSetHalf(dir, baseFile, baseItemsFile, meta.Dim)
	if err != nil {
		return err
	}
	queries, err := newSetHalf(dir, queriesFile, queryItemsFile, meta.Dim)
	if err != nil {
		base.vectors.Close()
		base.items.Close()
		return err
	}
	err = func() error {
		first := 0 // row that may be drawn
		if meta.Mode == modeGiven {
			first = c.Vectors.Rows - c.Meta.Queries
		}
		drawn := slices.Concat(make([]bool, first), held(c.Vectors.Rows-first, meta.drawn(), meta.Seed))
		query := slices.Clone(drawn)
		if meta.Half > 0 { // in the order of the draw, the first of both halves come first
			for i, row := range shuffled(c.Vectors.Rows-first, meta.Seed, 0)[:meta.drawn()] {
				query[first+int(row)] = (i < meta.Queries) == (meta.Half == 1)
			}
		}
		kept := meta.sampled(first, drawn)
		if err := queries.copy(ctx, c, number, func(row int) bool { return query[row] }); err != nil {
			return err
		}
		if err := base.copy(ctx, c, number, func(row int) bool {
			switch {
			case meta.Mode == modeLeaveOneOut:
				return true
			case kept != nil:
				return kept[row]
			case meta.Mode == modeGiven:
				return row < first
			}
			return !drawn[row]
		}); err != nil {
			return err
		}
		return nil
	}()
	if err := errors.Join(
		err,
		base.finish(dir, baseLabelsFile, baseRowsFile),
		queries.finish(dir, queryLabelsFile, queryRowsFile),
		writeAttributes(dir, c.Attributes, base.rows, queries.rows),
	); err != nil {
		return err
	}
	if meta.Files, err = seal.Sums(ctx, dir, meta.files()...); err != nil {
		return err
	}
	return seal.WriteJSON(filepath.Join(dir, setFile), meta)
}

// sampled reports which rows are the base where it is a sample, else nil. first is the first row that may be a
// query, and drawn says which are.
func (m *setMeta) sampled(first int, drawn []bool) []bool {
	if m.Sample == 0 {
		return nil
	}
	kept, left := make([]bool, len(drawn)), m.Sample
	for _, row := range shuffled(len(drawn), m.Seed, 1) {
		if left == 0 {
			break
		}
		if drawn[row] || m.Mode == modeGiven && int(row) >= first {
			continue
		}
		kept[row] = true
		left--
	}
	return kept
}

// labelsOf are the categories of all items, sorted, each once.
func labelsOf(items []collection.Item) []string {
	seen := make(map[string]bool)
	for _, item := range items {
		if item.Label != "" {
			seen[item.Label] = true
		}
	}
	labels := make([]string, 0, len(seen))
	for label := range seen {
		labels = append(labels, label)
	}
	slices.Sort(labels)
	return labels
}

// Set is what a sweep runs on: vectors that are searched, and vectors that are searched for. Its
// methods may be called by many goroutines at once; nothing of it may be used after Close. Slices are
// mapped: read them, never write to them.
type Set struct {
	Dir    string
	Digest string // 64 hexadecimal digits; names the content, the queries and the seed
	// Collection is the digest of the collection that was divided; see [Meta].
	Collection string

	Base    vec.Matrix
	Queries vec.Matrix

	Labels      []string // the categories, sorted; empty where there are none
	BaseLabels  []int32  // of each base vector, an index of Labels; -1 for none
	QueryLabels []int32

	BaseRows  []int32 // of each base vector, its row in the collection; ascending
	QueryRows []int32
	Rows      int // of the collection: those of the base, of the queries, and those that are neither

	// LeaveOneOut says that the queries stand in the base, and that no query is its own neighbour; see
	// [Set.Self].
	LeaveOneOut bool

	// Relevance says what makes an answer right beside its category; its columns are of [Set.BaseAttributes].
	Relevance Relevance

	baseAttributes, queryAttributes *attributes.Table // nil where there are none

	closers []interface{ Close() error }
	grown   bool              // it comes from [Set.Grown]
	counts  []int             // base vectors by label
	files   map[string]string // see [setMeta.Files]

	baseItems, queryItems func() ([]collection.Item, error) // read once
}

// OpenSet opens a set's folder. Counts are checked against each other; [Set.Verify] looks whether the files
// are still those that were written, [Set.Check] at the values.
func OpenSet(dir string) (*Set, error) {
	meta, err := readSetMeta(dir)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s is not a complete set: it has no %s", dir, setFile)
		}
		return nil, err
	}
	s := &Set{Dir: dir, Digest: meta.Digest, Collection: meta.Collection, Labels: meta.Labels, Rows: meta.rows(), LeaveOneOut: meta.Mode == modeLeaveOneOut, Relevance: meta.Relevance, files: meta.Files}
	if err := s.open(meta); err != nil {
		if seal.Damage(err) {
			err = fmt.Errorf("%w; %s", err, again(dir))
		}
		return nil, errors.Join(err, s.Close())
	}
	s.counts = make([]int, len(s.Labels))
	for _, label := range s.BaseLabels {
		if label >= 0 {
			s.counts[label]++
		}
	}
	s.baseItems = sync.OnceValues(func() ([]collection.Item, error) {
		return collection.ReadItems(filepath.Join(dir, baseItemsFile), meta.Base)
	})
	s.queryItems = sync.OnceValues(func() ([]collection.Item, error) {
		return collection.ReadItems(filepath.Join(dir, queryItemsFile), meta.Queries)
	})
	return s, nil
}

func (s *Set) open(meta *setMeta) error {
	if !slices.IsSorted(meta.Labels) {
		return fmt.Errorf("%s: the labels are not sorted", filepath.Join(s.Dir, setFile))
	}
	for _, part := range []struct {
		name string
		rows int
		to   *vec.Matrix
	}{{baseFile, meta.Base, &s.Base}, {queriesFile, meta.Queries, &s.Queries}} {
		path := filepath.Join(s.Dir, part.name)
		m, err := vecfile.MapMatrix(path)
		if err != nil {
			return err
		}
		s.closers = append(s.closers, m)
		if m.Rows != part.rows || m.Dim != meta.Dim {
			return fmt.Errorf("%s has %d vectors of %d dimensions, %s says %d of %d", path, m.Rows, m.Dim, setFile, part.rows, meta.Dim)
		}
		*part.to = m.Matrix
	}
	for _, part := range []struct {
		name  string
		rows  int
		low   int32
		bound int
		to    *[]int32
	}{
		{baseLabelsFile, meta.Base, -1, len(meta.Labels), &s.BaseLabels},
		{queryLabelsFile, meta.Queries, -1, len(meta.Labels), &s.QueryLabels},
		{baseRowsFile, meta.Base, 0, meta.rows(), &s.BaseRows},
		{queryRowsFile, meta.Queries, 0, meta.rows(), &s.QueryRows},
	} {
		path := filepath.Join(s.Dir, part.name)
		a, err := vecfile.MapArray[int32](path, 1)
		if err != nil {
			return err
		}
		s.closers = append(s.closers, a)
		if len(a.Data) != part.rows {
			return fmt.Errorf("%s has %d values, %s says %d", path, len(a.Data), setFile, part.rows)
		}
		for i, v := range a.Data {
			if v < part.low || int(v) >= part.bound {
				return fmt.Errorf("%s: value %d is %d, of %d", path, i, v, part.bound)
			}
		}
		*part.to = a.Data
	}
	return s.openAttributes(meta)
}

// Self is the base vector that query q is: -1 where queries do not stand in the base.
func (s *Set) Self(q int) int32 {
	if s.LeaveOneOut {
		return s.QueryRows[q] // all rows are the base, in order
	}
	return -1
}

// Relevant is how many base vectors have the category of query q, itself left out: 0 where it has none.
func (s *Set) Relevant(q int) int {
	if label := s.QueryLabels[q]; label >= 0 {
		if s.LeaveOneOut {
			return s.counts[label] - 1
		}
		return s.counts[label]
	}
	return 0
}

// LabelCounts gives the number of base vectors and of queries by index of Labels.
func (s *Set) LabelCounts() (base, queries []int) {
	queries = make([]int, len(s.Labels))
	for _, label := range s.QueryLabels {
		if label >= 0 {
			queries[label]++
		}
	}
	return slices.Clone(s.counts), queries
}

// BaseItems gives the items of the base. The first call reads them; the slice is shared.
func (s *Set) BaseItems() ([]collection.Item, error) { return s.baseItems() }

// QueryItems gives the items of the queries, as BaseItems does.
func (s *Set) QueryItems() ([]collection.Item, error) { return s.queryItems() }

// Close unmaps everything. A second call does nothing.
func (s *Set) Close() error {
	var errs []error
	for _, c := range s.closers {
		errs = append(errs, c.Close())
	}
	s.closers = nil
	s.baseAttributes, s.queryAttributes = nil, nil
	s.Base.Data, s.Queries.Data = nil, nil
	s.BaseLabels, s.QueryLabels, s.BaseRows, s.QueryRows = nil, nil, nil, nil
	return errors.Join(errs...)
}

// BaseFile says where the base of s, which was opened at dir, is on the disk, and how many bytes stand
// before its first number: float32, little-endian, row after row.
func (s *Set) BaseFile(dir string) (path string, offset int64, err error) {
	path = filepath.Join(dir, baseFile)
	info, err := os.Stat(path)
	if err != nil {
		return "", 0, err
	}
	return path, info.Size() - 4*int64(s.Base.Rows)*int64(s.Base.Dim), nil
}

// Grown is s with more rows in its base: their vectors, labels (-1 for none), rows in the collection, which follow those
// that there are, and attributes, nil where s has none. s stays as it is, and must stay open while the other is used, which
// has nothing to close. Subtle: the slices of the other grow behind what s sees of them, so that a set may grow once.
func (s *Set) Grown(more vec.Matrix, labels, rows []int32, table *attributes.Table) (*Set, error) {
	if more.Dim != s.Base.Dim || len(labels) != more.Rows || len(rows) != more.Rows {
		return nil, fmt.Errorf("%d vectors of %d dimensions with %d labels and %d rows cannot follow vectors of %d dimensions", more.Rows, more.Dim, len(labels), len(rows), s.Base.Dim)
	}
	out := &Set{
		Dir: s.Dir, Digest: s.Digest, Collection: s.Collection, Queries: s.Queries, Labels: s.Labels, QueryLabels: s.QueryLabels, QueryRows: s.QueryRows, Rows: s.Rows + more.Rows,
		LeaveOneOut: s.LeaveOneOut, Relevance: s.Relevance, queryAttributes: s.queryAttributes, files: s.files, baseItems: s.baseItems, queryItems: s.queryItems,
	}
	before := *s
	if !s.grown { // what is mapped is never written to
		before.Base.Data, before.BaseLabels, before.BaseRows = slices.Clip(s.Base.Data), slices.Clip(s.BaseLabels), slices.Clip(s.BaseRows)
	}
	out.grown = true
	out.Base = vec.Matrix{Data: append(before.Base.Data, more.Data...), Rows: s.Base.Rows + more.Rows, Dim: s.Base.Dim}
	out.BaseLabels = append(before.BaseLabels, labels...)
	out.BaseRows = append(before.BaseRows, rows...)
	out.counts = slices.Clone(s.counts)
	for _, label := range labels {
		if label >= 0 {
			out.counts[label]++
		}
	}
	var err error
	if s.baseAttributes != nil {
		out.baseAttributes, err = attributes.Concat(s.baseAttributes, s.Base.Rows, table, more.Rows)
	}
	return out, err
}
