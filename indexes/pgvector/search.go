package pgvector

import (
	"context"
	"crypto/rand"
	bits "encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"

	"annbench/indexes/vec"
)

// Settings are those of a search.
type Settings struct {
	// Ef is hnsw.ef_search, the candidates that a search keeps: at most [MaxEf]. A search for more than
	// Ef, where it does not go on (Iterative), keeps as many as are asked for.
	Ef int
	// Probes is ivfflat.probes, the lists that a search reads.
	Probes int
	// Iterative is hnsw.iterative_scan or ivfflat.iterative_scan: off, relaxed_order or strict_order.
	// Unless it is off a search goes on until it has as many as were asked for.
	Iterative string
	// Workers are the processes that may help the server with one search, where that is a scan.
	Workers int
}

// MaxEf is pgvector's limit of hnsw.ef_search.
const MaxEf = 1000

// For is what settings become for a search for k of n vectors.
func (s Settings) For(k, n int) Settings {
	if s.Iterative == "off" {
		s.Ef = min(MaxEf, max(s.Ef, min(k, n)))
	}
	return s
}

// ErrClosed is the error of a [Searcher] that was closed.
var ErrClosed = errors.New("the connections are closed")

// Searcher searches a table. Search and Wire may be called by many goroutines, each of which takes a
// connection of its own.
type Searcher struct {
	server   *Server
	table    Table
	zeros    bool // the table holds vectors of length 0, whose angle to others is not defined
	given    int  // numbers that rows have been given
	living   int  // rows that are there
	deadline time.Duration
	settings Settings

	mu     sync.Mutex
	idle   []*session
	closed bool
}

// session is a connection that searches.
type session struct {
	*conn
	prepared map[asking]string // names of statements
	applied  Settings
	query    []byte // room for a vector
	passing  []byte // room for a set
}

// asking is the form of a search: each has a statement of its own, so that the server plans it once, and
// knows for how many.
type asking struct {
	k        int
	wire     bool
	filtered bool
}

// NewSearcher connects, as often as searches are expected at once, and checks that the table is there
// and whole. Each search that takes longer than deadline is an error.
func (s *Server) NewSearcher(ctx context.Context, t Table, settings Settings, connections int, deadline time.Duration) (*Searcher, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	x := &Searcher{server: s, table: t, deadline: deadline, given: t.Rows, living: t.Rows}
	if err := x.Tune(settings); err != nil {
		return nil, err
	}
	if s.oneSession {
		connections = 1
	}
	for i := range max(1, connections) {
		one, err := x.open(ctx)
		if err != nil {
			x.Close()
			return nil, err
		}
		x.idle = append(x.idle, one)
		if i > 0 {
			continue
		}
		if err := x.look(ctx, one.conn); err != nil {
			x.Close()
			return nil, err
		}
	}
	return x, nil
}

// look checks the table, and whether a search has to reckon with vectors of length 0.
func (x *Searcher) look(ctx context.Context, c *conn) error {
	rows, err := c.query(ctx, "SELECT to_regclass("+quote(ident(x.table.Name))+") IS NOT NULL")
	if err != nil {
		return err
	}
	if rows[0][0] != "t" {
		return fmt.Errorf("%s has no table %s: it was dropped, or is in another database", x.server.where(), x.table.Name)
	}
	if err := x.server.verify(ctx, c, &x.table); err != nil {
		return err
	}
	if x.table.Metric == vec.Cosine && x.table.Kind == None {
		rows, err := c.query(ctx, fmt.Sprintf("SELECT EXISTS (SELECT FROM %s WHERE vector_norm(embedding::vector) = 0)", ident(x.table.Name)))
		if err != nil {
			return err
		}
		x.zeros = rows[0][0] == "t"
	}
	return nil
}

func (x *Searcher) open(ctx context.Context) (*session, error) {
	c, err := x.server.connect(ctx, x.table.Name)
	if err != nil {
		return nil, err
	}
	one := &session{conn: c, prepared: map[asking]string{}}
	if err := c.set(ctx); err != nil {
		c.close()
		return nil, err
	}
	return one, nil
}

// Tune changes the settings. It must not run while a search does.
func (x *Searcher) Tune(s Settings) error {
	if s.Iterative == "" {
		s.Iterative = "off"
	}
	if err := x.server.Supports(x.table.Type == Halfvec, s.Iterative != "off"); err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return ErrClosed
	}
	x.settings = s
	return nil
}

// Search appends to dst what the server finds for q, at most k, nearest first, equal distances in ID
// order. k is at least 1, and q has the table's dimensions.
func (x *Searcher) Search(dst []vec.Neighbor, q []float32, k int) ([]vec.Neighbor, error) {
	return x.ask(dst, q, asking{k: k}, nil)
}

