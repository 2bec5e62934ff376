package vecfile

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"annbench/indexes/vec"
)

func TestMatrixRoundTrip(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		m := vec.NewMatrix(rapid.IntRange(0, 20).Draw(t, "rows"), rapid.IntRange(1, 9).Draw(t, "dim"))
		for i := range m.Data {
			m.Data[i] = rapid.Float32().Draw(t, "x")
		}
		path := filepath.Join(dir, "m.npy")
		if err := WriteArray(path, m.Data, m.Dim); err != nil { // over the one before
			t.Fatal(err)
		}
		got, err := MapMatrix(path)
		if err != nil {
			t.Fatal(err)
		}
		if got.Rows != m.Rows || got.Dim != m.Dim || !bytes.Equal(memory(got.Data), memory(m.Data)) {
			t.Fatalf("%v, want %v", got.Matrix, m)
		}
		if err := got.Close(); err != nil {
			t.Fatal(err)
		}
		if err := got.Close(); err != nil {
			t.Fatalf("second Close: %v", err)
		}
	})
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("%v left behind (%v)", entries, err)
	}
}

func TestWriteArrayRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.npy")
	for _, row := range []int{-1, 2} {
		if err := WriteArray(path, make([]float32, 3), row); err == nil {
			t.Errorf("3 values in rows of %d were written", row)
		}
	}
}

