package interchange

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"math"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/perf/benchfmt"

	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/internal/atomicfile"
	"annbench/reports/internal/fixture"
	"annbench/reports/judge"
	"annbench/reports/say"
)

func printed(t *testing.T, r *judge.Report, format string) string {
	t.Helper()
	for _, f := range Formats {
		if f.Name == format {
			var b bytes.Buffer
			if err := f.Print(&b, r); err != nil {
				t.Fatal(err)
			}
			return b.String()
		}
	}
	t.Fatalf("there is no format %q", format)
	return ""
}

// TestQuantityJSON: a count has no interval, a size is whole bytes, and the mean size of a vector need not be.
func TestQuantityJSON(t *testing.T) {
	v := judge.Value{Median: 100.5, Lo: -20, Hi: 691268.0000000006, HasInterval: true, N: 3}
	if got := quantityJSON(metric.Info{Name: metric.Samples, Unit: metric.Count}, v); got.Lo != nil || got.Hi != nil || got.Median != 100.5 {
		t.Errorf("a count: %+v", got)
	}
	if got := quantityJSON(metric.Info{Name: metric.Serialized, Unit: metric.Bytes}, v); got.Hi == nil || *got.Hi != 691268 || got.Median != 101 {
		t.Errorf("a size: %+v", got)
	}
	if got := quantityJSON(metric.Info{Name: metric.PerVector, Unit: metric.Bytes}, v); got.Median != 100.5 {
		t.Errorf("a vector's: %+v", got)
	}
}

// TestGobench has the benchmark format read by the package that benchstat reads with: every record is
// a sample of its cell, with its values.
func TestGobench(t *testing.T) {
	r := fixture.Load(t, judge.Load, fixture.Usual().Write(t))
	text := printed(t, r, "gobench")
	want := map[string][]float64{}
	samples := 0
	for _, row := range r.Rows {
		for _, rep := range row.Reps {
			if rep.Status == record.OK {
				samples++
				want[row.Cell.Family] = append(want[row.Cell.Family], rep.Values[metric.Recall])
			}
		}
	}
	in := benchfmt.NewReader(strings.NewReader(text), "out")
	got := map[string][]float64{}
	n := 0
	for in.Scan() {
		switch rec := in.Result().(type) {
		case *benchfmt.SyntaxError:
			t.Fatal(rec)
		case *benchfmt.Result:
			n++
			if rec.GetConfig("dataset") != "fashion boards" || rec.GetConfig("cpu") == "" {
				t.Errorf("the configuration is %v", rec.Config)
			}
			base, parts := rec.Name.Parts()
			if string(base) != "Search" || !regexp.MustCompile(`^-\d+$`).Match(parts[len(parts)-1]) {
				t.Errorf("name %s", rec.Name)
			}
			family := strings.TrimPrefix(string(parts[0]), "/family=")
			recall, ok := rec.Value("recall-%")
			if !ok {
				t.Errorf("%s has no recall", rec.Name)
			}
			got[family] = append(got[family], recall/100)
			if _, ok := rec.Value("sec/op"); !ok {
				t.Errorf("%s has no time", rec.Name)
			}
		}
	}
	if err := in.Err(); err != nil {
		t.Fatal(err)
	}
	if n != samples {
		t.Errorf("%d samples, want %d", n, samples)
	}
	for family, xs := range want {
		slices.Sort(xs)
		slices.Sort(got[family])
		if !slices.EqualFunc(xs, got[family], func(a, b float64) bool { return math.Abs(a-b) < 1e-7 }) {
			t.Errorf("%s: recalls %v, want %v", family, got[family], xs)
		}
	}
	units := in.Units()
	for _, u := range gobenchUnits {
		info, _ := metric.Lookup(u.name)
		better := 1
		if info.Lower {
			better = -1
		}
		if got := units.GetBetter(u.unit); got != better {
			t.Errorf("%s: better is %d, want %d", u.unit, got, better)
		}
	}
}

