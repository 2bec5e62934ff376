package external

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"time"
	"unsafe"

	"annbench/indexes"
	"annbench/indexes/external/protocol"
	"annbench/indexes/vec"
	"annbench/internal/plaintext"
	"annbench/internal/proctree"
	"annbench/internal/words"
)

// Index is an index in the process of its family's program. One goroutine at a time may use it.
type Index struct {
	family  *indexes.Family
	program *Program
	hello   protocol.Reply
	scratch string // folder of its own
	label   label
	vectors vec.Matrix // empty where they were not given
	settled indexes.Params

	queries  *protocol.Matrix // the file that holds the queries of asked
	asked    vec.Matrix
	saved    string           // folder of the saved index that it was loaded from
	given    string           // file of the vectors that the program was handed; empty where none
	handed   map[string]state // the files of vectors and queries, as they were when the program was handed them
	forgot   bool             // what is touched since the build or the loading is known
	raw      []byte
	block    indexes.Block
	wall     time.Duration
	cpu      time.Duration
	rest     int64 // bytes that its process held before it had an index
	peak     int64
	warnings []string
}

// label is what a saved index says of itself, in the file labelFile of its folder.
type label struct {
	Family  string         `json:"family"`
	Version string         `json:"version"` // of the library
	Metric  vec.Metric     `json:"metric"`
	Rows    int            `json:"rows"`
	Dim     int            `json:"dim"`
	Build   indexes.Params `json:"build"`
	Source  indexes.Source `json:"source"` // where the vectors were
}

const (
	labelFile = "annbench.json" // in the folder of a saved index
	indexDir  = "index"         // beside it: what the program wrote
	workDir   = "work"          // in the scratch folder: where the program runs
)

// stderr is where the standard error of programs goes as it comes: a worker's own, which is kept.
var stderr io.Writer = os.Stderr

// begin starts the family's program in a scratch folder below that of in.
func (f *Family) begin(ctx context.Context, family *indexes.Family, in indexes.BuildInput) (*Index, error) {
	if f.args == nil {
		return nil, fmt.Errorf("%s: %w: %s", f.Name, indexes.ErrMissing, family.Missing)
	}
	scratch, err := os.MkdirTemp(in.Scratch, "external-")
	if err != nil {
		return nil, err
	}
	x := &Index{family: family, scratch: scratch, vectors: in.Vectors}
	x.label = label{Family: f.Name, Metric: in.Metric, Rows: in.Vectors.Rows, Dim: in.Vectors.Dim, Source: in.Source}
	work := filepath.Join(scratch, workDir)
	if err := os.Mkdir(work, 0o700); err != nil {
		x.Close()
		return nil, err
	}
	if x.program, x.hello, err = Start(ctx, Command{Args: f.args, Dir: work, Env: append(f.env, threads(in.Threads)...), Stderr: stderr}); err != nil {
		x.Close()
		return nil, fmt.Errorf("%s: %w", f.Name, err)
	}
	if err := f.offers(family, x.hello.Can); err != nil {
		x.Close()
		return nil, fmt.Errorf("%s: %w", f.Name, err)
	}
	x.label.Version = x.hello.Version
	x.rest = proctree.Held(x.program.pid)
	proctree.ResetPeak(x.program.pid)
	return x, nil
}

// offers reports what family.yaml promises and the program lacks.
func (f *Family) offers(family *indexes.Family, can []string) error {
	for _, promise := range []struct {
		key, functions string
		made           bool
	}{
		{protocol.CanSave, "save and load", !family.Unsaved},
		{protocol.CanBatch, "batch", family.Batch},
	} {
		if promise.made && !slices.Contains(can, promise.key) {
			return fmt.Errorf("family.yaml says %s: true, and the program has no %s: write it, or leave that key out of %s", promise.key, promise.functions, filepath.Join(f.Folder, File))
		}
	}
	return nil
}

