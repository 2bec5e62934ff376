// Package pgvector keeps vectors in PostgreSQL with the extension pgvector, and searches them there:
// by HNSW graphs, by inverted lists, or by a scan.
//
// It speaks to a server that others run: any PostgreSQL that has the extension. A [Server] is the way
// to it, a [Table] what it keeps there under one name, a [Searcher] asks a table on as many connections
// as there are searches at once. It does not measure and knows no families of indexes: its neighbour
// is package indexes, which makes families of it.
//
// Every error of the server comes in the server's own words, with what to do about it where that is
// known.
package pgvector

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
)

// connectPatience is how long a server may take to answer a new connection, where the address does not
// say (connect_timeout).
const connectPatience = 10 * time.Second

// Versions that are needed: of PostgreSQL for plan_cache_mode and the rest of what a session sets, of
// pgvector for HNSW, for the type halfvec, and for searches that continue until they have enough.
var (
	oldestPostgres = version{13}
	oldestVector   = version{0, 5}
	halfvecSince   = version{0, 7}
	iterativeSince = version{0, 8}
)

// Server is a PostgreSQL with pgvector. It holds no connection: each of its methods makes one, or a
// [Searcher] does. Its methods may be called by many goroutines.
type Server struct {
	Postgres string // version of the server: "18.4"
	Vector   string // version of the extension: "0.8.5"
	// Functional says why the server is fit for tests of function alone, and no time that it takes means
	// anything. It is empty for a server proper.
	Functional string

	config *pgconn.Config
	schema string // of the extension
	vector version
	// oneSession: all connections share one session, and so its settings: PGlite.
	oneSession bool

	mu      sync.Mutex
	notices []string
}

// ParseAddress checks an address without connecting: host:5432/database, a PostgreSQL URL, or a list of
// key=value pairs. What it leaves out comes from the environment (PGUSER, PGDATABASE, PGSSLMODE and so
// on), and a password always does: from PGPASSWORD or from the file that PGPASSFILE names, ~/.pgpass by
// default.
func ParseAddress(address string) (*pgconn.Config, error) {
	if address == "" {
		return nil, errors.New("no address: give one like host:5432/database")
	}
	if holdsPassword(address) {
		return nil, errors.New("the address holds a password, and would stand in results: take it out, and set PGPASSWORD or use ~/.pgpass")
	}
	if !strings.Contains(address, "=") && !strings.Contains(address, "://") {
		address = "postgres://" + address
	}
	config, err := pgconn.ParseConfig(address)
	if err != nil {
		return nil, fmt.Errorf("the address: %w", err)
	}
	return config, nil
}

func holdsPassword(address string) bool {
	if u, err := url.Parse(address); strings.Contains(address, "://") && err == nil && u.User != nil {
		if _, ok := u.User.Password(); ok {
			return true
		}
	}
	// A key of a list, or of the query of a URL.
	for _, part := range strings.FieldsFunc(address, func(r rune) bool { return r == ' ' || r == '?' || r == '&' }) {
		if strings.HasPrefix(strings.ToLower(part), "password=") || strings.HasPrefix(strings.ToLower(part), "sslpassword=") {
			return true
		}
	}
	return false
}

// Connect looks at the server at an address: that it answers, is new enough, and has pgvector.
func Connect(ctx context.Context, address string) (*Server, error) {
	s, err := at(address)
	if err != nil {
		return nil, err
	}
	c, err := s.connect(ctx, "annbench")
	if err != nil {
		return nil, err
	}
	defer c.close()
	if err := s.look(ctx, c); err != nil {
		return nil, fmt.Errorf("%s: %w", s.where(), err)
	}
	return s, nil
}

// at is the server at an address, of which nothing is known yet.
func at(address string) (*Server, error) {
	config, err := ParseAddress(address)
	if err != nil {
		return nil, err
	}
	s := &Server{config: config}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectPatience
	}
	config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { s.note(n) }
	// A search that is given up is cancelled on the server as well, and says so in the server's words.
	config.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: c, DeadlineDelay: 2 * time.Second}
	}
	return s, nil
}

// where names the server and the database for people.
func (s *Server) where() string {
	return fmt.Sprintf("PostgreSQL at %s:%d, database %s", s.config.Host, s.config.Port, s.database())
}

