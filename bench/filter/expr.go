// Package filter says which vectors of a data set a search may answer with, and what the exact answers then are.
//
// A [Filter] is an expression over attributes ("category = 'dress' and price < 100"), a made one of a set selectivity and
// correlation with the query, or one out of files in the form of big-ann-benchmarks' filter track. [Prepare] finds, for
// every query of a set, who passes and who of them is nearest, and keeps both beside the set; [Open] maps them.
//
// It does not search an index and measures nothing: package bench does, in the ways that [Ways] lists. Attributes are
// those of package attributes.
package filter

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"

	"annbench/bench/dataset/attributes"
	"annbench/indexes/vec"
	"annbench/internal/words"
)

// An Error is something wrong at a place of an expression.
type Error struct {
	Text   string // the expression
	Column int    // from 1, in characters
	Reason string // what is wrong, and the fix
}

// Error names the place, and shows it below what stands around it.
func (e *Error) Error() string {
	text, at := []rune(e.Text), max(0, e.Column-1)
	if from := at - shownAround; from > 0 {
		text, at = append([]rune("…"), text[min(from, len(text)):]...), shownAround+1
	}
	if to := at + shownAround; to < len(text) {
		text = append(text[:to:to], '…')
	}
	return fmt.Sprintf("filter, column %d: %s\n    %s\n    %s^", e.Column, e.Reason, string(text), strings.Repeat(" ", at))
}

// shownAround is how many characters of an expression an error shows before the place, and behind it.
const shownAround = 60

// The grammar, in the form of package participle. Keywords are in capitals or not; and binds tighter than or.

type disjunction struct {
	Terms []*conjunction `parser:"@@ ('or' @@)*"`
}

type conjunction struct {
	Terms []*negation `parser:"@@ ('and' @@)*"`
}

type negation struct {
	Not  *negation    `parser:"'not' @@"`
	In   *disjunction `parser:"| '(' @@ ')'"`
	Test *test        `parser:"| @@"`
}

type test struct {
	Pos    lexer.Position
	Column string     `parser:"@(Word | Quoted)"`
	Op     string     `parser:"( @('=' '='? | '!=' | '<>' | '<=' | '<' | '>=' | '>')"`
	Value  *literal   `parser:"  @@"`
	Not    bool       `parser:"| @'not'?"`
	In     []*literal `parser:" 'in' '(' @@ (',' @@)* ')' )?"`
}

type literal struct {
	Pos    lexer.Position
	Number *numeral `parser:"@Number"`
	Text   *string  `parser:"| @Text"`
	Bool   *string  `parser:"| @('true' | 'false')"`
}

// numeral is a number of an expression.
type numeral float64

// errRounded is the error of a number that would not be compared as it is written.
var errRounded = errors.New("rounded")

// Capture reads what the parser found.
func (n *numeral) Capture(values []string) error {
	x, err := strconv.ParseFloat(values[0], 64)
	if err == nil && attributes.Beyond(values[0]) {
		err = errRounded
	}
	*n = numeral(x)
	return err
}

var grammar = participle.MustBuild[disjunction](
	participle.Lexer(lexer.MustSimple([]lexer.SimpleRule{
		{Name: "Space", Pattern: `\s+`},
		{Name: "Keyword", Pattern: `(?i)\b(and|or|not|in|true|false)\b`},
		{Name: "Number", Pattern: `[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?`},
		{Name: "Text", Pattern: `'(''|[^'])*'|"(""|[^"])*"`},
		{Name: "Quoted", Pattern: "`[^`]+`"},
		{Name: "Word", Pattern: `[\p{L}_][\p{L}\p{N}_.\-]*`},
		{Name: "Sign", Pattern: `<=|>=|!=|<>|[=<>(),]`},
	})),
	participle.CaseInsensitive("Keyword"),
	participle.Elide("Space"),
)

// maxNested is how deep brackets may be within brackets: more than anybody writes, and few enough that no text makes
// the parser slow.
const maxNested = 50

