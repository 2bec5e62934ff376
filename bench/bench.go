// Package bench turns a sweep (package sweepfile) into measurements: [MakePlan], and [Run.Do], which
// measures every cell in processes of its own and appends a record for each to the results folder.
//
// It does not embed images (package embedder) and draws nothing (package reports). Both ends of the
// worker process are here: [Run.Do] starts them, [Work] is what they do.
//
// Each build of an index costs two processes or more, one after the other. The first maps the vectors,
// builds under the clock and saves the index. The second starts with nothing, loads the saved
// index, answers every query once, reads its own memory, waits for its turns in the rounds that time the
// settings of all builds of a repetition (rounds.go), and scores. So memory is that of a server that loaded the index, free of what the build left behind,
// and what is timed is what would be served. Searches by several threads at once have a process for
// each number of threads, which loads the same file.
package bench

import "annbench/bench/record"

// Engine is the version of the way of measuring. Records of another version are measured again.
const Engine = record.HarnessVersion
