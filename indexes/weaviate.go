package indexes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"annbench/indexes/vec"
	"annbench/indexes/weaviate"
)

// weaviateFamily is Weaviate's vector index, in a server or a cluster.
func weaviateFamily() *Family {
	f := &Family{
		Name:    "weaviate",
		Library: "weaviate",
		Remote:  &Remote{Engine: "weaviate", Drop: dropWeaviate},
		Doc: "A distributed vector database, on one node or several: a navigable small-world graph, or a scan of all. " +
			"Its searches go over the wire, whose cost is measured beside them. " +
			"Vectors are spread over the shards, every shard has an index of its own, and a search asks them all. " +
			"A build takes as many threads as the server has cores, whatever threads says.",
		Random:  true,
		Filters: true,
		Updates: UpdatesByMarking, // until the server has cleaned up
		Metrics: []vec.Metric{vec.L2, vec.Cosine, vec.InnerProduct},
		Build: []Param{
			{Name: "index", Kind: Word, Default: "hnsw", Words: []string{"hnsw", "flat"}, Doc: "a graph, or a scan of all vectors, which stay on the disk"},
			{Name: "M", Kind: Int, Default: 32, Min: 4, Max: 2047, Doc: "links a vector on each upper layer of the graph (maxConnections); the lowest layer has twice as many"},
			{Name: "efConstruction", Kind: Int, Default: 128, Min: 4, Max: 100000, Doc: "candidates kept while a vector's links are chosen"},
			{Name: "quantiser", Kind: Word, Default: "none", Words: []string{"none", "pq", "bq", "sq", "rq"}, Doc: "codes in memory in place of the vectors: product, binary, scalar or rotational quantisation; pq and sq are trained after the import. A scan takes bq alone"},
			{Name: "segments", Kind: Int, Default: 0, Min: 0, Max: 65536, Scale: Fixed, Doc: "codes a vector under pq; 0 leaves it to Weaviate. It must divide the number of dimensions"},
			{Name: "rescore", Kind: Int, Default: 20, Min: 0, Max: 100000, Doc: "candidates, at least, whose distances are computed anew from the vectors, under sq and rq, and in a scan under bq"},
			{Name: "shards", Kind: Int, Default: 0, Min: 0, Max: 1024, Scale: Fixed, Doc: "parts that the vectors are spread over; 0 is one for each node"},
			{Name: "replicas", Kind: Int, Default: 1, Min: 1, Max: 64, Scale: Fixed, Doc: "nodes that hold each shard; at most as many as there are"},
			{Name: "nodes", Kind: Int, Default: 1, Min: 1, Max: 1024, Scale: Fixed, Doc: "nodes of the cluster, which the build compares with what the cluster says"},
		},
		Search: []Param{
			{Name: "ef", Kind: Int, Default: 64, Min: 1, Max: 100000, Doc: "candidates kept in a search of the graph; a value below k means k. Changed in the schema, without a rebuild"},
		},
		Effective: func(_, k int, p Params) {
			if p.Word("index") == "flat" {
				p["ef"] = 1 // it is not looked at
				return
			}
			p["ef"] = max(k, p.Int("ef"))
		},
		Fits:  weaviateFits,
		Work:  weaviateWork,
		Bytes: weaviateBytes,
	}
	f.Open = func(ctx context.Context, in BuildInput) (Index, error) { return openWeaviate(ctx, f, in) }
	f.Load = func(path string, in BuildInput) (Index, error) { return loadWeaviate(path, f, in) }
	return f
}

func weaviateFits(_, dim int, p Params) error {
	switch q := p.Word("quantiser"); {
	case p.Word("index") == "flat" && q != "none" && q != "bq":
		return fmt.Errorf("index: flat takes the quantisers none and bq, not %s", q)
	case q == "pq" && p.Int("segments") > 0 && dim%p.Int("segments") != 0:
		return fmt.Errorf("segments=%d does not divide the %d dimensions", p.Int("segments"), dim)
	case p.Int("replicas") > p.Int("nodes"):
		return fmt.Errorf("replicas=%d needs as many nodes, and nodes=%d", p.Int("replicas"), p.Int("nodes"))
	}
	return nil
}

