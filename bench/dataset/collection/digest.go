package collection

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"annbench/internal/atomicfile"
)

// CachedDigest is Digest, and remembers it below cacheDir by the names, sizes and times of the files,
// so that a large file is read through once and not with every run.
func (c *Collection) CachedDigest(ctx context.Context, cacheDir string) (string, error) {
	if c.Meta.Digest != "" {
		return c.Meta.Digest, nil
	}
	key, settled, err := stamp(c.files)
	if err != nil {
		return "", err
	}
	path := filepath.Join(cacheDir, "digest-"+key[:32])
	if b, err := os.ReadFile(path); err == nil {
		if digest, ok := strings.CutSuffix(string(b), "\n"); ok && len(digest) == 2*sha256.Size {
			return digest, nil
		}
	}
	digest, err := c.Digest(ctx)
	if err != nil {
		return "", err
	}
	// A file that was written a moment ago may be written again without a new time.
	if again, _, err := stamp(c.files); err != nil || again != key || !settled {
		return digest, nil
	}
	return digest, atomicfile.Write(path, []byte(digest+"\n"))
}

// stamp is a hash of what the system says of the files, without their content; settled is whether
// none has been changed within two seconds.
func stamp(files []string) (key string, settled bool, err error) {
	sum := sha256.New()
	settled = true
	for _, path := range files {
		abs, err := filepath.Abs(path)
		if err != nil {
			return "", false, err
		}
		info, err := os.Stat(path)
		if err != nil {
			return "", false, err
		}
		fmt.Fprintf(sum, "%q %d %d\n", abs, info.Size(), info.ModTime().UnixNano())
		settled = settled && time.Since(info.ModTime()) > 2*time.Second
	}
	return hex.EncodeToString(sum.Sum(nil)), settled, nil
}
