package reports

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"html"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"annbench/bench/record"
	"annbench/internal/atomicfile"
	"annbench/reports/internal/fixture"
	"annbench/reports/judge"
	"annbench/reports/say"
	"annbench/reports/text"
)

// TestCaseS1: exact search that scores below 1 is a warning at the top of page and table.
func TestCaseS1(t *testing.T) {
	r := fixture.Load(t, judge.Load, fixture.Results(t, fixture.Cell("flat", "", 0, .658, 99), fixture.Cell("hnsw", "", 0, .9, 500)))
	const want = "WARNING: exact search (flat) scores recall 0.658, below 1"
	for _, format := range []text.Format{text.Terminal, text.Markdown} {
		var b bytes.Buffer
		if err := text.Table(&b, r, text.Options{Format: format}); err != nil {
			t.Fatal(err)
		}
		out := strings.Join(strings.Fields(b.String()), " ")
		if at := strings.Index(out, want); at < 0 || at > strings.Index(out, "hnsw") {
			t.Errorf("the table does not begin with the warning:\n%s", b.String())
		}
	}
	p := pageOf(t, r)
	if at := strings.Index(p, html.EscapeString(want)); at < 0 || at > strings.Index(p, "<table") {
		t.Error("the page does not begin with the warning")
	}
}

// TestNotesOfTheData: what readers guessed or left out, and categories in doubt, stand at the top of page and table, and in
// the JSON.
func TestNotesOfTheData(t *testing.T) {
	dir := fixture.Results(t, fixture.Cell("hnsw", "", 0, .9, 500))
	if err := atomicfile.WriteJSON(filepath.Join(dir, record.DatasetFile), record.Dataset{
		Name: "hand", Digest: "d1", Base: 100, Queries: 10, Dim: 4,
		Notes: []string{`"Dress" and "dress" count as 2 categories`, `/home/me/v.csv: column "split" left out`},
	}); err != nil {
		t.Fatal(err)
	}
	r := fixture.Load(t, judge.Load, dir)
	const want, also = `"Dress" and "dress" count as 2 categories`, `v.csv: column "split" left out`
	for _, format := range []text.Format{text.Terminal, text.Markdown} {
		var b bytes.Buffer
		if err := text.Table(&b, r, text.Options{Format: format}); err != nil {
			t.Fatal(err)
		}
		out := strings.Join(strings.Fields(strings.ReplaceAll(b.String(), "\\", "")), " ")
		if at := strings.Index(out, want); at < 0 || at > strings.Index(out, "hnsw") || !strings.Contains(out, also) {
			t.Errorf("the table does not begin with the notes:\n%s", b.String())
		}
	}
	p := pageOf(t, r)
	if at := strings.Index(p, html.EscapeString(want)); at < 0 || at > strings.Index(p, "<table") || !strings.Contains(p, html.EscapeString(also)) {
		t.Error("the page does not begin with the notes")
	}
	var b bytes.Buffer
	if err := Print(&b, r, "json", text.Options{}); err != nil {
		t.Fatal(err)
	}
	var out struct {
		Notes    []string         `json:"notes"`
		Datasets []record.Dataset `json:"datasets"`
	}
	if err := json.Unmarshal(b.Bytes(), &out); err != nil || !slices.Contains(out.Notes, want) || !slices.Contains(out.Datasets[0].Notes, want) {
		t.Errorf("%v, notes %q", err, out.Notes)
	}
	if strings.Contains(p+b.String(), "/home/me") {
		t.Error("a folder of this machine is in the report")
	}
}

// TestLitterOfAKilledReport: what a report leaves that is killed while it is written, a later one removes, and all is as if
// nothing had happened.
func TestLitterOfAKilledReport(t *testing.T) {
	r := fixture.Load(t, judge.Load, fixture.Results(t, fixture.Cell("hnsw", "", 0, .9, 500)))
	whole, killed := t.TempDir(), t.TempDir()
	if _, err := Write(whole, r); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	for name, content := range map[string]string{".index.html.tmp-ABCDEFGHIJKL": "<html>", PageFile: "the page of before"} {
		path := filepath.Join(killed, name)
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Write(killed, r); err != nil {
		t.Fatal(err)
	}
	files := func(dir string) map[string]string {
		out := map[string]string{}
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			b, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			out[e.Name()] = string(b)
		}
		return out
	}
	if a, b := files(whole), files(killed); !maps.Equal(a, b) {
		t.Errorf("the folders differ: %q and %q", slices.Sorted(maps.Keys(a)), slices.Sorted(maps.Keys(b)))
	}
}

// TestOtherVersion: report, choose and compare say that records are of another harness version.
func TestOtherVersion(t *testing.T) {
	old := fixture.Cell("flat", "", 0, 1, 99)
	old.Engine = "2"
	a := fixture.Load(t, judge.Load, fixture.Results(t, old))
	b := fixture.Load(t, judge.Load, fixture.Results(t, fixture.Cell("flat", "", 0, 1, 99)))
	const want = "1 record is of harness version 2, and this annbench measures by version " + record.HarnessVersion
	if notes := strings.Join(say.Notes(a), "\n"); !strings.Contains(notes, want) {
		t.Errorf("notes %q", notes)
	}
	if notes := say.Notes(b); len(notes) > 0 {
		t.Errorf("notes %q of records of this version", notes)
	}
	if notes := strings.Join(say.PairNotes(judge.Compare(a, b, 0)), "\n"); !strings.Contains(notes, want) {
		t.Errorf("compare says %q", notes)
	}
}

// TestImagesLeftOut: the notes count the images that have no vector, and say nothing where all have one.
func TestImagesLeftOut(t *testing.T) {
	const want = "2 of 10,002 images of fashion boards left out"
	if notes := say.Notes(fixture.Load(t, judge.Load, fixture.Usual().Write(t))); !slices.ContainsFunc(notes, func(n string) bool { return strings.HasPrefix(n, want) }) {
		t.Errorf("notes %q, want %q", notes, want)
	}
	all := fixture.Load(t, judge.Load, fixture.Results(t, fixture.Cell("flat", "", 0, 1, 99)))
	if notes := strings.Join(say.Notes(all), "\n"); strings.Contains(notes, "left out") {
		t.Errorf("notes %q of vectors that are no images", notes)
	}
}

// TestCSVHasNoFormulas: what a spreadsheet would take for a formula is marked as a text.
func TestCSVHasNoFormulas(t *testing.T) {
	bad := fixture.Failed("=cmd|'/c calc'!A0", "", 0, record.Failed, "@SUM(1+1)")
	r := fixture.Load(t, judge.Load, fixture.Results(t, bad, fixture.Cell("flat", "", 0, 1, 99)))
	for _, format := range []string{"csv", "ann-benchmarks"} {
		var b bytes.Buffer
		if err := Print(&b, r, format, text.Options{}); err != nil {
			t.Fatal(err)
		}
		lines, err := csv.NewReader(&b).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range lines {
			for _, field := range line {
				if strings.HasPrefix(field, "=") || strings.HasPrefix(field, "@") {
					t.Errorf("%s: %q", format, field)
				}
			}
		}
		if text := lines[1]; format == "csv" && !slices.Contains(text, "'@SUM(1+1)") && !slices.Contains(lines[2], "'@SUM(1+1)") {
			t.Errorf("the reason is not there: %q", lines)
		}
	}
}
