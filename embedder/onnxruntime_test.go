//go:build cgo

package embedder

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"log/slog"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"annbench/embedder/catalog"
	"annbench/embedder/models"
	"annbench/indexes/vec"
)

// withRuntime skips the test where ONNX Runtime is not there.
func withRuntime(t testing.TB) {
	t.Helper()
	if _, err := FindLibrary(); err != nil {
		t.Skip(err)
	}
}

func openCard(t testing.TB, path string) *models.Card {
	t.Helper()
	card, err := models.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return card
}

func openCPU(t testing.TB, path string, logits bool) *Session {
	t.Helper()
	withRuntime(t)
	s, err := OpenSession(openCard(t, path), SessionOptions{Devices: []Device{CPU}, Logits: logits})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestRuntimeTiny(t *testing.T) {
	noLeak(t)
	s := openCPU(t, "testdata/tiny.onnx", false)
	if s.Device() != CPU || !strings.HasPrefix(s.Runtime(), "onnxruntime 1.") {
		t.Errorf("on %s by %s", s.Device(), s.Runtime())
	}
	src := &pictures{groups: 61, size: 5, broken: func(i int) error {
		if i%50 == 3 {
			return fmt.Errorf("torn")
		}
		return nil
	}}
	n := 0
	r, err := Embed(t.Context(), src, s, Options{Batch: 16, Workers: 8}, func(b Batch) error {
		for i, item := range b.Items {
			v := b.Vectors.Row(i)
			if item.ID != fmt.Sprintf("p%d", number(v)) || v[2] != 7 || v[3] != v[0]+v[1]+v[2] {
				t.Fatalf("%s has %v", item.ID, v)
			}
			n++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n != 298 || len(r.Skipped) != 7 {
		t.Errorf("%d embedded, %d skipped", n, len(r.Skipped))
	}
}

// The model takes float32 NCHW in BGR, two pictures at a time, and gives their means.
func TestRuntimeFixed(t *testing.T) {
	s := openCPU(t, "testdata/fixed.json", false)
	src := &pictures{groups: 5, size: 1}
	in := s.Card().Input
	n := 0
	r, err := Embed(t.Context(), src, s, Options{Batch: 32}, func(b Batch) error {
		for i := range b.Items {
			colour := []float32{float32(n), 0, 7} // red, green, blue
			for c, v := range b.Vectors.Row(i) {
				k := 2 - c // the model's first channel is blue
				want := (colour[k]/255 - in.Mean[k]) / in.Std[k]
				if math.Abs(float64(v-want)) > 1e-6 {
					t.Errorf("picture %d, channel %d: %v; want %v", n, c, v, want)
				}
			}
			n++
		}
		return nil
	})
	if err != nil || r.Images != 5 || r.Batch != 2 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestRuntimeLogits(t *testing.T) {
	s := openCPU(t, "testdata/tiny.json", true)
	vectors, logits, err := s.Run([]image.Image{noise(20, 20, 1), noise(9, 30, 2)})
	if err != nil {
		t.Fatal(err)
	}
	if logits.Rows != 2 || logits.Dim != 3 {
		t.Fatalf("%d×%d logits", logits.Rows, logits.Dim)
	}
	for i := range 2 {
		if !slices.Equal(logits.Row(i), vectors.Row(i)[:3]) {
			t.Errorf("row %d: %v, %v", i, logits.Row(i), vectors.Row(i))
		}
	}
	n := 0
	if _, err := Embed(t.Context(), &pictures{groups: 9, size: 2}, s, Options{Batch: 4}, func(b Batch) error {
		for i := range b.Items {
			if !slices.Equal(b.Logits.Row(i), b.Vectors.Row(i)[:3]) {
				t.Errorf("%s: %v, %v", b.Items[i].ID, b.Logits.Row(i), b.Vectors.Row(i))
			}
			n++
		}
		return nil
	}); err != nil || n != 18 {
		t.Errorf("%d pictures, %v", n, err)
	}
	if _, err := OpenSession(openCard(t, "testdata/fixed.json"), SessionOptions{Logits: true}); err == nil || !strings.Contains(err.Error(), "does not classify") {
		t.Errorf("a model without logits: %v", err)
	}
}

func TestRuntimeWrongCards(t *testing.T) {
	withRuntime(t)
	for _, test := range []struct {
		change func(*models.Card)
		want   string
	}{
		{func(c *models.Card) { c.Input.Name = "pixels" }, `input "pixels"; it has "images", uint8 [any 8 8 3]`},
		{func(c *models.Card) { c.Input.Height = 9 }, "9 high and 8 wide; the model has"},
		{func(c *models.Card) { c.Input.Type = "float32" }, "input is float32"},
		{func(c *models.Card) { c.Embedding.Dim = 512 }, "float32 [any 512]"},
		{func(c *models.Card) { c.Embedding.Output = "features" }, `output "features"; it has "embedding"`},
		{func(c *models.Card) { c.Path = "onnxruntime_test.go" }, "reading the model: "},
		{func(c *models.Card) { c.Path = "missing.onnx" }, "missing.onnx"},
	} {
		card := openCard(t, "testdata/tiny.json")
		test.change(card)
		s, err := OpenSession(card, SessionOptions{Devices: []Device{CPU}})
		if err == nil {
			s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "opening model tiny: ") {
			t.Errorf("%v; want %q", err, test.want)
		}
	}
}

// A machine either has a device, and then it is the one that is taken, or it refuses in its own words.
func TestRuntimeDevices(t *testing.T) {
	withRuntime(t)
	card := openCard(t, "testdata/tiny.json")
	had := map[Device]bool{CPU: true}
	for _, d := range []Device{CUDA, WebGPU} {
		s, err := OpenSession(card, SessionOptions{Devices: []Device{d}})
		if err == nil {
			if s.Device() != d || len(s.Refusals()) != 0 {
				t.Errorf("asked for %s: on %s after %v", d, s.Device(), s.Refusals())
			}
			had[d] = d != WebGPU || softwareVulkanOnly() == "" // that is taken only when it is named alone
			s.Close()
			continue
		}
		t.Log(err)
		if !strings.HasPrefix(err.Error(), fmt.Sprintf("opening model tiny: device %s is not available: ", d)) {
			t.Errorf("asked for %s: %v", d, err)
		}
	}

	var log bytes.Buffer
	s, err := OpenSession(card, SessionOptions{Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i, d := range Devices {
		if had[d] {
			if s.Device() != d || len(s.Refusals()) != i {
				t.Errorf("%v are to be had; on %s after %v", had, s.Device(), s.Refusals())
			}
			break
		}
		if r := s.Refusals()[i]; r.Device != d || r.Reason == "" {
			t.Errorf("refusal %d is %v", i, r)
		}
	}
	for _, r := range s.Refusals() {
		if !strings.Contains(log.String(), string(r.Device)+": ") {
			t.Errorf("the refusal of %s is not logged: %s", r.Device, &log)
		}
	}
	if !strings.Contains(log.String(), "device taken") {
		t.Errorf("log: %s", &log)
	}
	// What the refused providers left behind must not reach the session.
	if vectors, _, err := s.Run([]image.Image{noise(8, 8, 1)}); err != nil || vectors.Rows != 1 {
		t.Error(err)
	}
}

// Without its libraries CUDA refuses with the reason alone, and no session on the CPU comes in its
// place: not for a device named on purpose, and not for options that only CUDA has.
func TestRuntimeCUDARefusal(t *testing.T) {
	withRuntime(t)
	path, err := FindLibrary()
	if err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(filepath.Dir(path), "libonnxruntime_providers_shared.so")
	if _, err := os.Stat(missing); err == nil {
		t.Skipf("%s is there", missing)
	}
	for _, options := range []DeviceOptions{nil, {CUDA: {"device_id": "0", "gpu_mem_limit": "1073741824"}}} {
		s, err := OpenSession(openCard(t, "testdata/tiny.json"), SessionOptions{Devices: []Device{CUDA}, Options: options})
		if s != nil {
			t.Fatalf("there is a session, on %s", s.Device())
		}
		const want = "opening model tiny: device cuda is not available: libonnxruntime_providers_shared.so does not load: cannot open shared object file: No such file or directory"
		if err == nil || err.Error() != want {
			t.Errorf("%v; want %s", err, want)
		}
	}
	// The words of a provider that the library was built without.
	_, err = OpenSession(openCard(t, "testdata/tiny.json"), SessionOptions{Devices: []Device{"coreml"}})
	if err == nil || !strings.HasSuffix(err.Error(), "device coreml is not available: CoreML execution provider is not supported in this build.") {
		t.Errorf("coreml: %v", err)
	}
	if _, err = OpenSession(openCard(t, "testdata/tiny.json"), SessionOptions{Precision: TF32, Devices: []Device{CPU}}); err == nil || !strings.Contains(err.Error(), "it has no tf32") {
		t.Errorf("tf32 on the CPU: %v", err)
	}
}

// Without a Vulkan driver WebGPU is refused in words, and is not asked: what it would say itself goes to
// standard error, past the log.
func TestRuntimeNoVulkan(t *testing.T) {
	withRuntime(t)
	if runtime.GOOS != "linux" {
		t.Skip("WebGPU runs over Vulkan on Linux alone")
	}
	const variable = "ANNBENCH_TEST_NO_VULKAN" // this test, in a process of its own
	if os.Getenv(variable) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestRuntimeNoVulkan$")
		cmd.Env = append(os.Environ(), variable+"=1", "VK_DRIVER_FILES="+filepath.Join(t.TempDir(), "none.json"))
		var said bytes.Buffer
		cmd.Stderr = &said
		if out, err := cmd.Output(); err != nil || said.Len() > 0 {
			t.Errorf("%v; on standard error: %q; %s", err, &said, out)
		}
		return
	}
	card := openCard(t, "testdata/tiny.json")
	_, err := OpenSession(card, SessionOptions{Devices: []Device{WebGPU}})
	if err == nil || !strings.Contains(err.Error(), "device webgpu is not available: it runs over Vulkan here, and there is no Vulkan driver: ") {
		t.Errorf("webgpu alone: %v", err)
	}
	var log bytes.Buffer
	s, err := OpenSession(card, SessionOptions{Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	i := slices.IndexFunc(s.Refusals(), func(r Refusal) bool { return r.Device == WebGPU })
	if s.Device() != CUDA && (i < 0 || !strings.Contains(log.String(), "there is no Vulkan driver")) {
		t.Errorf("%v; log: %s", s.Refusals(), &log)
	}
}

// A provider's own words about an option's value; and a name that it would ignore.
func TestRuntimeOptionErrors(t *testing.T) {
	withRuntime(t)
	for option, want := range map[string]string{
		"powerPreference": "Invalid power preference: nonsense",
		"power":           `device webgpu has no option "power"`,
	} {
		if why := noVulkan(); why != "" && option == "powerPreference" {
			t.Logf("%s: webgpu is not asked: %s", option, why)
			continue
		}
		_, err := OpenSession(openCard(t, "testdata/tiny.json"), SessionOptions{
			Devices: []Device{WebGPU}, Options: DeviceOptions{WebGPU: {option: "nonsense"}},
		})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", option, err, want)
		}
	}
}

// openWebGPU opens a model on WebGPU alone, or skips the test where there is no Vulkan.
func openWebGPU(t *testing.T, card *models.Card, o SessionOptions) *Session {
	t.Helper()
	withRuntime(t)
	required := os.Getenv("ANNBENCH_WEBGPU") == "required" // as where a change is checked
	if runtime.GOOS == "linux" && noVulkan() != "" && !required {
		t.Skip(noVulkan() + ": Debian's packages chromium and libvulkan1 bring one that runs in software")
	}
	o.Devices = []Device{WebGPU}
	s, err := OpenSession(card, o)
	if err != nil {
		if strings.Contains(err.Error(), "Failed to get a WebGPU adapter") && !required {
			t.Skip(err)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// The GPU path, on Vulkan in software where there is no GPU: the CPU's answers within 1e-4, every node
// on the device, and the same neighbours.
func TestRuntimeWebGPU(t *testing.T) {
	pictures := make([]image.Image, defaultBatch) // one batch: every shape has shaders of its own
	for i := range pictures {
		pictures[i] = noise(16+i, 56-i, uint64(i))
	}
	for name, scale := range map[string]float64{"tiny": 255, "net": 1} { // of the answers
		t.Run(name, func(t *testing.T) {
			cpu := openCPU(t, "testdata/"+name+".json", true)
			gpu := openWebGPU(t, cpu.Card(), SessionOptions{Logits: true})
			want, wantLogits, err := cpu.Run(pictures)
			if err != nil {
				t.Fatal(err)
			}
			got, gotLogits, err := gpu.Run(pictures)
			if err != nil {
				t.Fatal(err)
			}
			d := max(matrixDiff(t, got, want), matrixDiff(t, gotLogits, wantLogits)) / scale
			t.Logf("differs from the CPU by %.3g", d)
			if d > 1e-4 {
				t.Errorf("more than 1e-4")
			}
			kept, err := NeighboursKept(t.Context(), want, got, 10)
			if err != nil || kept < .999 {
				t.Errorf("recall@10 of the neighbours is %v, %v", kept, err)
			}
			p, err := gpu.Profile(defaultBatch)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("placed: %v", p.Placed())
			if len(p.Placed()) != 1 || p.Placed()["WebGpuExecutionProvider"] < 3 {
				t.Errorf("placed: %v", p.Placed())
			}
		})
	}
}

// The models that ship, of which every operator has to be there.
func TestShippedOnWebGPU(t *testing.T) {
	if testing.Short() {
		t.Skip("half a minute in software for each: the shaders")
	}
	for _, name := range models.Shipped {
		cpu := shipped(t, name, false)
		gpu := openWebGPU(t, cpu.Card(), SessionOptions{})
		img := []image.Image{noise(20, 20, 1), noise(9, 30, 2)}
		want, _, err := cpu.Run(img)
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := gpu.Run(img)
		if err != nil {
			t.Fatal(err)
		}
		if d := matrixDiff(t, got, want) / largest(want); d > 1e-4 {
			t.Errorf("%s differs from the CPU by %v of the largest component", name, d)
		}
	}
}

func TestSurvey(t *testing.T) {
	withRuntime(t)
	s, err := SurveyDevices(nil, SessionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Devices) != len(Providers) || !strings.HasPrefix(s.Runtime, "onnxruntime ") || !filepath.IsAbs(s.Library) {
		t.Errorf("%+v", s)
	}
	for _, d := range s.Devices {
		if d.Ready != (d.Reason == "") || d.Ready != (len(d.Nodes) > 0) || d.Device == CPU && !d.Ready {
			t.Errorf("%+v", d)
		}
		if d.Ready && len(d.Nodes) != 1 {
			t.Errorf("%s: nodes on %v", d.Device, d.Nodes)
		}
	}
	card := openCard(t, "testdata/tiny.json")
	card.Embedding.Dim = 5
	if _, err := SurveyDevices(card, SessionOptions{}); err == nil || !strings.Contains(err.Error(), "float32 [any 5]") {
		t.Errorf("a wrong card: %v", err)
	}
}

// A model made half as exact gives nearly the same vectors, and takes and gives the same types. The CPU
// has no arithmetic in float16 on x86, and the runtime leaves out the casts between nodes that would
// follow one another: what is rounded here are the weights, which only net has any of.
func TestRuntimeHalf(t *testing.T) {
	pictures := make([]image.Image, 64)
	for i := range pictures {
		pictures[i] = noise(16+i, 80-i, uint64(i))
	}
	for _, name := range []string{"tiny", "fixed", "net"} {
		s := openCPU(t, "testdata/"+name+".json", name != "fixed")
		h, err := OpenSession(s.Card(), SessionOptions{Devices: []Device{CPU}, Precision: FP16, Logits: name != "fixed"})
		if err != nil {
			t.Fatal(err)
		}
		want, wantLogits, err := s.Run(pictures)
		if err != nil {
			t.Fatal(err)
		}
		got, gotLogits, err := h.Run(pictures)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		most := 0.0
		for _, v := range append(slices.Clone(want.Data), wantLogits.Data...) {
			most = max(most, math.Abs(float64(v)))
		}
		d := max(matrixDiff(t, got, want), matrixDiff(t, gotLogits, wantLogits)) / most
		t.Logf("%s: differs by %.3g of the largest component", name, d)
		// The unit of rounding is 2^-11; a dozen roundings of sums that partly cancel.
		if (d == 0) == (name == "net") || d > 12.0/2048 {
			t.Errorf("%s: fp16 differs from fp32 by %v of the largest component", name, d)
		}
		if h.Precision() != FP16 || s.Precision() != FP32 {
			t.Errorf("in %s and %s", h.Precision(), s.Precision())
		}
	}
	for _, name := range models.Shipped {
		h, err := OpenSession(shipped(t, name, false).Card(), SessionOptions{Devices: []Device{CPU}, Precision: FP16})
		if err != nil {
			t.Fatal(err)
		}
		h.Close()
	}
}

// A convolutional network with a mean at its end takes pictures of any size, whatever its file says; one
// that multiplies all of its pixels by a matrix does not, and says so when it is opened.
func TestRuntimeResized(t *testing.T) {
	small := openCPU(t, "testdata/net.json", false)
	card, err := small.Card().Resized(40, 24)
	if err != nil {
		t.Fatal(err)
	}
	if card.Input.Height != 40 || card.Input.Width != 24 || card.SHA256 == small.Card().SHA256 || small.Card().Input.Height != 16 {
		t.Errorf("%+v", card.Input)
	}
	s, err := OpenSession(card, SessionOptions{Devices: []Device{CPU}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if v, _, err := s.Run([]image.Image{noise(50, 50, 1)}); err != nil || v.Rows != 1 {
		t.Error(err)
	}
	if same, err := small.Card().Resized(16, 16); err != nil || same != small.Card() {
		t.Errorf("its own size: %v", err)
	}
	if _, err := small.Card().Resized(0, 16); err == nil || !strings.Contains(err.Error(), "0 × 16") {
		t.Errorf("no height: %v", err)
	}
}

// What a card leaves out, the graph says; what it leaves open is an error with the key to write.
func TestRuntimeComplete(t *testing.T) {
	withRuntime(t)
	full := openCard(t, "testdata/fixed.json")
	full.Input.Fit, full.Input.Mean, full.Input.Std = "stretch", nil, nil
	bare := *full
	bare.Input = models.Input{Channels: "BGR", Fit: "stretch", Resample: full.Input.Resample}
	bare.Embedding = models.Embedding{}
	card, err := CompleteCard(&bare, "")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprintf("%+v %+v", card.Input, card.Embedding), fmt.Sprintf("%+v %+v", full.Input, full.Embedding); got != want {
		t.Errorf("%s; want %s", got, want)
	}
	if bare.Input.Name != "" {
		t.Error("the card that was given was changed")
	}
	s, err := OpenSession(&bare, SessionOptions{Devices: []Device{CPU}})
	if err != nil {
		t.Fatal(err)
	}
	if s.Card().Embedding.Dim != 3 || s.fixed != 2 {
		t.Errorf("%+v", s.Card().Embedding)
	}
	s.Close()

	for _, test := range []struct {
		file   string
		change func(*models.Card)
		want   string
	}{
		{"tiny", func(c *models.Card) { c.Embedding.Output = "" }, ""}, // the logits are named: one is left
		{"tiny", func(c *models.Card) { c.Embedding.Output, c.Logits = "", nil }, `the model has 2 outputs of float32 with two axes, of which one has to be the vectors: it has "embedding", float32 [any 4]; "logits", float32 [any 3]; name one as "embedding": {"output"}`},
		{"tiny", func(c *models.Card) { c.Embedding.Dim, c.Embedding.Output = 0, "features" }, `an output "features", which the graph lacks: it has "embedding"`},
		{"net", func(c *models.Card) { c.Input.Type, c.Input.Mean = "", []float32{1, 1, 1} }, "belong to float32 inputs"},
		{"net", func(c *models.Card) { c.Input.Layout, c.Input.Name = "", "pixels" }, `has an input "pixels"; it has "images"`},
	} {
		card := openCard(t, "testdata/"+test.file+".json")
		test.change(card)
		_, err := CompleteCard(card, "")
		if test.want == "" && err == nil {
			continue
		}
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v; want %q", err, test.want)
		}
	}
}

func TestCompleteWithoutRuntime(t *testing.T) {
	card := &models.Card{Input: models.Input{Fit: "cover", Resample: "bilinear-antialias", Channels: "RGB"}, File: "x.onnx"}
	float := func(name string, dims ...int64) port { return port{name, "float32", dims} }
	for _, test := range []struct {
		in, out []port
		want    string
	}{
		{[]port{float("pixel_values", -1, 3, 224, 224)}, []port{float("last_hidden_state", -1, 257, 768), float("pooler_output", -1, 768)}, ""},
		{[]port{float("x", -1, 3, 224, 224), float("mask", -1, 77)}, []port{float("v", -1, 8)}, "the model has 2 inputs"},
		{[]port{float("x", -1, 768)}, []port{float("v", -1, 8)}, "the input has 2 axes"},
		{[]port{float("x", -1, -1, -1, -1)}, []port{float("v", -1, 8)}, `write "layout"`},
		{[]port{float("x", -1, 3, -1, -1)}, []port{float("v", -1, 8)}, `write "height" and "width"`},
		{[]port{float("x", -1, 3, 8, 8)}, []port{float("tokens", -1, 4, 8)}, "has 0 outputs of float32 with two axes"},
		{[]port{float("x", -1, 3, 8, 8)}, []port{float("v", -1, -1)}, `write "embedding": {"dim"}`},
		{[]port{{"x", "float16", []int64{-1, 3, 8, 8}}}, []port{float("v", -1, 8)}, `"type" is "float16"; known are uint8, float32`},
	} {
		c, err := complete(card, graph{test.in, test.out})
		if test.want == "" {
			if err != nil || c.Input.Name != "pixel_values" || c.Input.Layout != "NCHW" || c.Input.Height != 224 || c.Embedding.Output != "pooler_output" || c.Embedding.Dim != 768 {
				t.Errorf("%+v, %v", c, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: %v; want %q", test.in, err, test.want)
		}
	}
}

// TestCaseM3: a card that names an output which the graph lacks.
func TestCaseM3(t *testing.T) {
	g := graph{[]port{{"x", "float32", []int64{-1, 3, 8, 8}}}, []port{{"embedding", "float32", []int64{-1, 8}}}}
	for _, card := range []models.Card{
		{Embedding: models.Embedding{Output: "pooled"}},
		{Embedding: models.Embedding{Output: "pooled", Dim: 8}},
		{Embedding: models.Embedding{Output: "embedding"}, Logits: &models.Logits{Output: "pooled"}},
	} {
		card.File, card.Input = "ok.onnx", models.Input{Fit: "cover", Resample: "bicubic-antialias", Channels: "RGB"}
		if _, err := complete(&card, g); err == nil || !strings.Contains(err.Error(), `an output "pooled", which the graph lacks: it has "embedding"`) {
			t.Errorf("%+v: %v", card.Embedding, err)
		}
	}
}

// Vectors that annbench normalises point where they did, and have length 1.
func TestRuntimeNormalize(t *testing.T) {
	s := openCPU(t, "testdata/net.json", false)
	card := *s.Card()
	card.Embedding.Normalize = true
	unit, err := OpenSession(&card, SessionOptions{Devices: []Device{CPU}})
	if err != nil {
		t.Fatal(err)
	}
	defer unit.Close()
	pictures := []image.Image{noise(20, 20, 1), noise(9, 30, 2), noise(40, 10, 3)}
	want, _, err := s.Run(pictures)
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := unit.Run(pictures)
	if err != nil {
		t.Fatal(err)
	}
	for i := range pictures {
		if cos := vec.Cosine.Distance(want.Row(i), got.Row(i)); cos > 1e-6 || math.Abs(vec.Norm(got.Row(i))-1) > 1e-6 || math.Abs(vec.Norm(want.Row(i))-1) < .01 {
			t.Errorf("row %d: distance %v, length %v, before %v", i, cos, vec.Norm(got.Row(i)), vec.Norm(want.Row(i)))
		}
	}
	zero := vec.NewMatrix(1, 24)
	unit.normalize(zero)
	if err := checkVectors(zero, true, func(int) string { return "it" }); err == nil || !strings.Contains(err.Error(), "length 0") {
		t.Errorf("a vector of zeros: %v", err)
	}
}

func TestFindBatch(t *testing.T) {
	s := openCPU(t, "testdata/net.json", false)
	batch, tried, err := s.FindBatch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Log(batch, tried)
	best := 0.0
	for i, trial := range tried {
		if trial.Batch != 1<<i || trial.PerSecond <= 0 || (trial.Reason != "") != (i == len(tried)-1) {
			t.Errorf("trial %d: %+v", i, trial)
		}
		best = max(best, trial.PerSecond)
	}
	for _, trial := range tried {
		if reaches := trial.PerSecond >= worthwhile*best; reaches != (trial.Batch == batch) && trial.Batch <= batch {
			t.Errorf("batch %d taken of %+v", batch, tried)
		}
	}
	if batch, tried, err := openCPU(t, "testdata/fixed.json", false).FindBatch(t.Context()); batch != 2 || tried != nil || err != nil {
		t.Errorf("a fixed batch: %d, %v, %v", batch, tried, err)
	}

	// A device whose memory ends at 8 pictures.
	small := fakeSession(&limited{rows: 8})
	small.setup.device = "nowhere" // it cannot be opened again
	if _, tried, err := small.FindBatch(t.Context()); err == nil || !strings.Contains(err.Error(), "again") || tried[len(tried)-1].Reason != "out of memory" || tried[len(tried)-1].Batch != 16 {
		t.Errorf("%v, %+v", err, tried)
	}
	for text, want := range map[string]int{"1": 1, "1024": 1024, "auto": AutoBatch} {
		if n, err := ParseBatch(text); n != want || err != nil {
			t.Errorf("%q: %d, %v", text, n, err)
		}
	}
	for _, text := range []string{"", "0", "-1", "1025", "1,2", "many"} {
		if _, err := ParseBatch(text); err == nil || !strings.Contains(err.Error(), "auto") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// limited is an engine with memory for so many rows, which gains from every one of them.
type limited struct{ rows int }

func (e *limited) run(_ tensor, rows int, _ output) error {
	if rows > e.rows {
		return errors.New("out of memory")
	}
	time.Sleep(2 * time.Millisecond)
	return nil
}

func (*limited) close() error { return nil }

// doubled is another program, which says that it takes a second a batch.
type doubled struct{ closed *bool }

func (doubled) Name() string                     { return "other" }
func (doubled) Run(batches int) (float64, error) { return float64(batches), nil }
func (d doubled) Close() error {
	*d.closed = true
	return nil
}

func TestBenchmark(t *testing.T) {
	noLeak(t)
	s := openCPU(t, "testdata/net.json", false)
	closed, calls := false, 0
	src := &pictures{groups: 300, size: 2, broken: func(i int) error {
		if i == 4 {
			return errors.New("torn")
		}
		return nil
	}}
	measured, err := Benchmark(t.Context(), src, s.Card(), BenchmarkOptions{
		Cases:  []Case{{CPU, 8, FP32}, {CPU, AutoBatch, FP16}, {"coreml", 8, FP32}},
		Images: 100, Repetitions: 3, Seconds: .5,
		Beside: func(card *models.Card, batch int) (Contender, error) {
			if batch != 8 || card.Name != "net" {
				t.Errorf("beside %s, batch %d", card.Name, batch)
			}
			return doubled{&closed}, nil
		},
		Progress: func(done, total int) {
			if calls++; done != calls || total != 6 {
				t.Errorf("%d of %d", done, total)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	fp32, fp16, refused := measured[0], measured[1], measured[2]
	if !closed || calls != 6 || len(measured) != 3 {
		t.Errorf("closed %v, %d calls", closed, calls)
	}
	if refused.Refused != "CoreML execution provider is not supported in this build." || len(refused.Session) != 0 {
		t.Errorf("%+v", refused)
	}
	for _, m := range []Measured{fp32, fp16} {
		if m.Refused != "" || len(m.Session) != 3 || len(m.EndToEnd) != 3 || len(m.Ratios()) != 3 || m.Images != 100 || m.Limit == "" || m.Nodes["CPUExecutionProvider"] < 5 || m.WarmUp <= 0 || len(m.Time) == 0 {
			t.Errorf("%+v", m)
		}
		for i, r := range m.Ratios() {
			if r != m.EndToEnd[i]/m.Session[i] || r <= 0 {
				t.Errorf("ratio %v", r)
			}
		}
	}
	if fp16.Batch < 1 || len(fp16.Tried) == 0 || fp16.Kept == nil || *fp16.Kept < .5 || fp32.Kept != nil {
		t.Errorf("fp16: batch %d of %v, kept %v", fp16.Batch, fp16.Tried, fp16.Kept)
	}
	if fp32.Beside != "other" || fmt.Sprint(fp32.BesideRate) != "[8 8 8]" || fp16.Beside != "" {
		t.Errorf("beside: %s %v", fp32.Beside, fp32.BesideRate)
	}
}

// A ResNet18 by hand: seven numbers per layer, from the paper (He et al., 2016, table 1) and this model's
// 23 classes. With 1000 classes at 224 × 224 the same sum is the 1.8 billion that the paper gives.
func TestShippedMultiplyAdds(t *testing.T) {
	card := shipped(t, "fashion-resnet18", false).Card()
	byHand := func(side, classes int64) int64 {
		side /= 2
		n := side * side * 64 * 3 * 49
		side /= 2
		channels, before := int64(64), int64(64)
		for stage := range 4 {
			if stage > 0 {
				side, channels = side/2, channels*2
				n += side * side * channels * before // the 1 × 1 of the shortcut
			}
			n += side * side * channels * before * 9
			n += 3 * side * side * channels * channels * 9
			before = channels
		}
		return n + 512*classes
	}
	if paper := byHand(224, 1000); paper != 1_814_073_344 {
		t.Fatalf("%d by hand: the test is wrong", paper)
	}
	for _, side := range []int{96, 224} {
		at, err := card.Resized(side, side)
		if err != nil {
			t.Fatal(err)
		}
		n, uncounted, err := CountMultiplyAdds(at, "")
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%d × %d: %d multiply-adds", side, side, n)
		if want := byHand(int64(side), int64(len(card.Classes))); n != want || len(uncounted) > 0 {
			t.Errorf("%d × %d: %d multiply-adds, want %d; uncounted %v", side, side, n, want, uncounted)
		}
	}
	n, _, err := CountMultiplyAdds(openCard(t, "testdata/fixed.json"), "")
	if err != nil || n != 0 {
		t.Errorf("means: %d, %v", n, err)
	}
}

func TestRuntimeLibraryErrors(t *testing.T) {
	folder := t.TempDir()
	text := filepath.Join(folder, "libonnxruntime.so")
	if err := os.WriteFile(text, []byte("no library"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ path, want string }{
		{filepath.Join(folder, "none.so"), "ONNXRUNTIME_LIB: stat "},
		{folder, "is a folder"},
	} {
		t.Setenv(LibraryVariable, test.path)
		if _, err := FindLibrary(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v; want %q", test.path, err, test.want)
		}
	}
	t.Setenv(LibraryVariable, "")
	t.Chdir(folder) // in no repository; nor is the test's program
	if path, err := FindLibrary(); err == nil || !strings.Contains(err.Error(), "make deps") {
		t.Errorf("nowhere: %s, %v", path, err)
	}
	if library.path == "" {
		t.Setenv(LibraryVariable, text)
		if _, err := openRuntime(""); err == nil || !strings.Contains(err.Error(), "make deps") {
			t.Errorf("no library: %v", err)
		}
	} else if _, err := openRuntime(text); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("a second library: %v", err)
	}
}

func TestRuntimeLibraryBesideTheProgram(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	name := map[string]string{"darwin": "libonnxruntime.dylib", "windows": "onnxruntime.dll"}[runtime.GOOS]
	if name == "" {
		name = "libonnxruntime.so"
	}
	beside := filepath.Join(filepath.Dir(program), name)
	file, err := os.OpenFile(beside, os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		t.Skip("the folder of the test's program takes no library: ", err)
	}
	t.Cleanup(func() { os.Remove(beside) })
	file.Close()
	t.Setenv(LibraryVariable, "")
	t.Chdir(t.TempDir())
	if path, err := FindLibrary(); err != nil || path != beside {
		t.Errorf("got %s, %v; want %s", path, err, beside)
	}
	other := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(other, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	t.Setenv(LibraryVariable, other)
	if path, err := FindLibrary(); err != nil || path != other {
		t.Errorf("with %s: got %s, %v; want %s", LibraryVariable, path, err, other)
	}
}

// photographs opens a part of the photographs of garments that ANNBENCH_DATA holds.
func photographs(t testing.TB, split string) catalog.Source {
	t.Helper()
	data := os.Getenv("ANNBENCH_DATA")
	if data == "" {
		t.Skip("ANNBENCH_DATA names no folder with clothing/{train,validation,test}/CATEGORY/*.jpg")
	}
	src, err := catalog.OpenFolder(filepath.Join(data, "clothing", split))
	if err != nil {
		t.Skip(err)
	}
	return src
}

// shipped opens a model that ships, or instead of the default the one that ANNBENCH_MODEL names.
func shipped(t testing.TB, name string, logits bool) *Session {
	t.Helper()
	withRuntime(t)
	if path := os.Getenv("ANNBENCH_MODEL"); path != "" && name == models.DefaultName {
		name = path
	}
	card, err := models.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	s, err := OpenSession(card, SessionOptions{Devices: []Device{CPU}, Logits: logits})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// some is the first n groups of a source.
type some struct {
	catalog.Source
	n int
}

func (s some) Len() int    { return s.n }
func (s some) Groups() int { return s.n }

func TestShippedBatchesAgree(t *testing.T) {
	s := shipped(t, models.DefaultName, false)
	src := some{photographs(t, "test"), 70}
	all := map[int]vec.Matrix{}
	for _, batch := range []int{1, 32} {
		m := vec.NewMatrix(src.Len(), s.Card().Embedding.Dim)
		_, err := Embed(t.Context(), src, s, Options{Batch: batch, Strict: true}, func(b Batch) error {
			copy(m.Data[b.First*m.Dim:], b.Vectors.Data)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		all[batch] = m
	}
	d := matrixDiff(t, all[1], all[32])
	most := largest(all[1])
	t.Logf("largest difference %.3g, largest component %.3g", d, most)
	if d > 1e-5*max(1, most) {
		t.Errorf("batches of 1 and of 32 differ by %v, where the largest component is %v", d, most)
	}
}

// What the cards say about the test photographs has to come out by Go's decoder and scaler too.
func TestShippedAccuracy(t *testing.T) {
	for _, name := range models.Shipped {
		t.Run(name, func(t *testing.T) { shippedAccuracy(t, shipped(t, name, true)) })
	}
}

func shippedAccuracy(t *testing.T, s *Session) {
	src := photographs(t, "test")
	var accuracy map[string]map[string]struct {
		Images int     `json:"images"`
		Top1   float64 `json:"top1"`
	}
	if err := json.Unmarshal(s.Card().Accuracy, &accuracy); err != nil {
		t.Fatal(err)
	}
	card := accuracy["photographs"]["test"]
	sets := s.Card().Sets()
	set := slices.IndexFunc(sets, func(set models.LabelSet) bool { return set.Name == "photographs" })
	if set < 0 {
		t.Skip("the card has no label set of the photographs")
	}
	classes, first := s.Card().ClassesOf(sets[set]), sets[set].First
	right := 0
	for from := 0; from < src.Groups(); from += 32 {
		var images []image.Image
		var labels []string
		for g := from; g < min(from+32, src.Groups()); g++ {
			for _, p := range src.Group(g) {
				if p.Err != nil {
					t.Fatal(p.Err)
				}
				images, labels = append(images, p.Image), append(labels, p.Label)
			}
		}
		_, logits, err := s.Run(images)
		if err != nil {
			t.Fatal(err)
		}
		for i, label := range labels {
			row := logits.Row(i)[first : first+len(classes)]
			if classes[slices.Index(row, slices.Max(row))] == label {
				right++
			}
		}
	}
	top1 := float64(right) / float64(src.Len())
	t.Logf("top-1 %.4f of %d; the card says %.4f of %d", top1, src.Len(), card.Top1, card.Images)
	if src.Len() != card.Images {
		t.Skip("the card was measured on other photographs")
	}
	// Five photographs of 372 may fall on the other side of a close decision.
	if math.Abs(top1-card.Top1) > 5.0/372 {
		t.Errorf("top-1 %.4f; the card says %.4f", top1, card.Top1)
	}
}

// Images a second from files to vectors, at each size of the batch.
func BenchmarkEmbed(b *testing.B) {
	for _, batch := range []int{8, 32, 64} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			s := shipped(b, models.DefaultName, false)
			src := photographs(b, "test")
			var total Result
			for b.Loop() {
				r, err := Embed(context.Background(), src, s, Options{Batch: batch}, func(Batch) error { return nil })
				if err != nil {
					b.Fatal(err)
				}
				total.Images += r.Images
				total.DecodeSeconds += r.DecodeSeconds
				total.PrepareSeconds += r.PrepareSeconds
				total.InferSeconds += r.InferSeconds
			}
			n := float64(total.Images)
			b.ReportMetric(n/b.Elapsed().Seconds(), "images/s")
			b.ReportMetric(total.DecodeSeconds/n*1e3, "decode-ms/image")
			b.ReportMetric(total.PrepareSeconds/n*1e3, "prepare-ms/image")
			b.ReportMetric(total.InferSeconds/n*1e3, "infer-ms/image")
		})
	}
}

// Images a second of the model alone, on pixels that are there already.
func BenchmarkSession(b *testing.B) {
	for _, batch := range []int{1, 8, 32, 64} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			s := shipped(b, models.DefaultName, false)
			in, out := newTensor(&s.Card().Input, batch), newOutput(s, batch)
			for b.Loop() {
				if err := s.engine.run(in, batch, out); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "images/s")
		})
	}
}

// largest is the largest component of a matrix, without its sign.
func largest(m vec.Matrix) float64 {
	most := 0.0
	for _, v := range m.Data {
		most = max(most, math.Abs(float64(v)))
	}
	return most
}

// matrixDiff is the largest difference of two matrices of one shape.
func matrixDiff(t *testing.T, a, b vec.Matrix) float64 {
	t.Helper()
	if a.Rows != b.Rows || a.Dim != b.Dim {
		t.Fatalf("%d×%d against %d×%d", a.Rows, a.Dim, b.Rows, b.Dim)
	}
	most := 0.0
	for i, v := range a.Data {
		most = max(most, math.Abs(float64(v)-float64(b.Data[i])))
	}
	return most
}
