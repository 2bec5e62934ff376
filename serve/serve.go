// Package serve opens the results of a run as a visual search in the browser: a page to look for
// items that look alike with the indexes that were measured, two side by side, and the API beneath
// it. Its address is local unless the caller says otherwise, and then it asks for a token.
//
// It measures nothing for the record and embeds nothing itself: indexes come from package indexes,
// the data from package dataset, and pictures become vectors by [Config.Embed]. It keeps nothing of
// what is uploaded. Without cgo it builds, and the families that are missing are said to be.
package serve

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"reflect"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	json2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"annbench/internal/words"
)

// The limits on what one request may ask for.
const (
	maxBody    = 14 << 20   // bytes of a request: an image of maxUpload in base64, and some JSON
	maxUpload  = 10 << 20   // bytes of an uploaded image
	maxPixels  = 24_000_000 // of an uploaded image: decoded, at most 400 MB
	maxK       = 100
	maxAtOnce  = 3   // indexes in one search
	maxItems   = 200 // items in one answer
	maxDrawn   = 1024
	maxHeld    = 128 << 20 // bytes of all bodies that are held at once: two embeddings' queues of photographs
	retryAfter = "2"       // seconds: a few embeddings, and more than a wrong token waits
)

// Config says what is served.
type Config struct {
	Content
	// Embeddings is how many pictures are decoded or embedded at once; 0 means 1.
	Embeddings int
	// Queue is how many requests may wait for that; 0 means 16. Further ones are refused, with a Retry-After.
	Queue int
	// Searches is how many searches run at once; 0 means 64. Further ones are refused, with a Retry-After.
	Searches int
	// Connections is how many may be open; 0 means 20,000, or three quarters of the files that the
	// process may open if that is fewer. For one more, that which has waited longest without a request
	// is closed.
	Connections int
	// Token, where not empty, is asked for by every request.
	Token string
	// Hosts are names that requests may be made to, besides IP addresses and localhost. Without a
	// token only loopback addresses are taken, so that no other page can reach in by a name of its own.
	Hosts []string
	// Experiment, where not nil, is answered by the index "experiment", on the page /shop.
	Experiment *Experiment
	// Additions, where not nil, takes the items that are added by POST /items; a token is needed then. The server serves
	// those that are in it. It is closed by whoever opened it.
	Additions *Additions
	// Log takes a line for every request; nil for nobody.
	Log *slog.Logger
}

// Server answers requests. Its methods may be called by many goroutines at once.
type Server struct {
	Config
	*shared
	points   map[string]*Point
	pictures *pictureCache
	use      use
	owner    *owner
	answers  http.Handler
}

// shared is what stays when the content is replaced.
type shared struct {
	stand    stand
	embeds   *gate
	searches *gate
	metrics  *metrics
	session  string // the cookie of those who gave the token: of chance, so that it cannot be guessed as the token can
	guesses  guesses
	document []byte       // OpenAPI
	held     atomic.Int64 // bytes of bodies that requests hold
	patience patience
	crowd    *crowd
	stopping chan struct{}              // closed when the server is to end
	underWay atomic.Int64               // requests
	handler  func(*Server) http.Handler // routes, which lead back here
	adding   sync.Mutex                 // held while items are added, or the content is replaced
}

// patience is how long things may take. Clients that are slow are dropped, so that they cost memory for so long
// and no more. A body, a turn in the queue and decoding together take less than write, so that whoever waits in
// vain gets an answer. Idle is longer than usual clients and proxies keep a connection (Go 90 s, Caddy 2 minutes), so that they
// close it: a server that does may meet a request on its way. After the grace of a stop, requests under way are given up.
type patience struct{ header, body, write, idle, guess, queue, decode, grace time.Duration }

//go:embed page openapi.json
var assets embed.FS

