package external

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"annbench/indexes"
	"annbench/indexes/external/protocol"
	"annbench/indexes/vec"
	"annbench/internal/words"
)

// File is the name of the file that makes a folder a family.
const File = "family.yaml"

// Description is what family.yaml says.
type Description struct {
	// Protocol is the version that the program speaks: 1.
	Protocol int `yaml:"protocol"`
	// Name of the family in sweeps, tables and results: small letters, digits and -.
	Name string `yaml:"name"`
	// Library is who wrote the index.
	Library string `yaml:"library"`
	// Licence of the library, as SPDX names it.
	Licence string `yaml:"licence"`
	// Doc is what the index is and what a user must know about it, in a few sentences.
	Doc string `yaml:"doc"`
	// Approach is one of exact, graph, tree, lists, quantised, hash.
	Approach string `yaml:"approach"`
	// Caller is the language that calls the library, where its calls add to every search: Python.
	Caller string `yaml:"caller"`
	// Metrics are one or several of l2, cosine, ip.
	Metrics []string `yaml:"metrics"`
	// Exact says that answers are the true nearest neighbours. Default: no.
	Exact bool `yaml:"exact"`
	// Random says that another seed gives another index. Default: no.
	Random bool `yaml:"random"`
	// Codes says that the index keeps codes in place of the vectors, whatever its settings. Default: no.
	Codes bool `yaml:"codes"`
	// Save says that the index can be saved and loaded. Default: no; then it is searched in the process
	// that built it.
	Save bool `yaml:"save"`
	// Batch says that the library has a call for many queries at once. Default: no.
	Batch bool `yaml:"batch"`
	// Run is the program and its arguments. The word python first is that of the family's own
	// environment, where it has one; arguments that are files of the folder are found there; $OUT is the
	// folder of what make made, $SDK that of the SDKs.
	Run []string `yaml:"run"`
	// Build are the settings fixed when the index is built, Search those that change without a rebuild.
	Build  []Setting `yaml:"build"`
	Search []Setting `yaml:"search"`
	// Floor are settings for the index of a few vectors on which the cost of the mere call is measured,
	// where the usual ones do not fit so few.
	Floor map[string]any `yaml:"floor"`
	// Needs is what must be installed; see `annbench families install`.
	Needs Needs `yaml:"needs"`
}

// Setting is a setting of a family.
type Setting struct {
	// Name of the setting, as the library has it.
	Name string `yaml:"name"`
	// Kind is integer, number, boolean or word.
	Kind string `yaml:"kind"`
	// Default is the value where a sweep does not say.
	Default any `yaml:"default"`
	// Min and Max are the least and the greatest value of an integer or a number.
	Min *float64 `yaml:"min"`
	Max *float64 `yaml:"max"`
	// Words are those that a word may be.
	Words []string `yaml:"words"`
	// Codes are the words of a build setting with which the index keeps codes in place of the vectors. Default: none.
	Codes []string `yaml:"codes"`
	// AtLeastK says that the library treats values below k as k, as graphs do with ef. Default: no.
	AtLeastK bool `yaml:"at_least_k"`
	// AtMost is the build setting above which the library treats values as that setting's, as inverted
	// lists do with nprobe.
	AtMost string `yaml:"at_most"`
	// Scale says on which steps values are worth trying when settings are searched for: linear, logarithmic, powers
	// of two, divisors (of the number of dimensions) or fixed, which leaves it at its default. Default: logarithmic
	// of numbers; both of a boolean, all of a word.
	Scale string `yaml:"scale"`
	// Grows is the power of the number of vectors that a good value grows with: 0.5 of cells of inverted lists.
	// Default: 0.
	Grows float64 `yaml:"grows"`
	// Doc is what the setting does.
	Doc string `yaml:"doc"`
}

// Needs is what a family needs of the machine.
type Needs struct {
	// Requirements is a file of the folder for pip: packages with pinned versions and hashes.
	Requirements string `yaml:"requirements"`
	// Sources is another such file: packages without wheels, compiled after those of Requirements and
	// with them.
	Sources string `yaml:"sources"`
	// Commands must be there for make: c++.
	Commands []string `yaml:"commands"`
	// Debian are packages of Debian that have what is needed, for people.
	Debian []string `yaml:"debian"`
	// Make are commands that make the program, run one after the other in the folder: $OUT is where
	// what they make goes, $SDK the folder of the SDKs, $PYTHON the environment's Python.
	Make [][]string `yaml:"make"`
	// CPU is a feature that the processor must have, as Linux names it: avx2, avx512f.
	CPU []string `yaml:"cpu"`
	// Minutes is about how long installing takes, for people, where it is long.
	Minutes int `yaml:"minutes"`
}

