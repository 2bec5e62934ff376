package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"annbench/indexes"
	"annbench/indexes/vec"
)

type familiesCmd struct {
	JSON bool `help:"JSON instead of text."`
}

// listed is a family as a program reads it.
type listed struct {
	Name    string       `json:"name"`
	Library string       `json:"library"`
	Engine  string       `json:"engine,omitempty"`
	Doc     string       `json:"doc"`
	Exact   bool         `json:"exact"`
	Metrics []vec.Metric `json:"metrics"`
	Build   []setting    `json:"build"`
	Search  []setting    `json:"search"`
	Missing string       `json:"missing,omitempty"`
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

func (c *familiesCmd) Run(s *surface) error {
	if c.JSON {
		all := []listed{}
		for _, f := range indexes.Families() {
			all = append(all, listed{f.Name, f.Library, f.Engine(), f.Doc, f.Exact, f.Metrics, settings(f.Build), settings(f.Search), f.Missing})
		}
		enc := json.NewEncoder(s.out)
		enc.SetIndent("", "  ")
		return enc.Encode(all)
	}
	for _, f := range indexes.Families() {
		fmt.Fprintf(s.out, "%s (%s)\n", f.Name, f.Library)
		if f.Missing != "" {
			fmt.Fprintf(s.out, "  not in this build: %s\n", f.Missing)
		}
		if f.Remote != nil {
			fmt.Fprintf(s.out, "  in a server (%s), whose address the sweep gives, or `annbench engines status`\n", f.Remote.Engine)
		}
		fmt.Fprintln(s.out, wrap(f.Doc, "  ", 96))
		for _, part := range []struct {
			name   string
			params []indexes.Param
		}{{"build", f.Build}, {"search", f.Search}} {
			for _, p := range part.params {
				fmt.Fprintf(s.out, "  %-6s %-15s %s; default %v", part.name, p.Name, p.Kind, p.Default)
				if r := p.Range(); r != "" {
					fmt.Fprintf(s.out, ", %s", r)
				}
				fmt.Fprintf(s.out, "\n%s\n", wrap(p.Doc, strings.Repeat(" ", 25), 96))
			}
		}
		fmt.Fprintln(s.out)
	}
	return nil
}

// wrap breaks text into lines of at most width letters, each with indent before it.
func wrap(text, indent string, width int) string {
	var lines []string
	line := indent
	for _, word := range strings.Fields(text) {
		if len(line) > len(indent) && len(line)+1+len(word) > width {
			lines, line = append(lines, line), indent
		}
		if len(line) > len(indent) {
			line += " "
		}
		line += word
	}
	return strings.Join(append(lines, line), "\n")
}
