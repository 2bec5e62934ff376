package sweepfile

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"annbench/bench/dataset"
	"annbench/bench/dataset/vecfile"
	"annbench/bench/record"
	"annbench/indexes/vec"
)

// Sweep is what a sweep file asks for: which vectors, which families with which settings, and how
// to measure. The zero value of every field but Data and Families has a meaning, given with it.
type Sweep struct {
	// Name of the run, and of its folder below results/. Default: the file's name without extension.
	Name string `yaml:"name"`
	// Data says where the vectors come from.
	Data Data `yaml:"data"`
	// Queries is how many vectors are held out, at random, to search for. Default: a fifth of all,
	// at most 1000.
	Queries int `yaml:"queries"`
	// Metric is one or several of l2, cosine, ip. Default: what the vectors' file says, or cosine.
	Metric OneOrMany[vec.Metric] `yaml:"metric"`
	// K is one or several numbers of answers. Default: 10.
	K OneOrMany[int] `yaml:"k"`
	// Threads that a build may use. Searches are timed on one thread. Default: 1.
	Threads int `yaml:"threads"`
	// Repetitions of every cell, each with a build of its own, interleaved. Default: 3.
	Repetitions int `yaml:"repetitions"`
	// Seed of every random choice: the queries, the order, the indexes. Default: 1.
	Seed uint64 `yaml:"seed"`
	// Measure is how long the timed passes over the queries go on at least, for each cell and for
	// each of latency and QPS. Default: 300ms.
	Measure time.Duration `yaml:"measure"`
	// Modes say how queries are put: one or several of latency (one in flight), throughput (several
	// threads, one query after another each), batch (all at once) and open (arrivals at Rates).
	// Default: latency.
	Modes OneOrMany[string] `yaml:"modes"`
	// Workers are the numbers of searching threads to try, under throughput and batch; open takes the
	// most. Default: 1, 2, 4, ... up to the cores.
	Workers OneOrMany[int] `yaml:"workers"`
	// Rates are the queries that arrive in a second, on average, to try under open.
	Rates OneOrMany[float64] `yaml:"rates"`
	// Duration is how long each cell of throughput, batch and open goes on. Default: 1s.
	Duration time.Duration `yaml:"duration"`
	// Prune leaves settings out of further repetitions that the first has shown to be dominated: see
	// the field Pruned of [Summary]. Default: no.
	Prune bool `yaml:"prune"`
	// Timeout ends the process that builds and measures one build. Default: 10m.
	Timeout time.Duration `yaml:"timeout"`
	// Memory ends that process when it holds more than this of its own: a size with its unit, like
	// 300MB or 4GiB. Default: no limit.
	Memory string `yaml:"memory"`
	// Gallery is how many queries are shown in the report with what each family answered.
	// Default: 12; none: -1.
	Gallery int `yaml:"gallery"`
	// Answers keeps what every query was answered, and how long it took, beside the records: for
	// `annbench export`. Default: no.
	Answers bool `yaml:"answers"`
	// Families to compare.
	Families []FamilySweep `yaml:"families"`
	// Filters are searched under, besides searches of all vectors. Default: none.
	Filters []FilterSweep `yaml:"filters"`
	// Churn has indexes follow runbooks of inserts, deletes and searches, besides searches of all vectors. Default: none.
	Churn []ChurnSweep `yaml:"churn"`

	// Fit says that settings which depend on the number of vectors may be set by it. No key of the file.
	Fit bool `yaml:"-"`

	file       *file
	metricOpen bool // the file says nothing of it
}

// UseMetric makes m the metric where the sweep file names none: it is what the vectors' file says.
func (s *Sweep) UseMetric(m vec.Metric) {
	if s.metricOpen {
		s.Metric = OneOrMany[vec.Metric]{m}
	}
}

// SetMetric makes m the metric, whatever the file says.
func (s *Sweep) SetMetric(m vec.Metric) {
	s.metricOpen = false
	s.Metric = OneOrMany[vec.Metric]{m}
}

// MetricOpen reports whether the sweep names no metric.
func (s *Sweep) MetricOpen() bool { return s.metricOpen }

