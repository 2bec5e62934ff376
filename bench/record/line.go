package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"strings"

	"annbench/internal/words"
)

// A line of a records file is a record as a JSON object, whose last field is the CRC-32C of all that stands
// before that field, in eight hexadecimal digits: {...,"crc":"1a2b3c4d"}. Lines of older versions have none.
const (
	sumBegins = `,"crc":"`
	sumEnds   = `"}`
	sumLength = len(sumBegins) + 8 + len(sumEnds)
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// AppendLine appends the line of r to b, as [Read] reads it. A record that no measurement can have made is an
// error.
func AppendLine(b []byte, r *Record) ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	text, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	text = text[:len(text)-1] // the closing brace
	b = append(b, text...)
	b = fmt.Appendf(b, "%s%08x%s\n", sumBegins, crc32.Checksum(text, castagnoli), sumEnds)
	return b, nil
}

// parseLine reads a line, with or without a checksum.
func parseLine(b []byte) (*Record, error) {
	b = bytes.TrimSpace(b)
	if at := len(b) - sumLength; at > 0 && bytes.HasPrefix(b[at:], []byte(sumBegins)) && bytes.HasSuffix(b, []byte(sumEnds)) {
		stored := string(b[at+len(sumBegins) : len(b)-len(sumEnds)])
		if sum := fmt.Sprintf("%08x", crc32.Checksum(b[:at], castagnoli)); sum != stored {
			return nil, fmt.Errorf("the line has changed since it was written: its checksum is %s, not %s", sum, stored)
		}
	}
	var r Record
	if err := json.Unmarshal(b, &r); err != nil {
		var kind *json.UnmarshalTypeError
		if errors.As(err, &kind) && kind.Field != "" {
			return nil, fmt.Errorf("not a record: %q cannot be a %s", kind.Field, kind.Value)
		}
		return nil, errors.New("not a record: it is not JSON")
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	return &r, nil
}

// statuses are the ways in which a measurement ends.
var statuses = []string{string(OK), string(Failed), string(Timeout), string(OOM), string(Skipped)}

// check says what a record says that no measurement can have found. That a value is a share is known by its
// name alone here: package metric has the units, and names all shares so.
func (r *Record) check() error {
	known := false
	for _, s := range statuses {
		known = known || s == string(r.Status)
	}
	switch {
	case r.Cell.Family == "" || r.Cell.Dataset == "":
		return errors.New("not a record: it names no family or no data set")
	case !known:
		return fmt.Errorf("not a record: status %q%s", r.Status, words.DidYouMean(string(r.Status), statuses))
	case r.Cell.K < 1:
		return fmt.Errorf("not a record: k is %d", r.Cell.K)
	case r.Rep < 0:
		return fmt.Errorf("not a record: repetition %d", r.Rep)
	}
	for _, values := range []map[string]float64{r.Values, r.Spread} {
		for name, v := range values {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return fmt.Errorf("%s is %v, which no measurement gives", name, v)
			}
		}
	}
	if r.Rounds != nil {
		for name, v := range r.Rounds.Chance {
			if !(v >= 0 && v <= 1) {
				return fmt.Errorf("rounds: chance of %s is %v, which is not from 0 to 1", name, v)
			}
		}
	}
	for name, v := range r.Values {
		low, high := bounds(name)
		if v < low || v > high {
			return fmt.Errorf("%s is %v, which is not from %v to %v", name, v, low, high)
		}
	}
	return nil
}

// bounds are the least and the greatest that a value of that name can be. Rounding is allowed for.
func bounds(name string) (low, high float64) {
	const rounding = 1e-9
	switch {
	case strings.Contains(name, "_delta"):
		return -1 - rounding, 1 + rounding
	case strings.HasPrefix(name, "recall"), strings.HasPrefix(name, "robust"), strings.HasPrefix(name, "map"),
		strings.HasPrefix(name, "item_"), strings.HasPrefix(name, "ndcg"), strings.HasPrefix(name, "wrong_"):
		return -rounding, 1 + rounding
	case name == "resident": // the difference of two readings; a doubt travels with a negative one
		return math.Inf(-1), math.Inf(1)
	}
	return 0, math.Inf(1)
}
