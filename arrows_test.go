package annbench_test

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "annbench"

// arrows lists, for each package of this module, every package of this module that it may import.
// Packages point to leaves: a new arrow is a decision, and is made by a line here.
// An arrow that nobody uses yet is fine.
var arrows = map[string][]string{
	"": {},

	"configs":             {},
	"internal/atomicfile": {"internal/plaintext", "internal/filekind"},
	"internal/console":    {"internal/eta"},
	"internal/words":      {},
	"internal/eta":        {},
	"internal/plaintext":  {},
	"internal/units":      {"internal/words"},
	"internal/usage":      {},
	"internal/hostile":    {},

	"indexes/vec":       {},
	"indexes/mapfile":   {"internal/atomicfile"},
	"indexes/rpforest":  {"indexes/vec", "indexes/mapfile"},
	"indexes/hnsw":      {"indexes/vec", "indexes/mapfile"},
	"indexes/exact":     {"indexes/vec", "indexes/rpforest"},
	"indexes/pgvector":  {"indexes/vec"},
	"indexes/weaviate":  {"indexes/vec"},
	"indexes/faissshim": {},
	"indexes":           {"indexes/vec", "indexes/faissshim", "indexes/rpforest", "indexes/exact", "indexes/hnsw", "indexes/pgvector", "indexes/weaviate"},

	// Families that are programs of their own: the messages, both ends of them.
	"internal/seal":             {"internal/atomicfile", "internal/plaintext"},
	"indexes/external/protocol": {},
	"indexes/external/host":     {"indexes/external/protocol"},
	"indexes/external":          {"families", "indexes", "indexes/vec", "indexes/external/protocol"},
	"families":                  {},

	"bench/metric":    {"indexes/vec"},
	"bench/record":    {},
	"bench/project":   {"indexes/vec", "bench/record"},
	"bench/transform": {"indexes/vec", "internal/words"},
	"bench/fetch":     {"bench/lease"},
	"bench/lease":     {},
	// Servers that families are in are started, stopped and found here.
	"indexes/engines": {"internal/atomicfile", "internal/usage"},
	// Object storage: files come and go, and nobody else knows it.
	"bench/store":           {"bench/lease"},
	"bench/store/storetest": {},
	"bench/store/staging":   {"bench/sweepfile", "bench/lease", "bench/record", "bench/store", "internal/usage"},
	// Files of other tools, what is stored of them, and what a sweep runs on.
	"bench/dataset/vecfile":    {"indexes/vec"},
	"bench/dataset/attributes": {"bench/dataset/vecfile"},
	"bench/dataset/collection": {"indexes/vec", "bench/dataset/vecfile", "bench/dataset/attributes"},
	"bench/dataset":            {"indexes/vec", "bench/dataset/vecfile", "bench/dataset/attributes", "bench/dataset/collection"},
	// What a sweep file says, and what comes of it.
	// Who may be answered under a filter, and the truth then.
	"bench/churn":     {"indexes/vec", "bench/dataset", "bench/dataset/vecfile"},
	"bench/filter":    {"indexes/vec", "bench/dataset", "bench/dataset/attributes", "bench/dataset/vecfile"},
	"bench/sweepfile": {"bench/transform", "bench/churn", "bench/filter", "indexes", "indexes/vec", "indexes/external", "bench/dataset", "bench/dataset/vecfile", "bench/record"},
	"bench":           {"bench/transform", "bench/churn", "bench/filter", "indexes", "indexes/vec", "indexes/external", "bench/sweepfile", "bench/dataset", "bench/dataset/vecfile", "bench/dataset/attributes", "bench/dataset/collection", "bench/lease", "bench/metric", "bench/record"},

	// The search for settings under limits; what it finds is judged as a report judges.
	"bench/tune": {"bench", "bench/metric", "bench/record", "indexes", "indexes/vec", "reports/judge"},

	// The whole way from images or vectors to results, for programs.
	"bench/kept": {"internal/atomicfile", "internal/seal"},
	"bench/pipeline": {
		"bench/kept",
		"bench", "bench/sweepfile", "bench/dataset", "bench/dataset/attributes", "bench/dataset/collection", "bench/metric", "bench/project", "bench/record", "bench/tune",
		"configs", "embedder", "embedder/catalog", "embedder/catalog/survey", "embedder/models",
		"indexes", "indexes/external", "indexes/vec", "internal/atomicfile", "internal/eta", "internal/usage", "internal/words", "reports/judge",
	},

	// Job scripts for Slurm.
	"bench/cluster": {"bench", "bench/sweepfile", "bench/dataset", "internal/atomicfile", "internal/usage"},

	"embedder/models":         {},
	"embedder/catalog/boards": {},
	"embedder/catalog":        {"embedder/catalog/boards", "internal/words"},
	"embedder/catalog/survey": {"embedder/catalog", "embedder/catalog/boards"},
	"embedder/scale":          {},
	"embedder":                {"indexes/vec", "bench/metric", "embedder/catalog", "embedder/models", "embedder/scale", "internal/words"},
	// A model on labelled pictures; what it finds is the data of a report card.
	"embedder/evaluate": {"embedder", "embedder/catalog", "embedder/models", "indexes/vec", "bench/metric", "reports/modelcard"},

	// Records in, pages out: a report is made anywhere, without cgo, from a results file.
	"reports/judge": {"bench/metric", "bench/record"},
	"reports/say":   {"bench/metric", "bench/record", "reports/judge"},
	"reports/draw":  {"bench/metric", "bench/record", "reports/judge", "reports/say"},
	"reports/text":  {"bench/metric", "bench/record", "reports/judge", "reports/say"},
	// Kept answers are read, and written as ann-benchmarks has them.
	"reports/interchange": {"bench/dataset/vecfile", "bench/metric", "bench/record", "indexes/vec", "reports/judge", "reports/say"},
	"reports/page":        {"bench/metric", "bench/record", "reports/judge", "reports/say", "reports/draw"},
	// The card is a page of its own, in the same style.
	"reports/modelcard": {"bench/metric", "reports/say", "reports/draw", "reports/page"},
	"reports": {
		"bench/metric", "bench/record", "reports/judge", "reports/say", "reports/draw",
		"reports/text", "reports/page", "reports/modelcard", "reports/interchange",
	},
	"reports/internal/fixture": {"bench/metric", "bench/record"},

	// The indexes that were measured, behind a page; the command puts the model in.
	"online": {"internal/atomicfile", "internal/words"},
	"serve": {
		"online",
		"indexes", "indexes/vec", "bench/dataset", "bench/dataset/attributes", "bench/dataset/collection", "bench/filter", "bench/metric", "bench/record",
		"embedder/catalog", "embedder/catalog/boards", "reports/draw", "reports/judge",
	},

	// A browser for tests.
	"browsertest": {},

	"scripts/gotest":    {},
	"scripts/notice":    {},
	"scripts/gpucheck":  {},
	"scripts/scale":     {"reports/judge", "reports/say", "reports/text", "bench/metric", "bench/record"},
	"scripts/busy":      {"reports/judge", "reports/say", "bench/metric", "bench/record", "internal/atomicfile"},
	"scripts/tune":      {"bench/metric", "bench/record", "indexes", "reports/judge", "reports/say"},
	"scripts/changes":   {"reports/judge", "reports/say", "reports/text", "bench/metric", "bench/record", "internal/atomicfile"},
	"scripts/findings":  {"reports/judge", "reports/say", "reports/text", "bench/metric", "bench/record"},
	"scripts/strangers": {"internal/hostile"},
}

