package embedder

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"annbench/embedder/models"
)

var (
	//go:embed testdata/tiny.json
	probeCard []byte

	//go:embed testdata/tiny.onnx
	probeONNX []byte
)

// probe is a model of four nodes, to ask devices with.
func probe() (*models.Card, error) { return models.FromBytes(probeCard, probeONNX) }

// Survey is what a machine can run models on.
type Survey struct {
	Runtime string   `json:"runtime"` // "onnxruntime 1.27.0"
	Library string   `json:"library"` // its path
	Model   string   `json:"model"`   // that the devices were asked with
	Devices []Found  `json:"devices"`
	NoGPU   bool     `json:"no_gpu,omitempty"` // Linux shows none, and no driver is named: WebGPU is not asked
	Vulkan  []string `json:"vulkan,omitempty"` // drivers that the Vulkan loader would find, which WebGPU needs on Linux
}

// Found is one device of a [Survey].
type Found struct {
	Device  Device         `json:"device"`
	Runs    string         `json:"runs"` // what it runs on, for people
	Ready   bool           `json:"ready"`
	Reason  string         `json:"reason,omitempty"`  // why it is not, in the library's own words
	Nodes   map[string]int `json:"nodes,omitempty"`   // of the model, by the provider that ran them
	Seconds float64        `json:"seconds,omitempty"` // from nothing to the first answer
}

// SurveyDevices opens a model on every device of [Providers], one after the other, with nothing to fall
// back on. A nil card stands for a model of four nodes that comes with annbench. It is an error only if
// ONNX Runtime itself, or the model, cannot be opened.
func SurveyDevices(card *models.Card, o SessionOptions) (*Survey, error) {
	if card == nil {
		var err error
		if card, err = probe(); err != nil {
			return nil, err
		}
	}
	out := &Survey{Model: card.Name, Vulkan: vulkanDrivers(), NoGPU: noVulkan() == noGPU}
	if err := o.Options.check(knownDevices()); err != nil {
		return nil, err
	}
	for _, p := range Providers {
		found := Found{Device: p.Device, Runs: p.Runs}
		own := o
		own.Devices, own.Log, own.Options = []Device{p.Device}, nil, nil
		if set := o.Options[p.Device]; set != nil {
			own.Options = DeviceOptions{p.Device: set}
		}
		began := time.Now()
		s, err := openSession(card, own)
		switch {
		case err == nil:
			found.Seconds = time.Since(began).Seconds()
			profile, failed := s.Profile(1)
			if failed == nil {
				found.Ready, found.Nodes = true, profile.Placed()
			} else {
				found.Reason = failed.Error()
			}
			if err := s.Close(); err != nil {
				return nil, err
			}
		case s == nil: // not the device's fault
			return nil, err
		default:
			found.Reason = s.refusals[0].Reason
		}
		out.Devices = append(out.Devices, found)
	}
	out.Runtime, out.Library = loadedRuntime()
	return out, nil
}

// RuntimeName is the library that this process has opened, with its version: "onnxruntime 1.27.0"; empty
// before that.
func RuntimeName() string {
	name, _ := loadedRuntime()
	return name
}

// vulkanVariables are what names drivers for the Vulkan loader. All but the last replace those of the usual folders.
var vulkanVariables = []string{"VK_DRIVER_FILES", "VK_ICD_FILENAMES", "VK_ADD_DRIVER_FILES"}

