package vecfile

import (
	"context"
	"fmt"
	"io"
	"strings"

	"annbench/indexes/vec"
	"annbench/internal/atomicfile"
)

// Table is vectors to be written, with what each stands for.
type Table struct {
	Vectors   vec.Matrix
	ID, Label func(row int) string
}

// Write writes t to path in the format of its extension, one of [Writable], whole or not at all; a file that
// is there already is replaced. Parquet has ids and labels as well; the others are vectors alone.
func Write(ctx context.Context, path string, t Table) error {
	format := byExtension(path)
	if format == nil || !format.Writable() {
		return fmt.Errorf("writing %s: the extension must be one of %s", path, strings.Join(Writable(), " "))
	}
	f, err := atomicfile.Create(path)
	if err != nil {
		return err
	}
	defer f.Abort()
	if err := format.write(ctx, f.File, t); err != nil {
		return err
	}
	return f.Commit()
}

// blocks calls f with the values of some rows after the other.
func (t Table) blocks(ctx context.Context, f func(from, to int) error) error {
	step := BlockRows(t.Vectors.Dim)
	for from := 0; from < t.Vectors.Rows; from += step {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := f(from, min(from+step, t.Vectors.Rows)); err != nil {
			return err
		}
	}
	return nil
}

func writeValues(ctx context.Context, w io.Writer, t Table) error {
	return t.blocks(ctx, func(from, to int) error {
		_, err := w.Write(FileBytes(t.Vectors.Slice(from, to).Data))
		return err
	})
}
