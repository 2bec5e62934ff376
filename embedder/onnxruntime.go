//go:build cgo

package embedder

import (
	"errors"
	"fmt"
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
			return "", fmt.Errorf("opening the library of ONNX Runtime %s: %w; %s", path, err, libraryFix)
		}
		library.path = path
	} else if library.path != path {
		return "", fmt.Errorf("opening the library of ONNX Runtime %s: this process runs %s already", path, library.path)
	}
	return "onnxruntime " + ort.GetVersion(), nil
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
		return graph{}, fmt.Errorf("reading the model: %w", err)
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
			out[i].kind = info.OrtValueType.String()
		case info.DataType == ort.TensorElementDataTypeUint8:
			out[i].kind = "uint8"
		case info.DataType == ort.TensorElementDataTypeFloat:
			out[i].kind = "float32"
		default:
			out[i].kind = info.DataType.String()
		}
	}
	return out
}

// ortEngine is a session of ONNX Runtime.
type ortEngine struct {
	session *ort.DynamicAdvancedSession
	in      *models.Input
	logits  bool
}

// openEngine makes a session on d, and on nothing else.
//
// Subtle: the options are made anew for every device. After a provider has refused to be appended,
// the same options make a session on the CPU without an error (ONNX Runtime 1.27).
func openEngine(card *models.Card, d Device, threads int, logits bool) (engine, error) {
	o, err := ort.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	defer o.Destroy()
	if err := setDevice(o, d, threads); err != nil {
		return nil, err
	}
	outputs := []string{card.Embedding.Output}
	if logits {
		outputs = append(outputs, card.Logits.Output)
	}
	inputs := []string{card.Input.Name}
	e := &ortEngine{in: &card.Input, logits: logits}
	if card.Path != "" {
		// By path, and not by bytes: weights in files beside the model are found.
		e.session, err = ort.NewDynamicAdvancedSession(card.Path, inputs, outputs, o)
	} else {
		var data []byte
		if data, err = card.ONNX(); err == nil {
			e.session, err = ort.NewDynamicAdvancedSessionWithONNXData(data, inputs, outputs, o)
		}
	}
	if err != nil {
		return nil, err
	}
	return e, nil
}

func setDevice(o *ort.SessionOptions, d Device, threads int) error {
	if d == CPU {
		// Threads that wait for work by spinning take the cores from those that decode: on two cores,
		// collections came through 1.13 to 1.6 times faster without (BenchmarkEmbed, three pairs).
		return errors.Join(o.SetIntraOpNumThreads(threads), o.AddSessionConfigEntry("session.intra_op.allow_spinning", "0"))
	}
	// Without this, what the device does not support runs on the CPU, in silence.
	if err := o.AddSessionConfigEntry("session.disable_cpu_ep_fallback", "1"); err != nil {
		return err
	}
	switch d {
	case CUDA:
		return appendCUDA(o)
	case WebGPU:
		return o.AppendExecutionProvider("WebGPU", nil)
	}
	return fmt.Errorf("unknown device %q", d)
}

func appendCUDA(o *ort.SessionOptions) error {
	provider, err := ort.NewCUDAProviderOptions()
	if err != nil {
		return err
	}
	defer provider.Destroy()
	// This is the call that says which library is missing; AppendExecutionProviderCUDA only says
	// that one is.
	if err := provider.Update(map[string]string{"device_id": "0"}); err != nil {
		return err
	}
	return o.AppendExecutionProviderCUDA(provider)
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
	return e.session.Run([]ort.Value{input}, outputs)
}

func (e *ortEngine) close() error { return e.session.Destroy() }
