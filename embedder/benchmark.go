package embedder

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"annbench/embedder/catalog"
	"annbench/embedder/models"
	"annbench/indexes/vec"
)

// BenchmarkOptions of [Benchmark].
type BenchmarkOptions struct {
	Cases []Case

	// Images of the collection that are embedded in each repetition, spread evenly over it; 0 means 256.
	Images int

	// Seconds that one measurement may take, about: slow devices get fewer images, but at least a batch.
	// 0 means 5.
	Seconds float64

	// Repetitions of every measurement, interleaved; 0 means 6, the fewest that give a 95 % interval.
	Repetitions int

	Workers, Runs int // as in [Options]

	Session SessionOptions // Devices and Precision excepted, which the cases say

	// Beside, where not nil, opens another program that runs the same model, to be measured in turn with
	// the cases on the CPU. It returns nil and the reason where there is none.
	Beside func(card *models.Card, batch int) (Contender, error)

	Log      *slog.Logger
	Progress func(done, total int) // after every measurement, where not nil
}

// Case is what [Benchmark] measures: a device with a size of batches, which may be [AutoBatch].
type Case struct {
	Device    Device    `json:"device"`
	Batch     int       `json:"batch"`
	Precision Precision `json:"precision"`
}

// Cases are all combinations, device by device.
func Cases(devices []Device, precisions []Precision, batches []int) (all []Case) {
	for _, device := range devices {
		for _, precision := range precisions {
			for _, batch := range batches {
				all = append(all, Case{Device: device, Batch: batch, Precision: precision})
			}
		}
	}
	return all
}

// Contender runs the model of its own accord.
type Contender interface {
	Name() string                                 // "Python onnxruntime 1.27.0"
	Run(batches int) (seconds float64, err error) // so many batches, of the size it was opened with
	Close() error
}

// Measured is what came of a [Case]. Rates are images a second, one for each repetition.
type Measured struct {
	Case
	Refused string         `json:"refused,omitempty"` // why there is nothing below
	Tried   []BatchTrial   `json:"tried,omitempty"`   // where the batch was found by trying; Batch is the one found
	Nodes   map[string]int `json:"nodes,omitempty"`   // of the model, by the provider that runs them
	Time    []Operation    `json:"time,omitempty"`    // of the model, by operator
	Images  int            `json:"images"`            // in each measurement end to end
	WarmUp  float64        `json:"warmup_seconds"`    // left out of all rates

	Session  []float64 `json:"session"`    // the model alone, on pixels that are there
	EndToEnd []float64 `json:"end_to_end"` // from files to vectors
	Limit    string    `json:"limit"`      // the stage that was busy for most of the last repetition
	Stages   []Stage   `json:"stages"`     // of the last repetition

	// Kept is recall@10 of the neighbours among the images, against vectors of the CPU in fp32; absent
	// for the CPU in fp32 itself, and with fewer than 20 images.
	Kept *float64 `json:"kept,omitempty"`

	Beside     string    `json:"beside,omitempty"`      // another program that ran the same batches
	BesideRate []float64 `json:"beside_rate,omitempty"` // its rates, of the model alone
	NoBeside   string    `json:"no_beside,omitempty"`   // why there is none
}

// Ratios are EndToEnd over Session, repetition by repetition: 1 is a device that never waits.
func (m *Measured) Ratios() []float64 {
	out := make([]float64, min(len(m.Session), len(m.EndToEnd)))
	for i := range out {
		out[i] = m.EndToEnd[i] / m.Session[i]
	}
	return out
}

// contest is a case that is being measured.
type contest struct {
	*Measured
	session *Session
	pixels  tensor // a full batch of the collection's first pictures
	out     output
	src     catalog.Source
	batches int // of the session alone, in one measurement
	beside  Contender
}

// Benchmark measures how fast images become vectors, for each case: end to end and, in turn, by the model
// alone, in interleaved repetitions, after everything has run once. A device that is not available is a
// case with the reason. Every case is open at the same time: a device's memory has to hold them.
func Benchmark(ctx context.Context, src catalog.Source, card *models.Card, o BenchmarkOptions) (measured []Measured, err error) {
	if o.Images == 0 {
		o.Images = 256
	}
	if o.Seconds == 0 {
		o.Seconds = 5
	}
	if o.Repetitions == 0 {
		o.Repetitions = 6
	}
	measured = make([]Measured, len(o.Cases))
	var contests []*contest
	defer func() {
		for _, c := range contests {
			err = errors.Join(err, c.close())
		}
	}()
	for i, k := range o.Cases {
		measured[i].Case = k
		c, err := openContest(ctx, &measured[i], spread(src, o.Images), card, o)
		if err != nil {
			return nil, fmt.Errorf("measuring %s, batch %d, %s: %w", k.Device, k.Batch, k.Precision, err)
		}
		if c != nil {
			contests = append(contests, c)
		}
	}
	for _, c := range contests {
		if err := c.compare(ctx, o); err != nil {
			return nil, err
		}
	}
	done, total := 0, o.Repetitions*len(contests)
	for rep := range o.Repetitions {
		for i := range contests {
			c := contests[i]
			if rep%2 == 1 { // forwards, then backwards: what changes with time falls on all alike
				c = contests[len(contests)-1-i]
			}
			if err := c.repeat(ctx, rep, o); err != nil {
				return nil, fmt.Errorf("measuring %s, batch %d, %s: %w", c.Device, c.Batch, c.Precision, err)
			}
			if done++; o.Progress != nil {
				o.Progress(done, total)
			}
		}
	}
	return measured, nil
}

