package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"annbench/bench/record"
	"annbench/internal/proctree"
)

// process runs one order in a worker process and hands every reply to each.
type process struct {
	command []string // the worker: program and arguments
	timeout time.Duration
	renew   bool  // the timeout counts from the last reply, not from the start: of work that reports its progress
	memory  int64 // bytes of anonymous memory; 0 is no limit
	log     *slog.Logger
}

// A processError says how a worker process ended otherwise than well.
type processError struct {
	status record.Status
	reason string
	tail   []string // the first and the last lines it wrote to standard error
	disk   bool     // the disk takes nothing more; see [isDiskError]
}

func (e *processError) Error() string {
	if len(e.tail) == 0 {
		return e.reason
	}
	return e.reason + "\n" + strings.Join(e.tail, "\n")
}

// run runs one order to its end: see [process.start] and [child.wait].
func (p *process) run(ctx context.Context, o order, each func(reply)) error {
	c, err := p.start(ctx, o, each)
	if err != nil {
		return err
	}
	c.hangUp()
	return c.wait()
}

// A child is a worker process that runs. Its life is its own: neither what it writes, nor what it started
// and left behind with its pipes open, decides when it has ended.
type child struct {
	*process
	ctx   context.Context
	pid   int
	mark  string // in the environment of all that it starts
	in    *os.File
	tail  *proctree.Tail
	kills int64

	limit chan time.Duration // see [child.deadline]
	ended <-chan error       // how it ended
	read  chan readEnd       // how its replies ended
	out   *os.File
	stop  chan struct{}
	over  chan *processError // why watch killed it
}

type readEnd struct {
	last    reply
	garbage string
}

// lastReplies is how long replies are waited for after a worker has ended: those that it wrote are in the
// pipe, and a pipe that somebody else keeps open must not make it longer.
const lastReplies = time.Second

// start starts a worker process and gives it its order. Its standard input stays open for more, until
// [child.hangUp]. Each reply is given to each, in the order in which they come, by one goroutine; all
// have been when wait returns. The deadline counts from now.
func (p *process) start(ctx context.Context, o order, each func(reply)) (*child, error) {
	first, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	var pipes [4]*os.File
	if pipes[0], pipes[1], err = os.Pipe(); err != nil {
		return nil, err
	}
	if pipes[2], pipes[3], err = os.Pipe(); err != nil {
		return nil, errors.Join(err, pipes[0].Close(), pipes[1].Close())
	}
	childIn, in, out, childOut := pipes[0], pipes[1], pipes[2], pipes[3]
	c := &child{
		process: p, ctx: ctx, mark: proctree.Mark(), in: in, out: out, tail: &proctree.Tail{Each: func(line string) { p.log.Debug("worker", "stderr", line) }}, kills: memoryKills(),
		limit: make(chan time.Duration), read: make(chan readEnd, 1),
		stop: make(chan struct{}), over: make(chan *processError, 1),
	}
	cmd := exec.Command(p.command[0], p.command[1:]...)
	cmd.Stdin = childIn
	cmd.Stderr = c.tail
	cmd.ExtraFiles = []*os.File{childOut} // descriptor 3
	threads := fmt.Sprint(max(1, o.Threads))
	cmd.Env = append(os.Environ(), c.mark,
		"OMP_NUM_THREADS="+threads, "OPENBLAS_NUM_THREADS="+threads, "GOMAXPROCS="+threads,
		// Threads that spin while they wait cost a build of several threads 8 times its time on a busy
		// machine (product quantisation, 4,000 × 512, 2 threads: 9.8 s against 1.2 s).
		"OMP_WAIT_POLICY=PASSIVE")
	cmd.WaitDelay = lastReplies // for a grandchild that keeps standard error open
	c.ended, err = proctree.Start(cmd)
	_ = childIn.Close()
	_ = childOut.Close()
	if err != nil {
		_ = in.Close()
		_ = out.Close()
		return nil, &processError{status: record.Failed, reason: "starting a worker process: " + err.Error()}
	}
	c.pid = cmd.Process.Pid
	go c.watch()
	go func() {
		last, garbage := readReplies(out, func(r reply) {
			if p.renew {
				c.deadline(p.timeout)
			}
			if each != nil {
				each(r)
			}
		})
		if garbage != "" {
			// Nothing that comes after can be trusted, and it may never end.
			proctree.End(c.pid, c.mark)
		}
		c.read <- readEnd{last, garbage}
	}()
	c.tellBytes(first)
	return c, nil
}

