//go:build cgo

package embedder

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	ort "github.com/yalue/onnxruntime_go"

	"annbench/embedder/models"
)

// library is the one that this process has opened. It stays open: ONNX Runtime does not like to be
// unloaded, and whoever embeds once may embed again.
var library struct {
	sync.Mutex
	path string // empty: none yet
}

func builtWithCgo() error { return nil }

// plainError has an error of ONNX Runtime in plain words; see [plainReason]. Other errors stay as they are.
func plainError(err error) error {
	if err == nil {
		return nil
	}
	if plain := plainReason(err.Error()); plain != err.Error() {
		return errors.New(plain)
	}
	return err
}

// openRuntime opens ONNX Runtime's library, once a process, and returns its name and version.
func openRuntime(path string) (string, error) {
	if path == "" {
		found, err := FindLibrary()
		if err != nil {
			return "", err
		}
		path = found
	}
	library.Lock()
	defer library.Unlock()
	if library.path == "" {
		ort.SetSharedLibraryPath(path)
		// What goes wrong comes back as an error, with the same words as in the runtime's own log.
		if err := ort.InitializeEnvironment(ort.WithLogLevelFatal()); err != nil {
			return "", fmt.Errorf("opening the library of ONNX Runtime %s: %w; %s", path, plainError(err), libraryFix)
		}
		library.path = path
	} else if library.path != path {
		return "", fmt.Errorf("opening the library of ONNX Runtime %s: this process runs %s already", path, library.path)
	}
	return "onnxruntime " + ort.GetVersion(), nil
}

// loadedRuntime is the library that this process has opened: its name and version, and its path.
func loadedRuntime() (name, path string) {
	library.Lock()
	defer library.Unlock()
	if library.path == "" {
		return "", ""
	}
	return "onnxruntime " + ort.GetVersion(), library.path
}

// readGraph asks the runtime what the model of card takes and gives.
func readGraph(card *models.Card) (graph, error) {
	var inputs, outputs []ort.InputOutputInfo
	var err error
	if card.Path != "" {
		inputs, outputs, err = readGraphFile(card.Path)
	} else {
		var data []byte
		if data, err = card.ONNX(); err == nil {
			inputs, outputs, err = ort.GetInputOutputInfoWithONNXData(data)
		}
	}
	if err != nil {
		return graph{}, fmt.Errorf("reading the model: %w", plainError(err))
	}
	return graph{inputs: ports(inputs), outputs: ports(outputs)}, nil
}

func readGraphFile(path string) (inputs, outputs []ort.InputOutputInfo, err error) {
	o, err := ort.NewSessionOptions()
	if err != nil {
		return nil, nil, err
	}
	defer o.Destroy()
	// The session is thrown away: nothing is gained by making it fast.
	if err := o.SetGraphOptimizationLevel(ort.GraphOptimizationLevelDisableAll); err != nil {
		return nil, nil, err
	}
	if err := o.SetIntraOpNumThreads(1); err != nil {
		return nil, nil, err
	}
	return ort.GetInputOutputInfoWithOptions(path, o)
}

func ports(infos []ort.InputOutputInfo) []port {
	out := make([]port, len(infos))
	for i, info := range infos {
		out[i] = port{name: info.Name, dims: info.Dimensions}
		switch {
		case info.OrtValueType != ort.ONNXTypeTensor:
			out[i].kind = plainType(info.OrtValueType.String())
		case info.DataType == ort.TensorElementDataTypeUint8:
			out[i].kind = "uint8"
		case info.DataType == ort.TensorElementDataTypeFloat:
			out[i].kind = "float32"
		default:
			out[i].kind = plainType(info.DataType.String())
		}
	}
	return out
}

// plainType is a type as a card has it, of the runtime's name for it: ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64 is int64.
func plainType(name string) string {
	for _, prefix := range []string{"ONNX_TENSOR_ELEMENT_DATA_TYPE_", "ONNX_TYPE_"} {
		name = strings.TrimPrefix(name, prefix)
	}
	return strings.ToLower(name)
}

// ortEngine is a session of ONNX Runtime.
type ortEngine struct {
	session *ort.DynamicAdvancedSession
	in      *models.Input
	logits  bool
}

