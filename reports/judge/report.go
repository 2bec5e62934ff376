// Package judge turns results folders into rows, values and verdicts: numbers and codes, no English.
//
// [Load] reads records and groups them by cell into a [Report]. Which cells compare with each other is a
// [Terms]; a quantity over repetitions is a [Value]; a family at one recall is a [Match]; the setting
// that speaks for its family is a [Choice]; a question with limits is answered by a [Pick].
//
// It imports only packages metric (what a number means) and record (where it stands), measures nothing
// and opens no index, so a report can be made on any machine. Package say puts its values into words.
package judge

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"annbench/bench/metric"
	"annbench/bench/record"
)

// Target is the recall at which families are compared, and from which a setting is taken to find what
// exact search finds; see [Report.Match] and [Choice].
const Target = 0.95

// Targets are the recalls at which families are compared where nothing else is said.
var Targets = []float64{0.80, 0.90, 0.95, 0.99}

// Report is one or more results folders, grouped by cell.
type Report struct {
	// Sources are the folders in the order in which they were given.
	Sources []*record.Results
	// Rows are the cells, in the order of [Terms], then exact families before others and by name,
	// then build and search settings with numbers in numeric order.
	Rows []*Row
	// Terms are all terms under which something was measured or tried, in order.
	Terms []Terms
	// Focus is the one of Terms that headline, pictures and gallery are about; every other is in the
	// tables. Load chooses the terms under which most families were measured, among these the largest
	// k, then the first. A caller may set it to another of Terms.
	Focus Terms
	// Targets are the recalls at which families are compared. A caller may set others than the
	// package's [Targets].
	Targets []float64
	// LeastMAP is the mAP below which a category is marked. A caller may set another than [LeastMAP].
	LeastMAP float64
	// Envs are the environments that records were measured in, in order of first use.
	Envs []EnvUse
	// Notes are doubts about the results as a whole: environments or data sets that are mixed, lines
	// that were torn, records that were left out.
	Notes []Note

	clocks map[Terms]bool // those that the processor's clock decides
}

// Terms is what cells must share to be compared: everything in a cell but family and settings.
type Terms struct {
	Dataset string // digest
	Metric  string
	K       int
	Threads int // of the build
	Mode    string
	Workers int
	Rate    float64
	// Transform is what the vectors went through before they were indexed; empty: nothing.
	Transform string
}

// TermsOf returns the terms of a cell.
func TermsOf(c record.Cell) Terms {
	return Terms{c.Dataset, c.Metric, c.K, c.Threads, c.Mode, c.Workers, c.Rate, c.Transform}
}

// Note is a doubt about the results as a whole.
type Note struct {
	Code  NoteCode
	Name  string // of a folder, for Torn and Unfinished; of a file, for Zeroed; what disturbed, in the records' own words, for Disturbed; a line, for OfData; versions, for OtherVersion; of a data set, for FewVectors and ImagesLeftOut
	N     int    // bytes, records, data sets, environments; of Disturbed how often beside Name it happened
	Of    int
	Share float64
}

// NoteCode says what a [Note] is about.
type NoteCode int

// The notes.
const (
	Torn                NoteCode = iota // the last N bytes of folder Name are an unfinished record
	Superseded                          // N records were measured again later
	Outdated                            // N records are of an older harness version
	SeveralDatasets                     // the results are of N data sets
	Disturbed                           // timing was disturbed by Name, and N times by the like with other figures
	SeveralEnvironments                 // the records come from N environments
	ExactMisses                         // the exact family Name has a recall of Share, below 1
	OtherVersion                        // N records that count are of harness versions (Name) that are not this one's
	Zeroed                              // the last N bytes of the records file Name, from line Of, are zeros
	FewVectors                          // k is N, and data set Name has only Of vectors to search
	Unfinished                          // folder Name lacks records of N cells that its run set out to measure
	OfData                              // what was guessed or left out of the data, in the words of its readers: Name
	Repeated                            // N records stand in more than one folder, and count once
	ImagesLeftOut                       // N of the Of images of data set Name have no vector
)

// Datasets are the digests of the data sets of r.Terms, each once, in order.
func (r *Report) Datasets() []string {
	var out []string
	for _, t := range r.Terms {
		if !slices.Contains(out, t.Dataset) {
			out = append(out, t.Dataset)
		}
	}
	return out
}

