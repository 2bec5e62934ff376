package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"annbench/embedder"
	"annbench/embedder/catalog"
	"annbench/embedder/models"
	"annbench/reports/modelcard"
)

type classifyCmd struct {
	Data      []string `help:"Labelled images that the model was not trained on: DIR/SPLIT/CATEGORY/x.jpg, DIR/CATEGORY/x.jpg, or boards as catalog render writes them, in DIR or DIR/SPLIT. May be repeated." placeholder:"DIR" sep:"none" s3:"in"`
	Split     []string `help:"Which of a DIR's folders: may be repeated, and then exact search is among all of them. Default: test where there is one, else the DIR itself." placeholder:"NAME"`
	Boards    int      `help:"Classify this many drawn boards too, five crops each, without writing them." placeholder:"N"`
	Seed      uint64   `help:"Seed of the drawn boards. The model that ships was trained on 101 and 103, and its epoch chosen on 102." default:"1"`
	Model     string   `help:"Card (.json, .yaml) of an ONNX model. Default: the model that ships." placeholder:"CARD" s3:"card"`
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
	options.Logits = true
	// Which set answers is known before a picture is decoded.
	sets := make([]models.LabelSet, len(collections))
	for i, col := range collections {
		if sets[i], err = labelSet(card, c.Labels, col); err != nil {
			return misuse(err)
		}
	}
	session, err := embedder.OpenSession(card, options)
	if err != nil {
		return err
	}
	defer session.Close()

	result, err := describeModel(card)
	if err != nil {
		return err
	}
	for i, col := range collections {
		found, err := c.answer(ctx, s, session, col, card.ClassesOf(sets[i]), sets[i].First)
		if err != nil {
			return err
		}
		result.Evaluations = append(result.Evaluations, found.evaluations...)
		if len(c.K) > 0 {
			search, err := found.search(ctx, s, col.name, c.K)
			if err != nil {
				return err
			}
			if search != nil {
				result.Searches = append(result.Searches, *search)
			}
		}
	}
	printModelCard(s, result)
	if c.Out != "" {
		files, err := modelcard.Write(c.Out, result)
		if err != nil {
			return err
		}
		fmt.Fprintf(s.out, "\n%s\n", files[0])
	}
	return nil
}

func (c *classifyCmd) check() error {
	switch {
	case len(c.Data) == 0 && len(c.Split) > 0:
		return errors.New("--split is a folder of --data, and there is none")
	case len(c.Data) == 0 && c.Boards == 0:
		return errors.New("name labelled images with --data, or draw boards with --boards")
	case c.Boards < 0:
		return fmt.Errorf("--boards must be at least 1, not %d", c.Boards)
	case c.Errors < 0:
		return fmt.Errorf("--errors must be at least 0, not %d", c.Errors)
	case !(c.Threshold >= 0 && c.Threshold <= 1):
		return fmt.Errorf("--threshold must be 0 to 1, not %v", c.Threshold)
	}
	if slices.Equal(c.K, []int{0}) {
		c.K = nil
	}
	for i, k := range c.K {
		if k < 1 || k > maxSearchK || slices.Contains(c.K[:i], k) {
			return fmt.Errorf("--k must be different numbers of 1 to %d, or a single 0, not %v", maxSearchK, c.K)
		}
	}
	for i, split := range c.Split {
		if !filepath.IsLocal(split) || slices.Contains(c.Split[:i], split) {
			return fmt.Errorf("--split %q is not the name of a folder, or is named twice", split)
		}
	}
	return nil
}

// testCollection is labelled pictures in one or more splits, searched together.
type testCollection struct {
	name   string
	splits []testSplit
}

type testSplit struct {
	name   string
	source catalog.Source
}

func (c *classifyCmd) collections(s *surface) ([]testCollection, error) {
	var out []testCollection
	for _, dir := range c.Data {
		splits := c.Split
		if len(splits) == 0 {
			splits = []string{"."}
			if info, err := os.Stat(filepath.Join(dir, "test")); err == nil && info.IsDir() {
				if _, err := os.Stat(filepath.Join(dir, catalog.BoardsFile)); errors.Is(err, fs.ErrNotExist) {
					splits = []string{"test"}
				}
			}
		}
		base := filepath.Base(filepath.Clean(dir))
		col := testCollection{name: base}
		var names []string
		for _, split := range splits {
			i := images{Folder: filepath.Join(dir, split)}
			src, err := i.open(s, c.Strict)
			if err != nil {
				return nil, err
			}
			name := base
			if split != "." {
				name, names = base+", "+split, append(names, split)
			}
			col.splits = append(col.splits, testSplit{name, src})
		}
		if len(names) > 0 {
			col.name += ", " + strings.Join(names, " and ")
		}
		out = append(out, col)
	}
	if c.Boards > 0 {
		src, err := catalog.RenderedBoards(catalog.Config{Boards: c.Boards, Seed: c.Seed})
		if err != nil {
			return nil, err
		}
		out = append(out, testCollection{src.Name(), []testSplit{{src.Name(), src}}})
	}
	return out, nil
}

