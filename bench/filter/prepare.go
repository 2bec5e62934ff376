package filter

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"annbench/bench/dataset"
	"annbench/bench/dataset/vecfile"
	"annbench/indexes/vec"
	"annbench/internal/atomicfile"
	"annbench/internal/seal"
)

// The files of a prepared filter's folder.
const (
	setsFile      = "sets.npy"      // int32, two for each 64 vectors: a row for each query, or one for all
	passingFile   = "passing.npy"   // int32, how many vectors pass, by query
	idsFile       = "ids.npy"       // int32, K a query, the exact neighbours among what passes; -1 where there are fewer
	distancesFile = "distances.npy" // float64, their metric distances
	metaFile      = "filter.json"   // meta; written last
)

// version is that of the folder's form and of the way filters are made.
const version = 2

type meta struct {
	Version int               `json:"version"`
	Set     string            `json:"set"`
	Metric  vec.Metric        `json:"metric"`
	Filter  string            `json:"filter"`
	Seed    uint64            `json:"seed"`
	K       int               `json:"k"`
	Files   map[string]string `json:"files"` // SHA-256
}

// Prepared is a filter on a data set: who passes, and the exact neighbours among them. Nothing of it may be used after
// Close.
type Prepared struct {
	Filter Filter
	K      int     // exact neighbours of each query that are known, where so many pass
	Counts []int32 // by query, how many vectors of the base pass; the query itself, where it stands there, does not count

	sets      []*vec.Set // one for each query, or one for all
	ids       *vecfile.Array[int32]
	distances *vecfile.Array[float64]
	closers   []interface{ Close() error }
}

// Set is who passes for query q.
func (p *Prepared) Set(q int) *vec.Set {
	if len(p.sets) == 1 {
		return p.sets[0]
	}
	return p.sets[q]
}

// Truth gives the exact neighbours of query q among what passes, nearest first, and their metric distances: K, or as many
// as pass.
func (p *Prepared) Truth(q int) (ids []int32, distances []float64) {
	n := min(p.K, int(p.Counts[q]))
	stride := p.ids.Shape[1]
	return p.ids.Data[q*stride : q*stride+n : q*stride+n], p.distances.Data[q*stride : q*stride+n : q*stride+n]
}

// Close unmaps everything. A second call does nothing.
func (p *Prepared) Close() error {
	var errs []error
	for _, c := range p.closers {
		errs = append(errs, c.Close())
	}
	p.closers = nil
	return errors.Join(errs...)
}

// folder is where a filter on a set is kept.
func folder(set *dataset.Set, metric vec.Metric, f Filter, seed uint64, k int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "annbench filter %d\n%s\n%s\n%s\n%d\n%d\n", version, set.Digest, metric, f, seed, k))
	return filepath.Join(set.Dir, "filter-"+hex.EncodeToString(sum[:8]))
}

