package dataset

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

// What the parts of a file are called that are not named by [Columns], best first.
var (
	vectorNames   = []string{"train", "vectors", "embeddings", "embedding", "emb", "x_train", "base", "x", "vector", "features", "data", "arr_0"}
	queryNames    = []string{"test", "queries", "query", "x_test"}
	labelNames    = []string{"labels", "label", "y_train", "y", "category", "categories", "class", "target"}
	neighborNames = []string{"neighbors", "neighbours"}
	idNames       = []string{"ids", "id"}
)

// named finds the part that is asked for, or the first of candidates that is there; -1 is none.
func named(have []string, asked string, candidates []string) (int, error) {
	if asked != "" {
		if i := slices.Index(have, asked); i >= 0 {
			return i, nil
		}
		return -1, fmt.Errorf("it has no %q; it has %s", asked, quoteAll(have))
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

// openArchive reads a .npz file: a zip of .npy files.
func openArchive(in *input, columns Columns) (_ *foreign, err error) {
	z, err := zip.NewReader(in, in.size)
	if err != nil {
		return nil, fmt.Errorf("not a .npz file: %w", err)
	}
	var names []string
	for _, f := range z.File {
		names = append(names, strings.TrimSuffix(f.Name, ".npy"))
	}
	at, err := named(names, columns.Vectors, vectorNames)
	if err != nil {
		return nil, err
	}
	if at < 0 && len(names) == 1 {
		at = 0
	}
	if at < 0 {
		return nil, fmt.Errorf("none of its arrays is called %s; it has %s: name one under columns: {vectors: ...}", vectorNames[0], quoteAll(names))
	}
	f := &foreign{}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	part := func(i int) (*input, error) {
		sub, err := zipped(in, z.File[i], f)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", z.File[i].Name, err)
		}
		return sub, nil
	}
	array := func(i int) (*foreign, error) {
		sub, err := part(i)
		if err != nil {
			return nil, err
		}
		a, err := openArray(sub, Columns{})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", z.File[i].Name, err)
		}
		return a, nil
	}
	base, err := array(at)
	if err != nil {
		return nil, err
	}
	f.dim, f.count, f.rows = base.dim, base.count, base.rows
	if at, _ := named(names, "", queryNames); at >= 0 {
		if f.queries, err = array(at); err != nil {
			return nil, err
		}
	}
	if at, _ := named(names, "", neighborNames); at >= 0 && f.queries != nil {
		near, err := array(at)
		if err != nil {
			return nil, err
		}
		if near.integers == nil {
			return nil, fmt.Errorf("%s: neighbours are integers in C order", z.File[at].Name)
		}
		f.neighbors = &foreignNeighbors{near.count, near.dim, near.integers}
	}
	at, err = named(names, columns.Labels, labelNames)
	if err != nil {
		return nil, err
	}
	if at >= 0 {
		sub, err := part(at)
		if err != nil {
			return nil, err
		}
		labels, err := intLabels(sub, f.count)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", z.File[at].Name, err)
		}
		f.label = func(row int) string { return labels[row] }
	}
	return f, nil
}

// zipped makes a file of a zip archive readable at any place: as it stands where it is not
// compressed, and else from a temporary file, which f closes.
func zipped(in *input, z *zip.File, f *foreign) (*input, error) {
	if z.Method == zip.Store {
		off, err := z.DataOffset()
		if err != nil {
			return nil, err
		}
		size := int64(z.UncompressedSize64)
		if size < 0 || off > in.size || size > in.size-off {
			return nil, placed(in.size, "the file ends before it")
		}
		return &input{io.NewSectionReader(in, off, size), size, z.Name}, nil
	}
	r, err := z.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	tmp, err := os.CreateTemp("", "annbench-*.npy")
	if err != nil {
		return nil, err
	}
	f.closers = append(f.closers, func() error { return errors.Join(tmp.Close(), os.Remove(tmp.Name())) })
	n, err := io.Copy(tmp, r)
	if err != nil {
		return nil, err
	}
	return &input{tmp, n, z.Name}, nil
}

// intLabels reads the labels in a .npy file of integers, one for each of count vectors; count below 0
// is any number.
func intLabels(in *input, count int) ([]string, error) {
	r, h, err := npyRows(in)
	if err != nil {
		return nil, err
	}
	if r.elem.class == 'f' || r.dim != 1 {
		return nil, placed(10, "labels are integers in one dimension, these are %s of shape %v", descrName(h.descr), h.shape)
	}
	if count >= 0 && r.count != count {
		return nil, fmt.Errorf("%d labels for %d vectors", r.count, count)
	}
	return rowLabels(r, r.count)
}

func rowLabels(r integers, count int) ([]string, error) {
	labels := make([]string, 0, count)
	interned := map[int32]string{}
	block := make([]int32, max(1, min(count, 1<<16)))
	for {
		n, err := r.ints(block)
		if errors.Is(err, io.EOF) {
			return labels, nil
		}
		if err != nil {
			return nil, err
		}
		for _, v := range block[:n] {
			s, ok := interned[v]
			if !ok {
				s = strconv.Itoa(int(v))
				interned[v] = s
			}
			labels = append(labels, s)
		}
	}
}
