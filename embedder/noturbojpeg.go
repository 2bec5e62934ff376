//go:build !cgo || !turbojpeg

package embedder

// UseTurboJPEG does nothing: this build was made without libturbojpeg (build tag turbojpeg).
func UseTurboJPEG() {}
