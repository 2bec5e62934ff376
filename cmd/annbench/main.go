// Command annbench says which nearest-neighbour index to put behind a visual search or a
// recommender: it embeds images, builds every index family under one contract, and reports build
// time, latency, memory, recall and mAP.
//
//	annbench quickstart                    compare all families on drawn garments
//	annbench quickstart --images DIR       ... on the photographs in DIR/CATEGORY/*.jpg
//	annbench run sweep.yaml                measure what a sweep file asks for; stop and resume at will
//	annbench plan sweep.yaml               what that would measure
//	annbench merge DIR... --out DIR        join the results of shards
//	annbench slurm sweep.yaml              job scripts for a cluster: measure in parts, merge, report
//	annbench report results/NAME           tables, plots and a page from what was measured
//	annbench tune DIR --min-recall 0.95    the best index and settings within limits, without a sweep file
//	annbench choose results/NAME           the setting that keeps your limits: --max-p99 2ms
//	annbench compare A B                   two results side by side; for CI
//	annbench serve results/NAME            visual search in the browser, two indexes side by side
//	annbench online results/NAME/clicks    what people preferred: two indexes compared by clicks
//	annbench pack results/NAME --out FILE  one archive, to be served elsewhere: annbench unpack FILE DIR
//	annbench embed DIR --out FOLDER        images to vectors
//	annbench devices                       what this machine can embed on, and why not on the rest
//	annbench catalog show DIR              what is in a collection: counts, shapes, samples
//	annbench catalog render --out DIR      draw fashion boards with boxes and labels
//	annbench selfcheck                     check the harness itself on this machine
//	annbench classify --boards 1000        how well a model tells categories apart: its report card
//	annbench data fetch NAME               download a public data set, verified
//	annbench run --data FILE               measure on vectors of your own, or of ann-benchmarks
//	annbench data describe FILE            how hard they are to search
//	annbench export results/NAME --out DIR write results for ann-benchmarks
//	annbench schema                        the JSON Schema of sweep files, for editors
//	annbench engines up weaviate --nodes 3 a server that families are in, on this machine
//	annbench families                      the index families and their settings
//
// Exit codes: 0 all done; 1 something could not be measured or done; 2 misuse: a wrong flag, or a
// sweep file that is wrong; 3 a comparison that cannot tell; 130 and 143 when interrupted, with all that was measured on the disk.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"annbench/bench"
	"annbench/bench/cluster"
	"annbench/bench/dataset/vecfile"
	"annbench/bench/sweepfile"
	"annbench/embedder"
	"annbench/indexes/vec"
	"annbench/internal/console"
	"annbench/internal/units"
	"annbench/internal/usage"
	"annbench/internal/words"
	"annbench/reports"
)

// exit codes of the command.
const (
	exitFailed = 1
	exitMisuse = 2
	exitUnsure = 3
)

// cli is the command line.
type cli struct {
	Quiet   bool `short:"q" help:"Print results and errors, no progress."`
	Verbose bool `short:"v" help:"Log what is done, and what worker processes write."`

	Quickstart quickstartCmd `cmd:"" help:"Compare all index families on a folder of images, or on drawn garments."`
	Run        runCmd        `cmd:"" help:"Measure what a sweep file asks for, and report."`
	Plan       planCmd       `cmd:"" help:"Show what a sweep file would measure."`
	Merge      mergeCmd      `cmd:"" help:"Join the results of several runs, such as shards of one sweep."`
	Slurm      slurmCmd      `cmd:"" help:"Write the job scripts that run a sweep on a cluster with Slurm, and submit them."`
	Report     reportCmd     `cmd:"" help:"Tables, plots and a page from results folders."`
	Tune       tuneCmd       `cmd:"" help:"Find the best index and settings within your limits, without a sweep file."`
	Choose     chooseCmd     `cmd:"" help:"The fastest setting within your limits, from results folders."`
	Compare    compareCmd    `cmd:"" help:"Two results folders side by side: what is faster, slower, the same."`
	Embed      embedCmd      `cmd:"" help:"Turn labelled images into vectors."`
	Devices    devicesCmd    `cmd:"" help:"List the devices that can embed images on this machine, and why the others cannot."`
	Catalog    catalogCmd    `cmd:"" help:"Look at collections of labelled images, and draw boards."`
	Classify   classifyCmd   `cmd:"" help:"How well a model classifies labelled images: its report card."`
	Data       dataCmd       `cmd:"" help:"Vectors and data sets: fetch public ones, describe, convert."`
	Families   familiesCmd   `cmd:"" help:"List index families and their settings."`
	Engines    enginesCmd    `cmd:"" help:"Start and stop the database servers of families."`
	Export     exportCmd     `cmd:"" help:"Write results in the layout of ann-benchmarks (HDF5)."`
	Schema     schemaCmd     `cmd:"" help:"The JSON Schema of sweep files, for editors."`
	Serve      serveCmd      `cmd:"" help:"Visual search in the browser, over the indexes that were measured."`
	Online     onlineCmd     `cmd:"" help:"What people preferred: the clicks of annbench serve --interleave or --split."`
	Pack       packCmd       `cmd:"" help:"Add to results all that serving them needs, or write it as one archive."`
	Unpack     unpackCmd     `cmd:"" help:"Make a results folder from such an archive."`
	Selfcheck  selfcheckCmd  `cmd:"" help:"Check the harness itself on this machine."`
	Worker     workerCmd     `cmd:"" hidden:"" help:"Measure one build; started by run."`
}

