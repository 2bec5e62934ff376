// Package modelcard writes the report card of an embedding model: how its training went, how it
// classifies pictures, and how well exact search among its vectors finds pictures of one category.
//
// It measures nothing: package embedder/evaluate and the command fill in a [Card]. Its page uses the
// style sheet of package page.
package modelcard

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"annbench/bench/metric"
	"annbench/internal/atomicfile"
	"annbench/internal/plaintext"
	"annbench/reports/draw"
	"annbench/reports/page"
	"annbench/reports/say"
)

// File is the file of a [Card] in its folder, which may be a results folder: then the
// report on the results can show the model as well.
const File = "modelcard.json"

// Card is what is known of an embedder: how its training went, how it classifies pictures that
// it was not trained on, and how well exact search among its vectors finds pictures of one category.
type Card struct {
	Name    string `json:"name"`
	Digest  string `json:"sha256"`
	Doc     string `json:"doc,omitempty"`
	Licence string `json:"licence,omitempty"`
	Facts   []Fact `json:"facts,omitempty"` // how it was trained, in words

	Training    *Training    `json:"training,omitempty"` // nil: the model has no history
	Evaluations []Evaluation `json:"evaluations,omitempty"`
	Searches    []Search     `json:"searches,omitempty"`
}

// Fact is a line of a list: what, and its value.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Training is the course of a training run: a value an epoch in every slice.
type Training struct {
	Epochs    []float64 `json:"epochs"`
	TrainLoss []float64 `json:"train_loss"`
	ValLoss   []float64 `json:"val_loss"`
	// Accuracy are shares on validation, such as the top-1 of each collection.
	Accuracy []Series `json:"accuracy"`
	Chosen   float64  `json:"chosen,omitempty"` // the epoch that was exported; 0: not known
}

// Series is a named row of values.
type Series struct {
	Name   string    `json:"name"`
	Values []float64 `json:"values"`
}

// Evaluation is how the model classified a collection of labelled pictures.
type Evaluation struct {
	Name    string `json:"name"` // of the collection: "photographs, test"
	Images  int    `json:"images"`
	Skipped int    `json:"skipped,omitempty"` // pictures that could not be read
	// TrainedOn is how many pictures the model was trained on; 0 also where it does not say.
	TrainedOn int     `json:"trained_on,omitempty"`
	Top1      float64 `json:"top1"`
	Top5      float64 `json:"top5"`

	// Confusion counts, of the pictures of each category (row), how many were taken for each.
	Confusion metric.Confusion `json:"confusion"`
	// Threshold marks the categories whose F1 is below it.
	Threshold float64 `json:"threshold"`
	// Errors are pictures of marked categories that were taken for others, surest first.
	Errors []Error `json:"errors,omitempty"`
}

// Flattering says that the model was trained on some of the pictures; it is empty where it is not known to be so.
func (e *Evaluation) Flattering() string {
	if e.TrainedOn == 0 {
		return ""
	}
	return fmt.Sprintf("%s of %s of these were trained on: the figures are flattering", say.Count(e.TrainedOn), say.Count(e.Images))
}

// Error is a picture that was taken for another category.
type Error struct {
	ID         string  `json:"id"`
	Truth      string  `json:"truth"`
	Guess      string  `json:"guess"`
	Confidence float64 `json:"confidence"`          // softmax of the guess
	Thumbnail  []byte  `json:"thumbnail,omitempty"` // JPEG
}

// Search is exact search of every picture of a collection among all the others.
type Search struct {
	Name    string    `json:"name"`
	Images  int       `json:"images"`
	K       []int     `json:"k"`
	Labels  []string  `json:"labels"`
	Queries []int     `json:"queries"` // by label: pictures that have another of their label
	Vectors []Vectors `json:"vectors"`
}

// Vectors is how one kind of vectors did in a [Search].
type Vectors struct {
	Name    string      `json:"name"` // "embedding", "raw pixels"
	Dim     int         `json:"dim"`
	Metric  string      `json:"metric"`
	MAP     []float64   `json:"map"`           // at each K
	ByLabel [][]float64 `json:"by_label"`      // by label, then at each K; null without queries
	LID     *float64    `json:"lid,omitempty"` // over LIDK neighbours
	LIDK    int         `json:"lid_k,omitempty"`
}

// Below reports whether a category is marked: its F1 is below the threshold. A category without
// pictures has none, and is not.
func (e *Evaluation) Below(i int) bool {
	s := e.Confusion.Score(i)
	return s.Support > 0 && s.F1 != nil && *s.F1 < e.Threshold
}

