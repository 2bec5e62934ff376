package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"annbench/bench/dataset"
	"annbench/bench/dataset/collection"
	"annbench/bench/record"
	"annbench/bench/sweepfile"
	"annbench/indexes/vec"
)

// faultVariable makes the worker of a test do something else than its work.
const faultVariable = "ANNBENCH_TEST_FAULT"

// TestMain lets the test binary be its own worker, as the command is.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "worker" {
		lookup = lookupWithFar
		if fault := os.Getenv(faultVariable); fault != "" {
			misbehave(fault)
		}
		if err := Work(context.Background(), os.Stdin, os.NewFile(3, "replies")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// misbehave is what goes wrong in the wild. "FAULT@TEXT" does so only where the order holds TEXT.
func misbehave(fault string) {
	fault, only, _ := strings.Cut(fault, "@")
	in := bufio.NewReader(os.Stdin)
	b, _ := in.ReadBytes('\n')
	replies := os.NewFile(3, "replies")
	if !strings.Contains(string(b), only) {
		if err := Work(context.Background(), io.MultiReader(bytes.NewReader(b), in), replies); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	switch fault {
	case "kill":
		fmt.Fprintln(os.Stderr, "about to go")
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	case "hang":
		time.Sleep(time.Hour)
	case "garbage":
		fmt.Fprintln(replies, "Segmentation fault, or a library that prints")
		fmt.Println("more of it")
	case "segfault":
		_ = syscall.Kill(os.Getpid(), syscall.SIGSEGV)
		select {}
	case "flood": // everything that can be written to, without end and without a line
		noise := bytes.Repeat([]byte{0xff, 0, '{'}, 1<<14)
		for {
			for _, f := range []*os.File{replies, os.Stdout, os.Stderr} {
				_, _ = f.Write(noise)
			}
		}
	case "leave": // a daemon in a session of its own that keeps every descriptor, and an end that is none
		c := exec.Command("/bin/sleep", "600")
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		c.Stdout, c.Stderr, c.ExtraFiles = os.Stdout, os.Stderr, []*os.File{replies}
		if err := c.Start(); err != nil {
			panic(err)
		}
		fmt.Fprintln(os.Stderr, "daemon", c.Process.Pid)
	case "full":
		_ = json.NewEncoder(replies).Encode(reply{Error: "saving: write index: no space left on device", Disk: true})
	case "silent":
	case "eat":
		var hold [][]byte
		for {
			b := make([]byte, 16<<20)
			for i := range b {
				b[i] = 1
			}
			hold = append(hold, b)
			runtime.KeepAlive(hold)
		}
	default:
		panic("unknown fault " + fault)
	}
	os.Exit(0)
}

// testSet makes a data set of clustered, labelled vectors: rows vectors, of which queries are held out.
func testSet(t testing.TB, rows, dim, queries int) string {
	t.Helper()
	dir := t.TempDir()
	w, err := collection.Create(filepath.Join(dir, "collection"), dim)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	r := rand.New(rand.NewPCG(1, 2))
	const clusters = 10
	centres := vec.NewMatrix(clusters, dim)
	for i := range centres.Data {
		centres.Data[i] = float32(r.NormFloat64())
	}
	m := vec.NewMatrix(rows, dim)
	items := make([]collection.Item, rows)
	for i := range rows {
		c := r.IntN(clusters)
		items[i] = collection.Item{ID: fmt.Sprintf("item%d", i), Label: fmt.Sprintf("class%d", c)}
		for j, x := range centres.Row(c) {
			m.Row(i)[j] = x + 0.5*float32(r.NormFloat64())
		}
	}
	if err := w.Append(items, m, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(nil); err != nil {
		t.Fatal(err)
	}
	c, err := collection.OpenFolder(filepath.Join(dir, "collection"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	set, err := dataset.Split(t.Context(), c, dataset.SplitConfig{Queries: queries, Seed: 1}, dir)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// testSweep is a sweep that lasts seconds: a text of YAML from families on is completed.
func testSweep(t testing.TB, families string) *sweepfile.Sweep {
	t.Helper()
	text := "name: test\ndata: {rendered: {boards: 1}}\nmetric: l2\nk: [5, 10]\nrepetitions: 2\nmeasure: 1ms\ntimeout: 1m\ngallery: 3\nfamilies:\n" + families
	s, err := sweepfile.Reader{Lookup: lookup}.Parse("test.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func testRun(t testing.TB, set string, s *sweepfile.Sweep) *Run {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return &Run{
		Sweep: s, Set: set, Out: filepath.Join(t.TempDir(), "results"),
		Worker: []string{self, "worker"}, Log: slog.New(slog.DiscardHandler),
	}
}

func readRecords(t testing.TB, dir string) []record.Record {
	t.Helper()
	records, torn, err := record.Read(filepath.Join(dir, record.RecordsFile))
	if err != nil || torn != 0 {
		t.Fatalf("records: %v, %d bytes torn", err, torn)
	}
	return records
}