// threads are the variables by which libraries learn how many threads they may use.
func threads(n int) (env []string) {
	for _, name := range []string{"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "GOMAXPROCS", "TF_NUM_INTRAOP_THREADS", "RAYON_NUM_THREADS"} {
		env = append(env, fmt.Sprintf("%s=%d", name, max(1, n)))
	}
	return append(env, "OMP_WAIT_POLICY=PASSIVE")
}

// open builds.
func (f *Family) open(ctx context.Context, family *indexes.Family, in indexes.BuildInput) (_ *Index, err error) {
	x, err := f.begin(ctx, family, in)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			x.Close()
		}
	}()
	x.label.Build, x.settled = split(family, in.Params)
	matrix, err := x.file("vectors", in.Vectors, in.Source)
	if err != nil {
		return nil, err
	}
	before := proctree.Status(x.program.pid, "VmRSS")
	r := protocol.Request{Do: protocol.Build, Vectors: matrix, Metric: string(in.Metric), Threads: max(1, in.Threads), Seed: in.Seed, Settings: in.Params}
	if f.call != nil {
		f.call(&r, in.Params)
	}
	return x, x.make(ctx, r, in.Phase, before)
}

// make sends a build or a load and keeps what it cost.
func (x *Index) make(ctx context.Context, r protocol.Request, phase func(string), before int64) error {
	reply, _, err := x.clocked(ctx, r, phase)
	if err == nil {
		err = x.intact()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", x.family.Name, err)
	}
	x.wall, x.cpu = time.Duration(reply.Wall), time.Duration(reply.CPU)
	if peak := proctree.Status(x.program.pid, "VmHWM"); peak > 0 && before > 0 {
		x.peak = max(0, peak-before)
	}
	x.warnings = append(x.warnings, reply.Warnings...)
	if r.Vectors != nil {
		x.given = r.Vectors.File
	}
	x.forgot = proctree.ForgetTouched(x.program.pid)
	return nil
}

// clocked sends r, which the program answers with its clocks, and checks these: they cannot have run for longer than
// the answer was waited for.
func (x *Index) clocked(ctx context.Context, r protocol.Request, phase func(string)) (_ protocol.Reply, waited time.Duration, _ error) {
	start := time.Now()
	reply, err := x.program.Ask(ctx, r, phase)
	if err != nil {
		return reply, 0, err
	}
	waited = time.Since(start)
	cores := time.Duration(runtime.NumCPU()) // those that this process may use: the program may use no others
	wall, cpu, most := time.Duration(reply.Wall), time.Duration(reply.CPU), waited+waited/100+time.Millisecond
	switch {
	case wall == 0:
		err = x.program.fail(Failed, "its reply to %s has no wall_ns: the nanoseconds that it took", r.Do)
	case wall < 0 || cpu < 0:
		err = x.program.fail(Failed, "its reply to %s has a negative wall_ns (%d) or cpu_ns (%d)", r.Do, reply.Wall, reply.CPU)
	case wall > most:
		err = x.program.fail(Failed, "its reply to %s says wall_ns %d, which is %v, but came after %v", r.Do, reply.Wall, wall, waited)
	case cpu/cores > most: // a product could overflow
		err = x.program.fail(Failed, "its reply to %s says cpu_ns %d, which is %v, but came after %v, on a machine of %d cores", r.Do, reply.CPU, cpu, waited, cores)
	case reply.Repeated < 0 || reply.Extra < 0:
		err = x.program.fail(Failed, "its reply to %s has a negative repeated (%d) or extra (%d)", r.Do, reply.Repeated, reply.Extra)
	}
	return reply, waited, err
}

// outside is what a block of searches may take outside the program's clock: files, pipe and Python took 1 to 25 ms for 50
// queries, the most on a busy machine.
const outside = 30 * time.Millisecond

// Unclocked says so where blocks of searches took less than a tenth, by the program's clock, of what annbench waited
// for them; it is empty where they did not. wall and waited are their sums.
func Unclocked(blocks int, wall, waited time.Duration) string {
	if 10*wall >= waited-time.Duration(blocks)*outside {
		return ""
	}
	return fmt.Sprintf("by the program's clock its searches took %v, but annbench waited %v for them: what it does outside that clock is in no speed", wall.Round(time.Microsecond), waited.Round(time.Microsecond))
}

