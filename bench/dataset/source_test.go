package dataset

import (
	"bytes"
	"context"
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

func openSource(t testing.TB, src Source) *Collection {
	t.Helper()
	c := must[*Collection](t)(OpenSource(context.Background(), src, t.TempDir(), nil))
	t.Cleanup(func() { c.Close() })
	return c
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
        ('double', dict(dtype='f8'), None), ('half', dict(dtype='f2', chunks=True), None), ('bytes', dict(dtype='u1', compression=9), None), ('grown', dict(maxshape=(None, 24)), None),
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
bins('a.fbin', f); bins('a.u8bin', np.abs(f).astype('u1')); bins('a.i8bin', f.astype('i1')); bins('a.ibin', f.astype('<i4'))
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
			c := openSource(t, Source{Vectors: path})
			m := must[*Mapped](t)(MapMatrix(w))
			defer m.Close()
			if c.Vectors.Rows != m.Rows || c.Vectors.Dim != m.Dim {
				t.Fatalf("%d × %d, want %d × %d", c.Vectors.Rows, c.Vectors.Dim, m.Rows, m.Dim)
			}
			if !slices.Equal(c.Vectors.Data, m.Data) {
				for i := range m.Data {
					if c.Vectors.Data[i] != m.Data[i] {
						t.Fatalf("row %d, dimension %d: %v, want %v", i/m.Dim, i%m.Dim, c.Vectors.Data[i], m.Data[i])
					}
				}
			}
			if strings.HasSuffix(name, ".hdf5") && c.Meta.Metric != vec.L2 {
				t.Errorf("metric %q, want l2", c.Meta.Metric)
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
np.save('test.npy', test)
`)
	test := must[*Mapped](t)(MapMatrix(filepath.Join(dir, "test.npy")))
	defer test.Close()
	for _, name := range []string{"plain", "packed"} {
		c := openSource(t, Source{Vectors: filepath.Join(dir, name+".hdf5")})
		if c.Meta.Queries != 20 || c.Meta.Metric != vec.Cosine || c.Meta.Neighbors != 10 || c.Name != name {
			t.Fatalf("%+v, name %q", c.Meta, c.Name)
		}
		near := must[[][]int32](t)(ReadNeighbors(c.NeighborsFile()))
		s := split(t, c, SplitConfig{Seed: 1}, t.TempDir())
		if s.Base.Rows != 300 || s.Queries.Rows != 20 || !slices.Equal(s.Queries.Data, test.Data) {
			t.Fatalf("%d and %d vectors", s.Base.Rows, s.Queries.Rows)
		}
		truth := must[*Truth](t)(FindTruth(context.Background(), s, vec.Cosine, 10, 1, "", nil))
		defer truth.Close()
		for q := range 20 {
			if !slices.Equal(truth.IDs(q), near[q]) {
				t.Errorf("query %d: exact neighbours %v, the file says %v", q, truth.IDs(q), near[q])
			}
		}
		if warnings, err := CheckNeighbors(s, truth, near, 300); err != nil || warnings != nil {
			t.Errorf("true neighbours: %v %v", warnings, err)
		}
		wrong := must[*Truth](t)(FindTruth(context.Background(), s, vec.InnerProduct, 10, 1, "", nil))
		defer wrong.Close()
		if _, err := CheckNeighbors(s, wrong, near, 300); err == nil || !strings.Contains(err.Error(), "--allow neighbors") {
			t.Errorf("neighbours of another metric: %v", err)
		}
		if warnings, err := CheckNeighbors(s, wrong, near, 300, "neighbors"); err != nil || len(warnings) != 1 {
			t.Errorf("neighbours of another metric, allowed: %v %v", warnings, err)
		}
		some := split(t, c, SplitConfig{Seed: 1, Queries: 5}, t.TempDir())
		if some.Base.Rows != 300 || some.Queries.Rows != 5 {
			t.Errorf("%d and %d vectors", some.Base.Rows, some.Queries.Rows)
		}
		for i, row := range some.QueryRows {
			if row < 300 || !slices.Equal(some.Queries.Row(i), test.Row(int(row)-300)) {
				t.Errorf("query %d is row %d", i, row)
			}
		}
		if _, err := Split(context.Background(), c, SplitConfig{Queries: 21}, t.TempDir()); err == nil {
			t.Error("more queries than there are")
		}
	}
}

func TestQueriesLabelsAndNeighborsInFilesOfTheirOwn(t *testing.T) {
	dir := t.TempDir()
	_, base := random(50, 3, 1)
	_, queries := random(4, 3, 2)
	at := func(name string) string { return filepath.Join(dir, name) }
	for name, m := range map[string]vec.Matrix{"base.npy": base, "queries.npy": queries} {
		if err := WriteMatrix(at(name), m); err != nil {
			t.Fatal(err)
		}
	}
	var near bytes.Buffer
	for q := range 4 {
		binary.Write(&near, binary.LittleEndian, []int32{2, int32(q), int32(q + 10)})
	}
	labels := strings.Repeat("hat\nshoe\n", 25)
	for name, b := range map[string][]byte{"near.ivecs": near.Bytes(), "labels.txt": []byte(labels)} {
		if err := os.WriteFile(at(name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c := openSource(t, Source{Vectors: at("base.npy"), Queries: at("queries.npy"), Labels: at("labels.txt"), Neighbors: at("near.ivecs")})
	if c.Vectors.Rows != 54 || c.Meta.Queries != 4 || c.Items[1].Label != "shoe" || c.Items[50].Label != "" || c.Items[50].ID != "query-0" {
		t.Fatalf("%+v, %+v", c.Meta, c.Items[50])
	}
	if !slices.Equal(c.Vectors.Data, slices.Concat(base.Data, queries.Data)) {
		t.Error("other vectors")
	}
	given, err := ReadNeighbors(c.NeighborsFile())
	if err != nil || !slices.Equal(given[3], []int32{3, 13}) {
		t.Errorf("%v, %v", given, err)
	}
	if err := os.WriteFile(at("labels.txt"), []byte("hat\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenSource(context.Background(), Source{Vectors: at("base.npy"), Queries: at("queries.npy"), Labels: at("labels.txt")}, t.TempDir(), nil); err == nil || !strings.Contains(err.Error(), "1 labels") {
		t.Errorf("a label for 50 vectors: %v", err)
	}
}

func TestLeaveOneOut(t *testing.T) {
	_, m := random(60, 4, 1)
	c := write(t, filepath.Join(t.TempDir(), "c"), must2(random(60, 4, 1)), m)
	s := split(t, c, SplitConfig{Queries: 12, Seed: 3, LeaveOneOut: true}, t.TempDir())
	if s.Base.Rows != 60 || s.Queries.Rows != 12 {
		t.Fatalf("%d and %d vectors", s.Base.Rows, s.Queries.Rows)
	}
	truth := must[*Truth](t)(FindTruth(context.Background(), s, vec.L2, 59, 1, "", nil))
	defer truth.Close()
	for q := range 12 {
		self := s.Self(q)
		if !slices.Equal(s.Queries.Row(q), s.Base.Row(int(self))) {
			t.Errorf("query %d is not base vector %d", q, self)
		}
		ids := slices.Clone(truth.IDs(q))
		slices.Sort(ids)
		if len(ids) != 59 || slices.Contains(ids, self) || len(slices.Compact(ids)) != 59 {
			t.Errorf("query %d: neighbours %v, self %d", q, ids, self)
		}
	}
	held := split(t, c, SplitConfig{Queries: 12, Seed: 3}, t.TempDir())
	if held.Digest == s.Digest || !slices.Equal(held.QueryRows, s.QueryRows) {
		t.Error("leave-one-out must draw the same queries and have a digest of its own")
	}
}

func must2(items []Item, _ vec.Matrix) []Item { return items }

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
		c := openSource(t, Source{Vectors: path})
		if !slices.Equal(c.Vectors.Data, []float32{1, 2, 3, 4}) || c.Vectors.Dim != 2 || c.Items[0].Label != "hat" || c.Items[1].Label != "shoe" {
			t.Errorf("%s: %v %+v", name, c.Vectors, c.Items)
		}
		if strings.Contains(text, "x1") && c.Items[1].ID != "x2" {
			t.Errorf("%s: %+v", name, c.Items)
		}
	}
}

func TestFoldersOfVectorsAreLabels(t *testing.T) {
	dir := t.TempDir()
	_, m := random(6, 3, 1)
	for i, name := range []string{"hat/a.npy", "hat/b.npy", "shoe/c.npy"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := WriteMatrix(path, m.Slice(2*i, 2*i+2)); err != nil {
			t.Fatal(err)
		}
	}
	c := openSource(t, Source{Vectors: dir})
	var labels []string
	for _, item := range c.Items {
		labels = append(labels, item.Label)
	}
	if !slices.Equal(c.Vectors.Data, m.Data) || !slices.Equal(labels, []string{"hat", "hat", "hat", "hat", "shoe", "shoe"}) {
		t.Errorf("%v", labels)
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
		{"e.fbin", le(uint32(1<<31), uint32(1<<31)), "more than"},
		{"f.fbin", le(uint32(3), uint32(2), float32(1)), "ends too early"},
		{"g.fbin", le(uint32(1), uint32(1), float32(1), float32(2)), "goes on for 4 bytes"},
		{"h.npy", []byte("hello"), "not a .npy file"},
		{"i.csv", []byte("1,2\n3,x\n"), `line 2, byte 3 of it: "x" is not a number`},
		{"j.csv", []byte("1,2\n3\n"), "line 2"},
		{"k.csv", []byte("1,1e300\n"), "too large for a float32"},
		{"l.hdf5", []byte("hello"), "not an HDF5 file"},
		{"m.parquet", []byte("hello, hello, hello"), "PAR1"},
		{"n.npz", []byte("hello"), "not a .npz file"},
		{"o.jpg", []byte("hello"), "known are .hdf5"},
		{"p.csv", nil, "empty"},
	} {
		path := filepath.Join(t.TempDir(), c.name)
		if err := os.WriteFile(path, c.b, 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := OpenSource(context.Background(), Source{Vectors: path}, t.TempDir(), nil)
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
	dir := f.TempDir()
	names := []string{"x.fvecs", "x.bvecs", "x.ivecs", "x.fbin", "x.u8bin", "x.i8bin", "x.ibin", "x.npy", "x.npz", "x.csv", "x.tsv", "x.hdf5", "x.parquet"}
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
	_ = dir
	f.Fuzz(func(t *testing.T, kind uint8, b []byte) {
		// What does not end is a fault too: it is seen as a panic that names the input.
		defer time.AfterFunc(10*time.Second, func() { panic("a reader does not end") }).Stop()
		name := names[int(kind)%len(names)]
		in := &input{bytes.NewReader(b), int64(len(b)), name}
		r, err := readForeign(in, Columns{})
		if err != nil {
			return
		}
		defer r.Close()
		for _, part := range []*foreign{r, r.queries} {
			if part == nil {
				continue
			}
			if part.dim < 1 || int64(part.dim) > hdf5Ratio*int64(len(b)) {
				t.Fatalf("%d dimensions from %d bytes", part.dim, len(b))
			}
			block := make([]float32, max(1, 4096/part.dim)*part.dim)
			rows := 0
			for {
				n, err := part.rows.next(block)
				if err != nil {
					if !errors.Is(err, io.EOF) {
						break
					}
					if part.count >= 0 && rows != part.count {
						t.Fatalf("%d rows, %d were announced", rows, part.count)
					}
					break
				}
				if n < 1 || n*part.dim > len(block) {
					t.Fatal(fmt.Sprint(n, " rows at once"))
				}
				if part == r && r.label != nil {
					r.label(rows)
				}
				rows += n
			}
		}
	})
}

func TestWrittenFilesReadBack(t *testing.T) {
	items, m := random(257, 6, 5)
	c := write(t, filepath.Join(t.TempDir(), "c"), items, m)
	dir := t.TempDir()
	for _, ext := range Writers {
		path := filepath.Join(dir, "out"+ext)
		if err := c.WriteFile(context.Background(), path); err != nil {
			t.Fatal(err)
		}
		got := openSource(t, Source{Vectors: path})
		if got.Vectors.Dim != 6 || !slices.Equal(got.Vectors.Data, m.Data) {
			t.Errorf("%s: %d × %d, other vectors", ext, got.Vectors.Rows, got.Vectors.Dim)
		}
		if ext == ".parquet" && !slices.Equal(got.Items, items) {
			t.Errorf("%s: other items: %+v, want %+v", ext, got.Items[:3], items[:3])
		}
	}
	if err := c.WriteFile(context.Background(), filepath.Join(dir, "x.csv")); err == nil || !strings.Contains(err.Error(), ".npy .fbin") {
		t.Errorf("csv: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); left != nil {
		t.Errorf("left behind: %v", left)
	}
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
		if _, err := OpenSource(context.Background(), Source{Vectors: path}, t.TempDir(), nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.rows, err, c.want)
		}
	}
}
