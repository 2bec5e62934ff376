package catalog

import (
	"fmt"

	"annbench/internal/filekind"
)

// readable says whether a file of that kind is decoded here.
func readable(kind string) bool {
	return kind == filekind.JPEG || kind == filekind.PNG || kind == filekind.WebP
}

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
