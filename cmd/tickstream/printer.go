package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/tickstock/tickstream/pipeline/event"
)

// printer writes events, one a line: for people, or as JSON. Several goroutines
// may use it.
type printer struct {
	mu    sync.Mutex
	w     io.Writer
	json  bool
	paint painter
}

func newPrinter(w io.Writer, asJSON bool) *printer {
	return &printer{w: w, json: asJSON, paint: painter{coloured(w)}}
}

// print writes the event that payload holds. What it does not know it writes as
// it is.
func (p *printer) print(payload []byte) error {
	line := ""
	if !p.json {
		line = p.human(payload)
	}
	if line == "" {
		var compact bytes.Buffer
		if json.Compact(&compact, payload) == nil {
			payload = compact.Bytes()
		}
		line = string(payload)
	}
	return p.write(line)
}

// printMessage writes what came at that moment: a reject by its headers, all
// else as print does.
func (p *printer) printMessage(headers nats.Header, at time.Time, payload []byte) error {
	if headers.Get(event.HeaderRejectReason) != "" {
		return p.write(p.reject(headers, at, payload))
	}
	if !p.json {
		if line := p.tick(at, payload); line != "" {
			return p.write(line)
		}
	}
	return p.print(payload)
}

func (p *printer) write(line string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := fmt.Fprintln(p.w, line); err != nil {
		return fmt.Errorf("print event: %w", err)
	}
	return nil
}

// human is the line for people, empty for an unknown event.
func (p *printer) human(payload []byte) string {
	var head struct {
		Type      string     `json:"type"`
		Timestamp event.Time `json:"timestamp"`
	}
	if json.Unmarshal(payload, &head) != nil {
		return ""
	}
	var text string
	switch head.Type {
	case "streaming_health":
		text = decoded(payload, p.health)
	case "streaming_session_started":
		text = decoded(payload, p.started)
	case "streaming_session_stopped":
		text = decoded(payload, p.stopped)
	case "subscription_gap":
		text = decoded(payload, p.gap)
	case "critical_alert":
		text = decoded(payload, p.alert)
	default:
		return p.market(payload)
	}
	if text == "" {
		return ""
	}
	return p.paint.paint(grey, head.Timestamp.Format("2006-01-02T15:04:05Z")) + " " + text
}

// decoded formats what payload holds, and is empty if it does not hold a T.
func decoded[T any](payload []byte, format func(T) string) string {
	var value T
	if json.Unmarshal(payload, &value) != nil {
		return ""
	}
	return format(value)
}

func (p *printer) health(e event.StreamingHealth) string {
	h := e.Health
	colour := red
	switch h.Status {
	case event.StatusHealthy:
		colour = green
	case event.StatusStarting, event.StatusDegraded, event.StatusStopping, "warning": // said to older pages
		colour = yellow
	}
	line := p.paint.paint(colour, fmt.Sprintf("%-8s", h.Status)) +
		fmt.Sprintf("  %d symbols  %.1f tps  lag %.0f ms", h.ActiveSymbols, h.TicksPerSecond, h.DataFlow.ProcessingLagMs)
	if h.StaleSymbols.Count > 0 {
		line += fmt.Sprintf("  %d stale", h.StaleSymbols.Count)
	}
	if h.ErrorsCount > 0 {
		line += fmt.Sprintf("  %d errors", h.ErrorsCount)
	}
	if len(h.Issues) > 0 {
		line += "  " + p.paint.paint(colour, strings.Join(h.Issues, "; "))
	}
	return line
}

func (p *printer) started(e event.SessionStarted) string {
	s := e.Session
	return fmt.Sprintf("%s  %s  %s  %d symbols  %s  since %s", p.paint.paint(green, "session started"),
		s.SessionID, s.Universe, s.SymbolCount, s.TriggerType, s.StartedAt.Format("2006-01-02T15:04:05Z"))
}

func (p *printer) stopped(e event.SessionStopped) string {
	s := e.Session
	return fmt.Sprintf("%s  %s  %s after %d s  %d patterns  %d indicators", p.paint.paint(yellow, "session stopped"),
		s.SessionID, s.FinalStatus, s.DurationSeconds, s.TotalPatterns, s.TotalIndicators)
}

func (p *printer) gap(g event.Gap) string {
	return fmt.Sprintf("%s  %.1f s not subscribed to %s (%s)", p.paint.paint(red, "gap     "), g.DurationSeconds, g.Channel, g.Reason)
}

// alert is one of the system itself.
type alert struct {
	Severity  string `json:"severity"`
	Message   string `json:"message"`
	Component string `json:"component"`
}

func (p *printer) alert(a alert) string {
	words := p.severity(a.Severity)
	for _, word := range []string{a.Component, a.Message} {
		if word != "" {
			words += "  " + word
		}
	}
	return words
}

func (p *printer) severity(severity string) string {
	colour := yellow
	if severity == "critical" || severity == "error" {
		colour = red
	}
	return p.paint.paint(colour, strings.TrimSpace("alert "+severity))
}
