// Package indexes puts every family of nearest-neighbour index under one contract: the same input,
// the same settings table, the same answers, errors instead of crashes.
//
// It does not measure anything and does not read data sets: that is package bench. The table of
// families is [Families]; the families of Faiss need the build tag "faiss" and are listed, with the
// reason why they are missing, in builds without it.
package indexes

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"sort"
	"strconv"
	"strings"

	"annbench/indexes/vec"
	"annbench/internal/words"
)

// Index answers queries over the vectors it was built from. Search may be called by many goroutines
// at once unless the family's doc says otherwise; Close ends its use and frees what it holds.
type Index interface {
	// Search appends to dst the min(k, n) nearest that it finds for q, nearest first, equal
	// distances in ID order, each ID once. An approximate index may find fewer. It is an error if
	// k < 1, if q has the wrong number of dimensions, or if q holds a NaN or an infinity; dst is
	// then returned as it was.
	Search(dst []vec.Neighbor, q []float32, k int) ([]vec.Neighbor, error)
	Close() error
}

// Tuner is an Index whose search settings can be changed without a rebuild. Tune must not run while
// a search does. Settings that are absent take the family's defaults.
type Tuner interface{ Tune(Params) error }

// BatchSearcher is an Index with a faster way to answer many queries at once. Row i of the answer
// holds what Search would give for query i, up to the rounding of the distances.
type BatchSearcher interface {
	SearchBatch(queries vec.Matrix, k int) ([][]vec.Neighbor, error)
}

// Saver is an Index that can be written to a file, from which its family's Load restores it.
type Saver interface{ Save(path string) error }

// Filterer is an Index that can search among some of its vectors, looking at the filter while it searches.
type Filterer interface {
	// SearchAmong is Search among the vectors of a set: it finds the min(k, vectors of the set) nearest of them, or
	// fewer where it is approximate, and never one that is not in the set.
	SearchAmong(dst []vec.Neighbor, q []float32, k int, among *vec.Set) ([]vec.Neighbor, error)
}

// SetKeeper is a [Filterer] that can keep sets with its vectors, as attributes of theirs, so that a search names a set and
// need not say what is in it.
type SetKeeper interface {
	Filterer
	// KeepSets keeps sets, which must not change any more, besides those that it keeps. It must not run while a search
	// does. Searches among other sets remain possible.
	KeepSets(ctx context.Context, sets []*vec.Set) error
}

// Updater is an Index whose vectors can change. Neither method may run while a search does, or the other.
type Updater interface {
	// Add adds the rows of more. Their IDs follow those that were given out, which count from the first row that the
	// index was built from and are never given out again. The memory of more stays the caller's.
	Add(more vec.Matrix) error
	// Remove takes vectors out: a search never finds them again. It is an error if an ID was not given out, was removed
	// before or is given twice; then nothing is removed.
	Remove(ids []int32) error
}

// Maintainer is an [Updater] that has work to do once after several changes: what they cost is more than themselves.
// Maintain must not run while a search or a change does.
type Maintainer interface{ Maintain() error }

// BuildInput is what an index is built from.
type BuildInput struct {
	// Vectors are the base; an answer's ID is a row number of it. The memory stays the caller's, and
	// must neither change nor go away before Close.
	Vectors vec.Matrix
	Metric  vec.Metric
	Params  Params // build settings, and search settings to begin with; absent ones take defaults
	Threads int    // threads that the build may use; 0 means 1
	Seed    uint64 // source of every random choice
	// Phase, where not nil, is called as each part of the build begins: "train", "add" or "finish".
	Phase func(name string)

	// Of families with a [Family.Folder] alone.

	Source  Source // where Vectors are in a file; where nowhere, they are copied to one
	Scratch string // folder for files that are gone after Close; the system's where empty

	// Of families with a [Family.Remote] alone.

	Address string   // where the engine answers; what it looks like is the engine's affair
	Name    string   // what the build is to leave in the engine: a letter, then letters, digits and _
	Data    []string // the engine's data folders on this machine, where they are known
}

func (in BuildInput) begin(phase string) {
	if in.Phase != nil {
		in.Phase(phase)
	}
}

