// Package families holds the external families that ship with annbench, a folder each, and the SDKs to
// write more: package indexes/external reads them. docs/howto/add-your-own-index.md is about both.
package families

import "embed"

// FS holds a folder for each family, with its family.yaml, and sdk.
//
//go:embed */*
var FS embed.FS

// SDK is the folder of FS with the SDKs.
const SDK = "sdk"
