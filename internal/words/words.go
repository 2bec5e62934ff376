// Package words has the few rules of English that messages need: the name that was probably meant,
// and plurals. Numbers with units are read by package units and written by package reports/say.
package words

import (
	"fmt"
	"strings"
)

// Nearest returns the candidate that was most likely meant by word, or "" if none is near: at most a
// third of its bytes, and at least one, would have to be changed, where two neighbours that are swapped are one
// change, and case is none. The first of several equally near ones is returned.
func Nearest(word string, candidates []string) string {
	best, least := "", max(1, len(word)/3)+1
	word = strings.ToLower(word)
	work := 0
	for _, c := range candidates {
		lower := strings.ToLower(c)
		if max(len(lower)-len(word), len(word)-len(lower)) >= least {
			continue // as many bytes differ at least
		}
		if work += len(word) * len(lower); work > mostWork {
			break
		}
		if d := distance(word, lower); d < least {
			best, least = c, d
		}
	}
	return best
}

// mostWork is how many pairs of bytes are compared in search of the nearest: some 20 ms. Words come from strangers, and
// candidates may be all that a column holds.
const mostWork = 20e6

// Alike are the candidates that share most of the parts of word with it: parts are between hyphens, of three bytes at
// least, and one may be the beginning of the other. "hnsw-python" is like "hnswlib-python", which shares both parts,
// and not like "hnsw-faiss", which shares one. The order is that of candidates.
func Alike(word string, candidates []string) (alike []string) {
	most := 0
	for _, c := range candidates {
		shared := 0
		own := strings.Split(strings.ToLower(c), "-")
		for part := range strings.SplitSeq(strings.ToLower(word), "-") {
			for _, o := range own {
				if min(len(part), len(o)) >= 3 && (strings.HasPrefix(o, part) || strings.HasPrefix(part, o)) {
					shared++
					break
				}
			}
		}
		if shared > most {
			most, alike = shared, nil
		}
		if shared == most && shared > 0 {
			alike = append(alike, c)
		}
	}
	return alike
}

// mostAlike is how many names a message offers, mostKnown how many it lists where none is near, and mostCompared among how
// many it looks for those that are alike.
const (
	mostAlike    = 6
	mostKnown    = 50
	mostCompared = 1000
	longest      = 200 // bytes of a word that anything is compared with: words come from strangers, and may have megabytes
)

// DidYouMean returns `; did you mean "NAME"?` with the nearest candidate, to end a message with, or with those that
// are [Alike]; else `; known are A, B, C`, at most fifty of them, or "" if there are no candidates at all. To a word of more
// than 200 bytes none is near.
func DidYouMean(word string, candidates []string) string {
	var alike []string
	if len(word) <= longest {
		if near := Nearest(word, candidates); near != "" {
			return fmt.Sprintf("; did you mean %q?", near)
		}
		if len(candidates) <= mostCompared {
			alike = Alike(word, candidates)
		}
	}
	if len(alike) > 0 && len(alike) <= mostAlike {
		list := fmt.Sprintf("%q", alike[0])
		for i, name := range alike[1:] {
			sep := ", "
			if i == len(alike)-2 {
				sep = " or "
			}
			list += sep + fmt.Sprintf("%q", name)
		}
		return fmt.Sprintf("; did you mean %s?", list)
	}
	if len(candidates) == 0 {
		return ""
	}
	if len(candidates) > mostKnown {
		return fmt.Sprintf("; known are %s and %d more", strings.Join(candidates[:mostKnown], ", "), len(candidates)-mostKnown)
	}
	return "; known are " + strings.Join(candidates, ", ")
}

// distance counts the bytes to insert, delete or replace, and the neighbours to swap, to get from a to b, no byte
// edited twice: the optimal string alignment (Damerau, Communications of the ACM 7, 1964), by rows of the table of
// Wagner and Fischer (1974).
func distance(a, b string) int {
	before, row, next := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next[j+1] = min(row[j]+cost, row[j+1]+1, next[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row, next = row, next, before
	}
	return row[len(b)]
}

// Plural returns the plural of an English noun by the regular rules: query, queries; box, boxes;
// index, indexes; search, searches; day, days. Only the last word of a phrase changes.
func Plural(one string) string {
	stem, consonant := strings.CutSuffix(one, "y")
	if consonant {
		consonant = stem != "" && !strings.ContainsAny(stem[len(stem)-1:], "aeiou")
	}
	switch {
	case consonant:
		return stem + "ies"
	case hasAnySuffix(one, "s", "x", "z", "ch", "sh"):
		return one + "es"
	}
	return one + "s"
}

func hasAnySuffix(s string, suffixes ...string) bool {
	for _, suffix := range suffixes {
		if strings.HasSuffix(s, suffix) {
			return true
		}
	}
	return false
}

// Size is a number of bytes as people read it, in units of 1000: "1.2 GB", "34 MB", "5 kB".
func Size(bytes int64) string {
	switch {
	case bytes >= 1e9:
		return fmt.Sprintf("%.1f GB", float64(bytes)/1e9)
	case bytes >= 1e6:
		return fmt.Sprintf("%.0f MB", float64(bytes)/1e6)
	}
	return fmt.Sprintf("%.0f kB", float64(bytes)/1e3)
}

// Commas puts commas between the thousands of a whole number: "-1,234".
func Commas(digits string) string {
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	var b strings.Builder
	for i, c := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	return sign + b.String()
}

// Count returns n and the noun in the form that goes with it: "1 query", "3 queries".
func Count(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, Plural(one))
}
