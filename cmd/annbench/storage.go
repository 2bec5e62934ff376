package main

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

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"

	"annbench/bench"
	"annbench/bench/lease"
	"annbench/bench/pipeline"
	"annbench/bench/record"
	"annbench/bench/store"
)

// What becomes of an address s3://bucket/key on the command line is said by the tag s3 of the flag or
// argument, one of those below. A test sees to it that whatever takes a path has one.
const (
	// s3In is fetched before the command runs.
	s3In = "in"
	// s3Card is the card of a model; the model beside it is fetched as well.
	s3Card = "card"
	// s3Results are results that are read: all but what no report shows.
	s3Results = "results"
	// s3Whole are results with their indexes and answers.
	s3Whole = "whole"
	// s3Out is written here, and stored when the command has done its work.
	s3Out = "out"
	// s3Made is a folder of vectors: as s3Out, and what is made stays here until it is stored, so that a
	// command that was stopped is gone on with.
	s3Made = "made"
	// s3Work is a results folder that is gone on with: what is in the bucket is fetched first, and what
	// is measured is stored while the command runs.
	s3Work = "work"
	// s3Own is left to the command.
	s3Own = "own"
	// s3No and why begin the tag of what has to be on this machine.
	s3No = "no: "
)

// unshown are the folders in a results folder that no report reads.
var unshown = []string{record.IndexesDir, bench.AnswersDir, "report", "growth", "shards"}

func shown(rel string) bool {
	first, _, _ := strings.Cut(rel, "/")
	return !slices.Contains(unshown, first)
}

// storage is the object storage of one command. The zero value but for s is ready.
type storage struct {
	s     *surface
	args  []string // of the command
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

// An addresser has defaults that depend on addresses: they are set before anything is fetched.
type addresser interface{ address() }

// open makes the client, once.
func (st *storage) open() (*store.Store, error) {
	if st.store != nil {
		return st.store, nil
	}
	cache, err := pipeline.CacheDir()
	if err != nil {
		return nil, err
	}
	st.began = map[string]time.Time{}
	st.store, err = store.Open(store.Options{
		Cache: filepath.Join(cache, "s3"), Progress: st.progress,
		Log: func(format string, args ...any) { st.s.say(format, args...) },
	})
	if err != nil {
		return nil, misuse(err)
	}
	return st.store, nil
}

func (st *storage) progress(what string, done, total int64) {
	st.mu.Lock()
	began, ok := st.began[what]
	if !ok {
		began = time.Now()
		st.began[what] = began
	}
	st.mu.Unlock()
	const kilo = 1000
	st.s.progress(what+", kB", int(done/kilo), int(total/kilo), secondsLeft(int(done/kilo), int(total/kilo), time.Since(began)))
}

// call has all that is printed call the local path by its address.
func (st *storage) call(local string, at store.Address) string {
	st.mu.Lock()
	defer st.mu.Unlock()
	if !slices.Contains(st.names, local) {
		st.names = append(st.names, local, at.String())
	}
	return local
}

// rename puts addresses in the place of the paths of their copies.
func (st *storage) rename(text string) string {
	st.mu.Lock()
	defer st.mu.Unlock()
	for i := 0; i+1 < len(st.names); i += 2 {
		text = strings.ReplaceAll(text, st.names[i], st.names[i+1])
	}
	return text
}

// renaming is a writer that renames.
type renaming struct {
	w  io.Writer
	st *storage
}

func (r *renaming) Write(b []byte) (int, error) {
	if !bytes.Contains(b, []byte("/")) {
		return r.w.Write(b)
	}
	if _, err := io.WriteString(r.w, r.st.rename(string(b))); err != nil {
		return 0, err
	}
	return len(b), nil
}

// here is the local path of what is at path: path itself, unless that is an address. keep is as in
// [store.Store.Fetch].
func (st *storage) here(ctx context.Context, path string, keep func(rel string) bool) (string, error) {
	if !store.Is(path) {
		return path, nil
	}
	at, err := store.Parse(path)
	if err != nil {
		return "", misuse(err)
	}
	s, err := st.open()
	if err != nil {
		return "", err
	}
	local, err := s.Fetch(ctx, at, keep)
	st.s.clear()
	if store.IsNotFound(err) {
		err = misuse(err)
	}
	if err != nil {
		return "", err
	}
	return st.call(local, at), nil
}

// card is here for the card of a model, or for the model itself, which are beside each other.
func (st *storage) card(ctx context.Context, name string) (string, error) {
	if !store.Is(name) {
		return name, nil
	}
	at, err := store.Parse(name)
	if err != nil {
		return "", misuse(err)
	}
	var wanted []string // names of the card, or of the model with its weights after a dot or a dash
	if ext := path.Ext(name); strings.EqualFold(ext, ".onnx") {
		stem := strings.TrimSuffix(at.Base(), ext)
		wanted = []string{at.Base(), stem + ".json", stem + ".yaml", stem + ".yml"}
	} else {
		local, err := st.here(ctx, name, nil)
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
			return "", misuse(fmt.Errorf("%s: its file %q is in another folder: in object storage, the model has to lie beside its card", name, card.File))
		}
		wanted = []string{at.Base(), card.File}
	}
	dir, err := st.here(ctx, at.Dir().String(), func(rel string) bool {
		return slices.ContainsFunc(wanted, func(w string) bool {
			return rel == w || strings.HasSuffix(w, ".onnx") && (strings.HasPrefix(rel, w+".") || strings.HasPrefix(rel, w+"_"))
		})
	})
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, at.Base()), nil
}

