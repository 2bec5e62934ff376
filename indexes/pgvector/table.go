package pgvector

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"annbench/indexes/vec"
)

// Type is what a vector is stored as.
type Type string

// The types of pgvector that hold what this package stores.
const (
	Vector  Type = "vector"  // 4 bytes a component
	Halfvec Type = "halfvec" // 2 bytes: rounded to 11 bits of precision, at most 65504 in magnitude
)

// Storage says where PostgreSQL puts a vector.
type Storage string

// The kinds of storage that vectors can have. Neither compresses: vectors do not.
const (
	// Plain keeps the vector in its row. A row fits on a page of 8 kB, so this ends at [PlainDims].
	Plain Storage = "plain"
	// External moves vectors of about 2 kB and more out into a second table (TOAST), from which each is
	// put together again when it is read. It is pgvector's default.
	External Storage = "external"
)

// Kind is the kind of index on a table.
type Kind string

// The kinds of index.
const (
	None    Kind = "none" // every search is a scan
	HNSW    Kind = "hnsw"
	IVFFlat Kind = "ivfflat"
)

// MaxDims is how many dimensions pgvector indexes at most; without an index there is room for 16,000.
func MaxDims(k Kind, t Type) int {
	switch {
	case k == None:
		return 16000
	case t == Halfvec:
		return 4000
	}
	return 2000
}

// PlainDims is how many dimensions a row holds in itself at most.
func PlainDims(t Type) int {
	if t == Halfvec {
		return 4000
	}
	return 2000
}

// Vacuum says who removes what deleted rows leave behind.
type Vacuum string

// The kinds of vacuuming.
const (
	ByServer Vacuum = "server" // the server, when it sees fit (autovacuum)
	ByUpdate Vacuum = "update" // whoever changes the table, by [Searcher.Vacuum]; autovacuum is off
	Never    Vacuum = "never"  // nobody; autovacuum is off
)

// Table is what this package keeps on a server under one name, and what it is made of.
type Table struct {
	Name    string // of the table; beside it stand NAME_index and NAME_wire
	Rows    int
	Dim     int
	Metric  vec.Metric
	Type    Type
	Storage Storage
	Kind    Kind
	Vacuum  Vacuum // empty is [ByServer]
	// Options of the index by name, as pgvector has them: m and ef_construction, or lists.
	Options []Option
	Workers int // processes that may help the server with building an index
	// MaintenanceMB is the memory of the server's that building an index may use, in MB; 0 leaves it to
	// the server.
	MaintenanceMB int
}

// Option is an option of an index.
type Option struct {
	Name  string
	Value int
}

// maxName is what PostgreSQL keeps of a name, less the suffixes of this package.
const maxName = 63 - len("_index")

func (t *Table) check() error {
	if t.Name == "" || len(t.Name) > maxName {
		return fmt.Errorf("a table's name has 1 to %d bytes: %q", maxName, t.Name)
	}
	if t.Rows < 1 || t.Dim < 1 {
		return fmt.Errorf("a table of %d vectors of %d dimensions", t.Rows, t.Dim)
	}
	return nil
}

func (t *Table) index() string { return t.Name + "_index" }
func (t *Table) wire() string  { return t.Name + "_wire" }

// operator is what pgvector orders by under a metric, and opclass the class of operators that an index
// of the type is made for.
func operator(m vec.Metric) string {
	switch m {
	case vec.L2:
		return "<->"
	case vec.Cosine:
		return "<=>"
	case vec.InnerProduct:
		return "<#>"
	}
	panic(fmt.Sprintf("pgvector: no metric %q", m))
}

func (t *Table) opclass() string {
	return string(t.Type) + map[vec.Metric]string{vec.L2: "_l2_ops", vec.Cosine: "_cosine_ops", vec.InnerProduct: "_ip_ops"}[t.Metric]
}

