package attributes

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"annbench/bench/dataset/vecfile"
	"annbench/internal/plaintext"
	"annbench/internal/words"
)

// Config says how tables of attributes are joined to the rows of the data.
type Config struct {
	// ID is the column with the ids of the rows. Empty: the first of the usual names (id, image, file, ...), or, if there
	// is none, rows are in the order of the data.
	ID string
	// Base is how many rows are not queries, where the data came with queries: tables in the order of the data may be of
	// these alone. 0: all.
	Base int
}

// raw is a column as a file has it.
type raw struct {
	vecfile.TextColumn
	comma bool // numbers have decimal commas
}

// table is what one file has.
type table struct {
	path    string
	rows    int
	lines   []int // line of each row, from 1; nil where the file has no lines
	columns []raw
	notes   []string
}

// Read reads the attributes in files (.csv, .tsv, .jsonl or .parquet; the first line of text tables names the columns) of
// the rows whose ids are given, in their order. Several files are taken together: their rows are joined by id, or,
// where they have no column of ids, follow each other in the order of the data.
//
// An id is that of the data in full, or its path without extension, its file name, or that without extension, where these
// are unique. Rows of the data that no file has are missing in all columns; notes say how many those are, and what was
// guessed. A text column is one of numbers if all of its values are finite numbers and none begins with a needless 0, as
// article numbers do, and one of truth values if all are true or false.
//
// The error names file and line.
func Read(files []string, ids []string, c Config) (t *Table, notes []string, err error) {
	var tables []*table
	for _, f := range files {
		one, err := readTable(f)
		if err != nil {
			return nil, nil, err
		}
		for _, n := range one.notes {
			notes = append(notes, filepath.Base(f)+": "+n)
		}
		tables = append(tables, one)
	}
	return assemble(tables, ids, c, notes)
}

// Parse is [Read] of one text table that is in memory; name is what errors call it.
func Parse(name string, text []byte, ids []string, c Config) (*Table, error) {
	t, err := parseCSV(name, text)
	if err != nil {
		return nil, err
	}
	all, _, err := assemble([]*table{t}, ids, c, nil)
	return all, err
}

// assemble makes the table of the rows of ids.
func assemble(tables []*table, ids []string, c Config, notes []string) (t *Table, _ []string, err error) {
	where, err := join(tables, ids, c, &notes)
	if err != nil {
		return nil, nil, err
	}
	t = &Table{Rows: len(ids)}
	done := map[string]bool{}
	for _, first := range tables {
		for _, col := range first.columns {
			if done[col.Name] || isID(tables, col.Name, c) {
				continue
			}
			done[col.Name] = true
			column, more, err := build(tables, where, col.Name, len(ids))
			if err != nil {
				return nil, nil, err
			}
			notes = append(notes, more...)
			t.Columns = append(t.Columns, column)
		}
	}
	if len(t.Columns) == 0 {
		return nil, nil, fmt.Errorf("%s has no column beside the ids", tables[0].path)
	}
	return t, append(notes, alike(t.Names())...), nil
}

// alike notes names that differ by capitals alone.
func alike(names []string) (notes []string) {
	for i, name := range names {
		for _, other := range names[:i] {
			if strings.EqualFold(other, name) {
				notes = append(notes, fmt.Sprintf("%s and %s are two attributes: filters tell capitals apart", other, name))
			}
		}
	}
	return notes
}

// isID reports whether a column of that name is the ids of all tables.
func isID(tables []*table, name string, c Config) bool {
	for _, t := range tables {
		if at, err := t.id(c); err == nil && at >= 0 && t.columns[at].Name == name {
			return true
		}
	}
	return false
}

// id is the column of ids; -1 if there is none.
func (t *table) id(c Config) (int, error) {
	if c.ID != "" {
		for i := range t.columns {
			if t.columns[i].Name == c.ID {
				return i, nil
			}
		}
		return -1, fmt.Errorf("%s: there is no column %q of ids; there are %s", t.path, c.ID, t.names())
	}
	for i := range t.columns {
		if vecfile.IsIDName(t.columns[i].Name) {
			return i, nil
		}
	}
	return -1, nil
}

func (t *table) names() string {
	var names []string
	for i := range t.columns {
		names = append(names, t.columns[i].Name)
	}
	return strings.Join(names, ", ")
}

