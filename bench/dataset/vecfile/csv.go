package vecfile

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// csvRows are the vectors of a text file: a line each.
type csvRows struct {
	r           *csv.Reader
	first       []string // a line that was read ahead; nil when there is none
	numbers     []int    // fields that are the vector
	names       []string // of the fields, for messages
	labelAt     int      // -1 for none
	idAt        int
	labels, ids []string
	interned    map[string]string
	done        int
}

// openCSV reads text with a vector a line, its values separated by commas or tabs, or one field of
// values in brackets. A first line that is not numbers names the fields. Fields that [Columns] or the
// usual names say are labels and ids; without names, a last field of text is the label.
func openCSV(in *input, columns Columns) (*File, error) {
	r := csv.NewReader(io.NewSectionReader(in, 0, in.size))
	r.ReuseRecord = true
	head, err := in.bytes(0, min(in.size, 1<<16))
	if err != nil {
		return nil, err
	}
	if i := strings.IndexByte(string(head), '\t'); i >= 0 && !strings.Contains(string(head[:i]), ",") {
		r.Comma = '\t'
	}
	line, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the file is empty")
	}
	if err != nil {
		return nil, csvError(err)
	}
	c := &csvRows{r: r, labelAt: -1, idAt: -1, interned: map[string]string{}}
	texts := 0
	for _, field := range line {
		if !isNumbers(field) {
			texts++
		}
	}
	headed := texts > 1 || texts == 1 && (len(line) == 1 || isNumbers(line[len(line)-1])) || columns != Columns{}
	if headed && texts == 0 {
		return nil, errors.New("line 1 has numbers, so the columns have no names that could be asked for")
	}
	if headed {
		c.names = slices.Clone(line)
		for i, n := range c.names {
			c.names[i] = strings.TrimSpace(n)
		}
		if c.labelAt, err = named(c.names, columns.Labels, labelNames); err != nil {
			return nil, err
		}
		if c.idAt, err = named(c.names, columns.IDs, idNames); err != nil {
			return nil, err
		}
		if columns.Vectors != "" {
			at, err := named(c.names, columns.Vectors, nil)
			if err != nil {
				return nil, err
			}
			c.numbers = []int{at}
		}
		if line, err = r.Read(); err != nil {
			if errors.Is(err, io.EOF) {
				return nil, errors.New("the file has a line of names and nothing after it")
			}
			return nil, csvError(err)
		}
	} else if texts == 1 {
		c.labelAt = len(line) - 1
	}
	c.first = line
	if c.numbers == nil {
		for i := range line {
			if i != c.labelAt && i != c.idAt {
				c.numbers = append(c.numbers, i)
			}
		}
	}
	values, err := c.values(line, nil)
	if err != nil {
		return nil, err
	}
	if len(values) == 0 {
		return nil, errors.New("line 1 has no numbers")
	}
	f := &File{Dim: len(values), Count: -1, Rows: c}
	f.expect = func() int { return int(float64(in.size) / float64(max(1, r.InputOffset())) * float64(c.done)) }
	if c.labelAt >= 0 {
		f.Label = func(row int) string { return c.labels[row] }
	}
	if c.idAt >= 0 {
		f.ID = func(row int) string { return c.ids[row] }
	}
	return f, nil
}

func csvError(err error) error {
	var at *csv.ParseError
	if errors.As(err, &at) {
		return fmt.Errorf("line %d, byte %d of it: %w", at.Line, at.Column, at.Err)
	}
	return err
}

// bracketed is the inside of a list such as "[1, 2]".
func bracketed(field string) (string, bool) {
	field = strings.TrimSpace(field)
	if len(field) >= 2 && (field[0] == '[' && field[len(field)-1] == ']' || field[0] == '(' && field[len(field)-1] == ')') {
		return field[1 : len(field)-1], true
	}
	return "", false
}

func isNumbers(field string) bool {
	if inside, ok := bracketed(field); ok {
		parts := splitNumbers(inside)
		return len(parts) > 0 && isNumbers(parts[0])
	}
	_, err := strconv.ParseFloat(strings.TrimSpace(field), 64)
	return err == nil
}

func splitNumbers(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' || r == ';' || r == '\t' || r == '\n' || r == '\r' })
}

// values appends the numbers of a line to dst.
func (c *csvRows) values(line []string, dst []float32) ([]float32, error) {
	for _, at := range c.numbers {
		if at >= len(line) {
			n, _ := c.r.FieldPos(0)
			return nil, fmt.Errorf("line %d has %d fields", n, len(line))
		}
		field := line[at]
		parts := []string{strings.TrimSpace(field)}
		if inside, ok := bracketed(field); ok {
			parts = splitNumbers(inside)
		}
		for _, p := range parts {
			x, err := strconv.ParseFloat(p, 32)
			if err != nil {
				n, column := c.r.FieldPos(at)
				reason := "is not a number"
				if errors.Is(err, strconv.ErrRange) {
					reason = "is too large for a float32"
				}
				name := ""
				if at < len(c.names) {
					name = fmt.Sprintf(" (column %q)", c.names[at])
				}
				return nil, fmt.Errorf("line %d, byte %d of it: %q%s %s", n, column, shorten(p), name, reason)
			}
			dst = append(dst, float32(x))
		}
	}
	return dst, nil
}

func shorten(s string) string {
	if len(s) > 40 {
		return s[:40] + "..."
	}
	return s
}

func (c *csvRows) Next(dst []float32) (int, error) {
	n, used := 0, 0
	dim := 0
	for used+dim <= len(dst) {
		line := c.first
		c.first = nil
		if line == nil {
			var err error
			if line, err = c.r.Read(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return 0, csvError(err)
			}
		}
		got, err := c.values(line, dst[used:used:len(dst)])
		if err != nil {
			return 0, err
		}
		if dim == 0 {
			dim = len(got)
		}
		if len(got) != dim || len(got) > len(dst)-used {
			at, _ := c.r.FieldPos(0)
			return 0, fmt.Errorf("line %d has a vector of %d dimensions, those before have %d", at, len(got), dim)
		}
		if c.labelAt >= 0 {
			c.labels = append(c.labels, c.text(line, c.labelAt))
		}
		if c.idAt >= 0 {
			c.ids = append(c.ids, c.text(line, c.idAt))
		}
		used += dim
		n++
		c.done++
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// text is a field of a line, kept: the line itself is memory that is used again.
func (c *csvRows) text(line []string, at int) string {
	if at >= len(line) {
		return ""
	}
	s := strings.TrimSpace(line[at])
	if at == c.labelAt {
		return intern(c.interned, strings.Clone(s))
	}
	return strings.Clone(s)
}
