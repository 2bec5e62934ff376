// Package faissshim is what neither the C API of Faiss nor go-faiss has: over Faiss's C++ headers (shim.cc), and over
// what comes with Faiss, OpenMP and OpenBLAS. It imports nothing of the project, so that its C++ is compiled once and
// not after every change. Without the build tag faiss it is empty.
package faissshim