// place is a row of one of the tables.
type place struct{ table, row int }

// keys are the ways in which an id of a table may name an id of the data, from the strictest.
var keys = []struct {
	what string
	of   func(string) string
}{
	{"", func(id string) string { return id }},
	{"paths without their extension", func(id string) string { return strings.TrimSuffix(id, path.Ext(id)) }},
	{"file names", path.Base},
	{"file names without their extension", func(id string) string {
		id = path.Base(id)
		return strings.TrimSuffix(id, path.Ext(id))
	}},
}

// join finds the row of a table for each id; table -1 where there is none.
func join(tables []*table, ids []string, c Config, notes *[]string) ([]place, error) {
	where := make([]place, len(ids))
	for i := range where {
		where[i].table = -1
	}
	ordered, joined := 0, 0
	for _, t := range tables {
		at, err := t.id(c)
		if err != nil {
			return nil, err
		}
		if at >= 0 {
			joined++
		} else {
			ordered += t.rows
		}
	}
	if joined == 0 {
		if ordered != len(ids) && (c.Base == 0 || ordered != c.Base) {
			expect := fmt.Sprintf("%d", len(ids))
			if c.Base > 0 {
				expect = fmt.Sprintf("%d (or %d with the queries)", c.Base, len(ids))
			}
			return nil, fmt.Errorf("%s has %d rows of attributes, the data has %s: name the column with ids (id, image, file), or give one row for each",
				tables[len(tables)-1].path, ordered, expect)
		}
		row := 0
		for i, t := range tables {
			for r := range t.rows {
				where[row] = place{i, r}
				row++
			}
		}
		return where, nil
	}
	if joined < len(tables) {
		return nil, fmt.Errorf("%s has no column of ids, and %s has: give both one", first(tables, c, false), first(tables, c, true))
	}
	rows := map[string]place{}
	for i, t := range tables {
		at, _ := t.id(c)
		for r, id := range t.columns[at].Texts {
			if strings.TrimSpace(id) == "" {
				return nil, fmt.Errorf("%s has no id (column %q)", t.place(r), t.columns[at].Name)
			}
			if before, twice := rows[id]; twice {
				return nil, fmt.Errorf("%s: %q stands already at %s: an id is of one row", t.place(r), id, tables[before.table].place(before.row))
			}
			rows[id] = place{i, r}
		}
	}
	total := len(rows)
	repeated := "" // an id that two rows of the data have
	seen := make(map[string]bool, len(ids))
	for _, id := range ids {
		if seen[id] {
			repeated = id
			break
		}
		seen[id] = true
	}
	for _, key := range keys {
		byKey, unique := map[string]place{}, true
		for id, p := range rows {
			k := key.of(id)
			if _, twice := byKey[k]; twice {
				unique = false
				break
			}
			byKey[k] = p
		}
		of, owned := map[string]int{}, true
		for i, id := range ids {
			k := key.of(id)
			if _, twice := of[k]; twice {
				owned = false
				break
			}
			of[k] = i
		}
		if !unique || !owned {
			continue
		}
		found := 0
		for k, p := range byKey {
			if i, ok := of[k]; ok {
				where[i] = p
				found++
			}
		}
		if found == 0 {
			continue
		}
		if key.what != "" {
			*notes = append(*notes, fmt.Sprintf("attributes are joined by %s", key.what))
		}
		if fromOne(rows, ids) {
			*notes = append(*notes, fmt.Sprintf("ids of the table begin with 1, those of the data with 0: is each row of attributes one too far? If so, let the ids in %s begin with 0, or leave out the column", tables[0].path))
		}
		if left := len(ids) - found; left > 0 {
			*notes = append(*notes, fmt.Sprintf("%d of %d items have no attributes", left, len(ids)))
		}
		if left := total - found; left > 0 {
			*notes = append(*notes, fmt.Sprintf("%s of attributes belong to no item", words.Count(left, "row")))
		}
		return where, nil
	}
	at, _ := tables[0].id(c)
	if repeated != "" {
		return nil, fmt.Errorf("%s: the data has the id %q more than once, so attributes cannot be joined to it: give each vector an id of its own", tables[0].path, repeated)
	}
	return nil, fmt.Errorf("%s: none of its ids (column %q: %q, ...) is one of the data (%q, ...)",
		tables[0].path, tables[0].columns[at].Name, tables[0].columns[at].Texts[0], ids[0])
}

