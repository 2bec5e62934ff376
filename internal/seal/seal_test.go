package seal

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

type thing struct {
	Name string   `json:"name"`
	Rows int      `json:"rows"`
	List []string `json:"list"`
}

// TestEveryFlippedBitOfJSONShows: read, it is an error, or the very same value (a changed white space).
func TestEveryFlippedBitOfJSONShows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.json")
	want := thing{"a <set>", 3, []string{"dress", "shoes"}}
	if err := WriteJSON(path, want); err != nil {
		t.Fatal(err)
	}
	var got thing
	if sealed, err := ReadJSON(path, &got); err != nil || !sealed || got.Name != want.Name || got.Rows != 3 {
		t.Fatalf("%+v, %v, %v", got, sealed, err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for i := range whole {
		for bit := range 8 {
			b := bytes.Clone(whole)
			b[i] ^= 1 << bit
			if err := os.WriteFile(path, b, 0o644); err != nil {
				t.Fatal(err)
			}
			var got thing
			sealed, err := ReadJSON(path, &got)
			switch {
			case err != nil && !strings.Contains(err.Error(), path):
				t.Errorf("byte %d, bit %d: %v does not name the file", i, bit, err)
			case err != nil:
				named++
			case sealed && (got.Name != want.Name || got.Rows != want.Rows || strings.Join(got.List, " ") != strings.Join(want.List, " ")):
				t.Errorf("byte %d, bit %d: read as %+v without a word", i, bit, got)
			}
		}
	}
	if named < len(whole)*6 {
		t.Errorf("only %d of %d flipped bits are errors", named, 8*len(whole))
	}
}

func TestVerify(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", "b"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("content of "+name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	sums, err := Sums(t.Context(), dir, "a", "b")
	if err != nil {
		t.Fatal(err)
	}
	if err := Verify(t.Context(), dir, sums); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "b"), []byte("content of a"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Verify(t.Context(), dir, sums); err == nil || !strings.Contains(err.Error(), filepath.Join(dir, "b")) {
		t.Errorf("error %v, want one that names b", err)
	}
	if err := os.Remove(filepath.Join(dir, "a")); err != nil {
		t.Fatal(err)
	}
	if err := Verify(t.Context(), dir, sums); err == nil {
		t.Error("a file that is missing is not missed")
	}
}

// Two sums of which an error shows the beginnings differ in what it shows.
func TestDiffering(t *testing.T) {
	for _, c := range []struct{ a, b, first, second string }{
		{"0123456789abcdef", "1123456789abcdef", "0123456789ab", "1123456789ab"},
		{"0123456789abcdef", "0123456789abcdee", "0123456789abcdef", "0123456789abcdee"},
		{"0123456789abcdef", "0123456789abdeef", "0123456789abc", "0123456789abd"},
		{"0123456789abcdef", "0123456789abcd", "0123456789abcde", "0123456789abcd"},
		{"0123456789abcdef", "", "0123456789ab", ""},
	} {
		if first, second := Differing(c.a, c.b); first != c.first || second != c.second {
			t.Errorf("%s and %s: %s and %s", c.a, c.b, first, second)
		}
	}
}

// Advice to delete a file is for files that are damaged, not for a system that refuses to open it.
func TestDamage(t *testing.T) {
	for err, want := range map[error]bool{
		os.ErrNotExist: true,
		&os.PathError{Op: "open", Path: "x", Err: syscall.EMFILE}: false,
		&os.PathError{Op: "open", Path: "x", Err: syscall.EACCES}: false,
		&os.PathError{Op: "mmap", Path: "x", Err: syscall.ENOMEM}: false,
		&os.PathError{Op: "open", Path: "x", Err: syscall.ENOENT}: true,
		&os.PathError{Op: "read", Path: "x", Err: syscall.EIO}:    true,
		Changed("x", "a", "b"): true,
	} {
		if Damage(err) != want {
			t.Errorf("%v: %t", err, !want)
		}
	}
}
