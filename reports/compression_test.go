package reports

import (
	"bytes"
	"strings"
	"testing"

	"annbench/reports/internal/fixture"
	"annbench/reports/judge"
	"annbench/reports/say"
	"annbench/reports/text"
)

// Table and page have the same sentence on the best within so many bytes a vector.
func TestBestWithinBytes(t *testing.T) {
	r := fixture.Load(t, judge.Load, fixture.Usual().Write(t))
	said := say.CompressionOf(r.Compression(r.Focus)).Within
	if said == "" {
		t.Fatal("nothing is said of builds from 146 to 2,867 bytes")
	}
	var table bytes.Buffer
	if err := text.Table(&table, r, text.Options{Format: text.Markdown}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(table.String(), text.MarkdownText(said)) {
		t.Errorf("the table lacks %q", said)
	}
	if !strings.Contains(pageOf(t, r), said) {
		t.Errorf("the page lacks %q", said)
	}
}
