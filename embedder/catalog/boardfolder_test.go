package catalog

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"annbench/embedder/catalog/boards"
)

var _ Source = (*Boards)(nil)

const realHeader = "image_signature bounding_x  bounding_y  bounding_width  bounding_height label\n"

// annotationFile writes rows, below the header, as people know it: spaces there, tabs in the rows.
func annotationFile(t *testing.T, rows ...string) (dir, tsv string) {
	t.Helper()
	dir = t.TempDir()
	write(t, dir, "a.tsv", []byte(realHeader+strings.Join(rows, "\n")+"\n"))
	return dir, filepath.Join(dir, "a.tsv")
}

func row(fields ...any) string {
	var s []string
	for _, f := range fields {
		s = append(s, fmt.Sprint(f))
	}
	return strings.Join(s, "\t")
}

// Each way in which a row can be wrong is a problem of its kind at its line, and the rows around it
// are read.
func TestAnnotationsProblems(t *testing.T) {
	for _, c := range []struct {
		row   string
		kind  ProblemKind
		says  string
		items int
	}{
		{"s 0.1 0.1 0.2 0.2 Hats", UnreadableRow, "1 fields, want 6", 1},
		{row("s", .1, .1, .2, .2), UnreadableRow, "5 fields, want 6", 1},
		{row("s", .1, .1, .2, .2, "Hats", "x"), UnreadableRow, "7 fields", 1},
		{row("s", "left", .1, .2, .2, "Hats"), UnreadableRow, `bounding_x "left" is not a number`, 1},
		{row("s", .1, .1, "NaN", .2, "Hats"), UnreadableRow, `bounding_width "NaN"`, 1},
		{row("s", .1, .1, .2, "Inf", "Hats"), UnreadableRow, `bounding_height "Inf"`, 1},
		{row("s", .1, .1, .2, .2, " "), UnreadableRow, "no label", 1},
		{row("", .1, .1, .2, .2, "Hats"), UnreadableRow, "not the name of a file", 1},
		{row("../../etc/passwd", .1, .1, .2, .2, "Hats"), UnreadableRow, "not the name of a file", 1},
		{row("..", .1, .1, .2, .2, "Hats"), UnreadableRow, "not the name of a file", 1},
		{row("s", .1, .1, 0, .2, "Hats"), EmptyBox, "s#0 has no area", 1},
		{row("s", .1, .1, .2, -.2, "Hats"), EmptyBox, "no area", 1},
		{row("s", 1.1, .1, .2, .2, "Hats"), EmptyBox, "outside of the board", 1},
		{row("s", 120, 80, 64, 32, "Hats"), EmptyBox, "shares of the board, in 0 to 1", 1},
		{row("s", -.1, .1, .2, .2, "Hats"), ClippedBox, "reaches out of the board by 0.1", 0},
		{row("s", .9, .9, .15, .1, "Hats"), ClippedBox, "by 0.05", 0},
	} {
		_, tsv := annotationFile(t, row("r", 0, 0, .5, .5, "Shoes"), c.row, row("z", 0, 0, .5, .5, "Pants"))
		a, err := ReadAnnotations(tsv)
		if err != nil {
			t.Errorf("%q: %v", c.row, err)
			continue
		}
		if len(a.Problems) != 1 || a.Problems[0].Kind != c.kind || a.Problems[0].Where != tsv+":3" ||
			!strings.Contains(a.Problems[0].Reason, c.says) || a.Problems[0].Items != c.items {
			t.Errorf("%q: %+v, want %s that says %q", c.row, a.Problems, c.kind, c.says)
		}
		if want := 2 + 1 - c.items; len(a.Boards) != want || a.Boards[0].Name != "r" || a.Boards[want-1].Name != "z" {
			t.Errorf("%q: boards %+v", c.row, a.Boards)
		}
		if err := Strict(a.Problems); err == nil || !strings.Contains(err.Error(), tsv+":3") {
			t.Errorf("%q: strict says %v", c.row, err)
		}
	}
	if Strict(nil) != nil {
		t.Error("strict about nothing")
	}
}

