package indexes

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// reference is what the saved index of a family with an engine holds in place of an index: where that
// is to be found. It is the payload of [save], as JSON.
type reference struct {
	Engine  string   `json:"engine"`
	Address string   `json:"address"`
	Name    string   `json:"name"`
	Data    []string `json:"data,omitempty"`

	label saved
}

// refer is the reference to what f built of in.
func refer(f *Family, in BuildInput) reference {
	build := Params{}
	for _, p := range f.Build {
		build[p.Name] = in.Params[p.Name]
	}
	return reference{
		Engine: f.Engine, Address: in.Address, Name: in.Name, Data: in.Data,
		label: saved{Family: f.Name, Metric: in.Metric, Rows: in.Vectors.Rows, Dim: in.Vectors.Dim, Build: build},
	}
}

// saveReference writes a file that loadReference reads. What stood at path is replaced as a whole, or
// stays.
func saveReference(path string, r reference) error {
	return save(path, r.label, func(w io.Writer) error { return json.NewEncoder(w).Encode(r) })
}

// loadReference reads what saveReference wrote for an index of family f, and compares it with what in
// says, as [load] does. It returns the settings of both kinds, complete. Whether the engine still has
// the index, and all of it, is for the family to find out.
func loadReference(path string, f *Family, in BuildInput) (reference, Params, error) {
	label, params, payload, err := load(path, f, in)
	if err != nil {
		return reference{}, nil, err
	}
	r := reference{label: label}
	if err := json.Unmarshal(payload, &r); err != nil {
		return r, nil, loadError(path, f, fmt.Errorf("the reference to the engine: %w", err))
	}
	if r.Engine != f.Engine || r.Address == "" || r.Name == "" {
		return r, nil, loadError(path, f, errors.New("the reference to the engine is not whole: build the index again"))
	}
	return r, params, nil
}
