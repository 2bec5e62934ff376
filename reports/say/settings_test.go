package say

import (
	"testing"

	"annbench/bench/record"
)

// TestSettings leaves out what is off, and nothing that a family has at another value or that is on.
func TestSettings(t *testing.T) {
	for _, c := range []struct{ family, build, search, want string }{
		{"faiss", "efConstruction=0 factory=IVF256,PQ64x4fs,RFlat train=0", "efSearch=0 ht=0 k_factor_rf=4 nprobe=16 qb=0", "factory=IVF256,PQ64x4fs,RFlat k_factor_rf=4 nprobe=16"},
		{"faiss", "efConstruction=0 factory=Flat train=0", "", "factory=Flat"},
		{"faiss", "efConstruction=40 factory=HNSW32 train=0", "efSearch=10", "efConstruction=40 factory=HNSW32 efSearch=10"},
		{"ivfpq-faiss", "m=16 opq=false pca=0 refine=none train=0", "nprobe=8", "m=16 refine=none nprobe=8"},
		{"ivfpq-faiss", "m=16 opq=true pca=10 refine=none train=1000", "", "m=16 opq=true pca=10 refine=none train=1000"},
		{"ivfrabitq-faiss", "pca=0 rotate=false", "qb=0", "rotate=false qb=0"},
		{"flat", "", "", ""},
		{"x", "a=\x1b[2J", "", "a= [2J"},
	} {
		if got := Settings(record.Cell{Family: c.family, Build: c.build, Search: c.search}); got != c.want {
			t.Errorf("%s %s %s: %q, want %q", c.family, c.build, c.search, got, c.want)
		}
	}
}
