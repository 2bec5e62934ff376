package vecfile

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"annbench/internal/filekind"
	"annbench/internal/plaintext"
)

// Labels are categories of rows, in their order.
type Labels struct {
	Labels []string
	// IDs are what a table says that each label is of; nil if it has no such column. Named says that the column has a name,
	// and is not the index that pandas and R write first.
	IDs   []string
	Named bool
	// Heading is the first label where it looks like the heading of those below it: a usual name of such a column, which no
	// other line of the text has. Empty for none, and for files that say what their labels are.
	Heading string
	Notes   []string // what was guessed, a line each
}

// ReadLabels reads the labels in a text file, one a line, in a table (.csv or .tsv), in the objects of .jsonl or .ndjson, or in
// a .npy file of integers or texts.
func ReadLabels(path string) (*Labels, error) {
	if ext := strings.ToLower(filepath.Ext(path)); ext == ".csv" || ext == ".tsv" {
		in, err := openInput(path)
		if err != nil {
			return nil, err
		}
		defer in.Close()
		labels, err := tableLabelsOf(in)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return labels, nil
	}
	if strings.EqualFold(filepath.Ext(path), ".npy") {
		in, err := openInput(path)
		if err != nil {
			return nil, err
		}
		defer in.Close()
		labels, err := arrayTexts(in, -1)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return &Labels{Labels: labels}, nil
	}
	switch strings.ToLower(filepath.Ext(path)) {
	case ".jsonl", ".ndjson":
		return objectLabels(path)
	case ".json":
		return nil, fmt.Errorf("%s: labels are not read from .json: write one a line, or objects with a label in .jsonl", path)
	}
	out := &Labels{}
	interned := map[string]string{}
	tabs := true // in all lines that have something
	err := EachLine(path, func(line int, b []byte) error {
		if !utf8.Valid(b) {
			return fmt.Errorf("%.40q is no UTF-8: save the file as UTF-8", b)
		}
		label := strings.TrimSpace(string(b))
		if line == 1 && strings.HasPrefix(label, "{") && json.Valid(b) {
			return errors.New("a line of JSON is no label: name the file .jsonl, and the field label of each object is read")
		}
		tabs = tabs && (label == "" || strings.Contains(label, "\t"))
		out.Labels = append(out.Labels, intern(interned, label))
		return nil
	})
	if tabs && len(interned) > 0 {
		out.Notes = append(out.Notes, fmt.Sprintf("%s: each line has a tab, and all of it is the label; if it is a table, name it .tsv", filepath.Base(path)))
	}
	if l := out.Labels; len(l) > 1 && isOneOf(l[0], slices.Concat(labelNames, tableLabels)) && !slices.Contains(l[1:], l[0]) {
		out.Heading = l[0]
	}
	return out, err
}

// objectLabels reads the labels in a file of JSON objects, one a line: the field that has the first of the usual names which is
// there. An object without it has no label.
func objectLabels(path string) (*Labels, error) {
	var rows []map[string]any
	err := EachLine(path, func(_ int, b []byte) error {
		var row map[string]any
		d := json.NewDecoder(bytes.NewReader(b))
		d.UseNumber()
		if err := d.Decode(&row); err != nil {
			return fmt.Errorf("not an object: %w", plaintext.JSONError(b, err))
		}
		rows = append(rows, row)
		return nil
	})
	if err != nil {
		return nil, err
	}
	field := func(names []string) string {
		for _, name := range names {
			for _, row := range rows {
				if _, ok := row[name]; ok {
					return name
				}
			}
		}
		return ""
	}
	label, id := field(slices.Concat(labelNames, tableLabels)), field(slices.Concat(idNames, tableIDs))
	if label == "" {
		return nil, fmt.Errorf("%s: no object has a field %q", path, labelNames[1])
	}
	out := &Labels{Named: id != ""}
	text := func(row int, name string) (string, error) {
		switch v := rows[row][name].(type) {
		case nil:
			return "", nil
		case string, json.Number:
			return fmt.Sprint(v), nil
		}
		return "", fmt.Errorf("%s:%d: %s is a text or a number, not %v", path, row+1, name, rows[row][name])
	}
	for row := range rows {
		word, err := text(row, label)
		if err != nil {
			return nil, err
		}
		out.Labels = append(out.Labels, word)
		if id != "" {
			if word, err = text(row, id); err != nil {
				return nil, err
			}
			out.IDs = append(out.IDs, word)
		}
	}
	return out, nil
}

