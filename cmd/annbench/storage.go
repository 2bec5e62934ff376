package main

import (
	"context"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"annbench/bench/pipeline"
	"annbench/bench/store"
	"annbench/bench/store/staging"
)

// An addresser has defaults that depend on addresses: they are set before anything is fetched.
type addresser interface{ address() }

// stagingOf is the object storage of one command.
func stagingOf(s *surface, args []string) *staging.Stage {
	return &staging.Stage{Config: staging.Config{
		Args: args, Cache: pipeline.CacheDir, Err: s.err, Progress: s.Progress, Told: told,
		Say: s.Say, SayPlain: s.SayPlain,
	}}
}

// stage readies the addresses on a command line, and puts local paths in their place. What becomes of an
// address is said by the tag s3 of the flag or argument, one of package staging's kinds.
func stage(ctx context.Context, st *staging.Stage, node *kong.Node) error {
	if a, ok := node.Target.Addr().Interface().(addresser); ok {
		a.address()
	}
	values := slices.Clone(node.Positional)
	for _, f := range node.Flags {
		values = append(values, f.Value)
	}
	for _, v := range values {
		var fields []*string
		switch p := v.Target.Addr().Interface().(type) {
		case *string:
			fields = append(fields, p)
		case *[]string:
			for i := range *p {
				fields = append(fields, &(*p)[i])
			}
		}
		tag := v.Tag.Get("s3")
		for _, f := range fields {
			if tag == "" || !store.Is(*f) {
				continue // no path
			}
			local, err := st.Fetch(ctx, tag, called(v), *f)
			if err != nil {
				return err
			}
			*f = local
		}
	}
	return nil
}

// called is what people call a flag or an argument.
func called(v *kong.Value) string {
	if v.Flag != nil {
		return "--" + v.Name
	}
	return strings.ToUpper(v.Name)
}
