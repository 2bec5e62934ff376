// Package attributes holds what is known of items beside their vectors and categories: typed columns such as colour,
// price or the garment that a photograph shows. Filters ask for them (price < 100), and relevance is graded by them.
//
// [Read] reads them from tables beside the data; [Table.Write] and [Open] keep them in the folder of a data set. Every
// value is a float64, whatever its kind, so that filters, gains and files have one form: see [Column].
//
// The package neither decides what is relevant (package metric) nor knows what a data set is (package dataset).
package attributes

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"annbench/bench/dataset/vecfile"
	"annbench/internal/atomicfile"
)

// Kind is what the values of a column are.
type Kind string

// The kinds of columns.
const (
	Text    Kind = "text"
	Number  Kind = "number"
	Boolean Kind = "boolean"
)

// Column is one attribute of all rows.
type Column struct {
	Name string `json:"name"`
	Kind Kind   `json:"kind"`
	// Words are the texts that occur, sorted, each once; of a text column alone.
	Words []string `json:"words,omitempty"`
	// Values has one value a row: a number is itself, false is 0 and true 1, a text is its place in Words, so that the
	// order of values is that of texts. NaN is a missing value: it equals nothing, and nothing is above or below it.
	// The slice may be mapped from a file: read it, never write to it.
	Values []float64 `json:"-"`
}

// Missing reports whether row has no value.
func (c *Column) Missing(row int) bool { return math.IsNaN(c.Values[row]) }

// Text is the value of row as people write it: 12.5, true, red; empty where it is missing.
func (c *Column) Text(row int) string { return c.Say(c.Values[row]) }

