package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"
	"golang.org/x/sync/errgroup"

	"annbench/bench/lease"
	"annbench/internal/atomicfile"
)

// object is one object of a folder.
type object struct {
	Rel  string // below the folder, with slashes
	Key  string
	ETag string
	Size int64
}

// Fetch brings what is at a to this machine and returns the path of the copy, whose last element is
// that of a: an object as a file; otherwise all objects below a as a folder, of which only those are
// taken that keep (if not nil) wants by their path in it. What is there already, as it is in the
// bucket now, is not fetched again. The copy is never changed: objects that have become others make
// another copy. Treat it as read-only.
func (s *Store) Fetch(ctx context.Context, a Address, keep func(rel string) bool) (string, error) {
	began := time.Now()
	objects, single, err := s.find(ctx, a, keep)
	if err != nil {
		return "", err
	}
	snapshot := ""
	for _, o := range objects {
		snapshot += fmt.Sprintf("%q %q %d\n", o.Rel, o.ETag, o.Size)
	}
	dir := filepath.Join(s.Cache, "copies", s.id(a), short(snapshot))
	root := filepath.Join(dir, a.Base())
	if single {
		root = dir
	}
	got, err := s.bring(ctx, a, objects, root, dir)
	if err != nil {
		return "", err
	}
	if got.files > 0 {
		s.log("fetched %s: %s in %v%s", a, files(got.files, got.bytes), time.Since(began).Round(100*time.Millisecond), got.doubt())
	}
	return filepath.Join(dir, a.Base()), nil
}

// find lists what there is at a. single says that it is one object, and not a folder.
func (s *Store) find(ctx context.Context, a Address, keep func(string) bool) (objects []object, single bool, err error) {
	if a.Key != "" {
		info, err := s.stat(ctx, a)
		if err == nil {
			return []object{{Rel: a.Base(), Key: a.Key, ETag: info.ETag, Size: info.Size}}, true, nil
		}
		if e := (*Error)(nil); !errors.As(err, &e) || e.Kind != NotFound || minio.ToErrorResponse(e.err).Code == "NoSuchBucket" {
			return nil, false, err
		}
	}
	all, err := s.list(ctx, a)
	if err != nil {
		return nil, false, err
	}
	if len(all) == 0 {
		return nil, false, s.explain("fetching", a, minio.ErrorResponse{Code: "NoSuchKey", StatusCode: 404})
	}
	for _, o := range all {
		if keep == nil || keep(o.Rel) {
			objects = append(objects, o)
		}
	}
	return objects, false, nil
}

// Exists reports whether there is an object at a.
func (s *Store) Exists(ctx context.Context, a Address) (bool, error) {
	_, err := s.stat(ctx, a)
	if IsNotFound(err) && minio.ToErrorResponse(errors.Unwrap(err)).Code != "NoSuchBucket" {
		return false, nil
	}
	return err == nil, err
}

func (s *Store) stat(ctx context.Context, a Address) (minio.ObjectInfo, error) {
	info, err := s.core.StatObject(ctx, a.Bucket, a.Key, minio.StatObjectOptions{Checksum: true})
	// The answer to HEAD has no words. Whether it is the bucket that is missing, or what else is wrong, takes
	// another question.
	if res := minio.ToErrorResponse(err); err != nil && res.StatusCode >= 300 && res.StatusCode < 500 {
		asking, cancel := context.WithCancel(ctx)
		first, ok := <-s.core.Client.ListObjects(asking, a.Bucket, minio.ListObjectsOptions{Prefix: a.Key, MaxKeys: 1})
		if said := minio.ToErrorResponse(first.Err); ok && said.Code != "" && said.Code != "AccessDenied" {
			err = first.Err
		}
		cancel()
	}
	return info, s.explain("looking for", a, err)
}

