package serve

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"annbench/online"
)

// withExperiment is the fixture with its two indexes compared, and the folder of the log.
func withExperiment(t testing.TB, mode string) (s *Server, dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "clicks")
	log, err := online.OpenLog(dir)
	if err != nil {
		t.Fatal(err)
	}
	s = fixture(t, func(c *Config) {
		if c.Experiment, err = NewExperiment(mode, "flat,forest", c.Points, log); err != nil {
			t.Fatal(err)
		}
	})
	return s, dir
}

// look searches for an item in the experiment, as a browser with that cookie, or as a new one.
func look(t testing.TB, s *Server, item int, cookie string) (id, visitor string, result resultView) {
	t.Helper()
	w := request(s, "POST", api+"/search", fmt.Sprintf(`{"item":%d,"index":"experiment","k":6}`, item), "Cookie", cookie)
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	var out searchReply
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		t.Fatal(err)
	}
	if cookies := w.Result().Cookies(); len(cookies) == 1 {
		cookie = cookies[0].Name + "=" + cookies[0].Value
	}
	return out.Results[0].Impression, cookie, out.Results[0]
}

// showing is a server that has shown a list, to whom, and which.
func showing(t testing.TB) (s *Server, visitor, impression string) {
	s, _ = withExperiment(t, online.Interleaved)
	impression, visitor, _ = look(t, s, 1, "")
	return s, visitor, impression
}

// TestClicksAreFound clicks as a shopper would, and finds it all in the report of the log.
func TestClicksAreFound(t *testing.T) {
	for _, mode := range []string{online.Interleaved, online.Split} {
		s, dir := withExperiment(t, mode)
		cookie := ""
		for item := range 5 {
			var id string
			var result resultView
			id, cookie, result = look(t, s, item, cookie)
			if id == "" || len(result.Answers) != 6 {
				t.Fatalf("%q, %d answers", id, len(result.Answers))
			}
			for i, a := range result.Answers {
				if a.Rank != i+1 || a.Item == item {
					t.Errorf("answer %d is %+v", i, a)
				}
			}
			for range 2 { // twice is once
				body := fmt.Sprintf(`{"impression":%q,"rank":2,"what":"click"}`, id)
				if w := request(s, "POST", api+"/events", body, "Cookie", cookie); w.Code != http.StatusNoContent {
					t.Fatalf("%d %s", w.Code, w.Body)
				}
			}
		}
		if err := s.Experiment.Log.Close(); err != nil {
			t.Fatal(err)
		}
		r, err := online.Analyze(dir, "")
		if err != nil {
			t.Fatal(err)
		}
		if r.Sessions != 1 || r.Lists != 5 || r.Events != 5 || r.Robots != 0 || r.Orphans != 0 || r.Mode != mode {
			t.Errorf("%+v", r)
		}
		files, _ := filepath.Glob(filepath.Join(dir, "events*"))
		for _, name := range files {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if secret := strings.TrimPrefix(cookie, visitCookie+"="); strings.Contains(string(b), secret) || strings.Contains(string(b), "192.0.2.1") {
				t.Error("the log says who it was")
			}
		}
	}
}

// TestExperimentIsAskedAlone: an experiment answers under a category and a filter, and says of no item whose it is.
func TestExperimentIsAskedAlone(t *testing.T) {
	for _, mode := range []string{online.Interleaved, online.Split} {
		s, _ := withExperiment(t, mode)
		for more, want := range map[string]int{
			"": http.StatusOK, `,"filter":"fabric = 'silk'"`: http.StatusOK, `,"filter":"fabric = 'silk' and price > 20","category":"shoe"`: http.StatusOK,
			`,"judge":true`: http.StatusBadRequest, `,"filter":"fabric ="`: http.StatusBadRequest,
		} {
			w := request(s, "POST", api+"/search", `{"item":1,"index":"experiment","k":8`+more+`}`)
			if w.Code != want {
				t.Errorf("%s: %d %s", more, w.Code, w.Body)
			}
			var out searchReply
			if want != http.StatusOK {
				continue
			} else if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
				t.Fatal(err)
			}
			if len(out.Results[0].Answers) == 0 {
				t.Errorf("%s: no answer", more)
			}
			for _, a := range out.Results[0].Answers {
				if more != "" && a.Item%2 != 0 { // every second item is of silk
					t.Errorf("%s: item %d is answered, which does not pass", more, a.Item)
				}
			}
		}
		if w := request(s, "POST", api+"/search", `{"item":1,"indexes":["experiment","exact"]}`); w.Code != http.StatusBadRequest {
			t.Errorf("beside another index: %d %s", w.Code, w.Body)
		}
	}
}

// TestNobodyInventsClicks: what was not shown to a browser takes none of its clicks.
func TestNobodyInventsClicks(t *testing.T) {
	s, visitor, id := showing(t)
	_, other, _ := look(t, s, 2, "")
	flipped := []byte(id)
	flipped[3] ^= 1
	for name, c := range map[string]struct {
		id, cookie string
		rank       int
		want       int
	}{
		"as it was":       {id, visitor, 1, http.StatusNoContent},
		"another browser": {id, other, 1, http.StatusForbidden},
		"no cookie":       {id, "", 1, http.StatusForbidden},
		"a short cookie":  {id, visitCookie + "=x", 1, http.StatusForbidden},
		"a changed id":    {string(flipped), visitor, 1, http.StatusForbidden},
		"no id":           {"", visitor, 1, http.StatusForbidden},
		"beyond the list": {id, visitor, 7, http.StatusBadRequest},
		"before the list": {id, visitor, 0, http.StatusBadRequest},
	} {
		body := fmt.Sprintf(`{"impression":%q,"rank":%d,"what":"basket"}`, c.id, c.rank)
		if w := request(s, "POST", api+"/events", body, "Cookie", c.cookie); w.Code != c.want {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

// TestExperimentNames has what cannot be compared be named.
func TestExperimentNames(t *testing.T) {
	s, _ := withExperiment(t, online.Split)
	for names, want := range map[string]string{"flat": "two", "flat,flat": "twice", "flat,nothing": `"nothing"`, "a,b,c": "two"} {
		if _, err := NewExperiment(online.Split, names, s.Points, s.Experiment.Log); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", names, err)
		}
	}
	if e, err := NewExperiment(online.Split, "exact, forest", s.Points, s.Experiment.Log); err != nil || e.Points[0] != exactID {
		t.Errorf("%+v, %v", e, err)
	}
}

// FuzzEvents sends any body as an event.
func FuzzEvents(f *testing.F) {
	s, visitor, id := showing(f)
	f.Add(`{"impression":"`+id+`","rank":1,"what":"click"}`, "application/json")
	f.Add(`{"impression":"AAAA","rank":-1}`, "application/json")
	f.Add(`[`, "text/plain")
	f.Fuzz(func(t *testing.T, body, kind string) {
		answered(t, request(s, http.MethodPost, api+"/events", body, "Content-Type", kind, "Cookie", visitor))
	})
}

// FuzzExperiment sends any body as a search where an experiment runs.
func FuzzExperiment(f *testing.F) {
	s, visitor, _ := showing(f)
	f.Add(`{"item":1,"index":"experiment"}`)
	f.Add(`{"vector":[1,2,3,4,5,6,7,8],"indexes":["exact"],"k":3,"judge":true,"category":"shoe"}`)
	f.Add(`{"id":"shoe/01.jpg","index":"exact","box":[0,0,1,1]}`)
	f.Fuzz(func(t *testing.T, body string) {
		answered(t, request(s, http.MethodPost, api+"/search", body, "Cookie", visitor))
	})
}
