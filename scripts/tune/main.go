// Command tune writes a page of results: what `annbench tune` finds against the best setting of an exhaustive sweep of
// at least 200 settings, on six data sets, at recall .95 and .99.
//
//	go run -tags "$TAGS" ./scripts/tune -annbench bin/annbench -out results/tune-trial [-sets small,garments] > tune.md
//
// For each set it runs an exhaustive sweep once, `annbench tune` for each recall with a tenth of the sweep's time, and then
// the two answers beside each other in one run: the ratio of speeds is of that run. What is
// there already is not measured again. Hours on a quiet machine with all sets, minutes with -sets small.
package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/indexes"
	"annbench/reports/judge"
	"annbench/reports/say"
)

// sets are the data sets: a line of YAML for data, and the number of vectors and dimensions that settings go by.
var sets = []struct {
	name, data, metric string
	rows, dim          int
	from               int  // the first of the eight efforts: lesser ones come nowhere near the recalls
	star               bool // build settings change one at a time, not each with each other: else it takes a day
}{
	{"small", "{synthetic: {n: 4000, dim: 32, lid: 12}}", "l2", 3200, 32, 0, false},
	{"garments", "{rendered: {boards: 1200, seed: 1}}", "cosine", 4800, 512, 0, false},
	{"photographs", "{images: '%s/clothing/train'}", "cosine", 2455, 512, 0, false},
	{"e512", "{synthetic: {n: 50000, dim: 512, lid: 16}}", "l2", 48000, 512, 0, true},
	{"e128", "{synthetic: {n: 100000, dim: 128, lid: 16}}", "l2", 98000, 128, 0, true},
	{"million", "{synthetic: {n: 1000000, dim: 128, lid: 16}}", "l2", 998000, 128, 0, true},
	{"noise", "{synthetic: {n: 20000, dim: 64, lid: 64, clusters: 1}}", "l2", 18000, 64, 4, true},
}

var recalls = []float64{0.95, 0.99}

func main() {
	c := config{}
	flag.StringVar(&c.annbench, "annbench", "bin/annbench", "the command")
	flag.StringVar(&c.out, "out", "results/tune-trial", "folder for results")
	names := flag.String("sets", "garments,photographs,e512,e128,million,noise", "data sets, of: "+strings.Join(setNames(), ", "))
	flag.StringVar(&c.photos, "data", os.Getenv("ANNBENCH_DATA"), "folder with clothing/, for photographs")
	flag.DurationVar(&c.least, "least", time.Minute, "the shortest budget")
	flag.Parse()
	if err := c.run(os.Stdout, strings.Split(*names, ",")); err != nil {
		fmt.Fprintf(os.Stderr, "tune: %v\n", err)
		os.Exit(1)
	}
}

func setNames() (names []string) {
	for _, s := range sets {
		names = append(names, s.name)
	}
	return names
}

type config struct {
	annbench, out, photos string
	least                 time.Duration
}

// row is a line of the table.
type row struct {
	set                      string
	recall                   float64
	settings                 int
	sweep, tune              time.Duration
	sweepName, tuneName      string
	ratio                    judge.Difference // speed of tune's answer over that of the sweep's
	ok, sweepKeeps, tuneKept bool
}

func (c *config) run(w io.Writer, names []string) error {
	var rows []row
	for _, name := range names {
		i := slices.Index(setNames(), name)
		if i < 0 {
			return fmt.Errorf("no set %q: there are %s", name, strings.Join(setNames(), ", "))
		}
		data := sets[i].data
		if strings.Contains(data, "%s") {
			if c.photos == "" {
				return errors.New("photographs: name the folder that has clothing/ with -data")
			}
			data = fmt.Sprintf(data, c.photos)
		}
		head := fmt.Sprintf("data: %s\nmetric: %s\nk: 10\ngallery: -1\nthreads: 1\n", data, sets[i].metric)
		dir := filepath.Join(c.out, name)
		families, settings := grid(sets[i].rows, sets[i].dim, sets[i].from, sets[i].star)
		if settings < 200 {
			return fmt.Errorf("%s: an exhaustive sweep of %d settings is none", name, settings)
		}
		took, err := c.annbenchRun(dir, "sweep", head+"repetitions: 1\nmeasure: 50ms\nfamilies:\n"+families, "run")
		if err != nil {
			return err
		}
		for _, recall := range recalls {
			r := row{set: name, recall: recall, settings: settings, sweep: took}
			budget := max(c.least, took/10)
			folder := fmt.Sprintf("tune-%g", 100*recall)
			if r.tune, err = c.annbenchRun(dir, folder, head+"families: [{family: flat}]\n", "tune", "--min-recall", strconv.FormatFloat(recall, 'g', -1, 64), "--budget", budget.Round(time.Second).String()); err != nil {
				return err
			}
			if err := c.duel(&r, dir, folder, head); err != nil {
				return err
			}
			rows = append(rows, r)
			fmt.Fprintf(os.Stderr, "%s at %g: %s against %s: %.2f\n", r.set, r.recall, r.tuneName, r.sweepName, r.ratio.Difference)
		}
	}
	return page(w, rows)
}

