package main

import (
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"annbench/bench/dataset"
	"annbench/indexes/vec"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"annbench": main})
}

// TestScripts runs the command as a user does; see testdata/*.txtar.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			env.Setenv("ANNBENCH_CACHE", env.WorkDir+"/cache")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"vectors": writeVectors, "code": wantCode},
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
