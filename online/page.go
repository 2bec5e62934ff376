package online

import (
	"bytes"
	_ "embed"
	"html/template"

	"annbench/internal/atomicfile"
	"annbench/internal/words"
)

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"share":   share,
	"percent": percent,
	"count":   words.Count,
}).Parse(pageText))

// WritePage writes the report as one HTML file, which loads nothing.
func (r *Report) WritePage(path string) error {
	var text, b bytes.Buffer
	if err := r.WriteText(&text); err != nil {
		return err
	}
	if err := page.Execute(&b, map[string]any{"R": r, "Text": text.String()}); err != nil {
		return err
	}
	return atomicfile.Write(path, b.Bytes())
}
