package catalog

import (
	"bufio"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"annbench/embedder/catalog/boards"
	"annbench/internal/words"
)

// columns are the fields of an annotation, by the names that Complete the Look gives them.
var columns = [...]string{
	"image_signature", "bounding_x", "bounding_y", "bounding_width", "bounding_height", "label",
}

// Annotations are the boxes of a file in the form of Complete the Look: a header of six names, and
// then a row a box, its fields separated by tabs. The header may be separated by any white space, as
// that of the published files is; its names say which field is which. Boxes are shares of the board
// in [0, 1], (x, y) the upper left corner.
type Annotations struct {
	Path   string
	Boards []Annotated // in the order of their first rows
	// Problems are the rows that could not be used as they stand, in the order of the file.
	Problems []Problem
}

// Annotated is a board with its boxes.
type Annotated struct {
	Name  string // the board's signature, which its image file is named by
	Boxes []Annotation
}

// Annotation is a labelled box within its board. Its ID is the board's name and the place of the row
// among the rows of the board that can be read: "00015b9d#3".
type Annotation struct {
	boards.Box
	ID string
}

// Troubled is a source that found problems when it was opened.
type Troubled interface {
	Problems() []Problem
}

// Problem is something in annotations, board images or folders that is not as it should be. No problem ends
// the reading: what is left is used.
type Problem struct {
	Kind   ProblemKind
	Where  string // "boards.tsv:17", or the path of an image
	Reason string
	Items  int      // that are missing in the collection because of it
	ID     string   // of what it is about: an item or a board; empty where that cannot be told
	Labels []string // of what is wrong with categories: their names
}

// String is the problem in one line.
func (p Problem) String() string {
	return words.Visible(fmt.Sprintf("%s: %s: %s", p.Where, p.Kind, p.Reason))
}

// ProblemKind says what a problem does to the collection.
type ProblemKind string

// The kinds of problems.
const (
	UnreadableRow ProblemKind = "unreadable row" // left out
	EmptyBox      ProblemKind = "empty box"      // no area, or all of it outside of the board: left out
	ClippedBox    ProblemKind = "clipped box"    // reached out of the board, and was cut at its edge
	MissingBoard  ProblemKind = "missing board"  // no image: its boxes are left out
	CorruptImage  ProblemKind = "corrupt image"  // a file that cannot be decoded
	RepeatedBox   ProblemKind = "repeated box"   // stands twice with one label: the second is left out

	// Of folders of images.
	OtherPicture  ProblemKind = "picture of another kind" // HEIC, AVIF, GIF, ...: left out
	StrayFile     ProblemKind = "stray file"              // no picture, or in no category: left out
	EmptyCategory ProblemKind = "empty category"          // a folder without an image
	AlikeCategory ProblemKind = "category like another"   // names that people take for one; see [words.Spellings]
)

// ProblemKinds are all kinds, in the order in which they are listed.
func ProblemKinds() []ProblemKind {
	return []ProblemKind{
		UnreadableRow, EmptyBox, ClippedBox, RepeatedBox, MissingBoard, CorruptImage,
		EmptyCategory, AlikeCategory, OtherPicture, StrayFile,
	}
}

// DescribeProblems counts problems by their kind and names the first of each, in lines for people.
func DescribeProblems(problems []Problem) []string {
	const named = 3
	var lines []string
	for _, kind := range ProblemKinds() {
		n := 0
		items := 0
		var first []string
		for _, p := range problems {
			if p.Kind != kind {
				continue
			}
			if n++; n <= named {
				first = append(first, "  "+words.Visible(p.Where+": "+p.Reason))
			}
			items += p.Items
		}
		if n == 0 {
			continue
		}
		line := words.Count(n, string(kind))
		if kind == AlikeCategory || kind == OtherPicture { // the noun is not the last word
			noun, rest, _ := strings.Cut(string(kind), " ")
			line = words.Count(n, noun) + " " + rest
		}
		if items > 0 {
			line += fmt.Sprintf(", %s left out", words.Count(items, "item"))
		}
		lines = append(append(lines, line+":"), first...)
		if n > named {
			lines = append(lines, fmt.Sprintf("  and %d more", n-named))
		}
	}
	return lines
}

