package external

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"

	"annbench/indexes"
	"annbench/indexes/external/protocol"
	"annbench/indexes/vec"
)

// foreignPrefix begins the name of a family that is a folder of ann-benchmarks or VIBE:
// ann-benchmarks:FOLDER, or ann-benchmarks:FOLDER#NAME for one of the definitions in its config.yml.
const foreignPrefix = "ann-benchmarks:"

// PythonVariable names the environment variable with the Python that runs such folders, where no
// installed family's has what they import.
const PythonVariable = "ANNBENCH_PYTHON"

// foreignProgram runs them; it is one of the SDKs.
const foreignProgram = "annbench_foreign.py"

// definition is one algorithm of a config.yml under one metric, with the run groups that it has.
type definition struct {
	name, constructor string
	disabled          bool
	base              []any // base_args
	groups            []runGroup
}

// runGroup is a grid: every one of args with every one of queries. Each is a list of arguments as text
// in JSON.
type runGroup struct {
	name          string
	args, queries []string
	passed        map[string][]any // what the constructor is given, by the text of args
}

// dialect is one of the two harnesses.
type dialect struct {
	root    string                // name of its package
	metrics map[vec.Metric]string // what it calls each metric
	flatten bool                  // dictionaries among arguments are passed as their values
}

var dialects = []dialect{
	{"ann_benchmarks", map[vec.Metric]string{vec.L2: "euclidean", vec.Cosine: "angular"}, false},
	{"vibe", map[vec.Metric]string{vec.L2: "euclidean", vec.Cosine: "cosine", vec.InnerProduct: "ip"}, true},
}

// lookupForeign reads a folder of ann-benchmarks or VIBE.
func lookupForeign(name, dir string) (*indexes.Family, error) {
	path, only, _ := strings.Cut(name, "#")
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	folder, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(folder, "config.yml"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is no folder of ann-benchmarks or VIBE: it has no config.yml", folder)
	}
	if err != nil {
		return nil, err
	}
	module, err := os.ReadFile(filepath.Join(folder, "module.py"))
	if err != nil {
		return nil, fmt.Errorf("%s is no folder of ann-benchmarks or VIBE: it has no module.py", folder)
	}
	d := dialects[0]
	if strings.Contains(string(text), "singularity_image") {
		d = dialects[1]
	}
	byMetric, err := readConfig(text, d, only)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(folder, "config.yml"), err)
	}
	f := &Family{Folder: folder, ref: foreignPrefix + folder}
	f.Name = strings.ToLower(d.root[:strings.IndexAny(d.root+"_", "_")] + "-" + filepath.Base(folder))
	if only != "" {
		f.ref += "#" + only
		f.Name += "-" + strings.Trim(regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(only), "-"), "-")
	}
	f.Library = filepath.Base(folder)
	f.Caller, f.Approach = "Python", guessApproach(f.Library+" "+only)
	f.Doc = fmt.Sprintf("The folder %s of %s, as it is: settings are the arguments of its config.yml, of which a sweep takes all unless it names some; args and query_args go together as its run groups say.", filepath.Base(folder), d.root)
	f.Batch, f.Random = true, true
	var args, queries []string
	for _, m := range vec.Metrics {
		if len(byMetric[m]) == 0 {
			continue
		}
		f.Metrics = append(f.Metrics, string(m))
		for _, def := range byMetric[m] {
			for _, g := range def.groups {
				args, queries = append(args, g.words(def)...), append(queries, g.queries...)
			}
		}
	}
	if len(args) == 0 {
		return nil, fmt.Errorf("%s: nothing for vectors of float that is measured by l2, cosine or ip", filepath.Join(folder, "config.yml"))
	}
	args, queries = unique(args), unique(queries)
	f.Build = []Setting{{Name: "args", Kind: "word", Default: args[0], Words: args, Doc: "the definition of config.yml, and the arguments of its constructor"}}
	f.Search = []Setting{{Name: "query_args", Kind: "word", Default: queries[0], Words: queries, Doc: "arguments of set_query_arguments; [] where there are none"}}
	f.call = func(r *protocol.Request, p indexes.Params) {
		for _, def := range byMetric[vec.Metric(r.Metric)] {
			for _, g := range def.groups {
				if slices.Contains(g.words(def), p.Word("args")) {
					passed := substitute(append(slices.Clone(def.base), g.passed[strings.TrimPrefix(p.Word("args"), def.name+":")]...), d.metrics[vec.Metric(r.Metric)], r.Vectors.Dim)
					query := p.Word("query_args")
					if !slices.Contains(g.queries, query) { // the default, which is another group's
						query = g.queries[0]
					}
					r.Settings = map[string]any{"constructor": def.constructor, "arguments": encode(passed), "query_args": query}
					return
				}
			}
		}
	}
	missing := f.foreignRun(folder, d, string(module))
	family := f.Family(missing)
	family.Belongs = func(metric vec.Metric, build, search indexes.Params) bool {
		for _, def := range byMetric[metric] {
			for _, g := range def.groups {
				if slices.Contains(g.words(def), build.Word("args")) && slices.Contains(g.queries, search.Word("query_args")) {
					return true
				}
			}
		}
		return false
	}
	return family, nil
}

