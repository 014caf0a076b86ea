package worker

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/stream"
)

const (
	leasePrefix   = presence.RolePipeline + "."
	shareInterval = 500 * time.Millisecond
	// aloneRounds is every how many rounds a worker looks that owns all.
	aloneRounds = 4
	// orphanedFor is how long a partition may be without an owner before a
	// worker takes it beyond its share: another one counts as present for a
	// while after it died.
	orphanedFor = 2 * time.Second
)

// LeaseKey is the lease of a partition in the leases' bucket.
func LeaseKey(partition int) string { return leasePrefix + strconv.Itoa(partition) }

// share decides which partitions this worker campaigns for and which it gives
// up, so that all present workers own as many, but for one.
type share struct {
	js         jetstream.JetStream
	components func(context.Context) (jetstream.KeyValue, error)
	instance   string
	partitions int
	leases     jetstream.Stream // nil until it was found

	mu     sync.Mutex
	quota  int
	owned  map[int]context.CancelFunc // gives the partition up
	free   map[int]time.Time          // since when a partition has no owner
	excess int                        // rounds for which too many were owned
}

func newShare(js jetstream.JetStream, instance string, partitions int) *share {
	return &share{
		js: js, components: stream.OpenBucket(js, stream.ComponentsBucket), instance: instance, partitions: partitions,
		quota: partitions, owned: map[int]context.CancelFunc{}, free: map[int]time.Time{},
	}
}

// wants tells whether to campaign for partition now.
func (s *share) wants(partition int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.owned) < s.quota {
		return true
	}
	since, free := s.free[partition]
	return free && time.Since(since) > orphanedFor
}

// own notes that partition is owned until disown; giveUp ends that.
func (s *share) own(partition int, giveUp context.CancelFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.owned[partition] = giveUp
	delete(s.free, partition)
}

func (s *share) disown(partition int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.owned, partition)
}

// run looks who is there until ctx ends. While that cannot be seen, all stays
// as it is.
func (s *share) run(ctx context.Context) error {
	ticker := time.NewTicker(shareInterval)
	defer ticker.Stop()
	for round := 0; ; round++ {
		if round%aloneRounds == 0 || !s.ownsAll() {
			if workers, held, err := s.look(ctx); err == nil {
				s.balance(workers, held, time.Now())
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// ownsAll tells that there is nothing to take: all that can come is a worker who
// wants a share.
func (s *share) ownsAll() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.owned) == s.partitions && s.quota == s.partitions
}

// look lists the workers that are present, this one among them, and the
// partitions that have an owner.
func (s *share) look(ctx context.Context) (workers []string, held map[int]bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	components, err := s.components(ctx)
	if err != nil {
		return nil, nil, err
	}
	reports, err := presence.List(ctx, components)
	if err != nil {
		return nil, nil, fmt.Errorf("list workers: %w", err)
	}
	workers = []string{s.instance}
	for _, r := range reports {
		if r.Role == presence.RolePipeline && r.Pipeline != nil && r.Pipeline.Works && !slices.Contains(workers, r.Instance) {
			workers = append(workers, r.Instance)
		}
	}
	slices.Sort(workers)
	held, err = s.held(ctx)
	return workers, held, err
}

// held are the partitions that have a lease, or had until a moment ago. The
// stream is asked for its subjects, because to list a bucket's keys makes a
// consumer and deletes it again, which costs a cluster two rounds of its own.
func (s *share) held(ctx context.Context) (map[int]bool, error) {
	if s.leases == nil {
		leases, err := s.js.Stream(ctx, "KV_"+stream.LeasesBucket)
		if err != nil {
			return nil, fmt.Errorf("look up bucket %s: %w", stream.LeasesBucket, err)
		}
		s.leases = leases
	}
	prefix := "$KV." + stream.LeasesBucket + "." + leasePrefix
	info, err := s.leases.Info(ctx, jetstream.WithSubjectFilter(prefix+"*"))
	if err != nil {
		return nil, fmt.Errorf("list leases: %w", err)
	}
	held := map[int]bool{}
	for subject := range info.State.Subjects {
		if p, err := strconv.Atoi(strings.TrimPrefix(subject, prefix)); err == nil {
			held[p] = true
		}
	}
	return held, nil
}

// balance sets this worker's quota and gives up one partition where it has too
// many: the first workers by name have one more where it does not come out even.
func (s *share) balance(workers []string, held map[int]bool, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quota = s.partitions / len(workers)
	if slices.Index(workers, s.instance) < s.partitions%len(workers) {
		s.quota++
	}
	for p := range s.partitions {
		if held[p] {
			delete(s.free, p)
		} else if _, known := s.free[p]; !known {
			s.free[p] = now
		}
	}
	if len(s.owned) <= s.quota {
		s.excess = 0
		return
	}
	s.excess++
	if s.excess < 2 {
		return // whoever is new may be gone again
	}
	surplus := len(s.owned) - s.quota
	for p := s.partitions - 1; p >= 0 && surplus > 0; p-- {
		if giveUp, ok := s.owned[p]; ok {
			giveUp()
			surplus--
		}
	}
}
