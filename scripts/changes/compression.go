package main

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/reports/judge"
	"annbench/reports/say"
	"annbench/reports/text"
)

// targets are the recalls that the page has columns of.
var targets = []float64{0.95, 0.99}

// compression writes what compression costs: a section for each folder of results. One whose data have several forms
// says how small the embedding may be, any other how small an index.
func (p *page) compression(dirs []string, keep string) error {
	var sections []section
	for _, dir := range dirs {
		results, err := open(dir)
		if err != nil {
			return err
		}
		r, err := judge.Of(results)
		if err != nil {
			return err
		}
		one := section{filepath.Base(filepath.Clean(dir)), results, r, r.Transforms(r.Focus), r.Compression(r.Focus)}
		if one.forms == nil && one.sizes == nil {
			return fmt.Errorf("%s holds no builds of several sizes of which one comes up to recall %.2f: run configs/compression.yaml into it", dir, judge.Target)
		}
		sections = append(sections, one)
	}
	p.compressionHead(sections)
	for _, one := range sections {
		p.results, p.report = one.results, one.report
		var err error
		if one.forms != nil {
			err = p.transforms(one.forms, one.name)
		} else {
			p.sizes(one.sizes, one.name)
		}
		if err == nil && keep != "" {
			err = one.results.Keep(filepath.Join(keep, one.name))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// section is a folder of results. One of forms and sizes is nil.
type section struct {
	name    string
	results *record.Results
	report  *judge.Report
	forms   *judge.Transforms
	sizes   *judge.Compression
}

// compressionHead says what the page is of, and by which commands.
func (p *page) compressionHead(sections []section) {
	p.say("# What compression costs\n")
	p.say("<!-- written by scripts/changes: do not edit -->\n")
	p.say("How many bytes a vector must an index keep to find 0.95 or 0.99 of the nearest neighbours, and how fast does it answer then? " +
		"And how many dimensions do the vectors themselves need? How to measure it on your own: [smaller vectors](../howto/smaller-vectors.md).\n")
	p.say("<!-- not run: takes an hour or more -->\n```sh")
	folders, fetched := "", false
	for _, one := range sections {
		sweeps := "configs"
		if one.forms != nil { // whose photographs are not there before they are fetched
			if !fetched {
				p.say("annbench data fetch clothing-dataset-small --dir results/data")
			}
			sweeps, fetched = "docs/results/records/compression", true
		}
		p.say("annbench run %s/%[2]s.yaml --out results/%[2]s", sweeps, one.name)
		folders += " results/" + one.name
	}
	p.say("go run ./scripts/changes compression%s > docs/results/compression.md\n```\n", folders)
	if p.records != "" {
		p.say("[How the records were made](%s/RUN.md).\n", p.records)
	}
	p.say("## In short\n")
	for _, one := range sections {
		set := one.results.Dataset
		if one.forms != nil {
			p.say("- %s photographs: %s", count(set.Base), say.TransformsOf(one.forms).Answer)
		} else {
			p.say("- %s × %d: %s", count(set.Base), set.Dim, one.short())
		}
	}
	p.say("")
}

// short says which builds are worth their bytes, and from how many on the write-up's IVF-PQ comes up to the targets.
func (one *section) short() string {
	c, dim := one.sizes, one.results.Dataset.Dim
	var parts []string
	for _, target := range targets {
		at := place(c, target)
		each := func(b judge.CompressedBuild) string {
			return fmt.Sprintf("%s in %s", say.Quantity(metric.PerVector, b.Bytes.Median), strings.Replace(say.EqualCellOf(b.Equal[at], target).Text, "≤ ", "at most ", 1))
		}
		text := fmt.Sprintf("Recall %.2f: at no size that was measured.", target)
		if front := c.Front(at); len(front) > 0 {
			var sizes []string
			for _, b := range front {
				sizes = append(sizes, each(b))
			}
			text = fmt.Sprintf("Recall %.2f takes %s of the vectors as float32 at least, of what was measured. Builds that pay, by bytes a vector: %s.", target, ofFloat32(front[0].Bytes.Median, dim), strings.Join(sizes, ", "))
		}
		i := slices.IndexFunc(c.Builds, func(b judge.CompressedBuild) bool { return writeUps(b) && !b.Equal[at].Out })
		switch {
		case i >= 0:
			text += fmt.Sprintf(" The write-up's IVF-PQ, refined, comes up to it with %s.", each(c.Builds[i]))
		case slices.ContainsFunc(c.Builds, writeUps):
			text += " The write-up's IVF-PQ does not come up to it, refined or not."
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, " ")
}

// where says what a section is of, and on which machine.
func (p *page) where(t judge.Terms, name string) {
	set, env := p.results.Dataset, p.report.Envs[0].Env
	reps, records := 0, p.records
	if records != "" {
		records += "/" + name
	}
	for _, row := range p.report.Rows {
		reps = max(reps, row.OK())
	}
	p.say("%s: %s × %d, %s; %s, k = %d. %s, %s; %s, %s. %s", say.Clean(set.Name), count(set.Base), set.Dim, say.Plural(set.Queries, "query", "queries"), t.Metric, t.K,
		say.Clean(env.CPU), say.Plural(env.Cores, "core", "cores"), say.Plural(p.results.Records[0].Cell.Threads, "thread", "threads"), say.Plural(reps, "repetition", "repetitions"), say.Provenance(p.report, records))
	for _, note := range slices.Concat(p.results.Dataset.Warnings, p.results.Dataset.Notes) {
		p.say("\n%s.", strings.TrimSuffix(say.Clean(note), "."))
	}
	if disturbed := p.results.Records[0].Env.Disturbed; len(disturbed) > 0 {
		p.say("\nThe machine was disturbed when the run began: %s.", say.Clean(strings.Join(disturbed, "; ")))
	}
}

func (p *page) sizes(c *judge.Compression, name string) {
	set := p.results.Dataset
	p.say("## %s × %d\n", count(set.Base), set.Dim)
	p.where(c.Terms, name)
	p.say("\nTimes are those of a query%s. Bytes a vector are by the family's formula: codes, ids, lists, graphs, code books, and what is kept for refinement. Settings that are 0 or false are left out.\n", say.Clock(p.report.Clock(c.Terms)))
	if p.records != "" {
		p.say("![Recall by bytes a vector, within a time](../pictures/compression/%s.png)\n", name)
	}
	p.writeUp(c)
	p.fronts(c)
	p.allBuilds(c)
}

// place is where a target is among those of c.
func place(c *judge.Compression, target float64) int { return slices.Index(c.Targets, target) }

// fronts are the builds worth their bytes.
func (p *page) fronts(c *judge.Compression) {
	for _, target := range targets {
		front := c.Front(place(c, target))
		if len(front) == 0 {
			p.say("### At recall %.2f\n\nNo build comes up to it.\n", target)
			continue
		}
		p.say("### At recall %.2f\n\nThe smallest build that comes up to it, then every larger one that is faster than all smaller ones by more than noise and %s.\n", target, say.Share(judge.Slight))
		p.say("| a vector | of float32 | family | build | time | measured at | build time |")
		p.say("| ---: | ---: | --- | --- | ---: | --- | ---: |")
		for _, b := range front {
			m := b.Equal[place(c, target)]
			recall, _ := m.Match.Setting.Value(metric.Recall)
			p.say("| %s | %s | %s | %s | %s | %s (recall %s) | %s |", say.Quantity(metric.PerVector, b.Bytes.Median), ofFloat32(b.Bytes.Median, p.results.Dataset.Dim), b.Family, brief(b.Build),
				say.EqualCellOf(m, target).Text, brief(m.Match.Setting.Cell.Search), say.Ratio(recall.Median), built(m.Match.Setting))
		}
		p.say("")
	}
}

// ofFloat32 is a size as a share of a vector of dim float32.
func ofFloat32(bytes float64, dim int) string {
	return fmt.Sprintf("%.0f %%", 100*bytes/(4*float64(dim)))
}

// writeUp compares the write-up's IVF-PQ as it was, without refinement, with the same refined.
func (p *page) writeUp(c *judge.Compression) {
	var lines []judge.CompressedBuild
	var all []judge.CompressedBuild
	for _, b := range c.Builds {
		if writeUps(b) {
			lines = append(lines, b)
		}
		if b.Family == "ivfpq-faiss" || b.Family == "faiss" && ivfpq.MatchString(word(b.Build, "factory")) {
			all = append(all, b)
		}
	}
	if len(lines) == 0 {
		return
	}
	p.say("### The write-up's IVF-PQ, as it was and refined\n")
	p.say("The write-up of a fashion recommender ([findings](findings.md)) ran IVF-PQ with 8 lists, 8 codes of 8 bits and nprobe 2, and compared nothing again.\n")
	p.asItWas(c.Terms)
	p.say("| refine | a vector | highest recall | recall 0.95 | recall 0.99 | build time |\n| --- | ---: | ---: | --- | --- | ---: |")
	for _, b := range lines {
		high, _ := b.High.Value(metric.Recall)
		p.say("| %s | %s | %s | %s | %s | %s |", word(b.Build, "refine"), say.Quantity(metric.PerVector, b.Bytes.Median), say.Ratio(high.Median), reached(c, b, targets[0]), reached(c, b, targets[1]), built(b.High))
	}
	p.say("")
	for _, target := range targets {
		p.extremes(c, all, target)
	}
	p.say("")
}

// writeUps says whether a build is the write-up's IVF-PQ, refined or not.
func writeUps(b judge.CompressedBuild) bool {
	return b.Family == "ivfpq-faiss" && has(b.Build, "nlist=8", "m=8", "nbits=8")
}

// ivfpq are Faiss's descriptions of IVF-PQ, with what is before it and refinement, but not the codes of fast scan.
var ivfpq = regexp.MustCompile(`\bIVF[0-9]+,PQ[0-9]+(x[0-9]+)?(np)?(,|$)`)

// extremes are the smallest and the fastest of IVF-PQ, with any number of lists and codes, at a target.
func (p *page) extremes(c *judge.Compression, all []judge.CompressedBuild, target float64) {
	var small, fast *judge.CompressedBuild
	speed := func(b *judge.CompressedBuild) float64 { return b.Equal[place(c, target)].Match.Value.Median }
	for i := range all {
		b := &all[i]
		if b.Equal[place(c, target)].Out {
			continue
		}
		if small == nil {
			small = b
		}
		if fast == nil || speed(b) > speed(fast) {
			fast = b
		}
	}
	if small == nil {
		p.say("- IVF-PQ comes up to recall %.2f at no setting that was measured.", target)
		return
	}
	one := func(b *judge.CompressedBuild) string {
		return fmt.Sprintf("%s of %s a vector, in %s", brief(b.Build), say.Quantity(metric.PerVector, b.Bytes.Median), reached(c, *b, target))
	}
	p.say("- Recall %.2f with any number of lists and codes: the smallest that comes up to it is %s; the fastest is %s.", target, one(small), one(fast))
}

// asItWas is the setting that the write-up had.
func (p *page) asItWas(t judge.Terms) {
	for _, row := range p.report.Rows {
		if c := row.Cell; judge.TermsOf(c) == t && c.Family == "ivfpq-faiss" && has(c.Settings(), "nlist=8", "m=8", "nbits=8", "refine=none", "nprobe=2") {
			recall, _ := row.Value(metric.Recall)
			speed, ok := row.Value(judge.Speed)
			bytes, _ := row.Value(metric.PerVector)
			if !ok || speed.Median <= 0 {
				continue
			}
			quality := ""
			if v, ok := row.Value(metric.MAP); ok {
				exact, _ := row.Value(metric.MAPExact)
				quality = fmt.Sprintf(" Its mAP by category is %s, that of exact search %s.", say.Ratio(v.Median), say.Ratio(exact.Median))
			}
			p.say("As it was, it takes %s a vector, and finds recall %s in %s.%s\n", say.Quantity(metric.PerVector, bytes.Median), say.Ratio(recall.Median), say.Format(metric.Seconds, 1/speed.Median), quality)
		}
	}
}

// reached is the time of b at a target, with the setting that was measured next to it.
func reached(c *judge.Compression, b judge.CompressedBuild, target float64) string {
	cell := b.Equal[place(c, target)]
	text := say.EqualCellOf(cell, target).Text
	if cell.Out {
		return text
	}
	return text + ", " + brief(cell.Match.Setting.Cell.Search)
}

func (p *page) allBuilds(c *judge.Compression) {
	p.say("### All builds\n")
	p.say("The smallest first. Between two settings of a build its time is interpolated, as at equal recall on a report's page. Bold: the fastest of a column, and those as fast, within noise or %s. max: the highest recall measured. ≤: all settings find more, and this is the time of the one that finds least.\n", say.Share(judge.Slight))
	p.say("| a vector | it holds | family | build | highest recall | recall 0.95 | recall 0.99 | build time |\n| ---: | --- | --- | --- | ---: | ---: | ---: | ---: |")
	for _, b := range c.Builds {
		line := fmt.Sprintf("| %s | %s | %s | %s |", say.Quantity(metric.PerVector, b.Bytes.Median), say.Vectors(b.Vectors), b.Family, brief(b.Build))
		high, _ := b.High.Value(metric.Recall)
		line += " " + say.Ratio(high.Median) + " |"
		for _, target := range targets {
			cell := say.EqualCellOf(b.Equal[place(c, target)], target)
			if cell.Best {
				cell.Text = "**" + cell.Text + "**"
			}
			line += " " + cell.Text + " |"
		}
		p.say("%s %s |", line, built(b.High))
	}
	p.say("")
	for _, row := range p.report.Rows {
		if judge.TermsOf(row.Cell) != c.Terms {
			continue
		}
		for _, why := range row.Failures() {
			p.say("- Without values: %s %s: %s: %s", row.Cell.Family, brief(row.Cell.Settings()), why.Status, judge.Portable(why.Error))
		}
	}
}

// built is the processor time of a build.
func built(row *judge.Row) string {
	v, ok := row.Value(metric.BuildCPU)
	if !ok {
		return say.Missing
	}
	return say.Format(metric.Seconds, v.Median)
}

// brief is settings as a cell of a table: of Faiss's descriptions the description alone, of the others what is neither
// 0 nor false.
func brief(settings string) string {
	var out []string
	for _, s := range strings.Fields(say.Clean(settings)) {
		name, value, _ := strings.Cut(s, "=")
		switch {
		case value == "0" || value == "false":
		case name == "factory":
			out = append([]string{value}, out...)
		default:
			out = append(out, s)
		}
	}
	if len(out) == 0 {
		return say.Missing
	}
	return "`" + strings.ReplaceAll(strings.Join(out, " "), "|", "\\|") + "`"
}

// has reports whether settings have all of some.
func has(settings string, want ...string) bool {
	own := strings.Fields(settings)
	return !slices.ContainsFunc(want, func(w string) bool { return !slices.Contains(own, w) })
}

// word is the value of a setting.
func word(settings, name string) string {
	for _, s := range strings.Fields(settings) {
		if v, ok := strings.CutPrefix(s, name+"="); ok {
			return v
		}
	}
	return say.Missing
}

func (p *page) transforms(t *judge.Transforms, name string) error {
	p.say("## How many dimensions %s photographs need\n", count(p.results.Dataset.Base))
	p.where(t.Terms, name)
	p.say("")
	s := say.TransformsOf(t)
	s.Title = "By form"
	return text.Transforms(&p.text, s, text.Options{Format: text.Markdown})
}
