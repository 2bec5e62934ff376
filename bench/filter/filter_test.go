package filter

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"annbench/bench/dataset"
	"annbench/bench/dataset/attributes"
	"annbench/indexes/vec"
)

// garments are five items: the third has no price.
func garments() *attributes.Table {
	return &attributes.Table{Rows: 5, Columns: []attributes.Column{
		{Name: "category", Kind: attributes.Text, Words: []string{"coat", "dress", "l'été"}, Values: []float64{0, 1, 1, 2, 1}},
		{Name: "price", Kind: attributes.Number, Values: []float64{10, 50, math.NaN(), 100, 200}},
		{Name: "in stock", Kind: attributes.Boolean, Values: []float64{1, 0, 1, 1, 0}},
		{Name: "sale", Kind: attributes.Boolean, Values: []float64{1, 0, 1, 1, math.NaN()}},
	}}
}

func TestExpressions(t *testing.T) {
	for text, want := range map[string][]int32{
		"category = 'dress'":                    {1, 2, 4},
		"category == \"dress\"":                 {1, 2, 4},
		"category != 'dress'":                   {0, 3},
		"category <> 'dress' and price >= 100":  {3},
		"category = 'dress' and price < 100":    {1},
		"category in ('coat', 'l''été')":        {0, 3},
		"category not in ('coat', 'l''été')":    {1, 2, 4},
		"not category in ('coat')":              {1, 2, 3, 4},
		"category < 'dress'":                    {0},
		"category < 'd'":                        {0},
		"category >= 'd'":                       {1, 2, 3, 4},
		"price < 100":                           {0, 1},
		"price <= 1e2":                          {0, 1, 3},
		"price > -1":                            {0, 1, 3, 4}, // the third is unknown,
		"not price > 60":                        {0, 1},       // and stays so
		"not (price > 60)":                      {0, 1},
		"price in (10, 200)":                    {0, 4},
		"sale":                                  {0, 2, 3},
		"not sale":                              {1},
		"sale = false":                          {1},
		"`in stock` = TRUE AND NOT sale = true": nil,
		"category = 'coat' or category = 'dress' and price > 100":   {0, 4},
		"(category = 'coat' or category = 'dress') and price > 100": {4},
		"price > 60 or category = 'dress'":                          {1, 2, 3, 4},
		"price > 60 and category = 'dress'":                         {4},
	} {
		e, err := Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got, err := e.Rows(garments())
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if rows := slices.Collect(got.All()); !slices.Equal(rows, want) {
			t.Errorf("%s: rows %v, not %v", text, rows, want)
		}
	}
}

func TestExpressionErrors(t *testing.T) {
	for _, c := range []struct {
		text   string
		column int
		says   string
	}{
		{"", 1, "empty"},
		{"category =", 11, "ends too early"},
		{"category = 'dress' and", 23, "ends too early"},
		{"category = 'dress", 12, "does not end"},
		{"category = dress", 12, `"dress" is a name, not a value: a text stands in quotes, 'dress'`},
		{"price < 3 and category IN ('coat', dress)", 34, `a text stands in quotes, 'dress'`},
		{"category in (dress)", 14, `a text stands in quotes, 'dress'`},
		{"price < 100 && sale", 13, "write and, or"},
		{"!sale", 1, "write not"},
		{"(price < 100", 13, "ends too early"},
		{"price < 1e999", 9, "1.8e308"},
		{"price  between 1 and 3", 8, `"between" cannot stand here`},
		{"price < 100)", 12, "cannot stand here"},
		{"price = 9007199254740993", 9, "9007199254740993 would be rounded to 9007199254740992"},
		{"price in (1, 9007199254740993.0)", 14, "9007199254740993.0 would be rounded to 9007199254740992"},
		{"price = 9007199254740992 and in-stock", 32, "in backquotes, `in-stock`"},
		{"in-stock = true", 3, "in backquotes, `in-stock`"},
		{"oré = 1", 1, "in backquotes, `oré`"},
		{"2x > 1", 1, "in backquotes, `2x`"},
		{"not = 3", 5, "in backquotes, `not`"},
		{"colour = 'red'", 1, `no attribute "colour"`},
		{"catgory = 'dress'", 1, `did you mean "category"?`},
		{"sale and category = 'dres'", 21, `no vector has category "dres"; did you mean "dress"?`},
		{"price = 'much'", 9, "price takes a number, not a text"},
		{"category = 3", 12, "category takes a text in quotes, not a number"},
		{"sale < true", 8, "it has no <"},
		{"price", 1, "compare it with a value"},
		{"été = 1 and price = 'x'", 1, `no attribute "été"`},
		{"category = 'l''été' and price = 'x'", 33, "price takes"},
	} {
		e, err := Parse(c.text)
		if err == nil {
			_, err = e.Rows(garments())
		}
		var at *Error
		if !errors.As(err, &at) {
			t.Errorf("%q: %v is no error of a place", c.text, err)
			continue
		}
		if at.Column != c.column || !strings.Contains(at.Reason, c.says) {
			t.Errorf("%q: column %d, %s; should be column %d, %s", c.text, at.Column, at.Reason, c.column, c.says)
		}
	}
}

