package vecfile_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"

	"annbench/bench/dataset/vecfile"
	"annbench/indexes/vec"
)

// Three vectors are written in the form of big-ann-benchmarks, and read again, two at a time.
func Example() {
	dir, err := os.MkdirTemp("", "vectors")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "mine.fbin")
	m := vec.Matrix{Rows: 3, Dim: 2, Data: []float32{1, 2, 3, 4, 5, 6}}
	if err := vecfile.Write(context.Background(), path, vecfile.Table{Vectors: m}); err != nil {
		log.Fatal(err)
	}

	f, err := vecfile.Open(path, vecfile.Columns{})
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	fmt.Println(f.Count, "vectors of", f.Dim, "dimensions")
	block := make([]float32, 2*f.Dim)
	for {
		n, err := f.Rows.Next(block)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(block[:n*f.Dim])
	}
	// Output:
	// 3 vectors of 2 dimensions
	// [1 2 3 4]
	// [5 6]
}
