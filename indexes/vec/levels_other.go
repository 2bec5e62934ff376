//go:build !amd64

package vec

// levels lists what this machine can run, best last.
func levels() []kernels { return []kernels{goKernels()} }
