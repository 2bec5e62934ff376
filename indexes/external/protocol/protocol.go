// Package protocol is what annbench and the program of an external family say to each other: one JSON
// object a line, requests on the program's standard input, replies on its standard output.
//
// It holds the messages and nothing else: package external is annbench's end, package host the end of a
// program in Go. docs/reference/external-protocol.md is the same for authors in any language.
package protocol

// Version is the version of the protocol that this package speaks.
const Version = 1

// LongestLine is the most bytes of one line, in either direction.
const LongestLine = 1 << 20

// What a request asks for, in the field do.
const (
	Hello  = "hello"  // who are you; answered before anything else is asked
	Build  = "build"  // make an index of Vectors
	Save   = "save"   // write the index into the empty folder Path
	Load   = "load"   // read what Save wrote, in another process, later
	Set    = "set"    // change search settings
	Search = "search" // answer queries, with a clock around each
	Settle = "settle" // give back memory that is not needed: the process is about to be weighed
	Done   = "done"   // answer, and end
)

// What a program can do beyond building, setting and searching, in the field can of its hello.
const (
	CanSave   = "save"   // save and load
	CanBatch  = "batch"  // search with batch: true
	CanSettle = "settle" // settle
)

// Request is one line to the program. Fields that a request does not use are left out.
type Request struct {
	Do string `json:"do"`

	Protocol int `json:"protocol,omitempty"` // of hello: the version that annbench speaks

	// Of build and load. Vectors are the base: an answer's id is a row number of it. Settings are those
	// of the build, and the search settings to begin with, all of them.
	Vectors *Matrix `json:"vectors,omitempty"`
	Metric  string  `json:"metric,omitempty"` // l2, cosine or ip
	Threads int     `json:"threads,omitempty"`
	Seed    uint64  `json:"seed,omitempty"`

	Settings map[string]any `json:"settings,omitzero"` // of build, load and set: by name; {} of a family without any

	Path string `json:"path,omitempty"` // of save and load: a folder

	// Of search: the rows First to First+Count-1 of Queries are to be answered with K ids each.
	Queries *Matrix `json:"queries,omitempty"`
	First   int     `json:"first"`
	Count   int     `json:"count,omitempty"`
	K       int     `json:"k,omitempty"`
	Batch   bool    `json:"batch,omitempty"` // in one call of the library, without a clock around each
	IDs     string  `json:"ids,omitempty"`   // file to write: Count × K int64, little-endian; -1 where there are fewer
	Times   string  `json:"times,omitempty"` // file to write: Count int64, nanoseconds of each search; not of a batch
}

// Matrix is float32 numbers in a file, little-endian, row after row, without gaps.
type Matrix struct {
	File   string `json:"file"`
	Offset int64  `json:"offset"` // bytes before the first number
	Rows   int    `json:"rows"`
	Dim    int    `json:"dim"`
}

// Reply is one line from the program: exactly one for each request, before which any number of lines
// with nothing but a phase may come.
type Reply struct {
	// Phase says that a part of a build begins: train, add or finish.
	Phase string `json:"phase,omitempty"`

	Error string `json:"error,omitempty"` // what went wrong, for people; the program may continue

	// Of hello.
	Protocol int      `json:"protocol,omitempty"`
	Library  string   `json:"library,omitempty"`
	Version  string   `json:"version,omitempty"` // of the library
	Runtime  string   `json:"runtime,omitempty"` // what calls it: "Python 3.11.7, numpy 2.1"; empty for native programs
	Metrics  []string `json:"metrics,omitempty"`
	Can      []string `json:"can,omitempty"`

	// Of build, load and search: around the library's calls alone.
	Wall int64 `json:"wall_ns,omitempty"`
	CPU  int64 `json:"cpu_ns,omitempty"` // processor time of the process, all of its threads

	// Of search: what the program mended in the library's answers.
	Repeated int `json:"repeated,omitempty"` // ids that came twice for a query, left out
	Extra    int `json:"extra,omitempty"`    // ids beyond the k-th, left out

	// Warnings are doubts of the program about its own numbers, for people.
	Warnings []string `json:"warnings,omitempty"`
}