// check says what of a card that was read from a file cannot be drawn.
func (m *Card) check() error {
	if t := m.Training; t != nil {
		rows := []Series{{"train_loss", t.TrainLoss}, {"val_loss", t.ValLoss}}
		for _, s := range append(rows, t.Accuracy...) {
			if len(s.Values) != len(t.Epochs) {
				return fmt.Errorf("training: %s has %d values for %d epochs", s.Name, len(s.Values), len(t.Epochs))
			}
		}
	}
	for _, e := range m.Evaluations {
		n := len(e.Confusion.Classes)
		if len(e.Confusion.Counts) != n {
			return fmt.Errorf("evaluation %s: %d rows of confusion for %d categories", e.Name, len(e.Confusion.Counts), n)
		}
		for _, row := range e.Confusion.Counts {
			if len(row) != n {
				return fmt.Errorf("evaluation %s: a row of confusion has %d counts for %d categories", e.Name, len(row), n)
			}
		}
	}
	for _, s := range m.Searches {
		if len(s.Queries) != len(s.Labels) {
			return fmt.Errorf("search %s: %d counts of queries for %d labels", s.Name, len(s.Queries), len(s.Labels))
		}
		for _, v := range s.Vectors {
			if len(v.MAP) != len(s.K) || len(v.ByLabel) != len(s.Labels) {
				return fmt.Errorf("search %s: %s has %d values for %d k, and %d rows for %d labels", s.Name, v.Name, len(v.MAP), len(s.K), len(v.ByLabel), len(s.Labels))
			}
			for _, row := range v.ByLabel {
				if row != nil && len(row) != len(s.K) {
					return fmt.Errorf("search %s: a row of %s has %d values for %d k", s.Name, v.Name, len(row), len(s.K))
				}
			}
		}
	}
	return nil
}

// Read reads the model's card in folder dir. The error is [fs.ErrNotExist] where it has none.
func Read(dir string) (*Card, error) {
	path := filepath.Join(dir, File)
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var m Card
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, plaintext.JSONError(text, err))
	}
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return &m, nil
}

