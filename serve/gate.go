package serve

import (
	"context"
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// errBusy says that a gate's queue is full.
var errBusy = errors.New("the queue is full")

// gate lets so many through at once, and so many wait.
type gate struct {
	slots, line chan struct{}
	waiting     prometheus.Gauge
}

func newGate(slots, queue int, waiting prometheus.Gauge) *gate {
	return &gate{make(chan struct{}, slots), make(chan struct{}, slots+queue), waiting}
}

// enter waits for a slot, which leave gives back. The error is errBusy or that of ctx.
func (g *gate) enter(ctx context.Context) (leave func(), err error) {
	select {
	case g.line <- struct{}{}:
	default:
		return nil, errBusy
	}
	g.waiting.Inc()
	defer g.waiting.Dec()
	select {
	case g.slots <- struct{}{}:
		return func() { <-g.slots; <-g.line }, nil
	case <-ctx.Done():
		<-g.line
		return nil, ctx.Err()
	}
}