// Family is one kind of index out of one library.
type Family struct {
	Name    string // "flat", "ivfpq-faiss", "hnsw-coder", ...
	Library string // who wrote the index: "annbench", "faiss", "coder/hnsw"
	Doc     string // what it is, and its limitations, in a few sentences
	Exact   bool   // answers are the true nearest neighbours
	Random  bool   // the seed matters: another seed gives another index
	Metrics []vec.Metric
	Build   []Param // settings fixed when the index is built
	Search  []Param // settings that Tune can change
	Missing string  // why this build of annbench lacks the family; empty where it has it

	// Approach says what kind of index it is: one of [Approaches].
	Approach string
	// Folder is where the family's own program and family.yaml are; it is empty for families that are
	// part of annbench. Caller is the language that its program calls the library from, where that adds to
	// every search: "Python"; Licence is the library's.
	Folder, Caller, Licence string
	// Ref is what the family is looked up by in another process, where that is not Name: its folder.
	Ref string
	// Unsaved says that its indexes cannot be saved: they are searched in the process that built them.
	Unsaved bool
	// Belongs says which search settings go with which build settings under a metric, for families that
	// bring a grid of their own: of a setting that a sweep does not name they take every word, and only
	// the combinations that belong together. It is nil for all others.
	Belongs func(metric vec.Metric, build, search Params) bool
	// Floor are settings for an index of a few vectors, on which the cost of the mere call is measured.
	Floor Params

	// Remote is nil for families whose indexes are in this process; else they are in a server, and are
	// [RemoteIndex]es.
	Remote *Remote

	Batch   bool // its indexes are BatchSearchers
	Filters bool // its indexes are Filterers
	// Updates says how its indexes change: see [UpdatesByRemoval] and its kin; empty where they are no Updaters.
	Updates string
	Codes   bool // it keeps codes in place of the vectors
	// Coded says whether an index with these build settings keeps codes in place of the vectors, where
	// that depends on them. It may be nil.
	Coded func(build Params) bool

	// Effective changes search settings, in place, into those that the index makes of them when k of
	// n vectors are asked for: an efSearch below k, say, is k. p holds the build settings too, which
	// it leaves alone. It may be nil.
	Effective func(n, k int, p Params)
	// Work estimates what a build and one search cost, in multiplications and additions of vector
	// components, give or take a factor that is the same for every n, dim and setting of the family.
	Work func(n, dim int, p Params) (build, search float64)
	// Fits reports why these build settings cannot work on n vectors of dim dimensions, with the
	// nearest that can. It may be nil.
	Fits func(n, dim int, p Params) error
	// FitsMetric is Fits for what depends on the metric. It may be nil. See [Family.CheckFit].
	FitsMetric func(dim int, m vec.Metric, p Params) error
	// Open builds an index. It stops early, with the context's error, where the library allows it.
	Open func(ctx context.Context, in BuildInput) (Index, error)
	// Load restores what Save wrote. in.Vectors may be empty; Metric, Params and Seed are those of the build.
	Load func(path string, in BuildInput) (Index, error)
	// Bytes is the analytic size of the index in memory, in bytes: vectors or codes, ids, and the
	// structure over them, from n, dim and the settings alone. See [Family.Size].
	Bytes func(n, dim int, p Params) int64
	// Tables is what the index holds beside that under one metric and not under another. It may be nil.
	Tables func(n, dim int, m vec.Metric, p Params) int64
}

// CheckFit reports why these complete settings cannot work on n vectors of dim dimensions under m: what f.Fits says, and
// f.FitsMetric.
func (f *Family) CheckFit(n, dim int, m vec.Metric, p Params) error {
	if f.Fits != nil {
		if err := f.Fits(n, dim, p); err != nil {
			return err
		}
	}
	if f.FitsMetric != nil {
		return f.FitsMetric(dim, m, p)
	}
	return nil
}

// GraphWalk is with how many of n vectors a walk through a graph compares, about, that looks at so many links: a vector
// that was met before is not compared again, so that among few vectors it is fewer, and never more than n. It is
// for a family's Work.
func GraphWalk(n int, links float64) float64 { return links * float64(n) / (links + float64(n)) }

// Size is the analytic size of an index in memory, in bytes: f.Bytes, and f.Tables where the family has them.
func (f *Family) Size(n, dim int, m vec.Metric, p Params) int64 {
	size := f.Bytes(n, dim, p)
	if f.Tables != nil {
		size += f.Tables(n, dim, m, p)
	}
	return size
}

// How indexes change, as [Family.Updates] says.
const (
	UpdatesByRemoval = "removes" // what is removed is gone, or its place is taken by another
	UpdatesByMarking = "marks"   // what is removed is left out of answers, and its memory is not given back
)

