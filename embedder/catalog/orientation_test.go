package catalog

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/jpeg"
	"testing"
)

// withOrientation puts an EXIF segment with the tag into a JPEG.
func withOrientation(t testing.TB, file []byte, o uint16, order binary.AppendByteOrder) []byte {
	t.Helper()
	tiff := []byte("MM\x00*")
	if order == binary.AppendByteOrder(binary.LittleEndian) {
		tiff = []byte("II*\x00")
	}
	tiff = order.AppendUint32(tiff, 8)
	tiff = order.AppendUint16(tiff, 2)
	for _, entry := range [][2]uint16{{0x0100, 7}, {0x0112, o}} {
		tiff = order.AppendUint16(tiff, entry[0])
		tiff = order.AppendUint16(tiff, 3)
		tiff = order.AppendUint32(tiff, 1)
		tiff = order.AppendUint16(tiff, entry[1])
		tiff = order.AppendUint16(tiff, 0)
	}
	segment := append([]byte("Exif\x00\x00"), tiff...)
	out := append([]byte{}, file[:2]...)
	out = append(out, 0xff, 0xe1)
	out = binary.BigEndian.AppendUint16(out, uint16(len(segment)+2))
	return append(append(out, segment...), file[2:]...)
}

// quarters is a picture with another colour in each corner: red, green over blue, white.
func quarters(w, h int) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := [2][2]color.RGBA{{{255, 0, 0, 255}, {0, 255, 0, 255}}, {{0, 0, 255, 255}, {255, 255, 255, 255}}}
			img.SetRGBA(x, y, c[2*y/h][2*x/w])
		}
	}
	return img
}

func TestOrientation(t *testing.T) {
	var plain bytes.Buffer
	if err := jpeg.Encode(&plain, quarters(64, 32), &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	// The corners as seen, from the top left clockwise, by the definition of each value: where the
	// stored picture's row 0 and column 0 are.
	for o, want := range map[uint16]string{
		1: "RGWB", 2: "GRBW", 3: "WBRG", 4: "BWGR", 5: "RBWG", 6: "BRGW", 7: "WGRB", 8: "GWBR",
	} {
		for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
			img, err := decode(withOrientation(t, plain.Bytes(), o, order))
			if err != nil {
				t.Fatal(err)
			}
			size := img.Bounds().Size()
			if turnedOver := o >= 5; turnedOver != (size == image.Pt(32, 64)) {
				t.Errorf("orientation %d is %v", o, size)
			}
			got := ""
			for _, at := range []image.Point{{4, 4}, {size.X - 5, 4}, {size.X - 5, size.Y - 5}, {4, size.Y - 5}} {
				got += name(img.At(at.X, at.Y))
			}
			if got != want {
				t.Errorf("orientation %d shows %s, want %s", o, got, want)
			}
		}
	}
	for _, o := range []uint16{0, 9, 65535} {
		if got := orientation(withOrientation(t, plain.Bytes(), o, binary.LittleEndian)); got != 1 {
			t.Errorf("orientation %d is read as %d", o, got)
		}
	}
	if o := orientation(plain.Bytes()); o != 1 {
		t.Errorf("without EXIF: %d", o)
	}
}

func name(c color.Color) string {
	r, g, b, _ := c.RGBA()
	switch {
	case r > 0x8000 && g > 0x8000:
		return "W"
	case r > 0x8000:
		return "R"
	case g > 0x8000:
		return "G"
	case b > 0x8000:
		return "B"
	}
	return "?"
}

func FuzzOrientation(f *testing.F) {
	var plain bytes.Buffer
	if err := jpeg.Encode(&plain, quarters(8, 8), nil); err != nil {
		f.Fatal(err)
	}
	f.Add(plain.Bytes())
	f.Add(withOrientation(f, plain.Bytes(), 6, binary.LittleEndian))
	f.Add(withOrientation(f, plain.Bytes(), 3, binary.BigEndian)[:50])
	f.Fuzz(func(t *testing.T, data []byte) {
		if o := orientation(data); o < 1 || o > 8 {
			t.Errorf("orientation %d", o)
		}
	})
}
