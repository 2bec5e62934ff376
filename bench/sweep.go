package bench

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"annbench/bench/dataset"
	"annbench/bench/dataset/vecfile"
	"annbench/bench/record"
	"annbench/indexes"
	"annbench/indexes/vec"
	"annbench/internal/words"
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
	// Memory ends that process when it holds more than so much of its own: a size as [ParseSize]
	// reads it. Default: no limit.
	Memory string `yaml:"memory"`
	// Gallery is how many queries are shown in the report with what each family answered.
	// Default: 12; none: -1.
	Gallery int `yaml:"gallery"`
	// Answers keeps what every query was answered, and how long it took, beside the records: for
	// `annbench export`. Default: no.
	Answers bool `yaml:"answers"`
	// Families to compare.
	Families []FamilySweep `yaml:"families"`

	// Fit says that settings which depend on the number of vectors may be set by it. No key of the file.
	Fit bool `yaml:"-"`

	source     *source
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
	// embed` wrote; docs/formats.md lists the formats.
	Vectors string `yaml:"vectors"`
	// Synthetic are clusters of a set intrinsic dimension, drawn from a seed.
	Synthetic *Synthetic `yaml:"synthetic"`
	// Labels is a file with the category of each vector, for Vectors without: text, a line each, or
	// .npy of integers.
	Labels string `yaml:"labels"`
	// Queries is a file of the vectors to search for. Default: those that Vectors comes with, or else
	// vectors that are held out.
	Queries string `yaml:"queries"`
	// Neighbors is a file with the exact neighbours of the queries, to be checked: .ivecs, .ibin or
	// .npy.
	Neighbors string `yaml:"neighbors"`
	// Columns name the parts of a file that has several.
	Columns vecfile.Columns `yaml:"columns"`
	// LeaveOneOut draws the queries and leaves them in the base; no query is its own answer.
	LeaveOneOut bool `yaml:"leave_one_out"`
	// Allow names what the checks of the data may find without ending the run; see
	// [dataset.Gates].
	Allow OneOrMany[string] `yaml:"allow"`
	// Model is the ONNX model that embeds the images, by its card. Default: the one that ships.
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

// Rendered says how many boards to draw; each has five garments of five categories.
type Rendered struct {
	Boards int    `yaml:"boards"` // Default: 1000.
	Seed   uint64 `yaml:"seed"`   // Default: 1.
}

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

// ParseSize reads a number of bytes: a number with kB, MB, GB (powers of 1000), KiB, MiB, GiB
// (powers of 1024), B or nothing after it.
func ParseSize(s string) (int64, error) {
	number, factor := strings.TrimSpace(s), 1.0
	for _, unit := range []struct {
		suffix string
		factor float64
	}{
		{"KiB", 1 << 10},
		{"MiB", 1 << 20},
		{"GiB", 1 << 30},
		{"kB", 1e3},
		{"MB", 1e6},
		{"GB", 1e9},
		{"B", 1},
	} {
		if rest, ok := strings.CutSuffix(number, unit.suffix); ok {
			number, factor = strings.TrimSpace(rest), unit.factor
			break
		}
	}
	x, err := strconv.ParseFloat(number, 64)
	if err != nil || !(x >= 0 && x*factor < 1<<62) {
		return 0, fmt.Errorf("%q is not a size: write it like 300MB or 4GiB", s)
	}
	return int64(x * factor), nil
}

// source is the file that a sweep was read from, kept to say where in it something is wrong.
type source struct {
	path string
	text []byte
	file *ast.File
}

// A FileError is something wrong at a place in a file. Its text is one message: place, reason and
// fix, then the line itself with a mark under the place.
type FileError struct {
	Path         string
	Line, Column int // from 1
	Reason       string
	Text         string // the line
}

func (e *FileError) Error() string {
	at := fmt.Sprintf("%s:%d:%d: %s", e.Path, e.Line, e.Column, e.Reason)
	if e.Text == "" {
		return at
	}
	return fmt.Sprintf("%s\n    %s\n    %s^", at, e.Text, strings.Repeat(" ", max(0, e.Column-1)))
}

// ReadSweep reads the sweep file at path and checks all that can be checked without the data: names,
// values, and that the files it names are there. Paths in it are relative to its own folder. An
// error about the file's contents is a [*FileError].
func ReadSweep(path string) (*Sweep, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("no sweep file %s; configs/ has examples", path)
		}
		return nil, err
	}
	return ParseSweep(path, text)
}

// ParseSweep reads a sweep from text as [ReadSweep] does; path is what errors and relative paths go by.
func ParseSweep(path string, text []byte) (*Sweep, error) {
	src := &source{path: path, text: text}
	var err error
	if src.file, err = parse(text); err != nil {
		return nil, src.decodeError(err)
	}
	s := &Sweep{}
	if err := decode(text, s); err != nil {
		return nil, src.decodeError(err)
	}
	s.source = src // after decoding, which clears everything where the file says nothing
	if s.Name == "" {
		s.Name = strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	}
	s.defaults()
	if err := s.check(); err != nil {
		return nil, err
	}
	return s, nil
}

