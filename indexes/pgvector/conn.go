package pgvector

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// conn is one connection, for one goroutine at a time.
type conn struct {
	*pgconn.PgConn
	server *Server
	made   int // statements prepared
}

// connect makes a connection under a name by which [Server.Drop] finds it again on the server.
func (s *Server) connect(ctx context.Context, name string) (*conn, error) {
	config := s.config.Copy()
	config.RuntimeParams["application_name"] = name
	// A dial has its own limit; a server that accepts and then says nothing does not.
	dial, cancel := context.WithTimeout(ctx, config.ConnectTimeout)
	defer cancel()
	raw, err := pgconn.ConnectConfig(dial, config)
	if err != nil {
		if ctx.Err() == nil && dial.Err() != nil {
			return nil, fmt.Errorf("connecting to %s: no answer within %v", s.where(), config.ConnectTimeout)
		}
		return nil, fmt.Errorf("connecting to %s: %w", s.where(), oneLine(s.explain(err)))
	}
	return &conn{PgConn: raw, server: s}, nil
}

// oneLine puts the tries of a connection, one a line, into one, each once.
func oneLine(err error) error {
	var lines []string
	for line := range strings.Lines(err.Error()) {
		if line = strings.TrimSpace(line); !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return &serverError{strings.Join(lines, " "), err}
}

// set makes the session fit to build and to search. schema comes last in the search path, so that
// pgvector's types and operators are found wherever it was installed.
func (c *conn) set(ctx context.Context) error {
	// Compiling a plan costs more than a search, and is tried where a plan looks costly, as every plan
	// does that the planner was asked to avoid.
	statements := "SET jit = off"
	if c.server.schema != "" && c.server.schema != "public" && c.server.schema != "pg_catalog" {
		statements += "; SELECT set_config('search_path', current_setting('search_path') || ', ' || " + quote(ident(c.server.schema)) + ", false)"
	}
	_, err := c.query(ctx, statements)
	return err
}

// lasting makes the server look, once a second, whether the client of a long statement is still there.
func (c *conn) lasting(ctx context.Context) error {
	if c.server.oneSession || parseVersion(c.server.Postgres).less(version{14}) {
		return nil
	}
	// Not every system can: then the server continues until it is done, or until Drop ends it.
	_, err := c.query(ctx, "SET client_connection_check_interval = '1s'")
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return nil
	}
	return err
}

func (c *conn) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = c.Close(ctx)
}

// query runs statements and returns the rows of the last one that has any, as text.
func (c *conn) query(ctx context.Context, sql string) ([][]string, error) {
	results, err := c.Exec(ctx, sql).ReadAll()
	if err != nil {
		return nil, c.server.failed(ctx, err)
	}
	var rows [][]string
	for _, r := range results {
		if len(r.FieldDescriptions) == 0 {
			continue
		}
		rows = rows[:0]
		for _, row := range r.Rows {
			texts := make([]string, len(row))
			for i, v := range row {
				texts[i] = string(v)
			}
			rows = append(rows, texts)
		}
	}
	return rows, nil
}

// failed is err in the words of whoever knows best: of the context where it was stopped, of the server
// where it answered.
func (s *Server) failed(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		var e *pgconn.PgError
		if errors.As(err, &e) {
			return fmt.Errorf("%w: the server says: %s", cause, words(e.Severity, e.Message, e.Detail, e.Hint, e.Code))
		}
		return cause
	}
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		// It ended, was ended, or is out of reach: what it wrote into its log is not known here.
		last := ""
		if said := s.Notices(); len(said) > 0 {
			last = "; the last that the server said: " + said[len(said)-1]
		}
		return fmt.Errorf("the connection to %s broke: %w%s", s.where(), err, last)
	}
	return s.explain(err)
}

// explain adds the server's detail and hint to its error, and what to do where that is known.
func (s *Server) explain(err error) error {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return err
	}
	text := words(e.Severity, e.Message, e.Detail, e.Hint, e.Code)
	if advice := s.advice(e.Code); advice != "" {
		text += ": " + advice
	}
	return &serverError{text, err}
}

// serverError is what a server said, for people.
type serverError struct {
	text string
	err  error
}

func (e *serverError) Error() string { return e.text }
func (e *serverError) Unwrap() error { return e.err }

func words(severity, message, detail, hint, code string) string {
	text := severity + ": " + message
	if code != "" {
		text += " (SQLSTATE " + code + ")"
	}
	if detail != "" {
		text += "; DETAIL: " + detail
	}
	if hint != "" {
		text += "; HINT: " + hint
	}
	return text
}

// advice is what to do about an error of a class that users meet.
func (s *Server) advice(code string) string {
	switch code {
	case "28P01", "28000":
		return "set PGPASSWORD, or give the user and the password in ~/.pgpass"
	case "3D000":
		return "create the database, or name another in the address"
	case "42501":
		return "the user must be allowed to create tables in the database's first schema: GRANT CREATE ON SCHEMA"
	case "53100":
		return "the server's disk is full"
	case "53200":
		return "the server has too little memory for this: lower maintenance_work_mem, or give it more"
	case "53300":
		return "the server takes no more connections: raise max_connections, or search with fewer threads"
	case "57014":
		return "statement_timeout of the server, the database or the user may be the cause: see SHOW statement_timeout"
	}
	return ""
}

// ident quotes the name of something, quote a string, for SQL.
func ident(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func quote(s string) string { return `'` + strings.ReplaceAll(s, `'`, `''`) + `'` }
