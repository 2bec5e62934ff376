package embedder

import (
	"errors"
	"fmt"
	"image"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"annbench/embedder/models"
	"annbench/indexes/vec"
)

// Refusal is a device that could not be had, with the reason.
type Refusal struct {
	Device Device `json:"device"`
	Reason string `json:"reason"`
}

// SessionOptions of [OpenSession].
type SessionOptions struct {
	// Library is the path of ONNX Runtime's library; empty means what [FindLibrary] finds. A process
	// opens one library: another path than the first is an error.
	Library string

	// Devices are tried in this order; none means [Devices]. The first that the model runs on is
	// taken. If a single one is named and is not available, that is an error.
	Devices []Device

	// Options of the providers. Those of a device that is not tried are an error.
	Options DeviceOptions

	// Precision to compute in; empty means [FP32].
	Precision Precision

	// Threads that the model may use on the CPU; 0 means GOMAXPROCS.
	Threads int

	// Logits asks for the model's classification beside its embedding; it is an error if the card
	// has none.
	Logits bool

	// Log, where not nil, is called with every refusal and with the device that is taken.
	Log *slog.Logger
}

// Session is a model on a device. Its methods may be called by many goroutines at once, Close
// excepted, which ends its use.
type Session struct {
	card     *models.Card
	shape    *preparer
	engine   engine
	setup    engineSetup // what engine was opened with
	device   Device
	refusals []Refusal
	runtime  string
	threads  int
	fixed    int // size of the batch that the graph fixes; 0: any
	logits   bool
}

// engineSetup is what an engine is opened with.
type engineSetup struct {
	device    Device
	options   map[string]string // of the device's provider
	precision Precision
	threads   int // on the CPU
	logits    bool

	// profile is the beginning of the path of a file that the runtime writes, when the engine is
	// closed, about every node that was run; empty: none.
	profile string

	// plain runs the graph as it stands in the file, node by node.
	plain bool
}

// engine runs one model on one device.
type engine interface {
	// run answers the first rows of in with the first rows of out.
	run(in tensor, rows int, out output) error
	close() error
}

// output is a batch of answers. Logits has no rows where the session was not asked for them.
type output struct {
	vectors, logits vec.Matrix
}

func newOutput(s *Session, rows int) output {
	out := output{vectors: vec.NewMatrix(rows, s.card.Embedding.Dim)}
	if s.logits {
		out.logits = vec.NewMatrix(rows, len(s.card.Classes))
	}
	return out
}

// port is an input or output of a graph.
type port struct {
	name string
	kind string  // "uint8", "float32", or whatever else it is
	dims []int64 // -1 where any size goes
}

func (p port) String() string {
	dims := make([]string, len(p.dims))
	for i, d := range p.dims {
		dims[i] = fmt.Sprint(d)
		if d < 0 {
			dims[i] = "any"
		}
	}
	return fmt.Sprintf("%q, %s [%s]", p.name, p.kind, strings.Join(dims, " "))
}

// graph is what a model takes and gives, as its file says.
type graph struct {
	inputs, outputs []port
}

// OpenSession opens the model that card describes on the first of the devices that is available. A
// device counts as available when one picture has gone through the model on it.
//
// Errors: the library of ONNX Runtime cannot be opened (the message says what to do); the model is
// not what its card says (the message says what it is); no device is available.
func OpenSession(card *models.Card, o SessionOptions) (*Session, error) {
	s, err := openSession(card, o)
	if err != nil {
		return nil, fmt.Errorf("opening model %s: %w", card.Name, err)
	}
	return s, nil
}

