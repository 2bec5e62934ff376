package interchange

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

	"annbench/bench/dataset/vecfile"
	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/indexes/vec"
)

// annUnsafe is what ann-benchmarks replaces in the names of files.
var annUnsafe = regexp.MustCompile(`[^\w.-]+`)

func annName(s string) string { return strings.Trim(annUnsafe.ReplaceAllString(s, "_"), "_.") }

// WriteAnnBenchmarks writes the cells of latency and batch into the folder out as ann-benchmarks keeps its own
// runs, OUT/NAME/K/FAMILY/SETTINGS.hdf5: neighbours, distances in its own scale, times in seconds, attributes.
// An empty name is that of the data set. Of several repetitions of a cell, the one of median time is written.
// It returns how many cells it wrote, and how many it could not, since their answers were not kept
// ([record.AnswerFiles]).
func WriteAnnBenchmarks(r *record.Results, out, name string) (written, without int, err error) {
	name = cmp.Or(name, r.Dataset.Name)
	dir := filepath.Join(out, annName(name))
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
		h, err := annRun(r.Dir, rec, name)
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
		path := filepath.Join(dir, fmt.Sprint(cell.K), algo, cmp.Or(annName(cell.Settings()), "default")+".hdf5")
		if cell.Transform != "" {
			path = strings.TrimSuffix(path, ".hdf5") + "_" + strings.ReplaceAll(cell.Transform, ":", "-") + ".hdf5"
		}
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

// annRun is what ann-benchmarks keeps of a run (its results.py and runner.py).
func annRun(results string, rec *record.Record, name string) (*vecfile.HDF5, error) {
	idsFile, distancesFile, secondsFile := record.AnswerFiles(rec.Cell, rec.Rep)
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
