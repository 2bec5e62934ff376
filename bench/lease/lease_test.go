package lease

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestOneHolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".lease")
	l, err := Take(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	var held *HeldError
	if _, err := Take(t.Context(), path, nil); !errors.As(err, &held) || held.PID != os.Getpid() || !errors.Is(err, ErrHeld) {
		t.Errorf("a second one: %v", err)
	}
	if err := l.rewrite(7); err != nil || l.Held() != nil {
		t.Errorf("rewriting its own: %v, %v", err, l.Held())
	}
	l.Release()
	l.Release()
	if l.Held() == nil {
		t.Error("held after its release")
	}
	again, err := Take(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	l.Release() // must not release another's
	if err := again.Held(); err != nil {
		t.Error(err)
	}
	again.Release()
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) > 0 {
		t.Errorf("%s is left", left[0].Name())
	}
}

// TestManyTakers has many take and give back one lease; a counter without a lock of its own must not
// be touched by two at once.
func TestManyTakers(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".lease")
	var inside, turns atomic.Int32
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for turns.Load() < 200 {
				l, err := Take(t.Context(), path, nil)
				if errors.Is(err, ErrHeld) {
					continue
				} else if err != nil {
					t.Error(err)
					return
				}
				if inside.Add(1) != 1 {
					t.Error("two hold one lease")
				}
				turns.Add(1)
				inside.Add(-1)
				l.Release()
			}
		})
	}
	wait.Wait()
}

// TestEndedProcess takes over, at once, from a process of this machine that is not there any more.
func TestEndedProcess(t *testing.T) {
	cmd := exec.Command("true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	own := self()
	if own.Boot == "" {
		t.Skip("this system does not name its boots")
	}
	path := filepath.Join(t.TempDir(), ".lease")
	for _, pid := range []int{cmd.Process.Pid, os.Getpid()} { // the second: the number is another process's now
		dead := Lease{path: path, own: self()}
		dead.own.PID, dead.own.Start = pid, "1"
		if err := dead.create(); err != nil {
			t.Fatal(err)
		}
		l, err := Take(t.Context(), path, func(string) { t.Error("it waits for a process that is seen to be dead") })
		if err != nil {
			t.Fatal(err)
		}
		if err := dead.Held(); !errors.Is(err, ErrLost) {
			t.Errorf("the one before: %v", err)
		}
		if err := dead.rewrite(1); !errors.Is(err, ErrLost) {
			t.Errorf("the one before rewrites: %v", err)
		}
		l.Release()
	}
}

// elsewhere is a holder on another machine.
func elsewhere(path string) *Lease {
	l := &Lease{path: path, own: self(), stop: make(chan struct{})}
	l.own.Host, l.own.Boot = "elsewhere", "another"
	return l
}

// hang is when a test gives up what never ends.
const hang = 5 * time.Minute

func TestAnotherMachine(t *testing.T) {
	const dead, every = 300 * time.Millisecond, 10 * time.Millisecond
	path := filepath.Join(t.TempDir(), ".lease")
	other := elsewhere(path)
	if err := other.create(); err != nil {
		t.Fatal(err)
	}
	var told string
	began := time.Now()
	token, gone, err := watch(t.Context(), path, self(), dead, every, func(host string) { told = host })
	if !gone || token != other.own.Token || err != nil || time.Since(began) < dead || told != "elsewhere" {
		t.Errorf("silent: %v, %v after %v, waited for %q", gone, err, time.Since(began), told)
	}

	other.wait.Go(func() { other.keep(20 * time.Millisecond) })
	var held *HeldError
	if _, gone, err = watch(t.Context(), path, self(), hang, every, nil); gone || !errors.As(err, &held) || held.Host != "elsewhere" {
		t.Errorf("alive: %v, %v", gone, err)
	}
	close(other.stop)
	other.wait.Wait()

	// A holder that is taken over in between does not come back to life, and the new one keeps it.
	if err := remove(path, other.own.Token); err != nil {
		t.Fatal(err)
	}
	l, err := Take(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Release()
	if err := remove(path, other.own.Token); err != nil {
		t.Error(err)
	}
	if err := l.Held(); err != nil {
		t.Errorf("one that judged too late took a live lease: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := watch(ctx, path, elsewhere(path).own, dead, every, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

// TestTornFile has a lease that a machine left half-written, as can be where there are no links.
func TestTornFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".lease")
	if err := os.WriteFile(path, []byte(`{"tok`), 0o644); err != nil {
		t.Fatal(err)
	}
	token, gone, err := watch(t.Context(), path, self(), 50*time.Millisecond, 5*time.Millisecond, nil)
	if !gone || err != nil {
		t.Fatal(gone, err)
	}
	if err := remove(path, token); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("it is still there")
	}
}