// Prepare finds who passes each of the filters and the k exact neighbours of every query among them, on so many threads,
// and leaves them in the set's folder; those that are there already are not looked for again. k may be more than pass.
//
// It ranks the whole base for each query once, in float32, for all filters together; of the k and some more that come
// first among what passes, the k with the smallest distance in float64 are the neighbours, as [dataset.FindTruth] does.
// Selectivities are counts, rounded, and at least one vector. It is an error if nothing
// passes an expression or files for any of the queries. progress, where not nil, is called with the queries that are
// done.
func Prepare(ctx context.Context, set *dataset.Set, metric vec.Metric, filters []Filter, seed uint64, k, threads int, progress func(done int)) error {
	var todo []Filter
	for _, f := range filters {
		switch p, err := Open(set, metric, f, seed, k); {
		case err == nil:
			err := nothing(f, set, p.Counts)
			p.Close()
			if err != nil {
				return err
			}
		case errors.Is(err, fs.ErrNotExist):
			todo = append(todo, f)
		default:
			return err
		}
	}
	if len(todo) == 0 {
		return nil
	}
	rows, queries := set.Base.Rows, set.Queries.Rows
	makers := make([]maker, len(todo))
	made := make([]*made, len(todo))
	for i, f := range todo {
		m, err := newMaker(set, f, seed)
		if err != nil {
			return err
		}
		makers[i] = m
		made[i] = newMade(rows, queries, k, m.shared != nil)
		if m.shared != nil {
			copy(made[i].bits, m.shared.Words())
		}
	}
	ranker := vec.NewRanker(set.Base, metric)
	var next, done atomic.Int64
	var mu sync.Mutex
	var wait sync.WaitGroup
	for range max(1, threads) {
		wait.Go(func() {
			values, order := make([]float32, rows), make([]int32, rows)
			unit := make([]float32, set.Base.Dim)
			drawn := vec.NewSet(rows)
			for {
				q := int(next.Add(1)) - 1
				if q >= queries || ctx.Err() != nil {
					return
				}
				query := ranker.Query(set.Queries.Row(q), unit)
				query.Rows(values, 0)
				order = order[:rows]
				for i := range order {
					order[i] = int32(i)
				}
				slices.SortFunc(order, func(a, b int32) int {
					switch {
					case values[a] < values[b]:
						return -1
					case values[a] > values[b]:
						return 1
					}
					return int(a - b)
				})
				if at := slices.Index(order, set.Self(q)); at >= 0 { // no answer, so it neither passes nor is in a pool
					order = slices.Delete(order, at, at+1)
				}
				for i := range makers {
					among := makers[i].of(q, rows, order, drawn)
					made[i].put(set, metric, q, order, among)
				}
				if n := int(done.Add(1)); progress != nil && (n%16 == 0 || n == queries) {
					mu.Lock()
					progress(n)
					mu.Unlock()
				}
			}
		})
	}
	wait.Wait()
	if err := context.Cause(ctx); err != nil {
		return fmt.Errorf("finding exact neighbours under filters: %w", err)
	}
	for i, f := range todo {
		if err := nothing(f, set, made[i].passing); err != nil {
			return err
		}
		if err := made[i].write(ctx, set, metric, f, seed); err != nil {
			return fmt.Errorf("filter %s: %w", f, err)
		}
	}
	return nil
}

// nothing is the error for an expression or files that leave nothing to find for any query: counts of what passes are all 0.
func nothing(f Filter, set *dataset.Set, counts []int32) error {
	switch {
	case f.Selectivity > 0 || len(counts) == 0 || slices.Max(counts) > 0:
		return nil
	case f.CSR != "":
		return fmt.Errorf("filter %s: none of the %d vectors of %s has all words of any of the %d queries of %s: do the files belong together?", f, set.Base.Rows, f.CSR, len(counts), f.CSRQueries)
	}
	return fmt.Errorf("filter %s: none of the %d vectors passes for any of the %d queries", f, set.Base.Rows, len(counts))
}

// maker says who passes one filter.
type maker struct {
	filter Filter
	shared *vec.Set // where it is the same for all queries
	seed   uint64

	lists map[int32][]int32 // of CSR, by word
	asked func(q int) []int32
}

func newMaker(set *dataset.Set, f Filter, seed uint64) (maker, error) {
	m := maker{filter: f, seed: seed}
	if err := f.Check(); err != nil {
		return m, err
	}
	rows := set.Base.Rows
	switch {
	case f.Where != "":
		e, err := Parse(f.Where)
		if err != nil {
			return m, err
		}
		table := set.BaseAttributes()
		if table == nil {
			return m, fmt.Errorf("filter %s: the data set has no attributes: give a file of them under data: {attributes: FILE}", f)
		}
		m.shared, err = e.Rows(table)
		return m, err
	case f.CSR != "":
		base, err := readCSR(f.CSR)
		if err != nil {
			return m, err
		}
		asked, err := readCSR(f.CSRQueries)
		if err != nil {
			return m, err
		}
		if err := fits(set, f.CSR, base.rows, f.CSRQueries, asked.rows); err != nil {
			return m, err
		}
		first := int32(rows)
		m.lists = base.postings(set.BaseRows)
		m.asked = func(q int) []int32 { return asked.row(int(set.QueryRows[q] - first)) }
	case f.Correlation == None:
		m.shared = vec.NewSet(rows)
		every := make([]int32, rows)
		for i := range every {
			every[i] = int32(i)
		}
		m.draw(m.shared, every, m.count(rows), 0)
	}
	return m, nil
}

