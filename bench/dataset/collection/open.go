package collection

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Open opens the vectors at path where they can be mapped as they are: a folder that a [Writer]
// committed, or a .npy file of float32. [OpenFiles] reads everything else as well. Close the
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
		return OpenFolder(path)
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
