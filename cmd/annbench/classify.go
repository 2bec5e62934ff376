package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"annbench/bench/pipeline"
	"annbench/embedder"
	"annbench/embedder/catalog"
	"annbench/embedder/evaluate"
	"annbench/reports/modelcard"
)

type classifyCmd struct {
	Data      []string `help:"Labelled images that the model was not trained on: DIR/SPLIT/CATEGORY/x.jpg, DIR/CATEGORY/x.jpg, or boards as catalog render writes them, in DIR or DIR/SPLIT. May be repeated." placeholder:"DIR" sep:"none" s3:"in"`
	Split     []string `help:"Which of a DIR's folders: may be repeated, and then exact search is among all of them. Default: test where there is one, else the DIR itself." placeholder:"NAME"`
	Boards    int      `help:"Classify this many drawn boards too, five crops each, without writing them." placeholder:"N"`
	Seed      uint64   `help:"Seed of the drawn boards. The model that ships was trained on 101 and 103, and its epoch chosen on 102." default:"1"`
	Model     string   `help:"Card (.json, .yaml) of an ONNX model, or one that ships: fashion-lite0 or fashion-resnet18. Default: the first of these." placeholder:"CARD" s3:"card"`
	Labels    string   `help:"The model's label set to classify by. Default: the one that has the images' categories." placeholder:"SET"`
	Threshold float64  `help:"Mark categories whose F1 is below." default:"0.8"`
	K         []int    `help:"mAP of exact search at each of these; 0 leaves search out." default:"5,10"`
	Errors    int      `help:"Pictures in the gallery of errors, for each marked category." default:"16"`
	deviceFlags
	Strict bool   `help:"End with an error at the first image that cannot be read."`
	Out    string `help:"Folder for the report card: index.html, modelcard.json, and pictures. A results folder's name shows the model in its report, too." placeholder:"DIR" s3:"out"`
}

// Help is printed below the flags.
func (classifyCmd) Help() string {
	return `Prints how the model classifies pictures that are labelled already, by category, and how well exact
search among its vectors finds pictures of the same category, each against all the others, beside
raw pixels. A model of several label sets answers within the one that has the pictures' categories.

Examples:
  annbench classify --boards 1000
  annbench classify --data photos --split test --out results/model
  annbench classify --model out/my-model.json --data photos --split validation --split test`
}

func (c *classifyCmd) Run(ctx context.Context, s *surface) error {
	if err := c.check(); err != nil {
		return misuse(err)
	}
	collections, err := c.collections(s)
	if err != nil {
		return misuse(err)
	}
	card, err := embedder.OpenCard(c.Model, 0)
	if err != nil {
		return err
	}
	options, err := c.one(s)
	if err != nil {
		return err
	}
	config := c.config()
	config.Session, config.Log, config.Progress = options, s.log, s.progress
	config.Say = func(line string) { s.say("%s", line) }
	result, err := evaluate.Model(ctx, card, collections, config)
	if err != nil {
		return err
	}
	if err := modelcard.Print(s.out, result); err != nil {
		return err
	}
	if c.Out != "" {
		files, err := modelcard.Write(c.Out, result)
		if err != nil {
			return err
		}
		fmt.Fprintf(s.out, "\n%s\n", files[0])
	}
	return nil
}

func (c *classifyCmd) config() evaluate.Config {
	return evaluate.Config{
		Labels: c.Labels, Threshold: c.Threshold, K: c.K, Errors: c.Errors, Thumbnails: pipeline.ThumbnailPixels, Strict: c.Strict,
	}
}

func (c *classifyCmd) check() error {
	switch {
	case len(c.Data) == 0 && len(c.Split) > 0:
		return errors.New("--split is a folder of --data, and there is none")
	case len(c.Data) == 0 && c.Boards == 0:
		return errors.New("name labelled images with --data, or draw boards with --boards")
	case c.Boards < 0:
		return fmt.Errorf("--boards must be at least 1, not %d", c.Boards)
	}
	if slices.Equal(c.K, []int{0}) {
		c.K = nil
	}
	if err := c.config().Check(); err != nil {
		return fmt.Errorf("--%w", err) // the flags have the names of what they set
	}
	return nil
}

func (c *classifyCmd) collections(s *surface) ([]evaluate.Collection, error) {
	out, err := evaluate.Collections(c.Data, c.Split, func(dir string) (catalog.Source, error) {
		i := images{Folder: dir}
		return i.open(s, c.Strict)
	})
	if err != nil || c.Boards == 0 {
		return out, err
	}
	src, err := catalog.RenderedBoards(catalog.Config{Boards: c.Boards, Seed: c.Seed})
	if err != nil {
		return nil, err
	}
	return append(out, evaluate.Collection{Name: src.Name(), Splits: []evaluate.Split{{Name: src.Name(), Source: src}}}), nil
}
