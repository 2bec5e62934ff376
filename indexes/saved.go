package indexes

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"annbench/indexes/vec"
	"annbench/internal/atomicfile"
)

// A saved index of a family without a file format of its own that can be checked is one file:
//
//	magic (8) | length of the label (4) | label in JSON | payload | CRC-32C of all before (4)
//
// Numbers are little-endian. The checksum is compared before anything else is believed, so a damaged
// file is an error and never an index with other answers; it does not protect against a file that was
// made to do harm.
const (
	savedMagic   = "annbidx1"
	savedMinimum = len(savedMagic) + 4 + 4
)

// saved is the label of a saved index.
type saved struct {
	Family string     `json:"family"`
	Metric vec.Metric `json:"metric"`
	Rows   int        `json:"rows"`
	Dim    int        `json:"dim"`
	// Build holds the build settings.
	Build Params `json:"build,omitempty"`
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// save writes a file that load reads. What stood at path is replaced as a whole, or stays.
func save(path string, label saved, payload func(io.Writer) error) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("saving %s: %s: %w", label.Family, path, err)
		}
	}()
	text, err := json.Marshal(label)
	if err != nil {
		return err
	}
	f, err := atomicfile.Create(path)
	if err != nil {
		return bare(err)
	}
	defer f.Abort()
	sum := crc32.New(castagnoli)
	buffered := bufio.NewWriterSize(f, 1<<20)
	w := io.MultiWriter(buffered, sum)
	header := binary.LittleEndian.AppendUint32([]byte(savedMagic), uint32(len(text)))
	if _, err := w.Write(append(header, text...)); err != nil {
		return bare(err)
	}
	if err := payload(w); err != nil {
		return bare(err)
	}
	if err := binary.Write(buffered, binary.LittleEndian, sum.Sum32()); err != nil {
		return bare(err)
	}
	if err := buffered.Flush(); err != nil {
		return bare(err)
	}
	return bare(f.Commit())
}

// load reads what save wrote for an index of family f, and compares its label with what in says: the
// metric must be the file's, vectors where there are any must have its shape, and build settings where
// they are given must be its settings. It returns the settings of both kinds, complete. The errors name
// the file.
func load(path string, f *Family, in BuildInput) (label saved, params Params, payload []byte, err error) {
	defer func() {
		if err != nil {
			err = loadError(path, f, err)
		}
	}()
	data, err := os.ReadFile(path)
	if err != nil {
		return label, nil, nil, bare(err)
	}
	if len(data) < savedMinimum || string(data[:len(savedMagic)]) != savedMagic {
		return label, nil, nil, errors.New("not an index of this family that annbench saved")
	}
	body, sum := data[:len(data)-4], binary.LittleEndian.Uint32(data[len(data)-4:])
	if crc32.Checksum(body, castagnoli) != sum {
		return label, nil, nil, errors.New("the file is damaged or cut short: its checksum does not agree; build and save the index again")
	}
	length, rest := int64(binary.LittleEndian.Uint32(body[len(savedMagic):])), body[len(savedMagic)+4:]
	if length > int64(len(rest)) {
		return label, nil, nil, errors.New("the file's label is longer than the file")
	}
	if err := json.Unmarshal(rest[:length], &label); err != nil {
		return label, nil, nil, fmt.Errorf("the file's label: %w", err)
	}
	if label.Family != f.Name {
		return label, nil, nil, fmt.Errorf("the file holds an index of family %s", label.Family)
	}
	if label.Rows < 1 || label.Dim < 1 {
		return label, nil, nil, fmt.Errorf("the file's label says %d vectors of %d dimensions", label.Rows, label.Dim)
	}
	if label.Build, err = f.Settings(f.Build, label.Build); err != nil {
		return label, nil, nil, fmt.Errorf("the file's label: %w", err)
	}
	params, err = agrees(f, label, in)
	return label, params, rest[length:], err
}

// agrees reports where the index that label describes is not the one that in asks for. It returns the
// settings of both kinds, complete; build settings are those of the label.
func agrees(f *Family, label saved, in BuildInput) (Params, error) {
	if label.Metric != in.Metric {
		return nil, fmt.Errorf("the file's index is for metric %s, not %s", label.Metric, in.Metric)
	}
	if v := in.Vectors; v.Rows != 0 && (v.Rows != label.Rows || v.Dim != label.Dim) {
		return nil, fmt.Errorf("the file's index is of %d vectors of %d dimensions, not of %d of %d", label.Rows, label.Dim, v.Rows, v.Dim)
	}
	given, err := f.Settings(f.all(), in.Params)
	if err != nil {
		return nil, err
	}
	for _, p := range f.Build {
		if _, asked := in.Params[p.Name]; asked && given[p.Name] != label.Build[p.Name] {
			return nil, fmt.Errorf("the file's index was built with %s=%v, not %v", p.Name, label.Build[p.Name], given[p.Name])
		}
		given[p.Name] = label.Build[p.Name]
	}
	return given, nil
}

// saveVectors saves an index that is made again from its vectors and its build settings, in milliseconds
// or at least faster than from anything larger.
func saveVectors(path string, f *Family, metric vec.Metric, vectors vec.Matrix, build Params) error {
	label := saved{Family: f.Name, Metric: metric, Rows: vectors.Rows, Dim: vectors.Dim, Build: build}
	return save(path, label, func(w io.Writer) error { return writeFloats(w, vectors.Data) })
}

// loadVectors reads what saveVectors wrote, checked as [load] does: in with the vectors, the metric and
// the settings, complete, of the file.
func loadVectors(path string, f *Family, in BuildInput) (BuildInput, error) {
	label, params, payload, err := load(path, f, in)
	if err != nil {
		return in, err
	}
	base := vec.NewMatrix(label.Rows, label.Dim)
	if _, err := binary.Decode(payload, binary.LittleEndian, base.Data); err != nil || len(payload) != 4*len(base.Data) {
		return in, loadError(path, f, fmt.Errorf("the file holds %d bytes for %d vectors of %d dimensions", len(payload), label.Rows, label.Dim))
	}
	in.Vectors, in.Metric, in.Params = base, label.Metric, params
	return in, nil
}

// writeFloats writes a in pieces, so that saving takes no second copy of the vectors.
func writeFloats(w io.Writer, a []float32) error {
	const piece = 1 << 16
	buf := make([]byte, 0, 4*piece)
	for len(a) > 0 {
		n := min(piece, len(a))
		buf, _ = binary.Append(buf[:0], binary.LittleEndian, a[:n]) // a slice of numbers cannot fail
		if _, err := w.Write(buf); err != nil {
			return err
		}
		a = a[n:]
	}
	return nil
}

func loadError(path string, f *Family, err error) error {
	return fmt.Errorf("loading %s: %s: %w", f.Name, path, err)
}

// bare takes the operation and the file name off an error of package os, where the caller names the
// file.
func bare(err error) error {
	var pathError *os.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	var linkError *os.LinkError
	if errors.As(err, &linkError) {
		return linkError.Err
	}
	return err
}
