package indexes

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"annbench/indexes/vec"
)

// faissFamilies are the families of the library Faiss. They stand here in every build, so that a
// configuration can be checked and explained without the library; faiss.go fills in what opens them,
// nofaiss.go why nothing can.
func faissFamilies() []*Family {
	metrics := []vec.Metric{vec.L2, vec.Cosine, vec.InnerProduct}
	families := []*Family{
		{
			Name: "flat-faiss",
			Doc: "Exact search by comparing the query with every vector (IndexFlat). " +
				"One query is a plain scan; a batch is a matrix product (BLAS), several times faster a query. " +
				"It copies the vectors." + cosineDoc,
			Exact: true,
			Work:  scanWork,
			Bytes: func(n, dim int, _ Params) int64 { return 4 * int64(n) * int64(dim) },
		},
		{
			Name: "ivfflat-faiss",
			Doc: "Inverted lists of whole vectors (IndexIVFFlat): k-means splits the set into nlist cells, a query scans the nprobe nearest ones. " +
				"It copies the vectors." + trainDoc + cosineDoc,
			Build: []Param{nlistParam},
			Search: []Param{
				nprobeParam,
			},
			Fits:      func(n, _ int, p Params) error { return fitsLists(n, p) },
			Effective: effectiveProbes,
			Work: func(n, dim int, p Params) (build, search float64) {
				build, search = listWork(n, dim, p)
				return build, search + float64(min(p.Int("nprobe"), p.Int("nlist")))/float64(p.Int("nlist"))*float64(n)*float64(dim)
			},
			Bytes: ivfFlatBytes,
		},
		{
			Name: "ivfpq-faiss",
			Doc: "Inverted lists of product-quantised residuals (IndexIVFPQ; Jégou, Douze, Schmid: Product Quantization for Nearest Neighbor Search, TPAMI 2011): a vector is m codes of nbits. " +
				"Distances are estimates, which caps recall whatever nprobe is, unless refine has the best answers compared again. " +
				"It is built without the polysemous step that Faiss's factory string adds by default: that step reorders codes for a filter which is off, does not change an answer, and takes most of the training time (IVF256,PQ64 on 10,000 × 512, one thread: 218 s with it, 9 s without)." + trainDoc + refineDoc + cosineDoc,
			Build: []Param{
				nlistParam,
				{Name: "m", Kind: Int, Default: 16, Min: 1, Max: 4096, Scale: Divisors, Doc: "codes a vector: it is cut into m parts of equal width, so m must divide the number of dimensions"},
				{Name: "nbits", Kind: Int, Default: 8, Min: 1, Max: 8, Scale: Fixed, Doc: "bits a code: each part has 2^nbits centroids"},
				trainParam,
				opqParam,
				pcaParam,
				refineParam("none"),
			},
			Search: []Param{nprobeParam, kFactorParam},
			Coded:  keepsCodes,
			Fits:   fitsPQ,
			Work:   pqWork,
			Bytes:  factoryBytes("ivfpq-faiss"),
		},
		{
			Name: "ivfpqfs-faiss",
			Doc: "Inverted lists of product quantisation with 4 bits a code, laid out for the tables of look-ups in SIMD registers (IndexIVFPQFastScan; André, Kermarrec, Le Scouarnec: Cache locality is not enough: High-Performance Nearest Neighbor Search with Product Quantization Fast Scan, VLDB 2015), and by default refinement of the best answers over the vectors themselves. " +
				"Of the inverted lists of Faiss 1.12 it is the fastest at a recall of .99 and more." + trainDoc + refineDoc + cosineDoc,
			Build: []Param{
				nlistParam,
				{Name: "m", Kind: Int, Default: 0, Min: 0, Max: 4096, Scale: Divisors, Doc: "codes of 4 bits a vector; m must divide the number of dimensions. 0 is a quarter of the dimensions, or the next smaller number that divides them: 1 bit a dimension"},
				{Name: "residual", Kind: Bool, Default: true, Doc: "codes are those of the difference to the list's centroid, not of the vector: better answers, for tables that are worked out anew for each list"},
				trainParam,
				opqParam,
				pcaParam,
				refineParam("flat"),
			},
			Search: []Param{nprobeParam, kFactorParam},
			Coded:  keepsCodes,
			Fits:   fitsPQ,
			Work:   pqWork,
			Bytes:  factoryBytes("ivfpqfs-faiss"),
		},
		{
			Name: "ivfsq-faiss",
			Doc: "Inverted lists of vectors whose components are rounded, each by itself, to so many bits (IndexIVFScalarQuantizer). " +
				"Half to an eighth of the memory of ivfflat-faiss, for hardly any recall at 8 bits and 16." + trainDoc + refineDoc + cosineDoc,
			Build:  []Param{nlistParam, scalarParam, pcaParam, refineParam("none")},
			Search: []Param{nprobeParam, kFactorParam},
			Coded:  keepsCodes,
			Fits:   fitsCoded,
			Work:   factoryWork("ivfsq-faiss"),
			Bytes:  factoryBytes("ivfsq-faiss"),
		},
		{
			Name: "ivfrabitq-faiss",
			Doc: "Inverted lists of one bit a dimension and two numbers a vector (IndexIVFRaBitQ; Gao, Long: RaBitQ: Quantizing High-Dimensional Vectors with a Theoretical Error Bound for Approximate Nearest Neighbor Search, SIGMOD 2024), and by default refinement over the vectors themselves. " +
				"Faiss 1.12 has it without the fast scan that came later (IndexIVFRaBitQFastScan, 1.13): compare it by recall at its bytes, not by its time. " +
				"It wants vectors whose directions are random, which a rotation sees to (rotate)." + trainDoc + refineDoc + cosineDoc,
			Build: []Param{
				nlistParam,
				{Name: "rotate", Kind: Bool, Default: true, Doc: "turn the vectors by a random rotation first, as the method asks for: a matrix product a vector and a query"},
				pcaParam,
				refineParam("flat"),
			},
			Search: []Param{
				nprobeParam,
				{Name: "qb", Kind: Int, Default: 4, Min: 0, Max: 8, Scale: Fixed, Doc: "bits a component of the query is rounded to, so that codes are compared by counting bits; 0 compares with the query as it is (Faiss's own default), several times slower"},
				kFactorParam,
			},
			Coded: keepsCodes,
			Fits:  fitsCoded,
			Work:  factoryWork("ivfrabitq-faiss"),
			Bytes: factoryBytes("ivfrabitq-faiss"),
		},
		{
			Name: "hnsw-faiss",
			Doc: "Hierarchical navigable small world graph over whole vectors (IndexHNSWFlat; Malkov, Yashunin: Efficient and robust approximate nearest neighbor search using HNSW graphs, TPAMI 2018). " +
				"It copies the vectors. The level of each vector and the order of insertion come from generators whose seeds Faiss fixes, so the seed has no effect; built with more than one thread, the graph also depends on their timing. " +
				"A build cannot be stopped half-way." + cosineDoc,
			Build:  []Param{hnswM, hnswConstruction},
			Search: []Param{hnswSearch},
			Work:   hnswWork,
			Bytes:  hnswBytes,
		},
		{
			Name: "hnswsq-faiss",
			Doc: "The graph of hnsw-faiss over vectors whose components are rounded, each by itself, to so many bits (IndexHNSWSQ): a quarter of the vectors' memory at 8 bits. " +
				"The graph is built of the rounded vectors. A build cannot be stopped half-way." + refineDoc + cosineDoc,
			Build:  []Param{hnswM, hnswConstruction, scalarParam, pcaParam, refineParam("none")},
			Search: []Param{hnswSearch, kFactorParam},
			Coded:  keepsCodes,
			Fits:   fitsCoded,
			Work:   hnswWork,
			Bytes:  factoryBytes("hnswsq-faiss"),
		},
		{
			Name: "faiss",
			Doc: "Any index of Faiss, by the description that its index_factory takes, with the search settings that its ParameterSpace has for it: a setting that the description has no use for must stay 0. " +
				"Left out are ids of your own (IDMap), indexes of bits, coarse quantisers on their own, lattices, and NSG, which never comes to an end on some sets. " +
				"A PQ without np after it (PQ64, where PQ64np is meant) is trained polysemously too, as Faiss does by default, whatever comes before it, OPQ or IVF: three seconds of processor time for each of a vector's codes of 8 bits, so minutes, on sets of any size. Only the setting ht makes use of it. " +
				"Descriptions are those of Faiss 1.12; the families by name have the same indexes with checked settings." + cosineDoc,
			Build: []Param{
				{Name: "factory", Kind: Text, Default: factoryExamples[0], Words: factoryExamples, Doc: "Faiss's description of the index: transforms, then lists or a graph, then what is kept of a vector, then refinement, with commas between", Check: func(text string) error { _, err := parseFactory(text); return err }},
				{Name: "efConstruction", Kind: Int, Default: 0, Min: 0, Max: 100000, Scale: Fixed, Doc: "of an HNSW: candidates kept while a vector's links are chosen; 0 is Faiss's own default, 40"},
				trainParam,
			},
			Search:     factorySearch,
			Coded:      keepsCodes,
			Fits:       fitsFactory,
			FitsMetric: takenByFaiss,
			Work:       factoryWork("faiss"),
			Bytes:      factoryBytes("faiss"),
		},
	}
	for _, f := range families {
		switch {
		case find(f.Search, "k_factor_rf") != nil:
			f.Effective = effectiveFactory
		case find(f.Search, "k_factor") != nil:
			f.Effective = effectiveRefine
		}
		f.Batch = true
		f.Filters = f.Name != "faiss" // what a description makes may have no selector
		f.Updates = faissUpdatesOf[f.Name]
		f.Library = "faiss"
		f.Metrics = metrics
		f.Missing = faissLacks(f.Name)
		if strings.HasPrefix(f.Name, "ivfpq") || f.Name == "faiss" {
			f.Tables = factoryTables(f.Name)
		}
		f.Open = func(ctx context.Context, in BuildInput) (Index, error) { return openFaiss(ctx, f, in) }
		f.Load = func(path string, in BuildInput) (Index, error) { return loadFaiss(path, f, in) }
	}
	return families
}

