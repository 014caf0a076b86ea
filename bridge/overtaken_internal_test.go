package bridge

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
	"github.com/tickstock/tickstream/pipeline/tick"
)

// gate is what a publisher asks whether it may store: it may, unless a test has
// shut it, and then as the test says each time.
type gate struct {
	shut    atomic.Bool
	asked   chan struct{}
	answers chan error
}

func (g *gate) wait(ctx context.Context, _ int64) error {
	if !g.shut.Load() {
		return nil
	}
	select {
	case g.asked <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-g.answers:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// leader is a publisher whose turn it is, behind a gate.
func leader(t *testing.T, js jetstream.JetStream, g *gate) (*publisher, *course) {
	t.Helper()
	decoder, err := tick.NewDecoder(tick.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	names := newAlignment()
	cfg := Config{PublishTimeout: 2 * time.Second}.withDefaults()
	a := testAppender(js, ProcessSafe)
	a.rename, a.heard = names.own, func(id string) bool { return names.locate(id) != position{} }
	p := &publisher{
		cfg: cfg, backlog: memoryBacklog(1 << 30), names: names, decoder: decoder, symbols: newSymbols(cfg),
		turn:     &turn{standing: leading, changed: make(chan struct{})},
		appender: a, admit: g.wait, settle: func(context.Context, []message) {},
		covered:  func(context.Context, func() uint32) bool { return false },
		listened: func(context.Context) {}, log: quiet,
	}
	return p, newCourse(names, p.backlog)
}

// A bridge that stood still while another led, and leads again without having
// noticed, stores nothing again: neither at once, nor once it has noticed.
func TestWhatAnotherStoredMeanwhileIsNotStoredAgain(t *testing.T) {
	for name, noticed := range map[string]bool{"unnoticed": false, "noticed": true} {
		t.Run(name, func(t *testing.T) {
			js := ensured(t, testbed.StartNATS(t).JetStream())
			g := &gate{asked: make(chan struct{}), answers: make(chan error)}
			p, heard := leader(t, js, g)
			other, others := newAlignment(), memoryBacklog(1<<30)
			othersCourse := newCourse(other, others)
			hear := func(n int) {
				for range n {
					m := message{payload: fmt.Sprintf(`{"symbol":"A","price":1,"timestamp":%d}`, time.Now().Unix()), receivedAt: time.Now()}
					heard.add(m)
					othersCourse.add(m)
				}
			}
			beat := newBeatName()
			heard.beat(beat)
			othersCourse.beat(beat)

			hear(100)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			run := func() chan error {
				done := make(chan error, 1)
				go func() { done <- p.lead(ctx) }() // ends by the gate, or with ctx
				return done
			}
			done := run()
			testbed.Eventually(t, 10*time.Second, "the first stored", func(context.Context) bool { return ticksState(t, js).LastSeq == 100 })
			g.shut.Store(true)
			hear(1)
			<-g.asked // with this one in hand
			hear(199)
			another := testAppender(js, ProcessSafe)
			another.reach(t)
			all, _ := others.takeNow(nil, 1000)
			var msgs []*nats.Msg
			for i := range all[100:250] {
				msg := nats.NewMsg(stream.TickSubject("A"))
				msg.Header.Set(idHeader, other.id(all[100+i].at))
				msgs = append(msgs, msg)
			}
			if err := another.append(t.Context(), 0, msgs, time.Now(), false); err != nil {
				t.Fatal(err)
			}
			if noticed {
				g.answers <- nil // it is refused, and finds what it has in hand
				<-g.asked
				g.shut.Store(false)
				g.answers <- errYielded
				if err := <-done; !errors.Is(err, errYielded) {
					t.Fatal(err)
				}
				p.backlog.giveBack()
				done = run()
			} else {
				g.shut.Store(false)
				g.answers <- nil
			}
			testbed.Eventually(t, 10*time.Second, "all stored", func(context.Context) bool { return ticksState(t, js).LastSeq >= 300 })
			cancel()
			<-done
			expectCount(t, js, 300)
		})
	}
}
