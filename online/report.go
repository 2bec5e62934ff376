package online

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"annbench/internal/words"
)

// What makes a session look like a program: more lists in ten minutes than people look at, clicks faster than they
// read, or clicks on nearly everything.
const (
	robotLists    = 100
	robotWindow   = 10 * time.Minute
	robotClicks   = 10                     // from which on the speed of clicks is looked at
	robotGap      = 500 * time.Millisecond // median time between clicks
	robotShown    = 30                     // items, from which on the share that was clicked is looked at
	robotShare    = 0.8
	stillOpen     = 30 * time.Minute // since the last line of a session: more may come
	mismatchLevel = 0.001            // of the test for a mismatch of arms
)

// Rate is how often something was done with the items that an arm showed.
type Rate struct {
	What     string   `json:"what"` // Click or Basket
	Arm      int      `json:"arm"`  // 1 or 2
	Rank     int      `json:"rank,omitempty"`
	Category string   `json:"category,omitempty"` // of what was searched for; with neither it is of all
	Done     int      `json:"done"`
	Shown    int      `json:"shown"` // items
	Share    float64  `json:"share"`
	Interval Interval `json:"interval"` // bootstrap over sessions
}

// Report is what a log shows.
type Report struct {
	Experiment string    `json:"experiment"`
	Mode       string    `json:"mode"`
	Arms       []Arm     `json:"arms"`
	From       time.Time `json:"from"`
	To         time.Time `json:"to"`

	Sessions int `json:"sessions"` // robots are none
	Open     int `json:"open"`     // of them: more may come. They are no part of what holds at all times
	Robots   int `json:"robots"`
	Lists    int `json:"lists"`  // of those sessions
	Events   int `json:"events"` // with items of those lists; twice is once
	// Orphans are events whose list is not in the log: it was in the group that a crash took.
	Orphans int `json:"orphans"`
	// SetBack is how often the clock of the server was set back; times of later lines are counted on.
	SetBack int `json:"set_back,omitempty"`

	// Of an interleaved experiment: sessions with more votes for arm 1, for arm 2, and for neither.
	Wins [2]int `json:"wins"`
	Ties int    `json:"ties"`

	// Share is the share of sessions that arm 2 won, of those that one of them won; or, with Split, how many more
	// clicks a list arm 2 got, as a mean over sessions.
	Share    float64  `json:"share"`
	Interval Interval `json:"interval"`
	// P is the p-value at a size that was decided before; AlwaysP and Always hold however often one looks. Always
	// is missing where there are too few sessions.
	P       float64   `json:"p"`
	AlwaysP float64   `json:"always_p"`
	Always  *Interval `json:"always,omitempty"`
	// Winner is the arm that is better, by AlwaysP: 1, 2, or 0 where that is not known.
	Winner int `json:"winner"`
	// Needed is how many more sessions would show a difference of the size that was seen, four times in five; 0
	// where there is a winner, missing where no difference was seen.
	Needed *int `json:"needed,omitempty"`

	// Assigned are the sessions of each arm, or the lists that each began; as many of each are expected.
	Assigned  [2]int  `json:"assigned"`
	MismatchP float64 `json:"mismatch_p"`
	Mismatch  bool    `json:"mismatch"`

	Rates []Rate `json:"rates"`
}

type shownList struct {
	line Line
	done map[string]map[int]bool // by what: ranks
}

type visit struct {
	id     string
	first  time.Time // the earliest line
	last   time.Time // the latest
	lists  []*shownList
	clicks []time.Time
}

// heard notes a line of that time. Lines need not come in order: clicks are gone through after all lists.
func (v *visit) heard(at time.Time) {
	if at.Before(v.first) {
		v.first = at
	}
	if at.After(v.last) {
		v.last = at
	}
}

// steady makes the time of a log one that does not go back: where a clock was set back, later lines are as much later. What
// lines of one moment lack in order is none of that.
type steady struct {
	latest time.Time
	back   time.Duration
	Jumps  int
}

// setBack is how much earlier than the latest line a line is, at least, where a clock was set back.
const setBack = time.Minute

func (s *steady) time(at time.Time) time.Time {
	at = at.Add(s.back)
	if late := s.latest.Sub(at); late >= setBack {
		s.Jumps++
		s.back += late
		at = s.latest
	}
	if at.After(s.latest) {
		s.latest = at
	}
	return at
}

