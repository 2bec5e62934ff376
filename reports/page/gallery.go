package page

import (
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"os"
	"slices"

	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/reports/judge"
	"annbench/reports/say"
)

// Limits of the gallery on the page, in bytes of the picture files: of one picture, and of all. The
// base64 of a page is a third larger.
const (
	maxThumb  = 32 << 10
	maxThumbs = 3 << 20
)

// shownAnswers is how many answers of a list are shown.
const shownAnswers = 10

// gallery is what the families recommend for some queries, for people to look at.
type gallery struct {
	Why     string // why there is no gallery; empty where there is one
	Notes   []string
	K       int
	Labels  bool
	Queries []galleryQuery
	Thumbs  []thumb
}

type thumb struct {
	Ref  string
	Data template.URL // made here, of bytes that were found to be a picture
}

type galleryQuery struct {
	N     int
	Why   string // it is shown
	First bool   // of those shown for that reason
	Item  galleryItem
	Rows  []galleryRow
	Total int // items of the base with the query's label
}

type galleryRow struct {
	Family, Class, Setting string
	Reference              bool // the exact neighbours
	Why                    string
	Summary                string
	Items                  []galleryItem
	Missed                 []galleryItem
	More                   int // answers beyond those shown
}

type galleryItem struct {
	Ref       string // of its thumb; empty where it has none
	ID, Label string
	Rank      int
	// Mark is "right", "wrong" or "" where labels do not tell.
	Mark  string
	Extra bool // not among the exact neighbours
}

// Alt is read out instead of the photograph.
func (g galleryItem) Alt() string {
	s := g.ID
	if g.Label != "" {
		s += ", " + g.Label
	}
	return s
}

// Title is shown where the pointer rests on it.
func (g galleryItem) Title() string {
	s := g.Alt()
	if g.Rank > 0 {
		s = fmt.Sprintf("%d. %s", g.Rank, s)
	}
	switch g.Mark {
	case "right":
		s += "\nright: the query's category"
	case "wrong":
		s += "\nwrong: another category"
	}
	if g.Extra {
		s += "\nnot among the exact neighbours"
	}
	return s
}

// thumbs reads the pictures of one results folder, each once, and counts what it could not use.
type thumbs struct {
	root    *os.Root
	refs    map[string]string // by file; "" for one that cannot be shown
	out     []thumb
	bytes   int
	large   int
	damaged int
}

