package bench

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"annbench/bench/metric"
	"annbench/bench/record"
	"annbench/indexes"
	"annbench/indexes/external"
	"annbench/indexes/vec"
	"annbench/internal/proctree"
)

// hostile is the program of a family that says hello and, when it is to build, does what fault says.
const hostile = `read hello
echo '{"protocol":1,"library":"x","version":"1","can":["save"]}'
read build
echo famous last words >&2
%s
`

func hostileFamily(t *testing.T, name, fault string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{
		"family.yaml": fmt.Sprintf("protocol: 1\nname: %s\nlibrary: x\nlicence: MIT\ndoc: For tests.\napproach: exact\nmetrics: [l2]\nsave: true\nrun: [sh, program.sh]\n", name),
		"program.sh":  fmt.Sprintf(hostile, fault),
	} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestHostilePrograms runs a sweep over external families each of which fails in another way: each ends as
// one record a repetition, with the program's last words, and the sweep goes on to the last.
func TestHostilePrograms(t *testing.T) {
	left := filepath.Join(t.TempDir(), "pid")
	faults := []struct {
		name, does string
		status     record.Status
		says       string
	}{
		{"hangs", "sleep 1000", record.Timeout, "not done after 30s"},
		{"garbles", "echo Segmentation fault", record.Failed, `no reply: "Segmentation fault"`},
		{"leaves", "exit 0", record.Failed, "ended with exit code 0 when asked to build, without a reply"},
		{"floods", "yes '{'", record.Failed, "what is no reply"},
		{"bus", "kill -BUS $$", record.Failed, "ended by a signal (bus error)"},
		{"forks", "setsid sh -c 'echo $$ > " + left + "; sleep 1000' & while [ ! -s " + left + " ]; do sleep 0.01; done; exit 0", record.Failed, "ended with exit code 0"},
		{"eats", "head -c 10G /dev/zero | tail", record.OOM, "more than the limit"},
	}
	var families strings.Builder
	for _, f := range faults {
		fmt.Fprintf(&families, "- family: %s\n", hostileFamily(t, f.name, f.does))
	}
	families.WriteString("- family: flat\n")
	s := testSweep(t, families.String())
	s.Timeout, s.Memory, s.Repetitions = 30*time.Second, "300MiB", 1
	r := testRun(t, testSet(t, 100, 8, 10), s)
	if _, err := r.Do(t.Context()); err != nil {
		t.Fatal(err)
	}
	records := readRecords(t, r.Out)
	for _, f := range faults {
		i := slices.IndexFunc(records, func(r record.Record) bool { return r.Cell.Family == f.name })
		if i < 0 {
			t.Errorf("%s left no record", f.name)
			continue
		}
		got := records[i]
		if got.Status != f.status || !strings.Contains(got.Error, f.says) || !strings.Contains(got.Error, "famous last words") {
			t.Errorf("%s: %s: %s\nwant %s: %s", f.name, got.Status, got.Error, f.status, f.says)
		}
	}
	if !slices.ContainsFunc(records, func(r record.Record) bool { return r.Cell.Family == "flat" && r.Status == record.OK }) {
		t.Error("the family that works was not measured")
	}
	if n := len(records); n != 2*(len(faults)+1) { // for two values of k
		t.Errorf("%d records", n)
	}
	text, err := os.ReadFile(left)
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Sscan(string(text), &pid); err != nil {
		t.Fatal(err)
	}
	if proctree.Alive(pid) {
		t.Errorf("process %d, which a program started, still runs", pid)
	}
}

// A link to a file of the program counts as that file; one to nothing, and one to a folder, do not count.
func TestProgramOfLinks(t *testing.T) {
	dir, elsewhere := t.TempDir(), filepath.Join(t.TempDir(), "family.py")
	digest := func(text string) string {
		t.Helper()
		if err := os.WriteFile(elsewhere, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		d, err := programOf(&indexes.Family{Name: "links", Folder: dir})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	empty := digest("one")
	for name, to := range map[string]string{"gone": "/nonexistent/file", "folder": filepath.Dir(elsewhere)} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if d := digest("one"); d != empty {
		t.Error("a link to nothing or to a folder counts")
	}
	if err := os.Symlink(elsewhere, filepath.Join(dir, "family.py")); err != nil {
		t.Fatal(err)
	}
	one := digest("one")
	if one == empty || digest("two") == one {
		t.Error("the file that a link leads to does not count")
	}
}

// A program that writes into the file of the vectors leaves a failed record, and ends the run: the set is damaged.
func TestOverwrittenVectors(t *testing.T) {
	const overwrite = `file=$(printf %s "$build" | sed 's/.*"file":"\([^"]*\)".*/\1/')
sleep 0.05
printf x | dd of="$file" bs=1 seek=200 conv=notrunc
echo '{"wall_ns":1}'
read next`
	s := testSweep(t, "- family: "+hostileFamily(t, "writes", overwrite)+"\n- family: flat\n")
	s.Repetitions = 1
	set := testSet(t, 100, 8, 10)
	r := testRun(t, set, s)
	if _, err := r.Do(t.Context()); err == nil || !strings.Contains(err.Error(), "has changed") || !strings.Contains(err.Error(), "rm -r") {
		t.Errorf("the run goes on: %v", err)
	}
	records := readRecords(t, r.Out)
	if !slices.ContainsFunc(records, func(r record.Record) bool {
		return r.Cell.Family == "writes" && r.Status == record.Failed && strings.Contains(r.Error, external.Overwrote)
	}) {
		t.Errorf("%+v", records)
	}
	if slices.ContainsFunc(records, func(r record.Record) bool { return r.Cell.Family == "flat" && r.Status == record.OK }) {
		t.Error("another family was measured on changed vectors")
	}
}

// What a program started ends with an interrupted run, also in a session of its own and without the environment.
func TestInterruptEndsAll(t *testing.T) {
	left := filepath.Join(t.TempDir(), "pid")
	dir := hostileFamily(t, "forks", "env -i setsid sh -c 'echo $$ > "+left+".new; mv "+left+".new "+left+"; exec sleep 1000' & sleep 1000")
	s := testSweep(t, "- family: "+dir+"\n")
	r := testRun(t, testSet(t, 100, 8, 10), s)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	go func() {
		for ctx.Err() == nil {
			if _, err := os.Stat(left); err == nil {
				cancel()
			}
			time.Sleep(time.Millisecond)
		}
	}()
	if _, err := r.Do(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	text, err := os.ReadFile(left)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if proctree.Alive(pid) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
		t.Errorf("process %d still runs", pid)
	}
}

// Records of a family whose program has changed since are not gone on with.
func TestChangedProgram(t *testing.T) {
	dir := hostileFamily(t, "changes", "exit 0")
	set := testSet(t, 100, 8, 10)
	s := testSweep(t, "- family: "+dir+"\n")
	s.Repetitions = 1
	r := testRun(t, set, s)
	if _, err := r.Do(t.Context()); err != nil {
		t.Fatal(err)
	}
	if sum, err := r.Do(t.Context()); err != nil || !sum.Counted {
		t.Errorf("the same program: %+v, %v", sum, err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".hidden"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Do(t.Context()); err != nil {
		t.Errorf("a hidden file: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "program.sh"), fmt.Appendf(nil, hostile, "exit 1"), 0o600); err != nil {
		t.Fatal(err)
	}
	if sum, err := r.Do(t.Context()); err == nil || sum.Counted || !strings.Contains(err.Error(), "of family changes as it was before "+dir+" changed") {
		t.Errorf("another program: %v", err)
	}
}

// A program that holds less than the vectors has no figure, unless it says that it keeps codes.
func TestWeighed(t *testing.T) {
	foreign := indexes.Family{Belongs: func(vec.Metric, indexes.Params, indexes.Params) bool { return true }}
	for _, c := range []struct {
		family        indexes.Family
		held, vectors int64
		want          map[string]float64
		doubt         string
	}{
		{indexes.Family{}, 2 << 20, 1 << 20, map[string]float64{metric.Resident: 2 << 20, metric.Vectors: 1 << 20}, ""},
		{indexes.Family{}, 1 << 20, 2 << 20, map[string]float64{}, "its memory is not known: its program grew by 1.0 MiB for 2.0 MiB of vectors; if it keeps codes in place of them, family.yaml must say so by `codes`"},
		{indexes.Family{Codes: true}, 1 << 20, 0, map[string]float64{metric.Resident: 1 << 20, metric.Vectors: 0}, ""},
		{foreign, 2 << 20, 1 << 20, map[string]float64{metric.Resident: 2 << 20}, ""},
		{foreign, 16 << 10, 256128, map[string]float64{}, "its memory is not known: its program grew by 16.0 KiB for 250.1 KiB of vectors, less than tells codes from memory that it had free before"},
		{foreign, 100 << 20, 500 << 20, map[string]float64{metric.Resident: 100 << 20}, ""},
	} {
		values := map[string]float64{}
		if doubt := weighed(&c.family, c.held, c.vectors, values); doubt != c.doubt || !maps.Equal(values, c.want) {
			t.Errorf("%d of %d: %v, %q", c.held, c.vectors, values, doubt)
		}
	}
}

// The call is measured on as few vectors as the library takes.
// Blocks that took next to nothing by the program's clock are doubted in the record.
func TestUnclockedBlocks(t *testing.T) {
	h := &externalHost{blocks: 20, wall: time.Millisecond, waited: 5 * time.Second}
	doubt, err := h.after(t.Context(), nil, map[string]float64{metric.CallFloor: 1, metric.P50: 1})
	if err != nil || !strings.Contains(doubt, "its searches took 1ms, but annbench waited 5s for them") {
		t.Errorf("%q, %v", doubt, err)
	}
}

func TestOnFewest(t *testing.T) {
	for _, c := range []struct {
		all, least int
		tried      []int
		known      bool
	}{
		{1000, 1, []int{1}, true},
		{1000, 10, []int{1, 2, 16}, true},
		{1000, 300, []int{1, 2, 16, 256}, false},
		{12, 10, []int{1, 2, 12}, true},
		{12, 20, []int{1, 2, 12}, false},
	} {
		var tried []int
		f, err := onFewest(t.Context(), c.all, func(rows int) (floor, error) {
			tried = append(tried, rows)
			if rows < c.least {
				return floor{}, fmt.Errorf("%d are too few", rows)
			}
			return floor{wall: float64(rows)}, nil
		})
		if !slices.Equal(tried, c.tried) || (err == nil) != c.known || c.known && f.wall != float64(tried[len(tried)-1]) {
			t.Errorf("%d of %d: tried %v, %v, %v", c.least, c.all, tried, f, err)
		}
	}
}
