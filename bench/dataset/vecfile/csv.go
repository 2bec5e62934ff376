package vecfile

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// csvRows are the vectors of a text file: a line each.
type csvRows struct {
	loss
	t           *table
	lines       *lines
	numbers     []int // fields that are the vector
	lists       bool  // numbers is one field of lists in brackets
	dim         int
	labelAt     int // -1 for none
	idAt        int
	labels, ids []string
	interned    map[string]string
	done        int
	line        []float32
	block       []int // the line of each row that Next gave last, as lines counts them
}

// openCSV reads text with a vector a line: fields between commas, semicolons, tabs, bars or spaces, or one field
// of values in brackets. A first line may name the fields; [Columns] or the usual names say which are
// labels and ids. Fields of text that are neither are left out, and the file's notes name them. Word
// vectors, as GloVe, word2vec and fastText write them, have the word as the id.
func openCSV(in *input, columns Columns) (*File, error) {
	t, err := readTable(in)
	if err != nil {
		return nil, err
	}
	if t.sparse() {
		return nil, fmt.Errorf("line %d has numbered values (%s), as LIBSVM and SVMlight write them, which are not read; in Python: numpy.save(new, sklearn.datasets.load_svmlight_file(path)[0].toarray())", t.before+1, shorten(t.sample[0][len(t.sample[0])-1]))
	}
	c := &csvRows{t: t, labelAt: -1, idAt: -1, interned: map[string]string{}}
	head, err := t.header(columns)
	if err != nil {
		return nil, err
	}
	switch n := len(t.sample[0]); {
	case n < t.width, n > t.width && t.sep != ' ':
		return nil, fmt.Errorf("line %d has %d fields, those after it have %d", t.before+1+head, n, t.width)
	case t.names != nil && len(t.names) != t.width:
		return nil, fmt.Errorf("line %d names %d fields, those after it have %d", t.before+1, len(t.names), t.width)
	}
	if err := c.roles(columns); err != nil {
		return nil, err
	}
	c.lines = t.open(io.NewSectionReader(in, t.start, in.size-t.start))
	for range head {
		if _, err := c.lines.next(); err != nil {
			return nil, err
		}
	}
	c.dim = len(c.numbers)
	if c.lists {
		inside, _ := bracketed(t.sample[0][c.numbers[0]])
		c.dim = len(splitNumbers(inside))
	}
	if t.count >= 0 && c.dim != t.width-1 {
		return nil, fmt.Errorf("line %d says that vectors have %d dimensions, and line %d has %d numbers", t.before+1, t.width-1, t.before+1+head, c.dim)
	}
	if c.dim == 0 {
		return nil, fmt.Errorf("line %d has no numbers", t.before+1+head)
	}
	f := &File{Dim: c.dim, Count: -1, Rows: c, Notes: t.notes, place: c.place}
	if t.names != nil && !c.lists {
		for _, at := range c.numbers {
			f.Dimensions = append(f.Dimensions, c.called(at))
		}
	}
	f.expect = func() int { return int(float64(in.size) / float64(max(1, c.lines.in.n)) * float64(c.done)) }
	if c.labelAt >= 0 {
		f.Label = func(row int) string { return c.labels[row] }
	}
	if c.idAt >= 0 {
		f.ID = func(row int) string { return c.ids[row] }
	}
	return f, nil
}

func (t *table) note(format string, args ...any) {
	t.notes = append(t.notes, fmt.Sprintf(format, args...))
}

