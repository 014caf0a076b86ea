package health_test

import (
	"context"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tickstock/tickstream/health"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/event/schema"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

// book keeps log lines.
type book struct {
	mu    sync.Mutex
	lines []slog.Record
}

func (b *book) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }
func (b *book) WithAttrs([]slog.Attr) slog.Handler               { return b }
func (b *book) WithGroup(string) slog.Handler                    { return b }

func (b *book) Handle(_ context.Context, r slog.Record) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = append(b.lines, r)
	return nil
}

// find returns the lines whose message matches.
func (b *book) find(pattern string) []slog.Record {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []slog.Record
	for _, r := range b.lines {
		if regexp.MustCompile(pattern).MatchString(r.Message) {
			out = append(out, r)
		}
	}
	return out
}

func TestLogLinesThatOperatorsSearchFor(t *testing.T) {
	r := newRig(t)
	ears := r.ears()
	log := &book{}
	n := r.start(r.link(), setup{log: slog.New(log)})
	for _, e := range ears {
		e.waitStatus(event.StatusHealthy)
	}
	id := n.monitor.Snapshot().Session.SessionID
	n.stop()
	for _, pattern := range []string{
		`^StreamingHealthMonitor initialized for session ` + id[:8] + `$`,
		`^STREAMING-HEALTH: Health publishing loop started, publishing every 5 seconds$`,
		`^STREAMING-HEALTH: Published health update - Status: healthy, Active Symbols: 60, TPS: 15\.2$`,
		`^STREAMING-HEALTH: Published health update - Status: stopping, Active Symbols: 60, TPS: 15\.2$`,
		`^STREAMING: Published session_started event$`,
	} {
		found := log.find(pattern)
		if len(found) == 0 || found[0].NumAttrs() != 0 || found[0].Level != slog.LevelInfo {
			t.Errorf("%d lines match %s, want one at info without attributes", len(found), pattern)
		}
	}
	if lines := log.find("session_started"); len(lines) != 1 {
		t.Errorf("%d lines for the announcement of one session on two buses", len(lines))
	}
	// Each event counts once, however many buses took it. The last one may still
	// be on its way to who listens.
	testbed.Eventually(t, patience, "a line for each event", func(context.Context) bool {
		made := map[string]bool{}
		for _, e := range ears {
			for _, s := range e.all(schema.Health) {
				made[string(s.payload)] = true
			}
		}
		return len(log.find("Published health update")) == len(made)
	})
}

func TestLogSaysWhenNoBusTookTheEvent(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	log := &book{}
	l := r.link()
	n := r.start(l, setup{log: slog.New(log), cfg: health.Config{Interval: time.Second}})
	testbed.Eventually(t, patience, "the first event", func(context.Context) bool { return n.monitor.Snapshot().Published })
	l.nats.Cut()
	l.redis.Cut()
	testbed.Eventually(t, patience, "the warnings", func(context.Context) bool { return len(log.find("No bus took the health update")) >= 2 })
	told := len(log.find("Published health update"))
	warned := len(log.find("No bus took the health update"))
	testbed.Eventually(t, patience, "another warning", func(context.Context) bool { return len(log.find("No bus took the health update")) > warned })
	if now := len(log.find("Published health update")); now != told {
		t.Error("an event that went nowhere was logged as published")
	}
	l.nats.Restore()
	l.redis.Restore()
	testbed.Eventually(t, patience, "both buses again", func(context.Context) bool { return len(log.find("again$")) == 2 })
	for _, bus := range []string{"NATS", "Redis"} {
		downs := log.find("do not go out on " + bus)
		if len(downs) != 1 || !strings.Contains(attrs(downs[0]), "err=") {
			t.Errorf("%s: %d lines say that it is away, want one with its error", bus, len(downs))
		}
	}
}

func attrs(r slog.Record) string {
	var out strings.Builder
	r.Attrs(func(a slog.Attr) bool { out.WriteString(a.String() + " "); return true })
	return out.String()
}
