// Command gotest runs go test with the arguments it is given, shows what go test shows without -v,
// and closes with what was left out (every skipped test, with its reason) and one line of counts.
// Its exit code is go test's.
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"slices"
	"strings"
)

// event is a line of go test -json; see go doc test2json and go help buildjson.
type event struct {
	Action     string
	Package    string
	ImportPath string // of a build, instead of Package
	Test       string // empty: the package itself
	Output     string
}

// A skip is one skipped test and the reason it gave.
type skip struct{ pkg, test, reason string }

// A result is what a run of go test -json amounts to.
type result struct {
	passed, failed int // tests and subtests; and packages that failed without a test, such as builds
	skips          []skip
}

func main() {
	code, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "gotest:", err)
		code = 2
	}
	os.Exit(code)
}

func run(args []string) (code int, err error) {
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	// An interrupt reaches go test by itself; this process stays to tell what it had to say.
	signal.Notify(make(chan os.Signal, 1), os.Interrupt)
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("starting go test: %w", err)
	}
	res, err := follow(os.Stdout, out)
	if err != nil {
		return 0, fmt.Errorf("reading from go test: %w", err)
	}
	if err := cmd.Wait(); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			return 0, err
		}
		code = max(exit.ExitCode(), 1) // -1: ended by a signal
	}
	res.print(os.Stdout)
	return code, nil
}

// follow copies to w the verdict on each package and everything a failed test or build printed.
func follow(w io.Writer, r io.Reader) (result, error) {
	var res result
	type key struct{ pkg, test string }
	kept := map[key]*strings.Builder{}
	failedTests := map[string]bool{} // by package
	var order []key                  // of first output, so that what a crash left open is listed in order
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadString('\n')
		if line == "" && err != nil {
			if errors.Is(err, io.EOF) {
				return res, nil
			}
			return res, err
		}
		var e event
		if json.Unmarshal([]byte(line), &e) != nil {
			fmt.Fprint(w, line)
			continue
		}
		k := key{e.Package, e.Test}
		switch e.Action {
		case "build-output":
			fmt.Fprint(w, e.Output)
		case "output":
			if e.Test == "" && verdict(e.Output) {
				fmt.Fprint(w, e.Output)
				continue
			}
			if kept[k] == nil {
				kept[k] = &strings.Builder{}
				order = append(order, k)
			}
			kept[k].WriteString(e.Output)
		case "pass", "skip", "fail":
			text := ""
			if b := kept[k]; b != nil {
				text = b.String()
				delete(kept, k)
			}
			switch {
			case e.Test != "" && e.Action == "pass":
				res.passed++
			case e.Test != "" && e.Action == "skip":
				res.skips = append(res.skips, skip{e.Package, e.Test, reason(text)})
			case e.Test != "":
				res.failed++
				failedTests[e.Package] = true
				fmt.Fprint(w, text)
			case e.Action == "fail":
				if !failedTests[e.Package] {
					res.failed++
				}
				for _, o := range order {
					if b := kept[o]; b != nil && o.pkg == e.Package {
						fmt.Fprint(w, b)
						delete(kept, o)
					}
				}
				fmt.Fprint(w, text)
			}
		}
	}
}

// verdict reports whether go test without -v shows this line of a package; it does without the
// packages that have no tests.
func verdict(line string) bool {
	return strings.HasPrefix(line, "ok  \t") || strings.HasPrefix(line, "FAIL\t")
}

var position = regexp.MustCompile(`^\s*\S+\.go:\d+:\s*`)

// reason is the first line of what a skipped test said last: its t.Skip, after whatever it logged. Of a
// script, testscript logs what it did after that; it begins with the script's folder.
func reason(text string) string {
	last := ""
	for line := range strings.Lines(text) {
		if at := position.FindString(line); at != "" && !strings.HasPrefix(line[len(at):], "WORK=") {
			last = strings.TrimSpace(line[len(at):])
		}
	}
	return cmp.Or(last, "no reason given")
}

// print says what was left out, tests of one package and one reason together, and the counts.
func (r result) print(w io.Writer) {
	slices.SortStableFunc(r.skips, func(a, b skip) int {
		return cmp.Or(strings.Compare(a.pkg, b.pkg), strings.Compare(a.reason, b.reason))
	})
	if len(r.skips) > 0 {
		fmt.Fprintln(w, "left out:")
	}
	for i := 0; i < len(r.skips); {
		s := r.skips[i]
		var tests []string
		for ; i < len(r.skips) && r.skips[i].pkg == s.pkg && r.skips[i].reason == s.reason; i++ {
			tests = append(tests, r.skips[i].test)
		}
		fmt.Fprintf(w, "  %s: %s (%s)\n", s.pkg, s.reason, strings.Join(tests, ", "))
	}
	fmt.Fprintf(w, "%d passed, %d failed, %d skipped\n", r.passed, r.failed, len(r.skips))
}
