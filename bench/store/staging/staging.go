// Package staging is the object storage of one command: what its arguments name by an address
// s3://bucket/key is fetched before it begins, local paths stand in for the addresses while it works, and
// what it has made is stored at its end, or, for results, while it measures. Bytes come and go by package
// store.
package staging

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/goccy/go-yaml"

	"annbench/bench/lease"
	"annbench/bench/record"
	"annbench/bench/store"
	"annbench/bench/sweepfile"
	"annbench/internal/usage"
)

// What becomes of an address s3://bucket/key is said by the kind of the argument.
const (
	// In is fetched before the command runs.
	In = "in"
	// Card is the card of a model; the model beside it is fetched as well.
	Card = "card"
	// Results are results that are read: all but what no report shows.
	Results = "results"
	// Whole are results with their indexes and answers.
	Whole = "whole"
	// Out is written here, and stored when the command has done its work.
	Out = "out"
	// Made is a folder of vectors: as Out, and what is made stays here until it is stored, so that a
	// command that was stopped is resumed.
	Made = "made"
	// Work is a results folder that is resumed: what is in the bucket is fetched first, and what
	// is measured is stored while the command runs.
	Work = "work"
	// Own is left to the command.
	Own = "own"
	// No and why begin the tag of what has to be on this machine.
	No = "no: "
)

// unshown are the folders in a results folder that no report reads.
var unshown = []string{record.IndexesDir, record.AnswersDir, "report", "growth", "shards"}

func shown(rel string) bool {
	first, _, _ := strings.Cut(rel, "/")
	return !slices.Contains(unshown, first)
}

// Config of a [Stage].
type Config struct {
	// Args are those of the command: vectors that are made by the same command are resumed.
	Args []string
	// Cache is the folder of copies. It must be given.
	Cache func() (string, error)
	// Err takes errors of storing that come beside one of the command.
	Err io.Writer
	// Say prints a line of progress, SayPlain one in which the paths of copies stand as they are.
	Say, SayPlain func(line string)
	// Progress is how far something is, as in package pipeline; a total of 0 ends it.
	Progress func(what string, done, total int, left time.Duration)
	// Told reports whether an error is about results that are there, and has been printed already.
	Told func(error) bool
}

// Stage is the object storage of one command.
type Stage struct {
	Config
	store *store.Store
	outs  []output
	work  *work

	mu    sync.Mutex
	names []string // local path, address, local path, address, ...
	began map[string]time.Time
}

// output is what a command writes here to be stored: all that is in the folder dir then goes to that of at.
type output struct {
	dir  string
	at   store.Address
	held *lease.Lease // nil where the folder is of this process alone, and goes with it
}

func (o *output) local() string { return filepath.Join(o.dir, o.at.Base()) }

// errStoredBefore ends a command whose work an earlier call had done, but for storing it.
var errStoredBefore = errors.New("done before")

// collectionMeta is the file that makes a folder of vectors whole.
const collectionMeta = "meta.json"

func isLast(rel string) bool { return rel == collectionMeta }

// work is a results folder that is kept alike here and there.
type work struct {
	local  string
	at     store.Address
	mirror *store.Mirror
	held   *lease.Lease
	last   time.Time // of the last time that all was stored
}

// storeEvery is how often records are stored while a sweep goes on, at most.
const storeEvery = 30 * time.Second

// open makes the client, once.
func (st *Stage) open() (*store.Store, error) {
	if st.store != nil {
		return st.store, nil
	}
	cache, err := st.Cache()
	if err != nil {
		return nil, err
	}
	st.began = map[string]time.Time{}
	st.store, err = store.Open(store.Options{
		Cache: filepath.Join(cache, "s3"), Progress: st.progress,
		Log: func(format string, args ...any) { st.say(format, args...) },
	})
	if err != nil {
		return nil, usage.Error{Err: err}
	}
	return st.store, nil
}

func (st *Stage) progress(what string, done, total int64) {
	st.mu.Lock()
	began, ok := st.began[what]
	if !ok {
		began = time.Now()
		st.began[what] = began
	}
	st.mu.Unlock()
	const kilo = 1000
	left := time.Duration(0)
	if done >= kilo {
		left = time.Duration(float64(time.Since(began)) * float64(total-done) / float64(done))
	}
	st.Progress(what+", kB", int(done/kilo), int(total/kilo), left)
}

