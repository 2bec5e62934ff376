package main

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSettings(t *testing.T) {
	env := map[string]string{"BATCHES": "1, 32", "BUDGET": "10", "DEVICES": "webgpu"}
	s, err := read(func(name string) string { return env[name] })
	if err != nil || len(s.batches) != 2 || s.batches[1] != 32 || s.budget != 10 || len(s.sizes) != 2 || s.devices[0] != "webgpu" {
		t.Errorf("%+v, %v", s, err)
	}
	jobs := s.jobs([]string{"cuda", "webgpu"})
	if len(jobs) != 2*3+2*2 || jobs[1].precision != "tf32" || jobs[9].size != 224 {
		t.Errorf("%+v", jobs)
	}
	for name, value := range map[string]string{"BATCHES": "1,x", "SIZES": "0", "BUDGET": "-1", "PEAK_TFLOPS": "many"} {
		if _, err := read(func(n string) string {
			if n == name {
				return value
			}
			return ""
		}); err == nil || !strings.Contains(err.Error(), name+"="+value) {
			t.Errorf("%s=%s: %v", name, value, err)
		}
	}
}

func TestPeaks(t *testing.T) {
	for _, test := range []struct {
		gpu, precision string
		want           float64
	}{
		{"NVIDIA H100 80GB HBM3", "fp32", 67e12},
		{"NVIDIA H100 PCIe", "fp16", 756e12},
		{"NVIDIA A100-SXM4-40GB", "tf32", 156e12},
		{"NVIDIA A10", "fp32", 31.2e12},
		{"Tesla T4", "tf32", 0},
		{"NVIDIA L40S", "fp32", 0}, // no L4
		{"", "fp32", 0},
	} {
		if got := peakOf(test.gpu, test.precision); got != test.want {
			t.Errorf("%s in %s: %v, want %v", test.gpu, test.precision, got, test.want)
		}
	}
}

// 1,000 images of 10⁹ multiply-adds are 2·10¹² operations a second: 2.985 % of an H100's fp32.
func TestWrite(t *testing.T) {
	kept := .9995
	all := []measured{
		{Device: "cuda", Precision: "fp32", Batch: 8, Session: []float64{900, 1000, 1100}, EndToEnd: []float64{450, 500, 660}, Limit: "decode", Kept: &kept, size: 224, work: 1e9},
		{Device: "cuda", Precision: "fp32", Batch: 32, Session: []float64{2000}, EndToEnd: []float64{600}, Limit: "decode", size: 224, work: 1e9},
		{Device: "cuda", Precision: "fp32", Batch: 1024, Refused: "out of memory", size: 224},
	}
	var w strings.Builder
	write(&w, all, []string{"webgpu: lost"}, "NVIDIA H100 80GB HBM3", 0, 3)
	for _, want := range []string{
		"| cuda | 224 | fp32 | 8 | 1000 | 500 | 0.500 | decode | 2 | 3.0 % | 0.9995 |",
		"- cuda, fp32, 224 × 224, batch 1024: out of memory",
		"- webgpu: lost",
		"| cuda | 224 | fp32 | 32 |  |  |",
	} {
		if !strings.Contains(w.String(), want) {
			t.Errorf("no %q in\n%s", want, w.String())
		}
	}
	if got := fastest(all); len(got) != 1 || got[0].Batch != 32 {
		t.Errorf("%+v", got)
	}
	if m := median([]float64{3, 1, 2, 4}); math.Abs(m-2.5) > 1e-12 {
		t.Errorf("median %v", m)
	}
}

// An NVIDIA driver without a manifest is given one; libraries that were carried along are found.
func TestLibraries(t *testing.T) {
	root := t.TempDir()
	for _, path := range []string{".deps/vulkan/libvulkan.so.1", ".deps/onnxruntime/lib/libonnxruntime.so", ".deps/onnxruntime/lib/libonnxruntime_providers_cuda.so", "nvidia/libGLX_nvidia.so.0"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, path)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, path), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("LD_LIBRARY_PATH", filepath.Join(root, "nvidia"))
	for _, name := range []string{"ONNXRUNTIME_LIB", "VK_ICD_FILENAMES", "VK_DRIVER_FILES"} {
		t.Setenv(name, "")
	}
	l := find(root)
	if l.nvidiaVulkan != filepath.Join(root, "nvidia/libGLX_nvidia.so.0") || l.cuda == "" || l.vulkan == "" || l.runtime != filepath.Join(root, ".deps/onnxruntime/lib/libonnxruntime.so") {
		t.Errorf("%+v", l)
	}
	l.nvidiaICD, l.vulkan = "", filepath.Join(root, ".deps/vulkan/libvulkan.so.1")
	env, err := l.environment(root)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(env, "\n")
	for _, want := range []string{"ONNXRUNTIME_LIB=" + l.runtime, "LD_LIBRARY_PATH=" + filepath.Join(root, ".deps/vulkan") + ":", "VK_ICD_FILENAMES=" + filepath.Join(root, "nvidia_icd.json")} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
	manifest, err := os.ReadFile(filepath.Join(root, "nvidia_icd.json"))
	if err != nil || !strings.Contains(string(manifest), l.nvidiaVulkan) {
		t.Errorf("%s, %v", manifest, err)
	}
}
