package interchange

import (
	"annbench/reports/judge"
	"annbench/reports/say"
)

// Pick is a pick for programs.
type Pick struct {
	Terms   string      `json:"terms"`
	Limits  []string    `json:"limits"`
	Fits    bool        `json:"fits"`
	Pick    *Candidate  `json:"pick,omitempty"`
	Others  []Candidate `json:"runners_up,omitempty"`
	Nearest *Candidate  `json:"nearest,omitempty"`
	Once    bool        `json:"measured_once,omitempty"`
	// MoreRecall is what More of [judge.Pick] is.
	MoreRecall float64 `json:"time_for_one_percent_more_recall,omitempty"`
}

// Candidate is a setting of a [Pick].
type Candidate struct {
	Cell    string             `json:"cell"`
	Family  string             `json:"family"`
	Build   string             `json:"build,omitempty"`
	Search  string             `json:"search,omitempty"`
	QPS     float64            `json:"qps"`
	Clock   string             `json:"clock"` // of QPS: "processor" or "wall"; those of values are the quantities' own
	Tied    bool               `json:"tied,omitempty"`
	Values  map[string]float64 `json:"values"`  // of the limits
	Worst   map[string]float64 `json:"worst"`   // the ends of their intervals that decided
	Margins map[string]float64 `json:"margins"` // see [judge.Margin.Room]
}

// clockName is the clock that a speed goes by.
func clockName(c judge.Clock) string {
	if c == judge.Processor {
		return "processor"
	}
	return "wall"
}

// PickSummary is p for programs.
func PickSummary(p judge.Pick) Pick {
	s := Pick{Terms: say.Terms(p.Terms), Fits: p.Best != nil, Once: p.Once, MoreRecall: p.More}
	for _, l := range p.Limits {
		s.Limits = append(s.Limits, say.Limit(l))
	}
	one := func(c *judge.Candidate) *Candidate {
		if c == nil {
			return nil
		}
		out := &Candidate{
			Cell: c.Row.Cell.ID(), Family: c.Row.Cell.Family, Build: c.Row.Cell.Build, Search: c.Row.Cell.Search,
			QPS: c.Speed.Median, Clock: clockName(c.Row.Clock()), Tied: c.Tied, Values: map[string]float64{}, Worst: map[string]float64{}, Margins: map[string]float64{},
		}
		for _, m := range c.Margins {
			if m.OK {
				out.Values[m.Limit.Name], out.Worst[m.Limit.Name], out.Margins[m.Limit.Name] = m.Value.Median, m.Worst, m.Room
			}
		}
		return out
	}
	s.Pick, s.Nearest = one(p.Best), one(p.Nearest)
	for i := range p.Others {
		s.Others = append(s.Others, *one(&p.Others[i]))
	}
	return s
}
