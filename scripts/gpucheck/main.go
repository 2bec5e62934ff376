// Command gpucheck measures annbench's embedding on the GPUs of a machine, in one call of a few minutes, and
// writes what came of it as Markdown: which devices there are and why not the rest, images a second at each
// batch and size of pictures, the share of the device's peak, and where the time goes.
//
//	make gpu-check
//	bin/gpucheck      the same, where bin/ and .deps/onnxruntime were carried to: it builds and fetches nothing
//
// It reads the environment:
//
//	IMAGES=dir        photographs, CATEGORY/x.jpg; default: drawn boards, as JPEG files
//	DEVICES=list      default: every device but the CPU that is ready; with none, the CPU
//	BATCHES=list      default 1,8,32,128,512,1024
//	SIZES=list        pixels a side; default 96,224
//	PRECISIONS=list   default: fp32, tf32 and fp16 on cuda, fp32 and fp16 on the others
//	MODEL=card        default: the model that ships
//	BUDGET=seconds    about, for all measurements; default 240
//	PEAK_TFLOPS=x     of the GPU in the precision asked for, where the table in this program does not have it
//	OUT=file          default results/gpu-check.md
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "gpucheck:", err)
		os.Exit(1)
	}
}

// settings are what the environment asks for.
type settings struct {
	images, model, out  string
	devices, precisions []string
	batches, sizes      []int
	budget, peak        float64
	program             string // annbench
	environment         []string
	repetitions, sample int
}

func read(env func(string) string) (*settings, error) {
	s := &settings{
		images: env("IMAGES"), model: env("MODEL"), out: env("OUT"), repetitions: 3, sample: 2048,
		devices: list(env("DEVICES")), precisions: list(env("PRECISIONS")), budget: 240,
	}
	if s.out == "" {
		s.out = "results/gpu-check.md"
	}
	var err error
	if s.batches, err = numbers("BATCHES", env("BATCHES"), []int{1, 8, 32, 128, 512, 1024}); err != nil {
		return nil, err
	}
	if s.sizes, err = numbers("SIZES", env("SIZES"), []int{96, 224}); err != nil {
		return nil, err
	}
	for _, at := range []struct {
		name string
		to   *float64
	}{{"BUDGET", &s.budget}, {"PEAK_TFLOPS", &s.peak}} {
		if text := env(at.name); text != "" {
			if *at.to, err = strconv.ParseFloat(text, 64); err != nil || !(*at.to > 0) {
				return nil, fmt.Errorf("%s=%s: it is a number above 0", at.name, text)
			}
		}
	}
	return s, nil
}

func list(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
}

func numbers(name, text string, otherwise []int) ([]int, error) {
	if text == "" {
		return otherwise, nil
	}
	var out []int
	for _, part := range list(text) {
		n, err := strconv.Atoi(part)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("%s=%s: it is a list of numbers such as 1,32", name, text)
		}
		out = append(out, n)
	}
	return out, nil
}

// survey is what annbench devices --json prints, as far as it is wanted here.
type survey struct {
	Runtime, Library string
	Devices          []struct {
		Device, Runs, Reason string
		Ready                bool
		Nodes                map[string]int
	}
	Vulkan []string
}

// benchmark is what annbench embed --bench --json prints, as far as it is wanted here.
type benchmark struct {
	Model        string
	MultiplyAdds float64 `json:"multiply_adds"`
	Cases        []measured
}

type measured struct {
	Device, Precision, Refused, Limit string
	Batch, Images                     int
	Session                           []float64
	EndToEnd                          []float64 `json:"end_to_end"`
	Kept                              *float64
	Nodes                             map[string]int
	Stages                            []struct {
		Stage     string
		Busy      float64 `json:"busy_seconds"`
		Waiting   float64 `json:"waiting_seconds"`
		PerSecond float64 `json:"per_second"`
	}
	Time []struct {
		Operator string
		Seconds  float64
	}

	size int
	work float64 // multiply-adds of an image
}

