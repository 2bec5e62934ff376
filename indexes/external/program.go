// Package external runs families of indexes that are programs of their own, in any language: a folder
// with a family.yaml and a program that speaks [protocol].
//
// [Program] is one such program while it runs, held to the protocol: every way in which it can fail ends
// as one [*Error] with its last words, and nothing that it started outlives it. [Family] and its kin read
// the folders; what they make are families like any other, see package indexes.
package external

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"annbench/indexes/external/protocol"
	"annbench/internal/proctree"
)

// Command says how a program is started.
type Command struct {
	Args []string // program and arguments
	Dir  string   // folder to run in: what a library writes to its working directory lands there
	Env  []string // NAME=VALUE beside those of this process, for which it wins
	// Memory is the most anonymous memory, in bytes, that the program and all it starts may hold; 0 is
	// no limit.
	Memory int64
	// Stderr is where its standard error goes, besides into its last words; nil is nowhere.
	Stderr io.Writer
}

// Kind says in which way a program failed.
type Kind int

// The kinds of failure.
const (
	Failed  Kind = iota // it said so, ended, or broke the protocol
	Timeout             // it did not answer in time
	Memory              // it held more than it may
)

// An Error is how a program failed.
type Error struct {
	Kind   Kind
	Reason string
	Words  []string // the last lines that it wrote to its standard error
}

func (e *Error) Error() string {
	if len(e.Words) == 0 {
		return e.Reason
	}
	return e.Reason + wordsFollow + "\n" + strings.Join(e.Words, "\n")
}

// wordsFollow ends the first line of an [Error] that has last words.
const wordsFollow = "; its last words:"

// FirstLine is an error without a program's last words.
func FirstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return strings.TrimSuffix(line, wordsFollow)
}

// Program is a program that runs. One goroutine at a time may use it.
type Program struct {
	name  string
	args  []string
	pid   int
	mark  string // in the environment of all that it starts
	in    *os.File
	lines chan line
	words *proctree.Tail
	read  chan struct{} // closed when its standard error has ended
	ended chan struct{} // closed when it has; state holds how
	state *os.ProcessState
	stop  chan struct{} // closed by Close
	over  chan int64    // bytes that it held when it was ended for that
	dead  error         // the first failure, after which nothing is asked
}

// line is one line of a program's standard output, or why there is none.
type line struct {
	text []byte
	err  error
}

// memoryLook is how often a program's memory is compared with its limit.
const memoryLook = 20 * time.Millisecond

// Start starts a program and asks it for its hello. The deadline is that of ctx; once Start has returned,
// ctx means nothing to the program.
func Start(ctx context.Context, c Command) (*Program, protocol.Reply, error) {
	var none protocol.Reply
	if len(c.Args) == 0 {
		return nil, none, errors.New("starting an external family: it has no program")
	}
	p := &Program{
		name: c.Args[0], args: c.Args, mark: proctree.Mark(),
		words: &proctree.Tail{}, lines: make(chan line), read: make(chan struct{}), ended: make(chan struct{}),
		stop: make(chan struct{}), over: make(chan int64, 1),
	}
	if err := p.start(c); err != nil {
		return nil, none, &Error{Reason: fmt.Sprintf("starting %s: %v", strings.Join(c.Args, " "), err)}
	}
	hello, err := p.Ask(ctx, protocol.Request{Do: protocol.Hello, Protocol: protocol.Version}, nil)
	if err == nil && hello.Protocol != protocol.Version {
		err = p.fail(Failed, "it speaks version %d of the protocol, annbench version %d: take the SDK of this version of annbench", hello.Protocol, protocol.Version)
	}
	if err != nil {
		p.Close()
		return nil, none, err
	}
	return p, hello, nil
}

