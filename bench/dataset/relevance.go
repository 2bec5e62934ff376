package dataset

import (
	"fmt"
	"math"
	"path/filepath"

	"annbench/bench/dataset/attributes"
	"annbench/internal/words"
)

// Relevance says what makes an answer right, beside its category. Columns are those of the attributes. The zero value
// is nothing: answers are right by category alone.
type Relevance struct {
	// Item is the text column that says which thing a vector is of: an answer is right if it is the same thing, such
	// as the garment of the query in another photograph. Empty: no such thing is known.
	Item string `json:"item,omitempty"`
	// Gains are the columns by which answers are right in part; see [metric.Relevance]. None: not graded.
	Gains []Gain `json:"gains,omitempty"`
}

// Gain is what an attribute that the query and an answer have in common counts.
type Gain struct {
	Attribute string  `json:"attribute"`
	Weight    float64 `json:"weight"` // above 0; only the ratios of weights matter
}

// check reports a column that t does not have, or that is none of the right kind.
func (r *Relevance) check(t *attributes.Table) error {
	column := func(name string) (*attributes.Column, error) {
		c, ok := t.Column(name)
		if ok {
			return c, nil
		}
		if t == nil {
			return nil, fmt.Errorf("relevance by %q, and the data has no attributes: name their file under data: {attributes: FILE}", name)
		}
		return nil, fmt.Errorf("relevance by %q, which is no attribute of the data%s", name, words.DidYouMean(name, t.Names()))
	}
	if r.Item != "" {
		c, err := column(r.Item)
		if err != nil {
			return err
		}
		if c.Kind == attributes.Boolean {
			return fmt.Errorf("relevance by item: %s is true or false, and names no thing", r.Item)
		}
	}
	for i, g := range r.Gains {
		if _, err := column(g.Attribute); err != nil {
			return err
		}
		if !(g.Weight > 0) || math.IsInf(g.Weight, 0) {
			return fmt.Errorf("the gain of %s must be above 0, not %v", g.Attribute, g.Weight)
		}
		for _, before := range r.Gains[:i] {
			if before.Attribute == g.Attribute {
				return fmt.Errorf("the gain of %s stands twice", g.Attribute)
			}
		}
	}
	return nil
}

// writeAttributes writes the attributes of base and queries, t's rows of these numbers; nothing where t is nil.
func writeAttributes(dir string, t *attributes.Table, base, queries []int32) error {
	if t == nil {
		return nil
	}
	if err := t.Select(queries).Write("", filepath.Join(dir, queryAttributesFile)); err != nil {
		return err
	}
	return t.Select(base).Write(filepath.Join(dir, attributesFile), filepath.Join(dir, baseAttributesFile))
}

// CategoryColumn is the attribute that the categories are.
const CategoryColumn = "category"

// openAttributes opens what [writeAttributes] wrote, and makes the categories an attribute like the others.
func (s *Set) openAttributes(meta *setMeta) error {
	for _, part := range []struct {
		file   string
		rows   int
		labels []int32
		to     **attributes.Table
	}{
		{baseAttributesFile, meta.Base, s.BaseLabels, &s.baseAttributes},
		{queryAttributesFile, meta.Queries, s.QueryLabels, &s.queryAttributes},
	} {
		var t *attributes.Table
		if meta.Attributes != "" {
			var err error
			if t, err = attributes.Open(filepath.Join(s.Dir, attributesFile), filepath.Join(s.Dir, part.file), part.rows); err != nil {
				return err
			}
			s.closers = append(s.closers, t)
		}
		if _, there := t.Column(CategoryColumn); !there && len(s.Labels) > 0 {
			values := make([]float64, part.rows)
			for i, label := range part.labels {
				if values[i] = float64(label); label < 0 {
					values[i] = math.NaN()
				}
			}
			c := attributes.Column{Name: CategoryColumn, Kind: attributes.Text, Words: s.Labels, Values: values}
			if t == nil {
				t = &attributes.Table{Rows: part.rows}
			}
			t = &attributes.Table{Rows: t.Rows, Columns: append(t.Columns, c)}
		}
		*part.to = t
	}
	return nil
}

// BaseAttributes are the attributes of the base vectors, nil where nothing is known of them. The categories are the
// text column "category", unless the data came with a column of that name. The table ends with the set.
func (s *Set) BaseAttributes() *attributes.Table { return s.baseAttributes }

// QueryAttributes are those of the queries: the same columns, with the same words.
func (s *Set) QueryAttributes() *attributes.Table { return s.queryAttributes }
