package embedder

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"annbench/embedder/catalog"
)

// placed is an engine whose embedding tells the picture, its row in the batch and how many rows it was run
// with: what may decide the last bits of a real model's. It counts pictures that went through, by number;
// tests that do not fill the rows that they count see what was there.
type placed struct {
	mu      sync.Mutex
	rows    []int
	wait    func(rows int)
	running atomic.Int32
	most    int32
}

func (e *placed) run(in tensor, rows int, out output) error {
	n := e.running.Add(1)
	defer e.running.Add(-1)
	e.mu.Lock()
	e.rows = append(e.rows, rows)
	e.most = max(e.most, n)
	e.mu.Unlock()
	if e.wait != nil {
		e.wait(rows)
	}
	for i := range rows {
		v := out.vectors.Row(i)
		v[0] = float32(in.u8[i*in.row]) + 256*float32(in.u8[i*in.row+1])
		v[1], v[2] = float32(i), float32(rows)
	}
	return nil
}

func (e *placed) close() error { return nil }

// uneven is pictures in groups of various sizes, none of them among these.
type uneven struct {
	pictures
	sizes []int
	first []int
}

func groupsOf(sizes ...int) *uneven {
	u := &uneven{sizes: sizes}
	for _, size := range sizes {
		u.first = append(u.first, u.groups)
		u.groups += size
	}
	u.size = 1
	return u
}

func (u *uneven) Groups() int { return len(u.sizes) }

func (u *uneven) Items(g int) []catalog.Item {
	var items []catalog.Item
	for i := range u.sizes[g] {
		items = append(items, u.pictures.Items(u.first[g]+i)...)
	}
	return items
}

func (u *uneven) Group(g int) []catalog.Picture {
	var all []catalog.Picture
	for i := range u.sizes[g] {
		all = append(all, u.pictures.Group(u.first[g]+i)...)
	}
	return all
}

// Whatever part of a collection is embedded, with whatever is broken, in groups of whatever sizes: all
// parts together are what the whole is, row by row and bit by bit.
func TestEmbedPartsAreTheWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		src := groupsOf(rapid.SliceOfN(rapid.IntRange(0, 40), 1, 30).Draw(t, "groups")...)
		total := src.Len()
		if total == 0 {
			t.Skip("no pictures")
		}
		every := rapid.IntRange(1, 9).Draw(t, "broken")
		src.broken = func(i int) error {
			if every > 1 && i%every == 1 {
				return fmt.Errorf("torn %d", i)
			}
			return nil
		}
		batch := rapid.IntRange(1, 24).Draw(t, "batch")
		embed := func(first, end int) (lines []string) {
			o := Options{
				Batch: batch, First: first, End: end,
				Workers: rapid.IntRange(1, 5).Draw(t, "workers"), Runs: rapid.IntRange(1, 3).Draw(t, "runs"),
			}
			at := first
			r, err := Embed(context.Background(), src, fakeSession(&placed{}), o, func(b Batch) error {
				if got := len(b.Items) + len(b.Skipped); at+got != b.End {
					t.Fatalf("a batch of %d pictures from %d ends at %d", got, at, b.End)
				}
				at = b.End
				for i, item := range b.Items {
					v := b.Vectors.Row(i)
					if item.ID != fmt.Sprintf("p%.0f", v[0]) {
						t.Fatalf("%s has %v", item.ID, v)
					}
					lines = append(lines, fmt.Sprint(item, v))
				}
				for _, f := range b.Skipped {
					lines = append(lines, fmt.Sprint(f))
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if want := end; want > 0 && at != want || r.Images+len(r.Skipped) != len(lines) {
				t.Fatalf("pictures %d to %d: came to %d, %+v", first, end, at, r)
			}
			return lines
		}
		whole := embed(0, 0)
		var parts []string
		cuts := rapid.SliceOfN(rapid.IntRange(0, total), 0, 4).Draw(t, "cuts")
		cuts = append(cuts, total)
		slices.Sort(cuts)
		first := 0
		for _, end := range cuts {
			if end > first {
				parts = append(parts, embed(first, end)...)
			}
			first = end
		}
		slices.Sort(whole) // failures of a batch that is cut come in another order among its rows
		slices.Sort(parts)
		if !slices.Equal(whole, parts) || len(whole) != total {
			t.Fatalf("cut at %v:\n%q\nthe whole:\n%q", cuts, parts, whole)
		}
	})
}

