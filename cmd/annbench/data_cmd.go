package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/olekukonko/tablewriter"

	"annbench/bench/fetch"
	"annbench/bench/pipeline"
)

type dataCmd struct {
	List     dataListCmd   `cmd:"" help:"List the public data sets that fetch knows, and which are there."`
	Fetch    dataFetchCmd  `cmd:"" help:"Download public data sets by name; goes on where it was stopped."`
	Verify   dataVerifyCmd `cmd:"" help:"Compare data sets that are there with their published hashes."`
	Describe describeCmd   `cmd:"" help:"How hard vectors are to search, and what is wrong with them."`
	Convert  convertCmd    `cmd:"" help:"Write vectors in another format."`
	Truth    truthCmd      `cmd:"" help:"Find the exact neighbours of a sweep beforehand, also in parts on several machines."`
}

// dataDir is the folder of a set: below the cache, or below dir where that is given.
func dataDir(dir, name string) (string, error) {
	if dir == "" {
		cache, err := pipeline.CacheDir()
		if err != nil {
			return "", err
		}
		dir = filepath.Join(cache, "data")
	}
	return filepath.Join(dir, name), nil
}

// sizeOf is a number of bytes as people read it.
func sizeOf(bytes int64) string {
	switch {
	case bytes >= 1e9:
		return fmt.Sprintf("%.1f GB", float64(bytes)/1e9)
	case bytes >= 1e6:
		return fmt.Sprintf("%.0f MB", float64(bytes)/1e6)
	}
	return fmt.Sprintf("%.0f kB", float64(bytes)/1e3)
}

type dataListCmd struct {
	Dir  string `help:"Folder of the data sets. Default: data/ in the cache." placeholder:"DIR" s3:"no: data sets of public servers are kept on this machine; run --data takes vectors from a bucket"`
	JSON bool   `help:"JSON instead of a table."`
}

// listedSet is a set as a program reads it.
type listedSet struct {
	Name       string       `json:"name"`
	About      string       `json:"about"`
	Terms      string       `json:"terms,omitempty"`
	Files      []listedFile `json:"files"`
	Verifiable bool         `json:"verifiable"`
	Path       string       `json:"path"`
	Present    bool         `json:"present"`
}

