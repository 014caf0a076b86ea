package doctor

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
	"github.com/tickstock/tickstream/cmd/tickstream/bus"
	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// natsExam is the part of an examination that asks NATS.
type natsExam struct {
	*examiner
	n  *NATS
	nc *nats.Conn
	js jetstream.JetStream
}

func (e *examiner) connectNATS() (*natsExam, error) {
	x := &natsExam{examiner: e, n: &e.facts.NATS}
	var err error
	if x.nc, err = e.servers.NATS(); err != nil {
		x.n.Err = err.Error()
		return nil, err
	}
	x.n.Version = x.nc.ConnectedServerVersion()
	if x.n.RTT, err = x.nc.RTT(); err != nil {
		x.n.Err = "no answer to a ping: " + err.Error()
		x.nc.Close()
		return nil, err
	}
	if x.js, err = jetstream.New(x.nc); err != nil {
		x.n.Err = err.Error()
		x.nc.Close()
		return nil, err
	}
	return x, nil
}

func (x *natsExam) close() { x.nc.Close() }

// nats examines NATS; what may change is looked at last, after Redis is done,
// so that all of the report is of the same moment.
func (e *examiner) nats(ctx context.Context, redisDone <-chan struct{}) {
	e.facts.NATS.URL = e.cfg.NATSURL
	x, err := e.connectNATS()
	if err != nil {
		close(e.located)
		return
	}
	defer x.close()
	x.jetStream(ctx)
	if x.n.JetStreamErr != "" {
		close(e.located)
		return
	}
	x.components(ctx)
	first := x.n.Components
	e.source = sourceOf(first)
	close(e.located)

	before, _ := x.ticks(ctx)
	watching := time.Now()
	timer := time.NewTimer(listenFor)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
	select {
	case <-ctx.Done():
	case <-redisDone:
	}
	x.n.Watched = time.Since(watching)
	after, err := x.ticks(ctx)
	if err != nil {
		x.n.TicksErr = sentence(err)
	}
	x.grown(before, after)
	x.lastMinute(ctx)
	x.consumers(ctx)
	x.health(ctx)
	x.components(ctx)
	x.n.PipelineStill = still(first, x.n.Components)
}

// still tells that every pipeline that reported again has read nothing since.
func still(before, after []presence.Report) bool {
	again := 0
	for _, now := range after {
		for _, then := range before {
			if now.Pipeline == nil || then.Pipeline == nil || now.Instance != then.Instance || !now.ReportedAt.After(then.ReportedAt) {
				continue
			}
			if again++; now.Pipeline.Consumed != then.Pipeline.Consumed {
				return false
			}
		}
	}
	return again > 0
}

func (x *natsExam) jetStream(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	if _, err := x.js.AccountInfo(ctx); err != nil {
		x.n.JetStreamErr = sentence(err)
		return
	}
	findings, err := stream.Verify(ctx, x.js, stream.Config{})
	if err != nil {
		x.n.VerifyErr = sentence(err)
	}
	x.n.Findings = findings
}

func (x *natsExam) now() time.Time {
	if x.n.Skew == nil {
		return time.Now()
	}
	return time.Now().Add(*x.n.Skew)
}

func (x *natsExam) health(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	asked := time.Now()
	state, err := bus.Latest(ctx, x.js)
	if err != nil {
		x.n.HealthErr = sentence(err)
		return
	}
	if !state.ServerTime.IsZero() {
		skew := state.ServerTime.Sub(asked.Add(state.RoundTrip / 2))
		x.n.Skew = &skew
	}
	x.n.SessionActive = state.Active()
	if health, found := state.HealthEvent(); found {
		x.n.Health = &health
		x.n.HealthAge = age(x.now(), state.Health.StoredAt)
	}
}

func (x *natsExam) components(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	earlier := x.n.Components
	x.n.ComponentsErr, x.n.Components, x.n.Ages = "", nil, nil
	bucket, err := x.js.KeyValue(ctx, stream.ComponentsBucket)
	if err != nil {
		x.n.ComponentsErr = fmt.Sprintf("bucket %s: %s", stream.ComponentsBucket, sentence(err))
		return
	}
	reports, err := presence.List(ctx, bucket)
	if err == nil {
		reports, err = presence.Confirm(ctx, bucket, earlier, reports)
	}
	if err != nil {
		x.n.ComponentsErr = sentence(err)
		return
	}
	x.n.Components = reports
	now := x.now()
	for _, report := range reports {
		x.n.Ages = append(x.n.Ages, age(now, report.Heard()))
	}
}

// tickState is the newest tick and where the stream ends.
type tickState struct {
	tick    *jetstream.RawStreamMsg
	lastSeq uint64
}

func (x *natsExam) ticks(ctx context.Context) (tickState, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	ticks, err := x.js.Stream(ctx, stream.Ticks)
	if err != nil {
		return tickState{}, fmt.Errorf("look up stream %s: %w", stream.Ticks, err)
	}
	state := tickState{lastSeq: ticks.CachedInfo().State.LastSeq}
	state.tick, err = lastTick(ctx, ticks)
	return state, err
}

func (x *natsExam) grown(before, after tickState) {
	if after.tick == nil {
		return
	}
	x.n.LastTick = &StoredTick{
		Sequence: after.tick.Sequence, Age: age(x.now(), after.tick.Time),
		New: before.tick == nil || before.tick.Sequence < after.tick.Sequence,
	}
	if after.lastSeq > before.lastSeq {
		x.n.Grown = after.lastSeq - before.lastSeq
	}
}

// lastMinute counts how many ticks came, to tell a feed that has ended from one
// that is slow; none is counted where that cannot be.
func (x *natsExam) lastMinute(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	n, err := stream.CountSince(ctx, x.js, stream.Ticks, stream.AllTicks, x.now().Add(-time.Minute))
	if err == nil {
		x.n.LastMinute = n
	}
}

// lag is the age of the oldest message that a consumer has not acknowledged.
func (x *natsExam) lag(ctx context.Context, info *jetstream.ConsumerInfo) time.Duration {
	opts := []jetstreamext.GetBatchOpt{jetstreamext.GetBatchSeq(info.AckFloor.Stream + 1)}
	if info.Config.FilterSubject != "" {
		opts = append(opts, jetstreamext.GetBatchSubject(info.Config.FilterSubject))
	}
	oldest, err := stream.Read(ctx, x.js, stream.Ticks, 1, opts...)
	if err != nil || len(oldest) == 0 {
		return 0
	}
	return age(x.now(), oldest[0].Time)
}

func (x *natsExam) consumers(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	ticks, err := x.js.Stream(ctx, stream.Ticks)
	if err != nil {
		x.n.ConsumersErr = sentence(err)
		return
	}
	list := ticks.ListConsumers(ctx)
	for info := range list.Info() {
		if info.Config.Durable != "" {
			c := Consumer{Name: info.Name, Pending: info.NumPending, Unacked: info.NumAckPending}
			if c.Pending > 0 || c.Unacked > 0 {
				c.Lag = x.lag(ctx, info)
			}
			x.n.Consumers = append(x.n.Consumers, c)
		}
	}
	if err := list.Err(); err != nil {
		x.n.ConsumersErr = sentence(err)
	}
}