// words are the values of the setting args that g stands for.
func (g *runGroup) words(d definition) []string {
	out := make([]string, len(g.args))
	for i, a := range g.args {
		out[i] = d.name + ":" + a
	}
	return out
}

var (
	importLine  = regexp.MustCompile(`(?m)^(?:import|from)[ \t]+([A-Za-z_]\w*)`)
	siblingLine = regexp.MustCompile(`(?m)^from[ \t]+\.\.(\w+)\.module[ \t]+import`)
)

// importsOf are the packages that the module of a folder imports, and those of the folders beside it that it imports
// from, such as faiss of faiss_hnsw. seen are the folders that were looked at; base is emulated.
func importsOf(folder string, d dialect, module string, seen map[string]bool) (packages []string) {
	seen[filepath.Base(folder)] = true
	for _, m := range importLine.FindAllStringSubmatch(module, -1) {
		if m[1] != d.root && m[1] != "__future__" {
			packages = append(packages, m[1])
		}
	}
	for _, m := range siblingLine.FindAllStringSubmatch(module, -1) {
		beside := filepath.Join(filepath.Dir(folder), m[1])
		text, err := os.ReadFile(filepath.Join(beside, "module.py"))
		if err == nil && m[1] != "base" && !seen[m[1]] { // Python says what is not there
			packages = append(packages, importsOf(beside, d, string(text), seen)...)
		}
	}
	return packages
}

// foreignRun finds the Python that has what the module imports, or says why there is none.
func (f *Family) foreignRun(folder string, d dialect, module string) (missing string) {
	home, err := Home()
	if err != nil {
		return err.Error()
	}
	sdk, err := unpackSDK(home)
	if err != nil {
		return err.Error()
	}
	imports := unique(append([]string{"numpy"}, importsOf(folder, d, module, map[string]bool{})...))
	var pythons []string
	if p := os.Getenv(PythonVariable); p != "" {
		if _, err := exec.LookPath(p); err != nil {
			return fmt.Sprintf("%s names %s, which is no program that can be run: name a python", PythonVariable, p)
		}
		pythons = append(pythons, p)
	} else {
		installed, _ := List()
		for _, one := range installed {
			if p := filepath.Join(one.Place, venvDir, "bin", "python"); one.Whole {
				if _, err := os.Stat(p); err == nil {
					pythons = append(pythons, p)
				}
			}
		}
		if p, err := exec.LookPath("python3"); err == nil {
			pythons = append(pythons, p)
		}
	}
	const find = "import importlib.util, sys; print(*[m for m in sys.argv[1:] if importlib.util.find_spec(m) is None])"
	fewest := imports
	for _, p := range pythons {
		out, err := exec.Command(p, append([]string{"-c", find}, imports...)...).Output()
		if err != nil {
			continue
		}
		lacks := strings.Fields(string(out))
		if len(lacks) == 0 {
			f.args = []string{p, filepath.Join(sdk, foreignProgram), folder, d.root}
			f.env = []string{"PYTHONPATH=" + sdk, "PYTHONNOUSERSITE=1", "PYTHONDONTWRITEBYTECODE=1", "PYTHONUNBUFFERED=1"}
			return ""
		}
		if len(lacks) < len(fewest) {
			fewest = lacks
		}
	}
	return fmt.Sprintf("its module.py imports %s, and no Python at hand has them all (missing: %s): install them into an environment of your own, and set %s to its python", strings.Join(imports, ", "), strings.Join(fewest, ", "), PythonVariable)
}

