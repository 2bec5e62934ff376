package pipeline

import (
	"context"
	"fmt"
	"runtime"

	"annbench/bench"
	"annbench/bench/dataset"
	"annbench/bench/dataset/collection"
	"annbench/bench/record"
	"annbench/indexes/vec"
)

// DescribeConfig says how vectors are described.
type DescribeConfig struct {
	// Metric is the distance. Empty: what the collection says, or cosine.
	Metric vec.Metric
	// Queries is how many vectors are searched for. 0: those that the collection gives, or at most 1000 that
	// are held out.
	Queries int
	// Seed decides which vectors are held out.
	Seed uint64
}

// Description says what vectors are like, and how hard they are to search.
type Description struct {
	Name       string            `json:"name"`
	Base       int               `json:"base"`
	Queries    int               `json:"queries"`
	Given      bool              `json:"queries_given"` // by the collection, not held out
	Dim        int               `json:"dim"`
	Labels     int               `json:"labels"`
	Warnings   []string          `json:"warnings,omitempty"` // what the checks of the data found
	Difficulty record.Difficulty `json:"difficulty"`
}

// describedNeighbors is how many exact neighbours a description is made from.
const describedNeighbors = 100

// Describe searches a collection exactly, which takes a while for large ones and is kept in the cache, and
// says how hard it is.
func (p *Pipeline) Describe(ctx context.Context, all *collection.Collection, c DescribeConfig) (*Description, error) {
	metric := c.Metric
	switch {
	case metric != "":
	case all.Meta.Metric != "":
		metric = all.Meta.Metric
	case all.Meta.Word != "":
		return nil, fmt.Errorf("%s is made for the metric %q, which annbench does not have: name one with --metric", all.Name, all.Meta.Word)
	default:
		metric = vec.Cosine
	}
	dir, err := p.Split(ctx, all, dataset.SplitConfig{Queries: c.Queries, Seed: c.Seed})
	if err != nil {
		return nil, err
	}
	set, err := dataset.OpenSet(dir)
	if err != nil {
		return nil, err
	}
	defer set.Close()
	if err := set.Verify(ctx); err != nil {
		return nil, err
	}
	var allow []string
	for _, g := range dataset.Gates {
		allow = append(allow, g.Name) // here all of them warn, and none ends anything
	}
	warnings, err := set.Check(metric, allow...)
	if err != nil {
		return nil, err
	}
	truth, err := dataset.FindTruth(ctx, set, metric, describedNeighbors, runtime.NumCPU(), "", func(done int) {
		p.progress("exact neighbours", done, set.Queries.Rows, 0)
	})
	p.clear()
	if err != nil {
		return nil, err
	}
	defer truth.Close()
	if path := all.NeighborsFile(); path != "" && all.Meta.Metric == metric {
		given, err := collection.ReadNeighbors(path)
		if err != nil {
			return nil, err
		}
		more, err := dataset.CheckNeighbors(set, truth, given, set.Base.Rows, allow...)
		if err != nil {
			return nil, err
		}
		warnings = append(warnings, more...)
	}
	return &Description{
		Name: all.Name, Base: set.Base.Rows, Queries: set.Queries.Rows, Given: all.Meta.Queries > 0, Dim: set.Base.Dim,
		Labels: len(set.Labels), Warnings: warnings, Difficulty: bench.Describe(set, truth),
	}, nil
}
