package proctree

import (
	"bytes"
	"errors"
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
func Held(pid int) (sum int64) {
	for _, id := range withChildren(pid) {
		sum += Status(id, "RssAnon")
	}
	return sum
}

// withChildren lists process pid and all that it started and whose parents still run.
func withChildren(pid int) []int {
	all := []int{pid}
	dir := "/proc/" + strconv.Itoa(pid) + "/task/"
	threads, _ := os.ReadDir(dir)
	for _, t := range threads {
		text, _ := os.ReadFile(dir + t.Name() + "/children")
		for _, child := range strings.Fields(string(text)) {
			if id, err := strconv.Atoi(child); err == nil {
				all = append(all, withChildren(id)...)
			}
		}
	}
	return all
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
	all, ok := mappings(nil, id)
	path = Real(path)
	for _, m := range all {
		if m.Within(path) {
			bytes += m.Resident
		}
	}
	return bytes, ok
}

// Mappings lists what process pid, and all that it started and whose parents still run, map of files and of shared
// memory. ok is false where the system does not say.
func Mappings(pid int) (all []Mapping, ok bool) {
	for i, id := range withChildren(pid) {
		var one bool
		if all, one = mappings(all, id); i == 0 {
			ok = one
		}
	}
	return all, ok
}

// mappings appends those of process id to all.
func mappings(all []Mapping, id int) ([]Mapping, bool) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(id) + "/smaps")
	if err != nil {
		return all, false
	}
	var m *Mapping
	for line := range strings.Lines(string(text)) {
		field, rest, _ := strings.Cut(strings.TrimRight(line, "\n"), ":")
		if strings.Contains(field, "-") { // a mapping's first line: addresses, permissions, offset, device, inode, path
			m = nil
			parts := strings.SplitN(strings.TrimRight(line, "\n"), " ", 6)
			if len(parts) < 6 {
				continue
			}
			path := strings.TrimSuffix(strings.TrimLeft(parts[5], " "), " (deleted)")
			if !strings.HasPrefix(path, "/") { // [heap]
				continue
			}
			from, to, _ := strings.Cut(parts[0], "-")
			start, err1 := strconv.ParseUint(from, 16, 64)
			end, err2 := strconv.ParseUint(to, 16, 64)
			offset, err3 := strconv.ParseInt(parts[2], 16, 64)
			if err := errors.Join(err1, err2, err3); err != nil {
				return all, false
			}
			all = append(all, Mapping{Path: path, Of: parts[3] + " " + parts[4], Offset: offset, Length: int64(end - start)})
			m = &all[len(all)-1]
			continue
		}
		if m == nil {
			continue
		}
		var to *int64
		switch field {
		case "Rss":
			to = &m.Resident
		case "Referenced":
			to = &m.Touched
		case "Anonymous":
			to = &m.Anonymous
		default:
			continue
		}
		kb, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(rest, "kB")), 10, 64)
		if err != nil {
			return all, false
		}
		*to = kb << 10
	}
	return all, true
}

// ForgetTouched makes [Mapping] Touched count from now, for process pid and all that it started and whose parents
// still run. The processor may keep the places of some 2,000 pages to itself, and does not report those that it had
// before: one of a larger file is found whenever it is read.
func ForgetTouched(pid int) bool {
	ok := true
	for _, id := range withChildren(pid) {
		ok = os.WriteFile("/proc/"+strconv.Itoa(id)+"/clear_refs", []byte("1"), 0) == nil && ok
	}
	return ok
}

// Opens reports whether process pid, or one that it started and whose parents still run, has the file at path open.
func Opens(pid int, path string) bool {
	want, err := os.Stat(path)
	if err != nil {
		return false
	}
	for _, id := range withChildren(pid) {
		dir := "/proc/" + strconv.Itoa(id) + "/fd/"
		files, _ := os.ReadDir(dir)
		for _, f := range files {
			if info, err := os.Stat(dir + f.Name()); err == nil && os.SameFile(info, want) {
				return true
			}
		}
	}
	return false
}

// ResetPeak makes [Status] VmHWM of process id count from now.
func ResetPeak(id int) bool {
	return os.WriteFile("/proc/"+strconv.Itoa(id)+"/clear_refs", []byte("5"), 0) == nil
}

// End kills process pid, its group, all that it started and all that carries mark, and looks again until
// nothing is left: what was being started meanwhile is found the next time.
func End(pid int, mark string) {
	for range 50 {
		all := Tree(pid, mark) // before the first is killed: what those started loses its parent by that, and may have no mark
		_ = syscall.Kill(-pid, syscall.SIGKILL)
		left := 0
		for _, id := range all {
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
