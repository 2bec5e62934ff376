// Package hostile makes pictures that cost a decoder more than they look: what strangers upload to a server, and
// what a folder of theirs may hold. Tests decode them, and scripts/strangers sends them to a server.
//
// It makes nothing that is known to break a decoder's memory; that is for fuzzing to find.
package hostile

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash/crc32"
	"slices"
)

// Picture is one that nobody's camera made.
type Picture struct {
	Name string
	Data []byte
	// Readable says that the file only looks dangerous: what is in it beside the pixels is never unpacked.
	Readable bool
}

// Largest is what uploads may have at most, and Width × Height what 24 megapixels have room for.
const (
	Largest       = 10 << 20
	Width, Height = 4880, 4900
)

// ScanBomb is a grey progressive JPEG that repeats a scan without news: each visits all of its blocks, for 54 bytes
// of the file at Width × Height.
func ScanBomb(width, height, scans int) []byte {
	b := progressive(width, height)
	scan := emptyScan(width, height)
	for range scans {
		b = append(b, scan...)
	}
	return append(b, 0xff, 0xd9)
}

// fill is how many times part has to be repeated to fill an upload.
func fill(part []byte) int { return (Largest - 128<<10) / len(part) }

// Pictures are all of them; those that cost most are as large as an upload may be.
func Pictures() []Picture {
	j := func(parts ...[]byte) []byte { return append(slices.Concat(parts...), 0xff, 0xd9) }
	scan := emptyScan(Width, Height)
	refine := dcScan(Width, Height, 0x10)
	dc := dcScan(Width, Height, 0x00)
	sequentialScan := segment(0xda, []byte{1, 1, 0, 0, 63, 0})
	sequentialScan = append(sequentialScan, make([]byte, (blocks(Width, Height)*2+7)/8)...) // DC 0, end of block
	grey := jpegHeader(0xc2, Width, Height, 1, 0x11)
	colour := jpegHeader(0xc2, Width, Height, 3, 0x11)
	zeros := packed(make([]byte, 64<<20))
	return []Picture{
		{Name: "JPEG, 40 more scans", Data: ScanBomb(Width, Height, 40)},
		{Name: "JPEG, 10 MB of scans", Data: ScanBomb(Width, Height, fill(scan))},
		{Name: "JPEG, scans of one coefficient", Data: j(grey, dc, bytes.Repeat(refine, fill(refine)))},
		{Name: "JPEG, scans of a sequential frame", Data: j(jpegHeader(0xc0, Width, Height, 1, 0x11), bytes.Repeat(sequentialScan, fill(sequentialScan)))},
		{Name: "JPEG, scans of three components", Data: j(colour, bytes.Repeat(emptyScan(Width, Height), 200))},
		{Name: "JPEG, scans behind padding", Data: j(grey, dc, bytes.Repeat(append([]byte{0xff, 0xff, 0xff}, scan...), 100))},
		{Name: "JPEG, scans behind rubbish", Data: j(grey, dc, bytes.Repeat(append([]byte{1, 2, 3, 0xff, 0}, scan...), 100))},
		{Name: "JPEG, scans between comments", Data: j(grey, dc, bytes.Repeat(append(segment(0xfe, make([]byte, 40)), scan...), 100))},
		{Name: "JPEG, scans between restarts", Data: j(grey, dc, bytes.Repeat(append([]byte{0xff, 0xd0}, scan...), 100))},
		{Name: "JPEG, scans between tables", Data: j(grey, dc, bytes.Repeat(append(tables(), scan...), 100))},
		{Name: "JPEG, 65535 × 65535", Data: j(jpegHeader(0xc2, 65535, 65535, 1, 0x11), scan)},
		{Name: "JPEG, 65535 × 65535 in colour, sequential", Data: j(jpegHeader(0xc0, 65535, 65535, 3, 0x44), scan)},
		{Name: "JPEG, no pixels", Data: j(jpegHeader(0xc2, 0, 0, 1, 0x11), scan)},
		{Name: "JPEG, no scan", Data: j(grey)},
		{Name: "JPEG, 10 MB of tables", Data: j(grey, bytes.Repeat(tables(), fill(tables())))},
		{Name: "JPEG, 10 MB of padding", Data: j(grey, bytes.Repeat([]byte{0xff}, Largest-64<<10))},
		{Name: "JPEG, 10 MB of nothing", Data: j([]byte{0xff, 0xd8}, make([]byte, Largest-64<<10))},
		{Name: "JPEG, two frames", Data: j(grey, grey[2:], dc, scan)},
		{Name: "JPEG, arithmetic coding", Data: j(jpegHeader(0xc9, Width, Height, 1, 0x11), scan)},
		{Name: "JPEG, lossless", Data: j(jpegHeader(0xc3, Width, Height, 1, 0x11), scan)},
		{Name: "JPEG, cut in a scan", Data: slices.Concat(grey, dc[:len(dc)/2])},

		{Name: "PNG, 60000 × 60000", Data: png(60000, 60000, 8, 6, 0, chunk("IDAT", packed(make([]byte, 1000))))},
		{Name: "PNG, 60000 × 60000 interlaced", Data: png(60000, 60000, 16, 6, 1, chunk("IDAT", packed(make([]byte, 1000))))},
		{Name: "PNG, a line of 24 million pixels", Data: png(24_000_000, 1, 8, 6, 0, chunk("IDAT", packed(make([]byte, 1+4*24_000_000))))},
		{Name: "PNG, 24 million lines of a pixel", Data: png(1, 24_000_000, 8, 6, 0, chunk("IDAT", packed(make([]byte, 1000))))},
		{Name: "PNG, 65,535 pixels by 366", Readable: true, Data: png(65535, 366, 8, 6, 0, chunk("IDAT", packed(make([]byte, (1+4*65535)*366))))},
		{Name: "PNG, pixels without end", Data: png(1, 1, 8, 0, 0, chunk("IDAT", zeros))},
		{Name: "PNG, too few pixels", Data: png(Width, Height, 16, 6, 1, chunk("IDAT", packed(make([]byte, 1<<20))))},
		{Name: "PNG, a million empty chunks", Data: png(Width, Height, 8, 0, 0, bytes.Repeat(chunk("IDAT", nil), Largest/12-1000))},
		{Name: "PNG, wrong checksum", Data: append(png(8, 8, 8, 0, 0, nil), make([]byte, 40)...)},
		{Name: "PNG, colours without a palette", Data: png(8, 8, 8, 3, 0, chunk("IDAT", packed(make([]byte, 72))))},
		{Name: "APNG, no first frame", Data: png(8, 8, 8, 0, 0, append(chunk("acTL", make([]byte, 8)), chunk("fdAT", packed(make([]byte, 72)))...))},
		{Name: "PNG, a profile of 64 MB", Readable: true, Data: png(8, 8, 8, 0, 0, append(chunk("iCCP", append([]byte("x\x00\x00"), zeros...)), chunk("IDAT", packed(make([]byte, 72)))...))},
		{Name: "PNG, 16 texts of 64 MB", Readable: true, Data: png(8, 8, 8, 0, 0, append(bytes.Repeat(chunk("zTXt", append([]byte("x\x00\x00"), zeros...)), 16), chunk("IDAT", packed(make([]byte, 72)))...))},

		{Name: "WebP, 16384 × 16384 in a small file", Data: riff(webp("VP8L", lossless(16384, 16384, nil)))},
		{Name: "WebP, a canvas of 2²⁴ × 2²⁴", Data: riff(webp("VP8X", canvas(1<<24, 1<<24, 0)))},
		{Name: "WebP, a large picture on a small canvas", Data: riff(webp("VP8X", canvas(8, 8, 0)), webp("VP8L", lossless(16384, 16384, nil)))},
		{Name: "WebP, transparency without end", Data: riff(webp("VP8X", canvas(4880, 4900, 0x10)), webp("ALPH", append([]byte{1}, make([]byte, 1<<20)...)))},
		{Name: "WebP, 65536 groups of codes", Data: riff(webp("VP8L", lossless(64, 64, groups())))},
		{Name: "WebP, moving", Data: riff(webp("VP8X", canvas(8, 8, 2)), webp("ANIM", make([]byte, 6)), webp("ANMF", make([]byte, 24)))},
		{Name: "WebP, longer than the file", Data: []byte("RIFF\xff\xff\xff\x7fWEBPVP8 \xff\xff\xff\x7f")},
		{Name: "GIF", Data: append([]byte("GIF89a\xff\xff\xff\xff\xf7\x00\x00"), make([]byte, 800)...)},
		{Name: "SVG that asks for others", Data: []byte(`<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>`)},
	}
}

