package pgvector

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"annbench/indexes/vec"
)

// script is a server that answers each statement that holds a text with rows or an error. It stands for
// servers that a test cannot have: old ones, and ones whose disk is full.
type script map[string]any // [][]string, *pgproto3.ErrorResponse, or silence{}

// silence is no answer at all.
type silence struct{}

func (s script) start(t *testing.T) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() })
			go s.serve(c)
		}
	}()
	return fmt.Sprintf("postgres://u@%s/d?sslmode=disable", l.Addr())
}

func (s script) serve(c net.Conn) {
	b := pgproto3.NewBackend(c, c)
	if _, err := b.ReceiveStartupMessage(); err != nil {
		return
	}
	b.Send(&pgproto3.AuthenticationOk{})
	b.Send(&pgproto3.BackendKeyData{ProcessID: 1, SecretKey: []byte{0, 0, 0, 1}})
	b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	for b.Flush() == nil {
		m, err := b.Receive()
		if err != nil {
			return
		}
		q, ok := m.(*pgproto3.Query)
		if !ok {
			continue
		}
		var answer any
		for text, a := range s {
			if strings.Contains(q.String, text) {
				answer = a
			}
		}
		switch answer := answer.(type) {
		case silence:
			continue
		case *pgproto3.ErrorResponse:
			b.Send(answer)
		case [][]string:
			fields := make([]pgproto3.FieldDescription, 2)
			for i := range fields {
				fields[i] = pgproto3.FieldDescription{Name: []byte("a"), DataTypeOID: 25, DataTypeSize: -1, TypeModifier: -1}
			}
			b.Send(&pgproto3.RowDescription{Fields: fields})
			for _, row := range answer {
				b.Send(&pgproto3.DataRow{Values: [][]byte{[]byte(row[0]), []byte(row[1])}})
			}
			b.Send(&pgproto3.CommandComplete{CommandTag: []byte("SELECT")})
		default:
			b.Send(&pgproto3.CommandComplete{CommandTag: []byte("OK")})
		}
		b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	}
}

// server answers as one of these versions.
func (s script) of(postgres, vector string) script {
	s["server_version"] = [][]string{{postgres, "PostgreSQL " + postgres}}
	s["pg_extension"] = [][]string{}
	if vector != "" {
		s["pg_extension"] = [][]string{{vector, "public"}}
	}
	return s
}

func TestConnectRefuses(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := closed.Addr().String()
	closed.Close()
	for name, c := range map[string]struct{ address, says string }{
		"nobody there":     {"postgres://u@" + nobody + "/d", "dial error: dial tcp " + nobody + ": connect: connection refused"},
		"an old server":    {script{}.of("12.22", "0.8.5").start(t), "version 12.22 is too old: 13 or later is needed"},
		"an old extension": {script{}.of("16.3", "0.4.4").start(t), "pgvector 0.4.4 is too old: 0.5 or later"},
		"not created":      {script{"pg_available_extensions": [][]string{{"0.8.5", ""}}}.of("17.2 (Debian 17.2-1)", "").start(t), "the server has pgvector 0.8.5, but this database has not: run CREATE EXTENSION vector"},
		"not installed":    {script{"pg_available_extensions": [][]string{}}.of("17.2 (Debian 17.2-1)", "").start(t), "postgresql-17-pgvector"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Connect(t.Context(), c.address)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %q", err, c.says)
			}
			if err != nil && strings.Count(err.Error(), "\n")+strings.Count(err.Error(), c.says) != 1 {
				t.Errorf("not one line that says it once: %v", err)
			}
			// What cannot be searched can still be cleared.
			if err := Drop(t.Context(), c.address, "annbench_x"); (err == nil) != (name != "nobody there") {
				t.Errorf("dropping: %v", err)
			}
		})
	}
}

// A server that accepts and then says nothing does not hang who asks it.
func TestSilentServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = Connect(t.Context(), fmt.Sprintf("postgres://u@%s/d?sslmode=disable&connect_timeout=1", l.Addr()))
	if err == nil || !strings.Contains(err.Error(), "no answer within 1s") && !strings.Contains(err.Error(), "timeout") {
		t.Errorf("%v", err)
	}

	address := script{"count(*)": silence{}, "to_regclass": [][]string{{"t", ""}}}.of("18.4", "0.8.5").start(t)
	s, err := Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.NewSearcher(ctx, Table{Name: "x", Rows: 1, Dim: 1, Metric: vec.L2}, Settings{}, 1, time.Second); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

