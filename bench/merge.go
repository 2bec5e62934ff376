package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"annbench/bench/record"
	"annbench/internal/atomicfile"
	"annbench/internal/seal"
)

// Merged is what [Merge] did.
type Merged struct {
	Folders int
	Records int // in the merged folder
	Twice   int // that stood in more than one folder, and were taken once
	// Empty are folders that hold no results, where those may be: see [MergeConfig.Partial].
	Empty []string
	// Missing is what the runs of the folders set out to measure and did not, or have not yet.
	Missing record.Missing
}

// MergeConfig says how [Merge] is to go about it.
type MergeConfig struct {
	// Mixed merges results of different environments too.
	Mixed bool
	// Partial leaves out folders that are not there or hold no results, such as those of shards that have
	// not begun, where one at least holds some.
	Partial bool
	Log     *slog.Logger // may be nil
}

// Merge joins results folders into the folder out, which may be one of them, may hold a merge of them
// already, and is made if it is not there. A cell's repetition that stands in several folders is taken
// once: one that was measured before one that failed, else the earlier one; so merging again
// changes nothing. The galleries are joined too, and the map of the vectors, kept answers and kept
// indexes come along. What is missing is returned, and is no error.
//
// Folders that are being written to can be merged: what they hold at the time is taken. Two merges into
// one folder at once are refused.
//
// It refuses results of different data sets, and, unless cfg says otherwise, results of different
// environments: times of two machines do not compare. The error then names the folders and the
// difference.
func Merge(ctx context.Context, folders []string, out string, cfg MergeConfig) (Merged, error) {
	m := Merged{Folders: len(folders)}
	var all []*record.Results
	var plans []record.Planned
	dirs := slices.Clone(folders)
	if _, err := os.Stat(filepath.Join(out, record.RecordsFile)); err == nil && !slices.ContainsFunc(folders, func(f string) bool { return sameFile(f, out) }) {
		dirs = append(dirs, out)
	}
	for _, dir := range dirs {
		if cfg.Partial && !begun(dir) {
			m.Empty = append(m.Empty, dir)
			continue
		}
		r, err := record.Open(dir)
		if err != nil {
			return m, err
		}
		r.Records = append(append(r.Records, r.Filtered...), r.Churned...)
		all = append(all, r)
		p, err := record.OpenPlans(dir)
		if err != nil {
			return m, err
		}
		plans = record.JoinPlans(plans, p)
	}
	switch {
	case len(all) == 0 && len(m.Empty) > 0:
		return m, fmt.Errorf("none of %d folders holds results, %s for one: nothing was measured", len(m.Empty), m.Empty[0])
	case len(all) == 0:
		return m, errors.New("no results folders to merge")
	}
	var first *record.Record // with its folder, to compare environments with
	var firstDir string
	taken := map[string]measured{}
	for _, r := range all {
		if d, want := r.Dataset.Digest, all[0].Dataset.Digest; d != want {
			return m, fmt.Errorf("%s holds results for the data set %s, %s for %s: only results for the same vectors and queries can be merged", r.Dir, short(d), all[0].Dir, short(want))
		}
		for i := range r.Records {
			rec := &r.Records[i]
			if first == nil {
				first, firstDir = rec, r.Dir
			}
			if what := difference(&first.Env, &rec.Env); what != "" && !cfg.Mixed {
				return m, fmt.Errorf("%s and %s were measured in different environments (%s): their times do not compare; --mixed merges them all the same, and the report then shows them apart", firstDir, r.Dir, what)
			}
			key := rec.Key()
			old, twice := taken[key]
			if twice {
				m.Twice++
				if better(old.Record, rec) {
					continue
				}
			}
			taken[key] = measured{rec, r.Dir}
		}
	}
	m.Records = len(taken)
	ordered := slices.SortedFunc(maps.Values(taken), func(a, b measured) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Key(), b.Key()))
	})
	records := make([]record.Record, len(ordered))
	for i := range ordered {
		records[i] = *ordered[i].Record
	}
	m.Missing = record.FindMissing(plans, records)
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return m, writeMerged(ctx, out, all, ordered, plans, cfg.Log)
}

// begun reports whether a run has begun to write to dir.
func begun(dir string) bool {
	for _, name := range []string{record.RecordsFile, record.DatasetFile} {
		if _, err := os.Stat(filepath.Join(dir, name)); errors.Is(err, fs.ErrNotExist) {
			return false
		}
	}
	return true
}