func blocks(w, h int) int { return (w + 7) / 8 * ((h + 7) / 8) }

func segment(marker byte, body []byte) []byte {
	return append([]byte{0xff, marker, byte((len(body) + 2) >> 8), byte(len(body) + 2)}, body...)
}

// jpegHeader is a JPEG up to its first scan, by the marker of the frame, its size, and its components, all with the
// same sampling.
func jpegHeader(frame byte, w, h, components int, sampling byte) []byte {
	quantizers := append([]byte{0}, bytes.Repeat([]byte{1}, 64)...)
	body := []byte{8, byte(h >> 8), byte(h), byte(w >> 8), byte(w), byte(components)}
	for i := range components {
		body = append(body, byte(i+1), sampling, 0)
	}
	return slices.Concat([]byte{0xff, 0xd8}, segment(0xdb, quantizers), segment(frame, body), tables())
}

// tables are Huffman tables with one code of one bit each: for DC "no difference", for AC "32767 blocks without news"
// (T.81, G.1.2.2), and a second one for AC that ends a block.
func tables() []byte {
	one := append([]byte{1}, make([]byte, 15)...)
	return segment(0xc4, slices.Concat([]byte{0x00}, one, []byte{0x00}, []byte{0x10}, one, []byte{0x00}, []byte{0x11}, one, []byte{0xe0}))
}

