package indexes

import (
	"fmt"
	"io"
	"strings"

	"annbench/indexes/vec"
	"annbench/internal/words"
)

// Listing are families as people and programs read them: in JSON, a list of objects.
type Listing []Listed

// Listed is a family in a [Listing].
type Listed struct {
	Name     string          `json:"name"`
	Library  string          `json:"library"`
	Licence  string          `json:"licence,omitempty"`
	Approach string          `json:"approach,omitempty"`
	Engine   string          `json:"engine,omitempty"`   // the server that it is in
	External bool            `json:"external,omitempty"` // a program of its own
	Caller   string          `json:"caller,omitempty"`   // the language that calls the library, where that adds to a search
	Doc      string          `json:"doc"`
	Exact    bool            `json:"exact"`
	Metrics  []vec.Metric    `json:"metrics"`
	Build    []ListedSetting `json:"build"`
	Search   []ListedSetting `json:"search"`
	Missing  string          `json:"missing,omitempty"` // why it cannot be used here
}

// ListedSetting is a setting in a [Listing].
type ListedSetting struct {
	Name    string   `json:"name"`
	Kind    string   `json:"kind"`
	Default any      `json:"default"`
	Min     float64  `json:"min"`
	Max     float64  `json:"max"`
	Words   []string `json:"words,omitempty"`
	Doc     string   `json:"doc"`

	limits string
}

// List lists families.
func List(families []*Family) Listing {
	all := Listing{}
	for _, f := range families {
		all = append(all, Listed{
			f.Name, f.Library, f.Licence, f.Approach, f.Engine(), f.Folder != "", f.Caller,
			f.Doc, f.Exact, f.Metrics, listSettings(f.Build), listSettings(f.Search), f.Missing,
		})
	}
	return all
}

func listSettings(params []Param) []ListedSetting {
	out := []ListedSetting{}
	for _, p := range params {
		out = append(out, ListedSetting{p.Name, p.Kind.String(), p.Default, p.Min, p.Max, p.Words, p.Doc, p.Range()})
	}
	return out
}

// WriteText writes the families with their settings, for people, up to 96 characters wide.
func (l Listing) WriteText(w io.Writer) error {
	b := &strings.Builder{}
	for _, f := range l {
		f.writeText(b)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (f *Listed) writeText(w io.Writer) {
	about := f.Library
	for _, more := range []string{f.Approach, f.Licence} {
		if more != "" {
			about += ", " + more
		}
	}
	fmt.Fprintf(w, "%s (%s)\n", f.Name, about)
	switch {
	case f.Missing != "" && f.External:
		fmt.Fprintf(w, "  %s\n", f.Missing)
	case f.Missing != "":
		fmt.Fprintf(w, "  not in this build: %s\n", f.Missing)
	}
	if f.Engine != "" {
		fmt.Fprintf(w, "  in a server (%s): give its address in the sweep file, or start one with `annbench engines up`\n", f.Engine)
	}
	if f.External {
		how := "a program of its own"
		if f.Caller != "" {
			how += ", which calls the library from " + f.Caller
		}
		fmt.Fprintf(w, "  %s\n", how)
	}
	fmt.Fprintln(w, words.Wrap(f.Doc, "  ", 96))
	for _, part := range []struct {
		name     string
		settings []ListedSetting
	}{{"build", f.Build}, {"search", f.Search}} {
		for _, p := range part.settings {
			line := fmt.Sprintf("%s; default %v", p.Kind, p.Default)
			switch {
			case p.limits != "" && p.Kind == Word.String():
				line += "; one of " + p.limits
			case p.limits != "":
				line += ", " + p.limits
			}
			first := fmt.Sprintf("  %-6s %-15s ", part.name, p.Name)
			fmt.Fprintf(w, "%s%s\n", first, strings.TrimLeft(words.Wrap(line, strings.Repeat(" ", 25), 96), " "))
			fmt.Fprintf(w, "%s\n", words.Wrap(p.Doc, strings.Repeat(" ", 25), 96))
		}
	}
	fmt.Fprintln(w)
}
