package bench

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"annbench/bench/record"
)

// Merged is what [Merge] did.
type Merged struct {
	Folders int
	Records int // in the merged folder
	Twice   int // that stood in more than one folder, and were taken once
}

// Merge joins results folders into the folder out, which may be one of them, may hold a merge of them
// already, and is made if it is not there. A cell's repetition that stands in several folders is taken
// once: one that was measured before one that failed, else the earlier one; so merging again
// changes nothing. The galleries are joined too.
//
// It refuses results of different data sets, and, unless mixed is set, results of different
// environments: times of two machines do not compare. The error then names the folders and the
// difference.
func Merge(folders []string, out string, mixed bool) (Merged, error) {
	m := Merged{Folders: len(folders)}
	var all []*record.Results
	dirs := slices.Clone(folders)
	if _, err := os.Stat(filepath.Join(out, record.RecordsFile)); err == nil && !slices.ContainsFunc(folders, func(f string) bool { return sameFile(f, out) }) {
		dirs = append(dirs, out)
	}
	for _, dir := range dirs {
		r, err := record.Open(dir)
		if err != nil {
			return m, err
		}
		all = append(all, r)
	}
	if len(all) == 0 {
		return m, errors.New("no results folders to merge")
	}
	var first *record.Record // with its folder, to compare environments with
	var firstDir string
	taken := map[string]record.Record{}
	for _, r := range all {
		if d, want := r.Dataset.Digest, all[0].Dataset.Digest; d != want {
			return m, fmt.Errorf("%s holds results for the data set %s, %s for %s: only results for the same vectors and queries can be merged", r.Dir, short(d), all[0].Dir, short(want))
		}
		for i := range r.Records {
			rec := &r.Records[i]
			if first == nil {
				first, firstDir = rec, r.Dir
			}
			if what := difference(&first.Env, &rec.Env); what != "" && !mixed {
				return m, fmt.Errorf("%s and %s were measured in different environments (%s): their times do not compare; --mixed merges them all the same, and the report then shows them apart", firstDir, r.Dir, what)
			}
			key := rec.Key()
			old, twice := taken[key]
			if twice {
				m.Twice++
				if better(&old, rec) {
					continue
				}
			}
			taken[key] = *rec
		}
	}
	m.Records = len(taken)
	return m, writeMerged(out, all, taken)
}

// better reports whether a is to be kept where a and b are of one cell and repetition.
func better(a, b *record.Record) bool {
	if (a.Status == record.OK) != (b.Status == record.OK) {
		return a.Status == record.OK
	}
	return !b.Time.Before(a.Time)
}

func writeMerged(out string, all []*record.Results, taken map[string]record.Record) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	unlock, err := lock(out)
	if err != nil {
		return err
	}
	defer unlock()
	ordered := slices.SortedFunc(maps.Values(taken), func(a, b record.Record) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Key(), b.Key()))
	})
	var lines []byte
	for i := range ordered {
		b, err := json.Marshal(&ordered[i])
		if err != nil {
			return err
		}
		lines = append(append(lines, b...), '\n')
	}
	dataset := all[0].Dataset
	for _, r := range all[1:] {
		for _, w := range r.Dataset.Warnings {
			if !slices.Contains(dataset.Warnings, w) {
				dataset.Warnings = append(dataset.Warnings, w)
			}
		}
	}
	if err := mergeGalleries(out, all); err != nil {
		return err
	}
	if err := record.WriteJSON(filepath.Join(out, record.DatasetFile), dataset); err != nil {
		return err
	}
	return record.WriteFile(filepath.Join(out, record.RecordsFile), lines)
}

// mergeGalleries joins the items that the galleries show, and copies their pictures. Galleries of one
// sweep have the same queries.
func mergeGalleries(out string, all []*record.Results) error {
	var g *record.Gallery
	for _, r := range all {
		if r.Gallery == nil {
			continue
		}
		if g == nil {
			g = r.Gallery
		} else {
			maps.Copy(g.Base, r.Gallery.Base)
			for metric, truth := range r.Gallery.Truth {
				if g.Truth[metric] == nil {
					g.Truth[metric] = truth
				}
			}
		}
		if sameFile(r.Dir, out) {
			continue
		}
		for _, item := range slices.Concat(r.Gallery.Queries, slices.Collect(maps.Values(r.Gallery.Base))) {
			if item.Thumb == "" || !filepath.IsLocal(item.Thumb) {
				continue
			}
			picture, err := os.ReadFile(filepath.Join(r.Dir, item.Thumb))
			if errors.Is(err, fs.ErrNotExist) {
				continue
			} else if err != nil {
				return err
			}
			to := filepath.Join(out, item.Thumb)
			if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
				return err
			}
			if err := record.WriteFile(to, picture); err != nil {
				return err
			}
		}
	}
	if g == nil {
		return nil
	}
	return record.WriteJSON(filepath.Join(out, record.GalleryFile), g)
}

// difference names what keeps numbers of two environments from being compared, or nothing.
func difference(a, b *record.Env) string {
	for _, at := range []struct{ what, a, b string }{
		{"CPU", a.CPU, b.CPU},
		{"CPU features", strings.Join(a.Features, " "), strings.Join(b.Features, " ")},
		{"cores", fmt.Sprint(a.Cores), fmt.Sprint(b.Cores)},
		{"system", a.OS, b.OS},
		{"Go", a.Go, b.Go},
		{"annbench's commit", a.Commit, b.Commit},
		{"libraries", fmt.Sprint(a.Libraries), fmt.Sprint(b.Libraries)},
	} {
		if at.a != at.b {
			return fmt.Sprintf("%s: %s, and %s", at.what, orNone(at.a), orNone(at.b))
		}
	}
	return ""
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func short(digest string) string { return digest[:min(12, len(digest))] }

func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}
