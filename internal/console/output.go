package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Output is a writer that keeps the first error: tables are printed by many calls, and none asks for it. A closed
// pipe is no error, as `| head` has what it wants.
type Output struct {
	To  io.Writer
	Err error
}

func (w *Output) Write(b []byte) (int, error) {
	n, err := w.To.Write(b)
	if errors.Is(err, syscall.EPIPE) {
		return len(b), nil
	}
	if err != nil && w.Err == nil {
		w.Err = fmt.Errorf("printing the results: %w", err)
	}
	return n, err
}

// Unwrap is the writer below.
func (w *Output) Unwrap() io.Writer { return w.To }

// Interruptible gives a context that ends with SIGINT or SIGTERM, and a function that returns the exit code
// that such an end asks for, 0 if there was none. A second signal ends the program at once.
func Interruptible() (ctx context.Context, stop func(), signalled func() int) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	code := make(chan int, 1)
	go func() {
		s, ok := <-signals
		if !ok {
			return
		}
		code <- 128 + int(s.(syscall.Signal))
		signal.Stop(signals)
		cancel()
	}()
	stop = func() {
		signal.Stop(signals)
		cancel()
	}
	return ctx, stop, func() int {
		select {
		case c := <-code:
			return c
		default:
			return 0
		}
	}
}
