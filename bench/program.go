package bench

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"annbench/indexes"
)

// mostProgram is the largest file that is taken for a part of a program.
const mostProgram = 16 << 20

// programOf is a digest of the files in the folder of a family: of its program, family.yaml and what else is there, but not
// of what Python leaves and of hidden files. A link to a file counts as that file. It is empty for a family that is built in.
func programOf(f *indexes.Family) (string, error) {
	if f.Folder == "" {
		return "", nil
	}
	folder, err := filepath.EvalSymlinks(f.Folder)
	if err != nil {
		return "", fmt.Errorf("family %s: %w", f.Name, err)
	}
	h := sha256.New()
	err = filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path != folder && (strings.HasPrefix(d.Name(), ".") || d.Name() == "__pycache__") {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() && d.Type() != fs.ModeSymlink {
			return nil
		}
		info, err := os.Stat(path) // of a link, what it leads to
		if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
			return nil
		}
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path, folder)
		_ = binary.Write(h, binary.LittleEndian, []int64{int64(len(name)), info.Size()}) // into a hash: no error
		h.Write([]byte(name))
		if info.Size() > mostProgram { // data, which counts by its size
			return nil
		}
		b, err := os.ReadFile(path)
		h.Write(b)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("family %s: %w", f.Name, err)
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}

// lookAtPrograms keeps the digest of each family's program for the records, and refuses to go on with records that
// another one left.
func (c *coordinator) lookAtPrograms(plan *Plan) error {
	c.programs = map[string]string{}
	for i := range plan.Jobs {
		f := plan.Jobs[i].Family
		if _, known := c.programs[f.Name]; known || f.Missing != "" {
			continue
		}
		program, err := programOf(f)
		if err != nil {
			return err
		}
		c.programs[f.Name] = program
		if was := c.were[f.Name]; was != "" && program != "" && was != program {
			return fmt.Errorf("%s has records of family %s as it was before %s changed: measure into another folder with --out, or move this one away", c.Out, f.Name, f.Folder)
		}
	}
	return nil
}
