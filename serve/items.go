package serve

import (
	"cmp"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"annbench/bench/dataset"
	"annbench/bench/dataset/attributes"
	"annbench/bench/filter"
	"annbench/bench/metric"
	"annbench/bench/record"
)

// itemView is an item in the API.
type itemView struct {
	Item     int    `json:"item"`
	ID       string `json:"id"`
	Category string `json:"category,omitempty"`
	Board    string `json:"board,omitempty"`
	Picture  string `json:"picture,omitempty"`
	// HeldOut says that the item is searched for, and not among what is searched.
	HeldOut bool `json:"held_out,omitempty"`
}

func (s *Server) view(n int) itemView {
	l := s.Library
	item := l.items[n]
	v := itemView{Item: n, ID: item.id, Category: l.label(n), HeldOut: item.base < 0, Board: l.board(item.id)}
	if _, full := l.group[item.id]; full || n < l.first && l.pictures != nil && l.pictures.Meta.Thumbs > 0 {
		v.Picture = api + "/items/" + strconv.Itoa(n) + "/picture"
	}
	return v
}

func (s *Server) about(w http.ResponseWriter, _ *http.Request) error {
	type category struct {
		Name  string `json:"name"`
		Items int    `json:"items"`
	}
	l := s.Library
	categories := []category{}
	for _, c := range l.labels {
		categories = append(categories, category{c.name, c.items})
	}
	return reply(w, map[string]any{
		"name": l.name, "metric": l.metric, "dim": l.set.Base.Dim, "searched": l.set.Base.Rows, "held_out": l.set.Queries.Rows,
		"categories": categories, "attributes": l.attributes(), "boards": len(l.boardNames), "max_k": maxK, "max_upload_bytes": maxUpload,
		"experiment": s.Experiment != nil, "embeds": s.Embed != nil, "no_embed": s.NoEmbed, "pictures": l.pictures != nil || l.source != nil,
	})
}

// attributesOnce are those of a set, counted at the first call.
func attributesOnce(set *dataset.Set) func() []attributeView {
	return sync.OnceValue(func() []attributeView { return attributesOf(set.BaseAttributes()) })
}

// attributeView is an attribute that a filter can ask for.
type attributeView struct {
	Name       string          `json:"name"`
	Expression string          `json:"expression"` // the name as an expression has it
	Kind       attributes.Kind `json:"kind"`
	// Values are examples, as an expression has them: of a number the least and the greatest, else the most frequent.
	Values []string `json:"values"`
}

// shownWords is how many values of an attribute are shown.
const shownWords = 5

func attributesOf(t *attributes.Table) []attributeView {
	out := []attributeView{}
	if t == nil {
		return out
	}
	for i := range t.Columns {
		c := &t.Columns[i]
		view := attributeView{Name: c.Name, Expression: filter.Name(c.Name), Kind: c.Kind, Values: []string{}}
		for _, v := range examples(c) {
			text := c.Say(v)
			if c.Kind == attributes.Text {
				text = "'" + strings.ReplaceAll(text, "'", "''") + "'"
			}
			view.Values = append(view.Values, text)
		}
		out = append(out, view)
	}
	return out
}

// examples are the least and the greatest value of a column of numbers; of another, the most frequent ones.
func examples(c *attributes.Column) []float64 {
	counts := map[float64]int{}
	least, greatest := math.Inf(1), math.Inf(-1)
	for _, v := range c.Values {
		switch {
		case math.IsNaN(v):
		case c.Kind == attributes.Number:
			least, greatest = min(least, v), max(greatest, v)
		default:
			counts[v]++
		}
	}
	if c.Kind == attributes.Number {
		if least > greatest {
			return nil
		}
		return slices.Compact([]float64{least, greatest})
	}
	all := slices.SortedFunc(maps.Keys(counts), func(a, b float64) int { return cmp.Or(counts[b]-counts[a], cmp.Compare(a, b)) })
	return all[:min(len(all), shownWords)]
}

// indexView is an index in the API.
type indexView struct {
	ID       string             `json:"id"`
	Family   string             `json:"family"`
	Library  string             `json:"library"`
	Build    string             `json:"build"`
	Search   string             `json:"search"`
	Exact    bool               `json:"exact"`
	Colours  [2]string          `json:"colours"` // on paper, and on a dark screen
	Missing  string             `json:"missing,omitempty"`
	K        int                `json:"k"` // at which it was measured
	Measured map[string]float64 `json:"measured"`
}

// shownValues are those of a setting that the page shows, and the processor time, by which reports rank.
var shownValues = []string{metric.Recall, metric.MAP, metric.CPU, metric.P50, metric.P99, metric.QPS, metric.Build, metric.Serialized, metric.Resident}

