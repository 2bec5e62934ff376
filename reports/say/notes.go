package say

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"annbench/bench/record"
	"annbench/reports/judge"
)

// Notes is every doubt about the results as a whole, a line each.
func Notes(r *judge.Report) []string {
	var out []string
	for _, n := range r.Notes {
		out = append(out, noteText(r, n))
	}
	return out
}

func noteText(r *judge.Report, n judge.Note) string {
	switch n.Code {
	case judge.Torn:
		return fmt.Sprintf("%s: the last %d bytes are an unfinished record and were left out; run the sweep again to measure it", n.Name, n.N)
	case judge.Zeroed:
		return fmt.Sprintf("%s:%d: the last %d bytes are zeros, as a power cut leaves them: records that were there are lost; run the sweep again to measure them", Clean(n.Name), n.Of, n.N)
	case judge.Unfinished:
		return fmt.Sprintf("%s: %s of the sweep without a record of each repetition: it was stopped, or lines were lost; run it again to measure what is missing", Clean(n.Name), Plural(n.N, "cell", "cells"))
	case judge.Superseded:
		return Plural(n.N, "record was", "records were") + " measured again later; the later one counts"
	case judge.Repeated:
		return Plural(n.N, "record stands", "records stand") + " in more than one of these folders, and " + map[bool]string{true: "counts", false: "count"}[n.N == 1] + " once"
	case judge.Outdated:
		return Plural(n.N, "record is", "records are") + " of an older version of annbench and left out"
	case judge.SeveralDatasets:
		return fmt.Sprintf("these results are of %d data sets (%s): numbers compare within one of them only", n.N, strings.Join(datasetNames(r), ", "))
	case judge.ExactMisses:
		return fmt.Sprintf("WARNING: exact search (%s) scores recall %s, below 1: float32 cannot tell these distances apart, or two distances are in use; read no recall here as more exact than that", Clean(n.Name), Ratio(n.Share))
	case judge.OtherVersion:
		return Plural(n.N, "record is", "records are") + fmt.Sprintf(" of harness version %s, and this annbench measures by version %s: they compare with each other, not with new ones; run the sweep again to measure them anew", Clean(n.Name), record.HarnessVersion)
	case judge.FewVectors:
		return fmt.Sprintf("%d answers were asked for where %s has %s: queries get fewer", n.N, Clean(n.Name), Plural(n.Of, "vector", "vectors"))
	case judge.OfData:
		return Clean(n.Name)
	case judge.ImagesLeftOut:
		return fmt.Sprintf("%s of %s of %s left out: listed with the reasons on the page", Count(n.N), Plural(n.Of, "image", "images"), Clean(n.Name))
	case judge.Disturbed:
		s := "timing was disturbed: " + n.Name
		if n.N > 0 {
			s += fmt.Sprintf(" (and %s with other figures)", Plural(n.N, "time", "times"))
		}
		return s
	}
	var which []string
	for i := range r.Envs {
		which = append(which, fmt.Sprintf("%s is %s", r.Envs[i].Name, brief(&r.Envs[i], r.Envs)))
	}
	return fmt.Sprintf("these results were measured in %d different environments, and each line names its own: differences of speed may be the machines'. %s", n.N, strings.Join(which, "; "))
}

// datasetNames names the data sets, each once.
func datasetNames(r *judge.Report) []string {
	var names []string
	for _, d := range r.Datasets() {
		names = append(names, r.DatasetName(d))
	}
	return names
}

// RowNotes are the doubts about one row: the warnings of its records, and what differs between its
// repetitions although it should not. Each can have several lines.
func RowNotes(r *judge.Row) []string {
	var out []string
	for _, w := range r.Warnings {
		out = append(out, CleanLines(w))
	}
	if r.Skewed() { // the same words for every row, so that they stand once
		out = append(out, "its mean search time is more than twice its median: a few searches took very long, so mean and wall QPS say as much about the machine as about the index")
	}
	if r.Environments < 2 {
		return out
	}
	return append(out, fmt.Sprintf("its repetitions come from %d different environments", r.Environments))
}

// Failure is "oom (3 repetitions): the worker was ended", of several lines where the error has them.
func Failure(f judge.Failure) string {
	s := string(f.Status)
	if f.N > 1 {
		s += fmt.Sprintf(" (%d repetitions)", f.N)
	}
	if f.Error != "" {
		s += ": " + CleanLines(f.Error)
	}
	return s
}

// brief says what sets the environment apart from the others: its processor, and what differs.
func brief(e *judge.EnvUse, all []judge.EnvUse) string {
	facts := []func(record.Env) string{
		func(v record.Env) string { return cmp.Or(v.CPU, "an unknown processor") },
		func(v record.Env) string { return Plural(v.Cores, "core", "cores") },
		func(v record.Env) string { return strings.Join(v.Features, " ") },
		func(v record.Env) string { return v.OS },
		func(v record.Env) string { return v.Go },
		func(v record.Env) string { return cmp.Or(v.Commit, "no commit") },
		func(v record.Env) string {
			var list []string
			for name, version := range v.Libraries {
				list = append(list, name+" "+version)
			}
			slices.Sort(list)
			return strings.Join(list, ", ")
		},
	}
	var words []string
	for i, fact := range facts {
		differs := slices.ContainsFunc(all, func(o judge.EnvUse) bool { return fact(o.Env) != fact(e.Env) })
		if own := fact(e.Env); own != "" && (i == 0 || differs) {
			words = append(words, own)
		}
	}
	return strings.Join(words, ", ")
}
