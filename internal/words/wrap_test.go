package words

import "testing"

func TestWrap(t *testing.T) {
	for text, want := range map[string]string{
		"":                     "  ",
		"one two  three":       "  one two\n  three",
		"a incomprehensible b": "  a\n  incomprehensible\n  b",
	} {
		if got := Wrap(text, "  ", 10); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}
