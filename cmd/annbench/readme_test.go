package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// TestDocumentedCommandsExist parses every command line of annbench in the pages, also of those blocks that no test runs: flags and
// subcommands that are gone, or mistyped, fail here. Files that they name must be there where the
// repository ships them.
func TestDocumentedCommandsExist(t *testing.T) {
	lines := regexp.MustCompile(`(?m)^(?:bin/)?annbench (.+)$`)
	inline := regexp.MustCompile("`(?:bin/)?annbench ([^`]+)`")
	n := 0
	for doc, text := range pages(t) {
		blocks, _ := blocksOf(doc, text)
		found := inline.FindAllStringSubmatch(text, -1)
		inText := len(found)
		for _, b := range blocks {
			found = append(found, lines.FindAllStringSubmatch(b.text, -1)...)
		}
		for i, m := range found {
			line, _, _ := strings.Cut(strings.Join(strings.Fields(m[1]), " "), " #")
			line, _, _ = strings.Cut(line, " > ")
			n++
			var c cli
			parser, err := kong.New(&c, grammar...)
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
			named := i < inText && len(args) <= 2 && !strings.Contains(line, "-")
			if _, err := parser.Parse(args); err != nil && (!named || strings.Contains(err.Error(), "unexpected")) {
				t.Errorf("%s: annbench %s: %v", doc, line, err)
			}
		}
	}
	if n < 60 {
		t.Errorf("%d commands were found: the documents are written otherwise than this test reads them", n)
	}
}