// New makes a server of c.
func New(c Config) (*Server, error) {
	if c.Library == nil {
		return nil, errors.New("serving: there is no library")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Additions != nil {
		if c.Token == "" {
			return nil, errors.New("serving: new items are taken with a token alone")
		}
		if c.Additions.torn > 0 {
			c.Log.Warn("the last line had no end and was cut off: its items, and those of lines that stood behind it, are lost if their requests were answered; see whether a copy of the file has them",
				"file", c.Additions.path, "bytes", c.Additions.torn)
		}
		if err := c.Content.catchUp(c.Additions); err != nil {
			return nil, err
		}
	}
	s := &shared{handler: (*Server).routes, guesses: guesses{waiting: map[netip.Prefix]int{}}}
	s.patience = patience{
		header: 20 * time.Second, body: 20 * time.Second, write: 60 * time.Second, idle: 3 * time.Minute, guess: 300 * time.Millisecond,
		queue: 20 * time.Second, decode: 10 * time.Second, grace: 3 * time.Second,
	}
	s.metrics = newMetrics()
	s.stopping = make(chan struct{})
	s.embeds = newGate(max(1, c.Embeddings), orElse(c.Queue, 16), s.metrics.queue.WithLabelValues("embedding"), s.patience.queue, s.stopping)
	s.searches = newGate(orElse(c.Searches, 64), 4*orElse(c.Searches, 64), s.metrics.queue.WithLabelValues("search"), s.patience.queue, s.stopping)
	if c.Token != "" {
		s.session = rand.Text()
	}
	s.crowd = newCrowd(orElse(c.Connections, mostConnections()), s.metrics.connections, s.metrics.evicted)
	var err error
	if s.document, err = document(c.Token != ""); err != nil {
		return nil, err
	}
	s.stand.now = newServer(c, c.Content, s)
	return s.stand.now, nil
}

// newServer is one with that content.
func newServer(c Config, content Content, all *shared) *Server {
	if content.Embed == nil && content.NoEmbed == "" {
		content.NoEmbed = "no model is loaded"
	}
	c.Content = content
	s := &Server{Config: c, shared: all, points: map[string]*Point{}, pictures: newPictureCache(64 << 20)}
	s.owner = &owner{}
	s.owner.servers.Add(1)
	for _, p := range c.Points {
		s.points[p.ID] = p
	}
	s.answers = s.routes()
	return s
}

func orElse(n, fallback int) int {
	if n > 0 {
		return n
	}
	return fallback
}

// Handler answers all requests, with what [Server.Replace] was given last.
func (s *Server) Handler() http.Handler { return &s.stand }

// ErrUnfinished says that requests were still at work when [Server.Serve] gave up waiting for them: what they
// use (the vectors, the indexes, the model) must not be closed under them. The end of the process frees it.
var ErrUnfinished = errors.New("requests under way did not end in time: they have no answer")

// Serve answers requests on l until ctx ends. Then requests that wait for their turn are refused with a Retry-After, and
// those under way may finish for three seconds. What is left is asked to end; that takes a moment. It is over
// within five seconds in any case, and may be called once.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	requests, giveUp := context.WithCancelCause(context.WithoutCancel(ctx))
	defer giveUp(nil)
	h := &http.Server{
		Handler:           s.Handler(),
		BaseContext:       func(net.Listener) context.Context { return requests },
		ReadHeaderTimeout: s.patience.header,
		WriteTimeout:      s.patience.write,
		IdleTimeout:       s.patience.idle,
		ConnState:         s.connState,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug),
	}
	ended := make(chan error, 1)
	go func() { ended <- h.Serve(listener{l, s.shared}) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serving on %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	close(s.stopping)
	const afterwards = time.Second // to say so, once a request was given up
	// Shutdown waits for the request of a connection that is new, and browsers open some that they do not use.
	s.crowd.hurry(time.Now().Add(s.patience.grace / 3))
	impatient := time.AfterFunc(s.patience.grace, func() {
		if n := s.underWay.Load(); n > 0 {
			s.Log.Warn("requests under way are given up: the server is being stopped", "requests", n)
		}
		giveUp(errStopping)
	})
	defer impatient.Stop()
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.patience.grace+afterwards)
	defer cancel()
	if h.Shutdown(limit) == nil {
		return nil
	}
	_ = h.Close() // of connections; what they asked for is over, or is counted here
	for range 10 {
		if s.underWay.Load() == 0 {
			return nil
		}
		time.Sleep(afterwards / 20)
	}
	return fmt.Errorf("the server was stopped, and %d %w", s.underWay.Load(), ErrUnfinished)
}

