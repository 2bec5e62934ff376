package dataset

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/parquet-go/parquet-go"
)

// Writers lists the extensions of the files that [Collection.WriteFile] writes.
var Writers = []string{".npy", ".fbin", ".fvecs", ".parquet"}

// WriteFile writes the vectors to path in the form of its extension, one of [Writers], whole or not at
// all; a file that is there already is replaced. Parquet has ids and labels as well; the others are
// vectors alone. Given queries are rows like the others, after them; see [Collection.Parts].
func (c *Collection) WriteFile(ctx context.Context, path string) error {
	var write func(ctx context.Context, f *os.File) error
	switch strings.ToLower(filepath.Ext(path)) {
	case ".npy":
		write = c.writeNPY
	case ".fbin":
		write = c.writeBin
	case ".fvecs":
		write = c.writeVecs
	case ".parquet":
		write = c.writeParquet
	default:
		return fmt.Errorf("writing %s: the extension must be one of %s", path, strings.Join(Writers, " "))
	}
	return replaceFile(path, func(tmp string) error {
		f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return err
		}
		err = write(ctx, f)
		if err == nil {
			err = f.Sync()
		}
		return errors.Join(err, f.Close())
	})
}

// Parts divides a collection into its vectors and the queries that came with them; queries is nil where
// none did. Both share the memory of c, and end with it: they are not to be closed.
func (c *Collection) Parts() (base, queries *Collection) {
	n := c.Vectors.Rows - c.Meta.Queries
	base = &Collection{Name: c.Name, Vectors: c.Vectors.Slice(0, n), Items: c.Items[:n]}
	if c.Meta.Queries > 0 {
		queries = &Collection{Name: c.Name, Vectors: c.Vectors.Slice(n, c.Vectors.Rows), Items: c.Items[n:]}
	}
	return base, queries
}

// blocks calls f with the values of some rows after the other.
func (c *Collection) blocks(ctx context.Context, f func(from, to int) error) error {
	step := max(1, blockValues/c.Vectors.Dim)
	for from := 0; from < c.Vectors.Rows; from += step {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := f(from, min(from+step, c.Vectors.Rows)); err != nil {
			return err
		}
	}
	return nil
}

func (c *Collection) writeNPY(ctx context.Context, f *os.File) error {
	if _, err := f.Write(npyHeaderBytes[float32](c.Vectors.Rows, c.Vectors.Dim)); err != nil {
		return err
	}
	return c.writeValues(ctx, f)
}

func (c *Collection) writeValues(ctx context.Context, w io.Writer) error {
	return c.blocks(ctx, func(from, to int) error {
		_, err := w.Write(fileBytes(c.Vectors.Slice(from, to).Data))
		return err
	})
}

func (c *Collection) writeBin(ctx context.Context, f *os.File) error {
	head := binary.LittleEndian.AppendUint32(nil, uint32(c.Vectors.Rows))
	if _, err := f.Write(binary.LittleEndian.AppendUint32(head, uint32(c.Vectors.Dim))); err != nil {
		return err
	}
	return c.writeValues(ctx, f)
}

func (c *Collection) writeVecs(ctx context.Context, f *os.File) error {
	var b []byte
	return c.blocks(ctx, func(from, to int) error {
		b = b[:0]
		for row := from; row < to; row++ {
			b = binary.LittleEndian.AppendUint32(b, uint32(c.Vectors.Dim))
			b = append(b, fileBytes(c.Vectors.Row(row))...)
		}
		_, err := f.Write(b)
		return err
	})
}

// parquetRow is a row of the tables that are written: the vector is a list, in the form that Arrow and
// pandas write.
type parquetRow struct {
	ID     string    `parquet:"id"`
	Label  string    `parquet:"label,optional,dict"`
	Vector []float32 `parquet:"vector,list"`
}

func (c *Collection) writeParquet(ctx context.Context, f *os.File) error {
	w := parquet.NewGenericWriter[parquetRow](f, parquet.Compression(&parquet.Snappy), parquet.MaxRowsPerRowGroup(int64(max(1, 16*blockValues/c.Vectors.Dim))))
	var rows []parquetRow
	err := c.blocks(ctx, func(from, to int) error {
		rows = rows[:0]
		for row := from; row < to; row++ {
			rows = append(rows, parquetRow{c.Items[row].ID, c.Items[row].Label, c.Vectors.Row(row)})
		}
		_, err := w.Write(rows)
		return err
	})
	if err != nil {
		return err
	}
	return w.Close()
}