// faissUpdatesOf says how indexes change, by family. Of those that remove, one with refinement marks: its vectors cannot
// be removed.
var faissUpdatesOf = map[string]string{
	"flat-faiss": UpdatesByRemoval, "ivfflat-faiss": UpdatesByRemoval, "ivfpq-faiss": UpdatesByRemoval, "ivfsq-faiss": UpdatesByRemoval,
	"hnsw-faiss": UpdatesByMarking, "hnswsq-faiss": UpdatesByMarking,
}

func hnswWork(n, dim int, p Params) (build, search float64) {
	links, depth := 2*float64(p.Int("M")), math.Log2(float64(n)+2)
	walk := func(ef int) float64 { return GraphWalk(n, (float64(ef)+depth)*links) * float64(dim) }
	return float64(n) * walk(p.Int("efConstruction")), walk(p.Int("efSearch"))
}

func effectiveProbes(_, _ int, p Params) { p["nprobe"] = min(p.Int("nprobe"), p.Int("nlist")) }

// scanWork is that of copying the vectors, and of comparing with every one.
func scanWork(n, dim int, _ Params) (build, search float64) {
	return float64(n) * float64(dim), float64(n) * float64(dim)
}

// listWork is that of splitting vectors into nlist cells, and of choosing among them. Faiss clusters
// in ten rounds, over at most 256 vectors a cell.
func listWork(n, dim int, p Params) (build, search float64) {
	nlist, d := float64(p.Int("nlist")), float64(dim)
	rows := min(float64(trainRows(n, p)), 256*nlist)
	return (10*rows + float64(n)) * nlist * d, nlist * d
}

