package pgvector

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// addressVariable names the environment variable with the address of a PostgreSQL that tests may use:
// one that has pgvector, and a user (PGUSER, PGPASSWORD) who may create tables. Without it tests use
// PGlite where that is installed (tools/pglite); they are left out where there is neither, unless
// ANNBENCH_ENGINES is "required".
const addressVariable = "ANNBENCH_TEST_PGVECTOR"

// engine is a server that tests run against.
type engine struct{ name, address string }

// engines are the servers that there are.
func engines(t *testing.T) []engine {
	t.Helper()
	if address := os.Getenv(addressVariable); address != "" {
		return []engine{{"server", address}}
	}
	address, err := pglite()
	if err != nil {
		leave := t.Skipf
		if os.Getenv("ANNBENCH_ENGINES") == "required" {
			leave = t.Fatalf
		}
		leave("no PostgreSQL with pgvector: set %s to the address of one, or install PGlite (%v)", addressVariable, err)
	}
	return []engine{{"pglite", address}}
}

// pglite starts PGlite, once for all tests; it ends with this process, which closes its standard input.
var pglite = sync.OnceValues(func() (string, error) {
	folder := filepath.Join("..", "..", "tools", "pglite")
	if _, err := os.Stat(filepath.Join(folder, "node_modules")); err != nil {
		return "", fmt.Errorf("npm ci --prefix tools/pglite")
	}
	cmd := exec.Command("node", "server.mjs")
	cmd.Dir, cmd.Stderr = folder, os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return "", err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	liteInput = in
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("PGlite: %w", err)
	}
	go io.Copy(io.Discard, out)
	var says struct{ Port int }
	if err := json.Unmarshal([]byte(line), &says); err != nil {
		return "", fmt.Errorf("PGlite said %q: %w", line, err)
	}
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", says.Port), nil
})

// liteInput is held open for as long as the tests run.
var liteInput io.Closer

// each runs a test against every server that there is.
func each(t *testing.T, run func(t *testing.T, s *Server)) {
	for _, e := range engines(t) {
		t.Run(e.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			s, err := Connect(ctx, e.address)
			if err != nil {
				t.Fatal(err)
			}
			run(t, s)
		})
	}
}

// newTable is a name that no other test has; the table is dropped when the test ends.
func newTable(t *testing.T, s *Server) string {
	name := strings.ToLower("annbench_test_" + randomText())
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		if err := s.Drop(ctx, name); err != nil {
			t.Error(err)
		}
	})
	return name
}
