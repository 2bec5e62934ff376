package vecfile

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// What is read of HDF5 is what h5py and the tools of the field write: superblocks 0 to 3, groups with
// a symbol table or with links in the object header, data sets of numbers that are compact, contiguous
// or in chunks indexed by a version 1 B-tree, with the filters deflate, lzf, shuffle and Fletcher-32.
// The format is that of "HDF5 File Format Specification Version 3.0". Own code, because no library
// in Go was fit for files that nobody vouches for: in github.com/scigolib/hdf5 v0.14.1 one changed byte
// makes it allocate until the process ends, chunk indexes of HDF5 1.10 make it panic, and every slice
// of a chunked data set reads the whole index again.

const (
	hdf5Magic     = "\x89HDF\r\n\x1a\n"
	hdf5Undefined = ^uint64(0)
	// hdf5MaxHeader bounds what the header of one object may take, in bytes and in blocks; a file of
	// vectors has a few hundred bytes.
	hdf5MaxHeader = 1 << 20
	hdf5MaxBlocks = 1 << 10
	// hdf5Latest is about files of newer versions of HDF5.
	hdf5Latest = "chunks that are indexed in the way of HDF5 1.10 and later, which is not read: write the file without libver='latest', or run `h5repack -l CONTI` on it"
	// hdf5Whole is how data that are elsewhere come into one file.
	hdf5Whole = "in Python: h5py.File(new, 'w')[name] = h5py.File(path)[name][:]"
	// hdf5Ratio is how much deflate shrinks at most.
	hdf5Ratio = 1032
)

// hdf5File reads the structure of a file. Its methods check every address and length against the
// file.
type hdf5File struct {
	in     *input
	base   uint64
	linked map[string]string // links that are not followed, by name: where they lead to
}

// hdf5Message is a message of an object header.
type hdf5Message struct {
	kind   uint16
	shared bool
	at     int64
	body   []byte
}

func (f *hdf5File) read(addr uint64, n int64) ([]byte, error) {
	if addr == hdf5Undefined || addr > uint64(f.in.size) || f.base > uint64(f.in.size) {
		return nil, placed(f.in.size, "the file points beyond its end, to byte %d: it is cut short or damaged", addr)
	}
	return f.in.bytes(int64(addr+f.base), n)
}

// u reads an unsigned integer of n bytes at the beginning of b.
func u(b []byte, n int) uint64 {
	var v uint64
	for i := n - 1; i >= 0; i-- {
		v = v<<8 | uint64(b[i])
	}
	return v
}

// reader cuts a block into fields, and remembers when it was too short.
type hdf5Fields struct {
	b     []byte
	short bool
}

func (r *hdf5Fields) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.short = true
		r.b = nil
		return make([]byte, min(max(n, 0), 8))
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *hdf5Fields) uint(n int) uint64 { return u(r.take(n), n) }

// root opens the superblock and returns the address of the root group's header.
func (f *hdf5File) root() (uint64, error) {
	// A block of the user's own, of 512 bytes or that times a power of two, may stand first.
	start := int64(0)
	var head []byte
	for {
		var err error
		if head, err = f.in.bytes(start, min(f.in.size-start, 96)); err != nil {
			return 0, err
		}
		if strings.HasPrefix(string(head), hdf5Magic) {
			break
		}
		if start = max(512, 2*start); start >= f.in.size {
			return 0, placed(0, "not an HDF5 file")
		}
	}
	r := &hdf5Fields{b: head[8:]}
	version := r.uint(1)
	var offsets, lengths, root uint64
	switch version {
	case 0, 1:
		r.take(4)
		offsets, lengths = r.uint(1), r.uint(1)
		r.take(1 + 2 + 2 + 4)
		if version == 1 {
			r.take(4)
		}
		r.take(8) // the base, which is where the superblock stands, also in files that were cut out of others
		r.take(3*8 + 8)
		root = r.uint(8)
	case 2, 3:
		offsets, lengths = r.uint(1), r.uint(1)
		r.take(1)
		r.take(8) // the base, which is where the superblock stands, also in files that were cut out of others
		r.take(2 * 8)
		root = r.uint(8)
	default:
		return 0, placed(start+8, "version %d of an HDF5 superblock; 0 to 3 are read", version)
	}
	f.base = uint64(start)
	if r.short {
		return 0, placed(f.in.size, "the file ends within its superblock")
	}
	if offsets != 8 || lengths != 8 {
		return 0, placed(start+13, "addresses of %d and lengths of %d bytes; 8 are read", offsets, lengths)
	}
	return root, nil
}

