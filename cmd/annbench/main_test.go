package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"annbench/bench/dataset"
	"annbench/bench/record"
	"annbench/embedder"
	"annbench/indexes/vec"
)

// hasCgo says whether this build can run models.
var hasCgo bool

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"annbench": main})
}

// TestScripts runs the command as a user does; see testdata/*.txtar.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			env.Setenv("ANNBENCH_CACHE", env.WorkDir+"/cache")
			models, err := filepath.Abs("../../embedder/testdata")
			if err != nil {
				return err
			}
			env.Setenv("MODELS", models)
			if library, err := embedder.FindLibrary(); err == nil {
				env.Setenv(embedder.LibraryVariable, library)
			}
			return nil
		},
		Condition: func(name string) (bool, error) {
			if name == "mounts" {
				return exec.Command("unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt").Run() == nil, nil
			}
			if name == "onnxruntime" {
				_, err := embedder.FindLibrary()
				return hasCgo && err == nil, nil
			}
			return false, fmt.Errorf("no condition %q", name)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"vectors": writeVectors, "code": wantCode, "signal": sendSignal},
	})
}

// wantCode is the script command "code N COMMAND ...": the command must exit with N.
func wantCode(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code is %d, want %s", code, args[0])
	}
}

// sendSignal is the script command "signal NAME CODE exec COMMAND ... --out DIR": the command gets the
// signal as soon as it has left a record in DIR, must then exit with CODE, and must leave no process
// behind. What it writes to standard error is in the file signal.stderr.
func sendSignal(ts *testscript.TestScript, _ bool, args []string) {
	program, err := exec.LookPath(args[3])
	ts.Check(err)
	cmd := exec.Command(program, args[4:]...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(os.Environ(), "ANNBENCH_CACHE="+ts.Getenv("ANNBENCH_CACHE"))
	stderr, err := os.Create(ts.MkAbs("signal.stderr"))
	ts.Check(err)
	defer stderr.Close()
	cmd.Stderr = stderr
	ts.Check(cmd.Start())
	records := filepath.Join(ts.MkAbs(args[len(args)-1]), record.RecordsFile)
	for begun := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		if info, err := os.Stat(records); err == nil && info.Size() > 0 {
			break
		}
		if time.Since(begun) > time.Minute {
			_ = cmd.Process.Kill()
			ts.Fatalf("nothing was measured in a minute")
		}
	}
	workers := children(cmd.Process.Pid)
	ts.Check(cmd.Process.Signal(map[string]os.Signal{"INT": syscall.SIGINT, "TERM": syscall.SIGTERM}[args[0]]))
	err = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); strconv.Itoa(code) != args[1] {
		ts.Fatalf("exit code is %d (%v), want %s", code, err, args[1])
	}
	for _, pid := range workers {
		if syscall.Kill(pid, 0) == nil {
			ts.Fatalf("worker process %d is still there", pid)
		}
	}
}

// children lists the child processes of pid.
func children(pid int) (pids []int) {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, f := range files {
		text, _ := os.ReadFile(f)
		for _, field := range strings.Fields(string(text)) {
			if child, err := strconv.Atoi(field); err == nil {
				pids = append(pids, child)
			}
		}
	}
	return pids
}

// writeVectors is the script command "vectors NAME ROWS DIM": clustered vectors in NAME.npy, and
// their categories in NAME.txt.
func writeVectors(ts *testscript.TestScript, _ bool, args []string) {
	rows, err := strconv.Atoi(args[1])
	ts.Check(err)
	dim, err := strconv.Atoi(args[2])
	ts.Check(err)
	r := rand.New(rand.NewPCG(3, 4))
	m := vec.NewMatrix(rows, dim)
	var labels strings.Builder
	for i := range rows {
		class := r.IntN(4)
		for j := range dim {
			m.Row(i)[j] = float32(class*(j%3)) + float32(r.NormFloat64())
		}
		labels.WriteString("class" + strconv.Itoa(class) + "\n")
	}
	ts.Check(dataset.WriteMatrix(ts.MkAbs(args[0]+".npy"), m))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".txt"), []byte(labels.String()), 0o644))
}
