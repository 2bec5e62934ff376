package indexes

import (
	"math"
	"slices"
	"strings"
	"testing"

	"annbench/indexes/vec"
)

// TestFactoryExamples: what errors offer is taken.
func TestFactoryExamples(t *testing.T) {
	for _, text := range factoryExamples {
		f, err := parseFactory(text)
		if err != nil {
			t.Error(err)
			continue
		}
		if err := f.fits(100_000, 512); err != nil {
			t.Errorf("%s on 100,000 × 512: %v", text, err)
		}
		if small, large := f.bytes(10_000, 512), f.bytes(20_000, 512); small <= 0 || large <= small {
			t.Errorf("%s: %v bytes for 10,000 vectors, %v for 20,000", text, small, large)
		}
	}
}

// TestFactoryRefuses: what is wrong with a description is said in one line, with what would be right.
func TestFactoryRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                           "empty",
		"IVF256":                     "what IVF256 keeps of a vector is missing",
		"IVF256,":                    "is missing",
		"IVF256,PQ64x4fz,RFlat":      `near to the whole is "IVF256,PQ64x4fs,RFlat"`,
		"IVF256,PQ64x4fs,Rflat":      `near to the whole is "IVF256,PQ64x4fs,RFlat"`,
		"ivf256,Flat":                `near to the whole is "IVF256,Flat"`,
		"IVF0,Flat":                  "no cells",
		"IVF99999999999,Flat":        "is more than 16777216",
		"IVF16777216M,Flat":          "at most 16777216",
		"IVF256,PQ0":                 "must be 1 to",
		"IVF256,PQ64x0":              "bits of a code must be 1 to 16, not 0",
		"IVF256,PQ64x24":             "bits of a code must be 1 to 16, not 24",
		"IVF256,PQ64x4fs_48":         "multiple of 32",
		"HNSW1":                      "must be 2 to 1024",
		"HNSW32,RaBitQ":              "HNSW is over",
		"PCA0,Flat":                  "leaves no dimension",
		"OPQ0,PQ8":                   "leaves nothing",
		"OPQ8_12,PQ4":                "do not divide",
		"IDMap,Flat":                 "leave IDMap out",
		"Flat,IDMap2":                "leave IDMap out",
		"IVF256,Flat,Refine(HNSW8)":  "not one code for each vector",
		"Flat,Refine(PQ4x4fs)":       "not one code for each vector", // Faiss ends the process at the first search
		"IVF64,RFlat,RFlat":          "what IVF64 keeps of a vector is missing",
		"IVF64,SQ8,RFlat,RFlat":      "IVF64,SQ8,RFlat is refined already",
		"PQ8,Refine(SQ8),RFlat":      "is refined already",
		"Flat,Refine(Flat,RFlat)":    "not one code for each vector",
		"IVF64,IVF64,Flat":           " in Faiss; near",
		"IVF64(IVF8),Flat":           "what IVF8 keeps of a vector is missing",
		"IVF64,Flat,":                " in Faiss; near",
		"SQ8,,RFlat":                 " in Faiss; near",
		"PCA8,":                      " in Faiss; near",
		"MinMax,SQ8":                 "leave MinMax out",
		"IVF256(":                    " in Faiss; near",
		"IVF256)Flat(":               " in Faiss; near",
		"\x00\xff":                   " in Faiss; near",
		strings.Repeat("PCA64,", 99): "letters are more than",
		"IVF4(IVF4(IVF4(IVF4(IVF4(IVF4(Flat),Flat),Flat),Flat),Flat),Flat": " in Faiss; near",
	} {
		_, err := parseFactory(text)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v\nwant %q", text, err, want)
		}
	}
}

// TestFactoryFits: what a description asks of the data.
func TestFactoryFits(t *testing.T) {
	family, err := Lookup("faiss")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		n, dim int
		p      Params
		want   string
	}{
		{1000, 64, Params{"factory": "IVF16,PQ8x4fs,RFlat", "nprobe": 4, "k_factor_rf": 8}, ""},
		{1000, 64, Params{"factory": "IVF2000,Flat"}, "IVF2000 needs at least 2000 vectors to train on, there are 1000: use IVF1000 or less"},
		{1000, 64, Params{"factory": "IVF16,PQ12"}, "12 parts do not divide the 64 dimensions: 8 or 16 parts do"},
		{100, 64, Params{"factory": "PQ8"}, "needs at least 256 vectors"},
		{1000, 64, Params{"factory": "PCA65,Flat"}, "use at most 64"},
		{1000, 64, Params{"factory": "PCA30,PQ16"}, "16 parts do not divide the 30 dimensions"},
		{1000, 64, Params{"factory": "HNSW32", "nprobe": 3}, `nprobe=3: "HNSW32" has no such setting; it has efSearch`},
		{1000, 64, Params{"factory": "Flat", "efSearch": 3}, "it has no search setting at all"},
		{1000, 64, Params{"factory": "Flat", "efConstruction": 3}, "has no HNSW"},
		{1000, 64, Params{"factory": "LSH100"}, "write LSH100r"},
		{1000, 64, Params{"factory": "OPQ12,PQ12"}, "12 parts do not divide 64 dimensions: use OPQ8 or OPQ16"},
		{1000, 64, Params{"factory": "PCA30,Flat,Refine(PCA65,Flat)"}, "use at most 64"},
		{1000, 64, Params{"factory": "IVF16(IVF32,Flat),Flat"}, "IVF32 needs at least 32 vectors to train on, there are 16"},
	} {
		p, err := family.Settings(family.all(), c.p)
		if err != nil {
			t.Fatal(err)
		}
		switch err := family.Fits(c.n, c.dim, p); {
		case c.want == "" && err != nil:
			t.Errorf("%v: %v", c.p, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%v: %v\nwant %q", c.p, err, c.want)
		}
	}
}

