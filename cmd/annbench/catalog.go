package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"annbench/embedder/catalog"
	"annbench/embedder/catalog/boards"
)

type catalogCmd struct {
	Show   catalogShowCmd   `cmd:"" help:"Show what is in a collection: counts, shapes, samples, and what cannot be read."`
	Map    catalogMapCmd    `cmd:"" help:"Draw vectors as points of a plane, coloured by category."`
	Render catalogRenderCmd `cmd:"" help:"Draw fashion boards with boxes and labels, in the form of Complete the Look."`
}

// images names a collection of images on the command line: a folder, or annotations with the folder
// of their boards.
type images struct {
	Folder string `arg:"" optional:"" help:"Images by category, FOLDER/CATEGORY/x.jpg, .png or .webp; or boards as catalog render writes them." s3:"in"`
	TSV    string `name:"tsv" aliases:"boards" help:"Annotations of boards in the form of Complete the Look, instead of FOLDER." placeholder:"FILE" s3:"in"`
	Images string `help:"Folder of the board images that --tsv lists, named by their signatures." placeholder:"DIR" s3:"in"`
}

// open opens the collection. What is wrong with it is printed, and with strict is an error.
func (i *images) open(s *surface, strict bool) (catalog.Source, error) {
	var src catalog.Source
	var err error
	switch {
	case i.Folder != "" && (i.TSV != "" || i.Images != ""):
		return nil, misuse(errors.New("name either a folder, or --tsv with --images"))
	case i.Folder != "":
		src, err = catalog.Open(i.Folder)
	case i.TSV != "" && i.Images != "":
		src, err = catalog.OpenBoards(i.TSV, i.Images)
	case i.TSV != "":
		return nil, misuse(fmt.Errorf("--tsv %s lists boxes only: name the folder of the boards with --images", i.TSV))
	case i.Images != "":
		return nil, misuse(errors.New("--images are boards: name their annotations with --tsv; a folder with a folder for each category needs no flag"))
	default:
		return nil, misuse(errors.New("name a folder of images, or --tsv with --images"))
	}
	if err != nil {
		return nil, misuse(err)
	}
	if b, ok := src.(catalog.Troubled); ok {
		if err := b.Problems(); strict && len(err) > 0 {
			return nil, catalog.Strict(err)
		}
		for _, line := range catalog.DescribeProblems(b.Problems()) {
			s.say("%s", line)
		}
	}
	return src, nil
}

type catalogRenderCmd struct {
	Out     string  `help:"Folder for the boards: boards.tsv and images/. An incomplete one is resumed." required:"" placeholder:"DIR" s3:"out"`
	Boards  int     `help:"How many boards; five garments each. Default: 1000, or with --layout all that it has." placeholder:"N"`
	Seed    uint64  `help:"Another seed, other boards; board N of a seed is always the same." default:"1"`
	Layout  string  `help:"Annotations (TSV) to draw from: the boards get their names, boxes and labels." placeholder:"FILE" s3:"in"`
	Quality int     `help:"Lowest quality of the JPEG files, 1 to 95; each file's is drawn between it and 95." default:"60"`
	Tilt    float64 `help:"How far pieces are turned; 1 is 4 to 20 degrees by category, 0 not at all." default:"1"`
	Warp    float64 `help:"How far outlines are bent, in lengths of the piece." default:"0.012"`
	Overlap float64 `help:"Share of a piece that others may cover before it is moved away." default:"0.05"`
	Jitter  float64 `help:"How far the sides of boxes are off, in widths and heights of the box." default:"0.02"`
	Worn    float64 `help:"Share of garments that are on a person." default:"0.1"`
	Clutter float64 `help:"Share of boards with captions, frames and coloured grounds." default:"0.3"`

	Garments int     `help:"Draw so many garments instead of boards, each by itself on white, with attributes.csv beside the boxes." placeholder:"N"`
	Scenes   bool    `help:"With --garments: draw the same garments in the wild."`
	Hard     float64 `help:"How far scenes are from products, 0 to 1." default:"0.25"`
}

// Help is printed below the flags.
func (catalogRenderCmd) Help() string {
	return `The same flags give the same files on every machine. If a call was stopped, the same call resumes it.
Larger numbers make harder pictures.

Examples:
  annbench catalog render --boards 5000 --seed 1 --out boards
  annbench catalog render --layout raw_test.tsv --boards 500 --out drawn`
}

func (c *catalogRenderCmd) Run(ctx context.Context, s *surface) error {
	config := catalog.Config{Boards: c.Boards, Seed: c.Seed, Quality: c.Quality}
	for _, f := range []struct {
		name string
		flag float64
		to   *float64
	}{
		{"tilt", c.Tilt, &config.Drawing.Tilt},
		{"warp", c.Warp, &config.Drawing.Warp},
		{"overlap", c.Overlap, &config.Drawing.Overlap},
		{"jitter", c.Jitter, &config.Drawing.Jitter},
		{"worn", c.Worn, &config.Drawing.Worn},
		{"clutter", c.Clutter, &config.Drawing.Clutter},
	} {
		if !(f.flag >= 0) {
			return misuse(fmt.Errorf("--%s must be at least 0, not %v", f.name, f.flag))
		}
		if *f.to = f.flag; f.flag == 0 {
			*f.to = -1 // none; 0 would be the default
		}
	}
	switch {
	case c.Garments < 0 || c.Garments > 0 && (c.Boards != 0 || c.Layout != ""):
		return misuse(errors.New("--garments is at least 1, and goes with neither --boards nor --layout"))
	case c.Scenes && c.Garments == 0:
		return misuse(errors.New("--scenes are of garments: say how many with --garments"))
	case c.Garments > 0:
		config.Garments, config.Scenes, config.Hard = c.Garments, c.Scenes, c.Hard
	case c.Boards < 0:
		return misuse(fmt.Errorf("--boards must be at least 1, not %d", c.Boards))
	case c.Layout != "":
		a, err := catalog.ReadAnnotations(c.Layout)
		if err != nil {
			return misuse(err)
		}
		for _, line := range catalog.DescribeProblems(a.Problems) {
			s.say("%s", line)
		}
		config.Layout = a.Boards
	case c.Boards == 0:
		config.Boards = 1000
	}
	r, err := catalog.RenderedBoards(config)
	if err != nil {
		return misuse(err)
	}
	began := time.Now()
	written := 0
	err = catalog.WriteBoards(ctx, r, c.Out, func(p catalog.WriteProgress) {
		if p.Written == 1 && p.Done > 1 {
			s.say("going on from board %d", p.Done)
		}
		written = p.Written
		elapsed := time.Since(began)
		left := time.Duration(float64(elapsed) / float64(p.Written) * float64(p.Total-p.Done))
		what := fmt.Sprintf("drawing boards, %.0f items/s", float64(p.Written*boards.Pieces)/elapsed.Seconds())
		s.progress(what, p.Done, p.Total, left)
	})
	s.clear()
	if err != nil {
		return err
	}
	if written == 0 {
		s.say("the boards are there already")
	}
	s.say("%d boards with %d labelled boxes, %d boards drawn in %.1f s", r.Groups(), r.Len(), written, time.Since(began).Seconds())
	fmt.Fprintln(s.out, filepath.Join(c.Out, catalog.BoardsFile))
	return nil
}
