package record

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"annbench/internal/atomicfile"
)

// Keep writes the records and the description of the data set to the folder dir, compressed, for [OpenKept]: what a page of
// figures is made from. Categories, answers and maps are left out.
func (r *Results) Keep(dir string) error {
	var all []byte
	var err error
	for _, part := range [][]Record{r.Records, r.Filtered, r.Churned} {
		for _, rec := range part {
			rec.ByLabel, rec.Confusion, rec.Answers, rec.ByDecile, rec.ByK = nil, nil, nil, nil, nil
			if all, err = AppendLine(all, &rec); err != nil {
				return err
			}
		}
	}
	var z bytes.Buffer
	w, _ := gzip.NewWriterLevel(&z, gzip.BestCompression) // its only error is a level that there is not
	if _, err := w.Write(all); err != nil {
		return err
	}
	return errors.Join(w.Close(), os.MkdirAll(dir, 0o755), atomicfile.Write(filepath.Join(dir, RecordsFile+".gz"), z.Bytes()),
		atomicfile.WriteJSON(filepath.Join(dir, DatasetFile), r.Dataset))
}

// OpenKept reads a results folder, or one that [Results.Keep] wrote.
func OpenKept(dir string) (*Results, error) {
	if _, err := os.Stat(filepath.Join(dir, RecordsFile)); err == nil {
		return Open(dir)
	}
	z, err := os.Open(filepath.Join(dir, RecordsFile+".gz"))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	plain, err := gzip.NewReader(z)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", z.Name(), err)
	}
	b, err := io.ReadAll(plain)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", z.Name(), err)
	}
	tmp, err := os.MkdirTemp("", "annbench-kept-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	var set Dataset
	err = errors.Join(atomicfile.ReadJSON(filepath.Join(dir, DatasetFile), &set),
		atomicfile.WriteJSON(filepath.Join(tmp, DatasetFile), set), atomicfile.Write(filepath.Join(tmp, RecordsFile), b))
	if err != nil {
		return nil, err
	}
	r, err := Open(tmp)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	r.Dir = dir
	return r, nil
}
