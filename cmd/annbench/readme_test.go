package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// TestDocumentedCommandsExist parses every command line of annbench in the documents: flags and
// subcommands that are gone, or mistyped, fail here. Files that they name must be there where the
// repository ships them.
func TestDocumentedCommandsExist(t *testing.T) {
	lines := regexp.MustCompile(`(?m)^(?:bin/)?annbench (.+)$|` + "`(?:bin/)?annbench ([^`]+)`")
	n := 0
	for _, doc := range []string{
		"README.md", "CONTRIBUTING.md", "configs/README.md", "docs/howto/images.md", "docs/reference/formats.md", "docs/howto/train-a-model.md", "docs/results/model.md", "docs/howto/cluster.md",
	} {
		text, err := os.ReadFile(filepath.Join("../..", doc))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range lines.FindAllStringSubmatch(string(text), -1) {
			line := m[1] + m[2]
			n++
			var c cli
			parser, err := kong.New(&c, helpVars)
			if err != nil {
				t.Fatal(err)
			}
			args := strings.Fields(line)
			for _, arg := range args {
				if strings.HasPrefix(arg, "configs/") {
					if _, err := os.Stat(filepath.Join("../..", arg)); err != nil {
						t.Errorf("%s: annbench %s: %v", doc, line, err)
					}
				}
			}
			// In running text a subcommand is named without what it needs.
			named := m[2] != "" && len(args) <= 2 && !strings.Contains(line, "-")
			if _, err := parser.Parse(args); err != nil && (!named || strings.Contains(err.Error(), "unexpected")) {
				t.Errorf("%s: annbench %s: %v", doc, line, err)
			}
		}
	}
	if n < 8 {
		t.Errorf("%d commands were found: the documents are written otherwise than this test reads them", n)
	}
}
