package vecfile

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/bits"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// parquetPages looks at the pages of a column before the library decodes them. A run of equal levels or of
// equal places in a dictionary takes a few bytes whatever its length, and parquet-go 0.32 believes a length
// before it compares it with the number of values: one changed byte makes it fill 2 GiB, and a
// damaged page takes seconds for each such run. So runs, sizes and counts are compared with what the
// page and the column say that they hold. What this costs is decompressing pages twice.
type parquetPages struct {
	in   *input
	raw  []byte          // of a page
	page []byte          // decompressed
	buf  []parquet.Value // of [parquetPages.values]
}

// most is how many times larger than in the file a page can be, beyond a mebibyte: Zstandard makes 1 byte of 30,000
// zeros.
const most = 1 << 16

// check looks at all pages of the column in one row group. plain says that [parquetPages.texts] reads it.
func (p *parquetPages) check(m *format.ColumnMetaData, leaf parquet.LeafColumn) (plain bool, err error) {
	kind, inRuns := leaf.Node.Type().Kind(), false
	plain = (kind == parquet.ByteArray || kind == parquet.Boolean) && leaf.MaxRepetitionLevel == 0
	readable := func(e format.Encoding) bool {
		inRuns = inRuns || e == format.RLE
		return e == format.Plain || isPlaces(e) && (kind == parquet.Boolean) == (e == format.RLE)
	}
	err = p.each(m, func(h *format.PageHeader, left int64) (int64, error) {
		n, sound := int64(0), true
		switch {
		case h.DataPageHeader.Valid:
			v := &h.DataPageHeader.V
			n = int64(v.NumValues)
			sound = n >= 0 && n <= left && p.first(m.Codec, v, leaf)
			plain = readable(v.Encoding) && plain && v.DefinitionLevelEncoding == format.RLE
		case h.DataPageHeaderV2.Valid:
			v := &h.DataPageHeaderV2.V
			n = int64(v.NumValues)
			sound = n >= 0 && n <= left && p.second(m.Codec, v, leaf)
			plain = readable(v.Encoding) && plain
		}
		if !sound {
			return 0, errParquet
		}
		return n, nil
	})
	if err == nil && inRuns && !plain { // parquet-go 0.32 reads a run of true as one true among eight
		err = errParquet
	}
	return plain, err
}

// each gives do the pages of the column in one row group, whose bytes are in raw, and how many values are left; it returns
// how many the page has.
func (p *parquetPages) each(m *format.ColumnMetaData, do func(h *format.PageHeader, left int64) (int64, error)) error {
	from := m.DataPageOffset
	if d := m.DictionaryPageOffset; d > 0 && d < from {
		from = d
	}
	if from < 0 || m.TotalCompressedSize < 0 || from > p.in.size || m.TotalCompressedSize > p.in.size-from || m.NumValues < 0 {
		return errParquet
	}
	r := bufio.NewReaderSize(io.NewSectionReader(p.in, from, m.TotalCompressedSize), 1<<16)
	for left := m.NumValues; left > 0; {
		var h format.PageHeader
		if err := thrift.NewDecoder(new(thrift.CompactProtocol).NewReader(r)).Decode(&h); err != nil {
			return errParquet
		}
		size, whole := int64(h.CompressedPageSize), int64(h.UncompressedPageSize)
		if size < 0 || size > m.TotalCompressedSize || whole < 0 || whole > size*most+1<<20 {
			return errParquet
		}
		if int64(cap(p.raw)) < size {
			p.raw = make([]byte, size)
		}
		p.raw = p.raw[:size]
		if _, err := io.ReadFull(r, p.raw); err != nil {
			return errParquet
		}
		n, err := do(&h, left)
		if err != nil {
			return err
		}
		left -= n
	}
	return nil
}

