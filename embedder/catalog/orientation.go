package catalog

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/draw"
	"iter"
)

// orientation reads how a JPEG wants to be turned before it is looked at: the tag of that name in its
// EXIF (CIPA DC-008, 4.6.4), 1 to 8; 1, as it is, where there is none or where it cannot be read. It
// looks at the segments before the first scan and at the first directory, and nothing in the file makes
// it read outside of them.
func orientation(jpeg []byte) int {
	const exif = "Exif\x00\x00"
	for marker, segment := range segments(jpeg) {
		if marker == 0xe1 && bytes.HasPrefix(segment, []byte(exif)) {
			return tiffOrientation(segment[len(exif):])
		}
	}
	return 1
}

// pngEXIF is what the eXIf chunk of a PNG holds (PNG, third edition, 11.3.4.4); nil where there is none.
func pngEXIF(png []byte) []byte {
	const signature, frame = 8, 12 // bytes; length, type and checksum around each chunk
	for at := signature; at+frame <= len(png); {
		size := int(binary.BigEndian.Uint32(png[at:]))
		if size < 0 || size > len(png)-at-frame {
			return nil
		}
		switch string(png[at+4 : at+8]) {
		case "eXIf":
			return png[at+8 : at+8+size]
		case "IEND":
			return nil
		}
		at += frame + size
	}
	return nil
}

// webpEXIF is what the EXIF chunk of a WebP holds (RFC 9649, 2.7.1.5); nil where there is none. Some writers
// begin it as a JPEG's segment begins.
func webpEXIF(webp []byte) []byte {
	const header, frame = 12, 8
	for at := header; at+frame <= len(webp); {
		size := int(binary.LittleEndian.Uint32(webp[at+4:]))
		if size < 0 || size > len(webp)-at-frame {
			return nil
		}
		if string(webp[at:at+4]) == "EXIF" {
			return bytes.TrimPrefix(webp[at+frame:at+frame+size], []byte("Exif\x00\x00"))
		}
		at += frame + size + size&1
	}
	return nil
}

// segments are those of a JPEG by their markers, up to the header of the first scan, or to what is none.
func segments(jpeg []byte) iter.Seq2[byte, []byte] {
	return func(yield func(byte, []byte) bool) {
		for at := 2; at+4 <= len(jpeg) && jpeg[at] == 0xff; {
			marker := jpeg[at+1]
			if marker == 0xff { // padding
				at++
				continue
			}
			size := int(binary.BigEndian.Uint16(jpeg[at+2:]))
			if marker == 0xd9 || size < 2 || at+2+size > len(jpeg) {
				return // the end, or rubbish
			}
			if !yield(marker, jpeg[at+4:at+2+size]) || marker == 0xda {
				return
			}
			at += 2 + size
		}
	}
}

// hasTables reports whether a JPEG brings the Huffman tables that its first scan names. Some decoders take
// those of ITU-T T.81, annex K, where there are none, as frames of video may mean it; in a file, it is damage.
func hasTables(jpeg []byte) bool {
	have := map[byte]bool{} // by class and number, as they stand in the segment
	for marker, segment := range segments(jpeg) {
		switch marker {
		case 0xc4:
			for len(segment) >= 17 {
				have[segment[0]] = true
				values := 0
				for _, n := range segment[1:17] {
					values += int(n)
				}
				segment = segment[min(17+values, len(segment)):]
			}
		case 0xda:
			if len(segment) < 1 || len(segment) < 1+2*int(segment[0])+2 {
				return false
			}
			components := segment[1 : 1+2*int(segment[0])]
			first, last := segment[1+len(components)], segment[2+len(components)] // coefficients
			for ; len(components) > 0; components = components[2:] {
				dc, ac := components[1]>>4, components[1]&15|1<<4
				if first == 0 && !have[dc] || last > 0 && !have[ac] {
					return false
				}
			}
			return true
		}
	}
	return false
}

// tiffOrientation looks for tag 0x0112 in the first directory of a TIFF header.
func tiffOrientation(tiff []byte) int {
	if len(tiff) < 8 {
		return 1
	}
	var order binary.ByteOrder
	switch string(tiff[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 1
	}
	at := int64(order.Uint32(tiff[4:]))
	if at+2 > int64(len(tiff)) {
		return 1
	}
	entries := tiff[at+2:]
	for range order.Uint16(tiff[at:]) {
		if len(entries) < 12 {
			return 1
		}
		const short = 3
		if order.Uint16(entries) == 0x0112 && order.Uint16(entries[2:]) == short {
			if o := int(order.Uint16(entries[8:])); o >= 1 && o <= 8 {
				return o
			}
			return 1
		}
		entries = entries[12:]
	}
	return 1
}

// turned returns img as the EXIF orientation o says that it is to be seen.
func turned(img image.Image, o int) image.Image {
	if o <= 1 || o > 8 {
		return img
	}
	bounds := img.Bounds()
	w, h := bounds.Dx(), bounds.Dy()
	from := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.Draw(from, from.Rect, img, bounds.Min, draw.Src)
	size := image.Rect(0, 0, w, h)
	if o >= 5 { // width and height change places
		size = image.Rect(0, 0, h, w)
	}
	to := image.NewRGBA(size)
	for y := range to.Rect.Dy() {
		for x := range to.Rect.Dx() {
			// Where the pixel seen at x, y is stored.
			sx, sy := x, y
			switch o {
			case 2:
				sx = w - 1 - x
			case 3:
				sx, sy = w-1-x, h-1-y
			case 4:
				sy = h - 1 - y
			case 5:
				sx, sy = y, x
			case 6:
				sx, sy = y, h-1-x
			case 7:
				sx, sy = w-1-y, h-1-x
			case 8:
				sx, sy = w-1-y, x
			}
			copy(to.Pix[to.PixOffset(x, y):][:4], from.Pix[from.PixOffset(sx, sy):])
		}
	}
	return to
}
