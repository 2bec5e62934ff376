package indexes

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"annbench/indexes/pgvector"
	"annbench/indexes/vec"
)

// pgvectorDeadline is how long one search may take.
const pgvectorDeadline = 10 * time.Second

// pgvectorChange is how long one change of a table, or vacuuming it, may take.
const pgvectorChange = 10 * time.Minute

const pgvectorDoc = " It is in a PostgreSQL with the extension pgvector (any from 13 on, with pgvector 0.5 or later), in a table with an integer key and a vector, whose name begins with annbench_ and which is dropped after the measurement. " +
	"Vectors come by COPY in binary form, the index is made after them, a search is a prepared statement on a connection of its own, planned once. " +
	"The seed is the server's own, so it has no effect."

// pgvectorFamilies are the kinds of search that the extension pgvector brings to PostgreSQL.
func pgvectorFamilies() []*Family {
	storage := Param{
		Name: "storage", Kind: Word, Default: string(pgvector.Plain), Words: []string{string(pgvector.Plain), string(pgvector.External)}, Scale: Fixed,
		Doc: "where PostgreSQL keeps vectors of 2 kB and more: plain is in the row itself, external, its default, in a second table (TOAST)",
	}
	typ := Param{
		Name: "type", Kind: Word, Default: string(pgvector.Vector), Words: []string{string(pgvector.Vector), string(pgvector.Halfvec)},
		Doc: "vector has 4 bytes a component, halfvec 2, in the table and in the index alike",
	}
	memory := Param{
		Name: "maintenance_work_mem", Kind: Int, Default: 0, Min: 0, Max: 1 << 20, Scale: Fixed,
		Doc: "memory for making the index, in MB; 0 is what the server has set (64 by its own default). Where the graph does not fit the server says so, in a warning on the record, and takes several times longer",
	}
	vacuum := Param{
		Name: "vacuum", Kind: Word, Default: string(pgvector.ByServer), Words: []string{string(pgvector.ByServer), string(pgvector.ByUpdate), string(pgvector.Never)}, Scale: Fixed,
		Doc: "who clears away what removed vectors leave in table and index: server, its autovacuum when it sees fit; update, a VACUUM after the changes of each step, whose time is that of the update; never, nobody",
	}
	iterative := func(words ...string) Param {
		return Param{
			Name: "iterative_scan", Kind: Word, Default: "off", Words: words,
			Doc: "whether a search continues until it has k: pgvector 0.8 or later",
		}
	}
	families := []*Family{
		{
			Name:  "flat-pgvector",
			Doc:   "Exact search in PostgreSQL, by a scan of the whole table." + pgvectorDoc,
			Exact: true,
			Work:  scanWork,
			Build: []Param{storage, vacuum},
			Search: []Param{
				{Name: "workers", Kind: Int, Default: 0, Min: 0, Max: 64, Scale: Fixed, Doc: "processes that help the server with one search, where the table is large enough for it and the server allows it"},
			},
		},
		{
			Name:   "ivfflat-pgvector",
			Doc:    "Inverted lists of whole vectors in PostgreSQL (ivfflat): k-means on a sample of the table splits it into lists, a query scans the nearest probes of them." + pgvectorDoc,
			Random: true,
			Build: []Param{
				{Name: "lists", Kind: Int, Default: 100, Min: 1, Max: 32768, Scale: PowersOfTwo, Grows: 0.5, Doc: "cells; pgvector's documentation advises n/1000 up to a million vectors"},
				typ, storage, memory, vacuum,
			},
			Search: []Param{
				{Name: "probes", Kind: Int, Default: 1, Min: 1, Max: 32768, Doc: "lists that a query scans (1 is pgvector's own default)"},
				iterative("off", "relaxed_order"),
			},
			Effective: func(_, _ int, p Params) { p["probes"] = min(p.Int("probes"), p.Int("lists")) },
			Work: func(n, dim int, p Params) (build, search float64) {
				lists, d := float64(p.Int("lists")), float64(dim)
				build = (10*min(float64(n), 50*lists) + float64(n)) * lists * d
				return build, lists*d + min(1, float64(p.Int("probes"))/lists)*float64(n)*d
			},
		},
		{
			Name:   "hnsw-pgvector",
			Doc:    "Hierarchical navigable small world graph in PostgreSQL (hnsw)." + pgvectorDoc,
			Random: true,
			Build: []Param{
				{Name: "m", Kind: Int, Default: 16, Min: 2, Max: 100, Doc: "links a vector on each upper layer; the lowest layer has twice as many"},
				{Name: "ef_construction", Kind: Int, Default: 64, Min: 4, Max: 1000, Doc: "candidates kept while a vector's links are chosen: at least twice m"},
				typ, storage, memory, vacuum,
			},
			Search: []Param{
				{Name: "ef_search", Kind: Int, Default: 40, Min: 1, Max: pgvector.MaxEf, Doc: "candidates that a search keeps, and the most that it answers with, so that fewer than k mean k, unless iterative_scan is on (40 is pgvector's own default)"},
				iterative("off", "relaxed_order", "strict_order"),
			},
			Effective: func(n, k int, p Params) {
				s := pgvector.Settings{Ef: p.Int("ef_search"), Iterative: p.Word("iterative_scan")}
				p["ef_search"] = s.For(k, n).Ef
			},
			Work: func(n, dim int, p Params) (build, search float64) {
				hop := 2 * float64(p.Int("m")) * float64(dim) // distances to the links of one vector
				depth := math.Log2(float64(n) + 2)
				return float64(n) * (float64(p.Int("ef_construction")) + depth) * hop, (float64(p.Int("ef_search")) + depth) * hop
			},
		},
	}
	for _, f := range families {
		f.Library, f.Remote = "pgvector", &Remote{Engine: "pgvector", Drop: pgvector.Drop}
		f.Metrics, f.Filters = []vec.Metric{vec.L2, vec.Cosine, vec.InnerProduct}, true
		f.Updates = UpdatesByMarking // until what was removed is vacuumed
		f.Fits = func(n, dim int, p Params) error { return pgvectorFits(pgvectorTable(f, n, dim, p), p) }
		f.Bytes = func(n, dim int, p Params) int64 {
			t := pgvectorTable(f, n, dim, p)
			m, lists := p["m"], p["lists"]
			a, _ := m.(int)
			b, _ := lists.(int)
			table, index := pgvector.Bytes(t.Kind, t.Type, n, dim, a, b)
			return table + index
		}
		f.Open = func(ctx context.Context, in BuildInput) (Index, error) { return openPgvector(ctx, f, in) }
		f.Load = func(path string, in BuildInput) (Index, error) { return loadPgvector(path, f, in) }
	}
	return families
}

