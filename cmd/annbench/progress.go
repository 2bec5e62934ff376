package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"annbench/bench/pipeline"
	"annbench/bench/store/staging"
)

// surface is where a command shows what it does: results on out, progress and log on err.
type surface struct {
	served   bool // ended by a signal, as serve is, and well
	out, err io.Writer
	quiet    bool
	log      *slog.Logger
	storage  *staging.Stage

	mu   sync.Mutex
	bar  *progressbar.ProgressBar
	last time.Time // of the last progress line off a terminal
}

// every is how often progress is logged off a terminal.
const every = 10 * time.Second

func isTerminal(w io.Writer) bool {
	if r, ok := w.(*staging.Renaming); ok {
		w = r.W
	}
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// progress shows that done of total units are done. On a terminal it is a bar with the time left;
// elsewhere a line every ten seconds. left is the time left, 0 where unknown. A total of 0 says that it has ended.
func (s *surface) progress(what string, done, total int, left time.Duration) {
	if total == 0 {
		s.clear()
	}
	if s.quiet || total == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !isTerminal(s.err) {
		now := time.Now()
		if s.last.IsZero() {
			s.last = now // what is over in less needs no line
		}
		if now.Sub(s.last) >= every {
			s.last = now
			line := fmt.Sprintf("%s: %d of %d", what, done, total)
			if left > 0 {
				line += fmt.Sprintf(", about %v left", left.Round(time.Second))
			}
			fmt.Fprintln(s.err, line)
		}
		return
	}
	if s.bar == nil || s.bar.GetMax() != total {
		s.bar = progressbar.NewOptions(total,
			progressbar.OptionSetWriter(s.err), progressbar.OptionSetWidth(30),
			progressbar.OptionShowCount(), progressbar.OptionClearOnFinish(),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetPredictTime(true),
			progressbar.OptionFullWidth())
	}
	s.bar.Describe(what)
	_ = s.bar.Set(done)
}

// counting is a progress function for what begins now.
func (s *surface) counting(what string) func(done, total int) {
	began := time.Now()
	return func(done, total int) { s.progress(what, done, total, secondsLeft(done, total, time.Since(began))) }
}

func secondsLeft(done, total int, elapsed time.Duration) time.Duration {
	if done == 0 {
		return 0
	}
	return time.Duration(float64(elapsed) / float64(done) * float64(total-done))
}

// json prints v as indented JSON.
func (s *surface) json(v any) error {
	enc := json.NewEncoder(s.out)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// pipeline is the way from images or vectors to results, with its progress shown here.
func (s *surface) pipeline(ctx context.Context) *pipeline.Pipeline {
	return &pipeline.Pipeline{
		Local: s.storage.Data, Find: findServer, Between: func() { s.storage.Keep(ctx) }, Log: s.log, Progress: s.progress,
		Say: func(line string) { s.say("%s", line) },
	}
}

// clear takes the progress bar off the terminal.
func (s *surface) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bar != nil {
		_ = s.bar.Clear()
		s.bar = nil
	}
}

// say prints a line that is part of the progress of a command: not with --quiet.
func (s *surface) say(format string, args ...any) {
	if s.quiet {
		return
	}
	s.clear()
	fmt.Fprintf(s.err, format+"\n", args...)
}

// sayPlain is say of a line that names a local path, also where it is the copy of what has an address.
func (s *surface) sayPlain(line string) {
	if s.quiet {
		return
	}
	s.clear()
	w := s.err
	if r, ok := w.(*staging.Renaming); ok {
		w = r.W
	}
	fmt.Fprintln(w, line)
}

// logWriter writes log lines beside the progress bar.
func (s *surface) logWriter() io.Writer { return barAware{s} }

type barAware struct{ s *surface }

func (b barAware) Write(line []byte) (int, error) {
	b.s.clear()
	return b.s.err.Write(line)
}
