package metric

// BytesPerVector is what an index takes for each of n vectors, by the values of a record: [Analytic] / n, or of a
// family without a formula (a library that another wrote, a server) [Serialized] / n. It has codes, ids, lists, graphs
// and the vectors kept for refinement. ok is false where the record has neither, or n is not above 0.
func BytesPerVector(values map[string]float64, n int) (bytes float64, ok bool) {
	for _, name := range []string{Analytic, Serialized} {
		if size, ok := values[name]; ok && size > 0 && n > 0 {
			return size / float64(n), true
		}
	}
	return 0, false
}
