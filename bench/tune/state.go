package tune

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"annbench/bench/record"
	"annbench/indexes"
	"annbench/internal/atomicfile"
)

// version is that of the way of searching: a log of another one is not continued.
const version = 1

// State is the log of a search, with the settings as values.
type State struct {
	record.Search
	Results []*Result
}

// OpenState reads the log of a search for what asked says, and begins one where there is none. A log of another
// question is an error.
func OpenState(dir, asked string, families []*indexes.Family) (*State, error) {
	old, err := record.ReadSearch(dir)
	if err != nil {
		return nil, err
	}
	s := &State{Search: record.Search{Version: version, Asked: asked}}
	if old == nil {
		return s, nil
	}
	if old.Version != version || old.Asked != asked {
		return nil, fmt.Errorf("%s holds a search for something else (%s): name another folder with --out, or move this one away", dir, old.Asked)
	}
	s.Search = *old
	s.Tries = nil
	for _, t := range old.Tries {
		i := slices.IndexFunc(families, func(f *indexes.Family) bool { return f.Name == t.Family })
		if i < 0 {
			continue
		}
		r := &Result{Try: t, family: families[i]}
		if r.arm, err = typed(r.family, r.family.Build, t.Arm); err == nil {
			r.build, err = typed(r.family, r.family.Build, t.Build)
		}
		if err == nil && t.Search != "" {
			r.search, err = typed(r.family, r.family.Search, t.Search)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Join(dir, record.SearchFile), err)
		}
		s.add(r)
	}
	return s, nil
}

// Save writes the log.
func (s *State) Save(dir string) error {
	return atomicfile.WriteJSON(filepath.Join(dir, record.SearchFile), s.Search)
}

// typed are settings out of their canonical form.
func typed(f *indexes.Family, params []indexes.Param, text string) (indexes.Params, error) {
	p := indexes.Params{}
	for _, field := range strings.Fields(text) {
		name, value, _ := strings.Cut(field, "=")
		p[name] = value
		for _, param := range params {
			if param.Name != name {
				continue
			}
			switch param.Kind {
			case indexes.Int, indexes.Float:
				x, err := strconv.ParseFloat(value, 64)
				if err != nil {
					return nil, err
				}
				p[name] = x
			case indexes.Bool:
				p[name] = value == "true"
			}
		}
	}
	return f.Settings(params, p)
}

func (s *State) add(r *Result) {
	if r.Failed != "" && s.find(r.Rows, r.Family, r.Arm) != nil {
		return
	}
	s.Results, s.Tries = append(s.Results, r), append(s.Tries, r.Try)
}

func (s *State) skip(name string) {
	if !slices.Contains(s.Untried, name) {
		s.Untried = append(s.Untried, name)
	}
}

func (s *State) find(rows int, family, arm string) *Result {
	for _, r := range s.Results {
		if r.Rows == rows && r.Family == family && r.Arm == arm {
			return r
		}
	}
	return nil
}

// largest is the result of a build on the most vectors.
func (s *State) largest(family, arm string) (found *Result) {
	for _, r := range s.Results {
		if r.Family == family && r.Arm == arm && r.OK() && (found == nil || r.Rows > found.Rows) {
			found = r
		}
	}
	return found
}

// of are the results of a family on so many vectors that came to something.
func (s *State) of(f *indexes.Family, rows int) (out []*Result) {
	for _, r := range s.Results {
		if r.Rows == rows && r.family == f && r.OK() {
			out = append(out, r)
		}
	}
	return out
}

func (s *State) count(f *indexes.Family, rows int) (n int) {
	for _, r := range s.Results {
		if r.Rows == rows && r.family == f {
			n++
		}
	}
	return n
}

// best is the best result of a family on so many vectors, nil where there is none.
func (s *State) best(r *Race, f *indexes.Family, rows int) (best *Result) {
	for _, x := range s.of(f, rows) {
		if best == nil || r.better(r.expect(x), r.expect(best)) < 0 {
			best = x
		}
	}
	return best
}

// Failures are the families that lost their turn, each with the reason, once.
func (s *State) Failures() (out []*Result) {
	for _, r := range s.Results {
		if !r.OK() && !slices.ContainsFunc(out, func(o *Result) bool { return o.Family == r.Family && o.Failed == r.Failed }) {
			out = append(out, r)
		}
	}
	return out
}
