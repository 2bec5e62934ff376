package vecfile

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"
)

// maxDim bounds the dimensions of a vector that says of itself how long it is.
const maxDim = 1 << 20

// openTable opens a Parquet file whose end is what the format asks for, and whose columns have names of their own.
func openTable(in *input) (*parquet.File, error) {
	if in.size < 12 {
		return nil, placed(in.size, "the file ends too early to be Parquet")
	}
	tail, err := in.bytes(in.size-8, 8)
	if err != nil {
		return nil, err
	}
	if string(tail[4:]) == "PARE" {
		return nil, placed(in.size-4, "the file is encrypted, which is not read; write it without encryption")
	}
	if string(tail[4:]) != "PAR1" {
		return nil, placed(in.size-4, "a Parquet file ends with PAR1, this one does not: it is cut short or damaged")
	}
	if footer := int64(uint32(le32(tail))); footer > in.size-12 {
		return nil, placed(in.size-8, "the file says that its last %d bytes describe it, and has %d in all", footer, in.size)
	}
	file, err := parquet.OpenFile(in, in.size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true), parquet.ReadBufferSize(1<<18))
	if err != nil {
		return nil, errParquet
	}
	// The library finds columns by name, so of two it would read one twice.
	seen := map[string]bool{}
	for _, path := range file.Schema().Columns() {
		name := strings.Join(path, "\x00")
		if seen[name] {
			return nil, fmt.Errorf("two columns are called %q: which of them holds what nobody can say; give each a name of its own", path[0])
		}
		seen[name] = true
	}
	return file, nil
}

