package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/indexes"
	"annbench/indexes/engines"
	"annbench/indexes/vec"
)

// engineBox is a cache of its own, whose engines are ended with the test; and nothing may be left of
// them.
type engineBox struct {
	*testing.T
	env []string
}

// withEngines leaves the test out where no server has been built, unless ANNBENCH_ENGINES is "required".
func withEngines(t *testing.T) *engineBox {
	t.Helper()
	if os.Getenv("ANNBENCH_WEAVIATE") == "" {
		if os.Getenv("ANNBENCH_ENGINES") == "required" {
			t.Fatal("ANNBENCH_WEAVIATE does not name a weaviate-server")
		}
		t.Skip("no weaviate-server in ANNBENCH_WEAVIATE; `make test-engines` builds and runs one")
	}
	cache := t.TempDir()
	t.Setenv("ANNBENCH_CACHE", cache) // findServer looks there too
	b := &engineBox{T: t}
	t.Cleanup(func() {
		all, err := states()
		if err != nil {
			t.Error(err)
		}
		if _, said, code := b.run("engines", "down"); code != 0 {
			t.Errorf("engines down: exit code %d\n%s", code, said)
		}
		for _, s := range all {
			for _, n := range s.Nodes {
				if n.Alive() {
					t.Errorf("process %d is left", n.PID)
					_ = syscall.Kill(n.PID, syscall.SIGKILL)
				}
			}
		}
		if left, err := states(); err != nil || len(left) > 0 {
			t.Errorf("still written down: %v, %v", left, err)
		}
	})
	return b
}

func (b *engineBox) command(args ...string) *exec.Cmd {
	cmd := exec.Command("annbench", args...)
	cmd.Env = append(os.Environ(), b.env...)
	return cmd
}

func (b *engineBox) run(args ...string) (out, said string, code int) {
	b.Helper()
	cmd := b.command(args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		b.Fatal(err)
	}
	return stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()
}

// up starts Weaviate and returns what is written down of it.
func (b *engineBox) up(nodes int) *engines.State {
	b.Helper()
	if _, said, code := b.run("engines", "up", "weaviate", "--nodes", fmt.Sprint(nodes)); code != 0 {
		b.Fatalf("engines up: exit code %d\n%s", code, said)
	}
	return b.state(nodes)
}

func (b *engineBox) state(nodes int) *engines.State {
	b.Helper()
	all, err := states()
	for _, s := range all {
		if len(s.Nodes) == nodes {
			return s
		}
	}
	b.Fatalf("no state of %d nodes: %v", nodes, err)
	return nil
}

// states are the engines that are written down.
func states() ([]*engines.State, error) {
	dir, err := enginesDir()
	if err != nil {
		return nil, err
	}
	return dir.States()
}

// running is how many processes of an engine run.
func running(s *engines.State) (n int) {
	for i := range s.Nodes {
		if s.Nodes[i].Alive() {
			n++
		}
	}
	return n
}

func kill(t *testing.T, n *engines.Node) {
	t.Helper()
	if err := syscall.Kill(n.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for begun := time.Now(); time.Since(begun) < hang; time.Sleep(10 * time.Millisecond) {
		if !n.Alive() {
			return
		}
	}
	t.Fatalf("process %d does not die", n.PID)
}

func TestEnginesUpStatusDown(t *testing.T) {
	b := withEngines(t)
	s := b.up(1)
	if !s.Ready || running(s) != 1 {
		t.Fatalf("%+v", s)
	}
	if _, said, code := b.run("engines", "up", "weaviate"); code != 1 || !strings.Contains(said, "is there already") {
		t.Errorf("up twice: %d, %s", code, said)
	}
	found, err := findServer("weaviate", "", 1)
	if err != nil || found.Address != s.Address || !slices.Equal(found.Processes, []int{s.Nodes[0].PID}) || len(found.Data) != 1 {
		t.Errorf("found %+v, %v", found, err)
	}
	if _, err := findServer("weaviate", "", 3); err == nil || !strings.Contains(err.Error(), "annbench engines up weaviate --nodes 3") {
		t.Errorf("three nodes: %v", err)
	}
	kill(t, &s.Nodes[0])
	if out, _, _ := b.run("engines", "status"); !strings.Contains(out, "lost node 0") {
		t.Errorf("status: %s", out)
	}
	if _, err := findServer("weaviate", "", 1); err == nil || !strings.Contains(err.Error(), "engines down") {
		t.Errorf("a dead one is found: %v", err)
	}
	if _, said, code := b.run("engines", "down"); code != 0 || !strings.Contains(said, "ended") {
		t.Errorf("down: %d, %s", code, said)
	}
	if _, err := os.Stat(s.Nodes[0].Data); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("data is left: %v", err)
	}
	if out, _, _ := b.run("engines", "status"); out != "none\n" {
		t.Errorf("status: %s", out)
	}
}

