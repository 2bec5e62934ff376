package dataset

import (
	"fmt"
	"strings"
	"testing"
)

// TestAttributes keeps the attributes of a collection with its sets, under their digest.
func TestAttributes(t *testing.T) {
	items, m := random(50, 4, 1)
	c := write(t, t.TempDir(), items, m)
	cache := t.TempDir()
	plain := split(t, c, SplitConfig{Queries: 10, Seed: 3}, cache)
	if plain.BaseAttributes() == nil || len(plain.BaseAttributes().Columns) != 1 || plain.BaseAttributes().Columns[0].Name != "category" {
		t.Errorf("attributes of a set without any: %v", plain.BaseAttributes().Names())
	}
	things := make([]string, 50)
	for i := range things {
		things[i] = fmt.Sprint("thing ", i/2)
	}
	var err error
	if c.Attributes, err = c.Attributes.With("thing", things); err != nil {
		t.Fatal(err)
	}
	by := Relevance{Item: "thing", Gains: []Gain{{"thing", 2}}}
	s := split(t, c, SplitConfig{Queries: 10, Seed: 3, Relevance: by}, cache)
	if err := s.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	for q, row := range s.QueryRows {
		column, _ := s.QueryAttributes().Column("thing")
		if got := column.Text(q); got != things[row] {
			t.Errorf("query %d is %q, want %q", q, got, things[row])
		}
		category, _ := s.QueryAttributes().Column("category")
		if got := category.Text(q); got != c.Items[row].Label {
			t.Errorf("query %d is of category %q, want %q", q, got, c.Items[row].Label)
		}
	}
	column, _ := s.BaseAttributes().Column("thing")
	for i, row := range s.BaseRows {
		if got := column.Text(i); got != things[row] {
			t.Errorf("base vector %d is %q, want %q", i, got, things[row])
		}
	}
	other := split(t, c, SplitConfig{Queries: 10, Seed: 3}, cache)
	if s.Digest == plain.Digest || s.Digest == other.Digest || other.Digest == plain.Digest {
		t.Error("sets of other attributes, or of another relevance, have one digest")
	}
	if s.Relevance.Item != "thing" || len(s.Relevance.Gains) != 1 {
		t.Errorf("relevance %v", s.Relevance)
	}
	for want, r := range map[string]Relevance{
		`did you mean "thing"`: {Item: "thin"},
		"above 0":              {Gains: []Gain{{"thing", 0}}},
		"twice":                {Gains: []Gain{{"thing", 1}, {"thing", 2}}},
	} {
		if _, err := Split(t.Context(), c, SplitConfig{Relevance: r}, cache); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v", r, err)
		}
	}
}
