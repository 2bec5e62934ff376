package dataset

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"annbench/bench/dataset/collection"
	"annbench/bench/dataset/vecfile"
)

// TestReadingTakesNoMoreThanTwiceTheVectors reads files of every kind in a process of its own, and asks
// the kernel for the most that it held. ANNBENCH_MEMORY_ROWS=1000000 has it read a million vectors of
// 128 dimensions; without, 100,000.
func TestReadingTakesNoMoreThanTwiceTheVectors(t *testing.T) {
	const dim = 128
	if path := os.Getenv("ANNBENCH_MEMORY_FILE"); path != "" { // the process of its own
		c, err := collection.OpenFiles(context.Background(), collection.Files{Vectors: path}, filepath.Dir(path), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		status, err := os.ReadFile("/proc/self/status")
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(status)) {
			if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
				fmt.Printf("peak %s", strings.TrimSpace(rest))
			}
		}
		fmt.Printf(" rows %d\n", c.Vectors.Rows)
		return
	}
	if testing.Short() {
		t.Skip("writes and reads large files")
	}
	rows := 100_000
	if s := os.Getenv("ANNBENCH_MEMORY_ROWS"); s != "" {
		if _, err := fmt.Sscan(s, &rows); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	c := must[*collection.Collection](t)(OpenSynthetic(context.Background(), Synthetic{N: rows, Dim: dim, LID: 8, Clusters: 5, Seed: 1}, dir, nil))
	defer c.Close()
	files := []string{"x.fbin", "x.fvecs", "x.parquet"}
	for _, name := range files {
		if err := c.WriteFile(context.Background(), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	// Fortran order in float64: the widest file, read by columns.
	f := must[*os.File](t)(os.Create(filepath.Join(dir, "x.npy")))
	head := fmt.Sprintf("{'descr': '<f8', 'fortran_order': True, 'shape': (%d, %d), }", rows, dim)
	b := append([]byte("\x93NUMPY\x01\x00"), 0, 0)
	binary.LittleEndian.PutUint16(b[8:], uint16(len(head)))
	must[int](t)(f.Write(append(b, head...)))
	column := make([]float64, rows)
	r := rand.New(rand.NewPCG(1, 2))
	for range dim {
		for i := range column {
			column[i] = r.NormFloat64()
		}
		must[int](t)(f.Write(vecfile.FileBytes(column)))
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	// Chunks, as h5py makes them when it is asked to compress.
	hdf5 := filepath.Join(dir, "x.hdf5")
	cmd := exec.Command("/usr/bin/python3", "-c", `
import h5py, numpy as np, sys
with h5py.File(sys.argv[1], 'w') as f:
    a = np.memmap(sys.argv[2], '<f4', 'r', 8).reshape(-1, 128)
    f.attrs['distance'] = 'euclidean'
    f.create_dataset('train', data=a, chunks=(8192, 16), compression='gzip', compression_opts=1)
`, hdf5, filepath.Join(dir, "x.fbin"))
	if err := cmd.Run(); err == nil {
		files = append(files, "x.hdf5")
	}
	self := must[string](t)(os.Executable())
	limit := 2 * rows * dim * 4 / 1024 // kB
	// What a Go program, its test binary and a block of rows take, whatever the file.
	limit = max(limit, 128*1024)
	for _, name := range append(files, "x.npy") {
		cmd := exec.Command(self, "-test.run", "^TestReadingTakesNoMoreThanTwiceTheVectors$", "-test.v")
		cmd.Env = append(os.Environ(), "ANNBENCH_MEMORY_FILE="+filepath.Join(dir, name))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		at := strings.Index(string(out), "peak ")
		var peak, got int
		if at < 0 {
			t.Fatalf("%s: no peak: %s", name, out)
		}
		if _, err := fmt.Sscanf(string(out[at:]), "peak %d kB rows %d", &peak, &got); err != nil || got != rows {
			t.Fatalf("%s: %v: %s", name, err, out)
		}
		t.Logf("%s: %d MB for vectors of %d MB", name, peak>>10, rows*dim*4>>20)
		if peak > limit {
			t.Errorf("%s: %d kB, the limit is %d", name, peak, limit)
		}
	}
}