// Doubts are the problems that change what is measured without a failed item, a line each, for reports: categories that are
// missing, and those that may be one.
func Doubts(problems []Problem) []string {
	var empty, out []string
	for _, p := range problems {
		switch p.Kind {
		case EmptyCategory:
			empty = append(empty, p.Labels...)
		case AlikeCategory:
			out = append(out, AlikeLabels(p.Labels))
		}
	}
	if len(empty) == 0 {
		return out
	}
	const most = 20
	more, verb := "", "are"
	if len(empty) == 1 {
		verb = "is"
	}
	n := len(empty)
	if n > most {
		more, empty = fmt.Sprintf(" and %d more", n-most), empty[:most]
	}
	line := fmt.Sprintf("%s %s missing, as no image was found in the folder: %s%s", words.Count(n, "category"), verb, words.QuoteAll(empty), more)
	return append([]string{line}, out...)
}

// AlikeLabels says that names that people take for one count as several categories.
func AlikeLabels(labels []string) string {
	return fmt.Sprintf("%s count as %d categories: give them one name if they are the same", words.QuoteAll(labels), len(labels))
}

// alikeProblems are the problems of categories that people take for one.
func alikeProblems(labels []string, where func(label string) string) (problems []Problem) {
	for _, group := range words.Spellings(labels) {
		problems = append(problems, Problem{Kind: AlikeCategory, Where: where(group[1]), Reason: AlikeLabels(group), Labels: group})
	}
	return problems
}

// Strict makes an error of problems, nil where there are none. It names the first.
func Strict(problems []Problem) error {
	switch len(problems) {
	case 0:
		return nil
	case 1:
		return errors.New(problems[0].String())
	}
	return fmt.Errorf("%s (and %d problems more)", problems[0], len(problems)-1)
}

const (
	// clipTolerance is how far a box may reach out of its board without being called clipped: the
	// seven digits of Complete the Look put 786 of its 25,140 boxes out by at most 6e-8.
	clipTolerance = 1e-6

	// maxRow is the longest row that is read, in bytes.
	maxRow = 1 << 20
)

// ReadAnnotations reads the annotations in the file at path. A row that cannot be read is a problem
// that names its line. It is an error when the file cannot be read, does not begin with the header,
// or has no box that can be used.
func ReadAnnotations(path string) (*Annotations, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading annotations: %w", err)
	}
	defer f.Close()
	in := bufio.NewScanner(f)
	in.Buffer(make([]byte, 64<<10), maxRow)

	a := &Annotations{Path: path}
	r := rowReader{place: map[string]int{}}
	line := 0
	for in.Scan() {
		line++
		text := strings.TrimSuffix(in.Text(), "\r")
		if line == 1 {
			text = strings.TrimPrefix(text, "\ufeff")
		}
		switch {
		case strings.TrimSpace(text) == "":
		case r.order == nil:
			if err := r.header(text); err != nil {
				return nil, fmt.Errorf("reading annotations: %s:%d: %w", path, line, err)
			}
		default:
			a.row(&r, line, text)
		}
	}
	if err := in.Err(); err != nil {
		return nil, fmt.Errorf("reading annotations: %s:%d: %w", path, line+1, err)
	}
	if r.order == nil {
		return nil, fmt.Errorf("reading annotations: %s is empty: it should begin with the line %q", path, strings.Join(columns[:], "\t"))
	}
	a.Boards = slices.DeleteFunc(a.Boards, func(b Annotated) bool { return len(b.Boxes) == 0 })
	if len(a.Boards) == 0 {
		if err := Strict(a.Problems); err != nil {
			return nil, fmt.Errorf("reading annotations: no box can be used: %w", err)
		}
		return nil, fmt.Errorf("reading annotations: %s has no rows below its header", path)
	}
	return a, nil
}