// TestBenchstat runs benchstat itself on an export, against one of half the speed.
func TestBenchstat(t *testing.T) {
	if testing.Short() {
		t.Skip("building benchstat in short mode")
	}
	bin := filepath.Join(t.TempDir(), "benchstat")
	if out, err := exec.Command("go", "build", "-o", bin, "golang.org/x/perf/cmd/benchstat").CombinedOutput(); err != nil {
		t.Skipf("benchstat cannot be built here, so the export was not tried in it: %v\n%s", err, out)
	}
	var fast, slow []record.Record
	for rep := range 6 {
		for _, s := range []struct {
			list *[]record.Record
			qps  float64
		}{{&fast, 1000}, {&slow, 500}} {
			rec := fixture.Cell("a", "ef=1", rep, .9, s.qps*(1+0.001*float64(rep)))
			rec.Values[metric.Mean] = 1 / rec.Values[metric.QPS]
			*s.list = append(*s.list, rec)
		}
	}
	dir := t.TempDir()
	var files []string
	for name, records := range map[string][]record.Record{"1fast": fast, "2slow": slow} {
		path := filepath.Join(dir, name)
		if err := atomicfile.Write(path, []byte(printed(t, fixture.Load(t, judge.Load, fixture.Results(t, records...)), "gobench"))); err != nil {
			t.Fatal(err)
		}
		files = append(files, path)
	}
	slices.Sort(files)
	out, err := exec.Command(bin, files...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"sec/op", "recall-%", "+100.00%", "-50.00%", "p=0.002 n=6"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("benchstat does not say %q:\n%s", want, out)
		}
	}
}

// TestAnnBenchmarks holds the names of the columns of data_export.py, and their units there.
func TestAnnBenchmarks(t *testing.T) {
	rec := fixture.Cell("a", "ef=1", 0, .9, 250)
	rec.Values[metric.Serialized], rec.Values[metric.P99], rec.Values[metric.Build] = 5000, .004, 3
	r := fixture.Load(t, judge.Load, fixture.Results(t, rec, fixture.Failed("b", "", 0, record.OOM, "x")))
	lines, err := csv.NewReader(strings.NewReader(printed(t, r, "ann-benchmarks"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(lines) != 2 {
		t.Fatalf("%d lines, want a head and a run", len(lines))
	}
	got := map[string]string{}
	for i, name := range lines[0] {
		got[name] = lines[1][i]
	}
	for name, want := range map[string]string{
		"algorithm": "a", "parameters": "a ef=1", "count": "10", "k-nn": "0.9", "qps": "250", "p99": "4", "build": "3",
		"indexsize": "5", "queriessize": "0.02", "dataset": "hand", "epsilon": "", "largeepsilon": "", "rel": "", "p50": "", "p95": "", "p999": "", "distcomps": "", "candidates": "",
	} {
		if v, ok := got[name]; !ok || v != want {
			t.Errorf("%s is %q, %v; want %q", name, v, ok, want)
		}
	}
}

func TestJSON(t *testing.T) {
	r := fixture.Load(t, judge.Load, fixture.Usual().Write(t))
	var out struct {
		Cells   []jsonCell
		Matches []jsonMatch
		Verdict struct{ Answer string }
	}
	if err := json.Unmarshal([]byte(printed(t, r, "json")), &out); err != nil {
		t.Fatal(err)
	}
	if len(out.Cells) != len(r.Rows) || len(out.Matches) != len(r.Terms)*len(judge.Targets)*len(r.FamiliesOf(r.Focus)) || out.Verdict.Answer != say.Verdict(r, r.Decide()).Family {
		t.Errorf("%d cells, %d matches, answer %q", len(out.Cells), len(out.Matches), out.Verdict.Answer)
	}
	for _, m := range out.Matches {
		if want := clockName(r.Clock(r.Focus)); m.QPS != nil && m.Clock != want || m.QPS == nil && m.Clock != "" {
			t.Errorf("%s at recall %v: the clock of its speed is %q, want %q", m.Family, m.Recall, m.Clock, want)
		}
	}
	if p := PickSummary(r.Pick(r.Focus, nil)); p.Pick.Clock != clockName(r.Clock(r.Focus)) {
		t.Errorf("the clock of the pick's speed is %q", p.Pick.Clock)
	}
	for i, c := range out.Cells {
		if v, ok := r.Rows[i].Value(metric.QPS); ok != (c.Values[metric.QPS].N > 0) || v.Median != c.Values[metric.QPS].Median {
			t.Errorf("cell %s: %v, want %v", c.ID, c.Values[metric.QPS], v.Median)
		}
	}
}

// TestFormatsOfHostile: no format lets a string of the results break its line or its field.
func TestFormatsOfHostile(t *testing.T) {
	r := fixture.Load(t, judge.Load, fixture.Hostile(t))
	if in := benchfmt.NewReader(strings.NewReader(printed(t, r, "gobench")), "out"); true {
		for in.Scan() {
			if e, ok := in.Result().(*benchfmt.SyntaxError); ok {
				t.Error(e)
			}
		}
	}
	for _, format := range []string{"csv", "ann-benchmarks"} {
		if _, err := csv.NewReader(strings.NewReader(printed(t, r, format))).ReadAll(); err != nil {
			t.Errorf("%s: %v", format, err)
		}
	}
	if !json.Valid([]byte(printed(t, r, "json"))) {
		t.Error("the JSON is none")
	}
}
