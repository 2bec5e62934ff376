// Package sweepfile reads sweep files: which vectors, which index families with which settings, and how to measure.
//
// [Read] gives a [Sweep] of which everything is checked that can be checked without the data. Files are strict YAML:
// an unknown key, a wrong value or a missing file is an [*Error] that names the line and column, shows the line,
// and offers the fix. [Schema] describes the same files for editors.
//
// The package knows the families' tables of settings (package indexes) and what data sets have (package dataset),
// and nothing of plans and measurements, which are package bench's.
package sweepfile
