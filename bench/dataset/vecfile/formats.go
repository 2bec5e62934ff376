package vecfile

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Format is a form in which vectors come. Its readers and writers are in one file of this package.
type Format struct {
	Name string
	// Exts are the extensions of such files, in lower case with the dot.
	Exts []string

	magic string // how such files begin; empty if anything may stand there, and the extension decides
	read  func(in *input, columns Columns) (*File, error)
	write func(ctx context.Context, f *os.File, t Table) error // nil if the format is only read
}

// Writable reports whether [Write] writes the format.
func (f *Format) Writable() bool { return f.write != nil }

// Formats is the one list of what is read and written. A file that begins as one of them does is one of
// them, whatever its name.
var Formats = []Format{
	{"HDF5, as ann-benchmarks has it", []string{".hdf5", ".h5"}, hdf5Magic, openHDF5, nil},
	{"NumPy", []string{".npy"}, npyMagic, openArray, writeNPY},
	{"NumPy, several arrays", []string{".npz"}, "PK\x03\x04", openArchive, nil},
	{"Parquet", []string{".parquet"}, "PAR1", openParquet, writeParquet},
	{"TEXMEX, float32", []string{".fvecs"}, "", openVecs(element{class: 'f', width: 4}), writeVecs},
	{"TEXMEX, uint8", []string{".bvecs"}, "", openVecs(element{class: 'u', width: 1}), nil},
	{"TEXMEX, int32", []string{".ivecs"}, "", openVecs(element{class: 'i', width: 4}), nil},
	{"big-ann-benchmarks, float32", []string{".fbin"}, "", openBin(element{class: 'f', width: 4}), writeBin},
	{"cuVS, float16", []string{".f16bin"}, "", openBin(element{class: 'f', width: 2}), nil},
	{"big-ann-benchmarks, uint8", []string{".u8bin"}, "", openBin(element{class: 'u', width: 1}), nil},
	{"big-ann-benchmarks, int8", []string{".i8bin"}, "", openBin(element{class: 'i', width: 1}), nil},
	{"big-ann-benchmarks, int32", []string{".ibin"}, "", openBin(element{class: 'i', width: 4}), nil},
	{"text: tables, and word vectors as GloVe and word2vec write them", []string{".csv", ".tsv", ".txt", ".vec"}, "", openCSV, nil},
}

// extensions lists those of the formats that are wanted, in their order.
func extensions(wanted func(*Format) bool) []string {
	var exts []string
	for i := range Formats {
		if wanted(&Formats[i]) {
			exts = append(exts, Formats[i].Exts...)
		}
	}
	return exts
}

// Readable lists the extensions of all formats.
func Readable() []string { return extensions(func(*Format) bool { return true }) }

// Writable lists the extensions that [Write] knows.
func Writable() []string { return extensions((*Format).Writable) }

// byExtension is the format that the name of a file says; nil if it says none.
func byExtension(path string) *Format {
	ext := strings.ToLower(filepath.Ext(path))
	for i := range Formats {
		if slices.Contains(Formats[i].Exts, ext) {
			return &Formats[i]
		}
	}
	return nil
}

// Named reports whether the name of a file says that vectors are in it. A .txt may be anything, so it is not
// taken for one that nobody named.
func Named(path string) bool {
	return byExtension(path) != nil && !strings.EqualFold(filepath.Ext(path), ".txt")
}

// begins reports whether head is the beginning of a file of the format.
func (f *Format) begins(head []byte) bool {
	return f.magic != "" && bytes.HasPrefix(head, []byte(f.magic))
}

func formatOf(in *input) (*Format, error) {
	head, err := in.bytes(0, min(in.size, 8))
	if err != nil {
		return nil, err
	}
	for i := range Formats {
		if Formats[i].begins(head) {
			return &Formats[i], nil
		}
	}
	if f := byExtension(in.path); f != nil {
		return f, nil
	}
	return nil, fmt.Errorf("vectors do not come in files of this kind (extension %q); known are %s", strings.ToLower(filepath.Ext(in.path)), strings.Join(Readable(), " "))
}