// Approaches are the kinds of index there are, with what each does.
var Approaches = []struct{ Name, Doc string }{
	{"exact", "compares with every vector, or leaves out only what it has proved to be farther"},
	{"graph", "walks along links between near vectors"},
	{"tree", "descends trees that halve the space"},
	{"lists", "searches the cells of a partition that are nearest"},
	{"quantised", "compares with short codes of the vectors"},
	{"hash", "looks among vectors with the same hash"},
}

// Reference is what the family is looked up by in another process.
func (f *Family) Reference() string {
	if f.Ref != "" {
		return f.Ref
	}
	return f.Name
}

// Kind is the type of a setting's value.
type Kind int

// The kinds of settings. In [Params] an Int is an int, a Float a float64, a Bool a bool, a Word a
// string, and so is a Text.
const (
	Int Kind = iota
	Float
	Bool
	Word // one of a list
	Text // what Param.Check takes
)

func (k Kind) String() string {
	return [...]string{"integer", "number", "true or false", "word", "text"}[k]
}

func (k Kind) noun() string {
	return [...]string{"a whole number", "a number", "true or false", "a word", "a text"}[k]
}

// Param is one setting of a family: the only place where its name, default, range and meaning stand.
type Param struct {
	Name     string
	Kind     Kind
	Default  any      // of the type that Kind says
	Min, Max float64  // inclusive; of an Int or a Float
	Words    []string // that a Word may be; examples of a Text
	Doc      string
	// Scale says on which steps values are worth trying; see its zero value. Grows is the power of the number of
	// vectors that a good value grows with: 0.5 of cells of inverted lists; 0 of most.
	Scale Scale
	Grows float64
	// Check reports what is wrong with the value of a Text, and what would be right.
	Check func(text string) error
}

// Range says what values p takes, for people: "1 to 64", "hnsw or flat", "such as HNSW32"; "" for a Bool.
func (p *Param) Range() string {
	switch p.Kind {
	case Int, Float:
		return fmt.Sprintf("%s to %s", p.plain(p.Min), p.plain(p.Max))
	case Word:
		return either(p.Words)
	case Text:
		return "such as " + either(p.Words)
	}
	return ""
}

// plain writes a bound of an Int without an exponent: 1,073,741,824.
func (p *Param) plain(x float64) string {
	if p.Kind == Int {
		return words.Commas(strconv.FormatFloat(x, 'f', 0, 64))
	}
	return fmt.Sprint(x)
}

// either is all as a sentence has them: "a, b or c".
func either(all []string) string {
	if len(all) < 2 {
		return strings.Join(all, "")
	}
	return strings.Join(all[:len(all)-1], ", ") + " or " + all[len(all)-1]
}

// Params are settings by name, with values of the types that [Kind] says.
type Params map[string]any

// Int returns setting name. A missing or mistyped setting is a mistake of this program: it panics.
// Settings that have passed [Family.Settings] are complete and typed.
func (p Params) Int(name string) int { return p[name].(int) }

// Float returns setting name, as [Params.Int] does.
func (p Params) Float(name string) float64 { return p[name].(float64) }

// Bool returns setting name, as [Params.Int] does.
func (p Params) Bool(name string) bool { return p[name].(bool) }

// Word returns setting name, as [Params.Int] does.
func (p Params) Word(name string) string { return p[name].(string) }

// String gives the settings in one canonical form, names in order: "M=32 efConstruction=200".
func (p Params) String() string {
	names := make([]string, 0, len(p))
	for name := range p {
		names = append(names, name)
	}
	sort.Strings(names)
	var b strings.Builder
	for i, name := range names {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%s=%v", name, p[name])
	}
	return b.String()
}

// Parse is the inverse of [Params.String]: it reads build and search settings of f, of either or both, and fills in the
// defaults of the others. A word that does not begin with the name of a setting belongs to the text before it.
func (f *Family) Parse(text string) (Params, error) {
	params := slices.Concat(f.Build, f.Search)
	values, last := map[string]string{}, ""
	for i, word := range strings.Split(text, " ") {
		name, value, ok := strings.Cut(word, "=")
		switch p := find(params, last); {
		case word == "" && (p == nil || p.Kind != Text):
		case p != nil && p.Kind == Text && (!ok || find(params, name) == nil):
			values[last] += " " + word
		case !ok:
			return nil, fmt.Errorf("settings of %s %q: word %d, %q, is not NAME=VALUE", f.Name, text, i+1, word)
		default:
			values[name], last = value, name
		}
	}
	out := make(Params, len(values))
	for name, value := range values {
		out[name] = value
		if p := find(params, name); p != nil && p.Kind != Word && p.Kind != Text {
			if b, err := strconv.ParseBool(value); err == nil && p.Kind == Bool {
				out[name] = b
			} else if x, err := strconv.ParseFloat(value, 64); err == nil && p.Kind != Bool {
				out[name] = x
			}
		}
	}
	return f.Settings(params, out)
}

