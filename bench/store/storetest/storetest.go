// Package storetest is a server of the S3 API in memory, for tests: buckets, objects with ranges,
// conditions and metadata, listings by pages, and multipart uploads. It checks the digests that
// requests carry, and that they name the access key; signatures are left to tests against a real server.
// Faults are injected through [Server.Fault]. [Real] starts a real server.
package storetest

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The credentials that the server knows.
const (
	AccessKey = "tester"
	SecretKey = "tester-secret"
)

// Object is what a bucket holds of one key.
type Object struct {
	Body []byte
	ETag string
	Meta map[string]string // lower case, without x-amz-meta-
}

type upload struct {
	key, id string
	meta    map[string]string
	parts   map[int]Object
}

// Server is a running server. Fields are set before the first request.
type Server struct {
	URL string
	// Fault, where not nil, sees every request first, and reports whether it has answered it.
	Fault func(w http.ResponseWriter, r *http.Request) bool
	// Page is how many keys a listing gives at once; 0 means 1000.
	Page int
	// NoConditions answers If-Match of uploads with 501, as some servers do.
	NoConditions bool

	mu      sync.Mutex
	buckets map[string]map[string]Object
	uploads map[string]*upload
	next    int
	counts  map[string]int
}

// New starts a server that has the buckets, and ends it with the test. A fault that hangs should end with
// the request's context.
func New(t testing.TB, buckets ...string) *Server {
	s := &Server{buckets: map[string]map[string]Object{}, uploads: map[string]*upload{}, counts: map[string]int{}}
	for _, b := range buckets {
		s.buckets[b] = map[string]Object{}
	}
	h := httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(func() {
		h.CloseClientConnections()
		h.Close()
	})
	s.URL = h.URL
	return s
}

// Env is the environment with which a client finds the server, and nothing of the user's.
func (s *Server) Env() map[string]string {
	return map[string]string{
		"AWS_ENDPOINT_URL_S3": s.URL, "AWS_ACCESS_KEY_ID": AccessKey, "AWS_SECRET_ACCESS_KEY": SecretKey, "AWS_SESSION_TOKEN": "",
		"AWS_REGION": "us-east-1", "AWS_PROFILE": "", "AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL": "", "AWS_CA_BUNDLE": "",
		"AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
	}
}

// RealVariable names the program of a real server, versitygw, for the tests that want one.
const RealVariable = "ANNBENCH_S3_SERVER"

// Real starts a real server on a folder of its own, which has the buckets, and gives the environment with which
// a client finds it; stop ends it. Where there is no such server, env is nil.
func Real(dir string, buckets ...string) (env map[string]string, stop func(), err error) {
	program := os.Getenv(RealVariable)
	if program == "" {
		return nil, func() {}, nil
	}
	for _, b := range buckets {
		if err := os.MkdirAll(filepath.Join(dir, b), 0o755); err != nil {
			return nil, nil, err
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	address := l.Addr().String()
	l.Close()
	cmd := exec.Command(program, "--port", address, "--access", AccessKey, "--secret", SecretKey, "posix", dir)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	stop = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	for begun := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			env = (&Server{URL: "http://" + address}).Env()
			return env, stop, nil
		}
		if time.Since(begun) > 30*time.Second {
			stop()
			return nil, nil, fmt.Errorf("%s does not answer at %s: %s", program, address, said.String())
		}
	}
}

// Put stores an object as another program would, without metadata.
func (s *Server) Put(bucket, key string, body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buckets[bucket][key] = Object{Body: body, ETag: md5hex(body)}
}

// Get gives an object.
func (s *Server) Get(bucket, key string) (Object, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.buckets[bucket][key]
	return o, ok
}

// Damage changes a byte of an object without its digests knowing.
func (s *Server) Damage(bucket, key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.buckets[bucket][key]
	o.Body = bytes.Clone(o.Body)
	o.Body[len(o.Body)/2] ^= 1
	s.buckets[bucket][key] = o
}

// Keys are the keys of a bucket, in order.
func (s *Server) Keys(bucket string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.buckets[bucket]))
}

