package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"time"
)

//go:embed page.html style.css
var files embed.FS

// stuckAfter is how many intervals a loop may take before the process counts
// as hung.
const stuckAfter = 3

type handler struct {
	source Source
	page   *template.Template
	style  []byte
	log    *slog.Logger
}

func newHandler(source Source, log *slog.Logger) (http.Handler, error) {
	page, err := template.ParseFS(files, "page.html")
	if err != nil {
		return nil, fmt.Errorf("parse page: %w", err)
	}
	style, err := files.ReadFile("style.css")
	if err != nil {
		return nil, fmt.Errorf("read style: %w", err)
	}
	h := &handler{source: source, page: page, style: style, log: log}
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", h.servePage)
	mux.HandleFunc("/style.css", h.serveStyle)
	mux.HandleFunc("/health", h.serveEvent)
	mux.HandleFunc("/healthz", h.serveLive)
	mux.HandleFunc("/readyz", h.serveReady)
	return guard(mux), nil
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

func (h *handler) servePage(w http.ResponseWriter, _ *http.Request) {
	var page bytes.Buffer
	if err := h.page.Execute(&page, newView(h.source.Snapshot(), time.Now())); err != nil {
		h.log.Error("health page cannot be made", "err", err)
		http.Error(w, "the page cannot be made; /health has the latest event", http.StatusInternalServerError)
		return
	}
	h.write(w, "text/html; charset=utf-8", page.Bytes())
}

func (h *handler) serveStyle(w http.ResponseWriter, _ *http.Request) {
	h.write(w, "text/css; charset=utf-8", h.style)
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
