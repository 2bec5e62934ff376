package reports

import (
	"bytes"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/reports/draw"
	"annbench/reports/internal/fixture"
	"annbench/reports/judge"
	"annbench/reports/modelcard"
	"annbench/reports/page"
	"annbench/reports/say"
	"annbench/reports/text"
)

func pageOf(t testing.TB, r *judge.Report) string {
	t.Helper()
	b, err := page.Make(r, page.Options{Model: modelcard.Section})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestLoadSaysWhatIsMixed(t *testing.T) {
	again := fixture.Cell("a", "", 0, .9, 99)
	again.Time = time.Unix(5000, 0)
	other := fixture.Cell("a", "", 1, .9, 50)
	other.Env.CPU = "two"
	old := fixture.Cell("a", "", 2, .9, 1)
	old.Engine = "0"
	elsewhere := fixture.Cell("a", "", 0, .9, 7)
	elsewhere.Cell.Dataset = "d2"
	dir := fixture.Results(t, old, fixture.Cell("a", "", 0, .9, 1), other, again, elsewhere)
	f, err := os.OpenFile(filepath.Join(dir, record.RecordsFile), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString(`{"cell":{"fam`)
	f.Close()
	r := fixture.Load(t, judge.Load, dir)
	notes := strings.Join(say.Notes(r), "\n")
	for _, want := range []string{
		"made by hand: the last 13 bytes", "1 record was measured again", "1 record is of an older version",
		"2 data sets (hand, d2)", "2 different environments",
	} {
		if !strings.Contains(notes, want) {
			t.Errorf("the notes do not say %q:\n%s", want, notes)
		}
	}
	if v, _ := r.Rows[0].Value(metric.QPS); v.Median != 74.5 {
		t.Errorf("QPS %v, want the median of 99, which came later, and 50", v.Median)
	}
	if !slices.Contains(say.RowNotes(r.Rows[0]), "its repetitions come from 2 different environments") {
		t.Errorf("row notes %q", say.RowNotes(r.Rows[0]))
	}
	p := pageOf(t, r)
	for _, n := range say.Notes(r) {
		if !strings.Contains(p, html.EscapeString(n)) {
			t.Errorf("the page does not say %q", n)
		}
	}
}

func TestFocus(t *testing.T) {
	with := func(r record.Record, k int) record.Record { r.Cell.K = k; return r }
	r := fixture.Load(t, judge.Load, fixture.Results(
		t,
		with(fixture.Cell("a", "", 0, .9, 1), 5), with(fixture.Cell("b", "", 0, .9, 1), 5), with(fixture.Cell("a", "", 0, .9, 1), 10), with(fixture.Cell("b", "", 0, .9, 1), 10),
		with(fixture.Cell("a", "", 0, .9, 1), 100), with(fixture.Failed("b", "", 0, record.Timeout, ""), 100),
	))
	if r.Focus.K != 10 {
		t.Errorf("in focus is k = %d, want the largest under which both families were measured", r.Focus.K)
	}
	if p := pageOf(t, r); !strings.Contains(p, "k = 100") || !strings.Contains(p, "k = 5") {
		t.Error("the table lacks the other terms")
	}
}

// TestWriteTwice is also the check that nothing of this machine is in the files.
func TestWriteTwice(t *testing.T) {
	dir := fixture.Usual().Write(t)
	var all [2]map[string]string
	for i := range all {
		out := filepath.Join(t.TempDir(), "report")
		files, err := Write(out, fixture.Load(t, judge.Load, dir))
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Base(files[0]) != PageFile {
			t.Errorf("the first file is %s", files[0])
		}
		all[i] = map[string]string{}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			all[i][filepath.Base(f)] = string(b)
			if bytes.Contains(b, []byte(filepath.Dir(dir))) {
				t.Errorf("%s holds the path of the results folder", f)
			}
		}
		if entries, _ := os.ReadDir(out); len(entries) != len(files) {
			t.Errorf("%d files were named, %d are there", len(files), len(entries))
		}
	}
	for _, want := range []string{"index.html", "summary.md", "records.csv", "build-time.png", "build-time.svg", "search-time.png", "search-time.svg", "memory.png", "memory.svg", "map.png", "map.svg", "recall-qps.png", "recall-qps.svg", "speed-at-recall.svg", "latency.png"} {
		if all[0][want] == "" {
			t.Errorf("%s is missing", want)
		}
		if all[0][want] != all[1][want] {
			t.Errorf("%s differs between two writes", want)
		}
	}
}

var noNumber = regexp.MustCompile(`.{0,40}(NaN|\bInf\b).{0,20}`)

var dataURI = regexp.MustCompile(`data:image[^"]*`)

func TestPageEscapes(t *testing.T) {
	r := fixture.Load(t, judge.Load, fixture.Hostile(t))
	p := pageOf(t, r)
	if n := strings.Count(p, "<script"); n != 2 { // its script, and its data
		t.Errorf("%d script elements, want the page's own", n)
	}
	for _, bad := range []string{"<img", "onerror=alert(2)>", "<script>alert"} {
		if strings.Contains(p, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
	if !strings.Contains(p, "&lt;script&gt;alert(1)&lt;/script&gt;") {
		t.Error("what was to be escaped is not on the page at all")
	}
	summary, err := summary(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(summary, []byte("<script")) || bytes.Contains(summary, []byte("<img")) {
		t.Error("the summary holds markup out of the results")
	}
	for _, pic := range draw.Pictures(r) {
		svg, err := draw.SVG(pic.Figure, pic.Width, draw.HuesOf(r))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(svg, []byte("<script")) || bytes.Contains(svg, []byte("<img")) {
			t.Errorf("%s.svg holds markup out of the results", pic.File)
		}
	}
	var out bytes.Buffer
	warned := fixture.Cell("flat", "", 0, 1, 200)
	warned.Warnings = []string{"warned\x1b[2J\r\u202ey"}
	steer := fixture.Load(t, judge.Load, fixture.Results(t, warned, fixture.Failed("a", "", 0, record.Failed, "x\x1b[2J\r\u202ey\nlast words\a")))
	if err := text.Table(&out, steer, text.Options{}); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(out.String(), "\x1b\r\u202e") {
		t.Errorf("an error steers the terminal: %q", out.String())
	}
	p = pageOf(t, steer)
	if strings.ContainsAny(p, "\x1b\r\a\u202e") {
		t.Error("an error's control characters are on the page")
	}
	if !strings.Contains(p, "x [2J y\nlast words<") || !strings.Contains(p, "warned [2J y<") {
		t.Error("an error's lines, or a warning, are not on the page as they are without control characters")
	}
}

func TestPageWithout(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(*fixture.Folder)
		says []string
		not  []string
	}{
		{"labels", func(f *fixture.Folder) { f.Labels = false }, []string{"no values by category", "has no categories, so right and wrong are not marked", "The vectors were given", "picture: Mean average precision"}, []string{"✓</span>"}},
		{"gallery", func(f *fixture.Folder) { f.Gallery = false }, []string{"The results hold no gallery"}, []string{`class="query"`}},
		{"thumbs", func(f *fixture.Folder) { f.Thumbs = false }, []string{`class="photo none"`}, []string{"data:image"}},
		{"repetitions", func(f *fixture.Folder) { f.Reps = 1 }, []string{"measured once", "These measurements do not show", "Each setting was measured once"}, []string{"repetitions)"}},
	} {
		f := fixture.Usual()
		c.edit(&f)
		r := fixture.Load(t, judge.Load, f.Write(t))
		p := pageOf(t, r)
		for _, s := range c.says {
			if !strings.Contains(p, s) {
				t.Errorf("without %s, the page does not say %q", c.name, s)
			}
		}
		for _, s := range c.not {
			if strings.Contains(p, s) {
				t.Errorf("without %s, the page has %q", c.name, s)
			}
		}
		if p, _, _ := strings.Cut(dataURI.ReplaceAllString(p, ""), "<script>"); noNumber.MatchString(p) {
			t.Errorf("without %s, the page has a number that is none: %q", c.name, noNumber.FindAllString(p, 3))
		}
		if _, err := Write(t.TempDir(), r); err != nil {
			t.Errorf("without %s: %v", c.name, err)
		}
	}
}

func TestNothingMeasured(t *testing.T) {
	r := fixture.Load(t, judge.Load, fixture.Results(t, fixture.Failed("a", "", 0, record.Skipped, "not in this build"), fixture.Failed("flat", "", 0, record.Timeout, "")))
	files, err := Write(t.TempDir(), r)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 3 {
		t.Errorf("files %q, want page, summary and CSV without pictures", files)
	}
	if p := pageOf(t, r); !strings.Contains(p, "nothing was measured") || !strings.Contains(p, "not in this build") {
		t.Error("the page does not say what happened")
	}
}

// TestExtremes draws values that axes have trouble with.
func TestExtremes(t *testing.T) {
	for name, records := range map[string][]record.Record{
		"all recall 1": {fixture.Cell("flat", "", 0, 1, 10), fixture.Cell("a", "", 0, 1, 20)},
		"recall 0":     {fixture.Cell("a", "", 0, 0, 1e-3), fixture.Cell("b", "", 0, 0, 1e9)},
		"qps 0":        {fixture.Cell("a", "", 0, .99, 0), fixture.Cell("b", "", 0, .99, 1)},
		"one point":    {fixture.Cell("a", "", 0, .97, 100)},
		"scatter":      {fixture.Cell("a", "", 0, .97, 1e-200), fixture.Cell("a", "", 1, .97, 1e200), fixture.Cell("a", "", 2, .97, 1), fixture.Cell("b", "", 0, .97, 2), fixture.Cell("b", "", 1, .97, 1e250), fixture.Cell("b", "", 2, .97, 3)},
		"long names":   {fixture.Cell(strings.Repeat("family", 30), strings.Repeat("setting=1 ", 60), 0, .97, 100)},
		"zero build": {func() record.Record {
			r := fixture.Cell("a", "", 0, .97, 100)
			r.Values[metric.Build], r.Values[metric.Resident], r.Values[metric.MAP] = 0, 0, 0
			return r
		}()},
	} {
		r := fixture.Load(t, judge.Load, fixture.Results(t, records...))
		if _, err := Write(t.TempDir(), r); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if p, _, _ := strings.Cut(pageOf(t, r), "<script>"); noNumber.MatchString(p) {
			t.Errorf("%s: the page has a number that is none: %q", name, noNumber.FindAllString(p, 3))
		}
	}
}

func TestPortable(t *testing.T) {
	for in, want := range map[string]string{
		"/usr/lib/x.so: cannot open":                "…/x.so: cannot open",
		`failed "/home/me/data/a.jpg" (line 3)`:     `failed "…/a.jpg" (line 3)`,
		"with error: /opt/a/b/c.cc:65 f":            "with error: …/c.cc:65 f",
		`C:\Users\me\x.dll is missing`:              `…/x.dll is missing`,
		"see https://example.org/a/b/c for more":    "see https://example.org/a/b/c for more",
		"dress/0113.jpg, 12 images/s, faiss/IVF/PQ": "dress/0113.jpg, 12 images/s, faiss/IVF/PQ",
		"root / and /tmp":                           "root / and …/tmp",
	} {
		if got := judge.Portable(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
	r := fixture.Load(t, judge.Load, fixture.Results(t, fixture.Failed("a", "", 0, record.Failed, "reading /secret/place/x.bin: no such file")))
	files, err := Write(t.TempDir(), r)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if b, _ := os.ReadFile(f); bytes.Contains(b, []byte("/secret")) {
			t.Errorf("%s names a folder of the machine that measured", filepath.Base(f))
		}
	}
}

func TestCSV(t *testing.T) {
	r := fixture.Load(t, judge.Load, fixture.Usual().Write(t))
	var out bytes.Buffer
	if err := Print(&out, r, "csv", text.Options{}); err != nil {
		t.Fatal(err)
	}
	b := out.Bytes()
	n := 0
	for _, row := range r.Rows {
		n += len(row.Reps)
	}
	if lines := bytes.Count(b, []byte("\n")); lines != n+1 {
		t.Errorf("%d lines for %d records", lines, n)
	}
	if err := Print(&out, r, "yaml", text.Options{}); err == nil || !strings.Contains(err.Error(), "gobench") {
		t.Errorf("an unknown format is %v", err)
	}
}

// TestTenThousand is the bound of the page's size for a large sweep.
func TestTenThousand(t *testing.T) {
	if testing.Short() {
		t.Skip("10,000 records in short mode")
	}
	f := fixture.Usual()
	src, err := record.Open(f.Write(t))
	if err != nil {
		t.Fatal(err)
	}
	var all []record.Record
	for i := 0; len(all) < 10000; i++ {
		for _, rec := range src.Records {
			rec.Cell.Build = strings.TrimSpace(rec.Cell.Build + fmt.Sprintf(" round=%d", i))
			rec.Answers = nil
			all = append(all, rec)
		}
	}
	dir := fixture.Results(t, all...)
	r := fixture.Load(t, judge.Load, dir)
	files, err := Write(t.TempDir(), r)
	if err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if st.Size() > 5<<20 {
		t.Errorf("the page has %d bytes", st.Size())
	}
}

// Machines of one kind differ by some kilobytes of memory and are one environment; of several, every row
// and the page tell which it was measured in.
func TestMixedEnvironments(t *testing.T) {
	a, b, c := fixture.FixtureEnv(), fixture.FixtureEnv(), fixture.FixtureEnv()
	b.Memory++
	c.CPU, c.Cores = "another processor", a.Cores+6
	at := func(search string, rep int, env record.Env) record.Record {
		r := fixture.Cell("forest", search, rep, .96, 200)
		r.Env = env
		return r
	}
	r := fixture.Load(t, judge.Load, fixture.Results(t, at("x=1", 0, a), at("x=1", 1, b), at("x=2", 0, c), at("x=3", 0, a), at("x=3", 1, c)))
	var on []string
	for _, row := range r.Rows {
		on = append(on, row.On)
	}
	if len(r.Envs) != 2 || !slices.Equal(on, []string{"A", "B", "A B"}) {
		t.Fatalf("%d environments, rows on %q", len(r.Envs), on)
	}
	note := say.Notes(r)[len(r.Notes)-1]
	if !strings.Contains(note, "B is another processor, "+fmt.Sprint(c.Cores)+" cores") || strings.Contains(note, a.Go) {
		t.Errorf("the note: %s", note)
	}
	for _, format := range []text.Format{text.Terminal, text.Markdown} {
		var out bytes.Buffer
		if err := text.Table(&out, r, text.Options{Format: format}); err != nil {
			t.Fatal(err)
		}
		if !regexp.MustCompile(`x=2.*\bB\b`).MatchString(out.String()) {
			t.Errorf("the table does not tell where a row was measured:\n%s", out.String())
		}
	}
	dir := t.TempDir()
	if _, err := Write(dir, r); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, PageFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Environment B", "<td>A B</td>", "another processor", "On this data and these machines"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the page has no %q", want)
		}
	}
}

// TestEveryPart holds that the page has each part where the results have what it shows, and none of
// them where they have not.
func TestEveryPart(t *testing.T) {
	full := pageOf(t, fixture.Load(t, judge.Load, fixture.Everything().Write(t)))
	plain := pageOf(t, fixture.Load(t, judge.Load, fixture.Results(t, fixture.Cell("a", "", 0, .97, 100))))
	for _, part := range []string{
		`id="equal"`, `id="load"`, "Search time over queries", "Throughput", "Latency under load", "Where the time goes",
		"What approximation costs in mAP@10", "What is recommended instead", "bag by coat (20 %)", "Most often mistaken",
		`class="map"`, "<dt>intrinsic dimension</dt>", "by difficulty of the query", "among the 10 nearest of 41 queries", "keeps 64 % of the 10 nearest neighbours", `<b class="group">worst recall</b>`, "±.05",
	} {
		if !strings.Contains(full, part) {
			t.Errorf("the page of everything lacks %q", part)
		}
		if part != `id="equal"` && strings.Contains(plain, part) {
			t.Errorf("the page of next to nothing has %q", part)
		}
	}
	if shown, _, _ := strings.Cut(dataURI.ReplaceAllString(full, ""), "<script>"); noNumber.MatchString(shown) {
		t.Errorf("the page has a number that is none: %q", noNumber.FindString(shown))
	}
}