// parse and decode call the YAML library, which panics on some damaged files (a tag without a value
// where a list may stand, for one): that is an error of the file.

func parse(text []byte) (file *ast.File, err error) {
	defer unreadable(&err)
	return parser.ParseBytes(text, 0)
}

func decode(text []byte, s *Sweep) (err error) {
	defer unreadable(&err)
	return yaml.UnmarshalWithOptions(text, s, yaml.Strict())
}

func unreadable(err *error) {
	if r := recover(); r != nil {
		*err = errors.New("this is not YAML that can be read: look for tags (!), anchors (&) and values that are missing")
	}
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
		setDefault(&r.Boards, 1000)
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

// check reports the first thing that is wrong, in the order of the file's documentation.
func (s *Sweep) check() error {
	if strings.ContainsAny(s.Name, `/\`) || s.Name == "." || s.Name == ".." {
		return s.errorf("$.name", "name %q must be the name of a folder, not a path", s.Name)
	}
	if err := s.checkData(); err != nil {
		return err
	}
	if s.Queries < 0 {
		return s.errorf("$.queries", "queries must be at least 1, not %d", s.Queries)
	}
	for i, m := range s.Metric {
		metric, err := vec.ParseMetric(string(m))
		if err != nil {
			return s.errorf(s.listPath("$.metric", i), "%v", err)
		}
		s.Metric[i] = metric
	}
	for i, k := range s.K {
		if k < 1 {
			return s.errorf(s.listPath("$.k", i), "k must be at least 1, not %d", k)
		}
	}
	for i, m := range s.Modes {
		if slices.Contains(record.Modes, m) {
			continue
		}
		fix := "known are " + strings.Join(record.Modes, ", ")
		if near := words.Nearest(m, record.Modes); near != "" {
			fix = fmt.Sprintf("did you mean %q?", near)
		}
		return s.errorf(s.listPath("$.modes", i), "no mode %q; %s", m, fix)
	}
	for i, t := range s.Workers {
		if t < 1 || t > maxWorkers {
			return s.errorf(s.listPath("$.workers", i), "workers must be between 1 and %d, not %d", maxWorkers, t)
		}
	}
	for i, rate := range s.Rates {
		if !(rate > 0 && rate <= maxRate) {
			return s.errorf(s.listPath("$.rates", i), "a rate must be above 0 and at most %v queries a second, not %v", maxRate, rate)
		}
	}
	for _, at := range []struct {
		path string
		bad  bool
		rule string
	}{
		{"$.threads", s.Threads < 1, "threads must be at least 1"},
		{"$.repetitions", s.Repetitions < 1, "repetitions must be at least 1"},
		{"$.measure", s.Measure < 0, "measure must be a time like 300ms"},
		{"$.duration", s.Duration < 0, "duration must be a time like 1s"},
		{"$.timeout", s.Timeout < 0, "timeout must be a time like 10m"},
		{"$.rates", slices.Contains(s.Modes, record.OpenLoop) && len(s.Rates) == 0, "mode open needs rates: how many queries arrive in a second, like [100, 1000]"},
	} {
		if at.bad {
			return s.errorf(at.path, "%s", at.rule)
		}
	}
	if _, err := s.memoryLimit(); err != nil {
		return s.errorf("$.memory", "memory: %v", err)
	}
	if len(s.Families) == 0 {
		return s.errorf("$.families", "no families to compare: list some under families, `annbench families` shows them")
	}
	for i := range s.Families {
		if err := s.checkFamily(i); err != nil {
			return err
		}
	}
	return nil
}

// What a machine could bear at most, so that a slip of the pen is told before hours have gone by.
const (
	maxWorkers = 4096
	maxRate    = 1e7
)

// memoryLimit is Memory in bytes, 0 for no limit.
func (s *Sweep) memoryLimit() (int64, error) {
	if s.Memory == "" {
		return 0, nil
	}
	return ParseSize(s.Memory)
}

func (s *Sweep) checkData() error {
	d := &s.Data
	given := 0
	for _, is := range []bool{d.Images != "", d.Boards != nil, d.Rendered != nil, d.Vectors != "", d.Synthetic != nil} {
		if is {
			given++
		}
	}
	if given != 1 {
		return s.errorf("$.data", "data must have exactly one of images, boards, rendered, vectors and synthetic; it has %d", given)
	}
	if d.Rendered != nil && d.Rendered.Boards < 1 {
		return s.errorf("$.data.rendered.boards", "boards must be at least 1, not %d", d.Rendered.Boards)
	}
	if b := d.Boards; b != nil && (b.TSV == "" || b.Images == "") {
		return s.errorf("$.data.boards", "boards must have both tsv, the file of the boxes, and images, the folder of the boards")
	}
	for _, at := range []struct {
		key   string
		given bool
	}{{"device_options", d.DeviceOptions != nil}, {"batch", d.Batch != ""}, {"precision", d.Precision != ""}} {
		if at.given && (d.Vectors != "" || d.Synthetic != nil) {
			return s.errorf("$.data."+at.key, "%s belongs to images, which a model embeds", at.key)
		}
	}
	if n, err := strconv.Atoi(string(d.Batch)); d.Batch != "" && d.Batch != "auto" && (err != nil || n < 1 || n > maxBatch) {
		return s.errorf("$.data.batch", "batch must be 1 to %d, or auto; not %q", maxBatch, string(d.Batch))
	}
	if p := d.Precision; p != "" && p != "fp32" && p != "tf32" && p != "fp16" {
		return s.errorf("$.data.precision", "unknown precision %q: known are fp32, tf32, fp16", p)
	}
	if d.Labels != "" && d.Vectors == "" {
		return s.errorf("$.data.labels", "labels belong to vectors; images have theirs from their folders")
	}
	for _, at := range []struct {
		key   string
		given bool
	}{{"queries", d.Queries != ""}, {"neighbors", d.Neighbors != ""}, {"columns", d.Columns != vecfile.Columns{}}} {
		if at.given && d.Vectors == "" {
			return s.errorf("$.data."+at.key, "%s belong to vectors", at.key)
		}
	}
	if d.LeaveOneOut && d.Queries != "" {
		return s.errorf("$.data.leave_one_out", "leave_one_out draws the queries from the vectors, so it cannot be had with a file of queries")
	}
	for i, name := range d.Allow {
		if err := dataset.CheckGate(name); err != nil {
			return s.errorf(s.listPath("$.data.allow", i), "%v", err)
		}
	}
	if y := d.Synthetic; y != nil {
		if len(y.N) == 0 {
			return s.errorf("$.data.synthetic", "synthetic needs n: how many vectors")
		}
		for i, n := range y.N {
			if err := y.Of(n).Check(); err != nil {
				return s.errorf(s.listPath("$.data.synthetic.n", i), "synthetic: %v", err)
			}
		}
	}
	type file struct {
		path  string
		field *string
	}
	files := []file{
		{"$.data.images", &d.Images},
		{"$.data.vectors", &d.Vectors},
		{"$.data.labels", &d.Labels},
		{"$.data.queries", &d.Queries},
		{"$.data.neighbors", &d.Neighbors},
		{"$.data.model", &d.Model},
	}
	if d.Boards != nil {
		files = append(files, file{"$.data.boards.tsv", &d.Boards.TSV}, file{"$.data.boards.images", &d.Boards.Images})
	}
	dir := filepath.Dir(s.source.path)
	for _, at := range files {
		if *at.field == "" || InStorage(*at.field) {
			continue
		}
		if !filepath.IsAbs(*at.field) {
			*at.field = filepath.Join(dir, *at.field)
		}
		if _, err := os.Stat(*at.field); err != nil {
			name := at.path[strings.LastIndexByte(at.path, '.')+1:]
			return s.errorf(at.path, "%s: there is no %s (paths are relative to the sweep file's folder)", name, *at.field)
		}
	}
	return nil
}

// InStorage reports whether a path of a sweep is the address of something in object storage,
// s3://bucket/key, which the command fetches before anything here opens it.
func InStorage(path string) bool { return strings.HasPrefix(path, "s3://") }

// Of is what there is to draw for n vectors.
func (y *Synthetic) Of(n int) dataset.Synthetic {
	return dataset.Synthetic{N: n, Dim: y.Dim, LID: y.LID, Clusters: y.Clusters, Seed: y.Seed}
}

func (s *Sweep) checkFamily(i int) error {
	at := fmt.Sprintf("$.families[%d]", i)
	fs := s.Families[i]
	if fs.Family == "" {
		return s.errorf(at, "an entry of families needs a family: its name")
	}
	family, err := lookup(fs.Family)
	if err != nil {
		return s.errorf(at+".family", "%v", err)
	}
	if fs.Address != "" && family.Remote == nil {
		return s.errorf(at+".address", "%s has no address: it is in this process, not in a server", family.Name)
	}
	if strings.Contains(fs.Address, "@") {
		return s.errorf(at+".address", "the address holds a user or a password (@), which would be kept in the results: leave them out, docs/engines.md says where they belong")
	}
	for _, part := range []struct {
		name          string
		grid          Grid
		params, other []indexes.Param
	}{
		{"build", fs.Build, family.Build, family.Search},
		{"search", fs.Search, family.Search, family.Build},
	} {
		for _, name := range sortedKeys(part.grid) {
			values := part.grid[name]
			path := at + "." + part.name + "." + name
			if len(values) == 0 {
				return s.errorf(path, "%s has no values to try", name)
			}
			for j, v := range values {
				if _, err := family.Settings(part.params, indexes.Params{name: v}); err != nil {
					if hasParam(part.other, name) {
						err = fmt.Errorf("%s: %s is a setting of the other kind: move it under %s", family.Name, name, otherPart(part.name))
					}
					return s.errorf(s.listPath(path, j), "%v", err)
				}
			}
		}
	}
	return nil
}

func hasParam(params []indexes.Param, name string) bool {
	for _, p := range params {
		if p.Name == name {
			return true
		}
	}
	return false
}

func otherPart(part string) string {
	if part == "build" {
		return "search"
	}
	return "build"
}

// listPath is the path of element i of the list at path, or path itself where a single value stands
// there.
func (s *Sweep) listPath(path string, i int) string {
	element := fmt.Sprintf("%s[%d]", path, i)
	if s.source.node(element) != nil {
		return element
	}
	return path
}

// errorf makes an error about the value at a YAML path such as "$.data.images"; where the file has
// no such value, the place is that of the nearest one around it.
func (s *Sweep) errorf(path, format string, args ...any) error {
	reason := fmt.Sprintf(format, args...)
	for {
		if n := s.source.node(path); n != nil {
			return s.source.errorAt(n.GetToken(), reason)
		}
		cut := strings.LastIndexAny(path, ".[")
		if cut <= 0 {
			return s.source.errorAt(nil, reason)
		}
		path = path[:cut]
	}
}

func (src *source) node(path string) ast.Node {
	p, err := yaml.PathString(path)
	if err != nil {
		return nil
	}
	n, err := p.FilterFile(src.file)
	if err != nil {
		return nil
	}
	return first(n)
}

// first is the node at which a person would point to show n: the first key of a mapping, the value
// itself elsewhere.
func first(n ast.Node) ast.Node {
	switch n := n.(type) {
	case *ast.MappingNode:
		if len(n.Values) > 0 && !n.IsFlowStyle {
			return n.Values[0].Key
		}
	case *ast.MappingValueNode:
		return n.Key
	}
	return n
}

func (src *source) errorAt(t *token.Token, reason string) error {
	e := &FileError{Path: src.path, Line: 1, Column: 1, Reason: reason}
	if t != nil {
		e.Line, e.Column = t.Position.Line, t.Position.Column
	}
	if lines := strings.Split(string(src.text), "\n"); e.Line <= len(lines) {
		// Tabs would shift the mark.
		e.Text = strings.ReplaceAll(strings.TrimRight(lines[e.Line-1], "\r"), "\t", " ")
	}
	return e
}

// decodeError turns an error of the YAML library into one that names the file, the place and, for
// an unknown key, the key that was meant.
func (src *source) decodeError(err error) error {
	var at yaml.Error
	if !errors.As(err, &at) {
		return src.errorAt(nil, err.Error())
	}
	reason, t := at.GetMessage(), at.GetToken()
	var mistyped *yaml.TypeError
	if errors.As(err, &mistyped) && t != nil {
		reason = fmt.Sprintf("%q is not %s", t.Value, kindName(mistyped.DstType))
	}
	var unknown *yaml.UnknownFieldError
	if errors.As(err, &unknown) && t != nil {
		known := yamlKeys(reflect.TypeFor[Sweep]())
		reason = fmt.Sprintf("unknown key %q", t.Value)
		if near := words.Nearest(t.Value, known); near != "" {
			reason += fmt.Sprintf("; did you mean %q?", near)
		} else {
			reason += "; configs/README.md lists them all"
		}
	}
	return src.errorAt(t, reason)
}

// kindName is what a value of type t is called in a sweep file.
func kindName(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "a time like 300ms or 10m"
	case t.Kind() >= reflect.Int && t.Kind() <= reflect.Uint64:
		return "a whole number"
	case t.Kind() == reflect.String:
		return "a text"
	case t.Kind() == reflect.Struct || t.Kind() == reflect.Map:
		return "a mapping of keys to values"
	case t.Kind() == reflect.Slice:
		return "a list"
	}
	return "a " + t.String()
}

// yamlKeys lists the keys of t and of the structs within it.
func yamlKeys(t reflect.Type) []string {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		return yamlKeys(t.Elem())
	case reflect.Struct:
		var keys []string
		for f := range t.Fields() {
			if key := f.Tag.Get("yaml"); key != "" && key != "-" {
				keys = append(append(keys, key), yamlKeys(f.Type)...)
			}
		}
		return keys
	}
	return nil
}
