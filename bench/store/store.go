// Package store brings files and folders from object storage (the S3 API) to this machine, and takes
// them there. What works on the files works on a local copy, mapped as any other file; no other
// library here knows of object storage.
//
// minio-go makes the requests. Its own FGetObject and PutObject are not used: in v7.4.1 the first fetches by one
// connection, removes what it has when that breaks, and knows no digest of ours; the second gives up an upload that
// breaks. Both would begin anew, where [Store.Fetch] and [Store.Push] resume.
//
// [Store.Fetch] brings an object, or all below a prefix, into a cache; [Store.Push] takes a file or a
// folder there; [Mirror] keeps a folder here and one there alike while it is worked on. Each goes on
// where it was stopped, and compares SHA-256 digests, or the best that the server knows, before
// anything counts as there.
//
// Credentials, region and endpoint come from where every tool for S3 takes them ([Open]), and are in no
// file of annbench's and in no message.
package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// Options of [Open]. The zero value of every field but Cache has a meaning.
type Options struct {
	// Cache is the folder below which local copies are kept.
	Cache string
	// Stall ends a request during which no byte comes or goes for so long; 0 means 30 seconds.
	Stall time.Duration
	// Part is the size of the pieces in which large objects come and go, in bytes; 0 means 16 MiB, and
	// S3 takes no less than 5 MiB.
	Part int64
	// Progress, where not nil, is called with how many bytes of a transfer are done. It is called by several
	// goroutines.
	Progress func(what string, done, total int64)
	// Log, where not nil, is called with what a user should know. It is called by several goroutines.
	Log func(format string, args ...any)
	// Getenv reads the environment; nil is os.Getenv. Credentials are always read from that of the
	// process.
	Getenv func(string) string
}

const (
	defaultStall = 30 * time.Second
	defaultPart  = 16 << 20
	// streams is how many requests carry data at once: one connection to S3 rarely has the speed that
	// the network has.
	streams = 4
	// tries is how often a request is made that a fault of the network or the server ended.
	tries = 3
)

// Store is object storage at one endpoint. Its methods may be called by many goroutines at once.
type Store struct {
	Options
	core     *minio.Core
	endpoint string // for people
	creds    *origin
	slots    chan struct{} // one for each request that carries data
}

// Open makes a Store without talking to it. Everything is taken from where other tools take it:
//
//   - credentials from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN; else from the
//     profile AWS_PROFILE of ~/.aws/config and ~/.aws/credentials (keys, sso or credential_process); else
//     from the role of the machine, the container or the pod. Without any, requests are not signed, which
//     public buckets answer.
//   - the region from AWS_REGION or AWS_DEFAULT_REGION; without them the bucket is asked.
//   - the endpoint from AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL; without them it is that of AWS. It is
//     spoken to without encryption only if it begins with http://.
//   - further certificates from AWS_CA_BUNDLE.
func Open(o Options) (*Store, error) {
	if o.Stall <= 0 {
		o.Stall = defaultStall
	}
	if o.Part <= 0 {
		o.Part = defaultPart
	}
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	s := &Store{Options: o, slots: make(chan struct{}, streams)}
	host, secure, err := s.where()
	if err != nil {
		return nil, err
	}
	transport, err := s.transport()
	if err != nil {
		return nil, err
	}
	s.creds = newOrigin(o.Getenv)
	region := o.Getenv("AWS_REGION")
	if region == "" {
		region = o.Getenv("AWS_DEFAULT_REGION")
	}
	s.core, err = minio.NewCore(host, &minio.Options{
		Creds: credentials.New(s.creds), Secure: secure, Transport: transport, Region: region, MaxRetries: tries,
	})
	if err != nil {
		return nil, fmt.Errorf("object storage at %s: %w", s.endpoint, err)
	}
	s.core.SetAppInfo("annbench", "1")
	return s, nil
}

// awsHost is the endpoint of S3 itself; the client finds the region's from it.
const awsHost = "s3.amazonaws.com"

func (s *Store) where() (host string, secure bool, err error) {
	for _, name := range []string{"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"} {
		text := s.Getenv(name)
		if text == "" {
			continue
		}
		u, err := url.Parse(text)
		// Not the text itself in the message: it may hold a password.
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
			return "", false, fmt.Errorf("%s must be a scheme, a host and perhaps a port, and nothing else, like https://s3.example.org:9000", name)
		}
		s.endpoint = u.Scheme + "://" + u.Host
		return u.Host, u.Scheme == "https", nil
	}
	s.endpoint = "https://" + awsHost
	return awsHost, true, nil
}

func (s *Store) transport() (http.RoundTripper, error) {
	t, err := minio.DefaultTransport(true)
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: min(s.Stall, 10*time.Second)}
	t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := dialer.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &stalling{Conn: c, patience: s.Stall}, nil
	}
	t.ResponseHeaderTimeout = s.Stall
	t.TLSHandshakeTimeout = min(s.Stall, 10*time.Second)
	t.MaxIdleConnsPerHost = 2 * streams
	t.IdleConnTimeout = s.Stall
	t.DisableCompression = true
	if bundle := s.Getenv("AWS_CA_BUNDLE"); bundle != "" {
		pem, err := os.ReadFile(bundle)
		if err != nil {
			return nil, fmt.Errorf("AWS_CA_BUNDLE: %w", err)
		}
		roots, err := x509.SystemCertPool()
		if err != nil {
			roots = x509.NewCertPool()
		}
		if !roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("AWS_CA_BUNDLE: %s holds no certificate", bundle)
		}
		t.TLSClientConfig.RootCAs = roots
	}
	return t, nil
}

