package external

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"annbench/indexes"
	"annbench/indexes/external/host"
	"annbench/indexes/external/protocol"
	"annbench/indexes/vec"
	"annbench/internal/proctree"
)

// TestMain lets the test binary be the program of a family: a well-behaved one, or one with a fault.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "program" {
		if fault, ok := strings.CutPrefix(os.Args[2], "wrote:"); ok {
			wrote(fault)
		}
		program(os.Args[2])
	}
	stderr = io.Discard
	os.Exit(m.Run())
}

// program is a family that scans, and misbehaves as fault says, when it is asked for what its name says.
func program(fault string) {
	f := host.Family{Library: "scan", Version: "1.2.3", Metrics: []string{"l2"}}
	f.Build = func(in host.Input) (host.Index, error) {
		fmt.Println("a library prints to standard output")
		in.Phase("add")
		misbehave("build", fault)
		if fault == "copies" {
			in.Vectors = slices.Clone(in.Vectors)
		}
		return &scan{in: in, fault: fault, most: in.Settings.Int("most")}, nil
	}
	f.Load = func(folder string, in host.Input) (host.Index, error) {
		text, err := os.ReadFile(filepath.Join(folder, "most"))
		if err != nil {
			return nil, err
		}
		most, err := strconv.Atoi(string(text))
		if fault == "copies" {
			in.Vectors = slices.Clone(in.Vectors)
		}
		return &scan{in: in, fault: fault, most: most}, err
	}
	misbehave("hello", fault)
	host.Main(f)
}

// wrote speaks the protocol by itself, and writes answers that are as fault says.
func wrote(fault string) {
	reply := `{"wall_ns":1000}`
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var r protocol.Request
		if err := json.Unmarshal(in.Bytes(), &r); err != nil {
			panic(err)
		}
		switch r.Do {
		case protocol.Hello:
			fmt.Println(`{"protocol":1,"library":"x","version":"1","metrics":["l2"],"can":["save"]}`)
			fmt.Fprintln(os.Stderr, "famous last words")
		case protocol.Search:
			ids, times := make([]int64, r.Count*r.K), make([]int64, r.Count)
			for i := range ids {
				ids[i] = int64(i % r.K)
			}
			said, mend := reply, func() {}
			switch fault {
			case "cut":
				mend = func() { _ = os.Truncate(r.IDs, 12) }
			case "empty":
				mend = func() { _ = os.Truncate(r.Times, 0) }
			case "long":
				ids = append(ids, 1)
			case "none":
				mend = func() { _ = os.Remove(r.Times) }
			case "link":
				mend = func() { _ = os.Rename(r.IDs, r.IDs+".own"); _ = os.Symlink(r.IDs+".own", r.IDs) }
			case "pipe":
				mend = func() { _ = os.Remove(r.IDs); _ = syscall.Mkfifo(r.IDs, 0o600) }
			case "folder":
				mend = func() { _ = os.Remove(r.Times); _ = os.Mkdir(r.Times, 0o700) }
			case "negative":
				times[2] = -5
			case "absurd":
				times[0], times[1] = math.MaxInt64, math.MaxInt64 // whose sum is -2
			case "negative wall":
				said = `{"wall_ns":-1000}`
			case "no wall":
				said = `{"cpu_ns":1000}`
			case "absurd wall":
				said = `{"wall_ns":9223372036854775807}`
			case "absurd cpu":
				said = `{"wall_ns":1000,"cpu_ns":9223372036854775807}`
			case "cores":
				said = fmt.Sprintf(`{"wall_ns":1000,"cpu_ns":%d}`, runtime.NumCPU()*int(10*time.Second))
			case "queries":
				overwrite(r.Queries)
			case "long error":
				said = `{"error":"` + strings.Repeat("é", 400_000) + `"}`
			case "beyond":
				said = `{"wall_ns":1e30}`
			case "negative extra":
				said = `{"wall_ns":1000,"extra":-1}`
			}
			for name, numbers := range map[string][]int64{r.IDs: ids, r.Times: times} {
				var b bytes.Buffer
				_ = binary.Write(&b, binary.LittleEndian, numbers)
				if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
					panic(err)
				}
			}
			mend()
			fmt.Println(said)
		case protocol.Build:
			if fault == "vectors" {
				overwrite(r.Vectors)
			}
			fmt.Println(reply)
		default:
			fmt.Println(reply)
		}
	}
	os.Exit(0)
}