// Writer is w with addresses in the place of the paths of their copies.
func (st *Stage) Writer(w io.Writer) *Renaming { return &Renaming{w, st} }

func (st *Stage) say(format string, args ...any) { st.Say(fmt.Sprintf(format, args...)) }

// clear ends what progress is about.
func (st *Stage) clear() { st.Progress("", 0, 0, 0) }

// call has all that is printed call the local path by its address.
func (st *Stage) call(local string, at store.Address) string {
	st.mu.Lock()
	defer st.mu.Unlock()
	if !slices.Contains(st.names, local) {
		st.names = append(st.names, local, at.String())
	}
	return local
}

// rename puts addresses in the place of the paths of their copies.
func (st *Stage) rename(text string) string {
	st.mu.Lock()
	defer st.mu.Unlock()
	for i := 0; i+1 < len(st.names); i += 2 {
		text = strings.ReplaceAll(text, st.names[i], st.names[i+1])
	}
	return text
}

// Renaming is a writer that puts addresses in the place of the paths of their copies.
type Renaming struct {
	w  io.Writer
	st *Stage
}

// Unwrap is the writer below.
func (r *Renaming) Unwrap() io.Writer { return r.w }

func (r *Renaming) Write(b []byte) (int, error) {
	if !bytes.Contains(b, []byte("/")) {
		return r.w.Write(b)
	}
	if _, err := io.WriteString(r.w, r.st.rename(string(b))); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Here is the local path of what is at path: path itself, unless that is an address. keep is as in
// [store.Store.Fetch].
func (st *Stage) Here(ctx context.Context, path string, keep func(rel string) bool) (string, error) {
	if !store.Is(path) {
		return path, nil
	}
	at, err := store.Parse(path)
	if err != nil {
		return "", usage.Error{Err: err}
	}
	s, err := st.open()
	if err != nil {
		return "", err
	}
	local, err := s.Fetch(ctx, at, keep)
	st.clear()
	if store.IsNotFound(err) {
		err = usage.Error{Err: err}
	}
	if err != nil {
		return "", err
	}
	return st.call(local, at), nil
}

// Card is Here for the card of a model, or for the model itself, which are beside each other.
func (st *Stage) Card(ctx context.Context, name string) (string, error) {
	if !store.Is(name) {
		return name, nil
	}
	at, err := store.Parse(name)
	if err != nil {
		return "", usage.Error{Err: err}
	}
	var wanted []string // names of the card, or of the model with its weights after a dot or a dash
	if ext := path.Ext(name); strings.EqualFold(ext, ".onnx") {
		stem := strings.TrimSuffix(at.Base(), ext)
		wanted = []string{at.Base(), stem + ".json", stem + ".yaml", stem + ".yml"}
	} else {
		local, err := st.Here(ctx, name, nil)
		if err != nil {
			return "", err
		}
		text, err := os.ReadFile(local)
		if err != nil {
			return "", err
		}
		var card struct {
			File string `yaml:"file"`
		}
		if err := yaml.Unmarshal(text, &card); err != nil || card.File == "" {
			return local, nil // whoever opens it says what is wrong
		}
		if path.Base(card.File) != card.File {
			return "", usage.Error{Err: fmt.Errorf("%s: its file %q is in another folder: in object storage, the model has to lie beside its card", name, card.File)}
		}
		wanted = []string{at.Base(), card.File}
	}
	dir, err := st.Here(ctx, at.Dir().String(), func(rel string) bool {
		return slices.ContainsFunc(wanted, func(w string) bool {
			return rel == w || strings.HasSuffix(w, ".onnx") && (strings.HasPrefix(rel, w+".") || strings.HasPrefix(rel, w+"_"))
		})
	})
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, at.Base()), nil
}

// Data is a copy of d in which all is on this machine.
func (st *Stage) Data(ctx context.Context, d *sweepfile.Data) (*sweepfile.Data, error) {
	out := *d
	if d.Boards != nil {
		b := *d.Boards
		out.Boards = &b
	}
	fields := []*string{&out.Vectors, &out.Labels, &out.Queries, &out.QueryLabels, &out.Neighbors, &out.Images}
	out.Attributes = slices.Clone(d.Attributes)
	for i := range out.Attributes {
		fields = append(fields, &out.Attributes[i])
	}
	if out.Boards != nil {
		fields = append(fields, &out.Boards.TSV, &out.Boards.Images)
	}
	var err error
	for _, f := range fields {
		if *f, err = st.Here(ctx, *f, nil); err != nil {
			return nil, err
		}
	}
	out.Model, err = st.Card(ctx, out.Model)
	return &out, err
}