// What the server says reaches the user whole, with what to do.
func TestServersWords(t *testing.T) {
	full := &pgproto3.ErrorResponse{Severity: "ERROR", SeverityUnlocalized: "ERROR", Code: "53100", Message: `could not extend file "base/5/1": No space left on device`, Hint: "Check free disk space."}
	s, err := Connect(t.Context(), script{"CREATE TABLE": full}.of("18.4", "0.6.2").start(t))
	if err != nil {
		t.Fatal(err)
	}
	table := Table{Name: "x", Rows: 1, Dim: 1, Metric: vec.L2, Type: Vector, Storage: Plain}
	err = s.Build(t.Context(), &table, vec.NewMatrix(1, 1), func(string) {})
	if want := `importing: ERROR: could not extend file "base/5/1": No space left on device (SQLSTATE 53100); HINT: Check free disk space.: the server's disk is full`; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	table.Type = Halfvec
	if err := s.Build(t.Context(), &table, vec.NewMatrix(1, 1), func(string) {}); err == nil || !strings.Contains(err.Error(), "has pgvector 0.6.2: the type halfvec needs 0.7 or later") {
		t.Errorf("%v", err)
	}
	table.Type = Vector
	if _, err := s.NewSearcher(t.Context(), table, Settings{Iterative: "strict_order"}, 1, time.Second); err == nil || !strings.Contains(err.Error(), "iterative scans need 0.8 or later") {
		t.Errorf("%v", err)
	}
}

// proxy passes everything on to a server until it is told to cut.
type proxy struct {
	net.Listener
	mu    sync.Mutex
	conns []net.Conn
	// left is how many bytes pass to the server before everything is cut; below 0 there is no limit.
	left atomic.Int64
	dead atomic.Bool
}

func startProxy(t *testing.T, s *Server) (p *proxy, address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p = &proxy{Listener: l}
	p.left.Store(-1)
	t.Cleanup(p.cut)
	to := net.JoinHostPort(s.config.Host, fmt.Sprint(s.config.Port))
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil || p.dead.Load() {
				in.Close()
				continue
			}
			p.mu.Lock()
			p.conns = append(p.conns, in, out)
			p.mu.Unlock()
			go io.Copy(in, out)
			go p.pass(out, in)
		}
	}()
	return p, fmt.Sprintf("postgres://%s@%s/%s?sslmode=disable", url.PathEscape(s.config.User), l.Addr(), s.database())
}

func (p *proxy) pass(to io.Writer, from io.Reader) {
	buf := make([]byte, 8192)
	for {
		n, err := from.Read(buf)
		if limit := p.left.Load(); limit >= 0 && p.left.Add(-int64(n)) < 0 {
			p.cut()
			return
		}
		if _, e := to.Write(buf[:n]); err != nil || e != nil {
			return
		}
	}
}

// cut is what a server's end looks like from here: connections break, and no new one can be made.
func (p *proxy) cut() {
	p.dead.Store(true)
	p.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		c.Close()
	}
}

// A server that goes away during the import, or during a search, is an error, and leaves nothing.
func TestServerGoes(t *testing.T) {
	base := gaussian(2000, 64, 3)
	each(t, func(t *testing.T, s *Server) {
		p, address := startProxy(t, s)
		through, err := Connect(t.Context(), address)
		if err != nil {
			t.Fatal(err)
		}
		table := Table{Name: newTable(t, s), Rows: 2000, Dim: 64, Metric: vec.L2, Type: Vector, Storage: Plain, Kind: HNSW, Options: kinds[1].options}
		p.left.Store(100_000)
		err = through.Build(t.Context(), &table, base, func(string) {})
		if err == nil || !strings.Contains(err.Error(), "importing") {
			t.Fatalf("the import: %v", err)
		}
		t.Log(err)
		c, err := s.connect(t.Context(), "test")
		if err != nil {
			t.Fatal(err)
		}
		defer c.close()
		// The server notices by itself, and undoes what was not committed.
		gone := func() bool {
			rows, err := c.query(t.Context(), "SELECT to_regclass("+quote(ident(table.Name))+") IS NULL")
			if err != nil {
				t.Fatal(err)
			}
			return rows[0][0] == "t"
		}
		for end := time.Now().Add(5 * time.Minute); !gone(); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("half an import stays on the server")
			}
		}

		if err := s.Build(t.Context(), &table, base, func(string) {}); err != nil {
			t.Fatal(err)
		}
		p, address = startProxy(t, s)
		if through, err = Connect(t.Context(), address); err != nil {
			t.Fatal(err)
		}
		x, err := through.NewSearcher(t.Context(), table, Settings{Ef: 40}, 1, 10*time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		defer x.Close()
		if _, err := x.Search(nil, base.Row(0), 10); err != nil {
			t.Fatal(err)
		}
		p.cut()
		start := time.Now()
		for range 2 { // on a connection that broke, then on none
			dst := []vec.Neighbor{{ID: 1}}
			got, err := x.Search(dst, base.Row(0), 10)
			if err == nil || len(got) != 1 {
				t.Fatalf("%v, %v", got, err)
			}
			t.Log(err)
		}
		if time.Since(start) > 5*time.Minute {
			t.Error("a connection that is gone is noticed only at the deadline of the search")
		}
	})
}

