package words

import "testing"

func TestVisible(t *testing.T) {
	for s, want := range map[string]string{
		"dress": "dress", "Kostüm 裙子": "Kostüm 裙子", `a\x1b`: `a\x1b`, "a\x1b[31mb": `a\x1b[31mb`, "\x1b]0;title\a": `\x1b]0;title\a`,
		"a\nb\tc\r": `a\nb\tc\r`, "a\u202eb": `a\u202eb`, "a\u009bm": `a\u009bm`, "a\u200bb": `a\u200bb`, "a\xffb": `a\ufffdb`, "\u2028": `\u2028`,
	} {
		if got := Visible(s); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
	if got := VisibleLines("a\x1b\nb"); got != "a\\x1b\nb" {
		t.Errorf("%q", got)
	}
}

func TestField(t *testing.T) {
	for s, want := range map[string]string{
		"": "", "dress": "dress", "=cmd|'/c calc'!A0": "'=cmd|'/c calc'!A0", "+SUM(1)": "'+SUM(1)", "-2+3": "'-2+3", "@at": "'@at", "\tx": "'\tx", "\rx": "'\rx",
		"-0.5": "-0.5", "+1e3": "+1e3", "a=b": "a=b",
	} {
		if got := Field(s); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
}
