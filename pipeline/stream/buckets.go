package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// The key-value buckets.
const (
	// HealthBucket holds the latest health event and the current session.
	HealthBucket = "tickstream_health"
	// ComponentsBucket holds what each running component says of itself.
	ComponentsBucket = "tickstream_components"
	// LeasesBucket holds who leads: one key a role.
	LeasesBucket = "tickstream_leases"
	// CheckpointsBucket holds the pipeline's state by partition.
	CheckpointsBucket = "tickstream_checkpoints"

	// LatestHealthKey and CurrentSessionKey are the keys of [HealthBucket].
	LatestHealthKey   = "latest"
	CurrentSessionKey = "session"
)

const (
	// LeaseTTL is how long a lease outlives its holder's last renewal.
	LeaseTTL = 1500 * time.Millisecond
	// ComponentTTL is how long a component counts as present after it last spoke.
	ComponentTTL = 10 * time.Second
)

// A bucket-wide TTL, because an update of a key would drop the key's own. On
// file even where a value lives for seconds: a bucket in memory would be gone
// with its server, and with it every lease.
var buckets = []struct {
	name        string
	description string
	ttl         time.Duration
}{
	{HealthBucket, "latest health event and current session", 0},
	{ComponentsBucket, "what each running component says of itself", ComponentTTL},
	{LeasesBucket, "who leads, one key a role", LeaseTTL},
	{CheckpointsBucket, "pipeline state by partition", 0},
}

// ensureBuckets makes what is missing with fresh replicas, and gives what is
// there the replicas that were asked for, if any were.
func ensureBuckets(ctx context.Context, js jetstream.JetStream, asked, fresh int, log *slog.Logger) error {
	for _, bucket := range buckets {
		kv, err := js.KeyValue(ctx, bucket.name)
		if errors.Is(err, jetstream.ErrBucketNotFound) {
			_, err = js.CreateKeyValue(ctx, jetstream.KeyValueConfig{
				Bucket:      bucket.name,
				Description: bucket.description,
				TTL:         bucket.ttl,
				Storage:     jetstream.FileStorage,
				Replicas:    fresh,
				History:     1,
			})
			if err == nil {
				log.Info("created bucket", "bucket", bucket.name, "replicas", fresh)
				continue
			}
			if !errors.Is(err, jetstream.ErrBucketExists) {
				return fmt.Errorf("create bucket %s: %w%s", bucket.name, err, mend(err))
			}
			kv, err = js.KeyValue(ctx, bucket.name)
		}
		if err != nil {
			return fmt.Errorf("look up bucket %s: %w", bucket.name, err)
		}
		status, err := kv.Status(ctx)
		if err != nil {
			return fmt.Errorf("read the status of bucket %s: %w", bucket.name, err)
		}
		have := status.Config()
		want := have
		want.TTL = bucket.ttl // what the code counts on, and no setting
		if asked != 0 {
			want.Replicas = asked
		}
		if have.TTL == want.TTL && have.Replicas == want.Replicas {
			continue
		}
		if want.Replicas < have.Replicas {
			log.Warn("a bucket is to have fewer copies", "bucket", bucket.name, "had", have.Replicas, "replicas", want.Replicas)
		}
		if _, err := js.UpdateKeyValue(ctx, want); err != nil {
			return fmt.Errorf("update bucket %s: %w%s", bucket.name, err, mend(err))
		}
		log.Info("updated bucket", "bucket", bucket.name, "ttl", want.TTL, "replicas", want.Replicas)
	}
	return nil
}
