// Package plaintext is the one place where annbench looks at how a text file is encoded: text is UTF-8, and the byte
// order mark that editors and Excel put before it is no part of it. Everything that reads text that people write
// (sweep files, cards, labels, tables, JSON) passes it here first.
package plaintext

import (
	"bytes"
	"errors"
	"unicode/utf8"
)

// ErrUTF16 says that a text is UTF-16, which is not read.
var ErrUTF16 = errors.New("this text is UTF-16; save it as UTF-8")

const bom = "\xef\xbb\xbf"

// Mark is how many bytes of b, the beginning of a file, are a byte order mark of UTF-8. A mark of UTF-16 is [ErrUTF16].
func Mark(b []byte) (int, error) {
	switch {
	case bytes.HasPrefix(b, []byte(bom)):
		return len(bom), nil
	case bytes.HasPrefix(b, []byte("\xff\xfe")), bytes.HasPrefix(b, []byte("\xfe\xff")):
		return 0, ErrUTF16
	}
	return 0, nil
}

// Strip is b without the byte order mark.
func Strip(b []byte) ([]byte, error) {
	n, err := Mark(b)
	return b[n:], err
}

// NotUTF8 is the first byte of b that is no UTF-8; -1 where all is.
func NotUTF8(b []byte) int {
	if utf8.Valid(b) {
		return -1
	}
	at := 0
	for at < len(b) {
		r, size := utf8.DecodeRune(b[at:])
		if r == utf8.RuneError && size <= 1 {
			break
		}
		at += size
	}
	return at
}
