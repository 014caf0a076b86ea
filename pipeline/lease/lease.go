// Package lease elects one leader among processes by a key of a NATS
// key-value bucket with a bucket-wide TTL.
package lease

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Config of a lease.
type Config struct {
	// Key names what is led, such as "health".
	Key string
	// Holder identifies this process among the candidates; no two may share it.
	Holder string
	// TTL is the bucket's: a holder that has not renewed for so long has lost
	// the lease. At least 300 ms.
	TTL time.Duration
	// Wanted tells whether to campaign now; nil means always. It is not asked
	// while the lease is held: lead gives a lease up by returning.
	Wanted func() bool
	// Refused is called by Run after each campaign that was not won, with who
	// holds the lease, or "" where that cannot be told because NATS is away or
	// the bucket is missing. Optional; it must not wait.
	Refused func(holder string)
}

// Lease is a candidacy. [Lease.Run] is its whole life.
type Lease struct {
	cfg    Config
	bucket func(context.Context) (jetstream.KeyValue, error)
	log    *slog.Logger

	began time.Time
	seen  sighting
	until atomic.Int64 // end of the tenure, as nanoseconds since began; 0 where there is none
}

// New makes a candidacy. The bucket is looked up at each campaign, so that it
// may come into being after the candidate.
func New(cfg Config, bucket func(context.Context) (jetstream.KeyValue, error), log *slog.Logger) (*Lease, error) {
	switch {
	case cfg.Key == "" || cfg.Holder == "":
		return nil, errors.New("lease: key and holder must be set")
	case cfg.TTL < 300*time.Millisecond:
		return nil, fmt.Errorf("lease %s: TTL is %v: give at least 300ms", cfg.Key, cfg.TTL)
	}
	return &Lease{cfg: cfg, bucket: bucket, log: log, began: time.Now()}, nil
}

// Run campaigns until ctx ends. Whenever it holds the lease it runs lead, whose
// context ends when the lease is lost or ctx ends; lead must then return. Run
// returns nil when ctx has ended, or the error that lead returned by itself.
func (l *Lease) Run(ctx context.Context, lead func(context.Context) error) error {
	retry := time.NewTicker(l.cfg.TTL / 10)
	defer retry.Stop()
	for {
		if l.cfg.Wanted != nil && !l.cfg.Wanted() {
			// Not now.
		} else if held, ok := l.acquire(ctx); ok {
			if err := l.hold(ctx, held, lead); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-retry.C:
		}
	}
}

// Held tells whether the lease is certainly held at this moment. A process that
// was stopped for longer than the TTL learns it here before it learns it by the
// end of lead's context.
func (l *Lease) Held() bool { return int64(time.Since(l.began)) < l.until.Load() }

// tenure is a lease that is held: its bucket, the revision of the last renewal
// and when that renewal was asked for.
type tenure struct {
	bucket   jetstream.KeyValue
	revision uint64
	renewed  time.Time
}

func (l *Lease) acquire(ctx context.Context) (*tenure, bool) {
	campaign, cancel := context.WithTimeout(ctx, l.cfg.TTL/2)
	defer cancel()
	held, holder := l.campaign(campaign)
	if held == nil && ctx.Err() == nil && l.cfg.Refused != nil {
		l.cfg.Refused(holder)
	}
	return held, held != nil
}

// campaign takes the lease, or tells who holds it where that can be told.
func (l *Lease) campaign(ctx context.Context) (held *tenure, holder string) {
	bucket, err := l.bucket(ctx)
	if err != nil {
		return nil, ""
	}
	asked := time.Now()
	revision, err := bucket.Create(ctx, l.cfg.Key, []byte(l.cfg.Holder))
	if err == nil {
		return &tenure{bucket: bucket, revision: revision, renewed: asked}, ""
	}
	entry, err := bucket.Get(ctx, l.cfg.Key)
	if err != nil {
		return nil, ""
	}
	if holder := string(entry.Value()); holder != l.cfg.Holder && !l.overdue(entry.Revision()) {
		return nil, holder
	}
	// Lost to an outage, and nobody took it since; or its holder has not renewed
	// it in time, and the server has not come to clear it away.
	asked = time.Now()
	revision, err = bucket.Update(ctx, l.cfg.Key, []byte(l.cfg.Holder), entry.Revision())
	if err != nil {
		return nil, ""
	}
	return &tenure{bucket: bucket, revision: revision, renewed: asked}, ""
}