// Loopback reports whether addr ("127.0.0.1:8080", "localhost:0") can be reached from this machine
// alone.
func Loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	return loopbackHost(host)
}

func loopbackHost(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// route is one address of the API. The list is checked against the OpenAPI document by a test.
type route struct {
	method, pattern string
	handle          func(*Server, http.ResponseWriter, *http.Request) error
	parameters      []string // that may stand behind the ? of an address of the API; others are refused
}

const api = "/api/v1"

var routes = []route{
	{"GET", api + "/about", (*Server).about, nil},
	{"GET", api + "/indexes", (*Server).listIndexes, nil},
	{"GET", api + "/items", (*Server).listItems, []string{"q", "category", "limit", "from"}},
	{"POST", api + "/items", (*Server).addItems, nil},
	{"GET", api + "/items/{item}", (*Server).oneItem, nil},
	{"GET", api + "/items/{item}/picture", (*Server).itemPicture, []string{"size"}},
	{"GET", api + "/boards", (*Server).listBoards, []string{"limit", "from"}},
	{"GET", api + "/boards/{board}", (*Server).oneBoard, nil},
	{"GET", api + "/boards/{board}/picture", (*Server).boardPicture, nil},
	{"GET", api + "/highlights", (*Server).highlights, nil},
	{"POST", api + "/search", (*Server).search, nil},
	{"POST", api + "/events", (*Server).event, nil},
	{"GET", api + "/openapi.json", (*Server).openAPI, nil},
	{"GET", "/metrics", (*Server).prometheus, nil},
	{"GET", "/healthz", (*Server).healthz, nil},
}

// files are the page: an address, a file, its type.
var files = []struct{ path, file, kind string }{
	{"/{$}", "page/index.html", "text/html; charset=utf-8"},
	{"/app.css", "page/app.css", "text/css; charset=utf-8"},
	{"/app.js", "page/app.js", "text/javascript; charset=utf-8"},
	{"/shop", "page/shop.html", "text/html; charset=utf-8"},
	{"/shop.css", "page/shop.css", "text/css; charset=utf-8"},
	{"/shop.js", "page/shop.js", "text/javascript; charset=utf-8"},
	{"/icon.svg", "page/icon.svg", "image/svg+xml"},
	{"/login", "page/login.html", "text/html; charset=utf-8"},
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	methods := map[string][]string{}
	for _, r := range routes {
		mux.HandleFunc(r.method+" "+r.pattern, func(w http.ResponseWriter, req *http.Request) {
			err := parameters(r, req)
			if err == nil {
				err = r.handle(s, w, req)
			}
			if err != nil {
				s.fail(w, req, err)
			}
		})
		methods[r.pattern] = append(methods[r.pattern], r.method)
	}
	for pattern, takes := range methods { // any other is refused in the API's own form
		mux.HandleFunc(pattern, func(w http.ResponseWriter, req *http.Request) {
			w.Header().Set("Allow", strings.Join(takes, ", "))
			s.fail(w, req, problem{http.StatusMethodNotAllowed, badMethod, fmt.Sprintf("%s takes %s, not %s.", pattern, strings.Join(takes, " or "), req.Method)})
		})
	}
	for _, f := range files {
		b, err := assets.ReadFile(f.file)
		if err != nil {
			panic(err) // the list above is wrong
		}
		sum := sha256.Sum256(b)
		tag := `"` + hex.EncodeToString(sum[:8]) + `"`
		mux.HandleFunc("GET "+f.path, func(w http.ResponseWriter, req *http.Request) {
			w.Header().Set("Content-Type", f.kind)
			w.Header().Set("Cache-Control", "no-cache")
			w.Header().Set("ETag", tag)
			if req.Header.Get("If-None-Match") == tag {
				w.WriteHeader(http.StatusNotModified)
				return
			}
			_, _ = w.Write(b)
		})
	}
	mux.HandleFunc("POST /login", s.login)
	mux.HandleFunc("/", func(w http.ResponseWriter, req *http.Request) {
		s.fail(w, req, nothingAt(req.URL.Path))
	})
	// A page elsewhere can make a browser send requests here; none of them is answered.
	cross := http.NewCrossOriginProtection()
	cross.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		s.fail(w, req, problem{http.StatusForbidden, crossOrigin, "Requests from other sites are not answered."})
	}))
	return s.outer(s.guard(cross.Handler(mux)))
}