// Section is the card in folder dir as a section of a page, id "model", to be put among the
// sections of a report as it is: every string of it is escaped, its styles are its own, and it
// fetches nothing. It is empty where the folder has no card.
func Section(dir string) (template.HTML, error) {
	m, err := Read(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return m.section()
}

// Write writes the card into folder dir, which it makes if it is missing, and returns the
// paths of the files, the page first: a page, the card as JSON, and its pictures as PNG and SVG (the
// galleries of errors as PNG alone).
func Write(dir string, m *Card) (files []string, err error) {
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("writing the model's card: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("writing the model's card: %w", err)
	}
	write := func(name string, b []byte, err error) error {
		path := filepath.Join(dir, name)
		if err == nil {
			err = atomicfile.Write(path, b)
		}
		if err != nil {
			return fmt.Errorf("writing the model's card: %s: %w", name, err)
		}
		files = append(files, path)
		return nil
	}
	html, err := m.page()
	if err := write(page.File, html, err); err != nil {
		return files, err
	}
	text, err := json.MarshalIndent(m, "", " ")
	if err := write(File, append(text, '\n'), err); err != nil {
		return files, err
	}
	drawn, err := draw.Write(dir, m.pictures(), modelHue)
	files = append(files, drawn...)
	if err != nil {
		return files, fmt.Errorf("writing the model's card: %w", err)
	}
	return files, nil
}

// pictures are those for which there is something to draw.
func (m *Card) pictures() []draw.Picture {
	var out []draw.Picture
	if m.Training != nil && len(m.Training.Epochs) > 0 {
		out = append(out, draw.Picture{File: "training", Title: "Training", Figure: &historyFigure{m.Training}, Width: 860})
	}
	for i := range m.Evaluations {
		e := &m.Evaluations[i]
		file := func(what string) string { return what + "-" + fileName(e.Name) }
		out = append(out,
			draw.Picture{File: file("categories"), Title: e.Name, Figure: &categoriesFigure{e}, Width: 620},
			draw.Picture{File: file("confusion"), Title: e.Name, Figure: &confusionFigure{e}, Width: (&confusionFigure{e}).natural()})
		if len(e.Errors) > 0 {
			out = append(out, draw.Picture{File: file("errors"), Title: e.Name, Figure: &errorsFigure{e}, Width: 860})
		}
	}
	return out
}

// fileName is a name of letters, digits and dashes.
func fileName(s string) string {
	words := strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9') })
	if len(words) == 0 {
		return "unnamed"
	}
	return strings.Join(words, "-")
}

var (
	//go:embed card.html.tmpl
	modelCardHTML string
	//go:embed card.css
	modelCardCSS string
)

var modelCardTemplate = template.Must(template.New("modelcard").Funcs(template.FuncMap{
	"count":  func(n int) string { return say.Count(n) },
	"plural": say.Plural,
	"share":  share4,
	"short":  func(s string) string { return s[:min(12, len(s))] },
	"photo": func(jpeg []byte) template.URL {
		return template.URL("data:image/jpeg;base64," + base64.StdEncoding.EncodeToString(jpeg))
	},
}).Parse(modelCardHTML))

// share4 writes a ratio with four digits, or a dash for one that is missing.
func share4(v *float64) string {
	if v == nil {
		return "–"
	}
	return strconv.FormatFloat(*v, 'f', 4, 64)
}

type modelCardData struct {
	*Card
	Style       template.CSS
	PageStyle   template.CSS
	History     template.HTML
	Narrow      template.HTML
	Evaluations []evaluationData
	Searches    []searchData
}

type evaluationData struct {
	*Evaluation
	Rows      []categoryRow
	Marked    int
	Matrix    template.HTML
	Galleries []errorGallery
}

type categoryRow struct {
	Name                  string
	Precision, Recall, F1 string
	Support               int
	Below                 bool
	Width                 string // of the bar of F1, in percent
	Taken                 string // what it is most often taken for
}

type errorGallery struct {
	Category string
	Errors   []Error
}

type searchData struct {
	Search
	Heads []string
	Mean  []string
	Rows  []searchRow
	Notes []string
}

type searchRow struct {
	Label   string
	Queries int
	Cells   []string
}

func (m *Card) data() *modelCardData {
	d := &modelCardData{Card: m, Style: template.CSS(modelCardCSS + modelHueCSS()), PageStyle: template.CSS(page.Style)}
	svg := func(f draw.Figure, width float64, label, class string) template.HTML {
		return template.HTML(draw.PageSVG(f, width, label, class, modelHueClass, modelHue))
	}
	if m.Training != nil && len(m.Training.Epochs) > 0 {
		f := &historyFigure{m.Training}
		d.History = svg(f, 1060, "Training: loss and accuracy by epoch", "mcwide")
		d.Narrow = svg(f, 380, "Training: loss and accuracy by epoch", "mcnarrow")
	}
	for i := range m.Evaluations {
		e := &m.Evaluations[i]
		out := evaluationData{Evaluation: e}
		for c, name := range e.Confusion.Classes {
			s := e.Confusion.Score(c)
			row := categoryRow{
				Name: name, Precision: share4(s.Precision), Recall: share4(s.Recall), F1: share4(s.F1),
				Support: s.Support, Below: e.Below(c), Width: "0%",
			}
			if s.F1 != nil {
				row.Width = strconv.FormatFloat(100**s.F1, 'f', 1, 64) + "%"
			}
			if guess, n := e.Confusion.Worst(c); n > 0 {
				row.Taken = fmt.Sprintf("%s (%d)", e.Confusion.Classes[guess], n)
			}
			if row.Below {
				out.Marked++
			}
			out.Rows = append(out.Rows, row)
		}
		out.Matrix = svg(&confusionFigure{e}, (&confusionFigure{e}).natural(), "Confusion matrix of "+e.Name, "mcmatrix")
		for _, err := range e.Errors {
			if n := len(out.Galleries); n == 0 || out.Galleries[n-1].Category != err.Truth {
				out.Galleries = append(out.Galleries, errorGallery{Category: err.Truth})
			}
			g := &out.Galleries[len(out.Galleries)-1]
			g.Errors = append(g.Errors, err)
		}
		d.Evaluations = append(d.Evaluations, out)
	}
	for _, s := range m.Searches {
		out := searchData{Search: s}
		for _, v := range s.Vectors {
			for i, k := range s.K {
				out.Heads = append(out.Heads, fmt.Sprintf("%s mAP@%d", v.Name, k))
				out.Mean = append(out.Mean, share4(&v.MAP[i]))
			}
			note := fmt.Sprintf("%s: %s dimensions, %s", v.Name, say.Count(v.Dim), v.Metric)
			if v.LID != nil {
				note += fmt.Sprintf(", LID %.1f over %d neighbours", *v.LID, v.LIDK)
			}
			out.Notes = append(out.Notes, note)
		}
		for l, label := range s.Labels {
			row := searchRow{Label: label, Queries: s.Queries[l]}
			for _, v := range s.Vectors {
				for i := range s.K {
					cell := "–"
					if v.ByLabel[l] != nil {
						cell = share4(&v.ByLabel[l][i])
					}
					row.Cells = append(row.Cells, cell)
				}
			}
			out.Rows = append(out.Rows, row)
		}
		d.Searches = append(d.Searches, out)
	}
	return d
}

func (m *Card) section() (template.HTML, error) {
	var b bytes.Buffer
	if err := modelCardTemplate.ExecuteTemplate(&b, "section", m.data()); err != nil {
		return "", fmt.Errorf("making the model's section: %w", err)
	}
	return template.HTML(b.String()), nil
}

func (m *Card) page() ([]byte, error) {
	var b bytes.Buffer
	if err := modelCardTemplate.Execute(&b, m.data()); err != nil {
		return nil, fmt.Errorf("making the model's page: %w", err)
	}
	return b.Bytes(), nil
}
