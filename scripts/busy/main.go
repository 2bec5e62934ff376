// Command busy measures whether annbench's answer holds on a busy machine, and writes docs/results/busy.md.
//
//	go run ./scripts/busy measure -annbench bin/annbench -out results/busy configs/default.yaml
//	go run ./scripts/busy page -records records/busy results/busy > docs/results/busy.md
//
// measure runs the sweep once on the machine as it is, and then ten times beside loads that keep every core busy.
// What is there already is not run again, so that a call which was stopped resumes. With -against it also times
// the sweep beside another annbench, in turn, on the machine as it is: that takes two runs more for each of -pairs.
//
// page compares each busy run with the quiet one (the winner, and the order of the families at the recall of the
// headline), each with each other (equal settings have to tie), and with each other made slower by
// arithmetic, which has to be found. -keep writes the records that the page uses, without what it does not need, compressed.
package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/internal/atomicfile"
	"annbench/reports/judge"
	"annbench/reports/say"
)

func main() {
	commands := map[string]func([]string) error{
		"measure": measure,
		"page":    func(args []string) error { return pageCommand(os.Stdout, args) },
		"load": func([]string) error {
			x := 1.0
			for x > 0 { // until it is killed
				x = math.Sqrt(x + 1)
			}
			return nil
		},
	}
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: busy measure [flags] SWEEP, or busy page [flags] FOLDER")
		os.Exit(2)
	}
	if err := commands[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Fprintf(os.Stderr, "busy: %v\n", err)
		os.Exit(1)
	}
}

// How is what measure writes beside the results: how they were made.
type How struct {
	Command string
	Loads   int // processes that kept the machine busy
	Cores   int
	Date    string
	// Quiet and Against are seconds that the sweep took with this annbench and with another, pair by pair.
	Quiet, Against []float64 `json:",omitempty"`
	// Timed says which sweep that was, for a sentence, if it was not the one of the runs: what an older annbench knows.
	Timed string `json:",omitempty"`
}

const howFile = "how.json"

func measure(args []string) error {
	f := flag.NewFlagSet("measure", flag.ExitOnError)
	annbench := f.String("annbench", "bin/annbench", "the command to measure")
	out := f.String("out", "results/busy", "folder for the results")
	runs := f.Int("runs", 10, "runs on the busy machine")
	loads := f.Int("loads", runtime.NumCPU(), "processes that keep it busy")
	against := f.String("against", "", "another annbench, to compare the time of a sweep with")
	pairs := f.Int("pairs", 3, "with -against: runs of each")
	_ = f.Parse(args)
	if f.NArg() != 1 {
		return errors.New("name one sweep file")
	}
	how := How{Command: "busy measure " + strings.Join(args, " "), Loads: *loads, Cores: runtime.NumCPU(), Date: time.Now().Format(time.DateOnly)}
	sweep := func(command, dir string) (float64, error) {
		begun := time.Now()
		c := exec.Command(command, "run", f.Arg(0), "--out", dir)
		c.Stderr = os.Stderr
		err := c.Run()
		return time.Since(begun).Seconds(), err
	}
	path := filepath.Join(*out, howFile)
	var before How
	if atomicfile.ReadJSON(path, &before) == nil {
		how.Quiet, how.Against, how.Timed = before.Quiet, before.Against, before.Timed
	}
	if err := os.MkdirAll(*out, 0o755); err != nil {
		return err
	}
	if _, err := sweep(*annbench, filepath.Join(*out, "quiet")); err != nil {
		return fmt.Errorf("the quiet run: %w", err)
	}
	for i := range *runs {
		if err := busy(*loads, func() error {
			_, err := sweep(*annbench, filepath.Join(*out, fmt.Sprintf("busy-%d", i+1)))
			return err
		}); err != nil {
			return fmt.Errorf("busy run %d: %w", i+1, err)
		}
	}
	for i := len(how.Quiet); *against != "" && i < *pairs; i++ {
		var took [2]float64
		for j := range 2 {
			which := (i + j) % 2 // who begins changes
			dir, err := os.MkdirTemp(*out, "timed-")
			if err != nil {
				return err
			}
			took[which], err = sweep([]string{*annbench, *against}[which], dir)
			if err = errors.Join(err, os.RemoveAll(dir)); err != nil {
				return fmt.Errorf("timing a sweep: %w", err)
			}
		}
		how.Quiet, how.Against = append(how.Quiet, took[0]), append(how.Against, took[1])
		if err := atomicfile.WriteJSON(path, how); err != nil {
			return err
		}
	}
	return atomicfile.WriteJSON(path, how)
}

