package bench

import (
	"math"
	"os"
	"path/filepath"
	"strings"

	"annbench/bench/dataset"
	"annbench/bench/dataset/vecfile"
	"annbench/bench/record"
)

// keepAt gives the places of what cells answer, for the worker; nil where nothing is kept.
func (c *coordinator) keepAt(cells []record.Cell, rep int) ([]string, error) {
	if !c.Sweep.Answers {
		return nil, nil
	}
	out, err := filepath.Abs(c.Out)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(out, record.AnswersDir), 0o755); err != nil {
		return nil, err
	}
	stems := make([]string, len(cells))
	for i, cell := range cells {
		ids, _, _ := record.AnswerFiles(cell, rep)
		stems[i] = filepath.Join(out, strings.TrimSuffix(ids, "ids.npy"))
	}
	return stems, nil
}

// keep writes what was answered, and how long each query took, at stem. seconds may be nil.
func (w *worker) keep(stem string, k int, got [][]int32, seconds []float64) error {
	ids, distances := make([]int32, len(got)*k), make([]float64, len(got)*k)
	for q, answers := range got {
		for i := range k {
			at := q*k + i
			ids[at], distances[at] = -1, math.NaN()
			if i < len(answers) && answers[i] >= 0 && int(answers[i]) < w.set.Base.Rows {
				ids[at] = answers[i]
				distances[at] = w.Metric.Distance(w.set.Queries.Row(q), w.set.Base.Row(int(answers[i])))
			}
		}
	}
	if err := vecfile.WriteArray(stem+"ids.npy", ids, k); err != nil {
		return err
	}
	if err := vecfile.WriteArray(stem+"distances.npy", distances, k); err != nil {
		return err
	}
	if seconds == nil {
		return nil
	}
	return vecfile.WriteArray(stem+"seconds.npy", seconds, 0)
}

// leaveOut takes the queries themselves out of what was answered, and keeps k of the rest.
func leaveOut(set *dataset.Set, got [][]int32, k int) [][]int32 {
	if !set.LeaveOneOut {
		return got
	}
	out := make([][]int32, len(got))
	for q, ids := range got {
		for _, id := range ids {
			if id != set.Self(q) && len(out[q]) < k {
				out[q] = append(out[q], id)
			}
		}
	}
	return out
}

// selves is ScoreInput.Self.
func selves(set *dataset.Set) []int32 {
	if !set.LeaveOneOut {
		return nil
	}
	return set.QueryRows
}
