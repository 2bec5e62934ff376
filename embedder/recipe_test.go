//go:build cgo

package embedder

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"image"
	"image/jpeg"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"testing"

	"annbench/embedder/catalog"
	"annbench/embedder/models"
	"annbench/indexes/vec"
)

// python finds an interpreter that has what the recipe wants: ANNBENCH_PYTHON, python3, or Debian's
// own, which is another one where versions are managed. ANNBENCH_TORCH=required makes a missing one
// a failure.
func python(t *testing.T) string {
	t.Helper()
	tried := []string{"python3", "/usr/bin/python3"}
	if path := os.Getenv("ANNBENCH_PYTHON"); path != "" {
		tried = []string{path}
	}
	for _, path := range tried {
		if exec.Command(path, "-c", "import torch, numpy, PIL").Run() == nil {
			return path
		}
	}
	const lack = "no python has torch, numpy and Pillow: apt-get install python3-torch python3-numpy python3-pil, or name one in ANNBENCH_PYTHON"
	if os.Getenv("ANNBENCH_TORCH") == "required" {
		t.Fatal(lack)
	}
	t.Skip(lack)
	return ""
}

// One tiny epoch of the recipe, on drawn boards and on pictures in folders: what it exports gives
// here what it gave there. Then the same from the exported model, a run that is resumed, and an export for
// larger pictures; then the other architecture, its last blocks alone from kept answers of the first, and a
// ResNet18 that learns from it.
// ANNBENCH_WHEEL may name the package with the pretrained weights, which are then started from too.
func TestTrainingRecipe(t *testing.T) {
	withRuntime(t)
	py := python(t)
	dir := t.TempDir()
	for i, split := range []string{"train", "validation"} {
		r, err := catalog.RenderedBoards(catalog.Config{Boards: 60 - 55*i, Seed: uint64(i + 1)})
		if err != nil {
			t.Fatal(err)
		}
		if err := catalog.WriteBoards(t.Context(), r, filepath.Join(dir, "boards", split), nil); err != nil {
			t.Fatal(err)
		}
		for j := range 24 {
			writeJPEG(t, filepath.Join(dir, "pictures", split, []string{"a", "b"}[j%2], string(rune('a'+j))+".jpg"), noise(60+j, 40, uint64(100*i+j)))
		}
	}
	train := func(out string, more ...string) {
		t.Helper()
		args := append([]string{
			"models/train.py", "--data", "pictures=" + filepath.Join(dir, "pictures"), "--data", "boards=" + filepath.Join(dir, "boards"),
			"--out", filepath.Join(dir, out), "--name", "tiny", "--epochs", "1", "--batch", "24", "--side", "64", "--small", "32", "--threads", "2",
			"--probe", filepath.Join(dir, out, "probe.json"),
		}, more...)
		cmd := exec.Command(py, args...)
		cmd.Env = append(os.Environ(), "OMP_WAIT_POLICY=passive")
		var text bytes.Buffer
		cmd.Stdout = &text
		if testing.Verbose() { // it takes minutes
			cmd.Stdout = io.MultiWriter(&text, os.Stdout)
		}
		cmd.Stderr = cmd.Stdout
		if err := cmd.Run(); err != nil {
			t.Fatalf("%v\n%s", err, text.Bytes())
		}
		agree(t, filepath.Join(dir, out))
	}
	train("first")
	train("second", "--init", filepath.Join(dir, "first", "tiny.onnx"), "--epochs", "2")
	train("first", "--resume", "--epochs", "2")
	train("again", "--init", filepath.Join(dir, "first", "tiny.onnx"), "--epochs", "0", "--side", "96")

	train("lite", "--arch", "efficientnet-lite0")
	lite := filepath.Join(dir, "lite", "tiny.onnx")
	tuned := []string{"--arch", "efficientnet-lite0", "--init", lite, "--frozen", "14", "--views", "2", "--crops", "32", "--others", "0.5"}
	train("tuned", append(tuned, "--epochs", "2")...)
	train("tuned", append(tuned, "--epochs", "3", "--resume")...)
	train("taught", "--init", filepath.Join(dir, "first", "tiny.onnx"), "--teacher", lite)
	train("taught-frozen", "--init", filepath.Join(dir, "first", "tiny.onnx"), "--teacher", lite, "--frozen", "6", "--views", "1")
	if wheel := os.Getenv("ANNBENCH_WHEEL"); wheel != "" {
		train("pretrained", "--arch", "efficientnet-lite0", "--init", wheel, "--teacher", wheel, "--frozen", "11", "--views", "1")
	}

	card := openCard(t, filepath.Join(dir, "first", "tiny.json"))
	if seen, err := card.Seen(); err != nil || seen.Len() != 60+24 {
		t.Errorf("trained on %+v, %v; want 60 boards and 24 pictures", seen, err)
	}
	h, err := card.History()
	if err != nil {
		t.Fatal(err)
	}
	if epochs := h.Column("epoch"); len(epochs) != 2 || epochs[1] != 2 || h.Column("boards_top1") == nil {
		t.Errorf("history %+v", h)
	}
	// Exported again for larger pictures: the same history and files, another side.
	again := openCard(t, filepath.Join(dir, "again", "tiny.json"))
	if again.Input.Height != 96 || again.Input.Width != 96 || card.Input.Height != 64 {
		t.Errorf("input of %d × %d, exported again of %d × %d; want 64 and 96", card.Input.Height, card.Input.Width, again.Input.Height, again.Input.Width)
	}
	if seen, err := again.Seen(); err != nil || seen.Len() != 60+24 {
		t.Errorf("exported again: trained on %+v, %v; want 60 boards and 24 pictures", seen, err)
	}
	if other, err := again.History(); err != nil || !reflect.DeepEqual(other, h) {
		t.Errorf("exported again: history %+v, %v; want %+v", other, err, h)
	}
	sets := card.Sets()
	if len(sets) != 2 || sets[0] != (models.LabelSet{Name: "pictures", Classes: 2}) || sets[1].Name != "boards" {
		t.Errorf("label sets %+v", sets)
	}
}

