package indexes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"annbench/indexes/vec"
)

// Remote is what a family needs whose indexes are in a server: an engine, such as Weaviate or a
// PostgreSQL with pgvector. What the family's Open leaves in the engine outlives the Index: Save writes
// a reference to it, Load connects and checks that it is there and whole, Drop removes it.
type Remote struct {
	Engine string // the server's name: "weaviate", "pgvector"
	// Drop removes from the engine at address what an Open with that name left there, whole or not; that
	// nothing is there is no error.
	Drop func(ctx context.Context, address, name string) error
}

// Engine names the server that the family's indexes are in; it is empty for families in this process.
func (f *Family) Engine() string {
	if f.Remote == nil {
		return ""
	}
	return f.Remote.Engine
}

// RemoteIndex is an Index in an engine: what Open and Load of a family with a [Remote] return.
type RemoteIndex interface {
	Index
	Tuner
	Saver
	// Server says which engine it is, for people: its name, version, nodes.
	Server() string
	// Wire is one round trip of the form of a search for k, on an empty collection or table: what it
	// takes is the cost of the way there and back.
	Wire(k int) error
	// Settle asks the engine to collect its garbage, if it can, so that its memory can be read.
	Settle(ctx context.Context) error
	// Footprint says what the index takes up in the engine.
	Footprint(ctx context.Context) (Footprint, error)
	// Warnings are doubts about the index's own numbers; each goes into the records.
	Warnings() []string
	// Check looks after the searches whether the engine has lost a part of the index, or a node: engines
	// have been seen to answer from what was left, without a word. It is an error if the index is not
	// whole any more, and a doubt if it is, but its figures are those of a cluster that has lost something.
	Check(ctx context.Context) (doubt string, err error)
}

// Footprint is what an index in an engine takes up. What is not known is 0, never an estimate.
type Footprint struct {
	Disk int64  // bytes on the disks of all nodes, replicas and indexes included
	From string // where the figure is from, for people: "pg_total_relation_size", "data folders of 3 nodes"
}

// numbering is what an index in an engine knows of its IDs once it changes. IDs are given out in order, and never again.
type numbering struct {
	given  int64
	living *vec.Set // nil before the first change, when all that were given out live
}

// begin makes the set, before the first change.
func (n *numbering) begin() {
	if n.living != nil {
		return
	}
	n.living = vec.NewSet(int(n.given))
	for id := range int32(n.given) {
		n.living.Add(id)
	}
}

// count is how many live.
func (n *numbering) count() int {
	if n.living == nil {
		return int(n.given)
	}
	return n.living.Len()
}

// add notes that so many were added.
func (n *numbering) add(more int) {
	n.begin()
	n.living.Grow(int(n.given) + more)
	for range more {
		n.living.Add(int32(n.given))
		n.given++
	}
}

// removable reports which of the IDs cannot be removed from an index of f.
func (n *numbering) removable(f *Family, ids []int32) error {
	n.begin()
	gone := vec.NewSet(int(n.given))
	for _, id := range ids {
		if !n.living.Has(id) {
			return errNotThere(f, id)
		}
		if gone.Has(id) {
			return errTwice(f, id)
		}
		gone.Add(id)
	}
	return nil
}

// remove notes that these were removed.
func (n *numbering) remove(ids []int32) {
	for _, id := range ids {
		n.living.Remove(id)
	}
}

// savable reports why a reference to an index of f would not do.
func (n *numbering) savable(f *Family) error {
	if n.living == nil {
		return nil
	}
	return fmt.Errorf("saving %s: vectors were added or removed: a reference to what is in the engine does not say which are left", f.Name)
}

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
		Engine: f.Remote.Engine, Address: in.Address, Name: in.Name, Data: in.Data,
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
	if r.Engine != f.Remote.Engine || r.Address == "" || r.Name == "" {
		return r, nil, loadError(path, f, errors.New("the reference to the engine is not whole: build the index again"))
	}
	return r, params, nil
}
