package external

import "annbench/internal/usage"

// State is an external family, and what is installed of it.
type State struct {
	Name      string `json:"name"`
	Library   string `json:"library"`
	Approach  string `json:"approach"`
	Caller    string `json:"caller,omitempty"`
	Installed bool   `json:"installed"`
	Bytes     int64  `json:"bytes,omitempty"`
	Missing   string `json:"missing,omitempty"`
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
			row := State{Name: one.Name, Library: one.Folder, Installed: one.Whole, Bytes: one.Bytes}
			if !one.Whole {
				row.Missing = "installing it was stopped"
			}
			rows = append(rows, row)
		}
	}
	return rows, nil
}
