package sweepfile

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"annbench/indexes"
)

func TestShippedSchemaIsOfThisVersion(t *testing.T) {
	want, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../configs/sweep.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(bytes.TrimSpace(got), want) {
		t.Error("configs/sweep.schema.json is not what the types and families give: go run ./cmd/annbench schema > configs/sweep.schema.json")
	}
}

func TestShippedConfigsNameTheSchema(t *testing.T) {
	files, err := filepath.Glob("../../configs/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("configs: %v, %v", files, err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(text), "# yaml-language-server: $schema=sweep.schema.json\n") {
			t.Errorf("%s does not begin with the line that names its schema", f)
		}
	}
}

// TestSchemaHasEveryKeyAndSetting compares the schema with what the sweep reader accepts, and with the
// table of families.
func TestSchemaHasEveryKeyAndSetting(t *testing.T) {
	text, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	var s struct {
		Properties map[string]json.RawMessage
	}
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"name", "data", "queries", "metric", "k", "measure", "answers", "families"} {
		if _, ok := s.Properties[key]; !ok {
			t.Errorf("no key %q", key)
		}
	}
	if _, ok := s.Properties["-"]; ok || strings.Contains(string(text), `"Fit"`) {
		t.Error("a field that is no key is in the schema")
	}
	type settings struct {
		AdditionalProperties bool
		Properties           map[string]struct {
			Description string
			Default     any
			AnyOf       []struct {
				Minimum, Maximum *float64
				Enum, Examples   []string
			}
		}
	}
	var families struct {
		Items struct {
			AllOf []struct {
				If struct {
					Properties struct{ Family struct{ Const string } }
				}
				Then struct {
					Properties struct{ Build, Search settings }
				}
			}
		}
	}
	if err := json.Unmarshal(s.Properties["families"], &families); err != nil {
		t.Fatal(err)
	}
	for i, f := range indexes.Families() {
		branch := families.Items.AllOf[i]
		if branch.If.Properties.Family.Const != f.Name {
			t.Fatalf("branch %d is of %q, not %q", i, branch.If.Properties.Family.Const, f.Name)
		}
		for _, part := range []struct {
			params []indexes.Param
			has    settings
		}{{f.Build, branch.Then.Properties.Build}, {f.Search, branch.Then.Properties.Search}} {
			if len(part.has.Properties) != len(part.params) || part.has.AdditionalProperties {
				t.Errorf("%s: %d settings, want %d and no others", f.Name, len(part.has.Properties), len(part.params))
			}
			for _, p := range part.params {
				got, ok := part.has.Properties[p.Name]
				if !ok || got.Description != p.Doc || fmt.Sprint(got.Default) != fmt.Sprint(p.Default) {
					t.Errorf("%s %s: %+v", f.Name, p.Name, got)
				}
				if p.Kind == indexes.Word {
					if !slices.Equal(got.AnyOf[0].Enum, p.Words) {
						t.Errorf("%s %s: words %q, want %q", f.Name, p.Name, got.AnyOf[0].Enum, p.Words)
					}
					continue
				}
				if p.Kind == indexes.Text {
					if !slices.Equal(got.AnyOf[0].Examples, p.Words) || len(p.Words) == 0 {
						t.Errorf("%s %s: examples %q, want %q", f.Name, p.Name, got.AnyOf[0].Examples, p.Words)
					}
					continue
				}
				if p.Kind != indexes.Bool && (*got.AnyOf[0].Minimum != p.Min || *got.AnyOf[0].Maximum != p.Max) {
					t.Errorf("%s %s: range %v to %v, want %v to %v", f.Name, p.Name, *got.AnyOf[0].Minimum, *got.AnyOf[0].Maximum, p.Min, p.Max)
				}
			}
		}
	}
}

// languageServer is npm's yaml-language-server, spoken to as an editor does.
type languageServer struct {
	t   *testing.T
	in  io.WriteCloser
	out *bufio.Reader
	id  int
}

func startLanguageServer(t *testing.T) *languageServer {
	t.Helper()
	name := os.Getenv("YAML_LANGUAGE_SERVER")
	named := name != ""
	if !named {
		name = "yaml-language-server"
	}
	path, err := exec.LookPath(name)
	if named && err != nil {
		t.Fatalf("YAML_LANGUAGE_SERVER: %v", err)
	}
	if err != nil {
		t.Skip("no yaml-language-server: npm install -g yaml-language-server, or name it in YAML_LANGUAGE_SERVER")
	}
	cmd := exec.Command(path, "--stdio")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
	t.Cleanup(func() {
		end.Stop()
		cmd.Process.Kill()
		cmd.Wait()
	})
	s := &languageServer{t: t, in: in, out: bufio.NewReader(out)}
	s.call("initialize", map[string]any{"processId": nil, "rootUri": nil, "capabilities": map[string]any{}})
	s.send("initialized", map[string]any{}, 0)
	s.send("workspace/didChangeConfiguration", map[string]any{"settings": map[string]any{"yaml": map[string]any{
		"validate": true, "completion": true, "schemaStore": map[string]any{"enable": false},
	}}}, 0)
	return s
}

