// Package record holds what a sweep leaves behind: one JSON line for each measured cell, and beside
// them a description of the data set and the pictures that a gallery needs.
//
// A results folder is the single truth that reports are made from; nothing in it needs the indexes,
// the model or the images again. The package reads and writes that folder and does nothing else:
// it neither measures (package bench) nor judges (package reports). It imports nothing of annbench but words.
package record

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"time"

	"annbench/internal/words"
)

// Cell is one operating point: everything that decides what a measurement means, and nothing that
// varies between repetitions of it. Cells are comparable, so that grouping is a Go map.
type Cell struct {
	Dataset string `json:"dataset"` // digest of the data set
	Metric  string `json:"metric"`  // l2, cosine or ip
	Family  string `json:"family"`  // name in the table of index families
	Build   string `json:"build"`   // build settings, canonical: "M=32 efConstruction=200"
	Search  string `json:"search"`  // search settings, canonical
	K       int    `json:"k"`       // answers asked for
	Threads int    `json:"threads"` // threads of the build
	Mode    string `json:"mode"`    // how queries are put; see [Latency]

	Workers int     `json:"workers,omitempty"` // threads that search, in the modes of several; else 0
	Rate    float64 `json:"rate,omitempty"`    // queries that arrive in a second, under [OpenLoop]; else 0

	// Transform is what the vectors went through before they were indexed, like "pca:128"; empty: nothing. Truth and
	// quality are by the vectors as they were.
	Transform string `json:"transform,omitempty"`

	// Filter names who may be answered, where not all may: an expression over attributes, or "selectivity=0.01
	// correlation=near", or the files of one. Way is how that is seen to: inside the search, after it or before it; Factor,
	// after it, says how many were asked for: so many times K over the share that passes.
	Filter string  `json:"filter,omitempty"`
	Way    string  `json:"way,omitempty"`
	Factor float64 `json:"factor,omitempty"`

	// Churn names the runbook that the index followed, Step the search in it, by its number there. Rebuild is after how many
	// searches the index was built anew; 0 where it was changed.
	Churn   string `json:"churn,omitempty"`
	Step    int    `json:"step,omitempty"`
	Rebuild int    `json:"rebuild,omitempty"`
}

// The modes of measuring.
const (
	// Latency has one query in flight, on one thread.
	Latency = "latency"
	// Throughput has Workers threads ask one query after another, for a fixed time.
	Throughput = "throughput"
	// Batch gives the index all queries at once, to answer with Workers threads.
	Batch = "batch"
	// OpenLoop has queries arrive at random, Rate of them a second on average, whether or not earlier
	// ones have been answered; Workers threads take them in turn. Latencies count from the time at
	// which a query was due, so that what waits is not left out.
	OpenLoop = "open"
)

// Modes lists the modes in the order in which they are measured.
var Modes = []string{Latency, Throughput, Batch, OpenLoop}

// Asked says how the queries of c are put: "latency", "throughput on 4", "load, 100/s on 8".
func (c Cell) Asked() string {
	switch {
	case c.Rate > 0:
		return fmt.Sprintf("%s, %v/s on %d", c.Mode, c.Rate, c.Workers)
	case c.Workers > 0:
		return fmt.Sprintf("%s on %d", c.Mode, c.Workers)
	}
	return c.Mode
}

// Under names the filter of c and the way it is applied, for people: "price < 100, after, factor 3". It is empty where all
// vectors are searched.
func (c Cell) Under() string {
	switch {
	case c.Filter == "":
		return ""
	case c.Factor > 0:
		return fmt.Sprintf("%s, %s, factor %g", c.Filter, c.Way, c.Factor)
	}
	return c.Filter + ", " + c.Way
}

// Settings is build and search settings as one text, for people.
func (c Cell) Settings() string {
	switch {
	case c.Build == "":
		return c.Search
	case c.Search == "":
		return c.Build
	}
	return c.Build + " " + c.Search
}

// ID names the cell in twelve hexadecimal digits; equal cells have equal IDs.
func (c Cell) ID() string {
	b, err := json.Marshal(c)
	if err != nil {
		panic(err) // strings and integers always encode
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:6])
}