// overwrite changes a file that is only to be read. A clock that is coarse must not hide it.
func overwrite(m *protocol.Matrix) {
	time.Sleep(20 * time.Millisecond)
	f, err := os.OpenFile(m.File, os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteAt([]byte{1}, m.Offset)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		panic(err)
	}
}

// misbehave does what goes wrong in the wild, at one moment.
func misbehave(moment, fault string) {
	at, what, ok := strings.Cut(fault, ":")
	if !ok || at != moment {
		return
	}
	fmt.Fprintln(os.Stderr, "famous last words")
	switch what {
	case "hang":
		time.Sleep(time.Hour)
	case "exit":
		os.Exit(0)
	case "exit3":
		os.Exit(3)
	case "bus":
		// Go's own runtime would make a stack trace of it; a shell dies as a C library does.
		panic(syscall.Exec("/bin/sh", []string{"sh", "-c", "kill -BUS $$"}, os.Environ()))
	case "garbage":
		raw("Segmentation fault, or a library that prints\n")
	case "flood":
		for noise := bytes.Repeat([]byte{0xff, 0, '{'}, 1<<14); ; {
			raw(string(noise))
		}
	case "phases":
		for {
			raw(`{"phase":"add"}` + "\n")
		}
	case "twice":
		raw(`{"wall_ns":1}` + "\n")
	case "version":
		raw(`{"protocol":99}` + "\n")
	case "eat":
		var hold [][]byte
		for range 640 { // 10 GiB
			b := make([]byte, 16<<20)
			for i := 0; i < len(b); i += 512 {
				b[i] = 1
			}
			hold = append(hold, b)
		}
		fmt.Fprintln(os.Stderr, len(hold))
	case "leave": // a daemon in a session of its own, that keeps every pipe open
		daemon := exec.Command("sh", "-c", "sleep 1000 & echo $! > "+os.Getenv("PIDFILE")+"; wait")
		daemon.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		daemon.Stdout, daemon.Stderr = protocolOutput(), os.Stderr
		if err := daemon.Start(); err != nil {
			panic(err)
		}
		for range 1000 {
			if info, err := os.Stat(os.Getenv("PIDFILE")); err == nil && info.Size() > 0 {
				break
			}
			time.Sleep(time.Millisecond)
		}
		os.Exit(0)
	default:
		panic("unknown fault " + fault)
	}
}

// protocolOutput finds what host took for the protocol: the other pipe than standard error.
func protocolOutput() *os.File {
	for fd := 3; fd < 20; fd++ {
		if to, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd)); err == nil && strings.HasPrefix(to, "pipe:") {
			return os.NewFile(uintptr(fd), "protocol")
		}
	}
	return os.Stdout // before host took it
}

func raw(text string) { _, _ = protocolOutput().WriteString(text) }

// scan is exact search that gives at most most answers.
type scan struct {
	in    host.Input
	fault string
	most  int
	count int
	kept  map[string][]int64 // answers by query, of the fault answer:kept
}

func (s *scan) Search(q []float32, ids []int64) (int, error) {
	if s.count++; s.count == 3 {
		misbehave("search", s.fault)
	}
	key := string(unsafe.Slice((*byte)(unsafe.Pointer(&q[0])), 4*len(q)))
	if kept, ok := s.kept[key]; ok {
		return copy(ids, kept), nil
	}
	var top vec.TopK
	top.Reset(min(len(ids), s.most))
	for i := range s.in.Rows {
		top.Push(vec.Neighbor{ID: int32(i), Dist: vec.L2.Rank(q, s.in.Row(i))})
	}
	got := top.AppendTo(nil)
	for i, n := range got {
		ids[i] = int64(n.ID)
	}
	switch s.fault {
	case "answer:kept":
		if s.kept == nil {
			s.kept = map[string][]int64{}
		}
		s.kept[key] = slices.Clone(ids[:len(got)])
	case "answer:large":
		ids[1] = int64(s.in.Rows)
	case "answer:negative":
		ids[0] = -7
	case "answer:gap":
		ids[0] = -1
	case "answer:repeated":
		ids[1] = ids[0]
	case "answer:short":
		return len(got) - 1, nil
	case "answer:reversed": // the farthest
		for i := range got {
			ids[i] = int64(s.in.Rows - 1 - i)
		}
	case "answer:shuffled":
		slices.Reverse(ids[:len(got)])
	case "answer:error":
		return 0, errors.New("the library says no")
	}
	return len(got), nil
}

