package web

import (
	"fmt"
	"log/slog"
	"net/http"
	"time"
)

// stuckAfter is how many intervals a loop may take before the process counts
// as hung.
const stuckAfter = 3

type handler struct {
	source Source
	log    *slog.Logger
}

// newHandler serves the probes, and the page, which guards itself, at all other
// paths.
func newHandler(source Source, page http.Handler, log *slog.Logger) http.Handler {
	h := &handler{source: source, log: log}
	mux := http.NewServeMux()
	mux.Handle("/", page)
	mux.Handle("/health", guard(http.HandlerFunc(h.serveEvent)))
	mux.Handle("/healthz", guard(http.HandlerFunc(h.serveLive)))
	mux.Handle("/readyz", guard(http.HandlerFunc(h.serveReady)))
	return mux
}

// guard lets only reading through.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "this only shows: use GET", http.StatusMethodNotAllowed)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// serveEvent serves the latest health event, as it goes out on the buses.
func (h *handler) serveEvent(w http.ResponseWriter, _ *http.Request) {
	payload := h.source.Snapshot().Payload
	if payload == nil {
		http.Error(w, "there has been no health event yet", http.StatusServiceUnavailable)
		return
	}
	h.write(w, "application/json", payload)
}

// serveLive tells whether the monitor's loops come round.
func (h *handler) serveLive(w http.ResponseWriter, _ *http.Request) {
	s := h.source.Snapshot()
	age := time.Since(s.Beat)
	switch {
	case s.Beat.IsZero():
		http.Error(w, "the health monitor is not running", http.StatusServiceUnavailable)
	case age > stuckAfter*s.Interval:
		http.Error(w, fmt.Sprintf("a loop of the health monitor has not come round for %s", age.Round(time.Second)), http.StatusServiceUnavailable)
	default:
		h.write(w, "text/plain; charset=utf-8", []byte("ok\n"))
	}
}

// serveReady tells whether a bus has taken a health event of this process.
func (h *handler) serveReady(w http.ResponseWriter, _ *http.Request) {
	if !h.source.Snapshot().Published {
		http.Error(w, "no bus has taken a health event of this process yet: it stands by, or both buses are away", http.StatusServiceUnavailable)
		return
	}
	h.write(w, "text/plain; charset=utf-8", []byte("ok\n"))
}

func (h *handler) write(w http.ResponseWriter, kind string, body []byte) {
	w.Header().Set("Content-Type", kind)
	if _, err := w.Write(body); err != nil {
		h.log.Debug("HTTP answer not taken", "err", err)
	}
}
