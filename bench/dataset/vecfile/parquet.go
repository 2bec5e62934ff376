package vecfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/parquet-go/parquet-go"
)

// maxDim bounds the dimensions of a vector that says of itself how long it is.
const maxDim = 1 << 20

// openParquet reads a table with a column of lists of numbers, and labels and ids from others.
func openParquet(in *input, columns Columns) (_ *File, err error) {
	defer damagedParquet(&err)
	if in.size < 12 {
		return nil, placed(in.size, "the file ends too early to be Parquet")
	}
	tail, err := in.bytes(in.size-8, 8)
	if err != nil {
		return nil, err
	}
	if string(tail[4:]) != "PAR1" {
		return nil, placed(in.size-4, "a Parquet file ends with PAR1, this one does not: it is cut short or damaged")
	}
	if footer := int64(uint32(le32(tail))); footer > in.size-12 {
		return nil, placed(in.size-8, "the file says that its last %d bytes describe it, and has %d in all", footer, in.size)
	}
	file, err := parquet.OpenFile(in, in.size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true), parquet.ReadBufferSize(1<<20))
	if err != nil {
		return nil, err
	}
	p := &parquetRows{file: file, label: -1, id: -1, vector: -1, interned: map[string]string{}}
	var names []string
	var leaves []parquet.LeafColumn
	for _, path := range file.Schema().Columns() {
		leaf, ok := file.Schema().Lookup(path...)
		if !ok {
			continue
		}
		leaves = append(leaves, leaf)
		names = append(names, path[0])
	}
	isVector := func(l parquet.LeafColumn) bool {
		if l.MaxRepetitionLevel != 1 {
			return false
		}
		switch l.Node.Type().Kind() {
		case parquet.Float, parquet.Double, parquet.Int32, parquet.Int64:
			return true
		}
		return false
	}
	var lists []string
	for i, l := range leaves {
		if isVector(l) {
			lists = append(lists, names[i])
		}
	}
	if len(lists) == 0 {
		return nil, fmt.Errorf("no column is a list of numbers; it has %s", quoteAll(names))
	}
	at, err := named(lists, columns.Vectors, vectorNames)
	if err != nil {
		return nil, err
	}
	if at < 0 {
		if len(lists) > 1 {
			return nil, fmt.Errorf("several columns are lists of numbers (%s): name one under columns: {vectors: ...}", quoteAll(lists))
		}
		at = 0
	}
	labelAt, err := named(names, columns.Labels, labelNames)
	if err != nil {
		return nil, err
	}
	idAt, err := named(names, columns.IDs, idNames)
	if err != nil {
		return nil, err
	}
	for i, l := range leaves {
		if names[i] == lists[at] && isVector(l) {
			p.vector, p.defined = l.ColumnIndex, l.MaxDefinitionLevel
		}
		if l.MaxRepetitionLevel == 0 {
			if i == labelAt {
				p.label = l.ColumnIndex
			}
			if i == idAt {
				p.id = l.ColumnIndex
			}
		}
	}
	p.groups = file.RowGroups()
	p.buf = make([]parquet.Value, 1<<12)
	// The first vector tells the dimension; it is put back.
	first, err := p.row(nil)
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the table has no rows")
	}
	if err != nil {
		return nil, err
	}
	if len(first) == 0 {
		return nil, errors.New("row 0: the list is empty")
	}
	p.first = first
	f := &File{Dim: len(first), Count: -1, Rows: p, closers: []func() error{p.close}}
	f.expect = func() int { return int(file.NumRows()) }
	p.dim = len(first)
	if p.label >= 0 {
		f.Label = func(row int) string { return p.labels[row] }
	}
	if p.id >= 0 {
		f.ID = func(row int) string { return p.ids[row] }
	}
	return f, nil
}

// damagedParquet turns a panic of the library into an error: damaged files make it run out of slices.
func damagedParquet(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("the file is damaged: its reader failed with %q", fmt.Sprint(r))
	}
}

// parquetRows reads the vectors of row group after row group.
type parquetRows struct {
	file              *parquet.File
	groups            []parquet.RowGroup
	group             int
	vector, label, id int // columns, -1 for none
	defined           int // definition level of a number that is there
	dim               int

	pages    parquet.Pages
	page     parquet.Page
	values   parquet.ValueReader
	buf      []parquet.Value
	have     []parquet.Value // read and not used yet
	first    []float32
	done     int
	labels   []string
	ids      []string
	interned map[string]string
}

func (p *parquetRows) close() error {
	if p.pages != nil {
		pages := p.pages
		p.pages = nil
		return pages.Close()
	}
	return nil
}

