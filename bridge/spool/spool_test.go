package spool_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/tickstock/tickstream/bridge/spool"
)

func open(t testing.TB, cfg spool.Config) (*spool.Spool, spool.Recovery) {
	t.Helper()
	s, found, err := spool.Open(cfg)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { _ = s.Close() }) // closed by most tests already
	return s, found
}

func records(from, to int) []spool.Record {
	var all []spool.Record
	for n := from; n < to; n++ {
		all = append(all, spool.Record{Kind: spool.Kind(n % 2), Data: fmt.Appendf(nil, "record %d", n)})
	}
	return all
}

func appendAll(t testing.TB, s *spool.Spool, all []spool.Record) {
	t.Helper()
	for batch := range slices.Chunk(all, 7) {
		if err := s.Append(batch); err != nil {
			t.Fatalf("append: %v", err)
		}
	}
}

func readAll(t testing.TB, s *spool.Spool) (texts []string) {
	t.Helper()
	for {
		batch := s.Read(5)
		if len(batch) == 0 {
			return texts
		}
		for _, r := range batch {
			texts = append(texts, string(r.Data))
		}
	}
}

func expect(t testing.TB, got []string, from, to int) {
	t.Helper()
	var want []string
	for _, r := range records(from, to) {
		want = append(want, string(r.Data))
	}
	if !slices.Equal(got, want) {
		t.Fatalf("read %d records %.40q, want %d to %d", len(got), got, from, to)
	}
}

func TestRecordsOutliveTheProcessInOrder(t *testing.T) {
	cfg := spool.Config{Dir: t.TempDir(), SegmentBytes: 256}
	s, _ := open(t, cfg)
	appendAll(t, s, records(0, 100))
	if err := s.Consume(0, []byte("none")); err != nil {
		t.Fatal(err)
	}
	for read := 0; read < 33; { // over two segments
		batch := s.Read(33 - read)
		if len(batch) == 0 {
			t.Fatalf("read %d of 33", read)
		}
		read += len(batch)
	}
	if err := s.Consume(33, []byte("up to 33")); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, found := open(t, cfg)
	if found.Records[0]+found.Records[1] != 67 || string(found.Meta) != "up to 33" || found.TornBytes+found.DamagedBytes != 0 {
		t.Errorf("found %+v", found)
	}
	appendAll(t, s, records(100, 120))
	expect(t, readAll(t, s), 33, 120)
	s.Rewind()
	expect(t, readAll(t, s), 33, 120)
	if err := s.Consume(87, nil); err != nil {
		t.Fatal(err)
	}
	if s.Bytes() != 0 || s.Waiting() != (spool.Counts{}) {
		t.Errorf("consumed, and %d bytes and %v wait", s.Bytes(), s.Waiting())
	}
	appendAll(t, s, records(120, 130))
	expect(t, readAll(t, s), 120, 130)
}

// A crash may tear the last record anywhere.
func TestTornEndIsCutOff(t *testing.T) {
	whole := t.TempDir()
	s, _ := open(t, spool.Config{Dir: whole})
	appendAll(t, s, records(0, 10))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	data := segmentOf(t, whole)
	one := len(data) / 10
	for cut := len(data) - one; cut < len(data); cut++ {
		dir := t.TempDir()
		writeSegment(t, dir, data[:cut])
		s, found := open(t, spool.Config{Dir: dir})
		if want := int64(cut - (len(data) - one)); found.TornBytes != want || found.DamagedBytes != 0 {
			t.Fatalf("cut at %d: found %+v, want %d torn", cut, found, want)
		}
		appendAll(t, s, records(9, 12))
		expect(t, readAll(t, s), 0, 12)
	}
}

// Whatever byte goes bad, one record is lost and no other.
func TestDamageIsSteppedOverAndTold(t *testing.T) {
	whole := t.TempDir()
	s, _ := open(t, spool.Config{Dir: whole})
	appendAll(t, s, records(0, 10))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	data := segmentOf(t, whole)
	for at := range data {
		dir := t.TempDir()
		bad := slices.Clone(data)
		bad[at] ^= 0x55
		writeSegment(t, dir, bad)
		s, found := open(t, spool.Config{Dir: dir})
		if found.DamagedBytes+found.TornBytes == 0 {
			t.Fatalf("byte %d: damage not seen", at)
		}
		got := readAll(t, s)
		for _, text := range got {
			if !slices.ContainsFunc(records(0, 10), func(r spool.Record) bool { return string(r.Data) == text }) {
				t.Fatalf("byte %d: read %q", at, text)
			}
		}
		if len(got) != 9 {
			t.Fatalf("byte %d: %d of 10 read, want 9", at, len(got))
		}
		if int64(len(got)) != found.Records[0]+found.Records[1] {
			t.Fatalf("byte %d: %d read, found %+v", at, len(got), found)
		}
		if err := s.Consume(len(got), nil); err != nil || s.Waiting() != (spool.Counts{}) {
			t.Fatalf("byte %d: consume: %v, %v wait", at, err, s.Waiting())
		}
		appendAll(t, s, records(10, 12))
		expect(t, readAll(t, s), 10, 12)
	}
}