// TestFactoryTables: of 1,000 vectors of 64 dimensions, the tables that Faiss computes for residuals under l2, worked out by
// hand. Under the inner product, which cosine is, it computes none.
func TestFactoryTables(t *testing.T) {
	for _, c := range []struct {
		family string
		p      Params
		want   int64
	}{
		{"ivfpq-faiss", Params{"nlist": 10, "m": 8, "nbits": 7}, 4 * 10 * 8 * 128},
		{"ivfpq-faiss", Params{"nlist": 10, "m": 8, "nbits": 8, "refine": "sq8", "pca": 16}, 4 * 10 * 8 * 256},
		{"ivfpqfs-faiss", Params{"nlist": 10, "m": 16}, 4 * 10 * 16 * 16},
		{"ivfpqfs-faiss", Params{"nlist": 10, "m": 16, "residual": false}, 0},
		{"ivfsq-faiss", Params{"nlist": 10}, 0},
		{"faiss", Params{"factory": "OPQ8_16,IVF10,PQ8np,RFlat"}, 4 * 10 * 8 * 256},
		{"faiss", Params{"factory": "PQ8np"}, 0},
		{"flat", nil, 0},
	} {
		f, err := Lookup(c.family)
		if err != nil {
			t.Fatal(err)
		}
		p, err := f.Settings(slices.Concat(f.Build, f.Search), c.p)
		if err != nil {
			t.Fatal(err)
		}
		if got := f.Size(1000, 64, vec.L2, p) - f.Bytes(1000, 64, p); got != c.want {
			t.Errorf("%s %v: tables of %d bytes under l2, should be %d", c.family, c.p, got, c.want)
		}
		for _, m := range []vec.Metric{vec.Cosine, vec.InnerProduct} {
			if got := f.Size(1000, 64, m, p) - f.Bytes(1000, 64, p); got != 0 {
				t.Errorf("%s %v: tables of %d bytes under %s, should be none", c.family, c.p, got, m)
			}
		}
	}
}

// TestFactoryBytes checks sizes that were worked out by hand, for 1,000 vectors of 64 dimensions.
func TestFactoryBytes(t *testing.T) {
	for text, want := range map[string]float64{
		"Flat":             1000 * 256,
		"SQ8":              1000*64 + 512,
		"SQ6":              1000*48 + 512,
		"SQfp16":           1000 * 128,
		"PQ8":              1000*8 + 4*64*256,
		"PQ8x4":            1000*4 + 4*64*16,
		"IVF10,Flat":       1000*(256+8) + 4*10*64,
		"IVF10,Flat,RFlat": 1000*(256+8) + 4*10*64 + 1000*256,
		"PCA16,Flat":       1000*64 + 4*64*(64+16+2),
		"RR,SQfp16":        1000*128 + 4*64*64,
		"IVF10,RaBitQ":     1000*(8+8+8) + 4*10*64,
		"RQ4x8":            1000*4 + 4*4*256*64,
		"LSH32":            1000*4 + 4*64*32,
	} {
		f, err := parseFactory(text)
		if err != nil {
			t.Error(err)
		} else if got := f.bytes(1000, 64); got != want {
			t.Errorf("%s: %.0f bytes, should be %.0f", text, got, want)
		}
	}
}

// Polysemous training depends on neither the number of vectors nor their dimensions, and np leaves it out.
func TestFactoryPolysemousWork(t *testing.T) {
	more := func(text string, n, dim int) float64 {
		with, err := parseFactory(text)
		if err != nil {
			t.Fatal(err)
		}
		without, err := parseFactory(text + "np")
		if err != nil {
			t.Fatal(err)
		}
		a, _ := with.work(n, n, dim)
		b, _ := without.work(n, n, dim)
		return a - b
	}
	once := more("PQ8", 1000, 64)
	if once <= 0 {
		t.Fatal("PQ8 trains no longer than PQ8np")
	}
	for _, text := range []string{"IVF16,PQ8", "OPQ8,PQ8", "HNSW8,PQ8"} {
		if got := more(text, 50_000, 128); math.Abs(got-once) > 1e-6*once {
			t.Errorf("%s: %v more than without, want the %v of PQ8", text, got, once)
		}
	}
	if got := more("PQ16", 1000, 64); math.Abs(got-2*once) > 1e-6*once {
		t.Errorf("twice the codes: %v, want twice %v", got, once)
	}
}

func FuzzFactory(f *testing.F) {
	for _, text := range factoryExamples {
		f.Add(text)
	}
	for _, text := range []string{"IVF4(IVF4,Flat),PQ4np", "IMI2x4,PQ8np", "IVF10,PQ8+8", "LSQ2x4fs_32_Nrq2x4", "IVF5,PRQ2x2x4fsr", "L2norm,RR8,Pad20,Flat"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		x, err := parseFactory(text)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\r") {
				t.Errorf("an error of more than one line: %q", err)
			}
			return
		}
		if b := x.bytes(600, 16); !(b >= 0) {
			t.Errorf("%q: %v bytes", text, b)
		}
		_ = x.fits(600, 16)
		factoryBuilds(t, x)
	})
}