// A SettingError is a setting that a family does not have, or a value that it does not take.
type SettingError struct {
	Family  string
	Setting string
	Reason  string // what is wrong, and the fix
}

func (e *SettingError) Error() string { return e.Family + ": " + e.Reason }

// Settings checks p against params, which is f.Build, f.Search or both, and returns it complete
// (defaults filled in) and typed: whole numbers of any Go type become int for an Int, and so on.
// The error is a [*SettingError].
func (f *Family) Settings(params []Param, p Params) (Params, error) {
	out := make(Params, len(params))
	for _, param := range params {
		out[param.Name] = param.Default
	}
	names := make([]string, 0, len(p))
	for name := range p {
		names = append(names, name)
	}
	sort.Strings(names) // so that the first error does not depend on the map's order
	for _, name := range names {
		param := find(params, name)
		if param == nil {
			return nil, &SettingError{f.Name, name, f.unknown(params, name)}
		}
		v, err := param.convert(p[name])
		if err != nil {
			return nil, &SettingError{f.Name, name, err.Error()}
		}
		out[name] = v
	}
	return out, nil
}

// Effectively returns the search settings that mean the same as search on an index with the build
// settings build, of n vectors, when k are asked for: what [Family.Effective] says, if anything.
func (f *Family) Effectively(n, k int, build, search Params) Params {
	if f.Effective == nil {
		return search
	}
	both := maps.Clone(build)
	if both == nil {
		both = Params{}
	}
	maps.Copy(both, search)
	f.Effective(n, min(k, n), both)
	out := make(Params, len(search))
	for name := range search {
		out[name] = both[name]
	}
	return out
}

// VectorBytes is what the vectors as they were given take up in an index of n of dim dimensions with the
// build settings build: 0 where it keeps codes only.
func (f *Family) VectorBytes(n, dim int, build Params) int64 {
	if f.Codes || f.Coded != nil && f.Coded(build) {
		return 0
	}
	return 4 * int64(n) * int64(dim)
}

// all lists the settings of both kinds.
func (f *Family) all() []Param { return append(f.Build[:len(f.Build):len(f.Build)], f.Search...) }

func (f *Family) unknown(params []Param, name string) string {
	if len(params) == 0 {
		return fmt.Sprintf("no setting %q: there are none here", name)
	}
	names := make([]string, len(params))
	for i, p := range params {
		names[i] = p.Name
	}
	return fmt.Sprintf("no setting %q", name) + words.DidYouMean(name, names)
}

func find(params []Param, name string) *Param {
	for i := range params {
		if params[i].Name == name {
			return &params[i]
		}
	}
	return nil
}

// convert returns v as the type that p.Kind asks for, if it is one and within range.
func (p *Param) convert(v any) (any, error) {
	if p.Kind == Bool {
		if b, ok := v.(bool); ok {
			return b, nil
		}
		return nil, fmt.Errorf("%s must be %s, not %v", p.Name, p.Kind.noun(), v)
	}
	if p.Kind == Word {
		word, ok := v.(string)
		switch {
		case ok && slices.Contains(p.Words, word):
			return word, nil
		case ok:
			if near := words.Nearest(word, p.Words); near != "" {
				return nil, fmt.Errorf("%s must be %s, not %q; did you mean %q?", p.Name, either(p.Words), word, near)
			}
		}
		return nil, fmt.Errorf("%s must be %s, not %v", p.Name, either(p.Words), v)
	}
	if p.Kind == Text {
		text, ok := v.(string)
		if !ok {
			return nil, fmt.Errorf("%s must be %s, not %v", p.Name, p.Kind.noun(), v)
		}
		if err := p.Check(text); err != nil {
			return nil, fmt.Errorf("%s: %w", p.Name, err)
		}
		return text, nil
	}
	x, ok := number(v)
	if !ok {
		return nil, fmt.Errorf("%s must be %s, not %v", p.Name, p.Kind.noun(), v)
	}
	if p.Kind == Int && x != math.Trunc(x) {
		return nil, fmt.Errorf("%s must be a whole number, not %v", p.Name, v)
	}
	if !(x >= p.Min && x <= p.Max) { // written so that a NaN fails
		return nil, fmt.Errorf("%s must be between %s and %s, not %v", p.Name, p.plain(p.Min), p.plain(p.Max), v)
	}
	if p.Kind == Int {
		return int(x), nil
	}
	return x, nil
}

