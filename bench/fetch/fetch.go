// Package fetch brings public data sets to this machine: a table of names with addresses, sizes and
// hashes ([Sets]), downloads that resume ([Fetch]), and a check of what is
// there ([Check]).
//
// It trusts no server: what has a known hash is compared with it before it gets its name, and of what
// has none that is said. It reads no formats: that is the business of packages dataset and catalog.
package fetch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"annbench/bench/lease"
	"annbench/internal/atomicfile"
)

// Options of [Fetch]. The zero value of every field has a meaning.
type Options struct {
	// From is a folder that has the files already, by their names, or what their archive is unpacked
	// to: nothing is downloaded.
	From string
	// Client, nil for one that gives a server a minute to answer.
	Client *http.Client
	// Stall ends a download that no byte comes of for so long; 0 means a minute.
	Stall time.Duration
	// Progress, where not nil, is called with the bytes of a file that are there and the time left, 0 where
	// unknown; total is done where the size is unknown.
	Progress func(file string, done, total int64, left time.Duration)
	// Log, where not nil, is called with what a user should know: files that cannot be verified, retries.
	Log func(format string, args ...any)
}

// attempts is how often a download that breaks off is resumed without being asked.
const attempts = 4

// Fetch brings the files of a set into the folder dir, those that are there already left as they are
// once their hash is found right. A download that was stopped is resumed by the next call, where
// the server can and says that the file is still the same. What has another size or hash than the
// table says is an error, and gone.
func Fetch(ctx context.Context, set Set, dir string, o Options) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("fetching %s: %w", set.Name, err)
	}
	for _, f := range set.Files {
		if err := (&job{File: f, dir: dir, Options: o}).do(ctx); err != nil {
			return fmt.Errorf("fetching %s: %w", set.Name, err)
		}
	}
	return nil
}

// job is one file on its way.
type job struct {
	File
	dir string
	Options
	began time.Time // of the progress, when from bytes were there
	from  int64
}

func (j *job) log(format string, args ...any) {
	if j.Log != nil {
		j.Log(format, args...)
	}
}

func (j *job) progress(done, size int64) {
	if j.Progress == nil {
		return
	}
	if j.began.IsZero() {
		j.began, j.from = time.Now(), done
	}
	total, left := max(size, done), time.Duration(0)
	if done > j.from {
		left = time.Duration(float64(time.Since(j.began)) / float64(done-j.from) * float64(total-done))
	}
	j.Progress(j.Name, done, total, left)
}

func (j *job) path() string { return filepath.Join(j.dir, j.Name) }

