package bench

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/procfs"

	"annbench/bench/metric"
	"annbench/indexes"
	"annbench/indexes/external"
	"annbench/internal/proctree"
)

// lookup finds a family by its name. Tests put one of their own beside those of the table.
var lookup = func(name string) (*indexes.Family, error) { return external.Lookup(name, ".") }

// Server is where the engine of a family answers, and what of it stands on this machine.
type Server struct {
	Address string `json:"address"`
	// Processes are the ids of the engine's processes, where they run on this machine and are known:
	// the memory and the processor time of an index in the engine are read from them.
	Processes []int `json:"processes,omitempty"`
	// Data are the engine's data folders, on the same terms.
	Data []string `json:"data,omitempty"`
}

// FindServer finds the engine called engine, of so many nodes, at address, or the one that runs where
// address is empty. Its error says why there is none and what to do, and becomes the reason why a cell
// is skipped.
type FindServer func(engine, address string, nodes int) (Server, error)

// find asks f, where there is one.
func (f FindServer) find(family *indexes.Family, address string, build indexes.Params) (Server, error) {
	nodes := 1
	if n, ok := build["nodes"].(int); ok {
		nodes = n
	}
	switch {
	case f != nil:
		return f(family.Remote.Engine, address, nodes)
	case address == "":
		return Server{}, fmt.Errorf("no %s is running: give its address in the sweep", family.Remote.Engine)
	}
	return Server{Address: address}, nil
}

// newName draws a name for what a build leaves in an engine.
func newName() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return "annbench_" + hex.EncodeToString(b[:])
}

// dropDeadline is how long an engine has to remove an index.
const dropDeadline = 30 * time.Second

// drop removes from the server what a build of f left there under name, also if ctx is at its end.
func (s *Server) drop(ctx context.Context, f *indexes.Family, name string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), dropDeadline)
	defer cancel()
	return f.Remote.Drop(ctx, s.Address, name)
}

// held is what the processes of an engine hold and have used.
type held struct {
	anonymous, rss, peak int64   // bytes, summed over processes
	cpu                  float64 // seconds, likewise
}

// holding reads it; ok is false where a process is unknown, gone or not ours to look at.
func holding(processes []int) (sum held, ok bool) {
	for _, pid := range processes {
		p, err := procfs.NewProc(pid)
		if err != nil {
			return held{}, false
		}
		rollup, err := p.ProcSMapsRollup()
		if err != nil {
			return held{}, false
		}
		status, err := p.NewStatus()
		if err != nil {
			return held{}, false
		}
		stat, err := p.Stat()
		if err != nil {
			return held{}, false
		}
		sum.anonymous += int64(rollup.Anonymous)
		sum.rss += int64(status.VmRSS)
		sum.peak += int64(status.VmHWM)
		sum.cpu += stat.CPUTime()
	}
	return sum, len(processes) > 0
}

// resetPeaks makes the peaks of held count from now.
func resetPeaks(processes []int) bool {
	for _, pid := range processes {
		if !proctree.ResetPeak(pid) {
			return false
		}
	}
	return len(processes) > 0
}

// settle waits until the engine's memory has come to rest, after it has collected its garbage where it
// can be asked to, and reads it. Runtimes give pages back in the background, for seconds.
func settle(ctx context.Context, x indexes.RemoteIndex, processes []int) (held, bool) {
	_ = x.Settle(ctx) // if it fails there is more to read, which is what it holds
	return atRest(ctx, processes)
}

// atRest reads what processes hold once it changes by less than a hundredth in restStep, or after
// restMost.
func atRest(ctx context.Context, processes []int) (held, bool) {
	const (
		restStep = 500 * time.Millisecond
		restMost = 10 * time.Second
	)
	last, ok := holding(processes)
	for begun := time.Now(); ok && time.Since(begun) < restMost; {
		select {
		case <-ctx.Done():
			return last, ok
		case <-time.After(restStep):
		}
		var now held
		if now, ok = holding(processes); !ok {
			break
		}
		calm := max(now.anonymous-last.anonymous, last.anonymous-now.anonymous) < last.anonymous/100
		last = now
		if calm {
			break
		}
	}
	return last, ok
}

// footprint adds to values what an index in an engine takes up, and returns where the figures are from.
func footprint(ctx context.Context, x indexes.RemoteIndex, values map[string]float64) string {
	print, err := x.Footprint(ctx)
	if err != nil {
		return "its size on the disk is not known: " + err.Error()
	}
	if print.Disk > 0 {
		values[metric.Serialized] = float64(print.Disk)
	}
	return print.From
}

// leastWire is how many round trips are timed at least.
const leastWire = 50

// wire times searches of nothing, for at least atLeast.
func wire(x indexes.RemoteIndex, k int, atLeast time.Duration, values map[string]float64) error {
	var samples []float64
	for begun := time.Now(); len(samples) < leastWire || time.Since(begun) < atLeast; {
		start := time.Now()
		if err := x.Wire(k); err != nil {
			return fmt.Errorf("searching nothing, to time the way to the engine: %w", err)
		}
		samples = append(samples, time.Since(start).Seconds())
	}
	slices.Sort(samples)
	values[metric.Wire] = metric.Percentile(samples, 0.50)
	values[metric.WireP99] = metric.Percentile(samples, 0.99)
	return nil
}
