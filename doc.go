// Package annbench is the root of a harness that compares nearest-neighbour indexes for visual
// search: which index, with which settings, belongs behind these images or these vectors. The code
// is in the packages below (indexes, bench, embedder, reports, serve) and the command in cmd/annbench; this
// package holds only the test of who may import whom.
package annbench
