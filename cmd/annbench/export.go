package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"annbench/bench"
	"annbench/bench/dataset/vecfile"
	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/indexes/vec"
)

type exportCmd struct {
	Results []string `arg:"" help:"Results folders, of sweeps with answers: true." s3:"whole"`
	Out     string   `help:"The folder results of an ann-benchmarks checkout, or another." required:"" placeholder:"DIR" s3:"out"`
	Dataset string   `help:"What ann-benchmarks calls the data set. Default: its name." placeholder:"NAME"`
}

// Help is printed below the flags.
func (exportCmd) Help() string {
	return `Writes DIR/DATASET/K/FAMILY/SETTINGS.hdf5 with neighbours, distances, times and attributes, as
ann-benchmarks keeps its own runs, so that its plot.py and data_export.py read them. Of several
repetitions the one of median time is written. Cells whose answers were not kept are left out: a
sweep keeps them with answers: true, and run --data does.

Examples:
  annbench export results/glove-100-angular --out ann-benchmarks/results`
}

func (c *exportCmd) Run(s *surface) error {
	written, without := 0, 0
	for _, dir := range c.Results {
		r, err := record.Open(dir)
		if err != nil {
			return err
		}
		name := c.Dataset
		if name == "" {
			name = r.Dataset.Name
		}
		w, n, err := exportResults(dir, r, filepath.Join(c.Out, fileName(name)), name)
		if err != nil {
			return err
		}
		written, without = written+w, without+n
	}
	if without > 0 {
		s.say("%d cells are left out: their answers were not kept (answers: true keeps them)", without)
	}
	if written == 0 {
		return errors.New("nothing to export: no cell has its answers kept; measure with answers: true in the sweep file")
	}
	fmt.Fprintf(s.out, "%d files in %s\n", written, c.Out)
	return nil
}

// unsafeName is what ann-benchmarks replaces in the names of files.
var unsafeName = regexp.MustCompile(`[^\w.-]+`)

func fileName(s string) string { return strings.Trim(unsafeName.ReplaceAllString(s, "_"), "_.") }

// exportResults writes the cells of a results folder below dir, and returns how many it wrote, and how
// many it could not.
func exportResults(results string, r *record.Results, dir, name string) (written, without int, err error) {
	cells := map[record.Cell][]*record.Record{}
	var order []record.Cell
	for i := range r.Records {
		rec := &r.Records[i]
		if rec.Status != record.OK || rec.Cell.Mode != record.Latency && rec.Cell.Mode != record.Batch {
			continue
		}
		if cells[rec.Cell] == nil {
			order = append(order, rec.Cell)
		}
		cells[rec.Cell] = append(cells[rec.Cell], rec)
	}
	for _, cell := range order {
		recs := cells[cell]
		slices.SortStableFunc(recs, func(a, b *record.Record) int { return cmp.Compare(secondsPerQuery(a), secondsPerQuery(b)) })
		rec := recs[(len(recs)-1)/2]
		h, err := annBenchmarks(results, rec, name)
		if errors.Is(err, fs.ErrNotExist) {
			without++
			continue
		}
		if err != nil {
			return written, without, err
		}
		algo := cell.Family
		if cell.Mode == record.Batch {
			algo += "-batch"
		}
		path := filepath.Join(dir, fmt.Sprint(cell.K), algo, cmp.Or(fileName(cell.Settings()), "default")+".hdf5")
		if cell.Workers > 0 || cell.Threads > 1 {
			path = strings.TrimSuffix(path, ".hdf5") + fmt.Sprintf("_t%d_w%d.hdf5", cell.Threads, cell.Workers)
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return written, without, err
		}
		if err := h.WriteFile(path); err != nil {
			return written, without, err
		}
		written++
	}
	return written, without, nil
}

// secondsPerQuery is what ann-benchmarks calls the search time.
func secondsPerQuery(rec *record.Record) float64 {
	if v, ok := rec.Values[metric.Mean]; ok {
		return v
	}
	return 1 / rec.Values[metric.QPS]
}

// annBenchmarks is what ann-benchmarks keeps of a run (its results.py and runner.py).
func annBenchmarks(results string, rec *record.Record, name string) (*vecfile.HDF5, error) {
	idsFile, distancesFile, secondsFile := bench.AnswerFiles(rec.Cell, rec.Rep)
	ids, k, err := vecfile.ReadArray[int32](filepath.Join(results, idsFile), 2)
	if err != nil {
		return nil, err
	}
	far, again, err := vecfile.ReadArray[float64](filepath.Join(results, distancesFile), 2)
	if err != nil {
		return nil, err
	}
	if again != k || len(far) != len(ids) || k == 0 {
		return nil, fmt.Errorf("%s and %s are of different cells", idsFile, distancesFile)
	}
	queries := len(ids) / k
	seconds, _, err := vecfile.ReadArray[float64](filepath.Join(results, secondsFile), 1)
	if errors.Is(err, fs.ErrNotExist) { // a batch has no times of its queries
		for range queries {
			seconds = append(seconds, secondsPerQuery(rec))
		}
	} else if err != nil {
		return nil, err
	}
	word, distance := "euclidean", func(d float64) float64 { return d }
	switch vec.Metric(rec.Cell.Metric) {
	case vec.Cosine:
		word, distance = "angular", func(d float64) float64 { return d * d / 2 } // 1 - cos from the chord
	case vec.InnerProduct:
		word = "dot"
	}
	distances, times, answers := make([]float32, len(far)), make([]float32, len(seconds)), 0
	for i, d := range far {
		distances[i] = float32(math.Inf(1))
		if !math.IsNaN(d) {
			distances[i] = float32(distance(d))
			answers++
		}
	}
	for i, t := range seconds {
		times[i] = float32(t)
	}
	batch := int64(0)
	if rec.Cell.Mode == record.Batch {
		batch = 1
	}
	label := rec.Cell.Family
	if settings := rec.Cell.Settings(); settings != "" {
		label += " (" + settings + ")"
	}
	return &vecfile.HDF5{
		Attributes: []vecfile.HDF5Attribute{
			{Name: "algo", Value: rec.Cell.Family},
			{Name: "name", Value: label},
			{Name: "dataset", Value: name},
			{Name: "distance", Value: word},
			{Name: "count", Value: int64(rec.Cell.K)},
			{Name: "run_count", Value: int64(1)},
			{Name: "batch_mode", Value: batch},
			{Name: "expect_extra", Value: int64(0)},
			{Name: "build_time", Value: rec.Values[metric.Build]},
			{Name: "index_size", Value: rec.Values[metric.Resident] / 1024}, // kB
			{Name: "best_search_time", Value: secondsPerQuery(rec)},
			{Name: "candidates", Value: float64(answers) / float64(queries)},
		},
		Datasets: []vecfile.HDF5Dataset{
			{Name: "neighbors", Values: ids, Row: k},
			{Name: "distances", Values: distances, Row: k},
			{Name: "times", Values: times},
		},
	}, nil
}
