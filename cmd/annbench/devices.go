package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"annbench/embedder"
	"annbench/embedder/models"
)

type devicesCmd struct {
	Model        string   `help:"Ask with this model: its card (.json). Default: one of four nodes." placeholder:"CARD" s3:"card"`
	DeviceOption []string `help:"An option of a provider, DEVICE.OPTION=VALUE: cuda.device_id=1. May be repeated." placeholder:"OPTION" sep:"none"`
	JSON         bool     `help:"JSON instead of text, with the lacking in full."`
}

// Help is printed below the flags.
func (devicesCmd) Help() string {
	return `A device is ready when a model has run on it, with every node there and none on the CPU instead.
The others say why not in ONNX Runtime's own words. Exit code 0 either way: nothing was asked for.`
}

func (c *devicesCmd) Run(s *surface) error {
	options, err := embedder.ParseDeviceOptions(c.DeviceOption)
	if err != nil {
		return misuse(err)
	}
	var card *models.Card
	if c.Model != "" {
		if card, err = models.Open(c.Model); err != nil {
			return err
		}
	}
	survey, err := embedder.SurveyDevices(card, embedder.SessionOptions{Options: options})
	if err != nil {
		return err
	}
	if c.JSON {
		return s.json(survey)
	}
	fmt.Fprintf(s.out, "%s, %s\n\n", survey.Runtime, survey.Library)
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	var lacking []string // devices that this library was built without
	for _, d := range survey.Devices {
		said := "ready: " + embedder.Placed(d.Nodes) + fmt.Sprintf("; first answer after %.2f s", d.Seconds)
		if !d.Ready {
			said = "no: " + embedder.Brief(d.Reason)
			if rest, found := strings.CutSuffix(d.Reason, " execution provider is not supported in this build."); found && !strings.Contains(rest, " ") {
				lacking = append(lacking, string(d.Device))
				continue
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", d.Device, d.Runs, said)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if len(lacking) > 0 {
		fmt.Fprintf(s.out, "\n\"execution provider is not supported in this build\": %s\n", strings.Join(lacking, ", "))
	}
	for _, driver := range survey.Vulkan {
		fmt.Fprintf(s.out, "Vulkan driver: %s\n", driver)
	}
	if hint := survey.VulkanHint(); hint != "" {
		fmt.Fprintf(s.out, "\n%s\n", hint)
	}
	return nil
}
