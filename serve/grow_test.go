package serve

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"annbench/indexes"
)

// adding is a server that takes items into the folder dir.
func adding(t testing.TB, dir string, families ...string) *Server {
	t.Helper()
	return fixtureOf(t, families, func(c *Config) {
		a, err := OpenAdditions(dir, c.Library)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = a.Close() })
		c.Additions, c.Token = a, "correct horse"
	})
}

// send posts to a server that asks for the token.
func send(t testing.TB, s *Server, path, body string, status int, out any) string {
	t.Helper()
	w := request(s, "POST", api+path, body, "Authorization", "Bearer "+s.Token)
	if w.Code != status {
		t.Fatalf("%s %s: %d %s, want %d", path, body, w.Code, w.Body, status)
	}
	if out != nil {
		if err := json.Unmarshal(w.Body.Bytes(), out); err != nil {
			t.Fatal(err)
		}
	}
	return w.Body.String()
}

// newVector is far from all items of the fixture, and its own nearest.
func newVector(i int) []float32 {
	v := make([]float32, testDim)
	for d := range v {
		v[d] = -1 - float32((i*7+d*d*3)%11)/10
	}
	return v
}

func newItem(i int, more string) string {
	v, _ := json.Marshal(newVector(i))
	return fmt.Sprintf(`{"id":"new/%d","vector":%s%s}`, i, v, more)
}

// first asks an index for the nearest of a new item's vector.
func first(t testing.TB, s *Server, index string, i int, more string) (r resultView) {
	t.Helper()
	v, _ := json.Marshal(newVector(i))
	var out searchReply
	send(t, s, "/search", fmt.Sprintf(`{"vector":%s,"index":%q,"k":3,"judge":true%s}`, v, index, more), http.StatusOK, &out)
	return out.Results[0]
}

