package catalog

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

var _ Source = (*Folder)(nil)

func jpegBytes(t *testing.T, w, h int, c color.Color) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.Set(x, y, c)
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func pngBytes(t *testing.T, w, h int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, w, h))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// giantPNG is a header that claims 100,000 × 100,000 pixels of 16 bits, with a right checksum.
func giantPNG() []byte {
	ihdr := binary.BigEndian.AppendUint32([]byte("IHDR"), 100_000)
	ihdr = binary.BigEndian.AppendUint32(ihdr, 100_000)
	ihdr = append(ihdr, 16, 6, 0, 0, 0)
	out := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d")
	out = append(out, ihdr...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(ihdr))
}

func write(t *testing.T, dir, name string, data []byte) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func ids(s Source) []string {
	var out []string
	for g := range s.Groups() {
		for _, it := range s.Items(g) {
			out = append(out, it.ID)
		}
	}
	return out
}

func TestFolderOrderAndLabels(t *testing.T) {
	dir := t.TempDir()
	red := jpegBytes(t, 20, 10, color.RGBA{200, 0, 0, 255})
	write(t, dir, "skirt/b.JPG", red)
	write(t, dir, "skirt/a.jpeg", red)
	write(t, dir, "skirt/deep/er/c.PNG", pngBytes(t, 3, 7))
	write(t, dir, "dress/z.jpg", red)
	write(t, dir, "dress/notes.txt", []byte("x"))
	write(t, dir, "dress/.hidden.jpg", red)
	write(t, dir, ".git/x.jpg", red)
	write(t, dir, "LICENSE", []byte("x"))
	write(t, dir, "empty/readme.md", []byte("x"))

	f, err := OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := ids(f), []string{"dress/z.jpg", "skirt/a.jpeg", "skirt/b.JPG", "skirt/deep/er/c.PNG"}; !slices.Equal(got, want) {
		t.Errorf("items %q, want %q", got, want)
	}
	if got, want := f.Labels(), []string{"dress", "skirt"}; !slices.Equal(got, want) {
		t.Errorf("labels %q, want %q", got, want)
	}
	if f.Ignored() != 3 {
		t.Errorf("ignored %d, want 3: notes.txt, LICENSE, readme.md", f.Ignored())
	}
	if f.Len() != 4 || f.Groups() != 4 || f.Name() != filepath.Base(dir) {
		t.Errorf("len %d, groups %d, name %q", f.Len(), f.Groups(), f.Name())
	}
	for g := range f.Groups() {
		for i, p := range f.Group(g) {
			if p.Err != nil || p.Image == nil || p.Item != f.Items(g)[i] {
				t.Errorf("group %d: %+v", g, p)
			}
		}
	}
	if b := f.Group(3)[0].Image.Bounds(); b.Dx() != 3 || b.Dy() != 7 {
		t.Errorf("c.PNG has bounds %v", b)
	}
}

// A broken file keeps its place and says what is wrong with it; the others are read.
func TestFolderBrokenFiles(t *testing.T) {
	dir := t.TempDir()
	whole := jpegBytes(t, 64, 64, color.RGBA{10, 200, 30, 255})
	giantJPEG := slices.Clone(whole)
	sof := bytes.Index(giantJPEG, []byte{0xff, 0xc0})
	copy(giantJPEG[sof+5:], "\xff\xff\xff\xff") // 65,535 × 65,535

	for _, c := range []struct {
		name string
		data []byte
		want string // in the error; "" for none
	}{
		{"cut.jpg", whole[:len(whole)/2], "cut short"},
		{"cuthead.jpg", whole[:12], "cut short"},
		{"cut.png", pngBytes(t, 50, 50)[:60], "decoding PNG"},
		{"empty.jpg", nil, "empty"},
		{"gif.png", []byte("GIF89a\x01\x00\x01\x00"), "not a JPEG, PNG or WebP"},
		{"giant.jpg", giantJPEG, "65535×65535 pixels are more than the limit"},
		{"giant.png", giantPNG(), "100000×100000 pixels are more than the limit"},
		{"line.png", pngBytes(t, 70_000, 1), "70000×1 pixels: a side has at most 65535"},
		{"ok.jpg", whole, ""},
		{"really-a-png.jpg", pngBytes(t, 5, 5), ""},
		{"text.jpg", []byte("not an image\n"), "not a JPEG, PNG or WebP"},
	} {
		write(t, dir, "hat/"+c.name, c.data)
		f, err := OpenFolder(dir)
		if err != nil {
			t.Fatal(err)
		}
		g := slices.Index(ids(f), "hat/"+c.name)
		p := f.Group(g)[0]
		switch {
		case c.want == "" && (p.Err != nil || p.Image == nil):
			t.Errorf("%s: %v", c.name, p.Err)
		case c.want == "":
		case p.Err == nil:
			t.Errorf("%s: no error", c.name)
		case p.Image != nil:
			t.Errorf("%s: an error and an image", c.name)
		case !strings.Contains(p.Err.Error(), c.want) || !strings.Contains(p.Err.Error(), c.name):
			t.Errorf("%s: error %q should say %q and name the file", c.name, p.Err, c.want)
		}
	}
}