// nestedTooDeep is where a bracket opens that is within too many others, in bytes; -1 where none is.
func nestedTooDeep(text string) int {
	open, quote := 0, byte(0)
	for i := range len(text) {
		switch c := text[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"' || c == '`':
			quote = c
		case c == '(':
			if open++; open > maxNested {
				return i
			}
		case c == ')':
			open--
		}
	}
	return -1
}

// Expr is an expression over attributes.
//
// Operators are =, !=, <, <=, >, >=, in (...), not in (...), and, or, not, with brackets; a true-or-false attribute may
// stand alone. Texts are in quotes, 'dress' or "dress", a quote within them twice; names that are no plain word in backquotes. Texts
// compare by their letters. An attribute that a vector lacks makes a comparison unknown, as in SQL: neither it nor its
// negation lets the vector pass.
type Expr struct {
	text string
	root *disjunction
}

// Comparisons is how many values a vector is compared with at most: what the time of [Expr.Rows] grows with. A list after
// in counts as one.
func (e *Expr) Comparisons() int { return e.root.comparisons() }

func (d *disjunction) comparisons() (n int) {
	for _, term := range d.Terms {
		for _, x := range term.Terms {
			for x.Not != nil {
				x = x.Not
			}
			if x.In != nil {
				n += x.In.comparisons()
			} else {
				n++
			}
		}
	}
	return n
}

// Parse reads an expression. The error is an [*Error].
func Parse(text string) (*Expr, error) {
	if at := nestedTooDeep(text); at >= 0 {
		return nil, &Error{Text: text, Column: column(text, lexer.Position{Offset: at}), Reason: fmt.Sprintf("brackets go at most %d deep: take some out", maxNested)}
	}
	root, err := grammar.ParseString("", text)
	if err != nil {
		e := &Error{Text: text, Column: 1, Reason: err.Error()}
		var at participle.Error
		if errors.As(err, &at) {
			place := at.Position()
			rest := text[min(max(0, place.Offset), len(text)):] // of a number, it begins with the space before
			place.Offset += len(rest) - len(strings.TrimLeftFunc(rest, unicode.IsSpace))
			e.Column, e.Reason = column(text, place), reason(text, at)
		}
		return nil, e
	}
	return &Expr{text: text, root: root}, nil
}

func column(text string, at lexer.Position) int {
	return 1 + utf8.RuneCountInString(text[:min(max(0, at.Offset), len(text))])
}

// bare is the end of a text where a word stands in the place of a value; listed is the word, where the parser stops before
// it or before the comma of a list.
var listed = regexp.MustCompile(`^,?\s*[\p{L}_][\p{L}\p{N}_.\-]*`)

var bare = regexp.MustCompile(`(?i)(?:[=<>]|\bin\s*\((?:[^()]*,)?)\s*([\p{L}_][\p{L}\p{N}_.\-]*)$`)

// reason puts what the parser found into words.
func reason(text string, err participle.Error) string {
	rest := strings.TrimLeftFunc(text[min(max(0, err.Position().Offset), len(text)):], unicode.IsSpace)
	const write = "write it like category = 'dress' and price < 100"
	switch {
	case strings.TrimSpace(text) == "":
		return "the expression is empty: " + write
	case rest == "":
		return "the expression ends too early: " + write
	case strings.HasPrefix(rest, "'") || strings.HasPrefix(rest, `"`):
		if strings.Count(rest, rest[:1])%2 == 1 {
			return "a text begins here that does not end: close it with " + rest[:1]
		}
	case strings.HasPrefix(rest, "&"), strings.HasPrefix(rest, "|"):
		return "there is no & and no |: write and, or"
	case strings.HasPrefix(rest, "!"):
		return "there is no !: write not"
	case errors.Is(err, strconv.ErrRange):
		return "a number is beyond what a float64 holds, 1.8e308: write a smaller one"
	case errors.Is(err, errRounded):
		n := numberAhead.FindString(rest)
		x, _ := strconv.ParseFloat(n, 64)
		return fmt.Sprintf("%s would be rounded to %.0f, as numbers are float64: columns with such numbers are texts, so write it in quotes, '%[1]s'", n, x)
	}
	if value := bare.FindStringSubmatch(text[:len(text)-len(rest)] + listed.FindString(rest)); value != nil {
		return fmt.Sprintf("%q is a name, not a value: a text stands in quotes, '%[1]s'", value[1])
	}
	if name := oddName(text, len(text)-len(rest)); name != "" {
		return fmt.Sprintf("if %s is the name of an attribute, write it in backquotes, `%[1]s`: so are names written that are or begin with a keyword, begin with a digit, or have other signs than letters, digits, _ . and -", name)
	}
	word := rest
	if i := strings.IndexAny(rest, " \t\n(),"); i > 0 {
		word = rest[:i]
	}
	return fmt.Sprintf("%q cannot stand here: %s", word, write)
}

