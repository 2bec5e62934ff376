// Package seal makes damage to files show: SHA-256 of the files of a folder, and JSON files that carry one
// of their own.
//
// It notices what changes by itself or by mistake: flipped bits, swapped rows, a file of another folder. It
// is no protection against somebody who makes the sums anew.
package seal

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"annbench/internal/atomicfile"
	"annbench/internal/plaintext"
)

// Sum is the SHA-256 of the file at path, in 64 hexadecimal digits. The error is ctx's when that ends first.
func Sum(ctx context.Context, path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	for block := make([]byte, 1<<20); ; {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		n, err := f.Read(block)
		sum.Write(block[:n])
		if err == io.EOF {
			return hex.EncodeToString(sum.Sum(nil)), nil
		}
		if err != nil {
			return "", err
		}
	}
}

// Sums are the sums of the files called names in dir, by name.
func Sums(ctx context.Context, dir string, names ...string) (map[string]string, error) {
	sums := make(map[string]string, len(names))
	for _, name := range names {
		sum, err := Sum(ctx, filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		sums[name] = sum
	}
	return sums, nil
}

// Verify compares the files in dir with their sums. The error names the first that has changed, or that is
// not there.
func Verify(ctx context.Context, dir string, sums map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		path := filepath.Join(dir, name)
		sum, err := Sum(ctx, path)
		if err != nil {
			return err
		}
		if sum != sums[name] {
			return Changed(path, sum, sums[name])
		}
	}
	return nil
}

// Changed is the error that the file at path has the sum is, where was was written down.
func Changed(path, is, was string) error {
	is, was = Differing(is, was)
	return fmt.Errorf("%s has changed since it was written: its SHA-256 begins with %s, not %s", path, is, was)
}

// Differing are the beginnings of two different sums that show that they differ: twelve digits, or as many as it takes.
func Differing(a, b string) (string, string) {
	n := 12
	for n < max(len(a), len(b)) && a[:min(n, len(a))] == b[:min(n, len(b))] {
		n++
	}
	return a[:min(n, len(a))], b[:min(n, len(b))]
}

// Damage reports whether err is about what a file holds, or that it is not there, so that making it again helps. That the
// system refused to read it (no permission, no memory, too many open files) is none.
func Damage(err error) bool {
	var no syscall.Errno
	return !errors.As(err, &no) || no == syscall.ENOENT || no == syscall.EIO || no == syscall.EISDIR || no == syscall.ENOTDIR
}

// field is where a JSON file has its own sum.
const field = "sha256"

// WriteJSON makes v, which encodes as a JSON object without a field "sha256", the contents of the file at
// path, with that field at its end.
func WriteJSON(path string, v any) error {
	b, err := Encode(v)
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return atomicfile.WriteJSON(path, b)
}

// Encode is v, which encodes as a JSON object without a field "sha256", with that field at its end.
func Encode(v any) (json.RawMessage, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	sum, err := sumJSON(b)
	if err != nil {
		return nil, err
	}
	last, err := json.Marshal(sum)
	if err != nil {
		return nil, err
	}
	if len(b) > 2 {
		b = append(b[:len(b)-1], ',')
	} else {
		b = b[:1]
	}
	return append(append(append(b, `"`+field+`":`...), last...), '}'), nil
}

// ReadJSON reads what [WriteJSON] wrote. It is an error if the file is not what its sum says. sealed is
// false where it has no sum, as files of older versions have none.
func ReadJSON(path string, v any) (sealed bool, err error) {
	var raw json.RawMessage
	if err := atomicfile.ReadJSON(path, &raw); err != nil {
		return false, err
	}
	return Decode(path, raw, v)
}

// Decode reads what [Encode] made, as [ReadJSON] does; path names it in errors.
func Decode(path string, raw json.RawMessage, v any) (sealed bool, err error) {
	var own struct {
		Sum *string `json:"sha256"`
	}
	if err := json.Unmarshal(raw, &own); err != nil {
		return false, fmt.Errorf("%s: %w", path, plaintext.JSONError(raw, err))
	}
	if own.Sum != nil {
		sum, err := sumJSON(raw)
		if err != nil {
			return false, fmt.Errorf("%s: %w", path, err)
		}
		if sum != *own.Sum {
			return false, Changed(path, sum, *own.Sum)
		}
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return false, fmt.Errorf("%s: %w", path, plaintext.JSONError(raw, err))
	}
	return own.Sum != nil, nil
}

// sumJSON is the sum of a JSON object without its own field, whatever its white space and order are.
func sumJSON(b []byte) (string, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(b, &fields); err != nil {
		return "", err
	}
	delete(fields, field)
	canonical, err := json.Marshal(fields) // keys in order, without white space
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:]), nil
}
