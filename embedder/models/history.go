package models

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// HistoryFile is the name of a model's history, in the folder of its card. Where several models share the
// folder, NAME.history.csv is that of the model NAME.
const HistoryFile = "history.csv"

// History is how a model was trained, epoch by epoch. Columns "epoch", "train_loss", "val_loss",
// "top1" and "top5" are always there; the last three are of the validation split. A model of several
// label sets has a "SET_loss", "SET_top1" and "SET_top5" for each, and the others are their means.
type History struct {
	Columns []string
	Rows    [][]float64 // one an epoch, a value a column
}

// historyColumns are those that every history has.
var historyColumns = []string{"epoch", "train_loss", "val_loss", "top1", "top5"}

// History reads NAME.history.csv or history.csv beside the card. The error is [fs.ErrNotExist] where there is
// neither.
func (c *Card) History() (*History, error) {
	stem := strings.TrimSuffix(path.Base(c.File), ".onnx")
	for _, name := range []string{stem + "." + HistoryFile, HistoryFile} {
		text, err := c.beside(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading the history of model %s: %w", c.Name, err)
		}
		if c.Path != "" {
			name = filepath.Join(filepath.Dir(c.Path), name)
		}
		return ParseHistory(name, text)
	}
	return nil, fs.ErrNotExist
}

// ParseHistory reads a history from CSV; name is the file's, for errors.
func ParseHistory(name string, text []byte) (*History, error) {
	r := csv.NewReader(bytes.NewReader(text))
	lines, err := r.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("reading history %s: %w", name, err)
	}
	if len(lines) < 2 {
		return nil, fmt.Errorf("reading history %s: it has no epoch", name)
	}
	h := &History{Columns: lines[0]}
	for _, want := range historyColumns {
		if !slices.Contains(h.Columns, want) {
			return nil, fmt.Errorf("reading history %s: it has no column %q; known are %s", name, want, strings.Join(h.Columns, ", "))
		}
	}
	for i, line := range lines[1:] {
		row := make([]float64, len(line))
		for j, cell := range line {
			v, err := strconv.ParseFloat(cell, 64)
			if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
				return nil, fmt.Errorf("reading history %s: line %d: %s is %q, which is no number", name, i+2, h.Columns[j], cell)
			}
			row[j] = v
		}
		h.Rows = append(h.Rows, row)
	}
	return h, nil
}

// Column is the values of one column, epoch by epoch, or nil where there is none of that name.
func (h *History) Column(name string) []float64 {
	j := slices.Index(h.Columns, name)
	if j < 0 {
		return nil
	}
	values := make([]float64, len(h.Rows))
	for i, row := range h.Rows {
		values[i] = row[j]
	}
	return values
}