// fromOne reports whether ids are the numbers of rows from 0, perhaps with others behind them, and those of the table are such
// numbers from 1: then its last one is of no row.
func fromOne(rows map[string]place, ids []string) bool {
	n := 0
	for n < len(ids) && ids[n] == strconv.Itoa(n) {
		n++
	}
	_, zero := rows["0"]
	_, one := rows["1"]
	_, end := rows[strconv.Itoa(n)]
	return n > 0 && !zero && one && end
}

// first is the first table with, or without, a column of ids.
func first(tables []*table, c Config, with bool) string {
	for _, t := range tables {
		if at, _ := t.id(c); at >= 0 == with {
			return t.path
		}
	}
	return ""
}

// place is where a row stands, for errors: file and line, or number.
func (t *table) place(row int) string {
	if t.lines != nil {
		return fmt.Sprintf("%s:%d", t.path, t.lines[row])
	}
	return fmt.Sprintf("%s, row %d", t.path, row)
}

// build is one column of all rows.
func build(tables []*table, where []place, name string, rows int) (c Column, notes []string, err error) {
	at := make([]int, len(tables))
	kind := Kind("")
	comma := true
	var said *table
	for i, t := range tables {
		at[i] = slices.IndexFunc(t.columns, func(r raw) bool { return r.Name == name })
		if at[i] < 0 {
			continue
		}
		r := &t.columns[at[i]]
		comma = comma && r.comma
		switch {
		case r.Kind == "":
		case kind == "":
			kind, said = Kind(r.Kind), t
		case kind != Kind(r.Kind):
			return c, nil, fmt.Errorf("%s: column %q is %s there, and %s in %s", t.path, name, r.Kind, kind, said.path)
		}
	}
	// Everything that stands in the files is looked at, also rows of no item, so that the kind does not depend on them.
	var odd string // a value that is no number, and where
	guess := kind == ""
	if guess {
		kind, odd = guessKind(tables, at, comma)
	}
	if kind == Number {
		if large := beyond(tables, at); large != "" {
			kind = Text
			notes = append(notes, fmt.Sprintf("%s is taken as text: it has whole numbers that float64 does not hold, such as %s", name, large))
		}
	}
	texts := make([]string, rows)
	for row, p := range where {
		if p.table >= 0 && at[p.table] >= 0 {
			texts[row] = tables[p.table].columns[at[p.table]].Texts[p.row]
		}
	}
	if odd != "" {
		notes = append(notes, fmt.Sprintf("%s is taken as text, though most of it are numbers: %s", name, odd))
	}
	if kind == Text {
		return textColumn(name, texts), notes, nil
	}
	c = Column{Name: name, Kind: kind, Values: make([]float64, rows)}
	for row, s := range texts {
		if s == "" || guess && isNothing(s) {
			c.Values[row] = math.NaN()
			continue
		}
		if comma && kind == Number {
			s = strings.Replace(s, ",", ".", 1)
		}
		v, ok := c.Code(s)
		if !ok {
			p := where[row]
			return c, nil, fmt.Errorf("%s: %s %q is no %s", tables[p.table].place(p.row), name, s, kind)
		}
		c.Values[row] = v
	}
	return c, notes, nil
}

// isNothing reports whether s is a word of other tools for a missing number.
func isNothing(s string) bool {
	switch strings.ToLower(s) {
	case "na", "n/a", "nan", "null", "none", "-":
		return true
	}
	return false
}

// beyond is the first whole number that float64 rounds to another one, with its place; empty where there is none. As
// numbers, two such ids of shops could be one.
func beyond(tables []*table, at []int) string {
	for i, t := range tables {
		if at[i] < 0 {
			continue
		}
		for row, s := range t.columns[at[i]].Texts {
			if Beyond(s) {
				return fmt.Sprintf("%s at %s", s, t.place(row))
			}
		}
	}
	return ""
}

