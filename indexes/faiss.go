//go:build faiss

package indexes

// Everything that the C API can do goes through the module go-faiss; what it cannot do, the number of threads
// among it, is in package faissshim. OpenMP keeps the number of threads, and Faiss its last error, for each
// operating-system thread, so a goroutine is locked to one around the setting, the call and its error.
// A search by a direct call to the C API, into buffers that are used again, was 1.01 to 1.05 times
// faster than that at 5 µs a query: not worth a second binding.

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"unsafe"

	"github.com/DataIntelligenceCrew/go-faiss"

	"annbench/indexes/faissshim"
	"annbench/indexes/vec"
)

// TrimHeap gives memory that C libraries have freed back to the system, so that what is left is in use.
func TrimHeap() { faissshim.TrimHeap() }

// faissLacks is why the Faiss of this build lacks a family; it is empty where it has it.
func faissLacks(family string) string {
	var need string
	switch family {
	case "ivfrabitq-faiss":
		need = "RaBitQ"
	case "faiss":
		need = "settings"
	default:
		return ""
	}
	if faissshim.Full() {
		return ""
	}
	have := faissshim.Version()
	if have == "" {
		have = "of unknown version"
	}
	if need == "RaBitQ" {
		return "RaBitQ came with Faiss 1.11; this one is " + have
	}
	return "it wants Faiss 1.11 or later, installed with its C++ headers; this one is " + have
}

// faissTakes is Faiss's own reason why it does not take a description for vectors of dim dimensions under m.
// [parseFactory] must have taken it.
func faissTakes(text string, dim int, m vec.Metric) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	index, err := faiss.IndexFactory(dim, text, faissMetric(m))
	if err != nil {
		return faissReason(err)
	}
	index.Delete()
	return nil
}

// faissPlace is what Faiss puts before its reason: the function, with all of its template arguments, and
// the line of its sources, and the condition that failed.
var faissPlace = regexp.MustCompile(`^(?s)Error in .* at [^ ]+:[0-9]+: (Error: '[^']*' failed: )?`)

// faissReason is an error of Faiss without the place in its sources.
func faissReason(err error) error {
	return fmt.Errorf("the reason of Faiss: %s", strings.TrimSpace(faissPlace.ReplaceAllString(err.Error(), "")))
}

// FaissVersion is the version of the Faiss in this build and what it was compiled for ("1.7.3 AVX2"),
// or "" where there is none. The version is left out where Faiss was installed without its C++
// headers, the only place where it stands.
func FaissVersion() string {
	return strings.TrimSpace(faissshim.Version() + " " +
		strings.TrimSpace(strings.TrimPrefix(faissshim.Options(), "OPTIMIZE")))
}

// faissIndex is one index inside Faiss. It owns C memory until Close.
type faissIndex struct {
	family *Family
	metric vec.Metric
	dim, n int
	build  Params           // complete build settings
	index  *faiss.IndexImpl // nil once closed
	units  sync.Pool        // of *[]float32, of dim values: the query scaled to length 1, under cosine

	updated  faissUpdates
	answered sync.Pool // of *faissAnswer

	factory   *factory
	estimates bool // the distances are not those of the vectors as they were given
}

// faissAddBlock is how many vectors are added at a time to inverted lists, so that a build can be
// stopped: it is the block that Faiss itself cuts such an addition into. The other kinds take all at
// once: a flat index that grows keeps up to twice the memory, and a graph that grows is another graph.
const faissAddBlock = 65536

