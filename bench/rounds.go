package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"annbench/bench/record"
	"annbench/indexes"
	"annbench/internal/proctree"
)

// Rounds: latency is not measured setting after setting, but of all settings in turn. What comes and goes
// on a machine in seconds (other programs, its frequency) then falls on all of them alike, and differences
// are taken between figures of one round. Every setting has a block of queries in every round, or several,
// in an order drawn from the seed; the rounds together ask every query at least once, and go on until
// every setting was timed for Sweep.Measure.
const (
	blockQueries = 50                   // of a block, about; fewer than 10 rounds would say little of chance
	leastRounds  = 10                   //
	mostRounds   = 200                  //
	leastBlock   = 2 * time.Millisecond // else handing it over takes longer than the block
	heldShare    = 0.7                  // of the machine's memory, for workers that wait
	workerBytes  = 48 << 20             // what a worker holds beside its index
)

// roundsOf is how many rounds there are of so many queries.
func roundsOf(queries int) int { return min(max(queries/blockQueries, leastRounds), mostRounds) }

// group are jobs whose indexes are loaded at once.
type group struct {
	jobs   []Job
	number int // from 1; 0 where there is no other
}

// groups divides the jobs of a repetition, in their order, so that what waits fits into room bytes; 0 is
// no limit. With more than one group the anchor, flat or else the first exact family, takes part in all
// of them: by it the groups compare. It is nil where there is one group or no such job.
func groups(jobs []Job, rows, dim int, room int64) (divided []group, anchor *Job) {
	var total int64
	for i := range jobs {
		total += jobs[i].held(rows, dim)
	}
	if room <= 0 || total <= room {
		return []group{{jobs: jobs}}, nil
	}
	for i := range jobs {
		j := &jobs[i]
		if j.timed() > 0 && j.Family.Exact && (anchor == nil || j.Family.Name == "flat" && anchor.Family.Name != "flat") {
			anchor = j
		}
	}
	if anchor != nil {
		room -= anchor.held(rows, dim)
	}
	var sum int64
	for i := range jobs {
		j := &jobs[i]
		if j == anchor {
			continue
		}
		need := j.held(rows, dim)
		if len(divided) == 0 || sum+need > room && sum > 0 {
			divided = append(divided, group{number: len(divided) + 1})
			sum = 0
		}
		last := &divided[len(divided)-1]
		last.jobs = append(last.jobs, *j)
		sum += need
	}
	return divided, anchor
}

// timed is how many points of j are measured in rounds; they are its first ones.
func (j *Job) timed() int {
	n := 0
	for n < len(j.Points) && j.Points[n].Mode == record.Latency {
		n++
	}
	return n
}

// held is about what a worker that waits with the index of j holds, in bytes.
func (j *Job) held(rows, dim int) int64 {
	if j.timed() == 0 {
		return 0
	}
	own := int64(workerBytes)
	switch {
	case j.Family.Remote != nil: // the engine's, which holds it in any case
	case j.Family.Folder != "": // nobody knows the formula of a library
		own += 3 * 4 * int64(rows) * int64(dim)
	default:
		own += j.Family.Size(rows, dim, j.Metric, withSearch(j))
	}
	return own
}

func withSearch(j *Job) indexes.Params {
	params := indexes.Params{}
	for name, v := range j.Build {
		params[name] = v
	}
	for name, v := range j.Points[0].Search {
		params[name] = v
	}
	return params
}

// entrant is a job in rounds: a worker that has loaded its index and waits for its turns.
type entrant struct {
	*underway
	number  int // of its group
	own     map[string]float64
	child   *child
	replies chan reply
	ended   chan struct{} // closed when the worker has ended, and died says how
	died    error
	used    time.Duration // of its time limit; what it waits does not count
	points  int
	out     bool // it takes part no more

	each  []float64      // seconds of a search, by point, as far as is known
	wall  []float64      // seconds timed so far
	asked []int          // searches timed so far
	took  []map[int]took // likewise, by round
}

// took is what a round took of a point.
type took struct {
	wall, cpu float64 // seconds
	asked     int
}

// enter starts the worker of the points of u in rounds, and returns when it waits for its first turn. An
// entrant that is out has records of its failure.
func (u *underway) enter(ctx context.Context, p *process, o order, number int) (*entrant, error) {
	n := u.job.timed()
	if u.job.open {
		n, o.Do = 0, doTry
	}
	e := &entrant{
		underway: u, number: number, points: n, own: map[string]float64{}, replies: make(chan reply, 2*n+64), ended: make(chan struct{}),
		each: make([]float64, n), wall: make([]float64, n), asked: make([]int, n), took: make([]map[int]took, n),
	}
	for name, v := range u.shared {
		e.own[name] = v // load time and memory are those of each process
	}
	u.from, u.group = 0, number
	o.Points, o.Threads = u.job.Points[:u.job.timed()], 1
	if u.job.open {
		e.points = 1 // what it was built with has a record if it cannot be loaded
	}
	begun := time.Now()
	var err error
	if e.child, err = p.start(ctx, o, func(r reply) {
		select {
		case e.replies <- r:
		default: // more than it was asked for: what is missing then is a failed cell
		}
	}); err != nil {
		e.out = true
		return e, u.failed(ctx, err, 0, e.points)
	}
	go func() {
		e.died = e.child.wait()
		close(e.ended)
	}()
	for {
		r, ok := e.next()
		if !ok {
			return e, e.leave(ctx)
		}
		if r.Waits && len(r.Ready) == n {
			for i, s := range r.Ready {
				e.each[i] = s / float64(u.set.Queries.Rows)
			}
			if u.job.open {
				e.points, u.cells, u.written = 0, nil, nil
			}
			break
		}
		u.note(r, e.own)
		if u.err != nil {
			return e, u.err
		}
	}
	e.used = time.Since(begun)
	e.child.deadline(0)
	return e, nil
}

