package kept

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// results is a results folder that keeps a set of two files, and a model of one.
func results(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	put(t, filepath.Join(dir, "cache", "set-1", "base.npy"), "vectors")
	put(t, filepath.Join(dir, "cache", "set-1", "parts", "0"), "a part")
	put(t, filepath.Join(dir, "model.onnx"), "a model")
	put(t, filepath.Join(dir, "results", "records.jsonl"), "{}\n")
	out := filepath.Join(dir, "results")
	for range 2 { // and again, in place of the first
		sum, err := Keep(t.Context(), out, []Tree{
			{filepath.Join(dir, "cache", "set-1"), "set"}, {filepath.Join(dir, "model.onnx"), "model/m.onnx"},
		})
		if err != nil || sum.Files != 3 || sum.Bytes != 20 || sum.Copied != 0 {
			t.Fatalf("%+v, %v", sum, err)
		}
	}
	return out
}

func TestTravel(t *testing.T) {
	from := results(t)
	archive, to := filepath.Join(t.TempDir(), "r.tar"), filepath.Join(t.TempDir(), "here")
	for _, stays := range []string{"clicks/key", "clicks/events.jsonl", "added/.lease", "indexes/.build-1/index"} {
		put(t, filepath.Join(from, stays), "x")
	}
	put(t, filepath.Join(from, "added", "items.log"), "an item")
	if err := Pack(t.Context(), from, archive); err != nil {
		t.Fatal(err)
	}
	if err := Unpack(t.Context(), archive, to); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"set/base.npy": "vectors", "set/parts/0": "a part", "model/m.onnx": "a model"} {
		path, err := Find(t.Context(), to, name)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != want {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	if b, err := os.ReadFile(filepath.Join(to, "records.jsonl")); err != nil || string(b) != "{}\n" {
		t.Errorf("the records: %q, %v", b, err)
	}
	if b, err := os.ReadFile(filepath.Join(to, "added", "items.log")); err != nil || string(b) != "an item" {
		t.Errorf("what was added: %q, %v", b, err)
	}
	for _, stays := range []string{"clicks", "added/.lease", "indexes"} {
		if _, err := os.Stat(filepath.Join(to, stays)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s has travelled: %v", stays, err)
		}
	}
	if _, err := Find(t.Context(), to, "pictures"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what was not kept: %v", err)
	}
	if _, err := Find(t.Context(), t.TempDir(), "set"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of results that keep nothing: %v", err)
	}
	if err := Unpack(t.Context(), archive, to); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("onto a folder that is there: %v", err)
	}
	path, err := Find(t.Context(), to, "set")
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(path, "base.npy"), "vectorz")
	if _, err := Find(t.Context(), to, "set"); err == nil || !strings.Contains(err.Error(), "base.npy") {
		t.Errorf("a changed file: %v", err)
	}
}

// TestDamagedArchive flips every 37th byte, and cuts the archive: each is an error that leaves nothing, or no damage.
func TestDamagedArchive(t *testing.T) {
	archive := filepath.Join(t.TempDir(), "r.tar")
	if err := Pack(t.Context(), results(t), archive); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for at := 0; at < len(whole); at += 37 {
		for _, b := range [][]byte{append(append(bytes.Clone(whole[:at]), whole[at]^0x20), whole[at+1:]...), whole[:at]} {
			damaged, to := filepath.Join(t.TempDir(), "d.tar"), filepath.Join(t.TempDir(), "here")
			if err := os.WriteFile(damaged, b, 0o644); err != nil {
				t.Fatal(err)
			}
			if err := Unpack(t.Context(), damaged, to); err != nil {
				refused++
				if _, err := os.Lstat(to); err == nil {
					t.Fatalf("byte %d: %s is there after an error", at, to)
				}
				continue
			}
			if b, err := os.ReadFile(filepath.Join(to, "kept", "set", "base.npy")); err != nil || string(b) != "vectors" {
				t.Fatalf("byte %d: unpacked as %q, %v", at, b, err)
			}
		}
	}
	if refused < 20 {
		t.Errorf("only %d damages were noticed", refused)
	}
}

// TestForeignFolder: what annbench did not make is not taken away.
func TestForeignFolder(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, Folder, "mine"), "text")
	put(t, filepath.Join(dir, "set", "x"), "x")
	if _, err := Keep(t.Context(), dir, []Tree{{filepath.Join(dir, "set"), "set"}}); err == nil || !strings.Contains(err.Error(), "move it away") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, Folder, "mine")); err != nil {
		t.Error(err)
	}
}
