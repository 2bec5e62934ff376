package serve

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"io"
	"maps"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"annbench/bench/dataset"
	"annbench/bench/dataset/attributes"
	"annbench/bench/dataset/collection"
	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/indexes"
	"annbench/indexes/vec"
)

const (
	testDim   = 8
	testItems = 60
)

// fixture is a library of vectors around three directions, with a flat and a forest index built on
// them, on a server.
func fixture(t testing.TB, change func(*Config)) *Server {
	t.Helper()
	return fixtureOf(t, []string{"flat", "forest"}, change)
}

// fixtureOf is fixture with indexes of these families, with build settings behind a blank. The items have a price and a fabric.
func fixtureOf(t testing.TB, families []string, change func(*Config)) *Server {
	t.Helper()
	return fixtureBy(t, vec.Cosine, families, change)
}

// fixtureBy is fixtureOf under that metric.
func fixtureBy(t testing.TB, by vec.Metric, families []string, change func(*Config)) *Server {
	t.Helper()
	dir := t.TempDir()
	w, err := collection.Create(filepath.Join(dir, "all"), testDim)
	if err != nil {
		t.Fatal(err)
	}
	labels := []string{"dress", "shoe", "coat & hat"}
	m := vec.NewMatrix(testItems, testDim)
	var items []collection.Item
	var thumbs [][]byte
	for i := range testItems {
		m.Row(i)[i%3] = 1
		m.Row(i)[3+i%5] = float32(i) / 100
		items = append(items, collection.Item{ID: fmt.Sprintf("%s/%02d.jpg", labels[i%3], i), Label: labels[i%3]})
		thumbs = append(thumbs, nil)
	}
	if err := w.Append(items, m, thumbs); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(nil); err != nil {
		t.Fatal(err)
	}
	all, err := collection.OpenFolder(filepath.Join(dir, "all"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { all.Close() })
	var fabrics []string
	prices := make([]float64, testItems)
	for i := range testItems {
		fabrics, prices[i] = append(fabrics, []string{"silk", "wool"}[i%2]), float64(i)
	}
	priced := &attributes.Table{Rows: testItems, Columns: []attributes.Column{{Name: "price", Kind: attributes.Number, Values: prices}}}
	if all.Attributes, err = priced.With("fabric", fabrics); err != nil {
		t.Fatal(err)
	}
	at, err := dataset.Split(t.Context(), all, dataset.SplitConfig{Queries: 6, Seed: 1}, dir)
	if err != nil {
		t.Fatal(err)
	}
	set, err := dataset.OpenSet(at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { set.Close() })
	results := &record.Results{Dir: dir, Dataset: record.Dataset{Name: "test", Digest: set.Digest}}
	for _, family := range families {
		family, build, _ := strings.Cut(family, " ")
		for rep, p50 := range []float64{3e-5, 1e-5, 2e-5} {
			results.Records = append(results.Records, record.Record{
				Cell: record.Cell{Dataset: set.Digest, Metric: string(by), Family: family, Build: build, K: 5, Mode: record.Latency, Threads: 1}, Rep: rep,
				Status: record.OK, Values: map[string]float64{metric.Recall: 1, metric.P50: p50, metric.CPU: p50 / 2}, Exact: family == "flat",
			})
		}
	}
	lib, err := NewLibrary(LibraryConfig{Results: results, Set: set, Metric: by})
	if err != nil {
		t.Fatal(err)
	}
	points, err := OpenPoints(t.Context(), results, lib, PointOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ClosePoints(points) })
	for _, p := range points {
		if p.Missing != "" {
			t.Fatalf("%s: %s", p.Cell.Family, p.Missing)
		}
	}
	c := Config{Content: Content{Library: lib, Points: points, Embed: func(img image.Image) ([]float32, error) {
		v := make([]float32, testDim)
		r, g, b, _ := img.At(img.Bounds().Min.X, img.Bounds().Min.Y).RGBA()
		v[0], v[1], v[2] = float32(r), float32(g), float32(b)
		return v, nil
	}}}
	if change != nil {
		change(&c)
	}
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// What is shown of an index is what reports show: the median over the repetitions, not what the first one found.
func TestIndexesHaveMedians(t *testing.T) {
	s := fixture(t, nil)
	var got struct {
		Indexes []struct{ Measured map[string]float64 }
	}
	if err := json.Unmarshal(request(s, "GET", "/api/v1/indexes", "").Body.Bytes(), &got); err != nil || len(got.Indexes) == 0 {
		t.Fatal(err, got)
	}
	for _, x := range got.Indexes {
		if x.Measured[metric.P50] != 2e-5 || math.Abs(x.Measured[metric.CPU]-1e-5) > 1e-15 || x.Measured[metric.Recall] != 1 {
			t.Errorf("%v", x.Measured)
		}
	}
}

func request(s *Server, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://localhost"+path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w
}

func ask(t *testing.T, s *Server, body string) searchReply {
	t.Helper()
	w := request(s, "POST", api+"/search", body)
	if w.Code != http.StatusOK {
		t.Fatalf("%s: %d %s", body, w.Code, w.Body)
	}
	var out searchReply
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestExtremeVectors: a vector whose distances no float32 holds, or that has no direction, is refused; others are answered by
// every index under every metric, however long they are.
func TestExtremeVectors(t *testing.T) {
	families := []string{"flat", "forest", "hnsw"}
	for _, name := range []string{"flat-faiss", "hnsw-faiss", "ivfflat-faiss nlist=2"} {
		family, _, _ := strings.Cut(name, " ")
		if f, err := indexes.Lookup(family); err == nil && f.Missing == "" {
			families = append(families, name)
		}
	}
	refused := map[string]string{
		"0,0,0,0,0,0,0,0": "cosine", "-0.0,0,0,0,0,0,0,0": "cosine", "1e-45,0,0,0,0,0,0,0": "",
		"3e38,3e38,3e38,3e38,3e38,3e38,3e38,3e38": "l2 ip", "3e38,-3e38,3e38,-3e38,3e38,-3e38,3e38,-3e38": "l2 ip",
		"1e20,0,0,0,0,0,0,0": "l2 ip", "9.2e18,0,0,0,0,0,0,0": "", "-3e18,3e18,-3e18,3e18,-3e18,3e18,-3e18,3e18": "",
	}
	for _, by := range vec.Metrics {
		s := fixtureBy(t, by, families, nil)
		for v, refusing := range refused {
			for _, id := range append([]string{exactID}, slices.Collect(maps.Keys(s.points))...) {
				for _, more := range []string{"", `,"judge":true,"k":100`, `,"category":"shoe"`, `,"filter":"price > 20"`} {
					want, has := http.StatusOK, `"rank":1`
					if slices.Contains(strings.Fields(refusing), string(by)) {
						want, has = http.StatusBadRequest, `"code":"vector"`
					}
					w := request(s, "POST", api+"/search", `{"vector":[`+v+`],"index":"`+id+`"`+more+`}`)
					if w.Code != want || !strings.Contains(w.Body.String(), has) {
						t.Errorf("%s, %s, %s%s: %d %.300s", by, id, v, more, w.Code, w.Body)
					}
				}
			}
		}
	}
}

// TestSearchAgainstOracle compares every index's answers with distances computed one by one.
func TestSearchAgainstOracle(t *testing.T) {
	s := fixture(t, nil)
	l := s.Library
	for n := range l.items {
		for _, by := range []struct{ category, filter, both string }{
			{"", "", ""}, {"shoe", "", "shoe"}, {"", "category = 'shoe'", "shoe"}, {"shoe", "not category != 'shoe'", "shoe"},
		} {
			category := by.both
			for _, index := range []string{exactID, s.Points[0].ID} {
				body, _ := json.Marshal(map[string]any{"item": n, "index": index, "k": 7, "judge": true, "category": by.category, "filter": by.filter})
				all := ask(t, s, string(body))
				got := all.Results[0]
				if p := all.Passing; category != "" && (p == nil || *p != len(l.labels[slices.Index(l.set.Labels, category)].rows)) {
					t.Fatalf("%+v: passing is %v", by, p)
				}
				var want []float64
				for m := range l.items {
					if m != n && l.items[m].base >= 0 && (category == "" || l.label(m) == category) {
						want = append(want, l.metric.Distance(l.vector(n), l.vector(m)))
					}
				}
				slices.Sort(want)
				if len(got.Answers) != 7 {
					t.Fatalf("item %d: %d answers", n, len(got.Answers))
				}
				for i, a := range got.Answers {
					if a.Item == n || category != "" && a.Category != category || a.Rank != i+1 {
						t.Fatalf("item %d: answer %d is %+v", n, i, a)
					}
					if d := a.Distance - want[i]; d > 1e-4 || d < -1e-4 {
						t.Fatalf("item %d, %s, %q: rank %d is at %v, the nearest is at %v", n, index, category, i+1, a.Distance, want[i])
					}
				}
				if got.Recall == nil || *got.Recall != 1 {
					t.Fatalf("item %d: recall %v of an exact index", n, got.Recall)
				}
			}
		}
	}
}

// Under a filter, what is relevant is what passes: average precision of the exact answers against one worked out item by item.
func TestAveragePrecisionUnderFilter(t *testing.T) {
	s := fixture(t, nil)
	l := s.Library
	const k = 7
	for n := range l.items {
		for text, passes := range map[string]func(m int) bool{
			"":              func(int) bool { return true },
			"price < 30":    func(m int) bool { return m < 30 },
			"fabric='silk'": func(m int) bool { return m%2 == 0 },
			"category = '" + l.label(n) + "' and price >= 40": func(m int) bool { return m >= 40 && l.label(m) == l.label(n) },
		} {
			body, _ := json.Marshal(map[string]any{"item": n, "index": exactID, "k": k, "judge": true, "filter": text})
			got := ask(t, s, string(body))
			relevant, passing := 0, 0
			for m := range l.items {
				if l.items[m].base < 0 || !passes(m) {
					continue
				}
				passing++
				if m != n && l.label(m) == l.label(n) {
					relevant++
				}
			}
			if p := got.Passing; (p == nil) != (text == "") || p != nil && *p != passing {
				t.Fatalf("item %d under %q: %d pass, not %d", n, text, *p, passing)
			}
			if got.Query.Relevant == nil || *got.Query.Relevant != relevant {
				t.Fatalf("item %d under %q: relevant %v, not %d", n, text, got.Query.Relevant, relevant)
			}
			sum, hits := 0.0, 0
			for i, a := range got.Results[0].Answers {
				if a.Category == l.label(n) {
					hits++
					sum += float64(hits) / float64(i+1)
				}
			}
			ap := got.Results[0].AveragePrecision
			if want := sum / float64(min(k, relevant)); relevant > 0 && (ap == nil || math.Abs(*ap-want) > 1e-9) {
				t.Fatalf("item %d under %q: average precision %v, not %v", n, text, ap, want)
			}
		}
	}
}

// The page lists what a filter can ask for.
func TestAboutAttributes(t *testing.T) {
	s := fixture(t, nil)
	w := request(s, "GET", api+"/about", "")
	var got struct{ Attributes []attributeView }
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	names := map[string]attributeView{}
	for _, a := range got.Attributes {
		names[a.Name] = a
		for _, v := range a.Values {
			body, _ := json.Marshal(map[string]any{"item": 1, "index": exactID, "filter": a.Expression + " = " + v})
			if n := len(ask(t, s, string(body)).Results[0].Answers); n == 0 {
				t.Errorf("nothing passes %s = %s", a.Name, v)
			}
		}
	}
	if p := names["price"]; p.Kind != attributes.Number || len(p.Values) != 2 {
		t.Errorf("price is %+v", p)
	}
	items := map[string]int{}
	for n, item := range s.Library.items {
		if item.base >= 0 {
			items[[]string{"'silk'", "'wool'"}[n%2]]++
		}
	}
	want := []string{"'silk'", "'wool'"} // the most frequent first
	if items["'wool'"] > items["'silk'"] {
		slices.Reverse(want)
	}
	if f := names["fabric"]; f.Kind != attributes.Text || !slices.Equal(f.Values, want) {
		t.Errorf("fabric is %+v, want %v", f, want)
	}
	if c := names["category"]; !slices.Contains(c.Values, "'coat & hat'") {
		t.Errorf("category is %+v", c)
	}
}

func TestSearchByPicture(t *testing.T) {
	s := fixture(t, nil)
	img := image.NewRGBA(image.Rect(0, 0, 40, 40))
	for y := range 40 {
		for x := range 40 {
			img.Set(x, y, color.RGBA{R: 255, A: 255})
			if x >= 20 {
				img.Set(x, y, color.RGBA{G: 255, A: 255})
			}
		}
	}
	var file bytes.Buffer
	if err := png.Encode(&file, img); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ box, want string }{{"", "dress"}, {`,"box":[0.5,0,0.5,1]`, "shoe"}} {
		got := ask(t, s, fmt.Sprintf(`{"image":%q,"index":"exact","k":3%s}`, base64.StdEncoding.EncodeToString(file.Bytes()), c.box))
		for _, a := range got.Results[0].Answers {
			if a.Category != c.want {
				t.Errorf("box %q: an answer is a %s, not a %s", c.box, a.Category, c.want)
			}
		}
		if got.Query.EmbedSeconds == nil || len(got.Query.Vector) != testDim {
			t.Errorf("box %q: no vector or no time", c.box)
		}
	}
}

// TestRefusals has each kind of bad request end in one clear error.
func TestRefusals(t *testing.T) {
	s := fixture(t, nil)
	// A PNG whose header claims 60,000 × 60,000 pixels: 14 GB if it were believed.
	bomb := append([]byte("\x89PNG\r\n\x1a\n"), pngHeader(60000, 60000)...)
	for _, c := range []struct {
		name, body, code string
		status           int
	}{
		{"nothing", `{"index":"exact"}`, "query", 400},
		{"two", `{"item":1,"id":"x","index":"exact"}`, "query", 400},
		{"no index", `{"item":1}`, "index", 400},
		{"unknown index", `{"item":1,"index":"x"}`, "index", 404},
		{"four indexes", `{"item":1,"indexes":["exact","exact","exact","exact"]}`, "index", 400},
		{"a million indexes", `{"item":1,"indexes":[` + strings.Repeat(`"",`, 1e6) + `""]}`, "index", 400},
		{"an index twice", `{"item":1,"indexes":["exact","exact"]}`, "index", 400},
		{"half a list of indexes", `{"item":1,"indexes":["exact"`, "json", 400},
		{"no list of indexes", `{"item":1,"indexes":"exact"}`, "json", 400},
		{"a long name", `{"item":1,"index":"` + strings.Repeat(`\u0001`, 1e5) + `"}`, "index", 404},
		{"k", `{"item":1,"index":"exact","k":101}`, "k", 400},
		{"item", `{"item":-1,"index":"exact"}`, "item", 404},
		{"unknown name", `{"item":1,"index":"exact","kk":3}`, "json", 400},
		{"not JSON", `{"item":`, "json", 400},
		{"two values", `{"item":1,"index":"exact"} {}`, "json", 400},
		{"dimensions", `{"vector":[1],"index":"exact"}`, "vector", 400},
		{"category", `{"item":1,"index":"exact","category":"x"}`, "category", 404},
		{"filter", `{"item":1,"index":"exact","filter":"catgory = 'x'"}`, "filter", 400},
		{"a long filter", `{"item":1,"index":"exact","filter":"` + strings.Repeat("price=1 or ", maxFilter/11) + `price=1"}`, "filter", 400},
		{"a deep filter", `{"item":1,"index":"exact","filter":"` + strings.Repeat("(", 900) + "price=1" + strings.Repeat(")", 900) + `"}`, "filter", 400},
		{"many comparisons", `{"item":1,"index":"exact","filter":"` + strings.Repeat("price=1 or ", maxCompared) + `price=1"}`, "filter", 400},
		{"infinite", `{"vector":[1e400,0,0,0,0,0,0,0],"index":"exact"}`, "json", 400},
		{"infinite in 32 bits", `{"vector":[1e40,0,0,0,0,0,0,0],"index":"exact"}`, "json", 400},
		{"filter without an end", `{"item":1,"index":"exact","filter":"category = "}`, "filter", 400},
		{"base64", `{"image":"!!","index":"exact"}`, "image", 400},
		{"no picture", `{"image":"aGVsbG8=","index":"exact"}`, "image", 422},
		{"bomb", fmt.Sprintf(`{"image":%q,"index":"exact"}`, base64.StdEncoding.EncodeToString(bomb)), "image", 422},
		{"box without picture", `{"item":1,"box":[0,0,1,1],"index":"exact"}`, "box", 400},
		{"no board", `{"board":"x","box":[0,0,1,1],"index":"exact"}`, "board", 404},
		{"large image", `{"index":"exact","image":"` + strings.Repeat("A", maxUpload/3*4+8) + `"}`, "too_large", 413},
		{"large body", `{"index":"exact","image":"` + strings.Repeat("A", maxBody) + `"}`, "too_large", 413},
	} {
		w := request(s, "POST", api+"/search", c.body)
		var e failure
		if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if w.Body.Len() > 2*maxSentence {
			t.Errorf("%s: the answer has %d bytes", c.name, w.Body.Len())
		}
		if w.Code != c.status || e.Error.Code != c.code || e.Error.Message == "" {
			t.Errorf("%s: %d %+v, want %d %s", c.name, w.Code, e.Error, c.status, c.code)
		}
	}
	for path, status := range map[string]int{
		"/nothing": 404, api + "/items/999": 404, api + "/items/..%2f..%2fetc%2fpasswd/picture": 404, api + "/boards/..%2fx/picture": 404,
		api + "/items?limit=x": 400, api + "/items?limit=201": 400, api + "/search": 405,
	} {
		if w := request(s, "GET", path, ""); w.Code != status {
			t.Errorf("GET %s: %d, want %d", path, w.Code, status)
		}
	}
}

// TestNearNames: a name that is written wrong is refused, and the right one is offered.
func TestNearNames(t *testing.T) {
	s, visitor, shown := showing(t)
	taking := adding(t, t.TempDir(), "flat")
	token := []string{"Authorization", "Bearer " + taking.Token}
	forest := s.Points[1]
	if forest.Cell.Family != "forest" {
		t.Fatal(forest.Cell.Family)
	}
	for _, c := range []struct {
		s          *Server
		path, body string
		want       string // of the sentence
		headers    []string
	}{
		{s, "/items?limt=3", "", `There is no parameter "limt" here; did you mean "limit"?`, nil},
		{s, "/items?category=shoe&colour=red", "", `There is no parameter "colour" here; known are q, category, limit, from.`, nil},
		{s, "/boards?q=x", "", `There is no parameter "q" here; known are limit, from.`, nil},
		{s, "/items/3/picture?Size=large", "", `There is no parameter "Size" here; did you mean "size"?`, nil},
		{s, "/about?x", "", "/api/v1/about takes no parameters, and \"x\" is one.", nil},
		{s, "/items?limit=1&limit=2", "", "The parameter limit is given twice.", nil},
		{s, "/items?q=%zz", "", `What stands behind the ? cannot be read: invalid URL escape "%zz".`, nil},
		{s, "/items?q=a;limit=1", "", "What stands behind the ? cannot be read: invalid semicolon separator in query.", nil},
		{s, "/items?category=sheo", "", `There is no category "sheo"; did you mean "shoe"?`, nil},
		{s, "/itmes", "", "There is nothing at this address; did you mean /api/v1/items?", nil},
		{s, "/search?k=3", `{"item":1,"index":"exact"}`, "/api/v1/search takes no parameters, and \"k\" is one.", nil},
		{s, "/search", `{"item":1,"index":"exact","categroy":"shoe"}`, `there is no member "categroy" here; did you mean "category"?`, nil},
		{s, "/search", `{"item":1,"index":"exact","category":"Shoe"}`, `There is no category "Shoe"; did you mean "shoe"?`, nil},
		{s, "/search", `{"item":1,"index":"exakt"}`, `There is no index "exakt"; did you mean "exact"?`, nil},
		{s, "/search", `{"item":1,"index":"experment"}`, `There is no index "experment"; did you mean "experiment"?`, nil},
		{s, "/search", `{"item":1,"index":"forest"}`, "which for forest is " + forest.ID, nil},
		{s, "/search", `{"item":1,"index":"exact","filter":"prise < 3"}`, `did you mean \"price\"?`, nil},
		{s, "/events", `{"impresion":"x","rank":1,"what":"click"}`, `did you mean "impression"?`, []string{"Cookie", visitor}},
		{s, "/events", `{"impression":"` + shown + `","rank":1,"what":"clik"}`, `what has to be click, more or basket, not "clik".`, []string{"Cookie", visitor}},
		{taking, "/items", `{"items":[{"id":"a","vectr":[1]}]}`, `there is no member "vectr" here; did you mean "vector"?`, token},
		{taking, "/items", `{"item":[]}`, `there is no member "item" here; did you mean "items"?`, token},
		{taking, "/items", `{"items":[{"id":"a","vector":[1,1,1,1,1,1,1,1],"attributes":{"pric":1}}]}`, `items/0: the items have no attribute "pric"; did you mean "price"?`, token},
		{taking, "/items", `{"items":[{"id":"a","vector":[1,1,1,1,1,1,1,1],"category":"shoo"}]}`, `items/0: There is no category "shoo"; did you mean "shoe"?`, token},
	} {
		method := "GET"
		if c.body != "" {
			method = "POST"
		}
		w := request(c.s, method, api+c.path, c.body, c.headers...)
		var e failure
		if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || w.Code < 400 || w.Code >= 500 || !strings.Contains(e.Error.Message, strings.ReplaceAll(c.want, `\"`, `"`)) {
			t.Errorf("%s %s %s: %d %q %v, want %s", method, c.path, c.body, w.Code, e.Error.Message, err, c.want)
		}
	}
	for path, body := range map[string]string{"/metrics?name=x": "", "/healthz?now=1": "", "/?item=3": "", "/shop?q=shoe": "", api + "/items?": "", api + "/items?q=&limit=2": ""} {
		if w := request(s, "GET", path, body); w.Code != http.StatusOK {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

// pngHeader is the chunk IHDR.
func pngHeader(w, h uint32) []byte {
	var b bytes.Buffer
	img := image.NewGray(image.Rect(0, 0, 1, 1))
	_ = png.Encode(&b, img)
	chunk := bytes.Clone(b.Bytes()[8:33])
	for i, v := range []uint32{w, h} {
		for j := range 4 {
			chunk[8+4*i+j] = byte(v >> (24 - 8*j))
		}
	}
	sum := crc32.ChecksumIEEE(chunk[4:21])
	for j := range 4 {
		chunk[21+j] = byte(sum >> (24 - 8*j))
	}
	return chunk
}

func TestWhoMayAsk(t *testing.T) {
	open, closed := fixture(t, nil), fixture(t, func(c *Config) { c.Token = "correct horse" })
	for _, c := range []struct {
		name    string
		s       *Server
		host    string
		path    string
		headers []string
		want    int
	}{
		{"this machine", open, "localhost:8080", "/", nil, 200},
		{"IPv6", open, "[::1]:8080", "/", nil, 200},
		{"this machine in capitals, with the root", open, "LOCALHOST.:8080", "/", nil, 200},
		{"a name that somebody pointed here", open, "evil.example", api + "/about", nil, 403},
		{"no token", closed, "192.0.2.1:80", api + "/about", nil, 401},
		{"no token, page", closed, "192.0.2.1:80", "/", nil, 303},
		{"no token, metrics", closed, "192.0.2.1:80", "/metrics", nil, 401},
		{"wrong token", closed, "192.0.2.1:80", api + "/about", []string{"Authorization", "Bearer x"}, 401},
		{"token", closed, "192.0.2.1:80", api + "/about", []string{"Authorization", "Bearer correct horse"}, 200},
		{"the scheme in small letters", closed, "192.0.2.1:80", api + "/about", []string{"Authorization", "bearer correct horse"}, 200},
		{"the token in capitals", closed, "192.0.2.1:80", api + "/about", []string{"Authorization", "Bearer CORRECT HORSE"}, 401},
		{"another scheme", closed, "192.0.2.1:80", api + "/about", []string{"Authorization", "Basic correct horse"}, 401},
		{"the token is no cookie", closed, "localhost", api + "/about", []string{"Cookie", cookieName + "=correct horse"}, 401},
	} {
		r := httptest.NewRequest("GET", "http://"+c.host+c.path, nil)
		for i := 0; i < len(c.headers); i += 2 {
			r.Header.Set(c.headers[i], c.headers[i+1])
		}
		w := httptest.NewRecorder()
		c.s.Handler().ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%s: %d, want %d", c.name, w.Code, c.want)
		}
		if p := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(p, "default-src 'none'") || strings.Contains(p, "unsafe") {
			t.Errorf("%s: policy %q", c.name, p)
		}
		if w.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: other origins are let in", c.name)
		}
	}
	w := request(closed, "POST", "/login", "token=correct+horse", "Content-Type", "application/x-www-form-urlencoded")
	cookies := w.Result().Cookies()
	if len(cookies) != 1 || !cookies[0].HttpOnly || cookies[0].SameSite != http.SameSiteStrictMode {
		t.Fatalf("login gives %v", cookies)
	}
	if w := request(closed, "GET", api+"/about", "", "Cookie", cookieName+"="+cookies[0].Value); w.Code != 200 {
		t.Errorf("with the cookie: %d", w.Code)
	}
	// A shared link leads to its view, by way of the token.
	const view = "?item=3&a=x%26y"
	if to := request(closed, "GET", "/"+view, "").Header().Get("Location"); to != "/login"+view {
		t.Errorf("a link without the token leads to %q", to)
	}
	for token, want := range map[string]string{"correct+horse": "/" + view, "x": "/login" + view + "#wrong"} {
		w := request(closed, "POST", "/login"+view, "token="+token, "Content-Type", "application/x-www-form-urlencoded")
		if to := w.Header().Get("Location"); to != want {
			t.Errorf("token %q for a link leads to %q, not %q", token, to, want)
		}
	}
	if w := request(open, "POST", api+"/search", `{"item":1,"index":"exact"}`, "Sec-Fetch-Site", "cross-site"); w.Code != 403 {
		t.Errorf("from another site: %d", w.Code)
	}
}

// TestGuesses has wrong tokens wait, a further one be refused unread, and others let in all the while. The
// clock is the bubble's: it goes on when all wait, and by no more than they do.
func TestGuesses(t *testing.T) {
	const token = "correct horse"
	s := fixture(t, func(c *Config) { c.Token = token })
	by := func(addr, way, token string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", "http://localhost"+api+"/about", nil)
		switch way {
		case "form":
			r = httptest.NewRequest("POST", "http://localhost/login", strings.NewReader(url.Values{"token": {token}}.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		case "header":
			r.Header.Set("Authorization", "Bearer "+token)
		case "cookie":
			r.AddCookie(&http.Cookie{Name: cookieName, Value: s.session})
		}
		r.RemoteAddr = addr
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		return w
	}
	const guesser, sibling, other = "[2001:db8::1]:80", "[2001:db8::2]:443", "[2001:db8:0:1::1]:80"
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var wg sync.WaitGroup
		for i := range maxGuesses {
			wg.Go(func() {
				way, want := "form", http.StatusSeeOther
				if i%2 == 1 {
					way, want = "header", http.StatusUnauthorized
				}
				if w := by(guesser, way, "x"); w.Code != want || len(w.Result().Cookies()) > 0 {
					t.Errorf("a guess by %s: %d", way, w.Code)
				}
				if waited := time.Since(began); waited != s.patience.guess {
					t.Errorf("a guess by %s is answered after %v, not %v", way, waited, s.patience.guess)
				}
			})
		}
		synctest.Wait()
		for _, c := range []struct {
			addr, way, token string
			want             int
		}{
			{guesser, "form", "y", 429},
			{guesser, "header", "y", 429},
			{sibling, "form", token, 429},
			{sibling, "header", token, 429},
			{guesser, "cookie", "", 200},
			{other, "header", token, 200},
			{other, "form", token, 303},
		} {
			w := by(c.addr, c.way, c.token)
			if w.Code != c.want || c.want == 429 && w.Header().Get("Retry-After") == "" {
				t.Errorf("%s from %s beside the guesses: %d, want %d", c.way, c.addr, w.Code, c.want)
			}
		}
		if waited := time.Since(began); waited != 0 {
			t.Errorf("they waited %v", waited)
		}
		wg.Wait()
		if len(s.guesses.waiting) > 0 {
			t.Errorf("%v still wait", s.guesses.waiting)
		}
		if w := by(guesser, "form", token); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/" {
			t.Errorf("the token after the guesses: %d, to %q", w.Code, w.Header().Get("Location"))
		}
	})
}

// TestBusy fills the queue for embeddings, and has the next told to come again.
func TestBusy(t *testing.T) {
	hold, begun := make(chan struct{}), make(chan struct{}, 8)
	s := fixture(t, func(c *Config) {
		embed := c.Embed
		c.Queue = 1
		c.Embed = func(img image.Image) ([]float32, error) { begun <- struct{}{}; <-hold; return embed(img) }
	})
	var file bytes.Buffer
	if err := png.Encode(&file, image.NewGray(image.Rect(0, 0, 2, 2))); err != nil {
		t.Fatal(err)
	}
	body := fmt.Sprintf(`{"image":%q,"index":"exact"}`, base64.StdEncoding.EncodeToString(file.Bytes()))
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			if w := request(s, "POST", api+"/search", body); w.Code != 200 {
				t.Errorf("one that waited its turn: %d", w.Code)
			}
		})
	}
	<-begun
	for len(s.embeds.line) < 2 {
		time.Sleep(time.Millisecond)
	}
	w := request(s, "POST", api+"/search", body)
	if w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("beyond the queue: %d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
	}
	if w := request(s, "POST", api+"/search", `{"item":1,"index":"exact"}`); w.Code != 200 {
		t.Errorf("a search without a picture: %d", w.Code)
	}
	close(hold)
	wg.Wait()
}

