// Package families holds the external families that ship with annbench, a folder each, and the SDKs to
// write more: package indexes/external reads them. docs/howto/add-your-own-index.md is about both.
package families

import (
	"embed"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"annbench/internal/atomicfile"
)

// FS holds a folder for each family, with its family.yaml, and sdk.
//
//go:embed */*
var FS embed.FS

// SDK is the folder of FS with the SDKs.
const SDK = "sdk"

// WriteSDK writes the files of the SDKs into the folder dir, which it creates, and returns their paths.
func WriteSDK(dir string) (paths []string, err error) {
	names, err := fs.ReadDir(FS, SDK)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	for _, e := range names {
		text, err := FS.ReadFile(path.Join(SDK, e.Name()))
		if err != nil {
			return nil, err
		}
		to := filepath.Join(dir, e.Name())
		if err := atomicfile.Write(to, text); err != nil {
			return nil, err
		}
		paths = append(paths, to)
	}
	return paths, nil
}
