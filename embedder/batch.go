package embedder

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// AutoBatch, as a size of batches, stands for the one that [Session.FindBatch] finds.
const AutoBatch = -1

// MaxBatch is the largest batch that is tried, and that settings take.
const MaxBatch = 1024

// ParseBatch reads a size of batches: a number from 1 to [MaxBatch], or "auto".
func ParseBatch(text string) (int, error) {
	if text == "auto" {
		return AutoBatch, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > MaxBatch {
		return 0, fmt.Errorf(`%q is no size of a batch: write 1 to %d, or "auto"`, text, MaxBatch)
	}
	return n, nil
}

// ParseBatches reads a list of sizes of batches: "1,32,auto".
func ParseBatches(text string) ([]int, error) {
	var all []int
	for part := range strings.SplitSeq(text, ",") {
		n, err := ParseBatch(strings.TrimSpace(part))
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	return all, nil
}

// BatchTrial is a size of batches that was tried.
type BatchTrial struct {
	Batch     int     `json:"batch"`
	PerSecond float64 `json:"per_second,omitempty"` // images of the model alone
	Reason    string  `json:"reason,omitempty"`     // why it, or what is larger, was not tried or does not work
}

const (
	trialSeconds = .2  // of each size at least, and three runs
	trialRuns    = 3   //
	longestRun   = 4.  // seconds of one run, after which nothing larger is tried
	worthwhile   = .97 // of the best rate: the smallest batch that reaches it is taken
	memoryShare  = .5  // of the memory that is free, for what a larger batch may want in addition
)

// FindBatch tries batches of 1, 2, 4, ... pictures, and returns the smallest whose rate, of the model
// alone, is within 3 % of the best, with all that was tried. It stops where two sizes in a row brought
// less than that, where one fails (the device's memory, mostly), where a larger one could take half of
// the machine's free memory, and where a single run takes seconds. Larger batches than needed are not
// harmless: they are more pictures to lose when a run is stopped, and memory in every stage.
//
// A model whose graph fixes the size has that one, and nothing is tried. The context's error ends it.
func (s *Session) FindBatch(ctx context.Context) (batch int, tried []BatchTrial, err error) {
	if s.fixed > 0 {
		return s.fixed, nil, nil
	}
	best, flat := 0.0, 0
	for n := 1; n <= MaxBatch; n *= 2 {
		if err := ctx.Err(); err != nil {
			return 0, tried, err
		}
		before := residentBytes()
		rate, longest, err := s.tryBatch(ctx, n)
		if err != nil {
			if n == 1 {
				return 0, tried, fmt.Errorf("running model %s on %s: %w", s.card.Name, s.device, err)
			}
			tried = append(tried, BatchTrial{Batch: n, Reason: err.Error()})
			// A device that ran out of memory need not be of use any more.
			if err := s.reopen(); err != nil {
				return 0, tried, err
			}
			break
		}
		tried = append(tried, BatchTrial{Batch: n, PerSecond: rate})
		last := &tried[len(tried)-1]
		grew := residentBytes() - before
		if rate*worthwhile <= best {
			flat++
		} else {
			flat = 0
		}
		best = max(best, rate)
		switch {
		case flat == 2:
			last.Reason = "larger ones bring no more"
		case longest > longestRun:
			last.Reason = fmt.Sprintf("a run takes %.1f s: larger ones were not tried", longest)
		case grew > 0 && float64(2*grew) > memoryShare*float64(freeBytes()) && freeBytes() > 0:
			last.Reason = fmt.Sprintf("it took %d MiB more than the one before: larger ones were not tried", grew>>20)
		case n == MaxBatch:
			last.Reason = "larger ones are not tried"
		default:
			continue
		}
		break
	}
	for _, t := range tried {
		if t.PerSecond >= worthwhile*best && t.PerSecond > 0 {
			return t.Batch, tried, nil
		}
	}
	panic("embedder: the best of the batches is none of them")
}

// tryBatch measures the model alone: images a second by the median run, and the longest, in seconds.
func (s *Session) tryBatch(ctx context.Context, n int) (rate, longest float64, err error) {
	in, out := newTensor(&s.card.Input, n), newOutput(s, n)
	took, err := s.timeRuns(ctx, in, n, out, trialRuns, trialSeconds)
	if err != nil {
		return 0, 0, err
	}
	for _, t := range took {
		longest = max(longest, t)
	}
	return float64(n) / median(took), longest, nil
}

// timeRuns runs a batch once to warm up, then at least so many times and so many seconds, and returns the
// seconds of each.
func (s *Session) timeRuns(ctx context.Context, in tensor, rows int, out output, runs int, seconds float64) ([]float64, error) {
	began := time.Now()
	if err := s.engine.run(in, rows, out); err != nil {
		return nil, err
	}
	if first := time.Since(began).Seconds(); first > longestRun {
		runs = 1 // what is that slow is measured well enough by one more
	}
	var took []float64
	began = time.Now()
	for len(took) < runs || time.Since(began).Seconds() < seconds {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		start := time.Now()
		if err := s.engine.run(in, rows, out); err != nil {
			return nil, err
		}
		took = append(took, time.Since(start).Seconds())
	}
	return took, nil
}

// reopen makes the session's engine anew, with the settings that it had.
func (s *Session) reopen() error {
	if err := s.engine.close(); err != nil {
		return err
	}
	e, err := openEngine(s.card, s.setup)
	if err != nil {
		return fmt.Errorf("opening model %s on %s again: %w", s.card.Name, s.device, err)
	}
	s.engine = e
	return nil
}

// WarmUp runs one batch of black pictures, so that what a device does at its first batch of a size
// (choosing and compiling kernels, setting memory aside) is not in any figure. It returns the seconds
// that it took. batch is as in [Options].
func (s *Session) WarmUp(batch int) (float64, error) {
	rows := s.batchOf(batch)
	began := time.Now()
	if err := s.engine.run(newTensor(&s.card.Input, rows), rows, newOutput(s, rows)); err != nil {
		return 0, fmt.Errorf("running model %s on %s, a batch of %d: %w", s.card.Name, s.device, rows, err)
	}
	return time.Since(began).Seconds(), nil
}

// residentBytes is what this process holds of the machine's memory, and freeBytes what the kernel says is
// available; 0 where there is no /proc.

func residentBytes() int64 { return procBytes("/proc/self/status", "VmRSS:") }

func freeBytes() int64 { return procBytes("/proc/meminfo", "MemAvailable:") }

func procBytes(path, key string) int64 {
	if runtime.GOOS != "linux" {
		return 0
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, key); ok {
			if fields := strings.Fields(rest); len(fields) > 0 {
				kb, err := strconv.ParseInt(fields[0], 10, 64)
				if err == nil {
					return kb << 10
				}
			}
		}
	}
	return 0
}