// next is the worker's next reply; ok is false when it has ended.
func (e *entrant) next() (r reply, ok bool) {
	select {
	case r = <-e.replies:
		return r, true
	case <-e.ended:
	}
	select { // what it wrote before it ended
	case r = <-e.replies:
		return r, true
	default:
		return reply{}, false
	}
}

// leave records that the worker has ended, or must.
func (e *entrant) leave(ctx context.Context) error {
	e.out = true
	e.child.hangUp()
	<-e.ended
	return e.failed(ctx, e.died, 0, e.points)
}

// work gives the worker its time until wait.
func (e *entrant) work() (wait func()) {
	begun := time.Now()
	if e.child.timeout > 0 {
		e.child.deadline(max(time.Millisecond, e.child.timeout-e.used))
	}
	return func() {
		e.used += time.Since(begun)
		e.child.deadline(0)
	}
}

// block has the worker time a block.
func (e *entrant) block(ctx context.Context, t blockTurn) error {
	wait := e.work()
	begun := time.Now()
	if err := e.child.tell(turn{Block: &t}); err != nil {
		return err
	}
	r, ok := e.next()
	if !ok || r.Wall <= 0 && r.Failed == "" {
		if ok && r.Error == "" {
			proctree.End(e.child.pid, e.child.mark) // it answers something else
		}
		return e.leave(ctx)
	}
	wait()
	if r.Failed != "" {
		e.note(r, e.own)
		return e.err
	}
	e.wall[t.Point] += r.Wall
	e.asked[t.Point] += t.Count
	if e.took[t.Point] == nil {
		e.took[t.Point] = map[int]took{}
	}
	own := e.took[t.Point][t.Round]
	e.took[t.Point][t.Round] = took{own.wall + r.Wall, own.cpu + r.CPU, own.asked + t.Count}
	e.each[t.Point] = e.wall[t.Point] / float64(e.asked[t.Point])
	e.blocks[t.Point] += time.Since(begun)
	return nil
}

// needs is how many blocks of count queries point i should have in a round when so many are left.
func (e *entrant) needs(i, count, left int) int {
	lacks := e.lacks(i)
	if lacks <= 0 {
		return 1
	}
	blocks := math.Ceil(lacks / float64(left) / (float64(count) * max(e.each[i], 1e-9)))
	return int(max(1, min(blocks, float64(most/count))))
}

// lacks is how many seconds point i still has to be timed.
func (e *entrant) lacks(i int) float64 {
	if e.asked[i] >= most {
		return 0
	}
	return e.Sweep.Measure.Seconds() - e.wall[i]
}

// finish has the worker score, and write its records.
func (e *entrant) finish(ctx context.Context) error {
	if e.out {
		return nil
	}
	e.work()
	e.since = time.Now()
	if err := e.child.tell(turn{Finish: true}); err != nil {
		return err
	}
	e.child.hangUp()
	for {
		r, ok := e.next()
		if !ok {
			break
		}
		if e.note(r, e.own); e.err != nil {
			return e.err
		}
	}
	return e.leave(ctx)
}

// play goes through all rounds of the entrants.
func (c *coordinator) play(ctx context.Context, rep int, entrants []*entrant) error {
	queries := c.set.Queries.Rows
	total, least := roundsOf(queries), 1
	if c.plays > 0 {
		total, least = c.plays, min(blockQueries, queries)
	}
	if len(entrants) == 0 {
		return nil
	}
	type one struct{ e, point, first, count int }
	begun := time.Now()
	for r := range total {
		at := c.nextRound(rep)
		rng := rand.New(rand.NewPCG(c.Sweep.Seed+uint64(rep), uint64(at)))
		first := r * queries / total
		base := max(least, (r+1)*queries/total-first)
		size := func(e *entrant, i int) int {
			return min(most, max(base, int(min(leastBlock.Seconds()/max(e.each[i], 1e-9), most))))
		}
		var turns []one
		for at, e := range entrants {
			for i := range e.points {
				if e.out || e.written[i] { // it has failed
					continue
				}
				count := size(e, i)
				n := e.needs(i, count, total-r)
				for k := range n {
					// One place for all settings, and from there evenly over the queries.
					turns = append(turns, one{at, i, (first + k*queries/n) % queries, count})
				}
			}
		}
		rng.Shuffle(len(turns), func(i, j int) { turns[i], turns[j] = turns[j], turns[i] })
		for len(turns) > 0 {
			for _, t := range turns {
				e := entrants[t.e]
				if e.out || e.written[t.point] {
					continue
				}
				if err := e.block(ctx, blockTurn{Point: t.point, Round: at, First: t.first, Count: t.count}); err != nil {
					return err
				}
			}
			turns = turns[:0]
			if r < total-1 {
				break
			}
			for at, e := range entrants { // what the estimates fell short of
				for i := range e.points {
					if !e.out && !e.written[i] && e.lacks(i) > 0 {
						turns = append(turns, one{at, i, rng.IntN(queries), size(e, i)})
					}
				}
			}
		}
		c.left.rounds = time.Duration(float64(time.Since(begun)) / float64(r+1) * float64(total-r-1))
		c.expect()
		c.report(fmt.Sprintf("round %d of %d", r+1, total))
	}
	return nil
}