type listedFile struct {
	Name   string `json:"name"`
	URL    string `json:"url"`
	Size   int64  `json:"size,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
	Source string `json:"source,omitempty"` // who published the hash
}

func (c *dataListCmd) Run(s *surface) error {
	var all []listedSet
	for _, set := range fetch.Sets() {
		dir, err := dataDir(c.Dir, set.Name)
		if err != nil {
			return err
		}
		l := listedSet{Name: set.Name, About: set.About, Terms: set.Terms, Verifiable: set.Verifiable(), Path: dir, Present: fetch.Present(set, dir)}
		for _, f := range set.Files {
			file := listedFile{f.Name, f.URL, f.Size, f.SHA256, f.Source}
			if f.Tree != nil {
				file.SHA256, file.Source = f.Tree.SHA256, f.Tree.Source
			}
			l.Files = append(l.Files, file)
		}
		all = append(all, l)
	}
	if c.JSON {
		return s.json(all)
	}
	t := tablewriter.NewTable(s.out)
	t.Header("name", "what", "size", "terms", "hash", "there")
	for i, set := range fetch.Sets() {
		size, there := "?", ""
		if n, ok := set.Size(); ok {
			size = sizeOf(n)
		}
		hash := "unknown"
		if all[i].Verifiable {
			hash = "known"
		}
		if all[i].Present {
			there = "yes"
		}
		if err := t.Append(set.Name, set.About, size, set.Terms, hash, there); err != nil {
			return err
		}
	}
	if err := t.Render(); err != nil {
		return err
	}
	fmt.Fprintln(s.out, "Where no hash was published, what comes cannot be verified. --json says who published the others.")
	return nil
}

type dataFetchCmd struct {
	Names []string `arg:"" name:"name" help:"Data sets, as data list names them."`
	Dir   string   `help:"Folder of the data sets; each gets one of its own in there. Default: data/ in the cache." placeholder:"DIR" s3:"no: data sets of public servers are kept on this machine; run --data takes vectors from a bucket"`
	From  string   `help:"Take the files from this folder instead of the network." placeholder:"DIR" s3:"no: copy the files to this machine first; run --data takes vectors from a bucket"`
}

// Help is printed below the flags.
func (dataFetchCmd) Help() string {
	return `A download that was stopped is gone on with by the same command. What has a published hash gets its name
only when it has that hash; what has none is said to be unverified. Prints the folder of each set.

Examples:
  annbench data fetch sift-128-euclidean
  annbench data fetch clothing-dataset-small --from ~/downloads`
}

func (c *dataFetchCmd) Run(ctx context.Context, s *surface) error {
	var sets []fetch.Set
	for _, name := range c.Names { // all names before the first byte
		set, err := fetch.Lookup(name)
		if err != nil {
			return misuse(fmt.Errorf("%w; `annbench data list` says more", err))
		}
		sets = append(sets, set)
	}
	for _, set := range sets {
		dir, err := dataDir(c.Dir, set.Name)
		if err != nil {
			return err
		}
		var of string // the file that progress is about
		var began time.Time
		var from int64
		o := fetch.Options{
			From: c.From,
			Log:  func(format string, args ...any) { s.say(format, args...) },
			Progress: func(file string, done, total int64) {
				if file != of {
					of, began, from = file, time.Now(), done
				}
				const kilo = 1000
				if total <= 0 {
					total = done
				}
				left := time.Duration(0)
				if done > from {
					left = time.Duration(float64(time.Since(began)) / float64(done-from) * float64(total-done))
				}
				s.progress("fetching "+file+", kB", int(done/kilo), int(total/kilo), left)
			},
		}
		err = fetch.Fetch(ctx, set, dir, o)
		s.clear()
		if err != nil {
			return err
		}
		fmt.Fprintln(s.out, dir)
	}
	return nil
}

type dataVerifyCmd struct {
	Names []string `arg:"" optional:"" name:"name" help:"Data sets. Default: all that are there."`
	Dir   string   `help:"Folder of the data sets. Default: data/ in the cache." placeholder:"DIR" s3:"no: data sets of public servers are kept on this machine; run --data takes vectors from a bucket"`
}

// Help is printed below the flags.
func (dataVerifyCmd) Help() string {
	return `Reads every file. Exit code 1 where one is missing or is not what it should be.

Examples:
  annbench data verify
  annbench data verify fashion-mnist`
}

// errUnverified says that a data set is not what it should be; it has been told already.
var errUnverified = errors.New("data sets are not what they should be")

func (c *dataVerifyCmd) Run(ctx context.Context, s *surface) error {
	named := len(c.Names) > 0
	sets := fetch.Sets()
	if named {
		sets = nil
		for _, name := range c.Names {
			set, err := fetch.Lookup(name)
			if err != nil {
				return misuse(err)
			}
			sets = append(sets, set)
		}
	}
	bad, seen := 0, 0
	for _, set := range sets {
		dir, err := dataDir(c.Dir, set.Name)
		if err != nil {
			return err
		}
		states, err := fetch.Check(ctx, set, dir)
		if err != nil {
			return err
		}
		for i, state := range states {
			if !state.There && !named && state.Partial == 0 {
				continue
			}
			seen++
			word, ok := describeState(state)
			if !ok {
				bad++
			}
			fmt.Fprintf(s.out, "%s: %s: %s\n", set.Name, strings.TrimSuffix(set.Files[i].Name, ".tar.gz"), word)
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

// describeState says what is there of a file; ok is false where it should not be left so.
func describeState(state fetch.State) (word string, ok bool) {
	switch {
	case state.Wrong != "":
		return "WRONG: " + state.Wrong, false
	case state.Verified:
		return "as published", true
	case state.There:
		return "there, and cannot be verified: nobody has published a hash; its SHA-256 is " + state.SHA256, true
	case state.Partial > 0:
		return fmt.Sprintf("%s of a download that was stopped", sizeOf(state.Partial)), false
	}
	return "not there", false
}
