package vecfile

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
)

// TestDamagedParquetTakesLittle writes long lengths at each place of small files: reading them takes
// no more memory than such a file bears out.
func TestDamagedParquetTakesLittle(t *testing.T) {
	table := filepath.Join(t.TempDir(), "table.parquet")
	for _, name := range []string{"arrow-none-1.parquet", "arrow-none-2.parquet"} {
		whole, err := os.ReadFile(filepath.Join(corpus, name))
		if err != nil {
			t.Fatal(err)
		}
		for at := range whole {
			for _, value := range [][]byte{{0xff}, {0xfe, 0xff, 0xff, 0xff, 0x0f}} { // the second is a run of 2^31 - 1
				b := bytes.Clone(whole)
				copy(b[at:], value)
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				if f, err := read(&input{bytes.NewReader(b), int64(len(b)), name}, Columns{}); err == nil {
					_, _ = f.readAll()
					f.Close()
				}
				if err := os.WriteFile(table, b, 0o600); err != nil {
					t.Fatal(err)
				}
				_, _, _ = ReadParquetColumns(table)
				runtime.ReadMemStats(&after)
				if took := after.TotalAlloc - before.TotalAlloc; took > 64<<20 {
					t.Errorf("%s with %x at byte %d: %d MiB", name, value, at, took>>20)
				}
			}
		}
	}
}

func TestRuns(t *testing.T) {
	run := func(n uint64, width int) []byte {
		return append(binary.AppendUvarint(nil, n<<1), make([]byte, (width+7)/8)...)
	}
	packed := append(binary.AppendUvarint(nil, 3<<1|1), 1, 2, 3) // 3 groups of 8 bits
	for _, c := range []struct {
		name  string
		data  []byte
		n     int
		sound bool
	}{
		{"none", nil, 0, true},
		{"a run", run(500, 1), 500, true},
		{"a run and groups", append(run(500, 1), packed...), 520, true},
		{"a run that is too long", run(1<<31, 1), 500, false},
		{"many runs", bytes.Repeat(run(400, 1), 100), 500, false},
		{"a group that is too long", binary.AppendUvarint(nil, 1<<40|1), 500, false},
		{"a head that does not end", []byte{0xff, 0xff}, 500, false},
	} {
		if got := runs(c.data, 1, c.n); got != c.sound {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// TestColumnsOfOneName: of two columns of one name the library would read one twice, of vectors and of attributes.
func TestColumnsOfOneName(t *testing.T) {
	type row struct {
		A string `parquet:"colour_a"`
		B string `parquet:"colour_b"`
	}
	var b bytes.Buffer
	if err := parquet.Write(&b, []row{{"red", "blue"}}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "twins.parquet")
	if err := os.WriteFile(path, bytes.ReplaceAll(b.Bytes(), []byte("colour_b"), []byte("colour_a")), 0o600); err != nil {
		t.Fatal(err)
	}
	const want = `two columns are called "colour_a"`
	if _, err := Open(path, Columns{}); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("vectors: %v", err)
	}
	if _, _, err := ReadParquetColumns(path); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("attributes: %v", err)
	}
}

// TestParquetStruct finds vectors, labels and ids that are fields of a struct, by their own names and by those of both.
func TestParquetStruct(t *testing.T) {
	type item struct {
		Key    string    `parquet:"id"`
		Label  string    `parquet:"label"`
		Colour string    `parquet:"colour"`
		Vector []float32 `parquet:"vector,list"`
	}
	type row struct {
		Item item      `parquet:"item"`
		Box  []float32 `parquet:"box"`
	}
	path := filepath.Join(t.TempDir(), "a.parquet")
	rows := []row{{item{"x", "hat", "red", []float32{1, 2}}, []float32{7}}, {item{"y", "shoe", "blue", []float32{3, 4}}, []float32{8}}}
	if err := parquet.WriteFile(path, rows); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		columns Columns
		labels  []string
		left    string
	}{
		{Columns{}, []string{"hat", "shoe"}, `"item.colour" left out`},
		{Columns{Vectors: "item.vector", Labels: "item.colour", IDs: "item.id"}, []string{"red", "blue"}, `"item.label" left out`},
	} {
		f := must[*File](t)(Open(path, c.columns))
		got := must[*content](t)(f.readAll())
		if !slices.Equal(got.Data, []float32{1, 2, 3, 4}) || !slices.Equal(got.labels, c.labels) || !slices.Equal(got.ids, []string{"x", "y"}) {
			t.Errorf("%+v: %v, labels %q, ids %q", c.columns, got.Data, got.labels, got.ids)
		}
		if notes := strings.Join(f.Notes, "; "); !strings.Contains(notes, c.left) {
			t.Errorf("%+v: %s", c.columns, notes)
		}
		f.Close()
	}
}
