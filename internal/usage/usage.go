// Package usage marks the errors that the caller can correct by asking differently: another flag, name or
// setting. The command ends with exit code 2 on them; every other error is exit code 1.
package usage

import "errors"

// Error is such an error. Its text is that of Err.
type Error struct{ Err error }

func (e Error) Error() string { return e.Err.Error() }

func (e Error) Unwrap() error { return e.Err }

// Is reports whether err is, or wraps, an Error.
func Is(err error) bool {
	var e Error
	return errors.As(err, &e)
}
