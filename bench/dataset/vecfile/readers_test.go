package vecfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"pgregory.net/rapid"

	"annbench/indexes/vec"
)

// content is all that a file holds.
type content struct {
	vec.Matrix
	labels, ids []string
	queries     *content
	neighbors   [][]int32
}

// readAll reads the file at path in small blocks.
func readAll(path string) (*content, error) {
	f, err := Open(path, Columns{})
	if err != nil {
		return nil, err
	}
	defer f.Close()
	c, err := f.readAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if f.Neighbors == nil {
		return c, nil
	}
	for {
		row := make([]int32, f.Neighbors.K)
		if _, err := f.Neighbors.Rows.Ints(row); errors.Is(err, io.EOF) {
			return c, nil
		} else if err != nil {
			return nil, err
		}
		c.neighbors = append(c.neighbors, row)
	}
}

func (f *File) readAll() (*content, error) {
	c := &content{}
	c.Dim = f.Dim
	block := make([]float32, 7*f.Dim)
	for {
		n, err := f.Rows.Next(block)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		c.Data = append(c.Data, block[:n*f.Dim]...)
		for row := c.Rows; row < c.Rows+n; row++ {
			if f.Label != nil {
				c.labels = append(c.labels, f.Label(row))
			}
			if f.ID != nil {
				c.ids = append(c.ids, f.ID(row))
			}
		}
		c.Rows += n
	}
	if f.Count >= 0 && c.Rows != f.Count {
		return nil, fmt.Errorf("%d rows, %d were announced", c.Rows, f.Count)
	}
	if f.Queries != nil {
		var err error
		if c.queries, err = f.Queries.readAll(); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// python runs a script with h5py and NumPy in dir, or skips. ANNBENCH_H5PY=required makes it an error that
// they are missing.
func python(t testing.TB, dir, script string) {
	t.Helper()
	const name = "/usr/bin/python3"
	if out, err := exec.Command(name, "-c", "import h5py, numpy").CombinedOutput(); err != nil {
		if os.Getenv("ANNBENCH_H5PY") == "required" {
			t.Fatalf("no Python with h5py and NumPy: %v %s", err, bytes.TrimSpace(out))
		}
		t.Skipf("no Python with h5py and NumPy (python3-h5py): %v %s", err, bytes.TrimSpace(out))
	}
	cmd := exec.Command(name, "-c", script)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// TestReadersAgreeWithNumPy reads what h5py and NumPy wrote, against the same values as a plain .npy
// file.
func TestReadersAgreeWithNumPy(t *testing.T) {
	dir := t.TempDir()
	python(t, dir, `
import h5py, numpy as np
r = np.random.RandomState(0)
x = (r.randn(1003, 24) * 50)
def want(name, a): np.save('want-' + name + '.npy', np.ascontiguousarray(a.astype('<f4')))
for d in ['<f2', '<f4', '<f8', '>f4', '>f8', '|u1', '|i1', '<i2', '<u2', '<i4', '<u4', '<i8', '<u8', '>i4']:
    a = (np.abs(x) if 'u' in d else x).astype(d)
    for order in 'CF':
        n = d[1:] + ('b' if d[0] == '>' else 'l') + order
        np.save(n + '.npy', np.asarray(a, order=order)); want(n + '.npy', a)
f = x.astype('f4')
np.savez('plain.npz', f); want('plain.npz', f)
np.savez_compressed('packed.npz', other=np.zeros(3), embeddings=np.asarray(x, order='F')); want('packed.npz', x)
for n, kw, lib in [('contiguous', {}, None), ('chunks', dict(chunks=(64, 10)), None), ('gzip', dict(chunks=(100, 24), compression='gzip', shuffle=True), None),
        ('lzf', dict(chunks=(100, 7), compression='lzf'), None), ('latest', {}, 'latest'), ('fletcher', dict(chunks=(999, 24), fletcher32=True), None),
        ('odd', dict(dtype='i1', chunks=(333, 23), fletcher32=True), None), ('double', dict(dtype='f8'), None), ('half', dict(dtype='f2', chunks=True), None), ('bytes', dict(dtype='u1', compression=9), None), ('grown', dict(maxshape=(None, 24)), None),
        ('columns', dict(chunks=(1003, 1), compression='gzip'), None)]:
    a = np.abs(f) if n == 'bytes' else f
    with h5py.File(n + '.hdf5', 'w', libver=lib) as h:
        h.attrs['distance'] = 'euclidean'
        h.create_dataset('train', data=a.astype(kw.pop('dtype', 'f4')), **kw)
        a = h['train'][:]
    want(n + '.hdf5', a)
def vecs(name, a):
    h = np.full((len(a), 1), a.shape[1], '<i4').view('u1').reshape(len(a), 4)
    np.hstack([h, np.ascontiguousarray(a).view('u1').reshape(len(a), -1)]).tofile(name); want(name, a)
vecs('a.fvecs', f); vecs('a.bvecs', np.abs(f).astype('u1')); vecs('a.ivecs', f.astype('<i4'))
def bins(name, a):
    with open(name, 'wb') as o: np.array(a.shape, '<u4').tofile(o); a.tofile(o)
    want(name, a)
bins('a.fbin', f); bins('a.f16bin', x.astype('<f2')); bins('a.u8bin', np.abs(f).astype('u1')); bins('a.i8bin', f.astype('i1')); bins('a.ibin', f.astype('<i4'))
np.savetxt('a.csv', f, delimiter=',', fmt='%.9g'); want('a.csv', f)
np.savetxt('a.tsv', f, delimiter='\t', fmt='%.9g', header='\t'.join('d%d' % i for i in range(24)), comments=''); want('a.tsv', f)
`)
	wants, err := filepath.Glob(filepath.Join(dir, "want-*"))
	if err != nil || len(wants) < 40 {
		t.Fatalf("%d files, %v", len(wants), err)
	}
	for _, w := range wants {
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(w), "want-"), ".npy")
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, name)
			c := must[*content](t)(readAll(path))
			m := must[*Mapped](t)(MapMatrix(w))
			defer m.Close()
			if c.Rows != m.Rows || c.Dim != m.Dim {
				t.Fatalf("%d × %d, want %d × %d", c.Rows, c.Dim, m.Rows, m.Dim)
			}
			if !slices.Equal(c.Data, m.Data) {
				for i := range m.Data {
					if c.Data[i] != m.Data[i] {
						t.Fatalf("row %d, dimension %d: %v, want %v", i/m.Dim, i%m.Dim, c.Data[i], m.Data[i])
					}
				}
			}
			if strings.HasSuffix(name, ".hdf5") {
				f := must[*File](t)(Open(path, Columns{}))
				defer f.Close()
				if metric, _ := f.Metric(); metric != vec.L2 {
					t.Errorf("metric %q, want l2", metric)
				}
			}
		})
	}
}

