//go:build !cgo

package embedder

import (
	"errors"

	"annbench/embedder/models"
)

var errNoCgo = errors.New("this build cannot embed: it was made without cgo, which ONNX Runtime needs; " +
	"build again with a C compiler and CGO_ENABLED=1")

func builtWithCgo() error { return errNoCgo }

func openRuntime(string) (string, error) { return "", errNoCgo }

func loadedRuntime() (name, path string) { return "", "" }

func readGraph(*models.Card) (graph, error) { return graph{}, errNoCgo }

func openEngine(*models.Card, engineSetup) (engine, error) { return nil, errNoCgo }
