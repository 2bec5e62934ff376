// Package vecfile reads and writes files of vectors in the formats of other tools: one file of Go per format, and
// one table of them, [Formats], from which errors, docs and commands take their lists.
//
// [Open] opens a file of any format and gives its vectors in blocks, so that memory does not grow with the file,
// together with labels, ids, queries and neighbours where the file has them. [MapMatrix] and [MapArray] map NumPy
// files of plain numbers as they stand. [Write], [WriteArray] and [HDF5.WriteFile] write files, whole or not at all.
//
// Errors name the file, and the byte, line or row; those of [Rows] leave the file to the caller. No claim of a header is believed that the size of the file does
// not bear out.
//
// The package knows nothing of data sets: package collection stores what it reads. It imports package vec and
// nothing else of annbench but internals.
package vecfile