func openSession(card *models.Card, o SessionOptions) (*Session, error) {
	if o.Logits && card.Logits == nil {
		return nil, errors.New(`the model does not classify: its card has no "logits"`)
	}
	names := make([]string, len(o.Devices))
	for i, d := range o.Devices {
		names[i] = string(d)
	}
	devices, err := ParseDevices(names)
	if err != nil {
		return nil, err
	}
	if err := o.Options.check(devices); err != nil {
		return nil, err
	}
	s := &Session{card: card, shape: newPreparer(&card.Input), threads: o.Threads, logits: o.Logits}
	if s.setup.precision, err = ParsePrecision(string(o.Precision)); err != nil {
		return nil, err
	}
	if s.threads <= 0 {
		s.threads = runtime.GOMAXPROCS(0)
	}
	if s.runtime, err = openRuntime(o.Library); err != nil {
		return nil, err
	}
	g, err := readGraph(card)
	if err != nil {
		return nil, err
	}
	if len(card.Missing()) > 0 {
		if card, err = complete(card, g); err != nil {
			return nil, err
		}
		s.card, s.shape = card, newPreparer(&card.Input)
	}
	if s.fixed, err = checkGraph(card, g); err != nil {
		return nil, err
	}
	open := openEngine
	if len(devices) > 1 {
		open = notInSoftware
	}
	return s, s.take(open, devices, o.Options, o.Log)
}

// notInSoftware is openEngine where there is something to fall back on: WebGPU on Vulkan in software
// would be had, and be slower than the CPU.
func notInSoftware(card *models.Card, setup engineSetup) (engine, error) {
	if drivers := softwareVulkanOnly(); setup.device == WebGPU && drivers != "" {
		return nil, fmt.Errorf("all Vulkan drivers here run in software (%s), slower than the CPU; name webgpu alone to use it all the same", drivers)
	}
	return openEngine(card, setup)
}

// openEngineFunc is openEngine, or a test's.
type openEngineFunc func(card *models.Card, setup engineSetup) (engine, error)

// take opens the model on the first of devices that it runs on.
func (s *Session) take(open openEngineFunc, devices []Device, options DeviceOptions, log *slog.Logger) error {
	for _, d := range devices {
		setup := engineSetup{device: d, options: options[d], precision: s.setup.precision, threads: s.threads, logits: s.logits}
		e, err := open(s.card, setup)
		if err == nil {
			if err = s.try(e); err != nil {
				err = errors.Join(fmt.Errorf("running the model: %w", err), e.close())
			}
		}
		if err == nil {
			s.engine, s.setup, s.device = e, setup, d
			if log != nil {
				attributes := []any{"device", d, "model", s.card.Name, "precision", setup.precision, "runtime", s.runtime}
				if len(s.refusals) > 0 {
					attributes = append(attributes, "refused", s.refused())
				}
				log.Info("device taken", attributes...)
			}
			return nil
		}
		s.refusals = append(s.refusals, Refusal{Device: d, Reason: err.Error()})
	}
	if len(devices) == 1 {
		return fmt.Errorf("device %s is not available: %s", devices[0], s.refusals[0].Reason)
	}
	return fmt.Errorf("none of the devices %s is available: %s", join(devices), s.refused())
}

// refused are the devices that were refused, each with its reason.
func (s *Session) refused() string {
	reasons := make([]string, len(s.refusals))
	for i, r := range s.refusals {
		reasons[i] = fmt.Sprintf("%s: %s", r.Device, r.Reason)
	}
	return strings.Join(reasons, "; ")
}

// try runs one black picture.
func (s *Session) try(e engine) error {
	rows := max(1, s.fixed)
	return e.run(newTensor(&s.card.Input, rows), rows, newOutput(s, rows))
}

