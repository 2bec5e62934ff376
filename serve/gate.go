package serve

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// errBusy says that a gate's queue is full, or that a turn did not come in time.
var errBusy = errors.New("the queue is full")

// errStopping is why a request is not answered that waits, or is decoded, when the server is stopped.
var errStopping = errors.New("the server is being stopped")

// gate lets so many through at once, and so many wait.
type gate struct {
	slots, line chan struct{}
	waiting     prometheus.Gauge
	patience    time.Duration   // for which one waits
	stopping    <-chan struct{} // closed when nobody is to wait any more
}

func newGate(slots, queue int, waiting prometheus.Gauge, patience time.Duration, stopping <-chan struct{}) *gate {
	return &gate{make(chan struct{}, slots), make(chan struct{}, slots+queue), waiting, patience, stopping}
}

// enter waits for a slot, which leave gives back. The error is errBusy, errStopping or that of ctx. It is errBusy,
// too, after the gate's patience, so that there is an answer while the connection still takes one.
func (g *gate) enter(ctx context.Context) (leave func(), err error) {
	select {
	case g.line <- struct{}{}:
	default:
		return nil, errBusy
	}
	leave = func() { <-g.slots; <-g.line }
	select {
	case g.slots <- struct{}{}:
		return leave, nil
	default:
	}
	g.waiting.Inc()
	defer g.waiting.Dec()
	enough := time.NewTimer(g.patience)
	defer enough.Stop()
	select {
	case g.slots <- struct{}{}:
		return leave, nil
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-g.stopping:
		err = errStopping
	case <-enough.C:
		err = errBusy
	}
	<-g.line
	return nil, err
}