func (s *scan) Tune(p host.Settings) error { s.most = p.Int("most"); return nil }

func (s *scan) Save(folder string) error {
	return os.WriteFile(filepath.Join(folder, "most"), []byte(strconv.Itoa(s.most)), 0o600)
}

const scanYAML = `protocol: 1
name: scan
library: scan
licence: MIT
doc: Exact search, for tests.
approach: exact
metrics: [l2]
exact: true
save: true
run: [PROGRAM, program, FAULT]
search:
  - {name: most, kind: integer, default: 100, min: 1, max: 1000, at_least_k: true, doc: answers at most}
`

func testFamily(t testing.TB, fault string) *indexes.Family {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	text := strings.NewReplacer("PROGRAM", self, "FAULT", strconv.Quote(fault)).Replace(scanYAML)
	if err := os.WriteFile(filepath.Join(dir, File), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	f.args = f.Run
	return f.Family("")
}

func testVectors(rows, dim int) vec.Matrix {
	r := rand.New(rand.NewPCG(1, 2))
	m := vec.NewMatrix(rows, dim)
	for i := range m.Data {
		m.Data[i] = r.Float32()
	}
	return m
}

func TestBuildSearchSaveLoad(t *testing.T) {
	family := testFamily(t, "")
	base, queries := testVectors(200, 8), testVectors(20, 8)
	var phases []string
	in := indexes.BuildInput{Vectors: base, Metric: vec.L2, Phase: func(name string) { phases = append(phases, name) }, Scratch: t.TempDir()}
	ix, err := family.OpenChecked(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	defer ix.Close()
	if !slices.Equal(phases, []string{"add"}) {
		t.Errorf("phases %v", phases)
	}
	path := filepath.Join(t.TempDir(), "index")
	if err := ix.(indexes.Saver).Save(path); err != nil {
		t.Fatal(err)
	}
	loaded, err := family.Load(path, indexes.BuildInput{Metric: vec.L2, Vectors: base})
	if err != nil {
		t.Fatal(err)
	}
	defer loaded.Close()
	for name, ix := range map[string]indexes.Index{"built": ix, "loaded": loaded} {
		timed := ix.(indexes.Timed)
		var b indexes.Block
		for first := 0; first < 20; first += 5 {
			if err := timed.SearchTimed(&b, queries, first, 5, 10, false); err != nil {
				t.Fatal(name, err)
			}
			if b.Waited < b.Wall {
				t.Errorf("%s: waited %v for a block of %v", name, b.Waited, b.Wall)
			}
			for i := range 5 {
				var top vec.TopK
				top.Reset(10)
				for j := range base.Rows {
					top.Push(vec.Neighbor{ID: int32(j), Dist: vec.L2.Rank(queries.Row(first+i), base.Row(j))})
				}
				var want []int32
				for _, n := range top.AppendTo(nil) {
					want = append(want, n.ID)
				}
				if !slices.Equal(b.Of(i), want) {
					t.Errorf("%s: query %d: %v, exact search finds %v", name, first+i, b.Of(i), want)
				}
			}
			if len(b.Times) != 5 || b.Wall <= 0 {
				t.Errorf("%s: %d times, wall %v", name, len(b.Times), b.Wall)
			}
		}
		got, err := ix.Search(nil, base.Row(7), 3)
		if err != nil || len(got) != 3 || got[0] != (vec.Neighbor{ID: 7, Dist: 0}) {
			t.Errorf("%s: searching for vector 7: %v, %v", name, got, err)
		}
		if err := ix.(indexes.Tuner).Tune(indexes.Params{"most": 2}); err != nil {
			t.Fatal(err)
		}
		if err := timed.SearchTimed(&b, queries, 0, 5, 10, false); err != nil || len(b.Of(4)) != 2 {
			t.Errorf("%s: with most=2: %v, %v", name, b.Of(4), err)
		}
		if bytes, _, ok := ix.(indexes.Weighed).Held(); !ok || bytes < 0 {
			t.Errorf("%s: holds %d bytes, %v", name, bytes, ok)
		}
	}
	if _, err := family.Load(path, indexes.BuildInput{Metric: vec.Cosine}); err == nil || !strings.Contains(err.Error(), "metric l2, not cosine") {
		t.Errorf("loading for another metric: %v", err)
	}
}

// TestHostile has programs fail in every way that is known from the wild: each is one error with the
// program's last words, and none is waited for.
func TestHostile(t *testing.T) {
	for _, c := range []struct{ fault, want string }{
		{"hello:hang", "did not hello in time"},
		{"hello:exit", "ended with exit code 0 when asked to hello"},
		{"hello:version", "speaks version 99 of the protocol, annbench version 1"},
		{"hello:garbage", `what is no reply: "Segmentation fault`},
		{"build:hang", "did not build in time"},
		{"build:exit", "ended with exit code 0 when asked to build, without a reply"},
		{"build:exit3", "ended with exit code 3 when asked to build"},
		{"build:bus", "ended by a signal (bus error) when asked to build"},
		{"build:garbage", `what is no reply: "Segmentation fault`},
		{"build:flood", "a line of more than 1048576 bytes"},
		{"build:phases", "1000 lines of phases and no reply"},
		{"search:exit", "ended with exit code 0 when asked to search, without a reply"},
		{"search:bus", "ended by a signal (bus error) when asked to search"},
		{"search:garbage", "what is no reply"},
		{"search:flood", "a line of more than 1048576 bytes"},
		{"search:twice", ""}, // the second reply is found when the next question is asked
		{"answer:large", "query 0: answer 1 has id 200; the index is of 200 vectors"},
		{"answer:negative", "query 0: answer 0 has id -7"},
		{"answer:gap", "query 0: answer 1 follows a -1"},
		{"answer:repeated", "comes twice"},
		{"answer:error", "query 0: the library says no"},
		{"wrote:cut", "its file of ids has 12 bytes, not 1600: 8 for each of 200 numbers"},
		{"wrote:empty", "its file of times has 0 bytes, not 160"},
		{"wrote:long", "its file of ids has 1608 bytes, not 1600"},
		{"wrote:none", "it wrote no file of times"},
		{"wrote:link", "its file of ids is a symbolic link: it must write the file itself"},
		{"wrote:pipe", "its file of ids is no plain file (prw-"},
		{"wrote:folder", "its file of times is no plain file (drw"},
		{"wrote:negative", "query 2 took -5 ns"},
		{"wrote:absurd", "query 0 took 9223372036854775807 ns, of the block's 1000"},
		{"wrote:negative wall", "its reply to search has a negative wall_ns (-1000)"},
		{"wrote:no wall", "its reply to search has no wall_ns"},
		{"wrote:absurd wall", "its reply to search says wall_ns 9223372036854775807, which is 2562047h"},
		{"wrote:absurd cpu", "its reply to search says cpu_ns 9223372036854775807"},
		{"wrote:cores", "on a machine of "},
		{"wrote:zero", "its times of 20 searches are all 0"},
		{"wrote:vectors", Overwrote},
		{"wrote:queries", Overwrote},
		{"wrote:long error", "searching scan: " + strings.Repeat("é", 2000) + "... and 398000 more characters"},
		{"wrote:beyond", "what is no reply"},
		{"wrote:negative extra", "a negative repeated (0) or extra (-1)"},
	} {
		t.Run(c.fault, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			if strings.HasSuffix(c.fault, ":hang") {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, 20*time.Second) // what comes before the hang has to be through by then, on a busy machine, too
				defer cancel()
			}
			scratch := t.TempDir()
			ix, err := testFamily(t, c.fault).OpenChecked(ctx, indexes.BuildInput{Vectors: testVectors(200, 8), Metric: vec.L2, Scratch: scratch})
			if err == nil {
				var b indexes.Block
				queries := testVectors(20, 8)
				for i := 0; i < 2 && err == nil; i++ {
					err = ix.(indexes.Timed).SearchTimed(&b, queries, 0, 20, 10, false)
				}
				if e := ix.Close(); e != nil {
					t.Error(e)
				}
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v; want %q", err, c.want)
			}
			if !strings.HasPrefix(c.fault, "answer:") && !strings.Contains(err.Error(), "famous last words") {
				t.Errorf("the last words are missing: %v", err)
			}
			if left, _ := os.ReadDir(scratch); len(left) > 0 {
				t.Errorf("it left %v", left)
			}
		})
	}
}

