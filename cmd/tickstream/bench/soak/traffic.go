package soak

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/tickstock/tickstream/cmd/tickstream/feed"
)

const (
	// quantum is how often what is due is published.
	quantum = 5 * time.Millisecond
	// maxBehind is how far the load may fall behind before it gives way.
	maxBehind = time.Second
	// tooLateEvery is one tick in so many that is older than bars are corrected.
	tooLateEvery = 20_000
	tooLateBy    = 2 * time.Hour
	historyRate  = 40_000 // ticks in all
	historyBatch = 200
)

// numberMark begins a tick's own number, at the end of its payload.
var numberMark = []byte(`, "n": `)

// traffic publishes numbered ticks and enters each into the ledger.
type traffic struct {
	cfg       Config
	channel   string
	client    *redis.Client
	generator *feed.Generator
	ledger    *ledger
	log       *slog.Logger
	number    uint32
	made      int
	latest    map[string]feed.Tick // by symbol, with its number
}

func newTraffic(cfg Config, channel string, client *redis.Client, book *ledger, log *slog.Logger) (*traffic, error) {
	generator, err := feed.NewGenerator(feed.Config{
		Symbols: cfg.Symbols, Rate: cfg.Rate, Seed: cfg.Seed,
		Malformed: 0.002, Late: 0.002, LateBy: 2 * time.Minute, Duplicate: 0.02, OutOfOrder: 0.02,
	})
	if err != nil {
		return nil, fmt.Errorf("make the load: %w", err)
	}
	return &traffic{cfg: cfg, channel: channel, client: client, generator: generator, ledger: book, log: log, latest: map[string]feed.Tick{}}, nil
}

// numbered is a payload to be published.
type numbered struct {
	feed.Tick
	number uint32
}

// next makes a tick and gives it a number of its own; a duplicate has that of
// the tick whose bytes it repeats.
func (t *traffic) next(at time.Time) numbered {
	t.made++
	if t.made%tooLateEvery == 0 {
		at = at.Add(-tooLateBy)
	}
	made := t.generator.Next(at)
	if made.Kind == feed.Malformed {
		return numbered{made, 0}
	}
	if made.Kind == feed.Duplicate {
		latest := t.latest[made.Symbol]
		number, _ := numberOf(latest.Payload)
		return numbered{latest, number}
	}
	t.number++
	payload := append(bytes.TrimSuffix(bytes.Clone(made.Payload), []byte("}")), numberMark...)
	made.Payload = append(strconv.AppendUint(payload, uint64(t.number), 10), '}')
	if made.Kind == feed.Regular {
		t.latest[made.Symbol] = made
	}
	return numbered{made, t.number}
}

// numberOf reads a tick's own number.
func numberOf(payload []byte) (uint32, bool) {
	i := bytes.LastIndex(payload, numberMark)
	if i < 0 || payload[len(payload)-1] != '}' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(payload[i+len(numberMark):len(payload)-1]), 10, 32)
	return uint32(n), err == nil
}

// past publishes the ticks of the time before now.
func (t *traffic) past(ctx context.Context, now time.Time) {
	var batch []numbered
	for i := range historyRate {
		batch = append(batch, t.next(now.Add(-history+history*time.Duration(i)/historyRate)))
		if len(batch) == historyBatch {
			t.publish(ctx, batch)
			batch = batch[:0]
			pause(ctx, 2*time.Millisecond)
		}
	}
	t.publish(ctx, batch)
}

// run publishes at the rate until ctx ends. What was due while Redis took
// nothing is not made up for beyond a second.
func (t *traffic) run(ctx context.Context) {
	began, made := time.Now(), 0
	var batch []numbered
	for ctx.Err() == nil {
		now := time.Now()
		due := int(now.Sub(began).Seconds() * t.cfg.Rate)
		if behind := time.Duration(float64(due-made) / t.cfg.Rate * float64(time.Second)); behind > maxBehind {
			began, made, due = now, 0, 0
		}
		for ; made < due; made++ {
			batch = append(batch, t.next(now))
		}
		t.publish(ctx, batch)
		batch = batch[:0]
		pause(ctx, quantum-time.Since(now))
	}
}

// publish publishes a batch and enters each of its ticks.
func (t *traffic) publish(ctx context.Context, batch []numbered) {
	if len(batch) == 0 {
		return
	}
	replies, err := t.client.Pipelined(context.WithoutCancel(ctx), func(pipe redis.Pipeliner) error {
		for _, tick := range batch {
			pipe.Publish(ctx, t.channel, tick.Payload)
		}
		return nil
	})
	for i, tick := range batch {
		h := unknown
		if i < len(replies) {
			if reply, ok := replies[i].(*redis.IntCmd); ok && reply.Err() == nil {
				if h = heard; reply.Val() == 0 {
					h = unheard
				}
			}
		}
		t.ledger.enter(tick.Symbol, tick.number, tick.Payload, h)
	}
	if err != nil {
		t.log.Debug("ticks not published", "ticks", len(batch), "err", err)
		pause(ctx, 50*time.Millisecond)
	}
}

// pause waits, unless ctx ends before.
func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
