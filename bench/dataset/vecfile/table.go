package vecfile

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"annbench/internal/plaintext"
)

const (
	// tableHead is how much of a text file is looked at to tell its form, in bytes: a line of 100,000 dimensions.
	tableHead = 4 << 20
	// tableSample is how many lines of it are looked at.
	tableSample = 256
)

// table is the form of a text file, as its first lines show it. Data, labels and queries that come as text
// are all opened by it.
type table struct {
	start   int64 // byte at which the lines with values begin
	before  int   // lines before that
	sep     rune  // between fields; ' ' is any number of spaces and tabs
	decimal bool  // numbers have decimal commas
	bare    bool  // each line is one list in brackets without quotes
	quoted  bool  // fields between spaces may stand in quotes
	names   []string
	count   int        // vectors, where the first line says it, as word2vec's does; else -1
	sample  [][]string // fields of the first lines with values
	width   int        // fields of a line
	notes   []string   // what was guessed
}

// lines reads the fields of one line after the other.
type lines struct {
	t    *table
	csv  *csv.Reader
	scan *bufio.Reader
	in   *countingReader
	line int // of the last read, from 1 after t.before
	long []byte
}

type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}

func (t *table) open(r io.Reader) *lines {
	in := &countingReader{r: r}
	if t.sep == ' ' || t.bare {
		return &lines{t: t, in: in, scan: bufio.NewReaderSize(in, 1<<16)}
	}
	c := csv.NewReader(in)
	c.Comma, c.ReuseRecord, c.FieldsPerRecord = t.sep, true, -1
	return &lines{t: t, in: in, csv: c}
}

