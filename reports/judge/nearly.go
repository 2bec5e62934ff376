package judge

import "slices"

// nearly are the families of no candidate in fit of which some candidate keeps all limits by its medians, in order.
func nearly(fit, all []Candidate) (families []string) {
	for _, c := range all {
		own := func(o Candidate) bool { return o.Family.Name == c.Family.Name }
		breaks := func(m Margin) bool { return !m.Keeps() && !m.Uncertain() }
		if !slices.ContainsFunc(fit, own) && !slices.ContainsFunc(c.Margins, breaks) && !slices.Contains(families, c.Family.Name) {
			families = append(families, c.Family.Name)
		}
	}
	return families
}
