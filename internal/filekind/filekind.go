// Package filekind says what a file is by its first bytes, whatever its name says: so that an error can name
// the HEIC photograph, the HTML page of a failed download or the Git LFS pointer that is not what was wanted.
//
// It decodes nothing, and knows only what people give annbench by mistake.
package filekind

import (
	"bytes"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// The kinds of pictures that annbench decodes.
const (
	JPEG = "JPEG"
	PNG  = "PNG"
	WebP = "WebP"
)

// Enough is how many first bytes of a file tell what it is.
const Enough = 512

// Of names what data begins: "JPEG", "HEIC", "Git LFS pointer", "HTML", "text", ...; empty where that is not
// known.
func Of(data []byte) string {
	has := func(at int, what string) bool {
		return len(data) >= at+len(what) && string(data[at:at+len(what)]) == what
	}
	switch {
	case has(0, "\xff\xd8\xff"):
		return JPEG
	case has(0, "\x89PNG\r\n\x1a\n"):
		return PNG
	case has(0, "RIFF") && has(8, "WEBP"):
		return WebP
	case has(4, "ftyp"): // ISO base media file format: the brand says which
		brand := string(data[8:min(12, len(data))])
		switch brand {
		case "heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1":
			if bytes.Contains(data[:min(64, len(data))], []byte("avif")) {
				return "AVIF"
			}
			return "HEIC"
		case "avif", "avis":
			return "AVIF"
		}
		return "video"
	case has(0, "GIF87a"), has(0, "GIF89a"):
		return "GIF"
	case has(0, "II*\x00"), has(0, "MM\x00*"):
		return "TIFF"
	case has(0, "BM") && len(data) >= 14 && bytes.Equal(data[6:10], make([]byte, 4)):
		return "BMP"
	case has(0, "8BPS"):
		return "Photoshop"
	case has(0, "\xff\x0a"), has(0, "\x00\x00\x00\x0cJXL "):
		return "JPEG XL"
	case has(0, "\x00\x00\x00\x0cjP  "), has(0, "\xff\x4f\xff\x51"):
		return "JPEG 2000"
	case has(0, "\x00\x00\x01\x00"):
		return "icon"
	case has(0, "%PDF"):
		return "PDF"
	case has(0, "PK\x03\x04"):
		return "zip"
	case has(0, "version https://git-lfs"):
		return "Git LFS pointer"
	}
	data = data[:min(len(data), Enough)]
	text := strings.ToLower(strings.TrimSpace(strings.TrimPrefix(string(data), "\ufeff")))
	switch {
	case strings.HasPrefix(text, "<!doctype html"), strings.HasPrefix(text, "<html"):
		return "HTML"
	case strings.HasPrefix(text, "<svg"), strings.HasPrefix(text, "<?xml") && strings.Contains(text, "<svg"):
		return "SVG"
	case len(data) > 0 && isText(data):
		return "text"
	}
	return ""
}

func isText(data []byte) bool {
	for len(data) > 0 {
		r, n := utf8.DecodeRune(data)
		if r == utf8.RuneError && len(data) >= utf8.UTFMax || r < ' ' && r != '\n' && r != '\r' && r != '\t' {
			return false
		}
		data = data[n:]
	}
	return true
}

// OfFile is [Of] of the file at path. What cannot be read is of no kind.
func OfFile(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	b := make([]byte, Enough)
	n, _ := io.ReadFull(f, b)
	return Of(b[:n])
}