// Build makes the table, fills it and makes its index. phase is called as each part begins: "add", and
// "finish" for the index and the table's statistics.
//
// What has been made when it fails stays, for [Server.Drop].
func (s *Server) Build(ctx context.Context, t *Table, vectors vec.Matrix, phase func(string)) error {
	if err := t.check(); err != nil {
		return err
	}
	if err := s.Supports(t.Type == Halfvec, false); err != nil {
		return err
	}
	c, err := s.connect(ctx, t.Name)
	if err != nil {
		return err
	}
	defer c.close()
	if err := c.set(ctx); err != nil {
		return err
	}
	if err := c.lasting(ctx); err != nil {
		return err
	}
	phase("add")
	if err := s.fill(ctx, c, t, vectors); err != nil {
		return fmt.Errorf("importing: %w", err)
	}
	phase("finish")
	// The index is made after the import, which pgvector's documentation advises; and the table is
	// vacuumed before it is searched, as a server does by itself in time: the first search would
	// otherwise write to every page.
	if _, err := c.query(ctx, "VACUUM (ANALYZE) "+ident(t.Name)); err != nil {
		return fmt.Errorf("vacuuming: %w", err)
	}
	if err := s.makeIndex(ctx, c, t); err != nil {
		return fmt.Errorf("making the index: %w", err)
	}
	return s.verify(ctx, c, t)
}

// fill makes the table and brings the vectors in, in one transaction: an import that breaks off leaves
// nothing behind.
func (s *Server) fill(ctx context.Context, c *conn, t *Table, vectors vec.Matrix) error {
	create, with := "BEGIN", ""
	if t.Vacuum == ByUpdate || t.Vacuum == Never {
		with = " WITH (autovacuum_enabled = off, toast.autovacuum_enabled = off)"
	}
	for _, name := range []string{t.Name, t.wire()} {
		create += fmt.Sprintf("; CREATE TABLE %[1]s (id integer PRIMARY KEY, embedding %[2]s(%[3]d) NOT NULL)%[5]s; ALTER TABLE %[1]s ALTER COLUMN embedding SET STORAGE %[4]s",
			ident(name), t.Type, t.Dim, t.Storage, with)
	}
	if _, err := c.query(ctx, create); err != nil {
		return err
	}
	if err := s.bring(ctx, c, t, vectors, 0); err != nil {
		return err
	}
	_, err := c.query(ctx, "COMMIT")
	return err
}

// bring brings vectors in, numbered from first on.
func (s *Server) bring(ctx context.Context, c *conn, t *Table, vectors vec.Matrix, first int) error {
	if s.oneSession { // PGlite ends the connection at a COPY
		return s.insert(ctx, c, t, vectors, first)
	}
	return s.copyIn(ctx, c, t, vectors, first)
}

// copyIn streams the vectors in PostgreSQL's binary form.
func (s *Server) copyIn(ctx context.Context, c *conn, t *Table, vectors vec.Matrix, first int) error {
	in := &copyReader{vectors: vectors, kind: t.Type, first: first}
	tag, err := c.CopyFrom(ctx, in, "COPY "+ident(t.Name)+" (id, embedding) FROM STDIN (FORMAT binary)")
	if in.err != nil {
		return in.err
	}
	if err != nil {
		return s.failed(ctx, err)
	}
	if n := tag.RowsAffected(); n != int64(vectors.Rows) {
		return fmt.Errorf("the server took %d of %d vectors", n, vectors.Rows)
	}
	return nil
}

// copyReader is a table in the binary form of COPY: a header, rows of two fields, a trailer.
type copyReader struct {
	vectors vec.Matrix
	kind    Type
	first   int // number of the first row
	row     int // that comes next; -1 before the header comes once begun
	begun   bool
	ended   bool
	buf     bytes.Buffer
	scratch []byte
	err     error
}

// copySignature begins a stream, with no flags and no extension.
const copySignature = "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"

func (r *copyReader) Read(p []byte) (int, error) {
	for r.buf.Len() < len(p) && !r.ended {
		r.scratch = r.scratch[:0]
		switch {
		case !r.begun:
			r.begun = true
			r.scratch = append(r.scratch, copySignature...)
		case r.row < r.vectors.Rows:
			r.scratch = append(r.scratch, 0, 2, 0, 0, 0, 4)
			r.scratch = appendUint32(r.scratch, uint32(r.first+r.row))
			r.scratch = appendUint32(r.scratch, uint32(wireSize(r.kind, r.vectors.Dim)))
			var err error
			if r.scratch, err = appendVector(r.scratch, r.kind, r.vectors.Row(r.row)); err != nil {
				r.err = fmt.Errorf("vector %d: %w", r.row, err)
				return 0, r.err
			}
			r.row++
		default:
			r.ended = true
			r.scratch = append(r.scratch, 0xff, 0xff)
		}
		r.buf.Write(r.scratch)
	}
	if r.buf.Len() == 0 {
		return 0, io.EOF
	}
	return r.buf.Read(p)
}

