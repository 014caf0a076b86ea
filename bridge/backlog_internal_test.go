package bridge

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func memoryBacklog(maxBytes int64) *backlog { return newBacklog(maxBytes, nil, newAlignment(), quiet) }

func numbered(n int) message { return message{payload: strconv.Itoa(n)} }

func TestBacklogKeepsOrderOverManyChunks(t *testing.T) {
	q := memoryBacklog(1 << 30)
	const n = 3*chunkLength + 17
	next := 0
	take := func(limit int) {
		batch, err := q.take(t.Context(), nil, limit)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range batch {
			if m.payload != strconv.Itoa(next) {
				t.Fatalf("took %s, want %d", m.payload, next)
			}
			next++
		}
	}
	for i := range n {
		q.put(numbered(i))
		if i%3 == 0 {
			take(1)
		}
	}
	for next < n {
		take(1000)
	}
	if q.depth().ticks == 0 {
		t.Error("what was taken and not settled is not counted")
	}
	settle(t, q, len(q.hand.messages))
	if d := q.depth(); d != (depth{}) {
		t.Errorf("depth = %+v; want empty", d)
	}
}

func TestBacklogShedsTheOldestAndCountsThem(t *testing.T) {
	one := numbered(0)
	q := memoryBacklog(10 * one.size())
	q.put(message{watermark: time.Unix(1, 0)})
	for i := range 25 {
		q.put(numbered(i % 10))
	}
	if d := q.depth(); d.ticks != 10 || d.bytes > 10*one.size() || d.shed != 15 {
		t.Errorf("depth = %+v; want the newest 10 and 15 shed (a mark is none)", d)
	}
	batch, err := q.take(t.Context(), nil, 100)
	if err != nil || batch[0].payload != "5" {
		t.Errorf("oldest left is %q, %v; want 5", batch[0].payload, err)
	}
}

func TestBacklogWithRoomForNoneStillTakesOne(t *testing.T) {
	q := memoryBacklog(1)
	q.put(numbered(1))
	q.put(numbered(2))
	if d := q.depth(); d.ticks != 1 || d.shed != 1 {
		t.Errorf("%+v; want 1 and 1 shed", d)
	}
}

func TestPutWaitWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one := numbered(0)
		q := memoryBacklog(2 * one.size())
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		put := 0
		wg.Go(func() {
			for i := range 5 {
				if err := q.putWait(ctx, numbered(i)); err != nil {
					t.Errorf("put %d: %v", i, err)
				}
				put++
			}
			if err := q.putWait(ctx, numbered(5)); !errors.Is(err, context.Canceled) {
				t.Errorf("put after cancel = %v", err)
			}
		})
		for taken := 0; taken < 3; taken++ {
			synctest.Wait()
			if put != taken+2 {
				t.Fatalf("%d put with room for 2 and %d taken", put, taken)
			}
			if _, err := q.take(ctx, nil, 1); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		cancel()
		wg.Wait()
	})
}

func TestTakeEndsWithTheBacklogOrTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := memoryBacklog(1 << 20)
		q.put(numbered(1))
		q.close()
		if batch, err := q.take(t.Context(), nil, 10); err != nil || len(batch) != 1 {
			t.Errorf("what was put before close: %d, %v", len(batch), err)
		}
		if _, err := q.take(t.Context(), nil, 10); !errors.Is(err, errBacklogClosed) {
			t.Errorf("after close: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := memoryBacklog(1).take(ctx, nil, 10); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("with nothing to take: %v", err)
		}
	})
}

func settle(t *testing.T, q *backlog, n int) {
	t.Helper()
	q.settle(n, place{})
}

// What is given back comes first again, in its order.
func TestWhatIsGivenBackComesFirst(t *testing.T) {
	q := memoryBacklog(1 << 30)
	const n = 2*chunkLength + 100
	for i := range n {
		q.put(numbered(i))
	}
	next := 0
	for limit := 1; next < n; limit = limit*2%5000 + 1 {
		batch, err := q.take(t.Context(), nil, limit)
		if err != nil {
			t.Fatal(err)
		}
		half := (len(batch) + 1) / 2
		for i := range half {
			if batch[i].payload != strconv.Itoa(next) {
				t.Fatalf("took %s, want %d", batch[i].payload, next)
			}
			next++
		}
		settle(t, q, half)
		q.giveBack()
		if d := q.depth(); d.ticks != int64(n-next) {
			t.Fatalf("%d wait, want %d", d.ticks, n-next)
		}
	}
}

func BenchmarkBacklog(b *testing.B) {
	q := memoryBacklog(1 << 30)
	batch := make([]message, 0, 500)
	m := message{payload: string(make([]byte, 110)), receivedAt: time.Now()}
	b.ReportAllocs()
	for i := range b.N {
		q.put(m)
		if i%500 == 499 {
			var err error
			if batch, err = q.take(b.Context(), batch[:0], 500); err != nil {
				b.Fatal(err)
			}
		}
	}
}