// header takes the line of names off the sample, if there is one, and returns how many lines it takes in the file.
func (t *table) header(columns Columns) (head int, err error) {
	if t.names != nil { // from a comment
		t.sample = t.sample[1:]
		return 0, nil
	}
	first, body := t.sample[0], t.sample[1:]
	asked := columns != Columns{}
	if len(body) == 0 {
		texts := 0
		for _, f := range first {
			if !t.isNumbers(f) {
				texts++
			}
		}
		if texts == len(first) || asked && texts > 0 {
			return 0, errors.New("the file has a line of names and nothing after it")
		}
	}
	if len(first) == 2 && len(body) > 0 && t.sep != ',' && isWhole(first[0]) && isWhole(first[1]) {
		if dim, _ := strconv.Atoi(first[1]); dim > 1 && len(body[0]) >= dim+1 {
			t.count, _ = strconv.Atoi(first[0])
			t.sample, t.width = body, dim+1
			for i, line := range body {
				t.sample[i] = t.joined(line)
			}
			return 1, nil
		}
	}
	headed, rowNames := false, false
	switch {
	case len(body) == 0:
	case len(first) == t.width-1 && t.sep != ' ' && t.kindOf(body, t.width-1) == 'e': // lines end with a separator, that of the names does not
		headed = true
		first = append(slices.Clone(first), "")
	case len(first) == t.width-1 && t.sep != ' ' || len(first) == t.width-1 && !t.isNumbers(first[len(first)-1]):
		headed, rowNames = true, true // as R writes it
	case len(first) != t.width:
		return 0, fmt.Errorf("line %d has %d fields, line %d has %d", t.before+1, len(first), t.before+2, t.width)
	default:
		vector := t.fractions(first)
		for i, f := range first {
			numeric := t.isNumbers(body[0][i])
			switch {
			case !t.isNumbers(f) && !vector && (f != "" || i == 0) && numeric:
				headed = true
			case !numeric && (isOneOf(f, labelNames) || isOneOf(f, idNames) || isOneOf(f, tableIDs) || isOneOf(f, tableLabels)):
				headed = true
			case f == "" && i == 0 && body[0][0] != "":
				headed = true
			}
		}
		headed = headed || t.namesAlmost(first, body[0])
		if !headed {
			if headed, err = t.numbered(first, body); err != nil {
				return 0, err
			}
		}
	}
	if !headed {
		if asked {
			return 0, fmt.Errorf("line %d has numbers, so the columns have no names that could be asked for", t.before+1)
		}
		return 0, nil
	}
	t.names = slices.Clone(first)
	if rowNames {
		t.names = append([]string{""}, t.names...)
	}
	t.sample = body
	return 1, t.secondNames()
}

// namesAlmost reports whether first has texts alone and next has what looks like numbers, such as 12.5% or 1.234,50: these are in
// error, not the names above them.
func (t *table) namesAlmost(first, next []string) bool {
	almost := almostNumber.MatchString
	return !slices.ContainsFunc(first, func(f string) bool { return t.isNumbers(f) || almost(f) }) && slices.ContainsFunc(next, almost)
}

// secondNames refuses a second line of names below the first, as pandas writes columns of several levels: of numbers, it would be
// a vector.
func (t *table) secondNames() error {
	if len(t.sample) < 2 || len(t.names) != len(t.sample[0]) || len(t.sample[1]) == 0 {
		return nil
	}
	line := t.sample[0]
	if t.names[0] == "" && line[0] == "" && t.sample[1][0] != "" {
		return fmt.Errorf("line %d has nothing in its first column, which has the names of rows: is it a second line of names, as pandas writes columns of several levels? Keep one", t.before+2)
	}
	repeats := len(t.names) > 1
	for i, name := range t.names {
		repeats = repeats && name == t.names[0] && line[i] == strconv.Itoa(i)
	}
	if repeats {
		return fmt.Errorf("all columns are called %q, and line %d counts them: is it a second line of names, as pandas writes columns of several levels? Keep one", shorten(t.names[0]), t.before+2)
	}
	return nil
}

// fractions reports whether the numbers in the first line are such as only vectors have: some with a fraction, and neither
// rising nor falling, as the wavelengths that name the columns of spectra do.
func (t *table) fractions(first []string) bool {
	var some, up, down bool
	last, n := float32(0), 0
	for _, f := range first {
		x, err := t.number(f)
		if err != nil {
			continue
		}
		if n > 0 {
			up, down = up || x > last, down || x <= last
		}
		if _, err := strconv.Atoi(f); err != nil {
			some = true
		}
		last = x
		n++
	}
	return some && (n < 3 || up && down)
}

