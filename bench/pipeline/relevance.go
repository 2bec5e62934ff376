package pipeline

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"annbench/bench/dataset"
	"annbench/bench/dataset/attributes"
	"annbench/bench/dataset/collection"
	"annbench/bench/sweepfile"
	"annbench/internal/usage"
	"annbench/internal/words"
)

// The words of [sweepfile.Data.Items] that are no attributes.
const (
	itemsByFolder = "folders"
	noItems       = "none"
)

// itemColumn is the attribute that is taken for the thing an item shows where nobody says which is.
const itemColumn = "item"

// gradedWords are how many texts an attribute may have that grades answers without being named: article numbers have
// more, and hardly any two items share one.
const gradedWords = 50

// relevance reads the attributes that belong to d into c, and says what makes an answer right by them. What is guessed
// is said.
func (p *Pipeline) relevance(d *sweepfile.Data, c *collection.Collection) (by dataset.Relevance, err error) {
	if err := p.attributes(d, c); err != nil {
		return by, err
	}
	if note := otherCategories(c); note != "" {
		p.say("note: %s", note)
	}
	switch d.Items {
	case noItems:
	case itemsByFolder, "":
		_, named := c.Attributes.Column(itemColumn)
		if d.Items == "" && named {
			by.Item = itemColumn
			break
		}
		things, found, shared := itemFolders(c.Items)
		switch {
		case d.Items != "" && found == 0:
			return by, usage.Error{Err: fmt.Errorf("items: folders, and no image lies in CATEGORY/ITEM/x.jpg: the first is %s", c.Items[0].ID)}
		case d.Items == "" && (shared == 0 || 2*found < len(c.Items)):
			// Folders below the categories have other reasons as well.
		default:
			if c.Attributes, err = c.Attributes.With(itemColumn, things); err != nil {
				return by, fmt.Errorf("items by folders: %w; name it with items: %s", err, itemColumn)
			}
			by.Item = itemColumn
			if d.Items == "" {
				p.say("note: images in one folder below a category (%d of %d, in folders of several) are taken for one item; `items: none` turns it off", found, len(c.Items))
			}
		}
	default:
		if _, ok := c.Attributes.Column(d.Items); !ok {
			return by, usage.Error{Err: fmt.Errorf("items: %q is no attribute of %s%s; it takes one, or folders, or none", d.Items, c.Name, words.DidYouMean(d.Items, c.Attributes.Names()))}
		}
		by.Item = d.Items
	}
	if d.Gains == nil {
		by.Gains = p.guessGains(c.Attributes, by.Item)
		return by, nil
	}
	for _, name := range slices.Sorted(maps.Keys(d.Gains)) {
		if _, ok := c.Attributes.Column(name); !ok {
			return by, usage.Error{Err: fmt.Errorf("gains: %q is no attribute of %s%s", name, c.Name, words.DidYouMean(name, c.Attributes.Names()))}
		}
		by.Gains = append(by.Gains, dataset.Gain{Attribute: name, Weight: d.Gains[name]})
	}
	return by, nil
}

// guessGains are the attributes that grade where the sweep names none.
func (p *Pipeline) guessGains(t *attributes.Table, item string) (gains []dataset.Gain) {
	if t == nil {
		return nil
	}
	var names []string
	for i := range t.Columns {
		c := &t.Columns[i]
		if c.Name == item || c.Kind == attributes.Number || c.Kind == attributes.Text && (len(c.Words) < 2 || len(c.Words) > gradedWords) {
			continue
		}
		gains = append(gains, dataset.Gain{Attribute: c.Name, Weight: 1})
		names = append(names, c.Name)
	}
	if len(names) > 0 {
		p.say("note: answers are graded by %s, all with the same weight (nDCG); under data, `gains: {%s: 1}` names those that count, and `gains: {}` none, where they are for filters alone", strings.Join(names, ", "), names[0])
	}
	return gains
}

