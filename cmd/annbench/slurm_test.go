//go:build linux

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"annbench/bench"
	"annbench/bench/record"
)

// eightBuilds has as many builds as the array of the test below has tasks, also without Faiss.
const eightBuilds = `name: tiny
data: {synthetic: {n: 600, dim: 16}}
queries: 50
metric: l2
k: [10]
repetitions: 2
measure: 250ms
families:
  - family: flat
  - family: forest
    build: {trees: [2, 3, 4, 5, 6, 7, 8]}
    search: {search_k: [50, 200]}
  - family: hnsw-faiss
    build: {M: [4, 8], efConstruction: 20}
    search: {efSearch: [10, 40]}
`

// TestSlurm runs a sweep on a real Slurm that it starts: two nodes, both this machine, an array of 8 of
// which one task is killed in the middle and run again. What is merged must be what an undivided run
// plans, and no process may be left.
func TestSlurm(t *testing.T) {
	switch os.Getenv("ANNBENCH_SLURM") {
	case "":
		t.Skip("ANNBENCH_SLURM is not set: make test-slurm sets up a Slurm and runs this")
	case "required":
	default:
		t.Fatalf("ANNBENCH_SLURM is %q; it may be %q", os.Getenv("ANNBENCH_SLURM"), "required")
	}
	annbench, err := exec.LookPath("annbench") // this test, under the name by which it is the command
	if err != nil {
		t.Fatal(err)
	}
	s := startSlurm(t)
	dir := t.TempDir()
	t.Setenv("ANNBENCH_CACHE", filepath.Join(dir, "cache"))
	sweep := filepath.Join(dir, "tiny.yaml")
	if err := os.WriteFile(sweep, []byte(eightBuilds), 0o644); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "results of all", "tiny") // a path with spaces, as users have
	text := s.command(t, annbench, "slurm", sweep, "--out", out, "--shards", "8", "--truth-shards", "2", "--throttle", "2",
		"--partition", "debug", "--account", "lab", "--sbatch=--comment=passed-on", "--submit")
	job := func(what string) string {
		m := regexp.MustCompile(`(?m)^` + what + `: job ([0-9]+)`).FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("no job for %q in:\n%s", what, text)
		}
		return m[1]
	}
	array, merge := job("sweep"), job("merge and report")
	for _, want := range []string{"Comment=passed-on", "Account=lab", "TimeLimit=00:1", "MinMemoryNode=", "OverSubscribe=NO", "ArrayTaskThrottle=2"} {
		if info := s.command(t, "scontrol", "show", "job", array); !strings.Contains(info, want) {
			t.Errorf("the array has no %s:\n%s", want, info)
		}
	}

	// Kill one in the middle: after its first record, before its last.
	const victim = 3
	shard := filepath.Join(out, "shards", fmt.Sprintf("%d-of-8", victim))
	task := fmt.Sprintf("%s_%d", array, victim)
	s.wait(t, "the first record of task 3", func() bool {
		info, err := os.Stat(filepath.Join(shard, record.RecordsFile))
		return err == nil && info.Size() > 0
	})
	s.command(t, "scancel", "--signal=KILL", "--full", task)
	s.wait(t, "the end of the killed task", func() bool {
		return !strings.Contains(s.command(t, "squeue", "--noheader", "--states=RUNNING,COMPLETING", "--jobs", array, "--array", "--format=%i"), task+"\n")
	})
	if left := missingOf(t, shard); left == 0 {
		t.Fatal("the task was killed after its last record: nothing is tested")
	}
	if state := s.state(t, task); state == "COMPLETED" {
		t.Errorf("the killed task is %s", state)
	}
	s.command(t, "scontrol", "requeue", task)

	s.wait(t, "the end of all jobs", func() bool { return s.command(t, "squeue", "--noheader", "--format=%i") == "" })
	logs, _ := filepath.Glob(filepath.Join(out, "slurm", "logs", "*"))
	for i := 1; i <= 8; i++ {
		if state := s.state(t, fmt.Sprintf("%s_%d", array, i)); state != "COMPLETED" {
			t.Errorf("task %d is %s", i, state)
		}
	}
	if state := s.state(t, merge); state != "COMPLETED" {
		t.Errorf("the merge is %s", state)
	}
	again := readFile(t, filepath.Join(out, "slurm", "logs", fmt.Sprintf("sweep-%s_%d.log", array, victim)))
	if !strings.Contains(again, "started again 1 times") || !regexp.MustCompile(`; [1-9][0-9]* were there already, 0 failed`).MatchString(again) {
		t.Errorf("the task that was run again tells:\n%s", again)
	}
	if t.Failed() {
		for _, l := range logs {
			t.Logf("%s:\n%s", l, readFile(t, l))
		}
	}

	want := planOf(t, s, annbench, sweep)
	if len(want) < 8*2 {
		t.Fatalf("the undivided run plans %d records: too few to tell", len(want))
	}
	before := readFile(t, filepath.Join(out, record.RecordsFile))
	sameRecords(t, out, want)
	if page := readFile(t, filepath.Join(out, "report", "index.html")); !strings.Contains(page, "forest") || !strings.Contains(page, "flat") {
		t.Error("the page does not show what was measured")
	}
	if parts, _ := filepath.Glob(filepath.Join(dir, "cache", "sets", "*", "part-l2-100-*-of-2")); len(parts) != 2 {
		t.Errorf("the exact neighbours were found in the parts %v", parts)
	}

	// A task and a merge that are run twice change nothing, though the array counts one task now.
	s.command(t, "sbatch", "--array=5", filepath.Join(out, "slurm", "sweep.sbatch"))
	s.command(t, "sbatch", filepath.Join(out, "slurm", "merge.sbatch"))
	s.wait(t, "the end of the second turn", func() bool { return s.command(t, "squeue", "--noheader", "--format=%i") == "" })
	s.command(t, "bash", "-c", `"$0" merge --partial --out "$1" "$1"/shards/*`, annbench, out)
	if after := readFile(t, filepath.Join(out, record.RecordsFile)); after != before {
		t.Error("a second turn changed the merged records")
	}
	sameRecords(t, out, want)

	// Without one shard the merge says so, and ends with 1.
	if err := os.RemoveAll(filepath.Join(out, "shards", "4-of-8")); err != nil {
		t.Fatal(err)
	}
	lacking := exec.Command("bash", "-c", `"$0" -q merge --partial --out "$1/lacking" "$1"/shards/{1..8}-of-8`, annbench, out)
	stderr := &bytes.Buffer{}
	lacking.Stderr = stderr
	if err := lacking.Run(); lacking.ProcessState.ExitCode() != 1 || !strings.Contains(stderr.String(), "shards that have not begun, of 8: 4") {
		t.Errorf("a merge that lacks a shard: %v\n%s", err, stderr)
	}
}