// split divides complete settings into those of the build and those of the search.
func split(family *indexes.Family, p indexes.Params) (build, search indexes.Params) {
	build, search = indexes.Params{}, indexes.Params{}
	for _, param := range family.Build {
		build[param.Name] = p[param.Name]
	}
	for _, param := range family.Search {
		search[param.Name] = p[param.Name]
	}
	return build, search
}

// file says where m is, and writes it into the scratch folder where it is nowhere.
func (x *Index) file(name string, m vec.Matrix, at indexes.Source) (*protocol.Matrix, error) {
	if at.File == "" {
		at = indexes.Source{File: filepath.Join(x.scratch, name)}
		data := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(m.Data))), 4*len(m.Data))
		if err := os.WriteFile(at.File, data, 0o600); err != nil {
			return nil, err
		}
	}
	abs, err := filepath.Abs(at.File)
	if err != nil {
		return nil, err
	}
	return &protocol.Matrix{File: abs, Offset: at.Offset, Rows: m.Rows, Dim: m.Dim}, x.hand(abs)
}

// state tells a file from one that was written to since.
type state struct {
	size     int64
	modified time.Time
}

func stateOf(path string) (state, error) {
	info, err := os.Stat(path)
	if err != nil {
		return state{}, err
	}
	return state{info.Size(), info.ModTime()}, nil
}

// hand notes how the file at path is now, for intact.
func (x *Index) hand(path string) (err error) {
	if x.handed == nil {
		x.handed = map[string]state{}
	}
	x.handed[path], err = stateOf(path)
	return err
}

// Overwrote begins the reason of a failure that is a program's which wrote to a file that it was handed to read.
const Overwrote = "it changed the file that annbench gave it to read"

// intact reports a file that was handed to the program and is not as it was.
func (x *Index) intact() error {
	for path, was := range x.handed {
		if now, err := stateOf(path); err != nil || now != was {
			return x.program.fail(Failed, "%s, %s: map it privately (MAP_PRIVATE, numpy's mode c)", Overwrote, path)
		}
	}
	return nil
}

// Save writes the index into a folder at path, which the family's Load reads: what stands in path is
// replaced.
func (x *Index) Save(path string) (err error) {
	if x.program == nil {
		return x.closed()
	}
	if x.family.Unsaved {
		return fmt.Errorf("%s: its indexes cannot be saved", x.family.Name)
	}
	if path, err = filepath.Abs(path); err != nil {
		return err
	}
	if err := os.RemoveAll(path); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(path)
		}
	}()
	if err := os.MkdirAll(filepath.Join(path, indexDir), 0o755); err != nil {
		return err
	}
	if _, err := x.program.Ask(context.Background(), protocol.Request{Do: protocol.Save, Path: filepath.Join(path, indexDir)}, nil); err != nil {
		return fmt.Errorf("%s: %w", x.family.Name, err)
	}
	text, err := json.Marshal(x.label)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(path, labelFile), append(text, '\n'), 0o644)
}