// TestAnnBenchmarksFile reads a whole file of ann-benchmarks: queries, neighbours and the metric.
func TestAnnBenchmarksFile(t *testing.T) {
	dir := t.TempDir()
	python(t, dir, `
import h5py, numpy as np
r = np.random.RandomState(1)
train, test = r.randn(300, 8).astype('f4'), r.randn(20, 8).astype('f4')
a = train / np.linalg.norm(train, axis=1, keepdims=True); b = test / np.linalg.norm(test, axis=1, keepdims=True)
near = np.argsort(1 - b @ a.T, axis=1)[:, :10]
for name, kw in [('plain', {}), ('packed', dict(compression='gzip'))]:
    with h5py.File(name + '.hdf5', 'w') as f:
        f.attrs['type'] = 'dense'; f.attrs['distance'] = 'angular'; f.attrs['dimension'] = 8
        f.create_dataset('train', data=train, **kw); f.create_dataset('test', data=test, **kw)
        f.create_dataset('neighbors', data=near.astype('i4'), **kw)
        f.create_dataset('distances', data=np.take_along_axis(1 - b @ a.T, near, 1))
np.save('test.npy', test); np.save('near.npy', near.astype('i4'))
`)
	test := must[*Mapped](t)(MapMatrix(filepath.Join(dir, "test.npy")))
	defer test.Close()
	near := must[*Array[int32]](t)(MapArray[int32](filepath.Join(dir, "near.npy"), 2))
	defer near.Close()
	for _, name := range []string{"plain.hdf5", "packed.hdf5"} {
		path := filepath.Join(dir, name)
		c := must[*content](t)(readAll(path))
		if c.Rows != 300 || c.Dim != 8 || c.queries == nil || !slices.Equal(c.queries.Data, test.Data) {
			t.Fatalf("%s: %d × %d and queries %v", name, c.Rows, c.Dim, c.queries)
		}
		if !slices.Equal(slices.Concat(c.neighbors...), near.Data) {
			t.Errorf("%s: other neighbours", name)
		}
		f := must[*File](t)(Open(path, Columns{}))
		defer f.Close()
		if metric, word := f.Metric(); metric != vec.Cosine || word != "" {
			t.Errorf("%s: metric %q, word %q", name, metric, word)
		}
	}
}

