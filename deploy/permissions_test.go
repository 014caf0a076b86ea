package deploy_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/lease"
	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

var roles = []string{presence.RoleBridge, presence.RolePipeline, presence.RoleHealth}

func TestNobodyConnectsWithoutPassword(t *testing.T) {
	s := startServer(t)
	for _, url := range []string{
		"nats://" + s.Addr().String(), url(s, "bridge", ""), url(s, "bridge", "wrong"),
		url(s, "bridge", secrets["health"]), url(s, "admin", "admin"),
	} {
		nc, err := nats.Connect(url)
		if !errors.Is(err, nats.ErrAuthorization) {
			t.Errorf("%s: error is %v, want %v", url, err, nats.ErrAuthorization)
		}
		if nc != nil {
			nc.Close()
		}
	}
}

// Whoever starts first makes the streams, and whoever has other settings
// changes the limits.
func TestEachRoleEnsuresStreams(t *testing.T) {
	for _, role := range roles {
		t.Run(role, func(t *testing.T) {
			c := connect(t, startServer(t), role)
			for _, cfg := range []stream.Config{
				{},
				{TicksMaxAge: time.Hour, BarsMaxAge: time.Hour, SignalsMaxAge: time.Hour, HealthMaxAge: time.Hour, RejectsMaxAge: time.Hour},
			} {
				if _, err := stream.Ensure(t.Context(), c.js, cfg, quiet); err != nil {
					t.Fatalf("ensure: %v", err)
				}
				findings, err := stream.Verify(t.Context(), c.js, cfg)
				if err != nil || len(findings) > 0 {
					t.Fatalf("verify: %v, %v", findings, err)
				}
			}
			for _, bucket := range buckets {
				kv, err := c.js.KeyValue(t.Context(), bucket)
				if err != nil {
					t.Fatalf("open bucket: %v", err)
				}
				if status, err := kv.Status(t.Context()); err != nil || status.Config().Bucket != bucket {
					t.Fatalf("status of bucket %s: %v, %v", bucket, status, err)
				}
				_, err = c.js.UpdateKeyValue(t.Context(), jetstream.KeyValueConfig{
					Bucket: bucket, Description: "changed", TTL: kvTTL(t, kv), Storage: kvStorage(t, kv),
				})
				if err != nil {
					t.Errorf("update bucket %s: %v", bucket, err)
				}
			}
			c.mustBeAllowed()
		})
	}
}

var (
	buckets = []string{stream.HealthBucket, stream.ComponentsBucket, stream.LeasesBucket, stream.CheckpointsBucket}
	streams = []string{stream.Ticks, stream.Bars, stream.Signals, stream.Health, stream.Rejects}
)

func kvTTL(t *testing.T, kv jetstream.KeyValue) time.Duration { return kvConfig(t, kv).TTL }

func kvStorage(t *testing.T, kv jetstream.KeyValue) jetstream.StorageType {
	return kvConfig(t, kv).Storage
}

func kvConfig(t *testing.T, kv jetstream.KeyValue) jetstream.KeyValueConfig {
	t.Helper()
	status, err := kv.Status(t.Context())
	if err != nil {
		t.Fatalf("status of bucket: %v", err)
	}
	return status.Config()
}

// ensured is a server with all streams, and the layout of these.
func ensured(t *testing.T) (*server.Server, stream.Layout) {
	t.Helper()
	s := startServer(t)
	layout, err := stream.Ensure(t.Context(), connect(t, s, presence.RoleHealth).js, stream.Config{}, quiet)
	if err != nil {
		t.Fatalf("ensure: %v", err)
	}
	return s, layout
}

func (c *client) bucket(name string) func(context.Context) (jetstream.KeyValue, error) {
	return func(ctx context.Context) (jetstream.KeyValue, error) { return c.js.KeyValue(ctx, name) }
}