// tableLabelsOf reads the labels of a table: the column that a usual name says, the only one, the only one beside
// ids, or the last.
func tableLabelsOf(in *input) (*Labels, error) {
	t, err := readTable(in)
	if err != nil {
		return nil, err
	}
	head, at, id := 0, 0, -1
	out := &Labels{}
	first := t.sample[0]
	switch {
	case len(first) == 1 && t.width == 1:
		if isOneOf(first[0], labelNames) || isOneOf(first[0], tableLabels) {
			head = 1
		}
	default:
		t.names = nil
		names := len(first) == t.width && slices.ContainsFunc(first, func(n string) bool {
			return isOneOf(n, labelNames) || isOneOf(n, tableLabels)
		})
		if !names && first[0] == "" { // pandas' index, and a column of any name
			names = true
		}
		if names && len(first) != t.width {
			return nil, fmt.Errorf("the first line has %d fields, those after it have %d", len(first), t.width)
		}
		if names {
			head, t.names = 1, slices.Clone(first)
			if at, err = t.usual("", slices.Concat(labelNames, tableLabels)...); err != nil {
				return nil, err
			}
		} else {
			at = -1
		}
		if at < 0 && t.width == 2 {
			at = 1
		}
		if at < 0 {
			return nil, fmt.Errorf("which of its %d columns has the labels? Its first line has %s: name the column label there", t.width, quoteAll(nearestFirst(labelNames[1], first)))
		}
		if t.names != nil {
			if id, err = t.usual("", slices.Concat(idNames, tableIDs)...); err != nil {
				return nil, err
			}
			out.Named = id > 0 || id == 0 && !isOneOf(first[0], []string{"index", "unnamed:_0"})
			if id < 0 && first[0] == "" {
				id = 0
			}
		} else if t.width == 2 {
			id = 0
		}
	}
	l := t.open(io.NewSectionReader(in, t.start, in.size-t.start))
	interned := map[string]string{}
	for row := -head; ; row++ {
		fields, err := l.next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		if row < 0 {
			continue
		}
		if err := l.repeated(fields); err != nil {
			return nil, err
		}
		if len(fields) != t.width {
			return nil, fmt.Errorf("%s has %d fields, those before have %d", l.place(), len(fields), t.width)
		}
		if !utf8.ValidString(fields[at]) {
			return nil, fmt.Errorf("%s: %.40q is no UTF-8: save the file as UTF-8", l.place(), fields[at])
		}
		out.Labels = append(out.Labels, intern(interned, strings.Clone(fields[at])))
		if id >= 0 {
			out.IDs = append(out.IDs, strings.Clone(fields[id]))
		}
	}
}

// Of reports an error unless the labels are of the rows whose ids are given, in their order; own says that the rows have ids
// of their own and not their numbers. Ids of another kind than those of the rows, such as names of files beside numbers, say
// nothing.
func (l *Labels) Of(rows int, id func(row int) string, own bool) error {
	if rows == 0 || len(l.IDs) != rows || !l.Named && counted(l.IDs) {
		return nil
	}
	if !own { // ids of 1 to n in another order are of rows, others of whatever there is
		if least, most := wholeRange(l.IDs); counted(l.IDs) || most-least != rows-1 || least != 0 && least != 1 {
			return nil
		}
		for row, label := range l.IDs[1:] {
			if x, _ := strconv.Atoi(label); strconv.Itoa(x-1) != l.IDs[row] {
				return fmt.Errorf("the label of row %d is marked %q, after %q: do the labels stand in the order of the vectors? Sort them, or leave that column out", row+1, label, l.IDs[row])
			}
		}
		return nil
	}
	known := make(map[string]bool, rows)
	for row := range rows {
		known[id(row)] = true
	}
	for row, label := range l.IDs {
		if have := id(row); have != label && known[label] {
			return fmt.Errorf("the label of row %d is of %q, and the vector of that row is %q: put both into one order", row, label, have)
		}
	}
	return nil
}

// counted reports whether ids are 0, 1, 2, ... or 1, 2, 3, ...
func counted(ids []string) bool {
	from, err := strconv.Atoi(ids[0])
	if err != nil || from != 0 && from != 1 {
		return false
	}
	for i, id := range ids {
		if id != strconv.Itoa(from+i) {
			return false
		}
	}
	return true
}

// wholeRange is the least and the largest of ids that are whole numbers, each another one; 0, 0 if they are not.
func wholeRange(ids []string) (least, most int) {
	seen := make(map[int]bool, len(ids))
	for i, id := range ids {
		x, err := strconv.Atoi(id)
		if err != nil || seen[x] {
			return 0, 0
		}
		seen[x] = true
		if i == 0 {
			least, most = x, x
		}
		least, most = min(least, x), max(most, x)
	}
	return least, most
}

