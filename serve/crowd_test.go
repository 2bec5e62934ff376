package serve

import (
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
	"testing"
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
	s.patience.header, s.patience.body = patience, patience
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

// TestSlowClients has each way of being slow end in a closed connection.
func TestSlowClients(t *testing.T) {
	s := fixture(t, nil)
	s.patience = patience{header: 300 * time.Millisecond, body: 600 * time.Millisecond, write: time.Second, idle: 300 * time.Millisecond}
	addr := listen(t, s)
	for name, said := range map[string]string{
		"silence":         "",
		"half a header":   "GET / HTTP/1.1\r\nHost: loc",
		"half a body":     "POST " + api + "/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{\"item\":",
		"nothing further": "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := io.WriteString(c, said); err != nil {
				t.Fatal(err)
			}
			_ = c.SetReadDeadline(time.Now().Add(hang))
			if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("it is not dropped")
			}
		})
	}
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