// EnvUse is an environment and how many records were measured in it.
type EnvUse struct {
	Name    string // A, B, ...
	Env     record.Env
	Records int
	// Engines are the versions of what measured there, in order of first use.
	Engines []string
	// Disturbed is what disturbed timing while they were measured, each once.
	Disturbed []string
}

// Row is one cell over its repetitions.
type Row struct {
	Cell    record.Cell
	Library string
	Exact   bool
	// Approach is the kind of index, as records name it: graph, tree, ...; Caller the language from which a program of
	// its own calls the library, where that adds to every search.
	Approach, Caller string
	// Reps are the records that count, in order of repetition. A repetition that was measured twice in
	// one folder counts as it was measured last, and only the engine version that measured the cell
	// last counts.
	Reps []*record.Record
	// Warnings are those of its records, each once.
	Warnings []string
	// Environments is how many environments Reps come from: more than one is a doubt about the row.
	Environments int
	// On names the environments of Reps where the report has several: "A", or "A B".
	On string

	base   int // vectors that were searched; 0 where nobody says
	values map[string]Value
	clock  Clock // that decides under its terms
	known  priors
}

// OK is the number of repetitions that ended well.
func (r *Row) OK() int {
	n := 0
	for _, rep := range r.Reps {
		if rep.Status == record.OK {
			n++
		}
	}
	return n
}

// Status is OK where any repetition ended well, and otherwise how the last one ended.
func (r *Row) Status() record.Status {
	if r.OK() > 0 {
		return record.OK
	}
	return r.Reps[len(r.Reps)-1].Status
}

// Failures are the repetitions that did not end well, each way and error once, in order.
func (r *Row) Failures() []Failure {
	var out []Failure
	for _, rep := range r.Reps {
		if rep.Status == record.OK {
			continue
		}
		i := slices.IndexFunc(out, func(f Failure) bool { return f.Status == rep.Status && f.Error == rep.Error })
		if i < 0 {
			out = append(out, Failure{Status: rep.Status, Error: rep.Error})
			i = len(out) - 1
		}
		out[i].N++
	}
	return out
}

// Failure is one way in which repetitions of a cell ended without values.
type Failure struct {
	Status record.Status
	Error  string
	N      int // repetitions
}

// Value returns the quantity called name in package metric's table; ok is false where no repetition
// has it.
func (r *Row) Value(name string) (v Value, ok bool) {
	if v, ok := r.values[name]; ok {
		return v, v.N > 0
	}
	var xs []observation
	for _, rep := range r.Reps {
		if o, ok := r.observe(rep, name); ok {
			xs = append(xs, o)
		}
	}
	v = summarize(name, xs)
	if name == Speed {
		v.known = r.known
	}
	r.values[name] = v
	return v, v.N > 0
}

// ByLabel returns the quantity called name for the queries of one category. Its interval is over the
// queries where the records have one, in the middle of the repetitions; else over repetitions.
func (r *Row) ByLabel(name, label string) (v Value, ok bool) {
	var xs []observation
	var lo, hi []float64
	for _, rep := range r.Reps {
		x, ok := rep.ByLabel[name][label]
		if !ok || rep.Status != record.OK {
			continue
		}
		xs = append(xs, observation{rep: rep.Rep, Observation: metric.Observation{Value: x}})
		l, ok1 := rep.ByLabel[name+"_lo"][label]
		h, ok2 := rep.ByLabel[name+"_hi"][label]
		if ok1 && ok2 {
			lo, hi = append(lo, l), append(hi, h)
		}
	}
	v = summarize(name, xs)
	if len(lo) > 0 {
		v.Lo, v.Hi, v.HasInterval = metric.Median(lo), metric.Median(hi), true
	}
	return v, v.N > 0
}

// Answers are what the queries of the gallery were given, or nil where no repetition holds them.
func (r *Row) Answers() [][]int32 {
	for _, rep := range r.Reps {
		if rep.Status == record.OK && len(rep.Answers) > 0 {
			return rep.Answers
		}
	}
	return nil
}

