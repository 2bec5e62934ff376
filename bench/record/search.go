package record

import (
	"errors"
	"io/fs"
	"path/filepath"

	"annbench/internal/atomicfile"
)

// SearchFile is the log of a search for settings, in the results folder of its answer.
const SearchFile = "tune.json"

// Search is such a log: what was asked, and what was found on the way. The records of its builds are in folders of
// their own, below [SearchDir].
type Search struct {
	Version int `json:"version"` // of the way of searching
	// Asked is the question in canonical form; Limits, Objective and Prices are parts of it.
	Asked     string  `json:"asked"`
	Limits    []Bound `json:"limits"`
	Objective string  `json:"objective"`
	Prices    *Prices `json:"prices,omitempty"`  // where the objective is the cost
	Quality   string  `json:"quality,omitempty"` // the quantity that effort was decided by
	Bound     float64 `json:"bound,omitempty"`   // its limit
	Rows      int     `json:"rows"`              // of the whole
	Queries   int     `json:"queries"`           // that the search was made with
	Tries     []*Try  `json:"tries"`             // in the order in which they were found
	// Untried are builds that the budget left out.
	Untried []string `json:"untried,omitempty"`
	Spent   float64  `json:"spent"` // seconds, of all sessions
	Done    bool     `json:"done"`  // the answer was measured
	// Enough is how many queries would have told the quality of the answer well enough, where there were too few.
	Enough int `json:"enough,omitempty"`
}

// Bound is a limit: a quantity of package metric's table, and how much of it is the most, or the least where more is
// better.
type Bound struct {
	Name  string  `json:"name"`
	Bound float64 `json:"bound"`
}

// Prices say what a month of serving costs: processor time and memory, at a load.
type Prices struct {
	Currency string  `json:"currency,omitempty" yaml:"currency"`           // for people: EUR
	Core     float64 `json:"core" yaml:"core"`                             // of a processor core, a month
	GiB      float64 `json:"gib" yaml:"gib"`                               // of a GiB of memory, a month
	QPS      float64 `json:"queries_per_second" yaml:"queries_per_second"` // that are asked, on average over the busiest hour
	Busy     float64 `json:"busy,omitempty" yaml:"busy"`                   // share of its time that a core may be busy for; 0 is a half
}

// SearchDir is the folder below that of the answer that holds one results folder for each number of vectors.
const SearchDir = "search"

// Try is what was found of one build of one size.
type Try struct {
	Rows   int    `json:"rows"` // of the base
	Family string `json:"family"`
	// Arm are the build settings that these stand for on the whole: Build, but for those that grow with the number of
	// vectors. Search are the settings that keep the limit of quality in the least time, or where Reached is false
	// those of the highest quality. All in canonical form.
	Arm     string  `json:"arm"`
	Build   string  `json:"build"`
	Search  string  `json:"search,omitempty"`
	Reached bool    `json:"reached"`
	Quality float64 `json:"quality"` // of what the limit of quality is on
	Worst   float64 `json:"worst"`   // the worse end of its interval
	Seconds float64 `json:"seconds"` // a query, as tried: processor time
	// Score are the seconds a query against the other builds of this size, from races.
	Score  float64            `json:"score"`
	Cost   map[string]float64 `json:"cost,omitempty"`   // of the build and the loaded index, by the names of package metric
	Values map[string]float64 `json:"values,omitempty"` // of the answers, likewise
	Steps  []Step             `json:"steps,omitempty"`
	Took   float64            `json:"took"` // seconds that all of it took
	// Measured says that there is a record of it.
	Measured bool `json:"measured"`
	// Failed says why there is nothing else: how the build ended.
	Failed string `json:"failed,omitempty"`
}

// Step is one setting that was tried on a sample of the queries.
type Step struct {
	Search  string  `json:"search"`
	Queries int     `json:"queries"`
	Quality float64 `json:"quality"`
	Seconds float64 `json:"seconds"`
}

// ReadSearch reads the log of a results folder; it is nil where there is none.
func ReadSearch(dir string) (*Search, error) {
	s := &Search{}
	err := atomicfile.ReadJSON(filepath.Join(dir, SearchFile), s)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return s, nil
}
