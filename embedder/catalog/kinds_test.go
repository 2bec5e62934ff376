package catalog

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"annbench/internal/filekind"
)

// problemsOf are the problems of src by kind, as "kind: base name".
func problemsOf(src Source) []string {
	var list []string
	for _, p := range src.(Troubled).Problems() {
		list = append(list, fmt.Sprintf("%s: %s", p.Kind, filepath.Base(p.Where)))
	}
	return list
}

// TestCaseI1: images of other kinds do not vanish without a word. HEIC, AVIF, GIF, BMP and TIFF are named; a
// JPEG called .jfif is read; files beside the categories are named; a category that has no image at all is
// missing, and said to be.
func TestCaseI1(t *testing.T) {
	dir := t.TempDir()
	for _, category := range []string{"dress", "bags"} {
		if err := os.CopyFS(filepath.Join(dir, category), os.DirFS("testdata/I1")); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"a.jfif", "ok0.jpg"} { // what can be read of bags
		if err := os.Remove(filepath.Join(dir, "bags", name)); err != nil {
			t.Fatal(err)
		}
	}
	write(t, dir, "stray.jpg", jpegBytes(t, 3, 3, color.Black))
	write(t, dir, "labels.csv", []byte("id,label\n1,dress\n"))
	f, err := OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(ids(f)); got != "[dress/a.jfif dress/ok0.jpg]" {
		t.Errorf("items %s", got)
	}
	for g := range f.Groups() {
		if p := f.Group(g)[0]; p.Err != nil {
			t.Errorf("%v", p.Err)
		}
	}
	got := strings.Join(problemsOf(f), "\n")
	want := `picture of another kind: IMG_1.HEIC
picture of another kind: anim.gif
picture of another kind: x.avif
picture of another kind: x.bmp
picture of another kind: x.tiff
empty category: bags
picture of another kind: IMG_1.HEIC
picture of another kind: anim.gif
picture of another kind: x.avif
picture of another kind: x.bmp
picture of another kind: x.tiff
stray file: labels.csv
stray file: stray.jpg`
	if got != want {
		t.Errorf("problems\n%s\nwant\n%s", got, want)
	}
	text := strings.Join(DescribeProblems(f.Problems()), "\n")
	for _, says := range []string{"10 pictures of another kind, 10 items left out", "HEIC is not read: convert it to JPEG", "1 empty category", "the category bags is missing", "2 stray files"} {
		if !strings.Contains(text, says) {
			t.Errorf("the report does not say %q:\n%s", says, text)
		}
	}
	if Strict(f.Problems()) == nil {
		t.Error("strict does not end")
	}
}