// openParquet reads a table with a column of lists of numbers, and labels and ids from others.
func openParquet(in *input, columns Columns) (_ *File, err error) {
	defer damagedParquet(&err)
	file, err := openTable(in)
	if err != nil {
		return nil, err
	}
	p := &parquetRows{file: file, label: -1, id: -1, interned: map[string]string{}, words: map[int]func(parquet.Value) string{}, sound: &parquetPages{in: in}}
	var names []string // of the columns
	var leaves []parquetLeaf
	// The library drops some types, that of halves for one, so they are taken from the file's own schema.
	var elements []format.SchemaElement
	for _, e := range file.Metadata().Schema {
		if e.Type.Valid {
			elements = append(elements, e)
		}
	}
	maps := inMaps(file.Metadata().Schema)
	for _, path := range file.Schema().Columns() {
		if leaf, ok := file.Schema().Lookup(path...); ok {
			if leaf.ColumnIndex >= len(elements) {
				return nil, errParquet
			}
			l := leafOf(leaf, elements[leaf.ColumnIndex])
			if l.mapped = maps[leaf.ColumnIndex]; l.mapped {
				l.number = nil
			}
			p.elements = append(p.elements, elements[leaf.ColumnIndex])
			leaves = append(leaves, l)
			p.leaves = append(p.leaves, leaf)
			names = append(names, columnName(file.Schema(), path))
		}
	}
	labelAt, err := namedWithin(names, columns.Labels, slices.Concat(labelNames, tableLabels))
	if err != nil {
		return nil, err
	}
	idAt, err := namedWithin(names, columns.IDs, slices.Concat(idNames, tableIDs, []string{"__index_level_0__"}))
	if err != nil {
		return nil, err
	}
	var lists, wide, aside []int
	for i, l := range leaves {
		switch {
		case l.MaxRepetitionLevel == 0 && i == labelAt:
			p.label = l.ColumnIndex
		case l.MaxRepetitionLevel == 0 && i == idAt && i != labelAt:
			p.id = l.ColumnIndex
		case l.number != nil && l.MaxRepetitionLevel == 1:
			lists = append(lists, i)
		case l.number != nil && l.MaxRepetitionLevel == 0 && len(l.Path) == 1 && !isOneOf(names[i], slices.Concat(idNames, tableIDs, labelNames, tableLabels)):
			wide = append(wide, i)
		default:
			aside = append(aside, i)
		}
	}
	if p.label >= 0 {
		p.classes = classNames(file, names[labelAt])
	}
	var vectors []int
	var notes []string
	switch {
	case len(lists) > 0:
		have := make([]string, len(lists))
		for i, l := range lists {
			have[i] = names[l]
		}
		at, err := namedWithin(have, columns.Vectors, vectorNames)
		if err != nil {
			return nil, err
		}
		if at < 0 && len(lists) > 1 {
			return nil, fmt.Errorf("several columns are lists of numbers (%s): %s", quoteAll(have), nameOne)
		}
		vectors = []int{lists[max(at, 0)]}
		if have = slices.Delete(have, max(at, 0), max(at, 0)+1); len(have) > 0 {
			notes = append(notes, otherVectors(have))
		}
		aside = append(aside, wide...)
	case columns.Vectors != "" && !slices.Contains(names, columns.Vectors):
		return nil, &MissingError{columns.Vectors, slices.Compact(names)}
	case columns.Vectors != "":
		for i, name := range names {
			if name == columns.Vectors {
				if why := noNumbers(elements[leaves[i].ColumnIndex], leaves[i]); why != "" {
					return nil, fmt.Errorf("column %q has %s", name, why)
				}
			}
		}
		return nil, fmt.Errorf("column %q is no list of numbers; it has %s", columns.Vectors, quoteAll(names))
	case len(wide) > 1: // a column a dimension
		called := make([]string, len(wide))
		for i, l := range wide {
			called[i] = names[l]
		}
		c := &csvRows{t: &table{names: names}, numbers: wide}
		c.series(&aside)
		vectors, notes = c.numbers, c.t.notes
	default:
		for i, l := range leaves { // the first that may have been meant
			if i == labelAt || i == idAt || len(leaves) > 1 && !isOneOf(names[i], vectorNames) && l.Node.Type().Kind() == parquet.ByteArray {
				continue
			}
			if why := noNumbers(elements[l.ColumnIndex], l); why != "" {
				return nil, fmt.Errorf("no column is a list of numbers, and no columns of numbers are its dimensions: column %q has %s", names[i], why)
			}
		}
		return nil, fmt.Errorf("no column is a list of numbers, and no columns of numbers are its dimensions; it has %s", quoteAll(names))
	}
	for _, i := range vectors {
		p.vectors = append(p.vectors, &parquetColumn{leaf: leaves[i], name: names[i], file: file, sound: p.sound})
	}
	for at := range names {
		if at := leaves[at].ColumnIndex; at == p.label || at == p.id {
			if p.words[at], err = parquetWord(p.elements[at]); err != nil {
				return nil, fmt.Errorf("column %q: %w", names[at], err)
			}
		}
	}
	for _, at := range slices.Concat([]int{p.label, p.id}, indexesOf(p.vectors)) {
		if err := checkCodec(file, at); err != nil {
			return nil, err
		}
	}
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
	p.first, p.dim = first, len(first)
	f := &File{Dim: len(first), Count: -1, Rows: p, closers: []func() error{p.close}}
	f.expect = func() int { return int(file.NumRows()) }
	if len(vectors) > 1 {
		for _, at := range vectors {
			f.Dimensions = append(f.Dimensions, names[at])
		}
		f.Notes = append(f.Notes, fmt.Sprintf("%d columns are the dimensions, %q to %q", len(vectors), names[vectors[0]], names[vectors[len(vectors)-1]]))
	}
	f.Notes = append(f.Notes, notes...)
	if len(aside) > 0 {
		var left []string
		for _, i := range aside {
			if !slices.Contains(left, names[i]) {
				left = append(left, names[i])
			}
		}
		f.Notes = append(f.Notes, quoteAll(left)+" left out: neither vector, label nor id")
	}
	f.place = func(row, dimension int) string {
		if len(p.vectors) > 1 {
			return fmt.Sprintf("row %d, column %q, dimension %d", row, p.vectors[dimension].name, dimension)
		}
		return fmt.Sprintf("column %q, %s", p.vectors[0].name, rowPlace(row, dimension))
	}
	if p.label >= 0 {
		f.Label = func(row int) string { return p.labels[row] }
	}
	if p.id >= 0 {
		f.ID = func(row int) string { return p.ids[row] }
	}
	return f, nil
}

// columnName is the name of the column that ends at path: of a field of a struct with those of the structs around it, as
// "item.label", and of a list without the names of its parts.
func columnName(schema *parquet.Schema, path []string) string {
	fields := schema.Fields()
	for i, part := range path {
		at := slices.IndexFunc(fields, func(f parquet.Field) bool { return f.Name() == part })
		switch {
		case at < 0:
			return strings.Join(path[:max(i, 1)], ".")
		case fields[at].Repeated() && len(fields) == 1 && i > 0: // the group of a list, within the list
			return strings.Join(path[:i], ".")
		case fields[at].Repeated() || fields[at].Leaf():
			return strings.Join(path[:i+1], ".")
		}
		fields = fields[at].Fields()
	}
	return strings.Join(path, ".")
}