// TestNothingStays has a program start a daemon in a session of its own, which keeps the pipes open, and
// end: the daemon is ended too, and nobody waits for it.
func TestNothingStays(t *testing.T) {
	pidfile := filepath.Join(t.TempDir(), "pid")
	t.Setenv("PIDFILE", pidfile)
	_, err := testFamily(t, "build:leave").OpenChecked(t.Context(), indexes.BuildInput{Vectors: testVectors(20, 8), Metric: vec.L2})
	if err == nil || !strings.Contains(err.Error(), "ended with exit code 0") {
		t.Fatal(err)
	}
	text, err := os.ReadFile(pidfile)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if proctree.Alive(pid) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
		t.Errorf("the daemon %d is still there", pid)
	}
}

func TestMemoryLimit(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p, hello, err := Start(t.Context(), Command{Args: []string{self, "program", "hello:eat"}, Memory: 200 << 20})
	var e *Error
	if !errors.As(err, &e) || e.Kind != Memory || !slices.Contains(e.Words, "famous last words") {
		t.Fatalf("%v, %v, %v", p, hello, err)
	}
}

func TestNoProgram(t *testing.T) {
	_, _, err := Start(t.Context(), Command{Args: []string{"/nonexistent/program"}})
	if err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Fatal(err)
	}
}

