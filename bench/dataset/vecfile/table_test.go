package vecfile

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestTextForms reads the same vectors, (1, 2), (3, 4) and (5, 6.5), from text of many hands.
func TestTextForms(t *testing.T) {
	ids, labels := []string{"x1", "x2", "x3"}, []string{"hat", "shoe", "hat"}
	for _, c := range []struct {
		name, text  string
		ids, labels []string
		note        string
	}{
		{"bom.csv", "\xef\xbb\xbf1,2\n3,4\n5,6.5\n", nil, nil, ""},
		{"bom-id.csv", "\xef\xbb\xbfid,a,b\nx1,1,2\nx2,3,4\nx3,5,6.5\n", ids, nil, ""},
		{"semicolons.csv", "1;2\n3;4\n5;6.5\n", nil, nil, ""},
		{"decimal.csv", "1,0;2,0\n3,0;4,0\n5,0;6,5\n", nil, nil, "decimal commas"},
		{"decimal-spaces.csv", "1,0 2,0\n3,0 4,0\n5,0 6,5\n", nil, nil, "decimal commas"},
		{"decimal-quoted.csv", "\"1,0\",\"2,0\"\n\"3,0\",\"4,0\"\n\"5,0\",\"6,5\"\n", nil, nil, "decimal commas"},
		{"bars.csv", "1|2\n3|4\n5|6.5\n", nil, nil, ""},
		{"spaces.csv", " 1   2\n 3   4\n 5 6.5\n", nil, nil, ""},
		{"tabs.csv", "1\t2\n3\t4\n5\t6.5\n", nil, nil, ""},
		{"commas-spaces.csv", "1, 2\n3, 4\n5, 6.5\n", nil, nil, ""},
		{"savetxt.txt", "1.000000000000000000e+00 2.000000000000000000e+00\n3.0e+00 4.0e+00\n5.0e+00 6.5e+00\n", nil, nil, ""},
		{"savetxt-header.csv", "# a,b\n1,2\n3,4\n5,6.5\n", nil, nil, ""},
		{"pandas.csv", ",0,1\nx1,1,2\nx2,3,4\nx3,5,6.5\n", ids, nil, ""},
		{"pandas-names.csv", ",a,b,label\nx1,1,2,hat\nx2,3,4,shoe\nx3,5,6.5,hat\n", ids, labels, ""},
		{"pandas-twice.csv", "Unnamed: 0,a,b\nx1,1,2\nx2,3,4\nx3,5,6.5\n", ids, nil, ""},
		{"pandas-label.csv", "0,1,label\n1,2,hat\n3,4,shoe\n5,6.5,hat\n", nil, labels, ""},
		{"pandas-noindex.csv", "0,1\n1,2\n3,4\n5,6.5\n", nil, nil, "names the columns"},
		{"r.csv", "\"\",\"V1\",\"V2\"\n\"x1\",1,2\n\"x2\",3,4\n\"x3\",5,6.5\n", ids, nil, ""},
		{"r-table.tsv", "V1\tV2\nx1\t1\t2\nx2\t3\t4\nx3\t5\t6.5\n", ids, nil, ""},
		{"glove.txt", "x1 1 2\nx2 3 4\nx3 5 6.5\n", ids, nil, "is the id"},
		{"glove-words.txt", "1,000 1 2\n2,5 3 4\n, 5 6.5\n", []string{"1,000", "2,5", ","}, nil, ""},
		{"word2vec.txt", "3 2\nx1 1 2\nx2 3 4\nx3 5 6.5\n", ids, nil, ""},
		{"fasttext.vec", "3 2\nx1 1 2 \nx2 3 4 \nx3 5 6.5 \n", ids, nil, ""},
		{"filename.csv", "filename,f0,f1\nx1,1,2\nx2,3,4\nx3,5,6.5\n", ids, nil, ""},
		{"image-path.csv", "Image Path;f0;f1;class name\nx1;1;2;hat\nx2;3;4;shoe\nx3;5;6.5;hat\n", ids, labels, ""},
		{"split.csv", "split,a,b,label,id\ntrain,1,2,hat,x1\ntest,3,4,shoe,x2\ntrain,5,6.5,hat,x3\n", ids, labels, `column "split" left out`},
		{"price.csv", "id,price,f0,f1\nx1,99,1,2\nx2,98,3,4\nx3,97,5,6.5\n", ids, nil, `column "price" left out`},
		{"two-ids.csv", "id,filename,a,b\nx1,1.jpg,1,2\nx2,2.jpg,3,4\nx3,3.jpg,5,6.5\n", ids, nil, `"filename" left out`},
		{"label-first.csv", "hat,1,2\nshoe,3,4\nhat,5,6.5\n", nil, labels, "is the label"},
		{"lists.csv", "id,split,embedding,label\nx1,a,\"[1, 2]\",hat\nx2,a,\"[3. 4.]\",shoe\nx3,b,\"[5,\n 6.5]\",hat\n", ids, labels, `"split" left out`},
		{"lists.tsv", "id\tembedding\nx1\t[1, 2]\nx2\t[3, 4]\nx3\t[5, 6.5]\n", ids, nil, ""},
		{"bare.txt", "[1, 2]\n[3, 4]\n[5, 6.5]\n", nil, nil, ""},
		{"trailing.csv", "1,2,\n3,4,\n5,6.5,\n", nil, nil, "last column is empty"},
		{"excel.csv", "sep=;\n1;2\n3;4\n5;6.5\n", nil, nil, ""},
		{"blank.csv", "\n\n1,2\n\n3,4\n5,6.5\n\n", nil, nil, ""},
		{"no-end.csv", "1,2\r\n3,4\r\n5,6.5", nil, nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), c.name)
			if err := os.WriteFile(path, []byte(c.text), 0o644); err != nil {
				t.Fatal(err)
			}
			f := must[*File](t)(Open(path, Columns{}))
			defer f.Close()
			got := must[*content](t)(f.readAll())
			if got.Dim != 2 || !slices.Equal(got.Data, []float32{1, 2, 3, 4, 5, 6.5}) {
				t.Errorf("%d dimensions, %v", got.Dim, got.Data)
			}
			if !slices.Equal(got.ids, c.ids) || !slices.Equal(got.labels, c.labels) {
				t.Errorf("ids %q, labels %q", got.ids, got.labels)
			}
			if notes := strings.Join(f.Notes, "\n"); !strings.Contains(notes, c.note) {
				t.Errorf("notes %q, want %q", notes, c.note)
			}
		})
	}
}

