package reports

import (
	"fmt"
	"io"

	"annbench/reports/interchange"
	"annbench/reports/judge"
	"annbench/reports/say"
	"annbench/reports/text"
)

// Format is a way in which [Print] writes results.
type Format struct {
	Name, Says string
	// Notes says that what is printed has the notes on the results, [say.Notes].
	Notes bool
	print func(io.Writer, *judge.Report, text.Options) error
}

// Formats are the ways in which [Print] writes results, in the order in which help lists them.
var Formats = func() []Format {
	all := []Format{
		{"table", "columns for a terminal", true, func(w io.Writer, r *judge.Report, o text.Options) error {
			o.Format = text.Terminal
			return text.Table(w, r, o)
		}},
		{"markdown", "GitHub's tables", true, func(w io.Writer, r *judge.Report, o text.Options) error {
			o.Format = text.Markdown
			return text.Table(w, r, o)
		}},
		{"categories", "mAP by category for a terminal, those below the threshold marked", false, func(w io.Writer, r *judge.Report, o text.Options) error {
			o.Format = text.Terminal
			return text.Categories(w, r, o)
		}},
	}
	all = append(all, Format{"filters", "recall and time under filters, for a terminal", false, text.Filters})
	all = append(all, Format{"churn", "what came of runbooks of inserts and deletes, for a terminal", false, text.Churn})
	for _, f := range interchange.Formats {
		all = append(all, Format{f.Name, f.Says, f.Notes, func(w io.Writer, r *judge.Report, _ text.Options) error { return f.Print(w, r) }})
	}
	return all
}()

// FormatNames are the names of Formats.
func FormatNames() []string {
	var out []string
	for _, f := range Formats {
		out = append(out, f.Name)
	}
	return out
}

// Print writes r in the format called name.
func Print(w io.Writer, r *judge.Report, name string, o text.Options) error {
	for _, f := range Formats {
		if f.Name == name {
			return f.print(w, r, o)
		}
	}
	return fmt.Errorf("there is no format %q: there are %s", name, say.And(FormatNames()))
}