func (s *Server) listIndexes(w http.ResponseWriter, _ *http.Request) error {
	out := []indexView{}
	for _, p := range s.Points {
		v := indexView{
			ID: p.ID, Family: p.Cell.Family, Library: p.Library, Build: p.Cell.Build, Search: p.Cell.Search,
			Exact: p.Exact, Colours: p.Colours, Missing: p.Missing, K: p.Cell.K, Measured: p.Values,
		}
		out = append(out, v)
	}
	return reply(w, map[string]any{"indexes": out})
}

// natural reads a parameter as a whole number between 0 and most. It is named as the code for what is wrong
// with it.
func natural(values url.Values, name code, fallback, most int) (int, error) {
	text := values.Get(name.String())
	if text == "" {
		return fallback, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > most {
		return 0, badRequest(name, "%s has to be a whole number between 0 and %d.", name, most)
	}
	return n, nil
}

// maxWords is the longest text that items are looked for by, in bytes.
const maxWords = 200

func (s *Server) listItems(w http.ResponseWriter, req *http.Request) error {
	l, values := s.Library, req.URL.Query()
	limit, err := natural(values, badLimit, 60, maxItems)
	if err != nil {
		return err
	}
	from, err := natural(values, badFrom, 0, math.MaxInt32)
	if err != nil {
		return err
	}
	label := int32(-1)
	if name := values.Get("category"); name != "" {
		var ok bool
		if label, ok = l.category(name); !ok {
			return l.noCategory("", name)
		}
	}
	q := values.Get("q")
	if len(q) > maxWords {
		return badRequest(badWords, "q has at most %d bytes.", maxWords)
	}
	words := strings.Fields(strings.ToLower(q))
	leave, err := s.searches.enter(req.Context()) // it looks at every item
	if err != nil {
		return err
	}
	defer leave()
	items, total := []itemView{}, 0
	for n := range l.items {
		if !l.has(n) || label >= 0 && l.items[n].label != label ||
			slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(l.fold[n], w) }) {
			continue
		}
		if total >= from && len(items) < limit {
			items = append(items, s.view(n))
		}
		total++
	}
	return reply(w, map[string]any{"items": items, "total": total, "from": from})
}

func (s *Server) oneItem(w http.ResponseWriter, req *http.Request) error {
	n, err := s.item(req)
	if err != nil {
		return err
	}
	return reply(w, s.view(n))
}

func (s *Server) listBoards(w http.ResponseWriter, req *http.Request) error {
	values := req.URL.Query()
	limit, err := natural(values, badLimit, 24, maxItems)
	if err != nil {
		return err
	}
	from, err := natural(values, badFrom, 0, math.MaxInt32)
	if err != nil {
		return err
	}
	out := []string{}
	b, ok := s.Library.source.(Boards)
	if !ok {
		return reply(w, map[string]any{"boards": out, "total": 0, "from": from})
	}
	for g := from; g < b.Groups() && len(out) < limit; g++ {
		out = append(out, b.BoardName(g))
	}
	return reply(w, map[string]any{"boards": out, "total": b.Groups(), "from": from})
}

func (s *Server) oneBoard(w http.ResponseWriter, req *http.Request) error {
	type boxView struct {
		Box  [4]float64 `json:"box"` // x, y, width, height as shares of the board
		Item *itemView  `json:"item,omitempty"`
	}
	l, name := s.Library, req.PathValue("board")
	g, ok := l.boardNames[name]
	if !ok {
		return noBoard
	}
	leave, err := s.embeds.enter(req.Context())
	if err != nil {
		return err
	}
	defer leave()
	img, boxes, err := l.drawBoard(name)
	if err != nil || img == nil {
		return problem{http.StatusNotFound, noPicture, "The picture of this board cannot be read."}
	}
	out := []boxView{}
	items := l.source.Items(g)
	for i, b := range boxes {
		v := boxView{Box: [4]float64{b.X, b.Y, b.W, b.H}}
		if n, ok := l.byID[items[i].ID]; ok {
			item := s.view(n)
			v.Item = &item
		}
		out = append(out, v)
	}
	return reply(w, map[string]any{
		"name": name, "width": img.Bounds().Dx(), "height": img.Bounds().Dy(), "boxes": out,
		"picture": api + "/boards/" + url.PathEscape(name) + "/picture",
	})
}

func (s *Server) highlights(w http.ResponseWriter, _ *http.Request) error {
	type highlight struct {
		Why  string   `json:"why"`
		Item itemView `json:"item"`
	}
	out := []highlight{}
	add := func(item record.Item, why string) {
		if n, ok := s.Library.byID[item.ID]; ok {
			out = append(out, highlight{why, s.view(n)})
		}
	}
	for i, item := range s.Library.queries {
		why := ""
		if i < len(s.Library.why) {
			why = s.Library.why[i]
		}
		add(item, why)
	}
	return reply(w, map[string]any{"queries": out})
}