// joined is a line of word vectors whose word may have spaces in it, as some of GloVe's do.
func (t *table) joined(line []string) []string {
	extra := len(line) - t.width
	if extra <= 0 {
		return line
	}
	return append([]string{strings.Join(line[:extra+1], " ")}, line[extra+1:]...)
}

func isWhole(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n > 0
}

// numbered reports whether first is a line of names that are 0, 1, 2, ..., as pandas writes for columns without names.
func (t *table) numbered(first []string, body [][]string) (bool, error) {
	from, n := -1, 0
	for i, f := range first {
		if !t.isNumbers(body[0][i]) {
			continue
		}
		v, err := strconv.Atoi(f)
		if err != nil || n > 0 && v != from+n {
			return false, nil
		}
		if n == 0 {
			from = v
		}
		n++
	}
	if n < 2 || from != 0 && from != 1 {
		return false, nil
	}
	whole, goesOn := true, len(body[0]) == len(first)
	for _, line := range body {
		for i, f := range line {
			if _, err := strconv.Atoi(f); err != nil && i < len(first) && t.isNumbers(f) {
				whole = false
			}
		}
	}
	for i, f := range body[0] {
		if v, err := strconv.Atoi(f); err != nil || v != from+n+i {
			goesOn = false
		}
	}
	switch {
	case goesOn: // 0, 1, 2 and then 3, 4, 5
		return false, nil
	case !whole && (from == 0 || n >= 4), whole && from == 0 && n >= 8:
		t.note("line %d (%s, ...) names the columns", t.before+1, strings.Join(first[:min(3, len(first))], ", "))
		return true, nil
	case whole && from == 0:
		return false, fmt.Errorf("line %d is %s: are these names of columns or a vector? Write names such as d0, d1, or remove the line", t.before+1, strings.Join(first, ", "))
	}
	return false, nil
}

// More names of text tables than the formats have in common.
var (
	tableLabels = []string{"class_name", "label_name", "category_name", "classes", "species"}
	tableIDs    = []string{
		"_id", "uuid", "image_id", "item_id", "product_id", "filename", "file_name", "file", "filepath", "file_path",
		"path", "image_path", "img_path", "image", "img", "image_name", "url", "word", "token", "name", "key", "index", "idx", "row_id", "rowid", "unnamed:_0",
	}
)

// arrayIDs are names of ids among arrays.
var arrayIDs = []string{"filenames", "file_names", "image_ids", "image_names", "paths", "image_paths", "names", "words", "keys"}

func isOneOf(name string, names []string) bool {
	return slices.Contains(names, normalName(name))
}

// normalName is a name of a column as the tables of names have it.
func normalName(name string) string {
	return strings.NewReplacer(" ", "_", "-", "_", ".", "_").Replace(strings.ToLower(strings.TrimSpace(name)))
}

// usual finds the column that has the first of the names which is there.
func (t *table) usual(asked string, names ...string) (int, error) {
	if asked != "" {
		return named(t.names, asked, nil)
	}
	for _, want := range names {
		for i, have := range t.names {
			if normalName(have) == want {
				return i, nil
			}
		}
	}
	return -1, nil
}

