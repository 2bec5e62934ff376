// Package interchange writes results for other programs: CSV, JSON, Go's benchmark format, the columns of
// ann-benchmarks, and, of cells whose answers were kept, its HDF5 files ([WriteAnnBenchmarks]). Values are in
// base units and not rounded, but for JSON's sizes to whole bytes.
//
// Tables for people are in package text.
package interchange

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"

	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/internal/words"
	"annbench/reports/judge"
	"annbench/reports/say"
)

// Formats are the formats for programs, in the order in which help lists them.
var Formats = []struct {
	Name, Says string
	Notes      bool // it has the notes on the results
	Print      func(io.Writer, *judge.Report) error
}{
	{"csv", "every record, a line each, in base units", false, CSV},
	{"json", "every cell with its intervals, families at equal recall, mAP by category", true, JSON},
	{"categories-csv", "mAP by category and family, those below the threshold marked", false, CategoriesCSV},
	{"gobench", "Go's benchmark format, for benchstat", false, Gobench},
	{"ann-benchmarks", "CSV with the columns of ann-benchmarks' data_export.py", false, AnnBenchmarks},
}

// CSV is every record that counts, one a line, in the order of rows: what the record says of
// itself, and every value of package metric's table in base units; what was not measured is empty.
func CSV(out io.Writer, r *judge.Report) error {
	w := csv.NewWriter(out)
	head := []string{"cell", "dataset", "metric", "family", "library", "build_settings", "search_settings", "k", "threads", "mode", "workers", "rate", "transform", "rep", "seed", "engine", "time", "status", "error"}
	for _, info := range metric.Table {
		head = append(head, info.Name)
	}
	if err := w.Write(head); err != nil {
		return err
	}
	for _, row := range r.Rows {
		c := row.Cell
		id := c.ID()
		for _, rep := range row.Reps {
			line := []string{
				id, c.Dataset, c.Metric, c.Family, rep.Library, c.Build, c.Search, strconv.Itoa(c.K), strconv.Itoa(c.Threads), c.Mode, strconv.Itoa(c.Workers), exactly(c.Rate), c.Transform,
				strconv.Itoa(rep.Rep), strconv.FormatUint(rep.Seed, 10), rep.Engine, rep.Time.UTC().Format(time.RFC3339), string(rep.Status), rep.Error,
			}
			for _, info := range metric.Table {
				s := ""
				v, ok := rep.Values[info.Name]
				if src := r.Source(c.Dataset); info.Name == metric.PerVector && src != nil && rep.Status == record.OK {
					v, ok = metric.BytesPerVector(rep.Values, src.Dataset.Base)
				}
				if ok {
					s = exactly(v)
				}
				line = append(line, s)
			}
			if err := w.Write(words.Fields(line)); err != nil {
				return err
			}
		}
	}
	w.Flush()
	return w.Error()
}

func exactly(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }

type jsonValue struct {
	Median float64  `json:"median"`
	Lo     *float64 `json:"lo,omitempty"` // ends of the 95 % interval
	Hi     *float64 `json:"hi,omitempty"`
	N      int      `json:"n"`
}

func toJSON(v judge.Value) jsonValue {
	out := jsonValue{Median: v.Median, N: v.N}
	if v.HasInterval {
		out.Lo, out.Hi = &v.Lo, &v.Hi
	}
	return out
}

// quantityJSON is toJSON of a quantity in the table: how often something was done is no estimate and has no interval, and
// sizes are whole bytes, but for the mean of a vector's.
func quantityJSON(info metric.Info, v judge.Value) jsonValue {
	switch {
	case info.Unit == metric.Count:
		v.HasInterval = false
	case info.Unit == metric.Bytes && info.Name != metric.PerVector:
		v.Median, v.Lo, v.Hi = math.Round(v.Median), math.Round(v.Lo), math.Round(v.Hi)
	}
	return toJSON(v)
}

type jsonCell struct {
	ID       string               `json:"id"`
	Cell     record.Cell          `json:"cell"`
	Library  string               `json:"library"`
	Exact    bool                 `json:"exact,omitempty"`
	Status   record.Status        `json:"status"`
	Failures []string             `json:"failures,omitempty"`
	Notes    []string             `json:"notes,omitempty"`
	Values   map[string]jsonValue `json:"values,omitempty"`
}

