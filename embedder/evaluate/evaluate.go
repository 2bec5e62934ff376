// Package evaluate measures an embedding model on pictures that are labelled already: how well it tells their
// categories apart, and how well exact search among its vectors finds pictures of one category, each against
// all the others, beside raw pixels. What it finds is the data of a report card (package modelcard, which
// writes it); how indexes do on the vectors is package bench's question.
package evaluate

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"annbench/bench/metric"
	"annbench/embedder"
	"annbench/embedder/catalog"
	"annbench/embedder/models"
	"annbench/indexes/vec"
	"annbench/internal/usage"
	"annbench/reports/modelcard"
)

// lidNeighbors is how many neighbours local intrinsic dimensionality is taken over; 100 is what the
// literature on these estimates mostly uses (Amsaleg et al., KDD 2015).
const lidNeighbors = 100

// MaxK bounds [Config.K]: beyond it, lists of answers are longer than those LID is taken over.
const MaxK = lidNeighbors

// Config of [Model].
type Config struct {
	// Labels is the model's label set to classify by. Empty: the first that has the pictures' categories.
	Labels string
	// Threshold marks the categories whose F1, in [0, 1], is below it.
	Threshold float64
	// K are the numbers of answers to take mAP at, different ones, each 1 to [MaxK]. None: no search.
	K []int
	// Errors is how many errors of each marked category are kept, those first of which the model is surest.
	Errors int
	// Thumbnails is the longest side in pixels of the pictures of these errors; 0 keeps none.
	Thumbnails int
	// Strict ends with an error at the first picture that cannot be read; else it is counted.
	Strict bool
	// Session is how the model is opened.
	Session embedder.SessionOptions

	// Log takes warnings. Nil: they are dropped.
	Log *slog.Logger
	// Say takes what people may want to know, a line each, without the line's end. Nil: it is dropped.
	Say func(line string)
	// Progress takes how far something is that lasts: done of total, and the time left, 0 where unknown. A
	// total of 0 says that it has ended. Nil: it is dropped.
	Progress func(what string, done, total int, left time.Duration)
}

// Check reports what is wrong with the numbers.
func (c Config) Check() error {
	switch {
	case c.Errors < 0:
		return fmt.Errorf("errors must be at least 0, not %d", c.Errors)
	case !(c.Threshold >= 0 && c.Threshold <= 1):
		return fmt.Errorf("threshold must be 0 to 1, not %v", c.Threshold)
	}
	for i, k := range c.K {
		if k < 1 || k > MaxK || slices.Contains(c.K[:i], k) {
			return fmt.Errorf("k must be different numbers of 1 to %d, not %v", MaxK, c.K)
		}
	}
	return nil
}

// Collection is labelled pictures in one or more splits: classified one by one, searched together.
type Collection struct {
	Name   string
	Splits []Split
}

// Split is a part of a collection, with a name of its own: "photographs, test".
type Split struct {
	Name   string
	Source catalog.Source
}