// Interrupted, killed, or with a server that does not work: `up` leaves nothing, or what `down` ends.
func TestEnginesUpThatFails(t *testing.T) {
	b := withEngines(t)
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
		cmd := b.command("engines", "up", "weaviate", "--nodes", "3")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var s *engines.State
		for begun := time.Now(); time.Since(begun) < hang; time.Sleep(10 * time.Millisecond) { // until a node or two have been started
			if all, _ := states(); len(all) > 0 && running(all[0]) > 0 {
				s = all[0]
				break
			}
		}
		if s == nil {
			t.Fatal("nothing was started")
		}
		_ = cmd.Process.Signal(signal)
		err := cmd.Wait()
		if signal == syscall.SIGKILL {
			s = b.state(3) // more may have been started
			if _, said, code := b.run("engines", "down", "weaviate"); code != 0 {
				t.Errorf("down after a killed up: %d, %s", code, said)
			}
		} else if code := cmd.ProcessState.ExitCode(); code != 128+int(signal) {
			t.Errorf("%v: exit code %d, %v", signal, code, err)
		}
		if left := running(s); left > 0 {
			t.Errorf("%v: left are %v", signal, left)
		}
		if left, err := states(); err != nil || len(left) > 0 {
			t.Errorf("%v: still written down: %v, %v", signal, left, err)
		}
	}
	if _, said, code := b.run("engines", "up", "weaviate", "--timeout", "300ms"); code != 1 || !strings.Contains(said, "not ready after 300ms") {
		t.Errorf("too little time: %d, %s", code, said)
	}
	b.env = []string{"ANNBENCH_WEAVIATE=/bin/false"}
	if _, said, code := b.run("engines", "up", "weaviate"); code != 1 || !strings.Contains(said, "node 0 has ended") {
		t.Errorf("a program that ends: %d, %s", code, said)
	}
	b.env = []string{"ANNBENCH_WEAVIATE=/nowhere/weaviate-server"}
	if _, said, code := b.run("engines", "up", "weaviate"); code != 1 || !strings.Contains(said, "ANNBENCH_WEAVIATE") {
		t.Errorf("no program: %d, %s", code, said)
	}
	if left, err := states(); err != nil || len(left) > 0 {
		t.Errorf("still written down: %v, %v", left, err)
	}
}

// sweepFile writes a sweep over families into a folder of its own.
func sweepFile(t *testing.T, head, families string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "engines.yaml")
	text := head + "\nmetric: cosine\nmeasure: 20ms\nrepetitions: 1\ngallery: -1\nqueries: 100\nfamilies:\n" + families
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func readCells(t *testing.T, dir string) []record.Record {
	t.Helper()
	records, _, err := record.Read(filepath.Join(dir, record.RecordsFile))
	if err != nil {
		t.Fatal(err)
	}
	return records
}

