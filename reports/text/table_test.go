package text

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/reports/internal/fixture"
	"annbench/reports/judge"
)

func TestMarkdownGolden(t *testing.T) {
	b := fixture.Cell("b|c", "ef=20 x_y=1", 0, .97, 1500)
	b.Cell.Build = "M=16"
	b.Values[metric.Mean], b.Values[metric.Build], b.Values[metric.Resident] = 1/1500.0, 0.25, 3<<20
	b.Warnings = []string{"one id was answered twice"}
	r := fixture.Load(t, judge.Load, fixture.Results(t, fixture.Cell("flat", "", 0, 1, 200), fixture.Cell("flat", "", 1, 1, 220), fixture.Cell("flat", "", 2, 1, 210), b, fixture.Failed("d", "p=1", 0, record.Failed, "boom\nat <line> 2")))
	var got bytes.Buffer
	if err := Table(&got, r, Options{Format: Markdown}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", "table.md")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("the table is not as in %s (UPDATE_GOLDEN=1 writes it):\n%s", path, got.Bytes())
	}
}

var ansi = regexp.MustCompile("\x1b\\[[0-9;]*m")

func TestTerminalTable(t *testing.T) {
	r := fixture.Load(t, judge.Load, fixture.Usual().Write(t))
	var plain, colored bytes.Buffer
	if err := Table(&plain, r, Options{}); err != nil {
		t.Fatal(err)
	}
	if err := Table(&colored, r, Options{Color: true}); err != nil {
		t.Fatal(err)
	}
	if ansi.MatchString(plain.String()) {
		t.Error("colours without being asked for")
	}
	trimmed := regexp.MustCompile(`(?m) +$`).ReplaceAllString(ansi.ReplaceAllString(colored.String(), ""), "")
	if trimmed != plain.String() {
		t.Error("colours change more than colours")
	}
	for line := range strings.Lines(plain.String()) {
		if n := len([]rune(strings.TrimRight(line, "\n"))); n > 121 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}
