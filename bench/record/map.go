package record

import "fmt"

// Map is vectors drawn as points of a plane, for people to look at: similar ones lie together as far
// as two dimensions allow. Where there are many vectors the points are of a sample.
type Map struct {
	Digest string `json:"digest"` // of the collection that it is of
	Rows   int    `json:"rows"`   // vectors in the collection
	Metric string `json:"metric"` // what "near" means
	Seed   uint64 `json:"seed"`   // of the sample, and of what the methods draw

	ID      []string     `json:"id"`     // of each point
	Label   []int        `json:"label"`  // of each point: a place in Labels, -1 for none
	Labels  []string     `json:"labels"` // categories, sorted
	Methods []Projection `json:"methods"`
}

// Projection is one way of drawing the points.
type Projection struct {
	Name string    `json:"name"` // "PCA", "t-SNE"
	Note string    `json:"note"` // what a reader should know of it, in a few words
	X    []float64 `json:"x"`    // of each point
	Y    []float64 `json:"y"`
	// Kept is the share of every point's 10 nearest neighbours, among all points, that are among its
	// 10 nearest in the plane: how far the picture can be trusted.
	Kept float64 `json:"kept"`
}

// check says which list has another length than the others.
func (m *Map) check() error {
	n := len(m.ID)
	if len(m.Label) != n {
		return fmt.Errorf("%d labels of %d points", len(m.Label), n)
	}
	for i, label := range m.Label {
		if label < -1 || label >= len(m.Labels) {
			return fmt.Errorf("point %d has label %d of %d", i, label, len(m.Labels))
		}
	}
	for _, p := range m.Methods {
		if len(p.X) != n || len(p.Y) != n {
			return fmt.Errorf("%s has %d by %d coordinates of %d points", p.Name, len(p.X), len(p.Y), n)
		}
	}
	return nil
}
