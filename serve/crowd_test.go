package serve

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// hang is when a test gives up what never ends; no test asserts a time.
const hang = 5 * time.Minute

// listen serves s on loopback until the test ends.
func listen(t *testing.T, s *Server) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	t.Cleanup(func() { stop(); <-ended })
	return l.Addr().String()
}

func (c *crowd) size() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.all)
}

// crowdVariable has TestCrowdClient open connections: ADDRESS NUMBER TEXT.
const crowdVariable = "ANNBENCH_TEST_CROWD"

// TestCrowdClient is the other end of [TestTenThousandConnections], in a process of its own: both ends in
// one would need twice the files.
func TestCrowdClient(t *testing.T) {
	words := strings.SplitN(os.Getenv(crowdVariable), " ", 3)
	if len(words) != 3 {
		t.Skip("started by TestTenThousandConnections alone")
	}
	many, err := strconv.Atoi(words[1])
	if err != nil {
		t.Fatal(err)
	}
	for i := range many {
		c, err := net.Dial("tcp", words[0])
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		defer c.Close()
		if _, err := io.WriteString(c, words[2]); err != nil {
			t.Fatal(err)
		}
	}
	fmt.Println("all open")
	_, _ = io.Copy(io.Discard, os.Stdin) // until the other end has seen enough
}

// TestTenThousandConnections opens them from another process, idle and in the middle of a header, and has
// the server answer beside them and then drop them by its time-outs.
func TestTenThousandConnections(t *testing.T) {
	many := 10_000
	if most := mostConnections(); most < many+100 {
		t.Skipf("this system lets a process have %d connections, not %d: raise its limit of open files (ulimit -n)", most, many)
	}
	for _, said := range []string{"", "GET / HT"} {
		// The server drops the first connections by its time-outs, which must not be before the last is
		// open: a busy machine gets more time.
		for patience := 20 * time.Second; !crowdStands(t, many, said, patience); patience *= 4 {
			t.Logf("the first connections were dropped after %v, before the last was open", patience)
		}
	}
}

// crowdStands has many connections be open at once, be answered beside, and be dropped after patience. It
// reports false if patience was over before all were open.
func crowdStands(t *testing.T, many int, said string, patience time.Duration) bool {
	t.Helper()
	s := fixture(t, nil)
	s.patience.header, s.patience.body, s.patience.idle = patience, patience, patience
	began := time.Now()
	addr := listen(t, s)
	cmd := exec.Command(os.Args[0], "-test.run=^TestCrowdClient$", "-test.v")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %s", crowdVariable, addr, many, said))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var told bytes.Buffer
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 4096)
	for !strings.Contains(told.String(), "all open") {
		n, err := out.Read(b)
		told.Write(b[:n])
		if err != nil {
			t.Fatalf("%v\n%s", err, &told)
		}
	}
	// A connection is open for the client before it is accepted here.
	for s.crowd.size() < many {
		if time.Since(began) > patience {
			in.Close()
			_, _ = io.Copy(io.Discard, out)
			_ = cmd.Wait()
			if patience < 20*time.Minute {
				return false
			}
			t.Fatalf("%d connections are open, want %d", s.crowd.size(), many)
		}
		time.Sleep(10 * time.Millisecond)
	}
	client := http.Client{Timeout: hang}
	for range 20 {
		r, err := client.Get("http://" + addr + api + "/about")
		if err != nil {
			t.Fatalf("beside %d connections: %v", many, err)
		}
		r.Body.Close()
		if r.StatusCode != http.StatusOK {
			t.Errorf("beside %d connections: %d", many, r.StatusCode)
		}
	}
	end := time.Now().Add(patience + hang)
	for s.crowd.size() > 10 {
		if time.Now().After(end) {
			t.Fatalf("%d connections are not dropped", s.crowd.size())
		}
		time.Sleep(50 * time.Millisecond)
	}
	client.CloseIdleConnections()
	in.Close()
	_, _ = io.Copy(io.Discard, out)
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	return true
}

// TestMoreThanTheLimit opens more connections than are kept: the one that waited longest goes.
func TestMoreThanTheLimit(t *testing.T) {
	s := fixture(t, func(c *Config) { c.Connections = 8 })
	addr := listen(t, s)
	var all []net.Conn
	for range 40 {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		all = append(all, c)
	}
	_ = all[0].SetReadDeadline(time.Now().Add(hang))
	if _, err := all[0].Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the first of 40 is kept where 8 may be open: %v", err)
	}
	r, err := http.Get("http://" + addr + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if got := s.crowd.size(); got > 8 {
		t.Errorf("%d connections are open, 8 may be", got)
	}
}

// TestSlowClients has each way of being slow end in a closed connection, and in an answer where a request has begun.
func TestSlowClients(t *testing.T) {
	s := fixture(t, nil)
	s.patience = patience{header: 300 * time.Millisecond, body: 600 * time.Millisecond, write: hang, idle: 300 * time.Millisecond}
	addr := listen(t, s)
	const post = "POST " + api + "/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
	for name, c := range map[string]struct {
		said, want string
	}{
		"silence":         {"", ""},
		"half a header":   {"GET / HTTP/1.1\r\nHost: loc", "408 "},
		"half a body":     {post + `{"item":`, "408 "},
		"nothing further": {"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", "200 "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			if _, err := io.WriteString(client, c.said); err != nil {
				t.Fatal(err)
			}
			_ = client.SetReadDeadline(time.Now().Add(hang))
			b, err := io.ReadAll(client)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("it is not dropped")
			}
			if got := strings.TrimPrefix(string(b), "HTTP/1.1 "); !strings.HasPrefix(got, c.want) || c.want == "" && got != "" {
				t.Errorf("the answer is %q, want %s", b, c.want)
			}
		})
	}
}

