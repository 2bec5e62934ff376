package page

import (
	"strings"
	"testing"

	"annbench/reports/internal/fixture"
	"annbench/reports/judge"
	"annbench/reports/say"
)

// TestRelevance: the page says what a recall costs by every kind of relevance that the data allows, and nothing of it for
// results without attributes.
func TestRelevance(t *testing.T) {
	for _, shop := range []bool{false, true} {
		f := fixture.Usual()
		f.Shop = shop
		r, err := judge.Load(f.Write(t))
		if err != nil {
			t.Fatal(err)
		}
		b, err := Make(r, Options{})
		if err != nil {
			t.Fatal(err)
		}
		html := string(b)
		for _, part := range []string{`id="relevance"`, `href="#relevance"`, "the same item", "Which attributes the answers share", "Alike is graded by colour", ">hit<", `id="blame"`, "by item: index"} {
			if strings.Contains(html, part) != shop {
				t.Errorf("attributes %v: the page has %q: %v", shop, part, !shop)
			}
		}
		lines := say.WhatRecallCosts(r, r.Focus)
		if (len(lines) > 0) != shop {
			t.Errorf("attributes %v: %q", shop, lines)
		}
		for _, line := range lines {
			if !strings.Contains(html, line[:20]) {
				t.Errorf("the page lacks %q", line)
			}
		}
		if shop && !strings.Contains(lines[0], "of hit@10 (") {
			t.Errorf("no loss of hit in %q", lines[0])
		}
	}
}