// Data says where the vectors come from: exactly one of Images, Boards, Rendered,
// Vectors and Synthetic. Paths are relative to the sweep file's folder, or addresses s3://bucket/key.
type Data struct {
	// Images is a folder of labelled images, CATEGORY/x.jpg, .png or .webp, or of boards as
	// `annbench catalog render` writes them.
	Images string `yaml:"images"`
	// Boards are images with annotated boxes, which are cropped.
	Boards *Boards `yaml:"boards"`
	// Rendered are fashion boards that annbench draws itself, cropped to garments.
	Rendered *Rendered `yaml:"rendered"`
	// Vectors is a file of vectors, a folder CATEGORY/FILE of such files, or a folder that `annbench
	// embed` wrote; docs/reference/formats.md lists the formats.
	Vectors string `yaml:"vectors"`
	// Synthetic are clusters of a set intrinsic dimension, drawn from a seed.
	Synthetic *Synthetic `yaml:"synthetic"`
	// Labels is a file with the category of each vector, for Vectors without: text, a line each, or
	// .npy of integers.
	Labels string `yaml:"labels"`
	// Queries is what to search for: for Vectors a file of vectors, or a folder as for Vectors; for Images and Boards a
	// folder as for Images, such as scenes where Images are products. Default: those that Vectors comes with, or else
	// vectors that are held out.
	Queries string `yaml:"queries"`
	// QueryLabels is a file with the category of each of the Queries of Vectors, as Labels. Default: those that they come
	// with.
	QueryLabels string `yaml:"query_labels"`
	// Neighbors is a file with the exact neighbours of the queries, to be checked: .ivecs, .ibin or
	// .npy.
	Neighbors string `yaml:"neighbors"`
	// Columns name the parts of a file that has several.
	Columns vecfile.Columns `yaml:"columns"`
	// Attributes are one or several tables with what is known of the items beside their categories: .csv, .tsv,
	// .jsonl or .parquet, with a column of ids (or one row an item, in the order of the data). Default: attributes.csv
	// (.tsv, .jsonl, .parquet) in the folder of the images, boards or vectors, if it is there.
	Attributes OneOrMany[string] `yaml:"attributes"`
	// Items is the attribute that says which thing an item shows, so that answers are judged by it; or folders, for images
	// in CATEGORY/ITEM/x.jpg; or none. Default: the attribute item, or else folders where images lie so.
	Items string `yaml:"items"`
	// Gains are the attributes that make an answer right in part, with their weights: `{colour: 2, pattern: 1}`. Default:
	// every attribute that is true or false or has 2 to 50 texts, by the same weight; `{}` for none.
	Gains map[string]float64 `yaml:"gains"`
	// Transform makes the vectors smaller before they are indexed; several are compared: none, pca:N (principal
	// components), first:N (the first dimensions), fp16, int8, binary (signs). Recall and mAP are against the vectors as
	// they were. Default: none.
	Transform OneOrMany[string] `yaml:"transform"`
	// LeaveOneOut draws the queries and leaves them in the base; no query is its own answer.
	LeaveOneOut bool `yaml:"leave_one_out"`
	// Allow names what the checks of the data may find without ending the run; see
	// [dataset.Gates].
	Allow OneOrMany[string] `yaml:"allow"`
	// Model is the ONNX model that embeds the images: its card, or the name of one that ships. Default: the
	// first of those.
	Model string `yaml:"model"`
	// Device is where the model runs: one or several of those that `annbench devices` lists, tried in
	// this order. Default: cuda, webgpu, cpu.
	Device OneOrMany[string] `yaml:"device"`
	// DeviceOptions are options of ONNX Runtime's providers, by device: `{cuda: {device_id: 1}}`.
	DeviceOptions map[string]map[string]Scalar `yaml:"device_options"`
	// Batch is the number of images in one run of the model, or auto: found by trying. Default: 32.
	Batch Scalar `yaml:"batch"`
	// Precision is what the model computes in: fp32, tf32 (NVIDIA's tensor cores) or fp16. Default: fp32.
	Precision string `yaml:"precision"`
}

// Scalar is a text, a number, true or false, as text.
type Scalar string