// parameters looks at what stands behind the ? of an address of the API: a name that is written wrong must not pass for
// one that was left out. Addresses for machines, such as /metrics, take what their programs send.
func parameters(r route, req *http.Request) error {
	if req.URL.RawQuery == "" || !strings.HasPrefix(r.pattern, api) {
		return nil
	}
	values, err := url.ParseQuery(req.URL.RawQuery)
	if err != nil {
		return badRequest(badParameter, "What stands behind the ? cannot be read: %v.", err)
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		switch {
		case len(r.parameters) == 0:
			return badRequest(badParameter, "%s takes no parameters, and %q is one.", r.pattern, name)
		case !slices.Contains(r.parameters, name):
			return badRequest(badParameter, "There is no parameter %q here%s", name, meant(name, r.parameters))
		case len(values[name]) > 1:
			return badRequest(badParameter, "The parameter %s is given twice.", name)
		}
	}
	return nil
}

// nothingAt says that path leads nowhere, and what it may have been meant to be.
func nothingAt(path string) error {
	var all []string
	for _, r := range routes {
		all = append(all, r.pattern)
	}
	sentence := "There is nothing at this address; " + api + "/openapi.json lists what there is."
	if near := words.Nearest(path, all); near != "" {
		sentence = fmt.Sprintf("There is nothing at this address; did you mean %s?", near)
	}
	return problem{http.StatusNotFound, notFound, sentence}
}

// meant ends a sentence about a name that is not among names: with the one that was probably meant, or with all.
func meant(name string, names []string) string {
	end := words.DidYouMean(name, names)
	if strings.HasSuffix(end, "?") {
		return end
	}
	return end + "."
}

const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// outer sets the headers of every answer, logs and counts, and makes an answer of a panic.
func (s *Server) outer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		began := time.Now()
		s.underWay.Add(1)
		defer s.underWay.Add(-1)
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Permissions-Policy", "geolocation=(), microphone=()")
		if req.Body != nil && req.Body != http.NoBody {
			s.awaitBody(w)
		}
		out := &answer{ResponseWriter: w}
		out.before = func() { s.drain(out, req) }
		// A mapped file that has become shorter is then a panic of the one request that met it.
		defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
		defer func() {
			r := recover()
			if f, ok := r.(fault); ok && out.status == 0 {
				s.use.broken.Store(true)
				s.fail(out, req, errFault(f))
			} else if r != nil {
				if r == http.ErrAbortHandler { //nolint:errorlint // the identical value, as net/http has it
					panic(r)
				}
				s.Log.Error("a request failed in a way that it must not", "path", req.URL.Path, "what", fmt.Sprint(r), "stack", string(debug.Stack()))
				if out.status == 0 {
					s.fail(out, req, problem{http.StatusInternalServerError, internal, "Something went wrong here; the log of the server says what."})
				}
			}
			s.metrics.requests.WithLabelValues(strconv.Itoa(out.code())).Inc()
			s.Log.Debug("request", "method", req.Method, "path", req.URL.Path, "status", out.code(),
				"bytes", out.bytes, "seconds", time.Since(began).Seconds(), "from", req.RemoteAddr)
		}()
		next.ServeHTTP(out, req)
	})
}

// answer remembers what was answered.
type answer struct {
	http.ResponseWriter
	status int
	bytes  int64
	read   bool // of the body
	before func()
}

// begin does what comes before an answer: what is left of the body is read.
func (a *answer) begin() {
	if before := a.before; before != nil {
		a.before = nil
		before()
	}
}

func (a *answer) code() int { return orElse(a.status, http.StatusOK) }

