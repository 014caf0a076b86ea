package doctor

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
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
	e.source = sourceOf(x.n.Components)
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
	x.consumers(ctx)
	x.health(ctx)
	x.components(ctx)
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
	x.n.ComponentsErr, x.n.Components, x.n.Ages = "", nil, nil
	bucket, err := x.js.KeyValue(ctx, stream.ComponentsBucket)
	if err != nil {
		x.n.ComponentsErr = fmt.Sprintf("bucket %s: %s", stream.ComponentsBucket, sentence(err))
		return
	}
	reports, err := presence.List(ctx, bucket)
	if err != nil {
		x.n.ComponentsErr = sentence(err)
		return
	}
	x.n.Components = reports
	now := x.now()
	for _, report := range reports {
		x.n.Ages = append(x.n.Ages, age(now, report.ReportedAt))
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
			x.n.Consumers = append(x.n.Consumers, Consumer{Name: info.Name, Pending: info.NumPending, Unacked: info.NumAckPending})
		}
	}
	if err := list.Err(); err != nil {
		x.n.ConsumersErr = sentence(err)
	}
}