// Beyond reports whether the text s is a whole number, with zeros behind a point or without, that float64 rounds to another
// one.
func Beyond(s string) bool {
	if len(s) < len("9007199254740993") || !plainNumber.MatchString(s) {
		return false
	}
	exact, ok := new(big.Rat).SetString(s)
	if !ok || !exact.IsInt() {
		return false
	}
	_, same := exact.Float64()
	return !same
}

var (
	wholeNumber  = regexp.MustCompile(`^[-+]?\d+$`)
	plainNumber  = regexp.MustCompile(`^[-+]?\d+(\.\d*)?([eE][-+]?\d{1,3})?$`)
	thousands    = regexp.MustCompile(`^[-+]?[1-9]\d{0,2}(,\d{3})+$`)
	almostNumber = regexp.MustCompile(`^[-+]?[$€£]? ?\d[\d.,' ]*[%€]?$`)
	needlessZero = regexp.MustCompile(`^[-+]?0\d`)
	commaNumber  = regexp.MustCompile(`^[-+]?\d+,\d+$`)
)

// guessKind is what the values of a column of text tables are. odd is the first that is no number, with its place, where
// nine of ten are.
func guessKind(tables []*table, at []int, comma bool) (kind Kind, odd string) {
	numbers, truths, almost, all := 0, 0, 0, 0
	for i, t := range tables {
		if at[i] < 0 {
			continue
		}
		for row, s := range t.columns[at[i]].Texts {
			if s == "" || isNothing(s) {
				continue
			}
			all++
			if comma {
				s = strings.Replace(s, ",", ".", 1)
			}
			_, isNumber := number(s)
			_, isTruth := truth(s)
			switch {
			case isNumber && !needlessZero.MatchString(s):
				numbers++
			case isTruth:
				truths++
			default:
				if odd == "" {
					odd = fmt.Sprintf("%q at %s", s, t.place(row))
				}
				if almostNumber.MatchString(s) && !needlessZero.MatchString(s) && strings.ContainsAny(s, ",'. $€£%") {
					almost++
				}
			}
		}
	}
	switch {
	case all > 0 && numbers == all:
		return Number, ""
	case all > 0 && truths == all:
		return Boolean, ""
	case 10*(numbers+almost) < 9*all:
		odd = ""
	}
	return Text, odd
}

// readTable reads one file.
func readTable(path string) (*table, error) {
	switch ext := strings.ToLower(filepath.Ext(path)); ext {
	case ".parquet", ".pq":
		columns, notes, err := vecfile.ReadParquetColumns(path)
		if err != nil {
			return nil, err
		}
		t := &table{path: path, notes: notes}
		for _, c := range columns {
			t.rows = len(c.Texts)
			t.columns = append(t.columns, raw{TextColumn: c})
		}
		if len(t.columns) == 0 {
			return nil, fmt.Errorf("%s has no column of plain values", path)
		}
		return t, nil
	case ".jsonl", ".ndjson":
		return readLines(path)
	case ".csv", ".tsv", ".txt", ".tab":
		return readCSV(path)
	default:
		return nil, fmt.Errorf("%s: attributes come as .csv, .tsv, .jsonl or .parquet, not as %q", path, ext)
	}
}

// readCSV reads a text table: a line of names, and a line a row.
func readCSV(path string) (*table, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return parseCSV(path, b)
}

