package sweepfile

import (
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"annbench/internal/words"
)

// The YAML library reads 016 as 14 and 1.5 as 1, drops a second document, refuses a key beside << that overrides a
// merged one, and says what is wrong in words of its own. So the form of a file is checked here, before it is decoded.

// checkShape reports the first thing in the file that has not the form of a sweep.
func (src *file) checkShape() error {
	var docs []*ast.DocumentNode
	for _, d := range src.root.Docs {
		if d.Body != nil && d.Body.Type() != ast.CommentType && d.Body.Type() != ast.NullType {
			docs = append(docs, d)
		}
	}
	if len(docs) > 1 {
		return src.errorAt(first(docs[1].Body).GetToken(), "a second document begins here (after ---): a sweep file has one; write the other to a file of its own")
	}
	if len(docs) == 0 {
		return nil
	}
	src.anchors = map[string]ast.Node{}
	src.merge(docs[0].Body, 0)
	return src.checkNode(docs[0].Body, reflect.TypeFor[Sweep](), "a sweep file", 0)
}

// merge writes the keys that << brings into each mapping, those that the mapping has itself left out.
func (src *file) merge(n ast.Node, depth int) {
	if depth > maxDepth {
		return
	}
	switch n := n.(type) {
	case *ast.AnchorNode:
		src.merge(n.Value, depth+1)
		src.anchors[n.Name.GetToken().Value] = n.Value
	case *ast.TagNode:
		src.merge(n.Value, depth+1)
	case *ast.SequenceNode:
		for _, v := range n.Values {
			src.merge(v, depth+1)
		}
	case *ast.MappingNode:
		for _, v := range n.Values {
			src.merge(v.Value, depth+1)
		}
		own := map[string]bool{}
		for _, v := range n.Values {
			if !v.Key.IsMergeKey() {
				own[v.Key.GetToken().Value] = true
			}
		}
		var values []*ast.MappingValueNode
		for _, v := range n.Values {
			if !v.Key.IsMergeKey() {
				values = append(values, v)
				continue
			}
			from := []ast.Node{v.Value}
			if list, ok := v.Value.(*ast.SequenceNode); ok {
				from = list.Values
			}
			for _, f := range from {
				merged := mappingOf(src.follow(f))
				if merged == nil {
					values = append(values, v) // the library says what is wrong with it
					break
				}
				for _, m := range merged {
					if key := m.Key.GetToken().Value; !own[key] {
						own[key] = true
						values = append(values, m)
					}
				}
			}
		}
		n.Values = values
	case *ast.MappingValueNode:
		src.merge(n.Value, depth+1)
	}
}

// maxDepth bounds how deep a file is looked into; a sweep has six levels.
const maxDepth = 64

// follow is the node that n stands for.
func (src *file) follow(n ast.Node) ast.Node {
	for range maxDepth {
		switch at := n.(type) {
		case *ast.AnchorNode:
			n = at.Value
		case *ast.TagNode:
			n = at.Value
		case *ast.AliasNode:
			to, ok := src.anchors[at.Value.GetToken().Value]
			if !ok {
				return n
			}
			n = to
		default:
			return n
		}
	}
	return n
}

// mappingOf are the keys and values of a mapping, nil if n is none.
func mappingOf(n ast.Node) []*ast.MappingValueNode {
	switch n := n.(type) {
	case *ast.MappingNode:
		return append([]*ast.MappingValueNode{}, n.Values...)
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}
	}
	return nil
}

var (
	octal     = regexp.MustCompile(`^[-+]?0\d+$`)
	thousands = regexp.MustCompile(`^[-+]?\d{1,3}(,\d{3})+$`)
)

