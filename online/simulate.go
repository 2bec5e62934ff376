package online

import (
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
)

// Query is what a ranking answers to one query, with real labels.
type Query struct {
	Relevant []bool  // of the answers, the nearest first
	Base     float64 // share of all items that are relevant
}

// Users are how simulated people go through a list.
const (
	// Position: an item at rank r is looked at with probability 1/r, whatever is above it (Richardson, Dominowska
	// and Ragno, Predicting clicks, WWW 2007).
	Position = "position"
	// Cascade: from the top, and on with probability 0.9, or 0.5 after a click (Craswell, Zoeter, Taylor and Ramsey,
	// An experimental comparison of click position-bias models, WSDM 2008; with more than one click, as Guo, Liu and
	// Wang have it, WSDM 2009).
	Cascade = "cascade"
)

// What people click: an item that they look at, if it is relevant or not. People differ: each has a factor drawn
// around 1, so that what one of them does is no independent observation.
const (
	clickRelevant = 0.4
	clickOther    = 0.05
	factorSpread  = 0.5 // standard deviation of the factor's logarithm
	onAfter       = 0.9
	onAfterClick  = 0.5
	anotherList   = 0.6 // probability of one more list in a session
	mostLists     = 10
)

// Simulation says what is simulated; the zero value of a field stands for what its comment says.
type Simulation struct {
	Queries  []Query
	Runs     int       // experiments of each kind: 1,000
	Sessions int       // of each: 2,000
	Damage   []float64 // shares of items that are replaced by random ones, in arm 2: 0.1, 0.2, 0.4
	Seed     uint64
}

// Both arms have this damage, so that they differ and are as good.
const equalDamage = 0.2

// lookEvery is after how many sessions somebody looks.
const lookEvery = 50

// Simulated is one kind of experiment.
type Simulated struct {
	Mode   string  `json:"mode"`
	Users  string  `json:"users"`
	Damage float64 `json:"damage"` // of arm 2, beyond that of arm 1; 0: equal arms
	Runs   int     `json:"runs"`
	// Shares of runs that called the arms different: at the end; at any look, by the same test; by what holds at all
	// times, looked at after every session; and by the latter in favour of the wrong arm.
	Fixed  float64 `json:"fixed"`
	Peeked float64 `json:"peeked"`
	Always float64 `json:"always"`
	Wrong  float64 `json:"wrong"`
	// Needed is how many sessions show the difference, as all runs together saw it, in four of five experiments whose
	// size is decided before;
	// Stopped is the median of those after which the sequential test called it, 0 where half of the runs did not.
	Needed  float64 `json:"needed,omitempty"`
	Stopped int     `json:"stopped,omitempty"`
}

// SimulationReport is all of them.
type SimulationReport struct {
	Queries  int         `json:"queries"`
	Sessions int         `json:"sessions"`
	Rows     []Simulated `json:"rows"`
}

// Run simulates all kinds: both designs, both kinds of users, equal arms and each damage.
func (s Simulation) Run(ctx context.Context, progress func(done, of int)) (*SimulationReport, error) {
	if len(s.Queries) == 0 {
		return nil, fmt.Errorf("nothing can be simulated: no query has a label")
	}
	if s.Runs == 0 {
		s.Runs = 1000
	}
	if s.Sessions == 0 {
		s.Sessions = 2000
	}
	if s.Damage == nil {
		s.Damage = []float64{0.1, 0.2, 0.4}
	}
	out := &SimulationReport{Queries: len(s.Queries), Sessions: s.Sessions}
	for _, users := range []string{Position, Cascade} {
		for _, mode := range []string{Interleaved, Split} {
			for _, damage := range append([]float64{0}, s.Damage...) {
				out.Rows = append(out.Rows, Simulated{Mode: mode, Users: users, Damage: damage, Runs: s.Runs})
			}
		}
	}
	for i := range out.Rows {
		if err := s.row(ctx, &out.Rows[i], uint64(i)); err != nil {
			return nil, err
		}
		if progress != nil {
			progress(i+1, len(out.Rows))
		}
	}
	return out, nil
}

