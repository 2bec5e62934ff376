// Package mapfile keeps an index as one file of arrays that is used where it is mapped: a header of numbers, the arrays on
// multiples of 64 bytes, and checksums over all of it.
//
//	magic (8) | header | CRC-32C of structure | of content | of all before (4 each) | sections
//
// Numbers are little-endian, and the file is for machines that have them so. The sections' lengths follow from the
// header. Those that lead a search (structure) are checked whenever a file is loaded; the others (content), the bulk, when
// it is verified. The package knows nothing of indexes; packages rpforest and hnsw have files of this form.
package mapfile

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"unsafe"

	"annbench/internal/atomicfile"
)

// Kind is a kind of file.
type Kind struct {
	Magic          string // 8 bytes, the last of them the version
	Noun, Singular string // what a file holds, in errors: "a forest", "forest"
}

const align = 64

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Section is one array of an index in its file.
type Section struct {
	Size      int64         // bytes
	Structure bool          // it leads a search, or else is content
	Bytes     func() []byte // the array as it stands
	attach    func(b []byte)
}

// Array is the section of a slice of n numbers, which Load sets.
func Array[T any](s *[]T, n int64, structure bool) Section {
	size := int64(unsafe.Sizeof(*new(T)))
	return Section{
		Size:      n * size,
		Structure: structure,
		Bytes: func() []byte {
			return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(*s))), len(*s)*int(size))
		},
		attach: func(b []byte) {
			*s = unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), n)
		},
	}
}

// sums are the three checksums behind a header.
type sums struct{ Structure, Content, Header uint32 }

// add takes a section's bytes into its checksum.
func (c *sums) add(s Section, data []byte) {
	sum := &c.Content
	if s.Structure {
		sum = &c.Structure
	}
	*sum = crc32.Update(*sum, castagnoli, data)
}

// HeaderSize is how many bytes come before the sections. header is a struct of numbers, or a pointer to one.
func (k Kind) HeaderSize(header any) int64 {
	return int64(len(k.Magic) + binary.Size(header) + binary.Size(sums{}))
}

// Aligned is where a section begins that comes next at a place.
func Aligned(at int64) int64 { return (at + align - 1) / align * align }

