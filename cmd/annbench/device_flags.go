package main

import (
	"errors"

	"annbench/embedder"
)

// deviceFlags say where a model runs, and how.
type deviceFlags struct {
	Device       []string `help:"Devices to try, in this order; annbench devices lists them. If you name one device, annbench uses it or fails." default:"cuda,webgpu,cpu"`
	DeviceOption []string `help:"An option of a device's provider, DEVICE.OPTION=VALUE: cuda.device_id=1, cuda.gpu_mem_limit=4294967296. May be repeated." placeholder:"OPTION" sep:"none"`
	Precision    []string `help:"What the model computes in: fp32, tf32 (NVIDIA's tensor cores) or fp16. The effect on neighbours is reported." default:"fp32"`
}

// session is how sessions are opened; its Precision is the first.
func (f *deviceFlags) session(s *surface) (o embedder.SessionOptions, precisions []embedder.Precision, err error) {
	o.Log = s.log
	if o.Devices, err = embedder.ParseDevices(f.Device); err != nil {
		return o, nil, misuse(err)
	}
	if o.Options, err = embedder.ParseDeviceOptions(f.DeviceOption); err != nil {
		return o, nil, misuse(err)
	}
	if err := o.Check(); err != nil {
		return o, nil, misuse(err)
	}
	for _, name := range f.Precision {
		p, err := embedder.ParsePrecision(name)
		if err != nil {
			return o, nil, misuse(err)
		}
		precisions = append(precisions, p)
	}
	if len(precisions) == 0 {
		precisions = []embedder.Precision{embedder.FP32}
	}
	o.Precision = precisions[0]
	return o, precisions, nil
}

// one is session where only one precision is possible.
func (f *deviceFlags) one(s *surface) (embedder.SessionOptions, error) {
	o, precisions, err := f.session(s)
	if err == nil && len(precisions) > 1 {
		err = misuse(errors.New("--precision takes one value, except with --bench"))
	}
	return o, err
}
