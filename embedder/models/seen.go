package models

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
)

// seenBytes is how much of each SHA-256 a list of files keeps: by chance, a file among a million would be
// taken for one of ten thousand once in two thousand million times.
const seenBytes = 8

// Seen are the files that a model was trained on.
type Seen struct{ sums []uint64 } // the first eight bytes of their SHA-256, sorted

// Has reports whether a file was trained on, by its SHA-256.
func (s *Seen) Has(sum []byte) bool {
	if len(sum) < seenBytes {
		return false
	}
	_, found := slices.BinarySearch(s.sums, binary.BigEndian.Uint64(sum))
	return found
}

// Len is how many files there are.
func (s *Seen) Len() int { return len(s.sums) }

// Seen reads the list that the card names; nil where it names none. The list is text: on each line the first
// 16 hexadecimal digits of the SHA-256 of a file.
func (c *Card) Seen() (*Seen, error) {
	if c.SeenFile == "" {
		return nil, nil
	}
	text, err := c.beside(c.SeenFile)
	if err != nil {
		return nil, fmt.Errorf("model %s: reading what it was trained on: %w", c.Name, err)
	}
	s := &Seen{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		sum, err := hex.DecodeString(lines.Text())
		if err != nil || len(sum) != seenBytes {
			return nil, fmt.Errorf("model %s: reading %s, line %d: want the first %d hexadecimal digits of a SHA-256, not %.80q",
				c.Name, c.SeenFile, n, 2*seenBytes, lines.Text())
		}
		s.sums = append(s.sums, binary.BigEndian.Uint64(sum))
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("model %s: reading %s: %w", c.Name, c.SeenFile, err)
	}
	slices.SortFunc(s.sums, cmp.Compare[uint64])
	s.sums = slices.Compact(s.sums)
	return s, nil
}