// TestLateRequests: no request that comes on an open connection is lost because the connection was opened ahead of it,
// or because the server is late to read it. The clock is of the test.
func TestLateRequests(t *testing.T) {
	s := fixture(t, nil)
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		late := &lateConn{Conn: server}
		stop := serveOne(t, s, late)
		answers := bufio.NewReader(client)
		for _, c := range []struct {
			wait time.Duration
			late bool // the server comes to read when its time is over
		}{
			{s.patience.idle - time.Second, false}, // on a connection that is new
			{s.patience.idle - time.Second, false}, // idle
			{s.patience.idle / 2, true},
		} {
			time.Sleep(c.wait)
			late.missed.Store(c.late)
			body := `{"item":1,"index":"exact"}`
			_, err := fmt.Fprintf(client, "POST %s/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", api, len(body), body)
			if err != nil {
				t.Fatalf("%+v: %v", c, err)
			}
			r, err := http.ReadResponse(answers, nil)
			if err != nil {
				t.Fatalf("%+v: %v", c, err)
			}
			if _, err := io.Copy(io.Discard, r.Body); err != nil || r.StatusCode != http.StatusOK {
				t.Fatalf("%+v: %d, %v", c, r.StatusCode, err)
			}
		}
		if _, err := io.WriteString(client, "GET /healthz HT"); err != nil {
			t.Fatal(err)
		}
		if r, err := http.ReadResponse(answers, nil); err != nil || r.StatusCode != http.StatusRequestTimeout {
			t.Errorf("a part of a header behind them: %+v, %v", r, err)
		}
		client.Close()
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestStopBesideNewConnection: a connection that was opened and not used does not hold up a stop. The clock is of the test.
func TestStopBesideNewConnection(t *testing.T) {
	s := fixture(t, nil)
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		defer client.Close()
		stop := serveOne(t, s, server)
		synctest.Wait() // it is accepted
		began := time.Now()
		if err := stop(); err != nil || time.Since(began) >= s.patience.grace {
			t.Errorf("%v after %v, want an end within %v", err, time.Since(began), s.patience.grace)
		}
	})
}

// serveOne has s serve that connection alone, until stop.
func serveOne(t *testing.T, s *Server, c net.Conn) (stop func() error) {
	l := pipeListener{make(chan net.Conn, 1)}
	l.conns <- c
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	return func() error { cancel(); return <-ended }
}

// pipeListener accepts what is in the channel.
type pipeListener struct{ conns chan net.Conn }

func (l pipeListener) Accept() (net.Conn, error) {
	if c, ok := <-l.conns; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}
func (l pipeListener) Close() error { close(l.conns); return nil }
func (pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

// lateConn is a connection on which the bytes of a read that is missed are there, and the time is over.
type lateConn struct {
	net.Conn
	missed atomic.Bool
	held   []byte
}

func (c *lateConn) Read(b []byte) (int, error) {
	if len(c.held) > 0 {
		n := copy(b, c.held)
		c.held = c.held[n:]
		return n, nil
	}
	n, err := c.Conn.Read(b)
	if n > 0 && c.missed.CompareAndSwap(true, false) {
		c.held = bytes.Clone(b[:n])
		return 0, os.ErrDeadlineExceeded
	}
	return n, err
}

// TestHeldBodies has bodies beyond what may be held together be refused, and given back after.
func TestHeldBodies(t *testing.T) {
	s := fixture(t, nil)
	s.held.Store(maxHeld - 10)
	w := request(s, "POST", api+"/search", `{"item":1,"index":"exact"}`)
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("more than may be held: %d %s", w.Code, w.Body)
	}
	s.held.Store(0)
	for _, body := range []string{`{"item":1,"index":"exact"}`, `{"item":`, `{"item":1}`, `{"item":1,"index":"exact"} {}`} {
		request(s, "POST", api+"/search", body)
		if got := s.held.Load(); got != 0 {
			t.Errorf("after %s, %d bytes count as held", body, got)
		}
	}
}

// TestBomb sends a whole picture of more pixels than are taken, in a few kilobytes: it would be decoded,
// and found to be well, if its header were not asked first.
func TestBomb(t *testing.T) {
	s := fixture(t, nil)
	var file bytes.Buffer
	if err := png.Encode(&file, image.NewGray(image.Rect(0, 0, 5000, 5000))); err != nil {
		t.Fatal(err)
	}
	if file.Len() > 1<<20 {
		t.Fatalf("the bomb has %d bytes", file.Len())
	}
	w := request(s, "POST", api+"/search", fmt.Sprintf(`{"image":%q,"index":"exact"}`, base64.StdEncoding.EncodeToString(file.Bytes())))
	if w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "limit") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
