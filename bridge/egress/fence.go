package egress

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/redis/go-redis/v9"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// A tenure has a token that is greater than that of every tenure before it.
// Redis keeps the greatest, in a hash, and publishes for its owner only: a write
// that was held up on its way, or comes from a process that was stopped right
// behind its look at the lease, finds another's token there.
//
// Beside the token stands how far each kind is, written in the same step as
// what was published up to there. So a batch whose answer was lost is not
// published again, and who takes over goes on where the one before really was.
var (
	// A token that nobody used for two minutes counts no more: the bucket that
	// makes them may have come back from an old copy.
	claimScript = redis.NewScript(`
local held = redis.call('HGET', KEYS[1], 'token')
local now = tonumber(redis.call('TIME')[1])
local used = tonumber(redis.call('HGET', KEYS[1], 'used') or 0)
if held and held > ARGV[1] and now - used < 120 then return 0 end
redis.call('HSET', KEYS[1], 'token', ARGV[1], 'used', now)
return 1`)
	publishScript = redis.NewScript(`
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 0 end
if ARGV[2] ~= '' and redis.call('HGET', KEYS[1], ARGV[2]) == ARGV[3] then return 1 end
local receivers = {}
for i = 4, #ARGV, 2 do receivers[#receivers + 1] = redis.call('PUBLISH', ARGV[i], ARGV[i + 1]) end
redis.call('HSET', KEYS[1], 'used', redis.call('TIME')[1])
if ARGV[2] ~= '' then redis.call('HSET', KEYS[1], ARGV[2], ARGV[3]) end
return receivers`)
)

var (
	// errFenced is returned where Redis holds no token, or not ours.
	errFenced = errors.New("redis does not know this process as the one that sends")
	// errNotLeading is returned where the lease may be another's by now.
	errNotLeading = errors.New("the lease ran out")
)

// place is how far a kind is: all before next of a stream is out.
type place struct {
	kind    string // empty: what is published has no place
	created int64  // Unix ns of the stream, which tells it from another of its name
	next    uint64
}

func (p place) String() string { return fmt.Sprintf("%d.%d", p.created, p.next) }

// fence guards the channels on Redis.
type fence struct {
	client redis.UniversalClient
	js     jetstream.JetStream
	key    string
	holder string

	mu    sync.Mutex
	token string // of this tenure; empty until it is known
}

func newFence(client redis.UniversalClient, js jetstream.JetStream, channels event.Channels, holder string) *fence {
	return &fence{client: client, js: js, key: channels.Indicators + ":sender", holder: holder}
}

// forget begins a tenure.
func (f *fence) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.token = ""
}

func (f *fence) current() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.token
}

// claim makes Redis publish for this tenure only. The error is [errNotLeading]
// where a later one has done so.
func (f *fence) claim(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.token == "" {
		token, err := f.readToken(ctx)
		if err != nil {
			return err
		}
		f.token = token
	}
	taken, err := claimScript.Run(ctx, f.client, []string{f.key}, f.token).Int()
	if err != nil {
		return fmt.Errorf("claim %s: %w", f.key, err)
	}
	if taken == 0 {
		f.token = "" // what was read may have been a replica's, behind its time
		return errNotLeading
	}
	return nil
}

// readToken is the lease's revision, which grows from holder to holder, below
// the age of the bucket that counts it. It compares as text.
func (f *fence) readToken(ctx context.Context) (string, error) {
	bucket, err := f.js.KeyValue(ctx, stream.LeasesBucket)
	if err != nil {
		return "", fmt.Errorf("open leases bucket: %w", err)
	}
	leases, err := f.js.Stream(ctx, "KV_"+stream.LeasesBucket)
	if err != nil {
		return "", fmt.Errorf("look up leases bucket: %w", err)
	}
	entry, err := bucket.Get(ctx, LeaseKey)
	if err != nil {
		return "", fmt.Errorf("read lease %s: %w", LeaseKey, err)
	}
	if string(entry.Value()) != f.holder {
		return "", errNotLeading
	}
	return fmt.Sprintf("%020d.%020d", leases.CachedInfo().Created.UnixNano(), entry.Revision()), nil
}

// find is how far a kind is by what Redis remembers of the stream made then; 0
// where it remembers nothing.
func (f *fence) find(ctx context.Context, kind string, created int64) (next uint64, err error) {
	value, err := f.client.HGet(ctx, f.key, kind).Result()
	if errors.Is(err, redis.Nil) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read %s of %s: %w", kind, f.key, err)
	}
	found := place{kind: kind}
	if _, err := fmt.Sscanf(value, "%d.%d", &found.created, &found.next); err != nil || found.created != created {
		return 0, nil //nolint:nilerr // of another stream, or of a foreign hand
	}
	return found.next, nil
}

// publish publishes all in order, in one step with the place that it reaches,
// and tells how many received each; none where an earlier try did. The error is
// [errFenced] where nothing was published because the fence must be claimed; any
// other leaves open what was.
func (f *fence) publish(ctx context.Context, out []publication, reaches place) (receivers []int64, err error) {
	args := make([]any, 0, 3+2*len(out))
	args = append(args, f.current(), reaches.kind, reaches.String())
	for _, p := range out {
		args = append(args, p.channel, p.payload)
	}
	reply, err := publishScript.Run(ctx, f.client, []string{f.key}, args...).Result()
	if err != nil {
		return nil, fmt.Errorf("publish to redis: %w", err)
	}
	switch reply := reply.(type) {
	case int64:
		if reply == 0 {
			return nil, errFenced
		}
		return nil, nil
	case []any:
		for _, count := range reply {
			if n, ok := count.(int64); ok {
				receivers = append(receivers, n)
			}
		}
	}
	if len(receivers) != len(out) {
		return nil, fmt.Errorf("publish to redis: %d of %d were answered", len(receivers), len(out))
	}
	return receivers, nil
}