// TestAddItems: whatever is added is found by exact search and by every index that takes it (hnsw-coder, which takes items,
// does not connect those that are far from all others, and is left out), also under filters and after
// the results were opened anew; what an index lacks is counted.
func TestAddItems(t *testing.T) {
	families := []string{"forest"}
	for _, family := range []string{
		"flat", "hnsw", "flat-faiss", "ivfflat-faiss nlist=1", "ivfsq-faiss nlist=1", "hnsw-faiss", "hnswsq-faiss",
	} {
		name, _, _ := strings.Cut(family, " ")
		if f, err := indexes.Lookup(name); err != nil || f.Updates == "" {
			t.Fatalf("%s: %v, updates %q", name, err, f.Updates)
		} else if f.Missing == "" {
			families = append(families, family)
		}
	}
	dir := t.TempDir()
	s := adding(t, dir, families...)
	before := s.Library.set.Base.Rows
	if HasAdditions(dir) {
		t.Error("items are seen before any was added")
	}
	if w := request(s, "GET", api+"/about", "", "Authorization", "Bearer "+s.Token); strings.Contains(w.Body.String(), `"1000"`) {
		t.Errorf("a price that nothing has: %s", w.Body)
	}
	var added struct {
		Items   []itemView
		Indexes []takesView
	}
	send(t, s, "/items", `{"items":[`+newItem(0, `,"category":"shoe","attributes":{"price":1000,"fabric":"nylon"}`)+`,`+newItem(1, ``)+`]}`, http.StatusOK, &added)
	if len(added.Items) != 2 || added.Items[0].Item != testItems || added.Items[0].Category != "shoe" || added.Items[1].Item != testItems+1 {
		t.Fatalf("the answer has %+v", added.Items)
	}
	send(t, s, "/items", `{"items":[`+newItem(2, ``)+`]}`, http.StatusOK, nil)
	send(t, s, "/items", `{"items":[`+newItem(3, ``)+`,`+newItem(0, ``)+`]}`, http.StatusConflict, nil)
	if !HasAdditions(dir) {
		t.Error("the added items are not seen")
	}
	again := adding(t, dir, families...)
	for name, s := range map[string]*Server{"at once": s, "after a restart": again} {
		var about struct {
			Searched   int
			Attributes []attributeView
		}
		w := request(s, "GET", api+"/about", "", "Authorization", "Bearer "+s.Token)
		if err := json.Unmarshal(w.Body.Bytes(), &about); err != nil || about.Searched != before+3 {
			t.Errorf("%s: %d items are searched, want 3 more than %d (%v)", name, about.Searched, before, err)
		}
		if !slices.ContainsFunc(about.Attributes, func(a attributeView) bool { return a.Name == "price" && slices.Contains(a.Values, "1000") }) {
			t.Errorf("%s: the price of an item that was added is not among %+v", name, about.Attributes)
		}
		for i, takes := range append(slices.Clone(added.Indexes), takesView{Index: exactID, Added: true}) {
			for item := range 3 {
				r := first(t, s, takes.Index, item, "")
				switch {
				case !takes.Added:
					if r.Lacks != 3 || takes.Family != "forest" || takes.Why == "" || *r.Recall == 1 {
						t.Errorf("%s: %s lacks %d, recall %v, because %q", name, takes.Family, r.Lacks, *r.Recall, takes.Why)
					}
				case len(r.Answers) != 3 || r.Lacks != 0 || !slices.ContainsFunc(r.Answers, func(a answerView) bool { return a.ID == fmt.Sprintf("new/%d", item) }):
					t.Errorf("%s: %s (%d) answers new/%d with %+v, and lacks %d", name, takes.Family, i, item, r.Answers, r.Lacks)
				}
			}
			for filter, want := range map[string]int{"price = 1000": 1, "fabric = 'nylon' and category = 'shoe'": 1, "price > 1000": 0} {
				if !takes.Added {
					want = 0
				}
				if r := first(t, s, takes.Index, 0, fmt.Sprintf(`,"filter":%q`, filter)); len(r.Answers) != want || want == 1 && r.Answers[0].ID != "new/0" {
					t.Errorf("%s: %s answers %+v under %s", name, takes.Family, r.Answers, filter)
				}
			}
			if r := first(t, s, takes.Index, 0, `,"category":"shoe"`); takes.Added && r.Answers[0].ID != "new/0" {
				t.Errorf("%s: %s answers %+v among shoes", name, takes.Family, r.Answers)
			}
		}
		// By its number it is a query like any other, and not its own neighbour.
		var out searchReply
		send(t, s, "/search", fmt.Sprintf(`{"item":%d,"index":"exact","k":2}`, testItems), http.StatusOK, &out)
		for _, a := range out.Results[0].Answers {
			if a.Item == testItems {
				t.Errorf("%s: the new item is its own neighbour", name)
			}
		}
		if w := request(s, "GET", fmt.Sprintf("%s/items/%d/picture", api, testItems), "", "Authorization", "Bearer "+s.Token); w.Code != http.StatusNotFound {
			t.Errorf("%s: the picture of a new item: %d", name, w.Code)
		}
	}
}

// TestAddPicture adds what a picture shows.
func TestAddPicture(t *testing.T) {
	s := adding(t, t.TempDir(), "flat")
	index := s.Points[0].ID // before adding replaces what s serves
	img := image.NewRGBA(image.Rect(0, 0, 4, 4))
	for i := range img.Pix {
		img.Pix[i] = 255
	}
	img.Set(0, 0, color.RGBA{R: 10, G: 200, B: 90, A: 255})
	var file bytes.Buffer
	if err := png.Encode(&file, img); err != nil {
		t.Fatal(err)
	}
	picture := base64.StdEncoding.EncodeToString(file.Bytes())
	send(t, s, "/items", fmt.Sprintf(`{"items":[{"id":"seen","image":%q}]}`, picture), http.StatusOK, nil)
	var out searchReply
	send(t, s, "/search", fmt.Sprintf(`{"image":%q,"index":%q}`, picture, index), http.StatusOK, &out)
	if a := out.Results[0].Answers[0]; a.ID != "seen" || a.Distance > 1e-6 {
		t.Errorf("the nearest of the picture is %+v", a)
	}
}