// texts gives do the texts or truth values of a column that [parquetPages.check] found to be plain, in their order. The library
// reads them, too, but where a writer left bytes behind the last value of a page, as fastparquet does, it prints a warning of its
// own to standard error for each page, and truth values in runs, as pages of version 2 have them, it reads wrongly.
func (p *parquetPages) texts(m *format.ColumnMetaData, leaf parquet.LeafColumn, do func(parquet.Value) error) error {
	var dictionary []parquet.Value
	boolean, whole := leaf.Node.Type().Kind() == parquet.Boolean, leaf.MaxDefinitionLevel
	width := bits.Len(uint(whole))
	return p.each(m, func(h *format.PageHeader, _ int64) (int64, error) {
		var present []uint32 // levels; nil where all values are there
		var encoding format.Encoding
		data, n, ok := p.raw, 0, true
		switch {
		case h.DictionaryPageHeader.Valid:
			if data, ok = p.decompress(m.Codec, data); !ok {
				return 0, errParquet
			}
			// Values outlive the page, whose memory is used again.
			if dictionary, ok = plainTexts(bytes.Clone(data), int(h.DictionaryPageHeader.V.NumValues)); !ok {
				return 0, errParquet
			}
			return 0, nil
		case h.DataPageHeader.Valid:
			v := &h.DataPageHeader.V
			n, encoding = int(v.NumValues), v.Encoding
			if data, ok = p.decompress(m.Codec, data); ok && leaf.MaxDefinitionLevel > 0 {
				if len(data) < 4 || int64(binary.LittleEndian.Uint32(data)) > int64(len(data)-4) {
					return 0, errParquet
				}
				length := binary.LittleEndian.Uint32(data)
				present, ok = unpacked(data[4:4+length], width, n)
				data = data[4+length:]
			}
		case h.DataPageHeaderV2.Valid:
			v := &h.DataPageHeaderV2.V
			n, encoding = int(v.NumValues), v.Encoding
			if leaf.MaxDefinitionLevel > 0 {
				present, ok = unpacked(data[v.RepetitionLevelsByteLength:][:v.DefinitionLevelsByteLength], width, n)
			}
			data = data[v.RepetitionLevelsByteLength:][v.DefinitionLevelsByteLength:]
			if ok && (!v.IsCompressed.Valid || v.IsCompressed.V) {
				data, ok = p.decompress(m.Codec, data)
			}
		default:
			return 0, nil // an index
		}
		if !ok {
			return 0, errParquet
		}
		have := n
		if present != nil {
			have = 0
			for _, level := range present {
				if int(level) == int(whole) {
					have++
				}
			}
		}
		var values []parquet.Value
		switch {
		case boolean:
			values, ok = booleans(encoding, data, have)
		case encoding == format.Plain:
			values, ok = plainTexts(data, have)
		case have > 0:
			var places []uint32
			if len(data) == 0 || data[0] > 32 {
				return 0, errParquet
			}
			places, ok = unpacked(data[1:], int(data[0]), have)
			for _, at := range places {
				if int64(at) >= int64(len(dictionary)) {
					return 0, errParquet
				}
				values = append(values, dictionary[at])
			}
		}
		if !ok {
			return 0, errParquet
		}
		for row := range n {
			var v parquet.Value // of nothing
			if present == nil || int(present[row]) == int(whole) {
				v, values = values[0], values[1:]
			}
			if err := do(v); err != nil {
				return 0, err
			}
		}
		return int64(n), nil
	})
}

// booleans reads n truth values: a bit each, or runs after their length.
func booleans(encoding format.Encoding, data []byte, n int) ([]parquet.Value, bool) {
	if n == 0 {
		return nil, true
	}
	bit := func(i int) bool { return data[i/8]>>(i%8)&1 == 1 }
	if encoding == format.RLE {
		if len(data) < 4 || int64(binary.LittleEndian.Uint32(data)) > int64(len(data)-4) {
			return nil, false
		}
		run, ok := unpacked(data[4:4+binary.LittleEndian.Uint32(data)], 1, n)
		if !ok {
			return nil, false
		}
		bit = func(i int) bool { return run[i]&1 == 1 }
	} else if n > 8*len(data) {
		return nil, false
	}
	out := make([]parquet.Value, n)
	for i := range out {
		out[i] = parquet.BooleanValue(bit(i))
	}
	return out, true
}

// plainTexts reads n texts, each after its length. They are good as long as data is.
func plainTexts(data []byte, n int) ([]parquet.Value, bool) {
	if n < 0 || n > len(data)/4 {
		return nil, false
	}
	out := make([]parquet.Value, n)
	for i := range out {
		if len(data) < 4 {
			return nil, false
		}
		length := int64(binary.LittleEndian.Uint32(data))
		if data = data[4:]; length > int64(len(data)) {
			return nil, false
		}
		out[i] = parquet.ByteArrayValue(data[:length])
		data = data[length:]
	}
	return out, true
}

// unpacked reads n numbers of width bits in runs, as [runs] looks at them: a number that is repeated, or groups of eight
// numbers bit by bit. (Apache Parquet, Encodings, "Run Length Encoding / Bit-Packing Hybrid".)
func unpacked(data []byte, width, n int) ([]uint32, bool) {
	out := make([]uint32, 0, min(n, 1<<16))
	for len(out) < n {
		head, used := binary.Uvarint(data)
		if used <= 0 {
			return nil, false
		}
		data = data[used:]
		if head&1 == 0 {
			size := (width + 7) / 8
			if size > len(data) {
				return nil, false
			}
			v := uint32(0)
			for i := range size {
				v |= uint32(data[i]) << (8 * i)
			}
			data = data[size:]
			for range min(head>>1, uint64(n-len(out))) {
				out = append(out, v)
			}
			continue
		}
		for i := 0; uint64(i) < 8*(head>>1) && len(out) < n; i++ {
			v := uint64(0)
			for bit := i * width; bit < (i+1)*width; bit++ {
				if bit/8 >= len(data) {
					return nil, false
				}
				v |= uint64(data[bit/8]>>(bit%8)&1) << (bit - i*width)
			}
			out = append(out, uint32(v))
		}
		data = data[min(uint64(width)*(head>>1), uint64(len(data))):]
	}
	return out, true
}