// IndexFile is where a run that keeps indexes leaves the one that the cell was measured on, below the
// results folder: cells that differ in how they are searched share a file.
func (c Cell) IndexFile() string {
	id := Cell{Dataset: c.Dataset, Metric: c.Metric, Family: c.Family, Build: c.Build, Threads: c.Threads, Transform: c.Transform}.ID()
	return IndexesDir + "/" + c.Family + "-" + id
}

// Status says how the measurement of a cell ended.
type Status string

// The ways in which a measurement ends. Only an OK record has values.
const (
	OK      Status = "ok"
	Failed  Status = "failed"  // an error, a crash, or a process that was killed
	Timeout Status = "timeout" // ended at its deadline
	OOM     Status = "oom"     // ended at its memory limit
	Skipped Status = "skipped" // not tried: this build or this data cannot
)

// Record is one repetition of one cell.
type Record struct {
	Cell    Cell   `json:"cell"`
	Library string `json:"library"` // who wrote the index
	Exact   bool   `json:"exact,omitempty"`
	// Approach is the kind of index: exact, graph, tree, lists, quantised or hash. External says that the
	// family is a program of its own, which kept the clocks; Caller is the language from which that calls
	// the library, where it adds to every search ("Python"); Version is that of the library, Runtime the caller with its own.
	Approach string `json:"approach,omitempty"`
	External bool   `json:"external,omitempty"`
	Caller   string `json:"caller,omitempty"`
	Version  string `json:"version,omitempty"`
	Runtime  string `json:"runtime,omitempty"`
	// Program is a digest of the files of an external family.
	Program string    `json:"program,omitempty"`
	Rep     int       `json:"rep"` // 0 is the first
	Seed    uint64    `json:"seed"`
	Engine  string    `json:"engine"` // version of what measured; a change makes old records be measured again
	Time    time.Time `json:"time"`   // when the measurement ended

	// Server is the engine that held the index, for people: name, version and address; where its figures
	// of memory and disk are from. Empty for families in the worker's own process.
	Server string `json:"server,omitempty"`

	Status   Status   `json:"status"`
	Error    string   `json:"error,omitempty"`
	Warnings []string `json:"warnings,omitempty"`

	// Values are by the names in package metric's table, in base units: seconds, bytes, ratios in
	// [0, 1]. What was not measured is absent; no value is NaN or infinite.
	Values map[string]float64 `json:"values,omitempty"`
	// Spread is the standard error of a value over the queries, where it is known: how far the value
	// would move with other queries from the same place. In the unit of the value.
	Spread map[string]float64 `json:"spread,omitempty"`
	// ByLabel holds metrics split by the query's category: ByLabel["map"]["dress"], with the ends of
	// its 95 % interval under "map_lo" and "map_hi" and the number of queries under "queries".
	ByLabel map[string]map[string]float64 `json:"by_label,omitempty"`
	// ByDecile holds metrics split by the difficulty of the query, which is its LID: ByDecile["recall"]
	// has ten means, easiest tenth of the queries first. Absent where LID is not defined.
	ByDecile map[string][]float64 `json:"by_decile,omitempty"`
	// ByAttribute holds how far answers share the attributes by which they are graded: ByAttribute["agreement"]["colour"]
	// is the mean share of the k answers that have the query's colour, "agreement_exact" that of the exact neighbours,
	// "chance" that of vectors that are drawn at random. Absent where answers are not graded.
	ByAttribute map[string]map[string]float64 `json:"by_attribute,omitempty"`
	// ByK holds metrics of the first 1, 2, ... k of the answers: ByK["map"][0] is mAP@1. Nil without labels.
	ByK map[string][]float64 `json:"by_k,omitempty"`
	// Confusion[a][b] counts the answers of category b to queries of category a, by places in the
	// data set's labels.
	Confusion [][]int `json:"confusion,omitempty"`
	// Rounds are what the rounds of the repetition found, in which all settings are timed in turn; nil of
	// the modes that have none. Group counts from 1 the settings that were loaded together, where not all
	// fitted into memory; it is 0 where they did, and of the cells that took part in all groups.
	Rounds *Rounds `json:"rounds,omitempty"`
	Group  int     `json:"group,omitempty"`
	// Answers are what the queries of the gallery were given, in the gallery's order: row numbers of
	// the base, nearest first. Only repetition 0 has them.
	Answers [][]int32 `json:"answers,omitempty"`

	Env Env `json:"env"`
}