// Analyze reads the log in dir. The experiment is the last one, or that of the name where it is not empty.
func Analyze(dir, experiment string) (*Report, error) {
	type key struct{ experiment, session string }
	visits := map[key]*visit{}
	lists := map[string]*shownList{}
	owner := map[string]*visit{}
	experiments := map[string]Line{}
	var order []string
	var events []Line
	var clock steady
	err := ReadLog(dir, func(l Line) error {
		l.At = clock.time(l.At)
		switch l.Kind {
		case KindExperiment:
			if len(l.Arms) != 2 || l.Mode != Interleaved && l.Mode != Split {
				return errors.New("an experiment has a mode and two arms")
			}
			experiments[l.Experiment] = l
			order = append(slices.DeleteFunc(order, func(n string) bool { return n == l.Experiment }), l.Experiment)
		case KindImpression:
			if e, ok := experiments[l.Experiment]; !ok {
				return fmt.Errorf("a list of the experiment %q, which did not begin", l.Experiment)
			} else if e.Mode == Interleaved && (len(l.Teams) != len(l.Items) || l.Arm != 0) || e.Mode == Split && l.Arm != 1 && l.Arm != 2 {
				return errors.New("a list without teams, or without an arm")
			}
			k := key{l.Experiment, l.Session}
			v := visits[k]
			if v == nil {
				v = &visit{id: l.Session, first: l.At}
				visits[k] = v
			}
			s := &shownList{l, map[string]map[int]bool{}}
			v.lists = append(v.lists, s)
			v.heard(l.At)
			lists[l.ID], owner[l.ID] = s, v
		case KindEvent:
			events = append(events, l)
		default:
			return fmt.Errorf("a line of an unknown kind, %q", l.Kind)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(order) == 0 {
		return nil, fmt.Errorf("%s holds no experiment: annbench serve --interleave A,B or --split A,B begins one", dir)
	}
	name := cmp.Or(experiment, order[len(order)-1])
	e, ok := experiments[name]
	if !ok {
		return nil, fmt.Errorf("%s holds no experiment %q, but %s", dir, name, strings.Join(order, "; "))
	}
	r := &Report{Experiment: name, Mode: e.Mode, Arms: e.Arms, SetBack: clock.Jumps, P: 1, AlwaysP: 1}
	for _, l := range events {
		s := lists[l.ID]
		if s == nil || l.Rank < 1 || l.Rank > len(s.line.Items) {
			r.Orphans++
			continue
		}
		v := owner[l.ID]
		if s.done[l.What] == nil {
			s.done[l.What] = map[int]bool{}
		}
		if s.done[l.What][l.Rank] {
			continue // once more is no more
		}
		s.done[l.What][l.Rank] = true
		v.heard(l.At)
		v.clicks = append(v.clicks, l.At)
	}
	var all []*visit
	for k, v := range visits {
		if k.experiment != name {
			continue
		}
		if v.robot() {
			r.Robots++
			continue
		}
		all = append(all, v)
	}
	// By their ends: the order in which sessions became complete.
	slices.SortFunc(all, func(a, b *visit) int { return cmp.Or(a.last.Compare(b.last), strings.Compare(a.id, b.id)) })
	r.judge(all)
	return r, nil
}

func (v *visit) robot() bool {
	for i := range v.lists {
		if j := i + robotLists; j < len(v.lists) && v.lists[j].line.At.Sub(v.lists[i].line.At) < robotWindow {
			return true
		}
	}
	if len(v.clicks) >= robotClicks {
		var gaps []time.Duration
		for i := 1; i < len(v.clicks); i++ {
			gaps = append(gaps, v.clicks[i].Sub(v.clicks[i-1]))
		}
		slices.Sort(gaps)
		if gaps[len(gaps)/2] < robotGap {
			return true
		}
	}
	shown, done := 0, 0
	for _, l := range v.lists {
		shown += len(l.line.Items)
		done += len(l.any())
	}
	return shown >= robotShown && float64(done) > robotShare*float64(shown)
}

// any is the ranks of a list with which something was done.
func (l *shownList) any() map[int]bool {
	out := map[int]bool{}
	for _, ranks := range l.done {
		maps.Copy(out, ranks)
	}
	return out
}

// arm is the one that an item of the list is to the credit of: 1, 2, or 0.
func (l *shownList) arm(rank int) int {
	if l.line.Arm > 0 {
		return l.line.Arm
	}
	switch l.line.Teams[rank-1] {
	case TeamA:
		return 1
	case TeamB:
		return 2
	}
	return 0
}

// tau is the difference of clicks a list that the prior of [Means] expects.
const tau = 0.05

// judge compares the arms. Sessions are the observations: what one person does several times is one.
func (r *Report) judge(all []*visit) {
	r.Sessions = len(all)
	for _, v := range all {
		r.Lists += len(v.lists)
		r.Events += len(v.clicks)
		if r.From.IsZero() || v.first.Before(r.From) {
			r.From = v.first
		}
		if v.last.After(r.To) {
			r.To = v.last
		}
	}
	var sequential Sequential
	complete, every := Means{Tau: tau}, Means{Tau: tau}
	var sessions [2][]ratio
	longest := 0 // list, of which each item can be clicked
	for _, v := range all {
		open := r.To.Sub(v.last) < stillOpen
		if open {
			r.Open++
		}
		votes := [3]int{}
		for _, l := range v.lists {
			longest = max(longest, len(l.line.Items))
			for rank := range l.any() {
				votes[l.arm(rank)]++
			}
			if r.Mode == Interleaved && len(l.line.Items) > 0 && l.arm(1) > 0 {
				r.Assigned[l.arm(1)-1]++
			}
		}
		if r.Mode == Split {
			arm := v.lists[0].line.Arm - 1
			r.Assigned[arm]++
			x := float64(votes[arm+1]) / float64(len(v.lists))
			every.Add(arm, x)
			sessions[arm] = append(sessions[arm], ratio{x, 1})
			if !open {
				complete.Add(arm, x)
			}
			continue
		}
		switch {
		case votes[1] == votes[2]:
			r.Ties++
			continue
		case votes[1] > votes[2]:
			r.Wins[0]++
		default:
			r.Wins[1]++
		}
		if !open {
			sequential.Add(votes[2] > votes[1])
		}
	}
	needed := math.Inf(1)
	if r.Mode == Interleaved {
		n := r.Wins[0] + r.Wins[1]
		r.Share, r.Interval = 0.5, ShareInterval(r.Wins[1], n)
		if n > 0 {
			r.Share = float64(r.Wins[1]) / float64(n)
			// Ties are sessions too: they are needed beside those that decide.
			needed = neededForShare(r.Share) * float64(r.Sessions) / float64(n)
		}
		r.P, r.AlwaysP = SignTest(r.Wins[0], r.Wins[1]), sequential.P()
		always := AlwaysShare(sequential.Wins, sequential.Wins+sequential.Losses)
		r.Always = &always
		if r.AlwaysP < Level {
			r.Winner = 1
			if sequential.Wins > sequential.Losses {
				r.Winner = 2
			}
		}
	} else {
		r.Share, r.P, r.AlwaysP = every.Difference(), every.Fixed(), complete.P()
		r.Interval = bootstrapDifference(sessions[0], sessions[1], float64(longest), 1)
		if always, ok := complete.Always(); ok {
			r.Always = &always
		}
		if r.AlwaysP < Level {
			r.Winner = 1
			if complete.Difference() > 0 {
				r.Winner = 2
			}
		}
		needed = neededForMeans(every.Difference(), every.perSession())
	}
	switch {
	case r.Winner > 0:
		r.Needed = new(int)
	case !math.IsInf(needed, 0) && !math.IsNaN(needed) && needed < 1e9:
		more := max(1, int(math.Ceil(needed))-r.Sessions)
		r.Needed = &more
	}
	r.MismatchP = SignTest(r.Assigned[0], r.Assigned[1])
	r.Mismatch = r.MismatchP < mismatchLevel
	r.rates(all)
}

// rates counts by arm, by rank and by category.
func (r *Report) rates(all []*visit) {
	type cell struct {
		what, category string
		arm, rank      int
	}
	sums := map[cell][]ratio{} // by session
	for _, v := range all {
		mine := map[cell]ratio{}
		for _, l := range v.lists {
			for i := range l.line.Items {
				arm := l.arm(i + 1)
				if arm == 0 {
					continue
				}
				for _, what := range []string{Click, Basket} {
					done := 0.0
					if l.done[what][i+1] || what == Click && l.any()[i+1] {
						done = 1
					}
					cells := []cell{{what, "", arm, 0}, {what, "", arm, i + 1}}
					if l.line.Category != "" {
						cells = append(cells, cell{what, l.line.Category, arm, 0})
					}
					for _, c := range cells {
						sum := mine[c]
						mine[c] = ratio{sum.happened + done, sum.chances + 1}
					}
				}
			}
		}
		for c, sum := range mine {
			sums[c] = append(sums[c], sum)
		}
	}
	r.Rates = []Rate{}
	cells := slices.SortedFunc(maps.Keys(sums), func(a, b cell) int {
		return cmp.Or(cmp.Compare(b.what, a.what), cmp.Compare(a.category, b.category), cmp.Compare(a.rank, b.rank), cmp.Compare(a.arm, b.arm))
	})
	for _, c := range cells {
		rate := Rate{What: c.what, Arm: c.arm, Rank: c.rank, Category: c.category, Interval: bootstrap(sums[c], 1)}
		for _, s := range sums[c] {
			rate.Done += int(s.happened)
			rate.Shown += int(s.chances)
		}
		rate.Share = float64(rate.Done) / float64(rate.Shown)
		r.Rates = append(r.Rates, rate)
	}
}

// measured are the offline quantities that stand beside the clicks, with how they are called and printed.
var measured = []struct {
	name, label, format string
	times               float64
}{
	{"recall", "recall", "%.3f", 1}, {"map", "mAP", "%.3f", 1}, {"latency_p50", "p50", "%.0f µs", 1e6}, {"latency_p99", "p99", "%.0f µs", 1e6},
}

// WriteText says it to people.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("%s, %s", r.Experiment, map[string]string{Interleaved: "interleaved", Split: "split by session"}[r.Mode])
	for i, a := range r.Arms {
		var offline []string
		for n, text := range a.Offline() {
			if text != "" {
				offline = append(offline, measured[n].label+" "+text)
			}
		}
		line("  %d: %s%s", i+1, a.Name, map[bool]string{true: "  (offline: " + strings.Join(offline, ", ") + ")"}[len(offline) > 0])
	}
	line("%s, %s, %s; set aside: %s that %s like programs",
		words.Count(r.Sessions, "session"), words.Count(r.Lists, "list"), words.Count(r.Events, "event"), words.Count(r.Robots, "session"),
		map[bool]string{true: "looks", false: "look"}[r.Robots == 1])
	if r.Open > 0 {
		line("%s may still go on, and %s no part of what holds at all times", words.Count(r.Open, "session"), map[bool]string{true: "is", false: "are"}[r.Open == 1])
	}
	if r.Orphans > 0 {
		line("warning: %s of lists that are not in the log were left out", words.Count(r.Orphans, "event"))
	}
	if r.SetBack > 0 {
		line("note: the clock of the server was set back %s; later times are counted on", words.Count(r.SetBack, "time"))
	}
	if r.Mismatch {
		line("warning: %d and %d were assigned where as many of each are expected (p = %.2g): something loses sessions of one arm; do not believe the rest",
			r.Assigned[0], r.Assigned[1], r.MismatchP)
	}
	line("")
	if r.Mode == Interleaved {
		line("sessions won: %d by 1, %d by 2, %d by neither", r.Wins[0], r.Wins[1], r.Ties)
		line("share of 2:   %s, exact sign test p = %.3g", percent(r.Share, r.Interval), r.P)
	} else {
		line("clicks a list, 2 less 1: %+.4f (%+.4f to %+.4f), p = %.3g", r.Share, r.Interval.Low, r.Interval.High, r.P)
	}
	if r.Always != nil {
		if r.Mode == Interleaved {
			line("however often one looks: %s to %s, p = %.3g", share(r.Always.Low), share(r.Always.High), r.AlwaysP)
		} else {
			line("however often one looks: %+.4f to %+.4f, p = %.3g", r.Always.Low, r.Always.High, r.AlwaysP)
		}
	}
	switch {
	case r.Winner > 0:
		line("%d is better: %s", r.Winner, r.Arms[r.Winner-1].Name)
	case r.Needed == nil:
		line("no difference was seen yet")
	default:
		line("not decided; a difference as large as the one seen needs about %s", words.Count(*r.Needed, "more session"))
	}
	line("")
	line("%-8s %-24s %3s  %s", "what", "of", "arm", "share of the items shown (95 %, sessions drawn anew)")
	for _, rate := range r.Rates {
		line("%-8s %-24s %3d  %s  %d of %d", rate.What, rate.Of(), rate.Arm, percent(rate.Share, rate.Interval), rate.Done, rate.Shown)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Of says what the rate is of: a rank, a category, or all.
func (r Rate) Of() string {
	switch {
	case r.Rank > 0:
		return fmt.Sprintf("rank %d", r.Rank)
	case r.Category != "":
		return r.Category
	}
	return "all"
}

// Offline is what was measured of the arm, as text: recall, mAP, and two times of a query; empty where it was not.
func (a Arm) Offline() []string {
	out := make([]string, len(measured))
	for i, m := range measured {
		if v, ok := a.Measured[m.name]; ok {
			out[i] = fmt.Sprintf(m.format, v*m.times)
		}
	}
	return out
}

func share(v float64) string { return fmt.Sprintf("%.1f %%", 100*v) }

func percent(v float64, in Interval) string {
	return fmt.Sprintf("%s (%s to %s)", share(v), share(in.Low), share(in.High))
}