// busy keeps so many processes computing while do runs.
func busy(loads int, do func() error) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for range loads {
		c := exec.Command(self, "load")
		c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := c.Start(); err != nil {
			return err
		}
		defer func() {
			_ = c.Process.Kill()
			_ = c.Wait() // it was killed
		}()
	}
	return do()
}

func pageCommand(w io.Writer, args []string) error {
	f := flag.NewFlagSet("page", flag.ExitOnError)
	records := f.String("records", "", "folder below docs/results that has the records, for the page to link to")
	keep := f.String("keep", "", "folder to write the records that the page uses to")
	_ = f.Parse(args)
	if f.NArg() != 1 {
		return errors.New("name the folder of the results")
	}
	b, err := page(f.Arg(0), *records)
	if err != nil {
		return err
	}
	if *keep != "" {
		if err := keepRecords(f.Arg(0), *keep); err != nil {
			return err
		}
	}
	_, err = w.Write(b)
	return err
}

// keepRecords writes of every run below out what a page is made from.
func keepRecords(out, to string) error {
	names, err := runsIn(out)
	if err != nil {
		return err
	}
	for _, name := range append([]string{"quiet"}, names...) {
		r, err := record.OpenKept(filepath.Join(out, name))
		if err != nil {
			return err
		}
		if err := r.Keep(filepath.Join(to, name)); err != nil {
			return err
		}
	}
	var how How
	if err := atomicfile.ReadJSON(filepath.Join(out, howFile), &how); err != nil {
		return err
	}
	return atomicfile.WriteJSON(filepath.Join(to, howFile), how)
}

// runsIn names the busy runs below out, in order.
func runsIn(out string) ([]string, error) {
	var names []string
	for i := 1; ; i++ {
		name := fmt.Sprintf("busy-%d", i)
		if _, err := os.Stat(filepath.Join(out, name)); err != nil {
			break
		}
		names = append(names, name)
	}
	if len(names) < 2 {
		return nil, fmt.Errorf("%s has %d busy runs, and it takes two: make them with busy measure", out, len(names))
	}
	return names, nil
}

// run is a run and its answer.
type run struct {
	name    string
	results *record.Results
	report  *judge.Report
	verdict judge.Verdict
}

func load(dir, name string) (run, error) {
	r := run{name: name}
	var err error
	if r.results, err = record.OpenKept(filepath.Join(dir, name)); err != nil {
		return r, err
	}
	if r.report, err = judge.Of(r.results); err != nil {
		return r, err
	}
	r.verdict = r.report.Decide()
	return r, nil
}

// order is the families that come up to the recall, the answer first.
func (r *run) order() (names []string) {
	for _, m := range r.verdict.Fast {
		names = append(names, m.Family.Name)
	}
	return names
}

// sameWinner reports whether two runs name the same family, or each names one that the other cannot tell from its own.
func sameWinner(a, b *run) bool {
	x, y := a.verdict.Answer(), b.verdict.Answer()
	if x == nil || y == nil {
		return x == y
	}
	tied := func(v judge.Verdict, family string) bool {
		return slices.ContainsFunc(v.Tied, func(m judge.Match) bool { return m.Family.Name == family })
	}
	return x.Family.Name == y.Family.Name || tied(a.verdict, y.Family.Name) && tied(b.verdict, x.Family.Name)
}

