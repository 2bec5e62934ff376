// Package proctree starts, finds, measures and ends a process with everything that it started: also what lost
// its parent, or moved to a process group or session of its own. It knows such processes by a mark in their
// environment; see [Mark].
//
// Pipes, deadlines and limits are the caller's. On systems without /proc it finds no sizes, and ends only the
// process group.
package proctree

import (
	"crypto/rand"
	"encoding/hex"
)

// Mark makes an entry for the environment of a process, NAME=VALUE, that no other has. What the process
// starts inherits it, and [Tree], [Held] and [End] find it by that.
func Mark() string {
	var token [8]byte
	_, _ = rand.Read(token[:]) // never fails
	return "ANNBENCH_PROCESS=" + hex.EncodeToString(token[:])
}
