package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"annbench/bench/dataset"
	"annbench/bench/dataset/collection"
	"annbench/bench/kept"
	"annbench/bench/record"
	"annbench/embedder/models"
	"annbench/internal/usage"
)

// What results keep of the data, by the names that package kept has it under.
const (
	keptSet      = "set"
	keptPictures = "pictures"
	keptModel    = "model"
)

// Keep puts what serving the results needs beside their indexes into their folder: the vectors, the small pictures,
// and the model where it is a file. From then on the folder can be served on a machine that has nothing else. It is an error
// that names the file if an index or a vector has changed since it was written.
func (p *Pipeline) Keep(ctx context.Context, r *record.Results, o Origin) (kept.Sum, error) {
	set, err := p.SetFor(ctx, r)
	if err != nil {
		return kept.Sum{}, err
	}
	defer set.Close()
	if within(set.Dir, r.Dir) {
		return kept.Sum{}, usage.Error{Err: fmt.Errorf("%s keeps its vectors already, and the cache has no others", r.Dir)}
	}
	if err := record.CheckIndexes(ctx, r.Dir, r.Dataset); err != nil {
		return kept.Sum{}, err
	}
	if err := set.Verify(ctx); err != nil {
		return kept.Sum{}, err
	}
	trees := []kept.Tree{{From: set.Dir, As: keptSet}}
	if dirs := p.picturesFolders(set.Collection, o); len(dirs) > 0 {
		trees = append(trees, kept.Tree{From: dirs[0], As: keptPictures})
	}
	if o.Model != "" {
		card, err := models.Open(o.Model)
		if err != nil {
			return kept.Sum{}, err
		}
		trees = append(trees, kept.Tree{From: o.Model, As: keptModel + "/" + filepath.Base(o.Model)})
		if below, err := filepath.Rel(filepath.Dir(o.Model), card.Path); err == nil && card.Path != o.Model && filepath.IsLocal(below) {
			trees = append(trees, kept.Tree{From: card.Path, As: keptModel + "/" + filepath.ToSlash(below)})
		}
	}
	return kept.Keep(ctx, r.Dir, trees)
}

func within(path, dir string) bool {
	a, err := filepath.Abs(path)
	if err != nil {
		return false
	}
	b, err := filepath.Abs(dir)
	if err != nil {
		return false
	}
	below, err := filepath.Rel(b, a)
	return err == nil && filepath.IsLocal(below)
}

// SetFor opens the data set of the results: out of the cache, or what they keep, which is compared with its
// checksums.
func (p *Pipeline) SetFor(ctx context.Context, r *record.Results) (*dataset.Set, error) {
	set, err := p.SetOf(r.Dataset.Digest)
	if err == nil {
		return set, nil
	}
	dir, missing := kept.Find(ctx, r.Dir, keptSet)
	if errors.Is(missing, fs.ErrNotExist) {
		return nil, fmt.Errorf("the vectors of %s are neither in it nor in the cache (%w): run `annbench pack` on the machine that ran it, or run it again, which measures nothing that is there, or set ANNBENCH_CACHE", r.Dir, err)
	} else if missing != nil {
		return nil, missing
	}
	return dataset.OpenSet(dir)
}

// PicturesFor opens the small pictures of the results: out of the cache, or what they keep; nil where there are none.
func (p *Pipeline) PicturesFor(ctx context.Context, r *record.Results, digest string, o Origin) (*collection.Collection, error) {
	if c := p.Pictures(digest, o); c != nil {
		return c, nil
	}
	dir, err := kept.Find(ctx, r.Dir, keptPictures)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	return collection.OpenFolder(dir)
}

// ModelFor is the path of the model of the results: where it came from, or what they keep.
func ModelFor(ctx context.Context, r *record.Results, o Origin) (string, error) {
	if o.Model == "" {
		return "", nil
	}
	if _, err := os.Stat(o.Model); !errors.Is(err, fs.ErrNotExist) {
		return o.Model, nil
	}
	if _, err := kept.Find(ctx, r.Dir, keptModel); errors.Is(err, fs.ErrNotExist) {
		return o.Model, nil
	} else if err != nil {
		return "", err
	}
	return filepath.Join(r.Dir, kept.Folder, keptModel, filepath.Base(o.Model)), nil
}
