package embedder

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"annbench/indexes/vec"
)

// softwareVulkan is the driver of Debian's package chromium.
const softwareVulkan = "/usr/lib/chromium/vk_swiftshader_icd.json"

// TestMain lets WebGPU find the Vulkan driver in software where there is no GPU: the real path to a GPU,
// with no GPU. Mesa's drivers may be installed there all the same, and would offer no adapter. It has to be
// set before anything asks for Vulkan, which looks once a process.
func TestMain(m *testing.M) {
	if _, err := os.Stat(softwareVulkan); err == nil && noVulkan() == noGPU {
		os.Setenv("VK_DRIVER_FILES", softwareVulkan)
		os.Setenv("VK_ICD_FILENAMES", softwareVulkan) // what loaders before 1.3.207 read
	}
	os.Exit(m.Run())
}

func TestDeviceOptions(t *testing.T) {
	o, err := ParseDeviceOptions([]string{"cuda.device_id=1", "cuda.gpu_mem_limit=2147483648", "webgpu.powerPreference=low-power", "qnn.path=a=b.c"})
	if err != nil || fmt.Sprint(o) != "map[cuda:map[device_id:1 gpu_mem_limit:2147483648] qnn:map[path:a=b.c] webgpu:map[powerPreference:low-power]]" {
		t.Errorf("%v, %v", o, err)
	}
	if err := o.check([]Device{CUDA, WebGPU, "qnn", CPU}); err != nil {
		t.Error(err)
	}
	for _, text := range []string{"cuda", "cuda=1", "device_id=1", ".a=1", "cuda.=1"} {
		if _, err := ParseDeviceOptions([]string{text}); err == nil || !strings.Contains(err.Error(), "DEVICE.OPTION=VALUE") {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := ParseDeviceOptions([]string{"cuda.a=1", "cuda.a=2"}); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("twice: %v", err)
	}
	for _, test := range []struct {
		option  string
		devices []Device
		want    string
	}{
		{"gpu.a=1", Devices, `unknown device "gpu"`},
		{"cuda.device_id=1", []Device{CPU}, "devices to try are cpu"},
		{"cpu.threads=1", Devices, `cpu takes no options; it was given "threads"`},
		{"webgpu.device_id=1", Devices, `webgpu has no option "device_id"; it has preferredLayout, `},
		{"cuda.use_tf32=1", Devices, "the precision"},
	} {
		o, err := ParseDeviceOptions([]string{test.option})
		if err != nil {
			t.Fatal(err)
		}
		if err := o.check(test.devices); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s of %v: %v; want %q", test.option, test.devices, err, test.want)
		}
	}
}

// TF32 is CUDA's default, and has to be switched off where nobody asked for it.
func TestPrecisionSettings(t *testing.T) {
	for _, test := range []struct {
		device    Device
		precision Precision
		want      string
	}{
		{CUDA, FP32, "map[device_id:3 use_tf32:0]"},
		{CUDA, FP16, "map[device_id:3 use_tf32:0]"},
		{CUDA, TF32, "map[device_id:3 use_tf32:1]"},
		{WebGPU, FP32, "map[device_id:3]"},
		{WebGPU, TF32, "map[] it has no tf32"},
		{CPU, TF32, "map[] it has no tf32"},
	} {
		p, _ := providerOf(test.device)
		user := map[string]string{"device_id": "3"}
		set, err := p.settings(user, test.precision)
		got := fmt.Sprint(set)
		if err != nil {
			got += " " + err.Error()
		}
		if !strings.HasPrefix(got, test.want) {
			t.Errorf("%s in %s: %s; want %s", test.device, test.precision, got, test.want)
		}
		if len(user) != 1 {
			t.Errorf("the caller's options were changed: %v", user)
		}
	}
	if _, err := ParsePrecision("int8"); err == nil || !strings.Contains(err.Error(), "fp32, tf32, fp16") {
		t.Errorf("int8: %v", err)
	}
}