// roles decides what each field is.
func (c *csvRows) roles(columns Columns) (err error) {
	t := c.t
	kinds := make([]byte, t.width) // n numbers, l lists, t text, e empty
	for i := range kinds {
		kinds[i] = t.kind(i)
	}
	if t.names != nil {
		points := pointName("y", t.names)
		labels := slices.Concat(labelNames, tableLabels)
		if points { // x and y are dimensions
			labels = slices.DeleteFunc(labels, func(n string) bool { return n == "y" })
		}
		if c.labelAt, err = t.usual(columns.Labels, labels...); err != nil {
			return err
		}
		if c.idAt, err = t.usual(columns.IDs, slices.Concat(idNames, tableIDs)...); err != nil {
			return err
		}
		// A first column without a name has the names of rows. A column "id" is asked first, unless it is one of others, as
		// of users or shops, which repeat.
		if t.names[0] == "" && (c.idAt < 0 || columns.IDs == "" && !t.distinct(c.idAt) && t.distinct(0)) {
			c.idAt = 0
			t.note("column 1, which has no name, is the id of each line and no dimension, as of pandas and R")
		}
		if c.idAt < 0 && columns.Vectors == "" && c.labelAt != 0 && t.counts() {
			c.idAt = 0
			t.note("column %q, which counts %s, %s, ..., is row numbers and no dimension", shorten(t.names[0]), t.sample[0][0], t.sample[1][0])
		}
		if c.idAt >= 0 && c.idAt == c.labelAt {
			c.idAt = -1
		}
	} else {
		c.textRoles(kinds)
	}
	if t.names != nil && columns.Vectors != "" {
		at, err := named(t.names, columns.Vectors, nil)
		if err != nil {
			return err
		}
		c.numbers, c.lists = []int{at}, kinds[at] == 'l'
		if kinds[at] == 't' {
			return fmt.Errorf("column %q has %q, which is no vector", columns.Vectors, shorten(t.sample[0][at]))
		}
		c.besides(kinds)
		return nil
	}
	var lists, rest []int
	for i, k := range kinds {
		if i == c.labelAt || i == c.idAt {
			continue
		}
		if k == 'l' {
			lists = append(lists, i)
		}
		rest = append(rest, i)
	}
	if len(lists) > 0 {
		at := 0
		if len(lists) > 1 {
			have := make([]string, len(lists))
			for i, l := range lists {
				have[i] = c.called(l)
			}
			if at, err = named(have, "", vectorNames); err != nil {
				return err
			}
			if at < 0 {
				return fmt.Errorf("several columns are lists of numbers (%s): %s", quoteAll(have), nameOne)
			}
		}
		c.numbers, c.lists = []int{lists[at]}, true
		c.besides(kinds)
		return nil
	}
	var aside []int
	for _, i := range rest {
		name := ""
		if t.names != nil {
			name = t.names[i]
		}
		switch k := kinds[i]; {
		case k == 'e' && (name == "" || t.names == nil):
			if i != t.width-1 {
				return fmt.Errorf("column %d is empty: a value is missing in each line", i+1)
			}
			t.note("the last column is empty and was left out: each line ends with a separator")
		case k == 't' || k == 'e', name != "" && isOneOf(name, slices.Concat(idNames, tableIDs, tableLabels, labelNames)) && !pointName(name, t.names):
			aside = append(aside, i)
		default:
			c.numbers = append(c.numbers, i)
		}
	}
	c.series(&aside)
	c.aside(aside)
	if t.names == nil && c.labelAt < 0 {
		if note := t.classLike(c.numbers); note != "" {
			t.note("%s", note)
		}
		if t.idLike(c.numbers) {
			t.note("column %d has whole numbers that are all different and is read as a dimension: if these are ids, give the file a first line of names, with id there", c.numbers[0]+1)
		}
	}
	if len(c.numbers) == 0 {
		return fmt.Errorf("line %d has no numbers: fields are read between commas, semicolons, tabs, | and spaces", t.before+1)
	}
	return nil
}

// pointName reports whether name is y among x, y and z, or among x, y and a label by another name.
func pointName(name string, names []string) bool {
	has := func(wanted ...string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return isOneOf(n, wanted) })
	}
	others := slices.DeleteFunc(slices.Concat(labelNames, tableLabels), func(n string) bool { return n == "y" || n == "y_train" })
	return normalName(name) == "y" && has("x") && (has("z") || has(others...))
}

// kind is what the sample has in field i.
func (t *table) kind(i int) byte { return t.kindOf(t.sample, i) }

func (t *table) kindOf(lines [][]string, i int) byte {
	numbers, lists, texts := 0, 0, 0
	for _, line := range lines {
		if i >= len(line) || line[i] == "" {
			continue
		}
		_, list := bracketed(line[i])
		switch {
		case list && t.isNumbers(line[i]):
			lists++
		case t.isNumber(line[i]), almostNumber.MatchString(line[i]):
			numbers++ // or an error when it is read
		default:
			texts++
		}
	}
	switch {
	case lists > 0 && numbers == 0:
		return 'l'
	case numbers > 0:
		return 'n'
	case texts > 0:
		return 't'
	}
	return 'e'
}

