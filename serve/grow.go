package serve

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"unicode"
	"unicode/utf8"

	json2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"annbench/bench/dataset"
	"annbench/bench/dataset/attributes"
	"annbench/indexes"
	"annbench/indexes/vec"
)

// The limits on what one request may add.
const (
	maxAdded      = 100 // items
	maxID         = 200 // bytes of an id
	maxAttributes = 500 // of an item
)

// addRequest is the body of POST /items.
type addRequest struct {
	Items addedItems `json:"items"`
}

// addedItems are new items, of which at most one more than maxAdded is kept.
type addedItems []addedItem

// UnmarshalJSONFrom reads an array of items.
func (a *addedItems) UnmarshalJSONFrom(d *jsontext.Decoder) (err error) {
	*a, err = readArray[addedItem](d, maxAdded+1)
	return err
}

// addedItem is a new item. Either Vector or Image says what it looks like; of an image its embedding alone is kept.
type addedItem struct {
	ID         string    `json:"id"`
	Category   string    `json:"category"`
	Attributes given     `json:"attributes"`
	Vector     []float32 `json:"vector"`
	Image      uploaded  `json:"image"`
}

// given are the values of attributes by name. Arrays and objects, which no attribute is, are kept as the kind that they
// are and no more.
type given map[string]any

// UnmarshalJSONFrom reads an object, of which at most one member more than maxAttributes is kept.
func (g *given) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	switch kind := d.PeekKind(); kind {
	case '{':
	case 'n':
		*g = nil
		return d.SkipValue()
	default:
		return notA(kind, d)
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	*g = given{}
	for d.PeekKind() != '}' {
		var name string
		if err := json2.UnmarshalDecode(d, &name); err != nil {
			return err
		}
		var v any
		var err error
		switch kind := d.PeekKind(); {
		case kind == '[' || kind == '{':
			v = map[jsontext.Kind]any{'[': []any(nil), '{': map[string]any(nil)}[kind]
			err = d.SkipValue()
		case len(*g) > maxAttributes:
			err = d.SkipValue()
		case kind == '0':
			v, err = readNumber(d)
		default:
			err = json2.UnmarshalDecode(d, &v)
		}
		if err != nil {
			return err
		}
		if len(*g) <= maxAttributes {
			(*g)[name] = v
		}
	}
	_, err := d.ReadToken()
	return err
}

// rounded is a number that float64 rounds to another one: as it was written.
type rounded string

// readNumber reads a number as a float64, or as [rounded].
func readNumber(d *jsontext.Decoder) (any, error) {
	text, err := d.ReadValue()
	if err != nil {
		return nil, err
	}
	if attributes.Beyond(string(text)) {
		return rounded(text), nil
	}
	var x float64
	err = json2.Unmarshal(text, &x)
	var wrong *json2.SemanticError
	if errors.As(err, &wrong) {
		wrong.JSONPointer = d.StackPointer()
	}
	return x, err
}

// takesView says whether an index has the items that were added.
type takesView struct {
	Index  string `json:"index"`
	Family string `json:"family"`
	Added  bool   `json:"added"`
	Why    string `json:"why,omitempty"` // it has not
}

// owner counts the servers that stand or stood with the same content, each with more items than the one before it.
type owner struct{ servers atomic.Int64 }

// fixed says why an index cannot take new items; empty where it can.
func (p *Point) fixed() string {
	f, err := indexes.Lookup(p.Cell.Family)
	_, updates := p.index.(indexes.Updater)
	switch {
	case p.Missing != "":
		return p.Missing
	case p.stuck != nil:
		return p.stuck.Error()
	case err != nil:
		return err.Error()
	case f.Remote != nil:
		return fmt.Sprintf("indexes of %s are in a server, which would keep what is added beside what is written here", p.Cell.Family)
	case f.Updates == "" || !updates:
		return fmt.Sprintf("indexes of %s cannot change: new items are found by it once it is built again", p.Cell.Family)
	}
	return ""
}

// add puts the rows of more behind the n that the library has. An index that fails, or has fewer, takes none any more.
func (p *Point) add(n int, more vec.Matrix) error {
	p.lock.Lock()
	defer p.lock.Unlock()
	if p.rows != n {
		p.stuck = fmt.Errorf("it has %d items of %d", p.rows, n)
		return p.stuck
	}
	if err := p.index.(indexes.Updater).Add(more); err != nil {
		p.stuck = err
		return err
	}
	p.rows += more.Rows
	return nil
}