// openFaiss builds an index. ctx is looked at before training, before adding and between blocks of
// inverted lists; one call into Faiss cannot be stopped.
func openFaiss(ctx context.Context, f *Family, in BuildInput) (_ Index, err error) {
	fail := func(err error) error { return fmt.Errorf("building %s: %w", f.Name, err) }
	v := in.Vectors
	if v.Rows < 1 || v.Dim < 1 || len(v.Data) != v.Rows*v.Dim {
		return nil, fail(fmt.Errorf("%d values are not %d vectors of %d dimensions, at least one of each", len(v.Data), v.Rows, v.Dim))
	}
	if !f.Supports(in.Metric) {
		return nil, fail(fmt.Errorf("metric %q is not supported: it has %v", in.Metric, f.Metrics))
	}
	params, err := f.Settings(slices.Concat(f.Build, f.Search), in.Params)
	if err != nil {
		return nil, err
	}
	if err := f.CheckFit(v.Rows, v.Dim, in.Metric, params); err != nil {
		return nil, fail(err)
	}
	if err := ctx.Err(); err != nil {
		return nil, fail(err)
	}

	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	omp, blas := max(1, in.Threads), 1
	if slices.Contains([]string{"ivfflat-faiss", "ivfsq-faiss", "ivfrabitq-faiss"}, f.Name) { // k-means over whole vectors is a matrix product
		omp, blas = blas, omp
	}
	setFaissThreads(omp, blas)

	index, err := faiss.IndexFactory(v.Dim, faissRecipe(f.Name, v.Dim, params), faissMetric(in.Metric))
	if err != nil {
		return nil, fail(faissReason(err))
	}
	x := newFaissIndex(f, in.Metric, params, index)
	defer func() {
		if err != nil {
			err = fail(err)
			x.Close()
		}
	}()
	if ef, ok := params["efConstruction"].(int); ok && ef > 0 {
		if err := x.set(Params{"efConstruction": ef}); err != nil {
			return nil, err
		}
	}
	if !f.Exact && in.Metric != vec.Cosine {
		if err := faissMeasurable(v); err != nil {
			return nil, err
		}
	}
	if !index.IsTrained() {
		in.begin("train")
		if err := x.train(v, trainRows(v.Rows, params)); err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	in.begin("add")
	if err := x.add(ctx, v); err != nil {
		return nil, err
	}
	if err := x.check(); err != nil {
		return nil, err
	}
	if f.Name == "faiss" {
		if err := x.agrees(); err != nil {
			return nil, err
		}
	}
	if err := x.set(faissOnly(f.Search, params)); err != nil {
		return nil, err
	}
	return x, nil
}

// setFaissThreads sets how many threads Faiss uses for what the calling operating-system thread does
// next, and how many BLAS uses in the whole process: of two builds or batches at once, the later wins.
// blas = 0 leaves BLAS alone. Never both: idle threads of one kind spin where those of the other want
// to work.
//
// Spinning also hurts OpenMP alone where a core is shared with another process: training a product
// quantiser (IVF32,PQ64x6 on 4,000 × 512, 2 busy cores) took 1.0 s on one thread and 9.8 s on two, but
// 1.2 s with OMP_WAIT_POLICY=PASSIVE, which the runtime reads when the process starts.
func setFaissThreads(omp, blas int) {
	faissshim.SetThreads(omp, blas)
}

func faissMetric(m vec.Metric) int {
	if m == vec.L2 {
		return faiss.MetricL2
	}
	return faiss.MetricInnerProduct
}

// newFaissIndex takes index over. params holds the build settings, and may hold more.
func newFaissIndex(f *Family, m vec.Metric, params Params, index *faiss.IndexImpl) *faissIndex {
	x := &faissIndex{
		family: f,
		metric: m,
		dim:    index.D(),
		n:      int(index.Ntotal()),
		build:  faissOnly(f.Build, params),
		index:  index,
	}
	x.factory = mustFactory(f.Name, x.n, x.dim, params)
	x.estimates = !x.factory.exact
	x.units.New = func() any { return new(make([]float32, x.dim)) }
	return x
}

// faissOnly returns the settings of p that are among params.
func faissOnly(params []Param, p Params) Params {
	out := make(Params, len(params))
	for _, param := range params {
		if v, ok := p[param.Name]; ok {
			out[param.Name] = v
		}
	}
	return out
}

// train trains on rows of v's vectors, at equal steps.
func (x *faissIndex) train(v vec.Matrix, rows int) error {
	if rows == v.Rows && x.metric != vec.Cosine {
		return x.trainOn(v)
	}
	s, free, err := faissBuffer(rows, v.Dim)
	if err != nil {
		return err
	}
	defer free()
	for i := range rows {
		row := v.Row(int(int64(i) * int64(v.Rows) / int64(rows)))
		if x.metric == vec.Cosine {
			faissUnit(s.Row(i), row)
		} else {
			copy(s.Row(i), row)
		}
	}
	return x.trainOn(s)
}

// faissMeasurable reports a vector so long that a squared distance in float32 may overflow: on such vectors training writes
// outside of its memory, and a search of a graph reads outside of it.
func faissMeasurable(v vec.Matrix) error {
	for i := range v.Rows {
		sum := 0.0
		for _, x := range v.Row(i) {
			sum += float64(x) * float64(x)
		}
		if sum > math.MaxFloat32/4 {
			return fmt.Errorf("vector %d is %.3g long: its squared distances are too large for a float32; scale the vectors down", i, math.Sqrt(sum))
		}
	}
	return nil
}

func (x *faissIndex) trainOn(v vec.Matrix) error {
	err := error(nil)
	if faissshim.Full() {
		err = faissshim.Train(x.pointer(), v.Data, v.Dim)
	} else {
		err = x.index.Train(v.Data)
	}
	if err != nil {
		return faissReason(err)
	}
	return nil
}

func (x *faissIndex) add(ctx context.Context, v vec.Matrix) error {
	block := v.Rows
	if x.factory.lists {
		block = min(block, faissAddBlock)
	}
	var s vec.Matrix
	if x.metric == vec.Cosine {
		var free func()
		var err error
		if s, free, err = faissBuffer(block, v.Dim); err != nil {
			return err
		}
		defer free()
	}
	for from := 0; from < v.Rows; from += block {
		if err := ctx.Err(); err != nil {
			return err
		}
		part := v.Slice(from, min(from+block, v.Rows))
		if x.metric == vec.Cosine {
			for i := range part.Rows {
				faissUnit(s.Row(i), part.Row(i))
			}
			part = s.Slice(0, part.Rows)
		}
		if err := x.index.Add(part.Data); err != nil {
			return faissReason(err)
		}
	}
	x.n = v.Rows
	return nil
}

// faissBuffer is a matrix outside Go's heap, so that a copy that the build needs for a moment is given
// back at once and does not count as the index's memory. The caller calls free.
func faissBuffer(rows, dim int) (m vec.Matrix, free func(), err error) {
	data, free := faissshim.Floats(rows * dim)
	if data == nil {
		return vec.Matrix{}, nil, fmt.Errorf("no memory for a copy of %d vectors of %d dimensions", rows, dim)
	}
	return vec.Matrix{Data: data, Rows: rows, Dim: dim}, free, nil
}

// faissUnit writes a, scaled to length 1, to dst; a zero vector stays zero. The length is summed in
// float64 and not by [vec.Norm]: its error would be that of 1 - cos, which has no digits to spare
// where vectors are near, and no finite float32 vector overflows or vanishes there.
func faissUnit(dst, a []float32) {
	dst = dst[:len(a)]
	var sum0, sum1, sum2, sum3 float64
	i := 0
	for ; i+4 <= len(a); i += 4 {
		sum0 += float64(a[i]) * float64(a[i])
		sum1 += float64(a[i+1]) * float64(a[i+1])
		sum2 += float64(a[i+2]) * float64(a[i+2])
		sum3 += float64(a[i+3]) * float64(a[i+3])
	}
	for ; i < len(a); i++ {
		sum0 += float64(a[i]) * float64(a[i])
	}
	scale := 0.0
	if sum := sum0 + sum1 + sum2 + sum3; sum > 0 {
		scale = 1 / math.Sqrt(sum)
	}
	for i, y := range a {
		dst[i] = float32(float64(y) * scale)
	}
}

// check compares what Faiss holds with what it should hold.
func (x *faissIndex) check() error {
	switch {
	case !x.index.IsTrained():
		return errors.New("the index is untrained")
	case x.index.D() != x.dim || x.index.Ntotal() != int64(x.n):
		return fmt.Errorf("the index holds %d vectors of %d dimensions, not %d of %d", x.index.Ntotal(), x.index.D(), x.n, x.dim)
	case x.index.MetricType() != faissMetric(x.metric):
		return fmt.Errorf("the index is of metric number %d, not %d", x.index.MetricType(), faissMetric(x.metric))
	}
	return nil
}

// set hands settings to Faiss, in order of their names: those that the index has.
func (x *faissIndex) set(p Params) error {
	names := make([]string, 0, len(p))
	for name := range p {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		value := p.Int(name)
		switch {
		case name == "k_factor" && x.family.Name != "faiss":
			if x.factory.refined == "" {
				continue // nothing to compare again with
			}
			name = "k_factor_rf"
		case name == "efConstruction":
		case !slices.Contains(x.factory.settings, name):
			continue // [fitsFactory] has seen to it that the value is 0
		case x.family.Name == "faiss" && value == 0:
			value = factoryDefaults[name]
		}
		if name == "nprobe" { // above nlist, the fast scan of 1.12 gives the worst answers under ip
			value = min(value, max(1, x.factory.nlist))
		}
		if err := x.setOne(name, value); err != nil {
			return fmt.Errorf("setting %s=%d: %w", name, value, faissReason(err))
		}
	}
	return nil
}

func (x *faissIndex) setOne(name string, value int) error {
	if faissshim.Full() {
		return faissshim.Set(x.pointer(), name, float64(value))
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	space, err := faiss.NewParameterSpace()
	if err != nil {
		return err
	}
	defer space.Delete()
	return space.SetIndexParameter(x.index, name, float64(value))
}

// agrees reports search settings that the description is said to have, and Faiss's index has not: of a
// Faiss whose factory has changed.
func (x *faissIndex) agrees() error {
	has, err := x.listed()
	if err != nil {
		return faissReason(err)
	}
	for _, name := range x.factory.settings {
		if !slices.Contains(has, name) {
			return fmt.Errorf("%q has no setting %s in this Faiss; it has %s", x.factory.text, name, strings.Join(has, ", "))
		}
	}
	return nil
}

// listed are the search settings that the index has, as Faiss lists them, in order.
func (x *faissIndex) listed() ([]string, error) {
	list, err := faissshim.Settings(x.pointer())
	slices.Sort(list)
	return list, err
}

// pointer is the C API's pointer to the index, for the shim. go-faiss keeps it to itself, in the one field
// of the type behind its interface; its version is pinned, and TestFaissSettings would see another.
func (x *faissIndex) pointer() unsafe.Pointer {
	return reflect.ValueOf(x.index.Index).Elem().Field(0).UnsafePointer()
}

// Tune implements [Tuner].
func (x *faissIndex) Tune(p Params) error {
	if x.index == nil {
		return errClosed(x.family)
	}
	p, err := x.family.Settings(x.family.Search, p)
	if err != nil {
		return err
	}
	if err := x.set(p); err != nil {
		return fmt.Errorf("tuning %s: %w", x.family.Name, err)
	}
	return nil
}

// Search implements [Index], on one thread.
func (x *faissIndex) Search(dst []vec.Neighbor, q []float32, k int) ([]vec.Neighbor, error) {
	if x.index == nil {
		return dst, errClosed(x.family)
	}
	if err := askable(x.family, x.dim, q, k); err != nil {
		return dst, err
	}
	if x.updated.living != nil {
		return x.SearchAmong(dst, q, k, x.updated.living)
	}
	if x.metric == vec.Cosine {
		unit := x.units.Get().(*[]float32)
		defer x.units.Put(unit)
		faissUnit(*unit, q)
		q = *unit
	}
	if k = min(k, x.n); k == 0 {
		return dst, nil
	}
	distances, labels, err := x.search(1, 0, q, k)
	if err != nil {
		return dst, err
	}
	return x.answer(dst, distances, labels)
}

// SearchBatch implements [BatchSearcher], on GOMAXPROCS threads. The rows of the answer share memory.
func (x *faissIndex) SearchBatch(queries vec.Matrix, k int) ([][]vec.Neighbor, error) {
	if x.index == nil {
		return nil, errClosed(x.family)
	}
	if x.updated.living != nil {
		return nil, fmt.Errorf("searching %s: vectors were removed: it cannot be searched in batches any more", x.family.Name)
	}
	if len(queries.Data) != queries.Rows*queries.Dim {
		return nil, fmt.Errorf("searching %s: %d values are not %d queries of %d dimensions", x.family.Name, len(queries.Data), queries.Rows, queries.Dim)
	}
	for i := range queries.Rows {
		if err := askable(x.family, x.dim, queries.Row(i), k); err != nil {
			return nil, fmt.Errorf("query %d: %w", i, err)
		}
	}
	if queries.Rows == 0 {
		return [][]vec.Neighbor{}, nil
	}
	k = min(k, x.n)
	q := queries.Data
	if x.metric == vec.Cosine {
		scaled := vec.NewMatrix(queries.Rows, queries.Dim)
		for i := range queries.Rows {
			faissUnit(scaled.Row(i), queries.Row(i))
		}
		q = scaled.Data
	}
	omp, blas := runtime.GOMAXPROCS(0), 1
	if x.family.Exact && queries.Rows >= faissBLASQueries {
		omp, blas = blas, omp
	}
	distances, labels, err := x.search(omp, blas, q, k)
	if err != nil {
		return nil, err
	}
	out := make([][]vec.Neighbor, queries.Rows)
	all := make([]vec.Neighbor, 0, queries.Rows*k)
	for i := range out {
		from := len(all)
		if all, err = x.answer(all, distances[i*k:(i+1)*k], labels[i*k:(i+1)*k]); err != nil {
			return nil, err
		}
		out[i] = all[from:len(all):len(all)]
	}
	return out, nil
}

// faissBLASQueries is the number of queries from which on Faiss's flat index is a matrix product. Then
// the threads are BLAS's and not OpenMP's. Measured for 1,000 queries, 50,000 × 512, 2 cores: 0.38 s
// with two of BLAS, 0.55 with two of OpenMP, 0.97 with both; 0.56 with one of each.
const faissBLASQueries = 20

// search asks Faiss for the k nearest of each row of q, on so many threads of either kind.
func (x *faissIndex) search(omp, blas int, q []float32, k int) ([]float32, []int64, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	setFaissThreads(omp, blas)
	distances, labels, err := x.index.Search(q, int64(k))
	if err != nil {
		return nil, nil, fmt.Errorf("searching %s: %w", x.family.Name, faissReason(err))
	}
	return distances, labels, nil
}

// answer appends to dst what Faiss said about one query: without the -1 of places that it did not
// fill, as rank values, and in the order that the contract asks for, where Faiss leaves equal
// distances in any order.
func (x *faissIndex) answer(dst []vec.Neighbor, distances []float32, labels []int64) ([]vec.Neighbor, error) {
	from := len(dst)
	sorted := true
	for i, id := range labels {
		if id < 0 {
			continue
		}
		if x.updated.ids != nil {
			id = int64(x.updated.ids[id])
		}
		n := vec.Neighbor{ID: int32(id), Dist: x.rank(distances[i])}
		sorted = sorted && (len(dst) == from || dst[len(dst)-1].Less(n))
		dst = append(dst, n)
	}
	if found := len(dst) - from; x.family.Exact && found < len(labels) {
		return dst[:from], fmt.Errorf("searching %s: %d of %d answers: the other distances are too large for a float32; scale the vectors down", x.family.Name, found, len(labels))
	}
	if !sorted {
		vec.SortNeighbors(dst[from:])
	}
	return dst, nil
}

// rank turns Faiss's squared distance, or its inner product, into the rank value of the metric. What
// rounding has put below zero becomes zero, except under product quantisation, whose values are
// estimates that may well be negative, and whose order would be lost.
func (x *faissIndex) rank(d float32) float32 {
	switch x.metric {
	case vec.InnerProduct:
		return 0 - d // not -d, which makes a negative zero
	case vec.Cosine:
		d = 1 - d
	}
	if x.estimates {
		return d
	}
	return max(d, 0)
}

// Close implements [Index]. A second Close does nothing.
func (x *faissIndex) Close() error {
	if x.index != nil {
		x.index.Delete()
		x.index = nil
	}
	return nil
}
