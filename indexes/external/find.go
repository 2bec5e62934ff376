package external

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/cpuid/v2"

	"annbench/families"
	"annbench/indexes"
	"annbench/internal/atomicfile"
	"annbench/internal/words"
)

// Variable names the environment variable that lists folders of families, separated as in PATH: each
// holds a folder for each family.
const Variable = "ANNBENCH_FAMILIES"

// Home is the folder that installed families are in: families below the cache of annbench.
func Home() (string, error) {
	if dir := os.Getenv("ANNBENCH_CACHE"); dir != "" {
		return filepath.Abs(filepath.Join(dir, "families"))
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no folder to install families in: %w; set ANNBENCH_CACHE", err)
	}
	return filepath.Join(dir, "annbench", "families"), nil
}

// IsPath says whether the name of a family is that of a folder.
func IsPath(name string) bool {
	return strings.ContainsRune(name, '/') || strings.ContainsRune(name, filepath.Separator) || name == "." || name == ".."
}

// Absolute is the name of a family that is named by a path relative to dir, so that it can be looked up
// from anywhere.
func Absolute(name, dir string) string {
	prefix := ""
	if rest, ok := strings.CutPrefix(name, foreignPrefix); ok {
		prefix, name = foreignPrefix, rest
	}
	if filepath.IsAbs(name) {
		return prefix + name
	}
	name = filepath.Join(dir, name)
	if abs, err := filepath.Abs(name); err == nil {
		name = abs
	}
	return prefix + name
}

// Lookup returns the family that name means: one of annbench's own; a folder, relative to dir, where
// name is a path; or the name of a family of the folders of [Variable], or of those that ship. A family
// that is not installed is found, and its Missing says how to install it.
func Lookup(name, dir string) (*indexes.Family, error) {
	if foreign, ok := strings.CutPrefix(name, foreignPrefix); ok {
		return lookupForeign(foreign, dir)
	}
	if !IsPath(name) {
		if family, err := indexes.Lookup(name); err == nil {
			return family, nil
		}
	}
	f, err := Find(name, dir)
	if err != nil {
		return nil, err
	}
	return f.resolve(), nil
}

