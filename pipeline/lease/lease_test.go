package lease_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/lease"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

const ttl = 600 * time.Millisecond

func bucket(t *testing.T, js jetstream.JetStream) func(context.Context) (jetstream.KeyValue, error) {
	t.Helper()
	_, err := js.CreateOrUpdateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "leases", TTL: ttl, Storage: jetstream.MemoryStorage})
	if err != nil {
		t.Fatalf("create bucket: %v", err)
	}
	return func(ctx context.Context) (jetstream.KeyValue, error) { return js.KeyValue(ctx, "leases") }
}

func candidate(t *testing.T, js jetstream.JetStream, holder string) *lease.Lease {
	t.Helper()
	l, err := lease.New(lease.Config{Key: "role", Holder: holder, TTL: ttl}, bucket(t, js), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatalf("new lease: %v", err)
	}
	return l
}

func TestOneLeadsAtATimeAndAnotherTakesOver(t *testing.T) {
	n := testbed.StartNATS(t)
	var leading, terms atomic.Int32
	cancels := map[string]context.CancelFunc{}
	var current atomic.Value
	var wg sync.WaitGroup
	for _, name := range []string{"a", "b", "c"} {
		ctx, cancel := context.WithCancel(t.Context())
		cancels[name] = cancel
		l := candidate(t, n.JetStream(), name)
		wg.Go(func() {
			err := l.Run(ctx, func(ctx context.Context) error {
				if leading.Add(1) > 1 {
					t.Error("two lead at once")
				}
				terms.Add(1)
				current.Store(name)
				<-ctx.Done()
				leading.Add(-1)
				return nil
			})
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	for term := int32(1); term <= 3; term++ {
		testbed.Eventually(t, 5*time.Second, "a leader", func(context.Context) bool { return terms.Load() == term && leading.Load() == 1 })
		cancels[current.Load().(string)]()
	}
	wg.Wait()
}

func TestLeaseIsLostWithTheServerAndWonAgain(t *testing.T) {
	n := testbed.StartNATS(t)
	l := candidate(t, n.JetStream(), "a")
	ctx, cancel := context.WithCancel(t.Context())
	var won, lost atomic.Int32
	done := make(chan error, 1)
	go func() {
		done <- l.Run(ctx, func(ctx context.Context) error {
			won.Add(1)
			<-ctx.Done()
			lost.Add(1)
			return nil
		})
	}()
	testbed.Eventually(t, 5*time.Second, "the lease", func(context.Context) bool { return won.Load() == 1 })
	n.Stop()
	testbed.Eventually(t, 2*ttl, "the loss, within the TTL", func(context.Context) bool { return lost.Load() == 1 })
	n.Start()
	bucket(t, n.JetStream()) // a memory bucket does not survive its server
	testbed.Eventually(t, 10*time.Second, "the lease again", func(context.Context) bool { return won.Load() == 2 })
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run = %v", err)
	}
}

func TestRefusedCandidateLearnsOfTheHolder(t *testing.T) {
	n := testbed.StartNATS(t)
	js := n.JetStream()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	led := make(chan struct{})
	first := candidate(t, js, "first")
	wg.Go(func() { // ends with cancel
		_ = first.Run(ctx, func(ctx context.Context) error { close(led); <-ctx.Done(); return nil })
	})
	<-led
	var holder atomic.Value
	second, err := lease.New(lease.Config{
		Key: "role", Holder: "second", TTL: ttl, Refused: func(by string) { holder.Store(by) },
	}, bucket(t, js), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	wg.Go(func() { // ends with cancel
		_ = second.Run(ctx, func(ctx context.Context) error { <-ctx.Done(); return nil })
	})
	testbed.Eventually(t, 5*time.Second, "the holder's name", func(context.Context) bool { return holder.Load() == "first" })
	n.Stop()
	testbed.Eventually(t, 5*time.Second, "that it cannot be told", func(context.Context) bool { return holder.Load() == "" })
	cancel()
	wg.Wait()
}

// The key outlives an outage that was too long for the holder to be sure of it.
func TestHolderTakesItsOwnLeaseUpAgain(t *testing.T) {
	n := testbed.StartNATS(t)
	open := bucket(t, n.JetStream())
	kv, err := open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.Create(t.Context(), "role", []byte("a")); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	done := errors.New("done")
	err = candidate(t, n.JetStream(), "a").Run(t.Context(), func(context.Context) error { return done })
	if !errors.Is(err, done) || time.Since(began) >= ttl {
		t.Errorf("Run = %v after %v, want the lease before it runs out", err, time.Since(began))
	}
}

func TestRunReturnsTheLeadersError(t *testing.T) {
	n := testbed.StartNATS(t)
	broken := errors.New("broken")
	if err := candidate(t, n.JetStream(), "a").Run(t.Context(), func(context.Context) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("Run = %v, want the leader's error", err)
	}
}

func TestNewRefusesBadConfig(t *testing.T) {
	for _, cfg := range []lease.Config{{}, {Key: "k", TTL: ttl}, {Holder: "h", TTL: ttl}, {Key: "k", Holder: "h", TTL: time.Millisecond}} {
		if _, err := lease.New(cfg, nil, slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("New(%+v) succeeded", cfg)
		}
	}
}

// forgetful is a bucket that stores the first renewal and loses the answer.
type forgetful struct {
	jetstream.KeyValue
	lost atomic.Int32
}

func (f *forgetful) Update(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	revision, err := f.KeyValue.Update(ctx, key, value, revision)
	if err == nil && f.lost.CompareAndSwap(0, 1) {
		return 0, context.DeadlineExceeded
	}
	return revision, err //nolint:wrapcheck // as the real one
}

func TestALostAnswerToARenewalLosesNoLease(t *testing.T) {
	js := testbed.StartNATS(t).JetStream()
	open := bucket(t, js)
	kv, err := open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	lossy := &forgetful{KeyValue: kv}
	l, err := lease.New(lease.Config{Key: "role", Holder: "a", TTL: ttl},
		func(context.Context) (jetstream.KeyValue, error) { return lossy, nil }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var terms atomic.Int32
	done := make(chan error, 1)
	go func() { // ends with cancel
		done <- l.Run(ctx, func(ctx context.Context) error { terms.Add(1); <-ctx.Done(); return nil })
	}()
	testbed.Eventually(t, 5*time.Second, "a lost answer", func(context.Context) bool { return lossy.lost.Load() == 1 })
	entry, err := kv.Get(t.Context(), "role")
	if err != nil {
		t.Fatal(err)
	}
	testbed.Eventually(t, 5*time.Second, "renewals after it", func(ctx context.Context) bool {
		now, err := kv.Get(ctx, "role")
		return err == nil && now.Revision() > entry.Revision()+2
	})
	if terms.Load() != 1 {
		t.Errorf("%d terms, want the one to go on", terms.Load())
	}

	// Another's value is the loss that it says.
	if _, err := kv.Put(t.Context(), "role", []byte("b")); err != nil {
		t.Fatal(err)
	}
	testbed.Eventually(t, 5*time.Second, "another term, once the other's has run out", func(context.Context) bool { return terms.Load() == 2 })
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run = %v", err)
	}
}

// The server clears a key away some time after its TTL; nobody waits for that.
func TestLeaseThatIsNotRenewedIsTakenOver(t *testing.T) {
	js := testbed.StartNATS(t).JetStream()
	kv, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "lasting", Storage: jetstream.MemoryStorage})
	if err != nil {
		t.Fatal(err)
	}
	revision, err := kv.Create(t.Context(), "role", []byte("b"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := lease.New(lease.Config{Key: "role", Holder: "a", TTL: ttl},
		func(context.Context) (jetstream.KeyValue, error) { return kv, nil }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var took atomic.Int64
	began := time.Now()
	done := make(chan error, 1)
	go func() { // ends with cancel
		done <- l.Run(ctx, func(ctx context.Context) error {
			took.Store(int64(time.Since(began)))
			<-ctx.Done()
			return nil
		})
	}()
	for range 4 { // as long as it is renewed it is not taken
		time.Sleep(ttl / 4)
		if revision, err = kv.Update(ctx, "role", []byte("b"), revision); err != nil {
			t.Fatal(err)
		}
	}
	if took.Load() != 0 {
		t.Fatal("taken from a holder that renews it")
	}
	testbed.Eventually(t, 10*time.Second, "the lease", func(context.Context) bool { return took.Load() != 0 })
	if after := time.Duration(took.Load()); after < ttl+ttl*7/8 {
		t.Errorf("taken over %v after the start, want the tenure over", after)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run = %v", err)
	}
}
