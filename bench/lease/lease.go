// Package lease keeps two processes from writing to one folder, also where they run on different
// machines that share the folder over a network.
//
// Locks of the kernel (flock, fcntl) do not do that: over NFS they need a lock service that many
// clusters leave out, a node that dies may hold one for ever, and on other shared file systems they
// hold on one node alone. A lease is a small file that is made whole or not at all, by link(2), and
// that its holder rewrites every few seconds. Who finds one that is not rewritten any more takes it
// over; who was taken over finds out before it writes the next time. Clocks of different machines are
// never compared, and on one machine the end of a process is seen at once.
//
// It does not queue, and it protects only those who ask it. It imports nothing of annbench.
package lease

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ErrHeld is what a [HeldError] is.
var ErrHeld = errors.New("held by another process")

// A HeldError says who holds the lease.
type HeldError struct {
	Host string
	PID  int
}

func (e *HeldError) Error() string { return fmt.Sprintf("process %d on %s", e.PID, e.Host) }

// Is makes every HeldError an [ErrHeld].
func (e *HeldError) Is(target error) bool { return target == ErrHeld }

// ErrLost says that somebody has taken a lease over: its holder did not rewrite it for [Dead].
var ErrLost = errors.New("another process has taken over: this one was not heard of for too long")

// A holder rewrites its lease every beat. Where that does not happen for Dead, by the clock of who
// waits, it counts as gone. A file server that is restarted is away for less, as a rule; and where it is
// away for longer, nobody can write.
const (
	beat = 5 * time.Second
	Dead = time.Minute
)

// Lease is held until Release, or until the process ends.
type Lease struct {
	path string
	own  holder
	stop chan struct{}
	wait sync.WaitGroup
}

// holder is what the file holds. Its length does not change while it is held, so that it is rewritten
// in place.
type holder struct {
	Token string `json:"token"` // of this lease alone
	Host  string `json:"host"`
	// Boot and Space name the running system and the process namespace in which PID means something;
	// Start is when that process began. Empty where the system does not say.
	Boot  string `json:"boot,omitempty"`
	Space string `json:"space,omitempty"`
	Start string `json:"start,omitempty"`
	PID   int    `json:"pid"`
	Beat  string `json:"beat"` // a number of eight digits that rises
}

// Take takes the lease whose file is at path, in a folder that is there. Where another process holds
// it and lives, the error is a [*HeldError]. Where that cannot be seen from here, because it runs or ran on another
// machine, Take calls waiting (which may be nil) with its host, and looks on for up to [Dead]. The
// error may also be that of ctx, or of the file system.
func Take(ctx context.Context, path string, waiting func(host string)) (*Lease, error) {
	l := &Lease{path: path, own: self(), stop: make(chan struct{})}
	for {
		switch err := l.create(); {
		case err == nil:
			l.wait.Go(func() { l.keep(beat) })
			return l, nil
		case !errors.Is(err, fs.ErrExist):
			return nil, fmt.Errorf("making %s: %w", path, err)
		}
		old, gone, err := watch(ctx, path, l.own, Dead, beat, waiting)
		if err != nil {
			return nil, err
		}
		if gone {
			if err := remove(path, old); err != nil {
				return nil, err
			}
		}
	}
}

// Held is nil while the lease is ours, and [ErrLost] once it is not: call it before writing to what
// the lease protects.
func (l *Lease) Held() error {
	h, err := read(l.path)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && h.Token != l.own.Token:
		return ErrLost
	case errors.Is(err, errTorn):
		return nil // being rewritten, which is ours to do
	}
	return err
}

// Release gives the lease back. A second call does nothing.
func (l *Lease) Release() {
	select {
	case <-l.stop:
		return
	default:
	}
	close(l.stop)
	l.wait.Wait()
	_ = remove(l.path, l.own.Token) // what stays is taken over, later
}

func self() holder {
	h := holder{Token: rand.Text(), PID: os.Getpid(), Beat: "00000000", Start: started(os.Getpid())}
	h.Host, _ = os.Hostname()
	if b, err := os.ReadFile("/proc/sys/kernel/random/boot_id"); err == nil {
		h.Boot = strings.TrimSpace(string(b))
	}
	h.Space, _ = os.Readlink("/proc/self/ns/pid")
	return h
}

// started says when a process began, in ticks of the kernel, or nothing: also of one that has ended and whose parent has not
// asked for its status yet, which takes a moment after a kill.
func started(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	// The name of the program, in parentheses, may hold anything; proc(5) counts fields from 1.
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	if len(fields) < 20 {
		return ""
	}
	if fields[0] == "Z" || fields[0] == "X" {
		// Subtle: the first thread may have ended while another is still in a write that nothing can break off.
		if threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid)); err != nil || len(threads) <= 1 {
			return ""
		}
	}
	return fields[19]
}