// sighting is when a revision of another's was seen first.
type sighting struct {
	revision uint64
	at       time.Time
}

// overdue tells whether a revision has stood for nearly the TTL, by this process's
// own clock, so that whoever wrote it has ended its tenure.
func (l *Lease) overdue(revision uint64) bool {
	if l.seen.revision != revision {
		l.seen = sighting{revision, time.Now()}
	}
	return time.Since(l.seen.at) > l.cfg.TTL*7/8
}

// hold runs lead and renews until either ends. The tenure counts from when a
// renewal was asked for, so it ends here before it ends in the bucket.
func (l *Lease) hold(ctx context.Context, held *tenure, lead func(context.Context) error) error {
	l.log.Debug("lease taken", "lease", l.cfg.Key, "holder", l.cfg.Holder)
	l.extend(held)
	defer l.until.Store(0)
	leadCtx, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- lead(leadCtx) }() // ends when leadCtx ends; received below on every path

	renew := time.NewTimer(untilRenewal(l.cfg.TTL / 4))
	defer renew.Stop()
	for {
		select {
		case err := <-done:
			l.release(held)
			return err
		case <-ctx.Done():
			err := <-done
			l.release(held)
			return err
		case <-renew.C:
			if l.renew(ctx, held) {
				l.extend(held)
				renew.Reset(untilRenewal(l.cfg.TTL / 4))
				continue
			}
			l.log.Warn("lease lost", "lease", l.cfg.Key, "holder", l.cfg.Holder)
			stop()
			return <-done
		}
	}
}

// started is from when all leases of a process count their renewals.
var started = time.Now()

// untilRenewal has the leases of a process renewed at the same moments, so that
// they share their way to the server and back.
func untilRenewal(every time.Duration) time.Duration {
	return every - time.Since(started)%every
}

func (l *Lease) extend(held *tenure) {
	l.until.Store(int64(l.end(held).Sub(l.began)))
}

// end is when a tenure ends that is not renewed: well before anybody else can
// take the lease, as [Lease.overdue] or the bucket's TTL says.
func (l *Lease) end(held *tenure) time.Time { return held.renewed.Add(l.cfg.TTL * 3 / 4) }

// renew reports whether the lease is still held: refused means another has it,
// unless what is stored is a renewal of ours whose answer was lost; anything
// else means to try again until the TTL is nearly over.
func (l *Lease) renew(ctx context.Context, held *tenure) bool {
	deadline := l.end(held)
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	asked := time.Now()
	revision, err := held.bucket.Update(ctx, l.cfg.Key, []byte(l.cfg.Holder), held.revision)
	if refused(err) {
		var entry jetstream.KeyValueEntry
		entry, err = held.bucket.Get(ctx, l.cfg.Key)
		if errors.Is(err, jetstream.ErrKeyNotFound) || err == nil && string(entry.Value()) != l.cfg.Holder {
			return false
		}
		if err == nil {
			asked = time.Now()
			revision, err = held.bucket.Update(ctx, l.cfg.Key, []byte(l.cfg.Holder), entry.Revision())
		}
	}
	if err == nil {
		held.revision, held.renewed = revision, asked
		return true
	}
	return time.Now().Before(deadline)
}

// The server's codes for a revision that is not the expected one, the second
// that of a replicated bucket.
const (
	wrongRevision           jetstream.ErrorCode = 10071
	wrongRevisionReplicated jetstream.ErrorCode = 10164
)

// refused tells that the bucket holds another revision than was expected.
func refused(err error) bool {
	var api jetstream.JetStreamError
	if !errors.As(err, &api) || api.APIError() == nil {
		return false
	}
	code := api.APIError().ErrorCode
	return code == wrongRevision || code == wrongRevisionReplicated
}

// release gives the lease back at once, if it is still ours.
func (l *Lease) release(held *tenure) {
	ctx, cancel := context.WithTimeout(context.Background(), l.cfg.TTL/2)
	defer cancel()
	if err := held.bucket.Purge(ctx, l.cfg.Key, jetstream.LastRevision(held.revision)); err != nil {
		l.log.Debug("lease left to expire", "lease", l.cfg.Key, "err", err)
	}
}
