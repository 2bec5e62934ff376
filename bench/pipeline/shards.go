package pipeline

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"annbench/bench/dataset/collection"
	"annbench/bench/record"
	"annbench/internal/usage"
	"annbench/internal/words"
)

// embeddingShard is a folder that embed --shard wrote.
type embeddingShard struct {
	dir string
	*collection.Collection
	how record.Embedding
}

// IsVectors says whether dir is a folder of vectors, as embed writes it, and no results folder.
func IsVectors(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "meta.json"))
	return err == nil
}

// MergeVectors joins the shards of one collection in their order: the digest is that of embedding it as a
// whole, on the same kind of device with the same batch.
func (p *Pipeline) MergeVectors(ctx context.Context, dirs []string, out string) error {
	shards := make([]embeddingShard, 0, len(dirs))
	defer func() {
		for _, shard := range shards {
			shard.Close()
		}
	}()
	for _, dir := range dirs {
		c, err := collection.OpenFolder(dir)
		if err != nil {
			return usage.Error{Err: err}
		}
		shards = append(shards, embeddingShard{dir: dir, Collection: c})
		if err := json.Unmarshal(c.Meta.Embedding, &shards[len(shards)-1].how); err != nil || shards[len(shards)-1].how.Shard == nil {
			return usage.Error{Err: fmt.Errorf("%s: not a shard: it was not written by embed --shard", dir)}
		}
	}
	slices.SortFunc(shards, func(a, b embeddingShard) int { return cmp.Compare(a.how.Shard.Index, b.how.Shard.Index) })
	if err := checkShards(shards); err != nil {
		return usage.Error{Err: err}
	}
	for _, shard := range shards {
		if err := shard.Verify(ctx); err != nil {
			return err
		}
	}

	w, err := collection.Create(out, shards[0].Vectors.Dim)
	if err != nil {
		return err
	}
	defer w.Abort()
	how := shards[0].how
	how.Shard = nil
	for i, shard := range shards {
		if err := appendShard(ctx, w, shard.Collection); err != nil {
			return err
		}
		if h := shard.how; i > 0 {
			how.Images += h.Images
			how.TrainedOn += h.TrainedOn
			how.Seconds += h.Seconds
			how.Decode += h.Decode
			how.Prepare += h.Prepare
			how.Infer += h.Infer
			how.Write += h.Write
			how.Skipped = append(how.Skipped, h.Skipped...)
			if h.Device != how.Device || h.Batch != how.Batch {
				p.say("%s was embedded on %s in batches of %d, %s on %s in batches of %d: their vectors differ by rounding from those of one run",
					shards[0].dir, how.Device, how.Batch, shard.dir, h.Device, h.Batch)
			}
			if h.Limit != how.Limit {
				how.Limit = "" // not the same everywhere
			}
		}
	}
	notes := mergedNotes(shards, how.Skipped)
	w.Note(notes...)
	text, err := json.Marshal(how)
	if err != nil {
		return err
	}
	meta, err := w.Commit(text)
	if err != nil {
		return err
	}
	p.say("merged %s: %d images; digest %s", words.Count(len(shards), "shard"), meta.Rows, meta.Digest)
	for _, note := range notes {
		p.say("note: %s", words.Visible(note))
	}
	return nil
}

// mergedNotes are the notes of the shards, and which categories have no vector in any of them.
func mergedNotes(shards []embeddingShard, skipped []record.Failure) (notes []string) {
	had, embedded := map[string]bool{}, map[string]bool{}
	for _, f := range skipped {
		if f.Label != "" {
			had[f.Label] = true
		}
	}
	for _, shard := range shards {
		notes = append(notes, shard.Meta.Notes...)
		for _, label := range labelsOf(shard.Collection) {
			embedded[label] = true
		}
	}
	if note := lost(slices.Sorted(maps.Keys(had)), slices.Collect(maps.Keys(embedded))); note != "" {
		notes = append(notes, note)
	}
	return notes
}

// checkShards says why shards, sorted, are not all of one collection.
func checkShards(shards []embeddingShard) error {
	first := shards[0]
	of := first.how.Shard.Of
	for i, shard := range shards {
		h := shard.how
		switch {
		case h.ModelDigest != first.how.ModelDigest:
			return fmt.Errorf("%s was embedded by model %s, %s by %s: merge shards of one model", first.dir, first.how.Model, shard.dir, h.Model)
		case h.Shard.Of != of:
			return fmt.Errorf("%s is a shard of %d, %s of %d: merge shards of one division", first.dir, of, shard.dir, h.Shard.Of)
		case h.Shard.Key != first.how.Shard.Key:
			return fmt.Errorf("%s and %s are shards of different collections (%s, %s), or of one that changed in between, or with other --thumbnails",
				first.dir, shard.dir, first.how.Source, h.Source)
		case i > 0 && h.Shard.Index == shards[i-1].how.Shard.Index:
			return fmt.Errorf("%s and %s are both shard %d/%d", shards[i-1].dir, shard.dir, h.Shard.Index, of)
		}
	}
	var missing []int
	for index := 1; index <= of; index++ {
		if !slices.ContainsFunc(shards, func(s embeddingShard) bool { return s.how.Shard.Index == index }) {
			missing = append(missing, index)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("shards %v of %d are missing: embed them with --shard, and name all folders", missing, of)
	}
	place := 0
	for _, shard := range shards {
		if shard.how.Shard.First != place {
			return fmt.Errorf("%s begins at image %d, and the shard before it ends at %d", shard.dir, shard.how.Shard.First, place)
		}
		place = shard.how.Shard.End
	}
	if place != first.how.Shard.Total {
		return fmt.Errorf("the shards end at image %d of %d", place, first.how.Shard.Total)
	}
	return nil
}

// appendShard writes all rows of c, with their pictures.
func appendShard(ctx context.Context, w *collection.Writer, c *collection.Collection) error {
	const block = 4096
	for from := 0; from < c.Vectors.Rows; from += block {
		if err := ctx.Err(); err != nil {
			return err
		}
		to := min(from+block, c.Vectors.Rows)
		var thumbs [][]byte
		if c.Meta.Thumbs > 0 {
			thumbs = make([][]byte, to-from)
			for i := range thumbs {
				var err error
				if thumbs[i], _, err = c.Thumb(from + i); err != nil {
					return err
				}
			}
		}
		if err := w.Append(c.Items[from:to], c.Vectors.Slice(from, to), thumbs); err != nil {
			return err
		}
	}
	return nil
}

// VectorsAmong says whether the folders are vectors to be joined; some that are and some that are not are
// an error.
func VectorsAmong(dirs []string) (bool, error) {
	n := 0
	for _, dir := range dirs {
		if IsVectors(dir) {
			n++
		}
	}
	if n > 0 && n < len(dirs) {
		for _, dir := range dirs {
			if !IsVectors(dir) {
				if _, err := os.Stat(collection.PartDir(dir)); err == nil {
					return false, fmt.Errorf("%s is not complete: run its `annbench embed` again", dir)
				}
				return false, fmt.Errorf("%s is no folder of vectors, others are: merge either results or shards of vectors", dir)
			}
		}
	}
	return n > 0, nil
}
