package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

// holds fails unless dir has exactly the files given, with their contents, and no temporary ones.
func holds(t *testing.T, dir string, want map[string]string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != len(want) {
		t.Errorf("%d names in the folder, want %d: %v", len(entries), len(want), entries)
	}
	for name, text := range want {
		if b, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(b) != text {
			t.Errorf("%s holds %q, %v; want %q", name, b, err, text)
		}
	}
}

func TestWriteReplaces(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	for _, text := range []string{"first, and longer", "second"} {
		if err := Write(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		holds(t, dir, map[string]string{"a": text})
	}
	if err := WriteJSON(path, map[string]int{"n": 1}); err != nil {
		t.Fatal(err)
	}
	holds(t, dir, map[string]string{"a": "{\n  \"n\": 1\n}\n"})
	if err := WriteJSON(path, func() {}); err == nil {
		t.Error("a function was written as JSON")
	}
	holds(t, dir, map[string]string{"a": "{\n  \"n\": 1\n}\n"})
}

func TestPermissionsFollowTheUmask(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "a")
	if err := Write(path, nil); err != nil {
		t.Fatal(err)
	}
	want, err := os.Stat(plain)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.Stat(path); err != nil || got.Mode() != want.Mode() {
		t.Errorf("mode %v, %v; want %v", got.Mode(), err, want.Mode())
	}
}

func TestNothingIsSeenBeforeCommit(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	if err := Write(path, []byte("old")); err != nil {
		t.Fatal(err)
	}
	f, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("new"); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "old" {
		t.Fatalf("before Commit the file holds %q, %v", b, err)
	}
	f.Abort()
	f.Abort()
	holds(t, dir, map[string]string{"a": "old"})
	if err := f.Commit(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Commit after Abort: %v", err)
	}

	if f, err = Create(path); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("new"); err != nil {
		t.Fatal(err)
	}
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	f.Abort()
	holds(t, dir, map[string]string{"a": "new"})
}

// A name that cannot be replaced keeps what it has, and no temporary file stays.
func TestFailedCommitLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "taken")
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Write(path, []byte("x")); err == nil {
		t.Error("a folder was replaced by a file")
	}
	err := Replace(path, func(tmp string) error { return os.WriteFile(tmp, nil, 0o644) })
	if err == nil {
		t.Error("a folder was replaced by a file")
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
	if err := Write(filepath.Join(dir, "no", "folder"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("in a folder that is not there: %v", err)
	}
}

func TestReplace(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "index")
	err := Replace(path, func(tmp string) error {
		if filepath.Base(tmp) != "index" {
			t.Errorf("the temporary file is called %s", tmp)
		}
		return errors.Join(os.WriteFile(tmp, []byte("1"), 0o644), os.WriteFile(tmp+".side", nil, 0o644))
	})
	if err != nil {
		t.Fatal(err)
	}
	holds(t, dir, map[string]string{"index": "1"})
	failed := errors.New("disk full")
	err = Replace(path, func(tmp string) error { return errors.Join(os.WriteFile(tmp, []byte("2"), 0o644), failed) })
	if !errors.Is(err, failed) {
		t.Errorf("error %v", err)
	}
	if err := Replace(path, func(string) error { return nil }); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a writer that wrote nothing: %v", err)
	}
	holds(t, dir, map[string]string{"index": "1"})
}

func TestPublish(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "deep", "set")
	made := func(text string) string {
		t.Helper()
		tmp, err := TempDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(tmp, "a"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return tmp
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { // empty: nothing to protect
		t.Fatal(err)
	}
	if err := Publish(made("first"), dir); err != nil {
		t.Fatal(err)
	}
	second := made("second")
	if err := Publish(second, dir); !errors.Is(err, fs.ErrExist) {
		t.Errorf("onto a folder with files: %v", err)
	}
	holds(t, dir, map[string]string{"a": "first"})
	holds(t, second, map[string]string{"a": "second"})
}

// Of many writers at once, one's contents stay whole.
func TestWritersAtOnce(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			b := make([]byte, 1<<16)
			for j := range b {
				b[j] = byte('a' + i)
			}
			if err := Write(path, b); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	b, err := os.ReadFile(path)
	if err != nil || len(b) != 1<<16 {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	for _, c := range b {
		if c != b[0] {
			t.Fatal("two writers' bytes in one file")
		}
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
}

// TestTidy: what a killed process left goes, and nothing else does.
func TestTidy(t *testing.T) {
	dir := t.TempDir()
	f, err := Create(filepath.Join(dir, "page.html"))
	if err != nil {
		t.Fatal(err)
	}
	f.Close() // as if the process had been killed
	tmp, err := TempDir(filepath.Join(dir, "set"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{filepath.Join(tmp, "part"), filepath.Join(dir, ".mine"), filepath.Join(dir, "x.tmp-ABCDEFGHIJKL"), filepath.Join(dir, ".x.tmp-mine")} {
		if err := os.WriteFile(name, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	names := func() (out []string) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			out = append(out, e.Name())
		}
		return out
	}
	if err := Tidy(dir, time.Hour); err != nil || len(names()) != 5 {
		t.Errorf("young files: %q, %v", names(), err)
	}
	if err := Tidy(dir, 0); err != nil || !slices.Equal(names(), []string{".mine", ".x.tmp-mine", "x.tmp-ABCDEFGHIJKL"}) {
		t.Errorf("left are %q, %v", names(), err)
	}
	if err := Tidy(filepath.Join(dir, "nothing"), 0); err != nil {
		t.Error(err)
	}
}