// object reads the messages of the header at addr.
func (f *hdf5File) object(addr uint64) ([]hdf5Message, error) {
	head, err := f.read(addr, 16)
	if err != nil {
		return nil, err
	}
	type block struct {
		addr uint64
		size int64
	}
	var blocks []block
	var out []hdf5Message
	total := int64(0)
	version2 := string(head[:4]) == "OHDR"
	order := false
	if version2 {
		flags := head[5]
		at := 6
		if flags&0x20 != 0 {
			at += 16
		}
		if flags&0x10 != 0 {
			at += 4
		}
		width := 1 << (flags & 3)
		head, err := f.read(addr, int64(at+width))
		if err != nil {
			return nil, err
		}
		order = flags&4 != 0
		blocks = append(blocks, block{addr + uint64(at+width), int64(min(u(head[at:], width), hdf5MaxHeader+1))})
	} else {
		if head[0] != 1 {
			return nil, placed(int64(addr), "no object header of HDF5 stands here")
		}
		blocks = append(blocks, block{addr + 16, int64(u(head[8:], 4))})
	}
	for i := 0; i < len(blocks); i++ {
		b := blocks[i]
		if total += b.size; b.size < 0 || total > hdf5MaxHeader || i > hdf5MaxBlocks {
			return nil, placed(int64(b.addr), "an object header of more than %d bytes: no file of vectors has one", hdf5MaxHeader)
		}
		raw, err := f.read(b.addr, b.size)
		if err != nil {
			return nil, err
		}
		r := &hdf5Fields{b: raw}
		for {
			at := int64(b.addr) + int64(len(raw)-len(r.b))
			var m hdf5Message
			if version2 {
				n := 4
				if order {
					n = 6
				}
				if len(r.b) < n {
					break
				}
				m.kind = uint16(r.uint(1))
				size := int(r.uint(2))
				m.shared = r.uint(1)&2 != 0
				r.take(n - 4)
				m.body = r.take(size)
			} else {
				if len(r.b) < 8 {
					break
				}
				m.kind = uint16(r.uint(2))
				size := int(r.uint(2))
				m.shared = r.uint(1)&2 != 0
				r.take(3)
				m.body = r.take(size)
			}
			if r.short {
				return nil, placed(at, "a message is longer than the object header that it stands in")
			}
			m.at = at
			if m.kind == 0x10 {
				c := &hdf5Fields{b: m.body}
				next := block{c.uint(8), int64(min(c.uint(8), hdf5MaxHeader+1))}
				if c.short {
					return nil, placed(at, "a damaged message")
				}
				if version2 { // "OCHK" before the messages, a checksum after them
					next.addr, next.size = next.addr+4, next.size-8
				}
				blocks = append(blocks, next)
				continue
			}
			out = append(out, m)
		}
	}
	return out, nil
}

// links lists what the group with these messages holds: addresses of object headers by name.
func (f *hdf5File) links(messages []hdf5Message) (map[string]uint64, error) {
	out := map[string]uint64{}
	for _, m := range messages {
		r := &hdf5Fields{b: m.body}
		switch m.kind {
		case 0x11: // symbol table
			tree, heap := r.uint(8), r.uint(8)
			if r.short {
				return nil, placed(m.at, "a damaged message")
			}
			if err := f.symbols(tree, heap, out); err != nil {
				return nil, err
			}
		case 0x06: // link
			r.take(1)
			flags := r.uint(1)
			kind := uint64(0)
			if flags&8 != 0 {
				kind = r.uint(1)
			}
			if flags&4 != 0 {
				r.take(8)
			}
			if flags&0x10 != 0 {
				r.take(1)
			}
			name := string(r.take(int(min(r.uint(1<<(flags&3)), hdf5MaxHeader))))
			if kind != 0 {
				target := bytes.Trim(r.take(int(r.uint(2))), "\x00")
				f.leadsTo(name, strings.ReplaceAll(string(target), "\x00", ":"))
				continue
			}
			addr := r.uint(8)
			if r.short {
				return nil, placed(m.at, "a damaged link")
			}
			out[name] = addr
		case 0x02: // link info
			r.take(1)
			flags := r.uint(1)
			if flags&1 != 0 {
				r.take(8)
			}
			if heap := r.uint(8); !r.short && heap != hdf5Undefined {
				return nil, placed(m.at, "the file keeps its names in the form that HDF5 1.8 has for many of them, which is not read: write it without libver='latest'")
			}
		}
	}
	return out, nil
}

// symbols walks the B-tree of a group.
func (f *hdf5File) symbols(tree, heapAddr uint64, out map[string]uint64) error {
	head, err := f.read(heapAddr, 32)
	if err != nil {
		return err
	}
	if string(head[:4]) != "HEAP" {
		return placed(int64(heapAddr), "the names of a group should stand here")
	}
	size := u(head[8:], 8)
	if size > 1<<24 {
		return placed(int64(heapAddr)+8, "%d bytes of names: no file of vectors has so many", size)
	}
	heap, err := f.read(u(head[24:], 8), int64(size))
	if err != nil {
		return err
	}
	return f.walk(tree, 0, 0, func(at uint64, _ []byte) error {
		node, err := f.read(at, 8)
		if err != nil {
			return err
		}
		if string(node[:4]) != "SNOD" {
			return placed(int64(at), "a list of names should stand here")
		}
		n := int64(u(node[6:], 2))
		entries, err := f.read(at+8, 40*n)
		if err != nil {
			return err
		}
		for i := range n {
			e := entries[40*i:]
			name := u(e, 8)
			if name >= uint64(len(heap)) {
				return placed(int64(at), "a name outside the group's names")
			}
			end := bytes.IndexByte(heap[name:], 0)
			if end < 0 {
				return placed(int64(at), "a name that does not end")
			}
			if u(e[16:], 4) == 2 {
				target := heap[min(u(e[24:], 4), size):]
				if end := bytes.IndexByte(target, 0); end >= 0 {
					target = target[:end]
				}
				f.leadsTo(string(heap[name:name+uint64(end)]), string(target))
				continue
			}
			out[string(heap[name:name+uint64(end)])] = u(e[8:], 8)
		}
		return nil
	})
}

// leadsTo keeps that name is a soft or an external link to target.
func (f *hdf5File) leadsTo(name, target string) {
	if f.linked == nil {
		f.linked = map[string]string{}
	}
	if len(f.linked) < hdf5Names {
		f.linked[name] = target
	}
}

// linkedNames says what is linked to what.
func (f *hdf5File) linkedNames() string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(f.linked)) {
		out = append(out, fmt.Sprintf("%q is a link to %q", shorten(name), shorten(f.linked[name])))
	}
	if len(out) > 4 {
		out = append(out[:4], "and so on")
	}
	return strings.Join(out, ", ")
}

