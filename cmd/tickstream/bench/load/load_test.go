package load_test

import (
	"context"
	"encoding/json"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tickstock/tickstream/cmd/tickstream/bench/load"
	"github.com/tickstock/tickstream/pipeline/testbed"
	"github.com/tickstock/tickstream/pipeline/tick"
)

// What is published is a sound tick of AppV2's shape, numbered and in order.
func TestLoadPublishesNumberedTicks(t *testing.T) {
	const ticks, symbols = 2000, 7
	for _, mode := range []struct {
		name string
		rate float64
		lag  int64
	}{{"full speed", 0, 0}, {"even", 20_000, 0}, {"bounded", 0, 64}} {
		t.Run(mode.name, func(t *testing.T) {
			r := testbed.StartRedis(t)
			heard := r.Client().Subscribe(t.Context(), r.Channels.Ticks)
			defer heard.Close() //nolint:errcheck // the test is over
			if _, err := heard.Receive(t.Context()); err != nil {
				t.Fatal(err)
			}
			var received atomic.Int64
			cfg := load.Config{RedisURL: r.URL, Channel: r.Channels.Ticks, Symbols: symbols, Ticks: ticks, Rate: mode.rate, Backlog: mode.lag}
			if mode.lag > 0 {
				cfg.Stored = func(context.Context) (int64, error) { return received.Load(), nil }
			}
			type outcome struct {
				result load.Result
				err    error
			}
			done := make(chan outcome, 1)
			began := time.Now()
			go func() {
				result, err := load.Run(t.Context(), cfg)
				done <- outcome{result, err}
			}()
			decoder, err := tick.NewDecoder(tick.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			for want := range int64(ticks) {
				msg, err := heard.ReceiveMessage(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				number, sent, ok := load.Parse([]byte(msg.Payload))
				if !ok || number != want || sent.Before(began) || sent.After(time.Now()) {
					t.Fatalf("tick %d is %q: number %d, sent %v", want, msg.Payload, number, sent)
				}
				var decoded tick.Tick
				if err := decoder.Decode([]byte(msg.Payload), time.Now(), &decoded); err != nil || !json.Valid([]byte(msg.Payload)) {
					t.Fatalf("tick %q: %v", msg.Payload, err)
				}
				if string(decoded.Symbol) != load.Symbol(int(want)%symbols) || len(msg.Payload) > 135 || sent.Sub(time.Unix(0, decoded.UnixNanos)).Abs() > time.Millisecond {
					t.Fatalf("tick %d is %q", want, msg.Payload)
				}
				received.Store(want + 1)
			}
			got := <-done
			if got.err != nil || got.result.Ticks != ticks || got.result.Unheard != 0 {
				t.Errorf("Run = %+v, %v", got.result, got.err)
			}
			if mode.rate > 0 && got.result.Seconds < 0.9*ticks/mode.rate {
				t.Errorf("%d ticks at %v/s took %v s", ticks, mode.rate, got.result.Seconds)
			}
		})
	}
}

// Where nothing is stored, no more is published than may wait.
func TestBacklogIsBounded(t *testing.T) {
	const lag = 100
	r := testbed.StartRedis(t)
	ctx, stop := context.WithCancel(t.Context())
	var asked atomic.Int64
	done := make(chan load.Result, 1)
	go func() {
		result, _ := load.Run(ctx, load.Config{
			RedisURL: r.URL, Channel: r.Channels.Ticks, Symbols: 3, Ticks: 10_000, Backlog: lag,
			Stored: func(context.Context) (int64, error) { asked.Add(1); return 0, nil },
		})
		done <- result
	}()
	testbed.Eventually(t, 20*time.Second, "it has asked often", func(context.Context) bool { return asked.Load() > 20 })
	stop()
	if result := <-done; result.Ticks != lag {
		t.Errorf("%d ticks were published, want %d", result.Ticks, lag)
	}
}

func TestLoadSaysThatNobodyListens(t *testing.T) {
	r := testbed.StartRedis(t)
	result, err := load.Run(t.Context(), load.Config{RedisURL: r.URL, Channel: r.Channels.Ticks, Symbols: 1, Ticks: 10})
	if err != nil || result.Unheard != 10 {
		t.Errorf("Run = %+v, %v; want 10 unheard", result, err)
	}
}

func TestParseRefusesWhatIsNotOfTheLoad(t *testing.T) {
	for _, payload := range []string{"", "{}", `{"type":"market_tick","symbol":"AAPL","price":187.42,"volume":100,"timestamp":1728300000.123,"source":"x"}`} {
		if number, _, ok := load.Parse([]byte(payload)); ok {
			t.Errorf("Parse(%q) = %d", payload, number)
		}
	}
}