// TestName: whatever an attribute is called, an expression reads its name as [Name] writes it, and not otherwise if it is quoted.
func TestName(t *testing.T) {
	for name, quoted := range map[string]bool{
		"price": false, "not_x": false, "inside": false, "a-in": false, "été": false, "x.y": false,
		"in-stock": true, "oré": true, "2x": true, "Not": true, "in.x": true, "a b": true, "true": true, "a'b": true,
	} {
		if got := Name(name); (got != name) != quoted {
			t.Errorf("%s is written %s", name, got)
		}
		e, err := Parse(Name(name) + " = 1")
		if err != nil || strings.Trim(e.root.Terms[0].Terms[0].Test.Column, "`") != name {
			t.Errorf("%s: %v", Name(name), err)
		}
		if _, err := Parse(name + " = 1"); (err != nil) != quoted {
			t.Errorf("%s without backquotes: %v", name, err)
		}
	}
}

// An error of a long expression shows what stands around the place, and the mark below it.
func TestLongExpression(t *testing.T) {
	text := strings.Repeat("price < 1 or ", 900) + "prise ! 1 or " + strings.Repeat("price < 1 or ", 900) + "true"
	_, err := Parse(text)
	if err == nil {
		t.Fatal("no error")
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 3 || len(lines[1]) > 200 {
		t.Fatalf("%s", err)
	}
	at := utf8.RuneCountInString(lines[2]) - 1
	if shown := []rune(lines[1]); shown[at] != '!' || !strings.HasPrefix(string(shown[at-6:]), "prise !") {
		t.Errorf("the mark is not below the place:\n%s", err)
	}
}

// Brackets and pairs of not cost nothing, and are bounded; comparisons are counted.
func TestNested(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("(", n) + "sale" + strings.Repeat(")", n) }
	for text, want := range map[string]int{
		deep(maxNested): 1, "'('": 0, "category = '" + strings.Repeat("(", 99) + "' or sale": 2,
		strings.Repeat("not ", 98) + "sale": 1, "sale or price in (1, 2, 3) and not (price < 3 or sale)": 4,
		strings.Repeat("(sale) or ", 60) + "sale": 61,
	} {
		e, err := Parse(text)
		if want == 0 {
			if err == nil {
				t.Errorf("%s is read", text)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if n := e.Comparisons(); n != want {
			t.Errorf("%s: %d comparisons, want %d", text, n, want)
		}
	}
	var at *Error
	if _, err := Parse("sale and " + deep(maxNested+1)); !errors.As(err, &at) || at.Column != 10+maxNested {
		t.Errorf("%v", err)
	}
	once, err := rowsOf("sale")
	if err != nil {
		t.Fatal(err)
	}
	for text, same := range map[string]bool{deep(9): true, strings.Repeat("not ", 98) + "sale": true, strings.Repeat("not ", 97) + "sale": false} {
		got, err := rowsOf(text)
		if err != nil {
			t.Fatal(err)
		}
		if slices.Equal(slices.Collect(got.All()), slices.Collect(once.All())) != same {
			t.Errorf("%s lets other vectors pass", text)
		}
	}
}

func rowsOf(text string) (*vec.Set, error) {
	e, err := Parse(text)
	if err != nil {
		return nil, err
	}
	return e.Rows(garments())
}

// Whatever is written, parsing ends, without a panic.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"category = 'dress' and price < 100", "not (a in (1, 2) or b)", "''''", "((((", "a=\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if e, err := Parse(text); err == nil {
			_, _ = e.Rows(garments())
		}
	})
}

