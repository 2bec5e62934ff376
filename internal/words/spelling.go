package words

import (
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Spellings are the names that people take for one, in groups of two or more, in the order of names: they differ in case,
// in spaces, hyphens or underscores (1-1 and 11 are two), in signs that cannot be seen, or in the way Unicode writes a letter.
func Spellings(names []string) [][]string {
	var groups [][]string
	at := make(map[string]int, len(names))
	for _, name := range names {
		key := spelling(name)
		if key == "" {
			continue
		}
		i, ok := at[key]
		if !ok {
			i = len(groups)
			at[key] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], name)
	}
	var alike [][]string
	for _, g := range groups {
		if len(g) > 1 {
			alike = append(alike, g)
		}
	}
	return alike
}

// spelling is what all spellings of a name have in common.
func spelling(name string) string {
	in := []rune(strings.ToLower(norm.NFKC.String(name)))
	out := make([]rune, 0, len(in))
	apart := false // by a space or the like from what was before
	for _, r := range in {
		switch {
		case unicode.Is(unicode.Cf, r):
		case unicode.IsSpace(r) || r == '-' || r == '_' || r == '\u2010' || r == '\u2011':
			apart = true
		default:
			if apart && len(out) > 0 && unicode.IsDigit(r) && unicode.IsDigit(out[len(out)-1]) {
				out = append(out, ' ')
			}
			out = append(out, r)
			apart = false
		}
	}
	return string(out)
}

// QuoteAll quotes names, those that look the same so that they can be told apart: "café" and "cafe\u0301".
func QuoteAll(names []string) string {
	looks := func(s string) string {
		return strings.Map(func(r rune) rune {
			switch {
			case unicode.Is(unicode.Cf, r):
				return -1
			case unicode.IsSpace(r):
				return ' '
			}
			return r
		}, norm.NFKC.String(s))
	}
	seen := make(map[string]int, len(names))
	for _, name := range names {
		seen[looks(name)]++
	}
	quoted := make([]string, len(names))
	for i, name := range names {
		if quoted[i] = strconv.Quote(name); seen[looks(name)] > 1 {
			quoted[i] = strconv.QuoteToASCII(name)
		}
	}
	if n := len(quoted) - 1; n > 0 {
		return strings.Join(quoted[:n], ", ") + " and " + quoted[n]
	}
	return strings.Join(quoted, "")
}
