package client_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"log/slog"
	"os"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/client"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/replay"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// system is a NATS server that holds a little of everything; in your program it
// is nats.Connect and jetstream.New.
func system() (jetstream.JetStream, func()) {
	must := func(err error) {
		if err != nil {
			log.Fatal(err)
		}
	}
	dir, err := os.MkdirTemp("", "tickstream-example")
	must(err)
	s, err := server.NewServer(&server.Options{DontListen: true, JetStream: true, StoreDir: dir, NoSigs: true, NoLog: true})
	must(err)
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		log.Fatal("the server is not ready")
	}
	nc, err := nats.Connect("", nats.InProcessServer(s))
	must(err)
	js, err := jetstream.New(nc)
	must(err)
	ctx := context.Background()
	_, err = stream.Ensure(ctx, js, stream.Config{}, slog.New(slog.DiscardHandler))
	must(err)
	publish := func(subject string, v any) {
		data, err := json.Marshal(v)
		must(err)
		_, err = js.Publish(ctx, subject, data)
		must(err)
	}
	bar := event.NewBar("AAPL", "1min", minute, minute.Add(time.Minute))
	bar.TickCount = 42
	publish(stream.BarSubject("1min", "AAPL"), bar)
	publish(stream.SignalSubject(event.KindPattern, "Doji", "AAPL"), event.Pattern{Type: "pattern", Pattern: "Doji", Confidence: 0.85,
		BarKey: event.BarKey{Symbol: "AAPL", Timeframe: "1min", Start: event.At(minute), End: event.At(minute.Add(time.Minute))}})
	publish(stream.HealthStatus, event.NewStreamingHealth(event.Health{Status: event.StatusDegraded, Issues: []string{"3 of 60 symbols have no tick"}}))
	publish(stream.TickSubject("AAPL"), json.RawMessage(`{"symbol":"AAPL","price":187.5,"volume":100,"timestamp":1772461805}`))
	return js, func() {
		nc.Close()
		s.Shutdown()
		s.WaitForShutdown()
		_ = os.RemoveAll(dir)
	}
}

func ExampleClient_Health() {
	js, stop := system()
	defer stop()
	for health, err := range client.New(js).Health(context.Background()) {
		fmt.Println(health.Status, health.Issues, err)
		break
	}
	// Output: degraded [3 of 60 symbols have no tick] <nil>
}

func ExampleClient_Bars() {
	js, stop := system()
	defer stop()
	lastHour := client.Selection{Symbols: []string{"AAPL"}, Names: []string{"1min"}, Since: time.Now().Add(-time.Hour)}
	for bar, err := range client.New(js).Bars(context.Background(), lastHour) {
		fmt.Println(bar.Symbol, bar.Start.UTC().Format(time.TimeOnly), bar.TickCount, "ticks", err)
		break
	}
	// Output: AAPL 14:30:00 42 ticks <nil>
}

func ExampleClient_Patterns() {
	js, stop := system()
	defer stop()
	for pattern, err := range client.New(js).Patterns(context.Background(), client.Selection{FromSequence: 1}) {
		fmt.Println(pattern.Symbol, pattern.Name(), pattern.Confidence, err)
		break
	}
	// Output: AAPL Doji 0.85 <nil>
}

func ExampleClient_Replay() {
	js, stop := system()
	defer stop()
	for tick, err := range client.New(js).Replay(context.Background(), replay.Config{Symbols: []string{"AAPL"}}) {
		fmt.Println(string(tick.Symbol), tick.Price, "at", tick.Time().Format(time.TimeOnly), err)
	}
	// Output: AAPL 187.5 at 14:30:05 <nil>
}
