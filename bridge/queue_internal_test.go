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

func numbered(n int) message { return message{payload: strconv.Itoa(n)} }

func TestQueueKeepsOrderOverManyChunks(t *testing.T) {
	q := newQueue(1 << 30)
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
	if ticks, _, _ := q.depth(); ticks == 0 {
		t.Error("what was taken and not released is not counted")
	}
	q.release(false)
	if ticks, bytes, shed := q.depth(); ticks != 0 || bytes != 0 || shed != 0 {
		t.Errorf("depth = %d, %d bytes, %d shed; want empty", ticks, bytes, shed)
	}
}

func TestQueueShedsTheOldestAndCountsThem(t *testing.T) {
	one := numbered(0)
	q := newQueue(10 * one.size())
	q.put(message{watermark: time.Unix(1, 0)})
	for i := range 25 {
		q.put(numbered(i % 10))
	}
	ticks, bytes, shed := q.depth()
	if ticks != 10 || bytes > 10*one.size() || shed != 15 {
		t.Errorf("depth = %d ticks, %d bytes, %d shed; want the newest 10 and 15 shed (a mark is none)", ticks, bytes, shed)
	}
	batch, err := q.take(t.Context(), nil, 100)
	if err != nil || batch[0].payload != "5" {
		t.Errorf("oldest left is %q, %v; want 5", batch[0].payload, err)
	}
}

func TestQueueWithRoomForNoneStillTakesOne(t *testing.T) {
	q := newQueue(1)
	q.put(numbered(1))
	q.put(numbered(2))
	if ticks, _, shed := q.depth(); ticks != 1 || shed != 1 {
		t.Errorf("%d ticks, %d shed; want 1 and 1", ticks, shed)
	}
}

func TestPutWaitWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one := numbered(0)
		q := newQueue(2 * one.size())
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

func TestTakeEndsWithTheQueueOrTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(1 << 20)
		q.put(numbered(1))
		q.close()
		if batch, err := q.take(t.Context(), nil, 10); err != nil || len(batch) != 1 {
			t.Errorf("what was put before close: %d, %v", len(batch), err)
		}
		if _, err := q.take(t.Context(), nil, 10); !errors.Is(err, errQueueClosed) {
			t.Errorf("after close: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := newQueue(1).take(ctx, nil, 10); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("with nothing to take: %v", err)
		}
	})
}

func BenchmarkQueue(b *testing.B) {
	q := newQueue(1 << 30)
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