// fill makes have not empty, or returns io.EOF.
func (p *parquetRows) fill() error {
	for len(p.have) == 0 {
		if p.values != nil {
			n, err := p.values.ReadValues(p.buf)
			p.have = p.buf[:n]
			if err != nil && !errors.Is(err, io.EOF) {
				return err
			}
			if n > 0 {
				return nil
			}
			p.values = nil
			parquet.Release(p.page)
		}
		if p.pages == nil {
			if p.group == len(p.groups) {
				return io.EOF
			}
			g := p.groups[p.group]
			p.group++
			if err := p.texts(g); err != nil {
				return err
			}
			p.pages = g.ColumnChunks()[p.vector].Pages()
		}
		page, err := p.pages.ReadPage()
		if errors.Is(err, io.EOF) {
			if err := p.close(); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		p.page, p.values = page, page.Values()
	}
	return nil
}

// texts reads labels and ids of a row group.
func (p *parquetRows) texts(g parquet.RowGroup) error {
	for _, part := range []struct {
		column int
		to     *[]string
		intern bool
	}{{p.label, &p.labels, true}, {p.id, &p.ids, false}} {
		if part.column < 0 {
			continue
		}
		pages := g.ColumnChunks()[part.column].Pages()
		err := func() error {
			for {
				page, err := pages.ReadPage()
				if errors.Is(err, io.EOF) {
					return nil
				}
				if err != nil {
					return err
				}
				values := page.Values()
				for {
					n, err := values.ReadValues(p.buf)
					for _, v := range p.buf[:n] {
						s := parquetText(v)
						if part.intern {
							s = intern(p.interned, s)
						}
						*part.to = append(*part.to, s)
					}
					if errors.Is(err, io.EOF) || n == 0 {
						break
					}
					if err != nil {
						return err
					}
				}
				parquet.Release(page)
			}
		}()
		if err := errors.Join(err, pages.Close()); err != nil {
			return err
		}
	}
	return nil
}

func parquetText(v parquet.Value) string {
	switch {
	case v.IsNull():
		return ""
	case v.Kind() == parquet.Int32 || v.Kind() == parquet.Int64:
		return strconv.FormatInt(v.Int64(), 10)
	case v.Kind() == parquet.ByteArray || v.Kind() == parquet.FixedLenByteArray:
		return string(v.ByteArray())
	}
	return v.String()
}

// row appends the numbers of the next row to dst.
func (p *parquetRows) row(dst []float32) ([]float32, error) {
	begun := false
	for {
		if err := p.fill(); err != nil {
			if errors.Is(err, io.EOF) && begun {
				p.done++
				return dst, nil
			}
			return nil, err
		}
		v := p.have[0]
		if v.RepetitionLevel() == 0 && begun {
			p.done++
			return dst, nil
		}
		begun = true
		p.have = p.have[1:]
		if v.DefinitionLevel() < p.defined {
			return nil, fmt.Errorf("row %d: the list is missing, empty, or has a missing number", p.done)
		}
		var x float64
		switch v.Kind() {
		case parquet.Float:
			x = float64(v.Float())
		case parquet.Double:
			x = v.Double()
		case parquet.Int32:
			x = float64(v.Int32())
		default:
			x = float64(v.Int64())
		}
		y := float32(x)
		if y-y != 0 && x-x == 0 { // finite, but not as a float32
			return nil, errTooLarge(p.done, len(dst))
		}
		if p.dim > 0 && len(dst) == cap(dst) {
			return nil, fmt.Errorf("row %d has more than the %d dimensions of those before", p.done, p.dim)
		}
		if len(dst) == maxDim {
			return nil, fmt.Errorf("row %d has more than %d dimensions", p.done, maxDim)
		}
		dst = append(dst, y)
	}
}

func (p *parquetRows) Next(dst []float32) (n int, err error) {
	defer damagedParquet(&err)
	if p.first != nil {
		copy(dst, p.first)
		p.first = nil
		n = 1
	}
	for (n+1)*p.dim <= len(dst) {
		from := n * p.dim
		row, err := p.row(dst[from : from : from+p.dim])
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, err
		}
		if len(row) != p.dim {
			return 0, fmt.Errorf("row %d has %d dimensions, those before have %d", p.done-1, len(row), p.dim)
		}
		n++
	}
	if n == 0 {
		return 0, io.EOF
	}
	for _, part := range []struct {
		column int
		have   int
		what   string
	}{{p.label, len(p.labels), "labels"}, {p.id, len(p.ids), "ids"}} {
		if part.column >= 0 && part.have < p.done {
			return 0, fmt.Errorf("row %d: the table has only %d %s", part.have, part.have, part.what)
		}
	}
	return n, nil
}

// parquetRow is a row of the tables that are written: the vector is a list, in the form that Arrow and
// pandas write.
type parquetRow struct {
	ID     string    `parquet:"id"`
	Label  string    `parquet:"label,optional,dict"`
	Vector []float32 `parquet:"vector,list"`
}

func writeParquet(ctx context.Context, f *os.File, t Table) error {
	w := parquet.NewGenericWriter[parquetRow](f, parquet.Compression(&parquet.Snappy), parquet.MaxRowsPerRowGroup(int64(16*BlockRows(t.Vectors.Dim))))
	var rows []parquetRow
	err := t.blocks(ctx, func(from, to int) error {
		rows = rows[:0]
		for row := from; row < to; row++ {
			rows = append(rows, parquetRow{t.ID(row), t.Label(row), t.Vectors.Row(row)})
		}
		_, err := w.Write(rows)
		return err
	})
	if err != nil {
		return err
	}
	return w.Close()
}