// TestKinds: each of the files is what its first bytes say.
func TestKinds(t *testing.T) {
	for name, want := range map[string]string{
		"IMG_1.HEIC": "HEIC", "a.jfif": "JPEG", "anim.gif": "GIF", "ok0.jpg": "JPEG", "x.avif": "AVIF", "x.bmp": "BMP", "x.tiff": "TIFF",
	} {
		if got := filekind.OfFile(filepath.Join("testdata", "I1", name)); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for text, want := range map[string]string{
		"": "", "\x00\x01\x02": "", "%PDF-1.7": "PDF", "PK\x03\x04": "zip", "id,label\n": "text", "\ufeffä": "text", "<html>": "HTML", "<!DOCTYPE html>\n": "HTML",
		"<svg xmlns=": "SVG", "version https://git-lfs.github.com/spec/v1\noid": "Git LFS pointer", "RIFF\x00\x00\x00\x00WAVE": "", "\x00\x00\x00\x18ftypmp42": "video",
	} {
		if got := filekind.Of([]byte(text)); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

// TestCaseI2: splits above the categories are no categories.
func TestCaseI2(t *testing.T) {
	dir := t.TempDir()
	for _, split := range []string{"train", "valid", "test"} {
		for _, label := range []string{"dress", "shoes", "bags"} {
			write(t, filepath.Join(dir, split, label), "0.jpg", jpegBytes(t, 3, 3, color.Black))
		}
	}
	_, err := OpenFolder(dir)
	if err == nil {
		t.Fatal("train, valid and test were taken for categories")
	}
	for _, says := range []string{dir, "splits test, train, valid", "bags, dress, shoes", filepath.Join(dir, "test"), filepath.Join(dir, "*")} {
		if !strings.Contains(err.Error(), says) {
			t.Errorf("the error does not say %q: %v", says, err)
		}
	}
	all, err := Open(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(all.Labels()) != "[bags dress shoes]" || all.Len() != 9 {
		t.Errorf("labels %v, %d items", all.Labels(), all.Len())
	}
	one, err := Open(filepath.Join(dir, "train"))
	if err != nil || fmt.Sprint(one.Labels()) != "[bags dress shoes]" || one.Len() != 3 {
		t.Errorf("one split: %v, %v", one, err)
	}
}

// TestSplitsThatAreNone: a category may be called test, or dev.
func TestSplitsThatAreNone(t *testing.T) {
	for name, folders := range map[string][]string{
		"one such name":         {"test/a", "shoes/a"},
		"no folders below":      {"train", "test"},
		"other folders in each": {"train/steam", "test/tubes"},
	} {
		dir := t.TempDir()
		for _, f := range folders {
			write(t, filepath.Join(dir, f), "0.jpg", jpegBytes(t, 3, 3, color.Black))
		}
		if f, err := OpenFolder(dir); err != nil || f.Len() != 2 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCategoriesThatDifferInCase(t *testing.T) {
	dir := t.TempDir()
	for _, label := range []string{"Dress", "dress", "shoes"} {
		write(t, filepath.Join(dir, label), "0.jpg", jpegBytes(t, 3, 3, color.Black))
	}
	f, err := OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := problemsOf(f); len(got) != 1 || got[0] != "category like another: dress" || !strings.Contains(f.Problems()[0].Reason, `"Dress" and "dress"`) {
		t.Errorf("problems %v", got)
	}
}

// TestLinksAreNamed: a category that is another's folder by a link counts its images twice, and a link to nowhere may have been a
// category.
func TestLinksAreNamed(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "dress"), "0.jpg", jpegBytes(t, 3, 3, color.Black))
	for link, to := range map[string]string{"gowns": "dress", "shoes": "gone", "dress/more": "gone"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	f, err := OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range f.Problems() {
		got = append(got, p.Reason)
	}
	slices.Sort(got)
	want := []string{`"dress" and "gowns" are one folder, by a link: its images count in both`, "the link leads nowhere", "the link leads nowhere", "the link leads nowhere"}
	if !slices.Equal(got, want) {
		t.Errorf("problems %q, want %q", got, want)
	}
}

// TestOrientationOfPNGAndWebP: a picture is turned as its EXIF says, wherever that stands.
func TestOrientationOfPNGAndWebP(t *testing.T) {
	exif := func(o byte) []byte {
		return []byte("II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00" + string(o) + "\x00\x00\x00\x00\x00\x00\x00")
	}
	img := image.NewGray(image.Rect(0, 0, 3, 2))
	img.SetGray(0, 0, color.Gray{200})
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	chunk := func(kind string, data []byte) []byte {
		out := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
		out = append(append(out, kind...), data...)
		return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[4:]))
	}
	const header = 8 + 12 + 13 // signature and IHDR
	plain := b.Bytes()
	for o := byte(1); o <= 8; o++ {
		turnedPNG := bytes.Join([][]byte{plain[:header], chunk("eXIf", exif(o)), plain[header:]}, nil)
		got, err := Decode(t.Context(), turnedPNG, 100)
		if err != nil {
			t.Fatal(err)
		}
		want := turned(img, int(o))
		if got.Bounds().Size() != want.Bounds().Size() {
			t.Fatalf("orientation %d: %v, want %v", o, got.Bounds(), want.Bounds())
		}
		for y := range want.Bounds().Dy() {
			for x := range want.Bounds().Dx() {
				g, _, _, _ := got.At(got.Bounds().Min.X+x, got.Bounds().Min.Y+y).RGBA()
				if w, _, _, _ := want.At(want.Bounds().Min.X+x, want.Bounds().Min.Y+y).RGBA(); g != w {
					t.Errorf("orientation %d: pixel %d, %d is %d, want %d", o, x, y, g>>8, w>>8)
				}
			}
		}
		for _, prefix := range []string{"", "Exif\x00\x00"} {
			data := prefix + string(exif(o))
			webp := []byte("RIFF....WEBPVP8X" + "\x0a\x00\x00\x00" + "\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00" + "EXIF")
			webp = append(binary.LittleEndian.AppendUint32(webp, uint32(len(data))), data...)
			if got := tiffOrientation(webpEXIF(webp)); got != int(o) {
				t.Errorf("WebP with %q: orientation %d, want %d", prefix, got, o)
			}
		}
	}
	for n := range plain {
		_ = pngEXIF(plain[:n]) // cut anywhere, it reads nothing outside
	}
}

// TestCategoriesInDoubt: a category without an image is named, also if its folder is empty, and so are categories that people
// take for one.
func TestCategoriesInDoubt(t *testing.T) {
	dir := t.TempDir()
	for _, label := range []string{"Dress", "dress", "caf\u00e9", "cafe\u0301", "T-shirt", "t shirt", "hat"} {
		write(t, filepath.Join(dir, label), "0.jpg", jpegBytes(t, 3, 3, color.Black))
	}
	for _, label := range []string{"belts", "gloves/old"} {
		if err := os.MkdirAll(filepath.Join(dir, label), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(dir, "scarves"), ".DS_Store", []byte("x"))
	write(t, filepath.Join(dir, "socks"), "readme.txt", []byte("x"))
	f, err := OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if f.Len() != 7 || slices.Contains(f.Labels(), "belts") {
		t.Errorf("%d items of %q", f.Len(), f.Labels())
	}
	want := []string{
		`4 categories are missing, as no image was found in the folder: "belts", "gloves", "scarves" and "socks"`,
		`"Dress" and "dress" count as 2 categories: give them one name if they are the same`,
		`"T-shirt" and "t shirt" count as 2 categories: give them one name if they are the same`,
		`"cafe\u0301" and "caf\u00e9" count as 2 categories: give them one name if they are the same`,
	}
	if got := Doubts(f.Problems()); !slices.Equal(got, want) {
		t.Errorf("doubts\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	text := strings.Join(DescribeProblems(f.Problems()), "\n")
	for _, says := range []string{"4 empty categories:", "the category belts is missing", "3 categories like another:", "Dress"} {
		if !strings.Contains(text, says) {
			t.Errorf("the report does not say %q:\n%s", says, text)
		}
	}

	tsv := filepath.Join(t.TempDir(), BoardsFile)
	write(t, filepath.Dir(tsv), BoardsFile, []byte("image_signature\tbounding_x\tbounding_y\tbounding_width\tbounding_height\tlabel\na\t0\t0\t.5\t.5\tHats\na\t.5\t0\t.5\t.5\that s\n"))
	write(t, filepath.Join(filepath.Dir(tsv), ImagesDir), "a.jpg", jpegBytes(t, 8, 8, color.Black))
	b, err := OpenBoards(tsv, filepath.Join(filepath.Dir(tsv), ImagesDir))
	if err != nil {
		t.Fatal(err)
	}
	if got := Doubts(b.Problems()); len(got) != 1 || !strings.HasPrefix(got[0], `"Hats" and "hat s"`) {
		t.Errorf("doubts of boards: %q", got)
	}
}