// insertBytes bounds the vectors of one INSERT, which a server holds as a whole, and insertRows its
// parameters, two a row, of which the protocol has 65,535.
const (
	insertBytes = 1 << 20
	insertRows  = 1000
)

// insert brings the vectors in by statements of several rows, for servers without COPY.
func (s *Server) insert(ctx context.Context, c *conn, t *Table, vectors vec.Matrix, first int) error {
	many := max(1, min(insertRows, insertBytes/wireSize(t.Type, t.Dim), vectors.Rows))
	prepared := 0 // rows of the statement that stands
	name := ""
	for from := 0; from < vectors.Rows; from += many {
		n := min(many, vectors.Rows-from)
		if n != prepared {
			var err error
			if name, err = c.prepare(ctx, insertSQL(t.Name, n)); err != nil {
				return err
			}
			prepared = n
		}
		values := make([][]byte, 0, 2*n)
		for i := from; i < from+n; i++ {
			v, err := appendVector(nil, t.Type, vectors.Row(i))
			if err != nil {
				return fmt.Errorf("vector %d: %w", i, err)
			}
			values = append(values, appendUint32(nil, uint32(first+i)), v)
		}
		result := c.ExecPrepared(ctx, name, values, binary, nil).Read()
		if result.Err != nil {
			return s.failed(ctx, result.Err)
		}
		if got := result.CommandTag.RowsAffected(); got != int64(n) {
			return fmt.Errorf("the server took %d of %d vectors from %d on", got, n, from)
		}
	}
	return nil
}

func insertSQL(table string, rows int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "INSERT INTO %s (id, embedding) VALUES ", ident(table))
	for i := range rows {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "($%d,$%d)", 2*i+1, 2*i+2)
	}
	return b.String()
}

func (s *Server) makeIndex(ctx context.Context, c *conn, t *Table) error {
	if t.Kind == None {
		return nil
	}
	if t.MaintenanceMB > 0 {
		if _, err := c.query(ctx, fmt.Sprintf("SET maintenance_work_mem = '%dMB'", t.MaintenanceMB)); err != nil {
			return err
		}
	}
	var options []string
	for _, o := range t.Options {
		options = append(options, fmt.Sprintf("%s = %d", o.Name, o.Value))
	}
	_, err := c.query(ctx, fmt.Sprintf("SET max_parallel_maintenance_workers = %d; CREATE INDEX %s ON %s USING %s (embedding %s) WITH (%s)",
		max(0, t.Workers), ident(t.index()), ident(t.Name), t.Kind, t.opclass(), strings.Join(options, ", ")))
	return err
}

// verify counts the rows.
func (s *Server) verify(ctx context.Context, c *conn, t *Table) error {
	rows, err := c.query(ctx, "SELECT count(*), coalesce(min(id), 0), coalesce(max(id), 0) FROM "+ident(t.Name))
	if err != nil {
		return fmt.Errorf("counting: %w", err)
	}
	if want := []string{strconv.Itoa(t.Rows), "0", strconv.Itoa(t.Rows - 1)}; strings.Join(rows[0], " ") != strings.Join(want, " ") {
		return fmt.Errorf("table %s holds %s vectors with ids from %s to %s, not %d from 0 to %d", t.Name, rows[0][0], rows[0][1], rows[0][2], t.Rows, t.Rows-1)
	}
	if t.Kind == None {
		return nil
	}
	// An index that a failed build left is there, and is never used.
	rows, err = c.query(ctx, fmt.Sprintf("SELECT i.indisvalid FROM pg_index i WHERE i.indexrelid = to_regclass(%s)", quote(ident(t.index()))))
	if err != nil {
		return err
	}
	if len(rows) == 0 || rows[0][0] != "t" {
		return fmt.Errorf("table %s has no whole index %s", t.Name, t.index())
	}
	return nil
}

