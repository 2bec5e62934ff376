package store

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"annbench/bench/store/storetest"
)

const testPart = 64 << 10

// childVariable makes the test binary a process that stores a file and may be killed: see
// TestKilledUploadGoesOn.
const childVariable = "ANNBENCH_STORE_CHILD"

func TestMain(m *testing.M) {
	if spec := os.Getenv(childVariable); spec != "" {
		fields := strings.Split(spec, "|")
		part, _ := strconv.ParseInt(fields[3], 10, 64)
		s, err := Open(Options{Cache: fields[0], Part: part, Progress: func(_ string, done, _ int64) { fmt.Println(done) }})
		if err == nil {
			var a Address
			if a, err = Parse(fields[2]); err == nil {
				err = s.Push(context.Background(), fields[1], a, nil)
			}
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func open(t *testing.T, server *storetest.Server, o Options) *Store {
	t.Helper()
	if o.Cache == "" {
		o.Cache = t.TempDir()
	}
	if o.Part == 0 {
		o.Part = testPart
	}
	for k, v := range server.Env() {
		t.Setenv(k, v)
	}
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func bytesOf(n int, seed uint64) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(seed)})
	_, _ = r.Read(b)
	return b
}

func address(t *testing.T, s string) Address {
	t.Helper()
	a, err := Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func same(t *testing.T, path string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("%s has %d bytes that are not the %d which were stored", path, len(got), len(want))
	}
	if info, err := os.Stat(path + ".part"); err == nil {
		t.Fatalf("%s was left, %d bytes", path+".part", info.Size())
	}
}

func TestAddresses(t *testing.T) {
	for _, at := range []struct{ text, bucket, key, err string }{
		{"s3://bucket/a/b.npy", "bucket", "a/b.npy", ""},
		{"s3://bucket/a/", "bucket", "a", ""},
		{"s3://bucket", "bucket", "", ""},
		{"S3://bucket/A b", "bucket", "A b", ""},
		{"s3://", "", "", "cannot be the name of a bucket"},
		{"s3:///key", "", "", "cannot be the name of a bucket"},
		{"s3://b/key", "", "", "cannot be the name of a bucket"},
		{"s3://bucket/../key", "", "", "no folder can have"},
		{"s3://bucket/a//b", "", "", "no folder can have"},
		{"file.npy", "", "", "not an address"},
	} {
		a, err := Parse(at.text)
		switch {
		case at.err == "" && (err != nil || a.Bucket != at.bucket || a.Key != at.key):
			t.Errorf("Parse(%q) = %+v, %v", at.text, a, err)
		case at.err != "" && (err == nil || !strings.Contains(err.Error(), at.err)):
			t.Errorf("Parse(%q) = %v, want an error with %q", at.text, err, at.err)
		}
	}
}

// TestRoundTrip stores and fetches files of sizes around those of a part, and folders over several
// pages of a listing.
func TestRoundTrip(t *testing.T) {
	server := storetest.New(t, "bucket")
	server.Page = 3
	s := open(t, server, Options{})
	ctx := t.Context()
	for _, size := range []int{0, 1, testPart - 1, testPart, testPart + 1, 5*testPart + 7} {
		want := bytesOf(size, uint64(size))
		path := filepath.Join(t.TempDir(), "x.npy")
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
		a := address(t, fmt.Sprintf("s3://bucket/files/%d.npy", size))
		if err := s.Push(ctx, path, a, nil); err != nil {
			t.Fatal(err)
		}
		o, ok := server.Get("bucket", a.Key)
		sum := sha256.Sum256(want)
		if !ok || !bytes.Equal(o.Body, want) || o.Meta["sha256"] != hex.EncodeToString(sum[:]) {
			t.Fatalf("%d bytes: the bucket has %d, with the digest %q", size, len(o.Body), o.Meta["sha256"])
		}
		got, err := s.Fetch(ctx, a, nil)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, want)
		if filepath.Base(got) != a.Base() {
			t.Errorf("the copy is called %s", got)
		}
	}
	// What is there is neither stored nor fetched again.
	gets, parts := server.Count("GET"), server.Count("PART")
	folder, err := s.Fetch(ctx, address(t, "s3://bucket/files"), func(rel string) bool { return rel != "0.npy" })
	if err != nil {
		t.Fatal(err)
	}
	if again, err := s.Fetch(ctx, address(t, "s3://bucket/files/"), func(rel string) bool { return rel != "0.npy" }); err != nil || again != folder {
		t.Fatalf("again: %s, %v, before %s", again, err, folder)
	}
	if n := server.Count("GET") - gets; n != 3+2+6 { // five files, of one part, of two and of six
		t.Errorf("%d requests for five files", n)
	}
	if _, err := os.Stat(filepath.Join(folder, "0.npy")); err == nil {
		t.Error("what was not wanted was fetched")
	}
	if err := s.Push(ctx, folder, address(t, "s3://bucket/files"), nil); err != nil {
		t.Fatal(err)
	}
	if n := server.Count("PART") - parts; n != 0 {
		t.Errorf("%d parts were stored again", n)
	}
	if server.Uploads() != 0 {
		t.Errorf("%d uploads were left", server.Uploads())
	}
}