// tell writes one more line to the worker's standard input. A worker that does not read it, since it has
// ended or hangs, is found by wait.
func (c *child) tell(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	c.tellBytes(b)
	return nil
}

// tellBytes does not wait for a worker that reads nothing longer than its deadline: the deadline kills it,
// which ends the writing.
func (c *child) tellBytes(b []byte) { _, _ = c.in.Write(append(b, '\n')) }

// hangUp closes the worker's standard input: there is nothing more to do.
func (c *child) hangUp() { _ = c.in.Close() }

// deadline has the time limit count anew from now; a limit of 0 is none, for a worker that waits.
func (c *child) deadline(limit time.Duration) {
	select {
	case c.limit <- limit:
	case <-c.stop:
	}
}

// wait returns when the process has ended, and ends what it left behind. Its error is a [*processError],
// or that of the context. Replies that came before the end count.
func (c *child) wait() error {
	err := <-c.ended
	close(c.stop)
	proctree.End(c.pid, c.mark) // whatever it may have started
	_ = c.out.SetReadDeadline(time.Now().Add(lastReplies))
	end := <-c.read
	_ = c.out.Close()
	c.hangUp()
	if c.ctx.Err() != nil {
		return c.ctx.Err()
	}
	select {
	case e := <-c.over:
		e.tail = c.tail.Lines()
		return e
	default:
	}
	switch {
	case end.last.Error != "":
		return &processError{status: record.Failed, reason: end.last.Error, disk: end.last.Disk}
	case end.garbage != "":
		return &processError{status: record.Failed, reason: fmt.Sprintf("the worker process wrote something that is not a reply: %.80q", end.garbage), tail: c.tail.Lines()}
	case killedForMemory(err, c.kills):
		return &processError{status: record.OOM, reason: "the system ended the worker process for want of memory", tail: c.tail.Lines()}
	case err != nil && !errors.Is(err, exec.ErrWaitDelay):
		return &processError{status: record.Failed, reason: "the worker process ended: " + err.Error(), tail: c.tail.Lines()}
	case !end.last.Done:
		return &processError{status: record.Failed, reason: "the worker process ended early without saying why", tail: c.tail.Lines()}
	}
	return nil
}

// watch ends the worker, with all that it started, when ctx ends, at the deadline, and above the memory limit.
func (c *child) watch() {
	var look <-chan time.Time
	deadline := time.NewTimer(time.Hour)
	defer deadline.Stop()
	limit := c.timeout
	set := func() {
		deadline.Stop()
		if limit > 0 {
			deadline.Reset(limit)
		}
	}
	set()
	if c.memory > 0 {
		t := time.NewTicker(20 * time.Millisecond)
		defer t.Stop()
		look = t.C
	}
	for {
		select {
		case <-c.stop:
			return
		case limit = <-c.limit:
			set()
		case <-c.ctx.Done():
			proctree.End(c.pid, c.mark)
			return
		case <-deadline.C:
			c.over <- &processError{status: record.Timeout, reason: fmt.Sprintf("not done after %v", c.timeout)}
			proctree.End(c.pid, c.mark)
			return
		case <-look:
			if limit <= 0 && c.timeout > 0 {
				continue // it waits
			}
			if held := proctree.Held(c.pid); held > c.memory {
				c.over <- &processError{status: record.OOM, reason: fmt.Sprintf("held %d MiB, more than the limit of %d MiB", held>>20, c.memory>>20)}
				proctree.End(c.pid, c.mark)
				return
			}
		}
	}
}

// longest is the most bytes of one reply. The longest are the answers of a gallery; nothing comes near.
const longest = 64 << 20

// readReplies reads until the pipe ends, or its deadline, or something comes that is no reply, and returns
// the last reply and the beginning of what is none.
func readReplies(out io.Reader, each func(reply)) (last reply, garbage string) {
	in := bufio.NewScanner(out)
	in.Buffer(make([]byte, 1<<16), longest)
	for in.Scan() {
		last = reply{}
		if json.Unmarshal(in.Bytes(), &last) != nil {
			return reply{}, string(in.Bytes()[:min(len(in.Bytes()), 80)])
		}
		each(last)
	}
	if err := in.Err(); errors.Is(err, bufio.ErrTooLong) {
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
