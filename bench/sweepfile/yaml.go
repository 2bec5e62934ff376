package sweepfile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"annbench/bench/dataset/vecfile"
	"annbench/indexes"
	"annbench/indexes/external"
	"annbench/internal/plaintext"
	"annbench/internal/units"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// file is the file that a sweep was read from, kept to say where in it something is wrong.
type file struct {
	path string
	text []byte
	root *ast.File

	anchors map[string]ast.Node // by name
}

// An Error is something wrong at a place in a file. Its text is one message: place, reason and
// fix, then the line itself with a mark under the place.
type Error struct {
	Path         string
	Line, Column int // from 1
	Reason       string
	Text         string // the line
}

func (e *Error) Error() string {
	at := fmt.Sprintf("%s:%d:%d: %s", e.Path, e.Line, e.Column, e.Reason)
	if e.Text == "" {
		return at
	}
	return fmt.Sprintf("%s\n    %s\n    %s^", at, e.Text, strings.Repeat(" ", max(0, e.Column-1)))
}

// Read reads the sweep file at path as [Reader.Read] does, with the families of this build.
func Read(path string) (*Sweep, error) { return Reader{}.Read(path) }

// Parse reads a sweep from text as [Reader.Parse] does, with the families of this build.
func Parse(path string, text []byte) (*Sweep, error) { return Reader{}.Parse(path, text) }

// Reader reads sweep files.
type Reader struct {
	// Lookup finds a family by its name, or by its folder. Nil is [external.Lookup].
	Lookup func(name string) (*indexes.Family, error)
}

// Read reads the sweep file at path and checks all that can be checked without the data: names,
// values, and that the files it names exist. Paths in it are relative to its own folder. An
// error about the file's contents is an [*Error].
func (r Reader) Read(path string) (*Sweep, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("no sweep file %s; configs/ has examples", path)
		}
		return nil, err
	}
	return r.Parse(path, text)
}

