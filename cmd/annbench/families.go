package main

import (
	"fmt"
	"strings"

	"annbench/indexes"
	"annbench/indexes/external"
	"annbench/indexes/vec"
	"annbench/internal/words"
)

type familiesCmd struct {
	Show    familiesShowCmd    `cmd:"" default:"withargs" help:"List index families and their settings, external ones too."`
	Install familiesInstallCmd `cmd:"" help:"Install what external families need: for each an environment of its own."`
	Remove  familiesRemoveCmd  `cmd:"" help:"Remove what install installed."`
	List    familiesListCmd    `cmd:"" help:"List the external families, and what is installed of them."`
	Check   familiesCheckCmd   `cmd:"" help:"Try external families on a few vectors, or say what they lack."`
	SDK     familiesSDKCmd     `cmd:"" name:"sdk" help:"Write the SDKs for families in Python and C++ into a folder."`
}

type familiesShowCmd struct {
	Names []string `arg:"" optional:"" help:"Families, or folders with a family.yaml. Default: all." s3:"no: the programs of a family run on this machine; copy its folder here first"`
	JSON  bool     `help:"JSON instead of text."`
}

// listed is a family as a program reads it.
type listed struct {
	Name     string       `json:"name"`
	Library  string       `json:"library"`
	Licence  string       `json:"licence,omitempty"`
	Approach string       `json:"approach,omitempty"`
	Engine   string       `json:"engine,omitempty"`
	External bool         `json:"external,omitempty"` // a program of its own
	Caller   string       `json:"caller,omitempty"`   // the language that calls the library, where that adds to a search
	Doc      string       `json:"doc"`
	Exact    bool         `json:"exact"`
	Metrics  []vec.Metric `json:"metrics"`
	Build    []setting    `json:"build"`
	Search   []setting    `json:"search"`
	Missing  string       `json:"missing,omitempty"`
}

type setting struct {
	Name    string   `json:"name"`
	Kind    string   `json:"kind"`
	Default any      `json:"default"`
	Min     float64  `json:"min"`
	Max     float64  `json:"max"`
	Words   []string `json:"words,omitempty"`
	Doc     string   `json:"doc"`
}

func settings(params []indexes.Param) []setting {
	out := []setting{}
	for _, p := range params {
		out = append(out, setting{p.Name, p.Kind.String(), p.Default, p.Min, p.Max, p.Words, p.Doc})
	}
	return out
}

func (c *familiesShowCmd) Run(s *surface) error {
	families, err := c.families()
	if err != nil {
		return misuse(err)
	}
	if c.JSON {
		all := []listed{}
		for _, f := range families {
			all = append(all, listed{
				f.Name, f.Library, f.Licence, f.Approach, f.Engine(), f.Folder != "", f.Caller,
				f.Doc, f.Exact, f.Metrics, settings(f.Build), settings(f.Search), f.Missing,
			})
		}
		return s.json(all)
	}
	for _, f := range families {
		about := f.Library
		for _, more := range []string{f.Approach, f.Licence} {
			if more != "" {
				about += ", " + more
			}
		}
		fmt.Fprintf(s.out, "%s (%s)\n", f.Name, about)
		switch {
		case f.Missing != "" && f.Folder != "":
			fmt.Fprintf(s.out, "  %s\n", f.Missing)
		case f.Missing != "":
			fmt.Fprintf(s.out, "  not in this build: %s\n", f.Missing)
		}
		if engine := f.Engine(); engine != "" {
			fmt.Fprintf(s.out, "  in a server (%s), whose address the sweep gives, or `annbench engines status`\n", engine)
		}
		if f.Folder != "" {
			how := "a program of its own"
			if f.Caller != "" {
				how += ", which calls the library from " + f.Caller
			}
			fmt.Fprintf(s.out, "  %s\n", how)
		}
		fmt.Fprintln(s.out, words.Wrap(f.Doc, "  ", 96))
		for _, part := range []struct {
			name   string
			params []indexes.Param
		}{{"build", f.Build}, {"search", f.Search}} {
			for _, p := range part.params {
				fmt.Fprintf(s.out, "  %-6s %-15s %s; default %v", part.name, p.Name, p.Kind, p.Default)
				if r := p.Range(); r != "" {
					fmt.Fprintf(s.out, ", %s", r)
				}
				fmt.Fprintf(s.out, "\n%s\n", words.Wrap(p.Doc, strings.Repeat(" ", 25), 96))
			}
		}
		fmt.Fprintln(s.out)
	}
	return nil
}

// families are those that are named, or all: annbench's own, then external ones.
func (c *familiesShowCmd) families() ([]*indexes.Family, error) {
	var all []*indexes.Family
	for _, name := range c.Names {
		f, err := external.Lookup(name, ".")
		if err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	if len(c.Names) > 0 {
		return all, nil
	}
	others, err := external.All()
	all = indexes.Families()
	for _, f := range others {
		all = append(all, f.Resolved())
	}
	return all, err
}