func TestTablesWithLabels(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"named.csv":   "id,label,a,b\nx1,hat,1,2\nx2,shoe,3,4\n",
		"last.csv":    "1,2,hat\n3,4,shoe\n",
		"list.csv":    "id,embedding,category\nx1,\"[1, 2]\",hat\nx2,\"[3,4]\",shoe\n",
		"tabs.tsv":    "label\ta\tb\nhat\t1\t2\nshoe\t3\t4\n",
		"spaced.csv":  "a, b, category\n1, 2, hat\n3, 4, shoe\n",
		"windows.csv": "a,b,label\r\n1,2,hat\r\n3,4,shoe\r\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		c := must[*content](t)(readAll(path))
		if !slices.Equal(c.Data, []float32{1, 2, 3, 4}) || c.Dim != 2 || !slices.Equal(c.labels, []string{"hat", "shoe"}) {
			t.Errorf("%s: %v %+v", name, c.Matrix, c.labels)
		}
		if strings.Contains(text, "x1") && !slices.Equal(c.ids, []string{"x1", "x2"}) {
			t.Errorf("%s: %+v", name, c.ids)
		}
	}
}

func TestWrongFilesNameThePlace(t *testing.T) {
	le := func(v ...any) []byte {
		var b bytes.Buffer
		for _, x := range v {
			binary.Write(&b, binary.LittleEndian, x)
		}
		return b.Bytes()
	}
	for _, c := range []struct {
		name string
		b    []byte
		want string
	}{
		{"a.fvecs", nil, "empty"},
		{"b.fvecs", le(int32(2), float32(1), float32(2), int32(3), float32(1), float32(2)), "byte 12: row 1 says it has 3 dimensions"},
		{"c.fvecs", le(int32(2), float32(1), float32(2), int32(2), float32(1)), "byte 12: the file ends within row 1"},
		{"d.fvecs", le(int32(1<<30), float32(1)), "1073741824 dimensions"},
		{"big.fvecs", []byte("\x00\x00\x00\x01\x3f\x80\x00\x00\x00\x00\x00\x01\x40\x00\x00\x00"), "its numbers are big-endian (the first vector has 1 dimensions so)"},
		{"big256.fvecs", bytes.Repeat(slices.Concat([]byte("\x00\x00\x01\x00"), make([]byte, 1024)), 256), ">i4"}, // 65,536 of little-endian
		{"big.bvecs", []byte("\x00\x00\x00\x02ab\x00\x00\x00\x02cd"), "big-endian"},
		{"e.fbin", le(uint32(1<<31), uint32(1<<31)), "more than"},
		{"f.fbin", le(uint32(3), uint32(2), float32(1)), "ends too early"},
		{"g.fbin", le(uint32(1), uint32(1), float32(1), float32(2)), "goes on for 4 bytes"},
		{"h.npy", []byte("hello"), "not a .npy file"},
		{"i.csv", []byte("1,2\n3,x\n"), `line 2, column 2: "x" is not a number`},
		{"j.csv", []byte("1,2\n3\n"), "line 2"},
		{"k.csv", []byte("1,1e300\n"), "too large for a float32"},
		{"l.hdf5", []byte("hello"), "not an HDF5 file"},
		{"m.parquet", []byte("hello, hello, hello"), "PAR1"},
		{"m2.parquet", []byte("PARE\x00\x00\x00\x00\x00\x00\x00\x00\x04\x00\x00\x00PARE"), "the file is encrypted"},
		{"n.npz", []byte("hello"), "not a .npz file"},
		{"o.jpg", []byte("hello"), "known are .hdf5"},
		{"p.csv", nil, "empty"},
	} {
		path := filepath.Join(t.TempDir(), c.name)
		if err := os.WriteFile(path, c.b, 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := readAll(path)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want one line with %q", c.name, err, c.want)
		}
	}
}

func TestHalvesAreExact(t *testing.T) {
	for h := range 1 << 16 {
		sign, exp, frac := float64(1-2*(h>>15)), h>>10&31, float64(h&1023)
		want := sign * math.Ldexp(1+frac/1024, exp-15)
		switch {
		case exp == 0:
			want = sign * math.Ldexp(frac/1024, -14)
		case exp == 31 && frac == 0:
			want = math.Inf(int(sign))
		case exp == 31:
			want = math.NaN()
		}
		if got := float64(fromHalf(uint16(h))); got != want && !(got != got && want != want) {
			t.Fatalf("%#x: %v, want %v", h, got, want)
		}
	}
}

func TestElementsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Int64Range(math.MinInt32, math.MaxInt32).Draw(t, "v")
		for _, big := range []bool{false, true} {
			var b [8]byte
			binary.LittleEndian.PutUint64(b[:], uint64(v))
			if big {
				binary.BigEndian.PutUint64(b[:], uint64(v))
			}
			e := element{'i', 8, big}
			var f [1]float32
			var n [1]int32
			if e.decode(f[:], b[:]) >= 0 || f[0] != float32(v) || e.decodeInts(n[:], b[:]) >= 0 || int64(n[0]) != v {
				t.Fatalf("%d: %v, %v", v, f, n)
			}
		}
	})
}

// FuzzReaders gives the readers damaged files: they must end, without a panic, with vectors or one
// error, and with memory that the size of the file bears out.
func FuzzReaders(f *testing.F) {
	names := []string{"x.fvecs", "x.bvecs", "x.ivecs", "x.fbin", "x.u8bin", "x.i8bin", "x.ibin", "x.npy", "x.npz", "x.csv", "x.tsv", "x.hdf5", "x.parquet", "x.txt", "x.vec", "x.f16bin"}
	seeds, err := filepath.Glob("testdata/readers/*")
	if err != nil || len(seeds) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, s := range seeds {
		b, err := os.ReadFile(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(slices.Index(names, "x"+filepath.Ext(s))), b)
	}
	for _, name := range []string{"glove.6d.txt", "word2vec.vec", "savetxt.txt", "pandas-label.csv", "arrow-zstd-2.parquet", "polars-snappy.parquet", "labelled.npz", "v110.h5"} {
		b, err := os.ReadFile(filepath.Join(corpus, name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(slices.Index(names, "x"+strings.Replace(filepath.Ext(name), ".h5", ".hdf5", 1))), b)
	}
	f.Fuzz(func(t *testing.T, kind uint8, b []byte) {
		// What does not end is a fault too: it is seen as a panic that names the input.
		defer time.AfterFunc(5*time.Minute, func() { panic("a reader does not end") }).Stop()
		name := names[int(kind)%len(names)]
		in := &input{bytes.NewReader(b), int64(len(b)), name}
		r, err := read(in, Columns{})
		if err != nil {
			return
		}
		defer r.Close()
		for _, part := range []*File{r, r.Queries} {
			if part == nil {
				continue
			}
			if part.Dim < 1 || int64(part.Dim) > hdf5Ratio*int64(len(b)) {
				t.Fatalf("%d dimensions from %d bytes", part.Dim, len(b))
			}
			block := make([]float32, max(1, 4096/part.Dim)*part.Dim)
			rows := 0
			for {
				n, err := part.Rows.Next(block)
				if err != nil {
					if !errors.Is(err, io.EOF) {
						break
					}
					if part.Count >= 0 && rows != part.Count {
						t.Fatalf("%d rows, %d were announced", rows, part.Count)
					}
					break
				}
				if n < 1 || n*part.Dim > len(block) {
					t.Fatal(fmt.Sprint(n, " rows at once"))
				}
				if part == r && r.Label != nil {
					r.Label(rows)
				}
				rows += n
			}
		}
	})
}

func TestRaggedListsAreErrors(t *testing.T) {
	for _, c := range []struct {
		rows [][]float32
		want string
	}{
		{[][]float32{{1, 2}, {3}}, "row 1 has 1 dimensions, those before have 2"},
		{[][]float32{{1, 2}, {3, 4, 5}}, "row 1 has more than the 2 dimensions"},
		{[][]float32{{1, 2}, {}}, "row 1: the list is missing, empty"},
		{[][]float32{{}}, "row 0: the list is missing, empty"},
	} {
		path := filepath.Join(t.TempDir(), "x.parquet")
		f := must[*os.File](t)(os.Create(path))
		w := parquet.NewGenericWriter[parquetRow](f)
		for _, row := range c.rows {
			if _, err := w.Write([]parquetRow{{Vector: row}}); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(w.Close(), f.Close()); err != nil {
			t.Fatal(err)
		}
		if _, err := readAll(path); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.rows, err, c.want)
		}
	}
}
