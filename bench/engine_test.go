package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"annbench/bench/dataset"
	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/bench/sweepfile"
	"annbench/indexes"
	"annbench/indexes/external"
	"annbench/indexes/vec"
)

// The family "far" is in an engine of the tests' own: an HTTP server in the process of the test, which
// its worker processes talk to.

func farFamily() *indexes.Family {
	f := &indexes.Family{
		Name: "far", Library: "test", Doc: "Exact search, far away.", Exact: true, Updates: indexes.UpdatesByRemoval,
		Metrics: []vec.Metric{vec.L2},
		Build:   []indexes.Param{{Name: "nodes", Kind: indexes.Int, Default: 1, Min: 1, Max: 9, Doc: "nodes"}},
		Search: []indexes.Param{
			{Name: "how", Kind: indexes.Word, Default: "well", Words: []string{"well", "badly", "slowly"}, Doc: "how to search"},
		},
		Work:  func(n, dim int, _ indexes.Params) (float64, float64) { return float64(n), float64(n) },
		Bytes: func(n, dim int, _ indexes.Params) int64 { return 4 * int64(n) * int64(dim) },
	}
	f.Open = func(_ context.Context, in indexes.BuildInput) (indexes.Index, error) {
		x := &farIndex{address: in.Address, name: in.Name, dim: in.Vectors.Dim}
		if in.Phase != nil {
			in.Phase("add")
		}
		return x, x.call("build", farVectors{in.Vectors.Rows, in.Vectors.Dim, in.Vectors.Data}, nil)
	}
	f.Load = func(path string, in indexes.BuildInput) (indexes.Index, error) {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		x := &farIndex{}
		x.address, x.name, _ = strings.Cut(string(text), " ")
		return x, x.call("count", nil, nil)
	}
	f.Remote = &indexes.Remote{Engine: "farengine", Drop: func(_ context.Context, address, name string) error {
		return (&farIndex{address: address, name: name}).call("drop", nil, nil)
	}}
	return f
}

type farVectors struct {
	Rows, Dim int
	Data      []float32
}

type farQuery struct {
	Q   []float32
	K   int
	How string
}

type farIndex struct {
	address, name, how string
	dim                int
}