// testArrows are the arrows that only test files have, beyond those of the package they test.
var testArrows = map[string][]string{
	"indexes/external": {"indexes/external/host"},
	"embedder":         {"internal/hostile"},
	"embedder/catalog": {"internal/hostile"},

	"reports":             {"reports/internal/fixture"},
	"reports/judge":       {"reports/internal/fixture"},
	"reports/say":         {"reports/internal/fixture"},
	"reports/text":        {"reports/internal/fixture", "reports/interchange"},
	"reports/interchange": {"reports/internal/fixture"},
	"reports/page":        {"reports/internal/fixture", "browsertest"},
	"serve":               {"browsertest", "internal/hostile"},
	"bench/dataset":       {"bench/metric"},
	"bench/pipeline":      {"bench/metric", "indexes", "indexes/external/host"},
	"bench/store":         {"bench/store/storetest"},
}

// forAll are the leaves that any package may import without a line of its own.
var forAll = []string{"internal/atomicfile", "internal/filekind", "internal/plaintext", "internal/proctree", "internal/seal", "internal/units", "internal/usage", "internal/words"}

// knowsAll are the packages that may import any other: the command alone.
var knowsAll = []string{"cmd/annbench"}

// cgo lists the imports that need a C compiler, the only package that may have each, and the build
// tag that keeps plain `go build ./...` free of it.
var cgo = []struct{ path, pkg, tag string }{
	{"C", "indexes/faissshim", "faiss"},
	{"C", "embedder", "cgo"},
	{"github.com/DataIntelligenceCrew/go-faiss", "indexes", "faiss"},
	{"github.com/yalue/onnxruntime_go", "embedder", "cgo"},
}