// Sizes are what a table takes on the server's disk, in bytes.
type Sizes struct {
	Heap  int64 // rows, with what lists the free space in them
	Toast int64 // vectors that were moved out of them
	Index int64 // the index over the vectors
	Key   int64 // the primary key
	Total int64 // all of it, as pg_total_relation_size says
}

// Sizes asks the server.
func (s *Server) Sizes(ctx context.Context, t *Table) (Sizes, error) {
	c, err := s.connect(ctx, t.Name)
	if err != nil {
		return Sizes{}, err
	}
	defer c.close()
	rows, err := c.query(ctx, fmt.Sprintf(
		"SELECT pg_table_size(c.oid) - coalesce(pg_total_relation_size(nullif(c.reltoastrelid, 0)), 0), coalesce(pg_total_relation_size(nullif(c.reltoastrelid, 0)), 0), "+
			"coalesce(pg_relation_size(to_regclass(%[2]s)), 0), pg_indexes_size(c.oid) - coalesce(pg_relation_size(to_regclass(%[2]s)), 0), pg_total_relation_size(c.oid) "+
			"FROM pg_class c WHERE c.oid = to_regclass(%[1]s)", quote(ident(t.Name)), quote(ident(t.index()))))
	if err != nil {
		return Sizes{}, err
	}
	if len(rows) == 0 {
		return Sizes{}, fmt.Errorf("there is no table %s", t.Name)
	}
	var z Sizes
	for i, to := range []*int64{&z.Heap, &z.Toast, &z.Index, &z.Key, &z.Total} {
		if *to, err = strconv.ParseInt(rows[0][i], 10, 64); err != nil {
			return z, fmt.Errorf("the size of table %s: %w", t.Name, err)
		}
	}
	return z, nil
}

// Drop removes what Build left under a name, whole or not, and ends what still works on it: a server
// continues a statement whose client was killed. That nothing is there is no error.
func (s *Server) Drop(ctx context.Context, name string) error { return s.drop(ctx, name) }

// Drop is [Server.Drop] for a server that nothing else is asked of: whether it has pgvector, or still has
// it, does not matter.
func Drop(ctx context.Context, address, name string) error {
	s, err := at(address)
	if err != nil {
		return err
	}
	return s.drop(ctx, name)
}

func (s *Server) drop(ctx context.Context, name string) error {
	if name == "" || len(name) > maxName {
		return errors.New("nothing to drop: no such name can have been given")
	}
	c, err := s.connect(ctx, "annbench")
	if err != nil {
		return err
	}
	defer c.close()
	t := Table{Name: name}
	if _, err := c.query(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = "+quote(name)+" AND datname = current_database() AND pid <> pg_backend_pid()"); err != nil {
		return err
	}
	_, err = c.query(ctx, "SET client_min_messages = warning; DROP TABLE IF EXISTS "+ident(name)+", "+ident(t.wire()))
	return err
}

// Bytes is about what a table of n vectors and its index take, by the layout of their pages. HNSW draws
// the height of each vector at random; this counts its expectation.
func Bytes(k Kind, t Type, n, dim, m, lists int) (table, index int64) {
	const (
		page    = 8192
		header  = 24 // of a page
		special = 8  // at the end of a page of an index
		pointer = 4  // to a tuple, on each page
		rowHead = 24 // of a row, with the bitmap of nulls left out
		room    = page - header
	)
	value := wireSize(t, dim) + 4 // the length before it
	table = pages(n, align(rowHead+align4(4+value))+pointer, room) * page
	switch k {
	case HNSW:
		element := align(72 + value)
		// The lowest layer has 2m links, each one above m; a vector stands on 1/(m-1) of those on average.
		links := align(4 + 6*int(math.Round(float64(2*m)+float64(m)/float64(max(m-1, 1)))))
		index = pages(n, element+links+2*pointer, room-special) * page
	case IVFFlat:
		index = pages(n, align(8+value)+pointer, room-special)*page + pages(lists, align(8+value)+pointer, room-special)*page
		index += int64(lists) / 2 * page // the last page of each list is half full
	}
	return table, index
}

func align(n int) int  { return (n + 7) &^ 7 }
func align4(n int) int { return (n + 3) &^ 3 }

// pages is how many hold n tuples of a size, of which none is divided.
func pages(n, size, room int) int64 {
	return int64((n + max(1, room/size) - 1) / max(1, room/size))
}
