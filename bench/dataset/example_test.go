package dataset_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"annbench/bench/dataset"
	"annbench/bench/dataset/collection"
	"annbench/bench/dataset/vecfile"
	"annbench/indexes/vec"
)

// A file of eleven vectors on a line is divided into ten of the base and one query, whose two exact neighbours are
// the vectors beside it.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "dataset")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	m := vec.NewMatrix(11, 1)
	for i := range m.Rows {
		m.Row(i)[0] = float32(i)
	}
	path := filepath.Join(dir, "line.npy")
	if err := vecfile.Write(ctx, path, vecfile.Table{Vectors: m}); err != nil {
		log.Fatal(err)
	}

	all, err := collection.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	defer all.Close()
	folder, err := dataset.Split(ctx, all, dataset.SplitConfig{Queries: 1, Seed: 1}, dir)
	if err != nil {
		log.Fatal(err)
	}
	set, err := dataset.OpenSet(folder)
	if err != nil {
		log.Fatal(err)
	}
	defer set.Close()
	truth, err := dataset.FindTruth(ctx, set, vec.L2, 2, 1, "", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer truth.Close()
	fmt.Printf("base %d, queries %d, distances %v\n", set.Base.Rows, set.Queries.Rows, truth.Distances(0))
	// Output: base 10, queries 1, distances [1 1]
}
