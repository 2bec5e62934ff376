package models

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
)

func TestSeen(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "m.onnx", "\x08model")
	path := write(t, dir, "m.json", strings.Replace(card(), `"doc"`, `"seen": "m.seen", "doc"`, 1))
	a, b, other := sha256.Sum256([]byte("a")), sha256.Sum256([]byte("b")), sha256.Sum256([]byte("other"))
	line := func(sum [32]byte) string { return hex.EncodeToString(sum[:8]) + "\n" }

	c, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Seen(); err == nil || !strings.Contains(err.Error(), "m.seen") {
		t.Errorf("without the list: %v", err)
	}
	write(t, dir, "m.seen", line(a)+line(b)+line(a))
	seen, err := c.Seen()
	if err != nil {
		t.Fatal(err)
	}
	if seen.Len() != 2 || !seen.Has(a[:]) || !seen.Has(b[:]) || seen.Has(other[:]) || seen.Has(nil) {
		t.Errorf("%+v", seen)
	}
	for _, text := range []string{"\n", line(a)[:15] + "\n", strings.ToUpper(line(a))[:14] + "zz\n", line(a)[:16] + "00\n"} {
		write(t, dir, "m.seen", line(b)+text)
		if _, err := c.Seen(); err == nil || !strings.Contains(err.Error(), "m.seen, line 2") {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := Parse([]byte(strings.Replace(card(), `"doc"`, `"seen": "../m.seen", "doc"`, 1))); err == nil || !strings.Contains(err.Error(), "leaves the folder") {
		t.Errorf("a list elsewhere: %v", err)
	}
	if c, err := Parse([]byte(card())); err != nil {
		t.Error(err)
	} else if seen, err := c.Seen(); seen != nil || err != nil {
		t.Errorf("a card without a list: %v, %v", seen, err)
	}
}

func TestShipped(t *testing.T) {
	t.Chdir(t.TempDir())
	if Shipped[0] != DefaultName {
		t.Errorf("%v begins with another than %s", Shipped, DefaultName)
	}
	for _, name := range Shipped {
		if !IsShipped(name) {
			t.Errorf("%s does not ship", name)
		}
		c, err := Open(name)
		if err != nil {
			t.Fatal(err)
		}
		if h, err := c.History(); err != nil || len(h.Rows) == 0 {
			t.Errorf("%s: history %v", name, err)
		}
		if seen, err := c.Seen(); err != nil || seen == nil || seen.Len() < 3000 {
			t.Errorf("%s: trained on %v, %v", name, seen, err)
		}
		if slices.Contains([]string{c.Name, c.Licence, c.Doc}, "") || c.Name != name || c.Path != "" {
			t.Errorf("%s: %+v", name, c)
		}
	}
	// A file of that name goes before.
	write(t, ".", DefaultName, "")
	if _, err := Open(DefaultName); IsShipped(DefaultName) || err == nil {
		t.Errorf("a file called %s is not what is opened: %v", DefaultName, err)
	}
	if _, err := Open("fashion"); err == nil || !strings.Contains(err.Error(), DefaultName) {
		t.Errorf("unknown name: %v; want the names there are", err)
	}
}