// weaviateWork counts as the graphs of other libraries are counted: a search compares about ef × 2M / 3
// vectors, a build as many for efConstruction.
func weaviateWork(n, dim int, p Params) (build, search float64) {
	rows, d := float64(n), float64(dim)
	if p.Word("index") == "flat" {
		return rows * d, rows * d
	}
	links := 2 * float64(p.Int("M")) / 3
	grows := math.Log2(rows + 2)
	return rows * float64(p.Int("efConstruction")) * links * d * grows / 16, float64(p.Int("ef")) * links * d * grows / 16
}

// weaviateBytes is what the index holds in memory, over all nodes: vectors or codes, and links of 8
// bytes. Objects and, under a quantiser, vectors are on the disk.
func weaviateBytes(n, dim int, p Params) int64 {
	d := int64(dim)
	each := 4 * d
	switch p.Word("quantiser") {
	case "pq":
		each = int64(p.Int("segments"))
		if each == 0 {
			each = max(1, d/4)
		}
	case "bq":
		each = 8 * ((d + 63) / 64)
	case "sq", "rq":
		each = d + 16
	}
	if p.Word("index") == "flat" {
		if p.Word("quantiser") == "none" {
			each = 8 // an id: vectors stay on the disk
		}
	} else {
		each += 8 * 2 * int64(p.Int("M"))
	}
	return int64(n) * each * int64(p.Int("replicas"))
}

// searchDeadline is how long a search may take.
const searchDeadline = 10 * time.Second

// changeDeadline is how long adding or removing may take.
const changeDeadline = 10 * time.Minute

// keepDeadline is how long marking all objects may take.
const keepDeadline = time.Hour

// controlDeadline is how long a change of the schema, a count and the like may take.
const controlDeadline = time.Minute

type weaviateIndex struct {
	family *Family
	in     BuildInput // Vectors have their shape, but no data, once it is built
	client *weaviate.Client
	nodes  int
	ef     int
	ids    numbering
	base   vec.Matrix       // the vectors, where they are known here
	sets   map[*vec.Set]int // that objects are marked with, by number
	closed atomic.Bool
}

// wireName is the empty collection of an index, by which the wire is measured.
func wireName(name string) string { return name + "_wire" }

// weaviateDistance are Weaviate's names for the metrics.
var weaviateDistance = map[vec.Metric]string{vec.L2: "l2-squared", vec.Cosine: "cosine", vec.InnerProduct: "dot"}

func openWeaviate(ctx context.Context, f *Family, in BuildInput) (_ Index, err error) {
	x, err := connectWeaviate(ctx, f, in)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			x.client.Close()
		}
	}()
	p := in.Params
	if x.nodes != p.Int("nodes") {
		return nil, fmt.Errorf("weaviate at %s has %d nodes that are healthy, not %d: give the address of a cluster that has, or another value of nodes", in.Address, x.nodes, p.Int("nodes"))
	}
	quantiser := p.Word("quantiser")
	trained := quantiser == "pq" || quantiser == "sq"
	for _, name := range []string{in.Name, wireName(in.Name)} {
		if err := x.client.Create(ctx, weaviate.Collection(name, p.Word("index"), weaviateConfig(in, !trained), cmp.Or(p.Int("shards"), x.nodes), p.Int("replicas"))); err != nil {
			return nil, err
		}
	}
	in.begin("add")
	if err := x.client.Import(ctx, in.Name, in.Vectors, 0); err != nil {
		return nil, err
	}
	if trained {
		if err := x.client.Wait(ctx, in.Name, false); err != nil {
			return nil, err
		}
		in.begin("train")
		full := weaviateConfig(in, true)
		if err := x.client.Change(ctx, in.Name, func(index map[string]any) { index[quantiser] = full[quantiser] }); err != nil {
			return nil, err
		}
	}
	if !trained {
		in.begin("finish")
	}
	if err := x.client.Wait(ctx, in.Name, trained); err != nil {
		return nil, err
	}
	return x, x.whole(ctx)
}