type jsonMatch struct {
	Terms   record.Cell `json:"terms"` // a cell without family and settings
	Recall  float64     `json:"recall"`
	Family  string      `json:"family"`
	Reach   string      `json:"reach"`             // at, beyond, below, or lost
	Max     *float64    `json:"max,omitempty"`     // the highest recall, where that is below
	QPS     *jsonValue  `json:"qps,omitempty"`     // at the recall
	Clock   string      `json:"clock,omitempty"`   // of QPS: processor or wall
	Setting string      `json:"setting,omitempty"` // id of the cell to use
	Under   string      `json:"under,omitempty"`   // id of the other cell that was interpolated
}

var reachNames = [...]string{judge.Lost: "lost", judge.Below: "below", judge.At: "at", judge.Beyond: "beyond"}

// JSON is every cell with its intervals, the verdict, the families at equal recall, and mAP by category.
func JSON(w io.Writer, r *judge.Report) error {
	out := struct {
		Datasets []record.Dataset `json:"datasets"`
		Notes    []string         `json:"notes,omitempty"`
		Verdict  struct {
			Question, Answer, Setting, Tied string
			Why, Sure                       []string
		} `json:"verdict"`
		Cells      []jsonCell      `json:"cells"`
		Matches    []jsonMatch     `json:"matches"`
		Categories *jsonCategories `json:"by_category,omitempty"`
	}{Notes: say.Notes(r), Categories: categoriesJSON(r)}
	for _, src := range r.Sources {
		out.Datasets = append(out.Datasets, src.Dataset)
	}
	v := say.Verdict(r, r.Decide())
	out.Verdict.Question, out.Verdict.Answer, out.Verdict.Setting, out.Verdict.Tied, out.Verdict.Why, out.Verdict.Sure = v.Question, v.Family, v.Setting, v.Tied, v.Why, v.Sure
	for _, row := range r.Rows {
		c := jsonCell{ID: row.Cell.ID(), Cell: row.Cell, Library: row.Library, Exact: row.Exact, Status: row.Status(), Notes: say.RowNotes(row), Values: map[string]jsonValue{}}
		for _, f := range row.Failures() {
			c.Failures = append(c.Failures, say.Failure(f))
		}
		for _, info := range metric.Table {
			if v, ok := row.Value(info.Name); ok {
				c.Values[info.Name] = quantityJSON(info, v)
			}
		}
		out.Cells = append(out.Cells, c)
	}
	for _, t := range r.Terms {
		if t.Mode != record.Latency {
			continue
		}
		for _, target := range r.Targets {
			for _, m := range r.Match(t, target, judge.Speed) {
				j := jsonMatch{
					Terms:  record.Cell{Dataset: t.Dataset, Metric: t.Metric, K: t.K, Threads: t.Threads, Mode: t.Mode},
					Recall: target, Family: m.Family.Name, Reach: reachNames[m.Reach],
				}
				if m.Setting != nil {
					j.Setting = m.Setting.Cell.ID()
				}
				if m.Under != nil {
					j.Under = m.Under.Cell.ID()
				}
				if m.Reach == judge.Below {
					j.Max = &m.Recall
				}
				if m.Reached() {
					q := toJSON(m.Value)
					j.QPS, j.Clock = &q, clockName(m.Setting.Clock())
				}
				out.Matches = append(out.Matches, j)
			}
		}
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(out)
}

// gobenchUnits are the values that the benchmark format has, with their units there. Seconds are
// written as they are; of the mean, ns/op is what every tool knows.
var gobenchUnits = []struct {
	name, unit string
	scale      float64
}{
	{metric.Mean, "ns/op", 1e9},
	{metric.CPU, "cpu-ns/op", 1e9},
	{metric.P50, "p50-sec", 1},
	{metric.P99, "p99-sec", 1},
	{metric.QPS, "queries/sec", 1},
	{metric.Recall, "recall-%", 100},
	{metric.MAP, "mAP-%", 100},
	{metric.Build, "build-sec", 1},
	{metric.BuildCPU, "build-cpu-sec", 1},
	{metric.Load, "load-sec", 1},
	{metric.Resident, "resident-B", 1},
	{metric.Serialized, "file-B", 1},
	{metric.PeakBuild, "peak-B", 1},
}

// Gobench writes a benchmark line for each record that ended well, so that repetitions are
// samples. Names hold family, settings, k and mode, and end in -N, the threads that searched.
func Gobench(w io.Writer, r *judge.Report) error {
	var b bytes.Buffer
	for _, u := range gobenchUnits {
		info, _ := metric.Lookup(u.name)
		better := "higher"
		if info.Lower {
			better = "lower"
		}
		fmt.Fprintf(&b, "Unit %s better=%s\n", u.unit, better)
	}
	config := map[string]string{}
	set := func(key, value string) {
		value = say.Clean(value)
		if old, ok := config[key]; !ok && value != "" || ok && old != value {
			config[key] = value
			fmt.Fprintf(&b, "%s: %s\n", key, value)
		}
	}
	fmt.Fprintln(&b)
	set("pkg", "annbench")
	for _, row := range r.Rows {
		for _, rep := range row.Reps {
			if rep.Status != record.OK {
				continue
			}
			values := ""
			for _, u := range gobenchUnits {
				if v, ok := rep.Values[u.name]; ok {
					values += fmt.Sprintf(" %s %s", strconv.FormatFloat(v*u.scale, 'g', 8, 64), u.unit)
				}
			}
			if values == "" {
				continue
			}
			set("dataset", r.DatasetName(row.Cell.Dataset))
			set("digest", row.Cell.Dataset)
			set("cpu", rep.Env.CPU)
			fmt.Fprintf(&b, "BenchmarkSearch%s-%d 1%s\n", gobenchName(row.Cell), max(1, row.Cell.Workers), values)
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

func gobenchName(c record.Cell) string {
	parts := []string{"family=" + c.Family, "metric=" + c.Metric, "k=" + strconv.Itoa(c.K)}
	parts = append(parts, strings.Fields(c.Settings())...)
	if c.Threads != 1 {
		parts = append(parts, "buildthreads="+strconv.Itoa(c.Threads))
	}
	if c.Transform != "" {
		parts = append(parts, "transform="+c.Transform)
	}
	if c.Mode != record.Latency {
		parts = append(parts, "mode="+c.Mode)
	}
	if c.Rate > 0 {
		parts = append(parts, "rate="+exactly(c.Rate))
	}
	var b strings.Builder
	for _, p := range parts {
		b.WriteByte('/')
		b.WriteString(strings.Map(func(c rune) rune {
			if c == '/' || unicode.IsSpace(c) || unicode.IsControl(c) {
				return '_'
			}
			return c
		}, p))
	}
	return b.String()
}

// annColumns are the columns of ann-benchmarks' data_export.py, in its order. A column without a
// value is of what annbench does not measure: its epsilons, percentiles in between, candidates.
var annColumns = []string{"algorithm", "parameters", "count", "k-nn", "epsilon", "largeepsilon", "rel", "qps", "p50", "p95", "p99", "p999", "distcomps", "build", "candidates", "indexsize", "queriessize", "dataset"}

// AnnBenchmarks writes the median of every cell under latency as a run of ann-benchmarks: index
// sizes in kB, percentiles in milliseconds, as there.
func AnnBenchmarks(out io.Writer, r *judge.Report) error {
	w := csv.NewWriter(out)
	if err := w.Write(annColumns); err != nil {
		return err
	}
	for _, row := range r.Rows {
		if row.Status() != record.OK || row.Cell.Mode != record.Latency {
			continue
		}
		value := func(name string, scale float64) string {
			if v, ok := row.Value(name); ok {
				return exactly(v.Median * scale)
			}
			return ""
		}
		perQuery := ""
		size, ok1 := row.Value(metric.Serialized)
		qps, ok2 := row.Value(metric.QPS)
		if ok1 && ok2 && qps.Median > 0 {
			perQuery = exactly(size.Median / 1000 / qps.Median)
		}
		fields := map[string]string{
			"algorithm": row.Cell.Family, "parameters": strings.TrimSpace(row.Cell.Family + " " + row.Cell.Settings()), "count": strconv.Itoa(row.Cell.K),
			"k-nn": value(metric.Recall, 1), "rel": value(metric.DistRatio, 1), "qps": value(metric.QPS, 1),
			"p50": value(metric.P50, 1e3), "p99": value(metric.P99, 1e3), "p999": value(metric.P999, 1e3),
			"build": value(metric.Build, 1), "indexsize": value(metric.Serialized, 1e-3), "queriessize": perQuery,
			"dataset": r.DatasetName(row.Cell.Dataset),
		}
		line := make([]string, len(annColumns))
		for i, c := range annColumns {
			line[i] = fields[c]
		}
		if err := w.Write(words.Fields(line)); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}