// Say is a value of the column as people write it; empty for NaN.
func (c *Column) Say(v float64) string {
	switch {
	case math.IsNaN(v):
		return ""
	case c.Kind == Text:
		return c.Words[int(v)]
	case c.Kind == Boolean:
		return strconv.FormatBool(v != 0)
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// Code is the value that a word stands for in the column; ok is false where no row can have it: a text that does not
// occur, or what is no number or no truth value.
func (c *Column) Code(word string) (v float64, ok bool) {
	switch c.Kind {
	case Text:
		i, found := slices.BinarySearch(c.Words, word)
		return float64(i), found
	case Boolean:
		b, known := truth(word)
		if !known {
			return 0, false
		}
		if b {
			return 1, true
		}
		return 0, true
	}
	return number(word)
}

// Place is where word stands, or would stand, among the Words of a text column: texts below it have values below the
// place that is returned.
func (c *Column) Place(word string) (at int, found bool) { return slices.BinarySearch(c.Words, word) }

// Table is the attributes of a number of rows.
type Table struct {
	Rows    int
	Columns []Column

	close func() error
}

// Column is the column of that name; ok is false where there is none.
func (t *Table) Column(name string) (c *Column, ok bool) {
	if t == nil {
		return nil, false
	}
	for i := range t.Columns {
		if t.Columns[i].Name == name {
			return &t.Columns[i], true
		}
	}
	return nil, false
}

// Names are those of the columns, in their order.
func (t *Table) Names() []string {
	if t == nil {
		return nil
	}
	names := make([]string, len(t.Columns))
	for i := range t.Columns {
		names[i] = t.Columns[i].Name
	}
	return names
}

// Select is the table of the given rows, in their order. Words stay as they are, so that values of two selections of
// one table can be compared. A row out of range panics.
func (t *Table) Select(rows []int32) *Table {
	out := &Table{Rows: len(rows), Columns: slices.Clone(t.Columns)}
	for i := range out.Columns {
		values := make([]float64, len(rows))
		for j, row := range rows {
			values[j] = t.Columns[i].Values[row]
		}
		out.Columns[i].Values = values
	}
	return out
}

// With is t and one more text column with the given texts, one a row, empty where missing; t may be nil. It is an error
// if t has a column of that name, or another number of rows.
func (t *Table) With(name string, texts []string) (*Table, error) {
	out := &Table{Rows: len(texts)}
	if t != nil {
		if t.Rows != len(texts) {
			return nil, fmt.Errorf("%d values of %s for %d rows", len(texts), name, t.Rows)
		}
		if _, there := t.Column(name); there {
			return nil, fmt.Errorf("there is a column %q already", name)
		}
		out.Columns = slices.Clone(t.Columns)
		out.close = t.close
	}
	out.Columns = append(out.Columns, textColumn(name, texts))
	return out, nil
}

// Concat is the rows of a and then those of b; either may be nil, with so many rows of which nothing is known. A column that
// only one of them has is missing in the rows of the other; it is an error if both have it with different kinds.
func Concat(a *Table, aRows int, b *Table, bRows int) (*Table, error) {
	if a == nil && b == nil {
		return nil, nil
	}
	if a == nil {
		a = &Table{Rows: aRows}
	}
	if b == nil {
		b = &Table{Rows: bRows}
	}
	out := &Table{Rows: a.Rows + b.Rows}
	names := a.Names()
	for _, n := range b.Names() {
		if !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	for _, name := range names {
		x, ok1 := a.Column(name)
		y, ok2 := b.Column(name)
		if ok1 && ok2 && x.Kind != y.Kind {
			return nil, fmt.Errorf("%s is a %s of the base, and a %s of the queries", name, x.Kind, y.Kind)
		}
		kind := Kind("")
		var texts []string
		values := make([]float64, 0, out.Rows)
		for _, part := range []struct {
			c    *Column
			rows int
		}{{x, a.Rows}, {y, b.Rows}} {
			for row := range part.rows {
				v := math.NaN()
				text := ""
				if part.c != nil {
					v, text, kind = part.c.Values[row], part.c.Text(row), part.c.Kind
				}
				values, texts = append(values, v), append(texts, text)
			}
		}
		if kind == Text {
			out.Columns = append(out.Columns, textColumn(name, texts))
		} else {
			out.Columns = append(out.Columns, Column{Name: name, Kind: kind, Values: values})
		}
	}
	return out, nil
}

// textColumn is a column of texts, empty where missing.
func textColumn(name string, texts []string) Column {
	c := Column{Name: name, Kind: Text, Values: make([]float64, len(texts))}
	seen := map[string]int{}
	for _, s := range texts {
		if _, known := seen[s]; !known && s != "" {
			seen[s] = 0
			c.Words = append(c.Words, s)
		}
	}
	slices.Sort(c.Words)
	for i, w := range c.Words {
		seen[w] = i
	}
	for row, s := range texts {
		if s == "" {
			c.Values[row] = math.NaN()
		} else {
			c.Values[row] = float64(seen[s])
		}
	}
	return c
}

// Digest is the SHA-256 of names, kinds, words and values, in 64 hexadecimal digits.
func (t *Table) Digest() string {
	sum := sha256.New()
	fmt.Fprintf(sum, "annbench attributes 1\n%d rows\n", t.Rows)
	for i := range t.Columns {
		c := &t.Columns[i]
		fmt.Fprintf(sum, "%q %s %q\n", c.Name, c.Kind, c.Words)
		sum.Write(vecfile.FileBytes(canonical(c.Values)))
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// canonical is values with one NaN for all: they have many bit patterns.
func canonical(values []float64) []float64 {
	out := slices.Clone(values)
	for i, v := range out {
		if v != v {
			out[i] = math.NaN()
		}
	}
	return out
}

// Write writes names, kinds and words to the file at schema, and values to the file at values: a .npy array of float64,
// one column of the table a row, NaN where missing. Several selections of one table have one schema; it is written where
// schema is not empty.
func (t *Table) Write(schema, values string) error {
	all := make([]float64, 0, t.Rows*len(t.Columns))
	for i := range t.Columns {
		all = append(all, canonical(t.Columns[i].Values)...)
	}
	if err := vecfile.WriteArray(values, all, t.Rows); err != nil || schema == "" {
		return err
	}
	return atomicfile.WriteJSON(schema, t.Columns)
}

// Open maps what [Table.Write] wrote. rows is how many it must have. Close ends it.
func Open(schema, values string, rows int) (*Table, error) {
	t := &Table{Rows: rows}
	if err := atomicfile.ReadJSON(schema, &t.Columns); err != nil {
		return nil, err
	}
	a, err := vecfile.MapArray[float64](values, 2)
	if err != nil {
		return nil, err
	}
	t.close = a.Close
	if a.Shape[0] != len(t.Columns) || a.Shape[1] != rows {
		return nil, errors.Join(fmt.Errorf("%s has %d columns of %d rows, not %d of %d", values, a.Shape[0], a.Shape[1], len(t.Columns), rows), a.Close())
	}
	for i := range t.Columns {
		c := &t.Columns[i]
		c.Values = a.Data[i*rows : (i+1)*rows]
		if err := c.check(); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", values, err), a.Close())
		}
	}
	return t, nil
}

// check reports a value that the column cannot have: other code indexes Words by it.
func (c *Column) check() error {
	var top float64
	switch c.Kind {
	case Text:
		top = float64(len(c.Words))
	case Boolean:
		top = 2
	case Number:
		return nil
	default:
		return fmt.Errorf("column %q is of the unknown kind %q", c.Name, c.Kind)
	}
	for row, v := range c.Values {
		if v == v && (v < 0 || v >= top || v != math.Trunc(v)) {
			return fmt.Errorf("column %q, row %d: %v is not below %v", c.Name, row, v, top)
		}
	}
	return nil
}

// Close unmaps the values. A second call does nothing; a nil table has nothing to close.
func (t *Table) Close() error {
	if t == nil || t.close == nil {
		return nil
	}
	unmap := t.close
	t.close = nil
	return unmap()
}

// Files are the names of tables of attributes that are found without being named, in the folder of the data.
var Files = []string{"attributes.csv", "attributes.tsv", "attributes.jsonl", "attributes.parquet"}

// Beside is the table of attributes in the folder dir, empty where it has none. Two of them are an error.
func Beside(dir string) (string, error) {
	var found []string
	for _, name := range Files {
		if info, err := os.Stat(dir + string(os.PathSeparator) + name); err == nil && info.Mode().IsRegular() {
			found = append(found, dir+string(os.PathSeparator)+name)
		}
	}
	switch len(found) {
	case 0:
		return "", nil
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("both %s and %s have attributes: name the one to use under data: {attributes: FILE}, or remove the other", found[0], found[1])
}

// truth reads a truth value.
func truth(s string) (value, ok bool) {
	switch strings.ToLower(s) {
	case "true":
		return true, true
	case "false":
		return false, true
	}
	return false, false
}

// number reads a finite number as people write it: no hexadecimal, no underscores.
func number(s string) (float64, bool) {
	x, err := strconv.ParseFloat(s, 64)
	if err != nil || x-x != 0 || strings.ContainsAny(s, "xX_pP") {
		return 0, false
	}
	return x, true
}