// weaviateConfig is the configuration of the vector index; without its quantiser where that is to be
// trained later.
func weaviateConfig(in BuildInput, quantised bool) map[string]any {
	p := in.Params
	// Otherwise a server may have a quantiser of its own choice.
	c := map[string]any{"distance": weaviateDistance[in.Metric], "skipDefaultQuantization": true}
	flat := p.Word("index") == "flat"
	if !flat {
		c["maxConnections"], c["efConstruction"], c["ef"] = p.Int("M"), p.Int("efConstruction"), p.Int("ef")
	}
	if !quantised {
		return c
	}
	switch q := p.Word("quantiser"); q {
	case "pq":
		c[q] = map[string]any{"enabled": true, "segments": p.Int("segments"), "trainingLimit": 100_000}
	case "sq":
		c[q] = map[string]any{"enabled": true, "rescoreLimit": p.Int("rescore"), "trainingLimit": 100_000}
	case "rq":
		c[q] = map[string]any{"enabled": true, "rescoreLimit": p.Int("rescore"), "bits": 8}
	case "bq":
		c[q] = map[string]any{"enabled": true}
		if flat {
			c[q] = map[string]any{"enabled": true, "rescoreLimit": p.Int("rescore"), "cache": true}
		}
	}
	return c
}

func connectWeaviate(ctx context.Context, f *Family, in BuildInput) (_ *weaviateIndex, err error) {
	ctx, cancel := context.WithTimeout(ctx, controlDeadline)
	defer cancel()
	client, err := weaviate.Connect(ctx, in.Address)
	if err != nil {
		return nil, err
	}
	x := &weaviateIndex{family: f, in: in, client: client, ef: in.Params.Int("ef"), ids: numbering{given: int64(in.Vectors.Rows)}}
	if x.nodes, err = x.healthy(ctx); err != nil {
		client.Close()
		return nil, err
	}
	x.base, x.in.Vectors.Data = x.in.Vectors, nil
	return x, nil
}

// healthy counts the nodes that the cluster says are healthy.
func (x *weaviateIndex) healthy(ctx context.Context) (n int, err error) {
	nodes, err := x.client.Nodes(ctx, "")
	for _, node := range nodes {
		if node.Status == "HEALTHY" {
			n++
		}
	}
	return n, err
}

// Check implements [RemoteIndex]. Weaviate without replicas fails for some seconds after it has lost a node,
// and then answers from the shards that are left as if they were all.
func (x *weaviateIndex) Check(ctx context.Context) (doubt string, err error) {
	ctx, cancel := context.WithTimeout(ctx, controlDeadline)
	defer cancel()
	if err := x.whole(ctx); err != nil {
		return "", fmt.Errorf("after the searches: %w", err)
	}
	n, err := x.healthy(ctx)
	if err != nil {
		return "", fmt.Errorf("after the searches: %w", err)
	}
	if want := x.in.Params.Int("nodes"); n < want {
		if want > x.in.Params.Int("replicas") {
			return "", fmt.Errorf("after the searches: %d of %d nodes of weaviate are healthy: its answers may lack what the others hold", n, want)
		}
		doubt = fmt.Sprintf("%d of %d nodes of weaviate were healthy after the searches; every vector is on each of them", n, want)
	}
	return doubt, nil
}

// whole checks that the engine has every vector.
func (x *weaviateIndex) whole(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, controlDeadline)
	defer cancel()
	n, err := x.client.Count(ctx, x.in.Name)
	if want := x.ids.count(); err == nil && n != want {
		err = fmt.Errorf("weaviate holds %d vectors as %s, not %d", n, weaviate.Class(x.in.Name), want)
	}
	return err
}

func loadWeaviate(path string, f *Family, in BuildInput) (Index, error) {
	r, params, err := loadReference(path, f, in)
	if err != nil {
		return nil, err
	}
	in.Address, in.Name, in.Data, in.Params = r.Address, r.Name, r.Data, params
	in.Vectors = vec.Matrix{Rows: r.label.Rows, Dim: r.label.Dim, Data: in.Vectors.Data}
	x, err := connectWeaviate(context.Background(), f, in)
	if err != nil {
		return nil, loadError(path, f, err)
	}
	x.ef = 0 // what it is there is not known
	if err = x.whole(context.Background()); err == nil {
		err = x.tune(params.Int("ef"))
	}
	if err != nil {
		x.client.Close()
		return nil, loadError(path, f, err)
	}
	return x, nil
}

