package bench

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/klauspost/cpuid/v2"
	"golang.org/x/sys/unix"

	"annbench/bench/record"
	"annbench/indexes"
	"annbench/indexes/vec"
)

// environment describes this machine and this build.
func environment() record.Env {
	env := record.Env{
		CPU:       cpuid.CPU.BrandName,
		Cores:     runtime.NumCPU(),
		Memory:    totalMemory(),
		OS:        system(),
		Go:        runtime.Version(),
		Libraries: map[string]string{"annbench": "SIMD " + vec.Level()},
	}
	for _, f := range []cpuid.FeatureID{cpuid.AVX2, cpuid.FMA3, cpuid.F16C, cpuid.AVX512F, cpuid.AVX512VNNI, cpuid.ASIMD} {
		if cpuid.CPU.Supports(f) {
			env.Features = append(env.Features, f.String())
		}
	}
	slices.Sort(env.Features)
	if v := indexes.FaissVersion(); v != "" {
		env.Libraries["faiss"] = v
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			if dep.Path == "github.com/coder/hnsw" {
				env.Libraries["coder/hnsw"] = dep.Version
			}
		}
		env.Commit = commit(info.Settings)
	}
	return env
}

func commit(settings []debug.BuildSetting) string {
	var revision, dirty string
	for _, s := range settings {
		switch s.Key {
		case "vcs.revision":
			revision = s.Value
		case "vcs.modified":
			if s.Value == "true" {
				dirty = "+dirty"
			}
		}
	}
	if revision == "" {
		return ""
	}
	return revision[:min(12, len(revision))] + dirty
}

// system names kernel and distribution.
func system() string {
	var u unix.Utsname
	name := runtime.GOOS
	if unix.Uname(&u) == nil {
		name = fmt.Sprintf("%s %s", unix.ByteSliceToString(u.Sysname[:]), unix.ByteSliceToString(u.Release[:]))
	}
	text, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return name
	}
	for line := range strings.Lines(string(text)) {
		if pretty, ok := strings.CutPrefix(strings.TrimSpace(line), "PRETTY_NAME="); ok {
			return name + ", " + strings.Trim(pretty, `"`)
		}
	}
	return name
}