// number returns v as a float64, if it is of one of Go's real number types.
func number(v any) (float64, bool) {
	switch v := reflect.ValueOf(v); {
	case v.CanInt():
		return float64(v.Int()), true
	case v.CanUint():
		return float64(v.Uint()), true
	case v.CanFloat():
		return v.Float(), true
	}
	return 0, false
}

// Lookup returns the family called name. The error names the nearest one.
func Lookup(name string) (*Family, error) {
	if strings.TrimSpace(name) == "" {
		return nil, errors.New("the name of an index family is empty: `annbench families` lists those that there are")
	}
	var names, of []string
	for _, f := range Families() {
		if f.Name == name {
			return f, nil
		}
		names = append(names, f.Name)
		if f.Library == name || f.Engine() == name {
			of = append(of, f.Name)
		}
	}
	if len(of) > 0 { // a library or an engine, not one of its families
		return nil, fmt.Errorf("no index family %q: of %s there are %s", name, name, strings.Join(of, ", "))
	}
	return nil, fmt.Errorf("no index family %q%s", name, words.DidYouMean(name, names))
}

// ErrMissing is wrapped by the error of every Open and Load of a family that this build lacks.
var ErrMissing = errors.New("family is not in this build")

// OpenChecked builds an index of family f after checking the input: it must have vectors, all of them
// finite, a metric that f supports, and settings that f has and that fit. These checks are part of
// what OpenChecked costs; package bench makes them before its clock starts and calls f.Open itself.
func (f *Family) OpenChecked(ctx context.Context, in BuildInput) (Index, error) {
	in, err := f.Check(in)
	if err != nil {
		return nil, err
	}
	return f.Open(ctx, in)
}

// Check returns in with complete settings, or what is wrong with it.
func (f *Family) Check(in BuildInput) (BuildInput, error) {
	if f.Missing != "" {
		return in, fmt.Errorf("%s: %w: %s", f.Name, ErrMissing, f.Missing)
	}
	if !f.Supports(in.Metric) {
		return in, fmt.Errorf("%s: metric %q is not supported: it has %v", f.Name, in.Metric, f.Metrics)
	}
	params, err := f.Settings(f.all(), in.Params)
	if err != nil {
		return in, err
	}
	in.Params = params
	if f.Remote != nil && (in.Address == "" || in.Name == "") {
		return in, fmt.Errorf("%s: it is built in an engine (%s): where that answers, and a name for what is built, must be given", f.Name, f.Remote.Engine)
	}
	in.Threads = max(1, in.Threads)
	v := in.Vectors
	if v.Rows < 1 || v.Dim < 1 {
		return in, fmt.Errorf("%s: nothing to build from: %d vectors of %d dimensions", f.Name, v.Rows, v.Dim)
	}
	if len(v.Data) != v.Rows*v.Dim {
		return in, fmt.Errorf("%s: %d vectors of %d dimensions need %d values, there are %d", f.Name, v.Rows, v.Dim, v.Rows*v.Dim, len(v.Data))
	}
	if v.Rows > math.MaxInt32 {
		return in, fmt.Errorf("%s: %d vectors are more than the %d that an index can number", f.Name, v.Rows, math.MaxInt32)
	}
	if err := f.CheckFit(v.Rows, v.Dim, in.Metric, params); err != nil {
		return in, fmt.Errorf("%s: %w", f.Name, err)
	}
	if i := vec.FirstNonFinite(v.Data); i >= 0 {
		return in, fmt.Errorf("%s: vector %d holds %v in dimension %d: indexes need finite values", f.Name, i/v.Dim, v.Data[i], i%v.Dim)
	}
	return in, nil
}

// Supports reports whether f can be built under metric m.
func (f *Family) Supports(m vec.Metric) bool {
	for _, have := range f.Metrics {
		if have == m {
			return true
		}
	}
	return false
}
