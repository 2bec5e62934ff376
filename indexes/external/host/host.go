// Package host makes a program in Go a family of annbench: it speaks the protocol, reads the vectors,
// keeps the clocks and writes the answers, so that a family is a function that builds and a method that
// searches.
//
//	func main() {
//		host.Main(host.Family{
//			Library: "mine", Version: "1.0", Metrics: []string{"l2"},
//			Build: func(in host.Input) (host.Index, error) { return build(in.Vectors, in.Dim) },
//		})
//	}
//
// It imports nothing of annbench but the protocol's messages.
package host

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"annbench/indexes/external/protocol"
)

// Family is what a program offers.
type Family struct {
	Library string   // who wrote the index
	Version string   // of the library
	Metrics []string // of l2, cosine, ip
	// Build makes an index of in.Vectors.
	Build func(in Input) (Index, error)
	// Load restores what [Saver.Save] wrote into the folder; nil where the index cannot be saved.
	Load func(folder string, in Input) (Index, error)
}

// Input is what an index is made from.
type Input struct {
	// Vectors are Rows × Dim numbers, row after row, mapped from a file: they may be changed in place,
	// and stay where they are until the process ends.
	Vectors   []float32
	Rows, Dim int
	Metric    string
	Threads   int
	Seed      uint64
	Settings  Settings          // of build and search, complete and checked
	Phase     func(name string) // to be called as train, add or finish begins
}

// Row is row i of the vectors.
func (in *Input) Row(i int) []float32 { return in.Vectors[i*in.Dim : (i+1)*in.Dim : (i+1)*in.Dim] }

// Index answers queries.
type Index interface {
	// Search writes the ids of the nearest to q into ids, nearest first, and returns how many there are.
	// It is timed.
	Search(q []float32, ids []int64) (int, error)
}

// Tuner is an Index with search settings. Absent ones do not occur: all are given each time.
type Tuner interface{ Tune(s Settings) error }

// Saver is an Index that can be written into an empty folder.
type Saver interface{ Save(folder string) error }

// Settings are settings by name, as annbench checked them against family.yaml.
type Settings map[string]any

// Int returns a setting of kind integer, 0 where there is none of that name.
func (s Settings) Int(name string) int { return int(s.Float(name)) }

// Float returns a setting of kind number or integer, 0 where there is none of that name.
func (s Settings) Float(name string) float64 { x, _ := s[name].(float64); return x }

// Bool returns a setting that is true or false.
func (s Settings) Bool(name string) bool { b, _ := s[name].(bool); return b }

// Word returns a setting of kind word, empty where there is none of that name.
func (s Settings) Word(name string) string { w, _ := s[name].(string); return w }

// Main speaks the protocol until annbench is done, and ends the process. What the program or its
// libraries print to standard output goes to standard error from then on.
func Main(f Family) {
	out, err := takeOutput()
	if err == nil {
		err = serve(f, os.Stdin, out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

type server struct {
	Family
	out   *json.Encoder
	index Index
	ids   []byte
	times []byte
}

func serve(f Family, in io.Reader, out io.Writer) error {
	s := &server{Family: f, out: json.NewEncoder(out)}
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 64<<10), protocol.LongestLine)
	for lines.Scan() {
		var r protocol.Request
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return fmt.Errorf("reading a request: %w", err)
		}
		reply, err := s.answer(&r)
		if err != nil {
			reply = protocol.Reply{Error: err.Error()}
		}
		if err := s.out.Encode(reply); err != nil {
			return fmt.Errorf("replying: %w", err)
		}
		if r.Do == protocol.Done {
			return nil
		}
	}
	return lines.Err()
}

func (s *server) answer(r *protocol.Request) (reply protocol.Reply, err error) {
	switch r.Do {
	case protocol.Hello:
		reply = protocol.Reply{Protocol: protocol.Version, Library: s.Library, Version: s.Version, Metrics: s.Metrics, Can: []string{protocol.CanSettle}}
		if s.Load != nil {
			reply.Can = append(reply.Can, protocol.CanSave)
		}
	case protocol.Build, protocol.Load:
		return s.make(r)
	case protocol.Save:
		saver, ok := s.index.(Saver)
		if !ok {
			return reply, fmt.Errorf("the index of %s cannot be saved", s.Library)
		}
		return reply, saver.Save(r.Path)
	case protocol.Set:
		if tuner, ok := s.index.(Tuner); ok {
			return reply, tuner.Tune(r.Settings)
		}
	case protocol.Search:
		return s.search(r)
	case protocol.Settle:
		runtime.GC()
		debug.FreeOSMemory()
	case protocol.Done:
	default:
		err = fmt.Errorf("unknown request %q", r.Do)
	}
	return reply, err
}