// TestOthersObjects: what other programs stored has no digest of ours; the MD5 is compared, and where there
// is none that is said.
func TestOthersObjects(t *testing.T) {
	server := storetest.New(t, "bucket")
	var said []string
	s := open(t, server, Options{Log: func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }})
	want := bytesOf(3*testPart, 1)
	server.Put("bucket", "x.npy", want)
	got, err := s.Fetch(t.Context(), address(t, "s3://bucket/x.npy"), nil)
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, want)
	server.Put("bucket", "y.npy", want)
	server.Damage("bucket", "y.npy")
	if _, err := s.Fetch(t.Context(), address(t, "s3://bucket/y.npy"), nil); err == nil || !strings.Contains(err.Error(), "its MD5 is") {
		t.Errorf("damaged: %v", err)
	}
	if len(said) != 1 || !strings.Contains(said[0], "verified") {
		t.Errorf("said %q", said)
	}
}

// drop answers a request for an object with a part of it, and ends the connection.
func drop(w http.ResponseWriter, o storetest.Object, from, end int, status int) {
	w.Header().Set("ETag", `"`+o.ETag+`"`)
	w.Header().Set("Content-Length", fmt.Sprint(end-from))
	w.Header().Set("Last-Modified", "Mon, 02 Jan 2006 15:04:05 GMT")
	w.WriteHeader(status)
	_, _ = w.Write(o.Body[from : from+(end-from)/2])
	panic(http.ErrAbortHandler)
}

func rangeOf(r *http.Request) (from, end int) {
	_, _ = fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &from, &end)
	return from, end + 1
}

// TestBrokenDownloadGoesOn: every part's connection breaks in the middle once, and nothing of what came
// is asked for again.
func TestBrokenDownloadGoesOn(t *testing.T) {
	server := storetest.New(t, "bucket")
	want := bytesOf(4*testPart, 1)
	server.Put("bucket", "x.npy", want)
	var mu sync.Mutex
	dropped := map[int]bool{}
	asked := 0
	server.Fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet || r.Header.Get("Range") == "" {
			return false
		}
		from, end := rangeOf(r)
		mu.Lock()
		asked += end - from
		first := !dropped[from] && from%testPart == 0
		dropped[from] = true
		mu.Unlock()
		if first {
			o, _ := server.Get("bucket", "x.npy")
			drop(w, o, from, end, http.StatusPartialContent)
		}
		return false
	}
	s := open(t, server, Options{})
	got, err := s.Fetch(t.Context(), address(t, "s3://bucket/x.npy"), nil)
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, want)
	if len(dropped) < 8 || asked >= 2*len(want) {
		t.Errorf("%d requests for %d bytes; a half of each part should have been asked for again", len(dropped), asked)
	}
}