// outcome is what one experiment came to.
type outcome struct {
	fixed, peeked, wrong bool
	stopped              int // 0: never
	wins, losses, ties   int // of an interleaved one
	// Of a split: the difference, and the variance of one session.
	difference, variance float64
}

func (s Simulation) row(ctx context.Context, row *Simulated, number uint64) error {
	outcomes := make([]outcome, s.Runs)
	var wait sync.WaitGroup
	next := make(chan int)
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			for run := range next {
				rng := rand.New(rand.NewPCG(s.Seed+number<<32, uint64(run)))
				if row.Mode == Interleaved {
					outcomes[run] = s.interleaved(row, rng)
				} else {
					outcomes[run] = s.split(row, rng)
				}
			}
		})
	}
	var err error
	for run := range s.Runs {
		if err = context.Cause(ctx); err != nil {
			break
		}
		next <- run
	}
	close(next)
	wait.Wait()
	if err != nil {
		return err
	}
	var stops []int
	share := func(is func(outcome) bool) float64 {
		n := 0
		for _, o := range outcomes {
			if is(o) {
				n++
			}
		}
		return float64(n) / float64(len(outcomes))
	}
	row.Fixed = share(func(o outcome) bool { return o.fixed })
	row.Peeked = share(func(o outcome) bool { return o.peeked })
	row.Always = share(func(o outcome) bool { return o.stopped > 0 })
	row.Wrong = share(func(o outcome) bool { return o.wrong })
	for _, o := range outcomes {
		stop := o.stopped
		if stop == 0 {
			stop = math.MaxInt
		}
		stops = append(stops, stop)
	}
	if row.Damage > 0 {
		slices.Sort(stops)
		if median := stops[len(stops)/2]; median < math.MaxInt {
			row.Stopped = median
		}
		row.Needed = neededBy(row.Mode, outcomes)
	}
	return nil
}

// neededBy is how many sessions show the difference that all runs together saw.
func neededBy(mode string, outcomes []outcome) float64 {
	var sum outcome
	for _, o := range outcomes {
		sum.wins += o.wins
		sum.losses += o.losses
		sum.ties += o.ties
		sum.difference += o.difference / float64(len(outcomes))
		sum.variance += o.variance / float64(len(outcomes))
	}
	if mode == Interleaved {
		decided := float64(sum.wins + sum.losses)
		return neededForShare(float64(sum.wins)/decided) * (decided + float64(sum.ties)) / decided
	}
	return neededForMeans(sum.difference, sum.variance)
}

// A random item is one of these numbers; those of the ranking are their ranks.
const (
	strangerOther    = 1 << 20 // and above, even
	strangerRelevant = strangerOther + 1
)

// room is for both arms' answers to any query.
func (s Simulation) room() (a, b []int) {
	most := 0
	for _, q := range s.Queries {
		most = max(most, len(q.Relevant))
	}
	return make([]int, most), make([]int, most)
}

// relevant reports whether an item of a simulated list is.
func (q *Query) relevant(item int) bool {
	if item >= strangerOther {
		return item&1 == 1
	}
	return q.Relevant[item]
}

// lists writes both arms' answers to a query into a and b, which are as long as the ranking.
func (s Simulation) lists(q *Query, a, b []int, damage float64, rng *rand.Rand) {
	strangers := 0
	spoil := func(list []int, share float64) {
		for i := range list {
			list[i] = i
			if share > 0 && rng.Float64() < share {
				list[i] = strangerOther + 2*strangers
				if rng.Float64() < q.Base {
					list[i] = strangerRelevant + 2*strangers
				}
				strangers++
			}
		}
	}
	if damage == 0 {
		spoil(a, equalDamage)
		spoil(b, equalDamage)
		return
	}
	spoil(a, 0)
	spoil(b, damage)
}

// click goes through a list as those users do, and calls clicked with the places of what they click.
func click(users string, q *Query, list []int, factor float64, rng *rand.Rand, clicked func(at int)) {
	for i, item := range list {
		if users == Position && rng.Float64() >= 1/float64(i+1) {
			continue
		}
		p := clickOther
		if q.relevant(item) {
			p = clickRelevant
		}
		on := onAfter
		if rng.Float64() < min(1, p*factor) {
			clicked(i)
			on = onAfterClick
		}
		if users == Cascade && rng.Float64() >= on {
			return
		}
	}
}