// UnmarshalYAML reads one.
func (s *Scalar) UnmarshalYAML(decode func(any) error) error {
	var v any
	if err := decode(&v); err != nil {
		return err
	}
	switch v.(type) {
	case string, bool, int, int64, uint64, float64:
		*s = Scalar(fmt.Sprint(v))
		return nil
	}
	return fmt.Errorf("an option has one value, not %T", v)
}

// maxBatch is the largest number of images in one run of a model.
const maxBatch = 1024

// Boards are boards in the form of Complete the Look.
type Boards struct {
	TSV    string `yaml:"tsv"`    // the boxes
	Images string `yaml:"images"` // folder of the boards' images, named by their signatures
}

// Rendered says how many boards to draw, each with five garments of five categories; or how many garments, each by itself,
// as products that are searched, and in scenes that are searched for.
type Rendered struct {
	Boards int    `yaml:"boards" json:",omitempty"` // Default: 1000, if there are no garments.
	Seed   uint64 `yaml:"seed"`                     // Default: 1.
	// Garments is how many garments to draw instead of boards: products on white, that are searched.
	Garments int `yaml:"garments" json:",omitempty"`
	// Shots is how many product photographs of each garment there are. Default: 1.
	Shots int `yaml:"shots" json:",omitempty"`
	// Scenes is how many garments are drawn in the wild, too, as the queries. Default: a fifth of the garments, at most 1000.
	Scenes int `yaml:"scenes" json:",omitempty"`
	// Hard is how far scenes are from products, 0 to 1: light, pose, size, ground, what stands before them. Default: 0.25.
	Hard *float64 `yaml:"hard" json:",omitempty"`
}

// HardByDefault is how hard scenes are where nothing is said. Measured with the ResNet18 that ships: of 200 scenes among 1,000
// garments, exact search finds the garment among the ten nearest for .715, and an index of recall .57 for .58; at 0.5, of
// 150 among 500, .65. So both a better and a worse index or model shows.
const HardByDefault = 0.25

// Synthetic says what to draw; see [dataset.Synthetic].
type Synthetic struct {
	// N is how many vectors, queries among them. Several make a run for each, one after the other,
	// and a comparison of how everything grows.
	N        OneOrMany[int] `yaml:"n"`
	Dim      int            `yaml:"dim"`      // Default: 128.
	LID      float64        `yaml:"lid"`      // intrinsic dimension of the clusters. Default: 12.
	Clusters int            `yaml:"clusters"` // Default: 20.
	Seed     uint64         `yaml:"seed"`     // Default: 1.
}

// FamilySweep is one family with the settings to try: every combination of the values given.
// Settings that are not given have the family's defaults.
type FamilySweep struct {
	Family string `yaml:"family"`
	Build  Grid   `yaml:"build"`
	Search Grid   `yaml:"search"`
	// Address is where the engine of the family answers. Default: the one that `annbench engines up`
	// started.
	Address string `yaml:"address"`
}

// FilterSweep is one filter, or several that are made: exactly one of Where, Selectivity and CSR.
type FilterSweep struct {
	// Where is an expression over the attributes of the vectors: "category = 'dress' and price < 100".
	Where string `yaml:"where"`
	// Selectivity is one or several shares of the vectors, drawn to pass: [0.5, 0.1, 0.01].
	Selectivity OneOrMany[float64] `yaml:"selectivity"`
	// Correlation says from where those are drawn: one or several of none (all vectors), near (the query's nearest)
	// and far (its farthest). Default: none.
	Correlation OneOrMany[string] `yaml:"correlation"`
	// CSR is a file of the words that each vector has, in the form of big-ann-benchmarks' filter track: a vector passes
	// that has all words of the query.
	CSR string `yaml:"csr"`
	// CSRQueries is the file of the words that each query asks for.
	CSRQueries string `yaml:"csr_queries"`
	// Ways are how the filter is seen to: one or several of inside (the index looks at it while it searches), after (the
	// index is asked for more) and before (what passes is compared, without an index). Default: inside for the
	// families that can, after for all, and before on the first family of the file.
	Ways OneOrMany[string] `yaml:"ways"`
	// Factor says, for the way after, how many the index is asked for: one or several multiples of k over the share
	// that passes. Default: [1, 3].
	Factor OneOrMany[float64] `yaml:"factor"`

	sum string // of the CSR files
}

