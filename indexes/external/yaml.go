package external

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"annbench/internal/plaintext"
	"annbench/internal/words"
)

// A FileError is something wrong at a place in a family.yaml. Its text is one message: place, reason and
// fix, then the line itself with a mark under the place.
type FileError struct {
	Path         string
	Line, Column int // from 1
	Reason       string
	Text         string // the line
}

func (e *FileError) Error() string {
	at := fmt.Sprintf("%s:%d:%d: %s", e.Path, e.Line, e.Column, e.Reason)
	if e.Text == "" {
		return at
	}
	return fmt.Sprintf("%s\n    %s\n    %s^", at, e.Text, strings.Repeat(" ", max(0, e.Column-1)))
}

// source is a file of YAML, kept to say where in it something is wrong.
type source struct {
	path string
	text []byte
	file *ast.File
}

// readYAML decodes text into to, strictly: a key that to does not have is an error.
func readYAML(path string, text []byte, to any) (src *source, err error) {
	src = &source{path: path, text: text}
	if text, err = plaintext.Strip(text); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	src.text = text
	defer func() { // the library panics on some damaged files
		if r := recover(); r != nil {
			err = src.at(nil, "this is not YAML that can be read: look for tags (!), anchors (&) and values that are missing")
		}
	}()
	if src.file, err = parser.ParseBytes(text, 0); err == nil {
		err = yaml.UnmarshalWithOptions(text, to, yaml.Strict())
	}
	if err != nil {
		return nil, src.explain(err, to)
	}
	return src, nil
}

// explain turns an error of the YAML library into one that names the place and, for an unknown key, the
// key that was probably meant.
func (src *source) explain(err error, to any) error {
	var at yaml.Error
	if !errors.As(err, &at) {
		return src.at(nil, err.Error())
	}
	reason, t := at.GetMessage(), at.GetToken()
	var unknown *yaml.UnknownFieldError
	if errors.As(err, &unknown) && t != nil {
		reason = fmt.Sprintf("unknown key %q", t.Value) + words.DidYouMean(t.Value, keys(src.around(t, reflect.TypeOf(to))))
	}
	var form *yaml.TypeError
	var node *yaml.UnexpectedNodeTypeError
	switch {
	case errors.As(err, &form):
		reason = wants(formOf(form.DstType), t)
	case errors.As(err, &node):
		reason = wants(map[ast.NodeType]string{ast.SequenceType: listForm, ast.MappingType: keysForm}[node.Expected], t)
	case strings.Contains(reason, "cannot unmarshal") || strings.Contains(reason, "was used where"):
		reason = wants("", t)
	}
	reason, _, _ = strings.Cut(reason, "\n")
	return src.at(t, reason)
}

const (
	listForm = "a list, like [a, b]"
	keysForm = "keys with values"
)

// formOf is how a value that is decoded into t is written; empty where that is not known.
func formOf(t reflect.Type) string {
	for t != nil {
		switch t.Kind() {
		case reflect.Pointer:
			t = t.Elem()
			continue
		case reflect.Bool:
			return "true or false"
		case reflect.String:
			return "text"
		case reflect.Int, reflect.Int64:
			return "a whole number"
		case reflect.Float64:
			return "a number"
		case reflect.Slice:
			return listForm
		case reflect.Map, reflect.Struct:
			return keysForm
		}
		break
	}
	return ""
}

// wants says that the value at t must be of another form.
func wants(form string, t *token.Token) string {
	const see = "docs/reference/external-protocol.md has each key"
	if form == "" || t == nil {
		return "a value of another form is needed here; " + see
	}
	what, value := "the value", t.Value
	if colon := t.Prev; colon != nil && colon.Type == token.MappingValueType && colon.Prev != nil {
		what = colon.Prev.Value
	}
	if t.Type == token.DoubleQuoteType || t.Type == token.SingleQuoteType {
		value = fmt.Sprintf("%q in quotes", value)
	}
	return fmt.Sprintf("%s must be %s, not %s; %s", what, form, value, see)
}

// around is the type of the mapping that the key at t stands in, in a file that is decoded into whole.
func (src *source) around(t *token.Token, whole reflect.Type) reflect.Type {
	within := whole
	for _, doc := range src.file.Docs {
		for _, n := range ast.Filter(ast.MappingValueType, doc.Body) {
			key := n.(*ast.MappingValueNode).Key
			if p := key.GetToken().Position; p.Line == t.Position.Line && p.Column == t.Position.Column {
				within = holder(whole, strings.Split(strings.TrimPrefix(key.GetPath(), "$."), "."))
			}
		}
	}
	return within
}

// holder is the type of the struct that holds the last of path, which are keys from t on, each perhaps with places of a
// list behind it: search[0].
func holder(t reflect.Type, path []string) reflect.Type {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if len(path) < 2 || t.Kind() != reflect.Struct {
		return t
	}
	name, _, _ := strings.Cut(path[0], "[")
	for f := range t.Fields() {
		if f.Tag.Get("yaml") == name {
			return holder(f.Type, path[1:])
		}
	}
	return t
}

// keys lists the YAML keys of the struct t, not those of structs within it.
func keys(t reflect.Type) (names []string) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	for f := range t.Fields() {
		if key := f.Tag.Get("yaml"); key != "" && key != "-" {
			names = append(names, key)
		}
	}
	return names
}

// errorf makes an error about the value at a path such as "$.build[0].min", or about the nearest one
// around it.
func (src *source) errorf(path, format string, args ...any) error {
	reason := fmt.Sprintf(format, args...)
	for {
		if p, err := yaml.PathString(path); err == nil {
			if n, err := p.FilterFile(src.file); err == nil {
				if m, ok := n.(*ast.MappingNode); ok && len(m.Values) > 0 && !m.IsFlowStyle {
					n = m.Values[0].Key
				}
				return src.at(n.GetToken(), reason)
			}
		}
		cut := strings.LastIndexAny(path, ".[")
		if cut <= 0 {
			return src.at(nil, reason)
		}
		path = path[:cut]
	}
}

func (src *source) at(t *token.Token, reason string) error {
	e := &FileError{Path: src.path, Line: 1, Column: 1, Reason: reason}
	if t != nil {
		e.Line, e.Column = t.Position.Line, t.Position.Column
	}
	if lines := strings.Split(string(src.text), "\n"); e.Line <= len(lines) {
		// Tabs would shift the mark.
		e.Text = strings.ReplaceAll(strings.TrimRight(lines[e.Line-1], "\r"), "\t", " ")
	}
	return e
}
