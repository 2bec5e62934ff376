package plaintext

import (
	"bytes"
	"encoding/json"
	"testing"
)

func TestJSONError(t *testing.T) {
	for text, want := range map[string]string{
		"{\"a\":\n x}":            `line 2: this is not JSON`,
		"{\"a\":":                 `it is not JSON: it ends too early`,
		"":                        `it is not JSON: it ends too early`,
		"[]":                      `line 1: it is an array, where something else is needed: {"key": value, ...}`,
		"{\n\"a\": \"x\"}":        `line 2: "a" cannot be a string`,
		"{\"a\": 1.5}":            `line 1: "a" cannot be a number 1.5`,
		"{\"b\": {\"c\": true}}":  `line 1: "b.c" cannot be a truth value`,
		"{\"b\": 3}":              `line 1: "b" cannot be a number`,
		"{\"c\": 3}":              `unknown key "c"`,
		"{\"a\": 1, \"b\": null}": ``,
	} {
		var v struct {
			A int `json:"a"`
			B struct {
				C string `json:"c"`
			} `json:"b"`
		}
		d := json.NewDecoder(bytes.NewReader([]byte(text)))
		d.DisallowUnknownFields()
		err := JSONError([]byte(text), d.Decode(&v))
		if (err == nil) != (want == "") || err != nil && err.Error() != want {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
