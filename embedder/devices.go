package embedder

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Device is where a model runs: an execution provider of ONNX Runtime, by the name that settings use.
type Device string

// The devices that are tried unless a setting says otherwise.
const (
	CUDA   Device = "cuda"   // NVIDIA GPUs; wants the CUDA provider beside the library of ONNX Runtime
	WebGPU Device = "webgpu" // any GPU with Vulkan, Metal or Direct3D 12
	CPU    Device = "cpu"
)

const tensorRT Device = "tensorrt"

// Devices are those that are tried unless a setting says otherwise, in this order.
var Devices = []Device{CUDA, WebGPU, CPU}

// A Provider is one line of the table of devices.
type Provider struct {
	Device Device
	Runs   string // what it runs on, for people

	// key is the name by which ONNX Runtime appends it; empty: it has a call of its own, or needs none.
	key string

	// options it takes, where it ignores others in silence; nil: it refuses others itself.
	options []string
}

// Providers is the table of devices: the providers that ONNX Runtime knows and that run on the machine
// itself. Which of them a library was built with it says when it is asked.
var Providers = []Provider{
	{Device: CUDA, Runs: "NVIDIA GPUs"},
	{Device: tensorRT, Runs: "NVIDIA GPUs, compiled by TensorRT"},
	{Device: "nvtensorrtrtx", Runs: "NVIDIA RTX GPUs, compiled by TensorRT for RTX", key: "NvTensorRtRtx"},
	{Device: WebGPU, Runs: "GPUs with Vulkan, Metal or Direct3D 12", key: "WebGPU", options: []string{
		"preferredLayout", "enableGraphCapture", "enableInt64", "dawnBackendType", "powerPreference", "deviceId",
		"storageBufferCacheMode", "uniformBufferCacheMode", "queryResolveBufferCacheMode", "defaultBufferCacheMode",
		"validationMode", "forceCpuNodeNames", "enablePIXCapture", "preserveDevice", "maxStorageBufferBindingSize",
	}},
	{Device: "migraphx", Runs: "AMD GPUs", key: "MIGraphX"},
	{Device: "openvino", Runs: "Intel CPUs, GPUs and NPUs", key: "OpenVINO"},
	{Device: "qnn", Runs: "Qualcomm NPUs", key: "QNN"},
	{Device: "vitisai", Runs: "AMD NPUs", key: "VitisAI"},
	{Device: "coreml", Runs: "Apple's GPUs and Neural Engine", key: "CoreML"},
	{Device: "directml", Runs: "GPUs under Windows", key: "DML"},
	{Device: "xnnpack", Runs: "CPUs, by XNNPACK", key: "XNNPACK"},
	{Device: CPU, Runs: "the processor", options: []string{}},
}

func providerOf(d Device) (Provider, bool) {
	i := slices.IndexFunc(Providers, func(p Provider) bool { return p.Device == d })
	if i < 0 {
		return Provider{}, false
	}
	return Providers[i], true
}

func knownDevices() []Device {
	all := make([]Device, len(Providers))
	for i, p := range Providers {
		all[i] = p.Device
	}
	return all
}

// ParseDevices returns the devices that names stand for, in their order; none means [Devices].
func ParseDevices(names []string) ([]Device, error) {
	devices := make([]Device, 0, len(names))
	for _, name := range names {
		d := Device(name)
		if _, known := providerOf(d); !known {
			return nil, fmt.Errorf("unknown device %q: known are %s", name, join(knownDevices()))
		}
		if slices.Contains(devices, d) {
			return nil, fmt.Errorf("device %q is named twice", name)
		}
		devices = append(devices, d)
	}
	if len(devices) == 0 {
		return slices.Clone(Devices), nil
	}
	return devices, nil
}

func join(devices []Device) string {
	names := make([]string, len(devices))
	for i, d := range devices {
		names[i] = string(d)
	}
	return strings.Join(names, ", ")
}

// DeviceOptions are options of providers, by device and name, as ONNX Runtime documents them: "device_id"
// and "gpu_mem_limit" of cuda, "powerPreference" of webgpu. They are passed on as they are; what a
// provider does not know is its own error, in its words.
type DeviceOptions map[Device]map[string]string