// TestStoppedDownloadGoesOn: a second call fetches only the parts that the first, which failed, did not
// finish.
func TestStoppedDownloadGoesOn(t *testing.T) {
	server := storetest.New(t, "bucket")
	want := bytesOf(10*testPart, 1)
	server.Put("bucket", "x.npy", want)
	var broken atomic.Bool
	broken.Store(true)
	server.Fault = func(w http.ResponseWriter, r *http.Request) bool {
		if from, _ := rangeOf(r); r.Method == http.MethodGet && from >= 8*testPart && broken.Load() {
			panic(http.ErrAbortHandler)
		}
		return false
	}
	s := open(t, server, Options{})
	a := address(t, "s3://bucket/x.npy")
	_, err := s.Fetch(t.Context(), a, nil)
	if err == nil || !strings.Contains(err.Error(), "fetching s3://bucket/x.npy: ") || !strings.Contains(err.Error(), "resumes from there") {
		t.Fatalf("error %v", err)
	}
	broken.Store(false)
	before := server.Count("GET")
	got, err := s.Fetch(t.Context(), a, nil)
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, want)
	if n := server.Count("GET") - before; n > 5 {
		t.Errorf("%d of 10 parts were fetched again", n)
	}
}

// TestChangedBetweenRanges: an object that is replaced while it is fetched is an error, and never a mixture.
func TestChangedBetweenRanges(t *testing.T) {
	server := storetest.New(t, "bucket")
	server.Put("bucket", "x.npy", bytesOf(12*testPart, 1))
	after := bytesOf(12*testPart, 2)
	var gets atomic.Int32
	server.Fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet && r.Header.Get("Range") != "" && gets.Add(1) == 6 {
			server.Put("bucket", "x.npy", after)
		}
		return false
	}
	s := open(t, server, Options{})
	a := address(t, "s3://bucket/x.npy")
	_, err := s.Fetch(t.Context(), a, nil)
	var e *Error
	if !errors.As(err, &e) || e.Kind != Changed || !strings.Contains(err.Error(), "changed meanwhile") {
		t.Fatalf("error %v", err)
	}
	got, err := s.Fetch(t.Context(), a, nil)
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, after)
}

// TestDamage: bytes that change in the bucket or on the way are found, and are not kept.
func TestDamage(t *testing.T) {
	server := storetest.New(t, "bucket")
	s := open(t, server, Options{})
	ctx := t.Context()
	for _, size := range []int{100, 5 * testPart} {
		want := bytesOf(size, 3)
		path := filepath.Join(t.TempDir(), "x.npy")
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
		a := address(t, fmt.Sprintf("s3://bucket/%d.npy", size))
		if err := s.Push(ctx, path, a, nil); err != nil {
			t.Fatal(err)
		}
		server.Damage("bucket", a.Key)
		_, err := s.Fetch(ctx, a, nil)
		var e *Error
		if !errors.As(err, &e) || e.Kind != Damaged || !strings.Contains(err.Error(), "its SHA-256 is ") {
			t.Fatalf("error %v", err)
		}
		left, _ := filepath.Glob(filepath.Join(s.Cache, "copies", s.id(a), "*", "*"))
		if len(left) != 0 {
			t.Errorf("left %q", left)
		}
		server.Damage("bucket", a.Key) // the same bit again: whole
		got, err := s.Fetch(ctx, a, nil)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, want)
	}
}

// TestDamagedUpload: the server notices what changed on the way there, and the error says so.
func TestDamagedUpload(t *testing.T) {
	server := storetest.New(t, "bucket")
	server.Fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut {
			body, _ := io.ReadAll(r.Body)
			body[0] ^= 1
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
		return false
	}
	s := open(t, server, Options{})
	path := filepath.Join(t.TempDir(), "x.npy")
	for _, size := range []int{100, 3 * testPart} {
		if err := os.WriteFile(path, bytesOf(size, 4), 0o644); err != nil {
			t.Fatal(err)
		}
		err := s.Push(t.Context(), path, address(t, "s3://bucket/x.npy"), nil)
		var e *Error
		if !errors.As(err, &e) || e.Kind != Damaged {
			t.Errorf("error %v", err)
		}
	}
	if keys := server.Keys("bucket"); len(keys) != 0 {
		t.Errorf("the bucket has %q", keys)
	}
}

// TestBrokenUploadGoesOn: a connection that breaks in the middle of a part is made again.
func TestBrokenUploadGoesOn(t *testing.T) {
	server := storetest.New(t, "bucket")
	var seen sync.Map
	server.Fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPut {
			return false
		}
		if _, again := seen.LoadOrStore(r.URL.String(), true); !again {
			_, _ = io.CopyN(io.Discard, r.Body, testPart/2)
			panic(http.ErrAbortHandler)
		}
		return false
	}
	s := open(t, server, Options{})
	for _, size := range []int{testPart - 5, 6 * testPart} {
		want := bytesOf(size, 5)
		path := filepath.Join(t.TempDir(), "x.npy")
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := s.Push(t.Context(), path, address(t, "s3://bucket/x.npy"), nil); err != nil {
			t.Fatal(err)
		}
		if o, _ := server.Get("bucket", "x.npy"); !bytes.Equal(o.Body, want) {
			t.Fatalf("%d bytes are there, not those that were stored", len(o.Body))
		}
	}
}

