package fetch

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// server serves one file, and misbehaves as it is told: each request takes the next trick.
type server struct {
	*httptest.Server
	content []byte
	etag    string

	mu     sync.Mutex
	tricks []func(w http.ResponseWriter, r *http.Request) // nil serves as a server should
	ranges []string                                       // of the requests
}

func serve(t *testing.T, content []byte, tricks ...func(http.ResponseWriter, *http.Request)) *server {
	t.Helper()
	s := &server{content: content, etag: `"one"`, tricks: tricks}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.ranges = append(s.ranges, r.Header.Get("Range"))
		var trick func(http.ResponseWriter, *http.Request)
		if len(s.tricks) > 0 {
			trick, s.tricks = s.tricks[0], s.tricks[1:]
		}
		s.mu.Unlock()
		if trick != nil {
			trick(w, r)
			return
		}
		w.Header().Set("ETag", s.etag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(s.content))
	}))
	t.Cleanup(s.Close)
	return s
}

// cut sends n bytes of the whole file, and hangs up.
func (s *server) cut(n int) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", s.etag)
		w.Header().Set("Content-Length", fmt.Sprint(len(s.content)))
		w.Write(s.content[:n])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
}

func sumOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// content is bytes that begin as they should.
func content(n int) []byte {
	b := []byte("MAGIC")
	for i := range n {
		b = append(b, byte(i*i>>3))
	}
	return b
}

// set is a set of one file at the server.
func (s *server) set() Set {
	return Set{Name: "data", Files: []File{{
		Name: "a.bin", URL: s.URL + "/a.bin", Size: int64(len(s.content)), SHA256: sumOf(s.content), Source: "the test", Magic: "MAGIC",
	}}}
}

