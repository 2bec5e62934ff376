package proctree

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// What of a program's standard error an error quotes. The last lines say why a library gave up; the
// first ones how a crash began, of which some runtimes print the registers last.
const (
	keptFirst   = 5
	keptLast    = 15
	longestLine = 4 << 10 // bytes of a line that are kept, its end
)

// Tail keeps the first and the last lines that a program wrote. It may be written to by several goroutines.
type Tail struct {
	// Each, where not nil, is called with every line.
	Each func(line string)

	mu    sync.Mutex
	part  string
	first []string
	last  []string
	lost  int // lines between the two
}

// Write never fails.
func (t *Tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := strings.Split(t.part+string(b), "\n")
	t.part = ending(lines[len(lines)-1])
	for _, line := range lines[:len(lines)-1] {
		if t.Each != nil {
			t.Each(line)
		}
		if len(t.first) < keptFirst {
			t.first = append(t.first, ending(line))
			continue
		}
		t.last = append(t.last, ending(line))
	}
	over := max(0, len(t.last)-keptLast)
	t.last, t.lost = t.last[over:], t.lost+over
	return len(b), nil
}

func ending(line string) string { return line[max(0, len(line)-longestLine):] }

// Lines are the lines that were kept, as text that can be printed, without empty ones.
func (t *Tail) Lines() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := slices.Clone(t.first)
	if t.lost > 0 {
		lines = append(lines, fmt.Sprintf("(%d lines left out)", t.lost))
	}
	var out []string
	for _, line := range append(append(lines, t.last...), t.part) {
		if line = strings.TrimRight(strings.ToValidUTF8(line, "?"), "\r "); line != "" {
			out = append(out, line)
		}
	}
	return out
}
