// Command strangers does to a running `annbench serve` what strangers do: it uploads hostile pictures while others search,
// and then sends many requests with uploads among them, by many clients at once. It prints what came of it; the server's
// processor time and memory are those of /metrics. docs/results/serve.md has a run of it.
//
//	go run ./scripts/strangers --url http://127.0.0.1:8080 --requests 1000000
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"image"
	"image/png"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"runtime/debug"
	"slices"
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
	s := &server{url: *url, token: *token, client: &http.Client{
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
	index      string
	items      int
}

// post sends a search and gives the status; an error is a request without an answer.
func (s *server) post(body []byte) (int, error) {
	r, err := http.NewRequest(http.MethodPost, s.url+"/api/v1/search", bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	r.GetBody = nil // one answer for one request: the client does not try again by itself
	r.Header.Set("Content-Type", "application/json")
	got, err := s.do(r)
	if err != nil {
		return 0, err
	}
	defer got.Body.Close()
	_, err = io.Copy(io.Discard, got.Body)
	return got.StatusCode, err
}

func (s *server) do(r *http.Request) (*http.Response, error) {
	if s.token != "" {
		r.Header.Set("Authorization", "Bearer "+s.token)
	}
	return s.client.Do(r)
}

func (s *server) read(path string) ([]byte, error) {
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

// measure is one number of /metrics.
func (s *server) measure(name string) (float64, error) {
	b, err := s.read("/metrics")
	if err != nil {
		return 0, err
	}
	m := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindSubmatch(b)
	if m == nil {
		return 0, fmt.Errorf("/metrics has no %s", name)
	}
	return strconv.ParseFloat(string(m[1]), 64)
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
	if err := s.hostile(rate, turns); err != nil {
		return err
	}
	return s.crowd(requests, clients, uploads)
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
		fmt.Printf("%5.2f s of processor time at most, searches included  %5.2f s  %s: %s\n", costs[i], waits[i].Seconds(), p.Name, last[i])
	}
	slices.Sort(times)
	at := func(q float64) time.Duration { return times[int(q*float64(len(times)-1))].Round(10 * time.Microsecond) }
	fmt.Printf("%d searches beside them: p50 %v, p99 %v, most %v; %d failed\n", len(times), at(0.5), at(0.99), at(1), failed)
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

// crowd sends requests by many clients at once, and tells memory ten times on the way.
func (s *server) crowd(requests, clients, uploads int) error {
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 300, 300))); err != nil {
		return err
	}
	good, bad := upload(picture.Bytes(), s.index), upload(hostile.ScanBomb(hostile.Width, hostile.Height, 40), s.index)
	var next, silent atomic.Int64
	var mu sync.Mutex
	statuses := map[int]int{}
	began := time.Now()
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for n := next.Add(1); n <= int64(requests); n = next.Add(1) {
				body := s.search()
				if n%int64(uploads) == 0 {
					if body = good; n/int64(uploads)%2 == 0 {
						body = bad
					}
				}
				status, err := s.post(body)
				if err != nil {
					silent.Add(1)
					fmt.Fprintf(os.Stderr, "request %d has no answer: %v\n", n, err)
				}
				mu.Lock()
				statuses[status]++
				mu.Unlock()
				if n%int64(max(1, requests/10)) == 0 {
					if bytes, err := s.measure("process_resident_memory_bytes"); err == nil {
						fmt.Printf("%9d requests, %6.0f s, %5.0f MB resident\n", n, time.Since(began).Seconds(), bytes/1e6)
					}
				}
			}
		})
	}
	all.Wait()
	for _, status := range slices.Sorted(maps.Keys(statuses)) {
		fmt.Printf("%3d  %d\n", status, statuses[status])
	}
	if n := silent.Load(); n > 0 {
		return fmt.Errorf("%d requests have no answer", n)
	}
	return nil
}
