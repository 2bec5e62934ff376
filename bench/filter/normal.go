package filter

import (
	"slices"
	"strings"
)

// Same reports whether two names of filters, as [Filter.String] writes them or as somebody types them, mean the same: texts
// that are equal, or expressions that have one normal form. Spaces, quotes, capitals of keywords, spellings of an operator,
// brackets that change nothing, and the order of what and, or and in list make no difference.
func Same(a, b string) bool {
	if spaced(a) == spaced(b) {
		return true
	}
	x, err := Parse(a)
	if err != nil {
		return false
	}
	y, err := Parse(b)
	return err == nil && x.normal() == y.normal()
}

// normal is the expression in one form, which is for comparing, not for reading.
func (e *Expr) normal() string { return e.root.normal() }

func (d *disjunction) normal() string { return joined(d.parts(), " or ") }

// parts are what or joins, those of brackets within it too.
func (d *disjunction) parts() []string {
	var out []string
	for _, c := range d.Terms {
		if in := c.brackets(); in != nil {
			out = append(out, in.parts()...)
		} else {
			out = append(out, joined(c.parts(), " and "))
		}
	}
	return out
}

// brackets is what c has in its brackets, where it is nothing else.
func (c *conjunction) brackets() *disjunction {
	if len(c.Terms) != 1 {
		return nil
	}
	return c.Terms[0].plain().In
}

// parts are what and joins, those of brackets within it too.
func (c *conjunction) parts() []string {
	var out []string
	for _, n := range c.Terms {
		if n = n.plain(); n.In != nil && len(n.In.Terms) == 1 {
			out = append(out, n.In.Terms[0].parts()...)
		} else {
			out = append(out, n.normal())
		}
	}
	return out
}

// plain is n without nots that come in twos.
func (n *negation) plain() *negation {
	for n.Not != nil && n.Not.Not != nil {
		n = n.Not.Not
	}
	return n
}

func (n *negation) normal() string {
	switch {
	case n.Not != nil:
		return "not (" + joined((&conjunction{Terms: []*negation{n.Not}}).parts(), " and ") + ")"
	case n.In != nil:
		return "(" + n.In.normal() + ")"
	}
	return n.Test.normal()
}

func (x *test) normal() string {
	name := "`" + strings.Trim(x.Column, "`") + "`"
	switch op := x.Op; {
	case op != "":
		if other, ok := map[string]string{"==": "=", "<>": "!="}[op]; ok {
			op = other
		}
		return name + " " + op + " " + x.Value.normal()
	case len(x.In) == 0: // true or false, alone
		return name + " = true"
	}
	var all []string
	for _, l := range x.In {
		all = append(all, l.normal())
	}
	slices.Sort(all)
	all = slices.Compact(all)
	switch {
	case len(all) == 1 && x.Not:
		return name + " != " + all[0]
	case len(all) == 1:
		return name + " = " + all[0]
	case x.Not:
		return name + " not in (" + strings.Join(all, ", ") + ")"
	}
	return name + " in (" + strings.Join(all, ", ") + ")"
}

func (l *literal) normal() string {
	switch {
	case l.Number != nil:
		return number(float64(*l.Number) + 0) // of -0 and 0 one
	case l.Text != nil:
		return "'" + strings.ReplaceAll(l.text(), "'", "''") + "'"
	}
	return strings.ToLower(*l.Bool)
}

// text is a text without its quotes.
func (l *literal) text() string {
	quote := (*l.Text)[:1]
	return strings.ReplaceAll((*l.Text)[1:len(*l.Text)-1], quote+quote, quote)
}

// joined sorts parts, each once.
func joined(parts []string, with string) string {
	slices.Sort(parts)
	return strings.Join(slices.Compact(parts), with)
}