// Save writes a file of that header and those sections. What stood at path is replaced as a whole, or stays.
func (k Kind) Save(path string, header any, sections []Section) (err error) {
	defer func() { err = k.named("saving", path, err) }()
	if err := k.checkOrder(); err != nil {
		return err
	}
	var c sums
	for _, s := range sections {
		data := s.Bytes()
		if int64(len(data)) != s.Size {
			panic("mapfile: a section of another length than its header says")
		}
		c.add(s, data)
	}
	file, err := atomicfile.Create(path)
	if err != nil {
		return err
	}
	defer file.Abort()
	w := bufio.NewWriterSize(file, 1<<20)
	if _, err := w.Write(k.encode(header, c)); err != nil {
		return err
	}
	at := k.HeaderSize(header)
	for _, s := range sections {
		gap := Aligned(at) - at
		if _, err := w.Write(make([]byte, gap)); err != nil {
			return err
		}
		if _, err := w.Write(s.Bytes()); err != nil {
			return err
		}
		at += gap + s.Size
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return file.Commit()
}

// encode returns what comes before the sections.
func (k Kind) encode(header any, c sums) []byte {
	b, err := binary.Append([]byte(k.Magic), binary.LittleEndian, header)
	if err == nil {
		b, err = binary.Append(b, binary.LittleEndian, []uint32{c.Structure, c.Content})
	}
	if err != nil {
		panic(err) // a struct of numbers
	}
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// Load maps a file read-only, so that it takes milliseconds and processes share one copy. Where the system has no mapping
// it reads the file. It sets header, a pointer; calls sections, which gives the sections that such a header has, or false
// where no index can have it; attaches their memory; and asks sound whether what leads a search is whole.
//
// The header, the file's length and all of the structure are checked against their checksums: a file that is foreign, cut
// short or damaged there is an error that names it. Content is not read; damage to it must do no worse than give wrong
// answers, and [Kind.Verify] finds it. The file must stay as it is until unmap; to replace it by rename, as Save does, is
// safe.
func (k Kind) Load(path string, header any, sections func() ([]Section, bool), sound func() bool) (unmap func() error, err error) {
	defer func() { err = k.named("loading", path, err) }()
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	want, list, size, err := k.open(file, header, sections)
	if err != nil {
		return nil, err
	}
	data, unmap, err := mapFile(file, size)
	if err != nil {
		return nil, k.damaged(err)
	}
	var got sums
	at := k.HeaderSize(header)
	for _, s := range list {
		at = Aligned(at)
		if s.Size > 0 {
			part := data[at : at+s.Size : at+s.Size]
			if s.Structure {
				got.add(s, part)
			}
			s.attach(part)
		}
		at += s.Size
	}
	if got.Structure != want.Structure || !sound() {
		return nil, errors.Join(k.errDamaged(), unmap())
	}
	return unmap, nil
}

// Verify reads a file whole and compares it with its checksums. It maps nothing; header and sections are as in Load.
func (k Kind) Verify(path string, header any, sections func() ([]Section, bool)) (err error) {
	defer func() { err = k.named("verifying", path, err) }()
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	want, list, _, err := k.open(file, header, sections)
	if err != nil {
		return err
	}
	var got sums
	at := k.HeaderSize(header)
	buf := make([]byte, 1<<20)
	for _, s := range list {
		at = Aligned(at)
		for end := at + s.Size; at < end; {
			part := buf[:min(int64(len(buf)), end-at)]
			if _, err := file.ReadAt(part, at); err != nil {
				return k.damaged(err)
			}
			got.add(s, part)
			at += int64(len(part))
		}
	}
	if got.Structure != want.Structure || got.Content != want.Content {
		return k.errDamaged()
	}
	return nil
}

// open reads and checks what comes before the sections, and the file's length.
func (k Kind) open(file *os.File, header any, sections func() ([]Section, bool)) (c sums, list []Section, size int64, err error) {
	if err := k.checkOrder(); err != nil {
		return c, nil, 0, err
	}
	info, err := file.Stat()
	if err != nil {
		return c, nil, 0, err
	}
	b := make([]byte, k.HeaderSize(header))
	if n, err := file.ReadAt(b, 0); err != nil {
		if n >= len(k.Magic) && string(b[:len(k.Magic)]) == k.Magic {
			return c, nil, 0, k.damaged(err)
		}
		if errors.Is(err, io.EOF) {
			return c, nil, 0, k.errForeign()
		}
		return c, nil, 0, err
	}
	if magic := string(b[:len(k.Magic)]); magic != k.Magic {
		if last := len(magic) - 1; magic[:last] == k.Magic[:last] {
			return c, nil, 0, k.errVersion(magic[last], k.Magic[last])
		}
		return c, nil, 0, k.errForeign()
	}
	n, err := binary.Decode(b[len(k.Magic):], binary.LittleEndian, header)
	if err != nil {
		return c, nil, 0, err
	}
	if _, err := binary.Decode(b[len(k.Magic)+n:], binary.LittleEndian, &c); err != nil {
		return c, nil, 0, err
	}
	if crc32.Checksum(b[:len(b)-4], castagnoli) != c.Header {
		return c, nil, 0, k.errDamaged()
	}
	list, possible := sections()
	if !possible {
		return c, nil, 0, k.errDamaged()
	}
	size = int64(len(b))
	for _, s := range list {
		size = Aligned(size) + s.Size
	}
	if size != info.Size() {
		return c, nil, 0, k.errDamaged()
	}
	return c, list, size, nil
}

func (k Kind) errForeign() error {
	return fmt.Errorf("not %s that this version saved", k.Noun)
}

// errVersion is that a file has another form of its kind.
func (k Kind) errVersion(has, want byte) error {
	return fmt.Errorf("%s in form %q, of another version; this one reads form %q: build and save the %s again", k.Noun, has, want, k.Singular)
}

func (k Kind) errDamaged() error {
	return fmt.Errorf("the file is damaged or cut short: build and save the %s again", k.Singular)
}

// damaged is err, or that the file is damaged where it ended.
func (k Kind) damaged(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return k.errDamaged()
	}
	return err
}

// checkOrder refuses machines whose numbers are not as in the file, which is mapped as it is.
func (k Kind) checkOrder() error {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		return fmt.Errorf("%s is saved for little-endian machines only", k.Noun)
	}
	return nil
}

// named says what was done to which file.
func (k Kind) named(doing, path string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s: %s: %w", doing, k.Noun, path, bare(err))
}

// bare takes the operation and the file name off an error of package os: the caller names the file.
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
