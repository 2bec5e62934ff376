// Command scale writes docs/results/scale.md from the results of configs/scale.yaml: how every family grows
// with the number of vectors, as measured, and from it a model on paper of what 10⁷ to 10⁹ vectors
// take: memory, building, nodes, and what they cost. What is carried on beyond the measurements says so.
//
//	go run ./scripts/scale -records records/scale results/scale > docs/results/scale.md
//
// The flags are the assumptions of the model; the page names them.
package main

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"annbench/bench/metric"
	"annbench/reports/judge"
	"annbench/reports/say"
	"annbench/reports/text"
)

func main() {
	var a assumptions
	flag.Float64Var(&a.memory, "memory", 64, "memory of a node, GiB")
	flag.Float64Var(&a.usable, "usable", 0.7, "share of it that the index may take")
	flag.IntVar(&a.cores, "cores", 16, "cores of a node")
	flag.Float64Var(&a.busy, "busy", 0.5, "share of the cores' time that searches may take")
	flag.Float64Var(&a.rate, "rate", 1000, "queries a second that are to be answered")
	flag.DurationVar(&a.within, "within", 20*time.Millisecond, "time in which a shard has to answer")
	flag.Float64Var(&a.price, "price", 0.5, "price of a node for an hour")
	flag.StringVar(&a.note, "note", "", "a sentence on how it was measured, for the page")
	flag.StringVar(&a.records, "records", "", "folder below docs/results that has the records, for the page to link to")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: scale [flags] RESULTS > docs/results/scale.md")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	if err := a.check(); err != nil {
		fmt.Fprintf(os.Stderr, "scale: %v\n", err)
		os.Exit(2)
	}
	if err := run(os.Stdout, flag.Arg(0), a); err != nil {
		fmt.Fprintf(os.Stderr, "scale: %v\n", err)
		os.Exit(1)
	}
}

// assumptions are what the model takes for granted, and a reader replaces by their own.
type assumptions struct {
	memory  float64       // GiB of a node
	usable  float64       // share of it that an index may take; the rest is the system's, and room to load a new index
	cores   int           // of a node
	busy    float64       // share of the cores' time that searches may take, so that arrivals do not queue
	rate    float64       // queries a second
	within  time.Duration // that a shard may take for a query
	price   float64       // of a node for an hour, in any currency
	note    string        // a sentence for the page
	records string        // where the records are kept, from the page; empty where they are not
}

func (a assumptions) check() error {
	for _, at := range []struct {
		flag string
		bad  bool
		rule string
	}{
		{"memory", !(a.memory > 0), "above 0"},
		{"usable", !(a.usable > 0 && a.usable <= 1), "above 0 and at most 1"},
		{"cores", a.cores < 1, "at least 1"},
		{"busy", !(a.busy > 0 && a.busy <= 1), "above 0 and at most 1"},
		{"rate", !(a.rate > 0), "above 0"},
		{"within", a.within <= 0, "above 0"},
		{"price", !(a.price >= 0), "at least 0"},
	} {
		if at.bad {
			return fmt.Errorf("-%s must be %s", at.flag, at.rule)
		}
	}
	return nil
}

// paper are the numbers of vectors that the model is carried on to.
var paper = []int{10_000_000, 100_000_000, 1_000_000_000}

// model is what was measured of one family, over several sizes.
type model struct {
	family  string
	build   judge.Growth
	query   judge.Growth // time of one, on one thread, at recall [judge.Target] or what is had below it
	memory  judge.Growth // resident
	largest int          // vectors that were measured at most
	short   float64      // the recall at the largest size where it is below the target; 0 elsewhere
}

func run(w io.Writer, dir string, a assumptions) error {
	folders, err := filepath.Glob(filepath.Join(dir, "n[0-9]*"))
	if err != nil {
		return err
	}
	slices.SortFunc(folders, func(a, b string) int { return cmp.Compare(sizeOf(a), sizeOf(b)) })
	if len(folders) == 0 {
		return fmt.Errorf("%s has no folders n10000, n31623, ...: is it the results folder of configs/scale.yaml?", dir)
	}
	r, err := judge.Load(folders...)
	if err != nil {
		return err
	}
	growths := judge.Growths(r)
	models := modelsOf(growths)
	if len(models) == 0 {
		return fmt.Errorf("%s has no family that was measured at three sizes: did the run end?", dir)
	}
	var b bytes.Buffer
	if err := (&page{Buffer: &b, r: r, growths: growths, models: models, assumptions: a}).write(); err != nil {
		return err
	}
	_, err = w.Write(b.Bytes())
	return err
}

// sizeOf reads the number in the name of a folder like n10000.
func sizeOf(folder string) int {
	n, _ := strconv.Atoi(filepath.Base(folder)[1:])
	return n
}

