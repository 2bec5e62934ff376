package bench

import (
	"errors"
	"strings"
	"syscall"
)

// diskErrors are what a disk answers that takes nothing more. They say nothing of an index, and every cell
// that comes after would end alike, so they end a run and leave no record.
var diskErrors = []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS}

// isDiskError reports whether err is, or comes from, one of [diskErrors]. Libraries in C give the error's
// words alone; so does an engine, but of a disk of its own, which is not this run's: byWords is false then.
func isDiskError(err error, byWords bool) bool {
	if err == nil {
		return false
	}
	text := strings.ToLower(err.Error())
	for _, e := range diskErrors {
		if errors.Is(err, e) || byWords && strings.Contains(text, strings.ToLower(e.Error())) {
			return true
		}
	}
	return false
}
