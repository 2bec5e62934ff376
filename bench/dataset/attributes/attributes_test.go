package attributes

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
)

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// rows is what a table has, column after column, as text.
func rows(t *Table) map[string]string {
	out := map[string]string{}
	for i := range t.Columns {
		c := &t.Columns[i]
		var texts []string
		for row := range t.Rows {
			texts = append(texts, c.Text(row))
		}
		out[c.Name] = string(c.Kind) + " " + strings.Join(texts, ",")
	}
	return out
}

func TestRead(t *testing.T) {
	ids := []string{"dress/a.jpg", "dress/b.jpg", "hat/c.jpg"}
	for _, c := range []struct {
		name, file, text string
		want             map[string]string
		notes            string
	}{
		{
			"by id", "x.csv", "image,colour,price,new,sku\nhat/c.jpg,red,12.5,true,007\ndress/a.jpg,blue,8,FALSE,012\ndress/b.jpg,red,,,\n",
			map[string]string{"colour": "text blue,red,red", "price": "number 8,,12.5", "new": "boolean false,,true", "sku": "text 012,,007"},
			"",
		},
		{"in order", "x.tsv", "colour\tsize\nred\t38\nblue\t40\ngreen\t38\n", map[string]string{"colour": "text red,blue,green", "size": "number 38,40,38"}, ""},
		{
			"by file name", "x.csv", "id;price\nb;1,5\na;NA\nz;2,25\n",
			map[string]string{"price": "number ,1.5,"},
			"x.csv: numbers of price have decimal commas|attributes are joined by file names without their extension|1 of 3 items have no attributes|1 row of attributes belong to no item",
		},
		{
			"lines", "x.jsonl", "{\"id\":\"dress/b.jpg\",\"price\":3,\"colour\":\"0012\"}\n\n{\"id\":\"hat/c.jpg\",\"price\":null,\"in_stock\":true}\n",
			map[string]string{"price": "number ,3,", "colour": "text ,0012,", "in_stock": "boolean ,,true"},
			"1 of 3 items have no attributes",
		},
		{
			"R", "x.csv", "\"colour\",\"price\"\n\"dress/b.jpg\",\"red\",3\n\"hat/c.jpg\",\"blue\",4\n\"dress/a.jpg\",NA,5\n",
			map[string]string{"colour": "text NA,red,blue", "price": "number 5,3,4"},
			"",
		},
		{
			"R with ids", "x.csv", "\"image\",\"price\"\n\"1\",\"dress/b.jpg\",3\n\"2\",\"hat/c.jpg\",4\n\"3\",\"dress/a.jpg\",5\n",
			map[string]string{"price": "number 5,3,4"},
			"",
		},
		{"separators at the end", "x.csv", "colour,price\nred,1,\nblue,2,\nred,3,\n", map[string]string{"colour": "text red,blue,red", "price": "number 1,2,3"}, ""},
		{"Excel", "x.csv", "sep=;\ncolour;price\nred;1,5\nblue;2,25\nred;3\n", map[string]string{"colour": "text red,blue,red", "price": "number 1.5,2.25,3"}, "x.csv: numbers of price have decimal commas"},
		{
			"beyond float64", "x.csv", "shop,other\n9007199254740992,9007199254740992\n9007199254740993,18014398509481984\n1,3\n",
			map[string]string{"shop": "text 9007199254740992,9007199254740993,1", "other": "number 9.007199254740992e+15,1.8014398509481984e+16,3"},
			"shop is taken as text: it has whole numbers that float64 does not hold, such as 9007199254740993 at PATH:3",
		},
		{
			"beyond float64, with zeros behind the point", "x.csv", "shop,other\n9007199254740993.0,9007199254740992.0\n1,0.12345678901234567890\n2,3\n",
			map[string]string{"shop": "text 9007199254740993.0,1,2", "other": "number 9.007199254740992e+15,0.12345678901234568,3"},
			"shop is taken as text: it has whole numbers that float64 does not hold, such as 9007199254740993.0 at PATH:2",
		},
		{
			"beyond float64 in JSON", "x.jsonl", "{\"shop\":9007199254740993}\n{\"shop\":9007199254740992}\n{\"shop\":null}\n",
			map[string]string{"shop": "text 9007199254740993,9007199254740992,"},
			"shop is taken as text: it has whole numbers that float64 does not hold, such as 9007199254740993 at PATH:1",
		},
		{
			"thousands", "x.csv", "price,was\n\"1,234\",$5\n\"2,500\",$7.50\n\"12,000,000\",8\n",
			map[string]string{"price": "text 1,234,2,500,12,000,000", "was": "text $5,$7.50,8"},
			`price is taken as text, though most of it are numbers: "1,234" at PATH:2|was is taken as text, though most of it are numbers: "$5" at PATH:2`,
		},
		{"capitals", "x.csv", "price,Price\n1,10\n2,20\n3,30\n", map[string]string{"price": "number 1,2,3", "Price": "number 10,20,30"}, "price and Price are two attributes: filters tell capitals apart"},
		{"BOM and quotes", "x.csv", "\ufeffcolour,note\r\n\"red, dark\",\"a \"\"b\"\"\"\r\nblue,\r\nred,c\r\n", map[string]string{"colour": "text red, dark,blue,red", "note": `text a "b",,c`}, ""},
	} {
		path := write(t, c.file, c.text)
		table, notes, err := Read([]string{path}, ids, Config{})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		c.notes = strings.ReplaceAll(c.notes, "PATH", path)
		got := rows(table)
		for name, want := range c.want {
			if got[name] != want {
				t.Errorf("%s: %s is %q, want %q", c.name, name, got[name], want)
			}
		}
		if len(got) != len(c.want) || strings.Join(notes, "|") != c.notes {
			t.Errorf("%s: columns %v, notes %q, want %q", c.name, table.Names(), strings.Join(notes, "|"), c.notes)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	ids := []string{"a", "b", "c"}
	for _, c := range []struct {
		name, file, text string
		cfg              Config
		want             string
	}{
		{"rows", "x.csv", "colour\nred\nblue\n", Config{}, "x.csv has 2 rows of attributes, the data has 3"},
		{"of the base", "x.csv", "colour\nred\n", Config{Base: 2}, "x.csv has 1 rows of attributes, the data has 2 (or 3 with the queries)"},
		{"none", "x.csv", "id,colour\nx,red\n", Config{}, `x.csv: none of its ids (column "id": "x", ...) is one of the data ("a", ...)`},
		{"blank", "x.csv", "id,colour\na,red\n  ,blue\n", Config{}, `x.csv:3 has no id (column "id")`},
		{"twice", "x.csv", "id,colour\na,red\na,blue\n", Config{}, `x.csv:3: "a" stands already at`},
		{"column", "x.csv", "id,colour\na,red\n", Config{ID: "sku"}, `x.csv: there is no column "sku" of ids; there are id, colour`},
		{"fields", "x.csv", "id,colour\na,red,x\n", Config{}, "x.csv:2: 3 fields, the first line names 2 columns"},
		{"names again", "x.csv", "id,colour\na,red\nid,colour\nb,blue\n", Config{}, "x.csv:3: it repeats the names of the columns"},
		{"names", "x.csv", "id,colour,colour\na,red,x\n", Config{}, `x.csv:1: two columns are called "colour"`},
		{"ambiguous", "x.csv", "id;price\na;1,234\nb;2,500\nc;7\n", Config{}, `x.csv:2: price: is "1,234" one thousand times more, or has it a decimal comma?`},
		{"Latin 1", "x.csv", "id,colour\na,red\nb,beige clair\xe9\n", Config{}, "x.csv:3: it is no UTF-8"},
		{"quote", "x.csv", "id,colour\na,\"red\n", Config{}, "a quoted field does not end"},
		{"empty", "x.csv", "", Config{}, "x.csv is empty"},
		{"head", "x.csv", "id,colour\n", Config{}, "x.csv names columns, and has no row after them"},
		{"ids alone", "x.csv", "id\na\nb\n", Config{}, "has no column beside the ids"},
		{"kinds", "x.jsonl", "{\"id\":\"a\",\"p\":1}\n{\"id\":\"b\",\"p\":\"x\"}\n", Config{}, "x.jsonl:2: p is a text here, and a number in lines before"},
		{"list", "x.jsonl", "{\"id\":\"a\",\"p\":[1]}\n", Config{}, "x.jsonl:1: p is a list or an object"},
		{"no object", "x.jsonl", "[1]\n", Config{}, "x.jsonl:1: a line is one object"},
		{"two", "x.jsonl", "{\"id\":\"a\"} 7\n", Config{}, "x.jsonl:1: something follows"},
		{"torn", "x.jsonl", "{\"id\":\"a\",\"p\":", Config{}, "x.jsonl:1: p: the value is damaged"},
		{"Latin 1 in JSON", "x.jsonl", "{\"id\":\"a\",\"p\":\"red\"}\n{\"id\":\"b\",\"p\":\"clair\xe9\"}\n", Config{}, "x.jsonl:2: it is no UTF-8"},
		{"half a pair", "x.jsonl", `{"id":"a","p":"\\ud83d \ud83d\ude00 \ud83d."}` + "\n", Config{}, `x.jsonl:1: \ud83d is half a character`},
		{"the other half", "x.jsonl", `{"id":"a","p":"\udc00"}` + "\n", Config{}, `x.jsonl:1: \udc00 is half a character`},
		{"kind", "x.xlsx", "PK", Config{}, "attributes come as .csv"},
		{"parquet", "x.parquet", "PAR1 and nothing else", Config{}, "x.parquet: byte 17: a Parquet file ends with PAR1, this one does not: it is cut short or damaged"},
	} {
		_, _, err := Read([]string{write(t, c.file, c.text)}, ids, c.cfg)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// Characters in two halves, and escapes that are escaped, are read as they are.
func TestEscapesInJSON(t *testing.T) {
	table, _, err := Read([]string{write(t, "x.jsonl", `{"id":"x","p":"\ud83d\ude00","q":"\\ud83d","r":"\u00e9"}`+"\n")}, []string{"x"}, Config{})
	if err != nil {
		t.Fatal(err)
	}
	if got := rows(table); got["p"] != "text 😀" || got["q"] != `text \ud83d` || got["r"] != "text é" {
		t.Errorf("%v", got)
	}
}

// TestReadFromOne: a table that counts from 1, beside rows that count from 0, is noted.
func TestReadFromOne(t *testing.T) {
	const doubt = "ids of the table begin with 1, those of the data with 0"
	for text, want := range map[string]bool{
		"id,price\n1,5\n2,6\n3,7\n": true,
		"id,price\n0,5\n1,6\n2,7\n": false,
		"id,price\n1,5\n2,6\n":      false, // the first has none
	} {
		_, notes, err := Read([]string{write(t, "x.csv", text)}, []string{"0", "1", "2", "query/0"}, Config{})
		if err != nil || strings.Contains(strings.Join(notes, "\n"), doubt) != want {
			t.Errorf("%q: notes %q, %v", text, notes, err)
		}
	}
}

func TestReadSeveral(t *testing.T) {
	a, b := write(t, "a.csv", "id,colour\nx,red\n"), write(t, "b.jsonl", `{"id":"y","colour":"blue","price":3}`+"\n")
	table, _, err := Read([]string{a, b}, []string{"y", "x"}, Config{})
	if err != nil {
		t.Fatal(err)
	}
	if got := rows(table); got["colour"] != "text blue,red" || got["price"] != "number 3," {
		t.Errorf("%v", got)
	}
	if _, _, err := Read([]string{a, write(t, "c.csv", "colour\nred\n")}, []string{"y", "x"}, Config{}); err == nil || !strings.Contains(err.Error(), "no column of ids") {
		t.Errorf("one with ids, one without: %v", err)
	}
}

func TestReadParquet(t *testing.T) {
	type row struct {
		ID     string    `parquet:"id"`
		Colour *string   `parquet:"colour,optional,dict"`
		Price  float64   `parquet:"price"`
		New    bool      `parquet:"new"`
		SKU    string    `parquet:"sku"`
		Since  time.Time `parquet:"since,timestamp(microsecond)"`
		Vector []float32 `parquet:"vector,list"`
	}
	red := "red"
	day := time.Date(2024, 1, 31, 12, 0, 0, 5000, time.UTC)
	path := filepath.Join(t.TempDir(), "x.parquet")
	if err := parquet.WriteFile(path, []row{{"b", nil, math.NaN(), true, "007", day, []float32{1}}, {"a", &red, 2.5, false, "8", day, nil}}); err != nil {
		t.Fatal(err)
	}
	table, notes, err := Read([]string{path}, []string{"a", "b"}, Config{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"colour": "text red,", "price": "number 2.5,", "new": "boolean false,true", "sku": "text 8,007",
		"since": "text 2024-01-31T12:00:00.000005Z,2024-01-31T12:00:00.000005Z",
	}
	got := rows(table)
	for name, w := range want {
		if got[name] != w {
			t.Errorf("%s is %q, want %q", name, got[name], w)
		}
	}
	if len(notes) != 1 || !strings.Contains(notes[0], `"vector" left out`) {
		t.Errorf("notes %q", notes)
	}
}

// TestKept writes selections and maps them again: values, words and digest are the same.
func TestKept(t *testing.T) {
	table, _, err := Read([]string{write(t, "x.csv", "colour,price\nred,1\nblue,\nred,3\n")}, []string{"0", "1", "2"}, Config{})
	if err != nil {
		t.Fatal(err)
	}
	table, err = table.With("item", []string{"i1", "i2", ""})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := table.With("item", []string{"", "", ""}); err == nil {
		t.Error("a second column of one name")
	}
	some := table.Select([]int32{2, 1})
	dir := t.TempDir()
	schema, values := filepath.Join(dir, "s.json"), filepath.Join(dir, "v.npy")
	if err := some.Write(schema, values); err != nil {
		t.Fatal(err)
	}
	again, err := Open(schema, values, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if again.Digest() != some.Digest() || again.Digest() == table.Digest() {
		t.Error("the digest is another")
	}
	if got := rows(again); got["colour"] != "text red,blue" || got["price"] != "number 3," || got["item"] != "text ,i2" {
		t.Errorf("%v", got)
	}
	c, _ := again.Column("colour")
	if v, ok := c.Code("red"); !ok || v != c.Values[0] {
		t.Errorf("red is %v %v", v, ok)
	}
	if at, found := c.Place("c"); found || at != 1 || !slices.Equal(c.Words, []string{"blue", "red"}) {
		t.Errorf("c stands at %d of %q", at, c.Words)
	}
	if _, err := Open(schema, values, 3); err == nil {
		t.Error("another number of rows")
	}
	some.Columns[0].Words = []string{"red"}
	if err := some.Write(schema, values); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(schema, values, 2); err == nil || !strings.Contains(err.Error(), "colour") {
		t.Errorf("a value beyond the words: %v", err)
	}
}

// The data's own ids may be what is wrong.
func TestRepeatedIDs(t *testing.T) {
	_, _, err := Read([]string{write(t, "x.csv", "id,colour\na,red\nb,blue\n")}, []string{"a", "b", "a"}, Config{})
	if err == nil || !strings.Contains(err.Error(), `the data has the id "a" more than once`) {
		t.Errorf("%v", err)
	}
}