// swaps are the pairs of families of which one run says that the first is faster, and the other that the second is.
func swaps(a, b *run) (wrong []string, pairs int) {
	faster := func(r *run, x, y string) (yes, known bool) {
		var v, w *judge.Match
		for i := range r.verdict.Fast {
			switch m := &r.verdict.Fast[i]; m.Family.Name {
			case x:
				v = m
			case y:
				w = m
			}
		}
		if v == nil || w == nil {
			return false, false
		}
		d := v.Value.Judged(w.Value)
		return d.Difference > 1, judge.TieOf(d) == judge.Apart
	}
	names := a.order()
	for i, x := range names {
		for _, y := range names[i+1:] {
			one, ok1 := faster(a, x, y)
			other, ok2 := faster(b, x, y)
			if !ok1 {
				continue
			}
			pairs++
			if ok2 && one != other {
				wrong = append(wrong, x+" and "+y)
			}
		}
	}
	return wrong, pairs
}

// slowed is a copy of results whose searches take factor times as long.
func slowed(r *record.Results, factor float64) *record.Results {
	out := *r
	out.Records = slices.Clone(r.Records)
	for i := range out.Records {
		rec := &out.Records[i]
		times := []string{metric.CPU, metric.Mean, metric.P50, metric.P90, metric.P99, metric.P999}
		scale := func(values map[string]float64) map[string]float64 {
			scaled := map[string]float64{}
			for name, v := range values {
				switch {
				case slices.Contains(times, name):
					v *= factor
				case name == metric.QPS:
					v /= factor
				}
				scaled[name] = v
			}
			return scaled
		}
		rec.Values, rec.Spread = scale(rec.Values), scale(rec.Spread)
		if rec.Rounds != nil {
			rounds := *rec.Rounds
			for _, list := range []*[]float64{&rounds.CPU, &rounds.Wall, &rounds.P50} {
				*list = slices.Clone(*list)
				for j := range *list {
					(*list)[j] *= factor
				}
			}
			rec.Rounds = &rounds
		}
	}
	return &out
}

// compared counts the speeds of two runs of the same settings: those whose interval holds no difference, those that
// annbench compare calls the same within noise, and those that it calls slower.
type compared struct{ rows, tied, same, found int }

// comparePairs puts every run beside each of those before it, its own searches factor times as slow.
func comparePairs(runs []run, factor float64) (sum compared, err error) {
	for j := range runs {
		slow, err := judge.Of(slowed(runs[j].results, factor))
		if err != nil {
			return sum, err
		}
		for i := range j {
			sum = sum.add(compare(runs[i].report, slow))
		}
	}
	return sum, nil
}

func compare(a, b *judge.Report) (c compared) {
	for _, cell := range judge.Compare(a, b, judge.DefaultMargin).Cells {
		for _, ch := range cell.Changes {
			if ch.Name != metric.CPU && ch.Name != metric.QPS {
				continue
			}
			c.rows++
			if ch.Difference.Tied {
				c.tied++
			}
			switch ch.Change {
			case judge.Same:
				c.same++
			case judge.Worse:
				c.found++
			}
		}
	}
	return c
}

func (c compared) add(d compared) compared {
	return compared{c.rows + d.rows, c.tied + d.tied, c.same + d.same, c.found + d.found}
}