// TestKilledUploadGoesOn kills the process that stores a large file after some parts are there, and
// runs it again: only the others are sent.
func TestKilledUploadGoesOn(t *testing.T) {
	server := storetest.New(t, "bucket")
	const parts = 12
	var killed atomic.Bool
	server.Fault = func(w http.ResponseWriter, r *http.Request) bool {
		// Parts after the sixth wait until the process is dead.
		if r.Method == http.MethodPut && r.URL.Query().Has("partNumber") && server.Count("PART") >= 6 && !killed.Load() {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
			panic(http.ErrAbortHandler)
		}
		return false
	}
	want := bytesOf(parts*testPart-9, 6)
	path := filepath.Join(t.TempDir(), "x.npy")
	if err := os.WriteFile(path, want, 0o644); err != nil {
		t.Fatal(err)
	}
	cache := t.TempDir()
	child := func() *exec.Cmd {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childVariable+"="+strings.Join([]string{cache, path, "s3://bucket/big/x.npy", fmt.Sprint(testPart)}, "|"))
		for k, v := range server.Env() {
			cmd.Env = append(cmd.Env, k+"="+v)
		}
		cmd.Stderr = os.Stderr
		return cmd
	}
	first := child()
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	for begun := time.Now(); server.Count("PART") < 6; time.Sleep(5 * time.Millisecond) {
		if time.Since(begun) > 5*time.Minute {
			_ = first.Process.Kill()
			t.Fatal("no six parts in five minutes")
		}
	}
	_ = first.Process.Kill() // SIGKILL
	if err := first.Wait(); err == nil {
		t.Fatal("the process ended well in spite of being killed")
	}
	if keys := server.Keys("bucket"); len(keys) != 0 {
		t.Fatalf("half an object is there: %q", keys)
	}
	killed.Store(true)
	before := server.Count("PART")
	if err := child().Run(); err != nil {
		t.Fatal(err)
	}
	if o, _ := server.Get("bucket", "big/x.npy"); !bytes.Equal(o.Body, want) {
		t.Fatalf("%d bytes are there, not those that were stored", len(o.Body))
	}
	if sent := server.Count("PART") - before; sent != parts-before {
		t.Errorf("%d parts were sent again, want %d", sent, parts-before)
	}
	if server.Count("CREATE") != 1 || server.Uploads() != 0 {
		t.Errorf("%d uploads were begun, %d are left", server.Count("CREATE"), server.Uploads())
	}
}

