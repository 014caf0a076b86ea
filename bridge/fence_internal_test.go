package bridge

import (
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

// begin sends the first messages of a batch that ends with the last of msgs, and
// waits until the server has them: the rest is on its way, or in the memory of a
// process that stands still.
func (a *appender) begin(t *testing.T, msgs []*nats.Msg, sent int) *fastBatch {
	t.Helper()
	if err := a.fast.listen(); err != nil {
		t.Fatal(err)
	}
	b := a.fast.begin()
	fenced := msgs[:1]
	if a.copies > 1 {
		fenced = msgs
	}
	a.fence(fenced)
	msgs[0].Header.Set(batchHeader, b.name)
	a.goOn(t, b, msgs, sent)
	return b
}

func (a *appender) goOn(t *testing.T, b *fastBatch, msgs []*nats.Msg, upTo int) {
	t.Helper()
	for b.sent < upTo {
		if err := b.send(msgs[b.sent], b.sent == len(msgs)-1); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.js.Conn().RequestWithContext(t.Context(), "$JS.API.INFO", nil); err != nil { // it has seen all before this
		t.Fatal(err)
	}
}

func (a *appender) reach(t *testing.T) {
	t.Helper()
	info, err := streamInfo(t.Context(), a.js, a.stream, a.timeout)
	if err != nil {
		t.Fatal(err)
	}
	a.last, a.copies = place{created: info.Created, seq: info.State.LastSeq}, info.Config.Replicas
}

func expectCount(t *testing.T, js jetstream.JetStream, want uint64) {
	t.Helper()
	if state := ticksState(t, js); state.Msgs != want {
		t.Errorf("TICKS holds %d messages, want %d", state.Msgs, want)
	}
}

// What comes of a batch late, over another connection, is not stored a second
// time, wherever the batch was cut off.
func TestRestOfABatchThatComesLateIsRefused(t *testing.T) {
	for name, cut := range map[string]int{"before the first": 0, "behind the first": 1, "in the middle": 60, "before the last": 99} {
		t.Run(name, func(t *testing.T) {
			server := testbed.StartNATS(t)
			js := ensured(t, server.JetStream())
			old := testAppender(server.JetStream(), ProcessSafe)
			old.reach(t)
			msgs := ticks("t.", 100)
			if cut == 0 {
				old.fence(msgs[:1]) // of what it took for the end then
			}
			var batch *fastBatch
			if cut > 0 {
				batch = old.begin(t, msgs, cut)
			}
			a := testAppender(js, ProcessSafe)
			if cut > 0 {
				a.open = batch.name
			}
			again := ticks("t.", 100)
			a.deliver(t, again)
			expectCount(t, js, 100)
			if cut == 0 {
				if err := old.fast.listen(); err != nil {
					t.Fatal(err)
				}
				batch = old.fast.begin()
			}
			old.goOn(t, batch, msgs, 100)
			expectCount(t, js, 100)
			if err := a.append(t.Context(), 0, ticks("next.", 10), time.Now(), false); err != nil {
				t.Fatal(err)
			}
			expectCount(t, js, 110)
		})
	}
}

// A bridge that takes over ends the batch in the middle of which the one before
// it stands still.
func TestPredecessorsBatchIsEnded(t *testing.T) {
	server := testbed.StartNATS(t)
	js := ensured(t, server.JetStream())
	old := testAppender(server.JetStream(), ProcessSafe)
	old.reach(t)
	if err := old.append(t.Context(), 0, ticks("first.", 500), time.Now(), false); err != nil {
		t.Fatal(err)
	}
	msgs := ticks("t.", 100)
	batch := old.begin(t, msgs, 40)
	a := testAppender(js, ProcessSafe)
	if err := a.endPredecessor(t.Context()); err != nil {
		t.Fatal(err)
	}
	old.goOn(t, batch, msgs, 100)
	expectCount(t, js, 540)
	a.deliver(t, ticks("t.", 100)) // of which 40 are there
	expectCount(t, js, 600)
}

// Two that write to one stream, as bridges of two sources do, hinder each other
// and lose nothing.
func TestOthersMayWriteBetween(t *testing.T) {
	for _, durability := range []Durability{ProcessSafe, PowerSafe} {
		t.Run(string(durability), func(t *testing.T) {
			server := testbed.StartNATS(t)
			js := ensured(t, server.JetStream())
			done := make(chan error, 2)
			for _, prefix := range []string{"a.", "b."} {
				one := testAppender(server.JetStream(), durability)
				go func() { // ends with the loop
					for n := range 50 {
						size := []int{1, 2, 300}[n%3]
						if err := one.append(t.Context(), 0, ticks(prefix+string(rune('A'+n))+".", size), time.Now(), false); err != nil {
							done <- err
							return
						}
					}
					done <- nil
				}()
			}
			for range 2 {
				if err := <-done; err != nil {
					t.Fatal(err)
				}
			}
			expectCount(t, js, 2*(17+2*17+300*16))
			found := newSearch(js, "TICKS", time.Second, time.Now().Add(-time.Hour), place{}, nil)
			ids := map[string]int{}
			found.visit = func(id string) { ids[id]++ }
			if err := found.run(t.Context()); err != nil {
				t.Fatal(err)
			}
			for id, n := range ids {
				if n != 1 {
					t.Errorf("%s is stored %d times", id, n)
				}
			}
		})
	}
}

// A batch that nobody took in, as while the stream was gone, is ended at once
// where somebody is there again, however many messages nobody was there for.
func TestBatchIntoADeletedStreamIsEnded(t *testing.T) {
	js := ensured(t, testbed.StartNATS(t).JetStream())
	a := testAppender(js, ProcessSafe)
	if err := a.append(t.Context(), 0, ticks("a.", 500), time.Now(), false); err != nil {
		t.Fatal(err)
	}
	if err := js.DeleteStream(t.Context(), a.stream); err != nil {
		t.Fatal(err)
	}
	d := &delivery{msgs: ticks("b.", 500), since: time.Now()}
	if err := a.attempt(t.Context(), 0, d); !gone(err) {
		t.Fatalf("into a deleted stream: %v", err)
	}
	ensured(t, js)
	if err := a.attempt(t.Context(), 0, d); err != nil {
		t.Fatal(err)
	}
	expectCount(t, js, 500)
}

// A batch in the middle of which the stream is full is ended, and the rest stored
// once there is room. Where the limit comes while a message is stored, the server
// counts that as on its way for good.
func TestBatchIntoAFullStreamIsEnded(t *testing.T) {
	js := ensured(t, testbed.StartNATS(t).JetStream())
	a := testAppender(js, ProcessSafe)
	s, err := js.Stream(t.Context(), a.stream)
	if err != nil {
		t.Fatal(err)
	}
	cfg := s.CachedInfo().Config
	cfg.Discard = jetstream.DiscardNew
	limit := func(bytes int64) {
		cfg.MaxBytes = bytes
		if _, err := js.UpdateStream(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
	}
	const rounds, batch = 40, 3000
	for round := range rounds {
		done := make(chan error, 1)
		go func() { // ends with the batch
			done <- a.append(t.Context(), 0, named(strconv.Itoa(round)+".", batch), time.Now(), false)
		}()
		limit(int64(ticksState(t, js).Bytes) + 1) //nolint:gosec // a size
		limit(1 << 30)
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("round %d: not stored, in %d attempts", round, a.retries.Load())
		}
	}
	expectCount(t, js, rounds*batch)
}
