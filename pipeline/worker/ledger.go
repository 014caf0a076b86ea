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
	key, revision, withdrawn, ok := keyOf(data)
	if !ok {
		return
	}
	e := l.entry(key)
	if e.published && revision < e.revision {
		return
	}
	e.published, e.revision, e.withdrawn, e.value = true, revision, withdrawn, l.value(data)
	if key.kind != kindBar {
		e.last = bytes.Clone(data)
	}
}

const kindBar = "bar"

// keyOf reads whose message it is.
func keyOf(data []byte) (key ledgerKey, revision uint32, withdrawn, ok bool) {
	var m struct {
		Type      string     `json:"type"`
		Indicator string     `json:"indicator"`
		Pattern   string     `json:"pattern"`
		Symbol    string     `json:"symbol"`
		Timeframe string     `json:"timeframe"`
		Start     event.Time `json:"start"`
		Revision  uint32     `json:"revision"`
		Withdrawn bool       `json:"withdrawn"`
	}
	if json.Unmarshal(data, &m) != nil {
		return ledgerKey{}, 0, false, false
	}
	key = ledgerKey{kind: m.Type, symbol: m.Symbol, timeframe: m.Timeframe, start: m.Start.Unix()}
	switch m.Type {
	case event.KindIndicator:
		key.name = m.Indicator
	case event.KindPattern:
		key.name = m.Pattern
	case kindBar:
	default: // an alert is never made again
		return ledgerKey{}, 0, false, false
	}
	return key, m.Revision, m.Withdrawn, true
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

func (l *ledger) entry(key ledgerKey) *entry {
	e := l.entries[key]
	if e == nil {
		e = &entry{}
		l.entries[key] = e
	}
	return e
}

// made notes what the rebuild gives; of several under one key the last holds.
func (l *ledger) made(data []byte) {
	key, _, withdrawn, ok := keyOf(data)
	if !ok {
		return
	}
	e := l.entry(key)
	e.made = !withdrawn
	e.data = nil
	if !withdrawn && (!e.published || e.withdrawn || e.value != l.value(data)) {
		e.data = bytes.Clone(data)
	}
}

// difference is one message that has to be published for the streams to say
// what the rebuild made.
type difference struct {
	key  ledgerKey
	data []byte
}

// differences from from on, in order; bars that ended before kept have left the
// stream and are not brought back.
func (l *ledger) differences(from time.Time, keptBars, keptSignals time.Time) []difference {
	var found []difference
	for key, e := range l.entries {
		kept := keptSignals
		if key.kind == kindBar {
			kept = keptBars
		}
		switch start := time.Unix(key.start, 0); {
		case start.Before(from) || !e.published && start.Before(kept):
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
		key, _, withdrawn, ok := keyOf(r.data)
		if !ok {
			continue
		}
		e := l.entry(key)
		if e.published {
			e.revision++
		}
		e.published = true
		r.data = withState(r.data, e.revision, withdrawn)
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
