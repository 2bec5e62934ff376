package pipeline

import "testing"

// A category of which nothing could be read is named.
func TestLostCategories(t *testing.T) {
	if got := lost([]string{"bags", "dress", "hat"}, []string{"dress"}); got != `2 categories missing, as none of the pictures could be read: "bags" and "hat"` {
		t.Error(got)
	}
	if got := lost([]string{"dress"}, []string{"dress"}); got != "" {
		t.Error(got)
	}
}