// ended reports whether h is known to have ended: a process of this system that is not there any more.
func (h *holder) ended(own holder) bool {
	if h.Boot == "" || h.Boot != own.Boot || h.Space != own.Space {
		return false
	}
	return errors.Is(syscall.Kill(h.PID, 0), syscall.ESRCH) || started(h.PID) != h.Start
}

// lives reports whether h is known to run: a process of this system that is there.
func (h *holder) lives(own holder) bool {
	return h.Boot != "" && h.Boot == own.Boot && h.Space == own.Space && !h.ended(own)
}

// create makes the file whole under another name and links it, which one of several succeeds at. Where
// the file system has no links, it makes the file itself, which others may see half-written.
func (l *Lease) create() error {
	b, err := json.Marshal(&l.own)
	if err != nil {
		return err
	}
	tmp := filepath.Join(filepath.Dir(l.path), "."+filepath.Base(l.path)+"."+l.own.Token)
	if err := write(tmp, b); err != nil {
		return err
	}
	defer os.Remove(tmp)
	err = os.Link(tmp, l.path)
	if err == nil || errors.Is(err, fs.ErrExist) {
		// Subtle: over NFS the answer to a link that was made can be lost, and the try that follows then
		// finds it made.
		if h, e := read(l.path); e == nil && h.Token == l.own.Token {
			return nil
		}
		return err
	}
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EMLINK) || errors.Is(err, unix.ENOSYS) {
		return write(l.path, b)
	}
	return err
}

func write(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Close())
}

var errTorn = errors.New("half-written")

// read opens the file anew, which is when NFS asks the server.
func read(path string) (holder, error) {
	var h holder
	b, err := os.ReadFile(path)
	if err != nil {
		return h, err
	}
	if json.Unmarshal(b, &h) != nil || h.Token == "" {
		return holder{Beat: string(b)}, errTorn
	}
	return h, nil
}

// keep rewrites the lease until it is released or lost.
func (l *Lease) keep(every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-l.stop:
			return
		case <-tick.C:
			if errors.Is(l.rewrite(n), ErrLost) {
				return
			}
		}
	}
}

// rewrite changes the lease in place. Subtle: it looks and writes through one descriptor, so that where
// the lease is taken over in between, what is written goes to the file that was moved away.
func (l *Lease) rewrite(n int) error {
	f, err := os.OpenFile(l.path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return ErrLost
	} else if err != nil {
		return err
	}
	defer f.Close()
	var h holder
	b, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	if json.Unmarshal(b, &h) == nil && h.Token != l.own.Token {
		return ErrLost
	}
	h = l.own
	h.Beat = fmt.Sprintf("%08d", n%1e8)
	if b, err = json.Marshal(&h); err != nil {
		return err
	}
	if _, err := f.WriteAt(b, 0); err != nil {
		return err
	}
	return f.Close()
}

// watch looks at a lease that is there until it is known whether somebody holds it. gone says that
// nobody does, and token whose it was; without gone and without an error it has been given back.
func watch(ctx context.Context, path string, own holder, dead, every time.Duration, waiting func(host string)) (token string, gone bool, err error) {
	var first holder
	var since time.Time
	for {
		h, err := read(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return "", false, nil
		case err != nil && !errors.Is(err, errTorn):
			return "", false, err
		case err == nil && h.ended(own):
			return h.Token, true, nil
		case err == nil && h.lives(own):
			return "", false, &HeldError{h.Host, h.PID}
		}
		switch now := time.Now(); {
		case since.IsZero():
			first, since = h, now
			if waiting != nil {
				waiting(h.Host)
			}
		case h != first && h.Token != "":
			return "", false, &HeldError{h.Host, h.PID}
		case h != first:
			first, since = h, now
		case now.Sub(since) >= dead:
			return h.Token, true, nil
		}
		select {
		case <-ctx.Done():
			return "", false, ctx.Err()
		case <-time.After(every):
		}
	}
}

// remove takes away the lease of a token, and no other: it moves the file aside, looks, and puts it back
// where in the meantime it has become another's.
func remove(path, token string) error {
	aside := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"."+rand.Text())
	if err := os.Rename(path, aside); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	if h, err := read(aside); (err == nil || errors.Is(err, errTorn)) && h.Token != token {
		if err := os.Link(aside, path); err != nil && !errors.Is(err, fs.ErrExist) {
			return errors.Join(err, os.Remove(aside))
		}
	}
	return os.Remove(aside)
}