// data is a copy of d in which all is on this machine.
func (st *storage) data(ctx context.Context, d *bench.Data) (*bench.Data, error) {
	out := *d
	if d.Boards != nil {
		b := *d.Boards
		out.Boards = &b
	}
	fields := []*string{&out.Vectors, &out.Labels, &out.Queries, &out.Neighbors, &out.Images}
	if out.Boards != nil {
		fields = append(fields, &out.Boards.TSV, &out.Boards.Images)
	}
	var err error
	for _, f := range fields {
		if *f, err = st.here(ctx, *f, nil); err != nil {
			return nil, err
		}
	}
	out.Model, err = st.card(ctx, out.Model)
	return &out, err
}

// stage readies the addresses on a command line, and puts local paths in their place.
func (st *storage) stage(ctx context.Context, node *kong.Node) error {
	if a, ok := node.Target.Addr().Interface().(addresser); ok {
		a.address()
	}
	values := slices.Clone(node.Positional)
	for _, f := range node.Flags {
		values = append(values, f.Value)
	}
	for _, v := range values {
		var fields []*string
		switch p := v.Target.Addr().Interface().(type) {
		case *string:
			fields = append(fields, p)
		case *[]string:
			for i := range *p {
				fields = append(fields, &(*p)[i])
			}
		}
		for _, f := range fields {
			if !store.Is(*f) {
				continue
			}
			tag := v.Tag.Get("s3")
			if tag == "" {
				continue // no path
			}
			local, err := st.one(ctx, tag, called(v), *f)
			if err != nil {
				return err
			}
			*f = local
		}
	}
	return nil
}

// called is what people call a flag or an argument.
func called(v *kong.Value) string {
	if v.Flag != nil {
		return "--" + v.Name
	}
	return strings.ToUpper(v.Name)
}

func (st *storage) one(ctx context.Context, tag, name, value string) (string, error) {
	if why, no := strings.CutPrefix(tag, s3No); no {
		return "", misuse(fmt.Errorf("s3:// cannot be used for %s: %s", name, why))
	}
	switch tag {
	case s3Own:
		return value, nil
	case s3In:
		return st.here(ctx, value, nil)
	case s3Card:
		return st.card(ctx, value)
	case s3Results:
		return st.here(ctx, value, shown)
	case s3Whole:
		return st.here(ctx, value, func(rel string) bool {
			return shown(rel) || strings.HasPrefix(rel, record.IndexesDir+"/") || strings.HasPrefix(rel, bench.AnswersDir+"/")
		})
	case s3Out:
		return st.toWrite(ctx, value)
	case s3Made:
		return st.toMake(ctx, value)
	case s3Work:
		return st.toWork(ctx, value)
	}
	return "", fmt.Errorf("%s: no meaning of s3 %q", name, tag) // a mistake of ours
}