func (a *answer) WriteHeader(status int) {
	a.begin()
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(b []byte) (int, error) {
	a.begin()
	a.status = a.code()
	n, err := a.ResponseWriter.Write(b)
	a.bytes += int64(n)
	return n, err
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// guard lets through who may ask: requests to a name that is this server's, with the token where one
// is asked for.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if !s.ours(req.Host) {
			s.fail(w, req, problem{http.StatusForbidden, badHost, fmt.Sprintf("This server does not answer to the name %q; whoever starts it can add it (--host).", req.Host)})
			return
		}
		switch s.known(req) {
		case right:
			next.ServeHTTP(w, req)
			return
		case refused:
			s.fail(w, req, errGuesses)
			return
		}
		switch req.URL.Path {
		case "/login", "/app.css", "/icon.svg", "/healthz":
			next.ServeHTTP(w, req)
		case "/", "/shop":
			http.Redirect(w, req, withQuery("/login", req), http.StatusSeeOther)
		default:
			w.Header().Set("WWW-Authenticate", `Bearer realm="annbench"`)
			sentence := "This server asks for a token: send it as Authorization: Bearer TOKEN."
			if req.Header.Get("Authorization") != "" {
				sentence = "That is not the token of this server, sent as Authorization: Bearer TOKEN."
			}
			s.fail(w, req, problem{http.StatusUnauthorized, badToken, sentence})
		}
	})
}

// ours reports whether host is a name of this server. A name that its owner points at 127.0.0.1 would
// otherwise make this server part of that owner's site.
func (s *Server) ours(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = strings.Trim(host, "[]")
	}
	name = strings.ToLower(strings.TrimSuffix(name, ".")) // as names are compared, and the root may be written (RFC 1034, 3.1)
	if loopbackHost(name) {
		return true
	}
	for _, h := range s.Hosts {
		if strings.EqualFold(h, name) {
			return true
		}
	}
	_, err = netip.ParseAddr(name)
	return err == nil && s.Token != ""
}

const cookieName = "annbench"

// known recognises who carries the token or the cookie, and anybody where no token is asked for.
func (s *Server) known(req *http.Request) verdict {
	if s.Token == "" {
		return right
	}
	// The name of a scheme may be written in any case (RFC 9110, 11.1), a token may not.
	if scheme, token, ok := strings.Cut(req.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		return s.guesses.try(req.RemoteAddr, func() bool { return same(token, s.Token) }, s.patience.guess)
	}
	if c, err := req.Cookie(cookieName); err == nil && same(c.Value, s.session) {
		return right
	}
	return wrong
}

// withQuery is path with the query of req, which holds the view: a shared link survives asking for the token.
func withQuery(path string, req *http.Request) string {
	return (&url.URL{Path: path, RawQuery: req.URL.RawQuery}).String()
}

// same compares in a time that does not tell how much of a was right.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

var errGuesses = problem{http.StatusTooManyRequests, tooManyGuesses, "Many wrong tokens came from your address; try again in a moment."}

func (s *Server) login(w http.ResponseWriter, req *http.Request) {
	if s.Token == "" {
		http.Redirect(w, req, "/", http.StatusSeeOther)
		return
	}
	body := req.Body
	req.Body = http.MaxBytesReader(w, body, 4<<10)
	token := req.PostFormValue("token")
	req.Body = body // whose rest is read before the answer
	switch s.guesses.try(req.RemoteAddr, func() bool { return same(token, s.Token) }, s.patience.guess) {
	case wrong:
		http.Redirect(w, req, withQuery("/login", req)+"#wrong", http.StatusSeeOther)
		return
	case refused:
		b, err := assets.ReadFile("page/guesses.html")
		if err != nil {
			panic(err) // it is not embedded
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Retry-After", retryAfter)
		w.WriteHeader(errGuesses.status)
		_, _ = w.Write(b)
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: s.session, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, MaxAge: 7 * 24 * 3600,
	})
	http.Redirect(w, req, withQuery("/", req), http.StatusSeeOther)
}

// problem is an error in the API: a status, a code for programs and a sentence for people.
type problem struct {
	status   int
	Code     code   `json:"code"`
	Sentence string `json:"message"`
}

func (p problem) Error() string { return p.Code.String() + ": " + p.Sentence }

func badRequest(c code, format string, args ...any) error {
	return problem{http.StatusBadRequest, c, fmt.Sprintf(format, args...)}
}

