package catalog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"io/fs"
	"math"
	"os"
	"strings"
	"sync/atomic"

	"golang.org/x/image/webp"

	"annbench/internal/filekind"
)

const (
	// maxPixels is the largest picture that is decoded, so that a small file cannot ask for more
	// memory than the machine has: 100 megapixels are 0.4 GB at 8 bits a channel, and more than
	// any camera that people photograph garments with.
	maxPixels = 100_000_000

	// maxSide is the longest side of a picture that is decoded: what JPEG can hold. To scale a line of a hundred million
	// pixels to a model's square takes minutes, as each of its lines is a sum over all of that one.
	maxSide = 65_535

	// maxFileBytes is the largest file that is read.
	maxFileBytes = 512 << 20
)

// decodeFile reads and decodes one image file. The error names the file.
// ReadError says why the picture at a path cannot be read.
type ReadError struct {
	Path string
	Err  error
}

func (e *ReadError) Error() string { return fmt.Sprintf("reading %s: %v", e.Path, e.Err) }

func (e *ReadError) Unwrap() error { return e.Err }

func decodeFile(path string) (image.Image, error) {
	data, err := readImage(path)
	if err != nil {
		return nil, err // it names the path
	}
	img, err := decode(data)
	if err != nil {
		return nil, &ReadError{path, err}
	}
	return img, nil
}

func readImage(path string) ([]byte, error) {
	data, err := readWhole(path)
	var at *fs.PathError
	if errors.As(err, &at) { // "reading PATH: REASON", as all errors of pictures are
		err = &ReadError{path, at.Err}
	}
	return data, err
}

func readWhole(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var data bytes.Buffer
	if info, err := f.Stat(); err == nil && info.Size() <= maxFileBytes {
		data.Grow(int(info.Size()) + bytes.MinRead)
	}
	_, err = data.ReadFrom(io.LimitReader(f, maxFileBytes+1))
	switch {
	case err != nil:
		return nil, err
	case data.Len() > maxFileBytes:
		return nil, &ReadError{path, fmt.Errorf("larger than %d MiB", maxFileBytes>>20)}
	}
	return data.Bytes(), nil
}

// decode is [Decode] with the limit of collections.
func decode(data []byte) (image.Image, error) { return Decode(context.Background(), data, maxPixels) }

// Decode decodes a JPEG, PNG or WebP image of at most the given number of pixels, and 65,535 a side, told
// apart by their first bytes. The size is checked before any memory is set aside for pixels, and so is the work that the scans
// of a JPEG ask for. A panic of a decoder is an error like any other: what is decoded here comes from anywhere.
//
// It ends soon after ctx does, with the error of ctx: the standard decoders are given no more to read. One that
// [UseJPEG] put in is not interrupted; the check before it bounds what it does.
//
// The standard decoders are called by name, not by image.Decode: what other packages register would
// change which files a collection can read. A picture that its EXIF says to turn is turned.
func Decode(ctx context.Context, data []byte, pixels int64) (img image.Image, err error) {
	defer func() {
		if r := recover(); r != nil {
			img, err = nil, fmt.Errorf("decoding: the decoder gave up: %v", r)
		}
	}()

	var (
		format       string
		decodeConfig func(io.Reader) (image.Config, error)
		decodeImage  func(io.Reader) (image.Image, error)
	)
	switch {
	case len(data) == 0:
		return nil, errors.New("the file is empty")
	case bytes.HasPrefix(data, []byte("\xff\xd8")):
		format, decodeConfig, decodeImage = "JPEG", jpeg.DecodeConfig, jpeg.Decode
	case bytes.HasPrefix(data, []byte("\x89PNG\r\n\x1a\n")):
		format, decodeConfig, decodeImage = "PNG", png.DecodeConfig, png.Decode
	case len(data) >= 12 && string(data[:4]) == "RIFF" && string(data[8:12]) == "WEBP":
		format, decodeConfig, decodeImage = "WebP", webp.DecodeConfig, webp.Decode
	default:
		if kind := filekind.Of(data); kind != "" {
			return nil, fmt.Errorf("not a JPEG, PNG or WebP image: %s", advice(kind))
		}
		return nil, errors.New("not a JPEG, PNG or WebP image")
	}

	config, err := decodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("decoding %s: %w", format, inWords(data, err))
	}
	if config.Width <= 0 || config.Height <= 0 {
		return nil, fmt.Errorf("decoding %s: no pixels: %d×%d", format, config.Width, config.Height)
	}
	if int64(config.Width)*int64(config.Height) > pixels {
		return nil, fmt.Errorf("decoding %s: %d×%d pixels are more than the limit of %d million",
			format, config.Width, config.Height, pixels/1_000_000)
	}
	if config.Width > maxSide || config.Height > maxSide {
		return nil, fmt.Errorf("decoding %s: %d×%d pixels: a side has at most %d", format, config.Width, config.Height, maxSide)
	}
	if format == "JPEG" {
		if err := checkWork(data, pixels); err != nil {
			return nil, fmt.Errorf("decoding %s: %w", format, err)
		}
	}
	if fast := fastJPEG.Load(); fast != nil && format == "JPEG" && hasTables(data) {
		if img, err = fast.decode(data); err == nil {
			return turned(img, orientation(data)), nil
		}
	}
	img, err = decodeImage(&stoppable{ctx, data})
	if err != nil {
		return nil, fmt.Errorf("decoding %s: %w", format, inWords(data, err))
	}
	switch format {
	case "JPEG":
		img = turned(img, orientation(data))
	case "PNG":
		img = turned(img, tiffOrientation(pngEXIF(data)))
	case "WebP":
		fullRange(img)
		img = turned(img, tiffOrientation(webpEXIF(data)))
	}
	return img, nil
}

