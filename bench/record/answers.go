package record

import (
	"fmt"
	"path/filepath"
)

// AnswersDir is the folder, in a results folder, of what a sweep with Answers keeps of every cell and
// repetition: three .npy files, a row for each query. Ids are int32, -1 where an answer is missing;
// distances float64, NaN there; seconds, of one timed search each, float64, for the mode latency alone.
const AnswersDir = "answers"

// AnswerFiles are the files that hold what a cell answered, below the results folder.
func AnswerFiles(c Cell, rep int) (ids, distances, seconds string) {
	stem := filepath.Join(AnswersDir, fmt.Sprintf("%s-%d.", c.ID(), rep))
	return stem + "ids.npy", stem + "distances.npy", stem + "seconds.npy"
}