func TestAnnotationsForms(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"tabs":    "image_signature\tbounding_x\tbounding_y\tbounding_width\tbounding_height\tlabel\ns\t.1\t.2\t.3\t.4\tShirts & Tops\n",
		"crlf":    strings.ReplaceAll(realHeader+"s\t.1\t.2\t.3\t.4\tShirts & Tops\n", "\n", "\r\n"),
		"bom":     "\ufeff" + realHeader + "\n\ns\t.1\t.2\t.3\t.4\tShirts & Tops",
		"ordered": "label Bounding_Height bounding_width bounding_y bounding_x image_signature\nShirts & Tops\t.4\t.3\t.2\t.1\ts\n",
		"spaces":  realHeader + " s \t .1\t.2 \t.3\t.4\t Shirts & Tops \n",
	} {
		write(t, dir, name, []byte(text))
		a, err := ReadAnnotations(filepath.Join(dir, name))
		if err != nil || len(a.Problems) > 0 || len(a.Boards) != 1 || len(a.Boards[0].Boxes) != 1 {
			t.Errorf("%s: %+v, %v", name, a, err)
			continue
		}
		want := Annotation{boards.Box{X: .1, Y: .2, W: .3, H: .4, Label: "Shirts & Tops"}, "s#0"}
		if got := a.Boards[0].Boxes[0]; got != want || a.Boards[0].Name != "s" {
			t.Errorf("%s: %+v", name, got)
		}
	}
	for name, c := range map[string]struct{ text, says string }{
		"empty":     {"", "is empty"},
		"headless":  {"s\t.1\t.2\t.3\t.4\tHats\n", "headless:1: the header should be"},
		"other":     {"path,x,y,w,h,label\n", "the header should be"},
		"more":      {strings.TrimSpace(realHeader) + " score\n", "the header should be"},
		"only":      {realHeader, "no rows"},
		"none":      {realHeader + "s\t1\t2\t3\t4\tHats\n", "no box can be used"},
		"long line": {realHeader + strings.Repeat("x", maxRow+1), "long line:2: bufio.Scanner: token too long"},
	} {
		write(t, dir, name, []byte(c.text))
		if _, err := ReadAnnotations(filepath.Join(dir, name)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error %v, want one that says %q", name, err, c.says)
		}
	}
	if _, err := ReadAnnotations(filepath.Join(dir, "missing")); err == nil {
		t.Error("no error for a missing file")
	}
}

// A clipped box is the part of the box that is on the board: in both, and nothing more.
func TestClip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		side := rapid.Float64Range(-2, 2)
		b := boards.Box{X: side.Draw(t, "x"), Y: side.Draw(t, "y"), W: rapid.Float64Range(0, 2).Draw(t, "w"), H: rapid.Float64Range(0, 2).Draw(t, "h")}
		cut, off := clip(b)
		wantW := min(1, b.X+b.W) - max(0, b.X)
		wantH := min(1, b.Y+b.H) - max(0, b.Y)
		if wantW <= 0 || wantH <= 0 || cut.W == 0 || cut.H == 0 {
			// Nothing is left of what is outside, and of slivers.
			if wantW > 1e-15 && wantH > 1e-15 {
				t.Fatalf("%+v is cut to nothing", b)
			}
			if cut.W > 0 && cut.H > 0 {
				t.Fatalf("%+v lies outside, and is cut to %+v", b, cut)
			}
			return
		}
		const eps = 1e-12
		if cut.X < 0 || cut.Y < 0 || cut.X+cut.W > 1+eps || cut.Y+cut.H > 1+eps {
			t.Fatalf("%+v: %+v is not in the board", b, cut)
		}
		if d := cut.W - wantW; d > eps || d < -eps {
			t.Fatalf("%+v: width %v, want %v", b, cut.W, wantW)
		}
		if d := cut.H - wantH; d > eps || d < -eps {
			t.Fatalf("%+v: height %v, want %v", b, cut.H, wantH)
		}
		if (off == 0) != (cut == b) {
			t.Fatalf("%+v: %+v, off by %v", b, cut, off)
		}
		if again, _ := clip(cut); again != cut && off > 0 {
			// A second clip may differ by rounding alone.
			if d := again.W - cut.W; d > eps || d < -eps {
				t.Fatalf("%+v: clipped twice %+v", b, again)
			}
		}
	})
}