// Count is how many requests of a kind were answered well: GET, HEAD, PUT, LIST, PART, CREATE, COMPLETE.
func (s *Server) Count(kind string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[kind]
}

// Uploads is how many multipart uploads are not complete.
func (s *Server) Uploads() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.uploads)
}

func md5hex(b []byte) string {
	sum := md5.Sum(b)
	return hex.EncodeToString(sum[:])
}

// Fail answers as S3 does where something is wrong.
func Fail(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s</Message></Error>", code, message)
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	if s.Fault != nil && s.Fault(w, r) {
		return
	}
	if auth := r.Header.Get("Authorization"); auth != "" && !strings.Contains(auth, "Credential="+AccessKey+"/") {
		Fail(w, 403, "InvalidAccessKeyId", "The access key does not exist.")
		return
	} else if auth == "" {
		Fail(w, 403, "AccessDenied", "Access Denied")
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client went away
	}
	if sum := r.Header.Get("Content-Md5"); sum != "" {
		m := md5.Sum(body)
		if sum != base64.StdEncoding.EncodeToString(m[:]) {
			Fail(w, 400, "BadDigest", "The Content-MD5 you specified did not match what we received.")
			return
		}
	}
	if sum := r.Header.Get("X-Amz-Content-Sha256"); len(sum) == 64 {
		if h := sha256.Sum256(body); sum != hex.EncodeToString(h[:]) {
			Fail(w, 400, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed.")
			return
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	name, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	bucket, ok := s.buckets[name]
	if !ok {
		Fail(w, 404, "NoSuchBucket", "The specified bucket does not exist")
		return
	}
	q := r.URL.Query()
	switch {
	case key == "" && q.Has("location"):
		fmt.Fprint(w, `<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/"></LocationConstraint>`)
	case key == "" && r.Method == http.MethodHead:
	case key == "" && r.Method == http.MethodGet:
		s.list(w, name, bucket, q.Get("prefix"), q.Get("continuation-token"))
	case q.Has("uploads") && r.Method == http.MethodPost:
		s.next++
		id := fmt.Sprintf("upload-%d", s.next)
		s.uploads[id] = &upload{key: key, id: id, meta: metaOf(r), parts: map[int]Object{}}
		s.counts["CREATE"]++
		fmt.Fprintf(w, "<InitiateMultipartUploadResult><UploadId>%s</UploadId></InitiateMultipartUploadResult>", id)
	case q.Has("uploadId"):
		u := s.uploads[q.Get("uploadId")]
		if u == nil || u.key != key {
			Fail(w, 404, "NoSuchUpload", "The specified upload does not exist.")
			return
		}
		s.multipart(w, r, name, bucket, u, body)
	case r.Method == http.MethodPut:
		old, there := bucket[key]
		match, none := r.Header.Get("If-Match"), r.Header.Get("If-None-Match")
		if s.NoConditions && match+none != "" {
			Fail(w, 501, "NotImplemented", "A header you provided implies functionality that is not implemented")
			return
		}
		if match != "" && (!there || strings.Trim(match, `"`) != old.ETag) || strings.Trim(none, `"`) == "*" && there {
			Fail(w, 412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
			return
		}
		o := Object{Body: body, ETag: md5hex(body), Meta: metaOf(r)}
		bucket[key] = o
		s.counts["PUT"]++
		w.Header().Set("ETag", `"`+o.ETag+`"`)
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		o, there := bucket[key]
		if !there {
			Fail(w, 404, "NoSuchKey", "The specified key does not exist.")
			return
		}
		s.counts[r.Method]++
		w.Header().Set("ETag", `"`+o.ETag+`"`)
		w.Header().Set("Content-Type", "application/octet-stream")
		for k, v := range o.Meta {
			w.Header().Set("x-amz-meta-"+k, v)
		}
		// Ranges and If-Match are those of HTTP.
		http.ServeContent(w, r, "", time.Unix(1700000000, 0), bytes.NewReader(o.Body))
	default:
		Fail(w, 405, "MethodNotAllowed", "not in this server")
	}
}

func metaOf(r *http.Request) map[string]string {
	meta := map[string]string{}
	for k, v := range r.Header {
		if name, ok := strings.CutPrefix(strings.ToLower(k), "x-amz-meta-"); ok {
			meta[name] = v[0]
		}
	}
	return meta
}

type listing struct {
	XMLName               xml.Name `xml:"ListBucketResult"`
	Name, Prefix          string
	KeyCount, MaxKeys     int
	IsTruncated           bool
	NextContinuationToken string `xml:",omitempty"`
	Contents              []listed
}

type listed struct {
	Key, LastModified, ETag string
	Size                    int
}

func (s *Server) list(w http.ResponseWriter, name string, bucket map[string]Object, prefix, after string) {
	page := s.Page
	if page == 0 {
		page = 1000
	}
	l := listing{Name: name, Prefix: prefix, MaxKeys: page}
	for _, key := range slices.Sorted(maps.Keys(bucket)) {
		if !strings.HasPrefix(key, prefix) || key <= after {
			continue
		}
		if len(l.Contents) == page {
			l.IsTruncated, l.NextContinuationToken = true, l.Contents[page-1].Key
			break
		}
		o := bucket[key]
		l.Contents = append(l.Contents, listed{key, "2026-01-02T03:04:05.000Z", `"` + o.ETag + `"`, len(o.Body)})
	}
	l.KeyCount = len(l.Contents)
	s.counts["LIST"]++
	w.Header().Set("Content-Type", "application/xml")
	_ = xml.NewEncoder(w).Encode(l)
}

func (s *Server) multipart(w http.ResponseWriter, r *http.Request, name string, bucket map[string]Object, u *upload, body []byte) {
	switch r.Method {
	case http.MethodPut:
		n, err := strconv.Atoi(r.URL.Query().Get("partNumber"))
		if err != nil || n < 1 {
			Fail(w, 400, "InvalidArgument", "part number")
			return
		}
		u.parts[n] = Object{Body: body, ETag: md5hex(body)}
		s.counts["PART"]++
		w.Header().Set("ETag", `"`+u.parts[n].ETag+`"`)
	case http.MethodGet:
		fmt.Fprintf(w, "<ListPartsResult><UploadId>%s</UploadId><IsTruncated>false</IsTruncated>", u.id)
		for _, n := range slices.Sorted(maps.Keys(u.parts)) {
			fmt.Fprintf(w, "<Part><PartNumber>%d</PartNumber><ETag>&quot;%s&quot;</ETag><Size>%d</Size></Part>", n, u.parts[n].ETag, len(u.parts[n].Body))
		}
		fmt.Fprint(w, "</ListPartsResult>")
	case http.MethodDelete:
		delete(s.uploads, u.id)
		w.WriteHeader(http.StatusNoContent)
	case http.MethodPost:
		var order struct {
			Part []struct {
				PartNumber int
				ETag       string
			}
		}
		if err := xml.Unmarshal(body, &order); err != nil {
			Fail(w, 400, "MalformedXML", err.Error())
			return
		}
		var whole []byte
		all := md5.New()
		for _, p := range order.Part {
			part, ok := u.parts[p.PartNumber]
			if !ok || strings.Trim(p.ETag, `"`) != part.ETag {
				Fail(w, 400, "InvalidPart", "One or more of the specified parts could not be found.")
				return
			}
			whole = append(whole, part.Body...)
			raw, _ := hex.DecodeString(part.ETag)
			all.Write(raw)
		}
		o := Object{Body: whole, ETag: fmt.Sprintf("%x-%d", all.Sum(nil), len(order.Part)), Meta: u.meta}
		bucket[u.key] = o
		delete(s.uploads, u.id)
		s.counts["COMPLETE"]++
		fmt.Fprintf(w, "<CompleteMultipartUploadResult><Bucket>%s</Bucket><Key>%s</Key><ETag>&quot;%s&quot;</ETag></CompleteMultipartUploadResult>", name, u.key, o.ETag)
	}
}