// namedWithin is [named] for columns that may be fields of structs: where no column is called as one of candidates, the last part of
// a name counts.
func namedWithin(have []string, asked string, candidates []string) (int, error) {
	at, err := named(have, asked, candidates)
	if at >= 0 || err != nil {
		return at, err
	}
	last := make([]string, len(have))
	for i, name := range have {
		if dot := strings.LastIndexByte(name, '.'); dot > 0 {
			last[i] = name[dot+1:]
		}
	}
	return named(last, "", candidates)
}

// errParquet stands for whatever the library says of a file that it cannot decode: its words are about itself.
var errParquet = errors.New("the file is damaged, or encoded in a way that is not read; in Python: pandas.read_parquet(path).to_parquet(new, compression='zstd')")

// checkCodec refuses LZ4. parquet-go 0.32 decompresses it into memory of its own where a page does not shrink to a
// third, and then goes on with other memory: zeros, or what was read before (its issue 608).
func checkCodec(file *parquet.File, column int) error {
	if column < 0 {
		return nil
	}
	for _, g := range file.Metadata().RowGroups {
		if column >= len(g.Columns) {
			return errParquet
		}
		switch c := g.Columns[column].MetaData.Codec; c {
		case format.Uncompressed, format.Snappy, format.Gzip, format.Brotli, format.Zstd:
		default:
			return fmt.Errorf("it is compressed with %s, which is not read; in Python: pandas.read_parquet(path).to_parquet(new, compression='zstd')", strings.ReplaceAll(c.String(), "_RAW", ""))
		}
	}
	return nil
}

func indexesOf(columns []*parquetColumn) []int {
	var out []int
	for _, c := range columns {
		out = append(out, c.leaf.ColumnIndex)
	}
	return out
}

// classNames are the names of the classes that the numbers of the column called name stand for, as Hugging Face datasets keeps them
// beside the table; nil if there are none.
func classNames(file *parquet.File, name string) []string {
	text, ok := file.Lookup("huggingface")
	if !ok {
		return nil
	}
	var meta struct {
		Info struct {
			Features json.RawMessage `json:"features"`
		} `json:"info"`
	}
	if json.Unmarshal([]byte(text), &meta) != nil {
		return nil
	}
	return classesWithin(meta.Info.Features, name)
}

// classesWithin looks for the classes of a column among features, which of a struct are the features of its fields.
func classesWithin(features json.RawMessage, name string) []string {
	var fields map[string]json.RawMessage
	if json.Unmarshal(features, &fields) != nil {
		return nil
	}
	var feature struct {
		Names []string `json:"names"`
	}
	if json.Unmarshal(fields[name], &feature) == nil && len(feature.Names) > 0 {
		return feature.Names
	}
	for i := range name { // a name may have dots of its own
		if name[i] != '.' {
			continue
		}
		if classes := classesWithin(fields[name[:i]], name[i+1:]); classes != nil {
			return classes
		}
	}
	return nil
}

// parquetLeaf is a column of plain values.
type parquetLeaf struct {
	parquet.LeafColumn
	unsigned bool
	mapped   bool                              // a key or value of a map
	number   func(parquet.Value) float64       // nil if its values are no numbers
	plain    func([]byte) (x float64, ok bool) // reads a number as statistics have it
}

// inMaps reports which columns are within a map. The values of such a column are no vector: each row may have its keys in an order
// of its own.
func inMaps(schema []format.SchemaElement) (within []bool) {
	var depth []int32 // children left, of each group on the way down
	inside := 0       // groups on the way from the outermost map; 0 outside of maps
	for _, e := range schema {
		c := e.ConvertedType
		if inside > 0 || e.LogicalType.String() == "MAP" || c.Valid && (c.V == deprecated.Map || c.V == deprecated.MapKeyValue) {
			inside++
		}
		depth = append(depth, e.NumChildren.V)
		if e.Type.Valid {
			within = append(within, inside > 0)
		}
		for len(depth) > 0 && depth[len(depth)-1] == 0 { // this group ends
			depth = depth[:len(depth)-1]
			inside = max(inside-1, 0)
			if len(depth) > 0 {
				depth[len(depth)-1]--
			}
		}
	}
	return within
}