func (s *Server) fail(w http.ResponseWriter, req *http.Request, err error) {
	if a, ok := w.(*answer); ok && a.status != 0 { // half sent: the client is gone, or has to see that it is cut
		s.Log.Debug("an answer was cut off", "path", req.URL.Path, "error", err)
		return
	}
	var p problem
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &p):
	case errors.As(err, &large):
		p = problem{http.StatusRequestEntityTooLarge, tooLarge, fmt.Sprintf("The request is larger than %d MB.", large.Limit>>20)}
	case errors.Is(err, errStopping), errors.Is(context.Cause(req.Context()), errStopping):
		p = problem{http.StatusServiceUnavailable, busy, "The server is being stopped; try again in a moment."}
	case errors.Is(err, errBusy):
		p = problem{http.StatusServiceUnavailable, busy, "The server has as much to do as it can; try again in a moment."}
	case req.Context().Err() != nil:
		p = problem{499, gone, "The request was given up."}
	default:
		s.Log.Error("a request failed", "path", req.URL.Path, "error", err)
		p = problem{http.StatusInternalServerError, internal, "Something went wrong here; the log of the server says what."}
	}
	if p.status == http.StatusServiceUnavailable || p.status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", retryAfter)
	}
	p.Sentence = shortened(p.Sentence)
	b, err := json.Marshal(map[string]problem{"error": p})
	if err != nil {
		panic(err) // two strings
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(p.status)
	_, _ = w.Write(append(b, '\n'))
}

// maxSentence is the longest sentence of an answer, in bytes: it may quote what was sent, which may be megabytes. A
// filter of the longest kind is shown whole, with the place below it.
const maxSentence = 3 * maxFilter

// shortened is a sentence, or the beginning of a long one.
func shortened(sentence string) string {
	if len(sentence) <= maxSentence {
		return sentence
	}
	return strings.ToValidUTF8(sentence[:maxSentence], "") + " ..."
}

// drain reads what is left of a body, keeping nothing: a client that is still sending when the connection is
// closed never sees the answer. One that has been slow gets the time of a body once more for it.
func (s *Server) drain(a *answer, req *http.Request) {
	if req.Body == nil || req.Body == http.NoBody || !a.read && req.Header.Get("Expect") != "" {
		return // one that asked first has sent nothing, and will not
	}
	s.awaitBody(a)
	_, _ = io.CopyN(io.Discard, req.Body, 2*maxBody)
}

// awaitBody has the time for a body begin.
func (s *Server) awaitBody(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(s.patience.body)) // not where a test has no connection
}

func reply(w http.ResponseWriter, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, err = w.Write(append(b, '\n'))
	return err
}

// holding counts the bytes of a body that are held, until done is called.
type holding struct {
	io.Reader
	all  *atomic.Int64
	mine int64
}

// Read fails with errBusy where all bodies together come to more than maxHeld. A body that comes slowly
// counts for what has come.
func (h *holding) Read(b []byte) (int, error) {
	n, err := h.Reader.Read(b)
	h.mine += int64(n)
	if h.all.Add(int64(n)) > maxHeld {
		return n, errBusy
	}
	return n, err
}

func (h *holding) done() { h.all.Add(-h.mine) }

// readJSON reads a request's body into v: one value, without unknown names. What v holds of it counts as
// held until done is called, which it must be.
func (s *Server) readJSON(w http.ResponseWriter, req *http.Request, v any) (done func(), err error) {
	if a, ok := w.(*answer); ok {
		a.read = true
	}
	body := &holding{Reader: http.MaxBytesReader(w, req.Body, maxBody), all: &s.held}
	if err := readJSON(req.Header.Get("Content-Type"), req.ContentLength, body, v); err != nil {
		body.done()
		return nil, err
	}
	return body.done, nil
}

