package external

import (
	"io"

	"github.com/olekukonko/tablewriter"

	"annbench/internal/usage"
	"annbench/internal/words"
)

// State is an external family, and what is installed of it.
type State struct {
	Name      string `json:"name"`
	Library   string `json:"library"`
	Approach  string `json:"approach"`
	Caller    string `json:"caller,omitempty"`
	Installed bool   `json:"installed"`
	Bytes     int64  `json:"bytes,omitempty"`
	Missing   string `json:"missing,omitempty"`
	// Folder is that of a family that is named by its path.
	Folder string `json:"folder,omitempty"`
}

// States lists the external families that have names, in their order, then what is installed of others. A
// family.yaml that is wrong is a [usage.Error].
func States() ([]State, error) {
	installed, err := List()
	if err != nil {
		return nil, err
	}
	all, err := All()
	if err != nil {
		return nil, usage.Error{Err: err}
	}
	rows := []State{}
	known := map[string]bool{}
	for _, f := range all {
		family := f.Resolved()
		row := State{Name: f.Name, Library: f.Library, Approach: f.Approach, Caller: f.Caller, Installed: family.Missing == "", Missing: family.Missing}
		for _, one := range installed {
			if one.Name == f.Name {
				row.Bytes += one.Bytes
			}
		}
		known[f.Name] = true
		rows = append(rows, row)
	}
	for _, one := range installed { // of folders that are named by their paths, or are gone
		if !known[one.Name] {
			row := State{Name: one.Name, Folder: one.Folder, Installed: one.Whole, Bytes: one.Bytes}
			if f, err := Read(one.Folder); err == nil {
				row.Library, row.Approach, row.Caller = f.Library, f.Approach, f.Caller
			}
			if !one.Whole {
				row.Missing = "installing it was stopped"
			}
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// WriteStates writes states as a table.
func WriteStates(w io.Writer, states []State) error {
	table := tablewriter.NewWriter(w)
	table.Header("family", "library", "approach", "called from", "size", "state")
	for _, r := range states {
		size, state := "", "installed"
		if r.Bytes > 0 {
			size = words.Size(r.Bytes)
		}
		if !r.Installed {
			state = r.Missing
		}
		if r.Folder != "" {
			state += " for " + r.Folder
		}
		if err := table.Append(r.Name, r.Library, r.Approach, r.Caller, size, state); err != nil {
			return err
		}
	}
	return table.Render()
}
