package web

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
	"time"

	"github.com/tickstock/tickstream/health"
)

//go:embed page.html
var pageSource string

// Handler serves / (a page), /health (the latest event), /healthz (whether the
// monitor's loops come round) and /readyz (whether an event went out).
func (s *Server) Handler() http.Handler {
	page := template.Must(template.New("page").Parse(pageSource))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { s.servePage(w, page) })
	mux.HandleFunc("GET /health", s.serveEvent)
	mux.HandleFunc("GET /healthz", s.serveAlive)
	mux.HandleFunc("GET /readyz", s.serveReady)
	return secure(mux)
}

// secure sets what keeps a page from being framed, sniffed or scripted.
func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// view is what the page shows.
type view struct {
	health.Snapshot
	Now    time.Time
	Uptime time.Duration
	Alive  bool
}

func (s *Server) servePage(w http.ResponseWriter, page *template.Template) {
	snapshot := s.snapshot()
	var body bytes.Buffer
	err := page.Execute(&body, view{
		Snapshot: snapshot, Now: s.now().UTC(), Alive: s.alive(snapshot),
		Uptime: time.Duration(snapshot.Event.Health.UptimeSeconds) * time.Second,
	})
	if err != nil {
		s.log.Error("make the status page", "err", err)
		http.Error(w, "the page could not be made; see the log", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	s.write(w, body.Bytes())
}

func (s *Server) serveEvent(w http.ResponseWriter, _ *http.Request) {
	payload := s.snapshot().Payload
	if payload == nil {
		http.Error(w, "no health event was made yet", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	s.write(w, payload)
}

func (s *Server) serveAlive(w http.ResponseWriter, _ *http.Request) {
	snapshot := s.snapshot()
	if !s.alive(snapshot) {
		http.Error(w, fmt.Sprintf("the health loop last came round at %v", snapshot.Beat.UTC()), http.StatusServiceUnavailable)
		return
	}
	s.write(w, []byte("ok\n"))
}

func (s *Server) serveReady(w http.ResponseWriter, _ *http.Request) {
	if !s.snapshot().Published {
		http.Error(w, "no health event has gone out yet", http.StatusServiceUnavailable)
		return
	}
	s.write(w, []byte("ready\n"))
}

func (s *Server) alive(snapshot health.Snapshot) bool {
	return !snapshot.Beat.IsZero() && s.now().Sub(snapshot.Beat) < staleBeats*snapshot.Interval
}

// write answers; a client that has gone away is nobody's fault.
func (s *Server) write(w http.ResponseWriter, body []byte) {
	if _, err := w.Write(body); err != nil {
		s.log.Debug("answer not taken", "err", err)
	}
}
