package main

import (
	"annbench/indexes"
	"annbench/indexes/external"
)

type familiesCmd struct {
	Show    familiesShowCmd    `cmd:"" default:"withargs" help:"List index families and their settings, external ones too."`
	Install familiesInstallCmd `cmd:"" help:"Install what external families need, each in its own environment."`
	Remove  familiesRemoveCmd  `cmd:"" help:"Remove what install installed."`
	List    familiesListCmd    `cmd:"" help:"List the external families, and what is installed of them."`
	Check   familiesCheckCmd   `cmd:"" help:"Try external families on a few vectors, or say what is missing."`
	SDK     familiesSDKCmd     `cmd:"" name:"sdk" help:"Write the SDKs for families in Python and C++ into a folder."`
}

type familiesShowCmd struct {
	Names []string `arg:"" optional:"" help:"Families, or folders with a family.yaml. Default: all." s3:"no: the programs of a family run on this machine; copy its folder here first"`
	JSON  bool     `help:"JSON instead of text."`
}

func (c *familiesShowCmd) Run(s *surface) error {
	families, err := external.Select(c.Names, ".")
	if err != nil {
		return misuse(err)
	}
	return s.show(c.JSON, indexes.List(families))
}
