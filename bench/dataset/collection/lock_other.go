//go:build !unix

package collection

import "os"

// lock does nothing here: that nobody else writes the same folder is for the user to see to.
func lock(*os.File) error { return nil }
