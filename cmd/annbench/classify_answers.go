package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io/fs"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/image/draw"

	"annbench/bench/metric"
	"annbench/bench/pipeline"
	"annbench/embedder"
	"annbench/embedder/catalog"
	"annbench/embedder/models"
	"annbench/indexes/vec"
	"annbench/reports/modelcard"
)

// lidNeighbors is how many neighbours local intrinsic dimensionality is taken over; 100 is what the
// literature on these estimates mostly uses (Amsaleg et al., KDD 2015).
const lidNeighbors = 100

// maxSearchK bounds --k: beyond it, lists of answers are longer than those LID is taken over.
const maxSearchK = lidNeighbors

// answers is what a session said of a collection.
type answers struct {
	evaluations []modelcard.Evaluation
	vectors     []float32
	pixels      []float32
	labels      []string
	dim         int
}

// answer runs a collection through the model. classes are columns first and following of the logits.
func (c *classifyCmd) answer(ctx context.Context, s *surface, session *embedder.Session, col testCollection, classes []string, first int) (*answers, error) {
	a := &answers{dim: session.Card().Embedding.Dim}
	column := make(map[string]int, len(classes))
	for i, class := range classes {
		column[class] = i
	}
	for _, split := range col.splits {
		var (
			e       = modelcard.Evaluation{Name: split.name, Threshold: c.Threshold, Confusion: *metric.NewConfusion(classes)}
			top1    int
			top5    int
			wrong   = make([][]modelcard.Error, len(classes))
			src     = &pixelSource{Source: split.source, pixels: map[string][]float32{}, wanted: len(c.K) > 0}
			options = embedder.Options{Strict: c.Strict, Thumbnails: pipeline.ThumbnailPixels, Log: s.log, Progress: func(p embedder.Progress) {
				s.progress(fmt.Sprintf("embedding, %.0f images/s", p.PerSecond), p.Done, p.Total, secondsLeft(p.Done, p.Total, p.Elapsed))
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
		s.clear()
		if err != nil {
			return nil, err
		}
		e.Images, e.Skipped = result.Images, len(result.Skipped)
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

// pixelSide is the side to which pictures are shrunk to be compared pixel by pixel.
const pixelSide = 32

// pixelSource keeps the small version of every picture that passes, until it is taken.
type pixelSource struct {
	catalog.Source
	wanted bool

	mu     sync.Mutex
	pixels map[string][]float32
}

func (p *pixelSource) Group(g int) []catalog.Picture {
	pictures := p.Source.Group(g)
	if !p.wanted {
		return pictures
	}
	for _, picture := range pictures {
		if picture.Err != nil {
			continue
		}
		small := image.NewRGBA(image.Rect(0, 0, pixelSide, pixelSide))
		draw.Draw(small, small.Rect, image.White, image.Point{}, draw.Src)
		draw.BiLinear.Scale(small, small.Rect, picture.Image, picture.Image.Bounds(), draw.Over, nil)
		values := make([]float32, 0, 3*pixelSide*pixelSide)
		for i := 0; i < len(small.Pix); i += 4 {
			for _, v := range small.Pix[i : i+3] {
				values = append(values, float32(v))
			}
		}
		p.mu.Lock()
		p.pixels[picture.ID] = values
		p.mu.Unlock()
	}
	return pictures
}

func (p *pixelSource) take(id string) []float32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	values := p.pixels[id]
	delete(p.pixels, id)
	return values
}

// search looks for every picture among all others, by embedding and by pixels. It is nil where there
// are too few pictures for the largest k.
func (a *answers) search(ctx context.Context, s *surface, name string, ks []int) (*modelcard.Search, error) {
	n := len(a.labels)
	if n < slices.Max(ks)+1 {
		s.say("no search among %d pictures of %s: mAP@%d wants at least %d", n, name, slices.Max(ks), slices.Max(ks)+1)
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
	out := &modelcard.Search{Name: name, Images: n, K: ks, Labels: names}
	for _, kind := range []struct {
		name string
		data []float32
		dim  int
	}{{"embedding", a.vectors, a.dim}, {"raw pixels", a.pixels, 3 * pixelSide * pixelSide}} {
		m := vec.Matrix{Data: kind.data, Rows: n, Dim: kind.dim}
		perRow := min(n, lidNeighbors+1)
		began := time.Now()
		near, err := vec.Exact(ctx, m, m, vec.Cosine, perRow, runtime.GOMAXPROCS(0), func(done int) {
			s.progress("exact search by "+kind.name, done, n, secondsLeft(done, n, time.Since(began)))
		})
		s.clear()
		if err != nil {
			return nil, fmt.Errorf("searching %s by %s: %w", name, kind.name, err)
		}
		scores, err := metric.SelfSearch(near, perRow, labels, len(names), ks, chord)
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

// describeModel is what the report card says of the model itself.
func describeModel(card *models.Card) (*modelcard.Card, error) {
	m := &modelcard.Card{Name: card.Name, Digest: card.SHA256, Doc: card.Doc, Licence: card.Licence}
	fact := func(name, format string, args ...any) {
		m.Facts = append(m.Facts, modelcard.Fact{Name: name, Value: fmt.Sprintf(format, args...)})
	}
	fact("input", "%d × %d pixels, %s", card.Input.Width, card.Input.Height, card.Input.Fit)
	fact("vectors", "%d dimensions", card.Embedding.Dim)
	for _, set := range card.Sets() {
		name := "categories"
		if set.Name != "" {
			name += " of " + set.Name
		}
		fact(name, "%d: %s", set.Classes, strings.Join(card.ClassesOf(set), ", "))
	}
	var how struct {
		Data    string  `json:"data"`
		Init    string  `json:"init"`
		Epochs  int     `json:"epochs"`
		Chosen  float64 `json:"chosen_epoch"`
		Seed    *int    `json:"seed"`
		Seconds float64 `json:"seconds"`
		Device  string  `json:"device"`
		Torch   string  `json:"torch"`
	}
	if len(card.Training) > 0 && json.Unmarshal(card.Training, &how) == nil { // other recipes say other things
		for _, f := range []struct{ name, value string }{
			{"trained on", how.Data}, {"started from", how.Init}, {"device", how.Device}, {"torch", how.Torch},
		} {
			if f.value != "" {
				fact(f.name, "%s", f.value)
			}
		}
		if how.Epochs > 0 {
			fact("epochs", "%d, of which %.0f was exported", how.Epochs, how.Chosen)
		}
		if how.Seconds > 0 {
			fact("time to train", "%.0f min", how.Seconds/60)
		}
		if how.Seed != nil {
			fact("seed", "%d", *how.Seed)
		}
	}
	h, err := card.History()
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err != nil {
		return nil, err
	}
	t := &modelcard.Training{Epochs: h.Column("epoch"), TrainLoss: h.Column("train_loss"), ValLoss: h.Column("val_loss"), Chosen: how.Chosen}
	if len(card.LabelSets) == 0 {
		t.Accuracy = []modelcard.Series{{Name: "top-1", Values: h.Column("top1")}, {Name: "top-5", Values: h.Column("top5")}}
	}
	for _, set := range card.LabelSets {
		for _, k := range []string{"1", "5"} {
			if values := h.Column(set.Name + "_top" + k); values != nil {
				t.Accuracy = append(t.Accuracy, modelcard.Series{Name: set.Name + " top-" + k, Values: values})
			}
		}
	}
	m.Training = t
	return m, nil
}
