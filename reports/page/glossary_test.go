package page

import (
	"html"
	"regexp"
	"strings"
	"testing"

	"annbench/reports/internal/fixture"
	"annbench/reports/judge"
)

// Every term of the page is explained on it: heads of columns, families, settings, abbreviations, and the words of
// the field that its sentences use.
func TestGlossaryHasThePagesTerms(t *testing.T) {
	b, err := Make(fixture.Load(t, judge.Load, fixture.Everything().Write(t)), Options{})
	if err != nil {
		t.Fatal(err)
	}
	p := string(b)
	from := strings.Index(p, `<h3>What each number is`)
	to := strings.Index(p[from:], "</section>") + from
	explained, rest := plainText(p[from:to]), p[:from]
	has := func(term string) bool {
		return regexp.MustCompile(`(?i)(^|[^\w-])` + regexp.QuoteMeta(term) + `($|[^\w-])`).MatchString(explained)
	}
	terms := map[string]string{}
	for _, m := range regexp.MustCompile(`<code>([^<]*)</code>`).FindAllStringSubmatch(rest, -1) {
		for _, s := range regexp.MustCompile(`(\w+)=`).FindAllStringSubmatch(html.UnescapeString(m[1]), -1) {
			terms[s[1]] = "a setting"
		}
	}
	for _, m := range regexp.MustCompile(`<tr class="f\d+"><th scope="row"><span class="chip"[^>]*></span>([^<]*)</th>`).FindAllStringSubmatch(rest, -1) {
		terms[html.UnescapeString(m[1])] = "a family"
	}
	for _, m := range regexp.MustCompile(`<option value="\d+"[^>]*>([^<]*)</option>`).FindAllStringSubmatch(rest, -1) {
		if title := html.UnescapeString(m[1]); !strings.Contains(title, "one query") {
			terms[title] = "an axis"
		}
	}
	text := plainText(rest[strings.Index(rest, "<main>"):strings.Index(rest, `<section id="gallery">`)] + rest[strings.Index(rest, `<section id="data">`):])
	for _, m := range regexp.MustCompile(`(?:[a-z]-)?[A-Za-z]*[A-Z]{2,}[A-Za-z]*`).FindAllString(text, -1) {
		terms[m] = "an abbreviation"
	}
	for _, m := range strings.Fields("recall logit LID hub forest graph bounds base query median interval tied embedding resident skewness contrast repetitions trade-off ring setting exact-search category quantisation") {
		terms[strings.ReplaceAll(m, "-search", " search")] = "a word of the field"
	}
	// Names of machines, files and systems, and "the same in capitals", are no terms.
	for _, no := range []string{"AMD", "EPYC", "GNU", "TSV", "JPEG", "MiB", "KiB", "GiB", "TiB", "IP", "EOF"} {
		delete(terms, no)
	}
	for _, must := range []string{"nprobe", "search_k", "efSearch", "hnsw-faiss", "LID", "QPS", "CPU"} {
		if terms[must] == "" {
			t.Errorf("%s is not found on the page: the test reads it wrongly", must)
		}
	}
	for term, kind := range terms {
		if !has(term) && !has(strings.TrimSuffix(term, "s")) {
			t.Errorf("%s, %s, is not explained", term, kind)
		}
	}
}

// plainText is what a reader sees of HTML.
func plainText(s string) string {
	s = regexp.MustCompile(`(?s)<(script|style)[^>]*>.*?</(script|style)>`).ReplaceAllString(s, " ")
	return html.UnescapeString(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(s, " "))
}