// On a line: rows 0 to 5 at growing angles. Moving row 3 between 0 and 1 changes who is nearest.
func TestNeighboursKept(t *testing.T) {
	at := func(degrees ...float64) vec.Matrix {
		m := vec.NewMatrix(len(degrees), 2)
		for i, d := range degrees {
			m.Row(i)[0], m.Row(i)[1] = float32(math.Cos(d*math.Pi/180)), float32(math.Sin(d*math.Pi/180))
		}
		return m
	}
	was := at(0, 10, 30, 60)
	for _, test := range []struct {
		is   vec.Matrix
		k    int
		want float64
	}{
		{was, 1, 1},
		{was, 3, 1},
		{at(5, 15, 35, 65), 1, 1},
		// Nearest in was: 1, 0, 1, 2. In is: 3, 3, 1, 0, of which 1 for row 2 alone is right.
		{at(0, 10, 30, 4), 1, .25},
	} {
		kept, err := NeighboursKept(t.Context(), was, test.is, test.k)
		if err != nil || math.Abs(kept-test.want) > 1e-12 {
			t.Errorf("%v at %d: %v, %v; want %v", test.is.Data, test.k, kept, err, test.want)
		}
	}
	for _, bad := range []struct {
		m vec.Matrix
		k int
	}{{at(0, 1), 1}, {was, 4}, {was, 0}} {
		if _, err := NeighboursKept(t.Context(), was, bad.m, bad.k); err == nil {
			t.Errorf("%d rows at %d: no error", bad.m.Rows, bad.k)
		}
	}
}

func TestReadProfile(t *testing.T) {
	node := func(name, op, provider string, us int) string {
		return fmt.Sprintf(`{"cat":"Node","dur":%d,"name":"%s_kernel_time","args":{"op_name":"%s","provider":"%s",`+
			`"input_type_shape":[{"float":[2,3,8,8]},{"float":[4,3,3,3]}],"output_type_shape":[{"float":[2,4,8,8]}]}}`, us, name, op, provider)
	}
	run := `{"cat":"Session","dur":9,"name":"model_run","args":{}}`
	p, err := readProfile([]byte("[" + strings.Join([]string{
		`{"cat":"Session","dur":5,"name":"session_initialization","args":{}}`,
		node("cold", "Conv", "A", 900), run,
		node("a", "Conv", "A", 30), node("b", "Conv", "B", 50), node("c", "Relu", "A", 20), run,
		`{"cat":"Api","dur":1,"name":"a&Conv&Conv","args":{"shapes":"x"}}`,
	}, ",") + "]"))
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(p.Placed()); got != "map[A:2 B:1]" {
		t.Errorf("placed: %s", got)
	}
	if got := fmt.Sprint(p.ByOperator()); got != "[{Conv 2 8e-05} {Relu 1 2e-05}]" {
		t.Errorf("by operator: %s", got)
	}
	// Twice, 2·4·8·8 outputs of 3·3·3 each.
	if n, uncounted := p.MultiplyAdds(); n != 2*2*4*8*8*27 || uncounted != nil {
		t.Errorf("%d multiply-adds, uncounted %v", n, uncounted)
	}
	if _, err := readProfile([]byte("[]")); err == nil {
		t.Error("a profile of nothing")
	}
}

// By hand, after the definitions of the operators.
func TestMultiplyAdds(t *testing.T) {
	for _, test := range []struct {
		op      string
		in, out [][]int64
		want    int64
	}{
		{"Conv", [][]int64{{1, 4, 6, 6}, {8, 2, 3, 3}}, [][]int64{{1, 8, 6, 6}}, 8 * 36 * 2 * 9}, // two groups
		{"ConvTranspose", [][]int64{{1, 4, 6, 6}, {4, 8, 2, 2}}, [][]int64{{1, 8, 12, 12}}, 4 * 36 * 8 * 4},
		{"MatMul", [][]int64{{2, 5, 7}, {7, 3}}, [][]int64{{2, 5, 3}}, 2 * 5 * 7 * 3},
		{"Gemm", [][]int64{{5, 7}, {3, 7}, {3}}, [][]int64{{5, 3}}, 5 * 7 * 3},
		{"Gemm", [][]int64{{7, 5}, {7, 3}}, [][]int64{{5, 3}}, 5 * 7 * 3}, // A transposed
		{"Relu", [][]int64{{5, 7}}, [][]int64{{5, 7}}, 0},
	} {
		p := Profile{Nodes: []ProfiledNode{{Operator: test.op, Inputs: test.in, Outputs: test.out}}}
		if n, uncounted := p.MultiplyAdds(); n != test.want || uncounted != nil {
			t.Errorf("%s of %v: %d (uncounted %v), want %d", test.op, test.in, n, uncounted, test.want)
		}
	}
	p := Profile{Nodes: []ProfiledNode{{Operator: "Einsum"}, {Operator: "Einsum"}, {Operator: "Gemm"}}}
	if n, uncounted := p.MultiplyAdds(); n != 0 || fmt.Sprint(uncounted) != "[Einsum Gemm]" {
		t.Errorf("%d, uncounted %v", n, uncounted)
	}
}