// TestAddRefusals: what is refused leaves nothing behind.
func TestAddRefusals(t *testing.T) {
	dir := t.TempDir()
	s := adding(t, dir, "flat")
	path := filepath.Join(dir, additionsFile)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	good := newItem(0, "")
	for body, want := range map[string]string{
		`{"items":[` + good + `,{"id":"x"}]}`:                                                                                     "items/1: give either",
		`{"items":[` + good + `,{"id":"x","vector":[1],"image":"aaaa"}]}`:                                                         "items/1: give either",
		`{"items":[` + good + `,{"id":"x","vector":[1,2]}]}`:                                                                      "items/1: the vector has 2 dimensions",
		`{"items":[` + good + `,{"id":"x","vector":[0,0,0,0,0,0,0,0]}]}`:                                                          "items/1: the vector is 0",
		`{"items":[` + good + `,{"id":"x","image":"aGVsbG8="}]}`:                                                                  "cannot be read",
		`{"items":[` + newItem(0, `,"category":"hat"`) + `]}`:                                                                     "no category",
		`{"items":[` + newItem(0, `,"attributes":{"colour":"red"}`) + `]}`:                                                        "known are price, fabric, category",
		`{"items":[` + newItem(0, `,"attributes":{"category":"hat"}`) + `]}`:                                                      "no category",
		`{"items":[` + newItem(0, `,"attributes":{"price":9007199254740993}`) + `]}`:                                              "price cannot be 9007199254740993",
		`{"items":[` + newItem(0, `,"attributes":{"price":9007199254740993.0}`) + `]}`:                                            "price cannot be 9007199254740993.0",
		`{"items":[` + newItem(0, `,"attributes":{"price":true}`) + `]}`:                                                          "price is a number",
		`{"items":[` + newItem(0, `,"attributes":{"price":[1]}`) + `]}`:                                                           "price is a number",
		`{"items":[` + newItem(0, `,"category":"shoe","attributes":{"category":"dress"}`) + `]}`:                                  "the category is",
		`{"items":[` + newItem(0, `,"attributes":{"price":{"a":`+strings.Repeat("[", 5000)+strings.Repeat("]", 5000)+`}}`) + `]}`: "price is a number",
		`{"items":[` + newItem(0, `,"attributes":{"price":1,"price":2}`) + `]}`:                                                   "duplicate",
		`{"items":[` + newItem(0, `,"attributes":[]`) + `]}`:                                                                      "items/0/attributes cannot be",
		`{"items":[` + newItem(0, `,"attributes":{"price":1e400}`) + `]}`:                                                         "items/0/attributes/price cannot be 1e400",
		`{"items":[` + newItem(0, `,"attributes":{"price":"`+strings.Repeat("x", 1e6)+`"}`) + `]}`:                                "price is a number",
		`{"items":[` + newItem(0, `,"attributes":{`+numbered(maxAttributes+10)+`}`) + `]}`:                                        "at most 500",
		`{"items":[` + strings.Repeat("{},", 1e6) + `{}]}`:                                                                        "1 to 100",
		`{"items":[` + newItem(0, `,"attributes":{"price":`):                                                                      "invalid character",
		`{"items":{}}`: "items cannot be",
		`{"items":[{"id":"","vector":[1,1,1,1,1,1,1,1]}]}`:                              "an id is",
		`{"items":[{"id":" ","vector":[1,1,1,1,1,1,1,1]}]}`:                             "an id is",
		`{"items":[{"id":"a\u0007b","vector":[1,1,1,1,1,1,1,1]}]}`:                      "an id is",
		`{"items":[{"id":"` + s.Library.items[0].id + `","vector":[1,1,1,1,1,1,1,1]}]}`: "already",
		`{"items":[` + strings.Repeat(good+",", maxAdded) + good + `]}`:                 "1 to 100",
	} {
		w := request(s, "POST", api+"/items", body, "Authorization", "Bearer "+s.Token)
		if w.Code < 400 || w.Code >= 500 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%.100s: %d %s, want %q", body, w.Code, w.Body, want)
		}
	}
	if w := request(s, "POST", api+"/items", `{"items":[`+good+`]}`); w.Code != http.StatusUnauthorized {
		t.Errorf("without the token: %d", w.Code)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("refused items are in the file: %q %v", after, err)
	}
	if _, err := New(Config{Content: s.Content, Additions: s.Additions}); err == nil {
		t.Error("items are taken without a token")
	}
}