// SearchAmong is Search among the rows of a set, by a condition of the statement. An index that does not go on
// ([Settings.Iterative]) drops what does not pass of the candidates that it has, and finds fewer.
//
// The set goes with the query, a bit for each row of the table, and the server looks at the bit of each row that it
// has come to, as it would at a column of that row.
func (x *Searcher) SearchAmong(dst []vec.Neighbor, q []float32, k int, among *vec.Set) ([]vec.Neighbor, error) {
	return x.ask(dst, q, asking{k: k, filtered: true}, among)
}

// Wire is a search for k in an empty table: the way there and back, and what the server does for any
// search.
func (x *Searcher) Wire(k int) error {
	_, err := x.ask(nil, make([]float32, x.table.Dim), asking{k: k, wire: true}, nil)
	return err
}

// oneAtATime keeps searches of a server with one session for all apart: its settings are everybody's,
// and the messages of two searches would mix.
var oneAtATime sync.Mutex

func (x *Searcher) ask(dst []vec.Neighbor, q []float32, a asking, among *vec.Set) ([]vec.Neighbor, error) {
	if x.server.oneSession {
		oneAtATime.Lock()
		defer oneAtATime.Unlock()
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), x.deadline, fmt.Errorf("no answer within %v", x.deadline))
	defer cancel()
	one, err := x.take(ctx, a)
	if err != nil {
		return dst, err
	}
	from := len(dst)
	dst, err = x.run(ctx, one, dst, q, a, among)
	x.give(one)
	if err != nil {
		return dst[:from], err
	}
	vec.SortNeighbors(dst[from:])
	return dst, nil
}

// take returns a session that is ready for a. Where the one at hand is not, the others are made ready
// with it: a search that is being timed should find its statement there.
func (x *Searcher) take(ctx context.Context, a asking) (*session, error) {
	x.mu.Lock()
	if x.closed {
		x.mu.Unlock()
		return nil, ErrClosed
	}
	x.forget()
	want := x.settings.For(a.k, x.living)
	last := len(x.idle) - 1
	if last < 0 {
		x.mu.Unlock()
		one, err := x.open(ctx)
		if err != nil {
			return nil, err
		}
		if err := x.readied(ctx, one, a, want); err != nil {
			one.close()
			return nil, err
		}
		return one, nil
	}
	one := x.idle[last]
	if one.ready(a, want) {
		x.idle = x.idle[:last]
		x.mu.Unlock()
		return one, nil
	}
	defer x.mu.Unlock()
	for _, other := range x.idle {
		if err := x.readied(ctx, other, a, want); err != nil {
			return nil, err
		}
	}
	x.idle = x.idle[:last]
	return one, nil
}

// forget drops sessions whose connection has ended.
func (x *Searcher) forget() {
	kept := x.idle[:0]
	for _, one := range x.idle {
		if !one.IsClosed() {
			kept = append(kept, one)
		}
	}
	x.idle = kept
}

func (x *Searcher) give(one *session) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if one.IsClosed() {
		return
	}
	if x.closed {
		one.close()
		return
	}
	x.idle = append(x.idle, one)
}

func (one *session) ready(a asking, want Settings) bool {
	return !one.server.oneSession && one.applied == want && one.prepared[a] != ""
}

// readied gives one the settings and the statement of a, and sees to it that the server's plan for it
// uses the index.
func (x *Searcher) readied(ctx context.Context, one *session, a asking, want Settings) error {
	if one.ready(a, want) {
		return nil
	}
	if x.server.oneSession || one.applied != want {
		if _, err := one.conn.query(ctx, x.sets(want)); err != nil {
			return err
		}
		one.applied = want
	}
	if one.prepared[a] != "" {
		return nil
	}
	name, err := one.prepare(ctx, x.sql(a))
	if err != nil {
		return err
	}
	if x.table.Kind != None && !a.wire {
		if err := x.usesIndex(ctx, one, name, a); err != nil {
			return err
		}
	}
	one.prepared[a] = name
	return nil
}

// sets are the settings of a session that searches. The plan is made once, not once a search. The
// planner is asked to leave scans alone where there is an index: below a few thousand rows it takes the
// scan, which is not what is to be measured.
func (x *Searcher) sets(s Settings) string {
	all := fmt.Sprintf("SET jit = off; SET plan_cache_mode = force_generic_plan; SET max_parallel_workers_per_gather = %d", s.Workers)
	switch x.table.Kind {
	case HNSW:
		all += fmt.Sprintf("; SET enable_seqscan = off; SET hnsw.ef_search = %d", s.Ef)
	case IVFFlat:
		all += fmt.Sprintf("; SET enable_seqscan = off; SET ivfflat.probes = %d", s.Probes)
	default:
		return all + "; SET enable_seqscan = on"
	}
	if !x.server.vector.less(iterativeSince) {
		all += fmt.Sprintf("; SET %s.iterative_scan = %s", x.table.Kind, s.Iterative)
	}
	return all
}

