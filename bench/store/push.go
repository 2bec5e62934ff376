package store

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // what S3 checks uploads by
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"
	"golang.org/x/sync/errgroup"

	"annbench/internal/atomicfile"
)

// maxParts is how many parts S3 takes of one object.
const maxParts = 10000

// Push stores the file or the folder at path at a: a file as the object a, a folder as objects below a.
// Files whose name, or whose folder's name, begins with a dot are left out, and so is what the bucket
// has already with the same SHA-256. Those that last (may be nil) reports by their path in the folder
// are stored when all others are there. Nothing is removed from the bucket.
func (s *Store) Push(ctx context.Context, path string, a Address, last func(rel string) bool) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		if a.Key == "" {
			return &Error{Doing: "storing", Address: a, Cause: errNoKey.Error()}
		}
		began := time.Now()
		m := &meter{s: s, what: "storing " + a.Base()}
		m.total.Store(info.Size())
		stored, _, err := s.upload(ctx, path, a, m, condition{})
		if err == nil && stored {
			s.log("stored %s: %s in %v", a, files(1, info.Size()), time.Since(began).Round(100*time.Millisecond))
		}
		return err
	}
	return s.Mirror(path, a, nil).Push(ctx, last)
}

// Writable tells whether something may be stored below a, before hours are spent on it.
func (s *Store) Writable(ctx context.Context, a Address) error {
	key := a.Join(".annbench").Key
	id, err := s.core.NewMultipartUpload(ctx, a.Bucket, key, minio.PutObjectOptions{})
	if err != nil {
		return s.explain("storing", a, err)
	}
	_ = s.core.AbortMultipartUpload(ctx, a.Bucket, key, id) // some may store, and not take back
	return nil
}

// condition says what must be in the bucket for an upload to replace it.
type condition struct {
	set  bool
	etag string // empty: nothing
}

// upload stores one file, unless it is there. It returns whether it stored it, and the ETag there.
func (s *Store) upload(ctx context.Context, path string, a Address, m *meter, only condition) (stored bool, etag string, err error) {
	before, err := os.Stat(path)
	if err != nil {
		return false, "", err
	}
	raw, err := sumFile(ctx, path, sha256.New())
	if err != nil {
		return false, "", err
	}
	sum := hex.EncodeToString(raw)
	info, err := s.stat(ctx, a)
	switch {
	case err == nil && info.Size == before.Size() && info.UserMetadata[metaSHA256] == sum:
		m.add(before.Size())
		return false, info.ETag, nil
	case err != nil && (!IsNotFound(err) || minio.ToErrorResponse(errors.Unwrap(err)).Code == "NoSuchBucket"):
		var e *Error
		// Who may store need not be allowed to look.
		if !errors.As(err, &e) || e.Kind != Denied {
			return false, "", err
		}
	}
	f, err := os.Open(path)
	if err != nil {
		return false, "", err
	}
	defer f.Close()
	// Subtle: the digest of the whole is sent with a request; DisableContentSha256 turns off another one, of pieces.
	o := minio.PutObjectOptions{UserMetadata: map[string]string{metaSHA256: sum}, ContentType: contentType(path), DisableContentSha256: true}
	if only.set && only.etag != "" {
		o.SetMatchETag(only.etag)
	} else if only.set {
		o.SetMatchETagExcept("*")
	}
	size := before.Size()
	if size <= s.Part || only.set {
		etag, err = s.put(ctx, f, size, a, o, m)
	} else {
		etag, err = s.multipart(ctx, f, size, sum, a, o, m)
	}
	if err != nil {
		return false, "", s.explain("storing", a, err)
	}
	if after, err := os.Stat(path); err != nil || after.Size() != size || !after.ModTime().Equal(before.ModTime()) {
		return false, "", errors.Join(fmt.Errorf("%s was changed while it was stored at %s: run the same command again", path, a), err)
	}
	info, err = s.stat(ctx, a)
	if err != nil {
		var e *Error
		if errors.As(err, &e) && e.Kind == Denied {
			return true, etag, nil // as above; the server has compared every part with its digest
		}
		return false, "", err
	}
	if got := info.UserMetadata[metaSHA256]; info.Size != size || got != "" && got != sum {
		return false, "", &Error{Doing: "storing", Address: a, Kind: Changed, Cause: "the bucket has another object there than the one that was stored: somebody else stores there at the same time"}
	}
	return true, info.ETag, nil
}

func contentType(path string) string {
	switch ext := strings.ToLower(filepath.Ext(path)); ext {
	case ".jsonl":
		return "application/x-ndjson"
	default:
		if t := mime.TypeByExtension(ext); t != "" {
			return t
		}
		return "application/octet-stream"
	}
}