// readConfig gives the definitions of a config.yml for vectors of float, by metric. Of several, only
// those called only, where that is not empty; else those that are not disabled, or all where all are.
func readConfig(text []byte, d dialect, only string) (_ map[vec.Metric][]definition, err error) {
	defer func() { // the library panics on some damaged files
		if r := recover(); r != nil {
			err = errors.New("this is not YAML that can be read")
		}
	}()
	var config yaml.MapSlice
	if err := yaml.UnmarshalWithOptions(text, &config, yaml.UseOrderedMap()); err != nil {
		reason, _, _ := strings.Cut(err.Error(), "\n")
		return nil, errors.New(reason)
	}
	float, _ := get(config, "float").(yaml.MapSlice)
	out := map[vec.Metric][]definition{}
	var names []string
	for _, m := range vec.Metrics {
		theirs, ok := d.metrics[m]
		if !ok {
			continue
		}
		var all []definition
		for _, key := range []string{"any", theirs} {
			list, _ := get(float, key).([]any)
			for _, entry := range list {
				def, err := d.define(entry)
				if err != nil {
					return nil, err
				}
				names = append(names, def.name)
				if only == "" || def.name == only {
					all = append(all, def)
				}
			}
		}
		if enabled := slices.DeleteFunc(slices.Clone(all), func(d definition) bool { return d.disabled }); len(enabled) > 0 {
			all = enabled
		}
		out[m] = all
	}
	if only != "" && !slices.Contains(names, only) {
		return nil, fmt.Errorf("no definition called %q: there are %s", only, strings.Join(unique(names), ", "))
	}
	return out, nil
}

func (d dialect) define(entry any) (def definition, err error) {
	m, ok := entry.(yaml.MapSlice)
	if !ok {
		return def, fmt.Errorf("a definition is a mapping, not %T", entry)
	}
	def.name, _ = get(m, "name").(string)
	def.name = strings.ReplaceAll(strings.TrimSpace(def.name), " ", "-")
	def.constructor, _ = get(m, "constructor").(string)
	def.disabled, _ = get(m, "disabled").(bool)
	if def.name == "" || def.constructor == "" {
		return def, errors.New("a definition needs a name and a constructor")
	}
	switch base := get(m, "base_args").(type) {
	case []any:
		def.base = base
	case nil:
	case yaml.MapSlice: // {}: none
		for _, item := range base {
			def.base = append(def.base, item.Key) // as Python's list.extend does with a dictionary
		}
	default:
		return def, fmt.Errorf("%s: base_args is a list, not %T", def.name, base)
	}
	groups, _ := get(m, "run_groups").(yaml.MapSlice)
	if len(groups) == 0 {
		return def, fmt.Errorf("%s has no run_groups", def.name)
	}
	for _, item := range groups {
		body, _ := item.Value.(yaml.MapSlice)
		g := runGroup{name: fmt.Sprint(item.Key), passed: map[string][]any{}}
		args, err := d.expand(body, "args", "arg_groups")
		if err != nil {
			return def, fmt.Errorf("%s, run group %s: %w", def.name, g.name, err)
		}
		for _, a := range args {
			text := encode(a)
			g.args = append(g.args, text)
			g.passed[text] = a
		}
		queries, err := d.expand(body, "query_args", "query_arg_groups")
		if err != nil {
			return def, fmt.Errorf("%s, run group %s: %w", def.name, g.name, err)
		}
		for _, q := range queries {
			g.queries = append(g.queries, encode(q))
		}
		if len(g.queries) == 0 {
			g.queries = []string{"[]"}
		}
		if len(g.args) == 0 {
			g.args, g.passed["[]"] = []string{"[]"}, nil
		}
		def.groups = append(def.groups, g)
	}
	return def, nil
}

// expand gives the lists of arguments that the key many, or else one, stands for: see
// generate_arg_combinations of the two harnesses.
func (d dialect) expand(body yaml.MapSlice, one, many string) ([][]any, error) {
	if groups, ok := get(body, many).([]any); ok {
		expanded := make([]any, len(groups))
		for i, g := range groups {
			expanded[i] = g
			if m, ok := g.(yaml.MapSlice); ok {
				expanded[i] = dictionaries(m)
			}
		}
		return product(expanded), nil
	}
	switch spec := get(body, one).(type) {
	case nil:
		return nil, nil
	case []any:
		combinations := product(spec)
		if d.flatten {
			for _, c := range combinations {
				for i, e := range c {
					if m, ok := e.(yaml.MapSlice); ok {
						c[i] = values(m)
					}
				}
			}
		}
		return combinations, nil
	case yaml.MapSlice:
		var out [][]any
		for _, m := range dictionaries(spec) {
			if d.flatten {
				out = append(out, values(m.(yaml.MapSlice)))
			} else {
				out = append(out, []any{m})
			}
		}
		return out, nil
	default:
		return nil, fmt.Errorf("%s is a list or a mapping, not %T", one, spec)
	}
}

