package deploy_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/store"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

var stored = []struct{ consumer, stream, filter, subject string }{
	{store.BarsConsumer("1min"), stream.Bars, "tickstock.bars.1min.*", stream.BarSubject("1min", "AAPL")},
	{store.BarsConsumer("daily"), stream.Bars, "tickstock.bars.daily.*", stream.BarSubject("daily", "AAPL")},
	{store.IndicatorsConsumer, stream.Signals, "tickstock.signals.indicator.*.*", stream.SignalSubject("indicator", "RSI", "AAPL")},
	{store.PatternsConsumer, stream.Signals, "tickstock.signals.pattern.*.*", stream.SignalSubject("pattern", "Doji", "AAPL")},
	{store.HealthConsumer, stream.Health, stream.HealthStatus, stream.HealthStatus},
	{store.SessionsConsumer, stream.Health, "tickstock.session.*", stream.SessionStarted},
}

func TestPipelineReadsWhatItStores(t *testing.T) {
	s, _ := ensured(t)
	c, operator := connect(t, s, presence.RolePipeline), connect(t, s, "operator")
	for _, lane := range stored {
		t.Run(lane.consumer, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			if err := operator.single(ctx, lane.subject); err != nil {
				t.Fatal(err)
			}
			if err := c.read(ctx, lane.stream, lane.consumer, lane.filter); err != nil {
				t.Error(err)
			}
			c.mustBeAllowed()
		})
	}
	heard, err := operator.SubscribeSync(stream.Persistence)
	if err != nil {
		t.Fatal(err)
	}
	if err := operator.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := c.Publish(stream.Persistence, []byte("{}")); err != nil {
		t.Fatal(err)
	}
	if _, err := heard.NextMsg(5 * time.Second); err != nil {
		t.Errorf("what is stored is not told: %v", err)
	}
	c.mustBeAllowed()
	for _, subject := range []string{
		"$JS.API.CONSUMER.CREATE.REJECTS.other.>", "$JS.API.CONSUMER.DELETE.REJECTS.egress_errors",
		"$JS.API.CONSUMER.MSG.NEXT.REJECTS.egress_errors", "$JS.ACK.REJECTS.other.1.1.1.1.0", "$JS.API.CONSUMER.RESET.REJECTS.egress_errors",
	} {
		if err := c.Publish(subject, nil); err != nil {
			t.Fatal(err)
		}
		if refusals := c.refused(); len(refusals) != 1 {
			t.Errorf("%s: refusals are %q, want one", subject, refusals)
		}
	}
}

// read does to a consumer what the store does.
func (c *client) read(ctx context.Context, name, durable, filter string) error {
	consumer, err := c.js.CreateOrUpdateConsumer(ctx, name, jetstream.ConsumerConfig{
		Durable: durable, AckPolicy: jetstream.AckExplicitPolicy, FilterSubject: filter,
	})
	if err != nil {
		return fmt.Errorf("create consumer %s: %w", durable, err)
	}
	if _, err := c.js.ResetConsumer(ctx, name, durable); err != nil {
		return fmt.Errorf("reset consumer %s: %w", durable, err)
	}
	messages, err := consumer.Messages()
	if err != nil {
		return fmt.Errorf("consume %s: %w", durable, err)
	}
	defer messages.Stop()
	msg, err := messages.Next(jetstream.NextContext(ctx))
	if err != nil {
		return fmt.Errorf("consume %s: %w", durable, err)
	}
	if err := msg.DoubleAck(ctx); err != nil {
		return fmt.Errorf("acknowledge a message of %s: %w", durable, err)
	}
	if _, err := consumer.Info(ctx); err != nil {
		return fmt.Errorf("look at consumer %s: %w", durable, err)
	}
	return nil
}

// The store itself, with the pipeline's rights and no more.
func TestStoreRunsWithThePipelinesRights(t *testing.T) {
	address := testbed.DatabaseURL(t)
	db, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	schema := "deploy_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	if _, err := db.Exec(t.Context(), "CREATE SCHEMA "+schema); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		if _, err := db.Exec(ctx, "DROP SCHEMA "+schema+" CASCADE"); err != nil {
			t.Error(err)
		}
		_ = db.Close(ctx) // it was of use to the end
	})
	s, _ := ensured(t)
	c, operator := connect(t, s, presence.RolePipeline), connect(t, s, "operator")
	for _, lane := range stored { // what is no event is a reject
		if err := operator.single(t.Context(), lane.subject); err != nil {
			t.Fatal(err)
		}
	}
	part, err := store.New(store.Config{URL: address, Schema: schema, Instance: "one"}, c.js, quiet)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- part.Run(ctx) }() // ends with stop
	testbed.Eventually(t, 20*time.Second, "every lane has read its message", func(context.Context) bool {
		return part.Report().Refused == int64(len(stored))
	})
	stop()
	if err := <-done; err != nil {
		t.Errorf("run: %v", err)
	}
	c.mustBeAllowed()
}
