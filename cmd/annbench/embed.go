package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"annbench/bench"
	"annbench/bench/dataset/collection"
	"annbench/bench/pipeline"
	"annbench/embedder"
	"annbench/embedder/catalog"
	"annbench/embedder/models"
)

type embedCmd struct {
	images
	Out   string `help:"Folder for the vectors. What the same call left there is resumed, and where it is whole, nothing is done." placeholder:"DIR" s3:"made"`
	Model string `help:"Card (.json, .yaml) of an ONNX model, or one that ships: fashion-lite0 or fashion-resnet18. Default: the first of these." placeholder:"CARD" s3:"card"`
	Size  int    `help:"Give the model pictures of this many pixels a side instead of its own, if its graph works at any size." placeholder:"PIXELS"`
	deviceFlags
	Batch      string      `help:"Images per run of the model, or auto: found by trying. With --bench, a list of these." default:"32" placeholder:"N"`
	Strict     bool        `help:"End with an error at the first image that cannot be read."`
	Thumbnails int         `help:"Longest side of the pictures kept for galleries; 0 keeps none." default:"96"`
	Shard      bench.Shard `help:"Embed one part of the collection, such as 2/8, into DIR-2-of-8; annbench merge joins them." placeholder:"I/N"`
	JSON       bool        `help:"Print what was done as JSON."`
	benchFlags
}

// Help is printed below the flags.
func (embedCmd) Help() string {
	return `Images that cannot be read are listed, left out and counted. The vectors are vectors.npy in the
folder, which NumPy reads; items.jsonl has id and category of each row.

If a call was stopped for any reason, the same call resumes it: no image is embedded twice.

Examples:
  annbench embed photos --out photos.vectors
  annbench embed --tsv raw_test.tsv --images boards --out boards.vectors
  annbench embed photos --out photos.vectors --device cpu --strict
  annbench embed photos --out photos.vectors --device cuda --device-option cuda.device_id=1 --batch auto
  annbench embed photos --bench --device cpu --batch 1,32,auto --precision fp32,fp16
  annbench embed photos --out photos.vectors --shard 2/8
  annbench merge photos.vectors-*-of-8 --out photos.vectors`
}

func (c *embedCmd) Run(ctx context.Context, s *surface) error {
	if c.Thumbnails < 0 {
		return misuse(errors.New("--thumbnails must be at least 0"))
	}
	if c.Out == "" && !c.Bench {
		return misuse(errors.New("name the folder for the vectors: --out DIR"))
	}
	sizes, err := embedder.ParseBatches(c.Batch)
	if err != nil {
		return misuse(fmt.Errorf("--batch: %w", err))
	}
	if c.Shard.Of > 0 {
		c.Out = fmt.Sprintf("%s-%d-of-%d", filepath.Clean(c.Out), c.Shard.Index, c.Shard.Of)
	}
	src, err := c.open(s, c.Strict)
	if err != nil {
		return err
	}
	card, err := embedder.OpenCard(c.Model, c.Size)
	if err != nil {
		return err
	}
	if c.Bench {
		o, precisions, err := c.session(s)
		if err != nil {
			return err
		}
		return c.benchmark(ctx, s, src, card, embedder.Cases(o.Devices, precisions, sizes), o, c.JSON)
	}
	if len(sizes) > 1 {
		return misuse(errors.New("--batch takes one value, except with --bench"))
	}
	e := pipeline.EmbedConfig{Source: src, Card: card, Batch: sizes[0], Strict: c.Strict, Thumbnails: c.Thumbnails, Shard: c.Shard}
	if e.Session, err = c.one(s); err != nil {
		return err
	}
	result, err := s.pipeline(ctx).Embed(ctx, e, c.Out)
	if errors.Is(err, collection.ErrBusy) {
		return fmt.Errorf("%w: wait for it, or choose another --out", err)
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return s.json(result)
	}
	for _, f := range result.Skipped {
		fmt.Fprintf(s.out, "left out: %s\n", f.Reason)
	}
	fmt.Fprintln(s.out, c.Out)
	return nil
}

// benchFlags are the flags of embed --bench.
type benchFlags struct {
	Bench       bool    `help:"Measure how fast images become vectors, instead of writing any: end to end, and the model alone, for each of --device, --batch and --precision."`
	Sample      int     `help:"With --bench: images to embed in each repetition." default:"256" placeholder:"N"`
	Repetitions int     `help:"With --bench: interleaved repetitions of everything; 6 give a 95 % interval." default:"6" placeholder:"N"`
	Seconds     float64 `help:"With --bench: about what one measurement may take; slower devices get fewer images." default:"5"`
	Python      string  `help:"With --bench: a Python interpreter, whose onnxruntime is measured too, on the CPU, if it has one. Empty: none." default:"python3" placeholder:"COMMAND"`
}

// benchmark measures the cases on src.
func (f *benchFlags) benchmark(ctx context.Context, s *surface, src catalog.Source, card *models.Card, cases []embedder.Case, o embedder.SessionOptions, asJSON bool) error {
	if f.Sample < 1 || f.Repetitions < 1 || !(f.Seconds > 0) {
		return misuse(errors.New("--sample and --repetitions must be at least 1, and --seconds more than 0"))
	}
	options := embedder.BenchmarkOptions{
		Cases: cases, Images: f.Sample, Repetitions: f.Repetitions, Seconds: f.Seconds, Session: o, Log: s.log,
		Progress: s.Counting("measuring"),
	}
	if f.Python != "" {
		options.Beside = func(card *models.Card, batch int) (embedder.Contender, error) {
			return embedder.BesidePython(ctx, f.Python, card, batch)
		}
	}
	report, err := embedder.BenchmarkReport(ctx, src, card, options)
	s.clear()
	if err != nil {
		return err
	}
	return s.show(asJSON, report)
}
