package words

import (
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestNearest(t *testing.T) {
	settings := []string{"nlist", "nprobe", "m", "nbits"}
	for word, want := range map[string]string{
		"nprob": "nprobe", "NPROBE": "nprobe", "nporbe": "nprobe", "nlits": "nlist", "nlis": "nlist",
		"trees": "", "M": "m", "": "m", "x": "m",
	} {
		if got := Nearest(word, settings); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
}

func TestDidYouMean(t *testing.T) {
	for _, c := range []struct {
		word       string
		candidates []string
		want       string
	}{
		{"nprob", []string{"nlist", "nprobe"}, `; did you mean "nprobe"?`},
		{"trees", []string{"nlist", "nprobe"}, "; known are nlist, nprobe"},
		{"ivfpq", []string{"ivfflat-faiss", "ivfpq-faiss", "ivfpqfs-faiss"}, `; did you mean "ivfpq-faiss" or "ivfpqfs-faiss"?`},
		{"hnsw-python", []string{"hnsw-faiss", "hnswlib-python", "faiss-python"}, `; did you mean "hnswlib-python"?`},
		{"annoy-faiss", []string{"annoy", "forest"}, `; did you mean "annoy"?`},
		{"hsnw", []string{"flat", "hnsw-faiss", "hnsw", "ngt"}, `; did you mean "hnsw"?`},
		{"trees", nil, ""},
		{strings.Repeat("-", 10e6) + "nprobe", []string{"nlist", "nprobe"}, "; known are nlist, nprobe"}, // and this in no time
	} {
		if got := DidYouMean(c.word, c.candidates); got != c.want {
			t.Errorf("DidYouMean(%q, %q) = %q, want %q", c.word, c.candidates, got, c.want)
		}
	}
}

// Among many long words little is compared, and few are listed.
func TestDidYouMeanAmongMany(t *testing.T) {
	var many []string
	for i := range 50_000 {
		many = append(many, strings.Repeat(strconv.Itoa(i%10), 200)+strconv.Itoa(i))
	}
	got := DidYouMean(strings.Repeat("x", 200), many)
	if !strings.HasPrefix(got, "; known are 000") || !strings.HasSuffix(got, " and 49950 more") {
		t.Errorf("%.100s of %d bytes", got, len(got))
	}
	if got := DidYouMean("price", append(many, "prize")); got != `; did you mean "prize"?` {
		t.Errorf("%.100s", got)
	}
}

// The distance is symmetric, 0 of equal words only, no more than the longer word, and grows by at most one with a byte.
// The triangle does not hold of it: a swap whose bytes another edit parts counts as two.
func TestDistance(t *testing.T) {
	word := rapid.StringMatching(`[ab]{0,6}`)
	rapid.Check(t, func(t *rapid.T) {
		a, b := word.Draw(t, "a"), word.Draw(t, "b")
		ab := distance(a, b)
		if (ab == 0) != (a == b) || ab != distance(b, a) || ab > max(len(a), len(b)) {
			t.Fatalf("distance(%q, %q) = %d", a, b, ab)
		}
		if longer := distance(a, b+"a"); longer > ab+1 || longer < ab-1 {
			t.Fatalf("distance(%q, %q) = %d, with one byte more %d", a, b, ab, longer)
		}
	})
	for _, c := range []struct {
		a, b string
		want int
	}{{"kitten", "sitting", 3}, {"hsnw", "hnsw", 1}, {"ab", "ba", 1}, {"ca", "abc", 3}, {"abcd", "badc", 2}} {
		if d := distance(c.a, c.b); d != c.want {
			t.Errorf("%s to %s: %d, want %d", c.a, c.b, d, c.want)
		}
	}
}

func TestCount(t *testing.T) {
	for _, c := range []struct {
		n    int
		one  string
		want string
	}{
		{1, "query", "1 query"},
		{0, "query", "0 queries"},
		{2, "box", "2 boxes"},
		{3, "index", "3 indexes"},
		{4, "search", "4 searches"},
		{5, "day", "5 days"},
		{6, "class", "6 classes"},
		{7, "saved index", "7 saved indexes"},
	} {
		if got := Count(c.n, c.one); got != c.want {
			t.Errorf("Count(%d, %q) = %q, want %q", c.n, c.one, got, c.want)
		}
	}
}

func TestCommas(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 25140: "25,140", 1234567: "1,234,567", -1000: "-1,000", -100: "-100"} {
		if got := Commas(strconv.Itoa(n)); got != want {
			t.Errorf("%d is written %s, want %s", n, got, want)
		}
	}
}