// Parse reads a sweep from text as Read does. path is the file's name in errors, and relative paths start at its
// folder.
func (r Reader) Parse(path string, text []byte) (*Sweep, error) {
	text, err := plaintext.Strip(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if vecfile.Named(path) || bytes.IndexByte(text, 0) >= 0 {
		return nil, fmt.Errorf("%s is no sweep file, which is YAML; to measure on the vectors in it use --data %s", path, path)
	}
	if at := plaintext.NotUTF8(text); at >= 0 {
		return nil, fmt.Errorf("%s:%d: it is no UTF-8, so its letters are not known: save the file as UTF-8", path, 1+bytes.Count(text[:at], []byte("\n")))
	}
	src := &file{path: path, text: text}
	if src.root, err = parse(text); err != nil {
		return nil, src.decodeError(err)
	}
	if err := src.checkShape(); err != nil {
		return nil, err
	}
	if err := src.checkTimes(); err != nil {
		return nil, err
	}
	s := &Sweep{}
	if err := decode(src.root, s); err != nil {
		return nil, src.decodeError(err)
	}
	s.file = src // after decoding, which clears everything that the file does not mention
	if err := s.checkZeros(); err != nil {
		return nil, err
	}
	if s.Name == "" {
		s.Name = strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	}
	s.defaults()
	lookup := r.Lookup
	if lookup == nil {
		lookup = func(name string) (*indexes.Family, error) { return external.Lookup(name, ".") }
	}
	if err := s.check(lookup); err != nil {
		return nil, err
	}
	return s, nil
}

// checkTimes checks the keys that are times, which the YAML library would read without their place or their unit:
// to it 300 is 300 ns.
func (src *file) checkTimes() error {
	for f := range reflect.TypeFor[Sweep]().Fields() {
		if f.Type != reflect.TypeFor[time.Duration]() {
			continue
		}
		key := f.Tag.Get("yaml")
		n, ok := src.node("$." + key).(ast.ScalarNode)
		if !ok || n.Type() == ast.NullType {
			continue // the YAML library says what is wrong with it
		}
		if _, err := units.ParseDuration(n.GetToken().Value); err != nil {
			return src.errorAt(n.GetToken(), fmt.Sprintf("%s: %v", key, err))
		}
	}
	return nil
}

// checkZeros refuses a number that is 0 and a list that is empty where the file has them: to the fields, these are the default.
func (s *Sweep) checkZeros() error {
	type level struct {
		path   string
		fields reflect.Value
	}
	levels := []level{{"$.", reflect.ValueOf(s).Elem()}}
	if s.Data.Synthetic != nil {
		levels = append(levels, level{"$.data.synthetic.", reflect.ValueOf(s.Data.Synthetic).Elem()})
	}
	for _, l := range levels {
		for f, value := range l.fields.Fields() {
			key := f.Tag.Get("yaml")
			list := strings.HasPrefix(f.Type.Name(), "OneOrMany[")
			number := f.Type.Kind() >= reflect.Int && f.Type.Kind() <= reflect.Float64
			if !list && (!number || !value.IsZero()) || list && value.Len() > 0 {
				continue
			}
			n := s.file.node(l.path + key)
			switch {
			case n == nil || n.Type() == ast.NullType:
			case key == "gallery":
				return s.errorf(l.path+key, "gallery must not be 0: -1 is none, and without the key it is its default")
			case list:
				return s.errorf(l.path+key, "%s has an empty list: name one at least, or leave the key out for its default", key)
			default:
				return s.errorf(l.path+key, "%s must not be %s: leave the key out for its default", key, n.GetToken().Value)
			}
		}
	}
	return nil
}

// parse and decode call the YAML library, which panics on some damaged files (a tag without a value
// where a list may stand, for one): that is an error of the file.

func parse(text []byte) (file *ast.File, err error) {
	defer unreadable(&err)
	return parser.ParseBytes(text, 0)
}

func decode(root *ast.File, s *Sweep) (err error) {
	defer unreadable(&err)
	for _, d := range root.Docs {
		if d.Body == nil || d.Body.Type() == ast.NullType || d.Body.Type() == ast.CommentType {
			continue
		}
		return decodeNode(d.Body, s)
	}
	return nil
}

func decodeNode(n ast.Node, s *Sweep) error {
	return yaml.NodeToValue(n, s, yaml.Strict(), yaml.CustomUnmarshaler(func(d *time.Duration, text []byte) (err error) {
		var word string
		if err := yaml.Unmarshal(text, &word); err != nil {
			return err
		}
		*d, err = units.ParseDuration(word)
		return err
	}))
}

func unreadable(err *error) {
	if r := recover(); r != nil {
		*err = errors.New("this is not YAML that can be read: look for tags (!), anchors (&) and values that are missing")
	}
}

// listPath is the path of element i of the list at path, or path itself where a single value stands
// there.
func (s *Sweep) listPath(path string, i int) string {
	element := fmt.Sprintf("%s[%d]", path, i)
	if s.file.node(element) != nil {
		return element
	}
	return path
}

// errorf makes an error about the value at a YAML path such as "$.data.images"; where the file has
// no such value, the place is that of the nearest one around it.
func (s *Sweep) errorf(path, format string, args ...any) error {
	reason := fmt.Sprintf(format, args...)
	for {
		if n := s.file.node(path); n != nil {
			return s.file.errorAt(n.GetToken(), reason)
		}
		cut := strings.LastIndexAny(path, ".[")
		if cut <= 0 {
			return s.file.errorAt(nil, reason)
		}
		path = path[:cut]
	}
}

func (src *file) node(path string) ast.Node {
	p, err := yaml.PathString(path)
	if err != nil {
		return nil
	}
	n, err := p.FilterFile(src.root)
	if err != nil {
		return nil
	}
	return first(n)
}

// first is the node at which a person would point to show n: the first key of a mapping, the value
// itself elsewhere.
func first(n ast.Node) ast.Node {
	switch n := n.(type) {
	case *ast.MappingNode:
		if len(n.Values) > 0 && !n.IsFlowStyle {
			return n.Values[0].Key
		}
	case *ast.MappingValueNode:
		return n.Key
	}
	return n
}

// maxShown is the longest line that is shown below an error, in bytes.
const maxShown = 160

func (src *file) errorAt(t *token.Token, reason string) error {
	e := &Error{Path: src.path, Line: 1, Column: 1, Reason: reason}
	if t != nil {
		e.Line, e.Column = t.Position.Line, t.Position.Column
	}
	if lines := strings.Split(string(src.text), "\n"); e.Line <= len(lines) && len(lines[e.Line-1]) <= maxShown {
		// Tabs would shift the mark.
		e.Text = strings.ReplaceAll(strings.TrimRight(lines[e.Line-1], "\r"), "\t", " ")
	}
	return e
}

// decodeError turns an error of the YAML library into one that names the file, the place and, for
// an unknown key, the key that was meant.
func (src *file) decodeError(err error) error {
	var at yaml.Error
	if !errors.As(err, &at) {
		return src.errorAt(nil, err.Error())
	}
	reason, t := at.GetMessage(), at.GetToken()
	var mistyped *yaml.TypeError
	if errors.As(err, &mistyped) && t != nil {
		reason = fmt.Sprintf("%q is not %s", t.Value, kindName(mistyped.DstType))
	}
	if strings.Contains(reason, "cannot unmarshal") || strings.Contains(reason, "was used where") {
		reason = "a value of another form is needed here; docs/reference/sweep-files.md has each key"
	}
	reason, _, _ = strings.Cut(reason, "\n")
	var syntax *yaml.SyntaxError
	if errors.As(err, &syntax) && t != nil {
		lines := strings.Split(string(src.text), "\n")
		plain, line := plainly(reason, lines, t.Position.Line)
		if line != t.Position.Line {
			t = &token.Token{Position: &token.Position{Line: line, Column: columns(lines[line-1])[0]}}
		}
		reason = plain
	}
	return src.errorAt(t, reason)
}

// kindName is what a value of type t is called in a sweep file.
func kindName(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "a time like 300ms or 10m"
	case t.Kind() >= reflect.Int && t.Kind() <= reflect.Uint64:
		return "a whole number"
	case t.Kind() == reflect.Float64:
		return "a number"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.String:
		return "a text"
	case t.Kind() == reflect.Struct || t.Kind() == reflect.Map:
		return "a mapping of keys to values"
	case t.Kind() == reflect.Slice:
		return "a list"
	}
	return "a " + t.String()
}

// yamlKeys lists the keys of t and of the structs within it.
func yamlKeys(t reflect.Type) []string {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		return yamlKeys(t.Elem())
	case reflect.Struct:
		var keys []string
		for f := range t.Fields() {
			if key := f.Tag.Get("yaml"); key != "" && key != "-" {
				keys = append(append(keys, key), yamlKeys(f.Type)...)
			}
		}
		return keys
	}
	return nil
}
