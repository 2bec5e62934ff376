package online

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// TestInterleave: what team draft promises, on random rankings.
func TestInterleave(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	first := 0
	for range 2000 {
		a, b := rng.Perm(20)[:10], rng.Perm(20)[:10]
		list, teams := Interleave(a, b, 10, rng)
		if len(list) != 10 || len(teams) != 10 {
			t.Fatalf("%v %s", list, teams)
		}
		votes := [2]int{}
		for i, item := range list {
			ranking, team := a, 0
			if teams[i] == TeamB {
				ranking, team = b, 1
			}
			votes[team]++
			// It is the best of its ranking that was not there yet.
			for _, better := range ranking[:slices.Index(ranking, item)] {
				if !slices.Contains(list[:i], better) {
					t.Fatalf("%v %s of %v and %v: %d was passed over", list, teams, a, b, better)
				}
			}
			if slices.Contains(list[:i], item) || abs(votes[0]-votes[1]) > 1 {
				t.Fatalf("%v %s", list, teams)
			}
		}
		if teams[0] == TeamA {
			first++
		}
	}
	if ShareInterval(first, 2000).Low > 0.5 || ShareInterval(first, 2000).High < 0.5 {
		t.Errorf("A begins %d of 2000 lists", first)
	}
	if list, teams := Interleave([]int{1}, []int{1, 2, 3}, 5, rng); len(list) != 3 || !strings.HasSuffix(string(teams), "-") {
		t.Errorf("%v %s", list, teams)
	}
	if list, _ := Interleave(nil, nil, 5, rng); len(list) > 0 {
		t.Error(list)
	}
}

func abs(n int) int { return max(n, -n) }

// TestSignTest by hand: 8 of 10 is 2·(1 + 10 + 45)/1024.
func TestSignTest(t *testing.T) {
	for _, c := range []struct {
		wins, losses int
		want         float64
	}{{8, 2, 112. / 1024}, {5, 5, 1}, {0, 0, 1}, {0, 6, 2. / 64}, {2, 8, 112. / 1024}} {
		if got := SignTest(c.wins, c.losses); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%d, %d: %v, want %v", c.wins, c.losses, got, c.want)
		}
	}
}

// TestShareInterval: of Clopper and Pearson, by its definition: the tails at the ends are 2.5 %.
func TestShareInterval(t *testing.T) {
	tail := func(n, from, to int, p float64) (sum float64) {
		for k := from; k <= to; k++ {
			sum += math.Exp(logChoose(n, k) + term(k, p) + term(n-k, 1-p))
		}
		return sum
	}
	for _, c := range [][2]int{{3, 10}, {50, 100}, {0, 5}, {5, 5}} {
		k, n := c[0], c[1]
		got := ShareInterval(k, n)
		if k > 0 && math.Abs(tail(n, k, n, got.Low)-0.025) > 1e-9 || k < n && math.Abs(tail(n, 0, k, got.High)-0.025) > 1e-9 {
			t.Errorf("%v: %+v", c, got)
		}
	}
}

// TestAlwaysShare: the ends of the interval are where the mixture rejects, and it is wider than the one for one look.
func TestAlwaysShare(t *testing.T) {
	for _, c := range [][2]int{{30, 100}, {500, 1000}, {0, 20}, {7, 7}} {
		got, once := AlwaysShare(c[0], c[1]), ShareInterval(c[0], c[1])
		if got.Low > once.Low || got.High < once.High {
			t.Errorf("%v: %+v is within %+v", c, got, once)
		}
		if c[0] > 0 && math.Abs(mixtureRatio(c[0], c[1]-c[0], got.Low)+math.Log(Level)) > 1e-6 {
			t.Errorf("%v: the lower end is none", c)
		}
	}
	// By hand: 3 wins of 3 under a uniform share are 1/4, under one half 1/8.
	if got := math.Exp(mixtureRatio(3, 0, 0.5)); math.Abs(got-2) > 1e-12 {
		t.Errorf("%v", got)
	}
}

