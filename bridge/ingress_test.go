package bridge_test

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tickstock/tickstream/bridge"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
)

var symbols = []string{"AAPL", "BRK.B", "BF/B", "O:SPY251219C00650000", "^SPX", "BTC-USD", "EUR/USD", "A B"}

// traffic makes n ticks over all symbols, and what is to be found of each.
func traffic(n int) (payloads []string, bySymbol map[string][]string) {
	bySymbol = map[string][]string{}
	for i := range n {
		symbol := symbols[i%len(symbols)]
		payload := tickOf(symbol, i)
		payloads = append(payloads, payload)
		bySymbol[symbol] = append(bySymbol[symbol], payload)
	}
	return payloads, bySymbol
}

func TestTicksAreStoredUnchangedAndInOrder(t *testing.T) {
	inEachDurability(t, testTicksAreStoredUnchangedAndInOrder)
}

func testTicksAreStoredUnchangedAndInOrder(t *testing.T, b *bed) {
	r := b.start(b.cfg)
	payloads, want := traffic(5000)
	b.publish(payloads...)
	b.eventually("all stored", func() bool { return r.report().Stored == int64(len(payloads)) })
	b.expectTicks(want)
	report := r.report()
	if report.Received != int64(len(payloads)) || report.Shed != 0 || report.Gaps != 0 || len(report.Rejected) != 0 {
		t.Errorf("report = %+v", report)
	}
}

func TestIdenticalTicksAreAllStored(t *testing.T) {
	b := newBed(t)
	r := b.start(b.cfg)
	same := tickOf("AAPL", 1)
	b.publish(same, same, same)
	b.eventually("all stored", func() bool { return r.report().Stored == 3 })
	b.expectTicks(map[string][]string{"AAPL": {same, same, same}})
}

func TestRefusedInputIsKeptWithItsReason(t *testing.T) {
	b := newBed(t)
	r := b.start(b.cfg)
	good := tickOf("AAPL", 1)
	refused := map[string]string{
		"not_json":           `{"symbol":`,
		"symbol_missing":     `{"price":1,"timestamp":1728300000.0}`,
		"price_not_positive": `{"symbol":"A","price":0,"timestamp":1728300000.0}`,
		"price_not_finite":   `{"symbol":"A","price":NaN,"timestamp":1728300000.0}`,
		"volume_negative":    `{"symbol":"A","price":1,"volume":-1,"timestamp":1728300000.0}`,
		"timestamp_missing":  `{"symbol":"A","price":1}`,
		"timestamp_future":   `{"symbol":"A","price":1,"timestamp":4102444800.0}`,
		"payload_too_large":  `{"symbol":"` + strings.Repeat("x", 100<<10) + `"}`,
	}
	for _, payload := range refused {
		b.publish(payload, good)
	}
	b.eventually("all stored", func() bool { return r.report().Stored == int64(len(refused)) })
	if err := r.stop(); err != nil {
		t.Fatalf("stop: %v", err)
	}
	for _, msg := range b.stored(stream.Rejects) {
		reason := msg.Headers().Get(event.HeaderRejectReason)
		payload, wanted := refused[reason]
		if !wanted {
			t.Errorf("unexpected reject %s: %.80s", reason, msg.Data())
			continue
		}
		delete(refused, reason)
		if !strings.HasPrefix(payload, string(msg.Data())) || len(msg.Data()) < min(len(payload), 64<<10) {
			t.Errorf("%s: kept %.80s, want the refused bytes", reason, msg.Data())
		}
		if msg.Subject() != stream.RejectSubject(reason) || msg.Headers().Get(event.HeaderRejectSource) != b.cfg.Channel || msg.Headers().Get(event.HeaderRejectDetail) == "" {
			t.Errorf("%s: stored under %s with headers %v", reason, msg.Subject(), msg.Headers())
		}
		if got := r.report().Rejected[reason]; got != 1 {
			t.Errorf("%s: counted %d, want 1", reason, got)
		}
	}
	for reason := range refused {
		t.Errorf("no reject with reason %s", reason)
	}
}

func TestNothingIsLostWhileNATSIsAway(t *testing.T) {
	inEachDurability(t, testNothingIsLostWhileNATSIsAway)
}

func testNothingIsLostWhileNATSIsAway(t *testing.T, b *bed) {
	r := b.start(b.cfg)
	payloads, want := traffic(9000)
	b.publish(payloads[:3000]...)
	b.eventually("some stored", func() bool { return r.report().Stored > 0 })
	b.nats.Stop()
	b.publish(payloads[3000:6000]...)
	b.eventually("read while NATS is away", func() bool { return r.report().Received == 6000 })
	b.eventually("seen to be blocked", func() bool { return r.report().PublishBlockedMs > 0 && r.report().QueuedTicks > 0 })
	b.nats.Start()
	b.publish(payloads[6000:]...)
	b.eventually("all stored", func() bool { return r.report().Stored == int64(len(payloads)) })
	b.expectTicks(want)
}

func TestNothingIsLostOverRepeatedReconnects(t *testing.T) {
	inEachDurability(t, testNothingIsLostOverRepeatedReconnects)
}