// first looks at a page of version 1: all of it is compressed, and lengths stand before the levels.
func (p *parquetPages) first(codec format.CompressionCodec, h *format.DataPageHeader, leaf parquet.LeafColumn) bool {
	coded := isPlaces(h.Encoding) || isDelta(h.Encoding)
	if leaf.MaxRepetitionLevel == 0 && leaf.MaxDefinitionLevel == 0 && !coded {
		return true
	}
	data, ok := p.decompress(codec, p.raw)
	n := int(h.NumValues)
	for _, most := range []int{leaf.MaxRepetitionLevel, leaf.MaxDefinitionLevel} {
		if most == 0 || !ok {
			continue
		}
		if len(data) < 4 {
			return false
		}
		length := int64(binary.LittleEndian.Uint32(data))
		if length > int64(len(data)-4) {
			return false
		}
		ok = runs(data[4:4+length], bits.Len(uint(most)), n)
		data = data[4+length:]
	}
	return ok && values(h.Encoding, data, n)
}

// second looks at a page of version 2: its levels are not compressed, and their lengths stand in its header.
func (p *parquetPages) second(codec format.CompressionCodec, h *format.DataPageHeaderV2, leaf parquet.LeafColumn) bool {
	data, n := p.raw, int(h.NumValues)
	for _, part := range []struct {
		length int32
		most   int
	}{{h.RepetitionLevelsByteLength, leaf.MaxRepetitionLevel}, {h.DefinitionLevelsByteLength, leaf.MaxDefinitionLevel}} {
		if part.length < 0 || int(part.length) > len(data) {
			return false
		}
		if part.most > 0 && !runs(data[:part.length], bits.Len(uint(part.most)), n) {
			return false
		}
		data = data[part.length:]
	}
	if !isPlaces(h.Encoding) && !isDelta(h.Encoding) {
		return true
	}
	if !h.IsCompressed.Valid || h.IsCompressed.V {
		var ok bool
		if data, ok = p.decompress(codec, data); !ok {
			return false
		}
	}
	return values(h.Encoding, data, n)
}

func (p *parquetPages) decompress(codec format.CompressionCodec, data []byte) ([]byte, bool) {
	if codec == format.Uncompressed || len(data) == 0 {
		return data, true
	}
	out, err := parquet.LookupCompressionCodec(codec).Decode(p.page[:cap(p.page)], data)
	if err != nil {
		return nil, false
	}
	p.page = out
	return out, true
}

func isPlaces(e format.Encoding) bool {
	//lint:ignore SA1019 older writers name it so in their pages of values
	return e == format.PlainDictionary || e == format.RLEDictionary || e == format.RLE
}

func isDelta(e format.Encoding) bool {
	return e == format.DeltaBinaryPacked || e == format.DeltaLengthByteArray || e == format.DeltaByteArray
}

// values looks at the values of a page of n, of which some may be missing.
func values(e format.Encoding, data []byte, n int) bool {
	switch {
	case len(data) == 0:
		return true
	case e == format.RLE: // truth values, after their length
		return len(data) >= 4 && runs(data[4:], 1, n)
	case isPlaces(e):
		return data[0] <= 32 && runs(data[1:], int(data[0]), n)
	case isDelta(e):
		for range 2 { // the sizes of the blocks
			_, used := binary.Uvarint(data)
			if used <= 0 {
				return false
			}
			data = data[used:]
		}
		total, used := binary.Uvarint(data)
		return used > 0 && total <= uint64(n)
	}
	return true
}

// runs reports whether the runs in data, of values of width bits, are about n values. Writers fill up the last group of
// packed bits, and some the last few.
func runs(data []byte, width, n int) bool {
	allowed := uint64(2*n + 1024)
	for total := uint64(0); len(data) > 0; {
		head, used := binary.Uvarint(data)
		if used <= 0 {
			return false
		}
		data = data[used:]
		count, size := head>>1, uint64(width+7)/8
		if head&1 != 0 {
			if count > allowed {
				return false
			}
			size = count * uint64(width)
			count *= 8
		}
		if total += count; count > allowed || total > allowed {
			return false
		}
		if count > 0 {
			data = data[min(size, uint64(len(data))):]
		}
	}
	return true
}

// values gives do every value that a column has in a row group, in their order, once its pages were found sound.
func (p *parquetPages) values(file *parquet.File, group int, leaf parquet.LeafColumn, do func(parquet.Value) error) error {
	m := &file.Metadata().RowGroups[group].Columns[leaf.ColumnIndex].MetaData
	switch plain, err := p.check(m, leaf); {
	case err != nil:
		return err
	case plain:
		return p.texts(m, leaf, do)
	}
	if p.buf == nil {
		p.buf = make([]parquet.Value, 1<<10)
	}
	pages := file.RowGroups()[group].ColumnChunks()[leaf.ColumnIndex].Pages()
	err := func() error {
		for {
			page, err := pages.ReadPage()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return errParquet
			}
			values := page.Values()
			for {
				n, rerr := values.ReadValues(p.buf)
				for _, v := range p.buf[:n] {
					if err := do(v); err != nil {
						return err
					}
				}
				if errors.Is(rerr, io.EOF) || n == 0 {
					break
				}
				if rerr != nil {
					return errParquet
				}
			}
			parquet.Release(page)
		}
	}()
	return errors.Join(err, pages.Close())
}
