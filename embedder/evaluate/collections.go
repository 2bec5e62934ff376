package evaluate

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"annbench/embedder/catalog"
)

// Collections opens the labelled pictures in the folders dirs, by open. Of each folder it takes the folders splits
// as the splits of one collection; without splits, the folder test where there is one, else the folder itself.
func Collections(dirs, splits []string, open func(dir string) (catalog.Source, error)) (out []Collection, err error) {
	for i, split := range splits {
		if !filepath.IsLocal(split) || slices.Contains(splits[:i], split) {
			return nil, fmt.Errorf("--split %q is not the name of a folder, or is named twice", split)
		}
	}
	for _, dir := range dirs {
		of := splits
		if len(of) == 0 {
			of = []string{defaultSplit(dir)}
		}
		base := filepath.Base(filepath.Clean(dir))
		col := Collection{Name: base}
		var names []string
		for _, split := range of {
			src, err := open(filepath.Join(dir, split))
			if err != nil {
				return nil, err
			}
			name := base
			if split != "." {
				name, names = base+", "+split, append(names, split)
			}
			col.Splits = append(col.Splits, Split{Name: name, Source: src})
		}
		if len(names) > 0 {
			col.Name += ", " + strings.Join(names, " and ")
		}
		out = append(out, col)
	}
	return out, nil
}

// defaultSplit is "test" where dir has such a folder and is none of boards, else ".".
func defaultSplit(dir string) string {
	if info, err := os.Stat(filepath.Join(dir, "test")); err == nil && info.IsDir() {
		if _, err := os.Stat(filepath.Join(dir, catalog.BoardsFile)); errors.Is(err, fs.ErrNotExist) {
			return "test"
		}
	}
	return "."
}