// Load reads results folders and groups their records by cell. It is an error if a folder cannot be
// read, or if none of them holds a record. Several folders are read as one: the same cell measured in
// two of them has the repetitions of both; a record that stands in both counts once. Messages and sources that name folders of the machine that
// measured lose them: "/home/me/x.bin: no such file" becomes "…/x.bin: no such file".
func Load(dirs ...string) (*Report, error) {
	if len(dirs) == 0 {
		return nil, errors.New("reading results: no folder was named")
	}
	var all []*record.Results
	for _, dir := range dirs {
		src, err := record.Open(dir)
		if err != nil {
			return nil, fmt.Errorf("reading results: %w", err)
		}
		MakePortable(src)
		all = append(all, src)
	}
	return Of(all...)
}

// Of is [Load] of results that are open already: at least one; their messages stay as they are.
func Of(results ...*record.Results) (*Report, error) {
	sources, repeated := once(results)
	r := &Report{Targets: Targets, LeastMAP: LeastMAP, Sources: sources}
	if repeated > 0 {
		r.Notes = append(r.Notes, Note{Code: Repeated, N: repeated})
	}
	if err := r.group(); err != nil {
		return nil, err
	}
	return r, nil
}

// MakePortable makes the messages of results [Portable], in place.
func MakePortable(src *record.Results) {
	each := func(list []string) {
		for i := range list {
			list[i] = Portable(list[i])
		}
	}
	for _, all := range [][]record.Record{src.Records, src.Filtered, src.Churned} {
		for i := range all {
			all[i].Error = Portable(all[i].Error)
			each(all[i].Warnings)
		}
	}
	each(src.Dataset.Warnings)
	each(src.Dataset.Notes)
	src.Dataset.Name = Portable(src.Dataset.Name)
	if e := src.Dataset.Embedding; e != nil {
		e.Source, e.Model = Portable(e.Source), Portable(e.Model)
		each(e.Refusals)
		for i := range e.Skipped {
			e.Skipped[i] = record.Failure{ID: Portable(e.Skipped[i].ID), Label: Portable(e.Skipped[i].Label), Reason: Portable(e.Skipped[i].Reason)}
		}
	}
}

// once leaves out of each folder the records that stand in an earlier one, too, and returns how many those are. The
// given results stay as they are.
func once(results []*record.Results) (out []*record.Results, repeated int) {
	if len(results) < 2 {
		return results, 0
	}
	earlier := map[string][]*record.Record{}
	for _, src := range results {
		own, here := *src, map[string][]*record.Record{}
		for _, kind := range []*[]record.Record{&own.Records, &own.Filtered, &own.Churned} {
			all := *kind
			*kind = nil
			for i := range all {
				rec, key := &all[i], all[i].Key()
				if slices.ContainsFunc(earlier[key], rec.Same) {
					repeated++
					continue
				}
				*kind = append(*kind, *rec)
				here[key] = append(here[key], rec)
			}
		}
		for key, records := range here {
			earlier[key] = append(earlier[key], records...)
		}
		out = append(out, &own)
	}
	return out, repeated
}

// gather makes a row of the records of each cell, in the order in which cells come. of gives the records of a folder.
// Within a folder a key that comes again was measured again: the later record counts, and superseded is how many do not.
func gather(sources []*record.Results, of func(*record.Results) []record.Record) (rows []*Row, superseded int) {
	byCell := map[record.Cell]*Row{}
	for _, src := range sources {
		records := of(src)
		last := make(map[string]int, len(records))
		keys := make([]string, len(records))
		for i := range records {
			keys[i] = records[i].Key()
			last[keys[i]] = i
		}
		for i := range records {
			rec := &records[i]
			if last[keys[i]] != i {
				superseded++
				continue
			}
			row := byCell[rec.Cell]
			if row == nil {
				row = &Row{Cell: rec.Cell, values: map[string]Value{}}
				byCell[rec.Cell] = row
				rows = append(rows, row)
			}
			row.Reps = append(row.Reps, rec)
		}
	}
	return rows, superseded
}

