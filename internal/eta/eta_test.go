package eta

import (
	"testing"
	"time"
)

// A job whose first unit takes ten times as long as the others: what is said is never off by more than a factor of two.
func TestLeftIsGoodToAFactorOfTwo(t *testing.T) {
	const total = 300
	said := 0
	for _, unit := range []time.Duration{time.Millisecond, time.Second, time.Minute} {
		elapsed := 10 * unit
		for done := 1; done < total; done++ {
			left, truth := Left(done, total, elapsed), time.Duration(total-done)*unit
			elapsed += unit
			if left == 0 {
				continue
			}
			said++
			if left > 2*truth && done >= 10 || 2*left < truth {
				t.Errorf("after %d of %d units of %v: %v are left, %v are said", done, total, unit, truth, left)
			}
		}
	}
	if said < 700 {
		t.Errorf("said %d times only", said)
	}
	if Left(0, 10, time.Hour) != 0 || Left(1, 100, time.Second) != 0 {
		t.Error("the first unit tells something")
	}
}
