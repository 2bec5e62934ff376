package serve

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	json2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"annbench/bench/filter"
	"annbench/bench/metric"
	"annbench/embedder/catalog"
	"annbench/embedder/catalog/boards"
	"annbench/indexes"
	"annbench/indexes/vec"
	"annbench/internal/words"
)

// searchRequest is the body of POST /search. Exactly one of Item, ID, Vector, Image and Board says
// what to look for.
type searchRequest struct {
	Item   *int        `json:"item"`   // number of an item
	ID     string      `json:"id"`     // its name in the catalogue
	Vector []float32   `json:"vector"` // an embedding
	Image  uploaded    `json:"image"`  // a JPEG, PNG or WebP file in base64
	Board  string      `json:"board"`  // name of a board, with Box
	Box    *[4]float64 `json:"box"`    // x, y, width, height as shares of the picture

	Index    string  `json:"index"`    // ID of an index; "exact" compares all
	Indexes  several `json:"indexes"`  // several of them, in place of Index
	K        int     `json:"k"`        // 0 means 10
	Category string  `json:"category"` // answers of this category alone
	Filter   string  `json:"filter"`   // answers that pass this expression alone; see [filter.Expr]
	Judge    bool    `json:"judge"`    // compare with exact search

	among *vec.Set // who passes Filter, and is of Category; nil where there is no filter
}

// An uploaded file comes with a request, in base64. It is decoded out of the body in place, since copies of it
// would be most of what the server allocates.
type uploaded struct {
	file         []byte
	large, wrong bool // it is larger than maxUpload; it is not base64
}

func (u *uploaded) given() bool { return len(u.file) > 0 || u.large || u.wrong }

// notA says that the next value is of a kind that does not belong here, or that there is none.
func notA(kind jsontext.Kind, d *jsontext.Decoder) error {
	if err := d.SkipValue(); err != nil {
		return err
	}
	return &json2.SemanticError{JSONKind: kind}
}

// UnmarshalJSONFrom reads a string. What is wrong with it is noted, so that the answer says what it is about.
func (u *uploaded) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	*u = uploaded{}
	if kind := d.PeekKind(); kind != '"' && kind != 'n' {
		return notA(kind, d)
	}
	text, err := d.ReadValue()
	if err != nil || text.Kind() == 'n' {
		return err
	}
	in := []byte(text[1 : len(text)-1])
	if bytes.IndexByte(in, '\\') >= 0 { // some writers escape the slash
		if in, err = jsontext.AppendUnquote(nil, text); err != nil {
			return err
		}
	}
	if base64.StdEncoding.DecodedLen(len(in)) > maxUpload+3 {
		u.large = true
		return nil
	}
	u.file = make([]byte, base64.StdEncoding.DecodedLen(len(in)))
	n, err := base64.StdEncoding.Decode(u.file, in)
	u.file, u.wrong = u.file[:n], err != nil
	return nil
}

// several are names, of which at most one more than maxAtOnce is kept.
type several []string

// UnmarshalJSONFrom reads an array of strings.
func (n *several) UnmarshalJSONFrom(d *jsontext.Decoder) (err error) {
	*n, err = readArray[string](d, maxAtOnce+1)
	return err
}