func parseCSV(path string, b []byte) (_ *table, err error) {
	if b, err = plaintext.Strip(b); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if at := plaintext.NotUTF8(b); at >= 0 {
		return nil, fmt.Errorf("%s:%d: it is no UTF-8, so its letters are not known: save the file as UTF-8", path, 1+bytes.Count(b[:at], []byte("\n")))
	}
	before := 0                                                                                                                               // lines
	if sep, rest, ok := bytes.Cut(b, []byte("\n")); ok && len(bytes.TrimSpace(sep)) == len("sep=;") && bytes.HasPrefix(sep, []byte("sep=")) { // Excel's word for the separator
		b, before = rest, 1
	}
	head, _, _ := bytes.Cut(b, []byte("\n"))
	sep := ','
	for _, s := range []rune{'\t', ';', '|'} { // a comma may be in a name, and seldom these
		if n := strings.Count(string(head), string(s)); n > 0 && n >= strings.Count(string(head), string(sep)) {
			sep = s
			break
		}
	}
	in := csv.NewReader(bytes.NewReader(b))
	in.Comma, in.FieldsPerRecord = sep, -1
	fail := func(err error) error {
		var at *csv.ParseError
		if errors.As(err, &at) {
			return fmt.Errorf(`%s:%d: a quoted field does not end, or a quote stands within a field: write " in a quoted field as ""`, path, at.Line+before)
		}
		return fmt.Errorf("%s: %w", path, err)
	}
	names, err := in.Read()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s is empty: it takes a line with the names of the columns, and a line a row", path)
	}
	if err != nil {
		return nil, fail(err)
	}
	line1 := before + 1
	// The first row says whether the names are one short: R leaves out that of the names of rows, and some tools end rows, but
	// not the names, with a separator.
	row, err := in.Read()
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fail(err)
	}
	pending, trailing, numbered := err == nil, false, false
	if pending && len(row) == len(names)+1 {
		switch {
		case strings.TrimSpace(row[len(names)]) == "":
			trailing = true
		case !bytes.HasPrefix(head, []byte(`"`)): // no R: a row that has a field too many
		case slices.ContainsFunc(names, vecfile.IsIDName):
			numbered = true
		default:
			names = slices.Insert(names, 0, "")
		}
	}
	t := &table{path: path, columns: make([]raw, len(names))}
	for i, n := range names {
		n = strings.TrimSpace(n)
		switch {
		case n == "" && i == 0:
			n = "index" // as pandas writes its index
		case n == "":
			return nil, fmt.Errorf("%s:%d: column %d has no name", path, line1, i+1)
		}
		if slices.ContainsFunc(t.columns[:i], func(r raw) bool { return r.Name == n }) {
			return nil, fmt.Errorf("%s:%d: two columns are called %q", path, line1, n)
		}
		t.columns[i].Name = n
	}
	interned := map[string]string{}
	for {
		fields := row
		if !pending {
			if fields, err = in.Read(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return nil, fail(err)
			}
		}
		pending = false
		line, _ := in.FieldPos(0)
		line += before
		if trailing && len(fields) == len(names)+1 && strings.TrimSpace(fields[len(names)]) == "" {
			fields = fields[:len(names)]
		}
		if numbered && len(fields) == len(names)+1 {
			fields = fields[1:] // a column has the ids
		}
		if len(names) > 1 && slices.Equal(fields, names) {
			return nil, fmt.Errorf("%s:%d: it repeats the names of the columns: remove it", path, line)
		}
		if len(fields) != len(names) {
			return nil, fmt.Errorf("%s:%d: %d fields, the first line names %d columns", path, line, len(fields), len(names))
		}
		for i, f := range fields {
			f = strings.TrimSpace(f)
			known, ok := interned[f]
			if !ok {
				known = strings.Clone(f)
				interned[known] = known
			}
			t.columns[i].Texts = append(t.columns[i].Texts, known)
		}
		t.lines = append(t.lines, line)
		t.rows++
	}
	if t.rows == 0 {
		return nil, fmt.Errorf("%s names columns, and has no row after them", path)
	}
	if sep == ';' || sep == '\t' {
		for i := range t.columns {
			c := &t.columns[i]
			if at := allThousands(c.Texts); at >= 0 {
				return nil, fmt.Errorf("%s: %s: is %q one thousand times more, or has it a decimal comma? Write numbers as 1234.5", t.place(at), c.Name, c.Texts[at])
			}
			if c.comma = decimalCommas(c.Texts); c.comma {
				t.notes = append(t.notes, fmt.Sprintf("numbers of %s have decimal commas", c.Name))
			}
		}
	}
	return t, nil
}

// allThousands is the first number with a comma of a column of numbers in which all that have one have three digits after it,
// so that nobody can say what it means; -1 where there is none.
func allThousands(texts []string) int {
	at := -1
	for i, s := range texts {
		if s == "" || isNothing(s) {
			continue
		}
		switch {
		case thousands.MatchString(s):
			if at < 0 {
				at = i
			}
		case !wholeNumber.MatchString(s):
			return -1
		}
	}
	return at
}