// row adds what line says.
func (a *Annotations) row(r *rowReader, line int, text string) {
	problem := func(kind ProblemKind, items int, id, format string, args ...any) {
		a.Problems = append(a.Problems, Problem{
			Kind: kind, Where: fmt.Sprintf("%s:%d", a.Path, line), ID: id,
			Reason: fmt.Sprintf(format, args...), Items: items,
		})
	}
	name, box, err := r.read(text)
	if err != nil {
		problem(UnreadableRow, 1, "", "%v", err)
		return
	}
	at, ok := r.place[name]
	if !ok {
		at = len(a.Boards)
		r.place[name] = at
		a.Boards = append(a.Boards, Annotated{Name: name})
		r.rows = append(r.rows, 0)
	}
	id := fmt.Sprintf("%s#%d", printable(name), r.rows[at])
	r.rows[at]++
	cut, off := clip(box)
	switch {
	case !(box.W > 0 && box.H > 0):
		problem(EmptyBox, 1, id, "the box of %s has no area: %g × %g", id, box.W, box.H)
		return
	case !(cut.W > 0 && cut.H > 0):
		problem(EmptyBox, 1, id, "the box of %s lies outside of the board: x %g, y %g, %g × %g; boxes are shares of the board, in 0 to 1", id, box.X, box.Y, box.W, box.H)
		return
	case off > clipTolerance:
		problem(ClippedBox, 0, id, "the box of %s reaches out of the board by %.3g", id, off)
	}
	for _, b := range a.Boards[at].Boxes {
		if b.Box == cut {
			problem(RepeatedBox, 1, id, "the box of %s is that of %s, label and all", id, b.ID)
			return
		}
	}
	a.Boards[at].Boxes = append(a.Boards[at].Boxes, Annotation{Box: cut, ID: id})
}

// clip cuts a box at the edges of its board, and says how far it reached out at most. What lies
// outside, or is too thin for its place to be told from its end, has no width or no height after.
func clip(b boards.Box) (cut boards.Box, off float64) {
	right, bottom := b.X+b.W, b.Y+b.H
	if b.X >= 1 || b.Y >= 1 || right <= max(0, b.X) || bottom <= max(0, b.Y) {
		b.W, b.H = 0, 0
		return b, math.Inf(1)
	}
	off = max(0, -b.X, -b.Y, right-1, bottom-1)
	if off == 0 {
		return b, 0
	}
	cut = b
	if b.X < 0 || right > 1 {
		cut.X = max(0, b.X)
		cut.W = min(1, right) - cut.X
	}
	if b.Y < 0 || bottom > 1 {
		cut.Y = max(0, b.Y)
		cut.H = min(1, bottom) - cut.Y
	}
	return cut, off
}

// rowReader reads rows by the order of the header's names.
type rowReader struct {
	order []int          // order[c] is the field that has column c; nil before the header
	place map[string]int // of each board among the boards
	rows  []int          // rows of each board so far
}

func (r *rowReader) header(text string) error {
	names := strings.Fields(text)
	order := make([]int, len(columns))
	for c, want := range columns {
		order[c] = slices.IndexFunc(names, func(name string) bool { return strings.EqualFold(name, want) })
		if order[c] < 0 || len(names) != len(columns) {
			return fmt.Errorf("the header should be %q, not %.200q", strings.Join(columns[:], "\t"), text)
		}
	}
	r.order = order
	return nil
}

func (r *rowReader) read(text string) (name string, box boards.Box, err error) {
	fields := strings.Split(text, "\t")
	if len(fields) != len(columns) {
		return "", box, fmt.Errorf("%d fields, want %d separated by tabs", len(fields), len(columns))
	}
	field := func(c int) string { return strings.TrimSpace(fields[r.order[c]]) }
	// The name becomes that of a file: it must not lead out of the folder.
	if name = field(0); name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\\\x00") {
		return "", box, fmt.Errorf("%s %.100q is not the name of a file", columns[0], name)
	}
	for c, v := range [...]*float64{&box.X, &box.Y, &box.W, &box.H} {
		if *v, err = strconv.ParseFloat(field(1+c), 64); err != nil || math.IsNaN(*v) || math.IsInf(*v, 0) {
			return "", box, fmt.Errorf("%s %.100q is not a number", columns[1+c], field(1+c))
		}
	}
	if box.Label = printable(field(5)); box.Label == "" {
		return "", box, errors.New("no label")
	}
	return name, box, nil
}