// numbered are members of an object.
func numbered(n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf(`"a%d":1`, i))
	}
	return strings.Join(all, ",")
}

// TestReadAnItem: what is read of an item is what was sent.
func TestReadAnItem(t *testing.T) {
	var r addRequest
	body := `{"items":[{"id":"a","attributes":{"price":1.5,"fabric":"silk","new":true,"size":null,"b":[1],"c":{"d":1}},"vector":[1,2]},{"id":"b","attributes":null}]}`
	if err := readJSON("application/json", -1, strings.NewReader(body), &r); err != nil {
		t.Fatal(err)
	}
	want := given{"price": 1.5, "fabric": "silk", "new": true, "size": nil, "b": []any(nil), "c": map[string]any(nil)}
	if len(r.Items) != 2 || r.Items[0].ID != "a" || !reflect.DeepEqual(r.Items[0].Attributes, want) || !slices.Equal(r.Items[0].Vector, []float32{1, 2}) || r.Items[1].ID != "b" {
		t.Errorf("%+v", r)
	}
}

// FuzzAddItems sends any body as new items.
func FuzzAddItems(f *testing.F) {
	s := adding(f, f.TempDir(), "flat")
	f.Add(`{"items":[` + newItem(0, `,"category":"shoe","attributes":{"price":1000,"fabric":"nylon"}`) + `]}`)
	f.Add(`{"items":[{"id":"a","image":"iVBORw0KGgo="},{}]}`)
	f.Add(`{"items":[{"id":"a","attributes":{"price":[{}],"price":null}}`)
	f.Fuzz(func(t *testing.T, body string) {
		answered(t, request(s, http.MethodPost, api+"/items", body, "Authorization", "Bearer "+s.Token))
	})
}

// TestAdditionsDamaged: a torn last line is cut off, and anything else that is wrong is named with its line.
func TestAdditionsDamaged(t *testing.T) {
	dir := t.TempDir()
	s := adding(t, dir, "flat")
	library := s.Library // before adding replaces what s serves
	for i := range 3 {
		send(t, s, "/items", `{"items":[`+newItem(i, "")+`]}`, http.StatusOK, nil)
	}
	path := filepath.Join(dir, additionsFile)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(whole, []byte("\n"))
	if len(lines) != 5 || len(lines[4]) != 0 {
		t.Fatalf("%d lines", len(lines))
	}
	for cut := len(whole) - 1; cut >= len(whole)-len(lines[3]); cut-- {
		if err := os.WriteFile(path, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		a, err := OpenAdditions(dir, library)
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		n, err := a.All(library, func([]Addition) error { return nil })
		if a.Close(); n != 2 || err != nil {
			t.Fatalf("cut at %d: %d items, %v", cut, n, err)
		}
		if want := int64(cut - (len(whole) - len(lines[3]))); a.torn != want {
			t.Fatalf("cut at %d: %d bytes were torn, want %d", cut, a.torn, want)
		}
	}
	other := *library
	set := *other.set
	set.Digest = strings.Repeat("0", 64)
	other.set = &set
	flipped := bytes.Clone(whole)
	flipped[len(lines[0])+len(lines[1])+20] ^= 1
	for _, c := range []struct {
		what string
		text []byte
		lib  *Library
		want string
	}{
		{"a flipped bit", flipped, library, additionsFile + ":3: the line is damaged"},
		{"an empty file", nil, library, additionsFile + ":1: the file is empty"},
		{"no head", whole[len(lines[0]):], library, additionsFile + ":1: it is of"},
		{"other results", whole, &other, "other results"},
		{"a line twice", slices.Concat(whole, lines[2]), library, additionsFile + `:5: items/0: there is an item "new/1" already; take the line out`},
	} {
		if err := os.WriteFile(path, c.text, 0o600); err != nil {
			t.Fatal(err)
		}
		a, err := OpenAdditions(dir, c.lib)
		if err == nil {
			content := s.Content
			content.Library = c.lib
			err = content.catchUp(a)
			_ = a.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.what, err, c.want)
		}
	}
}

