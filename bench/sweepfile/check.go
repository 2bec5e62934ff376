package sweepfile

import (
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"annbench/bench/dataset"
	"annbench/bench/dataset/vecfile"
	"annbench/bench/record"
	"annbench/bench/transform"
	"annbench/indexes"
	"annbench/indexes/external"
	"annbench/indexes/vec"
	"annbench/internal/units"
	"annbench/internal/words"
)

// lookup finds a family by its name.
type lookup func(name string) (*indexes.Family, error)

// check reports the first thing that is wrong, in the order of the file's documentation.
func (s *Sweep) check(lookup lookup) error {
	if strings.ContainsAny(s.Name, `/\`) || s.Name == "." || s.Name == ".." {
		return s.errorf("$.name", "name %q must be the name of a folder, not a path", s.Name)
	}
	if i := strings.IndexFunc(s.Name, unicode.IsControl); i >= 0 {
		return s.errorf("$.name", "name %q has a line break or another control character", s.Name)
	}
	if err := s.checkData(); err != nil {
		return err
	}
	if s.Queries < 0 {
		return s.errorf("$.queries", "queries must be at least 1, not %d", s.Queries)
	}
	for i, m := range s.Metric {
		metric, err := vec.ParseMetric(string(m))
		if err != nil {
			return s.errorf(s.listPath("$.metric", i), "%v", err)
		}
		s.Metric[i] = metric
	}
	for i, k := range s.K {
		if k < 1 {
			return s.errorf(s.listPath("$.k", i), "k must be at least 1, not %d", k)
		}
	}
	for i, m := range s.Modes {
		if slices.Contains(record.Modes, m) {
			continue
		}
		return s.errorf(s.listPath("$.modes", i), "no mode %q%s", m, words.DidYouMean(m, record.Modes))
	}
	for i, t := range s.Workers {
		if t < 1 || t > maxWorkers {
			return s.errorf(s.listPath("$.workers", i), "workers must be between 1 and %d, not %d", maxWorkers, t)
		}
	}
	for i, rate := range s.Rates {
		if !(rate > 0 && rate <= maxRate) {
			return s.errorf(s.listPath("$.rates", i), "a rate must be above 0 and at most %v queries a second, not %v", maxRate, rate)
		}
	}
	for _, at := range []struct {
		path string
		bad  bool
		rule string
	}{
		{"$.threads", s.Threads < 1, "threads must be at least 1"},
		{"$.repetitions", s.Repetitions < 1 || s.Repetitions > 10_000, "repetitions must be between 1 and 10000"},
		{"$.gallery", s.Gallery < -1, "gallery must be at least 1, or -1 for none"},
		{"$.measure", s.Measure < 0, "measure must be above 0"},
		{"$.duration", s.Duration < 0, "duration must be above 0"},
		{"$.timeout", s.Timeout < 0, "timeout must be above 0"},
		{"$.rates", slices.Contains(s.Modes, record.OpenLoop) && len(s.Rates) == 0, "mode open needs rates: how many queries arrive in a second, like [100, 1000]"},
	} {
		if at.bad {
			return s.errorf(at.path, "%s", at.rule)
		}
	}
	if _, err := s.MemoryLimit(); err != nil {
		return s.errorf("$.memory", "memory: %v", err)
	}
	if len(s.Families) == 0 {
		return s.errorf("$.families", "no families to compare: list some under families, `annbench families` shows them")
	}
	for i := range s.Families {
		if err := s.checkFamily(i, lookup); err != nil {
			return err
		}
	}
	if err := s.checkFilters(); err != nil {
		return err
	}
	return s.checkChurn()
}

// CheckTransforms reports the first of the data's transforms that does not go with a base of n vectors of dim
// dimensions.
func (s *Sweep) CheckTransforms(n, dim int) error {
	for i, word := range s.Data.Transform {
		t, err := transform.Parse(word)
		if err == nil {
			err = t.Check(n, dim)
		}
		if err != nil && s.file != nil {
			return s.errorf(s.listPath("$.data.transform", i), "%v", err)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// Misfit is err, which the data set gave, about a key of the i-th entry of filters or churn: with its place, where the
// sweep was read from a file.
func (s *Sweep) Misfit(list string, i int, key string, err error) error {
	if s.file == nil {
		return err
	}
	return s.errorf(fmt.Sprintf("$.%s[%d].%s", list, i, key), "%v", err)
}

// Transforms are those of the sweep, in its order; one, [transform.None], where it names none.
func (s *Sweep) Transforms() []transform.Transform {
	if len(s.Data.Transform) == 0 {
		return []transform.Transform{{}}
	}
	var out []transform.Transform
	for _, word := range s.Data.Transform {
		t, err := transform.Parse(word)
		if err != nil {
			panic(err) // checked when the file was read
		}
		out = append(out, t)
	}
	return out
}

// More than any machine has, so that a slip of the pen is found before hours have passed.
const (
	maxWorkers = 4096
	maxRate    = 1e7
)

// MemoryLimit is Memory in bytes, 0 for no limit.
func (s *Sweep) MemoryLimit() (int64, error) {
	if s.Memory == "" {
		return 0, nil
	}
	return units.ParseBytes(s.Memory)
}

func (s *Sweep) checkData() error {
	d := &s.Data
	given := 0
	for _, is := range []bool{d.Images != "", d.Boards != nil, d.Rendered != nil, d.Vectors != "", d.Synthetic != nil} {
		if is {
			given++
		}
	}
	if given != 1 {
		return s.errorf("$.data", "data must have exactly one of images, boards, rendered, vectors and synthetic; it has %d", given)
	}
	if r := d.Rendered; r != nil && r.Garments != 0 {
		for _, at := range []struct {
			key  string
			bad  bool
			rule string
		}{
			{"garments", r.Garments < 0, "garments must be at least 1"},
			{"boards", r.Boards != 0, "rendered has boards or garments, not both"},
			{"shots", r.Shots < 1, "shots must be at least 1"},
			{"scenes", r.Scenes < 1 || r.Scenes > r.Garments, fmt.Sprintf("scenes must be from 1 to the %d garments", r.Garments)},
			{"hard", !(*r.Hard >= 0 && *r.Hard <= 1), "hard goes from 0 to 1"},
		} {
			if at.bad {
				return s.errorf("$.data.rendered."+at.key, "%s", at.rule)
			}
		}
	} else if r != nil && (r.Shots != 0 || r.Scenes != 0 || r.Hard != nil) {
		return s.errorf("$.data.rendered", "shots, scenes and hard belong to garments: say how many")
	} else if d.Rendered != nil && d.Rendered.Boards < 1 {
		return s.errorf("$.data.rendered.boards", "boards must be at least 1, not %d", d.Rendered.Boards)
	}
	if b := d.Boards; b != nil && (b.TSV == "" || b.Images == "") {
		return s.errorf("$.data.boards", "boards must have both tsv, the file of the boxes, and images, the folder of the boards")
	}
	for _, at := range []struct {
		key   string
		given bool
	}{{"device_options", d.DeviceOptions != nil}, {"batch", d.Batch != ""}, {"precision", d.Precision != ""}} {
		if at.given && (d.Vectors != "" || d.Synthetic != nil) {
			return s.errorf("$.data."+at.key, "%s belongs to images, which a model embeds", at.key)
		}
	}
	if n, err := strconv.Atoi(string(d.Batch)); d.Batch != "" && d.Batch != "auto" && (err != nil || n < 1 || n > maxBatch) {
		return s.errorf("$.data.batch", "batch must be 1 to %d, or auto; not %q", maxBatch, string(d.Batch))
	}
	if p := d.Precision; p != "" && p != "fp32" && p != "tf32" && p != "fp16" {
		return s.errorf("$.data.precision", "unknown precision %q: known are fp32, tf32, fp16", p)
	}
	if d.Labels != "" && d.Vectors == "" {
		return s.errorf("$.data.labels", "labels belong to vectors; images have theirs from their folders")
	}
	for _, at := range []struct {
		key   string
		given bool
	}{{"query_labels", d.QueryLabels != ""}, {"neighbors", d.Neighbors != ""}, {"columns", d.Columns != vecfile.Columns{IDs: d.Columns.IDs}}} {
		if at.given && d.Vectors == "" {
			return s.errorf("$.data."+at.key, "%s belong to vectors", at.key)
		}
	}
	if d.Queries != "" && (d.Synthetic != nil || d.Rendered != nil) {
		return s.errorf("$.data.queries", "queries belong to images, boards and vectors; drawn garments have scenes")
	}
	if d.QueryLabels != "" && d.Queries == "" {
		return s.errorf("$.data.query_labels", "query_labels are those of queries: name these, too")
	}
	for _, at := range []struct {
		key   string
		given bool
	}{{"attributes", len(d.Attributes) > 0}, {"items", d.Items != ""}, {"gains", d.Gains != nil}} {
		if at.given && d.Synthetic != nil {
			return s.errorf("$.data."+at.key, "%s belong to images and vectors, and synthetic vectors have none", at.key)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.Gains)) {
		if w := d.Gains[name]; !(w > 0) || math.IsInf(w, 0) {
			return s.errorf("$.data.gains."+name, "the gain of %s must be above 0, not %v: leave out what does not count", name, w)
		}
	}
	if d.LeaveOneOut && d.Queries != "" {
		return s.errorf("$.data.leave_one_out", "leave_one_out draws the queries from the vectors, so it does not go with a file of queries")
	}
	for i, word := range d.Transform {
		if _, err := transform.Parse(word); err != nil {
			return s.errorf(s.listPath("$.data.transform", i), "%v", err)
		}
		if slices.Contains(d.Transform[:i], word) {
			return s.errorf(s.listPath("$.data.transform", i), "transform %s stands here twice", word)
		}
	}
	if len(d.Transform) > 0 && (len(s.Filters) > 0 || len(s.Churn) > 0) {
		return s.errorf("$.data.transform", "transform does not go with filters and churn, which are measured on the vectors as they are: give each a sweep file of its own")
	}
	for i, name := range d.Allow {
		if err := dataset.CheckGate(name); err != nil {
			return s.errorf(s.listPath("$.data.allow", i), "%v", err)
		}
	}
	if y := d.Synthetic; y != nil {
		if len(y.N) == 0 {
			return s.errorf("$.data.synthetic", "synthetic needs n: how many vectors")
		}
		for i, n := range y.N {
			if err := y.Of(n).Check(); err != nil {
				return s.errorf(s.listPath("$.data.synthetic.n", i), "synthetic: %v", err)
			}
		}
	}
	type file struct {
		path  string
		field *string
	}
	files := []file{
		{"$.data.images", &d.Images},
		{"$.data.vectors", &d.Vectors},
		{"$.data.labels", &d.Labels},
		{"$.data.queries", &d.Queries},
		{"$.data.query_labels", &d.QueryLabels},
		{"$.data.neighbors", &d.Neighbors},
		{"$.data.model", &d.Model},
	}
	if d.Boards != nil {
		files = append(files, file{"$.data.boards.tsv", &d.Boards.TSV}, file{"$.data.boards.images", &d.Boards.Images})
	}
	for i := range d.Attributes {
		files = append(files, file{s.listPath("$.data.attributes", i), &d.Attributes[i]})
	}
	dir := filepath.Dir(s.file.path)
	for _, at := range files {
		if *at.field == "" || InStorage(*at.field) {
			continue
		}
		if at.field == &d.Model && filepath.Base(d.Model) == d.Model && filepath.Ext(d.Model) == "" {
			continue // the name of a model that ships
		}
		if !filepath.IsAbs(*at.field) {
			*at.field = filepath.Join(dir, *at.field)
		}
		if _, err := os.Stat(*at.field); err != nil {
			name, _, _ := strings.Cut(at.path[strings.LastIndexByte(at.path, '.')+1:], "[")
			return s.errorf(at.path, "%s: there is no %s (paths are relative to the sweep file's folder)", name, *at.field)
		}
	}
	return nil
}

func (s *Sweep) checkFamily(i int, lookup lookup) error {
	at := fmt.Sprintf("$.families[%d]", i)
	fs := s.Families[i]
	if fs.Family == "" {
		return s.errorf(at, "an entry of families needs a family: its name")
	}
	if external.IsPath(fs.Family) {
		s.Families[i].Family = external.Absolute(fs.Family, filepath.Dir(s.file.path))
		fs = s.Families[i]
	}
	family, err := lookup(fs.Family)
	if err != nil {
		return s.errorf(at+".family", "%v", err)
	}
	if fs.Address != "" && family.Remote == nil {
		return s.errorf(at+".address", "%s has no address: it is in this process, not in a server", family.Name)
	}
	if strings.Contains(fs.Address, "@") {
		return s.errorf(at+".address", "the address holds a user or a password (@), which would be kept in the results: leave them out, docs/howto/database-servers.md says where they belong")
	}
	for _, part := range []struct {
		name          string
		grid          Grid
		params, other []indexes.Param
	}{
		{"build", fs.Build, family.Build, family.Search},
		{"search", fs.Search, family.Search, family.Build},
	} {
		for _, name := range slices.Sorted(maps.Keys(part.grid)) {
			values := part.grid[name]
			path := at + "." + part.name + "." + name
			if len(values) == 0 {
				return s.errorf(path, "%s has no values to try", name)
			}
			for j, v := range values {
				if _, err := family.Settings(part.params, indexes.Params{name: v}); err != nil {
					if hasParam(part.other, name) {
						err = fmt.Errorf("%s: %s is a setting of the other kind: move it under %s", family.Name, name, otherPart(part.name))
					}
					return s.errorf(s.listPath(path, j), "%v", err)
				}
			}
		}
	}
	return nil
}

func hasParam(params []indexes.Param, name string) bool {
	for _, p := range params {
		if p.Name == name {
			return true
		}
	}
	return false
}

func otherPart(part string) string {
	if part == "build" {
		return "search"
	}
	return "build"
}
