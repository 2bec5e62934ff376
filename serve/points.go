package serve

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"annbench/bench/record"
	"annbench/indexes"
	"annbench/indexes/vec"
	"annbench/internal/atomicfile"
	"annbench/reports/draw"
	judging "annbench/reports/judge"
)

// Point is an index with its settings, as it was measured.
type Point struct {
	ID      string // of the cell: [record.Cell.ID]
	Cell    record.Cell
	Library string
	Exact   bool
	Values  map[string]float64 // that were measured, over the repetitions, as in reports
	Colours [2]string          // of the family, on paper and on a dark screen
	Missing string             // why it cannot be searched; empty where it can

	index   indexes.Index
	lock    *sync.RWMutex // writing: what follows, and adding to the index
	rows    int           // that it has
	stuck   error         // why it took no more
	filters bool          // it looks at a filter while it searches
}

// close frees the index.
func (p *Point) close() error {
	if p.index == nil {
		return nil
	}
	return p.index.Close()
}

// PointOptions of [OpenPoints].
type PointOptions struct {
	// PerFamily is how many settings of each family are opened: the fastest with a recall of at least
	// 0.95, then the one of the highest recall, then the fastest. 0 means 3.
	PerFamily int
	// Threads for building where no index was kept; 0 means those of the measured build.
	Threads int
	// Say, where not nil, is called with what is being done.
	Say func(what string)
}

// OpenPoints opens the indexes of the results on the library's vectors. An index that the run kept
// (annbench run --keep-indexes) is loaded: it is the very one that was measured. One that it did not
// keep is built again, with the recorded settings and seed, and saved where the run would have kept
// it. A family that this build lacks gives a point that says so.
func OpenPoints(ctx context.Context, r *record.Results, lib *Library, o PointOptions) ([]*Point, error) {
	var points []*Point
	rep, err := judging.Of(r)
	if err != nil {
		return nil, err
	}
	for _, row := range choosePoints(rep, lib.metric, orElse(o.PerFamily, 3)) {
		points = append(points, &Point{
			ID: row.Cell.ID(), Cell: row.Cell, Library: row.Library, Exact: row.Exact, Values: measured(row),
			lock: new(sync.RWMutex), rows: lib.set.Base.Rows,
		})
		p := points[len(points)-1]
		if err := p.open(ctx, r.Dir, lib, seedOf(row), o); err != nil {
			if ctx.Err() != nil {
				return points, errors.Join(ctx.Err(), ClosePoints(points))
			}
			p.Missing = err.Error()
		}
	}
	if len(points) == 0 {
		return nil, fmt.Errorf("%s: no index was measured under %s, one query at a time: run it with the mode latency", r.Dir, lib.metric)
	}
	var families []string
	for _, p := range points {
		families = append(families, p.Cell.Family)
	}
	colours := draw.Colours(families)
	for _, p := range points {
		p.Colours = colours[p.Cell.Family]
	}
	return points, nil
}

// ClosePoints frees the indexes.
func ClosePoints(points []*Point) error {
	var errs []error
	for _, p := range points {
		errs = append(errs, p.close())
	}
	return errors.Join(errs...)
}

// choosePoints picks the settings that are served, family after family in the order of the report; see
// [judging.Served].
func choosePoints(r *judging.Report, m vec.Metric, each int) []*judging.Row {
	var terms judging.Terms
	for _, t := range r.Terms {
		if t.Metric == string(m) && t.Mode == record.Latency && t.K > terms.K {
			terms = t
		}
	}
	var out []*judging.Row
	for _, c := range r.Choose(terms) {
		for _, row := range judging.Served(c, each) {
			if row.OK() > 0 {
				out = append(out, row)
			}
		}
	}
	return out
}

// measured are the values of the row that are shown: the medians over its repetitions, which every report shows.
func measured(row *judging.Row) map[string]float64 {
	out := map[string]float64{}
	for _, name := range shownValues {
		if v, ok := row.Value(name); ok && !math.IsNaN(v.Median) && !math.IsInf(v.Median, 0) {
			out[name] = v.Median
		}
	}
	return out
}

// seedOf is the seed of the build that a run keeps: of the first repetition that ended well.
func seedOf(row *judging.Row) uint64 {
	for _, rep := range row.Reps {
		if rep.Status == record.OK {
			return rep.Seed
		}
	}
	return 0
}

func (p *Point) open(ctx context.Context, dir string, lib *Library, seed uint64, o PointOptions) error {
	f, err := indexes.Lookup(p.Cell.Family)
	if err != nil {
		return err
	}
	if f.Missing != "" {
		return errors.New(f.Missing)
	}
	settings, err := f.Parse(p.Cell.Settings())
	if err != nil {
		return err
	}
	in := indexes.BuildInput{Vectors: lib.set.Base, Metric: lib.metric, Params: settings, Threads: max(1, p.Cell.Threads), Seed: seed}
	if o.Threads > 0 {
		in.Threads = o.Threads
	}
	path := filepath.Join(dir, filepath.FromSlash(p.Cell.IndexFile()))
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if o.Say != nil {
			o.Say(strings.TrimSpace("building " + p.Cell.Family + " " + p.Cell.Build))
		}
		if err := buildInto(ctx, f, in, path); err != nil {
			return err
		}
		if err := record.LabelIndex(ctx, path, lib.dataset); err != nil { // stopped, perhaps
			return errors.Join(err, os.RemoveAll(path)) // an index without a label is not taken, and not built again
		}
	} else if err != nil {
		return err
	} else if err := record.CheckIndex(ctx, path, lib.dataset); err != nil {
		return err
	}
	load := in
	load.Vectors = vec.Matrix{}
	p.filters = f.Filters
	if p.index, err = f.Load(path, load); err != nil {
		return fmt.Errorf("%w; delete %s, and it is built again", err, path)
	}
	if t, ok := p.index.(indexes.Tuner); ok {
		search := indexes.Params{}
		for _, s := range f.Search {
			search[s.Name] = settings[s.Name]
		}
		if err := t.Tune(search); err != nil {
			return err
		}
	}
	// The first search of a mapped file reads it from the disk; a user should not wait for that.
	for row := range min(20, lib.set.Base.Rows) {
		if _, err := p.index.Search(nil, lib.set.Base.Row(row), 10); err != nil {
			return err
		}
	}
	return nil
}

// buildInto builds an index and saves it at path, under another name until it is whole.
func buildInto(ctx context.Context, f *indexes.Family, in indexes.BuildInput, path string) error {
	ix, err := f.OpenChecked(ctx, in)
	if err != nil {
		return err
	}
	defer ix.Close()
	s, ok := ix.(indexes.Saver)
	if !ok {
		return fmt.Errorf("%s cannot be saved", f.Name)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(path), ".build-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	if err := s.Save(filepath.Join(tmp, "index")); err != nil {
		return err
	}
	files, err := os.ReadDir(tmp)
	if err != nil {
		return err
	}
	slices.Reverse(files) // the index itself last: where it is, all of it is
	for _, file := range files {
		if err := atomicfile.Rename(filepath.Join(tmp, file.Name()), path+strings.TrimPrefix(file.Name(), "index")); err != nil {
			return err
		}
	}
	return nil
}
