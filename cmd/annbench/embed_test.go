package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"annbench/bench/dataset/collection"
	"annbench/bench/pipeline"
	"annbench/embedder"
)

// photo is the file of a picture that no other number has.
func photo(n int) []byte {
	img := image.NewRGBA(image.Rect(0, 0, 24, 16))
	for i := range img.Pix {
		img.Pix[i] = uint8((i*n + n>>3) % 251)
	}
	for y := range 16 {
		for x := range 8 {
			img.SetRGBA(x, y, color.RGBA{uint8(n), uint8(n >> 4), uint8(n >> 8), 255})
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// pngOf is a PNG whose header tells of w × h pixels with a right checksum, whatever follows.
func pngOf(w, h uint32, depth, kind byte, rest []byte) []byte {
	head := binary.BigEndian.AppendUint32([]byte("IHDR"), w)
	head = append(binary.BigEndian.AppendUint32(head, h), depth, kind, 0, 0, 0)
	b := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d"), head...)
	return append(binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(head)), rest...)
}

// brokenPhotos are ways in which an image file can be broken, each with what its reason must say. A nil file
// is made otherwise: by its name.
func brokenPhotos() []struct {
	name, want string
	file       []byte
} {
	whole := photo(77)
	changed := func(marker string, at int, to string) []byte {
		b := bytes.Clone(whole)
		i := bytes.Index(b, []byte(marker))
		copy(b[i+at:], to)
		return b
	}
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewRGBA(image.Rect(0, 0, 20, 20))); err != nil {
		panic(err)
	}
	small := b.Bytes()
	data := small[33:] // after the header
	damaged := bytes.Clone(small)
	damaged[len(damaged)-20] ^= 0xff
	return []struct {
		name, want string
		file       []byte
	}{
		{"empty.jpg", "the file is empty", []byte{}},
		{"text.jpg", "not a JPEG, PNG or WebP image", []byte("hello\n")},
		{"page.jpeg", "not a JPEG, PNG or WebP image", []byte("<!DOCTYPE html><title>404</title>")},
		{"gif.png", "not a JPEG, PNG or WebP image", []byte("GIF89a\x01\x00\x01\x00\x00")},
		{"head.jpg", "cut short", whole[:20]},
		{"half.jpg", "cut short", whole[:len(whole)/2]},
		{"end.jpg", "decoding JPEG", whole[:len(whole)-40]},
		{"magic.jpg", "decoding JPEG", []byte("\xff\xd8\xff\x00\x00\x00\x00\x00\x00")},
		{"huge.jpg", "65535×65535 pixels are more than the limit", changed("\xff\xc0", 5, "\xff\xff\xff\xff")},
		{"flat.jpg", "decoding JPEG", changed("\xff\xc0", 5, "\x00\x00\x00\x00")},
		{"deep.jpg", "precision", changed("\xff\xc0", 4, "\x0c")},
		{"lossless.jpg", "decoding JPEG", changed("\xff\xc0", 0, "\xff\xc3")},
		{"tables.jpg", "decoding JPEG", changed("\xff\xc4", 0, "\xff\xe5")},
		{"bomb.png", "30000×30000 pixels are more than the limit", pngOf(30000, 30000, 8, 0, data)},
		{"giant.png", "100000×100000 pixels are more than the limit", pngOf(100000, 100000, 16, 6, data)},
		{"lying.png", "decoding PNG", pngOf(2000, 2000, 8, 6, data)},
		{"none.png", "decoding PNG", pngOf(0, 0, 8, 6, data)},
		{"damaged.png", "decoding PNG", damaged},
		{"cut.png", "decoding PNG", small[:50]},
		{"half.webp", "decoding WebP", []byte("RIFF\x1a\x00\x00\x00WEBPVP8L\x0d\x00\x00\x00\x2f\x00")},
		{"empty.webp", "decoding WebP", []byte("RIFF\x04\x00\x00\x00WEBP")},
		{"folder.jpg", "folder.jpg", nil},
		{"link.jpg", "no such file", nil},
		{"circle.jpg", "circle.jpg", nil},
	}
}

func photoFolder(dir string, n, broken int) error {
	for _, label := range []string{"dress", "shoe"} {
		if err := os.MkdirAll(filepath.Join(dir, label), 0o777); err != nil {
			return err
		}
	}
	kinds := brokenPhotos()
	for i := range n {
		path := filepath.Join(dir, []string{"dress", "shoe"}[i%2], fmt.Sprintf("%05d.jpg", i))
		file := photo(i)
		if every := n / max(broken, 1); broken > 0 && i%every == 0 && i/every < broken {
			kind := kinds[i/every%len(kinds)]
			path = filepath.Join(filepath.Dir(path), fmt.Sprintf("%05d-%s", i, kind.name))
			file = kind.file
			var err error
			switch kind.name {
			case "folder.jpg":
				err = os.Mkdir(path, 0o777)
			case "link.jpg":
				err = os.Symlink("nowhere", path)
			case "circle.jpg":
				err = os.Symlink(filepath.Base(path), path)
			}
			if err != nil {
				return err
			}
			if file == nil {
				continue
			}
		}
		if err := os.WriteFile(path, file, 0o666); err != nil {
			return err
		}
	}
	return nil
}

// tinyModel is the card of a model of 8 × 8 pixels.
func tinyModel() string {
	path, err := filepath.Abs("../../embedder/testdata/tiny.json")
	if err != nil {
		panic(err)
	}
	return path
}

func needsRuntime(t *testing.T) {
	t.Helper()
	if _, err := embedder.FindLibrary(); err != nil || !hasCgo {
		t.Skipf("models cannot be run: cgo %v, %v", hasCgo, err)
	}
}

// embedCommand is the command "embed" on the tiny model, in batches of 8.
func embedCommand(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	program, err := exec.LookPath("annbench") // this test, as testscript.Main has it
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, append([]string{"embed", "--model", tinyModel(), "--device", "cpu", "--batch", "8", "--json"}, args...)...)
	if library, err := embedder.FindLibrary(); err == nil {
		cmd.Env = append(os.Environ(), embedder.LibraryVariable+"="+library)
	}
	return cmd
}

