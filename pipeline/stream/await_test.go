package stream_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

func TestAwaitOutlastsAnOutage(t *testing.T) {
	n := testbed.StartNATS(t)
	js := n.JetStream()
	n.Stop()
	done := make(chan error, 1)
	go func() {
		_, err := stream.Await(t.Context(), js, stream.Config{}, slog.New(slog.DiscardHandler))
		done <- err
	}()
	n.Start()
	if err := <-done; err != nil {
		t.Fatalf("Await = %v", err)
	}
	if findings, err := stream.Verify(t.Context(), js, stream.Config{}); err != nil || len(findings) > 0 {
		t.Errorf("after Await: %v, %v", findings, err)
	}
}

func TestAwaitReturnsWhatWaitingCannotMend(t *testing.T) {
	js := testbed.StartNATS(t).JetStream()
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: stream.Ticks, Subjects: []string{"other"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Await(t.Context(), js, stream.Config{}, slog.New(slog.DiscardHandler)); !errors.Is(err, stream.ErrConflict) {
		t.Errorf("Await = %v, want the conflict", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := stream.Await(ctx, js, stream.Config{Replicas: 2}, slog.New(slog.DiscardHandler)); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("Await = %v, want the bad setting named", err)
	}
}

// server is a JetStream that makes of a stream what change makes of it, or
// refuses to.
type server struct {
	jetstream.JetStream
	change func(*jetstream.StreamConfig) error
}

func (s *server) CreateStream(ctx context.Context, cfg jetstream.StreamConfig) (jetstream.Stream, error) {
	if err := s.change(&cfg); err != nil {
		return nil, err
	}
	return s.JetStream.CreateStream(ctx, cfg) //nolint:wrapcheck // as the real one
}

func TestAwaitTellsWhatMayPassFromWhatLasts(t *testing.T) {
	for code, lasts := range map[jetstream.ErrorCode]bool{
		10005: false, 10002: false, 10202: false, 10124: false, 10226: false, 10008: false,
		10052: true, 10113: true, 10065: true, 10025: true,
	} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			asked := 0
			js := &server{testbed.StartNATS(t).JetStream(), func(*jetstream.StreamConfig) error {
				if asked++; asked > 2 {
					return nil
				}
				return &jetstream.APIError{Code: http.StatusBadRequest, ErrorCode: code, Description: "no"}
			}}
			_, err := stream.Await(t.Context(), js, stream.Config{}, slog.New(slog.DiscardHandler))
			if lasts != (err != nil) || lasts != (asked == 1) {
				t.Errorf("Await = %v after %d questions; lasting is %v", err, asked, lasts)
			}
		})
	}
}

// Two roles that make the same stream at once are counted twice for a moment,
// but a store that is too small is too small a little later as well.
func TestAwaitAsksAgainWhereRoomIsShort(t *testing.T) {
	for name, refusals := range map[string]int{"for a moment": 2, "for good": 1000} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			js := &server{testbed.StartNATS(t).JetStream(), func(*jetstream.StreamConfig) error {
				if asked++; asked > refusals {
					return nil
				}
				return &jetstream.APIError{Code: http.StatusInternalServerError, ErrorCode: 10047, Description: "insufficient storage resources available"}
			}}
			_, err := stream.Await(t.Context(), js, stream.Config{}, slog.New(slog.DiscardHandler))
			if lasts := asked <= refusals; lasts != (err != nil) {
				t.Errorf("Await = %v after %d questions", err, asked)
			}
			if err != nil && !strings.Contains(err.Error(), "file storage") {
				t.Errorf("Await = %v, want the mend named", err)
			}
		})
	}
}

// A server ignores what it does not know, or refuses it where it is strict.
func TestAServerThatIsTooOldIsNamed(t *testing.T) {
	for name, change := range map[string]func(*jetstream.StreamConfig) error{
		"ignores batches": func(cfg *jetstream.StreamConfig) error { cfg.AllowBatchPublish = false; return nil },
		"ignores atomic":  func(cfg *jetstream.StreamConfig) error { cfg.AllowAtomicPublish = false; return nil },
		"ignores the transform": func(cfg *jetstream.StreamConfig) error {
			cfg.SubjectTransform = nil
			return nil
		},
		"is strict": func(*jetstream.StreamConfig) error {
			return &jetstream.APIError{Code: http.StatusBadRequest, ErrorCode: 10025, Description: "invalid JSON: unknown field"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			js := &server{testbed.StartNATS(t).JetStream(), change}
			_, err := stream.Await(t.Context(), js, stream.Config{}, slog.New(slog.DiscardHandler))
			if !errors.Is(err, stream.ErrServerTooOld) || !strings.Contains(err.Error(), "needs nats-server 2.14 or later") {
				t.Errorf("Await = %v", err)
			}
			// The upgraded server must not find what the old one made of it.
			ensure(t, js.JetStream, stream.Config{})
		})
	}
}