// oddName is the text around the byte at, or before the sign there, where it stands for a name, and the grammar takes it for a
// keyword or takes only a part of it; else empty.
func oddName(text string, at int) string {
	const ends = " \t\r\n(),=<>!'\"`"
	if strings.IndexAny(text[at:], ends) == 0 {
		at = len(strings.TrimRightFunc(text[:at], unicode.IsSpace))
	}
	from, to := strings.LastIndexAny(text[:at], ends)+1, len(text)
	if i := strings.IndexAny(text[at:], ends); i >= 0 {
		to = at + i
	}
	if before := strings.TrimSpace(text[:from]); before != "" && strings.ContainsAny(before[len(before)-1:], "=<>") {
		return "" // a value
	}
	name, after := text[from:to], strings.TrimSpace(text[to:])
	keyword := keywords.MatchString(name)
	switch {
	case !strings.ContainsFunc(name, unicode.IsLetter) || keyword && (after == "" || !strings.Contains("=<>!", after[:1])):
		return ""
	case Name(name) != name:
		return name
	}
	return ""
}

// Name is the name of an attribute as an expression has it: in backquotes where it is not a word of letters, digits, _ . and -
// that neither is nor begins with a keyword.
func Name(name string) string {
	if plainName.MatchString(name) && !keywords.MatchString(name) && !startsWithKeyword.MatchString(name) {
		return name
	}
	return "`" + name + "`"
}

var (
	numberAhead       = regexp.MustCompile(`^[-+.\deE]+`)
	keywords          = regexp.MustCompile(`(?i)^(and|or|not|in|true|false)$`)
	startsWithKeyword = regexp.MustCompile(`(?i)^(and|or|not|in|true|false)\b.`)
	plainName         = regexp.MustCompile(`^[\p{L}_][\p{L}\p{N}_.\-]*$`)
)

// truth is what a comparison says of a vector.
type truth int8

const (
	no truth = iota - 1
	unknown
	yes
)

// Rows are the vectors of t that pass. The error is an [*Error]: a name or a value that t does not have, or one of
// another kind.
func (e *Expr) Rows(t *attributes.Table) (*vec.Set, error) {
	test, err := e.or(e.root, t)
	if err != nil {
		return nil, err
	}
	out := vec.NewSet(t.Rows)
	for row := range t.Rows {
		if test(row) == yes {
			out.Add(int32(row))
		}
	}
	return out, nil
}

type rule func(row int) truth