func (r *Report) group() error {
	for _, src := range r.Sources {
		switch {
		case src.Torn.Zeros:
			r.Notes = append(r.Notes, Note{Code: Zeroed, Name: filepath.Join(src.Dir, record.RecordsFile), N: int(src.Torn.Bytes), Of: src.Torn.Line})
		case src.Torn.Bytes > 0:
			r.Notes = append(r.Notes, Note{Code: Torn, Name: baseName(src.Dir), N: int(src.Torn.Bytes)})
		}
		if n := src.Missing.Cells(); n > 0 {
			r.Notes = append(r.Notes, Note{Code: Unfinished, Name: baseName(src.Dir), N: n})
		}
	}
	rows, superseded := gather(r.Sources, func(src *record.Results) []record.Record { return src.Records })
	r.Rows = append(r.Rows, rows...)
	if len(r.Rows) == 0 {
		if t := r.Sources[0].Torn; t.Zeros {
			return fmt.Errorf("%s:%d: its %d bytes are zeros, as a power cut leaves them: the records are lost; run the sweep again to measure them", filepath.Join(r.Sources[0].Dir, record.RecordsFile), t.Line, t.Bytes)
		}
		return fmt.Errorf("reading results: %s holds no records yet: the sweep has measured nothing", baseName(r.Sources[0].Dir))
	}
	old := 0
	for _, row := range r.Rows {
		old += row.settle()
	}
	if superseded > 0 {
		r.Notes = append(r.Notes, Note{Code: Superseded, N: superseded})
	}
	if old > 0 {
		r.Notes = append(r.Notes, Note{Code: Outdated, N: old})
	}
	for _, row := range r.Rows {
		if src := r.Source(row.Cell.Dataset); src != nil {
			row.base = src.Dataset.Base
		}
	}
	r.order()
	r.setClocks()
	r.setPriors()
	r.doubts()
	r.environments()
	r.focus()
	return nil
}

// settle leaves in the row only the records of the engine that measured last, in order of repetition,
// and returns how many it left out.
func (r *Row) settle() (old int) {
	latest := r.Reps[0]
	for _, rep := range r.Reps[1:] {
		if !rep.Time.Before(latest.Time) {
			latest = rep
		}
	}
	all := len(r.Reps)
	r.Reps = slices.DeleteFunc(r.Reps, func(rep *record.Record) bool { return rep.Engine != latest.Engine })
	slices.SortStableFunc(r.Reps, func(a, b *record.Record) int { return cmp.Compare(a.Rep, b.Rep) })
	r.Library, r.Exact, r.Approach, r.Caller = latest.Library, latest.Exact, latest.Approach, latest.Caller
	seen := map[string]bool{}
	envs := map[string]bool{}
	for _, rep := range r.Reps {
		for _, w := range rep.Warnings {
			if !seen[w] {
				seen[w] = true
				r.Warnings = append(r.Warnings, w)
			}
		}
		envs[envKey(rep.Env)] = true
	}
	r.Environments = len(envs)
	return all - len(r.Reps)
}

func (r *Report) order() {
	slices.SortStableFunc(r.Rows, func(a, b *Row) int {
		return cmp.Or(
			r.compareTerms(TermsOf(a.Cell), TermsOf(b.Cell)),
			compareFamilies(a, b),
			compareSettings(a.Cell.Build, b.Cell.Build),
			compareSettings(a.Cell.Search, b.Cell.Search),
		)
	})
	for _, row := range r.Rows {
		if t := TermsOf(row.Cell); len(r.Terms) == 0 || r.Terms[len(r.Terms)-1] != t {
			r.Terms = append(r.Terms, t)
		}
	}
	if digests := r.Datasets(); len(digests) > 1 {
		r.Notes = append(r.Notes, Note{Code: SeveralDatasets, N: len(digests)})
	}
}

func (r *Report) compareTerms(a, b Terms) int {
	return cmp.Or(
		cmp.Compare(r.datasetRank(a.Dataset), r.datasetRank(b.Dataset)),
		cmp.Compare(a.Dataset, b.Dataset),
		cmp.Compare(a.Metric, b.Metric),
		cmp.Compare(b.K, a.K), // the largest first
		cmp.Compare(slices.Index(record.Modes, a.Mode), slices.Index(record.Modes, b.Mode)),
		cmp.Compare(a.Threads, b.Threads),
		cmp.Compare(a.Workers, b.Workers),
		cmp.Compare(a.Rate, b.Rate),
		cmp.Compare(r.transformRank(a), r.transformRank(b)),
		cmp.Compare(a.Transform, b.Transform),
	)
}

func (r *Report) datasetRank(digest string) int {
	for i, src := range r.Sources {
		if src.Dataset.Digest == digest {
			return i
		}
	}
	return len(r.Sources)
}