func TestEachRoleAnnouncesItself(t *testing.T) {
	s, _ := ensured(t)
	for _, role := range roles {
		t.Run(role, func(t *testing.T) {
			c := connect(t, s, role)
			announcer := presence.NewAnnouncer(c.bucket(stream.ComponentsBucket),
				func() presence.Report { return presence.Report{Role: role, Instance: "one"} }, quiet)
			present := func(ctx context.Context) bool {
				kv, err := c.js.KeyValue(ctx, stream.ComponentsBucket)
				if err != nil {
					return false
				}
				reports, err := presence.List(ctx, kv)
				return err == nil && slices.ContainsFunc(reports, func(r presence.Report) bool { return r.Role == role })
			}
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- announcer.Run(ctx) }() // ends with stop
			testbed.Eventually(t, 5*time.Second, "the role sees its own report", present)
			stop()
			if err := <-done; err != nil {
				t.Errorf("announce: %v", err)
			}
			if present(t.Context()) {
				t.Error("the report was not taken back")
			}
			c.mustBeAllowed()
		})
	}
}

func TestEachRoleLeads(t *testing.T) {
	s, _ := ensured(t)
	for _, key := range []string{"bridge", "bridge.0", "bridge.ingress.0123456789abcdef", "pipeline", "pipeline.0", "health", "health.0"} {
		t.Run(key, func(t *testing.T) {
			role, _, _ := strings.Cut(key, ".")
			led := make(chan string, 2)
			campaign := func(holder string) (*client, context.CancelFunc, chan error) {
				c := connect(t, s, role)
				candidate, err := lease.New(lease.Config{Key: key, Holder: holder, TTL: stream.LeaseTTL}, c.bucket(stream.LeasesBucket), quiet)
				if err != nil {
					t.Fatalf("make lease: %v", err)
				}
				ctx, stop := context.WithCancel(t.Context())
				done := make(chan error, 1)
				go func() { // ends with stop
					done <- candidate.Run(ctx, func(ctx context.Context) error {
						led <- holder
						<-ctx.Done()
						return nil
					})
				}()
				return c, stop, done
			}
			first, stopFirst, firstDone := campaign("first")
			if holder := <-led; holder != "first" {
				t.Fatalf("%s leads, want first", holder)
			}
			second, stopSecond, secondDone := campaign("second")
			taken := first.revision(t.Context(), key)
			testbed.Eventually(t, 5*time.Second, "the lease is renewed", func(ctx context.Context) bool {
				return first.revision(ctx, key) > taken
			})
			stopFirst()
			if err := <-firstDone; err != nil {
				t.Errorf("first: %v", err)
			}
			if holder := <-led; holder != "second" {
				t.Errorf("%s leads, want second", holder)
			}
			stopSecond()
			if err := <-secondDone; err != nil {
				t.Errorf("second: %v", err)
			}
			first.mustBeAllowed()
			second.mustBeAllowed()
		})
	}
}

// revision is the newest of a lease's key; 0 if it is not there.
func (c *client) revision(ctx context.Context, key string) uint64 {
	kv, err := c.js.KeyValue(ctx, stream.LeasesBucket)
	if err != nil {
		return 0
	}
	entry, err := kv.Get(ctx, key)
	if err != nil {
		return 0
	}
	return entry.Revision()
}

