package models

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// splitsOf is what the card of the model that ships says of the files it was made from: by collection,
// then by split.
func splitsOf(t *testing.T) map[string]map[string]splitDigest {
	t.Helper()
	c, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	var training struct {
		Splits map[string]map[string]splitDigest `json:"splits"`
	}
	if err := json.Unmarshal(c.Training, &training); err != nil {
		t.Fatal(err)
	}
	return training.Splits
}

type splitDigest struct {
	Images int    `json:"images"`
	Files  int    `json:"files"`
	SHA256 string `json:"sha256"` // over the sorted SHA-256 of the files, in hexadecimal digits, a line each
}

// The files that the card says were trained on are those of the train split, and none of them is
// among those that chose the epoch or that the model is measured on. The recipe refuses a file that
// stands in two splits; this recomputes it from the files.
func TestTestSplitWasNotTrainedOn(t *testing.T) {
	for name, splits := range splitsOf(t) {
		seen := map[string]string{}
		for _, split := range []string{"train", "validation", "test"} {
			d, ok := splits[split]
			if !ok || d.Files == 0 || !isDigest(d.SHA256) {
				t.Errorf("%s: the card says nothing of split %s: %+v", name, split, d)
			}
			if other := seen[d.SHA256]; other != "" {
				t.Errorf("%s: splits %s and %s are the same files", name, other, split)
			}
			seen[d.SHA256] = split
		}
	}

	data := os.Getenv("ANNBENCH_DATA")
	if data == "" {
		t.Skip("ANNBENCH_DATA names no folder with clothing/{train,validation,test}/CATEGORY/*.jpg")
	}
	where := map[string]string{} // split and path of a file, by its digest
	for split, want := range splitsOf(t)["photographs"] {
		root := filepath.Join(data, "clothing", split)
		var digests []string
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !slices.Contains([]string{".jpg", ".jpeg", ".png"}, strings.ToLower(filepath.Ext(path))) {
				return err
			}
			digest, err := digestFile(path)
			if err != nil {
				return err
			}
			if other, ok := where[digest]; ok && !strings.HasPrefix(other, root) {
				t.Errorf("%s is byte for byte %s", path, other)
			}
			where[digest] = path
			digests = append(digests, digest)
			return nil
		})
		if err != nil {
			t.Skip(err)
		}
		slices.Sort(digests)
		h := sha256.New()
		for _, d := range slices.Compact(digests) {
			fmt.Fprintln(h, d)
		}
		if got := hex.EncodeToString(h.Sum(nil)); got != want.SHA256 {
			t.Errorf("the %d files of %s have digest %s; the card says that split %s was %d files of %s", len(digests), root, got, split, want.Files, want.SHA256)
		}
	}
}