// openContest gets a case ready: session, batch, pixels, and one run of everything. It is nil for a device
// that is not available, which m says.
func openContest(ctx context.Context, m *Measured, src catalog.Source, card *models.Card, o BenchmarkOptions) (*contest, error) {
	own := o.Session
	own.Devices, own.Precision, own.Log = []Device{m.Device}, m.Precision, nil
	own.Options = nil
	if set := o.Session.Options[m.Device]; set != nil {
		own.Options = DeviceOptions{m.Device: set}
	}
	several := slices.ContainsFunc(o.Cases, func(k Case) bool { return k.Device != m.Device })
	if drivers := softwareVulkanOnly(); several && m.Device == WebGPU && drivers != "" {
		m.Refused = fmt.Sprintf("all Vulkan drivers here run in software (%s); name webgpu alone to measure it all the same", drivers)
		return nil, nil
	}
	s, err := openSession(card, own)
	if err != nil {
		if s == nil {
			return nil, err
		}
		m.Refused = s.refusals[0].Reason
		return nil, nil
	}
	c := &contest{Measured: m, session: s, src: src}
	if err := c.ready(ctx, o); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

func (c *contest) ready(ctx context.Context, o BenchmarkOptions) error {
	s, m := c.session, c.Measured
	if m.Batch == AutoBatch {
		var err error
		if m.Batch, m.Tried, err = s.FindBatch(ctx); err != nil {
			return err
		}
	}
	m.Batch = s.batchOf(m.Batch)
	began := time.Now()
	c.pixels, c.out = newTensor(&s.card.Input, m.Batch), newOutput(s, m.Batch)
	if err := fillFrom(c.pixels, s, c.src); err != nil {
		return err
	}
	if _, err := s.WarmUp(m.Batch); err != nil {
		// A batch too large for the device's memory is no reason to measure nothing else.
		m.Refused = err.Error()
		return nil
	}
	// How long one batch takes decides how many there are.
	start := time.Now()
	if err := s.engine.run(c.pixels, m.Batch, c.out); err != nil {
		return err
	}
	affordable := max(1, int(o.Seconds/time.Since(start).Seconds()))
	c.batches = min(affordable, max(1, (o.Images+m.Batch-1)/m.Batch))
	if affordable*m.Batch < c.src.Len() {
		c.src = spread(c.src, affordable*m.Batch)
	}
	m.Images = c.src.Len()
	if _, err := c.embed(ctx, o, nil); err != nil {
		return err
	}
	p, err := s.profile(m.Batch)
	if err != nil {
		return err
	}
	m.Nodes, m.Time = p.Placed(), p.ByOperator()
	m.WarmUp = time.Since(began).Seconds()
	if o.Beside != nil && m.Device == CPU && m.Precision == FP32 {
		beside, err := o.Beside(s.card, m.Batch)
		if err != nil {
			m.NoBeside = err.Error()
		} else {
			c.beside, m.Beside = beside, beside.Name()
			if _, err := c.beside.Run(1); err != nil {
				return fmt.Errorf("running %s: %w", m.Beside, err)
			}
		}
	}
	return nil
}

// repeat is one repetition: the model alone and end to end, and the other program, in an order that turns
// round with every repetition.
func (c *contest) repeat(ctx context.Context, rep int, o BenchmarkOptions) error {
	if c.Refused != "" {
		return nil
	}
	parts := []func() error{
		func() error {
			start := time.Now()
			for range c.batches {
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := c.session.engine.run(c.pixels, c.Batch, c.out); err != nil {
					return err
				}
			}
			c.Session = append(c.Session, float64(c.batches*c.Batch)/time.Since(start).Seconds())
			return nil
		},
		func() error {
			r, err := c.embed(ctx, o, nil)
			c.EndToEnd = append(c.EndToEnd, r.PerSecond)
			c.Limit, c.Stages = r.Limit, r.Stages
			return err
		},
	}
	if c.beside != nil {
		parts = append(parts, func() error {
			seconds, err := c.beside.Run(c.batches)
			if err != nil {
				return fmt.Errorf("running %s: %w", c.Beside, err)
			}
			c.BesideRate = append(c.BesideRate, float64(c.batches*c.Batch)/seconds)
			return nil
		})
	}
	if rep%2 == 1 {
		slices.Reverse(parts)
	}
	for _, part := range parts {
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}

// embed embeds the images; vectors, where not nil, is given them.
func (c *contest) embed(ctx context.Context, o BenchmarkOptions, vectors *vec.Matrix) (Result, error) {
	return embedAll(ctx, c.src, c.session, Options{Batch: c.Batch, Workers: o.Workers, Runs: o.Runs}, vectors)
}

func embedAll(ctx context.Context, src catalog.Source, s *Session, o Options, vectors *vec.Matrix) (Result, error) {
	return Embed(ctx, src, s, o, func(b Batch) error {
		if vectors != nil {
			vectors.Data = append(vectors.Data, b.Vectors.Data...)
			vectors.Rows += b.Vectors.Rows
		}
		return nil
	})
}

func (c *contest) close() error {
	err := c.session.Close()
	if c.beside != nil {
		err = errors.Join(err, c.beside.Close())
	}
	return err
}

// fewestCompared images say something about their neighbours.
const fewestCompared = 20

// comparedNeighbours is the k of [Measured.Kept].
const comparedNeighbours = 10

// compare fills in what another device or precision does to neighbours.
func (c *contest) compare(ctx context.Context, o BenchmarkOptions) error {
	if c.Refused != "" || c.Device == CPU && c.Precision == FP32 || c.src.Len() < fewestCompared {
		return nil
	}
	kept, _, err := KeptOf(ctx, c.src, c.session, o.Session, Options{Batch: c.Batch, Workers: o.Workers}, c.src.Len())
	if err == nil {
		c.Kept = &kept
	}
	return err
}

// KeptOf embeds at most n images of src, spread evenly over it, with s and with the same model on the CPU in
// fp32, and returns recall@10 of the neighbours by cosine, with how many images there were. It is an error
// if there are fewer than 20.
func KeptOf(ctx context.Context, src catalog.Source, s *Session, o SessionOptions, how Options, n int) (kept float64, images int, err error) {
	o.Devices, o.Precision, o.Options, o.Log = []Device{CPU}, FP32, nil, nil
	exact, err := OpenSession(s.card, o)
	if err != nil {
		return 0, 0, err
	}
	defer exact.Close()
	var was, is vec.Matrix
	sample := spread(src, n)
	how = Options{Batch: how.Batch, Workers: how.Workers}
	for _, part := range []struct {
		s *Session
		m *vec.Matrix
	}{{exact, &was}, {s, &is}} {
		part.m.Dim = s.card.Embedding.Dim
		if _, err := embedAll(ctx, sample, part.s, how, part.m); err != nil {
			return 0, 0, err
		}
	}
	if was.Rows < fewestCompared {
		return 0, was.Rows, fmt.Errorf("comparing neighbours: %d images are too few; it takes %d", was.Rows, fewestCompared)
	}
	kept, err = NeighboursKept(ctx, was, is, comparedNeighbours)
	return kept, was.Rows, err
}

// fillFrom fills t with pictures of src, again and again where there are too few.
func fillFrom(t tensor, s *Session, src catalog.Source) error {
	row, rows := 0, t.rows()
	for row < rows {
		before := row
		for g := 0; g < src.Groups() && row < rows; g++ {
			for _, p := range src.Group(g) {
				if p.Err != nil || row == rows {
					continue
				}
				if err := s.shape.fill(t, row, p.Image); err == nil {
					row++
				}
			}
		}
		if row == before {
			return fmt.Errorf("none of the %d images that were chosen can be read", src.Len())
		}
	}
	return nil
}

// part is some groups of a source.
type part struct {
	catalog.Source
	groups []int
	images int
}

func (p part) Len() int                      { return p.images }
func (p part) Groups() int                   { return len(p.groups) }
func (p part) Group(g int) []catalog.Picture { return p.Source.Group(p.groups[g]) }
func (p part) Items(g int) []catalog.Item    { return p.Source.Items(p.groups[g]) }
func (p part) Digest(context.Context) (string, error) {
	return "", errors.New("a part of a collection has no digest")
}

// spread is the part of a collection that has about n images, in groups spread evenly over it; all of it
// where it has no more.
func spread(src catalog.Source, n int) catalog.Source {
	if src.Len() <= n {
		return src
	}
	groups := src.Groups()
	want := max(1, n*groups/src.Len())
	p := part{Source: src}
	for i := range want {
		g := i * groups / want
		p.groups = append(p.groups, g)
		p.images += len(src.Items(g))
	}
	return p
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return sorted[(n-1)/2]/2 + sorted[n/2]/2
}