func (j *job) do(ctx context.Context) error {
	switch state, err := checkFile(ctx, j.File, j.dir); {
	case err != nil:
		return err
	case state.Wrong != "":
		return fmt.Errorf("%s; delete it, then fetch again", state.Wrong)
	case state.There:
		return nil
	}
	held, err := lease.Take(ctx, j.path()+".lease", nil)
	if errors.Is(err, lease.ErrHeld) {
		return fmt.Errorf("%s is being fetched by another process (%w)", j.path(), err)
	} else if err != nil {
		return err
	}
	defer held.Release()
	part, err := os.OpenFile(j.path()+".part", os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer part.Close()
	if j.From != "" {
		err = j.copy(ctx, part)
		if errors.Is(err, errUnpacked) {
			return errors.Join(part.Close(), os.Remove(part.Name()))
		}
	} else {
		err = j.download(ctx, part)
	}
	if err != nil {
		if info, e := part.Stat(); e == nil && info.Size() == 0 {
			err = errors.Join(err, os.Remove(part.Name())) // nothing to go on with
		}
		return err
	}
	return j.finish(ctx, part)
}

// errUnpacked says that the tree itself was copied, and there is no file to finish.
var errUnpacked = errors.New("copied unpacked")

// copy takes the file from the folder of those who have it.
func (j *job) copy(ctx context.Context, part *os.File) error {
	from, err := os.Open(filepath.Join(j.From, j.Name))
	switch {
	case err == nil:
	case !errors.Is(err, fs.ErrNotExist):
		return err
	case j.Tree != nil && j.Tree.in(j.From):
		return j.copyTree(ctx)
	case j.Tree != nil:
		return fmt.Errorf("%s has neither %s nor the folders %s", j.From, j.Name, strings.Join(j.Tree.Folders, ", "))
	default:
		return fmt.Errorf("%s has no %s", j.From, j.Name)
	}
	defer from.Close()
	if err := part.Truncate(0); err != nil {
		return err
	}
	_, err = io.Copy(part, &watched{ctx: ctx, r: from, seen: func(n int64) { j.progress(n, j.Size) }})
	return err
}

// finish checks what has come, and gives it its name or unpacks it.
func (j *job) finish(ctx context.Context, part *os.File) error {
	reject := func(format string, args ...any) error {
		err := fmt.Errorf("%s: %w", j.Name, fmt.Errorf(format, args...))
		return errors.Join(err, os.Remove(part.Name()), removeTag(part.Name()))
	}
	info, err := part.Stat()
	if err != nil {
		return err
	}
	if j.Size > 0 && info.Size() != j.Size {
		return reject("%d bytes came, it should have %d", info.Size(), j.Size)
	}
	if j.Magic != "" {
		head := make([]byte, len(j.Magic))
		if _, err := part.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if string(head) != j.Magic {
			return reject("it begins with %.60q, which is not how such a file begins: a page of a proxy, or another file", head)
		}
	}
	sum, err := fileSum(ctx, part.Name())
	if err != nil {
		return err
	}
	if j.SHA256 != "" && sum != j.SHA256 {
		return reject("its SHA-256 is %s, it should be %s (%s)", sum, j.SHA256, j.Source)
	}
	if j.Tree != nil {
		if err := j.unpack(ctx, part); err != nil {
			if errors.Is(err, errWrong) {
				return reject("%w", err)
			}
			return err
		}
		return errors.Join(part.Close(), os.Remove(part.Name()), removeTag(part.Name()))
	}
	if j.SHA256 == "" {
		j.log("%s cannot be verified: nobody has published a hash of it; its SHA-256 is %s", j.Name, sum)
	}
	if err := part.Sync(); err != nil {
		return err
	}
	if err := atomicfile.Rename(part.Name(), j.path()); err != nil {
		return err
	}
	return removeTag(part.Name())
}

// The tag of a file that is half there is what the server called that version of it; it lies beside.
func tagPath(part string) string { return part + ".tag" }

func removeTag(part string) error {
	if err := os.Remove(tagPath(part)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// download fetches the file into part, and resumes where that ends.
func (j *job) download(ctx context.Context, part *os.File) error {
	var err error
	for try := range attempts {
		before, statErr := part.Seek(0, io.SeekEnd)
		if statErr != nil {
			return statErr
		}
		if err = j.request(ctx, part, before); err == nil {
			return nil
		}
		var broken *brokenError
		if ctx.Err() != nil || !errors.As(err, &broken) {
			return err
		}
		if after, _ := part.Seek(0, io.SeekEnd); after <= before && try > 0 {
			break // nothing came of it twice
		}
		j.log("%s: %v; going on", j.Name, err)
	}
	return fmt.Errorf("%w; what has come is kept, the same command resumes from there", err)
}

// brokenError is a download that ended early, and may go on.
type brokenError struct{ error }

func (b *brokenError) Unwrap() error { return b.error }

func (j *job) client() *http.Client {
	if j.Client != nil {
		return j.Client
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DialContext = (&net.Dialer{Timeout: 20 * time.Second}).DialContext
	t.ResponseHeaderTimeout = time.Minute
	return &http.Client{Transport: t}
}

// request asks for what is missing after have bytes.
func (j *job) request(ctx context.Context, part *os.File, have int64) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, j.URL, nil)
	if err != nil {
		return err
	}
	// The bytes of the file itself are counted, not of a packed form of it.
	req.Header.Set("Accept-Encoding", "identity")
	tag, err := os.ReadFile(tagPath(part.Name()))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if have > 0 && len(tag) > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
		req.Header.Set("If-Range", string(tag))
	} else {
		have = 0
	}
	res, err := j.client().Do(req)
	if err != nil {
		return unreachable(err)
	}
	defer res.Body.Close()
	switch res.StatusCode {
	case http.StatusOK:
		have = 0
	case http.StatusPartialContent:
		if from, ok := rangeStart(res.Header.Get("Content-Range")); !ok || from != have {
			return fmt.Errorf("%s answers a request for the rest from byte %d with %q", req.URL.Host, have, res.Header.Get("Content-Range"))
		}
	case http.StatusRequestedRangeNotSatisfiable:
		// All of it is there already, or another file is.
		if _, total, _ := strings.Cut(res.Header.Get("Content-Range"), "/"); total == strconv.FormatInt(have, 10) {
			return nil
		}
		if err := errors.Join(part.Truncate(0), removeTag(part.Name())); err != nil {
			return err
		}
		return &brokenError{errors.New("the server has another file than the one that was begun")}
	default:
		return fmt.Errorf("%s: the server answers %s", j.URL, res.Status)
	}
	if have == 0 {
		if err := errors.Join(part.Truncate(0), j.keepTag(part.Name(), res.Header)); err != nil {
			return err
		}
	}
	if _, err := part.Seek(have, io.SeekStart); err != nil {
		return err
	}
	total := j.Size
	if res.ContentLength >= 0 {
		total = have + res.ContentLength
		if j.Size > 0 && total != j.Size {
			return fmt.Errorf("%s: the server has %d bytes, it should be %d: it is another file now", j.URL, total, j.Size)
		}
	}
	stall := j.Stall
	if stall <= 0 {
		stall = time.Minute
	}
	timer := time.AfterFunc(stall, func() { cancel(fmt.Errorf("no byte came for %v", stall)) })
	defer timer.Stop()
	n, err := io.Copy(part, &watched{ctx: ctx, r: res.Body, seen: func(n int64) {
		timer.Reset(stall)
		j.progress(have+n, total)
	}})
	if err != nil {
		var disk *fs.PathError
		if errors.As(err, &disk) {
			return err // the disk, not the network
		}
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return &brokenError{fmt.Errorf("the connection to %s ended after %d bytes: %w", req.URL.Host, have+n, err)}
	}
	return nil
}

// keepTag writes down what tells this version of the file from another one, if the server says it.
func (j *job) keepTag(part string, h http.Header) error {
	tag := h.Get("ETag")
	if tag == "" || strings.HasPrefix(tag, "W/") { // a weak one is no promise about bytes
		tag = h.Get("Last-Modified")
	}
	if tag == "" {
		return removeTag(part)
	}
	return os.WriteFile(tagPath(part), []byte(tag), 0o644)
}

// rangeStart reads "bytes 100-199/500".
func rangeStart(s string) (from int64, ok bool) {
	s, ok = strings.CutPrefix(s, "bytes ")
	if !ok {
		return 0, false
	}
	first, _, ok := strings.Cut(s, "-")
	if !ok {
		return 0, false
	}
	from, err := strconv.ParseInt(first, 10, 64)
	return from, err == nil
}

// unreachable says in one line that there is no way to a server, and what to do.
func unreachable(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		if errors.Is(u.Err, context.Canceled) {
			return u.Err
		}
		host := u.URL
		if parsed, e := url.Parse(u.URL); e == nil {
			host = parsed.Host
		}
		return fmt.Errorf("%s cannot be reached: %w; without a network, name a folder that has the files with --from", host, u.Err)
	}
	return err
}

