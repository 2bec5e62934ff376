package say

import (
	"encoding/json"
	"os"
	"testing"
)

// The glossary has every family and every setting that a sweep file can name: those of the schema that ships.
func TestGlossaryHasEverySetting(t *testing.T) {
	b, err := os.ReadFile("../../configs/sweep.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema any
	if err := json.Unmarshal(b, &schema); err != nil {
		t.Fatal(err)
	}
	families, settings := 0, 0
	// A family's settings are the branch `if: {properties: {family: {const: NAME}}}` with a `then`.
	path := func(v any, keys ...string) (out any) {
		for _, k := range keys {
			m, _ := v.(map[string]any)
			v = m[k]
		}
		return v
	}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, x := range v {
				walk(x)
			}
		case map[string]any:
			name, ok := path(v, "if", "properties", "family", "const").(string)
			if !ok {
				for _, x := range v {
					walk(x)
				}
				return
			}
			families++
			if familyWords[name] == "" {
				t.Errorf("the glossary has no family %s", name)
			}
			for _, part := range []string{"build", "search"} {
				list, _ := path(v, "then", "properties", part, "properties").(map[string]any)
				for setting := range list {
					settings++
					if settingWords[setting] == "" {
						t.Errorf("the glossary has no setting %s (of %s)", setting, name)
					}
				}
			}
		}
	}
	walk(schema)
	if families < 20 || settings < 60 {
		t.Errorf("the schema has %d families and %d settings: it is read wrongly", families, settings)
	}
}