// quadrants writes an image whose four quarters are of four grey levels.
func quadrants(t *testing.T, path string, w, h int) {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.SetGray(x, y, color.Gray{uint8(50 * (1 + 2*(2*y/h) + 2*x/w))})
		}
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, img); err != nil {
		t.Fatal(err)
	}
}

func TestBoards(t *testing.T) {
	dir, tsv := annotationFile(t,
		row("one", 0, 0, .5, .5, "Hats"),
		row("two", .5, .5, .5, .5, "Shoes"),
		row("one", .5, 0, .75, .5, "Pants"), // clipped
		row("one", 0, 0, 0, 0, "Pants"),     // empty
		row("gone", 0, 0, 1, 1, "Jewelry"),
		row("gone", 0, 0, .5, 1, "Jewelry"),
		row("two", .5, .5, .5, .5, "Shoes"), // stands twice
		row("torn", 0, 0, 1, 1, "Watches"),
		row("one", 0, .5, .5, .5, "Hats"),
	)
	quadrants(t, filepath.Join(dir, "one.PNG"), 40, 20)
	quadrants(t, filepath.Join(dir, "two.png"), 8, 8)
	write(t, dir, "two.webp", []byte("never read, since there is a .png"))
	write(t, dir, "torn.jpg", jpegBytes(t, 30, 30, color.Black)[:200])
	write(t, dir, "other.jpg", jpegBytes(t, 3, 3, color.Black))
	b, err := OpenBoards(tsv, dir)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(ids(b)), "[one#0 one#1 one#3 two#0 torn#0]"; got != want {
		t.Errorf("items %s, want %s", got, want)
	}
	if got, want := fmt.Sprint(b.Labels()), "[Hats Pants Shoes Watches]"; got != want {
		t.Errorf("labels %s, want %s: those of boards without an image are not there", got, want)
	}
	if b.Len() != 5 || b.Groups() != 3 || b.Unused() != 1 || b.Name() != "a" {
		t.Errorf("len %d, groups %d, unused %d, name %s", b.Len(), b.Groups(), b.Unused(), b.Name())
	}
	var kinds []string
	for _, p := range b.Problems() {
		kinds = append(kinds, fmt.Sprintf("%s %d", p.Kind, p.Items))
	}
	if got, want := strings.Join(kinds, ", "), "clipped box 0, empty box 1, repeated box 1, missing board 2"; got != want {
		t.Errorf("problems %s, want %s", got, want)
	}
	// The grey levels say which quarter a crop is.
	for g, want := range [][]uint8{{50, 100, 150}, {200}} {
		for i, p := range b.Group(g) {
			if p.Err != nil || p.Item != b.Items(g)[i] {
				t.Errorf("group %d: %+v", g, p)
				continue
			}
			r := p.Image.Bounds()
			for y := r.Min.Y; y < r.Max.Y; y++ {
				for x := r.Min.X; x < r.Max.X; x++ {
					if got := color.GrayModel.Convert(p.Image.At(x, y)).(color.Gray).Y; got != want[i] {
						t.Fatalf("%s: level %d at %d,%d, want %d", p.ID, got, x, y, want[i])
					}
				}
			}
		}
	}
	if size := b.Group(0)[1].Image.Bounds().Size(); size != image.Pt(20, 10) {
		t.Errorf("the clipped crop is %v", size)
	}
	if p := b.Group(2)[0]; p.Err == nil || !strings.Contains(p.Err.Error(), "torn.jpg") || !strings.Contains(p.Err.Error(), "cut short") {
		t.Errorf("the corrupt board says %v", p.Err)
	}

	if _, err := OpenBoards(tsv, t.TempDir()); err == nil || !strings.Contains(err.Error(), "none of the 4 boards") || !strings.Contains(err.Error(), "one.jpg") {
		t.Errorf("no images: %v", err)
	}
	if _, err := OpenBoards(tsv, filepath.Join(dir, "nowhere")); err == nil {
		t.Error("no folder: no error")
	}
}