func dropWeaviate(ctx context.Context, address, name string) error {
	client, err := weaviate.Connect(ctx, address)
	if err != nil {
		return err
	}
	defer client.Close()
	return errors.Join(client.Drop(ctx, name), client.Drop(ctx, wireName(name)))
}

// Search implements [Index]. Distances are those that Weaviate gives, in its order but for ties.
func (x *weaviateIndex) Search(dst []vec.Neighbor, q []float32, k int) ([]vec.Neighbor, error) {
	if x.closed.Load() {
		return dst, errClosed(x.family)
	}
	if err := askable(x.family, x.in.Vectors.Dim, q, k); err != nil {
		return dst, err
	}
	living := x.ids.count()
	if living == 0 {
		return dst, nil
	}
	return x.search(x.in.Name, dst, q, min(k, living), nil)
}

// SearchAmong implements [Filterer], as Search does [Index], by Weaviate's filter: on the property that [SetKeeper.KeepSets]
// filled, or for other sets on the ids of their objects, all of which then go with the query.
func (x *weaviateIndex) SearchAmong(dst []vec.Neighbor, q []float32, k int, among *vec.Set) ([]vec.Neighbor, error) {
	if x.closed.Load() {
		return dst, errClosed(x.family)
	}
	if err := askable(x.family, x.in.Vectors.Dim, q, k); err != nil {
		return dst, err
	}
	n, kept := x.sets[among]
	says := weaviate.Among{Set: n}
	if !kept {
		says.IDs = slices.AppendSeq(make([]int32, 0, among.Len()), among.All())
	}
	if k = min(k, x.ids.count(), among.Len()); k == 0 {
		return dst, nil
	}
	return x.search(x.in.Name, dst, q, k, &says)
}

// KeepSets implements [SetKeeper]: every object gets a list of the numbers of the sets that it is in.
func (x *weaviateIndex) KeepSets(ctx context.Context, sets []*vec.Set) error {
	switch {
	case x.closed.Load():
		return errClosed(x.family)
	case len(x.base.Data) == 0 || x.ids.living != nil:
		return nil // without the vectors as they are there, nothing can be written: searches say what is in a set
	}
	if x.sets == nil {
		x.sets = map[*vec.Set]int{}
	}
	for _, set := range sets {
		if _, kept := x.sets[set]; !kept {
			x.sets[set] = len(x.sets)
		}
	}
	of := make([][]int, x.base.Rows)
	for set, n := range x.sets {
		for id := range set.All() {
			if int(id) < len(of) {
				of[id] = append(of[id], n)
			}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, keepDeadline)
	defer cancel()
	if err := x.client.HoldSets(ctx, x.in.Name); err != nil {
		return err
	}
	err := x.client.Mark(ctx, x.in.Name, x.base, func(row int) []int {
		slices.Sort(of[row])
		return of[row]
	})
	if err != nil {
		x.sets = nil // what is there now is not known
		return fmt.Errorf("marking vectors of %s with the filters that they pass: %w", x.family.Name, err)
	}
	return x.whole(ctx)
}

// Add implements [Updater].
func (x *weaviateIndex) Add(more vec.Matrix) error {
	if x.closed.Load() {
		return errClosed(x.family)
	}
	if err := addable(x.family, x.in.Vectors.Dim, x.ids.given, more); err != nil || more.Rows == 0 {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), changeDeadline)
	defer cancel()
	if err := x.client.Import(ctx, x.in.Name, more, int(x.ids.given)); err != nil {
		return fmt.Errorf("adding to %s: %w", x.family.Name, err)
	}
	x.ids.add(more.Rows)
	x.sets = nil // what is new is in none
	q := x.in.Params.Word("quantiser")
	return x.client.Wait(ctx, x.in.Name, q == "pq" || q == "sq")
}

// Remove implements [Updater]. Weaviate marks what was removed in its graph, and cleans up later, by itself.
func (x *weaviateIndex) Remove(ids []int32) error {
	if x.closed.Load() {
		return errClosed(x.family)
	}
	if err := x.ids.removable(x.family, ids); err != nil || len(ids) == 0 {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), changeDeadline)
	defer cancel()
	if err := x.client.Delete(ctx, x.in.Name, ids); err != nil {
		return fmt.Errorf("removing from %s: %w", x.family.Name, err)
	}
	x.ids.remove(ids)
	return nil
}