// grid is every tunable family of this build: its numbers one step up and down in every combination, or as a star one at a
// time, its words and its further search settings one at a time, and of each eight efforts, those from the given one on.
func grid(rows, dim, from int, star bool) (yaml string, settings int) {
	var b strings.Builder
	for _, f := range indexes.Families() {
		if f.Missing != "" || f.Remote != nil || slices.ContainsFunc(f.Build, func(p indexes.Param) bool { return p.Kind == indexes.Text }) {
			continue
		}
		numbers, words, search := map[string][]any{}, map[string][]any{}, map[string][]any{}
		further := map[string]any{}
		for i := range f.Build {
			p := &f.Build[i]
			start := p.Start(rows, dim)
			if steps := p.Steps(start, dim); p.Kind == indexes.Int || p.Kind == indexes.Float {
				numbers[p.Name] = append([]any{start}, steps...)
			} else {
				words[p.Name] = steps
			}
		}
		for i := range f.Search {
			p := &f.Search[i]
			switch {
			case p.Kind != indexes.Int || p.Scale == indexes.Fixed || f.Exact:
			case len(search) > 0:
				further[p.Name] = max(4, 4*p.Default.(int))
			case f.Name == "forest":
				search[p.Name] = []any{50, 100, 200, 400, 800, 1600, 3200, 6400}[from:]
			default:
				search[p.Name] = []any{4, 8, 16, 32, 64, 128, 256, 512}[from:]
			}
		}
		entry := func(build, search map[string][]any) {
			fmt.Fprintf(&b, "  - family: %s\n", f.Name)
			all := 1
			for part, values := range map[string]map[string][]any{"build": build, "search": search} {
				var fields []string
				for _, name := range slices.Sorted(maps.Keys(values)) {
					all *= len(values[name])
					fields = append(fields, name+": "+list(values[name]))
				}
				if len(fields) > 0 {
					fmt.Fprintf(&b, "    %s: {%s}\n", part, strings.Join(fields, ", "))
				}
			}
			settings += all
		}
		first := map[string][]any{}
		for name, values := range numbers {
			first[name] = values[:1]
		}
		if star {
			entry(first, search)
			for _, name := range slices.Sorted(maps.Keys(numbers)) {
				if len(numbers[name]) > 1 {
					one := maps.Clone(first)
					one[name] = numbers[name][1:]
					entry(one, search)
				}
			}
		} else {
			entry(numbers, search)
		}
		for _, name := range slices.Sorted(maps.Keys(words)) {
			if len(words[name]) > 0 {
				one := maps.Clone(first)
				one[name] = words[name]
				entry(one, search)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(further)) {
			more := maps.Clone(search)
			more[name] = []any{further[name]}
			entry(first, more)
		}
	}
	return b.String(), settings
}

func list(values []any) string {
	var out []string
	for _, v := range values {
		out = append(out, fmt.Sprint(v))
	}
	return "[" + strings.Join(out, ", ") + "]"
}

// annbenchRun runs a command on a sweep file in dir/name.yaml into dir/name, unless it is there, and returns how long
// it took.
func (c *config) annbenchRun(dir, name, sweep string, command ...string) (time.Duration, error) {
	out := filepath.Join(dir, name)
	clock := out + ".seconds"
	if text, err := os.ReadFile(clock); err == nil {
		seconds, err := strconv.ParseFloat(strings.TrimSpace(string(text)), 64)
		return time.Duration(seconds * float64(time.Second)), err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return 0, err
	}
	file := out + ".yaml"
	if err := os.WriteFile(file, []byte("name: "+name+"\n"+sweep), 0o644); err != nil {
		return 0, err
	}
	began := time.Now()
	cmd := exec.Command(c.annbench, append([]string{command[0], file, "--out", out}, command[1:]...)...)
	cmd.Stderr = os.Stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) { // 1: some cells failed, which the records say
		return 0, fmt.Errorf("%s: %w", cmd, err)
	}
	took := time.Since(began)
	return took, os.WriteFile(clock, []byte(fmt.Sprintf("%.1f\n", took.Seconds())), 0o644)
}