func wantFile(t *testing.T, dir, name string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s has %d bytes, %v; want %d", name, len(got), err, len(want))
	}
	left, err := filepath.Glob(filepath.Join(dir, "*.part*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

func TestFetch(t *testing.T) {
	s := serve(t, content(100_000))
	dir := filepath.Join(t.TempDir(), "new")
	var last, total int64
	o := Options{Progress: func(file string, done, of int64, _ time.Duration) { last, total = done, of }}
	if err := Fetch(t.Context(), s.set(), dir, o); err != nil {
		t.Fatal(err)
	}
	wantFile(t, dir, "a.bin", s.content)
	if last != int64(len(s.content)) || total != last {
		t.Errorf("progress ended at %d of %d", last, total)
	}
	// A second time asks nobody.
	s.Close()
	if err := Fetch(t.Context(), s.set(), dir, o); err != nil {
		t.Error(err)
	}
	states, err := Check(t.Context(), s.set(), dir)
	if err != nil || !states[0].There || !states[0].Verified || states[0].Wrong != "" {
		t.Errorf("%+v, %v", states, err)
	}
}

// A connection that ends in the middle is taken up where it ended, in the same call.
func TestFetchGoesOn(t *testing.T) {
	s := serve(t, content(100_000))
	s.tricks = []func(http.ResponseWriter, *http.Request){s.cut(30_000), nil}
	dir := t.TempDir()
	if err := Fetch(t.Context(), s.set(), dir, Options{}); err != nil {
		t.Fatal(err)
	}
	wantFile(t, dir, "a.bin", s.content)
	if fmt.Sprint(s.ranges) != "[ bytes=30000-]" {
		t.Errorf("ranges asked for: %q", s.ranges)
	}
}

// A call that was stopped is resumed by the next one.
func TestFetchResumes(t *testing.T) {
	s := serve(t, content(50_000))
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	s.tricks = []func(http.ResponseWriter, *http.Request){func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", s.etag)
		w.Header().Set("Content-Length", fmt.Sprint(len(s.content)))
		w.Write(s.content[:20_000])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}}
	err := Fetch(ctx, s.set(), dir, Options{Progress: func(_ string, done, _ int64, _ time.Duration) {
		if done == 20_000 {
			cancel()
		}
	}})
	if err == nil {
		t.Fatal("no error of a call that was stopped")
	}
	if states, err := Check(t.Context(), s.set(), dir); err != nil || states[0].There || states[0].Partial != 20_000 {
		t.Errorf("%+v, %v", states, err)
	}
	if err := Fetch(t.Context(), s.set(), dir, Options{}); err != nil {
		t.Fatal(err)
	}
	wantFile(t, dir, "a.bin", s.content)
	if s.ranges[1] != "bytes=20000-" {
		t.Errorf("ranges asked for: %q", s.ranges)
	}
}

// Where the file has changed on the server, what there is of the old one is not resumed.
func TestFetchOfAnotherVersion(t *testing.T) {
	old := serve(t, content(50_000))
	old.tricks = []func(http.ResponseWriter, *http.Request){old.cut(20_000), old.cut(20_000), old.cut(20_000), old.cut(20_000)}
	dir := t.TempDir()
	if err := Fetch(t.Context(), old.set(), dir, Options{}); err == nil || !strings.Contains(err.Error(), "resumes from there") {
		t.Fatalf("error %v", err)
	}
	for _, c := range []struct {
		name    string
		content []byte
		etag    string
	}{{"longer", content(60_000), `"two"`}, {"shorter than what is there", content(5_000), `"two"`}} {
		s := serve(t, c.content)
		s.etag = c.etag
		set := s.set()
		part, err := os.ReadFile(filepath.Join(dir, "a.bin.part"))
		if err != nil {
			t.Fatal(err)
		}
		fresh := t.TempDir()
		for name, b := range map[string][]byte{"a.bin.part": part, "a.bin.part.tag": []byte(old.etag)} {
			if err := os.WriteFile(filepath.Join(fresh, name), b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if err := Fetch(t.Context(), set, fresh, Options{}); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		wantFile(t, fresh, "a.bin", c.content)
	}
}

// A server that knows no ranges, or names no version, is asked for everything.
func TestFetchWithoutRanges(t *testing.T) {
	for name, plain := range map[string]func(s *server, w http.ResponseWriter){
		"no ranges": func(s *server, w http.ResponseWriter) { w.Header().Set("ETag", s.etag); w.Write(s.content) },
		"no tag":    func(s *server, w http.ResponseWriter) { w.Write(s.content) },
		"a weak tag": func(s *server, w http.ResponseWriter) {
			w.Header().Set("ETag", `W/"one"`)
			w.Write(s.content)
		},
	} {
		s := serve(t, content(40_000))
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "a.bin.part"), []byte("MAGICnonsense"), 0o644); err != nil {
			t.Fatal(err)
		}
		trick := func(w http.ResponseWriter, r *http.Request) { plain(s, w) }
		s.tricks = []func(http.ResponseWriter, *http.Request){trick, trick}
		if err := Fetch(t.Context(), s.set(), dir, Options{}); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		wantFile(t, dir, "a.bin", s.content)
	}
}

// What is complete but has not got its name yet needs no byte more.
func TestFetchOfAllThatIsThere(t *testing.T) {
	s := serve(t, content(1000))
	dir := t.TempDir()
	for name, b := range map[string][]byte{"a.bin.part": s.content, "a.bin.part.tag": []byte(s.etag)} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := Fetch(t.Context(), s.set(), dir, Options{}); err != nil {
		t.Fatal(err)
	}
	wantFile(t, dir, "a.bin", s.content)
}

// Whatever is wrong is one error that names it, and nothing wrong gets the file's name.
func TestFetchErrors(t *testing.T) {
	status := func(code int) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(code) }
	}
	page := func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("<html>please log in</html>")) }
	good := content(3000)
	other := slices.Clone(good)
	other[1000] ^= 1
	for _, c := range []struct {
		name    string
		content []byte
		trick   func(http.ResponseWriter, *http.Request)
		change  func(f *File)
		says    string
	}{
		{"not found", good, status(404), nil, "a.bin: the server answers 404 Not Found"},
		{"forbidden", good, status(403), nil, "403 Forbidden"},
		{"broken server", good, status(503), nil, "503"},
		{"wrong hash", other, nil, nil, "its SHA-256 is " + sumOf(other) + ", it should be " + sumOf(good) + " (the test)"},
		{"wrong size", good[:2000], nil, nil, "the server has 2000 bytes, it should be 3005"},
		{"a page instead", good, page, func(f *File) { f.Size = 0; f.SHA256 = "" }, "a page of a proxy, or another file"},
		{"wrong range", good, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Range", "bytes 7-3004/3005")
			w.WriteHeader(206)
		}, nil, "answers a request for the rest"},
	} {
		s := serve(t, c.content, c.trick)
		set := s.set()
		f := &set.Files[0]
		f.Size, f.SHA256 = int64(len(good)), sumOf(good)
		if c.change != nil {
			c.change(f)
		}
		dir := t.TempDir()
		err := Fetch(t.Context(), set, dir, Options{})
		if err == nil || !strings.Contains(err.Error(), c.says) || !strings.HasPrefix(err.Error(), "fetching data: ") {
			t.Errorf("%s: error %v, want one that says %q", c.name, err, c.says)
		}
		if _, err := os.Stat(filepath.Join(dir, "a.bin")); err == nil {
			t.Errorf("%s: the file is there", c.name)
		}
	}

	gone := serve(t, good)
	set := gone.set()
	gone.Close()
	empty := t.TempDir()
	err := Fetch(t.Context(), set, empty, Options{})
	if left, e := os.ReadDir(empty); e != nil || len(left) > 0 {
		t.Errorf("no server: left behind %v, %v", left, e)
	}
	if err == nil || !strings.Contains(err.Error(), "cannot be reached") || !strings.Contains(err.Error(), "--from") || strings.Contains(err.Error(), "\n") {
		t.Errorf("no server: %v", err)
	}

	// What is there and wrong is not touched.
	s := serve(t, good)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.bin"), other, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Fetch(t.Context(), s.set(), dir, Options{}); err == nil || !strings.Contains(err.Error(), "delete it") {
		t.Errorf("a wrong file: %v", err)
	}
	wantFile(t, dir, "a.bin", other)
	if states, err := Check(t.Context(), s.set(), dir); err != nil || states[0].Wrong == "" || states[0].Verified {
		t.Errorf("a wrong file: %+v, %v", states, err)
	}
}