// transformRank is the place of a's transform in the sweep; nothing is first.
func (r *Report) transformRank(a Terms) int {
	src := r.Source(a.Dataset)
	if src == nil || a.Transform == "" {
		return -1
	}
	i := slices.IndexFunc(src.Dataset.Transforms, func(t record.Transform) bool { return t.Name == a.Transform })
	if i < 0 {
		return len(src.Dataset.Transforms)
	}
	return i
}

func compareFamilies(a, b *Row) int {
	if a.Exact != b.Exact {
		if a.Exact {
			return -1
		}
		return 1
	}
	return cmp.Compare(a.Cell.Family, b.Cell.Family)
}

// compareSettings orders canonical settings by their names and values in turn; values that are both
// numbers compare as numbers.
func compareSettings(a, b string) int {
	return slices.CompareFunc(strings.Fields(a), strings.Fields(b), func(a, b string) int {
		an, av, _ := strings.Cut(a, "=")
		bn, bv, _ := strings.Cut(b, "=")
		x, xerr := strconv.ParseFloat(av, 64)
		y, yerr := strconv.ParseFloat(bv, 64)
		if xerr == nil && yerr == nil {
			return cmp.Or(cmp.Compare(an, bn), cmp.Compare(x, y))
		}
		return cmp.Or(cmp.Compare(an, bn), cmp.Compare(av, bv))
	})
}

func (r *Report) environments() {
	index, on := map[string]int{}, map[*Row][]int{}
	for _, row := range r.Rows {
		for _, rep := range row.Reps {
			key := envKey(rep.Env)
			i, ok := index[key]
			if !ok {
				i = len(r.Envs)
				index[key] = i
				r.Envs = append(r.Envs, EnvUse{Name: envName(i), Env: rep.Env})
			}
			on[row] = append(on[row], i)
			r.Envs[i].Records++
			if !slices.Contains(r.Envs[i].Engines, rep.Engine) {
				r.Envs[i].Engines = append(r.Envs[i].Engines, rep.Engine)
			}
			for _, d := range rep.Env.Disturbed {
				if !slices.Contains(r.Envs[i].Disturbed, d) {
					r.Envs[i].Disturbed = append(r.Envs[i].Disturbed, d)
				}
			}
		}
	}
	r.disturbed()
	if len(r.Envs) < 2 {
		return
	}
	for row, where := range on {
		slices.Sort(where)
		var names []string
		for _, i := range slices.Compact(where) {
			names = append(names, r.Envs[i].Name)
		}
		row.On = strings.Join(names, " ")
	}
	r.Notes = append(r.Notes, Note{Code: SeveralEnvironments, N: len(r.Envs)})
}

// envName is A to Z, then A1 and so on.
func envName(i int) string {
	name := string(rune('A' + i%26))
	if i >= 26 {
		name += strconv.Itoa(i / 26)
	}
	return name
}

var figures = regexp.MustCompile(`[0-9]+(\.[0-9]+)?`)

// disturbed notes what disturbed timing. The runs of a sweep that was divided find much the same, with
// other figures: that is said once.
func (r *Report) disturbed() {
	var kinds []string
	first, more := map[string]string{}, map[string]int{}
	for _, e := range r.Envs {
		for _, d := range e.Disturbed {
			kind := figures.ReplaceAllString(d, "#")
			if _, ok := first[kind]; ok {
				more[kind]++
				continue
			}
			first[kind] = d
			kinds = append(kinds, kind)
		}
	}
	for _, kind := range kinds {
		r.Notes = append(r.Notes, Note{Code: Disturbed, Name: first[kind], N: more[kind]})
	}
}

// envKey is equal for equal environments, whatever disturbed them. The memory is left out: machines that
// were bought together differ by some kilobytes, and no time depends on it. Map keys encode in order.
func envKey(e record.Env) string {
	e.Disturbed, e.Memory = nil, 0
	b, err := json.Marshal(e)
	if err != nil {
		panic(err) // strings and integers always encode
	}
	return string(b)
}

func (r *Report) focus() {
	best := -1
	for _, t := range r.Terms {
		families := 0
		for _, f := range r.FamiliesOf(t) {
			if f.Measured() {
				families++
			}
		}
		if t.Mode == record.Latency {
			families += 1 << 20 // what one query takes is the question, where anything was asked of it
		}
		if families > best || families == best && t.K > r.Focus.K {
			best, r.Focus = families, t
		}
	}
}