// ChurnSweep is one runbook, or several that are made: either PerStep or Runbook.
type ChurnSweep struct {
	// PerStep is the share of what lives that every step replaces, like 5%: a runbook is made.
	PerStep Scalar `yaml:"per_step"`
	// Steps of a made runbook. Default: 20.
	Steps int `yaml:"steps"`
	// Order in which a made runbook deletes: one or several of random, oldest and clustered. Default: random.
	Order OneOrMany[string] `yaml:"order"`
	// Runbook is a file in the form of big-ann-benchmarks' streaming track.
	Runbook string `yaml:"runbook"`
	// Dataset is the name of the data set in that file.
	Dataset string `yaml:"dataset"`
	// Rebuild has every family, also those that cannot change, built anew after so many searches: one or several numbers;
	// 0 for none. Default: 1 and 5; where a runbook has 5 searches or fewer, 1 and 2.
	Rebuild OneOrMany[int] `yaml:"rebuild"`
	// Rate, where given, is how many queries a second arrive while an index changes. Default: none do.
	Rate float64 `yaml:"rate"`

	sum string // of the runbook's file
}

// Grid holds the values to try of each setting.
type Grid map[string]OneOrMany[any]

// OneOrMany is a list that may be written as a single value.
type OneOrMany[T any] []T

// UnmarshalYAML reads a single value or a list.
func (l *OneOrMany[T]) UnmarshalYAML(decode func(any) error) error {
	var many []T
	if decode(&many) == nil {
		*l = many
		return nil
	}
	var one T
	if err := decode(&one); err != nil {
		return err
	}
	*l = OneOrMany[T]{one}
	return nil
}

func (s *Sweep) defaults() {
	if len(s.Metric) == 0 {
		s.metricOpen = true
		s.Metric = OneOrMany[vec.Metric]{vec.Cosine}
	}
	if len(s.K) == 0 {
		s.K = OneOrMany[int]{10}
	}
	setDefault(&s.Threads, 1)
	setDefault(&s.Repetitions, 3)
	setDefault(&s.Seed, 1)
	setDefault(&s.Measure, 300*time.Millisecond)
	setDefault(&s.Duration, time.Second)
	if len(s.Modes) == 0 {
		s.Modes = OneOrMany[string]{record.Latency}
	}
	setDefault(&s.Timeout, 10*time.Minute)
	setDefault(&s.Gallery, 12)
	if r := s.Data.Rendered; r != nil {
		if r.Garments > 0 {
			setDefault(&r.Shots, 1)
			setDefault(&r.Scenes, max(1, min(1000, r.Garments/5)))
			if r.Hard == nil {
				hard := HardByDefault
				r.Hard = &hard
			}
		} else {
			setDefault(&r.Boards, 1000)
		}
		setDefault(&r.Seed, 1)
	}
	if y := s.Data.Synthetic; y != nil {
		setDefault(&y.Dim, 128)
		setDefault(&y.LID, 12)
		setDefault(&y.Clusters, 20)
		setDefault(&y.Seed, 1)
	}
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// InStorage reports whether a path of a sweep is the address of something in object storage,
// s3://bucket/key, which the command fetches before anything here opens it.
func InStorage(path string) bool { return strings.HasPrefix(path, "s3://") }

// Of is what there is to draw for n vectors.
func (y *Synthetic) Of(n int) dataset.Synthetic {
	return dataset.Synthetic{N: n, Dim: y.Dim, LID: y.LID, Clusters: y.Clusters, Seed: y.Seed}
}

// Cores is how many processor cores a machine must have for s: for its threads, and one at least beside
// the measured one.
func (s *Sweep) Cores() int {
	most := max(2, s.Threads)
	for _, w := range s.Workers {
		most = max(most, w)
	}
	return most
}

// MaxK is how many exact neighbours of each query a run of s finds.
func (s *Sweep) MaxK() int { return max(100, slices.Max(s.K)) }
