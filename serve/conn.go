package serve

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"
)

// listener accepts connections that wait as [conn] does.
type listener struct {
	net.Listener
	shared *shared
}

func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, shared: l.shared}, nil
}

// conn is a connection on which no request is lost that a client can know of. net/http alone closes one without a word
//   - when it is new and has sent nothing within the time for a header: clients open connections ahead of requests.
//     Here the first byte may take as long as on a connection that is idle;
//   - when the time is over and the bytes are there, but nobody came to read them, as on a machine with too much to
//     do. Here they are read;
//   - when a part of a header has come. Here that is answered with 408.
type conn struct {
	net.Conn
	shared *shared
	state  atomic.Int64 // an [http.ConnState]
	part   bool         // something has come since the last request
}

// lastLook is how long a read may take when the time is over: bytes that are there are read at once.
const lastLook = 10 * time.Millisecond

func (c *conn) Read(b []byte) (int, error) {
	state := http.ConnState(c.state.Load())
	if state == http.StateActive {
		return c.Conn.Read(b)
	}
	opening := state == http.StateNew && !c.part
	if opening {
		_ = c.SetReadDeadline(time.Now().Add(c.shared.patience.idle))
	}
	n, err := c.Conn.Read(b)
	if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) {
		_ = c.SetReadDeadline(time.Now().Add(lastLook))
		n, err = c.Conn.Read(b)
	}
	switch {
	case n > 0 && opening:
		_ = c.SetReadDeadline(time.Now().Add(c.shared.patience.header))
	case n == 0 && c.part && errors.Is(err, os.ErrDeadlineExceeded):
		c.tooSlow()
	}
	c.part = c.part || n > 0
	return n, err
}

// tooSlow answers a part of a header. The connection is closed after it.
func (c *conn) tooSlow() {
	c.shared.metrics.requests.WithLabelValues("408").Inc()
	_ = c.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = io.WriteString(c.Conn, "HTTP/1.1 408 Request Timeout\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"+
		"408 Request Timeout: the header took too long to arrive\n")
}

// CloseWrite is for net/http, which so has the client read the last answer.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// connState is for [http.Server.ConnState].
func (s *shared) connState(nc net.Conn, to http.ConnState) {
	if c, ok := nc.(*conn); ok {
		if to == http.StateIdle {
			c.part = false
		}
		c.state.Store(int64(to))
	}
	s.crowd.state(nc, to)
}