// load reads what Save wrote. Vectors, where they are given, are at hand for the program, too.
func (f *Family) load(path string, family *indexes.Family, in indexes.BuildInput) (_ *Index, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("loading %s: %w", f.Name, err)
		}
	}()
	path, err = filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(path, labelFile))
	if err != nil {
		return nil, fmt.Errorf("%s holds no saved index of an external family: %w", path, err)
	}
	var l label
	if err := json.Unmarshal(text, &l); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(path, labelFile), plaintext.JSONError(text, err))
	}
	if l.Build, err = family.Settings(family.Build, l.Build); err != nil {
		return nil, err
	}
	switch v := in.Vectors; {
	case l.Family != f.Name:
		return nil, fmt.Errorf("%s holds an index of family %s", path, l.Family)
	case l.Metric != in.Metric:
		return nil, fmt.Errorf("%s holds an index for metric %s, not %s", path, l.Metric, in.Metric)
	case l.Rows < 1 || l.Dim < 1:
		return nil, fmt.Errorf("%s is of %d vectors of %d dimensions", path, l.Rows, l.Dim)
	case v.Rows != 0 && (v.Rows != l.Rows || v.Dim != l.Dim):
		return nil, fmt.Errorf("%s is of %d vectors of %d dimensions, not of %d of %d", path, l.Rows, l.Dim, v.Rows, v.Dim)
	}
	params := maps.Clone(l.Build)
	given, err := family.Settings(append(family.Build[:len(family.Build):len(family.Build)], family.Search...), in.Params)
	if err != nil {
		return nil, err
	}
	for _, p := range family.Build {
		if _, asked := in.Params[p.Name]; asked && given[p.Name] != l.Build[p.Name] {
			return nil, fmt.Errorf("%s was built with %s=%v, not %v", path, p.Name, l.Build[p.Name], given[p.Name])
		}
	}
	for _, p := range family.Search {
		params[p.Name] = given[p.Name]
	}
	x, err := f.begin(context.Background(), family, in)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			x.Close()
		}
	}()
	l.Version = x.hello.Version
	x.label, x.saved = l, path
	_, x.settled = split(family, params)
	r := protocol.Request{Do: protocol.Load, Path: filepath.Join(path, indexDir), Metric: string(l.Metric), Threads: max(1, in.Threads), Seed: in.Seed, Settings: params}
	switch {
	case in.Vectors.Rows > 0:
		if r.Vectors, err = x.file("vectors", in.Vectors, in.Source); err != nil {
			return nil, err
		}
	case l.Source.File != "":
		if _, err := os.Stat(l.Source.File); err == nil {
			r.Vectors = &protocol.Matrix{File: l.Source.File, Offset: l.Source.Offset, Rows: l.Rows, Dim: l.Dim}
			if err := x.hand(l.Source.File); err != nil {
				return nil, err
			}
		}
	}
	if f.call != nil {
		f.call(&r, params)
	}
	return x, x.make(context.Background(), r, nil, proctree.Status(x.program.pid, "VmRSS"))
}

func (x *Index) closed() error { return fmt.Errorf("%s: %w", x.family.Name, indexes.ErrClosed) }

// Tune implements [indexes.Tuner].
func (x *Index) Tune(p indexes.Params) error {
	if x.program == nil {
		return x.closed()
	}
	p, err := x.family.Settings(x.family.Search, p)
	if err != nil {
		return err
	}
	if _, err := x.program.Ask(context.Background(), protocol.Request{Do: protocol.Set, Settings: p}, nil); err != nil {
		return fmt.Errorf("%s: %w", x.family.Name, err)
	}
	x.settled = p
	return nil
}

