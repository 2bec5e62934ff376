// Package console is where a command shows what it does, beside its results: progress, as a bar on a terminal
// and as a line now and then elsewhere, lines of text, and the log. It formats no results.
package console

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"annbench/internal/eta"
)

// Console shows progress on Err. It may be used by several goroutines.
type Console struct {
	Err   io.Writer
	Quiet bool // no progress and no lines; the log has a level of its own

	mu      sync.Mutex
	bar     *progressbar.ProgressBar
	seconds bool      // what bar counts
	last    time.Time // of the last progress line off a terminal
}

// every is how often progress is logged off a terminal.
const every = 10 * time.Second

// IsTerminal reports whether w, or the writer that it wraps (by a method Unwrap), is a terminal.
func IsTerminal(w io.Writer) bool {
	f, ok := inner(w).(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func inner(w io.Writer) io.Writer {
	if r, ok := w.(interface{ Unwrap() io.Writer }); ok {
		return r.Unwrap()
	}
	return w
}

// Progress shows that done of total units are done. On a terminal it is a bar with the time left; elsewhere a
// line every ten seconds. left is the time left, 0 where unknown. A total of 0 says that it has ended.
func (c *Console) Progress(what string, done, total int, left time.Duration) {
	c.show(what, done, total, left, false)
}

// Passing shows time that passes, of what ends at a time: on a terminal as a bar, elsewhere as a line every ten seconds.
func (c *Console) Passing(what string, elapsed, left time.Duration) {
	c.show(what, int(elapsed.Seconds()), max(1, int((elapsed+left).Seconds())), left, true)
}

func (c *Console) show(what string, done, total int, left time.Duration, seconds bool) {
	if total == 0 {
		c.Clear()
	}
	if c.Quiet || total == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !IsTerminal(c.Err) {
		now := time.Now()
		if c.last.IsZero() {
			c.last = now // what is over in less needs no line
		}
		if now.Sub(c.last) >= every {
			c.last = now
			line := what
			if !seconds {
				line += fmt.Sprintf(": %d of %d", done, total)
			}
			if left > 0 {
				line += fmt.Sprintf(", about %v left", left.Round(time.Second))
			}
			fmt.Fprintln(c.Err, line)
		}
		return
	}
	if c.bar == nil || c.bar.GetMax() != total || c.seconds != seconds {
		options := []progressbar.Option{
			progressbar.OptionSetWriter(c.Err), progressbar.OptionSetWidth(30), progressbar.OptionClearOnFinish(),
			progressbar.OptionThrottle(100 * time.Millisecond), progressbar.OptionSetPredictTime(false),
			progressbar.OptionFullWidth(),
		}
		if !seconds { // a bar of time says what is left of it
			options = append(options, progressbar.OptionShowCount())
		}
		c.bar, c.seconds = progressbar.NewOptions(total, options...), seconds
	}
	if left > 0 { // the bar's own prediction begins with the first unit
		what += fmt.Sprintf(", about %v left", left.Round(time.Second))
	}
	c.bar.Describe(what)
	_ = c.bar.Set(done)
}

// Counting is a progress function for what begins now. The time left is that of [eta.Left].
func (c *Console) Counting(what string) func(done, total int) {
	began := time.Now()
	return func(done, total int) {
		c.Progress(what, done, total, eta.Left(done, total, time.Since(began)))
	}
}

// Clear takes the progress bar off the terminal.
func (c *Console) Clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bar != nil {
		_ = c.bar.Clear()
		c.bar = nil
	}
}

// Say prints a line that is part of the progress; nothing where the console is quiet.
func (c *Console) Say(line string) {
	if !c.Quiet {
		c.Clear()
		fmt.Fprintln(c.Err, line)
	}
}

// SayPlain is Say past a writer that changes what is printed.
func (c *Console) SayPlain(line string) {
	if !c.Quiet {
		c.Clear()
		fmt.Fprintln(inner(c.Err), line)
	}
}

// Write takes lines of the log; they go beside the progress bar.
func (c *Console) Write(line []byte) (int, error) {
	c.Clear()
	return c.Err.Write(line)
}
