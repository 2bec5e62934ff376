package main

import (
	"bytes"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"annbench/reports/judge"
)

// jargon is what libraries and Go say of themselves. Whoever reads it learns nothing about their file.
var jargon = regexp.MustCompile(`cannot unmarshal|(?:^|\s)(?:json|yaml|zip|csv):|strconv\.|ONNX_T|was used where|mapping is expected|Go value|Go struct|` +
	`\b(models|record|sweepfile|vecfile|collection|ast)\.[A-Z]|\bu?int64\b|float64|map\[|\[\]string|<nil>|%!|panic|goroutine|0x[0-9a-f]{6}|invalid character|64 bit int|value value|short flag|unexpected EOF|reflect|runtime error`)

// TestErrorsAreInOurWords goes the ways on which people's files and flags are wrong: each ends with an exit code and at
// most three lines, which name what is wrong and have no word of a library.
func TestErrorsAreInOurWords(t *testing.T) {
	t.Setenv("ANNBENCH_CACHE", t.TempDir())
	t.Chdir(t.TempDir())
	file := func(name, content string) string {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return name
	}
	type way struct {
		args []string
		says string // empty if the name of the file is enough
	}
	var ways []way
	add := func(says string, args ...string) { ways = append(ways, way{args, says}) }

	// Every reader, of what is no file of its kind.
	wrong := map[string]struct{ content, says string }{
		"html": {"<!DOCTYPE html>\n<html><body>Not found</body></html>\n", "HTML page"}, "empty": {"", "is empty"},
		"pointer": {"version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 5\n", "git lfs pull"},
		"zip":     {"PK\x03\x04abc", "cut short"}, "object": {"{\"a\": [1, 2]}", ""}, "noise": {strings.Repeat("\xf7\x00\x91zq", 100), ""},
		"numpy": {"\x93NUMPY\x01\x00\x10\x00{'descr': '<f4'}", ""}, "hdf5": {"\x89HDF\r\n\x1a\n\x00", ""}, "parquet": {"PAR1" + strings.Repeat("x", 50) + "\x10\x00\x00\x00PAR1", ""},
	}
	for _, ext := range []string{"npy", "npz", "hdf5", "parquet", "fvecs", "bvecs", "ivecs", "fbin", "u8bin", "i8bin", "ibin", "csv", "tsv", "txt", "vec"} {
		for name, w := range wrong {
			path := file("data/"+name+"."+ext, w.content)
			add(path, "data", "convert", path, "out.npy")
			if w.says != "" {
				add(w.says, "data", "convert", path, "out.npy")
			}
		}
	}
	good := file("good.csv", "a,b,c\n1,2,3\n4,5,6\n7,8,9\n")
	file("ok.yaml", "data: {vectors: good.csv}\nfamilies: [{family: flat}]\n")
	add("nothing.txt", "run", "--data", good, "--labels", "nothing.txt")
	add("UTF-8", "data", "convert", good, "out.npy", "--labels", file("latin.txt", "Kost\xfcm\na\nb\n"))
	add("1 labels", "data", "convert", good, "out.npy", "--labels", file("one.txt", "a\n"))

	// Sweep files, by their forms; package sweepfile has more.
	for text, says := range map[string]string{
		"- a\n": "mapping of keys", "just text\n": "mapping of keys", "data: [1]\n": "data is a mapping", "k: 016\n": "write 16", "k: \"many\"\n": "whole number",
		"prune: yes\n": "write true", "k: 1,000\n": "write 1000", "name: a\n---\nname: b\n": "second document", "name: [\n": "", "name: \"x\n": "", "name: *x\n": "",
		"data: {vectors: good.csv}\nfamilies: [{family: forest, build: {trees: \"16\"}}]\n": "write 16", "bogus: 1\n": "unknown key", "\xff\xfek\x00": "UTF-8",
		"data: {vectors: nothing.npy}\nfamilies: [{family: flat}]\n": "nothing.npy",
	} {
		add(says, "plan", file("sweeps/"+regexp.MustCompile(`\W`).ReplaceAllString(text, "_")+".yaml", text))
	}
	add("use --data", "run", good)

	// What the data cannot have, plan says as well.
	file("gap.rb", "d:\n  1: {operation: insert, start: 0, end: 1}\n  2: {operation: search}\n  4: {operation: search}\n")
	for text, says := range map[string]string{"filters: [{where: \"price < 3\"}]\n": ".yaml:4:19: the data set has no attributes", "churn: [{runbook: ../gap.rb, dataset: d}]\n": "no step 3"} {
		add(says, "plan", file("asked/"+text[:5]+".yaml", "data: {vectors: ../good.csv}\nqueries: 1\nfamilies: [{family: flat}]\n"+text))
	}

	// Numbers in flags.
	for _, flag := range [][]string{{"run", "--data", good, "--queries"}, {"choose", "nothing", "--k"}, {"catalog", "render", "--out", "x", "--boards"}} {
		for text, says := range map[string]string{"016": "write 16", "yes": "whole number", "\"16\"": "whole number", "1.5": "whole number", "": "whole number", "99999999999999999999": "too large", "-3": "looks like a flag"} {
			add(says, append(append([]string{}, flag...), text)...)
		}
	}
	add("whole number", "run", "--data", good, "--queries=1,0")
	add("looks like a flag", "compare", "a", "b", "--margin", "-1")
	add("write 1.5", "compare", "a", "b", "--power-limit", "1,5")
	add("0.95 or 95%", "choose", "nothing", "--min-recall", "0,95")
	add("or 10ms", "choose", "nothing", "--max-p99", "10")
	add("300MB", "choose", "nothing", "--max-memory", "abc")
	add("no index keeps a limit of 0", "tune", good, "--max-memory", "0")
	add("shard", "run", "ok.yaml", "--shard", "3")

	// Results that are damaged.
	const line = `{"cell":{"dataset":"d","metric":"l2","family":"flat","k":10,"threads":1,"mode":"latency"},"library":"x","rep":0,"seed":1,"engine":"3","time":"2026-01-01T00:00:00Z","status":"ok","env":{"cpu":"c","features":null,"cores":1,"memory":1,"os":"o","go":"g","libraries":null},"values":{"recall":0.5}}`
	for name, change := range map[string]struct{ records, dataset, says string }{
		"object": {"{}\n", `{"name": "x"}`, "records.jsonl:1"}, "null": {"null\n", `{"name": "x"}`, "records.jsonl:1"}, "text": {"garbage\n" + line + "\n", `{"name": "x"}`, "records.jsonl:1"},
		"kind":    {strings.Replace(line, `"k":10`, `"k":"ten"`, 1) + "\n", `{"name": "x"}`, `"cell.k" cannot be a string`},
		"recall":  {strings.Replace(line, "0.5", "7", 1) + "\n", `{"name": "x"}`, "recall is 7"},
		"status":  {strings.Replace(line, `"ok"`, `"great"`, 1) + "\n", `{"name": "x"}`, `status "great"`},
		"array":   {line + "\n", `[]`, "dataset.json"},
		"number":  {line + "\n", `{"name": 3}`, `"name" cannot be a number`},
		"noJSON":  {line + "\n", `garbage`, "this is not JSON"},
		"labels":  {line + "\n", `{"name": "x", "labels": "y"}`, `"labels" cannot be a string`},
		"nothing": {"", `{"name": "x"}`, "no records yet"},
	} {
		dir := "results/" + name
		file(dir+"/records.jsonl", change.records)
		file(dir+"/dataset.json", change.dataset)
		add(change.says, "report", dir)
		add(change.says, "choose", dir)
		add(change.says, "compare", dir, dir)
		if change.records != "" {
			add(change.says, "serve", dir)
		}
	}
	add("holds no results", "report", "nothing")

	// Models and their cards.
	var picture bytes.Buffer
	if err := jpeg.Encode(&picture, image.NewGray(image.Rect(0, 0, 8, 8)), nil); err != nil {
		t.Fatal(err)
	}
	file("images/a/0.jpg", picture.String())
	file("images/b/0.jpg", picture.String())
	file("models/m.onnx", "\x08\x07\x12\x04test")
	const input = "input: {fit: cover, resample: bicubic-antialias, mean: [0.4, 0.4, 0.4], std: [0.2, 0.2, 0.2]}\n"
	for text, says := range map[string]string{
		"input: 3\n": `"input" cannot be a number`, "file: [m.onnx]\n": `"file" cannot be an array`, "- a\n": "", "file: m.onnx\n  bad: [\n": "line", "file: \"m\n": "line", "file: *x\n": "",
		"file: m.onnx\ninput: {mean: many}\n": "mean", "file: m.onnx\ninput: {height: tall}\n": "height", "file: m.onnx\nembedding: {dim: 1.5}\n": "dim", "file: m.onnx\nclasses: 3\n": "classes",
		"bogus: 1\n": "unknown key", "": "", "file: m.onnx\n" + input: "", "file: nothing.onnx\n" + input: "nothing.onnx", "file: m.onnx\nfile: b\n": "", "<html></html>\n": "",
	} {
		card := file("models/"+regexp.MustCompile(`\W`).ReplaceAllString(text, "_")+".yaml", text)
		add(says, "embed", "images", "--out", "vectors", "--device", "cpu", "--model", card)
	}
	add("nothing.onnx", "embed", "images", "--out", "vectors", "--model", "nothing.onnx")
	add("nothing", "embed", "nothing", "--out", "vectors")
	add("unknown device", "embed", "images", "--out", "vectors", "--device", "gpu9")
	add("nothing", "catalog", "show", "nothing")

	// Names of all kinds of things, and families that are folders.
	add("no data set", "data", "fetch", "bogus")
	add("no index family", "families", "show", "bogus")
	add("no engine", "engines", "up", "bogus")
	for text, says := range map[string]string{"3\n": "", "- a\n": "", "name: [a]\n": "", "name: \"x\n": "", "bogus: 1\n": "unknown key"} {
		dir := "families/" + regexp.MustCompile(`\W`).ReplaceAllString(text, "_")
		file(dir+"/family.yaml", text)
		add(says, "families", "check", "./"+dir)
	}
	for _, w := range ways {
		var stdout, stderr bytes.Buffer
		code := run(append([]string{"-q"}, w.args...), &stdout, &stderr)
		text := strings.TrimSpace(stderr.String())
		switch lines := strings.Count(text, "\n") + 1; {
		case code != exitFailed && code != exitMisuse:
			t.Errorf("%q: exit code %d\n%s", w.args, code, text)
		case text == "" || lines > 3:
			t.Errorf("%q: %d lines\n%s", w.args, lines, text)
		case !strings.HasPrefix(text, "annbench: "):
			t.Errorf("%q: %s", w.args, text)
		case !strings.Contains(text, w.says):
			t.Errorf("%q: does not say %q:\n%s", w.args, w.says, text)
		}
		if word := jargon.FindString(text); word != "" {
			t.Errorf("%q: %q is no word for people:\n%s", w.args, word, text)
		}
	}
}

// TestChooseEmptyFilter: an empty filter is one that was asked for, and wrong.
func TestChooseEmptyFilter(t *testing.T) {
	empty := ""
	if _, err := (&chooseCmd{Filter: &empty}).measured(&judge.Filtered{}); err == nil || !strings.Contains(err.Error(), "the expression is empty") {
		t.Errorf("an empty filter: %v", err)
	}
	if name, err := (&chooseCmd{}).measured(&judge.Filtered{}); name != "" || err != nil {
		t.Errorf("no filter: %q, %v", name, err)
	}
}

// TestFolderOfTwoServers: the second server that would write to a folder is refused with what to do, and may once the first ended.
func TestFolderOfTwoServers(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "added")
	held, err := takeFolder(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := takeFolder(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "another server writes to "+dir) || !strings.Contains(err.Error(), "end it first") {
		t.Errorf("a second server: %v", err)
	}
	held.Release()
	if held, err = takeFolder(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	held.Release()
}