// Fetch readies what is at address for an argument of that kind, which people call name, and returns the local
// path that stands for it.
func (st *Stage) Fetch(ctx context.Context, tag, name, value string) (string, error) {
	if why, no := strings.CutPrefix(tag, No); no {
		return "", usage.Error{Err: fmt.Errorf("s3:// cannot be used for %s: %s", name, why)}
	}
	switch tag {
	case Own:
		return value, nil
	case In:
		return st.Here(ctx, value, nil)
	case Card:
		return st.Card(ctx, value)
	case Results:
		return st.Here(ctx, value, shown)
	case Whole:
		return st.Here(ctx, value, func(rel string) bool {
			return shown(rel) || strings.HasPrefix(rel, record.IndexesDir+"/") || strings.HasPrefix(rel, record.AnswersDir+"/")
		})
	case Out:
		return st.toWrite(ctx, value)
	case Made:
		return st.toMake(ctx, value)
	case Work:
		return st.toWork(ctx, value)
	}
	return "", fmt.Errorf("%s: no meaning of s3 %q", name, tag) // a mistake of ours
}

// toWrite gives a local path for what is to be stored.
func (st *Stage) toWrite(ctx context.Context, value string) (string, error) {
	at, s, err := st.writable(ctx, value)
	if err != nil {
		return "", err
	}
	parent := filepath.Join(s.Cache, "out")
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(parent, "")
	if err != nil {
		return "", err
	}
	out := output{dir: dir, at: at}
	st.outs = append(st.outs, out)
	st.call(dir, at.Dir())
	return out.local(), nil
}

// toMake gives a local path for vectors that are made and stored at value.
func (st *Stage) toMake(ctx context.Context, value string) (string, error) {
	at, s, err := st.writable(ctx, value)
	if err != nil {
		return "", err
	}
	if there, err := s.Exists(ctx, at.Join(collectionMeta)); err != nil {
		return "", err
	} else if there {
		return "", usage.Error{Err: fmt.Errorf("%s is there already: name another address, or remove it from the bucket", at)}
	}
	// Other flags make other vectors.
	sum := sha256.Sum256([]byte(strings.Join(st.Args, "\x00")))
	dir := filepath.Join(s.Cache, "made", hex.EncodeToString(sum[:8]))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	held, err := lease.Take(ctx, filepath.Join(dir, ".lease"), nil)
	if err != nil {
		if errors.Is(err, lease.ErrHeld) {
			err = fmt.Errorf("another process is making %s (%w): wait for it", at, err)
		}
		return "", err
	}
	out := output{dir: dir, at: at, held: held}
	st.outs = append(st.outs, out)
	st.call(dir, at.Dir())
	whole, _ := filepath.Glob(filepath.Join(dir, "*", collectionMeta))
	if len(whole) > 0 {
		info, err := os.Stat(whole[0])
		if err != nil {
			return "", err
		}
		st.say("made on %s by the same command, and not stored: it is now", info.ModTime().Format(time.DateTime))
		return "", errStoredBefore
	}
	return out.local(), nil
}

// writable tells before the work what would otherwise be found out after it.
func (st *Stage) writable(ctx context.Context, value string) (store.Address, *store.Store, error) {
	at, err := store.Parse(value)
	if err == nil && at.Key == "" {
		err = fmt.Errorf("%s names a bucket, and a place in it is needed: write s3://bucket/key", value)
	}
	if err != nil {
		return at, nil, usage.Error{Err: err}
	}
	s, err := st.open()
	if err != nil {
		return at, nil, err
	}
	err = s.Writable(ctx, at)
	if store.IsNotFound(err) {
		err = usage.Error{Err: err}
	}
	return at, s, err
}

