package main

import (
	"fmt"
	"strings"

	"annbench/bench/metric"
	"annbench/reports/judge"
	"annbench/reports/say"
	"annbench/reports/text"
)

// frontier compares families at equal recall, memory and build time, and says how much of a time is the mere call.
func (p *page) frontier() error {
	p.head("Families of annbench beside the best of others", "frontier", "decide", p.results.Records)
	p.say("The library of each family, and what it is: `annbench families`. External ones are called by their own programs, those in Python from Python.\n")
	terms := p.report.Focus
	v := say.Verdict(p.report, p.report.Decide())
	p.say("%s **%s**", v.Question, strings.TrimSpace(v.Family+" "+v.Setting))
	if v.Tied != "" {
		p.say("(tied with %s).", v.Tied)
	}
	p.say("%s", strings.Join(v.Why, " "))
	for _, e := range say.Equals(p.report, terms) {
		p.say("")
		if err := text.Equal(&p.text, e, text.Options{Format: text.Markdown}); err != nil {
			return err
		}
	}
	p.calls(terms)
	return nil
}

// calls has the part of each family's time that an index of a few vectors takes, too.
func (p *page) calls(terms judge.Terms) {
	clock := p.report.Clock(terms)
	floor, whole := metric.CallFloor, metric.Mean
	if clock == judge.Processor {
		floor, whole = metric.CallFloorCPU, metric.CPU
	}
	var lines []string
	for _, c := range p.report.Choose(terms) {
		if c.Row == nil || !c.Reached {
			continue
		}
		call, ok := c.Row.Value(floor)
		time, timed := c.Row.Value(whole)
		recall, _ := c.Row.Value(metric.Recall)
		if !ok || !timed {
			continue
		}
		lines = append(lines, fmt.Sprintf("| %s | %s | %s | %s | %s |", c.Family.Name, say.Ratio(recall.Median), say.Format(metric.Seconds, time.Median),
			say.Format(metric.Seconds, call.Median), fmt.Sprintf("%.0f %%", 100*min(1, call.Median/time.Median))))
	}
	if len(lines) == 0 {
		return
	}
	p.say("\n## What the call costs\n")
	p.say("Of the families outside annbench, the fastest setting of recall %.2f or more: its time a query%s, and that of the same call on an index of a few "+
		"vectors, which a program that calls the library by itself would not pay.\n", judge.Target, say.Clock(clock))
	p.say("| family | recall | time | the call | share |\n| --- | ---: | ---: | ---: | ---: |\n%s", strings.Join(lines, "\n"))
}
