package vecfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// ReadLabels reads the labels in a text file, one a line, or in a .npy file of integers.
func ReadLabels(path string) ([]string, error) {
	if strings.EqualFold(filepath.Ext(path), ".npy") {
		in, err := openInput(path)
		if err != nil {
			return nil, err
		}
		defer in.Close()
		labels, err := intLabels(in, -1)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return labels, nil
	}
	var labels []string
	interned := map[string]string{}
	err := EachLine(path, func(_ int, b []byte) error {
		labels = append(labels, intern(interned, strings.TrimSpace(string(b))))
		return nil
	})
	return labels, err
}

// intLabels reads the labels in a .npy file of integers, one for each of count vectors; count below 0
// is any number.
func intLabels(in *input, count int) ([]string, error) {
	r, h, err := npyRows(in)
	if err != nil {
		return nil, err
	}
	if r.elem.class == 'f' || r.dim != 1 {
		return nil, placed(10, "labels are integers in one dimension, these are %s of shape %v", descrName(h.descr), h.shape)
	}
	if count >= 0 && r.count != count {
		return nil, fmt.Errorf("%d labels for %d vectors", r.count, count)
	}
	return rowLabels(r, r.count)
}

func rowLabels(r Integers, count int) ([]string, error) {
	labels := make([]string, 0, count)
	interned := map[int32]string{}
	block := make([]int32, max(1, min(count, 1<<16)))
	for {
		n, err := r.Ints(block)
		if errors.Is(err, io.EOF) {
			return labels, nil
		}
		if err != nil {
			return nil, err
		}
		for _, v := range block[:n] {
			s, ok := interned[v]
			if !ok {
				s = strconv.Itoa(int(v))
				interned[v] = s
			}
			labels = append(labels, s)
		}
	}
}

func intern(seen map[string]string, s string) string {
	if known, ok := seen[s]; ok {
		return known
	}
	seen[s] = s
	return s
}

// EachLine calls f with the lines of the text file at path, counted from 1, without their ends.
// What follows the last newline is a line if it is not empty.
func EachLine(path string, f func(line int, b []byte) error) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	in := bufio.NewScanner(file)
	in.Buffer(make([]byte, 1<<16), MaxLine)
	line := 0
	for in.Scan() {
		line++
		if err := f(line, in.Bytes()); err != nil {
			return fmt.Errorf("%s:%d: %w", path, line, err)
		}
	}
	if err := in.Err(); err != nil {
		return fmt.Errorf("%s:%d: %w", path, line+1, err)
	}
	return nil
}

// MaxLine is the longest line of a text file that is read, in bytes.
const MaxLine = 1 << 20
