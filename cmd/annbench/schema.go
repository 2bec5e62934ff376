package main

import (
	"fmt"

	"annbench/bench/sweepfile"
)

type schemaCmd struct{}

// Help is printed below the flags.
func (schemaCmd) Help() string {
	return `An editor with the YAML language server completes and checks sweep files by it, when they begin with
"# yaml-language-server: $schema=" and the path of the schema; configs/sweep.schema.json is the one of
this version.

Examples:
  annbench schema > sweep.schema.json`
}

func (c *schemaCmd) Run(s *surface) error {
	text, err := sweepfile.Schema()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "%s\n", text)
	return err
}