// TestOddColumns: columns that are dimensions beside others of another kind are named, and those of tables of one kind are not.
func TestOddColumns(t *testing.T) {
	for header, want := range map[string]string{
		"id,lat,lon,f0,f1":      `columns "lat", "lon" are also dimensions`,
		"id,lat,lon,,":          `columns "lat", "lon" are also dimensions`,
		"id,f0,price,f1,weight": `columns "price", "weight" are also dimensions`,
		"id,lat,lon,red,green":  `columns "lat", "lon", "red", "green" are read as dimensions`,
		"id,a,b,c,price":        `columns "a", "b", "c", "price" are read as dimensions`,
		"id,a0,a1,b0,b1":        `columns "a0", "a1", "b0", "b1" are read as dimensions`,
		"id,a,price,f0,size":    `columns "a", "price", "size" are also dimensions`,
		"id,f0,f1,f2,f3":        "",
		"id,red,green,blue,ir":  `columns "red", "green", "blue", "ir" are read as dimensions`,
		"id,lat,lon,height":     "",
		"id,x,y,z":              "",
		"id,x1,x2,x3":           "",
		"id,400,400.5,401":      "",
	} {
		fields := strings.Count(header, ",")
		text := header + "\n" + strings.Repeat("a"+strings.Repeat(",1.5", fields)+"\n", 3)
		path := filepath.Join(t.TempDir(), "a.csv")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		f := must[*File](t)(Open(path, Columns{}))
		notes := strings.Join(f.Notes, "; ")
		if f.Close() != nil || f.Dim != fields || (want == "") == strings.Contains(notes, "dimensions") || !strings.Contains(notes, want) {
			t.Errorf("%s: %d dimensions, notes %q, want %q", header, f.Dim, notes, want)
		}
	}
}

