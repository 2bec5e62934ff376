package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/rogpeppe/go-internal/testscript"

	"annbench/bench/dataset/vecfile"
	"annbench/bench/record"
	"annbench/bench/store"
	"annbench/bench/store/staging"
	"annbench/bench/store/storetest"
	"annbench/embedder"
	"annbench/indexes/vec"
)

// hasCgo says whether this build can run models.
var hasCgo bool

// hang is how long a test waits for what takes a moment on an idle machine: only a hang takes longer.
const hang = 3 * time.Minute

func TestMain(m *testing.M) {
	if args := os.Getenv("ANNBENCH_TEST_S3"); args != "" {
		if err := doStorage(strings.Split(args, "|"), os.Getenv("ANNBENCH_TEST_DIR")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
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
			s3, stop, err := storageFor(t, filepath.Join(env.WorkDir, ".s3"))
			if err != nil {
				return err
			}
			env.Defer(stop)
			for name, value := range s3 {
				env.Setenv(name, value)
			}
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
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"vectors": writeVectors, "attributes": writeAttributes, "code": wantCode, "signal": sendSignal, "s3": storageCommand},
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
	cmd.Env = os.Environ()
	for _, name := range append(slices.Collect(maps.Keys((&storetest.Server{}).Env())), "ANNBENCH_CACHE") {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	stderr, err := os.Create(ts.MkAbs("signal.stderr"))
	ts.Check(err)
	defer stderr.Close()
	cmd.Stderr = stderr
	ts.Check(cmd.Start())
	out := args[len(args)-1]
	records := filepath.Join(ts.MkAbs(out), record.RecordsFile)
	if store.Is(out) { // the copy on this machine
		records = filepath.Join(ts.Getenv("ANNBENCH_CACHE"), "s3", "work", "*", "*", record.RecordsFile)
	}
	for begun := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		if files, _ := filepath.Glob(records); len(files) > 0 {
			if info, err := os.Stat(files[0]); err == nil && info.Size() > 0 {
				break
			}
		}
		if time.Since(begun) > hang {
			_ = cmd.Process.Kill()
			ts.Fatalf("nothing was measured in %v", hang)
		}
	}
	workers := children(cmd.Process.Pid)
	ts.Check(cmd.Process.Signal(map[string]os.Signal{"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "KILL": syscall.SIGKILL}[args[0]]))
	err = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); strconv.Itoa(code) != args[1] {
		ts.Fatalf("exit code is %d (%v), want %s", code, err, args[1])
	}
	for _, pid := range workers {
		// Who is killed leaves its workers to find out by themselves.
		for begun := time.Now(); args[0] == "KILL" && syscall.Kill(pid, 0) == nil && time.Since(begun) < hang; {
			time.Sleep(10 * time.Millisecond)
		}
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
	ts.Check(vecfile.WriteArray(ts.MkAbs(args[0]+".npy"), m.Data, m.Dim))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".txt"), []byte(labels.String()), 0o644))
}

// writeAttributes is the script command "attributes NAME ROWS": in NAME.csv a price from 0 to 199 and a size, S, M or L, of each row.
func writeAttributes(ts *testscript.TestScript, _ bool, args []string) {
	rows, err := strconv.Atoi(args[1])
	ts.Check(err)
	table := "price,size\n"
	for i := range rows {
		table += fmt.Sprintf("%d,%c\n", i%200, "SML"[i%3])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".csv"), []byte(table), 0o644))
}

// storageFor is object storage with the bucket lab, and the environment that leads to it: a real server
// where there is one.
func storageFor(t *testing.T, dir string) (env map[string]string, stop func(), err error) {
	env, stop, err = storetest.Real(dir, "lab")
	if err != nil || env != nil {
		return env, stop, err
	}
	return storetest.New(t, "lab").Env(), func() {}, nil
}

// storageCommand is the script command "s3 put FILE ADDRESS", "s3 get ADDRESS FILE" or "s3 has ADDRESS", with !
// for not.
func storageCommand(ts *testscript.TestScript, neg bool, args []string) {
	// The client takes credentials from the environment of the process, where scripts run side by side.
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "ANNBENCH_TEST_S3="+strings.Join(args, "|"), "ANNBENCH_TEST_DIR="+ts.MkAbs("."))
	for name := range (&storetest.Server{}).Env() {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	out, err := cmd.CombinedOutput()
	if (err != nil) != neg {
		ts.Fatalf("s3 %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// doStorage is the other end of storageCommand.
func doStorage(args []string, dir string) error {
	cache, err := os.MkdirTemp("", "")
	if err != nil {
		return err
	}
	defer os.RemoveAll(cache)
	s, err := store.Open(store.Options{Cache: cache})
	if err != nil {
		return err
	}
	address := args[len(args)-1]
	if args[0] == "get" {
		address = args[1]
	}
	a, err := store.Parse(address)
	if err != nil {
		return err
	}
	switch args[0] {
	case "put":
		return s.Push(context.Background(), filepath.Join(dir, args[1]), a, nil)
	case "get":
		path, err := s.Fetch(context.Background(), a, nil)
		if err != nil {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, args[2]), b, 0o644)
	}
	there, err := s.Exists(context.Background(), a)
	if err == nil && !there {
		err = fmt.Errorf("there is no %s", a)
	}
	return err
}

// TestEveryPathKnowsStorage: whatever on the command line takes a path says what becomes of an address.
func TestEveryPathKnowsStorage(t *testing.T) {
	var c cli
	parser, err := kong.New(&c, grammar...)
	if err != nil {
		t.Fatal(err)
	}
	kinds := []string{staging.In, staging.Card, staging.Results, staging.Whole, staging.Out, staging.Made, staging.Work, staging.Own}
	n := 0
	_ = kong.Visit(parser.Model, func(node kong.Visitable, next kong.Next) error {
		var v *kong.Value
		switch node := node.(type) {
		case *kong.Flag:
			v = node.Value
		case *kong.Value:
			v = node
		default:
			return next(nil)
		}
		switch v.Target.Interface().(type) {
		case string, []string:
		default:
			return next(nil)
		}
		place := v.Tag.PlaceHolder
		path := place == "DIR" || place == "FILE" || place == "CARD" || v.Flag == nil && v.Tag.Name != "name"
		tag := v.Tag.Get("s3")
		switch {
		case path && tag == "":
			t.Errorf("%s takes a path, and has no tag s3 that says what becomes of s3://bucket/key", v.Summary())
		case tag != "" && !slices.Contains(kinds, tag) && (!strings.HasPrefix(tag, staging.No) || len(tag) < 20):
			t.Errorf("%s: no meaning of s3 %q", v.Summary(), tag)
		case path:
			n++
		}
		return next(nil)
	})
	if n < 30 {
		t.Errorf("only %d paths were found", n)
	}
}
