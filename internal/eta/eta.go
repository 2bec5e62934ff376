// Package eta says how long a job of units that are much alike goes on.
package eta

import "time"

// A prediction is made once a tenth is done, or half a minute has passed and several units with it: the first units
// pay for what all need (a model is loaded, files come into memory), and tell nothing of the others.
const (
	leastShare = 10 // one part in so many
	leastTime  = 30 * time.Second
	leastUnits = 5
)

// Left is about the time that is left of total units, at the speed of those done so far. It is 0, unknown, as long as
// that is not good to a factor of two.
func Left(done, total int, elapsed time.Duration) time.Duration {
	if done <= 0 || leastShare*done < total && (elapsed < leastTime || done < leastUnits) {
		return 0
	}
	return time.Duration(float64(elapsed) / float64(done) * float64(total-done))
}