// Rounds are the figures of a cell, round by round: parallel slices, in the order of the rounds.
type Rounds struct {
	// At are the numbers of the rounds. What one repetition measured under one number was measured within
	// seconds and in turn, so that it can be paired; no number stands for two rounds of a repetition, also
	// where it was measured in several groups, runs or shards.
	At []int `json:"at"`
	// CPU is the processor time a query in seconds, of all threads of the process that searches. Absent of
	// servers, whose searching is not this process's.
	CPU  []float64 `json:"cpu,omitempty"`
	Wall []float64 `json:"wall"` // seconds a query, by the clock on the wall
	P50  []float64 `json:"p50"`  // median search time of the round, in seconds
	// Chance is, by the name of a percentile, the part of its Spread² that the same queries show when they are
	// asked again, from 0 to 1. Absent where no query was asked twice.
	Chance map[string]float64 `json:"chance,omitempty"`
}

// HarnessVersion is the version of the way in which this annbench measures: what stands in [Record.Engine].
const HarnessVersion = "3"

// Key is what makes a record be there already when a sweep is run again: the cell, the repetition
// and the version of the engine.
func (r *Record) Key() string { return Key(r.Cell, r.Rep, r.Engine) }

// Same reports whether two records, of whatever folders, are of one measurement: the same cell, repetition and seed,
// the same values, and the same moment.
func (r *Record) Same(o *Record) bool {
	return r.Seed == o.Seed && !r.Time.IsZero() && r.Time.Equal(o.Time) && maps.Equal(r.Values, o.Values) && r.Key() == o.Key()
}