// stalling is a connection that ends when nothing came or went for so long.
type stalling struct {
	net.Conn
	patience time.Duration
}

// Subtle: what was sent puts off the end of the wait for an answer as well, which began before it.
func (c *stalling) renew() { _ = c.SetDeadline(time.Now().Add(c.patience)) }

func (c *stalling) Read(b []byte) (int, error) {
	c.renew()
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.renew()
	}
	return n, err
}

func (c *stalling) Write(b []byte) (int, error) {
	c.renew()
	return c.Conn.Write(b)
}

// origin is where credentials are from. Unlike the library's own chain it tells what went wrong on the
// way, where nothing was found.
type origin struct {
	getenv  func(string) string
	mu      sync.Mutex
	current credentials.Provider
	name    string   // of what they were found in; empty before, and where there are none
	tried   []string // where they were looked for in vain, and why
}

func newOrigin(getenv func(string) string) *origin { return &origin{getenv: getenv} }

// Retrieve is part of [credentials.Provider].
func (o *origin) Retrieve() (credentials.Value, error) {
	return o.RetrieveWithCredContext(&credentials.CredContext{Client: &http.Client{Timeout: 10 * time.Second}})
}

// RetrieveWithCredContext is part of [credentials.Provider].
func (o *origin) RetrieveWithCredContext(cc *credentials.CredContext) (credentials.Value, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.current, o.name, o.tried = nil, "", nil
	profile := o.getenv("AWS_PROFILE")
	type place struct {
		name     string
		provider credentials.Provider
	}
	places := []place{
		{"the environment", &credentials.EnvAWS{}},
		{"the profile " + cmp.Or(profile, "default") + " of ~/.aws", &credentials.FileAWSCredentials{}},
	}
	if !strings.EqualFold(o.getenv("AWS_EC2_METADATA_DISABLED"), "true") || o.getenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") != "" ||
		o.getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI") != "" || o.getenv("AWS_WEB_IDENTITY_TOKEN_FILE") != "" {
		// On a machine that is none of a cloud nobody answers, and that must not take long.
		places = append(places, place{"the machine's role", &credentials.IAM{Client: &http.Client{
			Timeout:   5 * time.Second,
			Transport: &http.Transport{DialContext: (&net.Dialer{Timeout: time.Second}).DialContext},
		}}})
	}
	for _, p := range places {
		v, err := p.provider.RetrieveWithCredContext(cc)
		if v.AccessKeyID != "" && v.SecretAccessKey != "" {
			o.current, o.name = p.provider, p.name
			return v, nil
		}
		why := "none there"
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			why = oneLine(err)
		}
		o.tried = append(o.tried, p.name+" ("+why+")")
		// Who names a profile does not want to be somebody else, or nobody.
		if profile != "" && err != nil && strings.HasPrefix(p.name, "the profile") {
			return credentials.Value{}, fmt.Errorf("AWS_PROFILE is %s, and there are no credentials for it: %w", profile, err)
		}
	}
	return credentials.Value{SignerType: credentials.SignatureAnonymous}, nil
}

// IsExpired is part of [credentials.Provider].
func (o *origin) IsExpired() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.current == nil || o.current.IsExpired()
}

// tell says where the credentials are from.
func (o *origin) tell() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.name != "":
		return "the credentials are those of " + o.name
	case len(o.tried) > 0:
		return "no credentials were found in " + strings.Join(o.tried, ", ")
	}
	return ""
}

func oneLine(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n")
	return text
}

func (s *Store) log(format string, args ...any) {
	if s.Log != nil {
		s.Log(format, args...)
	}
}

// meter counts the bytes of a transfer that has several streams.
type meter struct {
	s     *Store
	what  string
	done  atomic.Int64
	total atomic.Int64
}

func (m *meter) add(n int64) {
	done := m.done.Add(n)
	if m.s.Progress != nil {
		m.s.Progress(m.what, done, m.total.Load())
	}
}

// slot waits until one more request may carry data, and gives back its end.
func (s *Store) slot(ctx context.Context) (release func(), err error) {
	select {
	case s.slots <- struct{}{}:
		return func() { <-s.slots }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// id is a name for the folders that belong to an address.
func (s *Store) id(a Address) string { return short(s.endpoint + "\x00" + a.Bucket + "\x00" + a.Key) }

func short(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8])
}

// Work is a folder of this machine's own for what is made here and belongs at a: it is the same every
// time. The last element of its path is that of a.
func (s *Store) Work(a Address) (string, error) {
	dir := filepath.Join(s.Cache, "work", s.id(a))
	path := filepath.Join(dir, a.Base())
	return path, os.MkdirAll(dir, 0o755)
}

// watched is a reader that ends with a context and reports what it reads.
type watched struct {
	ctx  context.Context
	r    io.Reader
	seen func(n int64)
}

func (w *watched) Read(b []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := w.r.Read(b)
	if n > 0 {
		w.seen(int64(n))
	}
	return n, err
}
