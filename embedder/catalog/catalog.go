// Package catalog holds collections of labelled pictures: what there is to embed, in a fixed
// order, decoded group by group.
//
// A [Source] is one collection. [OpenFolder] opens folders of image files, one folder a category;
// [OpenBoards] opens boards whose boxes are listed as Complete the Look lists them; [RenderedBoards]
// draws such boards, any number of them, from a seed, and [WriteBoards] writes them to files.
// The package decodes and crops; it neither resizes nor normalises (package embedder does, as its
// model wants it), and it downloads nothing. How boards are drawn is the business of package
// boards beneath it, which knows nothing of collections.
package catalog

import (
	"context"
	"image"

	"annbench/embedder/catalog/boards"
)

// Item is one labelled picture of a collection: an entire image file, or a crop of a board.
type Item struct {
	// ID is unique in the collection and stable between runs: "dress/ab12.jpg", "b000017#3".
	// It is printable UTF-8: see [OpenFolder] for names that are not.
	ID string

	// Label is the category, one of the source's Labels.
	Label string
}

// Picture is an item with its pixels, or with the reason why it has none.
type Picture struct {
	Item

	// Image is nil when Err is not. Its bounds need not begin at (0, 0), and the crops of one
	// board share their pixels: read it, never write to it.
	Image image.Image

	// Err names the file (or the item) and says what is wrong with it.
	Err error
}

// Source is a collection of labelled pictures in a fixed order: group after group, and in each
// group item after item. A group is what is decoded together: one image file, or one board with
// all of its crops. All methods may be called by many goroutines at once.
//
// One picture that cannot be read is no failure of the collection: it keeps its place, and comes
// with an Err. So the number of items, their order, their IDs and their labels are all known
// before the first image is decoded.
type Source interface {
	// Name is a short name for people, such as the last element of a path.
	Name() string

	// Labels are the categories, sorted, each once. The caller owns the slice.
	Labels() []string

	// Len is the number of items in all groups.
	Len() int

	// Groups is the number of groups.
	Groups() int

	// Items returns the items of group g, 0 <= g < Groups(), without decoding anything. The
	// caller owns the slice. A g out of range panics.
	Items(g int) []Item

	// Group decodes group g: the items that Items(g) lists, in that order, each with its pixels or
	// an error. A g out of range panics.
	Group(g int) []Picture

	// Digest identifies the collection's content, as 64 hexadecimal digits of a SHA-256: two
	// sources with one digest have the same items with the same labels and the same pixels, so
	// that what was computed from one of them (its embeddings) holds for the other. The error is
	// that of ctx, when it ends before the digest is done.
	Digest(ctx context.Context) (string, error)
}

// Filed is a source of files.
type Filed interface {
	Source

	// FileSums is the SHA-256 of the file of every group, in order; that of a file that cannot be read is
	// empty. The error is that of ctx.
	FileSums(ctx context.Context) ([][]byte, error)
}

// crops cuts the items out of the board, item i by box i; img is nil and err is set where the board
// itself could not be read; err names it.
func crops(items []Item, boxes []boards.Box, img image.Image, err error) []Picture {
	pictures := make([]Picture, len(items))
	for i, item := range items {
		pictures[i].Item = item
		if err != nil {
			pictures[i].Err = err
			continue
		}
		crop, err := boards.Crop(img, boxes[i])
		if err != nil {
			pictures[i].Err = &ReadError{item.ID, err}
			continue
		}
		pictures[i].Image = crop
	}
	return pictures
}
