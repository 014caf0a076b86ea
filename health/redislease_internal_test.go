package health

import (
	"context"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

// afterward calls done after each command, before its answer is read.
type afterward struct{ done func() }

func (a afterward) DialHook(next redis.DialHook) redis.DialHook { return next }

func (a afterward) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		defer a.done()
		return next(ctx, cmd)
	}
}

func (a afterward) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// A process that is stopped while it takes the lease must not leave it to
// expire: the next one could not publish until then.
func TestALeaseTakenWhileStoppingIsGivenBack(t *testing.T) {
	r := testbed.StartRedis(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	client := r.Client()
	if err := acquireScript.Load(ctx, client).Err(); err != nil {
		t.Fatal(err)
	}
	if err := releaseScript.Load(ctx, client).Err(); err != nil {
		t.Fatal(err)
	}
	client.AddHook(afterward{cancel})
	l := redisLease{client: client, key: r.Channels.HealthLeaseKey, holder: "a", note: func(error) {}, log: quietLog()}
	if err := l.run(ctx, func(context.Context) error { t.Error("it leads though it was stopped"); return nil }); err != nil {
		t.Fatal(err)
	}
	if n := r.Client().Exists(t.Context(), r.Channels.HealthLeaseKey).Val(); n != 0 {
		t.Error("the lease was left to expire")
	}
}