// search asks the index for the k nearest among the first n items, of those that it has. Others may have been added since
// the request began, which does not know them.
func (p *Point) search(dst []vec.Neighbor, q []float32, k, n int, among *vec.Set) ([]vec.Neighbor, error) {
	p.lock.RLock()
	defer p.lock.RUnlock()
	var err error
	if among != nil {
		if p.rows != n {
			fits := vec.NewSet(p.rows)
			for id := range among.All() {
				if int(id) < p.rows {
					fits.Add(id)
				}
			}
			among = fits
		}
		return p.index.(indexes.Filterer).SearchAmong(dst, q, k, among)
	}
	from := len(dst)
	dst, err = p.index.Search(dst, q, min(p.rows, k+max(0, p.rows-n)))
	if err != nil || p.rows <= n {
		return dst, err
	}
	known := slices.DeleteFunc(dst[from:], func(a vec.Neighbor) bool { return int(a.ID) >= n })
	return dst[:from+min(k, len(known))], nil
}

// lacks is how many of the first n items the index does not have.
func (p *Point) lacks(n int) int {
	p.lock.RLock()
	defer p.lock.RUnlock()
	return max(0, n-p.rows)
}

// addItems takes new items. They are on the disk before the answer, and found by whoever asks after it.
func (s *Server) addItems(w http.ResponseWriter, req *http.Request) error {
	if s.Additions == nil {
		return problem{http.StatusForbidden, noAdding, "This server takes no new items; whoever starts it can have it do so (--add-items)."}
	}
	var r addRequest
	done, err := s.readJSON(w, req, &r)
	if err != nil {
		return err
	}
	defer done()
	if len(r.Items) == 0 || len(r.Items) > maxAdded {
		return badRequest(badItems, "Give 1 to %d items.", maxAdded)
	}
	items := make([]Addition, len(r.Items))
	for i, item := range r.Items {
		if (item.Vector != nil) == item.Image.given() {
			return badRequest(badItems, "items/%d: give either a vector or an image.", i)
		}
		items[i] = Addition{item.ID, item.Category, item.Attributes, item.Vector}
	}
	s.Library.categorize(items)
	if err := s.Library.addable(items); err != nil { // before the work of embedding
		return err
	}
	if s.takers() == 0 {
		return s.noTaker()
	}
	for i, item := range r.Items {
		if item.Image.given() {
			q, err := s.embed(req.Context(), &searchRequest{Image: item.Image})
			if err != nil {
				return err
			}
			items[i].Vector = q.vector
		}
	}
	views, takes, err := s.take(items)
	if err != nil {
		return err
	}
	return reply(w, map[string]any{"items": views, "indexes": takes})
}

func (s *Server) takers() (n int) {
	for _, p := range s.Points {
		p.lock.RLock()
		if p.fixed() == "" {
			n++
		}
		p.lock.RUnlock()
	}
	return n
}

// noTaker says of each index why it takes nothing.
func (s *Server) noTaker() error {
	var why []string
	for _, p := range s.Points {
		p.lock.RLock()
		if reason := p.fixed(); !slices.Contains(why, reason) {
			why = append(why, reason)
		}
		p.lock.RUnlock()
	}
	return problem{http.StatusConflict, noTaker, "No index here can take new items: " + strings.Join(why, "; ") + "."}
}