func (s *Server) database() string {
	if s.config.Database == "" {
		return s.config.User // PostgreSQL's own rule
	}
	return s.config.Database
}

// String names the server for people: "PostgreSQL 18.4, pgvector 0.8.5".
func (s *Server) String() string {
	return fmt.Sprintf("PostgreSQL %s, pgvector %s", s.Postgres, s.Vector)
}

// look finds out what the server is.
func (s *Server) look(ctx context.Context, c *conn) error {
	rows, err := c.query(ctx, "SELECT current_setting('server_version'), version()")
	if err != nil {
		return err
	}
	s.Postgres, _, _ = strings.Cut(rows[0][0], " ")
	if v := parseVersion(s.Postgres); v.less(oldestPostgres) {
		return fmt.Errorf("version %s is too old: %v or later is needed", s.Postgres, oldestPostgres)
	}
	if strings.Contains(rows[0][1], "PGlite") {
		s.oneSession = true
		s.Functional = "PGlite is PostgreSQL compiled to WebAssembly, on one thread and with one session for all: it shows that things work, and no time it takes says anything of PostgreSQL"
	}
	rows, err = c.query(ctx, "SELECT e.extversion, n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'vector'")
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		return s.missing(ctx, c)
	}
	s.Vector, s.schema = rows[0][0], rows[0][1]
	if s.vector = parseVersion(s.Vector); s.vector.less(oldestVector) {
		return fmt.Errorf("pgvector %s is too old: %v or later is needed", s.Vector, oldestVector)
	}
	return nil
}

// missing says what to do on a server without pgvector.
func (s *Server) missing(ctx context.Context, c *conn) error {
	rows, err := c.query(ctx, "SELECT default_version FROM pg_available_extensions WHERE name = 'vector'")
	if err != nil {
		return err
	}
	if len(rows) > 0 {
		return fmt.Errorf("the server has pgvector %s, but this database has not: run CREATE EXTENSION vector in it, as a user who may", rows[0][0])
	}
	major, _, _ := strings.Cut(s.Postgres, ".")
	return fmt.Errorf("the server has no pgvector: install it there (Debian's and PostgreSQL's package is postgresql-%s-pgvector), then run CREATE EXTENSION vector in the database", major)
}

// Supports reports what of a table's type and a search's settings the server is too old for.
func (s *Server) Supports(halfvec, iterative bool) error {
	if halfvec && s.vector.less(halfvecSince) {
		return fmt.Errorf("%s has pgvector %s: the type halfvec needs %v or later", s.where(), s.Vector, halfvecSince)
	}
	if iterative && s.vector.less(iterativeSince) {
		return fmt.Errorf("%s has pgvector %s: iterative scans need %v or later", s.where(), s.Vector, iterativeSince)
	}
	return nil
}

// note keeps what the server says beside its answers: warnings, and what pgvector says about a build.
func (s *Server) note(n *pgconn.Notice) {
	if n.SeverityUnlocalized == "NOTICE" && !ofVector(n.Message) {
		return // "table does not exist, skipping", and the like
	}
	if n.SeverityUnlocalized != "NOTICE" && n.SeverityUnlocalized != "WARNING" {
		return
	}
	text := words(n.Severity, n.Message, n.Detail, n.Hint, "")
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.notices, text) {
		s.notices = append(s.notices, text)
	}
}

// ofVector reports whether a notice is pgvector's, about an index that is being built.
func ofVector(message string) bool {
	return strings.HasPrefix(message, "hnsw ") || strings.HasPrefix(message, "ivfflat ")
}

// Notices are the warnings that the server has given so far, in its own words, each once.
func (s *Server) Notices() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.notices)
}

// version is a version number, part by part.
type version []int

func parseVersion(s string) (v version) {
	for part := range strings.SplitSeq(s, ".") {
		n := 0
		digits := 0
		for _, r := range part {
			if r < '0' || r > '9' {
				break
			}
			n = 10*n + int(r-'0')
			digits++
		}
		if digits == 0 {
			break
		}
		v = append(v, n)
		if digits < len(part) { // "18beta2"
			break
		}
	}
	return v
}

func (v version) less(w version) bool { return slices.Compare(v, w) < 0 }

func (v version) String() string {
	parts := make([]string, len(v))
	for i, n := range v {
		parts[i] = fmt.Sprint(n)
	}
	return strings.Join(parts, ".")
}
