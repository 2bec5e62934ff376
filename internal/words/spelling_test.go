package words

import (
	"slices"
	"strings"
	"testing"
)

func TestSpellings(t *testing.T) {
	names := []string{
		"Dress", "dress", "DRESS ", "T-shirt", "t shirt", "TShirt", "caf\u00e9", "cafe\u0301", "hat", "hats", "1-1", "11", "1 1", "bag\u00a0s", "bags", "shoe\u200b", "shoe",
		"\ufb01sh", "fish", "", " ", "-", "Ａ", "a",
	}
	var got []string
	for _, g := range Spellings(names) {
		got = append(got, strings.Join(g, "|"))
	}
	want := []string{"Dress|dress|DRESS ", "T-shirt|t shirt|TShirt", "caf\u00e9|cafe\u0301", "1-1|1 1", "bag\u00a0s|bags", "shoe\u200b|shoe", "\ufb01sh|fish", "Ａ|a"}
	if !slices.Equal(got, want) {
		t.Errorf("%q\nwant\n%q", got, want)
	}
	if Spellings([]string{"a", "b"}) != nil {
		t.Error("two names are none")
	}
}

func TestQuoteAll(t *testing.T) {
	for want, names := range map[string][]string{
		`"Dress" and "dress"`:          {"Dress", "dress"},
		`"caf\u00e9" and "cafe\u0301"`: {"caf\u00e9", "cafe\u0301"},
		`"café"`:                       {"caf\u00e9"},
		`"a", "b" and "c"`:             {"a", "b", "c"},
		`"shoe\u200b" and "shoe"`:      {"shoe\u200b", "shoe"},
		`"bag s" and "bag\u00a0s"`:     {"bag s", "bag\u00a0s"},
		`"Ärmel" and "ärmel"`:          {"Ärmel", "ärmel"},
		"":                             nil,
	} {
		if got := QuoteAll(names); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