func TestEmbedRunsAtOnce(t *testing.T) {
	noLeak(t)
	// The runs of even batches take longer, so that the others overtake them.
	e := &placed{}
	var n atomic.Int32
	e.wait = func(int) {
		if n.Add(1)%2 == 0 {
			time.Sleep(2 * time.Millisecond)
		}
		time.Sleep(time.Millisecond)
	}
	next := 0
	r, err := Embed(t.Context(), &pictures{groups: 100, size: 5}, fakeSession(e), Options{Batch: 8, Workers: 4, Runs: 3}, func(b Batch) error {
		for i := range b.Items {
			if got := int(b.Vectors.Row(i)[0]); got != next {
				t.Fatalf("place %d has the vector of picture %d", next, got)
			}
			next++
		}
		return nil
	})
	if err != nil || next != 500 || r.Runs != 3 {
		t.Errorf("%d pictures, %+v, %v", next, r, err)
	}
	if e.most < 2 || e.most > 3 {
		t.Errorf("%d runs at once, of 3", e.most)
	}
}

// With several runs at once, the error is that of the first batch in order, and what came before it is
// delivered.
func TestEmbedErrorsInOrder(t *testing.T) {
	noLeak(t)
	for range 20 {
		e := &firstPixel{err: errors.New("device lost")}
		_, err := Embed(t.Context(), &pictures{groups: 60, size: 1}, fakeSession(&locked{engine: e}), Options{Batch: 8, Workers: 4, Runs: 3}, func(Batch) error { return nil })
		if err == nil || !strings.Contains(err.Error(), "pictures p0 to p7: device lost") {
			t.Fatal(err)
		}
		broken := func(i int) error {
			if i >= 11 {
				return errors.New("torn")
			}
			return nil
		}
		n := 0
		_, err = Embed(t.Context(), &pictures{groups: 60, size: 1, broken: broken}, fakeSession(&placed{}), Options{Batch: 4, Workers: 4, Runs: 3, Strict: true}, func(b Batch) error {
			n += len(b.Items)
			return nil
		})
		if err == nil || !strings.Contains(err.Error(), "picture p11: torn") || n > 8 {
			t.Fatalf("%d delivered, %v", n, err)
		}
	}
}

// locked lets one run at a time into an engine that counts.
type locked struct {
	engine
	mu sync.Mutex
}

func (l *locked) run(in tensor, rows int, out output) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.engine.run(in, rows, out)
}