// ParseDeviceOptions reads options written DEVICE.OPTION=VALUE.
func ParseDeviceOptions(texts []string) (DeviceOptions, error) {
	o := DeviceOptions{}
	for _, text := range texts {
		name, value, ok := strings.Cut(text, "=")
		device, option, ok2 := strings.Cut(name, ".")
		if !ok || !ok2 || device == "" || option == "" {
			return nil, fmt.Errorf("device option %q: write it DEVICE.OPTION=VALUE, such as cuda.device_id=1", text)
		}
		of := o[Device(device)]
		if of == nil {
			of = map[string]string{}
			o[Device(device)] = of
		}
		if _, twice := of[option]; twice {
			return nil, fmt.Errorf("device option %s is given twice", name)
		}
		of[option] = value
	}
	return o, nil
}

// Check refuses devices and options that no session can be opened with, before there is a model.
func (o *SessionOptions) Check() error {
	names := make([]string, len(o.Devices))
	for i, d := range o.Devices {
		names[i] = string(d)
	}
	devices, err := ParseDevices(names)
	if err != nil {
		return err
	}
	return o.Options.check(devices)
}

// check refuses options that would be ignored in silence: of devices that are not among those that are
// tried, and names that a provider which does not check them would pass over.
func (o DeviceOptions) check(devices []Device) error {
	for _, d := range slices.Sorted(maps.Keys(o)) {
		p, known := providerOf(d)
		switch {
		case !known:
			return fmt.Errorf("options of an unknown device %q: known are %s", d, join(knownDevices()))
		case !slices.Contains(devices, d):
			return fmt.Errorf("there are options of device %s, but the devices to try are %s", d, join(devices))
		}
		for _, option := range slices.Sorted(maps.Keys(o[d])) {
			switch {
			case option == useTF32:
				return fmt.Errorf("option %s of device %s is what the precision sets: ask for tf32 there", option, d)
			case p.options != nil && len(p.options) == 0:
				return fmt.Errorf("device %s takes no options; it was given %q", d, option)
			case p.options != nil && !slices.Contains(p.options, option):
				return fmt.Errorf("device %s has no option %q; it has %s", d, option, strings.Join(p.options, ", "))
			}
		}
	}
	return nil
}

// Precision is how exactly a model computes.
type Precision string

// The precisions. Anything but FP32 trades exactness of the vectors for speed, and is used only when
// it is asked for; [Compare] measures what it costs in neighbours.
const (
	FP32 Precision = "fp32" // as the model says; the default
	TF32 Precision = "tf32" // products of matrices with 10 bits of mantissa, on NVIDIA's tensor cores: cuda, tensorrt
	FP16 Precision = "fp16" // weights and arithmetic of half the size: the model is converted; see [models.Half]
)

// Precisions lists them.
var Precisions = []Precision{FP32, TF32, FP16}

// ParsePrecision returns the precision of a name; none is [FP32].
func ParsePrecision(name string) (Precision, error) {
	if name == "" {
		return FP32, nil
	}
	if p := Precision(name); slices.Contains(Precisions, p) {
		return p, nil
	}
	return "", fmt.Errorf("unknown precision %q: known are fp32, tf32, fp16", name)
}

// useTF32 is CUDA's own option. ONNX Runtime's default is 1: without a word, products would be rounded.
const useTF32 = "use_tf32"

// settings are what a provider is given: the user's options, and what the precision sets.
func (p Provider) settings(user map[string]string, precision Precision) (map[string]string, error) {
	set := maps.Clone(user)
	if set == nil {
		set = map[string]string{}
	}
	tf32 := precision == TF32
	switch p.Device {
	case CUDA:
		set[useTF32] = map[bool]string{false: "0", true: "1"}[tf32]
	case tensorRT:
	default:
		if tf32 {
			return nil, errors.New("it has no tf32: that is a format of NVIDIA's tensor cores, which cuda and tensorrt use")
		}
	}
	return set, nil
}