// arrayTexts reads the labels or ids in a .npy file of integers or texts, one for each of count vectors; count
// below 0 is any number.
func arrayTexts(in *input, count int) ([]string, error) {
	head, err := in.bytes(0, min(in.size, npyMaxHead))
	if err != nil {
		return nil, err
	}
	h, err := parseNPY(head)
	if err != nil {
		return nil, err
	}
	if len(h.shape) == 2 && h.shape[1] == 1 {
		h.shape = h.shape[:1]
	}
	if len(h.shape) != 1 {
		return nil, placed(10, "labels and ids have one dimension, these have shape %v", h.shape)
	}
	if count >= 0 && h.shape[0] != count {
		return nil, fmt.Errorf("%d labels or ids for %d vectors", h.shape[0], count)
	}
	if h.shape[0] == 0 {
		return nil, placed(10, "the array is empty")
	}
	if width, err := strconv.Atoi(strings.TrimLeft(h.descr, "<>|USa")); err == nil && len(h.descr) > 2 && strings.ContainsRune("USa", rune(h.descr[1])) {
		return npyTexts(in, h, width)
	}
	if strings.HasSuffix(h.descr, "O") {
		return nil, placed(10, "labels and ids that are Python objects, as columns of pandas are, are not read; in Python: array.astype(str)")
	}
	r, h, err := npyRows(in)
	if err != nil {
		return nil, err
	}
	if r.elem.class == 'f' {
		return nil, placed(10, "labels and ids are integers or texts, these are %s", descrName(h.descr))
	}
	texts, err := wholeTexts(r, r.elem, r.count)
	if strings.HasSuffix(h.descr, "b1") {
		for i, digit := range texts {
			texts[i] = strconv.FormatBool(digit != "0")
		}
	}
	return texts, err
}

// npyTexts reads an array of texts of width characters, U, or bytes, S.
func npyTexts(in *input, h npyHeader, width int) ([]string, error) {
	unit := 1
	if h.descr[1] == 'U' {
		unit = 4
	}
	if width < 0 || width > 1<<16 {
		return nil, placed(10, "texts of %d characters", width)
	}
	if width == 0 {
		return make([]string, min(h.shape[0], int(in.size))), nil
	}
	r := &fixedRows{in: in, at: h.data, count: h.shape[0], dim: width * unit, elem: element{class: 'u', width: 1}}
	if err := r.check(true); err != nil {
		return nil, err
	}
	var order binary.ByteOrder = binary.LittleEndian
	if h.descr[0] == '>' {
		order = binary.BigEndian
	}
	texts := make([]string, 0, r.count)
	interned := map[string]string{}
	for r.done < r.count {
		n := min(r.count-r.done, 1<<10)
		raw, err := r.read(n)
		if err != nil {
			return nil, err
		}
		r.done += n
		for i := range n {
			b := raw[i*r.dim : (i+1)*r.dim]
			text := string(b)
			if unit == 4 {
				runes := make([]rune, 0, width)
				for j := range width {
					runes = append(runes, rune(order.Uint32(b[4*j:])))
				}
				text = string(runes)
			}
			texts = append(texts, intern(interned, strings.TrimRight(text, "\x00")))
		}
	}
	return texts, nil
}

// wholeRows gives the bytes of rows.
type wholeRows interface {
	ahead(n int) (raw []byte, rows int, err error)
	skip(rows int)
}

// wholeTexts reads count whole numbers of any width as texts.
func wholeTexts(r wholeRows, elem element, count int) ([]string, error) {
	texts := make([]string, 0, min(count, 1<<20))
	interned := map[string]string{}
	var digits []byte
	for {
		raw, n, err := r.ahead(1 << 10)
		if errors.Is(err, io.EOF) {
			return texts, nil
		}
		if err != nil {
			return nil, err
		}
		for i := range n {
			digits = elem.appendWhole(digits[:0], raw[i*elem.width:])
			text, ok := interned[string(digits)]
			if !ok {
				text = string(digits)
				interned[text] = text
			}
			texts = append(texts, text)
		}
		r.skip(n)
	}
}

func intern(seen map[string]string, s string) string {
	if known, ok := seen[s]; ok {
		return known
	}
	seen[s] = s
	return s
}

// EachLine calls f with the lines of the text file at path, counted from 1, without their ends.
// What follows the last newline is a line if it is not empty.
func EachLine(path string, f func(line int, b []byte) error) error {
	if err := filekind.Regular(path); err != nil {
		return err
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	in := bufio.NewScanner(file)
	in.Buffer(make([]byte, 1<<16), MaxLine)
	line := 0
	for in.Scan() {
		line++
		b := in.Bytes()
		if line == 1 {
			var err error
			if b, err = plaintext.Strip(b); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
		}
		if line == 1 && bytes.IndexByte(b, 0) >= 0 {
			return fmt.Errorf("%s is no text: its first line has zero bytes; is it a file of another kind?", path)
		}
		if err := f(line, b); err != nil {
			return fmt.Errorf("%s:%d: %w", path, line, err)
		}
	}
	if err := in.Err(); err != nil {
		return fmt.Errorf("%s:%d: %w", path, line+1, err)
	}
	return nil
}

// MaxLine is the longest line of a text file that is read, in bytes.
const MaxLine = 1 << 20