// A server that falls silent ends the call.
func TestFetchStalls(t *testing.T) {
	s := serve(t, content(3000))
	silent := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "3005")
		w.Write(s.content[:100])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
	s.tricks = []func(http.ResponseWriter, *http.Request){silent, silent, silent, silent}
	err := Fetch(t.Context(), s.set(), t.TempDir(), Options{Stall: 20 * time.Millisecond})
	if err == nil || !strings.Contains(err.Error(), "no byte came for 20ms") {
		t.Errorf("error %v", err)
	}
}

func TestFetchUnverifiable(t *testing.T) {
	s := serve(t, content(100))
	set := s.set()
	set.Files[0].SHA256, set.Files[0].Size = "", 0
	var said []string
	dir := t.TempDir()
	err := Fetch(t.Context(), set, dir, Options{Log: func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }})
	if err != nil {
		t.Fatal(err)
	}
	if len(said) != 1 || !strings.Contains(said[0], "cannot be verified") || !strings.Contains(said[0], sumOf(s.content)) {
		t.Errorf("said %q", said)
	}
	states, err := Check(t.Context(), set, dir)
	if err != nil || !states[0].There || states[0].Verified || states[0].Wrong != "" || set.Verifiable() {
		t.Errorf("%+v, %v", states, err)
	}
}

