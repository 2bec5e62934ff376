//go:build !linux

package main

// localDisk is known on Linux alone.
func localDisk(string) string { return "" }