func (s *server) make(r *protocol.Request) (reply protocol.Reply, err error) {
	in := Input{Metric: r.Metric, Threads: r.Threads, Seed: r.Seed, Settings: r.Settings}
	in.Phase = func(name string) { _ = s.out.Encode(protocol.Reply{Phase: name}) }
	if r.Vectors != nil {
		in.Rows, in.Dim = r.Vectors.Rows, r.Vectors.Dim
		if in.Vectors, err = mapMatrix(r.Vectors); err != nil {
			return reply, err
		}
	}
	wall, cpu := time.Now(), processorTime()
	if r.Do == protocol.Build {
		s.index, err = s.Build(in)
	} else {
		s.index, err = s.Load(r.Path, in)
	}
	return protocol.Reply{Wall: int64(time.Since(wall)), CPU: processorTime() - cpu}, err
}

func (s *server) search(r *protocol.Request) (reply protocol.Reply, err error) {
	if s.index == nil {
		return reply, fmt.Errorf("nothing was built or loaded")
	}
	if r.Batch {
		return reply, fmt.Errorf("%s has no batch search", s.Library)
	}
	queries, err := mapMatrix(r.Queries)
	if err != nil {
		return reply, err
	}
	defer unmap(queries)
	dim, ids := r.Queries.Dim, make([]int64, r.Count*r.K)
	counts, times := make([]int, r.Count), make([]int64, r.Count)
	runtime.GC()
	wall, cpu := time.Now(), processorTime()
	for i := range r.Count {
		q := queries[(r.First+i)*dim : (r.First+i+1)*dim]
		start := time.Now()
		counts[i], err = s.index.Search(q, ids[i*r.K:(i+1)*r.K])
		times[i] = int64(time.Since(start))
		if err != nil {
			return reply, fmt.Errorf("query %d: %w", r.First+i, err)
		}
	}
	reply = protocol.Reply{Wall: int64(time.Since(wall)), CPU: processorTime() - cpu}
	for i, n := range counts {
		for j := n; j < r.K; j++ {
			ids[i*r.K+j] = -1
		}
	}
	if s.ids, err = binary.Append(s.ids[:0], binary.LittleEndian, ids); err != nil {
		return reply, err
	}
	if err := os.WriteFile(r.IDs, s.ids, 0o600); err != nil {
		return reply, err
	}
	if s.times, err = binary.Append(s.times[:0], binary.LittleEndian, times); err != nil {
		return reply, err
	}
	return reply, os.WriteFile(r.Times, s.times, 0o600)
}

// processorTime is that of this process, all threads, in nanoseconds.
func processorTime() int64 {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t)
	return t.Nano()
}

// mapMatrix maps the numbers of m, so that they may be written to without the file being changed.
func mapMatrix(m *protocol.Matrix) ([]float32, error) {
	f, err := os.Open(m.File)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	length := m.Offset + 4*int64(m.Rows)*int64(m.Dim)
	if info, err := f.Stat(); err != nil || info.Size() < length {
		return nil, fmt.Errorf("%s: shorter than %d × %d numbers", m.File, m.Rows, m.Dim)
	}
	if m.Offset%4 != 0 || m.Rows < 1 || m.Dim < 1 {
		return nil, fmt.Errorf("%s: %d × %d numbers from byte %d on", m.File, m.Rows, m.Dim, m.Offset)
	}
	b, err := unix.Mmap(int(f.Fd()), 0, int(length), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.File, err)
	}
	maps[unsafe.Pointer(&b[m.Offset])] = b
	return unsafe.Slice((*float32)(unsafe.Pointer(&b[m.Offset])), m.Rows*m.Dim), nil
}

// maps are the mappings by their first number.
var maps = map[unsafe.Pointer][]byte{}

func unmap(m []float32) {
	at := unsafe.Pointer(unsafe.SliceData(m))
	_ = unix.Munmap(maps[at])
	delete(maps, at)
}
