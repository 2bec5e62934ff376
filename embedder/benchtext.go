package embedder

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"annbench/bench/metric"
	"annbench/embedder/catalog"
	"annbench/embedder/models"
	"annbench/internal/words"
)

// BenchReport is what was measured of a model on a collection: [BenchmarkReport] fills it in.
type BenchReport struct {
	Model        string     `json:"model"`
	Height       int        `json:"height"`
	Width        int        `json:"width"`
	MultiplyAdds int64      `json:"multiply_adds"` // of the model, for one image
	Uncounted    []string   `json:"uncounted,omitempty"`
	Source       string     `json:"source"`
	Runtime      string     `json:"runtime"`
	JPEG         string     `json:"jpeg,omitempty"` // what decoded JPEG files
	Repetitions  int        `json:"repetitions"`
	Cases        []Measured `json:"cases"`
}

// BenchmarkReport is [Benchmark] with what a reader needs beside its rates.
func BenchmarkReport(ctx context.Context, src catalog.Source, card *models.Card, o BenchmarkOptions) (*BenchReport, error) {
	r := &BenchReport{
		Model: card.Name, Height: card.Input.Height, Width: card.Input.Width, Source: src.Name(), Repetitions: o.Repetitions,
	}
	var err error
	if r.MultiplyAdds, r.Uncounted, err = CountMultiplyAdds(card, o.Session.Library); err != nil {
		return nil, err
	}
	if r.Cases, err = Benchmark(ctx, src, card, o); err != nil {
		return nil, err
	}
	r.Runtime, r.JPEG = RuntimeName(), catalog.DecoderOf(src)
	return r, nil
}

// WriteText writes it as tables and notes.
func (r *BenchReport) WriteText(out io.Writer) error {
	fmt.Fprintf(out, "%s, %d × %d, %s multiply-adds an image; %s; images of %s",
		r.Model, r.Height, r.Width, engineering(float64(r.MultiplyAdds)), r.Runtime, r.Source)
	if r.JPEG != "" {
		fmt.Fprintf(out, ", JPEG by %s", r.JPEG)
	}
	fmt.Fprint(out, "\n\n")
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "device\tbatch\tprecision\tmodel alone\tend to end\tratio\tlimit\twarm-up\trecall@10")
	fmt.Fprintln(w, "\t\t\timages/s\timages/s\t\t\ts\t")
	for _, m := range r.Cases {
		if m.Refused != "" {
			continue
		}
		kept := ""
		if m.Kept != nil {
			kept = fmt.Sprintf("%.4f", *m.Kept)
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\t%s\t%.1f\t%s\n", m.Device, m.Batch, m.Precision,
			rate(m.Session), rate(m.EndToEnd), ratio(m.Ratios()), m.Limit, m.WarmUp, kept)
		if m.Beside != "" {
			fmt.Fprintf(w, "%s\t%d\t\t%s\t\t%s\t\t\t\n", m.Beside, m.Batch, rate(m.BesideRate), ratio(paired(m.BesideRate, m.Session)))
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nMedian of %d interleaved repetitions", r.Repetitions)
	if in, ok := metric.MedianInterval(make([]float64, r.Repetitions), .95); ok {
		fmt.Fprintf(out, ", with its %.0f %% interval", 100*in.Level)
	}
	fmt.Fprintln(out, "; the ratio, repetition by repetition, to the model alone, which is 1.")
	notes := map[string]bool{}
	note := func(format string, args ...any) {
		if text := fmt.Sprintf(format, args...); !notes[text] {
			notes[text] = true
			fmt.Fprintln(out, text)
		}
	}
	for _, m := range r.Cases {
		switch {
		case m.Refused != "":
			note("%s, %s: not measured: %s", m.Device, m.Precision, m.Refused)
		case m.NoBeside != "":
			note("Not beside Python's onnxruntime: %s", m.NoBeside)
		}
		if m.Kept != nil {
			note("recall@10: of the neighbours by cosine, against vectors of the CPU in fp32, among the images embedded.")
		}
		if m.Refused == "" {
			note("%s, batch %d, %s: %s; %s", m.Device, m.Batch, m.Precision, Placed(m.Nodes), slowest(m.Time))
		}
		if len(m.Tried) > 0 {
			note("%s, %s, batch %d: %s", m.Device, m.Precision, m.Batch, DescribeTrials(m.Tried))
		}
	}
	if len(r.Uncounted) > 0 {
		note("Multiply-adds of these operators are not counted: %s", strings.Join(r.Uncounted, ", "))
	}
	return nil
}

// DescribeTrials says how a batch was found.
func DescribeTrials(all []BatchTrial) string {
	if len(all) == 0 {
		return "the model's graph has no other"
	}
	var parts []string
	for _, t := range all {
		text := fmt.Sprintf("%d: %s images/s", t.Batch, digits(t.PerSecond))
		if t.PerSecond == 0 {
			text = fmt.Sprintf("%d: none", t.Batch)
		}
		if t.Reason != "" {
			text += " (" + t.Reason + ")"
		}
		parts = append(parts, text)
	}
	return "found by trying " + strings.Join(parts, ", ")
}

// rate and ratio are a median with its interval.

func rate(values []float64) string {
	return middle(values, func(v float64) string { return digits(v) })
}

func ratio(values []float64) string {
	return middle(values, func(v float64) string { return fmt.Sprintf("%.3f", v) })
}

func middle(values []float64, format func(float64) string) string {
	if len(values) == 0 {
		return ""
	}
	text := format(metric.Median(values))
	if in, ok := metric.MedianInterval(values, .95); ok {
		text += fmt.Sprintf(" (%s to %s)", format(in.Lo), format(in.Hi))
	}
	return text
}

// digits prints three significant digits, and whole numbers in full.
func digits(v float64) string {
	if v >= 100 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

func paired(a, b []float64) []float64 {
	out := make([]float64, min(len(a), len(b)))
	for i := range out {
		out[i] = a[i] / b[i]
	}
	return out
}

// engineering prints a large count: "333 million", "1.81 billion".
func engineering(v float64) string {
	switch {
	case v >= 1e9:
		return fmt.Sprintf("%.2f billion", v/1e9)
	case v >= 1e6:
		return fmt.Sprintf("%.0f million", v/1e6)
	}
	return fmt.Sprintf("%.0f", v)
}

// slowest says which operators took most of the model's time.
func slowest(all []Operation) string {
	total := 0.0
	for _, o := range all {
		total += o.Seconds
	}
	if total == 0 {
		return "no times"
	}
	var parts []string
	for _, o := range all[:min(3, len(all))] {
		parts = append(parts, fmt.Sprintf("%s %.0f %%", o.Operator, math.Round(100*o.Seconds/total)))
	}
	return "time in " + strings.Join(parts, ", ")
}

// Placed says how many nodes of a model ran where.
func Placed(nodes map[string]int) string {
	var parts []string
	for _, provider := range slices.Sorted(maps.Keys(nodes)) {
		parts = append(parts, fmt.Sprintf("%s on %s", words.Count(nodes[provider], "node"), provider))
	}
	return strings.Join(parts, ", ")
}
