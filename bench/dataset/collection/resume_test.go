package collection

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"annbench/indexes/vec"
)

// thumbOf is the picture of a row: two of three have one.
func thumbOf(row int) []byte {
	if row%3 == 0 {
		return nil
	}
	return fmt.Appendf(nil, "jpeg %d <&> PK\x03\x04", row)
}

// appendRows appends and marks rows in blocks, the note of a block being its first row; from and to are
// numbers of blocks.
func appendRows(t rapid.TB, w *Writer, items []Item, m vec.Matrix, from, to, block int) {
	for b := from; b < to; b++ {
		first, end := min(b*block, m.Rows), min((b+1)*block, m.Rows)
		thumbs := make([][]byte, end-first)
		for i := range thumbs {
			thumbs[i] = thumbOf(first + i)
		}
		if err := w.Append(items[first:end], m.Slice(first, end), thumbs); err != nil {
			t.Fatal(err)
		}
		if err := w.Mark(json.RawMessage(fmt.Sprintf(`{ "block": %d, "of": "<a&b>" }`, b))); err != nil {
			t.Fatal(err)
		}
	}
}

// Whatever is lost of whichever file, at whatever point: what is resumed was whole, and the end is the
// same as without.
func TestResumeAfterAnyLoss(t *testing.T) {
	items, m := random(60, 3, 7)
	whole := write(t, filepath.Join(t.TempDir(), "whole"), items, m).Meta.Digest
	base := t.TempDir()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		dir := filepath.Join(base, fmt.Sprint(n))
		block := rapid.IntRange(1, 9).Draw(t, "block")
		blocks := (m.Rows+block-1)/block + 1 // the last one is a note with no rows
		marked := 0
		for range rapid.IntRange(0, 4).Draw(t, "stops") {
			w, replaced, err := Resume(dir, 3, "key")
			if err != nil || replaced {
				t.Fatal(replaced, err)
			}
			if len(w.Notes()) != marked || w.Rows() != min(marked*block, m.Rows) {
				t.Fatalf("%d notes and %d rows, %d blocks of %d were marked", len(w.Notes()), w.Rows(), marked, block)
			}
			to := min(blocks, marked+rapid.IntRange(0, 4).Draw(t, "blocks"))
			appendRows(t, w, items, m, marked, to, block)
			marked = to
			if rapid.Bool().Draw(t, "unmarked") && w.Rows() < m.Rows {
				if err := w.Append(items[w.Rows():w.Rows()+1], m.Slice(w.Rows(), w.Rows()+1), [][]byte{thumbOf(w.Rows())}); err != nil {
					t.Fatal(err)
				}
				_ = w.items.Flush()
				if w.zip != nil {
					_ = w.zip.Flush()
				}
			}
			if rapid.IntRange(0, 9).Draw(t, "commit") == 0 && w.Rows() > 0 {
				// Killed in the middle of Commit: files are ended, and have no name yet.
				_ = w.finish()
				_ = os.WriteFile(filepath.Join(w.tmp, metaFile), []byte("{"), 0o644)
			}
			w.Abort()
			if marked == 0 {
				if _, err := os.Stat(PartDir(dir)); err == nil {
					t.Fatal("nothing was marked, and the folder is left")
				}
				continue
			}
			// What a power cut may do: any file loses its end, or has other bytes there.
			for _, name := range []string{vectorsFile, itemsFile, thumbsFile, journalFile} {
				path := filepath.Join(PartDir(dir), name)
				b, err := os.ReadFile(path)
				if err != nil {
					continue
				}
				switch rapid.IntRange(0, 5).Draw(t, name) {
				case 0:
					b = b[:rapid.IntRange(0, len(b)).Draw(t, "length")]
				case 1:
					b = append(b, rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "tail")...)
				case 2:
					if len(b) > 0 {
						b[rapid.IntRange(len(b)/2, len(b)-1).Draw(t, "at")] ^= 0x15
					}
				}
				if err := os.WriteFile(path, b, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			w, _, err = Resume(dir, 3, "key") // replaced, where the first line has other bytes now
			if err != nil {
				t.Fatal(err)
			}
			if kept := len(w.Notes()); kept > marked || w.Rows() != min(kept*block, m.Rows) {
				t.Fatalf("%d notes and %d rows of %d marks of %d", kept, w.Rows(), marked, block)
			}
			marked = len(w.Notes())
			w.Abort()
		}
		w, _, err := Resume(dir, 3, "key")
		if err != nil {
			t.Fatal(err)
		}
		defer w.Abort()
		appendRows(t, w, items, m, marked, blocks, block)
		for i, note := range w.Notes() {
			var got struct{ Block int }
			if err := json.Unmarshal(note, &got); err != nil || got.Block != i {
				t.Fatalf("note %d is %s", i, note)
			}
		}
		meta, err := w.Commit(nil)
		if err != nil {
			t.Fatal(err)
		}
		if meta.Digest != whole || meta.Thumbs != 40 {
			t.Fatalf("digest %s with %d pictures, want %s with 40", meta.Digest, meta.Thumbs, whole)
		}
		c, err := OpenFolder(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for row := range m.Rows {
			if b, _, err := c.Thumb(row); err != nil || !bytes.Equal(b, thumbOf(row)) {
				t.Fatalf("picture %d is %q, %v", row, b, err)
			}
		}
		left, err := os.ReadDir(dir)
		if _, err2 := os.Stat(PartDir(dir)); err != nil || err2 == nil || len(left) != 4 {
			t.Fatalf("%v, %v left behind", left, err2)
		}
	})
}

func TestResumeOfAnotherKey(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "c")
	items, m := random(20, 3, 7)
	w, _, err := Resume(dir, 3, "one model")
	if err != nil {
		t.Fatal(err)
	}
	appendRows(t, w, items, m, 0, 2, 5)

	if _, _, err := Resume(dir, 3, "one model"); !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), dir) {
		t.Errorf("while it is being written: %v", err)
	}
	w.Abort()

	w, replaced, err := Resume(dir, 3, "another model")
	if err != nil || !replaced || w.Rows() != 0 || len(w.Notes()) != 0 {
		t.Errorf("with another key: replaced %v, %d rows, %v", replaced, w.Rows(), err)
	}
	appendRows(t, w, items, m, 0, 1, 5)
	w.Abort()
	w, replaced, err = Resume(dir, 3, "another model")
	if err != nil || replaced || w.Rows() != 5 {
		t.Errorf("gone on with: replaced %v, %d rows, %v", replaced, w.Rows(), err)
	}
	appendRows(t, w, items, m, 1, 4, 5)
	if _, err := w.Commit(nil); err != nil {
		t.Error(err)
	}
	if _, _, err := Resume(dir, 3, "another model"); err == nil || !strings.Contains(err.Error(), "something already") {
		t.Errorf("over a collection: %v", err)
	}
	if _, err := os.Stat(PartDir(dir)); err == nil {
		t.Error("the refusal leaves a folder")
	}
}
