package reports

import (
	"os"
	"testing"
)

// TestLook writes a report of the fixture to the folder named by ANNBENCH_LOOK, for eyes.
func TestLook(t *testing.T) {
	dir := os.Getenv("ANNBENCH_LOOK")
	if dir == "" {
		t.Skip("ANNBENCH_LOOK is not set")
	}
	r, err := Load(usual().write(t))
	if err != nil {
		t.Fatal(err)
	}
	files, err := Write(dir, r)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(files)
}
