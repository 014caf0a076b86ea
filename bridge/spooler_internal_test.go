package bridge

import (
	"strconv"
	"testing"
	"time"

	"github.com/tickstock/tickstream/bridge/spool"
)

func spoolingBacklog(t *testing.T, cfg spool.Config, maxBytes int64) (*backlog, *alignment) {
	t.Helper()
	names := newAlignment()
	cfg.Visit = names.restore
	disk, _, err := spool.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = disk.Close() })
	return newBacklog(maxBytes, disk, names, quiet), names
}

func spill(t *testing.T, b *backlog) {
	t.Helper()
	if err := b.spill(); err != nil {
		t.Fatal(err)
	}
}

// Order is that of the source, wherever a message waits.
func TestOrderHoldsOverHandDiskAndMemory(t *testing.T) {
	cfg := spool.Config{Dir: t.TempDir(), SegmentBytes: 4096}
	b, names := spoolingBacklog(t, cfg, 1<<30)
	ordinal := names.heard(newBeatName(), -1)
	next, put := 0, 0
	feed := func(n int) {
		for range n {
			m := numbered(put)
			put++
			m.at, m.receivedAt = position{ordinal, int32(put)}, time.UnixMilli(int64(put))
			b.put(m)
		}
	}
	take := func(b *backlog, limit, settled int) {
		t.Helper()
		batch, _ := b.takeNow(nil, limit)
		for i := range min(settled, len(batch)) {
			if m := batch[i]; m.payload != strconv.Itoa(next) || m.at.n != int32(next+1) || m.receivedAt.UnixMilli() != int64(next+1) {
				t.Fatalf("took %+v, want %d", m, next)
			}
			next++
		}
		settle(t, b, min(settled, len(batch)))
	}
	feed(100)
	take(b, 40, 10) // 30 stay in hand
	spill(t, b)     // behind which 60 go to disk
	feed(50)
	if d := b.depth(); d.ticks != 140 || d.spooledTicks != 90 {
		t.Fatalf("depth %+v", d)
	}
	settle(t, b, 5) // of what is in hand
	next += 5
	b.giveBack()
	take(b, 7, 7)
	b.giveBack()
	take(b, 1000, 20)
	b.giveBack()
	spill(t, b)
	feed(10) // these die with the process
	if err := b.spool.Close(); err != nil {
		t.Fatal(err)
	}
	again, _ := spoolingBacklog(t, cfg, 1<<30)
	for next < 150 {
		take(again, 64, 64)
		again.giveBack()
	}
	if d := again.depth(); d.ticks != 0 || d.spooledBytes != 0 {
		t.Errorf("left: %+v", d)
	}
}

// The disk is full and then memory: the oldest goes, and exactly that is counted.
func TestOldestIsShedWhenDiskAndMemoryAreFull(t *testing.T) {
	b, _ := spoolingBacklog(t, spool.Config{Dir: t.TempDir(), MaxBytes: 20_000, SegmentBytes: 2000}, 20_000)
	const n = 1000
	first := -1
	for i := range n {
		b.put(numbered(i))
		_ = b.spill() // full now and then
	}
	got := int64(0)
	for {
		batch, _ := b.takeNow(nil, 100)
		if len(batch) == 0 {
			break
		}
		if first < 0 {
			first, _ = strconv.Atoi(batch[0].payload)
		}
		for i := range batch {
			if want := strconv.Itoa(first + int(got)); batch[i].payload != want {
				t.Fatalf("took %s, want %s", batch[i].payload, want)
			}
			got++
		}
		settle(t, b, len(batch))
		b.giveBack()
	}
	if d := b.depth(); d.shed != n-got || d.shed == 0 || d.shed != int64(first) {
		t.Errorf("%d read from %d on, depth %+v", got, first, d)
	}
}

// What is in hand is being published: it is neither lost nor counted so.
func TestWhatIsInHandIsNotShed(t *testing.T) {
	b, _ := spoolingBacklog(t, spool.Config{Dir: t.TempDir(), MaxBytes: 8000, SegmentBytes: 1000}, 1<<20)
	for i := range 5 {
		b.put(numbered(i))
	}
	batch, _ := b.takeNow(nil, 5)
	for i := range 55 {
		b.put(numbered(5 + i))
		spill(t, b)
	}
	if err := b.dropOldest(); err != nil {
		t.Fatal(err)
	}
	shed := b.depth().shed
	if shed <= 0 {
		t.Fatalf("%d shed", shed)
	}
	settle(t, b, len(batch))
	b.giveBack()
	left, _ := b.takeNow(nil, 100)
	if want := strconv.Itoa(5 + int(shed)); left[0].payload != want {
		t.Errorf("next is %s, want %s", left[0].payload, want)
	}
}

func TestMarksAndGapsKeepTheirPlaceInTheSpool(t *testing.T) {
	b, names := spoolingBacklog(t, spool.Config{Dir: t.TempDir()}, 1<<30)
	at := position{beat: names.heard(newBeatName(), -1)}
	now := time.Now().Round(0)
	all := []message{
		{watermark: now, receivedAt: now, at: at},
		{gap: &missed{From: now.Add(-time.Second), To: now, Reason: "cut"}, receivedAt: now, at: at},
		{payload: "cut off", reason: "payload_too_large", detail: "9 bytes", wholeSize: 9, receivedAt: now, at: at},
	}
	for _, m := range all {
		b.put(m)
	}
	spill(t, b)
	batch, _ := b.takeNow(nil, 10)
	if len(batch) != 3 {
		t.Fatalf("took %d", len(batch))
	}
	if !batch[0].watermark.Equal(now) || batch[1].gap == nil || !batch[1].gap.To.Equal(now) || batch[1].gap.Reason != "cut" {
		t.Errorf("mark and gap: %+v %+v", batch[0], batch[1])
	}
	if m := batch[2]; m.reason != "payload_too_large" || m.detail != "9 bytes" || m.wholeSize != 9 || m.payload != "cut off" || m.at != at {
		t.Errorf("refused: %+v", m)
	}
	if d := b.depth(); d.ticks != 1 || d.spooledTicks != 1 {
		t.Errorf("depth %+v", d)
	}
}

func FuzzSpooledMessage(f *testing.F) {
	f.Add([]byte(`{"id":"ABCDEFGHIJ.1","at":1}` + "\npayload"))
	f.Add([]byte("{}\n"))
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, data []byte) {
		names := newAlignment()
		r := spool.Record{Data: data}
		names.restore(r)
		m := names.decode(r)
		if m.reason == reasonUnreadable && m.payload != string(data) {
			t.Errorf("what cannot be read is changed: %q", m.payload)
		}
		if _, err := names.encode(&m); err != nil {
			t.Error(err)
		}
	})
}
