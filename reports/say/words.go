// Package say turns the values and codes of package judge into English: numbers with units, terms,
// notes, verdicts, comparisons.
//
// It decides nothing and knows no layout: packages draw, text, page, modelcard and interchange put its
// strings where they belong, and escape them there.
package say

import (
	"slices"
	"strings"
	"unicode"

	"annbench/bench/record"
)

// Plural is "1 query" or "1,200 queries".
func Plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return Count(n) + " " + many
}

// Clean makes a string from data fit for one line of a terminal: control characters and those that
// turn the direction of writing, which could steer it, become spaces.
func Clean(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(c rune) bool {
		return c == ' ' || unicode.IsControl(c) || unicode.Is(unicode.Bidi_Control, c)
	}), " ")
}

// CleanLines is Clean of each line of s.
func CleanLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = Clean(line)
	}
	return strings.Join(lines, "\n")
}

// off are the settings that are at their default and do nothing, in every family that has them.
var off = []string{"opq=false", "pca=0", "train=0"}

// Settings names the settings of a cell for people, on one line. Left out are those that are off: opq=false, pca=0 and
// train=0 of any family, and in the family faiss whatever is 0, which is a setting that the description has no use for,
// or Faiss's own default.
func Settings(c record.Cell) string { return settingsOf(c.Family, c.Settings()) }

// Named is the family of a cell with its [Settings].
func Named(c record.Cell) string { return strings.TrimSpace(Clean(c.Family) + " " + Settings(c)) }

// settingsOf is [Settings] of the build settings alone, or of all.
func settingsOf(family, settings string) string {
	kept := slices.DeleteFunc(strings.Split(Clean(settings), " "), func(s string) bool {
		return slices.Contains(off, s) || family == "faiss" && strings.HasSuffix(s, "=0")
	})
	return strings.Join(kept, " ")
}

// OrDash is s, or the dash that stands for what is missing.
func OrDash(s string) string {
	if s == "" {
		return Missing
	}
	return s
}

// Sentence makes s begin with a capital and end with a full stop.
func Sentence(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:] + "."
}

// Wrap breaks s between words into lines of at most width runes where its words allow it.
func Wrap(s string, width int) []string {
	var lines []string
	var line []rune
	for word := range strings.FieldsSeq(s) {
		w := []rune(word)
		if len(line) > 0 && len(line)+1+len(w) > width {
			lines = append(lines, string(line))
			line = line[:0]
		}
		if len(line) > 0 {
			line = append(line, ' ')
		}
		line = append(line, w...)
	}
	if len(line) > 0 {
		lines = append(lines, string(line))
	}
	return lines
}

// And joins words for a sentence.
func And(words []string) string {
	switch len(words) {
	case 0:
		return ""
	case 1:
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