// put stores a file in one request. It is read anew for each try.
func (s *Store) put(ctx context.Context, f *os.File, size int64, a Address, o minio.PutObjectOptions, m *meter) (string, error) {
	release, err := s.slot(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	section, md, sha, err := sums(ctx, f, 0, size)
	if err != nil {
		return "", err
	}
	res, err := s.core.PutObject(ctx, a.Bucket, a.Key, section, size, md.base64(), sha, o)
	if err == nil {
		m.add(size)
	}
	return strings.Trim(res.ETag, `"`), err
}

type md5sum []byte

func (m md5sum) base64() string { return base64.StdEncoding.EncodeToString(m) }
func (m md5sum) hex() string    { return hex.EncodeToString(m) }

// sums gives a part of a file to be sent, with the digests by which the server checks what it gets.
func sums(ctx context.Context, f *os.File, from, size int64) (section io.ReadSeeker, md md5sum, sha string, err error) {
	// Held in memory, a part is the same for the digest and for every try.
	b := make([]byte, size)
	if _, err := io.ReadFull(&watched{ctx, io.NewSectionReader(f, from, size), func(int64) {}}, b); err != nil {
		return nil, nil, "", err
	}
	m, h := md5.Sum(b), sha256.Sum256(b)
	return bytes.NewReader(b), m[:], hex.EncodeToString(h[:]), nil
}

// uploading is a multipart upload that has begun, as it is kept here so that it can be resumed.
type uploading struct {
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
	Part   int64  `json:"part"`
	ID     string `json:"id"`
}

// multipart stores a file in parts. Those that an earlier upload of the same content got there are not
// sent again, once their digest is found to be that of the file.
func (s *Store) multipart(ctx context.Context, f *os.File, size int64, sum string, a Address, o minio.PutObjectOptions, m *meter) (string, error) {
	path := filepath.Join(s.Cache, "uploads", s.id(a)+".json")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	const mib = 1 << 20
	u := uploading{SHA256: sum, Size: size, Part: max(s.Part, (size/maxParts/mib+1)*mib)}
	if size <= maxParts*s.Part {
		u.Part = s.Part
	}
	there := map[int]minio.ObjectPart{}
	var old uploading
	if b, err := os.ReadFile(path); err == nil && json.Unmarshal(b, &old) == nil && old.ID != "" {
		id := old.ID
		if old.ID = ""; old == u {
			parts, err := s.listParts(ctx, a, id)
			switch {
			case err == nil:
				u.ID, there = id, parts
			case minio.ToErrorResponse(err).Code != "NoSuchUpload" && minio.ToErrorResponse(err).StatusCode != 404:
				return "", err
			}
		} else {
			_ = s.core.AbortMultipartUpload(ctx, a.Bucket, a.Key, id) // of another content: nobody goes on with it
		}
	}
	if u.ID == "" {
		var err error
		if u.ID, err = s.core.NewMultipartUpload(ctx, a.Bucket, a.Key, o); err != nil {
			return "", err
		}
		b, err := json.Marshal(u)
		if err == nil {
			err = atomicfile.Write(path, b)
		}
		if err != nil {
			return "", err
		}
	} else {
		s.log("going on with %s: %d of %d parts are there", a, len(there), (size+u.Part-1)/u.Part)
	}
	n := int((size + u.Part - 1) / u.Part)
	done := make([]minio.CompletePart, n)
	group, partCtx := errgroup.WithContext(ctx)
	for i := range n {
		release, err := s.slot(partCtx)
		if err != nil {
			break // the group's error says more
		}
		group.Go(func() error {
			defer release()
			from := int64(i) * u.Part
			length := min(u.Part, size-from)
			section, md, sha, err := sums(partCtx, f, from, length)
			if err != nil {
				return err
			}
			if p, ok := there[i+1]; ok && p.Size == length && strings.Trim(p.ETag, `"`) == md.hex() {
				done[i] = minio.CompletePart{PartNumber: i + 1, ETag: p.ETag}
				m.add(length)
				return nil
			}
			p, err := s.core.PutObjectPart(partCtx, a.Bucket, a.Key, u.ID, i+1, section, length, minio.PutObjectPartOptions{
				Md5Base64: md.base64(), Sha256Hex: sha, DisableContentSha256: true, // as in upload
			})
			if err != nil {
				return err
			}
			done[i] = minio.CompletePart{PartNumber: i + 1, ETag: p.ETag}
			m.add(length)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return "", err
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	res, err := s.core.CompleteMultipartUpload(ctx, a.Bucket, a.Key, u.ID, done, minio.PutObjectOptions{})
	if err != nil {
		return "", err
	}
	return strings.Trim(res.ETag, `"`), os.Remove(path)
}

func (s *Store) listParts(ctx context.Context, a Address, id string) (map[int]minio.ObjectPart, error) {
	parts := map[int]minio.ObjectPart{}
	for marker := 0; ; {
		res, err := s.core.ListObjectParts(ctx, a.Bucket, a.Key, id, marker, 1000)
		if err != nil {
			return nil, err
		}
		for _, p := range res.ObjectParts {
			parts[p.PartNumber] = p
		}
		if !res.IsTruncated || res.NextPartNumberMarker <= marker {
			return parts, nil
		}
		marker = res.NextPartNumberMarker
	}
}

// Mirror is a folder here and one in a bucket that are kept alike while a program works on the one here.
// It is for one goroutine at a time.
type Mirror struct {
	store  *Store
	dir    string
	at     Address
	joined *Joined
	there  map[string]stamp // what the bucket has of the files here, by their path in the folder
	blind  bool             // the server does not know conditions
}

// Joined are files that are the sum of what several machines put into them, such as a list that is only
// ever added to.
type Joined struct {
	// Is reports which files are, by their path in the folder.
	Is func(rel string) bool
	// Join adds to the file ours (which need not be there) what only theirs has. It must not replace the file,
	// since somebody may have it open.
	Join func(ours, theirs string) error
}

// stamp is what a file was like when it was last the same as in the bucket.
type stamp struct {
	size int64
	time time.Time
	etag string
}

// Mirror makes a Mirror of the folder dir and of a. joined may be nil.
func (s *Store) Mirror(dir string, a Address, joined *Joined) *Mirror {
	return &Mirror{store: s, dir: dir, at: a, joined: joined, there: map[string]stamp{}}
}

func (m *Mirror) isJoined(rel string) bool { return m.joined != nil && m.joined.Is(rel) }

// Pull brings to the folder here what the bucket has of it and keep (if not nil) wants. Files here that
// differ are replaced, joined ones are joined, and what only this machine has stays. It returns how
// many files came; a folder that the bucket does not have is none.
func (m *Mirror) Pull(ctx context.Context, keep func(rel string) bool) (int, error) {
	objects, err := m.store.list(ctx, m.at)
	if err != nil {
		return 0, err
	}
	count := 0
	for _, o := range objects {
		if hidden(o.Rel) || keep != nil && !keep(o.Rel) {
			continue
		}
		path := filepath.Join(m.dir, filepath.FromSlash(o.Rel))
		same, err := sameMD5(ctx, path, o)
		if err != nil {
			return count, err
		}
		if same {
			m.remember(o.Rel, o.ETag)
			continue
		}
		if m.isJoined(o.Rel) {
			err = m.join(ctx, o, path)
		} else {
			err = m.replace(ctx, o, path)
		}
		if err != nil {
			return count, err
		}
		count++
	}
	return count, nil
}

func hidden(rel string) bool {
	return strings.HasPrefix(rel, ".") || strings.Contains(rel, "/.") || strings.HasSuffix(rel, ".part") || strings.HasSuffix(rel, ".part.json")
}

func sameMD5(ctx context.Context, path string, o object) (bool, error) {
	info, err := os.Stat(path)
	if err != nil || info.Size() != o.Size || !plainMD5.MatchString(o.ETag) {
		return false, nil
	}
	b, err := sumFile(ctx, path, md5.New())
	return hex.EncodeToString(b) == o.ETag, err
}

func (m *Mirror) remember(rel, etag string) {
	if info, err := os.Stat(filepath.Join(m.dir, filepath.FromSlash(rel))); err == nil {
		m.there[rel] = stamp{info.Size(), info.ModTime(), etag}
	}
}

// fetchTo brings an object to a path of its own beside the folder.
func (m *Mirror) fetchTo(ctx context.Context, o object) (string, error) {
	path := filepath.Join(m.store.Cache, "copies", m.store.id(Address{m.at.Bucket, o.Key}), short(fmt.Sprintf("%q %d", o.ETag, o.Size)), filepath.Base(o.Rel))
	if info, err := os.Stat(path); err == nil && info.Size() == o.Size {
		return path, nil
	}
	w := &meter{s: m.store, what: "fetching " + filepath.Base(o.Rel)}
	w.total.Store(o.Size)
	_, err := m.store.download(ctx, Address{m.at.Bucket, o.Key}, o, path, w)
	return path, err
}

func (m *Mirror) replace(ctx context.Context, o object, path string) error {
	got, err := m.fetchTo(ctx, o)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := atomicfile.Rename(got, path); err != nil {
		return err
	}
	_ = os.Remove(filepath.Dir(got)) // empty now, or nobody minds
	m.remember(o.Rel, o.ETag)
	return nil
}

func (m *Mirror) join(ctx context.Context, o object, path string) error {
	theirs, err := m.fetchTo(ctx, o)
	if err != nil {
		return err
	}
	defer os.RemoveAll(filepath.Dir(theirs))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := m.joined.Join(path, theirs); err != nil {
		return err
	}
	// What is here may be more than what is there, so that it counts as different; but it holds all of that.
	m.there[o.Rel] = stamp{-1, time.Time{}, o.ETag}
	return nil
}

// Push stores what has changed here since the last Pull or Push, as [Store.Push] does; joined files
// and those that last (may be nil) reports come last. Where another machine stored a joined file in
// between, what it added is joined first, so that nothing of either is lost.
func (m *Mirror) Push(ctx context.Context, last func(rel string) bool) error {
	began := time.Now()
	var first, then []string
	w := &meter{s: m.store, what: "storing " + m.at.Base()}
	err := filepath.WalkDir(m.dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path != m.dir {
			return nil // a temporary file that is gone
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(m.dir, path)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if rel != "." && hidden(rel) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return nil // as above
		}
		if was, ok := m.there[rel]; ok && was.size == info.Size() && was.time.Equal(info.ModTime()) {
			return nil
		}
		w.total.Add(info.Size())
		if m.isJoined(rel) || last != nil && last(rel) {
			then = append(then, rel)
		} else {
			first = append(first, rel)
		}
		return nil
	})
	if err != nil {
		return err
	}
	stored, size, err := m.store1(ctx, first, w)
	if err != nil {
		return err
	}
	n, more, err := m.store1(ctx, then, w)
	if stored+n > 0 && err == nil {
		m.store.log("stored %s: %s in %v", m.at, files(stored+n, size+more), time.Since(began).Round(100*time.Millisecond))
	}
	return err
}

// PushJoined stores the joined files alone.
func (m *Mirror) PushJoined(ctx context.Context) error {
	var rels []string
	w := &meter{s: m.store, what: "storing " + m.at.Base()}
	err := filepath.WalkDir(m.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil
		}
		rel, err := filepath.Rel(m.dir, path)
		if rel = filepath.ToSlash(rel); err == nil && !hidden(rel) && m.isJoined(rel) {
			rels = append(rels, rel)
		}
		return err
	})
	if err != nil {
		return err
	}
	_, _, err = m.store1(ctx, rels, w)
	return err
}

// store1 stores some files, several at once.
func (m *Mirror) store1(ctx context.Context, rels []string, w *meter) (stored int, size int64, err error) {
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(2 * streams)
	for _, rel := range rels {
		group.Go(func() error {
			path := filepath.Join(m.dir, filepath.FromSlash(rel))
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			var did bool
			var etag string
			if m.isJoined(rel) {
				mu.Lock() // there are few, and joining writes down what is there
				did, etag, err = m.storeJoined(ctx, rel, path, w)
				mu.Unlock()
				if err == nil {
					info, err = os.Stat(path)
				}
			} else {
				did, etag, err = m.store.upload(ctx, path, m.at.Join(rel), w, condition{})
			}
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			m.there[rel] = stamp{info.Size(), info.ModTime(), etag}
			if did {
				stored++
				size += info.Size()
			}
			return nil
		})
	}
	return stored, size, group.Wait()
}

// storeJoined stores a joined file over what the bucket has if that is what was joined last, and
// otherwise joins first.
func (m *Mirror) storeJoined(ctx context.Context, rel, path string, w *meter) (bool, string, error) {
	at := m.at.Join(rel)
	for try := 0; ; try++ {
		info, err := m.store.stat(ctx, at)
		if err != nil && !IsNotFound(err) {
			return false, "", err
		}
		only := condition{set: !m.blind, etag: info.ETag} // empty where there is none
		if err == nil && info.ETag != m.there[rel].etag {
			if err := m.join(ctx, object{Rel: rel, Key: at.Key, ETag: info.ETag, Size: info.Size}, path); err != nil {
				return false, "", err
			}
		}
		did, etag, err := m.store.upload(ctx, path, at, w, only)
		var e *Error
		switch {
		case err == nil:
			return did, etag, nil
		case errors.As(err, &e) && e.Kind == Changed && try < 5:
			continue // another machine was faster: join what it stored
		case !m.blind && unconditional(err):
			m.blind = true
			continue
		}
		return false, "", err
	}
}

// unconditional reports whether the server does not know conditions, or takes none for what is to be
// stored.
func unconditional(err error) bool {
	var res minio.ErrorResponse
	return errors.As(err, &res) && (res.Code == "NotImplemented" || res.StatusCode == 501)
}
