package soak

import (
	"hash/crc32"
	"log/slog"
	"strconv"
	"testing"
	"time"
)

// What is lost, doubled, reordered or changed is counted, each as what it is,
// and to the fault during which it was published.
func TestWrongTicksAreCounted(t *testing.T) {
	type outcome struct{ lost, doubled, reordered, gap, problems int }
	payload := func(n int) []byte { return []byte(`{"price": 1.0, "n": ` + strconv.Itoa(n) + `}`) }
	for name, c := range map[string]struct {
		published []int // below zero: nobody was subscribed
		stored    []int
		want      outcome
	}{
		"as published":                {[]int{1, 2, 2, 3}, []int{1, 2, 2, 3}, outcome{}},
		"lost":                        {[]int{1, 2, 3}, []int{1, 3}, outcome{lost: 1}},
		"one of two identical lost":   {[]int{1, 2, 2, 3}, []int{1, 2, 3}, outcome{lost: 1}},
		"doubled":                     {[]int{1, 2, 3}, []int{1, 2, 2, 3}, outcome{doubled: 1}},
		"doubled later":               {[]int{1, 2, 3}, []int{1, 2, 3, 1}, outcome{doubled: 1}},
		"reordered":                   {[]int{1, 2, 3}, []int{1, 3, 2}, outcome{reordered: 1}},
		"nobody heard it":             {[]int{1, -2, 3}, []int{1, 3}, outcome{}},
		"nobody heard it, and stored": {[]int{1, -2, 3}, []int{1, 2, 3}, outcome{}},
		"changed":                     {[]int{1, 2}, []int{1, 99}, outcome{lost: 1, problems: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			s := &Soak{log: slog.New(slog.DiscardHandler), ledger: newLedger(), details: map[string]int{}}
			s.injected = []injected{{kind: allKinds()[0], from: time.Now(), mended: time.Now()}}
			s.ledger.begin(1)
			for _, n := range c.published {
				h := heard
				if n < 0 {
					n, h = -n, unheard
				}
				s.ledger.enter("A", uint32(n), payload(n), h)
			}
			var stored []identity
			for _, n := range c.stored {
				stored = append(stored, identity{uint32(n), crc32.ChecksumIEEE(payload(n))})
			}
			report := &Report{}
			report.rows(s.injected)
			s.checkSymbol("A", s.ledger.ticks, stored, report)
			row := report.row(1)
			if got := (outcome{row.Lost, row.Duplicated, row.OutOfOrder, row.InGap, len(s.problems)}); got != c.want {
				t.Errorf("counted %+v, want %+v", got, c.want)
			}
			report.Problems = s.problems
			report.sum()
			if ok := report.OK(); ok != (c.want == outcome{}) {
				t.Errorf("OK = %v", ok)
			}
		})
	}
}

func TestOnlyAPublishedGapExcuses(t *testing.T) {
	s := &Soak{log: slog.New(slog.DiscardHandler), ledger: newLedger(), details: map[string]int{}}
	s.ledger.ticks = []sent{{number: 1, at: 100}, {number: 2, at: 200}, {number: 3, at: 301}}
	s.excused = []window{{from: 150, to: 300}}
	report := &Report{}
	report.rows(nil)
	s.checkSymbol("A", s.ledger.ticks, nil, report)
	if row := report.row(0); row.Lost != 2 || row.InGap != 1 {
		t.Errorf("%+v", row)
	}
}

func TestNumbersAreRead(t *testing.T) {
	for text, want := range map[string]uint32{`{"n": 5, "n": 7}`: 7, `{"n": 5}`: 0, `{"a": 1, "n": 12}`: 12, `{"a": 1, "n": x}`: 0, `ping`: 0} {
		if got, ok := numberOf([]byte(text)); got != want || ok != (want != 0) {
			t.Errorf("%s: %d, %v", text, got, ok)
		}
	}
}