func embedJSON(t *testing.T, args ...string) (r pipeline.Embedded, stderr string) {
	t.Helper()
	cmd := embedCommand(t, args...)
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, &log)
	}
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	return r, log.String()
}

// A folder of 1,000 files of which 50 are broken gives 950 vectors and 50 reasons.
func TestEmbedBrokenFolder(t *testing.T) {
	needsRuntime(t)
	dir, out := filepath.Join(t.TempDir(), "photos"), filepath.Join(t.TempDir(), "v")
	if err := photoFolder(dir, 1000, 50); err != nil {
		t.Skipf("this file system does not take all kinds of files: %v", err)
	}
	r, _ := embedJSON(t, dir, "--out", out)
	if r.Images != 950 || len(r.Skipped) != 50 {
		t.Errorf("%d images, %d left out", r.Images, len(r.Skipped))
	}
	reasons := map[string]string{}
	for _, f := range r.Skipped {
		reasons[f.ID] = f.Reason
	}
	kinds := brokenPhotos()
	for k := range 50 {
		kind := kinds[k%len(kinds)]
		id := fmt.Sprintf("%s/%05d-%s", []string{"dress", "shoe"}[k*20%2], k*20, kind.name)
		if reason := reasons[id]; !strings.Contains(reason, kind.want) || !strings.Contains(reason, filepath.Join(dir, id)) {
			t.Errorf("%s: %q should say %q and name the file", id, reason, kind.want)
		}
	}
	c, err := collection.OpenFolder(out)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if c.Vectors.Rows != 950 || c.Meta.Digest != r.Digest {
		t.Errorf("%d vectors, digest %s, told %s", c.Vectors.Rows, c.Meta.Digest, r.Digest)
	}
	for _, item := range c.Items {
		if _, broken := reasons[item.ID]; broken {
			t.Errorf("%s has a vector", item.ID)
		}
	}

	// Strict: the first in order ends it, on exit code 1, and nothing has the name.
	cmd := embedCommand(t, dir, "--out", out+"-strict", "--strict")
	text, _ := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(string(text), "picture dress/00000-empty.jpg: reading "+dir) {
		t.Errorf("exit code %d: %s", code, text)
	}
	if _, err := os.Stat(out + "-strict"); err == nil {
		t.Error("there are vectors")
	}
}

