package models

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// DefaultName is the name of the model that ships.
const DefaultName = "fashion-resnet18"

// Default opens the model that ships: embedder/models/fashion-resnet18.json of the repository that
// the working directory lies in.
func Default() (*Card, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, fmt.Errorf("finding the model that ships: %w", err)
	}
	for {
		path := filepath.Join(dir, "embedder", "models", DefaultName+".json")
		if _, err := os.Stat(path); err == nil {
			return Open(path)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("finding the model that ships: %w", err)
		}
		up := filepath.Dir(dir)
		if up == dir {
			return nil, fmt.Errorf("finding the model that ships: no folder above the working directory holds embedder/models/%s.json", DefaultName)
		}
		dir = up
	}
}