// pqWork is the factory's, for the cells that are probed.
func pqWork(n, dim int, p Params) (build, search float64) {
	name := "ivfpq-faiss"
	if _, ok := p["residual"]; ok {
		name = "ivfpqfs-faiss"
	}
	return factoryWork(name)(n, dim, p)
}

// factoryWork is what the description of an index of the family called name says of its work: that of
// the build, of choosing among cells and scanning as many as are probed, or of a graph's steps, and of
// comparing again.
func factoryWork(name string) func(n, dim int, p Params) (build, search float64) {
	return func(n, dim int, p Params) (build, search float64) {
		f := mustFactory(name, n, dim, p)
		build, search = f.work(n, trainRows(n, p), dim)
		if f.nlist > 0 {
			probes := p.Int("nprobe")
			search += float64(min(max(1, probes), f.nlist)-1) * float64(n) / float64(f.nlist) * float64(dim) / 16
		}
		return build, search
	}
}

// maxTrain keeps a number of training vectors within what a Param's float64 range and an ID can hold.
const maxTrain = 1<<31 - 1

const (
	trainDoc = " The k-means draws from a seed that Faiss fixes, so the seed has no effect. " +
		"With fewer than 39 vectors a centroid Faiss prints a warning on stderr and continues."
	refineDoc = " Refinement compares the k·k_factor best answers again, by the vectors (flat) or by finer codes (fp16, sq8), which the index keeps beside its lists: see refine."
	cosineDoc = " Cosine is the inner product of copies scaled to length 1."
)