func TestSweepOverWeaviate(t *testing.T) {
	b := withEngines(t)
	b.up(1)
	b.up(3)
	sweep := sweepFile(t, "data: {synthetic: {n: 2100, dim: 64}}", `
- family: flat
- family: weaviate
  build: {nodes: [1, 3], M: 16, quantiser: [none, pq, bq, sq, rq]}
  search: {ef: [16, 128]}
- family: weaviate
  build: {index: flat, quantiser: [none, bq]}
- family: weaviate
  build: {nodes: 3, replicas: 3, shards: 1, M: 16}
  search: {ef: 128}
`)
	out := t.TempDir()
	if table, said, code := b.run("run", sweep, "--out", out); code != 0 {
		t.Fatalf("exit code %d\n%s\n%s", code, said, table)
	}
	// What each quantiser must come up to with ef 128, on vectors of 12 intrinsic dimensions: codes that are
	// rescored lose little, those of bq (a bit a dimension, of 64) most. Exact search over bq's codes rescores
	// 20 of 2,000 and no more; at random they would be a hundredth of the neighbours.
	const flatBQ = 0.4
	floor := map[string]float64{"none": 0.98, "rq": 0.97, "sq": 0.95, "pq": 0.8, "bq": 0.6}
	cells := 0
	for _, rec := range readCells(t, out) {
		if rec.Status != record.OK {
			t.Errorf("%v: %s: %s", rec.Cell, rec.Status, rec.Error)
			continue
		}
		if rec.Cell.Family != "weaviate" {
			continue
		}
		cells++
		for _, name := range []string{metric.Wire, metric.WireP99, metric.Mean, metric.Serialized, metric.BuildCPU, metric.Add} {
			if !(rec.Values[name] > 0) {
				t.Errorf("%v: %s is %v", rec.Cell, name, rec.Values[name])
			}
		}
		// A server that grew by less than its vectors has no figure, and a warning that says so.
		told := slices.ContainsFunc(rec.Warnings, func(w string) bool { return strings.Contains(w, "its memory is not known") })
		if _, ok := rec.Values[metric.Resident]; ok == told {
			t.Errorf("%v: memory %v, warnings %q", rec.Cell, rec.Values[metric.Resident], rec.Warnings)
		}
		if rec.Values[metric.Mean] < rec.Values[metric.Wire]/3 {
			t.Errorf("%v: a search takes %v, nothing at all %v", rec.Cell, rec.Values[metric.Mean], rec.Values[metric.Wire])
		}
		if !strings.HasPrefix(rec.Server, "weaviate 1.") {
			t.Errorf("%v: server %q", rec.Cell, rec.Server)
		}
		for q, want := range floor {
			flat := strings.Contains(rec.Cell.Build, "index=flat")
			if flat && q == "bq" {
				want = flatBQ
			}
			if strings.Contains(rec.Cell.Build, "quantiser="+q+" ") && (flat || rec.Cell.Search == "ef=128") && rec.Values[metric.Recall] < want {
				t.Errorf("%v: recall %v, want %v", rec.Cell, rec.Values[metric.Recall], want)
			}
		}
		t.Logf("%s %s: recall %.3f, mean %.0f µs, wire %.0f µs, build %.2f s, %.1f MiB, disk %.1f MiB", rec.Cell.Build, rec.Cell.Search,
			rec.Values[metric.Recall], 1e6*rec.Values[metric.Mean], 1e6*rec.Values[metric.Wire], rec.Values[metric.Build], rec.Values[metric.Resident]/(1<<20), rec.Values[metric.Serialized]/(1<<20))
	}
	if want := 2*5*2 + 2 + 1; cells != want {
		t.Errorf("%d cells of weaviate, want %d", cells, want)
	}
	for _, nodes := range []int{1, 3} {
		if left := collections(t, b.state(nodes)); left != "" {
			t.Errorf("left in the cluster of %d: %s", nodes, left)
		}
	}
}

// collections lists what is in a cluster.
func collections(t *testing.T, s *engines.State) string {
	t.Helper()
	address, _, _ := strings.Cut(s.Address, "?")
	resp, err := http.Get("http://" + address + "/v1/schema")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var schema struct{ Classes []struct{ Class string } }
	if err := json.NewDecoder(resp.Body).Decode(&schema); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range schema.Classes {
		names = append(names, c.Class)
	}
	return strings.Join(names, " ")
}

// clusteredVectors are neighbours of each other in groups of about a hundred.
func clusteredVectors(rows, dim int) vec.Matrix {
	rng := rand.New(rand.NewPCG(3, 4))
	m := vec.NewMatrix(rows, dim)
	centres := vec.NewMatrix(max(1, rows/100), dim)
	for i := range centres.Data {
		centres.Data[i] = float32(rng.NormFloat64())
	}
	for i := range rows {
		for j, x := range centres.Row(rng.IntN(centres.Rows)) {
			m.Row(i)[j] = x + 0.5*float32(rng.NormFloat64())
		}
	}
	return m
}