// duel measures the answers of the sweep and of the search beside each other, and compares them.
func (c *config) duel(r *row, dir, folder, head string) error {
	limits := []judge.Limit{{Name: metric.Recall, Bound: r.recall}}
	var picks [2]*judge.Row
	for i, name := range []string{"sweep", folder} {
		report, err := judge.Load(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		if p := report.Pick(report.Focus, limits); p.Best != nil {
			picks[i] = p.Best.Row
		}
	}
	r.sweepKeeps, r.tuneKept = picks[0] != nil, picks[1] != nil
	if picks[0] != nil {
		r.sweepName = nameOf(picks[0].Cell)
	}
	if picks[1] != nil {
		r.tuneName = nameOf(picks[1].Cell)
	}
	if picks[0] == nil || picks[1] == nil {
		return nil
	}
	yaml := head + "repetitions: 5\nmeasure: 200ms\nseed: 77\nfamilies:\n"
	for _, p := range picks {
		yaml += entry(p.Cell)
	}
	name := strings.Replace(folder, "tune", "duel", 1)
	if _, err := c.annbenchRun(dir, name, yaml, "run"); err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(dir, name+".yaml"))
	if err != nil {
		return err
	}
	report, err := judge.Load(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	// What was measured counts: a duel that was there already may be of other settings than would be picked today.
	at := func(row *judge.Row) int { return strings.Index(string(text), entry(row.Cell)) }
	rows := slices.DeleteFunc(slices.Clone(report.Rows), func(row *judge.Row) bool { return at(row) < 0 })
	slices.SortFunc(rows, func(a, b *judge.Row) int { return cmp.Compare(at(a), at(b)) })
	if len(rows) == 1 { // both found the same
		rows = append(rows, rows[0])
	}
	if len(rows) != 2 {
		return fmt.Errorf("%s: %d settings, of 2 that were compared", filepath.Join(dir, name), len(rows))
	}
	r.sweepName, r.tuneName = nameOf(rows[0].Cell), nameOf(rows[1].Cell)
	best, ok1 := rows[0].Value(judge.Speed)
	found, ok2 := rows[1].Value(judge.Speed)
	if ok1 && ok2 {
		r.ratio, r.ok = found.Against(best), true
	}
	return nil
}

// entry is a setting as a sweep file has it.
func entry(c record.Cell) string {
	yaml := "  - family: " + c.Family + "\n"
	for _, part := range []struct{ name, settings string }{{"build", c.Build}, {"search", c.Search}} {
		if fields := strings.Fields(part.settings); len(fields) > 0 {
			yaml += "    " + part.name + ": {" + strings.ReplaceAll(strings.Join(fields, ", "), "=", ": ") + "}\n"
		}
	}
	return yaml
}

func nameOf(c record.Cell) string { return say.Clean(c.Family + " " + c.Settings()) }

// page is the table as a page of docs/results.
func page(w io.Writer, rows []row) error {
	var star, from []string
	for _, r := range rows {
		s := sets[slices.Index(setNames(), r.set)]
		if s.star && !slices.Contains(star, s.name) {
			star = append(star, s.name)
		}
		if s.from > 0 && !slices.Contains(from, s.name) {
			from = append(from, s.name)
		}
	}
	fmt.Fprintf(w, `# The search for settings against an exhaustive sweep

`+"`annbench tune`"+` was given a tenth of the time of a sweep over every built-in family with its build settings one step up
and down and eight efforts of each, and at least a minute. Both answers were then measured in one run, five builds each. The speed is
that of the search's answer over that of the sweep's best, with its 95 %% interval; above .95 is within 5 %% of it or faster.

| data | recall | settings | sweep | search | share | best of the sweep | answer of the search | speed |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
`)
	misses := 0
	for _, r := range rows {
		speed := "not measured"
		switch {
		case !r.sweepKeeps && !r.tuneKept:
			speed = "nothing reaches it"
		case !r.tuneKept:
			speed, misses = "**the search found nothing**", misses+1
		case !r.sweepKeeps:
			speed = "the sweep found nothing"
		case r.ok:
			speed = fmt.Sprintf("%.2f (%.2f to %.2f)", r.ratio.Difference, r.ratio.Lo, r.ratio.Hi)
			if r.ratio.Hi < 0.95 {
				speed, misses = "**"+speed+"**", misses+1
			}
		}
		share := float64(r.tune) / float64(r.sweep)
		fmt.Fprintf(w, "| %s | %.2f | %d | %v | %v | %.0f %% | %s | %s | %s |\n", r.set, r.recall, r.settings,
			r.sweep.Round(time.Second), r.tune.Round(time.Second), 100*share, cmp.Or(r.sweepName, "–"), cmp.Or(r.tuneName, "–"), speed)
	}
	if len(star) > 0 {
		fmt.Fprintf(w, "\nThe sweep of %s changes one build setting at a time, not each with each other.", say.And(star))
	}
	if len(from) > 0 {
		fmt.Fprintf(w, " That of %s begins at the fifth of the eight efforts (64 candidates or cells, 800 of the forest).", say.And(from))
	}
	if len(star)+len(from) > 0 {
		fmt.Fprintln(w)
	}
	_, err := fmt.Fprintf(w, "\n%d of %d answers are slower than the sweep's best by more than 5 %% for certain (in bold).\n", misses, len(rows))
	return err
}