// grammar is what the struct of a command does not say: the words that help texts name, and types of flags.
var grammar = []kong.Option{
	kong.Name("annbench"),
	kong.Description("Which nearest-neighbour index, with which settings, for your visual search or recommender."),
	kong.Vars{
		"formats":  strings.Join(reports.FormatNames(), ", "),
		"writable": strings.Join(vecfile.Writable(), " "),
	},
	flagOf(vec.ParseMetric),
	flagOf(func(text string) (bench.Shard, error) { return cluster.ParseShard(text, os.Getenv) }),
	// The parser's own way takes 016 for 14.
	kong.KindMapper(reflect.Int, mapper(units.ParseWhole, reflect.Value.SetInt)),
	kong.KindMapper(reflect.Int64, mapper(units.ParseWhole, reflect.Value.SetInt)),
	kong.KindMapper(reflect.Uint64, mapper(units.ParseSeed, reflect.Value.SetUint)),
	kong.KindMapper(reflect.Float64, mapper(units.ParseNumber, reflect.Value.SetFloat)),
}

// takenForFlag is how the parser says that -1 after --margin might be a flag.
var takenForFlag = regexp.MustCompile(`expected .* value but got ("-[^"]*") \(.*\); perhaps try (.*)\?$`)

// flagOf makes T a type of flags and arguments, which parse reads; its errors are misuse.
func flagOf[T any](parse func(string) (T, error)) kong.Option {
	return kong.TypeMapper(reflect.TypeFor[T](), mapper(parse, func(target reflect.Value, v T) { target.Set(reflect.ValueOf(v)) }))
}

// mapper reads the text of a flag by parse and gives it to set.
func mapper[T any](parse func(string) (T, error), set func(reflect.Value, T)) kong.Mapper {
	return kong.MapperFunc(func(ctx *kong.DecodeContext, target reflect.Value) error {
		var text string
		if err := ctx.Scan.PopValueInto("value", &text); err != nil {
			return err
		}
		v, err := parse(text)
		if err == nil {
			set(target, v)
		}
		return err
	})
}

// misuse is an error that the user corrects by asking differently: exit code 2.
func misuse(err error) error { return usage.Error{Err: err} }

// errFailedCells says that a run ended well but not every cell did; it has been printed already.
var errFailedCells = errors.New("some cells failed")

// errIncomplete says that results lack something of what was planned; it has been printed already.
var errIncomplete = errors.New("something is missing")

func main() {
	if err := bench.CheckAddressSpace(); err != nil {
		fmt.Fprintf(os.Stderr, "annbench: %v\n", err)
		os.Exit(exitFailed)
	}
	embedder.UseTurboJPEG()
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run is main with its surroundings as arguments; it returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	var c cli
	parser, err := kong.New(&c, append(grammar,
		kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { panic(exitCode(code)) }),
	)...)
	if err != nil {
		panic(err) // the struct above is wrong
	}
	parser.Model.HelpFlag.Help = "Show this help."
	code := 0
	func() {
		defer func() {
			if r := recover(); r != nil {
				c, ok := r.(exitCode)
				if !ok {
					panic(r)
				}
				code, parser = int(c), nil
			}
		}()
		switch {
		case len(args) == 0:
			args = []string{"--help"}
		case args[0] == "help": // as git and go have it: help COMMAND
			args = append(slices.Clone(args[1:]), "--help")
		}
		ctx, err := parser.Parse(args)
		if err != nil {
			text := takenForFlag.ReplaceAllString(err.Error(), "$1 looks like a flag: write $2")
			fmt.Fprintf(stderr, "annbench: %s\nRun \"annbench --help\" for what there is.\n", words.Visible(text))
			code = exitMisuse
			return
		}
		code = c.dispatch(ctx, stdout, stderr)
	}()
	return code
}

// exitCode carries kong's wish to exit (after --help) up to run.
type exitCode int

func (c *cli) dispatch(k *kong.Context, stdout, stderr io.Writer) int {
	level := slog.LevelInfo
	switch {
	case c.Verbose:
		level = slog.LevelDebug
	case c.Quiet:
		level = slog.LevelError
	}
	ctx, stop, signalled := console.Interruptible()
	defer stop()
	s := &surface{Console: console.Console{Quiet: c.Quiet}}
	s.storage = stagingOf(s, k.Args)
	results := &console.Output{To: stdout}
	s.out, s.err = s.storage.Writer(results), s.storage.Writer(stderr)
	s.storage.Err, s.Err = s.err, s.err
	stderr = s.err
	s.log = slog.New(slog.NewTextHandler(&s.Console, &slog.HandlerOptions{Level: level, ReplaceAttr: dropTime}))
	k.BindTo(ctx, (*context.Context)(nil))
	err := stage(ctx, s.storage, k.Selected())
	if err == nil {
		err = k.Run(s)
	}
	err = s.storage.Finish(ctx, err)
	if err == nil || told(err) {
		// Results that nobody got: whatever they say, and whatever exit code goes with that, comes second.
		err = cmp.Or(results.Err, err)
	}
	s.clear()
	if code := signalled(); code != 0 && !s.served {
		fmt.Fprintf(stderr, "annbench: %s\n", cmp.Or(s.stopped, "interrupted; what was measured is kept, and the same command resumes from there"))
		return code
	}
	var wrong *sweepfile.Error
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errCannotTell):
		return exitUnsure
	case told(err):
		return exitFailed
	case errors.As(err, &wrong), usage.Is(err):
		fmt.Fprintf(stderr, "annbench: %s\n", words.VisibleLines(err.Error()))
		return exitMisuse
	}
	fmt.Fprintf(stderr, "annbench: %s\n", words.VisibleLines(err.Error()))
	return exitFailed
}

// told reports whether err is about results that are there, and has been printed already.
func told(err error) bool {
	return errors.Is(err, errFailedCells) || errors.Is(err, errIncomplete) || errors.Is(err, errNothingFits) || errors.Is(err, errWorse) || errors.Is(err, errCannotTell)
}

func dropTime(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}
