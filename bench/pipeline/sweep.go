package pipeline

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"annbench/bench"
	"annbench/bench/dataset"
	"annbench/bench/sweepfile"
	"annbench/configs"
	"annbench/indexes/vec"
)

// SweepConfig says what is measured: a sweep file, vectors, or both; and what differs from the file.
type SweepConfig struct {
	// Sweep is the sweep file. Empty: configs/vectors.yaml, which is part of the program, on Data.
	Sweep string
	// Data are vectors to measure on instead of the sweep's: a file, a folder, or an address in object storage.
	Data string
	// Labels are the categories of Data.
	Labels string
	// Queries is how many vectors to search for. 0: as the sweep says, or by the data.
	Queries int
	// Metric is the distance. Empty: as the sweep says, or by the data.
	Metric vec.Metric
	// Allow names checks of the data that warn instead of refusing it: see [dataset.Gates].
	Allow []string
}

// Read reads the sweep file, and applies the rest to it. Errors name the flags of `annbench run`, which are called
// like the fields.
func (c SweepConfig) Read() (*sweepfile.Sweep, error) {
	var sweep *sweepfile.Sweep
	var err error
	switch {
	case c.Sweep != "":
		sweep, err = sweepfile.Read(c.Sweep)
	case c.Data != "":
		sweep, err = sweepfile.Parse("configs/vectors.yaml", configs.Vectors)
	default:
		err = errors.New("name a sweep file, or vectors with --data")
	}
	if err != nil {
		return nil, err
	}
	if c.Labels != "" && c.Data == "" {
		return nil, errors.New("--labels are those of --data; a sweep file has data.labels")
	}
	if c.Data != "" {
		if _, err := os.Stat(c.Data); err != nil && !sweepfile.InStorage(c.Data) {
			return nil, fmt.Errorf("--data: there is no %s", c.Data)
		}
		sweep.Data = sweepfile.Data{Vectors: c.Data, Labels: c.Labels, Allow: sweep.Data.Allow}
		sweep.Name = strings.TrimSuffix(filepath.Base(filepath.Clean(c.Data)), filepath.Ext(c.Data))
		sweep.Fit = c.Sweep == ""
	}
	if c.Queries < 0 {
		return nil, fmt.Errorf("--queries must be at least 1, not %d", c.Queries)
	}
	if c.Queries > 0 {
		sweep.Queries = c.Queries
	}
	if c.Metric != "" {
		sweep.SetMetric(c.Metric)
	}
	for _, name := range c.Allow {
		if err := dataset.CheckGate(name); err != nil {
			return nil, fmt.Errorf("--allow: %w", err)
		}
		sweep.Data.Allow = append(sweep.Data.Allow, name)
	}
	return sweep, nil
}

// OneSize refuses a sweep over several numbers of vectors, which is several sweeps; what needs one is "a job array is".
func OneSize(sweep *sweepfile.Sweep, what string) error {
	if y := sweep.Data.Synthetic; y != nil && len(y.N) > 1 {
		return fmt.Errorf("%s: data.synthetic.n names %d sizes, and %s of one: give each a sweep file of its own", sweep.Name, len(y.N), what)
	}
	return nil
}

// FindTruth finds the k exact neighbours of every query under a metric on so many threads, or, with a shard, those
// in its part of the base. They stay in the data set's folder; the path of the file is returned.
func (p *Pipeline) FindTruth(ctx context.Context, d *Data, m vec.Metric, k int, shard bench.Shard, threads int) (path string, err error) {
	began := time.Now()
	count := p.counting(fmt.Sprintf("exact neighbours (%s)", m))
	progress := func(done int) { count(done, d.Queries.Rows) }
	defer p.clear()
	if shard.Of > 0 {
		if path, err = dataset.FindTruthPart(ctx, d.Set, m, k, dataset.TruthPart(shard), threads, "", progress); err == nil {
			p.say("exact neighbours under %s in part %v: %v", m, shard, time.Since(began).Round(time.Millisecond))
		}
		return path, err
	}
	truth, err := dataset.FindTruth(ctx, d.Set, m, k, threads, "", progress)
	if err != nil {
		return "", err
	}
	p.say("exact neighbours under %s, %d for each of %d queries: %v", m, truth.K, d.Queries.Rows, time.Since(began).Round(time.Millisecond))
	return filepath.Join(d.Dir, fmt.Sprintf("truth-%s-%d", m, truth.K)), truth.Close()
}
