package models

import (
	"bytes"
	_ "embed"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// HistoryFile is the name of a model's history, in the folder of its card.
const HistoryFile = "history.csv"

//go:embed history.csv
var defaultHistory []byte

// History is how a model was trained, epoch by epoch. Columns "epoch", "train_loss", "val_loss",
// "top1" and "top5" are always there; the last three are of the validation split. A model of several
// label sets has a "SET_loss", "SET_top1" and "SET_top5" for each, and the others are their means.
type History struct {
	Columns []string
	Rows    [][]float64 // one an epoch, a value a column
}

// historyColumns are those that every history has.
var historyColumns = []string{"epoch", "train_loss", "val_loss", "top1", "top5"}

// History reads history.csv beside the card, or that of the model that ships. The error is
// [fs.ErrNotExist] where there is none.
func (c *Card) History() (*History, error) {
	if c.Path == "" {
		return ParseHistory(HistoryFile, defaultHistory)
	}
	path := filepath.Join(filepath.Dir(c.Path), HistoryFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("reading the history of model %s: %w", c.Name, err)
	}
	return ParseHistory(path, text)
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
