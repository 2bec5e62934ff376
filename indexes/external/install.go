package external

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"annbench/internal/atomicfile"
	"annbench/internal/proctree"
)

// Installed is a family that is installed.
type Installed struct {
	Name   string    `json:"name"`
	Folder string    `json:"folder"` // the family's, where it is not one that ships
	Time   time.Time `json:"time"`
	Place  string    `json:"-"` // the folder that it is installed in
	Bytes  int64     `json:"-"` // all of that
	Whole  bool      `json:"-"` // false where installing it was stopped
}

// Install installs what f needs: an environment for Python of its own, with the packages of its
// requirements, whose hashes must be given and agree; and what its make commands make. say is called with
// what is being done. One that is installed stays as it is.
func (f *Family) Install(ctx context.Context, say func(string)) (err error) {
	if !f.mustInstall() {
		say(f.Name + ": there is nothing to install")
		return nil
	}
	place := f.place()
	defer func() {
		if err != nil {
			err = fmt.Errorf("installing %s: %w", f.Name, err)
		}
	}()
	if err := os.MkdirAll(f.home, 0o755); err != nil {
		return err
	}
	unlock, err := lockFile(ctx, place+".lock")
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := os.Stat(filepath.Join(place, installFile)); err == nil {
		say(f.Name + ": it is installed")
		return nil
	}
	if err := f.prerequisites(); err != nil {
		return err
	}
	if err := os.RemoveAll(place); err != nil { // what an install that was stopped has left
		return err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(place)
		}
	}()
	if err := os.MkdirAll(filepath.Join(place, outDir), 0o755); err != nil {
		return err
	}
	folder := f.Folder
	if f.shipped() {
		folder = filepath.Join(place, sourceDir)
		if err := os.CopyFS(folder, f.files); err != nil {
			return err
		}
	}
	if f.Needs.Requirements != "" {
		if err := f.environment(ctx, folder, say); err != nil {
			return err
		}
	}
	sdk, err := unpackSDK(f.home)
	if err != nil {
		return err
	}
	replace := strings.NewReplacer("$OUT", filepath.Join(place, outDir), "$SDK", sdk, "$PYTHON", f.python())
	for _, command := range f.Needs.Make {
		args := make([]string, len(command))
		for i, a := range command {
			args[i] = replace.Replace(a)
		}
		say(f.Name + ": " + strings.Join(command, " "))
		if err := run(ctx, folder, []string{"OUT=" + filepath.Join(place, outDir), "SDK=" + sdk, "PYTHON=" + f.python()}, args); err != nil {
			return err
		}
	}
	marker := Installed{Name: f.Name, Time: time.Now().UTC()}
	if !f.shipped() {
		marker.Folder = f.Folder
	}
	return atomicfile.WriteJSON(filepath.Join(place, installFile), marker)
}

// prerequisites reports what of the machine is missing.
func (f *Family) prerequisites() error {
	need := f.Needs.Commands
	if f.Needs.Requirements != "" {
		need = append([]string{"python3"}, need...)
	}
	for _, name := range need {
		if _, err := exec.LookPath(name); err == nil {
			continue
		}
		fix := ""
		if len(f.Needs.Debian) > 0 {
			fix = "; on Debian: apt-get install " + strings.Join(f.Needs.Debian, " ")
		}
		return fmt.Errorf("there is no %s in PATH%s", name, fix)
	}
	return nil
}

// environment makes the family's Python.
func (f *Family) environment(ctx context.Context, folder string, say func(string)) error {
	venv := filepath.Join(f.place(), venvDir)
	say(f.Name + ": making an environment for Python")
	if err := run(ctx, folder, nil, []string{"python3", "-m", "venv", venv}); err != nil {
		return fmt.Errorf("%w\n(on Debian: apt-get install python3-venv)", err)
	}
	pip := []string{filepath.Join(venv, "bin", "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--require-hashes", "--no-deps"}
	for _, step := range []struct {
		file  string
		flags []string
		doing string
	}{
		{f.Needs.Requirements, []string{"--only-binary=:all:"}, "installing "},
		// Packages without wheels are compiled with what the first step has installed.
		{f.Needs.Sources, []string{"--no-build-isolation"}, "compiling "},
	} {
		if step.file == "" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(folder, step.file))
		if err != nil {
			return err
		}
		what := step.doing + strings.Join(pinned.FindAllString(string(text), -1), ", ")
		if f.Needs.Minutes > 0 {
			what += fmt.Sprintf(" (about %d min)", f.Needs.Minutes)
		}
		say(f.Name + ": " + what)
		args := append(append(pip[:len(pip):len(pip)], step.flags...), "-r", step.file)
		if err := run(ctx, folder, nil, args); err != nil {
			return f.noPackage(ctx, err, step.file, text)
		}
	}
	return nil
}

