//go:build faiss

package indexes

import (
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"syscall"
	"testing"

	"github.com/DataIntelligenceCrew/go-faiss"

	"annbench/indexes/vec"
)

// Too few vectors a centroid is no reason for Faiss to write, and training without its warnings gives the same index.
func TestFaissTrainsWithoutWarnings(t *testing.T) {
	const dim, rows = 16, 300
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	setFaissThreads(1, 1)
	rng := rand.New(rand.NewPCG(1, 2))
	data := make([]float32, rows*dim)
	for i := range data {
		data[i] = float32(rng.NormFloat64())
	}
	answers := func(factory string, train func(*faissIndex) error) (ids []int64, written string) {
		index, err := faiss.IndexFactory(dim, factory, faiss.MetricL2)
		if err != nil {
			t.Fatalf("%s: %v", factory, err)
		}
		x := &faissIndex{index: index}
		defer index.Delete()
		written = stderrOf(t, func() { err = train(x) })
		if err != nil {
			t.Fatalf("%s: %v", factory, err)
		}
		if err := index.Add(data); err != nil {
			t.Fatalf("%s: %v", factory, err)
		}
		_, ids, err = index.Search(data[:20*dim], 5)
		if err != nil {
			t.Fatalf("%s: %v", factory, err)
		}
		return ids, written
	}
	loud := 0
	for _, factory := range []string{
		"IVF16,Flat", "IVF16,PQ4np", "PQ4np", "OPQ4,PQ4np", "IVF16,PQ8x4fs,RFlat", "PQ8x4fs", "IVF16,PQ4+4", "IVF16,RQ3x6_Nfloat",
		"RQ3x6", "PRQ2x2x6", "IMI2x5,PQ4np", "HNSW8_PQ4np", "IVF16_HNSW8,Flat", "NSG8,PQ4np", "IVF16,RaBitQ",
	} {
		quiet, written := answers(factory, func(x *faissIndex) error { return x.trainOn(vec.Matrix{Rows: rows, Dim: dim, Data: data}) })
		if written != "" {
			t.Errorf("%s writes %q", factory, written)
		}
		as, said := answers(factory, func(x *faissIndex) error { return x.index.Train(data) })
		if !slices.Equal(quiet, as) {
			t.Errorf("%s gives other answers when it is trained without warnings", factory)
		}
		if said != "" {
			loud++
		}
	}
	if loud < 5 {
		t.Errorf("only %d of these indexes warn at all", loud)
	}
}

// stderrOf is what do writes to file descriptor 2.
func stderrOf(t *testing.T, do func()) string {
	t.Helper()
	file, err := os.CreateTemp(t.TempDir(), "stderr")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	old, err := syscall.Dup(2)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(old)
	if err := syscall.Dup3(int(file.Fd()), 2, 0); err != nil {
		t.Fatal(err)
	}
	do()
	if err := syscall.Dup3(old, 2, 0); err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(written)
}