// stoppable reads data until ctx ends. It gives little at a time: a decoder looks for more only after it has
// worked on that, which for the scans of a JPEG can be a million times as many samples as bytes.
type stoppable struct {
	ctx  context.Context
	data []byte
}

func (s *stoppable) Read(b []byte) (int, error) {
	if err := context.Cause(s.ctx); err != nil {
		return 0, err
	}
	if len(s.data) == 0 {
		return 0, io.EOF
	}
	const atOnce = 512
	n := copy(b[:min(len(b), atOnce)], s.data)
	s.data = s.data[n:]
	return n, nil
}

// jpegDecoder is one for JPEG that is tried before the standard library's.
type jpegDecoder struct {
	name   string
	decode func(data []byte) (image.Image, error)
}

var fastJPEG atomic.Pointer[jpegDecoder]

// UseJPEG has JPEG files decoded by decode, called name. Whatever it refuses, for whatever reason, is
// decoded by the standard library, so that errors have the same words everywhere. Files without Huffman
// tables of their own are not shown to it. Its pixels may differ from the standard library's by rounding.
func UseJPEG(name string, decode func(data []byte) (image.Image, error)) {
	fastJPEG.Store(&jpegDecoder{name, decode})
}

// StandardJPEG is the standard library as a decoder of JPEG.
const StandardJPEG = "Go's image/jpeg"

// JPEGDecoder names what decodes JPEG files: what [UseJPEG] was given, or [StandardJPEG].
func JPEGDecoder() string {
	if fast := fastJPEG.Load(); fast != nil {
		return fast.name
	}
	return StandardJPEG
}

// DecoderOf names what decodes the JPEG files of src; empty where there are no files.
func DecoderOf(src Source) string {
	if _, drawn := src.(*Rendered); drawn {
		return ""
	}
	return JPEGDecoder()
}

// fullRange gives the components of a lossy WebP the range that image.YCbCr has by its definition (JFIF), in
// place. WebP's are those of video, 16 to 235 for luma and 16 to 240 for chroma (RFC 6386, 9.2, with the
// constants of ITU-R BT.601), and the decoder hands them on as they are: taken for JFIF's, black is grey.
func fullRange(img image.Image) {
	var planes *image.YCbCr
	switch img := img.(type) {
	case *image.YCbCr:
		planes = img
	case *image.NYCbCrA:
		planes = &img.YCbCr
	default:
		return // lossless: RGB
	}
	var luma, chroma [256]uint8
	for v := range 256 {
		luma[v] = uint8(min(255, max(0, math.Round(float64(v-16)*255/219))))
		chroma[v] = uint8(min(255, max(0, math.Round(float64(v-128)*255/224+128))))
	}
	for i, v := range planes.Y {
		planes.Y[i] = luma[v]
	}
	for i, v := range planes.Cb {
		planes.Cb[i] = chroma[v]
	}
	for i, v := range planes.Cr {
		planes.Cr[i] = chroma[v]
	}
}

// cutShortError is err, the end of the file in the middle of an image.
type cutShortError struct{ err error }

func (cutShortError) Error() string   { return "the file is cut short" }
func (e cutShortError) Unwrap() error { return e.err }

// inWords says what is wrong with the picture data in words that are not those of a decoder.
func inWords(data []byte, err error) error {
	var lacking jpeg.UnsupportedError
	var broken jpeg.FormatError
	var brokenPNG png.FormatError
	switch {
	case errors.As(err, &lacking) && strings.Contains(err.Error(), "4-component"):
		return errors.New("four colours without the marker of Adobe that says which: save it as RGB")
	case errors.As(err, &lacking):
		return fmt.Errorf("a form that is not read (%s): save it as RGB with 8 bits a colour", string(lacking))
	case errors.As(err, &broken):
		return fmt.Errorf("the file is damaged (%s)", string(broken))
	case strings.Contains(err.Error(), io.ErrUnexpectedEOF.Error()):
		return cutShortError{err}
	case errors.As(err, &brokenPNG):
		return fmt.Errorf("the file is damaged (%s)", string(brokenPNG))
	case len(data) > 20 && string(data[8:16]) == "WEBPVP8X" && data[20]&2 != 0: // the flag of animations
		return errors.New("an animation, which is not read: save one picture of it")
	case strings.HasPrefix(err.Error(), "webp: "):
		return errors.New("the file is damaged")
	}
	return cutShort(err)
}

// cutShort says in plain words what the end of the file in the middle of an image means.
func cutShort(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return cutShortError{err}
	}
	return err
}