func TestFetchFrom(t *testing.T) {
	s := serve(t, content(500))
	set := s.set()
	s.Close()
	have, dir := t.TempDir(), t.TempDir()
	if err := Fetch(t.Context(), set, dir, Options{From: have}); err == nil || !strings.Contains(err.Error(), "has no a.bin") {
		t.Errorf("an empty folder: %v", err)
	}
	if err := os.WriteFile(filepath.Join(have, "a.bin"), append(slices.Clone(s.content[:504]), 'x'), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Fetch(t.Context(), set, dir, Options{From: have}); err == nil || !strings.Contains(err.Error(), "SHA-256") {
		t.Errorf("another file: %v", err)
	}
	if err := os.WriteFile(filepath.Join(have, "a.bin"), s.content, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Fetch(t.Context(), set, dir, Options{From: have}); err != nil {
		t.Fatal(err)
	}
	wantFile(t, dir, "a.bin", s.content)
}

// archive packs files as GitHub does: below one folder.
func archive(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for name := range files {
			if !yield(name) {
				return
			}
		}
	}) {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(files[name])), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(files[name])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.WriteHeader(&tar.Header{Name: "top/train/link", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// listSum is the hash of a tree by its definition.
func listSum(files ...string) string {
	var b bytes.Buffer
	for i := 0; i < len(files); i += 2 {
		sum := sha256.Sum256([]byte(files[i+1]))
		b.WriteString(files[i] + "\x00")
		b.Write(sum[:])
	}
	return sumOf(b.Bytes())
}

func TestFetchArchive(t *testing.T) {
	files := map[string]string{"top/README": "x", "top/train/b/2": "two", "top/train/a/1": "one", "top/test/a/1": "three"}
	s := serve(t, archive(t, files))
	tree := &Tree{
		Folders: []string{"train", "test"}, Files: 3, Source: "the test",
		SHA256: listSum("test/a/1", "three", "train/a/1", "one", "train/b/2", "two"),
	}
	set := Set{Name: "data", Files: []File{{Name: "a.tar.gz", URL: s.URL, Magic: "\x1f\x8b", Tree: tree}}}
	dir := t.TempDir()
	if err := Fetch(t.Context(), set, dir, Options{}); err != nil {
		t.Fatal(err)
	}
	wantFile(t, dir, "train/b/2", []byte("two"))
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("in the folder: %v, %v", entries, err)
	}
	if !Present(set, dir) || !set.Verifiable() {
		t.Error("not there")
	}
	states, err := Check(t.Context(), set, dir)
	if err != nil || !states[0].Verified {
		t.Errorf("%+v, %v", states, err)
	}

	// Those who have it unpacked, or packed.
	s.Close()
	again := t.TempDir()
	if err := Fetch(t.Context(), set, again, Options{From: dir}); err != nil {
		t.Error(err)
	}
	wantFile(t, again, "train/b/2", []byte("two"))
	packed := t.TempDir()
	if err := os.WriteFile(filepath.Join(packed, "a.tar.gz"), s.content, 0o644); err != nil {
		t.Fatal(err)
	}
	again = t.TempDir()
	if err := Fetch(t.Context(), set, again, Options{From: packed}); err != nil {
		t.Error(err)
	}
	wantFile(t, again, "test/a/1", []byte("three"))

	if err := os.WriteFile(filepath.Join(dir, "train", "b", "2"), []byte("TWO"), 0o644); err != nil {
		t.Fatal(err)
	}
	if states, err := Check(t.Context(), set, dir); err != nil || states[0].Verified || !strings.Contains(states[0].Wrong, "SHA-256") {
		t.Errorf("a changed file: %+v, %v", states, err)
	}

	for name, c := range map[string]struct {
		files map[string]string
		says  string
	}{
		"more":    {map[string]string{"top/train/b/2": "two", "top/train/a/1": "one", "top/test/a/1": "three", "top/test/a/2": "four"}, "4 files in train, test, there should be 3"},
		"other":   {map[string]string{"top/train/b/2": "two", "top/train/a/1": "one", "top/test/a/1": "four!"}, "the SHA-256 of the files is"},
		"without": {map[string]string{"top/train/b/2": "two"}, "lacks one of the folders"},
		"outward": {map[string]string{"top/train/../../../evil": "x"}, "it has a file"},
	} {
		s := serve(t, archive(t, c.files))
		set.Files[0].URL = s.URL
		dir := t.TempDir()
		if err := Fetch(t.Context(), set, dir, Options{}); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error %v, want one that says %q", name, err, c.says)
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
			t.Errorf("%s: left behind %v, %v", name, entries, err)
		}
	}
	// A folder of somebody else's is not taken away.
	full := t.TempDir()
	if err := os.Mkdir(filepath.Join(full, "train"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Fetch(t.Context(), set, full, Options{From: packed}); err == nil || !strings.Contains(err.Error(), "move it away") {
		t.Errorf("into a folder with a train: %v", err)
	}
}

// The table is well formed, and its hashes are hashes.
func TestSets(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range Sets() {
		if seen[s.Name] || s.About == "" || len(s.Files) == 0 {
			t.Errorf("%+v", s)
		}
		seen[s.Name] = true
		for _, f := range s.Files {
			hash := f.SHA256
			if f.Tree != nil {
				hash = f.Tree.SHA256
			}
			if hash != "" && !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(hash) {
				t.Errorf("%s: hash %q", f.Name, hash)
			}
			if (f.SHA256 == "") != (f.Source == "") || f.Magic == "" || !strings.HasPrefix(f.URL, "http") || f.Name != filepath.Base(f.Name) {
				t.Errorf("%+v", f)
			}
		}
		if got, err := Lookup(s.Name); err != nil || got.Name != s.Name {
			t.Errorf("%s is not found", s.Name)
		}
	}
	if _, err := Lookup("nothing"); err == nil || !strings.Contains(err.Error(), "sift-128-euclidean") {
		t.Errorf("error %v", err)
	}
}

// The sets that are at hand are what the table says.
func TestSetsAtHand(t *testing.T) {
	data := os.Getenv("ANNBENCH_DATA")
	if data == "" {
		t.Skip("ANNBENCH_DATA is not set: no data to compare the table with")
	}
	for name, dir := range map[string]string{"clothing-dataset-small": "clothing", "complete-the-look": "complete-the-look"} {
		set, err := Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		states, err := Check(t.Context(), set, filepath.Join(data, dir))
		if err != nil {
			t.Fatal(err)
		}
		if !states[0].There {
			t.Logf("%s is not there", dir)
		} else if !states[0].Verified {
			t.Errorf("%s: %s", name, states[0].Wrong)
		}
	}
}
