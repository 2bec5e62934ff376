package sweepfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// FuzzParse gives the reader damaged sweep files: each is a sweep or one error, which names the file and says no
// more than a place and a line.
func FuzzParse(f *testing.F) {
	seeds, err := filepath.Glob("../../configs/*.yaml")
	if err != nil || len(seeds) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, name := range seeds {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add("data: &d {rendered: {boards: 10}}\nfamilies: [{family: flat}]\nx:\n  <<: *d\n  seed: 016\n")
	f.Fuzz(func(t *testing.T, text string) {
		defer time.AfterFunc(5*time.Minute, func() { panic("a sweep file does not end") }).Stop()
		_, err := Parse("fuzz.yaml", []byte(text))
		if err == nil {
			return
		}
		if lines := strings.Count(err.Error(), "\n"); lines > 2 {
			t.Errorf("an error of %d lines:\n%s", lines+1, err)
		}
		if !strings.Contains(err.Error(), "fuzz.yaml") {
			t.Errorf("an error without the file: %s", err)
		}
	})
}