// TestAnotherContentIsNotGoneOnWith: an upload that was stopped of what has changed since is given up.
func TestAnotherContentIsNotGoneOnWith(t *testing.T) {
	server := storetest.New(t, "bucket")
	var refuse atomic.Bool
	refuse.Store(true)
	server.Fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut && server.Count("PART") >= 2 && refuse.Load() {
			storetest.Fail(w, 403, "AccessDenied", "Access Denied")
			return true
		}
		return false
	}
	s := open(t, server, Options{})
	path := filepath.Join(t.TempDir(), "x.npy")
	a := address(t, "s3://bucket/x.npy")
	if err := os.WriteFile(path, bytesOf(6*testPart, 7), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := s.Push(t.Context(), path, a, nil); err == nil || server.Uploads() != 1 {
		t.Fatalf("%v, %d uploads", err, server.Uploads())
	}
	refuse.Store(false)
	want := bytesOf(6*testPart, 8)
	if err := os.WriteFile(path, want, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := s.Push(t.Context(), path, a, nil); err != nil {
		t.Fatal(err)
	}
	if o, _ := server.Get("bucket", "x.npy"); !bytes.Equal(o.Body, want) || server.Uploads() != 0 {
		t.Errorf("%d bytes, %d uploads left", len(o.Body), server.Uploads())
	}
}

// TestErrorsSayWhatToDo: each cause in plain words, with bucket and key.
func TestErrorsSayWhatToDo(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	fail := func(status int, code, message string) func(w http.ResponseWriter, r *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			storetest.Fail(w, status, code, message)
			return true
		}
	}
	for _, at := range []struct {
		name, address string
		env           map[string]string
		fault         func(w http.ResponseWriter, r *http.Request) bool
		kind          Kind
		want          []string
	}{
		{"no bucket", "s3://nobody/x.npy", nil, nil, NotFound, []string{"s3://nobody/x.npy", "there is no bucket nobody at http://", "AWS_ENDPOINT_URL_S3"}},
		{"no key", "s3://bucket/a/x.npy", nil, nil, NotFound, []string{"s3://bucket/a/x.npy", "no such object or folder"}},
		{"no folder", "s3://bucket/a/", nil, nil, NotFound, []string{"s3://bucket/a", "no such object or folder"}},
		{"another's key", "s3://bucket/x.npy", map[string]string{"AWS_ACCESS_KEY_ID": "stranger"}, nil, Denied, []string{"s3://bucket/x.npy", "access", "the environment"}},
		{"no credentials", "s3://bucket/x.npy", map[string]string{"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, nil, Denied, []string{"access denied", "no credentials were found in the environment (none there)", "~/.aws"}},
		{"no profile", "s3://bucket/x.npy", map[string]string{"AWS_ACCESS_KEY_ID": "", "AWS_PROFILE": "mine"}, nil, Other, []string{"AWS_PROFILE is mine"}},
		{"denied", "s3://bucket/x.npy", nil, fail(403, "AccessDenied", "Access Denied"), Denied, []string{"s3://bucket/x.npy", "access denied", "may not list"}},
		{"expired", "s3://bucket/", nil, fail(400, "ExpiredToken", "The provided token has expired."), Denied, []string{"expired", "get new ones"}},
		{"region", "s3://bucket/", nil, fail(400, "AuthorizationHeaderMalformed", "the region 'us-east-1' is wrong; expecting 'eu-central-1'"), Denied, []string{"region is wrong", "eu-central-1", "AWS_REGION"}},
		{"nobody answers", "s3://bucket/x.npy", map[string]string{"AWS_ENDPOINT_URL_S3": "http://" + closed.Addr().String()}, nil, Unreachable, []string{"s3://bucket/x.npy", closed.Addr().String() + " cannot be reached", "whether the server runs"}},
		{"no host", "s3://bucket/x.npy", map[string]string{"AWS_ENDPOINT_URL_S3": "http://no-such-host.invalid"}, nil, Unreachable, []string{"cannot be reached", "no-such-host.invalid"}},
		{"no TLS", "s3://bucket/x.npy", map[string]string{"AWS_ENDPOINT_URL_S3": "tls"}, nil, Unreachable, []string{"does not speak TLS", "http://"}},
		{"busy", "s3://bucket/x.npy", nil, fail(503, "SlowDown", "Please reduce your request rate."), Unreachable, []string{"cannot answer now", "resumes from there"}},
	} {
		t.Run(at.name, func(t *testing.T) {
			server := storetest.New(t, "bucket")
			server.Fault = at.fault
			for k, v := range server.Env() {
				t.Setenv(k, v)
			}
			for k, v := range at.env {
				if v == "tls" {
					v = "https" + strings.TrimPrefix(server.URL, "http")
				}
				t.Setenv(k, v)
			}
			s, err := Open(Options{Cache: t.TempDir(), Part: testPart, Stall: time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			_, err = s.Fetch(t.Context(), address(t, at.address), nil)
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("error %v", err)
			}
			if e.Kind != at.kind {
				t.Errorf("kind %d, want %d", e.Kind, at.kind)
			}
			for _, want := range at.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q lacks %q", err, want)
				}
			}
			if strings.Contains(err.Error(), storetest.SecretKey) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q tells a secret, or is long", err)
			}
		})
	}
}