// A search that takes longer than its deadline is given up, on the server as well, and the connection
// serves again.
func TestDeadline(t *testing.T) {
	base := gaussian(20000, 100, 3)
	each(t, func(t *testing.T, s *Server) {
		if s.oneSession {
			t.Skip("PGlite cannot cancel a statement: it has no signals")
		}
		table := Table{Name: newTable(t, s), Rows: base.Rows, Dim: base.Dim, Metric: vec.L2, Type: Vector, Storage: External, Kind: None}
		if err := s.Build(t.Context(), &table, base, func(string) {}); err != nil {
			t.Fatal(err)
		}
		x, err := s.NewSearcher(t.Context(), table, Settings{}, 1, 5*time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		defer x.Close()
		if _, err := x.Search(nil, base.Row(0), 10); err != nil {
			t.Fatal(err)
		}
		x.deadline = time.Millisecond
		_, err = x.Search(nil, base.Row(0), 10)
		if err == nil || !strings.Contains(err.Error(), "no answer within 1ms") {
			t.Errorf("%v", err)
		}
		t.Log(err)
		x.deadline = 5 * time.Minute
		if _, err := x.Search(nil, base.Row(0), 10); err != nil {
			t.Error(err)
		}
	})
}

// The server's own limits of time and rights come back in its words.
func TestServerRefuses(t *testing.T) {
	base := gaussian(6000, 100, 3)
	each(t, func(t *testing.T, s *Server) {
		if s.oneSession {
			t.Skip("PGlite takes no options at the start of a session, and lets anybody in")
		}
		host := net.JoinHostPort(s.config.Host, fmt.Sprint(s.config.Port))
		table := Table{Name: newTable(t, s), Rows: base.Rows, Dim: base.Dim, Metric: vec.L2, Type: Vector, Storage: Plain, Kind: HNSW, Options: []Option{{"m", 32}, {"ef_construction", 400}}}
		short, err := Connect(t.Context(), fmt.Sprintf("postgres://%s@%s/%s?statement_timeout=500ms", s.config.User, host, s.database()))
		if err != nil {
			t.Fatal(err)
		}
		err = short.Build(t.Context(), &table, base, func(string) {})
		if err == nil || !strings.Contains(err.Error(), "canceling statement due to statement timeout (SQLSTATE 57014)") || !strings.Contains(err.Error(), "SHOW statement_timeout") {
			t.Errorf("a statement timeout: %v", err)
		}
		if err := s.Drop(t.Context(), table.Name); err != nil {
			t.Error(err)
		}
		if _, err := Connect(t.Context(), fmt.Sprintf("postgres://%s@%s/annbench_nosuch", s.config.User, host)); err == nil || !strings.Contains(err.Error(), "3D000") || !strings.Contains(err.Error(), "create the database") {
			t.Errorf("no such database: %v", err)
		}
		t.Setenv("PGPASSWORD", "wrong")
		if _, err := Connect(t.Context(), fmt.Sprintf("postgres://annbench_nosuch@%s/%s", host, s.database())); err == nil || !strings.Contains(err.Error(), "28P01") && !strings.Contains(err.Error(), "28000") || !strings.Contains(err.Error(), "PGPASSWORD") {
			t.Errorf("a wrong password: %v", err)
		}
	})
}

// A build that is stopped leaves what Drop removes, and nothing goes on.
func TestStopped(t *testing.T) {
	base := gaussian(6000, 100, 3)
	each(t, func(t *testing.T, s *Server) {
		base, wait := base, 300*time.Millisecond
		if s.oneSession { // it goes on to the end, and answers nobody until then
			base, wait = base.Slice(0, 500), 0
		}
		table := Table{Name: newTable(t, s), Rows: base.Rows, Dim: base.Dim, Metric: vec.L2, Type: Vector, Storage: Plain, Kind: HNSW, Options: []Option{{"m", 32}, {"ef_construction", 400}}}
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		stop := errors.New("somebody stopped it")
		err := s.Build(ctx, &table, base, func(phase string) {
			if phase == "finish" {
				time.AfterFunc(wait, func() { cancel(stop) })
			}
		})
		if !errors.Is(err, stop) {
			t.Errorf("%v", err)
		}
		t.Log(err)
		if s.oneSession {
			return
		}
		if err := s.Drop(t.Context(), table.Name); err != nil {
			t.Fatal(err)
		}
		c, err := s.connect(t.Context(), "test")
		if err != nil {
			t.Fatal(err)
		}
		defer c.close()
		rows, err := c.query(t.Context(), "SELECT (SELECT count(*) FROM pg_stat_activity WHERE application_name = "+quote(table.Name)+" AND state = 'active'), (SELECT count(*) FROM pg_class WHERE relname LIKE "+quote(table.Name+"%")+")")
		if err != nil {
			t.Fatal(err)
		}
		if rows[0][0] != "0" || rows[0][1] != "0" {
			t.Errorf("%s statements go on, and %s relations are left", rows[0][0], rows[0][1])
		}
	})
}
