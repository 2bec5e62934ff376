package catalog

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// What a file is by its first bytes, whatever its name says.
const (
	kindJPEG = "JPEG"
	kindPNG  = "PNG"
	kindWebP = "WebP"
)

// sniffed is how many first bytes tell what a file is.
const sniffed = 512

// kindOf names what data begins; empty where that is not known.
func kindOf(data []byte) string {
	has := func(at int, what string) bool {
		return len(data) >= at+len(what) && string(data[at:at+len(what)]) == what
	}
	switch {
	case has(0, "\xff\xd8\xff"):
		return kindJPEG
	case has(0, "\x89PNG\r\n\x1a\n"):
		return kindPNG
	case has(0, "RIFF") && has(8, "WEBP"):
		return kindWebP
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

// readable says whether a file of that kind is decoded here.
func readable(kind string) bool { return kind == kindJPEG || kind == kindPNG || kind == kindWebP }

// picture says whether a file of that kind is one that people take for a picture.
func picture(kind string) bool {
	switch kind {
	case "HEIC", "AVIF", "GIF", "TIFF", "BMP", "Photoshop", "JPEG XL", "JPEG 2000", "icon", "SVG":
		return true
	}
	return false
}

// advice says what the file is, and what to do where it is to be read.
func advice(kind string) string {
	switch {
	case kind == "":
		return "it is no JPEG, PNG or WebP"
	case kind == "Git LFS pointer":
		return "a Git LFS pointer, not the picture: run `git lfs pull`"
	case picture(kind):
		return fmt.Sprintf("%s is not read: convert it to JPEG, PNG or WebP", kind)
	case kind == "HTML":
		return "an HTML page, perhaps of a download that failed"
	}
	return "a file of kind " + kind + ", not a picture"
}

// kindOfFile is what the file at path begins with. What cannot be read is of no kind; that it cannot shows
// when it is decoded, if it is named as an image.
func kindOfFile(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	b := make([]byte, sniffed)
	n, _ := io.ReadFull(f, b)
	return kindOf(b[:n])
}
