//go:build faiss

package indexes

import (
	"context"
	"fmt"
	"runtime"
	"slices"

	"annbench/indexes/faissshim"
	"annbench/indexes/vec"
)

// faissUpdates is what a [faissIndex] knows of changes since its build.
//
// Inverted lists keep an ID with each vector, and really remove; a flat index moves up what stands behind a removed
// vector, so ids has the ID of each place; a graph of Faiss, and refinement, cannot remove: living is what a search may
// answer with, as a selector.
type faissUpdates struct {
	given  int64    // IDs given out; 0 before the first change, when they are as many as vectors
	gone   *vec.Set // IDs that were removed; nil before the first
	ids    []int32
	living *vec.Set
}

type faissAnswer struct {
	distances []float32
	labels    []int64
}

// SearchAmong implements [Filterer], on one thread, by a selector in Faiss's search parameters.
func (x *faissIndex) SearchAmong(dst []vec.Neighbor, q []float32, k int, among *vec.Set) ([]vec.Neighbor, error) {
	if x.index == nil {
		return dst, errClosed(x.family)
	}
	if err := askable(x.family, x.dim, q, k); err != nil {
		return dst, err
	}
	if !x.family.Filters {
		return dst, fmt.Errorf("searching %s: it has no search under a filter", x.family.Name)
	}
	if u := &x.updated; u.ids != nil || u.living != nil && among != u.living {
		return dst, fmt.Errorf("searching %s: vectors were removed: it cannot be searched under a filter any more", x.family.Name)
	}
	if k = min(k, x.n, among.Len()); k == 0 {
		return dst, nil
	}
	if x.metric == vec.Cosine {
		unit := x.units.Get().(*[]float32)
		defer x.units.Put(unit)
		faissUnit(*unit, q)
		q = *unit
	}
	a, _ := x.answered.Get().(*faissAnswer)
	if a == nil {
		a = &faissAnswer{}
	}
	defer x.answered.Put(a)
	a.distances = slices.Grow(a.distances[:0], k)[:k]
	a.labels = slices.Grow(a.labels[:0], k)[:k]
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	setFaissThreads(1, 0)
	if err := faissshim.SearchAmong(x.pointer(), q, among.Words(), a.distances, a.labels); err != nil {
		return dst, fmt.Errorf("searching %s: %w", x.family.Name, faissReason(err))
	}
	return x.answer(dst, a.distances, a.labels)
}

// removes reports whether Faiss can take vectors out of this index.
func (x *faissIndex) removes() bool {
	return x.family.Updates == UpdatesByRemoval && x.factory.refined == ""
}

// flat reports whether the places of vectors are their numbers, which a removal changes.
func (x *faissIndex) flat() bool { return x.family.Name == "flat-faiss" }

// Add implements [Updater].
func (x *faissIndex) Add(more vec.Matrix) error {
	if x.index == nil {
		return errClosed(x.family)
	}
	if x.family.Updates == "" {
		return fmt.Errorf("adding to %s: its indexes do not change", x.family.Name)
	}
	u := &x.updated
	if u.given == 0 {
		u.given = int64(x.n)
	}
	if err := addable(x.family, x.dim, u.given, more); err != nil || more.Rows == 0 {
		return err
	}
	// Not all threads that the process has: what a build was given goes for its updates.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	setFaissThreads(1, 1)
	had := x.n
	if err := x.append(more); err != nil {
		return fmt.Errorf("adding to %s: %w", x.family.Name, err)
	}
	x.n = had + more.Rows
	if u.gone != nil {
		u.gone.Grow(int(u.given) + more.Rows)
	}
	if u.living != nil {
		u.living.Grow(int(u.given) + more.Rows)
	}
	for i := range more.Rows {
		id := int32(u.given) + int32(i)
		if u.ids != nil {
			u.ids = append(u.ids, id)
		}
		if u.living != nil {
			u.living.Add(id)
		}
	}
	u.given += int64(more.Rows)
	return nil
}

// append adds the rows of more with the IDs that come next.
func (x *faissIndex) append(more vec.Matrix) error {
	if !x.removes() || x.flat() { // places are IDs
		return x.add(context.Background(), more)
	}
	data := more.Data
	if x.metric == vec.Cosine {
		scaled := vec.NewMatrix(more.Rows, more.Dim)
		for i := range more.Rows {
			faissUnit(scaled.Row(i), more.Row(i))
		}
		data = scaled.Data
	}
	ids := make([]int64, more.Rows)
	for i := range ids {
		ids[i] = x.updated.given + int64(i)
	}
	if err := x.index.AddWithIDs(data, ids); err != nil {
		return faissReason(err)
	}
	return nil
}

// Remove implements [Updater].
func (x *faissIndex) Remove(ids []int32) error {
	if x.index == nil {
		return errClosed(x.family)
	}
	if x.family.Updates == "" {
		return fmt.Errorf("removing from %s: its indexes do not change", x.family.Name)
	}
	u := &x.updated
	if u.given == 0 {
		u.given = int64(x.n)
	}
	if u.gone == nil {
		u.gone = vec.NewSet(int(u.given))
	}
	now := vec.NewSet(int(u.given))
	for _, id := range ids {
		if id < 0 || int64(id) >= u.given || u.gone.Has(id) {
			return errNotThere(x.family, id)
		}
		if now.Has(id) {
			return errTwice(x.family, id)
		}
		now.Add(id)
	}
	if now.Len() == 0 {
		return nil
	}
	switch {
	case !x.removes():
		if u.living == nil {
			u.living = vec.NewSet(int(u.given))
			for id := range int32(u.given) {
				u.living.Add(id)
			}
		}
		for id := range now.All() {
			u.living.Remove(id)
		}
	case x.flat():
		if u.ids == nil {
			u.ids = make([]int32, u.given)
			for i := range u.ids {
				u.ids[i] = int32(i)
			}
		}
		places := vec.NewSet(len(u.ids))
		kept := 0
		for place, id := range u.ids {
			if now.Has(id) {
				places.Add(int32(place))
				continue
			}
			u.ids[kept] = id
			kept++
		}
		if err := x.take(places); err != nil {
			return err
		}
		u.ids = u.ids[:kept]
	default:
		if err := x.take(now); err != nil {
			return err
		}
	}
	for id := range now.All() {
		u.gone.Add(id)
	}
	return nil
}

// take has Faiss remove what it numbers so.
func (x *faissIndex) take(gone *vec.Set) error {
	removed, err := faissshim.Remove(x.pointer(), gone.Words())
	if err != nil {
		return fmt.Errorf("removing from %s: %w", x.family.Name, faissReason(err))
	}
	x.n -= removed
	if removed != gone.Len() {
		return fmt.Errorf("removing from %s: Faiss removed %d vectors of %d", x.family.Name, removed, gone.Len())
	}
	return nil
}