// count is how many of the base pass a made filter.
func (m *maker) count(rows int) int {
	return max(1, int(math.Round(m.filter.Selectivity*float64(rows))))
}

// draw puts count of pool into out, each as likely as the others (Fan, Muller, Rezucha, JASA 1962; Knuth's algorithm S).
func (m *maker) draw(out *vec.Set, pool []int32, count, q int) {
	name := sha256.Sum256([]byte(m.filter.String()))
	stream := uint64(name[0]) | uint64(name[1])<<8 | uint64(name[2])<<16 | uint64(name[3])<<24
	rng := rand.New(rand.NewPCG(m.seed, stream<<32|uint64(uint32(q))))
	for i, id := range pool {
		if rng.IntN(len(pool)-i) < count {
			out.Add(id)
			if count--; count == 0 {
				return
			}
		}
	}
}

// of is who passes for query q of the rows of the base. order has those that may be answered, nearest first. drawn is memory to use.
func (m *maker) of(q, rows int, order []int32, drawn *vec.Set) *vec.Set {
	if m.shared != nil {
		return m.shared
	}
	if m.lists != nil {
		return passing(m.lists, m.asked(q), rows)
	}
	drawn.Clear()
	pool := max(m.count(rows), int(math.Ceil(math.Sqrt(m.filter.Selectivity)*float64(rows))))
	pool = min(pool, len(order))
	from := order[:pool]
	if m.filter.Correlation == Far {
		from = order[len(order)-pool:]
	}
	m.draw(drawn, from, min(len(from), m.count(rows)), q)
	return drawn
}

// made is a filter that is being prepared.
type made struct {
	k, words  int
	shared    bool
	bits      []uint64
	passing   []int32
	ids       []int32
	distances []float64
}

func newMade(rows, queries, k int, shared bool) *made {
	m := &made{k: k, words: (rows + 63) / 64, shared: shared}
	sets := queries
	if shared {
		sets = 1
	}
	m.bits = make([]uint64, sets*m.words)
	m.passing = make([]int32, queries)
	m.ids = make([]int32, queries*k)
	m.distances = make([]float64, queries*k)
	for i := range m.ids {
		m.ids[i] = -1
	}
	return m
}

// put keeps who passes for query q, and the neighbours among them.
func (m *made) put(set *dataset.Set, metric vec.Metric, q int, order []int32, among *vec.Set) {
	if !m.shared {
		copy(m.bits[q*m.words:(q+1)*m.words], among.Words())
	}
	self := set.Self(q)
	n := among.Len()
	if self >= 0 && among.Has(self) {
		n--
	}
	m.passing[q] = int32(n)
	wanted := min(n, m.k)
	fetch := min(n, m.k+max(m.k, 32))
	passing := make([]int32, 0, fetch)
	for _, id := range order {
		if len(passing) == fetch {
			break
		}
		if id != self && among.Has(id) {
			passing = append(passing, id)
		}
	}
	for i, f := range dataset.Ranked(set.Base, set.Queries.Row(q), metric, passing)[:wanted] {
		m.ids[q*m.k+i], m.distances[q*m.k+i] = f.ID, f.Distance
	}
}

