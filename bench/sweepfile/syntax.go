package sweepfile

import (
	"fmt"
	"slices"
	"strings"
)

// The YAML library says of most wrong indentation that a value or a mapping is "not allowed in this context", at times
// in the line before.

// plainly is what a syntax error of the YAML library at a line, from 1 on, means, and the line that it is of.
func plainly(reason string, lines []string, line int) (string, int) {
	switch {
	case strings.Contains(reason, "'\t'"):
		return "a tab: YAML is indented by spaces only", line
	case strings.HasPrefix(reason, "',' or "):
		return fmt.Sprintf("a comma or %s is missing before this", strings.Trim(strings.Fields(reason)[2], "'")), line
	}
	for _, misread := range []string{"not allowed in this context", "non-map value", "unexpected key", "unexpected map key", "unexpected scalar", "unexpected end content", "found an invalid key"} {
		if !strings.Contains(reason, misread) {
			continue
		}
		at := line - 1
		for range 2 { // the line, and the next that says something
			for at < len(lines) && blank(lines[at]) {
				at++
			}
			if at >= len(lines) {
				break
			}
			if text := misplaced(lines, at); text != "" {
				return text, at + 1
			}
			at++
		}
	}
	return reason, line
}

// misplaced says what is wrong with the indentation of the line at an index; "" if nothing.
func misplaced(lines []string, at int) string {
	own := columns(lines[at])[0]
	above := at - 1
	for above >= 0 && blank(lines[above]) {
		above--
	}
	if above < 0 {
		return ""
	}
	if columnsAbove := columns(lines[above]); own > columnsAbove[len(columnsAbove)-1] {
		if strings.HasSuffix(strings.TrimSpace(uncommented(lines[above])), ":") {
			return "" // it opens a level
		}
		return fmt.Sprintf("the indentation is wrong: this line begins farther to the right than %q above it, which is complete; begin both at one column", short(lines[above]))
	}
	// Levels that are open here, the innermost first.
	var open []int
	for i := above; i >= 0 && (len(open) == 0 || open[len(open)-1] > 1); i-- {
		if blank(lines[i]) {
			continue
		}
		for _, c := range slices.Backward(columns(lines[i])) {
			if len(open) == 0 || c < open[len(open)-1] {
				open = append(open, c)
			}
		}
	}
	if len(open) == 0 || slices.Contains(open, own) {
		return ""
	}
	slices.Reverse(open)
	words := make([]string, len(open))
	for i, c := range open {
		words[i] = fmt.Sprint(c)
	}
	may := words[0]
	if n := len(words); n > 1 {
		may = strings.Join(words[:n-1], ", ") + " or " + words[n-1]
	}
	return fmt.Sprintf("the indentation is wrong: this line begins at column %d, and what belongs together begins at one column, here %s", own, may)
}

// columns are where a line begins, counted from 1, and after a dash where its item begins.
func columns(line string) []int {
	col := len(line) - len(strings.TrimLeft(line, " ")) + 1
	out := []int{col}
	for rest := line[col-1:]; strings.HasPrefix(rest, "- "); rest = line[col-1:] {
		col += 1 + len(rest[1:]) - len(strings.TrimLeft(rest[1:], " "))
		out = append(out, col)
	}
	return out
}

func blank(line string) bool { return strings.TrimSpace(uncommented(line)) == "" }

// uncommented is a line without a comment; one in quotation marks is taken for a comment, too.
func uncommented(line string) string {
	if strings.HasPrefix(strings.TrimSpace(line), "#") {
		return ""
	}
	before, _, _ := strings.Cut(line, " #")
	return before
}

// short is a line for a message.
func short(line string) string {
	s := strings.TrimSpace(uncommented(line))
	if r := []rune(s); len(r) > 30 {
		s = string(r[:29]) + "…"
	}
	return s
}
