package bridge

import (
	"context"
	"testing"
	"time"

	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

// A batch that was ended is not under way again at the next leader of a stream with
// copies.
func TestEndedBatchDoesNotGoOnAtTheNextLeader(t *testing.T) {
	js := benchServers(t, 3, false)
	if _, err := stream.Await(t.Context(), js, stream.Config{Replicas: 3, TicksMaxBytes: 1 << 30, RejectsMaxBytes: 1 << 28}, quiet); err != nil {
		t.Fatal(err)
	}
	old, a := testAppender(js, ProcessSafe), testAppender(js, ProcessSafe)
	old.reach(t)
	msgs := named("t.", 100)
	batch := old.begin(t, msgs, 40)
	testbed.Eventually(t, 10*time.Second, "40 stored", func(context.Context) bool { return ticksState(t, js).Msgs == 40 })
	a.open = batch.name
	a.deliver(t, named("t.", 100))
	expectCount(t, js, 100)
	leaderOf := func(ctx context.Context) string {
		s, err := js.Stream(ctx, stream.Ticks)
		if err != nil || s.CachedInfo().Cluster == nil {
			return ""
		}
		return s.CachedInfo().Cluster.Leader
	}
	before := leaderOf(t.Context())
	if _, err := js.Conn().RequestWithContext(t.Context(), "$JS.API.STREAM.LEADER.STEPDOWN.TICKS", nil); err != nil {
		t.Fatal(err)
	}
	testbed.Eventually(t, 20*time.Second, "another leads", func(ctx context.Context) bool { l := leaderOf(ctx); return l != "" && l != before })
	old.goOn(t, batch, msgs, 100)
	if err := a.append(t.Context(), 0, named("next.", 10), time.Now(), false); err != nil { // behind those
		t.Fatal(err)
	}
	expectCount(t, js, 110)
}
