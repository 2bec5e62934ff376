package vecfile

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// openArchive reads a .npz file: a zip of .npy files.
func openArchive(in *input, columns Columns) (_ *File, err error) {
	z, err := zip.NewReader(in, in.size)
	if err != nil {
		return nil, errors.New("not a .npz file: these are zip archives, and it is none, or is cut short")
	}
	var names []string
	for _, f := range z.File {
		names = append(names, strings.TrimSuffix(f.Name, ".npy"))
	}
	switch has := func(name string) bool { return slices.Contains(names, name) }; {
	case has("indptr") && has("indices"):
		return nil, errors.New("a sparse matrix of SciPy, which is not read; in Python: numpy.save(new, scipy.sparse.load_npz(path).toarray())")
	case has("[Content_Types].xml"):
		return nil, errors.New("a document of Office, such as an Excel workbook, which is not read: save the sheet as CSV")
	}
	at, err := named(names, columns.Vectors, vectorNames)
	if err != nil {
		return nil, err
	}
	if at < 0 && len(names) == 1 {
		at = 0
	}
	if at < 0 {
		return nil, fmt.Errorf("none of its arrays is called %s; it has %s: %s", vectorNames[0], quoteAll(names), nameOne)
	}
	f := &File{}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	var used []string
	part := func(i int) (*input, error) {
		used = append(used, names[i])
		sub, err := zipped(in, z.File[i], f)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", z.File[i].Name, err)
		}
		return sub, nil
	}
	array := func(i int) (*File, error) {
		sub, err := part(i)
		if err != nil {
			return nil, err
		}
		a, err := openArray(sub, Columns{})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", z.File[i].Name, err)
		}
		a.place = func(row, dimension int) string { return z.File[i].Name + ", " + rowPlace(row, dimension) }
		return a, nil
	}
	base, err := array(at)
	if err != nil {
		return nil, err
	}
	f.Dim, f.Count, f.Rows, f.place = base.Dim, base.Count, base.Rows, base.place
	if at, _ := named(names, "", queryNames); at >= 0 {
		if f.Queries, err = array(at); err != nil {
			return nil, err
		}
	}
	if at, _ := named(names, "", neighborNames); at >= 0 && f.Queries != nil {
		near, err := array(at)
		if err != nil {
			return nil, err
		}
		if near.Integers == nil {
			return nil, fmt.Errorf("%s: neighbours are integers in C order", z.File[at].Name)
		}
		f.Neighbors = &Neighbors{near.Count, near.Dim, near.Integers}
	}
	texts := func(asked string, candidates []string) (func(row int) string, error) {
		at, err := named(names, asked, candidates)
		if err != nil || at < 0 {
			return nil, err
		}
		sub, err := part(at)
		if err != nil {
			return nil, err
		}
		all, err := arrayTexts(sub, f.Count)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", z.File[at].Name, err)
		}
		return func(row int) string { return all[row] }, nil
	}
	if f.Label, err = texts(columns.Labels, slices.Concat(labelNames, tableLabels)); err != nil {
		return nil, err
	}
	if f.ID, err = texts(columns.IDs, slices.Concat(idNames, arrayIDs)); err != nil {
		return nil, err
	}
	f.leftOut(names, used, func(name string) bool { return twoDimensions(z.File[slices.Index(names, name)]) })
	return f, nil
}

// twoDimensions reports whether a file of a zip archive is an array of vectors.
func twoDimensions(z *zip.File) bool {
	r, err := z.Open()
	if err != nil {
		return false
	}
	defer r.Close()
	head, err := io.ReadAll(io.LimitReader(r, npyMaxHead))
	if err != nil {
		return false
	}
	h, err := parseNPY(head)
	_, numbers := npyElement(h.descr)
	return err == nil && numbers && len(h.shape) == 2
}

// zipped makes a file of a zip archive readable at any place: as it stands where it is not
// compressed, and else from a temporary file, which f closes. Either way its checksum is compared first.
func zipped(in *input, z *zip.File, f *File) (*input, error) {
	r, err := z.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if z.Method == zip.Store {
		off, err := z.DataOffset()
		if err != nil {
			return nil, err
		}
		size := int64(z.UncompressedSize64)
		if size < 0 || off > in.size || size > in.size-off {
			return nil, placed(in.size, "the file ends before it")
		}
		if _, err := io.Copy(io.Discard, r); err != nil { // for its checksum
			return nil, damagedMember(err)
		}
		return &input{io.NewSectionReader(in, off, size), size, z.Name}, nil
	}
	tmp, err := os.CreateTemp("", "annbench-*.npy")
	if err != nil {
		return nil, err
	}
	f.closers = append(f.closers, func() error { return errors.Join(tmp.Close(), os.Remove(tmp.Name())) })
	n, err := io.Copy(tmp, r)
	if err != nil {
		return nil, damagedMember(err)
	}
	return &input{tmp, n, z.Name}, nil
}

// damagedMember says what to do where the checksum of a file of an archive is not that of its content.
func damagedMember(err error) error {
	if errors.Is(err, zip.ErrChecksum) {
		return errors.New("damaged: its CRC-32 is not that in the archive; fetch or write the file again")
	}
	return err
}