// apiDocument is what the tests read of the OpenAPI document.
type apiDocument struct {
	Security []map[string][]string
	Paths    map[string]map[string]struct {
		Parameters []struct {
			Name   string
			Schema map[string]any
		}
		Responses map[string]struct {
			Content map[string]struct{ Schema map[string]any }
		}
		Security *[]map[string][]string
	}
	Components struct {
		Schemas         map[string]map[string]any
		SecuritySchemes map[string]struct{ Type, Scheme, In, Name string }
	}
}

func readDocument(t *testing.T, s *Server, headers ...string) *apiDocument {
	t.Helper()
	var d apiDocument
	if err := json.Unmarshal(request(s, "GET", api+"/openapi.json", "", headers...).Body.Bytes(), &d); err != nil {
		t.Fatal(err)
	}
	return &d
}

// check compares a value with a schema of the document.
func (d *apiDocument) check(t *testing.T, where string, schema map[string]any, v any) {
	t.Helper()
	if ref, ok := schema["$ref"].(string); ok {
		to, ok := d.Components.Schemas[strings.TrimPrefix(ref, "#/components/schemas/")]
		if !ok {
			t.Fatalf("%s: %s is not defined", where, ref)
		}
		schema = to
	}
	if all, ok := schema["enum"].([]any); ok && !slices.Contains(all, v) {
		t.Errorf("%s: %v is none of %v", where, v, all)
	}
	switch v := v.(type) {
	case map[string]any:
		props, _ := schema["properties"].(map[string]any)
		rest, _ := schema["additionalProperties"].(map[string]any)
		required, _ := schema["required"].([]any)
		for _, name := range required {
			if _, ok := v[name.(string)]; !ok {
				t.Errorf("%s: %s is required and absent", where, name)
			}
		}
		for name, inner := range v {
			p, ok := props[name].(map[string]any)
			if !ok {
				p = rest
			}
			if p == nil {
				t.Errorf("%s.%s is not documented", where, name)
				continue
			}
			d.check(t, where+"."+name, p, inner)
		}
	case []any:
		items, ok := schema["items"].(map[string]any)
		if !ok {
			t.Errorf("%s: a list is not documented", where)
			return
		}
		for _, inner := range v {
			d.check(t, where+"[]", items, inner)
		}
	case string:
		if schema["type"] != "string" {
			t.Errorf("%s: a string, documented as %v", where, schema["type"])
		}
	case float64:
		if schema["type"] != "number" && (schema["type"] != "integer" || v != float64(int(v))) {
			t.Errorf("%s: %v, documented as %v", where, v, schema["type"])
		}
	case bool:
		if schema["type"] != "boolean" {
			t.Errorf("%s: a boolean, documented as %v", where, schema["type"])
		}
	}
}