func (m *made) write(ctx context.Context, set *dataset.Set, metric vec.Metric, f Filter, seed uint64) error {
	path := folder(set, metric, f, seed, m.k)
	tmp, err := atomicfile.TempDir(path)
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	halves := make([]int32, 2*len(m.bits))
	for i, w := range m.bits {
		halves[2*i], halves[2*i+1] = int32(uint32(w)), int32(uint32(w>>32))
	}
	if err := errors.Join(
		vecfile.WriteArray(filepath.Join(tmp, setsFile), halves, 2*m.words),
		vecfile.WriteArray(filepath.Join(tmp, passingFile), m.passing, 0),
		vecfile.WriteArray(filepath.Join(tmp, idsFile), m.ids, m.k),
		vecfile.WriteArray(filepath.Join(tmp, distancesFile), m.distances, m.k),
	); err != nil {
		return err
	}
	about := meta{Version: version, Set: set.Digest, Metric: metric, Filter: f.String(), Seed: seed, K: m.k}
	if about.Files, err = seal.Sums(ctx, tmp, setsFile, passingFile, idsFile, distancesFile); err != nil {
		return err
	}
	if err := seal.WriteJSON(filepath.Join(tmp, metaFile), about); err != nil {
		return err
	}
	// Where another process was faster, its folder is as good.
	if err := atomicfile.Publish(tmp, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// Open maps what [Prepare] left for a filter. The error is [fs.ErrNotExist] where it left nothing; a damaged one names
// the folder. Files are compared with their checksums: a wrong truth would make every measurement wrong without a sign.
func Open(set *dataset.Set, metric vec.Metric, f Filter, seed uint64, k int) (*Prepared, error) {
	path := folder(set, metric, f, seed, k)
	p := &Prepared{Filter: f, K: k}
	if err := p.open(path, set, k); err != nil {
		p.Close()
		if errors.Is(err, fs.ErrNotExist) {
			if _, there := os.Stat(path); errors.Is(there, fs.ErrNotExist) {
				return nil, fmt.Errorf("filter %s was not prepared: %w", f, fs.ErrNotExist)
			}
		}
		return nil, fmt.Errorf("%s cannot be used: %w; delete the folder, and `annbench run` makes it again", path, errors.New(err.Error()))
	}
	return p, nil
}

func (p *Prepared) open(path string, set *dataset.Set, k int) error {
	var m meta
	if _, err := seal.ReadJSON(filepath.Join(path, metaFile), &m); err != nil {
		return err
	}
	if m.Version != version || m.Set != set.Digest || m.Filter != p.Filter.String() || m.K != k {
		return errors.New("it is of another filter, data set or version")
	}
	if err := seal.Verify(context.Background(), path, m.Files); err != nil {
		return err
	}
	halves, err := vecfile.MapArray[int32](filepath.Join(path, setsFile), 2)
	if err != nil {
		return err
	}
	p.closers = append(p.closers, halves)
	counts, err := vecfile.MapArray[int32](filepath.Join(path, passingFile), 1)
	if err != nil {
		return err
	}
	p.closers = append(p.closers, counts)
	p.Counts = counts.Data
	if p.ids, err = vecfile.MapArray[int32](filepath.Join(path, idsFile), 2); err != nil {
		return err
	}
	p.closers = append(p.closers, p.ids)
	if p.distances, err = vecfile.MapArray[float64](filepath.Join(path, distancesFile), 2); err != nil {
		return err
	}
	p.closers = append(p.closers, p.distances)
	queries, words := set.Queries.Rows, (set.Base.Rows+63)/64
	sets := halves.Shape[0]
	if halves.Shape[1] != 2*words || sets != 1 && sets != queries || len(p.Counts) != queries ||
		!slices.Equal(p.ids.Shape, []int{queries, k}) || !slices.Equal(p.distances.Shape, []int{queries, k}) {
		return errors.New("its files are not of one data set")
	}
	for q := range sets {
		row := halves.Data[q*2*words : (q+1)*2*words]
		bits := make([]uint64, words)
		for i := range bits {
			bits[i] = uint64(uint32(row[2*i])) | uint64(uint32(row[2*i+1]))<<32
		}
		p.sets = append(p.sets, vec.SetOf(bits))
	}
	return nil
}