// scalarCodes are Faiss's names of the types of scalarParam.
var scalarCodes = map[string]string{"4bit": "SQ4", "6bit": "SQ6", "8bit": "SQ8", "fp16": "SQfp16", "bf16": "SQbf16"}

func refineParam(usual string) Param {
	return Param{Name: "refine", Kind: Word, Default: usual, Words: []string{"none", "flat", "fp16", "sq8"}, Doc: "what the best answers are compared again with: the vectors (flat, 4 bytes a dimension), or codes of 2 bytes (fp16) or 1 (sq8) a dimension"}
}

var (
	hnswM            = Param{Name: "M", Kind: Int, Default: 32, Min: 2, Max: 1024, Doc: "links a vector on each upper layer; the lowest layer has twice as many"}
	hnswConstruction = Param{Name: "efConstruction", Kind: Int, Default: 40, Min: 1, Max: 100000, Doc: "candidates kept while a vector's links are chosen (40 is Faiss's own default)"}
	hnswSearch       = Param{Name: "efSearch", Kind: Int, Default: 64, Min: 1, Max: 1000000, Doc: "steps of a search, and candidates kept in it, where they are at least k; a value below k still searches less, with worse answers (Faiss's own default is 16)"}
)

var (
	nlistParam   = Param{Name: "nlist", Kind: Int, Default: 256, Min: 1, Max: 1 << 24, Scale: PowersOfTwo, Grows: 0.5, Doc: "cells that the set is split into; at most as many as there are vectors to train on"}
	trainParam   = Param{Name: "train", Kind: Int, Default: 0, Min: 0, Max: maxTrain, Scale: Fixed, Doc: "vectors to train on, taken at equal steps through the set; 0 is all of them. Faiss itself draws 256 for each centroid where it is given more"}
	opqParam     = Param{Name: "opq", Kind: Bool, Default: false, Scale: Fixed, Doc: "learn a rotation first under which the codes lose less (OPQ; Ge, He, Ke, Sun: Optimized Product Quantization, TPAMI 2014): fifty rounds of training the codes, so minutes"}
	pcaParam     = Param{Name: "pca", Kind: Int, Default: 0, Min: 0, Max: 1 << 16, Scale: Fixed, Doc: "dimensions to reduce the vectors to first, by principal components and a random rotation (PCAR); 0 keeps all. What refines compares in all dimensions"}
	scalarParam  = Param{Name: "type", Kind: Word, Default: "8bit", Words: []string{"4bit", "6bit", "8bit", "fp16", "bf16"}, Doc: "what a component is rounded to: so many bits between the least and the most that the set has in that dimension, or a shorter floating-point number"}
	kFactorParam = Param{Name: "k_factor", Kind: Int, Default: 4, Min: 1, Max: 1000, Doc: "times k best answers are compared again (k_factor_rf in Faiss); has no effect where refine is none"}
	nprobeParam  = Param{Name: "nprobe", Kind: Int, Default: 8, Min: 1, Max: 1 << 24, Doc: "cells that a query scans; more than nlist means all (Faiss's own default is 1)"}
)

// trainRows is how many of n vectors a family trains on.
func trainRows(n int, p Params) int {
	if t, ok := p["train"].(int); ok && t > 0 {
		return min(t, n)
	}
	return n
}

// fitsLists reports an nlist that k-means cannot fill. Faiss's own words for it are "Number of
// training points (n) should be at least as large as number of clusters".
func fitsLists(n int, p Params) error {
	if nlist, rows := p.Int("nlist"), trainRows(n, p); nlist > rows {
		return fmt.Errorf("nlist=%d needs at least %d vectors to train on, there are %d: use nlist=%d or less%s",
			nlist, nlist, rows, rows, moreTraining(n, rows, nlist))
	}
	return nil
}