func leafOf(l parquet.LeafColumn, e format.SchemaElement) parquetLeaf {
	out := parquetLeaf{LeafColumn: l}
	half, other := false, false
	switch word := e.LogicalType.String(); {
	case strings.HasPrefix(word, "INT("):
		out.unsigned = strings.Contains(word, "false")
	case word == "FLOAT16":
		half = true
	case word != "" && word != "UNKNOWN":
		other = true // a date, a decimal, a text
	case e.ConvertedType.Valid: // older writers
		c := e.ConvertedType.V
		out.unsigned = c >= deprecated.Uint8 && c <= deprecated.Uint64
		other = !out.unsigned && (c < deprecated.Int8 || c > deprecated.Int64)
	}
	switch kind := l.Node.Type().Kind(); {
	case other:
	case kind == parquet.Float:
		out.number = func(v parquet.Value) float64 { return float64(v.Float()) }
		out.plain = plainValue(4, func(b []byte) float64 { return float64(math.Float32frombits(binary.LittleEndian.Uint32(b))) })
	case kind == parquet.Double:
		out.number = parquet.Value.Double
		out.plain = plainValue(8, func(b []byte) float64 { return math.Float64frombits(binary.LittleEndian.Uint64(b)) })
	case kind == parquet.Int32 && out.unsigned:
		out.number = func(v parquet.Value) float64 { return float64(uint32(v.Int32())) }
		out.plain = plainValue(4, func(b []byte) float64 { return float64(binary.LittleEndian.Uint32(b)) })
	case kind == parquet.Int32:
		out.number = func(v parquet.Value) float64 { return float64(v.Int32()) }
		out.plain = plainValue(4, func(b []byte) float64 { return float64(int32(binary.LittleEndian.Uint32(b))) })
	case kind == parquet.Int64 && out.unsigned:
		out.number = func(v parquet.Value) float64 { return float64(uint64(v.Int64())) }
		out.plain = plainValue(8, func(b []byte) float64 { return float64(binary.LittleEndian.Uint64(b)) })
	case kind == parquet.Int64:
		out.number = func(v parquet.Value) float64 { return float64(v.Int64()) }
		out.plain = plainValue(8, func(b []byte) float64 { return float64(int64(binary.LittleEndian.Uint64(b))) })
	case kind == parquet.FixedLenByteArray && half && l.Node.Type().Length() == 2:
		out.number = func(v parquet.Value) float64 {
			return float64(fromHalf(binary.LittleEndian.Uint16(v.ByteArray())))
		}
		out.plain = plainValue(2, func(b []byte) float64 { return float64(fromHalf(binary.LittleEndian.Uint16(b))) })
	}
	return out
}

// noNumbers says what a column has in place of vectors, and how they are made of it; empty where it may have numbers.
func noNumbers(e format.SchemaElement, l parquetLeaf) string {
	repetition := l.MaxRepetitionLevel
	if l.mapped {
		return "maps, whose order says nothing; in Python: df[name] = df[name].map(lambda m: [x for _, x in sorted(m)])"
	}
	if _, ok := fullType(e).(*format.DecimalType); ok {
		if repetition > 0 {
			return "decimals, which are not read as numbers; in Python: df[name] = df[name].map(lambda v: [float(x) for x in v])"
		}
		return "decimals, which are not read as numbers; in Python: df[name] = df[name].astype('float32')"
	}
	switch {
	case repetition > 1:
		return "lists of lists; in Python: df[name] = df[name].map(lambda v: numpy.concatenate(v))"
	case e.Type.Valid && e.Type.V == format.ByteArray && repetition == 0:
		word := e.LogicalType.String()
		if word == "STRING" || word == "JSON" || e.ConvertedType.Valid && (e.ConvertedType.V == deprecated.UTF8 || e.ConvertedType.V == deprecated.Json) {
			return "texts, which are not read as vectors; in Python: df[name] = df[name].map(json.loads)"
		}
		return "bytes, whose type nobody says; in Python: df[name] = df[name].map(lambda b: numpy.frombuffer(b, 'float32'))"
	}
	return ""
}

func plainValue(width int, f func([]byte) float64) func([]byte) (float64, bool) {
	return func(b []byte) (float64, bool) {
		if len(b) != width {
			return 0, false
		}
		x := f(b)
		return x, x == x
	}
}

