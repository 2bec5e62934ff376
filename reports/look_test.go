package reports

import (
	"os"
	"testing"

	"annbench/reports/internal/fixture"
	"annbench/reports/judge"
)

// TestLook writes a report of the folder named by ANNBENCH_RESULTS, or of the fixture, to the folder named by ANNBENCH_LOOK, for eyes.
func TestLook(t *testing.T) {
	dir := os.Getenv("ANNBENCH_LOOK")
	if dir == "" {
		t.Skip("ANNBENCH_LOOK is not set")
	}
	results := os.Getenv("ANNBENCH_RESULTS")
	if results == "" {
		results = fixture.Everything().Write(t)
	}
	r, err := judge.Load(results)
	if err != nil {
		t.Fatal(err)
	}
	files, err := Write(dir, r)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(files)
}