// TestNodeLostInMidSearch is what a client sees of a cluster of three that loses a node, with and without
// replicas. docs/results/engines.md has it.
func TestNodeLostInMidSearch(t *testing.T) {
	for _, replicas := range []int{1, 3} {
		t.Run(fmt.Sprintf("replicas=%d", replicas), func(t *testing.T) {
			b := withEngines(t)
			s := b.up(3)
			f, err := indexes.Lookup("weaviate")
			if err != nil {
				t.Fatal(err)
			}
			base := clusteredVectors(3000, 32)
			x, err := f.OpenChecked(t.Context(), indexes.BuildInput{
				Vectors: base, Metric: vec.L2, Address: s.Address, Name: "annbench_lost",
				Params: indexes.Params{"nodes": 3, "replicas": replicas, "ef": 100},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer x.Close()
			truth, err := vec.Exact(t.Context(), base, base, vec.L2, 10, 2, nil)
			if err != nil {
				t.Fatal(err)
			}
			type answer struct {
				at     time.Duration // since the node was killed
				recall float64
				took   time.Duration
				err    string
			}
			ask := func(q int, since time.Time) answer {
				began := time.Now()
				got, err := x.Search(nil, base.Row(q), 10)
				a := answer{at: began.Sub(since), took: time.Since(began)}
				if err != nil {
					a.err = err.Error()
					return a
				}
				for _, n := range got {
					if n.Dist <= truth[10*q+9].Dist*(1+1e-5) {
						a.recall += 0.1
					}
				}
				return a
			}
			tell := func(what string, list []answer) (recall float64, failed int) {
				words := map[string]int{}
				var slowest time.Duration
				for _, a := range list {
					slowest = max(slowest, a.took)
					if a.err != "" {
						failed++
						words[a.err]++
						continue
					}
					recall += a.recall
				}
				recall /= float64(max(1, len(list)-failed))
				t.Logf("%s: %d searches, %d failed, recall of the rest %.3f, slowest %v", what, len(list), failed, recall, slowest.Round(time.Millisecond))
				for _, w := range slices.Sorted(maps.Keys(words)) {
					t.Logf("  %d × %s", words[w], w)
				}
				return recall, failed
			}
			var before, after, late []answer
			for q := range 300 {
				before = append(before, ask(q, time.Now()))
			}
			if recall, failed := tell("before", before); failed != 0 || recall < 0.98 {
				t.Fatalf("%d failed, recall %v", failed, recall)
			}
			since := time.Now()
			if err := syscall.Kill(s.Nodes[2].PID, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			for q := 0; time.Since(since) < 15*time.Second; q = (q + 1) % base.Rows {
				after = append(after, ask(q, since))
			}
			firstError, lastError := time.Duration(-1), time.Duration(-1)
			for _, a := range after {
				if a.err != "" {
					if firstError < 0 {
						firstError = a.at
					}
					lastError = a.at + a.took
				}
			}
			tell("15 s after", after)
			t.Logf("  the first that failed was asked %v, the last ended %v after the node was killed", firstError, lastError)
			for q := range 300 {
				late = append(late, ask(q, since))
			}
			recall, failed := tell("then", late)
			doubt, err := x.(indexes.RemoteIndex).Check(t.Context())
			t.Logf("checked: %q, %v", doubt, err)
			switch {
			case replicas == 3 && (failed != 0 || recall < 0.98 || err != nil || !strings.Contains(doubt, "2 of 3 nodes")):
				t.Errorf("with replicas everywhere %d of %d searches fail, recall %v", failed, len(late), recall)
			case replicas == 1 && err == nil:
				// Weaviate answers without a third of the vectors, and says nothing of it: the check must.
				t.Errorf("without replicas %d of %d searches fail, recall of the rest %v, and the check passes", failed, len(late), recall)
			}
			ctx, cancel := context.WithTimeout(context.Background(), hang)
			defer cancel()
			t.Logf("removing the collection: %v", f.Remote.Drop(ctx, s.Address, "annbench_lost"))
		})
	}
}