// TestFamilyFiles has every mistake in a family.yaml named with its place.
func TestFamilyFiles(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{"name: scan", "name: Scan!", `:2:7: name "Scan!" must be`},
		{"name: scan", "name: flat", `:2:7: annbench has a family "flat" of its own`},
		{"approach: exact", "approach: grap", `:6:11: no approach "grap"; did you mean "graph"?`},
		{"metrics: [l2]", "metrics: [l2, l3]", `:7:15: unknown metric "l3"`},
		{"metrics: [l2]", "metric: [l2]", `:7:1: unknown key "metric"; did you mean "metrics"?`},
		{"metrics: [l2]", "colour: red", `unknown key "colour"; known are protocol, name, library, licence, doc, approach, caller, metrics, exact, random, codes, save, batch, run, build, search, floor, needs` + "\n"},
		{"metrics: [l2]", "minn: 1", `unknown key "minn"; known are protocol, `}, // min is a setting's
		{"default: 100, ", "defualt: 100, ", `unknown key "defualt"; did you mean "default"?`},
		{"default: 100, ", "licence: MIT, ", `unknown key "licence"; known are name, kind, default, min, max, words, codes, at_least_k, at_most, scale, grows, doc` + "\n"},
		{"search:", "needs: {colour: red}\nsearch:", `unknown key "colour"; known are requirements, sources, commands, debian, make, cpu, minutes` + "\n"},
		{"protocol: 1", "protocol: 2", `:1:11: protocol must be 1`},
		{"licence: MIT\n", "", "the family needs the licence"},
		{"kind: integer", "kind: int", `most: no kind "int"`},
		{"default: 100", "default: 0", "most must be between 1 and 1,000, not 0"},
		{"default: 100, ", "", "most: a setting needs a default"},
		{"doc: answers at most", "at_most: nlist, doc: x", `there is no build setting "nlist"`},
		{"search:", "floor: {more: 1}\nsearch:", `floor: there is no setting "more"`},
		{"search:", "needs: {requirements: r.txt}\nsearch:", "there is no "},
		{"search:", "build:\n  - {name: d, kind: word, default: a, words: [a, f16], codes: [f61], doc: x}\nsearch:", `:12:63: d: codes are some of its words, and "f61" is none; did you mean "f16"?`},
		{"doc: answers at most", "codes: [x], doc: x", ":12:91: most: only a build setting can have codes"},
		{"run: [PROGRAM, program, FAULT]\n", "", "the family needs run"},
		{"exact: true", "exact: yes", ":8:8: exact must be true or false, not yes; docs/"},
		{"exact: true", "exact: 'true'", `:8:8: exact must be true or false, not "true" in quotes; docs/`},
		{"metrics: [l2]", "metrics: l2", ":7:10: metrics must be a list, like [a, b], not l2; docs/"},
		{"default: 100, min: 1", "default: 100, min: one", "min must be a number, not one; docs/"},
		{"run: [PROGRAM, program, FAULT]", "run: [python, famly.yaml, famly.py]", `:10:27: there is no famly.py in the folder; did you mean "family.py"?`},
		{"run: [PROGRAM, program, FAULT]", "run: [./program]", ":10:7: there is no ./program in the folder"},
		{"doc: answers at most", "grows: .nan, doc: x", "most: grows is a power between 0 and 1"},
		{"doc: answers at most", "grows: 1.5, doc: x", "most: grows is a power between 0 and 1"},
		{"name: scan", "name: &x !", "family.yaml:2:10: "},
	} {
		dir := t.TempDir()
		text := strings.Replace(scanYAML, c.old, c.new, 1)
		if text == scanYAML {
			t.Fatalf("%q is not in the file", c.old)
		}
		if err := os.WriteFile(filepath.Join(dir, File), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "family.py"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Read(dir)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q for %q: %v; want %s", c.new, c.old, err, c.want)
		}
	}
	if _, err := Read(t.TempDir()); err == nil || !strings.Contains(err.Error(), "is no family: it has no family.yaml") {
		t.Error(err)
	}
}

