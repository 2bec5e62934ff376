package serve

import (
	"errors"
	"fmt"
	"image"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"annbench/indexes"
)

// Content is what searches are answered with. It can be replaced while the server runs: [Server.Replace].
type Content struct {
	// Library is what is searched, and must not be nil.
	Library *Library
	// Points are the indexes, in the order in which they are offered; see [OpenPoints].
	Points []*Point
	// Embed turns a picture into a vector; nil where queries by picture cannot be answered, for the
	// reason that NoEmbed gives.
	Embed   func(image.Image) ([]float32, error)
	NoEmbed string
	// Close frees all of it, once no request uses it any more; nil where nothing is to be freed.
	Close func() error
}

// Summary is what it is, in a line.
func (c Content) Summary() string {
	ready := 0
	for _, p := range c.Points {
		if p.Missing == "" {
			ready++
		}
	}
	return fmt.Sprintf("%s: %d items are searched, %d more are queries; %d indexes ready", c.Library.name, c.Library.set.Base.Rows, c.Library.set.Queries.Rows, ready)
}

// stand is where the content of a server stands, for all that has stood there.
type stand struct {
	mu  sync.Mutex
	now *Server
}

// use is how many requests there are with a content, and whether it has been replaced.
type use struct {
	requests int
	replaced bool
	// broken is set when a mapped file could not be read: it has become shorter, or its disk has failed.
	broken atomic.Bool
}

// ServeHTTP answers with the content that stands when the request comes, to its end.
func (d *stand) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	d.mu.Lock()
	s := d.now
	s.use.requests++
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		s.use.requests--
		last := s.use.replaced && s.use.requests == 0
		d.mu.Unlock()
		if last {
			s.free()
		}
	}()
	s.answers.ServeHTTP(w, req)
}

// free closes a content that nobody uses, and forgets it: whoever holds the first server of all does not hold what it
// served.
func (s *Server) free() {
	end := s.Content.Close
	s.Content, s.points, s.pictures, s.answers = Content{}, nil, nil, nil
	if s.owner.servers.Add(-1) > 0 {
		return
	}
	if end != nil {
		if err := end(); err != nil {
			s.Log.Warn("closing what was served before", "error", err)
		}
	}
	go settle() // the last request to use it is not kept waiting
}

// settle gives memory that is not used any more back to the system.
func settle() {
	debug.FreeOSMemory()
	indexes.TrimHeap()
}

// Replace has requests from now on answered with c. Those under way end with what they began with, which is
// closed after the last of them; so nobody waits, and none is lost. Clients stay logged in.
func (s *Server) Replace(c Content) error {
	if c.Library == nil {
		return errors.New("serving: there is no library")
	}
	s.adding.Lock()
	defer s.adding.Unlock()
	if s.Additions != nil {
		if err := c.catchUp(s.Additions); err != nil {
			return err
		}
	}
	s.stand.mu.Lock()
	old := s.stand.now
	s.stand.mu.Unlock()
	next := newServer(old.Config, c, s.shared) // nobody else replaces old meanwhile
	s.stand.mu.Lock()
	s.stand.now = next
	old.use.replaced = true
	idle := old.use.requests == 0
	s.stand.mu.Unlock()
	if idle {
		old.free()
	}
	return nil
}

// Summary is what is served now, with the items that were added, in a line.
func (s *Server) Summary() string {
	s.stand.mu.Lock() // what stands is not freed meanwhile
	defer s.stand.mu.Unlock()
	return s.stand.now.Content.Summary()
}

// Close frees what is served; after [Server.Serve] has ended, and not with [ErrUnfinished].
func (s *Server) Close() error {
	s.stand.mu.Lock()
	defer s.stand.mu.Unlock()
	if s.stand.now.Content.Close == nil {
		return nil
	}
	return s.stand.now.Content.Close()
}

// fault is what a panic says that is one of memory: of a mapped file that is shorter than it was, most likely.
type fault interface {
	error
	Addr() uintptr
}

// errFault says what a request met.
func errFault(f fault) error {
	return fmt.Errorf("a mapped file cannot be read (%w): one in the cache, or an index, has become shorter since it was opened, or its disk fails; put it back, and send SIGHUP", f)
}
