package record

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"annbench/internal/seal"
)

// indexLabel says of which data set a saved index is, and what its files are.
type indexLabel struct {
	Dataset string `json:"dataset"` // digest
	Rows    int    `json:"rows"`    // vectors searched
	Dim     int    `json:"dim"`
	// Files are the SHA-256 of the index's files, by what their names have after that of the index.
	Files map[string]string `json:"files"`
}

// labelSuffix follows the name of an index in that of its label.
const labelSuffix = ".label.json"

// LabelIndex writes beside the saved index at path, all files whose names begin with it, of which data set
// it is. Like the sums, it is for [CheckIndex].
func LabelIndex(ctx context.Context, path string, d Dataset) error {
	label := indexLabel{Dataset: d.Digest, Rows: d.Base, Dim: d.Dim}
	var err error
	if label.Files, err = indexSums(ctx, path); err != nil {
		return err
	}
	return seal.WriteJSON(path+labelSuffix, label)
}

// CheckIndex says what keeps the saved index at path from being one of this data set: it is of another, its
// files have changed since they were written, or it has no label, as those of older versions have none.
// What it advises is to have the index made again.
func CheckIndex(ctx context.Context, path string, d Dataset) error {
	err := checkIndex(ctx, path, d)
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("%w; delete %s, and it is built again", err, path)
	}
	return err
}

// CheckIndexes is [CheckIndex] for every index with a label that the results folder dir keeps. The error names the first
// that has changed.
func CheckIndexes(ctx context.Context, dir string, d Dataset) error {
	entries, err := os.ReadDir(filepath.Join(dir, IndexesDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), labelSuffix); ok {
			if err := CheckIndex(ctx, filepath.Join(dir, IndexesDir, name), d); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkIndex(ctx context.Context, path string, d Dataset) error {
	var label indexLabel
	sealed, err := seal.ReadJSON(path+labelSuffix, &label)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s does not say of which data set it is: it has no %s", path, filepath.Base(path)+labelSuffix)
	case err != nil:
		return err
	case !sealed:
		return fmt.Errorf("%s has no checksum", path+labelSuffix)
	case label.Dataset != d.Digest || label.Rows != d.Base || label.Dim != d.Dim:
		return fmt.Errorf("%s is the index of another data set: of %d vectors of %d dimensions (%.12s...), these results have %d of %d (%.12s...)",
			path, label.Rows, label.Dim, label.Dataset, d.Base, d.Dim, d.Digest)
	}
	sums, err := indexSums(ctx, path)
	if err != nil {
		return err
	}
	for suffix, sum := range label.Files {
		if sums[suffix] != sum {
			if sums[suffix] == "" {
				return fmt.Errorf("%s is not there", path+suffix)
			}
			return seal.Changed(path+suffix, sums[suffix], sum)
		}
	}
	return nil
}

// indexSums are the sums of the files whose names begin with path, those in such folders included.
func indexSums(ctx context.Context, path string) (map[string]string, error) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	sums := map[string]string{}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), filepath.Base(path)) || strings.HasSuffix(e.Name(), labelSuffix) {
			continue
		}
		err := filepath.WalkDir(filepath.Join(filepath.Dir(path), e.Name()), func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			sum, err := seal.Sum(ctx, name)
			sums[strings.TrimPrefix(filepath.ToSlash(name), filepath.ToSlash(path))] = sum
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return sums, nil
}
