package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"annbench/bench"
	"annbench/bench/pipeline"
	"annbench/indexes/engines"
)

type enginesCmd struct {
	Up     enginesUpCmd     `cmd:"" help:"Start an engine on this machine, and wait until it answers."`
	Down   enginesDownCmd   `cmd:"" help:"Stop engines and remove their data."`
	Status enginesStatusCmd `cmd:"" help:"List the running engines, with address, state and processes."`
}

// enginesDir is where engines are written down.
func enginesDir() (engines.Dir, error) {
	cache, err := pipeline.CacheDir()
	return engines.Dir(filepath.Join(cache, "engines")), err
}

// findServer is the [bench.FindServer] of the command.
func findServer(name, address string, nodes int) (bench.Server, error) {
	dir, err := enginesDir()
	if err != nil {
		return bench.Server{}, err
	}
	found, err := dir.Find(name, address, nodes)
	return bench.Server(found), err
}

type enginesUpCmd struct {
	Engine  string        `arg:"" help:"Which: weaviate." s3:"no: this is the name of an engine, such as weaviate"`
	Nodes   int           `help:"Nodes of the cluster, all on this machine." default:"1"`
	Data    string        `help:"Folder for the nodes' data and logs: a new or an empty one. Default: in the cache." placeholder:"DIR" s3:"no: an engine keeps its data on a disk of this machine"`
	Timeout time.Duration `help:"How long it may take to answer." default:"2m"`
}

// Help is printed below the flags.
func (enginesUpCmd) Help() string {
	return `The nodes listen on free ports of 127.0.0.1, start empty, and keep running after this command. Sweeps find
them without an address. "make engines" builds the program; or name one in ANNBENCH_WEAVIATE.

Examples:
  annbench engines up weaviate
  annbench engines up weaviate --nodes 3`
}

func (c *enginesUpCmd) Run(ctx context.Context, s *surface) error {
	dir, err := enginesDir()
	if err != nil {
		return err
	}
	began := time.Now()
	state, warning, err := dir.Start(ctx, engines.Config(*c))
	if err != nil {
		return err
	}
	s.say("%s: ready after %v at %s", state.What(), time.Since(began).Round(100*time.Millisecond), state.Address)
	if warning != "" {
		s.say("note: %s", warning)
	}
	fmt.Fprintln(s.out, state.Address)
	return nil
}

type enginesDownCmd struct {
	Engine string `arg:"" optional:"" help:"Which. Default: all." s3:"no: this is the name of an engine, such as weaviate"`
	Nodes  int    `help:"Only the engine with this many nodes. Default: all." placeholder:"N"`
}

func (c *enginesDownCmd) Run(s *surface) error {
	dir, err := enginesDir()
	if err != nil {
		return err
	}
	ended := 0
	err = dir.Stop(c.Engine, c.Nodes, func(state *engines.State) {
		s.say("%s: ended, its data is removed", state.What())
		ended++
	})
	if err == nil && ended == 0 {
		s.say("nothing to end")
	}
	return err
}

type enginesStatusCmd struct {
	JSON bool `help:"JSON instead of text."`
}

func (c *enginesStatusCmd) Run(s *surface) error {
	dir, err := enginesDir()
	if err != nil {
		return err
	}
	all, err := dir.Listing()
	if err != nil {
		return err
	}
	return s.show(c.JSON, all)
}