// TestTextIsRefused has text that cannot be read without a guess that may be wrong: one short line says why.
func TestTextIsRefused(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"thousands.csv", "a;b\n1,234;2\n3,456;5\n", "decimal comma"},
		{"thousands2.csv", "a;b\n\"1,234.5\";2\n3;5\n", `"1,234.5" is not a number`},
		{"percent.csv", "a,b\n12.5%,3%\n1%,2%\n", `line 2, column a: "12.5%" is not a number: write it without the percent sign`},
		{"percent-comma.csv", "a;b\n12,5%;3%\n1%;2%\n", `line 2, column a: "12,5%" is not a number: write it without the percent`},
		{"percent-bare.csv", "12.5%,3%\n1%,2%\n", `line 1, column 1: "12.5%" is not a number: write it without the percent`},
		{"euros.csv", "a;b\n€12.5;€3\n€1;€2\n", `line 2, column a: "€12.5" is not a number: write it without the currency`},
		{"german.csv", "a;b\n1.234,50;2.345,60\n123,5;345,6\n", `line 2, column a: "1.234,50" has a point, and other numbers have decimal commas`},
		{"german-all.csv", "a;b\n1.234,50;2.345,60\n1.234,5;3.345,6\n", `line 2, column a: "1.234,50" is not a number: write it with a decimal point, and nothing between`},
		{"swiss.csv", "a;b\n1'234.5;2'345.6\n1'234.5;3'345.6\n", `line 2, column a: "1'234.5" is not a number: write it with a decimal point, and nothing between`},
		{"mixed.csv", "1,5;2\n3.5;4,5\n", "has a point"},
		{"numbered.csv", "0,1\n5,6\n7,9\n", "names of columns or a vector"},
		{"again.csv", "0,1\n1.5,2\n3,4.5\n0,1\n5,6\n", "line 4 repeats the names of the columns"},
		{"again-index.csv", ",0,1\n0,1.5,2\n1,3,4.5\n,0,1\n0,5,6\n", "line 4 repeats the names of the columns"},
		{"again-words.tsv", "a\tb\n1\t2\na\tb\n3\t4\n", "line 3 repeats the names of the columns"},
		{"missing.csv", "1,2\n3,\n5,6\n", "a value is missing"},
		{"na.csv", "a,b\n1,2\nNA,4\n", `"NA" is not a number`},
		{"levels.csv", ",e,e\n,0,1\na,5,6\nb,7,8\n", "line 2 has nothing in its first column"},
		{"levels2.csv", ",0,0,1\n,0,1,0\n7,5,6,1\n9,7,8,2\n", "line 1, column 1: \"\" is no number"},
		{"levels3.csv", "e,e\n0,1\n5,6\n", "line 2 counts them"},
		{"dots.csv", "id,v\na,\"[1 ... 2]\"\nb,\"[3 ... 4]\"\n", "shortens long arrays"},
		{"short.txt", "4 2\na 1 2\nb 3 4\n", "says 4 vectors, the file has 2"},
		{"utf16.csv", "\xff\xfe1\x00,\x002\x00\n\x00", "save it as UTF-8"},
		{"binary.csv", "1,2\n\x00\x00\n", "zero byte"},
		{"mac.csv", "1,2\r3,4\r", "carriage return"},
		{"words.csv", "hello\nworld\n", "no numbers"},
		{"ragged.csv", "1,2\n3,4\n5,6\n7\n", "line 4 has 1 fields"},
		{"ragged2.csv", "1,2,3\n4\n5,6\n7,8,9\n", "line 1 has 3 fields"},
		{"ragged3.csv", "1\n4,5\n5,6,7\n7,8,9,1\n", "fields"},
		{"ragged4.csv", "# a,b\n1,2\n4\n5,6,7\n", "fields"},
		{"quote.csv", "id,a,b\n\"x,1,2\ny,3,4\n", "a quoted field does not end"},
		{"empty.csv", "\xef\xbb\xbf\n\n", "empty"},
	} {
		path := filepath.Join(t.TempDir(), c.name)
		if err := os.WriteFile(path, []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := readAll(path)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) || len(err.Error()) > len(path)+200 || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want one short line with %q", c.name, err, c.want)
		}
	}
}