// toWrite gives a local path for what is to be stored.
func (st *storage) toWrite(ctx context.Context, value string) (string, error) {
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
func (st *storage) toMake(ctx context.Context, value string) (string, error) {
	at, s, err := st.writable(ctx, value)
	if err != nil {
		return "", err
	}
	if there, err := s.Exists(ctx, at.Join(collectionMeta)); err != nil {
		return "", err
	} else if there {
		return "", misuse(fmt.Errorf("%s is there already: name another address, or remove it from the bucket", at))
	}
	// Other flags make other vectors.
	sum := sha256.Sum256([]byte(strings.Join(st.args, "\x00")))
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
		st.s.say("made on %s by the same command, and not stored: it is now", info.ModTime().Format(time.DateTime))
		return "", errStoredBefore
	}
	return out.local(), nil
}

// writable tells before the work what would otherwise be found out after it.
func (st *storage) writable(ctx context.Context, value string) (store.Address, *store.Store, error) {
	at, err := store.Parse(value)
	if err == nil && at.Key == "" {
		err = fmt.Errorf("%s names a bucket, and a place in it is needed: write s3://bucket/key", value)
	}
	if err != nil {
		return at, nil, misuse(err)
	}
	s, err := st.open()
	if err != nil {
		return at, nil, err
	}
	err = s.Writable(ctx, at)
	if store.IsNotFound(err) {
		err = misuse(err)
	}
	return at, s, err
}

// toWork gives the local copy of a results folder that is gone on with.
func (st *storage) toWork(ctx context.Context, value string) (string, error) {
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
	st.s.clear()
	if err != nil {
		return "", err
	}
	if n > 0 {
		st.s.say("%s: fetched %d files of what is there", at, n)
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

// keep stores what a sweep has measured so far, if that was long ago. It is called while nothing is timed.
// What cannot be stored now is stored later: the sweep goes on.
func (st *storage) keep(ctx context.Context) {
	if st == nil || st.work == nil || time.Since(st.work.last) < storeEvery {
		return
	}
	err := st.work.mirror.Push(ctx, isLast)
	st.s.clear()
	if err != nil && ctx.Err() == nil {
		st.s.say("note: %v; it is tried again, and what is measured is on this machine", err)
	}
	st.work.last = time.Now()
}

// finish stores what the command, which ended with err, has made.
func (st *storage) finish(ctx context.Context, err error) error {
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
		st.s.clear()
		if stored != nil {
			err = st.both(err, fmt.Errorf("%w; all of it is on this machine, and the same command stores it", stored))
		} else if ctx.Err() == nil && err == nil {
			st.s.sayPlain("a copy is in " + w.local)
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

func (st *storage) finishOut(ctx context.Context, out output, err error) error {
	if out.held != nil {
		defer out.held.Release()
	}
	if ctx.Err() != nil || err != nil && !told(err) {
		if out.held == nil {
			_ = os.RemoveAll(out.dir)
		}
		return err
	}
	stored := st.storeOut(ctx, out)
	st.s.clear()
	if stored != nil {
		err = st.both(err, stored)
		st.s.sayPlain("what could not be stored is in " + out.dir)
		return err
	}
	_ = os.RemoveAll(out.dir)
	return err
}

// storeOut stores all that is in the folder of an output.
func (st *storage) storeOut(ctx context.Context, out output) error {
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

// both is the error of the work and that of storing it; one that has been told already does not hide
// the other.
func (st *storage) both(err, stored error) error {
	if err == nil || !told(err) {
		return errors.Join(err, stored)
	}
	fmt.Fprintf(st.s.err, "annbench: %v\n", stored)
	return err
}

// told reports whether err is about results that are there, and has been told already.
func told(err error) bool {
	return errors.Is(err, errFailedCells) || errors.Is(err, errIncomplete) || errors.Is(err, errNothingFits) || errors.Is(err, errWorse)
}