// TestNobodyForges: an id is for one session and one server, for a day.
func TestNobodyForges(t *testing.T) {
	k, now := NewKey(), time.Now()
	s := k.Session("a secret")
	id := k.Impression(s, 12, now)
	if n, err := k.Check(id, s, now.Add(time.Hour)); n != 12 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := k.Check(id, s, now.Add(-time.Hour)); n != 12 || err != nil { // the clock was set back
		t.Errorf("%d, %v", n, err)
	}
	if _, err := k.Check(id, s, now.Add(MaxAge+2*time.Second)); !errors.Is(err, ErrOld) {
		t.Errorf("%v", err)
	}
	for i := range id {
		b := []byte(id)
		if b[i] = 'A'; b[i] == id[i] {
			b[i] = 'B'
		}
		if _, err := k.Check(string(b), s, now); !errors.Is(err, ErrForged) {
			t.Errorf("character %d can be changed: %v", i, err)
		}
		if _, err := k.Check(id[:i]+"\n"+id[i:], s, now); !errors.Is(err, ErrForged) {
			t.Errorf("a line may end before character %d: %v", i, err)
		}
	}
	if _, err := k.Check(id, k.Session("another"), now); !errors.Is(err, ErrForged) {
		t.Errorf("%v", err)
	}
	if _, err := NewKey().Check(id, s, now); !errors.Is(err, ErrForged) {
		t.Errorf("%v", err)
	}
}

