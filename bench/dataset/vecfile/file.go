package vecfile

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"annbench/indexes/vec"
	"annbench/internal/filekind"
)

// File is a file of vectors, opened. Nothing of the vectors has been read yet.
type File struct {
	Dim   int
	Count int // vectors; -1 if only the end tells
	Rows  Rows
	// Integers reads the same values as integers; nil if they are others, or cannot be read so.
	Integers Integers

	// Label and ID are those of a row that was read, counted from 0; nil if the file has none.
	Label, ID func(row int) string

	// Dimensions are the names of the columns that are the dimensions, in their order; nil if these have no names, or one
	// column has whole vectors.
	Dimensions []string

	// Notes say what a reader guessed or left out, a line each for the user.
	Notes []string

	// NotFinite is the place and the value of the first NaN or infinity that was read; empty if there was none so far.
	NotFinite string

	Queries   *File      // nil if the file has no queries of its own
	Neighbors *Neighbors // of the queries; nil if the file has none

	// expect estimates Count where it is not known; nil if nothing can be said.
	expect func() int
	word   string // the file's word for its metric; empty if it has none
	// place names a value by the file's own names of its parts; nil if a row and a dimension say it all.
	place   func(row, dimension int) string
	closers []func() error
}

// Rows gives the vectors of a file, in order.
type Rows interface {
	// Next fills dst with as many whole vectors as fit, at least one, and returns how many it put
	// there; at the end, 0 and io.EOF. dst has room for at least one. Other errors name the byte, line or
	// row, but not the file.
	Next(dst []float32) (int, error)
}

// Integers is [Rows] for integers.
type Integers interface {
	Ints(dst []int32) (int, error)
}

// Neighbors are the exact neighbours that somebody else found: ids of K for each of Count queries.
type Neighbors struct {
	Count, K int
	Rows     Integers
}

// Expected is the number of vectors: Count, or an estimate; 0 if nothing can be said yet. A nil file has none.
func (f *File) Expected() int {
	switch {
	case f == nil:
		return 0
	case f.Count >= 0:
		return f.Count
	case f.expect != nil:
		return f.expect()
	}
	return 0
}

// Metric is what the file says "near" means; empty if it says nothing, or says it in a word that is not
// known, which is then word.
func (f *File) Metric() (m vec.Metric, word string) {
	if m = metricWords[strings.ToLower(f.word)]; m == "" {
		word = f.word
	}
	return m, word
}

// leftOut notes which parts of the file, called names, are none that were used; vectors says which of these have vectors.
func (f *File) leftOut(names, used []string, vectors func(name string) bool) {
	var left, others []string
	for _, n := range names {
		switch {
		case slices.Contains(used, n):
		case vectors(n) && !isOneOf(n, queryNames) && !isOneOf(n, neighborNames):
			others = append(others, n)
		default:
			left = append(left, n)
		}
	}
	if len(others) > 0 {
		f.Notes = append(f.Notes, otherVectors(others))
	}
	if len(left) > 0 {
		f.Notes = append(f.Notes, quoteAll(left)+" left out: neither vectors, labels nor ids")
	}
}

// BlockRows is how many vectors of dim values are read or written at once: 4 MiB.
func BlockRows(dim int) int { return max(1, (1<<20)/dim) }

// Close closes the file. A second call does nothing.
func (f *File) Close() error {
	var errs []error
	for i := len(f.closers) - 1; i >= 0; i-- {
		errs = append(errs, f.closers[i]())
	}
	f.closers = nil
	return errors.Join(errs...)
}

// Open opens the file at path in the format that it begins with, or that its extension says. The error names the
// file, and the byte, line or row.
func Open(path string, columns Columns) (f *File, err error) {
	in, err := openInput(path)
	if err != nil {
		return nil, err
	}
	f, err = read(in, columns)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), in.Close())
	}
	f.closers = append([]func() error{in.Close}, f.closers...)
	return f, nil
}

func read(in *input, columns Columns) (*File, error) {
	head, err := in.bytes(0, min(in.size, filekind.Enough))
	if err != nil {
		return nil, err
	}
	switch kind := filekind.Of(head); {
	case in.size == 0:
		return nil, errors.New("the file is empty")
	case kind == "HTML":
		return nil, errors.New("it is an HTML page, not vectors: open it to see what the download was answered, and fetch the file itself")
	case kind == "Git LFS pointer":
		return nil, errors.New("it is a Git LFS pointer, not the vectors: run `git lfs pull` where it came from")
	}
	format, err := formatOf(in)
	if err != nil {
		return nil, err
	}
	f, err := format.read(in, columns)
	if err != nil {
		return nil, err
	}
	for _, part := range []*File{f, f.Queries} {
		if part != nil {
			part.Rows = &finiteRows{Rows: part.Rows, f: part}
		}
	}
	return f, nil
}

// finiteRows remembers where the first NaN or infinity was: nobody knows it as well later.
type finiteRows struct {
	Rows
	f    *File
	done int
}

func (r *finiteRows) Next(dst []float32) (int, error) {
	n, err := r.Rows.Next(dst)
	if r.f.NotFinite == "" {
		if i := vec.FirstNonFinite(dst[:n*r.f.Dim]); i >= 0 {
			row, d := r.done+i/r.f.Dim, i%r.f.Dim
			place := r.f.place
			if place == nil {
				place = rowPlace
			}
			r.f.NotFinite = fmt.Sprintf("%s, is %v", place(row, d), dst[i])
		}
	}
	r.done += n
	if l, ok := r.Rows.(interface{ lost() []string }); ok && errors.Is(err, io.EOF) {
		r.f.Notes = append(r.f.Notes, l.lost()...)
	}
	return n, err
}

// rowPlace names a value of a file that has rows and nothing else.
func rowPlace(row, dimension int) string { return fmt.Sprintf("row %d, dimension %d", row, dimension) }

// OpenNeighbors opens a file of row numbers: .ivecs, .ibin or .npy. Neighbors of the file is set.
func OpenNeighbors(path string) (*File, error) {
	if strings.EqualFold(filepath.Ext(path), ".ibin") {
		in, err := openInput(path)
		if err != nil {
			return nil, err
		}
		r, err := binRows(in, element{class: 'i', width: 4})
		if err == nil {
			// Ground truth of big-ann-benchmarks has the distances after the ids.
			err = r.check(in.size != 8+8*int64(r.count)*int64(r.dim))
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", path, err), in.Close())
		}
		return &File{Neighbors: &Neighbors{r.count, r.dim, r}, closers: []func() error{in.Close}}, nil
	}
	f, err := Open(path, Columns{})
	if err != nil {
		return nil, err
	}
	if f.Integers == nil {
		return nil, errors.Join(fmt.Errorf("%s: neighbours are row numbers, in .ivecs, .ibin or .npy (C order)", path), f.Close())
	}
	f.Neighbors = &Neighbors{f.Count, f.Dim, f.Integers}
	return f, nil
}

// metricWords are the words of other tools for metrics.
var metricWords = map[string]vec.Metric{
	"angular": vec.Cosine, "cosine": vec.Cosine, "normalized": vec.Cosine,
	"euclidean": vec.L2, "l2": vec.L2,
	"dot": vec.InnerProduct, "ip": vec.InnerProduct, "inner product": vec.InnerProduct, "innerproduct": vec.InnerProduct,
}