// TestSlowServer: nothing waits longer than it should for a server that says nothing, whether before an
// answer, in the middle of one, or while it should be taking something.
func TestSlowServer(t *testing.T) {
	for _, what := range []string{"head", "body", "upload"} {
		t.Run(what, func(t *testing.T) {
			server := storetest.New(t, "bucket")
			server.Put("bucket", "x.npy", bytesOf(1000, 1))
			server.Fault = func(w http.ResponseWriter, r *http.Request) bool {
				switch {
				case what == "head":
				case what == "body" && r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, ".npy"):
					o, _ := server.Get("bucket", "x.npy")
					w.Header().Set("ETag", `"`+o.ETag+`"`)
					w.Header().Set("Last-Modified", "Mon, 02 Jan 2006 15:04:05 GMT")
					if from, _ := rangeOf(r); from > 0 {
						w.Header().Set("Content-Length", fmt.Sprint(1000-from))
						w.WriteHeader(http.StatusPartialContent)
					} else {
						w.Header().Set("Content-Length", "1000")
						_, _ = w.Write(make([]byte, 10))
					}
					_ = http.NewResponseController(w).Flush()
				case what == "upload" && r.Method == http.MethodPut:
				default:
					return false
				}
				select {
				case <-r.Context().Done():
				case <-time.After(3 * time.Second): // an upload that is not read is not seen to end
				}
				panic(http.ErrAbortHandler)
			}
			s := open(t, server, Options{Stall: 200 * time.Millisecond})
			var err error
			if what == "upload" {
				path := filepath.Join(t.TempDir(), "y.npy")
				if err := os.WriteFile(path, bytesOf(1000, 2), 0o644); err != nil {
					t.Fatal(err)
				}
				err = s.Push(t.Context(), path, address(t, "s3://bucket/y.npy"), nil)
			} else {
				_, err = s.Fetch(t.Context(), address(t, "s3://bucket/x.npy"), nil)
			}
			var e *Error
			if !errors.As(err, &e) || e.Kind != Unreachable {
				t.Fatalf("error %v", err)
			}
		})
	}
}

// TestInterrupted: a context that ends stops a transfer at once.
func TestInterrupted(t *testing.T) {
	server := storetest.New(t, "bucket")
	server.Put("bucket", "x.npy", bytesOf(8*testPart, 1))
	ctx, cancel := context.WithCancel(t.Context())
	server.Fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet && r.Header.Get("Range") != "" {
			cancel()
			<-r.Context().Done()
			panic(http.ErrAbortHandler)
		}
		return false
	}
	s := open(t, server, Options{})
	if _, err := s.Fetch(ctx, address(t, "s3://bucket/x.npy"), nil); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
}

