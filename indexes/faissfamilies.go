package indexes

import (
	"context"
	"fmt"
	"math"

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
			Doc: "Inverted lists of product-quantised residuals (IndexIVFPQ; Jégou, Douze, Schmid: Product Quantization for Nearest Neighbor Search, TPAMI 2011): a vector is m codes of nbits, distances are estimates and are not corrected against the vectors, which caps recall whatever nprobe is. " +
				"It is built without the polysemous step that Faiss's factory string adds by default: that step reorders codes for a filter which is off, does not change an answer, and takes most of the training time (IVF256,PQ64 on 10,000 × 512, one thread: 218 s with it, 9 s without)." + trainDoc + cosineDoc,
			Build: []Param{
				nlistParam,
				{Name: "m", Kind: Int, Default: 16, Min: 1, Max: 4096, Doc: "codes a vector: it is cut into m parts of equal width, so m must divide the number of dimensions"},
				{Name: "nbits", Kind: Int, Default: 8, Min: 1, Max: 8, Doc: "bits a code: each part has 2^nbits centroids"},
				{Name: "train", Kind: Int, Default: 0, Min: 0, Max: maxTrain, Doc: "vectors to train on, taken at equal steps through the set; 0 is all of them. Faiss itself draws 256 for each centroid where it is given more"},
			},
			Search:    []Param{nprobeParam},
			Codes:     true,
			Fits:      fitsPQ,
			Effective: effectiveProbes,
			Work:      pqWork,
			Bytes:     ivfPQBytes,
		},
		{
			Name: "hnsw-faiss",
			Doc: "Hierarchical navigable small world graph over whole vectors (IndexHNSWFlat; Malkov, Yashunin: Efficient and robust approximate nearest neighbor search using HNSW graphs, TPAMI 2018). " +
				"It copies the vectors. The level of each vector and the order of insertion come from generators whose seeds Faiss fixes, so the seed has no effect; built with more than one thread, the graph also depends on their timing. " +
				"A build cannot be stopped half-way." + cosineDoc,
			Build: []Param{
				{Name: "M", Kind: Int, Default: 32, Min: 2, Max: 1024, Doc: "links a vector on each upper layer; the lowest layer has twice as many"},
				{Name: "efConstruction", Kind: Int, Default: 40, Min: 1, Max: 100000, Doc: "candidates kept while a vector's links are chosen (40 is Faiss's own default)"},
			},
			Search: []Param{
				{Name: "efSearch", Kind: Int, Default: 64, Min: 1, Max: 1000000, Doc: "steps of a search, and candidates kept in it, where they are at least k; a value below k still searches less, with worse answers (Faiss's own default is 16)"},
			},
			Work: func(n, dim int, p Params) (build, search float64) {
				hop := 2 * float64(p.Int("M")) * float64(dim) // distances to the links of one vector
				depth := math.Log2(float64(n) + 2)
				return float64(n) * (float64(p.Int("efConstruction")) + depth) * hop, (float64(p.Int("efSearch")) + depth) * hop
			},
			Bytes: hnswBytes,
		},
	}
	for _, f := range families {
		f.Batch = true
		f.Library = "faiss"
		f.Metrics = metrics
		f.Missing = faissMissing
		f.Open = func(ctx context.Context, in BuildInput) (Index, error) { return openFaiss(ctx, f, in) }
		f.Load = func(path string, in BuildInput) (Index, error) { return loadFaiss(path, f, in) }
	}
	return families
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

// pqWork adds the code books, learnt in 25 rounds over at most 256 vectors a centroid, the encoding,
// and for each list that is probed a table of distances, then a look-up for each code.
func pqWork(n, dim int, p Params) (build, search float64) {
	build, search = listWork(n, dim, p)
	centroids := float64(int(1) << p.Int("nbits"))
	rows := min(float64(trainRows(n, p)), 256*centroids)
	build += (25*rows + float64(n)) * centroids * float64(dim)
	probes := float64(min(p.Int("nprobe"), p.Int("nlist")))
	search += probes * (centroids*float64(dim) + float64(n)/float64(p.Int("nlist"))*float64(p.Int("m")))
	return build, search
}

// maxTrain keeps a number of training vectors within what a Param's float64 range and an ID can hold.
const maxTrain = 1<<31 - 1

const (
	trainDoc = " The k-means draws from a seed that Faiss fixes, so the seed has no effect. " +
		"With fewer than 39 vectors a centroid Faiss prints a warning on stderr and goes on."
	cosineDoc = " Cosine is the inner product of copies scaled to length 1."
)

var (
	nlistParam  = Param{Name: "nlist", Kind: Int, Default: 256, Min: 1, Max: 1 << 24, Doc: "cells that the set is split into; at most as many as there are vectors to train on"}
	nprobeParam = Param{Name: "nprobe", Kind: Int, Default: 8, Min: 1, Max: 1 << 24, Doc: "cells that a query scans; more than nlist means all (Faiss's own default is 1)"}
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
	m, nbits := p.Int("m"), p.Int("nbits")
	if dim%m != 0 {
		return fmt.Errorf("m=%d does not divide the %d dimensions: use m=%s", m, dim, nearestDivisors(dim, m))
	}
	if err := fitsLists(n, p); err != nil {
		return err
	}
	if rows := trainRows(n, p); 1<<nbits > rows {
		most := 0
		for 1<<(most+1) <= rows {
			most++
		}
		fix := "there must be at least 2"
		if most > 0 {
			fix = fmt.Sprintf("use nbits=%d or less", most)
		}
		return fmt.Errorf("nbits=%d needs at least %d vectors to train on, there are %d: %s%s",
			nbits, 1<<nbits, rows, fix, moreTraining(n, rows, 1<<nbits))
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

// nearestDivisors names the largest divisor of dim below m and the smallest above it.
func nearestDivisors(dim, m int) string {
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
	return fmt.Sprintf("%d or m=%d", below, above)
}

// ivfFlatBytes counts, for each vector, its components and an 8-byte id, and the centroids. A list
// grows by doubling while vectors are added, so a built index may hold up to twice the lists' bytes
// until it has been saved and loaded.
func ivfFlatBytes(n, dim int, p Params) int64 {
	return int64(n)*(4*int64(dim)+8) + 4*int64(p.Int("nlist"))*int64(dim)
}

// ivfPQBytes counts, for each vector, ⌈m·nbits/8⌉ bytes of codes and an 8-byte id; the coarse
// centroids; the code book; and the table of nlist·m·2^nbits floats that Faiss computes under l2 to
// make searches faster, unless it is over 2 GiB. Under ip and cosine there is no such table. Lists
// grow as [ivfFlatBytes] says.
func ivfPQBytes(n, dim int, p Params) int64 {
	nlist, m, nbits := int64(p.Int("nlist")), int64(p.Int("m")), int64(p.Int("nbits"))
	table := 4 * nlist * m << nbits
	if table > 1<<31 {
		table = 0
	}
	return int64(n)*((m*nbits+7)/8+8) + 4*nlist*int64(dim) + 4*int64(dim)<<nbits + table
}

// hnswBytes counts, for each vector, its components, 2M links of 4 bytes on the lowest layer, M links
// on each of the 1/(M-1) upper layers that it is on by expectation, its level (4 bytes) and the place
// of its links (8).
func hnswBytes(n, dim int, p Params) int64 {
	m := float64(p.Int("M"))
	upper := 4 * m / (m - 1)
	return int64(n)*(4*int64(dim)+8*int64(m)+12) + int64(float64(n)*upper)
}
