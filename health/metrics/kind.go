package metrics

import "github.com/prometheus/client_golang/prometheus"

// kind is one name that is exported.
type kind struct {
	desc  *prometheus.Desc
	value prometheus.ValueType
}

func gauge(name, help string, labels ...string) kind {
	return kind{prometheus.NewDesc("tickstream_"+name, help, labels, nil), prometheus.GaugeValue}
}

func counter(name, help string, labels ...string) kind {
	return kind{prometheus.NewDesc("tickstream_"+name+"_total", help, labels, nil), prometheus.CounterValue}
}

// sink takes what is exported at one moment.
type sink chan<- prometheus.Metric

// send exports one value.
func (k kind) send(s sink, value float64, labels ...string) {
	s <- prometheus.MustNewConstMetric(k.desc, k.value, value, labels...)
}

// number is what is counted or measured.
type number interface {
	~int | ~int64 | ~uint64 | ~float64
}

// sendEach exports a value for each key.
func sendEach[N number](s sink, k kind, values map[string]N) {
	for label, value := range values {
		k.send(s, float64(value), label)
	}
}

func flag(on bool) float64 {
	if on {
		return 1
	}
	return 0
}

// collect is a collector that asks send at each scrape. It describes nothing
// beforehand, because what there is depends on the process's parts.
type collect func(sink)

var _ prometheus.Collector = collect(nil)

// Describe is [prometheus.Collector]'s.
func (collect) Describe(chan<- *prometheus.Desc) {}

// Collect is [prometheus.Collector]'s.
func (c collect) Collect(ch chan<- prometheus.Metric) { c(ch) }

var (
	buildInfo      = gauge("build_info", "What this process was built from.", "version", "commit")
	natsConnected  = gauge("nats_connected", "Whether this process is connected to NATS.")
	natsReconnects = counter("nats_reconnects", "How often the connection to NATS was made again.")
)