// modelsOf joins what growths say of each family, in their order. A family measured at fewer than three
// sizes has no interval, and is left out.
func modelsOf(growths []judge.Growth) []model {
	var out []model
	at := func(family string) *model {
		for i := range out {
			if out[i].family == family {
				return &out[i]
			}
		}
		out = append(out, model{family: family})
		return &out[len(out)-1]
	}
	for _, g := range growths {
		m, last := at(g.Family), g.Points[len(g.Points)-1]
		switch g.Name {
		case metric.Build:
			m.build = g
		case metric.Mean:
			m.query, m.largest = g, last.Vectors
			if last.Short {
				m.short = last.Recall
			}
		case metric.Resident:
			m.memory = g
		}
	}
	return slices.DeleteFunc(out, func(m model) bool {
		return len(m.build.Points) < 3 || len(m.query.Points) < 3 || len(m.memory.Points) < 2
	})
}

// bytes is the memory of n vectors: the straight line through the two largest sizes, for every family here
// keeps so many bytes a vector, and some of them something beside.
func (m *model) bytes(n int) float64 {
	a, b := m.memory.Points[len(m.memory.Points)-2], m.memory.Points[len(m.memory.Points)-1]
	each := (b.Value - a.Value) / float64(b.Vectors-a.Vectors)
	return b.Value + each*float64(n-b.Vectors)
}

type page struct {
	*bytes.Buffer
	assumptions
	r       *judge.Report
	growths []judge.Growth
	models  []model
}

func (p *page) say(format string, args ...any) { fmt.Fprintf(p, format+"\n\n", args...) }

func (p *page) row(cells ...string) { fmt.Fprintf(p, "| %s |\n", strings.Join(cells, " | ")) }

func (p *page) write() error {
	first, last := p.r.Sources[0].Dataset, p.r.Sources[len(p.r.Sources)-1].Dataset
	env := p.r.Envs[0].Env
	p.say("# Scale: from 10⁴ vectors to 10⁶ as measured, to 10⁹ on paper")
	p.say("Measured first, extrapolated after. The first part is measured. The second extends it by arithmetic, with named assumptions. Use it to choose what to measure next, not to buy machines.")
	p.say("<!-- not run: measures for hours -->\n```sh\nbin/annbench run configs/scale.yaml\ngo run ./scripts/scale results/scale > docs/results/scale.md\n```")

	p.say("## Measured")
	p.say("Data: from %s to %s; clusters of low intrinsic dimension, where a smaller set is the beginning of a larger one; queries are held out. k = %d, %s. Machine: %s, %d cores; builds with %d threads, searches one at a time on one.",
		first.Name, last.Name, p.r.Focus.K, p.r.Focus.Metric, env.CPU, env.Cores, p.r.Focus.Threads)
	if d := p.disturbed(); len(d) > 0 {
		p.say("The machine was not quiet, and times are those of a busy machine. At the start of the runs it reported: %s.", strings.Join(d, "; "))
	}
	p.say("%s", say.Provenance(p.r, p.records))
	if p.note != "" {
		p.say("%s", p.note)
	}
	p.say("Every family was built and searched once per size, so a single value may be off by whatever the machine did at that moment. The exponents, over all sizes, have standard errors. *grows as* is the exponent of the power law that fits best: n¹ doubles when the vectors double. A value with * is at the highest recall of the family's settings, if that is below %.2f, and is not used in the fit.", judge.Target)
	var table bytes.Buffer
	if err := text.Growths(&table, p.growths); err != nil {
		return err
	}
	p.say("```\n%s\n```", strings.Trim(table.String(), "\n"))
	p.say("| build time | time of a query | memory |\n|:-:|:-:|:-:|\n| ![Build time by number of vectors](../pictures/scale/growth-build.png) | ![Time of a query by number of vectors](../pictures/scale/growth-latency.png) | ![Memory by number of vectors](../pictures/scale/growth-memory.png) |")
	p.notes()

	p.say("## On paper: one index, were a machine large enough")
	p.say("Memory is the straight line through the two largest sets, since every family here keeps a fixed number of bytes per vector. Build time and the time of a query start from the largest set and grow with the exponent of the last decade (10⁵ to 10⁶, because data that fits into caches grows differently). The brackets use the smallest and the largest exponent that the measurements allow: those of the last decade and of all sizes, with two standard errors to either side. That is the smaller part of the uncertainty: memory pages, the settings that reach the recall, and the data itself change with size, and no fitted line shows that.")
	for _, n := range paper {
		p.say("%s vectors (%s times the largest set that was measured):", power(n), about(float64(n)/float64(p.most())))
		p.row("family", "memory", "build, "+cores(p.r.Focus.Threads), "a query")
		p.row(":--", "--:", "--:", "--:")
		for _, m := range p.models {
			p.row(m.name(), say.Quantity(metric.Resident, m.bytes(n)), carriedBuild(&m.build, n), carried(&m.query, metric.Mean, n))
		}
		fmt.Fprintln(p)
	}

	p.say("## On paper: shards over nodes")
	p.say("Assumptions: nodes of %s GiB and %d cores, with %.0f %% of the memory for the index. The vectors are divided at random into equal shards, as many as nodes are needed; every query asks every shard, and the answers are merged. So the size of a shard decides build and search time, and the table says how far that is beyond the measured sizes. Every shard works on every query, so the work per query grows with the number of shards. A shard must answer within %s, so slow families need more shards than memory alone would require. %s queries a second must be answered with at most %.0f %% of the cores' time; if one copy of the shards cannot do that, copies are added. A node costs %s an hour, in any currency. **Replace all of these by your own** (`go run ./scripts/scale -h`). Not included: the network (measured with [database servers](engines.md)), the slowest of many shards, updates, disks, people.",
		trim(p.memory), p.cores, 100*p.usable, say.Quantity(metric.Mean, p.within.Seconds()), say.Count(int(p.rate)), 100*p.busy, trim(p.price))
	for _, n := range paper {
		p.say("%s vectors:", power(n))
		p.row("family", "shards", "vectors a shard", "build a shard", "a query, on its shard", "core time a query", "copies", "nodes", "cost a month")
		p.row(":--", "--:", "--:", "--:", "--:", "--:", "--:", "--:", "--:")
		for _, m := range p.models {
			f := p.fleet(&m, n)
			beyond := ""
			if f.shard > m.largest {
				beyond = fmt.Sprintf(", %s× beyond", about(float64(f.shard)/float64(m.largest)))
			}
			p.row(m.name(), say.Count(f.shards), about(float64(f.shard))+beyond, building(f.build), say.Quantity(metric.Mean, f.query),
				say.Quantity(metric.Mean, f.work), say.Count(f.copies), say.Count(f.nodes), say.Count(int(math.Round(f.month))))
		}
		fmt.Fprintln(p)
	}
	p.say("Build times are those of %s of the machine above: %d cores build faster.", cores(p.r.Focus.Threads), p.cores)

	p.say("## What to make of it")
	p.conclusions()
	p.Truncate(len(bytes.TrimRight(p.Bytes(), "\n")) + 1)
	return nil
}