func (p *Program) start(c Command) error {
	var pipes []*os.File
	pipe := func() (r, w *os.File, err error) {
		r, w, err = os.Pipe()
		pipes = append(pipes, r, w)
		return r, w, err
	}
	inRead, inWrite, err1 := pipe()
	outRead, outWrite, err2 := pipe()
	errRead, errWrite, err3 := pipe()
	if err := errors.Join(err1, err2, err3); err != nil {
		for _, f := range pipes {
			_ = f.Close()
		}
		return err
	}
	cmd := exec.Command(c.Args[0], c.Args[1:]...)
	cmd.Dir, cmd.Env = c.Dir, append(append(os.Environ(), c.Env...), p.mark)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = inRead, outWrite, errWrite
	ended, err := proctree.Start(cmd)
	for _, f := range []*os.File{inRead, outWrite, errWrite} {
		_ = f.Close()
	}
	if err != nil {
		for _, f := range []*os.File{inWrite, outRead, errRead} {
			_ = f.Close()
		}
		return err
	}
	p.pid, p.in = cmd.Process.Pid, inWrite
	go func() {
		<-ended
		p.state = cmd.ProcessState
		close(p.ended)
	}()
	go p.listen(outRead)
	go func() {
		defer close(p.read)
		defer errRead.Close()
		to := io.Writer(p.words)
		if c.Stderr != nil {
			to = io.MultiWriter(p.words, c.Stderr)
		}
		_, _ = io.Copy(to, errRead)
	}()
	if c.Memory > 0 {
		go p.watch(c.Memory)
	}
	return nil
}

// listen hands on the lines of the program's standard output, until that ends or something comes that is
// no line.
func (p *Program) listen(out *os.File) {
	defer out.Close()
	defer close(p.lines)
	go func() { // a grandchild that keeps the pipe open does not keep this goroutine
		select {
		case <-p.stop:
		case <-p.ended:
			select {
			case <-p.stop:
			case <-time.After(lastWords):
			}
		}
		_ = out.SetReadDeadline(time.Now())
	}()
	scan := bufio.NewScanner(out)
	scan.Buffer(make([]byte, 64<<10), protocol.LongestLine)
	for scan.Scan() {
		select {
		case p.lines <- line{text: append([]byte(nil), scan.Bytes()...)}:
		case <-p.stop:
			return
		}
	}
	if errors.Is(scan.Err(), bufio.ErrTooLong) {
		select {
		case p.lines <- line{err: fmt.Errorf("it wrote a line of more than %d bytes to its standard output", protocol.LongestLine)}:
		case <-p.stop:
		}
	}
}

// watch ends the program when it and all it started hold more than limit.
func (p *Program) watch(limit int64) {
	tick := time.NewTicker(memoryLook)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-p.ended:
			return
		case <-tick.C:
			if now := proctree.Held(p.pid); now > limit {
				p.over <- now
				proctree.End(p.pid, p.mark)
				return
			}
		}
	}
}

const (
	lastWords   = time.Second      // how long output is waited for after a program has ended
	writeTime   = 30 * time.Second // how long a program may take to read a request
	mostPhases  = 1000             // lines of phases before one reply
	quotedBytes = 120              // of a line that is no reply
	mostText    = 2000             // characters of a text of a reply
)

// Ask sends a request and waits for its reply. phase, where not nil, is called for each phase that comes
// before it. A reply that says error is an [*Error] after which the program can still be asked; after any
// other error it has been ended.
func (p *Program) Ask(ctx context.Context, r protocol.Request, phase func(string)) (protocol.Reply, error) {
	var none protocol.Reply
	if p.dead != nil {
		return none, p.dead
	}
	text, err := json.Marshal(r)
	if err != nil {
		return none, fmt.Errorf("asking %s to %s: %w", p.name, r.Do, err)
	}
	select {
	case l, open := <-p.lines:
		if open {
			return none, p.fail(Failed, "before it was asked to %s, it wrote to its standard output: %s", r.Do, quote(l))
		}
		return none, p.gone(r.Do)
	default:
	}
	_ = p.in.SetWriteDeadline(time.Now().Add(writeTime))
	if _, err := p.in.Write(append(text, '\n')); err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return none, p.fail(Failed, "it did not read the request to %s within %v", r.Do, writeTime)
		}
		return none, p.gone(r.Do)
	}
	for range mostPhases {
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return none, p.fail(Timeout, "it did not %s in time", r.Do)
			}
			_ = p.fail(Failed, "stopped while asked to %s", r.Do)
			return none, context.Cause(ctx)
		case l, open := <-p.lines:
			if !open {
				return none, p.gone(r.Do)
			}
			var reply protocol.Reply
			if l.err != nil || json.Unmarshal(l.text, &reply) != nil {
				return none, p.fail(Failed, "asked to %s, it wrote to its standard output what is no reply: %s", r.Do, quote(l))
			}
			for _, text := range []*string{&reply.Error, &reply.Version, &reply.Runtime, &reply.Phase} {
				*text = bounded(*text)
			}
			for i := range reply.Warnings {
				reply.Warnings[i] = bounded(reply.Warnings[i])
			}
			if reply.Error != "" {
				return none, &Error{Reason: reply.Error, Words: p.words.Lines()}
			}
			if reply.Phase == "" {
				return reply, nil
			}
			if phase != nil {
				phase(reply.Phase)
			}
		}
	}
	return none, p.fail(Failed, "asked to %s, it wrote %d lines of phases and no reply", r.Do, mostPhases)
}