// TestNamedFolders has names found in the folders of ANNBENCH_FAMILIES by what family.yaml says, two of one name refused,
// and what is no folder, or no program, named.
// A description that is a pipe would be waited for without an end.
func TestFamilyFileIsPlain(t *testing.T) {
	folder := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(folder, File), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(folder); err == nil || !strings.Contains(err.Error(), File+" is no plain file (p---------)") {
		t.Errorf("a pipe as %s: %v", File, err)
	}
}

func TestNamedFolders(t *testing.T) {
	parent := t.TempDir()
	t.Setenv(Variable, parent)
	t.Setenv("ANNBENCH_CACHE", t.TempDir())
	add := func(folder, run string) string {
		path := filepath.Join(parent, folder)
		text := strings.Replace(scanYAML, "run: [PROGRAM, program, FAULT]", "run: ["+run+"]", 1)
		if err := os.MkdirAll(filepath.Join(path, "bin"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(path, File), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	first := add("first", "./bin")
	f, err := Find("scan", ".")
	if err != nil || f.Folder != first {
		t.Fatalf("scan is %v, %v; want that of %s", f, err, first)
	}
	if missing := f.find(); !strings.Contains(missing, "its program ./bin, which run in "+filepath.Join(first, File)+" names, is a folder") {
		t.Errorf("a folder as a program: %s", missing)
	}
	second := add("second", "sh")
	for _, name := range []string{"scan", "scam"} {
		if _, err := Find(name, "."); err == nil || !strings.Contains(err.Error(), first+" and "+second+` are both named "scan"`) {
			t.Errorf("%s of two: %v", name, err)
		}
	}
	for path, want := range map[string]string{
		"":                            "the name of an index family is empty",
		filepath.Join(parent, "none"): "there is no folder " + filepath.Join(parent, "none"),
		filepath.Join(first, File):    "name the folder " + first,
	} {
		if _, err := Find(path, "."); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", path, err, want)
		}
	}
}

// Words of a build setting say that codes are kept.
func TestCodesOfSetting(t *testing.T) {
	f := &Family{Description: Description{Name: "x", Build: []Setting{{Name: "dtype", Kind: "word", Default: "f32", Words: []string{"f32", "f16"}, Codes: []string{"f16"}}}}}
	for word, want := range map[string]int64{"f32": 400, "f16": 0} {
		if got := f.Family("").VectorBytes(10, 10, indexes.Params{"dtype": word}); got != want {
			t.Errorf("%s: %d bytes of vectors, not %d", word, got, want)
		}
	}
}

func TestEffective(t *testing.T) {
	f := &Family{Description: Description{Name: "x", Build: []Setting{{Name: "lists", Kind: "integer"}}, Search: []Setting{
		{Name: "ef", Kind: "integer", AtLeastK: true}, {Name: "nprobe", Kind: "integer", AtMost: "lists"},
	}}}
	p := indexes.Params{"lists": 16, "ef": 3, "nprobe": 100}
	f.effective(1000, 10, p)
	if p["ef"] != 10 || p["nprobe"] != 16 {
		t.Error(p)
	}
}

// A metric by its other name is that metric.
func TestMetricsByOtherNames(t *testing.T) {
	folder := t.TempDir()
	text := "protocol: 1\nlicence: MIT\ndoc: A test.\nname: my-other\nlibrary: mine\napproach: graph\nmetrics: [euclidean, dot]\nrun: [python, family.py]\n"
	if err := os.WriteFile(filepath.Join(folder, "family.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "family.py"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Read(folder)
	if err != nil {
		t.Fatal(err)
	}
	if want := []vec.Metric{vec.L2, vec.InnerProduct}; !slices.Equal(f.Family("").Metrics, want) {
		t.Errorf("metrics %v, want %v", f.Family("").Metrics, want)
	}
}

// The check finds wrong answers of a program that does not fail.
func TestCheckSaysWhatIsWrong(t *testing.T) {
	for fault, want := range map[string]string{
		"":                "",
		"answer:repeated": "comes twice",
		"answer:short":    "family.yaml says exact: true, and it gives fewer than 10 answers to ",
		"answer:reversed": "family.yaml says exact: true, and it finds 0.",
		"answer:shuffled": "its answers are not nearest first, in 50 of 50 queries; query 0: answer 1 is at distance ",
	} {
		_, err := Check(t.Context(), testFamily(t, fault), vec.L2)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", fault, err, want)
		}
	}
}

// A clock that ran for less than a tenth of the waiting is doubted, but not for what files and pipe cost.
func TestUnclocked(t *testing.T) {
	for _, c := range []struct {
		blocks       int
		wall, waited time.Duration
		doubted      bool
	}{
		{0, 0, 0, false},
		{1, time.Microsecond, 25 * time.Millisecond, false},
		{1, time.Millisecond, 35 * time.Millisecond, false},
		{1, time.Millisecond, 50 * time.Millisecond, true},
		{10, time.Millisecond, 250 * time.Millisecond, false},
		{10, time.Second, 10 * time.Second, false},
		{10, time.Second, 11 * time.Second, true},
	} {
		if got := Unclocked(c.blocks, c.wall, c.waited); (got != "") != c.doubted {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

// The check says so where a query that is asked again takes a fraction of its time.
func TestCheckOfKeptAnswers(t *testing.T) {
	c, err := Check(t.Context(), testFamily(t, "answer:kept"), vec.L2)
	if err != nil || !strings.Contains(c.String(), "; warning: a query that was asked before takes ") {
		t.Errorf("%v, %v", c, err)
	}
	for again, want := range map[time.Duration]bool{100: false, 34: false, 33: true, 0: true} {
		if got := remembered(100, again); (got != "") != want {
			t.Errorf("100 ns, and then %v: %q", again, got)
		}
	}
}

// What family.yaml promises and the program lacks is found before anything is built.
func TestPromises(t *testing.T) {
	f := testFamily(t, "")
	f.Batch = true
	_, err := f.OpenChecked(t.Context(), indexes.BuildInput{Vectors: testVectors(20, 8), Metric: vec.L2})
	if err == nil || !strings.Contains(err.Error(), "scan: family.yaml says batch: true, and the program has no batch: write it, or leave that key out of ") {
		t.Error(err)
	}
}

// Pip's complaint is one sentence, with the line of the package.
func TestNoPackage(t *testing.T) {
	f := &Family{Folder: "/my/index"}
	f.Needs.Requirements, f.Needs.Sources = "requirements.txt", "sources.txt"
	text := []byte("# mine\nnumpy==2.2.6 \\\n    --hash=sha256:0\nxyzzy==1.0 \\\n    --hash=sha256:1\n")
	for _, c := range []struct{ file, pip, want string }{
		{"requirements.txt", "(from versions: none)\nERROR: No matching distribution found for xyzzy==1.0", "/my/index/requirements.txt:4: pip finds no wheel of xyzzy, in any version, for this Python ("},
		{"requirements.txt", "(from versions: 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)\nERROR: No matching distribution found for xyzzy==1.0", "/my/index/requirements.txt:4: xyzzy has no wheel of version 1.0 for this Python ("},
		{"sources.txt", "(from versions: none)\nERROR: No matching distribution found for xyzzy==1.0", "/my/index/sources.txt:4: pip finds no package of xyzzy, in any version, for this Python ("},
		{"sources.txt", "a compiler's error", "a compiler's error"},
	} {
		if err := f.noPackage(t.Context(), errors.New(c.pip), c.file, text); !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}

// What is installed of a folder is removed by its path, and no other family of its name.
func TestRemoveByPath(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("ANNBENCH_CACHE", cache)
	for hash, folder := range map[string]string{"0123456789ab": "/mine/x", "0123456789ac": "/yours/x", "0123456789ad": ""} {
		place := filepath.Join(cache, "families", "x-"+hash)
		if err := os.MkdirAll(place, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(place, installFile), fmt.Appendf(nil, `{"name":"x","folder":%q}`, folder), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Remove("/mine/x"); err != nil {
		t.Error(err)
	}
	left, err := List()
	if err != nil || len(left) != 2 || left[0].Folder != "/yours/x" || left[1].Folder != "" {
		t.Error(left, err)
	}
	if _, err := Remove("/mine/x"); err == nil || !strings.Contains(err.Error(), `nothing is installed of "/mine/x"`) {
		t.Error(err)
	}
	if _, err := Remove("x"); err != nil {
		t.Error(err)
	}
	if left, err := List(); err != nil || len(left) != 0 {
		t.Error(left, err)
	}
}

// A family that is named by its path is listed with what its family.yaml says, and with its folder.
func TestStatesByPath(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("ANNBENCH_CACHE", cache)
	folder, gone := t.TempDir(), "/gone/y"
	text := "protocol: 1\nlicence: MIT\ndoc: A test.\nname: x\nlibrary: mine\napproach: graph\ncaller: Python\nmetrics: [l2]\nrun: [python, family.py]\n"
	for path, content := range map[string]string{
		filepath.Join(folder, File):                                     text,
		filepath.Join(folder, "family.py"):                              "",
		filepath.Join(cache, "families", "x-0123456789ab", installFile): fmt.Sprintf(`{"name":"x","folder":%q}`, folder),
		filepath.Join(cache, "families", "y-0123456789ac", installFile): fmt.Sprintf(`{"name":"y","folder":%q}`, gone),
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	states, err := States()
	if err != nil || len(states) < 2 {
		t.Fatal(states, err)
	}
	got := slices.Clone(states[len(states)-2:])
	for i := range got {
		got[i].Bytes = 0 // of the files above
	}
	want := []State{
		{Name: "x", Library: "mine", Approach: "graph", Caller: "Python", Installed: true, Folder: folder},
		{Name: "y", Installed: true, Folder: gone},
	}
	if !slices.Equal(got, want) {
		t.Errorf("%+v, not %+v", got, want)
	}
	var table strings.Builder
	if err := WriteStates(&table, states); err != nil || !strings.Contains(table.String(), "installed for "+folder) {
		t.Errorf("%v in %s", err, table.String())
	}
}