func TestFolderFileThatVanished(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "hat/a.jpg", jpegBytes(t, 8, 8, color.White))
	f, err := OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "hat/a.jpg")); err != nil {
		t.Fatal(err)
	}
	if p := f.Group(0)[0]; !errors.Is(p.Err, os.ErrNotExist) || !strings.Contains(p.Err.Error(), "a.jpg") {
		t.Errorf("error %v", p.Err)
	}
	if _, err := f.Digest(t.Context()); err != nil {
		t.Errorf("digest: %v", err)
	}
}

// Whatever bytes there are, decoding returns.
func FuzzDecode(f *testing.F) {
	f.Add([]byte("\xff\xd8\xff\xdb"))
	f.Add(giantPNG())
	f.Fuzz(func(t *testing.T, data []byte) {
		img, err := decode(data)
		if (img == nil) == (err == nil) {
			t.Errorf("image %v, error %v", img, err)
		}
	})
}

func TestFolderOddNames(t *testing.T) {
	dir := t.TempDir()
	red := jpegBytes(t, 8, 8, color.White)
	names := []string{"a b.jpg", "é.jpg", "tab\t.jpg", "new\nline.jpg", `back\slash.jpg`, `new\nline.jpg`, "\xff\xfe.jpg", `say "hi".jpg`}
	for _, n := range names {
		if err := os.MkdirAll(filepath.Join(dir, "odd"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "odd", n), red, 0o644); err != nil {
			t.Skipf("this file system does not take the name %q: %v", n, err)
		}
	}
	f, err := OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{`odd/a b.jpg`, `odd/back\\slash.jpg`, `odd/new\\nline.jpg`, `odd/new\nline.jpg`, `odd/say "hi".jpg`, `odd/tab\t.jpg`, `odd/\xff\xfe.jpg`, `odd/é.jpg`}
	slices.Sort(want)
	if got := ids(f); !slices.Equal(got, want) {
		t.Errorf("ids\n%q\nwant\n%q", got, want)
	}
	for g := range f.Groups() {
		if p := f.Group(g)[0]; p.Err != nil {
			t.Error(p.Err)
		}
	}
}

func TestFolderSymlinks(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	red := jpegBytes(t, 8, 8, color.White)
	write(t, other, "x.jpg", red)
	write(t, other, "sub/y.jpg", red)
	write(t, dir, "hat/a.jpg", red)
	if err := os.Mkdir(filepath.Join(dir, "hat/bare.png"), 0o755); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{
		"hat/file.jpg":   filepath.Join(other, "x.jpg"),
		"hat/folder":     other,
		"hat/again":      filepath.Join(other, "sub"), // reached first, by name
		"hat/circle":     filepath.Join(dir, "hat"),
		"hat/nowhere":    filepath.Join(dir, "none"),
		"linked":         other,
		"dangling":       filepath.Join(dir, "none"),
		"hat/loop.jpg":   "loop.jpg",
		"hat/gone.jpg":   filepath.Join(dir, "none"),
		"hat/dev.jpg":    os.DevNull,
		"hat/parent":     dir,
		"hat/folder.jpg": other,
	} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Skipf("no symbolic links here: %v", err)
		}
	}
	f, err := OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	got := ids(f)
	if !slices.IsSorted(got) {
		t.Errorf("not sorted: %q", got)
	}
	for _, want := range []string{"hat/a.jpg", "hat/file.jpg", "hat/again/y.jpg", "hat/folder/x.jpg", "linked/x.jpg", "linked/sub/y.jpg"} {
		if !slices.Contains(got, want) {
			t.Errorf("%s is missing from %q", want, got)
		}
	}
	for g := range f.Groups() {
		p := f.Group(g)[0]
		if want := p.ID == "hat/loop.jpg" || p.ID == "hat/gone.jpg" || p.ID == "hat/bare.png"; (p.Err != nil) != want {
			t.Errorf("%s: %v", p.ID, p.Err)
		}
		if p.Err != nil && !strings.Contains(p.Err.Error(), filepath.Join(dir, p.ID)) {
			t.Errorf("%v does not name the file", p.Err)
		}
	}
	for _, want := range []string{"hat/loop.jpg", "hat/gone.jpg", "hat/bare.png"} {
		if !slices.Contains(got, want) {
			t.Errorf("%s is missing from %q", want, got)
		}
	}
	if _, err := f.Digest(t.Context()); err != nil {
		t.Error(err)
	}
	// What is left out is named; a link to the folder of all categories would make each a part of hat.
	reasons := map[string]string{}
	for _, p := range f.Problems() {
		reasons[p.ID] = p.Reason
	}
	for id, want := range map[string]string{"hat/circle": "read already", "hat/parent": "read already", "hat/dev.jpg": "a device"} {
		if !strings.Contains(reasons[id], want) {
			t.Errorf("%s: %q, want %q", id, reasons[id], want)
		}
		if slices.ContainsFunc(got, func(g string) bool { return strings.HasPrefix(g, id) }) {
			t.Errorf("%s is taken: %q", id, got)
		}
	}
}