func (e *Expr) or(d *disjunction, t *attributes.Table) (rule, error) {
	var all []rule
	for _, term := range d.Terms {
		r, err := e.and(term, t)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	if len(all) == 1 { // brackets cost nothing
		return all[0], nil
	}
	return func(row int) truth {
		out := no
		for _, r := range all {
			if out = max(out, r(row)); out == yes {
				break
			}
		}
		return out
	}, nil
}

func (e *Expr) and(c *conjunction, t *attributes.Table) (rule, error) {
	var all []rule
	for _, term := range c.Terms {
		r, err := e.not(term, t)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	if len(all) == 1 {
		return all[0], nil
	}
	return func(row int) truth {
		out := yes
		for _, r := range all {
			if out = min(out, r(row)); out == no {
				break
			}
		}
		return out
	}, nil
}

func (e *Expr) not(n *negation, t *attributes.Table) (rule, error) {
	n = n.plain()
	switch {
	case n.Not != nil:
		r, err := e.not(n.Not, t)
		if err != nil {
			return nil, err
		}
		return func(row int) truth { return -r(row) }, nil
	case n.In != nil:
		return e.or(n.In, t)
	}
	return e.test(n.Test, t)
}

func (e *Expr) errorf(at lexer.Position, format string, args ...any) error {
	return &Error{Text: e.text, Column: column(e.text, at), Reason: fmt.Sprintf(format, args...)}
}

func (e *Expr) test(x *test, t *attributes.Table) (rule, error) {
	name := strings.Trim(x.Column, "`")
	c, ok := t.Column(name)
	if !ok {
		var names []string
		for _, c := range t.Columns {
			names = append(names, c.Name)
		}
		if len(names) == 0 {
			return nil, e.errorf(x.Pos, "no attribute %q: the vectors have none; give a file under data: {attributes: FILE}", name)
		}
		return nil, e.errorf(x.Pos, "no attribute %q%s", name, words.DidYouMean(name, names))
	}
	if x.Op == "" && len(x.In) == 0 {
		if c.Kind != attributes.Boolean {
			return nil, e.errorf(x.Pos, "%s is a %s: compare it with a value", name, c.Kind)
		}
		return compare(c, "=", 1), nil
	}
	if x.Op != "" {
		v, err := e.value(x.Value, c, x.Op)
		if err != nil {
			return nil, err
		}
		return compare(c, x.Op, v), nil
	}
	list := map[float64]bool{}
	for _, l := range x.In {
		v, err := e.value(l, c, "in")
		if err != nil {
			return nil, err
		}
		list[v] = true
	}
	wanted := !x.Not
	return func(row int) truth {
		v := c.Values[row]
		switch {
		case math.IsNaN(v):
			return unknown
		case list[v] == wanted:
			return yes
		}
		return no
	}, nil
}

// value is a literal as the column has its values.
func (e *Expr) value(l *literal, c *attributes.Column, op string) (float64, error) {
	switch {
	case l.Number != nil && c.Kind == attributes.Number:
		return float64(*l.Number), nil
	case l.Bool != nil && c.Kind == attributes.Boolean:
		if op != "=" && op != "==" && op != "!=" && op != "<>" && op != "in" {
			return 0, e.errorf(l.Pos, "%s is true or false: it has no %s", c.Name, op)
		}
		if strings.EqualFold(*l.Bool, "true") {
			return 1, nil
		}
		return 0, nil
	case l.Text != nil && c.Kind == attributes.Text:
		text := l.text()
		if code, ok := c.Code(text); ok {
			return code, nil
		}
		if op == "=" || op == "==" || op == "!=" || op == "<>" || op == "in" {
			return 0, e.errorf(l.Pos, "no vector has %s %q%s", c.Name, text, words.DidYouMean(text, c.Words))
		}
		// Between two words: below the first that is greater, above the one before.
		at, _ := c.Place(text)
		return float64(at) - 0.5, nil
	}
	has := map[bool]string{l.Number != nil: "a number", l.Text != nil: "a text", l.Bool != nil: "true or false"}[true]
	wants := map[attributes.Kind]string{attributes.Number: "a number", attributes.Text: "a text in quotes", attributes.Boolean: "true or false"}[c.Kind]
	return 0, e.errorf(l.Pos, "%s takes %s, not %s", c.Name, wants, has)
}

func compare(c *attributes.Column, op string, than float64) rule {
	var holds func(v float64) bool
	switch op {
	case "=", "==":
		holds = func(v float64) bool { return v == than }
	case "!=", "<>":
		holds = func(v float64) bool { return v != than }
	case "<":
		holds = func(v float64) bool { return v < than }
	case "<=":
		holds = func(v float64) bool { return v <= than }
	case ">":
		holds = func(v float64) bool { return v > than }
	default:
		holds = func(v float64) bool { return v >= than }
	}
	return func(row int) truth {
		v := c.Values[row]
		switch {
		case math.IsNaN(v):
			return unknown
		case holds(v):
			return yes
		}
		return no
	}
}

// number writes a number as short as it can be read again.
func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
