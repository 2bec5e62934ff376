package catalog

import (
	"bytes"
	"image"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestWhatIsWrongWithAPicture: what is refused is refused in words of pictures, not of decoders.
func TestWhatIsWrongWithAPicture(t *testing.T) {
	img := image.NewRGBA(image.Rect(0, 0, 40, 30))
	for i := range img.Pix {
		img.Pix[i] = byte(i * i)
	}
	var p, j bytes.Buffer
	if err := png.Encode(&p, img); err != nil {
		t.Fatal(err)
	}
	if err := jpeg.Encode(&j, img, nil); err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(p.Bytes())
	flipped[len(flipped)*3/4] ^= 0x55
	// An extended WebP whose flags say that it moves; its frames are of no matter.
	moving := []byte("RIFF\x2e\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x02\x00\x00\x00\x27\x00\x00\x1d\x00\x00ANIM\x06\x00\x00\x00\xff\xff\xff\xff\x00\x00ANMF\x04\x00\x00\x00\x00\x00\x00\x00")
	// Four components and no marker of Adobe: the frame's header is all that is looked at.
	four := []byte("\xff\xd8\xff\xc0\x00\x14\x08\x00\x08\x00\x08\x04\x01\x11\x00\x02\x11\x00\x03\x11\x00\x04\x11\x00")
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"a WebP that moves", moving, "an animation, which is not read"},
		{"four colours", append(four, j.Bytes()[2:]...), "JPEG: "},
		{"a flipped PNG", flipped, "the file is damaged"},
		{"half a PNG", p.Bytes()[:p.Len()/2], "decoding PNG: the file is "},
		{"half a JPEG", j.Bytes()[:j.Len()/2], "decoding JPEG: the file is "},
		{"no WebP", []byte("RIFF\x10\x00\x00\x00WEBPVP9X\x04\x00\x00\x00abcd"), "decoding WebP: the file is damaged"},
	} {
		_, err := decode(c.data)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
			continue
		}
		for _, word := range []string{"invalid format", "png:", "webp:", "jpeg:", "unexpected EOF", "unsupported JPEG"} {
			if strings.Contains(err.Error(), word) {
				t.Errorf("%s: %v has the decoder's word %q", c.name, err, word)
			}
		}
	}

	dir := t.TempDir()
	path := filepath.Join(dir, "x.png")
	if err := os.Symlink("nowhere.png", path); err != nil {
		t.Fatal(err)
	}
	if _, err := decodeFile(path); err == nil || !strings.HasPrefix(err.Error(), "reading "+path+": ") {
		t.Errorf("a link to nowhere: %v", err)
	}
}
