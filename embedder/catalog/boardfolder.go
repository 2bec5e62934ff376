package catalog

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"annbench/embedder/catalog/boards"
)

// The files of a folder of boards, as [WriteBoards] makes it and [Open] knows it.
const (
	BoardsFile = "boards.tsv" // the annotations
	ImagesDir  = "images"     // the boards, NAME.jpg

	AttributesFile = "attributes.csv" // of garments: what is known of each
)

// Boards is a collection of crops of annotated boards: photographs or collages whose boxes a file
// lists. Open it with [OpenBoards].
type Boards struct {
	name     string
	boards   []board
	labels   []string
	items    int
	problems []Problem
	unused   int
}

type board struct {
	Annotated
	path string
}

// OpenBoards opens the boards that the annotations at tsv tell of (see [ReadAnnotations]) and whose
// images lie in the folder images, named by the board: NAME.jpg, .jpeg, .png or .webp, in whatever
// case. Nothing is decoded yet. Where a board has several images the first of that list counts.
//
// Groups are boards, in the order of their first rows; each is decoded once for all of its crops. A
// board without an image is left out, as are the rows that cannot be used: [Boards.Problems] names
// them. It is an error if no board is left.
func OpenBoards(tsv, images string) (*Boards, error) {
	a, err := ReadAnnotations(tsv)
	if err != nil {
		return nil, err
	}
	files, err := boardFiles(images)
	if err != nil {
		return nil, fmt.Errorf("opening boards: %w", err)
	}
	b := &Boards{name: boardsName(tsv), problems: a.Problems}
	seen := map[string]bool{}
	for _, annotated := range a.Boards {
		file, ok := files[annotated.Name]
		if !ok {
			b.problems = append(b.problems, Problem{
				Kind: MissingBoard, Where: filepath.Join(images, annotated.Name), ID: printable(annotated.Name),
				Reason: fmt.Sprintf("no image of that name (%s)", strings.Join(imageExtensions[:], ", ")),
				Items:  len(annotated.Boxes),
			})
			continue
		}
		b.boards = append(b.boards, board{annotated, filepath.Join(images, file)})
		b.items += len(annotated.Boxes)
		for _, box := range annotated.Boxes {
			if !seen[box.Label] {
				seen[box.Label] = true
				b.labels = append(b.labels, box.Label)
			}
		}
	}
	if len(b.boards) == 0 {
		return nil, fmt.Errorf("opening boards: none of the %d boards of %s has an image in %s: it should be named %s",
			len(a.Boards), tsv, images, a.Boards[0].Name+".jpg")
	}
	b.unused = len(files) - len(b.boards)
	slices.Sort(b.labels)
	b.problems = append(b.problems, alikeProblems(b.labels, func(string) string { return tsv })...)
	return b, nil
}

// boardsName is the folder's name for a file of the usual name, and the file's own for others.
func boardsName(tsv string) string {
	if filepath.Base(tsv) == BoardsFile {
		if abs, err := filepath.Abs(tsv); err == nil {
			return filepath.Base(filepath.Dir(abs))
		}
	}
	return strings.TrimSuffix(filepath.Base(tsv), filepath.Ext(tsv))
}

// boardFiles lists the image files of dir by their names without extension.
func boardFiles(dir string) (map[string]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	files := make(map[string]string, len(entries))
	for _, e := range entries { // sorted, so that of x.JPG and x.jpg it is always the same one
		name := e.Name()
		rank := imageRank(name)
		if rank < 0 || e.IsDir() {
			continue
		}
		stem := strings.TrimSuffix(name, filepath.Ext(name))
		if old, ok := files[stem]; !ok || rank < imageRank(old) {
			files[stem] = name
		}
	}
	return files, nil
}