// fleet is what n vectors take over nodes.
type fleet struct {
	shards, shard, copies, nodes int
	build, query                 float64 // seconds, on a shard
	work                         float64 // core seconds of a query, over all shards
	month                        float64 // price of a month
}

const hoursOfMonth = 730

func (p *page) fleet(m *model, n int) fleet {
	var f fleet
	room := p.memory * p.usable * (1 << 30)
	fits := func(shards int) bool {
		f.shard = (n + shards - 1) / shards
		f.query, _, _, _ = m.query.At(f.shard)
		return m.bytes(f.shard) <= room && f.query <= p.within.Seconds()
	}
	most := 1
	for !fits(most) && f.shard > 1 {
		most *= 2
	}
	f.shards = max(1, sort.Search(most, func(i int) bool { return i > 0 && fits(i) }))
	fits(f.shards)
	f.build, _, _, _ = m.build.At(f.shard)
	f.work = f.query * float64(f.shards)
	f.copies = max(1, int(math.Ceil(p.rate*f.query/(float64(p.cores)*p.busy))))
	f.nodes = f.shards * f.copies
	f.month = float64(f.nodes) * p.price * hoursOfMonth
	return f
}

// disturbed is what disturbed timing while the records were measured. What differs in its last word
// alone, a number, is said once.
func (p *page) disturbed() []string {
	var what []string
	values := map[string][]string{}
	for _, e := range p.r.Envs {
		for _, d := range e.Disturbed {
			text, _, _ := strings.Cut(d, ";")
			at := strings.LastIndex(text, " ")
			if at < 0 {
				at = 0
			}
			if values[text[:at]] == nil {
				what = append(what, text[:at])
			}
			if !slices.Contains(values[text[:at]], text[at:]) {
				values[text[:at]] = append(values[text[:at]], text[at:])
			}
		}
	}
	for i, w := range what {
		what[i] += strings.Join(values[w], ",")
	}
	return what
}

// notes says which cells have no value, and why.
func (p *page) notes() {
	for _, row := range p.r.Rows {
		for _, f := range row.Failures() {
			first, _, _ := strings.Cut(f.Error, "\n")
			p.say("Not measured: %s %s, %s vectors: %s (%s).", row.Cell.Family, row.Cell.Settings(), say.Count(p.vectors(row.Cell.Dataset)), first, f.Status)
		}
	}
}

