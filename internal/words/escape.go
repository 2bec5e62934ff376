package words

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// Visible is s with what could steer a terminal written out as in a Go string: control characters, those that turn the
// direction of writing or take no place, and bytes that are no UTF-8. The names of files and categories can hold
// all of them.
func Visible(s string) string {
	if !strings.ContainsFunc(s, hidden) {
		return s
	}
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(s, "\uFFFD") {
		if !hidden(r) {
			b.WriteRune(r)
			continue
		}
		q := strconv.QuoteRuneToASCII(r)
		b.WriteString(q[1 : len(q)-1])
	}
	return b.String()
}

// VisibleLines is Visible of each line of s.
func VisibleLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = Visible(line)
	}
	return strings.Join(lines, "\n")
}

func hidden(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) || r == unicode.ReplacementChar
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// Shell writes s as one word of the shell.
func Shell(s string) string {
	if plainWord.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// Field is s for a field of CSV: a text that a spreadsheet would take for a formula (=, +, -, @ or a tab at its
// beginning, and no number) gets an apostrophe before it, as spreadsheets themselves mark a text.
func Field(s string) string {
	if s == "" || !strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return s
	}
	if _, err := strconv.ParseFloat(s, 64); err == nil {
		return s
	}
	return "'" + s
}

// Fields is Field of each, in place.
func Fields(row []string) []string {
	for i, s := range row {
		row[i] = Field(s)
	}
	return row
}