var pinned = regexp.MustCompile(`(?m)^[A-Za-z0-9._-]+==[^ \\]+`)

var (
	noMatch      = regexp.MustCompile(`No matching distribution found for ([^\s=]+)(?:==(\S+))?`)
	fromVersions = regexp.MustCompile(`\(from versions: ([^)]*)\)`)
)

// noPackage makes one sentence of pip's complaint that it finds no package of those in file, which has text.
func (f *Family) noPackage(ctx context.Context, err error, file string, text []byte) error {
	match := noMatch.FindStringSubmatch(err.Error())
	if match == nil {
		return err
	}
	at := filepath.Join(f.Folder, file)
	for i, line := range strings.Split(string(text), "\n") {
		if strings.HasPrefix(line, match[1]+"==") {
			at += fmt.Sprintf(":%d", i+1)
			break
		}
	}
	what := "package"
	if file == f.Needs.Requirements {
		what = "wheel"
	}
	out, _ := exec.CommandContext(ctx, "python3", "-c", "import platform; print(platform.python_version(), platform.machine())").Output()
	python := "this Python (" + strings.TrimSpace(string(out)) + ")"
	if versions := fromVersions.FindStringSubmatch(err.Error()); versions != nil && versions[1] != "none" && versions[1] != "" {
		all := strings.Split(versions[1], ", ")
		last := strings.Join(all[max(0, len(all)-5):], ", ")
		return fmt.Errorf("%s: %s has no %s of version %s for %s; the newest that have one are %s", at, match[1], what, match[2], python, last)
	}
	return fmt.Errorf("%s: pip finds no %s of %s, in any version, for %s: look at the name; a package without wheels belongs in the file of needs.sources; or put a Python that has wheels first in PATH as python3", at, what, match[1], python)
}

// run runs a command, of which the error quotes the last lines.
func run(ctx context.Context, dir string, env, args []string) error {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir, cmd.Env = dir, append(append(os.Environ(), "PYTHONNOUSERSITE=1"), env...)
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGKILL) }
	cmd.SysProcAttr = proctree.Attributes()
	cmd.WaitDelay = time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		t := &proctree.Tail{}
		_, _ = t.Write(out.Bytes())
		return fmt.Errorf("%s: %w\n%s", filepath.Base(args[0])+" "+strings.Join(args[1:min(len(args), 4)], " "), err, strings.Join(t.Lines(), "\n"))
	}
	return nil
}

// Remove removes what is installed of the family that name means, a name or the path of a folder, older versions of it
// too, and says how much that was. The folder itself stays, and may be gone.
func Remove(name string) (bytes int64, err error) {
	all, err := List()
	if err != nil {
		return 0, err
	}
	folder, place := "", ""
	if IsPath(name) {
		if folder, err = filepath.Abs(name); err != nil {
			return 0, err
		}
		if f, err := Read(folder); err == nil {
			place = f.place() // what was stopped while it was installed does not say of which folder it is
		}
	}
	found := false
	for _, one := range all {
		if folder == "" && one.Name != name || folder != "" && one.Folder != folder && one.Place != place {
			continue
		}
		found = true
		if err := os.RemoveAll(one.Place); err != nil {
			return bytes, err
		}
		bytes += one.Bytes
	}
	if !found {
		return 0, fmt.Errorf("nothing is installed of %q: `annbench families list` shows what is", name)
	}
	return bytes, nil
}

var placeForm = regexp.MustCompile(`^([a-z][a-z0-9-]*)-[0-9a-f]{12}$`)

// List lists what is installed, in name order.
func List() (all []Installed, err error) {
	home, err := Home()
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(home)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		match := placeForm.FindStringSubmatch(e.Name())
		if match == nil || match[1] == "sdk" || !e.IsDir() {
			continue
		}
		one := Installed{Name: match[1], Place: filepath.Join(home, e.Name())}
		if text, err := os.ReadFile(filepath.Join(one.Place, installFile)); err == nil {
			one.Whole = json.Unmarshal(text, &one) == nil
		}
		_ = filepath.WalkDir(one.Place, func(_ string, e fs.DirEntry, err error) error {
			if err != nil {
				return nil
			}
			if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
				one.Bytes += info.Size()
			}
			return nil
		})
		all = append(all, one)
	}
	return all, nil
}

// lockFile keeps others from installing the same at once.
func lockFile(ctx context.Context, path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			f.Close()
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, context.Cause(ctx)
		case <-time.After(200 * time.Millisecond):
		}
	}
}