// list lists all objects below the folder a, in the order of their keys.
func (s *Store) list(ctx context.Context, a Address) ([]object, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the listing where it is left early
	var out []object
	for info := range s.core.Client.ListObjects(ctx, a.Bucket, minio.ListObjectsOptions{Prefix: a.prefix(), Recursive: true}) {
		if info.Err != nil {
			return nil, s.explain("listing", a, info.Err)
		}
		if strings.HasSuffix(info.Key, "/") {
			continue // what some tools make for an empty folder
		}
		rel := strings.TrimPrefix(info.Key, a.prefix())
		if !filepath.IsLocal(filepath.FromSlash(rel)) || strings.ContainsAny(rel, "\\\x00") || strings.Contains(rel, "//") {
			return nil, &Error{Doing: "listing", Address: a, Cause: fmt.Sprintf("the key %q cannot be the name of a file here: leave it out of the folder", info.Key)}
		}
		out = append(out, object{Rel: rel, Key: info.Key, ETag: strings.Trim(info.ETag, `"`), Size: info.Size})
	}
	return out, ctx.Err()
}

// brought is what a transfer came to.
type brought struct {
	files      int
	bytes      int64
	unverified int
}

func (b *brought) doubt() string {
	switch {
	case b.unverified == 0:
		return ", verified"
	case b.unverified == b.files:
		return "; not verified: the server knows no digest of it"
	}
	return fmt.Sprintf("; %d not verified: the server knows no digest of them", b.unverified)
}

// bring makes the objects files below root, those left out that are there; place is the folder whose lease it takes.
func (s *Store) bring(ctx context.Context, a Address, objects []object, root, place string) (brought, error) {
	var got brought
	var mu sync.Mutex
	m := &meter{s: s, what: "fetching " + a.Base()}
	missing := func() (out []object) {
		for _, o := range objects {
			info, err := os.Stat(filepath.Join(root, filepath.FromSlash(o.Rel)))
			if err != nil || !info.Mode().IsRegular() || info.Size() != o.Size {
				out = append(out, o)
			}
		}
		return out
	}
	if len(missing()) == 0 {
		return got, os.MkdirAll(root, 0o755) // a folder of which nothing was wanted
	}
	held, err := s.hold(ctx, place, a)
	if err != nil {
		return got, err
	}
	defer held.Release()
	rest := missing()
	for _, o := range rest {
		m.total.Add(o.Size)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(2 * streams)
	for _, o := range rest {
		group.Go(func() error {
			path := filepath.Join(root, filepath.FromSlash(o.Rel))
			verified, err := s.download(ctx, Address{a.Bucket, o.Key}, o, path, m)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			got.files++
			got.bytes += o.Size
			if !verified {
				got.unverified++
			}
			return nil
		})
	}
	return got, group.Wait()
}

// progress of a download that was stopped lies beside it.
type begun struct {
	ETag string `json:"etag"`
	Size int64  `json:"size"`
	Part int64  `json:"part"`
	Done []bool `json:"done"` // by part
}

// download makes one object a file. What comes goes to a file beside it, in parts, and gets its name
// only once its digest is that which the server knows.
func (s *Store) download(ctx context.Context, a Address, o object, path string, m *meter) (verified bool, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return false, err
	}
	part, err := os.OpenFile(path+".part", os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return false, err
	}
	defer part.Close()
	info, err := s.stat(ctx, a)
	if err != nil {
		return false, err
	}
	if info.Size != o.Size || o.ETag != "" && info.ETag != o.ETag {
		return false, &Error{Doing: "fetching", Address: a, Kind: Changed, Cause: "it was changed after it was listed: run the same command again"}
	}
	if err := s.parts(ctx, a, info, part, m); err != nil {
		return false, s.explain("fetching", a, err)
	}
	want := digestOf(info)
	if want.sum != "" {
		have, err := want.of(ctx, part.Name())
		if err != nil {
			return false, err
		}
		if have != want.sum {
			err := &Error{Doing: "fetching", Address: a, Kind: Damaged, Cause: fmt.Sprintf(
				"its %s is %s and should be %s: it was damaged on the way, or in the bucket; run the same command again, and if that says the same, store it again", want.name, have, want.sum)}
			return false, errors.Join(err, forget(part.Name()))
		}
	}
	if err := part.Sync(); err != nil {
		return false, err
	}
	if err := atomicfile.Rename(part.Name(), path); err != nil {
		return false, err
	}
	_ = os.Remove(statePath(part.Name()))
	return want.sum != "", nil
}

func statePath(part string) string { return part + ".json" }

