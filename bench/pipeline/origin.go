package pipeline

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"annbench/bench/dataset"
	"annbench/bench/dataset/collection"
	"annbench/bench/sweepfile"
	"annbench/embedder/catalog"
	"annbench/embedder/models"
	"annbench/internal/atomicfile"
	"annbench/internal/seal"
)

// Origin says where a run's pictures came from, so that they can be shown in full. Paths are absolute, or
// addresses in object storage.
type Origin struct {
	Images   string              `json:"images,omitempty"`
	TSV      string              `json:"tsv,omitempty"`
	Rendered *sweepfile.Rendered `json:"rendered,omitempty"`
	Vectors  string              `json:"vectors,omitempty"`
	Model    string              `json:"model,omitempty"`
}

// originFile is the name of an origin in a results folder.
const originFile = "source.json"

// keepOrigin notes in the results folder out where its data came from.
func keepOrigin(d *sweepfile.Data, out string) error {
	o := Origin{Images: d.Images, Rendered: d.Rendered, Vectors: d.Vectors, Model: d.Model}
	if d.Boards != nil {
		o.TSV, o.Images = d.Boards.TSV, d.Boards.Images
	}
	for _, path := range []*string{&o.Images, &o.TSV, &o.Vectors, &o.Model} {
		if *path == "" || sweepfile.InStorage(*path) || path == &o.Model && models.IsShipped(*path) {
			continue
		}
		abs, err := filepath.Abs(*path)
		if err != nil {
			return err
		}
		*path = abs
	}
	return seal.WriteJSON(filepath.Join(out, originFile), o)
}

// ReadOrigin is empty where the folder has none: pictures are then shown small. It is an error if the note is not as it was
// written.
func ReadOrigin(dir string) (o Origin, err error) {
	switch _, err := seal.ReadJSON(filepath.Join(dir, originFile), &o); {
	case errors.Is(err, fs.ErrNotExist):
		return Origin{}, nil
	case err != nil:
		return Origin{}, fmt.Errorf("%w: delete the file, and pictures are shown small, or its sha256 alone if you mean the change", err)
	}
	return o, nil
}

// BringOrigin takes the note of where the data came from into the folder out, from the first of the folders
// that has one.
func BringOrigin(folders []string, out string) error {
	for _, dir := range folders {
		b, err := os.ReadFile(filepath.Join(dir, originFile))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return err
		}
		return atomicfile.Write(filepath.Join(out, originFile), b)
	}
	return nil
}

// Open opens the pictures; nil where there are none.
func (o *Origin) Open() (catalog.Source, error) {
	switch {
	case o.Rendered != nil:
		return drawn(o.Rendered, false)
	case o.TSV != "":
		return catalog.OpenBoards(o.TSV, o.Images)
	case o.Images != "":
		src, err := catalog.Open(o.Images)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s is not there any more", strings.TrimSpace(o.Images))
		}
		return src, err
	}
	return nil, nil
}

// SetOf opens the data set with that digest in the cache.
func (p *Pipeline) SetOf(digest string) (*dataset.Set, error) {
	cache, err := p.cache("sets")
	if err != nil {
		return nil, err
	}
	return dataset.OpenSet(filepath.Join(cache, "set-"+digest[:min(16, len(digest))]))
}

// Pictures opens the collection with that digest, if it has pictures and can be found, in the cache or as
// the vectors of o; nil where it cannot.
func (p *Pipeline) Pictures(digest string, o Origin) *collection.Collection {
	for _, dir := range p.picturesFolders(digest, o) {
		if c, err := collection.OpenFolder(dir); err == nil {
			return c
		}
	}
	return nil
}

// picturesFolders are those of the collections with that digest that have pictures.
func (p *Pipeline) picturesFolders(digest string, o Origin) (out []string) {
	cache, err := p.cache("embeddings")
	if err != nil {
		return nil
	}
	dirs, err := filepath.Glob(filepath.Join(cache, "*"))
	if err != nil {
		return nil
	}
	if joined, err := p.cache("joined"); err == nil {
		more, _ := filepath.Glob(filepath.Join(joined, "*"))
		dirs = append(dirs, more...)
	}
	if o.Vectors != "" {
		dirs = append(dirs, o.Vectors)
	}
	for _, dir := range dirs {
		var meta collection.Meta
		if atomicfile.ReadJSON(filepath.Join(dir, "meta.json"), &meta) == nil && meta.Digest == digest && meta.Thumbs > 0 {
			out = append(out, dir)
		}
	}
	return out
}
