package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"annbench/bench/fetch"
	"annbench/bench/pipeline"
)

type dataCmd struct {
	List     dataListCmd   `cmd:"" help:"List the public data sets that fetch knows, and which are downloaded."`
	Fetch    dataFetchCmd  `cmd:"" help:"Download public data sets by name; resumes where it was stopped."`
	Verify   dataVerifyCmd `cmd:"" help:"Compare downloaded data sets with their published hashes."`
	Describe describeCmd   `cmd:"" help:"How hard vectors are to search, and what is wrong with them."`
	Convert  convertCmd    `cmd:"" help:"Write vectors in another format."`
	Truth    truthCmd      `cmd:"" help:"Find the exact neighbours of a sweep in advance, if you like in parts on several machines."`
}

// dataDir is the flag of the folder of public data sets.
type dataDir struct {
	Dir string `help:"Folder of the data sets; each has a folder of its own in it. Default: data/ in the cache." placeholder:"DIR" s3:"no: data sets of public servers are kept on this machine; run --data takes vectors from a bucket"`
}

// of is the folder of a set.
func (d *dataDir) of(name string) string { return filepath.Join(d.Dir, name) }

// AfterApply sets the default.
func (d *dataDir) AfterApply() error {
	if d.Dir != "" {
		return nil
	}
	cache, err := pipeline.CacheDir()
	d.Dir = filepath.Join(cache, "data")
	return err
}

type dataListCmd struct {
	dataDir
	JSON bool `help:"JSON instead of a table."`
}

func (c *dataListCmd) Run(s *surface) error { return s.show(c.JSON, fetch.List(c.of)) }

type dataFetchCmd struct {
	Names []string `arg:"" name:"name" help:"Data sets, as data list names them."`
	dataDir
	From string `help:"Take the files from this folder instead of the network." placeholder:"DIR" s3:"no: copy the files to this machine first; run --data takes vectors from a bucket"`
}

// Help is printed below the flags.
func (dataFetchCmd) Help() string {
	return `The same command resumes a download that was stopped. A file with a published hash gets its name only when
it has that hash; a file without one is reported as unverified. Prints the folder of each set.

Examples:
  annbench data fetch sift-128-euclidean
  annbench data fetch clothing-dataset-small --from ~/downloads`
}

func (c *dataFetchCmd) Run(ctx context.Context, s *surface) error {
	sets, err := fetch.LookupAll(c.Names) // all names before the first byte
	if err != nil {
		return misuse(fmt.Errorf("%w; `annbench data list` lists them", err))
	}
	for _, set := range sets {
		o := fetch.Options{
			From: c.From, Log: s.say,
			Progress: func(file string, done, total int64, left time.Duration) {
				const kilo = 1000
				s.progress("fetching "+file+", kB", int(done/kilo), int(total/kilo), left)
			},
		}
		err = fetch.Fetch(ctx, set, c.of(set.Name), o)
		s.clear()
		if err != nil {
			return err
		}
		fmt.Fprintln(s.out, c.of(set.Name))
	}
	return nil
}

type dataVerifyCmd struct {
	Names []string `arg:"" optional:"" name:"name" help:"Data sets. Default: all that are downloaded."`
	dataDir
}

// Help is printed below the flags.
func (dataVerifyCmd) Help() string {
	return `Reads every file. Exit code 1 where one is missing or is not what it should be.

Examples:
  annbench data verify
  annbench data verify fashion-mnist`
}

func (c *dataVerifyCmd) Run(ctx context.Context, s *surface) error {
	sets, err := fetch.LookupAll(c.Names)
	if err != nil {
		return misuse(err)
	}
	bad, seen := 0, 0
	for _, set := range sets {
		states, err := fetch.Check(ctx, set, c.of(set.Name))
		if err != nil {
			return err
		}
		for i, state := range states {
			if !state.There && len(c.Names) == 0 && state.Partial == 0 {
				continue
			}
			seen++
			if state.Bad() {
				bad++
			}
			fmt.Fprintf(s.out, "%s: %s: %v\n", set.Name, strings.TrimSuffix(set.Files[i].Name, ".tar.gz"), state)
		}
	}
	if seen == 0 {
		fmt.Fprintln(s.out, "no data sets are there; `annbench data list` names those that can be fetched")
	}
	if bad > 0 {
		return fmt.Errorf("%w: %d of %d files", errUnverified, bad, seen)
	}
	return nil
}

// errUnverified says that a data set is not what it should be.
var errUnverified = errors.New("data sets are not what they should be")
