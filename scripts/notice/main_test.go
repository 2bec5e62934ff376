package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestNoticeIsWhole fails when the program links a module, or a version, that NOTICE lacks, or no longer links one
// that it has.
func TestNoticeIsWhole(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("there is no go in PATH")
	}
	t.Chdir("../..")
	// Subtle: Go's cache of test results sees files that the test reads, not those that `go list` does.
	for _, name := range []string{"go.mod", "go.sum"} {
		if _, err := os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	modules, err := linked()
	if err != nil {
		t.Fatal(err)
	}
	have, err := os.ReadFile("NOTICE")
	if err != nil {
		t.Fatal(err)
	}
	want, err := notice(string(have), modules)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) == want {
		return
	}
	_, listed, _ := strings.Cut(string(have), marker)
	for _, m := range modules {
		if entry, err := m.entry(); err != nil || !strings.Contains(listed, entry) {
			t.Errorf("NOTICE lacks %s %s, or has it otherwise", m.path, m.version)
		}
	}
	t.Error("NOTICE is not what the program links: run `go run ./scripts/notice`")
}

// write makes a module's folder of files by their names.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const mit = `Copyright (c) 2020 A. Maker

Permission is hereby granted, free of charge, to any person obtaining a copy of this
software ... shall be included in all
copies or substantial portions of the Software.`

func TestLicenceFilesOfLinkedPackages(t *testing.T) {
	dir := write(t, map[string]string{
		"LICENSE": mit, "licenses/ftl.txt": "x", "a/b/COPYING": "x", "a/license.go": "x", "other/LICENSE": "x", "README": "x",
	})
	got, err := licenceFiles(dir, []string{filepath.Join(dir, "a", "b")})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"LICENSE", "a/b/COPYING", "licenses/ftl.txt"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q: the module's, and those on the way to its linked packages, without those of other packages and Go files", got, want)
	}
}

func TestEntry(t *testing.T) {
	dir := write(t, map[string]string{"LICENSE": mit, "NOTICE": "Copyright 2021 B. Helper\n", "ODD": "You may look at it."})
	m := module{path: "example.org/m", version: "v1.0.0", dir: dir, files: []string{"LICENSE", "NOTICE"}}
	got, err := m.entry()
	if want := "\nexample.org/m v1.0.0\n    MIT\n    Copyright (c) 2020 A. Maker\n    Copyright 2021 B. Helper\n"; err != nil || got != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	m.files = []string{"LICENSE", "ODD"}
	if _, err := m.entry(); err == nil || !strings.Contains(err.Error(), "ODD") {
		t.Errorf("a text that is not known: got error %v, want one that names the file", err)
	}
	m.files = []string{"NOTICE"}
	if _, err := m.entry(); err == nil || !strings.Contains(err.Error(), "no licence file") {
		t.Errorf("a module without a licence: got error %v", err)
	}
	if _, err := notice("no marker", nil); err == nil {
		t.Error("a NOTICE without the marker was taken")
	}
}

func TestLicences(t *testing.T) {
	const two = "Redistributions in binary form must reproduce the above\n copyright notice"
	for text, want := range map[string][]string{
		mit: {"MIT"},
		two: {"BSD-2-Clause"},
		two + " Neither the name of it nor the names of its": {"BSD-3-Clause"},
		"You may look at it.":                                nil,
	} {
		if got := licences(text); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