// checkGraph compares a card with the graph of its model, and returns the size of the batch where
// the graph fixes it, and 0 otherwise.
func checkGraph(card *models.Card, g graph) (fixed int, err error) {
	in := &card.Input
	find := func(what, name string, ports []port) (port, error) {
		listed := make([]string, len(ports))
		for i, p := range ports {
			if p.name == name {
				return p, nil
			}
			listed[i] = p.String()
		}
		return port{}, fmt.Errorf("the card says that the model has an %s %q; it has %s", what, name, strings.Join(listed, "; "))
	}
	fits := func(p port, want []int64) bool {
		if len(p.dims) != len(want) {
			return false
		}
		for i, d := range p.dims {
			if d > 0 && want[i] > 0 && d != want[i] {
				return false
			}
		}
		return true
	}

	input, err := find("input", in.Name, g.inputs)
	if err != nil {
		return 0, err
	}
	if len(g.inputs) != 1 {
		return 0, fmt.Errorf("the model has %d inputs; only those with one can be run", len(g.inputs))
	}
	if input.kind != in.Type {
		return 0, fmt.Errorf("the card says that the input is %s; the model has %s", in.Type, input)
	}
	want := []int64{-1, int64(in.Height), int64(in.Width), 3}
	if in.Layout == "NCHW" {
		want = []int64{-1, 3, int64(in.Height), int64(in.Width)}
	}
	if !fits(input, want) {
		return 0, fmt.Errorf("the card says that the input is %s, %d high and %d wide; the model has %s", in.Layout, in.Height, in.Width, input)
	}
	fixed = max(0, int(input.dims[0]))

	check := func(what, name string, columns int) error {
		out, err := find("output", name, g.outputs)
		if err != nil {
			return err
		}
		if out.kind != "float32" || !fits(out, []int64{-1, int64(columns)}) {
			return fmt.Errorf("the card says that the %s is float32 [any %d]; the model has %s", what, columns, out)
		}
		return nil
	}
	if err := check("embedding", card.Embedding.Output, card.Embedding.Dim); err != nil {
		return 0, err
	}
	if card.Logits != nil {
		if err := check("output of the logits", card.Logits.Output, len(card.Classes)); err != nil {
			return 0, err
		}
	}
	return fixed, nil
}

// Card describes the session's model.
func (s *Session) Card() *models.Card { return s.card }

// Device is the one that was taken.
func (s *Session) Device() Device { return s.device }

// Precision is what the session computes in.
func (s *Session) Precision() Precision { return s.setup.precision }

// Options of the device's provider, as they were given. The caller owns them.
func (s *Session) Options() map[string]string { return maps.Clone(s.setup.options) }

// Refusals are the devices that were tried before it.
func (s *Session) Refusals() []Refusal { return slices.Clone(s.refusals) }

// Runtime names the library that runs the model, with its version: "onnxruntime 1.27.0".
func (s *Session) Runtime() string { return s.runtime }

// Threads is how many the model may use where the device is the CPU.
func (s *Session) Threads() int { return s.threads }

// Close frees the model.
func (s *Session) Close() error { return s.engine.close() }

// batchOf is the size of the batches that are run when n pictures are asked for.
func (s *Session) batchOf(n int) int {
	switch {
	case s.fixed > 0:
		return s.fixed
	case n > 0:
		return n
	}
	return defaultBatch
}

// infer fills in the answers to a batch: output row i is that of items[i].
func (s *Session) infer(f *filled) error {
	n := len(f.items)
	if n == 0 {
		return nil
	}
	// On a GPU the last batch, too, is run at full size: the runtime's GPU providers choose and
	// compile kernels anew for every shape that they meet.
	rows := f.rows
	if s.fixed > 0 || s.device != CPU {
		rows = f.pixels.rows()
	}
	if err := s.engine.run(f.pixels, rows, f.output); err != nil {
		return fmt.Errorf("running the model on %s, pictures %s to %s: %w", s.device, f.items[0].ID, f.items[n-1].ID, err)
	}
	f.compact()
	s.normalize(f.output.vectors.Slice(0, n))
	return checkVectors(f.output.vectors.Slice(0, n), s.card.Embedding.UnitLength(), func(row int) string { return f.items[row].ID })
}

