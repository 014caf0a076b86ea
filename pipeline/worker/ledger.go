package worker

import (
	"bytes"
	"cmp"
	"encoding/json"
	"hash/maphash"
	"slices"
	"strings"
	"time"

	"github.com/tickstock/tickstream/pipeline/event"
)

// ledgerKey names one bar, or one signal on it.
type ledgerKey struct {
	kind, name, symbol, timeframe string
	start                         int64 // Unix seconds
}

// entry is what is published under a key, and what a rebuild makes of it.
type entry struct {
	end       int64 // of the bar, Unix seconds
	published bool
	revision  uint32
	value     uint64 // hash of what is published
	withdrawn bool
	made      bool
	data      []byte // the last that was made; nil where it is what is published
	last      []byte // what is published, of signals: to be withdrawn
}

// ledger compares what is published with what a rebuild makes.
type ledger struct {
	seed    maphash.Seed
	entries map[ledgerKey]*entry
}

func newLedger() *ledger {
	return &ledger{seed: maphash.MakeSeed(), entries: map[ledgerKey]*entry{}}
}

// published notes a message of BARS or SIGNALS. One that cannot be read is none.
func (l *ledger) published(data []byte) {
	h, ok := headOf(data)
	if !ok {
		return
	}
	e := l.entry(h)
	if e.published && h.revision < e.revision {
		return
	}
	e.published, e.revision, e.withdrawn, e.value = true, h.revision, h.withdrawn, l.value(data)
	if h.key.kind != kindBar {
		e.last = bytes.Clone(data)
	}
}

const kindBar = "bar"

// head is what the ledger reads of a message: whose it is, and its state.
type head struct {
	key       ledgerKey
	end       int64 // of the bar, Unix seconds
	revision  uint32
	withdrawn bool
}

// headOf reads a message; not ok for what cannot be made again.
func headOf(data []byte) (h head, ok bool) {
	var m struct {
		Type      string     `json:"type"`
		Indicator string     `json:"indicator"`
		Pattern   string     `json:"pattern"`
		Symbol    string     `json:"symbol"`
		Timeframe string     `json:"timeframe"`
		Start     event.Time `json:"start"`
		End       event.Time `json:"end"`
		Revision  uint32     `json:"revision"`
		Withdrawn bool       `json:"withdrawn"`
	}
	if json.Unmarshal(data, &m) != nil {
		return head{}, false
	}
	h = head{end: m.End.Unix(), revision: m.Revision, withdrawn: m.Withdrawn}
	h.key = ledgerKey{kind: m.Type, symbol: m.Symbol, timeframe: m.Timeframe, start: m.Start.Unix()}
	switch m.Type {
	case event.KindIndicator:
		h.key.name = m.Indicator
	case event.KindPattern:
		h.key.name = m.Pattern
	case kindBar:
	default: // an alert is never made again
		return head{}, false
	}
	return h, true
}

// value is the hash of what a message says, apart from when and by what it was
// said.
func (l *ledger) value(data []byte) uint64 {
	var m map[string]json.RawMessage
	_ = json.Unmarshal(data, &m) // it was read before
	for _, name := range []string{"revision", "session_id", "sequence", "withdrawn"} {
		delete(m, name)
	}
	said, _ := json.Marshal(m) // with its names in order
	return maphash.Bytes(l.seed, said)
}

func (l *ledger) entry(h head) *entry {
	e := l.entries[h.key]
	if e == nil {
		e = &entry{end: h.end}
		l.entries[h.key] = e
	}
	return e
}

// made notes what the rebuild gives; of several under one key the last holds.
func (l *ledger) made(data []byte) {
	h, ok := headOf(data)
	if !ok {
		return
	}
	e := l.entry(h)
	e.made = !h.withdrawn
	e.data = nil
	if !h.withdrawn && (!e.published || e.withdrawn || e.value != l.value(data)) {
		e.data = bytes.Clone(data)
	}
}

// difference is one message that has to be published for the streams to say
// what the rebuild made.
type difference struct {
	key  ledgerKey
	data []byte
}

// differences of the bars that end after from and begin at begin or later, in
// order; bars that ended before kept have left the stream and are not brought
// back.
func (l *ledger) differences(from, begin time.Time, keptBars, keptSignals time.Time) []difference {
	var found []difference
	for key, e := range l.entries {
		kept := keptSignals
		if key.kind == kindBar {
			kept = keptBars
		}
		switch start := time.Unix(key.start, 0); {
		case !time.Unix(e.end, 0).After(from) || start.Before(begin) || !e.published && start.Before(kept):
		case e.data != nil:
			if e.published {
				e.revision++
			}
			found = append(found, difference{key, withState(e.data, e.revision, false)})
		case e.published && !e.withdrawn && !e.made && key.kind != kindBar:
			e.revision++
			found = append(found, difference{key, withState(e.last, e.revision, true)})
		}
	}
	slices.SortFunc(found, func(a, b difference) int {
		return cmp.Or(cmp.Compare(a.key.start, b.key.start), strings.Compare(a.key.symbol, b.key.symbol),
			strings.Compare(a.key.timeframe, b.key.timeframe), strings.Compare(a.key.kind, b.key.kind), strings.Compare(a.key.name, b.key.name))
	})
	return found
}

// renumber gives results that are not published yet the revisions that follow
// what is: the streams may go further than the state that was begun from knows.
func (l *ledger) renumber(pending []result) {
	for i := range pending {
		r := &pending[i]
		h, ok := headOf(r.data)
		if !ok {
			continue
		}
		e := l.entry(h)
		if e.published {
			e.revision++
		}
		e.published = true
		r.data = withState(r.data, e.revision, h.withdrawn)
	}
}

// withState is a message under another revision.
func withState(data []byte, revision uint32, withdrawn bool) []byte {
	var m map[string]json.RawMessage
	_ = json.Unmarshal(data, &m) // it was read before
	m["revision"], _ = json.Marshal(revision)
	delete(m, "withdrawn")
	if withdrawn {
		m["withdrawn"] = json.RawMessage("true")
	}
	out, _ := json.Marshal(m)
	return out
}

// revisions are those of a bar and of the signals on it, as they stand; not
// known where the ledger has no such bar.
func (l *ledger) revisions() func(symbol, timeframe string, start int64) (bar, signals uint32, known bool) {
	type place struct {
		symbol, timeframe string
		start             int64
	}
	bars, signals := map[place]uint32{}, map[place]uint32{}
	for key, e := range l.entries {
		p := place{key.symbol, key.timeframe, key.start}
		if key.kind == kindBar {
			bars[p] = max(bars[p], e.revision)
		} else {
			signals[p] = max(signals[p], e.revision)
		}
	}
	return func(symbol, timeframe string, start int64) (uint32, uint32, bool) {
		p := place{symbol, timeframe, start}
		revision, known := bars[p]
		return revision, signals[p], known
	}
}