// readArray reads an array, and keeps at most so many of its elements: a short text can hold millions, each of
// which is much larger in memory.
func readArray[T any](d *jsontext.Decoder, most int) ([]T, error) {
	switch kind := d.PeekKind(); kind {
	case '[':
	case 'n':
		return nil, d.SkipValue()
	default:
		return nil, notA(kind, d)
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, err
	}
	out := []T{}
	for d.PeekKind() != ']' {
		if len(out) == most {
			if err := d.SkipValue(); err != nil {
				return nil, err
			}
			continue
		}
		var v T
		if err := json2.UnmarshalDecode(d, &v); err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	_, err := d.ReadToken()
	return out, err
}

type searchReply struct {
	Query   queryView    `json:"query"`
	K       int          `json:"k"`
	Passing *int         `json:"passing,omitempty"` // items that pass the filter and are of the category, where one was given
	Results []resultView `json:"results"`
}

type queryView struct {
	Item         *itemView `json:"item,omitempty"`
	Vector       []float32 `json:"vector,omitempty"` // where a picture was embedded
	Relevant     *int      `json:"relevant,omitempty"`
	EmbedSeconds *float64  `json:"embed_seconds,omitempty"`
	// WaitSeconds is how long the picture waited for its turn; no part of EmbedSeconds.
	WaitSeconds *float64 `json:"wait_seconds,omitempty"`
}

type resultView struct {
	Index            string       `json:"index"`
	SearchSeconds    float64      `json:"search_seconds"`
	Asked            int          `json:"asked"`           // k that the index was asked for: more than the reply's with a category
	Lacks            int          `json:"lacks,omitempty"` // items that were added, and that the index does not have
	Answers          []answerView `json:"answers"`
	Recall           *float64     `json:"recall,omitempty"`
	AveragePrecision *float64     `json:"average_precision,omitempty"`
	Impression       string       `json:"impression,omitempty"` // of the experiment: what its clicks name
	Missed           []answerView `json:"missed,omitempty"`     // exact neighbours that are not among the answers
}

type answerView struct {
	itemView
	Rank     int     `json:"rank"`
	Distance float64 `json:"distance"`
	Exact    *bool   `json:"exact,omitempty"`    // no farther than the k-th exact neighbour
	Relevant *bool   `json:"relevant,omitempty"` // of the query's category
}

// exactID is the index that compares all vectors.
const exactID = "exact"

func (s *Server) search(w http.ResponseWriter, req *http.Request) error {
	var r searchRequest
	done, err := s.readJSON(w, req, &r)
	if err != nil {
		return err
	}
	defer done()
	ids, label, err := s.check(&r)
	if err != nil {
		return err
	}
	if err := s.filter(req.Context(), &r, label); err != nil {
		return err
	}
	q, err := s.query(req.Context(), &r)
	if err != nil {
		return err
	}
	var out searchReply
	if ids[0] == experimentID {
		out, err = s.experiment(req.Context(), w, req, &r, label, q)
	} else {
		out, err = s.searchAll(req.Context(), &r, ids, label, q)
	}
	if err != nil {
		return err
	}
	out.Passing = s.Library.passing(label, r.among)
	return reply(w, out)
}

// passing is how many items are of a category and pass a filter; nil where neither is asked for. among has those of the category
// alone.
func (l *Library) passing(label int32, among *vec.Set) *int {
	switch {
	case among != nil:
		return new(among.Len())
	case label >= 0:
		return new(len(l.labels[label].rows))
	}
	return nil
}

// searchAll takes its turn, which is over before the answer is written: a slow reader keeps nobody waiting.
func (s *Server) searchAll(ctx context.Context, r *searchRequest, ids []string, label int32, q *asked) (searchReply, error) {
	out := searchReply{Query: q.view, K: r.K}
	leave, err := s.searches.enter(ctx)
	if err != nil {
		return out, err
	}
	defer leave()
	exact := &judge{Library: s.Library, q: q, k: r.K, label: label, among: r.among}
	for _, id := range ids {
		result, err := s.ask(ctx, id, exact, r.Judge)
		if err != nil {
			return out, err
		}
		out.Results = append(out.Results, result)
	}
	return out, nil
}

// check looks at all that can be said without searching.
func (s *Server) check(r *searchRequest) (ids []string, label int32, err error) {
	ways := 0
	for _, given := range []bool{r.Item != nil, r.ID != "", r.Vector != nil, r.Image.given(), r.Board != ""} {
		if given {
			ways++
		}
	}
	if ways != 1 {
		return nil, 0, badRequest(noQuery, "Name one of item, id, vector, image and board to look for.")
	}
	if (r.Board != "") != (r.Box != nil) && !r.Image.given() {
		return nil, 0, badRequest(badBox, "A box goes with a board or an image, and a board needs one.")
	}
	if r.K == 0 {
		r.K = 10
	}
	if r.K < 1 || r.K > maxK {
		return nil, 0, badRequest(badK, "k has to be between 1 and %d, not %d.", maxK, r.K)
	}
	ids = r.Indexes
	if r.Index != "" {
		if ids != nil {
			return nil, 0, badRequest(badIndex, "Name either index or indexes.")
		}
		ids = []string{r.Index}
	}
	if len(ids) == 0 || len(ids) > maxAtOnce {
		return nil, 0, badRequest(badIndex, "Name 1 to %d indexes; %s/indexes lists them.", maxAtOnce, api)
	}
	for i, id := range ids {
		p := s.points[id]
		switch {
		case slices.Contains(ids[:i], id):
			return nil, 0, badRequest(badIndex, "The index %q is named twice.", id)
		case id == experimentID && s.Experiment != nil && (len(ids) > 1 || r.Judge):
			return nil, 0, badRequest(badIndex, "An experiment is asked alone and without judge: beside others it would show whose answers are whose.")
		case id == exactID:
		case id == experimentID && s.Experiment != nil:
		case p == nil:
			return nil, 0, s.noIndex(id)
		case p.Missing != "":
			return nil, 0, problem{http.StatusConflict, indexMissing, fmt.Sprintf("%s cannot be searched here: %s.", p.Cell.Family, p.Missing)}
		}
	}
	label = -1
	if r.Category != "" {
		var ok bool
		if label, ok = s.Library.category(r.Category); !ok {
			return nil, 0, s.Library.noCategory("", r.Category)
		}
	}
	return ids, label, nil
}

// noIndex says that there is no index of that name. A request often names a family instead of one of its indexes: the error then
// lists the indexes of that family.
func (s *Server) noIndex(id string) error {
	ids, families := []string{exactID}, map[string][]string{}
	if s.Experiment != nil {
		ids = append(ids, experimentID)
	}
	for _, p := range s.Points {
		ids = append(ids, p.ID)
		families[p.Cell.Family] = append(families[p.Cell.Family], strings.TrimSpace(p.ID+" "+p.Cell.Settings()))
	}
	sentence := fmt.Sprintf("There is no index %q; %s/indexes lists them.", id, api)
	if near := words.Nearest(id, slices.Sorted(maps.Keys(families))); near != "" {
		sentence = fmt.Sprintf("There is no index %q; an index is named by its id, which for %s is %s.", id, near, strings.Join(families[near], ", or "))
	} else if near := words.Nearest(id, ids); near != "" {
		sentence = fmt.Sprintf("There is no index %q; did you mean %q?", id, near)
	}
	return problem{http.StatusNotFound, badIndex, sentence}
}

// noCategory says that there is none of that name; where is what comes before the sentence.
func (l *Library) noCategory(where, name string) error {
	return problem{http.StatusNotFound, badCategory, fmt.Sprintf("%sThere is no category %q%s", where, name, meant(name, l.set.Labels))}
}

// filter finds who may be answered. It takes a turn as a search does: it looks at every item.
func (s *Server) filter(ctx context.Context, r *searchRequest, label int32) error {
	if r.Filter == "" {
		return nil
	}
	if len(r.Filter) > maxFilter {
		return badRequest(badFilter, "A filter has at most %d bytes.", maxFilter)
	}
	e, err := filter.Parse(r.Filter)
	if err != nil {
		return badRequest(badFilter, "%v", err)
	}
	if n := e.Comparisons(); n > maxCompared {
		return badRequest(badFilter, "A filter has at most %d comparisons, not %d; a list after in is one.", maxCompared, n)
	}
	set := s.Library.set
	table := set.BaseAttributes()
	if table == nil {
		return badRequest(badFilter, "The items have no attributes to filter by.")
	}
	leave, err := s.searches.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if r.among, err = e.Rows(table); err != nil {
		return badRequest(badFilter, "%v", err)
	}
	if label >= 0 {
		for row := range set.Base.Rows {
			if set.BaseLabels[row] != label {
				r.among.Remove(int32(row))
			}
		}
	}
	return nil
}

// maxFilter is the longest expression that is read, in bytes, and maxCompared how many comparisons it may make with each
// item.
const (
	maxFilter   = 2000
	maxCompared = 50
)

// asked is what is looked for.
type asked struct {
	vector []float32
	label  int32 // -1: none
	self   int32 // row of the base that it is; -1: none
	view   queryView
}

func (s *Server) query(ctx context.Context, r *searchRequest) (*asked, error) {
	l := s.Library
	switch {
	case r.Item != nil || r.ID != "":
		n, ok := -1, false
		if r.Item != nil {
			n = *r.Item
		} else if n, ok = l.byID[r.ID]; !ok {
			n = -1
		}
		if !l.has(n) {
			return nil, problem{http.StatusNotFound, badItem, "There is no such item."}
		}
		q := &asked{vector: l.vector(n), label: l.items[n].label, self: l.items[n].base}
		view := s.view(n)
		q.view.Item = &view
		if q.label >= 0 {
			relevant := l.relevant(q.label, q.self, r.among)
			q.view.Relevant = &relevant
		}
		return q, nil
	case r.Vector != nil:
		if why := l.unfit(r.Vector); why != "" {
			return nil, badRequest(badVector, "The vector %s.", why)
		}
		return &asked{vector: r.Vector, label: -1, self: -1}, nil
	}
	return s.embed(ctx, r)
}

// relevant is how many items of a category can be found: without the query itself, and of those that pass a filter, where
// among is not nil, alone.
func (l *Library) relevant(label, self int32, among *vec.Set) (n int) {
	for _, row := range l.labels[label].rows {
		if row != self && (among == nil || among.Has(row)) {
			n++
		}
	}
	return n
}

// unfit says why no distances can be told from v; empty where they can.
func (l *Library) unfit(v []float32) string {
	squares := 0.0
	for _, x := range v {
		squares += float64(x) * float64(x)
	}
	switch i := vec.FirstNonFinite(v); {
	case len(v) != l.set.Base.Dim:
		return fmt.Sprintf("has %d dimensions, the library %d", len(v), l.set.Base.Dim)
	case i >= 0:
		return fmt.Sprintf("is not finite in dimension %d", i)
	case l.metric == vec.Cosine && squares == 0:
		return "is 0, which has no direction"
	case l.metric != vec.Cosine && squares > longestSquared:
		return fmt.Sprintf("is too long: its length may be %.2g at most", math.Sqrt(longestSquared))
	}
	return ""
}

// longestSquared is the squared length up to which the squared distance of two vectors, and their product, is a float32.
const longestSquared = math.MaxFloat32 / 4

// embed makes a query of a picture.
func (s *Server) embed(ctx context.Context, r *searchRequest) (*asked, error) {
	if s.Embed == nil {
		return nil, problem{http.StatusNotImplemented, noModel, fmt.Sprintf("Pictures cannot be searched for here: %s.", strings.TrimSuffix(s.NoEmbed, "."))}
	}
	if r.Image.large {
		return nil, problem{http.StatusRequestEntityTooLarge, tooLarge, fmt.Sprintf("The image is larger than %d MB.", maxUpload>>20)}
	}
	var box *boards.Box
	if r.Box != nil {
		b := *r.Box
		for _, v := range b {
			if math.IsNaN(v) || v < 0 || v > 1 {
				return nil, badRequest(badBox, "A box is four shares of the picture between 0 and 1.")
			}
		}
		box = &boards.Box{X: b[0], Y: b[1], W: min(b[2], 1-b[0]), H: min(b[3], 1-b[1])}
		if box.W < 0.005 || box.H < 0.005 {
			return nil, badRequest(badBox, "The box is too small to hold anything.")
		}
	}
	waiting := time.Now()
	leave, err := s.embeds.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	began := time.Now()
	img, err := s.pixels(ctx, r)
	if err != nil {
		return nil, err
	}
	if box != nil {
		if img, err = boards.Crop(img, *box); err != nil {
			return nil, badRequest(badBox, "The box cannot be cut out: %v.", err)
		}
	}
	v, err := s.Embed(img)
	if err != nil {
		return nil, fmt.Errorf("embedding a picture: %w", err)
	}
	seconds, waited := time.Since(began).Seconds(), began.Sub(waiting).Seconds()
	s.metrics.embed.Observe(seconds)
	if len(v) != s.Library.set.Base.Dim {
		return nil, fmt.Errorf("the model gives %d dimensions, the library has %d", len(v), s.Library.set.Base.Dim)
	}
	return &asked{vector: v, label: -1, self: -1, view: queryView{Vector: v, EmbedSeconds: &seconds, WaitSeconds: &waited}}, nil
}

func (s *Server) pixels(ctx context.Context, r *searchRequest) (img pixels, err error) {
	if r.Board != "" {
		img, _, err := s.Library.drawBoard(r.Board)
		return img, err
	}
	if r.Image.wrong {
		return nil, badRequest(badImage, "The image is not in base64.")
	}
	limited, cancel := context.WithTimeout(ctx, s.patience.decode)
	defer cancel()
	if img, err = catalog.Decode(limited, r.Image.file, maxPixels); ctx.Err() != nil {
		return nil, context.Cause(ctx)
	} else if errors.Is(err, context.DeadlineExceeded) {
		return nil, problem{http.StatusUnprocessableEntity, badImage, fmt.Sprintf("The image cannot be read within %.0f seconds.", s.patience.decode.Seconds())}
	} else if err != nil {
		return nil, problem{http.StatusUnprocessableEntity, badImage, fmt.Sprintf("The image cannot be read: %v.", err)}
	}
	return img, nil
}

// judge holds the exact answer to a query, once it is asked for.
type judge struct {
	*Library
	q       *asked
	k       int
	label   int32
	among   *vec.Set // who may be answered; nil for all, or all of label
	found   bool
	seconds float64
	truth   []vec.Neighbor
}

func (j *judge) find(ctx context.Context) error {
	if j.found {
		return nil
	}
	began := time.Now()
	var err error
	j.truth, err = j.exact(ctx, j.q.vector, j.k, j.label, j.q.self, j.among)
	j.seconds, j.found = time.Since(began).Seconds(), err == nil
	return err
}

// ask puts the query to one index.
func (s *Server) ask(ctx context.Context, id string, j *judge, judged bool) (resultView, error) {
	out := resultView{Index: id, Asked: j.k, Answers: []answerView{}}
	var got []vec.Neighbor
	if id == exactID {
		if err := j.find(ctx); err != nil {
			return out, err
		}
		got, out.SearchSeconds = j.truth, j.seconds
		s.metrics.search.WithLabelValues(exactID, exactID).Observe(out.SearchSeconds)
	} else {
		p := s.points[id]
		began := time.Now()
		var err error
		if got, out.Asked, err = j.through(p); err != nil {
			return out, err
		}
		out.SearchSeconds = time.Since(began).Seconds()
		out.Lacks = p.lacks(s.Library.set.Base.Rows)
		s.metrics.search.WithLabelValues(p.Cell.Family, id).Observe(out.SearchSeconds)
	}
	var distances []float64
	for i, n := range got {
		a := s.answer(n.ID, i+1, j.q)
		distances = append(distances, a.Distance)
		out.Answers = append(out.Answers, a)
	}
	if !judged {
		return out, nil
	}
	if err := j.find(ctx); err != nil {
		return out, err
	}
	s.grade(&out, distances, j)
	return out, nil
}

// through asks p. An index knows no categories: with one it is asked for more and more, until k of
// its answers are of the category or it has been asked for all.
//
// Under a filter, an index that can looks at it while it searches; any other is asked for more and more likewise.
func (j *judge) through(p *Point) (got []vec.Neighbor, asked int, err error) {
	n := j.set.Base.Rows
	if _, ok := p.index.(indexes.Filterer); ok && j.among != nil && p.filters {
		got, err = p.search(nil, j.q.vector, min(n, j.k+1), n, j.among)
		return without(got, j.q.self, j.k), j.k, err
	}
	passes := func(id int32) bool { return j.set.BaseLabels[id] == j.label }
	if j.among != nil {
		passes = j.among.Has
	}
	all := j.label < 0 && j.among == nil
	ask := min(n, j.k)
	if j.q.self >= 0 {
		ask = min(n, j.k+1)
	}
	if !all {
		ask = min(n, max(ask, 4*j.k))
	}
	for {
		if got, err = p.search(got[:0], j.q.vector, ask, n, nil); err != nil {
			return nil, ask, err
		}
		if all {
			return without(got, j.q.self, j.k), ask, nil
		}
		kept := 0
		for _, a := range got {
			if passes(a.ID) && a.ID != j.q.self {
				got[kept] = a
				kept++
			}
		}
		if kept >= j.k || ask == n || ask >= maxAsked {
			return got[:min(kept, j.k)], ask, nil
		}
		ask = min(n, 4*ask)
	}
}

// maxAsked is the most that an index is asked for in search of a category; an answer may then be
// short, and is shown to be.
const maxAsked = 4000

func (s *Server) answer(row int32, rank int, q *asked) answerView {
	l := s.Library
	a := answerView{itemView: s.view(int(l.base[row])), Rank: rank, Distance: l.metric.Distance(q.vector, l.set.Base.Row(int(row)))}
	if q.label >= 0 {
		relevant := l.set.BaseLabels[row] == q.label
		a.Relevant = &relevant
	}
	return a
}

// grade compares answers with the exact ones.
func (s *Server) grade(out *resultView, distances []float64, j *judge) {
	l := j.Library
	k := len(j.truth) // fewer than were asked for where there are no more
	if k == 0 {
		return
	}
	kth := l.metric.Distance(j.q.vector, l.set.Base.Row(int(j.truth[k-1].ID)))
	recall := metric.RecallAt(distances, kth, k)
	out.Recall = &recall
	there := map[int]bool{}
	for i := range out.Answers {
		a := &out.Answers[i]
		near := metric.RecallAt([]float64{a.Distance}, kth, 1) == 1
		a.Exact = &near
		there[a.Item] = true
	}
	if recall < 1 {
		for i, n := range j.truth {
			if !there[int(l.base[n.ID])] {
				out.Missed = append(out.Missed, s.answer(n.ID, i+1, j.q))
			}
		}
	}
	if j.label >= 0 || j.q.view.Relevant == nil || *j.q.view.Relevant == 0 {
		return // answers of one category are all relevant, or none is
	}
	relevant := make([]bool, len(out.Answers))
	for i, a := range out.Answers {
		relevant[i] = *a.Relevant
	}
	ap := metric.AveragePrecision(relevant, j.k, *j.q.view.Relevant).MinKR
	out.AveragePrecision = &ap
}