// measured is a record and the folder that it is from.
type measured struct {
	*record.Record
	dir string
}

// better reports whether a is to be kept where a and b are of one cell and repetition.
func better(a, b *record.Record) bool {
	if (a.Status == record.OK) != (b.Status == record.OK) {
		return a.Status == record.OK
	}
	return !b.Time.Before(a.Time)
}

func writeMerged(ctx context.Context, out string, all []*record.Results, ordered []measured, plans []record.Planned, log *slog.Logger) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	held, err := lock(ctx, out, log)
	if err != nil {
		return err
	}
	defer held.Release()
	if err := tidy(out); err != nil {
		return err
	}
	var lines []byte
	for _, r := range ordered {
		if lines, err = record.AppendLine(lines, r.Record); err != nil {
			return fmt.Errorf("%s: %w", r.dir, err)
		}
	}
	dataset := all[0].Dataset
	for _, r := range all[1:] {
		for _, w := range r.Dataset.Warnings {
			if !slices.Contains(dataset.Warnings, w) {
				dataset.Warnings = append(dataset.Warnings, w)
			}
		}
		for _, n := range r.Dataset.Notes {
			if !slices.Contains(dataset.Notes, n) {
				dataset.Notes = append(dataset.Notes, n)
			}
		}
		for _, d := range r.Dataset.Difficulty {
			if !slices.ContainsFunc(dataset.Difficulty, func(e record.Difficulty) bool { return e.Metric == d.Metric }) {
				dataset.Difficulty = append(dataset.Difficulty, d)
			}
		}
	}
	if err := mergeGalleries(out, all); err != nil {
		return err
	}
	for _, r := range all {
		if r.Map != nil {
			if err := seal.WriteJSON(filepath.Join(out, record.MapFile), r.Map); err != nil {
				return err
			}
			break
		}
	}
	for _, r := range ordered {
		if err := bring(r, out); err != nil {
			return err
		}
	}
	if len(plans) > 0 {
		if err := record.WritePlans(out, plans); err != nil {
			return err
		}
	}
	if err := seal.WriteJSON(filepath.Join(out, record.DatasetFile), dataset); err != nil {
		return err
	}
	if err := held.Held(); err != nil {
		return fmt.Errorf("%s: %w", out, err)
	}
	return atomicfile.Write(filepath.Join(out, record.RecordsFile), lines)
}

// bring has what was kept of a record in out as well: its answers, and its index.
func bring(r measured, out string) error {
	if sameFile(r.dir, out) {
		return nil
	}
	ids, distances, seconds := record.AnswerFiles(r.Cell, r.Rep)
	files := []string{ids, distances, seconds}
	if r.Rep == 0 {
		index := filepath.FromSlash(r.Cell.IndexFile())
		beside, err := filepath.Glob(filepath.Join(r.dir, index+"?*"))
		if err != nil {
			return err
		}
		for _, b := range beside {
			files = append(files, index+strings.TrimPrefix(b, filepath.Join(r.dir, index)))
		}
		files = append(files, index) // last: where it is, all of it is
	}
	for _, f := range files {
		if err := bringFile(filepath.Join(r.dir, f), filepath.Join(out, f)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("bringing %s to %s: %w", filepath.Join(r.dir, f), out, err)
		}
	}
	return nil
}

// tidy removes what merges that were killed left in out. The lease is held, so nobody else writes there; shards and the
// report have writers of their own.
func tidy(out string) error {
	entries, err := os.ReadDir(out)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	err = atomicfile.Tidy(out, 0)
	for _, e := range entries {
		if e.IsDir() && e.Name() != "shards" && e.Name() != "report" {
			err = errors.Join(err, atomicfile.Tidy(filepath.Join(out, e.Name()), 0))
		}
	}
	return err
}

// bringFile puts a file at to, by a link where the file system has them, or else by a copy.
func bringFile(from, to string) error {
	if _, err := os.Stat(from); err != nil {
		return err
	}
	if sameFile(from, to) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return atomicfile.Replace(to, func(tmp string) error {
		if os.Link(from, tmp) == nil {
			return nil
		}
		return copyFile(from, tmp)
	})
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, in)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
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
			if err := atomicfile.Write(to, picture); err != nil {
				return err
			}
		}
	}
	if g == nil {
		return nil
	}
	return seal.WriteJSON(filepath.Join(out, record.GalleryFile), g)
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
