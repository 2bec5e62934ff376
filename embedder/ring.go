package embedder

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"

	"annbench/embedder/catalog"
)

// ring holds the batches that are filled, in the model, or on their way to the sink, a fixed number of
// them, used again and again. Workers write each picture straight into its row; a batch goes on when all of
// its rows are written; batches are taken and delivered in their order.
//
// No worker waits for ever: workers get groups in order and write a group in order, so the first picture
// that is missing belongs to a batch that is in the ring, and to a worker that is not waiting for another.
type ring struct {
	e    *embedding
	mu   sync.Mutex
	cond sync.Cond // of everything below

	slots   []*filled
	last    int // number of the last batch
	taking  int // number of the batch that the model takes next
	oldest  int // number of the oldest that was not delivered
	stopped bool
	err     error // of the first picture that strictness does not let pass
}

// filled is a batch on its way.
type filled struct {
	number     int // of the batch in the collection: its first row has the place number × batch
	first, end int // places of its pictures
	rows       int // that the model is run with
	pixels     tensor
	output     output // rows of items, once the model has run
	pictures   []preparedPicture
	missing    atomic.Int64 // pictures that are not written yet

	taken, finished bool  // by the model; guarded by the ring
	err             error // of the model

	// Of pictures, those that are usable, with their rows, and the others.
	items      []catalog.Item
	places     []int
	thumbnails [][]byte
	skipped    []Failure
}

// preparedPicture is a row of a batch before the model has run.
type preparedPicture struct {
	catalog.Item
	thumbnail []byte
	err       error
}

func newRing(e *embedding) *ring {
	// One batch for the sink, one for each run of the model, and for the workers two, or as many as
	// hold two groups of each, so that they work on while the oldest group is being decoded.
	groups := max(1, e.src.Groups())
	ahead := (2*e.workers*((e.total+groups-1)/groups) + e.batch - 1) / e.batch
	r := &ring{e: e, last: (e.end - 1) / e.batch, taking: e.first / e.batch, oldest: e.first / e.batch}
	r.cond.L = &r.mu
	n := min(1+e.result.Runs+max(2, ahead), r.last-r.oldest+1)
	r.slots = make([]*filled, n)
	for i := range n {
		f := &filled{
			pixels:   newTensor(&e.session.card.Input, e.batch),
			output:   newOutput(e.session, e.batch),
			pictures: make([]preparedPicture, e.batch),
		}
		number := r.oldest + i
		r.begin(f, number)
		r.slots[number%n] = f
	}
	return r
}

// begin makes f the empty batch of a number.
func (r *ring) begin(f *filled, number int) {
	e := r.e
	f.number = number
	f.first, f.end = max(e.first, number*e.batch), min(e.end, (number+1)*e.batch)
	f.rows = min(e.batch, e.total-number*e.batch)
	f.missing.Store(int64(f.end - f.first))
	f.taken, f.finished, f.err = false, false, nil
	clear(f.pictures)
	f.items, f.places, f.thumbnails, f.skipped = f.items[:0], f.places[:0], nil, nil
}

// slot is the batch of a number, to be written to, as soon as there is room for it; nil when the ring is
// stopped.
func (r *ring) slot(number int) *filled {
	r.mu.Lock()
	defer r.mu.Unlock()
	for number >= r.oldest+len(r.slots) && !r.stopped {
		r.cond.Wait()
	}
	if r.stopped {
		return nil
	}
	return r.slots[number%len(r.slots)]
}

// filled reports that one more picture of f is written.
func (r *ring) filled(f *filled) {
	if f.missing.Add(-1) == 0 {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.cond.Broadcast()
	}
}

// take is the next batch for the model, or nil when there are no more: with an error where that is why.
func (r *ring) take(strict bool) (*filled, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		if r.err != nil || r.stopped || r.taking > r.last {
			return nil, r.err
		}
		if f := r.slots[r.taking%len(r.slots)]; f.number == r.taking && f.missing.Load() == 0 {
			f.sort()
			if len(f.skipped) > 0 {
				for _, p := range f.pictures {
					switch {
					case p.err == nil:
					case passing(p.err):
						r.err = fmt.Errorf("picture %s: %w: the system refused, not the picture, so it is not left out; give the process more (ulimit -n, -v), or try again later, and the same command resumes", p.ID, p.err)
						return nil, r.err
					case strict:
						r.err = fmt.Errorf("picture %s: %w", p.ID, p.err)
						return nil, r.err
					}
				}
			}
			f.taken = true
			r.taking++
			return f, nil
		}
		r.cond.Wait()
	}
}

// passing reports whether err is about what the system had no more of, or could not reach, as the picture was read: it says
// nothing about the picture, and another time it is read.
func passing(err error) bool {
	var no syscall.Errno
	return errors.As(err, &no) && slices.Contains([]syscall.Errno{
		syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ESTALE, syscall.ETIMEDOUT, syscall.ENOTCONN, syscall.EINTR, syscall.EAGAIN,
	}, no)
}

// sort separates the usable pictures from the others.
func (f *filled) sort() {
	for place := f.first; place < f.end; place++ {
		row := place % len(f.pictures)
		p := &f.pictures[row]
		if p.err != nil {
			f.skipped = append(f.skipped, Failure{ID: p.ID, Label: p.Label, Reason: p.err.Error()})
			continue
		}
		f.items = append(f.items, p.Item)
		f.places = append(f.places, row)
		if p.thumbnail != nil {
			f.thumbnails = append(f.thumbnails, p.thumbnail)
		}
	}
}

// compact moves the answers to the usable pictures to the first rows.
func (f *filled) compact() {
	for i, row := range f.places {
		if i == row {
			continue
		}
		copy(f.output.vectors.Row(i), f.output.vectors.Row(row))
		if f.output.logits.Rows > 0 {
			copy(f.output.logits.Row(i), f.output.logits.Row(row))
		}
	}
}

// done reports that the model has run f.
func (r *ring) done(f *filled) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f.finished = true
	r.cond.Broadcast()
}

// next is the oldest batch, when the model has run it; nil when there are no more. Of a ring that is
// stopped, what is in the model still comes.
func (r *ring) next() *filled {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		if r.oldest > r.last {
			return nil
		}
		f := r.slots[r.oldest%len(r.slots)]
		switch {
		case f.finished:
			return f
		case r.stopped && !f.taken:
			return nil
		}
		r.cond.Wait()
	}
}

// free gives back the oldest batch after it was delivered.
func (r *ring) free(f *filled) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.oldest++
	r.begin(f, f.number+len(r.slots))
	r.cond.Broadcast()
}

// stop ends all waiting.
func (r *ring) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped = true
	r.cond.Broadcast()
}