// TestVulkanDrivers has manifests found where the loader looks, and none where it does not.
func TestVulkanDrivers(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("Vulkan is looked for on Linux alone")
	}
	dir := t.TempDir()
	manifest := func(path string) string {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("{}"), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, value := range map[string]string{
		"VK_DRIVER_FILES": "", "VK_ICD_FILENAMES": "", "VK_ADD_DRIVER_FILES": "", "XDG_CONFIG_HOME": "", "XDG_DATA_HOME": "",
		"HOME": filepath.Join(dir, "home"), "XDG_CONFIG_DIRS": filepath.Join(dir, "none"),
		"XDG_DATA_DIRS": filepath.Join(dir, "a") + ":" + filepath.Join(dir, "b"),
	} {
		t.Setenv(name, value)
	}
	installed := vulkanDrivers() // what this machine has in /etc
	var want []string
	for _, path := range []string{
		"a/vulkan/icd.d/x.json", "b/vulkan/icd.d/y.json", "home/.config/vulkan/icd.d/z.json", "home/.local/share/vulkan/icd.d/z.json",
	} {
		want = append(want, manifest(path))
	}
	manifest("c/vulkan/icd.d/x.json")
	manifest("a/vulkan/icd.d/x.txt")
	want = append(want, installed...)
	slices.Sort(want)
	dev := filepath.Join(dir, "dev") // shows a GPU once it has a render node
	if why := noVulkanAt(dev); why != noGPU {
		t.Errorf("drivers and no GPU: %q", why)
	}
	manifest("dev/dri/renderD128")
	if got := vulkanDrivers(); !slices.Equal(got, want) || noVulkanAt(dev) != "" {
		t.Errorf("%q, want %q; %s", got, want, noVulkanAt(dev))
	}
	added := manifest("added.json")
	t.Setenv("VK_ADD_DRIVER_FILES", added)
	if got := vulkanDrivers(); len(got) != len(want)+1 || !slices.Contains(got, added) {
		t.Errorf("with one more: %q", got)
	}
	if why := noVulkanAt(filepath.Join(dir, "none")); why != "" {
		t.Errorf("a driver is named, and no GPU: %q", why)
	}
	t.Setenv("VK_DRIVER_FILES", filepath.Join(dir, "c/vulkan/icd.d/x.json"))
	if got := vulkanDrivers(); len(got) != 1 || got[0] != os.Getenv("VK_DRIVER_FILES") {
		t.Errorf("with one alone: %q", got)
	}
	t.Setenv("VK_DRIVER_FILES", filepath.Join(dir, "gone.json"))
	if why := noVulkan(); !strings.Contains(why, "gone.json (named by VK_DRIVER_FILES; not there)") {
		t.Errorf("with one that is not there: %q", why)
	}
}

// TestHasGPU knows the devices of drivers, and not those that every machine with a screen or the driver's tools has.
func TestHasGPU(t *testing.T) {
	for path, want := range map[string]bool{
		"dri/renderD128": true, "nvidia0": true, "nvidia12": true, "dxg": true,
		"dri/card0": false, "nvidiactl": false, "nvidia-uvm": false, "null": false,
	} {
		dev := t.TempDir()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dev, path)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dev, path), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if hasGPU(dev) != want {
			t.Errorf("%s: %t", path, !want)
		}
	}
}

// TestVulkanHint offers a driver in software where there is no GPU, also beside Mesa's drivers.
func TestVulkanHint(t *testing.T) {
	hint := (&Survey{NoGPU: true, Vulkan: []string{"/usr/share/vulkan/icd.d/lvp_icd.x86_64.json"}}).VulkanHint()
	if strings.Contains(hint, "Mesa") || !strings.Contains(hint, softwareVulkan) {
		t.Error(hint)
	}
}
