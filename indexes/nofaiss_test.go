//go:build !faiss

package indexes

import "testing"

// factoryBuilds is nothing without Faiss; faiss_test.go has it.
func factoryBuilds(*testing.T, *factory) {}