func fitsPQ(n, dim int, p Params) error {
	if err := fitsCoded(n, dim, p); err != nil {
		return err
	}
	m, nbits, of := p.Int("m"), 4, "the %d dimensions"
	if bits, ok := p["nbits"].(int); ok {
		nbits = bits
	}
	if left := reducedDim(dim, p); left != dim {
		dim, of = left, "the %d dimensions that pca leaves"
	}
	if m > 0 && dim%m != 0 {
		return fmt.Errorf("m=%d does not divide "+of+": use m=%s", m, dim, nearestDivisors(dim, m, " or m="))
	}
	rows := trainRows(n, p)
	if 1<<nbits > rows {
		fix := ""
		if _, ok := p["nbits"]; ok {
			most := 0
			for 1<<(most+1) <= rows {
				most++
			}
			fix = "there must be at least 2"
			if most > 0 {
				fix = fmt.Sprintf("use nbits=%d or less", most)
			}
			fix = ": " + fix
		}
		return fmt.Errorf("nbits=%d needs at least %d vectors to train on, there are %d%s%s",
			nbits, 1<<nbits, rows, fix, moreTraining(n, rows, 1<<nbits))
	}
	if p.Bool("opq") && rows < 256 {
		return fmt.Errorf("opq needs at least 256 vectors to train on, there are %d: leave opq out%s", rows, moreTraining(n, rows, 256))
	}
	return nil
}

// moreTraining is the other way out, where the setting train is what makes the vectors too few.
func moreTraining(n, rows, need int) string {
	if rows < n && need <= n {
		return fmt.Sprintf(", or train=%d or more", need)
	}
	return ""
}

// nearestDivisors names the largest divisor of dim below m and the smallest above it, with or between
// them.
func nearestDivisors(dim, m int, or string) string {
	below, above := 0, 0
	for d := min(m, dim); d >= 1 && below == 0; d-- {
		if dim%d == 0 {
			below = d
		}
	}
	for d := m; d <= dim && above == 0; d++ {
		if dim%d == 0 {
			above = d
		}
	}
	if above == 0 {
		return fmt.Sprint(below)
	}
	return fmt.Sprintf("%d%s%d", below, or, above)
}

// ivfFlatBytes counts, for each vector, its components and an 8-byte id, and the centroids. A list
// grows by doubling while vectors are added, so a built index may hold up to twice the lists' bytes
// until it has been saved and loaded.
func ivfFlatBytes(n, dim int, p Params) int64 {
	return int64(n)*(4*int64(dim)+8) + 4*int64(p.Int("nlist"))*int64(dim)
}

// factoryBytes is what the description of an index of the family called name says: for each vector its
// code, an 8-byte id in inverted lists, the links of a graph, the vector or its second code where it is
// refined; the coarse centroids and the code books; and the matrices of transforms. Lists grow as
// [ivfFlatBytes] says.
func factoryBytes(name string) func(n, dim int, p Params) int64 {
	return func(n, dim int, p Params) int64 { return int64(mustFactory(name, n, dim, p).bytes(n, dim)) }
}

// factoryTables is the table of nlist·m·2^nbits floats that Faiss computes to make searches of PQ residuals faster: under
// l2 alone (not of the inner product, which cosine is), and unless it is over 2 GiB.
func factoryTables(name string) func(n, dim int, m vec.Metric, p Params) int64 {
	return func(n, dim int, m vec.Metric, p Params) int64 {
		f := mustFactory(name, n, dim, p)
		if m != vec.L2 || f.table == nil {
			return 0
		}
		return int64(f.table(dim))
	}
}

// hnswBytes counts, for each vector, its components, 2M links of 4 bytes on the lowest layer, M links
// on each of the 1/(M-1) upper layers that it is on by expectation, its level (4 bytes) and the place
// of its links (8).
func hnswBytes(n, dim int, p Params) int64 {
	m := float64(p.Int("M"))
	upper := 4 * m / (m - 1)
	return int64(n)*(4*int64(dim)+8*int64(m)+12) + int64(float64(n)*upper)
}

