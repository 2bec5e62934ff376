package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"annbench/bench/record"
)

// process runs one order in a worker process and hands every reply to each.
type process struct {
	command []string // the worker: program and arguments
	timeout time.Duration
	memory  int64 // bytes of anonymous memory; 0 is no limit
	log     *slog.Logger
}

// A processError says how a worker process ended otherwise than well.
type processError struct {
	status record.Status
	reason string
	tail   []string // the first and the last lines it wrote to standard error
}

func (e *processError) Error() string {
	if len(e.tail) == 0 {
		return e.reason
	}
	return e.reason + "\n" + strings.Join(e.tail, "\n")
}

// run returns when the process and its whole group have ended. Its error is a [*processError], or
// that of ctx. Replies that came before the end count: each has been called with them.
func (p *process) run(ctx context.Context, o order, each func(reply)) error {
	// The kernel ends the child when the thread that started it ends: this goroutine keeps it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	in, err := json.Marshal(o)
	if err != nil {
		return err
	}
	out, childOut, err := os.Pipe()
	if err != nil {
		return err
	}
	defer out.Close()
	tail := &tailWriter{log: p.log}
	cmd := exec.Command(p.command[0], p.command[1:]...)
	cmd.Stdin = bytes.NewReader(in)
	cmd.Stderr = tail
	cmd.ExtraFiles = []*os.File{childOut} // descriptor 3
	threads := fmt.Sprint(max(1, o.Threads))
	cmd.Env = append(os.Environ(),
		"OMP_NUM_THREADS="+threads, "OPENBLAS_NUM_THREADS="+threads, "GOMAXPROCS="+threads,
		// Threads that spin while they wait cost a build of several threads 8 times its time on a busy
		// machine (product quantisation, 4,000 × 512, 2 threads: 9.8 s against 1.2 s).
		"OMP_WAIT_POLICY=PASSIVE")
	cmd.SysProcAttr = childAttributes()
	cmd.WaitDelay = time.Second // for a grandchild that keeps standard error open
	kills := memoryKills()
	err = cmd.Start()
	childOut.Close()
	if err != nil {
		return &processError{status: record.Failed, reason: "starting a worker process: " + err.Error()}
	}

	killed := make(chan *processError, 1)
	watched := make(chan struct{})
	stop := make(chan struct{})
	go func() {
		defer close(watched)
		p.watch(ctx, cmd.Process.Pid, stop, killed)
	}()
	last, garbage := readReplies(out, each)
	if garbage != "" {
		// Nothing that comes after can be trusted, and it may never end.
		killGroup(cmd.Process.Pid)
	}
	err = cmd.Wait()
	close(stop)
	<-watched
	killGroup(cmd.Process.Pid) // whatever it may have started

	if ctx.Err() != nil {
		return ctx.Err()
	}
	select {
	case e := <-killed:
		return e
	default:
	}
	switch {
	case last.Error != "":
		return &processError{status: record.Failed, reason: last.Error}
	case garbage != "":
		return &processError{record.Failed, fmt.Sprintf("the worker process wrote something that is not a reply: %.80q", garbage), tail.lines()}
	case killedForMemory(err, kills):
		return &processError{record.OOM, "the system ended the worker process for want of memory", tail.lines()}
	case err != nil && !errors.Is(err, exec.ErrWaitDelay):
		return &processError{record.Failed, "the worker process ended: " + err.Error(), tail.lines()}
	case !last.Done:
		return &processError{record.Failed, "the worker process ended early without saying why", tail.lines()}
	}
	return nil
}

// watch kills the process group when ctx ends, at the deadline, and above the memory limit.
func (p *process) watch(ctx context.Context, pid int, stop <-chan struct{}, killed chan<- *processError) {
	var deadline, look <-chan time.Time
	if p.timeout > 0 {
		t := time.NewTimer(p.timeout)
		defer t.Stop()
		deadline = t.C
	}
	if p.memory > 0 {
		t := time.NewTicker(20 * time.Millisecond)
		defer t.Stop()
		look = t.C
	}
	for {
		select {
		case <-stop:
			return
		case <-ctx.Done():
			killGroup(pid)
			return
		case <-deadline:
			killed <- &processError{status: record.Timeout, reason: fmt.Sprintf("not done after %v", p.timeout)}
			killGroup(pid)
			return
		case <-look:
			if held, ok := heldMemory(pid); ok && held > p.memory {
				killed <- &processError{status: record.OOM, reason: fmt.Sprintf("held %d MiB, more than the limit of %d MiB", held>>20, p.memory>>20)}
				killGroup(pid)
				return
			}
		}
	}
}

// longest is the most bytes of one reply. The longest are the answers of a gallery; nothing comes near.
const longest = 64 << 20

// readReplies reads until the pipe ends or something comes that is no reply, and returns the last
// reply and the beginning of what is none.
func readReplies(out io.Reader, each func(reply)) (last reply, garbage string) {
	in := bufio.NewScanner(out)
	in.Buffer(make([]byte, 1<<16), longest)
	for in.Scan() {
		last = reply{}
		if json.Unmarshal(in.Bytes(), &last) != nil {
			return reply{}, string(in.Bytes()[:min(len(in.Bytes()), 80)])
		}
		if each != nil {
			each(last)
		}
	}
	if in.Err() != nil {
		return reply{}, "a line without end"
	}
	return last, ""
}

// killedForMemory reports whether a process that ended with err was killed, and the kernel has ended
// one for want of memory since it had ended before.
func killedForMemory(err error, before int64) bool {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL && memoryKills() > before
}

// killGroup ends a process and all that it started.
func killGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }

// tailWriter keeps the first and the last lines of what a process writes, and logs each.
type tailWriter struct {
	log   *slog.Logger
	mu    sync.Mutex
	part  string
	first []string
	last  []string
	lost  int // lines between the two
}

// longestLine is the most bytes of a line of a worker's standard error that are kept.
const longestLine = 4 << 10

// What of a worker's standard error goes into a failed record. The last lines say why a library gave
// up; the first ones how a crash began, of which Go prints the registers last.
const (
	keptFirst = 5
	keptLast  = 15
)

func (t *tailWriter) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := strings.Split(t.part+string(b), "\n")
	t.part = lines[len(lines)-1]
	t.part = t.part[max(0, len(t.part)-longestLine):] // of a line without end, the end
	for _, line := range lines[:len(lines)-1] {
		t.log.Debug("worker", "stderr", line)
		line = line[max(0, len(line)-longestLine):]
		if len(t.first) < keptFirst {
			t.first = append(t.first, line)
			continue
		}
		t.last = append(t.last, line)
	}
	over := max(0, len(t.last)-keptLast)
	t.last = t.last[over:]
	t.lost += over
	return len(b), nil
}

func (t *tailWriter) lines() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := slices.Clone(t.first)
	if t.lost > 0 {
		lines = append(lines, fmt.Sprintf("(%d lines left out)", t.lost))
	}
	lines = append(lines, t.last...)
	if t.part != "" {
		lines = append(lines, t.part)
	}
	return lines
}