func (p *page) vectors(digest string) int {
	for _, s := range p.r.Sources {
		if s.Dataset.Digest == digest {
			return s.Dataset.Base
		}
	}
	return 0
}

// most is the largest size measured.
func (p *page) most() int {
	n := 1
	for _, m := range p.models {
		n = max(n, m.largest)
	}
	return n
}

// conclusions are what the figures say, each from the figures.
func (p *page) conclusions() {
	n := paper[len(paper)-1]
	type choice struct {
		m *model
		f fleet
	}
	var able []choice
	var unable []string
	for i := range p.models {
		m := &p.models[i]
		if m.short > 0 {
			unable = append(unable, fmt.Sprintf("%s (%.3f)", m.family, m.short))
			continue
		}
		able = append(able, choice{m, p.fleet(m, n)})
	}
	if len(able) > 0 {
		slices.SortStableFunc(able, func(a, b choice) int { return a.f.nodes - b.f.nodes })
		var parts []string
		for _, c := range able {
			parts = append(parts, fmt.Sprintf("%s %s", c.m.family, say.Count(c.f.nodes)))
		}
		p.say("- Nodes for %s vectors at recall %.2f, by this model: %s.", power(n), judge.Target, strings.Join(parts, ", "))
		slices.SortStableFunc(able, func(a, b choice) int { return cmp.Compare(a.m.query.Exponent, b.m.query.Exponent) })
		parts = nil
		for _, c := range able {
			parts = append(parts, fmt.Sprintf("%s n^%.2f", c.m.family, c.m.query.Exponent))
		}
		p.say("- How the time of a query grows, slowest growth first: %s. Families that grow slowly gain from few large shards; families that grow like n lose nothing with many small ones.", strings.Join(parts, ", "))
	}
	if len(unable) > 0 {
		p.say("- Short of recall %.2f at the largest size with the settings of this sweep: %s. They cannot be compared with the others, however small they are.", judge.Target, strings.Join(unable, ", "))
	}
	p.say("- The settings of the sweep are the same at every size. Inverted lists need more lists as vectors grow (a number like √n keeps their time near √n), and these exponents do not include that.")
	p.say("- To turn the second part into a measurement, take one node of the assumed size and one shard of the size in the table, and run this harness on it. `annbench run` reads vectors in any of [these formats](../reference/formats.md); [a cluster](../howto/cluster.md) runs a sweep on many nodes.")
}

// name marks a family that does not reach the recall.
func (m *model) name() string {
	if m.short > 0 {
		return fmt.Sprintf("%s (recall %.3f)", m.family, m.short)
	}
	return m.family
}

// carried is a growth carried on to n vectors, with its interval.
func carried(g *judge.Growth, name string, n int) string {
	v, lo, hi, ok := g.At(n)
	if !ok {
		return "–"
	}
	text := say.Quantity(name, v)
	if !math.IsNaN(lo) {
		text += fmt.Sprintf(" (%s to %s)", say.Quantity(name, lo), say.Quantity(name, hi))
	}
	return text
}

// nothingToBuild is what taking over the vectors as they are costs at most, in seconds.
const nothingToBuild = 1e-3

func building(seconds float64) string {
	if seconds < nothingToBuild {
		return "none"
	}
	return say.Quantity(metric.Build, seconds)
}

func carriedBuild(g *judge.Growth, n int) string {
	if v, _, _, ok := g.At(n); ok && v < nothingToBuild {
		return "none"
	}
	return carried(g, metric.Build, n)
}

func cores(n int) string {
	if n == 1 {
		return "1 thread"
	}
	return fmt.Sprintf("%d threads", n)
}

func trim(x float64) string { return fmt.Sprintf("%g", x) }

// about writes a number of vectors, or how many times another it is, to two digits.
func about(x float64) string {
	switch {
	case x >= 1e6:
		return digits(x/1e6) + " million"
	case x >= 1e3:
		return say.Count(int(two(x)))
	}
	return digits(x)
}

func digits(x float64) string { return strconv.FormatFloat(two(x), 'f', -1, 64) }

// two rounds to two digits.
func two(x float64) float64 {
	y, _ := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 2, 64), 64)
	return y
}

var superscripts = strings.NewReplacer("0", "⁰", "1", "¹", "2", "²", "3", "³", "4", "⁴", "5", "⁵", "6", "⁶", "7", "⁷", "8", "⁸", "9", "⁹")

// power writes a power of ten.
func power(n int) string {
	return "10" + superscripts.Replace(fmt.Sprint(int(math.Round(math.Log10(float64(n))))))
}