// take writes the items down and has them served. What stands now may be newer than s: that is what they are added to.
// Subtle: the views are made while nobody else can add, as what replaces next would free it.
func (s *Server) take(items []Addition) ([]itemView, []takesView, error) {
	s.adding.Lock()
	defer s.adding.Unlock()
	s.stand.mu.Lock()
	now := s.stand.now
	s.stand.mu.Unlock()
	if err := now.Library.addable(items); err != nil { // another request may have added the same
		return nil, nil, err
	}
	if now.takers() == 0 {
		return nil, nil, now.noTaker()
	}
	lib, more, err := now.Library.grown(items)
	if err != nil {
		return nil, nil, err
	}
	if err := s.Additions.append(items); err != nil {
		return nil, nil, err
	}
	takes := now.Content.put(now.Library.set.Base.Rows, more)
	for _, t := range takes {
		if !t.Added {
			s.Log.Debug("an index does not have the new items", "index", t.Index, "family", t.Family, "why", t.Why)
		}
	}
	next := now.with(lib)
	s.stand.mu.Lock()
	s.stand.now = next
	now.use.replaced = true
	idle := now.use.requests == 0
	s.stand.mu.Unlock()
	if idle {
		now.free()
	}
	views := make([]itemView, len(items))
	for i, item := range items {
		views[i] = next.view(lib.byID[item.ID])
	}
	return views, takes, nil
}

// with is s with a library that has more items.
func (s *Server) with(lib *Library) *Server {
	c := s.Content
	c.Library = lib
	next := &Server{Config: s.Config, shared: s.shared, points: s.points, pictures: s.pictures, owner: s.owner}
	next.Content = c
	next.use.broken.Store(s.use.broken.Load())
	next.owner.servers.Add(1)
	next.answers = s.handler(next)
	return next
}

// put adds vectors behind the n that there are to all indexes that can.
func (c *Content) put(n int, more vec.Matrix) []takesView {
	takes := []takesView{}
	for _, p := range c.Points {
		t := takesView{Index: p.ID, Family: p.Cell.Family}
		p.lock.RLock()
		t.Why = p.fixed()
		p.lock.RUnlock()
		if t.Why == "" {
			if err := p.add(n, more); err != nil {
				t.Why = err.Error()
			}
		}
		t.Added = t.Why == ""
		takes = append(takes, t)
	}
	return takes
}

// catchUp gives content what was added before, all at once.
func (c *Content) catchUp(a *Additions) error {
	var all []Addition
	there := map[string]bool{}
	_, err := a.All(c.Library, func(items []Addition) error {
		c.Library.categorize(items)
		for i, item := range items {
			if len(item.Vector) != c.Library.set.Base.Dim {
				return fmt.Errorf("item %d has %d dimensions", i+1, len(item.Vector))
			}
		}
		var wrong problem
		if err := c.Library.addableBeside(there, items); errors.As(err, &wrong) {
			return errors.New(strings.TrimSuffix(wrong.Sentence, "."))
		} else if err != nil {
			return err
		}
		all = append(all, items...)
		return nil
	})
	if err != nil || len(all) == 0 {
		return err
	}
	lib, more, err := c.Library.grown(all)
	if err != nil {
		return err
	}
	c.put(c.Library.set.Base.Rows, more)
	c.Library = lib
	return nil
}

// categorize makes the attribute "category" the category of the items that have no other, where the library has categories.
func (l *Library) categorize(items []Addition) {
	for i, item := range items {
		if name, ok := item.Attributes[dataset.CategoryColumn].(string); ok && item.Category == "" && len(l.labels) > 0 {
			items[i].Category = name
		}
	}
}

// addable reports what is wrong with new items. Items without a vector are taken to get one.
func (l *Library) addable(items []Addition) error { return l.addableBeside(map[string]bool{}, items) }

