package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"annbench/bench/dataset/vecfile"
	"annbench/online"
)

// servable is a results folder to be served, and the command that opens it: with two indexes compared.
func servable(t *testing.T) (results string, serve func() *exec.Cmd) {
	t.Helper()
	program, err := exec.LookPath("annbench") // this test, as testscript.Main has it
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	command := func(args ...string) *exec.Cmd {
		cmd := exec.Command(program, args...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "ANNBENCH_CACHE="+filepath.Join(dir, "cache"))
		return cmd
	}
	values := make([]float32, 64*4)
	for i := range values {
		values[i] = float32(i * i % 97)
	}
	sweep := "data: {vectors: v.npy}\nqueries: 8\nmetric: l2\nk: 5\nrepetitions: 1\nmeasure: 1ms\nfamilies: [{family: flat}]\n"
	if err := vecfile.WriteArray(filepath.Join(dir, "v.npy"), values, 4); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "sweep.yaml"), []byte(sweep), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := command("run", "sweep.yaml", "--out", "r").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return filepath.Join(dir, "r"), func() *exec.Cmd {
		return command("serve", "r", "--listen", "127.0.0.1:0", "--interleave", "flat,exact")
	}
}

// TestServeStopped: a stop says what became of it. Nothing is measured by serve, so nothing is kept.
func TestServeStopped(t *testing.T) {
	results, serve := servable(t)
	// It builds the index, and then waits: another machine holds the log of clicks, as far as one can see from here.
	lease := filepath.Join(results, online.Folder, ".lease")
	if err := os.MkdirAll(filepath.Dir(lease), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(lease, []byte(`{"token":"A","host":"elsewhere","pid":1,"beat":"00000000"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	code, said := stoppedAt(t, serve(), "building flat")
	if code != 143 || !strings.HasSuffix(said, "annbench: stopped before the server answered anything\n") {
		t.Errorf("before it serves: exit code %d: %s", code, said)
	}
	if err := os.Remove(lease); err != nil {
		t.Fatal(err)
	}
	if code, said = stoppedAt(t, serve(), "/shop compares"); code != 0 || strings.Contains(said, "annbench:") {
		t.Errorf("when it serves: exit code %d: %s", code, said)
	}
}

// stoppedAt runs cmd, and sends it SIGTERM when it says something with these words. It returns the exit code and all that it said.
func stoppedAt(t *testing.T, cmd *exec.Cmd, words string) (code int, said string) {
	t.Helper()
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = in, in
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close() // the process has its own
	for lines := bufio.NewScanner(out); lines.Scan(); {
		said += lines.Text() + "\n"
		if strings.Contains(lines.Text(), words) {
			_ = cmd.Process.Signal(syscall.SIGTERM)
		}
	}
	_ = cmd.Wait() // the exit code says it
	return cmd.ProcessState.ExitCode(), said
}