// pgvectorTable is the table that a family makes of n vectors under settings.
func pgvectorTable(f *Family, n, dim int, p Params) pgvector.Table {
	t := pgvector.Table{Rows: n, Dim: dim, Type: pgvector.Vector, Storage: pgvector.Storage(p.Word("storage")), Vacuum: pgvector.Vacuum(p.Word("vacuum")), Kind: pgvector.None}
	switch f.Name {
	case "hnsw-pgvector":
		t.Kind = pgvector.HNSW
		t.Options = []pgvector.Option{{Name: "m", Value: p.Int("m")}, {Name: "ef_construction", Value: p.Int("ef_construction")}}
	case "ivfflat-pgvector":
		t.Kind = pgvector.IVFFlat
		t.Options = []pgvector.Option{{Name: "lists", Value: p.Int("lists")}}
	}
	if t.Kind != pgvector.None {
		t.Type = pgvector.Type(p.Word("type"))
		t.MaintenanceMB = p.Int("maintenance_work_mem")
	}
	return t
}

func pgvectorFits(t pgvector.Table, p Params) error {
	if most := pgvector.MaxDims(t.Kind, t.Type); t.Dim > most {
		switch {
		case t.Kind == pgvector.None:
			return fmt.Errorf("vectors of %d dimensions: pgvector has up to %d", t.Dim, most)
		case t.Type == pgvector.Vector && t.Dim <= pgvector.MaxDims(t.Kind, pgvector.Halfvec):
			return fmt.Errorf("vectors of %d dimensions: pgvector indexes up to %d of type vector; take type: halfvec, which goes up to %d", t.Dim, most, pgvector.MaxDims(t.Kind, pgvector.Halfvec))
		}
		return fmt.Errorf("vectors of %d dimensions: pgvector indexes up to %d of type %s; flat-pgvector takes more", t.Dim, most, t.Type)
	}
	if most := pgvector.PlainDims(t.Type); t.Storage == pgvector.Plain && t.Dim > most {
		return fmt.Errorf("vectors of %d dimensions: a row with storage: plain has up to %d; take storage: external", t.Dim, most)
	}
	switch t.Kind {
	case pgvector.HNSW:
		if m := p.Int("m"); p.Int("ef_construction") < 2*m {
			return fmt.Errorf("ef_construction = %d is less than twice m = %d: pgvector wants at least %d", p.Int("ef_construction"), m, 2*m)
		}
	case pgvector.IVFFlat:
		if t.Dim < 2 { // pgvector's own limit under cosine and ip
			return fmt.Errorf("vectors of %d dimension: ivfflat wants at least 2", t.Dim)
		}
		if lists := p.Int("lists"); lists > t.Rows {
			return fmt.Errorf("lists = %d: there are only %d vectors; the most that fits is lists = %d", lists, t.Rows, t.Rows)
		}
	}
	return nil
}