// TestTornAdditionsWarn: the server says at its start which file had a torn line and how many bytes were cut off, and says it once.
func TestTornAdditionsWarn(t *testing.T) {
	dir := t.TempDir()
	s := adding(t, dir, "flat")
	send(t, s, "/items", `{"items":[`+newItem(0, "")+`]}`, http.StatusOK, nil)
	path := filepath.Join(dir, additionsFile)
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	send(t, s, "/items", `{"items":[`+newItem(1, "")+`]}`, http.StatusOK, nil)
	whole, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	const lost = 100
	if err := os.Truncate(path, whole.Size()-lost); err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{true, false} {
		var log bytes.Buffer
		fixtureOf(t, []string{"flat"}, func(c *Config) {
			a, err := OpenAdditions(dir, c.Library)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = a.Close() })
			c.Additions, c.Token, c.Log = a, "correct horse", slog.New(slog.NewTextHandler(&log, nil))
		})
		says := strings.Contains(log.String(), "level=WARN") && strings.Contains(log.String(), path) &&
			strings.Contains(log.String(), fmt.Sprintf("bytes=%d\n", whole.Size()-lost-before.Size()))
		if says != want {
			t.Errorf("start %d: the log has %q", i+1, log.String())
		}
	}
}

// TestAddBesideSearches adds while others search and the results are opened anew: nothing is lost or closed too early, and
// no request sees an item that it does not know.
func TestAddBesideSearches(t *testing.T) {
	dir := t.TempDir()
	s := adding(t, dir, "flat", "hnsw")
	stop := make(chan struct{})
	var clients sync.WaitGroup
	for _, p := range s.Points {
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				w := request(s, "POST", api+"/search", `{"item":1,"k":20,"judge":true,"filter":"price < 50","index":"`+p.ID+`"}`, "Authorization", "Bearer "+s.Token)
				if w.Code != http.StatusOK {
					t.Errorf("%d %s", w.Code, w.Body)
					return
				}
			}
		})
	}
	var closed atomic.Int64
	const rounds, each = 4, 8
	for round := range rounds {
		for i := range each {
			send(t, s, "/items", `{"items":[`+newItem(round*each+i, "")+`]}`, http.StatusOK, nil)
		}
		c := adding(t, t.TempDir(), "flat", "hnsw").Content
		c.Close = func() error {
			closed.Add(1)
			return nil
		}
		if err := s.Replace(c); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	clients.Wait()
	if got := closed.Load(); got != rounds-1 {
		t.Errorf("%d contents were closed, want %d", got, rounds-1)
	}
	for i := range rounds * each {
		send(t, s, "/search", fmt.Sprintf(`{"id":"new/%d","index":"exact","k":1}`, i), http.StatusOK, nil)
	}
	lib := s.stand.now.Library
	if err := lib.set.Base.Data; len(err) != lib.set.Base.Rows*testDim {
		t.Errorf("%d numbers in %d rows", len(err), lib.set.Base.Rows)
	}
	for i := range rounds * each {
		if got := lib.vector(lib.byID[fmt.Sprintf("new/%d", i)]); !slices.Equal(got, newVector(i)) {
			t.Errorf("new/%d has the vector %v", i, got)
		}
	}
}

const killedVariable = "ANNBENCH_TEST_ADDITIONS"