// missingOf is how many cells, or repetitions of them, a results folder lacks by its own plan.
func missingOf(t *testing.T, dir string) int {
	t.Helper()
	records, _, err := record.Read(filepath.Join(dir, record.RecordsFile))
	if err != nil {
		t.Fatal(err)
	}
	plans, err := record.OpenPlans(dir)
	if err != nil || len(plans) != 1 {
		t.Fatalf("%d plans, %v", len(plans), err)
	}
	return len(plans[0].Cells)*plans[0].Repetitions + len(plans[0].Skipped) - len(records)
}

// planOf gives the keys of the records that an undivided run leaves.
func planOf(t *testing.T, s *slurm, annbench, sweep string) map[string]bool {
	t.Helper()
	var p bench.Preview
	if err := json.Unmarshal([]byte(s.command(t, annbench, "-q", "plan", sweep, "--json")), &p); err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for _, c := range p.Cells {
		for rep := range p.Repetitions {
			want[record.Key(c, rep, bench.Engine)] = true
		}
	}
	for _, skip := range p.Skipped {
		want[record.Key(skip.Cell, 0, bench.Engine)] = true
	}
	return want
}

// sameRecords checks that dir holds the records of want, each once.
func sameRecords(t *testing.T, dir string, want map[string]bool) {
	t.Helper()
	records, torn, err := record.Read(filepath.Join(dir, record.RecordsFile))
	if err != nil || torn > 0 {
		t.Fatal(torn, err)
	}
	have := map[string]bool{}
	for i := range records {
		r := &records[i]
		switch key := r.Key(); {
		case !want[key]:
			t.Errorf("measured, and not bench.Preview: %v, repetition %d", r.Cell, r.Rep)
		case have[key]:
			t.Errorf("there twice: %v, repetition %d", r.Cell, r.Rep)
		default:
			have[key] = true
		}
		if r.Status != record.OK && r.Status != record.Skipped {
			t.Errorf("%v is %s: %s", r.Cell, r.Status, r.Error)
		}
	}
	if len(have) != len(want) {
		t.Errorf("%d of %d bench.Preview records are there", len(have), len(want))
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// slurm is a cluster of this machine alone, with all that it writes in one folder.
type slurm struct {
	dir  string
	conf string
	end  time.Time // of the whole test

	daemons []*daemon
}

// daemon is a process that was started and is not to end before the test does.
type daemon struct {
	*exec.Cmd
	ended chan struct{} // closed when it has
}

// slurmDeadline is how long the test may take; on two idle cores it takes half a minute.
const slurmDeadline = 8 * time.Minute

// startSlurm starts munged, slurmctld and a slurmd for each of two nodes, with a key, ports and folders
// of their own, listening on the loopback address. It works without systemd, without control groups
// that are mounted or can be written, with a host name that does not resolve, and as root or not. When the test ends it
// ends them, and the test fails where a process is left.
func startSlurm(t *testing.T) *slurm {
	programs := map[string]string{}
	for _, name := range []string{"munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "scancel"} {
		path, err := exec.LookPath(name)
		if err != nil {
			if path, err = exec.LookPath("/usr/sbin/" + name); err != nil {
				t.Fatalf("%s is not there: apt-get install slurmctld slurmd slurm-client munge (make test-slurm does, as root)", name)
			}
		}
		programs[name] = path
	}
	dir, err := os.MkdirTemp("", "slurm") // not t.TempDir: the path of a socket has 107 bytes at most
	if err != nil {
		t.Fatal(err)
	}
	s := &slurm{dir: dir, conf: filepath.Join(dir, "slurm.conf"), end: time.Now().Add(slurmDeadline)}
	for _, d := range []string{"state", "n1", "n2"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	key := make([]byte, 1024)
	_, _ = rand.Read(key)
	if err := os.WriteFile(filepath.Join(dir, "munge.key"), key, 0o400); err != nil {
		t.Fatal(err)
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	host, _, _ = strings.Cut(host, ".") // as slurmd cuts it
	conf := strings.NewReplacer("DIR", dir, "HOST", host, "USER", me.Username,
		"PORT0", freePort(t), "PORT1", freePort(t), "PORT2", freePort(t)).Replace(slurmConf)
	if err := os.WriteFile(s.conf, []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	// Named, so that no slurmd looks for what is mounted; no plugin of slurmConf uses them.
	if err := os.WriteFile(filepath.Join(dir, "cgroup.conf"), []byte("CgroupPlugin=cgroup/v1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SLURM_CONF", s.conf) // also by which the processes are found

	t.Cleanup(func() { s.stop(t) })
	start := func(name string, args ...string) {
		log, err := os.Create(filepath.Join(dir, fmt.Sprintf("%s-%d.out", name, len(s.daemons))))
		if err != nil {
			t.Fatal(err)
		}
		defer log.Close()
		d := &daemon{exec.Command(programs[name], args...), make(chan struct{})}
		d.Stdout, d.Stderr = log, log
		d.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := d.Start(); err != nil {
			t.Fatal(err)
		}
		go func() { _ = d.Wait(); close(d.ended) }()
		s.daemons = append(s.daemons, d)
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	start("munged", "--foreground", "--force", "--key-file="+at("munge.key"), "--socket="+at("munge.sock"),
		"--pid-file="+at("munged.pid"), "--log-file="+at("munged.log"), "--seed-file="+at("munge.seed"))
	s.wait(t, "munged", func() bool { _, err := os.Stat(at("munge.sock")); return err == nil })
	start("slurmctld", "-D")
	start("slurmd", "-D", "-N", "n1")
	start("slurmd", "-D", "-N", "n2")
	s.wait(t, "both nodes", func() bool {
		out, err := exec.Command("sinfo", "--noheader", "--Node", "--format=%T").Output()
		return err == nil && string(out) == "idle\nidle\n"
	})
	return s
}

// slurmConf has no accounting, so that it needs no database. Two nodes on one machine is what Slurm calls
// multiple slurmd. A job that is run again waits for cred_expire first, which is two minutes by default.
const slurmConf = `ClusterName=annbench
SlurmctldHost=HOST(127.0.0.1)
SlurmctldPort=PORT0
SlurmUser=USER
SlurmdUser=USER
AuthType=auth/munge
AuthInfo=socket=DIR/munge.sock,cred_expire=10
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation=DIR/state
SlurmctldPidFile=DIR/slurmctld.pid
SlurmctldLogFile=DIR/slurmctld.log
SlurmdPidFile=DIR/%n.pid
SlurmdLogFile=DIR/%n.log
SlurmdSpoolDir=DIR/%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
ReturnToService=2
MinJobAge=3600
MailProg=/bin/true
NodeName=n1 NodeHostname=HOST NodeAddr=127.0.0.1 Port=PORT1 CPUs=2 RealMemory=8000
NodeName=n2 NodeHostname=HOST NodeAddr=127.0.0.1 Port=PORT2 CPUs=2 RealMemory=8000
PartitionName=debug Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
`

func freePort(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// command runs a program and gives what it prints. The test ends where it fails.
func (s *slurm) command(t *testing.T, program string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithDeadline(t.Context(), s.end)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	stderr := &bytes.Buffer{}
	cmd.Stderr = stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", filepath.Base(program), strings.Join(args, " "), err, stderr)
	}
	return string(out)
}

// wait waits until something is so. The test ends where a daemon does, or the time is up.
func (s *slurm) wait(t *testing.T, what string, so func() bool) {
	t.Helper()
	for !so() {
		why := ""
		if time.Now().After(s.end) {
			queue, _ := exec.Command("squeue").CombinedOutput()
			why = "not in time\n" + string(queue)
		}
		for _, d := range s.daemons {
			select {
			case <-d.ended:
				why = fmt.Sprintf("%s ended: %v", d, d.ProcessState)
			default:
			}
		}
		if why != "" {
			for _, log := range []string{"slurmctld.log", "n1.log", "n2.log"} {
				b, _ := os.ReadFile(filepath.Join(s.dir, log))
				t.Logf("%s:\n%s", log, b)
			}
			t.Fatalf("%s: %s", what, why)
		}
		time.Sleep(30 * time.Millisecond)
	}
}

// state is how Slurm calls the state of a job, or of a task of an array.
func (s *slurm) state(t *testing.T, job string) string {
	t.Helper()
	m := regexp.MustCompile(`JobState=(\w+)`).FindStringSubmatch(s.command(t, "scontrol", "--oneliner", "show", "job", job))
	if m == nil {
		t.Fatalf("no state of job %s", job)
	}
	return m[1]
}

// stop ends what was started, and all that that started, and looks whether something is left.
func (s *slurm) stop(t *testing.T) {
	if queue, err := exec.Command("squeue", "--noheader", "--format=%i").Output(); err == nil && len(queue) > 0 {
		_ = exec.Command("scancel", "--user", strconv.Itoa(os.Getuid())).Run()
		for begun := time.Now(); time.Since(begun) < hang; time.Sleep(100 * time.Millisecond) {
			if queue, err = exec.Command("squeue", "--noheader", "--format=%i").Output(); err != nil || len(queue) == 0 {
				break
			}
		}
	}
	for _, d := range slices.Backward(s.daemons) {
		_ = d.Process.Signal(syscall.SIGTERM)
		select {
		case <-d.ended:
		case <-time.After(hang):
			t.Errorf("%s did not end when asked to", filepath.Base(d.Path))
			_ = syscall.Kill(-d.Process.Pid, syscall.SIGKILL)
			<-d.ended
		}
	}
	var left map[int]string
	for begun := time.Now(); time.Since(begun) < hang; time.Sleep(100 * time.Millisecond) { // the last ones may be on their way out
		if left = s.processes(); len(left) == 0 {
			break
		}
	}
	for pid, what := range left {
		t.Errorf("process %d is left: %s", pid, what)
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	pids, _ := filepath.Glob(filepath.Join(s.dir, "*.pid"))
	for _, file := range pids {
		text, _ := os.ReadFile(file)
		if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && pid > 0 && syscall.Kill(pid, 0) == nil {
			t.Errorf("%s: process %d is there", filepath.Base(file), pid)
		}
	}
	if !t.Failed() {
		_ = os.RemoveAll(s.dir)
	} else {
		t.Logf("the logs of Slurm are in %s", s.dir)
	}
}

// processes lists those that have this cluster's configuration in their environment, other than those
// that have ended and wait for their parent.
func (s *slurm) processes() map[int]string {
	found := map[int]string{}
	environs, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range environs {
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		b, err := os.ReadFile(file)
		if err != nil || pid == os.Getpid() || !bytes.Contains(b, []byte("SLURM_CONF="+s.conf+"\x00")) {
			continue
		}
		line, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
		found[pid] = strings.ReplaceAll(string(line), "\x00", " ")
	}
	return found
}
