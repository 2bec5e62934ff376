package vecfile

import (
	"math/bits"

	"annbench/internal/words"
)

// loss counts the values of a file that a float32 does not hold: those that became 0, and whole numbers that were rounded.
type loss struct{ zeros, rounded int }

// lost are the notes about it, a line each.
func (l *loss) lost() (notes []string) {
	if l.zeros > 0 {
		notes = append(notes, words.Count(l.zeros, "value")+" nearer to 0 than a float32 can be, read as 0: scale the vectors if they matter")
	}
	if l.rounded > 0 {
		notes = append(notes, words.Count(l.rounded, "whole number")+" above 2^24 rounded to the nearest float32")
	}
	return notes
}

// compare adds what decode has lost, when it made dst of raw.
func (l *loss) compare(e element, dst []float32, raw []byte) {
	switch {
	case e.class == 'f' && e.width == 8:
		for i, x := range dst {
			if x == 0 && e.bits(raw[8*i:])<<1 != 0 {
				l.zeros++
			}
		}
	case e.class != 'f' && e.width >= 4:
		for i := range dst {
			v := e.bits(raw[e.width*i:])
			if shift := 64 - 8*e.width; e.class == 'i' && int64(v<<shift) < 0 {
				v = -uint64(int64(v<<shift) >> shift)
			}
			if bits.Len64(v)-bits.TrailingZeros64(v) > 24 {
				l.rounded++
			}
		}
	}
}