// otherCategories says where the attribute category differs from the categories of c; empty where it does not.
func otherCategories(c *collection.Collection) string {
	column, ok := c.Attributes.Column(dataset.CategoryColumn)
	if !ok {
		return ""
	}
	differ, first := 0, -1
	for row, item := range c.Items {
		if item.Label != "" && column.Text(row) != item.Label {
			if differ++; first < 0 {
				first = row
			}
		}
	}
	if differ == 0 {
		return ""
	}
	return fmt.Sprintf("the attribute category differs from the category of %d of %d items, such as %q: attribute %q, category %q; filters go by the attribute, marks of right answers by the category",
		differ, len(c.Items), c.Items[first].ID, column.Text(first), c.Items[first].Label)
}

// attributes reads the tables that d names, or that lie in the folders of its data, or come with what is drawn.
func (p *Pipeline) attributes(d *sweepfile.Data, c *collection.Collection) (err error) {
	ids := make([]string, len(c.Items))
	for i := range ids {
		ids[i] = c.Items[i].ID
	}
	base := len(ids) - c.Meta.Queries
	cfg := attributes.Config{ID: d.Columns.IDs}
	read := func(files []string, ids []string) (*attributes.Table, error) {
		t, notes, err := attributes.Read(files, ids, cfg)
		for _, n := range notes {
			p.say("note: %s", n)
		}
		return t, err
	}
	one, other := apart(d)
	switch {
	case len(d.Attributes) > 0:
		if c.Meta.Queries > 0 {
			cfg.Base = base
		}
		c.Attributes, err = read(d.Attributes, ids)
	case d.Rendered != nil && d.Rendered.Garments > 0:
		var half [2]*attributes.Table
		for i, part := range [][]string{ids[:base], ids[base:]} {
			src, err := drawn(d.Rendered, i == 1)
			if err != nil {
				return err
			}
			if half[i], err = attributes.Parse(src.Name(), src.Attributes(), part, cfg); err != nil {
				return err
			}
		}
		c.Attributes, err = attributes.Concat(half[0], base, half[1], len(ids)-base)
	case other != nil:
		var half [2]*attributes.Table
		for i, part := range []struct {
			d   *sweepfile.Data
			ids []string
		}{{one, ids[:base]}, {other, ids[base:]}} {
			beside, err := attributes.Beside(dataFolder(part.d))
			if err != nil {
				return usage.Error{Err: err}
			}
			if beside == "" {
				continue
			}
			own := slices.Clone(part.ids)
			for j := range own {
				own[j] = strings.TrimPrefix(own[j], collection.QueryPrefix)
			}
			if half[i], err = read([]string{beside}, own); err != nil {
				return usage.Error{Err: err}
			}
		}
		c.Attributes, err = attributes.Concat(half[0], base, half[1], len(ids)-base)
	default:
		var beside string
		if beside, err = attributes.Beside(dataFolder(d)); err == nil && beside != "" {
			c.Attributes, err = read([]string{beside}, ids)
		}
	}
	if err != nil {
		return usage.Error{Err: err}
	}
	return nil
}

// dataFolder is the folder in which a table of attributes is looked for; empty where the data has none.
func dataFolder(d *sweepfile.Data) string {
	dir := ""
	switch {
	case d.Images != "":
		dir = d.Images
		if filepath.Base(dir) == "*" { // all splits
			dir = filepath.Dir(dir)
		}
	case d.Boards != nil:
		dir = filepath.Dir(d.Boards.TSV)
	case d.Vectors != "":
		dir = d.Vectors
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return ""
	}
	return dir
}

// itemFolders gives each image that lies in CATEGORY/ITEM/..., or in SPLIT/CATEGORY/ITEM/..., the name CATEGORY/ITEM, and
// the others none. found are the images that have one, shared those of them that share theirs.
func itemFolders(items []collection.Item) (things []string, found, shared int) {
	things = make([]string, len(items))
	count := map[string]int{}
	for i, item := range items {
		parts := strings.Split(item.ID, "/")
		for at := 0; at < 2 && at+2 < len(parts); at++ {
			if parts[at] == item.Label && item.Label != "" {
				things[i] = parts[at] + "/" + parts[at+1]
				count[things[i]]++
				found++
				break
			}
		}
	}
	for _, n := range count {
		if n > 1 {
			shared += n
		}
	}
	return things, found, shared
}
