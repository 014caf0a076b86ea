package dashboard_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tickstock/tickstream/health/dashboard"
	"github.com/tickstock/tickstream/health/observe"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

func TestPageFollowsTheMonitor(t *testing.T) {
	b := newBed(t, dashboard.Config{}, nil)
	p := b.open("")
	p.next("a page that begins", has(`"anew":true`), "hello")
	p.next("before the first event", has(`"status":"starting"`, `"event_at":0`), "state")

	now := time.Now()
	b.source.put(told(event.StatusHealthy, now))
	p.next("the first event", has(`"status":"healthy"`, `"tone":"good"`, `"active":60`, `"ticks":60.5`), "state")
	p.next("its point", has(`"status":"healthy"`, `"active":60`), "points")

	sick := told(event.StatusError, now.Add(time.Second))
	sick.Issues = []observe.Issue{{Code: observe.CodePipelineMissing, Severity: observe.SeverityError, Component: "pipeline", Sentence: "pipeline is <b>missing</b>", Mend: "start it"}}
	b.source.put(sick)
	var state struct {
		Issues []struct{ Sentence, Mend, Hop string }
		Hops   []struct{ ID, Tone string }
	}
	p.next("the error", has(`"status":"error"`), "state").read(t, &state)
	if len(state.Issues) != 1 || state.Issues[0].Sentence != "pipeline is <b>missing</b>" || state.Issues[0].Mend != "start it" || state.Issues[0].Hop != "pipeline" {
		t.Errorf("issues are %+v", state.Issues)
	}
	for _, h := range state.Hops {
		if (h.Tone == "bad") != (h.ID == "pipeline") {
			t.Errorf("hop %s is %s", h.ID, h.Tone)
		}
	}
	p.next("word every second though nothing changes", has(`"status":"error"`), "state")
}

func TestPageThatComesAgainGetsWhatItMissed(t *testing.T) {
	b := newBed(t, dashboard.Config{}, nil)
	now := time.Now()
	b.source.put(told(event.StatusHealthy, now))
	p := b.open("")
	p.next("a point", has(`"at":`+millis(now)), "points")
	p.next("its number", func(s sent) bool { return s.id != "" }, "state", "points", "stock", "replay")
	seen := p.lastID
	p.cancel()

	later := now.Add(5 * time.Second)
	b.source.put(told(event.StatusDegraded, later))
	again := b.open(seen)
	again.next("a page that goes on", has(`"anew":false`), "hello")
	if s := again.next("what it missed", nil, "points"); strings.Contains(s.data, millis(now)) || !strings.Contains(s.data, millis(later)) {
		t.Errorf("it got %s, and had %s", s.data, millis(now))
	}
	for _, id := range []string{"another-1", "nonsense", seen + "999"} {
		anew := b.open(id)
		anew.next("a page of another process begins anew: "+id, has(`"anew":true`), "hello")
		anew.next("with all there is", has(millis(now), millis(later)), "points")
	}
}

func TestHistoryComesFromJetStream(t *testing.T) {
	now := time.Now()
	b := newBed(t, dashboard.Config{}, func(b *bed, _ *dashboard.Deps) {
		b.publish(stream.HealthStatus, told(event.StatusHealthy, now.Add(-2*time.Minute)).Event)
		b.publish(stream.HealthStatus, told(event.StatusDegraded, now.Add(-time.Minute)).Event)
		b.publish(stream.HealthStatus, "no event")
		b.publish(stream.HealthAlert, event.NewCriticalAlert(event.SeverityError, "pipeline", "pipeline is missing", "start it", nil, now))
		key := event.BarKey{Symbol: "BRK.B", Timeframe: "1min", Start: event.At(now.Add(-time.Minute)), End: event.At(now)}
		b.publish(stream.SignalSubject(event.KindPattern, "Doji", "BRK.B"), event.Pattern{Pattern: "Doji", BarKey: key, Confidence: 0.85, Direction: "neutral"})
		b.publish(stream.SignalSubject(event.KindAlert, "RSI_OVERBOUGHT", "AAPL"), event.IndicatorAlert{Alert: "RSI_OVERBOUGHT", BarKey: event.BarKey{Symbol: "AAPL", Timeframe: "1min"}, Indicator: "RSI", Value: 71.5, Threshold: 70, Direction: "above"})
		b.publish(stream.SignalSubject(event.KindIndicator, "RSI", "AAPL"), event.Indicator{Indicator: "RSI"})
	})
	b.source.put(told(event.StatusHealthy, now))
	seen := map[string]bool{}
	p := b.open("")
	for want := map[string]bool{"degraded": true, "pipeline is missing": true, "Doji": true, "RSI overbought": true, millis(now): true}; len(seen) < len(want); {
		s := p.next("all of it", nil, "points", "entries")
		for text := range want {
			seen[text] = seen[text] || strings.Contains(s.data, text)
			if !seen[text] {
				delete(seen, text)
			}
		}
	}
	// A page that is opened now gets it in order, at once.
	late := b.open("")
	var points []struct{ At int64 }
	late.next("points", nil, "points").read(t, &points)
	if len(points) != 3 || points[0].At >= points[1].At || points[1].At >= points[2].At {
		t.Errorf("points are %+v", points)
	}
	var entries []struct{ Kind, Tone, Symbol, Title, Detail string }
	late.next("entries", nil, "entries").read(t, &entries)
	if len(entries) != 3 {
		t.Errorf("entries are %+v", entries)
	}
	b.publish(stream.SessionStarted, event.NewSessionStarted(event.Session{SessionID: "s", Universe: "u", SymbolCount: 60, TriggerType: event.TriggerManual}, now))
	late.next("what comes after", has("Session started", "u, 60 symbols, manual"), "entries")
}

func TestPagesAreBounded(t *testing.T) {
	b := newBed(t, dashboard.Config{MaxPages: 2}, nil)
	first := b.open("")
	first.next("the first page", nil, "state")
	b.open("").next("the second", nil, "state")
	if code, body := b.ask(http.MethodGet, "/api/events", ""); code != http.StatusServiceUnavailable || !strings.Contains(body, "2 pages") {
		t.Errorf("the third page: %d %s", code, body)
	}
	first.cancel()
	testbed.Eventually(t, patience, "room for another", func(ctx context.Context) bool {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, b.url+"/api/events", nil)
		if err != nil {
			return false
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
}

func TestPagesHearOfTheEnd(t *testing.T) {
	b := newBed(t, dashboard.Config{}, nil)
	b.source.put(told(event.StatusHealthy, time.Now()))
	p := b.open("")
	p.next("healthy", has(`"status":"healthy"`), "state")
	ended := make(chan struct{})
	go func() { defer close(ended); b.stop() }()
	b.source.put(told(event.StatusStopping, time.Now().Add(time.Millisecond)))
	p.next("the last word", has(`"status":"stopping"`), "state")
	<-ended
	for range p.events { // closed by the server, else this never ends
	}
}
