package filter

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"os"
	"slices"

	"annbench/bench/dataset"
	"annbench/indexes/vec"
)

// csr is a sparse matrix as big-ann-benchmarks writes it (benchmark/dataset_io.py, write_sparse_matrix): rows, columns
// and entries as int64; where each row begins, rows + 1 int64; the column of each entry, int32; its value, float32. All
// are little-endian. A row is a vector, a column a word, and an entry says that the vector has the word; values are
// not looked at.
type csr struct {
	path       string
	rows, cols int
	starts     []int64
	words      []int32
}

// row are the words of a row, ascending.
func (c *csr) row(i int) []int32 { return c.words[c.starts[i]:c.starts[i+1]] }

// readCSR reads a file whole, and checks all of it.
func readCSR(path string) (_ *csr, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %w", path, err)
		}
	}()
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	in := bufio.NewReaderSize(f, 1<<20)
	rows, cols, entries, err := readHead(in, info.Size())
	if err != nil {
		return nil, err
	}
	c := &csr{path: path, rows: int(rows), cols: int(cols), starts: make([]int64, rows+1), words: make([]int32, entries)}
	if err := binary.Read(in, binary.LittleEndian, c.starts); err != nil {
		return nil, err
	}
	if err := binary.Read(in, binary.LittleEndian, c.words); err != nil {
		return nil, err
	}
	if err := c.follow(entries); err != nil {
		return nil, err
	}
	for i := range c.rows {
		row := c.row(i)
		slices.Sort(row)
		if n := len(row); n > 0 && (row[0] < 0 || int(row[n-1]) >= c.cols) {
			return nil, fmt.Errorf("row %d has a word that is not among its %d columns", i, c.cols)
		}
	}
	return c, nil
}

// follow reports the first row that does not begin where the one before ends, of rows that make up so many entries.
func (c *csr) follow(entries int64) error {
	if c.starts[0] != 0 {
		return fmt.Errorf("row 0 begins at entry %d, not at 0", c.starts[0])
	}
	for i, end := range c.starts[1:] {
		if start := c.starts[i]; end < start || end > entries {
			return fmt.Errorf("row %d goes from entry %d to %d, and there are %d: rows follow one another", i, start, end, entries)
		}
	}
	if end := c.starts[c.rows]; end != entries {
		return fmt.Errorf("its %d rows end at entry %d, and there are %d", c.rows, end, entries)
	}
	return nil
}

// readHead reads how many rows, columns and entries a file of so many bytes has, and checks that they make so many.
func readHead(in io.Reader, size int64) (rows, cols, entries int64, err error) {
	var head [3]int64
	const form = "it is not a sparse matrix in the form of big-ann-benchmarks (three int64: rows, columns, entries; then where rows begin, columns, values)"
	if err := binary.Read(in, binary.LittleEndian, &head); err != nil {
		return 0, 0, 0, fmt.Errorf("it has %d bytes: %s", size, form)
	}
	rows, cols, entries = head[0], head[1], head[2]
	if rows < 0 || rows > math.MaxInt32 || cols < 0 || cols > math.MaxInt32 || entries < 0 || entries > math.MaxInt64/16 ||
		size != 24+8*(rows+1)+8*entries {
		return 0, 0, 0, fmt.Errorf("its first numbers say %d rows, %d columns and %d entries, which do not make %d bytes: %s", rows, cols, entries, size, form)
	}
	return rows, cols, entries, nil
}

// CheckCSR reports, from the first bytes of both files alone, that they are of another form or have other rows than the
// vectors of the set. [Prepare] reads the rest.
func CheckCSR(set *dataset.Set, base, queries string) error {
	var rows [2]int
	for i, path := range []string{base, queries} {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return err
		}
		n, _, _, err := readHead(f, info.Size())
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		rows[i] = int(n)
	}
	return fits(set, base, rows[0], queries, rows[1])
}

// fits reports files whose rows are not those of the vectors and queries that a set was made of: of a sample of the vectors,
// which are more than the set knows, only that they are too few. Queries that came with the vectors are the last rows of the
// collection.
func fits(set *dataset.Set, base string, baseRows int, queries string, queryRows int) error {
	first := int32(set.Base.Rows)
	if last := set.BaseRows[first-1]; int(last) >= baseRows {
		return fmt.Errorf("%s: it has %d rows, and vector %d is searched: it belongs to other vectors", base, baseRows, last)
	}
	for q, row := range set.QueryRows {
		if set.LeaveOneOut || row < first || int(row-first) >= queryRows {
			return fmt.Errorf("%s: it has %d rows, and query %d is row %d of the vectors: filters of this form go with a file of queries (data: {queries: FILE}), row for row", queries, queryRows, q, row)
		}
	}
	if set.BaseRows[first-1] != first-1 { // a sample
		return nil
	}
	for _, of := range []struct {
		path       string
		rows, want int
		what       string
	}{{base, baseRows, set.Base.Rows, "vectors"}, {queries, queryRows, set.Rows - set.Base.Rows, "queries"}} {
		if of.rows > of.want {
			return fmt.Errorf("%s: it has %d rows, and there are %d %s: it belongs to others", of.path, of.rows, of.want, of.what)
		}
	}
	return nil
}

// SumCSR is what [Filter.Sum] is of two files.
func SumCSR(base, queries string) (string, error) {
	sum := sha256.New()
	for _, path := range []string{base, queries} {
		f, err := os.Open(path)
		if err != nil {
			return "", err
		}
		_, err = io.Copy(sum, f)
		f.Close()
		if err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(sum.Sum(nil)[:6]), nil
}

// postings are, by word, which of the base rows have it; baseRows[i] is the row of vector i in the file. A file may say that it
// has billions of columns, so there is room for the words that occur alone.
func (c *csr) postings(baseRows []int32) map[int32][]int32 {
	out := map[int32][]int32{}
	for i, row := range baseRows {
		last := int32(-1)
		for _, w := range c.row(int(row)) {
			if w != last {
				out[w] = append(out[w], int32(i))
			}
			last = w
		}
	}
	return out
}

// passing are the vectors that have all words of a query; all vectors have none.
func passing(lists map[int32][]int32, asked []int32, rows int) *vec.Set {
	out := vec.NewSet(rows)
	if len(asked) == 0 {
		for i := range rows {
			out.Add(int32(i))
		}
		return out
	}
	var shared []int32
	for i, w := range asked {
		list := lists[w]
		if i == 0 {
			shared = slices.Clone(list)
			continue
		}
		shared = slices.DeleteFunc(shared, func(id int32) bool {
			_, has := slices.BinarySearch(list, id)
			return !has
		})
	}
	for _, id := range shared {
		out.Add(id)
	}
	return out
}