// labelSet is the set of the card that is called name, or the first that has all categories of the
// pictures.
func labelSet(card *models.Card, name string, col testCollection) (models.LabelSet, error) {
	var labels []string
	for _, split := range col.splits {
		labels = append(labels, split.source.Labels()...)
	}
	if card.Logits == nil {
		return models.LabelSet{}, fmt.Errorf(`model %s does not classify: its card has no "logits"`, card.Name)
	}
	var lacks []string
	for _, set := range card.Sets() {
		if name != "" && set.Name != name {
			continue
		}
		classes := card.ClassesOf(set)
		missing := slices.IndexFunc(labels, func(l string) bool { return !slices.Contains(classes, l) })
		if missing < 0 {
			return set, nil
		}
		if set.Name == "" {
			set.Name = "its categories"
		}
		lacks = append(lacks, fmt.Sprintf("%s lacks %q (it has %s)", set.Name, labels[missing], strings.Join(classes, ", ")))
	}
	if lacks == nil {
		var names []string
		for _, set := range card.Sets() {
			names = append(names, strconv.Quote(set.Name))
		}
		return models.LabelSet{}, fmt.Errorf("model %s has no label set %q; it has %s", card.Name, name, strings.Join(names, ", "))
	}
	return models.LabelSet{}, fmt.Errorf("model %s cannot be judged on %s: of its label sets, %s", card.Name, col.name, strings.Join(lacks, "; "))
}

func printModelCard(s *surface, m *modelcard.Card) {
	for i, e := range m.Evaluations {
		if i > 0 {
			fmt.Fprintln(s.out)
		}
		fmt.Fprintf(s.out, "%s: %d images, top-1 %.4f, top-5 %.4f\n", e.Name, e.Images, e.Top1, e.Top5)
		if e.Skipped > 0 {
			fmt.Fprintf(s.out, "%d more could not be read\n", e.Skipped)
		}
		w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprint(w, "  \tprecision\trecall\tF1\timages\t\n")
		marked := 0
		for c, name := range e.Confusion.Classes {
			score := e.Confusion.Score(c)
			mark := ""
			if e.Below(c) {
				mark = " <"
				marked++
			}
			fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%d\t%s\n", name, ratioText(score.Precision), ratioText(score.Recall), ratioText(score.F1), score.Support, mark)
		}
		w.Flush()
		if marked > 0 {
			fmt.Fprintf(s.out, "< F1 below %v\n", e.Threshold)
		}
	}
	for _, search := range m.Searches {
		fmt.Fprintf(s.out, "\nexact search, %s: each of %d images against the others\n", search.Name, search.Images)
		w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprint(w, "  \tqueries\t")
		for _, v := range search.Vectors {
			for _, k := range search.K {
				fmt.Fprintf(w, "%s mAP@%d\t", v.Name, k)
			}
		}
		fmt.Fprint(w, "\n")
		for l, label := range search.Labels {
			fmt.Fprintf(w, "  %s\t%d\t", label, search.Queries[l])
			for _, v := range search.Vectors {
				for i := range search.K {
					if row := v.ByLabel[l]; row != nil {
						fmt.Fprintf(w, "%.4f\t", row[i])
					} else {
						fmt.Fprint(w, "-\t")
					}
				}
			}
			fmt.Fprint(w, "\n")
		}
		total := 0
		for _, n := range search.Queries {
			total += n
		}
		fmt.Fprintf(w, "  all\t%d\t", total)
		for _, v := range search.Vectors {
			for _, m := range v.MAP {
				fmt.Fprintf(w, "%.4f\t", m)
			}
		}
		fmt.Fprint(w, "\n")
		w.Flush()
		for _, v := range search.Vectors {
			if v.LID != nil {
				fmt.Fprintf(s.out, "%s: %d dimensions, %s, LID %.1f over %d neighbours\n", v.Name, v.Dim, v.Metric, *v.LID, v.LIDK)
			}
		}
	}
}

func ratioText(v *float64) string {
	if v == nil {
		return "-"
	}
	return strconv.FormatFloat(*v, 'f', 4, 64)
}