// Key is the key of a record before it is measured; see [Record.Key].
func Key(c Cell, rep int, engine string) string {
	b, err := json.Marshal(struct {
		Cell   Cell
		Rep    int
		Engine string
	}{c, rep, engine})
	if err != nil {
		panic(err) // strings and integers always encode
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// Env is where a cell was measured: what a reader needs to judge whether two numbers compare.
type Env struct {
	CPU       string            `json:"cpu"`      // the model's name
	Features  []string          `json:"features"` // SIMD extensions that matter here, sorted
	Cores     int               `json:"cores"`    // logical cores that this process may use
	Memory    int64             `json:"memory"`   // bytes
	OS        string            `json:"os"`       // kernel and distribution
	Go        string            `json:"go"`
	Commit    string            `json:"commit,omitempty"`    // of annbench, "+dirty" after it where changed
	Libraries map[string]string `json:"libraries"`           // version by library: faiss, coder/hnsw, annbench's SIMD level
	Disturbed []string          `json:"disturbed,omitempty"` // what disturbed timing when the run began, for people
}

// Dataset describes what was searched, for people. The digest in every cell says which it was.
type Dataset struct {
	Name    string       `json:"name"`
	Digest  string       `json:"digest"`
	Base    int          `json:"base"`    // vectors searched
	Queries int          `json:"queries"` // vectors searched for; none of them stands in the base
	Dim     int          `json:"dim"`
	Labels  []LabelCount `json:"labels,omitempty"` // in name order; absent where there are none
	// Relevance says what makes an answer right beside its category; nil where only that does.
	Relevance *Relevance `json:"relevance,omitempty"`
	// Transforms are those whose vectors were indexed, in the order of the sweep; absent where vectors were as they are.
	Transforms []Transform `json:"transforms,omitempty"`
	// Embedding says how the vectors were made; nil where they were given.
	Embedding *Embedding `json:"embedding,omitempty"`
	// Notes are what the readers of the data guessed or left out, and categories that are missing or may be one.
	Notes    []string `json:"notes,omitempty"`
	Warnings []string `json:"warnings,omitempty"` // what the checks before a run found: duplicates, ...
	// Difficulty says how hard the set is to search, for each metric that was measured.
	Difficulty []Difficulty `json:"difficulty,omitempty"`
}

// Transform is one way in which vectors were made smaller before they were indexed; see [Cell.Transform].
type Transform struct {
	Name  string `json:"name"`  // "none", "pca:128", ...
	Dim   int    `json:"dim"`   // dimensions that are left
	Bytes int    `json:"bytes"` // that a vector takes up by itself
}

// Difficulty is how hard a data set is to search under a metric. What the metric does not define (LID and
// contrast under the inner product) is zero, and absent from the file.
type Difficulty struct {
	Metric    string `json:"metric"`
	Neighbors int    `json:"neighbors"` // exact neighbours of each query that LID is estimated from
	// LID is the local intrinsic dimensionality of the queries together; higher is harder. LIDDeciles
	// are its least value, nine quantiles and its greatest over the queries.
	LID        float64   `json:"lid,omitempty"`
	LIDDeciles []float64 `json:"lid_deciles,omitempty"`
	// Contrast is the mean over queries of the mean distance to the base over the distance to the
	// HubnessK-th neighbour; nearer to 1 is harder.
	Contrast        float64   `json:"contrast,omitempty"`
	ContrastDeciles []float64 `json:"contrast_deciles,omitempty"`
	// Hubness is the skewness of how many queries have a base vector among their HubnessK nearest;
	// Orphans the share of base vectors that no query has; LargestHub the most that one has; BadHubness
	// the share of neighbours of another category than the query's, nil without labels.
	HubnessK   int      `json:"hubness_k"`
	Hubness    float64  `json:"hubness"`
	Orphans    float64  `json:"orphans"`
	LargestHub int      `json:"largest_hub"`
	BadHubness *float64 `json:"bad_hubness,omitempty"`
	// Shift is the mean Mahalanobis distance of the queries from the base over that of vectors of the
	// base: 1 for queries like the base. ShiftNull are the ends between which chance alone leaves it in
	// 95 of 100 cases.
	Shift     float64   `json:"shift,omitempty"`
	ShiftNull []float64 `json:"shift_null,omitempty"`
	// Dims50, Dims90 and Dims99 are how many principal axes hold so many percent of the variance.
	// VarianceShares are the shares that the first axes hold together, at about a hundred equal steps up
	// to all dimensions.
	Dims50         int       `json:"dims50,omitempty"`
	Dims90         int       `json:"dims90,omitempty"`
	Dims99         int       `json:"dims99,omitempty"`
	VarianceShares []float64 `json:"variance_shares,omitempty"`
}

// LabelCount is a category and how many vectors have it.
type LabelCount struct {
	Label   string `json:"label"`
	Base    int    `json:"base"`
	Queries int    `json:"queries"`
}

// Relevance is by what answers are judged beside their categories.
type Relevance struct {
	Item        string `json:"item,omitempty"`         // the attribute that says which thing a vector is of; empty for none
	Items       int    `json:"items,omitempty"`        // things in the base
	ItemQueries int    `json:"item_queries,omitempty"` // queries whose thing the base has
	Gains       []Gain `json:"gains,omitempty"`        // the attributes that grade answers; absent for none
	// GradedQueries are the queries that share an attribute with some vector of the base.
	GradedQueries int `json:"graded_queries,omitempty"`
}

// Gain is what an attribute counts that query and answer share.
type Gain struct {
	Attribute string  `json:"attribute"`
	Weight    float64 `json:"weight"`
}

// Embedding says how images became vectors.
type Embedding struct {
	Model       string    `json:"model"`
	ModelDigest string    `json:"model_digest"`
	Source      string    `json:"source"`             // the collection, for people
	Device      string    `json:"device"`             // cuda, webgpu or cpu
	Refusals    []string  `json:"refusals,omitempty"` // devices that were tried first, each with the reason
	Images      int       `json:"images"`
	Skipped     []Failure `json:"skipped,omitempty"` // images that could not be read
	Seconds     float64   `json:"seconds"`           // wall time, from the first image read to the last vector
	// Stages of Seconds, each as long as it was busy. Decode and Prepare add up what Workers did side
	// by side, and stages overlap, so that their sum is more than Seconds. 0 where not known.
	Decode  float64         `json:"decode_seconds,omitempty"`
	Prepare float64         `json:"prepare_seconds,omitempty"`
	Infer   float64         `json:"infer_seconds,omitempty"`
	Write   float64         `json:"write_seconds,omitempty"`
	Workers int             `json:"workers,omitempty"`
	Runs    int             `json:"runs,omitempty"`  // batches in the model at once
	Batch   int             `json:"batch,omitempty"` // images in one run of the model
	JPEG    string          `json:"jpeg,omitempty"`  // what decoded JPEG files, where images came from files
	Limit   string          `json:"limit,omitempty"` // the stage that was busy for most of its time: decode, model or write
	Card    json.RawMessage `json:"card,omitempty"`  // the model's card as it stands
	// Precision is fp32, tf32 or fp16; Kept says what another than fp32 does: recall@10 of neighbours against
	// fp32 on the CPU, among KeptImages images.
	Precision  string   `json:"precision,omitempty"`
	Kept       *float64 `json:"neighbours_kept,omitempty"`
	KeptImages int      `json:"neighbours_kept_images,omitempty"`
	// DeviceOptions are those that the device's provider was given. WarmUp is what the device did before
	// the clock of Seconds started. BatchTried are the sizes that were tried where Batch was found so.
	DeviceOptions map[string]string `json:"device_options,omitempty"`
	WarmUp        float64           `json:"warmup_seconds,omitempty"`
	BatchTried    []BatchTrial      `json:"batch_tried,omitempty"`
	// TrainedOn is how many of the images the model was trained on, by the files' digests; 0 also where the
	// model does not say what it was trained on.
	TrainedOn int             `json:"trained_on,omitempty"`
	Shard     *EmbeddingShard `json:"shard,omitempty"` // which part of a collection this is; nil for all of it
	Key       string          `json:"key,omitempty"`   // of the model and the collection: what the same call finds again
	// Pictures is the digest of the collection of images. Empty in older records.
	Pictures string `json:"pictures,omitempty"`
}

// Flattering says that the model was trained on some of the images, which measures by category then flatter;
// it is empty where it is not known to be so.
func (e *Embedding) Flattering() string {
	if e == nil || e.TrainedOn == 0 {
		return ""
	}
	commas := func(n int) string { return words.Commas(strconv.Itoa(n)) }
	return fmt.Sprintf("%s of %s of these images were trained on by %s: mAP is flattering", commas(e.TrainedOn), commas(e.Images), e.Model)
}

// BatchTrial is a size of batches that was tried, and why it, or a larger one, was not.
type BatchTrial struct {
	Batch     int     `json:"batch"`
	PerSecond float64 `json:"per_second,omitempty"` // images of the model alone
	Reason    string  `json:"reason,omitempty"`
}

// EmbeddingShard is a part of a collection of images that was embedded by itself.
type EmbeddingShard struct {
	Index int    `json:"index"` // from 1
	Of    int    `json:"of"`
	First int    `json:"first"` // place of the first image in the collection
	End   int    `json:"end"`   // place that follows the last one
	Total int    `json:"total"` // images in the collection
	Key   string `json:"key"`   // of the model and the collection: the same for all shards that belong together
}

// Failure is an image that could not be used, and why.
type Failure struct {
	ID     string `json:"id"`
	Label  string `json:"label,omitempty"` // its category; absent where it is not known
	Reason string `json:"reason"`
}

// Gallery holds the queries that are shown with what each family answered, and the items needed to
// show them. Pictures are files in the results folder.
type Gallery struct {
	Queries []Item `json:"queries"`
	// Why[i] says why Queries[i] is shown, in a few words: "at random", "worst recall", ...
	Why []string `json:"why,omitempty"`
	// Answer[i] is the place of Queries[i] in [Record.Answers], which hold more queries than are shown;
	// absent where the two are in the same order.
	Answer []int          `json:"answer,omitempty"`
	Base   map[int32]Item `json:"base"` // by row number, every item that an answer names
	// Relevant[i] is how many items of the base share the label of Queries[i].
	Relevant []int `json:"relevant"`
	// Same[i] is how many items of the base are the same thing as Queries[i]; absent where that is not known.
	Same []int `json:"same,omitempty"`
	// Truth[i] are the exact neighbours of Queries[i], nearest first, as row numbers of the base, by
	// metric.
	Truth map[string][][]int32 `json:"truth"`
}

// Item is a picture with its name and category.
type Item struct {
	ID    string `json:"id"`
	Label string `json:"label,omitempty"`
	Thumb string `json:"thumb,omitempty"` // file name below the results folder; empty where there is none
	// Thing is which thing it shows, where answers are judged by item.
	Thing string `json:"item,omitempty"`
	// Attributes are those that grade answers, as people write them; what is missing is absent.
	Attributes map[string]string `json:"attributes,omitempty"`
}