func TestOpenFolderErrors(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "file", []byte("x"))
	write(t, dir, "flat/a.jpg", jpegBytes(t, 8, 8, color.White))
	if err := os.MkdirAll(filepath.Join(dir, "bare"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ sub, want string }{
		{"missing", "missing"},
		{"file", "is not a folder"},
		{"bare", "put images in " + filepath.Join(dir, "bare", "CATEGORY", "x.jpg")},
		{"flat", "1 images lie in it without a category"},
	} {
		_, err := OpenFolder(filepath.Join(dir, c.sub))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v should say %q", c.sub, err, c.want)
		}
	}
	if _, err := Open(filepath.Join(dir, "file")); err == nil || !strings.Contains(err.Error(), "it is a file, not a folder") {
		t.Errorf("a file: error %v should say that it is a file", err)
	}
	if f, err := OpenFolder(dir); err != nil || len(f.Labels()) != 1 {
		t.Errorf("one category is allowed: %v", err)
	}
}

func TestFolderDigest(t *testing.T) {
	digest := func(dir string) string {
		t.Helper()
		f, err := OpenFolder(dir)
		if err != nil {
			t.Fatal(err)
		}
		d, err := f.Digest(t.Context())
		if err != nil || len(d) != 64 {
			t.Fatalf("digest %q, %v", d, err)
		}
		return d
	}
	a, b := t.TempDir(), t.TempDir()
	red, blue := jpegBytes(t, 8, 8, color.RGBA{200, 0, 0, 255}), jpegBytes(t, 8, 8, color.RGBA{0, 0, 200, 255})
	for _, dir := range []string{a, b} {
		write(t, dir, "hat/1.jpg", red)
		write(t, dir, "coat/2.jpg", blue)
	}
	first := digest(a)
	if digest(b) != first {
		t.Error("the place of the folder changes the digest")
	}
	write(t, b, "hat/notes.txt", []byte("x"))
	if digest(b) != first {
		t.Error("an ignored file changes the digest")
	}
	write(t, b, "hat/1.jpg", blue)
	if digest(b) == first {
		t.Error("other pixels, the same digest")
	}
	write(t, b, "hat/1.jpg", red)
	if err := os.Rename(filepath.Join(b, "hat"), filepath.Join(b, "cap")); err != nil {
		t.Fatal(err)
	}
	if digest(b) == first {
		t.Error("another label, the same digest")
	}

	f, err := OpenFolder(a)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Digest(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v of a cancelled digest", err)
	}
}

// The photographs of a real collection, read by many goroutines at once.
func TestFolderOfPhotographs(t *testing.T) {
	data := os.Getenv("ANNBENCH_DATA")
	if data == "" {
		t.Skip("ANNBENCH_DATA is not set: no photographs to read")
	}
	dir := filepath.Join(data, "clothing", "test")
	if _, err := os.Stat(dir); err != nil {
		t.Skip(err)
	}
	f, err := OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if f.Len() != 372 || len(f.Labels()) != 10 {
		t.Errorf("%d images in %d categories, want 372 in 10", f.Len(), len(f.Labels()))
	}
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for g := w; g < 40; g += 4 {
				if p := f.Group(g)[0]; p.Err != nil {
					t.Error(p.Err)
				}
			}
		})
	}
	wg.Wait()
}
