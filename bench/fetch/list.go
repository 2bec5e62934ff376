package fetch

import (
	"fmt"
	"io"

	"github.com/olekukonko/tablewriter"

	"annbench/internal/words"
)

// Listing are all sets as people and programs read them: in JSON, a list of objects.
type Listing []ListedSet

// ListedSet is a set in a [Listing].
type ListedSet struct {
	Name       string       `json:"name"`
	About      string       `json:"about"`
	Terms      string       `json:"terms,omitempty"`
	Files      []ListedFile `json:"files"`
	Verifiable bool         `json:"verifiable"`
	Path       string       `json:"path"`
	Present    bool         `json:"present"`

	size string
}

// ListedFile is a file of a [ListedSet].
type ListedFile struct {
	Name   string `json:"name"`
	URL    string `json:"url"`
	Size   int64  `json:"size,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
	Source string `json:"source,omitempty"` // who published the hash
}

// List lists all sets; dir gives the folder of each.
func List(dir func(name string) string) Listing {
	var all Listing
	for _, set := range Sets() {
		l := ListedSet{Name: set.Name, About: set.About, Terms: set.Terms, Verifiable: set.Verifiable(), Path: dir(set.Name), size: "?"}
		l.Present = Present(set, l.Path)
		if n, ok := set.Size(); ok {
			l.size = words.Size(n)
		}
		for _, f := range set.Files {
			file := ListedFile{f.Name, f.URL, f.Size, f.SHA256, f.Source}
			if f.Tree != nil {
				file.SHA256, file.Source = f.Tree.SHA256, f.Tree.Source
			}
			l.Files = append(l.Files, file)
		}
		all = append(all, l)
	}
	return all
}

// WriteText writes the sets as a table.
func (l Listing) WriteText(w io.Writer) error {
	t := tablewriter.NewTable(w)
	t.Header("name", "what", "size", "terms", "hash", "there")
	for _, set := range l {
		hash, there := "unknown", ""
		if set.Verifiable {
			hash = "known"
		}
		if set.Present {
			there = "yes"
		}
		if err := t.Append(set.Name, set.About, set.size, set.Terms, hash, there); err != nil {
			return err
		}
	}
	if err := t.Render(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, "Sets without a published hash cannot be verified. --json says who published the others.")
	return err
}

// Bad reports whether the file is damaged or is not there.
func (s State) Bad() bool { return s.Wrong != "" || !s.There }

// String says what is there, for people.
func (s State) String() string {
	switch {
	case s.Wrong != "":
		return "WRONG: " + s.Wrong
	case s.Verified:
		return "as published"
	case s.There:
		return "there, and cannot be verified: nobody has published a hash; its SHA-256 is " + s.SHA256
	case s.Partial > 0:
		return words.Size(s.Partial) + " of a download that was stopped"
	}
	return "not there"
}

// LookupAll returns the sets called names, or all of them where there are no names.
func LookupAll(names []string) (found []Set, err error) {
	if len(names) == 0 {
		return Sets(), nil
	}
	for _, name := range names {
		set, err := Lookup(name)
		if err != nil {
			return nil, err
		}
		found = append(found, set)
	}
	return found, nil
}