// answer compares an answer with what the document says of a status of an operation.
func (d *apiDocument) answer(t *testing.T, method, pattern, status string, w *httptest.ResponseRecorder) {
	t.Helper()
	var v any
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatalf("%s %s: %v", method, pattern, err)
	}
	r, ok := d.Paths[pattern][strings.ToLower(method)].Responses[status]
	if !ok {
		t.Fatalf("%s %s: no answer %s is documented", method, pattern, status)
	}
	d.check(t, pattern, r.Content["application/json"].Schema, v)
}

// TestOpenAPI checks the document against the routes and the limits, and answers against the document.
func TestOpenAPI(t *testing.T) {
	s := fixture(t, nil)
	doc := readDocument(t, s)
	documented := 0
	for _, methods := range doc.Paths {
		documented += len(methods)
	}
	if documented != len(routes) {
		t.Errorf("%d operations are documented, there are %d", documented, len(routes))
	}
	for _, r := range routes {
		if _, ok := doc.Paths[r.pattern][strings.ToLower(r.method)]; !ok {
			t.Errorf("%s %s is not documented", r.method, r.pattern)
		}
	}
	asked := doc.Components.Schemas["Search"]["properties"].(map[string]any)
	for what, limit := range map[string]struct {
		got  any
		want int
	}{
		"k":       {asked["k"].(map[string]any)["maximum"], maxK},
		"indexes": {asked["indexes"].(map[string]any)["maxItems"], maxAtOnce},
	} {
		if limit.got != float64(limit.want) {
			t.Errorf("the limit of %s is documented as %v, it is %d", what, limit.got, limit.want)
		}
	}
	for _, path := range []string{"/items", "/boards"} {
		for _, p := range doc.Paths[api+path]["get"].Parameters {
			if p.Name == "limit" && p.Schema["maximum"] != float64(maxItems) {
				t.Errorf("%s: the limit is documented as %v, it is %d", path, p.Schema["maximum"], maxItems)
			}
		}
	}
	for _, name := range []string{"about", "indexes", "items", "boards", "highlights"} {
		doc.answer(t, "GET", api+"/"+name, "200", request(s, "GET", api+"/"+name, ""))
	}
	doc.answer(t, "GET", api+"/items/{item}", "200", request(s, "GET", api+"/items/3", ""))
	doc.answer(t, "POST", api+"/search", "200", request(s, "POST", api+"/search", `{"item":3,"indexes":["exact","`+s.Points[1].ID+`"],"judge":true}`))
}

