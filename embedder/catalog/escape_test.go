package catalog

import (
	"strings"
	"testing"
)

// TestProblemsCannotSteerATerminal: names of files come from anywhere.
func TestProblemsCannotSteerATerminal(t *testing.T) {
	p := Problem{Kind: CorruptImage, Where: "a\x1b[31m/b\x1b]0;title\a.jpg", Reason: "no\x1b[2J", Items: 1}
	for _, text := range append(DescribeProblems([]Problem{p}), p.String()) {
		if strings.ContainsAny(text, "\x1b\a") {
			t.Errorf("%q", text)
		}
	}
	if !strings.Contains(p.String(), `a\x1b[31m/b\x1b]0;title\a.jpg`) {
		t.Errorf("%s does not name the file", p)
	}
}
