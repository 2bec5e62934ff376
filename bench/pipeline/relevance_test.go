package pipeline

import (
	"strings"
	"testing"

	"annbench/bench/dataset"
	"annbench/bench/dataset/attributes"
	"annbench/bench/dataset/collection"
)

// TestOtherCategories: an attribute of the name category that differs from the categories is noted, with an example.
func TestOtherCategories(t *testing.T) {
	for _, c := range []struct{ values, want string }{
		{"dress,hat,hat", ""},
		{"dress,shoe,", `of 1 of 3 items, such as "b": attribute "shoe", category "hat"`},
	} {
		table, err := (&attributes.Table{Rows: 3}).With(dataset.CategoryColumn, strings.Split(c.values, ","))
		if err != nil {
			t.Fatal(err)
		}
		got := otherCategories(&collection.Collection{
			Items:      []collection.Item{{ID: "a", Label: "dress"}, {ID: "b", Label: "hat"}, {ID: "c", Label: map[bool]string{true: "hat"}[c.want == ""]}},
			Attributes: table,
		})
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.values, got, c.want)
		}
	}
	if got := otherCategories(&collection.Collection{Items: []collection.Item{{ID: "a", Label: "dress"}}}); got != "" {
		t.Errorf("without attributes: %s", got)
	}
}