// TestOpenAPISecurity has the document ask for the token where the server does, in the ways that it takes,
// and each of these ways be taken.
func TestOpenAPISecurity(t *testing.T) {
	if doc := readDocument(t, fixture(t, nil)); doc.Security != nil || doc.Components.SecuritySchemes != nil {
		t.Errorf("without a token the document asks for %v", doc.Security)
	}
	s := fixture(t, func(c *Config) { c.Token = "correct horse" })
	login := request(s, "POST", "/login", "token=correct+horse", "Content-Type", "application/x-www-form-urlencoded")
	doc := readDocument(t, s, "Authorization", "Bearer "+s.Token)
	ways := 0
	for _, way := range doc.Security {
		for name := range way {
			scheme := doc.Components.SecuritySchemes[name]
			var header, value string
			switch {
			case scheme.Type == "http" && scheme.Scheme == "bearer":
				header, value = "Authorization", "Bearer "+s.Token
			case scheme.Type == "apiKey" && scheme.In == "cookie":
				header = "Cookie"
				for _, c := range login.Result().Cookies() {
					if c.Name == scheme.Name {
						value = c.Name + "=" + c.Value
					}
				}
			}
			if w := request(s, "GET", api+"/about", "", header, value); w.Code != http.StatusOK {
				t.Errorf("by %s, as documented: %d", name, w.Code)
			}
			ways++
		}
	}
	if ways != 2 {
		t.Errorf("%d ways are documented, there are 2", ways)
	}
	for _, r := range routes {
		want := http.StatusUnauthorized
		if own := doc.Paths[r.pattern][strings.ToLower(r.method)].Security; own != nil && len(*own) == 0 {
			want = http.StatusOK
		}
		if w := request(s, r.method, strings.NewReplacer("{item}", "3", "{board}", "x").Replace(r.pattern), ""); w.Code != want {
			t.Errorf("%s %s without a token: %d, documented %d", r.method, r.pattern, w.Code, want)
		}
	}
}

