package draw

import (
	"math"
	"testing"

	"annbench/bench/metric"

	"golang.org/x/image/font"
)

// texts keeps where the labels of the upright axis stand.
type texts struct {
	Surface
	at map[string]float64
}

func (s *texts) Line([]XY, float64, Paint, bool)                    {}
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
	if len(s.at) < 5 {
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