func roundTrip[T Number](t *testing.T, values []T, row int) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.npy")
	w, err := CreateArray[T](path, row, nil)
	if err != nil {
		t.Fatal(err)
	}
	step := max(row, 1)
	for i := 0; i < len(values); i += step { // row by row
		if err := w.Write(values[i : i+step]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	dims, shape := 1, []int{len(values)}
	if row > 0 {
		dims, shape = 2, []int{len(values) / row, row}
	}
	a, err := MapArray[T](path, dims)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if !slices.Equal(a.Data, values) || !slices.Equal(a.Shape, shape) {
		t.Errorf("%v of shape %v, want %v of %v", a.Data, a.Shape, values, shape)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if h, err := parseNPY(b); err != nil || h.data%npyAlign != 0 {
		t.Errorf("the values begin at byte %d (%v)", h.data, err)
	}
}

func TestArrayRoundTrip(t *testing.T) {
	roundTrip(t, []int32{1, -2, math.MaxInt32, math.MinInt32}, 0)
	roundTrip(t, []int32{1, 2, 3, 4, 5, 6}, 3)
	roundTrip(t, []int32{}, 0)
	roundTrip(t, []float64{1.5, -0.25, math.MaxFloat64, math.Inf(-1)}, 2)
	roundTrip(t, []float32{1.5, -0.25}, 1)
}

// npy makes a file of version 1.0 with this dictionary, padded to a multiple of pad bytes.
func npy(dict string, pad int, values ...byte) []byte {
	n := 10 + len(dict) + 1
	length := (n+pad-1)/pad*pad - 10
	b := binary.LittleEndian.AppendUint16([]byte("\x93NUMPY\x01\x00"), uint16(length))
	b = append(b, dict+strings.Repeat(" ", length-len(dict)-1)+"\n"...)
	return append(b, values...)
}

func TestMapMatrixReadsWhatOthersWrite(t *testing.T) {
	values := memory([]float32{1, 2, 3, 4, 5, 6})
	if !littleEndian {
		t.Skip("the values of this test are in the byte order of the machine")
	}
	version2 := npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }", 64)
	version2 = append(binary.LittleEndian.AppendUint32([]byte("\x93NUMPY\x02\x00"), uint32(len(version2)-10)), version2[10:]...)
	for name, b := range map[string][]byte{
		"NumPy":          npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }", 64, values...),
		"old NumPy":      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }", 16, values...),
		"odd address":    npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }", 7, values...),
		"Python 2":       npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3L, 2L), }", 16, values...),
		"other writers":  npy(`{"shape":(3,2),"fortran_order":False,"descr":"<f4"}`, 16, values...),
		"version 2":      append(version2, values...),
		"spaces, breaks": npy("{ 'descr' :\t'<f4' ,\n 'fortran_order' : False , 'shape' : ( 3 , 2 , ) }  ", 1, values...),
	} {
		path := filepath.Join(t.TempDir(), "x.npy")
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		m, err := MapMatrix(path)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if m.Rows != 3 || m.Dim != 2 || !slices.Equal(m.Data, []float32{1, 2, 3, 4, 5, 6}) {
			t.Errorf("%s: %+v", name, m.Matrix)
		}
		if err := m.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMapMatrixRefuses(t *testing.T) {
	dict := func(descr, order, shape string) string {
		return fmt.Sprintf("{'descr': %s, 'fortran_order': %s, 'shape': %s, }", descr, order, shape)
	}
	good := npy(dict("'<f4'", "False", "(2, 3)"), 64, make([]byte, 24)...)
	lying := func(shape string) []byte {
		return npy(dict("'<f4'", "False", shape), 64, make([]byte, 24)...)
	}
	cut := func(b []byte, n int) []byte { return b[:n:n] }
	long := slices.Clone(good)
	binary.LittleEndian.PutUint16(long[8:], 60000)
	longer := slices.Clone(good)
	longer[6] = 2
	binary.LittleEndian.PutUint32(longer[8:], 1<<31)
	version := slices.Clone(good)
	version[6] = 9
	for _, c := range []struct {
		name   string
		file   []byte
		reason string
	}{
		{"empty", nil, "byte 0: not a .npy file"},
		{"foreign", []byte("PK\x03\x04 something else"), "byte 0: not a .npy file"},
		{"magic only", cut(good, 6), "byte 6: the file ends within its header"},
		{"cut in the header", cut(good, 40), "byte 40: the file ends within its header, which should have 118 bytes"},
		{"cut in the values", cut(good, 150), "byte 150: the file ends too early: its header speaks of shape [2 3], which takes 24 bytes, and there are 22"},
		{"no values", cut(good, 128), "which takes 24 bytes, and there are 0"},
		{"goes on", append(slices.Clone(good), 1, 2, 3), "byte 152: the file goes on for 3 bytes after the last value"},
		{"version 9", version, "byte 6: version 9.0"},
		{"a long header", long, "ends within its header, which should have 60000 bytes"},
		{"a header of gigabytes", longer, "byte 8: a header of 2147483648 bytes"},
		{"more rows than bytes", lying("(1000000000000, 512)"), "which takes 2048000000000000 bytes, and there are 24"},
		{"rows that overflow", lying("(4611686018427387904, 4)"), "more values than any file"},
		{"rows that overflow to little", lying("(9223372036854775807, 9223372036854775807)"), "more values than any file"},
		{"a count that no integer holds", lying("(99999999999999999999, 3)"), "byte 61: the header is damaged"},
		{"negative", lying("(-2, 3)"), "the header is damaged"},
		{"one dimension", lying("(6,)"), "the array has 1 dimensions (shape [6]), it must have 2"},
		{"no dimension", lying("()"), "0 dimensions"},
		{"three", lying("(1, 2, 3)"), "3 dimensions"},
		{"no components", npy(dict("'<f4'", "False", "(2, 0)"), 64), "vectors of 0 dimensions"},
		{"float64", npy(dict("'<f8'", "False", "(1, 3)"), 64, make([]byte, 24)...), "the values are float64, they must be float32; in Python"},
		{"big endian", npy(dict("'>f4'", "False", "(2, 3)"), 64, make([]byte, 24)...), "the values are big-endian float32"},
		{"unknown type", npy(dict("'<c16'", "False", "(2, 3)"), 64, make([]byte, 24)...), `the values are "<c16"`},
		{"columns", npy(dict("'<f4'", "True", "(2, 3)"), 64, make([]byte, 24)...), "Fortran order"},
		{"structures", npy(dict("[('a', '<f4')]", "False", "(6,)"), 64, make([]byte, 24)...), "byte 20: rows are structures"},
		{"no shape", npy("{'descr': '<f4', 'fortran_order': False}", 64), "lacks one of"},
		{"twice", npy("{'descr': '<f4', 'descr': '<f4'}", 64), `byte 27: the header has the key "descr" twice`},
		{"unknown key", npy("{'descr': '<f4', 'more': 1}", 64), `a key "more"`},
		{"no dictionary", npy("hello", 64), "byte 10: the header is damaged: '{' should stand here"},
		{"a quote that does not end", npy("{'descr", 64), "does not end"},
		{"neither true nor false", npy(dict("'<f4'", "Maybe", "(2, 3)"), 64), "True or False"},
		{"more after the brace", npy(dict("'<f4'", "False", "(2, 3)")+"x", 64), "goes on after its last brace"},
		{"no end", npy("{'descr': '<f4'", 64), "'}' should stand here"},
	} {
		path := filepath.Join(t.TempDir(), "x.npy")
		if err := os.WriteFile(path, c.file, 0o644); err != nil {
			t.Fatal(err)
		}
		m, err := MapMatrix(path)
		if err == nil {
			t.Errorf("%s: read as %d × %d", c.name, m.Rows, m.Dim)
			continue
		}
		if !strings.Contains(err.Error(), c.reason) || !strings.HasPrefix(err.Error(), path+": ") {
			t.Errorf("%s: error %q, want %q", c.name, err, c.reason)
		}
	}
	if _, err := MapMatrix(t.TempDir()); err == nil {
		t.Error("a folder was read")
	}
	if _, err := MapMatrix(filepath.Join(t.TempDir(), "none.npy")); err == nil {
		t.Error("a missing file was read")
	}
}

// NumPy reads what is written here, and what it writes is read here.
func TestNumPy(t *testing.T) {
	if out, err := exec.Command("python3", "-c", "import numpy").CombinedOutput(); err != nil {
		t.Skipf("no NumPy to compare with: %v %s", err, bytes.TrimSpace(out))
	}
	dir := t.TempDir()
	m := vec.Matrix{Data: []float32{1, -2.5, 3e-30, 4e30, 0, 6}, Rows: 3, Dim: 2}
	if err := WriteArray(filepath.Join(dir, "go.npy"), m.Data, m.Dim); err != nil {
		t.Fatal(err)
	}
	if err := writeArray(filepath.Join(dir, "go-i4.npy"), []int32{1, -2, 3}, 0); err != nil {
		t.Fatal(err)
	}
	if err := writeArray(filepath.Join(dir, "go-f8.npy"), []float64{1, -2, 3, 4}, 2); err != nil {
		t.Fatal(err)
	}
	script := `
import numpy as np
a = np.load("go.npy")
assert a.dtype == np.float32 and a.shape == (3, 2), (a.dtype, a.shape)
assert a.tobytes() == np.array([[1, -2.5], [3e-30, 4e30], [0, 6]], np.float32).tobytes(), a
b = np.load("go-i4.npy", mmap_mode="r")
assert b.dtype == np.int32 and b.tolist() == [1, -2, 3], b
c = np.load("go-f8.npy")
assert c.dtype == np.float64 and c.tolist() == [[1, -2], [3, 4]], c
np.save("np.npy", a)
np.save("np-i4.npy", b)
np.save("np-f8.npy", c)
np.save("np-t.npy", a.T)
np.save("np-f2.npy", a[:, :1].astype(np.float16))
`
	cmd := exec.Command("python3", "-c", script)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	got, err := MapMatrix(filepath.Join(dir, "np.npy"))
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	if !slices.Equal(got.Data, m.Data) || got.Rows != 3 {
		t.Errorf("%v, want %v", got.Matrix, m)
	}
	i4, err := MapArray[int32](filepath.Join(dir, "np-i4.npy"), 1)
	if err != nil || !slices.Equal(i4.Data, []int32{1, -2, 3}) {
		t.Errorf("%v %v", i4, err)
	}
	defer i4.Close()
	f8, err := MapArray[float64](filepath.Join(dir, "np-f8.npy"), 2)
	if err != nil || !slices.Equal(f8.Data, []float64{1, -2, 3, 4}) {
		t.Errorf("%v %v", f8, err)
	}
	defer f8.Close()
	for _, name := range []string{"np-t.npy", "np-f2.npy", "np-i4.npy", "np-f8.npy"} {
		if _, err := MapMatrix(filepath.Join(dir, name)); err == nil {
			t.Errorf("%s was read as vectors", name)
		}
	}
}

// Whatever a file holds, its header is refused or every value that it speaks of is there.
func FuzzNPY(f *testing.F) {
	f.Add(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", 64, make([]byte, 24)...))
	f.Add(npy("{'descr': '<i4', 'fortran_order': True, 'shape': (6L,), }", 16, make([]byte, 24)...))
	f.Add(npy("{'descr': '<f8', 'fortran_order': False, 'shape': (9223372036854775807, 2)}", 16))
	f.Add(npy(`{"descr": [("a", "<f4")], "fortran_order": False, "shape": ()}`, 16))
	f.Add([]byte("\x93NUMPY\x02\x00\xff\xff\xff\xff{'descr': '"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := parseNPY(b[:min(len(b), npyMaxHead)])
		if err != nil {
			return
		}
		if h.data < 10 || h.data > int64(len(b)) {
			t.Fatalf("the values of %d bytes begin at %d", len(b), h.data)
		}
		check := func(n int, width int, err error) {
			if err == nil && (n < 0 || n*width != len(b)-int(h.data)) {
				t.Fatalf("%d values of %d bytes in %d", n, width, len(b)-int(h.data))
			}
		}
		for dims := range 4 {
			n, err := checkNPY[float32](h, dims, int64(len(b)))
			check(n, 4, err)
			n, err = checkNPY[int32](h, dims, int64(len(b)))
			check(n, 4, err)
			n, err = checkNPY[float64](h, dims, int64(len(b)))
			check(n, 8, err)
		}
		path := filepath.Join(t.TempDir(), "x.npy")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if m, err := MapMatrix(path); err == nil {
			var sum float32
			for i := range m.Rows {
				sum += m.Row(i)[m.Dim-1] // mapped to the last value
			}
			_ = sum
			if err := m.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// Zip archives of other writers are named, not searched for arrays.
func TestOtherArchives(t *testing.T) {
	for want, names := range map[string][]string{
		"a sparse matrix of SciPy": {"indices.npy", "indptr.npy", "format.npy", "shape.npy", "data.npy"},
		"Excel workbook":           {"[Content_Types].xml", "xl/workbook.xml"},
	} {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for _, name := range names {
			must[io.Writer](t)(z.Create(name))
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "x.npz")
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := readAll(path); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestLabelsThatAreNoText(t *testing.T) {
	path := filepath.Join(t.TempDir(), "labels.bin")
	if err := os.WriteFile(path, []byte("PAR1\x15\x00\x04\nhat\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadLabels(path); err == nil || !strings.Contains(err.Error(), path+" is no text") {
		t.Errorf("%+v, %v", got, err)
	}
}
