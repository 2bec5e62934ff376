//go:build !linux

package cluster

// LocalDisk is known on Linux alone.
func LocalDisk(string) string { return "" }
