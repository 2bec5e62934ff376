package metric

// ShareOnCPU is the share on the processor of all that was timed, by the values of several records: the sum of their
// processor times over the sum of their wall times, [Samples] times [Mean] each. Above 1 where several threads worked.
// Records without [OnCPU] do not count, nor those that do not say how long they took; ok is false where none counts.
func ShareOnCPU(records []map[string]float64) (share float64, ok bool) {
	var busy, wall float64
	for _, values := range records {
		if on, has := values[OnCPU]; has {
			took := values[Samples] * values[Mean]
			busy += on * took
			wall += took
		}
	}
	if wall <= 0 {
		return 0, false
	}
	return busy / wall, true
}
