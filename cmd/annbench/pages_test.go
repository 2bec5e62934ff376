package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"image/jpeg"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"annbench/bench/dataset/vecfile"
	"annbench/embedder"
	"annbench/embedder/catalog"
	"annbench/indexes/vec"
)

// A block is a fenced block of shell commands in a page.
type block struct {
	page   string // from the root of the repository
	line   int    // of its first command, from 1
	text   string
	notRun string // why no test runs it, from the comment above it; empty for those that run
}

var (
	fencePattern  = regexp.MustCompile("^\\s*```(\\S*)\\s*$")
	markerPattern = regexp.MustCompile(`^\s*<!-- not run: (.+) -->\s*$`)
	shellPattern  = regexp.MustCompile(`^\s*(?:\$ )?(?:bin/)?(?:annbench|make|go run|go test|python3) `)
)

// pages reads every page that people read, by its name from the root of the repository.
func pages(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	read := func(name string) {
		text, err := os.ReadFile(filepath.Join("../..", name))
		if err != nil {
			t.Fatal(err)
		}
		out[name] = string(text)
	}
	for _, name := range []string{"README.md", "CONTRIBUTING.md", "configs/README.md", "embedder/models/README.md"} {
		read(name)
	}
	root := os.DirFS("../..")
	err := fs.WalkDir(root, "docs", func(name string, d fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(name) == ".md" {
			read(name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// blocksOf are the shell blocks of a page. Commands in a block of no kind, which nothing would run and
// nothing would miss, are errors.
func blocksOf(page, text string) (blocks []block, wrong []error) {
	var open *block
	kind, notRun := "", ""
	fenced := false
	for i, line := range strings.Split(text, "\n") {
		if m := fencePattern.FindStringSubmatch(line); m != nil {
			if fenced {
				if open != nil {
					blocks = append(blocks, *open)
				}
				fenced, open = false, nil
				continue
			}
			fenced, kind = true, m[1]
			if kind == "sh" {
				open = &block{page: page, line: i + 2, notRun: notRun}
			} else if notRun != "" {
				wrong = append(wrong, fmt.Errorf("%s:%d: a block of %q is marked as not run; only sh blocks are run", page, i+1, kind))
			}
			notRun = ""
			continue
		}
		switch {
		case open != nil:
			open.text += strings.TrimSpace(line) + "\n"
		case fenced && kind != "go" && kind != "text" && shellPattern.MatchString(line), !fenced && strings.HasPrefix(line, "    ") && shellPattern.MatchString(line):
			wrong = append(wrong, fmt.Errorf("%s:%d: commands belong in a block that begins with ```sh: %s", page, i+1, strings.TrimSpace(line)))
		case !fenced && markerPattern.MatchString(line):
			notRun = markerPattern.FindStringSubmatch(line)[1]
		case !fenced && strings.TrimSpace(line) != "":
			if notRun != "" {
				wrong = append(wrong, fmt.Errorf("%s:%d: a marker stands right above its block", page, i+1))
			}
			notRun = ""
		}
	}
	return blocks, wrong
}

// TestPagesCommands runs every shell block of every page, page after page, the tutorial first, in a folder
// with the things that the pages speak of: photographs (drawn here), boards, vectors, results. Blocks that no
// test can run say why in a comment, and are counted.
func TestPagesCommands(t *testing.T) {
	var run, left []block
	for name, text := range pages(t) {
		blocks, wrong := blocksOf(name, text)
		for _, err := range wrong {
			t.Error(err)
		}
		for _, b := range blocks {
			if b.notRun == "" {
				run = append(run, b)
			} else {
				left = append(left, b)
			}
		}
	}
	order := func(a, b block) int {
		return cmp.Or(cmp.Compare(rank(a.page), rank(b.page)), cmp.Compare(a.page, b.page), cmp.Compare(a.line, b.line))
	}
	slices.SortFunc(run, order)
	slices.SortFunc(left, order)
	for _, b := range left {
		t.Logf("not run: %s:%d: %s", b.page, b.line, b.notRun)
	}
	t.Logf("%d blocks are run, %d are not", len(run), len(left))
	if len(run) < 20 {
		t.Errorf("only %d blocks are run: the pages are written otherwise than this test reads them", len(run))
	}

	library, err := embedder.FindLibrary()
	if !hasCgo || err != nil {
		t.Skip("the pages embed images, which wants cgo and ONNX Runtime")
	}
	if testing.Short() {
		t.Skip("the pages' commands take half a minute")
	}
	dir := t.TempDir()
	pagesFolder(t, dir)
	env := append(os.Environ(), "ANNBENCH_CACHE="+filepath.Join(dir, "cache"), embedder.LibraryVariable+"="+library)
	for _, b := range run {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
		cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", b.text)
		cmd.Dir, cmd.Env = dir, env
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		err := cmd.Run()
		cancel()
		if err != nil {
			t.Fatalf("%s:%d: %v\n%s\n%s", b.page, b.line, err, b.text, out.String())
		}
		t.Logf("%s:%d: %v of processor time", b.page, b.line, (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Round(10*time.Millisecond))
		if strings.HasPrefix(b.page, "docs/tutorial/") {
			// The how-tos begin with results, and so with what the tutorial leaves.
			for _, copied := range []string{"before", "after"} {
				to := filepath.Join(dir, "results", copied)
				if _, err := os.Stat(filepath.Join(dir, "results/photos/records.jsonl")); err == nil && os.MkdirAll(to, 0o755) == nil {
					for _, name := range []string{"records.jsonl", "dataset.json"} {
						text, err := os.ReadFile(filepath.Join(dir, "results/photos", name))
						if err != nil {
							t.Fatal(err)
						}
						if err := os.WriteFile(filepath.Join(to, name), text, 0o644); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
		}
	}
}

// rank orders the pages as a reader would come to them.
func rank(page string) int {
	switch {
	case strings.HasPrefix(page, "docs/tutorial/"):
		return 0
	case page == "README.md":
		return 1
	case strings.HasPrefix(page, "docs/howto/"):
		return 2
	}
	return 3
}

// pagesFolder puts into dir what the pages' commands take for given: the program, photos/CATEGORY/x.jpg, boards
// with their annotations, and vectors with labels.
func pagesFolder(t *testing.T, dir string) {
	t.Helper()
	program, err := exec.LookPath("annbench") // this test binary, see TestMain
	if err != nil {
		t.Fatal(err)
	}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(os.MkdirAll(filepath.Join(dir, "bin"), 0o755))
	// That nothing fits, or that something got worse, is an answer and not a failure of the command: it hangs on
	// what the machine does at the moment.
	check(os.WriteFile(filepath.Join(dir, "bin/annbench"), []byte(fmt.Sprintf(`#!/bin/bash
%q "$@"
code=$?
case "$1:$code" in choose:1 | compare:1 | compare:3) exit 0 ;; esac
exit $code
`, program)), 0o755))

	drawn, err := catalog.RenderedBoards(catalog.Config{Boards: 12, Seed: 5})
	check(err)
	for group := range drawn.Groups() {
		for i, p := range drawn.Group(group) {
			check(p.Err)
			folder := filepath.Join(dir, "photos", strings.ReplaceAll(strings.ToLower(p.Label), " & ", "-"))
			check(os.MkdirAll(folder, 0o755))
			var b bytes.Buffer
			check(jpeg.Encode(&b, p.Image, nil))
			check(os.WriteFile(filepath.Join(folder, fmt.Sprintf("%d-%d.jpg", group, i)), b.Bytes(), 0o644))
		}
	}
	few, err := catalog.RenderedBoards(catalog.Config{Boards: 4, Seed: 6})
	check(err)
	check(catalog.WriteBoards(t.Context(), few, filepath.Join(dir, "drawn-once"), nil))
	check(os.Rename(filepath.Join(dir, "drawn-once/images"), filepath.Join(dir, "boards")))
	check(os.Rename(filepath.Join(dir, "drawn-once/boards.tsv"), filepath.Join(dir, "raw_test.tsv")))

	r := rand.New(rand.NewPCG(3, 4))
	m := vec.NewMatrix(300, 16)
	var labels strings.Builder
	for i := range m.Rows {
		class := r.IntN(4)
		for j := range m.Dim {
			m.Row(i)[j] = float32(class*(j%3)) + float32(r.NormFloat64())
		}
		fmt.Fprintf(&labels, "class%d\n", class)
	}
	check(vecfile.WriteArray(filepath.Join(dir, "embeddings.npy"), m.Data, m.Dim))
	check(os.WriteFile(filepath.Join(dir, "labels.txt"), []byte(labels.String()), 0o644))
}