// product gives every combination of one element of each list of parts; what is no list is one of one.
func product(parts []any) [][]any {
	out := [][]any{{}}
	for _, part := range parts {
		list, ok := part.([]any)
		if !ok {
			list = []any{part}
		}
		var next [][]any
		for _, before := range out {
			for _, e := range list {
				next = append(next, append(slices.Clone(before), e))
			}
		}
		out = next
	}
	return out
}

// dictionaries gives every combination of the values of m's lists, as mappings.
func dictionaries(m yaml.MapSlice) []any {
	parts := make([]any, len(m))
	for i, item := range m {
		parts[i] = item.Value
	}
	var out []any
	for _, c := range product(parts) {
		one := make(yaml.MapSlice, len(m))
		for i := range m {
			one[i] = yaml.MapItem{Key: m[i].Key, Value: c[i]}
		}
		out = append(out, one)
	}
	return out
}

func values(m yaml.MapSlice) []any {
	out := make([]any, len(m))
	for i, item := range m {
		out[i] = item.Value
	}
	return out
}

func get(m yaml.MapSlice, key string) any {
	for _, item := range m {
		if item.Key == key {
			return item.Value
		}
	}
	return nil
}

// foreignCount is what @count stands for: the number of answers of their default runs.
const foreignCount = 10

// substitute puts values in place of @metric, @dimension and @count, at any depth.
func substitute(args []any, metric string, dim int) []any {
	var put func(v any) any
	put = func(v any) any {
		switch v := v.(type) {
		case string:
			if by, ok := map[string]any{"@metric": metric, "@dimension": dim, "@count": foreignCount}[v]; ok {
				return by
			}
		case []any:
			out := make([]any, len(v))
			for i := range v {
				out[i] = put(v[i])
			}
			return out
		case yaml.MapSlice:
			out := slices.Clone(v)
			for i := range out {
				out[i].Value = put(out[i].Value)
			}
			return out
		}
		return v
	}
	return put(args).([]any)
}

// encode writes arguments as JSON without blanks, with NaN, which Python reads.
func encode(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return strconv.Quote(v)
	case float64:
		if math.IsNaN(v) {
			return "NaN"
		}
		text := strconv.FormatFloat(v, 'g', -1, 64)
		if !strings.ContainsAny(text, ".eIN") {
			text += ".0" // a whole number would be another type in Python
		}
		return text
	case []any:
		parts := make([]string, len(v))
		for i := range v {
			parts[i] = encode(v[i])
		}
		return "[" + strings.Join(parts, ",") + "]"
	case yaml.MapSlice:
		parts := make([]string, len(v))
		for i := range v {
			parts[i] = strconv.Quote(fmt.Sprint(v[i].Key)) + ":" + encode(v[i].Value)
		}
		return "{" + strings.Join(parts, ",") + "}"
	}
	return fmt.Sprint(v)
}

// guessApproach guesses the kind of index from words of its name; folders do not say.
func guessApproach(name string) string {
	name = strings.ToLower(name)
	for _, a := range []struct{ word, approach string }{
		{"hnsw", "graph"},
		{"nsg", "graph"},
		{"graph", "graph"},
		{"descent", "graph"},
		{"vamana", "graph"},
		{"diskann", "graph"},
		{"voyager", "graph"},
		{"glass", "graph"},
		{"ngt", "graph"},
		{"usearch", "graph"},
		{"flatnav", "graph"},
		{"nmslib", "graph"},
		{"annoy", "tree"},
		{"tree", "tree"},
		{"mrpt", "tree"},
		{"flann", "tree"},
		{"lsh", "hash"},
		{"puffinn", "hash"},
		{"falconn", "hash"},
		{"brute", "exact"},
		{"flat", "exact"},
		{"pq", "quantised"},
		{"rabitq", "quantised"},
		{"scann", "quantised"},
		{"lorann", "quantised"},
	} {
		if strings.Contains(name, a.word) {
			return a.approach
		}
	}
	return "lists"
}

func unique(list []string) []string {
	seen := map[string]bool{}
	var out []string
	for _, s := range list {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}