// SearchTimed implements [indexes.Timed].
func (x *Index) SearchTimed(b *indexes.Block, queries vec.Matrix, first, count, k int, batch bool) error {
	if x.program == nil {
		return x.closed()
	}
	if first < 0 || count < 1 || first+count > queries.Rows || k < 1 || queries.Dim != x.label.Dim {
		return fmt.Errorf("searching %s: rows %d to %d of %d queries of %d dimensions for k = %d, in an index of %d dimensions", x.family.Name, first, first+count-1, queries.Rows, queries.Dim, k, x.label.Dim)
	}
	if x.queries == nil || &queries.Data[0] != &x.asked.Data[0] || queries.Rows != x.asked.Rows {
		if i := vec.FirstNonFinite(queries.Data); i >= 0 {
			return fmt.Errorf("searching %s: query %d holds %v in dimension %d", x.family.Name, i/queries.Dim, queries.Data[i], i%queries.Dim)
		}
		m, err := x.file("queries", queries, indexes.Source{})
		if err != nil {
			return err
		}
		x.queries, x.asked = m, queries
	}
	ids, times := filepath.Join(x.scratch, "ids"), filepath.Join(x.scratch, "times")
	for _, name := range []string{ids, times} { // an answer from before must not pass for this one
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	k = min(k, x.label.Rows)
	r := protocol.Request{Do: protocol.Search, Queries: x.queries, First: first, Count: count, K: k, Batch: batch, IDs: ids, Times: times}
	reply, waited, err := x.clocked(context.Background(), r, nil)
	if err == nil {
		err = x.intact()
	}
	if err != nil {
		return fmt.Errorf("searching %s: %w", x.family.Name, err)
	}
	b.Waited = waited
	if err := x.take(b, reply, r, ids, times); err != nil {
		return fmt.Errorf("searching %s: %w", x.family.Name, err)
	}
	return nil
}

// take reads the files of an answer, and checks them.
func (x *Index) take(b *indexes.Block, reply protocol.Reply, r protocol.Request, ids, times string) error {
	b.K, b.Wall, b.CPU = r.K, time.Duration(reply.Wall), time.Duration(reply.CPU)
	b.Repeated, b.Extra = reply.Repeated, reply.Extra
	b.IDs, b.Times = b.IDs[:0], b.Times[:0]
	raw, err := x.numbers(ids, r.Count*r.K)
	if err != nil {
		return err
	}
	for q := range r.Count {
		row := len(b.IDs)
		for i := range r.K {
			id := int64(binary.LittleEndian.Uint64(raw[8*(q*r.K+i):]))
			if id < -1 || id >= int64(x.label.Rows) {
				return x.program.fail(Failed, "query %d: answer %d has id %d; the index is of %d vectors", r.First+q, i, id, x.label.Rows)
			}
			if i > 0 && id >= 0 && b.IDs[row+i-1] < 0 {
				return x.program.fail(Failed, "query %d: answer %d follows a -1: only the last places may be empty", r.First+q, i)
			}
			for _, before := range b.IDs[row:] {
				if id >= 0 && int64(before) == id {
					return x.program.fail(Failed, "query %d: id %d comes twice", r.First+q, id)
				}
			}
			b.IDs = append(b.IDs, int32(id))
		}
	}
	if r.Batch {
		return nil
	}
	if raw, err = x.numbers(times, r.Count); err != nil {
		return err
	}
	var sum time.Duration
	most := b.Wall + b.Wall/100 + time.Microsecond
	for q := range r.Count {
		t := time.Duration(binary.LittleEndian.Uint64(raw[8*q:]))
		if t < 0 || t > most { // one alone, so that the sum cannot overflow
			return x.program.fail(Failed, "query %d took %d ns, of the block's %d", r.First+q, t, b.Wall)
		}
		sum += t
		b.Times = append(b.Times, t)
	}
	switch {
	case sum == 0:
		return x.program.fail(Failed, "its times of %d searches are all 0: they are nanoseconds of a clock around each", r.Count)
	case sum > most:
		return x.program.fail(Failed, "its searches took %v together, but the block only %v", sum, b.Wall)
	}
	return nil
}

// numbers reads n numbers of 8 bytes that the program wrote.
func (x *Index) numbers(path string, n int) ([]byte, error) {
	name := filepath.Base(path)
	// A link could lead anywhere, and a pipe that nobody writes to would not open.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, x.program.fail(Failed, "it wrote no file of %s", name)
	case errors.Is(err, syscall.ELOOP):
		return nil, x.program.fail(Failed, "its file of %s is a symbolic link: it must write the file itself", name)
	case err != nil:
		return nil, x.program.fail(Failed, "its file of %s: %v", name, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, x.program.fail(Failed, "its file of %s is no plain file (%v)", name, info.Mode())
	}
	if info.Size() != int64(8*n) {
		return nil, x.program.fail(Failed, "its file of %s has %d bytes, not %d: 8 for each of %d numbers", name, info.Size(), 8*n, n)
	}
	if cap(x.raw) < 8*n {
		x.raw = make([]byte, 8*n)
	}
	if _, err := f.ReadAt(x.raw[:8*n], 0); err != nil {
		return nil, x.program.fail(Failed, "its file of %s became shorter while it was read: %v", name, err)
	}
	return x.raw[:8*n], nil
}

// Search implements [indexes.Index]: a block of one query. Distances are this module's own, where the
// vectors were given, and the places of the answers, 0, 1, 2, ..., where they were not.
func (x *Index) Search(dst []vec.Neighbor, q []float32, k int) ([]vec.Neighbor, error) {
	if x.program == nil {
		return dst, x.closed()
	}
	if k < 1 {
		return dst, fmt.Errorf("searching %s: k = %d: it must be at least 1", x.family.Name, k)
	}
	if len(q) != x.label.Dim {
		return dst, fmt.Errorf("searching %s: the query has %d dimensions, the index %d", x.family.Name, len(q), x.label.Dim)
	}
	one := vec.Matrix{Data: q, Rows: 1, Dim: len(q)}
	x.queries = nil // the memory of q may hold another query than before
	if err := x.SearchTimed(&x.block, one, 0, 1, k, false); err != nil {
		return dst, err
	}
	x.queries = nil
	from := len(dst)
	for i, id := range x.block.Of(0) {
		n := vec.Neighbor{ID: id, Dist: float32(i)}
		if x.vectors.Rows > 0 {
			n.Dist = x.label.Metric.Rank(q, x.vectors.Row(int(id)))
		}
		dst = append(dst, n)
	}
	if x.vectors.Rows > 0 {
		vec.SortNeighbors(dst[from:])
	}
	return dst, nil
}

// Held implements [indexes.Weighed].
func (x *Index) Held() (bytes int64, doubts []string, ok bool) {
	if x.program == nil {
		return 0, nil, false
	}
	for _, can := range x.hello.Can {
		if can == protocol.CanSettle {
			_, _ = x.program.Ask(context.Background(), protocol.Request{Do: protocol.Settle}, nil) // then there is more to weigh
		}
	}
	all, ok := proctree.Mappings(x.program.pid)
	own := []string{proctree.Real(filepath.Join(x.scratch, workDir))}
	if x.saved != "" {
		own = append(own, proctree.Real(x.saved))
	}
	var mapped, shared []proctree.Mapping
	var keeps, reads bool // the file of the vectors mapped, and searches read it there
	for _, m := range all {
		given := x.given != "" && m.Within(proctree.Real(x.given))
		keeps, reads = keeps || given, reads || given && m.Touched > 0
		switch {
		case given || slices.ContainsFunc(own, m.Within):
			if m.Touched > 0 {
				mapped = append(mapped, m)
			}
		case m.Shared():
			shared = append(shared, m)
		}
	}
	length, _, touched := proctree.Union(mapped)
	_, resident, _ := proctree.Union(shared)
	switch {
	case length > 0 && !x.forgot:
		doubts = append(doubts, fmt.Sprintf("resident memory counts whole the %s of files that its program maps: the system does not say what its searches read of them", words.Size(length)))
	case touched < length/2: // else the two hardly differ
		doubts = append(doubts, fmt.Sprintf("resident memory counts whole the %s of files that its program maps, of which its searches read %s", words.Size(length), words.Size(touched)))
	}
	if reads && x.saved != "" {
		doubts = append(doubts, "its searches read the vectors in the file that they were handed in: resident memory counts them, the size of the saved index does not")
	}
	if x.given != "" && !keeps && proctree.Opens(x.program.pid, x.given) {
		doubts = append(doubts, "its program has the file of the vectors open: what it reads of that is kept by the system, and not counted as resident memory")
	}
	return proctree.Held(x.program.pid) - x.rest + length + resident, doubts, ok && x.rest > 0
}

// Cost implements [indexes.Weighed].
func (x *Index) Cost() (wall, cpu time.Duration, peak int64) { return x.wall, x.cpu, x.peak }

// Warnings implements [indexes.Weighed].
func (x *Index) Warnings() []string { return x.warnings }

// Library implements [indexes.Weighed].
func (x *Index) Library() (version, runtime string) { return x.hello.Version, x.hello.Runtime }

// Close ends the program, with all that it started, and removes its files.
func (x *Index) Close() error {
	if x.program != nil {
		x.program.Close()
		x.program = nil
	}
	return os.RemoveAll(x.scratch)
}