// TestCodes draws an error of every code, and has it be as documented: none is missing from the document,
// and none is there that is never given.
func TestCodes(t *testing.T) {
	plain := fixture(t, nil)
	shut := fixture(t, func(c *Config) { c.Token = "correct horse" })
	lame := fixture(t, func(c *Config) {
		c.Embed = nil
		c.Points[1].Missing = "it was left out"
	})
	faulty := fixture(t, func(c *Config) {
		c.Embed = func(image.Image) ([]float32, error) { return nil, errors.New("out of order") }
	})
	tried := fixture(t, func(c *Config) { c.Token = "correct horse" })
	tried.guesses.waiting[neighbourhood("192.0.2.1:1")] = maxGuesses
	full := fixture(t, nil)
	full.held.Store(maxHeld)
	given, give := context.WithCancel(t.Context())
	give()
	waits := fixture(t, func(c *Config) { c.Searches = 1 })
	waits.searches.slots <- struct{}{}
	clicked, visitor, shown := showing(t)
	taking := adding(t, t.TempDir(), "flat")
	rigid := adding(t, t.TempDir(), "forest")
	token := []string{"Authorization", "Bearer " + taking.Token}
	const ones = `"vector":[1,1,1,1,1,1,1,1]`

	var file bytes.Buffer
	if err := png.Encode(&file, image.NewGray(image.Rect(0, 0, 2, 2))); err != nil {
		t.Fatal(err)
	}
	picture := fmt.Sprintf(`{"image":%q,"index":"exact"}`, base64.StdEncoding.EncodeToString(file.Bytes()))
	for c, draw := range [numCodes]struct {
		s       *Server
		method  string
		path    string
		body    string
		headers []string
		status  int
	}{
		noQuery:        {plain, "POST", "/search", `{"index":"exact"}`, nil, 400},
		badBox:         {plain, "POST", "/search", `{"item":1,"box":[0,0,1,1],"index":"exact"}`, nil, 400},
		badK:           {plain, "POST", "/search", `{"item":1,"index":"exact","k":101}`, nil, 400},
		badIndex:       {plain, "POST", "/search", `{"item":1,"index":"x"}`, nil, 404},
		indexMissing:   {lame, "POST", "/search", `{"item":1,"index":"` + lame.Points[1].ID + `"}`, nil, 409},
		badFilter:      {plain, "POST", "/search", `{"item":1,"index":"exact","filter":"("}`, nil, 400},
		badCategory:    {plain, "GET", "/items?category=x", "", nil, 404},
		badItem:        {plain, "GET", "/items/3000", "", nil, 404},
		badBoard:       {plain, "GET", "/boards/x", "", nil, 404},
		badVector:      {plain, "POST", "/search", `{"vector":[1],"index":"exact"}`, nil, 400},
		badImage:       {plain, "POST", "/search", `{"image":"aGVsbG8=","index":"exact"}`, nil, 422},
		noModel:        {lame, "POST", "/search", picture, nil, 501},
		noPicture:      {plain, "GET", "/items/3/picture", "", nil, 404},
		badSize:        {plain, "GET", "/items/3/picture?size=x", "", nil, 400},
		badLimit:       {plain, "GET", "/items?limit=201", "", nil, 400},
		badWords:       {plain, "GET", "/items?q=" + strings.Repeat("a+", maxWords), "", nil, 400},
		badFrom:        {plain, "GET", "/boards?from=-1", "", nil, 400},
		badParameter:   {plain, "GET", "/items?limt=3", "", nil, 400},
		badJSON:        {plain, "POST", "/search", `{`, nil, 400},
		badContentType: {plain, "POST", "/search", `{}`, []string{"Content-Type", "text/plain"}, 415},
		tooLarge:       {plain, "POST", "/search", `{"id":"` + strings.Repeat("A", maxBody) + `"}`, nil, 413},
		tooSlow:        {plain, "POST", "/search", slowBody, nil, 408},
		badMethod:      {plain, "DELETE", "/search", "", nil, 405},
		notFound:       {plain, "GET", "/x", "", nil, 404},
		badToken:       {shut, "GET", "/about", "", nil, 401},
		tooManyGuesses: {tried, "GET", "/about", "", []string{"Authorization", "Bearer x"}, 429},
		badHost:        {plain, "GET", "/about", "", []string{"Host", "evil.example"}, 403},
		crossOrigin:    {plain, "POST", "/search", `{}`, []string{"Sec-Fetch-Site", "cross-site"}, 403},
		badEvent:       {clicked, "POST", "/events", `{"impression":"` + shown + `","rank":1,"what":"x"}`, []string{"Cookie", visitor}, 400},
		noList:         {clicked, "POST", "/events", `{"impression":"x","rank":1,"what":"click"}`, []string{"Cookie", visitor}, 403},
		noExperiment:   {plain, "POST", "/events", `{}`, nil, 404},
		noAdding:       {plain, "POST", "/items", `{"items":[{"id":"a",` + ones + `}]}`, nil, 403},
		badItems:       {taking, "POST", "/items", `{"items":[]}`, token, 400},
		badAttribute:   {taking, "POST", "/items", `{"items":[{"id":"a",` + ones + `,"attributes":{"price":"x"}}]}`, token, 400},
		itemExists:     {taking, "POST", "/items", `{"items":[{"id":"a",` + ones + `},{"id":"a",` + ones + `}]}`, token, 409},
		noTaker:        {rigid, "POST", "/items", `{"items":[{"id":"a",` + ones + `}]}`, token, 409},
		busy:           {full, "POST", "/search", `{}`, nil, 503},
		gone:           {waits, "POST", "/search", `{"item":1,"index":"exact"}`, nil, 499},
		internal:       {faulty, "POST", "/search", picture, nil, 500},
	} {
		c := code(c)
		if draw.s == nil {
			t.Errorf("no error of code %q is drawn", c)
			continue
		}
		r := httptest.NewRequest(draw.method, "http://localhost"+api+draw.path, strings.NewReader(draw.body))
		if draw.body == slowBody {
			r.Body = io.NopCloser(slowReader{})
		}
		r.Header.Set("Content-Type", "application/json")
		for i := 0; i < len(draw.headers); i += 2 {
			if draw.headers[i] == "Host" {
				r.Host = draw.headers[i+1]
			}
			r.Header.Set(draw.headers[i], draw.headers[i+1])
		}
		if c == gone {
			r = r.WithContext(given)
		}
		w := httptest.NewRecorder()
		draw.s.Handler().ServeHTTP(w, r)
		var e failure
		if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || e.Error.Code != c.String() || w.Code != draw.status || e.Error.Message == "" {
			t.Errorf("%q: %d %s %v, want %d", c, w.Code, w.Body, err, draw.status)
			continue
		}
		readDocument(t, plain).answer(t, "POST", api+"/search", "default", w)
	}
	listed := readDocument(t, plain).Components.Schemas["Error"]["properties"].(map[string]any)["error"].(map[string]any)["properties"].(map[string]any)["code"].(map[string]any)["enum"].([]any)
	if fmt.Sprint(listed) != fmt.Sprint(codes) {
		t.Errorf("the document lists %v, there are %v", listed, codes)
	}
	text, err := os.ReadFile("../docs/reference/serve.md")
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, row := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\|").FindAllSubmatch(text, -1) {
		told = append(told, string(row[1]))
	}
	if fmt.Sprint(told) != fmt.Sprint(codes) {
		t.Errorf("docs/reference/serve.md lists %v, there are %v", told, codes)
	}
}