// damagedParquet turns a panic of the library into an error: damaged files make it run out of slices.
func damagedParquet(err *error) {
	if r := recover(); r != nil {
		*err = errParquet
	}
}

// parquetRows reads the vectors: a column of lists, or a column a dimension.
type parquetRows struct {
	loss
	file      *parquet.File
	vectors   []*parquetColumn
	label, id int // columns, -1 for none
	group     int // of labels and ids, the next
	dim       int

	first    []float32
	done     int
	labels   []string
	ids      []string
	classes  []string
	leaves   []parquet.LeafColumn
	sound    *parquetPages
	elements []format.SchemaElement
	words    map[int]func(parquet.Value) string // of labels and ids, by column
	interned map[string]string
}

func (p *parquetRows) close() error {
	var errs []error
	for _, c := range p.vectors {
		errs = append(errs, c.close())
	}
	return errors.Join(errs...)
}

// parquetColumn reads the values of a column, row group after row group. What it read of a row group is compared with the
// statistics that the file has of it: a codec or a reader that is wrong shows there.
type parquetColumn struct {
	leaf  parquetLeaf
	name  string
	file  *parquet.File
	sound *parquetPages
	group int // the next

	pages    parquet.Pages
	page     parquet.Page
	values   parquet.ValueReader
	buf      []parquet.Value
	have     []parquet.Value // read and not used yet
	min, max float64         // of this row group
	any, nan bool
}

func (c *parquetColumn) close() error {
	if c.pages != nil {
		pages := c.pages
		c.pages = nil
		return pages.Close()
	}
	return nil
}

// statistics compares what was read of the row group that ends with what the file says of it.
func (c *parquetColumn) statistics() error {
	defer func() { c.any, c.nan = false, false }()
	if c.group == 0 || !c.any || c.nan {
		return nil
	}
	s := &c.file.Metadata().RowGroups[c.group-1].Columns[c.leaf.ColumnIndex].MetaData.Statistics
	low, ok := c.leaf.plain(s.MinValue)
	high, also := c.leaf.plain(s.MaxValue)
	if ok && also && (c.min != low || c.max != high) {
		return fmt.Errorf("row group %d, column %q: the values read are %v to %v, and the file says that they are %v to %v: it is damaged, or encoded in a way that is not read", c.group-1, c.name, c.min, c.max, low, high)
	}
	return nil
}

// fill makes have not empty, or returns io.EOF.
func (c *parquetColumn) fill() error {
	groups := c.file.RowGroups()
	for len(c.have) == 0 {
		if c.values != nil {
			if c.buf == nil {
				c.buf = make([]parquet.Value, 1<<10)
			}
			n, err := c.values.ReadValues(c.buf)
			c.have = c.buf[:n]
			if err != nil && !errors.Is(err, io.EOF) {
				return errParquet
			}
			if n > 0 {
				return nil
			}
			c.values = nil
			parquet.Release(c.page)
		}
		if c.pages == nil {
			if err := c.statistics(); err != nil {
				return err
			}
			if c.group == len(groups) {
				return io.EOF
			}
			if _, err := c.sound.check(&c.file.Metadata().RowGroups[c.group].Columns[c.leaf.ColumnIndex].MetaData, c.leaf.LeafColumn); err != nil {
				return fmt.Errorf("row group %d, column %q: %w", c.group, c.name, err)
			}
			c.pages = groups[c.group].ColumnChunks()[c.leaf.ColumnIndex].Pages()
			c.group++
		}
		page, err := c.pages.ReadPage()
		if errors.Is(err, io.EOF) {
			if err := c.close(); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("row group %d, column %q: %w", c.group-1, c.name, errParquet)
		}
		c.page, c.values = page, page.Values()
	}
	return nil
}

// next takes the next value.
func (c *parquetColumn) next() (v parquet.Value, x float64) {
	v = c.have[0]
	c.have = c.have[1:]
	if v.DefinitionLevel() < int(c.leaf.MaxDefinitionLevel) {
		return v, 0
	}
	x = c.leaf.number(v)
	switch {
	case x != x:
		c.nan = true
	case !c.any:
		c.min, c.max, c.any = x, x, true
	default:
		c.min, c.max = min(c.min, x), max(c.max, x)
	}
	return v, x
}