// marksOf counts the batches in the journal of a folder that is being written, and its rows.
func marksOf(out string) (marks, rows int) {
	text, _ := os.ReadFile(filepath.Join(collection.PartDir(out), "journal.jsonl"))
	lines := strings.SplitAfter(string(text), "\n")
	for _, line := range lines[:max(0, len(lines)-1)] {
		var m struct {
			Version int
			Rows    int
		}
		if json.Unmarshal([]byte(line), &m) == nil && m.Version == 0 {
			marks++
			rows = m.Rows
		}
	}
	return marks, rows
}

// Killed again and again, once asked to end, and resumed: no image goes through the model twice once
// its batch is marked, and the end is that of an undisturbed run.
func TestEmbedKilled(t *testing.T) {
	needsRuntime(t)
	n := 4000
	if text := os.Getenv("ANNBENCH_KILL_IMAGES"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	dir, out := filepath.Join(t.TempDir(), "photos"), filepath.Join(t.TempDir(), "v")
	if err := photoFolder(dir, n, n/40); err != nil {
		t.Skipf("this file system does not take all kinds of files: %v", err)
	}
	whole, _ := embedJSON(t, dir, "--out", out+"-whole")

	before, kills := 0, 0
	for _, stop := range []syscall.Signal{syscall.SIGKILL, syscall.SIGKILL, syscall.SIGINT, syscall.SIGKILL} {
		marks, _ := marksOf(out)
		cmd := embedCommand(t, dir, "--out", out)
		var log bytes.Buffer
		cmd.Stderr = &log
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		tick := time.NewTicker(time.Millisecond)
	wait:
		for {
			select {
			case <-ended:
				break wait // faster than this test could look: what is checked below still holds
			case <-tick.C:
				if now, _ := marksOf(out); now > marks+n/8/6 {
					_ = cmd.Process.Signal(stop)
					<-ended
					break wait
				}
			}
		}
		tick.Stop()
		if cmd.ProcessState.Success() {
			t.Logf("it was done before it could be stopped")
			if err := os.RemoveAll(out); err != nil {
				t.Fatal(err)
			}
			before = 0
			continue
		}
		kills++
		if stop == syscall.SIGINT {
			if code := cmd.ProcessState.ExitCode(); code != 130 || !strings.Contains(log.String(), "the same command resumes from there") {
				t.Errorf("exit code %d after SIGINT: %s", code, &log)
			}
		}
		if before > 0 && !strings.Contains(log.String(), "going on after") {
			t.Errorf("it began anew: %s", &log)
		}
		_, rows := marksOf(out)
		if rows <= before {
			t.Errorf("%d rows after %s, %d before", rows, stop, before)
		}
		before = rows
	}
	if kills == 0 {
		t.Skip("this machine is too fast for a kill to hit: more images are needed (ANNBENCH_KILL_IMAGES)")
	}
	r, _ := embedJSON(t, dir, "--out", out)
	if r.Digest != whole.Digest || r.Images != n-n/40 || len(r.Skipped) != n/40 {
		t.Errorf("digest %s of %d images, %d left out; undisturbed %s of %d", r.Digest, r.Images, len(r.Skipped), whole.Digest, whole.Images)
	}
	if fmt.Sprint(r.Skipped) != fmt.Sprint(whole.Skipped) {
		t.Error("other images were left out")
	}
	if r.Resumed != before {
		t.Errorf("%d images were embedded before, the journal had %d", r.Resumed, before)
	}
	// What went through the model in the last call is what was missing, and no more.
	if went := r.Stages[1].Images; went > n-before || went < r.Images-before {
		t.Errorf("%d images went through the model after %d of %d", went, before, n)
	}
	t.Logf("%d kills; the last call went on after %d rows of %d images, and ran the model on %d", kills, before, n, r.Stages[1].Images)
}

// A category that lost all of its images is named, and kept among the notes of the vectors, whether they were embedded at
// once or in shards of which none knows what the others lost.
func TestEmbedLostCategory(t *testing.T) {
	needsRuntime(t)
	base := t.TempDir()
	dir, v := filepath.Join(base, "photos"), filepath.Join(base, "v")
	if err := photoFolder(dir, 12, 0); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{"belts", "hat"} {
		if err := os.Mkdir(filepath.Join(dir, folder), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"1.jpg", "2.jpg", "3.jpg"} {
		if err := os.WriteFile(filepath.Join(dir, "hat", name), []byte("hello"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{
		`1 category is missing, as no image was found in the folder: "belts"`,
		`1 category missing, as none of the pictures could be read: "hat"`,
	}
	whole, log := embedJSON(t, dir, "--out", v)
	if !slices.Equal(whole.Notes, want) || !strings.Contains(log, want[1]) {
		t.Errorf("%q\n%s", whole.Notes, log)
	}
	merge := []string{"merge", "--out", v + "-merged"}
	for i := range 2 { // hat lies across both
		r, log := embedJSON(t, dir, "--out", v, "--shard", fmt.Sprintf("%d/2", i+1))
		if len(r.Skipped) == 0 || strings.Contains(log, want[1]) {
			t.Errorf("shard %d left out %d: %s", i+1, len(r.Skipped), log)
		}
		merge = append(merge, fmt.Sprintf("%s-%d-of-2", v, i+1))
	}
	program, err := exec.LookPath("annbench")
	if err != nil {
		t.Fatal(err)
	}
	text, err := exec.Command(program, merge...).CombinedOutput()
	if err != nil || !strings.Contains(string(text), want[0]) || !strings.Contains(string(text), want[1]) {
		t.Errorf("%v: %s", err, text)
	}
	for _, folder := range []string{v, v + "-merged"} {
		c, err := collection.OpenFolder(folder)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(c.Meta.Notes, want) {
			t.Errorf("%s: %q", folder, c.Meta.Notes)
		}
		c.Close()
	}
}

// Shards joined are the whole, and what does not belong together is not joined.
func TestEmbedShards(t *testing.T) {
	needsRuntime(t)
	base := t.TempDir()
	dir, v := filepath.Join(base, "photos"), filepath.Join(base, "v")
	if err := photoFolder(dir, 300, 30); err != nil {
		t.Skipf("this file system does not take all kinds of files: %v", err)
	}
	whole, _ := embedJSON(t, dir, "--out", v)
	skipped := 0
	for i := range 7 {
		r, _ := embedJSON(t, dir, "--out", v, "--shard", fmt.Sprintf("%d/7", i+1))
		skipped += len(r.Skipped)
	}
	if skipped != 30 {
		t.Errorf("%d left out", skipped)
	}
	embedJSON(t, dir, "--out", v, "--shard", "1/6")
	embedJSON(t, dir, "--out", v+"other", "--shard", "2/7", "--thumbnails", "20")
	all, err := filepath.Glob(v + "-*-of-7")
	if err != nil || len(all) != 7 {
		t.Fatal(all, err)
	}
	merge := func(dirs ...string) (code int, text string) {
		program, err := exec.LookPath("annbench")
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(program, append(append([]string{"merge"}, dirs...), "--out", v+"-merged")...)
		out, _ := cmd.CombinedOutput()
		return cmd.ProcessState.ExitCode(), string(out)
	}
	for _, test := range []struct {
		dirs []string
		want string
	}{
		{all[:6], "shards [7] of 7 are missing"},
		{append(all[1:7:7], v+"-1-of-6"), "merge shards of one division"},
		{append(all[:7:7], all[3]), "are both shard 4/7"},
		{append(append([]string{all[0]}, all[2:]...), v+"other-2-of-7"), "shards of different collections"},
		{append(all[:6:6], v), "not a shard"},
		{append(all[:6:6], dir), "is no folder of vectors"},
	} {
		if code, text := merge(test.dirs...); code != 2 || !strings.Contains(text, test.want) {
			t.Errorf("%q: exit code %d: %s", test.want, code, text)
		}
	}
	all[0], all[5] = all[5], all[0] // in whatever order
	if code, text := merge(all...); code != 0 || !strings.Contains(text, whole.Digest) {
		t.Fatalf("exit code %d, want digest %s: %s", code, whole.Digest, text)
	}
	a, err := collection.OpenFolder(v)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	b, err := collection.OpenFolder(v + "-merged")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for row := range a.Items {
		x, _, err := a.Thumb(row)
		y, _, err2 := b.Thumb(row)
		if err != nil || err2 != nil || !bytes.Equal(x, y) {
			t.Fatalf("picture %d differs: %v, %v", row, err, err2)
		}
	}
	cmd := embedCommand(t, dir, "--out", v, "--shard", "1/301")
	if text, _ := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != 2 || !strings.Contains(string(text), "at most as many shards") {
		t.Errorf("more shards than files: %s", text)
	}
}