// faissRecipe is the description that Faiss's factory takes for an index of the family called name.
// "np" is "no polysemous training".
func faissRecipe(name string, dim int, p Params) string {
	coded := func(index string) string {
		if n, ok := p["pca"].(int); ok && n > 0 {
			index = fmt.Sprintf("PCAR%d,%s", n, index)
		}
		return index + map[string]string{"none": "", "flat": ",RFlat", "fp16": ",Refine(SQfp16)", "sq8": ",Refine(SQ8)"}[p.Word("refine")]
	}
	rotated := func(parts int, index string) string {
		if p.Bool("opq") {
			return fmt.Sprintf("OPQ%d,%s", parts, index)
		}
		return index
	}
	switch name {
	case "flat-faiss":
		return "Flat"
	case "ivfflat-faiss":
		return fmt.Sprintf("IVF%d,Flat", p.Int("nlist"))
	case "ivfpq-faiss":
		return coded(rotated(p.Int("m"), fmt.Sprintf("IVF%d,PQ%dx%dnp", p.Int("nlist"), p.Int("m"), p.Int("nbits"))))
	case "ivfpqfs-faiss":
		m := fastScanCodes(reducedDim(dim, p), p.Int("m"))
		return coded(rotated(m, fmt.Sprintf("IVF%d,PQ%dx4fs%s", p.Int("nlist"), m, map[bool]string{true: "r"}[p.Bool("residual")])))
	case "ivfsq-faiss":
		return coded(fmt.Sprintf("IVF%d,%s", p.Int("nlist"), scalarCodes[p.Word("type")]))
	case "ivfrabitq-faiss":
		index := fmt.Sprintf("IVF%d,RaBitQ", p.Int("nlist"))
		if p.Bool("rotate") && p.Int("pca") == 0 { // PCAR turns by a random rotation, too
			index = "RR," + index
		}
		return coded(index)
	case "hnsw-faiss":
		return fmt.Sprintf("HNSW%d", p.Int("M"))
	case "hnswsq-faiss":
		return coded(fmt.Sprintf("HNSW%d,%s", p.Int("M"), scalarCodes[p.Word("type")]))
	case "faiss":
		return p.Word("factory")
	}
	panic("indexes: no Faiss recipe for " + name)
}

// mustFactory is the description of an index of the family called name, read. Settings that have passed
// [Family.Settings] have one.
func mustFactory(name string, n, dim int, p Params) *factory {
	f, err := parseFactory(faissRecipe(name, dim, p))
	if err != nil {
		panic("indexes: " + name + ": " + err.Error())
	}
	return f
}

// reducedDim is the number of dimensions that is left of dim.
func reducedDim(dim int, p Params) int {
	if n, ok := p["pca"].(int); ok && n > 0 {
		return n
	}
	return dim
}

// fastScanCodes is how many codes of 4 bits a vector of dim dimensions has where m are asked for.
func fastScanCodes(dim, m int) int {
	if m > 0 {
		return m
	}
	for m = max(1, dim/4); dim%m != 0; m-- {
	}
	return m
}

// keepsCodes says whether an index keeps codes in place of the vectors.
func keepsCodes(p Params) bool {
	if refine, ok := p["refine"].(string); ok {
		return refine != "flat"
	}
	f, err := parseFactory(p.Word("factory"))
	return err == nil && !f.vectors
}

// effectiveRefine is nprobe at most nlist, and k_factor no more than asks for all vectors, or 1 where
// nothing is refined.
func effectiveRefine(n, k int, p Params) {
	if _, ok := p["nprobe"]; ok {
		effectiveProbes(n, k, p)
	}
	p["k_factor"] = min(p.Int("k_factor"), (n+k-1)/k)
	if p.Word("refine") == "none" {
		p["k_factor"] = 1
	}
}

