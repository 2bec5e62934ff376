package serve

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"annbench/embedder/catalog"
)

// answered holds what is true of every answer: the server is not to blame, and JSON is JSON.
func answered(t *testing.T, w *httptest.ResponseRecorder) {
	t.Helper()
	if w.Code >= 500 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") && !json.Valid(w.Body.Bytes()) {
		t.Fatalf("no JSON: %q", w.Body)
	}
	if w.Header().Get("Content-Security-Policy") != policy {
		t.Fatal("an answer without the policy")
	}
}

// boarded is the fixture with two drawn boards, so that paths lead to pictures too.
func boarded(f *testing.F) *Server {
	drawn, err := catalog.RenderedBoards(catalog.Config{Boards: 2, Seed: 1})
	if err != nil {
		f.Fatal(err)
	}
	s := fixture(f, nil)
	s.Library.source = drawn
	s.Library.place()
	return s
}

// FuzzPaths asks for any item and board, by any name.
func FuzzPaths(f *testing.F) {
	s := boarded(f)
	for _, name := range []string{"3", "b000000", "-1", "999999999999999999999", "../../etc/passwd", "..", "%00", ""} {
		f.Add(name, "large")
	}
	f.Fuzz(func(t *testing.T, name, size string) {
		name = url.PathEscape(name)
		for _, path := range []string{
			"/items/" + name, "/items/" + name + "/picture?size=" + url.QueryEscape(size),
			"/boards/" + name, "/boards/" + name + "/picture",
		} {
			answered(t, request(s, http.MethodGet, api+path, ""))
		}
	})
}

// FuzzLists asks for lists with any parameters.
func FuzzLists(f *testing.F) {
	s := boarded(f)
	f.Add("shoe", "coat & hat", "3", "1")
	f.Add("", "", "-1", "9223372036854775808")
	f.Fuzz(func(t *testing.T, q, category, limit, from string) {
		v := url.Values{"q": {q}, "category": {category}, "limit": {limit}, "from": {from}}
		for _, path := range []string{"/items?", "/boards?"} {
			answered(t, request(s, http.MethodGet, api+path+v.Encode(), ""))
		}
	})
}

// FuzzPicture uploads any bytes, and looks under any box.
func FuzzPicture(f *testing.F) {
	s := fixture(f, nil)
	f.Add([]byte("\x89PNG\r\n\x1a\n"), 0., 0., 1., 1.)
	f.Add([]byte("\xff\xd8\xff"), .5, .5, .1, .1)
	f.Add([]byte("RIFF\x00\x00\x00\x00WEBPVP8 "), 0., 0., -1., 2.)
	f.Fuzz(func(t *testing.T, file []byte, x, y, w, h float64) {
		body, err := json.Marshal(map[string]any{"image": base64.StdEncoding.EncodeToString(file), "index": exactID, "box": []float64{x, y, w, h}})
		if err != nil {
			t.Skip("not a number")
		}
		answered(t, request(s, http.MethodPost, api+"/search", string(body)))
	})
}

// FuzzLogin guesses: by form, by header and by cookie. No guess gets in but the token.
func FuzzLogin(f *testing.F) {
	const token = "correct horse"
	s := fixture(f, func(c *Config) { c.Token = token })
	s.patience.guess = 0
	f.Add("token=x", "Bearer x", "annbench=x", "localhost")
	f.Add("%", "Bearer", "annbench=correct horse", "[::1")
	f.Fuzz(func(t *testing.T, form, header, cookie, host string) {
		if header == "Bearer "+token || strings.Contains(cookie, s.session) {
			t.Skip("no guess")
		}
		r := httptest.NewRequest(http.MethodGet, "http://localhost"+api+"/about", nil)
		r.Host = host
		r.Header["Authorization"], r.Header["Cookie"] = []string{header}, []string{cookie}
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		answered(t, w)
		if w.Code != http.StatusUnauthorized && w.Code != http.StatusForbidden {
			t.Fatalf("a guess is answered with %d", w.Code)
		}
		v, _ := url.ParseQuery(form)
		if v.Get("token") == token {
			t.Skip("no guess")
		}
		w = request(s, http.MethodPost, "/login", form, "Content-Type", "application/x-www-form-urlencoded")
		answered(t, w)
		if c := w.Result().Cookies(); len(c) > 0 {
			t.Fatal(fmt.Sprint("a guess is given ", c))
		}
	})
}