func testNothingIsLostOverRepeatedReconnects(t *testing.T, b *bed) {
	nc := b.nats.Connect()
	r := b.startWith(b.cfg, b.redis.Client(), jetStream(t, nc))
	payloads, want := traffic(30_000)
	var feeding sync.WaitGroup
	feeding.Go(func() {
		for i := 0; i < len(payloads); i += 500 {
			b.publish(payloads[i : i+500]...)
			if err := nc.ForceReconnect(); err != nil {
				t.Errorf("force a reconnect: %v", err)
			}
		}
	})
	feeding.Wait()
	b.eventually("all stored", func() bool { return r.report().Stored == int64(len(payloads)) })
	b.expectTicks(want)
}

func TestStopStoresAllThatWasRead(t *testing.T) {
	b := newBed(t)
	r := b.start(b.cfg)
	payloads, _ := traffic(20_000)
	b.publish(payloads...)
	b.eventually("reading", func() bool { return r.report().Received > 1000 })
	if err := r.stop(); err != nil {
		t.Fatalf("stop: %v", err)
	}
	report := r.report()
	if report.Stored != report.Received {
		t.Errorf("%d of %d read ticks stored", report.Stored, report.Received)
	}
	if got := int64(len(b.stored(stream.Ticks, stream.AllTicks))); got != report.Received {
		t.Errorf("TICKS holds %d, %d were read", got, report.Received)
	}
}

func TestStopSaysWhatItCouldNotStore(t *testing.T) {
	b := newBed(t)
	b.cfg.DrainTimeout = 300 * time.Millisecond
	r := b.start(b.cfg)
	b.nats.Stop()
	b.publish(tickOf("AAPL", 1), tickOf("AAPL", 2))
	b.eventually("read", func() bool { return r.report().Received == 2 })
	if err := r.stop(); err == nil || !strings.Contains(err.Error(), "2 ticks") {
		t.Errorf("stop = %v, want it to say that 2 ticks were not stored", err)
	}
}

func TestClockMarksFollowTheClockOnEveryPartition(t *testing.T) {
	b := newBed(t)
	b.cfg.MarkInterval, b.cfg.Lateness = time.Second, 1500*time.Millisecond
	b.start(b.cfg)
	b.eventually("two marks a partition", func() bool {
		return len(b.stored(stream.Ticks, stream.AllClockMarks)) >= 2*stream.DefaultPartitions
	})
	last := map[string]time.Time{}
	for _, msg := range b.stored(stream.Ticks, stream.AllClockMarks) {
		var mark event.ClockMark
		if err := json.Unmarshal(msg.Data(), &mark); err != nil || mark.Type != "clock_mark" {
			t.Fatalf("clock mark %s: %v", msg.Data(), err)
		}
		meta, err := msg.Metadata()
		if err != nil {
			t.Fatal(err)
		}
		if behind := meta.Timestamp.Sub(mark.Time.Time); behind < b.cfg.Lateness || behind > b.cfg.Lateness+10*time.Second {
			t.Errorf("mark is %v behind the clock, lateness is %v", behind, b.cfg.Lateness)
		}
		if !mark.Time.After(last[msg.Subject()]) {
			t.Errorf("%s: mark %v after %v", msg.Subject(), mark.Time, last[msg.Subject()])
		}
		last[msg.Subject()] = mark.Time.Time
	}
	if len(last) != stream.DefaultPartitions {
		t.Errorf("marks on %d partitions, want %d", len(last), stream.DefaultPartitions)
	}
}

func TestDowntimeOfTheBridgeIsAGap(t *testing.T) {
	b := newBed(t)
	first := b.start(b.cfg)
	b.eventually("a clock mark", func() bool { return len(b.stored(stream.Ticks, stream.AllClockMarks)) > 0 })
	if gaps := b.stored(stream.Health, stream.HealthGap); len(gaps) != 0 {
		t.Fatalf("a first start made gaps: %s", gaps[0].Data())
	}
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	stopped := time.Now()
	b.start(b.cfg)
	b.eventually("the gap", func() bool { return len(b.stored(stream.Health, stream.HealthGap)) == 1 })
	var gap event.Gap
	if err := json.Unmarshal(b.stored(stream.Health, stream.HealthGap)[0].Data(), &gap); err != nil {
		t.Fatal(err)
	}
	if gap.Channel != b.cfg.Channel || gap.From.After(stopped) || !gap.To.After(gap.From.Time) || gap.Reason == "" {
		t.Errorf("gap = %+v", gap)
	}
}

func TestStartAndStopManyTimes(t *testing.T) {
	b := newBed(t)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			r := b.start(b.cfg)
			if err := r.stop(); err != nil {
				t.Errorf("stop: %v", err)
			}
		})
	}
	wg.Wait()
}

func TestBadSettingsAreNamed(t *testing.T) {
	for _, c := range []struct {
		change func(*bridge.Config)
		says   string
	}{
		{func(c *bridge.Config) { c.Instance = "" }, "instance"},
		{func(c *bridge.Config) { c.Source = "kafka" }, "source"},
		{func(c *bridge.Config) { c.Durability = "safe" }, "durability"},
		{func(c *bridge.Config) { c.MaxQueueBytes = 1 }, "max queue bytes"},
		{func(c *bridge.Config) { c.Lateness = -time.Second }, "lateness"},
		{func(c *bridge.Config) { c.MarkInterval = time.Millisecond }, "mark interval"},
		{func(c *bridge.Config) { c.SilenceTimeout = time.Millisecond }, "silence timeout"},
		{func(c *bridge.Config) { c.DrainTimeout = time.Millisecond }, "drain timeout"},
	} {
		cfg := bridge.Config{Instance: "a"}
		c.change(&cfg)
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("Validate = %v, want it to name %q", err, c.says)
		}
	}
}
