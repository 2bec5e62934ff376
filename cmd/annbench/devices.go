package main

import (
	"annbench/embedder"
	"annbench/embedder/models"
)

type devicesCmd struct {
	Model        string   `help:"Try the devices with this model: its card (.json). Default: a model of four nodes." placeholder:"CARD" s3:"card"`
	DeviceOption []string `help:"An option of a provider, DEVICE.OPTION=VALUE: cuda.device_id=1. May be repeated." placeholder:"OPTION" sep:"none"`
	JSON         bool     `help:"JSON instead of text, with all reasons in full."`
}

// Help is printed below the flags.
func (devicesCmd) Help() string {
	return `A device is ready if a model ran on it with all nodes on the device and none on the CPU. For the others,
the reason is printed. The exit code is 0 either way.`
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
	return s.show(c.JSON, survey)
}