// texts reads labels and ids of a row group.
func (p *parquetRows) texts(group int) error {
	for _, part := range []struct {
		column int
		to     *[]string
		intern bool
	}{{p.label, &p.labels, true}, {p.id, &p.ids, false}} {
		if part.column < 0 {
			continue
		}
		leaf := p.leaves[slices.IndexFunc(p.leaves, func(l parquet.LeafColumn) bool { return l.ColumnIndex == part.column })]
		err := p.sound.values(p.file, group, leaf, func(v parquet.Value) (err error) {
			s := p.words[part.column](v)
			if part.intern {
				if s, err = className(p.classes, s); err != nil {
					return err
				}
				s = intern(p.interned, s)
			}
			*part.to = append(*part.to, s)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// className is what s, a text or the number of a class, stands for.
func className(classes []string, s string) (string, error) {
	if classes == nil || s == "" {
		return s, nil
	}
	n, err := strconv.Atoi(s)
	switch {
	case err != nil:
		return s, nil
	case n == -1: // no label
		return "", nil
	case n < 0 || n >= len(classes):
		return "", fmt.Errorf("a label is class %d, and the file names %d classes", n, len(classes))
	}
	return classes[n], nil
}

func parquetText(v parquet.Value, unsigned bool) string {
	switch {
	case v.IsNull(), v.Kind() == parquet.Double && math.IsNaN(v.Double()), v.Kind() == parquet.Float && v.Float() != v.Float(): // NaN is pandas' word for a missing value
		return ""
	case unsigned && v.Kind() == parquet.Int32:
		return strconv.FormatUint(uint64(uint32(v.Int32())), 10)
	case unsigned && v.Kind() == parquet.Int64:
		return strconv.FormatUint(uint64(v.Int64()), 10)
	case v.Kind() == parquet.Int32: // its Int64 has no sign
		return strconv.FormatInt(int64(v.Int32()), 10)
	case v.Kind() == parquet.Int64:
		return strconv.FormatInt(v.Int64(), 10)
	case v.Kind() == parquet.ByteArray || v.Kind() == parquet.FixedLenByteArray:
		return string(v.ByteArray())
	}
	return v.String()
}

// row appends the numbers of the next row to dst.
func (p *parquetRows) row(dst []float32) ([]float32, error) {
	if len(p.vectors) > 1 {
		return p.wideRow(dst)
	}
	c := p.vectors[0]
	begun := false
	for {
		if err := c.fill(); err != nil {
			if errors.Is(err, io.EOF) && begun {
				p.done++
				return dst, nil
			}
			return nil, err
		}
		if c.have[0].RepetitionLevel() == 0 && begun {
			p.done++
			return dst, nil
		}
		begun = true
		v, x := c.next()
		if v.DefinitionLevel() < int(c.leaf.MaxDefinitionLevel) {
			return nil, fmt.Errorf("row %d: the list is missing, empty, or has a missing number", p.done)
		}
		y := p.narrow(x, c.leaf)
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

// narrow is x of a column as a float32; what that loses is counted.
func (p *parquetRows) narrow(x float64, leaf parquetLeaf) float32 {
	y := float32(x)
	kind := leaf.Node.Type().Kind()
	switch whole := kind == parquet.Int32 || kind == parquet.Int64; {
	case y == 0 && x != 0:
		p.zeros++
	case whole && float64(y) != x:
		p.rounded++
	}
	return y
}

// wideRow appends a row of a table with a column a dimension.
func (p *parquetRows) wideRow(dst []float32) ([]float32, error) {
	for d, c := range p.vectors {
		if err := c.fill(); err != nil {
			if errors.Is(err, io.EOF) && d > 0 {
				return nil, fmt.Errorf("column %q has only %d values", c.name, p.done)
			}
			return nil, err
		}
		v, x := c.next()
		if v.DefinitionLevel() < int(c.leaf.MaxDefinitionLevel) {
			return nil, fmt.Errorf("row %d, column %q: a value is missing", p.done, c.name)
		}
		y := p.narrow(x, c.leaf)
		if y-y != 0 && x-x == 0 {
			return nil, errTooLarge(p.done, d)
		}
		dst = append(dst, y)
	}
	p.done++
	return dst, nil
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
	for p.group < p.vectors[0].group {
		if err := p.texts(p.group); err != nil {
			return 0, err
		}
		p.group++
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