// loneSurrogate is the first escape of the JSON in b, such as \ud83d, that is half a character; empty if there is none.
func loneSurrogate(b []byte) string {
	unit := func(at int) rune { // -1 where no escape of UTF-16 stands
		if at+6 > len(b) || b[at] != '\\' || b[at+1] != 'u' {
			return -1
		}
		n, err := strconv.ParseUint(string(b[at+2:at+6]), 16, 16)
		if err != nil {
			return -1
		}
		return rune(n)
	}
	for at := 0; at < len(b); at++ {
		if b[at] != '\\' {
			continue
		}
		switch r := unit(at); {
		case !utf16.IsSurrogate(r):
			at++ // what is escaped
		case utf16.DecodeRune(r, unit(at+6)) == utf8.RuneError:
			return string(b[at : at+6])
		default:
			at += 11
		}
	}
	return ""
}

// decimalCommas reports whether a column has numbers with decimal commas, and no points.
func decimalCommas(texts []string) bool {
	some := false
	for _, s := range texts {
		if s == "" || isNothing(s) {
			continue
		}
		if commaNumber.MatchString(s) {
			some = true
		} else if _, ok := number(s); !ok || strings.Contains(s, ".") {
			return false
		}
	}
	return some
}

// readLines reads JSON Lines: an object a line, its values texts, numbers, truth values or null.
func readLines(path string) (*table, error) {
	t := &table{path: path}
	at := map[string]int{}
	err := vecfile.EachLine(path, func(line int, b []byte) error {
		if len(bytes.TrimSpace(b)) == 0 {
			return nil
		}
		if plaintext.NotUTF8(b) >= 0 {
			return errors.New("it is no UTF-8, so its letters are not known: save the file as UTF-8")
		}
		if half := loneSurrogate(b); half != "" {
			return fmt.Errorf("%s is half a character (a surrogate without its other half): write the character itself, or both halves", half)
		}
		dec := json.NewDecoder(bytes.NewReader(b))
		dec.UseNumber()
		if tok, err := dec.Token(); err != nil || tok != json.Delim('{') {
			return errors.New(`a line is one object, like {"id": "a.jpg", "colour": "red"}`)
		}
		for dec.More() {
			key, err := dec.Token()
			if err != nil {
				return errors.New("the object is damaged, or does not end on its line")
			}
			name := key.(string) // a key is a text, or Token has failed
			var value any
			if err := dec.Decode(&value); err != nil {
				return fmt.Errorf("%s: the value is damaged, or does not end on its line", name)
			}
			i, known := at[name]
			if !known {
				i = len(t.columns)
				at[name] = i
				t.columns = append(t.columns, raw{TextColumn: vecfile.TextColumn{Name: name}})
			}
			c := &t.columns[i]
			for len(c.Texts) < t.rows { // lines before that have no such key
				c.Texts = append(c.Texts, "")
			}
			if len(c.Texts) > t.rows {
				return fmt.Errorf("%s stands here twice", name)
			}
			text, kind := "", Kind("")
			switch v := value.(type) {
			case nil:
			case string:
				text, kind = v, Text
			case bool:
				text, kind = fmt.Sprint(v), Boolean
			case json.Number:
				text, kind = v.String(), Number
			default:
				return fmt.Errorf("%s is a list or an object: an attribute is a text, a number, true, false or null", name)
			}
			switch {
			case kind == "":
			case c.Kind == "":
				c.Kind = string(kind)
			case c.Kind != string(kind):
				return fmt.Errorf("%s is a %s here, and a %s in lines before", name, kind, c.Kind)
			}
			c.Texts = append(c.Texts, text)
		}
		if _, err := dec.Token(); err != nil {
			return errors.New("the object does not end on its line")
		}
		if _, err := dec.Token(); !errors.Is(err, io.EOF) {
			return errors.New("something follows the object on its line")
		}
		t.lines = append(t.lines, line)
		t.rows++
		return nil
	})
	if err != nil {
		return nil, err
	}
	if t.rows == 0 {
		return nil, fmt.Errorf("%s is empty: it takes an object a line", path)
	}
	for i := range t.columns {
		c := &t.columns[i]
		for len(c.Texts) < t.rows {
			c.Texts = append(c.Texts, "")
		}
		if c.Kind == "" {
			c.Kind = string(Text)
		}
	}
	return t, nil
}