func TestRolesDoTheirWork(t *testing.T) {
	s, layout := ensured(t)
	operator := connect(t, s, "operator")
	for _, subject := range []string{stream.TickSubject("BRK.B"), stream.BarSubject("1min", "AAPL"), stream.SignalSubject("alert", "RSI", "AAPL"), stream.HealthStatus, stream.RejectSubject("not_json")} {
		if err := operator.single(t.Context(), subject); err != nil {
			t.Fatal(err)
		}
	}
	for partition := range layout.Partitions {
		if err := operator.single(t.Context(), stream.ClockSubject(partition)); err != nil {
			t.Fatal(err)
		}
	}
	type work map[string]func(context.Context, *client) error
	for role, works := range map[string]work{
		presence.RoleBridge: {
			"ticks in a batch":    func(ctx context.Context, c *client) error { return c.batch(ctx, stream.TickSubject("BRK.B")) },
			"one tick":            func(ctx context.Context, c *client) error { return c.single(ctx, stream.TickSubject("AAPL")) },
			"clock marks":         func(ctx context.Context, c *client) error { return c.batch(ctx, stream.ClockSubject(0)) },
			"rejects":             func(ctx context.Context, c *client) error { return c.batch(ctx, stream.RejectSubject("price_missing")) },
			"a gap":               func(ctx context.Context, c *client) error { return c.single(ctx, stream.HealthGap) },
			"find what it stored": func(ctx context.Context, c *client) error { return c.direct(ctx, stream.Ticks) },
			"find its rejects":    func(ctx context.Context, c *client) error { return c.direct(ctx, stream.Rejects) },
			"ask the leaders": func(ctx context.Context, c *client) error {
				return errors.Join(c.atLeader(ctx, stream.Ticks), c.atLeader(ctx, stream.Rejects))
			},
			"the last clock mark": func(ctx context.Context, c *client) error { return c.last(ctx, stream.Ticks, stream.ClockSubject(0)) },
			"read ticks":          func(ctx context.Context, c *client) error { return c.ordered(ctx, stream.Ticks) },
			"send signals out":    func(ctx context.Context, c *client) error { return c.durable(ctx, stream.Signals) },
			"send bars out":       func(ctx context.Context, c *client) error { return c.durable(ctx, stream.Bars) },
			"see health":          func(ctx context.Context, c *client) error { return c.watched(ctx, stream.HealthBucket) },
			"see components":      func(ctx context.Context, c *client) error { return c.watched(ctx, stream.ComponentsBucket) },
		},
		presence.RolePipeline: {
			"consume a partition": func(ctx context.Context, c *client) error {
				return c.durable(ctx, stream.Ticks, stream.PartitionFilter(0))
			},
			"read ticks in order": func(ctx context.Context, c *client) error { return c.ordered(ctx, stream.Ticks) },
			"bars":                func(ctx context.Context, c *client) error { return c.batch(ctx, stream.BarSubject("1min", "AAPL")) },
			"signals": func(ctx context.Context, c *client) error {
				return c.batch(ctx, stream.SignalSubject("indicator", "SMA_20", "BRK.B"))
			},
			"a tick too late": func(ctx context.Context, c *client) error { return c.batch(ctx, stream.RejectSubject("too_late")) },
			"checkpoints": func(ctx context.Context, c *client) error {
				return c.keyed(ctx, stream.CheckpointsBucket, "partition.7")
			},
			"its last tick": func(ctx context.Context, c *client) error {
				return errors.Join(c.direct(ctx, stream.Ticks), c.last(ctx, stream.Ticks, stream.ClockSubject(0)))
			},
			"its bars and signals": func(ctx context.Context, c *client) error {
				return errors.Join(c.direct(ctx, stream.Bars), c.direct(ctx, stream.Signals),
					c.last(ctx, stream.Signals, stream.SignalSubject("alert", "RSI", "AAPL")))
			},
			"how far its results go": func(ctx context.Context, c *client) error {
				return errors.Join(c.atLeader(ctx, stream.Bars), c.atLeader(ctx, stream.Signals), c.atLeader(ctx, stream.Rejects), c.atLeader(ctx, stream.Ticks))
			},
			"move a partition": moveConsumer,
			"its last bar": func(ctx context.Context, c *client) error {
				return c.last(ctx, stream.Bars, stream.BarSubject("1min", "AAPL"))
			},
			"store bars":     func(ctx context.Context, c *client) error { return c.durable(ctx, stream.Bars) },
			"store signals":  func(ctx context.Context, c *client) error { return c.durable(ctx, stream.Signals) },
			"see leases":     func(ctx context.Context, c *client) error { return c.watched(ctx, stream.LeasesBucket) },
			"see health":     func(ctx context.Context, c *client) error { return c.watched(ctx, stream.HealthBucket) },
			"see components": func(ctx context.Context, c *client) error { return c.watched(ctx, stream.ComponentsBucket) },
		},
		presence.RoleHealth: {
			"status":        func(ctx context.Context, c *client) error { return c.single(ctx, stream.HealthStatus) },
			"alert":         func(ctx context.Context, c *client) error { return c.single(ctx, stream.HealthAlert) },
			"session start": func(ctx context.Context, c *client) error { return c.single(ctx, stream.SessionStarted) },
			"session stop":  func(ctx context.Context, c *client) error { return c.single(ctx, stream.SessionStopped) },
			"latest": func(ctx context.Context, c *client) error {
				return c.keyed(ctx, stream.HealthBucket, stream.LatestHealthKey)
			},
			"current session": func(ctx context.Context, c *client) error {
				return c.keyed(ctx, stream.HealthBucket, stream.CurrentSessionKey)
			},
			"observe all streams": observeStreams,
			"observe all buckets": func(ctx context.Context, c *client) error {
				for _, bucket := range buckets {
					if err := c.watched(ctx, bucket); err != nil {
						return err
					}
				}
				return nil
			},
		},
	} {
		for name, do := range works {
			t.Run(role+"/"+name, func(t *testing.T) {
				c := connect(t, s, role)
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				if err := do(ctx, c); err != nil {
					t.Error(err)
				}
				c.mustBeAllowed()
			})
		}
	}
}