// slowBody stands for a body that does not arrive in time.
const slowBody = "slow"

type slowReader struct{}

func (slowReader) Read([]byte) (int, error) { return 0, &net.OpError{Err: os.ErrDeadlineExceeded} }

// failure is an error as clients read it.
type failure struct {
	Error struct{ Code, Message string }
}

// TestSlowAndMany opens many connections that say nothing, and has the server answer beside them and
// stop when it is told to.
func TestSlowAndMany(t *testing.T) {
	s := fixture(t, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	many := 1000
	if !testing.Short() {
		many = 4000
	}
	for range many {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Skipf("this machine does not open so many connections: %v", err)
		}
		defer c.Close()
		_, _ = io.WriteString(c, "GET / HT")
	}
	r, err := http.Get("http://" + l.Addr().String() + api + "/about")
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != 200 {
		t.Errorf("beside %d connections: %d", many, r.StatusCode)
	}
	stop()
	select {
	case <-ended:
	case <-time.After(hang):
		t.Fatal("it does not stop")
	}
}

func TestMetrics(t *testing.T) {
	s := fixture(t, nil)
	ask(t, s, `{"item":3,"index":"`+s.Points[1].ID+`"}`)
	text := request(s, "GET", "/metrics", "").Body.String()
	for _, line := range []string{
		`annbench_search_seconds_count{family="forest",index="` + s.Points[1].ID + `"} 1`,
		`annbench_requests_total{status="200"} 1`, `annbench_waiting{for="embedding"} 0`, "go_memstats_heap_alloc_bytes",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("metrics lack %s", line)
		}
	}
}

