// Package dist has the launcher of the archive that scripts/dist.sh makes, a shell script, and its test.
package dist

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// unpacked lays out an archive with program in place of annbench, and returns the launcher's path.
func unpacked(t *testing.T, machine, flags, program string) string {
	t.Helper()
	text, err := os.ReadFile("annbench")
	if err != nil {
		t.Fatal(err)
	}
	launcher := strings.NewReplacer("@MACHINE@", machine, "@FLAGS@", flags, "@GLIBC@", "2.34", "@GLIBCXX@", "3.4.30").Replace(string(text))
	if at := strings.Index(launcher, "@GLIBC"); at >= 0 {
		t.Fatalf("a placeholder is left: %s", launcher[at:at+10])
	}
	dir := filepath.Join(t.TempDir(), "with a space")
	lib := filepath.Join(dir, "lib", "annbench")
	if err := os.MkdirAll(lib, 0o755); err != nil {
		t.Fatal(err)
	}
	if program != "" {
		if err := os.WriteFile(filepath.Join(lib, "annbench"), []byte(program), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "annbench")
	if err := os.WriteFile(path, []byte(launcher), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLauncher(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("archives are for Linux")
	}
	uname, err := exec.Command("uname", "-m").Output()
	if err != nil {
		t.Skip("there is no uname: ", err)
	}
	machine := strings.TrimSpace(string(uname))
	const echo = "#!/bin/sh\nfor a; do printf '[%s]' \"$a\"; done\nexit 7\n"
	for _, c := range []struct {
		name, machine, flags, program string
		status                        int
		says                          []string
	}{
		{"runs", machine, "", echo, 7, []string{"[run][my sweep.yaml]"}},
		{"another machine", "sparc", "", echo, 2, []string{"Linux on sparc", machine, "make build"}},
		{"the program is missing", machine, "", "", 2, []string{"lib/annbench/annbench is missing", "unpack the whole archive"}},
		{"a processor that lacks something", machine, "quantum", echo, 2, []string{"lacks quantum", "FAISS_OPT_LEVEL=generic make build"}},
		{"a system without the loader", machine, "", "#!/nowhere/ld.so\n", 2, []string{"glibc 2.34", "GLIBCXX_3.4.30", "The loader says"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := unpacked(t, c.machine, c.flags, c.program)
			link := filepath.Join(t.TempDir(), "annbench")
			if err := os.Symlink(path, link); err != nil {
				t.Fatal(err)
			}
			for _, start := range []string{path, link} {
				out, err := exec.Command(start, "run", "my sweep.yaml").CombinedOutput()
				var exit *exec.ExitError
				if !errors.As(err, &exit) || exit.ExitCode() != c.status {
					t.Fatalf("%s: got %v, want exit status %d; it said %s", start, err, c.status, out)
				}
				for _, want := range c.says {
					if !strings.Contains(string(out), want) {
						t.Errorf("%s: %q is not in %s", start, want, out)
					}
				}
			}
		})
	}
}