// TestAddCategoryAsAttribute: an item that gives its category among its attributes has it, also after the results were opened
// anew.
func TestAddCategoryAsAttribute(t *testing.T) {
	dir := t.TempDir()
	s := adding(t, dir, "flat")
	category := s.Library.set.Labels[0]
	fresh := s.Content
	var out struct{ Items []itemView }
	send(t, s, "/items", `{"items":[`+newItem(0, fmt.Sprintf(`,"attributes":{"category":%q}`, category))+`]}`, http.StatusOK, &out)
	if len(out.Items) != 1 || out.Items[0].Category != category {
		t.Errorf("%+v, want the category %s", out.Items, category)
	}
	for _, more := range []string{fmt.Sprintf(`,"category":%q`, category), fmt.Sprintf(`,"filter":"category = '%s'"`, category)} {
		if r := first(t, s, fresh.Points[0].ID, 0, more); len(r.Answers) == 0 || r.Answers[0].ID != "new/0" {
			t.Errorf("%s finds %+v", more, r.Answers)
		}
	}
	if err := s.Replace(fresh); err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf(": %d items", fresh.Library.set.Base.Rows+1); !strings.Contains(s.Summary(), want) {
		t.Errorf("%s, want %s", s.Summary(), want)
	}
}

// TestAddAtOnce: of many that add at once, each gets its own items back.
func TestAddAtOnce(t *testing.T) {
	s := adding(t, t.TempDir(), "hnsw")
	var adders sync.WaitGroup
	for adder := range 16 {
		adders.Go(func() {
			for i := range 20 {
				n := adder*20 + i
				w := request(s, "POST", api+"/items", `{"items":[`+newItem(n, "")+`]}`, "Authorization", "Bearer "+s.Token)
				if want := fmt.Sprintf(`"new/%d"`, n); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), want) {
					t.Errorf("adding %s: %d %s", want, w.Code, w.Body)
				}
			}
		})
	}
	adders.Wait()
}

// TestAddKilled kills a server with SIGKILL while items are added to it, and has the next one serve every item whose request
// was answered.
func TestAddKilled(t *testing.T) {
	if dir := os.Getenv(killedVariable); dir != "" {
		s := adding(t, dir, "flat")
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		fmt.Printf("listens %s\n", l.Addr())
		t.Fatal(s.Serve(t.Context(), l))
	}
	dir := t.TempDir()
	done := 0
	for round := range 2 {
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAddKilled$")
		child.Env = append(os.Environ(), killedVariable+"="+dir)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		var at string
		for lines := bufio.NewScanner(out); at == "" && lines.Scan(); {
			at, _ = strings.CutPrefix(lines.Text(), "listens ")
			if !strings.HasPrefix(lines.Text(), "listens ") {
				at = ""
			}
		}
		if at == "" {
			t.Fatal("the server did not start")
		}
		answered := make(chan int, 1000)
		go func() {
			defer close(answered)
			for i := done; ; i++ {
				req, _ := http.NewRequestWithContext(t.Context(), "POST", "http://"+at+api+"/items", strings.NewReader(`{"items":[`+newItem(i, "")+`]}`))
				req.Header.Set("Content-Type", "application/json")
				req.Header.Set("Authorization", "Bearer correct horse")
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					return // it was killed
				}
				resp.Body.Close()
				if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusConflict { // written, killed before its answer
					t.Errorf("round %d, item %d: %s", round, i, resp.Status)
					return
				}
				answered <- i
			}
		}()
		for i := range answered {
			if done = i + 1; done == 10*(round+1) {
				if err := child.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = child.Wait()
	}
	s := adding(t, dir, "flat")
	if done < 20 {
		t.Fatalf("%d items were answered", done)
	}
	for i := range done {
		n, ok := s.Library.byID[fmt.Sprintf("new/%d", i)]
		if !ok || !slices.Equal(s.Library.vector(n), newVector(i)) {
			t.Errorf("item %d was answered, and is lost", i)
		}
	}
	if more := s.Library.set.Base.Rows - (testItems - 6) - done; more < 0 || more > 1 {
		t.Errorf("%d items more than were answered", more)
	}
}