// factorySearch are the search settings of the family faiss: those of Faiss's ParameterSpace, and
// qb. 0 is what Faiss begins with.
var factorySearch = []Param{
	{Name: "nprobe", Kind: Int, Default: 0, Min: 0, Max: 1 << 24, Doc: "of inverted lists: cells that a query scans (0 is 1)"},
	{Name: "k_factor_rf", Kind: Int, Default: 0, Min: 0, Max: 1000, Doc: "of RFlat and Refine: times k answers are compared again (0 is 1)"},
	{Name: "efSearch", Kind: Int, Default: 0, Min: 0, Max: 1000000, Doc: "of HNSW: candidates kept in a search (0 is 16)"},
	{Name: "quantizer_efSearch", Kind: Int, Default: 0, Min: 0, Max: 1000000, Doc: "of IVF65536_HNSW32 and the like: candidates kept in the search for cells (0 is 16)"},
	{Name: "quantizer_nprobe", Kind: Int, Default: 0, Min: 0, Max: 1 << 24, Doc: "of IVF65536(IVF256,Flat) and the like: cells that the search for cells scans (0 is 1)"},
	{Name: "k_factor", Kind: Int, Default: 0, Min: 0, Max: 1000, Doc: "of PQ32+16: times k answers are compared again by the second code (0 is 4)"},
	{Name: "ht", Kind: Int, Default: 0, Min: 0, Max: 1 << 20, Doc: "of PQ: bits that codes may differ in to be looked at, a filter that polysemous training makes possible (0 is no filter)"},
	{Name: "max_codes", Kind: Int, Default: 0, Min: 0, Max: 1 << 30, Doc: "of IMI: codes that a query looks at, at most (0 is all)"},
	{Name: "qb", Kind: Int, Default: 0, Min: 0, Max: 8, Doc: "of RaBitQ: bits a component of the query is rounded to (0 is not rounded)"},
}

// factoryDefaults is what Faiss begins with, where that is not 0.
var factoryDefaults = map[string]int{
	"nprobe": 1, "k_factor_rf": 1, "efSearch": 16, "quantizer_efSearch": 16, "quantizer_nprobe": 1, "k_factor": 4, "ht": 1 << 20,
}

// effectiveFactory puts what Faiss begins with for 0, and the least and the most that differ.
func effectiveFactory(n, k int, p Params) {
	f, err := parseFactory(p.Word("factory"))
	if err != nil {
		return
	}
	for _, name := range f.settings {
		v, ok := p[name].(int)
		if !ok {
			continue
		}
		switch name {
		case "nprobe":
			v = min(max(v, 1), f.nlist)
		case "k_factor_rf":
			v = min(max(v, 1), (n+k-1)/k)
		case "ht", "max_codes", "qb":
		default:
			if v == 0 {
				v = factoryDefaults[name]
			}
		}
		p[name] = v
	}
}

// fitsFactory reports what the description asks of the data that these are not, and settings that the
// index has no use for.
func fitsFactory(n, dim int, p Params) error {
	text := p.Word("factory")
	f, err := parseFactory(text)
	if err != nil {
		return err
	}
	for _, param := range factorySearch {
		if v, ok := p[param.Name].(int); ok && v != 0 && !slices.Contains(f.settings, param.Name) {
			has := "no search setting at all"
			if len(f.settings) > 0 {
				has = strings.Join(f.settings, ", ")
			}
			return fmt.Errorf("%s=%d: %q has no such setting; it has %s", param.Name, v, text, has)
		}
	}
	if ef := p.Int("efConstruction"); ef != 0 && !strings.Contains(text, "HNSW") {
		return fmt.Errorf("efConstruction=%d: %q has no HNSW", ef, text)
	}
	if err := f.fits(trainRows(n, p), dim); err != nil {
		return fmt.Errorf("factory: %q: %w", text, err)
	}
	return nil
}

// takenByFaiss reports why Faiss itself does not take the description, which [fitsFactory] has taken.
func takenByFaiss(dim int, m vec.Metric, p Params) error {
	if err := faissTakes(p.Word("factory"), dim, m); err != nil {
		return fmt.Errorf("factory: %q: %w", p.Word("factory"), err)
	}
	return nil
}

// fitsCoded reports what the settings of a family by name ask of the data that these are not.
func fitsCoded(n, dim int, p Params) error {
	if pca, ok := p["pca"].(int); ok && pca > 0 {
		if pca > dim {
			return fmt.Errorf("pca=%d is more than the %d dimensions: use pca=%d or less, or 0 for none", pca, dim, dim)
		}
		if rows := trainRows(n, p); pca > rows {
			return fmt.Errorf("pca=%d needs at least %d vectors to train on, there are %d: use pca=%d or less, or 0 for none", pca, pca, rows, rows)
		}
	}
	if _, ok := p["nlist"]; ok {
		return fitsLists(n, p)
	}
	return nil
}