func (s *languageServer) send(method string, params any, id int) {
	message := map[string]any{"jsonrpc": "2.0", "method": method, "params": params}
	if id > 0 {
		message["id"] = id
	}
	s.write(message)
}

func (s *languageServer) write(message any) {
	b, err := json.Marshal(message)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := fmt.Fprintf(s.in, "Content-Length: %d\r\n\r\n%s", len(b), b); err != nil {
		s.t.Fatal(err)
	}
}

type lspMessage struct {
	ID     json.RawMessage
	Method string
	Params json.RawMessage
	Result json.RawMessage
}

func (s *languageServer) read() lspMessage {
	length := 0
	for {
		line, err := s.out.ReadString('\n')
		if err != nil {
			s.t.Fatalf("the language server has ended: %v", err)
		}
		if line = strings.TrimSpace(line); line == "" {
			break
		}
		if n, ok := strings.CutPrefix(line, "Content-Length: "); ok {
			length, _ = strconv.Atoi(n)
		}
	}
	b := make([]byte, length)
	if _, err := io.ReadFull(s.out, b); err != nil {
		s.t.Fatal(err)
	}
	var m lspMessage
	if err := json.Unmarshal(b, &m); err != nil {
		s.t.Fatal(err)
	}
	// It asks for its configuration, and for other things that an editor may refuse.
	if m.Method != "" && m.ID != nil {
		s.write(map[string]any{"jsonrpc": "2.0", "id": m.ID, "result": nil})
	}
	return m
}

func (s *languageServer) call(method string, params any) json.RawMessage {
	s.id++
	s.send(method, params, s.id)
	for {
		if m := s.read(); m.Method == "" && string(m.ID) == strconv.Itoa(s.id) {
			return m.Result
		}
	}
}

// open opens a document and returns what is marked in it.
func (s *languageServer) open(path, text string) []string {
	uri := "file://" + path
	s.send("textDocument/didOpen", map[string]any{"textDocument": map[string]any{"uri": uri, "languageId": "yaml", "version": 1, "text": text}}, 0)
	for {
		m := s.read()
		if m.Method != "textDocument/publishDiagnostics" {
			continue
		}
		var p struct {
			URI         string
			Diagnostics []struct {
				Message string
				Range   struct{ Start struct{ Line int } }
			}
		}
		if err := json.Unmarshal(m.Params, &p); err != nil {
			s.t.Fatal(err)
		}
		if p.URI != uri {
			continue
		}
		marks := []string{}
		for _, d := range p.Diagnostics {
			marks = append(marks, fmt.Sprintf("line %d: %s", d.Range.Start.Line+1, d.Message))
		}
		return marks
	}
}

func (s *languageServer) complete(path string, line, column int) []string {
	var list struct {
		Items []struct{ Label string }
	}
	b := s.call("textDocument/completion", map[string]any{
		"textDocument": map[string]any{"uri": "file://" + path}, "position": map[string]any{"line": line, "character": column},
	})
	if err := json.Unmarshal(b, &list); err != nil {
		s.t.Fatalf("%v: %s", err, b)
	}
	var labels []string
	for _, item := range list.Items {
		labels = append(labels, item.Label)
	}
	return labels
}

// TestEditorsCompleteAndMark drives npm's yaml-language-server: no shipped config is marked, a family's
// settings are offered and those of another are not, and a wrong setting, a value out of range and an
// unknown key are marked where they stand.
func TestEditorsCompleteAndMark(t *testing.T) {
	s := startLanguageServer(t)
	dir, err := filepath.Abs("../../configs")
	if err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*.yaml"))
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if marks := s.open(f, string(text)); len(marks) > 0 {
			t.Errorf("%s: %q", filepath.Base(f), marks)
		}
	}
	const head = "# yaml-language-server: $schema=sweep.schema.json\ndata: {vectors: x.npy}\nfamilies:\n"
	for i, c := range []struct{ text, mark string }{
		{"  - family: hnsw-faiss\n    build: {M: 16, trees: 3}\n", "line 5: Property trees is not allowed"},
		{"  - family: hnsw-faiss\n    build:\n      M: 0\n", "line 6: "},
		{"  - family: hnsw-fais\n", "line 4: "},
		{"  - family: flat\nseeds: 3\n", "line 5: Property seeds is not allowed"},
		{"  - family: flat\nmetric: l3\n", "line 5: "},
		{"  - family: flat\nmeasure: 3 weeks\n", "line 5: "},
	} {
		marks := s.open(filepath.Join(dir, fmt.Sprintf("wrong-%d.yaml", i)), head+c.text)
		if !slices.ContainsFunc(marks, func(m string) bool { return strings.Contains(m, c.mark) }) {
			t.Errorf("%q: marked %q, want %q", c.text, marks, c.mark)
		}
	}
	path := filepath.Join(dir, "completed.yaml")
	s.open(path, head+"  - family: ivfpq-faiss\n    build:\n      \n")
	labels := s.complete(path, 5, 6)
	for _, want := range []string{"nlist", "m", "nbits"} {
		if !slices.Contains(labels, want) {
			t.Errorf("%q is not offered: %q", want, labels)
		}
	}
	if slices.Contains(labels, "trees") || slices.Contains(labels, "efConstruction") {
		t.Errorf("settings of other families are offered: %q", labels)
	}
}
