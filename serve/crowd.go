package serve

import (
	"container/list"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// crowd keeps the number of open connections within a limit: for one more, that which has waited longest
// without a request under way is closed. So connections that say nothing never keep others out; the road
// not taken is to stop accepting, where they do.
type crowd struct {
	most    int
	open    prometheus.Gauge
	evicted prometheus.Counter

	mu      sync.Mutex
	all     map[net.Conn]*list.Element // the element in waiting; nil while a request is under way
	waiting *list.List                 // of net.Conn, the longest first
}

func newCrowd(most int, open prometheus.Gauge, evicted prometheus.Counter) *crowd {
	return &crowd{most: most, open: open, evicted: evicted, all: map[net.Conn]*list.Element{}, waiting: list.New()}
}

// state is for [http.Server.ConnState].
func (c *crowd) state(conn net.Conn, to http.ConnState) {
	if old := c.move(conn, to); old != nil {
		c.evicted.Inc()
		_ = old.Close() // net/http sees it closed, and says so here
	}
}

// hurry has connections without a request end by then, unless one comes.
func (c *crowd) hurry(by time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for e := c.waiting.Front(); e != nil; e = e.Next() {
		_ = e.Value.(net.Conn).SetReadDeadline(by)
	}
}

// move notes a change, and returns the connection that has to make room, nil if none has.
func (c *crowd) move(conn net.Conn, to http.ConnState) (old net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.all[conn]; e != nil {
		c.waiting.Remove(e)
	}
	switch to {
	case http.StateNew, http.StateIdle:
		c.all[conn] = c.waiting.PushBack(conn)
	case http.StateActive:
		c.all[conn] = nil
	default:
		delete(c.all, conn)
	}
	c.open.Set(float64(len(c.all)))
	if len(c.all) <= c.most {
		return nil
	}
	first := c.waiting.Front()
	if first == nil {
		return nil // all of them are at work, which the gates bound
	}
	old = c.waiting.Remove(first).(net.Conn)
	delete(c.all, old)
	c.open.Set(float64(len(c.all)))
	return old
}