// checkNode reports why n, called what, cannot be a value of type t.
func (src *file) checkNode(n ast.Node, t reflect.Type, what string, depth int) error {
	at := n
	n = src.follow(n)
	if n == nil || depth > maxDepth {
		return nil
	}
	if n.Type() == ast.NullType || n.Type() == ast.AliasType {
		return nil
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	says := func(format string, args ...any) error {
		if at.Type() == ast.AnchorType || at.Type() == ast.TagType {
			at = n
		}
		return src.errorAt(first(at).GetToken(), fmt.Sprintf(format, args...))
	}
	list, isList := n.(*ast.SequenceNode)
	pairs := mappingOf(n)
	if one := strings.HasPrefix(t.Name(), "OneOrMany["); one || t.Kind() == reflect.Slice {
		if !isList && !one {
			return says("%s is a list: write each on a line of its own after \"- \"", what)
		}
		if !isList {
			return src.checkNode(at, t.Elem(), what, depth+1)
		}
		for _, v := range list.Values {
			if err := src.checkNode(v, t.Elem(), "an entry of "+what, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	switch t.Kind() {
	case reflect.Struct:
		if pairs == nil {
			return says("%s is a mapping of keys to values, like {%s: ...}", what, levelKeys(t)[0])
		}
		return src.checkKeys(pairs, t, depth)
	case reflect.Map:
		if pairs == nil {
			return says("%s is a mapping of names to values, like {name: value}", what)
		}
		for _, p := range pairs {
			if err := src.checkNode(p.Value, t.Elem(), p.Key.GetToken().Value, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	if len(pairs) == 1 && t.Kind() == reflect.String && pairs[0].Value != nil { // pca:64, which is a mapping between brackets
		return says("%s: YAML takes this for a mapping: write \"%s:%s\" in quotes", what, pairs[0].Key.GetToken().Value, pairs[0].Value.GetToken().Value)
	}
	if isList || pairs != nil {
		return says("%s has one value here, not a list or a mapping", what)
	}
	value := n.GetToken().Value
	quoted := n.Type() == ast.StringType || n.Type() == ast.LiteralType
	switch k := t.Kind(); {
	case t == reflect.TypeFor[time.Duration](): // checkTimes looks at them
	case k == reflect.Interface || k >= reflect.Int && k <= reflect.Uint64 || k == reflect.Float64:
		if !quoted && octal.MatchString(value) {
			return says("%s: %s begins with 0, which YAML may take for an octal number: write %s", what, value, strings.TrimLeft(value, "+-0"))
		}
		if thousands.MatchString(value) {
			return says("%s: %q is not a number: write %s", what, value, strings.ReplaceAll(value, ",", ""))
		}
		if k == reflect.Interface {
			if x, err := strconv.ParseFloat(value, 64); err == nil && quoted {
				if kind := n.GetToken().Type; kind != token.SingleQuoteType && kind != token.DoubleQuoteType {
					return says("%s: %s is a text in YAML: write %s", what, value, strconv.FormatFloat(x, 'f', -1, 64))
				}
				return says("%s: %q in quotes is a text: write %s", what, value, value)
			}
			break
		}
		x, err := strconv.ParseFloat(strings.ReplaceAll(value, "_", ""), 64)
		if !quoted && err != nil {
			if v, e := strconv.ParseInt(value, 0, 64); e == nil { // 0x10
				x, err = float64(v), nil
			}
		}
		switch {
		case err != nil || math.IsNaN(x) || math.IsInf(x, 0):
			return says("%q is not %s", value, kindName(t))
		case k == reflect.Float64:
		case x != math.Trunc(x):
			return says("%q is not a whole number", value)
		case k >= reflect.Uint && k <= reflect.Uint64 && x < 0:
			return says("%s must be at least 0, not %s", what, value)
		case math.Abs(x) >= 1<<63 && k != reflect.Uint64 || math.Abs(x) >= 1<<64:
			return says("%s: %s is too large", what, value)
		}
	case k == reflect.String:
		if is, ok := otherText(n); ok && (t != reflect.TypeFor[Scalar]() || n.Type() == ast.IntegerType) {
			return says("%s: YAML takes %s for %s: write \"%s\" in quotes, or %s", what, value, is, value, is)
		}
	case k == reflect.Bool && n.Type() != ast.BoolType:
		switch strings.ToLower(value) {
		case "yes", "on", "y":
			return says("%s: write true instead of %s", what, value)
		case "no", "off", "n":
			return says("%s: write false instead of %s", what, value)
		}
		return says("%s is true or false, not %q", what, value)
	}
	return nil
}

// otherText is what YAML makes of a number or a truth value without quotes; ok if it is not what is written: 007 is 7, and 1.10 is 1.1.
func otherText(n ast.Node) (is string, ok bool) {
	switch n.Type() {
	case ast.IntegerType, ast.FloatType, ast.BoolType, ast.InfinityType, ast.NanType:
		is = fmt.Sprint(n.(ast.ScalarNode).GetValue())
	default:
		return "", false
	}
	return is, is != n.GetToken().Value
}

// checkKeys reports the first key that t does not have, or that has another form.
func (src *file) checkKeys(pairs []*ast.MappingValueNode, t reflect.Type, depth int) error {
	seen := map[string]bool{}
	for _, p := range pairs {
		if p.Key.IsMergeKey() {
			return src.errorAt(p.Key.GetToken(), "<< takes the keys of a mapping that an anchor (&name) marks, like <<: *name")
		}
		key := p.Key.GetToken().Value
		if seen[key] {
			return src.errorAt(p.Key.GetToken(), fmt.Sprintf("the key %q stands here twice", key))
		}
		seen[key] = true
		var field *reflect.StructField
		for f := range t.Fields() {
			if tag := f.Tag.Get("yaml"); tag == key && tag != "-" {
				field = &f
				break
			}
		}
		if field == nil {
			reason := fmt.Sprintf("unknown key %q", key)
			known := levelKeys(t)
			if near := words.Nearest(key, known); near != "" && near != key {
				reason += fmt.Sprintf("; did you mean %q?", near)
			} else if slices.Contains(levelKeys(reflect.TypeFor[Sweep]()), key) {
				reason += " here: it belongs to the outermost level of the file"
			} else if slices.Contains(levelKeys(reflect.TypeFor[Data]()), key) {
				reason += " here: it belongs under data"
			} else {
				reason += "; known here are " + strings.Join(known, ", ") + " (docs/reference/sweep-files.md)"
			}
			return src.errorAt(p.Key.GetToken(), reason)
		}
		if err := src.checkNode(p.Value, field.Type, key, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// levelKeys lists the keys of t, and not those of structs within it.
func levelKeys(t reflect.Type) []string {
	var keys []string
	for f := range t.Fields() {
		if key := f.Tag.Get("yaml"); key != "" && key != "-" {
			keys = append(keys, key)
		}
	}
	return keys
}