// watched is a reader that ends with a context and tells how much it has read.
type watched struct {
	ctx  context.Context
	r    io.Reader
	n    int64
	seen func(n int64)
}

func (w *watched) Read(b []byte) (int, error) {
	if err := context.Cause(w.ctx); err != nil {
		return 0, err
	}
	n, err := w.r.Read(b)
	if n > 0 {
		w.n += int64(n)
		w.seen(w.n)
	}
	return n, err
}

// State is what there is of a file.
type State struct {
	There    bool
	Verified bool   // by its hash; false of a file for which none is known
	SHA256   string // of what is there
	Wrong    string // what is wrong with it; empty where nothing is
	Partial  int64  // bytes of a download that was stopped
}

// Check looks at the files of a set in dir, in the order of the set, and computes their hashes.
func Check(ctx context.Context, set Set, dir string) ([]State, error) {
	var states []State
	for _, f := range set.Files {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		state, err := checkFile(ctx, f, dir)
		if err != nil {
			return nil, fmt.Errorf("checking %s: %w", set.Name, err)
		}
		states = append(states, state)
	}
	return states, nil
}

// Present reports whether all of a set is there, without reading it.
func Present(set Set, dir string) bool {
	for _, f := range set.Files {
		if f.Tree != nil {
			if !f.Tree.in(dir) {
				return false
			}
			continue
		}
		info, err := os.Stat(filepath.Join(dir, f.Name))
		if err != nil || f.Size > 0 && info.Size() != f.Size {
			return false
		}
	}
	return true
}

func checkFile(ctx context.Context, f File, dir string) (State, error) {
	var s State
	path := filepath.Join(dir, f.Name)
	if info, err := os.Stat(path + ".part"); err == nil {
		s.Partial = info.Size()
	}
	if f.Tree != nil {
		return f.Tree.check(ctx, s, dir)
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return s, nil
	case err != nil:
		return s, err
	}
	s.There = true
	if s.SHA256, err = fileSum(ctx, path); err != nil {
		return s, err
	}
	switch {
	case f.Size > 0 && info.Size() != f.Size:
		s.Wrong = fmt.Sprintf("%s has %d bytes, it should have %d", path, info.Size(), f.Size)
	case f.SHA256 != "" && s.SHA256 != f.SHA256:
		s.Wrong = fmt.Sprintf("%s has the SHA-256 %s, it should have %s", path, s.SHA256, f.SHA256)
	default:
		s.Verified = f.SHA256 != ""
	}
	return s, nil
}

func fileSum(ctx context.Context, path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, &watched{ctx: ctx, r: f, seen: func(int64) {}}); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