// session has one person look at lists until the person has enough.
func session(rng *rand.Rand, one func(factor float64)) {
	factor := math.Exp(factorSpread*rng.NormFloat64() - factorSpread*factorSpread/2)
	for n := 0; n < mostLists; n++ {
		one(factor)
		if rng.Float64() >= anotherList {
			return
		}
	}
}

func (s Simulation) interleaved(row *Simulated, rng *rand.Rand) (o outcome) {
	var all Sequential
	ties := 0
	a, b := s.room()
	for n := 1; n <= s.Sessions; n++ {
		votes := 0
		session(rng, func(factor float64) {
			q := &s.Queries[rng.IntN(len(s.Queries))]
			a, b := a[:len(q.Relevant)], b[:len(q.Relevant)]
			s.lists(q, a, b, row.Damage, rng)
			list, teams := Interleave(a, b, len(a), rng)
			click(row.Users, q, list, factor, rng, func(at int) {
				switch teams[at] {
				case TeamA:
					votes--
				case TeamB:
					votes++
				}
			})
		})
		if votes == 0 {
			ties++
		} else {
			all.Add(votes > 0)
		}
		if o.stopped == 0 && all.P() < Level {
			o.stopped, o.wrong = n, all.Wins > all.Losses
		}
		if n%lookEvery == 0 && SignTest(all.Wins, all.Losses) < Level {
			o.peeked = true
		}
	}
	o.fixed = SignTest(all.Wins, all.Losses) < Level
	o.wins, o.losses, o.ties = all.Wins, all.Losses, ties
	return o
}

func (s Simulation) split(row *Simulated, rng *rand.Rand) (o outcome) {
	all := Means{Tau: tau}
	a, b := s.room()
	for n := 1; n <= s.Sessions; n++ {
		arm, clicks, lists := rng.IntN(2), 0, 0
		session(rng, func(factor float64) {
			q := &s.Queries[rng.IntN(len(s.Queries))]
			a, b := a[:len(q.Relevant)], b[:len(q.Relevant)]
			s.lists(q, a, b, row.Damage, rng)
			if arm == 1 {
				a = b
			}
			lists++
			click(row.Users, q, a, factor, rng, func(int) { clicks++ })
		})
		all.Add(arm, float64(clicks)/float64(lists))
		if o.stopped == 0 && all.P() < Level {
			o.stopped, o.wrong = n, all.Difference() > 0
		}
		if n%lookEvery == 0 && all.Fixed() < Level {
			o.peeked = true
		}
	}
	o.fixed, o.difference, o.variance = all.Fixed() < Level, all.Difference(), all.perSession()
	return o
}

// Times is how many times as many sessions a split needs as interleaving does, for the same users and damage; 0 where
// either is not known.
func (r *SimulationReport) Times(users string, damage float64) float64 {
	var interleaved, split float64
	for _, row := range r.Rows {
		if row.Users == users && row.Damage == damage {
			if row.Mode == Interleaved {
				interleaved = row.Needed
			} else {
				split = row.Needed
			}
		}
	}
	if interleaved <= 0 || split <= 0 || math.IsInf(split, 0) {
		return 0
	}
	return split / interleaved
}

// WriteText is the table.
func (r *SimulationReport) WriteText(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, strings.Join([]string{"users", "design", "damage", "called at the end", "at any look", "at all times", "wrong arm", "sessions needed", "stopped after", "A/B needs"}, "\t"))
	for _, row := range r.Rows {
		needed, stopped, times := "", "", ""
		if row.Needed > 0 && !math.IsInf(row.Needed, 0) {
			needed = fmt.Sprintf("%.0f", row.Needed)
		}
		if row.Stopped > 0 {
			stopped = fmt.Sprint(row.Stopped)
		}
		if v := r.Times(row.Users, row.Damage); v > 0 && row.Mode == Interleaved {
			times = fmt.Sprintf("%.1f times as many", v)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", row.Users, row.Mode, share(row.Damage),
			share(row.Fixed), share(row.Peeked), share(row.Always), share(row.Wrong), needed, stopped, times)
	}
	return t.Flush()
}