func (t *thumbs) ref(file string) string {
	if file == "" {
		return ""
	}
	if ref, ok := t.refs[file]; ok {
		return ref
	}
	ref := ""
	switch b, kind, err := t.read(file); {
	case errors.Is(err, errLarge):
		t.large++
	case err != nil:
		t.damaged++
	default:
		ref = fmt.Sprintf("p%d", len(t.out))
		t.bytes += len(b)
		t.out = append(t.out, thumb{ref, template.URL("data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(b))})
	}
	t.refs[file] = ref
	return ref
}

var (
	errLarge = errors.New("picture is too large for the page")
	errKind  = errors.New("not a picture that browsers show")
)

// read reads a picture below the results folder. The name is data: [os.Root] lets no name out of the
// folder, and what the file holds decides what it is.
func (t *thumbs) read(file string) (b []byte, kind string, err error) {
	f, err := t.root.Open(file)
	if err != nil {
		return nil, "", err
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil {
		return nil, "", err
	} else if !st.Mode().IsRegular() {
		return nil, "", errKind
	}
	b, err = io.ReadAll(io.LimitReader(f, maxThumb+1))
	if err != nil {
		return nil, "", err
	}
	if len(b) > maxThumb {
		return nil, "", errLarge
	}
	kind = http.DetectContentType(b)
	if !slices.Contains([]string{"image/jpeg", "image/png", "image/webp", "image/gif"}, kind) {
		return nil, "", errKind
	}
	return b, kind, nil
}

// makeGallery makes the gallery of the terms in focus. Pictures that cannot be read are left out and
// counted; so are queries, from the end, once the pictures fill their limit.
func makeGallery(r *judge.Report, choices []judge.Choice, class func(string) string) gallery {
	g := gallery{K: r.Focus.K}
	src := r.Source(r.Focus.Dataset)
	if src == nil || src.Gallery == nil || len(src.Gallery.Queries) == 0 {
		g.Why = "The results hold no gallery: the data set has no pictures, or the sweep keeps none."
		return g
	}
	root, err := os.OpenRoot(src.Dir)
	if err != nil {
		g.Why = "The pictures cannot be read: the results folder is gone."
		return g
	}
	defer root.Close()
	t := &thumbs{root: root, refs: map[string]string{}}
	b := galleryBuilder{gallery: src.Gallery, thumbs: t, k: r.Focus.K, truth: src.Gallery.Truth[r.Focus.Metric]}
	for i, q := range src.Gallery.Queries {
		if t.bytes > maxThumbs {
			g.Notes = append(g.Notes, fmt.Sprintf("%s of the results' gallery are left out, so that this page stays small.", say.Plural(len(src.Gallery.Queries)-i, "query", "queries")))
			break
		}
		g.Labels = g.Labels || q.Label != ""
		g.Queries = append(g.Queries, b.query(i, choices, class))
	}
	g.Thumbs = t.out
	if t.large > 0 {
		g.Notes = append(g.Notes, fmt.Sprintf("%s left out: larger than %d KiB.", say.Plural(t.large, "picture is", "pictures are"), maxThumb>>10))
	}
	if t.damaged > 0 {
		g.Notes = append(g.Notes, fmt.Sprintf("%s missing or damaged in the results folder; their names stand instead.", say.Plural(t.damaged, "picture is", "pictures are")))
	}
	if !g.Labels {
		g.Notes = append(g.Notes, "The data set has no categories, so right and wrong are not marked.")
	}
	if b.truth == nil {
		g.Notes = append(g.Notes, "The results hold no exact neighbours under this metric, so what was missed is not marked.")
	}
	return g
}

type galleryBuilder struct {
	gallery *record.Gallery
	thumbs  *thumbs
	truth   [][]int32
	k       int
}

func (b *galleryBuilder) query(i int, choices []judge.Choice, class func(string) string) galleryQuery {
	q := b.gallery.Queries[i]
	out := galleryQuery{N: i + 1, Item: galleryItem{Ref: b.thumbs.ref(q.Thumb), ID: q.ID, Label: q.Label}}
	if i < len(b.gallery.Why) {
		out.Why = b.gallery.Why[i]
		out.First = i == 0 || b.gallery.Why[i-1] != out.Why
	}
	if i < len(b.gallery.Relevant) {
		out.Total = b.gallery.Relevant[i]
	}
	var truth []int32
	if i < len(b.truth) {
		truth = b.truth[i][:min(b.k, len(b.truth[i]))]
		out.Rows = append(out.Rows, b.row(galleryRow{Family: "exact neighbours", Reference: true}, q, truth, truth, out.Total))
	}
	for _, c := range choices {
		row := galleryRow{Family: c.Family.Name, Class: class(c.Family.Name)}
		if c.Row == nil {
			row.Why = "not measured"
			out.Rows = append(out.Rows, row)
			continue
		}
		row.Setting = say.Settings(c.Row.Cell)
		answers := c.Row.Answers()
		at := i // in the answers
		if i < len(b.gallery.Answer) {
			at = b.gallery.Answer[i]
		}
		if at < 0 || at >= len(answers) {
			row.Why = "its answers to this query were not kept"
			out.Rows = append(out.Rows, row)
			continue
		}
		out.Rows = append(out.Rows, b.row(row, q, answers[at], truth, out.Total))
	}
	return out
}

func (b *galleryBuilder) row(row galleryRow, q record.Item, answers, truth []int32, total int) galleryRow {
	var relevant []bool
	hits := 0
	for i, id := range answers {
		it := b.item(id, q)
		it.Rank = i + 1
		it.Extra = truth != nil && !slices.Contains(truth, id)
		if it.Mark == "right" {
			hits++
		}
		relevant = append(relevant, it.Mark == "right")
		if i < shownAnswers {
			row.Items = append(row.Items, it)
		} else {
			row.More++
		}
	}
	for i, id := range truth {
		if !slices.Contains(answers, id) {
			it := b.item(id, q)
			it.Rank = i + 1
			row.Missed = append(row.Missed, it)
		}
	}
	if q.Label != "" {
		row.Summary = fmt.Sprintf("%d of %d right", hits, len(answers))
		if total >= hits && total > 0 {
			row.Summary += ", AP " + say.Ratio(metric.AveragePrecision(relevant, b.k, total).MinKR)
		}
	}
	return row
}

func (b *galleryBuilder) item(id int32, q record.Item) galleryItem {
	it, ok := b.gallery.Base[id]
	if !ok {
		return galleryItem{ID: fmt.Sprintf("row %d", id)}
	}
	out := galleryItem{Ref: b.thumbs.ref(it.Thumb), ID: it.ID, Label: it.Label}
	if q.Label != "" && it.Label != "" {
		out.Mark = "wrong"
		if it.Label == q.Label {
			out.Mark = "right"
		}
	}
	return out
}