// walk visits the leaves of a version 1 B-tree with the key before each. dims is the number of
// dimensions of a chunk index, that of the elements' bytes among them; 0 is a group.
func (f *hdf5File) walk(tree uint64, kind byte, dims int, leaf func(at uint64, key []byte) error) error {
	key := 8
	if kind == 1 {
		key = 8 + 8*dims
	}
	seen := map[uint64]bool{}
	var visit func(at uint64, level int) error
	visit = func(at uint64, level int) error {
		if seen[at] {
			return placed(int64(at), "an index that leads in a circle: the file is damaged")
		}
		seen[at] = true
		head, err := f.read(at, 24)
		if err != nil {
			return err
		}
		if string(head[:4]) != "TREE" || head[4] != kind {
			return placed(int64(at), "an index should stand here")
		}
		if level >= 0 && int(head[5]) != level {
			return placed(int64(at)+5, "an index of level %d below one of level %d", head[5], level+1)
		}
		level = int(head[5])
		n := int(u(head[6:], 2))
		raw, err := f.read(at+24, int64(n*(key+8)))
		if err != nil {
			return err
		}
		for i := range n {
			entry := raw[i*(key+8):]
			child := u(entry[key:], 8)
			if level > 0 {
				err = visit(child, level-1)
			} else {
				err = leaf(child, entry[:key])
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	return visit(tree, -1)
}

// hdf5Dataset is a data set of numbers.
type hdf5Dataset struct {
	dims    []uint64
	elem    element
	layout  byte // 0 compact, 1 contiguous, 2 chunked
	at      int64
	size    uint64 // of contiguous and compact data
	tree    uint64
	chunk   []uint64
	filters []uint16
	classes map[int64]string // of an enumeration, the names of its values
}

// dataset reads what the messages of an object say; it is nil where they are not of a data set.
func (f *hdf5File) dataset(messages []hdf5Message) (*hdf5Dataset, error) {
	d := &hdf5Dataset{layout: 255}
	for _, m := range messages {
		r := &hdf5Fields{b: m.body}
		if m.shared && (m.kind == 1 || m.kind == 3 || m.kind == 8 || m.kind == 0xB) {
			return nil, placed(m.at, "a type or form that is shared between data sets, which is not read")
		}
		switch m.kind {
		case 0x01:
			version, rank, flags := r.uint(1), r.uint(1), r.uint(1)
			r.take(1)
			if version == 1 {
				r.take(4)
			}
			_ = flags
			for range rank {
				d.dims = append(d.dims, r.uint(8))
			}
			if r.short || rank > 32 {
				return nil, placed(m.at, "damaged dimensions")
			}
		case 0x03:
			var err error
			if d.elem, err = hdf5Element(m); err != nil {
				return nil, err
			}
			if d.classes, err = d.elem.enumeration(m); err != nil {
				return nil, err
			}
		case 0x07:
			return nil, errors.New("its values are in other files (external storage), which are not read: " + hdf5Whole)
		case 0x08:
			if err := f.layoutOf(d, m); err != nil {
				return nil, err
			}
		case 0x0B:
			if err := d.pipeline(m); err != nil {
				return nil, err
			}
		}
	}
	if d.layout == 255 || d.elem.width == 0 {
		return nil, nil
	}
	return d, nil
}

// hdf5Element reads a type. What is no plain number gives an element that is not readable.
func hdf5Element(m hdf5Message) (element, error) {
	if len(m.body) < 8 {
		return element{}, placed(m.at, "a damaged type")
	}
	class, bits := m.body[0]&15, u(m.body[1:], 3)
	e := element{class: '?', width: int(u(m.body[4:], 4)), big: bits&1 != 0}
	switch class {
	case 0:
		e.class = 'u'
		if bits&8 != 0 {
			e.class = 'i'
		}
	case 1:
		// Of the floating-point types, those of IEEE 754: their exponents have 5, 8 and 11 bits.
		if len(m.body) >= 20 && (bits&0x40) == 0 && m.body[13] == map[int]byte{2: 5, 4: 8, 8: 11}[e.width] {
			e.class = 'f'
		}
	case 3: // a text of fixed length
		e.class, e.big = 's', false
		if bits&15 == 2 { // filled up with spaces, as Fortran does
			e.class = 'p'
		}
	case 9: // of variable length; other things of variable length are no texts
		if bits&15 == 1 && e.width == 16 {
			e.class, e.big = 'v', false
		}
	case 8: // an enumeration: the type of its values follows, as h5py has truth values and categories
		base, err := hdf5Element(hdf5Message{kind: m.kind, at: m.at, body: m.body[8:]})
		if err != nil || base.width != e.width || base.class != 'i' && base.class != 'u' {
			return element{}, placed(m.at, "a damaged enumeration")
		}
		e.class, e.big = base.class, base.big
	}
	if e.width == 0 {
		e.width = 1
		e.class = '?'
	}
	return e, nil
}

// enumeration reads the names of the values of an enumeration, of which e is the type; nil for other types.
func (e element) enumeration(m hdf5Message) (map[int64]string, error) {
	if m.body[0]&15 != 8 {
		return nil, nil
	}
	const basic = 8 + 12 // the type of a whole number, after the head of the enumeration's own
	r := &hdf5Fields{b: m.body}
	r.take(basic)
	n := int(u(m.body[1:], 2))
	names := make([]string, 0, min(n, len(m.body)))
	for range n {
		end := bytes.IndexByte(r.b, 0)
		if end < 0 {
			return nil, placed(m.at, "a damaged enumeration")
		}
		name := string(r.take(end))
		names = append(names, name)
		length := end + 1
		if m.body[0]>>4 < 3 { // padded to a multiple of 8
			length = (length + 7) / 8 * 8
		}
		r.take(length - end)
	}
	out := make(map[int64]string, n)
	for _, name := range names {
		raw := slices.Clone(r.take(e.width))
		if r.short {
			return nil, placed(m.at, "a damaged enumeration")
		}
		if e.big {
			slices.Reverse(raw)
		}
		v := int64(u(raw, e.width))
		if shift := 64 - 8*e.width; e.class == 'i' && shift > 0 {
			v = v << shift >> shift
		}
		out[v] = name
	}
	if len(out) == 2 && out[0] == "FALSE" && out[1] == "TRUE" { // truth values of h5py, in the spelling of the other formats
		out[0], out[1] = strconv.FormatBool(false), strconv.FormatBool(true)
	}
	return out, nil
}

func (f *hdf5File) layoutOf(d *hdf5Dataset, m hdf5Message) error {
	r := &hdf5Fields{b: m.body}
	version := r.uint(1)
	if version == 5 {
		return placed(m.at, "%s", hdf5Latest)
	}
	if version != 3 && version != 4 {
		return placed(m.at, "version %d of a data layout; 3 and 4 are read", version)
	}
	d.layout = byte(r.uint(1))
	switch {
	case d.layout == 0:
		d.size = r.uint(2)
	case d.layout == 1:
		addr := r.uint(8)
		d.size = r.uint(8)
		if addr == hdf5Undefined || addr > uint64(f.in.size) || addr+f.base > uint64(f.in.size) {
			if d.size != 0 && addr != hdf5Undefined {
				return placed(m.at, "the file points beyond its end, to byte %d: it is cut short or damaged", addr)
			}
			d.at = -1
			break
		}
		d.at = int64(addr + f.base)
	case d.layout == 2 && version == 3:
		n := r.uint(1)
		d.tree = r.uint(8)
		for range n {
			d.chunk = append(d.chunk, r.uint(4))
		}
		if n < 2 || n > 33 {
			return placed(m.at, "chunks of %d dimensions", int(n)-1)
		}
	case d.layout == 2:
		return placed(m.at, "%s", hdf5Latest)
	case d.layout == 3:
		return errors.New("it is a virtual data set, whose values are in other data sets, which is not read: " + hdf5Whole)
	default:
		return placed(m.at, "data of layout %d are not read", d.layout)
	}
	if r.short {
		return placed(m.at, "a damaged layout")
	}
	return nil
}

// The filters that are read, by the numbers that they are registered with.
const (
	filterDeflate  = 1
	filterShuffle  = 2
	filterFletcher = 3
	filterLZF      = 32000
)

func (d *hdf5Dataset) pipeline(m hdf5Message) error {
	r := &hdf5Fields{b: m.body}
	version, n := r.uint(1), r.uint(1)
	if version == 1 {
		r.take(6)
	}
	for range n {
		id := r.uint(2)
		name := uint64(0)
		if version == 1 || id >= 256 {
			name = r.uint(2)
		}
		r.take(2)
		values := r.uint(2)
		if version == 1 {
			name = (name + 7) / 8 * 8
			values += values % 2
		}
		r.take(int(name))
		r.take(int(4 * values))
		if r.short {
			return placed(m.at, "damaged filters")
		}
		switch id {
		case filterDeflate, filterShuffle, filterFletcher, filterLZF:
		default:
			return placed(m.at, "data compressed by filter %d; deflate, lzf, shuffle and Fletcher-32 are read: run `h5repack -f NONE` on the file", id)
		}
		d.filters = append(d.filters, uint16(id))
	}
	return nil
}

// rowsOf lays out the rows of a data set of one or two dimensions.
func (f *hdf5File) rowsOf(name string, d *hdf5Dataset) (*File, error) {
	fail := func(err error) (*File, error) { return nil, fmt.Errorf("data set %q: %w", name, err) }
	if !d.elem.readable() {
		return fail(errors.New("its values are no plain numbers of 1 to 8 bytes"))
	}
	r := &fixedRows{in: f.in, at: d.at, dim: 1, elem: d.elem}
	if len(d.dims) != 1 && len(d.dims) != 2 {
		return fail(fmt.Errorf("it has %d dimensions, vectors have 2", len(d.dims)))
	}
	for _, side := range d.dims {
		if side > 1<<40 {
			return fail(fmt.Errorf("dimensions %v", d.dims))
		}
	}
	r.count = int(d.dims[0])
	if len(d.dims) == 2 {
		r.dim = int(d.dims[1])
	}
	if r.dim < 1 || r.count < 1 {
		return fail(fmt.Errorf("it is empty: dimensions %v", d.dims))
	}
	switch d.layout {
	case 0:
		return fail(errors.New("a compact data set is too small to be of vectors"))
	case 1:
		if d.at < 0 {
			return fail(errors.New("nothing was ever written to it"))
		}
		if err := r.check(false); err != nil {
			return fail(err)
		}
		return plainFile(r, r), nil
	}
	c, err := f.chunked(d, r)
	if err != nil {
		return fail(err)
	}
	return plainFile(r, c), nil
}

// chunkedRows are vectors that stand in chunks: a grid of tiles of rows × columns.
type chunkedRows struct {
	fixedRows
	filters    []uint16
	rows, cols int // of a chunk
	index      []hdf5Chunk
	across     int // chunks side by side
	band       []byte
	bandFrom   int // the first row in band
	bandRows   int
}

type hdf5Chunk struct {
	at   uint64
	size uint32
	mask uint32
	base uint64
}

func (f *hdf5File) chunked(d *hdf5Dataset, r *fixedRows) (*chunkedRows, error) {
	if len(d.chunk) != len(d.dims)+1 || d.chunk[len(d.dims)] != uint64(d.elem.width) {
		return nil, fmt.Errorf("chunks %v do not fit dimensions %v", d.chunk, d.dims)
	}
	c := &chunkedRows{fixedRows: *r, filters: d.filters, rows: int(d.chunk[0]), cols: 1}
	if len(d.dims) == 2 {
		c.cols = int(d.chunk[1])
	}
	if c.rows < 1 || c.cols < 1 {
		return nil, fmt.Errorf("chunks %v", d.chunk)
	}
	if err := c.checkCounts(); err != nil {
		return nil, err
	}
	c.across = (r.dim + c.cols - 1) / c.cols
	down := (r.count + c.rows - 1) / c.rows
	// An entry of the index takes more than 24 bytes, so more than these cannot be there.
	if int64(down) > f.in.size/24 || int64(c.across) > f.in.size/24 || int64(down)*int64(c.across) > f.in.size/24 {
		return nil, fmt.Errorf("%d × %d chunks cannot be in a file of %d bytes", down, c.across, f.in.size)
	}
	c.index = make([]hdf5Chunk, down*c.across)
	stored := int64(0)
	err := f.walk(d.tree, 1, len(d.chunk), func(at uint64, key []byte) error {
		row, col := u(key[8:], 8), uint64(0)
		if len(d.dims) == 2 {
			col = u(key[16:], 8)
		}
		if row%uint64(c.rows) != 0 || col%uint64(c.cols) != 0 || row >= uint64(r.count) || col >= uint64(r.dim) {
			return fmt.Errorf("a chunk at row %d, column %d, where none can be", row, col)
		}
		to := &c.index[int(row)/c.rows*c.across+int(col)/c.cols]
		if to.size != 0 {
			return fmt.Errorf("two chunks at row %d, column %d", row, col)
		}
		*to = hdf5Chunk{at, uint32(u(key, 4)), uint32(u(key[4:], 4)), f.base}
		if at > uint64(f.in.size) || f.base > uint64(f.in.size) || at+f.base+uint64(to.size) > uint64(f.in.size) {
			return placed(f.in.size, "the chunk of row %d, column %d ends beyond the file", row, col)
		}
		stored += int64(to.size)
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i, chunk := range c.index {
		if chunk.size == 0 {
			return nil, fmt.Errorf("the chunk of row %d, column %d was never written", i/c.across*c.rows, i%c.across*c.cols)
		}
	}
	// What the band of chunks will take must be borne out by what is stored.
	if bytes := int64(min(c.rows, r.count)) * r.stride(); bytes > stored*hdf5Ratio {
		return nil, fmt.Errorf("chunks %v cannot be in %d bytes", d.chunk, stored)
	}
	return c, nil
}

func (r *fixedRows) checkCounts() error {
	if r.count > 1<<31-1 || int64(r.dim) > 1<<31 {
		return fmt.Errorf("%d vectors of %d dimensions", r.count, r.dim)
	}
	return nil
}

// ahead gives the bytes of at most n rows, of at least one.
func (c *chunkedRows) ahead(n int) (raw []byte, rows int, err error) {
	if c.done == c.count {
		return nil, 0, io.EOF
	}
	if c.done >= c.bandFrom+c.bandRows {
		if err := c.load(); err != nil {
			return nil, 0, err
		}
	}
	from := c.done - c.bandFrom
	rows = min(n, c.bandRows-from)
	width := c.dim * c.elem.width
	return c.band[from*width : (from+rows)*width], rows, nil
}

func (c *chunkedRows) Next(dst []float32) (int, error) {
	raw, n, err := c.ahead(len(dst) / c.dim)
	if err != nil {
		return 0, err
	}
	if bad := c.elem.decode(dst[:n*c.dim], raw); bad >= 0 {
		return 0, errTooLarge(c.done+bad/c.dim, bad%c.dim)
	}
	c.compare(c.elem, dst[:n*c.dim], raw)
	c.done += n
	return n, nil
}

func (c *chunkedRows) Ints(dst []int32) (int, error) {
	raw, n, err := c.ahead(len(dst) / c.dim)
	if err != nil {
		return 0, err
	}
	if bad := c.elem.decodeInts(dst[:n*c.dim], raw); bad >= 0 {
		return 0, fmt.Errorf("row %d, value %d: not a row number", c.done+bad/c.dim, bad%c.dim)
	}
	c.done += n
	return n, nil
}

// load reads the chunks side by side that begin with row done.
func (c *chunkedRows) load() error {
	c.bandFrom = c.done
	c.bandRows = min(c.rows, c.count-c.done)
	width := c.elem.width
	if c.band == nil {
		c.band = make([]byte, c.bandRows*c.dim*width)
	}
	band := c.done / c.rows
	for i := range c.across {
		raw, err := c.chunk(c.index[band*c.across+i])
		if err != nil {
			return fmt.Errorf("chunk of row %d, column %d: %w", c.done, i*c.cols, err)
		}
		take := min(c.cols, c.dim-i*c.cols) * width
		for row := range c.bandRows {
			copy(c.band[(row*c.dim+i*c.cols)*width:][:take], raw[row*c.cols*width:])
		}
	}
	return nil
}

// chunk reads a chunk and undoes its filters. It has exactly the bytes of a chunk.
func (c *chunkedRows) chunk(at hdf5Chunk) ([]byte, error) {
	want := int64(c.rows) * int64(c.cols) * int64(c.elem.width)
	b, err := c.in.bytes(int64(at.at+at.base), int64(at.size))
	if err != nil {
		return nil, err
	}
	for i := len(c.filters) - 1; i >= 0; i-- {
		if at.mask>>uint(i)&1 != 0 {
			continue
		}
		switch c.filters[i] {
		case filterFletcher:
			if len(b) < 4 {
				return nil, errors.New("too short for its checksum")
			}
			data := b[:len(b)-4]
			if sum, want := fletcher32(data), binary.LittleEndian.Uint32(b[len(data):]); sum != want {
				return nil, fmt.Errorf("damaged: its Fletcher-32 checksum is %08x, the file says %08x; fetch or write the file again", sum, want)
			}
			b = data
		case filterDeflate:
			z, err := zlib.NewReader(bytes.NewReader(b))
			if err != nil {
				return nil, err
			}
			var out bytes.Buffer
			if _, err := io.Copy(&out, io.LimitReader(z, want+5)); err != nil {
				return nil, err
			}
			b = out.Bytes()
		case filterLZF:
			if b, err = unLZF(b, want); err != nil {
				return nil, err
			}
		case filterShuffle:
			b = unshuffle(b, c.elem.width)
		}
	}
	if int64(len(b)) != want {
		return nil, fmt.Errorf("it has %d bytes, a chunk has %d", len(b), want)
	}
	return b, nil
}

// fletcher32 is the checksum of HDF5: over words of 16 bits, big-endian, of which the last is filled up with a zero byte.
func fletcher32(b []byte) uint32 {
	var sum1, sum2 uint32
	reduce := func() {
		sum1, sum2 = sum1&0xFFFF+sum1>>16, sum2&0xFFFF+sum2>>16
	}
	for words := range slices.Chunk(b, 2*360) { // as many words as cannot overflow
		for i := 0; i+1 < len(words); i += 2 {
			sum1 += uint32(binary.BigEndian.Uint16(words[i:]))
			sum2 += sum1
		}
		if len(words)%2 == 0 {
			reduce()
		}
	}
	if len(b)%2 == 1 {
		sum1 += uint32(b[len(b)-1]) << 8
		sum2 += sum1
		reduce()
	}
	reduce()
	return sum2<<16 | sum1
}

// unshuffle puts the bytes of each value together again.
func unshuffle(b []byte, width int) []byte {
	n := len(b) / width
	out := make([]byte, len(b))
	for i := range n {
		for j := range width {
			out[i*width+j] = b[j*n+i]
		}
	}
	copy(out[n*width:], b[n*width:])
	return out
}

// unLZF decompresses LibLZF's form, to no more than most bytes.
func unLZF(in []byte, most int64) ([]byte, error) {
	broken := errors.New("damaged lzf data")
	var out []byte
	for i := 0; i < len(in); {
		ctrl := int(in[i])
		i++
		if ctrl < 32 {
			if i+ctrl+1 > len(in) {
				return nil, broken
			}
			out = append(out, in[i:i+ctrl+1]...)
			i += ctrl + 1
		} else {
			length := ctrl >> 5
			if length == 7 {
				if i >= len(in) {
					return nil, broken
				}
				length += int(in[i])
				i++
			}
			if i >= len(in) {
				return nil, broken
			}
			from := len(out) - (ctrl&31)<<8 - int(in[i]) - 1
			i++
			if from < 0 {
				return nil, broken
			}
			for j := range length + 2 {
				out = append(out, out[from+j])
			}
		}
		if int64(len(out)) > most {
			return nil, broken
		}
	}
	return out, nil
}

// attributes reads the texts among the attributes of an object; one that is no text, or several, is empty.
func (f *hdf5File) attributes(messages []hdf5Message) map[string]string {
	out := map[string]string{}
	for _, m := range messages {
		if m.kind != 0x0C {
			continue
		}
		r := &hdf5Fields{b: m.body}
		version := r.uint(1)
		r.take(1)
		nameSize, typeSize, spaceSize := int(r.uint(2)), int(r.uint(2)), int(r.uint(2))
		if version == 3 {
			r.take(1)
		}
		pad := func(n int) int { return n }
		if version == 1 {
			pad = func(n int) int { return (n + 7) / 8 * 8 }
		}
		name := strings.TrimRight(string(r.take(pad(nameSize))), "\x00")
		kind := r.take(pad(typeSize))
		space := r.take(pad(spaceSize))
		if r.short || len(kind) < 8 {
			continue // of no use here, and no reason to refuse the vectors
		}
		out[name] = "" // until a text is found
		if several(space) {
			continue
		}
		switch kind[0] & 15 {
		case 3:
			out[name] = strings.TrimRight(string(r.b[:min(len(r.b), int(min(u(kind[4:], 4), 1<<16)))]), "\x00 ")
		case 9:
			if text, ok := f.heapText(r.b); ok {
				out[name] = text
			}
		}
	}
	return out
}

// several reports whether the space of an attribute has more than one value.
func several(space []byte) bool {
	if len(space) < 2 {
		return false
	}
	rank, dims := int(space[1]), 4
	if space[0] == 1 {
		dims = 8
	}
	for i := range rank {
		if at := dims + 8*i; at+8 <= len(space) && u(space[at:], 8) != 1 {
			return true
		}
	}
	return false
}

// heapText reads a text of variable length: its place in a global heap stands in b.
func (f *hdf5File) heapText(b []byte) (string, bool) {
	if len(b) < 16 {
		return "", false
	}
	length, addr, index := u(b, 4), u(b[4:], 8), u(b[12:], 4)
	head, err := f.read(addr, 16)
	if err != nil || string(head[:4]) != "GCOL" {
		return "", false
	}
	size := u(head[8:], 8)
	if size < 16 || size > 1<<24 {
		return "", false
	}
	raw, err := f.read(addr+16, int64(size)-16)
	if err != nil {
		return "", false
	}
	for r := (&hdf5Fields{b: raw}); len(r.b) >= 16; {
		id := r.uint(2)
		r.take(6)
		n := r.uint(8)
		if n > uint64(len(r.b)) || id == 0 {
			return "", false
		}
		body := r.take(int(min((n+7)/8*8, uint64(len(r.b)))))
		if id == index {
			return string(body[:min(length, n, uint64(len(body)))]), true
		}
	}
	return "", false
}

// texts reads a data set of one dimension whose values are texts or whole numbers, count of them: labels or ids.
func (f *hdf5File) texts(name string, d *hdf5Dataset, count int) ([]string, error) {
	fail := func(format string, args ...any) ([]string, error) {
		return nil, fmt.Errorf("data set %q: %w", name, fmt.Errorf(format, args...))
	}
	if len(d.dims) == 2 && d.dims[1] == 1 {
		d.dims = d.dims[:1]
		if len(d.chunk) == 3 {
			d.chunk = []uint64{d.chunk[0], d.chunk[2]}
		}
	}
	if len(d.dims) != 1 || d.dims[0] != uint64(count) {
		return fail("dimensions %v; labels and ids are one for each of %d vectors", d.dims, count)
	}
	if !strings.ContainsRune("spv", rune(d.elem.class)) {
		switch {
		case d.elem.class == 'f':
			return fail("labels and ids are texts or whole numbers, and these are numbers with fractions")
		case !d.elem.readable():
			return fail("labels and ids are texts or whole numbers, not values of %d bytes of another kind (UTF-32 stored as bytes?); in Python: h5py.File(new, 'w').create_dataset(name, data=list(labels), dtype=h5py.string_dtype())", d.elem.width)
		}
		rows, err := f.rowsOf(name, d)
		if err != nil {
			return nil, err
		}
		texts, err := wholeTexts(rows.Rows.(wholeRows), d.elem, count)
		if err != nil {
			return fail("%w", err)
		}
		for i, number := range texts {
			if v, err := strconv.ParseInt(number, 10, 64); d.classes != nil && err == nil {
				name, ok := d.classes[v]
				if !ok {
					return fail("value %d is %d, which its enumeration does not name", i, v)
				}
				texts[i] = name
			}
		}
		return texts, nil
	}
	width := d.elem.width
	if width > 1<<16 {
		return fail("texts of %d bytes", width)
	}
	var next func(n int) ([]byte, error) // at most n values, at least one
	switch {
	case d.layout == 1 && d.at >= 0:
		r := &fixedRows{in: f.in, at: d.at, count: count, dim: width, elem: element{class: 'u', width: 1}}
		if err := r.check(false); err != nil {
			return fail("%w", err)
		}
		next = func(n int) ([]byte, error) {
			n = min(n, r.count-r.done)
			raw, err := r.read(n)
			r.done += n
			return raw, err
		}
	case d.layout == 2:
		c, err := f.chunked(d, &fixedRows{in: f.in, count: count, dim: 1, elem: d.elem})
		if err != nil {
			return fail("%w", err)
		}
		next = func(n int) ([]byte, error) {
			raw, n, err := c.ahead(n)
			c.done += n
			return raw, err
		}
	default:
		return fail("nothing was ever written to it, or it is compact, which is not read")
	}
	texts := make([]string, 0, min(count, 1<<16))
	interned := map[string]string{}
	heap := &hdf5Heap{f: f}
	for len(texts) < count {
		raw, err := next(1 << 10)
		if err != nil {
			return fail("%w", err)
		}
		for ; len(raw) >= width; raw = raw[width:] {
			var text string
			switch d.elem.class {
			case 's':
				text = strings.TrimRight(string(raw[:width]), "\x00")
			case 'p':
				text = strings.TrimRight(string(raw[:width]), "\x00 ")
			default:
				if text, err = heap.text(raw[:width]); err != nil {
					return fail("value %d: %w", len(texts), err)
				}
			}
			texts = append(texts, intern(interned, text))
		}
	}
	return texts, nil
}

// hdf5Heap reads texts of variable length; it keeps the heap that was used last.
type hdf5Heap struct {
	f    *hdf5File
	addr uint64
	have map[uint64][]byte
}

// text is the text of which the place in a global heap stands in b, 16 bytes.
func (h *hdf5Heap) text(b []byte) (string, error) {
	length, addr, index := u(b, 4), u(b[4:], 8), u(b[12:], 4)
	if length == 0 {
		return "", nil
	}
	if h.have == nil || h.addr != addr {
		head, err := h.f.read(addr, 16)
		if err != nil {
			return "", err
		}
		size := u(head[8:], 8)
		if string(head[:4]) != "GCOL" || size < 16 || size > 1<<28 {
			return "", placed(int64(addr), "texts should stand here")
		}
		raw, err := h.f.read(addr+16, int64(size)-16)
		if err != nil {
			return "", err
		}
		h.addr, h.have = addr, map[uint64][]byte{}
		for r := (&hdf5Fields{b: raw}); len(r.b) >= 16; {
			id := r.uint(2)
			r.take(6)
			n := r.uint(8)
			if id == 0 || n > uint64(len(r.b)) {
				break
			}
			h.have[id] = r.take(int(min((n+7)/8*8, uint64(len(r.b)))))[:n]
		}
	}
	body, ok := h.have[index]
	if !ok || length > uint64(len(body)) {
		return "", placed(int64(addr), "a text that should stand here is missing")
	}
	return strings.TrimRight(string(body[:length]), "\x00"), nil
}

// What is looked at of groups within groups.
const (
	hdf5Depth = 6
	hdf5Names = 1 << 12
)

// names lists what is in a group and in the groups within it, by path.
func (f *hdf5File) names(links map[string]uint64, prefix string, depth int, seen map[uint64]bool, out map[string]uint64) error {
	for _, name := range slices.Sorted(maps.Keys(links)) {
		addr := links[name]
		if seen[addr] || len(out) == hdf5Names {
			continue
		}
		path := prefix + name
		if depth == hdf5Depth {
			out[path] = addr
			continue
		}
		messages, err := f.object(addr)
		if err != nil {
			out[path] = addr // if it is asked for, the error is said then
			continue
		}
		group := slices.ContainsFunc(messages, func(m hdf5Message) bool { return m.kind == 0x11 || m.kind == 0x02 || m.kind == 0x06 })
		if !group {
			out[path] = addr
			continue
		}
		seen[addr] = true
		within, err := f.links(messages)
		if err != nil {
			return fmt.Errorf("group %q: %w", path, err)
		}
		if err := f.names(within, path+"/", depth+1, seen, out); err != nil {
			return err
		}
	}
	return nil
}

// openHDF5 reads a file in ann-benchmarks' form: the data sets train, test and neighbors, and the
// attribute distance. Test and neighbors may be missing, and labels and ids be there. [Columns] may name
// a data set within a group by its path.
func openHDF5(in *input, columns Columns) (*File, error) {
	f := &hdf5File{in: in}
	root, err := f.root()
	if err != nil {
		return nil, err
	}
	messages, err := f.object(root)
	if err != nil {
		return nil, err
	}
	links, err := f.links(messages)
	if err != nil {
		return nil, err
	}
	all := map[string]uint64{}
	if err := f.names(links, "", 0, map[uint64]bool{root: true}, all); err != nil {
		return nil, err
	}
	names := slices.Sorted(maps.Keys(all))
	used := []string{"distances"} // of the neighbours, in files of ann-benchmarks: worked out again
	find := func(asked string, candidates []string) (*hdf5Dataset, string, error) {
		i, err := named(names, strings.Trim(asked, "/"), candidates)
		if err != nil || i < 0 {
			return nil, "", err
		}
		part, err := f.object(all[names[i]])
		if err != nil {
			return nil, "", err
		}
		d, err := f.dataset(part)
		if err != nil {
			return nil, "", fmt.Errorf("data set %q: %w", names[i], err)
		}
		if d == nil {
			return nil, "", fmt.Errorf("%q is no data set", names[i])
		}
		used = append(used, names[i])
		return d, names[i], err
	}
	open := func(asked string, candidates []string) (*File, string, error) {
		d, name, err := find(asked, candidates)
		if err != nil || d == nil {
			return nil, "", err
		}
		if len(d.dims) == 1 {
			return nil, "", fmt.Errorf("data set %q: %w", name, oneDimension(int(min(d.dims[0], 1<<40))))
		}
		rows, err := f.rowsOf(name, d)
		if err == nil {
			rows.place = func(row, dimension int) string { return fmt.Sprintf("data set %q, %s", name, rowPlace(row, dimension)) }
		}
		return rows, name, err
	}
	out, _, err := open(columns.Vectors, vectorNames)
	if err != nil {
		return nil, err
	}
	if out == nil {
		if len(f.linked) > 0 {
			return nil, fmt.Errorf("it has no data set %q, and links are not followed (%s); it has %s: %s", vectorNames[0], f.linkedNames(), quoteAll(names), nameOne)
		}
		return nil, fmt.Errorf("it has no data set %q; it has %s: %s", vectorNames[0], quoteAll(names), nameOne)
	}
	if out.Queries, _, err = open("", queryNames); err != nil {
		return nil, err
	}
	if out.Queries != nil {
		near, name, err := open("", neighborNames)
		if err != nil {
			return nil, err
		}
		if near != nil {
			if near.Integers == nil {
				return nil, fmt.Errorf("data set %q: its values are no integers", name)
			}
			out.Neighbors = &Neighbors{near.Count, near.Dim, near.Integers}
		}
	}
	texts := func(asked string, candidates []string) (func(row int) string, error) {
		d, name, err := find(asked, candidates)
		if err != nil || d == nil {
			return nil, err
		}
		all, err := f.texts(name, d, out.Count)
		if err != nil {
			return nil, err
		}
		return func(row int) string { return all[row] }, nil
	}
	if out.Label, err = texts(columns.Labels, slices.Concat(labelNames, tableLabels)); err != nil {
		return nil, err
	}
	if out.ID, err = texts(columns.IDs, slices.Concat(idNames, arrayIDs)); err != nil {
		return nil, err
	}
	word, ok := f.attributes(messages)["distance"]
	if out.word = word; ok && word == "" {
		out.Notes = append(out.Notes, `the attribute "distance" is no single text, so it does not say the metric`)
	}
	out.leftOut(names, used, func(name string) bool {
		part, err := f.object(all[name])
		if err != nil {
			return false
		}
		d, err := f.dataset(part)
		return err == nil && d != nil && len(d.dims) == 2
	})
	if len(f.linked) > 0 {
		out.Notes = append(out.Notes, f.linkedNames()+": links are not followed; what they lead to is left out, unless it is named under columns")
	}
	return out, nil
}