// shardRounds keeps the numbers of the rounds of shards apart, which are measured apart and merged.
const shardRounds = 1_000_000

// nextRound numbers the rounds of a repetition, those of earlier runs included.
func (c *coordinator) nextRound(rep int) int {
	at, ok := c.rounds[rep]
	if !ok {
		at = max(0, c.Shard.Index-1) * shardRounds
	}
	c.rounds[rep] = at + 1
	return at
}

// numbered are the first numbers of rounds that records leave free, by repetition.
func numbered(records []record.Record) map[int]int {
	free := map[int]int{}
	for i := range records {
		if r := records[i].Rounds; r != nil && len(r.At) > 0 {
			free[records[i].Rep] = max(free[records[i].Rep], slices.Max(r.At)+1)
		}
	}
	return free
}

// repetition measures jobs of one repetition.
func (c *coordinator) repetition(ctx context.Context, jobs []Job) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	var closers []func() error
	shut := func(from int) {
		for _, f := range slices.Backward(closers[from:]) {
			err = errors.Join(err, f())
		}
		closers = closers[:from]
	}
	defer func() { shut(0) }()
	defer cancel()
	enter := func(j Job, number int) (*entrant, error) {
		e, leave, err := c.begin(ctx, j, number)
		if leave != nil {
			closers = append(closers, leave)
		}
		return e, err
	}
	divided, first := groups(jobs, c.set.Base.Rows, c.set.Base.Dim, c.room)
	if first != nil {
		c.Log.Info(fmt.Sprintf("not all indexes fit into memory at once: they are timed in %d groups, with %s in each", len(divided), first.Family.Name))
	} else if len(divided) > 1 {
		c.Log.Warn(fmt.Sprintf("not all indexes fit into memory at once: they are timed in %d groups, which compare less well without an exact family", len(divided)))
	}
	c.left.begun, c.left.cells = time.Now(), 0
	for i := range jobs {
		c.left.cells += len(jobs[i].Points)
	}
	var anchor *entrant
	if first != nil {
		if anchor, err = enter(*first, 0); err != nil {
			return err
		}
	}
	for g, group := range divided {
		var entrants []*entrant
		if anchor != nil && !anchor.out {
			entrants = append(entrants, anchor)
		}
		from := len(closers)
		for _, j := range group.jobs {
			e, err := enter(j, group.number)
			if err != nil {
				return err
			}
			if e != nil && !e.out {
				entrants = append(entrants, e)
			}
		}
		c.left.groups = len(divided) - g
		if err := c.play(ctx, jobs[0].Rep, entrants); err != nil {
			return err
		}
		for _, e := range entrants {
			if e == anchor && g < len(divided)-1 {
				continue
			}
			if err := e.finish(ctx); err != nil {
				return err
			}
		}
		shut(from)
		if err != nil {
			return err
		}
		if c.Between != nil {
			c.Between()
		}
	}
	shut(0)
	return err
}

// remaining is what is known of how long a run goes on. Nothing is until rounds have begun, as builds take
// from milliseconds to hours; from then on it is good to a factor of two.
type remaining struct {
	begun  time.Time     // of the repetition
	cells  int           // of the repetition
	groups int           // of it, this one included
	rounds time.Duration // that this group's rounds go on
	total  time.Duration // that the run goes on, as it was thought at
	at     time.Time
}

// expect renews what is thought of the rest of the run while rounds go on.
func (c *coordinator) expect() {
	l := &c.left
	if l.cells == 0 {
		return
	}
	done := c.total - c.finished
	share := time.Since(l.begun) + l.rounds
	rest := float64(max(0, done-l.cells)) / float64(l.cells)
	l.total, l.at = l.rounds+time.Duration(float64(share)*rest)+share*time.Duration(l.groups-1), time.Now()
}

// room is about how many bytes indexes may take up at once.
func room() int64 {
	memory := totalMemory()
	if limit, ok := memoryQuota("/sys/fs/cgroup/memory.max"); ok && (memory == 0 || limit < memory) {
		memory = limit
	}
	return int64(heldShare * float64(memory))
}