func pgvectorSettings(f *Family, p Params) pgvector.Settings {
	switch f.Name {
	case "hnsw-pgvector":
		return pgvector.Settings{Ef: p.Int("ef_search"), Iterative: p.Word("iterative_scan")}
	case "ivfflat-pgvector":
		// More probes than lists are the lists.
		return pgvector.Settings{Probes: p.Int("probes"), Iterative: p.Word("iterative_scan")}
	}
	return pgvector.Settings{Workers: p.Int("workers")}
}

// inPgvector is an index in a PostgreSQL.
type inPgvector struct {
	family   *Family
	server   *pgvector.Server
	table    pgvector.Table
	searcher *pgvector.Searcher // nil once closed
	refers   reference
	ids      numbering
}

func openPgvector(ctx context.Context, f *Family, in BuildInput) (Index, error) {
	fail := func(err error) (Index, error) { return nil, fmt.Errorf("building %s: %w", f.Name, err) }
	if err := ctx.Err(); err != nil {
		return fail(context.Cause(ctx))
	}
	s, err := pgvector.Connect(ctx, in.Address)
	if err != nil {
		return fail(err)
	}
	t := pgvectorTable(f, in.Vectors.Rows, in.Vectors.Dim, in.Params)
	t.Name, t.Metric = in.Name, in.Metric
	t.Workers = in.Threads - 1 // beside the process that serves this client
	if err := s.Build(ctx, &t, in.Vectors, in.begin); err != nil {
		return fail(err)
	}
	x, err := s.NewSearcher(ctx, t, pgvectorSettings(f, in.Params), 1, pgvectorDeadline)
	if err != nil {
		return fail(err)
	}
	return &inPgvector{family: f, server: s, table: t, searcher: x, refers: refer(f, in), ids: numbering{given: int64(t.Rows)}}, nil
}

func loadPgvector(path string, f *Family, in BuildInput) (Index, error) {
	r, params, err := loadReference(path, f, in)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, err := pgvector.Connect(ctx, r.Address)
	if err != nil {
		return nil, loadError(path, f, err)
	}
	t := pgvectorTable(f, r.label.Rows, r.label.Dim, params)
	t.Name, t.Metric = r.Name, r.label.Metric
	x, err := s.NewSearcher(ctx, t, pgvectorSettings(f, params), max(1, in.Threads), pgvectorDeadline)
	if err != nil {
		return nil, loadError(path, f, err)
	}
	return &inPgvector{family: f, server: s, table: t, searcher: x, refers: r, ids: numbering{given: int64(t.Rows)}}, nil
}

// Search implements [Index]. Each search at once has a connection of its own.
func (x *inPgvector) Search(dst []vec.Neighbor, q []float32, k int) ([]vec.Neighbor, error) {
	if x.searcher == nil {
		return dst, errClosed(x.family)
	}
	if err := askable(x.family, x.table.Dim, q, k); err != nil {
		return dst, err
	}
	found, err := x.searcher.Search(dst, q, k)
	return found, x.failed("searching", err)
}

// SearchAmong implements [Filterer], as Search does [Index]: by a condition of the statement.
func (x *inPgvector) SearchAmong(dst []vec.Neighbor, q []float32, k int, among *vec.Set) ([]vec.Neighbor, error) {
	if x.searcher == nil {
		return dst, errClosed(x.family)
	}
	if err := askable(x.family, x.table.Dim, q, k); err != nil {
		return dst, err
	}
	found, err := x.searcher.SearchAmong(dst, q, k, among)
	return found, x.failed("searching", err)
}

