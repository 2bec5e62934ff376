package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

var update = flag.Bool("update", false, "write docs/reference/command-line.md anew")

const commandLinePage = "../../docs/reference/command-line.md"

// TestCommandLinePage compares the reference of the command line with the flags that there are.
func TestCommandLinePage(t *testing.T) {
	var c cli
	parser, err := kong.New(&c, grammar...)
	if err != nil {
		t.Fatal(err)
	}
	want := commandLine(parser.Model)
	if *update {
		if err := os.WriteFile(commandLinePage, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(commandLinePage)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != want {
		t.Errorf("docs/reference/command-line.md is not that of these flags; write it anew:\n\tgo test ./cmd/annbench -run TestCommandLinePage -update")
	}
}

// commandLine is the page: a section for each command that is not hidden.
func commandLine(app *kong.Application) string {
	var b strings.Builder
	fmt.Fprint(&b, `# Command line

<!-- Written from the flags by: go test ./cmd/annbench -run TestCommandLinePage -update -->

`+"`--help`"+` after a command prints the same. A value in capitals stands for yours.

Exit codes: 0 all done; 1 something could not be measured or done; 2 misuse (a wrong flag or sweep file); 130 and 143
when interrupted, with everything measured so far on disk.

Flags of every command:

`)
	flagTable(&b, app.Flags)
	leaves := app.Leaves(true)
	fmt.Fprint(&b, "| command | |\n| --- | --- |\n")
	for _, leaf := range leaves {
		fmt.Fprintf(&b, "| [`%s`](#%s) | %s |\n", path(leaf), strings.ReplaceAll("annbench "+path(leaf), " ", "-"), cell(leaf.Help))
	}
	for _, leaf := range leaves {
		fmt.Fprintf(&b, "\n## `annbench %s`\n\n%s\n\n", path(leaf), leaf.Help)
		usage := "annbench " + path(leaf)
		for _, arg := range leaf.Positional {
			usage += " " + arg.Summary()
		}
		if len(leaf.Flags) > 0 {
			usage += " [flags]"
		}
		fmt.Fprintf(&b, "```text\n%s\n```\n\n", usage)
		detail, examples, _ := strings.Cut(leaf.Detail, "Examples:")
		if detail = strings.TrimSpace(detail); detail != "" {
			fmt.Fprintf(&b, "%s\n\n", detail)
		}
		if len(leaf.Positional) > 0 {
			fmt.Fprint(&b, "| argument | |\n| --- | --- |\n")
			for _, arg := range leaf.Positional {
				fmt.Fprintf(&b, "| `%s` | %s |\n", arg.Summary(), cell(arg.Help))
			}
			b.WriteByte('\n')
		}
		flagTable(&b, leaf.Flags)
		if lines := strings.Split(strings.Trim(examples, "\n"), "\n"); examples != "" {
			fmt.Fprint(&b, "<!-- not run: examples for --help -->\n```sh\n")
			for _, line := range lines {
				fmt.Fprintln(&b, strings.TrimPrefix(line, "  "))
			}
			fmt.Fprint(&b, "```\n")
		}
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// path is a command's name with those of its parents, without the program's.
func path(node *kong.Node) string {
	var names []string
	for n := node; n.Parent != nil; n = n.Parent {
		names = append([]string{n.Name}, names...)
	}
	return strings.Join(names, " ")
}

func flagTable(b *strings.Builder, flags []*kong.Flag) {
	rows := 0
	for _, f := range flags {
		if f.Hidden || f.Name == "help" {
			continue
		}
		if rows++; rows == 1 {
			fmt.Fprint(b, "| flag | |\n| --- | --- |\n")
		}
		name := "--" + f.Name
		if f.Short != 0 {
			name = fmt.Sprintf("-%c, %s", f.Short, name)
		}
		if !f.IsBool() {
			name += "=" + strings.Trim(f.FormatPlaceHolder(), "\"")
		}
		fmt.Fprintf(b, "| `%s` | %s |\n", name, cell(f.Help))
	}
	if rows > 0 {
		b.WriteByte('\n')
	}
}

// cell is text for a cell of a table.
func cell(s string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(s), " "), "|", "\\|")
}
