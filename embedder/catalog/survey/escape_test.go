package survey

import (
	"strings"
	"testing"
)

// TestNamesAreHarmless: a category's name is no formula in CSV, and steers no terminal.
func TestNamesAreHarmless(t *testing.T) {
	s := &Survey{Name: "x", Items: 2, Categories: []Category{{Label: "=cmd|calc", Items: 1}, {Label: "a\x1b[31mb", Items: 1}}}
	table, err := s.csv()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(table), "\n'=cmd|calc,") {
		t.Errorf("%s", table)
	}
	var text strings.Builder
	if err := s.Print(&text); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(text.String(), "\x1b[31m") || !strings.Contains(text.String(), `a\x1b[31mb`) {
		t.Errorf("%q", text.String())
	}
}
