package sweepfile

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strings"
	"time"

	"github.com/invopop/jsonschema"

	"annbench/bench/dataset/vecfile"
	"annbench/indexes"
	"annbench/indexes/external"
	"annbench/indexes/vec"
)

// sweepDocs has the doc of every key: the comments of the types that are decoded.
//
//go:embed sweep.go
var sweepDocs string

// Schema is the JSON Schema (2020-12) of sweep files, made from the types that they are decoded into
// and from the table of families: every key with its doc, every family with its own settings, their
// ranges, defaults and docs. Editors that have the YAML language server complete and check by it.
func Schema() ([]byte, error) {
	docs, err := fieldDocs(sweepDocs)
	if err != nil {
		return nil, err
	}
	r := &jsonschema.Reflector{
		FieldNameTag: "yaml", RequiredFromJSONSchemaTags: true, Anonymous: true, ExpandedStruct: true, DoNotReference: true,
		Mapper: mapType, CommentMap: docs,
	}
	// A reflector does not ask its mapper for what a mapped type contains.
	oneOrMany = func(t reflect.Type) *jsonschema.Schema { return manyOf(r.ReflectFromType(t)) }
	s := r.Reflect(&Sweep{})
	s.ID = ""
	s.Title = "annbench sweep"
	s.Description = "Which vectors to search, which index families to compare with which settings, and how to measure."
	s.Required = []string{"data", "families"}
	s.Properties.Set("families", &jsonschema.Schema{Type: "array", MinItems: ptr(uint64(1)), Items: familySchema(), Description: "Families to compare, each with the settings to try."})
	return json.MarshalIndent(s, "", "  ")
}

func ptr[T any](v T) *T { return &v }

// oneOrMany is how a [OneOrMany] is described, given the type of its elements.
var oneOrMany func(t reflect.Type) *jsonschema.Schema

// mapType describes the types that YAML has other forms for than Go.
func mapType(t reflect.Type) *jsonschema.Schema {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return &jsonschema.Schema{Type: "string", Pattern: `^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`, Examples: []any{"300ms", "10m"}}
	case t == reflect.TypeFor[vec.Metric]():
		s := &jsonschema.Schema{Type: "string"}
		for _, m := range vec.Metrics {
			s.Enum = append(s.Enum, string(m))
		}
		return s
	case t == reflect.TypeFor[Scalar]():
		return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{{Type: "string"}, {Type: "number"}, {Type: "boolean"}}}
	case strings.HasPrefix(t.Name(), "OneOrMany["):
		return oneOrMany(t.Elem())
	}
	return nil
}

// manyOf allows a value, or a list of them.
func manyOf(one *jsonschema.Schema) *jsonschema.Schema {
	one.Version = ""
	return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{one, {Type: "array", Items: one, MinItems: ptr(uint64(1))}}}
}

// familySchema describes an entry of families: its settings depend on the family.
func familySchema() *jsonschema.Schema {
	name := &jsonschema.Schema{Description: "Its name; `annbench families` lists them."}
	item := &jsonschema.Schema{Type: "object", Required: []string{"family"}, AdditionalProperties: jsonschema.FalseSchema, Properties: jsonschema.NewProperties()}
	item.Properties.Set("family", name)
	item.Properties.Set("build", &jsonschema.Schema{Type: "object", Description: "Settings fixed when the index is built: a value or a list of values each."})
	item.Properties.Set("search", &jsonschema.Schema{Type: "object", Description: "Settings that are changed without a rebuild: a value or a list of values each."})
	item.Properties.Set("address", &jsonschema.Schema{Type: "string", Description: "Where the engine answers, for families that are in one. Default: the one that `annbench engines up` started."})
	families := indexes.Families()
	if shipped, err := external.Shipped(); err == nil {
		families = append(families, shipped...)
	}
	for _, f := range families {
		name.OneOf = append(name.OneOf, &jsonschema.Schema{Const: f.Name, Description: fmt.Sprintf("%s (%s)", f.Doc, f.Library)})
		is := jsonschema.NewProperties()
		is.Set("family", &jsonschema.Schema{Const: f.Name})
		then := jsonschema.NewProperties()
		then.Set("build", settingsSchema(f.Name, "build", f.Build))
		then.Set("search", settingsSchema(f.Name, "search", f.Search))
		if f.Remote == nil {
			then.Set("address", jsonschema.FalseSchema)
		}
		item.AllOf = append(item.AllOf, &jsonschema.Schema{
			If:   &jsonschema.Schema{Properties: is, Required: []string{"family"}},
			Then: &jsonschema.Schema{Properties: then},
		})
	}
	name.OneOf = append(name.OneOf, &jsonschema.Schema{Type: "string", Pattern: "[/\\\\]", Description: "The folder of an external family, with its family.yaml: ./my-index, relative to this file; or ann-benchmarks:FOLDER."})
	return item
}

func settingsSchema(family, part string, params []indexes.Param) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "object", AdditionalProperties: jsonschema.FalseSchema, Properties: jsonschema.NewProperties()}
	s.Description = fmt.Sprintf("The %s settings of %s.", part, family)
	for _, p := range params {
		one := &jsonschema.Schema{Type: map[indexes.Kind]string{indexes.Int: "integer", indexes.Float: "number", indexes.Bool: "boolean", indexes.Word: "string", indexes.Text: "string"}[p.Kind]}
		switch p.Kind {
		case indexes.Int, indexes.Float:
			one.Minimum, one.Maximum = limit(p.Min), limit(p.Max)
		case indexes.Word:
			for _, w := range p.Words {
				one.Enum = append(one.Enum, w)
			}
		case indexes.Text:
			for _, w := range p.Words {
				one.Examples = append(one.Examples, w)
			}
		}
		many := manyOf(one)
		many.Description, many.Default = p.Doc, p.Default
		s.Properties.Set(p.Name, many)
	}
	return s
}

func limit(x float64) json.Number {
	return json.Number(strings.TrimSuffix(fmt.Sprintf("%.6f", x), ".000000"))
}

// fieldDocs reads the comments of the fields of all structs, by the names that the reflector asks for.
func fieldDocs(source string) (map[string]string, error) {
	file, err := parser.ParseFile(token.NewFileSet(), "sweep.go", source, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	pkg := reflect.TypeFor[Sweep]().PkgPath()
	docs := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		fields, ok := spec.Type.(*ast.StructType)
		if !ok {
			return false
		}
		for _, f := range fields.Fields.List {
			text := f.Doc.Text()
			if text == "" {
				text = f.Comment.Text()
			}
			for _, name := range f.Names {
				docs[pkg+"."+spec.Name.Name+"."+name.Name] = strings.Join(strings.Fields(strings.NewReplacer("[", "", "]", "").Replace(text)), " ")
			}
		}
		return false
	})
	columns := reflect.TypeFor[vecfile.Columns]()
	for field, text := range map[string]string{"Vectors": "Of the vectors.", "Labels": "Of the labels.", "IDs": "Of the ids."} {
		docs[columns.PkgPath()+".Columns."+field] = text
	}
	return docs, nil
}