// Add implements [Updater].
func (x *inPgvector) Add(more vec.Matrix) error {
	if x.searcher == nil {
		return errClosed(x.family)
	}
	if err := addable(x.family, x.table.Dim, x.ids.given, more); err != nil || more.Rows == 0 {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), pgvectorChange, fmt.Errorf("not done within %v", pgvectorChange))
	defer cancel()
	if err := x.searcher.Add(ctx, more); err != nil {
		return x.failed("adding to", err)
	}
	x.ids.add(more.Rows)
	return nil
}

// Remove implements [Updater].
func (x *inPgvector) Remove(ids []int32) error {
	if x.searcher == nil {
		return errClosed(x.family)
	}
	if err := x.ids.removable(x.family, ids); err != nil {
		return err
	}
	if len(ids) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), pgvectorChange, fmt.Errorf("not done within %v", pgvectorChange))
	defer cancel()
	if err := x.searcher.Remove(ctx, ids); err != nil {
		return x.failed("removing from", err)
	}
	x.ids.remove(ids)
	return nil
}

// Maintain implements [Maintainer].
func (x *inPgvector) Maintain() error {
	if x.searcher == nil {
		return errClosed(x.family)
	}
	if x.table.Vacuum != pgvector.ByUpdate {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), pgvectorChange, fmt.Errorf("not done within %v", pgvectorChange))
	defer cancel()
	return x.failed("vacuuming", x.searcher.Vacuum(ctx))
}

// failed says of which family err is, and what was being done.
func (x *inPgvector) failed(doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, pgvector.ErrClosed):
		return errClosed(x.family)
	}
	return fmt.Errorf("%s %s: %w", doing, x.family.Name, err)
}

// Tune implements [Tuner].
func (x *inPgvector) Tune(p Params) error {
	if x.searcher == nil {
		return errClosed(x.family)
	}
	p, err := x.family.Settings(x.family.Search, p)
	if err != nil {
		return err
	}
	return x.failed("tuning", x.searcher.Tune(pgvectorSettings(x.family, p)))
}

// Wire implements [RemoteIndex].
func (x *inPgvector) Wire(k int) error {
	if x.searcher == nil {
		return errClosed(x.family)
	}
	return x.failed("searching", x.searcher.Wire(k))
}

// Settle implements [RemoteIndex]: PostgreSQL has no garbage to collect.
func (x *inPgvector) Settle(context.Context) error { return nil }

// Check implements [RemoteIndex]: a PostgreSQL has one node, and is all there if it answers.
func (x *inPgvector) Check(context.Context) (string, error) { return "", nil }

// Save implements [Saver]: a reference to the table.
func (x *inPgvector) Save(path string) error {
	if x.searcher == nil {
		return errClosed(x.family)
	}
	if err := x.ids.savable(x.family); err != nil {
		return err
	}
	return saveReference(path, x.refers)
}

// Footprint implements [RemoteIndex], by what the server says of the table.
func (x *inPgvector) Footprint(ctx context.Context) (Footprint, error) {
	z, err := x.server.Sizes(ctx, &x.table)
	if err != nil {
		return Footprint{}, x.failed("asking for the size of", err)
	}
	const mib = 1 << 20
	from := fmt.Sprintf("pg_total_relation_size: table %.1f MiB, key %.1f MiB", float64(z.Heap)/mib, float64(z.Key)/mib)
	if z.Toast >= mib/10 { // less is the empty table
		from += fmt.Sprintf(", vectors outside their rows %.1f MiB", float64(z.Toast)/mib)
	}
	if z.Index > 0 {
		from += fmt.Sprintf(", index %.1f MiB", float64(z.Index)/mib)
	}
	return Footprint{Disk: z.Total, From: from}, nil
}

// Server implements [RemoteIndex].
func (x *inPgvector) Server() string { return x.server.String() }

// Warnings implements [RemoteIndex]: why its times mean nothing, where they do not, and what the server said
// while it built.
func (x *inPgvector) Warnings() []string {
	all := x.server.Notices()
	if x.server.Functional != "" {
		all = append([]string{x.server.Functional}, all...)
	}
	return all
}

// Close implements [Index]. The table stays: see [Remote].
func (x *inPgvector) Close() error {
	if x.searcher != nil {
		x.searcher.Close()
		x.searcher = nil
	}
	return nil
}
