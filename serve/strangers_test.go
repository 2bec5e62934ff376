package serve

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"image"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"annbench/internal/hostile"
)

func upload(file []byte) string {
	return fmt.Sprintf(`{"image":%q,"index":"exact"}`, base64.StdEncoding.EncodeToString(file))
}

// TestHostilePictures uploads each, with searches beside it.
func TestHostilePictures(t *testing.T) {
	s := fixture(t, nil)
	ctx, stop := context.WithCancel(t.Context())
	var searches sync.WaitGroup
	searches.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			if w := request(s, "POST", api+"/search", fmt.Sprintf(`{"item":%d,"index":"exact"}`, n%testItems)); w.Code != http.StatusOK {
				t.Errorf("a search beside them: %d %s", w.Code, w.Body)
				return
			}
		}
	})
	for _, p := range hostile.Pictures() {
		w := request(s, "POST", api+"/search", upload(p.Data))
		if want := w.Code >= 400 && w.Code < 500; want == p.Readable || w.Code >= 500 {
			t.Errorf("%s: %d %.200s", p.Name, w.Code, w.Body)
		}
	}
	stop()
	searches.Wait()
	if n := len(s.embeds.slots); n != 0 {
		t.Errorf("%d slots are not given back", n)
	}
}

// TestEveryUploadIsAnswered sends bodies that are refused unread, over connections as they are: who is still
// sending when a server closes the connection never sees its answer.
func TestEveryUploadIsAnswered(t *testing.T) {
	s := fixture(t, func(c *Config) { c.Queue = 1 })
	addr := listen(t, s)
	body := upload(make([]byte, 6<<20))
	s.held.Store(maxHeld - 1<<20)
	for name, c := range map[string]struct {
		path, kind, body string
		want             int
	}{
		"held":         {api + "/search", "application/json", body, http.StatusServiceUnavailable},
		"content type": {api + "/search", "text/plain", body, http.StatusUnsupportedMediaType},
		"method":       {api + "/about", "application/json", body, http.StatusMethodNotAllowed},
		"nothing here": {"/nothing", "application/json", body, http.StatusNotFound},
		"a page":       {"/shop.js", "text/plain", body, http.StatusNotFound},
		"login":        {"/login", "application/x-www-form-urlencoded", body, http.StatusSeeOther},
		"too large":    {api + "/search", "application/json", strings.Repeat(" ", maxBody+1<<20), http.StatusServiceUnavailable},
	} {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(hang))
		_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", c.path, c.kind, len(c.body), c.body)
		if err != nil {
			t.Errorf("%s: the body is not taken: %v", name, err)
		} else if r, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil {
			t.Errorf("%s: no answer: %v", name, err)
		} else if r.StatusCode != c.want || c.want == http.StatusServiceUnavailable && r.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %v, want %d", name, r.StatusCode, r.Header, c.want)
		}
		conn.Close()
	}
}

// TestGatePatience: a turn that does not come ends in an answer, and so does a stop.
func TestGatePatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stopping := make(chan struct{})
		g := newGate(1, 2, prometheus.NewGauge(prometheus.GaugeOpts{}), time.Minute, stopping)
		leave, err := g.enter(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if _, err := g.enter(t.Context()); !errors.Is(err, errBusy) || time.Since(began) != time.Minute {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		time.AfterFunc(time.Second, func() { close(stopping) })
		if _, err := g.enter(t.Context()); !errors.Is(err, errStopping) {
			t.Error(err)
		}
		leave()
		if len(g.slots) != 0 || len(g.line) != 0 {
			t.Errorf("%d slots and %d places are taken", len(g.slots), len(g.line))
		}
	})
}

// TestStop stops a server with one request at work that never ends and one that waits: this one is told to come
// again, and the server ends and says what is left.
func TestStop(t *testing.T) {
	at, release := make(chan struct{}), make(chan struct{})
	s := fixture(t, func(c *Config) {
		c.Embed = func(image.Image) ([]float32, error) {
			close(at)
			<-release
			return nil, errors.New("too late")
		}
	})
	defer close(release)
	s.patience.grace = 10 * time.Millisecond
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	var readable []byte
	for _, p := range hostile.Pictures() {
		if p.Readable {
			readable = p.Data
		}
	}
	send := func(got chan<- string) {
		r, err := http.Post("http://"+l.Addr().String()+api+"/search", "application/json", strings.NewReader(upload(readable)))
		if err != nil {
			got <- err.Error()
			return
		}
		defer r.Body.Close()
		b, _ := io.ReadAll(r.Body)
		got <- fmt.Sprintf("%d %s %s", r.StatusCode, r.Header.Get("Retry-After"), b)
	}
	first, second := make(chan string, 1), make(chan string, 1)
	go send(first)
	<-at
	go send(second)
	for len(s.embeds.line) < 2 {
		time.Sleep(time.Millisecond)
	}
	stop()
	if got := <-second; !strings.HasPrefix(got, "503 2 ") || !strings.Contains(got, "being stopped") {
		t.Errorf("who waited is told %q", got)
	}
	if err := <-ended; !errors.Is(err, ErrUnfinished) {
		t.Errorf("the server ended with %v", err)
	}
	if got := <-first; strings.HasPrefix(got, "2") {
		t.Errorf("who was at work is told %q", got)
	}
}
