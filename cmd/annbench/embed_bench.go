package main

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"annbench/bench/metric"
	"annbench/embedder"
	"annbench/embedder/catalog"
	"annbench/embedder/models"
)

// benchFlags are the flags of embed --bench.
type benchFlags struct {
	Bench       bool    `help:"Measure how fast images become vectors, instead of writing any: end to end, and the model alone, for each of --device, --batch and --precision."`
	Sample      int     `help:"With --bench: images to embed in each repetition." default:"256" placeholder:"N"`
	Repetitions int     `help:"With --bench: interleaved repetitions of everything; 6 give a 95 % interval." default:"6" placeholder:"N"`
	Seconds     float64 `help:"With --bench: about what one measurement may take; slower devices get fewer images." default:"5"`
	Python      string  `help:"With --bench: on the CPU, beside the onnxruntime of this interpreter, where it has one; empty for none." default:"python3" placeholder:"COMMAND"`
}

// benchReport is what embed --bench prints as JSON.
type benchReport struct {
	Model        string              `json:"model"`
	Height       int                 `json:"height"`
	Width        int                 `json:"width"`
	MultiplyAdds int64               `json:"multiply_adds"` // of the model, for one image
	Uncounted    []string            `json:"uncounted,omitempty"`
	Source       string              `json:"source"`
	Runtime      string              `json:"runtime"`
	JPEG         string              `json:"jpeg,omitempty"` // what decoded JPEG files
	Repetitions  int                 `json:"repetitions"`
	Cases        []embedder.Measured `json:"cases"`
}

// benchmark measures the cases of flags on src.
func (f *benchFlags) benchmark(ctx context.Context, s *surface, src catalog.Source, card *models.Card, cases []embedder.Case, o embedder.SessionOptions, asJSON bool) error {
	if f.Sample < 1 || f.Repetitions < 1 || !(f.Seconds > 0) {
		return misuse(errors.New("--sample and --repetitions must be at least 1, and --seconds more than 0"))
	}
	began := time.Now()
	options := embedder.BenchmarkOptions{
		Cases: cases, Images: f.Sample, Repetitions: f.Repetitions, Seconds: f.Seconds, Session: o, Log: s.log,
		Progress: func(done, total int) {
			s.progress("measuring", done, total, secondsLeft(done, total, time.Since(began)))
		},
	}
	if f.Python != "" {
		options.Beside = func(card *models.Card, batch int) (embedder.Contender, error) {
			return startPython(ctx, f.Python, card, batch)
		}
	}
	report := benchReport{
		Model: card.Name, Height: card.Input.Height, Width: card.Input.Width, Source: src.Name(), Repetitions: f.Repetitions,
	}
	var err error
	if report.MultiplyAdds, report.Uncounted, err = embedder.CountMultiplyAdds(card, o.Library); err != nil {
		return err
	}
	report.Cases, err = embedder.Benchmark(ctx, src, card, options)
	s.clear()
	if err != nil {
		return err
	}
	report.Runtime, report.JPEG = embedder.RuntimeName(), jpegDecoder(src)
	if asJSON {
		enc := json.NewEncoder(s.out)
		enc.SetIndent("", "  ")
		return enc.Encode(report)
	}
	return report.print(s)
}

func (r *benchReport) print(s *surface) error {
	fmt.Fprintf(s.out, "%s, %d × %d, %s multiply-adds an image; %s; images of %s",
		r.Model, r.Height, r.Width, engineering(float64(r.MultiplyAdds)), r.Runtime, r.Source)
	if r.JPEG != "" {
		fmt.Fprintf(s.out, ", JPEG by %s", r.JPEG)
	}
	fmt.Fprint(s.out, "\n\n")
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
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
	fmt.Fprintf(s.out, "\nMedian of %d interleaved repetitions", r.Repetitions)
	if in, ok := metric.MedianInterval(make([]float64, r.Repetitions), .95); ok {
		fmt.Fprintf(s.out, ", with its %.0f %% interval", 100*in.Level)
	}
	fmt.Fprintln(s.out, "; the ratio, repetition by repetition, to the model alone, which is 1.")
	notes := map[string]bool{}
	note := func(format string, args ...any) {
		if text := fmt.Sprintf(format, args...); !notes[text] {
			notes[text] = true
			fmt.Fprintln(s.out, text)
		}
	}
	for _, m := range r.Cases {
		switch {
		case m.Refused != "":
			note("%s, %s: not measured: %s", m.Device, m.Precision, embedder.Brief(m.Refused))
		case m.NoBeside != "":
			note("Not beside Python's onnxruntime: %s", m.NoBeside)
		}
		if m.Kept != nil {
			note("recall@10: of the neighbours by cosine, against vectors of the CPU in fp32, among the images embedded.")
		}
		if m.Refused == "" {
			note("%s, batch %d, %s: %s; %s", m.Device, m.Batch, m.Precision, placed(m.Nodes), slowest(m.Time))
		}
		if len(m.Tried) > 0 {
			note("%s, %s, batch %d: %s", m.Device, m.Precision, m.Batch, triedBatches(m.Tried))
		}
	}
	if len(r.Uncounted) > 0 {
		note("Multiply-adds of these operators are not counted: %s", strings.Join(r.Uncounted, ", "))
	}
	return nil
}

// triedBatches tells how a batch was found.
func triedBatches(all []embedder.BatchTrial) string {
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
func slowest(all []embedder.Operation) string {
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

// python is an interpreter with onnxruntime that runs the same model; see runtime.py.
type python struct {
	name   string
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	folder string
}

//go:embed runtime.py
var pythonScript string

// startPython starts the interpreter. The error says, where it has no onnxruntime, that.
func startPython(ctx context.Context, command string, card *models.Card, batch int) (p *python, err error) {
	path, err := exec.LookPath(command)
	if err != nil {
		return nil, fmt.Errorf("there is no %s", command)
	}
	folder, err := os.MkdirTemp("", "annbench-python-")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(folder))
		}
	}()
	p = &python{folder: folder}
	model := card.Path
	if model == "" {
		data, err := card.ONNX()
		if err != nil {
			return nil, err
		}
		model = filepath.Join(folder, "model.onnx")
		if err := os.WriteFile(model, data, 0o600); err != nil {
			return nil, err
		}
	}
	in := card.Input
	shape := fmt.Sprintf("%d,%d,%d,3", batch, in.Height, in.Width)
	if in.Layout == "NCHW" {
		shape = fmt.Sprintf("%d,3,%d,%d", batch, in.Height, in.Width)
	}
	p.cmd = exec.CommandContext(ctx, path, "-c", pythonScript, model, in.Name, in.Type, shape, card.Embedding.Output)
	p.cmd.Stderr = io.Discard
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	p.out = bufio.NewReader(out)
	line, err := p.out.ReadString('\n')
	name, ready := strings.CutPrefix(strings.TrimSpace(line), "ready ")
	if err != nil || !ready {
		p.in.Close()
		_ = p.cmd.Wait() // what it said is the reason
		if line = strings.TrimSpace(line); line == "" {
			line = "it ended without a word"
		}
		return nil, fmt.Errorf("%s: %s", command, line)
	}
	p.name = name
	return p, nil
}

func (p *python) Name() string { return p.name }

func (p *python) Run(batches int) (seconds float64, err error) {
	if _, err := fmt.Fprintln(p.in, batches); err != nil {
		return 0, err
	}
	line, err := p.out.ReadString('\n')
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(strings.TrimSpace(line), 64)
}

func (p *python) Close() error {
	p.in.Close()
	return errors.Join(p.cmd.Wait(), os.RemoveAll(p.folder))
}