// textRoles finds labels and ids where no line names them: by what their texts look like.
func (c *csvRows) textRoles(kinds []byte) {
	t := c.t
	if t.count >= 0 {
		c.idAt = 0
		return
	}
	if t.counts() {
		c.idAt = 0
		t.note("column 1, which counts %s, %s, ..., is row numbers and no dimension", t.sample[0][0], t.sample[1][0])
	}
	var texts []int
	for i, k := range kinds {
		if i == c.idAt {
			continue
		}
		if k == 't' || i == 0 && t.sep == ' ' && k == 'n' && t.wordFirst() {
			texts = append(texts, i)
		}
	}
	last := len(kinds) - 1
	for last > 0 && kinds[last] == 'e' {
		last--
	}
	for _, at := range texts {
		switch {
		case at == last && c.labelAt < 0:
			c.labelAt = at
			t.note("the last column, which has text, is the label")
		case c.idAt < 0 && t.distinct(at) && (t.sep == ' ' || len(t.sample) >= 8 || strings.ContainsAny(t.sample[0][at], "./")):
			c.idAt = at
			t.note("column %d, which has a text of its own in each line, is the id", at+1)
		case c.labelAt < 0:
			c.labelAt = at
			t.note("column %d, which has text, is the label", at+1)
		}
	}
}

// distinct reports whether field at is another one in each line of the sample.
func (t *table) distinct(at int) bool {
	seen := map[string]bool{}
	for _, line := range t.sample {
		if at < len(line) {
			seen[line[at]] = true
		}
	}
	return len(seen) == len(t.sample)
}

// counts reports whether the first field counts the lines, from 0 or 1, beside numbers with fractions, or in so many lines
// that no dimension does: pandas' index, as it is written without a line of names.
func (t *table) counts() bool {
	if len(t.sample) < 8 || t.width < 3 {
		return false
	}
	from, err := strconv.Atoi(t.sample[0][0])
	if err != nil || from != 0 && from != 1 {
		return false
	}
	fractions := make([]bool, t.width)
	for row, line := range t.sample {
		if len(line) != t.width || line[0] != strconv.Itoa(from+row) {
			return false
		}
		for i, f := range line {
			if _, err := strconv.Atoi(f); err != nil && t.isNumber(f) {
				fractions[i] = true
			}
		}
	}
	n := 0
	for _, has := range fractions {
		if has {
			n++
		}
	}
	return n >= 2 && 2*n >= t.width || len(t.sample) >= surelyCounted
}

// surelyCounted is in how many lines a field that counts them is no dimension, also among whole numbers: twice the length of
// the tables of whole numbers that people write by hand to try something.
const surelyCounted = 16

// classLike names a column at the edge of a table without names that may be a label: its whole numbers are few and leave none
// out, and the other columns have fractions, or a range that is much larger. It is empty if there is none.
func (t *table) classLike(numbers []int) string {
	if len(t.sample) < surelyCounted || len(numbers) < 3 {
		return ""
	}
	type span struct {
		seen     map[int]bool
		most     int
		fraction bool
	}
	spans := make([]span, len(numbers))
	for i, at := range numbers {
		spans[i].seen = map[int]bool{}
		for _, line := range t.sample {
			if at >= len(line) {
				return ""
			}
			x, err := strconv.Atoi(line[at])
			if err != nil || x < 0 {
				spans[i].fraction = true
				break
			}
			spans[i].seen[x] = true
			spans[i].most = max(spans[i].most, x)
		}
	}
	for _, edge := range []int{0, len(numbers) - 1} {
		s := spans[edge]
		if s.fraction || len(s.seen) < 2 || 4*len(s.seen) > len(t.sample) {
			continue
		}
		if first := s.most + 1 - len(s.seen); first != 0 && (first != 1 || s.seen[0]) { // 0 to n-1, or 1 to n
			continue
		}
		larger, others := 0, len(numbers)-1
		for i, o := range spans {
			if i != edge && (o.fraction || o.most >= 8*s.most) {
				larger++
			}
		}
		if larger > 0 && 3*larger >= others {
			return fmt.Sprintf("column %d has only the whole numbers %d to %d and is read as a dimension: if it is a label, give the file a first line of names, with label there", numbers[edge]+1, s.most+1-len(s.seen), s.most)
		}
	}
	return ""
}

