package plaintext

import (
	"errors"
	"testing"
)

func TestStrip(t *testing.T) {
	for in, want := range map[string]string{"": "", "a": "a", "\xef\xbb\xbfa": "a", "\xef\xbb": "\xef\xbb", "a\xef\xbb\xbf": "a\xef\xbb\xbf"} {
		if got, err := Strip([]byte(in)); err != nil || string(got) != want {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	for _, in := range []string{"\xff\xfea\x00", "\xfe\xff\x00a"} {
		if _, err := Strip([]byte(in)); !errors.Is(err, ErrUTF16) {
			t.Errorf("%q: %v, want %v", in, err, ErrUTF16)
		}
	}
}
