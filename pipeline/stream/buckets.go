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

// streamOf is the stream behind a bucket, as a client library would make it but
// for who answers a reader: the leader alone, because a replica that is behind
// shows a checkpoint that is half written, or a lease that is another's.
func streamOf(name, description string, ttl time.Duration, replicas int) jetstream.StreamConfig {
	duplicates := 2 * time.Minute
	if ttl > 0 {
		duplicates = min(duplicates, ttl)
	}
	return jetstream.StreamConfig{
		Name:              "KV_" + name,
		Description:       description,
		Subjects:          []string{"$KV." + name + ".>"},
		Storage:           jetstream.FileStorage,
		Replicas:          replicas,
		MaxAge:            ttl,
		Duplicates:        duplicates,
		MaxMsgsPerSubject: 1,
		MaxMsgs:           -1,
		MaxBytes:          -1,
		MaxMsgSize:        -1,
		MaxConsumers:      -1,
		Discard:           jetstream.DiscardNew,
		AllowRollup:       true,
		DenyDelete:        true,
	}
}

// ensureBuckets makes what is missing with fresh replicas, and gives what is
// there the replicas that were asked for, if any were.
func ensureBuckets(ctx context.Context, js jetstream.JetStream, asked, fresh int, log *slog.Logger) error {
	for _, bucket := range buckets {
		wanted := streamOf(bucket.name, bucket.description, bucket.ttl, fresh)
		have, err := lookUp(ctx, js, wanted.Name)
		if err != nil {
			return err
		}
		if have == nil {
			_, err := js.CreateStream(ctx, wanted)
			if err == nil {
				log.Info("created bucket", "bucket", bucket.name, "replicas", fresh)
				continue
			}
			if !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
				return fmt.Errorf("create bucket %s: %w%s", bucket.name, err, mend(err))
			}
			if have, err = lookUp(ctx, js, wanted.Name); err != nil || have == nil {
				return fmt.Errorf("look up bucket %s: %w", bucket.name, errors.Join(err, jetstream.ErrBucketNotFound))
			}
		}
		// What the code counts on is no setting.
		want := have.Config
		want.MaxAge, want.Duplicates, want.AllowDirect = wanted.MaxAge, wanted.Duplicates, wanted.AllowDirect
		if asked != 0 {
			want.Replicas = asked
		}
		if have.Config.MaxAge == want.MaxAge && have.Config.AllowDirect == want.AllowDirect && have.Config.Replicas == want.Replicas {
			continue
		}
		if want.Replicas < have.Config.Replicas {
			log.Warn("a bucket is to have fewer copies", "bucket", bucket.name, "had", have.Config.Replicas, "replicas", want.Replicas)
		}
		if _, err := js.UpdateStream(ctx, want); err != nil {
			return fmt.Errorf("update bucket %s: %w%s", bucket.name, err, mend(err))
		}
		log.Info("updated bucket", "bucket", bucket.name, "ttl", want.MaxAge, "replicas", want.Replicas)
	}
	return nil
}