// joinLines is the union of two files of lines.
func joinLines(ours, theirs string) error {
	have, err := os.ReadFile(ours)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	other, err := os.ReadFile(theirs)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(ours, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	for line := range strings.Lines(string(other)) {
		if !strings.Contains("\n"+string(have), "\n"+line) {
			if _, err := f.WriteString(line); err != nil {
				return err
			}
		}
	}
	return nil
}

// TestMirrorsOfTwoMachines: two machines add to one list at the same time, and nothing of either is
// lost, whether the server knows conditions or not; a third gets all.
func TestMirrorsOfTwoMachines(t *testing.T) {
	for _, conditions := range []bool{true, false} {
		t.Run(fmt.Sprint(conditions), func(t *testing.T) {
			server := storetest.New(t, "bucket")
			server.NoConditions = !conditions
			at := address(t, "s3://bucket/results/x")
			joined := &Joined{Is: func(rel string) bool { return rel == "list" }, Join: joinLines}
			ctx := t.Context()
			var mirrors []*Mirror
			var dirs []string
			for range 3 {
				dir := filepath.Join(t.TempDir(), "x")
				dirs = append(dirs, dir)
				mirrors = append(mirrors, open(t, server, Options{}).Mirror(dir, at, joined))
			}
			add := func(i int, line string) {
				t.Helper()
				if err := os.MkdirAll(dirs[i], 0o755); err != nil {
					t.Fatal(err)
				}
				f, err := os.OpenFile(filepath.Join(dirs[i], "list"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				if _, err := f.WriteString(line + "\n"); err != nil {
					t.Fatal(err)
				}
			}
			for i := range 2 {
				if n, err := mirrors[i].Pull(ctx, nil); n != 0 || err != nil {
					t.Fatal(n, err)
				}
			}
			add(0, "a")
			if err := os.WriteFile(filepath.Join(dirs[0], ".lock"), nil, 0o644); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dirs[0], "page.html"), []byte("page"), 0o644); err != nil {
				t.Fatal(err)
			}
			for i, line := range []string{"a2", "b", "a3", "b2"} {
				add(i%2, line)
				if err := mirrors[i%2].Push(ctx, nil); err != nil {
					t.Fatal(err)
				}
			}
			if conditions { // between the look and the upload of one, the other is there
				var once sync.Once
				server.Fault = func(w http.ResponseWriter, r *http.Request) bool {
					if r.Method == http.MethodPut {
						once.Do(func() {
							o, _ := server.Get("bucket", "results/x/list")
							server.Put("bucket", "results/x/list", append(bytes.Clone(o.Body), "z\n"...))
						})
					}
					return false
				}
				add(0, "a4")
				if err := mirrors[0].PushJoined(ctx); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := mirrors[2].Pull(ctx, nil); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(filepath.Join(dirs[2], "list"))
			if err != nil {
				t.Fatal(err)
			}
			want := []string{"a", "a2", "b", "a3", "b2"}
			if conditions {
				want = append(want, "z", "a4")
			}
			for _, line := range want {
				if strings.Count("\n"+string(got), "\n"+line+"\n") != 1 {
					t.Errorf("%q has not one line %q", got, line)
				}
			}
			if keys := server.Keys("bucket"); len(keys) != 2 {
				t.Errorf("the bucket has %q", keys)
			}
			// Nothing changed, so nothing is stored.
			puts := server.Count("PUT")
			if err := mirrors[0].Push(ctx, nil); err != nil || server.Count("PUT") != puts {
				t.Errorf("%v, %d files were stored again", err, server.Count("PUT")-puts)
			}
		})
	}
}

// TestLastComesLast: the file that says a folder is whole is stored when all others are.
func TestLastComesLast(t *testing.T) {
	server := storetest.New(t, "bucket")
	dir := t.TempDir()
	for _, name := range []string{"a", "meta.json", "z"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	server.Fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/meta.json") && len(server.Keys("bucket")) != 2 {
			t.Errorf("meta.json comes when there is %q", server.Keys("bucket"))
		}
		return false
	}
	s := open(t, server, Options{})
	if err := s.Push(t.Context(), dir, address(t, "s3://bucket/v"), func(rel string) bool { return rel == "meta.json" }); err != nil {
		t.Fatal(err)
	}
	if n := len(server.Keys("bucket")); n != 3 {
		t.Errorf("%d objects", n)
	}
}

// TestSettingsThatAreWrong: told before anything is asked.
func TestSettingsThatAreWrong(t *testing.T) {
	for _, endpoint := range []string{"localhost:9000", "ftp://host", "http://user:secret@host", "http://host/path", "http://host?x=secret"} {
		_, err := Open(Options{Cache: t.TempDir(), Getenv: func(name string) string {
			if name == "AWS_ENDPOINT_URL" {
				return endpoint
			}
			return ""
		}})
		if err == nil || !strings.Contains(err.Error(), "AWS_ENDPOINT_URL must be") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", endpoint, err)
		}
	}
}

