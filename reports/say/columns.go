package say

import (
	"slices"

	"annbench/bench/metric"
	"annbench/reports/judge"
)

// Column is one value of a table.
type Column struct {
	Name  string // in package metric's table
	Title string
}

// Doc explains a column.
func (c Column) Doc() string {
	info, _ := metric.Lookup(c.Name)
	return info.Doc
}

// TableColumns are the values of every table of cells. Depth k stands in the heading, not in titles.
var TableColumns = []Column{
	{metric.Recall, "recall"},
	{metric.MAP, "mAP"},
	{metric.Mean, "mean"},
	{metric.P50, "p50"},
	{metric.P99, "p99"},
	{metric.QPS, "QPS"},
	{metric.Build, "build"},
	{metric.Resident, "resident"},
	{metric.Serialized, "serialized"},
	{metric.PerVector, "a vector"},
}

// ChoiceColumns are the values of the choices' table in text.
var ChoiceColumns = []Column{
	{metric.Recall, "recall"},
	{metric.MAP, "mAP"},
	{metric.Mean, "search time"},
	{metric.QPS, "QPS"},
	{metric.Build, "build"},
	{metric.Resident, "resident"},
}

// FamilyColumns are the values of the choices' table on the page, which goes with the bars.
var FamilyColumns = []Column{
	{metric.Recall, "recall"},
	{metric.MAP, "mAP"},
	{metric.MAPDelta, "ΔmAP"},
	{metric.QPS, "QPS"},
	{metric.Mean, "mean"},
	{metric.P99, "p99"},
	{metric.Build, "build"},
	{metric.Resident, "resident"},
	{metric.Serialized, "file"},
	{metric.PerVector, "a vector"},
}

// WithCPU is columns for a table of r: where any of its records has processor time, that stands behind the queries
// a second by the wall, and that of builds behind their wall time; a narrow table has of builds the one that decides. A narrow table then leaves out the mean, which is what these queries a second say, too, and the
// size of the saved index, of which bytes a vector say as much.
func WithCPU(r *judge.Report, columns []Column, narrow bool) []Column {
	if narrow {
		columns = slices.DeleteFunc(slices.Clone(columns), func(c Column) bool { return c.Name == metric.Serialized })
	}
	has := func(name string) bool {
		return slices.ContainsFunc(r.Rows, func(row *judge.Row) bool { _, ok := row.Value(name); return ok })
	}
	if !has(metric.CPU) {
		return columns
	}
	var out []Column
	for _, c := range columns {
		if narrow && c.Name == metric.Mean {
			continue
		}
		switch {
		case c.Name == metric.QPS:
			out = append(out, Column{metric.QPS, "wall QPS"}, Column{metric.CPU, "CPU time"})
		case c.Name == metric.Build:
			decides := r.BuildTime(r.Focus)
			if !narrow || decides == metric.Build {
				out = append(out, Column{metric.Build, "wall build"})
			}
			if has(metric.BuildCPU) && (!narrow || decides == metric.BuildCPU) {
				out = append(out, Column{metric.BuildCPU, "CPU build"})
			}
		default:
			out = append(out, c)
		}
	}
	return out
}

// byRelevance are columns that stand after that of mAP where some cell has their value.
var byRelevance = []Column{{metric.ItemHit, "hit"}, {metric.ItemMRR, "MRR"}, {metric.NDCG, "nDCG"}}

// Columns are the given columns, after mAP those of the other kinds of relevance that r has, and after the time of a
// query what the mere call costs, where r has families that are programs of their own.
func Columns(r *judge.Report, columns []Column) []Column {
	var more []Column
	for _, c := range byRelevance {
		if slices.ContainsFunc(r.Rows, func(row *judge.Row) bool { _, ok := row.Value(c.Name); return ok }) {
			more = append(more, c)
		}
	}
	at := slices.IndexFunc(columns, func(c Column) bool { return c.Name == metric.MAP }) + 1
	columns = slices.Concat(columns[:at], more, columns[at:])
	if slices.ContainsFunc(r.Rows, func(row *judge.Row) bool { _, ok := row.Value(metric.CallFloor); return ok }) {
		at = 1 + max(slices.IndexFunc(columns, func(c Column) bool { return c.Name == metric.Mean }), slices.IndexFunc(columns, func(c Column) bool { return c.Name == metric.P50 }))
		if at > 0 { // beside the latency
			columns = slices.Insert(columns, at, Column{metric.CallFloor, "call floor"})
		}
	}
	return columns
}

// From is " from Python" of a family that is called from another language, which adds to every search; else "".
func From(caller string) string {
	if caller == "" {
		return ""
	}
	return " from " + caller
}