// TestLabelsOfTables reads labels from text.
func TestLabelsOfTables(t *testing.T) {
	want := []string{"hat", "shoe", "hat"}
	for name, text := range map[string]string{
		"a.txt": "hat\nshoe\nhat\n", "bom.txt": "\xef\xbb\xbfhat\nshoe\nhat\n", "b.csv": "hat\nshoe\nhat\n",
		"c.csv": "label\nhat\nshoe\nhat\n", "pandas.csv": ",label\n0,hat\n1,shoe\n2,hat\n", "series.csv": ",0\n0,hat\n1,shoe\n2,hat\n",
		"ids.csv": "filename;category\na.jpg;hat\nb.jpg;shoe\nc.jpg;hat\n", "two.tsv": "a.jpg\that\nb.jpg\tshoe\nc.jpg\that\n",
		"bom.csv": "\xef\xbb\xbflabel,split\nhat,a\nshoe,a\nhat,b\n",
	} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if got, err := ReadLabels(path); err != nil || !slices.Equal(got.Labels, want) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	path := filepath.Join(t.TempDir(), "again.csv")
	if err := os.WriteFile(path, []byte("id,label\na,hat\nid,label\nb,shoe\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadLabels(path); err == nil || !strings.Contains(err.Error(), "line 3 repeats the names of the columns") {
		t.Errorf("names again: %v", err)
	}
}

// TestLabelsOfOtherRows: labels that say of which rows they are, in another order than the vectors, are refused.
func TestLabelsOfOtherRows(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		name, text string
		ids        string // of the vectors; empty if they have none
		want       string // in the error; empty for none
	}{
		{"same.csv", "id,label\na,hat\nb,shoe\nc,hat\n", "abc", ""},
		{"swapped.csv", "id,label\na,hat\nc,shoe\nb,hat\n", "abc", `row 1 is of "c", and the vector of that row is "b"`},
		{"others.csv", "filename,label\n1.jpg,hat\n2.jpg,shoe\n3.jpg,hat\n", "abc", ""},
		{"no-names.csv", "c,hat\nb,shoe\na,hat\n", "abc", `row 0 is of "c"`},
		{"index.csv", ",label\n0,hat\n1,shoe\n2,hat\n", "210", ""},
		{"id.csv", "id,label\n0,hat\n1,shoe\n2,hat\n", "210", `row 0 is of "0"`},
		{"shuffled.csv", ",label\n2,hat\n0,shoe\n1,hat\n", "", `row 1 is marked "0", after "2"`},
		{"from-one.csv", "id,label\n1,hat\n2,shoe\n3,hat\n", "", ""},
		{"of-a-shop.csv", "id,label\n9,hat\n4,shoe\n7,hat\n", "", ""},
		{"alike.csv", "id,label\n1,hat\n1,shoe\n0,hat\n", "", ""},
		{"longer.csv", "id,label\na,hat\n", "abc", ""}, // told by its number of lines
	} {
		path := filepath.Join(dir, c.name)
		if err := os.WriteFile(path, []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		labels := must[*Labels](t)(ReadLabels(path))
		err := labels.Of(3, func(row int) string { return c.ids[row : row+1] }, c.ids != "")
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// TestColumnsThatAreNoDimensions: row numbers, points and signs that are none of ASCII's are read as people mean them, and a
// column that may be a label is named.
func TestColumnsThatAreNoDimensions(t *testing.T) {
	var counted, named, classes, digits, points strings.Builder
	named.WriteString("nr,a,b\n")
	points.WriteString("x,y,label\n")
	for i := range 20 {
		fmt.Fprintf(&counted, "%d,%d,%d\n", i, i*i%7, (i+3)%5)
		fmt.Fprintf(&named, "%d,%d.5,%d.25\n", i, i%7, i%5)
		fmt.Fprintf(&classes, "%d.5,%d.25,%d\n", i, i%7, i%3)
		fmt.Fprintf(&digits, "%d,%d,%d,0\n", i%5, i*37%256, i*91%256)
		fmt.Fprintf(&points, "%d.5,%d.25,hat\n", i, i%7)
	}
	for _, c := range []struct {
		name, text string
		dim        int
		id         string // of the second row
		note       string
	}{
		{"counted.csv", counted.String(), 2, "1", "column 1, which counts 0, 1, ..., is row numbers"},
		{"named.csv", named.String(), 2, "1", `column "nr", which counts 0, 1, ..., is row numbers`},
		{"classes.csv", classes.String(), 3, "", "column 3 has only the whole numbers 0 to 2 and is read as a dimension: if it is a label"},
		{"digits.csv", digits.String(), 4, "", "column 1 has only the whole numbers 0 to 4"},
		{"points.csv", points.String(), 2, "", ""},
		{"array.csv", "id,embedding\na,\"{1,2.5}\"\nb,\"{3,4}\"\n", 2, "b", ""},
	} {
		path := filepath.Join(t.TempDir(), c.name)
		if err := os.WriteFile(path, []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		f := must[*File](t)(Open(path, Columns{}))
		got := must[*content](t)(f.readAll())
		id := ""
		if got.ids != nil {
			id = got.ids[1]
		}
		if notes := strings.Join(f.Notes, "; "); f.Dim != c.dim || id != c.id || !strings.Contains(notes, c.note) || c.note == "" && notes != "" {
			t.Errorf("%s: %d dimensions, id %q, notes %q", c.name, f.Dim, id, notes)
		}
		f.Close()
	}
	path := filepath.Join(t.TempDir(), "minus.csv")
	if err := os.WriteFile(path, []byte("a,b\n\u22120.5,1\n\u22120.25,2\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := readAll(path); err == nil || !strings.Contains(err.Error(), "line 2, column a: \"\u22120.5\" is not a number") {
		t.Errorf("a minus sign of Unicode: %v", err)
	}
}

// TestPointsBetweenThousands names numbers whose points may stand between thousands, and only those.
func TestPointsBetweenThousands(t *testing.T) {
	for text, want := range map[string]bool{
		"a;b\n27.007;-12\n1.234;5.006\n":  true,
		"a;b\n27.007;-12\n0.234;5.006\n":  false,
		"a;b\n27.007;-12\n1.2345;5.006\n": false,
		"a,b\n27.007,-12\n1.234,5.006\n":  false,
		"a;b\n27;-12\n1;5\n":              false,
	} {
		path := filepath.Join(t.TempDir(), "a.csv")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		f := must[*File](t)(Open(path, Columns{}))
		defer f.Close()
		if got := strings.Contains(strings.Join(f.Notes, "\n"), "between thousands"); got != want {
			t.Errorf("%q: notes %q", text, f.Notes)
		}
	}
}