// TestRealServer goes the same ways against versitygw, which checks signatures and digests as S3 does.
func TestRealServer(t *testing.T) {
	env, stop, err := storetest.Real(t.TempDir(), "bucket")
	if err != nil {
		t.Fatal(err)
	}
	if env == nil {
		t.Skipf("no S3 server: set %s to the program of one, versitygw", storetest.RealVariable)
	}
	defer stop()
	for k, v := range env {
		t.Setenv(k, v)
	}
	const part = 5 << 20 // the least of S3
	ctx := t.Context()
	machine := func(t *testing.T) (*Store, *[]string) {
		var mu sync.Mutex
		said := new([]string)
		s, err := Open(Options{Cache: t.TempDir(), Part: part, Log: func(format string, args ...any) {
			mu.Lock()
			defer mu.Unlock()
			*said = append(*said, fmt.Sprintf(format, args...))
		}})
		if err != nil {
			t.Fatal(err)
		}
		return s, said
	}
	write := func(t *testing.T, size int) (string, []byte) {
		b := bytesOf(size, uint64(size))
		path := filepath.Join(t.TempDir(), "x.npy")
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		return path, b
	}
	t.Run("files", func(t *testing.T) {
		for _, size := range []int{0, 1000, part, 2*part + 7} {
			path, want := write(t, size)
			s, _ := machine(t)
			a := address(t, fmt.Sprintf("s3://bucket/a file+%d/x.npy", size))
			if err := s.Push(ctx, path, a, nil); err != nil {
				t.Fatal(err)
			}
			s, said := machine(t)
			got, err := s.Fetch(ctx, a, nil)
			if err != nil {
				t.Fatal(err)
			}
			same(t, got, want)
			if len(*said) != 1 || !strings.Contains((*said)[0], ", verified") {
				t.Errorf("said %q", *said)
			}
		}
		s, _ := machine(t)
		dir, err := s.Fetch(ctx, address(t, "s3://bucket/"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if files, _ := filepath.Glob(filepath.Join(dir, "*", "x.npy")); len(files) != 4 {
			t.Errorf("the bucket as a folder has %q", files)
		}
	})
	t.Run("killed", func(t *testing.T) {
		path, want := write(t, 12*part)
		cache := t.TempDir()
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), childVariable+"="+strings.Join([]string{cache, path, "s3://bucket/big/x.npy", fmt.Sprint(part)}, "|"))
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for range 2 {
			if !lines.Scan() {
				t.Error("it ended before two parts were there")
			}
		}
		_ = child.Process.Kill()
		_ = child.Wait()
		var mu sync.Mutex
		var said []string
		s, err := Open(Options{Cache: cache, Part: part, Log: func(format string, args ...any) {
			mu.Lock()
			defer mu.Unlock()
			said = append(said, fmt.Sprintf(format, args...))
		}})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Push(ctx, path, address(t, "s3://bucket/big/x.npy"), nil); err != nil {
			t.Fatal(err)
		}
		if len(said) != 2 || !strings.Contains(said[0], "going on with") || strings.Contains(said[0], ": 0 of") {
			t.Errorf("said %q", said)
		}
		other, _ := machine(t)
		got, err := other.Fetch(ctx, address(t, "s3://bucket/big/x.npy"), nil)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, want)
	})
	t.Run("two machines", func(t *testing.T) {
		joined := &Joined{Is: func(rel string) bool { return rel == "list" }, Join: joinLines}
		at := address(t, "s3://bucket/results/x")
		var mirrors []*Mirror
		var dirs []string
		for range 2 {
			s, _ := machine(t)
			dirs = append(dirs, t.TempDir())
			mirrors = append(mirrors, s.Mirror(dirs[len(dirs)-1], at, joined))
		}
		for i, line := range []string{"a", "b", "a2", "b2"} {
			f, err := os.OpenFile(filepath.Join(dirs[i%2], "list"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintln(f, line)
			if err := errors.Join(f.Close(), mirrors[i%2].Push(ctx, nil)); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(filepath.Join(dirs[1], "list"))
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range []string{"a", "b", "a2", "b2"} {
			if strings.Count("\n"+string(got), "\n"+line+"\n") != 1 {
				t.Errorf("%q has not one line %q", got, line)
			}
		}
	})
	t.Run("errors", func(t *testing.T) {
		for _, at := range []struct {
			address, key, value, want string
			kind                      Kind
		}{
			{"s3://nobody/x", "", "", "there is no bucket nobody", NotFound},
			{"s3://bucket/nothing", "", "", "no such object or folder", NotFound},
			{"s3://bucket/results/x/list", "AWS_SECRET_ACCESS_KEY", "wrong", "the secret key does not belong", Denied},
			{"s3://bucket/results/x/list", "AWS_ACCESS_KEY_ID", "wrong", "does not know the access key", Denied},
			{"s3://bucket/results/x/list", "AWS_REGION", "eu-central-1", "region is wrong", Denied},
		} {
			if at.key != "" {
				t.Setenv(at.key, at.value)
			}
			s, _ := machine(t)
			_, err := s.Fetch(ctx, address(t, at.address), nil)
			var e *Error
			if !errors.As(err, &e) || e.Kind != at.kind || !strings.Contains(err.Error(), at.want) {
				t.Errorf("%s, %s: %v", at.address, at.key, err)
			}
			if at.key != "" {
				t.Setenv(at.key, env[at.key])
			}
		}
	})
}