// FuzzSearch sends anything: whatever it is, there is an answer in JSON, and never one that blames
// the server.
func FuzzSearch(f *testing.F) {
	s := fixture(f, nil)
	for _, seed := range []string{`{"item":1,"index":"exact"}`, `{"vector":[1,2,3,4,5,6,7,8],"index":"exact","k":3,"judge":true}`, `{"image":"iVBORw0KGgo=","index":"exact","box":[0,0,1,1]}`, `[]`} {
		f.Add(seed, "")
	}
	f.Add("", "/items?q=x&limit=3&from=1")
	f.Add("", "/items/3/picture?size=large")
	f.Fuzz(func(t *testing.T, body, path string) {
		r := httptest.NewRequest("POST", "http://localhost"+api+"/search", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		if path != "" {
			r.Method = "GET"
			u, err := r.URL.Parse(api + path)
			if err != nil || u.Host != "localhost" {
				return
			}
			r.URL = u
		}
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") && !json.Valid(w.Body.Bytes()) {
			t.Fatalf("no JSON: %q", w.Body)
		}
	})
}

func TestReadJSON(t *testing.T) {
	var image [300_000]byte
	for i := range image {
		image[i] = byte(i * i >> 3)
	}
	text := base64.StdEncoding.EncodeToString(image[:])
	far := strings.Repeat("-", 300) // too long for anything to be near
	for name, c := range map[string]struct{ body, want string }{
		"a search":           {`{"item":7,"index":"exact","box":[0,0.5,1,0.5]}`, ""},
		"a picture":          {`{"image":"` + text + `"}`, ""},
		"escaped slashes":    {`{"image":"` + strings.ReplaceAll(text, "/", `\/`) + `"}`, ""},
		"escaped lines":      {`{"image":"` + text[:76] + `\n` + text[76:] + `"}`, ""},
		"null":               {`{"image":null,"item":null}`, ""},
		"nothing":            {``, "The body is no whole JSON value."},
		"nothing after it":   {`{"image":`, "The body is no whole JSON value."},
		"cut":                {`{"image":"` + text, "The body is no whole JSON value."},
		"unknown":            {`{"items":7}`, `The body cannot be read: there is no member "items" here; did you mean "item"?`},
		"capitals":           {`{"Item":7}`, `The body cannot be read: there is no member "Item" here; did you mean "item"?`},
		"far from all":       {`{"` + far + `":7}`, `The body cannot be read: there is no member "` + far + `" here; known are item, id, vector, image, board, box, index, indexes, k, category, filter, judge.`},
		"a number as a text": {`{"item":"7"}`, `The body cannot be read: item cannot be a JSON string.`},
		"half an item":       {`{"item":1.5}`, "The body cannot be read: item cannot be 1.5."},
		"a picture of ones":  {`{"image":11}`, "The body cannot be read: image cannot be a JSON number."},
		"a box of three":     {`{"box":[0,0,1]}`, "The body cannot be read: box cannot be such an array."},
		"a list":             {`[]`, "The body cannot be read: it has to be a JSON object."},
		"twice":              {`{"item":7,"item":8}`, `The body cannot be read: duplicate object member name, at byte 11.`},
		"something after":    {`{"item":7} x`, "The body cannot be read: invalid character 'x' after top-level value, at byte 12."},
	} {
		for _, size := range []int64{int64(len(c.body)), -1} {
			var r searchRequest
			err := readJSON("application/json; charset=utf-8", size, strings.NewReader(c.body), &r)
			if c.want == "" {
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
				if strings.Contains(c.body, `"image":"`) && !bytes.Equal(r.Image.file, image[:]) {
					t.Errorf("%s: another picture of %d bytes", name, len(r.Image.file))
				}
				continue
			}
			var p problem
			if !errors.As(err, &p) || p.status != http.StatusBadRequest || p.Sentence != c.want {
				t.Errorf("%s: %v, want %s", name, err, c.want)
			}
		}
	}
}
