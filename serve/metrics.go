package serve

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// metrics are what /metrics reports, beside Go's own and the process's.
type metrics struct {
	registry *prometheus.Registry
	search   *prometheus.HistogramVec
	embed    prometheus.Histogram
	queue    *prometheus.GaugeVec
	requests *prometheus.CounterVec

	connections prometheus.Gauge
	evicted     prometheus.Counter
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		search: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "annbench_search_seconds", Help: "Time of one search in an index.",
			Buckets: prometheus.ExponentialBuckets(25e-6, 2, 14), // to 0.2 s
		}, []string{"family", "index"}),
		embed: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "annbench_embed_seconds", Help: "Time to decode and embed one picture, without waiting.",
			Buckets: prometheus.ExponentialBuckets(1e-3, 2, 13),
		}),
		queue: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "annbench_waiting", Help: "Requests that wait for their turn.",
		}, []string{"for"}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "annbench_requests_total", Help: "Requests answered, by status.",
		}, []string{"status"}),
		connections: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "annbench_connections", Help: "Connections that are open.",
		}),
		evicted: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "annbench_connections_evicted_total", Help: "Connections without a request that were closed to make room for others.",
		}),
	}
	m.registry.MustRegister(m.search, m.embed, m.queue, m.requests, m.connections, m.evicted,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}
