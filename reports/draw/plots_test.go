package draw

import (
	"math"
	"slices"
	"strings"
	"testing"

	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/reports/judge"

	"golang.org/x/image/font"
)

// texts keeps where the labels of the upright axis stand.
type texts struct {
	Surface
	at map[string]float64
}

func (s *texts) Line([]XY, float64, Paint, Dash)                    {}
func (s *texts) Point(float64, float64, float64, mark, Paint, bool) {}
func (s *texts) Mark(string) mark                                   { return 0 }
func (s *texts) Begin(string, string, bool)                         {}
func (s *texts) End()                                               {}
func (s *texts) Slack() float64                                     { return 1 }
func (s *texts) Text(_, y float64, str string, _ float64, a anchor, _ Paint, _ font.Weight) {
	if a == Right {
		s.at[str] = y
	}
}

// Recall from 0 to 1 squeezes the middle of the logit scale: labels that would lie on each other are left out.
func TestPlotLabelsApart(t *testing.T) {
	f := &plotFigure{level: math.NaN(), y: axisScale{kind: logits, unit: metric.Ratio}, series: []plotSeries{{points: []plotPoint{
		{x: 1, y: 0, lo: math.NaN(), hi: math.NaN()}, {x: 2, y: 1, lo: math.NaN(), hi: math.NaN()},
	}}}}
	s := &texts{at: map[string]float64{}}
	f.Draw(s, 400)
	if _, ok := s.at["1"]; len(s.at) < 5 || !ok {
		t.Errorf("%d labels: %v", len(s.at), s.at)
	}
	for a, y := range s.at {
		for b, z := range s.at {
			if a != b && math.Abs(y-z) < lineHeight {
				t.Errorf("%s and %s are %.1f pixels apart", a, b, math.Abs(y-z))
			}
		}
	}
}

// TestTicks: every axis has at least two numbers, in order and within it, and none is minus nothing.
func TestTicks(t *testing.T) {
	for _, a := range []axisScale{
		{kind: logarithmic, unit: metric.Bytes}, {kind: logarithmic, unit: metric.Seconds}, {kind: logarithmic, unit: metric.PerSecond}, {zero: true, unit: metric.Ratio},
	} {
		for _, from := range []float64{1e-6, 0.3, 0.99, 1, 21, 64, 100, 213, 1024, 2300, 7e6, 5e9} {
			for _, times := range []float64{1, 1.1, 1.9, 3, 12, 130, 1e4, 1e8} {
				if a.unit == metric.Bytes && from < 1 {
					continue // there are no such sizes
				}
				lo, hi, ticks := a.scale([]float64{from, from * times}, 400)
				if len(ticks) < 2 || !slices.IsSorted(ticks) || len(ticks) > 12 {
					t.Errorf("%v from %v to %v: ticks %v", a, from, from*times, ticks)
				}
				for _, v := range ticks {
					if at := a.at(v); at < lo-1e-6*(hi-lo) || at > hi+1e-6*(hi-lo) {
						t.Errorf("%v from %v to %v: tick %v is outside", a, from, from*times, v)
					}
				}
			}
		}
		if _, _, ticks := (axisScale{zero: true}).scale([]float64{0.4, 1}, 400); math.Signbit(ticks[0]) || ticks[0] != 0 {
			t.Errorf("the first tick is %v, want 0", ticks[0])
		}
	}
	_, _, ticks := (axisScale{kind: logarithmic, unit: metric.Bytes}).scale([]float64{70, 140}, 400)
	if want := []float64{64, 96, 128}; !slices.Equal(ticks, want) {
		t.Errorf("ticks from 70 to 140 bytes are %v, want %v", ticks, want)
	}
}

// TestChurnDashes: a family that changes, and the same built anew more or less often, have three kinds of line, and a legend
// shows them; what needs no index looks like no family.
func TestChurnDashes(t *testing.T) {
	c := &judge.Churned{Lines: []judge.ChurnLine{{}, {Rebuild: 5}, {Rebuild: 1}}}
	for i, want := range []Dash{Solid, Dotted, Dashed} {
		if got := rebuildDash(c, &c.Lines[i]); got != want {
			t.Errorf("rebuilt every %d: dash %d, not %d", c.Lines[i].Rebuild, got, want)
		}
	}
	points := []plotPoint{{x: 1, y: 1, lo: math.NaN(), hi: math.NaN(), open: true}, {x: 2, y: 2, lo: math.NaN(), hi: math.NaN(), open: true}}
	f := &plotFigure{level: math.NaN(), Legend: true, series: []plotSeries{{family: "a", points: points, joined: true, dash: Dotted, hollow: true}}}
	s := &PageSurface{Class: func(string) string { return "f0" }, Hue: func(string) Hue { return known[0].hue }}
	f.Draw(s, 400)
	if n := strings.Count(s.B.String(), "l f0 dots"); n != 2 {
		t.Errorf("%d dotted lines, not that of the plot and that of the legend", n)
	}
	if strings.Contains(s.B.String(), "pt f f0") {
		t.Error("a mark is not hollow")
	}
	hues := Colours([]string{judge.Scan, "flat"})
	if hues[judge.Scan] == hues["flat"] {
		t.Errorf("a scan looks like flat: %v", hues)
	}
}

// TestFilterPlaces: a point stands at the share that passes, which of few vectors is not the share that was asked for.
func TestFilterPlaces(t *testing.T) {
	row := &judge.Row{Cell: record.Cell{Family: "hnsw", K: 10}}
	point := &judge.FilterPoint{Row: row, Recall: judge.Value{Median: 0.9}, Time: judge.Value{Median: 1e-3}}
	f := &judge.Filtered{
		Terms: judge.Terms{K: 10}, Time: metric.CPU,
		Filters: []judge.FilterUse{{Name: "made", Made: true, Asked: 0.01, Correlation: "near", Selectivity: 1. / 120, Unfilled: 1}},
		Lines:   []judge.FilterLine{{Family: "hnsw", Way: "inside", Points: []*judge.FilterPoint{point}}},
	}
	fig := filterFigure(f, "near", f.Time)
	if len(fig.series) != 1 || len(fig.series[0].points) != 1 || fig.series[0].points[0].x != 1./120 || !slices.Equal(fig.x.ticks, []float64{0.0083}) {
		t.Fatalf("%+v, ticks %v", fig.series, fig.x.ticks)
	}
	if title := fig.series[0].points[0].title; !strings.Contains(title, "0.8333 % of the vectors pass; fewer than 10 for 100 % of the queries") {
		t.Errorf("the point says %q", title)
	}
}
