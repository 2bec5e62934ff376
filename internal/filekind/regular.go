package filekind

import (
	"fmt"
	"os"
)

// Regular reports an error unless a file of bytes that stay is at path: to open a pipe waits for a writer, and a device
// may have no end. A folder is none either.
func Regular(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	what := "a device"
	switch mode := info.Mode(); {
	case mode.IsRegular():
		return nil
	case mode.IsDir():
		what = "a folder"
	case mode&os.ModeNamedPipe != 0:
		what = "a pipe"
	case mode&os.ModeSocket != 0:
		what = "a socket"
	}
	return fmt.Errorf("%s is %s, not a file: write what comes from it to a file, and name that", path, what)
}