// vulkanDrivers lists the manifests of drivers that the Vulkan loader reads (loader interface, version
// 1.3): what VK_DRIVER_FILES or VK_ICD_FILENAMES names, or else what VK_ADD_DRIVER_FILES names and the files
// of the usual folders.
func vulkanDrivers() []string {
	if runtime.GOOS != "linux" {
		return nil
	}
	var found []string
	for _, name := range vulkanVariables {
		list := os.Getenv(name)
		if list == "" {
			continue
		}
		for _, path := range filepath.SplitList(list) {
			if _, err := os.Stat(path); err != nil {
				path = fmt.Sprintf("%s (named by %s; not there)", path, name)
			}
			found = append(found, path)
		}
		if name != "VK_ADD_DRIVER_FILES" {
			return found
		}
	}
	home := os.Getenv("HOME")
	dirs := []string{"/etc", "/usr/local/etc"}
	for _, d := range []struct{ name, fallback string }{
		{"XDG_CONFIG_HOME", filepath.Join(home, ".config")},
		{"XDG_CONFIG_DIRS", "/etc/xdg"},
		{"XDG_DATA_HOME", filepath.Join(home, ".local/share")},
		{"XDG_DATA_DIRS", "/usr/local/share:/usr/share"},
	} {
		list := os.Getenv(d.name)
		if list == "" {
			list = d.fallback
		}
		dirs = append(dirs, filepath.SplitList(list)...)
	}
	for _, dir := range dirs {
		if !filepath.IsAbs(dir) {
			continue // HOME is not set, or a folder that the loader does not take either
		}
		files, err := filepath.Glob(filepath.Join(dir, "vulkan/icd.d/*.json"))
		if err == nil { // a pattern of ours is never bad
			found = append(found, files...)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// noGPU is why WebGPU is not asked where Linux shows no GPU.
const noGPU = "this machine shows no GPU (no /dev/dri/renderD*, /dev/nvidia* or /dev/dxg)"

// hasGPU says whether Linux shows a GPU below dev, its folder of devices: a render node, NVIDIA's device, or that of WSL.
func hasGPU(dev string) bool {
	for _, pattern := range []string{"dri/renderD*", "nvidia[0-9]*", "dxg"} {
		if found, err := filepath.Glob(filepath.Join(dev, pattern)); err == nil && len(found) > 0 {
			return true
		}
	}
	return false
}

// vulkanNamed reports whether the user names drivers, which the loader then takes, also one in software where there is no GPU.
func vulkanNamed() bool {
	return slices.ContainsFunc(vulkanVariables, func(name string) bool { return os.Getenv(name) != "" })
}

// noVulkan says why WebGPU would find nothing over Vulkan: no GPU, where no driver is named (Mesa's drivers may be
// installed all the same), or no driver that the loader would find; otherwise it is empty. Asked all the same, the loader
// and WebGPU would say so by themselves on standard error, past every log.
func noVulkan() string {
	if runtime.GOOS != "linux" {
		return ""
	}
	return noVulkanAt("/dev")
}

func noVulkanAt(dev string) string {
	if !vulkanNamed() && !hasGPU(dev) {
		return noGPU
	}
	drivers := vulkanDrivers()
	for _, path := range drivers {
		if _, err := os.Stat(path); err == nil {
			return ""
		}
	}
	if len(drivers) > 0 {
		return "it runs over Vulkan here, and there is no Vulkan driver: " + strings.Join(drivers, ", ")
	}
	return "it runs over Vulkan here, and no Vulkan driver is installed"
}

// softwareVulkanOnly names the Vulkan driver where all that are found run on the CPU: SwiftShader, and
// Mesa's llvmpipe. Otherwise it is empty.
func softwareVulkanOnly() string {
	drivers := vulkanDrivers()
	for _, path := range drivers {
		if name := filepath.Base(path); !strings.HasPrefix(name, "vk_swiftshader") && !strings.HasPrefix(name, "lvp_") {
			return ""
		}
	}
	return strings.Join(drivers, ", ")
}

// VulkanHint says how WebGPU could be had where it finds no adapter; empty where there is nothing to say.
func (s *Survey) VulkanHint() string {
	const software = `A driver in software comes with Debian's
chromium: VK_ICD_FILENAMES=/usr/lib/chromium/vk_swiftshader_icd.json, slow, but the same path.`
	switch {
	case s.NoGPU:
		return "WebGPU can be tried without a GPU. " + software
	case runtime.GOOS != "linux" || len(s.Vulkan) > 0:
		return ""
	}
	return `WebGPU runs over Vulkan here, and no Vulkan driver is installed. A GPU's driver brings one (NVIDIA:
nvidia_icd.json); Mesa's are in Debian's mesa-vulkan-drivers. ` + software
}
