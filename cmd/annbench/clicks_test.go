package main

import (
	"testing"

	"annbench/bench/kept"
	"annbench/online"
)

// What a pack leaves out is where serve writes clicks and annbench online looks for them.
func TestClicksHaveOneFolder(t *testing.T) {
	if kept.Clicks != online.Folder {
		t.Errorf("%s is left out of packs, and %s has the clicks", kept.Clicks, online.Folder)
	}
}