func page(out, records string) ([]byte, error) {
	names, err := runsIn(out)
	if err != nil {
		return nil, err
	}
	quiet, err := load(out, "quiet")
	if err != nil {
		return nil, err
	}
	var how How
	if err := atomicfile.ReadJSON(filepath.Join(out, howFile), &how); err != nil {
		return nil, err
	}
	var runs []run
	for _, name := range names {
		r, err := load(out, name)
		if err != nil {
			return nil, err
		}
		runs = append(runs, r)
	}
	share := func(n, of int) string { return fmt.Sprintf("%.1f %% of %d", 100*float64(n)/float64(max(1, of)), of) }
	var b bytes.Buffer
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("# The answer on a busy machine\n")
	p("<!-- written by scripts/busy: do not edit -->\n")
	p("The same sweep (%s) once as the machine was (called quiet), and %d times beside %s that keep its %s busy. %s\n", quiet.report.DatasetName(quiet.report.Focus.Dataset), len(runs),
		say.Plural(how.Loads, "process", "processes"), say.Plural(how.Cores, "core", "cores"), "Families are compared at the recall of the headline, as the report does.")
	env, _ := json.Marshal(quiet.results.Records[0].Env.CPU)
	where := fmt.Sprintf("%s, %s, %s", strings.Trim(string(env), `"`), say.Plural(how.Cores, "core", "cores"), how.Date)
	if records != "" {
		where += fmt.Sprintf("; the records are in [%s](%s/RUN.md)", records, records)
	}
	p("%s.\n", where)
	p("<!-- not run: takes an hour or more -->\n```sh\n%s\ngo run ./scripts/busy page FOLDER > docs/results/busy.md\n```\n", "go run ./scripts/"+how.Command)
	p("## Winner and order\n")
	p("| run | on the processor | the answer | order at recall %.2f | same winner | swapped |", judge.Target)
	p("| --- | ---: | --- | --- | --- | --- |")
	same, right := 0, 0
	line := func(r *run, winner, swapped string) {
		answer := say.Missing
		if m := r.verdict.Answer(); m != nil {
			answer = strings.TrimSpace("`" + m.Family.Name + "` " + say.Clean(m.Setting.Cell.Settings()))
		}
		p("| %s | %s | %s | %s | %s | %s |", r.name, say.Percent(r.verdict.OnCPU), answer, strings.Join(r.order(), ", "), winner, swapped)
	}
	line(&quiet, say.Missing, say.Missing)
	for i := range runs {
		r := &runs[i]
		wrong, pairs := swaps(&quiet, r)
		winner, swapped := "yes", fmt.Sprintf("none of %d", pairs)
		if sameWinner(&quiet, r) {
			same++
		} else {
			winner = "**no**"
		}
		if len(wrong) == 0 {
			right++
		} else {
			swapped = fmt.Sprintf("**%d of %d**: %s", len(wrong), pairs, say.And(wrong))
		}
		line(r, winner, swapped)
	}
	p("\nThe winner is the same in %d of %d runs, the order in %d. Swapped are pairs of families that the quiet run tells apart and the busy run ranks the other way round, also beyond its noise. Where both runs tie two families at the top, either may stand first.\n", same, len(runs), right)

	p("## Equal settings, and slower ones\n")
	p("Each busy run against each other one: every setting against itself, in another process and another minute, by `annbench compare`. Then the same with the later run made slower by arithmetic, all its settings alike.\n")
	p("| | settings | share |\n| --- | ---: | ---: |")
	var ties compared
	for _, c := range []struct {
		factor float64
		says   string
	}{{1, "the same as itself, within noise"}, {1.4, "found, where it takes 1.4 times as long"}, {2, "found, where it takes twice as long"}} {
		sum, err := comparePairs(runs, c.factor)
		if err != nil {
			return nil, err
		}
		n := sum.found
		if c.factor == 1 {
			n, ties = sum.same, sum
		}
		p("| %s | %d | %.1f %% |", c.says, sum.rows, 100*float64(n)/float64(max(1, sum.rows)))
	}
	p("\nBy the interval of 95 %% alone, %s tie: for `compare`, the whole interval has to lie beyond %.0f %%. Each interval is taken by itself, without a correction for their number. What a repetition does to all of its settings counts as one measurement, not as one a setting, and of it there are as many as repetitions: that is what hides the factor of 1.4 where three repetitions differ much.\n", share(ties.tied, ties.rows), 100*judge.DefaultMargin)
	if len(how.Quiet) > 0 {
		var logs []float64
		for i := range how.Quiet {
			logs = append(logs, math.Log(how.Quiet[i]/how.Against[i]))
		}
		p("## What it costs\n")
		p("%s took %.2f times as long as with the annbench before it (geometric mean of %d pairs in turn: %s against %s s).\n", cmp.Or(how.Timed, "The sweep"), math.Exp(metric.Average(logs)), len(logs), seconds(how.Quiet), seconds(how.Against))
	}
	return append(bytes.TrimRight(b.Bytes(), "\n"), 0x0a), nil
}

func seconds(all []float64) string {
	var out []string
	for _, s := range all {
		out = append(out, fmt.Sprintf("%.0f", s))
	}
	return strings.Join(out, ", ")
}