// forget removes what has come of a download.
func forget(part string) error {
	if err := os.Remove(statePath(part)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Remove(part)
}

// hold waits until no other process fetches to the same place, here or on another machine that shares the cache.
func (s *Store) hold(ctx context.Context, dir string, a Address) (*lease.Lease, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	for told := false; ; told = true {
		held, err := lease.Take(ctx, filepath.Join(dir, ".lease"), nil)
		if err == nil || !errors.Is(err, lease.ErrHeld) {
			return held, err
		}
		if !told {
			s.log("%s is being fetched by another process (%v); waiting for it", a, err)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// parts fetches those parts of an object that are not in the file yet.
func (s *Store) parts(ctx context.Context, a Address, info minio.ObjectInfo, to *os.File, m *meter) error {
	state := begun{ETag: info.ETag, Size: info.Size, Part: s.Part, Done: make([]bool, (info.Size+s.Part-1)/s.Part)}
	var before begun
	if b, err := os.ReadFile(statePath(to.Name())); err == nil && json.Unmarshal(b, &before) == nil &&
		before.ETag == state.ETag && before.ETag != "" && before.Size == state.Size && before.Part == state.Part && len(before.Done) == len(state.Done) {
		state = before
	}
	if err := to.Truncate(info.Size); err != nil {
		return err
	}
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	for i := range state.Done {
		from, end := int64(i)*s.Part, min(info.Size, (int64(i)+1)*s.Part)
		if state.Done[i] {
			m.add(end - from)
			continue
		}
		release, err := s.slot(ctx)
		if err != nil {
			break // the group's error says more
		}
		group.Go(func() error {
			defer release()
			if err := s.piece(ctx, a, info, to, from, end, m); err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			state.Done[i] = true
			if len(state.Done) == 1 {
				return nil
			}
			b, err := json.Marshal(state)
			if err != nil {
				return err
			}
			return atomicfile.Write(statePath(to.Name()), b)
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if slices.Contains(state.Done, false) {
		return context.Canceled
	}
	return nil
}

// piece fetches the bytes from up to end, and resumes where a connection breaks.
func (s *Store) piece(ctx context.Context, a Address, info minio.ObjectInfo, to *os.File, from, end int64, m *meter) error {
	var last error
	fruitless := 0
	for breaks := 0; from < end; breaks++ {
		if fruitless >= tries || breaks > 20 {
			return fmt.Errorf("%w: %w", errBroken, last)
		}
		if breaks > 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Duration(100<<fruitless) * time.Millisecond):
			}
		}
		var o minio.GetObjectOptions
		if end-from < info.Size {
			if err := o.SetRange(from, end-1); err != nil {
				return err
			}
		}
		if info.ETag != "" {
			if err := o.SetMatchETag(info.ETag); err != nil {
				return err
			}
		}
		body, _, header, err := s.core.GetObject(ctx, a.Bucket, a.Key, o)
		if err != nil {
			return err // what may be tried again was, by the client
		}
		if tag := strings.Trim(header.Get("ETag"), `"`); tag != info.ETag {
			body.Close()
			return minio.ErrorResponse{Code: "PreconditionFailed", StatusCode: 412}
		}
		if length := header.Get("Content-Length"); length != "" && length != fmt.Sprint(end-from) {
			body.Close()
			return fmt.Errorf("the server sends %s bytes where %d were asked for", length, end-from)
		}
		n, err := io.Copy(io.NewOffsetWriter(to, from), &watched{ctx, io.LimitReader(body, end-from), m.add})
		body.Close()
		from += n
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var disk *os.PathError
		if errors.As(err, &disk) {
			return err
		}
		if err == nil && from < end {
			err = io.ErrUnexpectedEOF
		}
		if err == nil {
			continue
		}
		if last = err; n > 0 {
			fruitless = 0
		} else {
			fruitless++
		}
	}
	return nil
}

// files says how many files of how many bytes.
func files(n int, bytes int64) string {
	size := fmt.Sprintf("%.1f kB", float64(bytes)/1e3)
	switch {
	case bytes >= 1e9:
		size = fmt.Sprintf("%.1f GB", float64(bytes)/1e9)
	case bytes >= 1e6:
		size = fmt.Sprintf("%.1f MB", float64(bytes)/1e6)
	}
	if n == 1 {
		return size
	}
	return fmt.Sprintf("%d files, %s", n, size)
}