// idLike reports whether the first of the columns that are dimensions has whole numbers alone, each another one, and most of the
// others have fractions.
func (t *table) idLike(numbers []int) bool {
	if len(t.sample) < 3 || len(numbers) < 3 {
		return false
	}
	seen := map[float32]bool{}
	fractions := make([]bool, len(numbers))
	for _, line := range t.sample {
		for i, at := range numbers {
			if at >= len(line) {
				return false
			}
			x, err := t.number(line[at])
			if err != nil {
				return false
			}
			fractions[i] = fractions[i] || float64(x) != math.Trunc(float64(x))
			if i == 0 {
				seen[x] = true
			}
		}
	}
	n := 0
	for _, has := range fractions {
		if has {
			n++
		}
	}
	return !fractions[0] && len(seen) == len(t.sample) && 2*n >= len(numbers)
}

// wordFirst reports whether most lines begin with a word, where some words are numbers.
func (t *table) wordFirst() bool {
	words := 0
	for _, line := range t.sample {
		if !t.isNumber(line[0]) {
			words++
		}
	}
	return 2*words > len(t.sample)
}

// called is the name of a column, or its number.
func (c *csvRows) called(i int) string {
	if i < len(c.t.names) && c.t.names[i] != "" {
		return c.t.names[i]
	}
	return strconv.Itoa(i + 1)
}

// series leaves out columns of numbers whose names are not like those of the others: where most are f0, f1, ...,
// a "price" is no dimension.
func (c *csvRows) series(aside *[]int) {
	if c.t.names == nil {
		return
	}
	stem := func(i int) string {
		if _, err := strconv.ParseFloat(c.t.names[i], 64); err == nil { // 400.5, as the columns of spectra are named
			return ""
		}
		return strings.TrimRight(c.t.names[i], "0123456789")
	}
	counts := map[string]int{}
	for _, i := range c.numbers {
		if s := stem(i); s != c.t.names[i] {
			counts[s]++
		}
	}
	for s, n := range counts {
		if n >= 2 && 3*n >= 2*len(c.numbers) && n < len(c.numbers) {
			c.numbers = slices.DeleteFunc(c.numbers, func(i int) bool {
				other := stem(i) != s || c.t.names[i] == s
				if other {
					*aside = append(*aside, i)
				}
				return other
			})
			return
		}
	}
	switch odd := c.odd(stem); {
	case len(odd) > 0 && len(odd) == len(c.numbers) || len(odd) == 0 && len(counts) > 1:
		if names := c.names(); !isPoint(names) {
			c.t.note("%s read as dimensions: remove what is none from the file", columnsAre(names))
		}
	case len(odd) > 0:
		c.t.note("%s also dimensions, beside others: remove what is none from the file", columnsAre(odd))
	}
}

// odd are the columns of numbers that have a name of their own, without a number.
func (c *csvRows) odd(stem func(int) string) (odd []string) {
	for _, i := range c.numbers {
		if name := c.t.names[i]; name != "" && stem(i) == name {
			odd = append(odd, shorten(name))
		}
	}
	return odd
}

// names are those of the columns of numbers.
func (c *csvRows) names() []string {
	names := make([]string, len(c.numbers))
	for i, at := range c.numbers {
		names[i] = shorten(c.called(at))
	}
	return names
}

// isPoint reports whether columns of these names are what a vector of them alone is: the coordinates of a point, or one column.
func isPoint(names []string) bool {
	return len(names) == 1 || !slices.ContainsFunc(names, func(n string) bool { return !isOneOf(n, pointNames) })
}

// pointNames are names of coordinates.
var pointNames = []string{"x", "y", "z", "w", "lat", "latitude", "lon", "long", "lng", "longitude", "height", "altitude", "elevation"}

// columnsAre is the beginning of a sentence about columns.
func columnsAre(names []string) string {
	if len(names) == 1 {
		return "column " + quoteAll(names) + " is"
	}
	return "columns " + quoteAll(names) + " are"
}

