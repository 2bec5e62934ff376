package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"maps"
	"net/http/httptrace"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"annbench/internal/hostile"
)

// attempt is what is known of a request while it is under way.
type attempt struct {
	conn  atomic.Pointer[httptrace.GotConnInfo]
	begun atomic.Bool // the answer has
}

func (a *attempt) trace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn:              func(c httptrace.GotConnInfo) { a.conn.Store(&c) },
		GotFirstResponseByte: func() { a.begun.Store(true) },
	})
}

// lost is a request without an answer.
type lost struct {
	how  string // one of few
	idle time.Duration
	err  error
}

func (l *lost) Error() string {
	return fmt.Sprintf("%s, idle for %v before: %v", l.how, l.idle.Round(time.Millisecond), l.err)
}

// lost says what became of a request that ended with err.
func (a *attempt) lost(err error) error {
	l := &lost{err: err}
	c := a.conn.Load()
	if c != nil {
		l.idle = c.IdleTime
	}
	var slow interface{ Timeout() bool }
	switch {
	case c == nil:
		l.how = "no connection"
	case a.begun.Load():
		l.how = "the answer was cut"
	case errors.As(err, &slow) && slow.Timeout():
		l.how = "no answer in time"
	case c.WasIdle:
		l.how = "closed on a connection that had waited"
	default:
		l.how = "closed on a new connection"
	}
	return l
}

// tally counts what came of requests.
type tally struct {
	mu       sync.Mutex
	statuses map[int]int
	lost     map[string]int
	searches []time.Duration // by item, that were answered
}

func (t *tally) add(status int, err error, search bool, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var l *lost
	switch {
	case errors.As(err, &l):
		t.lost[l.how]++
	case err != nil:
		t.lost[err.Error()]++
	default:
		t.statuses[status]++
		if search {
			t.searches = append(t.searches, took)
		}
	}
}

// count is the sum over all.
func count[K comparable](of map[K]int) (n int) {
	for _, c := range of {
		n += c
	}
	return n
}

// spread is a few numbers of times, which are sorted.
func spread(times []time.Duration) string {
	if len(times) == 0 {
		return "0"
	}
	slices.Sort(times)
	at := func(q float64) time.Duration { return times[int(q*float64(len(times)-1))].Round(10 * time.Microsecond) }
	return fmt.Sprintf("%d, p50 %v, p99 %v, most %v", len(times), at(0.5), at(0.99), at(1))
}

// crowd sends requests by many clients at once, and prints the server's memory before, ten times on the way, and after.
func (s *server) crowd(requests, clients, uploads int) error {
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 300, 300))); err != nil {
		return err
	}
	good, bad := upload(picture.Bytes(), s.index), upload(hostile.ScanBomb(hostile.Width, hostile.Height, 40), s.index)
	before, err := s.served()
	if err != nil {
		return err
	}
	t := tally{statuses: map[int]int{}, lost: map[string]int{}, searches: make([]time.Duration, 0, requests)}
	began := time.Now()
	s.memory(0, began)
	var next atomic.Int64
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for n := next.Add(1); n <= int64(requests); n = next.Add(1) {
				body, search := s.search(), true
				if n%int64(uploads) == 0 {
					search = false
					if body = good; n/int64(uploads)%2 == 0 {
						body = bad
					}
				}
				sent := time.Now()
				status, err := s.post(body)
				t.add(status, err, search, time.Since(sent))
				if err != nil {
					fmt.Fprintf(os.Stderr, "request %d has no answer: %v\n", n, err)
				}
				if n%int64(max(1, requests/10)) == 0 {
					s.memory(n, began)
				}
			}
		})
	}
	all.Wait()
	t.print(s.out)
	missing := count(t.lost)
	if missing == 0 {
		return nil
	}
	after, err := s.served()
	if err != nil {
		return err
	}
	unanswered := max(0, int(after-before)-count(t.statuses))
	return fmt.Errorf("%d requests have no answer: the server read %d of them, and closed the connection before it read %d", missing, unanswered, missing-unanswered)
}

// served is how many requests the server has read, but for those of [server.read] and for a constant. It counts a request
// when that has ended, which may be after its answer came: so this waits until only its own are counted.
func (s *server) served() (float64, error) {
	const name = "annbench_requests_total"
	last, err := s.measure(name)
	for range 100 {
		if err != nil {
			return 0, err
		}
		var now float64
		now, err = s.measure(name)
		rested := now == last+1
		if last = now; rested {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	return last - float64(s.reads.Load()), err
}

// memory prints what is resident of the server.
func (s *server) memory(n int64, began time.Time) {
	bytes, err := s.measure("process_resident_memory_bytes")
	if err != nil {
		fmt.Fprintf(os.Stderr, "memory after %d requests: %v\n", n, err)
		return
	}
	fmt.Fprintf(s.out, "%9d requests, %6.0f s, %5.0f MB resident\n", n, time.Since(began).Seconds(), bytes/1e6)
}

func (t *tally) print(w io.Writer) {
	for _, status := range slices.Sorted(maps.Keys(t.statuses)) {
		fmt.Fprintf(w, "%3d  %d\n", status, t.statuses[status])
	}
	fmt.Fprintf(w, "searches by item: %s\n", spread(t.searches))
	fmt.Fprintf(w, "without an answer: %d\n", count(t.lost))
	for _, how := range slices.Sorted(maps.Keys(t.lost)) {
		fmt.Fprintf(w, "  %d  %s\n", t.lost[how], how)
	}
}
