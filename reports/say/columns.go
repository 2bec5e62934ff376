package say

import "annbench/bench/metric"

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
}