// FamilyRows are the rows of one family under the same terms.
type FamilyRows struct {
	Name, Library    string
	Exact            bool
	Approach, Caller string // see [Row]
	Rows             []*Row
}

// Measured reports whether any row has values.
func (f FamilyRows) Measured() bool {
	return slices.ContainsFunc(f.Rows, func(r *Row) bool { return r.OK() > 0 })
}

// FamiliesOf returns the families under terms t, in the order of the rows.
func (r *Report) FamiliesOf(t Terms) []FamilyRows {
	var out []FamilyRows
	for _, row := range r.Rows {
		if TermsOf(row.Cell) != t {
			continue
		}
		if len(out) == 0 || out[len(out)-1].Name != row.Cell.Family {
			out = append(out, FamilyRows{Name: row.Cell.Family, Library: row.Library, Exact: row.Exact, Approach: row.Approach, Caller: row.Caller})
		}
		f := &out[len(out)-1]
		f.Rows = append(f.Rows, row)
	}
	return out
}

// Source returns the first folder whose data set has the digest, or nil.
func (r *Report) Source(digest string) *record.Results {
	for _, src := range r.Sources {
		if src.Dataset.Digest == digest {
			return src
		}
	}
	return nil
}

// DatasetName is what people call the data set with the digest: its name, or the digest's beginning
// where no folder describes it.
func (r *Report) DatasetName(digest string) string {
	if src := r.Source(digest); src != nil && src.Dataset.Name != "" {
		return src.Dataset.Name
	}
	return shortDigest(digest)
}

func shortDigest(d string) string {
	if _, hex, ok := strings.Cut(d, ":"); ok {
		d = hex
	}
	if len(d) > 12 {
		d = d[:12]
	}
	return d
}

// baseName is a folder's name without the path to it, which is of this machine.
func baseName(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	return filepath.Base(dir)
}

// FocusFirst are all terms, those in focus first.
func (r *Report) FocusFirst() []Terms {
	out := []Terms{r.Focus}
	for _, t := range r.Terms {
		if t != r.Focus {
			out = append(out, t)
		}
	}
	return out
}

// Portable leaves of every absolute path in a message its last part: folders are of the machine that
// measured, and a report is for others. Addresses of the web and relative names stay.
func Portable(s string) string { return absolutePath.ReplaceAllString(s, "$1…/$2") }

// The first group is what stands before a path, the second its last part. The parts of
// a path hold no spaces here, as messages do not quote reliably.
var absolutePath = regexp.MustCompile(`(^|[\s"'(\[=,;])(?:[A-Za-z]:\\(?:[^\s\\"':;,()]+\\)*|/(?:[^\s/"':;,()]+/)*)([^\s/\\"':;,()]+)`)

// doubts notes what the readers of the data said, and what no results should have: records of another harness version, exact search that misses what
// it defines, and more answers asked for than there are vectors.
func (r *Report) doubts() {
	seen := map[Note]bool{}
	add := func(n Note) {
		if !seen[n] {
			seen[n] = true
			r.Notes = append(r.Notes, n)
		}
	}
	for _, src := range r.Sources {
		for _, n := range src.Dataset.Notes {
			add(Note{Code: OfData, Name: n})
		}
		if e := src.Dataset.Embedding; e != nil && len(e.Skipped) > 0 {
			add(Note{Code: ImagesLeftOut, Name: src.Dataset.Name, N: len(e.Skipped), Of: e.Images + len(e.Skipped)})
		}
	}
	versions, old := map[string]bool{}, 0
	for _, row := range r.Rows {
		for _, rep := range row.Reps {
			if rep.Engine != record.HarnessVersion {
				versions[rep.Engine] = true
				old++
			}
		}
	}
	if old > 0 {
		add(Note{Code: OtherVersion, Name: strings.Join(slices.Sorted(maps.Keys(versions)), " and "), N: old})
	}
	for _, row := range r.Rows {
		if v, ok := row.Value(metric.Recall); ok && row.Exact && v.Median < 1 {
			add(Note{Code: ExactMisses, Name: row.Cell.Family, Share: v.Median})
		}
		if src := r.Source(row.Cell.Dataset); src != nil && src.Dataset.Base > 0 && row.Cell.K > src.Dataset.Base {
			add(Note{Code: FewVectors, Name: src.Dataset.Name, N: row.Cell.K, Of: src.Dataset.Base})
		}
	}
}
