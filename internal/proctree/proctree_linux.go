package proctree

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Attributes make a process the head of a process group, and end it with the thread that started it.
func Attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// processes lists the processes of this machine, as /proc has them, with their parents.
func processes() map[int]int {
	parents := map[int]int{}
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		id, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if fields := stat(id); len(fields) > 1 {
			parents[id], _ = strconv.Atoi(fields[1])
		}
	}
	return parents
}

// stat are the fields of /proc/ID/stat from the process's state on: "pid (name) state parent ...", where
// the name may hold anything, parentheses too.
func stat(id int) []string {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(id) + "/stat")
	if err != nil {
		return nil
	}
	return strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
}

// Alive reports whether process id runs: it is there, and has not ended.
func Alive(id int) bool {
	fields := stat(id)
	return len(fields) > 0 && fields[0] != "Z" && fields[0] != "X"
}

// Tree lists process pid and all that it started, and those that carry mark in their environment: what
// lost its parent, or moved to another group or session, has it from the program.
func Tree(pid int, mark string) []int {
	parents := processes()
	var all []int
	for id := range parents {
		mine := false
		for at := id; at > 1 && !mine; at = parents[at] {
			mine = at == pid
		}
		if !mine && mark != "" && id != os.Getpid() {
			environment, _ := os.ReadFile("/proc/" + strconv.Itoa(id) + "/environ")
			mine = bytes.Contains(environment, []byte(mark))
		}
		if mine {
			all = append(all, id)
		}
	}
	return all
}

// Held is the anonymous memory of process pid and of all that it started and whose parents still run, in
// bytes. It is looked at while searches are timed, so it asks the kernel for the children alone, and not
// for all processes.
func Held(pid int) int64 {
	sum := Status(pid, "RssAnon")
	dir := "/proc/" + strconv.Itoa(pid) + "/task/"
	threads, _ := os.ReadDir(dir)
	for _, t := range threads {
		text, _ := os.ReadFile(dir + t.Name() + "/children")
		for _, child := range strings.Fields(string(text)) {
			if id, err := strconv.Atoi(child); err == nil {
				sum += Held(id)
			}
		}
	}
	return sum
}

// Status reads a line of /proc/ID/status that gives a size, in bytes.
func Status(id int, key string) int64 {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(id) + "/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if kb, ok := strings.CutPrefix(line, key+":"); ok {
			n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(kb), " kB"), 10, 64)
			return n << 10
		}
	}
	return 0
}

// Mapped sums the resident pages that process id maps of the file at path, or of files below the folder at path, in
// bytes. ok is false where the system does not say.
func Mapped(id int, path string) (bytes int64, ok bool) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(id) + "/smaps")
	if err != nil {
		return 0, false
	}
	inside := false
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		field, rest, _ := strings.Cut(line, ":")
		if strings.Contains(field, "-") { // a mapping's first line: addresses ... path
			inside = strings.HasSuffix(line, " "+path) || strings.Contains(line, " "+path+"/")
			continue
		}
		if inside && field == "Rss" {
			kb, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(rest, "kB")), 10, 64)
			if err != nil {
				return 0, false
			}
			bytes += kb << 10
		}
	}
	return bytes, true
}

// ResetPeak makes [Status] VmHWM of process id count from now.
func ResetPeak(id int) bool {
	return os.WriteFile("/proc/"+strconv.Itoa(id)+"/clear_refs", []byte("5"), 0) == nil
}

// End kills process pid, its group, all that it started and all that carries mark, and looks again until
// nothing is left: what was being started meanwhile is found the next time.
func End(pid int, mark string) {
	for range 50 {
		_ = syscall.Kill(-pid, syscall.SIGKILL)
		left := 0
		for _, id := range Tree(pid, mark) {
			if Alive(id) {
				left++
				_ = syscall.Kill(id, syscall.SIGKILL)
			}
		}
		if left == 0 {
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
}