// Model runs the collections through the model, and returns its report card. The model must classify into the
// categories of every collection: else the error is a [usage.Error], and comes before a picture is decoded.
func Model(ctx context.Context, card *models.Card, collections []Collection, c Config) (*modelcard.Card, error) {
	if err := c.Check(); err != nil {
		return nil, usage.Error{Err: err}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Say == nil {
		c.Say = func(string) {}
	}
	if c.Progress == nil {
		c.Progress = func(string, int, int, time.Duration) {}
	}
	sets := make([]models.LabelSet, len(collections))
	for i, col := range collections {
		var err error
		if sets[i], err = labelSet(card, c.Labels, col); err != nil {
			return nil, usage.Error{Err: err}
		}
	}
	c.Session.Logits = true
	session, err := embedder.OpenSession(card, c.Session)
	if err != nil {
		return nil, err
	}
	defer session.Close()

	out, err := describe(card)
	if err != nil {
		return nil, err
	}
	for i, col := range collections {
		found, err := c.classify(ctx, session, col, card.ClassesOf(sets[i]), sets[i].First)
		if err != nil {
			return nil, err
		}
		out.Evaluations = append(out.Evaluations, found.evaluations...)
		if len(c.K) == 0 {
			continue
		}
		search, err := c.search(ctx, col.Name, found)
		if err != nil {
			return nil, err
		}
		if search != nil {
			out.Searches = append(out.Searches, *search)
		}
	}
	return out, nil
}

// labelSet is the set of the card that is called name, or the first that has all categories of the
// pictures.
func labelSet(card *models.Card, name string, col Collection) (models.LabelSet, error) {
	var labels []string
	for _, split := range col.Splits {
		labels = append(labels, split.Source.Labels()...)
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
	return models.LabelSet{}, fmt.Errorf("model %s cannot be judged on %s: of its label sets, %s", card.Name, col.Name, strings.Join(lacks, "; "))
}

// answers are what a model said of a collection: a row of vectors, of pixels and a label for each picture
// that could be read.
type answers struct {
	evaluations []modelcard.Evaluation
	vectors     []float32
	pixels      []float32
	labels      []string
	dim         int
}

// classify runs a collection through the model. classes are columns first and following of the logits.
func (c *Config) classify(ctx context.Context, session *embedder.Session, col Collection, classes []string, first int) (*answers, error) {
	a := &answers{dim: session.Card().Embedding.Dim}
	column := make(map[string]int, len(classes))
	for i, class := range classes {
		column[class] = i
	}
	for _, split := range col.Splits {
		var (
			e       = modelcard.Evaluation{Name: split.Name, Threshold: c.Threshold, Confusion: *metric.NewConfusion(classes)}
			top1    int
			top5    int
			wrong   = make([][]modelcard.Error, len(classes))
			src     = &pixelSource{Source: split.Source, pixels: map[string][]float32{}, wanted: len(c.K) > 0}
			options = embedder.Options{Strict: c.Strict, Thumbnails: c.Thumbnails, Log: c.Log, Progress: func(p embedder.Progress) {
				c.Progress(fmt.Sprintf("embedding, %.0f images/s", p.PerSecond), p.Done, p.Total, left(p.Done, p.Total, p.Elapsed))
			}}
		)
		result, err := embedder.Embed(ctx, src, session, options, func(b embedder.Batch) error {
			for i, item := range b.Items {
				logits := b.Logits.Row(i)[first : first+len(classes)]
				truth := column[item.Label]
				guess := slices.Index(logits, slices.Max(logits))
				e.Confusion.Add(truth, guess)
				switch rank := metric.RankOf(logits, truth); {
				case rank == 1:
					top1++
					top5++
				case rank <= 5:
					top5++
				}
				if guess != truth && c.Errors > 0 {
					wrong[truth] = surest(wrong[truth], c.Errors, modelcard.Error{
						ID: item.ID, Truth: item.Label, Guess: classes[guess], Confidence: softmax(logits, guess), Thumbnail: b.Thumbnails[i],
					})
				}
				if src.wanted {
					a.vectors = append(a.vectors, b.Vectors.Row(i)...)
					a.pixels = append(a.pixels, src.take(item.ID)...)
					a.labels = append(a.labels, item.Label)
				}
			}
			return nil
		})
		c.Progress("", 0, 0, 0)
		if err != nil {
			return nil, err
		}
		e.Images, e.Skipped = result.Images, len(result.Skipped)
		if e.TrainedOn, err = embedder.TrainedOn(ctx, session.Card(), split.Source, 0, split.Source.Len()); err != nil {
			return nil, err
		}
		e.Top1, e.Top5 = float64(top1)/float64(result.Images), float64(top5)/float64(result.Images)
		for i := range classes {
			if e.Below(i) {
				e.Errors = append(e.Errors, wrong[i]...)
			}
		}
		a.evaluations = append(a.evaluations, e)
	}
	return a, nil
}

// surest puts e among the at most n errors of which the model is surest, in order, equal ones in
// that of the collection.
func surest(errs []modelcard.Error, n int, e modelcard.Error) []modelcard.Error {
	at, _ := slices.BinarySearchFunc(errs, e, func(a, b modelcard.Error) int {
		return cmp.Or(cmp.Compare(b.Confidence, a.Confidence), -1)
	})
	errs = slices.Insert(errs, at, e)
	return errs[:min(n, len(errs))]
}

// softmax is the share of column i, exp(x_i) / Σ exp(x_j).
func softmax(logits []float32, i int) float64 {
	sum, top := 0.0, slices.Max(logits)
	for _, v := range logits {
		sum += math.Exp(float64(v - top))
	}
	return math.Exp(float64(logits[i]-top)) / sum
}

// search looks for every picture among all others, by embedding and by pixels. It is nil where there
// are too few pictures for the largest k.
func (c *Config) search(ctx context.Context, name string, a *answers) (*modelcard.Search, error) {
	n := len(a.labels)
	if n < slices.Max(c.K)+1 {
		c.Say(fmt.Sprintf("no search among %d pictures of %s: mAP@%d wants at least %d", n, name, slices.Max(c.K), slices.Max(c.K)+1))
		return nil, nil
	}
	names := slices.Clone(a.labels)
	slices.Sort(names)
	names = slices.Compact(names)
	labels := make([]int32, n)
	for i, l := range a.labels {
		at, _ := slices.BinarySearch(names, l)
		labels[i] = int32(at)
	}
	out := &modelcard.Search{Name: name, Images: n, K: c.K, Labels: names}
	for _, kind := range []struct {
		name string
		data []float32
		dim  int
	}{{"embedding", a.vectors, a.dim}, {"raw pixels", a.pixels, 3 * pixelSide * pixelSide}} {
		m := vec.Matrix{Data: kind.data, Rows: n, Dim: kind.dim}
		perRow := min(n, lidNeighbors+1)
		began := time.Now()
		near, err := vec.Exact(ctx, m, m, vec.Cosine, perRow, runtime.GOMAXPROCS(0), func(done int) {
			c.Progress("exact search by "+kind.name, done, n, left(done, n, time.Since(began)))
		})
		c.Progress("", 0, 0, 0)
		if err != nil {
			return nil, fmt.Errorf("searching %s by %s: %w", name, kind.name, err)
		}
		scores, err := metric.SelfSearch(near, perRow, labels, len(names), c.K, chord)
		if err != nil {
			return nil, err
		}
		v := modelcard.Vectors{Name: kind.name, Dim: kind.dim, Metric: string(vec.Cosine), MAP: scores.MAP, ByLabel: scores.ByLabel}
		if scores.HasLID {
			v.LID, v.LIDK = &scores.LID, scores.LIDK
		}
		out.Queries = scores.Queries
		out.Vectors = append(out.Vectors, v)
	}
	return out, nil
}

// chord is the distance of the vectors scaled to length 1, √(2 - 2·cos), of 1 - cos.
func chord(rank float32) float64 { return math.Sqrt(max(0, 2*float64(rank))) }

// left is the time that remains at this speed; 0 where unknown.
func left(done, total int, elapsed time.Duration) time.Duration {
	if done == 0 {
		return 0
	}
	return time.Duration(float64(elapsed) / float64(done) * float64(total-done))
}