// progressive is a grey progressive JPEG with its first scan, of DC coefficients.
func progressive(w, h int) []byte {
	return append(jpegHeader(0xc2, w, h, 1, 0x11), dcScan(w, h, 0x00)...)
}

// dcScan is a scan of DC coefficients, one bit a block; approximation 0x00 begins and 0x10 refines.
func dcScan(w, h int, approximation byte) []byte {
	return append(segment(0xda, []byte{1, 1, 0, 0, 0, approximation}), make([]byte, (blocks(w, h)+7)/8)...)
}

// emptyScan is a scan of AC coefficients in which no block has news: runs of 2^14 blocks, each of 15 bits that are 0.
func emptyScan(w, h int) []byte {
	runs := (blocks(w, h) + 1<<14 - 1) >> 14
	return append(segment(0xda, []byte{1, 1, 0x01, 1, 63, 0}), make([]byte, (15*runs+7)/8)...)
}

func chunk(kind string, body []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	b = append(append(b, kind...), body...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

func png(w, h int, depth, colours, interlaced byte, rest []byte) []byte {
	header := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, uint32(w)), uint32(h))
	return slices.Concat([]byte("\x89PNG\r\n\x1a\n"), chunk("IHDR", append(header, depth, colours, 0, 0, interlaced)), rest, chunk("IEND", nil))
}

func packed(b []byte) []byte {
	var out bytes.Buffer
	w, _ := zlib.NewWriterLevel(&out, zlib.BestSpeed)
	_, _ = w.Write(b) // a buffer takes all
	_ = w.Close()
	return out.Bytes()
}

func webp(kind string, body []byte) []byte {
	b := binary.LittleEndian.AppendUint32([]byte(kind), uint32(len(body)))
	b = append(b, body...)
	return append(b, make([]byte, len(body)&1)...)
}

func riff(chunks ...[]byte) []byte {
	body := append([]byte("WEBP"), slices.Concat(chunks...)...)
	return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body))), body...)
}

// canvas is the header of an extended WebP (RFC 9649, 2.7).
func canvas(w, h int, flags byte) []byte {
	w, h = w-1, h-1
	return []byte{flags, 0, 0, 0, byte(w), byte(w >> 8), byte(w >> 16), byte(h), byte(h >> 8), byte(h >> 16)}
}

// lossless is the stream of a lossless WebP (RFC 9649, 3.4) with the bits that follow its header.
func lossless(w, h int, bits []byte) []byte {
	b := binary.LittleEndian.AppendUint32([]byte{0x2f}, uint32(w-1)|uint32(h-1)<<14)
	return append(b, bits...)
}

// groups are bits that choose the last of 65,536 groups of prefix codes for all pixels (RFC 9649, 3.7.2.2), and
// then begin to give codes: a decoder that makes room for all of them needs 4 GB.
func groups() []byte {
	var b []byte
	var n uint
	put := func(value uint32, width uint) {
		for i := range width {
			if n%8 == 0 {
				b = append(b, 0)
			}
			b[n/8] |= byte(value>>i&1) << (n % 8)
			n++
		}
	}
	simple := func(symbol uint32) { put(1, 1); put(0, 1); put(1, 1); put(symbol, 8) } // a code of one symbol
	put(0, 1)                                                                         // no transform
	put(0, 1)                                                                         // no colour cache
	put(1, 1)                                                                         // several groups
	put(7, 3)                                                                         // tiles of 512 pixels
	put(0, 1)                                                                         // of their image: no colour cache
	for _, symbol := range []uint32{255, 255, 0, 0, 0} {                              // green, red, blue, alpha, distance
		simple(symbol)
	}
	for range 200_000 {
		simple(0)
	}
	return b
}
