// Package dataset holds vectors with their labels and their exact neighbours, on disk and mapped
// into memory.
//
// There are two kinds of folders. A [Collection] is what was embedded or given: all vectors, an id
// and a category for each, pictures. A [Set] is what a sweep runs on: a collection divided by
// [Split] into a base, which is searched, and queries, which never stand in the base; beside it lie
// the exact neighbours that [FindTruth] found. A set is derived, lives in a cache, and can be deleted at
// any time.
//
// Vectors are mapped, not read: opening costs the same for a thousand rows and for a million, and
// processes that open one file share its pages. Whoever shortens a mapped file makes the processes
// that read it crash; this package never changes a file that it has published. Everything is written
// under a temporary name, synced and renamed, so a folder is complete or it is not there, also when
// several processes write the same one. What a process that was ended has left (".NAME.tmp-...") is
// never used and can be deleted.
//
// Files of other tools ([Formats]) are read by [OpenSource], which streams them into a collection in
// the cache, once.
//
// The package neither embeds (package embedder) nor measures (package bench), and the description of
// an embedding is opaque to it. It imports package vec and nothing else of annbench.
package dataset

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Open opens the vectors at path where they can be mapped as they are: a folder that a [Writer]
// committed, or a .npy file of float32. [OpenSource] reads everything else as well. Close the
// collection after use.
func Open(path string) (*Collection, error) {
	if strings.HasPrefix(path, "s3://") {
		return nil, fmt.Errorf("%s: what is in object storage has to be fetched first, and is not opened there", path)
	}
	info, err := os.Stat(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("no vectors at %s: there is no such file or folder", path)
		}
		return nil, err
	}
	switch {
	case info.IsDir():
		return OpenCollection(path)
	case strings.EqualFold(filepath.Ext(path), ".npy"):
		return openNPY(path)
	}
	return nil, fmt.Errorf("%s: only a collection folder and a NumPy file of float32 (.npy) can be mapped as they are", path)
}

// OpenVectors opens the vectors at vectors as [Open] does, and gives them the categories in the text
// file at labels: one a line, line i for row i, an empty line for none. With labels empty the vectors
// stay as they are. It is an error if lines and rows differ in number, or if the vectors have
// categories already.
func OpenVectors(vectors, labels string) (*Collection, error) {
	c, err := Open(vectors)
	if err != nil || labels == "" {
		return c, err
	}
	if err := c.readLabels(labels); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}
