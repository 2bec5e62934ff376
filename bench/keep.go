package bench

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"

	"annbench/bench/dataset"
	"annbench/bench/dataset/vecfile"
	"annbench/bench/record"
)

// AnswersDir is the folder, in a results folder, of what a sweep with Answers keeps of every cell and
// repetition: three .npy files, a row for each query. Ids are int32, -1 where an answer is missing;
// distances float64, NaN there; seconds, of one timed search each, float64, for the mode latency alone.
const AnswersDir = "answers"

// AnswerFiles are the files that hold what a cell answered, below the results folder.
func AnswerFiles(c record.Cell, rep int) (ids, distances, seconds string) {
	stem := filepath.Join(AnswersDir, fmt.Sprintf("%s-%d.", c.ID(), rep))
	return stem + "ids.npy", stem + "distances.npy", stem + "seconds.npy"
}

// keepAt gives the places of what cells answer, for the worker; nil where nothing is kept.
func (c *coordinator) keepAt(cells []record.Cell, rep int) ([]string, error) {
	if !c.Sweep.Answers {
		return nil, nil
	}
	out, err := filepath.Abs(c.Out)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(out, AnswersDir), 0o755); err != nil {
		return nil, err
	}
	stems := make([]string, len(cells))
	for i, cell := range cells {
		ids, _, _ := AnswerFiles(cell, rep)
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