// Select returns the families that names mean, as [Lookup] does; with no name all: annbench's own, then those
// of the folders of [Variable] and those that ship.
func Select(names []string, dir string) ([]*indexes.Family, error) {
	var all []*indexes.Family
	for _, name := range names {
		f, err := Lookup(name, dir)
		if err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	if len(names) > 0 {
		return all, nil
	}
	others, err := All()
	all = indexes.Families()
	for _, f := range others {
		all = append(all, f.Resolved())
	}
	return all, err
}

// Find is Lookup for external families alone.
func Find(name, dir string) (*Family, error) {
	if strings.TrimSpace(name) == "" {
		_, err := indexes.Lookup(name)
		return nil, err
	}
	if IsPath(name) {
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		f, err := Read(name)
		if err != nil {
			return nil, err
		}
		f.ref = f.Folder
		return f, nil
	}
	for _, parent := range filepath.SplitList(os.Getenv(Variable)) {
		folder := filepath.Join(parent, name)
		if _, err := os.Stat(filepath.Join(folder, File)); err == nil {
			return Read(folder)
		}
	}
	if slices.Contains(shipped(), name) {
		return readShipped(name)
	}
	own, err := listed()
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(own, func(f *Family) bool { return f.Name == name }); i >= 0 { // in a folder of another name
		return own[i], nil
	}
	_, err = indexes.Lookup(name) // an error, which names the families of annbench's own
	names := append(shipped(), ownNames()...)
	if meant := words.DidYouMean(name, names); strings.HasSuffix(meant, "?") {
		return nil, fmt.Errorf("no index family %q%s", name, meant)
	}
	if err == nil {
		return nil, fmt.Errorf("%s is part of annbench, it is no folder", name)
	}
	return nil, fmt.Errorf("%w; external ones are %s; a folder with a %s is named by its path, like ./%s", err, strings.Join(shipped(), ", "), File, name)
}

func ownNames() []string {
	var names []string
	for _, f := range indexes.Families() {
		names = append(names, f.Name)
	}
	return names
}

// All lists the external families that have names: those of the folders of [Variable], then those that
// ship, in name order. The error is about the first family.yaml that cannot be read.
func All() (all []*Family, err error) {
	if all, err = listed(); err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, f := range all {
		seen[f.Name] = true
	}
	for _, name := range shipped() {
		if seen[name] {
			continue
		}
		f, err := readShipped(name)
		if err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	return all, nil
}

// listed are the families of the folders of [Variable]. Of one name in several of them, the first counts, as in
// PATH; in one of them it is an error.
func listed() (all []*Family, err error) {
	before := map[string]string{} // folder of a name
	for _, parent := range filepath.SplitList(os.Getenv(Variable)) {
		entries, err := os.ReadDir(parent)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", Variable, err)
		}
		for _, e := range entries {
			folder := filepath.Join(parent, e.Name())
			if _, err := os.Stat(filepath.Join(folder, File)); err != nil {
				continue
			}
			f, err := Read(folder)
			if err != nil {
				return nil, err
			}
			switch other, twice := before[f.Name]; {
			case !twice:
				before[f.Name] = folder
				all = append(all, f)
			case filepath.Dir(other) == filepath.Clean(parent):
				return nil, fmt.Errorf("%s and %s are both named %q: give one of them another name in its %s", other, folder, f.Name, File)
			}
		}
	}
	return all, nil
}

// Shipped are the families that ship, whatever is installed, as package indexes has families.
func Shipped() (all []*indexes.Family, err error) {
	for _, name := range shipped() {
		f, err := readShipped(name)
		if err != nil {
			return nil, err
		}
		all = append(all, f.resolve())
	}
	return all, nil
}

// Resolved is f as package indexes has families; its Missing says why it cannot be used now.
func (f *Family) Resolved() *indexes.Family { return f.resolve() }

func shipped() []string {
	var names []string
	entries, _ := fs.ReadDir(families.FS, ".")
	for _, e := range entries {
		if _, err := fs.Stat(families.FS, e.Name()+"/"+File); err == nil {
			names = append(names, e.Name())
		}
	}
	return names
}

// readShipped reads a family that ships. Its folder is where it is, or will be, installed.
func readShipped(name string) (*Family, error) {
	fsys, err := fs.Sub(families.FS, name)
	if err != nil {
		return nil, err
	}
	f, err := read(fsys, filepath.Join("families", name))
	if err != nil {
		return nil, err
	}
	f.bundled = true
	home, err := Home()
	if err != nil {
		return nil, err
	}
	f.home = home
	f.Folder = filepath.Join(f.place(), sourceDir)
	return f, nil
}

// The parts of the folder that a family is installed in.
const (
	sourceDir   = "source" // the family's own files, of one that ships
	venvDir     = "venv"   // its Python
	outDir      = "out"    // what make made
	installFile = "installed.json"
)

// place is the folder that the family is, or will be, installed in. Its name holds a digest of all that
// decides what is installed, so a change of it makes the family not installed.
func (f *Family) place() string {
	sum := sha256.New()
	whole := f.shipped() || len(f.Needs.Make) > 0
	_ = fs.WalkDir(f.files, ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return nil
		}
		if whole || path == f.Needs.Requirements || path == f.Needs.Sources {
			b, _ := fs.ReadFile(f.files, path)
			fmt.Fprintf(sum, "%s %d\n", path, len(b))
			sum.Write(b)
		}
		return nil
	})
	return filepath.Join(f.home, f.Name+"-"+hex.EncodeToString(sum.Sum(nil)[:6]))
}

func (f *Family) shipped() bool { return f.bundled }

// mustInstall says whether anything has to be installed before the family can run.
func (f *Family) mustInstall() bool {
	return f.shipped() || f.Needs.Requirements != "" || len(f.Needs.Make) > 0
}