// besides says which columns are left out where one has the vectors.
func (c *csvRows) besides(kinds []byte) {
	var others []string
	var aside []int
	for i, k := range kinds {
		switch {
		case i == c.labelAt || i == c.idAt || i == c.numbers[0]:
		case k == 'l':
			others = append(others, shorten(c.called(i)))
		default:
			aside = append(aside, i)
		}
	}
	if len(others) > 0 {
		c.t.note("%s", otherVectors(others))
	}
	c.aside(aside)
}

// aside says which columns are left out.
func (c *csvRows) aside(columns []int) {
	if len(columns) == 0 {
		return
	}
	slices.Sort(columns)
	names := make([]string, len(columns))
	for i, at := range columns {
		names[i] = shorten(c.called(at))
	}
	word := "column"
	if len(columns) > 1 {
		word = "columns"
	}
	c.t.note("%s %s left out: neither vector, label nor id", word, quoteAll(names))
}

// fields reads the next line, with the same number of fields as those before.
func (c *csvRows) fields() ([]string, error) {
	line, err := c.lines.next()
	if err == nil {
		err = c.lines.repeated(line)
	}
	if err != nil {
		return nil, err
	}
	switch extra := len(line) - c.t.width; {
	case extra == 0:
		return line, nil
	case extra > 0 && c.t.sep == ' ' && c.idAt == 0:
		return c.t.joined(line), nil
	case c.lists || c.t.bare:
		return nil, fmt.Errorf("%s has %d fields, those before have %d", c.lines.place(), len(line), c.t.width)
	default:
		return nil, fmt.Errorf("%s has %d fields, those before have %d", c.lines.place(), len(line), c.t.width)
	}
}

// values appends the numbers of a line to dst.
func (c *csvRows) values(line []string, dst []float32) ([]float32, error) {
	for _, at := range c.numbers {
		parts := line[at : at+1]
		if c.lists {
			inside, ok := bracketed(line[at])
			if !ok {
				return nil, fmt.Errorf("%s: %q is no list in brackets", c.lines.place(), shorten(line[at]))
			}
			parts = splitNumbers(inside)
		}
		for _, p := range parts {
			x, err := c.t.number(p)
			if err != nil {
				return nil, fmt.Errorf("%s, column %s: %q %w", c.lines.place(), shorten(c.called(at)), shorten(p), err)
			}
			if mantissa, _, _ := strings.Cut(strings.ToLower(p), "e"); x == 0 && strings.ContainsAny(mantissa, "123456789") {
				c.zeros++
			}
			dst = append(dst, x)
		}
	}
	return dst, nil
}

// place names a value of a row that Next gave last.
func (c *csvRows) place(row, dimension int) string {
	at := c.numbers[0]
	if !c.lists {
		at = c.numbers[dimension]
	}
	line := c.block[row-(c.done-len(c.block))]
	return fmt.Sprintf("%s, column %s, dimension %d", c.lines.placeOf(line), shorten(c.called(at)), dimension)
}

func (c *csvRows) Next(dst []float32) (int, error) {
	n := 0
	c.block = c.block[:0]
	for (n+1)*c.dim <= len(dst) {
		line, err := c.fields()
		if errors.Is(err, io.EOF) {
			if c.t.count >= 0 && c.done != c.t.count {
				return 0, fmt.Errorf("the first line says %d vectors, the file has %d: it is cut short or damaged", c.t.count, c.done)
			}
			break
		}
		if err != nil {
			return 0, err
		}
		if c.line, err = c.values(line, c.line[:0]); err != nil {
			return 0, err
		}
		if len(c.line) != c.dim {
			return 0, fmt.Errorf("%s has a vector of %d dimensions, those before have %d", c.lines.place(), len(c.line), c.dim)
		}
		copy(dst[n*c.dim:], c.line)
		c.block = append(c.block, c.lines.line)
		if c.labelAt >= 0 {
			c.labels = append(c.labels, intern(c.interned, strings.Clone(line[c.labelAt])))
		}
		if c.idAt >= 0 {
			c.ids = append(c.ids, strings.Clone(line[c.idAt]))
		}
		n++
		c.done++
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}