func (x *farIndex) call(what string, ask, answer any) error {
	b, err := json.Marshal(ask)
	if err != nil {
		return err
	}
	resp, err := http.Post("http://"+x.address+"/"+what+"/"+x.name, "application/json", bytes.NewReader(b))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if b, err = io.ReadAll(resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("farengine: %s", b)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(b, answer)
}

func (x *farIndex) Search(dst []vec.Neighbor, q []float32, k int) ([]vec.Neighbor, error) {
	var got []vec.Neighbor
	err := x.call("search", farQuery{q, k, x.how}, &got)
	return append(dst, got...), err
}

func (x *farIndex) Add(more vec.Matrix) error {
	return x.call("add", farVectors{more.Rows, more.Dim, more.Data}, nil)
}
func (x *farIndex) Remove(ids []int32) error    { return x.call("remove", ids, nil) }
func (x *farIndex) Maintain() error             { return x.call("maintain", nil, nil) }
func (x *farIndex) Close() error                { return nil }
func (x *farIndex) Tune(p indexes.Params) error { x.how = p.Word("how"); return nil }
func (x *farIndex) Save(path string) error {
	return os.WriteFile(path, []byte(x.address+" "+x.name), 0o644)
}
func (x *farIndex) Wire(int) error               { return x.call("wire", nil, nil) }
func (x *farIndex) Settle(context.Context) error { return x.call("settle", nil, nil) }

func (x *farIndex) Check(context.Context) (string, error) {
	return "it has a cold", x.call("check", nil, nil)
}
func (x *farIndex) Server() string     { return "farengine 7" }
func (x *farIndex) Warnings() []string { return nil }
func (x *farIndex) Footprint(context.Context) (indexes.Footprint, error) {
	return indexes.Footprint{Disk: 12345, From: "its own word"}, nil
}

// lookupWithFar is lookup with the family of the tests.
func lookupWithFar(name string) (*indexes.Family, error) {
	if name == "far" {
		return farFamily(), nil
	}
	return external.Lookup(name, ".")
}

// farEngine is the server's end.
type farEngine struct {
	*httptest.Server
	mu      sync.Mutex
	held    map[string]vec.Matrix
	gone    map[string]map[int32]bool // rows of held that were removed
	most    int                       // of held, over time
	calls   map[string]int            // by what
	refused map[string]string
}

func startFarEngine(t *testing.T) *farEngine {
	t.Helper()
	before := lookup
	lookup = lookupWithFar
	t.Cleanup(func() { lookup = before })
	e := &farEngine{held: map[string]vec.Matrix{}, gone: map[string]map[int32]bool{}, calls: map[string]int{}, refused: map[string]string{}}
	e.Server = httptest.NewServer(e)
	t.Cleanup(e.Close)
	return e
}

func (e *farEngine) address() string { return strings.TrimPrefix(e.URL, "http://") }

func (e *farEngine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	what, name, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	e.mu.Lock()
	e.calls[what]++
	m, ok := e.held[name]
	refused := e.refused[what]
	e.mu.Unlock()
	if refused != "" {
		http.Error(w, refused, http.StatusInternalServerError)
		return
	}
	switch what {
	case "build":
		var v farVectors
		_ = json.NewDecoder(r.Body).Decode(&v)
		e.mu.Lock()
		e.held[name] = vec.Matrix{Data: v.Data, Rows: v.Rows, Dim: v.Dim}
		e.gone[name] = map[int32]bool{}
		e.most = max(e.most, len(e.held))
		e.mu.Unlock()
	case "count":
		if !ok {
			http.Error(w, "there is no "+name, http.StatusNotFound)
		}
	case "add":
		var v farVectors
		_ = json.NewDecoder(r.Body).Decode(&v)
		e.mu.Lock()
		e.held[name] = vec.Matrix{Data: slices.Concat(m.Data, v.Data), Rows: m.Rows + v.Rows, Dim: m.Dim}
		e.mu.Unlock()
	case "remove":
		var ids []int32
		_ = json.NewDecoder(r.Body).Decode(&ids)
		e.mu.Lock()
		for _, id := range ids {
			e.gone[name][id] = true
		}
		e.mu.Unlock()
	case "drop":
		e.mu.Lock()
		delete(e.held, name)
		e.mu.Unlock()
	case "search":
		var q farQuery
		_ = json.NewDecoder(r.Body).Decode(&q)
		switch q.How {
		case "badly":
			http.Error(w, "shard 3 is on fire", http.StatusInternalServerError)
			return
		case "slowly":
			select {
			case <-r.Context().Done():
			case <-time.After(10 * time.Minute): // the worker is ended long before
			}
			return
		}
		got, err := vec.Exact(r.Context(), m, vec.Matrix{Data: q.Q, Rows: 1, Dim: len(q.Q)}, vec.L2, min(m.Rows, q.K+len(e.gone[name])), 1, nil)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		got = slices.DeleteFunc(got, func(n vec.Neighbor) bool { return e.gone[name][n.ID] })
		_ = json.NewEncoder(w).Encode(got[:min(q.K, len(got))])
	}
}

// find says where the engine of the tests answers, as the command does.
func (e *farEngine) find(engine, address string, nodes int) (Server, error) {
	if nodes != 1 {
		return Server{}, fmt.Errorf("no %s of %d nodes is running", engine, nodes)
	}
	return Server{Address: e.address(), Processes: []int{os.Getpid()}}, nil
}

const farAndFlat = `
- family: far
  build: {nodes: [1, 3]}
- family: flat
`

func TestEngineIsMeasuredAndLeftAsItWas(t *testing.T) {
	e := startFarEngine(t)
	r := testRun(t, testSet(t, 300, 8, 20), testSweep(t, farAndFlat))
	r.Find = e.find
	sum, err := r.Do(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// Two k and two repetitions of each; the cluster of three that is not there once for each k.
	if sum.Measured[record.OK] != 8 || sum.Measured[record.Skipped] != 2 {
		t.Fatalf("measured %v", sum.Measured)
	}
	for _, rec := range readRecords(t, r.Out) {
		if rec.Cell.Family != "far" {
			if rec.Server != "" || rec.Values[metric.Wire] != 0 {
				t.Errorf("%v has a server: %q", rec.Cell, rec.Server)
			}
			continue
		}
		if rec.Status == record.Skipped {
			if rec.Cell.Build != "nodes=3" || rec.Error != "no farengine of 3 nodes is running" {
				t.Errorf("%v is skipped: %s", rec.Cell, rec.Error)
			}
			continue
		}
		if rec.Values[metric.Recall] != 1 {
			t.Errorf("recall is %v", rec.Values[metric.Recall])
		}
		for _, name := range []string{metric.Wire, metric.WireP99, metric.Add, metric.Build, metric.BuildCPU, metric.Load} {
			if !(rec.Values[name] > 0) {
				t.Errorf("%s is %v", name, rec.Values[name])
			}
		}
		if !slices.Contains(rec.Warnings, "it has a cold") {
			t.Errorf("warnings are %q", rec.Warnings)
		}
		// The engine's process is this one, which may grow by less than the vectors: then there is no number.
		doubted := slices.ContainsFunc(rec.Warnings, func(w string) bool { return strings.Contains(w, "its memory is not known") })
		if v, ok := rec.Values[metric.Resident]; ok == doubted || ok && v < 4*8 {
			t.Errorf("memory %v, warnings %q", v, rec.Warnings)
		}
		if rec.Values[metric.Serialized] != 12345 {
			t.Errorf("size on the disk is %v, not the engine's figure", rec.Values[metric.Serialized])
		}
		if !strings.HasPrefix(rec.Server, "farengine 7 at "+e.address()) || !strings.Contains(rec.Server, "its own word") {
			t.Errorf("server is %q", rec.Server)
		}
	}
	if len(e.held) != 0 || e.most != 1 {
		t.Errorf("%d indexes are left in the engine, %d at most at once", len(e.held), e.most)
	}
	if e.calls["drop"] != 2 || e.calls["settle"] == 0 {
		t.Errorf("calls: %v", e.calls)
	}
}

// An index in an engine follows a runbook, changed or built anew, and nothing of it is left there.
func TestEngineFollowsRunbooks(t *testing.T) {
	e := startFarEngine(t)
	s := testSweep(t, "- family: far\nchurn:\n- {per_step: 10%, steps: 2, rebuild: 1}\n")
	s.K, s.Repetitions = s.K[:1], 1
	r := testRun(t, testSet(t, 320, 8, 20), s)
	r.Find = e.find
	if sum, err := r.Do(t.Context()); err != nil || sum.Failed() > 0 {
		t.Fatalf("%+v, %v", sum, err)
	}
	results, err := record.Open(r.Out)
	if err != nil {
		t.Fatal(err)
	}
	if len(results.Churned) != 2*3 {
		t.Errorf("%d records of runbooks, want 6", len(results.Churned))
	}
	for _, rec := range results.Churned {
		v := rec.Values
		if rec.Status != record.OK || v[metric.Recall] != 1 || v[metric.Serialized] != 12345 || !(v[metric.UpdateCPU] > 0) || v[metric.CPU] != 0 {
			t.Errorf("step %d: %s, %v", rec.Cell.Step, rec.Error, v)
		}
		if rec.Server != "farengine 7 at "+e.address() || !slices.Contains(rec.Warnings, "it has a cold") {
			t.Errorf("step %d: server %q, warnings %q", rec.Cell.Step, rec.Server, rec.Warnings)
		}
	}
	// Two steps with changes; two of three builds are in place of another, which is dropped first.
	if e.calls["maintain"] != 2 || e.most != 1 || len(e.held) != 0 {
		t.Errorf("%d at once, %d left, calls %v", e.most, len(e.held), e.calls)
	}
	// One that fails is removed, too.
	e.refused["remove"] = "the far side is read-only"
	r = testRun(t, r.Set, s)
	r.Find = e.find
	if sum, err := r.Do(t.Context()); err != nil || sum.Measured[record.Failed] != 2 || len(e.held) != 0 {
		t.Errorf("%+v, %v, %d left", sum, err, len(e.held))
	}
}

func TestFaultsOfAnEngineAreRecords(t *testing.T) {
	e := startFarEngine(t)
	// The searches of one setting fail, those of the other have been measured by then.
	r := testRun(t, testSet(t, 300, 8, 20), testSweep(t, "- family: far\n  search: {how: [well, badly]}\n- family: flat\n"))
	r.Find = e.find
	sum, err := r.Do(t.Context())
	if err != nil || sum.Measured[record.OK] != 8 || sum.Measured[record.Failed] != 4 {
		t.Fatalf("%v, %v", sum.Measured, err)
	}
	for _, rec := range readRecords(t, r.Out) {
		if rec.Status == record.Failed && (!strings.Contains(rec.Error, "shard 3 is on fire") || !strings.Contains(rec.Server, "farengine")) {
			t.Errorf("%q of %q", rec.Error, rec.Server)
		}
	}
	if len(e.held) != 0 {
		t.Errorf("left in the engine: %d", len(e.held))
	}

	// An index that is not whole any more after it was searched, whatever it has answered.
	e.refused["check"] = "a third of me is gone"
	r = testRun(t, r.Set, testSweep(t, "- family: far\n"))
	r.Find = e.find
	if sum, err = r.Do(t.Context()); err != nil || sum.Measured[record.OK] != 0 || sum.Measured[record.Failed] != 4 {
		t.Fatalf("%v, %v", sum.Measured, err)
	}
	if recs := readRecords(t, r.Out); !strings.Contains(recs[0].Error, "a third of me is gone") {
		t.Errorf("%q", recs[0].Error)
	}
	e.refused["check"] = ""

	// A build that fails; then an engine that is gone.
	e.refused["build"] = "no space left on device"
	r = testRun(t, r.Set, testSweep(t, farAndFlat))
	r.Find = e.find
	if sum, err = r.Do(t.Context()); err != nil || sum.Measured[record.OK] != 4 || sum.Measured[record.Failed] != 4 {
		t.Fatalf("%v, %v", sum.Measured, err)
	}
	if e.calls["drop"] != 3*2 {
		t.Errorf("what a failed build left was not removed: %v", e.calls)
	}
	e.Close()
	r = testRun(t, r.Set, testSweep(t, farAndFlat))
	r.Find = e.find
	if sum, err = r.Do(t.Context()); err != nil || sum.Measured[record.OK] != 4 || sum.Measured[record.Failed] != 4 {
		t.Fatalf("%v, %v", sum.Measured, err)
	}
	for _, rec := range readRecords(t, r.Out) {
		if rec.Status == record.Failed && !strings.Contains(rec.Error, "connection refused") {
			t.Errorf("%q", rec.Error)
		}
	}
}

func TestEngineIsEmptiedAfterATimeoutAndAnInterrupt(t *testing.T) {
	e := startFarEngine(t)
	r := testRun(t, testSet(t, 300, 8, 20), testSweep(t, "- family: far\n  search: {how: slowly}\n"))
	r.Find = e.find
	r.Sweep.Timeout = 40 * time.Second // the build has to be through by then, on a busy machine, too
	r.Sweep.Repetitions = 1
	sum, err := r.Do(t.Context())
	if err != nil || sum.Measured[record.Timeout] != 2 {
		t.Fatalf("%v, %v", sum.Measured, err)
	}
	if len(e.held) != 0 || e.most != 1 {
		t.Errorf("%d left in the engine, of %d", len(e.held), e.most)
	}

	r.Sweep.Timeout = 10 * time.Minute
	r = testRun(t, r.Set, r.Sweep)
	r.Find = e.find
	e.mu.Lock()
	e.most, e.calls["search"] = 0, 0 // before the goroutine looks, which would see the searches of the run above
	e.mu.Unlock()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for range 10_000 {
			e.mu.Lock()
			n := e.calls["search"]
			e.mu.Unlock()
			if n > 1 {
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
		cancel()
	}()
	if _, err := r.Do(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("%v", err)
	}
	if len(e.held) != 0 || e.most != 1 {
		t.Errorf("%d left in the engine, of %d", len(e.held), e.most)
	}
}

func TestKeptIndexesStayInTheEngine(t *testing.T) {
	e := startFarEngine(t)
	r := testRun(t, testSet(t, 300, 8, 20), testSweep(t, "- family: far\n"))
	r.Find, r.KeepIndexes = e.find, true
	if _, err := r.Do(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(e.held) != 1 { // that of the first repetition
		t.Errorf("%d are in the engine", len(e.held))
	}
}

// Where no engine is to be found, or its address says too much, the user is told what to do.
func TestAddresses(t *testing.T) {
	startFarEngine(t)
	r := testRun(t, testSet(t, 300, 8, 20), testSweep(t, farAndFlat))
	sum, err := r.Do(t.Context())
	if err != nil || sum.Measured[record.Skipped] != 4 || sum.Measured[record.OK] != 4 {
		t.Fatalf("%v, %v", sum.Measured, err)
	}
	for _, rec := range readRecords(t, r.Out) {
		if rec.Status == record.Skipped && !strings.Contains(rec.Error, "address") {
			t.Errorf("%q", rec.Error)
		}
	}
	for families, says := range map[string]string{
		"- family: flat\n  address: localhost:1\n":           "flat has no address",
		"- family: far\n  address: postgres://me:pw@here/\n": "leave them out",
	} {
		text := "data: {rendered: {boards: 1}}\nfamilies:\n" + families
		var at *sweepfile.Error
		if _, err := (sweepfile.Reader{Lookup: lookup}).Parse("x.yaml", []byte(text)); !errors.As(err, &at) || !strings.Contains(err.Error(), says) || at.Line != 4 {
			t.Errorf("%q: %v", families, err)
		}
	}
	s, err := sweepfile.Reader{Lookup: lookup}.Parse("x.yaml", []byte("data: {rendered: {boards: 1}}\nmetric: l2\nfamilies:\n- {family: far, address: 'here:1'}\n"))
	if err != nil {
		t.Fatal(err)
	}
	plan, err := MakePlan(s, Shape{Digest: "d", Base: 10, Dim: 2, Find: func(engine, address string, nodes int) (Server, error) {
		return Server{Address: engine + address + fmt.Sprint(nodes)}, nil
	}})
	if err != nil || len(plan.Jobs) != 3 || plan.Jobs[0].Server.Address != "farenginehere:11" {
		t.Errorf("%+v, %v", plan, err)
	}
	if names := []string{newName(), newName(), newName()}; len(slices.Compact(slices.Sorted(slices.Values(names)))) != 3 {
		t.Errorf("names repeat: %v", names)
	}
}

// A plan is estimated by building on a sample, in the engine too; nothing is left of that.
func TestEstimateLeavesNothingInTheEngine(t *testing.T) {
	e := startFarEngine(t)
	set, err := dataset.OpenSet(testSet(t, 300, 8, 20))
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	s := testSweep(t, "- family: far\n")
	plan, err := MakePlan(s, Shape{Digest: set.Digest, Base: set.Base.Rows, Dim: set.Base.Dim, Cores: 1, Find: e.find})
	if err != nil {
		t.Fatal(err)
	}
	estimate, err := EstimatePlan(t.Context(), s, set, plan)
	if err != nil || estimate.Wall <= 0 || len(estimate.Unknown) != 0 {
		t.Errorf("%+v, %v", estimate, err)
	}
	if len(e.held) != 0 || e.most != 1 {
		t.Errorf("%d left in the engine, of %d", len(e.held), e.most)
	}
}

// TestMemoryBelowTheVectors: an engine that seems to hold less than the vectors it took in gets no figure of memory.
func TestMemoryBelowTheVectors(t *testing.T) {
	if s := tooLittle("its program", -70<<20, 3<<19); s != "its memory is not known: its program grew by -70.0 MiB for 1.5 MiB of vectors" {
		t.Error(s)
	}
}