// agree runs the exported model on the recipe's own pictures, and compares.
func agree(t *testing.T, dir string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "probe.json"))
	if err != nil {
		t.Fatal(err)
	}
	var probe struct{ Images, Embedding, Logits string }
	if err := json.Unmarshal(text, &probe); err != nil {
		t.Fatal(err)
	}
	s := openCPU(t, filepath.Join(dir, "tiny.json"), true)
	in := s.Card().Input
	pixels := decode64(t, probe.Images)
	n := len(pixels) / in.Components()
	images := make([]image.Image, n)
	for i := range images {
		m := image.NewRGBA(image.Rect(0, 0, in.Width, in.Height))
		for j := range in.Width * in.Height {
			copy(m.Pix[4*j:], pixels[i*in.Components()+3*j:][:3])
			m.Pix[4*j+3] = 255
		}
		images[i] = m
	}
	vectors, logits, err := s.Run(images)
	if err != nil {
		t.Fatal(err)
	}
	for _, out := range []struct {
		name string
		got  vec.Matrix
		want string
	}{{"embedding", vectors, probe.Embedding}, {"logits", logits, probe.Logits}} {
		want := decode64(t, out.want)
		if n == 0 || len(want) != 4*len(out.got.Data) {
			t.Fatalf("%s: %d bytes for %d values", out.name, len(want), len(out.got.Data))
		}
		most := 0.0
		for i, v := range out.got.Data {
			w := math.Float32frombits(binary.LittleEndian.Uint32(want[4*i:]))
			most = max(most, math.Abs(float64(v)-float64(w)))
		}
		if !(most <= 1e-4) {
			t.Errorf("%s differs from torch's by %v", out.name, most)
		}
	}
}

func decode64(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func writeJPEG(t *testing.T, path string, img image.Image) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := jpeg.Encode(f, img, nil); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
