package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// TestLost: of requests without an answer, those that the server read are counted by themselves.
func TestLost(t *testing.T) {
	for name, c := range map[string]struct {
		counts  bool // a request that is cut off was read
		partial string
		want    string
		how     string
	}{
		"read":   {true, "", "the server read 2 of them, and closed the connection before it read 0", "  2  closed on a "},
		"unread": {false, "", "the server read 0 of them, and closed the connection before it read 2", "  2  closed on a "},
		"cut":    {true, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{", "the server read 2 of them", "  2  the answer was cut"},
	} {
		var served, searches atomic.Int64
		fake := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/metrics" {
				fmt.Fprintf(w, "annbench_requests_total{status=\"200\"} %d\nprocess_resident_memory_bytes 5e+06\n", served.Add(1)-1)
				return
			}
			_, _ = io.Copy(io.Discard, r.Body)
			if n := searches.Add(1); n != 3 && n != 7 {
				served.Add(1)
				return
			}
			if c.counts {
				served.Add(1)
			}
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.WriteString(conn, c.partial)
			conn.Close()
		}))
		var out strings.Builder
		s := &server{url: fake.URL, client: fake.Client(), out: &out, index: "exact", items: 10}
		err := s.crowd(10, 1, 100)
		fake.Close()
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		for _, line := range []string{"200  8\n", "searches by item: 8, p50 ", "without an answer: 2\n", c.how, "        0 requests, ", "       10 requests, "} {
			if !strings.Contains(out.String(), line) {
				t.Errorf("%s: no %q in\n%s", name, line, &out)
			}
		}
	}
}