func (x *weaviateIndex) search(name string, dst []vec.Neighbor, q []float32, k int, among *weaviate.Among) ([]vec.Neighbor, error) {
	ctx, cancel := context.WithTimeout(context.Background(), searchDeadline)
	defer cancel()
	from := len(dst)
	dst, err := x.client.Search(ctx, name, dst, q, k, among)
	if err != nil {
		return dst[:from], err
	}
	slices.SortFunc(dst[from:], func(a, b vec.Neighbor) int {
		return cmp.Or(cmp.Compare(a.Dist, b.Dist), cmp.Compare(a.ID, b.ID))
	})
	return dst, nil
}

// Wire implements [RemoteIndex].
func (x *weaviateIndex) Wire(k int) error {
	if x.closed.Load() {
		return errClosed(x.family)
	}
	found, err := x.search(wireName(x.in.Name), nil, make([]float32, x.in.Vectors.Dim), k, nil)
	if err == nil && len(found) != 0 {
		err = fmt.Errorf("weaviate: %d answers of a collection that should be empty", len(found))
	}
	return err
}

// Tune implements [Tuner], by a change of the schema.
func (x *weaviateIndex) Tune(p Params) error {
	if x.closed.Load() {
		return errClosed(x.family)
	}
	p, err := x.family.Settings(x.family.Search, p)
	if err != nil {
		return err
	}
	return x.tune(p.Int("ef"))
}

func (x *weaviateIndex) tune(ef int) error {
	if ef == x.ef || x.in.Params.Word("index") == "flat" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), controlDeadline)
	defer cancel()
	if err := x.client.Change(ctx, x.in.Name, func(index map[string]any) { index["ef"] = ef }); err != nil {
		return err
	}
	x.ef = ef
	return nil
}

// Settle implements [RemoteIndex].
func (x *weaviateIndex) Settle(ctx context.Context) error { return x.client.Collect(ctx) }

// Server implements [RemoteIndex].
func (x *weaviateIndex) Server() string {
	says := "weaviate " + x.client.Version
	if x.client.Version != weaviate.Tested {
		says += " (annbench is tested with " + weaviate.Tested + ")"
	}
	if x.nodes == 1 {
		return says + ", 1 node"
	}
	return fmt.Sprintf("%s, %d nodes", says, x.nodes)
}

// Footprint implements [RemoteIndex]: the sizes of the files in the collection's folder on each node.
func (x *weaviateIndex) Footprint(context.Context) (Footprint, error) {
	if len(x.in.Data) == 0 {
		return Footprint{}, errors.New("the data folders of the engine are not known here")
	}
	folder := strings.ToLower(weaviate.Class(x.in.Name))
	var sum int64
	for _, dir := range x.in.Data {
		err := filepath.WalkDir(filepath.Join(dir, folder), func(_ string, d fs.DirEntry, err error) error {
			switch {
			case errors.Is(err, fs.ErrNotExist):
				return nil // a node without a shard of it, or a file that was just compacted
			case err != nil:
				return err
			case !d.Type().IsRegular():
				return nil
			}
			info, err := d.Info()
			if err == nil {
				sum += info.Size()
			}
			return nil
		})
		if err != nil {
			return Footprint{}, err
		}
	}
	return Footprint{Disk: sum, From: fmt.Sprintf("files of the collection in %d data folders", len(x.in.Data))}, nil
}

// Warnings implements [RemoteIndex]: there are none.
func (x *weaviateIndex) Warnings() []string { return nil }

// Save implements [Saver]: a reference, the index stays where it is.
func (x *weaviateIndex) Save(path string) error {
	if x.closed.Load() {
		return errClosed(x.family)
	}
	if err := x.ids.savable(x.family); err != nil {
		return err
	}
	return saveReference(path, refer(x.family, x.in))
}

// Close implements [Index]. What is in the engine stays.
func (x *weaviateIndex) Close() error {
	if x.closed.Swap(true) {
		return nil
	}
	return x.client.Close()
}