// Run embeds pictures that are decoded already: row i of vectors is the embedding of picture i, and
// row i of logits its classification, one column a class of the card. Logits has no rows unless the
// session was opened for them. Errors: a picture without pixels, a failing device, an embedding that
// is not finite.
func (s *Session) Run(pictures []image.Image) (vectors, logits vec.Matrix, err error) {
	all := newOutput(s, len(pictures))
	batch := s.batchOf(min(len(pictures), defaultBatch))
	in, out := newTensor(&s.card.Input, batch), newOutput(s, batch)
	for from := 0; from < len(pictures); from += batch {
		n := min(batch, len(pictures)-from)
		for i, picture := range pictures[from : from+n] {
			if err := s.shape.fill(in, i, picture); err != nil {
				return vec.Matrix{}, vec.Matrix{}, fmt.Errorf("picture %d: %w", from+i, err)
			}
		}
		rows := n
		if s.fixed > 0 {
			rows = s.fixed
		}
		if err := s.engine.run(in, rows, out); err != nil {
			return vec.Matrix{}, vec.Matrix{}, fmt.Errorf("running model %s on %s: %w", s.card.Name, s.device, err)
		}
		copy(all.vectors.Data[from*all.vectors.Dim:], out.vectors.Slice(0, n).Data)
		if s.logits {
			copy(all.logits.Data[from*all.logits.Dim:], out.logits.Slice(0, n).Data)
		}
	}
	s.normalize(all.vectors)
	err = checkVectors(all.vectors, s.card.Embedding.UnitLength(), func(row int) string { return fmt.Sprintf("picture %d", row) })
	if err != nil {
		return vec.Matrix{}, vec.Matrix{}, err
	}
	return all.vectors, all.logits, nil
}

// LibraryVariable is the environment variable that names ONNX Runtime's library.
const LibraryVariable = "ONNXRUNTIME_LIB"

// CanRun says why this program can run no model: it was built without cgo, or the library is not there, as
// [FindLibrary] says. It opens nothing.
func CanRun() error {
	if err := builtWithCgo(); err != nil {
		return err
	}
	_, err := FindLibrary()
	return err
}

// FindLibrary returns the path of ONNX Runtime's library: what the environment variable
// ONNXRUNTIME_LIB says, or libonnxruntime.so (.dylib on macOS) beside the program, where an archive has it, or
// .deps/onnxruntime/lib/libonnxruntime.so in annbench's repository, where "make deps" puts it and where the
// working directory or the program lies. It does not open it. The error says how to get one.
func FindLibrary() (string, error) {
	if path := os.Getenv(LibraryVariable); path != "" {
		if info, err := os.Stat(path); err != nil {
			return "", fmt.Errorf("%s: %w; %s", LibraryVariable, err, libraryFix)
		} else if info.IsDir() {
			return "", fmt.Errorf("%s: %s is a folder; it has to be the library itself", LibraryVariable, path)
		}
		return filepath.Abs(path)
	}
	name := "libonnxruntime.so"
	switch runtime.GOOS {
	case "darwin":
		name = "libonnxruntime.dylib"
	case "windows":
		name = "onnxruntime.dll"
	}
	var starts []string
	if dir, err := os.Getwd(); err == nil {
		starts = append(starts, dir)
	}
	if program, err := os.Executable(); err == nil {
		// Whoever can put a library beside the program can put another program there.
		beside := filepath.Join(filepath.Dir(program), name)
		if _, err := os.Stat(beside); err == nil {
			return beside, nil
		}
		starts = append(starts, filepath.Dir(program))
	}
	for _, dir := range starts {
		if root := repositoryAbove(dir); root != "" {
			path := filepath.Join(root, ".deps", "onnxruntime", "lib", name)
			if _, err := os.Stat(path); err == nil {
				return path, nil
			}
		}
	}
	return "", fmt.Errorf("the library of ONNX Runtime is missing: %s is not set, no %s lies beside the program, and no .deps/onnxruntime/lib/%[2]s in the repository; %[3]s",
		LibraryVariable, name, libraryFix)
}

const libraryFix = `run "make deps" in annbench's repository, or set ` + LibraryVariable + ` to the library of ONNX Runtime 1.27`

// repositoryAbove returns the folder of annbench's module that dir lies in, or nothing. A library is
// code: it is not taken from any folder that happens to be above.
func repositoryAbove(dir string) string {
	for {
		if text, err := os.ReadFile(filepath.Join(dir, "go.mod")); err == nil {
			if first, _, _ := strings.Cut(string(text), "\n"); strings.TrimSpace(first) == "module annbench" {
				return dir
			}
			return ""
		}
		up := filepath.Dir(dir)
		if up == dir {
			return ""
		}
		dir = up
	}
}
