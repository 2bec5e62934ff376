package catalog

import (
	"encoding/binary"
	"fmt"
)

// What a JPEG may ask of a decoder beyond reading its bytes. A scan costs a visit of every block that it names,
// even one of a few bytes that says "nothing changes": 1.8 ns a sample with Go's decoder, so that 10 MB of such
// scans over 24 megapixels are hours of work. Encoders write far fewer: a sequential picture names each component
// in one scan, and libjpeg's progressive script passes over luma 6 times and over chroma 4 times.
const (
	// sequentialPasses and progressivePasses are how often the scans may pass over all samples, on average.
	sequentialPasses, progressivePasses = 2, 16

	// freeSamples may be visited whatever the size of the picture is: 0.1 s of work.
	freeSamples = 64 << 20

	// passesOfLimit bounds the visits by the largest picture that the caller takes, so that a picture of that
	// size costs a second at most: libjpeg's script for three components of full size needs 14.
	passesOfLimit = 24
)

// checkWork refuses a JPEG whose scans would be more work than pictures are, by its markers and before anything
// is decoded. The limit is that of pixels.
func checkWork(jpeg []byte, pixels int64) error {
	frame := frameOf(jpeg)
	passes := int64(sequentialPasses)
	if frame.progressive {
		passes = progressivePasses
	}
	allowed := max(freeSamples, min(passes*frame.samples, passesOfLimit*pixels))
	if frame.visits > allowed {
		return fmt.Errorf("its %d scans pass over its %d×%d pixels %.0f times, where at most %.0f are usual: no encoder writes that",
			frame.scans, frame.width, frame.height, float64(frame.visits)/float64(frame.samples), float64(allowed)/float64(frame.samples))
	}
	return nil
}

// jpegFrame is what the markers of a JPEG say of its one frame.
type jpegFrame struct {
	width, height int64
	progressive   bool
	scans         int
	samples       int64 // of all components, in whole blocks
	visits        int64 // of samples, by all scans
	starts        []int // of the scans' markers in the file
}

// frameOf walks over all markers up to the end of the image, as decoders do (ITU-T T.81, annex B): it skips
// segments by their length, and the data of scans to the next marker that is neither a stuffed zero nor a restart.
// Whatever else lies between is skipped as well, as libjpeg and Go do.
func frameOf(jpeg []byte) (f jpegFrame) {
	blocks := map[byte]int64{} // of each component, by its identifier
	for at := 2; at+1 < len(jpeg); {
		marker := jpeg[at+1]
		switch {
		case jpeg[at] != 0xff || marker == 0xff || marker == 0:
			at++
			continue
		case marker == 0x01 || marker >= 0xd0 && marker <= 0xd8: // without a segment
			at += 2
			continue
		case marker == 0xd9:
			return f
		}
		if at+4 > len(jpeg) {
			return f
		}
		size := int(binary.BigEndian.Uint16(jpeg[at+2:]))
		if size < 2 {
			at += 2 // an error for Go; libjpeg continues behind it
			continue
		}
		segment := jpeg[min(at+4, len(jpeg)):min(at+2+size, len(jpeg))]
		switch marker {
		case 0xc0, 0xc1, 0xc2, 0xc9, 0xca: // Huffman and arithmetic coding, sequential and progressive
			if f.samples == 0 { // a second frame ends every decoder
				f.read(marker, segment, blocks)
			}
		case 0xda:
			f.scans++
			f.starts = append(f.starts, at)
			if len(segment) > 0 {
				for i := 1; i < len(segment) && i < 1+2*int(segment[0]); i += 2 {
					f.visits += 64 * blocks[segment[i]]
				}
			}
		}
		at += 2 + size
	}
	return f
}

// read takes the header of a frame (T.81, B.2.2).
func (f *jpegFrame) read(marker byte, segment []byte, blocks map[byte]int64) {
	if len(segment) < 6 {
		return
	}
	f.height, f.width = int64(binary.BigEndian.Uint16(segment[1:])), int64(binary.BigEndian.Uint16(segment[3:]))
	f.progressive = marker == 0xc2 || marker == 0xca
	components := segment[6:min(len(segment), 6+3*int(segment[5]))]
	across, down := int64(1), int64(1) // the largest sampling factors
	for i := 0; i+3 <= len(components); i += 3 {
		across, down = max(across, int64(components[i+1]>>4)), max(down, int64(components[i+1]&15))
	}
	units := ((f.width + 8*across - 1) / (8 * across)) * ((f.height + 8*down - 1) / (8 * down))
	for i := 0; i+3 <= len(components); i += 3 {
		n := units * max(1, int64(components[i+1]>>4)) * max(1, int64(components[i+1]&15))
		blocks[components[i]] += n
		f.samples += 64 * n
	}
}
