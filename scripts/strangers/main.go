// Command strangers does to a running `annbench serve` what strangers do: it uploads hostile pictures while others search,
// and then sends many requests with uploads among them, by many clients at once. It prints what came of it; the server's
// processor time, memory and requests are those of /metrics, so nobody else may send requests meanwhile.
// docs/results/serve.md has a run of it.
//
//	go run ./scripts/strangers --url http://127.0.0.1:8080 --requests 1000000
//
// --turns 0 leaves the hostile pictures out, --requests 0 the many requests.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"annbench/internal/hostile"
)

func main() {
	url := flag.String("url", "http://127.0.0.1:8080", "the server")
	token := flag.String("token", os.Getenv("ANNBENCH_TOKEN"), "its token")
	requests := flag.Int("requests", 20_000, "how many, in the second part")
	clients := flag.Int("clients", 200, "at once, in the second part")
	rate := flag.Int("rate", 200, "searches a second beside the hostile pictures")
	turns := flag.Int("turns", 10, "how often each hostile picture is uploaded")
	uploads := flag.Int("uploads", 100, "one request in so many is an upload")
	flag.Parse()
	debug.SetGCPercent(-1) // a collection here would count as the server's time; for the memory there is a limit
	debug.SetMemoryLimit(4 << 30)
	s := &server{url: *url, token: *token, out: os.Stdout, client: &http.Client{
		Timeout: 2 * time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: *clients},
	}}
	if err := s.run(*requests, *clients, *rate, *turns, *uploads); err != nil {
		fmt.Fprintf(os.Stderr, "strangers: %v\n", err)
		os.Exit(1)
	}
}

type server struct {
	url, token string
	client     *http.Client
	out        io.Writer
	index      string
	items      int
	reads      atomic.Int64 // requests that are no searches
}

// post sends a search and gives the status; an error is a request without an answer, a [*lost].
func (s *server) post(body []byte) (int, error) {
	var a attempt
	r, err := http.NewRequest(http.MethodPost, s.url+"/api/v1/search", bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	r.GetBody = nil // one answer for one request: the client does not try again by itself
	r.Header.Set("Content-Type", "application/json")
	got, err := s.do(r.WithContext(a.trace(r.Context())))
	if err != nil {
		return 0, a.lost(err)
	}
	defer got.Body.Close()
	if _, err = io.Copy(io.Discard, got.Body); err != nil {
		return 0, a.lost(err)
	}
	return got.StatusCode, nil
}

func (s *server) do(r *http.Request) (*http.Response, error) {
	if s.token != "" {
		r.Header.Set("Authorization", "Bearer "+s.token)
	}
	return s.client.Do(r)
}

func (s *server) read(path string) ([]byte, error) {
	s.reads.Add(1)
	r, err := http.NewRequest(http.MethodGet, s.url+path, nil)
	if err != nil {
		return nil, err
	}
	got, err := s.do(r)
	if err != nil {
		return nil, err
	}
	defer got.Body.Close()
	b, err := io.ReadAll(got.Body)
	if err == nil && got.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", path, got.Status, b)
	}
	return b, err
}

// measure is a number of /metrics, or the sum of those that have this name and differ in labels.
func (s *server) measure(name string) (sum float64, err error) {
	b, err := s.read("/metrics")
	if err != nil {
		return 0, err
	}
	all := regexp.MustCompile(`(?m)^`+name+`(?:\{.*\})? (\S+)$`).FindAllSubmatch(b, -1)
	if all == nil {
		return 0, fmt.Errorf("/metrics has no %s", name)
	}
	for _, m := range all {
		v, err := strconv.ParseFloat(string(m[1]), 64)
		if err != nil {
			return 0, fmt.Errorf("/metrics: %s: %w", name, err)
		}
		sum += v
	}
	return sum, nil
}

func (s *server) run(requests, clients, rate, turns, uploads int) error {
	var about struct{ Searched int }
	var indexes struct {
		Indexes []struct{ ID, Missing string }
	}
	for path, v := range map[string]any{"/api/v1/about": &about, "/api/v1/indexes": &indexes} {
		b, err := s.read(path)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(b, v); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	s.items = about.Searched
	for _, i := range indexes.Indexes {
		if i.Missing == "" && s.index == "" {
			s.index = i.ID
		}
	}
	if s.index == "" {
		return fmt.Errorf("%s has no index", s.url)
	}
	if turns > 0 {
		if err := s.hostile(rate, turns); err != nil {
			return err
		}
	}
	if requests > 0 {
		return s.crowd(requests, clients, uploads)
	}
	return nil
}

func (s *server) search() []byte {
	return fmt.Appendf(nil, `{"item":%d,"index":%q,"k":10}`, rand.IntN(s.items), s.index)
}

func upload(file []byte, index string) []byte {
	return fmt.Appendf(nil, `{"image":%q,"index":%q}`, base64.StdEncoding.EncodeToString(file), index)
}

// hostile uploads each hostile picture, so many times in turn, with searches beside them at that rate.
func (s *server) hostile(rate, turns int) error {
	// What is sent is made before the first search, so that times are the server's, not this program's.
	type body struct {
		hostile.Picture
		body []byte
	}
	var bodies []body
	for _, p := range hostile.Pictures() {
		bodies = append(bodies, body{p, upload(p.Data, s.index)})
	}
	var mu sync.Mutex
	var times []time.Duration
	failed := 0
	stop := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		tick := time.NewTicker(time.Second / time.Duration(rate))
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case due := <-tick.C:
				all.Go(func() {
					status, err := s.post(s.search())
					mu.Lock()
					defer mu.Unlock()
					times = append(times, time.Since(due)) // from when it was due, so that a pause of the client counts
					if err != nil || status != http.StatusOK {
						failed++
					}
				})
			}
		}
	})
	wrong := 0
	costs := make([]float64, len(bodies)) // seconds of the server's processor time, the most of the turns
	waits := make([]time.Duration, len(bodies))
	last := make([]string, len(bodies)) // what the last turn answered
	for range turns {
		for i, p := range bodies {
			before, err := s.measure("process_cpu_seconds_total")
			if err != nil {
				return err
			}
			began := time.Now()
			status, err := s.post(p.body)
			waits[i] = max(waits[i], time.Since(began))
			after, again := s.measure("process_cpu_seconds_total")
			if again != nil {
				return again
			}
			costs[i] = max(costs[i], after-before)
			if (status >= 400 && status < 500) == p.Readable || status >= 500 || err != nil {
				wrong++
			}
			last[i] = fmt.Sprint(status, " ", errText(err))
		}
	}
	close(stop)
	all.Wait()
	for i, p := range bodies {
		fmt.Fprintf(s.out, "%5.2f s of processor time at most, searches included  %5.2f s  %s: %s\n", costs[i], waits[i].Seconds(), p.Name, last[i])
	}
	fmt.Fprintf(s.out, "searches beside them: %s; %d failed\n", spread(times), failed)
	if wrong > 0 || failed > 0 {
		return fmt.Errorf("%d pictures got another answer than they should, %d searches failed", wrong, failed)
	}
	return nil
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