func lines(t *testing.T, dir string) (out []Line) {
	t.Helper()
	if err := ReadLog(dir, func(l Line) error { out = append(out, l); return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

// newLog is a log in a folder of its own.
func newLog(t *testing.T) (l *Log, dir string) {
	t.Helper()
	dir = t.TempDir()
	l, err := OpenLog(dir)
	if err != nil {
		t.Fatal(err)
	}
	return l, dir
}

// TestTornLine: a line that was not written to its end is cut, and what follows is whole.
func TestTornLine(t *testing.T) {
	dir := t.TempDir()
	for n := 1; n <= 3; n++ {
		l, err := OpenLog(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Append(Line{Kind: KindEvent, ID: "x", Rank: n, What: Click}); err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if err := l.Append(Line{}); err == nil {
			t.Error("a closed log takes lines")
		}
		f, err := os.OpenFile(filepath.Join(dir, logFile), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(strings.Repeat("x", n*70_000)); err != nil {
			t.Fatal(err)
		}
		f.Close()
		got := lines(t, dir)
		if len(got) != n || got[n-1].Rank != n {
			t.Errorf("%+v", got)
		}
	}
}

// narrow is a file on a disk that has room for so many bytes: the rest of a write is not there.
type narrow struct {
	file
	room int64
}

func (f *narrow) WriteAt(b []byte, at int64) (int, error) {
	if over := at + int64(len(b)) - f.room; over > 0 {
		n, err := f.file.WriteAt(b[:max(0, int64(len(b))-over)], at)
		return n, errors.Join(err, syscall.ENOSPC)
	}
	return f.file.WriteAt(b, at)
}

// TestFullDisk: what was taken before the disk was full is written once there is room, whole and in order, and what
// comes meanwhile is refused.
func TestFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, dir := newLog(t)
		disk := &narrow{l.file, 200}
		l.file = disk
		var taken []int
		add := func(from, to int) (refused int) {
			for n := from; n < to; n++ {
				if l.Append(Line{Kind: KindEvent, Rank: n, What: Click}) == nil {
					taken = append(taken, n)
				} else {
					refused++
				}
			}
			time.Sleep(2*group + time.Millisecond) // and not to the moment of a group
			return refused
		}
		if n := add(1, 6); n > 0 {
			t.Errorf("%d lines are refused before anything is wrong", n)
		}
		if n := add(6, 9); n != 3 {
			t.Errorf("%d of 3 lines are refused while the disk is full", n)
		}
		if got := lines(t, dir); len(got) == 0 || len(got) >= 5 {
			t.Errorf("%d lines are on the full disk", len(got))
		}
		disk.room = 1 << 20
		time.Sleep(2 * again)
		if n := add(9, 12); n > 0 {
			t.Errorf("%d lines are refused once there is room", n)
		}
		disk.room = 0
		add(12, 14)
		if err := l.Close(); err == nil || !strings.Contains(err.Error(), "2 lines are lost") {
			t.Errorf("it is closed with %v", err)
		}
		var got []int
		for _, line := range lines(t, dir) {
			got = append(got, line.Rank)
		}
		if want := taken[:len(taken)-2]; !slices.Equal(got, want) {
			t.Errorf("%v are in the log, of %v", got, want)
		}
	})
}

func rotate(t *testing.T, l *Log) {
	t.Helper()
	l.turn.Lock()
	defer l.turn.Unlock()
	if err := l.rotate(); err != nil {
		t.Fatal(err)
	}
}

// TestRotationAgain: a file that got its final name when the next one could not be made is still written to.
func TestRotationAgain(t *testing.T) {
	l, dir := newLog(t)
	defer l.Close()
	_ = l.Append(Line{Kind: KindEvent, Rank: 1})
	l.flush()
	if err := os.Rename(filepath.Join(dir, logFile), filepath.Join(dir, "events-20260101T000000.000000000.jsonl")); err != nil {
		t.Fatal(err)
	}
	_ = l.Append(Line{Kind: KindEvent, Rank: 2})
	l.flush()
	rotate(t, l)
	_ = l.Append(Line{Kind: KindEvent, Rank: 3})
	l.flush()
	for i, line := range lines(t, dir) {
		if line.Rank != i+1 {
			t.Errorf("line %d is %+v", i+1, line)
		}
	}
}

// TestRotation: lines keep their order over files, and each file begins with its experiment.
func TestRotation(t *testing.T) {
	l, dir := newLog(t)
	add := func(line Line) {
		if err := l.Append(line); err != nil {
			t.Fatal(err)
		}
		l.flush()
	}
	add(Line{Kind: KindExperiment, Experiment: "e", Mode: Split, Arms: make([]Arm, 2)})
	for n := range 3 {
		add(Line{Kind: KindEvent, Rank: n + 1})
		rotate(t, l)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	var ranks []int
	experiments := 0
	for _, line := range lines(t, dir) {
		if line.Kind == KindExperiment {
			experiments++
		} else {
			ranks = append(ranks, line.Rank)
		}
	}
	if !slices.Equal(ranks, []int{1, 2, 3}) || experiments != 4 {
		t.Errorf("%v, %d experiments", ranks, experiments)
	}
}

// TestClosedNames: a file that is closed later has a later name, whatever the clock says.
func TestClosedNames(t *testing.T) {
	dir := t.TempDir()
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	last := ""
	for _, now := range []time.Time{at, at, at.Add(-time.Hour), at.Add(time.Hour), at} {
		name, err := closedName(dir, now)
		if err != nil || name <= last {
			t.Fatalf("%s after %s: %v", name, last, err)
		}
		if last = name; now.After(at) != (name == now.Format(closedForm)) && now != at {
			t.Errorf("%s at %v", name, now)
		}
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSetBack: neither a clock that is set back nor the order of lines ends a session early, or makes it a program's.
func TestSetBack(t *testing.T) {
	l, dir := newLog(t)
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	add := func(line Line) {
		line.At = at
		if err := l.Append(line); err != nil {
			t.Fatal(err)
		}
	}
	add(Line{Kind: KindExperiment, Experiment: "e", Mode: Interleaved, Arms: make([]Arm, 2)})
	show := func(n int) {
		add(Line{Kind: KindImpression, Experiment: "e", ID: strconv.Itoa(n), Session: "s", Items: []int{1, 2}, Teams: "AB"})
	}
	show(0)
	add(Line{Kind: KindEvent, ID: "0", Session: "s", Rank: 1, What: Click})
	for n := 1; n <= 120; n++ {
		at = at.Add(time.Minute)
		show(n)
		if n == 60 {
			at = at.Add(-time.Hour)
		}
	}
	add(Line{Kind: KindImpression, Experiment: "e", ID: "t", Session: "t", Items: []int{1, 2}, Teams: "BA"})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := Analyze(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	if r.Sessions != 2 || r.Robots != 0 || r.Open != 2 || r.SetBack != 1 || r.Events != 1 || r.To.Sub(r.From) < 110*time.Minute {
		t.Errorf("%+v", r)
	}
}

// TestFewSessions: one session makes no narrow interval, and no sign test can be done with a handful.
func TestFewSessions(t *testing.T) {
	for n, want := range map[int]bool{1: true, fewSessions - 1: true, fewSessions: false} {
		one := slices.Repeat([]ratio{{1, 10}}, n)
		if got := bootstrap(one, 1); (got == Interval{0, 1}) != want {
			t.Errorf("%d sessions: %v", n, got)
		}
		if got := bootstrapDifference(one, one, 3, 1); (got == Interval{-3, 3}) != want {
			t.Errorf("%d sessions: a difference of %v", n, got)
		}
	}
	for _, p := range []float64{0, 1} {
		n := int(neededForShare(p))
		if SignTest(n, 0) >= Level || SignTest(n-1, 0) < Level {
			t.Errorf("%d are needed where one side wins all", n)
		}
	}
}

// TestKilled: a process that is killed with SIGKILL loses no more than the last group.
func TestKilled(t *testing.T) {
	if dir := os.Getenv("ANNBENCH_TEST_CLICKS"); dir != "" {
		l, err := OpenLog(dir)
		if err != nil {
			t.Fatal(err)
		}
		for n := 1; ; n++ {
			_ = l.Append(Line{Kind: KindEvent, Rank: n})
			time.Sleep(time.Millisecond)
		}
	}
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilled$")
	cmd.Env = append(os.Environ(), "ANNBENCH_TEST_CLICKS="+dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for {
		if b, _ := os.ReadFile(filepath.Join(dir, logFile)); bytes.Count(b, []byte("\n")) > 300 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	for i, line := range lines(t, dir) {
		if line.Rank != i+1 {
			t.Fatalf("line %d is %+v", i+1, line)
		}
	}
}

// TestRobotsAreSetAside, with what a log may say wrongly.
func TestAnalyze(t *testing.T) {
	l, dir := newLog(t)
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	add := func(line Line) {
		line.At = at
		if err := l.Append(line); err != nil {
			t.Fatal(err)
		}
	}
	add(Line{Kind: KindExperiment, Experiment: "e", Mode: Interleaved, Arms: []Arm{{Name: "one"}, {Name: "two"}}})
	for n := range 60 {
		id := strings.Repeat("i", n+1)
		add(Line{Kind: KindImpression, Experiment: "e", ID: id, Session: "s" + id, Items: []int{1, 2}, Teams: []string{"AB", "BA"}[n%2], Category: "shoe"})
		rank := 2 - n%2 // team B's
		if n < 10 {
			rank = 3 - rank
		}
		at = at.Add(time.Minute)
		add(Line{Kind: KindEvent, ID: id, Session: "s" + id, Rank: rank, What: Basket})
	}
	for range 200 { // a robot
		add(Line{Kind: KindImpression, Experiment: "e", ID: "r", Session: "robot", Items: []int{1}, Teams: "A"})
		at = at.Add(time.Second)
	}
	add(Line{Kind: KindEvent, ID: "r", Rank: 1, What: Click})
	add(Line{Kind: KindEvent, ID: "unknown", Rank: 1, What: Click})
	at = at.Add(time.Hour)
	add(Line{Kind: KindImpression, Experiment: "e", ID: "last", Session: "last", Items: []int{1, 2}, Teams: "AB"})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := Analyze(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	if r.Sessions != 61 || r.Open != 1 || r.Robots != 1 || r.Events != 60 || r.Orphans != 1 || r.Wins != [2]int{10, 50} || r.Ties != 1 || r.Winner != 2 || r.Mismatch {
		t.Errorf("%+v", r)
	}
	if math.Abs(r.Share-50./60) > 1e-12 || r.P > 1e-6 || r.AlwaysP > 1e-4 || r.Always.Low < 0.5 || r.Always.Low > r.Interval.Low {
		t.Errorf("%+v, %+v", r, r.Always)
	}
	done := 0
	for _, rate := range r.Rates {
		if rate.What == Basket && rate.Rank == 0 && rate.Category == "" {
			done += rate.Done
		}
		if rate.Share < rate.Interval.Low-1e-9 || rate.Share > rate.Interval.High+1e-9 {
			t.Errorf("%+v", rate)
		}
	}
	if done != 60 {
		t.Errorf("%d baskets", done)
	}
	var text bytes.Buffer
	if err := r.WriteText(&text); err != nil || !strings.Contains(text.String(), "2 is better: two") {
		t.Errorf("%v\n%s", err, &text)
	}
	path := filepath.Join(t.TempDir(), "r.html")
	if err := r.WritePage(path); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(path); err != nil || !strings.Contains(string(b), "2 is better: two") || strings.Contains(string(b), "http") {
		t.Errorf("%v\n%s", err, b)
	}
	if _, err := Analyze(dir, "f"); err == nil {
		t.Error("an experiment that there is not")
	}
	if _, err := Analyze(t.TempDir(), ""); err == nil {
		t.Error("a log that there is not")
	}
}

// FuzzAnalyze reads any log: what is no log is an error, and what is one can be told.
func FuzzAnalyze(f *testing.F) {
	const begins = `{"line":"experiment","at":"2026-01-01T00:00:00Z","experiment":"e","mode":"interleave","arms":[{"name":"a"},{"name":"b"}]}` + "\n"
	f.Add([]byte(begins + `{"line":"impression","at":"2026-01-01T00:00:00Z","experiment":"e","id":"x","session":"s","items":[1,2],"teams":"AB"}` + "\n" +
		`{"line":"event","at":"2026-01-01T00:00:01Z","id":"x","session":"s","rank":1,"what":"click"}` + "\n"))
	f.Add([]byte(begins + `{"line":"impression","at":"2026-01-01T00:00:00Z","experiment":"e","id":"x","items":[1],"teams":"A","arm":3}` + "\n"))
	f.Add([]byte(`{"line":"experiment","experiment":"e","mode":"split","arms":[{},{}]}` + "\n" + `{"line":"impression","experiment":"e","arm":2}` + "\n{"))
	f.Fuzz(func(t *testing.T, text []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, logFile), text, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := Analyze(dir, "")
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := r.WriteText(&b); err != nil || b.Len() == 0 {
			t.Errorf("%v", err)
		}
		if _, err := json.Marshal(r); err != nil { // no number that JSON has not
			t.Error(err)
		}
	})
}

// TestSimulation is a small one: false alarms stay near 5 %, differences are found, and interleaving needs fewer
// sessions. The table in docs has a thousand runs.
func TestSimulation(t *testing.T) {
	queries := []Query{}
	rng := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		q := Query{Base: 0.1}
		for range 10 {
			q.Relevant = append(q.Relevant, rng.Float64() < 0.7)
		}
		queries = append(queries, q)
	}
	r, err := Simulation{Queries: queries, Runs: 60, Sessions: 400, Damage: []float64{0.4}, Seed: 1}.Run(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range r.Rows {
		if row.Damage == 0 && ShareInterval(int(math.Round(row.Always*60)), 60).Low > Level {
			t.Errorf("%+v: equal arms are called different", row)
		}
		if row.Damage > 0 && row.Mode == Interleaved && (row.Fixed < 0.9 || row.Wrong > 0) {
			t.Errorf("%+v: the difference is not found", row)
		}
	}
	for _, users := range []string{Position, Cascade} {
		if v := r.Times(users, 0.4); v < 2 {
			t.Errorf("%s: a split needs %.1f times as many sessions", users, v)
		}
	}
}

// The folder of results is as good as that of the log in it.
func TestReadLogOfResults(t *testing.T) {
	results := t.TempDir()
	dir := filepath.Join(results, Folder)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	none := func(Line) error { return nil }
	if err := ReadLog(results, none); err == nil || !strings.Contains(err.Error(), "holds no log of clicks") {
		t.Errorf("no log: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, logFile), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := ReadLog(results, none); err != nil {
		t.Error(err)
	}
}
