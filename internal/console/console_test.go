package console

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
)

// A log line, a line of progress and a bar that is cleared go to one writer, whole, and a quiet console keeps the log.
func TestConsole(t *testing.T) {
	for _, quiet := range []bool{false, true} {
		var b bytes.Buffer
		c := &Console{Err: &b, Quiet: quiet}
		c.Progress("reading", 1, 10, 0) // over in less than ten seconds: no line
		c.Counting("reading")(5, 10)
		c.Say("half of it")
		_, _ = c.Write([]byte("log\n"))
		c.Progress("", 0, 0, 0)
		want := "half of it\nlog\n"
		if quiet {
			want = "log\n"
		}
		if b.String() != want {
			t.Errorf("quiet %v: %q, want %q", quiet, b.String(), want)
		}
	}
}

// upper is a writer over another.
type upper struct{ w io.Writer }

func (u upper) Write(b []byte) (int, error) { return u.w.Write(bytes.ToUpper(b)) }
func (u upper) Unwrap() io.Writer           { return u.w }

func TestSayPlainGoesPastTheWriter(t *testing.T) {
	var b bytes.Buffer
	c := &Console{Err: upper{&b}}
	c.Say("a")
	c.SayPlain("b")
	if b.String() != "A\nb\n" {
		t.Errorf("%q", b.String())
	}
	if IsTerminal(upper{&b}) || IsTerminal(os.Stderr) && !IsTerminal(upper{os.Stderr}) {
		t.Error("a writer is a terminal if the one below is")
	}
}

// failing fails with err once n writes went well.
type failing struct {
	n   int
	err error
}

func (f *failing) Write(b []byte) (int, error) {
	if f.n--; f.n < 0 {
		return 0, f.err
	}
	return len(b), nil
}

func TestOutputKeepsTheFirstError(t *testing.T) {
	o := &Output{To: &failing{1, syscall.ENOSPC}}
	for range 3 {
		_, _ = o.Write([]byte("x"))
	}
	if !errors.Is(o.Err, syscall.ENOSPC) || !strings.HasPrefix(o.Err.Error(), "printing the results: ") {
		t.Errorf("%v", o.Err)
	}
	o = &Output{To: &failing{0, syscall.EPIPE}}
	if n, err := o.Write([]byte("x")); n != 1 || err != nil || o.Err != nil {
		t.Errorf("a closed pipe: %d, %v, %v", n, err, o.Err)
	}
}