func run(ctx context.Context) error {
	s, err := read(os.Getenv)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	s.program = filepath.Join(filepath.Dir(self), "annbench")
	if _, err := os.Stat(s.program); err != nil {
		return fmt.Errorf("%w: build it with make build, or carry it here beside %s", err, self)
	}
	if err := os.MkdirAll(filepath.Dir(s.out), 0o755); err != nil {
		return err
	}
	temporary, err := os.MkdirTemp("", "annbench-gpucheck-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temporary)
	libraries := find(filepath.Dir(filepath.Dir(self)))
	if s.environment, err = libraries.environment(temporary); err != nil {
		return err
	}

	var found survey
	if err := s.annbench(ctx, &found, "devices", "--json"); err != nil {
		return err
	}
	var report strings.Builder
	fmt.Fprintf(&report, "# GPU check, %s\n\n", time.Now().UTC().Format("2006-01-02"))
	machine(ctx, &report, &found, libraries)
	if err := s.pictures(ctx, temporary); err != nil {
		return err
	}

	devices := s.devices
	for _, d := range found.Devices {
		if len(s.devices) == 0 && d.Ready && d.Device != "cpu" {
			devices = append(devices, d.Device)
		}
	}
	if len(devices) == 0 {
		devices = []string{"cpu"}
		fmt.Fprintf(&report, "No GPU is ready: what follows is the CPU.\n\n")
	}
	gpu := gpuName(ctx)
	var all []measured
	var failures []string
	jobs := s.jobs(devices)
	cases := 0
	for _, j := range jobs {
		cases += len(j.batches)
	}
	// Each case is measured twice in a repetition, and about as long to get ready as two of those.
	seconds := min(2, max(.05, s.budget/float64(max(1, cases)*2*(s.repetitions+2))))
	for i, j := range jobs {
		fmt.Fprintf(os.Stderr, "%d of %d: %s, %s, %d × %d\n", i+1, len(jobs), j.device, j.precision, j.size, j.size)
		b, err := s.measure(ctx, j, j.batches, seconds)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && len(j.batches) > 1:
			// One that is too large for the device may have taken the others along.
			for _, batch := range j.batches {
				one, err := s.measure(ctx, j, []int{batch}, seconds)
				if err != nil {
					failures = append(failures, fmt.Sprintf("%s, %s, %d × %d, batch %d: %v", j.device, j.precision, j.size, j.size, batch, err))
					continue
				}
				all = append(all, one...)
			}
		case err != nil:
			failures = append(failures, fmt.Sprintf("%s, %s, %d × %d: %v", j.device, j.precision, j.size, j.size, err))
		}
		all = append(all, b...)
	}
	write(&report, all, failures, gpu, s.peak, s.repetitions)
	if err := os.WriteFile(s.out, []byte(report.String()), 0o644); err != nil {
		return err
	}
	fmt.Println(s.out)
	if len(all) == 0 {
		return errors.New("nothing could be measured")
	}
	return nil
}

// job is one call of annbench: a device, a precision and a size of pictures.
type job struct {
	device, precision string
	size              int
	batches           []int
}

func (s *settings) jobs(devices []string) []job {
	var out []job
	for _, device := range devices {
		precisions := s.precisions
		if len(precisions) == 0 {
			if precisions = []string{"fp32", "fp16"}; device == "cuda" || device == "tensorrt" {
				precisions = []string{"fp32", "tf32", "fp16"}
			}
		}
		for _, size := range s.sizes {
			for _, precision := range precisions {
				out = append(out, job{device, precision, size, s.batches})
			}
		}
	}
	return out
}

func (s *settings) measure(ctx context.Context, j job, batches []int, seconds float64) ([]measured, error) {
	sizes := make([]string, len(batches))
	for i, b := range batches {
		sizes[i] = strconv.Itoa(b)
	}
	args := []string{
		"embed", s.images, "--bench", "--json", "--python", "", "--device", j.device, "--precision", j.precision,
		"--size", strconv.Itoa(j.size), "--batch", strings.Join(sizes, ","), "--seconds", fmt.Sprint(seconds),
		"--repetitions", strconv.Itoa(s.repetitions), "--sample", strconv.Itoa(s.sample),
	}
	if s.model != "" {
		args = append(args, "--model", s.model)
	}
	var b benchmark
	if err := s.annbench(ctx, &b, args...); err != nil {
		return nil, err
	}
	for i := range b.Cases {
		b.Cases[i].size, b.Cases[i].work = j.size, b.MultiplyAdds
	}
	return b.Cases, nil
}