func TestImportArrows(t *testing.T) {
	for _, f := range sources(t) {
		for _, imp := range f.imports {
			if imp == "C" || isCgo(imp) {
				if !cgoAllowed(f, imp) {
					t.Errorf("%s imports %q: cgo lives in packages indexes and indexes/faissshim behind the build tag faiss, and in package embedder behind the build tag cgo", f.name, imp)
				}
				continue
			}
			to, internal := strings.CutPrefix(imp, module+"/")
			if imp == module {
				to, internal = "", true
			}
			if !internal || to == f.pkg || slices.Contains(knowsAll, f.pkg) {
				continue
			}
			if slices.Contains(forAll, to) && !strings.HasPrefix(f.pkg, "internal/") {
				continue
			}
			if slices.Contains(arrows[f.pkg], to) || f.test && slices.Contains(testArrows[f.pkg], to) {
				continue
			}
			if _, known := arrows[f.pkg]; !known {
				t.Errorf("%s: package %s has no line in the table of arrows (arrows_test.go)", f.name, f.pkg)
				continue
			}
			t.Errorf("%s imports %s: %s may import only %q; a new arrow needs a line in arrows_test.go", f.name, imp, f.pkg, arrows[f.pkg])
		}
	}
}

// TestArrowsHaveNoCycle keeps the table itself honest: following it always comes to a leaf.
func TestArrowsHaveNoCycle(t *testing.T) {
	const walking, done = 1, 2
	state := map[string]int{}
	var walk func(pkg string, trail []string)
	walk = func(pkg string, trail []string) {
		trail = append(trail, pkg)
		switch state[pkg] {
		case walking:
			t.Errorf("the table of arrows has a cycle: %s", strings.Join(trail, " -> "))
			return
		case done:
			return
		}
		state[pkg] = walking
		for _, to := range arrows[pkg] {
			walk(to, trail)
		}
		state[pkg] = done
	}
	for pkg := range arrows {
		walk(pkg, nil)
	}
}

// TestReportsLinkNoCgo asks the go command, so that a dependency's dependency counts as well.
func TestReportsLinkNoCgo(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Standard,CgoFiles", module+"/reports/...")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p struct {
			ImportPath string
			Standard   bool
			CgoFiles   []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		if !p.Standard && len(p.CgoFiles) > 0 {
			t.Errorf("reports links %s, which uses cgo", p.ImportPath)
		}
	}
}

// A source is one Go file of this module, whatever its build tags.
type source struct {
	name, pkg string // relative to the root, with slashes
	test      bool
	imports   []string
	build     constraint.Expr // nil: always built
}

func sources(t *testing.T) []source {
	t.Helper()
	var files []source
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			base := d.Name()
			if name != "." && (base == "testdata" || base == "results" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_")) {
				return fs.SkipDir
			}
			if name != "." {
				if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil {
					return fs.SkipDir // a module of its own
				}
			}
			return nil
		}
		if filepath.Ext(name) != ".go" {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		s := source{name: name, pkg: path.Dir(name), test: strings.HasSuffix(name, "_test.go"), build: buildLine(f)}
		if s.pkg == "." {
			s.pkg = ""
		}
		for _, imp := range f.Imports {
			p, err := strconv.Unquote(imp.Path.Value)
			if err != nil {
				return err
			}
			s.imports = append(s.imports, p)
		}
		files = append(files, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 3 {
		t.Fatalf("only %d Go files found: is this the root of the module?", len(files))
	}
	return files
}

func buildLine(f *ast.File) constraint.Expr {
	for _, group := range f.Comments {
		if group.Pos() > f.Package {
			break
		}
		for _, c := range group.List {
			if constraint.IsGoBuild(c.Text) {
				if x, err := constraint.Parse(c.Text); err == nil {
					return x
				}
			}
		}
	}
	return nil
}

func isCgo(imp string) bool {
	for _, c := range cgo {
		if c.path == imp {
			return true
		}
	}
	return false
}

// cgoAllowed reports whether f is in the package for imp, and is left out when the tag is not set.
func cgoAllowed(f source, imp string) bool {
	for _, c := range cgo {
		if c.path != imp || c.pkg != f.pkg {
			continue
		}
		// A file that imports "C" is left out by the go command itself when cgo is off.
		if imp == "C" && c.tag == "cgo" {
			return true
		}
		if f.build != nil && !f.build.Eval(func(tag string) bool { return tag != c.tag }) {
			return true
		}
	}
	return false
}