// openEngine makes a session on the device of setup, and on nothing else.
//
// Subtle: the options are made anew for every device. After a provider has refused to be appended,
// the same options make a session on the CPU without an error (ONNX Runtime 1.27).
func openEngine(card *models.Card, setup engineSetup) (_ engine, err error) {
	defer func() { err = plainError(err) }()
	o, err := ort.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	defer o.Destroy()
	if err := setDevice(o, setup); err != nil {
		return nil, err
	}
	if setup.plain {
		if err := o.SetGraphOptimizationLevel(ort.GraphOptimizationLevelDisableAll); err != nil {
			return nil, err
		}
	}
	if setup.profile != "" {
		if err := o.EnableProfiling(setup.profile); err != nil {
			return nil, err
		}
	}
	outputs := []string{card.Embedding.Output}
	if setup.logits {
		outputs = append(outputs, card.Logits.Output)
	}
	inputs := []string{card.Input.Name}
	e := &ortEngine{in: &card.Input, logits: setup.logits}
	if card.Path != "" && setup.precision != FP16 {
		// By path, and not by bytes: weights in files beside the model are found.
		e.session, err = ort.NewDynamicAdvancedSession(card.Path, inputs, outputs, o)
		return e, err
	}
	data, err := card.ONNX()
	if err == nil && setup.precision == FP16 {
		data, err = models.Half(data)
	}
	if err == nil {
		e.session, err = ort.NewDynamicAdvancedSessionWithONNXData(data, inputs, outputs, o)
	}
	if err != nil {
		return nil, err
	}
	return e, nil
}

func setDevice(o *ort.SessionOptions, setup engineSetup) error {
	p, known := providerOf(setup.device)
	if !known {
		return fmt.Errorf("unknown device %q", setup.device)
	}
	settings, err := p.settings(setup.options, setup.precision)
	if err != nil {
		return err
	}
	if p.Device == CPU {
		// Threads that wait for work by spinning take the cores from those that decode: on two cores,
		// collections came through 1.13 to 1.6 times faster without (BenchmarkEmbed, three pairs).
		return errors.Join(o.SetIntraOpNumThreads(setup.threads), o.AddSessionConfigEntry("session.intra_op.allow_spinning", "0"))
	}
	// With this, a node that the device does not support is an error when the session is made. Without
	// it, the node would run on the CPU, in silence.
	if err := o.AddSessionConfigEntry("session.disable_cpu_ep_fallback", "1"); err != nil {
		return err
	}
	switch p.Device {
	case CUDA:
		return appendCUDA(o, settings)
	case tensorRT:
		return appendTensorRT(o, settings, setup.precision)
	case WebGPU:
		if why := noVulkan(); why != "" {
			return errors.New(why)
		}
	}
	return o.AppendExecutionProvider(p.key, settings)
}

// In both: Update is the call that says which library is missing, or which option is wrong; the
// append alone says that something is.

func appendCUDA(o *ort.SessionOptions, settings map[string]string) error {
	provider, err := ort.NewCUDAProviderOptions()
	if err != nil {
		return err
	}
	defer provider.Destroy()
	if err := provider.Update(settings); err != nil {
		return err
	}
	return o.AppendExecutionProviderCUDA(provider)
}

func appendTensorRT(o *ort.SessionOptions, settings map[string]string, precision Precision) error {
	// The provider has no option for it; NVIDIA's libraries read this when they are loaded.
	if precision != TF32 && os.Getenv("NVIDIA_TF32_OVERRIDE") == "" {
		if err := os.Setenv("NVIDIA_TF32_OVERRIDE", "0"); err != nil {
			return err
		}
	}
	provider, err := ort.NewTensorRTProviderOptions()
	if err != nil {
		return err
	}
	defer provider.Destroy()
	if _, given := settings["device_id"]; !given {
		settings["device_id"] = "0" // so that there is something to update
	}
	if err := provider.Update(settings); err != nil {
		return err
	}
	return o.AppendExecutionProviderTensorRT(provider)
}

func (e *ortEngine) run(in tensor, rows int, out output) error {
	n := int64(rows)
	shape := ort.NewShape(n, int64(e.in.Height), int64(e.in.Width), 3)
	if e.in.Layout == "NCHW" {
		shape = ort.NewShape(n, 3, int64(e.in.Height), int64(e.in.Width))
	}
	var input ort.Value
	var err error
	if in.u8 != nil {
		input, err = ort.NewTensor(shape, in.u8)
	} else {
		input, err = ort.NewTensor(shape, in.f32)
	}
	if err != nil {
		return err
	}
	defer input.Destroy()

	vectors, err := ort.NewTensor(ort.NewShape(n, int64(out.vectors.Dim)), out.vectors.Data)
	if err != nil {
		return err
	}
	defer vectors.Destroy()
	outputs := []ort.Value{vectors}
	if e.logits {
		logits, err := ort.NewTensor(ort.NewShape(n, int64(out.logits.Dim)), out.logits.Data)
		if err != nil {
			return err
		}
		defer logits.Destroy()
		outputs = append(outputs, logits)
	}
	return plainError(e.session.Run([]ort.Value{input}, outputs))
}

func (e *ortEngine) close() error { return e.session.Destroy() }
