package vecfile

import (
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestHDF5IsReadByH5py writes a file, has h5py read it, and write to it as ann-benchmarks does when it
// plots.
func TestHDF5IsReadByH5py(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.hdf5")
	long := strings.Repeat("é", 3000)
	h := &HDF5{
		Attributes: []HDF5Attribute{{"algo", "hnsw"}, {"name", "hnsw(M=16) é"}, {"count", int64(10)}, {"build_time", 1.25}, {"again", "hnsw"}, {"batch_mode", int64(0)}, {"long", long}, {"empty", ""}},
		Datasets: []HDF5Dataset{
			{"times", []float32{0.5, 0.25, 1}, 0},
			{"neighbors", []int32{1, 2, 3, -1, 5, 6}, 2},
			{"distances", []float64{1, 2, 3, math.Inf(1), 5, 6}, 2},
		},
	}
	if err := h.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	python(t, dir, `
import h5py, numpy as np
for again in range(2):
    with h5py.File('x.hdf5', 'r+') as f:
        a = dict(f.attrs)
        assert a['algo'] == 'hnsw' and a['again'] == 'hnsw' and a['name'] == 'hnsw(M=16) é', a
        assert a['count'] == 10 and a['build_time'] == 1.25 and not a['batch_mode'] and a['long'] == 'é' * 3000 and a['empty'] == '', a
        assert len(a) == 8, a
        assert f['times'].dtype == np.float32 and f['times'][:].tolist() == [0.5, 0.25, 1]
        assert f['neighbors'].dtype == np.int32 and f['neighbors'][:].tolist() == [[1, 2], [3, -1], [5, 6]]
        assert f['distances'][:].tolist() == [[1, 2], [3, np.inf], [5, 6]]
        assert sorted(k for k in f if not k.startswith('m')) == ['distances', 'neighbors', 'times'], list(f)
        if not again:
            m = f.create_group('metrics'); g = m.create_group('knn'); g.attrs['mean'] = 0.5; g['recalls'] = np.arange(5)
            for i in range(12): f.create_group('more%d' % i)
            f.attrs['added'] = 'later'
            del f.attrs['added']
        else:
            assert f['metrics/knn'].attrs['mean'] == 0.5 and len(f) == 16
`)
}

func TestHDF5ReadsBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.hdf5")
	values := []float32{1, 2, 3, 4, 5, 6}
	h := &HDF5{Attributes: []HDF5Attribute{{"distance", "angular"}}, Datasets: []HDF5Dataset{{"train", values, 3}, {"test", values[:3], 3}, {"neighbors", []int32{1, 0}, 2}}}
	if err := h.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	c := must[*content](t)(readAll(path))
	if c.queries == nil || c.queries.Rows != 1 || len(c.neighbors) != 1 || !slices.Equal(c.neighbors[0], []int32{1, 0}) || !slices.Equal(c.Data, values) {
		t.Errorf("%+v", c)
	}
	for _, wrong := range []*HDF5{
		{Datasets: []HDF5Dataset{{"a", []int32{1, 2, 3}, 2}}},
		{Datasets: []HDF5Dataset{{"a", []int{1}, 0}}},
		{Attributes: []HDF5Attribute{{"a", 1}}},
		{Datasets: make([]HDF5Dataset, 9)},
	} {
		if err := wrong.WriteFile(path + "2"); err == nil {
			t.Errorf("%+v was written", wrong)
		}
	}
}
