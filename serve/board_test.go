package serve

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestGrafanaBoard: the board that ships asks for measures that there are, and so does the page about production.
func TestGrafanaBoard(t *testing.T) {
	s := fixture(t, nil)
	ask(t, s, `{"item":1,"index":"`+s.Points[0].ID+`"}`)
	told := request(s, "GET", "/metrics", "").Body.String()
	for _, path := range []string{"../deploy/grafana.json", "../docs/howto/serve-in-production.md"} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(path, ".json") && !json.Valid(text) {
			t.Errorf("%s is no JSON", path)
		}
		names := regexp.MustCompile(`\b(annbench_[a-z_]+|process_[a-z_]+_[a-z]+|go_[a-z_]+)`).FindAllString(string(text), -1)
		if len(names) < 5 {
			t.Errorf("%s names only %v", path, names)
		}
		for _, name := range names {
			if !strings.Contains(told, "\n"+name+"{") && !strings.Contains(told, "\n"+name+" ") && !strings.Contains(told, "# TYPE "+name+" ") {
				t.Errorf("%s asks for %s, which /metrics has not", path, name)
			}
		}
	}
}
