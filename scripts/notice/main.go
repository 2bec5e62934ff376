// Command notice writes down the licences of what is compiled into annbench: Go itself and every module of which
// cmd/annbench links a package on Linux. It reads them from the module cache, as `go list` names it.
//
//	go run ./scripts/notice              rewrite the list in NOTICE, below its marker
//	go run ./scripts/notice -texts DIR   copy the licence texts to DIR/MODULE/, for an archive that ships the program
//
// A module without a licence that this command recognises is an error: somebody has to read it. It knows licences by
// sentences that stand in them alone, and gives no legal advice. Libraries that are no Go modules (Faiss, ONNX Runtime
// and those of the system) are not looked at here: NOTICE names them above the marker, and scripts/dist.sh copies
// their texts.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// marker is the line of NOTICE below which this command writes.
const marker = "---- Go modules: written by `go run ./scripts/notice`, from here to the end ----\n"

// Tags are those of the whole program. A list made with fewer would lack modules.
const tags = "faiss turbojpeg"

func main() {
	texts := flag.String("texts", "", "copy the licence texts to this folder instead of rewriting NOTICE")
	flag.Parse()
	if err := run(*texts); err != nil {
		fmt.Fprintln(os.Stderr, "notice:", err)
		os.Exit(1)
	}
}

func run(texts string) error {
	modules, err := linked()
	if err != nil {
		return err
	}
	if texts != "" {
		for _, m := range modules {
			if err := m.copyTo(texts); err != nil {
				return err
			}
		}
		return nil
	}
	old, err := os.ReadFile("NOTICE")
	if err != nil {
		return err
	}
	text, err := notice(string(old), modules)
	if err != nil {
		return err
	}
	return os.WriteFile("NOTICE", []byte(text), 0o644)
}

// A module is one whose code is in the program, with the files that say under which terms.
type module struct {
	path, version string
	dir           string
	files         []string // licence files below dir: those of the module and of its linked packages, sorted
}

// linked lists Go and the modules of which cmd/annbench links a package, by path. The working directory is the
// repository's root.
func linked() ([]module, error) {
	cmd := exec.Command("go", "list", "-deps", "-tags", tags, "-json=Dir,Module", "./cmd/annbench")
	// What the archive is made for, whatever this machine is.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1", "GOOS=linux", "GOARCH=amd64")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list -deps ./cmd/annbench: %w: %s", err, stderr.String())
	}
	goroot, err := exec.Command("go", "env", "GOROOT", "GOVERSION").Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	root, _, _ := strings.Cut(string(goroot), "\n")
	found := map[string]*module{"Go": {path: "Go", version: "", dir: root}}
	packages := map[string][]string{"Go": {root}}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			Dir    string
			Module *struct {
				Path, Version, Dir string
				Main               bool
				Replace            *struct{ Path, Version, Dir string }
			}
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("reading what go list wrote: %w", err)
		}
		if p.Module == nil || p.Module.Main {
			continue
		}
		m := module{path: p.Module.Path, version: p.Module.Version, dir: p.Module.Dir}
		if r := p.Module.Replace; r != nil {
			m.version, m.dir = r.Version, r.Dir
		}
		if m.dir == "" {
			return nil, fmt.Errorf("%s %s is not in the module cache; run `go mod download`", m.path, m.version)
		}
		if found[m.path] == nil {
			found[m.path] = &m
		}
		packages[m.path] = append(packages[m.path], p.Dir)
	}
	var all []module
	for path, m := range found {
		if m.files, err = licenceFiles(m.dir, packages[path]); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		all = append(all, *m)
	}
	slices.SortFunc(all, func(a, b module) int { return strings.Compare(a.path, b.path) })
	return all, nil
}