func quote(l line) string {
	if l.err != nil {
		return l.err.Error()
	}
	return fmt.Sprintf("%q", l.text[:min(len(l.text), quotedBytes)])
}

// bounded is s, cut where it is longer than a record or a line of the log has room for.
func bounded(s string) string {
	if runes := []rune(s); len(runes) > mostText {
		return fmt.Sprintf("%s... and %d more characters", string(runes[:mostText]), len(runes)-mostText)
	}
	return s
}

// fail ends the program and makes its failure the answer to whatever is asked from now on.
func (p *Program) fail(kind Kind, format string, args ...any) error {
	p.end()
	p.dead = &Error{Kind: kind, Reason: p.name + ": " + fmt.Sprintf(format, args...), Words: p.words.Lines()}
	return p.dead
}

// gone is fail for a program that ended, or closed its standard output, by itself.
func (p *Program) gone(doing string) error {
	select {
	case <-p.ended:
	case <-time.After(lastWords):
		return p.fail(Failed, "asked to %s, it closed its standard output", doing)
	}
	select {
	case bytes := <-p.over:
		return p.fail(Memory, "it held %d MiB when asked to %s, more than it may", bytes>>20, doing)
	default:
	}
	how := "it ended"
	if status, ok := p.state.Sys().(syscall.WaitStatus); ok {
		switch {
		case status.Signaled():
			how = fmt.Sprintf("it was ended by a signal (%v)", status.Signal())
		case status.Exited() && status.ExitStatus() != 0:
			how = fmt.Sprintf("it ended with exit code %d", status.ExitStatus())
		default:
			how = "it ended with exit code 0"
		}
	}
	p.end()
	return p.fail(Failed, "%s when asked to %s, without a reply%s", how, doing, p.raised(p.words.Lines()))
}

var pythonFrame = regexp.MustCompile(`^\s+File "([^"]+)", line (\d+)`)

// raised is the exception that ended a program in Python, as it stands at the end of words, and where in the files
// beside the program it came from, or else in any; it is empty where there is none.
func (p *Program) raised(words []string) string {
	what, file, line, own := "", "", "", false
	for _, w := range words {
		if frame := pythonFrame.FindStringSubmatch(w); frame != nil {
			if what != "" { // of another exception, which came of the one before
				what, own = "", false
			}
			mine := slices.ContainsFunc(p.args, func(a string) bool {
				return filepath.IsAbs(a) && (a == filepath.Dir(frame[1]) || filepath.Dir(a) == filepath.Dir(frame[1]))
			})
			if mine || !own {
				file, line, own = frame[1], frame[2], mine
			}
		} else if file != "" && what == "" && !strings.HasPrefix(w, " ") && !strings.HasPrefix(w, "(") { // "(7 lines left out)"
			what = w
		}
	}
	if what == "" {
		return ""
	}
	return fmt.Sprintf(": %s (%s, line %s)", what, file, line)
}

// end kills the program and all that it started, and waits until they are gone and its last words read.
func (p *Program) end() {
	proctree.End(p.pid, p.mark)
	<-p.ended
	select {
	case <-p.read:
	case <-time.After(lastWords):
	}
}

// Close asks the program to end, and ends it where it does not within a second, with all that it started.
func (p *Program) Close() {
	if p.dead == nil {
		ctx, cancel := context.WithTimeout(context.Background(), lastWords)
		defer cancel()
		if _, err := p.Ask(ctx, protocol.Request{Do: protocol.Done}, nil); err == nil {
			select {
			case <-p.ended:
			case <-ctx.Done():
			}
		}
		p.end()
		p.dead = fmt.Errorf("%s: the program was ended", p.name)
	}
	select {
	case <-p.stop:
	default:
		close(p.stop)
		_ = p.in.Close()
	}
}
