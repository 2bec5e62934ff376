package engines

import (
	"fmt"
	"io"
	"strings"
)

// Listing are engines as people and programs read them: in JSON, a list of objects.
type Listing []Listed

// Listed is an engine in a [Listing].
type Listed struct {
	Engine    string `json:"engine"`
	Nodes     int    `json:"nodes"`
	Address   string `json:"address"`
	Status    string `json:"status"` // "ready", "starting", or what is wrong
	Processes []Node `json:"processes"`
}

// Listing lists the engines of d, and asks each whether it is ready.
func (d Dir) Listing() (Listing, error) {
	all, err := d.States()
	if err != nil {
		return nil, err
	}
	list := Listing{}
	for _, s := range all {
		list = append(list, Listed{s.Engine, len(s.Nodes), s.Address, s.Status(), s.Nodes})
	}
	return list, nil
}

// WriteText writes a line for each engine, and one for each of its processes.
func (l Listing) WriteText(w io.Writer) error {
	var b strings.Builder
	if len(l) == 0 {
		b.WriteString("none\n")
	}
	for _, e := range l {
		fmt.Fprintf(&b, "%s, %d nodes: %s, at %s\n", e.Engine, e.Nodes, e.Status, e.Address)
		for i, n := range e.Processes {
			fmt.Fprintf(&b, "  node %d: process %d, log %s\n", i, n.PID, n.Log)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
