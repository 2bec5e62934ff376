// Package configs holds the sweep files that ship. README.md beside it is the reference of their
// keys.
package configs

import _ "embed"

// Default is default.yaml: the sweep that quickstart runs.
//
//go:embed default.yaml
var Default []byte

// Vectors is vectors.yaml: the sweep that is run on a file of vectors where no other is named.
//
//go:embed vectors.yaml
var Vectors []byte