func readJSON(kind string, size int64, body io.Reader, v any) error {
	kind, _, _ = strings.Cut(kind, ";")
	if strings.TrimSpace(kind) != "application/json" {
		return problem{http.StatusUnsupportedMediaType, badContentType, "The body has to be JSON: Content-Type: application/json."}
	}
	b, err := readBody(body, size)
	if err != nil {
		var large *http.MaxBytesError
		var slow net.Error
		switch {
		case errors.As(err, &large), errors.Is(err, errBusy):
			return err
		case errors.As(err, &slow) && slow.Timeout():
			return problem{http.StatusRequestTimeout, tooSlow, "The body took too long to arrive."}
		}
		return badRequest(badJSON, "The body cannot be read: %v.", err)
	}
	err = json2.Unmarshal(b, v, json2.RejectUnknownMembers(true))
	var syntax *jsontext.SyntacticError
	var meaning *json2.SemanticError
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return badRequest(badJSON, "The body is no whole JSON value.")
	case errors.As(err, &syntax):
		return badRequest(badJSON, "The body cannot be read: %v, at byte %d.", syntax.Err, syntax.ByteOffset+1)
	case errors.As(err, &meaning) && errors.Is(err, json2.ErrUnknownName):
		name := meaning.JSONPointer.LastToken()
		return badRequest(badJSON, "The body cannot be read: there is no member %q here%s", name, meant(name, members(meaning.GoType)))
	case errors.As(err, &meaning) && meaning.JSONPointer != "":
		what := "a JSON " + meaning.JSONKind.String()
		switch {
		case len(meaning.JSONValue) > 0 && len(meaning.JSONValue) <= 40:
			what = string(meaning.JSONValue)
		case meaning.JSONKind == ']': // found at its end: of another length
			what = "such an array"
		}
		return badRequest(badJSON, "The body cannot be read: %s cannot be %s.", strings.TrimPrefix(string(meaning.JSONPointer), "/"), what)
	case errors.As(err, &meaning):
		return badRequest(badJSON, "The body cannot be read: it has to be a JSON object.")
	}
	return err
}

// members are the names that a JSON object of type t may have.
func members(t reflect.Type) (names []string) {
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	for _, f := range reflect.VisibleFields(t) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && f.IsExported() {
			names = append(names, name)
		}
	}
	return names
}

// readBody reads all of r, which says that it has size bytes, or -1. Large bodies get their memory at once: what grows
// is copied, and a copy of megabytes into new memory holds up everybody else's garbage collection. Nobody gets it by a
// size that is only announced: the first [sent] bytes have to be there.
func readBody(r io.Reader, size int64) ([]byte, error) {
	const sent = 256 << 10
	if size <= sent || size > maxBody {
		return io.ReadAll(r)
	}
	begin, err := io.ReadAll(io.LimitReader(r, sent))
	if err != nil || len(begin) < sent {
		return begin, err
	}
	all := bytes.NewBuffer(make([]byte, 0, size+bytes.MinRead))
	all.Write(begin)
	_, err = all.ReadFrom(r)
	return all.Bytes(), err
}

// document is the OpenAPI document. Only one of a server with a token declares that it is asked for.
func document(token bool) ([]byte, error) {
	b, err := assets.ReadFile("openapi.json")
	if err != nil {
		return nil, err
	}
	var d struct {
		OpenAPI    json.RawMessage            `json:"openapi"`
		Info       json.RawMessage            `json:"info"`
		Security   []map[string][]string      `json:"security,omitempty"`
		Paths      json.RawMessage            `json:"paths"`
		Components map[string]json.RawMessage `json:"components"`
	}
	if err := json.Unmarshal(b, &d); err != nil {
		return nil, fmt.Errorf("openapi.json: %w", err)
	}
	if token {
		d.Security = []map[string][]string{{"bearer": {}}, {"cookie": {}}} // either of them
	} else {
		delete(d.Components, "securitySchemes")
	}
	return json.MarshalIndent(d, "", " ")
}

func (s *Server) openAPI(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/json")
	_, err := w.Write(s.document)
	return err
}

func (s *Server) prometheus(w http.ResponseWriter, req *http.Request) error {
	promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{}).ServeHTTP(w, req)
	return nil
}

func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) error {
	if s.use.broken.Load() {
		return problem{http.StatusServiceUnavailable, internal, "A file that is searched cannot be read; the log says more."}
	}
	_, err := io.WriteString(w, "ok\n")
	return err
}
