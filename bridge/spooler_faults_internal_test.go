package bridge

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tickstock/tickstream/bridge/spool"
)

// fullDisk plays a disk without room for segments.
type fullDisk struct{ full atomic.Bool }

type diskFile struct {
	*os.File
	disk *fullDisk
}

func (d *fullDisk) open(name string, flag int, perm os.FileMode) (spool.File, error) {
	file, err := os.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &diskFile{file, d}, nil
}

func (f *diskFile) WriteAt(b []byte, at int64) (int, error) {
	if f.disk.full.Load() && strings.HasSuffix(f.Name(), ".segment") {
		return 0, syscall.ENOSPC
	}
	return f.File.WriteAt(b, at)
}

// takeAll takes and settles all that waits and returns it.
func takeAll(b *backlog) (payloads []string) {
	for {
		batch, _ := b.takeNow(nil, 100)
		if len(batch) == 0 {
			return payloads
		}
		for i := range batch {
			payloads = append(payloads, batch[i].payload)
		}
		b.settle(len(batch), place{})
	}
}

// expectRun checks that payloads are the numbers from first on.
func expectRun(t *testing.T, payloads []string, first, n int) {
	t.Helper()
	if len(payloads) != n {
		t.Fatalf("%d messages, want %d", len(payloads), n)
	}
	for i, payload := range payloads {
		if payload != strconv.Itoa(first+i) {
			t.Fatalf("message %d is %s, want %d", i, payload, first+i)
		}
	}
}

// A full disk: then memory, then the oldest goes with an exact count, and when
// there is room again all goes on in order.
func TestFullDiskIsSteppedBackToMemory(t *testing.T) {
	disk := &fullDisk{}
	one := numbered(100)
	b, _ := spoolingBacklog(t, spool.Config{Dir: t.TempDir(), OpenFile: disk.open}, 400*one.size())
	put := 100
	feed := func(n int) {
		for range n {
			b.put(numbered(put))
			put++
		}
	}
	feed(100)
	spill(t, b)
	disk.full.Store(true)
	feed(200)
	if err := b.spill(); !errors.Is(err, spool.ErrFull) {
		t.Fatalf("spill = %v", err)
	}
	if d := b.depth(); d.shed != 0 || d.spooledTicks != 100 || d.ticks != 300 {
		t.Fatalf("with room in memory: %+v", d)
	}
	feed(150) // memory is three quarters full: what is on disk is the oldest
	if err := b.spill(); !errors.Is(err, spool.ErrFull) {
		t.Fatalf("spill = %v", err)
	}
	if d := b.depth(); d.shed != 100 || d.spooledTicks != 0 || d.ticks != 350 {
		t.Fatalf("with disk and memory full: %+v", d)
	}
	feed(100) // and now memory itself
	if d := b.depth(); d.shed != 150 || d.ticks != 400 {
		t.Fatalf("with memory full: %+v", d)
	}
	disk.full.Store(false)
	spill(t, b)
	feed(10)
	expectRun(t, takeAll(b), 250, 410)
}

// The failure stays told for as long as it lasts.
func TestSpoolFailureDoesNotFlicker(t *testing.T) {
	disk := &fullDisk{}
	disk.full.Store(true)
	b, _ := spoolingBacklog(t, spool.Config{Dir: t.TempDir(), OpenFile: disk.open}, 1<<20)
	b.bePatient(0)
	go b.runSpooler(t.Context()) // ends with the test
	b.put(numbered(1))
	deadline := time.Now().Add(10 * time.Second)
	for b.depth().failure == "" {
		if time.Now().After(deadline) {
			t.Fatal("no failure is told")
		}
		time.Sleep(time.Millisecond)
	}
	for range 2000 {
		if b.depth().failure == "" {
			t.Fatal("the failure is gone, though the disk is full")
		}
		time.Sleep(100 * time.Microsecond)
	}
	disk.full.Store(false)
	for b.depth().failure != "" || b.depth().spooledTicks != 1 {
		if time.Now().After(deadline) {
			t.Fatalf("depth %+v", b.depth())
		}
		time.Sleep(time.Millisecond)
	}
}

// What was in hand when the disk gave up its part comes first when it is given
// back, before all that is still on disk.
func TestWhatIsGivenBackComesBeforeTheDisk(t *testing.T) {
	b, _ := spoolingBacklog(t, spool.Config{Dir: t.TempDir(), SegmentBytes: 300}, 1<<20)
	for i := range 60 {
		b.put(numbered(i))
		spill(t, b)
	}
	held, _ := b.takeNow(nil, 3)
	if err := b.dropOldest(); err != nil {
		t.Fatal(err)
	}
	b.settle(1, place{})
	b.giveBack()
	shed := int(b.depth().shed)
	if d := b.depth(); d.ticks != int64(59-shed) {
		t.Fatalf("%d wait, %d shed", d.ticks, shed)
	}
	rest := takeAll(b)
	expectRun(t, rest[:len(held)-1], 1, len(held)-1)
	expectRun(t, rest[len(held)-1:], len(held)+shed, 60-len(held)-shed)
}

// A gap that is given up with the ticks around it is reported all the same.
func TestGapsAreToldThoughTheyAreShed(t *testing.T) {
	now := time.Now()
	gap := message{gap: &missed{From: now.Add(-time.Second), To: now, Reason: "cut"}}
	for name, shed := range map[string]func(*backlog){
		"from memory": func(b *backlog) {
			for i := range 100 {
				b.put(numbered(i))
			}
		},
		"from disk": func(b *backlog) {
			spill(t, b)
			if err := b.dropOldest(); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			b, _ := spoolingBacklog(t, spool.Config{Dir: t.TempDir()}, 2000)
			var told []missed
			b.report = func(m missed) { told = append(told, m) }
			b.put(gap)
			shed(b)
			if len(told) != 1 || told[0].Reason != "cut" || !told[0].To.Equal(now) {
				t.Errorf("told %+v", told)
			}
		})
	}
}

// Whether a message may be stored already does not hang on clocks: the one of the
// host may be stepped between two lives of the bridge, or within one.
func TestWhatIsUnsureIsToldByItsPlace(t *testing.T) {
	cfg := spool.Config{Dir: t.TempDir()}
	b, names := spoolingBacklog(t, cfg, 1<<20)
	c := newCourse(names, b)
	c.beat(newBeatName())
	ahead := time.Now().Add(time.Hour) // a clock that is set back afterwards
	for i := range 3 {
		c.add(message{payload: strconv.Itoa(i), receivedAt: ahead})
	}
	spill(t, b)
	check := func(b *backlog, names *alignment) {
		t.Helper()
		led := batch{shared: true, upTo: names.heardLast()}
		c := newCourse(names, b)
		c.add(message{payload: "early", receivedAt: time.Now()})
		c.beat(newBeatName())
		c.add(message{payload: "late", receivedAt: time.Now()})
		all, _ := b.takeNow(nil, 10)
		b.giveBack()
		for i := range all {
			if got, want := led.unsure(&all[i]), all[i].payload != "late"; got != want {
				t.Errorf("%s: unsure %v, want %v", all[i].payload, got, want)
			}
		}
	}
	if err := b.spool.Close(); err != nil {
		t.Fatal(err)
	}
	again := newAlignment()
	cfg.Visit = again.restore
	disk, _, err := spool.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = disk.Close() })
	again.begin()
	check(newBacklog(1<<20, disk, again, quiet), again)
}