// sql is the statement of a. Its parameters are the vector and, where it is filtered, the bits of the set.
func (x *Searcher) sql(a asking) string {
	distance := "embedding " + operator(x.table.Metric) + " $1"
	table, order := x.table.Name, distance
	switch {
	case a.wire:
		table = x.table.wire()
	case x.table.Kind != None:
		// An index gives the order of distances alone: of equal ones it gives any.
	case x.zeros:
		// The angle to a vector of length 0 is NaN, which PostgreSQL puts last: it is a right one here.
		distance = "coalesce(nullif(" + distance + ", 'NaN'), 1)"
		order = distance + ", id"
	default:
		order += ", id"
	}
	where := ""
	if a.filtered {
		where = " WHERE get_bit($2::bytea, id) = 1"
	}
	return fmt.Sprintf("SELECT id, %s FROM %s%s ORDER BY %s LIMIT %d", distance, ident(table), where, order, a.k)
}

// prepare prepares a statement under a name that no other connection has: PGlite has one session for
// all.
func (c *conn) prepare(ctx context.Context, sql string) (string, error) {
	c.made++
	name := fmt.Sprintf("annbench_%s_%d", rand.Text()[:10], c.made)
	if _, err := c.Prepare(ctx, name, sql, nil); err != nil {
		return "", c.server.failed(ctx, err)
	}
	return name, nil
}

// usesIndex reports an error unless the server's plan of a prepared statement searches the table's
// index: a scan in its place would be another measurement, under the index's name.
func (x *Searcher) usesIndex(ctx context.Context, one *session, name string, a asking) error {
	values := "'[0" + strings.Repeat(",0", x.table.Dim-1) + "]'"
	if a.filtered {
		values += ", ''"
	}
	rows, err := one.conn.query(ctx, fmt.Sprintf("EXPLAIN (FORMAT JSON) EXECUTE %s(%s)", ident(name), values))
	if err != nil {
		return fmt.Errorf("asking for the plan: %w", err)
	}
	var plans []struct{ Plan planNode }
	if err := json.Unmarshal([]byte(rows[0][0]), &plans); err != nil || len(plans) != 1 {
		return fmt.Errorf("the server's plan is not what was expected: %.200s", rows[0][0])
	}
	var nodes []string
	if !plans[0].Plan.uses(x.table.index(), &nodes) {
		return fmt.Errorf("the server does not search the index %s; its plan is %s", x.table.index(), strings.Join(nodes, " over "))
	}
	return nil
}

// planNode is what is read of a plan.
type planNode struct {
	Type  string     `json:"Node Type"`
	Index string     `json:"Index Name"`
	Table string     `json:"Relation Name"`
	Plans []planNode `json:"Plans"`
}

func (p *planNode) uses(index string, nodes *[]string) bool {
	text := p.Type
	if on := p.Index + p.Table; on != "" {
		text += " of " + strconv.Quote(on)
	}
	*nodes = append(*nodes, text)
	found := p.Type == "Index Scan" && p.Index == index
	for i := range p.Plans {
		found = p.Plans[i].uses(index, nodes) || found
	}
	return found
}

// run puts the question and reads the answer.
func (x *Searcher) run(ctx context.Context, one *session, dst []vec.Neighbor, q []float32, a asking, among *vec.Set) ([]vec.Neighbor, error) {
	var err error
	if one.query, err = appendVector(one.query[:0], x.table.Type, q); err != nil {
		return dst, err
	}
	values := [][]byte{one.query}
	if a.filtered {
		one.passing = appendSet(one.passing[:0], among, x.given)
		values = append(values, one.passing)
	}
	reader := one.ExecPrepared(ctx, one.prepared[a], values, binary, binary)
	var odd error
	for reader.NextRow() {
		row := reader.Values()
		if len(row) != 2 || len(row[0]) != 4 || len(row[1]) != 8 {
			odd = fmt.Errorf("the server's answer has %d columns, not an id of 4 bytes and a distance of 8", len(row))
			continue
		}
		dst = append(dst, vec.Neighbor{
			ID:   int32(bits.BigEndian.Uint32(row[0])),
			Dist: x.rank(math.Float64frombits(bits.BigEndian.Uint64(row[1]))),
		})
	}
	if _, err := reader.Close(); err != nil {
		return dst, x.server.failed(ctx, err)
	}
	return dst, odd
}

// rank is the rank value of a vector at pgvector's distance d; see [vec.Neighbor].
func (x *Searcher) rank(d float64) float32 {
	switch x.table.Metric {
	case vec.L2:
		return float32(d * d)
	case vec.Cosine:
		if d != d { // a vector of length 0 is at right angles to all
			return 1
		}
	}
	return float32(d)
}

// Table is what is searched.
func (x *Searcher) Table() Table { return x.table }

// Close ends all connections. What is in the table stays.
func (x *Searcher) Close() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.closed = true
	for _, one := range x.idle {
		one.close()
	}
	x.idle = nil
}