func TestFullSpoolMakesRoomByItsOldest(t *testing.T) {
	s, _ := open(t, spool.Config{Dir: t.TempDir(), MaxBytes: 1000, SegmentBytes: 200})
	n := 0
	for ; ; n++ {
		if err := s.Append(records(n, n+1)); errors.Is(err, spool.ErrFull) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	lost, err := s.DropOldest(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Append(records(n, n+1)); err != nil {
		t.Fatalf("append after room was made: %v", err)
	}
	expect(t, readAll(t, s), int(lost[0]+lost[1]), n+1)
	if waiting := s.Waiting(); waiting[0]+waiting[1] != int64(n+1)-lost[0]-lost[1] {
		t.Errorf("%v wait", waiting)
	}
}

func TestDroppedIsWhatWasNotConsumed(t *testing.T) {
	s, _ := open(t, spool.Config{Dir: t.TempDir(), SegmentBytes: 150})
	appendAll(t, s, records(0, 20))
	s.Read(4)
	if err := s.Consume(3, nil); err != nil {
		t.Fatal(err)
	}
	before := s.Waiting()
	lost, err := s.DropOldest(nil)
	if err != nil {
		t.Fatal(err)
	}
	after := s.Waiting()
	if lost[0]+lost[1] == 0 || before[0]-lost[0] != after[0] || before[1]-lost[1] != after[1] {
		t.Errorf("before %v, lost %v, after %v", before, lost, after)
	}
	expect(t, readAll(t, s), 3+int(lost[0]+lost[1]), 20)
}

func TestFolderIsForOneProcess(t *testing.T) {
	cfg := spool.Config{Dir: t.TempDir()}
	s, _ := open(t, cfg)
	if _, _, err := spool.Open(cfg); !errors.Is(err, spool.ErrInUse) {
		t.Errorf("open = %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, cfg)
}

// A crash may tear one of the two places where the position is kept.
func TestTornPositionIsTheOneBefore(t *testing.T) {
	cfg := spool.Config{Dir: t.TempDir()}
	s, _ := open(t, cfg)
	appendAll(t, s, records(0, 10))
	for n := range 2 {
		s.Read(1)
		if err := s.Consume(1, []byte{byte(n)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(cfg.Dir, "position")
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	data[4] ^= 1 // the second write is in the first place
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	s, found := open(t, cfg)
	if string(found.Meta) != "\x00" {
		t.Errorf("found %+v", found)
	}
	expect(t, readAll(t, s), 1, 10)
}

func TestLargeRecords(t *testing.T) {
	s, _ := open(t, spool.Config{Dir: t.TempDir()})
	large := make([]byte, 5<<20)
	for range 3 {
		if err := s.Append([]spool.Record{{Data: []byte("small")}, {Data: large}}); err != nil {
			t.Fatal(err)
		}
	}
	sizes := map[int]int{}
	for _, text := range readAll(t, s) {
		sizes[len(text)]++
	}
	if sizes[5] != 3 || sizes[len(large)] != 3 {
		t.Errorf("sizes %v", sizes)
	}
}

func FuzzSegment(f *testing.F) {
	dir := f.TempDir()
	s, _ := open(f, spool.Config{Dir: dir})
	appendAll(f, s, records(0, 4))
	_ = s.Close()
	f.Add(segmentOf(f, dir))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		writeSegment(t, dir, data)
		s, found := open(t, spool.Config{Dir: dir})
		got := readAll(t, s)
		var want int64
		for _, n := range found.Records {
			want += n
		}
		if int64(len(got)) != want {
			t.Fatalf("%d read, found %+v", len(got), found)
		}
		appendAll(t, s, records(0, 1))
		expect(t, readAll(t, s), 0, 1)
	})
}

func segmentOf(t testing.TB, dir string) []byte {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.segment"))
	if err != nil || len(names) != 1 {
		t.Fatalf("segments %v, %v", names, err)
	}
	data, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func writeSegment(t testing.TB, dir string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%020d.segment", 1)), data, 0o600); err != nil {
		t.Fatal(err)
	}
}
