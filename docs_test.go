package annbench_test

import (
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

var (
	linkPattern  = regexp.MustCompile(`\]\(([^)\s]+)(?:\s+"[^"]*")?\)`)
	codePattern  = regexp.MustCompile("`+[^`\n]*`+")
	titlePattern = regexp.MustCompile(`^(#{1,6})\s+(.*)$`)
)

// TestLinks follows every relative link and picture in every page: its file must be in the repository, and
// its anchor a heading of that page. Addresses elsewhere are not asked for.
func TestLinks(t *testing.T) {
	pages := markdown(t)
	anchors := map[string][]string{}
	for name, text := range pages {
		anchors[name] = headings(text)
	}
	n := 0
	for name, text := range pages {
		for i, line := range prose(text) {
			for _, m := range linkPattern.FindAllStringSubmatch(line, -1) {
				target, err := url.Parse(m[1])
				if err != nil {
					t.Errorf("%s:%d: %s: %v", name, i+1, m[1], err)
					continue
				}
				if target.Scheme != "" || target.Host != "" {
					continue
				}
				n++
				to := name
				if target.Path != "" {
					to = path.Join(path.Dir(name), target.Path)
				}
				if _, err := os.Stat(filepath.FromSlash(to)); err != nil {
					t.Errorf("%s:%d: %s leads nowhere: there is no %s", name, i+1, m[1], to)
					continue
				}
				if target.Fragment != "" && !slices.Contains(anchors[to], target.Fragment) {
					t.Errorf("%s:%d: %s has no heading #%s; it has %s", name, i+1, to, target.Fragment, strings.Join(anchors[to], ", "))
				}
			}
		}
	}
	if n < 100 {
		t.Errorf("only %d links were found: the pages are written otherwise than this test reads them", n)
	}
}

// TestEveryPageIsLinked looks for pages and pictures under docs/ that no page leads to.
func TestEveryPageIsLinked(t *testing.T) {
	pages := markdown(t)
	linked := map[string]bool{"docs/README.md": true}
	for name, text := range pages {
		for _, line := range prose(text) {
			for _, m := range linkPattern.FindAllStringSubmatch(line, -1) {
				if target, err := url.Parse(m[1]); err == nil && target.Scheme == "" {
					linked[path.Join(path.Dir(name), target.Path)] = true
				}
			}
		}
	}
	err := fs.WalkDir(os.DirFS("."), "docs", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		switch path.Ext(name) {
		case ".md", ".png", ".jpg", ".svg":
			if !linked[name] {
				t.Errorf("no page links to %s", name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestNamedPagesExist looks for pages that help, messages, comments and sweep files name: docs/....md.
func TestNamedPagesExist(t *testing.T) {
	named := regexp.MustCompile(`\b(?:docs|configs)/[a-z/-]+\.md`)
	n := 0
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := d.Name()
		if d.IsDir() {
			if name != "." && (name == "results" || base == "node_modules" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_")) {
				return fs.SkipDir
			}
			return nil
		}
		switch filepath.Ext(base) {
		case ".go", ".yaml", ".json", ".sh", ".py", ".md":
		default:
			if base != "Makefile" {
				return nil
			}
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		for i, line := range strings.Split(string(text), "\n") {
			for _, page := range named.FindAllString(line, -1) {
				n++
				if _, err := os.Stat(page); err != nil {
					t.Errorf("%s:%d: there is no %s", name, i+1, page)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n < 20 {
		t.Errorf("only %d names of pages were found: they are written otherwise than this test reads them", n)
	}
}

// TestArchitectureNamesEveryPackage looks for packages that the map of docs/design/architecture.md leaves out, and
// for names on it that are no package. Packages for tests alone need no place on it.
func TestArchitectureNamesEveryPackage(t *testing.T) {
	text, err := os.ReadFile("docs/design/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	packages := map[string]bool{}
	for _, s := range sources(t) {
		if !s.test && s.pkg != "" {
			packages[s.pkg] = true
		}
	}
	onMap := map[string]bool{}
	for _, row := range regexp.MustCompile(`(?m)^\| (`+"`"+`[a-z/`+"`"+`, ]+) \|`).FindAllStringSubmatch(string(text), -1) {
		for _, name := range strings.Split(row[1], ",") {
			name = strings.Trim(name, " `")
			if onMap[name] = true; !packages[name] && !strings.HasSuffix(name, "/") {
				t.Errorf("the map has %s, which is no package", name)
			}
		}
	}
	for name := range packages {
		forTests := name == "browsertest" || name == "configs" || strings.HasSuffix(name, "test") || strings.HasSuffix(name, "/fixture") || strings.Contains(name, "/internal/")
		if !onMap[name] && !forTests {
			t.Errorf("the map of docs/design/architecture.md has no %s", name)
		}
	}
}

// markdown reads every page of the repository, by its name from the root, with slashes.
func markdown(t *testing.T) map[string]string {
	t.Helper()
	pages := map[string]string{}
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := d.Name()
		if d.IsDir() {
			if name != "." && (base == "testdata" || base == "results" && name == "results" || base == "node_modules" || strings.HasPrefix(base, ".")) {
				return fs.SkipDir
			}
			return nil
		}
		if filepath.Ext(base) == ".md" {
			text, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			pages[filepath.ToSlash(name)] = string(text)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return pages
}

// prose is a page line by line, with code, which has no links, made empty.
func prose(text string) []string {
	lines := strings.Split(text, "\n")
	fence := ""
	for i, line := range lines {
		trimmed := strings.TrimSpace(line)
		switch {
		case fence == "" && strings.HasPrefix(trimmed, "```"):
			fence, lines[i] = "```", ""
		case fence != "":
			if trimmed == fence {
				fence = ""
			}
			lines[i] = ""
		default:
			lines[i] = codePattern.ReplaceAllString(line, "")
		}
	}
	return lines
}

// headings are the anchors that a page's headings have on GitHub: lower case, without punctuation, spaces as
// hyphens, and a number for the second of a name.
func headings(text string) []string {
	var anchors []string
	lines := strings.Split(text, "\n")
	for i, line := range prose(text) {
		if !titlePattern.MatchString(line) {
			continue
		}
		title := titlePattern.FindStringSubmatch(lines[i])[2] // with its code
		title = linkPattern.ReplaceAllString(title, "")
		var b strings.Builder
		for _, r := range strings.ToLower(title) {
			switch {
			case r == ' ':
				b.WriteByte('-')
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r):
				b.WriteRune(r)
			}
		}
		anchor := b.String()
		for n := 1; slices.Contains(anchors, anchor); n++ {
			anchor = b.String() + "-" + strconv.Itoa(n)
		}
		anchors = append(anchors, anchor)
	}
	return anchors
}

// TestFaultsHaveTests holds the list of faults to the tests that inject them.
func TestFaultsHaveTests(t *testing.T) {
	text, err := os.ReadFile("docs/reference/faults.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\|.*\\| `(Test[A-Za-z0-9]+)` \\|$").FindAllStringSubmatch(string(text), -1)
	if len(rows) < 30 {
		t.Errorf("the list has %d faults with a test", len(rows))
	}
	defined := map[string]bool{}
	pattern := regexp.MustCompile(`(?m)^func (Test[A-Za-z0-9]+)\(`)
	err = filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, "_test.go") {
			return err
		}
		source, err := os.ReadFile(name)
		for _, m := range pattern.FindAllSubmatch(source, -1) {
			defined[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if !defined[row[1]] {
			t.Errorf("the list names %s, which is no test", row[1])
		}
	}
}