// Family is a family that is a folder: what its family.yaml says, and where it is.
type Family struct {
	Description
	Folder string // absolute
	// files are the folder's; home is where families are installed; bundled says that it ships.
	files   fs.FS
	home    string
	bundled bool
	// Args is what is run; nil while the family is not installed.
	args []string
	// Env is what its program's environment has beside that of this process.
	env []string
	// ref is what it is looked up by in another process: its name, or its folder.
	ref string
	// call, where not nil, changes requests to build and load before they are sent.
	call func(r *protocol.Request, p indexes.Params)
}

var nameForm = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// Read reads the family.yaml of a folder and checks all that can be checked without running anything. An
// error about the file's contents is a [*FileError].
func Read(folder string) (*Family, error) {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return nil, err
	}
	switch info, err := os.Stat(folder); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("there is no folder %s: a family is a folder with a %s", folder, File)
	case err != nil:
		return nil, err
	case !info.IsDir():
		return nil, fmt.Errorf("%s is a file, and a family is a folder: name the folder %s", folder, filepath.Dir(folder))
	}
	f, err := read(os.DirFS(folder), folder)
	if err != nil {
		return nil, err
	}
	f.Folder = folder
	f.home, err = Home()
	return f, err
}

// read reads the folder fsys, which errors call name.
func read(fsys fs.FS, name string) (*Family, error) {
	// A pipe would never end.
	if info, err := fs.Stat(fsys, File); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: %s is no plain file (%s): write the family's description there", name, File, info.Mode().Type())
	}
	text, err := fs.ReadFile(fsys, File)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is no family: it has no %s", name, File)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	f := &Family{files: fsys}
	src, err := readYAML(filepath.Join(name, File), text, &f.Description)
	if err != nil {
		return nil, err
	}
	return f, f.check(src)
}

// check reports the first thing that is wrong, in the order of the file's documentation.
func (f *Family) check(src *source) error {
	for _, at := range []struct{ path, value, rule string }{
		{"$.name", f.Name, "the family needs a name"},
		{"$.library", f.Library, "the family needs a library: who wrote the index"},
		{"$.licence", f.Licence, "the family needs the licence of its library, like Apache-2.0"},
		{"$.doc", f.Doc, "the family needs a doc: what it is, in a few sentences"},
		{"$.approach", f.Approach, "the family needs an approach: " + strings.Join(approaches(), ", ")},
	} {
		if strings.TrimSpace(at.value) == "" {
			return src.errorf(at.path, "%s", at.rule)
		}
	}
	if f.Protocol != protocol.Version {
		return src.errorf("$.protocol", "protocol must be %d, which is the version that this annbench speaks, not %d", protocol.Version, f.Protocol)
	}
	if !nameForm.MatchString(f.Name) {
		return src.errorf("$.name", "name %q must be small letters, digits and single - between them", f.Name)
	}
	if _, err := indexes.Lookup(f.Name); err == nil {
		return src.errorf("$.name", "annbench has a family %q of its own: choose another name", f.Name)
	}
	if !slices.Contains(approaches(), f.Approach) {
		return src.errorf("$.approach", "no approach %q%s", f.Approach, words.DidYouMean(f.Approach, approaches()))
	}
	if len(f.Metrics) == 0 {
		return src.errorf("$.metrics", "the family needs metrics: one or several of l2, cosine, ip")
	}
	for i, m := range f.Metrics {
		known, err := vec.ParseMetric(m)
		if err != nil {
			return src.errorf(fmt.Sprintf("$.metrics[%d]", i), "%v", err)
		}
		f.Metrics[i] = string(known) // euclidean is l2
	}
	if len(f.Run) == 0 {
		return src.errorf("$.run", "the family needs run: its program and the arguments, like [python, family.py]")
	}
	for i, arg := range f.Run {
		// A program that make makes is not there yet, and what has a path from the root is not ours.
		own := i > 0 && scriptForm.MatchString(arg) || i == 0 && strings.HasPrefix(arg, "./")
		if _, err := fs.Stat(f.files, path.Clean(arg)); own && err != nil {
			return src.errorf(fmt.Sprintf("$.run[%d]", i), "there is no %s in the folder%s", arg, words.DidYouMean(arg, f.topFiles()))
		}
	}
	seen := map[string]bool{}
	for _, part := range []struct {
		key      string
		settings []Setting
	}{{"build", f.Build}, {"search", f.Search}} {
		for i := range part.settings {
			s := &part.settings[i]
			at := fmt.Sprintf("$.%s[%d]", part.key, i)
			if s.Name == "" || strings.ContainsAny(s.Name, " =\t\n") {
				return src.errorf(at, "a setting needs a name without blanks and =")
			}
			if seen[s.Name] {
				return src.errorf(at+".name", "there is a setting %q already", s.Name)
			}
			seen[s.Name] = true
			if part.key == "search" && len(s.Codes) > 0 {
				return src.errorf(at+".codes", "%s: only a build setting can have codes: an index keeps what it was built with", s.Name)
			}
			if key, reason := s.check(f.Build); reason != "" {
				return src.errorf(at+key, "%s: %s", s.Name, reason)
			}
		}
	}
	for _, name := range sortedKeys(f.Floor) {
		param := f.setting(name)
		if param == nil {
			return src.errorf("$.floor", "floor: there is no setting %q", name)
		}
		if err := param.accepts(f.Floor[name]); err != nil {
			return src.errorf("$.floor."+name, "floor: %v", err)
		}
	}
	for _, needed := range []struct{ path, file string }{{"$.needs.requirements", f.Needs.Requirements}, {"$.needs.sources", f.Needs.Sources}} {
		if needed.file == "" {
			continue
		}
		if _, err := fs.Stat(f.files, needed.file); err != nil {
			return src.errorf(needed.path, "there is no %s in the folder", needed.file)
		}
	}
	if f.Needs.Sources != "" && f.Needs.Requirements == "" {
		return src.errorf("$.needs.sources", "sources need requirements: what they are compiled with")
	}
	return nil
}