var licenceName = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents|unlicense|copyright)([-.].*)?$`)

// licenceFiles returns the licence files in the folders from each package up to root, and in a folder
// "licenses" there, relative to root, sorted.
func licenceFiles(root string, packages []string) ([]string, error) {
	folders := map[string]bool{root: true}
	for _, dir := range packages {
		for ; strings.HasPrefix(dir, root+string(filepath.Separator)); dir = filepath.Dir(dir) {
			folders[dir] = true
		}
	}
	var files []string
	for folder := range folders {
		entries, err := os.ReadDir(folder)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			name := filepath.Join(folder, e.Name())
			switch {
			case e.IsDir() && (strings.EqualFold(e.Name(), "licenses") || strings.EqualFold(e.Name(), "licences")):
				inside, err := os.ReadDir(name)
				if err != nil {
					return nil, err
				}
				for _, f := range inside {
					files = append(files, filepath.Join(name, f.Name()))
				}
			case !e.IsDir() && licenceName.MatchString(e.Name()) && filepath.Ext(name) != ".go":
				files = append(files, name)
			}
		}
	}
	for i, name := range files {
		relative, err := filepath.Rel(root, name)
		if err != nil {
			return nil, err
		}
		files[i] = filepath.ToSlash(relative)
	}
	slices.Sort(files)
	return files, nil
}

// kinds are the licences by sentences that stand in them alone, in lower case with single spaces: all of the
// sentences have to be there. A text may match several: some files hold more than one licence.
var kinds = []struct {
	name string // as SPDX names it
	has  []string
}{
	{"Apache-2.0", []string{"apache license version 2.0, january 2004"}},
	{"Apache-2.0", []string{`licensed under the apache license, version 2.0 (the "license")`}},
	{"MIT", []string{"permission is hereby granted, free of charge, to any person obtaining a copy of this software", "shall be included in all copies or substantial portions"}},
	{"BSD-3-Clause", []string{"redistributions in binary form must reproduce the above copyright notice", "nor the names of"}},
	{"BSD-2-Clause", []string{"redistributions in binary form must reproduce the above copyright notice"}},
	{"ISC", []string{"permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted"}},
	{"OFL-1.1", []string{"sil open font license version 1.1"}},
	{"CC-BY-4.0", []string{"creative commons attribution 4.0 international public license"}},
	{"FTL", []string{"the freetype project license"}},
	{"FTL OR GPL-2.0-or-later", []string{"subject to your choice of exactly one of the following two licenses: * the freetype license"}},
	{"GPL-2.0", []string{"gnu general public license version 2, june 1991"}},
	{"MPL-2.0", []string{"mozilla public license version 2.0"}},
	{"Unlicense", []string{"this is free and unencumbered software released into the public domain"}},
	{"CC0-1.0", []string{"cc0 1.0 universal"}},
	{"Zlib", []string{"altered source versions must be plainly marked as such"}},
}

// licences names the licences in text, each once, in the order of kinds.
func licences(text string) []string {
	flat := strings.ToLower(strings.Join(strings.Fields(text), " "))
	var names []string
	for _, kind := range kinds {
		all := true
		for _, sentence := range kind.has {
			all = all && strings.Contains(flat, sentence)
		}
		// The two clauses of the one are in the other.
		if kind.name == "BSD-2-Clause" && slices.Contains(names, "BSD-3-Clause") {
			continue
		}
		if all && !slices.Contains(names, kind.name) {
			names = append(names, kind.name)
		}
	}
	return names
}

var (
	copyrightLine = regexp.MustCompile(`(?i)^[\s*#/>-]*(copyright\s+(\(c\)|©|[0-9]{4}).*)$`)
	// The texts of the Apache and the GNU licences have these of their own, and a form to fill in.
	notTheirs = regexp.MustCompile(`(?i)\[yyyy\]|<year>|free software foundation|creative commons`)
)

// copyrights are the lines of text that name who holds the rights, each once, in order.
func copyrights(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		if m := copyrightLine.FindStringSubmatch(strings.TrimSpace(line)); m != nil && !notTheirs.MatchString(m[1]) && !slices.Contains(lines, m[1]) {
			lines = append(lines, m[1])
		}
	}
	return lines
}

// isNotice tells files that go along with a licence from licences.
func isNotice(name string) bool {
	base := strings.ToLower(filepath.Base(name))
	return strings.HasPrefix(base, "notice") || strings.HasPrefix(base, "patents") || strings.Contains(base, "-link.")
}

// entry is the paragraph of NOTICE for m. Go's version is whatever compiles, and is not in it.
func (m module) entry() (string, error) {
	var names, holders []string
	for _, file := range m.files {
		text, err := os.ReadFile(filepath.Join(m.dir, filepath.FromSlash(file)))
		if err != nil {
			return "", err
		}
		found := licences(string(text))
		if len(found) == 0 && !isNotice(file) {
			return "", fmt.Errorf("%s %s: %s is no licence that scripts/notice knows: read it, and add it to kinds there", m.path, m.version, filepath.Join(m.dir, file))
		}
		for _, name := range found {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
		for _, line := range copyrights(string(text)) {
			if !slices.Contains(holders, line) {
				holders = append(holders, line)
			}
		}
	}
	if len(names) == 0 {
		return "", fmt.Errorf("%s %s has no licence file in %s: find out its terms before it is shipped", m.path, m.version, m.dir)
	}
	slices.Sort(names)
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s\n    %s\n", strings.TrimSpace(m.path+" "+m.version), strings.Join(names, ", "))
	for _, line := range holders {
		fmt.Fprintf(&b, "    %s\n", line)
	}
	return b.String(), nil
}

// copyTo copies m's licence files to dir/PATH, in folders as they are in the module.
func (m module) copyTo(dir string) error {
	if _, err := m.entry(); err != nil {
		return err
	}
	for _, file := range m.files {
		text, err := os.ReadFile(filepath.Join(m.dir, filepath.FromSlash(file)))
		if err != nil {
			return err
		}
		to := filepath.Join(dir, filepath.FromSlash(m.path), filepath.FromSlash(file))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(to, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// notice is old up to its marker, and the entries of modules.
func notice(old string, modules []module) (string, error) {
	head, _, ok := strings.Cut(old, marker)
	if !ok {
		return "", fmt.Errorf("NOTICE has no line %q", strings.TrimSpace(marker))
	}
	var b strings.Builder
	b.WriteString(head + marker)
	for _, m := range modules {
		entry, err := m.entry()
		if err != nil {
			return "", err
		}
		b.WriteString(entry)
	}
	return b.String(), nil
}