// annbench runs the program and reads the JSON that it prints; its last line is the reason if it fails.
func (s *settings) annbench(ctx context.Context, into any, args ...string) error {
	cmd := exec.CommandContext(ctx, s.program, append([]string{"--quiet"}, args...)...)
	cmd.Env = append(os.Environ(), s.environment...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		lines := strings.Split(strings.TrimSpace(errs.String()), "\n")
		return fmt.Errorf("annbench %s: %w: %s", args[0], err, lines[len(lines)-1])
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(out.Bytes(), into)
}

// pictures draws boards where there are no photographs.
func (s *settings) pictures(ctx context.Context, dir string) error {
	if s.images != "" {
		return nil
	}
	s.images = filepath.Join(dir, "boards")
	fmt.Fprintln(os.Stderr, "drawing boards: 400 JPEG files, 2,000 garments")
	return s.annbench(ctx, nil, "catalog", "render", "--boards", "400", "--out", s.images)
}

// libraries are the files that a GPU needs, where they were found; empty: nowhere.
type libraries struct {
	vulkan       string // the Vulkan loader
	nvidiaVulkan string // NVIDIA's Vulkan driver
	nvidiaICD    string // its manifest
	software     string // the manifest of SwiftShader
	runtime      string // ONNX Runtime, where root has it
	cuda         string // its CUDA provider
}

// folders where libraries lie, beside those of LD_LIBRARY_PATH.
var folders = []string{
	"/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib",
	"/usr/local/nvidia/lib64", "/usr/local/cuda/lib64", "/usr/lib/wsl/lib",
}

// find looks for libraries on the machine, and below root for those that were carried along.
func find(root string) libraries {
	dirs := append(filepath.SplitList(os.Getenv("LD_LIBRARY_PATH")), folders...)
	dirs = append(dirs, filepath.Join(root, ".deps", "vulkan"), "/usr/lib/chromium")
	first := func(patterns ...string) string {
		for _, pattern := range patterns {
			if found, err := filepath.Glob(pattern); err == nil && len(found) > 0 {
				return found[0]
			}
		}
		return ""
	}
	in := func(name string) string {
		var patterns []string
		for _, dir := range dirs {
			patterns = append(patterns, filepath.Join(dir, name))
		}
		return first(patterns...)
	}
	l := libraries{
		vulkan: in("libvulkan.so.1"), nvidiaVulkan: in("libGLX_nvidia.so.0"), software: first("/usr/lib/chromium/vk_swiftshader_icd.json"),
		nvidiaICD: first("/etc/vulkan/icd.d/nvidia*.json", "/usr/share/vulkan/icd.d/nvidia*.json", "/usr/local/share/vulkan/icd.d/nvidia*.json"),
		runtime:   os.Getenv("ONNXRUNTIME_LIB"),
	}
	if l.runtime == "" {
		l.runtime = first(filepath.Join(root, ".deps/onnxruntime/lib/libonnxruntime.so"))
	}
	if l.runtime != "" {
		l.cuda = first(filepath.Join(filepath.Dir(l.runtime), "libonnxruntime_providers_cuda.so"))
	}
	return l
}

// environment is what annbench needs to find them. An NVIDIA driver without a manifest, as containers
// have it, is given one.
func (l libraries) environment(temporary string) ([]string, error) {
	var env []string
	if l.runtime != "" {
		env = append(env, "ONNXRUNTIME_LIB="+l.runtime)
	}
	if dir := filepath.Dir(l.vulkan); l.vulkan != "" && !slices.Contains(folders[:5], dir) {
		env = append(env, "LD_LIBRARY_PATH="+strings.Trim(dir+":"+os.Getenv("LD_LIBRARY_PATH"), ":"))
	}
	if os.Getenv("VK_DRIVER_FILES") == "" && os.Getenv("VK_ICD_FILENAMES") == "" && l.nvidiaVulkan != "" && l.nvidiaICD == "" {
		manifest := filepath.Join(temporary, "nvidia_icd.json")
		text := fmt.Sprintf(`{"file_format_version": "1.0.0", "ICD": {"library_path": %q, "api_version": "1.3.0"}}`, l.nvidiaVulkan)
		if err := os.WriteFile(manifest, []byte(text), 0o644); err != nil {
			return nil, err
		}
		env = append(env, "VK_ICD_FILENAMES="+manifest)
	}
	return env, nil
}

// machine writes what was measured on, and what each device says.
func machine(ctx context.Context, w *strings.Builder, s *survey, l libraries) {
	say := func(what, value string) {
		if value != "" {
			fmt.Fprintf(w, "| %s | %s |\n", what, value)
		}
	}
	or := func(path string) string {
		if path == "" {
			return "not found"
		}
		return path
	}
	fmt.Fprintf(w, "| | |\n| --- | --- |\n")
	say("processor", fmt.Sprintf("%s, %d CPUs", cpuName(), runtime.NumCPU()))
	say("GPU", or(gpuName(ctx)))
	say("driver", output(ctx, "nvidia-smi", "--query-gpu=driver_version,memory.total", "--format=csv,noheader"))
	say("system", output(ctx, "uname", "-sr"))
	say("Go", runtime.Version())
	say("runtime", s.Runtime)
	say("Vulkan loader", or(l.vulkan))
	say("NVIDIA's Vulkan driver", or(l.nvidiaVulkan))
	say("its manifest", or(l.nvidiaICD))
	say("CUDA provider of ONNX Runtime", or(l.cuda))
	fmt.Fprintf(w, "\n| device | |\n| --- | --- |\n")
	for _, d := range s.Devices {
		said := "no: " + strings.ReplaceAll(d.Reason, "|", `\|`)
		if d.Ready {
			said = "ready"
			for provider, n := range d.Nodes {
				said += fmt.Sprintf("; %d nodes on %s", n, provider)
			}
		}
		fmt.Fprintf(w, "| %s | %s |\n", d.Device, said)
	}
	for _, driver := range s.Vulkan {
		fmt.Fprintf(w, "| Vulkan driver | %s |\n", driver)
	}
	fmt.Fprintln(w)
}

func cpuName() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

func gpuName(ctx context.Context) string {
	return output(ctx, "nvidia-smi", "--query-gpu=name", "--format=csv,noheader")
}

// output is the first line of a command's; empty where there is no such command.
func output(ctx context.Context, name string, args ...string) string {
	out, err := exec.CommandContext(ctx, name, args...).Output()
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return line
}

// peaks are the dense peaks of GPUs in 10¹² operations a second, in fp32, tf32 and fp16, as NVIDIA's data
// sheets have them (halved where a sheet counts sparsity); 0: the GPU has none. The first that fits a name
// counts.
var peaks = []struct {
	name             string
	fp32, tf32, fp16 float64
}{
	{"H200", 67, 494, 989},
	{"H100 PCIe", 51, 378, 756},
	{"H100", 67, 494, 989},
	{"A100", 19.5, 156, 312},
	{"A10", 31.2, 62.5, 125},
	{"L4", 30.3, 60, 121},
	{"V100", 15.7, 0, 125},
	{"T4", 8.1, 0, 65},
}

// peakOf is in operations a second; 0: not known. Names are compared word by word: an L40 is no L4.
func peakOf(gpu, precision string) float64 {
	words := strings.FieldsFunc(gpu, func(r rune) bool { return r == ' ' || r == '-' })
	for _, p := range peaks {
		fits := true
		for _, part := range strings.Fields(p.name) {
			fits = fits && slices.Contains(words, part)
		}
		if fits {
			return map[string]float64{"fp32": p.fp32, "tf32": p.tf32, "fp16": p.fp16}[precision] * 1e12
		}
	}
	return 0
}

// write is the report's tables.
func write(w *strings.Builder, all []measured, failures []string, gpu string, given float64, repetitions int) {
	fmt.Fprintf(w, "Images a second: median of %d interleaved repetitions, warm-up left out. A multiply-add is two operations.\n\n", repetitions)
	fmt.Fprintln(w, "| device | pixels | precision | batch | model alone | end to end | ratio | limit | 10¹² operations/s | of the peak | recall@10 |")
	fmt.Fprintln(w, "| --- | ---: | --- | ---: | ---: | ---: | ---: | --- | ---: | ---: | ---: |")
	for _, m := range all {
		if m.Refused != "" || len(m.Session) == 0 || len(m.EndToEnd) == 0 {
			failures = append(failures, fmt.Sprintf("%s, %s, %d × %d, batch %d: %s", m.Device, m.Precision, m.size, m.size, m.Batch, m.Refused))
			continue
		}
		alone, whole := median(m.Session), median(m.EndToEnd)
		var ratios []float64
		for i, v := range m.EndToEnd {
			ratios = append(ratios, v/m.Session[i])
		}
		operations := 2 * m.work * alone
		share, kept := "", ""
		peak := given * 1e12
		if peak == 0 && (m.Device == "cuda" || m.Device == "tensorrt" || m.Device == "webgpu") {
			peak = peakOf(gpu, m.Precision)
		}
		if peak > 0 {
			share = fmt.Sprintf("%.1f %%", 100*operations/peak)
		}
		if m.Kept != nil {
			kept = fmt.Sprintf("%.4f", *m.Kept)
		}
		fmt.Fprintf(w, "| %s | %d | %s | %d | %.4g | %.4g | %.3f | %s | %.3g | %s | %s |\n", m.Device, m.size, m.Precision, m.Batch,
			alone, whole, median(ratios), m.Limit, operations/1e12, share, kept)
	}
	fmt.Fprintf(w, "\nWhere the time goes, end to end, at the fastest batch:\n\n| device | pixels | precision | batch | stages | operators of the model |\n| --- | ---: | --- | ---: | --- | --- |\n")
	for _, m := range fastest(all) {
		var stages, operators []string
		for _, s := range m.Stages {
			if s.Busy+s.Waiting > 0 {
				stages = append(stages, fmt.Sprintf("%s busy %.0f %% (%.4g images/s)", s.Stage, 100*s.Busy/(s.Busy+s.Waiting), s.PerSecond))
			}
		}
		total := 0.0
		for _, o := range m.Time {
			total += o.Seconds
		}
		for _, o := range m.Time[:min(4, len(m.Time))] {
			operators = append(operators, fmt.Sprintf("%s %.0f %%", o.Operator, 100*o.Seconds/max(total, 1e-12)))
		}
		fmt.Fprintf(w, "| %s | %d | %s | %d | %s | %s |\n", m.Device, m.size, m.Precision, m.Batch, strings.Join(stages, ", "), strings.Join(operators, ", "))
	}
	fmt.Fprintf(w, "\nThe times of operators are those of the thread that hands them to the device; a GPU may still be working then.\n")
	if len(failures) > 0 {
		fmt.Fprintf(w, "\nNot measured:\n\n")
		for _, f := range failures {
			fmt.Fprintf(w, "- %s\n", f)
		}
	}
}

// fastest is, for each device, size and precision, the batch of the highest rate end to end.
func fastest(all []measured) []measured {
	var out []measured
	for _, m := range all {
		if m.Refused != "" || len(m.EndToEnd) == 0 {
			continue
		}
		i := slices.IndexFunc(out, func(o measured) bool {
			return o.Device == m.Device && o.size == m.size && o.Precision == m.Precision
		})
		switch {
		case i < 0:
			out = append(out, m)
		case median(m.EndToEnd) > median(out[i].EndToEnd):
			out[i] = m
		}
	}
	return out
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return sorted[(n-1)/2]/2 + sorted[n/2]/2
}