// addableBeside is addable beside other new items, those that there has, by their ids. It adds items to there.
func (l *Library) addableBeside(there map[string]bool, items []Addition) error {
	for i, item := range items {
		where := "items/" + strconv.Itoa(i)
		_, known := l.byID[item.ID]
		switch {
		case strings.TrimSpace(item.ID) == "" || len(item.ID) > maxID || !utf8.ValidString(item.ID) || strings.ContainsFunc(item.ID, unicode.IsControl):
			return badRequest(badItems, "%s: an id is 1 to %d bytes of printable text.", where, maxID)
		case known || there[item.ID]:
			return problem{http.StatusConflict, itemExists, fmt.Sprintf("%s: there is an item %q already.", where, item.ID)}
		}
		there[item.ID] = true
		if item.Category != "" {
			if _, ok := l.category(item.Category); !ok {
				return l.noCategory(where+": ", item.Category)
			}
		}
		if item.Vector != nil {
			if why := l.unfit(item.Vector); why != "" {
				return badRequest(badVector, "%s: the vector %s.", where, why)
			}
		}
		if len(item.Attributes) > maxAttributes {
			return badRequest(badAttribute, "%s: an item has at most %d attributes.", where, maxAttributes)
		}
		for _, name := range slices.Sorted(maps.Keys(item.Attributes)) {
			c, ok := l.set.BaseAttributes().Column(name)
			if !ok {
				return badRequest(badAttribute, "%s: the items have no attribute %q%s", where, name, meant(name, l.set.BaseAttributes().Names()))
			}
			if n, ok := item.Attributes[name].(rounded); ok {
				return badRequest(badAttribute, "%s: %s cannot be %s: numbers are float64, which rounds it to another one.", where, name, n)
			}
			if _, _, ok := attributeValue(c, item.Attributes[name]); !ok {
				return badRequest(badAttribute, "%s: %s is a %s, which %v is not.", where, name, c.Kind, item.Attributes[name])
			}
			if name == dataset.CategoryColumn && item.Category != "" && item.Attributes[name] != item.Category {
				return badRequest(badAttribute, "%s: the category is %q and the attribute category %v.", where, item.Category, item.Attributes[name])
			}
		}
	}
	return nil
}

// attributeValue reads a JSON value as one of the column: as text, or as a number. null is missing.
func attributeValue(c *attributes.Column, v any) (text string, number float64, ok bool) {
	switch v := v.(type) {
	case nil:
		return "", math.NaN(), true
	case string:
		return v, 0, c.Kind == attributes.Text
	case float64:
		return "", v, c.Kind == attributes.Number
	case bool:
		if v {
			number = 1
		}
		return "", number, c.Kind == attributes.Boolean
	}
	return "", 0, false
}

// grown is l with more items, and their vectors. l stays as it is. Subtle: slices grow behind what l sees of them, so that
// only the newest library may grow.
func (l *Library) grown(items []Addition) (*Library, vec.Matrix, error) {
	g := *l
	more := vec.NewMatrix(len(items), l.set.Base.Dim)
	labels, rows := make([]int32, len(items)), make([]int32, len(items))
	g.byID, g.labels = maps.Clone(l.byID), slices.Clone(l.labels)
	first, base := len(l.items), l.set.Base.Rows
	for i, item := range items {
		copy(more.Row(i), item.Vector)
		labels[i], rows[i] = -1, int32(first+i)
		if item.Category != "" {
			labels[i], _ = l.category(item.Category)
			of := &g.labels[labels[i]]
			of.rows = append(of.rows, int32(base+i))
			of.items++
		}
		g.items = append(g.items, libraryItem{id: item.ID, label: labels[i], base: int32(base + i), query: -1})
		g.fold = append(g.fold, strings.ToLower(item.ID+" "+item.Category))
		g.byID[item.ID] = first + i
	}
	table, err := l.table(items)
	if err != nil {
		return nil, more, err
	}
	if g.set, err = l.set.Grown(more, labels, rows, table); err != nil {
		return nil, more, err
	}
	scales := append(l.ranker.Scales(), vec.NewRanker(more, l.metric).Scales()...)
	g.ranker = vec.RestoreRanker(g.set.Base, l.metric, scales)
	g.base = g.set.BaseRows
	g.attributes = attributesOnce(g.set)
	return &g, more, nil
}

// table is the attributes of new items, in the columns of l; nil where l has none.
func (l *Library) table(items []Addition) (*attributes.Table, error) {
	old := l.set.BaseAttributes()
	if old == nil {
		return nil, nil
	}
	t := &attributes.Table{Rows: len(items)}
	for i := range old.Columns {
		c := &old.Columns[i]
		texts, numbers := make([]string, len(items)), make([]float64, len(items))
		for row, item := range items {
			v := item.Attributes[c.Name]
			if c.Name == dataset.CategoryColumn && c.Kind == attributes.Text && v == nil && item.Category != "" {
				v = item.Category
			}
			texts[row], numbers[row], _ = attributeValue(c, v)
		}
		if c.Kind != attributes.Text {
			t.Columns = append(t.Columns, attributes.Column{Name: c.Name, Kind: c.Kind, Values: numbers})
			continue
		}
		var err error
		if t, err = t.With(c.Name, texts); err != nil {
			return nil, err
		}
	}
	return t, nil
}
