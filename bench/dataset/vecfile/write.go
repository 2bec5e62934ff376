package vecfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"annbench/bench/dataset/internal/disk"
	"annbench/indexes/vec"
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
	return disk.Replace(path, func(tmp string) error {
		f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return err
		}
		err = format.write(ctx, f, t)
		if err == nil {
			err = f.Sync()
		}
		return errors.Join(err, f.Close())
	})
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
