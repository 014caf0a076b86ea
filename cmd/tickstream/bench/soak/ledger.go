package soak

import (
	"hash/crc32"
	"sync"
	"time"
)

// hearing is what is known of who received a tick.
type hearing uint8

const (
	heard   hearing = iota // PUBLISH said that somebody did
	unheard                // PUBLISH said that nobody did
	unknown                // PUBLISH was not answered
)

// sent is one tick that was published.
type sent struct {
	number  uint32 // its own; 0 where it is malformed
	sum     uint32 // of its bytes
	at      uint32 // ms since the ledger began
	symbol  uint16
	phase   uint16
	hearing hearing
}

// ledger is all that was published, in order.
type ledger struct {
	began time.Time

	mu      sync.Mutex
	symbols map[string]uint16
	names   []string
	ticks   []sent // with numbers
	refused []sent // malformed
	phase   uint16
	number  uint32 // of the last tick that was heard
	heard   int64
}

func newLedger() *ledger { return &ledger{began: time.Now(), symbols: map[string]uint16{}} }

// enter notes what became of a tick.
func (l *ledger) enter(symbol string, number uint32, payload []byte, h hearing) {
	l.mu.Lock()
	defer l.mu.Unlock()
	id, known := l.symbols[symbol]
	if !known {
		id = uint16(len(l.names)) //nolint:gosec // there are few
		l.symbols[symbol] = id
		l.names = append(l.names, symbol)
	}
	s := sent{
		number: number, sum: crc32.ChecksumIEEE(payload), at: l.since(time.Now()), symbol: id,
		phase: l.phase, hearing: h,
	}
	if number == 0 {
		l.refused = append(l.refused, s)
		return
	}
	l.ticks = append(l.ticks, s)
	if h == heard {
		l.heard++
		l.number = number
	}
}

func (l *ledger) since(t time.Time) uint32 {
	return uint32(max(0, t.Sub(l.began).Milliseconds())) //nolint:gosec // weeks fit
}

// begin makes what is published from now on belong to a phase.
func (l *ledger) begin(phase int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.phase = uint16(phase) //nolint:gosec // there are few
}

// last is the number of the last tick that was heard, and how many were.
func (l *ledger) last() (number uint32, heard int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.number, l.heard
}
