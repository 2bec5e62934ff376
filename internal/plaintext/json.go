package plaintext

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// JSONError is err, of reading the JSON text, in the words of whoever wrote the text: which line is no JSON, or which
// key has a value of another form. Package json speaks of Go's types instead.
func JSONError(text []byte, err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	line := func(offset int64) int {
		return 1 + bytes.Count(text[:min(max(offset, 0), int64(len(text)))], []byte("\n"))
	}
	switch {
	case err == nil:
		return nil
	case errors.As(err, &kind):
		value, _, _ := strings.Cut(kind.Value, " ") // "number 1.5"
		if value == "bool" {
			value = "truth value"
		}
		article := "a "
		if value == "array" || value == "object" {
			article = "an "
		}
		if kind.Field == "" {
			return fmt.Errorf("line %d: it is %s%s, where something else is needed: {\"key\": value, ...}", line(kind.Offset), article, value)
		}
		return fmt.Errorf("line %d: %q cannot be %s%s", line(kind.Offset), kind.Field, article, strings.Replace(kind.Value, "bool", "truth value", 1))
	case errors.As(err, &syntax):
		return fmt.Errorf("line %d: this is not JSON", line(syntax.Offset))
	}
	if key, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return fmt.Errorf("unknown key %s", key)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("it is not JSON: it ends too early")
	}
	return err
}