// toWork gives the local copy of a results folder that is resumed.
func (st *Stage) toWork(ctx context.Context, value string) (string, error) {
	at, s, err := st.writable(ctx, value)
	if err != nil {
		return "", err
	}
	local, err := s.Work(at)
	if err != nil {
		return "", err
	}
	w := &work{local: local, at: at, last: time.Now()}
	if w.held, err = lease.Take(ctx, filepath.Join(filepath.Dir(local), ".lease"), nil); err != nil {
		if errors.Is(err, lease.ErrHeld) {
			return "", fmt.Errorf("another run on this machine is writing to %s (%w): wait for it, or name another address with --out", at, err)
		}
		return "", err
	}
	st.work = w
	st.call(local, at)
	w.mirror = s.Mirror(local, at, &store.Joined{
		Is:   func(rel string) bool { return path.Base(rel) == record.RecordsFile },
		Join: joinRecords,
	})
	// Indexes, answers and pages that are there stay there.
	n, err := w.mirror.Pull(ctx, func(rel string) bool { return path.Base(rel) == record.RecordsFile || shown(rel) })
	st.clear()
	if err != nil {
		return "", err
	}
	if n > 0 {
		st.say("%s: fetched %d files of what is there", at, n)
	}
	return local, nil
}

// joinRecords adds to the records file ours those of theirs that it lacks. It adds to the file itself, which
// a run may have open. A cell that both have measured is taken once; where one failed, the other.
func joinRecords(ours, theirs string) error {
	have, _, err := record.Read(ours)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	other, _, err := record.Read(theirs)
	if err != nil {
		return err
	}
	type what struct {
		key string
		ok  bool
	}
	known := map[what]bool{}
	done := map[string]bool{}
	for i := range have {
		ok := have[i].Status == record.OK
		known[what{have[i].Key(), ok}] = true
		done[have[i].Key()] = done[have[i].Key()] || ok
	}
	w, err := record.Append(ours)
	if err != nil {
		return err
	}
	for i := range other {
		key := other[i].Key()
		if done[key] || known[what{key, other[i].Status == record.OK}] {
			continue
		}
		if err := w.Write(&other[i]); err != nil {
			return errors.Join(err, w.Close())
		}
	}
	return w.Close()
}

// Keep stores what a sweep has measured so far, if that was long ago. It is called while nothing is timed.
// What cannot be stored now is stored later: the sweep goes on.
func (st *Stage) Keep(ctx context.Context) {
	if st.work == nil || time.Since(st.work.last) < storeEvery {
		return
	}
	err := st.work.mirror.Push(ctx, isLast)
	st.clear()
	if err != nil && ctx.Err() == nil {
		st.say("note: %v; it is tried again, and what is measured is on this machine", err)
	}
	st.work.last = time.Now()
}

// Finish stores what the command, which ended with err, has made.
func (st *Stage) Finish(ctx context.Context, err error) error {
	if w := st.work; w != nil {
		defer w.held.Release()
		var stored error
		if ctx.Err() != nil {
			// Records are small, and another machine may go on from them.
			short, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeEvery)
			stored = w.mirror.PushJoined(short)
			cancel()
		} else if _, e := os.Stat(w.local); e == nil {
			stored = w.mirror.Push(ctx, isLast)
		}
		st.clear()
		if stored != nil {
			err = st.both(err, fmt.Errorf("%w; all of it is on this machine, and the same command stores it", stored))
		} else if ctx.Err() == nil && err == nil {
			st.SayPlain("a copy is in " + w.local)
		}
	}
	if errors.Is(err, errStoredBefore) {
		err = nil
	}
	for _, out := range st.outs {
		err = st.finishOut(ctx, out, err)
	}
	return err
}

func (st *Stage) finishOut(ctx context.Context, out output, err error) error {
	if out.held != nil {
		defer out.held.Release()
	}
	if ctx.Err() != nil || err != nil && !st.Told(err) {
		if out.held == nil {
			_ = os.RemoveAll(out.dir)
		}
		return err
	}
	stored := st.storeOut(ctx, out)
	st.clear()
	if stored != nil {
		err = st.both(err, stored)
		st.SayPlain("what could not be stored is in " + out.dir)
		return err
	}
	_ = os.RemoveAll(out.dir)
	return err
}

// storeOut stores all that is in the folder of an output.
func (st *Stage) storeOut(ctx context.Context, out output) error {
	entries, err := os.ReadDir(out.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if err := st.store.Push(ctx, filepath.Join(out.dir, e.Name()), out.at.Dir().Join(e.Name()), isLast); err != nil {
			return err
		}
	}
	return nil
}

// both is the error of the work and that of storing it; one that has been printed already does not hide
// the other.
func (st *Stage) both(err, stored error) error {
	if err == nil || !st.Told(err) {
		return errors.Join(err, stored)
	}
	fmt.Fprintf(st.Err, "annbench: %v\n", stored)
	return err
}