// Open opens the collection at dir: boards with annotations where it has a file [BoardsFile], and
// else a folder of images, as [OpenFolder] does.
func Open(dir string) (Source, error) {
	if _, second := splitLevel(dir); second {
		return OpenFolder(dir)
	}
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return nil, fmt.Errorf("opening %s: it is a file, not a folder: name the folder that holds the folders of the categories (photos, for photos/dress/1.jpg)", dir)
	}
	tsv := filepath.Join(dir, BoardsFile)
	switch _, err := os.Stat(tsv); {
	case err == nil:
		return OpenBoards(tsv, filepath.Join(dir, ImagesDir))
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("opening %s: %w", dir, err)
	}
	if _, err := os.Stat(filepath.Join(dir, renderingFile)); err == nil {
		return nil, fmt.Errorf("opening %s: its boards are not all rendered yet: run the same `annbench catalog render` again, which resumes", dir)
	}
	return OpenFolder(dir)
}

// Name is the annotations' file without its extension, or, where it is called boards.tsv, the name of
// its folder.
func (b *Boards) Name() string { return b.name }

// Labels are those of the boxes that are there.
func (b *Boards) Labels() []string { return slices.Clone(b.labels) }

// Len is the number of boxes.
func (b *Boards) Len() int { return b.items }

// Groups is the number of boards that have an image.
func (b *Boards) Groups() int { return len(b.boards) }

// Items are the boxes of board g.
func (b *Boards) Items(g int) []Item {
	items := make([]Item, len(b.boards[g].Boxes))
	for i, box := range b.boards[g].Boxes {
		items[i] = Item{ID: box.ID, Label: box.Label}
	}
	return items
}

// Boxes are the boxes of board g, in the order of its items.
func (b *Boards) Boxes(g int) []boards.Box {
	boxes := make([]boards.Box, len(b.boards[g].Boxes))
	for i, box := range b.boards[g].Boxes {
		boxes[i] = box.Box
	}
	return boxes
}

// Problems are what was found wrong before anything was decoded: first those of the annotations, then
// the boards without an image.
func (b *Boards) Problems() []Problem { return slices.Clone(b.problems) }

// Unused is the number of images without an annotation.
func (b *Boards) Unused() int { return b.unused }

// Group decodes board g and cuts out its boxes. Where the board cannot be decoded each of them has
// the same error, which names the file.
func (b *Boards) Group(g int) []Picture {
	img, err := decodeFile(b.boards[g].path)
	return crops(b.Items(g), b.Boxes(g), img, err)
}

// BoardName is the name of board g.
func (b *Boards) BoardName(g int) string { return b.boards[g].Name }

// Board decodes board g as a whole, with the boxes of its items in their order.
func (b *Boards) Board(g int) (image.Image, []boards.Box, error) {
	img, err := decodeFile(b.boards[g].path)
	return img, b.Boxes(g), err
}

// FileSums is a [Filed]'s: a file is a board with its crops.
func (b *Boards) FileSums(ctx context.Context) ([][]byte, error) {
	paths := make([]string, len(b.boards))
	for i, board := range b.boards {
		paths[i] = board.path
	}
	return fileSums(ctx, paths)
}

// boardsDigest opens what is hashed. Its number grows with any change in how a board becomes crops.
const boardsDigest = "annbench catalog boards 3\n"

// Digest hashes, for every board in order, the IDs, labels and boxes of its items and the content of
// its file. An unreadable file is no error, as in Group.
func (b *Boards) Digest(ctx context.Context) (string, error) {
	sums, err := b.FileSums(ctx)
	if err != nil {
		return "", fmt.Errorf("hashing %s: %w", b.name, err)
	}
	h := sha256.New()
	io.WriteString(h, boardsDigest)
	for i, board := range b.boards {
		hashString(h, board.Name)
		hashString(h, string(sums[i]))
		fmt.Fprintf(h, "%d\n", len(board.Boxes))
		for _, box := range board.Boxes {
			hashString(h, box.ID)
			hashString(h, box.Label)
			for _, v := range [...]float64{box.X, box.Y, box.W, box.H} {
				fmt.Fprintf(h, "%016x", math.Float64bits(v))
			}
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
