// Package proctree starts, finds, measures and ends a process with everything that it started: also what lost
// its parent, or moved to a process group or session of its own. It knows such processes by a mark in their
// environment; see [Mark].
//
// Pipes, deadlines and limits are the caller's. On systems without /proc it finds no sizes, and ends only the
// process group.
package proctree

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"path/filepath"
	"slices"
	"strings"
)

// Mark makes an entry for the environment of a process, NAME=VALUE, that no other has. What the process
// starts inherits it, and [Tree], [Held] and [End] find it by that.
func Mark() string {
	var token [8]byte
	_, _ = rand.Read(token[:]) // never fails
	return "ANNBENCH_PROCESS=" + hex.EncodeToString(token[:])
}

// Mapping is a part of a file, or of shared memory, in the address space of a process.
type Mapping struct {
	Path   string // links resolved; of a file that was removed, what it was
	Of     string // the same for mappings of one file, whichever process has them
	Offset int64  // in the file, bytes
	Length int64
	// Resident is what of it is in memory, and Touched what of that was read or written since [ForgetTouched].
	Resident, Touched int64
	// Anonymous is what of Resident the process has changed for itself, which [Held] counts.
	Anonymous int64
}

// Real is path as [Mapping] has paths: absolute, its links resolved where it is there.
func Real(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return path
}

// Within reports whether m is of the file at path, which is [Real], or of one below the folder at path.
func (m *Mapping) Within(path string) bool {
	return m.Path == path || strings.HasPrefix(m.Path, strings.TrimSuffix(path, "/")+"/")
}

// Shared reports whether m is of memory that processes share, and of no file on a disk.
func (m *Mapping) Shared() bool {
	for _, kind := range []string{"/dev/shm/", "/dev/zero", "/memfd:", "/SYSV"} {
		if strings.HasPrefix(m.Path, kind) {
			return true
		}
	}
	return false
}

// Union is what mappings take up together, where several are of the same parts of a file: their length, and of that
// what is in memory, and what was touched. What processes have changed for themselves is left out.
func Union(all []Mapping) (length, resident, touched int64) {
	files := map[string][]Mapping{}
	for _, m := range all {
		files[m.Of] = append(files[m.Of], m)
	}
	for _, parts := range files {
		slices.SortFunc(parts, func(a, b Mapping) int { return cmp.Compare(a.Offset, b.Offset) })
		var whole, in, read, end int64
		for _, m := range parts {
			whole += max(0, m.Offset+m.Length-max(end, m.Offset)) - m.Anonymous
			end = max(end, m.Offset+m.Length)
			in += m.Resident - m.Anonymous
			read += max(0, m.Touched-m.Anonymous)
		}
		whole = max(0, whole)
		length, resident, touched = length+whole, resident+min(whole, in), touched+min(whole, read)
	}
	return length, resident, touched
}
