package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"annbench/bench/pipeline"
	"annbench/bench/store/staging"
	"annbench/internal/console"
	"annbench/reports/text"
)

// surface is where a command shows what it does: results on out, progress and log on err.
type surface struct {
	console.Console
	served   bool   // a signal is how it ends, as serve does, and what it returns says whether it ended well
	stopped  string // what a signal did to it meanwhile; empty: it measured
	out, err io.Writer
	log      *slog.Logger
	storage  *staging.Stage
}

// say prints a line that is part of the progress of a command: not with --quiet.
func (s *surface) say(format string, args ...any) { s.Say(fmt.Sprintf(format, args...)) }

// progress shows that done of total units are done; see [console.Console.Progress].
func (s *surface) progress(what string, done, total int, left time.Duration) {
	s.Progress(what, done, total, left)
}

// clear takes the progress bar off the terminal.
func (s *surface) clear() { s.Clear() }

// json prints v as indented JSON.
func (s *surface) json(v any) error {
	enc := json.NewEncoder(s.out)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// show prints v as JSON, or else as text.
func (s *surface) show(asJSON bool, v interface{ WriteText(io.Writer) error }) error {
	if asJSON {
		return s.json(v)
	}
	return v.WriteText(s.out)
}

// lines prints one line each.
func (s *surface) lines(all ...string) error {
	for _, line := range all {
		if _, err := fmt.Fprintln(s.out, line); err != nil {
			return err
		}
	}
	return nil
}

// tableOptions are colours where a terminal shows them.
func (s *surface) tableOptions() text.Options {
	return text.Options{Color: console.IsTerminal(s.out) && os.Getenv("NO_COLOR") == ""}
}

// pipeline is the way from images or vectors to results, with its progress shown here.
func (s *surface) pipeline(ctx context.Context) *pipeline.Pipeline {
	return &pipeline.Pipeline{
		Local: s.storage.Data, Find: findServer, Between: func() { s.storage.Keep(ctx) }, Log: s.log,
		Progress: s.Progress, Say: s.Say,
	}
}