// The digest tells boxes, labels, order and pixels, and nothing else.
func TestBoardsDigest(t *testing.T) {
	digest := func(rows []string, level int) string {
		dir, tsv := annotationFile(t, rows...)
		write(t, dir, "a.jpg", jpegBytes(t, 20, 20, color.Gray{uint8(level)}))
		write(t, dir, "b.jpg", jpegBytes(t, 20, 20, color.Gray{9}))
		b, err := OpenBoards(tsv, dir)
		if err != nil {
			t.Fatal(err)
		}
		d, err := b.Digest(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	rows := []string{row("a", 0, 0, .5, .5, "Hats"), row("b", 0, 0, .5, .5, "Hats")}
	base := digest(rows, 1)
	if digest(append(rows, ""), 1) != base {
		t.Error("the same boards have two digests")
	}
	for name, d := range map[string]string{
		"box":    digest([]string{row("a", 0, 0, .5, .51, "Hats"), rows[1]}, 1),
		"label":  digest([]string{rows[0], row("b", 0, 0, .5, .5, "Shoes")}, 1),
		"order":  digest([]string{rows[1], rows[0]}, 1),
		"fewer":  digest(rows[:1], 1),
		"pixels": digest(rows, 100),
	} {
		if d == base {
			t.Errorf("another %s, the same digest", name)
		}
	}
}

// The real annotations: their counts are those of the publication's test half.
func TestRealAnnotations(t *testing.T) {
	data := os.Getenv("ANNBENCH_DATA")
	if data == "" {
		t.Skip("ANNBENCH_DATA is not set: no annotations to read")
	}
	path := filepath.Join(data, "complete-the-look", "raw_test.tsv")
	if _, err := os.Stat(path); err != nil {
		t.Skip(err)
	}
	a, err := ReadAnnotations(path)
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	items := 0
	for _, b := range a.Boards {
		for _, x := range b.Boxes {
			counts[x.Label]++
			items++
		}
	}
	if len(a.Boards) != 5028 || items != 25_140 || len(a.Problems) != 0 || len(counts) != 13 ||
		counts["Shoes"] != 4623 || counts["Handbags"] != 4248 || counts["Scarves & Shawls"] != 470 {
		t.Errorf("%d boards, %d items, %d problems, counts %v", len(a.Boards), items, len(a.Problems), counts)
	}
}

// What is written and read back is what was rendered: the same items, boxes and pixels.
func TestWriteBoards(t *testing.T) {
	for name, c := range map[string]Config{
		"own":    {Boards: 7, Seed: 5},
		"layout": {Seed: 5, Layout: layout(t)},
	} {
		r := rendered(t, c)
		dir := filepath.Join(t.TempDir(), "new", "folder")
		done := 0
		if err := WriteBoards(t.Context(), r, dir, func(p WriteProgress) { done = p.Done }); err != nil {
			t.Fatal(err)
		}
		src, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		b := src.(*Boards)
		if done != r.Groups() || b.Groups() != r.Groups() || b.Len() != r.Len() || b.Name() != "folder" || len(b.Problems()) > 0 {
			t.Errorf("%s: %d boards, %d items, %v", name, b.Groups(), b.Len(), b.Problems())
		}
		for g := range r.Groups() {
			want := r.Group(g)
			for i, p := range b.Group(g) {
				if p.Item != want[i].Item || p.Err != nil {
					t.Fatalf("%s: %+v, want %+v", name, p.Item, want[i].Item)
				}
				x, y := sha256.New(), sha256.New()
				hashPicture(x, p)
				hashPicture(y, want[i])
				if string(x.Sum(nil)) != string(y.Sum(nil)) {
					t.Errorf("%s: the pixels of %s differ", name, p.ID)
				}
			}
		}
	}
}

// layout is boxes of two boards, one of them clipped.
func layout(t *testing.T) []Annotated {
	_, tsv := annotationFile(t,
		row("first", .05, .1, .4, .3, "Hats"), row("first", .5, .5, .6, .45, "Dresses"), row("first", .3, .3, .002, .001, "Shoes"),
		row("second", 0, 0, 1, 1, "Pants"))
	a, err := ReadAnnotations(tsv)
	if err != nil {
		t.Fatal(err)
	}
	return a.Boards
}

func TestRenderedOnLayout(t *testing.T) {
	boards := layout(t)
	r := rendered(t, Config{Layout: boards})
	if got, want := fmt.Sprint(ids(r)), "[first#0 first#1 first#2 second#0]"; got != want || r.Len() != 4 {
		t.Errorf("items %s of %d, want %s", got, r.Len(), want)
	}
	for g, b := range boards {
		_, boxes, err := r.File(g)
		if err != nil {
			t.Fatal(err)
		}
		for i, box := range b.Boxes {
			if boxes[i] != box.Box || r.Items(g)[i].Label != box.Label {
				t.Errorf("box %d of %s is %+v, want %+v", i, b.Name, boxes[i], box.Box)
			}
		}
	}
	if _, err := RenderedBoards(Config{Boards: 3, Layout: boards}); err == nil {
		t.Error("more boards than the layout has: no error")
	}
	boards[1].Boxes[0].Label = "Umbrellas"
	if _, err := RenderedBoards(Config{Layout: boards}); err == nil || !strings.Contains(err.Error(), "Umbrellas") || !strings.Contains(err.Error(), "second") {
		t.Errorf("an unknown category: %v", err)
	}
	if _, err := RenderedBoards(Config{Boards: 1, Layout: boards}); err != nil {
		t.Errorf("an unknown category on a board that is not drawn: %v", err)
	}
}

func folderSum(t *testing.T, dir string) string {
	t.Helper()
	h := sha256.New()
	names, err := filepath.Glob(filepath.Join(dir, ImagesDir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(names, filepath.Join(dir, BoardsFile)) {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		hashString(h, filepath.Base(name))
		hashString(h, string(data))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// However a call was stopped, the next one goes on, and ends with the same files.
func TestWriteBoardsResumes(t *testing.T) {
	c := Config{Boards: 6, Seed: 2}
	whole := filepath.Join(t.TempDir(), "whole")
	if err := WriteBoards(t.Context(), rendered(t, c), whole, nil); err != nil {
		t.Fatal(err)
	}
	want := folderSum(t, whole)
	for name, damage := range map[string]func(dir, part string, tsv []byte) (from int){
		"stopped between boards": func(dir, part string, tsv []byte) int {
			write(t, dir, part, lines(tsv, 1+3*5))
			return 3
		},
		"stopped in a row": func(dir, part string, tsv []byte) int {
			rows := lines(tsv, 1+3*5+2)
			write(t, dir, part, rows[:len(rows)-7])
			return 3
		},
		"stopped before the header": func(dir, part string, tsv []byte) int {
			write(t, dir, part, nil)
			return 0
		},
		"stopped before anything": func(dir, part string, tsv []byte) int { return 0 },
		"an image is torn": func(dir, part string, tsv []byte) int {
			write(t, dir, part, tsv)
			image := filepath.Join(dir, ImagesDir, "b000002.jpg")
			data, err := os.ReadFile(image)
			if err != nil {
				t.Fatal(err)
			}
			write(t, dir, ImagesDir+"/b000002.jpg", data[:len(data)/2])
			return 2
		},
		"an image is gone": func(dir, part string, tsv []byte) int {
			write(t, dir, part, tsv)
			if err := os.Remove(filepath.Join(dir, ImagesDir, "b000005.jpg")); err != nil {
				t.Fatal(err)
			}
			return 5
		},
	} {
		dir := filepath.Join(t.TempDir(), "d")
		if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
			t.Fatal(err)
		}
		tsv, err := os.ReadFile(filepath.Join(dir, BoardsFile))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(dir, BoardsFile)); err != nil {
			t.Fatal(err)
		}
		from := damage(dir, BoardsFile+".part", tsv)
		if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "catalog render") {
			t.Errorf("%s: a folder that is not complete opens: %v", name, err)
		}
		written := 0
		if err := WriteBoards(t.Context(), rendered(t, c), dir, func(p WriteProgress) { written = p.Written }); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if written != c.Boards-from || folderSum(t, dir) != want {
			t.Errorf("%s: %d boards written, want %d, or other files", name, written, c.Boards-from)
		}
	}
	called := false
	if err := WriteBoards(t.Context(), rendered(t, c), whole, func(WriteProgress) { called = true }); err != nil || called || folderSum(t, whole) != want {
		t.Errorf("a folder that is complete: %v, drawn again: %v", err, called)
	}
	for _, other := range []Config{{Boards: 7, Seed: 2}, {Boards: 6, Seed: 3}, {Boards: 6, Seed: 2, Drawing: boards.Config{Worn: -1}}} {
		if err := WriteBoards(t.Context(), rendered(t, other), whole, nil); err == nil || !strings.Contains(err.Error(), "other settings") {
			t.Errorf("%+v into the folder of others: %v", other, err)
		}
	}
	busy := t.TempDir()
	write(t, busy, "thesis.txt", []byte("mine"))
	if err := WriteBoards(t.Context(), rendered(t, c), busy, nil); err == nil || !strings.Contains(err.Error(), "thesis.txt") {
		t.Errorf("into a folder with files: %v", err)
	}
}

// lines are the first n lines.
func lines(text []byte, n int) []byte {
	return []byte(strings.Join(strings.SplitAfter(string(text), "\n")[:n], ""))
}

// Knobs that are set to none reach the drawing.
func TestRenderedKnobs(t *testing.T) {
	none := boards.Config{Tilt: -1, Warp: -1, Overlap: -1, Jitter: -1, Worn: -1, Clutter: -1}
	_, got, err := rendered(t, Config{Boards: 1, Seed: 3, Drawing: none}).File(0)
	if err != nil {
		t.Fatal(err)
	}
	want := boards.Draw(none, 3, 0).Boxes
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("boxes %v, want %v", got, want)
	}
}

// The bytes of the files of some boards. They are the same on every machine, for one release of Go's
// JPEG coder; when the renderer's version grows they are others.
func TestWrittenBytes(t *testing.T) {
	if !strings.HasPrefix(runtime.Version(), "go1.26") {
		t.Skipf("the files of another release of Go (%s) may differ", runtime.Version())
	}
	dir := filepath.Join(t.TempDir(), "d")
	if err := WriteBoards(t.Context(), rendered(t, Config{Boards: 12, Seed: 1}), dir, nil); err != nil {
		t.Fatal(err)
	}
	const want = "8609eb7c450213bdea5551338fc5f68a4ed13a049405ec2a0fbb27641ac70a0e"
	if got := folderSum(t, dir); got != want {
		t.Errorf("the files have the digest %s, want %s", got, want)
	}
}

// BenchmarkWriteBoards draws, encodes and writes boards on all cores; items/s are of all of them, and
// items/cpu-s of one.
func BenchmarkWriteBoards(b *testing.B) {
	const n = 64
	items := 0
	cpu := processorTime(b)
	for i := 0; b.Loop(); i++ {
		dir := filepath.Join(b.TempDir(), "d")
		if err := WriteBoards(b.Context(), rendered(b, Config{Boards: n, Seed: uint64(i)}), dir, nil); err != nil {
			b.Fatal(err)
		}
		src, err := Open(dir)
		if err != nil {
			b.Fatal(err)
		}
		for g := range src.Groups() {
			items += len(src.Group(g))
		}
	}
	b.ReportMetric(float64(items)/b.Elapsed().Seconds(), "items/s")
	b.ReportMetric(float64(items)/(processorTime(b)-cpu).Seconds(), "items/cpu-s")
}

// processorTime is what this process has used of all cores.
func processorTime(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// A WebP image of one pixel, lossless: its name does not matter, and half of it is an error.
func TestWebP(t *testing.T) {
	data, err := base64.StdEncoding.DecodeString("UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA==")
	if err != nil {
		t.Fatal(err)
	}
	dir, tsv := annotationFile(t, row("w", 0, 0, 1, 1, "Hats"), row("half", 0, 0, 1, 1, "Hats"))
	write(t, dir, "w.WebP", data)
	write(t, dir, "half.jpg", data[:24])
	write(t, dir, "photos/hat/w.webp", data)
	b, err := OpenBoards(tsv, dir)
	if err != nil {
		t.Fatal(err)
	}
	if p := b.Group(0)[0]; p.Err != nil || p.Image.Bounds().Size() != image.Pt(1, 1) {
		t.Errorf("%+v", p)
	}
	if p := b.Group(1)[0]; p.Err == nil || !strings.Contains(p.Err.Error(), "decoding WebP") {
		t.Errorf("half of it: %v", p.Err)
	}
	f, err := OpenFolder(filepath.Join(dir, "photos"))
	if err != nil || f.Len() != 1 || f.Group(0)[0].Err != nil {
		t.Errorf("in a folder: %v", err)
	}
}

// Whatever the bytes: an error, or boxes that lie in their boards, and every row accounted for.
func FuzzReadAnnotations(f *testing.F) {
	for _, rows := range []string{
		"", row("s", .1, .1, .2, .2, "Hats"), row("s", -1, 0, 3, 3, "Hats") + "\r\n\r\n" + row("s", 1, 1, 1, 1, "x"),
		row("../s", .1, .1, .2, .2, "Hats"), row("s", "1e400", 0, 1, 1, "\x00"), row("s", 0, 0, "NaN", 1, "x") + "\n\xff\xfe\t\t\t\t\t",
	} {
		f.Add([]byte(realHeader + rows))
	}
	f.Add([]byte("label image_signature"))
	f.Fuzz(func(t *testing.T, text []byte) {
		path := filepath.Join(t.TempDir(), "a.tsv")
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
		a, err := ReadAnnotations(path)
		if err != nil {
			return
		}
		seen := map[string]bool{}
		items := 0
		for _, b := range a.Boards {
			if b.Name != filepath.Base(b.Name) || seen[b.Name] || len(b.Boxes) == 0 {
				t.Fatalf("board %q", b.Name)
			}
			seen[b.Name] = true
			for _, x := range b.Boxes {
				items++
				if !(x.X >= 0 && x.Y >= 0 && x.W > 0 && x.H > 0 && x.X+x.W < 1+1e-9 && x.Y+x.H < 1+1e-9) || x.Label == "" || seen["#"+x.ID] {
					t.Fatalf("%+v", x)
				}
				seen["#"+x.ID] = true
			}
		}
		for _, p := range a.Problems {
			items += p.Items
		}
		rows := -1 // the header
		for line := range strings.SplitSeq(strings.TrimPrefix(string(text), "\ufeff"), "\n") {
			if strings.TrimSpace(strings.TrimSuffix(line, "\r")) != "" {
				rows++
			}
		}
		if items != rows {
			t.Fatalf("%d of %d rows are accounted for", items, rows)
		}
	})
}
