package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// sessions knows which session ran when, from the session events in HEALTH.
type sessions struct {
	js jetstream.JetStream

	mu   sync.RWMutex
	runs []run // by start
}

// run is one session's stretch of time.
type run struct {
	id             string
	started, ended time.Time // ended is zero while it runs
}

// at is the id of the session that ran at t; empty if none did.
func (s *sessions) at(t time.Time) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, r := range slices.Backward(s.runs) {
		if !r.started.After(t) {
			if r.ended.IsZero() || !r.ended.Before(t) {
				return r.id
			}
			return ""
		}
	}
	return ""
}

// follow takes the events in until ctx ends, past ones first. It returns the
// error that ended one life of the subscription.
func (s *sessions) follow(ctx context.Context) error {
	consumer, err := s.js.OrderedConsumer(ctx, stream.Health, jetstream.OrderedConsumerConfig{
		NamePrefix: stream.ReaderName("sessions"), FilterSubjects: []string{stream.SessionStarted, stream.SessionStopped},
	})
	if err != nil {
		return fmt.Errorf("follow sessions: %w", err)
	}
	messages, err := consumer.Messages()
	if err != nil {
		return fmt.Errorf("follow sessions: %w", err)
	}
	defer messages.Stop()
	for {
		msg, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return fmt.Errorf("follow sessions: %w", err)
		}
		s.take(msg.Subject(), msg.Data())
	}
}

// take learns from one event; one that cannot be read says nothing.
func (s *sessions) take(subject string, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch subject {
	case stream.SessionStarted:
		var e event.SessionStarted
		if json.Unmarshal(data, &e) != nil || e.Session.SessionID == "" {
			return
		}
		id, started := e.Session.SessionID, e.Session.StartedAt.Time
		if slices.ContainsFunc(s.runs, func(r run) bool { return r.id == id }) {
			return // announced again
		}
		i, _ := slices.BinarySearchFunc(s.runs, started, func(r run, t time.Time) int { return r.started.Compare(t) })
		s.runs = slices.Insert(s.runs, i, run{id: id, started: started})
	case stream.SessionStopped:
		var e event.SessionStopped
		if json.Unmarshal(data, &e) != nil {
			return
		}
		for i := range s.runs {
			if s.runs[i].id == e.Session.SessionID {
				s.runs[i].ended = e.Session.StoppedAt.Time
			}
		}
	}
}