// scriptForm is what is meant as a program of the folder among the arguments of an interpreter.
var scriptForm = regexp.MustCompile(`^[^-/$][^$=]*\.(py|sh|js|jl|rb|pl|R|lua)$`)

// topFiles lists the files of the folder itself.
func (f *Family) topFiles() (names []string) {
	entries, _ := fs.ReadDir(f.files, ".")
	for _, e := range entries {
		if !e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}

func approaches() []string {
	var names []string
	for _, a := range indexes.Approaches {
		names = append(names, a.Name)
	}
	return names
}

func (f *Family) setting(name string) *Setting {
	for _, list := range [][]Setting{f.Build, f.Search} {
		for i := range list {
			if list[i].Name == name {
				return &list[i]
			}
		}
	}
	return nil
}

var kinds = map[string]indexes.Kind{"integer": indexes.Int, "number": indexes.Float, "boolean": indexes.Bool, "word": indexes.Word}

// check says which key of s is wrong, and why; reason is empty where none is.
func (s *Setting) check(build []Setting) (key, reason string) {
	kind, ok := kinds[s.Kind]
	switch {
	case !ok:
		return ".kind", fmt.Sprintf("no kind %q: known are integer, number, boolean, word", s.Kind)
	case s.Default == nil:
		return "", "a setting needs a default"
	case strings.TrimSpace(s.Doc) == "":
		return "", "a setting needs a doc: what it does"
	case kind == indexes.Word && len(s.Words) == 0:
		return "", "a word needs words: those that it may be"
	case (kind == indexes.Int || kind == indexes.Float) && (s.Min == nil || s.Max == nil):
		return "", "a number needs min and max"
	case s.Min != nil && s.Max != nil && !(*s.Min <= *s.Max):
		return ".min", "min must not be above max"
	}
	if err := s.accepts(s.Default); err != nil {
		return ".default", fmt.Sprintf("its default: %v", err)
	}
	for _, word := range s.Codes {
		if !slices.Contains(s.Words, word) {
			return ".codes", fmt.Sprintf("codes are some of its words, and %q is none%s", word, words.DidYouMean(word, s.Words))
		}
	}
	if s.AtMost != "" && !slices.ContainsFunc(build, func(b Setting) bool { return b.Name == s.AtMost && b.Kind == "integer" }) {
		return ".at_most", fmt.Sprintf("there is no build setting %q of kind integer", s.AtMost)
	}
	if s.Scale != "" && !slices.Contains(indexes.Scales, indexes.Scale(s.Scale)) {
		return ".scale", fmt.Sprintf("no scale %q: known are linear, logarithmic, powers of two, divisors, fixed", s.Scale)
	}
	if !(s.Grows >= 0 && s.Grows <= 1) { // nor NaN
		return ".grows", "grows is a power between 0 and 1"
	}
	if (s.AtLeastK || s.AtMost != "") && kind != indexes.Int {
		return ".kind", "only an integer can have at_least_k or at_most"
	}
	return "", ""
}

// accepts reports why v cannot be a value of s.
func (s *Setting) accepts(v any) error {
	one := indexes.Family{Name: s.Name}
	_, err := one.Settings([]indexes.Param{s.param()}, indexes.Params{s.Name: v})
	var setting *indexes.SettingError
	if errors.As(err, &setting) {
		return errors.New(setting.Reason)
	}
	return err
}

func (s *Setting) param() indexes.Param {
	p := indexes.Param{Name: s.Name, Kind: kinds[s.Kind], Default: s.Default, Words: s.Words, Doc: strings.TrimSpace(s.Doc), Scale: indexes.Scale(s.Scale), Grows: s.Grows}
	if s.Min != nil {
		p.Min = *s.Min
	}
	if s.Max != nil {
		p.Max = *s.Max
	}
	return p
}

// params are the settings as package indexes has them, defaults typed.
func (f *Family) params(list []Setting) []indexes.Param {
	params := make([]indexes.Param, len(list))
	for i := range list {
		params[i] = list[i].param()
	}
	one := indexes.Family{Name: f.Name}
	for i := range params {
		typed, err := one.Settings(params[i:i+1], indexes.Params{params[i].Name: params[i].Default})
		if err == nil { // check has seen to it
			params[i].Default = typed[params[i].Name]
		}
	}
	return params
}

// Family is f as package indexes has families. missing says why it cannot be used; empty where it can.
func (f *Family) Family(missing string) *indexes.Family {
	family := &indexes.Family{
		Name: f.Name, Library: f.Library, Doc: strings.Join(strings.Fields(f.Doc), " "),
		Exact: f.Exact, Random: f.Random, Codes: f.Codes, Batch: f.Batch, Missing: missing,
		Approach: f.Approach, Folder: f.Folder, Caller: f.Caller, Licence: f.Licence, Unsaved: !f.Save, Ref: f.ref, Floor: indexes.Params(f.Floor),
		Build: f.params(f.Build), Search: f.params(f.Search),
		Effective: f.effective, Work: f.work, Bytes: f.bytes,
	}
	for _, m := range f.Metrics {
		family.Metrics = append(family.Metrics, vec.Metric(m))
	}
	if slices.ContainsFunc(f.Build, func(s Setting) bool { return len(s.Codes) > 0 }) {
		family.Coded = f.coded
	}
	family.Open = func(ctx context.Context, in indexes.BuildInput) (indexes.Index, error) {
		return f.open(ctx, family, in)
	}
	family.Load = func(path string, in indexes.BuildInput) (indexes.Index, error) { return f.load(path, family, in) }
	return family
}

// coded reports whether an index with the settings p keeps codes in place of the vectors.
func (f *Family) coded(p indexes.Params) bool {
	return f.Codes || slices.ContainsFunc(f.Build, func(s Setting) bool {
		word, _ := p[s.Name].(string)
		return slices.Contains(s.Codes, word)
	})
}

func (f *Family) effective(_, k int, p indexes.Params) {
	for _, s := range f.Search {
		v, ok := p[s.Name].(int)
		if !ok {
			continue
		}
		if s.AtLeastK && v < k {
			p[s.Name] = k
		}
		if most, ok := p[s.AtMost].(int); ok && v > most {
			p[s.Name] = most
		}
	}
}

// work is a guess from the approach, and of a graph from the candidates that a search keeps (at_least_k): of a
// library that is only known by its name and its settings nothing better is to be had. A graph is taken to be built
// with 200 candidates, each with 20 links, as is usual.
func (f *Family) work(n, dim int, p indexes.Params) (build, search float64) {
	rows, d, depth := float64(n), float64(dim), math.Log2(float64(n)+2)
	switch f.Approach {
	case "exact":
		return rows * d, rows * d
	case "graph":
		walk := func(candidates float64) float64 { return indexes.GraphWalk(n, 20*candidates) * d }
		return rows * walk(200), walk(f.candidates(p) + depth)
	case "tree":
		return 300 * rows * d * depth, rows*d/50 + 1000*d
	}
	return 300 * rows * d, rows*d/50 + 1000*d
}

// candidates is how many candidates a search of a graph keeps by the settings p.
func (f *Family) candidates(p indexes.Params) float64 {
	for _, s := range f.Search {
		if v, ok := p[s.Name].(int); ok && s.AtLeastK {
			return float64(v)
		}
	}
	return 50
}

// bytes is likewise a guess, good for judging whether a build fits into memory and for nothing else.
func (f *Family) bytes(n, dim int, p indexes.Params) int64 {
	if f.coded(p) {
		return int64(n) * int64(dim)
	}
	return int64(n) * (4*int64(dim) + 200)
}

func sortedKeys[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
