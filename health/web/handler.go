package web

import (
	"context"
	"log/slog"
	"net/http"
	"time"
)

// probeTimeout is how long a probe may take to answer.
const probeTimeout = 2 * time.Second

type handler struct {
	content Content
	log     *slog.Logger
}

// newHandler serves what content has, and profiles.
func newHandler(content Content, log *slog.Logger) http.Handler {
	h := &handler{content: content, log: log}
	mux := http.NewServeMux()
	if content.Page != nil {
		mux.Handle("/", content.Page)
	}
	if content.Event != nil {
		mux.Handle("/health", guard(http.HandlerFunc(h.serveEvent)))
	}
	if content.Metrics != nil {
		mux.Handle("/metrics", guard(content.Metrics))
	}
	mux.Handle("/healthz", guard(h.probe(content.Live)))
	mux.Handle("/readyz", guard(h.probe(content.Ready)))
	mux.Handle(profilesPath, guard(profiles()))
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
	payload := h.content.Event()
	if payload == nil {
		http.Error(w, "there has been no health event yet", http.StatusServiceUnavailable)
		return
	}
	h.write(w, "application/json", payload)
}

// probe says ok, or what check finds wrong.
func (h *handler) probe(check func(context.Context) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if check != nil {
			ctx, cancel := context.WithTimeout(r.Context(), probeTimeout)
			defer cancel()
			if err := check(ctx); err != nil {
				http.Error(w, err.Error(), http.StatusServiceUnavailable)
				return
			}
		}
		h.write(w, "text/plain; charset=utf-8", []byte("ok\n"))
	})
}

func (h *handler) write(w http.ResponseWriter, kind string, body []byte) {
	w.Header().Set("Content-Type", kind)
	if _, err := w.Write(body); err != nil {
		h.log.Debug("HTTP answer not taken", "err", err)
	}
}
