package indexes

import (
	"os"
	"strings"
	"testing"
)

// The how-to page shows the family that the conformance test tries, word for word.
func TestHowtoShowsWhatIsTested(t *testing.T) {
	code, err := os.ReadFile("howto_test.go")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../docs/howto/add-an-index-family.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), "\n```go\n"+string(code)+"```\n") {
		t.Error("docs/howto/add-an-index-family.md does not contain indexes/howto_test.go as it is: copy the file into its last block")
	}
}