func TestRolesDoNoOtherWork(t *testing.T) {
	s, _ := ensured(t)
	for role, subjects := range map[string][]string{
		presence.RoleBridge: {
			stream.BarSubject("1min", "AAPL"), stream.SignalSubject("alert", "RSI", "AAPL"),
			stream.HealthStatus, stream.HealthAlert, stream.SessionStarted, stream.SessionStopped, stream.ControlSessionStart,
			stream.ProgressSubject(stream.Rejects, 0),
			"$KV.tickstream_health.latest", "$KV.tickstream_checkpoints.partition.0",
			"$KV.tickstream_components.health.one", "$KV.tickstream_leases.health",
		},
		presence.RolePipeline: {
			stream.TickSubject("AAPL"), stream.ClockSubject(0),
			stream.HealthStatus, stream.HealthGap, stream.SessionStarted, stream.ControlSessionStop,
			"$KV.tickstream_health.latest", "$KV.tickstream_components.bridge.one", "$KV.tickstream_leases.bridge",
		},
		presence.RoleHealth: {
			stream.TickSubject("AAPL"), stream.ClockSubject(0), stream.RejectSubject("not_json"),
			stream.BarSubject("1min", "AAPL"), stream.SignalSubject("pattern", "Doji", "AAPL"),
			"$KV.tickstream_checkpoints.partition.0", "$KV.tickstream_components.pipeline.one", "$KV.tickstream_leases.pipeline",
			"$JS.API.CONSUMER.DELETE.TICKS.pipeline_0", "$JS.API.CONSUMER.MSG.NEXT.TICKS.pipeline_7",
			"$JS.API.CONSUMER.CREATE.TICKS.pipeline_3", "$JS.API.CONSUMER.CREATE.TICKS.pipeline_3.>", "$JS.ACK.TICKS.pipeline_0.1.1.1.1.0",
			stream.ProgressSubject(stream.Bars, 0),
		},
	} {
		t.Run(role, func(t *testing.T) {
			for _, name := range streams {
				subjects = append(subjects, "$JS.API.STREAM.DELETE."+name, "$JS.API.STREAM.PURGE."+name,
					"$JS.API.STREAM.MSG.DELETE."+name, "$JS.API.STREAM.RESTORE."+name, "$JS.API.STREAM.SNAPSHOT."+name)
			}
			subjects = append(subjects, "$JS.API.STREAM.CREATE.OTHER", "$JS.API.STREAM.UPDATE.OTHER",
				"$JS.API.STREAM.DELETE.KV_tickstream_leases", "$SYS.REQ.SERVER.PING", "_INBOX.operator.x")
			c := connect(t, s, role)
			for _, subject := range subjects {
				if err := c.Publish(subject, nil); err != nil {
					t.Fatalf("publish: %v", err)
				}
				refusals := c.refused()
				if len(refusals) != 1 || !strings.Contains(refusals[0], subject) {
					t.Errorf("%s: refusals are %q, want one", subject, refusals)
				}
			}
			for _, subject := range append(othersRequests(role), ">", "_INBOX.>", "_INBOX.operator.>", "tickstock.>", stream.AllTicks, "$JS.API.>", "$KV.>") {
				if _, err := c.SubscribeSync(subject); err != nil {
					t.Fatalf("subscribe: %v", err)
				}
				if refusals := c.refused(); len(refusals) != 1 {
					t.Errorf("subscription to %s: refusals are %q, want one", subject, refusals)
				}
			}
		})
	}
}