// What is in the model when the context ends is delivered: it does not have to be run again.
func TestEmbedCancelKeepsWhatRan(t *testing.T) {
	noLeak(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	e := &placed{}
	var ran atomic.Int32
	e.wait = func(int) {
		if ran.Add(1) == 5 {
			cancel()
			time.Sleep(20 * time.Millisecond)
		}
	}
	n := 0
	r, err := Embed(ctx, &pictures{groups: 1000, size: 1}, fakeSession(e), Options{Batch: 4, Workers: 4, Runs: 2}, func(b Batch) error {
		n++
		return nil
	})
	if !errors.Is(err, context.Canceled) || n != len(e.rows) || r.Images != 4*n {
		t.Errorf("%v: %d batches delivered, %d run, %d images", err, n, len(e.rows), r.Images)
	}
}

func TestEmbedLyingCollections(t *testing.T) {
	noLeak(t)
	for name, test := range map[string]struct {
		src  catalog.Source
		want string
	}{
		"more":  {lying{&pictures{groups: 10, size: 3}, 29, 0}, "says that it has 29 pictures, and lists 30"},
		"fewer": {lying{&pictures{groups: 10, size: 3}, 31, 0}, "says that it has 31 pictures, and lists 30"},
		"group": {lying{&pictures{groups: 10, size: 3}, 30, 1}, "lists 3 pictures in group"},
	} {
		_, err := Embed(t.Context(), test.src, fakeSession(&placed{}), Options{Batch: 4}, func(Batch) error { return nil })
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v; want %q", name, err, test.want)
		}
	}
	for _, o := range []Options{{First: -1}, {First: 31}, {End: 31}, {First: 20, End: 10}} {
		if _, err := Embed(t.Context(), &pictures{groups: 10, size: 3}, fakeSession(&placed{}), o, nil); err == nil || !strings.Contains(err.Error(), "of 30") {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if r, err := Embed(t.Context(), &pictures{groups: 10, size: 3}, fakeSession(&placed{}), Options{First: 30}, nil); err != nil || r.Images != 0 {
		t.Errorf("nothing left: %+v, %v", r, err)
	}
}

type lying struct {
	*pictures
	len, lost int
}

func (l lying) Len() int { return l.len }

func (l lying) Group(g int) []catalog.Picture {
	all := l.pictures.Group(g)
	return all[:len(all)-l.lost]
}

// The stage that is slow is the one that is named, and the others are seen to wait. Time is the bubble's: only sleep
// takes any.
func TestEmbedLimit(t *testing.T) {
	slow := 3 * time.Millisecond
	for _, test := range []struct {
		limit string
		src   *pictures
		e     *placed
		sink  time.Duration
	}{
		{StageDecode, &pictures{groups: 100, size: 1, wait: func(int) time.Duration { return slow }}, &placed{}, 0},
		{StageModel, &pictures{groups: 100, size: 1}, &placed{wait: func(int) { time.Sleep(slow) }}, 0},
		{StageWrite, &pictures{groups: 100, size: 1}, &placed{}, slow},
	} {
		synctest.Test(t, func(t *testing.T) {
			r, err := Embed(t.Context(), test.src, fakeSession(test.e), Options{Batch: 2, Workers: 2}, func(Batch) error {
				time.Sleep(test.sink)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if r.Limit != test.limit || len(r.Stages) != 3 {
				t.Errorf("the limit is %s, should be %s: %+v", r.Limit, test.limit, r.Stages)
			}
			for _, s := range r.Stages {
				whole := float64(s.Goroutines) * r.Seconds
				if s.Images != 100 || math.Abs(s.Busy+s.Waiting-whole) > whole/100 {
					t.Errorf("%+v of %.3f s", s, r.Seconds)
				}
				if s.Stage == test.limit && s.PerSecond <= 0 {
					t.Errorf("%+v has no speed", s)
				}
				if s.Stage != test.limit && s.Waiting < s.Busy {
					t.Errorf("%s waited less than it worked: %+v", s.Stage, s)
				}
			}
		})
	}
}

// endless is n pictures that nobody keeps: memory that grows with n is the pipeline's.
type endless struct {
	n       int
	picture image.Image
}

func (e endless) Name() string                           { return "endless" }
func (e endless) Labels() []string                       { return []string{"all"} }
func (e endless) Len() int                               { return e.n }
func (e endless) Groups() int                            { return e.n }
func (e endless) Items(g int) []catalog.Item             { return []catalog.Item{{ID: "p", Label: "all"}} }
func (e endless) Digest(context.Context) (string, error) { return "", nil }

func (e endless) Group(g int) []catalog.Picture {
	return []catalog.Picture{{Item: e.Items(g)[0], Image: e.picture}}
}

// The memory of 100,000 pictures is that of 10,000.
func TestEmbedMemoryIsFlat(t *testing.T) {
	// The heap after 10,000 and after 100,000 pictures, as the smallest of some collections thereabouts: garbage
	// that the workers make while one runs adds to a heap, and never takes from it, and what is kept is in all.
	early, late := uint64(math.MaxUint64), uint64(math.MaxUint64)
	n, at := 0, 0
	src := endless{100_000, noise(16, 16, 1)}
	_, err := Embed(t.Context(), src, fakeSession(&placed{}), Options{Batch: 32, Workers: 4, Runs: 2, Thumbnails: 4}, func(b Batch) error {
		n += len(b.Items)
		if at++; at%30 == 0 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			switch {
			case n > 7_000 && n <= 10_000:
				early = min(early, m.HeapAlloc)
			case n > 97_000:
				late = min(late, m.HeapAlloc)
			}
		}
		return nil
	})
	if err != nil || n != 100_000 {
		t.Fatalf("%d pictures, %v", n, err)
	}
	t.Logf("heap %d kB after 10,000 pictures, %d kB after 100,000", early>>10, late>>10)
	// Eight bytes a picture would show: 720 kB.
	if early == math.MaxUint64 || late > early+1<<19 {
		t.Errorf("the heap grew from %d to %d bytes", early, late)
	}
}