// Expressions that differ in spaces alone are one filter; in quotes, a space is part of the text.
func TestSpaces(t *testing.T) {
	for text, want := range map[string]string{
		" category \t=\n 'dress'  ":    "category = 'dress'",
		"category = 'a  b'":            "category = 'a  b'",
		"`in  stock`  or a = \"'  '\"": "`in  stock` or a = \"'  '\"",
		"a = 'it''s  so'  and b":       "a = 'it''s  so' and b",
	} {
		if got := (Filter{Where: text}).String(); got != want {
			t.Errorf("%q: %q, not %q", text, got, want)
		}
	}
}

// However an expression is spelled, it is the filter that was measured; one that means something else is not.
func TestSame(t *testing.T) {
	const measured = "category = 'dress' and price < 100"
	for text, want := range map[string]bool{
		"category='dress' AND price<100.0":                true,
		"price < 1e2 and category == \"dress\"":           true,
		"(`category` in ('dress')) and not not price<100": true,
		"category = 'dress' and price <= 100":             false,
		"category = 'dress' or price < 100":               false,
		"not (category = 'dress' and price < 100)":        false,
		"category = 'Dress' and price < 100":              false,
		"category = 'dress' and":                          false,
	} {
		if got := Same(measured, text); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
	for _, pair := range [][2]string{
		{"category in ('coat', 'dress')", "category IN (\"dress\",'coat','coat')"},
		{"category <> 'it''s'", "category not in (\"it's\")"},
		{"sale", "sale = TRUE"},
		{"(a = 1 or b = 2) or c = 3", "c=3 or (b=2 or a=1)"},
		{"a = 1 and (b = 2 and c = 3)", "c = 3 and a = 1 and b = 2"},
		{"selectivity=0.1 correlation=none", "selectivity=0.1  correlation=none"},
	} {
		if !Same(pair[0], pair[1]) {
			t.Errorf("%s and %s: not the same", pair[0], pair[1])
		}
	}
	for _, pair := range [][2]string{
		{"a = 1 and (b = 2 or c = 3)", "a = 1 and b = 2 or c = 3"},
		{"not a = 1 and b = 2", "not (a = 1 and b = 2)"},
		{"a = '1'", "a = 1"},
		{"a not in (1, 2)", "a in (1, 2)"},
		{"a = 'x  y'", "a = 'x y'"},
	} {
		if Same(pair[0], pair[1]) {
			t.Errorf("%s and %s: the same", pair[0], pair[1])
		}
	}
}

func TestFilters(t *testing.T) {
	for _, f := range []Filter{
		{Where: "category =  'dress'"},
		{Selectivity: 0.01, Correlation: Near},
		{Selectivity: 1, Correlation: None},
		{CSR: "a/base.spmat", CSRQueries: "q.spmat", Sum: "0123"},
	} {
		if err := f.Check(); err != nil {
			t.Errorf("%s: %v", f, err)
		}
	}
	for _, f := range []Filter{
		{},
		{Where: "a ="},
		{Selectivity: 2, Correlation: None},
		{Selectivity: math.NaN(), Correlation: None},
		{Selectivity: 0.5, Correlation: "close"},
		{Where: "a = 1", Selectivity: 0.5},
		{CSR: "a"},
	} {
		if f.Check() == nil {
			t.Errorf("%+v passes", f)
		}
	}
}

// writeCSR writes rows of words as big-ann-benchmarks does.
func writeCSR(t *testing.T, path string, cols int, rows [][]int32) {
	t.Helper()
	var b bytes.Buffer
	starts, words := []int64{0}, []int32(nil)
	for _, r := range rows {
		words = append(words, r...)
		starts = append(starts, int64(len(words)))
	}
	for _, part := range []any{[]int64{int64(len(rows)), int64(cols), int64(len(words))}, starts, words, make([]float32, len(words))} {
		if err := binary.Write(&b, binary.LittleEndian, part); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// The bytes that write_sparse_matrix of big-ann-benchmarks (benchmark/dataset_io.py) leaves of scipy's csr_matrix of
// [[1 0 0 1] [0 0 0 0] [0 1 0 0]]: sizes and beginnings as int64, columns as int32, values as float32.
const published = "030000000000000004000000000000000300000000000000" +
	"0000000000000000020000000000000002000000000000000300000000000000" +
	"000000000300000001000000" + "0000803f0000803f0000803f"

func TestPublishedCSR(t *testing.T) {
	bytes, err := hex.DecodeString(published)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "base.spmat")
	if err := os.WriteFile(path, bytes, 0o644); err != nil {
		t.Fatal(err)
	}
	c, err := readCSR(path)
	if err != nil {
		t.Fatal(err)
	}
	if c.rows != 3 || c.cols != 4 || !slices.Equal(c.row(0), []int32{0, 3}) || len(c.row(1)) != 0 || !slices.Equal(c.row(2), []int32{1}) {
		t.Errorf("%d rows, %d columns: %v %v %v", c.rows, c.cols, c.row(0), c.row(1), c.row(2))
	}
}

func TestCSR(t *testing.T) {
	path := filepath.Join(t.TempDir(), "base.spmat")
	writeCSR(t, path, 5, [][]int32{{3, 0}, {}, {0, 3, 4}, {3}})
	c, err := readCSR(path)
	if err != nil {
		t.Fatal(err)
	}
	lists := c.postings([]int32{0, 2, 3}) // of rows 0, 2 and 3
	for _, q := range []struct{ asked, want []int32 }{
		{[]int32{3}, []int32{0, 1, 2}}, {[]int32{0, 3}, []int32{0, 1}}, {[]int32{4}, []int32{1}}, {[]int32{1}, nil}, {[]int32{9}, nil}, {nil, []int32{0, 1, 2}},
	} {
		if got := slices.Collect(passing(lists, q.asked, 3).All()); !slices.Equal(got, q.want) {
			t.Errorf("words %v: %v, not %v", q.asked, got, q.want)
		}
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	start := func(row int, at byte) []byte { // the file whose row begins there
		b := slices.Clone(whole)
		b[24+8*row] = at
		return b
	}
	for name, b := range map[string][]byte{
		"negative word": append(append(slices.Clone(whole[:24+8*5]), 0xff, 0xff, 0xff, 0xff), whole[24+8*5+4:]...),
		"fewer columns": append(append(slices.Clone(whole[:8]), 2, 0, 0, 0, 0, 0, 0, 0), whole[16:]...),
		"more entries":  append(append(slices.Clone(whole[:16]), 0, 0, 0, 0, 0, 0, 0, 0x40), whole[24:]...),
		"empty":         nil, "short": whole[:len(whole)-1], "long": append(slices.Clone(whole), 0), "other": bytes.Repeat([]byte{7}, len(whole)),
		"its 4 rows end at entry 5, and there are 6": start(4, 5), "row 3 goes from entry 5 to 99, and there are 6": start(4, 99),
		"row 2 goes from entry 2 to 1, and": start(3, 1), "row 1 goes from entry 2 to 99, and": start(2, 99), "row 0 begins at entry 1": start(0, 1),
	} {
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := readCSR(path)
		if err == nil || !strings.Contains(err.Error(), path) || strings.Contains(name, "entry") && !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Files of more or fewer rows than there are vectors or queries belong to others.
func TestRowsOfCSR(t *testing.T) {
	dir := t.TempDir()
	set := &dataset.Set{Base: vec.Matrix{Rows: 3}, BaseRows: []int32{0, 1, 2}, QueryRows: []int32{4}, Rows: 5} // one of two queries
	rows := func(n int) string {
		path := filepath.Join(dir, fmt.Sprintf("%d.spmat", n))
		writeCSR(t, path, 9, make([][]int32, n))
		return path
	}
	for _, c := range []struct {
		base, queries int
		says          string
	}{
		{3, 2, ""},
		{2, 2, "2.spmat: it has 2 rows, and vector 2 is searched"},
		{6, 2, "6.spmat: it has 6 rows, and there are 3 vectors"},
		{3, 1, "1.spmat: it has 1 rows, and query 0 is row 4"},
		{3, 4, "4.spmat: it has 4 rows, and there are 2 queries"},
	} {
		err := CheckCSR(set, rows(c.base), rows(c.queries))
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%d and %d rows: %v", c.base, c.queries, err)
		}
	}
	set.BaseRows = []int32{0, 4, 7} // a sample of more than there are in the set
	set.QueryRows, set.Rows = []int32{3}, 12
	if err := CheckCSR(set, rows(10), rows(2)); err != nil {
		t.Errorf("a sample: %v", err)
	}
}

// A query for which nothing passes has no neighbours and counts 0; where that are all queries, the filter is refused, by the
// names of its files, and not once for each cell that is measured.
func TestNothingPasses(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	base, some, none := filepath.Join(dir, "base.spmat"), filepath.Join(dir, "some.spmat"), filepath.Join(dir, "none.spmat")
	writeCSR(t, base, 9, [][]int32{{1, 2}, {2}, {1}})
	writeCSR(t, some, 9, [][]int32{{7}, {2}})
	writeCSR(t, none, 9, [][]int32{{7}, {1, 8}})
	set := &dataset.Set{
		Dir: dir, Digest: "d", Base: vec.Matrix{Data: []float32{0, 1, 2}, Rows: 3, Dim: 1}, Queries: vec.Matrix{Data: []float32{0, 2}, Rows: 2, Dim: 1},
		BaseRows: []int32{0, 1, 2}, QueryRows: []int32{3, 4}, Rows: 5,
	}
	f := Filter{CSR: base, CSRQueries: some, Sum: "s"}
	if err := Prepare(ctx, set, vec.L2, []Filter{f}, 1, 2, 1, nil); err != nil {
		t.Fatal(err)
	}
	p, err := Open(set, vec.L2, f, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	first, _ := p.Truth(0)
	second, _ := p.Truth(1)
	if !slices.Equal(p.Counts, []int32{0, 2}) || len(first) != 0 || !slices.Equal(second, []int32{1, 0}) {
		t.Errorf("counts %v, neighbours %v and %v", p.Counts, first, second)
	}
	for range 2 { // the second time, as the first
		err := Prepare(ctx, set, vec.L2, []Filter{{CSR: base, CSRQueries: none, Sum: "n"}}, 1, 2, 1, nil)
		if err == nil || !strings.Contains(err.Error(), base) || !strings.Contains(err.Error(), none) || !strings.Contains(err.Error(), "2 queries") {
			t.Errorf("error is %v", err)
		}
	}
}

// Prepared sets have the selectivity that was asked for and lie where the correlation says, and the neighbours are those
// of a comparison with every vector that passes.
func TestPrepare(t *testing.T) {
	const rows, queries, k = 700, 20, 10
	ctx := t.Context()
	c, err := dataset.OpenSynthetic(ctx, dataset.Synthetic{N: rows + queries, Dim: 8, LID: 5, Clusters: 4, Seed: 3}, t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, leave := range []bool{false, true} {
		folder, err := dataset.Split(ctx, c, dataset.SplitConfig{Queries: queries, Seed: 1, LeaveOneOut: leave}, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		set, err := dataset.OpenSet(folder)
		if err != nil {
			t.Fatal(err)
		}
		defer set.Close()
		var filters []Filter
		for _, s := range []float64{1e-6, 0.01, 0.3, 1} {
			for _, c := range Correlations {
				filters = append(filters, Filter{Selectivity: s, Correlation: c})
			}
		}
		if _, err := Open(set, vec.L2, filters[0], 5, k); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("opened before it was prepared: %v", err)
		}
		if err := Prepare(ctx, set, vec.L2, filters, 5, k, 2, nil); err != nil {
			t.Fatal(err)
		}
		ended, cancel := context.WithCancel(ctx)
		cancel()
		if err := Prepare(ended, set, vec.L2, filters, 5, k, 2, nil); err != nil {
			t.Errorf("what was prepared is prepared again: %v", err)
		}
		if err := Prepare(ended, set, vec.L2, filters, 6, k, 2, nil); err == nil {
			t.Error("stopped, and no error")
		}
		n := set.Base.Rows
		for _, f := range filters {
			p, err := Open(set, vec.L2, f, 5, k)
			if err != nil {
				t.Fatal(err)
			}
			if shared := p.Set(0) == p.Set(1); shared != (f.Correlation == None) {
				t.Errorf("%s: the same for all queries: %v", f, shared)
			}
			for q := range queries {
				among := p.Set(q)
				// A query that stands among the vectors neither passes what is drawn for it nor takes room in the pool.
				may := n
				if f.Correlation != None && set.Self(q) >= 0 {
					may--
				}
				if want := min(may, max(1, int(math.Round(f.Selectivity*float64(n))))); among.Len() != want {
					t.Errorf("%s, query %d: %d pass, not %d", f, q, among.Len(), want)
				}
				type near struct {
					id       int32
					distance float64
				}
				var all []near
				for i := range n {
					if may < n && int32(i) == set.Self(q) {
						continue
					}
					all = append(all, near{int32(i), vec.L2.Distance(set.Queries.Row(q), set.Base.Row(i))})
				}
				slices.SortFunc(all, func(a, b near) int {
					if a.distance != b.distance {
						return map[bool]int{true: -1, false: 1}[a.distance < b.distance]
					}
					return int(a.id - b.id)
				})
				pool := min(may, int(math.Ceil(math.Sqrt(f.Selectivity)*float64(n))))
				within := all
				switch f.Correlation {
				case Near:
					within = all[:pool]
				case Far:
					within = all[may-pool:]
				}
				in := vec.NewSet(n)
				for _, a := range within {
					in.Add(a.id)
				}
				for id := range among.All() {
					if !in.Has(id) {
						t.Errorf("%s, query %d: %d is not among the %d", f, q, id, pool)
					}
				}
				ids, distances := p.Truth(q)
				at := 0
				for _, a := range all {
					if at == k || a.id == set.Self(q) || !among.Has(a.id) {
						continue
					}
					if at >= len(ids) || distances[at] != a.distance {
						t.Fatalf("%s, query %d: neighbours %v at %v, number %d is %d at %v", f, q, ids, distances, at, a.id, a.distance)
					}
					at++
				}
				if len(ids) != at || int(p.Counts[q]) < at {
					t.Errorf("%s, query %d: %d neighbours of %d", f, q, len(ids), at)
				}
			}
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}