// next returns the trimmed fields of the next line that has any; they are good until the next call.
func (l *lines) next() ([]string, error) {
	if l.csv != nil {
		fields, err := l.csv.Read()
		if err != nil {
			var at *csv.ParseError
			if errors.As(err, &at) {
				return nil, fmt.Errorf("line %d, byte %d of it: %s", at.Line+l.t.before, at.Column, csvReason(at.Err))
			}
			return nil, err
		}
		l.line, _ = l.csv.FieldPos(0)
		for i, f := range fields {
			fields[i] = strings.TrimSpace(f)
		}
		return fields, nil
	}
	for {
		b, err := l.scan.ReadSlice('\n')
		l.long = append(l.long[:0], b...)
		for errors.Is(err, bufio.ErrBufferFull) && len(l.long) < 4*tableHead {
			b, err = l.scan.ReadSlice('\n')
			l.long = append(l.long, b...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			return nil, fmt.Errorf("line %d is longer than %d MiB", l.line+1+l.t.before, 4*tableHead>>20)
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		l.line++
		text := strings.TrimFunc(string(l.long), isSpace)
		switch {
		case text == "":
		case l.t.bare:
			return []string{text}, nil
		case l.t.quoted:
			return quotedFields(text), nil
		default:
			return strings.FieldsFunc(text, isSpace), nil
		}
		if err != nil {
			return nil, io.EOF
		}
	}
}

// isSpace reports whether r separates fields. Spaces of other scripts and those that do not break a line are parts of words:
// word vectors have such words.
func isSpace(r rune) bool { return r == ' ' || r >= '\t' && r <= '\r' }

// quotedFields are the fields between spaces of a line, without the quotes around some, as R's write.table writes them:
// \" is a quote within.
func quotedFields(text string) (fields []string) {
	for text = strings.TrimLeftFunc(text, isSpace); text != ""; text = strings.TrimLeftFunc(text, isSpace) {
		if text[0] != '"' {
			end := strings.IndexFunc(text, isSpace)
			if end < 0 {
				end = len(text)
			}
			fields = append(fields, text[:end])
			text = text[end:]
			continue
		}
		var field []byte
		i := 1
		for ; i < len(text) && text[i] != '"'; i++ {
			if text[i] == '\\' && i+1 < len(text) && text[i+1] == '"' {
				i++
			}
			field = append(field, text[i])
		}
		fields = append(fields, string(field))
		text = text[min(i+1, len(text)):]
	}
	return fields
}

func csvReason(err error) string {
	switch {
	case errors.Is(err, csv.ErrQuote):
		return `a quoted field does not end, or goes on after its last quote: write " in it as ""`
	case errors.Is(err, csv.ErrBareQuote):
		return `a quote (") within a field that does not begin with one: put the field in quotes, and write " in it as ""`
	}
	return err.Error()
}

// place is the line that was read last, for errors.
func (l *lines) place() string { return l.placeOf(l.line) }

// repeated reports an error if fields, the line that was read last, are the names of the columns once more, as where a table with
// names was appended to another.
func (l *lines) repeated(fields []string) error {
	if len(fields) < 2 || !slices.Equal(fields, l.t.names) {
		return nil
	}
	return fmt.Errorf("%s repeats the names of the columns: remove it", l.place())
}

func (l *lines) placeOf(line int) string { return fmt.Sprintf("line %d", line+l.t.before) }

// number reads a field of a table.
func (t *table) number(field string) (float32, error) {
	if t.decimal {
		if strings.Contains(field, ".") {
			return 0, errors.New("has a point, and other numbers have decimal commas: write it without points")
		}
		field = strings.Replace(field, ",", ".", 1)
	}
	x, err := strconv.ParseFloat(field, 32)
	switch {
	case err == nil && !strings.ContainsAny(field, "xX_"):
		return float32(x), nil
	case errors.Is(err, strconv.ErrRange):
		return 0, errors.New("is too large for a float32")
	case field == "":
		return 0, errors.New("is no number: a value is missing")
	case strings.HasPrefix(field, "..."):
		return 0, errors.New("is no number: NumPy shortens long arrays when it prints them; write them whole")
	}
	if almostNumber.MatchString(field) {
		switch {
		case strings.HasSuffix(field, "%"):
			return 0, errors.New("is not a number: write it without the percent sign")
		case strings.ContainsAny(field, ",' ") || strings.Count(field, ".") > 1:
			return 0, errors.New("is not a number: write it with a decimal point, and nothing between thousands")
		case strings.ContainsAny(field, "$€"):
			return 0, errors.New("is not a number: write it without the currency sign")
		}
	}
	return 0, errors.New("is not a number")
}

func (t *table) isNumber(field string) bool {
	_, err := t.number(field)
	return err == nil || strings.Contains(err.Error(), "too large")
}

// isNumbers reports whether field is a number, or a list of them in brackets.
func (t *table) isNumbers(field string) bool {
	if inside, ok := bracketed(field); ok {
		parts := splitNumbers(inside)
		return len(parts) > 0 && t.isNumber(parts[0])
	}
	return t.isNumber(field)
}

// bracketed is the inside of a list such as "[1, 2]", or {1,2} as PostgreSQL writes arrays.
func bracketed(field string) (string, bool) {
	field = strings.TrimSpace(field)
	if len(field) >= 2 && (field[0] == '[' && field[len(field)-1] == ']' || field[0] == '(' && field[len(field)-1] == ')' || field[0] == '{' && field[len(field)-1] == '}') {
		return field[1 : len(field)-1], true
	}
	return "", false
}

func splitNumbers(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' || r == ';' || r == '\t' || r == '\n' || r == '\r' })
}

// How numbers look that are not plain ones.
var (
	commaNumber    = regexp.MustCompile(`^[-+]?\d*,\d+([eE][-+]?\d+)?$`)
	thousandsNum   = regexp.MustCompile(`^[-+]?[1-9]\d{0,2},\d{3}$`)
	pointThousands = regexp.MustCompile(`^[-+]?[1-9]\d{0,2}\.\d{3}$`)
	almostNumber   = regexp.MustCompile(`^[-+$€−–]?\d[\d.,' ]*([eE][-+−–]?\d+)?%?$`)
	numberedValue  = regexp.MustCompile(`^\d+:[-+]?[\d.]+([eE][-+]?\d+)?$`)
	numbersApart   = regexp.MustCompile(`^[-+]?[\d.,]+[\s;|]+[-+]?[\d.,]`)
)

// readTable tells the form of a text file: what separates its fields, whether a line names them, and where
// the values begin.
func readTable(in *input) (*table, error) {
	head, err := in.bytes(0, min(in.size, tableHead))
	if err != nil {
		return nil, err
	}
	mark, err := plaintext.Mark(head)
	if err != nil {
		return nil, err
	}
	if i := bytes.IndexByte(head, 0); i >= 0 {
		return nil, placed(int64(i), "a zero byte, which no text has: is this a file of another kind?")
	}
	t := &table{start: int64(mark), count: -1}
	text := string(head[mark:])
	if in.size > tableHead {
		end := strings.LastIndexByte(text, '\n')
		if end < 0 {
			return nil, fmt.Errorf("line 1 is longer than %d MiB", tableHead>>20)
		}
		text = text[:end+1]
	} else if !strings.Contains(strings.TrimRight(text, "\r"), "\n") && strings.Contains(strings.TrimRight(text, "\r"), "\r") {
		return nil, errors.New("its lines end with a carriage return alone, as on old Macs: write line feeds")
	}
	var comment string
	for text != "" {
		line, rest, _ := strings.Cut(text, "\n")
		trimmed := strings.TrimSpace(line)
		if sep, ok := strings.CutPrefix(trimmed, "sep="); ok && len(sep) <= 1 {
			// Excel's word for the separator; the lines show it as well.
		} else if trimmed != "" && !(trimmed[0] == '#' && !sameForm(trimmed, rest)) {
			break
		} else if trimmed != "" {
			comment = strings.TrimSpace(strings.TrimLeft(trimmed, "#"))
		}
		t.start += int64(len(text) - len(rest))
		t.before++
		text = rest
	}
	if strings.TrimSpace(text) == "" {
		return nil, errors.New("the file is empty: it has no line with values")
	}
	if err := t.separate(text); err != nil {
		return nil, err
	}
	if comment != "" && t.sep != ' ' && len(t.sample) > 0 {
		if names := strings.Split(comment, string(t.sep)); len(names) == len(t.sample[0]) {
			t.sample = slices.Insert(t.sample, 0, names)
			t.names = names
		}
	}
	return t, nil
}

// sameForm reports whether line, which begins with #, is a vector whose word is #, as word vectors have it.
func sameForm(line, rest string) bool {
	next, _, _ := strings.Cut(rest, "\n")
	a, b := strings.Fields(line), strings.Fields(next)
	if len(a) != len(b) || len(a) < 3 {
		return false
	}
	for _, f := range a[1:] {
		if _, err := strconv.ParseFloat(f, 64); err != nil {
			return false
		}
	}
	return true
}

// separate finds what separates the fields of text, and reads the sample.
func (t *table) separate(text string) error {
	var firstErr error
	for _, sep := range []rune{'\t', ';', ',', '|', ' '} {
		try := *t
		try.sep = sep
		try.quoted = sep == ' ' && quotesFirst(text)
		sample, err := try.read(text)
		if err != nil {
			if strings.ContainsRune(text, sep) && firstErr == nil {
				firstErr = err
			}
			continue
		}
		body := sample[min(1, len(sample)-1):]
		try.width = len(body[0])
		if try.width < 2 || !try.fits(body) {
			continue
		}
		try.sample = sample
		if err := try.commas(body); err != nil {
			return err
		}
		*t = try
		return nil
	}
	if firstErr != nil {
		return firstErr
	}
	// One field a line.
	t.sep = ','
	first, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	_, t.bare = bracketed(first)
	if _, second, ok := strings.Cut(strings.TrimSpace(text), "\n"); ok && !t.bare {
		next, _, _ := strings.Cut(second, "\n")
		_, t.bare = bracketed(next)
	}
	sample, err := t.read(text)
	if err != nil {
		return err
	}
	t.sample, t.width = sample, len(sample[min(1, len(sample)-1)])
	return nil
}

// quotesFirst reports whether each of the first lines begins with a field in quotes. Word vectors have words that begin with
// a quote, but not in each line.
func quotesFirst(text string) bool {
	n := 0
	for n < tableSample && text != "" {
		line, rest, _ := strings.Cut(text, "\n")
		text = rest
		if line = strings.TrimFunc(line, isSpace); line == "" {
			continue
		}
		if line[0] != '"' || strings.Count(line, `"`) < 2 {
			return false
		}
		n++
	}
	return n > 1
}

// read reads the sample as t has it.
func (t *table) read(text string) ([][]string, error) {
	l := t.open(strings.NewReader(text))
	var sample [][]string
	for len(sample) < tableSample {
		fields, err := l.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		sample = append(sample, slices.Clone(fields))
	}
	if len(sample) == 0 {
		return nil, errors.New("the file is empty")
	}
	return sample, nil
}

// fits reports whether the separator of t is that of the lines of body: most have the same number of fields,
// and no field holds several numbers.
func (t *table) fits(body [][]string) bool {
	same := 0
	for _, line := range body {
		if len(line) == t.width {
			same++
		}
		for _, f := range line {
			if _, ok := bracketed(f); !ok && numbersApart.MatchString(f) {
				return false
			}
		}
		if inside := strings.HasPrefix(line[0], "[") || strings.HasPrefix(line[len(line)-1], "["); inside && t.sep != ' ' {
			if !strings.HasSuffix(line[0], "]") && strings.HasPrefix(line[0], "[") {
				return false // a list without quotes was cut into fields
			}
		}
		if t.sep == ' ' && strings.HasPrefix(line[0], "[") {
			return false
		}
	}
	return 2*same > len(body)
}

// sparse reports whether the lines are values with their numbers, 3:0.25.
func (t *table) sparse() bool {
	numbered, all := 0, 0
	for _, line := range t.sample {
		for _, f := range line[min(1, len(line)):] {
			all++
			if numberedValue.MatchString(f) {
				numbered++
			}
		}
	}
	return 2*numbered > all
}

// commas decides whether the numbers have decimal commas. A column with texts does not count: "1,000" and "2,5" are
// words, too, as GloVe has them.
func (t *table) commas(body [][]string) error {
	var some, sure string
	texts := make([]bool, t.width)
	for _, line := range body {
		for i, f := range line[:min(len(line), t.width)] {
			_, err := strconv.ParseFloat(f, 64)
			_, list := bracketed(f)
			texts[i] = texts[i] || err != nil && f != "" && f != "NA" && !list && !almostNumber.MatchString(f) && !commaNumber.MatchString(f)
		}
	}
	for _, line := range body {
		for i, f := range line[:min(len(line), t.width)] {
			if texts[i] {
				continue
			}
			if commaNumber.MatchString(f) {
				some = f
				if !thousandsNum.MatchString(f) {
					sure = f
				}
			}
		}
	}
	switch {
	case sure != "":
		t.decimal = true
		t.notes = append(t.notes, fmt.Sprintf("numbers have decimal commas (%s)", shorten(sure)))
	case some != "":
		return fmt.Errorf("is %q one thousand times more, or has it a decimal comma? Write numbers as 1234.5", some)
	case t.sep == ';':
		t.points(body, texts)
	}
	return nil
}

// points notes numbers that may have points between thousands, as they are written where decimals have commas: all that have a
// point look so.
func (t *table) points(body [][]string, texts []bool) {
	var some string
	for _, line := range body {
		for i, f := range line[:min(len(line), t.width)] {
			if texts[i] || !strings.Contains(f, ".") {
				continue
			}
			if !pointThousands.MatchString(f) {
				return
			}
			some = f
		}
	}
	if some != "" {
		t.note("numbers such as %s are read as fractions; if the point stands between thousands, take it out", some)
	}
}

// shorten cuts a text for a message.
func shorten(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	if len(s) > 40 {
		return strings.ToValidUTF8(s[:40], "") + "..."
	}
	return s
}
