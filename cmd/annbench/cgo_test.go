//go:build cgo

package main

func init() { hasCgo = true }
