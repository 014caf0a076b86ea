package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/tickstock/tickstream/health/session"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/urfave/cli/v3"
)

// silence is how long Redis may say nothing before it is asked whether it is
// still there.
const silence = 15 * time.Second

func watchRedis(ctx context.Context, cmd *cli.Command, kinds []watchKind, out *printer) error {
	client, err := connectRedis(redisConfigOf(cmd), "watch")
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }() // it was only read from
	l := &listener{client: client, channels: channelsOf(cmd), kinds: kinds, out: out, log: logger(cmd)}
	return l.run(ctx)
}

// listener prints AppV2's channels.
type listener struct {
	client   redis.UniversalClient
	channels event.Channels
	kinds    []watchKind
	out      *printer
	log      *slog.Logger
	greeted  bool   // the session was printed
	session  string // the last session event that was printed: its type and id
	health   string // the last health event
}

// run listens until ctx ends; only a failure to print ends it earlier.
func (l *listener) run(ctx context.Context) error {
	pubsub := l.client.Subscribe(ctx, watchedChannels(l.kinds, l.channels)...)
	defer func() { _ = pubsub.Close() }() // closing twice is an error of no meaning
	// Receive does not end with a context.
	defer context.AfterFunc(ctx, func() { _ = pubsub.Close() })()
	for failures := 0; ctx.Err() == nil; {
		received, err := pubsub.ReceiveTimeout(ctx, silence)
		if quiet := net.Error(nil); errors.As(err, &quiet) && quiet.Timeout() {
			err = pubsub.Ping(ctx)
		}
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			if failures++; failures == 1 {
				l.log.Warn("Redis is away, trying on", "err", err)
			}
			if !sleep(ctx, backoff(failures)) {
				return nil
			}
			continue
		}
		if err := l.take(ctx, received); err != nil {
			return err
		}
		if received != nil {
			if failures > 0 {
				l.log.Info("Redis is back")
			}
			failures = 0
		}
	}
	return nil
}

func (l *listener) take(ctx context.Context, received any) error {
	switch m := received.(type) {
	case *redis.Message:
		if l.repeated(m.Payload) {
			return nil
		}
		return l.out.printMessage(nil, time.Now(), []byte(m.Payload))
	case *redis.Subscription:
		if !l.greeted && watches(l.kinds, "session") {
			l.greeted = true
			return l.greet(ctx)
		}
	}
	return nil
}

// greet prints the session that Redis keeps, which pub/sub would not repeat.
func (l *listener) greet(ctx context.Context) error {
	value, err := l.client.GetRange(ctx, l.channels.SessionKey, 0, session.MaxRecord).Bytes()
	if err == nil && len(value) == 0 {
		return nil // there is none
	}
	if err != nil {
		l.log.Warn("the current session cannot be read", "err", err)
		return nil
	}
	started, err := sessionEvent(value)
	if err != nil {
		l.log.Warn("the current session cannot be read", "err", err)
		return nil
	}
	l.repeated(string(started)) // remembers it
	return l.out.print(started)
}

// repeated is whether payload says again what was printed: health tells of the
// session and of itself once more to each new subscriber, such as this one.
func (l *listener) repeated(payload string) bool {
	var e struct {
		Type    string `json:"type"`
		Session struct {
			ID string `json:"session_id"`
		} `json:"session"`
	}
	if json.Unmarshal([]byte(payload), &e) != nil {
		return false
	}
	told, last := payload, &l.health
	switch e.Type {
	case "streaming_health":
	case "streaming_session_started", "streaming_session_stopped":
		told, last = e.Type+" "+e.Session.ID, &l.session
	default:
		return false
	}
	again := told == *last
	*last = told
	return again
}

// sessionEvent makes the event of a stored session: its start while it runs,
// else its end.
func sessionEvent(value []byte) ([]byte, error) {
	record, err := session.DecodeRecord(value)
	if err != nil {
		return nil, fmt.Errorf("read session: %w", err)
	}
	if record.End != nil {
		return json.Marshal(event.NewSessionStopped(*record.End, record.End.StoppedAt.Time))
	}
	return json.Marshal(event.NewSessionStarted(record.Session, record.UpdatedAt.Time))
}

// sleep waits for d and reports whether ctx is still alive.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
