package page

import (
	"fmt"
	"html"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/internal/atomicfile"
	"annbench/reports/internal/fixture"
	"annbench/reports/judge"
	"annbench/reports/say"
)

func Page(t testing.TB, r *judge.Report) string {
	t.Helper()
	b, err := Make(r, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestPageTraces takes every number of the table of cells back to the records of its cell.
func TestPageTraces(t *testing.T) {
	r := fixture.Load(t, judge.Load, fixture.Usual().Write(t))
	p := Page(t, r)
	byID := map[string]*judge.Row{}
	for _, row := range r.Rows {
		byID[row.Cell.ID()] = row
	}
	table := p[strings.Index(p, `<table id="table"`):]
	table = table[:strings.Index(table, "</table>")]
	rowRE := regexp.MustCompile(`(?s)<tr class="f\d+" data-a="[^"]*">.*?</tr>`)
	idRE := regexp.MustCompile(`<td class="id">([0-9a-f]{12})</td>`)
	valueRE := regexp.MustCompile(`data-v="([^"]*)"`)
	seen := 0
	for _, tr := range rowRE.FindAllString(table, -1) {
		row := byID[idRE.FindStringSubmatch(tr)[1]]
		if row == nil {
			t.Fatalf("no cell has the id of %s", tr)
		}
		seen++
		values := valueRE.FindAllStringSubmatch(tr, -1)
		if row.Status() != record.OK {
			if len(values) != 1 || values[0][1] != "" || !strings.Contains(tr, string(row.Status())) {
				t.Errorf("a cell without values has some: %s", tr)
			}
			continue
		}
		for i, col := range say.WithCPU(r, say.TableColumns, false) {
			var xs []float64
			for _, rep := range row.Reps {
				x, ok := rep.Values[col.Name]
				if col.Name == metric.PerVector {
					x, ok = rep.Values[metric.Analytic]/9000, true
				}
				if !ok {
					t.Errorf("no %s of %s in the records", col.Name, row.Cell.Settings())
				}
				xs = append(xs, x)
			}
			slices.Sort(xs)
			got, err := strconv.ParseFloat(values[i][1], 64)
			if err != nil || math.Abs(got-xs[len(xs)/2]) > 1e-5*math.Abs(got) {
				t.Errorf("%s of %s is %v on the page and %v in the records", col.Name, row.Cell.Settings(), got, xs)
			}
		}
	}
	if seen != len(r.Rows) {
		t.Errorf("%d cells on the page, %d in the results", seen, len(r.Rows))
	}
	for _, row := range r.Rows {
		for _, f := range row.Failures() {
			if !strings.Contains(p, html.EscapeString(f.Error)) {
				t.Errorf("the error %q is not on the page", f.Error)
			}
		}
	}
}

// TestFiguresTrace takes ten marks, bars and cells of tables at random back to the records that their
// cell ids name: what they say is what the records hold.
func TestFiguresTrace(t *testing.T) {
	r := fixture.Load(t, judge.Load, fixture.Everything().Write(t))
	p := Page(t, r)
	rows := map[string]*judge.Row{}
	for _, row := range r.Rows {
		rows[row.Cell.ID()] = row
	}
	titleRE := regexp.MustCompile(`(?s)(?:<title>|title=")([^<"]*cell [0-9a-f]{12}[^<"]*)`)
	idRE := regexp.MustCompile(`cell ([0-9a-f]{12})`)
	var titles []string
	for _, m := range titleRE.FindAllStringSubmatch(p, -1) {
		titles = append(titles, html.UnescapeString(m[1]))
	}
	if len(titles) < 60 {
		t.Fatalf("only %d figures name their cells", len(titles))
	}
	median := func(row *judge.Row, name string) (float64, bool) {
		var xs []float64
		for _, rep := range row.Reps {
			if x, ok := rep.Values[name]; ok {
				xs = append(xs, x)
			}
		}
		if len(xs) == 0 {
			return 0, false
		}
		slices.Sort(xs)
		return xs[len(xs)/2], true // the fixture has three repetitions
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 10 {
		title := titles[rng.IntN(len(titles))]
		ids := idRE.FindAllStringSubmatch(title, -1)
		said := 0
		for _, id := range ids {
			row := rows[id[1]]
			if row == nil {
				t.Errorf("no cell has the id of %q", title)
				continue
			}
			for _, s := range strings.Fields(row.Cell.Settings()) {
				if strings.Contains(title, s) {
					said++
				}
			}
			recall, _ := median(row, metric.Recall)
			if strings.Contains(title, say.Ratio(recall)) {
				said++
			}
			for _, info := range metric.Table {
				if x, ok := median(row, info.Name); ok && strings.Contains(title, say.Quantity(info.Name, x)) {
					said++
				}
			}
			// By the clock that decides: where there is one, one over the processor time.
			if v, ok := row.Value(judge.Speed); ok && strings.Contains(title, say.Quantity(metric.QPS, v.Median)) {
				said++
			}
			for _, d := range r.Depths(row, metric.MAP) {
				if strings.Contains(title, fmt.Sprintf("mAP@%d %s\n", d.K, say.Ratio(d.Value.Median))) {
					said++
				}
			}
		}
		if interpolated := regexp.MustCompile(`\n([0-9,.]+) queries a second`).FindStringSubmatch(title); len(ids) == 2 && interpolated != nil {
			got, _ := strconv.ParseFloat(strings.ReplaceAll(interpolated[1], ",", ""), 64)
			a, _ := median(rows[ids[0][1]], metric.QPS)
			b, _ := median(rows[ids[1][1]], metric.QPS)
			if got < min(a, b)*0.9 || got > max(a, b)*1.1 { // each repetition is interpolated by itself
				t.Errorf("%q: interpolated between %v and %v", title, a, b)
			}
		}
		if said == 0 && !strings.HasPrefix(title, "cell ") && !strings.HasPrefix(title, ", cell ") {
			t.Errorf("nothing that %q says stands in the records of its cells", title)
		}
	}
}

// TestThumbsStayInside tries to show files that are no pictures of the results folder.
func TestThumbsStayInside(t *testing.T) {
	f := fixture.Usual()
	dir := f.Write(t)
	secret := filepath.Join(filepath.Dir(dir), "secret.jpg")
	picture := fixture.DrawThumb(record.Item{ID: "secret", Label: "hat"})
	write := func(path string, b []byte) {
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(secret, picture)
	write(filepath.Join(dir, "thumbs", "page.jpg"), []byte("<html><script>alert(1)</script>"))
	write(filepath.Join(dir, "thumbs", "large.jpg"), append(picture, make([]byte, maxThumb)...))
	if err := os.Symlink(secret, filepath.Join(dir, "thumbs", "link.jpg")); err != nil {
		t.Fatal(err)
	}
	g := record.Gallery{Base: map[int32]record.Item{}}
	for _, name := range []string{"../secret.jpg", secret, "thumbs/link.jpg", "thumbs/page.jpg", "thumbs/large.jpg", "thumbs/none.jpg", "thumbs"} {
		g.Queries = append(g.Queries, record.Item{ID: name, Label: "hat", Thumb: name})
	}
	if err := atomicfile.WriteJSON(filepath.Join(dir, record.GalleryFile), g); err != nil {
		t.Fatal(err)
	}
	p := Page(t, fixture.Load(t, judge.Load, dir))
	if strings.Contains(p, "data:image") || strings.Contains(p, "data:text") {
		t.Error("a file that is not a picture of the results folder is on the page")
	}
	for _, want := range []string{"6 pictures are missing or damaged", "1 picture is left out: larger than 32 KiB"} {
		if !strings.Contains(p, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}
