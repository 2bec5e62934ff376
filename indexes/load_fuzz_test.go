package indexes

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"annbench/indexes/vec"
)

// FuzzLoad damages saved indexes: each loads or is refused by one error, and what loads can be searched. Damage
// that the checksum at the end of a file finds is also tried with a checksum that agrees.
func FuzzLoad(f *testing.F) {
	names := []string{"flat", "exact", "forest", "hnsw", "hnsw-coder", "flat-faiss", "ivfflat-faiss", "ivfpq-faiss", "hnsw-faiss"}
	base := vec.NewMatrix(40, 8)
	for i := range base.Data {
		base.Data[i] = float32(math.Sin(float64(i + 1)))
	}
	params := map[string]Params{"ivfflat-faiss": {"nlist": 4}, "ivfpq-faiss": {"nlist": 1, "m": 2, "nbits": 4}}
	families := make([]*Family, len(names))
	dir := f.TempDir()
	for i, name := range names {
		family, err := Lookup(name)
		if err != nil {
			continue // a build without it
		}
		if family.Missing != "" {
			continue
		}
		in, err := family.Check(BuildInput{Vectors: base, Metric: vec.L2, Params: params[name], Threads: 1, Seed: 1})
		if err != nil {
			f.Fatalf("%s: %v", name, err)
		}
		ix, err := family.Open(f.Context(), in)
		if err != nil {
			continue // likewise
		}
		families[i] = family
		path := filepath.Join(dir, name)
		if err := ix.(Saver).Save(path); err != nil {
			f.Fatalf("%s: %v", name, err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), false, b)
		f.Add(uint8(i), true, b)
		if err := ix.Close(); err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, reseal bool, b []byte) {
		defer time.AfterFunc(5*time.Minute, func() { panic("an index does not end") }).Stop()
		family := families[int(which)%len(families)]
		if family == nil {
			return
		}
		if reseal && len(b) > savedMinimum && string(b[:len(savedMagic)]) == savedMagic {
			b = append(b[:len(b)-4:len(b)-4], binary.LittleEndian.AppendUint32(nil, crc32.Checksum(b[:len(b)-4], castagnoli))...)
		}
		path := filepath.Join(t.TempDir(), "index")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		ix, err := family.Load(path, BuildInput{Metric: vec.L2, Threads: 1, Seed: 1})
		if err != nil {
			return
		}
		found, err := ix.Search(nil, base.Row(3), 5)
		if err == nil && len(found) > 5 {
			t.Errorf("%d answers of 5", len(found))
		}
		if err := ix.Close(); err != nil {
			t.Error(err)
		}
	})
}