// resolve finds the program.
func (f *Family) resolve() *indexes.Family {
	missing := f.find()
	return f.Family(missing)
}

// find fills in what is run, or says why it cannot be.
func (f *Family) find() (missing string) {
	for _, feature := range f.Needs.CPU {
		if !cpuid.CPU.Supports(cpuid.ParseFeature(feature)) {
			return fmt.Sprintf("it needs a processor with %s", feature)
		}
	}
	if f.mustInstall() {
		if _, err := os.Stat(filepath.Join(f.place(), installFile)); err != nil {
			return fmt.Sprintf("it is not installed: run `annbench families install %s`", f.title())
		}
	}
	sdk, err := unpackSDK(f.home)
	if err != nil {
		return err.Error()
	}
	replace := strings.NewReplacer("$OUT", filepath.Join(f.place(), outDir), "$SDK", sdk, "$PYTHON", f.python())
	args := slices.Clone(f.Run)
	for i, a := range args {
		args[i] = replace.Replace(a)
		if own := filepath.Join(f.Folder, a); i > 0 || a != "python" {
			if info, err := os.Stat(own); err == nil && !info.IsDir() {
				args[i] = own
			}
		}
	}
	f.env = append(f.env[:0:0], "PYTHONPATH="+sdk+string(filepath.ListSeparator)+f.Folder, "PYTHONNOUSERSITE=1", "PYTHONDONTWRITEBYTECODE=1", "PYTHONUNBUFFERED=1")
	if args[0] == "python" {
		if args[0] = f.python(); args[0] == "" {
			return "there is no python3 in PATH"
		}
	}
	if f.Needs.Requirements != "" {
		f.env = append(f.env, "PATH="+filepath.Dir(f.python())+string(filepath.ListSeparator)+os.Getenv("PATH"))
	}
	if path, err := exec.LookPath(args[0]); err != nil {
		info, err := os.Stat(filepath.Join(f.Folder, args[0]))
		if filepath.IsAbs(args[0]) {
			info, err = os.Stat(args[0])
		}
		switch {
		case err == nil && info.IsDir():
			return fmt.Sprintf("its program %s, which run in %s names, is a folder: name a program in it", args[0], filepath.Join(f.Folder, File))
		case err == nil:
			return fmt.Sprintf("its program %s may not be executed: chmod +x %s", args[0], args[0])
		}
		return fmt.Sprintf("its program %s, which run in %s names, is not in PATH and not in that folder", args[0], filepath.Join(f.Folder, File))
	} else if args[0], err = filepath.Abs(path); err != nil {
		return err.Error()
	}
	f.args = args
	return ""
}

// python is the program of the family's Python: that of its environment, or the one in PATH.
func (f *Family) python() string {
	if f.Needs.Requirements != "" {
		return filepath.Join(f.place(), venvDir, "bin", "python")
	}
	path, _ := exec.LookPath("python3")
	return path
}

// title is how the family is named on the command line.
func (f *Family) title() string {
	if f.shipped() || slices.Contains(filepath.SplitList(os.Getenv(Variable)), filepath.Dir(f.Folder)) {
		return f.Name
	}
	return f.Folder
}

// unpackSDK makes the folder with the SDKs, once, and returns it.
func unpackSDK(home string) (string, error) {
	fsys, err := fs.Sub(families.FS, families.SDK)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	if err := fs.WalkDir(fsys, ".", func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			b, _ := fs.ReadFile(fsys, path)
			fmt.Fprintf(sum, "%s %d\n", path, len(b))
			sum.Write(b)
		}
		return err
	}); err != nil {
		return "", err
	}
	dir := filepath.Join(home, "sdk-"+hex.EncodeToString(sum.Sum(nil)[:6]))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(home, 0o755); err != nil {
		return "", err
	}
	tmp, err := atomicfile.TempDir(dir)
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	if err := os.CopyFS(tmp, fsys); err != nil {
		return "", err
	}
	if err := atomicfile.Publish(tmp, dir); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	return dir, nil
}
