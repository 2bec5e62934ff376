// Package dataset makes what a sweep runs on: sets, and their exact neighbours.
//
// A [Set] is a collection of vectors (package collection) divided by [Split] into a base, which is searched, and
// queries, which are not in the base; next to it are the exact neighbours that [FindTruth] found. A set is derived,
// lives in a cache, and can be deleted at any time. [Set.Check] and [CheckNeighbors] look for what would make
// measurements meaningless; [Gates] lists what ends a run. [OpenSynthetic] draws vectors where there are no others.
//
// Vectors are mapped, not read: opening costs the same for a thousand rows and for a million, and processes that
// open one file share its pages. Shortening a mapped file crashes the processes that read it; this package never
// changes a file that it has published. Everything is written under a temporary name, synced and renamed, so a
// folder is complete or it is not there, also when several processes write the same one. Folders that a killed
// process left (".NAME.tmp-...") are never used and can be deleted.
//
// The package neither reads files of other tools (package vecfile), nor embeds (package embedder), nor measures
// (package bench).
package dataset
