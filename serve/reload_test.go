package serve

import (
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"weak"

	"annbench/indexes"
	"annbench/indexes/vec"
)

// TestReplaceUnderLoad: no request is lost, and none is answered with what is closed.
func TestReplaceUnderLoad(t *testing.T) {
	first := fixture(t, nil)
	var closed, opened atomic.Int64
	content := func() Content {
		opened.Add(1)
		var once, gone atomic.Bool
		c := first.Content
		c.Close = func() error {
			if once.Swap(true) {
				t.Error("closed twice")
			}
			gone.Store(true)
			closed.Add(1)
			return nil
		}
		p := *c.Points[0]
		c.Points = []*Point{&p}
		index := p.index
		p.index = searchFunc{index, func() {
			if gone.Load() {
				t.Error("searched after it was closed")
			}
		}}
		return c
	}
	s, err := New(Config{Content: content(), Token: "correct horse"})
	if err != nil {
		t.Fatal(err)
	}
	login := request(s, "POST", "/login", "token=correct+horse", "Content-Type", "application/x-www-form-urlencoded").Result().Cookies()
	if len(login) != 1 {
		t.Fatal("not logged in")
	}
	stop := make(chan struct{})
	var clients sync.WaitGroup
	var answered atomic.Int64
	for range 4 {
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				w := request(s, "POST", api+"/search", `{"item":1,"index":"`+first.Points[0].ID+`"}`, "Cookie", login[0].String())
				if w.Code != http.StatusOK {
					t.Errorf("%d %s", w.Code, w.Body)
					return
				}
				answered.Add(1)
			}
		})
	}
	for range 50 {
		for before := answered.Load(); answered.Load() < before+4 && !t.Failed(); {
			continue
		}
		if err := s.Replace(content()); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	clients.Wait()
	if got, want := closed.Load(), opened.Load()-1; got != want {
		t.Errorf("%d of %d replaced contents are closed", got, want)
	}
	if err := s.Close(); err != nil || closed.Load() != opened.Load() {
		t.Errorf("the last is left open: %v", err)
	}
	if err := s.Replace(Content{}); err == nil {
		t.Error("nothing was taken for a content")
	}
}

// TestReplacedIsForgotten: the first server, which its caller holds, does not hold what was replaced.
func TestReplacedIsForgotten(t *testing.T) {
	s := fixture(t, nil)
	c := s.Content
	old := *c.Library
	c.Library = &old
	first := weak.Make(&old)
	s, err := New(Config{Content: c})
	if err != nil {
		t.Fatal(err)
	}
	c.Library = s.Library
	another := *c.Library
	c.Library = &another
	if err := s.Replace(c); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		runtime.GC()
	}
	if first.Value() != nil {
		t.Error("the library that was replaced is still held")
	}
	if w := request(s, "GET", api+"/about", ""); w.Code != http.StatusOK {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestShrunkenFile: a mapped file that is cut ends the request that reads it, not the server.
func TestShrunkenFile(t *testing.T) {
	s, whole := fixture(t, nil), fixture(t, nil)
	if err := os.Truncate(filepath.Join(s.Library.set.Dir, "base.npy"), 0); err != nil {
		t.Fatal(err)
	}
	body := `{"vector":[1,0,0,0,0,0,0,0],"index":"exact"}`
	w := request(s, "POST", api+"/search", body)
	if w.Code == http.StatusOK {
		t.Skip("this system keeps what was cut readable")
	}
	if w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), "internal") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := request(s, "GET", "/healthz", ""); w.Code != http.StatusServiceUnavailable {
		t.Errorf("healthz: %d", w.Code)
	}
	if w := request(s, "GET", api+"/about", ""); w.Code != http.StatusOK {
		t.Errorf("about: %d", w.Code)
	}
	if err := s.Replace(whole.Content); err != nil {
		t.Fatal(err)
	}
	for path, body := range map[string]string{api + "/search": body, "/healthz": ""} {
		method := "GET"
		if body != "" {
			method = "POST"
		}
		if w := request(s, method, path, body); w.Code != http.StatusOK {
			t.Errorf("%s after it was put back: %d %s", path, w.Code, w.Body)
		}
	}
}

// searchFunc is an index that calls before each search.
type searchFunc struct {
	indexes.Index
	before func()
}

func (i searchFunc) Search(dst []vec.Neighbor, q []float32, k int) ([]vec.Neighbor, error) {
	i.before()
	return i.Index.Search(dst, q, k)
}
